"""[sweep.NAME]: lists of settings to try, and options, as the arguments of `sweep`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.experiments.schema import (
    NAME_OR_SETTINGS,
    NUMBER,
    SECTIONS,
    SWEEP,
    TEXT,
    TEXT_OR_TEXTS,
    TOP,
    TRAIN_ONLY,
    TRUTH,
    WHOLE,
    WHOLES,
    Kind,
    optimizer_keys,
    place_of,
    section_kind,
    stopping_from,
)
from glassnet.model_selection.time_folds import PurgedKFold, WalkForward
from glassnet.optim.schedules import schedule_from_dict
from glassnet.training.settings import NAMES
from glassnet.training.steppers import RULES, rule_class

NETWORK = {"hidden": WHOLES, "activation": TEXT_OR_TEXTS, "loss": NAME_OR_SETTINGS}
"""Settings of the network; `hidden` holds the widths of the hidden layers."""

TRAINING = tuple(
    name for name in NAMES if name in SECTIONS["train"].keys() - {"iterations", "threads", *TRAIN_ONLY}
)
"""Keys of [train] that a grid may hold lists of, beside the optimizer's settings."""

OPTIONS: dict[str, Kind] = {
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
    "evaluate_every": WHOLE,
    "keep_predictions": TRUTH,
    "halving": Kind(
        "true, a factor such as 3, or a table such as {factor = 3, first = 100}",
        lambda v: TRUTH.accepts(v) or NUMBER.accepts(v) or isinstance(v, dict),
    ),
    "converged_below": NUMBER,
    "keep_losses": WHOLE,
    "settings": Kind(
        "a list of tables such as [{learning_rate = 0.1}, {l2 = 0.01}]",
        lambda v: isinstance(v, list) and bool(v) and all(isinstance(setting, dict) for setting in v),
    ),
}
"""Keys that are no list of values to try, but say how to try them."""

DISTRIBUTIONS = ("uniform", "loguniform", "integers")
"""Distributions of numbers from `low` to `high`, for n_draws."""

SPLITTERS: dict[str, Any] = {
    "k_fold": None,
    "stratified": None,
    "walk_forward": WalkForward,
    "purged": PurgedKFold,
}
"""The splitters by their name in a file; None stands for one of scikit-learn's, which is imported late."""

IN_TIME = ("walk_forward", "purged")


def setting_keys(optimizers: list[str]) -> dict[str, Kind]:
    """The settings that a grid may vary with these optimizers, and the kinds of their values."""
    for name in optimizers:
        if rule_class(name) is None:
            raise unknown_name("optimizer", name, RULES)
    of_rules = {name: key.kind for rule in optimizers for name, key in optimizer_keys(rule).items()}
    return of_rules | {key: SECTIONS["train"][key].kind for key in TRAINING} | NETWORK


COMMAND = "grid"
"""The name of the grid whose settings come from the command line."""


def into_grid(assignments: Mapping[str, Any]) -> dict[str, Any]:
    """Values from the command line by dotted key, those to vary in the grid `COMMAND`.

    ``learning_rate=[0.1, 1.0]`` is the setting ``sweep.grid.learning_rate``. Raises InputError for what
    cannot be varied so, with what can.
    """
    keys = {}
    for key, given in assignments.items():
        head, _, rest = key.partition(".")
        value, known = given.value, SECTIONS.get(head, {}).get(rest)
        if head not in (*TOP, *SECTIONS, SWEEP):
            if not rest and not isinstance(value, (list, dict)) and head not in OPTIONS:
                raise InputError(
                    f"{given.origin} is {value!r}; a sweep varies lists of values: --set '{key}=[{value}, "
                    f"...]'. One value for all networks is --set {place_of(key) or f'train.{key}'}={value}."
                )
            key = f"{SWEEP}.{COMMAND}.{key}"
        elif (
            head in ("train", "network")
            and isinstance(value, list)
            and place_of(rest)
            and not (known is not None and known.kind.accepts(value))
        ):
            raise InputError(
                f"{given.origin} is a list, and {key} is one value for all networks. To vary it: --set "
                f"'{rest}={value}'."
            )
        keys[key] = given
    return keys


def without_lists(grid: Mapping[str, Any]) -> bool:
    """Whether a grid has nothing to try."""
    return not set(grid) - (set(OPTIONS) - {"settings"})


