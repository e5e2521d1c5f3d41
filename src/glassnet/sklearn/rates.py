"""The rule that moves an estimator's parameters, its state, and the rates it is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.optim import OPTIMIZERS, SGD, Adam, Optimizer
from glassnet.optim.base import COMMON
from glassnet.optim.schedules import Schedule
from glassnet.training.steppers.rates import AHEAD, LearningRates
from glassnet.utils.settings_checks import as_flag, as_not_negative

SMALLEST = 1e-6  # at a rate from here down "adaptive" stops
DIVISOR = 5.0
MOST_RATES = 1 << 16  # kept at a time


@dataclass(frozen=True, repr=False)
class AnyMomentum(SGD):
    """Gradient descent whose momentum may be 1 too, which scikit-learn allows."""

    _ranges: ClassVar = {
        **COMMON,
        "momentum": as_not_negative,
        "nesterov": as_flag,
    }


class Drive:
    """An optimizer under way: its state, the updates made, and the rate of the next ones.

    Where `schedule` is None the rate is that of scikit-learn's `kind`: "constant", "invscaling", which
    follows the samples seen, or "adaptive", which is divided by 5 where training stalls.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        rate: float,
        n_parameters: int,
        dtype: Any,
        kind: str = "constant",
        power: float = 0.5,
        schedule: Schedule | None = None,
    ) -> None:
        self.optimizer, self.kind, self.power, self.schedule = optimizer, kind, power, schedule
        self.first_rate = self.rate = float(rate)
        self.state: Array = np.zeros((len(optimizer.state_names), n_parameters), dtype)
        self.updates = 0
        self.heard: NDArray[np.float64] | None = None
        self._pace: LearningRates | None = None
        self._plan: NDArray[np.float64] = np.empty(0)
        self._planned = 0

    def copy(self) -> Drive:
        """The same in memory of its own."""
        other = object.__new__(Drive)
        other.__dict__.update(self.__dict__)
        other.state = self.state.copy()
        other._pace = None
        return other

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pace": None, "_plan": np.empty(0)}

    @property
    def listens(self) -> bool:
        """Whether the next epoch's rates depend on the loss of this one."""
        return self._pace is not None and self._pace.follow_losses

    def begin(self, updates_per_epoch: int) -> None:
        """Before the epochs of a call, whose data have so many batches."""
        self._per_epoch = updates_per_epoch
        if self.schedule is not None:
            self._pace = LearningRates(
                self.schedule, self.updates, self.heard, updates_per_iteration=updates_per_epoch
            )

    @property
    def most_epochs(self) -> int:
        """How many may be planned at a time: "invscaling" keeps a rate for each update."""
        return max(1, MOST_RATES // self._per_epoch) if self.kind == "invscaling" else MOST_RATES

    def plan(self, epochs: int, seen: int, n_samples: int) -> None:
        """Before some epochs over `n_samples` samples, after `seen` of them."""
        self._planned = 0
        rates = [self.rate]
        if self.kind == "invscaling":
            rates += [self._inverse(seen + k * n_samples) for k in range(1, epochs)]
        same = len(rates) == 1
        self._plan = np.array(rates) if same else np.repeat(rates, self._per_epoch)

    def rates(self) -> NDArray[np.float64]:
        """Of the updates to come: one for all, or one for each."""
        if self._pace is not None:
            return self._pace.next(AHEAD)
        return self._plan if len(self._plan) == 1 else self._plan[self._planned :]

    def made(self, updates: int) -> None:
        """So many updates more are made."""
        self.updates += updates
        self._planned += updates
        if self._pace is not None:
            self._pace.count(updates)

    def epoch_ended(self, loss: float, seen: int) -> None:
        """After an epoch with this loss, and `seen` samples in all."""
        if self.kind == "invscaling":
            self.rate = self._inverse(seen)
        if self._pace is not None:
            self._pace.observe(np.array([loss]))
            self.heard = self._pace.memory

    def stalled(self) -> bool:
        """After too many epochs without progress: whether to stop, rather than go on more slowly."""
        if self.kind != "adaptive" or self.rate <= SMALLEST:
            return True
        self.rate /= DIVISOR
        return False

    @property
    def stops(self) -> bool:
        """Whether a schedule asks training to end."""
        return self._pace is not None and self._pace.stops

    def _inverse(self, seen: int) -> float:
        return float(self.first_rate / (seen + 1) ** self.power)


def make_drive(estimator: Any, n_parameters: int, dtype: Any) -> Drive:
    """The drive that an estimator's arguments describe, before its first update."""
    if estimator.optimizer is not None:
        optimizer = _optimizer(estimator)
        first = float(optimizer.schedule.rates(1, 1)[0])
        return Drive(optimizer, first, n_parameters, dtype, schedule=optimizer.schedule)
    rate, kind = float(estimator.learning_rate_init), estimator.learning_rate
    schedule = kind if isinstance(kind, Schedule) else None
    if estimator.solver == "adam":
        betas = float(estimator.beta_1), float(estimator.beta_2)
        optimizer = Adam(rate, *betas, float(estimator.epsilon), epsilon_hat=True)
        return Drive(optimizer, rate, n_parameters, dtype, schedule=schedule)
    ahead = bool(estimator.nesterovs_momentum)
    optimizer = AnyMomentum(rate, momentum=float(estimator.momentum), nesterov=ahead)
    named = "constant" if schedule is not None else kind
    return Drive(optimizer, rate, n_parameters, dtype, named, float(estimator.power_t), schedule)


def _optimizer(estimator: Any) -> Optimizer:
    """The one that is given, or that of a name at the estimator's learning rate.

    As in scikit-learn the rates of a solver that is not asked may stay, in a search for instance. Raises
    InputError for a schedule that would be ignored.
    """
    given, rate, first = estimator.optimizer, estimator.learning_rate, estimator.learning_rate_init
    if isinstance(given, str):
        if isinstance(rate, str) and rate != "constant":
            raise InputError(
                f"learning_rate={rate!r} is of solver='sgd'; with optimizer={given!r} it is 'constant' or "
                "a schedule, as in learning_rate=gn.Cosine(0.01, steps=2000)."
            )
        return OPTIMIZERS[given](rate if isinstance(rate, Schedule) else float(first))
    if isinstance(rate, Schedule):
        raise InputError(
            f"learning_rate={rate!r} would be ignored: optimizer={given!r} has a rate of its own, which "
            "may be a schedule. Set it there, or name the optimizer, as in optimizer='adamw'."
        )
    chosen: Optimizer = given
    return chosen
