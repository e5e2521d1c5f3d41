"""Who hears of each epoch: scikit-learn's callbacks, and ``verbose``'s lines or progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from glassnet.sklearn.checks import BAR
from glassnet.utils.progress import progress_line

Attributes = Callable[[], dict[str, Any]]


class FitTasks:
    """The tasks of a fit in scikit-learn's callback protocol: the fit itself, and each iteration.

    A task ends with a function that gives an estimator's attributes: scikit-learn makes a fitted estimator
    of them for a callback that wants one.
    """

    def __init__(self, estimator: Any, max_iter: int, samples: tuple[Any, Any, Any]) -> None:
        X, y, weights = samples
        metadata = {} if weights is None else {"sample_weight": weights}
        self._arguments: dict[str, Any] = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._fit = estimator._init_callback_context(max_subtasks=max_iter)
        self._fit.call_on_fit_task_begin(**self._arguments)
        self._iteration: Any = None

    def begin_iteration(self) -> None:
        """Tell the callbacks that an iteration begins."""
        self._iteration = self._fit.subcontext(task_name="iteration")
        self._iteration.call_on_fit_task_begin(**self._arguments)

    def end_iteration(self, attributes: Attributes) -> bool:
        """Tell the callbacks that the iteration has ended: whether one asks training to stop."""
        return self._end(self._iteration, attributes)

    def end_fit(self, attributes: Attributes) -> None:
        """Tell the callbacks that training is over."""
        self._end(self._fit, attributes)

    def _end(self, task: Any, attributes: Attributes) -> bool:
        return bool(task.call_on_fit_task_end(**self._arguments, reconstruction_attributes=attributes))


def has_callbacks(estimator: Any) -> bool:
    """Whether `set_callbacks` has given the estimator any."""
    return bool(getattr(estimator, "_skl_callbacks", None))


class Verbosity:
    """What ``verbose`` asks for: nothing, scikit-learn's lines for each epoch, or a bar on stderr.

    With `measures`, which scikit-learn lacks, the lines also have what is measured on held-out samples. The
    bar of a fit that was `interrupted` ends where it stands.
    """

    def __init__(self, verbose: Any, measures: bool = False) -> None:
        self._measures = measures
        self._has_bar = verbose == BAR
        self._prints = bool(verbose) and not self._has_bar
        self.interrupted = False
        self._show: Callable[[int, float], None]

    @property
    def is_on(self) -> bool:
        """Whether each epoch is reported."""
        return self._prints or self._has_bar

    @contextmanager
    def shown(self, max_iter: int) -> Iterator[None]:
        """A context in which the bar stands, for `max_iter` iterations at most."""
        with progress_line(self._has_bar, 0, max_iter, lambda: self.interrupted) as self._show:
            yield

    def epoch(self, number: int, loss: float, measured: Mapping[str, float]) -> None:
        """Report an iteration: its loss, and what was measured on held-out samples."""
        if self._prints:
            print(f"Iteration {number}, loss = {loss:.8f}")
            if "score" in measured:
                print(f"Validation score: {measured['score']:f}")
            if self._measures:
                more = [f"{name} = {value:.8f}" for name, value in measured.items() if name != "score"]
                print(", ".join(more))
        if self._has_bar:
            self._show(number, loss)

    def stall(self, early: bool, tol: float, patience: float, stops: bool, rate: float) -> None:
        """Report that the loss, or the score where `early`, has made no progress for too long."""
        if self._prints:
            value = "Validation score" if early else "Training loss"
            consequence = "Stopping." if stops else f"Setting learning rate to {rate:f}"
            print(
                f"{value} did not improve more than tol={tol:f} for {patience:g} consecutive epochs. "
                f"{consequence}"
            )
