"""A network's data, checked once, and the engine that is to take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.data.class_weights import as_class_weights
from glassnet.errors import EngineError, InputError, unknown_name
from glassnet.nn import reference
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import LOSSES
from glassnet.nn.network import Network, as_network
from glassnet.utils.array_checks import as_dtype, as_matrix, as_target, as_vector

REDUCTIONS = ("mean", "sum")

ENGINES = ("auto", "native", "numpy")

PACKED_ROWS = 1 << 16  # rows cast at a time, so that casting never holds a second copy of X
_PACKED_ENTRIES = 1 << 20


@dataclass(frozen=True, eq=False)
class Taken:
    """Rows of an X that has been checked, as the engines read them: a block at a time, never all copied."""

    whole: NDArray[Any]
    rows: NDArray[np.int64]

    @property
    def shape(self) -> tuple[int, int]:
        """As an array's."""
        return len(self.rows), self.whole.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """As an array's."""
        return self.whole.dtype

    @property
    def size(self) -> int:
        """As an array's."""
        return len(self.rows) * self.whole.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        rows = self.rows[index]
        # A third of the time of an index; but of an array in another order it would first copy all.
        if isinstance(self.whole, np.ndarray) and self.whole.flags.c_contiguous:
            return np.asarray(self.whole).take(rows, axis=0)
        return self.whole[rows]

    def astype(self, dtype: np.dtype[Any], copy: bool = True) -> NDArray[Any]:
        """All rows, copied once."""
        return self.whole[self.rows].astype(dtype, copy=False)


class Data(NamedTuple):
    """Data that have been checked, as they came, and what is to be done with them."""

    X: NDArray[Any]
    y: NDArray[Any]
    weights: Array | None
    dtype: np.dtype[Any]
    engine: Literal["native", "numpy"]
    reason: str
    baseline: float
    """The summed loss where the output layer's Z is 0 everywhere."""
    own_weights: Array | None = None
    """The samples' weights without those of their classes."""
    class_weight: tuple[float, ...] | None = None


def check_data(
    network: Network,
    X: object,
    y: object,
    dtype: DTypeLike | None,
    reduction: str,
    sample_weight: object,
    engine: str,
    class_weight: object = None,
) -> Data:
    """Check a network's data once; no copy is made of an array. Raises as `prepare` does."""
    as_network(network)
    if reduction not in REDUCTIONS:
        raise unknown_name("reduction", reduction, REDUCTIONS)
    inputs: Any = X if isinstance(X, Taken) else as_matrix(X, width=network.sizes[0])
    n = len(inputs)
    if n == 0:
        raise InputError(f"X is empty, shape {inputs.shape}; expected at least one sample.")
    targets = as_target(y, n, network.sizes[-1], network.loss.target)
    own = weights = None if sample_weight is None else _sample_weight(sample_weight, n)
    each = None
    if class_weight is not None:
        if network.loss.target != "class" or targets.ndim != 1:
            raise InputError(
                f"class_weight is for a softmax whose y are class numbers or one-hot rows; the "
                f"loss here is {network.loss}, y has shape {targets.shape}. Use sample_weight."
            )
        each = as_class_weights(class_weight, targets, network.sizes[-1])
        with np.errstate(over="ignore"):
            weights = each[targets] if own is None else own * each[targets]
        if not weights.any():
            raise InputError("class_weight leaves every sample a weight of 0; at least one must count.")
    precision = as_dtype(dtype, inputs)
    if weights is not None:
        with np.errstate(over="ignore"):
            check_size(weights.max(), weights.sum(dtype=np.float64), precision)
    name, why = choose_engine(network, engine)
    baseline = 0.0
    for rows in row_blocks(n):
        Y = target_rows(targets[rows], network.sizes[-1], np.dtype(np.float64))
        w = None if weights is None else weights[rows]
        with np.errstate(over="ignore"):  # an infinite loss is refused before the first update
            baseline += reference.loss(np.zeros_like(Y), Y, network.loss, w)
    known = None if each is None else tuple(each.tolist())
    return Data(inputs, targets, weights, precision, name, why, baseline, own, known)


