"""An estimator's epochs: natively as many at a time as no decision lies between."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning

from glassnet._types import Array
from glassnet.engine.minibatch import Batches
from glassnet.engine.records import Updates
from glassnet.nn.dropout import Masks
from glassnet.sklearn.callbacks import Verbosity
from glassnet.sklearn.job import WORTHWHILE, operations
from glassnet.sklearn.rates import Drive
from glassnet.sklearn.record import Record
from glassnet.sklearn.validation import HeldOut
from glassnet.utils.interrupts import stop_on_interrupt
from glassnet.utils.threads import thread_count

CHUNK_SECONDS = 0.04  # how long the engine may be away from Ctrl-C
WAKING = 0.03  # of training before other cores are asked: one that sleeps takes milliseconds to wake

EpochHook = Callable[[Array], bool]
"""Called after an epoch with the parameters; whether to stop."""


@dataclass
class Rules:
    """When epochs end."""

    max_iter: int
    tol: float
    patience: float
    incremental: bool = False


class Epochs:
    """One call's training on batches, from `flat` on, which is changed in place with `drive` and `record`.

    `correct` turns the engine's loss of an epoch, whose order it is told, into the one that is reported.
    `held` is looked at after each epoch; `hooks` are told of each.
    """

    def __init__(
        self,
        batches: Batches,
        flat: Array,
        drive: Drive,
        record: Record,
        rules: Rules,
        random: RandomState | None,
        *,
        talk: Verbosity,
        held: HeldOut | None = None,
        hooks: tuple[Callable[[], None], EpochHook] | None = None,
        correct: Callable[[float, NDArray[Any] | None], float] | None = None,
        dropout_seed: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        self._batches, self._flat, self._drive, self._record = batches, flat, drive, record
        self._rules, self._talk, self._held, self._hooks = rules, talk, held, hooks
        self._correct, self._seed = correct, dropout_seed
        self._cursor = batches.begin(random, np.inf)
        self._lost = False
        self._n_threads, self._allowed = n_threads, 0
        self._operations = operations(batches.network, batches.n_samples)
        self._spent = 0.0
        self.stalled = False
        """Whether training ended because it made no more progress."""

    def run(self) -> None:
        """Train until a rule ends it; warns as scikit-learn does."""
        n = self._batches.n_samples
        drive, record, rules = self._drive, self._record, self._rules
        drive.begin(self._batches.updates_per_epoch)
        with stop_on_interrupt() as interrupts:
            stop = interrupts.stop
            while record.epochs < rules.max_iter and not stop[0]:
                span = self._span()
                drive.plan(span, record.seen, n)
                if self._hooks:
                    self._hooks[0]()
                losses = np.empty(span)
                made = self._advance(losses, stop)
                for loss in losses[:made].tolist():
                    if self._epoch_ended(loss, n):
                        return
            if stop[0]:
                warnings.warn("Training interrupted by user.", stacklevel=2)

    def settle(self) -> None:
        """Let the stream that orders were drawn from stand where they have come to."""
        self._cursor.settle()

    def _span(self) -> int:
        """Epochs until the next decision: the engine makes so many without coming back."""
        rules, record = self._rules, self._record
        looked_at = self._held or self._hooks or self._talk.is_on or record.keep_best or self._drive.listens
        if looked_at or rules.incremental or self._correct is not None:
            return 1
        left = min(rules.max_iter - record.epochs, self._drive.most_epochs)
        return int(max(1, min(left, rules.patience + 1 - record.failures)))

    def _advance(self, losses: NDArray[np.float64], stop: NDArray[np.uint8]) -> int:
        """Epochs that were made, up to one for each place in `losses`; Ctrl-C leaves one unfinished."""
        done, cursor, drive = 0, self._cursor, self._drive
        threads, began = self._threads(len(losses)), time.perf_counter()
        while done < len(losses) and not stop[0]:
            if self._lost:
                losses[done:] = np.nan
                return len(losses)
            first = drive.updates + 1
            masks = None if self._seed is None else Masks(self._seed, first)
            updates = Updates(
                drive.optimizer, drive.rates(), first, stop, CHUNK_SECONDS, masks=masks, threads=threads
            )
            made = self._batches.train(self._flat, drive.state, losses[done:], cursor, updates)
            drive.made(made.updates)
            done += made.epochs
            if made.diverged:
                # What is not finite stays so: the engine need not compute it.
                if cursor.row < self._batches.n_samples:
                    losses[done] = np.nan
                self._lost = True
                self._flat[:] = np.nan
                done += 1
        self._spent += time.perf_counter() - began
        return done

    def _threads(self, epochs: int) -> int:
        """The most that a call to the engine may take, which finds out by itself whether they pay."""
        named = self._n_threads is not None
        if self._operations * epochs < WORTHWHILE or (not named and self._spent < WAKING):
            return 1
        self._allowed = self._allowed or thread_count(self._n_threads)
        return self._allowed

    def _epoch_ended(self, loss: float, n: int) -> bool:
        """Whether training is over."""
        drive, record, rules = self._drive, self._record, self._rules
        if self._correct is not None:
            loss = self._correct(loss, self._cursor.order)
        record.seen += n
        seen = {} if self._held is None else self._held.look(self._flat, record.early)
        record.add(loss, rules.tol, self._flat, seen)
        self._talk.epoch(record.epochs, loss, seen)
        drive.epoch_ended(loss, record.seen)
        told_to_stop = bool(self._hooks and self._hooks[1](self._flat))
        if record.failures > rules.patience:
            stop = drive.stalled()
            self._talk.stall(record.early, rules.tol, rules.patience, stop, drive.rate)
            if stop:
                self.stalled = True
                return True
            record.failures = 0
        if rules.incremental or told_to_stop or drive.stops:
            return True
        if record.epochs == rules.max_iter:
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({rules.max_iter}) reached and the optimization "
                f"hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return False
