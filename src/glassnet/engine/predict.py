"""A network's answers to rows that are read a block at a time, and how well they fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import chunk_ranges
from glassnet.data.reduce import Block, Reduction, Worker
from glassnet.data.scan import BadRow, check_block, located
from glassnet.data.source import Dataset
from glassnet.engine.metrics import Tally, summed, tally_rows
from glassnet.errors import InputError
from glassnet.nn.network import Network, Parameters, decided, outputs_of
from glassnet.utils.array_checks import as_target
from glassnet.utils.memory import release_memory
from glassnet.utils.threads import thread_count

Answer = Literal["predict", "predict_proba", "outputs"]
"""`Network.predict`, `Network.predict_proba`, or what the output layer gives, of any network."""

_ANSWER_BYTES = 32 << 20
"""What the answers to the rows that are under way may take."""


def predicted(
    network: Network,
    theta: Parameters,
    rows: Dataset,
    answer: Answer = "predict",
    threads: int | None = None,
) -> NDArray[Any]:
    """The answers to all rows, (n,) or (n, outputs), as `Network.predict` gives them in memory.

    Targets and weights are not read. Raises InputError for rows of another width, and for a value that
    is missing or not finite, by file, row and column.
    """
    found, at = np.empty(0), 0
    for some in predictions(network, theta, rows, answer, threads):
        if at == 0:
            found = np.empty((rows.n_rows, *some.shape[1:]), some.dtype)
        found[at : at + len(some)] = some
        at += len(some)
    return found


def predictions(
    network: Network,
    theta: Parameters,
    rows: Dataset,
    answer: Answer = "predict",
    threads: int | None = None,
) -> Iterator[NDArray[Any]]:
    """As `predicted`, some rows at a time, in their order: no more is in memory than reading takes."""
    check_width(network, rows)
    if answer == "predict_proba" and network.loss.target not in ("class", "label"):
        network.predict_proba(theta, np.empty((0, rows.n_inputs)))  # raises, and says what to do
    rows, lanes = rows.inputs(), thread_count(threads)
    fold = _AnswerFold(network, network.check_parameters(theta), answer)
    most = max(1, min(_ANSWER_BYTES, rows.memory // 8) // (8 * network.sizes[-1]))
    for ranges in _waves(rows.row_groups(), most):
        for found in rows.reduce(fold, ranges, lanes, lambda: False):
            if isinstance(found, BadRow):
                raise located(rows, *found)
            yield found
        if rows.memory < rows.n_rows * rows.row_bytes:
            release_memory()


def tallied(network: Network, theta: Parameters, rows: Dataset, threads: int | None = None) -> Tally:
    """What a score needs of the predictions for rows with targets, which are not kept.

    Raises InputError for rows without targets, and as training does for what cannot be used.
    """
    check_targets(rows)
    check_width(network, rows)
    fold = _TallyFold(network, network.check_parameters(theta))
    found = rows.reduce(fold, chunk_ranges(rows.n_rows), thread_count(threads), lambda: False)
    for state in found:
        if state.wrong is not None:
            raise located(rows, *state.wrong)
    return summed(state.tally for state in found)


def check_width(network: Network, rows: Dataset) -> None:
    """Raise InputError for rows of another width than the network's."""
    if rows.n_inputs != network.sizes[0]:
        raise InputError(
            f"X, {rows.source}, has {rows.n_inputs} features; the network takes {network.sizes[0]} inputs. "
            f"Of files and dataframes name them in their order: gn.stream(..., features=[...])."
        )


def check_targets(rows: Dataset) -> None:
    """Raise InputError for rows without targets."""
    if not rows.targeted:
        raise InputError(
            f"y is missing: {rows.source} is to be learned from or scored, which takes targets. Give y, of "
            f"files and dataframes the column's name: gn.stream(X, y)."
        )


def _waves(edges: Sequence[int], most: int) -> Iterator[list[tuple[int, int]]]:
    """Pieces that are worked on together, of at most so many rows; a larger one is cut."""
    wave: list[tuple[int, int]] = []
    for start, stop in pairwise(edges):
        if wave and stop - wave[0][0] > most:
            yield wave
            wave = []
        if stop - start <= most:
            wave.append((start, stop))
        else:
            yield from ([(first, min(first + most, stop))] for first in range(start, stop, most))
    if wave:
        yield wave


@dataclass(frozen=True, eq=False)
class _AnswerFold(Reduction):
    network: Network
    theta: Parameters
    answer: Answer
    block: int = 1

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.theta.dtype

    def worker(self) -> Worker:
        return _Answerer(self)


class _Answerer(Worker):
    def __init__(self, fold: _AnswerFold) -> None:
        self._fold = fold

    def begin(self, state: Any, row: int) -> None:
        self._wrong: BadRow | None = state if isinstance(state, BadRow) else None
        self._found: list[NDArray[Any]] = [] if state is None or self._wrong else [state]
        self._row = row

    def take(self, block: Block) -> None:
        if self._wrong is not None:
            return
        fold = self._fold
        done = self._row + sum(map(len, self._found))
        self._wrong = check_block(None, block, done, fold.dtype)
        if self._wrong is None:
            Y_hat = outputs_of(fold.network, fold.theta, np.ascontiguousarray(block.X), 1)
            self._found.append(decided(fold.network, Y_hat) if fold.answer == "predict" else Y_hat)

    def end(self) -> NDArray[Any] | BadRow:
        return np.concatenate(self._found) if self._wrong is None else self._wrong


@dataclass(frozen=True)
class _State:
    """Of a range: what has been counted, of how many rows from the range's own first one."""

    row: int
    tally: Tally | None = None
    wrong: BadRow | None = None


@dataclass(frozen=True, eq=False)
class _TallyFold(Reduction):
    network: Network
    theta: Parameters
    block: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", tally_rows(self.network.sizes[-1]))

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.theta.dtype

    def worker(self) -> Worker:
        return _Tallier(self)


class _Tallier(Worker):
    """Outputs, targets and weights are few numbers, and are kept until a block is whole."""

    def __init__(self, fold: _TallyFold) -> None:
        self._fold = fold
        self._held: list[Block] = []
        self._count = 0

    def begin(self, state: Any, row: int) -> None:
        self._state = _State(row) if state is None else state

    def take(self, block: Block) -> None:
        fold, done = self._fold, 0
        while done < len(block.X) and self._state.wrong is None:
            stop = min(len(block.X), done + fold.block - self._count)
            part, first = block.rows(done, stop), self._state.row + self._count
            wrong = check_block(fold.network, part, first, fold.dtype)
            if wrong is not None:
                self._state = _State(self._state.row, wrong=wrong)
                return
            Y_hat = outputs_of(fold.network, fold.theta, np.ascontiguousarray(part.X), 1)
            self._held.append(Block(Y_hat, part.y.copy(), None if part.w is None else part.w.copy()))
            self._count += stop - done
            done = stop
            if self._count == fold.block:
                self._close()

    def _close(self) -> None:
        network, state = self._fold.network, self._state
        Y_hat, y = (np.concatenate(parts) for parts in zip(*((b.X, b.y) for b in self._held), strict=True))
        ws = [b.w for b in self._held if b.w is not None]
        actual = as_target(y, len(y), network.sizes[-1], network.loss.target)
        new = Tally.of(network, actual, Y_hat, np.concatenate(ws) if ws else None)
        old = state.tally
        self._state = _State(state.row + len(y), new if old is None else old.merged(new))
        self._held, self._count = [], 0

    def end(self) -> _State:
        if self._count and self._state.wrong is None:
            self._close()
        return self._state
