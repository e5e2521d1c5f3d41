"""Where experiments come from: built in, a TOML file, or a table; and how TOML is written."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from glassnet.data.parquet import parquet_header
from glassnet.data.tables import read_table
from glassnet.data.tables.parquet_files import ENDINGS
from glassnet.errors import FileError, InputError, nearest_name
from glassnet.experiments.schema import READING_KEYS
from glassnet.experiments.settings import Experiment, Override, experiment_from
from glassnet.utils.paths import as_path, is_pattern, read_bytes, require_there

SETTINGS = "experiment.toml"
"""The file of settings in a folder of results."""


def built_in() -> dict[str, str]:
    """The text of every built-in experiment, by name.

    >>> from glassnet.experiments import built_in
    >>> sorted(built_in())
    ['blobs', 'checkerboard', 'circles', 'digits', 'iris', 'moons', 'parity', 'sine', 'spirals', 'xor']
    """
    folder = resources.files(__package__) / "built_in"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda e: e.name
    )
    return {entry.name.removesuffix(".toml"): entry.read_text("utf-8") for entry in files}


def find_experiment(name: str, overrides: Mapping[str, Override] | None = None) -> Experiment:
    """The built-in experiment of a name, a .toml file's, or one that learns from a table.

    A table is a .csv or .parquet file or a folder of Parquet files. `overrides` are laid over the settings,
    by dotted key such as "train.iterations".

    Raises FileError for a file that cannot be read, InputError and InputTypeError for settings that
    cannot be used, for an unknown name, and for a table without a target.

    >>> from glassnet.experiments import find_experiment
    >>> circles = find_experiment("circles")
    >>> circles["train.iterations"], circles.optimizer()
    (50000, SGD(learning_rate=0.0001, momentum=0.5))
    """
    path, overrides = as_path(name, "the experiment"), overrides or {}
    texts = built_in()
    if name in texts and not (_TARGET in overrides and path.exists()):  # a table of that name
        return experiment_from(tomllib.loads(texts[name]), name, f"{name}.toml", Path(), overrides)
    if path.is_dir():
        if (path / SETTINGS).exists():
            path /= SETTINGS  # a folder of results holds its settings
        elif not any(file.suffix.lower() in ENDINGS for file in path.rglob("*")):
            raise FileError(
                f"{path} holds no Parquet file, nor the {SETTINGS} of a folder of results; expected files "
                f"that end in {' or '.join(ENDINGS)}. A CSV file is given by its own name."
            )
    suffix = path.suffix.lower()
    if suffix == ".toml":
        given = _from_here(overrides)
        experiment = experiment_from(read_toml(path), path.stem, str(path), path.parent, given)
        _require_table(experiment)
        return experiment
    if name == "-":
        return _table_experiment(path, overrides, "stdin")
    if is_pattern(path):
        return _table_experiment(path, overrides, re.sub(r"[\[\]*?]+", "", path.stem) or "tables")
    # A name with an ending means a file: reading it says why it cannot be one.
    if suffix or path.exists():
        return _table_experiment(path, overrides)
    near = nearest_name(name, [*texts, *_beside(path)])
    hint = "" if near is None else f" Did you mean {near!r}?"
    raise InputError(
        f"Unknown experiment {name!r}.{hint} Choose one of: {', '.join(texts)}. Or a file or a folder: "
        f"an experiment (.toml), a table (.csv, .parquet, or a folder of Parquet files), or a folder of "
        f"results."
    )


def _beside(path: Path) -> list[str]:
    """The folders, experiments and tables that lie where `path` would."""
    try:
        entries = sorted(path.parent.iterdir())
    except OSError:
        return []
    endings = (".toml", ".csv", *ENDINGS)
    return [str(entry) for entry in entries if entry.suffix.lower() in endings or entry.is_dir()]


_FILE, _TARGET = "data.file", "data.target"


def _from_here(overrides: Mapping[str, Override]) -> Mapping[str, Override]:
    """The overrides, a table's path among them from the current folder, if one is there."""
    given = overrides.get(_FILE)
    if given is not None and isinstance(given.value, str) and Path(given.value).exists():
        return {**overrides, _FILE: given._replace(value=str(Path(given.value).absolute()))}
    return overrides


