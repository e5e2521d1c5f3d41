"""The settings of a network of a sweep: its shape, its training and its optimizer's settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import RandomState

from glassnet.data.encoding import label_numbers
from glassnet.errors import InputError, InputTypeError, prefixed, unknown_name
from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network, as_network
from glassnet.optim.schedules import SCHEDULES, Schedule
from glassnet.training.settings import NAMES, FitSettings
from glassnet.training.steppers import RULES, Rule, check_rule
from glassnet.training.validation import as_validation
from glassnet.utils.array_checks import as_matrix, as_numbers, as_vector
from glassnet.utils.settings_checks import Check, Settings, as_steps, check_random_state, or_none

NETWORK = ("network", "hidden_layer_sizes", "activation", "loss")
"""The settings that change the network itself."""

OF_TRAIN_ALONE: Mapping[str, str] = {
    "test": "folds hold rows out to compare by; keep a test's rows out of X, and score the choice by them",
    "metrics": "metric=..., with evaluate_every=1 for its values on the way",
    "callbacks": "evaluate_every=... for the metric on the way; gn.train(callbacks=...) trains one network",
    "checkpoint": "results=PATH, to which each network is written as soon as it is done",
    "checkpoint_every": "results=PATH, to which each network is written as soon as it is done",
}
"""The arguments of `train` that a sweep lacks, which has its own ways of judging, and what to write."""

_OF_ALL = ("parameters", "threads", "standardize")  # which its networks share

TRAINING = tuple(name for name in NAMES if name not in (*_OF_ALL, *OF_TRAIN_ALONE))
"""The settings of `train` that a sweep may vary."""


@dataclass(frozen=True)
class Candidate:
    """A network and the settings to train it with; where it starts, and its threads, are left open."""

    network: Network
    fit: FitSettings

    def value(self, name: str) -> Any:
        """The value of a setting, as it was read."""
        if name == "network":
            return self.network
        if name == "hidden_layer_sizes":
            return self.network.sizes[1:-1]
        if name == "activation":
            names = tuple(record.name for record in self.network.hidden)
            return names[0] if len(set(names)) == 1 else names
        if name == "loss":
            return str(self.network.loss)
        return getattr(self.fit if name in TRAINING else self.fit.optimizer, name)

    def replaced(self, settings: Mapping[str, Any]) -> Candidate:
        """The candidate with these settings, each read and checked as far as that goes without the data.

        Raises InputError and InputTypeError.
        """
        rule = check_rule(settings.get("optimizer", self.fit.optimizer))
        training = {name: value for name, value in settings.items() if name in TRAINING}
        rules = {name: v for name, v in settings.items() if name not in training and name not in NETWORK}
        known = list(rule.settings())
        for name in rules:
            if name not in known:
                raise unknown_name(f"setting of {type(rule).__name__}:", name, known)
        if rules:
            rule = replace(rule, **rules)
        network = _network(self.network, {name: settings[name] for name in NETWORK if name in settings})
        for name in training.keys() & _STRICTER:
            training[name] = _STRICTER[name](training[name], name)
        return Candidate(network, replace(self.fit, **{**training, "optimizer": rule}))


def known_settings(rules: Iterable[Rule]) -> list[str]:
    """The names of all settings that a sweep over these optimizers may vary."""
    names = [name for rule in rules for name in rule.settings()]
    return list(dict.fromkeys([*names, *TRAINING, *NETWORK]))


def _network(base: Network, settings: Mapping[str, Any]) -> Network:
    if not settings:
        return base
    network = settings.get("network", base)
    as_network(network)
    ends = (base.sizes[0], base.sizes[-1])
    if (network.sizes[0], network.sizes[-1]) != ends:
        raise InputError(
            f"The network {network} has {network.sizes[0]} input(s) and {network.sizes[-1]} output(s); "
            f"expected {ends[0]} and {ends[1]}, as the sweep's other networks and the data have."
        )
    widths = settings.get("hidden_layer_sizes", network.sizes[1:-1])
    if isinstance(widths, int) and not isinstance(widths, bool):
        widths = (widths,)
    if isinstance(widths, str) or not isinstance(widths, Iterable):
        raise InputTypeError(f"hidden_layer_sizes is widths such as (16, 8), not {widths!r}.")
    widths = tuple(widths)
    hidden: Any = settings.get("activation")
    if hidden is None:
        hidden = network.hidden
        if len(hidden) != len(widths):
            if len(set(hidden)) > 1:
                raise InputError(
                    f"hidden_layer_sizes is {widths}, and the network's activations are one for each of "
                    f"{len(hidden)} layers; give activation too."
                )
            hidden = hidden[0] if hidden else "logistic"
    elif not isinstance(hidden, (str, Activation)):
        hidden = list(hidden) if isinstance(hidden, Iterable) else hidden
    sizes = (network.sizes[0], *widths, network.sizes[-1])
    return Network(sizes, hidden, network.output.name, settings.get("loss", network.loss))


def _random_state(value: Any, name: str) -> Any:
    if isinstance(value, RandomState):
        raise InputTypeError(
            "random_state among the settings is a whole number: a RandomState would move on from one "
            "network to the next."
        )
    return check_random_state(value, name)


def _validation(value: Any, name: str) -> Any:
    """A fraction, or checked arrays, which are the same objects for every network."""
    validation = as_validation(value)
    if isinstance(validation, float):
        return validation
    X, y, weights = validation
    with prefixed("validation"):
        numbers, classes = label_numbers(y)
        inputs, targets = as_matrix(X), as_numbers(numbers, "y")
        # Not NumPy's text, which drops zero bytes at the end.
        targets = targets if classes is None else np.array(classes, object)[targets]
        weights = None if weights is None else as_vector(weights, "sample_weight", len(inputs))
        return inputs, targets, weights


_STRICTER: Mapping[str, Check] = {
    "iterations": as_steps,
    "random_state": _random_state,
    "validation": or_none(_validation),
}
"""Checks beyond those of `FitSettings`, for settings that many networks share."""


# ---- Settings as text and as JSON -----------------------------------------------------------------


def shown(value: Any, digits: int = 12) -> str:
    """A setting's value as text: a number in up to so many digits, anything else as it is written."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(shown(item, digits) for item in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, Activation):
        return value.name
    return value.brief() if isinstance(value, Settings) and not isinstance(value, Schedule) else str(value)


def as_plain(value: Any) -> Any:
    """A setting's value as JSON can hold it; objects of the caller's own as text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Schedule):
        return value.to_dict() if SCHEDULES.get(value.name) is type(value) else str(value)
    if type(value) in RULES.values():
        return {name: as_plain(item) for name, item in value.to_dict().items()}
    if isinstance(value, Mapping):
        return {str(name): as_plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_plain(item) for item in value]
    if isinstance(value, Settings):
        return {"kind": type(value).__name__, **as_plain(value.settings())}
    if isinstance(value, (Network, Loss, Activation)):
        return shown(value)
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return as_plain(value.tolist()) if hasattr(value, "tolist") else str(value)
