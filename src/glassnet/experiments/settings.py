"""An experiment's settings: every section and key with its kind, read from TOML and checked."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from glassnet.data.generators import GENERATORS
from glassnet.data.tables.encodings import SCALINGS
from glassnet.data.tables.preprocessing import TASKS
from glassnet.errors import GlassnetError, InputError, unknown_name
from glassnet.experiments.grids import read_sweeps, without_lists
from glassnet.experiments.schema import (
    COLUMN_KEYS,
    IN_NO_FILE,
    READING_KEYS,
    SECTIONS,
    SWEEP,
    TABLE_ONLY,
    TOP,
    WHOLE,
    Key,
    generator_keys,
    known_keys,
    optimizer_keys,
    place_of,
    section_kind,
    stopping_from,
)
from glassnet.nn.activations import get_activation
from glassnet.nn.dropout import as_dropout
from glassnet.nn.losses import get_output
from glassnet.nn.names import get_loss
from glassnet.nn.network import as_sizes
from glassnet.nn.schemes import SCHEMES
from glassnet.training.early_stopping import check_metrics, check_stopping
from glassnet.training.other_names import setting_meant
from glassnet.training.settings import CHECKS
from glassnet.training.steppers import RULES, Rule, check_rule, rule_from_dict
from glassnet.utils.memory import as_memory
from glassnet.utils.settings_checks import Check, as_random_state, as_steps, one_of
from glassnet.utils.words import split_at_commas


class Override(NamedTuple):
    """A value from the command line, and the option that gave it."""

    value: Any
    origin: str


@dataclass(frozen=True)
class Experiment:
    """A whole run as settings: ``experiment["train.iterations"]`` is the value set, or the default.

    ``values`` holds the values set, by dotted key; ``sweeps`` the grids by name. ``source`` says in
    errors where the settings come from, and relative paths start at ``folder``. ``left_out`` are the
    file's keys that the generator or optimizer of the command line has no use for. ``automatic`` leaves
    settings of network and training that nobody set to `choose_settings`.
    """

    name: str
    source: str
    folder: Path
    values: Mapping[str, Any]
    sweeps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    automatic: bool = False

    def __getitem__(self, key: str) -> Any:
        if key in self.values:
            return self.values[key]
        section, _, name = key.rpartition(".")
        return (SECTIONS[section] if section else TOP)[name].default

    def section(self, name: str) -> dict[str, Any]:
        """A section's values with their defaults, without what is not set."""
        prefix = f"{name}."
        values = {key.removeprefix(prefix): v for key, v in self.values.items() if key.startswith(prefix)}
        defaults = {key: known.default for key, known in known_keys(name, values, self.source).items()}
        return {key: value for key, value in (defaults | values).items() if value not in (None, ())}

    def of_named(self, section: str) -> dict[str, Any]:
        """The settings of the generator that [data] names, or of the optimizer that [train] names."""
        return {key: value for key, value in self.section(section).items() if key not in SECTIONS[section]}

    def optimizer(self) -> Rule:
        """The optimizer or solver of [train], with its settings."""
        return rule_from_dict({"name": self["train.optimizer"], **self.of_named("train")})

    def keywords(self, function: Callable[..., object], **others: Any) -> dict[str, Any]:
        """The keys of [train] that `function` takes, such as `train`, `sweep` or `check_gradients`.

        `others` take the place of the file's values.
        """
        known = SECTIONS["train"].keys() & inspect.signature(function).parameters.keys()
        values = {name: self[f"train.{name}"] for name in known}
        if "optimizer" in values:
            values["optimizer"] = self.optimizer()
        if values.get("stopping") is not None:
            values["stopping"] = stopping_from(values["stopping"])
        return values | others

    @property
    def reading(self) -> dict[str, Any]:
        """The settings of `read_table` that [data] gives."""
        return {key: value for key in READING_KEYS if (value := self[f"data.{key}"]) is not None}

    @property
    def columns(self) -> dict[str, Any]:
        """What [data] says of a table's columns, as `prepare_table` takes it."""
        return {key: value for key in COLUMN_KEYS if (value := self[f"data.{key}"]) is not None}

    def target(self, names: Sequence[str]) -> str | tuple[str, ...]:
        """The target's column, or several of them: at the command line they are between commas."""
        target: Any = self["data.target"]
        if isinstance(target, str) and target not in names and "," in target:
            target = split_at_commas(target)
        return target if isinstance(target, str) else tuple(target)

    @property
    def test_fraction(self) -> float:
        """The fraction of the rows to hold out: by default a quarter of a table, and no generated rows."""
        default = 0.25 if self["data.file"] else 0.0
        return float(self.values.get("data.test_fraction", default))

    @property
    def check_scheme(self) -> str:
        """The scheme of the gradient check's draw, by default that of training."""
        return str(self["check.scheme"] or self["train.scheme"])

    @property
    def title(self) -> str:
        """The heading of pictures and reports."""
        return str(self["title"] or self.name)

    def where(self, key: str) -> str:
        """A key with the file or option that set it, for errors."""
        return self.origins.get(key, f"{key} in {self.source}")

    @contextmanager
    def blame(self, key: str) -> Iterator[None]:
        """Put where `key` was set in front of the message of an error in the block."""
        try:
            yield
        except GlassnetError as error:
            raise type(error)(f"{self.where(key)}: {error}") from error

    def to_dict(self, folder: Path | None = None) -> dict[str, Any]:
        """All settings with their defaults, in sections, as `experiment_from` takes them.

        The path of a table starts at `folder`, where the settings are to lie, or else it is absolute.
        """
        top = {"name": self.name, "title": self["title"], "random_state": self["random_state"]}
        document: dict[str, Any] = {key: value for key, value in top.items() if value is not None}
        for name in SECTIONS:
            if section := self.section(name):
                document[name] = section
        document["data"]["test_fraction"] = self.test_fraction
        document["check"]["scheme"] = self.check_scheme
        if document["data"].get("file", "-") != "-":
            document["data"]["file"] = path_from(folder, self.folder / document["data"]["file"])
        if self.sweeps:
            document[SWEEP] = {name: dict(grid) for name, grid in self.sweeps.items()}
        return document


