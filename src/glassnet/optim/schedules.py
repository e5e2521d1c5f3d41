"""How the learning rate changes over training, as frozen records.

The rate of an update depends on the number of the update, counted from 1, and on nothing else: neither the
ends of calls nor resuming change it. Only `Adaptive` and `ReduceOnPlateau` listen to losses.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError
from glassnet.utils.settings_checks import (
    Settings,
    as_decay,
    as_factor,
    as_not_negative,
    as_positive,
    as_steps,
    checked,
    one_of,
    settings_from_dict,
)

Rates = NDArray[np.float64]


def _map(function: Callable[[float], float], values: Rates) -> Rates:
    # NumPy's own cos and power differ in the last bit between processors, and would change all of training.
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


@dataclass(frozen=True, repr=False)
class Schedule(Settings, ABC):
    """A learning rate for every update: ``learning_rate=`` takes it in place of a number.

    The formulas of its classes are in s, the number of earlier updates: 0 for the first update. With
    ``per="iteration"`` s counts iterations instead: updates on the full batch, epochs with batch_size.

    >>> import glassnet as gn
    >>> rule = gn.SGD(learning_rate=gn.Step(0.1, every=2))
    >>> rule.schedule.rates(first_update=1, count=4).round(3).tolist()
    [0.1, 0.1, 0.01, 0.01]
    """

    name: ClassVar[str]
    scaled: ClassVar[tuple[str, ...]] = ("rate",)
    """The settings that are rates."""

    @abstractmethod
    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        """The rates of `count` updates from number `first_update` (from 1) on: (count,) float64."""

    def slower(self, factor: float) -> Schedule:
        """The same schedule with every rate multiplied by `factor`, in numbers rounded to 12 digits."""
        rates: dict[str, Any] = {n: float(f"{getattr(self, n) * factor:.12g}") for n in self.scaled}
        return replace(self, **rates)

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, as JSON and TOML hold them.

        Raises InputTypeError for a user's own schedule, because no registry has its name.

        >>> import glassnet as gn
        >>> gn.Step(0.1, every=30).to_dict()
        {'schedule': 'step', 'rate': 0.1, 'every': 30, 'factor': 0.1, 'per': 'update'}
        """
        if SCHEDULES.get(self.name) is not type(self):
            raise InputTypeError(
                f"{type(self).__name__} is a schedule of your own, which a file cannot hold: resume with "
                f"one of {', '.join(SCHEDULES)} before saving."
            )
        plain = {k: v.to_dict() if isinstance(v, Schedule) else v for k, v in self.settings().items()}
        return {"schedule": self.name, **plain}


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """The same rate for every update; a number as ``learning_rate=`` means this.

    rate is above 0 and finite; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Constant(0.1).rates(1, 3).tolist()
    [0.1, 0.1, 0.1]
    """

    name = "constant"

    rate: float = field(metadata=checked(as_positive))

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        return np.full(count, self.rate)


@dataclass(frozen=True, repr=False)
class Formula(Schedule):
    """A schedule that is a formula of s, scaled by `rate`."""

    rate: float = field(metadata=checked(as_positive))
    per: str = field(default="update", kw_only=True, metadata=checked(one_of(("update", "iteration"))))

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        finished = np.arange(first_update - 1, first_update - 1 + count)
        if self.per == "iteration":
            finished //= updates_per_iteration
        return self.after(finished.astype(np.float64))

    @abstractmethod
    def after(self, s: Rates) -> Rates:
        """The rates after s finished updates or iterations."""


@dataclass(frozen=True, repr=False)
class InverseScaling(Formula):
    """rate / (1 + decay s)^power: the rate falls quickly at first, then slowly, and never to 0.

    rate and decay are above 0, power from 0 up; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.InverseScaling(0.1, power=1).rates(1, 4).round(4).tolist()
    [0.1, 0.05, 0.0333, 0.025]

    Robbins and Monro (1951) show that descent on noisy gradients converges for power above 0.5, up to 1.
    scikit-learn's "invscaling" counts samples, once an epoch: over n samples it equals
    ``InverseScaling(rate, power, decay=n, per="iteration")`` to the last bit.
    """

    name = "inverse_scaling"

    power: float = field(default=0.5, metadata=checked(as_not_negative))
    decay: float = field(default=1.0, metadata=checked(as_positive))

    def after(self, s: Rates) -> Rates:
        return self.rate / _map(lambda base: base**self.power, self.decay * s + 1.0)


