"""The one training loop: it takes a stepper from iteration to iteration, as a policy decides.

The mechanics of training stand here once: the loop catches Ctrl-C, lets the stepper compute in chunks that
end by the clock, counts iterations, keeps the history of losses, shows progress and returns how it ended.
What differs between `train` and scikit-learn's estimators is a `Policy`. The order of calls:

1. ``policy.begin(loop)``, once, while Ctrl-C is caught.
2. ``policy.rest(k)``, before every chunk, in an epoch too: training could be cut off here and go on later.
   ``policy.next_decision(k)`` at iteration `k`: the iteration, above `k`, up to which nothing needs
   deciding; the loop cuts it to ``policy.last``. A policy also sets rates, threads and the like here.
3. The stepper advances by a chunk, which may end before that iteration and, on batches, in the middle of an
   epoch. Then progress is shown, and the loop calls

   - ``policy.diverged(k)``, if the next iteration diverged: training ends at iteration `k`, which may be
     one less than before. A stepper by scikit-learn's rules, ``Epochs(..., keep_nan=True)``, never does;
   - ``policy.decide(k, losses)``, if the chunk made iterations: `losses` are theirs, a view of the history.
     True ends training.

4. Step 3 again until the iteration of step 2 is reached, then step 2; until `last`, an answer of True, a
   rule that ends by itself (``stepper.stops``), a divergence, or Ctrl-C. After Ctrl-C the stepper ends with
   whole updates, and the policy still decides on the whole iterations among them.
5. ``policy.failed(error, where, k)``, before an error of the stepper (such as one of rows that are read
   meanwhile) or a second Ctrl-C leaves the loop. Errors that the policy itself raises pass through.

``Loop(...).run()`` returns the status: "completed", "stopped", "interrupted" or "diverged". Where a chunk
ends has no influence on the numbers: all state goes from one to the next in the stepper.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.minibatch import Cursor
from glassnet.errors import InputError
from glassnet.optim.penalties import Penalties
from glassnet.utils.interrupts import Interrupts, stop_on_interrupt
from glassnet.utils.progress import progress_line

Status = Literal["running", "completed", "stopped", "interrupted", "diverged"]

STATUSES: tuple[Status, ...] = get_args(Status)

NOTHING: NDArray[np.float64] = np.empty(0)

Progress = Callable[[int, float], None]
"""A function of iteration and loss, called now and then."""

CHUNK_SECONDS = 0.04
"""How long an engine may compute before it comes back to progress, callbacks and Ctrl-C."""

ROOM = 1024
"""Losses that a history has room for at first, where the policy does not need all of it."""


class Stepper(ABC):
    """The parameters, the rule's state and whatever else an iteration changes.

    Attributes
    ----------
    start_losses : how many losses a history has before the first iteration's: 1 on the full batch, whose
        first loss is that of the start; 0 on batches.
    flat, state : the parameters, (n_parameters,), and the rule's rows of numbers, (rows, n_parameters),
        which may be views of what changes.
    cursor : on batches, where in its epoch training stands.
    averaged : the running mean of the parameters, where there is one.
    penalties : those that the last loss was counted with, where a rule chooses them.
    memory : the numbers that a run keeps beside the state, as ``run.heard``.
    updates : how many updates the state has seen.
    steps : what a solver saw at each loss, as ``run.solver_history``; (losses, 2).
    stops : whether the rule itself asks training to end.
    error : what cut the last chunk short, for the loop to raise once it has taken note of the chunk.
    """

    start_losses: int
    flat: Array
    state: Array
    cursor: Cursor | None = None
    averaged: Array | None = None
    penalties: Penalties | None = None
    updates: int = 0
    memory: NDArray[np.float64] = NOTHING
    steps: NDArray[np.float64] | None = None
    stops: bool = False
    error: BaseException | None = None

    def hear(self, loss: float) -> None:  # noqa: B027 - most rules do not listen
        """Take in the validation loss of an evaluation."""

    @abstractmethod
    def drive(self, loop: Loop) -> None:
        """Advance until the loop says that training is over.

        A stepper asks for `next_losses` before its next iterations and calls `advanced` after them, from
        the callback of a library that keeps the control, as SciPy's ``minimize`` does.
        """


class ChunkStepper(Stepper):
    """A stepper that advances by chunks of iterations, each as long as the loop allows."""

    def drive(self, loop: Loop) -> None:
        while (losses := loop.next_losses()) is not None:
            loop.advanced(*self.advance(losses, loop.stop, loop.chunk_seconds))

    @abstractmethod
    def advance(
        self, losses: NDArray[np.float64], stop: NDArray[np.uint8], seconds: float
    ) -> tuple[int, bool]:
        """Make up to ``len(losses)`` iterations: how many, and whether the next one diverged.

        On batches only the next epoch may show that an epoch diverged, which is taken back: -1 iterations.
        Returns early after `seconds`, and once ``stop[0]`` is set, with whole updates.
        """


class Policy(ABC):
    """What a way of training decides; this module's docstring tells when each method is called."""

    last: int
    """The iteration at which training ends at the latest."""

    def begin(self, loop: Loop) -> None:  # noqa: B027 - may be left as it is
        """Training is about to begin, or to go on, at ``loop.iteration``."""

    def next_decision(self, iteration: int) -> int:
        """The iteration, after this one, up to which the stepper may go on by itself."""
        return iteration + 1

    @abstractmethod
    def decide(self, iteration: int, losses: NDArray[np.float64]) -> bool:
        """Look at the iterations just made, which end at `iteration`; True ends training."""

    def rest(self, iteration: int) -> None:  # noqa: B027 - may be left as it is
        """Another chunk is about to begin, at the iteration or in the epoch after it."""

    def diverged(self, iteration: int) -> None:  # noqa: B027 - may be left as it is
        """Training ends at `iteration`, as the one after it diverged; later ones are taken back."""

    def failed(  # noqa: B027 - may be left as it is
        self, error: BaseException, where: str, iteration: int
    ) -> None:
        """An error, raised `where` (such as "after") the iteration, is about to leave: keep the work."""


