"""What a run answers to rows in memory and to streams, and how well."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dataset import is_stream, stream
from glassnet.data.standardization import standardized_by
from glassnet.engine.metrics import tally
from glassnet.engine.predict import predicted, tallied
from glassnet.errors import InputError, PreprocessingWarning
from glassnet.nn.network import Network, Parameters, outputs_of
from glassnet.utils.array_checks import as_vector


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
    return isinstance(made, Mapping) and standardized_by(X, made["mean"], made["scale"])


def warn_of_raw_rows(extra: Mapping[str, Any], stacklevel: int = 3) -> None:
    """Speak up where standardized rows are expected: raw ones would give a wrong answer in silence."""
    if _is_untouched(extra):
        return
    answers = _answers_with(extra["preprocessing"])
    warnings.warn(
        f"This run learned from standardized columns, (x - mean) / scale{answers}: unscaled rows give "
        f"wrong answers. mean and scale are in run.extra['preprocessing']: predict for gn.stream(X, "
        f"standardize=(mean, scale)), or call run.network.predict(run.theta, (X - mean) / scale); neither "
        f"gives this warning. For a table, glassnet predict MODEL TABLE does all of it.",
        PreprocessingWarning,
        stacklevel=stacklevel,
    )


def warn_of_raw_validation(extra: Mapping[str, Any], stacklevel: int = 4) -> None:
    """Speak up where a run that learns from standardized rows is watched on an array."""
    if _is_untouched(extra):
        return
    warnings.warn(
        "validation: training standardizes its rows, (x - mean) / scale, and cannot know whether these are "
        "standardized too; raw ones are scored wrong and stop training at the wrong time. Give "
        "((X_validation - rows.mean) / rows.scale, y_validation), with the mean and scale of the streamed "
        "rows; once that is done: warnings.simplefilter('ignore', gn.PreprocessingWarning).",
        PreprocessingWarning,
        stacklevel=stacklevel,
    )


def _is_untouched(extra: Mapping[str, Any]) -> bool:
    """Whether a run has learned from values as they came."""
    made = extra.get("preprocessing")
    untouched = {"mean": 0, "scale": 1, "target_mean": 0, "target_scale": 1}
    return not isinstance(made, Mapping) or all(
        np.all(np.asarray(made.get(name, value)) == value) for name, value in untouched.items()
    )


def _answers_with(made: Mapping[str, Any]) -> str:
    """What its answers are of, where that is not the target as it came."""
    classes = made.get("classes")
    if classes is not None:
        numbers = [*classes] == [*range(len(classes))]
        return "" if numbers else ", and answers with class numbers, not labels"
    moved = (made.get("target_mean", 0), made.get("target_scale", 1)) != (0, 1)
    return ", and answers with standardized values" if moved else ""
