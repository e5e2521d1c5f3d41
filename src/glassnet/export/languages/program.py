"""A model as a program in the part of Python that `translation` says in other languages."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.languages.language import Options, Ran
from glassnet.export.languages.tracing import Tracer, traced
from glassnet.export.languages.translation import Dialect, in_dialect
from glassnet.export.model import Member, Model
from glassnet.export.steps import STEPS


class Program(NamedTuple):
    """Constants by name, and the functions that use them.

    The one named by `outputs_name` gives the outputs for a row x; ``label_numbers``, of a classifier, the
    number of each answer's label. Weights stand by rows, one for each output of a layer.
    """

    constants: Mapping[str, Floats]
    functions: tuple[ast.FunctionDef, ...]


def promises(model: Model, options: Options) -> float:
    """What files promise that round as they go, see `Language.promises`."""
    return 1e-12 if model.dtype == np.float64 and options.precision == "float64" else 1e-4


def outputs_name(model: Model) -> str:
    """The name of the function that gives the outputs."""
    return "predict_proba" if model.is_classifier else "predict"


def program_of(model: Model, by_entries: bool = True) -> Program:
    """A model as a program; with `by_entries`, functions of one number are applied in loops."""
    constants: dict[str, Floats] = {}
    ends: list[list[str]] = []
    for number, member in enumerate(model.members, 1):
        suffix = f"_{number}" if len(model.members) > 1 else ""
        ends.append(_member(model, member, suffix, constants, by_entries))
    texts = []
    if len(ends) == 1:
        texts.append(_function(outputs_name(model), ends[0]))
    else:
        texts += [_function(f"member_{number}", lines) for number, lines in enumerate(ends, 1)]
        mean = [
            f"mean = averaged(mean, member_{number}(x), {number}.0)" for number in range(2, len(ends) + 1)
        ]
        texts.append(_function(outputs_name(model), ["mean = member_1(x)", *mean, "return mean"]))
    if model.is_classifier:
        places = [f"label_number(p, {answer.start}, {answer.stop})" for answer in model.answers]
        lines = ["p = predict_proba(x)", f"return [{', '.join(places)}]"]
        texts.append(_function("label_numbers", lines, "list[int]"))
    functions = ast.parse("\n".join(texts)).body
    return Program(constants, tuple(node for node in functions if isinstance(node, ast.FunctionDef)))


def _function(name: str, lines: list[str], kind: str = "list[float]") -> str:
    return "\n    ".join([f"def {name}(x: list[float]) -> {kind}:", *lines])


def _member(
    model: Model, member: Member, suffix: str, constants: dict[str, Floats], by_entries: bool
) -> list[str]:
    def each(name: str) -> list[str]:
        if name == "identity":
            return []
        if by_entries:
            return ["for i in range(len(h)):", f"    h[i] = {name}(h[i])"]
        return [f"h = {name}(h)"]

    def constant(name: str, values: Any) -> str:
        constants[f"{name}{suffix}"] = np.asarray(values, np.float64)
        return f"{name}{suffix}"

    lines = _inputs(member)
    functions = [record.name for record in member.network.hidden]
    theta = member.theta
    for layer, (W, b) in enumerate(zip(theta.weights, theta.biases, strict=True), 1):
        lines.append(f"h = dense(h, {constant(f'W{layer}', W.T)}, {constant(f'B{layer}', b)})")
        if layer <= len(functions):
            lines += each(functions[layer - 1])
    if model.link in ("softmax", "softmaxes"):
        start = 0
        for width in model.softmaxes or (member.network.sizes[-1],):
            lines.append(f"h = softmax(h, {start}, {start + width})")
            start += width
    else:
        lines += each(model.link)
    if model.pair:
        lines.append("h = both(h)")
    if member.mean is not None and member.scale is not None:
        lines.append(f"h = scaled(h, {constant('SCALE', member.scale)}, {constant('MEAN', member.mean)})")
    return [*lines, "return h"]


def _inputs(member: Member) -> list[str]:
    """The statements that make a network's inputs of the row x."""
    tracer = Tracer()
    terms = []
    for column in member.columns:
        term = tracer.term("name", f"x[{column.feature}]")
        for step in column.steps:
            term = STEPS[step.name](tracer, term, *step.numbers)
        terms.append(term)
    statements, inputs = traced(terms, "v")
    return [*map(ast.unparse, statements), f"h = [{', '.join(map(ast.unparse, inputs))}]"]


# ---- What every file says beside its functions ---------------------------------------------------


def networks_of(model: Model) -> str:
    """A model's networks in words."""
    return " and ".join(dict.fromkeys(str(member.network) for member in model.members))


