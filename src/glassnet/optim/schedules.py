"""How the learning rate changes over training, as frozen records.

A schedule answers for updates by their numbers, counted from 1, and looks at nothing else: where
calls end and whether training was resumed have no influence. `Adaptive` alone listens to the losses.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.utils.settings_checks import (
    Settings,
    as_not_negative,
    as_part,
    as_positive,
    as_share,
    as_steps,
)

Rates = NDArray[np.float64]

PER = ("update", "iteration")


def as_per(value: object, name: str) -> str:
    """What a schedule counts."""
    if value not in PER:
        raise unknown_name(f"{name} of a schedule:", value, PER)
    return str(value)


def _each(function: Callable[[float], float], values: Rates) -> Rates:
    # NumPy's own cos and power differ in the last bit between processors, and with them all of training.
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


def _scaled(rate: float, factor: float) -> float:
    return float(f"{rate * factor:.12g}")


@dataclass(frozen=True, repr=False)
class Schedule(Settings, ABC):
    """A learning rate for every update: what ``learning_rate=`` takes in place of a number.

    A kind's formula is in s, the updates finished before: 0 for the first. With ``per="iteration"``
    it counts iterations instead: an update on the full batch, an epoch with batch_size.

    >>> import glassnet as gn
    >>> rule = gn.SGD(learning_rate=gn.Step(0.1, every=2))
    >>> rule.schedule.rates(first_update=1, count=4).round(3).tolist()
    [0.1, 0.1, 0.01, 0.01]
    """

    name: ClassVar[str]

    @abstractmethod
    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        """The rates of `count` updates from number `first_update` (from 1) on: (count,) float64."""

    @abstractmethod
    def slower(self, factor: float) -> Schedule:
        """The same schedule with every rate multiplied by `factor`, in numbers one would write."""

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, as JSON and TOML can hold them.

        Raises InputTypeError for a schedule of one's own, which a name would not bring back.

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
    """The same rate for every update; a number given as ``learning_rate=`` means this.

    rate is above 0 and finite; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Constant(0.1).rates(1, 3).tolist()
    [0.1, 0.1, 0.1]
    """

    name = "constant"
    _ranges: ClassVar = {"rate": as_positive}

    rate: float

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        return np.full(count, self.rate)

    def slower(self, factor: float) -> Schedule:
        return Constant(_scaled(self.rate, factor))


@dataclass(frozen=True, repr=False)
class Formula(Schedule):
    """A schedule that is a formula of s and begins with, or is measured by, `rate`."""

    rate: float
    per: str = field(default="update", kw_only=True)

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        finished = np.arange(first_update - 1, first_update - 1 + count)
        if self.per == "iteration":
            finished //= updates_per_iteration
        return self.after(finished.astype(np.float64))

    @abstractmethod
    def after(self, s: Rates) -> Rates:
        """The rates after s finished updates or iterations."""

    def slower(self, factor: float) -> Schedule:
        return replace(self, rate=_scaled(self.rate, factor))


@dataclass(frozen=True, repr=False)
class InverseScaling(Formula):
    """rate / (1 + decay s)^power: long steps at first, then ever shorter ones, never 0.

    rate and decay are above 0, power from 0 up; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.InverseScaling(0.1, power=1).rates(1, 4).round(4).tolist()
    [0.1, 0.05, 0.0333, 0.025]

    Robbins and Monro (1951) show descent on noisy gradients to converge for power above 0.5, up to 1.
    scikit-learn's "invscaling" counts samples, once an epoch: over n samples that is
    ``InverseScaling(rate, power, decay=n, per="iteration")``, to the last bit.
    """

    name = "inverse_scaling"
    _ranges: ClassVar = {
        "rate": as_positive,
        "power": as_not_negative,
        "decay": as_positive,
        "per": as_per,
    }

    power: float = 0.5
    decay: float = 1.0

    def after(self, s: Rates) -> Rates:
        return self.rate / _each(lambda base: base**self.power, self.decay * s + 1.0)


@dataclass(frozen=True, repr=False)
class Step(Formula):
    """rate factor^floor(s / every): the rate drops all at once after every so many updates.

    rate is above 0, every a whole number from 1, factor above 0 and up to 1; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Step(0.1, every=2, factor=0.5).rates(1, 5).tolist()
    [0.1, 0.1, 0.05, 0.05, 0.025]

    PyTorch's StepLR(step_size=every, gamma=factor), which its users step once an epoch:
    ``per="iteration"``.
    """

    name = "step"
    _ranges: ClassVar = {"rate": as_positive, "every": as_steps, "factor": as_part, "per": as_per}

    every: int
    factor: float = 0.1

    def after(self, s: Rates) -> Rates:
        return self.rate * _each(lambda n: self.factor**n, s // self.every)


@dataclass(frozen=True, repr=False)
class Exponential(Formula):
    """rate factor^s: the rate shrinks by the same share at every update.

    rate is above 0, factor above 0 and up to 1; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Exponential(0.1, factor=0.5).rates(1, 3).tolist()
    [0.1, 0.05, 0.025]

    PyTorch's ExponentialLR(gamma=factor), which its users step once an epoch: ``per="iteration"``.
    """

    name = "exponential"
    _ranges: ClassVar = {"rate": as_positive, "factor": as_part, "per": as_per}

    factor: float

    def after(self, s: Rates) -> Rates:
        return self.rate * _each(lambda n: self.factor**n, s)


@dataclass(frozen=True, repr=False)
class Cosine(Formula):
    """final + (rate - final) (1 + cos(pi s / steps)) / 2, and `final` from s = steps on.

    rate is above 0, steps a whole number from 1, final from 0 up; InputError otherwise.

    >>> import glassnet as gn
    >>> gn.Cosine(0.1, steps=4).rates(1, 6).round(4).tolist()
    [0.1, 0.0854, 0.05, 0.0146, 0.0, 0.0]

    Loshchilov and Hutter, "SGDR" (2017), without its restarts. PyTorch's
    CosineAnnealingLR(T_max=steps, eta_min=final) rises again after T_max; this stays.
    """

    name = "cosine"
    _ranges: ClassVar = {"rate": as_positive, "steps": as_steps, "final": as_not_negative, "per": as_per}

    steps: int
    final: float = 0.0

    def after(self, s: Rates) -> Rates:
        return _cosine(self.rate, self.final, np.minimum(s / self.steps, 1.0))

    def slower(self, factor: float) -> Schedule:
        return replace(self, rate=_scaled(self.rate, factor), final=_scaled(self.final, factor))


def _cosine(start: float | Rates, end: float | Rates, share: Rates) -> Rates:
    """From start at share 0 to end at share 1, flat at both."""
    return end + (start - end) * (1.0 + _each(lambda x: math.cos(math.pi * x), share)) / 2.0


@dataclass(frozen=True, repr=False)
class OneCycle(Formula):
    """Up from rate / div_factor to `rate`, then down to rate / (div_factor final_div_factor).

    Both ways are half a cosine: up over the first ``pct_start * steps - 1`` updates, down until
    ``steps - 1``; the last rate stays.

    rate is above 0, steps a whole number from 1, pct_start from 0 to below 1, both factors above 0;
    InputError otherwise.

    >>> import glassnet as gn
    >>> gn.OneCycle(1.0, steps=5, pct_start=0.6).rates(1, 5).round(3).tolist()
    [0.04, 0.52, 1.0, 0.5, 0.0]

    Smith and Topin, "Super-convergence" (2018). The numbers, names and defaults are those of PyTorch's
    OneCycleLR with cosine annealing, which by default also cycles the momentum; this changes the rate
    alone.
    """

    name = "one_cycle"
    _ranges: ClassVar = {
        "rate": as_positive,
        "steps": as_steps,
        "pct_start": as_share,
        "div_factor": as_positive,
        "final_div_factor": as_positive,
        "per": as_per,
    }

    steps: int
    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def after(self, s: Rates) -> Rates:
        first = self.rate / self.div_factor
        top, end = self.pct_start * self.steps - 1.0, self.steps - 1.0
        # Either way may be shorter than one update, and is then not gone.
        up = _cosine(first, self.rate, np.clip(s / top, 0.0, 1.0) if top > 0 else np.ones_like(s))
        down = (s - top) / (end - top) if end > top else np.ones_like(s)
        return np.where(
            s <= top, up, _cosine(self.rate, first / self.final_div_factor, np.clip(down, 0.0, 1.0))
        )


@dataclass(frozen=True, repr=False)
class WarmUp(Schedule):
    """`updates` updates with a rate that rises in a line from `start` times the first, then `then`.

    The rate is that of the schedule's first update times start + (1 - start) s / updates for
    s < updates; then the schedule begins, which counts from there. `then` is another schedule or a
    number.

    updates is a whole number from 1, start above 0 and up to 1; InputError otherwise, also for a
    schedule that listens to the losses.

    >>> import glassnet as gn
    >>> gn.WarmUp(gn.Step(0.4, every=1, factor=0.5), updates=2, start=0.5).rates(1, 5).round(3).tolist()
    [0.2, 0.3, 0.4, 0.2, 0.1]

    Goyal et al. (2017). PyTorch's SequentialLR of LinearLR(start_factor=start, total_iters=updates)
    and the other schedule, with the milestone `updates`.
    """

    name = "warm_up"
    _ranges: ClassVar = {"updates": as_steps, "start": as_part}

    then: Schedule
    updates: int
    start: float = 1 / 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "then", as_schedule(self.then, "then"))
        if isinstance(self.then, (Adaptive, WarmUp)):
            raise InputError(
                f"WarmUp goes before a schedule that is known beforehand, not {self.then!r}; use for "
                f"instance gn.Cosine or a number."
            )
        super().__post_init__()

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        numbers = np.arange(first_update, first_update + count)
        rising = numbers[numbers <= self.updates]
        begun = self.then.rates(1, 1, updates_per_iteration)[0]
        rise = begun * (self.start + (1.0 - self.start) * ((rising - 1) / self.updates))
        rest = count - len(rising)
        after = max(first_update - self.updates, 1)
        return np.concatenate([rise, self.then.rates(after, rest, updates_per_iteration)])

    def slower(self, factor: float) -> Schedule:
        return replace(self, then=self.then.slower(factor))


class Heard(NamedTuple):
    """What `Adaptive` keeps of the losses: all of its state, numbers that a file can hold."""

    rate: float
    """0 where training should stop."""
    best: float
    """The lowest loss so far."""
    failures: float
    """How many losses in a row were not below it by the tolerance."""


@dataclass(frozen=True, repr=False)
class Adaptive(Schedule):
    """The rate is divided by `divisor` each time the loss has not fallen by `tolerance` for long enough.

    Long enough is `patience` iterations in a row whose loss is above the lowest so far less the
    tolerance. Where that happens at a rate of `smallest` or below, training stops, with the status
    "stopped". The losses are those of the run: on the full batch the loss after each update, with
    batch_size the epoch's.

    rate and smallest are above 0, divisor above 0, tolerance from 0 up, patience a whole number from 1;
    InputError otherwise.

    >>> import glassnet as gn
    >>> rule = gn.Adaptive(0.5)
    >>> where, heard = rule.listen(rule.begin(1.0), [0.9, 0.8, 0.8, 0.8, 0.7])
    >>> where, heard.rate  # the fourth loss is the second in a row that has not fallen
    (3, 0.1)

    scikit-learn's learning_rate="adaptive" documents a patience of 2 and takes n_iter_no_change + 1;
    ``Adaptive(rate, patience=n_iter_no_change + 1)`` is its rule. PyTorch's ReduceLROnPlateau is of the
    same kind: it multiplies by a factor of 0.1 after 10 epochs, and measures tolerances relatively.
    """

    name = "adaptive"
    _ranges: ClassVar = {
        "rate": as_positive,
        "tolerance": as_not_negative,
        "patience": as_steps,
        "divisor": as_positive,
        "smallest": as_positive,
    }

    rate: float
    tolerance: float = 1e-4
    patience: int = 2
    divisor: float = 5.0
    smallest: float = 1e-6

    def begin(self, loss: float = math.inf) -> Heard:
        """The state before the first iteration, given the loss that training starts from."""
        return Heard(self.rate, loss, 0)

    def listen(self, heard: Heard, losses: Any) -> tuple[int | None, Heard]:
        """The state after iterations with these losses, up to the first that changes the rate.

        Also the index of that one, or None where none does.
        """
        rate, best, failures = heard
        for i, loss in enumerate(losses):
            failures = failures + 1 if loss > best - self.tolerance else 0
            best = min(best, float(loss))
            if failures >= self.patience:
                return i, Heard(rate / self.divisor if rate > self.smallest else 0.0, best, 0)
        return None, Heard(rate, best, failures)

    def rates(self, first_update: int, count: int, updates_per_iteration: int = 1) -> Rates:
        """The rate as long as no loss has been heard."""
        return np.full(count, self.rate)

    def slower(self, factor: float) -> Schedule:
        return replace(self, rate=_scaled(self.rate, factor))


SCHEDULES: dict[str, type[Schedule]] = {
    kind.name: kind
    for kind in (Constant, InverseScaling, Adaptive, Step, Exponential, Cosine, OneCycle, WarmUp)
}
"""Every schedule's class by name."""


