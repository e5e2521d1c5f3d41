"""Dask arrays and dataframes as partitions of rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dask_cluster import About, DaskDataset, client_of, gathered, imported
from glassnet.data.reduce import Block
from glassnet.data.source import as_labels, refuse_weight
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.utils.array_checks import as_numbers


def dask_dataset(
    X: Any, y: object, features: Sequence[str] | None, sample_weight: object, memory: int, dask: object
) -> DaskDataset:
    """The rows of a Dask array or dataframe X, with targets and weights in the same partitions.

    y and sample_weight are columns' names of a dataframe, collections, or arrays in memory.
    """
    client = client_of(dask)
    if hasattr(type(X), "columns"):  # not of a Delayed, which says that it has everything
        return _of_frame(X, y, features, sample_weight, memory, client)
    if getattr(type(X), "ndim", None) is None or X.ndim != 2:
        raise InputError(
            f"X is a Dask {type(X).__name__}; expected a dataframe, or an array with 2 dimensions."
        )
    if features is not None:
        raise InputError("features are columns of a dataframe; of an array take them: X[:, places].")
    delayed: Any = imported("dask").delayed
    X = X.rechunk({1: -1})
    parts = [row[0] for row in X.to_delayed()]
    known = [None if np.isnan(rows) else int(rows) for rows in X.chunks[0]]
    kind = _precision([X.dtype])
    about = About("a Dask array", X.shape[1], kind, sample_weight is not None, None, y is not None)
    return _joined(parts, known, y, sample_weight, about, memory, client, delayed(_of_arrays))


def _of_frame(
    frame: Any, y: object, features: Sequence[str] | None, weight: object, memory: int, client: Any
) -> DaskDataset:
    names = list(frame.columns)
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            what = "more than one column" if isinstance(name, str) else "a column"
            raise InputError(
                f"The dataframe has {what} called {name!r}; expected a text of its own for each column. "
                f"Rename them: X.columns = [...]."
            )
    if isinstance(features, (str, set, frozenset)):
        kind = "one text" if isinstance(features, str) else "a set, which has no order"
        raise InputTypeError(f"features is a list of column names, not {kind}: {features!r}.")
    if features is None and not isinstance(y, str) and not _are_names(y):
        features = [n for n in names if not (isinstance(weight, str) and n == weight)]
    frame, y = _with_columns(frame, y, _TARGET)
    frame, weight = _with_columns(frame, weight, _WEIGHT)
    names = list(frame.columns)
    targets = [y] if isinstance(y, str) else y if _are_names(y) else []
    refuse_weight(weight, targets)  # type: ignore[arg-type]  # names
    special = [*targets, *([weight] if isinstance(weight, str) else [])]  # type: ignore[misc]
    chosen = list(features) if features is not None else [name for name in names if name not in special]
    for name in [*special, *chosen]:
        if name not in names:
            raise unknown_name("column of the dataframe:", name, names)
    for name in chosen:
        if name in special:
            raise InputError(f"{name!r} is a target or weight; it cannot be a feature too.")
        if frame.dtypes[name].kind not in "biuf":
            raise InputTypeError(
                f"Column {name!r} of the dataframe holds {frame.dtypes[name]} values; expected numbers. "
                f"Leave the column out with features=[...], or encode its categories as numbers."
            )
    if not chosen:
        raise InputError(f"The dataframe has no column but {', '.join(special)}.")
    delayed: Any = imported("dask").delayed
    precision = _precision(
        [np.dtype(getattr(frame.dtypes[n], "numpy_dtype", frame.dtypes[n])) for n in chosen]
    )
    about = About(
        "a Dask dataframe", len(chosen), precision, weight is not None, tuple(chosen), y is not None
    )
    parts = frame[list(dict.fromkeys([*chosen, *special]))].to_delayed()
    kinds = chosen, y if special and targets else None, weight if isinstance(weight, str) else None
    split = delayed(_of_frames)
    others = None if targets else y, None if isinstance(weight, str) else weight
    frames = [split(part, kinds, place) for place, part in enumerate(parts)]
    return _joined(frames, [None] * len(parts), *others, about, memory, client, delayed(_with_others))


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
    parts: list[Any],
    known: list[int | None],
    y: object,
    weight: object,
    about: About,
    memory: int,
    client: Any,
    join: Any,
) -> DaskDataset:
    """The partitions with targets and weights that come beside X."""
    delayed: Any = imported("dask").delayed
    lengths: list[int] = [n for n in known if n is not None]
    if len(lengths) < len(known):
        lengths = gathered(client, [delayed(_rows_in)(part) for part in parts], lambda: False)
    others = [_beside(values, name, lengths) for values, name in ((y, "y"), (weight, "sample_weight"))]
    blocks = [
        join(part, *(None if other is None else other[place] for other in others), place)
        for place, part in enumerate(parts)
    ]
    return DaskDataset(blocks, lengths, about, memory, client)


def _beside(values: Any, name: str, lengths: list[int]) -> list[Any] | None:
    """Targets or weights, a piece for each partition of X."""
    if values is None:
        return None
    if hasattr(values, "__dask_graph__"):
        known = getattr(values, "chunks", None)
        if known is None:
            raise InputTypeError(f"{name} is a {type(values).__name__}; X is a Dask array, give one too.")
        if not np.isnan(known[0]).any():
            if sum(known[0]) != sum(lengths):
                raise InputError(
                    f"{name} has {sum(known[0])} entries, X has {sum(lengths)} rows; they must be equal."
                )
            values = values.rechunk({0: tuple(lengths), **({1: -1} if values.ndim == 2 else {})})
        parts = values.to_delayed().reshape(len(values.chunks[0]), -1)[:, 0].tolist()
        if len(parts) != len(lengths):
            raise InputError(
                f"{name} has {len(parts)} partitions, X has {len(lengths)}; they must be the same rows."
            )
        return list(parts)
    array = as_labels(values, name) if name == "y" else as_numbers(values, name)
    if array.ndim == 0 or len(array) != sum(lengths):
        raise InputError(
            f"{name} has {0 if array.ndim == 0 else len(array)} entries, X has {sum(lengths)} rows; they "
            f"must be equal."
        )
    return np.split(array, np.cumsum(lengths)[:-1])


def _are_names(y: object) -> bool:
    return isinstance(y, (list, tuple)) and bool(y) and all(isinstance(name, str) for name in y)


def _precision(kinds: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    return np.dtype(np.float32 if all(kind == np.float32 for kind in kinds) else np.float64)


# ---- What workers do ------------------------------------------------------------------------------


def _rows_in(part: Any) -> int:
    return len(part.X) if isinstance(part, Block) else len(part)


def _of_arrays(X: Any, y: Any, w: Any, place: int) -> Block:
    where = f"partition {place}"
    block = Block(
        _numbers(X, "X", where),
        np.empty((len(X), 0)) if y is None else _labels(y, "y", where),
        None if w is None else _labels(w, "sample_weight", where),
    )
    return _checked(block, where)


def _of_frames(frame: Any, kinds: Any, place: int) -> Block:
    features, target, weight = kinds
    where = f"partition {place}"
    for name in [
        *features,
        *([target] if isinstance(target, str) else target or []),
        *([weight] if weight else []),
    ]:
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
    X = np.empty(
        (len(features), len(frame)), _precision([np.dtype(_plain(frame[n]).dtype) for n in features])
    )
    for row, name in enumerate(features):
        X[row] = _numbers(_plain(frame[name]), f"column {name!r}", where)
    names = [target] if isinstance(target, str) else target or []
    ys = [_labels(frame[name], f"column {name!r}", where) for name in names]
    y = np.empty((len(frame), 0)) if not ys else ys[0] if isinstance(target, str) else np.column_stack(ys)
    return Block(
        X.T, y, None if weight is None else _numbers(_plain(frame[weight]), f"column {weight!r}", where)
    )


def _with_others(block: Block, y: Any, w: Any, place: int) -> Block:
    where = f"partition {place}"
    if y is not None:
        block = block._replace(y=_labels(y, "y", where))
    if w is not None:
        block = block._replace(w=_labels(w, "sample_weight", where))
    return _checked(block, where)


def _plain(column: Any) -> NDArray[Any]:
    """A column of pandas as NumPy's own numbers."""
    return np.asarray(column.to_numpy())


def _numbers(
    values: Any, name: str, where: str, check: Callable[[object, str], NDArray[Any]] = as_numbers
) -> NDArray[Any]:
    try:
        return check(values, name)
    except (InputError, InputTypeError) as error:
        raise type(error)(f"{where}: {error}") from error


def _labels(values: Any, name: str, where: str) -> NDArray[Any]:
    return _numbers(values, name, where, as_labels)


def _checked(block: Block, where: str) -> Block:
    for values, name in ((block.y, "y"), (block.w, "sample_weight")):
        if values is not None and len(values) != len(block.X):
            raise InputError(f"{where}: {name} has {len(values)} entries, X has {len(block.X)} rows.")
    return block
