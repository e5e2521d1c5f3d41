"""Many networks at once: the notebook's grid, and 2,000 small ones, by everybody's best way."""

from __future__ import annotations

import importlib
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.frameworks import dense
from benchmarks.job import N_SAMPLES, BenchmarkError, Job, make_job
from benchmarks.notebook import Notebook
from benchmarks.peers import Peer
from glassnet._types import Array
from glassnet.data.generators import generate
from glassnet.model_selection import SweepResult, sweep
from glassnet.nn.network import Network
from glassnet.optim import SGD
from glassnet.training.train import train
from glassnet.utils.threads import thread_count

FORMAT = 1
"""The version of the document."""

Say = Callable[[str], None]

RATES = (0.01, 0.02, 0.05, 0.1, 0.25)
MOMENTA = (0.0, 0.01, 0.05, 0.1, 0.5)
"""The notebook's grid, of the mean loss."""
ITERATIONS = 20_000

MANY_RATES, MANY_MOMENTA, MANY_SEEDS = 40, 10, 5
MANY_ITERATIONS, MANY_SAMPLES = 500, 1_000
SKLEARN_FITS = 10
"""Of the 2,000, so many are timed of scikit-learn's."""

CHECKED = 20
TOLERANCE = 1e-9
AT_LEAST = {"notebook": 80.0, "jax": 25.0}
"""So many times the others' speed of a network's iteration, of the notebook's grid."""


def measure_sweeps(peers: Sequence[Peer], rounds: int, say: Say, quick: bool = False) -> dict[str, Any]:
    """Seconds of both sweeps, and of a network's iteration by the others; all in float64.

    First the losses of 20 iterations are compared, of every network of JAX's and of some of the
    notebook's and scikit-learn's; a difference is a BenchmarkError. The others are timed for fewer
    iterations, JAX in the fastest of the forms that were tried.
    """
    names = {peer.name for peer in peers if peer.why_missing() is None}
    return {
        "format": FORMAT,
        "grid": _measure_grid(names, rounds, say, quick),
        "many": _measure_many(names, rounds, say, quick),
        "settings": {"rounds": rounds, "threads": thread_count(None)},
    }


def _measure_grid(names: set[str], rounds: int, say: Say, quick: bool) -> dict[str, Any]:
    job = make_job(1000 if quick else N_SAMPLES)
    n, iterations = len(job.X), 50 if quick else ITERATIONS
    pairs = [(rate, momentum) for rate in RATES for momentum in MOMENTA]
    told: dict[str, Any] = {
        "grid": {"learning_rate": RATES, "momentum": MOMENTA},
        "optimizer": SGD(),
        "parameters": job.start,
    }
    result, seconds = _timed(lambda: sweep(Network((2, 3, 2)), job.X, job.y, iterations=iterations, **told))
    if any(cell.iterations != iterations for cell in result.cells):
        raise BenchmarkError("A network of the grid did not make all its iterations.")
    each = seconds / (len(pairs) * iterations)
    say(f"the grid: {seconds:.3g} s, {1e6 * each:.4g} us for a network's iteration")
    found = [_row("glassnet", len(pairs), iterations, each)]
    for k in (0, 12, 24):
        rate, momentum = pairs[k]
        runner = Notebook(Job(job.X, job.y, job.Y, job.start, rate / n, momentum))
        _compare(runner.iterate(CHECKED) / n, result.cells[k].run.losses[1 : CHECKED + 1], "the notebook")
    runner = Notebook(job)
    times = [_timed(lambda: runner.iterate(CHECKED))[1] / CHECKED for _ in range(max(3, rounds))]
    found.append(_row("the notebook's NumPy", 1, CHECKED, float(np.median(times)), times))
    if "JAX" in names or "jax" in names:
        starts = np.tile(job.start.flat, (len(pairs), 1))
        truth = np.array([cell.run.losses[:CHECKED] for cell in result.cells])
        found += _time_jax(job.X, job.y, (2, 3, 2), "sigmoid", starts, pairs, truth, rounds, (25, 1), say)
    return _document(found, f"25 networks 2-3-2 x {iterations:,} iterations on {n:,} samples", seconds)


