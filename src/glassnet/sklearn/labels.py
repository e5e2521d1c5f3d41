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
from glassnet.nn.loss_values import softmax
from glassnet.nn.losses import Loss

BINARY, MULTICLASS, MULTILABEL, MULTIOUTPUT = "binary", "multiclass", "multilabel", "multioutput"


@dataclass(frozen=True)
class Softmaxes:
    """A softmax over the first ``widths[0]`` outputs, one over the next ``widths[1]``, and so on."""

    widths: tuple[int, ...]

    def split(self, Z: Array) -> list[Array]:
        """The outputs of each softmax, from (n, outputs)."""
        return np.split(Z, np.cumsum(self.widths)[:-1], axis=1)

    def __call__(self, Z: Array) -> Array:
        return np.hstack([softmax(z) for z in self.split(Z)])

    def jacobian(self, P: Array) -> Array:
        """dp/dz, (n, outputs, outputs), from the probabilities."""
        softmax_of = np.repeat(np.arange(len(self.widths)), self.widths)
        eye = np.eye(P.shape[1], dtype=P.dtype)
        return P[:, :, None] * (eye - P[:, None, :] * (softmax_of[:, None] == softmax_of))


@dataclass(frozen=True)
class _CrossEntropies:
    """The cross entropies of a sample, summed over the softmaxes, (n,)."""

    softmaxes: Softmaxes

    def __call__(self, Z: Array, Y: Array) -> Array:
        total = np.zeros(len(Z), Z.dtype)
        for z, y in zip(self.softmaxes.split(Z), self.softmaxes.split(Y), strict=True):
            shifted = z - z.max(axis=1, keepdims=True)
            total = total + np.log(np.exp(shifted).sum(axis=1)) - (y * shifted).sum(axis=1)
        return total


@dataclass(frozen=True)
class _Delta:
    softmaxes: Softmaxes

    def __call__(self, Z: Array, Y: Array) -> Array:
        return self.softmaxes(Z) - Y


def grouped_cross_entropy(widths: Sequence[int]) -> Loss:
    """The sum over softmaxes g of -sum_c y_gc log p_gc; the targets are their one-hot rows side by side.

    It runs on the NumPy engine.

    >>> import numpy as np
    >>> from glassnet.sklearn.labels import grouped_cross_entropy
    >>> loss = grouped_cross_entropy([2, 3])
    >>> loss.value(np.zeros((1, 5)), np.array([[1.0, 0, 0, 1, 0]])).round(4).tolist()  # log 2 + log 3
    [1.7918]
    """
    softmaxes = Softmaxes(tuple(widths))
    return Loss(
        "grouped_cross_entropy",
        output="identity",
        target="real",
        value=_CrossEntropies(softmaxes),
        delta=_Delta(softmaxes),
        formula="-sum_g sum_c y_gc log y_hat_gc",
        delta_formula="y_hat - y",
    )


