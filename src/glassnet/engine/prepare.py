"""One preparation: a network and its dataset, in memory or streamed, become a problem of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import DTypeLike

from glassnet.data.arrays import InMemory
from glassnet.data.checks import (
    REDUCTIONS,
    Excerpt,
    Summary,
    check_data,
    choose_engine,
    columns_of_one_value,
    fingerprint,
)
from glassnet.data.reduce import Block
from glassnet.data.scan import scan
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem, problem_of
from glassnet.engine.minibatch import Batches, batches_of
from glassnet.engine.records import Setup
from glassnet.engine.streamed_full_batch import StreamedProblem
from glassnet.engine.streamed_minibatch import StreamedBatches
from glassnet.errors import InputError, unknown_name
from glassnet.nn.dropout import as_dropout
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.optim.loss_conventions import OURS, Conventions
from glassnet.optim.penalties import NO_PENALTIES, Penalties
from glassnet.utils.array_checks import as_dtype
from glassnet.utils.settings_checks import as_steps
from glassnet.utils.threads import thread_count

_MOST_SAMPLES = 2**32 - 1
"""An order of samples in memory holds 32-bit numbers."""


@dataclass(frozen=True, eq=False)
class ProblemSettings:
    """The settings of a problem as they come; the fields are those of `prepare`.

    `batch_size` None prepares the full batch, a number batches of that many samples. `conventions` are
    those of the loss; updates leave the layers of `freeze`, by their numbers from 1, as they are.
    """

    batch_size: int | None = None
    dtype: DTypeLike | None = None
    reduction: str = "mean"
    engine: str = "auto"
    threads: int | None = None
    penalties: Penalties = NO_PENALTIES
    dropout: float | Sequence[float] = 0.0
    class_weight: object = None
    conventions: Conventions = OURS
    freeze: tuple[int, ...] = ()


def prepare_problem(
    network: Network, dataset: Dataset | Block, settings: ProblemSettings
) -> Problem | Batches:
    """The problem of a network and its dataset; a batch_size above the number of samples is that number.

    A `Dataset` is checked; a `Block` of all samples is assumed to be valid. Raises as `prepare` does.
    """
    as_network(network)
    size = None if settings.batch_size is None else as_steps(settings.batch_size, "batch_size")
    if settings.reduction not in REDUCTIONS:
        raise unknown_name("reduction", settings.reduction, REDUCTIONS)
    setup = Setup(
        network,
        as_dtype(settings.dtype, dataset.X if isinstance(dataset, Block) else dataset),
        *choose_engine(network, settings.engine, settings.freeze),
        thread_count(settings.threads),
        settings.reduction,
        settings.penalties,
        settings.conventions,
        as_dropout(settings.dropout, len(network.hidden)),
        freeze=settings.freeze,
    )
    if isinstance(dataset, Block):
        summary = Summary(Excerpt.of(dataset, setup.dtype))
        if size is None:
            return problem_of(setup, dataset, summary)
        return batches_of(setup, dataset, summary, min(size, len(dataset.y)))
    if isinstance(dataset, InMemory):
        return _in_memory(setup, dataset, size, settings.class_weight)
    return _streamed(setup, dataset, size, settings.class_weight)


def _in_memory(
    setup: Setup, dataset: InMemory, size: int | None, class_weight: object
) -> Problem | Batches:
    data, n = check_data(setup.network, dataset, setup.dtype, class_weight), dataset.n_rows
    samples = Block(dataset.X, data.y, data.weights)
    if data.class_weight is not None:
        setup = replace(setup, class_weight=data.class_weight)
    excerpt = Excerpt.of(samples._replace(w=dataset.weights), setup.dtype, dataset.names)
    summary = Summary(excerpt, columns_of_one_value(dataset.X) if n > 1 else {})
    if size is None:
        return problem_of(setup, samples, summary, data.baseline)
    if n > _MOST_SAMPLES:
        raise InputError(f"X has {n} samples; batches are drawn from at most {_MOST_SAMPLES}.")
    size = min(size, n)
    total = n if data.weights is None else float(data.weights.sum())
    baseline = data.baseline / total * (1.0 if setup.reduction == "mean" else total * size / n)
    recognized = fingerprint(dataset.X, data.y, dataset.weights)
    return batches_of(setup, samples, summary, size, baseline, recognized)


def _streamed(setup: Setup, rows: Dataset, size: int | None, class_weight: object) -> Problem | Batches:
    if size is None and any(setup.dropout):
        raise InputError("dropout of streamed data needs batches: give a batch_size, such as 256.")
    rows.require_targets()
    rows.require_width(setup.network.sizes[0])
    known = scan(setup.network, rows, setup.dtype, class_weight, setup.threads)
    setup = replace(setup, class_weight=known.class_weight)
    if size is None:
        return StreamedProblem(setup, rows, known)
    size = min(size, rows.n_rows)
    baseline = known.baseline / known.weight_sum
    if setup.reduction == "sum":
        baseline = known.baseline * size / rows.n_rows
    batches = StreamedBatches(setup, rows, known, size, baseline)
    return batches.whole() if batches.windows == 1 else batches


def prepare(
    network: Network,
    X: object,
    y: object,
    *,
    dtype: DTypeLike | None = None,
    reduction: str = "mean",
    sample_weight: object = None,
    engine: str = "auto",
    threads: int | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    dropout: float | Sequence[float] = 0.0,
    class_weight: object = None,
) -> Problem:
    """Check a network's data once and pack them for an engine.

    X is (n, inputs), y class numbers (n,) or rows, as the loss takes them. l1, l2 and
    max_norm are `Penalties`; dropout is the probability of dropping a hidden unit in a training pass,
    or one for each hidden layer. class_weight, "balanced" or a weight for each class number (see
    `train`), multiplies the sample weights. Nothing that is passed in is changed. Raises InputError or
    InputTypeError for data that cannot be used, saying which row and column, and EngineError if the
    chosen engine is missing or cannot compute this network.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> problem = gn.prepare(net, [[0.0, 1.0], [1.0, 0.0]], [0, 1])
    >>> loss, gradient = problem.loss_and_gradient(np.zeros(net.n_parameters))
    >>> round(loss, 6), gradient.shape
    (0.693147, (17,))

    For SciPy's ``minimize(jac=True)`` and loops of your own; PyTorch and scikit-learn check and copy the
    data, or build the graph, at every call.
    """
    problem = prepare_problem(
        network,
        InMemory.validated(X, y, sample_weight, as_network(network).sizes[0]),
        ProblemSettings(
            dtype=dtype,
            reduction=reduction,
            engine=engine,
            threads=threads,
            penalties=Penalties(l1, l2, max_norm),
            dropout=dropout,
            class_weight=class_weight,
        ),
    )
    assert isinstance(problem, Problem)
    return problem


def loss_and_gradient(
    network: Network,
    theta: Parameters,
    X: object,
    y: object,
    reduction: str = "mean",
    sample_weight: object = None,
    engine: str = "auto",
    threads: int | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
) -> tuple[float, Parameters]:
    """The loss J and its gradient dJ/dtheta, from one pass forward and one back.

    X is (n, inputs). J is the samples' losses, summed (`reduction="sum"`) or divided by the sum of
    the sample weights (`"mean"`), plus the penalty ``l2/2 sum W^2 + l1 sum |W|`` over the weights.
    Computed in the parameters' precision; the loss is a float.

    Raises InputError and InputTypeError for bad input, EngineError if the engine is missing.

    >>> import numpy as np, glassnet as gn
    >>> net = gn.Network((2, 3, 2))
    >>> theta = gn.Parameters(net.sizes, np.zeros(net.n_parameters))
    >>> loss, gradient = gn.loss_and_gradient(net, theta, [[0.0, 1.0]], [1])
    >>> round(loss, 6), gradient.biases[1].tolist()
    (0.693147, [0.5, -0.5])

    For many calls on the same data, `prepare` once and call the problem's method.
    """
    as_network(network)
    theta = network.check_parameters(theta)
    settings: Any = {"sample_weight": sample_weight, "reduction": reduction, "l1": l1, "l2": l2}
    problem = prepare(network, X, y, dtype=theta.dtype, engine=engine, threads=threads, **settings)
    loss, gradient = problem.loss_and_gradient(theta.flat)
    return loss, Parameters(network.sizes, gradient)
