"""Tables from text files, by DuckDB: delimiter, comments and header are found, odd files rewritten."""

from __future__ import annotations

import csv
import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.tables.index import counting
from glassnet.data.tables.reading.dialect import BUFFER, LONGEST_TEXT, Dialect
from glassnet.data.tables.reading.duck import arrays, connected, text_column
from glassnet.data.tables.reading.end import without_end
from glassnet.data.tables.reading.header import has_header, unique_names
from glassnet.data.tables.reading.meaning import AS_NUMBER, AS_TEXT, TEXT, WHOLE, Meaning, literal, meanings
from glassnet.data.tables.reading.plain_text import may_hold_odd_numbers, plain_text
from glassnet.data.tables.reading.understanding import Understood, filled, understood
from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.data.tables.words import is_missing
from glassnet.errors import FileError

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "blanks"}

MOST_COLUMNS = 20_000
"""The most columns of a text file."""

_SAMPLE_ROWS = 1_000
"""Rows that the meaning of columns is guessed from; what does not fit later is read again as text."""

_MOST_ODD = 1_000
"""Rows of another length that are counted."""


@dataclass(frozen=True)
class TextOptions:
    """What a user says of a text file; None is guessed."""

    header: bool | None = None
    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None


def read_text(path: Path, shown: Path | str, options: TextOptions) -> Table:
    """The table of a text file at `path`, which errors call `shown`."""
    with (
        plain_text(path, options.encoding, shown) as (plain, notes),
        tempfile.TemporaryDirectory(prefix="glassnet-") as folder,
        connected(plain, Path(folder, "rewritten")) as database,
    ):
        reading = _Reading(plain, shown, options, database)
        table = reading.table(notes, Path(folder, "rewritten"))
    if (known := reading.lines) is not None:
        return replace(table, lines=lambda: np.array(known[reading.header :], np.int64))
    return replace(
        table, lines=cache(partial(_lines, path, shown, options.encoding, reading.dialect, reading.header))
    )


def _lines(
    path: Path, shown: Path | str, encoding: str | None, dialect: Dialect, header: bool
) -> NDArray[np.int64]:
    """The line on which each row begins."""
    with plain_text(path, encoding, shown) as (plain, _):
        lines = [line for line, _ in dialect.records(plain, shown)]
    return np.array(lines[header:], np.int64)


