"""The whole benchmark: workloads, memory and scaling by name, their files and their tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.classics import SEEDS, classics_table, measure_classics
from benchmarks.classics_chart import draw_classics
from benchmarks.drop_in import drop_in_table, measure_drop_in
from benchmarks.drop_in_speed import measure_speed, speed_table
from benchmarks.job import N_SAMPLES as SAMPLES
from benchmarks.memory import N_SAMPLES, judge_memory, memory_table
from benchmarks.peers import check_settings, choose_peers
from benchmarks.record import describe_machine
from benchmarks.scaling import measure_scaling
from benchmarks.scaling_chart import draw_samples, draw_widths
from benchmarks.solvers import measure_solvers, solvers_table
from benchmarks.solvers_chart import draw_solvers
from benchmarks.streaming import MEMORY as STREAMED_WITHIN
from benchmarks.streaming import measure_streaming, streaming_table
from benchmarks.streaming_chart import draw_streaming
from benchmarks.sweeps import measure_sweeps, sweeps_table
from benchmarks.sweeps_chart import draw_sweeps
from benchmarks.walk_forward import N_ROWS, check_rows, measure_walk_forward, walk_forward_table
from benchmarks.walk_forward_chart import draw_walk_forward
from benchmarks.workloads import WORKLOADS, run_workload
from benchmarks.workloads.chart import draw_workloads
from benchmarks.workloads.record import FORMAT, machine_line, target_table, workload_table
from glassnet import native
from glassnet.errors import FileError, InputError, InputTypeError, unknown_name
from glassnet.plots.libraries import require
from glassnet.utils.paths import as_path
from glassnet.utils.storage import atomic_write, results_folder, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORY, SCALING, SOLVING, DROP_IN = "memory", "scaling", "solvers", "drop-in"
WALK_FORWARD, CLASSICS, STREAMING = "walk-forward", "classics", "streaming"
SWEEPS = "sweeps"

JOBS: Mapping[str, str] = {
    **{name: workload.title for name, workload in WORKLOADS.items()},
    MEMORY: "the peak of memory over the data, in mini-batch training on 2,000,000 x 20 float32",
    SOLVING: "how soon each solver is where the notebook's 50,000 iterations end",
    CLASSICS: "a sine by 1-5-1 and parity by 3-10-10-1, 30 starts each, by each solver and its peers",
    SCALING: "what a sample costs over the width of the layers, and an iteration over the samples",
    STREAMING: "data of four times the memory: the most that training takes, and how near it is to reading",
    SWEEPS: "the notebook's grid of 25 networks, and 2,000 networks of 2-8-2",
    DROP_IN: "the estimators against scikit-learn's: 400 settings, the same numbers, how fast",
    WALK_FORWARD: "24 settings x 12 walk-forward folds x 20 epochs of 1.9 million rows x 31 features",
}
"""Every job besides the notebook's iteration, by name, and what it is."""

SETTINGS = 400
"""Settings of the estimators that are drawn."""

QUICK = 300
"""Samples of a workload for a quick look."""

QUICK_ROWS = 10_000
"""Rows of the walk-forward search for one."""


