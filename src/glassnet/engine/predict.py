"""A network's answers to rows that are read a block at a time, and how well they fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data.arrays import InMemory
from glassnet.data.reduce import BadRow, Block, BlockWorker, Reduction, Worker
from glassnet.data.scan import check_block
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
    if isinstance(rows, InMemory):  # all at once, as `Network.predict` computes
        answers = {"predict": network.predict, "predict_proba": network.predict_proba}
        yield answers.get(answer, partial(outputs_of, network))(theta, rows.X[:])
        return
    if answer == "predict_proba" and network.loss.target not in ("class", "label"):
        network.predict_proba(theta, np.empty((0, rows.n_inputs)))  # raises, and says what to do
    rows, lanes = rows.inputs(), thread_count(threads)
    fold = _AnswerFold(network, network.check_parameters(theta), answer)
    most = max(1, min(_ANSWER_BYTES, rows.memory // 8) // (8 * network.sizes[-1]))
    for ranges in _waves(rows.row_groups(), most):
        for found in rows.reduce(fold, ranges, lanes, lambda: False):
            if isinstance(found, BadRow):
                raise rows.located(found)
            yield found
        if rows.memory < rows.n_rows * rows.row_bytes:
            release_memory()


def tallied(network: Network, theta: Parameters, rows: Dataset, threads: int | None = None) -> Tally:
    """What a score needs of the predictions for rows with targets, which are not kept.

    Raises InputError for rows without targets, and as training does for what cannot be used.
    """
    check_targets(rows)
    check_width(network, rows)
    fold = _TallyReduction(network, network.check_parameters(theta))
    return summed(rows.reduce_chunks(fold, threads))


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


@dataclass(frozen=True, eq=False)
class _TallyReduction(Reduction):
    network: Network
    theta: Parameters
    block: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "block", tally_rows(self.network.sizes[-1]))

    @property
    def dtype(self) -> np.dtype[Any]:  # type: ignore[override]  # read only
        return self.theta.dtype

    def worker(self) -> Worker:
        return _TallyWorker(self)


class _TallyWorker(BlockWorker):
    """Keeps outputs, targets and weights, which are few numbers, until a block is whole."""

    def __init__(self, reduction: _TallyReduction) -> None:
        super().__init__(reduction.block)
        self._network, self._theta = reduction.network, reduction.theta

    def keep(self, block: Block, first: int) -> Block | BadRow:
        bad = check_block(self._network, block, first, self._theta.dtype)
        if bad is not None:
            return bad
        Y_hat = outputs_of(self._network, self._theta, np.ascontiguousarray(block.X), 1)
        return block._replace(X=Y_hat).copy()

    def add(self, value: Tally | None, kept: list[Block], first: int) -> Tally:
        Y_hat, y, w = Block.concatenated(kept)
        actual = as_target(y, len(y), self._network.sizes[-1], self._network.loss.target)
        tally = Tally.of(self._network, actual, Y_hat, w)
        return tally if value is None else value.merged(tally)