class _Reading:
    """A text file in UTF-8, on its way to a table."""

    def __init__(self, path: Path, shown: Path | str, options: TextOptions, database: Any) -> None:
        self.path, self.shown, self.options, self.database = path, shown, options, database
        self.lines: list[int] | None = None
        self.header = False
        self.dialect = self._dialect()
        self.delimiter = self.dialect.delimiter

    # ---- How it is cut ----------------------------------------------------------------------------

    def _dialect(self) -> Dialect:
        if self.path.stat().st_size == 0 or not self._begins():
            raise FileError(f"{self.shown} is empty; expected a row of column names, then rows of values.")
        dialect = self._sniffed()
        if dialect is None or dialect.width == 1:
            dialect = self._counted(dialect)
        if dialect.width > MOST_COLUMNS:
            raise FileError(
                f"{self.shown} has {dialect.width:,} columns; expected {MOST_COLUMNS:,} at most. Perhaps "
                "rows and columns are the wrong way round."
            )
        return dialect

    def _begins(self) -> bool:
        with self.path.open("rb") as stream:
            start = stream.read(1 << 20).removeprefix(b"\xef\xbb\xbf")
        longest = max(map(len, start.splitlines()), default=0)
        if longest > (1 << 18) and max(map(start.count, (b",", b";", b"\t", b"|"))) > MOST_COLUMNS:
            raise FileError(
                f"A row of {self.shown}, among the first, has more than {MOST_COLUMNS:,} columns; expected "
                "that many at most. Perhaps rows and columns are the wrong way round."
            )
        return bool(start.strip())

    def _sniffed(self) -> Dialect | None:
        import duckdb

        given = self.options.delimiter
        if given == " ":
            return None
        chosen = "" if given is None else f", delim={literal(given)}"
        query = (
            f"SELECT Delimiter, Quote, Comment, SkipRows, len(Columns), NewLineDelimiter "
            f"FROM sniff_csv({literal(str(self.path))}, all_varchar=true, "
            f"sample_size={_SAMPLE_ROWS}, buffer_size={BUFFER}{chosen})"
        )
        try:
            delimiter, quote, comment, skip, width, line_end = self.database.execute(query).fetchall()[0]
        except duckdb.Error:
            return None
        quote, comment = ("" if mark == "(empty)" else mark for mark in (quote, comment))
        return self._plausible(Dialect(delimiter, quote or '"', comment, skip, width, line_end))

    def _plausible(self, dialect: Dialect) -> Dialect | None:
        """The dialect, unless it leaves out rows, as comments (#N/A, 1) or above rows of another length."""
        cut = replace(dialect, comment="", skip=0)
        above: Counter[int] = Counter()
        below = 0
        with suppress(FileError):
            for (line, record), _ in zip(cut.records(self.path, self.shown), range(500), strict=False):
                if line <= dialect.skip:
                    above[len(record)] += 1
                elif not (dialect.comment and record[0].startswith(dialect.comment)):
                    below += 1
                elif below and len(record) == dialect.width > 1:
                    dialect = replace(dialect, comment="")
        rows = [count for length, count in above.items() if length > 1]
        if above[dialect.width - 1] > 1 or sum(rows) > min(10, below // 2 + 1):
            return None
        return dialect

    def _counted(self, sniffed: Dialect | None) -> Dialect:
        """The delimiter that cuts most of the first rows into equally many cells."""
        best = sniffed or Dialect(self.options.delimiter or ",")
        most = 0
        for delimiter in [self.options.delimiter] if self.options.delimiter else DELIMITERS:
            dialect = replace(best, delimiter=delimiter)
            widths: Counter[int] = Counter()
            with suppress(FileError):
                for (_, record), _ in zip(dialect.records(self.path, self.shown), range(200), strict=False):
                    widths[len(record)] += 1
            if not widths:
                continue
            width, count = widths.most_common(1)[0]
            enough = len(widths) == 1 if delimiter == " " else 2 * count >= widths.total()
            if width > 1 and count > most and enough:
                best, most = replace(dialect, width=width), count
        return best

    # ---- Reading ----------------------------------------------------------------------------------

    def table(self, notes: list[str], rewritten: Path) -> Table:
        """The table; an odd file is written to `rewritten` as DuckDB reads it."""
        import duckdb

        if self.dialect.delimiter == " ":
            self._rewrite(rewritten)
        if self.lines is None:
            with suppress(duckdb.Error):
                return self._table(notes)
            self._rewrite(rewritten)
        try:
            return self._table(notes)
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            raise FileError(f"{self.shown} cannot be read: {reason}") from error

    def _rewrite(self, target: Path) -> None:
        """Write the records as plainly as can be; FileError for rows of other lengths."""
        self.lines, odd = [], list[tuple[int, int]]()
        width = 0
        with target.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n", quoting=csv.QUOTE_ALL)
            for line, record in self.dialect.records(self.path, self.shown):
                width = width or len(record)
                if len(record) != width:
                    odd.append((line, len(record)))
                    if len(odd) >= _MOST_ODD:
                        break
                self.lines.append(line)
                writer.writerow(record)
        if odd:
            self._refuse_lengths(odd, width)
        self.path = target
        self.dialect = Dialect(",", width=width, line_end="\\n")

    def _refuse_lengths(self, odd: list[tuple[int, int]], width: int) -> None:
        shown = ", ".join(f"{line} ({count})" for line, count in odd[:5])
        number = f"{len(odd):,}{' or more' if len(odd) >= _MOST_ODD else ''}"
        raise FileError(
            f"Line {odd[0][0]} of {self.shown} has {odd[0][1]} value(s), but the first row names {width} "
            f"columns. {number} row(s) differ, with line (values): {shown}. Mend them; text that holds a "
            "delimiter goes between double quotes."
        )

    def _table(self, notes: list[str]) -> Table:
        dialect = self.dialect
        query = f"SELECT * FROM {dialect.sql(self.path, False)} LIMIT {_SAMPLE_ROWS}"
        sample = [row for row in self.database.execute(query).fetchall() if any(row)]
        cells, said = self._names(sample)
        names, renamed = unique_names(cells)
        rows = sample[self.header :]

        def read(limit: int | None) -> Understood:
            return self._columns(rows[:limit], names, "" if limit is None else f" LIMIT {limit}")

        known, end = without_end(read)
        columns = {name: known.columns[name] for name in names}
        while (
            len(columns) > 1 and not cells[len(columns) - 1] and _is_empty(columns[names[len(columns) - 1]])
        ):
            del columns[names[len(columns) - 1]]  # a delimiter at the end of each line
        if self.delimiter != ",":
            said.insert(
                0, f"Values are separated by {DELIMITERS.get(self.delimiter, repr(self.delimiter))}."
            )
        notes = [*notes, *said, *renamed, *end, *known.notes()]
        index = counting(names[0], columns[names[0]])
        return Table(columns, self.shown, tuple(notes), index, frozenset(known.truths))

    def _names(self, sample: list[tuple[str | None, ...]]) -> tuple[list[str], list[str]]:
        """The columns' names, "" where one has none, and notes; says whether they are the first record."""
        width, wanted = self.dialect.width, self.options.header
        self.header = wanted if wanted is not None else has_header(sample[:200], self.delimiter)
        above = self._above() if wanted is None and not self.header else None
        said = []
        if self.dialect.comment:
            said.append(f"Left out comments, lines that begin with {self.dialect.comment}.")
        if above is not None:
            return above, said
        if self.dialect.skip:
            said.append(f"Left out {self.dialect.skip} line(s) above the table.")
        if self.header:
            return [(cell or "").strip() for cell in sample[0]], said
        if wanted is None:
            said.append(
                f"No header: the first row looks like the others, so the columns are called 1 to {width} "
                f"(header=True takes the first row for names)."
            )
        return [str(place) for place in range(1, width + 1)], said

    def _above(self) -> list[str] | None:
        """Names in the last line that was left out above the rows: in a comment, or of one cell fewer."""
        comment, width = self.dialect.comment, self.dialect.width
        above: list[str] = []
        with self.path.open(encoding="utf-8-sig", newline="") as stream:
            for number, line in enumerate(stream, 1):
                if comment and line.startswith(comment):
                    above = [line.lstrip(comment + " ")]
                elif number <= self.dialect.skip:
                    above = [line] if line.strip() else above
                else:
                    break
        if not above or width < 2:
            return None
        try:
            cells = next(csv.reader(above, delimiter=self.delimiter, quotechar=self.dialect.quote))
        except (csv.Error, StopIteration):
            return None
        cells = [cell.strip() for cell in cells]
        if len(cells) == width - 1 > 1:
            # R names the rows in a first column without a name; else each line ends with a delimiter.
            return ["", *cells] if self._filled_at_the_end() else [*cells, ""]
        return cells if len(cells) == width else None

    def _filled_at_the_end(self) -> bool:
        records = self.dialect.records(self.path, self.shown)
        return any(record[-1].strip() for (_, record), _ in zip(records, range(200), strict=False))

    def _columns(self, sample: Sequence[Sequence[str | None]], names: list[str], limit: str) -> Understood:
        """The columns, read as what a sample says, and as text where one then holds something else."""
        import duckdb

        by_place = dict(zip(self.dialect.places, names, strict=True))
        texts = {
            place: [*dict.fromkeys(row[i] or "" for row in sample)] for i, place in enumerate(by_place)
        }
        known, text = Understood(), dict[str, TextColumn]()
        pending = meanings(texts, self.delimiter, self.options.decimal)
        missing = {place: [*filter(is_missing, texts[place])] for place in pending}
        types = self._types({place: one for place, one in pending.items() if not any(missing[place])})
        gaps = {place for place in pending if missing[place] and place not in types}
        while pending:
            try:
                self._fill(pending, types, gaps, limit)
            except duckdb.ConversionException:
                if not types:
                    raise
                types, gaps = {}, {*pending}
                continue
            failed = {}
            for place, meaning in pending.items():
                name = by_place[place]
                if meaning.kind == TEXT:
                    text[name] = self._text(place, name)
                    continue
                values = arrays(self.database, f"SELECT {place} FROM rows")[place]
                rest = self._rest(place) if place in gaps else {}
                if not all(map(is_missing, rest)):
                    failed[place] = AS_NUMBER if meaning.kind == WHOLE else AS_TEXT
                elif place not in types and place not in gaps and np.ma.getmaskarray(values).any():
                    failed[place] = meaning
                else:
                    known.add(name, filled(values), meaning)
                    known.missing.update(rest)
            pending, gaps = failed, {*failed}
        self.database.execute("DROP TABLE rows")
        known.update(understood(text, self.database, self.delimiter, self.options.decimal))
        return known

    def _types(self, columns: Mapping[str, Meaning]) -> dict[str, str]:
        """DuckDB's own types, which are faster, of the columns for which they say the same."""
        types = {place: meaning.type for place, meaning in columns.items() if meaning.type}
        cut = self.dialect
        if "DOUBLE" in types.values() and may_hold_odd_numbers(self.path, cut.delimiter, cut.quote):
            return {place: kind for place, kind in types.items() if kind != "DOUBLE"}
        return types

    def _fill(
        self, columns: Mapping[str, Meaning], types: Mapping[str, str], gaps: Collection[str], limit: str
    ) -> None:
        """Read the columns into the table `rows`, and the texts without a value of those with `gaps`."""
        selected = []
        for place, meaning in columns.items():
            value = place if place in types else meaning.sql(place)
            selected.append(f"{value} AS {place}")
            if place in gaps and meaning.kind != TEXT:
                selected.append(f"CASE WHEN {value} IS NULL THEN {place} END AS rest_{place}")
        some = " OR ".join(f"{place} IS NOT NULL" for place in self.dialect.places)
        source = self.dialect.sql(self.path, self.header, types)
        self.database.execute(
            f"CREATE OR REPLACE TABLE rows AS SELECT {', '.join(selected)} "
            f"FROM (FROM {source} WHERE {some}{limit})"
        )

    def _rest(self, place: str) -> dict[str, int]:
        """The texts, not empty, of cells without a value, and how often each is there."""
        query = f"SELECT trim(rest_{place}) AS word, count(*) FROM rows WHERE word <> '' GROUP BY word"
        return dict(self.database.execute(query).fetchall())

    def _text(self, place: str, name: str) -> TextColumn:
        column = text_column(self.database, "rows", place)
        longest = max(map(len, column.categories), default=0)
        if longest > LONGEST_TEXT:
            code = next(i for i, text in enumerate(column.categories) if len(text) == longest)
            row = int(np.argmax(column.codes == code)) + self.header
            line = next(
                line for i, (line, _) in enumerate(self.dialect.records(self.path, self.shown)) if i == row
            )
            raise FileError(
                f"Column {name!r} of {self.shown} holds a text of {longest:,} characters in the row that "
                f"begins on line {line}; expected {LONGEST_TEXT:,} at most. Look for a double quote that "
                "is not closed."
            )
        return column


def _is_empty(column: Column) -> bool:
    if isinstance(column, TextColumn):
        return bool(np.all(column.codes < 0))
    return column.dtype.kind == "f" and bool(np.isnan(column).all())
