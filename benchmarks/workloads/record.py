"""What the workloads came to, as a document for JSON and as a table to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.timing import ratio
from benchmarks.workloads.task import CHECKED, UNITS, Workload
from benchmarks.workloads.timing import TOLERANCE, Entry

FORMAT = 1
"""The version of the document."""


def best(entries: Sequence[Entry], peer: str) -> Entry | None:
    """A peer's fastest entry by the median of its rounds."""
    own = [entry for entry in entries if entry.contestant.peer == peer and entry.seconds]
    return min(own, key=lambda entry: entry.median) if own else None


def judge(workload: Workload, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """What was wanted against each peer's best, what was measured, and whether it holds (None: it is
    not known)."""
    ours, found = best(entries, "glassnet"), []
    for target in workload.targets:
        theirs = best(entries, target.peer)
        measured = ratio(theirs.seconds, ours.seconds) if theirs and ours else None
        found.append(
            {
                **asdict(target),
                "measured": measured,
                "holds": None if measured is None else measured >= target.at_least,
            }
        )
    return found


def result_of(
    workload: Workload,
    kept: Sequence[Entry],
    everybody: Sequence[Entry],
    missing: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    """One workload in one precision."""
    ours = best(kept, "glassnet")
    return {
        "contestants": [
            {
                "name": entry.contestant.name,
                "peer": entry.contestant.peer,
                "version": entry.contestant.version,
                "threads": entry.contestant.threads,
                "note": entry.contestant.note,
                "ms": 1e3 * entry.median,
                "times_glassnet": ratio(entry.seconds, ours.seconds) if ours else None,
                "largest_difference": entry.error,
                "in_a_row": entry.count,
                "ms_of_rounds": [1e3 * seconds for seconds in entry.seconds],
            }
            for entry in kept
        ],
        "heats_ms": {entry.contestant.title: 1e3 * entry.heat for entry in everybody},
        "missing": [{"name": name, "reason": reason} for name, reason in missing],
        "targets": judge(workload, kept),
    }


def describe(workload: Workload, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A workload without its results."""
    return {
        "title": workload.title,
        "unit": UNITS[workload.kind],
        "samples": workload.n_samples,
        "epochs_compared": CHECKED if workload.kind == "training" else None,
        "tolerance": TOLERANCE,
        "note": workload.note,
        "settings": dict(settings),
        "precisions": {},
    }


def duration(milliseconds: float) -> str:
    """In the unit that suits it."""
    return f"{milliseconds:.4g} ms" if milliseconds >= 0.1 else f"{1e3 * milliseconds:.4g} us"


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


def workload_table(name: str, record: Mapping[str, Any]) -> str:
    """A workload for a terminal: everybody's times."""
    lines = [f"{name}: {record['title']}"]
    for precision, result in record["precisions"].items():
        heads = ["contestant", "version", f"{precision}, one {record['unit']}", "x glassnet"]
        rows = [
            [
                f"{row['name']}, {row['threads']} thread{'s' if row['threads'] > 1 else ''}",
                row["version"],
                duration(row["ms"]),
                "" if row["times_glassnet"] is None else f"{row['times_glassnet']:.3g}",
            ]
            for row in result["contestants"]
        ]
        lines += columns([heads, *rows], 2)
        notes = {row["name"]: row["note"] for row in result["contestants"] if row["note"]}
        lines += [f"{who}: {note}." for who, note in notes.items()]
        lines += [f"{gone['name']}: {gone['reason']}" for gone in result["missing"]]
    return "\n".join([*lines, *([f"{record['note']}."] if record["note"] else []), ""])


def verdict(holds: bool | None) -> str:
    """A target's outcome."""
    return "[not measured]" if holds is None else "[holds]" if holds else "[MISSED]"


def target_table(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Every target: wanted and measured, side by side."""
    rows = [
        [
            name,
            precision,
            target["peer"],
            f"{target['at_least']:g} x",
            "" if target["measured"] is None else f"{target['measured']:.3g} x",
            verdict(target["holds"]),
        ]
        for name, record in records.items()
        for precision, result in record["precisions"].items()
        for target in result["targets"]
    ]
    heads = ["workload", "precision", "against the best of", "at least", "measured", ""]
    return "\n".join(columns([heads, *rows], 3))


def machine_line(machine: Mapping[str, Any]) -> str:
    """Where it was measured."""
    return (
        f"{machine['processor']}, {machine['cores_allowed']} of {machine['cores_present']} cores, "
        f"{machine['system']}, Python {machine['python']}, BLAS {machine['blas']}.\n"
        f"Native engine: {machine['native_engine']}; instruction set {machine['instruction_set']}."
    )


def readme_table(workloads: Mapping[str, Workload]) -> str:
    """The workloads and their targets as rows of the README's table."""
    lines = []
    for name, workload in workloads.items():
        goals = ", ".join(f"{target.at_least:g} x {target.peer}" for target in workload.targets)
        precisions = " and ".join(workload.precisions)
        lines.append(f"| `{name}` | {workload.title}; {precisions} | {goals} |")
    return "\n".join(lines)