def as_schedule(value: object, name: str) -> Schedule:
    """A schedule itself; a number as the constant rate."""
    return value if isinstance(value, Schedule) else Constant(as_positive(value, name))


def schedule_from_dict(settings: Mapping[str, Any]) -> Schedule:
    """The schedule that ``to_dict`` described; a setting left out takes its default.

    Raises InputError for a missing or unknown name, an unknown or missing setting or a value out of
    range.

    >>> from glassnet.optim.schedules import schedule_from_dict
    >>> schedule_from_dict({"schedule": "cosine", "rate": 0.1, "steps": 100})
    Cosine(rate=0.1, steps=100, final=0.0)
    """
    if not isinstance(settings, Mapping):
        raise InputTypeError(
            f'A schedule is described by a mapping such as {{"schedule": "cosine", "rate": 0.1, '
            f'"steps": 100}}, not {settings!r}.'
        )
    values = dict(settings)
    if "schedule" not in values:
        raise InputError(f"The schedule has no name: schedule = one of: {', '.join(SCHEDULES)}.")
    name = values.pop("schedule")
    if not isinstance(name, str) or name not in SCHEDULES:
        raise unknown_name("schedule", name, SCHEDULES)
    known = fields(SCHEDULES[name])
    for setting in values:
        if setting not in [one.name for one in known]:
            raise unknown_name(f"setting of the schedule {name!r}:", setting, [one.name for one in known])
    for one in known:
        if one.default is MISSING and one.name not in values:
            raise InputError(f"The schedule {name!r} lacks {one.name}, which has no default.")
    if isinstance(values.get("then"), Mapping):
        values["then"] = schedule_from_dict(values["then"])
    return SCHEDULES[name](**values)
