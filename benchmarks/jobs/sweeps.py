"""Many networks at once: the notebook's grid, and 2,000 small ones, by everybody's best way."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.charts import OTHERS, set_heading
from benchmarks.contest import BenchmarkError
from benchmarks.jobs.options import Options
from benchmarks.peers import installed
from benchmarks.peers.notebook import Notebook
from benchmarks.peers.scikit_learn import no_convergence_warning
from benchmarks.peers.written_out import dense
from benchmarks.peers.xla import double
from benchmarks.record import FORMAT
from benchmarks.tasks import N_SAMPLES, make_notebook_task
from benchmarks.timing import compare, timed
from glassnet._types import Array
from glassnet.data.generators import generate
from glassnet.model_selection import SweepResult, sweep
from glassnet.nn.network import Network
from glassnet.optim import SGD
from glassnet.plots.style import FAINT, INK, new_figure
from glassnet.training.train import train
from glassnet.utils.threads import thread_count
from glassnet.utils.words import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def measure_sweeps(options: Options) -> dict[str, Any]:
    """Seconds of both sweeps, and of a network's iteration by the others; all in float64.

    First the losses of 20 iterations are compared, of every network of JAX's and of some of the
    notebook's and scikit-learn's; a difference is a BenchmarkError. The others are timed for fewer
    iterations, JAX in the fastest of the forms that were tried.
    """
    return {
        "format": FORMAT,
        "grid": _measure_grid(options),
        "many": _measure_many(options),
        "settings": {"rounds": options.rounds, "threads": thread_count(None)},
    }


def _measure_grid(options: Options) -> dict[str, Any]:
    quick, rounds = options.quick, options.rounds
    task = make_notebook_task(1000 if quick else N_SAMPLES)
    n, iterations = len(task.X), 50 if quick else ITERATIONS
    pairs = [(rate, momentum) for rate in RATES for momentum in MOMENTA]
    settings: dict[str, Any] = {
        "grid": {"learning_rate": RATES, "momentum": MOMENTA},
        "optimizer": SGD(),
        "parameters": task.start,
    }
    result, seconds = timed(
        lambda: sweep(Network((2, 3, 2)), task.X, task.y, iterations=iterations, **settings)
    )
    if any(cell.iterations != iterations for cell in result.cells):
        raise BenchmarkError("A network of the grid did not make all its iterations.")
    seconds_of_one = seconds / (len(pairs) * iterations)
    options.say(f"the grid: {seconds:.3g} s, {1e6 * seconds_of_one:.4g} us for a network's iteration")
    rows = [_row("glassnet", len(pairs), iterations, seconds_of_one)]
    for k in (0, 12, 24):
        rate, momentum = pairs[k]
        runner = Notebook(replace(task, learning_rate=rate / n, momentum=momentum))
        compare(
            runner.work(CHECKED) / n,
            result.cells[k].run.losses[1 : CHECKED + 1],
            TOLERANCE,
            who="the notebook",
            job="the sweep",
        )
    runner = Notebook(task)
    times = [timed(lambda: runner.work(CHECKED))[1] / CHECKED for _ in range(max(3, rounds))]
    rows.append(_row("the notebook's NumPy", 1, CHECKED, float(np.median(times)), times))
    if "jax" in installed(options.peers):
        starts = np.tile(task.start.flat, (len(pairs), 1))
        truth = np.array([cell.run.losses[:CHECKED] for cell in result.cells])
        rows += _time_jax(task.X, task.y, (2, 3, 2), "sigmoid", starts, pairs, truth, (25, 1), options)
    return _document(rows, f"25 networks 2-3-2 x {iterations:,} iterations on {n:,} samples", seconds)


def _measure_many(options: Options) -> dict[str, Any]:
    quick, rounds = options.quick, options.rounds
    X, y = generate("circles", np.random.RandomState(0), n_samples=MANY_SAMPLES)
    counts = (3, 2, 2) if quick else (MANY_RATES, MANY_MOMENTA, MANY_SEEDS)
    rates, momenta = np.geomspace(0.01, 0.5, counts[0]), np.linspace(0, 0.9, counts[1])
    seeds, iterations = range(counts[2]), 20 if quick else MANY_ITERATIONS
    network = Network((2, 8, 2), hidden="tanh")

    def all_of_them() -> SweepResult:
        grid = {"learning_rate": rates, "momentum": momenta}
        return sweep(network, X, y, grid=grid, seeds=seeds, iterations=iterations)

    result, first = timed(all_of_them)
    times = [first, *(timed(all_of_them)[1] for _ in range(rounds - 1))]
    seconds, count = float(np.median(times)), len(result.cells)
    options.say(f"{count:,} networks: {seconds:.3g} s")
    per = [one / (count * iterations) for one in times]
    rows = [_row("glassnet", count, iterations, seconds / (count * iterations), per)]
    rows.append(
        _time_sklearn(X, y, [float(r) for r in rates], momenta, iterations, 2 if quick else SKLEARN_FITS)
    )
    options.say(f"scikit-learn: {1e6 * rows[-1]['seconds']:.4g} us for a network's iteration")
    if "jax" in installed(options.peers):
        pairs = [(c.settings["learning_rate"], c.settings["momentum"]) for c in result.cells]
        starts = np.stack([network.initialize(cell.seed).flat for cell in result.cells])
        truth = np.array([cell.run.losses[:CHECKED] for cell in result.cells])
        chunks = (count,) if quick else (count, 100, 20)
        rows += _time_jax(X, y, (2, 8, 2), "tanh", starts, pairs, truth, chunks, options)
    return _document(
        rows, f"{count:,} networks 2-8-2 x {iterations} iterations on {len(X):,} samples", seconds
    )


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


def _time_sklearn(
    X: Array, y: NDArray[Any], rates: Sequence[float], momenta: Array, iterations: int, fits: int
) -> dict[str, Any]:
    """A loop of fits, with one logistic output, which is less work than two and a softmax."""
    import sklearn
    from sklearn.neural_network import MLPClassifier

    def fit(i: int) -> Any:
        drawn: dict[str, Any] = {
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
        with no_convergence_warning():
            return MLPClassifier(**fixed, **drawn).fit(X, y)

    alone = train(
        Network((2, 8, 1), hidden="tanh", output="logistic"),
        X,
        y,
        optimizer=SGD(rates[0], float(momenta[0])),
        iterations=CHECKED - 1,
        scheme="sklearn",
        random_state=0,
    )
    compare(
        np.array(fit(0).loss_curve_[:CHECKED]), alone.losses, TOLERANCE, who="scikit-learn", job="the sweep"
    )
    times = [timed(partial(fit, i * 7))[1] / iterations for i in range(fits)]
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
    chunks: Sequence[int],
    options: Options,
) -> list[dict[str, Any]]:
    """A jitted scan under a vmap of so many networks: the fastest form of each number, fastest first."""
    jax = importlib.import_module("jax")
    with double(jax):
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
                arguments = jnp.asarray(starts), jnp.asarray(np.array(pairs))

                def work(call: Any = call, arguments: Any = arguments) -> Any:
                    return np.asarray(jax.block_until_ready(call(*arguments)))

                compare(work(), truth, TOLERANCE, who="JAX", job="the sweep")
                times = [timed(work)[1] / (CHECKED * len(starts)) for _ in range(max(3, options.rounds))]
                seconds = float(np.median(times))
                if chunk not in rows or seconds < rows[chunk]["seconds"]:
                    form = "matrix products" if products else "products written out"
                    way = "one by one" if chunk == 1 else f"vmap of {chunk:,}"
                    name = f"JAX {jax.__version__}, {way}"
                    rows[chunk] = _row(name, len(starts), CHECKED, seconds, times, form)
    for row in rows.values():
        options.say(
            f"{row['name']}, {row['note']}: {1e6 * row['seconds']:.4g} us for a network's iteration"
        )
    return sorted(rows.values(), key=lambda row: row["seconds"])


def sweeps_table(document: dict[str, Any]) -> str:
    """Both sweeps for a terminal."""
    lines = []
    for sweep_name in ("grid", "many"):
        result = document[sweep_name]
        lines.append(f"sweeps: {result['job']}, float64: glassnet takes {result['seconds']:.3g} s")
        for row in result["contestants"]:
            note = f"  ({row['note']})" if row["note"] else ""
            lines.append(
                f"  {row['name']:<40}{1e6 * row['seconds']:>10.4g} us a network's iteration"
                f"{row['times_glassnet']:>9.3g} x glassnet{note}"
            )
    return "\n".join(lines)


# ---- The chart ------------------------------------------------------------------------------------


def draw_sweeps(document: Mapping[str, Any]) -> Figure:
    """Two panels of bars, logarithmic, with how many times glassnet's each is."""
    figure = new_figure(8.4, 4.4)
    for i, name in enumerate(("grid", "many")):
        axes = figure.add_subplot(2, 1, i + 1)
        rows = list(reversed(document[name]["contestants"]))
        values = [1e6 * row["seconds"] for row in rows]
        colors = [OTHERS if row["name"] == "glassnet" else "#9A9A9A" for row in rows]
        axes.barh(range(len(rows)), values, color=colors, height=0.62)
        axes.set_xscale("log")
        axes.set_xlim(min(values) / 3, max(values) * 12)
        axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=9, color=INK)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")
        for at, (value, row) in enumerate(zip(values, rows, strict=True)):
            times = "" if row["name"] == "glassnet" else f", {row['times_glassnet']:.3g} x glassnet"
            axes.text(value * 1.1, at, f"{readable(value)} µs{times}", va="center", fontsize=8.5, color=INK)
        axes.set_title(
            f"{document[name]['job']}: {document[name]['seconds']:.3g} s",
            loc="left",
            fontsize=9.5,
            color=INK,
        )
        axes.tick_params(colors=FAINT, labelcolor=INK, labelsize=8.5)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.supxlabel("microseconds for one iteration of one network (logarithmic)", fontsize=9.5, color=INK)
    notes = ["float64, all losses compared first"]
    set_heading(figure, "Many networks at once", notes, document["machine"])
    return figure
