"""The gradient, the curvature and the saturated units at a point, and along a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.dataset import as_dataset
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.errors import EngineError, InputError
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.optim import SGD
from glassnet.optim.penalties import Penalties
from glassnet.training.callbacks import Callback
from glassnet.training.ending import slopes_lost
from glassnet.training.run import TrainingRun
from glassnet.utils.settings_checks import as_decay, as_positive, as_steps

WHOLE = 100
"""Parameters up to which all eigenvalues are computed; beyond, Lanczos computes the two extreme ones."""

Product = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Curvature:
    """The loss around a point: the result of `curvature`.

    Attributes
    ----------
    loss, gradient_norm : the reduced loss with its penalties, and the length of its gradient.
    lambda_max, lambda_min : the largest and the smallest eigenvalue of the exact Hessian. Where lambda_min
        is below 0, the loss curves downward along some direction, and the point is no minimum. Beyond 100
        parameters lambda_min is good to about 1e-5 lambda_max, and NaN where Lanczos's iteration does not
        settle. Both are NaN where the Hessian overflows.
    saturation : for each hidden layer the share of all (sample, unit) pairs where the slope of the unit is
        less than a twentieth of the largest slope of its function, so that hardly any gradient passes it.
    dead : for each hidden layer the number of units whose slope is less than a thousandth of the largest at
        every sample.
    iteration : the iteration of a run, or None.

    >>> import glassnet as gn
    >>> here = gn.Curvature(1.0, 0.5, lambda_max=20.0, lambda_min=-2.0, saturation=(), dead=())
    >>> here.stability_limit(momentum=0.9)
    0.19
    """

    loss: float
    gradient_norm: float
    lambda_max: float
    lambda_min: float
    saturation: tuple[float, ...]
    dead: tuple[int, ...]
    iteration: int | None = None

    def stability_limit(self, momentum: float = 0.0, nesterov: bool = False) -> float:
        """The largest stable learning rate here with momentum m: 2 (1 + m) / lambda_max.

        Beyond it, steps along the sharpest direction of the loss grow. With Nesterov's momentum it is
        2 (1 + m) / ((1 + 2 m) lambda_max). Infinite where the loss curves upward along no direction.

        It depends on the reduction: for a summed loss it is smaller by the number of samples. Polyak,
        "Some methods of speeding up the convergence of iteration methods" (1964).
        """
        m = as_decay(momentum, "momentum")
        if self.lambda_max <= 0:
            return math.inf
        return 2 * (1 + m) / ((1 + 2 * m if nesterov else 1.0) * self.lambda_max)

    def escape_iterations(self, learning_rate: float, momentum: float = 0.0) -> float:
        """The iterations in which gradient descent with momentum gets e times as far from a saddle.

        Along the direction of lambda_min < 0 it is 1 / ln r, where r is the larger root of
        r^2 - (1 + m - rate lambda_min) r + m = 0; about (1 - m) / (rate |lambda_min|) where that is large.
        Infinite where the loss curves downward along no direction.
        """
        rate, m = as_positive(learning_rate, "learning_rate"), as_decay(momentum, "momentum")
        if not self.lambda_min < 0:
            return math.inf
        # r = 1 + x with x^2 + (1 - m - s) x - s = 0, s = rate |lambda_min|: a tiny x keeps its digits.
        s = -rate * self.lambda_min
        b = 1 - m - s
        root = math.sqrt(b * b + 4 * s)
        x = 2 * s / (b + root) if b > 0 else (root - b) / 2
        return 1 / math.log1p(x) if x > 0 else math.inf


def curvature(
    network: Network,
    theta: Parameters | NDArray[Any],
    X: object,
    y: object = None,
    *,
    reduction: str = "mean",
    sample_weight: object = None,
    class_weight: object = None,
    l1: float = 0.0,
    l2: float = 0.0,
    engine: str = "auto",
    threads: int | None = None,
) -> Curvature:
    """The length of the gradient, the extreme eigenvalues of the Hessian, and lost units, at one point.

    Parameters
    ----------
    network, theta, X, y : as for `check_gradients`; everything is computed in float64. X may be anything
        that `stream` takes: every product of the Hessian with some vectors then reads all rows, about four
        times in all up to 100 parameters, some hundred times beyond. A part of the rows is usually enough.
    reduction, sample_weight, class_weight, l1, l2 : as in training, whose loss this is.
    engine, threads : as for `prepare`.

    The Hessian includes the term that depends on the residuals. Up to 100 parameters the whole matrix gives
    all eigenvalues; beyond that Lanczos's iteration (SciPy's ``eigsh``) computes the two extreme ones from
    about a hundred products. A native product takes four gradients (central differences at two distances,
    good to about 11 digits; see `Problem.hessian_product`); for functions with kinks, such as relu, it is
    Pearlmutter's R operator in NumPy, and the Hessian is that between the kinks.

    Raises all that `prepare` raises.

    Example
    -------
    >>> import glassnet as gn
    >>> net, X, y = gn.Network((1, 1), output="identity"), [[-1.0], [1.0]], [-2.0, 2.0]
    >>> here = gn.curvature(net, net.initialize(0), X, y)  # of (w^2 + b^2) / 2, the origin moved
    >>> round(here.lambda_max, 6), round(here.stability_limit(momentum=0.5), 6)
    (1.0, 3.0)
    """
    settings = ProblemSettings(
        reduction=reduction,
        class_weight=class_weight,
        penalties=Penalties(l1, l2),
        engine=engine,
        threads=threads,
    )
    data = as_dataset(X, y, sample_weight, width=as_network(network).sizes[0])
    problems = Surroundings(network, data, settings)
    flat = network.check_parameters(theta).flat
    return curvature_at(problems, np.asarray(flat, np.float64))


class Surroundings:
    """The loss over some samples, and the best way to compute products of its Hessian."""

    def __init__(self, network: Network, data: Dataset, settings: ProblemSettings) -> None:
        self.network, self._data = network, data
        self._settings = replace(settings, dtype=np.float64)
        self.main = self._prepare(self._settings)
        kinks = [network.loss.kinks, *(record.kinks for record in network.hidden)]
        self._jumps = any(kinks) and self.main.engine == "native"
        self._reference: Problem | None = None

    def _prepare(self, settings: ProblemSettings) -> Problem:
        problem = prepare_problem(self.network, self._data, settings)
        assert isinstance(problem, Problem)
        return problem

    def inputs(self) -> Iterator[NDArray[np.float64]]:
        """All inputs, a block of rows at a time."""
        data, dtype = self._data.inputs(), np.dtype(np.float64)
        return (block.X for block in data.read(0, data.n_rows, data.block_rows(1), dtype))

    def penalize(self, penalties: Penalties) -> None:
        self.main = self.main.with_penalties(penalties)
        if self._reference is not None:
            self._reference = self._reference.with_penalties(penalties)

    def hessian_product(self, flat: Array, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._jumps:
            try:
                return self.main.hessian_product(flat, vectors)
            except EngineError:
                self._jumps = True
        if self._reference is None:
            reference = self._prepare(replace(self._settings, engine="numpy"))
            self._reference = reference.with_penalties(self.main.penalties)
        return self._reference.hessian_product(flat, vectors)


def curvature_at(problems: Surroundings, flat: Array, iteration: int | None = None) -> Curvature:
    """The result of `curvature`, at float64 parameters."""
    network = problems.network
    loss, gradient = problems.main.loss_and_gradient(flat)
    if not (math.isfinite(loss) and np.isfinite(gradient).all()):
        raise InputError(
            f"The loss is {loss} at these parameters, or its gradient is not finite: there is no curvature."
        )
    low, high = extreme_eigenvalues(lambda rows: problems.hessian_product(flat, rows), flat.size)
    saturation, dead = slopes_lost(network, Parameters(network.sizes, flat), problems.inputs())
    return Curvature(loss, float(np.linalg.norm(gradient)), high, low, saturation, dead, iteration)


def extreme_eigenvalues(product: Product, n: int) -> tuple[float, float]:
    """The smallest and the largest eigenvalue of a symmetric matrix given by its products with rows."""
    if n <= WHOLE:
        H = product(np.eye(n))
        if not np.isfinite(H).all():
            return math.nan, math.nan
        values = np.linalg.eigvalsh((H + H.T) / 2)
        return float(values[0]), float(values[-1])
    high = _largest(lambda v: product(v[None])[0], n, 20, 1e-6)
    # The smallest one from its distance to the largest: near 0 it would take long to settle by itself.
    width = math.nan
    if math.isfinite(high):
        width = _largest(lambda v: high * v - product(v[None])[0], n, 40, 1e-4)
    return high - width, high


def _largest(apply: Product, n: int, vectors: int, tolerance: float) -> float:
    """The largest eigenvalue, always from the same start; NaN where it does not settle."""
    return extreme_pair(apply, n, vectors, tolerance, value_alone=True)[0]


def extreme_pair(
    apply: Product, n: int, vectors: int, tolerance: float, value_alone: bool = False
) -> tuple[float, NDArray[np.float64]]:
    """The largest eigenvalue and its vector, of length 1, by Lanczos's iteration; NaN if it never settles.

    `vectors` is the size of its basis. With `value_alone` the vector is NaN.
    """
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    operator = LinearOperator((n, n), matvec=lambda v: apply(np.ravel(v)), dtype=np.float64)
    start = np.random.RandomState(0).standard_normal(n)
    first, unknown = apply(start), np.full(n, np.nan)
    if not np.isfinite(first).all():
        return math.nan, unknown
    if not first.any():  # the matrix is 0, which ARPACK refuses
        return 0.0, start / np.linalg.norm(start)
    settings = {"v0": start, "ncv": vectors, "maxiter": 10, "tol": tolerance}
    try:
        if value_alone:
            (largest,) = eigsh(operator, 1, which="LA", return_eigenvectors=False, **settings)
            return float(largest), unknown
        (largest,), found = eigsh(operator, 1, which="LA", **settings)
    except ArpackError:  # also where it does not converge
        return math.nan, unknown
    return float(largest), found[:, 0]


class CurvatureTrace(Callback):
    """A callback that computes the curvature at the start and the end of a run, and regularly between.

    Parameters
    ----------
    X, y, sample_weight : the samples, usually those of training. The loss is that of the run: its
        reduction, penalties and class weights, without dropout.
    every : iterations between two points.
    most : the most points to keep, 3 or more. Beyond it, the trace drops every second point and doubles
        `every`, which bounds the cost of a run of any length.

    Attributes
    ----------
    points : a `Curvature` for each point, with its iteration.
    run : the run at the last point.

    The points of a resumed run follow those before; a new run starts them anew.

    The trace changes nothing in training. For 17 parameters and 50,000 samples a point takes about 70
    gradients; see `curvature` for larger networks. `glassnet.plots.curvature` draws the trace.

    Example
    -------
    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> trace = gn.CurvatureTrace(X, y, every=50)
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, iterations=200, random_state=0, callbacks=[trace])
    >>> [point.iteration for point in trace.points], trace.columns()["lambda_max"].shape
    ([0, 50, 100, 150, 200], (5,))

    The stability limit and what happens beyond it: Cohen et al., "Gradient descent on neural networks
    typically occurs at the edge of stability" (2021).
    """

    def __init__(
        self,
        X: object,
        y: object = None,
        *,
        every: int = 100,
        sample_weight: object = None,
        most: int = 400,
    ) -> None:
        self.every = as_steps(every, "every")
        self._most = as_steps(most, "most")
        if self._most < 3:
            raise InputError(f"most is {most}; expected 3 points or more.")
        self._samples = X, y, sample_weight
        self._problems: Surroundings | None = None
        self.points: list[Curvature] = []
        self.run: TrainingRun | None = None

    def on_train_begin(self, run: TrainingRun) -> None:
        X, y, sample_weight = self._samples
        data = as_dataset(X, y, sample_weight, run.network.sizes[0])
        settings = ProblemSettings(reduction=run.reduction, class_weight=run.class_weight)
        self._problems = Surroundings(run.network, data, settings)
        # Drops the points of another run, and those beyond the iteration that this one resumes from.
        self.points = [p for p in self.points if 0 < run.iterations >= (p.iteration or 0)]
        self._add_point(run)

    def on_iteration(self, run: TrainingRun) -> None:
        self._add_point(run)

    def on_train_end(self, run: TrainingRun) -> None:
        self._add_point(run)
        self._problems = None  # frees the packed data

    def _add_point(self, run: TrainingRun) -> None:
        self.run = run
        assert self._problems is not None
        self._problems.penalize(run.penalties)  # which Bayesian regularization sets at each step
        if self.points and self.points[-1].iteration == run.iterations:
            return
        if len(self.points) >= self._most:
            self.points = self.points[::2]
            self.every *= 2
        flat = np.asarray(run.parameters.flat, np.float64)
        self.points.append(curvature_at(self._problems, flat, run.iterations))

    @property
    def momentum(self) -> tuple[float, bool]:
        """The momentum of gradient descent, and whether it is Nesterov's; 0 for other optimizers."""
        rule = None if self.run is None else self.run.optimizer
        return (rule.momentum, rule.nesterov) if isinstance(rule, SGD) else (0.0, False)

    def columns(self) -> dict[str, NDArray[Any]]:
        """All points as columns of a table, with a row for each point.

        iteration, loss, gradient_norm, lambda_max, lambda_min, stability_limit with the run's momentum, and
        for each hidden layer saturation_1, dead_1 and so on.
        """
        names = ("loss", "gradient_norm", "lambda_max", "lambda_min")
        columns: dict[str, NDArray[Any]] = {
            "iteration": np.array([p.iteration for p in self.points], np.int64)
        }
        columns |= {name: np.array([getattr(p, name) for p in self.points], np.float64) for name in names}
        columns["stability_limit"] = np.array([p.stability_limit(*self.momentum) for p in self.points])
        layers = range(len(self.points[0].dead) if self.points else 0)
        columns |= {f"saturation_{i + 1}": np.array([p.saturation[i] for p in self.points]) for i in layers}
        columns |= {f"dead_{i + 1}": np.array([p.dead[i] for p in self.points], np.int64) for i in layers}
        return columns
