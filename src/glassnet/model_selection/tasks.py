"""The networks of a sweep, each as what `train` is told of it, and the data that they share."""

from __future__ import annotations

import copy
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import RowSubset
from glassnet.data.checks import CheckedData
from glassnet.data.fixed_order import Moments, moments
from glassnet.data.preprocessing import Preprocessing
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.metrics import Measure
from glassnet.model_selection.settings import Recipe
from glassnet.model_selection.sweep_folds import Fold
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.training.baselines import Scale, scale_of
from glassnet.training.callbacks import Hooks
from glassnet.training.loop import Progress, continue_run, course_of, masks_of
from glassnet.training.run import TrainingRun
from glassnet.training.settings import FitSettings
from glassnet.training.train import Maker, begin
from glassnet.training.validation import HeldOut, Parts, Samples
from glassnet.utils.array_checks import as_dtype, as_target

KEPT_BYTES = 1 << 30
"""Of packed data, that runs hold on to so that they can be resumed without being given them again."""


@dataclass(frozen=True)
class Task:
    """One network to train: its place in the sweep, which setting, seed and fold, and its recipe."""

    number: int
    setting: int
    settings: Mapping[str, Any]
    recipe: Recipe
    seed: int | None = None
    fold: int | None = None

    @property
    def iterations(self) -> int:
        """How many it is trained for."""
        return int(self.recipe.told["iterations"])


@dataclass(frozen=True)
class Sources:
    """What all networks of a sweep have in common: the data, checked, and where they start."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None
    flat_targets: bool
    folds: tuple[Fold, ...] | None
    parameters: Parameters | NDArray[Any] | None
    stream: RandomState | None
    """The random numbers that every network without a seed of its own begins with, from a copy."""
    measure: Measure | None
    held_out: bool = False
    """Whether the metric is of samples that a network was not trained on."""
    standardize: bool = False
    """Whether the columns of X are standardized by each fold's training rows."""


