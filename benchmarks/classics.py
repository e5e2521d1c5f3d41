"""Two classics of the literature on Levenberg-Marquardt, by each solver and its peers.

A period of a sine by 1-5-1 to a mean squared error of 0.002, and three bits' parity by 3-10-10-1 to 0.001:
networks and goals are those of the problems SIN and PARITY in "Choose a Multilayer Neural Network Training
Function", MathWorks' documentation of the toolbox of Hagan and Demuth. The rest is ours: 41 points of the
sine from -1 to 1, bits of -1 and 1, hidden units of tanh and an identity at the end, and Glorot's draw.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.job import BenchmarkError
from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.prepare import prepare
from glassnet.nn.network import Network, Parameters
from glassnet.optim import OPTIMIZERS
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import SOLVERS, Rule
from glassnet.training.train import train

FORMAT = 1
"""The version of the document."""

Say = Callable[[str], None]

SEEDS = 30

MOST = {"adam": 20_000}
"""Iterations after which a start counts as one that does not arrive."""
MOST_STEPS = 2_000


@dataclass(frozen=True)
class Classic:
    """A network, its samples, and the mean squared error to reach."""

    name: str
    network: Network
    X: Array
    y: Array
    goal: float

    def error(self, flat: NDArray[Any]) -> float:
        """The mean squared error at flat parameters, by the reference's forward pass."""
        theta = Parameters(self.network.sizes, np.asarray(flat, np.float64).copy())
        return float(np.mean((self.network.predict(theta, self.X) - self.y) ** 2))


def classics() -> list[Classic]:
    """The two problems."""
    x = np.linspace(-1, 1, 41)[:, None]
    bits = np.array([[a, b, c] for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)])
    sine = Network((1, 5, 1), hidden="tanh", output="identity")
    parity = Network((3, 10, 10, 1), hidden="tanh", output="identity")
    return [
        Classic("sine", sine, x, np.sin(np.pi * x), 0.002),
        Classic("parity", parity, bits, bits.prod(axis=1, keepdims=True), 0.001),
    ]


@dataclass(frozen=True)
class Trial:
    """One start: whether it arrived, with how many evaluations of the loss, and in what time."""

    arrived: bool
    evaluations: int
    seconds: float


Way = Callable[[Classic, Array], tuple[Array, int]]
"""Trains from flat parameters until the goal or its own end: the parameters, and the evaluations."""


def by_rule(rule: Rule) -> Way:
    """By `train`, with the rule's own settings; from a start that it knows, as many iterations as it took.

    So a callback that looks for the goal is not timed: it would take longer than the steps.
    """
    most = MOST.get(rule.name, MOST_STEPS)
    known: dict[tuple[str, bytes], int] = {}

    def run(classic: Classic, start: Array) -> tuple[Array, int]:
        # The reported loss is half the mean squared error, and a penalty where the solver has one.
        def there(run: TrainingRun) -> bool:
            if rule.name == "bayesian_regularization":
                return classic.error(run.parameters.flat) <= classic.goal
            return bool(run.losses[-1] <= classic.goal / 2)

        key = classic.name, start.tobytes()
        found = train(
            classic.network,
            classic.X,
            classic.y,
            optimizer=rule,
            iterations=known.get(key, most),
            parameters=start,
            threads=1,
            callbacks=[] if key in known else [there],
        )
        known[key] = found.iterations
        return found.parameters.flat, found.evaluations or found.iterations + 1

    return run


class _Arrived(Exception):  # noqa: N818 - not an error
    pass


def by_scipy(classic: Classic, start: Array) -> tuple[Array, int]:
    """SciPy's L-BFGS-B on glassnet's gradients, as the estimators' solver="lbfgs" has it."""
    from scipy.optimize import minimize

    problem: Problem = prepare(classic.network, classic.X, classic.y, threads=1)
    return _counted(problem.loss_and_gradient, classic, start, minimize)


