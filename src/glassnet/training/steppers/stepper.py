"""What the training loop advances, by whatever rule: arrays, and a method that takes them further."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.minibatch import Cursor
from glassnet.optim.penalties import Penalties

NOTHING: NDArray[np.float64] = np.empty(0)


class Loop(Protocol):
    """What a stepper sees of the loop that it is driven by (`glassnet.training.loop.Loop`)."""

    @property
    def stop(self) -> NDArray[np.uint8]:
        """One byte, set by Ctrl-C."""

    @property
    def chunk_seconds(self) -> float:
        """How long the stepper may compute before it comes back."""

    def next_losses(self) -> NDArray[np.float64] | None:
        """A place for the loss of each iteration up to the next decision; None where training is over."""

    def advanced(self, iterations: int, diverged: bool = False) -> None:
        """Tell the loop that the stepper has made iterations and written their losses."""


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
    stops : whether the rule itself asks training to end.
    """

    start_losses: int
    flat: Array
    state: Array
    cursor: Cursor | None = None
    averaged: Array | None = None
    penalties: Penalties | None = None
    updates: int = 0
    memory: NDArray[np.float64] = NOTHING
    stops: bool = False

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
