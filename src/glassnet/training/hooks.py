"""What a training loop calls between iterations: several callbacks as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic

import numpy as np

from glassnet.errors import InputTypeError
from glassnet.training.state import AnyRun, RunState
from glassnet.utils.settings_checks import as_steps

_EVERY = "A callback's every"


class Hook(Generic[AnyRun]):
    """The hooks of a callback for runs of a class; `glassnet.Callback` explains them."""

    every: int = 1
    """Iterations between two calls of `on_iteration`; updates run natively in between."""

    def on_train_begin(self, run: AnyRun) -> None:
        """Before the first update; the run has its loss, and no iteration of this call yet."""

    def on_iteration(self, run: AnyRun) -> bool | None:
        """After every `every`-th iteration; True ends training."""

    def on_train_end(self, run: AnyRun) -> None:
        """Once, with the run that `train` returns, whatever its status."""


class FunctionHook(Hook[AnyRun]):
    """A function that is called after every n-th iteration."""

    def __init__(self, n: int, function: Callable[[AnyRun], bool | None]) -> None:
        if not callable(function):
            raise InputTypeError(f"Every takes a function of a run, not {function!r}.")
        self.every, self._function = as_steps(n, _EVERY), function

    def on_iteration(self, run: AnyRun) -> bool | None:
        return self._function(run)


Callbacks = Iterable[Hook[AnyRun] | Callable[[AnyRun], bool | None]]


class Hooks(Generic[AnyRun]):
    """Several callbacks as one; `snapshot` makes the run that they are shown."""

    def __init__(self, callbacks: Callbacks[AnyRun]) -> None:
        if isinstance(callbacks, Hook) or not isinstance(callbacks, Iterable):
            raise InputTypeError(
                f"callbacks is a list of callbacks or functions, not {callbacks!r}. Put a single one "
                f"into brackets."
            )
        self._hooks: list[Hook[AnyRun]] = [_as_hook(callback) for callback in callbacks]

    def add(self, hook: Hook[AnyRun]) -> None:
        """Call one more, after the others."""
        self._hooks.append(hook)

    def begin(self, snapshot: Callable[[], AnyRun]) -> None:
        for hook in self._hooks:
            _call(hook.on_train_begin, snapshot)

    def next_after(self, iteration: int) -> float:
        """The next iteration at which one of them wants to be called, or infinity."""
        return min(
            ((iteration // hook.every + 1) * hook.every for hook in self._hooks), default=float("inf")
        )

    def iteration(self, iteration: int, snapshot: Callable[[], AnyRun]) -> bool:
        """Call every on_iteration that is due; whether one of them wants to stop."""
        due = [hook for hook in self._hooks if iteration % hook.every == 0]
        answers = [_call(hook.on_iteration, snapshot) for hook in due]
        # Only a truth value stops: a lambda may well return something else by accident.
        return any(isinstance(answer, (bool, np.bool_)) and bool(answer) for answer in answers)

    def end(self, snapshot: Callable[[], AnyRun]) -> None:
        for hook in self._hooks:
            _call(hook.on_train_end, snapshot)


def _call(hook: Callable[[AnyRun], object], snapshot: Callable[[], AnyRun]) -> object:
    run = snapshot()
    try:
        return hook(run)
    except BaseException as error:
        attach(run, error, "in a glassnet callback after", run.iterations)
        raise


def attach(run: RunState, error: BaseException, where: str, iteration: int) -> None:
    """Give an error the run so far, and say so: no hours of training should be lost with it."""
    error.run = run  # type: ignore[attr-defined]
    error.add_note(
        f"Raised {where} iteration {iteration}; the work so far is this exception's attribute `run`."
    )


def _as_hook(callback: object) -> Hook[Any]:
    if isinstance(callback, type):
        raise InputTypeError(
            f"A callback is an instance, not the class itself: write {callback.__name__}(...)."
        )
    if isinstance(callback, Hook):
        as_steps(callback.every, _EVERY)
        return callback
    if callable(callback):
        return FunctionHook(1, callback)
    raise InputTypeError(
        f"A callback is a glassnet.Callback or a function of a run, not {callback!r} "
        f"({type(callback).__name__})."
    )