def description(model: Model, first: int = 0) -> list[str]:
    """What goes in and what comes out, a line each; names are quoted, so that no line can be left."""
    lines = [
        f"{networks_of(model)}, from glassnet.",
        "",
        "Inputs, NaN where one is missing:",
    ]
    for place, feature in enumerate(model.features, first):
        what = ""
        if feature.categories is not None:
            what = (
                f": the place, from 0, of its text in {json.dumps(feature.categories)}, -1 for another text"
            )
        elif feature.date:
            what = ": microseconds since 1970-01-01"
        lines.append(f"  x[{place}] {json.dumps(feature.name)}{what}")
    lines += ["", "Probabilities:" if model.is_classifier else "Outputs:"]
    lines += [f"  [{place}] {json.dumps(name)}" for place, name in enumerate(model.output_names, first)]
    return lines


def commented(model: Model, sign: str, first: int = 0) -> str:
    """The description as lines of comment; entries of a vector are counted from `first`."""
    return "\n".join(f"{sign} {line}".rstrip() for line in description(model, first))


def require_unused(name: str, functions: Iterable[str]) -> None:
    """InputError for a name that the file's functions use for something else."""
    if any(re.search(rf"\b{name}\b", text) for text in functions):
        raise InputError(f"The file has another use of the name {name!r}. Choose another name.")


class Texts(NamedTuple):
    """The names of the features, the categories of those that have some, and the labels of each answer."""

    features: list[str]
    categories: list[tuple[str, list[str]]]
    classes: list[list[Any]]


def texts_of(model: Model) -> Texts:
    """A model's texts as plain Python has them; labels are texts, numbers and truths."""
    return Texts(
        [str(feature.name) for feature in model.features],
        [(str(f.name), list(map(str, f.categories))) for f in model.features if f.categories is not None],
        [list(map(_plain, answer.labels)) for answer in model.answers if answer.labels],
    )


def _plain(label: object) -> str | int | float | bool:
    """A label that every language has; of other kinds, such as dates, its text."""
    own = label.item() if isinstance(label, np.generic) else label
    if isinstance(own, float) and not np.isfinite(own):
        return str(own)
    return own if isinstance(own, str | int | float | bool) else str(label)


def quoted(text: str, escape: Callable[[int], str]) -> str:
    """A text in quotes, in letters that every language takes as they are; others by their code."""
    plain = (c if c.isascii() and c.isprintable() and c not in '"\\' else escape(ord(c)) for c in text)
    return f'"{"".join(plain)}"'


class Tables(NamedTuple):
    """How a language says a file's constants.

    text : a text, or a label.
    features, classes, numbers : how the names of the features, the labels of the answers and an array of
        numbers begin, this one with its name and its size.
    row : the labels of an answer.
    categories : how the texts of the features' categories, by their names, begin; "" for none.
    end : the last line of each.
    """

    text: Callable[[Any], str]
    features: str
    classes: str
    numbers: str
    row: str = "[{0}]"
    categories: str = ""
    end: str = "];"


def parts_of(model: Model, dialect: Dialect, tables: Tables, predict: str) -> list[str]:
    """What a file of functions has: its constants, its functions and, of a classifier, `predict`."""
    program = program_of(model)
    functions = in_dialect(program.functions, dialect)
    return [tables_of(model, program.constants, tables), *functions, *[predict] * model.is_classifier]


def tables_of(model: Model, constants: Mapping[str, Floats], say: Tables) -> str:
    """The constants of a file, and its texts."""
    texts = texts_of(model)
    classes = (say.row.format(", ".join(map(say.text, labels))) for labels in texts.classes)
    lines = wrapped(say.features, map(say.text, texts.features), say.end)
    if say.categories:
        known = (f"{say.text(name)}: {say.text(categories)}" for name, categories in texts.categories)
        lines += wrapped(say.categories, known, "}" + say.end[1:])
    lines += wrapped(say.classes, classes, say.end)
    for name, values in constants.items():
        head = say.numbers.format(name, values.size)
        lines += wrapped(head, map(repr, values.ravel().tolist()), say.end)
    return "\n".join(lines)


def file_of(parts: Iterable[str]) -> bytes:
    """A file of parts, with a line between two."""
    return ("\n\n".join(parts) + "\n").encode()


def wrapped(head: str, items: Iterable[str], end: str, goes_on: str = "") -> list[str]:
    """Items between a head and an end, in lines; none where there are no items. `goes_on` ends those that
    go on."""
    lines, line = [head + goes_on], "   "
    for item in items:
        if len(line) + len(item) > 100 and line.strip():
            lines.append(line + goes_on)
            line = "   "
        line += f" {item},"
    return [*lines, line + goes_on, end] if line.strip() else []


def ran(model: Model, rows: Any) -> Ran:
    """What a file gave, from rows of its outputs and, of a classifier, then its labels' numbers."""
    numbers = np.array(rows, np.float64).reshape(
        -1, model.n_outputs + len(model.answers) * model.is_classifier
    )
    outputs = numbers[:, : model.n_outputs]
    return Ran(outputs, numbers[:, model.n_outputs :].astype(np.intp) if model.is_classifier else None)
