"""The C file of a model: a comment, declarations, arithmetic, weights, and the model's own functions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import TextWrapper

import numpy as np

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.languages.c.arithmetic import FIXED, arithmetic, part
from glassnet.export.languages.c.network import (
    each,
    functions_of,
    has_gradient,
    has_slopes,
    mode_of,
    network_functions,
    trains,
)
from glassnet.export.languages.c.texts import behind, identifiers, number, quoted, rows
from glassnet.export.languages.c.training import STEP, about, require_trainable, training_functions
from glassnet.export.languages.language import Options
from glassnet.export.languages.program import commented, file_of, outputs_name
from glassnet.export.model import Member, Model, hard_rows
from glassnet.utils.storage import csv_text

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


def write(model: Model, options: Options) -> bytes:
    """The file."""
    wanted = [name for name in ("gradient", "train") if options.settings.get(name)]
    if wanted and mode_of(options) != "bits":
        asked = " and ".join(f"{name}=True" for name in wanted)
        raise InputError(
            f"C has {asked} in mode='bits' of float64 or float32 alone; export so, or without."
        )
    public = dict(_public(model, options))
    own = [*network_functions(model, options)]
    if trains(options):
        require_trainable(model)
        one, public[STEP] = training_functions(model)
        own.append(one)
    own += ["\n".join([f"{signature} {{", *lines, "}"]) for signature, lines in public.items()]
    code = "\n\n".join([*_tables(model, options), *own])
    parts = [
        _comment(model, options),
        _named(_INCLUDED + (_VARIABLES if trains(options) else _CONSTANTS), options.name),
        _declared(model, options, public),
        *_exact(options),
        arithmetic(code, mode_of(options), options.precision, options.name, slopes=has_slopes(options)),
        *_classes(model, options.name),
        _main(model, options),
        f"#endif // {options.name}_HEADER",
        "#ifdef __cplusplus\n}\n#endif",
    ]
    return file_of(parts)


def _named(text: str, name: str) -> str:
    return text.replace("N_", f"{name}_")


# ---- What the file says of itself ------------------------------------------------------------------


def _comment(model: Model, options: Options) -> str:
    name, promised, texts = options.name, promises(model, options), []
    if promised == 0:
        texts.append(
            "The outputs have the bits of glassnet's own, by any compiler at any level. Compiling for a "
            "processor that has a fused multiply-add (as by -march=native) makes it fast."
        )
    elif promised:
        texts.append(f"The outputs are within {promised:g} of glassnet's own, of the largest one or of 1.")
    if options.precision in FIXED:
        texts.append(
            f"Weights are whole numbers up to {FIXED[options.precision]}, as each layer's inputs become; "
            "their products are summed up exactly. Units, biases and functions are float."
        )
    texts += [
        f"-D{name}_TEST adds int {name}_test(void), the number of rows that come out wrong; "
        f"-D{name}_MAIN adds a program that reads rows of numbers and prints the outputs of each, with "
        f"-D{name}_TEST one that runs the test.",
        "The file is its own header: of several files that include it, all but one define "
        f"{name}_HEADER before.",
    ]
    if has_gradient(options):
        texts.append(
            f"{name}_gradient gives dy[output * {name}_INPUTS + input], the derivatives of the outputs."
        )
    if trains(options):
        texts.append(about(model, name))
    lines = [line for text in texts for line in ("", *_WRAPPER.wrap(text))]
    return "\n".join([commented(model, "//"), *(f"// {line}".rstrip() for line in lines)])


_WRAPPER = TextWrapper(100, break_long_words=False, break_on_hyphens=False)

_INCLUDED = """\
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef N_MAIN
#include <stdio.h>
#include <stdlib.h>
#endif
"""
_PLAIN = """
#define N_PROGMEM
#define N_READ(place) (*(place))
#define N_READ_INTEGER(at) (*(at))
"""
_CONSTANTS = f"""
#if defined(__AVR__) && !defined(N_PROGMEM)
#include <avr/pgmspace.h>
#define N_PROGMEM PROGMEM
#define N_READ(place) pgm_read_float(place)
#define N_READ_INTEGER(at) (sizeof *(at) > 1 ? (int16_t)pgm_read_word(at) : (int8_t)pgm_read_byte(at))
#endif
#ifndef N_PROGMEM // where constants go, and how they are read from there{_PLAIN}#endif

