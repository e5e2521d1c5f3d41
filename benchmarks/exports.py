"""Whether exported networks keep their promises, how fast one row goes in C, and how many bytes it takes.

``python -m benchmarks.exports`` writes a network for each activation, output and precision, of a drawn
shape, compiles them with every compiler that the machine has, and compares each on 100,000 rows
(``--rows``), hard ones among them, with what the engine gives. Then it times one row of 64-100-10 by
`predict_proba`, by the file in C and by ONNX Runtime, and prints the bytes of 2-3-2 and 24-8-2. At last it
runs the networks in every other language, on a tenth of the rows. It says which tools the
machine lacks.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

import glassnet as gn
from benchmarks.record import describe_machine, machine_line
from glassnet import native
from glassnet.data.fixed_order import Floats
from glassnet.errors import MissingLibraryError
from glassnet.export.languages import MODULES, language_of
from glassnet.export.languages.c.run import Exported, run_all
from glassnet.export.languages.c.write import write
from glassnet.export.languages.language import MissingToolError, Options
from glassnet.export.model import Column, Feature, Member, Model, hard_rows
from glassnet.export.sources.runs import answers_of
from glassnet.export.verification import distance
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import OUTPUTS

STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")
SIZES = (0, 0, 0, 1, 2, -9, -153, -308, -320, 37, 153, 300)
"""Powers of ten of the drawn numbers: from subnormal to nearly infinite ones."""


class Tool(NamedTuple):
    """A compiler with its flags, what runs its programs, and the share of rows that it is given."""

    command: tuple[str, ...]
    emulator: tuple[str, ...] = ()
    share: float = 1.0

    @property
    def lacks(self) -> list[str]:
        """What of it the machine does not have."""
        return [name for name in (self.command[0], *self.emulator[:1]) if not shutil.which(name)]


TOOLS = [
    *(
        Tool((compiler, "-std=c99", *flags))
        for compiler in ("gcc", "clang")
        for flags in (("-O0",), ("-O3", "-march=native"), ("-O3", "-march=native", "-ffp-contract=fast"))
    ),
    Tool(("g++", "-std=c++11", "-x", "c++", "-O2")),
    Tool(("aarch64-linux-gnu-gcc", "-std=c99", "-static", "-O3"), ("qemu-aarch64-static",), 0.02),
    Tool(("gcc", "-std=c99", "-O2", "-D__NEWLIB__=4")),  # with a fused multiply-add of the file's own
    Tool(("arm-linux-gnueabihf-gcc", "-std=c99", "-static", "-O2"), ("qemu-arm-static",), 0.02),
]


def models(rows: int) -> Iterator[tuple[Model, Floats]]:
    """A network for each activation, output and precision, with rows to run it on."""
    random = np.random.default_rng(0)
    for number, (name, output, dtype) in enumerate(product(ACTIVATIONS, OUTPUTS, ("float64", "float32"))):
        inputs, *hidden, outputs = random.integers(2, 9, random.integers(3, 6)).tolist()
        network = gn.Network((inputs, *hidden, outputs), hidden=name, output=output)
        theta = network.initialize(number, dtype=dtype)
        odd = random.random(theta.flat.size) < 0.05
        theta.flat[odd] *= 10.0 ** random.choice([-30, -37, -300, 2], odd.sum())
        names = [f"x{place}" for place in range(inputs)]
        columns = tuple(Column(name, place, ()) for place, name in enumerate(names))
        model = Model(
            tuple(map(Feature, names)), (Member(columns, network, theta),), answers_of(network, None)
        )
        powers = [power for power in SIZES if dtype == "float64" or abs(power) < 38]
        values = random.standard_normal((rows, inputs)) * 10.0 ** random.choice(powers, (rows, inputs))
        values = np.vstack([hard_rows(model), values])
        yield model, values[model.finite(values)][:rows]


def in_c(rows: int) -> Iterator[Exported]:
    """The networks in C."""
    for number, (model, values) in enumerate(models(rows)):
        options = Options(f"net{number}", model.dtype.name, "bits", {})
        yield Exported(write(model, options).decode(), model, options, values)


class Found(NamedTuple):
    """Rows that a tool's programs were run on, those with other bits, and the seconds."""

    rows: int = 0
    wrong: int = 0
    seconds: float = 0.0

    def with_group(self, tool: Tool, group: Sequence[Exported]) -> Found:
        """With those of some more networks, in one program."""
        began, rows, wrong = time.perf_counter(), self.rows, self.wrong
        some = [
            one._replace(values=one.values[: max(50, int(len(one.values) * tool.share))]) for one in group
        ]
        for one, ran in zip(some, run_all([*tool.command, *STRICT], some, tool.emulator), strict=True):
            expected = one.model.outputs(one.values)
            rows += len(one.values)
            equal = (expected == ran.outputs) & (np.signbit(expected) == np.signbit(ran.outputs))
            wrong += int((~(equal | (np.isnan(expected) & np.isnan(ran.outputs)))).any(axis=1).sum())
        return Found(rows, wrong, self.seconds + time.perf_counter() - began)


def network_run(*sizes: int) -> gn.TrainingRun:
    """A run of a network that was hardly trained."""
    random = np.random.default_rng(0)
    X, y = random.standard_normal((200, sizes[0])), np.arange(200) % sizes[-1]
    return gn.train(gn.Network(sizes), X, y, iterations=5, random_state=0)


