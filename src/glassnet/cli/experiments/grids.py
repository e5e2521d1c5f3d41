"""[sweep.NAME]: lists of settings to try, and how, as the arguments of `sweep`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from glassnet.cli.experiments.schema import (
    NAME_OR_SETTINGS,
    NUMBER,
    RATE,
    SECTIONS,
    SWEEP,
    TEXT,
    TEXT_OR_TEXTS,
    TRUTH,
    WHOLE,
    WHOLES,
    Kind,
    optimizer_keys,
    what,
)
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.model_selection.settings import TRAINING as SETTINGS
from glassnet.model_selection.time_folds import PurgedKFold, WalkForward
from glassnet.optim.schedules import schedule_from_dict
from glassnet.training.steppers import RULES

NETWORK = {"hidden": WHOLES, "activation": TEXT_OR_TEXTS, "loss": NAME_OR_SETTINGS}
"""What changes the network; `hidden` holds the widths of the hidden layers."""

TRAINING = tuple(name for name in SETTINGS if name not in ("iterations", "random_state"))
"""Keys of [train] that a grid may hold lists of, beside the optimizer's settings."""

HOW: dict[str, Kind] = {
    "iterations": WHOLE,
    "n_draws": WHOLE,
    "seeds": Kind(
        "how many, or a list of whole numbers such as [0, 1]",
        lambda v: WHOLE.accepts(v) or (isinstance(v, list) and bool(v) and all(map(WHOLE.accepts, v))),
    ),
    "folds": Kind(
        'a whole number, or a table such as {splitter = "walk_forward", n_splits = 5}',
        lambda v: WHOLE.accepts(v) or (isinstance(v, dict) and "splitter" in v),
    ),
    "metric": TEXT,
    "halving": Kind(
        "true, a factor such as 3, or a table such as {factor = 3, first = 100}",
        lambda v: TRUTH.accepts(v) or NUMBER.accepts(v) or isinstance(v, dict),
    ),
    "converged_below": NUMBER,
    "keep_losses": WHOLE,
    "settings": Kind(
        "a list of tables such as [{learning_rate = 0.1}, {l2 = 0.01}]",
        lambda v: isinstance(v, list) and bool(v) and all(isinstance(one, dict) for one in v),
    ),
}
"""What is no list of values to try, but tells how they are tried."""

DISTRIBUTIONS = ("uniform", "loguniform", "integers")
"""What numbers can be drawn from, each from `low` to `high`, with n_draws."""

SPLITTERS: dict[str, Any] = {
    "k_fold": None,
    "stratified": None,
    "walk_forward": WalkForward,
    "purged": PurgedKFold,
}
"""The splitters by their name in a file; scikit-learn's are loaded when they are asked for."""

IN_TIME = ("walk_forward", "purged")

_LISTS = {
    id(RATE): "a list of numbers or schedules, such as [0.1, 0.2]",
    id(NUMBER): "a list of numbers, such as [0.1, 0.2]",
    id(WHOLE): "a list of whole numbers, such as [16, 32]",
    id(TRUTH): "a list of true and false",
    id(TEXT): 'a list of texts, such as ["a", "b"]',
    id(WHOLES): "a list of lists of widths, such as [[4], [8, 8]]",
}


def setting_keys(optimizers: list[str]) -> dict[str, Kind]:
    """What a setting may be called where these are the optimizers, and the kind of its values."""
    own = {key: one.kind for name in optimizers for key, one in optimizer_keys(name).items()}
    return own | {key: SECTIONS["train"][key].kind for key in TRAINING} | NETWORK


def without_lists(grid: Mapping[str, Any]) -> bool:
    """Whether there is nothing to try."""
    return not set(grid) - (set(HOW) - {"settings"})


