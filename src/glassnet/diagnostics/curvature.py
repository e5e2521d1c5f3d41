"""What the curve says at a point, and along a run: gradient, curvature, saturation."""

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
from glassnet.training.stall_warning import slopes_lost
from glassnet.utils.settings_checks import as_decay, as_positive, as_steps

WHOLE = 100
"""Parameters up to which all eigenvalues are computed; beyond, the two ends of them by Lanczos."""

Product = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class Curvature:
    """What the loss looks like around a point: `curvature` makes it.

    Attributes
    ----------
    loss, gradient_norm : the reduced loss with its penalties, and the length of its gradient.
    lambda_max, lambda_min : the largest and the smallest eigenvalue of the exact Hessian; below 0 the
        loss bends downward along some direction, and the point is no minimum. Beyond 100 parameters
        lambda_min is good to about 1e-5 lambda_max; NaN where Lanczos's iteration has not settled. Both are
        NaN where the Hessian overflows.
    saturation : for each hidden layer the share of all (sample, unit) pairs where the unit's slope is
        less than a twentieth of its function's largest one: what comes back through it is next to nothing.
    dead : for each hidden layer the number of units whose slope is less than a thousandth at every sample.
    iteration : of a run, or None.

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
        """The largest learning rate that momentum m can take here: 2 (1 + m) / lambda_max.

        Beyond it, steps along the sharpest direction of the loss, as it is bent here, grow. With Nesterov's
        momentum it is 2 (1 + m) / ((1 + 2 m) lambda_max). Infinite where nothing bends upward.

        Of the loss as it is reduced: for a summed one it is smaller by the number of samples. Polyak,
        "Some methods of speeding up the convergence of iteration methods" (1964).
        """
        m = as_decay(momentum, "momentum")
        if self.lambda_max <= 0:
            return math.inf
        return 2 * (1 + m) / ((1 + 2 * m if nesterov else 1.0) * self.lambda_max)

    def escape_iterations(self, learning_rate: float, momentum: float = 0.0) -> float:
        """How many iterations gradient descent with momentum takes to get e times as far from a saddle.

        Along the direction of lambda_min < 0, 1 / ln r, where r is the larger root of
        r^2 - (1 + m - rate lambda_min) r + m = 0; about (1 - m) / (rate |lambda_min|) where that is many.
        Infinite where nothing bends downward.
        """
        rate, m = as_positive(learning_rate, "learning_rate"), as_decay(momentum, "momentum")
        if not self.lambda_min < 0:
            return math.inf
        # r = 1 + x with x^2 + (1 - m - s) x - s = 0, s = rate |lambda_min|: no digit is lost in a tiny x.
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
    """The gradient's length, the exact Hessian's ends, and saturated and dead units, at one point.

    Parameters
    ----------
    network, theta, X, y : as for `check_gradients`; everything is computed in float64. X may be what
        `stream` takes: all rows are then read for every product of the Hessian with some vectors, up to
        100 parameters about four times in all, beyond some hundred times. Some of the rows tell as much.
    reduction, sample_weight, class_weight, l1, l2 : as in training, whose loss this is about.
    engine, threads : as for `prepare`.

    The Hessian is all of it, what depends on the residuals too. Up to 100 parameters it is made whole and
    all eigenvalues are computed; beyond that Lanczos's iteration (SciPy's ``eigsh``) finds the two ends
    from about a hundred products. A product takes four gradients natively (central differences at two
    distances, good to about 11 digits; see `Problem.hessian_product`); with functions that have kinks, such
    as relu, it is Pearlmutter's R operator in NumPy, and the Hessian the one between the kinks.

    Raises what `prepare` raises.

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
    problems = _Problems(network, data, settings)
    flat = network.check_parameters(theta).flat
    return look(problems, np.asarray(flat, np.float64))


class _Problems:
    """The loss over some samples, and how its Hessian is best computed."""

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
        """All inputs, some rows at a time."""
        data, dtype = self._data.inputs(), np.dtype(np.float64)
        return (block.X for block in data.read(0, data.n_rows, data.block_rows(1), dtype))

    def penalize(self, penalties: Penalties) -> None:
        """From here on the loss has these penalties."""
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


def look(problems: _Problems, flat: Array, iteration: int | None = None) -> Curvature:
    """What `curvature` gives, at float64 parameters."""
    network = problems.network
    loss, gradient = problems.main.loss_and_gradient(flat)
    if not (math.isfinite(loss) and np.isfinite(gradient).all()):
        raise InputError(f"The loss is {loss} at these parameters: it has no curvature that could be told.")
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
    # The smallest one by its distance from the largest: near 0 it would be long in settling by itself.
    width = math.nan
    if math.isfinite(high):
        width = _largest(lambda v: high * v - product(v[None])[0], n, 40, 1e-4)
    return high - width, high


