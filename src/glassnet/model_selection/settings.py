"""Whatever a network of a sweep may be told: its shape, its training, its optimizer's settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from numpy.random import RandomState

from glassnet.data.checks import ENGINES, REDUCTIONS, choose_engine
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.activations import Activation
from glassnet.nn.dropout import as_dropout
from glassnet.nn.network import SCHEMES, Network, as_network
from glassnet.optim.penalties import Penalties
from glassnet.training.early_stopping import check_stopping
from glassnet.training.steppers import RULES, Rule, check_fits, check_rule
from glassnet.training.validation import as_validation, check_metric
from glassnet.utils.array_checks import as_dtype, as_matrix, as_numbers, as_vector
from glassnet.utils.settings_checks import as_count, as_flag, as_fraction, as_random_state, as_steps

NETWORK = ("network", "hidden_layer_sizes", "activation", "loss")
"""What changes the network itself."""

TRAINING = (
    "optimizer",
    "iterations",
    "batch_size",
    "l1",
    "l2",
    "max_norm",
    "dropout",
    "class_weight",
    "average",
    "validation",
    "validate_every",
    "stopping",
    "shuffle",
    "scheme",
    "random_state",
    "reduction",
    "dtype",
    "engine",
)
"""What `train` is told, beside the data, where it starts and how it reports."""


@dataclass(frozen=True)
class Recipe:
    """A network, and what `train` is told of it by name, "optimizer" and "iterations" included."""

    network: Network
    told: Mapping[str, Any]

    @property
    def optimizer(self) -> Rule:
        """The optimizer or solver."""
        rule: Rule = self.told["optimizer"]
        return rule

    def value(self, name: str) -> Any:
        """The setting of that name as it was read."""
        if name == "network":
            return self.network
        if name == "hidden_layer_sizes":
            return self.network.sizes[1:-1]
        if name == "activation":
            names = tuple(record.name for record in self.network.hidden)
            return names[0] if len(set(names)) == 1 else names
        if name == "loss":
            return str(self.network.loss)
        return self.told[name] if name in self.told else getattr(self.optimizer, name)

    def replaced(self, settings: Mapping[str, Any]) -> Recipe:
        """The recipe with these settings, each read and checked as far as that goes without the data.

        Raises InputError and InputTypeError.
        """
        rule = self.optimizer
        if "optimizer" in settings:
            rule = as_rule(settings["optimizer"])
        told = {name: value for name, value in settings.items() if name in TRAINING}
        own = {name: v for name, v in settings.items() if name not in told and name not in NETWORK}
        known = list(rule.settings())
        for name in own:
            if name not in known:
                raise unknown_name(f"setting of {type(rule).__name__}:", name, known)
        if own:
            rule = replace(rule, **own)
        network = _network(self.network, {name: settings[name] for name in NETWORK if name in settings})
        read = {name: _CHECKS.get(name, _as_it_is)(value, name) for name, value in told.items()}
        return Recipe(network, {**self.told, **read, "optimizer": rule})

    def check(self) -> None:
        """Raise InputError where settings do not go together."""
        told = self.told
        dropped = as_dropout(told["dropout"], len(self.network.hidden))
        penalties = Penalties(told["l1"], told["l2"], told["max_norm"])
        check_fits(self.optimizer, self.network, told["batch_size"], penalties, dropped, told["average"])
        choose_engine(self.network, told["engine"])
        stopping = check_stopping(told["stopping"], told["validation"] is not None)
        if told["validation"] is not None or stopping is not None:
            check_metric(self.network, stopping)


def known_settings(rules: Iterable[Rule]) -> list[str]:
    """Every name that a setting may have where these optimizers are among those swept over."""
    names = [name for rule in rules for name in rule.settings()]
    return list(dict.fromkeys([*names, *TRAINING, *NETWORK]))


def as_rule(value: object) -> Rule:
    """An optimizer or a solver, or the one of that name with its defaults."""
    if not isinstance(value, str):
        return check_rule(value)
    if value not in RULES:
        raise unknown_name("optimizer", value, RULES)
    return RULES[value]()


def _network(base: Network, settings: Mapping[str, Any]) -> Network:
    if not settings:
        return base
    network = settings.get("network", base)
    as_network(network)
    ends = (base.sizes[0], base.sizes[-1])
    if (network.sizes[0], network.sizes[-1]) != ends:
        raise InputError(
            f"The network {network} has {network.sizes[0]} input(s) and {network.sizes[-1]} output(s), and "
            f"those of a sweep have {ends[0]} and {ends[1]}, which the data ask for."
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


def _as_it_is(value: Any, name: str) -> Any:
    return value


def _one_of(choices: Iterable[str]) -> Callable[[Any, str], Any]:
    def check(value: Any, name: str) -> Any:
        if value not in list(choices):
            raise unknown_name(name, value, choices)
        return value

    return check


def _or_none(check: Callable[[Any, str], Any]) -> Callable[[Any, str], Any]:
    return lambda value, name: None if value is None else check(value, name)


def _iterations(value: Any, name: str) -> int:
    count = as_count(value, name)
    if count == 0:
        raise InputError("iterations is 0; a sweep compares what training does, so expected 1 or more.")
    return count


def _random_state(value: Any, name: str) -> Any:
    if isinstance(value, RandomState):
        raise InputTypeError(
            "random_state among the settings is a whole number: a RandomState would move on from one "
            "network to the next."
        )
    as_random_state(value)
    return value


def _validation(value: Any, name: str) -> Any:
    """A fraction, or checked arrays, which are the same objects for every network."""
    found = as_validation(value)
    if isinstance(found, float):
        return found
    X, y, weights = found
    try:
        inputs, targets = as_matrix(X), as_numbers(y, "y")
        return (
            inputs,
            targets,
            None if weights is None else as_vector(weights, "sample_weight", len(inputs)),
        )
    except (InputError, InputTypeError) as error:
        raise type(error)(f"validation: {error}") from error


def _penalty(value: Any, name: str) -> Any:
    return getattr(Penalties(**{name: value}), name)


_CHECKS: dict[str, Callable[[Any, str], Any]] = {
    "iterations": _iterations,
    "batch_size": _or_none(as_steps),
    "l1": _penalty,
    "l2": _penalty,
    "max_norm": _penalty,
    "average": _or_none(as_fraction),
    "validation": _or_none(_validation),
    "validate_every": as_steps,
    "stopping": lambda value, name: check_stopping(value, True),
    "shuffle": as_flag,
    "scheme": _one_of(SCHEMES),
    "random_state": _random_state,
    "reduction": _one_of(REDUCTIONS),
    "dtype": _or_none(lambda value, name: as_dtype(value).name),
    "engine": _one_of(ENGINES),
}