class Store:
    """What was made for a key, made once; beyond a number of bytes only what was asked for last stays."""

    def __init__(self, at_hand: int, most_bytes: int = KEPT_BYTES) -> None:
        self._at_hand, self._most, self._bytes = at_hand, most_bytes, 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, list[Any]] = OrderedDict()

    @property
    def overflows(self) -> bool:
        """Whether what was made so far is too much to be kept."""
        return self._bytes > self._most

    def get(self, key: Hashable, make: Callable[[], Any], of: object, n_bytes: int = 0) -> Any:
        """What `make` made for the key; two threads that ask at a time wait for one of them.

        `of` are the objects whose identities are in the key: they live for as long as the entry.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = [threading.Lock(), None, of]
                self._bytes += n_bytes
                while self.overflows and len(self._entries) > self._at_hand:
                    self._entries.popitem(last=False)
            else:
                self._entries.move_to_end(key)
        with entry[0]:
            if entry[1] is None:
                entry[1] = make()
        return entry[1]


class Shared(Maker):
    """Data made ready once for all networks that can share them; keys hold the identity of arrays."""

    def __init__(self, threads: int) -> None:
        self.store = Store(at_hand=8 * threads)

    def checked(self, network: Network, X: object, y: object, *how: Any) -> CheckedData:
        key = ("checked", network, id(X), id(y), *map(_key, how))
        make = super().checked
        data: CheckedData = self.store.get(key, lambda: make(network, X, y, *how), (X, y, how))
        return data

    def held_out_parts(
        self, network: Network, data: CheckedData, fraction: float, random: RandomState
    ) -> Parts:
        parts = super().held_out_parts(network, data, fraction, random)
        # The same rows are the same objects, which is what the other keys go by.
        key = self._key_of_parts(data.X, parts.rows, parts.n_held_out)
        size = 4 * parts.rows.nbytes
        found: Parts = self.store.get(key, lambda: parts, data.X, size)
        return found

    @staticmethod
    def _key_of_parts(X: Any, rows: NDArray[np.int64], n_held_out: int) -> Hashable:
        return "parts", id(X), hashlib.sha256(rows.tobytes()).digest(), n_held_out

    def parts_again(self, X: Any, y: Any, weights: Any, rows: NDArray[np.int64], n: int) -> Samples:
        """The samples that were held out as these rows of X."""

        def make() -> Parts:
            train, test = (
                (RowSubset(X, some), y[some], None if weights is None else weights[some])
                for some in (rows[:-n], rows[-n:])
            )
            return Parts(train, test, rows, n)

        found: Parts = self.store.get(self._key_of_parts(X, rows, n), make, X, 4 * rows.nbytes)
        return found.held_out

    def prepared(self, network: Network, samples: Any, batch_size: int | None, **how: Any) -> Any:
        threads = how.pop("threads")
        penalties = Penalties(how.pop("l1"), how.pop("l2"), how.pop("max_norm"))
        X, y, weights = samples
        told = tuple((name, _key(value)) for name, value in sorted(how.items()))
        key = ("prepared", network, id(X), id(y), id(weights), batch_size, told)
        make = super().prepared
        made = self.store.get(
            key,
            lambda: make(network, samples, batch_size, threads=threads, **how),
            (samples, how),
            _packed_bytes(network, X),
        )
        own = on_threads(made, threads)
        own.penalties = penalties
        return own

    def held_out(self, trained: Problem | Batches, samples: Any, keep: bool) -> HeldOut:
        about = trained.network, trained.dtype.name, trained.reduction, trained.engine, trained.class_weight
        key = ("held out", *about, *map(id, samples), keep)
        make = super().held_out
        size = _packed_bytes(trained.network, samples[0]) * (2 if keep else 1)
        found: HeldOut = self.store.get(key, lambda: make(trained, samples, keep), samples, size)
        return found


def _packed_bytes(network: Network, X: Any) -> int:
    return 8 * (network.sizes[0] + network.sizes[-1] + 1) * len(X)


def on_threads(problem: Any, threads: int) -> Any:
    """The same problem or batches over the same packed data, on another number of threads."""
    other = copy.copy(problem)
    if other.engine == "native":
        other.threads = threads
    return other


def _key(value: Any) -> Hashable:
    """What tells values of an argument apart: large arrays by which they are, anything else by its bits."""
    large = isinstance(value, (np.ndarray, RowSubset)) and value.size > 100
    return id(value) if large else identity_here(value)


class Workshop:
    """Trains networks of a sweep over data that they share; any number of threads may ask at a time."""

    def __init__(self, sources: Sources, workers: int, threads: int) -> None:
        self.sources, self.threads = sources, threads
        self.shared = Shared(workers)
        self._samples: dict[int | None, tuple[Any, Any, Any]] = {}
        self._held: dict[int, tuple[Any, Any, Any]] = {}
        self._moments: dict[int, Moments] = {}
        self._lock = threading.Lock()

    def samples(self, fold: int | None) -> tuple[Any, Any, Any]:
        """X, y and weights that a fold's networks are trained on, the same objects each time."""
        with self._lock:
            if fold not in self._samples:
                whole = self.sources.X, self.sources.y, self.sources.weights
                self._samples[fold] = whole if fold is None else self._take(fold, self._fold(fold).train)
            return self._samples[fold]

    def _fold(self, fold: int) -> Fold:
        assert self.sources.folds is not None
        return self.sources.folds[fold]

    def _take(self, fold: int, rows: NDArray[np.int64]) -> tuple[Any, Any, Any]:
        X, w = self.sources.X, self.sources.weights
        taken = self._standardized(fold, X[rows]) if self.sources.standardize else RowSubset(X, rows)
        return taken, self.sources.y[rows], None if w is None else w[rows]

    def _standardized(self, fold: int, X: NDArray[Any]) -> NDArray[Any]:
        """Rows by the mean and the deviation of the fold's training rows, which come first."""
        if fold not in self._moments:
            found = moments(X)
            found.check_finite(lambda place: f"X, column {place}, in the training rows of fold {fold},")
            self._moments[fold] = found
        found = self._moments[fold]
        scaled = (X - found.center) / found.scale
        return np.ascontiguousarray(scaled, as_dtype(None, X))

    def _preprocessing(self, fold: int, network: Network) -> dict[str, Any]:
        """How a fold's rows became inputs, as a run of a table keeps it."""
        found, target = self._moments[fold], network.loss.target
        classes = {"class": tuple(range(network.sizes[-1])), "label": (0, 1)}.get(target)
        return Preprocessing(
            "y",
            "regression" if classes is None else "classification",
            tuple(f"x{place + 1}" for place in range(network.sizes[0])),
            tuple(found.center.tolist()),
            tuple(found.scale.tolist()),
            classes,
        ).to_dict()

    def begin(self, task: Task) -> tuple[TrainingRun, Array | None]:
        """The run of a task before its first iteration, and the gradient there."""
        told = task.recipe.told
        random = told["random_state"]
        if task.seed is not None:
            random = task.seed
        elif random is None:
            random = copy.deepcopy(self.sources.stream)
        own = {"random_state": random, "parameters": self.sources.parameters, "threads": self.threads}
        settings = FitSettings.of({**told, **own})
        run, gradient = begin(task.recipe.network, self.samples(task.fold), settings, self.shared)
        if self.sources.standardize and task.fold is not None:
            run = replace(run, extra={"preprocessing": self._preprocessing(task.fold, run.network)})
        return run, gradient

    def train(
        self, task: Task, run: TrainingRun | None, until: int, show: Progress, stop: NDArray[np.uint8]
    ) -> TrainingRun:
        """The task's run up to an iteration, bit for bit `train`'s; `run` is how far it has come."""
        if run is None:
            start, gradient = self.begin(task)
        else:
            start, gradient = self.attached(task, run)._unrestored(), None
            if isinstance(start._problem, Problem):
                flat = start.parameters.flat
                _, gradient = start._problem.loss_and_gradient(flat, masks_of(start))
            if start.cursor is not None:
                start = replace(start, cursor=start.cursor.copy())
        left = until - start.iterations
        return continue_run(start, course_of(start, gradient), left, Hooks(()), show, stop)

    def attached(self, task: Task, run: TrainingRun) -> TrainingRun:
        """A run with its data, which one from a file has none of."""
        if run._problem is not None:
            return run
        start, _ = self.begin(task)
        return replace(run, threads=start.threads, _problem=start._problem, _held_out=start._held_out)

    def lightened(self, run: TrainingRun) -> TrainingRun:
        """A run that is to go on later: without its data where those of all are too much."""
        return replace(run, _problem=None, _held_out=None) if self.shared.store.overflows else run

    def released(self, run: TrainingRun, threads: int) -> TrainingRun:
        """A run that is done: it holds the data for as long as those of all runs are not too much."""
        run = self.lightened(run)
        return run if run._problem is None else replace(run, _problem=on_threads(run._problem, threads))

    def scale(self, task: Task, run: TrainingRun) -> Scale:
        """Where the scale of the run's losses begins and ends."""
        X, y, weights = self.samples(task.fold)
        kept, rows = run.validation, b""
        if kept is not None and kept.rows is not None:
            trained = kept.rows[: -kept.n_held_out]
            rows = hashlib.sha256(trained.tobytes()).digest()
        problem: Any = run._problem
        told = task.recipe.told
        about = run.network.loss, task.fold, rows, told["reduction"], told["batch_size"]
        key = ("scale", *about, _key(told["class_weight"]))

        def make() -> Scale:
            if not rows:
                return scale_of(problem, y, weights)
            return scale_of(problem, y[trained], None if weights is None else weights[trained])

        found: Scale = self.shared.store.get(key, make, (X, y, told["class_weight"]))
        return found

    def measured(self, task: Task, run: TrainingRun) -> float | None:
        """The metric of a run, on the samples that it is held against."""
        measure = self.sources.measure
        against = None if measure is None else self._held_against(task, run)
        if measure is None or against is None:
            return None
        network, theta = run.network, run.theta
        X, y, weights, rows = against
        if not measure.is_loss:
            X = np.ascontiguousarray(X[:].astype(theta.dtype, copy=False))
            y = as_target(y, len(X), network.sizes[-1], network.loss.target)
            return measure.of(network, theta, X, y, weights, rows, self.sources.flat_targets)
        problem = self.shared.prepared(
            network,
            (X, y, weights),
            None,
            dtype=run.dtype,
            reduction="mean",
            engine=run.engine,
            threads=self.threads,
            l1=0.0,
            l2=0.0,
            max_norm=None,
        )
        return float(problem.loss(theta.flat))

    def _held_against(self, task: Task, run: TrainingRun) -> tuple[Any, Any, Any, Any] | None:
        """X, y, weights and the numbers of the rows; None for one without while others hold some out."""
        if task.fold is not None:
            self.samples(task.fold)  # whose moments the test rows are standardized by
            rows = self._fold(task.fold).test
            with self._lock:
                if task.fold not in self._held:
                    self._held[task.fold] = self._take(task.fold, rows)
                return *self._held[task.fold], rows
        kept = run.validation
        if kept is not None and kept.rows is not None:
            samples = self.samples(task.fold)
            held = self.shared.parts_again(*samples, kept.rows, kept.n_held_out)
            return *held, kept.rows[-kept.n_held_out :]
        own = task.recipe.told["validation"]
        if own is not None:
            return *own, None
        if self.sources.held_out:
            return None
        return self.sources.X, self.sources.y, self.sources.weights, None
