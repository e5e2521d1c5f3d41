"""Floor 6: training, and the run that comes of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet.activations import Array
from glassnet.arrays import as_count, check_finite
from glassnet.batches import Batches, Cursor, prepare_batches
from glassnet.callbacks import Callback, Hooks
from glassnet.courses import Course, Epochs, FullBatch, Mean
from glassnet.data import check_data
from glassnet.divergence import divergence_limit, gentler, warn_of_ending
from glassnet.dropout import Masks, draw_seed
from glassnet.engine import Problem, prepare
from glassnet.errors import InputError
from glassnet.interrupts import stop_on_interrupt
from glassnet.network import Network, Parameters, as_random_state
from glassnet.optimizers import SGD, Optimizer, check_optimizer
from glassnet.pace import Pace
from glassnet.penalties import Penalties
from glassnet.progress import progress_line
from glassnet.ranges import as_fraction, as_steps
from glassnet.stopping import EarlyStopping, check_stopping
from glassnet.validation import (
    HeldOut,
    Validation,
    Watcher,
    as_validation,
    check_metric,
    hold_out,
    take_parts,
)

Status = Literal["running", "completed", "stopped", "interrupted", "diverged"]
STATUSES: tuple[Status, ...] = ("running", "completed", "stopped", "interrupted", "diverged")

Progress = Callable[[int, float], None]
"""A function of iteration and loss, called now and then."""

Callbacks = Iterable[Callback | Callable[["TrainingRun"], bool | None]]

CHUNK_SECONDS = 0.04  # how long an engine may be away from progress, callbacks and Ctrl-C

# A loss computed anew from the same data differs by rounding only, where another engine or
# processor computes it; other data are further off by orders of magnitude.
_SAME_LOSS = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun:
    """What training gives: the parameters, the loss after every iteration, and what resuming needs.

    Attributes
    ----------
    network : the `Network`.
    optimizer : the rule with its settings.
    parameters : `Parameters` after the last iteration; for a run that diverged, before the update
        that blew up.
    state : (rows, n_parameters), what the optimizer keeps, a row for each of its `state_names`.
    updates : how many the state has seen; a schedule goes on from there.
    losses : float64, read-only. On the full batch (iterations + 1,), ``losses[k]`` the loss after k
        updates; with a batch_size (iterations,), each epoch's mean over its batches.
    reduction : "mean" or "sum", what the loss is over samples.
    status : "completed"; "stopped" by a callback; "interrupted" by Ctrl-C; "diverged"; "running" in
        a callback.
    diverged_at : the update whose loss blew up (iterations + 1), or None.
    seconds : wall time of the updates, without preparing the data.
    engine, engine_reason, threads : what computed, why that, and on how many threads.
    extra : what `save` was given to keep beside the run.
    penalties : `Penalties`, l1, l2 and max_norm.
    heard : what an `Adaptive` schedule keeps of the losses.
    batch_size : None for the full batch.
    cursor : with a batch_size, where in its epoch training stands, and the stream of the shuffles.
    dropout : each hidden layer's probability of dropping a unit.
    dropout_seed : what the masks are drawn from; None without dropout.
    average, averaged : what the running mean of the parameters keeps of itself at an update, and the
        mean, `Parameters`; None where there is none.
    class_weight : the weight of each class, or None.
    validation : `Validation`, the evaluations and what a stopping rule keeps, or None.

    Where a stopping rule has brought the best parameters back, `parameters` and `averaged` are those of
    `best_iteration`; `state`, `updates` and `losses` are of the last iteration, which resuming goes on
    from.

    Pickles, copies by `copy.deepcopy` and saved files do not hold the data.
    """

    network: Network
    optimizer: Optimizer
    parameters: Parameters
    state: Array
    losses: NDArray[np.float64]
    reduction: str
    status: Status
    diverged_at: int | None
    seconds: float
    engine: str
    engine_reason: str
    threads: int
    extra: Mapping[str, Any] = field(default_factory=dict)
    updates: int = 0
    penalties: Penalties = field(default_factory=Penalties)
    heard: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    batch_size: int | None = None
    cursor: Cursor | None = None
    dropout: tuple[float, ...] = ()
    dropout_seed: int | None = None
    average: float | None = None
    averaged: Parameters | None = None
    class_weight: tuple[float, ...] | None = None
    validation: Validation | None = None
    _problem: Problem | Batches | None = None
    _held_out: HeldOut | None = None

    def __post_init__(self) -> None:
        losses = self.losses.view()
        losses.flags.writeable = False  # snapshots share one history
        object.__setattr__(self, "losses", losses)

    def __reduce__(self) -> tuple[Any, ...]:
        return TrainingRun, tuple(getattr(self, f.name) for f in fields(self) if f.name[0] != "_")

    @property
    def iterations(self) -> int:
        """Updates, or epochs with a batch_size, made since the very start, over all resumptions."""
        return len(self.losses) - (self.batch_size is None)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the parameters and of the computation."""
        return self.parameters.dtype

    @property
    def validation_losses(self) -> NDArray[np.float64]:
        """The loss on the validation data, without penalties, at each of `validation_iterations`."""
        return np.empty(0) if self.validation is None else self.validation.losses

    @property
    def validation_scores(self) -> NDArray[np.float64]:
        """The stopping rule's metric there, where it has one that is not the loss."""
        return np.empty(0) if self.validation is None else self.validation.scores

    @property
    def validation_iterations(self) -> NDArray[np.int64]:
        """The iterations that were evaluated: on the full batch from 0, the start; with a batch_size from
        the first epoch whose number is a multiple of `validate_every`."""
        return np.empty(0, np.int64) if self.validation is None else self.validation.iterations

    @property
    def best_iteration(self) -> int | None:
        """The iteration whose metric is the best so far; None without a stopping rule."""
        return None if self.validation is None else self.validation.best_iteration

    def __repr__(self) -> str:
        what = f"diverged at iteration {self.diverged_at}" if self.diverged_at is not None else self.status
        kind = "iterations" if self.batch_size is None else f"epochs of batches of {self.batch_size}"
        losses = f"{self.losses[0]:.7g} -> {self.losses[-1]:.7g}" if len(self.losses) else "not yet known"
        best = "" if self.best_iteration is None else f", best at {self.best_iteration:,}"
        return (
            f"TrainingRun of {self.network} by {self.optimizer}\n"
            f"  {what}: {self.iterations:,} {kind} in {self.seconds:.3g} s, "
            f"{self.reduction} loss {losses}{best}\n"
            f"  {self.dtype.name}, {self.engine} engine, {self.threads} thread(s)"
        )

    def forward(self, X: object) -> list[Array]:
        """`Network.forward` at this run's parameters."""
        return self.network.forward(self.parameters, X)

    def predict_proba(self, X: object) -> Array:
        """`Network.predict_proba` at this run's parameters."""
        return self.network.predict_proba(self.parameters, X)

    def predict(self, X: object) -> NDArray[Any]:
        """`Network.predict` at this run's parameters."""
        return self.network.predict(self.parameters, X)

    def resume(
        self,
        iterations: int,
        *,
        X: object = None,
        y: object = None,
        sample_weight: object = None,
        validation: object = None,
        optimizer: Optimizer | None = None,
        callbacks: Callbacks = (),
        progress: bool = False,
        engine: str | None = None,
        threads: int | None = None,
    ) -> TrainingRun:
        """Train on, bit for bit as if training had never stopped; this run stays as it is.

        X, y and sample_weight (with engine and threads, which default to this run's engine and to
        all cores) are needed where the run has no data any more: after `load`, pickle or deepcopy.
        They must be the data that the run was trained on, and so must `validation`, which is needed with
        them where the run had validation data of their own; a fraction is held out again by itself.
        After a stop patience begins anew. `optimizer` changes the rule from here on:
        one of the same kind keeps the state and goes on counting updates, another kind starts from
        rest, as at update 1. After a divergence another optimizer is required, and starts from rest.

        Raises InputError for data that are missing or give another loss than ``losses[-1]``, and
        what `train` raises.

        >>> import numpy as np, glassnet as gn
        >>> X, y = [[0.0], [1.0]], [0, 1]
        >>> net, start = gn.Network((1, 2)), gn.Network((1, 2)).initialize(0)
        >>> run = gn.train(net, X, y, parameters=start, iterations=5).resume(5)
        >>> np.array_equal(run.losses, gn.train(net, X, y, parameters=start, iterations=10).losses)
        True
        """
        iterations = as_count(iterations, "iterations")
        hooks = Hooks(callbacks)
        rule = self.optimizer if optimizer is None else check_optimizer(optimizer)
        if self.status == "diverged" and rule == self.optimizer:
            raise InputError(
                f"This run blew up at iteration {self.diverged_at} and would again. Resume it with "
                f"another optimizer, for instance optimizer={gentler(rule)}."
            )
        problem, held_out = self._resumed_data(X, y, sample_weight, validation, engine, threads)
        end = self._unrestored()
        gradient = None
        if isinstance(problem, Problem):
            loss, gradient = problem.loss_and_gradient(end.parameters.flat, masks_of(self))
            tolerance = _SAME_LOSS[self.dtype.name] * max(abs(self.losses[-1]), abs(problem.baseline))
            if not abs(loss - self.losses[-1]) <= tolerance:
                raise InputError(
                    f"On these data the run's parameters have the loss {loss:.10g}, but training ended at "
                    f"{self.losses[-1]:.10g}: the data, their weights or the parameters are not those that "
                    f"the run ended with. To go on with other data, use "
                    f"gn.train(..., parameters=run.parameters)."
                )
        elif self.cursor is None or not self.cursor.fits(problem.fingerprint):
            raise InputError(
                f"These data ({problem.n_samples} samples) are not those that the run was trained on. "
                f"To go on with other data, use gn.train(..., parameters=run.parameters)."
            )
        start = (
            end if self.status != "diverged" and rule.name == self.optimizer.name else at_rest(end, rule)
        )
        if rule.learning_rate != self.optimizer.learning_rate:
            start = replace(start, heard=np.empty(0))
        start = replace(
            start,
            optimizer=rule,
            engine=problem.engine,
            engine_reason=problem.engine_reason,
            threads=problem.threads,
            cursor=None if self.cursor is None else self.cursor.copy(),  # it moves on
            _problem=problem,
            _held_out=held_out,
        )
        run = continue_run(start, course_of(start, gradient), iterations, hooks, progress)
        warn_of_ending(run)
        return run

    def _unrestored(self) -> TrainingRun:
        """The run at the parameters that training had come to, ready to go on."""
        if self.validation is None:
            return self
        point = self.validation.last_point
        run = replace(self, validation=self.validation.going_on())
        return run if point is None else _at_point(run, point)

    def _resumed_data(
        self,
        X: object,
        y: object,
        sample_weight: object,
        validation: object,
        engine: str | None,
        threads: int | None,
    ) -> tuple[Problem | Batches, HeldOut | None]:
        if X is not None and y is not None:
            samples = X, y, sample_weight
            kept = self.validation
            if kept is not None and kept.rows is not None:
                data = check_data(
                    self.network, *samples[:2], self.dtype, self.reduction, sample_weight, "auto"
                )
                parts = take_parts(data, kept.rows, kept.n_held_out)
                samples, validation = parts.training, parts.held_out
            problem = _prepared(
                self.network,
                samples,
                self.batch_size,
                dtype=self.dtype,
                reduction=self.reduction,
                engine=self.engine if engine is None else engine,
                threads=threads,
                class_weight=self.class_weight,
                dropout=self.dropout,
                **asdict(self.penalties),
            )
            return problem, self._resumed_validation(problem, validation)
        given = {
            "X": X,
            "y": y,
            "sample_weight": sample_weight,
            "validation": validation,
            "engine": engine,
            "threads": threads,
        }
        names = [name for name, value in given.items() if value is not None]
        if names:
            raise InputError(
                f"resume was given {' and '.join(names)}, but X and y go together, and sample_weight, "
                f"validation, engine and threads only with them."
            )
        if self._problem is None:
            raise InputError(
                "This run was loaded or copied and holds no data: give those it was trained on, "
                "run.resume(iterations, X=X, y=y), with sample_weight where there was one."
            )
        return self._problem, self._held_out

    def _resumed_validation(self, problem: Problem | Batches, validation: object) -> HeldOut | None:
        kept = self.validation
        if kept is None or kept.fingerprint is None:
            if validation is not None:
                raise InputError(
                    "This run has no validation data; resume takes those that train was given."
                )
            return None
        samples = None if validation is None else as_validation(validation)
        if not isinstance(samples, tuple):
            raise InputError(
                "This run was evaluated on validation data, and holds none any more: give them to resume "
                "too, validation=(X, y)."
            )
        held_out = HeldOut(problem, samples, _scores(kept.stopping))
        if not np.allclose(held_out.fingerprint, kept.fingerprint, rtol=1e-6, atol=1e-6):
            raise InputError("The validation data are not those that the run was evaluated on.")
        return held_out


