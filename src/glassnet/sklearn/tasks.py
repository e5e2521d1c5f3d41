"""Scikit-learn's callbacks, told of a fit and of each of its iterations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from glassnet._types import Array


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
