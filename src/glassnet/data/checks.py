"""Checks of data for a network (targets, weights, precision, engine), and an excerpt of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet import native
from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.fixed_order import BLOCK_ROWS, row_blocks
from glassnet.data.reduce import Block
from glassnet.data.source import LEAST_ROWS
from glassnet.errors import EngineError, InputError, InputTypeError, unknown_name
from glassnet.nn import reference
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import LOSSES
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_dtype, as_numbers, as_vector

REDUCTIONS = ("mean", "sum")

ENGINES = ("auto", "native", "numpy")

EXCERPT_ROWS, EXCERPT_BYTES = 1000, 4 << 20
"""The most rows of an `Excerpt`, and the bytes of its X, unless these are fewer than `LEAST_ROWS` rows."""

_GOLDEN = (math.sqrt(5) - 1) / 2


class CheckedData(NamedTuple):
    """Validated targets and weights for a network.

    `weights` are the sample weights times those of the classes. `baseline` is the summed loss where the
    output layer's Z is 0 everywhere.
    """

    y: NDArray[Any]
    weights: Array | None
    baseline: float
    class_weight: tuple[float, ...] | None = None


def check_data(
    network: Network, data: InMemory, dtype: DTypeLike | None, class_weight: object = None
) -> CheckedData:
    """Check a dataset for a network; raises as `prepare` does."""
    data.require_width(network.sizes[0])
    targets, sample_weights = data.targets(network), data.weights
    weights, of_classes = sample_weights, None
    if class_weight is not None:
        if network.loss.target != "class" or targets.ndim != 1:
            raise InputError(
                f"class_weight is for a softmax whose y are class numbers or one-hot rows; the "
                f"loss here is {network.loss}, y has shape {targets.shape}. Use sample_weight."
            )
        of_classes = as_class_weights(class_weight, np.bincount(targets, minlength=network.sizes[-1]))
        with np.errstate(over="ignore"):
            weights = with_class_weights(sample_weights, of_classes, targets)
        if weights is not None and not weights.any():
            raise InputError("class_weight leaves every sample a weight of 0; at least one must count.")
    if weights is not None:
        with np.errstate(over="ignore"):
            check_size(weights.max(), weights.sum(dtype=np.float64), as_dtype(dtype, data))
    baseline = 0.0
    for rows in row_blocks(data.n_rows):
        Y = target_rows(targets[rows], network.sizes[-1], np.dtype(np.float64))
        w = None if weights is None else weights[rows]
        with np.errstate(over="ignore"):  # an infinite loss is refused before the first update
            baseline += reference.loss(np.zeros_like(Y), Y, network.loss, w)
    known = None if of_classes is None else tuple(of_classes.tolist())
    return CheckedData(targets, weights, baseline, known)


def missing_in_native(network: Network) -> str:
    """What the network needs and the native engine lacks, in words; "" where it lacks nothing."""
    if native.module is None:
        return f"the native engine is not available: {native.reason}"
    for record in network.hidden:
        if ACTIVATIONS.get(record.name) is not record:
            return f"the activation {record.name!r} is your own, which runs on the NumPy engine"
    if not network.loss.is_built_in:
        own = "" if network.loss.is_ours else " is your own, which"
        return f"the loss {network.loss.name!r}{own} runs on the NumPy engine"
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


def choose_engine(
    network: Network, engine: str, freeze: Sequence[int] = ()
) -> tuple[Literal["native", "numpy"], str]:
    """The engine to use, and why; EngineError where "native" is asked for and is not possible."""
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    if engine == "numpy":
        return "numpy", "asked for"
    missing = missing_in_native(network)
    if freeze and not missing:
        missing = "layers are frozen, which the NumPy engine can do"
    if not missing:
        return "native", "asked for" if engine == "native" else "it is the fastest"
    if engine == "native":
        raise EngineError(
            f'engine="native" cannot be used: {missing}. Use engine="numpy" or "auto", or see '
            f"glassnet info."
        )
    return "numpy", missing


def target_rows(y: NDArray[Any], n_outputs: int, dtype: np.dtype[Any]) -> Array:
    """Class numbers as one-hot rows; rows as they are; all of `dtype`."""
    if y.ndim == 2:
        return y.astype(dtype, copy=False)
    rows = np.zeros((len(y), n_outputs), dtype)
    rows[np.arange(len(y)), y] = 1
    return rows


def check_size(most: float, total: float, dtype: np.dtype[Any]) -> None:
    """Raise InputError for weights that all vanish in the dtype, or whose sum overflows."""
    tiny, largest = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    if most < tiny or most <= largest < total:  # a weight above that is named when it is cast
        raise InputError(
            f"The samples' weights are up to {most:.3g} and sum to {total:.3g}, which "
            f"{dtype.name} cannot hold; multiply them by a number that makes them about 1."
        )


def fingerprint(X: Any, y: NDArray[Any], weights: Array | None) -> tuple[float, ...]:
    """Numbers that recognize data again: n, and of X, y and the weights the sum and the sum by position.

    The latter tells another order apart, on which batches depend. `scan.scan` computes the same.
    """
    n = len(X)
    own = np.broadcast_to(1.0, n) if weights is None else weights
    sums: list[float] = []
    with np.errstate(over="ignore", invalid="ignore"):
        for array in (X, y, own):
            total = by_position = 0.0
            step = max(1, BLOCK_ROWS * n // array.size)
            for start in range(0, n, step):
                rows = array[start : start + step].astype(np.float64)
                total += rows.sum()
                by_position += (np.arange(start, start + len(rows)) / n @ rows).sum()
            sums += total, by_position
    return float(n), *map(float, sums)


def same_data(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    """Whether two fingerprints are of the same data; sums in another layout differ by rounding."""
    if len(first) != len(second):
        return False
    return bool(np.allclose(first, second, rtol=1e-6, atol=1e-6, equal_nan=True))


# ---- Weights of classes ---------------------------------------------------------------------------


BALANCED = "balanced"


def as_class_weights(class_weight: object, counts: NDArray[np.integer]) -> Array:
    """The weight of each class, (n_classes,), which multiplies the sample weights, from the counts.

    "balanced" is ``n / (C count)`` for a class with `count` of the n samples, where C classes occur,
    as in scikit-learn: every class then counts as much as any other. Else `class_weight` is a mapping from
    class numbers, or a sequence, of weights from 0 up.

    Raises InputError for a class that occurs without a weight, where scikit-learn takes 1, and for a number
    that is no class.

    >>> import numpy as np
    >>> from glassnet.data.checks import as_class_weights
    >>> as_class_weights("balanced", np.array([3, 1])).round(3).tolist()
    [0.667, 2.0]
    """
    n_classes = len(counts)
    if isinstance(class_weight, str):
        if class_weight != BALANCED:
            raise InputError(
                f"class_weight is {class_weight!r}; expected {BALANCED!r}, or a weight for each class such "
                f"as {{0: 1.0, 1: 5.0}}."
            )
        present = counts > 0
        return np.where(present, counts.sum() / (present.sum() * np.maximum(counts, 1)), 1.0)
    if isinstance(class_weight, Mapping):
        weights = np.full(n_classes, np.nan)
        for number, weight in class_weight.items():
            whole = isinstance(number, (int, np.integer)) and not isinstance(number, bool)
            if not whole or not 0 <= number < n_classes:
                raise InputError(
                    f"class_weight has a weight for {number!r}; expected class numbers from 0 to "
                    f"{n_classes - 1}."
                )
            weights[number] = as_vector([weight], f"class_weight[{number}]", 1)[0]
        missing = np.flatnonzero(np.isnan(weights) & (counts > 0))
        if missing.size:
            raise InputError(
                f"class_weight has no weight for class {missing[0]}, which {counts[missing[0]]} sample(s) "
                f"are of; give every class one."
            )
        weights[np.isnan(weights)] = 1.0
    else:
        if not isinstance(class_weight, (list, tuple, np.ndarray)):
            raise InputTypeError(
                f"class_weight is {BALANCED!r}, a mapping from class numbers to weights or a list of "
                f"weights, not {class_weight!r}."
            )
        weights = as_numbers(class_weight, "class_weight").astype(np.float64)
        if weights.shape != (n_classes,):
            raise InputError(
                f"class_weight has shape {weights.shape}; expected ({n_classes},), one for each class."
            )
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if bad.size:
        raise InputError(
            f"class_weight has {weights[bad[0]]} for class {bad[0]}; expected finite numbers from 0 up."
        )
    return weights


def with_class_weights(
    weights: Array | None, of_classes: object, targets: NDArray[Any]
) -> NDArray[Any] | None:
    """Sample weights times the weight of each sample's class; None where there are neither."""
    if of_classes is None:
        return weights
    if targets.ndim != 1:
        raise InputError(
            f"y of shape {targets.shape} has no classes; class_weight needs class numbers or one-hot rows."
        )
    per_sample: NDArray[Any] = np.asarray(of_classes)[targets]
    return per_sample if weights is None else weights * per_sample