def train(
    network: Network,
    X: object,
    y: object,
    *,
    optimizer: Optimizer = SGD(learning_rate=0.1, momentum=0.9),  # noqa: B008 - it is frozen
    iterations: int = 1000,
    batch_size: int | None = None,
    reduction: str = "mean",
    parameters: Parameters | NDArray[Any] | None = None,
    scheme: str = "glorot",
    random_state: int | RandomState | None = None,
    dtype: DTypeLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    sample_weight: object = None,
    callbacks: Callbacks = (),
    progress: bool = False,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    shuffle: bool = True,
    dropout: float | Sequence[float] = 0.0,
    validation: object = None,
    validate_every: int = 1,
    stopping: EarlyStopping | None = None,
    average: float | None = None,
    class_weight: object = None,
) -> TrainingRun:
    """Train a network and return the run; of what is passed in only a RandomState's stream moves on.

    Parameters
    ----------
    X, y : (n, inputs) and class numbers (n,) or target rows (n, outputs).
    optimizer : ``gn.SGD(learning_rate, momentum)``, ``gn.Adam()`` or another of ``gn.OPTIMIZERS``; its
        learning rate may be a schedule of ``gn.SCHEDULES``.
    iterations : updates on the full batch, epochs with a batch_size; 0 trains nothing.
    batch_size : None, the full batch; else the samples of an update. The last batch of an epoch takes
        what is left.
    reduction : "mean" divides the loss by the sum of the sample weights, "sum" does not.
    shuffle : with a batch_size, whether each epoch takes the samples in a new order. The orders are drawn
        from `random_state` after the parameters, as scikit-learn's estimators draw theirs.
    parameters : where to start, cast into a copy; None draws them by `scheme` ("glorot", "normal",
        "he", "sklearn") with `random_state`.
    dtype : float32 or float64; None takes X's own if it is float32, else float64.
    engine, threads : "auto", "native" or "numpy"; None uses all cores the process is allowed.
    sample_weight : (n,), 0 or more; a weight of 2 counts as the sample twice.
    callbacks : `Callback` instances, or functions of the run called after each iteration.
    progress : show a line with iteration, loss, speed and time left on stderr.
    l1, l2 : ``l2/2 sum W^2 + l1 sum |W|`` is added to the reduced loss and is part of what is reported;
        biases are never penalized.
    max_norm : the length that each unit's incoming weights are scaled back to after an update, where
        they are longer; None leaves them.
    dropout : the probability with which training leaves out a hidden unit, one number or one for each
        hidden layer; see `glassnet.dropout.mask`. The losses are those with units left out. The masks'
        seed is drawn from `random_state`, after the parameters and before any order of the samples.
    validation : (X, y), (X, y, sample_weight), or a fraction of the samples to hold out. The fraction
        is drawn from `random_state` after the parameters and before the orders, as scikit-learn's
        estimators do, by its `train_test_split`, with each class in proportion.
        ``run.validation_losses`` are the losses on them, without penalties but with the class weights,
        which Keras leaves out; of the running mean of the parameters where there is one.
    validate_every : iterations from one evaluation to the next; the full batch has one before the first.
    stopping : ``gn.EarlyStopping(patience=10)`` ends training where the validation loss, or another
        metric, has stopped improving, and gives the run its best parameters.
    average : d, above 0 and below 1, keeps a running mean of the parameters, ``run.averaged``: it starts
        at the first parameters, and each update, max_norm included, makes it d mean + (1 - d) theta.
        Polyak and Juditsky (1992). PyTorch's AveragedModel and Keras's ``use_ema`` start it at the
        parameters after the first update.
    class_weight : "balanced", ``n / (C count)`` for each of the C classes in y, or a mapping or sequence
        of a weight for each class number; it multiplies the sample weights. For class numbers and
        one-hot rows; of a fraction held out, the samples trained on are counted.

    A loss above `DIVERGENCE_FACTOR` times the larger of the first one and the loss of a network that
    knows nothing, or one that is not finite, ends training with status "diverged", the parameters
    before that update and a DivergenceWarning. The first Ctrl-C ends it with "interrupted" and an
    InterruptedTrainingWarning, the second raises KeyboardInterrupt.

    Raises InputError and InputTypeError for input that cannot be used, also where the first loss is
    not finite, and EngineError for an engine that cannot do it.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 8, 2), hidden="tanh"), X, y, iterations=500, random_state=0)
    >>> run.predict(X).tolist(), len(run.losses)
    ([0, 1, 1, 0], 501)

    scikit-learn's "sgd" solver takes mini-batches of 200 and stops by itself; this takes the whole
    batch and exactly the iterations that it is told. ``losses[k]`` is the loss after k updates,
    where a PyTorch loop that records before the step lacks the last one.
    """
    iterations = as_count(iterations, "iterations")
    check_optimizer(optimizer)
    hooks = Hooks(callbacks)
    random = as_random_state(random_state)
    every = as_steps(validate_every, "validate_every")
    kept = Validation(every, check_stopping(stopping, validation is not None))
    decay = None if average is None else as_fraction(average, "average")
    held = None if validation is None else as_validation(validation)
    samples = X, y, sample_weight
    if isinstance(held, float):
        data = check_data(network, X, y, dtype, reduction, sample_weight, engine)
        dtype = data.dtype
        if parameters is None:
            parameters = network.initialize(random, scheme)
        parts = hold_out(network, data, held, random)
        samples, held = parts.training, parts.held_out
        kept = replace(kept, rows=parts.rows, n_held_out=parts.n_held_out)
    problem = _prepared(
        network,
        samples,
        batch_size,
        dtype=dtype,
        reduction=reduction,
        engine=engine,
        threads=threads,
        l1=l1,
        l2=l2,
        max_norm=max_norm,
        class_weight=class_weight,
        dropout=dropout,
    )
    theta = first_parameters(problem, parameters, scheme, random)
    gradient = None
    if isinstance(problem, Problem):
        start, gradient = begin_run(problem, theta, optimizer, _seed(problem, random))
    else:
        seed = _seed(problem, random)
        start = begin_epochs(problem, theta, optimizer, random if shuffle else None, seed)
    if held is not None or stopping is not None:
        check_metric(network, kept.stopping)
        held_out = None if held is None else HeldOut(problem, held, _scores(kept.stopping))
        kept = replace(kept, fingerprint=None if held_out is None else held_out.fingerprint)
        start = replace(start, validation=kept, _held_out=held_out)
    if decay is not None:
        start = replace(start, average=decay, averaged=theta.copy())
    run = continue_run(start, course_of(start, gradient), iterations, hooks, progress)
    warn_of_ending(run)
    return run


