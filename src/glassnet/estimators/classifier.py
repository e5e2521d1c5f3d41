"""Floor 7: MLPClassifier."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from glassnet.activations import Array
from glassnet.conventions import Conventions
from glassnet.errors import InputError
from glassnet.estimators import constraints
from glassnet.estimators.base import BaseMLP
from glassnet.estimators.grouped import grouped_cross_entropy
from glassnet.estimators.heldout import Samples
from glassnet.estimators.labels import (
    BINARY,
    MULTICLASS,
    MULTIOUTPUT,
    Labels,
    check_labels,
    learn_labels,
    told_labels,
)
from glassnet.estimators.scores import accuracy
from glassnet.estimators.weighting import weigh
from glassnet.losses import Loss
from glassnet.network import Network

_OF_LABELS = ("classes_", "_labels")


class MLPClassifier(ClassifierMixin, BaseMLP):
    """A network that tells classes apart, fitted as scikit-learn's class of that name, and faster.

    For three classes and more the loss of a sample is ``-log p_y`` with p the softmax of the output
    layer; for two classes one output is the probability p of the second, and for labels each output that
    of its own: ``-y log p - (1 - y) log(1 - p)``, summed. A reported loss takes probabilities to be at
    least the precision's epsilon, as scikit-learn's does.

    Parameters
    ----------
    hidden_layer_sizes : widths of the hidden layers, such as (100, 50), or one number; () for none.
    activation : the hidden layers' function, a name of `glassnet.ACTIVATIONS` or a record; or a list with
        one for each layer.
    solver : "adam" and "sgd" take batches; "lbfgs", SciPy's L-BFGS-B, and "lm",
        `glassnet.LevenbergMarquardt`, the whole of the data. Or one of `glassnet.SOLVERS`, such as
        ``gn.NewtonCG()``.
    alpha : strength of the L2 penalty, ``alpha/2 sum W^2`` divided by the batch's weights (its samples,
        where they have none). Biases are not penalized.
    batch_size : samples of an update; "auto" is 200, or all where there are fewer.
    learning_rate : of "sgd": "constant"; "invscaling", ``learning_rate_init / (samples seen + 1)**power_t``
        from the second epoch on; or "adaptive", which is divided by 5 where training stalls and ends it
        below 1e-6. Or a schedule of `glassnet.SCHEDULES`, for "adam" too.
    learning_rate_init, power_t : see there.
    max_iter : epochs of "sgd" and "adam", iterations of "lbfgs", accepted steps of "lm".
    shuffle : whether each epoch takes the samples in a new order.
    random_state : an integer, a RandomState whose stream moves on, or None for NumPy's global one. Draws
        the first parameters, the part for validation, the dropout's seed and the orders, in this order.
    tol, n_iter_no_change : training stalls where the loss, or with `early_stopping` the score, has not
        improved by `tol` for more than so many epochs in a row. Of "lbfgs" and "lm", `tol` bounds the
        gradient.
    verbose : True prints a line for each epoch, "bar" keeps a progress bar on stderr.
    warm_start : whether `fit` goes on from the parameters of the fit before.
    momentum, nesterovs_momentum : of "sgd".
    early_stopping : whether to hold out `validation_fraction` of the samples, watch the score on them
        and end with the parameters of the best epoch.
    validation_fraction : above 0 and below 1.
    beta_1, beta_2, epsilon : of "adam"; epsilon is added to the root of the mean square as it is.
    max_fun : evaluations of "lbfgs" and "lm".
    loss : "log_loss", or a loss record such as ``gn.losses.cross_entropy(label_smoothing=0.1)``, with
        which two classes have two outputs and a softmax.
    class_weight : "balanced" or a weight for each class, {class: weight}; multiplies the sample weights.
    dropout : the probability with which training leaves out a hidden unit, one number or one for each
        hidden layer; for solvers that take batches.
    optimizer : one of `glassnet.OPTIMIZERS`, such as ``gn.AdamW(1e-3)``, in place of `solver` and its
        rate.
    l1 : ``l1 sum |W|``, divided as alpha's penalty is.
    scoring : a scorer's name, a function (estimator, X, y) or several of them, measured after each epoch
        on the samples held out; `early_stopping` watches the first.
    restore_best : whether to end with the parameters of the epoch with the lowest validation loss, or
        training loss where there are no `validation_data`.
    missing : "error" refuses NaN in X; "mean" and "median" fill it in with the training data's.
    dtype : "float32" or "float64"; None takes float32 X as it is, all else as float64.
    n_threads : None takes the cores that this process may use, and its share of them in a joblib worker.
        Results do not depend on it.

    Attributes
    ----------
    coefs_, intercepts_ : lists of each layer's weights (n_in, n_out) and biases (n_out,); views on one
        vector. Both may be set.
    loss_, best_loss_, loss_curve_ : the last loss, the lowest, and each epoch's, a running mean over its
        batches, penalties included.
    validation_scores_, best_validation_score_ : with `early_stopping`, else None.
    history_ : lists by name, one value an epoch: "loss", and of samples held out "validation_loss",
        "score" and "validation_" with each scorer's name.
    n_iter_, t_ : epochs of the last fit, and samples seen in all.
    n_layers_, n_outputs_, out_activation_ : of the network.
    n_features_in_, feature_names_in_ : of X; names where it has them.
    stopped_ : whether early stopping has ended a series of `partial_fit`; see there.
    classes_ : (n_classes,); where y has several columns of classes, a list of such arrays.

    Raises ValueError and TypeError with scikit-learn's messages where it has one, also as InputError and
    InputTypeError; a `fit` that fails leaves the estimator as it was. ValueError too where training ends
    with parameters that are not finite.

    Example
    -------
    >>> import glassnet as gn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_iris(return_X_y=True)
    >>> X = scale(X)
    >>> model = gn.MLPClassifier((10,), max_iter=500, learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> model.predict(X[:3]).tolist(), model.score(X, y) > 0.95
    ([0, 0, 0], True)

    Hinton (1989), "Connectionist learning procedures"; Glorot and Bengio (2010) for the first parameters;
    Kingma and Ba (2015) for Adam. For the same `random_state` the losses and parameters follow
    scikit-learn's up to rounding. It adds the arguments from `loss` on, activations and schedules beyond
    its own, `validation_data`, and y with several columns of classes; a sparse X is made dense.
    """

    _parameter_constraints: dict[str, list[Any]] = constraints.CLASSIFIER

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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.max_fun = max_fun
        self.loss = loss
        self.class_weight = class_weight
        self.dropout = dropout
        self.optimizer = optimizer
        self.l1 = l1
        self.scoring = scoring
        self.restore_best = restore_best
        self.missing = missing
        self.dtype = dtype
        self.n_threads = n_threads

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None
    ) -> MLPClassifier:
        """Fit the network to samples and their classes, from the start unless `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features), an array, a sparse matrix (which is made dense) or a data frame.
        y : classes (n_samples,), labels 0 and 1 (n_samples, n_labels), or a column of classes for each
            output (n_samples, n_columns).
        sample_weight : (n_samples,), how much each sample counts.
        validation_data : (X, y) or (X, y, sample_weight): a fixed set of one's own, whose loss and
            scores go into `history_`, and which early stopping watches in place of a part split off.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=False)

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: Any,
        y: Any,
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
        before = {name: self.__dict__[name] for name in _OF_LABELS if name in self.__dict__}
        try:
            if _check_partial_fit_first_call(self, classes):
                told = told_labels(classes, y.toarray() if issparse(y) else np.asarray(y))
                self._labels = replace(self._for_loss(told), sparse=issparse(y))
                self.classes_ = self._labels.classes
            return self._fit(X, y, sample_weight, validation_data, incremental=True)
        except BaseException:
            for name in _OF_LABELS:
                self.__dict__.pop(name, None)
            self.__dict__.update(before)
            raise

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted classes (n_samples,), or labels or classes of each output (n_samples, n)."""
        P = self._outputs(X)
        return self._labels.decode(P)

    def predict_proba(self, X: Any) -> Any:
        """The probability of each class (n_samples, n_classes) or label, in the order of `classes_`.

        Where y has several columns of classes, a list of arrays, one for each column.
        """
        P = self._outputs(X)
        if self._labels.kind == MULTIOUTPUT:
            return self._labels.parts(P)
        return np.hstack([1 - P, P]) if P.shape[1] == 1 else P

    def predict_log_proba(self, X: Any) -> Any:
        """The logarithm of `predict_proba`."""
        P = self.predict_proba(X)
        with np.errstate(divide="ignore"):
            return [np.log(part) for part in P] if isinstance(P, list) else np.log(P)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of the samples predicted right: of several labels, all of them."""
        found = self.predict(X)
        plain = sample_weight is None and type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "iubU"
        if plain and y.shape == found.shape:
            return float(np.mean(y == found))  # what scikit-learn finds, after its checks
        if self._labels.kind == MULTIOUTPUT:
            return accuracy(np.asarray(y), found, sample_weight)
        return float(accuracy_score(y, found, sample_weight=sample_weight))

    # ---- What the base asks for --------------------------------------------------------------------

    def _check_y(self, y: Any, first: bool, incremental: bool) -> NDArray[Any]:
        sparse = issparse(y)
        y = y.toarray() if sparse else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not hasattr(self, "classes_") or (not self.warm_start and not incremental):
            self._labels = replace(self._for_loss(learn_labels(y)), sparse=sparse)
            self.classes_ = self._labels.classes
        else:
            if not hasattr(self, "_labels"):
                self._labels = self._for_loss(told_labels(self.classes_, y))
            check_labels(self._labels, y, self.warm_start and not incremental)
        return y

    def _for_loss(self, labels: Labels) -> Labels:
        """Two classes have a softmax too where the loss is written for one."""
        softmax = isinstance(self.loss, Loss) and self.loss.output == "softmax"
        pair = labels.kind == BINARY and len(labels.classes) == 2
        return Labels(MULTICLASS, labels.classes) if softmax and pair else labels

    def _encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        return self._labels.encode(y, dtype)

    def _decode(self, target: NDArray[Any]) -> NDArray[Any]:
        if self._labels.kind == MULTICLASS:
            return self._labels.classes[target]
        return self._labels.decode(target)

    def _design(self) -> tuple[str, Any, int]:
        labels: Labels = self._labels
        self._check_loss(labels)
        if labels.kind == MULTIOUTPUT:
            return "identity", grouped_cross_entropy(labels.groups.widths), labels.n_outputs
        output = "softmax" if labels.kind == MULTICLASS else "logistic"
        loss = None if isinstance(self.loss, str) else self.loss
        return output, loss, labels.n_outputs

    def _check_loss(self, labels: Labels) -> None:
        if isinstance(self.loss, str):
            return
        record, output = self.loss, "softmax" if labels.kind == MULTICLASS else "logistic"
        if record.output not in ("softmax", "logistic"):
            raise InputError(
                f"loss={record.name!r} is for numbers; a classifier takes 'log_loss', or a record such as "
                "gn.losses.cross_entropy(label_smoothing=0.1)."
            )
        if record.output != output or labels.kind == MULTIOUTPUT:
            asked = {MULTICLASS: "one of several classes", BINARY: "one of two classes"}
            what = asked.get(labels.kind, "several columns")
            raise InputError(f"loss={record.name!r} cannot be used where y holds {what}: use 'log_loss'.")

    def _link(self, Y_hat: Array) -> Array:
        return self._labels.groups.softmax(Y_hat) if self._labels.kind == MULTIOUTPUT else Y_hat

    def _link_jacobian(self, network: Network, Y_hat: Array) -> NDArray[Any]:
        if self._labels.kind == MULTIOUTPUT:
            return self._labels.groups.jacobian(Y_hat)
        return super()._link_jacobian(network, Y_hat)

    def _out_activation(self, network: Network) -> str:
        return "softmax" if self._labels.kind == MULTIOUTPUT else super()._out_activation(network)

    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        plain = isinstance(self.loss, str) and self._labels.kind != MULTIOUTPUT
        return Conventions(shared=True, floor=float(np.finfo(dtype).eps) if plain else 0.0)

    def _rate(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        return accuracy(target, self._labels.numbers(Y_hat), weights)

    def _strata(self, target: NDArray[Any]) -> NDArray[Any] | None:
        # Of two classes only, as in scikit-learn: its other targets have several columns.
        return target > 0.5 if target.ndim == 2 and target.shape[1] == 1 else None

    def _offsets(self, samples: Samples) -> NDArray[np.float64] | None:
        return None

    def _balance(
        self, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
    ) -> NDArray[Any] | None:
        return weigh(self.class_weight, self._labels, y, weights, incremental)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
