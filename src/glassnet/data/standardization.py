"""Rows that are measured in one pass and standardized, in memory or wherever they are read."""

from __future__ import annotations

from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.data.arrays import InMemory
from glassnet.data.fixed_order import Floats, Moments, MomentsTree, leaf_rows, moments
from glassnet.data.reduce import BadRow, Block, Change, Reduction, State
from glassnet.data.scan import check_block
from glassnet.data.source import LEAST_ROWS, Dataset, MappedDataset
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network
from glassnet.utils.array_checks import as_dtype, as_matrix, as_target, as_vector

_DOUBLE = np.dtype(np.float64)


class StandardizedDataset(MappedDataset):
    """A dataset whose inputs come as (x - mean) / scale, computed in float64, by column."""

    def __init__(
        self, dataset: Dataset, mean: Floats, scale: Floats, constant: NDArray[np.bool_] | None = None
    ) -> None:
        super().__init__(dataset, partial(_standardized, mean=mean, scale=scale))
        self.mean, self.scale = self.standardization = mean, scale
        self.constant = constant

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
        known = measured(dataset)
        return StandardizedDataset(dataset, known.center, known.scale, known.constant)
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
    """The moments of each input over all rows, read once; streamed rows have the bits of rows in memory.

    Raises InputError for a value that is missing or not finite, and for columns too large to be averaged.
    """
    if isinstance(dataset, InMemory):
        total = moments(dataset.X[:])
        total.check_finite(dataset.column)
        return total
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


# ---- What a run keeps of it -----------------------------------------------------------------------


class Scaling(NamedTuple):
    """Means and deviations of the rows trained on: the network learns from (x - mean) / scale.

    `mean`, `scale` and `constant` are (inputs,): a column that never varied is `constant`, has scale 1, and
    weights of 0, so that it moves no prediction. `target_mean` and `target_scale` are (outputs,), 0 and 1
    where targets are learned as they are: classes, labels and counts.
    """

    mean: Floats
    scale: Floats
    constant: NDArray[np.bool_]
    target_mean: Floats
    target_scale: Floats

    @classmethod
    def of_inputs(
        cls, network: Network, mean: Floats, scale: Floats, constant: NDArray[np.bool_] | None = None
    ) -> Scaling:
        """The scaling of X alone."""
        outputs = network.sizes[-1]
        constant = np.zeros(len(mean), bool) if constant is None else constant
        return cls(mean, scale, constant, np.zeros(outputs), np.ones(outputs))

    @classmethod
    def of_moments(cls, network: Network, known: Moments) -> Scaling:
        """The scaling of X alone by the moments of its columns."""
        return cls.of_inputs(network, known.center, known.scale, known.constant)

    @classmethod
    def measured(cls, network: Network, dataset: Dataset, targets: bool = True) -> Scaling:
        """The scaling of the rows to train on: of X and, with `targets`, of y where it holds quantities.

        Sample weights do not count. Raises InputError for columns too large to be averaged.
        """
        if dataset.standardization is not None:
            known = cls.of_inputs(network, *dataset.standardization, dataset.constant)
        else:
            known = cls.of_moments(network, measured(dataset))
        if not targets or network.output.name != "identity":
            return known
        if isinstance(dataset, InMemory):
            values = measured(InMemory(dataset.targets(network)))
        else:
            values = measured(_TargetsDataset(dataset, network.sizes[-1]))
        return known._replace(target_mean=values.center, target_scale=values.scale)

    def as_arrays(self) -> dict[str, Floats]:
        """The numbers as a file holds them; `from_arrays` makes an equal scaling of them."""
        return {
            "scaling_inputs": np.stack([self.mean, self.scale, self.constant]),
            "scaling_y": np.stack([self.target_mean, self.target_scale]),
        }

    @classmethod
    def from_arrays(cls, network: Network, inputs: Floats, targets: Floats) -> Scaling:
        """What `as_arrays` gave; InputError for numbers that do not fit the network."""
        fits = inputs.shape == (3, network.sizes[0]) and targets.shape == (2, network.sizes[-1])
        fits = fits and bool(np.isfinite(inputs).all() and np.isfinite(targets).all())
        if not (fits and (inputs[1] > 0).all() and (targets[1] > 0).all()):
            raise InputError("the scaling does not fit")
        return cls(inputs[0], inputs[1], inputs[2] != 0, *targets)

    @property
    def moves_targets(self) -> bool:
        """Whether targets are scaled."""
        return bool(self.target_mean.any() or (self.target_scale != 1).any())

    def inputs(self, X: object) -> NDArray[Any]:
        """X, (n, inputs), as the network learned from it; computed in float64, in X's own precision."""
        matrix = as_matrix(X, width=len(self.mean))
        return np.ascontiguousarray((matrix - self.mean) / self.scale, as_dtype(None, matrix))

    def targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """Quantities, (n,) or (n, outputs), as the network learned them."""
        return (y - self.target_mean) / self.target_scale if self.moves_targets else y

    def values(self, Y_hat: NDArray[Any]) -> NDArray[Any]:
        """The network's outputs, (n, outputs), in the unit of y and their own precision."""
        if not self.moves_targets:
            return Y_hat
        return (Y_hat * self.target_scale + self.target_mean).astype(Y_hat.dtype, copy=False)

    def applied(self, dataset: Dataset, targets: bool = True) -> Dataset:
        """The dataset with inputs scaled, and targets too; inputs that were standardized alike stay.

        Raises InputError for rows that were standardized by other numbers.
        """
        if isinstance(dataset, InMemory):
            X = np.ascontiguousarray((dataset.X[:] - self.mean) / self.scale, as_dtype(None, dataset.X))
            y = self.targets(dataset.y) if targets and dataset.y is not None else dataset.y
            return InMemory(X, y, dataset.weights, dataset.names)
        if dataset.standardization is None:
            dataset = StandardizedDataset(dataset, self.mean, self.scale, self.constant)
        elif not dataset.is_standardized_by(self.mean, self.scale):
            raise InputError(
                "These rows are standardized by other means and scales than those that the run learned "
                "from. Leave standardize out of gn.stream: the run scales by itself."
            )
        if targets and self.moves_targets and dataset.targeted:
            dataset = MappedDataset(dataset, partial(_with_targets, scaling=self))
        return dataset


def _with_targets(block: Block, scaling: Scaling) -> Block:
    return block._replace(y=scaling.targets(block.y.astype(np.float64)))


class _TargetsDataset(MappedDataset):
    """The targets of a dataset, (n, outputs), as its inputs."""

    def __init__(self, dataset: Dataset, outputs: int) -> None:
        super().__init__(dataset, partial(_targets_as_inputs, outputs=outputs))
        self.n_inputs, self.names, self.standardization = outputs, None, None

    def column(self, place: int) -> str:
        return "y" if self.n_inputs == 1 else f"y, column {place},"

    def change(self, dtype: np.dtype[Any] | None) -> Change:
        return self._change, None


def _targets_as_inputs(block: Block, outputs: int) -> Block:
    Y = as_target(block.y, len(block.y), outputs, "real")
    return Block(Y.astype(np.float64, copy=False), block.y, block.w)
