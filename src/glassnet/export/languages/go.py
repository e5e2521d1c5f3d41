"""Go: one package, without modules of others."""

from __future__ import annotations

from glassnet.export.languages.language import Language, Options
from glassnet.export.languages.program import (
    Tables,
    commented,
    file_of,
    parts_of,
    promises,
    quoted,
    require_unused,
)
from glassnet.export.languages.running import Filter
from glassnet.export.languages.translation import Dialect
from glassnet.export.model import Model

_NAMES = {"predict_proba": "PredictProba", "predict": "Predict", "label_numbers": "LabelNumbers"}

_DIALECT = Dialect(
    calls={
        **{name: f"math.{name.title()}({{0}})" for name in ("abs", "exp", "floor", "log", "tanh")},
        "inf": "math.Inf(1)",
        "isnan": "math.IsNaN({0})",
        "len": "len({0})",
        "nan": "math.NaN()",
    },
    names=_NAMES,
    head="func {0}({1}) {2} {{",
    argument="{0} {1}",
    types={"vector": "[]float64", "number": "float64", "place": "int", "places": "[]int"},
    choose="choose({0}, {1}, {2})",
    vectors=("[]float64{{{0}}}", "make([]float64, {0})"),
    places="[]int{{{0}}}",
    first="{0} := {1}",
    again="{0} = {1}",
    ret="return {0}",
    loop="for {0} := {1}; {0} < {2}; {0}++ {{",
    when="if {0} {{",
    own={
        "choose": """\
func choose(holds bool, a float64, b float64) float64 {
    if holds {
        return a
    }
    return b
}"""
    },
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

_PREDICT = """\
// Predict gives the label of each answer, as text.
func Predict(x []float64) []string {
    labels := []string{}
    for answer, number := range LabelNumbers(x) {
        labels = append(labels, Classes[answer][number])
    }
    return labels
}"""


_WORDS = (
    "_ break case chan const continue default defer else fallthrough for func go goto if import interface "
    "main map package range return select struct switch type var"
)
"""What a package of functions cannot be called."""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    require_unused(options.name, [_WORDS])
    parts = parts_of(model, _DIALECT, _TABLES, _PREDICT)
    imports = ['import "math"'] * any("math." in part for part in parts)
    return file_of([commented(model, "//"), f"package {options.name}", *imports, *parts])


_FILTER = Filter(
    "net/net.go",
    {
        "go.mod": "module exported\n",
        "filter.go": """\
package main

import (
    "bufio"
    "encoding/binary"
    "os"

    net "exported/net"
)

func main() {
    input, output := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
    defer output.Flush()
    x := make([]float64, INPUTS)
    for binary.Read(input, binary.LittleEndian, x) == nil {
        binary.Write(output, binary.LittleEndian, net.OUTPUTS(x))
        LABELS
    }
}
""",
    },
    """for _, number := range net.LabelNumbers(x) {
            binary.Write(output, binary.LittleEndian, float64(number))
        }""",
    ["go build -o filter .", "./filter"],
    _NAMES,
)

LANGUAGE = Language(".go", "Go", write, _FILTER.run, promises)
