"""The state of a run: every number that predicting and going on need, whatever is done with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.encoding import PLAIN, Encoding
from glassnet.data.holdout import listed
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches, Cursor
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.optim.schedules import Adaptive, Heard
from glassnet.training.early_stopping import metric_name
from glassnet.training.loop import Status
from glassnet.training.steppers import (
    BayesianRegularization,
    Evidence,
    Rule,
    Solver,
    SolverHistory,
    SolverState,
    StopReason,
)
from glassnet.training.steppers.solver import NO_STEPS, padded_steps
from glassnet.training.validation import HeldOut, Validation


class RunData(NamedTuple):
    """The data of a run as the engine has them: those trained on, and those that evaluate it."""

    problem: Problem | Batches
    held_out: HeldOut | None = None
    test: HeldOut | None = None


@dataclass(frozen=True, eq=False, repr=False)
class RunState:
    """What training gives and goes on from; `TrainingRun` adds what users do with it, and has the docs."""

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
    solver_steps: NDArray[np.float64] = field(default_factory=lambda: NO_STEPS)
    encoding: Encoding = PLAIN
    finding: str = ""
    freeze: tuple[int, ...] = ()
    data: RunData | None = None

    def __post_init__(self) -> None:
        for name in ("losses", "solver_steps"):
            history = getattr(self, name).view()
            history.flags.writeable = False  # snapshots share one history
            object.__setattr__(self, name, history)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self) if f.name != "data")

    @property
    def preprocessing(self) -> Mapping[str, Any] | None:
        """How a table's columns become inputs and targets, as `glassnet predict` reads it; None if unknown.

        ``extra["preprocessing"]`` of a run of standardized rows, else what the `encoding` scales by itself.
        """
        known: Mapping[str, Any] | None = self.extra.get("preprocessing")
        return self.encoding.preprocessing(self.network) if known is None else known

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
        """Losses (and products, of NewtonCG) that a solver has computed, the first one too; else None."""
        return None if self._solver_state is None else self._solver_state.evaluations

    @property
    def _solver_state(self) -> SolverState | None:
        """`heard` of a solver, by name; None of an optimizer and before the first step."""
        begun = isinstance(self.optimizer, Solver) and len(self.heard)
        return SolverState.of(self.heard) if begun else None

    @property
    def reason(self) -> str:
        """Why training ended by itself, and the `finding` where the result is useless; "" for neither.

        It ends by itself by a solver's reason, a stopping rule's, a learning rate's or a callback's.
        """
        text = self.ending
        if not text and self.status == "stopped":
            text = "a callback asked for it"
        return "; ".join(filter(None, (text, self.finding)))

    @property
    def ending(self) -> str:
        """Why a solver, a stopping rule or a learning rate has ended training; "" where none has."""
        text = self.solver_reason.text
        if not text and self.status == "stopped":
            text = "" if self.validation is None else self.validation.reason_to_end
            text = text or self._rate_reason
        return text

    @property
    def _rate_reason(self) -> str:
        """Why a learning rate that follows the losses has ended training; "" where it has not."""
        schedule = None if isinstance(self.optimizer, Solver) else self.optimizer.schedule
        if not isinstance(schedule, Adaptive) or len(self.heard) != len(Heard._fields):
            return ""
        return schedule.reason_to_end(Heard(*map(float, self.heard)))

    @property
    def solver_reason(self) -> StopReason:
        """Why a solver has ended by itself."""
        return StopReason.NONE if self._solver_state is None else self._solver_state.reason

    @property
    def solver_history(self) -> SolverHistory | None:
        """The gradient's largest entry and the damping at each of `losses`, where a solver has trained."""
        if not len(self.solver_steps):
            return None
        return SolverHistory(*padded_steps(self.solver_steps, len(self.losses)).T)

    @property
    def evidence(self) -> Evidence | None:
        """What `BayesianRegularization` has estimated of weights and noise; None for other rules."""
        rule, state = self.optimizer, self._solver_state
        if state is None or not isinstance(rule, BayesianRegularization):
            return None
        return rule.evidence(state.numbers)

    @property
    def validation_losses(self) -> NDArray[np.float64]:
        """The loss on the validation data, without penalties, at each of `validation_iterations`."""
        return np.empty(0) if self.validation is None else self.validation.losses

    @property
    def test_losses(self) -> NDArray[np.float64]:
        """The loss on the rows held out for a test, as `validation_losses`, at `validation_iterations`."""
        return np.empty(0) if self.validation is None else self.validation.test_losses

    @property
    def metrics(self) -> dict[str, NDArray[np.float64]]:
        """The values of `train`'s metrics by name, on the validation data at `validation_iterations`."""
        if self.validation is None:
            return {}
        names = map(metric_name, self.validation.metrics)
        return dict(zip(names, self.validation.metric_values.T, strict=True))

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
        status = (
            f"diverged at iteration {self.diverged_at}" if self.diverged_at is not None else self.status
        )
        kind = "iterations" if self.batch_size is None else f"epochs of batches of {self.batch_size}"
        losses = f"{self.losses[0]:.7g} -> {self.losses[-1]:.7g}" if len(self.losses) else "not yet known"
        best = "" if self.best_iteration is None else f", best at {self.best_iteration:,}"
        reason = f"\n  {self.reason}" if self.reason else ""
        scaling = self.encoding.scaling
        if scaling is not None:
            gone = np.flatnonzero(scaling.constant).tolist()
            out = f"; columns that never vary are left out: {listed(gone)}" if gone else ""
            reason += f"\n  scales by itself{out}"
        if self.freeze:
            layers = f"layer{'s' if len(self.freeze) > 1 else ''} {listed(self.freeze)}"
            reason += f"\n  {layers} stay{'s' if len(self.freeze) == 1 else ''} frozen"
        return (
            f"TrainingRun of {self.network} by {self.optimizer}\n"
            f"  {status}: {self.iterations:,} {kind} in {self.seconds:.3g} s, "
            f"{self.reduction} loss {losses}{best}\n"
            f"  {self.dtype.name}, {self.engine} engine, {self.threads} thread(s){reason}"
        )


