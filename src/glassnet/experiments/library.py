"""Floor 9: where experiments come from: built in, a TOML file, or a table."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from glassnet.errors import InputError, unknown_name
from glassnet.experiments.settings import Experiment, Override, experiment_from, read_toml
from glassnet.files import as_path
from glassnet.sources import read_table
from glassnet.streams.parquet import ENDINGS, parquet_header

SETTINGS = "experiment.toml"
"""The file of settings in a folder of results."""


def built_in() -> dict[str, str]:
    """The text of every built-in experiment, by name.

    >>> from glassnet.experiments import built_in
    >>> sorted(built_in())
    ['circles']
    """
    folder = resources.files(__package__)
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".toml")]
    return {entry.name.removesuffix(".toml"): entry.read_text("utf-8") for entry in files}


def find_experiment(what: str, overrides: Mapping[str, Override] | None = None) -> Experiment:
    """The built-in experiment of that name, or what a .toml file says, or a table to learn from, which may
    be a folder of Parquet files.

    `overrides` are laid over its settings: by dotted key, such as "train.iterations".

    Raises FileError for a file that cannot be read, InputError and InputTypeError for settings that
    cannot be used, for a name that nothing has, and for a table without a target.

    >>> from glassnet.experiments import find_experiment
    >>> circles = find_experiment("circles")
    >>> circles["train.iterations"], circles.optimizer()
    (50000, SGD(learning_rate=0.0001, momentum=0.5))
    """
    path = as_path(what, "the experiment")
    texts = built_in()
    if what in texts:
        import tomllib

        return experiment_from(tomllib.loads(texts[what]), what, f"{what}.toml", Path(), overrides)
    if path.is_dir() and ((path / SETTINGS).exists() or not _holds_parquet(path)):
        path /= SETTINGS  # a folder of results holds its settings
    suffix = path.suffix.lower()
    if suffix == ".toml":
        return experiment_from(read_toml(path), path.stem, str(path), path.parent, overrides)
    # What has an ending was meant as a file: reading it says why it cannot be one.
    if suffix or path.exists():
        return _table_experiment(path, dict(overrides or {}))
    error = unknown_name("experiment", what, texts)
    raise InputError(f"{error} Or give a file: an experiment (.toml) or a table (.csv, .parquet).")


def _holds_parquet(folder: Path) -> bool:
    return any(file.suffix.lower() in ENDINGS for file in folder.rglob("*"))


def _table_experiment(path: Path, overrides: dict[str, Override]) -> Experiment:
    if "data.target" not in overrides:
        parquet = path.is_dir() or path.suffix.lower() in ENDINGS
        names = parquet_header(path)[0].names if parquet else read_table(path).names
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise InputError(
            f"{path} is a table: say which column to predict, with --target COLUMN. It has: {shown}."
        )
    document: dict[str, Any] = {"data": {"file": str(path)}}
    return experiment_from(document, path.stem, str(path), Path(), overrides)


def parse_assignment(text: str) -> tuple[str, Override]:
    """``"train.momentum=0.5"`` as a dotted key and its value; what is no TOML value is taken as text.

    >>> from glassnet.experiments import parse_assignment
    >>> parse_assignment("train.momentum=0.5")
    ('train.momentum', Override(value=0.5, origin='--set train.momentum'))
    """
    import tomllib

    key, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not key:
        raise InputError(f"--set {text!r} is not KEY=VALUE; expected, for instance, train.momentum=0.5.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
    return key, Override(parsed, f"--set {key}")
