"""The samples that a fit evaluates after each epoch: some that it holds out, or the caller's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.sklearn.job import Job
from glassnet.sklearn.samples import Samples, samples_of
from glassnet.sklearn.scoring import make_scorers


class HeldOut:
    """Coded samples that are not trained on, ready to be evaluated."""

    def __init__(self, job: Job, samples: Samples) -> None:
        self._job, self._samples = job, samples
        self._problem = samples.problem(job.network, job.estimator._conventions(job.theta.dtype))
        self._offset = samples.mean_offset()
        self._scorers = make_scorers(job.estimator.scoring)

    def measure(self, flat: Array, scored: bool) -> dict[str, float]:
        """The loss and the scores at these parameters; with `scored` the one to watch, as "score"."""
        finite = bool(np.isfinite(flat).all())
        loss = self._problem.loss(flat) + self._offset if finite else float("nan")
        scores = self._samples.scores(self._estimator_at(flat), self._scorers) if self._scorers else {}
        measured = {"validation_loss": loss} | {f"validation_{name}": s for name, s in scores.items()}
        if scored:
            watched = next(iter(scores.values()), None)
            if watched is None:  # the accuracy or R^2
                watched = self._samples.score_at(self._job.network, flat, self._estimator_at)
            measured["score"] = watched
        return measured

    def _estimator_at(self, flat: Array) -> Any:
        model = self._job.estimator_at(flat.copy())
        model.__dict__.pop("mean_", None)  # the samples are as those trained on
        return model


def validation_samples(job: Job) -> HeldOut | None:
    """`validation_data`, the caller's own samples, checked; None where there are none."""
    estimator, came = job.estimator, job.validation
    if came is None:
        if estimator.scoring is not None and not estimator.early_stopping:
            raise InputError(
                "scoring is measured on samples held out: give validation_data=(X, y) to fit, or use "
                "early_stopping=True."
            )
        return None
    given = came if isinstance(came, (tuple, list)) else (came,)
    try:
        if given is came and len(given) not in (2, 3):
            raise InputError(
                f"expected (X, y) or (X, y, sample_weight), got a {type(came).__name__} of {len(given)}."
            )
        samples = samples_of(estimator, *given)
        samples.check()
        samples.code(job.theta.dtype)
    except ValueError as error:
        raise InputError(f"validation_data: {error}") from error
    except TypeError as error:
        raise InputTypeError(f"validation_data: {error}") from error
    return HeldOut(job, samples)
