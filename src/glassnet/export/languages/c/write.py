"""The C file of a model: a comment, declarations, arithmetic, weights, and the model's own functions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.languages.c.arithmetic import arithmetic, fused
from glassnet.export.languages.c.network import (
    FIXED,
    each,
    functions_of,
    has_gradient,
    has_slopes,
    kind_of,
    mode_of,
    network_functions,
    parameters_of,
    rounded,
    trains,
)
from glassnet.export.languages.c.texts import behind, identifiers, number, quoted, rows
from glassnet.export.languages.c.training import STEP, about, require_trainable, training_functions
from glassnet.export.languages.language import Options
from glassnet.export.model import Member, Model, hard_rows

_SMALL = {"float64": 1e-11, "float32": 1e-3}
_ROUGH = {**_SMALL, "int16": 1e-2, "int8": 0.2}
"""How far a file's own test lets outputs be, where they are not the same bits."""


def promises(model: Model, options: Options) -> float | None:
    """In the network's own precision 0 for the mode `bits`, a small number for `small`; else nothing."""
    if options.precision != model.dtype.name:
        return None
    if options.mode == "small" or not model.is_of_the_engine:
        return _SMALL[options.precision]
    return 0.0


GRADIENT = "void N_gradient(const double *x, double *dy)"


def write(model: Model, options: Options) -> bytes:
    """The file."""
    wanted = [name for name in ("gradient", "train") if options.settings.get(name)]
    if wanted and mode_of(options) != "bits":
        asked = " and ".join(f"{name}=True" for name in wanted)
        raise InputError(
            f"C has {asked} in mode='bits' of float64 or float32 alone; export so, or without."
        )
    own = [*network_functions(model, options)]
    if trains(options):
        require_trainable(model)
        own += training_functions(model, options)
    code = "\n\n".join([*_tables(model, options), *own, *_public(model, options)])
    code = arithmetic(code, mode_of(options), options.precision, options.name, slopes=has_slopes(options))
    parts = [_comment(model, options), _head(model, options), code, *_classes(model, options.name)]
    parts += [_named(part, options.name) for part in (_test(model, options), _filter(model))]
    parts.append("#ifdef __cplusplus\n}\n#endif")
    return ("\n\n".join(parts) + "\n").encode()


def _named(text: str, name: str) -> str:
    return text.replace("N_", f"{name}_")


# ---- What the file says of itself ------------------------------------------------------------------


def _comment(model: Model, options: Options) -> str:
    name = options.name
    networks = " and ".join(dict.fromkeys(str(member.network) for member in model.members))
    lines = [
        f"{name}: {networks}, trained and written by glassnet.",
        "",
        "Inputs, NaN where one is missing:",
    ]
    for place, feature in enumerate(model.features):
        what = ""
        if feature.categories is not None:
            shown = ", ".join(f"{at} {quoted(text)}" for at, text in enumerate(feature.categories))
            what = f": {shown}, -1 another one"
        elif feature.date:
            what = ": microseconds since 1970-01-01"
        lines.append(f"  x[{place}] {quoted(feature.name)}{what}")
    lines += ["", "Outputs:"]
    lines += [f"  [{place}] {quoted(output)}" for place, output in enumerate(model.output_names)]
    promised = promises(model, options)
    if promised == 0:
        lines += [
            "",
            "The outputs have the bits of glassnet's own, by any compiler at any level. Compiling for a",
            "processor that has a fused multiply-add (as by -march=native) makes it fast.",
        ]
    elif promised:
        lines += [
            "",
            f"The outputs are within {promised:g} of glassnet's own, of the largest one or of 1.",
        ]
    if options.precision in FIXED:
        lines += [
            "",
            f"Weights are whole numbers up to {FIXED[options.precision]}, as each layer's inputs",
            "become; their products are summed up exactly. Units, biases and functions are float.",
        ]
    lines += [
        "",
        f"-D{name}_TEST adds int {name}_test(void), the number of rows that come out wrong;",
        f"-D{name}_MAIN adds a program that reads rows of numbers and prints the outputs of each, with",
        f"-D{name}_TEST one that runs the test.",
    ]
    if has_gradient(options):
        lines += [
            "",
            f"{name}_gradient gives dy[output * {name}_INPUTS + input], the derivatives of the outputs.",
        ]
    if trains(options):
        lines += about(model, name)
    return "\n".join(f"// {line}".rstrip() for line in lines)


