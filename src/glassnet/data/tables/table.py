"""A table: named columns of NumPy arrays, and columns of text with each different text once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from glassnet.errors import unknown_name
from glassnet.utils.html import cell_output, cell_table
from glassnet.utils.words import counted, tidy

Rows = NDArray[Any] | slice

_MOST_NAMED, _FIRST_ROWS = 20, 5
"""The columns and the rows that are shown of a table."""


@dataclass(frozen=True, eq=False)
class TextColumn:
    """A column of text: row i holds ``categories[codes[i]]``, and is missing where the code is -1.

    ``categories`` has each text once, in no order that means anything; a category may stand in no row.
    `numpy.asarray` of the column is `texts`.
    """

    codes: NDArray[np.int32]
    categories: NDArray[np.object_]

    @classmethod
    def of(cls, texts: Iterable[str | None]) -> TextColumn:
        """A column of those texts, in the order in which they first appear; None and "" are missing."""
        known: dict[str | None, int] = {None: -1, "": -1}
        codes = [known.setdefault(text, len(known) - 2) for text in texts]
        return cls.coded(codes, [*known][2:])

    @classmethod
    def coded(cls, codes: ArrayLike, categories: Sequence[str | None]) -> TextColumn:
        """A column of codes of any type of integers, and a list of texts."""
        return cls(np.asarray(codes, np.int32), object_array(categories))

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Rows) -> TextColumn:
        return TextColumn(self.codes[rows], self.categories)

    def texts(self) -> NDArray[np.object_]:
        """The text of each row, (n,), "" where it is missing."""
        return np.append(self.categories, "")[self.codes]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self.texts().astype(dtype or object, copy=False)


Column = NDArray[Any] | TextColumn


def object_array(values: Sequence[Any]) -> NDArray[np.object_]:
    """The values as they are, (n,): `numpy.array` makes a matrix of lists that are equally long."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


@dataclass(frozen=True, eq=False, repr=False)
class Table:
    """Columns by name, all of one length, in the order of the file or the frame.

    Attributes
    ----------
    columns : each an int64 array, a float64 array (NaN where a number is missing), a bool array, a
        datetime64[us] array (NaT where a date is missing), or a `TextColumn`.
    source : the file, or words for what else it was, such as "a pandas DataFrame".
    notes : a sentence for each thing that was guessed, such as the delimiter, or words for missing.
    index : the columns that only number the rows, as pandas writes a frame's index.
    truths : the columns of true and false in which values are missing: float64 of 0, 1 and NaN.

    >>> import glassnet as gn
    >>> table = gn.read_table({"width": [0.2, 1.4, None], "kind": ["small", "large", "small"]})
    >>> table.names, table.n_rows, table["width"].tolist()
    (('width', 'kind'), 3, [0.2, 1.4, nan])
    >>> table["kind"].codes.tolist(), table["kind"].categories.tolist()
    ([0, 1, 0], ['small', 'large'])
    """

    columns: dict[str, Column]
    source: Path | str
    notes: tuple[str, ...] = ()
    index: tuple[str, ...] = ()
    truths: frozenset[str] = frozenset()
    lines: Callable[[], NDArray[np.int64]] | None = field(default=None, repr=False)
    """Finds the line on which each row of a text file begins, once an error asks."""
    rows: NDArray[np.int64] | None = field(default=None, repr=False)
    """The places of the rows in the file, where `take` left some out."""
    place_of: Callable[[int], str] | None = field(default=None, repr=False)
    """The place of a row in words, where there are several files."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(self.columns)

    @property
    def n_rows(self) -> int:
        """How many rows there are, the header not counted."""
        return len(next(iter(self.columns.values()), ()))

    def __repr__(self) -> str:
        more = "" if len(self.columns) <= _MOST_NAMED else f" and {len(self.columns) - _MOST_NAMED:,} more"
        return f"{self._sizes}\n  {', '.join(map(repr, self.names[:_MOST_NAMED]))}{more}"

    def _repr_html_(self) -> str:
        names, count = self.names[:_MOST_NAMED], min(self.n_rows, _FIRST_ROWS)
        columns = [self.columns[name][:count] for name in names]
        notes = [*self.notes, f"the first {counted(count, 'row')}:" if count < self.n_rows else ""]
        if more := len(self.names) - len(names):
            notes.append(f"without {counted(more, 'column')} more:")
        rows = zip(*(map(_cell, np.asarray(column).tolist()) for column in columns), strict=True)
        left = [place for place, column in enumerate(columns) if isinstance(column, TextColumn)]
        return cell_output(self._sizes, notes, cell_table([*map(tidy, names)], rows, left))

    @property
    def _sizes(self) -> str:
        size = f"{counted(self.n_rows, 'row')} and {counted(len(self.columns), 'column')}"
        return f"Table of {size} from {self.source}"

    def __getitem__(self, name: str) -> Column:
        """A column; InputError, with the nearest name, for a name that is not there."""
        if name not in self.columns:
            choices = [known for known in self.names if known not in self.index]
            raise unknown_name(f"column of {self.source}:", name, choices)
        return self.columns[name]

    def where(self, row: int) -> str:
        """The place of a row, counted from 0, for messages: its line in a text file, else its number."""
        place = row if self.rows is None else int(self.rows[row])
        if self.place_of is not None:
            return self.place_of(place)
        return f"row {place + 1}" if self.lines is None else f"line {self.lines()[place]}"

    def take(self, rows: Rows) -> Table:
        """The table of those rows, by number or by a mask; `where` still says where they came from."""
        known = np.arange(self.n_rows) if self.rows is None else self.rows
        columns = {name: column[rows] for name, column in self.columns.items()}
        return replace(self, columns=columns, rows=known[rows])


def _cell(value: Any) -> object:
    """A value as a notebook shows it."""
    if value is None or value != value:  # NaN; None stands for NaT
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, (int, float)) else tidy(str(value).removesuffix(" 00:00:00"))
