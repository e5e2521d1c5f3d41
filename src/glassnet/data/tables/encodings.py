"""How a column becomes inputs of a network: numbers, categories and dates, learned from the training rows.

An encoding is a record of plain numbers and texts, which files keep. Each gives its inputs before they are
standardized; those that `standardizes` names are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats
from glassnet.data.tables.raw import DATE, DAY, NUMBER, TEXT, TRUTH, ColumnRows, RawColumn, all_runs
from glassnet.errors import InputError

SCALINGS = ("standard", "quantile")
"""How numbers are scaled: by mean and standard deviation, or first to the normal distribution of their
rank."""

_QUANTILES = 101


@dataclass(frozen=True)
class NumberEncoding:
    """A number, or true and false as 1 and 0; where it is missing, the median of the training rows.

    `missing` says that a second input is 1 where the number is missing. `quantiles`, where there are some,
    are those of the training rows at equal steps: the input is the normal quantile of the value's rank
    among them. `low` and `high` are the training's smallest and largest value, equal where they are
    unknown.
    """

    name: str
    fill: float
    missing: bool = False
    low: float = 0.0
    high: float = 0.0
    quantiles: tuple[float, ...] = ()

    kind: ClassVar[str] = "number"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return (self.name, f"{self.name} is missing") if self.missing else (self.name,)

    @property
    def standardizes(self) -> tuple[bool, ...]:
        """Which of the inputs are standardized."""
        return (True, False)[: len(self.inputs)]

    @property
    def types(self) -> tuple[str, ...]:
        """The types of columns that can be encoded."""
        return NUMBER, TRUTH

    def encode(self, column: RawColumn) -> list[Floats]:
        """The inputs (n,) of rows."""
        absent = np.isnan(column.values)
        values = np.where(absent, self.fill, column.values)
        if self.quantiles:
            values = normal_ranks(values, np.array(self.quantiles))
        return [values, absent.astype(np.float64)] if self.missing else [values]


@dataclass(frozen=True)
class CategoryEncoding:
    """One input for each of the frequent categories: 1 in its rows, else 0.

    `other` and `missing` say that the rare categories together, and rows without one, have an input. A
    category that training never saw counts among the rare ones; where there were none, all inputs are 0.
    Where there are two possibilities in all, one input is 1 for the second of them.
    """

    name: str
    categories: tuple[str, ...]
    other: bool = False
    missing: bool = False

    kind: ClassVar[str] = "category"

    @property
    def single(self) -> bool:
        """Whether there are two possibilities, which one input tells apart."""
        return len(self.categories) + self.other + self.missing == 2

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        names = [f"{self.name} = {category}" for category in self.categories]
        names += [f"{self.name} is another"] if self.other else []
        names += [f"{self.name} is missing"] if self.missing else []
        return tuple(names[self.single :])

    @property
    def standardizes(self) -> tuple[bool, ...]:
        """Which of the inputs are standardized: none."""
        return (False,) * len(self.inputs)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of columns that can be encoded."""
        return TEXT, NUMBER, TRUTH

    def places(self, column: RawColumn) -> NDArray[np.intp]:
        """The number of each row's category; that of `len(categories)` for others, one more for missing."""
        known = {category: place for place, category in enumerate(self.categories)}
        other = len(known)
        if column.type == TEXT:
            table = np.array([known.get(text, other) for text in column.texts] + [other + 1], np.intp)
            codes = np.where(np.isnan(column.values), len(column.texts), column.values)
            return table[codes.astype(np.intp)]
        values, numbers = np.unique(column.values, return_inverse=True)
        table = np.array(
            [other + 1 if np.isnan(v) else known.get(column.words(v), other) for v in values], np.intp
        )
        return table[numbers]

    def encode(self, column: RawColumn) -> list[Floats]:
        """The inputs (n,) of rows."""
        return self.of_places(self.places(column))

    def of_places(self, places: NDArray[np.intp]) -> list[Floats]:
        """The inputs (n,) of rows whose categories have these numbers."""
        count = len(self.categories)
        shown = [*range(count)] + [count] * self.other + [count + 1] * self.missing
        return [(places == place).astype(np.float64) for place in shown[self.single :]]


PARTS: Mapping[str, tuple[float, str]] = {
    "month": (12.0, "month of the year"),
    "weekday": (7.0, "day of the week"),
    "hour": (24.0, "hour of the day"),
}
"""The parts of a date that return, with their period."""


