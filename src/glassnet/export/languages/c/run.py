"""Compiling exported files and running them on rows."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np

from glassnet.data.fixed_order import Floats
from glassnet.export.languages.c.network import has_gradient
from glassnet.export.languages.language import MissingToolError, Options, Ran
from glassnet.export.languages.program import outputs_name, ran
from glassnet.export.languages.running import done
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
    def widths(self) -> tuple[int, int, int]:
        """How many outputs, numbers of labels and derivatives a row gives."""
        outputs, labels = self.model.n_outputs, len(self.model.answers) * self.model.is_classifier
        return outputs, labels, outputs * len(self.model.features) * has_gradient(self.options)


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
        done(command, folder)
        data = b"".join(one.values.astype(np.float64).tobytes() for one in exported)
        rest = np.frombuffer(done([*emulator, program], folder, data), np.float64)
    found = []
    for one in exported:
        plain, derivatives = sum(one.widths[:2]), one.widths[2]
        rows, rest = np.split(rest, [len(one.values) * (plain + derivatives)])
        rows = rows.reshape(-1, plain + derivatives)
        gradients = rows[:, plain:].reshape(len(rows), one.model.n_outputs, -1) if derivatives else None
        found.append(ran(one.model, rows[:, :plain])._replace(gradients=gradients))
    return found


def _harness(one: Exported) -> str:
    _, labels, derivatives = one.widths
    call = f"N_{outputs_name(one.model)}(x, y);"
    if labels:
        call += " labels[0] = N_predict(x);" if labels == 1 else " N_predict(x, labels);"
    if derivatives:
        call += " N_gradient(x, y + N_OUTPUTS + LABELS);"
    text = _RUN.replace("CALL", call).replace("ROWS", str(len(one.values)))
    text = text.replace("LABELS", str(labels)).replace("WIDTH", str(sum(one.widths)))
    return text.replace("N_", f"{one.options.name}_")