def by_sklearn(classic: Classic, start: Array) -> tuple[Array, int]:
    """scikit-learn's MLPRegressor(solver="lbfgs"): SciPy's L-BFGS-B on its own loss and gradient."""
    from scipy.optimize import minimize
    from sklearn.neural_network import MLPRegressor

    evaluate, order = sklearn_loss(MLPRegressor, classic.network, classic.X, classic.y)
    flat = np.empty_like(start)
    flat[order], evaluations = _counted(evaluate, classic, start[order], minimize)
    return flat, evaluations


def sklearn_loss(kind: Any, network: Network, X: Array, y: Array) -> tuple[Any, NDArray[np.intp]]:
    """What solver="lbfgs" of scikit-learn's class minimizes, and its order of a flat vector of ours."""
    hidden = network.hidden[0].name
    model = kind(hidden_layer_sizes=network.sizes[1:-1], activation=hidden, solver="lbfgs", alpha=0.0)
    theta = Parameters(network.sizes, np.zeros(network.n_parameters))
    model.n_layers_, model.n_outputs_ = len(network.sizes), network.sizes[-1]
    model.out_activation_ = network.output.name
    model.coefs_, model.intercepts_ = list(theta.weights), list(theta.biases)
    sizes = list(pairwise(network.sizes))
    # There all weights come first, then all biases.
    starts = np.cumsum([0, *(a * b for a, b in sizes), *(b for _, b in sizes)])
    model._coef_indptr = [(starts[i], starts[i + 1], sizes[i]) for i in range(len(sizes))]
    model._intercept_indptr = [
        (starts[len(sizes) + i], starts[len(sizes) + i + 1]) for i in range(len(sizes))
    ]
    activations = [X, *(np.empty((len(X), b)) for _, b in sizes)]
    grads = [np.empty((a, b)) for a, b in sizes], [np.empty(b) for _, b in sizes]
    deltas = [np.empty_like(layer) for layer in activations[1:]]

    def evaluate(packed: Array) -> tuple[float, Array]:
        value, gradient = model._loss_grad_lbfgs(packed, X, y, None, activations, deltas, *grads)
        return float(value), gradient

    return evaluate, _weights_first(network)


def _weights_first(network: Network) -> NDArray[np.intp]:
    """Where the weights of all layers and then their biases stand in the flat vector."""
    numbers = Parameters(network.sizes, np.arange(network.n_parameters, dtype=np.float64))
    parts = [part.ravel() for part in (*numbers.weights, *numbers.biases)]
    return np.concatenate(parts).astype(np.intp)


def _counted(evaluate: Any, classic: Classic, start: Array, minimize: Any) -> tuple[Array, int]:
    count, best = 0, start

    def look(flat: Array) -> tuple[float, Array]:
        nonlocal count, best
        count += 1
        value, gradient = evaluate(flat)
        if value <= classic.goal / 2:
            best = flat.copy()
            raise _Arrived
        return value, gradient

    options = {"maxiter": MOST_STEPS, "maxfun": 100_000, "gtol": 1e-7, "ftol": 0.0}
    with suppress(_Arrived):
        best = minimize(look, start.copy(), jac=True, method="L-BFGS-B", options=options).x
    return best, count


