"""Floor 7: one call of `fit`, ready to be solved, and its data in the engine's hands."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from scipy.sparse import issparse

from glassnet.activations import Array
from glassnet.batches import Batches, NativeBatches, NumpyBatches
from glassnet.cores import thread_count
from glassnet.data import choose_engine
from glassnet.engine import NativeProblem, NumpyProblem, Problem
from glassnet.estimators.heldout import Samples
from glassnet.estimators.talk import Talk
from glassnet.estimators.tasks import Tasks
from glassnet.network import Network, Parameters
from glassnet.penalties import Penalties

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""

Snapshots = Callable[[Array], dict[str, Any]]
"""A function of flat parameters: the attributes of an estimator that stands there."""


class Job(NamedTuple):
    """What a solver is given; `theta` is changed in place."""

    estimator: Any
    network: Network
    theta: Parameters
    samples: Samples
    random: RandomState
    first: bool
    """Whether nothing of an earlier fit is gone on with."""
    incremental: bool
    validation: Any
    talk: Talk
    tasks: Tasks | None
    at: Snapshots


def operations(network: Network, n_samples: int) -> float:
    """About how many a pass forward and back over the samples takes."""
    units = sum(network.sizes[1:])
    return n_samples * (6.0 * network.n_parameters + 60.0 * units)


def penalties_of(estimator: Any) -> Penalties:
    """Those of a batch whose weights sum to 1."""
    return Penalties(float(estimator.l1), float(estimator.alpha))


def _engine_of(job: Job, samples: Samples) -> str:
    return "numpy" if issparse(samples.X) else choose_engine(job.network, "auto")[0]


def make_batches(job: Job, samples: Samples, dropout: tuple[float, ...]) -> Batches:
    """The samples, which have been checked, to be trained on in batches."""
    estimator, n = job.estimator, samples.X.shape[0]
    size = min(200, n)
    if estimator.batch_size != "auto":
        if estimator.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=2,
            )
        size = min(int(estimator.batch_size), n)
    name = _engine_of(job, samples)
    kept = (job.network, *samples, samples.X.dtype, "mean", size, dropout)
    # More threads come with the epochs, where there are enough to do.
    native = name == "native"
    batches: Batches = NativeBatches(*kept, threads=1) if native else NumpyBatches(*kept)
    batches.penalties = penalties_of(estimator)
    batches.conventions = estimator._conventions(samples.X.dtype)
    return batches


def make_problem(job: Job, samples: Samples) -> Problem:
    """The samples, which have been checked, as one batch without penalties."""
    name = _engine_of(job, samples)
    kept = (job.network, *samples, samples.X.dtype, "mean", (0.0,) * len(job.network.hidden))
    problem: Problem
    if name == "native":
        large = operations(job.network, samples.X.shape[0]) > WORTHWHILE
        problem = NativeProblem(*kept, threads=thread_count(job.estimator.n_threads) if large else 1)
    else:
        problem = NumpyProblem(*kept)
    problem.conventions = job.estimator._conventions(np.dtype(samples.X.dtype))
    return problem
