"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from glassnet._types import Array
from glassnet.data.dataset import is_stream
from glassnet.data.source import Dataset
from glassnet.engine.predict import tally_dataset
from glassnet.errors import InputError
from glassnet.nn.losses import LOSSES
from glassnet.optim.loss_conventions import Conventions
from glassnet.sklearn import checks
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.scoring import r2
from glassnet.sklearn.streaming import first_targets, in_precision, rows_for


class MLPRegressor(RegressorMixin, BaseMLP):
    """A network that predicts numbers, fitted as scikit-learn's class of that name, and faster.

    The loss of a sample is ``1/2 sum_k (y_k - y_hat_k)^2`` over its outputs, or another of `loss`.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        "squared_error", "absolute_error", "huber" or "quantile", or a record with a setting, such as
        ``gn.losses.quantile(0.9)``; "poisson", ``sum_k (y_k log(y_k / y_hat_k) - y_k + y_hat_k)`` with an
        exponential as output.
    hidden_layer_sizes : array-like of int or int, default=(100,)
        Units of each hidden layer, such as (100, 50), or one number; () for none.
    activation : str, Activation or list, default="relu"
        The hidden layers' function, a name of `glassnet.ACTIVATIONS` or a record; or a list with one for
        each layer.
    solver : {"adam", "sgd", "lbfgs", "lm"} or Solver, default="adam"
        "adam" and "sgd" take batches; "lbfgs", SciPy's L-BFGS-B, and "lm", `glassnet.LevenbergMarquardt`,
        the whole of the data, in float64. Or another of `glassnet.SOLVERS`, such as ``gn.NewtonCG()``, or
        its name.
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
    average_outputs : bool, default=False
        Whether the squared error is reported as scikit-learn reports it, averaged over the outputs. The
        gradient is that of the sum either way, in scikit-learn too: only with one output, or with this off,
        is the loss the one that is descended. `tol` is compared with what is reported, so that this decides
        when training of several outputs stops.
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
        With `early_stopping`, each epoch's score on the samples held out: R², or the first of
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
        The output's link: "identity" or "exp".
    n_features_in_ : int
        Features of X.
    feature_names_in_ : ndarray of str
        Their names, where X has them.
    mean_, scale_ : ndarray
        Where rows of ``glassnet.stream(..., standardize=True)`` were fitted, what they were standardized
        by; other samples to predict for, validate on or go on with get a PreprocessingWarning, and rows
        standardized by other numbers to go on with an InputError.
    network_ : Network
        The network, for glassnet's own functions.
    parameters_ : Parameters
        `coefs_` and `intercepts_` as one flat vector.
    stopped_ : bool
        Whether early stopping has ended a series of `partial_fit`; see there.
    reason_ : str
        Of `glassnet.SOLVERS`: why training ended by itself, "" where it did not.
    evidence_ : Evidence or None
        Of `glassnet.BayesianRegularization`: how many parameters the data determine, alpha and beta.

    Notes
    -----
    Raises ValueError and TypeError with scikit-learn's messages where it has one, some of them as
    InputError and InputTypeError; a `fit` that fails leaves the estimator as it was. ValueError too where
    training ends with parameters that are not finite.

    Streamed samples have the numbers of samples in memory with "lbfgs", and on batches where they fit into
    a window of `glassnet.stream`. Where they cannot be read on, the error's attribute `estimator` is fitted
    as far as training had come.

    For the same `random_state` the losses and parameters follow scikit-learn's up to rounding, but for
    several outputs, whose reported loss and with it the epoch of stopping differ (see `average_outputs`),
    as does what "lbfgs" finds for them. It adds the arguments from `average_outputs` on, losses,
    activations and schedules beyond its own, and `validation_data`; a sparse X is made dense unless it is
    large and nearly empty.

    References
    ----------
    Hinton (1989), "Connectionist learning procedures"; Glorot and Bengio (2010) for the first parameters;
    Kingma and Ba (2015) for Adam.

    Examples
    --------
    >>> import numpy as np, glassnet as gn
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = gn.MLPRegressor(hidden_layer_sizes=8, activation="tanh", solver="lbfgs", random_state=0)
    >>> bool(model.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.99)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = checks.REGRESSOR

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
        self._keep_arguments(locals())

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation_data: Any = None
    ) -> MLPRegressor:
        """Fit the network to samples and their targets, from the start unless `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features), an array, a sparse matrix or a data frame; or what `glassnet.stream`
            takes or returns, such as a Parquet folder, which is read anew for each pass.
        y : (n_samples,) or (n_samples, n_outputs); of Parquet and Dask's dataframes a column's name, or a
            list.
        sample_weight : (n_samples,), how much each sample counts, or a column's name.
        validation_data : (X, y), (X, y, sample_weight) or rows of `glassnet.stream`: a set of one's own,
            whose loss and scores go into `history_`; early stopping watches it, not a part split off.
        """
        return self._fit(X, y, sample_weight, validation_data, incremental=False)

    @available_if(lambda estimator: estimator._check_solver())
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any = None, sample_weight: Any = None, *, validation_data: Any = None
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
        """The predicted values, (n_samples,), or (n_samples, n_outputs) where there are several.

        X may be what `glassnet.stream` takes or returns, and is then read in blocks; of files and
        dataframes the columns that were fitted are found by their names.
        """
        y_hat: NDArray[Any] = self._answers(X, self._decode)
        return y_hat

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R^2, the mean over the outputs, as scikit-learn's `r2_score` has it.

        X, y and sample_weight are as for `fit`; of streamed samples no prediction is kept.
        """
        if not is_stream(X):
            return float(super().score(X, y, sample_weight))
        rows, (network, theta) = rows_for(self, X, y, sample_weight, scored=True), self._fitted()
        return tally_dataset(network, in_precision(theta, rows), rows, self.n_threads).score

    # ---- What the base asks for --------------------------------------------------------------------

    _is_numeric = True

    def _check_rows(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any = None, trained_on: bool = False
    ) -> Callable[[np.dtype[Any]], Dataset]:
        self._check_y(first_targets(rows), first, incremental)
        return lambda dtype: rows

    def _check_y(self, y: Any, first: bool, incremental: bool, classes: Any = None) -> NDArray[Any]:
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
        if record.output not in checks.REGRESSION_OUTPUTS:
            raise InputError(
                f"loss={record.name!r} is for classes; a regressor takes one of "
                f"{', '.join(checks.REGRESSION_LOSSES)}, or a record of one such as "
                "gn.losses.quantile(0.9)."
            )
        return record.output, record, self._n_targets

    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        averaged = self.average_outputs and self._loss_name == "squared_error"
        return Conventions(average_penalties=True, loss_scale=1 / self._n_targets if averaged else 1.0)

    def _score_of(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        return r2(target, Y_hat, weights)

    def _loss_offset(self) -> Callable[[NDArray[Any]], NDArray[np.float64]] | None:
        return _poisson_offset if self._loss_name == "poisson" else None


def _poisson_offset(target: NDArray[Any]) -> NDArray[np.float64]:
    y = target.astype(np.float64).reshape(len(target), -1)
    return (xlogy(y, y) - y).sum(axis=1)
