"""Floor 7: MLPRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from glassnet.activations import Array
from glassnet.conventions import Conventions
from glassnet.errors import InputError
from glassnet.estimators import constraints
from glassnet.estimators.base import BaseMLP
from glassnet.estimators.heldout import Samples
from glassnet.estimators.scores import r2
from glassnet.losses import LOSSES


class MLPRegressor(RegressorMixin, BaseMLP):
    """A network that predicts numbers, fitted as scikit-learn's class of that name, and faster.

    The loss of a sample is ``1/2 sum_k (y_k - y_hat_k)^2`` over its outputs, or another of `loss`.

    Parameters
    ----------
    loss : "squared_error", "absolute_error", "huber" or "quantile", or a record with a setting, such as
        ``gn.losses.quantile(0.9)``; "poisson", ``sum_k (y_k log(y_k / y_hat_k) - y_k + y_hat_k)`` with
        an exponential as output.
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
    average_outputs : whether the squared error is reported as scikit-learn reports it, averaged over
        the outputs. The gradient is that of the sum either way, in scikit-learn too: only with one output,
        or with this off, is the loss the one that is descended.
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

    Raises ValueError and TypeError with scikit-learn's messages where it has one, also as InputError and
    InputTypeError; a `fit` that fails leaves the estimator as it was. ValueError too where training ends
    with parameters that are not finite.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = gn.MLPRegressor(hidden_layer_sizes=8, activation="tanh", solver="lbfgs", random_state=0)
    >>> bool(model.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.99)
    True

    Hinton (1989), "Connectionist learning procedures"; Glorot and Bengio (2010) for the first parameters;
    Kingma and Ba (2015) for Adam. For the same `random_state` the losses and parameters follow
    scikit-learn's up to rounding, but for the reported loss of several outputs (see `average_outputs`)
    and what "lbfgs", which goes by it, finds for them. It adds the arguments from `average_outputs` on,
    losses, activations and schedules beyond its own, and `validation_data`; a sparse X is made dense.
    """

    _parameter_constraints: dict[str, list[Any]] = constraints.REGRESSOR

    def __init__(
        self,
        loss: Any = "squared_error",
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
        average_outputs: bool = False,
        dropout: Any = 0.0,
        optimizer: Any = None,
        l1: float = 0.0,
        scoring: Any = None,
        restore_best: bool = False,
        missing: str = "error",
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.loss = loss
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
        self.average_outputs = average_outputs
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
    ) -> MLPRegressor:
        """Fit the network to samples and their targets, from the start unless `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features), an array, a sparse matrix (which is made dense) or a data frame.
        y : (n_samples,) or (n_samples, n_outputs).
        sample_weight : (n_samples,), how much each sample counts.
        validation_data : (X, y) or (X, y, sample_weight): a fixed set of one's own, whose loss and
            scores go into `history_`, and which early stopping watches in place of a part split off.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=False)

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, sample_weight: Any = None, *, validation_data: Any = None
    ) -> MLPRegressor:
        """One epoch over the samples more.

        Parameters
        ----------
        X, y, sample_weight : as for `fit`.
        validation_data : as for `fit`. With ``early_stopping=True`` it is needed: once its score has
            not improved for `n_iter_no_change` calls, `stopped_` is True, the best parameters come back
            and further calls change nothing.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted values, (n_samples,), or (n_samples, n_outputs) where there are several."""
        Y_hat = self._outputs(X)
        return Y_hat.ravel() if Y_hat.shape[1] == 1 else Y_hat

    # ---- What the base asks for --------------------------------------------------------------------

    _numeric = True

    def _check_y(self, y: Any, first: bool, incremental: bool) -> NDArray[Any]:
        y = y.toarray() if issparse(y) else y
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        count = 1 if y.ndim == 1 else y.shape[1]
        before = count if first else self.__dict__.get("_n_targets", count)
        if count != before:
            raise ValueError(f"y has {count} outputs, but the estimator was fitted with {before}.")
        self._n_targets: int = count
        if self._loss_name == "poisson" and (y < 0).any():
            raise ValueError(
                f"Some value(s) of y are out of the valid range of the loss 'poisson': {y.min()} is below "
                f"0."
            )
        return y

    @property
    def _loss_name(self) -> str:
        return self.loss if isinstance(self.loss, str) else self.loss.name

    def _encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        return (y[:, None] if y.ndim == 1 else y).astype(dtype, copy=False)

    def _decode(self, target: NDArray[Any]) -> NDArray[Any]:
        return target.ravel() if target.shape[1] == 1 else target

    def _design(self) -> tuple[str, Any, int]:
        record = LOSSES[self.loss] if isinstance(self.loss, str) else self.loss
        if record.output not in constraints.OF_NUMBERS:
            raise InputError(
                f"loss={record.name!r} is for classes; a regressor takes one of "
                f"{', '.join(constraints.LOSSES_OF_NUMBERS)}, or a record of one such as "
                "gn.losses.quantile(0.9)."
            )
        return record.output, record, self._n_targets

    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        averaged = self.average_outputs and self._loss_name == "squared_error"
        return Conventions(shared=True, part=1 / self._n_targets if averaged else 1.0)

    def _rate(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        return r2(target, Y_hat, weights)

    def _offsets(self, samples: Samples) -> NDArray[np.float64] | None:
        if self._loss_name != "poisson":
            return None
        y = samples.target.astype(np.float64)
        return (xlogy(y, y) - y).sum(axis=1)