@dataclass(frozen=True)
class DateEncoding:
    """A date as days since the first of the training rows, and the parts that return as points on circles.

    A part p of period T has two inputs, sin(2 pi p / T) and cos(2 pi p / T), so that December is beside
    January. Where a date is missing, it is the median of the training rows; `missing` says that an input
    tells so.
    """

    name: str
    first: float
    fill: float
    parts: tuple[str, ...] = ()
    missing: bool = False

    kind: ClassVar[str] = "date"

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs."""
        circles = [f"{self.name}: {part} {side}" for part in self.parts for side in ("(sin)", "(cos)")]
        names = (f"{self.name}: days", *circles)
        return (*names, f"{self.name} is missing") if self.missing else names

    @property
    def standardizes(self) -> tuple[bool, ...]:
        """Which of the inputs are standardized: the days."""
        return (True, *(False,) * (len(self.inputs) - 1))

    @property
    def types(self) -> tuple[str, ...]:
        """The types of columns that can be encoded."""
        return (DATE,)

    def encode(self, column: RawColumn) -> list[Floats]:
        """The inputs (n,) of rows."""
        absent = np.isnan(column.values)
        values = np.where(absent, self.fill, column.values)
        inputs = [(values - self.first) / DAY]
        for part in self.parts:
            angle = 2 * np.pi * date_part(values, part) / PARTS[part][0]
            inputs += [np.sin(angle), np.cos(angle)]
        return [*inputs, absent.astype(np.float64)] if self.missing else inputs


Encoding = NumberEncoding | CategoryEncoding | DateEncoding

ENCODINGS: Mapping[str, type[NumberEncoding] | type[CategoryEncoding] | type[DateEncoding]] = {
    encoding.kind: encoding for encoding in (NumberEncoding, CategoryEncoding, DateEncoding)
}
"""The kinds of encodings by name."""


def date_part(values: Floats, part: str) -> Floats:
    """A part of dates in microseconds, from 0: the month 0 to 11, the weekday 0 (Monday) to 6, the hour."""
    if part == "hour":
        return np.floor(values % DAY / (DAY / 24))
    days = np.floor(values / DAY)
    if part == "weekday":
        return (days + 3) % 7  # 1970 began with a Thursday
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64).astype(np.float64) % 12


def normal_ranks(values: Floats, quantiles: Floats) -> Floats:
    """The normal quantile of each value's rank, from -5.2 to 5.2, as scikit-learn's QuantileTransformer has
    it."""
    from scipy.special import ndtri

    steps = np.linspace(0, 1, len(quantiles))
    # Of equal quantiles the middle one counts.
    ranks = (np.interp(values, quantiles, steps) + 1 - np.interp(-values, -quantiles[::-1], steps)) / 2
    return np.asarray(ndtri(np.clip(ranks, 1e-7, 1 - 1e-7)), np.float64)


def encoding_to_dict(encoding: Encoding) -> dict[str, Any]:
    """An encoding as JSON can hold it."""
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in asdict(encoding).items()}
    return {"kind": encoding.kind, **values}


def encoding_from_dict(described: Mapping[str, Any]) -> Encoding:
    """The encoding that `encoding_to_dict` described; InputError for anything else."""
    arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in described.items()}
    kind = arguments.pop("kind", None)
    try:
        return ENCODINGS[str(kind)](**arguments)
    except (KeyError, TypeError) as error:
        raise InputError(f"This does not describe the encoding of a column: {described!r}.") from error


# ---- Learning them --------------------------------------------------------------------------------


def learn_number(column: ColumnRows, scaling: str = "standard") -> NumberEncoding | None:
    """The encoding of the training rows' numbers; None where no value differs from another."""
    steps = _QUANTILES if scaling == "quantile" and column.type == NUMBER else 0
    ranks = _ranks(column, steps)
    if ranks is None:
        return None
    low, high, median, quantiles = ranks
    return NumberEncoding(column.name, median, column.missing > 0, low, high, quantiles)


def _ranks(column: ColumnRows, steps: int = 0) -> tuple[float, float, float, tuple[float, ...]] | None:
    """The least, the largest and the middle of the values, and quantiles at equal steps, as `numpy.median`
    and `numpy.quantile` have them; None where no value differs from another."""
    n = column.n_rows - column.missing
    if not n:
        return None
    at = (n - 1) * np.linspace(0, 1, steps)
    below = np.floor(at).astype(np.intp)
    middle = [(n - 1) // 2, n // 2]
    places = np.concatenate([[0, n - 1], middle, below, np.minimum(below + 1, n - 1)]).astype(np.intp)
    values = column.ranked(places)
    if values[0] == values[1]:
        return None
    lower, upper = values[4 : 4 + steps], values[4 + steps :]
    share, gap = at - below, upper - lower
    quantiles = np.where(share < 0.5, lower + gap * share, upper - gap * (1 - share))
    median = values[2] if n % 2 else np.mean(values[2:4])
    return float(values[0]), float(values[1]), float(median), tuple(quantiles.tolist())


def learn_category(column: ColumnRows, most: int) -> CategoryEncoding | None:
    """The encoding of the training rows' categories; None where there is one value alone.

    The `most` frequent ones have inputs, of equally many rows the first by text; a category of a single row
    is rare. They stand in the order of their texts, of numbers in that of the numbers.
    """
    values, counts = all_runs(column)
    missing = int(counts.sum()) < column.n_rows
    texts = [column.words(value) for value in values.tolist()]
    if len(texts) + missing < 2:
        return None
    sort_key: Sequence[Any] = texts if column.type == TEXT else values.tolist()
    frequent = sorted(range(len(texts)), key=lambda place: (-counts[place], sort_key[place]))
    kept = [place for place in frequent[:most] if counts[place] > 1 or len(texts) <= 2]
    kept = kept if kept else frequent[:1]
    kept.sort(key=lambda place: sort_key[place])
    return CategoryEncoding(
        column.name, tuple(texts[place] for place in kept), len(kept) < len(texts), missing
    )


def learn_date(column: ColumnRows) -> DateEncoding | None:
    """The encoding of the training rows' dates; None where there is one date alone."""
    ranks = _ranks(column)
    if ranks is None:
        return None
    first, _, median, _ = ranks
    parts = tuple(part for part in PARTS if _varies(column, part))
    return DateEncoding(column.name, first, median, parts, column.missing > 0)


def _varies(column: ColumnRows, part: str) -> bool:
    """Whether a part of the dates has more than one value."""
    known: set[float] = set()
    for values in column.blocks():
        known |= {*np.unique(date_part(values[~np.isnan(values)], part)).tolist()}
        if len(known) > 1:
            return True
    return False
