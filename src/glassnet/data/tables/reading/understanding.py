"""Columns of text taken for what they mean: numbers, dates, true and false, or text with its gaps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.tables.reading.duck import connected
from glassnet.data.tables.reading.meaning import AS_NUMBER, NUMBER, TEXT, TRUTH, WHOLE, Meaning, meanings
from glassnet.data.tables.table import Column, TextColumn
from glassnet.data.tables.words import MISSING, is_missing, marks_missing

_SAMPLE = 5_000
"""The most different texts of a column that its meaning is guessed from."""


@dataclass
class Understood:
    """Columns as what they mean, what was guessed, and which words mean missing, and how often."""

    columns: dict[str, Column] = field(default_factory=dict)
    truths: set[str] = field(default_factory=set)
    guesses: dict[str, list[str]] = field(default_factory=dict)
    missing: Counter[str] = field(default_factory=Counter)
    kept: list[str] = field(default_factory=list)

    def add(self, name: str, values: NDArray[Any], meaning: Meaning) -> None:
        """Add a column of that meaning."""
        if meaning.kind == TRUTH and values.dtype != bool:
            self.truths.add(name)
        if meaning.note and meaning.kind == NUMBER and np.all(values == np.rint(values)):
            values = values.astype(np.int64) if np.all(np.abs(values) < 2**53) else values
        self.columns[name] = values
        if meaning.note:
            self.guesses.setdefault(meaning.note, []).append(name)

    def update(self, other: Understood) -> None:
        """Add the columns that `other` knows."""
        self.columns |= other.columns
        self.truths |= other.truths
        self.missing.update(other.missing)
        self.kept += other.kept
        for note, names in other.guesses.items():
            self.guesses.setdefault(note, []).extend(names)

    def notes(self) -> list[str]:
        """What was guessed, a sentence for each kind of guess."""
        notes = [f"Read {_listed(names)} with {guess}." for guess, names in self.guesses.items()]
        if words := [word for word in self.missing if word]:
            counts = ", ".join(f"{word!r} ({self.missing[word]:,})" for word in words)
            notes.append(f"Taken for missing: {counts}.")
        return notes + self.kept


def understood(
    columns: Mapping[str, TextColumn], database: Any = None, delimiter: str = "", decimal: str | None = None
) -> Understood:
    """Columns of text as what they mean; text that means nothing else loses the blanks at its ends."""
    known = Understood()
    if not columns:
        return known
    samples = {
        name: column.categories[:: 1 + len(column.categories) // _SAMPLE].tolist()
        for name, column in columns.items()
    }
    meant = meanings(samples, delimiter, decimal)
    only_text = all(meaning.kind == TEXT for meaning in meant.values())
    with nullcontext(database) if database is not None or only_text else connected() as database:
        for name, meaning in meant.items():
            column = columns[name]
            words = [word.strip() for word in column.categories.tolist()]
            values = None if meaning.kind == TEXT else _values(database, words, meaning)
            if values is None and meaning.kind == WHOLE:
                values = _values(database, words, AS_NUMBER)
            if values is None:
                known.columns[name] = _tidy(name, column, words, known)
                continue
            known.add(name, at(values, column.codes), meaning)
            _count(column.codes, words, [is_missing(word) for word in words], known)
    return known


def filled(values: Any) -> NDArray[Any]:
    """Values with NaN or NaT where they are masked."""
    gone = np.ma.getmaskarray(values)
    array: NDArray[Any] = np.asarray(np.ma.getdata(values))
    if not gone.any():
        return array
    array = array.astype(array.dtype if array.dtype.kind in "fM" else np.float64)
    array[gone] = np.datetime64("NaT") if array.dtype.kind == "M" else np.nan
    return array


def _values(database: Any, words: Sequence[str], meaning: Meaning) -> NDArray[Any] | None:
    """The value of each word; None where a word means something else."""
    query = f"SELECT {meaning.sql('w')} AS v FROM (SELECT unnest($1::VARCHAR[]) AS w)"
    values = database.execute(query, [words]).fetchnumpy()["v"]
    masked = np.flatnonzero(np.ma.getmaskarray(values)).tolist()
    return filled(values) if all(is_missing(words[place]) for place in masked) else None


def at(values: NDArray[Any], codes: NDArray[Any]) -> NDArray[Any]:
    """The value of each code, missing where it is -1."""
    if not len(values):
        return np.full(len(codes), np.nan)
    return filled(np.ma.array(values[codes], mask=codes < 0))


def _tidy(name: str, column: TextColumn, words: list[str], known: Understood) -> TextColumn:
    """Text without blanks at its ends, each text once, and -1 for words that mark missing values."""
    marks = {word for word in words if word.lower() in MISSING}
    others = set(words) - marks
    elsewhere = bool(np.any(column.codes < 0)) or any(word.lower() != "none" for word in marks)
    gone = {word for word in marks if marks_missing(word, others, elsewhere)}
    places: dict[str, int] = {}
    new = [-1 if word in gone else places.setdefault(word, len(places)) for word in words]
    _count(column.codes, words, [word in gone for word in words], known)
    if stays := sorted(marks - gone):
        known.kept.append(f"Kept as text in {name!r}: {', '.join(map(repr, stays))}.")
    return TextColumn.coded(np.array([*new, -1])[column.codes], [*places])


def _count(codes: NDArray[np.int32], words: list[str], gone: list[bool], known: Understood) -> None:
    """Count the cells of each word that was taken for missing."""
    for place in np.flatnonzero(gone).tolist():
        if words[place]:
            known.missing[words[place]] += int(np.count_nonzero(codes == place))


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:5]))
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
