"""Checks of arrays that a user gives, with the messages for those that fail."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from glassnet.errors import InputError, InputTypeError

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def as_dtype(dtype: DTypeLike | None, X: object = None) -> np.dtype[Any]:
    """The precision to compute in: `dtype` where given, else X's own if float32, else float64."""
    if dtype is None:
        return FLOATS[0] if getattr(X, "dtype", None) == FLOATS[0] else FLOATS[1]
    try:
        chosen = np.dtype(dtype)
    except TypeError as error:
        raise InputTypeError(f"dtype is float32 or float64, not {dtype!r}.") from error
    if chosen not in FLOATS:
        raise InputError(f"dtype is float32 or float64, not {chosen.name!r}.")
    return chosen


def as_numbers(values: object, name: str) -> NDArray[Any]:
    """`values` as a NumPy array of bool, integer or floating type, or an InputTypeError."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        # numpy.asarray would bring back what is under the mask.
        raise InputError(
            f"{name} is a masked array with {int(np.ma.getmaskarray(values).sum())} value(s) masked; every "
            f"value must be there: drop those rows, or impute the values with {name}.filled(...)."
        )
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{name} cannot be made into an array: {str(error).rstrip('.')}.") from error
    except (TypeError, RuntimeError) as error:  # a tensor of PyTorch that has a gradient or lies on a GPU
        kind = f"{type(values).__module__}.{type(values).__qualname__}"
        mend = f" Give {name}.detach().cpu().numpy()." if hasattr(values, "detach") else ""
        raise InputTypeError(
            f"{name}, a {kind}, cannot be made into an array: {str(error).rstrip('.')}.{mend}"
        ) from error
    if array.dtype.kind not in "biuf":
        if isinstance(values, str):
            raise InputTypeError(
                f"{name} is text, {values!r}; expected numbers in memory. To read a file, pass "
                f"gn.stream(path, ...) to train, predict or score."
            )
        _refuse_columns(values, name)
        kinds = {"c": "complex", "O": "object", "U": "text", "S": "bytes", "M": "date", "m": "time"}
        kind = kinds.get(array.dtype.kind, array.dtype.name)
        # "str320" is what NumPy calls text of 10 characters; its short form is how one writes it.
        written = array.dtype.str if array.dtype.kind in "US" else array.dtype.name
        mend = f"Convert it first, for instance with {name}.astype(float), or encode its categories."
        if name == "y":
            labels = "np.array(y, str)" if kind == "object" else "y"  # which may be of mixed kinds
            mend = (
                f"Turn labels into class numbers with classes, y = np.unique({labels}, "
                f"return_inverse=True), and numbers kept as text or objects into numbers with "
                f"y.astype(float)."
            )
        raise InputTypeError(f"{name} holds {kind} values (dtype {written}); expected real numbers. {mend}")
    return array


def _refuse_columns(frame: Any, name: str) -> None:
    """Raise InputTypeError that names a column of a data frame that holds no numbers."""
    if not (hasattr(frame, "columns") and hasattr(frame, "dtypes") and hasattr(frame, "__getitem__")):
        return
    columns = [(label, np.asarray(frame[label])) for label in frame.columns]
    bad = [(label, column) for label, column in columns if column.dtype.kind not in "biuf"]
    if bad:
        label, column = bad[0]
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        raise InputTypeError(
            f"{name} holds {column[0]!r} in its column {label!r}{more}; expected real numbers. Leave out "
            f"columns that carry no information ({name}.drop(columns=[{label!r}])), and encode "
            f"categories, for instance with pandas.get_dummies({name})."
        )


def check_finite(array: NDArray[Any], name: str, first_row: int = 0) -> None:
    """Raise an InputError that names the first entry which is NaN or infinite, and how many there are.

    `first_row` is the number of row 0 within a larger array.
    """
    if array.dtype.kind != "f":
        return
    # One sum is an order of magnitude cheaper than a mask of all entries, and a finite sum proves
    # them finite; only an overflow or an entry that is not finite needs the mask.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(array.sum(dtype=np.float64)):
            return
    bad = ~np.isfinite(array)
    count = int(bad.sum())
    if count == 0:
        return
    first = np.unravel_index(int(np.argmax(bad)), array.shape)
    where = ", column ".join(str(int(i)) for i in (first[0] + first_row, *first[1:]))
    more = f"; {count} such values in all" if count > 1 else ""
    raise InputError(
        f"{name} has {array[first]} at row {where}{more}. Every value must be finite: "
        f"drop those rows or impute the values."
    )


def cast(values: NDArray[Any], dtype: np.dtype[Any], name: str, first_row: int = 0) -> NDArray[Any]:
    """`values` in the dtype to compute in; InputError where it cannot hold one of them."""
    with np.errstate(over="ignore"):
        same = values.astype(dtype, copy=False)
    if values.dtype.kind == "f" and values.dtype.itemsize > dtype.itemsize:
        check_finite(same, f"{name} in {dtype.name}", first_row)
    return same


def as_matrix(X: object, name: str = "X", width: int | None = None) -> NDArray[Any]:
    """X as a 2-D array of finite numbers with `width` columns; no copy is made of an array.

    Raises InputTypeError for a type that is not real numbers, InputError for another shape or for
    an entry that is not finite.
    """
    array = as_numbers(X, name)
    if array.ndim != 2:
        hint = ""
        if array.shape == (width,):
            hint = f" Use {name}.reshape(1, -1) for one sample."
        elif array.ndim == 1:
            hint = f" Use {name}.reshape(-1, 1) for one feature."
        raise InputError(
            f"{name} has {array.ndim} dimension(s), shape {array.shape}; expected 2, "
            f"(samples, features).{hint}"
        )
    if width is not None:
        check_width(array, width, name)
    check_finite(array, name)
    return array


def check_width(X: Any, width: int, name: str = "X") -> None:
    """Raise InputError unless X has `width` columns."""
    if X.shape[1] != width:
        raise InputError(
            f"{name} has {X.shape[1]} columns, shape {X.shape}; the network takes {width} inputs."
        )


def as_vector(values: object, name: str, length: int, one_per: str = "sample") -> NDArray[Any]:
    """`values` as a 1-D array of `length` finite numbers."""
    array = as_numbers(values, name)
    if array.shape != (length,):
        raise InputError(f"{name} has shape {array.shape}; expected ({length},), one per {one_per}.")
    check_finite(array, name)
    return array


def as_target(y: object, n_samples: int, n_outputs: int, target: str) -> NDArray[Any]:
    """y as class numbers (n,) of type intp, or as target rows (n, n_outputs).

    `target` is the loss's kind: "class" takes numbers from 0 to n_outputs - 1 or rows of
    probabilities, "label" rows of values from 0 to 1, "nonnegative" rows of values from 0 up,
    "signed" rows of values from -1 to 1, "real" rows of any finite values; except for classes, y of shape
    (n,) is read as (n, 1). Rows that are one-hot come back as class numbers.
    """
    array = as_numbers(y, "y")
    if array.ndim not in (1, 2):
        raise InputError(f"y has {array.ndim} dimensions, shape {array.shape}; expected 1 or 2.")
    if len(array) != n_samples:
        raise InputError(f"y has {len(array)} entries, X has {n_samples} rows; they must be equal.")
    check_finite(array, "y")
    if target == "class" and array.ndim == 1:
        return _class_numbers(array, n_outputs)
    if array.ndim == 1:
        array = array[:, None]
    if array.shape[1] != n_outputs:
        hint = " Class numbers are (n,): y.ravel()." if target == "class" and array.shape[1] == 1 else ""
        raise InputError(
            f"y has {array.shape[1]} column(s), shape {array.shape}; the network has {n_outputs} "
            f"outputs.{hint}"
        )
    if target == "nonnegative":
        _refuse_rows(array, array < 0, "values of 0 or more, such as counts", "")
    elif target == "signed":
        _refuse_rows(array, np.abs(array) > 1, "values from -1 to 1", _TO_IDENTITY)
    elif target != "real":
        _refuse_rows(array, (array < 0) | (array > 1), "values from 0 to 1")
    if target == "class":
        sums = array.sum(axis=1, dtype=np.float64)
        _refuse_rows(array, np.abs(sums - 1) > 1e-6, "rows of probabilities that sum to 1")
        if np.all((array == 0) | (array == 1)):
            return np.argmax(array, axis=1)
    return array


def _class_numbers(y: NDArray[Any], n_classes: int) -> NDArray[Any]:
    with np.errstate(invalid="ignore"):  # a number too large for an integer is refused below
        numbers = y.astype(np.intp)
    _refuse_rows(y, numbers != y, f"whole class numbers from 0 to {n_classes - 1}")
    outside = (numbers < 0) | (numbers >= n_classes)
    _refuse_rows(y, outside, f"class numbers from 0 to {n_classes - 1}, one for each output")
    return numbers


_TO_NUMBERS = (
    " Labels of another kind are turned into class numbers by numpy.unique(y, return_inverse=True)."
)
_TO_IDENTITY = ' Other quantities are learned by output="identity".'


def _refuse_rows(y: NDArray[Any], bad: NDArray[np.bool_], expected: str, hint: str = _TO_NUMBERS) -> None:
    rows = np.flatnonzero(bad if bad.ndim == 1 else bad.any(axis=1))
    if rows.size:
        more = f" ({rows.size} such rows)" if rows.size > 1 else ""
        raise InputError(f"y has {y[rows[0]]} at row {rows[0]}{more}; expected {expected}.{hint}")
