"""How a text file is cut into records, by DuckDB and by Python's reader."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from glassnet.data.tables.reading.meaning import literal
from glassnet.errors import FileError

LONGEST_TEXT = 100_000
"""The most characters of a cell: more is no table, or a quote that is not closed."""

BUFFER = 4 << 20
"""Bytes that DuckDB reads at once, and the longest line that it takes."""

Records = Iterator[tuple[int, list[str]]]
"""The cells of each record, with the line on which it begins."""


@dataclass(frozen=True)
class Dialect:
    """How a text file is cut into records."""

    delimiter: str
    quote: str = '"'
    comment: str = ""
    skip: int = 0
    width: int = 1
    line_end: str = ""

    @property
    def places(self) -> list[str]:
        """The columns' names in SQL."""
        return [f"c{place}" for place in range(self.width)]

    def sql(self, path: Path, header: bool, types: Mapping[str, str] | None = None) -> str:
        """The file as DuckDB reads it, as columns of text but for those that have a type."""
        columns = ", ".join(f"{place}: '{(types or {}).get(place, 'VARCHAR')}'" for place in self.places)
        return (
            f"read_csv({literal(str(path))}, auto_detect=false, columns={{{columns}}}, "
            f"delim={literal(self.delimiter)}, quote={literal(self.quote)}, escape={literal(self.quote)}, "
            f"comment={literal(self.comment)}, skip={self.skip}, header={str(header).lower()}, "
            f"max_line_size={BUFFER}, buffer_size={BUFFER}"
            f"{self.line_end and f', new_line={literal(self.line_end)}'})"
        )

    def records(self, path: Path, shown: object) -> Records:
        """The records that are not empty, by Python's reader; FileError for a quote that is not closed."""
        pulled: list[int] = []
        line = ""

        def lines() -> Iterator[str]:
            nonlocal line
            with path.open(encoding="utf-8-sig", newline="") as stream:
                for number, line in enumerate(stream, 1):
                    if number <= self.skip or (self.comment and line.startswith(self.comment)):
                        continue
                    pulled.append(number)
                    yield " ".join(line.split()) + "\n" if self.delimiter == " " else line

        reader = csv.reader(
            lines(), delimiter=self.delimiter, quotechar=self.quote, skipinitialspace=True, strict=True
        )
        try:
            for record in reader:
                if any(map(str.strip, record)):
                    yield pulled[0], record
                pulled.clear()
        except csv.Error as error:
            lengths = [*map(len, line.split(self.delimiter))]
            if max(lengths, default=0) > LONGEST_TEXT:
                place = lengths.index(max(lengths))
                raise FileError(
                    f"Line {pulled[-1]} of {shown} has a text of {lengths[place]:,} characters in column "
                    f"{place + 1}; expected {LONGEST_TEXT:,} at most."
                ) from error
            raise FileError(
                f"The row of {shown} that begins on line {pulled[0]} cannot be read: {error}. Look for a "
                "double quote that is not closed; inside quotes, one is written twice."
            ) from error