@dataclass(frozen=True)
class Labels:
    """What a classifier tells apart.

    kind : "binary" (one output, the probability of the second class), "multiclass" (an output for each
        class, a softmax), "multilabel" (an output for each label, 0 or 1), or "multioutput" (for each
        column of y an output for each of its classes, and a softmax over those).
    classes : the classes in order, (n_classes,); of "multioutput" a list of them, one for each column.
    sparse : whether y was a sparse matrix; then the predictions are as well.
    """

    kind: str
    classes: Any
    sparse: bool = False

    @property
    def n_outputs(self) -> int:
        """Units of the output layer."""
        if self.kind == BINARY:
            return 1
        return sum(map(len, self.classes)) if self.kind == MULTIOUTPUT else len(self.classes)

    def encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Class numbers (n,) of "multiclass"; rows (n, n_outputs) of 0 and 1 of the other kinds."""
        if self.kind == MULTILABEL:
            return (y != 0).astype(dtype)
        if self.kind == MULTIOUTPUT:
            pairs = zip(self.classes, y.T, strict=True)
            return np.hstack([np.eye(len(c), dtype=dtype)[class_numbers(c, column)] for c, column in pairs])
        numbers = class_numbers(self.classes, y)
        return numbers if self.kind == MULTICLASS else numbers[:, None].astype(dtype)

    def numbers(self, P: NDArray[Any]) -> NDArray[np.intp]:
        """The most probable classes by number, from probabilities (n, n_outputs): (n,) or rows."""
        if self.kind == MULTICLASS:
            return P.argmax(axis=1)
        if self.kind == MULTIOUTPUT:
            return np.stack([p.argmax(axis=1) for p in self.softmaxes.split(P)], axis=1)
        return (P > 0.5).astype(np.intp)

    def decode(self, P: NDArray[Any]) -> Any:
        """The predicted labels, from probabilities (n, n_outputs)."""
        numbers = self.numbers(P)
        if self.kind == MULTILABEL:
            return _sparse_type()(numbers) if self.sparse else numbers
        if self.kind == MULTIOUTPUT:
            return np.stack([c[k] for c, k in zip(self.classes, numbers.T, strict=True)], axis=1)
        # Where y had one class alone, every sample is of that class.
        return self.classes[np.minimum(numbers.reshape(-1), len(self.classes) - 1)]

    @property
    def softmaxes(self) -> Softmaxes:
        """The softmaxes of "multioutput", one for each column of y."""
        return Softmaxes(tuple(map(len, self.classes)))

    @property
    def classes_by_column(self) -> list[NDArray[Any]]:
        """The classes of each of `columns`."""
        if self.kind == MULTIOUTPUT:
            return list(self.classes)
        return [np.arange(2)] * self.n_outputs if self.kind == MULTILABEL else [self.classes]

    def columns(self, y: NDArray[Any]) -> list[NDArray[Any]]:
        """The columns of y, each of which has its own classes."""
        return [*y.T] if self.kind in (MULTILABEL, MULTIOUTPUT) else [y]


def _sparse_type() -> Any:
    return csr_array if get_config().get("sparse_interface") == "sparray" else csr_matrix


def both_classes(P: NDArray[Any]) -> NDArray[Any]:
    """The probabilities of both classes where P has only the second one's; other P as they are."""
    return np.hstack([1 - P, P]) if P.shape[1] == 1 else P


