"""The benchmark: the same work by everybody, timed once all agree on what comes out.

`run_benchmark` is the notebook's iteration, `run_suite` everything else.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from benchmarks.bound import measure_rates
from benchmarks.chart import draw_chart
from benchmarks.job import N_SAMPLES, BenchmarkError, Contestant, Job, UnavailableError, make_job
from benchmarks.peers import PEERS, PRECISIONS, Peer, check_settings, choose_peers
from benchmarks.record import isa_of, make_document, make_table
from benchmarks.suite import JOBS, run_suite
from benchmarks.timing import SETTLE, Entry, calibrate, check, time_rounds, true_losses
from glassnet.plots.libraries import require
from glassnet.utils.paths import as_path
from glassnet.utils.storage import atomic_write, results_folder, write_json

__all__ = ["JOBS", "PEERS", "BenchmarkError", "run_benchmark", "run_suite"]


def run_benchmark(
    *,
    rounds: int = 7,
    seconds: float = 0.2,
    peers: Iterable[str] | None = None,
    output: str | PathLike[str] | None = None,
    quiet: bool = False,
    n_samples: int = N_SAMPLES,
) -> dict[str, Any]:
    """Time one full-batch iteration of the notebook's job, by every library that is installed.

    Network 2-3-2, logistic and softmax, the summed cross-entropy of `n_samples` samples: gradient,
    update with momentum, loss recorded. First each contestant makes 20 iterations from the same
    start, and its losses are compared with the notebook's; then all are timed in turns.

    Parameters
    ----------
    rounds : how many times everybody's turn comes; the results are medians over them.
    seconds : how long a turn lasts, about.
    peers : names from `PEERS`; None is everybody. The notebook and glassnet always take part.
    output : a folder for ``iteration.json`` and ``iteration.png``, or a path that ends in .json, which
        the chart then stands beside; None writes nothing.
    quiet : print nothing; else progress goes to stderr and the table to stdout.

    Returns the document that is written as JSON. Raises BenchmarkError for a contestant whose losses
    are wrong, InputError and InputTypeError for settings that make no sense, FileError where
    `output` cannot be written.

    >>> from benchmarks import run_benchmark
    >>> found = run_benchmark(rounds=1, seconds=0.001, peers=["numpy"], quiet=True, n_samples=500)
    >>> found["contestants"][0]["name"], found["job"]["samples"]
    ("the notebook's NumPy", 500)

    ``benchmarks/README.md`` tells how it is measured and how the bound is counted.
    """
    check_settings(rounds, seconds, n_samples)
    chosen = choose_peers(peers)
    files = _files(output)
    say = _silent if quiet else _progress
    job = make_job(n_samples)
    contestants, missing = gather(chosen)
    entries = prepare_entries(job, contestants, missing, say)
    for entry in entries:
        calibrate(entry, seconds)
    rates: dict[str, list[dict[str, Any]]] = {}
    isa = next((isa for entry in entries if (isa := isa_of(entry))), None)

    def measure() -> None:
        if isa is None:
            return
        for precision in PRECISIONS:
            rates.setdefault(precision, []).append(measure_rates(isa, precision))

    time_rounds(entries, rounds, min(SETTLE, seconds), measure, say)
    document = make_document(job, entries, missing, rates, {"rounds": rounds, "seconds": seconds})
    if not quiet:
        print(make_table(document))
    if files is not None:
        write_json(files[0], document)
        _write_chart(files[1], document)
        say(f"written: {files[0]} and {files[1].name}")
    return document


def gather(peers: Sequence[Peer]) -> tuple[list[Contestant], list[tuple[str, str]]]:
    """The contestants of the peers that are installed, and the name and reason of those that are not."""
    contestants, missing = [], []
    for peer in peers:
        why = peer.why_missing()
        if why is None:
            contestants += peer.contestants()
        else:
            missing.append((peer.name, why))
    return contestants, missing


def prepare_entries(
    job: Job, contestants: Sequence[Contestant], missing: list[tuple[str, str]], say: Callable[[str], None]
) -> list[Entry]:
    """Everybody with the data in place and the losses compared; who cannot run goes to `missing`."""
    truth = {outputs: true_losses(job, outputs) for outputs in {who.outputs for who in contestants}}
    entries = []
    for who in contestants:
        try:
            runner = who.make(job)
        except UnavailableError as reason:
            missing.append((f"{who.name}, {who.precision}", str(reason)))
            continue
        entries.append(Entry(who, runner, check(who, runner, truth[who.outputs])))
        say(f"{who.title}: the same losses, to {entries[-1].error:.1g}")
    return entries


def _files(output: str | PathLike[str] | None) -> tuple[Path, Path] | None:
    """Where JSON and chart go: whatever could be in the way of writing them says so before the work."""
    if output is None:
        return None
    require("matplotlib.figure")
    path = as_path(output, "output")
    if path.suffix != ".json":
        path = path / "iteration.json"
    results_folder(path.parent)
    return path, path.with_suffix(".png")


def _write_chart(path: Path, document: dict[str, Any]) -> None:
    figure = draw_chart(document)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def _silent(line: str) -> None:
    pass


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