def run_suite(
    jobs: Iterable[str] | None = None,
    *,
    rounds: int = 7,
    seconds: float = 0.2,
    peers: Iterable[str] | None = None,
    output: str | PathLike[str] | None = None,
    quiet: bool = False,
    quick: bool = False,
    rows: int | None = None,
) -> dict[str, Any]:
    """Time jobs of `JOBS` in every library that is installed, once their answers agree.

    Parameters
    ----------
    jobs : names from `JOBS`; None is all of them.
    rounds, seconds, peers, quiet : as in `run_benchmark`.
    output : a folder. ``workloads.json`` and ``.png`` hold the workloads and the memory, those of an
        earlier run on the same machine too where this one does not measure them;
        ``solvers.json`` and ``.png`` the solvers; ``classics.json`` and ``.png`` the classics;
        ``streaming.json`` and ``.png`` data that do not fit;
        ``scaling.json``, ``scaling-widths.png`` and ``scaling-samples.png`` the curves, ``drop-in.json``
        the estimators, ``walk-forward.json`` and ``.png`` the search, ``sweeps.json`` and ``.png``
        the sweeps. None writes nothing.
    quick : tiny data, to see that all of it works; the times mean nothing, and the files are called
        ``quick-...``.
    rows : of the walk-forward search's table; None takes 1.9 million.

    Returns what was measured now: {"format", "machine", "workloads", "memory", "solvers", "classics",
    "scaling", "streaming", "drop_in", "walk_forward"}.

    Raises BenchmarkError for a contestant with a wrong answer, InputError and InputTypeError for
    settings that make no sense, FileError where `output` cannot be written.

    >>> from benchmarks import run_suite
    >>> found = run_suite(["small-gradient"], rounds=1, seconds=0.001, peers=[], quiet=True, quick=True)
    >>> result = found["workloads"]["small-gradient"]["precisions"]["float64"]
    >>> sorted({row["name"] for row in result["contestants"]})
    ['NumPy', 'glassnet']
    """
    names = choose_jobs(jobs)
    check_settings(rounds, seconds, N_SAMPLES)
    chosen = choose_peers(peers)
    with_peers = {peer.name for peer in chosen if peer.why_missing() is None}
    n_rows = check_rows((QUICK_ROWS if quick else N_ROWS) if rows is None else rows)
    folder = None if output is None else _folder(output)
    say = _silent if quiet else _progress
    machine = describe_machine(native.module.isas()[0] if native.module is not None else None)
    earlier = _earlier(folder, quick, machine)
    found: dict[str, Any] = {"format": FORMAT, "machine": machine, "workloads": {}}
    for name in names:
        if name in WORKLOADS:
            workload = WORKLOADS[name].shrunk(QUICK) if quick else WORKLOADS[name]
            found["workloads"][name] = run_workload(workload, chosen, rounds, seconds, say)
            if not quiet:
                print(workload_table(name, found["workloads"][name]))
        elif name == DROP_IN:
            say(DROP_IN)
            found["drop_in"] = {
                **measure_drop_in(10 if quick else SETTINGS, 1 if quick else 3, say),
                "speed": measure_speed(quick, say),
                "machine": machine,
            }
        elif name == MEMORY:
            say(MEMORY)
            found["memory"] = judge_memory(50_000 if quick else N_SAMPLES)
        elif name == CLASSICS:
            say(CLASSICS)
            record = measure_classics(with_peers, say, 2 if quick else SEEDS)
            found["classics"] = {**record, "machine": machine}
        elif name == SOLVING:
            say(SOLVING)
            record = measure_solvers(rounds, say, QUICK if quick else SAMPLES, sorted(with_peers))
            found["solvers"] = {**record, "machine": machine}
        elif name == SWEEPS:
            say(SWEEPS)
            found["sweeps"] = {**measure_sweeps(chosen, rounds, say, quick), "machine": machine}
        elif name == WALK_FORWARD:
            say(WALK_FORWARD)
            record = measure_walk_forward(chosen, rounds, seconds, say, n_rows, quick)
            found["walk_forward"] = {**record, "machine": machine}
        elif name == STREAMING:
            say(STREAMING)
            record = measure_streaming(rounds, say, 96 << 20 if quick else STREAMED_WITHIN)
            found["streaming"] = {**record, "machine": machine}
        else:
            found["scaling"] = {
                **measure_scaling(chosen, rounds, seconds, say, quick),
                "machine": machine,
            }
    if not quiet:
        _print(found)
    if folder is not None:
        _write(folder, found, earlier, "quick-" if quick else "", say)
    return found


def choose_jobs(jobs: Iterable[str] | None) -> list[str]:
    """The names, in the order of `JOBS`; None is all."""
    if jobs is None:
        return list(JOBS)
    if isinstance(jobs, str) or not isinstance(jobs, Iterable):
        raise InputTypeError(f"jobs is a list of names, not {jobs!r}. Choose from: {', '.join(JOBS)}.")
    wanted = list(jobs)
    for name in wanted:
        if name not in JOBS:
            raise unknown_name("job", name, JOBS)
    return [name for name in JOBS if name in wanted]


def _folder(output: str | PathLike[str]) -> Path:
    """Where the files go: whatever could be in the way of writing them says so before the work."""
    require("matplotlib.figure")
    path = as_path(output, "output")
    if path.suffix == ".json":
        raise InputError(f"output is {str(path)!r}; expected a folder, since there are several files.")
    results_folder(path)
    return path