def _prepared(
    network: Network, samples: tuple[Any, Any, Any], batch_size: int | None, **how: Any
) -> Problem | Batches:
    X, y, sample_weight = samples
    if batch_size is None:
        return prepare(network, X, y, sample_weight=sample_weight, **how)
    return prepare_batches(network, X, y, batch_size, sample_weight=sample_weight, **how)


def _scores(stopping: EarlyStopping | None) -> bool:
    return stopping is not None and stopping.metric != "loss"


def _at_point(run: TrainingRun, point: Array) -> TrainingRun:
    """The run at other parameters, and their mean where it has one."""
    flat, *mean = (Parameters(run.network.sizes, row.copy()) for row in point)
    return replace(run, parameters=flat, averaged=mean[0] if mean else None)


def _restored(run: TrainingRun) -> TrainingRun:
    """The run at its best parameters, with those that it had come to kept for resuming."""
    kept = run.validation
    if kept is None or kept.best_point is None or kept.best_iteration == run.iterations:
        return run
    rows = [theta.flat for theta in (run.parameters, run.averaged) if theta is not None]
    return _at_point(replace(run, validation=replace(kept, last_point=np.stack(rows))), kept.best_point)


def first_parameters(
    problem: Problem | Batches,
    parameters: Parameters | NDArray[Any] | None,
    scheme: str,
    random_state: int | RandomState | None,
) -> Parameters:
    """Where training starts, in the problem's precision: `parameters` as a copy, or a draw."""
    if parameters is None:
        return problem.network.initialize(random_state, scheme, problem.dtype)
    return _cast_parameters(problem.network.check_parameters(parameters), problem.dtype)


