"""A fitted estimator's attributes as plain values, which pickle and skops write, and the way back.

Files of skops name every class that they hold, and load none that the reader does not trust. Functions and
views on one vector are left out, or named: what remains is the estimator's own class, numbers and arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.nn.activations import ACTIVATIONS, Activation, get_activation
from glassnet.nn.losses import Loss, loss_from_plain
from glassnet.optim.schedules import SCHEDULES, Schedule, schedule_from_dict
from glassnet.sklearn.labels import Labels
from glassnet.sklearn.steppers import AnyMomentum, OptimizerState
from glassnet.training.steppers import RULES, rule_from_dict

_RECORDS = ("activation", "loss", "_hidden")
"""Attributes that may be records of functions, or lists of them."""


def as_plain(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes without views and records of functions; a user's own records stay as they are."""
    plain = {name: value for name, value in attributes.items() if name not in ("_network", "_theta")}
    if "_network" in attributes:
        plain["_hidden"] = list(attributes["_network"].hidden)
    for name in _RECORDS:
        if name in plain:
            plain[name] = _named(plain[name])
    history, curve = plain.get("history_"), plain.get("loss_curve_")
    if history and curve and history.get("loss") == curve:
        plain["history_"] = {**history, "loss": None}
    if isinstance(columns := plain.get("_preprocessing"), Preprocessing):
        plain["_preprocessing"] = columns.to_dict()
    if isinstance(labels := plain.get("_labels"), Labels):
        plain["_labels"] = {"kind": labels.kind, "sparse": labels.sparse}
    if isinstance(state := plain.get("_optimizer_state"), OptimizerState):
        plain["_optimizer_state"] = _plain_optimizer(state)
    return plain


def from_plain(state: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that `as_plain` described."""
    attributes = {"categorical_features": None, **state}
    if isinstance(columns := attributes.get("_preprocessing"), dict):
        attributes["_preprocessing"] = Preprocessing.from_dict(columns)
    for name in _RECORDS:
        if name in attributes:
            attributes[name] = _record(attributes[name])
    if (history := attributes.get("history_")) and history.get("loss", 0) is None:
        attributes["history_"] = {**history, "loss": list(attributes["loss_curve_"])}
    if isinstance(labels := attributes.get("_labels"), dict):
        attributes["_labels"] = Labels(classes=attributes["classes_"], **labels)
    if isinstance(described := attributes.get("_optimizer_state"), dict):
        attributes["_optimizer_state"] = _optimizer(described)
    return attributes


def _named(value: Any) -> Any:
    if isinstance(value, Activation) and ACTIVATIONS.get(value.name) is value:
        return {"activation": value.name}
    if isinstance(value, Loss) and value.is_built_in:
        return {"loss": value.to_plain()}
    return type(value)(map(_named, value)) if type(value) in (list, tuple) else value


def _record(value: Any) -> Any:
    if isinstance(value, dict):
        name, plain = next(iter(value.items()))
        return get_activation(plain) if name == "activation" else loss_from_plain(plain)
    return type(value)(map(_record, value)) if type(value) in (list, tuple) else value


def _plain_optimizer(state: OptimizerState) -> OptimizerState | dict[str, Any]:
    optimizer, schedule = state.optimizer, state.schedule
    known = RULES.get(optimizer.name) is type(optimizer) or type(optimizer) is AnyMomentum
    rates = [rate for rate in (schedule, optimizer.learning_rate) if isinstance(rate, Schedule)]
    if not known or any(SCHEDULES.get(rate.name) is not type(rate) for rate in rates):
        return state
    plain = {"optimizer": optimizer.to_dict(), "schedule": None if schedule is None else schedule.to_dict()}
    return state._asdict() | plain


def _optimizer(described: dict[str, Any]) -> OptimizerState:
    optimizer, schedule = described["optimizer"], described["schedule"]
    if optimizer.get("momentum") == 1:
        rule: Any = AnyMomentum(**{name: value for name, value in optimizer.items() if name != "name"})
    else:
        rule = rule_from_dict(optimizer)
    known = None if schedule is None else schedule_from_dict(schedule)
    return OptimizerState(**described | {"optimizer": rule, "schedule": known})
