"""Inputs that are measured in one pass and standardized wherever they are read."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.fixed_order import Floats, Moments, MomentsTree, leaf_rows
from glassnet.data.preprocessing import Preprocessing
from glassnet.data.reduce import BadRow, Block, Change, Reduction, State
from glassnet.data.scan import check_block
from glassnet.data.source import LEAST_ROWS, Dataset, MappedDataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_vector

_DOUBLE = np.dtype(np.float64)


class StandardizedDataset(MappedDataset):
    """A dataset whose inputs come as (x - mean) / scale, computed in float64, by column."""

    def __init__(self, dataset: Dataset, mean: Floats, scale: Floats) -> None:
        super().__init__(dataset, partial(_standardized, mean=mean, scale=scale))
        self.mean, self.scale = self.standardization = mean, scale

    def inputs(self) -> Dataset:
        return StandardizedDataset(self._dataset.inputs(), self.mean, self.scale)

    def block_rows(self, workers: int) -> int:
        return max(LEAST_ROWS, self._dataset.block_rows(workers) // 2)  # the raw block is there, too

    def preprocessing(self, network: Network) -> dict[str, Any]:
        return standardizing_preprocessing(network, self.mean, self.scale, self.target, self.names)

    def change(self, dtype: np.dtype[Any] | None) -> Change:
        return partial(self._change, dtype=dtype), None if dtype is None else _DOUBLE


def _standardized(block: Block, mean: Floats, scale: Floats, dtype: np.dtype[Any] | None) -> Block:
    if dtype is None:
        return block
    X = block.X - mean
    X /= scale
    return block._replace(X=X).cast(dtype)


def standardized(dataset: Dataset, standardize: object) -> Dataset:
    """The dataset, standardized by its own moments (True), by (mean, scale), or not at all (False).

    Raises InputError for a value that is missing or not finite, and for columns too large to be averaged.
    """
    if standardize is None or standardize is False:
        return dataset
    if dataset.standardization is not None:
        raise InputError("These rows are standardized already; leave standardize out.")
    if standardize is True:
        moments = measured(dataset)
        return StandardizedDataset(dataset, moments.center, moments.scale)
    if not isinstance(standardize, (tuple, list)) or len(standardize) != 2:
        raise InputTypeError(
            f"standardize is True, which measures the inputs, or (mean, scale) of others, not "
            f"{standardize!r}."
        )
    mean, scale = (
        as_vector(values, name, dataset.n_inputs, "input").astype(np.float64)
        for values, name in zip(standardize, ("mean", "scale"), strict=True)
    )
    if not (scale > 0).all():
        raise InputError(f"scale has {scale.min():g}; expected numbers above 0.")
    return StandardizedDataset(dataset, mean, scale)


def standardizing_preprocessing(
    network: Network,
    mean: Floats,
    scale: Floats,
    target: str | None = None,
    names: tuple[str, ...] | None = None,
) -> dict[str, Any]:
    """What a model file keeps of a network that learned from (x - mean) / scale, for `glassnet predict`."""
    kind, outputs = network.loss.target, network.sizes[-1]
    classes = {"class": tuple(range(outputs)), "label": (0, 1)}.get(kind)
    return Preprocessing(
        target or "y",
        "regression" if classes is None else "classification",
        names or tuple(f"x{place + 1}" for place in range(len(mean))),
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        classes,
    ).to_dict()


def measured(dataset: Dataset, threads: int | None = None) -> Moments:
    """The moments of each input over all rows, read once, with the bits of `fixed_order.moments`."""
    trees = dataset.reduce(_MomentsReduction(dataset.n_inputs), None, threads)
    total = reduce(Moments.merged, (tree.total for tree in trees))
    total.check_finite(dataset.column)
    return total


class _MomentsReduction(Reduction):
    """Moments of leaves, whose columns are contiguous whatever the layout of the blocks."""

    dtype = _DOUBLE

    def __init__(self, width: int) -> None:
        self.block, self._width = leaf_rows(width), width

    def begin(self, state: State) -> None:
        super().begin(state)
        self._leaf: NDArray[np.float64] = np.empty((self._width, self.block))

    def keep(self, block: Block, first: int) -> int | BadRow:
        bad = check_block(None, block, first, _DOUBLE)
        if bad is not None:
            return bad
        self._leaf[:, self._count : self._count + len(block.X)] = block.X.T
        return len(block.X)

    def add(self, value: MomentsTree | None, kept: list[int], first: int) -> MomentsTree:
        return (value or MomentsTree()).with_leaf(Moments.of(self._leaf[:, : sum(kept)]))