def _seed(problem: Problem | Batches, random: RandomState) -> int | None:
    return draw_seed(random) if any(problem.dropout) else None


def masks_of(run: TrainingRun) -> Masks | None:
    """Those of the pass that gave a full-batch run's last loss: ``losses[k]`` has the masks k + 1."""
    return None if run.dropout_seed is None else Masks(run.dropout_seed, run.iterations + 1)


def begin_run(
    problem: Problem, theta: Parameters, optimizer: Optimizer, dropout_seed: int | None = None
) -> tuple[TrainingRun, Array]:
    """A run without iterations at parameters of the problem's precision, and the gradient there.

    A problem with dropout needs a seed. Raises InputError where the loss is not finite.
    """
    masks = None if dropout_seed is None else Masks(dropout_seed, 1)
    loss, gradient = problem.loss_and_gradient(theta.flat, masks)
    return _start(problem, theta, optimizer, loss, np.array([loss]), dropout_seed), gradient


def begin_epochs(
    batches: Batches,
    theta: Parameters,
    optimizer: Optimizer,
    random: RandomState | None,
    dropout_seed: int | None = None,
) -> TrainingRun:
    """A run without epochs; the samples' order is drawn from `random`, or stays.

    Raises InputError where the first samples' loss is not finite.
    """
    loss = batches.first_loss(theta.flat)
    start = _start(batches, theta, optimizer, loss, np.empty(0), dropout_seed)
    cursor = batches.begin(random, divergence_limit(loss, batches.baseline))
    return replace(start, batch_size=batches.batch_size, cursor=cursor)


