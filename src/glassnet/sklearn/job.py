"""One call of `fit`, ready to be solved, and its data in the engine's hands."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.sparse import issparse

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.engine.records import Arrays
from glassnet.nn.network import Network, Parameters
from glassnet.optim.penalties import Penalties
from glassnet.sklearn.callbacks import FitTasks, Verbosity
from glassnet.sklearn.streaming import mean_over

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""


class Samples(NamedTuple):
    """Data as the engine takes them: X, maybe sparse, class numbers or rows, and weights or None."""

    X: Array
    target: NDArray[Any]
    weights: Array | None

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return int(self.X.shape[0])

    def take(self, rows: NDArray[np.intp]) -> Samples:
        """Some of them."""
        weights = None if self.weights is None else self.weights[rows]
        return Samples(self.X[rows], self.target[rows], weights)


Snapshots = Callable[[Array], dict[str, Any]]
"""A function of flat parameters: the attributes of an estimator that stands there."""


class Job(NamedTuple):
    """What a solver is given; `theta` is changed in place."""

    estimator: Any
    network: Network
    theta: Parameters
    samples: Samples | Dataset
    random: RandomState
    first: bool
    """Whether nothing of an earlier fit is gone on with."""
    incremental: bool
    validation: Any
    talk: Verbosity
    tasks: FitTasks | None
    at: Snapshots


def operations(network: Network, n_samples: int) -> float:
    """About how many a pass forward and back over the samples takes."""
    units = sum(network.sizes[1:])
    return n_samples * (6.0 * network.n_parameters + 60.0 * units)


def penalties_of(estimator: Any) -> Penalties:
    """Those of a batch whose weights sum to 1."""
    return Penalties(float(estimator.l1), float(estimator.alpha))


def mean_offset(job: Job, samples: Samples | Dataset) -> float:
    """What the samples' mean loss is reported with, beside the engine's."""
    value = job.estimator._offset()
    if value is None:
        return 0.0
    if isinstance(samples, Dataset):
        return mean_over(samples, lambda block: value(block.y), None, job.estimator.n_threads)
    return float(np.average(value(samples.target), weights=samples.weights))


def _prepare(
    job: Job, samples: Samples | Dataset, threads: int | None, settings: dict[str, Any]
) -> Problem | Batches:
    """The samples, which have been checked, in the hands of an engine."""
    settings = {"conventions": job.estimator._conventions(job.theta.dtype), "threads": threads, **settings}
    if isinstance(samples, Dataset):
        return prepare_problem(job.network, samples, ProblemSettings(dtype=job.theta.dtype, **settings))
    engine = "numpy" if issparse(samples.X) else "auto"
    settings |= {"dtype": samples.X.dtype, "engine": engine}
    return prepare_problem(job.network, Arrays(*samples), ProblemSettings(**settings))


def make_batches(job: Job, samples: Samples | Dataset, dropout: tuple[float, ...]) -> Batches:
    """The samples, which have been checked, to be trained on in batches."""
    estimator, n = job.estimator, samples.n_rows
    size = min(200, n)
    if estimator.batch_size != "auto":
        if estimator.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=2,
            )
        size = min(int(estimator.batch_size), n)
    # More threads come with the epochs, where there are enough to do.
    threads = estimator.n_threads if isinstance(samples, Dataset) else 1
    settings = {"batch_size": size, "dropout": dropout, "penalties": penalties_of(estimator)}
    batches = _prepare(job, samples, threads, settings)
    assert isinstance(batches, Batches)
    return batches


def make_problem(job: Job, samples: Samples | Dataset) -> Problem:
    """The samples, which have been checked, as one batch without penalties."""
    small = not isinstance(samples, Dataset) and operations(job.network, samples.n_rows) <= WORTHWHILE
    problem = _prepare(job, samples, 1 if small else job.estimator.n_threads, {})
    assert isinstance(problem, Problem)
    return problem
