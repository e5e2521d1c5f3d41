"""The run that comes of training: what it holds, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import check_data, same_data
from glassnet.data.dataset import is_stream, memory_of, stream
from glassnet.engine.answers import answered, scored
from glassnet.engine.full_batch import Problem, prepare
from glassnet.engine.minibatch import Batches, Cursor, prepare_batches
from glassnet.engine.prepare import prepare_stream
from glassnet.errors import InputError
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.training.callbacks import Hooks
from glassnet.training.divergence import gentler, warn_of_ending
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.loop import Callbacks, Status, at_point, at_rest, continue_run, course_of, masks_of
from glassnet.training.steppers import (
    REASONS,
    BayesianRegularization,
    Evidence,
    Rule,
    Solver,
    check_fits,
    check_rule,
)
from glassnet.training.validation import HeldOut, Validation, as_validation, take_parts
from glassnet.utils.settings_checks import as_count

# A loss computed anew from the same data differs by rounding only, where another engine or
# processor computes it; other data are further off by orders of magnitude.
_SAME_LOSS = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun:
    """What training gives: the parameters, the loss after every iteration, and what resuming needs.

    Attributes
    ----------
    network : the `Network`.
    optimizer : the rule with its settings, an `Optimizer` or a `Solver`.
    parameters : `Parameters` after the last iteration; for a run that diverged, before the update
        that blew up.
    state : (rows, n_parameters), what the optimizer keeps, a row for each of its `state_names`; what a
        solver keeps of past steps.
    updates : how many the state has seen; a schedule goes on from there.
    losses : float64, read-only. On the full batch (iterations + 1,), ``losses[k]`` the loss after k
        updates; with a batch_size (iterations,), each epoch's mean over its batches.
    reduction : "mean" or "sum", what the loss is over samples.
    status : "completed"; "stopped" by a callback, a stopping rule or a solver's `reason`;
        "interrupted" by Ctrl-C; "diverged"; "running" in a callback.
    diverged_at : the update whose loss blew up (iterations + 1), or None.
    seconds : wall time of the updates, without preparing the data.
    engine, engine_reason, threads : what computed, why that, and on how many threads.
    extra : what `save` was given to keep beside the run.
    penalties : `Penalties`, l1, l2 and max_norm; `BayesianRegularization` chooses l2.
    heard : what an `Adaptive` schedule keeps of the losses, and a solver beside its state.
    batch_size : None for the full batch.
    cursor : with a batch_size, where in its epoch training stands, and the stream of the shuffles.
    dropout : each hidden layer's probability of dropping a unit.
    dropout_seed : what the masks are drawn from; None without dropout.
    average, averaged : what the running mean of the parameters keeps of itself at an update, and the
        mean, `Parameters`; None where there is none. `theta`, which predictions, pictures and scores
        are made with, is the mean then; ``run.network.predict(run.parameters, X)`` asks the last ones.
    class_weight : the weight of each class, or None.
    validation : `Validation`, the evaluations and what a stopping rule keeps, or None.

    Where a stopping rule has brought the best parameters back, `parameters` and `averaged` are those of
    `best_iteration`; `state`, `updates` and `losses` are of the last iteration, which resuming goes on
    from.

    Pickles, copies by `copy.deepcopy` and saved files do not hold the data.

    >>> import glassnet as gn
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], random_state=0, iterations=200)
    >>> run.status, run.iterations, run.predict([[0.0], [1.0]]).tolist()
    ('completed', 200, [0, 1])
    """

    network: Network
    optimizer: Rule
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
    def theta(self) -> Parameters:
        """What the run predicts with: the mean of the parameters where there is one, else the last ones.

        The mean is what validation evaluates. Keras's ``use_ema`` predicts with it as well, PyTorch's
        AveragedModel is a model beside the other.
        """
        return self.parameters if self.averaged is None else self.averaged

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the parameters and of the computation."""
        return self.parameters.dtype

    @property
    def evaluations(self) -> int | None:
        """Losses (and products, of NewtonCG) that a solver has asked for, the first one too; else None."""
        return int(self.heard[0]) if isinstance(self.optimizer, Solver) and len(self.heard) else None

    @property
    def reason(self) -> str:
        """Why training ended by itself: a solver's reason, a stopping rule's or a callback; else ""."""
        found = REASONS[int(self.heard[1])] if self.evaluations is not None else ""
        if found or self.status != "stopped":
            return found
        kept = self.validation
        rule = None if kept is None else kept.stopping
        if kept is None or rule is None or rule.patience is None or kept.waited < rule.patience:
            return "a callback asked for it"
        count = f"{rule.patience} evaluation{'s' if rule.patience != 1 else ''}"
        return f"{rule.metric_name} has not improved for {count}"

    @property
    def evidence(self) -> Evidence | None:
        """What `BayesianRegularization` has found of the weights and the noise; None for other rules."""
        rule = self.optimizer
        return rule.evidence(self.heard[2:].tolist()) if isinstance(rule, BayesianRegularization) else None

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
        why = f"\n  {self.reason}" if self.reason else ""
        return (
            f"TrainingRun of {self.network} by {self.optimizer}\n"
            f"  {what}: {self.iterations:,} {kind} in {self.seconds:.3g} s, "
            f"{self.reduction} loss {losses}{best}\n"
            f"  {self.dtype.name}, {self.engine} engine, {self.threads} thread(s){why}"
        )

    def forward(self, X: object) -> list[Array]:
        """`Network.forward` at this run's `theta`."""
        return self.network.forward(self.theta, X)

    def predict_proba(self, X: object) -> Array:
        """`Network.predict_proba` at this run's `theta`; X as in `predict`."""
        return answered(self.network, self.theta, X, "predict_proba", self.extra)

    def predict(self, X: object) -> NDArray[Any]:
        """`Network.predict` at this run's `theta`: class numbers (n,) for softmax, else (n, outputs).

        X may be what `stream` takes or returns: it is read and answered block by block, with the bits of
        the same rows in memory. Its targets are not needed and not read.

        With one output that is (n, 1): ``run.predict(X) - y`` of a y (n,) broadcasts to (n, n). Write
        ``run.predict(X).ravel()``, or ask `score`.

        X has the columns that training had, scaled as they were. A run of
        ``gn.stream(..., standardize=True)`` learned from standardized columns, one that
        ``glassnet train`` made of a table from class numbers as well; the means, scales and labels are in
        ``run.extra["preprocessing"]``. A PreprocessingWarning says so of rows other than
        ``gn.stream(X, standardize=(mean, scale))``. Standardized arrays are answered
        without it by ``run.network.predict(run.theta, X)``, and tables by ``glassnet predict``.
        """
        return answered(self.network, self.theta, X, "predict", self.extra)

    def score(self, X: object, y: object = None, sample_weight: object = None) -> float:
        """How well the run predicts, as scikit-learn's `accuracy_score` or `r2_score` says; 1 is perfect.

        For classes and labels the share of the samples whose every number is right, for other targets
        R^2, the mean over the outputs. X and y are what `train` takes; of probabilities the most probable
        counts. Data that are streamed are read once, their predictions are not kept, and the score has the
        bits of the same rows in memory.

        >>> import glassnet as gn
        >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
        >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, iterations=500, random_state=0)
        >>> round(run.score(X, y), 6)
        1.0
        """
        return scored(self.network, self.theta, X, y, sample_weight, self.extra)

    def resume(
        self,
        iterations: int,
        *,
        X: object = None,
        y: object = None,
        sample_weight: object = None,
        validation: object = None,
        optimizer: Rule | None = None,
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
        rest, as at update 1. A solver that has ended by itself stays where it is until it gets other
        settings. After a divergence another optimizer is required, and starts from rest.

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
        rule = self.optimizer if optimizer is None else check_rule(optimizer)
        if self.status == "diverged" and rule == self.optimizer and not isinstance(rule, Solver):
            raise InputError(
                f"This run blew up at iteration {self.diverged_at} and would again. Resume it with "
                f"another optimizer, for instance optimizer={gentler(rule)}."
            )
        if X is not None and is_stream(X):
            X, y, sample_weight = stream(X, y, sample_weight=sample_weight), None, None
        memory = memory_of(X) if X is not None else memory_of(getattr(self._problem, "rows", None))
        check_fits(rule, self.network, self.batch_size, self.penalties, self.dropout, self.average, memory)
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
        elif self.cursor is None:
            raise InputError(
                "This run, of a sweep too large for it, has let go of its place among the batches: use "
                "gn.train(..., parameters=run.parameters)."
            )
        elif not self.cursor.fits(problem.fingerprint):
            raise InputError(
                f"These data ({problem.n_samples} samples) are not those that the run was trained on. "
                f"To go on with other data, use gn.train(..., parameters=run.parameters)."
            )
        else:
            self.cursor.check_layout(problem.layout)
        start = (
            end if self.status != "diverged" and rule.name == self.optimizer.name else at_rest(end, rule)
        )
        if isinstance(rule, Solver):
            if rule != self.optimizer and len(start.heard):  # what has ended it may have changed
                start = replace(start, heard=rule.going_on(start.heard))
        elif getattr(self.optimizer, "learning_rate", None) != rule.learning_rate:
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
        return run if point is None else at_point(run, point)

    def _resumed_data(
        self,
        X: object,
        y: object,
        sample_weight: object,
        validation: object,
        engine: str | None,
        threads: int | None,
    ) -> tuple[Problem | Batches, HeldOut | None]:
        if X is not None and (y is not None or is_stream(X)):
            samples = X, y, sample_weight
            kept = self.validation
            if kept is not None and kept.rows is not None:
                data = check_data(
                    self.network, *samples[:2], self.dtype, self.reduction, sample_weight, "auto"
                )
                parts = take_parts(data, kept.rows, kept.n_held_out)
                samples, validation = parts.training, parts.held_out
            problem = prepared(
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
        if isinstance(self._problem, Problem):  # a solver may have chosen other penalties
            return self._problem.with_penalties(self.penalties), self._held_out
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
        held_out = HeldOut(problem, samples, scores(kept.stopping))
        if not same_data(held_out.fingerprint, kept.fingerprint):
            raise InputError("The validation data are not those that the run was evaluated on.")
        return held_out


def prepared(
    network: Network, samples: tuple[Any, Any, Any], batch_size: int | None, **how: Any
) -> Problem | Batches:
    """The samples made ready for the full batch, or for batches of that size."""
    X, y, sample_weight = samples
    if is_stream(X):
        return prepare_stream(network, stream(X, y, sample_weight=sample_weight), batch_size, **how)
    if batch_size is None:
        return prepare(network, X, y, sample_weight=sample_weight, **how)
    return prepare_batches(network, X, y, batch_size, sample_weight=sample_weight, **how)


def scores(stopping: EarlyStopping | None) -> bool:
    """Whether a stopping rule looks at more than the loss."""
    return stopping is not None and stopping.metric != "loss"
