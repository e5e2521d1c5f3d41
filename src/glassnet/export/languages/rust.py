"""Rust: one module, without crates."""

from __future__ import annotations

from glassnet.export.languages.language import Language, Options
from glassnet.export.languages.program import Tables, commented, file_of, parts_of, promises, quoted
from glassnet.export.languages.running import Filter
from glassnet.export.languages.translation import Dialect
from glassnet.export.model import Model

_HEAD = "fn {0}({1}) -> {2} {{"

_DIALECT = Dialect(
    calls={
        **{name: f"f64::{name}({{0}})" for name in ("abs", "exp", "floor", "tanh")},
        "inf": "f64::INFINITY",
        "isnan": "f64::is_nan({0})",
        "len": "{0}.len()",
        "log": "f64::ln({0})",
        "nan": "f64::NAN",
    },
    head=_HEAD,
    public=f"pub {_HEAD}",
    argument="{0}: {1}",
    types={"vector": "Vec<f64>", "number": "f64", "place": "usize", "places": "Vec<usize>"},
    taken={"vector": "&[f64]"},
    choose="(if {0} {{ {1} }} else {{ {2} }})",
    vectors=("vec![{0}]", "vec![0.0; {0}]"),
    places="vec![{0}]",
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

_ALLOWED = "#![allow(dead_code, non_snake_case, unused_mut, unused_parens)]"

_PREDICT = """\
/// The label of each answer, as text.
pub fn predict(x: &[f64]) -> Vec<&'static str> {
    label_numbers(x).iter().zip(CLASSES).map(|(&number, labels)| labels[number]).collect()
}"""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    return file_of([commented(model, "//"), _ALLOWED, *parts_of(model, _DIALECT, _TABLES, _PREDICT)])


_FILTER = Filter(
    "net.rs",
    {
        "filter.rs": """\
use std::io::{Read, Write};
mod net;
fn main() {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).unwrap();
    let values: Vec<f64> =
        bytes.chunks(8).map(|part| f64::from_le_bytes(part.try_into().unwrap())).collect();
    let mut written = std::io::BufWriter::new(std::io::stdout());
    for x in values.chunks(INPUTS) {
        for y in net::OUTPUTS(x) {
            written.write_all(&y.to_le_bytes()).unwrap();
        }
        LABELS
    }
}
"""
    },
    """for number in net::label_numbers(x) {
            written.write_all(&(number as f64).to_le_bytes()).unwrap();
        }""",
    ["rustc --edition 2021 filter.rs -o filter", "./filter"],
)

LANGUAGE = Language(".rs", "Rust", write, _FILTER.run, promises)
