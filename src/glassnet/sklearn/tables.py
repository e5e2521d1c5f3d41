"""The X of estimators with `categorical_features`: which columns are categories, and what they become.

The types of columns decide, and the cells are not looked at: a column is the same in each call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import _check_feature_names, _check_n_features, validate_data

from glassnet.data.fixed_order import Floats, moments
from glassnet.data.holdout import listed
from glassnet.data.tables.columns import MOST_CATEGORIES
from glassnet.data.tables.encodings import (
    CategoryEncoding,
    Encoding,
    NumberEncoding,
    learn_category,
    learn_number,
)
from glassnet.data.tables.prepare import scaled, unscaled
from glassnet.data.tables.preprocessing import Preprocessing, as_numbers, as_type_of
from glassnet.data.tables.raw import RawColumn, number_text, raw_column
from glassnet.data.tables.reading.frames import column_of
from glassnet.data.tables.table import Column, Table, TextColumn
from glassnet.data.tables.targets import Target
from glassnet.errors import InputError, InputTypeError, unknown_name

FROM_DTYPE = "from_dtype"


def encoded(estimator: Any, X: Any, first: bool) -> Floats:
    """The network's inputs (n, inputs) for X; the estimator learns the columns where it is the `first`.

    It then keeps them as `_preprocessing`, plain numbers and texts, and which are categories.
    """
    columns = raw_columns(estimator, X, first)
    known: Preprocessing = estimator._preprocessing
    return known.encode_columns(columns)


def raw_columns(estimator: Any, X: Any, first: bool = False) -> list[RawColumn]:
    """The columns of X as they are encoded, learned where it is the `first`."""
    if not first and "_preprocessing" not in vars(estimator):
        raise InputError(
            f"categorical_features={estimator.categorical_features!r} was set after the fit, which learned "
            f"no categories: fit again, or set it back to None."
        )
    table, by_type = _columns_of(estimator, X, first)
    columns = [raw_column(table, name) for name in table.names]
    if first:
        names = None if "feature_names_in_" not in vars(estimator) else table.names
        chosen = _chosen(estimator.categorical_features, by_type, names)
        estimator.is_categorical_ = chosen
        estimator._preprocessing = _learned(table, columns, chosen, estimator.missing)
    known: Preprocessing = estimator._preprocessing
    columns = [
        as_type_of(encoding, column._replace(name=encoding.name), table.where)
        for encoding, column in zip(known.encodings, columns, strict=True)
    ]
    _check_numbers(table, known.encodings, columns, estimator.missing)
    return columns


# ---- Columns ---------------------------------------------------------------------------------------


def _columns_of(estimator: Any, X: Any, first: bool) -> tuple[Table, NDArray[np.bool_]]:
    """The columns of X, checked as scikit-learn does, and whether each is a category by its type."""
    library = _library_of(X)
    if library:
        names = [str(name) for name in (X.column_names if library == "pyarrow" else X.columns)]
        repeated = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if repeated:
            raise InputError(
                f"X has more than one column named {listed(repeated)}: give each its own name."
            )
        _check_feature_names(estimator, X, reset=first)
        _check_n_features(estimator, X, reset=first)
        if 0 in X.shape:
            raise InputError(f"Found array with 0 sample(s) or features: X has the shape {X.shape}.")
        series = [X.iloc[:, place] for place in range(len(names))] if library == "pandas" else list(X)
        found = [*map(_SERIES[library], series)]
    else:
        if not issparse(X) and np.asarray(X).dtype.kind in "OUS":
            options: dict[str, Any] = {"dtype": object, "ensure_all_finite": False}
        else:
            finite = True if estimator.missing == "error" else "allow-nan"
            options = {"dtype": np.float64, "ensure_all_finite": finite}
        X = validate_data(estimator, X, reset=first, **options)
        names = [f"x{place}" for place in range(X.shape[1])]
        found = [*map(_of_objects if X.dtype == object else column_of, X.T)]
    dates = [name for name, column in zip(names, found, strict=True) if _is_date(column)]
    if dates:
        raise InputTypeError(
            f"X has dates in {listed(dates)}, and an estimator takes numbers and categories: make numbers "
            f"of them, such as days, or use gn.prepare_table, which takes dates."
        )
    table = Table(dict(zip(names, found, strict=True)), "X")
    return table, np.array([isinstance(column, TextColumn) for column in found])


def _library_of(X: Any) -> str:
    """The library of a data frame; "" for anything else."""
    for kind in type(X).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in _SERIES and kind.__name__ in ("DataFrame", "Table"):
            return library
    return ""


def _is_date(column: Column) -> bool:
    return isinstance(column, np.ndarray) and column.dtype.kind in "mM"


def _of_objects(values: Any) -> Column:
    """A column of Python's objects; InputTypeError for lists, dicts and the like in its cells."""
    for kind in set(map(type, values)):
        if kind.__hash__ is None:
            raise InputTypeError(
                f"X has a cell of type {kind.__name__}: argument must be a string or a number."
            )
    return column_of(values)


def word(value: Any) -> str:
    """A category as text, of numbers and truths as `RawColumn.words` writes them."""
    if isinstance(value, bool):
        return str(value).lower()
    return number_text(value) if isinstance(value, (int, float)) else str(value)


