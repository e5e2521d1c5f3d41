"""Rows held out for validation or a score: drawn from arrays, or anew wherever streamed rows are read."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import ArrayLike, NDArray

from glassnet.data.reduce import Block
from glassnet.data.source import Dataset, WrappedDataset
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.settings_checks import as_random_state


def listed(names: Iterable[Any]) -> str:
    """At most ten names, separated by commas."""
    texts = [repr(name) for name in names]
    more = f" and {len(texts) - 10} more" if len(texts) > 10 else ""
    return ", ".join(texts[:10]) + more


class Split(NamedTuple):
    """Row numbers to train on and to test on, and a sentence where a class forced a compromise."""

    train: NDArray[np.intp]
    test: NDArray[np.intp]
    note: str = ""


def split(
    y: ArrayLike,
    test_fraction: float = 0.25,
    random_state: int | RandomState | None = 0,
    stratify: bool = True,
) -> Split:
    """Draw the rows to hold out: ``test_fraction`` of them, with each class in the same proportion.

    The draw is scikit-learn's `train_test_split` on the row numbers: the same rows for the same
    random_state. Where that raises an error, this goes on: the single row of a class is trained on, and
    where either side is too small to hold every class, proportions are left to chance. ``note`` says so,
    and names the classes that a side lacks. ``stratify=False`` is for targets that are quantities.

    Raises InputError for a fraction outside [0, 1) and where no row would be left to train on.

    >>> from glassnet.data.holdout import split
    >>> train, test, _ = split([0, 0, 0, 0, 1, 1, 1, 1], 0.25)
    >>> len(train), sorted([0, 0, 0, 0, 1, 1, 1, 1][row] for row in test)
    (6, [0, 1])
    """
    if isinstance(test_fraction, bool) or not isinstance(test_fraction, (int, float, np.number)):
        raise InputTypeError(f"test_fraction is a number, not {test_fraction!r}.")
    if not 0 <= test_fraction < 1:
        raise InputError(f"test_fraction is {test_fraction}; expected from 0 to below 1, such as 0.25.")
    values = np.asarray(y)
    rows, nothing = np.arange(len(values)), np.empty(0, np.intp)
    random = as_random_state(random_state)
    if test_fraction == 0:
        return Split(rows, nothing)
    n_test = int(np.ceil(test_fraction * len(rows)))
    if n_test >= len(rows):
        raise InputError(
            f"test_fraction={test_fraction} of {len(rows)} row(s) leaves none to train on. Use more rows, "
            f"or test_fraction=0."
        )
    from sklearn.model_selection import train_test_split

    alone, strata = np.zeros(len(rows), bool), None
    if stratify:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        lone = counts[inverse] == 1
        n_classes, n_train = int((counts > 1).sum()), len(rows) - int(lone.sum()) - n_test
        if 0 < n_classes <= min(n_test, n_train):
            alone, strata = lone, values[~lone]
    train, test = train_test_split(rows[~alone], test_size=n_test, random_state=random, stratify=strata)
    train = np.concatenate([train, rows[alone]])
    if not stratify:
        return Split(train, test)
    notes = [] if strata is not None else ["too few rows to hold out every class in proportion"]
    labels = {"training": np.unique(values[train]).tolist(), "test": np.unique(values[test]).tolist()}
    notes += lacking_classes(np.unique(values).tolist(), labels)
    return Split(train, test, split_note(notes))


def lacking_classes(classes: Iterable[Any], sides: Mapping[str, Iterable[Any]]) -> list[str]:
    """What to say of the classes that a side of a split lacks; `sides` have their labels, by name."""
    present = {side: set(labels) for side, labels in sides.items()}
    lacking = {side: [label for label in classes if label not in present[side]] for side in sides}
    return [
        f"no {side} row of the class(es) {listed(labels)}" for side, labels in lacking.items() if labels
    ]


def split_note(notes: Sequence[str]) -> str:
    """A sentence about the compromises of a split; "" where there are none."""
    return f"The split has {', and '.join(notes)}." if notes else ""


# ---- Streamed rows --------------------------------------------------------------------------------

_DRAW_ROWS = 4096
"""Rows of which those held out are drawn together."""


def split_dataset(dataset: Dataset, fraction: float, seed: int) -> tuple[Dataset, Dataset]:
    """The rows to train on, and those held out, ceil(fraction n) of n rows.

    Of each 4,096 rows the fraction is held out, drawn by `seed` and the number of the 4,096: the same rows
    whatever the files and the memory, and spread over the dataset, so that rows in the order of time or of
    classes do no harm. Both datasets read all rows and skip those of the other.

    Raises InputError where no row would be left.
    """
    training, held_out = (SplitDataset(dataset, fraction, seed, held_out) for held_out in (False, True))
    for side, name in ((training, "to train on"), (held_out, "held out")):
        if side.n_rows == 0:
            raise InputError(
                f"A fraction of {fraction} of {dataset.n_rows} row(s) leaves none {name}. Use more rows."
            )
    return training, held_out


class SomeRows(WrappedDataset):
    """Some of a dataset's rows, in their order; a subclass says which, of each 4,096 by themselves.

    `counts` are how many there are of each 4,096.
    """

    def __init__(self, dataset: Dataset, counts: NDArray[np.int64]) -> None:
        super().__init__(dataset)
        self._before = np.concatenate([[0], np.cumsum(counts)])
        self.n_rows = int(self._before[-1])

    @abstractmethod
    def _places(self, draw: int) -> NDArray[np.int64]:
        """The places of these rows among the 4,096 rows of a draw."""

    def mask(self) -> NDArray[np.bool_]:
        """Which rows of the dataset these are."""
        mask = np.zeros(self._dataset.n_rows, bool)
        for draw in range(len(self._before) - 1):
            mask[self._places(draw) + draw * _DRAW_ROWS] = True
        return mask

    def _row_of_source(self, row: int) -> int:
        draw = int(np.searchsorted(self._before, row, side="right")) - 1
        return draw * _DRAW_ROWS + int(self._places(draw)[row - self._before[draw]])

    def where(self, row: int) -> str:
        return self._dataset.where(self._row_of_source(row))

    def row_groups(self) -> list[int]:
        return self._row_groups

    @cached_property
    def _row_groups(self) -> list[int]:
        edges = {0, self.n_rows}
        for edge in self._dataset.row_groups()[:-1]:
            draw, place = divmod(edge, _DRAW_ROWS)
            before = np.searchsorted(self._places(draw), place) if place else 0
            edges.add(int(self._before[draw] + before))
        return sorted(edges)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        if start >= stop:
            return
        at, end = self._row_of_source(start), self._row_of_source(stop - 1) + 1
        draw = -1
        places: NDArray[np.int64] = np.empty(0, np.int64)
        for block in self._dataset.read(at, end, most, dtype):
            done = 0
            while done < len(block.X):
                if draw != at // _DRAW_ROWS:
                    draw = at // _DRAW_ROWS
                    places = self._places(draw) + draw * _DRAW_ROWS
                some = min(len(block.X) - done, (draw + 1) * _DRAW_ROWS - at)
                low, high = np.searchsorted(places, (at, at + some))
                if low < high:
                    yield _taken(block, places[low:high] - at + done)
                at, done = at + some, done + some


class SplitDataset(SomeRows):
    """One of the two datasets of `split_dataset`."""

    def __init__(self, dataset: Dataset, fraction: float, seed: int, held_out: bool) -> None:
        self._fraction, self._seed, self._held_out = fraction, seed, held_out
        edges = np.minimum(np.arange(-(-dataset.n_rows // _DRAW_ROWS) + 1) * _DRAW_ROWS, dataset.n_rows)
        bounds = np.ceil(fraction * edges).astype(np.int64)
        held, all_rows = bounds[1:] - bounds[:-1], edges[1:] - edges[:-1]
        self._counts = held
        super().__init__(dataset, held if held_out else all_rows - held)

    def inputs(self) -> Dataset:
        return SplitDataset(self._dataset.inputs(), self._fraction, self._seed, self._held_out)

    def _places(self, draw: int) -> NDArray[np.int64]:
        """The places of this side's rows among the 4,096 rows of a draw."""
        n = min(_DRAW_ROWS, self._dataset.n_rows - draw * _DRAW_ROWS)
        drawn = RandomState([self._seed, draw]).permutation(n)[: self._counts[draw]]
        mask = np.full(n, not self._held_out)
        mask[drawn] = self._held_out
        return np.flatnonzero(mask)


