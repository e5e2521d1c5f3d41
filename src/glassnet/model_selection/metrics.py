"""The metric that a sweep compares networks by, on samples that they were not trained on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.network import Network, Parameters
from glassnet.training.early_stopping import MODES, RESPONSES, Metric, metric_name, metric_value

METRICS: Mapping[str, str] = {"loss": "min", "accuracy": "max", "r2": "max"}
"""The metrics that have a name, with what is best of them."""


@dataclass(frozen=True)
class Measure:
    """A metric: its name, which of its values is best ("min" or "max"), and the caller's function or None.

    "loss" is the mean loss of the samples by their weights, without penalties and class weights.
    """

    name: str
    mode: str
    function: Metric | None = None
    response: str = "predict"

    @property
    def sign(self) -> float:
        """1 where a smaller value is better, else -1."""
        return 1.0 if self.mode == "min" else -1.0

    @property
    def is_loss(self) -> bool:
        """Whether it is each network's own loss."""
        return self.function is None and self.name == "loss"

    def of(
        self,
        network: Network,
        theta: Parameters,
        X: NDArray[Any],
        y: NDArray[Any],
        weights: NDArray[Any] | None,
        rows: NDArray[np.int64] | None,
        flat_targets: bool,
    ) -> float:
        """The metric of a network's predictions; "loss" is not computed here.

        y is class numbers (n,) or rows; with `flat_targets` a function gets values (n,) of a single output.
        """
        respond = network.predict if self.response == "predict" else network.predict_proba
        predicted = respond(theta, X)
        if self.function is None and self.name == "accuracy":
            actual = np.argmax(y, axis=1) if y.ndim > predicted.ndim else y
            right = (
                predicted == actual if predicted.ndim == 1 else (predicted == (actual > 0.5)).all(axis=1)
            )
            return float(np.average(right, weights=weights))
        if self.function is None:
            from sklearn.metrics import r2_score

            return float(r2_score(y, predicted, sample_weight=weights))
        if flat_targets and self.response == "predict":
            y, predicted = y.reshape(-1), predicted.reshape(-1)
        extra: dict[str, Any] = {"rows": rows} if _takes_rows(self.function) else {}
        return metric_value(self.function, self.name, y, predicted, **extra)


def as_measure(metric: object, mode: str | None, response: str, network: Network) -> Measure:
    """The metric of `sweep`'s arguments for a network; raises InputError where it does not fit."""
    if response not in RESPONSES:
        raise unknown_name("response", response, RESPONSES)
    if mode is not None and mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    classes = network.loss.target in ("class", "label")
    if isinstance(metric, str):
        if metric not in METRICS:
            raise unknown_name("metric", metric, METRICS)
        if mode not in (None, METRICS[metric]):
            raise InputError(f"The best {metric} is its {METRICS[metric]}imum: leave mode out.")
        if metric == {True: "r2", False: "accuracy"}[classes]:
            raise InputError(
                f"The metric {metric} does not go with the output {network.output.name!r}: use "
                f"{'accuracy' if classes else 'r2'}, loss, or a function of targets and predictions."
            )
        return Measure(metric, METRICS[metric])
    if not callable(metric):
        raise InputTypeError(f"metric is a name or a function of targets and predictions, not {metric!r}.")
    name = metric_name(metric)
    if mode is None:
        raise InputError(f'The metric {name} needs mode="min" or mode="max": which of its values is best.')
    if response == "predict_proba" and not classes:
        raise InputError(f"A network with output {network.output.name!r} predicts no probabilities.")
    return Measure(name, mode, metric, response)


def _takes_rows(function: Metric) -> bool:
    try:
        return "rows" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function written in C may not tell
        return False
