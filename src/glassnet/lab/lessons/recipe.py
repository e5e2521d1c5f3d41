"""What a session learns as plain values, which a lesson holds, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import RandomState

from glassnet.errors import InputError, InputTypeError
from glassnet.lab.sources import study_of_points, study_of_set, study_of_text
from glassnet.lab.study import Data, Study, as_data, check_sizes, first_network
from glassnet.nn.network import Network, Parameters
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.settings import NAMES
from glassnet.training.steppers import rule_from_dict
from glassnet.utils.settings_checks import Settings

MOST_NUMBERS = 200_000
"""Numbers of X that a lesson holds itself."""

FROM_DATA = ("validation", "iterations", "engine", "threads")
"""Settings that come with the data, or with the machine."""


def recipe_of(study: Study) -> dict[str, Any]:
    """A study as plain values, from which `study_of` makes one with the same bits.

    Raises InputError for data too large to be written down, and for settings that only Python can hold.
    """
    recipe: dict[str, Any] = {"data": plain_data(study.data)}
    base = base_study(recipe["data"])
    if study.own:
        return recipe
    if not same_network(study.network, base.network):
        recipe["network"] = {
            "sizes": list(study.network.sizes),
            "hidden": [record.name for record in study.network.hidden],
            "output": study.network.output.name,
            "loss": study.network.loss.to_plain(),
        }
    ours, theirs = plain_settings(study.settings), plain_settings(base.settings)
    recipe["training"] = {name: value for name, value in ours.items() if theirs.get(name) != value}
    return recipe


def study_of(recipe: Mapping[str, Any], iterations: int) -> Study:
    """The study of a recipe; InputError and InputTypeError where it cannot be followed."""
    study = base_study(recipe["data"])
    if "network" in recipe:
        known = recipe["network"]
        check_sizes(known["sizes"])  # which may be anybody's
        network = Network(known["sizes"], known["hidden"], known["output"], known.get("loss"))
        study = study.with_network(network)
    settings = dict(recipe.get("training", {}))
    for name in settings:
        if name not in NAMES or name in FROM_DATA[1:]:
            raise InputError(f"Training has no setting {name!r} in a lesson.")
    if "optimizer" in settings:
        settings["optimizer"] = rule_from_dict(settings["optimizer"])
    if "stopping" in settings:
        settings["stopping"] = EarlyStopping(**settings["stopping"])
    if "parameters" in settings:
        settings["parameters"] = Parameters(study.network.sizes, np.array(settings["parameters"]))
    elif "random_state" in settings:
        study = study.restarted()
    if settings:
        study = study.with_settings(**settings)
    return replace(study, iterations=iterations)


def plain_data(data: Data) -> dict[str, Any]:
    """Where data come from, or the data themselves; InputError where they are too large for a lesson."""
    if data.source:
        return dict(data.source)
    if data.X.size > MOST_NUMBERS:
        raise InputError(
            f"These data have {data.X.size:,} numbers; a lesson holds up to {MOST_NUMBERS:,} that come "
            f"from Python. Open fewer rows, or a table from the page."
        )
    plain = {
        "name": data.name,
        "X": data.X.tolist(),
        "y": data.y.tolist(),
        "features": list(data.features),
        "target": data.target,
    }
    return plain | ({"classes": list(data.classes)} if data.classes else {})


def base_study(known: Mapping[str, Any]) -> Study:
    """The study of data alone, with the network and the settings that come with them."""
    known = dict(known)
    changed = known.pop("changed", [])
    if "set" in known:
        name, seed, held_out = known.pop("set"), known.pop("seed", None), known.pop("held_out", None)
        study = study_of_set(name, known, seed, held_out)
    elif "points" in known:
        study = study_of_points(known["points"])
    elif "table" in known:
        study = study_of_text(known["table"], known["text"], known["target"], known.get("held_out", 0.25))
    elif "X" in known:
        given = [known.get(key) for key in ("name", "features", "classes")]
        data = as_data(known["X"], known["y"], given[0] or "Data", given[1], given[2], known["target"])
        data = replace(data, classes=tuple(given[2] or ()))
        study = Study(data, first_network(data), {"random_state": 0})
    else:
        raise InputError("A lesson's data are a set, points, a table, or X and y.")
    return replace(study, data=with_changes(study.data, changed), own=study.own and not changed)


def with_changes(data: Data, changed: Sequence[Sequence[Any]]) -> Data:
    """The data as they were changed by hand, in order; where they have a source, it says so."""
    X, y = data.X, data.y
    for what, entry in changed:
        if what == "added":
            X = np.concatenate([X, np.array([entry[:-1]], X.dtype)])
            y = np.append(y, y.dtype.type(entry[-1]))
        elif what == "erased":
            X, y = np.delete(X, int(entry), axis=0), np.delete(y, int(entry), axis=0)
        elif what == "labels":
            y = y.copy()
            y[int(entry[0])] = entry[1]
        else:
            raise InputError(f"Data cannot be changed by {what!r}; expected added, erased or labels.")
    source = dict(data.source)
    if source and changed:
        source["changed"] = [*source.get("changed", ()), *map(list, changed)]
    return replace(data, X=X, y=y, source=source)


def same_network(one: Network, other: Network) -> bool:
    """Whether two networks compute the same, whatever their parameters."""
    return one.sizes == other.sizes and (one.hidden, one.output, one.loss) == (
        other.hidden,
        other.output,
        other.loss,
    )


def plain_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as a lesson holds them; a stream of random numbers stays the data's own."""
    plain: dict[str, Any] = {}
    for name, value in settings.items():
        if (name == "validation" and isinstance(value, tuple)) or name in FROM_DATA[1:]:
            continue
        if value is None or isinstance(value, RandomState) or value == ():
            continue
        if name == "optimizer" and not isinstance(value, str):
            value = value.to_dict()
        elif name == "parameters":
            value = np.asarray(getattr(value, "flat", value)).tolist()
        elif isinstance(value, Settings):
            value = {key: entry for key, entry in value.settings().items() if entry is not None}
        elif isinstance(value, np.ndarray):
            value = value.tolist()
        elif isinstance(value, tuple):
            value = list(value)
        elif name == "dtype":
            value = np.dtype(value).name
        elif name == "optimizer":
            value = {"name": value}
        if not _is_plain(value):
            raise InputTypeError(f"A lesson cannot hold {name}={value!r:.60}: only Python can.")
        plain[name] = value
    return plain


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(entry) for key, entry in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return isinstance(value, (bool, int, float, str))
