"""What a benchmark found, as a document for JSON and as a table to read."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bound import bound, phases, total
from benchmarks.job import N_SAMPLES, Job
from benchmarks.notebook import Notebook
from benchmarks.timing import CHECKED, TOLERANCE, Entry, ratio
from glassnet import native
from glassnet._version import __version__
from glassnet.utils.threads import thread_count

FORMAT = 1
"""The version of the document."""

# What the notebook's job has to reach on two threads: (precision, at least so many times the notebook).
FASTER = (("float64", 80.0), ("float32", 200.0))
NEAR_BOUND = 2.0

Rates = Mapping[str, Sequence[Mapping[str, float]]]
"""For each precision, what was measured to issue in each round."""


def make_document(
    job: Job,
    entries: Sequence[Entry],
    missing: Sequence[tuple[str, str]],
    rates: Rates,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything about a benchmark: job, machine, times, ratios, bound and targets."""
    n, cores = len(job.X), thread_count(None)
    notebook = next(entry for entry in entries if _is_baseline(entry))
    bounds = {precision: [bound(precision, n, found) for found in rates[precision]] for precision in rates}
    rows = []
    for entry in entries:
        who = entry.contestant
        threads = min(who.threads, cores)
        near = None
        if who.precision in bounds:
            near = ratio(entry.seconds, [b.on(threads) for b in bounds[who.precision]])
        rows.append(
            {
                "name": who.name,
                "peer": who.peer,
                "version": who.version,
                "precision": who.precision,
                "threads": who.threads,
                "note": who.note,
                "ms": 1e3 * entry.median,
                "times_faster_than_notebook": ratio(notebook.seconds, entry.seconds),
                "times_the_bound": near,
                "largest_difference_of_loss": entry.error,
                "iterations_per_slice": entry.iterations,
                "ms_of_rounds": [1e3 * seconds for seconds in entry.seconds],
            }
        )
    return {
        "format": FORMAT,
        "job": {
            "network": "2-3-2, logistic and softmax",
            "samples": n,
            "iteration": "full-batch gradient, update with momentum, loss recorded",
            "first_loss": Notebook(job).loss,
            "losses_compared": CHECKED,
            "tolerance": TOLERANCE,
        },
        "settings": dict(settings),
        "contestants": rows,
        "missing": [{"name": name, "reason": reason} for name, reason in missing],
        "bound": {
            precision: {
                "instructions_per_vector": asdict(total(precision)),
                "phases": [
                    {"name": p.name, **asdict(p.count), "what_for": p.why} for p in phases(precision)
                ],
                "samples_per_vector": int(rates[precision][0]["lanes"]),
                "ns_per_instruction": {
                    kind: 1e9 * float(np.median([found[kind] for found in rates[precision]]))
                    for kind in ("fma", "add", "divide", "mixed")
                },
                "ms_on_one_thread": 1e3 * float(np.median([b.seconds for b in found])),
                "set_by": found[-1].limit,
            }
            for precision, found in bounds.items()
        },
        "targets": judge(rows, n, cores),
        "machine": describe_machine(next((isa for e in entries if (isa := isa_of(e))), None)),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _is_baseline(entry: Entry) -> bool:
    return entry.contestant.peer == "numpy" and entry.contestant.precision == "float64"


def judge(rows: Sequence[Mapping[str, Any]], n_samples: int, cores: int) -> list[dict[str, Any]]:
    """The targets: what was wanted, what was measured, and whether that holds (None: not measured)."""

    def native_row(precision: str) -> Mapping[str, Any]:
        here = n_samples == N_SAMPLES and cores >= 2
        found = [
            row
            for row in rows
            if here and (row["name"], row["precision"], row["threads"]) == ("glassnet", precision, 2)
        ]
        return found[0] if found else {"times_faster_than_notebook": None, "times_the_bound": None}

    targets = []
    for precision, wanted in FASTER:
        measured = native_row(precision)["times_faster_than_notebook"]
        targets.append(
            {
                "claim": f"{precision} on two threads: at least {wanted:g} times the notebook's NumPy",
                "measured": measured,
                "holds": None if measured is None else measured >= wanted,
            }
        )
    measured = native_row("float64")["times_the_bound"]
    targets.append(
        {
            "claim": f"float64 on two threads: at most {NEAR_BOUND:g} times the bound",
            "measured": measured,
            "holds": None if measured is None else measured <= NEAR_BOUND,
        }
    )
    return targets


def describe_machine(isa: str | None) -> dict[str, Any]:
    """Processor, system, what everything was built with, and the instruction set that was used."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "processor": processor(),
        "cores_allowed": thread_count(None),
        "cores_present": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blas": f"{blas.get('name')} {blas.get('version')}",
        "glassnet": __version__,
        "native_engine": "none" if native.module is None else native.module.BUILD,
        "instruction_set": isa,
    }


def isa_of(entry: Entry) -> str | None:
    """The instruction set that a contestant of the native engine runs on."""
    return getattr(getattr(entry.runner, "problem", None), "isa", None)


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def make_table(document: Mapping[str, Any]) -> str:
    """The document for a terminal: a line for each contestant, the bound, the targets, the machine."""
    heads = ("contestant", "version", "precision", "threads", "ms / iteration", "x notebook", "x bound")
    lines = [
        (
            row["name"],
            row["version"],
            row["precision"],
            str(row["threads"]),
            f"{row['ms']:.4g}",
            f"{row['times_faster_than_notebook']:.3g}",
            "" if row["times_the_bound"] is None else f"{row['times_the_bound']:.3g}",
        )
        for row in document["contestants"]
    ]
    cores = document["machine"]["cores_allowed"]
    for precision, found in document["bound"].items():
        for threads in sorted({1, min(2, cores), cores}):
            milliseconds = found["ms_on_one_thread"] / threads
            lines.append(
                ("bound", found["set_by"], precision, str(threads), f"{milliseconds:.4g}", "", "1")
            )
    widths = [max(len(line[i]) for line in [heads, *lines]) for i in range(len(heads))]

    def spaced(line: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if i < 3 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    text = [spaced(heads), "  ".join("-" * width for width in widths), *map(spaced, lines), ""]
    notes = {row["name"]: row["note"] for row in document["contestants"] if row["note"]}
    text += [f"{name}: {note}." for name, note in notes.items()]
    text += [f"{gone['name']}: {gone['reason']}" for gone in document["missing"]]
    text += ["", *(_target(target) for target in document["targets"]), "", _machine(document)]
    return "\n".join(text)


def _target(target: Mapping[str, Any]) -> str:
    if target["holds"] is None:
        return f"[not measured] {target['claim']}"
    return f"[{'holds' if target['holds'] else 'MISSED'}] {target['claim']}: {target['measured']:.3g}"


def _machine(document: Mapping[str, Any]) -> str:
    machine, job, settings = document["machine"], document["job"], document["settings"]
    return "\n".join(
        [
            f"{job['samples']:,} samples, medians of {settings['rounds']} rounds with slices of "
            f"{settings['seconds']:g} s; every loss agrees with the notebook's over {CHECKED} iterations.",
            f"{machine['processor']}, {machine['cores_allowed']} of {machine['cores_present']} cores, "
            f"{machine['system']}, Python {machine['python']}, BLAS {machine['blas']}.",
            f"Native engine: {machine['native_engine']}; instruction set {machine['instruction_set']}.",
        ]
    )
