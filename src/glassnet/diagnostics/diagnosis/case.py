"""What a diagnosis looks at: a run with a bounded number of its rows, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.checks import Excerpt, excerpt_rows, target_rows, with_class_weights
from glassnet.data.dataset import as_dataset
from glassnet.data.reduce import Block
from glassnet.data.source import Dataset
from glassnet.data.tables.prepare import PreparedTable
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.rows import rows_of
from glassnet.diagnostics.curvature import Surroundings
from glassnet.diagnostics.diagnosis.landscape import Landscape
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings
from glassnet.errors import InputError, prefixed
from glassnet.nn import reference
from glassnet.nn.network import Parameters
from glassnet.optim import SGD
from glassnet.training.baselines import scale_of_rows
from glassnet.training.ending import raw_columns, slopes_lost
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import Solver
from glassnet.training.validation import Parts, as_validation, parts_again, validation_dataset
from glassnet.utils.array_checks import as_target

MOST_ROWS, MOST_BYTES, FEW_ROWS = 20_000, 32 << 20, 2_000
"""The most rows that are looked at and the bytes of their X; and the rows of what takes many passes."""

WORK = 20_000_000
"""Rows times parameters of the loss whose curvature is computed; a tenth with kinks, which take NumPy."""

SLOW, LEAST = 3.0, 20
"""A loss that needs fewer than so many times the iterations for the rest falls fast enough; and the fewest
iterations that are judged."""

MOST_RATES = 100_000
"""The most updates whose learning rates are looked at."""

LEARNED, POOR = 0.1, 0.5
"""Shares of a constant answer's loss: up to the first a run has learned, whatever its rows are like; from
the second on it has not."""

PARTS = 16
"""Of streamed rows so many parts are read, evenly from all."""


class NotLookedForError(Exception):
    """A check cannot look; the message says why."""


class Rows(NamedTuple):
    """Some rows as the network takes them: X (n, inputs), targets, target rows Y, and weights (n,).

    `n_all` is the number of rows that these are some of; `w` are sample weights times class weights, or 1.
    """

    X: NDArray[np.float64]
    y: NDArray[Any]
    Y: Array
    w: NDArray[np.float64]
    n_all: int

    @classmethod
    def of(cls, rows: Excerpt, run: TrainingRun, n_all: int) -> Rows:
        """Rows as a run sees them."""
        X = rows.inputs()
        if not np.isfinite(X).all():
            raise InputError("X has values that are not finite; drop those rows or impute the values.")
        w = with_class_weights(rows.w, run.class_weight, rows.y)
        weights = np.ones(len(X)) if w is None else np.asarray(w, np.float64)
        Y = target_rows(rows.y, run.network.sizes[-1], np.dtype(np.float64))
        return cls(X, rows.y, Y, weights, n_all)

    def take(self, rows: NDArray[np.int64]) -> Rows:
        """Some of them."""
        return Rows(self.X[rows], self.y[rows], self.Y[rows], self.w[rows], self.n_all)

    def labels(self, kind: str) -> NDArray[np.intp] | None:
        """The class of each row, (n,), of targets of a loss's kind; None of other than plain labels."""
        if kind not in ("class", "label"):
            return None
        if self.y.ndim == 1:
            return self.y.astype(np.intp)
        plain = np.isin(self.Y, (0, 1)).all()
        if self.Y.shape[1] == 1:
            return self.Y[:, 0].astype(np.intp) if plain else None
        return self.Y.argmax(axis=1) if plain and (self.Y.sum(axis=1) == 1).all() else None


