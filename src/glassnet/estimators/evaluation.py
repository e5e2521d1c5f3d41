"""Floor 7: the samples that a fit evaluates: a part that it splits off, or the caller's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from glassnet.activations import Array
from glassnet.errors import InputError
from glassnet.estimators.checks import check_inputs, check_weights
from glassnet.estimators.heldout import HeldOut, Samples
from glassnet.estimators.job import Job, make_problem
from glassnet.estimators.scorers import make_scorers


def split_off(job: Job) -> tuple[Samples, HeldOut]:
    """The samples without a part, and that part, drawn as scikit-learn draws it."""
    estimator, samples = job.estimator, job.samples
    train, test = train_test_split(
        np.arange(len(samples.X)),
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
    if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
        raise InputError(
            f"validation_data is (X, y) or (X, y, sample_weight), not {type(validation_data).__name__}."
        )
    given_X, given_y, *rest = validation_data
    X = check_inputs(estimator, given_X)
    y = np.asarray(given_y)
    if len(y) != X.shape[0]:
        raise ValueError(
            f"validation_data has {X.shape[0]} rows of X and {len(y)} of y; they must be equal."
        )
    y = estimator._check_y(y, False, True)
    dtype = job.theta.dtype
    weights = None if not rest else np.asarray(check_weights(rest[0], X), dtype)
    X = np.ascontiguousarray(estimator._dense(X, False), dtype)
    return _held_out(job, Samples(X, estimator._encode(y, dtype), weights), (given_X, given_y))


def _held_out(job: Job, held: Samples, given: tuple[Any, Any] | None) -> HeldOut:
    """`given` are the samples as scorers take them; without them the loss is not asked for either."""
    estimator = job.estimator
    problem = None if given is None else make_problem(job, held)
    offsets = estimator._offsets(held)
    more = 0.0 if offsets is None else float(np.average(offsets, weights=held.weights))

    def stand_at(flat: Array) -> Any:
        model = object.__new__(type(estimator))
        model.__dict__.update({**estimator.__dict__, **job.at(flat.copy())})
        if given is not None and isinstance(given[0], np.ndarray):
            model.__dict__.pop("feature_names_in_", None)  # an array has no names
        return model

    return HeldOut(
        job.network,
        held,
        rate=estimator._rate,
        predict=estimator._outputs_of,
        loss=None if problem is None else lambda flat: problem.loss(flat) + more,
        scorers=make_scorers(estimator.scoring),
        at=stand_at,
        given=given,
    )