def _largest(apply: Product, n: int, vectors: int, tolerance: float) -> float:
    """The largest eigenvalue, from the same start each time; NaN where it does not settle."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    operator = LinearOperator((n, n), matvec=lambda v: apply(np.ravel(v)), dtype=np.float64)
    start = np.random.RandomState(0).standard_normal(n)
    first = apply(start)
    if not np.isfinite(first).all():
        return math.nan
    if not first.any():  # which ARPACK refuses: the matrix is 0
        return 0.0
    try:
        found = eigsh(
            operator,
            1,
            which="LA",
            v0=start,
            ncv=vectors,
            maxiter=10,
            tol=tolerance,
            return_eigenvectors=False,
        )
    except ArpackError:  # that it has not converged is one of them
        return math.nan
    return float(found[0])


class CurvatureTrace(Callback):
    """A callback that looks at the curvature at a run's start, every so many iterations, and at its end.

    Parameters
    ----------
    X, y, sample_weight : the samples to look at, as a rule those that training gets. The loss is the run's:
        its reduction, penalties and class weights, without dropout.
    every : iterations between two looks.
    most : looks that are kept, 3 or more. Where there would be more of them, every second one is let go
        of and `every` is doubled: what a run of any length costs is bounded.

    Attributes
    ----------
    points : a `Curvature` for each look, with its iteration.
    run : the run as it was last seen.

    Where a run is resumed the points go on; where one begins they begin anew.

    Looking changes nothing in training. For 17 parameters and 50,000 samples a look takes about 70
    gradients; see `curvature` for what it takes of larger networks. `glassnet.plots.curvature` draws it.

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
            raise InputError(f"most is {most}; expected 3 looks or more.")
        self._samples = X, y, sample_weight
        self._problems: _Problems | None = None
        self.points: list[Curvature] = []
        self.run: Any = None

    def on_train_begin(self, run: Any) -> None:
        X, y, sample_weight = self._samples
        data = as_dataset(X, y, sample_weight, run.network.sizes[0])
        settings = ProblemSettings(reduction=run.reduction, class_weight=run.class_weight)
        self._problems = _Problems(run.network, data, settings)
        # What was seen of another run, or of this one beyond the point that it is resumed from.
        self.points = [one for one in self.points if 0 < run.iterations >= (one.iteration or 0)]
        self._look(run)

    def on_iteration(self, run: Any) -> None:
        self._look(run)

    def on_train_end(self, run: Any) -> None:
        self._look(run)
        self._problems = None  # lets go of the packed data

    def _look(self, run: Any) -> None:
        self.run = run
        assert self._problems is not None
        self._problems.penalize(run.penalties)  # which Bayesian regularization chooses anew with each step
        if self.points and self.points[-1].iteration == run.iterations:
            return
        if len(self.points) >= self._most:
            self.points = self.points[::2]
            self.every *= 2
        self.points.append(
            look(self._problems, np.asarray(run.parameters.flat, np.float64), run.iterations)
        )

    @property
    def momentum(self) -> tuple[float, bool]:
        """That of the run's gradient descent, and whether it is Nesterov's; none for other optimizers."""
        rule = None if self.run is None else self.run.optimizer
        return (rule.momentum, rule.nesterov) if isinstance(rule, SGD) else (0.0, False)

    def columns(self) -> dict[str, NDArray[Any]]:
        """All that was seen as columns of a table, a row for each look.

        iteration, loss, gradient_norm, lambda_max, lambda_min, stability_limit with the run's momentum, and
        for each hidden layer saturation_1, dead_1 and so on.
        """
        points = self.points
        names = ("loss", "gradient_norm", "lambda_max", "lambda_min")
        layers = len(points[0].dead) if points else 0
        return {
            "iteration": np.array([one.iteration for one in points], np.int64),
            **{name: np.array([getattr(one, name) for one in points], np.float64) for name in names},
            "stability_limit": np.array([one.stability_limit(*self.momentum) for one in points]),
            **{
                f"saturation_{i + 1}": np.array([one.saturation[i] for one in points])
                for i in range(layers)
            },
            **{f"dead_{i + 1}": np.array([one.dead[i] for one in points], np.int64) for i in range(layers)},
        }
