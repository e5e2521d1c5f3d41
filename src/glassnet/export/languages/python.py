"""Python: with NumPy, or without any library."""

from __future__ import annotations

import ast
import re
import runpy
from pathlib import Path

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import Language, Options, Ran
from glassnet.export.languages.program import (
    Program,
    Tables,
    commented,
    file_of,
    outputs_name,
    program_of,
    promises,
    ran,
    tables_of,
)
from glassnet.export.languages.translation import Dialect, definitions, in_dialect, needed
from glassnet.export.model import Model

_HEAD = '@np.errstate(all="ignore")\ndef {0}({1}):'
_MATH = ("inf", "isnan", "log", "nan", "tanh")

_NUMPY = Dialect(
    calls={
        **{name: f"np.{name}({{0}})" for name in ("abs", "exp", "floor", "isnan", "log", "tanh")},
        "both": "np.hstack([1 - {0}, {0}])",
        "inf": "np.inf",
        "nan": "np.nan",
    },
    choose="np.where({0}, {1}, {2})",
    entry=lambda name, place: f"{name}[:, {place}]",
    vectors=("np.column_stack([{0}])", ""),
    places="np.column_stack([{0}])",
    head=_HEAD,
    public=f"{_HEAD}\n    x = np.asarray(x, float)",
    first="{0} = {1}",
    again="{0} = {1}",
    ret="return {0}",
    end="",
    comment="#",
    own={
        "averaged": "def averaged(mean, y, number):\n    return mean + (y - mean) / number",
        "dense": """\
def dense(h, W, b):
    return h @ W.reshape(len(b), -1).T + b""",
        "label_number": """\
def label_number(p, start, stop):
    if stop - start == 1:
        return np.where(p[:, start] > 0.5, 1, 0)
    return p[:, start:stop].argmax(axis=1)""",
        "scaled": "def scaled(y, scale, mean):\n    return y * scale + mean",
        "softmax": """\
def softmax(z, start, stop):
    e = np.exp(z[:, start:stop] - z[:, start:stop].max(axis=1, keepdims=True))
    return np.hstack([z[:, :start], e / e.sum(axis=1, keepdims=True), z[:, stop:]])""",
    },
)

_TABLES = Tables(
    ascii,
    features="FEATURES = [",
    classes="CLASSES = [",
    numbers="{0} = [",
    categories="CATEGORIES = {",
    end="]",
)

_PREDICT = '''\
def predict(x):
    """{0}"""
    return {1}'''

_RETURNED = {
    ("plain", True): "CLASSES[0][label_numbers(x)[0]]",
    ("plain", False): "[labels[number] for labels, number in zip(CLASSES, label_numbers(x))]",
    ("numpy", True): "np.array(CLASSES[0])[label_numbers(x)[:, 0]]",
    ("numpy", False): "np.column_stack([np.array(c)[n] for c, n in zip(CLASSES, label_numbers(x).T)])",
}


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    plain = options.mode == "plain"
    program = program_of(model, by_entries=plain)
    functions = _plain(program) if plain else in_dialect(program.functions, _NUMPY)
    if model.is_classifier:
        alone = len(model.answers) == 1
        what = "The label" if alone else "The label of each answer"
        of = "." if plain else ", for each row of x."
        functions.append(_PREDICT.format(what + of, _RETURNED[options.mode, alone]))
    tables, imports = [tables_of(model, program.constants, _TABLES)], "import numpy as np"
    if plain:
        names = [name for name in _MATH if re.search(rf"(?<!\.)\b{name}\b", "".join(functions))]
        imports = "import math" + (f"\nfrom math import {', '.join(names)}" if names else "")
    else:
        tables += ["\n".join(f"{name} = np.array({name})" for name in program.constants)]
    return file_of([commented(model, "#"), imports, *tables, *functions])


def _plain(program: Program) -> list[str]:
    names = needed(program.functions, _MATH)
    return [*(ast.unparse(definitions()[name]) for name in names), *map(ast.unparse, program.functions)]


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the file in this process."""
    functions = runpy.run_path(str(path))
    parts = [functions[name] for name in (outputs_name(model), "label_numbers")[: 1 + model.is_classifier]]
    if "np" in functions:
        return ran(model, np.hstack([part(values) for part in parts]))
    return ran(model, [[number for part in parts for number in part(row)] for row in values.tolist()])


LANGUAGE = Language(
    ".py",
    "Python",
    write,
    run,
    promises,
    modes=("numpy", "plain"),
)
