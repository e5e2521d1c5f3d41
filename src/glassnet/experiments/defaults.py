"""The settings of an experiment that a table on the command line makes, where nobody set them.

Decision 26 says by what evidence they were chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from glassnet.experiments.files import FileSamples
from glassnet.experiments.samples import Samples
from glassnet.experiments.schema import optimizer_keys
from glassnet.experiments.settings import Experiment
from glassnet.training.steppers import SOLVERS, rule_class

_FEW = 40
"""Rows of which no share can judge anything: all are trained on, by a stronger penalty."""

_EPOCHS_WITHOUT = 100
"""Epochs of a network that no validation rows stop."""


def settings_for(rows: int) -> dict[str, Any]:
    """The settings for so many rows to train on, by dotted key.

    Adam in batches of about a sixteenth of the rows, from 16 to 256, for at most 400 epochs or some two
    million samples; a running mean of the parameters; a weight penalty that falls with the rows, as that of
    one prior does; and early stopping on a fifth of the rows, at most 10,000. `choose_settings` leaves the
    stopping out where there are too few.

    >>> from glassnet.experiments.defaults import settings_for
    >>> small, large = settings_for(600), settings_for(1_000_000)
    >>> [small[f"train.{name}"] for name in ("batch_size", "iterations", "l2", "validation")]
    [32, 400, 0.002, 0.2]
    >>> [large[f"train.{name}"] for name in ("batch_size", "iterations", "l2", "validation")]
    [256, 10, 0.0001, 0.01]
    """
    batch = 2 ** round(math.log2(rows / 16))
    epochs = int(np.clip(round(2e6 / rows), 10, 400))
    return {
        "network.hidden": [64, 64],
        "network.activation": "silu",
        "train.optimizer": "adam",
        "train.learning_rate": 0.004,
        "train.batch_size": int(min(rows, np.clip(batch, 16, 256))),
        "train.iterations": epochs,
        "train.l2": float(f"{np.clip(1.2 / rows, 1e-4, 3e-3):.2g}") if rows >= _FEW else 0.03,
        "train.average": 0.98,
        "train.validation": float(f"{min(0.2, 1e4 / rows):.2g}"),
        "train.stopping": {"patience": max(3, epochs // 10)},
    }


CHOSEN = frozenset(settings_for(1))
"""The keys that are chosen."""


def choose_settings(experiment: Experiment, samples: Samples) -> tuple[Experiment, str]:
    """The experiment with the settings that nobody set, and what was chosen in a sentence, "" for nothing.

    A table on the command line leaves them to this function; a TOML file has the defaults of a file. An
    optimizer other than Adam keeps its own learning rate. Solvers and clusters take the full batch: for
    them only the network's layers are chosen.
    """
    if not experiment.automatic:
        return experiment, ""
    given, values = experiment.values, settings_for(samples.n)
    sgd = optimizer_keys("sgd").keys() - optimizer_keys("adam").keys()
    default = "sgd" if any(f"train.{key}" in given for key in sgd) else "adam"  # --momentum is SGD's
    name = given.get("train.optimizer", default)
    if rule_class(name) in SOLVERS.values() or "data.dask" in given:
        values = {key: value for key, value in values.items() if key.startswith("network.")}
    else:
        values["train.optimizer"] = name
        if name != "adam":
            del values["train.learning_rate"]
        if "train.validation" not in given and not _validates(experiment, samples, values):
            del values["train.validation"], values["train.stopping"]
            values["train.iterations"] = min(values["train.iterations"], _EPOCHS_WITHOUT)
    chosen = {key: value for key, value in values.items() if key not in given}
    whole = replace(experiment, values={**chosen, **given}, automatic=False)
    return whole, _words(samples.n, chosen)


def _validates(experiment: Experiment, samples: Samples, values: dict[str, Any]) -> bool:
    """Whether rows are held out for validation; of streamed ones no more than there is memory for."""
    if "train.validation" in experiment.origins or samples.n < _FEW:  # --validation 0, which is no value
        return False
    if isinstance(samples, FileSamples) and not samples.whole:
        most = samples.most_validation / samples.n
        values["train.validation"] = min(values["train.validation"], float(f"{0.9 * most:.1g}"))
    return bool(values["train.validation"] * samples.n >= 1)


_SAID: Mapping[str, Callable[[Any], str]] = {
    "network.hidden": lambda widths: f"hidden layers {','.join(map(str, widths))}",
    "network.activation": "{}".format,
    "train.optimizer": "{}".format,
    "train.learning_rate": "learning rate {:g}".format,
    "train.batch_size": "batches of {}".format,
    "train.l2": "l2 {:g}".format,
    "train.average": "a running mean of the parameters ({:g})".format,
    "train.iterations": "at most {} epochs".format,
    "train.validation": lambda share: f"{100 * share:g} % of them held out to stop by",
}
"""How a setting that was chosen is said, in the order in which one thinks of it."""


def _words(rows: int, chosen: Mapping[str, Any]) -> str:
    parts = [said(chosen[key]) for key, said in _SAID.items() if key in chosen]
    return f"chosen for {rows:,} rows: {', '.join(parts)}" if parts else ""
