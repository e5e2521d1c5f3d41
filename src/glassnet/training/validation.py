"""Validation: the samples that evaluate a run, its evaluations, and the stopping rule at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.checks import fingerprint
from glassnet.data.encoding import Encoding
from glassnet.data.source import Dataset
from glassnet.data.standardization import Scaling
from glassnet.engine.full_batch import Problem
from glassnet.engine.metrics import accuracy
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.errors import InputTypeError, prefixed
from glassnet.nn.network import Network, Parameters
from glassnet.training.early_stopping import EarlyStopping, Metric, metric_name, metric_value
from glassnet.utils.settings_checks import as_fraction

EVALUATIONS = ("iterations", "losses", "scores", "test_losses", "metric_values")
"""The fields of a `Validation` that grow by each evaluation."""


@dataclass(frozen=True, eq=False)
class Validation:
    """The evaluations of a run, and the state of its stopping rule.

    A run is evaluated at iteration 0 on the full batch, and at every multiple of `every`. `losses` and
    `scores` (of a metric that is not the loss) have a value for each evaluation. `best` is the best value,
    `waited` the number of evaluations since one improved. `best_point` holds the parameters of
    `best_iteration`, (1, n_parameters), or (2, n_parameters) with their running mean; `last_point`, in a
    run that has gone back to them, those that training had come to and goes on from.

    `fingerprint` recognizes the validation data; None without any. Where a fraction was held out, `rows`
    are the row numbers trained on and then the `n_held_out` held out. Where one was held out for a test,
    `test_rows` are its row numbers, which `rows` lacks, and `test_losses` its losses. `metric_values` are
    those of `metrics`, (evaluations, metrics).
    """

    every: int = 1
    stopping: EarlyStopping | None = None
    fingerprint: tuple[float, ...] | None = None
    rows: NDArray[np.int64] | None = None
    n_held_out: int = 0
    iterations: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    scores: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    best: float = np.nan
    best_iteration: int | None = None
    waited: int = 0
    best_point: Array | None = None
    last_point: Array | None = None
    metrics: tuple[str | Metric, ...] = ()
    metric_values: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)))
    test_rows: NDArray[np.int64] | None = None
    test_losses: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        for name in EVALUATIONS:
            values = getattr(self, name).view()
            values.flags.writeable = False  # snapshots share one history
            object.__setattr__(self, name, values)

    @property
    def keeps_samples(self) -> bool:
        """Whether a metric other than the loss needs the samples themselves."""
        return bool(self.metrics) or (self.stopping is not None and self.stopping.metric != "loss")

    @property
    def functions(self) -> dict[str, Metric]:
        """The metrics of the user's own by name."""
        metrics = [*self.metrics, *([] if self.stopping is None else [self.stopping.metric])]
        return {metric_name(metric): metric for metric in metrics if not isinstance(metric, str)}

    @property
    def training_rows(self) -> NDArray[np.int64] | None:
        """The numbers of the rows trained on, where a fraction was held out."""
        return None if self.rows is None else self.rows[: len(self.rows) - self.n_held_out]

    @property
    def validation_rows(self) -> NDArray[np.int64] | None:
        """The numbers of the rows held out to evaluate the run, where they are a fraction."""
        return None if self.rows is None else self.rows[len(self.rows) - self.n_held_out :]

    @property
    def reason_to_end(self) -> str:
        """Why the stopping rule ends training; "" where there is none or training goes on."""
        return "" if self.stopping is None else self.stopping.reason_to_end(self.best, self.waited)

    def going_on(self) -> Validation:
        """The record to resume from: after a stop, patience starts again."""
        return replace(self, last_point=None, waited=0 if self.reason_to_end else self.waited)


class Parts(NamedTuple):
    """The rows to train on, those that evaluate a run, and those of its test."""

    training: Dataset
    held_out: Dataset | None = None
    test: Dataset | None = None

    def scaled(self, scaling: Scaling | None) -> Parts:
        """The parts as a network takes them."""
        if scaling is None:
            return self
        held_out, test = (None if part is None else scaling.applied(part) for part in self[1:])
        return Parts(scaling.applied(self.training), held_out, test)


