"""A worker trains one network of a sweep at a time, over data that all networks share."""

from __future__ import annotations

import copy
import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import MT19937, RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory, RowSubset
from glassnet.data.fixed_order import Moments, moments
from glassnet.data.source import Dataset, HoldOut
from glassnet.data.standardization import standardizing_preprocessing
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.outcomes import SweepCell, assess, thinned
from glassnet.model_selection.plan import Plan, Task, TaskState
from glassnet.model_selection.settings import shown
from glassnet.model_selection.sweep_folds import Fold
from glassnet.model_selection.thread_pool import ProgressLine
from glassnet.nn.network import Network
from glassnet.optim.loss_conventions import Conventions
from glassnet.training.baselines import Scale, scale_of
from glassnet.training.loop import Progress
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.state import at_end, with_data
from glassnet.training.train import Preparation, begin
from glassnet.training.validation import HeldOut
from glassnet.utils.array_checks import as_dtype

CACHE_BYTES = 1 << 30
"""How many bytes of packed data a cache holds at most; runs that share them resume without new data."""


class Cache:
    """Values by key, each made once; beyond `most_bytes` only the `recent` ones used last stay."""

    def __init__(self, recent: int, most_bytes: int = CACHE_BYTES) -> None:
        self._recent, self._most, self._bytes = recent, most_bytes, 0
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, list[Any]] = OrderedDict()

    @property
    def overflows(self) -> bool:
        """Whether all values made so far are too large to stay."""
        return self._bytes > self._most

    def get(self, key: Hashable, make: Callable[[], Any], of: object, n_bytes: int = 0) -> Any:
        """The value of `make` for the key; a thread that asks while another makes it waits.

        The entry keeps the objects `of` alive, whose identities are in the key.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = [threading.Lock(), None, of]
                self._bytes += n_bytes
                while self.overflows and len(self._entries) > self._recent:
                    self._entries.popitem(last=False)
            else:
                self._entries.move_to_end(key)
        with entry[0]:
            if entry[1] is None:
                entry[1] = make()
        return entry[1]


class SharedData:
    """Makes data ready once for all networks that can share them; keys hold the identity of arrays."""

    def __init__(self, workers: int) -> None:
        self.cache = Cache(recent=8 * workers)
        self.functions = Preparation(self.prepare, self.prepare_validation, self.reuse)

    def reuse(self, network: Network, dataset: Dataset, split: HoldOut) -> HoldOut:
        """The first split with these rows."""
        return self._shared(network, dataset, split.rows, split.n_held_out, lambda: split)

    def hold_out_again(
        self, network: Network, dataset: Dataset, rows: NDArray[np.int64], n: int
    ) -> HoldOut:
        """The first split with these rows, of which the last `n` are held out."""
        return self._shared(network, dataset, rows, n, lambda: dataset.hold_out_again(network, rows, n))

    def _shared(
        self, network: Network, dataset: Dataset, rows: NDArray[np.int64], n: int, make: Callable[[], Any]
    ) -> HoldOut:
        # Equal rows give the same arrays, whose identities the other keys hold.
        target = network.loss.target, network.sizes[-1]
        key = "split", _identities(dataset)[0], target, hashlib.sha256(rows.tobytes()).digest(), n
        split: HoldOut = self.cache.get(key, make, dataset, 4 * rows.nbytes)
        return split

    def prepare(self, network: Network, dataset: Dataset, settings: ProblemSettings) -> Problem | Batches:
        """The problem of `prepare_problem`, whose packed data networks share."""
        own = ("penalties", "threads")  # which networks that share the packed data may differ in
        values = tuple(_key(value) for name, value in vars(settings).items() if name not in own)
        key = ("prepared", network, *_identities(dataset), values)
        kept, size = (dataset, settings), _packed_bytes(network, dataset)
        problem: Problem | Batches = self.cache.get(
            key, lambda: prepare_problem(network, dataset, settings), kept, size
        )
        return _on_threads(problem, settings.threads).with_penalties(settings.penalties)

    def prepare_validation(self, trained: Problem | Batches, dataset: Dataset, keep: bool) -> HeldOut:
        """The `HeldOut` of these arguments, which networks share."""
        about = trained.network, trained.dtype.name, trained.reduction, trained.engine, trained.class_weight
        key = ("held out", *about, *_identities(dataset), keep)
        size = _packed_bytes(trained.network, dataset) * (2 if keep else 1)
        held_out: HeldOut = self.cache.get(key, lambda: HeldOut(trained, dataset, keep), dataset, size)
        return held_out


def _identities(dataset: Dataset) -> tuple[int, int, int]:
    """The identities of a dataset's arrays, which datasets made again of them share."""
    assert isinstance(dataset, InMemory)
    return id(dataset.X), id(dataset.y), id(dataset.weights)


def _packed_bytes(network: Network, dataset: Dataset) -> int:
    return 8 * (network.sizes[0] + network.sizes[-1] + 1) * dataset.n_rows


