"""A classifier's labels as a network learns them, several softmaxes side by side, and ``class_weight``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, csr_matrix
from sklearn import get_config
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.nn.losses import Loss, softmax


@dataclass(frozen=True)
class Groups:
    """The outputs of each column: `widths` of them, in order."""

    widths: tuple[int, ...]

    def split(self, Z: Array) -> list[Array]:
        """The columns' own parts of (n, outputs)."""
        return np.split(Z, np.cumsum(self.widths)[:-1], axis=1)

    def softmax(self, Z: Array) -> Array:
        """A softmax over each part."""
        return np.hstack([softmax(z) for z in self.split(Z)])

    def jacobian(self, P: Array) -> Array:
        """dp/dz, (n, outputs, outputs), from the probabilities."""
        same = np.repeat(np.arange(len(self.widths)), self.widths)
        eye = np.eye(P.shape[1], dtype=P.dtype)
        return P[:, :, None] * (eye - P[:, None, :] * (same[:, None] == same))


@dataclass(frozen=True)
class _Value:
    groups: Groups

    def __call__(self, Z: Array, Y: Array) -> Array:
        total = np.zeros(len(Z), Z.dtype)
        for z, y in zip(self.groups.split(Z), self.groups.split(Y), strict=True):
            shifted = z - z.max(axis=1, keepdims=True)
            total = total + np.log(np.exp(shifted).sum(axis=1)) - (y * shifted).sum(axis=1)
        return total


@dataclass(frozen=True)
class _Delta:
    groups: Groups

    def __call__(self, Z: Array, Y: Array) -> Array:
        return self.groups.softmax(Z) - Y


def grouped_cross_entropy(widths: Sequence[int]) -> Loss:
    """The sum over groups g of -sum_c y_gc log p_gc, p_g being the softmax of the group's Z.

    Its targets are rows of one-hot parts. It runs on the NumPy engine.

    >>> import numpy as np
    >>> from glassnet.sklearn.labels import grouped_cross_entropy
    >>> loss = grouped_cross_entropy([2, 3])
    >>> loss.value(np.zeros((1, 5)), np.array([[1.0, 0, 0, 1, 0]])).round(4).tolist()  # log 2 + log 3
    [1.7918]
    """
    groups = Groups(tuple(widths))
    return Loss(
        "grouped_cross_entropy",
        output="identity",
        target="real",
        value=_Value(groups),
        delta=_Delta(groups),
        formula="-sum_g sum_c y_gc log y_hat_gc",
        delta_formula="y_hat - y",
    )


BINARY, MULTICLASS, MULTILABEL, MULTIOUTPUT = "binary", "multiclass", "multilabel", "multioutput"


