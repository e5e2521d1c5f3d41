"""What every solver is: settings, and a course whose iterations are accepted steps."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.nn.network import Network
from glassnet.optim.penalties import Penalties
from glassnet.training.steppers.first_order import Course
from glassnet.utils.interrupts import Cut
from glassnet.utils.settings_checks import Settings, as_not_negative

REASONS = (
    "",
    "the gradient is no longer than gradient_tolerance",
    "the last step lowered the loss by no more than tolerance, as a share of it",
    "no step lowers the loss any more, in this precision",
)
"""Why a solver has ended, by the number that it keeps of it."""

GOING_ON, FLAT, SLOW, STUCK = range(len(REASONS))

TOLERANCES: Mapping[str, Any] = {"gradient_tolerance": as_not_negative, "tolerance": as_not_negative}
"""The settings that every solver has, with their checks."""


LANES = 8


def dot(a: Array, b: Array) -> float:
    """The inner product in float64, the same bits with and without the native engine.

    Eight sums, of every eighth product each, and then their sum, by halves; BLAS sums in an order of its
    threads and of the processor.
    """
    if native.module is not None:
        return float(native.module.dot(a, b))
    products = np.zeros(-(-len(a) // LANES) * LANES)
    np.multiply(a, b, out=products[: len(a)], dtype=np.float64)
    sums = products.reshape(-1, LANES).sum(axis=0)
    while len(sums) > 1:
        sums = sums[: len(sums) // 2] + sums[len(sums) // 2 :]
    return float(sums[0])


def cast(flat: Array, dtype: np.dtype[Any]) -> Array:
    """Parameters in the problem's precision, where they may be infinite: then the loss is not finite."""
    if flat.dtype == dtype:
        return flat
    with np.errstate(over="ignore"):
        return flat.astype(dtype)


@dataclass(frozen=True, repr=False)
class Solver(Settings, ABC):
    """A rule that looks at the loss around it before each step: `train` takes it as its optimizer.

    An iteration is an accepted step, which lowers the loss; training ends with status "stopped" where a
    tolerance is reached or no step lowers the loss any more, and ``run.reason`` says which.

    Parameters
    ----------
    gradient_tolerance : training ends where no entry of the gradient is larger than this.
    tolerance : it ends where a step lowers the loss by no more than this share of it.

    >>> import glassnet as gn
    >>> isinstance(gn.LBFGS(), gn.Solver), "lbfgs" in gn.SOLVERS
    (True, True)

    SciPy's and PyTorch's tolerances on the loss are of another kind: SciPy's share is one of at least 1,
    PyTorch's no share at all, so that both change with a summed loss.
    """

    name: ClassVar[str]
    kept: ClassVar[int] = 0
    """How many numbers a course keeps of its own."""

    gradient_tolerance: float = field(default=1e-7, kw_only=True)
    tolerance: float = field(default=1e-9, kw_only=True)

    @abstractmethod
    def course(self, start: Start) -> Steps:
        """What the training loop advances."""

    def check(self, network: Network, memory: int | None = None) -> None:
        """Raise InputError where it cannot train that network, or not on rows streamed in that memory."""

    def fits(self, state: Array, heard: NDArray[np.float64]) -> bool:
        """Whether a run by this solver can have kept these, for what is read from a file."""
        fresh = heard.shape == (0,)
        whole = heard.shape == (2 + self.kept,) and 0 <= heard[1] < len(REASONS)
        return (fresh or whole) and self.fits_rows(len(state))

    @staticmethod
    def going_on(heard: NDArray[np.float64]) -> NDArray[np.float64]:
        """What a run keeps, without the reason for which it has ended."""
        return np.concatenate([heard[:1], [GOING_ON], heard[2:]])

    def fits_rows(self, rows: int) -> bool:
        """Whether its state can have so many rows."""
        return rows == 0

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, as JSON and TOML can hold them.

        >>> import glassnet as gn
        >>> gn.LBFGS(memory=5).to_dict()["memory"]
        5
        """
        return {"name": self.name, **self.settings()}


class Start(NamedTuple):
    """Where a solver begins or goes on: `heard` is what it has kept, no numbers where it begins."""

    problem: Problem
    flat: Array
    loss: float
    gradient: Array
    state: Array
    heard: NDArray[np.float64]
    updates: int


class Point(NamedTuple):
    """Parameters in the problem's precision, with the loss and its gradient there."""

    flat: Array
    loss: float
    gradient: Array


class Steps(Course):
    """A solver under way. `step` makes the next one, or gives None where there is none.

    What it keeps is the number of evaluations, the reason why it has ended, and numbers of its own.
    """

    lead = 1

    def __init__(self, solver: Solver, start: Start) -> None:
        self._solver, self.problem = solver, start.problem
        self.at = Point(start.flat.copy(), start.loss, start.gradient)
        self.state = start.state.copy()
        self._updates = start.updates
        self._stop = np.zeros(1, np.uint8)
        heard = start.heard.tolist() or [1, GOING_ON]
        self._evaluations, self._reason = int(heard[0]), int(heard[1])
        self.own: list[float] = heard[2:]
        self._tried = 0  # evaluations since the last step
        if self._reason == GOING_ON and self.settled and self._is_flat():
            self._reason = FLAT

    @property
    def settled(self) -> bool:
        """Whether the loss is the one to be lowered, and not one that still changes."""
        return True

    @property
    def penalties(self) -> Penalties:  # type: ignore[override]  # read only
        return self.problem.penalties

    @property
    def flat(self) -> Array:  # type: ignore[override]  # read only
        return self.at.flat

    @property
    def updates(self) -> int:
        return self._updates

    @property
    def evaluations(self) -> int:
        """Losses, and products of NewtonCG, that have been asked for, the first one too."""
        return self._evaluations

    @property
    def heard(self) -> NDArray[np.float64]:
        return np.array([self._evaluations, self._reason, *self.own], np.float64)

    @property
    def stops(self) -> bool:
        return self._reason != GOING_ON

    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        end = time.monotonic() + seconds
        self._stop = stop
        for k in range(len(losses)):
            if self.stops:
                return k, False
            self._tried = 0
            try:
                self.problem.stop = stop
                point = self.step()
            except Cut:
                return k, False
            finally:
                self.problem.stop = None
            self._evaluations += self._tried
            if point is None:
                self._reason = STUCK
                return k, False
            before, self.at = self.at.loss, point  # of the loss as the step had it
            losses[k] = point.loss
            self._updates += 1
            if not self.settled:
                pass
            elif self._is_flat():
                self._reason = FLAT
            elif before - point.loss <= self._solver.tolerance * abs(before):
                self._reason = SLOW
            if stop[0] or time.monotonic() >= end:
                return k + 1, False
        return len(losses), False

    @abstractmethod
    def step(self) -> Point | None:
        """The point that the next step leads to, or None where no step lowers the loss.

        It changes what the course keeps only once there is nothing left that could raise `Cut`.
        """

    def evaluate(self, flat: Array) -> Point:
        """The loss and its gradient at parameters that are cast to the problem's precision; counted."""
        flat = cast(flat, self.problem.dtype)
        point = Point(flat, *self.problem.loss_and_gradient(flat))
        self.count()
        return point

    def count(self) -> None:
        """One evaluation more; raises `Cut` where Ctrl-C has been pressed meanwhile."""
        self._tried += 1
        if self._stop[0]:
            raise Cut

    def _is_flat(self) -> bool:
        return float(np.abs(self.at.gradient).max()) <= self._solver.gradient_tolerance