class MaskedDataset(SomeRows):
    """The rows of a dataset where a mask, (n,), is True; a bit of memory is taken for each."""

    def __init__(self, dataset: Dataset, mask: NDArray[np.bool_]) -> None:
        starts = np.arange(0, dataset.n_rows, _DRAW_ROWS)
        super().__init__(dataset, np.add.reduceat(mask, starts, dtype=np.int64))
        self._bits = np.packbits(mask)

    def inputs(self) -> Dataset:
        other = copy(self)
        other._dataset = self._dataset.inputs()
        other.flat = other.weighted = other.targeted = False
        return other

    def _places(self, draw: int) -> NDArray[np.int64]:
        count = min(_DRAW_ROWS, self._dataset.n_rows - draw * _DRAW_ROWS)
        first = draw * _DRAW_ROWS // 8
        return np.flatnonzero(np.unpackbits(self._bits[first : first + _DRAW_ROWS // 8], count=count))


def _taken(block: Block, places: NDArray[np.int64]) -> Block:
    """Some rows of a block; X stays in columns where it is."""
    X = block.X
    by_column = X.ndim == 2 and X.strides[0] == X.itemsize
    taken = X.T.take(places, axis=1).T if by_column else X.take(places, axis=0)
    return Block(taken, block.y[places], None if block.w is None else block.w[places])
