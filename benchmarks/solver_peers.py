"""Other libraries on the way to where the notebook ends: losses over time."""

from __future__ import annotations

import contextlib
import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import frameworks
from benchmarks.classics import sklearn_loss
from benchmarks.job import Job, Runner
from glassnet._types import Array
from glassnet.nn.network import Network
from glassnet.utils.threads import thread_count

Curve = list[tuple[float, float]]
"""Seconds and losses."""

MOST = 60_000
"""Iterations after which a way counts as one that does not arrive."""


class _Arrived(Exception):  # noqa: N818 - not an error
    pass


class _Watch:
    """Writes down each loss and when it was known; raises `_Arrived` at the end."""

    def __init__(self, end: float) -> None:
        self.curve: Curve = []
        self._end, self._began = end, time.perf_counter()

    def see(self, loss: float) -> None:
        self.curve.append((time.perf_counter() - self._began, loss))
        if loss < self._end:
            raise _Arrived


def by_sklearn(job: Job, end: float) -> Curve:
    """scikit-learn's solver="lbfgs": one logistic output, whose first loss is the same."""
    from scipy.optimize import minimize
    from sklearn.neural_network import MLPClassifier

    start = job.one_output
    network = Network(start.sizes, output="logistic")
    evaluate, order = sklearn_loss(MLPClassifier, network, job.X, job.y[:, None].astype(np.float64))
    watch, n = _Watch(end), len(job.X)

    def look(flat: Array) -> tuple[float, Array]:
        value, gradient = evaluate(flat)
        watch.see(n * value)
        return value, gradient

    options = {"maxiter": 1000, "gtol": 0.0, "ftol": 0.0}
    return _until(
        watch,
        lambda: minimize(look, start.flat[order], jac=True, method="L-BFGS-B", options=options),
    )


def by_torch_adam(job: Job, end: float) -> Curve:
    """PyTorch's Adam(0.1), fused."""
    torch = importlib.import_module("torch")

    runner: Any = frameworks.Torch(job, "float64", thread_count(None))
    runner.reset()
    rule = torch.optim.Adam(runner._parameters, lr=0.1, fused=True)
    watch = _Watch(end)

    def run() -> None:
        for _ in range(MOST):
            rule.zero_grad()
            loss = runner._loss(runner._parameters)
            watch.see(float(loss.detach()))
            loss.backward()
            rule.step()

    return _until(watch, run)


def by_torch_lbfgs(job: Job, end: float) -> Curve:
    """PyTorch's LBFGS with its strong Wolfe line search."""
    torch = importlib.import_module("torch")

    runner: Any = frameworks.Torch(job, "float64", thread_count(None))
    runner.reset()
    rule: Any = torch.optim.LBFGS(
        runner._parameters,
        max_iter=1000,
        max_eval=10_000,
        history_size=10,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    watch = _Watch(end)

    def closure() -> Any:
        rule.zero_grad()
        loss = runner._loss(runner._parameters)
        watch.see(float(loss.detach()))
        loss.backward()
        return loss

    return _until(watch, lambda: rule.step(closure))


def by_jax(job: Job, end: float) -> Curve:
    """JAX's gradient descent with momentum, all iterations in one jitted scan, compiled before."""
    found = [one for one in frameworks.jax_contestants() if one.precision == "float64"]
    runner: Runner = found[0].make(job)
    count = 50_000 + 1 - found[0].first
    runner.reset()
    runner.iterate(20)
    runner.reset()
    began = time.perf_counter()
    losses = np.asarray(runner.iterate(count))
    each = (time.perf_counter() - began) / count
    return [(each * (k + 1), float(loss)) for k, loss in enumerate(losses)]


def _until(watch: _Watch, run: Callable[[], object]) -> Curve:
    with contextlib.suppress(_Arrived):
        run()
    return watch.curve


PEERS: dict[str, tuple[str, Callable[[Job, float], Curve], bool]] = {
    "scikit-learn's lbfgs": ("scikit-learn", by_sklearn, True),
    "PyTorch's LBFGS": ("torch", by_torch_lbfgs, True),
    "PyTorch's Adam": ("torch", by_torch_adam, False),
    "JAX's gradient descent": ("jax", by_jax, False),
}
"""Each with the library that it needs, and whether it is quick enough for more than one round."""


def measure_peers(
    job: Job, end: float, rounds: int, notebook: float, names: Sequence[str], thin: Any, say: Any
) -> list[dict[str, Any]]:
    """A row for each way of the libraries that are named; see `solvers.time_way`."""
    rows = []
    for name, (library, way, quick) in PEERS.items():
        if library not in names or (len(job.X) < 50_000 and library == "jax"):
            continue
        if quick:
            way(job, end)  # what is compiled or allocated on first use is not timed
        curves = [way(job, end) for _ in range(rounds if quick else 1)]
        best = min(curves, key=lambda curve: curve[-1][0])
        there = best[-1][1] <= end * (1 + 1e-9)
        found = [curve[-1][0] for curve in curves]
        seconds = float(np.median(found)) if there else None
        rows.append(row_of(name, name, thread_count(None), best, found, seconds, notebook, thin))
        say(rows[-1])
    return rows


def row_of(
    name: str,
    rule: str,
    threads: int,
    best: Curve,
    rounds: list[float],
    seconds: float | None,
    notebook: float,
    thin: Any,
) -> dict[str, Any]:
    """A peer's row of the table: its curve, thinned, and its time, None where it did not arrive."""
    kept = thin(len(best))
    return {
        "name": name,
        "rule": rule,
        "threads": threads,
        "iterations": None,
        "evaluations": len(best),
        "seconds": seconds,
        "seconds_of_rounds": rounds,
        "times_sooner": None if seconds is None else notebook / seconds,
        "last_loss": best[-1][1],
        "curve": {
            "iterations": kept,
            "seconds": [best[i][0] for i in kept],
            "loss": [best[i][1] for i in kept],
        },
    }
