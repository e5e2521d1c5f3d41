"""The sections and keys of an experiment's settings, with the kind of value each takes.

The keys of [train] are the settings of `glassnet.train`: name, type, default and check are read from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from glassnet.data.checks import BALANCED
from glassnet.data.generators import GENERATORS
from glassnet.errors import InputTypeError, unknown_name
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.settings import FitSettings
from glassnet.training.steppers import RULES, rule_class
from glassnet.training.train import DEFAULTS


class Kind(NamedTuple):
    """What a key's value may be, in words and as a test, and how a list of such values is called."""

    words: str
    accepts: Callable[[Any], bool]
    listed: str = ""

    def check(self, value: Any, where: str, hint: str = "") -> None:
        """Raise InputTypeError, which says `where` the value stands, for one of another kind."""
        if not self.accepts(value):
            raise InputTypeError(f"{where} is {shown(value)}; expected {self.words}{hint}.")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_whole(value)


def _are(test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(test, value))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def section_kind(words: str) -> Kind:
    """The kind of a section, named by `words`."""
    return Kind(words, lambda value: isinstance(value, dict))


WHOLE = Kind("a whole number", _is_whole, "a list of whole numbers, such as [16, 32]")
NUMBER = Kind("a number", _is_number, "a list of numbers, such as [0.1, 0.2]")
TEXT = Kind("text between quotes", _is_text, 'a list of texts, such as ["a", "b"]')
AMOUNT = Kind('text such as "256 MiB", or bytes', lambda value: _is_text(value) or _is_whole(value))
TRUTH = Kind("true or false", lambda value: isinstance(value, bool), "a list of true and false")
WHOLES = Kind(
    "a list of whole numbers, such as [3]",
    _are(_is_whole),
    "a list of lists of widths, such as [[4], [8, 8]]",
)
PROBABILITIES = Kind(
    "a number, or a list with one for each hidden layer, such as [0.2, 0.5]",
    lambda v: _is_number(v) or _are(_is_number)(v),
)
RATE = Kind(
    'a number, or a schedule such as {schedule = "cosine", rate = 0.1, steps = 1000}',
    lambda v: _is_number(v) or isinstance(v, dict),
    "a list of numbers or schedules, such as [0.1, 0.2]",
)
TEXTS = Kind('a list of texts, such as ["a", "b"]', _are(_is_text))
TEXT_OR_TEXTS = Kind(
    'text, or a list of texts such as ["a", "b"]', lambda v: _is_text(v) or _are(_is_text)(v)
)
NAME_OR_SETTINGS = Kind(
    'text, or a table such as {name = "huber", delta = 0.5}',
    lambda v: _is_text(v) or (isinstance(v, dict) and "name" in v),
)
STOPPING = Kind('a table such as {patience = 10, metric = "accuracy"}', lambda v: isinstance(v, dict))
CLASS_WEIGHT = Kind(
    '"balanced", a list with a number for each class, or a table of a number for each label',
    lambda v: (
        v == BALANCED
        or (bool(v) and _are(_is_number)(v))
        or (isinstance(v, dict) and _are(_is_number)([*v.values()]))
    ),
)


class Key(NamedTuple):
    """A setting: its kind, and the value it has where none is given."""

    kind: Kind
    default: Any = None


TOP: dict[str, Key] = {"name": Key(TEXT), "title": Key(TEXT), "random_state": Key(WHOLE, 0)}
"""The keys above the sections."""

_KINDS = {
    "int": WHOLE,
    "float": NUMBER,
    "str": TEXT,
    "bool": TRUTH,
    "float | Sequence[float]": PROBABILITIES,
    "DTypeLike": TEXT,
    "Rule": TEXT,
    "EarlyStopping": STOPPING,
}
"""The kind of a setting in a file, by its type in `train` without None."""

_KINDS_BY_NAME = {"validation": NUMBER, "class_weight": CLASS_WEIGHT, "metrics": TEXT_OR_TEXTS}
"""The kind of a setting by its name, where a file holds only some of the values that `train` takes."""

_OWN_DEFAULTS = {"optimizer": "sgd", "iterations": 2000, "dtype": "float64", "scheme": "glorot"}
"""The defaults of an experiment that differ from those of `train`."""


IN_NO_FILE = {
    "standardize": "A table's columns are always standardized as it is read.",
    "test": "data.test_fraction is the share of the rows held out for a test.",
    "freeze": "An experiment draws its first parameters, which are none to leave as they are.",
}
"""Settings of `train` that no file holds, and why."""


def _settings_of_train() -> dict[str, Key]:
    """The settings of `train` that a file can hold; its parameters are drawn, by `random_state` on top."""
    known = {}
    for setting in fields(FitSettings):
        name, of_type = setting.name, str(setting.type).removesuffix(" | None")
        kind = _KINDS_BY_NAME.get(name) or _KINDS.get(of_type)
        if kind is not None and name not in (*TOP, *IN_NO_FILE):
            known[name] = Key(kind, _OWN_DEFAULTS.get(name, DEFAULTS[name]))
    return known


