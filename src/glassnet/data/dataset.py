"""Makes one kind of dataset of whatever data a user gives.

A function that takes X, y and sample weights from a user calls `as_dataset` once, and hands the `Dataset`
on. Paths, Dask's collections, mapped files above 1 GiB and what `stream` returned become datasets that are
read a block at a time; arrays, lists and data frames become an `InMemory` dataset, which holds the
validated arrays without a copy. Both have the interface of `source.Dataset`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from glassnet.data.arrays import ArrayDataset, InMemory
from glassnet.data.dask_cluster import ClusterDataset, client_of, is_collection
from glassnet.data.dask_collections import dask_dataset
from glassnet.data.parquet import ParquetDataset, are_paths
from glassnet.data.source import Dataset
from glassnet.data.standardization import standardized
from glassnet.data.tables.prepare import PreparedTable
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.memory import DEFAULT_MEMORY, as_memory

Result = TypeVar("Result")


def stream(
    X: object,
    y: object = None,
    *,
    features: Sequence[str] | None = None,
    sample_weight: object = None,
    standardize: object = False,
    memory: int | str = DEFAULT_MEMORY,
    dask: object = None,
) -> Dataset:
    """A dataset that stays where it lies, and is read a block at a time whenever it is needed.

    `gn.train`, ``run.score`` and ``run.predict`` take the result as their X, without y, and call this
    themselves for a path.

    Parameters
    ----------
    X : a Parquet file, or a folder of them and of folders, taken in the order of their names, or a list of
        either; an array (n, inputs), such as ``numpy.load(path, mmap_mode="r")``; or a Dask array or
        dataframe.
    y : for Parquet and dataframes the target column's name, or a list of names; else an array (n,) or
        (n, outputs), Dask's where X is; None for rows to predict, which need no targets.
    features : for Parquet and dataframes the columns to learn or predict from, in that order; None takes
        all others, without an index that pandas wrote.
    sample_weight : for Parquet and dataframes a column's name; else (n,).
    standardize : True reads all rows once and takes from each input its mean and divides by its standard
        deviation (over n; 1 for a constant) wherever rows are read; the result has both as `mean` and
        `scale`. A pair (mean, scale), such as that of the training rows, is used instead: give it for
        rows to predict.
    memory : the memory that reading may take, in bytes or as text, at least 96 MiB: "256 MiB".
    dask : the cluster that computes the full batch: a scheduler's address, "local" for worker processes on
        this machine, or a ``distributed.Client``. Its workers read a path, and must see it. None computes
        in this process, and Dask's collections on the active client or on a cluster of threads here.

    The full batch has the bits of the same rows in memory, whatever the files, threads and memory. Batches
    come from windows of a sixth of the memory beyond 64 MiB: an epoch takes row groups (2 MiB of an array)
    in a new order, and shuffles the rows of each window. Data that fit into a window are kept in memory.

    Means and deviations are summed by Chan's formula over a tree that depends on the numbers of rows and
    inputs alone; the result of scikit-learn's StandardScaler.partial_fit depends on how the rows are cut. A
    run that has learned from rows standardized here keeps them in ``run.extra["preprocessing"]``, for
    ``glassnet predict``, and predicts for rows that are standardized alike. ``gn.train(...,
    standardize=True)``, with this dataset as well, gives one that takes rows as they come.

    Raises InputError and InputTypeError for what cannot be read, naming file and column.

    >>> import numpy as np, glassnet as gn
    >>> X, y = np.arange(12.0).reshape(6, 2) / 12, [0, 0, 0, 1, 1, 1]
    >>> rows = gn.stream(X, y, memory="128 MiB")
    >>> run = gn.train(gn.Network((2, 3, 2)), rows, random_state=0, iterations=20)
    >>> in_memory = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=20)
    >>> rows, np.array_equal(run.losses, in_memory.losses)
    (6 rows of 2 inputs from an array, True)
    >>> np.array_equal(run.predict(gn.stream(X)), run.predict(X)), run.score(rows) == run.score(X, y)
    (True, True)
    >>> rows = gn.stream(X, y, standardize=True)
    >>> rows.mean.round(3).tolist(), rows.scale.round(3).tolist()
    ([0.417, 0.5], [0.285, 0.285])
    """
    rows = _rows(X, y, features, sample_weight, as_memory(memory), dask)
    return standardized(rows, standardize)


def _rows(
    X: object, y: object, features: Sequence[str] | None, sample_weight: object, limit: int, dask: object
) -> Dataset:
    if isinstance(X, Dataset):
        if y is not None or sample_weight is not None or features is not None:
            raise InputError(
                f"{X.source} is streamed: y, sample_weight and features go into gn.stream(X, y, "
                f"sample_weight=..., features=...) itself. Leave them out here."
            )
        if dask is not None or limit not in (DEFAULT_MEMORY, X.memory):
            raise InputError(
                "memory and dask were set when this dataset was made: pass them to that call, "
                "gn.stream(PATH, ..., memory=..., dask=...)."
            )
        return X
    if is_collection(X):
        return dask_dataset(X, y, features, sample_weight, limit, dask)
    if are_paths(X):
        if sample_weight is not None and not isinstance(sample_weight, str):
            raise InputTypeError("X is a path, so sample_weight must be the name of a column, as y must.")
        rows = ParquetDataset(X, y, features, sample_weight, limit)  # type: ignore[arg-type]  # checked there
        return rows if dask is None else ClusterDataset(rows, client_of(dask))
    if dask is not None:
        raise InputError(
            "dask is for a path, which its workers read, and for Dask's own collections. Make one of the "
            "array: dask.array.from_array(X, chunks=...)."
        )
    if features is not None:
        raise InputError(
            "features names columns of Parquet files and dataframes. Select columns of an array by "
            "X[:, places]."
        )
    for name, value in (("y", y), ("sample_weight", sample_weight)):
        if isinstance(value, str):
            array = (
                f"{name} = X[{value!r}], and X without that column"
                if hasattr(X, "columns")
                else "of numbers"
            )
            raise InputTypeError(
                f"{name} is {value!r}, but X lies in memory, and columns have names only where X is a path "
                f"or Dask's: give {name} as an array, {array}."
            )
    return ArrayDataset(X, y, sample_weight, limit)


def is_stream(X: object) -> bool:
    """Whether X is streamed: a path, a Dask collection, a mapped file above 1 GiB, a dataset."""
    large = isinstance(X, np.memmap) and X.nbytes > DEFAULT_MEMORY
    return large or (isinstance(X, Dataset) and not X.in_memory) or are_paths(X) or is_collection(X)


def in_memory_or_streamed(
    samples: tuple[object, object, object],
    in_memory: Callable[[object, object, object], Result],
    streamed: Callable[[Dataset], Result],
) -> Result:
    """The result of one of two functions: of X, y and weights as they are, or of the dataset to stream.

    For calls that take microseconds in memory, which checks of X would multiply.
    """
    X, y, weights = samples
    if is_stream(X):
        return streamed(stream(X, y, sample_weight=weights))
    return in_memory(X, y, weights)


def as_dataset(
    X: object, y: object = None, sample_weight: object = None, width: int | None = None
) -> Dataset:
    """X, y and sample weights as a dataset: see the top of this module.

    `width` is the number of inputs, where it is known: an error about another shape then says more.

    Raises InputError and InputTypeError for what is no data, or cannot be used by any network.
    """
    if isinstance(X, PreparedTable):
        if y is not None or sample_weight is not None:
            raise InputError(
                "A prepared table has its own targets: give no y and no sample_weight with it."
            )
        return X.dataset()
    if isinstance(X, InMemory) and y is None and sample_weight is None:
        return X
    if is_stream(X):
        return stream(X, y, sample_weight=sample_weight)
    return InMemory.validated(X, y, sample_weight, width)