def _start(
    problem: Problem | Batches,
    theta: Parameters,
    optimizer: Optimizer,
    loss: float,
    losses: NDArray[np.float64],
    dropout_seed: int | None,
) -> TrainingRun:
    if not np.isfinite(loss):
        raise InputError(
            f"The loss is {loss} before the first update, in {problem.dtype.name}: the parameters (up to "
            f"{np.abs(theta.flat).max():.3g}) or the data are too large. Start from smaller parameters, "
            f'standardize X and y, or use dtype="float64".'
        )
    return TrainingRun(
        network=problem.network,
        optimizer=optimizer,
        parameters=theta,
        state=np.zeros((len(optimizer.state_names), theta.flat.size), theta.dtype),
        losses=losses,
        reduction=problem.reduction,
        status="running",
        diverged_at=None,
        seconds=0.0,
        engine=problem.engine,
        engine_reason=problem.engine_reason,
        threads=problem.threads,
        penalties=problem.penalties,
        dropout=problem.dropout,
        dropout_seed=dropout_seed,
        class_weight=problem.class_weight,
        _problem=problem,
    )


def course_of(start: TrainingRun, gradient: Array | None) -> Course:
    """What `continue_run` advances, from the run's own data; the full batch needs the gradient there."""
    problem, flat, state, rule = start._problem, start.parameters.flat, start.state, start.optimizer
    mean = Mean()
    if start.average is not None and start.averaged is not None:
        mean = Mean(start.average, start.averaged.flat)
    if isinstance(problem, Batches):
        assert start.cursor is not None
        pace = Pace(
            rule.schedule, start.updates, start.heard, updates_per_iteration=problem.updates_per_epoch
        )
        return Epochs(problem, flat, state, start.cursor, rule, pace, start.dropout_seed, mean)
    assert problem is not None
    assert gradient is not None
    pace = Pace(rule.schedule, start.updates, start.heard, float(start.losses[-1]))
    limit = divergence_limit(float(start.losses[0]), problem.baseline)
    return FullBatch(problem, flat, state, gradient, rule, pace, limit, masks_of(start), mean)


