"""Java: one class, without libraries."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.language import Language, Options, Ran
from glassnet.export.languages.program import (
    Tables,
    commented,
    program_of,
    promises,
    quoted,
    require_unused,
    tables_of,
)
from glassnet.export.languages.running import Filter
from glassnet.export.languages.translation import Dialect, in_dialect
from glassnet.export.model import Model

_DIALECT = Dialect(
    calls={
        **{name: f"Math.{name}({{0}})" for name in ("abs", "exp", "floor", "log", "tanh")},
        "inf": "Double.POSITIVE_INFINITY",
        "isnan": "Double.isNaN({0})",
        "len": "{0}.length",
        "nan": "Double.NaN",
    },
    head="static {2} {0}({1}) {{",
    argument="{1} {0}",
    types={"vector": "double[]", "number": "double", "place": "int", "places": "int[]"},
    vectors=("new double[] {{{0}}}", "new double[{0}]"),
    places="new int[] {{{0}}}",
    first="var {0} = {1};",
    loop="for (int {0} = {1}; {0} < {2}; {0}++) {{",
)


def _text(text: object) -> str:
    return quoted(str(text), _escaped)


def _escaped(code: int) -> str:
    """A letter by its number: by eight below 128, because \\u is read before texts are."""
    if code < 128:
        return f"\\{code:03o}"
    units = np.frombuffer(chr(code).encode("utf-16-le", "surrogatepass"), "<u2")
    return "".join(f"\\u{unit:04x}" for unit in units)


_TABLES = Tables(
    _text,
    features="static final String[] FEATURES = {",
    classes="static final String[][] CLASSES = {",
    numbers="",
    row="{{{0}}}",
    end="};",
)

_NUMBERS = """\
static double[] numbers(String... texts) {
    var each = java.util.Arrays.stream(String.join(" ", texts).split(" "));
    return each.mapToDouble(Double::parseDouble).toArray();
}"""

_PREDICT = """\
// The label of each answer, as text.
static String[] predict(double[] x) {
    var numbers = label_numbers(x);
    var labels = new String[numbers.length];
    for (int i = 0; i < numbers.length; i++) {
        labels[i] = CLASSES[i][numbers[i]];
    }
    return labels;
}"""
_CHUNK = 1000
"""Numbers in one text, of which the compiler takes 65,535 letters."""


def write(model: Model, options: Options) -> bytes:
    """The file's bytes: ASCII, whatever the names and labels are."""
    program = program_of(model)
    lines = [tables_of(model, {}, _TABLES)]
    for name, values in program.constants.items():
        lines.append(f"static final double[] {name} = numbers(\n{_numbers(values.ravel().tolist())});")
    functions = [_NUMBERS, *in_dialect(program.functions, _DIALECT), *[_PREDICT] * model.is_classifier]
    require_unused(_class(options), functions)
    inside = textwrap.indent("\n\n".join(["\n".join(lines), *functions]), "    ")
    return f"{commented(model, '//')}\nclass {_class(options)} {{\n{inside}\n}}\n".encode("ascii")


def _numbers(values: Sequence[float]) -> str:
    """Numbers as texts: an array of as many constants would be too long a method."""
    texts = []
    for start in range(0, len(values), _CHUNK):
        chunk = list(map(repr, values[start : start + _CHUNK]))
        lines = (" ".join(chunk[n : n + 4]) for n in range(0, len(chunk), 4))
        texts.append(' "\n    + "'.join(lines).join('""'))
    return ",\n    ".join(texts)


def _class(options: Options) -> str:
    return options.name[0].upper() + options.name[1:]  # no word of the language


_FILTER = Filter(
    "Net.java",
    {
        "Filter$.java": """\
import java.io.*;
import java.nio.*;

class Filter$ {
    public static void main(String[] arguments) throws IOException {
        var bytes = ByteBuffer.wrap(java.lang.System.in.readAllBytes()).order(ByteOrder.LITTLE_ENDIAN);
        var values = bytes.asDoubleBuffer();
        var written = new DataOutputStream(new BufferedOutputStream(java.lang.System.out));
        double[] x = new double[INPUTS];
        while (values.hasRemaining()) {
            values.get(x);
            for (double y : NAME.OUTPUTS(x)) write(written, y);
            LABELS
        }
        written.flush();
    }

    static void write(DataOutputStream written, double number) throws IOException {
        written.writeLong(java.lang.Long.reverseBytes(java.lang.Double.doubleToLongBits(number)));
    }
}
"""
    },
    "for (double number : NAME.label_numbers(x)) write(written, number);",
    ["javac Net.java Filter$.java", "java -XX:TieredStopAtLevel=1 Filter$"],
)


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """Run the file by Java."""
    return _FILTER.run(path, model, options._replace(name=_class(options)), values)


LANGUAGE = Language(".java", "Java", write, run, promises)
