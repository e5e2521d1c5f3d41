"""Changes in the course of a session as plain values, as a page asks for them and a lesson replays them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from glassnet.errors import InputError
from glassnet.lab.lessons.recipe import with_changes
from glassnet.lab.sources import MOST_SAMPLES
from glassnet.lab.study import Data, Study
from glassnet.nn.network import Network
from glassnet.optim.penalties import frozen_mask
from glassnet.training.early_stopping import check_schedule
from glassnet.training.run import TrainingRun
from glassnet.training.settings import CHECKS
from glassnet.training.steppers import rule_from_dict

OF_TRAINING = ("optimizer", "batch_size", "l1", "l2", "max_norm", "dropout", "freeze")
"""The settings that change in the course of training."""


class Change(NamedTuple):
    """What `Tape.change` takes, and what a session goes back to by Reset afterwards."""

    changes: dict[str, Any]
    study: Study


def change_of(event: Mapping[str, Any], run: TrainingRun, study: Study) -> Change:
    """The change that an event makes to a run and to what it learns.

    An event is ``{"training": settings}``, ``{"network": {"units": ..., "hidden": ...}}``,
    ``{"edit": [index, value]}``, ``{"label": [row, class]}``, ``{"point": [x, y, class]}`` or
    ``{"erase": row}``. Raises InputError for what is not there.
    """
    if "training" in event:
        return _training(event["training"], run, study)
    if "network" in event:
        hidden = event["network"]["hidden"]
        before = study.network
        made = Network(before.sizes, hidden, before.output.name, before.loss)
        return Change({"network": made}, replace(study, network=made, own=False))
    if "edit" in event:
        index, value = int(event["edit"][0]), float(event["edit"][1])
        theta = run.parameters.copy()
        if not 0 <= index < theta.flat.size:
            raise InputError(
                f"index is {index}; this network has {theta.flat.size:,} parameters, from 0 on."
            )
        theta.flat[index] = value
        return Change({"parameters": theta}, study)
    if "label" in event:
        row, target = map(int, event["label"])
        _check(study.data, row, target)
        return _drawn(study, "labels", [row, target])
    if "erase" in event:
        row = int(event["erase"])
        _check(study.data, row)
        return _drawn(study, "erased", row)
    return _point([float(x) for x in event["point"][:-1]], int(event["point"][-1]), study)


def settings_of(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of training by their plain values, each checked."""
    for name in plain:
        if name not in OF_TRAINING:
            raise InputError(
                f"{name} cannot change in the course of training; {', '.join(OF_TRAINING)} can."
            )
    changes = dict(plain)
    if "optimizer" in changes:
        changes["optimizer"] = rule_from_dict(changes["optimizer"])
    return {name: CHECKS[name](value, name) if name in CHECKS else value for name, value in changes.items()}


def _training(plain: Mapping[str, Any], run: TrainingRun, study: Study) -> Change:
    changes = settings_of(plain)
    if "freeze" in changes:
        frozen_mask(run.network.sizes, tuple(changes["freeze"]))  # InputError for a layer that is not there
    check_schedule(changes.get("optimizer"), run.validation is not None)
    return Change(changes, study.with_settings(**changes))


def _point(place: list[float], target: int, study: Study) -> Change:
    known = study.data
    _check(known, target=target)
    if not known.classes or len(place) != known.n_inputs:
        raise InputError("Points can be drawn where the picture shows every input, and for classes.")
    if len(known.X) >= MOST_SAMPLES:
        raise InputError(f"There are {MOST_SAMPLES:,} samples already.")
    return _drawn(study, "added", [*place, target])


def _check(data: Data, row: int | None = None, target: int | None = None) -> None:
    if row is not None and not 0 <= row < len(data.X):
        raise InputError(f"Row {row} is not among the {len(data.X):,} rows that are learned from.")
    if target is not None and not 0 <= target < len(data.classes):
        raise InputError(f"Class {target} is not there: the network knows {len(data.classes)}, from 0 on.")


def _drawn(study: Study, what: str, entry: Any) -> Change:
    """Samples that are changed by hand, as a lesson's data have it."""
    data = with_changes(study.data, [[what, entry]])
    changes = {"y": data.y} if what == "labels" else {"X": data.X, "y": data.y}
    return Change(changes, replace(study, data=data, own=False))