SPLIT_KEYS = ("time", "test_after", "group", "split")
"""The keys of [data] that say how rows are held out."""

COLUMN_KEYS = {
    **{name: Key(TEXTS) for name in ("features", "ignore", "numeric", "categorical", "dates")},
    "scaling": Key(TEXT),
    "max_categories": Key(WHOLE),
    **{name: Key(TEXT) for name in SPLIT_KEYS},
}
"""The keys of [data] that `prepare_table` takes as they are."""

SECTIONS: dict[str, dict[str, Key]] = {
    "data": {
        "generator": Key(TEXT),
        "file": Key(TEXT),
        "target": Key(TEXT_OR_TEXTS),
        "task": Key(TEXT),
        "header": Key(TRUTH),
        **{name: Key(TEXT) for name in ("sheet", "encoding", "delimiter", "decimal")},
        **COLUMN_KEYS,
        "test_fraction": Key(NUMBER),
        "memory": Key(AMOUNT),
        "dask": Key(TEXT),
    },
    "network": {
        "hidden": Key(WHOLES, [8]),
        "activation": Key(TEXT_OR_TEXTS, "tanh"),
        "output": Key(TEXT),
        "loss": Key(NAME_OR_SETTINGS),
    },
    "check": {
        "enabled": Key(TRUTH, True),
        "scheme": Key(TEXT),
        "epsilon": Key(NUMBER, 1e-4),
        "samples": Key(WHOLE),
    },
    "train": {**_settings_of_train(), "curvature": Key(WHOLE)},
    "pictures": {"axes": Key(TEXT_OR_TEXTS)},
}
"""The keys of each section; [data] also takes its generator's settings, [train] its optimizer's."""

SWEEP = "sweep"
"""The section of grids, [sweep.NAME]; see `glassnet.experiments.grids`."""

TRAIN_ONLY = ("curvature", "metrics")
"""Keys of [train] that a sweep has no setting for."""

READING_KEYS = ("header", "sheet", "encoding", "delimiter", "decimal")
"""The keys of [data] that say how its file is read, as `read_table` takes them."""

TABLE_ONLY = ("target", "task", *COLUMN_KEYS, *READING_KEYS, "memory", "dask")


def known_keys(section: str, content: Mapping[str, Any], source: str) -> dict[str, Key]:
    """The keys that a section takes: its own, and those of the generator or optimizer that it names."""
    known = dict(SECTIONS[section])
    if section == "data" and isinstance(name := content.get("generator"), str):
        if name not in GENERATORS:
            raise unknown_name(f"generator in {source}:", name, GENERATORS)
        known |= generator_keys(name)
    if section == "train":
        name = content.get("optimizer", SECTIONS["train"]["optimizer"].default)
        if isinstance(name, str):
            if rule_class(name) is None:
                raise unknown_name(f"optimizer in {source}:", name, RULES)
            known |= optimizer_keys(name)
    return known


def key_at(dotted: str) -> Key:
    """The key of a dotted name such as ``train.iterations``, where no optimizer or generator is named."""
    section, _, name = dotted.rpartition(".")
    return (known_keys(section, {}, "") if section else TOP)[name]


def place_of(setting: str) -> str:
    """The dotted key of a setting of `train`, an optimizer or the network; "" where no file has it."""
    of_rules = [name for rule in RULES for name in optimizer_keys(rule)]
    sections = {"": TOP, "network.": SECTIONS["network"], "train.": [*SECTIONS["train"], *of_rules]}
    name = setting.partition(".")[0]
    return next((f"{section}{setting}" for section, names in sections.items() if name in names), "")


def generator_keys(name: str) -> dict[str, Key]:
    """The settings of a generator; none of an unknown one."""
    settings = GENERATORS[name].settings if name in GENERATORS else {}
    return {key: Key(WHOLE if one.is_whole else NUMBER, one.default) for key, one in settings.items()}


def optimizer_keys(name: str) -> dict[str, Key]:
    """The settings of an optimizer or a solver, the seldom used ones last; none of an unknown one."""
    known: dict[str, Key] = {}
    if (rule := rule_class(name)) is None:
        return known
    for setting in sorted(fields(rule), key=lambda setting: bool(setting.kw_only)):
        default = setting.default
        kind = TRUTH if isinstance(default, bool) else WHOLE if _is_whole(default) else NUMBER
        known[setting.name] = Key(RATE if setting.name == "learning_rate" else kind, default)
    return known


def stopping_from(settings: Mapping[str, Any]) -> EarlyStopping:
    """The stopping rule of a table of its settings."""
    known = [setting for setting in EarlyStopping().settings() if setting not in ("mode", "response")]
    for name in settings:
        if name not in known:
            raise unknown_name("setting of the stopping rule", name, known)
    return EarlyStopping(**settings)


def shown(value: Any) -> str:
    """A value and its kind, as a reader of the file would name it."""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (str, bool)) else str(value)
    kinds = {
        bool: "true or false",
        int: "a whole number",
        float: "a number with decimals",
        str: "text",
        list: "a list",
        dict: "a section",
    }
    return f"{text} ({kinds.get(type(value), 'a date or time')})"