def path_from(folder: Path | None, path: Path) -> str:
    """A path as text that leads there from `folder`, or the absolute one where no tree holds both.

    A tree that holds results and their data can be moved or sent as a whole; nobody sends all of a disk,
    nor the folder of all users' homes.
    """
    real = Path(os.path.realpath(path.parent)) / path.name
    if folder is None:
        return str(real)
    place = Path(os.path.realpath(folder))
    try:
        tree = Path(os.path.commonpath([place, real]))
    except ValueError:  # another drive
        return str(real)
    if tree == Path(tree.anchor) or tree in Path.home().parents:
        return str(real)
    return Path(os.path.relpath(real, place)).as_posix()


def experiment_from(
    document: Mapping[str, Any],
    name: str,
    source: str,
    folder: Path,
    overrides: Mapping[str, Override] | None = None,
    automatic: bool = False,
) -> Experiment:
    """The experiment of a TOML file's content, with the command line's values laid over it.

    Raises InputError and InputTypeError for a section or key that is unknown (with the nearest
    name), a value of another kind, and one that cannot be used, each with where it was set.
    """
    merged, origins = deepcopy(dict(document)), {}
    for key, (value, origin) in (overrides or {}).items():
        *path, last = key.split(".")
        content = merged
        for part in path:
            content = content.setdefault(part, {})
            section_kind("a section").check(content, f"{origin}: {part} in {source}")
        content[last] = value
        origins[key] = origin
    left_out: list[str] = []
    for choice in CHOICES:
        if choice in origins:
            left_out += _remove_lost_settings(merged, document, origins, choice)
    values = dict(_values(merged, source, origins))
    if values.get("train.validation") == 0:
        del values["train.validation"]  # no rows, which a table on the command line would hold out
    sweeps = read_sweeps(merged.get(SWEEP, {}), values, source)
    name = str(values.get("name", name))
    of_file = source, folder, values, sweeps, origins
    experiment = Experiment(name, *of_file, tuple(left_out), automatic)
    _check(experiment)
    return experiment


