"""A worker trains one network of a sweep at a time, over data that all networks share."""

from __future__ import annotations

import copy
import hashlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.random import MT19937, RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory, RowSubset
from glassnet.data.encoding import Encoding
from glassnet.data.source import Dataset, HoldOut
from glassnet.data.standardization import Scaling
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.model_selection.hashing import identity_here
from glassnet.model_selection.metrics import Score
from glassnet.model_selection.outcomes import SweepCell, assess, thinned
from glassnet.model_selection.plan import Plan, Task, TaskState
from glassnet.model_selection.settings import shown
from glassnet.model_selection.thread_pool import ProgressLine
from glassnet.nn.network import Network, decided, outputs_of
from glassnet.optim.loss_conventions import Conventions
from glassnet.training.baselines import Scale, scale_of
from glassnet.training.hooks import FunctionHook, Hooks
from glassnet.training.loop import Progress
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.state import at_end, with_data
from glassnet.training.train import Preparation, begin
from glassnet.training.validation import HeldOut, Parts, Samples, scaled_parts, validation_dataset

T = TypeVar("T")

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

    def get(self, key: Hashable, make: Callable[[], T], of: object, n_bytes: int = 0) -> T:
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
        value: T = entry[1]
        return value


class SharedData:
    """Makes data ready once for all networks that can share them; keys hold the identity of arrays."""

    def __init__(self, workers: int) -> None:
        self.cache = Cache(recent=8 * workers)
        self.functions = Preparation(
            self.prepare, self.prepare_validation, self.validation_dataset, self.scaled_parts, self.reuse
        )

    def reuse(self, network: Network, dataset: Dataset, split: HoldOut) -> HoldOut:
        """The first split with these rows."""
        # Equal rows give the same arrays, whose identities the other keys hold.
        target = network.loss.target, network.sizes[-1]
        key = "split", dataset.identity, target, _digest(split.rows), split.n_held_out
        return self.cache.get(key, lambda: split, dataset, 4 * split.rows.nbytes)

    def prepare(self, network: Network, dataset: Dataset, settings: ProblemSettings) -> Problem | Batches:
        """The problem of `prepare_problem`, whose packed data networks share."""
        own = ("penalties", "threads")  # which networks that share the packed data may differ in
        values = tuple(_key(value) for name, value in vars(settings).items() if name not in own)
        key = ("prepared", network, dataset.identity, values)
        kept, size = (dataset, settings), _packed_bytes(network, dataset)
        problem = self.cache.get(key, lambda: prepare_problem(network, dataset, settings), kept, size)
        return _on_threads(problem, settings.threads).with_penalties(settings.penalties)

    def validation_dataset(self, network: Network, samples: Samples, encoding: Encoding) -> Dataset:
        """The dataset of these arguments, which networks share."""
        about = network.loss.target, network.sizes[-1], id(encoding.scaling)
        size = sum(getattr(array, "nbytes", 0) for array in samples)
        make, kept = partial(validation_dataset, network, samples, encoding), (samples, encoding.scaling)
        return self.cache.get(("validation", *map(id, samples), *about), make, kept, size)

    def scaled_parts(self, network: Network, parts: Parts, targets: bool) -> tuple[Scaling, Parts]:
        """The scaling and the parts of `scaled_parts`, which networks share."""
        key = "scaled", parts.training.identity, targets, network.output.name
        rows = sum(part.n_rows for part in parts if part is not None)
        make, size = partial(scaled_parts, network, parts, targets), 8 * network.sizes[0] * rows
        return self.cache.get(key, make, parts, size)

    def prepare_validation(
        self, trained: Problem | Batches, dataset: Dataset, keep: bool, scaling: Scaling | None
    ) -> HeldOut:
        """The `HeldOut` of these arguments, which networks share."""
        about = trained.network, trained.dtype.name, trained.reduction, trained.engine, trained.class_weight
        key = ("held out", *about, dataset.identity, keep)
        size = _packed_bytes(trained.network, dataset) * (2 if keep else 1)
        return self.cache.get(key, lambda: HeldOut(trained, dataset, keep, scaling), dataset, size)


def _digest(rows: NDArray[np.int64]) -> bytes:
    return hashlib.sha256(rows.tobytes()).digest()


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


def _scaled(samples: Dataset, scaling: Scaling | None, targets: bool = True) -> InMemory:
    """The samples as a network takes them, y too with `targets`."""
    if scaling is not None:
        samples = scaling.applied(samples, targets)
    assert isinstance(samples, InMemory)
    return samples