def class_numbers(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    """The index of each label in the sorted classes, all of which are known."""
    if y.dtype != object:
        return np.searchsorted(classes, y)
    places = {label: place for place, label in enumerate(classes.tolist())}
    return np.fromiter(map(places.__getitem__, y.tolist()), np.intp, len(y))


def learn_labels(y: NDArray[Any], classes: Any = None) -> Labels:
    """The labels in y, or the classes that `as_classes` has made of what is declared.

    Raises ValueError for targets that are no classes, and InputError for declared classes of another kind.
    """
    kind = "multiclass" if _is_plain(y) else type_of_target(y, input_name="y")
    several = isinstance(classes, list)
    if several and (y.ndim != 2 or y.shape[1] != len(classes)):
        raise InputError(f"classes has those of {len(classes)} columns, and y has shape {y.shape}.")
    if several or (kind == "multiclass-multioutput" and classes is None):
        return Labels(MULTIOUTPUT, [np.unique(column) for column in y.T] if classes is None else classes)
    if kind == "multiclass-multioutput":
        raise InputError(
            f"y has {y.shape[1]} columns of classes, and classes is {classes}; expected a list of the "
            f"classes of each column, as in [[0, 1, 2], [0, 1]]."
        )
    if kind == "multilabel-indicator":
        labels = Labels(MULTILABEL, np.arange(y.shape[1]))
        if classes is not None and not np.array_equal(classes, labels.classes):
            raise ValueError(
                f"`y` has classes not in `self.classes_`, or not all. `self.classes_` has {classes}. "
                f"'y' has {labels.classes}: {y.shape[1]} columns of labels."
            )
        return labels
    known = classes
    if classes is None and kind in ("binary", "multiclass"):
        known = _unique(y)
    elif classes is None:
        check_classification_targets(y)
        raise ValueError(f"Unknown label type: {kind}. Classes are expected, not continuous values.")
    return Labels(BINARY if len(known) <= 2 else MULTICLASS, known)


def as_classes(classes: Any) -> Any:
    """The classes that `partial_fit` is given, in order: an array, or of several columns a list of them."""
    check_zero_bytes(classes, "classes")
    kinds = {type(one) for one in classes} if isinstance(classes, (list, tuple)) else set()
    if kinds and kinds <= {list, tuple, np.ndarray}:
        return list(map(unique_labels, classes))
    return unique_labels(classes)


def same_classes(known: Any, classes: Any) -> bool:
    """Whether the declared classes are those that are known."""
    if isinstance(known, list) and isinstance(classes, list) and len(known) == len(classes):
        return all(map(np.array_equal, known, classes))
    return not isinstance(known, list) and not isinstance(classes, list) and np.array_equal(known, classes)


def labels_by_hand(classes: Any, n_outputs: int, out_activation: str | None) -> Labels:
    """The labels of parameters that were set by hand, from `classes_`, outputs and `out_activation_`.

    Raises InputError where there is no output for each class.
    """
    if isinstance(classes, list) and classes and isinstance(classes[0], (list, np.ndarray)):
        labels = Labels(MULTIOUTPUT, list(map(np.asarray, classes)))
    else:
        classes = np.asarray(classes)
        several = MULTILABEL if out_activation == "logistic" else MULTICLASS
        labels = Labels(BINARY if n_outputs == 1 and len(classes) <= 2 else several, classes)
    if labels.n_outputs != n_outputs:
        raise InputError(
            f"classes_ has {len(classes)} entries, and coefs_ end in {n_outputs} outputs; expected one for "
            f"each class, or one alone for two classes."
        )
    return labels


def _is_plain(y: NDArray[Any]) -> bool:
    """Whether y can hold nothing but classes: scikit-learn's checks take longer than a small fit."""
    return y.ndim == 1 and y.dtype.kind in "biuU"


def _unique(y: NDArray[Any]) -> NDArray[Any]:
    return np.unique(y) if _is_plain(y) else unique_labels(y)


def check_zero_bytes(labels: object, name: str = "y") -> None:
    """Raise InputError for text in a list or an array of objects that ends in a zero byte.

    The text of NumPy, which classes are in scikit-learn, drops it: two labels would become one.
    """
    if isinstance(labels, np.ndarray):
        labels = labels.ravel().tolist() if labels.dtype == object else ()
    if not isinstance(labels, (list, tuple)) or not labels or not isinstance(labels[0], (str, list, tuple)):
        return
    for row, label in enumerate(labels):
        for text in label if isinstance(label, (list, tuple)) else (label,):
            if isinstance(text, str) and text.endswith("\0"):
                raise InputError(
                    f"{name} has the label {text!r} at row {row}: NumPy's text, which classes_ is, drops "
                    f"zero bytes at the end. Give labels without them, or use gn.train, which keeps them."
                )


def check_kinds(y: NDArray[Any]) -> None:
    """Raise InputError for a y of objects that are not all text: NumPy sorts and compares no others.

    scikit-learn calls such a y "unknown", and takes its values for continuous.
    """
    if y.dtype != object:
        return
    check_zero_bytes(y)
    kinds = set(map(type, y.flat))
    if kinds == {bytes} or all(issubclass(kind, str) for kind in kinds):  # scikit-learn refuses bytes
        return
    numbers = all(issubclass(kind, (bool, int, float, np.number, np.bool_)) for kind in kinds)
    mend = "y.astype(int) or y.astype(float)" if numbers else "such as the text of each, y.astype(str)"
    raise InputError(
        f"Unknown label type: y is an array of objects, whose kinds are "
        f"{', '.join(sorted(kind.__name__ for kind in kinds))}; expected text alone, or an array of "
        f"numbers. Make labels of one kind, {mend}."
    )


def check_labels(labels: Labels, y: NDArray[Any], warm: bool) -> None:
    """Raise ValueError where y has classes that the estimator did not learn; `warm`: or lacks some."""
    if labels.kind in (MULTIOUTPUT, MULTILABEL):
        if y.ndim != 2 or y.shape[1] != len(labels.classes):
            kind = "columns, as before" if labels.kind == MULTIOUTPUT else "columns of labels"
            raise ValueError(f"y has shape {y.shape}; expected {len(labels.classes)} {kind}.")
        if labels.kind == MULTILABEL:
            return
        for k, (known, column) in enumerate(zip(labels.classes, y.T, strict=True)):
            if not np.isin(column, known).all():
                raise ValueError(
                    f"Column {k} of `y` has classes that are not in `self.classes_[{k}]`: {known}."
                )
        return
    if y.ndim != 1:
        raise ValueError(f"y should be a 1d array of classes as before, got an array of shape {y.shape}.")
    classes = _unique(y)
    if warm:
        if set(classes) != set(labels.classes):
            raise ValueError(
                "warm_start can only be used where `y` has the same classes as in the previous call to "
                f"fit. Previously got {labels.classes}, `y` has {classes}"
            )
    elif len(np.setdiff1d(classes, labels.classes, assume_unique=True)):
        raise ValueError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {labels.classes}. "
            f"'y' has {classes}."
        )