@dataclass(frozen=True)
class Labels:
    """What a classifier tells apart.

    kind : "binary" (one output, the probability of the second class), "multiclass" (an output for each
        class, a softmax), "multilabel" (an output for each label, 0 or 1), or "multioutput" (for each
        column of y an output for each of its classes, and a softmax over those).
    classes : the classes in order, (n_classes,); of "multioutput" a list of them, one for each column.
    sparse : whether labels came as a sparse matrix, and are predicted as one.
    """

    kind: str
    classes: Any
    sparse: bool = False

    @property
    def n_outputs(self) -> int:
        """Units of the output layer."""
        if self.kind == BINARY:
            return 1
        if self.kind == MULTIOUTPUT:
            return sum(map(len, self.classes))
        return len(self.classes)

    def encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Class numbers (n,) of "multiclass"; rows (n, n_outputs) of 0 and 1 of the others."""
        if self.kind == MULTILABEL:
            return (y != 0).astype(dtype)
        if self.kind == MULTIOUTPUT:
            columns = zip(self.classes, y.T, strict=True)
            return np.hstack([np.eye(len(c), dtype=dtype)[numbers_of(c, one)] for c, one in columns])
        numbers = numbers_of(self.classes, y)
        return numbers if self.kind == MULTICLASS else numbers[:, None].astype(dtype)

    def numbers(self, P: NDArray[Any]) -> NDArray[np.intp]:
        """The predictions of probabilities (n, n_outputs), as `encode` would have them: (n,) or rows."""
        if self.kind == MULTICLASS:
            return P.argmax(axis=1)
        if self.kind == MULTIOUTPUT:
            return np.stack([part.argmax(axis=1) for part in self.parts(P)], axis=1)
        return (P > 0.5).astype(np.intp)

    def parts(self, P: NDArray[Any]) -> list[NDArray[Any]]:
        """The columns of each output of "multioutput"."""
        return self.groups.split(P)

    @property
    def known(self) -> list[NDArray[Any]]:
        """The classes of each column of y."""
        if self.kind == MULTIOUTPUT:
            return list(self.classes)
        return [np.arange(2)] * self.n_outputs if self.kind == MULTILABEL else [self.classes]

    def columns(self, y: NDArray[Any]) -> list[NDArray[Any]]:
        """The columns of y that have classes of their own."""
        return [*y.T] if self.kind in (MULTILABEL, MULTIOUTPUT) else [y]

    @property
    def groups(self) -> Groups:
        """The outputs of each column of "multioutput"."""
        return Groups(tuple(map(len, self.classes)))

    def decode(self, P: NDArray[Any]) -> Any:
        """The predicted labels of probabilities (n, n_outputs)."""
        numbers = self.numbers(P)
        if self.kind == MULTILABEL:
            return _sparse_kind()(numbers) if self.sparse else numbers
        if self.kind == MULTIOUTPUT:
            return np.stack([c[k] for c, k in zip(self.classes, numbers.T, strict=True)], axis=1)
        numbers = numbers.reshape(-1)
        # One class alone is what every sample is.
        return self.classes[np.minimum(numbers, len(self.classes) - 1)]


def _sparse_kind() -> Any:
    return csr_array if get_config().get("sparse_interface") == "sparray" else csr_matrix


def both_classes(P: NDArray[Any]) -> NDArray[Any]:
    """The probabilities of two classes where there is that of the second alone; others as they are."""
    return np.hstack([1 - P, P]) if P.shape[1] == 1 else P


def numbers_of(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    """The place of each label among the classes, which are in order and have it."""
    if y.dtype != object:
        return np.searchsorted(classes, y)
    places = {label: place for place, label in enumerate(classes.tolist())}
    return np.fromiter(map(places.__getitem__, y.tolist()), np.intp, len(y))


def learn_labels(y: NDArray[Any]) -> Labels:
    """The labels that y holds; raises ValueError for targets that are no classes."""
    kind = type_of_target(y, input_name="y")
    if kind in ("binary", "multiclass"):
        classes = unique_labels(y) if y.dtype == object else np.unique(y)
        return Labels(BINARY if len(classes) <= 2 else MULTICLASS, classes)
    if kind == "multilabel-indicator":
        return Labels(MULTILABEL, np.arange(y.shape[1]))
    if kind == "multiclass-multioutput":
        return Labels(MULTIOUTPUT, [np.unique(column) for column in y.T])
    check_classification_targets(y)
    raise ValueError(f"Unknown label type: {kind}. Classes are expected, not continuous values.")


def told_labels(classes: Any, y: NDArray[Any]) -> Labels:
    """The labels of a first `partial_fit`, which is told them."""
    kind = type_of_target(y, input_name="y")
    if kind.startswith("multilabel"):
        return Labels(MULTILABEL, np.arange(y.shape[1]))
    if kind == "multiclass-multioutput":
        return Labels(MULTIOUTPUT, [np.unique(one) for one in classes])
    known = unique_labels(classes)
    return Labels(BINARY if len(known) <= 2 else MULTICLASS, known)


def check_labels(labels: Labels, y: NDArray[Any], warm: bool) -> None:
    """Raise ValueError where y has classes that the estimator did not learn; `warm`: or lacks some."""
    if labels.kind == MULTIOUTPUT:
        if y.ndim != 2 or y.shape[1] != len(labels.classes):
            raise ValueError(f"y has shape {y.shape}; expected {len(labels.classes)} columns, as before.")
        for k, (known, column) in enumerate(zip(labels.classes, y.T, strict=True)):
            if not np.isin(column, known).all():
                raise ValueError(
                    f"Column {k} of `y` has classes that are not in `self.classes_[{k}]`: {known}."
                )
        return
    if labels.kind == MULTILABEL:
        if y.ndim != 2 or y.shape[1] != len(labels.classes):
            raise ValueError(f"y has shape {y.shape}; expected {len(labels.classes)} columns of labels.")
        return
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array of classes as before, got an array of shape {y.shape}.")
    found = unique_labels(y)
    if warm:
        if set(found) != set(labels.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to "
                f"fit. Previously got {labels.classes}, `y` has {found}"
            )
    elif len(np.setdiff1d(found, labels.classes, assume_unique=True)):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {labels.classes}. "
            f"'y' has {found}."
        )


def check_loss(record: Loss, labels: Labels) -> None:
    """Raise InputError for a loss that these labels cannot have."""
    if record.output not in ("softmax", "logistic"):
        raise InputError(
            f"loss={record.name!r} is for numbers; a classifier takes 'log_loss', or a record such as "
            "gn.losses.cross_entropy(label_smoothing=0.1)."
        )
    output = "softmax" if labels.kind == MULTICLASS else "logistic"
    if record.output != output or labels.kind == MULTIOUTPUT:
        asked = {MULTICLASS: "one of several classes", BINARY: "one of two classes"}
        what = asked.get(labels.kind, "several columns")
        raise InputError(f"loss={record.name!r} cannot be used where y holds {what}: use 'log_loss'.")


def weigh(
    class_weight: Any, labels: Labels, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
) -> NDArray[Any] | None:
    """The samples' weights times those of their classes; of several columns, those of each.

    Raises as `weights_of_classes`.
    """
    if class_weight is None:
        return weights
    columns = labels.columns(y)
    each = weights_of_classes(class_weight, labels, columns, [weights] * len(columns), incremental)
    return weighted(labels, each, y, weights)


def weighted(
    labels: Labels, each: Sequence[NDArray[np.float64]], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[Any]:
    """The samples' weights times those `each` has of the classes of a column."""
    made = np.ones(len(y)) if weights is None else weights
    for found, known, column in zip(each, labels.known, labels.columns(y), strict=True):
        made = made * found[numbers_of(known, column)]
    return made


