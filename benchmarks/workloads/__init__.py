"""Workloads besides the notebook's iteration: mini-batches, wider layers, a gradient, a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.peers import Peer
from benchmarks.timing import SETTLE
from benchmarks.workloads.peers import prepare_entries
from benchmarks.workloads.record import describe, result_of
from benchmarks.workloads.registry import WORKLOADS
from benchmarks.workloads.task import Contestant, Workload, make_task
from benchmarks.workloads.timing import qualified, run_heat, time_rounds

__all__ = ["WORKLOADS", "run_workload", "time_workload"]


def time_workload(
    workload: Workload,
    precision: str,
    peers: Sequence[Peer],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
    wanted: Callable[[Contestant], bool] = lambda who: True,
) -> dict[str, Any]:
    """Everybody's times for a workload in one precision; what `wanted` refuses is left out.

    Raises BenchmarkError for a contestant with a wrong answer.
    """
    entries, missing = prepare_entries(make_task(workload, precision), peers, say, wanted)
    best: dict[str, float] = {}
    for entry in entries:
        peer = entry.contestant.peer
        run_heat(entry, seconds, best.get(peer, math.inf))
        best[peer] = min(entry.heat, best.get(peer, math.inf))
        say(f"  {entry.contestant.title}: {1e3 * entry.heat:.4g} ms in a heat")
    kept = qualified(entries)
    time_rounds(kept, rounds, seconds, min(SETTLE, seconds), say)
    return result_of(workload, kept, entries, missing)


def run_workload(
    workload: Workload,
    peers: Sequence[Peer],
    rounds: int,
    seconds: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """The record of a workload in each of its precisions."""
    record = describe(workload, {"rounds": rounds, "seconds": seconds})
    for precision in workload.precisions:
        say(f"{workload.name}, {precision}")
        record["precisions"][precision] = time_workload(workload, precision, peers, rounds, seconds, say)
    return record