CHOICES = {"data.generator": generator_keys, "train.optimizer": optimizer_keys}
"""The keys whose values bring keys of their own into their section, and those of each value."""


def _remove_lost_settings(
    merged: dict[str, Any], document: Mapping[str, Any], origins: Mapping[str, str], choice: str
) -> list[str]:
    """Remove the settings of the file's generator or optimizer that the command line's lacks, of grids too.

    Returns their dotted keys.
    """
    section, _, kind = choice.partition(".")
    contents = [top.get(section) for top in (document, merged)]
    default = SECTIONS[section][kind].default
    names = [content.get(kind, default) if isinstance(content, dict) else default for content in contents]
    keys = [CHOICES[choice](name) if isinstance(name, str) else {} for name in names]
    if not keys[1]:
        return []  # the name has an error of its own
    lost, removed = set(keys[0]) - set(keys[1]) - set(SECTIONS[section]), []

    def remove(content: Any, prefix: str) -> bool:
        """Whether any setting was removed."""
        names = [key for key in content if key in lost and f"{prefix}.{key}" not in origins]
        for key in names:
            del content[key]
            removed.append(f"{prefix}.{key}")
        return bool(names)

    remove(merged[section], section)
    sweeps = merged.get(SWEEP)
    grids = sweeps if isinstance(sweeps, dict) and section == "train" else {}
    for name, grid in list(grids.items()):
        if isinstance(grid, dict) and remove(grid, f"{SWEEP}.{name}") and without_lists(grid):
            del grids[name]
    return removed


def _values(
    document: Mapping[str, Any], source: str, origins: Mapping[str, str]
) -> Iterator[tuple[str, Any]]:
    """Every (dotted key, value), each known and of its kind."""

    def checked(dotted: str, key: Key, value: Any) -> tuple[str, Any]:
        whole = isinstance(value, float) and value.is_integer() and key.kind is WHOLE
        hint = f": write {int(value)}" if whole else ""
        key.kind.check(value, origins.get(dotted, f"{dotted} in {source}"), hint)
        return dotted, value

    for name, content in document.items():
        if name in TOP:
            yield checked(name, TOP[name], content)
        elif name in SECTIONS:
            section_kind(f"a section [{name}]").check(content, f"{name} in {source}")
            known = known_keys(name, content, source)
            for key, value in content.items():
                dotted = f"{name}.{key}"
                if key not in known:
                    unknown = unknown_name(f"key of [{name}] in {origins.get(dotted, source)}:", key, known)
                    raise InputError(f"{unknown}{_of_rules(key, name, content) or _belongs(key, name)}")
                yield checked(dotted, known[key], value)
        elif name != SWEEP:
            sections = [*(f"[{section}]" for section in (*SECTIONS, SWEEP)), *TOP]
            title = f"[{name}]" if isinstance(content, dict) else name
            error = unknown_name(f"section or key of {origins.get(name, source)}:", title, sections)
            raise InputError(f"{error}{_belongs(name)}")


def _of_rules(key: str, section: str, content: Mapping[str, Any]) -> str:
    """A sentence on the optimizers that have a setting, where the one that was chosen lacks it."""
    rules = [rule for rule in RULES if key in optimizer_keys(rule)]
    if section != "train" or not rules:
        return ""
    chosen = content.get("optimizer", SECTIONS["train"]["optimizer"].default)
    return f" {chosen} has no {key}: leave it out, or choose an optimizer that has: {', '.join(rules)}."


def _belongs(key: str, section: str = "") -> str:
    """A sentence on where this key belongs, or what it is called here, where it is known."""
    homes = [name for name in SECTIONS if name != section and key in known_keys(name, {}, "")]
    if homes:
        return f" It belongs to [{homes[0]}]: {homes[0]}.{key}."
    meant = setting_meant(key)
    if section == "train" and (why := IN_NO_FILE.get(meant or key)):
        return f" {why}"
    place = place_of(meant)
    return f" It is called {place} here." if place else ""


