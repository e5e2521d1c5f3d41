"""Octave and MATLAB: a file with one function of rows."""

from __future__ import annotations

import re

from glassnet.export.languages.language import Language, Options
from glassnet.export.languages.program import (
    commented,
    file_of,
    program_of,
    promises,
    require_unused,
    texts_of,
    wrapped,
)
from glassnet.export.languages.running import Filter
from glassnet.export.languages.translation import Dialect, in_dialect
from glassnet.export.model import Model

_DIALECT = Dialect(
    calls={
        **{name: f"{name}({{0}})" for name in ("abs", "exp", "floor", "isnan", "log", "tanh")},
        "both": "[1 - {0}, {0}]",
        "inf": "Inf",
        "nan": "NaN",
    },
    choose="choose({0}, {1}, {2})",
    entry=lambda name, place: f"{name}(:, {int(place) + 1})",
    head="function result = {0}({1})",
    first="{0} = {1};",
    ret="result = {0};",
    end="end",
    comment="%",
    words={"*": ".*", "/": "./"},
    own={
        "averaged": """\
function result = averaged(mean, y, number)
    result = mean + (y - mean) / number;
end""",
        "choose": """\
% a where c holds, b elsewhere.
function result = choose(c, a, b)
    result = b + zeros(size(c));
    a = a + zeros(size(c));
    result(c) = a(c);
end""",
        "dense": """\
function result = dense(h, W, b)
    result = h * reshape(W, [], numel(b)) + b;
end""",
        "label_number": """\
function result = label_number(p, start, stop)
    if stop - start == 1
        result = 1 + (p(:, stop) > 0.5);
    else
        [~, result] = max(p(:, start + 1 : stop), [], 2);
    end
end""",
        "scaled": """\
function result = scaled(y, scale, mean)
    result = y .* scale + mean;
end""",
        "softmax": """\
function result = softmax(z, start, stop)
    part = z(:, start + 1 : stop);
    e = exp(part - max(part, [], 2));
    result = [z(:, 1 : start), e ./ sum(e, 2), z(:, stop + 1 : end)];
end""",
    },
)

_CLASSIFIER = """\
function [p, number, classes] = {name}(x)
    p = predict_proba(x);
    number = label_numbers(x);
    classes = {{ ...
{classes}
    }};
end"""

_REGRESSION = """\
function y = {name}(x)
    y = predict(x);
end"""


_WORDS = (
    "break case catch classdef continue do else elseif end endfunction endif endswitch endwhile for "
    "function global if otherwise parfor persistent return spmd switch try until unwind_protect while"
)
"""Words of Octave and MATLAB, which name no function."""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes."""
    program, texts = program_of(model, by_entries=False), texts_of(model)
    call = "p, number, classes" if model.is_classifier else "y"
    usage = [f"% [{call}] = {options.name}(x), for each row of x."]
    if model.is_classifier:
        usage.append("% p are probabilities; classes{a}(number(i, a)) is answer a of row i.")
        classes = [f"        {{{', '.join(map(_literal, labels))}}}, ..." for labels in texts.classes]
        first = _CLASSIFIER.format(name=options.name, classes="\n".join(classes))
    else:
        first = _REGRESSION.format(name=options.name)
    functions = in_dialect(program.functions, _DIALECT)
    constants = []
    for name, values in program.constants.items():
        numbers = wrapped("    result = [", map(repr, values.ravel().tolist()), "    ];", " ...")
        constants.append("\n".join([f"function result = {name}()", *numbers, "end"]))
    require_unused(options.name, [*functions, *constants, _WORDS])
    comment = "\n".join([*usage, "%", commented(model, "%", 1)])
    return file_of([comment, first, *functions, *constants])


def _literal(label: object) -> str:
    """A label as Octave and MATLAB have it, characters without a glyph by their number."""
    if isinstance(label, bool):
        return str(label).lower()
    if not isinstance(label, str):
        return repr(label)
    parts = re.findall(r"[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+", label)
    texts = [f"char({ord(part)})" if part < " " or part == "\x7f" else _quoted(part) for part in parts]
    return f"[{', '.join(texts)}]" if len(texts) > 1 else "".join(texts) or "''"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


_FILTER = Filter(
    "NAME.m",
    {
        "result.m": """\
x = reshape(fread(stdin, Inf, 'double', 0, 'ieee-le'), INPUTS, []).';
result = NAME(x);
LABELS
fwrite(stdout, result.', 'double', 0, 'ieee-le');
"""
    },
    "[~, number] = NAME(x); result = [result, number - 1];",
    ["octave-cli --norc --quiet result.m"],
)

LANGUAGE = Language(".m", "Octave and MATLAB", write, _FILTER.run, promises)
