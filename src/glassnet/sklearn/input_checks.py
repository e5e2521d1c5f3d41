"""Scikit-learn's checks of samples, with a fast way for plain arrays and sparse rows.

scikit-learn's own functions take as long as the fit of a small network. They check whatever the fast way
does not take, such as everything that deserves an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csc_matrix, csr_array, csr_matrix, issparse
from sklearn.utils.validation import _check_sample_weight, validate_data

from glassnet.data.dataset import is_stream
from glassnet.errors import InputError

MAX_DENSITY = 0.05
"""The share of nonzero entries from which on a sparse X is made an array."""

MIN_ENTRIES, MIN_ENTRIES_TO_PREDICT = 1 << 23, 1 << 17
"""Entries from which on an X is trained on, and predicted for, as sparse rows."""

_SPARSE = (csr_array, csr_matrix, csc_array, csc_matrix)

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def check_inputs(estimator: Any, X: Any) -> Any:
    """X for a prediction, an array or a sparse matrix."""
    if _is_plain(X) and _is_known(estimator, X):
        return X
    if is_stream(X):
        raise InputError(f"X is {X!r}; this takes samples in memory, an array or a table.")
    return validate_data(estimator, X, **_options(estimator), reset=False)


def check_samples(estimator: Any, X: Any, y: Any, reset: bool, numeric: bool) -> tuple[Any, Any]:
    """X, an array or a sparse matrix of float32 or float64, and y; `reset` learns X's width and names."""
    dtype = None if estimator.dtype is None else np.dtype(estimator.dtype)
    if (
        _is_plain(X)
        and (dtype is None or dtype == X.dtype)
        and (reset or _is_known(estimator, X))
        and type(y) is np.ndarray
        and y.ndim in (1, 2)
        and len(y) == X.shape[0]
        and (y.dtype.kind in "iub" or (y.dtype in FLOATS and _is_finite(y)))
    ):
        if reset:
            estimator.n_features_in_ = X.shape[1]
            estimator.__dict__.pop("feature_names_in_", None)
        return X, y
    options = _options(estimator) | {"multi_output": True, "dtype": FLOATS if dtype is None else dtype}
    if numeric:
        options["y_numeric"] = True
    return validate_data(estimator, X, y, **options, reset=reset)


def as_rows(X: Any, dtype: np.dtype[Any]) -> Any:
    """Checked samples in the precision to compute in, an array in C order or sparse rows."""
    return csr_array(X, dtype=dtype) if issparse(X) else np.ascontiguousarray(X, dtype)


def stays_sparse(X: Any, min_entries: float) -> bool:
    """Whether X is better left sparse: of `min_entries` or more, nearly all of them 0.

    Otherwise the engine, which reads arrays, is faster by far.
    """
    entries = X.shape[0] * X.shape[1]
    return issparse(X) and entries >= min_entries and X.nnz < MAX_DENSITY * entries


def check_weights(weights: Any, X: Any) -> NDArray[Any]:
    """The samples' weights, one for each row of X."""
    plain = type(weights) is np.ndarray and weights.shape == (X.shape[0],) and weights.dtype in FLOATS
    if plain and weights.flags.c_contiguous and _is_finite(weights) and weights.any():
        return weights
    return _check_sample_weight(weights, X)


def _options(estimator: Any) -> dict[str, Any]:
    finite = True if estimator.missing == "error" else "allow-nan"
    return {"accept_sparse": ["csr", "csc"], "ensure_all_finite": finite}


def _is_plain(X: Any) -> bool:
    if type(X) in _SPARSE:
        return X.ndim == 2 and min(X.shape) > 0 and X.dtype in FLOATS and _is_finite(X.data)
    return type(X) is np.ndarray and X.ndim == 2 and X.size > 0 and X.dtype in FLOATS and _is_finite(X)


def _is_finite(array: Any) -> bool:
    # A finite sum proves every entry finite.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum()))


def _is_known(estimator: Any, X: Any) -> bool:
    """Whether X has the width that was fitted, and the fit had no feature names."""
    fitted = vars(estimator)
    return fitted.get("n_features_in_") == X.shape[1] and "feature_names_in_" not in fitted