def check_loss(loss: Loss, labels: Labels) -> None:
    """Raise InputError for a loss that these labels cannot have."""
    if loss.output not in ("softmax", "logistic"):
        raise InputError(
            f"loss={loss.name!r} is for numbers; a classifier takes 'log_loss', or a record such as "
            "gn.losses.cross_entropy(label_smoothing=0.1)."
        )
    output = "softmax" if labels.kind == MULTICLASS else "logistic"
    if loss.output != output or labels.kind == MULTIOUTPUT:
        kinds = {MULTICLASS: "one of several classes", BINARY: "one of two classes"}
        kind = kinds.get(labels.kind, "several columns")
        raise InputError(f"loss={loss.name!r} cannot be used where y holds {kind}: use 'log_loss'.")


# ---- class_weight ----------------------------------------------------------------------------------


def with_class_weights(
    class_weight: Any, labels: Labels, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
) -> NDArray[Any] | None:
    """The samples' weights times those of their classes, in each column of y; raises as `class_weights`."""
    if class_weight is None:
        return weights
    columns = labels.columns(y)
    of_columns = class_weights(class_weight, labels, columns, [weights] * len(columns), incremental)
    return multiply_weights(labels, of_columns, y, weights)


def multiply_weights(
    labels: Labels, of_columns: Sequence[Array], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[Any]:
    """The samples' weights times those of their classes; `of_columns` has a weight for each class."""
    product = np.ones(len(y)) if weights is None else weights
    for factors, known, column in zip(of_columns, labels.classes_by_column, labels.columns(y), strict=True):
        product = product * factors[class_numbers(known, column)]
    return product


def class_weights(
    class_weight: Any,
    labels: Labels,
    columns: Sequence[NDArray[Any]],
    weights: Sequence[NDArray[Any] | None],
    incremental: bool,
) -> tuple[NDArray[np.float64], ...]:
    """The weight of each class of each column, from the columns' labels and their samples' weights.

    "balanced" is ``n / (C count)`` of each class in y, as scikit-learn has it, where the samples' weights
    are what is counted. Else `class_weight` is a mapping, or of several columns a list of them.

    Raises ValueError for a class that does not exist, as scikit-learn does; InputError for a weight below
    0, another number of mappings, and for "balanced" in `partial_fit`.
    """
    balanced = isinstance(class_weight, str)
    if balanced and incremental:
        raise InputError(
            "class_weight='balanced' is not supported for partial_fit, which sees only some of the samples "
            "at a time. Give the weights, as in class_weight={'rare': 10, 'common': 1}; "
            "sklearn.utils.compute_class_weight finds them from all of y."
        )
    single = labels.kind not in (MULTILABEL, MULTIOUTPUT)
    of_columns = [class_weight] * len(columns) if balanced or single else class_weight
    if not isinstance(of_columns, (list, tuple)) or len(of_columns) != len(columns):
        raise InputError(
            f"class_weight is {class_weight!r}; y has {len(columns)} columns, for which it is 'balanced' "
            f"or a list of {len(columns)} mappings, as in [{{0: 1, 1: 5}}, ...]."
        )
    return tuple(map(_column_weights, of_columns, labels.classes_by_column, columns, weights))


def _column_weights(
    class_weight: Any, known: NDArray[Any], y: NDArray[Any], weights: NDArray[Any] | None
) -> NDArray[np.float64]:
    if isinstance(class_weight, str):
        counted = slice(None) if weights is None else weights != 0  # weight 0: as if it were not there
        present = np.unique(y[counted])
        factors = np.ones(len(known))
        factors[np.searchsorted(known, present)] = compute_class_weight(
            class_weight,
            classes=present,
            y=y[counted],
            sample_weight=None if weights is None else weights[counted],
        )
        return factors
    for label, weight in class_weight.items():
        if not (np.isfinite(weight) and weight >= 0):
            raise InputError(f"class_weight has {weight!r} for {label!r}; expected a number from 0 up.")
    return compute_class_weight(class_weight, classes=known, y=y)
