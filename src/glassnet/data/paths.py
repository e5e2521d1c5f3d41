"""Paths as people give them, and what the names of folders tell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from glassnet.data.tables import as_option
from glassnet.errors import FileError, InputError
from glassnet.utils.paths import as_path

Paths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

_OTHERS = {
    ".npy": "Map the array, X = np.load({!r}, mmap_mode='r'), and give that",
    ".npz": "Load an array of it, X = np.load({!r})[NAME], and give that",
    ".csv": "Only Parquet is read in parts: write the table as such, for instance with "
    "pandas.read_csv({!r}).to_parquet(...), or let glassnet train take it into memory",
}
"""Endings of files that people have, and what to do with them."""


def are_paths(X: object) -> bool:
    """Whether X is a path, or a list of paths."""
    several = X if isinstance(X, (list, tuple)) and X else [X]
    return all(isinstance(one, (str, os.PathLike)) for one in several)


def each_path(paths: Paths) -> Iterator[Path]:
    """One path or several, each of which is there; FileError for what is not, or of another format."""
    for one in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        path = as_path(one, "X")
        other = _OTHERS.get(path.suffix.lower())
        if other is not None and not path.is_dir():
            raise FileError(f"{path} is not a Parquet file. {other.format(str(path))}.")
        if not path.exists():
            hint = ""
            if any(mark in str(path) for mark in "*?["):
                hint = " Patterns are not filled in: give the folder, or a list, sorted(glob.glob(...))."
            raise FileError(f"There is no file or folder {path}, looked for from {Path.cwd()}.{hint}")
        yield path


def in_words(paths: Paths) -> str:
    """What was given, for a sentence."""
    if isinstance(paths, (str, os.PathLike)):
        return os.fspath(paths)
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{os.fspath(paths[0])}{more}"


def folder_keys(paths: Paths, files: Sequence[Path], names: Sequence[str]) -> dict[str, str]:
    """The columns that names of folders alone tell, as year=2024 does, each with such a name.

    `names` are the files' own columns.
    """
    found: dict[str, str] = {}
    for top in [paths] if isinstance(paths, (str, os.PathLike)) else paths:
        for file in files:
            for part in file.relative_to(top).parts[:-1] if file.is_relative_to(top) else ():
                key, equals, _ = part.partition("=")
                if key and equals and key not in names:
                    found.setdefault(key, part)
    return found


def refuse_keys(keys: dict[str, str], asked: Sequence[str], all_others: bool) -> None:
    """Raise InputError where one of `keys`, from `folder_keys`, is wanted.

    `asked` are names that the files' columns lack; `all_others`: whatever there is, is wanted.
    """
    for key, folder in keys.items():
        if key in asked or all_others:
            option = as_option(key)
            without = f" To do without, name the features, features=[...], or give --ignore {option}."
            without = "" if key in asked else without
            raise InputError(
                f"The column {key!r} is in the names of folders alone, such as {folder}, and is not read: "
                f"write files that hold it, for instance with pandas.read_parquet(...).to_parquet(...)."
                f"{without}"
            )
