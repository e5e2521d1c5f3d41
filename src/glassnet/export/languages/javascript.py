"""JavaScript: one ES module."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import Language, Options, Ran
from glassnet.export.languages.program import (
    PUBLIC,
    Tables,
    commented,
    file_of,
    outputs_name,
    program_of,
    promises,
    tables_of,
)
from glassnet.export.languages.running import filtered, tool
from glassnet.export.languages.translation import Dialect, in_dialect
from glassnet.export.model import Model


def _function(name: str, arguments: Sequence[tuple[str, str]], kind: str) -> str:
    head = "export function" if name in PUBLIC else "function"
    return f"{head} {name}({', '.join(argument for argument, _ in arguments)}) {{"


_DIALECT = Dialect(
    calls={
        **{name: f"Math.{name}({{0}})" for name in ("abs", "exp", "floor", "log", "tanh")},
        "inf": "Infinity",
        "isnan": "Number.isNaN({0})",
        "len": "{0}.length",
        "nan": "NaN",
    },
    vectors=("[{0}]", "new Array({0}).fill(0)"),
    function=_function,
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
// {0}.
export function predict(x) {{
    {1}
}}"""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    program = program_of(model)
    functions = in_dialect(program.functions, _DIALECT)
    if len(model.answers) == 1 and model.is_classifier:
        functions.append(_PREDICT.format("The label", "return CLASSES[0][label_numbers(x)[0]];"))
    elif model.is_classifier:
        each = "return label_numbers(x).map((number, answer) => CLASSES[answer][number]);"
        functions.append(_PREDICT.format("The label of each answer", each))
    return file_of([commented(model, "//"), *tables_of(model, program, _TABLES), *functions])


_FILTER = """\
import {{ readFileSync, writeSync }} from "node:fs";
import * as net from "./net.mjs";
const values = new Float64Array(new Uint8Array(readFileSync(0)).buffer);
const found = [];
for (let start = 0; start < values.length; start += {inputs}) {{
    const x = values.subarray(start, start + {inputs});
    found.push(...net.{outputs}(x){numbers});
}}
const bytes = new Uint8Array(new Float64Array(found).buffer);
for (let sent = 0; sent < bytes.length; ) sent += writeSync(1, bytes, sent);
"""


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the file by Node."""
    node = tool("node")
    numbers = ", ...net.label_numbers(x)" if model.is_classifier else ""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "net.mjs").write_bytes(path.read_bytes())
        text = _FILTER.format(inputs=len(model.features), outputs=outputs_name(model), numbers=numbers)
        Path(folder, "filter.mjs").write_text(text)
        return filtered([node, "filter.mjs"], folder, model, values)


LANGUAGE = Language(".js", "JavaScript, an ES module", write, run, promises)
