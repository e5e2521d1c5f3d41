"""Folds of rows by their dates, whose training rows have no knowledge of the test rows."""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise, takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import GlassnetWarning, InputError, InputTypeError
from glassnet.utils.settings_checks import as_count, as_steps, or_none
from glassnet.utils.warn import warn

Rows = NDArray[np.intp]
_as_size = or_none(as_steps)


class TimeFolds(ABC):
    """The base of `WalkForward` and `PurgedKFold`: scikit-learn's methods of a splitter, and dates."""

    least_splits = 1

    def __init__(self, n_splits: int, gap: int, times: object, ends: object) -> None:
        self.n_splits = as_count(n_splits, "n_splits", self.least_splits)
        self.gap = as_count(gap, "gap")
        self.times = times
        self.ends = ends

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """The number of folds; scikit-learn passes arguments, which are ignored."""
        return self.n_splits

    def split(self, X: Any, y: object = None, groups: object = None) -> Iterator[tuple[Rows, Rows]]:
        """The numbers of the rows to train on and to test on, fold by fold; both ascend.

        Parameters
        ----------
        X : anything with a row for each sample, such as an array (n_samples, n_features).
        y : ignored.
        groups : (n_samples,), each row's date, in place of `times`.

        Raises InputError where there are too few rows or dates for the folds, where times are missing, are
        of another length than X or are text that does not sort as time does, and where a fold keeps
        nothing to train on.
        """
        n = _row_count(X)
        arguments = [("times", self.times), ("groups", groups)]
        named = [(name, labels) for name, labels in arguments if labels is not None]
        if len(named) == 2:
            raise InputError("Both times and groups are given, and both are dates; give one of them.")
        name, labels = named[0] if named else ("times", None)
        days = Days(n, None, None, name) if labels is None else Days(n, labels, self.ends, name)
        if labels is None and self.ends is not None:
            raise InputError("ends are dates as times are; give times too, in the same unit.")
        if labels is None:
            _warn_of_index(X)
        return self._folds(days)

    def _folds(self, days: Days) -> Iterator[tuple[Rows, Rows]]:
        for number, (first, last) in enumerate(self._tests(days), 1):
            training = np.zeros(len(days.dates), dtype=bool)
            for low, high in self._training(days, first, last):
                training |= days.between(low, high)
            # A target that becomes known only during the test has knowledge of it.
            if days.ends is not None:
                training &= (days.dates >= first) | (days.ends < first)
            train = np.flatnonzero(training)
            if not len(train):
                raise InputError(
                    f"Fold {number} of {self.n_splits} keeps no rows to train on beside its test of "
                    f"{last - first} of {len(days)} {days.unit}: {self!r} leaves out all the others. "
                    f"Lower what is left out, or n_splits."
                )
            yield train, np.flatnonzero(days.between(first, last))

    def get_metadata_routing(self) -> Any:
        """Scikit-learn's metadata routing: `split` takes groups."""
        from sklearn.utils.metadata_routing import MetadataRequest

        request = MetadataRequest(owner=self)
        request.split.add_request(param="groups", alias=True)
        return request

    @abstractmethod
    def _tests(self, days: Days) -> list[tuple[int, int]]:
        """Each fold's test, from a date up to another; an InputError where there are too few dates."""

    @abstractmethod
    def _training(self, days: Days, first: int, last: int) -> list[tuple[int, int]]:
        """The ranges of dates to train on, from a date up to another, for a test."""

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}
        settings = [
            f"{name}={'...' if name in ('times', 'ends') else value}"
            for name, value in values.items()
            if value is not None
        ]
        return f"{type(self).__name__}({', '.join(settings)})"