_INCLUDED = """\
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
"""
_TRAINING = (
    _INCLUDED
    + """
#ifndef N_BATCH // the most samples of a batch
#define N_BATCH 8
#endif
#define N_PROGMEM
#define N_READ(place) (*(place))"""
)
_HEAD = (
    _INCLUDED
    + """
#if defined(__AVR__) && !defined(N_PROGMEM)
#include <avr/pgmspace.h>
#define N_PROGMEM PROGMEM
#define N_READ(place) pgm_read_float(place)
#define N_READ_INTEGER(at) (sizeof *(at) > 1 ? (int16_t)pgm_read_word(at) : (int8_t)pgm_read_byte(at))
#endif
#ifndef N_PROGMEM // where constants go, and how they are read from there
#define N_PROGMEM
#define N_READ(place) (*(place))
#define N_READ_INTEGER(at) (*(at))
#endif"""
)

_BITS = """
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__)
#error "-ffast-math changes results: compile without it, or export with mode='small'"
#endif
#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16
#error "the compiler computes in a wider type: add -msse2 -mfpmath=sse, or export with mode='small'"
#endif
#if {digits} != {expected}
#error "the type {type} has another precision here: export in float32, or with mode='small'"
#endif

// Keeps a compiler from contracting a product and a sum into one operation.
#if defined(__GNUC__) && defined(__SSE2__)
#define N_KEPT
#define N_KEEP(product) __asm__("" : "+x"(product))
#elif defined(__GNUC__) && defined(__aarch64__)
#define N_KEPT
#define N_KEEP(product) __asm__("" : "+w"(product))
#else
#define N_KEPT volatile
#define N_KEEP(product) (void)0
#endif"""

_DIGITS = {"float64": ("DBL_MANT_DIG", 53, "double"), "float32": ("FLT_MANT_DIG", 24, "float")}


def _head(model: Model, options: Options) -> str:
    name = options.name
    text = _TRAINING if trains(options) else _HEAD
    if mode_of(options) == "bits":
        digits, expected, kind = _DIGITS[options.precision]
        text += _BITS.format(digits=digits, expected=expected, type=kind)
        text += f"\n\n{fused(options.precision)}"
    sizes = f"enum {{ N_INPUTS = {len(model.features)}, N_OUTPUTS = {model.n_outputs} }};"
    text = _named(f'{text}\n\n#ifdef __cplusplus\nextern "C" {{\n#endif\n\n{sizes}', name)
    groups: list[list[tuple[str, ...]]] = [[(feature.name,) for feature in model.features]]
    groups += [[(f.name, text) for text in f.categories] for f in model.features if f.categories]
    unique = iter(identifiers("_".join(entry) for group in groups for entry in group))
    for group in groups:
        members = rows([f"{name}_IN_{next(unique)}" for _ in group])
        text += f"\nenum {{\n{members}\n}};"
    declared = [f"{signature};" for signature, _ in _signatures(model)]
    if has_gradient(options):
        declared.append(f"{GRADIENT};")
    if trains(options):
        declared += [
            f"{STEP};",
            f"extern {_DIGITS[options.precision][2]} N_theta[{model.members[0].theta.flat.size}];",
        ]
    text += "\n\n" + _named("\n".join(declared), name)
    for classes, labels in _labels(model, name):
        text += f"\nextern const char *const {classes}[{len(labels)}];"
    return text


def _signatures(model: Model) -> Iterator[tuple[str, str]]:
    """What users call, each with what it does."""
    if not model.is_classifier:
        yield "void N_predict(const double *x, double *y)", "outputs"
        return
    yield "void N_predict_proba(const double *x, double *p)", "outputs"
    if len(model.answers) == 1:
        yield "int N_predict(const double *x)", "label"
    else:
        yield "void N_predict(const double *x, int *labels)", "labels"