@dataclass(frozen=True, repr=False)
class Step(Formula):
    """rate factor^floor(s / every): the rate drops by the factor after every so many updates.

    rate is above 0, every a whole number from 1, factor above 0 and up to 1; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Step(0.1, every=2, factor=0.5).rates(1, 5).tolist()
    [0.1, 0.1, 0.05, 0.05, 0.025]

    PyTorch's StepLR(step_size=every, gamma=factor), whose users step it once an epoch: ``per="iteration"``.
    """

    name = "step"

    every: int = field(metadata=checked(as_steps))
    factor: float = field(default=0.1, metadata=checked(as_factor))

    def after(self, s: Rates) -> Rates:
        return self.rate * _map(lambda n: self.factor**n, s // self.every)


@dataclass(frozen=True, repr=False)
class Exponential(Formula):
    """rate factor^s: every update shrinks the rate by the same factor.

    rate is above 0, factor above 0 and up to 1; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Exponential(0.1, factor=0.5).rates(1, 3).tolist()
    [0.1, 0.05, 0.025]

    PyTorch's ExponentialLR(gamma=factor), whose users step it once an epoch: ``per="iteration"``.
    """

    name = "exponential"

    factor: float = field(metadata=checked(as_factor))

    def after(self, s: Rates) -> Rates:
        return self.rate * _map(lambda n: self.factor**n, s)


@dataclass(frozen=True, repr=False)
class Cosine(Formula):
    """final + (rate - final) (1 + cos(pi s / steps)) / 2, and `final` from s = steps on.

    rate is above 0, steps a whole number from 1, final from 0 up; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Cosine(0.1, steps=4).rates(1, 6).round(4).tolist()
    [0.1, 0.0854, 0.05, 0.0146, 0.0, 0.0]

    Loshchilov and Hutter, "SGDR" (2017), without its restarts. PyTorch's
    CosineAnnealingLR(T_max=steps, eta_min=final) rises again after T_max; this one stays at `final`.
    """

    name = "cosine"
    scaled = ("rate", "final")

    steps: int = field(metadata=checked(as_steps))
    final: float = field(default=0.0, metadata=checked(as_not_negative))

    def after(self, s: Rates) -> Rates:
        return _cosine(self.rate, self.final, np.minimum(s / self.steps, 1.0))


def _cosine(start: float | Rates, end: float | Rates, x: Rates) -> Rates:
    """From start at x = 0 to end at x = 1, flat at both."""
    return end + (start - end) * (1.0 + _map(lambda x: math.cos(math.pi * x), x)) / 2.0


@dataclass(frozen=True, repr=False)
class OneCycle(Formula):
    """Up from rate / div_factor to `rate`, then down to rate / (div_factor final_div_factor).

    Rise and fall are half a cosine each: up over the first ``pct_start * steps - 1`` updates, down until
    ``steps - 1``; then the last rate stays.

    rate is above 0, steps a whole number from 1, pct_start from 0 to below 1, both factors above 0;
    InputError otherwise.

    >>> import glassnet as gn
    >>> gn.OneCycle(1.0, steps=5, pct_start=0.6).rates(1, 5).round(3).tolist()
    [0.04, 0.52, 1.0, 0.5, 0.0]

    Smith and Topin, "Super-convergence" (2018). Numbers, names and defaults are those of PyTorch's
    OneCycleLR with cosine annealing, which by default also cycles the momentum; this one changes only the
    rate.
    """

    name = "one_cycle"

    steps: int = field(metadata=checked(as_steps))
    pct_start: float = field(default=0.3, metadata=checked(as_decay))
    div_factor: float = field(default=25.0, metadata=checked(as_positive))
    final_div_factor: float = field(default=1e4, metadata=checked(as_positive))

    def after(self, s: Rates) -> Rates:
        first = self.rate / self.div_factor
        top, end = self.pct_start * self.steps - 1.0, self.steps - 1.0
        # A rise or fall shorter than one update is left out.
        up = _cosine(first, self.rate, np.clip(s / top, 0.0, 1.0) if top > 0 else np.ones_like(s))
        down = (s - top) / (end - top) if end > top else np.ones_like(s)
        return np.where(
            s <= top, up, _cosine(self.rate, first / self.final_div_factor, np.clip(down, 0.0, 1.0))
        )


@dataclass(frozen=True, repr=False)
class WarmUp(Schedule):
    """A rate that rises linearly over the first `updates` updates, then the schedule `then`.

    For s < updates the rate is the first rate of `then` times start + (1 - start) s / updates; after that
    `then`, a schedule or a number, counts from 0.

    updates is a whole number from 1, start above 0 and up to 1; InputError otherwise, also for a
    schedule that listens to the losses.

    >>> import glassnet as gn
    >>> gn.WarmUp(gn.Step(0.4, every=1, factor=0.5), updates=2, start=0.5).rates(1, 5).round(3).tolist()
    [0.2, 0.3, 0.4, 0.2, 0.1]

    Goyal et al. (2017). PyTorch's SequentialLR of LinearLR(start_factor=start, total_iters=updates)
    and the other schedule, with the milestone `updates`.
    """

    name = "warm_up"

    then: Schedule
    updates: int = field(metadata=checked(as_steps))
    start: float = field(default=1 / 3, metadata=checked(as_factor))

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", as_schedule(self.then, "then"))
        if isinstance(self.then, (Adaptive, WarmUp)):
            raise InputError(
                f"WarmUp takes a schedule whose rates are known beforehand, not {self.then!r}; use for "
                f"instance gn.Cosine or a number."
            )
        super().__post_init__()

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        numbers = np.arange(first_update, first_update + count)
        rising = numbers[numbers <= self.updates]
        top = self.then.rates(1, 1, updates_per_iteration)[0]
        rise = top * (self.start + (1.0 - self.start) * ((rising - 1) / self.updates))
        rest = count - len(rising)
        after = max(first_update - self.updates, 1)
        return np.concatenate([rise, self.then.rates(after, rest, updates_per_iteration)])

    def slower(self, factor: float) -> Schedule:
        return replace(self, then=self.then.slower(factor))


class Heard(NamedTuple):
    """The whole state of a schedule that listens, as numbers that a file can hold."""

    rate: float
    """0 stops training."""
    best: float
    """The lowest loss so far."""
    failures: float
    """How many losses in a row were not below the best by the tolerance."""


@dataclass(frozen=True, repr=False)
class Adaptive(Schedule):
    """Divides the rate by `divisor` after `patience` iterations in a row without a better loss.

    A loss is better where it is at or below the lowest so far minus `tolerance`. At a rate of `smallest` or
    below, training stops instead, with the status "stopped". The losses are those of the run: on the full
    batch the loss after each update, with batch_size the loss of the epoch.

    rate and smallest are above 0, divisor above 0, tolerance from 0 up, patience a whole number from 1;
    InputError otherwise.

    >>> import glassnet as gn
    >>> rule = gn.Adaptive(0.5)
    >>> index, state = rule.listen(rule.begin(1.0), [0.9, 0.8, 0.8, 0.8, 0.7])
    >>> index, state.rate  # the fourth loss is the second in a row that has not fallen
    (3, 0.1)

    scikit-learn's learning_rate="adaptive" documents a patience of 2 and takes n_iter_no_change + 1;
    ``Adaptive(rate, patience=n_iter_no_change + 1)`` is its rule. PyTorch's ReduceLROnPlateau is similar:
    it multiplies by a factor of 0.1 after 10 epochs, with a relative tolerance.
    """

    name = "adaptive"
    watches: ClassVar[str] = "training"
    """Whose losses it listens to: those of "training", or of "validation" at each evaluation."""

    rate: float = field(metadata=checked(as_positive))
    tolerance: float = field(default=1e-4, metadata=checked(as_not_negative))
    patience: int = field(default=2, metadata=checked(as_steps))
    divisor: float = field(default=5.0, metadata=checked(as_positive))
    smallest: float = field(default=1e-6, metadata=checked(as_positive))

    def begin(self, loss: float = math.inf) -> Heard:
        """The state before the first iteration; `loss` is the loss that training starts from."""
        return Heard(self.rate, loss, 0)

    def listen(self, state: Heard, losses: Sequence[float] | Rates) -> tuple[int | None, Heard]:
        """The index of the first loss that changes the rate, or None, and the state after it."""
        rate, best, failures = state
        for i, loss in enumerate(losses):
            failures = failures + 1 if loss > best - self.tolerance else 0
            best = min(best, float(loss))
            if failures >= self.patience:
                return i, Heard(rate / self.divisor if rate > self.smallest else 0.0, best, 0)
        return None, Heard(rate, best, failures)

    def reason_to_end(self, state: Heard) -> str:
        """Why training ends here, as ``run.reason`` says it; "" where it goes on."""
        if state.rate > 0:
            return ""
        unit = "evaluation" if self.watches == "validation" else "iteration"
        return (
            f"the {self.watches} loss has not improved on {state.best:.4g} for {self.patience} "
            f"{unit}{'s' if self.patience != 1 else ''}, and the learning rate had fallen to "
            f"smallest={self.smallest:g} or below"
        )

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        """The rate before the first loss."""
        return np.full(count, self.rate)


@dataclass(frozen=True, repr=False)
class ReduceOnPlateau(Adaptive):
    """Divides the rate by `divisor` where the validation loss has not improved for `patience` evaluations.

    As `Adaptive`, but the losses are ``run.validation_losses``, one for each evaluation: the rate changes
    after the evaluation, and never between two. It needs validation data.

    >>> import numpy as np, glassnet as gn
    >>> random = np.random.RandomState(0)
    >>> X, y = random.randn(80, 3), random.randint(0, 2, 80)
    >>> run = gn.train(gn.Network((3, 8, 2)), X, y, validation=0.3, iterations=50, random_state=0,
    ...                optimizer=gn.SGD(gn.ReduceOnPlateau(2.0, patience=5)))
    >>> rate, best, failures = run.heard
    >>> bool(rate < 2.0), bool(best == run.validation_losses.min())
    (True, True)

    PyTorch's ReduceLROnPlateau and Keras's ReduceLROnPlateau multiply by a factor of 0.1, measure
    improvements relatively (PyTorch) or as here (Keras), wait one evaluation more (PyTorch), and go on at
    the least rate, where this ends training with the status "stopped".
    """

    name = "reduce_on_plateau"
    watches = "validation"

    patience: int = field(default=10, metadata=checked(as_steps))
    divisor: float = field(default=10.0, metadata=checked(as_positive))


SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind
    for kind in (
        *(Constant, InverseScaling, Adaptive, ReduceOnPlateau, Step, Exponential, Cosine, OneCycle),
        WarmUp,
    )
}
"""Every schedule's class by name."""


def as_schedule(value: object, name: str) -> Schedule:
    """A schedule itself, or the constant schedule of a number."""
    return value if isinstance(value, Schedule) else Constant(as_positive(value, name))


def schedule_from_dict(settings: Mapping[str, Any]) -> Schedule:
    """The schedule from what ``to_dict`` gives; a missing setting takes its default.

    Raises InputError for a missing or unknown name, an unknown or missing setting or a value out of
    range.

    >>> from glassnet.optim.schedules import schedule_from_dict
    >>> schedule_from_dict({"schedule": "cosine", "rate": 0.1, "steps": 100})
    Cosine(rate=0.1, steps=100, final=0.0)
    """
    example = '{"schedule": "cosine", "rate": 0.1, "steps": 100}'
    nested = {"then": schedule_from_dict}
    return settings_from_dict(settings, SCHEDULES, "schedule", "schedule", example, nested)