def _earlier(folder: Path | None, quick: bool, machine: Mapping[str, Any]) -> dict[str, Any]:
    """The workloads of an earlier run on this machine, from which this one replaces what it measures."""
    path = None if folder is None or quick else folder / "workloads.json"
    if path is None or not path.exists():
        return {}
    try:
        document = json.loads(path.read_text())
        if (document["format"], document["machine"]) == (FORMAT, machine):
            return {"workloads": document["workloads"], "memory": document.get("memory")}
    except (ValueError, KeyError, TypeError) as error:
        raise FileError(
            f"{path} is no record of workloads ({error}). Move it away, or give another output."
        ) from error
    return {}


def _print(found: Mapping[str, Any]) -> None:
    if found["workloads"]:
        print(target_table(found["workloads"]))
        print()
    if "memory" in found:
        print(memory_table(found["memory"]))
        print()
    if "classics" in found:
        print(classics_table(found["classics"]))
        print()
    if "solvers" in found:
        print(solvers_table(found["solvers"]))
        print()
    if "scaling" in found:
        for part, x, value, bound, unit in (
            ("widths", "width", "us", "bound_us", "us per sample"),
            ("samples", "samples", "ms", "bound_ms", "ms per iteration"),
        ):
            print(f"scaling: {found['scaling'][part]['job']}, {unit}")
            for row in found["scaling"][part]["rows"]:
                cells = [f"{name} {number:.4g}" for name, number in row[value].items()]
                cells += [f"bound {row[bound]:.4g}"] if row[bound] is not None else []
                print(f"  {row[x]:>10,}  {', '.join(cells)}")
        print()
    if "streaming" in found:
        print(streaming_table(found["streaming"]))
        print()
    if "drop_in" in found:
        print(drop_in_table(found["drop_in"]))
        print(speed_table(found["drop_in"]["speed"]))
        print()
    if "sweeps" in found:
        print(sweeps_table(found["sweeps"]))
        print()
    if "walk_forward" in found:
        print(walk_forward_table(found["walk_forward"]))
        print()
    print(machine_line(found["machine"]))


def _write(
    folder: Path, found: dict[str, Any], earlier: Mapping[str, Any], prefix: str, say: Callable[[str], None]
) -> None:
    written = []

    def figure(name: str, drawn: Figure) -> None:
        with atomic_write(folder / name) as temporary:
            drawn.savefig(temporary, format="png")
        written.append(name)

    if found["workloads"] or "memory" in found:
        both = {**earlier.get("workloads", {}), **found["workloads"]}
        document = {
            "format": FORMAT,
            "machine": found["machine"],
            "workloads": {name: both[name] for name in WORKLOADS if name in both},
            "memory": found.get("memory", earlier.get("memory")),
        }
        write_json(folder / f"{prefix}workloads.json", document)
        written.append(f"{prefix}workloads.json")
        if document["workloads"]:
            figure(f"{prefix}workloads.png", draw_workloads(document))
    if "classics" in found:
        write_json(folder / f"{prefix}classics.json", found["classics"])
        written.append(f"{prefix}classics.json")
        figure(f"{prefix}classics.png", draw_classics(found["classics"]))
    if "solvers" in found:
        write_json(folder / f"{prefix}solvers.json", found["solvers"])
        written.append(f"{prefix}solvers.json")
        figure(f"{prefix}solvers.png", draw_solvers(found["solvers"]))
    if "scaling" in found:
        write_json(folder / f"{prefix}scaling.json", found["scaling"])
        written.append(f"{prefix}scaling.json")
        figure(f"{prefix}scaling-widths.png", draw_widths(found["scaling"]))
        figure(f"{prefix}scaling-samples.png", draw_samples(found["scaling"]))
    if "streaming" in found:
        write_json(folder / f"{prefix}streaming.json", found["streaming"])
        written.append(f"{prefix}streaming.json")
        figure(f"{prefix}streaming.png", draw_streaming(found["streaming"]))
    if "drop_in" in found:
        write_json(folder / f"{prefix}drop-in.json", found["drop_in"])
        written.append(f"{prefix}drop-in.json")
    if "sweeps" in found:
        write_json(folder / f"{prefix}sweeps.json", found["sweeps"])
        written.append(f"{prefix}sweeps.json")
        figure(f"{prefix}sweeps.png", draw_sweeps(found["sweeps"]))
    if "walk_forward" in found:
        write_json(folder / f"{prefix}walk-forward.json", found["walk_forward"])
        written.append(f"{prefix}walk-forward.json")
        figure(f"{prefix}walk-forward.png", draw_walk_forward(found["walk_forward"]))
    say(f"written into {folder}: {', '.join(written)}")


def _silent(line: str) -> None:
    pass


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