def _key(value: Any) -> Hashable:
    """A key of an argument: the identity of a large array, else a text of the value's bits."""
    if value is None or isinstance(value, (str, int, float, np.dtype, Conventions)):
        return value
    large = isinstance(value, (np.ndarray, RowSubset)) and value.size > 100
    return id(value) if large else identity_here(value)


def _on_threads(problem: Problem | Batches, threads: int | None) -> Problem | Batches:
    """The problem itself where it has these threads, since another one takes as long as some updates."""
    return problem if problem.threads == threads else problem.with_threads(threads)


def _copied(stream: RandomState) -> RandomState:
    state: Any = stream.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        return copy.deepcopy(stream)
    # `copy.deepcopy` also seeds a new generator from the system, which doubles the time.
    other = RandomState(MT19937(0))
    other.set_state(state)
    return other


class Worker:
    """Trains and judges the networks of a plan; any number of threads may use it at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.data = plan, plan.data
        self.shared = SharedData(plan.workers)
        self._samples: dict[int | None, InMemory] = {}
        self._test_samples: dict[int, InMemory] = {}
        self._moments: dict[int, Moments] = {}
        self._lock = threading.Lock()

    # ---- A task ---------------------------------------------------------------------------------

    def advance(
        self, state: TaskState, until: int | None, line: ProgressLine, stop: NDArray[np.uint8]
    ) -> TaskState:
        """The task trained up to an iteration, or finished where that is None.

        An exception gets a note that names the network's settings.
        """
        try:
            return self._advance(state, until, line, stop)
        except Exception as error:
            task = state.task
            words = [f"{name}={shown(value)}" for name, value in task.settings.items()]
            words += [
                f"{name} {n}" for name, n in (("seed", task.seed), ("fold", task.fold)) if n is not None
            ]
            error.add_note(f"Raised by the network with {', '.join(words)}.")
            raise

    def _advance(
        self, state: TaskState, until: int | None, line: ProgressLine, stop: NDArray[np.uint8]
    ) -> TaskState:
        task = state.task
        last = task.iterations if until is None else min(until, task.iterations)
        with line.network(state.iterations, last, ends=until is None) as show:
            run = state.run
            if not state.ended and state.iterations < last:
                run = self.train(task, state.run, last, show, stop)
        assert run is not None
        if until is None or run.status == "interrupted":
            return replace(state, run=None, cell=self.cell_of(task, run))
        cost = self._cost(task, run)
        return replace(state, run=self._lightened(run), costs=(*state.costs, cost))

    def train(
        self, task: Task, run: TrainingRun | None, until: int, show: Progress, stop: NDArray[np.uint8]
    ) -> TrainingRun:
        """The task's run up to an iteration, bit for bit `train`'s; `run` is how far it has come."""
        if run is None:
            start, gradient = self._begin(task)
        else:
            start, gradient = at_end(self._with_data(task, run)), None
        left = until - start.iterations
        return continue_run(start, left, progress=show, stop=stop, gradient=gradient)

    def _begin(self, task: Task) -> tuple[TrainingRun, Array | None]:
        """The run of a task before its first iteration, and the gradient there."""
        random = task.candidate.settings["random_state"]
        if task.seed is not None:
            random = task.seed
        elif random is None:
            random = _copied(self.data.stream)
        settings = task.candidate.fit_settings(
            random_state=random, parameters=self.data.parameters, threads=self.plan.threads_each
        )
        samples = self._training_samples(task.fold)
        run, gradient, _ = begin(task.candidate.network, samples, settings, self.shared.functions)
        if self.data.standardize and task.fold is not None:
            run = replace(run, extra={"preprocessing": self._preprocessing(task.fold, run.network)})
        return run, gradient

    def cell_of(self, task: Task, run: TrainingRun, dropped: bool = False) -> SweepCell:
        """The cell of a finished network: its run, status and metric."""
        plan = self.plan
        run = self._with_data(task, run)
        scale = self._scale(task, run)
        status = "dropped" if dropped else assess(run, scale.baseline, plan.converged_below, scale.floor)
        metric = None if status == "interrupted" else self._metric(task, run)
        run, places = self._lightened(run, plan.cores), None
        if not plan.keep_orders and status != "interrupted":
            run = replace(run, cursor=None)
        if len(run.losses) > plan.keep_losses:
            places = thinned(run.losses, plan.keep_losses)
            run = replace(run, losses=run.losses[places])
        return SweepCell(
            task.settings, status, run, places, metric, task.setting, task.seed, task.fold, *scale
        )

    # ---- Samples --------------------------------------------------------------------------------

    def _training_samples(self, fold: int | None) -> InMemory:
        """The samples that a fold's networks are trained on, the same object each time."""
        with self._lock:
            if fold not in self._samples:
                whole = self.data.samples
                self._samples[fold] = whole if fold is None else self._take(fold, self._fold(fold).train)
            return self._samples[fold]

    def _fold(self, fold: int) -> Fold:
        assert self.data.folds is not None
        return self.data.folds[fold]

    def _take(self, fold: int, rows: NDArray[np.int64]) -> InMemory:
        samples = self.data.samples
        assert samples.y is not None
        subset = samples.take(rows, samples.y)
        if self.data.standardize:
            subset.X = self._standardized(fold, samples.X[rows])
        return subset

    def _standardized(self, fold: int, X: NDArray[Any]) -> NDArray[Any]:
        """Rows scaled by the mean and the deviation of the fold's training rows, which come first."""
        if fold not in self._moments:
            computed = moments(X)
            computed.check_finite(lambda place: f"X, column {place}, in the training rows of fold {fold},")
            self._moments[fold] = computed
        scaled = (X - self._moments[fold].center) / self._moments[fold].scale
        return np.ascontiguousarray(scaled, as_dtype(None, X))

    def _preprocessing(self, fold: int, network: Network) -> dict[str, Any]:
        """How a fold's rows became inputs, as a run of a table keeps it."""
        known = self._moments[fold]
        return standardizing_preprocessing(network, known.center, known.scale)

    def _judging_samples(self, task: Task, run: TrainingRun) -> tuple[InMemory, Any] | None:
        """The samples for the metric and their row numbers; None if only other networks have some."""
        if task.fold is not None:
            self._training_samples(task.fold)  # whose moments standardize the test rows
            rows = self._fold(task.fold).test
            with self._lock:
                if task.fold not in self._test_samples:
                    self._test_samples[task.fold] = self._take(task.fold, rows)
                return self._test_samples[task.fold], rows
        validation = run.validation
        if validation is not None and validation.rows is not None:
            rows, n = validation.rows, validation.n_held_out
            dataset = self._training_samples(task.fold)
            held_out = self.shared.hold_out_again(run.network, dataset, rows, n).held_out
            assert isinstance(held_out, InMemory)
            return held_out, rows[-n:]
        if task.candidate.validation is not None:
            return InMemory(*task.candidate.validation), None
        return None if self.data.held_out else (self._training_samples(None), None)

    # ---- Judging --------------------------------------------------------------------------------

    def _cost(self, task: Task, run: TrainingRun) -> float:
        """What a rung compares settings by: the metric or, without one, the share of the loss."""
        if run.status == "diverged" or not len(run.losses):
            return math.inf
        if self.data.measure is not None:
            metric = self._metric(task, run)
            assert metric is not None
            return self.data.measure.sign * metric
        scale = self._scale(task, run)
        return (float(run.losses[-1]) - scale.floor) / (scale.baseline - scale.floor)

    def _scale(self, task: Task, run: TrainingRun) -> Scale:
        """The loss of the best constant answer and of the perfect one, on the samples trained on."""
        dataset = self._training_samples(task.fold)
        y, weights = dataset.targets(run.network), dataset.weights
        trained: Any = slice(None)
        digest = b""
        validation = run.validation
        if validation is not None and validation.rows is not None:
            trained = validation.rows[: -validation.n_held_out]
            digest = hashlib.sha256(trained.tobytes()).digest()
        settings = task.candidate.settings
        about = run.network.loss, task.fold, digest, settings["reduction"], settings["batch_size"]
        key = ("scale", *about, _key(settings["class_weight"]))

        def make() -> Scale:
            assert run.data is not None
            return scale_of(run.data.problem, y[trained], None if weights is None else weights[trained])

        scale: Scale = self.shared.cache.get(key, make, (dataset, settings["class_weight"]))
        return scale

    def _metric(self, task: Task, run: TrainingRun) -> float | None:
        """The metric of a run, on the samples held out from it where there are any."""
        measure = self.data.measure
        samples = None if measure is None else self._judging_samples(task, run)
        if measure is None or samples is None:
            return None
        network, theta = run.network, run.theta
        dataset, rows = samples
        if not measure.is_loss:
            X = np.ascontiguousarray(dataset.X[:].astype(theta.dtype, copy=False))
            y, weights = dataset.targets(network), dataset.weights
            flat = self.data.samples.y is not None and self.data.samples.y.ndim == 1
            return measure.of(network, theta, X, y, weights, rows, flat)
        problem = self.shared.prepare(
            network,
            dataset,
            ProblemSettings(dtype=run.dtype, engine=run.engine, threads=self.plan.threads_each),
        )
        assert isinstance(problem, Problem)
        return problem.loss(theta.flat)

    # ---- A run's data ---------------------------------------------------------------------------

    def _with_data(self, task: Task, run: TrainingRun) -> TrainingRun:
        """The run with its data, which a run from a file lacks."""
        if run.data is not None:
            return run
        start, _ = self._begin(task)
        assert start.data is not None
        return with_data(run, *start.data)

    def _lightened(self, run: TrainingRun, threads: int | None = None) -> TrainingRun:
        """The run with its data on `threads`, or without where all runs' data are too large to stay."""
        if self.shared.cache.overflows:
            return replace(run, data=None)
        if threads is None or run.data is None:
            return run
        return replace(run, data=run.data._replace(problem=_on_threads(run.data.problem, threads)))