def by_torch(classic: Classic, start: Array) -> tuple[Array, int]:
    """PyTorch's LBFGS with its strong Wolfe line search; without one it steps by lr alone."""
    torch = importlib.import_module("torch")

    torch.set_num_threads(1)
    sizes = classic.network.sizes
    layers: list[Any] = []
    for ins, outs in pairwise(sizes):
        layers += [torch.nn.Linear(ins, outs, dtype=torch.float64), torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    theta = Parameters(sizes, start.copy())
    with torch.no_grad():
        for layer, W, b in zip(layers[::2], theta.weights, theta.biases, strict=True):
            layer.weight[:] = torch.from_numpy(W.T.copy())
            layer.bias[:] = torch.from_numpy(b.copy())
    X, y = torch.from_numpy(classic.X), torch.from_numpy(classic.y)
    rule: Any = torch.optim.LBFGS(
        model.parameters(),
        max_iter=MOST_STEPS,
        max_eval=100_000,
        history_size=10,
        line_search_fn="strong_wolfe",
        tolerance_grad=1e-7,
        tolerance_change=0.0,
    )
    count = 0

    def closure() -> Any:
        nonlocal count
        count += 1
        rule.zero_grad()
        loss = 0.5 * ((model(X) - y) ** 2).mean()
        if float(loss.detach()) <= classic.goal / 2:
            raise _Arrived
        loss.backward()
        return loss

    with suppress(_Arrived):
        rule.step(closure)
    parts = [part for layer in layers[::2] for part in (layer.weight.detach().T, layer.bias.detach())]
    return np.concatenate([np.asarray(part).ravel() for part in parts]), count


def ways(names: set[str]) -> dict[str, Way]:
    """Who takes part, by name; `names` are the peers that were chosen."""
    found: dict[str, Way] = {
        "Levenberg-Marquardt": by_rule(SOLVERS["levenberg_marquardt"]()),
        "Bayesian regularization": by_rule(SOLVERS["bayesian_regularization"]()),
        "Newton-CG": by_rule(SOLVERS["newton_cg"]()),
        "L-BFGS": by_rule(SOLVERS["lbfgs"]()),
        "Adam(0.01)": by_rule(OPTIMIZERS["adam"](learning_rate=0.01)),
        "SciPy's L-BFGS-B": by_scipy,
    }
    if "scikit-learn" in names:
        found["scikit-learn's lbfgs"] = by_sklearn
    if "torch" in names:
        found["PyTorch's LBFGS"] = by_torch
    return found


def measure_classics(peers: set[str], say: Say, seeds: int = SEEDS) -> dict[str, Any]:
    """Median evaluations and time of the starts that arrive, and their share, for each way and problem.

    All begin at the same parameters, Glorot's draw of seeds 0 and up, twice; the second time is kept.
    What is said to be there is computed again by the reference.
    """
    found: dict[str, Any] = {"format": FORMAT, "seeds": seeds, "problems": {}}
    for classic in classics():
        starts = [classic.network.initialize(seed).flat for seed in range(seeds)]
        rows = []
        for name, way in ways(peers).items():
            rows.append(_row(name, [_trial(classic, way, start, name) for start in starts]))
            say(line_of(classic.name, rows[-1]))
        found["problems"][classic.name] = {
            "network": str(classic.network),
            "samples": len(classic.X),
            "goal": classic.goal,
            "ways": rows,
        }
    return found


def _trial(classic: Classic, way: Way, start: Array, name: str) -> Trial:
    way(classic, start)
    began = time.perf_counter()
    flat, evaluations = way(classic, start)
    seconds = time.perf_counter() - began
    error = classic.error(flat)
    if not np.isfinite(error):
        raise BenchmarkError(f"{name} ends the {classic.name} with an error of {error}.")
    return Trial(error <= classic.goal * (1 + 1e-6), evaluations, seconds)


def _row(name: str, trials: list[Trial]) -> dict[str, Any]:
    there = [one for one in trials if one.arrived]
    return {
        "name": name,
        "share": len(there) / len(trials),
        "evaluations": float(np.median([one.evaluations for one in there])) if there else None,
        "ms": 1e3 * float(np.median([one.seconds for one in there])) if there else None,
        "trials": [vars(one) for one in trials],
    }


def line_of(problem: str, row: dict[str, Any]) -> str:
    """A row for a terminal."""
    if row["ms"] is None:
        return f"  {problem:<7} {row['name']:<24} none arrives"
    return (
        f"  {problem:<7} {row['name']:<24} {row['evaluations']:>8,.0f} evaluations {row['ms']:>10.3g} ms "
        f"{row['share']:>6.0%}"
    )


def classics_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    lines = [f"classics: medians of the starts that arrive, of {record['seeds']}; and their share"]
    for name, problem in record["problems"].items():
        lines.append(f" {name}: {problem['network']}, to a mean squared error of {problem['goal']:g}")
        lines += [line_of("", row) for row in problem["ways"]]
    return "\n".join(lines)