def scaled_parts(network: Network, parts: Parts, targets: bool) -> tuple[Scaling, Parts]:
    """The scaling of the rows to train on, of y too with `targets`, and all parts scaled by it."""
    scaling = Scaling.measured(network, parts.training, targets)
    return scaling, parts.scaled(scaling)


def parts_again(network: Network, dataset: Dataset, validation: Validation | None) -> Parts:
    """The parts that a run divided its rows into, from its record."""
    if validation is None or validation.rows is None:
        return Parts(dataset)
    test, rows = None, validation.rows
    if validation.test_rows is not None:
        whole = np.concatenate([rows, validation.test_rows])
        split = dataset.hold_out_again(network, whole, len(validation.test_rows))
        dataset, test, rows = split.training, split.held_out, np.arange(len(rows))
    if not validation.n_held_out:
        return Parts(dataset, None, test)
    split = dataset.hold_out_again(network, rows, validation.n_held_out)
    return Parts(split.training, split.held_out, test)


def as_validation(validation: object) -> float | Samples:
    """`validation` as a fraction, or as X, y and sample weights (None where there are none)."""
    if isinstance(validation, (int, float, np.number)) and not isinstance(validation, bool):
        return as_fraction(validation, "validation")
    if not isinstance(validation, Sequence) or isinstance(validation, str) or len(validation) not in (2, 3):
        raise InputTypeError(
            f"validation is (X, y), (X, y, sample_weight) or a fraction such as 0.1, not "
            f"{type(validation).__name__}."
        )
    X, y, *weights = validation
    return X, y, weights[0] if weights else None


Samples = tuple[object, object, object]
"""A user's X, y and sample weights, None where there are none."""


def validation_dataset(network: Network, samples: Samples, encoding: Encoding) -> Dataset:
    """A user's samples that evaluate a network, as the network takes them.

    Errors begin with "validation:".
    """
    X, y, weights = samples
    with prefixed("validation"):
        dataset = InMemory.validated(X, encoding.numbers(y), weights, network.sizes[0])
        dataset.check_targets(network)
        return dataset if encoding.scaling is None else encoding.scaling.applied(dataset)


class HeldOut:
    """Validation data made ready for many evaluations, by the engine that trains.

    Precision, reduction and class weights are those of `trained`; `keep` keeps the samples themselves, for
    a metric that is not the loss. A function gets targets and predictions in the unit of y, which `scaling`
    tells. `problem` has the samples.
    """

    def __init__(
        self,
        trained: Problem | Batches,
        dataset: Dataset,
        keep: bool,
        scaling: Scaling | None = None,
    ) -> None:
        setup = trained.setup
        names = "dtype", "reduction", "engine", "threads", "class_weight"
        settings = ProblemSettings(**{name: getattr(setup, name) for name in names})
        with prefixed("validation"):
            problem = prepare_problem(setup.network, dataset, settings)
        assert isinstance(problem, Problem)
        X, self._y, self._weights = dataset.whole(setup.network)
        self.problem, self._scaling = problem, scaling
        self._X = np.ascontiguousarray(X.astype(setup.dtype, copy=False)) if keep else None
        self.fingerprint = fingerprint(X, self._y, self._weights)

    def loss(self, flat: Array) -> float:
        """The reduced loss without penalties."""
        return self.problem.loss(flat)

    def score(self, stopping: EarlyStopping, flat: Array) -> float:
        """The metric of `stopping`."""
        return self.measure(stopping.metric, flat, stopping.response)

    def measure(self, metric: str | Metric, flat: Array, response: str = "predict") -> float:
        """A metric: the accuracy, or a function of targets and of the predictions of `response`."""
        network = self.problem.network
        theta = Parameters(network.sizes, flat)  # of its own: several threads may ask at once
        if metric == "accuracy":
            predicted = network.predict(theta, self._X)
            y = np.argmax(self._y, axis=1) if self._y.ndim > predicted.ndim else self._y
            return accuracy(y, predicted, self._weights)
        assert callable(metric)
        respond = network.predict if response == "predict" else network.predict_proba
        pair: list[NDArray[Any]] = [self._y, respond(theta, self._X)]
        if self._scaling is not None:
            pair = [self._scaling.values(values) for values in pair]
        return metric_value(metric, metric_name(metric), *pair)


