"""Jobs by name: measured, printed, written as documents and charts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from benchmarks.contest import Say
from benchmarks.jobs import JOBS, MEASURED, MEMORY
from benchmarks.jobs.options import Options, check_settings, choose_say, output_folder, write_chart
from benchmarks.jobs.walk_forward import table_rows
from benchmarks.jobs.workloads import draw_workloads, run_workload, target_table, workload_table
from benchmarks.peers import choose_peers, names_in_order
from benchmarks.record import FORMAT, describe_machine, machine_line
from benchmarks.workloads import WORKLOADS
from glassnet import native
from glassnet.errors import FileError, InputError
from glassnet.utils.paths import as_path
from glassnet.utils.storage import write_json

QUICK = 300
"""Samples of a workload for a quick look."""


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
    output : a folder for a document and a chart of each job. ``workloads.json`` and ``.png`` hold the
        workloads and the memory, those of an earlier run on the same machine too where this one does not
        measure them; ``scaling`` has two charts, ``drop-in`` none. None writes nothing.
    quick : tiny data, to see that all of it works; the times mean nothing, and the files are called
        ``quick-...``.
    rows : of the walk-forward search's table; None takes 1.9 million.

    Returns what was measured now: {"format", "machine", "workloads", "memory", "solvers", "classics",
    "scaling", "streaming", "sweeps", "drop_in", "walk_forward"}.

    Raises BenchmarkError for a contestant with a wrong answer, InputError and InputTypeError for
    settings that make no sense, FileError where `output` cannot be written.

    >>> from benchmarks import run_suite
    >>> record = run_suite(["small-gradient"], rounds=1, seconds=0.001, peers=[], quiet=True, quick=True)
    >>> result = record["workloads"]["small-gradient"]["precisions"]["float64"]
    >>> sorted({row["name"] for row in result["contestants"]})
    ['NumPy', 'glassnet']
    """
    names = names_in_order("job", jobs, JOBS)
    check_settings(rounds, seconds)
    say = choose_say(quiet)
    options = Options(choose_peers(peers), rounds, seconds, say, quick, rows)
    table_rows(options)
    folder = None if output is None else _folder(output)
    machine = describe_machine(native.module.isas()[0] if native.module is not None else None)
    earlier = _earlier(folder, quick, machine)
    record: dict[str, Any] = {"format": FORMAT, "machine": machine, "workloads": {}}
    for name in names:
        if name in WORKLOADS:
            workload = WORKLOADS[name].shrunk(QUICK) if quick else WORKLOADS[name]
            record["workloads"][name] = run_workload(workload, options)
            if not quiet:
                print(workload_table(name, record["workloads"][name]))
            continue
        say(name)
        record[_key(name)] = MEASURED[name].measure(options)
        if name != MEMORY:
            record[_key(name)]["machine"] = machine
    if not quiet:
        tables = [target_table(record["workloads"])] if record["workloads"] else []
        tables += [MEASURED[name].table(record[_key(name)]) for name in names if name in MEASURED]
        print("\n\n".join([*tables, machine_line(machine)]))
    if folder is not None:
        _write(folder, record, earlier, "quick-" if quick else "", say)
    return record


def _key(name: str) -> str:
    return name.replace("-", "_")


def _folder(output: str | PathLike[str]) -> Path:
    path = as_path(output, "output")
    if path.suffix == ".json":
        raise InputError(f"output is {str(path)!r}; expected a folder, since there are several files.")
    output_folder(path)
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


def _write(
    folder: Path, record: Mapping[str, Any], earlier: Mapping[str, Any], prefix: str, say: Say
) -> None:
    written = []

    def write(stem: str, document: Mapping[str, Any], charts: Mapping[str, Any]) -> None:
        write_json(folder / f"{prefix}{stem}.json", document)
        written.append(f"{prefix}{stem}.json")
        for ending, draw in charts.items():
            written.append(f"{prefix}{stem}{ending}.png")
            write_chart(folder / written[-1], draw(document))

    if record["workloads"] or MEMORY in record:
        workloads = {**earlier.get("workloads", {}), **record["workloads"]}
        document = {
            "format": FORMAT,
            "machine": record["machine"],
            "workloads": {name: workloads[name] for name in WORKLOADS if name in workloads},
            "memory": record.get(MEMORY, earlier.get("memory")),
        }
        write("workloads", document, {"": draw_workloads} if workloads else {})
    for name, job in MEASURED.items():
        if name != MEMORY and _key(name) in record:
            write(name, record[_key(name)], job.charts)
    say(f"written into {folder}: {', '.join(written)}")
