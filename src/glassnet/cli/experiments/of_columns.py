"""What an experiment's settings say of the columns of its table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glassnet.cli.commas import names_between_commas
from glassnet.cli.experiments.schema import COLUMN_KEYS
from glassnet.cli.experiments.settings import Experiment

SPLIT_KEYS = ("time", "test_after", "group", "split")
"""The keys of [data] that say how rows are held out."""


def columns_of(experiment: Experiment) -> dict[str, Any]:
    """What the settings say of a table's columns, as `prepare_table` takes it."""
    values = {key: experiment[f"data.{key}"] for key in COLUMN_KEYS}
    return {key: value for key, value in values.items() if value is not None}


def target_of(experiment: Experiment, names: Sequence[str]) -> str | tuple[str, ...]:
    """The target's column, or several of them: at the command line they are between commas."""
    target: Any = experiment["data.target"]
    if isinstance(target, str) and target not in names and "," in target:
        target = names_between_commas(target)
    return target if isinstance(target, str) else tuple(target)