def weights_of_classes(
    class_weight: Any,
    labels: Labels,
    columns: Sequence[NDArray[Any]],
    weights: Sequence[NDArray[Any] | None],
    incremental: bool,
) -> tuple[NDArray[np.float64], ...]:
    """The weight of each class of each column, whose samples have weights of their own.

    "balanced" is ``n / (C count)`` of each class in y, as scikit-learn has it, samples counted by their
    weights. Else a mapping of weights, of several columns a list of them.

    Raises ValueError for a class that does not exist, as scikit-learn does; InputError for a weight below
    0, another number of mappings, and for "balanced" where y is only a part of the data.
    """
    balanced = isinstance(class_weight, str)
    if balanced and incremental:
        raise InputError(
            "class_weight='balanced' is not supported for partial_fit, which sees a part of the classes at "
            "a time. Give the weights, as in class_weight={'rare': 10, 'common': 1}; "
            "sklearn.utils.compute_class_weight finds them from all of y."
        )
    alone = labels.kind not in (MULTILABEL, MULTIOUTPUT)
    told = [class_weight] * len(columns) if balanced or alone else class_weight
    if not isinstance(told, (list, tuple)) or len(told) != len(columns):
        raise InputError(
            f"class_weight is {class_weight!r}; y has {len(columns)} columns, for which it is 'balanced' "
            f"or a list of {len(columns)} mappings, as in [{{0: 1, 1: 5}}, ...]."
        )
    return tuple(map(_of_column, told, labels.known, columns, weights))


def _of_column(
    class_weight: Any, known: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[np.float64]:
    if isinstance(class_weight, str):
        there = slice(None) if weights is None else weights != 0  # a sample of weight 0 is none
        counted = None if weights is None else weights[there]
        present = np.unique(y[there])
        found = np.ones(len(known))
        found[np.searchsorted(known, present)] = compute_class_weight(
            class_weight, classes=present, y=y[there], sample_weight=counted
        )
        return found
    for label, weight in class_weight.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise InputError(f"class_weight has {weight!r} for {label!r}; expected a number from 0 up.")
    return compute_class_weight(class_weight, classes=known, y=y)