class Evaluations:
    """The values of the metric while a task is trained, after those that are known already."""

    def __init__(self, worker: Worker, task: Task, known: tuple[float, ...]) -> None:
        self._values, self._every = list(known), worker.plan.evaluate_every

        def evaluate(run: TrainingRun) -> None:
            score = worker.score(task, run)
            self._values.append(math.nan if score is None else score.value)

        every = self._every
        self.hooks: Hooks[TrainingRun] = Hooks([] if every is None else [FunctionHook(every, evaluate)])

    def up_to(self, iteration: int) -> tuple[float, ...]:
        """Those that count: training may have taken later iterations back."""
        return tuple(self._values[: iteration // self._every]) if self._every else ()


class Worker:
    """Trains and judges the networks of a plan; any number of threads may use it at a time."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.data = plan, plan.data
        self.shared = SharedData(plan.workers)
        self._folds: dict[int | None, tuple[InMemory, Scaling | None]] = {}
        self._lock = threading.Lock()

    # ---- A task ---------------------------------------------------------------------------------

    def advance(
        self, state: TaskState, until: int | None, line: ProgressLine, stop: NDArray[np.uint8]
    ) -> TaskState:
        """The task trained up to an iteration, or finished where that is None.

        An exception gets a note that names the network's settings.
        """
        task = state.task
        last = task.iterations if until is None else min(until, task.iterations)
        try:
            with line.network(state.iterations, last, ends=until is None) as show:
                run, evaluations = state.run, Evaluations(self, task, state.evaluations)
                if run is None or (not state.ended and run.iterations < last):
                    run = self.train(task, run, last, show, stop, evaluations.hooks)
            state = replace(state, run=run, evaluations=evaluations.up_to(run.iterations))
            if until is None or run.status == "interrupted":
                return TaskState(task, None, state.costs, self.cell_of(state))
            cost = self._cost(task, run)
            return replace(state, run=self._lightened(run), costs=(*state.costs, cost))
        except Exception as error:
            words = [f"{name}={shown(value)}" for name, value in task.settings.items()]
            words += [
                f"{name} {n}" for name, n in (("seed", task.seed), ("fold", task.fold)) if n is not None
            ]
            error.add_note(f"Raised by the network with {', '.join(words)}.")
            raise

    def train(
        self,
        task: Task,
        run: TrainingRun | None,
        until: int,
        show: Progress,
        stop: NDArray[np.uint8],
        hooks: Hooks[TrainingRun],
    ) -> TrainingRun:
        """The task's run up to an iteration, bit for bit `train`'s; `run` is how far it has come."""
        if run is None:
            start, gradient = self._begin(task)
        else:
            start, gradient = at_end(self._with_data(task, run)), None
        left = until - start.iterations
        return continue_run(start, left, hooks, progress=show, stop=stop, gradient=gradient)

    def _begin(self, task: Task) -> tuple[TrainingRun, Array | None]:
        """The run of a task before its first iteration, and the gradient there."""
        fit = task.candidate.fit
        random = fit.random_state if task.seed is None else task.seed
        if random is None:
            random = _copied(self.data.stream)
        network, threads = task.candidate.network, self.plan.threads_each
        settings = replace(fit, random_state=random, parameters=self.data.parameters, threads=threads)
        samples, scaling = self._samples(task)
        if scaling is not None:
            settings = replace(settings, standardize=False)
        encoding = Encoding(scaling, self.data.classes)
        return begin(network, samples, settings, self.shared.functions, encoding)

    def cell_of(self, state: TaskState, dropped: bool = False) -> SweepCell:
        """The cell of a finished network: its run, status and metric."""
        plan, task = self.plan, state.task
        assert state.run is not None
        run = self._with_data(task, state.run)
        scale = self._scale(task, run)
        status = "dropped" if dropped else assess(run, scale.baseline, plan.converged_below, scale.floor)
        score = None if status == "interrupted" else self.score(task, run)
        rows, predictions, places = None, None, None
        keeps = plan.keep_predictions and status != "interrupted"
        if keeps and (judged := self._judging_samples(task, run)) is not None:
            predictions, rows = self._predicted(run, judged[0], plan.keep_predictions), judged[1]
        run = self._lightened(run, plan.cores)
        if not plan.keep_orders and status != "interrupted":
            run = replace(run, cursor=None)
        if len(run.losses) > plan.keep_losses:
            places = thinned(run.losses, plan.keep_losses)
            run = replace(run, losses=run.losses[places])
        return SweepCell(
            task.settings,
            status,
            run,
            places,
            None if score is None else score.value,
            task.setting,
            task.seed,
            task.fold,
            *scale,
            np.array(state.evaluations),
            rows,
            predictions,
            0 if score is None else score.left_out,
        )

    # ---- Samples --------------------------------------------------------------------------------

    def _samples(self, task: Task) -> tuple[InMemory, Scaling | None]:
        """The rows of its fold, or all, to train on, the same objects each time.

        They are as they came, but for a plan that `scales_first`.
        """
        fold = task.fold
        with self._lock:
            if fold not in self._folds:
                samples, scaling = self.data.samples, None
                if fold is not None:
                    samples = samples.take(self.data.folds[fold].train, samples.y)
                if self.plan.scales_first:
                    scaling = Scaling.measured(task.candidate.network, samples, targets=False)
                self._folds[fold] = _scaled(samples, scaling), scaling
            return self._folds[fold]

    def _judging_samples(self, task: Task, run: TrainingRun) -> tuple[InMemory, Any] | None:
        """The samples for the metric and their row numbers; None if only other networks have some.

        X is as the network takes it, and y in its own unit, but for the loss.
        """
        validation, held_out = run.validation, task.candidate.fit.validation
        rows: Any = None
        key: tuple[Hashable, ...] = ()
        if task.fold is not None:
            rows, key = self.data.folds[task.fold].test, ("fold", task.fold)
        elif validation is not None and validation.rows is not None:
            rows = validation.validation_rows
            key = "rows", _digest(rows)
        elif isinstance(held_out, tuple):
            key = "arrays", *map(id, held_out)
        elif self.data.held_out:
            return None
        scaling, measure = run.encoding.scaling, self.data.measure

        def make() -> InMemory:
            samples: Dataset = self.data.samples
            if rows is not None:
                samples = self.data.samples.take(rows, self.data.samples.y)
            elif isinstance(held_out, tuple):
                samples = validation_dataset(run.network, held_out, Encoding(classes=self.data.classes))
            return _scaled(samples, scaling, targets=measure is not None and measure.is_loss)

        n = self.data.samples.n_rows if rows is None else len(rows)
        size = 8 * n * (1 if scaling is None else run.network.sizes[0])
        if rows is None and isinstance(held_out, tuple):
            size = sum(getattr(array, "nbytes", 0) for array in held_out)
        return self.shared.cache.get(("judging", *key, id(scaling)), make, (held_out, scaling), size), rows

    # ---- Judging --------------------------------------------------------------------------------

    def _cost(self, task: Task, run: TrainingRun) -> float:
        """What a rung compares settings by: the metric or, without one, the share of the loss."""
        if run.status == "diverged" or not len(run.losses):
            return math.inf
        score = self.score(task, run)
        if self.data.measure is not None and score is not None:
            return self.data.measure.sign * score.value
        scale = self._scale(task, run)
        return (float(run.losses[-1]) - scale.floor) / (scale.baseline - scale.floor)

    def _scale(self, task: Task, run: TrainingRun) -> Scale:
        """The loss of the best constant answer and of the perfect one, on the samples trained on."""
        dataset, _ = self._samples(task)
        y, weights, scaling = dataset.targets(run.network), dataset.weights, run.encoding.scaling
        trained: Any = slice(None)
        digest = b""
        validation = run.validation
        if validation is not None and validation.rows is not None:
            trained = validation.training_rows
            digest = _digest(trained)
        fit = task.candidate.fit
        about = run.network.loss, run.network.output.name, task.fold, digest, fit.reduction, fit.batch_size
        key = ("scale", *about, _key(fit.class_weight))

        def make() -> Scale:
            assert run.data is not None
            own = y[trained] if scaling is None else scaling.targets(y[trained])
            return scale_of(run.data.problem, own, None if weights is None else weights[trained])

        return self.shared.cache.get(key, make, (dataset, fit.class_weight))

    def score(self, task: Task, run: TrainingRun) -> Score | None:
        """The metric of a run, on the samples held out from it where there are any."""
        measure = self.data.measure
        samples = None if measure is None else self._judging_samples(task, run)
        if measure is None or samples is None:
            return None
        dataset, rows = samples
        if not measure.is_loss:
            predicted = self._predicted(run, dataset, measure.response)
            flat = self.data.samples.y is not None and self.data.samples.y.ndim == 1
            return measure.of(predicted, dataset.targets(run.network), dataset.weights, rows, flat)
        problem = self.shared.prepare(
            run.network,
            dataset,
            ProblemSettings(dtype=run.dtype, engine=run.engine, threads=self.plan.threads_each),
        )
        assert isinstance(problem, Problem)
        return Score(problem.loss(run.theta.flat))

    def _predicted(self, run: TrainingRun, dataset: InMemory, response: str) -> NDArray[Any]:
        """What the network answers, in the unit of y."""
        X = np.ascontiguousarray(dataset.X[:].astype(run.dtype, copy=False))
        # With all cores for each network, those that train at a time would wait for each other.
        Y_hat = outputs_of(run.network, run.theta, X, self.plan.threads_each)
        predicted = decided(run.network, Y_hat) if response == "predict" else Y_hat
        return predicted if run.encoding.scaling is None else run.encoding.scaling.values(predicted)

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
