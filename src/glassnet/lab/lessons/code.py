"""A session as a program in Python that gives the same bits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from glassnet.lab.lessons.recipe import base_study, plain_data, plain_settings, same_network
from glassnet.lab.study import Study
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.steppers import rule_from_dict


def as_python(study: Study, events: Sequence[Mapping[str, Any]], iterations: int) -> str:
    """A program that gives the bits of a session: its data, its tape, and each change in its place."""
    lines = ["", *_data_lines(study), "", "tape = gn.Tape(network, X, y, **settings)"]
    at = 0
    for event in events:
        k = int(event["iteration"])
        if k > at:
            lines.append(f"tape.advance({k - at:_})")
            at = k
        lines += _change_lines(event)
    if iterations > at:
        lines.append(f"tape.advance({iterations - at:_})")
    lines += ["", "print(tape.run)"]
    if any("np." in line for line in lines):
        lines.insert(0, "import numpy as np\n")
    return "\n".join(["import glassnet as gn", *lines, ""])


def _data_lines(study: Study) -> list[str]:
    """X, y, network and settings, the arguments of the tape."""
    data, source = study.data, dict(study.data.source)
    changed, base = source.pop("changed", []), None
    if "set" in source:
        base = base_study(plain_data(data))
        lines = _set_lines(source, data.held_out is not None)
    elif "table" in source:
        share = source["held_out"]
        lines = [
            f"data = gn.prepare_table({source['table']!r}, {source['target']!r}, test_fraction={share!r})",
            "X, y = data.X_train, data.y_train",
            "settings = {'validation': (data.X_test, data.y_test)}" if data.held_out else "settings = {}",
        ]
    else:
        lines = [f"X = np.array({data.X.tolist()!r})", f"y = np.array({data.y.tolist()!r})"]
        lines.append("settings = {}")
        changed = []
    lines += [line for what, entry in changed for line in _drawn_lines(what, entry)]
    if base is None or not same_network(study.network, base.network):
        lines.append(f"network = gn.{study.network!r}")
    if base is not None and "parameters" not in study.settings:
        lines.append("del settings['parameters'], settings['random_state']")
    known = {} if base is None else plain_settings(base.settings)
    for name, value in plain_settings(study.settings).items():
        if known.get(name) != value:
            lines.append(f"settings[{name!r}] = {_python(name, value)}")
    return lines


def _set_lines(source: dict[str, Any], has_held_out: bool) -> list[str]:
    name, seed, held_out = source.pop("set"), source.pop("seed", None), source.pop("held_out", None)
    keys = {f"data.{key}": value for key, value in source.items()}
    keys |= {"random_state": seed, "data.test_fraction": held_out or None}
    keys = {key: value for key, value in keys.items() if value is not None}
    lines = [
        "from glassnet.experiments import load_experiment",
        "",
        f"loaded = load_experiment({name!r}, {keys!r})",
        "X, y, network, settings = loaded.X, loaded.y, loaded.network, loaded.settings",
        "del settings['iterations']",
    ]
    return [*lines, "settings['validation'] = loaded.X_test, loaded.y_test"] if has_held_out else lines


def _python(name: str, value: Any) -> str:
    """A plain value of a setting as Python."""
    if name == "parameters":
        return f"np.array({value!r})"
    if name == "stopping":
        value = EarlyStopping(**value)
    elif name == "optimizer":
        value = rule_from_dict(value)
    return re.sub(r"\b(?=[A-Z]\w*\()", "gn.", repr(value))


def _change_lines(event: Mapping[str, Any]) -> list[str]:
    if "training" in event:
        written = ", ".join(f"{key}={_python(key, value)}" for key, value in event["training"].items())
        return [f"tape.change({written})"]
    if "edit" in event:
        index, value = event["edit"]
        return [
            "theta = tape.run.parameters.copy()",
            f"theta.flat[{index}] = {value!r}",
            "tape.change(parameters=theta)",
        ]
    if "network" in event:
        hidden = event["network"]["hidden"]
        return [
            f"network = gn.Network(network.sizes, {hidden!r}, network.output.name, network.loss)",
            "tape.change(network=network)",
        ]
    if "label" in event:
        return [*_drawn_lines("labels", event["label"]), "tape.change(y=y)"]
    what, entry = ("erased", event["erase"]) if "erase" in event else ("added", event["point"])
    return [*_drawn_lines(what, entry), "tape.change(X=X, y=y)"]


def _drawn_lines(what: str, entry: Any) -> list[str]:
    """X and y after a change of samples by hand, as a lesson's data have it."""
    if what == "labels":
        return ["y = y.copy()", f"y[{entry[0]}] = {entry[1]!r}"]
    if what == "erased":
        return [f"X, y = np.delete(X, {entry}, axis=0), np.delete(y, {entry}, axis=0)"]
    *place, target = entry
    return [f"X, y = np.vstack([X, [{place!r}]]), np.append(y, {target!r})"]
