"""Data made ready for an engine."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import DTypeLike

from glassnet.data.checks import REDUCTIONS, choose_engine
from glassnet.data.scan import scan
from glassnet.data.source import Dataset
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.predict import check_targets, check_width
from glassnet.engine.streamed_full_batch import StreamedProblem
from glassnet.engine.streamed_minibatch import StreamedBatches
from glassnet.errors import InputError, unknown_name
from glassnet.nn.dropout import as_dropout
from glassnet.nn.network import Network, as_network
from glassnet.optim.penalties import Penalties
from glassnet.utils.array_checks import as_dtype
from glassnet.utils.settings_checks import as_steps
from glassnet.utils.threads import thread_count


def prepare_stream(
    network: Network,
    rows: Dataset,
    batch_size: int | None,
    *,
    dtype: DTypeLike | None = None,
    reduction: str = "mean",
    engine: str = "auto",
    threads: int | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    dropout: float | Sequence[float] = 0.0,
    class_weight: object = None,
) -> Problem | Batches:
    """As `prepare` and `prepare_batches` of rows: reads all of them once, to check them."""
    as_network(network)
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
    penalized, count = Penalties(l1, l2, max_norm), thread_count(threads)
    dropped = as_dropout(dropout, len(network.hidden))
    if any(dropped) and batch_size is None:
        raise InputError("dropout of streamed data needs batches: give a batch_size, such as 256.")
    check_targets(rows)
    check_width(network, rows)
    size = None if batch_size is None else as_steps(batch_size, "batch_size")
    name, why = choose_engine(network, engine)
    precision = as_dtype(dtype, rows)
    known = scan(network, rows, precision, class_weight, count)
    how = network, rows, known, precision, reduction, name, count
    made: Problem | Batches
    if size is None:
        made = StreamedProblem(*how)
        made.baseline = known.baseline / made.divisor
    else:
        streamed = StreamedBatches(*how, batch_size=size, dropout=dropped)
        made = streamed.whole() if streamed.windows == 1 else streamed
        made.baseline = known.baseline / known.weight_sum
        if reduction == "sum":
            made.baseline = known.baseline * made.batch_size / rows.n_rows
    made.engine_reason, made.penalties, made.class_weight = why, penalized, known.class_weight
    return made
