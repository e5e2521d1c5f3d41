"""Rust: one module, without crates."""

from __future__ import annotations

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
    quoted,
    tables_of,
)
from glassnet.export.languages.running import done, filtered, tool
from glassnet.export.languages.translation import Dialect, in_dialect
from glassnet.export.model import Model

_TAKEN = {"vector": "&[f64]", "number": "f64", "place": "usize"}
_GIVEN = {"vector": "Vec<f64>", "number": "f64", "place": "usize", "places": "Vec<usize>"}


def _function(name: str, arguments: Sequence[tuple[str, str]], kind: str) -> str:
    taken = ", ".join(f"{argument}: {_TAKEN[kind]}" for argument, kind in arguments)
    return f"{'pub ' if name in PUBLIC else ''}fn {name}({taken}) -> {_GIVEN[kind]} {{"


_DIALECT = Dialect(
    calls={
        **{name: f"f64::{name}({{0}})" for name in ("abs", "exp", "floor", "tanh")},
        "inf": "f64::INFINITY",
        "isnan": "f64::is_nan({0})",
        "len": "{0}.len()",
        "log": "f64::ln({0})",
        "nan": "f64::NAN",
    },
    choose="(if {0} {{ {1} }} else {{ {2} }})",
    vectors=("vec![{0}]", "vec![0.0; {0}]"),
    places="vec![{0}]",
    function=_function,
    first="let mut {0} = {1};",
    loop="for {0} in {1}..{2} {{",
    when="if {0} {{",
    comment="///",
    passed="&{0}",
)


def _text(text: object) -> str:
    return quoted(str(text), lambda code: f"\\u{{{code:x}}}")


_TABLES = Tables(
    _text,
    features="pub static FEATURES: &[&str] = &[",
    classes="pub static CLASSES: &[&[&str]] = &[",
    numbers="static {0}: [f64; {1}] = [",
    row="&[{0}]",
)

_PREDICT = """\
/// The label of each answer, as text.
pub fn predict(x: &[f64]) -> Vec<&'static str> {
    label_numbers(x).iter().zip(CLASSES).map(|(&number, labels)| labels[number]).collect()
}"""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    program = program_of(model)
    functions = in_dialect(program.functions, _DIALECT) + [_PREDICT] * model.is_classifier
    allowed = "#![allow(dead_code, non_snake_case, unused_mut, unused_parens)]"
    tables = tables_of(model, program, _TABLES)
    return file_of([commented(model, "//"), allowed, *tables, *functions])


_FILTER = """\
use std::io::{{Read, Write}};
#[path = {path}]
mod net;
fn main() {{
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let values: Vec<f64> =
        bytes.chunks(8).map(|part| f64::from_le_bytes(part.try_into().unwrap())).collect();
    let mut written = std::io::BufWriter::new(std::io::stdout());
    for x in values.chunks({inputs}) {{
        for y in net::{outputs}(x) {{
            written.write_all(&y.to_le_bytes()).unwrap();
        }}
        {numbers}
    }}
}}
"""
_NUMBERS = """for number in net::label_numbers(x) {
            written.write_all(&(number as f64).to_le_bytes()).unwrap();
        }"""


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Compile the file by rustc, and run it."""
    rustc = tool("rustc")
    with tempfile.TemporaryDirectory() as folder:
        text = _FILTER.format(
            path=_text(path.resolve()),
            inputs=len(model.features),
            outputs=outputs_name(model),
            numbers=_NUMBERS if model.is_classifier else "",
        )
        Path(folder, "filter.rs").write_text(text, "utf-8")
        done([rustc, "--edition", "2021", "filter.rs", "-o", "filter"], folder)
        return filtered([Path(folder, "filter")], folder, model, values)


LANGUAGE = Language(".rs", "Rust", write, run, promises)