def read_sweeps(content: Any, values: Mapping[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """The sections [sweep.NAME], every key known and every value of its kind."""
    if not isinstance(content, dict):
        raise InputTypeError(f"{SWEEP} in {source} is {what(content)}; expected sections [{SWEEP}.NAME].")
    default = values.get("train.optimizer", SECTIONS["train"]["optimizer"].default)
    for grid, keys in content.items():
        where = f"[{SWEEP}.{grid}] in {source}"
        if not isinstance(keys, dict):
            raise InputTypeError(f"{SWEEP}.{grid} in {source} is {what(keys)}; expected a section {where}.")
        if any(character in grid for character in "/\\\0"):
            raise InputError(f"{where} gives its name to files, which cannot hold a slash.")
        _check_grid(keys, where, default)
    return {grid: dict(keys) for grid, keys in content.items()}


def _check_grid(keys: Mapping[str, Any], where: str, default: str) -> None:
    named = keys.get("optimizer")
    known = setting_keys(_optimizers(named if isinstance(named, list) else None, default))
    for key, value in keys.items():
        if key in HOW:
            if not HOW[key].accepts(value):
                raise InputTypeError(f"{key} of {where} is {what(value)}; expected {HOW[key].words}.")
        elif key not in known:
            raise unknown_name(f"key of {where}:", key, [*known, *HOW])
        else:
            _check_values(key, value, known[key], where)
    for i, one in enumerate(keys.get("settings", ())):
        here = f"settings[{i}] of {where}"
        known = setting_keys(_optimizers([one["optimizer"]] if "optimizer" in one else None, default))
        for key, value in one.items():
            if key not in known:
                raise unknown_name(f"key of {here}:", key, known)
            if not known[key].accepts(value):
                raise InputTypeError(f"{key} of {here} is {what(value)}; expected {known[key].words}.")
    if without_lists(keys):
        raise InputError(
            f"{where} has no lists to try; expected at least one of: {', '.join(known)}; or settings, a "
            f"list of tables."
        )
    if "settings" in keys and set(keys) - set(HOW):
        raise InputError(
            f"{where} has both settings, a list of tables, and lists for "
            f"{', '.join(sorted(set(keys) - set(HOW)))}: give one of the two."
        )


def _optimizers(named: list[Any] | None, default: str) -> list[str]:
    if named is None:
        return [default] if default in RULES else []
    for name in named:
        if name not in RULES:
            raise unknown_name("optimizer", name, RULES)
    return named


def _check_values(key: str, value: Any, kind: Kind, where: str) -> None:
    if isinstance(value, dict) and "distribution" in value:
        distribution_from(value, f"{key} of {where}")
        return
    if not isinstance(value, list) or not value or not all(kind.accepts(one) for one in value):
        words = _LISTS.get(id(kind), f"a list of values, each {kind.words}")
        raise InputTypeError(f"{key} of {where} is {what(value)}; expected {words}.")


def distribution_from(told: Mapping[str, Any], where: str) -> Any:
    """A distribution of scipy.stats, of a table such as {distribution = "uniform", low = 0, high = 1}."""
    name, ends = told["distribution"], {key: told[key] for key in told if key != "distribution"}
    if name not in DISTRIBUTIONS:
        raise unknown_name(f"distribution in {where}:", name, DISTRIBUTIONS)
    for key in ends:
        if key not in ("low", "high"):
            raise unknown_name(f"key of the distribution in {where}:", key, ("low", "high"))
    kind = WHOLE if name == "integers" else NUMBER
    low: Any = ends.get("low")
    high: Any = ends.get("high")
    if not (kind.accepts(low) and kind.accepts(high)):
        raise InputTypeError(f"{where} needs low and high, each {kind.words}.")
    if not (low < high and (low > 0 or name != "loguniform")):
        raise InputError(
            f"{where} goes from {low} to {high}; expected low below high"
            f"{', and both above 0' if name == 'loguniform' else ''}."
        )
    from scipy import stats

    if name == "integers":
        return stats.randint(low, high + 1)
    return stats.loguniform(low, high) if name == "loguniform" else stats.uniform(low, high - low)


def splitter_from(told: Any, where: str, times: object = None) -> Any:
    """Folds as `sweep` takes them; `times` are the values of the column that ``times`` names."""
    if not isinstance(told, Mapping):
        return told
    name, settings = told["splitter"], {key: told[key] for key in told if key != "splitter"}
    if name not in SPLITTERS:
        raise unknown_name(f"splitter in {where}:", name, SPLITTERS)
    kind = SPLITTERS[name]
    if kind is None:
        from sklearn import model_selection

        kind = model_selection.KFold if name == "k_fold" else model_selection.StratifiedKFold
    known = [key for key in inspect.signature(kind).parameters if key != "ends"]
    for key in settings:
        if key not in known:
            raise unknown_name(f"setting of the splitter {name!r} in {where}:", key, known)
    if "times" in settings:
        settings["times"] = times
    try:
        return kind(**settings)
    except (ValueError, TypeError) as error:
        raise InputError(f"The splitter in {where} cannot be made: {error}") from error


def arguments_of(
    keys: Mapping[str, Any],
    where: str,
    stopping: Callable[[Any], Any],
    class_weight: Callable[[Any], Any],
    times: object = None,
) -> dict[str, Any]:
    """The arguments of `sweep` that a grid tells; two of its settings are read by functions."""
    told = dict(keys)
    how = {key: told.pop(key) for key in HOW if key in told}
    if "folds" in how:
        how["folds"] = splitter_from(how["folds"], where, times)
    readers: dict[str, Callable[[Any], Any]] = {
        "stopping": stopping,
        "class_weight": class_weight,
        "learning_rate": lambda one: schedule_from_dict(one) if isinstance(one, Mapping) else one,
    }
    names = {"hidden": "hidden_layer_sizes"}

    def read(key: str, value: Any) -> Any:
        return readers.get(key, lambda one: one)(value)

    if "settings" in how:
        listed = [{names.get(k, k): read(k, v) for k, v in one.items()} for one in how.pop("settings")]
        return {**how, "settings": listed}
    grid = {
        names.get(key, key): distribution_from(value, f"{key} of {where}")
        if isinstance(value, dict)
        else [read(key, one) for one in value]
        for key, value in told.items()
    }
    return {**how, "grid": grid}
