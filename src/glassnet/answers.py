"""Floor 5: what a run answers to rows in memory and to streams, and how well."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.arrays import as_vector
from glassnet.errors import InputError, PreprocessingWarning
from glassnet.network import Network, Parameters, outputs_of
from glassnet.streams import is_stream, stream
from glassnet.streams.prediction import predicted, tallied
from glassnet.streams.standardization import StandardizedRows
from glassnet.streams.tallies import tally


def answered(
    network: Network,
    theta: Parameters,
    X: object,
    answer: Literal["predict", "predict_proba"],
    extra: Mapping[str, Any],
) -> NDArray[Any]:
    """`Network.predict` or `predict_proba`; `extra` is the run's, which says how its rows came to be."""
    if not _is_standardized(X, extra):
        warn_of_raw_rows(extra, 4)
    if is_stream(X):
        return predicted(network, theta, stream(X), answer)
    found: NDArray[Any] = getattr(network, answer)(theta, X)
    return found


def scored(
    network: Network, theta: Parameters, X: object, y: object, w: object, extra: Mapping[str, Any]
) -> float:
    """`TrainingRun.score`."""
    if not _is_standardized(X, extra):
        warn_of_raw_rows(extra, 4)
    if is_stream(X):
        return tallied(network, theta, stream(X, y, sample_weight=w)).score
    found = outputs_of(network, theta, X)
    if not len(found):
        raise InputError("X is empty; expected at least one sample to score.")
    weights = None if w is None else as_vector(w, "sample_weight", len(found))
    return tally(network, y, found, weights).score


def _is_standardized(X: object, extra: Mapping[str, Any]) -> bool:
    """Whether a stream's rows come as those that the run has learned from."""
    made = extra.get("preprocessing")
    if not isinstance(made, Mapping) or not isinstance(X, StandardizedRows):
        return False
    return np.array_equal(X.mean, made["mean"]) and np.array_equal(X.scale, made["scale"])


def warn_of_raw_rows(extra: Mapping[str, Any], stacklevel: int = 3) -> None:
    """Speak up where standardized rows are expected: raw ones would give a wrong answer in silence."""
    made = extra.get("preprocessing")
    if not isinstance(made, Mapping):
        return
    untouched = {"mean": 0, "scale": 1, "target_mean": 0, "target_scale": 1}
    if not any(np.any(np.asarray(made.get(k, value)) != value) for k, value in untouched.items()):
        return
    answers = "standardized values" if made.get("classes") is None else "class numbers, not labels"
    warnings.warn(
        f"This run learned from a table's standardized columns, (x - mean) / scale, and answers with "
        f"{answers}: unscaled rows give wrong answers. Use glassnet predict MODEL TABLE, which does "
        f"all of it; or standardize X by the means and scales in run.extra['preprocessing'] (a stream with "
        f"standardize=(mean, scale)), and call run.network.predict(run.theta, X), which gives no warning.",
        PreprocessingWarning,
        stacklevel=stacklevel,
    )
