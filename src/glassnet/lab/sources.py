"""Where a session's data come from: a built-in set, points drawn by hand, a table dropped on the page."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.generators import GENERATORS
from glassnet.data.tables.prepare import prepare_table
from glassnet.data.tables.reading.read import read_table
from glassnet.data.tables.table import Table
from glassnet.errors import InputError, unknown_name
from glassnet.experiments import LoadedExperiment, built_in, load_experiment
from glassnet.lab.study import Data, Study, as_data, first_network
from glassnet.nn.network import Network
from glassnet.optim import Adam

HELD_OUT = "test_fraction"
TEXT_ENDINGS = ("csv", "tsv", "txt", "data", "json", "jsonl")
"""Files of tables that a page opens, as it sends text."""
MOST_SAMPLES, MOST_NUMBERS = 100_000, 5_000_000
"""Samples, and numbers of X, up to which a page opens data; `gn.lab` takes larger arrays."""


def sets() -> dict[str, dict[str, Any]]:
    """The built-in sets by name, with their settings: default, lowest, highest, and whether it is whole."""
    return {
        name: {
            setting: {**known._asdict(), "whole": known.is_whole}
            for setting, known in GENERATORS[name].settings.items()
        }
        for name in built_in()
    }


def study_of_set(
    name: str,
    settings: Mapping[str, Any] | None = None,
    seed: int | None = None,
    held_out: float | None = None,
) -> Study:
    """The built-in experiment of a name: ``glassnet train NAME`` has the same bits.

    `settings` are those of its data, such as ``{"noise": 0.3}``; `seed` and the share `held_out` take the
    place of its own. Raises InputError for an unknown name or setting, and a value out of range.
    """
    if name not in built_in():
        raise unknown_name("set", name, built_in())
    source: dict[str, Any] = {"set": name}
    changes: dict[str, Any] = {}
    for key, value in (settings or {}).items():
        known = GENERATORS[name].settings.get(key)
        whole = known is not None and known.is_whole and isinstance(value, float) and value == int(value)
        changes[f"data.{key}"] = source[key] = int(value) if whole else value
    if seed is not None:
        changes["random_state"] = source["seed"] = seed
    if held_out is not None:
        source["held_out"] = held_out
        changes[f"data.{HELD_OUT}"] = held_out
    _check_size(name, settings or {})
    loaded = load_experiment(name, changes)
    share = loaded.experiment[f"data.{HELD_OUT}"] or 0.0
    source = {**{key: value for key, value in loaded.data.items() if key != HELD_OUT}, **source}
    source |= {"seed": loaded.experiment["random_state"], "held_out": float(share)}
    return study_of_experiment(loaded, source)


def study_of_experiment(loaded: LoadedExperiment, source: Mapping[str, Any] | None = None) -> Study:
    """An experiment's data, network and settings; `source` is that of a built-in one's data."""
    test = (loaded.X_test, loaded.y_test) if len(loaded.X_test) else None
    data = as_data(
        loaded.X,
        loaded.y,
        loaded.title,
        loaded.feature_names,
        loaded.class_names,
        loaded.target_names[0],
        source,
    )
    data = replace(data, held_out=test)
    arguments = loaded.settings
    iterations = arguments.pop("iterations")
    if test is not None and arguments.get("validation") is None:
        arguments["validation"] = test
    return Study(data, loaded.network, arguments, iterations, own=source is not None)


def _check_size(name: str, settings: Mapping[str, Any]) -> None:
    """Raise InputError for more samples, or more numbers, than a page can draw."""
    for key, value in settings.items():
        if isinstance(value, (int, float)) and not abs(value) <= MOST_SAMPLES:
            raise InputError(f"{key} is {value}; the lab takes up to {MOST_SAMPLES:,}.")
    known = {key: setting.default for key, setting in GENERATORS[name].settings.items()} | dict(settings)
    inputs, _ = GENERATORS[name].width(settings)
    if known["n_samples"] * inputs > MOST_NUMBERS:
        raise InputError(
            f"{int(known['n_samples']):,} samples of {inputs:,} inputs are too many numbers; the lab takes "
            f"up to {MOST_NUMBERS:,}."
        )


def study_of_points(points: Sequence[Sequence[float]]) -> Study:
    """Points drawn by hand, each of them x, y and a class number, and a network for them."""
    rows = np.array(points, np.float64).reshape(-1, 3)
    numbers = rows[:, 2].astype(np.int64)
    count = max(int(numbers.max(initial=1)) + 1, 2)
    source = {"points": rows.tolist()}
    data = Data(
        np.ascontiguousarray(rows[:, :2]),
        numbers,
        "Drawn points",
        ("x₁", "x₂"),
        tuple(str(k) for k in range(count)),
        source=source,
    )
    return Study(data, first_network(data), {"optimizer": Adam(0.03), "random_state": 0})


def study_of_text(name: str, text: str, target: str | None = None, held_out: float = 0.25) -> Study:
    """`study_of_table` of the text of a file; InputError for one that cannot be read or learned."""
    ending = re.sub(r"[^a-z]", "", Path(name).suffix.lower()[:8]) or "csv"
    if ending not in TEXT_ENDINGS:
        raise InputError(
            f"The page reads tables of text (.csv, .tsv, .txt, .json, .jsonl), not .{ending}: open other "
            f"files in Python, gn.lab(gn.read_table(path), target)."
        )
    shown = Path(name).name[:60]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"table.{ending}")
        path.write_text(text, "utf-8")
        try:
            # While the file is there: a table looks up the lines of its rows in it.
            table = replace(read_table(path), source=shown)
            return study_of_table(table, name, target, held_out, text)
        except InputError as error:
            raise InputError(str(error).replace(str(path), shown)) from None


def study_of_table(
    table: Table, name: str, target: str | None = None, held_out: float = 0.25, text: str = ""
) -> Study:
    """A table with the column to predict, by default its last one, and a network for it.

    Its `text` lets the page choose another column and a lesson hold the table; without it a lesson holds X
    and y.
    """
    target = table.names[-1] if target is None else target
    prepared = prepare_table(table, target, test_fraction=held_out)
    learned = prepared.preprocessing
    classes = None if learned.classes is None else tuple(str(label) for label in learned.classes)
    source: dict[str, Any] = {}
    if text:
        source = {"table": name, "text": text, "target": target, "held_out": held_out}
        source["columns"] = list(table.names)
    data = Data(
        prepared.X_train,
        prepared.y_train,
        name,
        tuple(learned.inputs),
        classes or (),
        target,
        source,
        (prepared.X_test, prepared.y_test) if len(prepared.split.test) else None,
        tuple(prepared.notes),
    )
    network = Network((data.n_inputs, 8, prepared.n_outputs), hidden="tanh", output=prepared.output)
    settings: dict[str, Any] = {"optimizer": Adam(0.01), "random_state": 0}
    if data.held_out is not None:
        settings["validation"] = data.held_out
    return Study(data, network, settings)