def missing_in_native(network: Network) -> str:
    """What this network needs that the native engine lacks, in words; "" where it lacks nothing."""
    if native.module is None:
        return f"the native engine is not available: {native.reason}"
    for record in network.hidden:
        if ACTIVATIONS.get(record.name) is not record:
            return f"the activation {record.name!r} is your own, which runs on the NumPy engine"
    if not network.loss.is_built_in:
        return f"the loss {network.loss.name!r} is your own, which runs on the NumPy engine"
    return ""


def check_factor(network: Network) -> None:
    """Raise InputError for a loss whose second derivative by Z is not known as a sum of products."""
    if network.loss.factor is None:
        known = ", ".join(loss.name for loss in LOSSES.values() if loss.factor is not None)
        raise InputError(
            f"The Gauss-Newton matrix takes the second derivative of the loss by Z, which {known} have; "
            f"the loss here is {network.loss}. Use gn.LBFGS(), which needs the gradient alone, or give a "
            f"loss of your own its `factor`."
        )


def choose_engine(network: Network, engine: str) -> tuple[Literal["native", "numpy"], str]:
    """The engine to use and why, or an EngineError when "native" is asked for and cannot be had."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "numpy":
        return "numpy", "asked for"
    missing = missing_in_native(network)
    if not missing:
        return "native", "asked for" if engine == "native" else "it is the fastest"
    if engine == "native":
        raise EngineError(
            f'engine="native" cannot be used: {missing}. Use engine="numpy" or "auto", or see '
            f"glassnet info."
        )
    return "numpy", missing


def row_blocks(n: int, width: int = 1) -> Iterator[slice]:
    """Slices that cover n rows, a bounded number of them, and of entries of that width, at a time."""
    step = max(1, min(PACKED_ROWS, _PACKED_ENTRIES // width))
    return (slice(start, start + step) for start in range(0, n, step))


def ranges_of(n: int) -> list[tuple[int, int]]:
    """Rows in at most 32 parts, each of whole blocks of `PACKED_ROWS` but for the last one."""
    blocks = -(-n // PACKED_ROWS)
    count = min(32, blocks)
    edges = [min(n, blocks * i // count * PACKED_ROWS) for i in range(count + 1)]
    return [*pairwise(edges)]


def weight_of(w: NDArray[Any]) -> float:
    """The sum of weights, block by block: what a pass over rows that do not fit into memory gives too."""
    return sum(float(w[rows].sum()) for rows in row_blocks(len(w)))


def target_rows(y: NDArray[Any], n_outputs: int, dtype: np.dtype[Any]) -> Array:
    """Class numbers as one-hot rows; rows as they are; all of `dtype`."""
    if y.ndim == 2:
        return y.astype(dtype, copy=False)
    rows = np.zeros((len(y), n_outputs), dtype)
    rows[np.arange(len(y)), y] = 1
    return rows


def _sample_weight(sample_weight: object, n: int) -> Array:
    weights = as_vector(sample_weight, "sample_weight", n)
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise InputError(f"sample_weight has {weights[row]} at row {row}; expected 0 or more.")
    if not weights.any():
        raise InputError("sample_weight is 0 everywhere; at least one sample must count.")
    return weights


def check_size(most: float, total: float, dtype: np.dtype[Any]) -> None:
    """Refuse weights that all vanish in the precision to compute in, or whose sum overflows."""
    tiny, largest = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    if most < tiny or most <= largest < total:  # a weight above that is named when it is cast
        raise InputError(
            f"The samples' weights are up to {most:.3g} and sum to {total:.3g}, which "
            f"{dtype.name} cannot hold; multiply them by a number that makes them about 1."
        )


def fingerprint(data: Data) -> tuple[float, ...]:
    """What recognizes data again: how many, and of X, y and weights the sum, and that by place.

    The second one, of rows by their place among them, tells another order apart, which batches depend on.
    """
    n = len(data.X)
    own = np.broadcast_to(1.0, n) if data.own_weights is None else data.own_weights
    sums: list[float] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for array in (data.X, data.y, own):
            total = by_place = 0.0
            step = max(1, PACKED_ROWS * n // array.size)
            for start in range(0, n, step):
                part = array[start : start + step].astype(np.float64)
                total += part.sum()
                by_place += (np.arange(start, start + len(part)) / n @ part).sum()
            sums += total, by_place
    return float(n), *map(float, sums)


def same_data(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether two fingerprints are of the same data; sums in another layout differ by rounding."""
    return len(one) == len(other) and bool(np.allclose(one, other, rtol=1e-6, atol=1e-6, equal_nan=True))
