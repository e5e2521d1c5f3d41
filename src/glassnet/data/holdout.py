"""Rows held back for a score, drawn with each class in proportion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    """Names between commas, ten at most."""
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
    """Draw the rows to hold back: ``test_fraction`` of them, with each class in the same proportion.

    The draw is scikit-learn's `train_test_split` on the row numbers: the same rows for the same
    random_state. Where that would stop with an error, this goes on: the row of a class that has no
    other is trained on, and where either part is too small to hold every class, proportions are left
    to chance. ``note`` says so, and names the classes that a part lacks. ``stratify=False`` is for
    targets that are quantities.

    Raises InputError for a fraction outside [0, 1) and where no row would be left to train on.

    >>> from glassnet.data.preprocessing import split
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
    return Split(train, test, _compromise(values, train, test, strata is not None) if stratify else "")


def _compromise(
    values: NDArray[Any], train: NDArray[np.intp], test: NDArray[np.intp], in_proportion: bool
) -> str:
    """Which classes a part lacks, and whether proportions were left to chance, in words for the user."""
    classes = np.unique(values)
    parts = [] if in_proportion else ["too few rows to hold out every class in proportion"]
    for rows, part in ((train, "training"), (test, "test")):
        missing = np.setdiff1d(classes, values[rows])
        if missing.size:
            parts.append(f"no {part} row of the class(es) {listed(missing.tolist())}")
    return f"The split has {', and '.join(parts)}." if parts else ""


STRETCH = 4096
"""Rows of which those held out are drawn together."""


def split_dataset(rows: Dataset, share: float, seed: int) -> tuple[Dataset, Dataset]:
    """The rows to train on and those held out, ceil(share n) of n.

    Of each stretch of 4,096 rows as many are held out as its share comes to, at random by `seed` and the
    stretch's number: the same rows whatever the files and memory, as spread as the rows themselves are, so
    that rows in the order of time or of classes are no trap. Both read all rows and pass over the others'.

    Raises InputError where no row would be left.
    """
    kept, held = (SplitDataset(rows, share, seed, held_out) for held_out in (False, True))
    for part, name in ((kept, "to train on"), (held, "held out")):
        if part.n_rows == 0:
            raise InputError(
                f"A share of {share} of {rows.n_rows} row(s) leaves none {name}. Use more rows."
            )
    return kept, held


class SplitDataset(WrappedDataset):
    """One of the two parts of `split_rows`."""

    def __init__(self, rows: Dataset, share: float, seed: int, held_out: bool) -> None:
        super().__init__(rows)
        self._share, self._seed, self._held_out = share, seed, held_out
        edges = np.minimum(np.arange(-(-rows.n_rows // STRETCH) + 1) * STRETCH, rows.n_rows)
        held = np.ceil(share * edges).astype(np.int64)
        self._counts = np.diff(held)
        self._before = held if held_out else edges - held
        self.n_rows = int(self._before[-1])

    def inputs(self) -> Dataset:
        return SplitDataset(self._dataset.inputs(), self._share, self._seed, self._held_out)

    def _places(self, stretch: int) -> NDArray[np.int64]:
        """The rows of a stretch that belong to this part, by their place in it."""
        n = min(STRETCH, self._dataset.n_rows - stretch * STRETCH)
        drawn = RandomState([self._seed, stretch]).permutation(n)[: self._counts[stretch]]
        mask = np.full(n, not self._held_out)
        mask[drawn] = self._held_out
        return np.flatnonzero(mask)

    def _source(self, row: int) -> int:
        """Where the source has this part's row."""
        stretch = int(np.searchsorted(self._before, row, side="right")) - 1
        return stretch * STRETCH + int(self._places(stretch)[row - self._before[stretch]])

    def where(self, row: int) -> str:
        return self._dataset.where(self._source(row))

    def row_groups(self) -> list[int]:
        return self._pieces

    @cached_property
    def _pieces(self) -> list[int]:
        found = {0, self.n_rows}
        for edge in self._dataset.row_groups()[:-1]:
            stretch, place = divmod(edge, STRETCH)
            before = np.searchsorted(self._places(stretch), place) if place else 0
            found.add(int(self._before[stretch] + before))
        return sorted(found)

    def read(self, start: int, stop: int, most: int, dtype: np.dtype[Any] | None) -> Iterator[Block]:
        if start >= stop:
            return
        at, end = self._source(start), self._source(stop - 1) + 1
        stretch = -1
        places: NDArray[np.int64] = np.empty(0, np.int64)
        for block in self._dataset.read(at, end, most, dtype):
            done = 0
            while done < len(block.X):
                if stretch != at // STRETCH:
                    stretch = at // STRETCH
                    places = self._places(stretch) + stretch * STRETCH
                some = min(len(block.X) - done, (stretch + 1) * STRETCH - at)
                low, high = np.searchsorted(places, (at, at + some))
                if low < high:
                    yield _taken(block, places[low:high] - at + done)
                at, done = at + some, done + some


def _taken(block: Block, places: NDArray[np.int64]) -> Block:
    """Some of a block's rows; columns that lie together stay so."""
    X = block.X
    by_column = X.ndim == 2 and X.strides[0] == X.itemsize
    taken = X.T.take(places, axis=1).T if by_column else X.take(places, axis=0)
    return Block(taken, block.y[places], None if block.w is None else block.w[places])
