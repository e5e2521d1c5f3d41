"""One door for tables: files, frames, and columns in memory."""

from __future__ import annotations

import os

from glassnet.data.tables.frames import from_frame
from glassnet.data.tables.parquet_files import ENDINGS, read_parquet
from glassnet.data.tables.table import Table
from glassnet.data.tables.text_files import read_text
from glassnet.errors import InputError
from glassnet.utils.paths import as_path


def read_table(source: object) -> Table:
    """Read a table: a CSV or (.parquet, .pq) Parquet file, or a dict of columns.

    A CSV begins with a row of names and is in UTF-8, with or without a byte-order mark; commas,
    semicolons or tabs separate its values, whichever cut the first two rows into equally many; blank
    lines are skipped. Numbers have decimal points. A column without a name is called "unnamed 1", by
    its place.

    Raises FileError for a file that is missing, unreadable or no table, naming the line of a row
    that is too long or too short, and InputError for names that repeat, for no rows, and where
    Parquet needs a library that is not installed.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import glassnet as gn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "iris.csv")
    ...     _ = path.write_text("width,species\\n0.2,setosa\\n1.4,versicolor\\n")
    ...     table = gn.read_table(path)
    >>> table.names, table["width"].tolist(), table["species"].texts().tolist()
    (('width', 'species'), [0.2, 1.4], ['setosa', 'versicolor'])

    Unlike pandas, this keeps a first column without a name, as ``DataFrame.to_csv`` writes the index; where
    that counts the rows, ``index`` names it. Text in a column of numbers is a missing value only if it is
    a word such as NA.
    """
    if not isinstance(source, (str, os.PathLike)):
        return from_frame(source)
    path = as_path(source)
    table = read_parquet(path) if path.suffix.lower() in ENDINGS else read_text(path)
    if table.n_rows == 0:
        raise InputError(f"{path} has names of columns, but no rows; expected at least one.")
    return table