def _check(experiment: Experiment) -> None:
    """Refuse values that cannot be used, before any work is done."""
    data = experiment.section("data")
    if ("generator" in data) == ("file" in data):
        both = "both a generator and a file" if "file" in data else "neither a generator nor a file"
        raise InputError(
            f"[data] in {experiment.source} names {both}; expected one: "
            f'generator = "{next(iter(GENERATORS))}", or file = "points.csv" with target = "a column".'
        )
    if "file" in data and "target" not in data:
        raise InputError(
            f'[data] in {experiment.source} has a file, but no target = "a column" to predict.'
        )
    for key in TABLE_ONLY:
        if "generator" in data and key in data:
            raise InputError(
                f"{experiment.where(f'data.{key}')} goes with a table, and these data are generated by "
                f"{data['generator']!r}. Leave it out."
            )
    if experiment.name in ("", ".", "..") or any(c in experiment.name for c in "/\\\0"):
        raise InputError(
            f"{experiment.where('name')} is {experiment.name!r}; expected the name of a folder."
        )
    for key, check in _CHECKS.items():
        value = experiment[key]
        if value is not None:
            with experiment.blame(key):
                check(value, key.rpartition(".")[2])
    hidden, activation = experiment["network.hidden"], experiment["network.activation"]
    if isinstance(activation, list) and len(activation) != len(hidden):
        raise InputError(
            f"{experiment.where('network.activation')} names {len(activation)} activation(s) for "
            f"{len(hidden)} hidden layer(s), {hidden}; expected one for all, or one for each."
        )
    with experiment.blame("train.dropout"):
        as_dropout(experiment["train.dropout"], len(hidden))
    validated = experiment["train.validation"] is not None
    with experiment.blame("train.metrics"):
        check_metrics(experiment["train.metrics"], validated)
    if experiment["train.stopping"] is not None:
        with experiment.blame("train.stopping"):
            rule = stopping_from(experiment["train.stopping"])
            check_stopping(rule, validated)
    if experiment["network.output"] is not None and experiment["network.loss"] is not None:
        with experiment.blame("network.loss"):
            get_loss(experiment["network.loss"], get_output(experiment["network.output"]))
    for key, value in experiment.of_named("train").items():
        with experiment.blame(f"train.{key}"):
            rule_from_dict({"name": experiment["train.optimizer"], key: value})


def _check_hidden(widths: list[int], name: str) -> None:
    for i, width in enumerate(widths):
        if width < 1:
            raise InputError(
                f"hidden layer {i + 1} of {widths} has a width of {width}; expected 1 or more."
            )
    as_sizes([1, *widths, 1])


def _check_activation(activation: str | list[str], name: str) -> None:
    for layer in [activation] if isinstance(activation, str) else activation:
        get_activation(layer)


def _check_fraction(fraction: float, name: str) -> None:
    if not 0 <= fraction < 1:
        raise InputError(f"{name} is {fraction}; expected from 0 to below 1, such as 0.25.")


def _check_epsilon(epsilon: float, name: str) -> None:
    if not 0 < epsilon < 1:
        raise InputError(f"{name} is {epsilon}; expected a small step above 0 and below 1, such as 1e-4.")


_CHECKS: dict[str, Check] = {
    "random_state": lambda value, name: as_random_state(value),
    "data.task": one_of(TASKS),
    "data.scaling": one_of(SCALINGS),
    "data.max_categories": as_steps,
    "data.test_fraction": _check_fraction,
    "data.memory": lambda value, name: as_memory(value),
    "network.hidden": _check_hidden,
    "network.activation": _check_activation,
    "network.output": lambda value, name: get_output(value),
    "check.scheme": one_of(SCHEMES),
    "check.epsilon": _check_epsilon,
    "check.samples": as_steps,
    **{f"train.{name}": CHECKS[name] for name in SECTIONS["train"].keys() & CHECKS.keys()},
    "train.optimizer": lambda value, name: check_rule(value),
    "train.stopping": lambda value, name: stopping_from(value),
    "train.curvature": as_steps,
}
"""The check of each value on its own; the checks of [train] are `train`'s."""