def _require_table(experiment: Experiment) -> None:
    """Raise FileError, with what to write instead, where the table of a file of settings is not there."""
    file = experiment[_FILE]
    path = experiment.folder / (file or "-")
    if file in (None, "", "-") or path.exists() or is_pattern(path):
        return
    folders = (Path(), experiment.folder, *experiment.folder.absolute().parents[:3])
    found = next((folder / path.name for folder in folders if (folder / path.name).exists()), None)
    mend = "Put the table there, or say where it is" if found is None else f"There is {found}"
    raise FileError(
        f"{experiment.where(_FILE)} is {file!r}, and there is no {Path(os.path.normpath(path))}. {mend}: "
        f"--set {_FILE}={found or 'PATH'}, or write its path, from where {experiment.source} lies, into "
        f"that file."
    )


def _table_experiment(path: Path, overrides: Mapping[str, Override], name: str = "") -> Experiment:
    if _TARGET not in overrides:
        parquet = path.is_dir() or path.suffix.lower() in ENDINGS
        table = parquet_header(path)[0] if parquet else read_table(path, **_reading(overrides))
        names = [name for name in table.names if name not in table.index]
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise InputError(
            f"{path} is a table: say which column to predict, with --target COLUMN. It has: {shown}."
        )
    if not name:
        require_there(path)
    document: dict[str, Any] = {"data": {"file": str(path)}}
    return experiment_from(document, name or path.stem, str(path), Path(), overrides, automatic=True)


def _reading(overrides: Mapping[str, Override]) -> dict[str, Any]:
    """The settings of `read_table` among the overrides."""
    known = {key: overrides.get(f"data.{key}") for key in READING_KEYS}
    return {key: override.value for key, override in known.items() if override is not None}


def read_toml(path: Path) -> dict[str, Any]:
    """The settings in a file; raises FileError where it cannot be read as TOML."""
    data = read_bytes(path)
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise FileError(f"{path} is not text in UTF-8. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise FileError(f"{path} is not valid TOML: {error}. See https://toml.io.") from error


def parse_assignment(text: str) -> tuple[str, Override]:
    """``"train.momentum=0.5"`` as a dotted key and its value, in TOML or as text.

    >>> from glassnet.experiments import parse_assignment
    >>> parse_assignment("train.momentum=0.5")
    ('train.momentum', Override(value=0.5, origin='--set train.momentum'))
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise InputError(f"--set {text!r} is not KEY=VALUE; expected, for instance, train.momentum=0.5.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError as error:
        if value.startswith(("[", "{")):
            raise InputError(
                f"--set {text!r} has no list or table that can be read: {error}. Put quotes around "
                f"all of it where it has blanks: --set 'KEY=[0.1, 0.2]'."
            ) from error
        parsed = value
    return key, Override(parsed, f"--set {key}")


def to_toml(document: Mapping[str, Any], comment: str = "") -> str:
    """A document of text, numbers, truth values, lists and sections as TOML that reads back equal.

    >>> from glassnet.experiments.library import to_toml
    >>> print(to_toml({"name": "moons", "train": {"iterations": 10, "momentum": 0.5}}), end="")
    name = "moons"
    <BLANKLINE>
    [train]
    iterations = 10
    momentum = 0.5
    """
    lines = [f"# {line}".rstrip() for line in comment.splitlines()]
    lines += [""] if lines else []
    lines += _section(document, ())
    return "\n".join(lines).strip("\n") + "\n"


def _section(content: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    values = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    sections = {key: value for key, value in content.items() if isinstance(value, Mapping)}
    lines = [f"{_key(key)} = {_value(value)}" for key, value in values.items()]
    if path and (lines or not sections):
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in sections.items():
        lines += _section(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(text: str) -> str:
    # A TOML string is a JSON string, save that it must also escape DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_key(key)} = {_value(one)}' for key, one in value.items())}}}"
    return repr(value)
