"""JavaScript: one ES module."""

from __future__ import annotations

import json

from glassnet.export.languages.language import Language, Options
from glassnet.export.languages.program import Tables, commented, file_of, parts_of, promises
from glassnet.export.languages.running import Filter
from glassnet.export.languages.translation import Dialect
from glassnet.export.model import Model

_HEAD = "function {0}({1}) {{"

_DIALECT = Dialect(
    calls={
        **{name: f"Math.{name}({{0}})" for name in ("abs", "exp", "floor", "log", "tanh")},
        "inf": "Infinity",
        "isnan": "Number.isNaN({0})",
        "len": "{0}.length",
        "nan": "NaN",
    },
    head=_HEAD,
    public=f"export {_HEAD}",
    vectors=("[{0}]", "new Array({0}).fill(0)"),
    first="let {0} = {1};",
    loop="for (let {0} = {1}; {0} < {2}; {0}++) {{",
)

_TABLES = Tables(
    json.dumps,
    features="export const FEATURES = [",
    classes="export const CLASSES = [",
    numbers="const {0} = [",
    categories="export const CATEGORIES = {",
)

_PREDICT = """\
// The label.
export function predict(x) {
    return CLASSES[0][label_numbers(x)[0]];
}"""
_PREDICT_SEVERAL = """\
// The label of each answer.
export function predict(x) {
    return label_numbers(x).map((number, answer) => CLASSES[answer][number]);
}"""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    predict = _PREDICT if len(model.answers) == 1 else _PREDICT_SEVERAL
    return file_of([commented(model, "//"), *parts_of(model, _DIALECT, _TABLES, predict)])


_FILTER = Filter(
    "net.mjs",
    {
        "filter.mjs": """\
import { readFileSync, writeSync } from "node:fs";
import * as net from "./net.mjs";
const values = new Float64Array(new Uint8Array(readFileSync(0)).buffer);
const found = [];
for (let start = 0; start < values.length; start += INPUTS) {
    const x = values.subarray(start, start + INPUTS);
    found.push(...net.OUTPUTS(x)LABELS);
}
const bytes = new Uint8Array(new Float64Array(found).buffer);
for (let sent = 0; sent < bytes.length; ) sent += writeSync(1, bytes, sent);
"""
    },
    ", ...net.label_numbers(x)",
    ["node filter.mjs"],
)

LANGUAGE = Language(".js", "JavaScript, an ES module", write, _FILTER.run, promises)
