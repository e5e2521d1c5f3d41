"""Dask arrays and dataframes as partitions of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dask_cluster import About, DaskDataset, client_of, gathered
from glassnet.data.reduce import Block
from glassnet.data.source import as_labels, choose_columns
from glassnet.errors import InputError, InputTypeError
from glassnet.utils.array_checks import as_numbers
from glassnet.utils.libraries import require


def dask_dataset(
    X: Any, y: object, features: Sequence[str] | None, sample_weight: object, memory: int, dask: object
) -> DaskDataset:
    """The dataset of a Dask array or dataframe X, with targets and weights in the same partitions.

    y and sample_weight are names of columns of a dataframe, collections, or arrays in memory.
    """
    client = client_of(dask)
    if hasattr(type(X), "columns"):  # a Delayed only says that it has them
        return _of_frame(X, y, features, sample_weight, memory, client)
    if getattr(type(X), "ndim", None) is None or X.ndim != 2:
        raise InputError(
            f"X is a Dask {type(X).__name__}; expected a dataframe, or an array with 2 dimensions."
        )
    if features is not None:
        raise InputError("features are columns of a dataframe; of an array take them: X[:, places].")
    delayed: Any = require("dask").delayed
    X = X.rechunk({1: -1})
    partitions = [row[0] for row in X.to_delayed()]
    known = [None if np.isnan(rows) else int(rows) for rows in X.chunks[0]]
    about = About(
        *("a Dask array", X.shape[1], _precision([X.dtype]), sample_weight is not None, None),
        *(y is not None, np.ndim(cast(Any, y)) == 1),
    )
    return _joined(partitions, known, y, sample_weight, about, memory, client, delayed(_block_of_arrays))


def _of_frame(
    frame: Any, y: Any, features: Sequence[str] | None, weight: object, memory: int, client: Any
) -> DaskDataset:
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            count = "more than one column" if isinstance(name, str) else "a column"
            raise InputError(
                f"The dataframe has {count} called {name!r}; expected a text of its own for each column. "
                f"Rename them: X.columns = [...]."
            )
    if features is None and not isinstance(y, str) and not _are_names(y):
        features = [name for name in names if not (isinstance(weight, str) and name == weight)]
    frame, y = _with_columns(frame, y, _TARGET)
    frame, weight = _with_columns(frame, weight, _WEIGHT)
    targets = [y] if isinstance(y, str) else list(y) if _are_names(y) else []
    weight_name = weight if isinstance(weight, str) else None
    chosen = choose_columns("the dataframe", list(frame.columns), targets, weight_name, features)
    for name in chosen:
        if frame.dtypes[name].kind not in "biuf":
            raise InputTypeError(
                f"Column {name!r} of the dataframe holds {frame.dtypes[name]} values; expected numbers. "
                f"Leave the column out with features=[...], or encode its categories as numbers."
            )
    precision = _precision(
        [np.dtype(getattr(frame.dtypes[n], "numpy_dtype", frame.dtypes[n])) for n in chosen]
    )
    flat = isinstance(y, str) or (not targets and np.ndim(y) == 1)
    about = About(
        "a Dask dataframe", len(chosen), precision, weight is not None, chosen, y is not None, flat
    )
    delayed: Any = require("dask").delayed
    columns = dict.fromkeys([*chosen, *targets, *([] if weight_name is None else [weight_name])])
    split, used = delayed(_block_of_frame), (list(chosen), y if targets else None, weight_name)
    partitions = frame[list(columns)].to_delayed()
    blocks = [split(partition, used, place) for place, partition in enumerate(partitions)]
    others = None if targets else y, None if weight_name is not None else weight
    return _joined(blocks, [None] * len(blocks), *others, about, memory, client, delayed(_with_others))


_TARGET, _WEIGHT = "glassnet target", "glassnet weight"


def _with_columns(frame: Any, values: Any, name: str) -> tuple[Any, Any]:
    """A dataframe with another's columns, or a series, beside its own, and their names; others as they are.

    In one dataframe, since Dask may join the partitions of two in different ways.
    """
    if not hasattr(values, "__dask_graph__") or hasattr(values, "chunks"):
        return frame, values
    several = values.ndim == 2
    columns = {f"{name} {n}": values[n] for n in values.columns} if several else {name: values}
    try:
        return frame.assign(**columns), list(columns) if several else name
    except (ValueError, NotImplementedError) as error:
        raise InputError(
            f"The partitions of the {name.split()[1]} are not those of X: {error}. Take it from the same "
            f"dataframe, by its column's name."
        ) from error


def _joined(
    partitions: list[Any],
    known: list[int | None],
    y: object,
    weight: object,
    about: About,
    memory: int,
    client: Any,
    join: Any,
) -> DaskDataset:
    """The partitions with the targets and weights that come beside X."""
    delayed: Any = require("dask").delayed
    lengths: list[int] = [n for n in known if n is not None]
    if len(lengths) < len(known):
        lengths = gathered(client, [delayed(_rows_in)(partition) for partition in partitions])
    others = [_beside(values, name, lengths) for values, name in ((y, "y"), (weight, "sample_weight"))]
    blocks = [
        join(partition, *(None if other is None else other[place] for other in others), place)
        for place, partition in enumerate(partitions)
    ]
    return DaskDataset(blocks, lengths, about, memory, client)


def _beside(values: Any, name: str, lengths: list[int]) -> list[Any] | None:
    """Targets or weights, cut as the partitions of X are."""
    if values is None:
        return None
    n = sum(lengths)
    if not hasattr(values, "__dask_graph__"):
        array = as_labels(values, name) if name == "y" else as_numbers(values, name)
        _check_length(0 if array.ndim == 0 else len(array), n, name)
        return np.split(array, np.cumsum(lengths)[:-1])
    known = getattr(values, "chunks", None)
    if known is None:
        raise InputTypeError(f"{name} is a {type(values).__name__}; X is a Dask array, give one too.")
    if not np.isnan(known[0]).any():
        _check_length(sum(known[0]), n, name)
        values = values.rechunk({0: tuple(lengths), **({1: -1} if values.ndim == 2 else {})})
    partitions = values.to_delayed().reshape(len(values.chunks[0]), -1)[:, 0].tolist()
    if len(partitions) != len(lengths):
        raise InputError(
            f"{name} has {len(partitions)} partitions, X has {len(lengths)}; they must be the same rows."
        )
    return list(partitions)


def _check_length(entries: int, rows: int, name: str) -> None:
    if entries != rows:
        raise InputError(f"{name} has {entries} entries, X has {rows} rows; they must be equal.")


def _are_names(y: object) -> bool:
    return isinstance(y, (list, tuple)) and bool(y) and all(isinstance(name, str) for name in y)


def _precision(kinds: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    return np.dtype(np.float32 if all(kind == np.float32 for kind in kinds) else np.float64)


# ---- What workers do ------------------------------------------------------------------------------


def _rows_in(partition: Any) -> int:
    return len(partition.X) if isinstance(partition, Block) else len(partition)


def _block_of_arrays(X: Any, y: Any, w: Any, place: int) -> Block:
    where = f"partition {place}"
    block = Block(_checked(as_numbers, X, "X", where), np.empty((len(X), 0)), None)
    return _with_others(block, y, w, place)


def _block_of_frame(frame: Any, used: Any, place: int) -> Block:
    features, target, weight = used
    targets = [target] if isinstance(target, str) else target or []
    where = f"partition {place}"
    for name in [*features, *targets, *([weight] if weight else [])]:
        if name not in frame:
            raise InputError(
                f"{where} has no column {name!r}, which the dataframe has. It has: "
                f"{', '.join(map(str, frame.columns))}."
            )
        missing = frame[name].isna().to_numpy()
        if missing.any():
            raise InputError(
                f"Column {name!r} has a missing value at row {int(missing.argmax())} of {where}; expected "
                f"a value in each row. Drop those rows or fill them in."
            )
    columns = [np.asarray(frame[name].to_numpy()) for name in features]
    X = np.empty((len(features), len(frame)), _precision([column.dtype for column in columns]))
    for row, (name, column) in enumerate(zip(features, columns, strict=True)):
        X[row] = _checked(as_numbers, column, f"column {name!r}", where)
    ys = [_checked(as_labels, frame[name], f"column {name!r}", where) for name in targets]
    y = np.empty((len(frame), 0)) if not ys else ys[0] if isinstance(target, str) else np.column_stack(ys)
    w = weight and _checked(as_numbers, np.asarray(frame[weight].to_numpy()), f"column {weight!r}", where)
    return Block(X.T, y, w)


def _with_others(block: Block, y: Any, w: Any, place: int) -> Block:
    where = f"partition {place}"
    if y is not None:
        block = block._replace(y=_checked(as_labels, y, "y", where))
    if w is not None:
        block = block._replace(w=_checked(as_labels, w, "sample_weight", where))
    for values, name in ((block.y, "y"), (block.w, "sample_weight")):
        if values is not None and len(values) != len(block.X):
            raise InputError(f"{where}: {name} has {len(values)} entries, X has {len(block.X)} rows.")
    return block


def _checked(
    check: Callable[[object, str], NDArray[Any]], values: Any, name: str, where: str
) -> NDArray[Any]:
    try:
        return check(values, name)
    except (InputError, InputTypeError) as error:
        raise type(error)(f"{where}: {error}") from error
