"""The samples that a fit evaluates after each epoch: a part that it holds out, or the caller's own."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_array, check_consistent_length

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Parameters
from glassnet.sklearn.checks import MIN_ENTRIES_TO_PREDICT, as_rows, check_inputs, check_weights
from glassnet.sklearn.job import CodedSamples, Job, make_problem, mean_offset
from glassnet.sklearn.scoring import make_scorers
from glassnet.sklearn.streaming import as_stream, check_columns, fitted_features, warn_of_raw_samples


class HeldOut:
    """Samples that are not trained on, ready to be evaluated.

    `dataset` has coded targets, and `samples` are X and y as scorers take them. `scored` are rows that are
    read, with targets as they came.
    """

    def __init__(
        self, job: Job, dataset: Dataset, samples: tuple[Any, Any] | None, scored: Dataset | None = None
    ) -> None:
        self._job, self._dataset, self._samples, self._scored = job, dataset, samples, scored
        self._problem, self._offset = make_problem(job, dataset), mean_offset(job, dataset)
        self._scorers = make_scorers(job.estimator.scoring)
        if scored is not None and self._scorers:
            raise InputError(
                f"scoring is measured on samples in memory; {scored.source} is streamed. Leave scoring "
                f"out: early_stopping then watches accuracy or R^2."
            )

    def measure(self, flat: Array, scored: bool) -> dict[str, float]:
        """The loss and the scores at these parameters; with `scored` the one to watch, as "score"."""
        finite = bool(np.isfinite(flat).all())
        loss = self._problem.loss(flat) + self._offset if finite else float("nan")
        scores = {}
        if self._scorers and self._samples is not None:
            model = self._estimator_at(flat)
            scores = {
                f"validation_{name}": float(s(model, *self._samples)) for name, s in self._scorers.items()
            }
        measured = {"validation_loss": loss, **scores}
        if scored:
            measured["score"] = next(iter(scores.values())) if scores else self._score(flat, finite)
        return measured

    def _score(self, flat: Array, finite: bool) -> float:
        """The accuracy or R^2."""
        job, dataset = self._job, self._dataset
        if isinstance(dataset, CodedSamples):
            Y_hat = job.estimator._outputs_of(job.network, Parameters(job.network.sizes, flat), dataset.X)
            return float(job.estimator._score_of(dataset.y, Y_hat, dataset.weights))
        return float(self._estimator_at(flat).score(self._scored)) if finite else float("nan")

    def _estimator_at(self, flat: Array) -> Any:
        model = self._job.estimator_at(flat.copy())
        if self._samples is not None and isinstance(self._samples[0], np.ndarray):
            model.__dict__.pop("feature_names_in_", None)  # an array has no names
        model.__dict__.pop("mean_", None)  # the samples are as those trained on
        return model


def hold_out(job: Job) -> tuple[CodedSamples, HeldOut]:
    """The samples to train on and those held out, drawn as scikit-learn draws them."""
    estimator, dataset = job.estimator, job.dataset
    assert isinstance(dataset, CodedSamples)  # `fit` refuses to hold out rows that are read
    train, test = train_test_split(
        np.arange(dataset.n_rows),
        random_state=job.random,
        test_size=estimator.validation_fraction,
        stratify=estimator._strata(dataset.y),
    )
    if len(test) < 2:
        raise ValueError(
            "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
        )
    held_out = dataset.subset(test)
    samples = None if estimator.scoring is None else (held_out.X, estimator._decode(held_out.y))
    return dataset.subset(train), HeldOut(job, held_out, samples)


def validation_samples(job: Job) -> HeldOut | None:
    """`validation_data`, the caller's own samples, checked; None where there are none."""
    estimator, samples = job.estimator, job.validation
    if samples is None:
        if estimator.scoring is not None and not estimator.early_stopping:
            raise InputError(
                "scoring is measured on samples held out: give validation_data=(X, y) to fit, or use "
                "early_stopping=True."
            )
        return None
    if isinstance(samples, Dataset):
        samples = samples, None
    is_sequence = isinstance(samples, (tuple, list))
    if not is_sequence or len(samples) not in (2, 3):
        kind = type(samples).__name__
        raise InputError(
            "validation_data is (X, y) or (X, y, sample_weight), not "
            f"{f'a {kind} of {len(samples)}' if is_sequence else kind}."
        )
    X, y, *rest = samples
    weights = rest[0] if rest else None
    try:
        rows = as_stream(X, y, weights, fitted_features(estimator, X))
        if rows is not None:
            check_columns(estimator, rows, False)
            warn_of_raw_samples(estimator, rows)
            coded = estimator._check_rows(rows, False, True)(job.theta.dtype)
            return HeldOut(job, coded, None, rows)
        warn_of_raw_samples(estimator, X)
        dataset = _checked(job, X, y, weights)
    except ValueError as error:
        raise InputError(f"validation_data: {error}") from error
    except TypeError as error:
        raise InputTypeError(f"validation_data: {error}") from error
    return HeldOut(job, dataset, (X, y))


def _checked(job: Job, X: Any, y: Any, weights: Any) -> CodedSamples:
    """The caller's samples in memory, checked as those of `fit` are."""
    estimator, dtype = job.estimator, job.theta.dtype
    X = check_inputs(estimator, X)
    y = check_array(y, accept_sparse="csr", ensure_2d=False, dtype=None, input_name="y")
    check_consistent_length(X, y)
    y = estimator._check_y(y, False, True)
    weights = None if weights is None else np.asarray(check_weights(weights, X), dtype)
    X = as_rows(estimator._complete(X, False, MIN_ENTRIES_TO_PREDICT), dtype)
    return CodedSamples(X, estimator._encode(y, dtype), weights)
