"""The folds of a sweep: the rows that networks are trained on, and those that they are tested on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network

Rows = NDArray[np.int64]


class Fold(NamedTuple):
    """The numbers of the rows that are trained on, and of those that are held out."""

    train: Rows
    test: Rows


def as_folds(
    folds: object, network: Network, X: Any, y: object, targets: NDArray[Any], groups: object
) -> tuple[Fold, ...]:
    """The folds of a splitter, a number of them, or of pairs of row numbers; () for None.

    A splitter gets X, y and groups as they are here; `targets` are y as the network takes them. Raises
    InputError for a fold that cannot be used: an empty one, rows that are none of the data's, a row on both
    sides, or training rows without one of the classes.
    """
    if folds is None:
        if groups is not None:
            raise InputError("groups goes with folds, whose splitter asks for them.")
        return ()
    checked = []
    for i, pair in enumerate(_pairs(folds, network, X, y, targets, groups)):
        try:
            train, test = pair
        except (TypeError, ValueError) as error:
            raise InputTypeError(
                f"folds[{i}] is {pair!r}; expected a pair of row numbers, (train, test)."
            ) from error
        fold = Fold(
            _rows(train, f"The training rows of fold {i}", len(targets)),
            _rows(test, f"The test rows of fold {i}", len(targets)),
        )
        both = np.intersect1d(fold.train, fold.test)
        if both.size:
            raise InputError(
                f"Fold {i} has row {both[0]} among both its training and its test rows; a row that "
                f"a network is trained on cannot test it. Take it out of one of the two."
            )
        _check_classes(fold.train, i, network, targets)
        checked.append(fold)
    if not checked:
        raise InputError("folds is empty; expected at least one pair of row numbers, (train, test).")
    return tuple(checked)


def _pairs(
    folds: Any, network: Network, X: object, y: Any, targets: NDArray[Any], groups: object
) -> Iterable[Any]:
    classes = network.loss.target == "class" and targets.ndim == 1
    if isinstance(folds, (int, np.integer)) and not isinstance(folds, bool):
        from sklearn.model_selection import KFold, StratifiedKFold

        if folds < 2:
            raise InputError(f"folds is {folds}; expected 2 or more, a splitter or a list of pairs.")
        folds = StratifiedKFold(int(folds)) if classes else KFold(int(folds))
    if hasattr(folds, "split") and not isinstance(folds, str):
        try:
            return list(folds.split(X, targets if classes and np.ndim(y) != 1 else y, groups))
        except ValueError as error:
            raise InputError(f"folds cannot be made of these data: {error}") from error
    if isinstance(folds, (str, bytes)) or not isinstance(folds, Iterable):
        raise InputTypeError(
            f"folds is a splitter such as sklearn.model_selection.KFold(5), a number, or a list of pairs "
            f"of row numbers, not {folds!r}."
        )
    if groups is not None:
        raise InputError("groups goes with a splitter; these folds are pairs of row numbers already.")
    return folds


def _rows(rows: Any, name: str, n: int) -> Rows:
    array = np.asarray(rows)
    if array.dtype == np.bool_ and array.shape == (n,):
        array = np.flatnonzero(array)
    if array.size == 0:
        raise InputError(f"{name} are none; expected at least one.")
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise InputTypeError(
            f"{name} have shape {array.shape} and dtype {array.dtype.name}; expected row numbers, (rows,)."
        )
    if array.min() < 0 or array.max() >= n:
        wrong = array.min() if array.min() < 0 else array.max()
        raise InputError(f"{name} have the number {wrong}; X has the rows 0 to {n - 1}.")
    return array.astype(np.int64)


def _check_classes(train: Rows, i: int, network: Network, targets: NDArray[Any]) -> None:
    """A class without a sample to learn it from makes every score of its fold meaningless."""
    if network.loss.target == "class" and targets.ndim == 1:
        labels, classes = targets, np.unique(targets)
    elif network.loss.target == "label" and targets.shape[1] == 1 and np.isin(targets, (0, 1)).all():
        labels, classes = targets[:, 0], np.unique(targets)
    else:
        return
    gone = np.setdiff1d(classes, labels[train])
    if gone.size:
        raise InputError(
            f"The {len(train)} training rows of fold {i} have no sample of class {gone[0]:g}, which "
            f"{int((labels == gone[0]).sum())} rows of y are of. Use stratified folds, longer ones, or "
            f"leave that class out."
        )
