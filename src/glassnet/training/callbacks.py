"""Hooks that a training run calls between updates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from glassnet.errors import InputError, InputTypeError

Run = Any  # a TrainingRun, whose module lies above this one


class Callback:
    """What a training run calls: override the hooks that are wanted.

    Each hook gets a `TrainingRun` that holds the state at that moment, in memory of its own:
    keeping it, saving it or resuming from it is safe. `on_iteration` is called where the number of
    iterations is a multiple of `every`; when it returns True, training ends with status "stopped".
    An exception goes through to the caller of `train`, with the work so far as its attribute `run`.

    >>> import glassnet as gn
    >>> class Target(gn.Callback):
    ...     every = 10
    ...     def on_iteration(self, run):
    ...         return run.losses[-1] < 0.6
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], random_state=0, callbacks=[Target()])
    >>> run.status, run.iterations % 10
    ('stopped', 0)

    The hooks are skorch's, fewer and with the run as their only argument.
    """

    every: int = 1
    """Iterations between two calls of `on_iteration`; updates run natively in between."""

    def on_train_begin(self, run: Run) -> None:
        """Before the first update; the run has its loss and no iterations of this stretch yet."""

    def on_iteration(self, run: Run) -> bool | None:
        """After every `every`-th iteration; True ends training."""

    def on_train_end(self, run: Run) -> None:
        """Once, with the run that `train` returns, whatever its status."""


class Every(Callback):
    """A function called after every n-th iteration; True from it ends training.

    >>> import glassnet as gn
    >>> seen = []
    >>> note = gn.Every(20, lambda run: seen.append(run.iterations))
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], iterations=50, callbacks=[note])
    >>> seen
    [20, 40]
    """

    def __init__(self, n: int, function: Callable[[Run], bool | None]) -> None:
        if not callable(function):
            raise InputTypeError(f"Every takes a function of a run, not {function!r}.")
        self.every = n
        self._function = function
        _check_every(self)

    def on_iteration(self, run: Run) -> bool | None:
        return self._function(run)


class Hooks:
    """Several callbacks as one; `snapshot` makes the run that they are shown."""

    def __init__(self, callbacks: Iterable[Callback | Callable[[Run], bool | None]]) -> None:
        if isinstance(callbacks, Callback) or not isinstance(callbacks, Iterable):
            raise InputTypeError(
                f"callbacks is a list of callbacks or functions, not {callbacks!r}. Put a single one "
                f"into brackets."
            )
        self._callbacks = [_as_callback(one) for one in callbacks]

    def begin(self, snapshot: Callable[[], Run]) -> None:
        """Call every on_train_begin."""
        for one in self._callbacks:
            _call(one.on_train_begin, snapshot)

    def next_after(self, iteration: int) -> float:
        """The next iteration at which one of them wants to be called, or infinity."""
        return min(
            ((iteration // one.every + 1) * one.every for one in self._callbacks), default=float("inf")
        )

    def iteration(self, iteration: int, snapshot: Callable[[], Run]) -> bool:
        """Call every on_iteration that is due; whether one of them wants to stop."""
        due = [one for one in self._callbacks if iteration % one.every == 0]
        answers = [_call(one.on_iteration, snapshot) for one in due]
        # Only a truth value stops: a lambda may well return something else by accident.
        return any(isinstance(answer, (bool, np.bool_)) and bool(answer) for answer in answers)

    def end(self, snapshot: Callable[[], Run]) -> None:
        """Call every on_train_end."""
        for one in self._callbacks:
            _call(one.on_train_end, snapshot)


def _call(hook: Callable[[Run], Any], snapshot: Callable[[], Run]) -> Any:
    run = snapshot()
    try:
        return hook(run)
    except BaseException as error:
        # The error is the caller's; hours of training should not be lost with it.
        error.run = run  # type: ignore[attr-defined]
        error.add_note(
            f"Raised in a glassnet callback after iteration {run.iterations}; the work so far is this "
            f"exception's attribute `run`."
        )
        raise


def _as_callback(one: object) -> Callback:
    if isinstance(one, type):
        raise InputTypeError(f"A callback is an instance, not the class itself: write {one.__name__}(...).")
    if isinstance(one, Callback):
        _check_every(one)
        return one
    if callable(one):
        return Every(1, one)
    raise InputTypeError(
        f"A callback is a glassnet.Callback or a function of a run, not {one!r} ({type(one).__name__})."
    )


def _check_every(one: Callback) -> None:
    if isinstance(one.every, bool) or not isinstance(one.every, (int, np.integer)):
        raise InputTypeError(f"A callback's every is a whole number of iterations, not {one.every!r}.")
    if one.every < 1:
        raise InputError(f"A callback's every is {one.every}; expected 1 or more iterations.")
