"""What an estimator says of its training: lines as scikit-learn prints them, or a progress bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from glassnet.sklearn.constraints import BAR
from glassnet.utils.progress import progress_line


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