# ---- What is known of the samples afterwards ------------------------------------------------------


class Excerpt(NamedTuple):
    """Some rows, evenly from all of a dataset, copied: `excerpt_rows`, X in the precision of training.

    X may be sparse, y are targets as a network takes them, `names` are the inputs'.
    """

    X: Any
    y: NDArray[Any]
    w: NDArray[Any] | None
    names: tuple[str, ...] | None = None

    @classmethod
    def of(cls, samples: Block, dtype: np.dtype[Any], names: tuple[str, ...] | None = None) -> Excerpt:
        """The excerpt of all samples in memory."""
        X, y, w = samples
        rows = excerpt_rows(*X.shape)
        return cls(X[rows].astype(dtype, copy=False), y[rows], None if w is None else w[rows], names)

    def inputs(self) -> NDArray[np.float64]:
        """X as an array, row by row, so that its sums have one order."""
        return np.ascontiguousarray(self.X.toarray() if hasattr(self.X, "toarray") else self.X, np.float64)


def excerpt_rows(
    n_rows: int, n_inputs: int, rows: int = EXCERPT_ROWS, size: int = EXCERPT_BYTES
) -> NDArray[np.int64]:
    """The rows of an excerpt: all where they are few, else evenly spread over all.

    They are at most `rows`, and their X takes at most `size` bytes in float64.
    """
    most = min(rows, max(LEAST_ROWS, size // (8 * n_inputs)))
    if n_rows <= most:
        return np.arange(n_rows)
    few = n_rows < 2 * most
    part = np.arange(n_rows - most if few else most)
    # One row of each of equal parts, of two rows or more; no period of the rows fits the golden ratio.
    spread = ((part + part * _GOLDEN % 1) * (n_rows / len(part))).astype(np.int64)
    return np.delete(np.arange(n_rows), spread) if few else spread


class Summary(NamedTuple):
    """What is known of samples that are not looked at again: an excerpt, and columns that never vary.

    `constant` has the columns of one value in all rows, two or more, and the value; none where nobody has
    looked.
    """

    excerpt: Excerpt
    constant: Mapping[int, float] = MappingProxyType({})


def columns_of_one_value(X: Any, among: Iterable[int] | None = None) -> dict[int, float]:
    """The columns of X in memory, all or some, that have one value in all rows, and the value."""
    if not hasattr(X, "__getitem__") or hasattr(X, "toarray"):
        return {}
    first = X[0]
    same = first == X[-1]
    if not same.any():  # nearly all data end here
        return {}
    places = np.arange(X.shape[1]) if among is None else np.array([*among], np.intp)
    places = places[same[places]]
    for rows in row_blocks(len(X), X.shape[1]):
        if not len(places):
            break
        places = places[(X[rows][:, places] == first[places]).all(axis=0)]
    return {int(place): float(first[place]) for place in places}
