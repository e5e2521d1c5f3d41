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
from glassnet.data.checks import choose_engine
from glassnet.data.reduce import Block
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem, problem_of
from glassnet.engine.minibatch import Batches, batches_of
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.engine.records import Setup
from glassnet.nn.network import Network, Parameters
from glassnet.optim.loss_conventions import Conventions
from glassnet.optim.penalties import NO_PENALTIES, Penalties
from glassnet.sklearn.callbacks import FitTasks, Verbosity
from glassnet.sklearn.prediction import MLPPredictor
from glassnet.sklearn.streaming import mean_over
from glassnet.utils.threads import thread_count

WORTHWHILE = 2e7
"""Operations of a call to the engine below which starting threads takes longer than they save."""


class CodedSamples(InMemory):
    """Checked samples in memory: X, maybe sparse, y as class numbers or rows, and weights or None."""

    y: NDArray[Any]

    def arrays(self) -> Block:
        """The samples as the engines take them."""
        return Block(self.X, self.y, self.weights)

    def subset(self, rows: NDArray[np.intp]) -> CodedSamples:
        """Some of the samples, copied."""
        return CodedSamples(
            self.X[rows], self.y[rows], None if self.weights is None else self.weights[rows]
        )


class Job(NamedTuple):
    """A call of `fit`, whose arguments and samples are checked.

    `dataset` has coded targets; `first` says that this fit continues no earlier one, `incremental`
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
    """Roughly how many operations a pass forward and back over the samples takes."""
    units = sum(network.sizes[1:])
    return n_samples * (6.0 * network.n_parameters + 60.0 * units)


def penalties_of(estimator: MLPPredictor) -> Penalties:
    """The penalties of a batch whose weights sum to 1."""
    return Penalties(float(estimator.l1), float(estimator.alpha))


def mean_offset(job: Job, dataset: Dataset) -> float:
    """The reported mean loss minus the engine's."""
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
    penalties = penalties_of(estimator)
    if isinstance(dataset, CodedSamples):
        # One thread: the policy asks for more of them for epochs that have enough to do.
        setup = _setup(job, dataset, 1, estimator._conventions(job.theta.dtype), penalties, dropout)
        return batches_of(setup, dataset.arrays(), size)
    settings = _settings(job, batch_size=size, dropout=dropout, penalties=penalties)
    batches = prepare_problem(job.network, dataset, settings)
    assert isinstance(batches, Batches)
    return batches


def make_problem(job: Job, dataset: Dataset, conventions: Conventions | None = None) -> Problem:
    """The checked samples as one batch, without penalties; the loss is counted as reported by default."""
    if isinstance(dataset, CodedSamples):
        small = operations(job.network, dataset.n_rows) <= WORTHWHILE
        threads = 1 if small else thread_count(job.estimator.n_threads)
        conventions = conventions or job.estimator._conventions(job.theta.dtype)
        return problem_of(_setup(job, dataset, threads, conventions), dataset.arrays())
    settings = _settings(job) if conventions is None else _settings(job, conventions=conventions)
    problem = prepare_problem(job.network, dataset, settings)
    assert isinstance(problem, Problem)
    return problem


def _settings(job: Job, **settings: Any) -> ProblemSettings:
    dtype, estimator = job.theta.dtype, job.estimator
    settings = {"conventions": estimator._conventions(dtype), "threads": estimator.n_threads, **settings}
    return ProblemSettings(dtype=dtype, **settings)


def _setup(
    job: Job,
    dataset: CodedSamples,
    threads: int,
    conventions: Conventions,
    penalties: Penalties = NO_PENALTIES,
    dropout: tuple[float, ...] | None = None,
) -> Setup:
    """The engine's setup for samples that are checked already, which takes a small fit less time."""
    network, dtype = job.network, dataset.X.dtype
    engine, reason = choose_engine(network, "numpy" if issparse(dataset.X) else "auto")
    dropout = dropout or (0.0,) * len(network.hidden)
    return Setup(network, dtype, engine, reason, threads, "mean", penalties, conventions, dropout)
