"""The records that the engines take: a problem's setup, and the updates of a call."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from glassnet.data.checks import Summary
from glassnet.errors import InputError
from glassnet.nn.dropout import Masks
from glassnet.nn.network import Network
from glassnet.optim import Optimizer
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import NO_PENALTIES, Penalties
from glassnet.utils.threads import thread_count

EngineName = Literal["native", "numpy"]


@dataclass(frozen=True, eq=False)
class Setup:
    """What a problem computes and how: its network, and settings that are checked and chosen.

    `dropout` has the probability of each hidden layer, `class_weight` the weight of each class or None,
    `freeze` the layers that updates leave as they are.
    """

    network: Network
    dtype: np.dtype[Any]
    engine: EngineName
    engine_reason: str
    threads: int = 1
    reduction: str = "mean"
    penalties: Penalties = NO_PENALTIES
    conventions: Conventions = OURS
    dropout: tuple[float, ...] = ()
    class_weight: tuple[float, ...] | None = None
    freeze: tuple[int, ...] = ()


class Updates(NamedTuple):
    """The updates that a call of an engine makes, and when it returns early.

    `rates` holds one learning rate for all updates, or at least one for each; the engines ignore the
    optimizer's own. `first` is the number of the first update, from 1. The call returns after a whole
    update once ``stop[0]`` is set or `seconds` are over. A loss above `limit`, or one that is not finite,
    has diverged. With dropout, `masks` are those of the pass that gives the first update its gradient; each
    pass after it takes the next number. With an `average` d above 0 the state has one more row, the last, a
    mean of the parameters, which becomes d mean + (1 - d) theta after each update. `threads` None takes
    those of the problem.
    """

    optimizer: Optimizer
    rates: NDArray[np.float64]
    first: int
    stop: NDArray[np.uint8]
    seconds: float
    limit: float = math.inf
    masks: Masks | None = None
    average: float = 0.0
    threads: int | None = None

    def rate(self, k: int) -> float:
        """The learning rate of update k of this call, from 0."""
        return float(self.rates[min(k, len(self.rates) - 1)])


class Prepared:
    """A network with its dataset, ready for an engine: what problems and batches have in common.

    Nothing changes it: `with_threads`, `with_penalties` and `with_conventions` give another one over the
    same samples. `baseline` is the loss where the output layer's Z is 0 everywhere, which a network that
    has learned nothing pays; `summary` has some of the samples, for the units of a solver and a look at the
    end of training.
    """

    memory_limit: int | None = None
    """The bytes that reading may take; None for samples in memory."""

    def __init__(self, setup: Setup, n_samples: int, summary: Summary) -> None:
        self.n_samples, self.summary = n_samples, summary
        self._take(setup)

    def _take(self, setup: Setup) -> None:
        self.setup = setup
        # Attributes, since a small call takes microseconds.
        self.network, self.dtype, self.reduction = setup.network, setup.dtype, setup.reduction
        self.engine, self.engine_reason, self.threads = setup.engine, setup.engine_reason, setup.threads
        self.penalties, self.conventions = setup.penalties, setup.conventions
        self.dropout, self.class_weight = setup.dropout, setup.class_weight

    def _with(self, **changes: Any) -> Self:
        other = copy.copy(self)
        other._take(replace(self.setup, **changes))
        return other

    def with_threads(self, threads: int | None) -> Self:
        """A copy over the same samples, computed on another number of threads.

        Several Python threads may call one problem at once: a call keeps its scratch to itself.
        """
        return self._with(threads=thread_count(threads))

    def with_penalties(self, penalties: Penalties) -> Self:
        """A copy over the same samples, with other penalties."""
        return self._with(penalties=penalties)

    def with_conventions(self, conventions: Conventions) -> Self:
        """A copy over the same samples, with other conventions of the loss."""
        return self._with(conventions=conventions)

    def check_masks(self, masks: Masks | None) -> None:
        """Raise InputError where units are dropped and the masks to drop them by are missing."""
        if masks is None and any(self.dropout):
            raise InputError(
                "This problem drops hidden units: give the masks of the pass that gives the first update "
                "its gradient, such as masks=Masks(seed=0, number=1)."
            )