def rows_from(dataset: Dataset, run: TrainingRun) -> Rows:
    """At most `MOST_ROWS` rows, evenly from all of a dataset."""
    network = run.network
    dataset.require_targets()
    dataset.require_width(network.sizes[0])
    chosen = excerpt_rows(dataset.n_rows, dataset.n_inputs, MOST_ROWS, MOST_BYTES)
    if isinstance(dataset, InMemory):
        X, y, w = dataset.whole(network)
        X, y, w = X[chosen], y[chosen], None if w is None else w[chosen]
    else:
        X, y, w = _parts_of(dataset, len(chosen))
        y = as_target(y, len(y), network.sizes[-1], network.loss.target)
    return Rows.of(Excerpt(X, y, w), run, dataset.n_rows)


def _parts_of(dataset: Dataset, most: int) -> Block:
    """Some streamed rows: parts of neighbors, evenly from all."""
    n, dtype, at_once = dataset.n_rows, np.dtype(np.float64), dataset.block_rows(1)
    if n <= most:
        return dataset.read_all(dtype)
    each = most // PARTS
    starts = [part * (n - each) // (PARTS - 1) for part in range(PARTS)]
    blocks = [b.copy() for start in starts for b in dataset.read(start, start + each, at_once, dtype)]
    return Block.concatenated(blocks)


def _kept(run: TrainingRun) -> tuple[Rows, Rows | None]:
    """Some of the rows that a run in memory still has: those trained on, and those held out."""
    if run.data is None:
        raise InputError(
            "This run was loaded or copied and holds no data: give X and y, as train took them."
        )
    held_out = run.data.held_out or run.data.test
    return _excerpt(run, run.data.problem), None if held_out is None else _excerpt(run, held_out.problem)


def _excerpt(run: TrainingRun, problem: Problem | Batches) -> Rows:
    return Rows.of(problem.summary.excerpt, run, problem.n_samples)


def _given(run: TrainingRun, validation: object) -> Rows:
    """A user's rows held out."""
    with prefixed("validation"):
        samples = as_validation(validation)
        if isinstance(samples, float):
            raise InputError("it is a fraction; expected rows held out, (X, y).")
    return rows_from(validation_dataset(run.network, samples, run.encoding), run)


def _names(run: TrainingRun) -> tuple[str, ...] | None:
    """The inputs' names that a run keeps of its table."""
    known = run.extra.get("preprocessing")
    if not isinstance(known, Mapping):
        return None
    names = Preprocessing.from_dict(known).inputs
    return names if len(names) == run.network.sizes[0] else None


class Case:
    """A run and its rows. What is costly is computed where a check asks for it, once.

    `training` are rows that it was trained on, `held_out` others, or None; `names` the inputs'.
    """

    def __init__(
        self, run: TrainingRun, training: Rows, held_out: Rows | None, names: tuple[str, ...] | None
    ) -> None:
        self.run, self.network = run, run.network
        self.names = names or run.encoding.features or _names(run)
        self.training, self.held_out = training, held_out
        flat = run.theta.flat if run.status != "diverged" else run.parameters.flat
        self.theta = Parameters(run.network.sizes, flat.astype(np.float64))

    @classmethod
    def of(cls, run: TrainingRun, X: object, y: object, sample_weight: object, validation: object) -> Case:
        """The case of a user's data; raises what `train` raises for data that do not fit."""
        network = run.network
        given = None if validation is None else _given(run, validation)
        if X is None:
            if y is not None or sample_weight is not None:
                raise InputError("y and sample_weight go together with X: give all of them, or none.")
            kept, others = _kept(run)
            return cls(run, kept, others if given is None else given, None)
        table = None if isinstance(X, PreparedTable) else rows_of(X, run.extra)
        if table is not None:
            X, y = table.scored(y)
        else:
            y = run.encoding.numbers(y)
        dataset = as_dataset(X, y, sample_weight, network.sizes[0])
        dataset.require_targets()
        rows = None if run.validation is None else run.validation.rows
        if table is not None and rows is not None and len(rows) != dataset.n_rows:
            parts = Parts(dataset)  # of the table `glassnet train` took some for a test
        else:
            parts = parts_again(network, dataset, run.validation)
        parts = parts.scaled(run.encoding.scaling)
        held_out = parts.held_out or parts.test
        if given is None and held_out is not None:
            given = rows_from(held_out, run)
        return cls(run, rows_from(parts.training, run), given, dataset.names)

    # ---- Of the settings ------------------------------------------------------------------------------

    @property
    def has_rate(self) -> bool:
        """Whether the rule has a learning rate."""
        return not isinstance(self.run.optimizer, Solver)

    @cached_property
    def rates(self) -> NDArray[np.float64]:
        """The learning rates of the updates; of very many the first and the last."""
        rule, made = self.run.optimizer, max(self.run.updates, 1)
        assert not isinstance(rule, Solver)
        size = self.run.batch_size
        in_epoch = 1 if size is None else -(-self.training.n_all // size)
        first = rule.schedule.rates(1, min(made, MOST_RATES), in_epoch)
        return np.append(first, rule.schedule.rates(made, 1, in_epoch))

    @property
    def rate(self) -> float:
        """The largest learning rate."""
        return float(self.rates.max())

    @property
    def last_rate(self) -> float:
        """The learning rate of the last update."""
        return float(self.rates[-1]) or self.rate

    @property
    def momentum(self) -> tuple[float, bool]:
        """The momentum of gradient descent, and whether it is Nesterov's."""
        rule = self.run.optimizer
        return (rule.momentum, rule.nesterov) if isinstance(rule, SGD) else (0.0, False)

    @property
    def on_batches(self) -> bool:
        """Whether an iteration is an epoch."""
        return self.run.batch_size is not None

    def column(self, place: int) -> str:
        """An input by its name, or its number."""
        return f"column {place} of X" if self.names is None else f"column {self.names[place]!r}"

    def name(self, place: int) -> str:
        """An input's name, or its number."""
        return str(place) if self.names is None else self.names[place]

    def label(self, number: int) -> str:
        """A class as the user knows it."""
        known = self.run.encoding.classes or (self.run.preprocessing or {}).get("classes")
        return repr(known[number]) if known else str(number)

    def resume(self, iterations: int, optimizer: str) -> str:
        """The call that goes on with another rule, as one would write it."""
        data = ", X=X, y=y" if self.run.data is None else ""
        return f"run.resume({iterations}, optimizer={optimizer}{data})"

    # ---- Where the run stands -------------------------------------------------------------------------

    @cached_property
    def labels(self) -> NDArray[np.intp] | None:
        """The class of each training row; None of quantities."""
        return self.training.labels(self.network.loss.target)

    @cached_property
    def few(self) -> Rows:
        """Some of the rows, for what takes many passes."""
        rows = self.training
        return rows.take(excerpt_rows(len(rows.X), rows.X.shape[1], FEW_ROWS))

    @cached_property
    def unit(self) -> float:
        """What a mean loss is multiplied by in the run's curve of losses."""
        if self.run.reduction == "mean":
            return 1.0
        n = self.run.batch_size if self.run.batch_size is not None else self.training.n_all
        return n * float(self.training.w.mean())

    def outputs(self, theta: Parameters, X: NDArray[np.float64]) -> Array:
        """The output layer's Z."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, self.network.hidden)
        return Zs[-1]

    def mean_loss(self, Z: Array, rows: Rows) -> float:
        """The mean loss of outputs, in the unit of the run's losses, without penalties."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            total = reference.loss(Z, rows.Y, self.network.loss, rows.w)
        return self.unit * total / float(rows.w.sum())

    def row_losses(self, rows: Rows) -> NDArray[np.float64]:
        """The loss of each row, in the unit of a mean loss."""
        Z = self.answers if rows is self.training else self.outputs(self.theta, rows.X)
        with np.errstate(all="ignore"):
            return np.asarray(self.network.loss.value(Z, rows.Y), np.float64)

    @cached_property
    def answers(self) -> Array:
        """The output layer's Z of the training rows."""
        return self.outputs(self.theta, self.training.X)

    @cached_property
    def loss(self) -> float:
        """The loss of the training rows, without penalties and dropout, in the unit of the run's losses."""
        return self.mean_loss(self.answers, self.training)

    @cached_property
    def scale(self) -> tuple[float, float]:
        """The loss of the best constant answer, and of the perfect one."""
        scale = scale_of_rows(self.network.loss, self.training.Y, self.training.w)
        return self.unit * scale.baseline, self.unit * scale.floor

    @property
    def height(self) -> float:
        """How much lower the perfect answer's loss is than the best constant's."""
        return self.scale[0] - self.scale[1]

    @cached_property
    def left(self) -> float:
        """The share of `height` that is still there: 0 is perfect, 1 no better than a constant answer."""
        if self.run.status == "diverged" or not math.isfinite(self.loss):
            return math.inf
        return (self.loss - self.scale[1]) / self.height if self.height > 0 else 0.0

    @cached_property
    def raw_inputs(self) -> list[tuple[int, float, float]]:
        """Number, mean and standard deviation of columns that vary and are far from standardized."""
        return [column for column in raw_columns(self.training.X) if column[2] > 0]

    @cached_property
    def raw_targets(self) -> list[tuple[int, float, float]]:
        """The same of targets that are quantities."""
        return raw_columns(self.training.Y) if self.network.loss.target == "real" else []

    @property
    def is_raw(self) -> bool:
        """Whether columns of X or y are far from standardized."""
        return bool(self.raw_inputs or self.raw_targets)

    @cached_property
    def slopes(self) -> tuple[tuple[float, ...], tuple[int, ...]]:
        """Each hidden layer's share of saturated pairs of sample and unit, and its number of dead units."""
        return slopes_lost(self.network, self.theta, [self.few.X])

    @property
    def pace(self) -> float:
        """The fall of the loss in an iteration, over the last fifth of them; infinite of too few."""
        losses = self.run.losses[np.isfinite(self.run.losses)]
        part = max(len(losses) // 10, 1)
        if len(losses) < 2 * part + 1:
            return math.inf
        before, after = np.median(losses[-2 * part : -part]), np.median(losses[-part:])
        return float(before - after) / part

    @property
    def iterations_left(self) -> float:
        """How many iterations at this pace would take the loss to its floor."""
        return self.left * self.height / self.pace if self.pace > 0 else math.inf

    @property
    def falls_fast(self) -> bool:
        """Whether the loss was on its way down when training ended."""
        return self.iterations_left < SLOW * self.run.iterations

    @property
    def is_under_way(self) -> bool:
        """Whether training had too few iterations to be judged, or was on its way down."""
        solved = isinstance(self.run.optimizer, Solver)
        return not solved and (len(self.run.losses) < LEAST or self.falls_fast)

    # ---- The loss around the run's parameters ---------------------------------------------------------

    @cached_property
    def surroundings(self) -> Surroundings:
        """The loss over a few rows, which stand for all, as the run's reduction and penalties have it."""
        inputs, parameters = self.training.X.shape[1], self.network.n_parameters
        kinks = self.network.loss.kinks or any(record.kinks for record in self.network.hidden)
        most = max(64, min(FEW_ROWS, (WORK // 10 if kinks else WORK) // parameters))
        rows = self.training.take(excerpt_rows(len(self.training.X), inputs, most))
        weights = rows.w
        if self.run.reduction == "sum":
            weights = weights * (self.unit / float(weights.sum()))
        data = InMemory(rows.X, rows.y, weights)
        settings = ProblemSettings(reduction=self.run.reduction, penalties=self.run.penalties)
        return Surroundings(self.network, data, settings)

    @cached_property
    def landscape(self) -> Landscape:
        """The gradient and the curvature at the run's parameters."""
        return Landscape(self.surroundings, self.theta.flat)

    def landscape_at(self, theta: Parameters) -> Landscape:
        """The same at other parameters."""
        return Landscape(self.surroundings, theta.flat)