class Evaluator:
    """Evaluates a run where that is due, and remembers; `record` is what the run keeps of it."""

    def __init__(
        self, start: Validation, held_out: HeldOut | None, test: HeldOut | None, iteration: int, last: int
    ) -> None:
        self._start, self._held_out, self._test, self._stopping = start, held_out, test, start.stopping
        self._count = len(start.iterations)
        coming = last // start.every - iteration // start.every + 1
        room = self._count + (coming if held_out or test else 0)
        self._scored = start.stopping is not None and start.stopping.metric != "loss"
        self._iterations = _lengthened(start.iterations, room)
        self._losses = _lengthened(start.losses, room)
        self._scores = _lengthened(start.scores, room if self._scored else 0)
        self._test_losses = _lengthened(start.test_losses, room if test else 0)
        self._metrics = [*start.metrics]
        self._metric_values = np.empty((room, len(self._metrics)))
        if len(start.metric_values):
            self._metric_values[: len(start.metric_values)] = start.metric_values
        self._best = np.inf
        if self._stopping is not None and start.best_iteration is not None:
            self._best = self._stopping.sign * start.best
        self._best_iteration, self._waited = start.best_iteration, start.waited
        self._best_point = None if start.best_point is None else start.best_point.copy()

    @property
    def has_begun(self) -> bool:
        return self._count > 0 or self._best_iteration is not None

    def next_after(self, iteration: int) -> int:
        every = self._start.every
        return (iteration // every + 1) * every

    def evaluate(self, iteration: int, flat: Array, averaged: Array | None, loss: float) -> bool:
        """Evaluate the run after an iteration, where that is due; True ends training.

        `loss` is the training loss. The running mean of the parameters is evaluated, where there is one.
        """
        if iteration % self._start.every:
            return False
        point, value, rule = flat if averaged is None else averaged, loss, self._stopping
        if self._held_out is not None:
            value = self._held_out.loss(point)
            score = self._held_out.score(rule, point) if rule is not None and self._scored else None
            self._losses[self._count] = value
            if score is not None:
                self._scores[self._count] = value = score
            for place, metric in enumerate(self._metrics):
                self._metric_values[self._count, place] = self._held_out.measure(metric, point)
        if self._test is not None:
            self._test_losses[self._count] = self._test.loss(point)
        if self._held_out is not None or self._test is not None:
            self._iterations[self._count] = iteration
            self._count += 1
        if rule is None:
            return False
        value *= rule.sign
        improved = self._best - value > rule.tolerance
        if value < self._best:  # never where it is NaN
            self._best, self._best_iteration = value, iteration
            if rule.restore_best:
                rows = [flat] if averaged is None else [flat, averaged]
                if self._best_point is None:
                    self._best_point = np.empty((len(rows), flat.size), flat.dtype)
                np.stack(rows, out=self._best_point)
        self._waited = 0 if improved else self._waited + 1
        return bool(rule.reason_to_end(rule.sign * self._best, self._waited))

    def loss_at(self, iteration: int) -> float | None:
        """The validation loss of this iteration, where it was evaluated."""
        at = self._count - 1
        known = self._held_out is not None and at >= 0 and self._iterations[at] == iteration
        return float(self._losses[at]) if known else None

    def forget(self, after: int) -> None:
        """Take back the evaluations of later iterations, which are taken back themselves."""
        while self._count > 0 and self._iterations[self._count - 1] > after:
            self._count -= 1

    def record(self) -> Validation:
        """The evaluations so far, in memory that stays as it is."""
        best, rule = np.nan, self._stopping
        if rule is not None and self._best_iteration is not None:
            best = self._best * rule.sign
        return replace(
            self._start,
            iterations=self._iterations[: self._count],
            losses=self._losses[: self._count if self._held_out else 0],
            test_losses=self._test_losses[: self._count],
            metric_values=self._metric_values[: self._count if self._metrics else 0],
            scores=self._scores[: self._count],
            best=best,
            best_iteration=self._best_iteration,
            waited=self._waited,
            best_point=None if self._best_point is None else self._best_point.copy(),
        )


def _lengthened(values: NDArray[Any], length: int) -> NDArray[Any]:
    longer = np.empty(max(length, len(values)), values.dtype)
    longer[: len(values)] = values
    return longer