class Loop:
    """A training in progress: `stepper` goes on from iteration `start`, as `policy` decides.

    `losses` is the history so far, to which the new losses are added. A caller with many trainings at once
    has a `stop_on_interrupt` of its own open, whose byte is `stop`; with a byte that nobody sets, Ctrl-C
    raises KeyboardInterrupt as in any Python code.
    """

    def __init__(
        self,
        stepper: Stepper,
        policy: Policy,
        start: int = 0,
        losses: NDArray[np.float64] = NOTHING,
        stop: NDArray[np.uint8] | None = None,
        progress: bool | float | Progress = False,
    ) -> None:
        self.stepper, self.policy, self.iteration = stepper, policy, start
        self.chunk_seconds = CHUNK_SECONDS
        self.interrupts = Interrupts() if stop is None else Interrupts(stop)
        self._shared, self._progress = stop is not None, progress
        self._history, self._decision = losses, start
        self._stopped, self._diverged = stepper.stops, False
        self._show: Progress

    @property
    def stop(self) -> NDArray[np.uint8]:
        """One byte, set by Ctrl-C."""
        return self.interrupts.stop

    @property
    def losses(self) -> NDArray[np.float64]:
        """The history: on the full batch it begins with the loss of the start."""
        return self._history[: self.iteration + self.stepper.start_losses]

    def reserve(self, last: int) -> None:
        """Make room for the losses up to an iteration; raises InputError where memory has none."""
        size = last + self.stepper.start_losses
        if size <= len(self._history):
            return
        try:
            history = np.empty(size)
        except (MemoryError, ValueError) as error:
            raise InputError(
                f"A loss history of {size:,} iterations does not fit into memory; train fewer at a time, "
                f"and resume."
            ) from error
        known = self.losses
        history[: len(known)] = known
        self._history = history

    def run(self) -> Status:
        """Train until the policy, the rule, a divergence or Ctrl-C ends it, and return the status."""
        policy = self.policy
        with self._open_interrupts() as self.interrupts, self._open_progress() as self._show:
            policy.begin(self)
            try:
                self.stepper.drive(self)
            except BaseException as error:
                if self.interrupts.computing:  # else the policy raised it
                    policy.failed(error, "after", self.iteration)
                raise
        whole = self.iteration >= policy.last
        if not whole:
            self._history = self.losses.copy()  # lets go of the room that was not needed
        if self._diverged:
            return "diverged"
        # Outside of a sweep, Ctrl-C after the last update is still reported as interrupted.
        if self.stop[0] and not (whole and self._shared):
            return "interrupted"
        return "stopped" if self._stopped or self.stepper.stops else "completed"

    def next_losses(self) -> NDArray[np.float64] | None:
        """Called by the stepper: room for the losses up to the next decision, or None at the end."""
        k, last = self.iteration, self.policy.last
        if k >= last or self._stopped or self._diverged or self.stop[0]:
            return None
        self.policy.rest(k)
        if k >= self._decision:
            self._decision = min(last, self.policy.next_decision(k))
        end, start_losses = self._decision, self.stepper.start_losses
        if end + start_losses > len(self._history):
            self.reserve(min(last, max(end, 2 * k, ROOM)))
        self.interrupts.computing = True
        return self._history[k + start_losses : end + start_losses]

    def advanced(self, iterations: int, diverged: bool = False) -> None:
        """Called by the stepper after it has made `iterations`, with whether the next one diverged."""
        self.interrupts.computing = False
        self.iteration, self._diverged = self.iteration + iterations, diverged
        k, losses = self.iteration, self.losses
        if len(losses):
            self._show(k, losses[-1])
        if diverged:
            self.policy.diverged(k)
        if self.interrupts.again:
            pressed = KeyboardInterrupt()
            self.policy.failed(pressed, "by a second Ctrl-C after", k)
            raise pressed
        if iterations > 0:
            self._stopped = self.policy.decide(k, losses[len(losses) - iterations :]) or self._stopped
        self._stopped = self._stopped or self.stepper.stops
        error, self.stepper.error = self.stepper.error, None
        if error is not None:
            self.policy.failed(error, "after", k)
            raise error

    def _open_interrupts(self) -> AbstractContextManager[Interrupts]:
        return nullcontext(self.interrupts) if self._shared else stop_on_interrupt()

    def _open_progress(self) -> AbstractContextManager[Progress]:
        if callable(self._progress):
            return nullcontext(self._progress)
        return progress_line(
            self._progress,
            self.iteration,
            self.policy.last,
            lambda: self._diverged or bool(self.stop[0]),
        )
