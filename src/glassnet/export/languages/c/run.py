"""Compiling exported files and running them on rows."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.languages.language import MissingToolError, Options, Ran
from glassnet.export.model import Model

# Rows and answers as plain numbers in the machine's order, so that no bit is lost on the way.
_MAIN = """
#include <stdio.h>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif
int main(void) {
#ifdef _WIN32
  _setmode(_fileno(stdin), _O_BINARY);
  _setmode(_fileno(stdout), _O_BINARY);
#endif
  return CALLS;
}
"""
_RUN = """
#include <stdio.h>
static int N_run(void) {
  double x[N_INPUTS], y[WIDTH];
  int row, i, labels[LABELS + 1];
  for (row = 0; row < ROWS; ++row) {
    if (fread(x, sizeof *x, N_INPUTS, stdin) != N_INPUTS) return 1;
    CALL
    for (i = 0; i < LABELS; ++i) y[N_OUTPUTS + i] = labels[i];
    if (fwrite(y, sizeof *y, WIDTH, stdout) != WIDTH) return 1;
  }
  return 0;
}
"""


class Exported(NamedTuple):
    """An exported file's text, with its model and options, and rows (n, features) to run it on."""

    text: str
    model: Model
    options: Options
    values: Floats

    @property
    def labels(self) -> int:
        """How many numbers of labels a row gives."""
        return len(self.model.answers) * self.model.is_classifier

    @property
    def widths(self) -> tuple[int, int, int]:
        """How many outputs, numbers of labels and derivatives a row gives."""
        outputs = self.model.n_outputs
        derivatives = outputs * len(self.model.features) if self.options.settings.get("gradient") else 0
        return outputs, self.labels, derivatives


def run(path: Path, model: Model, options: Options, values: Floats) -> Ran:
    """What the compiled file gives for rows."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise MissingToolError("a C compiler (cc, gcc or clang) is not installed")
    return run_all([compiler, "-O2"], [Exported(path.read_text("utf-8"), model, options, values)])[0]


def run_all(
    compiler: Sequence[str], exported: Sequence[Exported], emulator: Sequence[str] = ()
) -> list[Ran]:
    """The same of several files in one program, by a compiler with its flags, and under an emulator."""
    texts = [one.text + _harness(one) for one in exported]
    calls = " || ".join(f"{one.options.name}_run()" for one in exported)
    with TemporaryDirectory() as folder:
        source, program = Path(folder) / "source.c", Path(folder) / "program"
        source.write_text("\n".join(texts) + _MAIN.replace("CALLS", calls), "utf-8")
        command = [*compiler, "-o", str(program), str(source), "-lm"]
        built = subprocess.run(command, capture_output=True, text=True)
        if built.returncode:
            raise InputError(f"The exported file does not compile:\n{built.stderr.strip()[:2000]}")
        data = b"".join(np.ascontiguousarray(one.values, np.float64).tobytes() for one in exported)
        done = subprocess.run([*emulator, str(program)], input=data, capture_output=True, check=True)
    found, rest = [], np.frombuffer(done.stdout, np.float64)
    for one in exported:
        width = sum(one.widths)
        rows, rest = np.split(rest, [len(one.values) * width])
        found.append(_ran(one, rows.reshape(-1, width)))
    return found


def _harness(one: Exported) -> str:
    call = "N_predict(x, y);"
    if one.labels:
        call = "N_predict_proba(x, y);"
        call += " labels[0] = N_predict(x);" if one.labels == 1 else " N_predict(x, labels);"
    if one.widths[2]:
        call += " N_gradient(x, y + N_OUTPUTS + LABELS);"
    call = call.replace("LABELS", str(one.labels))
    text = _RUN.replace("ROWS", str(len(one.values))).replace("LABELS", str(one.labels))
    text = text.replace("WIDTH", str(sum(one.widths)))
    return text.replace("CALL", call).replace("N_", f"{one.options.name}_")


def _ran(one: Exported, rows: Floats) -> Ran:
    outputs, numbers, derivatives = np.split(rows, np.cumsum(one.widths)[:-1], axis=1)
    return Ran(
        outputs.astype(np.float64 if one.model.wide else one.model.dtype),
        numbers.astype(np.intp) if one.labels else None,
        derivatives.reshape(len(rows), one.model.n_outputs, -1) if derivatives.size else None,
    )
