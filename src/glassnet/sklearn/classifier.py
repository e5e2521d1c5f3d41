"""MLPClassifier."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from glassnet._types import Array
from glassnet.data.dataset import is_stream
from glassnet.data.source import Dataset
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network
from glassnet.optim.loss_conventions import Conventions
from glassnet.sklearn import checks
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.labels import (
    BINARY,
    MULTICLASS,
    MULTIOUTPUT,
    Labels,
    both_classes,
    check_labels,
    check_loss,
    declared_labels,
    grouped_cross_entropy,
    learn_labels,
    with_class_weights,
)
from glassnet.sklearn.scoring import accuracy, label_score
from glassnet.sklearn.streaming import Classes, Coding, accuracy_of_rows, rows_for


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A network that tells classes apart, fitted as scikit-learn's class of that name, and faster.

    For three classes and more the loss of a sample is ``-log p_y`` with p the softmax of the output
    layer; for two classes one output is the probability p of the second, and for labels each output that
    of its own: ``-y log p - (1 - y) log(1 - p)``, summed. A reported loss takes probabilities to be at
    least the precision's epsilon, as scikit-learn's does.

    Parameters
    ----------
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Units of each hidden layer, such as (100, 50), or one number; () for none.
    activation : str, Activation or list, default="relu"
        The hidden layers' function, a name of `glassnet.ACTIVATIONS` or a record; or a list with one for
        each layer.
    solver : {"adam", "sgd", "lbfgs", "lm"} or Solver, default="adam"
        "adam" and "sgd" take batches; "lbfgs", SciPy's L-BFGS-B, and "lm", `glassnet.LevenbergMarquardt`,
        the whole of the data, in float64. Or one of `glassnet.SOLVERS`, such as ``gn.NewtonCG()``.
    alpha : float, default=0.0001
        Strength of the L2 penalty, ``alpha/2 sum W^2`` divided by the batch's weights (its samples, where
        they have none). Biases are not penalized.
    batch_size : int or "auto", default="auto"
        Samples of an update; "auto" is 200, or all where there are fewer.
    learning_rate : str or Schedule, default="constant"
        Of "sgd": "constant"; "invscaling", ``learning_rate_init / (samples seen + 1)**power_t`` from the
        second epoch on; or "adaptive", which is divided by 5 where training stalls and ends it below 1e-6.
        Or a schedule of `glassnet.SCHEDULES`, for "adam" and a named `optimizer` too; `fit` begins it anew,
        `partial_fit` goes on with it.
    learning_rate_init : float, default=0.001
        The rate of "sgd", "adam" and a named `optimizer`.
    power_t : float, default=0.5
        See "invscaling".
    max_iter : int, default=200
        Epochs of "sgd" and "adam", iterations of "lbfgs", accepted steps of "lm", at most.
    shuffle : bool, default=True
        Whether each epoch takes the samples in a new order.
    random_state : int, RandomState or None, default=None
        An integer, a RandomState whose stream moves on, or None for NumPy's global one. Draws the first
        parameters, the part for validation, the dropout's seed and the orders, in this order.
    tol : float, default=0.0001
        Training stalls where the loss, or with `early_stopping` the score, has not improved by `tol` for
        more than `n_iter_no_change` epochs in a row. Of "lbfgs" and "lm", `tol` bounds the gradient.
    verbose : bool, int or "bar", default=False
        True prints a line for each epoch, "bar" keeps a progress bar on stderr.
    warm_start : bool, default=False
        Whether `fit` goes on from the parameters of the fit before.
    momentum : float, default=0.9
        Of "sgd", from 0 to 1.
    nesterovs_momentum : bool, default=True
        Of "sgd", whether its momentum is Nesterov's.
    early_stopping : bool, default=False
        Whether to hold out `validation_fraction` of the samples, or take `validation_data`, to watch the
        score on them and to end with the parameters of the best epoch. "lbfgs" and "lm" hold nothing out:
        without `validation_data` they take no notice, as scikit-learn's.
    validation_fraction : float, default=0.1
        Above 0 and below 1.
    beta_1 : float, default=0.9
        Of "adam": how much of the mean gradient is kept.
    beta_2 : float, default=0.999
        Of "adam": how much of the mean square is kept.
    epsilon : float, default=1e-8
        Of "adam": added to the root of the mean square as it is.
    n_iter_no_change : int or inf, default=10
        Epochs without progress that are borne, see `tol`.
    max_fun : int, default=15000
        Evaluations of "lbfgs" and "lm", at most.
    loss : "log_loss" or Loss, default="log_loss"
        Or a record such as ``gn.losses.cross_entropy(label_smoothing=0.1)``, with which two classes have
        two outputs and a softmax.
    class_weight : "balanced", dict, list of dict or None, default=None
        "balanced" or a weight for each class, {class: weight}, which multiplies the sample weights; where y
        has several columns, "balanced" or a list of such.
    dropout : float or list of float, default=0.0
        The probability with which training leaves out a hidden unit, one for all or one for each hidden
        layer; for solvers that take batches.
    optimizer : Optimizer, str or None, default=None
        One of `glassnet.OPTIMIZERS` in place of `solver`, such as ``gn.AdamW(1e-3)``, which has its own
        rate; or the name of one, at `learning_rate_init` or the schedule `learning_rate`.
    l1 : float, default=0.0
        ``l1 sum |W|``, divided as alpha's penalty is.
    scoring : str, callable, list, dict or None, default=None
        A scorer's name, a function (estimator, X, y) or several of them, measured after each epoch on the
        samples held out; `early_stopping` watches the first.
    restore_best : bool, default=False
        Whether to end with the parameters of the epoch with the lowest validation loss, or training loss
        where there are no `validation_data`. With `early_stopping` the best score decides.
    missing : {"error", "mean", "median"}, default="error"
        "error" refuses NaN in X; "mean" and "median" fill it in with the training data's, and 0 in a
        feature that has nothing else.
    dtype : {"float32", "float64"} or None, default=None
        The precision of training on batches; None takes float32 X as it is, all else as float64.
    n_threads : int or None, default=None
        None takes the cores that this process may use, and its share of them in a joblib worker. Results do
        not depend on it.

    Attributes
    ----------
    coefs_ : list of ndarray
        Each layer's weights (n_in, n_out), views on one vector. May be set.
    intercepts_ : list of ndarray
        Each layer's biases (n_out,), views on the same vector. May be set.
    loss_ : float
        The last loss.
    best_loss_ : float or None
        The lowest; None with `early_stopping`. Not of "lbfgs".
    loss_curve_ : list of float
        Each epoch's loss, a running mean over its batches, penalties included. Not of "lbfgs".
    validation_scores_ : list of float or None
        With `early_stopping`, each epoch's score on the samples held out: the accuracy, or the first of
        `scoring`.
    best_validation_score_ : float or None
        The best of them.
    history_ : dict of list of float
        Lists by name, one value an epoch, NaN where it was not measured: "loss", and of samples held out
        "validation_loss", "score" with `early_stopping`, and "validation_" with each scorer's name.
    n_iter_ : int
        Epochs or iterations of the last fit.
    t_ : int
        Samples seen in all.
    n_layers_ : int
        Layers of units, inputs included.
    n_outputs_ : int
        Units of the output layer.
    out_activation_ : str
        The output's link: "softmax" or "logistic".
    n_features_in_ : int
        Features of X.
    feature_names_in_ : ndarray of str
        Their names, where X has them.
    mean_, scale_ : ndarray
        What rows of ``glassnet.stream(..., standardize=True)`` were standardized by.
    network_ : Network
        The network, for glassnet's own functions.
    parameters_ : Parameters
        `coefs_` and `intercepts_` as one flat vector.
    stopped_ : bool
        Whether early stopping has ended a series of `partial_fit`; see there.
    reason_ : str
        Of `glassnet.SOLVERS`: why training ended by itself, "" where it did not.
    classes_ : ndarray or list of ndarray
        The classes (n_classes,), in order; where y has several columns of classes, a list of such arrays.

    Notes
    -----
    Raises ValueError and TypeError with scikit-learn's messages where it has one, some as InputError and
    InputTypeError, also for parameters that end not finite; a `fit` that fails changes nothing.

    Streamed samples have the numbers of samples in memory with "lbfgs", and on batches where they fit into
    a window of `glassnet.stream`. Where they cannot be read on, the error's attribute `estimator` is fitted
    as far as training had come.

    For the same `random_state` the losses and parameters follow scikit-learn's up to rounding. It adds the
    arguments from `loss` on, activations and schedules beyond its own, `validation_data`, and y with
    several columns of classes; a sparse X is made dense unless it is large and nearly empty.

    References
    ----------
    Hinton (1989), "Connectionist learning procedures"; Glorot and Bengio (2010) for the first parameters;
    Kingma and Ba (2015) for Adam.

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
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep_arguments(locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation_data: Any = None
    ) -> MLPClassifier:
        """Fit the network to samples and their classes, from the start unless `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features), an array, a sparse matrix or a data frame; or what `glassnet.stream`
            takes or returns, such as a Parquet folder, which is read anew for each pass.
        y : classes (n_samples,), labels 0 and 1 (n_samples, n_labels), or a column of classes for each
            output (n_samples, n_columns); of Parquet and Dask's dataframes a column's name, or a list.
        sample_weight : (n_samples,), how much each sample counts, or a column's name.
        validation_data : (X, y), (X, y, sample_weight) or rows of `glassnet.stream`: a set of one's own,
            whose loss and scores go into `history_`; early stopping watches it, not a part split off.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=False)

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
        return self._fit(X, y, sample_weight, validation_data, incremental=True, classes=classes)

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted classes (n_samples,), or labels or classes of each output (n_samples, n).

        X may be what `glassnet.stream` takes or returns, and is then read in blocks; of files and
        dataframes the columns that were fitted are found by their names.
        """
        return self._answers(X, lambda P: self._labels.decode(P))

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class (n_samples, n_classes) or label, in the order of `classes_`.

        X is as for `predict`. Where y has several columns of classes, a list of arrays, one for each.
        """
        P = self._answers(X, both_classes)
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
        if is_stream(X):
            rows = rows_for(self, X, y, sample_weight, scored=True)
            answer = replace(self._labels, sparse=False).decode
            return accuracy_of_rows(*self._fitted(), rows, answer, self.n_threads)
        return label_score(y, self.predict(X), sample_weight, self._labels.kind == MULTIOUTPUT)

    # ---- What the base asks for --------------------------------------------------------------------

    def _check_rows(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any = None, trained_on: bool = False
    ) -> Callable[[np.dtype[Any]], Dataset]:
        found = Classes(rows, self.n_threads)
        try:
            self._check_y(found.example, first, incremental, classes)
        except ValueError as error:
            known = self._labels.classes_by_column if hasattr(self, "_labels") else ()
            raise found.located(error, known) from error
        weights = found.weights(self.class_weight if trained_on else None, self._labels, incremental)
        return lambda dtype: Coding(self._labels, dtype, weights).of(rows)

    def _check_y(self, y: Any, first: bool, incremental: bool, classes: Any = None) -> NDArray[Any]:
        sparse = issparse(y)
        y = y.toarray() if sparse else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if incremental and _check_partial_fit_first_call(self, classes):
            self._labels = replace(self._for_loss(declared_labels(classes, y)), sparse=sparse)
            self.classes_ = self._labels.classes
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._labels = replace(self._for_loss(learn_labels(y)), sparse=sparse)
            self.classes_ = self._labels.classes
        else:
            if not hasattr(self, "_labels"):
                self._labels = self._for_loss(declared_labels(self.classes_, y))
            check_labels(self._labels, y, self.warm_start and not incremental)
        return y

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

    def _design(self) -> tuple[str, Any, int]:
        labels: Labels = self._labels
        if not isinstance(self.loss, str):
            check_loss(self.loss, labels)
        if labels.kind == MULTIOUTPUT:
            return "identity", grouped_cross_entropy(labels.softmaxes.widths), labels.n_outputs
        output = "softmax" if labels.kind == MULTICLASS else "logistic"
        loss = None if isinstance(self.loss, str) else self.loss
        return output, loss, labels.n_outputs

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