def at_rest(run: TrainingRun, optimizer: Optimizer) -> TrainingRun:
    """The run with an optimizer that has seen no update yet."""
    state = np.zeros((len(optimizer.state_names), run.parameters.flat.size), run.dtype)
    return replace(run, optimizer=optimizer, state=state, updates=0, heard=np.empty(0))


def continue_run(
    start: TrainingRun,
    course: Course,
    iterations: int,
    hooks: Hooks,
    progress: bool | Progress,
    shared_stop: NDArray[np.uint8] | None = None,
) -> TrainingRun:
    """The one training loop: `iterations` more of the course that begins at `start`, and is changed.

    The engine works in chunks that end by the clock or where a callback is due. All state goes from
    one chunk to the next, so where they end has no influence on the numbers. A caller with many
    runs at once has a `stop_on_interrupt` of its own open, whose byte is `shared_stop`.
    """
    began = time.perf_counter()
    pace, lead = course.pace, course.lead
    k = start.iterations
    last = k + iterations
    losses = _history(start.losses, last + lead)
    stopped, diverged = pace.stops, False
    watcher = None
    if start.validation is not None:
        watcher = Watcher(start.validation, start._held_out, k, last)

    def look() -> bool:
        if watcher is None:
            return False
        try:
            return watcher.look(k, course.flat, course.averaged, losses[k + lead - 1])
        except Exception as error:  # of a metric of the caller's own
            error.run = snapshot()  # type: ignore[attr-defined]
            error.add_note(
                f"Raised by an evaluation after iteration {k}; the work so far is this exception's "
                f"attribute `run`."
            )
            raise

    def mean_of(flat: Array) -> Parameters:
        return Parameters(start.network.sizes, flat.copy())

    def snapshot(status: Status = "running", diverged_at: int | None = None) -> TrainingRun:
        return replace(
            start,
            parameters=Parameters(start.network.sizes, course.flat.copy()),
            state=course.state.copy(),
            losses=losses[: k + lead],
            status=status,
            diverged_at=diverged_at,
            updates=pace.updates,
            heard=pace.heard,
            cursor=None if course.cursor is None else course.cursor.copy(),
            averaged=None if course.averaged is None else mean_of(course.averaged),
            validation=None if watcher is None else watcher.record(),
            seconds=start.seconds + time.perf_counter() - began,
        )

    stopping = stop_on_interrupt() if shared_stop is None else nullcontext(shared_stop)
    showing = nullcontext(progress) if callable(progress) else progress_line(progress, k, last)
    with stopping as stop, showing as show:
        if watcher is not None and lead and k == 0 and not watcher.begun:
            look()
        hooks.begin(snapshot)
        while k < last and not (stopped or diverged or stop[0]):
            end = int(min(last, hooks.next_after(k), last if watcher is None else watcher.next_after(k)))
            made, diverged = course.advance(losses[k + lead : end + lead], stop, CHUNK_SECONDS)
            k += made
            if k + lead:
                show(k, losses[k + lead - 1])
            if diverged and watcher is not None:
                watcher.forget(k)
            if made > 0:
                enough = look()
                stopped = hooks.iteration(k, snapshot) or pace.stops or enough
    if k < last:
        losses = losses[: k + lead].copy()  # lets go of what was never reached
    if diverged:
        run = snapshot("diverged", k + 1)
    elif stop[0] and (k < last or shared_stop is None):
        # A single run even where the last update was made: Ctrl-C was pressed to be heard.
        run = snapshot("interrupted")
    else:
        run = snapshot("stopped" if stopped else "completed")
    run = _restored(run)
    hooks.end(lambda: run)
    return run


def _history(losses: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    try:
        history = np.empty(length)
    except (MemoryError, ValueError) as error:
        raise InputError(
            f"A loss history of {length:,} iterations does not fit into memory; train in stretches."
        ) from error
    history[: len(losses)] = losses
    return history


def _cast_parameters(theta: Parameters, dtype: np.dtype[Any]) -> Parameters:
    with np.errstate(over="ignore"):
        cast = theta.astype(dtype)
    check_finite(cast.flat, f"parameters in {dtype.name}")
    return cast