#ifdef __cplusplus
extern "C" {{
#endif"""
_VARIABLES = f"""
#ifndef N_BATCH // the most samples of a batch
#define N_BATCH 8
#endif{_PLAIN}
#ifdef __cplusplus
extern "C" {{
#endif"""
_BITS = """\
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


def _exact(options: Options) -> Iterator[str]:
    """What a file begins with that has the engine's bits."""
    if mode_of(options) == "bits":
        digits, expected, kind = _DIGITS[options.precision]
        yield _named(_BITS.format(digits=digits, expected=expected, type=kind), options.name)
        yield _named(part(f"fused_{options.precision}"), options.name)


def _declared(model: Model, options: Options, signatures: Iterable[str]) -> str:
    name = options.name
    lines = [f"enum {{ {name}_INPUTS = {len(model.features)}, {name}_OUTPUTS = {model.n_outputs} }};"]
    groups: list[list[tuple[str, ...]]] = [[(feature.name,) for feature in model.features]]
    groups += [[(f.name, text) for text in f.categories] for f in model.features if f.categories]
    unique = iter(identifiers("_".join(entry) for group in groups for entry in group))
    for group in groups:
        lines.append(f"enum {{\n{rows([f'{name}_IN_{next(unique)}' for _ in group])}\n}};")
    lines += ["", *(_named(f"{signature};", name) for signature in signatures)]
    if trains(options):
        size = model.members[0].theta.flat.size
        lines.append(f"extern {_DIGITS[options.precision][2]} {name}_theta[{size}];")
    lines += [f"extern const char *const {of}[{len(labels)}];" for of, labels in _labels(model, name)]
    text = "\n".join(lines)
    return f"{text}\n\n#ifndef {name}_HEADER"


def _labels(model: Model, name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    names = identifiers(answer.name for answer in model.answers)
    for answer, own in zip(model.answers, names, strict=True):
        if answer.labels is not None:
            suffix = f"_{own}" if len(model.answers) > 1 else ""
            yield f"{name}_classes{suffix}", tuple(map(str, answer.labels))


def _classes(model: Model, name: str) -> Iterator[str]:
    for classes, labels in _labels(model, name):
        listed = rows([quoted(label) for label in labels])
        yield f"const char *const {classes}[{len(labels)}] = {{\n{listed}\n}};"


# ---- Weights, and what users call ------------------------------------------------------------------


def _members(model: Model) -> dict[str, Member]:
    """The members, by what the names of their tables end in."""
    several = len(model.members) > 1
    return {f"_{number}" * several: member for number, member in enumerate(model.members, 1)}


def _tables(model: Model, options: Options) -> Iterator[str]:
    """The parameters of each network, layer by layer: the weights of each input in turn, the biases."""
    for suffix, member in _members(model).items():
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


def _public(model: Model, options: Options) -> Iterator[tuple[str, list[str]]]:
    """What users call: the head of each function, and its lines."""
    kept = ", 0" * has_gradient(options)
    y = "p" if model.is_classifier else "y"
    tables = "N_weights{0}, N_scales{0}" if options.precision in FIXED else "N_theta{0}"
    calls = dict(zip(_members(model), functions_of(model), strict=True))
    first, *others = (
        f"  {function}({tables.format(suffix)}, x, {{}}{kept});" for suffix, function in calls.items()
    )
    lines = [first.format(y)]
    if others:
        lines = ["  double one[N_OUTPUTS];", "  int i;", *lines]
        for count, other in enumerate(others, 2):
            lines += [other.format("one"), *each("N_OUTPUTS", f"{y}[i] += (one[i] - {y}[i]) / {count};")]
        if not model.wide:
            lines += each("N_OUTPUTS", f"{y}[i] = N_rounded({y}[i]);")
    yield f"void N_{outputs_name(model)}(const double *x, double *{y})", lines
    if model.is_classifier:
        lines = ["  double p[N_OUTPUTS];", "  N_predict_proba(x, p);"]
        labels = [
            f"p[{answer.start}] > 0.5"
            if answer.stop - answer.start == 1
            else f"N_largest({behind('p', answer.start)}, {answer.stop - answer.start})"
            for answer in model.answers
        ]
        if len(labels) == 1:
            yield "int N_predict(const double *x)", [*lines, f"  return {labels[0]};"]
        else:
            lines += [f"  labels[{at}] = {label};" for at, label in enumerate(labels)]
            yield "void N_predict(const double *x, int *labels)", lines
    if kept:
        lines = ["  int i;", *each("N_OUTPUTS * N_INPUTS", "dy[i] = 0;")]
        lines += [f"  {function}_gradient(N_theta{suffix}, x, dy);" for suffix, function in calls.items()]
        if others:
            lines += each("N_OUTPUTS * N_INPUTS", f"dy[i] /= {len(calls)};")
        yield "void N_gradient(const double *x, double *dy)", lines


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


def _main(model: Model, options: Options) -> str:
    values, near = _usual_rows(model), _ROUGH[options.precision]
    if promises(model, options) == 0:
        hard, near = hard_rows(model), 0.0
        values = np.vstack([values, hard[model.finite(hard)][:8]])
    text = part("main").replace("PREDICT", outputs_name(model)).replace("NEAR", number(near))
    for word, table in (("VALUES", values), ("EXPECTED", model.outputs(values))):
        listed = ",\n".join(
            f"    {{{rows(list(map(number, row.tolist())), '     ').lstrip()}}}" for row in table
        )
        text = text.replace(word, listed)
    end = 'printf("\\n");'
    if model.is_classifier and len(model.answers) == 1:
        ((_, labels),) = _labels(model, options.name)
        cells = [quoted(csv_text({"": [label]}, header=False)[:-1]) for label in labels]
        end = f"static const char *const labels[] = {{\n{rows(cells, '      ')}\n    }};\n"
        end += f'    printf(",%s\\n", labels[{options.name}_predict(x)]);'
    return _named(text.replace("ROWS", str(len(values))), options.name).replace("@", end)