def read_sweeps(content: Any, values: Mapping[str, Any], source: str) -> dict[str, dict[str, Any]]:
    """The sections [sweep.NAME], every key known and every value of its kind."""
    section_kind(f"sections [{SWEEP}.NAME]").check(content, f"{SWEEP} in {source}")
    default = values.get("train.optimizer", SECTIONS["train"]["optimizer"].default)
    for grid, keys in content.items():
        where = f"[{SWEEP}.{grid}] in {source}"
        section_kind(f"a section {where}").check(keys, f"{SWEEP}.{grid} in {source}")
        if any(character in grid for character in "/\\\0"):
            raise InputError(f"{where} gives its name to files, which cannot hold a slash.")
        _check_grid(keys, where, default)
    return {grid: dict(keys) for grid, keys in content.items()}


def _check_grid(keys: Mapping[str, Any], where: str, default: str) -> None:
    named = keys.get("optimizer")
    known = setting_keys(named if isinstance(named, list) else [default])
    for key, value in keys.items():
        if key in OPTIONS:
            OPTIONS[key].check(value, f"{key} of {where}")
        elif key not in known:
            raise unknown_name(f"key of {where}:", key, [*known, *OPTIONS])
        else:
            _check_values(key, value, known[key], where)
    for i, setting in enumerate(keys.get("settings", ())):
        here = f"settings[{i}] of {where}"
        known = setting_keys([setting.get("optimizer", default)])
        for key, value in setting.items():
            if key not in known:
                raise unknown_name(f"key of {here}:", key, known)
            known[key].check(value, f"{key} of {here}")
    if without_lists(keys):
        raise InputError(
            f"{where} has no lists to try; expected at least one of: {', '.join(known)}; or settings, a "
            f"list of tables."
        )
    if "settings" in keys and set(keys) - set(OPTIONS):
        raise InputError(
            f"{where} has both settings, a list of tables, and lists for "
            f"{', '.join(sorted(set(keys) - set(OPTIONS)))}: give one of the two."
        )


def _check_values(key: str, value: Any, kind: Kind, where: str) -> None:
    if isinstance(value, dict) and "distribution" in value:
        distribution_from(value, f"{key} of {where}")
        return
    words = kind.listed or f"a list of values, each {kind.words}"
    lists = Kind(words, lambda v: isinstance(v, list) and bool(v) and all(map(kind.accepts, v)))
    lists.check(value, f"{key} of {where}")


def distribution_from(table: Mapping[str, Any], where: str) -> Any:
    """A distribution of scipy.stats, of a table such as {distribution = "uniform", low = 0, high = 1}."""
    name, ends = table["distribution"], {key: table[key] for key in table if key != "distribution"}
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


def splitter_from(folds: Any, where: str, times: object = None) -> Any:
    """Folds as `sweep` takes them; `times` are the values of the column that ``times`` names."""
    if not isinstance(folds, Mapping):
        return folds
    name, settings = folds["splitter"], {key: folds[key] for key in folds if key != "splitter"}
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
    class_weight: Callable[[Any], Any],
    times: object = None,
) -> dict[str, Any]:
    """The arguments of `sweep` for a grid; `class_weight` reads its class weights."""
    varied = {key: values for key, values in keys.items() if key not in OPTIONS}
    options = {key: keys[key] for key in OPTIONS if key in keys}
    if "folds" in options:
        options["folds"] = splitter_from(options["folds"], where, times)
    readers: dict[str, Callable[[Any], Any]] = {
        "stopping": stopping_from,
        "class_weight": class_weight,
        "learning_rate": lambda rate: schedule_from_dict(rate) if isinstance(rate, Mapping) else rate,
    }
    names = {"hidden": "hidden_layer_sizes"}

    def read(key: str, value: Any) -> Any:
        return readers[key](value) if key in readers else value

    if "settings" in options:
        tables = options.pop("settings")
        settings = [{names.get(k, k): read(k, v) for k, v in table.items()} for table in tables]
        return {**options, "settings": settings}
    grid = {
        names.get(key, key): distribution_from(values, f"{key} of {where}")
        if isinstance(values, dict)
        else [read(key, value) for value in values]
        for key, values in varied.items()
    }
    return {**options, "grid": grid}
