"""A call of `fit`: what is trained on which samples, and which are evaluated after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.callbacks import FitTasks, Verbosity
from glassnet.sklearn.samples import Samples, samples_of
from glassnet.sklearn.scoring import make_scorers


class Job(NamedTuple):
    """A call of `fit`, whose arguments are checked and whose samples are coded.

    `first` says that this fit continues no earlier one, `incremental` that this is `partial_fit`.
    `attributes_at` gives the attributes of an estimator with flat parameters.
    """

    estimator: Any
    network: Network
    theta: Parameters
    samples: Samples
    random: RandomState
    first: bool
    incremental: bool
    validation: Any
    verbosity: Verbosity
    tasks: FitTasks | None
    attributes_at: Callable[[Array], dict[str, Any]]

    def estimator_at(self, flat: Array, attributes: dict[str, Any] | None = None) -> Any:
        """A fitted estimator with these parameters, and with what else is known of it."""
        model = object.__new__(type(self.estimator))
        model.__dict__.update({**vars(self.estimator), **(attributes or {}), **self.attributes_at(flat)})
        return model


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
        for name in ("mean_", "_constant"):  # what warns of samples unlike those trained on
            model.__dict__.pop(name, None)
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
    is_sequence = isinstance(came, (tuple, list))
    given = came if is_sequence else (came, None) if hasattr(came, "require_targets") else ()
    if len(given) not in (2, 3):
        kind = type(came).__name__
        raise InputError(
            "validation_data is (X, y) or (X, y, sample_weight), not "
            f"{f'a {kind} of {len(came)}' if is_sequence else kind}."
        )
    try:
        samples = samples_of(estimator, *given)
        samples.check()
        samples.code(job.theta.dtype)
    except ValueError as error:
        raise InputError(f"validation_data: {error}") from error
    except TypeError as error:
        raise InputTypeError(f"validation_data: {error}") from error
    return HeldOut(job, samples)
