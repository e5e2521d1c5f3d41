"""The common part of all documents and tables: machine, versions, columns, targets, durations."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.contest import threads_text
from benchmarks.timing import Entry
from glassnet import native
from glassnet._version import __version__
from glassnet.utils.threads import thread_count

FORMAT = 1
"""The version of a document, where its job does not say another."""


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


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine_line(machine: Mapping[str, Any]) -> str:
    """Where it was measured."""
    return (
        f"{machine['processor']}, {machine['cores_allowed']} of {machine['cores_present']} cores, "
        f"{machine['system']}, Python {machine['python']}, BLAS {machine['blas']}.\n"
        f"Native engine: {machine['native_engine']}; instruction set {machine['instruction_set']}."
    )


def entry_record(entry: Entry) -> dict[str, Any]:
    """What every job records of an entry."""
    who = entry.contestant
    return {
        "name": who.name,
        "peer": who.peer,
        "version": who.version,
        "threads": who.threads,
        "note": who.note,
        "ms": 1e3 * entry.median,
        "ms_of_rounds": [1e3 * seconds for seconds in entry.seconds],
    }


def missing_records(missing: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    """Who cannot take part, and why."""
    return [{"name": name, "reason": reason} for name, reason in missing]


def comments(result: Mapping[str, Any]) -> list[str]:
    """The lines under a table: notes of contestants, and reasons of those that are missing."""
    notes = {row["name"]: row["note"] for row in result["contestants"] if row["note"]}
    lines = [f"{name}: {note}." for name, note in notes.items()]
    return [*lines, *(f"{gone['name']}: {gone['reason']}" for gone in result["missing"])]


def columns(lines: Sequence[Sequence[str]], words: int) -> list[str]:
    """Rows of a table, the first as its head; so many columns of words, then numbers."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    spaced = [
        "  ".join(
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return [spaced[0], "  ".join("-" * width for width in widths), *spaced[1:]]


def outcome(holds: bool | None) -> str:
    """Whether a target is reached."""
    return "[not measured]" if holds is None else "[holds]" if holds else "[MISSED]"


def row_title(row: Mapping[str, Any]) -> str:
    """A contestant's name with its threads."""
    return f"{row['name']}, {threads_text(row['threads'])}"


def fastest(pairs: Iterable[tuple[str, float]]) -> dict[str, float]:
    """The least value of each name."""
    least: dict[str, float] = {}
    for name, value in pairs:
        least[name] = min(value, least.get(name, value))
    return least


def duration(milliseconds: float) -> str:
    """In the unit that suits it."""
    return f"{milliseconds:.4g} ms" if milliseconds >= 0.1 else f"{1e3 * milliseconds:.4g} us"


def long_duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds >= 5400:
        return f"{seconds / 3600:.3g} h"
    return f"{seconds / 60:.3g} min" if seconds >= 90 else f"{seconds:.3g} s"