def _labels(model: Model, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    parts = identifiers(answer.name for answer in model.answers)
    for answer, part in zip(model.answers, parts, strict=True):
        if answer.labels is not None:
            suffix = f"_{part}" if len(model.answers) > 1 else ""
            yield f"{name}_classes{suffix}", tuple(map(str, answer.labels))


def _classes(model: Model, name: str) -> Iterator[str]:
    for classes, labels in _labels(model, name):
        listed = rows([quoted(label) for label in labels])
        yield f"const char *const {classes}[{len(labels)}] = {{\n{listed}\n}};"


# ---- Weights, and what users call ------------------------------------------------------------------


def _suffixes(model: Model) -> list[str]:
    several = len(model.members) > 1
    return [f"_{number}" if several else "" for number in range(1, len(model.members) + 1)]


def _tables(model: Model, options: Options) -> Iterator[str]:
    """The parameters of each network, layer by layer: the weights of each input in turn, the biases."""
    for member, suffix in zip(model.members, _suffixes(model), strict=True):
        if options.precision in FIXED:
            yield from _fixed_tables(member, options, suffix)
            continue
        parts = []
        for layer, (W, b) in enumerate(zip(member.theta.weights, member.theta.biases, strict=True), 1):
            parts.append(f"  // layer {layer}, from {W.shape[0]} to {W.shape[1]}")
            parts += [rows(_numbers(row, options.precision)) + "," for row in (*W, b)]
        listed = "\n".join(parts)
        table = f"N_real N_theta{suffix}[{member.theta.flat.size}]"
        table = table if trains(options) else f"static const {table} N_PROGMEM"
        yield f"{table} = {{\n{listed}\n}};"


def _numbers(values: Array, precision: str) -> list[str]:
    """Literals, of subnormal numbers 0: the engine takes them for it."""
    kept = values.astype(precision)
    kept = np.where(np.abs(kept) < np.finfo(kept.dtype).tiny, np.copysign(0, kept), kept)
    return [number(float(value), precision) for value in kept]


def _fixed_tables(member: Member, options: Options, suffix: str) -> Iterator[str]:
    """Weights as whole numbers, and of each layer the unit of each output's, and the biases."""
    most, whole, real = FIXED[options.precision], [], []
    for W, b in zip(member.theta.weights, member.theta.biases, strict=True):
        units = np.maximum(np.abs(W).max(axis=0), np.finfo(np.float32).tiny).astype(np.float64) / most
        whole += [rows(list(map(str, row))) + "," for row in np.rint(W / units).astype(int).tolist()]
        real += [rows(_numbers(row, "float32")) + "," for row in (units, b)]
    sizes = member.network.sizes
    weights = member.theta.flat.size - sum(sizes[1:])
    for kind, count, lines in (("integer", weights, whole), ("real", 2 * sum(sizes[1:]), real)):
        name = "weights" if kind == "integer" else "scales"
        listed = "\n".join(lines)
        yield f"static const N_{kind} N_{name}{suffix}[{count}] N_PROGMEM = {{\n{listed}\n}};"


def _public(model: Model, options: Options) -> Iterator[str]:
    """What users call."""
    functions, suffixes = functions_of(model), _suffixes(model)
    kept = ", 0" * has_gradient(options)
    for signature, kind in _signatures(model):
        target = signature[-2]  # x, p or y
        if kind == "outputs" and len(model.members) == 1:
            function = functions[kind_of(model.members[0])]
            lines = [f"  {function}({parameters_of(options, '')}, x, {target}{kept});"]
        elif kind == "outputs":
            lines = ["  double one[N_OUTPUTS];", "  int i;", *each(model.n_outputs, f"{target}[i] = 0;")]
            for at, (member, suffix) in enumerate(zip(model.members, suffixes, strict=True), 1):
                lines.append(
                    f"  {functions[kind_of(member)]}({parameters_of(options, suffix)}, x, one{kept});"
                )
                lines += each(model.n_outputs, f"{target}[i] += (one[i] - {target}[i]) / {at};")
            if not model.wide:
                lines += each(model.n_outputs, f"{target}[i] = {rounded(options).format(f'{target}[i]')};")
        else:
            lines = ["  double p[N_OUTPUTS];", "  N_predict_proba(x, p);"]
            for at, answer in enumerate(model.answers):
                width = answer.stop - answer.start
                label = f"p[{answer.start}] > 0.5"
                if width > 1:
                    label = f"N_largest({behind('p', answer.start)}, {width})"
                lines.append(f"  return {label};" if kind == "label" else f"  labels[{at}] = {label};")
        yield "\n".join([f"{signature} {{", *lines, "}"])
    if kept:
        lines = ["  int i;", *each("N_OUTPUTS * N_INPUTS", "dy[i] = 0;")]
        for member, suffix in zip(model.members, suffixes, strict=True):
            lines.append(f"  {functions[kind_of(member)]}_gradient(N_theta{suffix}, x, dy);")
        if len(model.members) > 1:
            lines += each("N_OUTPUTS * N_INPUTS", f"dy[i] /= {len(model.members)};")
        yield "\n".join([f"{GRADIENT} {{", *lines, "}"])


# ---- The test and the filter -----------------------------------------------------------------------


def _usual_rows(model: Model) -> Floats:
    """A few rows of usual numbers."""
    random = np.random.default_rng(0)
    usual = random.standard_normal((6, len(model.features)))
    for column in model.members[0].columns:
        numbers = {step.name: step.numbers[0] for step in column.steps if step.numbers}
        spread, middle = numbers.get("divide", 1.0), numbers.get("subtract", 0.0)
        usual[:, column.feature] = usual[:, column.feature] * spread + middle
    for place, feature in enumerate(model.features):
        if feature.categories is not None:
            usual[:, place] = random.integers(0, len(feature.categories) + 1, len(usual))
    return usual


def _test(model: Model, options: Options) -> str:
    values = _usual_rows(model)
    far = "p[i] != expected[r][i] && (p[i] == p[i] || expected[r][i] == expected[r][i])"
    if promises(model, options) == 0:
        hard = hard_rows(model)
        values = np.vstack([values, hard[model.finite(hard)][:8]])
    else:
        near = number(_ROUGH[options.precision])
        far = f"!(fabs(p[i] - expected[r][i]) <= {near} * (1 + fabs(expected[r][i])))"
    expected = model.outputs(values)
    outputs = next(_signatures(model))[0].split("(")[0].removeprefix("void ")
    tables = []
    for name, width, table in (("rows", "N_INPUTS", values), ("expected", "N_OUTPUTS", expected)):
        listed = ",\n".join(
            f"    {{{rows(list(map(number, row.tolist())), '     ').lstrip()}}}" for row in table
        )
        tables.append(f"  static const double {name}[{len(values)}][{width}] = {{\n{listed}\n  }};")
    return "\n".join(
        [
            "#ifdef N_TEST",
            "int N_test(void);",
            "int N_test(void) {",
            *tables,
            "  double p[N_OUTPUTS];",
            "  int r, i, wrong = 0;",
            f"  for (r = 0; r < {len(values)}; ++r) {{",
            "    int far = 0;",
            f"    {outputs}(rows[r], p);",
            "    for (i = 0; i < N_OUTPUTS; ++i)",
            f"      if ({far}) far = 1;",
            "    wrong += far;",
            "  }",
            "  return wrong;",
            "}",
            "#endif",
        ]
    )


def _filter(model: Model) -> str:
    outputs = next(_signatures(model))[0].split("(")[0].removeprefix("void ")
    labels: list[str] = []
    if model.is_classifier and len(model.answers) == 1:
        labels = ['    printf(",%s", N_classes[N_predict(x)]);']
    return "\n".join(
        [
            "#ifdef N_MAIN",
            "#include <stdio.h>",
            "int main(void) {",
            "#ifdef N_TEST",
            "  const int wrong = N_test();",
            '  printf("%d rows are wrong\\n", wrong);',
            "  return wrong != 0;",
            "#else",
            "  double x[N_INPUTS], p[N_OUTPUTS];",
            "  int i;",
            "  for (;;) {",
            "    for (i = 0; i < N_INPUTS; ++i) {",
            '      if (scanf(" %lf", x + i) != 1) return i > 0 || !feof(stdin);',
            '      if (i + 1 < N_INPUTS && scanf(" %*[,;]") < 0) return 1;',
            "    }",
            f"    {outputs}(x, p);",
            '    for (i = 0; i < N_OUTPUTS; ++i) printf("%s%.17g", i ? "," : "", p[i]);',
            *labels,
            '    printf("\\n");',
            "  }",
            "#endif",
            "}",
            "#endif",
        ]
    )