def _measure_many(names: set[str], rounds: int, say: Say, quick: bool) -> dict[str, Any]:
    X, y = generate("circles", np.random.RandomState(0), n_samples=MANY_SAMPLES)
    counts = (3, 2, 2) if quick else (MANY_RATES, MANY_MOMENTA, MANY_SEEDS)
    rates, momenta = np.geomspace(0.01, 0.5, counts[0]), np.linspace(0, 0.9, counts[1])
    seeds, iterations = range(counts[2]), 20 if quick else MANY_ITERATIONS
    network = Network((2, 8, 2), hidden="tanh")

    def all_of_them() -> SweepResult:
        grid = {"learning_rate": rates, "momentum": momenta}
        return sweep(network, X, y, grid=grid, seeds=seeds, iterations=iterations)

    result, first = _timed(all_of_them)
    times = [first, *(_timed(all_of_them)[1] for _ in range(rounds - 1))]
    seconds, count = float(np.median(times)), len(result.cells)
    say(f"{count:,} networks: {seconds:.3g} s")
    per = [one / (count * iterations) for one in times]
    found = [_row("glassnet", count, iterations, seconds / (count * iterations), per)]
    found.append(
        _time_sklearn(X, y, [float(r) for r in rates], momenta, iterations, 2 if quick else SKLEARN_FITS)
    )
    say(f"scikit-learn: {1e6 * found[-1]['seconds']:.4g} us for a network's iteration")
    if "JAX" in names or "jax" in names:
        pairs = [(c.settings["learning_rate"], c.settings["momentum"]) for c in result.cells]
        starts = np.stack([network.initialize(cell.seed).flat for cell in result.cells])
        truth = np.array([cell.run.losses[:CHECKED] for cell in result.cells])
        chunks = (count,) if quick else (count, 100, 20)
        found += _time_jax(X, y, (2, 8, 2), "tanh", starts, pairs, truth, rounds, chunks, say)
    return _document(
        found, f"{count:,} networks 2-8-2 x {iterations} iterations on {len(X):,} samples", seconds
    )


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def _row(
    name: str, networks: int, iterations: int, seconds: float, rounds: Sequence[float] = (), note: str = ""
) -> dict[str, Any]:
    """Seconds are those of one network's iteration."""
    return {
        "name": name,
        "networks": networks,
        "iterations": iterations,
        "seconds": seconds,
        "seconds_of_rounds": list(rounds) or [seconds],
        "note": note,
    }


def _document(rows: list[dict[str, Any]], job: str, seconds: float) -> dict[str, Any]:
    for row in rows:
        row["times_glassnet"] = row["seconds"] / rows[0]["seconds"]
    return {"job": job, "seconds": seconds, "contestants": rows}


def _compare(found: Array, truth: Array, name: str) -> None:
    worst = float(np.abs(found / truth - 1).max())
    if not worst <= TOLERANCE:
        raise BenchmarkError(
            f"{name} does another job: its losses differ by {worst:.2g}. Nothing was timed."
        )


