"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.engine.metrics import accuracy
from glassnet.errors import InputError
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network
from glassnet.optim.loss_conventions import Conventions
from glassnet.sklearn import checks
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.checks import not_fitted
from glassnet.sklearn.documentation import documented
from glassnet.sklearn.exchange.scikit_learn import as_label_binarizer, from_label_binarizer
from glassnet.sklearn.labels import (
    BINARY,
    MULTICLASS,
    MULTIOUTPUT,
    Labels,
    as_classes,
    both_classes,
    check_kinds,
    check_labels,
    check_loss,
    grouped_cross_entropy,
    labels_by_hand,
    learn_labels,
    same_classes,
    with_class_weights,
)
from glassnet.sklearn.samples import samples_of
from glassnet.sklearn.scoring import label_score
from glassnet.sklearn.streaming import Classes, Coding, accuracy_of_rows


@documented
class MLPClassifier(ClassifierMixin, BaseMLP):
    """A network that tells classes apart, fitted as scikit-learn's class of that name, and faster.

    For three classes and more the loss of a sample is ``-log p_y`` with p the softmax of the output
    layer; for two classes one output is the probability p of the second, and for labels each output that
    of its own: ``-y log p - (1 - y) log(1 - p)``, summed. A reported loss takes probabilities to be at
    least the precision's epsilon, as scikit-learn's does.

    Parameters
    ----------
    {learning}
    loss : "log_loss" or Loss, default="log_loss"
        Or a record such as ``gn.losses.cross_entropy(label_smoothing=0.1)``, with which two classes have
        two outputs and a softmax.
    class_weight : "balanced", dict, list of dict or None, default=None
        "balanced" or a weight for each class, {class: weight}, which multiplies the sample weights; where y
        has several columns, "balanced" or a list of such.
    {settings}

    Attributes
    ----------
    {attributes}
    classes_ : ndarray or list of ndarray
        The classes (n_classes,), in order; where y has several columns of classes, a list of such arrays.

    Notes
    -----
    {notes}

    For the same `random_state` the losses and parameters follow scikit-learn's up to rounding. It adds the
    arguments from `loss` on, activations and schedules beyond its own, `validation_data`, and y with
    several columns of classes; a sparse X is made dense unless it is large and nearly empty.

    {references}

    Examples
    --------
    >>> import glassnet as gn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_iris(return_X_y=True)
    >>> X = scale(X)
    >>> model = gn.MLPClassifier((10,), max_iter=500, learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).tolist(), model.score(X, y) > 0.95
    ([0, 0, 0], True)
    """

    _parameter_constraints: dict[str, list[Any]] = checks.CLASSIFIER
    _theirs = TheirClassifier
    _needed = ("coefs_", "intercepts_", "classes_")

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: Any = "relu",
        *,
        solver: str = "adam",
        alpha: float = 0.0001,
        batch_size: int | str = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: float = 0.001,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: float = 1e-4,
        verbose: Any = False,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: float = 10,
        max_fun: int = 15000,
        loss: Any = "log_loss",
        class_weight: Any = None,
        dropout: Any = 0.0,
        optimizer: Any = None,
        l1: float = 0.0,
        scoring: Any = None,
        restore_best: bool = False,
        missing: str = "error",
        categorical_features: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep_arguments(locals())

    @classmethod
    def from_weights(
        cls,
        coefs: Sequence[Any],
        intercepts: Sequence[Any],
        classes: Any = None,
        *,
        multilabel: bool = False,
        **arguments: Any,
    ) -> Self:
        """A fitted classifier of weights from elsewhere; `partial_fit` and `warm_start` go on from them.

        Parameters
        ----------
        coefs, intercepts : for each layer the weights (n_in, n_out) and the biases (n_out,). One output is
            the probability of the second of two classes, a logistic; several have a softmax.
        classes : what the outputs stand for, sorted as `fit` has them; None numbers them. A list of the
            classes of each column where y has several, with a softmax for each.
        multilabel : whether several outputs are labels, 0 or 1 each by a logistic of its own.
        arguments : of the constructor, such as `activation`, but for the sizes of hidden layers.

        Raises InputError for layers that do not follow one another, for numbers that are not finite, and
        for classes that do not fit the outputs or are not sorted. scikit-learn has nothing like it.

        >>> import glassnet as gn
        >>> model = gn.MLPClassifier.from_weights([[[2.0], [-1.0]]], [[0.5]], ["no", "yes"])
        >>> model.predict([[1.0, 1.0], [0.0, 1.0]]).tolist()
        ['yes', 'no']
        """
        outputs = np.size(intercepts[-1]) if len(intercepts) else 1
        known = np.arange(max(outputs, 2)) if classes is None else classes
        labels = labels_by_hand(known, outputs, "logistic" if multilabel else None)
        if any(
            len(own) != len(np.unique(own)) or (np.unique(own) != own).any()
            for own in labels.classes_by_column
        ):
            raise InputError(
                f"classes is {classes!r}; expected them sorted and each once, as fit has them. Sort the "
                f"columns of coefs[-1] and intercepts[-1] alike, by numpy.argsort(classes)."
            )
        return cls._of_weights(coefs, intercepts, arguments, _labels=labels, classes_=labels.classes)

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        classes: Any = None,
        *,
        validation_data: Any = None,
    ) -> MLPClassifier:
        """One epoch over the samples more.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`.
        classes : all classes that there will be, (n_classes,); needed by the first call. Where y has
            several columns of classes, a list of them.
        validation_data : as for `fit`. With ``early_stopping=True`` it is needed: once its score has
            not improved for `n_iter_no_change` calls, `stopped_` is True, the best parameters come back
            and further calls change nothing.
        """
        return self._fit(X, y, sample_weight, validation_data, True, classes)

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted classes (n_samples,), or labels or classes of each output (n_samples, n).

        X may be what `glassnet.stream` takes or returns, and is then read in blocks; of files and
        dataframes the columns that were fitted are found by their names.
        """
        return samples_of(self, X).answers(lambda P: self._labels.decode(P))

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class (n_samples, n_classes) or label, in the order of `classes_`.

        X is as for `predict`. Where y has several columns of classes, a list of arrays, one for each.
        """
        P = samples_of(self, X).answers(both_classes)
        return self._labels.softmaxes.split(P) if self._labels.kind == MULTIOUTPUT else P

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithm of `predict_proba`."""
        P = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(p) for p in P] if isinstance(P, list) else np.log(P)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of the samples predicted right: of several labels, all of them.

        X, y and sample_weight are as for `fit`; of streamed samples no prediction is kept.
        """
        return samples_of(self, X, y, sample_weight).score()

    # ---- What the base asks for --------------------------------------------------------------------

    def _score_arrays(self, X: Any, y: Any, weights: Any) -> float:
        return label_score(y, self.predict(X), weights, self._labels.kind == MULTIOUTPUT)

    def _score_rows(self, rows: Dataset) -> float:
        answer = replace(self._labels, sparse=False).decode
        return accuracy_of_rows(*self._fitted(), rows, answer, self.n_threads)

    def _check_rows(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any = None, trained_on: bool = False
    ) -> Callable[[np.dtype[Any]], Dataset]:
        found = Classes(rows, self.n_threads)
        try:
            self._check_y(found.example, first, incremental, classes)
        except ValueError as error:
            known = self._labels.classes_by_column if "_labels" in vars(self) else ()
            raise found.located(error, known) from error
        weights = found.weights(self.class_weight if trained_on else None, self._labels, incremental)
        return lambda dtype: Coding(self._labels, dtype, weights).of(rows)

    def _check_y(self, y: Any, first: bool, incremental: bool, classes: Any = None) -> NDArray[Any]:
        sparse = issparse(y)
        y = y.toarray() if sparse else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        check_kinds(y)
        if incremental and self._declares(classes):
            self._labels = replace(self._for_loss(learn_labels(y, as_classes(classes))), sparse=sparse)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._labels = replace(self._for_loss(learn_labels(y)), sparse=sparse)
        else:
            check_labels(self._labels, y, self.warm_start and not incremental)
        return y

    def _declares(self, classes: Any) -> bool:
        """Whether a `partial_fit` is the first and declares the classes; raises scikit-learn's errors."""
        known = vars(self).get("classes_")
        if known is None and classes is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if known is not None and classes is not None and not same_classes(known, as_classes(classes)):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: {known!r}"
            )
        return known is None

    def _for_loss(self, labels: Labels) -> Labels:
        """The labels; two classes have a softmax too where the loss is written for a softmax."""
        softmax = isinstance(self.loss, Loss) and self.loss.output == "softmax"
        two_classes = labels.kind == BINARY and len(labels.classes) == 2
        return Labels(MULTICLASS, labels.classes) if softmax and two_classes else labels

    def _encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        return self._labels.encode(y, dtype)

    def _decode(self, target: NDArray[Any]) -> NDArray[Any]:
        if self._labels.kind == MULTICLASS:
            return self._labels.classes[target]
        return self._labels.decode(target)

    @property
    def _labels(self) -> Labels:
        """What is told apart: as it was learned, or as attributes that were set by hand have it."""
        attributes = vars(self)
        labels: Labels | None = attributes.get("_labels")
        classes = attributes.get("classes_")
        if labels is not None and labels.classes is classes:
            return labels
        if classes is None or attributes.get("coefs_") is None:
            raise not_fitted(self)
        output = attributes.get("out_activation_")
        by_hand = labels_by_hand(classes, np.shape(self.coefs_[-1])[1], output)
        return by_hand if labels is None else replace(labels, classes=by_hand.classes)

    @_labels.setter
    def _labels(self, labels: Labels) -> None:
        self.__dict__.update(_labels=labels, classes_=labels.classes)

    @property
    def _label_binarizer(self) -> LabelBinarizer:
        """scikit-learn's way to keep the classes, which programs read and set."""
        return as_label_binarizer(self._labels)

    @_label_binarizer.setter
    def _label_binarizer(self, binarizer: LabelBinarizer) -> None:
        self._labels = from_label_binarizer(binarizer)

    def _design(self) -> tuple[str, Any]:
        labels = self._labels
        if not isinstance(self.loss, str):
            check_loss(self.loss, labels)
        if labels.kind == MULTIOUTPUT:
            return "identity", grouped_cross_entropy(labels.softmaxes.widths)
        output = "softmax" if labels.kind == MULTICLASS else "logistic"
        loss = None if isinstance(self.loss, str) else self.loss
        return output, loss

    def _n_outputs(self) -> int:
        return self._labels.n_outputs

    def _link(self, Y_hat: Array) -> Array:
        return self._labels.softmaxes(Y_hat) if self._labels.kind == MULTIOUTPUT else Y_hat

    def _link_jacobian(self, network: Network, Y_hat: Array) -> NDArray[Any]:
        if self._labels.kind == MULTIOUTPUT:
            return self._labels.softmaxes.jacobian(Y_hat)
        return super()._link_jacobian(network, Y_hat)

    def _out_activation(self, network: Network) -> str:
        return "softmax" if self._labels.kind == MULTIOUTPUT else super()._out_activation(network)

    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        plain = isinstance(self.loss, str) and self._labels.kind != MULTIOUTPUT
        return Conventions(True, float(np.finfo(dtype).eps) if plain else 0.0)

    def _score_of(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        actual = self._labels.numbers(target) if self._labels.kind == MULTIOUTPUT else target
        return accuracy(actual, self._labels.numbers(Y_hat), weights)

    def _strata(self, target: NDArray[Any]) -> NDArray[Any] | None:
        # Of two classes only, as in scikit-learn: its other targets have several columns.
        return target > 0.5 if target.ndim == 2 and target.shape[1] == 1 else None

    def _weigh_classes(
        self, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
    ) -> NDArray[Any] | None:
        return with_class_weights(self.class_weight, self._labels, y, weights, incremental)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
