"""The samples that a fit evaluates after each epoch: a part that it splits off, or the caller's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Parameters
from glassnet.sklearn.input_checks import MIN_ENTRIES_TO_PREDICT, as_rows, check_inputs, check_weights
from glassnet.sklearn.job import Job, Samples, make_problem, mean_offset
from glassnet.sklearn.scoring import make_scorers
from glassnet.sklearn.streaming import as_stream, check_columns, fitted_features, warn_of_raw_samples

Scorers = Mapping[str, Callable[..., float]]


class HeldOut:
    """What is evaluated after an epoch.

    `score` and `loss` are those of flat parameters. `scorers` take an estimator that stands at the
    parameters, which `at` makes, and the samples as they came.
    """

    def __init__(
        self,
        *,
        score: Callable[[Array], float],
        loss: Callable[[Array], float],
        scorers: Scorers | None = None,
        at: Callable[[Array], Any] | None = None,
        given: tuple[Any, Any] | None = None,
    ) -> None:
        self._score, self._loss = score, loss
        self._scorers, self._at, self._given = dict(scorers or {}), at, given

    def look(self, flat: Array, scored: bool) -> dict[str, float]:
        """The values at these parameters; "score", where wanted, is the first scorer's or the own one."""
        finite = bool(np.isfinite(flat).all())
        seen = {"validation_loss": self._loss(flat) if finite else float("nan")}
        if self._scorers:
            assert self._at is not None
            assert self._given is not None
            model = self._at(flat)
            for name, scorer in self._scorers.items():
                seen[f"validation_{name}"] = float(scorer(model, *self._given))
            if scored:
                seen["score"] = next(v for k, v in seen.items() if k != "validation_loss")
        elif scored:
            seen["score"] = self._score(flat)
        return seen


def split_off(job: Job) -> tuple[Samples, HeldOut]:
    """The samples without a part, and that part, drawn as scikit-learn draws it."""
    estimator, samples = job.estimator, job.samples
    assert not isinstance(samples, Dataset)  # for which `base` has refused it
    train, test = train_test_split(
        np.arange(samples.X.shape[0]),
        random_state=job.random,
        test_size=estimator.validation_fraction,
        stratify=estimator._strata(samples.target),
    )
    if len(test) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    held = samples.take(test)
    given = None if estimator.scoring is None else (held.X, estimator._decode(held.target))
    return samples.take(train), _held_out(job, held, given)


def given_samples(job: Job) -> HeldOut | None:
    """The caller's own samples for validation, checked; None where there are none."""
    estimator, validation_data = job.estimator, job.validation
    if validation_data is None:
        if estimator.scoring is not None and not estimator.early_stopping:
            raise InputError(
                "scoring is measured on samples held out: give validation_data=(X, y) to fit, or use "
                "early_stopping=True."
            )
        return None
    if isinstance(validation_data, Dataset):
        validation_data = validation_data, None
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        several = isinstance(validation_data, (tuple, list))
        kind = type(validation_data).__name__
        raise InputError(
            "validation_data is (X, y) or (X, y, sample_weight), not "
            f"{f'a {kind} of {len(validation_data)}' if several else kind}."
        )
    given_X, given_y, *rest = validation_data
    try:
        weights = rest[0] if rest else None
        rows = as_stream(given_X, given_y, weights, fitted_features(estimator, given_X))
        if rows is not None:
            check_columns(estimator, rows, False)
            warn_of_raw_samples(estimator, rows)
            coded = estimator._check_streamed(rows, False, True)(job.theta.dtype)
            return _held_out(job, coded, None, rows)
        warn_of_raw_samples(estimator, given_X)
        held = _checked(estimator, given_X, given_y, weights, job.theta.dtype)
    except ValueError as wrong:
        raise InputError(f"validation_data: {wrong}") from wrong
    except TypeError as wrong:
        raise InputTypeError(f"validation_data: {wrong}") from wrong
    return _held_out(job, held, (given_X, given_y))


def _checked(estimator: Any, X: Any, y: Any, weights: Any, dtype: np.dtype[Any]) -> Samples:
    """Samples of the caller's, checked as those of `fit` are."""
    X = check_inputs(estimator, X)
    y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
    check_consistent_length(X, y)
    y = estimator._check_y(y, False, True)
    weights = None if weights is None else np.asarray(check_weights(weights, X), dtype)
    X = as_rows(estimator._complete(X, False, MIN_ENTRIES_TO_PREDICT), dtype)
    return Samples(X, estimator._encode(y, dtype), weights)


def standing_at(job: Job, flat: Array, found: Mapping[str, Any] | None = None) -> Any:
    """An estimator fitted as far as these parameters, with what else it has `found`."""
    model = object.__new__(type(job.estimator))
    model.__dict__.update({**job.estimator.__dict__, **(found or {}), **job.at(flat)})
    return model


def _held_out(
    job: Job, held: Samples | Dataset, given: tuple[Any, Any] | None, rows: Dataset | None = None
) -> HeldOut:
    """`given` are the samples as scorers take them, where there are scorers; `rows` those streamed."""
    estimator = job.estimator
    problem = make_problem(job, held)
    more = mean_offset(job, held)

    def stand_at(flat: Array) -> Any:
        model = standing_at(job, flat.copy())
        if given is not None and isinstance(given[0], np.ndarray):
            model.__dict__.pop("feature_names_in_", None)  # an array has no names
        model.__dict__.pop("mean_", None)  # the samples are as those trained on
        return model

    def score(flat: Array) -> float:
        if isinstance(held, Samples):
            theta = Parameters(job.network.sizes, flat)
            Y_hat = estimator._outputs_of(job.network, theta, held.X)
            return float(estimator._rate(held.target, Y_hat, held.weights))
        return float(stand_at(flat).score(rows)) if np.isfinite(flat).all() else float("nan")

    if rows is not None and estimator.scoring is not None:
        raise InputError(
            f"scoring is measured on samples in memory; {rows.source} is streamed. Leave scoring out: "
            f"early_stopping then watches accuracy or R^2."
        )
    return HeldOut(
        score=score,
        loss=lambda flat: problem.loss(flat) + more,
        scorers=make_scorers(estimator.scoring),
        at=stand_at,
        given=given,
    )
