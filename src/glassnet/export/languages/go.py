"""Go: one package, without modules of others."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import Language, Options, Ran
from glassnet.export.languages.program import (
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

_TYPES = {"vector": "[]float64", "number": "float64", "place": "int", "places": "[]int"}
_PUBLIC = {"predict_proba": "PredictProba", "predict": "Predict", "label_numbers": "LabelNumbers"}


def _function(name: str, arguments: Sequence[tuple[str, str]], kind: str) -> str:
    taken = ", ".join(f"{argument} {_TYPES[kind]}" for argument, kind in arguments)
    return f"func {_PUBLIC.get(name, name)}({taken}) {_TYPES[kind]} {{"


_DIALECT = Dialect(
    calls={
        **{name: f"math.{name.title()}({{0}})" for name in ("abs", "exp", "floor", "log", "tanh")},
        "inf": "math.Inf(1)",
        "isnan": "math.IsNaN({0})",
        "len": "len({0})",
        "nan": "math.NaN()",
        "predict_proba": "PredictProba({0})",
    },
    choose="choose({0}, {1}, {2})",
    vectors=("[]float64{{{0}}}", "make([]float64, {0})"),
    places="[]int{{{0}}}",
    function=_function,
    first="{0} := {1}",
    again="{0} = {1}",
    ret="return {0}",
    loop="for {0} := {1}; {0} < {2}; {0}++ {{",
    when="if {0} {{",
)


def _text(text: object) -> str:
    return quoted(str(text), lambda code: f"\\U{code:08x}" if code > 127 else f"\\x{code:02x}")


_TABLES = Tables(
    _text,
    features="var Features = []string{",
    classes="var Classes = [][]string{",
    numbers="var {0} = []float64{{",
    row="{{{0}}}",
    end="}",
)

_CHOOSE = """\
func choose(holds bool, a float64, b float64) float64 {
    if holds {
        return a
    }
    return b
}"""

_PREDICT = """\
// Predict gives the label of each answer, as text.
func Predict(x []float64) []string {
    labels := []string{}
    for answer, number := range LabelNumbers(x) {
        labels = append(labels, Classes[answer][number])
    }
    return labels
}"""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    program = program_of(model)
    functions = [_CHOOSE, *in_dialect(program.functions, _DIALECT), *[_PREDICT] * model.is_classifier]
    imports = ['import "math"'] * any("math." in text for text in functions)
    head = [commented(model, "//"), f"package {options.name}", *imports]
    return file_of([*head, *tables_of(model, program, _TABLES), *functions])


_FILTER = """\
package main

import (
    "bufio"
    "encoding/binary"
    "os"

    net "exported/net"
)

func main() {{
    input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
    defer output.Flush()
    x := make([]float64, {inputs})
    for binary.Read(input, binary.LittleEndian, x) == nil {{
        binary.Write(output, binary.LittleEndian, net.{outputs}(x))
        {numbers}
    }}
}}
"""
_NUMBERS = """for _, number := range net.LabelNumbers(x) {
            binary.Write(output, binary.LittleEndian, float64(number))
        }"""


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Compile the file by Go, and run it."""
    go = tool("go")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "net").mkdir()
        Path(folder, "net", "net.go").write_bytes(path.read_bytes())
        text = _FILTER.format(
            inputs=len(model.features),
            outputs=_PUBLIC[outputs_name(model)],
            numbers=_NUMBERS if model.is_classifier else "",
        )
        Path(folder, "filter.go").write_text(text)
        Path(folder, "go.mod").write_text("module exported\n")
        done([go, "build", "-o", "filter", "."], folder)
        return filtered([Path(folder, "filter")], folder, model, values)


LANGUAGE = Language(".go", "Go", write, run, promises)
