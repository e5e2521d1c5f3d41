"""What is told of each epoch: scikit-learn's callbacks, and the lines or the bar of ``verbose``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from glassnet._types import Array
from glassnet.sklearn.parameter_constraints import BAR
from glassnet.utils.progress import progress_line


class Tasks:
    """The tasks of a fit as scikit-learn's callback protocol has them: the fit, and its iterations.

    `at` makes the attributes that an estimator at some flat parameters has: callbacks are given a
    fitted estimator made of them, where they ask for one.
    """

    def __init__(
        self,
        estimator: Any,
        max_iter: int,
        given: tuple[Any, Any, Any],
        at: Callable[[Array], dict[str, Any]],
    ) -> None:
        self._estimator, self._at = estimator, at
        X, y, weights = given
        metadata = {} if weights is None else {"sample_weight": weights}
        self._given: dict[str, Any] = {"X": X, "y": y, "metadata": metadata}
        self._root = estimator._init_callback_context(max_subtasks=max_iter)
        self._root.call_on_fit_task_begin(estimator=estimator, **self._given)
        self._task: Any = None

    def begin(self) -> None:
        """Before an iteration."""
        self._task = self._root.subcontext(task_name="iteration")
        self._task.call_on_fit_task_begin(estimator=self._estimator, **self._given)

    def end(self, number: int, flat: Array) -> bool:
        """After an iteration: whether a callback asks training to stop."""
        return bool(
            self._task.call_on_fit_task_end(
                estimator=self._estimator,
                **self._given,
                reconstruction_attributes=lambda: self._at(flat.copy()),
            )
        )

    def close(self, flat: Array) -> None:
        """When training is over."""
        self._root.call_on_fit_task_end(
            estimator=self._estimator,
            **self._given,
            reconstruction_attributes=lambda: self._at(flat.copy()),
        )


def has_callbacks(estimator: Any) -> bool:
    """Whether somebody is to be told."""
    return bool(getattr(estimator, "_skl_callbacks", None))


class Talk:
    """Says nothing, prints a line for each epoch, or keeps a bar on stderr up to date.

    `more` prints what is measured on samples held out too, which scikit-learn's users do not ask for.
    """

    def __init__(self, verbose: Any, more: bool = False) -> None:
        self._more = more
        self._prints = verbose != BAR and bool(verbose)
        self._bar = verbose == BAR
        self._show: Any = None

    @property
    def speaks(self) -> bool:
        """Whether each epoch is told of."""
        return self._prints or self._bar

    @contextmanager
    def open(self, last: int) -> Iterator[None]:
        """While training goes on, for `last` iterations at most."""
        with progress_line(self._bar, 0, last) as self._show:
            yield

    def epoch(self, number: int, loss: float, seen: Mapping[str, float]) -> None:
        """After an iteration."""
        if self._prints:
            print(f"Iteration {number}, loss = {loss:.8f}")
            if "score" in seen:
                print(f"Validation score: {seen['score']:f}")
            if self._more:
                told = [(name, value) for name, value in seen.items() if name != "score"]
                print(", ".join(f"{name} = {value:.8f}" for name, value in told))
        if self._bar:
            self._show(number, loss)

    def stalled(self, early: bool, tol: float, patience: float, stops: bool, rate: float) -> None:
        """When there has been no progress for too long."""
        if not self._prints:
            return
        what = "Validation score" if early else "Training loss"
        goes_on = "Stopping." if stops else f"Setting learning rate to {rate:f}"
        print(
            f"{what} did not improve more than tol={tol:f} for {patience:g} consecutive epochs. {goes_on}"
        )