class WalkForward(TimeFolds):
    """Folds that train on the past and test on the dates that follow, as a model would be used.

    The last ``n_splits * test_size`` dates are tested, in turn. The fold that tests from date t on trains
    on the dates before ``t - gap``: all of them, or with `max_train_size` only so many, the last.

    Parameters
    ----------
    n_splits : how many folds.
    test_size : dates of each test; None takes ``n_dates // (n_splits + 1)``.
    max_train_size : dates to train on at most, a window that rolls; None is one that expands.
    gap : dates left out between training and test. Where a row's target looks h dates ahead, the targets
        of the h dates before the test overlap it: ``gap=h``.
    times : (n_samples,), each row's date: numbers, dates or text that sort as time does (text begins with
        the year: "2024-01-31"). Rows may come in any order, as a panel sorted by symbol and then by date
        does. Rows of one date stay together, and sizes and gaps count dates. None, where `split` gets no
        groups either, takes every row as a date of its own.
    ends : (n_samples,), the date at which each row's target is known, where that differs from row to row
        (López de Prado's t1): no row is trained on whose end reaches the test. Beside `gap`.

    Raises InputError and InputTypeError for settings out of range, and see `split`.

    Example
    -------
    >>> import glassnet as gn
    >>> for train, test in gn.WalkForward(3, test_size=2, gap=1).split(range(10)):
    ...     print(train, test)
    [0 1 2] [4 5]
    [0 1 2 3 4] [6 7]
    [0 1 2 3 4 5 6] [8 9]
    >>> dates = ["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-02", "2024-01-03"]
    >>> [test.tolist() for _, test in gn.WalkForward(2, times=dates).split(dates)]
    [[2, 3], [4]]
    >>> panel = {"symbol": ["A", "A", "A", "B", "B", "B"], "date": [1, 2, 3, 1, 2, 3]}
    >>> [test.tolist() for _, test in gn.WalkForward(2, times=panel["date"]).split(panel["date"])]
    [[1, 4], [2, 5]]

    Hyndman and Athanasopoulos (2021), "Forecasting: principles and practice", 5.10. Without times the
    folds are those of scikit-learn's TimeSeriesSplit, which has neither dates nor ends; one fold is
    allowed here.
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        test_size: int | None = None,
        max_train_size: int | None = None,
        gap: int = 0,
        times: object = None,
        ends: object = None,
    ) -> None:
        super().__init__(n_splits, gap, times, ends)
        self.test_size = _as_size(test_size, "test_size")
        self.max_train_size = _as_size(max_train_size, "max_train_size")

    def _tests(self, days: Days) -> list[tuple[int, int]]:
        n, unit = len(days), days.unit
        size = self.test_size or n // (self.n_splits + 1)
        first = n - self.n_splits * size
        if not size or first - self.gap < 1:
            least = self.n_splits * max(size, 1) + self.gap + 1
            raise InputError(
                f"There are {n} {unit}; {self.n_splits} tests of {max(size, 1)}, a gap of {self.gap} and "
                f"at least one to train on need {least}. Lower n_splits, test_size or gap."
            )
        return [(at, at + size) for at in range(first, n, size)]

    def _training(self, days: Days, first: int, last: int) -> list[tuple[int, int]]:
        end = first - self.gap
        return [(0 if self.max_train_size is None else max(0, end - self.max_train_size), end)]


class PurgedKFold(TimeFolds):
    """K folds of neighboring dates, trained on both sides without the rows whose targets touch the test.

    Each date is tested once. Where the test is the dates from a up to b, training leaves out, beside
    them, the `gap` dates before a, whose targets reach into the test, the `gap` dates from b on, which the
    test's targets reach into, and then `embargo` dates more.

    Parameters
    ----------
    n_splits : how many folds, 2 or more.
    gap : dates purged on each side of the test: how far ahead a row's target looks.
    embargo : dates left out after that, for features that look back; López de Prado takes 1 % of all.
    times, ends : as for `WalkForward`. With ends the rows before the test are purged whose ends reach it,
        and after the test all dates up to the last end in it; `gap` may then be 0.

    Raises InputError and InputTypeError for settings out of range, and see `split`.

    Example
    -------
    >>> import glassnet as gn
    >>> for train, test in gn.PurgedKFold(3, gap=1, embargo=1).split(range(9)):
    ...     print(train, test)
    [5 6 7 8] [0 1 2]
    [0 1 8] [3 4 5]
    [0 1 2 3 4] [6 7 8]

    López de Prado (2018), "Advances in Financial Machine Learning", chapter 7. With a gap and an embargo
    of 0 and without times the folds are those of scikit-learn's KFold.
    """

    least_splits = 2  # each date is tested once

    def __init__(
        self,
        n_splits: int = 5,
        *,
        gap: int = 0,
        embargo: int = 0,
        times: object = None,
        ends: object = None,
    ) -> None:
        super().__init__(n_splits, gap, times, ends)
        self.embargo = as_count(embargo, "embargo")

    def _tests(self, days: Days) -> list[tuple[int, int]]:
        n = len(days)
        if n < self.n_splits:
            raise InputError(
                f"There are {n} {days.unit}, too few for {self.n_splits} folds. Lower n_splits."
            )
        sizes = np.full(self.n_splits, n // self.n_splits)
        sizes[: n % self.n_splits] += 1
        edges = np.concatenate([[0], np.cumsum(sizes)]).tolist()
        return list(pairwise(edges))

    def _training(self, days: Days, first: int, last: int) -> list[tuple[int, int]]:
        after = last + self.gap
        if days.ends is not None:
            after = max(after, int(days.ends[days.between(first, last)].max()) + 1)
        return [(0, max(0, first - self.gap)), (min(after + self.embargo, len(days)), len(days))]


# ---- Dates --------------------------------------------------------------------------------------


class Days:
    """The dates of rows in any order: the number of each row's, and of that at which its target is known.

    ``ends[i]`` is the number of the last date that is not after row i's end; None where there are none.
    """

    def __init__(self, n_rows: int, times: object, ends: object, name: str) -> None:
        self.unit = "rows" if times is None else "dates"
        self.ends: Rows | None = None
        if times is None:
            self.dates, self._count = np.arange(n_rows), n_rows
            return
        self.dates, first, labels = number_dates(times, n_rows, name)
        self._count = len(first)
        _refuse_text(first, name)
        _refuse_words_out_of_order(labels, self.dates, first, name)
        if ends is not None:
            self.ends = self._numbers(_as_labels(ends, n_rows, "ends"), first, name)

    def __len__(self) -> int:
        return self._count

    def between(self, first: int, last: int) -> NDArray[np.bool_]:
        """Which rows are of the dates from one up to another."""
        return (self.dates >= first) & (self.dates < last)

    def _numbers(self, ends: NDArray[Any], first: NDArray[Any], name: str) -> Rows:
        kinds = [array.dtype.kind.translate(_ALIKE) for array in (ends, first)]
        try:
            # NumPy would compare numbers with text, as text.
            numbers = np.searchsorted(first, ends, side="right") - 1 if kinds[0] == kinds[1] else None
        except TypeError:
            numbers = None
        if numbers is None:
            raise InputTypeError(
                f"ends ({ends.dtype.name}) cannot be compared with {name} ({first.dtype.name}); expected "
                f"dates of one kind."
            )
        _refuse_text(ends, "ends")
        early = np.flatnonzero(numbers < self.dates)
        if len(early):
            at = int(early[0])
            raise InputError(
                f"ends has {ends[at]!s} at row {at}, before the row's own date "
                f"{first[self.dates[at]]!s}; expected the date at which its target is known."
            )
        return numbers


def number_dates(
    times: object, n_rows: int, name: str = "times"
) -> tuple[Rows, NDArray[Any], NDArray[Any]]:
    """Each row's date as a number in the order of time, the dates, and the rows' own as an array."""
    labels = _as_labels(times, n_rows, name)
    # Neighbors of one date are sorted as one.
    starts = np.flatnonzero(np.concatenate([[True], _compared(labels[1:], labels[:-1], name)]))
    starts = starts[:n_rows]
    try:
        first, numbers = np.unique(labels[starts], return_inverse=True)
    except TypeError as error:
        raise _no_order(name, error) from error
    return np.repeat(numbers, np.diff(starts, append=n_rows)), first, labels


_ALIKE = str.maketrans("biu", "fff")  # kinds of numbers, which compare with each other


def _as_labels(values: object, n_rows: int, name: str) -> NDArray[Any]:
    """An array of dates, one for each row, none missing."""
    try:
        labels = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} cannot be made into an array: {str(error).rstrip('.')}.") from error
    if labels.shape != (n_rows,):
        raise InputError(
            f"{name} has shape {labels.shape}; expected ({n_rows},), a date for each row of X."
        )
    if labels.dtype.kind not in "biufMUSO":
        raise InputTypeError(
            f"{name} holds {labels.dtype.name} values; expected dates, numbers or text that sort as "
            f"time does."
        )
    # NaN and NaT differ from themselves; comparing refuses None and pandas' NA.
    missing = np.flatnonzero(_compared(labels, labels, name))
    if len(missing):
        raise InputError(
            f"{name} has {labels[missing[0]]!s} at row {missing[0]}; expected a date for every row. Drop "
            f"the rows that have none."
        )
    return labels


_MAKE_DATES = "make dates of it, {0} = pd.to_datetime({0}, format=...)"

_MONTHS = "(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_DAY_FIRST = re.compile(
    # 31.01.2024, 1/31/24, 31 Jan 2024; Jan 31, 2024; 2024-1-5, whose month needs two digits to sort
    rf"\d{{1,2}}[./ -](\d{{1,2}}|{_MONTHS}\.?)[./ -]\d{{2,4}}(\D.*)?|{_MONTHS}\.? \d.*"
    r"|\d{4}[./-](\d[./-]\d{1,2}|\d\d[./-]\d)(\D.*)?",
    re.ASCII | re.IGNORECASE | re.DOTALL,
)
_NUMBER = re.compile(r"\d+", re.ASCII)


def _texts(labels: NDArray[Any]) -> list[str]:
    """The labels as text; none where they are of another kind."""
    if labels.dtype.kind not in "USO":
        return []
    decoded = (x.decode(errors="replace") if isinstance(x, bytes) else x for x in labels.tolist())
    return list(takewhile(lambda label: isinstance(label, str), decoded))


def _refuse_text(labels: NDArray[Any], name: str) -> None:
    """Raise InputError for dates as text that does not sort by time: a fold would train on the future."""
    widths: dict[int, str] = {}
    for text in _texts(labels):
        if _DAY_FIRST.fullmatch(text.strip()):
            raise InputError(
                f"{name} is text such as {text!r}, which is put in order letter by letter, not by time: "
                f"{_MAKE_DATES.format(name)}. Text that begins with four digits of the year, then two of "
                f"the month and of the day, sorts as time does."
            )
        if _NUMBER.fullmatch(text):
            widths[len(text)] = text
    if len(widths) > 1:
        raise InputError(
            f"{name} is text of numbers such as {' and '.join(map(repr, widths.values()))}, which is put "
            f"in order letter by letter: make numbers of it, {name} = np.asarray({name}, dtype=float)."
        )


_YEAR_OR_NUMBER = re.compile(r"\d{4}|\d+$", re.ASCII)


def _refuse_words_out_of_order(labels: NDArray[Any], dates: Rows, first: NDArray[Any], name: str) -> None:
    """Raise InputError for text that the rows are not in the order of, where it may not be that of time."""
    back = np.flatnonzero(np.diff(dates) < 0)
    if not len(back) or all(map(_YEAR_OR_NUMBER.match, _texts(first))):
        return
    at = int(back[0]) + 1
    raise InputError(
        f"{name} goes from {labels[at - 1]!s} back to {labels[at]!s} at row {at}, by letters: text goes "
        f"letter by letter. If it holds dates, {_MAKE_DATES.format(name)}; text that begins with the four "
        f"digits of the year may come in any order."
    )


def _compared(left: NDArray[Any], right: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """Where two arrays of dates differ."""
    try:
        return np.asarray(left != right, dtype=bool)
    except TypeError as error:
        raise _no_order(name, error) from error


def _no_order(name: str, error: TypeError) -> InputTypeError:
    return InputTypeError(
        f"{name} holds values that cannot be put in order ({str(error).rstrip('.')}); expected dates of "
        f"one kind, none missing."
    )


def _warn_of_index(X: Any) -> None:
    """Warn where rows without times have an index that goes back in time, as a panel's by symbol does."""
    index: Any = getattr(X, "index", None)
    for level in range(getattr(index, "nlevels", 0)):
        dates = index.get_level_values(level)
        if getattr(dates.dtype, "kind", "") == "M" and not dates.is_monotonic_increasing:
            name = level if dates.name is None else repr(dates.name)
            warn(
                f"The index of X goes back in time, and without times each row counts as later than the "
                f"one before: folds train on the future. Give times=X.index.get_level_values({name}).",
                GlassnetWarning,
            )
            return


def _row_count(X: Any) -> int:
    shape = getattr(X, "shape", None)  # a sparse matrix has no length
    if shape is not None and len(shape) > 0:
        return int(shape[0])
    try:
        return len(X)
    except TypeError as error:
        raise InputTypeError(f"X has no rows to split: {type(X).__name__}; expected an array.") from error