LOOP = """
#include <stdio.h>
#include <time.h>
int main(void) {
  static double x[N_INPUTS], p[N_OUTPUTS];
  struct timespec from, to;
  double best = 1e30, sum = 0;
  int round, i;
  for (round = 0; round < 20; ++round) {
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < 2000; ++i) {
      x[i % N_INPUTS] = i * 1e-3;
      N_predict_proba(x, p);
      sum += p[0];
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    const double seconds = (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
    best = seconds < best ? seconds : best;
  }
  printf("%g %g", best / 2000, sum);
  return 0;
}
"""


def speeds(folder: Path) -> Iterator[tuple[str, float]]:
    """Seconds of one row of 64-100-10 by each way."""
    run, row = network_run(64, 100, 10), np.zeros((1, 64))
    yield "predict_proba", best_of(lambda: run.predict_proba(row))
    for mode, flags in product(("bits", "small"), (("-O2",), ("-O3", "-march=native"))):
        source, program = folder / "net.c", folder / "net"
        gn.export(run, source, mode=mode)
        source.write_text(
            "#define _POSIX_C_SOURCE 199309L\n" + source.read_text() + LOOP.replace("N_", "net_")
        )
        subprocess.run(["gcc", *flags, "-o", program, source, "-lm"], check=True)
        printed = subprocess.run([program], capture_output=True, text=True, check=True).stdout
        yield f"C, mode {mode}, gcc {' '.join(flags)}", float(printed.split()[0])
    try:
        import onnxruntime
    except ImportError:
        return
    gn.export(run, folder / "net.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(folder / "net.onnx"), options)
    name = session.get_inputs()[0].name
    yield "ONNX Runtime", best_of(lambda: session.run(None, {name: row}))


def best_of(call: Callable[[], object]) -> float:
    """The shortest time of a call among many."""
    times = []
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(500):
            call()
        times.append((time.perf_counter() - began) / 500)
    return min(times)


def sizes(folder: Path) -> Iterator[str]:
    """Bytes of code and constants, and of variables, without those of math.h."""
    compilers = [("gcc", "-Os"), ("arm-none-eabi-gcc", "-mcpu=cortex-m4", "-mthumb", "-Os")]
    for compiler, layers in product(compilers, ((2, 3, 2), (24, 8, 2))):
        if not shutil.which(compiler[0]):
            yield f"{compiler[0]}: not here"
            continue
        run, parts = network_run(*layers), []
        for mode, precision in (
            ("bits", "float64"),
            ("small", "float64"),
            ("small", "float32"),
            ("small", "int8"),
        ):
            gn.export(run, folder / "net.c", mode=mode, precision=precision)
            subprocess.run([*compiler, "-c", "-o", folder / "net.o", folder / "net.c"], check=True)
            found = subprocess.run(["size", folder / "net.o"], capture_output=True, text=True, check=True)
            text, data, bss = found.stdout.splitlines()[1].split()[:3]
            parts.append(f"{mode} {precision} {int(text):,} + {int(data) + int(bss):,}")
        yield f"{'-'.join(map(str, layers))} by {' '.join(compiler)}: {'; '.join(parts)}"


def others(rows: int, folder: Path) -> Iterator[str]:
    """The largest distance of each other language, over networks in each of its precisions."""
    networks = [(model, values[~model.overflows(values)]) for model, values in models(rows)]
    for suffix in MODULES:
        language, path = language_of(suffix), folder / f"net{suffix}"
        ways = [] if suffix == ".c" else product(language.modes, language.precisions)
        for mode, precision in ways:
            options, found = Options("net", precision, mode, language.settings), []
            began = time.perf_counter()
            try:
                for model, values in networks:
                    if model.dtype != precision:
                        continue
                    path.write_bytes(language.write(model, options))
                    ran, expected = language.run(path, model, options, values), model.outputs(values)
                    near = language.promises(model, options) or 0.0
                    apart = distance(expected, ran.outputs, model.numbers(expected), ran.numbers, near)
                    found.append(apart)
                error, labels = max(one.error for one in found), sum(one.labels for one in found)
                says = f"{sum(one.rows for one in found):,} rows, largest distance {error:.2g} of the "
                says += f"largest output, {labels:,} other labels ({time.perf_counter() - began:.0f} s)"
            except (MissingToolError, MissingLibraryError) as missing:
                says = f"not here: {missing}"
            yield f"{language.name}, {f'mode {mode}, ' if mode else ''}{precision}: {says}"


def main(arguments: list[str]) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exports", description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of each network")
    rows = parser.parse_args(arguments).rows
    isa = native.module.isas()[0] if native.module is not None else None
    print(machine_line(describe_machine(isa)))
    found = {tool: Found() for tool in TOOLS if not tool.lacks}
    networks = in_c(rows)
    while group := list(islice(networks, 12)):
        found = {tool: so_far.with_group(tool, group) for tool, so_far in found.items()}
    print("\nBits:")
    for tool in TOOLS:
        says = f"not here: {', '.join(tool.lacks)}"
        if tool in found:
            says = "{:,} rows, {:,} with other bits ({:.0f} s)".format(*found[tool])
        print(f"  {' '.join(tool.command)}: {says}")
    with tempfile.TemporaryDirectory() as folder:
        print("\nOne row of 64-100-10:")
        for way, seconds in speeds(Path(folder)):
            print(f"  {way}: {seconds * 1e6:.2f} us")
        print("\nBytes of code and constants + of variables:")
        for line in sizes(Path(folder)):
            print(f"  {line}")
        print("\nOther languages:")
        for line in others(rows // 10, Path(folder)):
            print(f"  {line}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
