"""MLPRegressor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import xlogy
from sklearn.base import RegressorMixin, _fit_context
from sklearn.neural_network import MLPRegressor as TheirRegressor
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.engine.predict import tally_dataset
from glassnet.errors import InputError
from glassnet.nn.losses import LOSSES
from glassnet.optim.loss_conventions import Conventions
from glassnet.sklearn import checks
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.documentation import documented
from glassnet.sklearn.samples import samples_of
from glassnet.sklearn.scoring import r2
from glassnet.sklearn.streaming import first_targets, in_precision


@documented
class MLPRegressor(RegressorMixin, BaseMLP):
    """A network that predicts numbers, fitted as scikit-learn's class of that name, and faster.

    The loss of a sample is ``1/2 sum_k (y_k - y_hat_k)^2`` over its outputs, or another of `loss`.

    Parameters
    ----------
    loss : str or Loss, default="squared_error"
        "squared_error", "absolute_error", "huber" or "quantile", or a record with a setting, such as
        ``gn.losses.quantile(0.9)``; "poisson", ``sum_k (y_k log(y_k / y_hat_k) - y_k + y_hat_k)`` with an
        exponential as output.
    {learning}
    average_outputs : bool, default=False
        Whether the squared error is reported as scikit-learn reports it, averaged over the outputs. The
        gradient is that of the sum either way, in scikit-learn too: only with one output, or with this off,
        is the loss the one that is descended. `tol` is compared with what is reported, so that this decides
        when training of several outputs stops.
    {settings}

    Attributes
    ----------
    {attributes}
    evidence_ : Evidence or None
        Of `glassnet.BayesianRegularization`: how many parameters the data determine, alpha and beta.

    Notes
    -----
    {notes}

    For the same `random_state` the losses and parameters follow scikit-learn's up to rounding, but for
    several outputs, whose reported loss and with it the epoch of stopping differ (see `average_outputs`),
    as does what "lbfgs" finds for them. It adds the arguments from `average_outputs` on, losses,
    activations and schedules beyond its own, and `validation_data`; a sparse X is made dense unless it is
    large and nearly empty.

    {references}

    Examples
    --------
    >>> import numpy as np, glassnet as gn
    >>> X = np.linspace(-1, 1, 50)[:, None]
    >>> model = gn.MLPRegressor(hidden_layer_sizes=8, activation="tanh", solver="lbfgs", random_state=0)
    >>> bool(model.fit(X, X.ravel() ** 2).score(X, X.ravel() ** 2) > 0.99)
    True
    """

    _parameter_constraints: dict[str, list[Any]] = checks.REGRESSOR
    _theirs = TheirRegressor

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
        categorical_features: Any = None,
        dtype: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self._keep_arguments(locals())

    @classmethod
    def from_weights(cls, coefs: Sequence[Any], intercepts: Sequence[Any], **arguments: Any) -> Self:
        """A fitted regressor of weights from elsewhere; `partial_fit` and `warm_start` go on from them.

        Parameters
        ----------
        coefs, intercepts : for each layer the weights (n_in, n_out) and the biases (n_out,).
        arguments : of the constructor, such as `activation`, but for the sizes of hidden layers; with
            ``loss="poisson"`` the outputs are exponentials.

        Raises InputError for layers that do not follow one another, and for numbers that are not finite.
        scikit-learn has nothing like it.

        >>> import glassnet as gn
        >>> gn.MLPRegressor.from_weights([[[2.0], [-1.0]]], [[0.5]]).predict([[1.0, 3.0]]).tolist()
        [-0.5]
        """
        return cls._of_weights(coefs, intercepts, arguments)

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
        return self._fit(X, y, sample_weight, validation_data, True)

    def predict(self, X: Any) -> NDArray[Any]:
        """The predicted values, (n_samples,), or (n_samples, n_outputs) where there are several.

        X may be what `glassnet.stream` takes or returns, and is then read in blocks; of files and
        dataframes the columns that were fitted are found by their names.
        """
        y_hat: NDArray[Any] = samples_of(self, X).answers(self._decode)
        return y_hat

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """R^2, the mean over the outputs, as scikit-learn's `r2_score` has it.

        X, y and sample_weight are as for `fit`; of streamed samples no prediction is kept.
        """
        return samples_of(self, X, y, sample_weight).score()

    # ---- What the base asks for --------------------------------------------------------------------

    _is_numeric = True

    def _score_arrays(self, X: Any, y: Any, weights: Any) -> float:
        return float(super().score(X, y, weights))

    def _score_rows(self, rows: Dataset) -> float:
        network, theta = self._fitted()
        return tally_dataset(network, in_precision(theta, rows), rows, self.n_threads).score

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
        before = count if first else self.__dict__.get("n_outputs_", count)
        if count != before:
            raise ValueError(f"y has {count} outputs, but the estimator was fitted with {before}.")
        self.n_outputs_: int = count
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

    def _design(self) -> tuple[str, Any]:
        record = LOSSES[self.loss] if isinstance(self.loss, str) else self.loss
        if record.output not in checks.REGRESSION_OUTPUTS:
            raise InputError(
                f"loss={record.name!r} is for classes; a regressor takes one of "
                f"{', '.join(checks.REGRESSION_LOSSES)}, or a record of one such as "
                "gn.losses.quantile(0.9)."
            )
        return record.output, record

    def _n_outputs(self) -> int:
        return self.n_outputs_

    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        averaged = self.average_outputs and self._loss_name == "squared_error"
        return Conventions(average_penalties=True, loss_scale=1 / self.n_outputs_ if averaged else 1.0)

    def _score_of(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        return r2(target, Y_hat, weights)

    def _loss_offset(self) -> Callable[[NDArray[Any]], NDArray[np.float64]] | None:
        return _poisson_offset if self._loss_name == "poisson" else None


def _poisson_offset(target: NDArray[Any]) -> NDArray[np.float64]:
    y = target.astype(np.float64).reshape(len(target), -1)
    return (xlogy(y, y) - y).sum(axis=1)