AnyRun = TypeVar("AnyRun", bound=RunState)
"""A run of whatever class: what is made of it is of the same."""


def masks_of(run: RunState) -> Masks | None:
    """Those of the pass that gave a full-batch run's last loss: ``losses[k]`` has the masks k + 1."""
    return None if run.dropout_seed is None else Masks(run.dropout_seed, run.iterations + 1)


def state_at_rest(rule: Rule, flat: Array) -> Array:
    """A rule's rows before its first update."""
    rows = 0 if isinstance(rule, Solver) else len(rule.state_names)
    return np.zeros((rows, flat.size), flat.dtype)


def with_rule(run: AnyRun, rule: Rule) -> AnyRun:
    """The run to go on with by another rule: the same kind keeps its state, another starts from rest.

    So does each rule after a divergence. What has ended a solver may not end one with other settings, and
    rates that follow the losses begin anew where the learning rate is another.
    """
    if run.status == "diverged" or rule.name != run.optimizer.name:
        rows = state_at_rest(rule, run.parameters.flat)
        return replace(run, optimizer=rule, state=rows, updates=0, heard=np.empty(0))
    heard = run.heard
    if isinstance(rule, Solver):
        if rule != run.optimizer and len(heard):
            heard = SolverState.of(heard)._replace(reason=StopReason.NONE).array()
    elif getattr(run.optimizer, "learning_rate", None) != rule.learning_rate:
        heard = np.empty(0)
    return replace(run, optimizer=rule, heard=heard)


def with_data(
    run: AnyRun, problem: Problem | Batches, held_out: HeldOut | None = None, test: HeldOut | None = None
) -> AnyRun:
    """The run with its data, and what computes on them."""
    return replace(
        run,
        engine=problem.engine,
        engine_reason=problem.engine_reason,
        threads=problem.threads,
        data=RunData(problem, held_out, test),
    )


def at_point(run: AnyRun, point: Array) -> AnyRun:
    """The run at other parameters, and their mean where it has one."""
    flat, *mean = (Parameters(run.network.sizes, row.copy()) for row in point)
    return replace(run, parameters=flat, averaged=mean[0] if mean else None)


def at_best(run: AnyRun) -> AnyRun:
    """The run at its best parameters, which keeps the last ones for going on."""
    validation = run.validation
    if validation is None or validation.best_point is None or validation.best_iteration == run.iterations:
        return run
    rows = [theta.flat for theta in (run.parameters, run.averaged) if theta is not None]
    return at_point(
        replace(run, validation=replace(validation, last_point=np.stack(rows))), validation.best_point
    )


def at_end(run: AnyRun) -> AnyRun:
    """The run at the parameters that training had come to, ready to go on: its cursor is a copy."""
    cursor = None if run.cursor is None else run.cursor.copy()
    run = replace(run, cursor=cursor, finding="")
    if run.validation is None:
        return run
    point = run.validation.last_point
    run = replace(run, validation=run.validation.going_on())
    return run if point is None else at_point(run, point)