def _time_sklearn(
    X: Array, y: NDArray[Any], rates: Sequence[float], momenta: Array, iterations: int, fits: int
) -> dict[str, Any]:
    """A loop of fits, with one logistic output, which is less work than two and a softmax."""
    import sklearn
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    def fit(i: int) -> Any:
        told: dict[str, Any] = {
            "learning_rate_init": rates[i % len(rates)],
            "momentum": float(momenta[i % len(momenta)]),
            "random_state": i,
        }
        fixed: dict[str, Any] = {
            "hidden_layer_sizes": (8,),
            "activation": "tanh",
            "solver": "sgd",
            "alpha": 0.0,
            "batch_size": len(X),
            "shuffle": False,
            "nesterovs_momentum": False,
            "max_iter": iterations,
            "tol": 0.0,
            "n_iter_no_change": 10**9,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return MLPClassifier(**fixed, **told).fit(X, y)

    alone = train(
        Network((2, 8, 1), hidden="tanh", output="logistic"),
        X,
        y,
        optimizer=SGD(rates[0], float(momenta[0])),
        iterations=CHECKED - 1,
        scheme="sklearn",
        random_state=0,
    )
    _compare(np.array(fit(0).loss_curve_[:CHECKED]), alone.losses, "scikit-learn")
    times = [_timed(partial(fit, i * 7))[1] / iterations for i in range(fits)]
    name = f"scikit-learn {sklearn.__version__}, a loop of fits"
    return _row(name, fits, iterations, float(np.mean(times)), times, "one logistic output")


def _time_jax(
    X: Array,
    y: NDArray[Any],
    sizes: tuple[int, ...],
    activation: str,
    starts: Array,
    pairs: Sequence[tuple[float, float]],
    truth: Array,
    rounds: int,
    chunks: Sequence[int],
    say: Say,
) -> list[dict[str, Any]]:
    """A jitted scan under a vmap of so many networks: the fastest form of each number, fastest first."""
    jax = importlib.import_module("jax")
    with jax.enable_x64(True) if hasattr(jax, "enable_x64") else _double():
        jnp = jax.numpy
        rows: dict[int, dict[str, Any]] = {}
        inputs, classes = jnp.asarray(np.ascontiguousarray(X.T)), jnp.asarray(y)
        bend = jnp.tanh if activation == "tanh" else jax.nn.sigmoid
        i, h, o = sizes

        def loss(flat: Any, products: bool) -> Any:
            W1, b1 = flat[: i * h].reshape(i, h), flat[i * h : i * h + h]
            rest = flat[i * h + h :]
            W2, b2 = rest[: h * o].reshape(h, o), rest[h * o :]
            if products:
                Z = W2.T @ bend(W1.T @ inputs + b1[:, None]) + b2[:, None]
            else:
                Z = jnp.stack(dense([bend(z) for z in dense(inputs, W1, b1)], W2, b2))
            picked = jnp.where(classes == 1, Z[1], Z[0])
            return (jax.nn.logsumexp(Z, axis=0) - picked).mean()

        def one(count: int, products: bool, at: tuple[Any, Any]) -> Any:
            start, rule = at

            def step(state: Any, _: None) -> Any:
                value, g = jax.value_and_grad(loss)(state[0], products)
                velocity = rule[1] * state[1] - rule[0] * g
                return (state[0] + velocity, velocity), value

            return jax.lax.scan(step, (start, jnp.zeros_like(start)), None, length=count)[1]

        for products in (False, True):
            for chunk in chunks:

                def many(begun: Any, rules: Any, chunk: int = chunk, products: bool = products) -> Any:
                    train_one = partial(one, CHECKED, products)
                    if chunk == len(starts):
                        return jax.vmap(lambda s, r: train_one((s, r)))(begun, rules)
                    return jax.lax.map(train_one, (begun, rules), batch_size=chunk)

                call = jax.jit(many)
                given = jnp.asarray(starts), jnp.asarray(np.array(pairs))

                def work(call: Any = call, given: Any = given) -> Any:
                    return np.asarray(jax.block_until_ready(call(*given)))

                _compare(work(), truth, "JAX")
                times = [_timed(work)[1] / (CHECKED * len(starts)) for _ in range(max(3, rounds))]
                seconds = float(np.median(times))
                if chunk not in rows or seconds < rows[chunk]["seconds"]:
                    form = "matrix products" if products else "products written out"
                    way = "one by one" if chunk == 1 else f"vmap of {chunk:,}"
                    name = f"JAX {jax.__version__}, {way}"
                    rows[chunk] = _row(name, len(starts), CHECKED, seconds, times, form)
    for row in rows.values():
        say(f"{row['name']}, {row['note']}: {1e6 * row['seconds']:.4g} us for a network's iteration")
    return sorted(rows.values(), key=lambda row: row["seconds"])


def _double() -> Any:
    return importlib.import_module("jax.experimental").enable_x64()


def sweeps_table(document: dict[str, Any]) -> str:
    """Both sweeps for a terminal."""
    lines = []
    for part in ("grid", "many"):
        found = document[part]
        lines.append(f"sweeps: {found['job']}, float64: glassnet takes {found['seconds']:.3g} s")
        for row in found["contestants"]:
            note = f"  ({row['note']})" if row["note"] else ""
            lines.append(
                f"  {row['name']:<40}{1e6 * row['seconds']:>10.4g} us a network's iteration"
                f"{row['times_glassnet']:>9.3g} x glassnet{note}"
            )
    return "\n".join(lines)
