"""Solvers of other libraries: on the way to where the notebook ends, and on the classics."""

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

from benchmarks.peers import pytorch, xla
from benchmarks.tasks import NotebookTask, one_output
from glassnet._types import Array
from glassnet.engine.prepare import prepare
from glassnet.nn.network import Network, Parameters
from glassnet.utils.threads import thread_count


class Arrived(Exception):  # noqa: N818 - not an error
    """Ends a solver of another library at the goal."""


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
    arrays = [array.ravel() for array in (*numbers.weights, *numbers.biases)]
    return np.concatenate(arrays).astype(np.intp)


# ---- To where the notebook ends: losses over time ---------------------------------------------------

Curve = list[tuple[float, float]]
"""Seconds and losses."""

MOST = 60_000
"""Iterations after which a way counts as one that does not arrive."""


class Watch:
    """Writes down each loss and when it was known; raises `Arrived` at the end."""

    def __init__(self, end: float) -> None:
        self.curve: Curve = []
        self._end, self._began = end, time.perf_counter()

    def see(self, loss: float) -> None:
        self.curve.append((time.perf_counter() - self._began, loss))
        if loss < self._end:
            raise Arrived

    def run(self, solve: Callable[[], object]) -> Curve:
        """The curve of a solver that calls `see` with every loss."""
        with suppress(Arrived):
            solve()
        return self.curve


def curve_of_sklearn(task: NotebookTask, end: float) -> Curve:
    """scikit-learn's solver="lbfgs": one logistic output, whose first loss is the same."""
    from scipy.optimize import minimize
    from sklearn.neural_network import MLPClassifier

    start = one_output(task.start)
    network = Network(start.sizes, output="logistic")
    evaluate, order = sklearn_loss(MLPClassifier, network, task.X, task.y[:, None].astype(np.float64))
    watch, n = Watch(end), len(task.X)

    def look(flat: Array) -> tuple[float, Array]:
        value, gradient = evaluate(flat)
        watch.see(n * value)
        return value, gradient

    options = {"maxiter": 1000, "gtol": 0.0, "ftol": 0.0}
    return watch.run(
        lambda: minimize(look, start.flat[order], jac=True, method="L-BFGS-B", options=options)
    )


def curve_of_torch_adam(task: NotebookTask, end: float) -> Curve:
    """PyTorch's Adam(0.1), fused."""
    torch = importlib.import_module("torch")

    runner: Any = pytorch.Torch(task, "float64", thread_count(None))
    runner.reset()
    rule = torch.optim.Adam(runner.parameters, lr=0.1, fused=True)
    watch = Watch(end)

    def run() -> None:
        for _ in range(MOST):
            rule.zero_grad()
            loss = runner.loss(runner.parameters)
            watch.see(float(loss.detach()))
            loss.backward()
            rule.step()

    return watch.run(run)


def curve_of_torch_lbfgs(task: NotebookTask, end: float) -> Curve:
    """PyTorch's LBFGS with its strong Wolfe line search."""
    torch = importlib.import_module("torch")

    runner: Any = pytorch.Torch(task, "float64", thread_count(None))
    runner.reset()
    rule: Any = torch.optim.LBFGS(
        runner.parameters,
        max_iter=1000,
        max_eval=10_000,
        history_size=10,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )
    watch = Watch(end)

    def closure() -> Any:
        rule.zero_grad()
        loss = runner.loss(runner.parameters)
        watch.see(float(loss.detach()))
        loss.backward()
        return loss

    return watch.run(lambda: rule.step(closure))


def curve_of_jax(task: NotebookTask, end: float) -> Curve:
    """JAX's gradient descent with momentum, all iterations in one jitted scan, compiled before."""
    runner = xla.Jax(task, "float64")
    count = 50_000 + 1
    runner.reset()
    runner.work(20)
    runner.reset()
    began = time.perf_counter()
    losses = np.asarray(runner.work(count))
    seconds = (time.perf_counter() - began) / count
    return [(seconds * (k + 1), float(loss)) for k, loss in enumerate(losses)]


CURVES: dict[str, tuple[str, Callable[[NotebookTask, float], Curve], bool]] = {
    "scikit-learn's lbfgs": ("scikit-learn", curve_of_sklearn, True),
    "PyTorch's LBFGS": ("torch", curve_of_torch_lbfgs, True),
    "PyTorch's Adam": ("torch", curve_of_torch_adam, False),
    "JAX's gradient descent": ("jax", curve_of_jax, False),
}
"""Each with the library that it needs, and whether it is quick enough for more than one round."""


# ---- The classics: parameters at the goal ---------------------------------------------------------

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


Solver = Callable[[Classic, Array], tuple[Array, int]]
"""Trains from flat parameters until the goal or its own end: the parameters, and the evaluations."""


def by_scipy(classic: Classic, start: Array) -> tuple[Array, int]:
    """SciPy's L-BFGS-B on glassnet's gradients, as the estimators' solver="lbfgs" has it."""
    from scipy.optimize import minimize

    problem = prepare(classic.network, classic.X, classic.y, threads=1)
    return _counted(problem.loss_and_gradient, classic, start, minimize)


def by_sklearn(classic: Classic, start: Array) -> tuple[Array, int]:
    """scikit-learn's MLPRegressor(solver="lbfgs"): SciPy's L-BFGS-B on its own loss and gradient."""
    from scipy.optimize import minimize
    from sklearn.neural_network import MLPRegressor

    evaluate, order = sklearn_loss(MLPRegressor, classic.network, classic.X, classic.y)
    flat = np.empty_like(start)
    flat[order], evaluations = _counted(evaluate, classic, start[order], minimize)
    return flat, evaluations


def _counted(evaluate: Any, classic: Classic, start: Array, minimize: Any) -> tuple[Array, int]:
    count, best = 0, start

    def look(flat: Array) -> tuple[float, Array]:
        nonlocal count, best
        count += 1
        value, gradient = evaluate(flat)
        if value <= classic.goal / 2:
            best = flat.copy()
            raise Arrived
        return value, gradient

    options = {"maxiter": MOST_STEPS, "maxfun": 100_000, "gtol": 1e-7, "ftol": 0.0}
    with suppress(Arrived):
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
            raise Arrived
        loss.backward()
        return loss

    with suppress(Arrived):
        rule.step(closure)
    arrays = [array for layer in layers[::2] for array in (layer.weight.detach().T, layer.bias.detach())]
    return np.concatenate([np.asarray(array).ravel() for array in arrays]), count
