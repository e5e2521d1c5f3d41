"""How the cost grows: with the width of the layers, and with the number of samples."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.bound import bound, bound_of, dense, measure_rates
from benchmarks.job import UnavailableError, make_job
from benchmarks.peers import Peer
from benchmarks.timing import CHECKED, SETTLE, check, true_losses
from benchmarks.workloads import time_workload
from benchmarks.workloads.samples import made_up
from benchmarks.workloads.task import Contestant, Workload
from glassnet import native
from glassnet.utils.threads import thread_count

FORMAT = 1

WIDTHS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
INPUTS, BATCH, PRECISION = 20, 256, "float32"

SAMPLES = (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000)
SAMPLES_PRECISION = "float64"

Say = Callable[[str], None]

_SLOW = (", foreach", ", eager, fused, slices", "PyTorch, compiled, slices", "JAX, jitted, slices")
"""Ways that win nowhere by much, left out to save compiling them for every width."""


def _worth_it(who: Contestant) -> bool:
    return not any(way in f"{who.name}" for way in _SLOW)


def width_workload(width: int, samples: int | None = None) -> Workload:
    """Mini-batches through two hidden layers of a width; fewer samples where a pass is long."""
    count = samples or (20_480 if width <= 128 else 2_560)
    sizes = (INPUTS, width, width, 2)
    name, data = f"width-{width}", made_up(INPUTS, 2)
    return Workload(name, "training", sizes, "relu", "softmax", count, BATCH, (PRECISION,), data, ())


def over_widths(
    widths: Sequence[int],
    peers: Sequence[Peer],
    rounds: int,
    seconds: float,
    say: Say,
    samples: int | None = None,
) -> list[dict[str, Any]]:
    """Microseconds that a sample takes, forward and back, for each width and contestant, and the bound."""
    rows = []
    for width in widths:
        workload = width_workload(width, samples)
        say(f"width {width}")
        found = time_workload(workload, PRECISION, peers, rounds, seconds, say, _worth_it)
        each = 1e3 / workload.n_samples
        rows.append(
            {
                "width": width,
                "samples": workload.n_samples,
                "us": _fastest((row["peer"], row["ms"] * each) for row in found["contestants"]),
                "bound_us": _bound_us(workload),
                "contestants": found["contestants"],
            }
        )
    return rows


def _fastest(pairs: Any) -> dict[str, float]:
    found: dict[str, float] = {}
    for peer, value in pairs:
        found[peer] = min(value, found.get(peer, value))
    return found


def _rates(precision: str) -> dict[str, Any] | None:
    if native.module is None:
        return None
    return measure_rates(native.module.isas()[0], precision)


def _bound_us(workload: Workload) -> float | None:
    """The arithmetic of a sample's pass on all cores; the update is not counted."""
    rates = _rates(PRECISION)
    if rates is None:
        return None
    seconds = bound_of(dense(workload.sizes, PRECISION), workload.n_samples, rates).on(thread_count(None))
    return 1e6 * seconds / workload.n_samples


def over_samples(
    counts: Sequence[int], peers: Sequence[Peer], rounds: int, seconds: float, say: Say
) -> list[dict[str, Any]]:
    """Milliseconds of one full-batch iteration of the notebook's network, for each number of samples.

    The rate falls with the samples, or the sum's gradient would take steps that are too large.
    """
    rows = []
    for count in counts:
        job = make_job(count)
        job = replace(job, learning_rate=job.learning_rate * min(1.0, 50_000 / count))
        say(f"{count:,} samples")
        checked = CHECKED if count <= 1_000_000 else 2
        truth: dict[int, Any] = {}
        times: list[tuple[str, float]] = []
        for peer in peers:
            if peer.why_missing() is not None:
                continue
            for who in peer.contestants():
                if who.precision != SAMPLES_PRECISION or "parts" in who.name or "NumPy engine" in who.name:
                    continue
                if who.outputs not in truth:
                    truth[who.outputs] = true_losses(job, who.outputs, checked)
                try:
                    runner = who.make(job)
                except UnavailableError:
                    continue
                check(who, runner, truth[who.outputs])
                times.append((peer.name, _seconds(runner, rounds, seconds)))
                say(f"  {who.title}: {1e3 * times[-1][1]:.4g} ms")
                del runner
        rates = _rates(SAMPLES_PRECISION)
        least = None if rates is None else bound(SAMPLES_PRECISION, count, rates).on(thread_count(None))
        rows.append(
            {
                "samples": count,
                "ms": _fastest((peer, 1e3 * value) for peer, value in times),
                "bound_ms": None if least is None else 1e3 * least,
            }
        )
    return rows


def _seconds(runner: Any, rounds: int, seconds: float) -> float:
    """The median over rounds of an iteration's seconds.

    One after the other, not in turns: at the largest size the data of all do not fit at once.
    """
    runner.reset()
    began = time.perf_counter()
    runner.iterate(1)
    count = max(1, round(seconds / (time.perf_counter() - began)))
    found = []
    for _ in range(rounds):
        time.sleep(min(SETTLE, seconds))
        runner.reset()
        began = time.perf_counter()
        runner.iterate(count)
        each = (time.perf_counter() - began) / count
        found.append(each)
        count = max(1, round(seconds / each))
    return float(np.median(found))


def measure_scaling(
    peers: Sequence[Peer], rounds: int, seconds: float, say: Say, quick: bool = False
) -> dict[str, Any]:
    """Both curves; `quick` takes the smallest sizes only."""
    return {
        "format": FORMAT,
        "settings": {"rounds": rounds, "seconds": seconds, "quick": quick},
        "widths": {
            "job": f"{INPUTS}-w-w-2 relu, batch {BATCH}, Adam, {PRECISION}",
            "rows": over_widths(
                WIDTHS[:2] if quick else WIDTHS, peers, rounds, seconds, say, 600 if quick else None
            ),
        },
        "samples": {
            "job": f"2-3-2 logistic, full batch with momentum, {SAMPLES_PRECISION}",
            "rows": over_samples(SAMPLES[:3] if quick else SAMPLES, peers, rounds, seconds, say),
        },
    }
