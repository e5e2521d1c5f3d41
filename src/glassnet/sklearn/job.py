"""A call of `fit`: what is trained on which samples, and the engine's problems over them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from scipy.sparse import issparse

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.engine.records import Arrays
from glassnet.nn.network import Network, Parameters
from glassnet.optim.loss_conventions import Conventions
from glassnet.optim.penalties import Penalties
from glassnet.sklearn.callbacks import FitTasks, Verbosity
from glassnet.sklearn.prediction import MLPPredictor
from glassnet.sklearn.streaming import mean_over

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""


class CodedSamples(InMemory):
    """Checked samples in memory: X, maybe sparse, y as class numbers or rows, and weights or None."""

    y: NDArray[Any]

    def subset(self, rows: NDArray[np.intp]) -> CodedSamples:
        """Some of the samples, copied."""
        return CodedSamples(
            self.X[rows], self.y[rows], None if self.weights is None else self.weights[rows]
        )


class Job(NamedTuple):
    """A call of `fit`, whose arguments and samples are checked.

    `dataset` has coded targets; `first` says that nothing of an earlier fit is gone on with, `incremental`
    that this is `partial_fit`. `attributes_at` gives the attributes of an estimator with flat parameters.
    """

    estimator: MLPPredictor
    network: Network
    theta: Parameters
    dataset: Dataset
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


def operations(network: Network, n_samples: int) -> float:
    """About how many a pass forward and back over the samples takes."""
    units = sum(network.sizes[1:])
    return n_samples * (6.0 * network.n_parameters + 60.0 * units)


def penalties_of(estimator: MLPPredictor) -> Penalties:
    """The penalties of a batch whose weights sum to 1."""
    return Penalties(float(estimator.l1), float(estimator.alpha))


def mean_offset(job: Job, dataset: Dataset) -> float:
    """What the reported mean loss is more than the engine's."""
    offset = job.estimator._loss_offset()
    if offset is None:
        return 0.0
    if isinstance(dataset, CodedSamples):
        return float(np.average(offset(dataset.y), weights=dataset.weights))
    return mean_over(dataset, lambda block: offset(block.y), None, job.estimator.n_threads)


def make_batches(job: Job, dataset: Dataset, dropout: tuple[float, ...]) -> Batches:
    """The checked samples, to be trained on in batches."""
    estimator, n = job.estimator, dataset.n_rows
    size = min(200, n)
    if not isinstance(estimator.batch_size, str):
        if estimator.batch_size > n:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than sample size. It is going to be clipped",
                stacklevel=2,
            )
        size = min(int(estimator.batch_size), n)
    # In memory the policy asks for more threads for epochs that have enough to do.
    threads = 1 if dataset.in_memory else estimator.n_threads
    penalties = penalties_of(estimator)
    batches = _prepare(job, dataset, threads, batch_size=size, dropout=dropout, penalties=penalties)
    assert isinstance(batches, Batches)
    return batches


def make_problem(job: Job, dataset: Dataset, conventions: Conventions | None = None) -> Problem:
    """The checked samples as one batch, without penalties; the loss is counted as reported by default."""
    small = dataset.in_memory and operations(job.network, dataset.n_rows) <= WORTHWHILE
    problem = _prepare(job, dataset, 1 if small else job.estimator.n_threads, conventions)
    assert isinstance(problem, Problem)
    return problem


def _prepare(
    job: Job, dataset: Dataset, threads: int | None, conventions: Conventions | None = None, **settings: Any
) -> Problem | Batches:
    dtype = job.theta.dtype
    settings |= {"conventions": conventions or job.estimator._conventions(dtype), "threads": threads}
    if not isinstance(dataset, CodedSamples):
        return prepare_problem(job.network, dataset, ProblemSettings(dtype=dtype, **settings))
    settings |= {"dtype": dataset.X.dtype, "engine": "numpy" if issparse(dataset.X) else "auto"}
    arrays = Arrays(dataset.X, dataset.y, dataset.weights)  # checked already
    return prepare_problem(job.network, arrays, ProblemSettings(**settings))