def _of_pandas(series: Any) -> Column:
    if str(series.dtype) == "category":
        known = TextColumn.of(map(word, series.cat.categories.tolist()))
        return TextColumn(np.append(known.codes, np.int32(-1))[series.cat.codes], known.categories)
    if series.dtype.kind == "O":  # text as well
        try:
            codes, values = series.factorize()
        except TypeError:  # of what has no hash
            return _of_objects(series.to_numpy(object))
        column = column_of(np.asarray(values, object))
        if isinstance(column, TextColumn):
            return TextColumn(np.append(column.codes, np.int32(-1))[codes], column.categories)
        if _is_date(column):
            return column
        return np.append(column.astype(np.float64), np.nan)[codes]
    if series.dtype.kind in "mM":
        return np.empty(0, "M8[us]")
    if isinstance(series.dtype, np.dtype):
        return column_of(series.to_numpy())
    return column_of(series.to_numpy(np.float64, na_value=np.nan))


def _of_polars(series: Any) -> Column:
    if series.dtype.is_temporal():
        return np.empty(0, "M8[us]")
    if series.dtype.is_numeric() or str(series.dtype) == "Boolean":
        return column_of(series.cast(float).to_numpy() if series.null_count() else series.to_numpy())
    return _of_objects(series.to_list())


def _of_pyarrow(series: Any) -> Column:
    return _of_objects(series.to_pylist())


_SERIES: Mapping[str, Callable[[Any], Column]] = {
    "pandas": _of_pandas,
    "polars": _of_polars,
    "pyarrow": _of_pyarrow,
}
"""The column of a frame's series, by the frame's library."""


def _chosen(categorical: Any, by_type: NDArray[np.bool_], names: Sequence[str] | None) -> NDArray[np.bool_]:
    """Which columns are categories: by their types, or by names, places or a mask of the user's."""
    count = len(by_type)
    if isinstance(categorical, str):
        return by_type
    wanted = np.asarray(categorical)
    chosen = np.zeros(count, bool)
    if wanted.size == 0:
        return chosen
    kinds = {type(value).__name__ for value in wanted.tolist()} if wanted.dtype.kind == "O" else set()
    if wanted.dtype.kind == "b":
        if wanted.shape != (count,):
            raise InputError(
                f"categorical_features set as a boolean mask must have shape ({count},), one value for "
                f"each feature; got {wanted.shape}."
            )
        return wanted.copy()
    if wanted.dtype.kind in "iu":
        if wanted.min() < 0 or wanted.max() >= count:
            raise InputError(
                f"categorical_features set as integer indices must be in [0, {count - 1}]; got "
                f"{wanted.min() if wanted.min() < 0 else wanted.max()}."
            )
        chosen[wanted] = True
        return chosen
    if wanted.dtype.kind == "U" or kinds == {"str"}:
        if names is None:
            raise InputError(
                f"categorical_features names {listed(wanted.tolist())}, and X has no names of columns: "
                f"give their places or a mask, or X as a data frame."
            )
        for name in wanted.tolist():
            if name not in names:
                raise unknown_name("column in categorical_features:", name, names)
            chosen[names.index(name)] = True
        return chosen
    raise InputError(
        f"categorical_features must be {FROM_DTYPE!r} or an array-like of bool, int or str; got "
        f"{categorical!r}."
    )


# ---- What is learned -------------------------------------------------------------------------------


def _learned(
    table: Table, columns: list[RawColumn], categorical: NDArray[np.bool_], missing: str
) -> Preprocessing:
    """The encodings of the columns, with the mean and the standard deviation of each number."""
    encodings: list[Encoding] = []
    for place, is_category in enumerate(categorical):
        if not is_category:
            columns[place] = as_numbers(columns[place], table.where)
        encodings.append((_category if is_category else _number)(columns[place], missing))
    _check_numbers(table, encodings, columns, missing)
    plain = unscaled(encodings, Target(("y",), "regression", None, (), ()))
    of_inputs = moments(plain.encode_columns(columns))
    of_inputs.check_finite(lambda place: f"Column {plain.inputs[place]!r} of X")
    return scaled(plain, of_inputs, None)


def _number(column: RawColumn, missing: str) -> Encoding:
    absent = np.isnan(column.values)
    known = column.values[~absent]
    encoding = learn_number(column)
    if encoding is None:  # one value, which is input 0
        encoding = NumberEncoding(column.name, float(known[0]) if len(known) else 0.0, bool(absent.any()))
    return replace(encoding, fill=float(known.mean())) if missing == "mean" and len(known) else encoding


def _category(column: RawColumn, missing: str) -> Encoding:
    encoding = learn_category(column, MOST_CATEGORIES)
    if encoding is None:  # one value, which is input 1
        known = column.values[~np.isnan(column.values)]
        texts = (column.words(known[0]),) if len(known) else ()
        encoding = CategoryEncoding(column.name, texts, missing=not texts)
    return encoding


def _check_numbers(
    table: Table, encodings: Sequence[Encoding], columns: Sequence[RawColumn], missing: str
) -> None:
    """Raise InputError, which names the column and the row, for infinite and unwanted missing numbers."""
    for encoding, column in zip(encodings, columns, strict=True):
        if not isinstance(encoding, NumberEncoding) or np.isfinite(column.values).all():
            continue
        infinite = np.isinf(column.values)
        bad = infinite if infinite.any() else np.isnan(column.values)
        where = f"column {column.name!r} at {table.where(int(bad.argmax()))}, {bad.sum():,} in all"
        if infinite.any():
            raise InputError(f"Input X contains infinity: {where}.")
        if missing == "error":
            raise InputError(f"Input X contains NaN: {where}. missing='median' fills in the median.")
