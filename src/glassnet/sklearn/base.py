"""What the classifier and the regressor share: one fit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network, Parameters
from glassnet.optim.loss_conventions import Conventions
from glassnet.sklearn.callbacks import FitTasks, Verbosity, has_callbacks
from glassnet.sklearn.input_checks import MIN_ENTRIES, as_rows, check_samples, check_weights
from glassnet.sklearn.job import Job, Samples, Snapshots
from glassnet.sklearn.network import draw_parameters, hidden_sizes, pack
from glassnet.sklearn.parameter_constraints import STOCHASTIC, check_arguments
from glassnet.sklearn.prediction import MLPPredictor
from glassnet.sklearn.solving import OF_TRAINING, fit_epochs, fit_whole
from glassnet.sklearn.streaming import as_stream, check_columns, check_scales, warn_of_raw_samples
from glassnet.training.callbacks import Callback

# What scikit-learn keeps on an estimator while it is fitted, for callbacks.
_OF_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx")

# What is learned before training begins, and a prediction needs.
_OF_DATA = (
    "classes_",
    "_labels",
    "_n_targets",
    "n_features_in_",
    "feature_names_in_",
    "imputer_",
    "mean_",
    "scale_",
)


class _Ready(NamedTuple):
    """Samples that have been checked: their features, their precision, and themselves in another."""

    width: int
    dtype: np.dtype[Any]
    samples: Callable[[np.dtype[Any]], Samples | Dataset]


class BaseMLP(MLPPredictor):
    """A network fitted by scikit-learn's rules; see `MLPClassifier` and `MLPRegressor`."""

    def set_callbacks(self, *callbacks: Any) -> Any:
        """scikit-learn's callbacks for the next fits; InputTypeError for those of `glassnet.train`."""
        for one in callbacks:
            if isinstance(one, Callback) or (isinstance(one, type) and issubclass(one, Callback)):
                name = one.__name__ if isinstance(one, type) else type(one).__name__
                raise InputTypeError(
                    f"{name} is a callback of gn.train, and an estimator takes scikit-learn's. Once it is "
                    f"fitted, train its network so, gn.train(model.network_, X, y, callbacks=[...]), or "
                    f"look at where it is: gn.curvature(model.network_, model.parameters_, X, y)."
                )
        return super().set_callbacks(*callbacks)

    # ---- What a classifier and a regressor each have of their own ----------------------------------

    @abstractmethod
    def _check_y(self, y: Any, first: bool, incremental: bool, classes: Any = None) -> NDArray[Any]:
        """The targets, checked; of a classifier the labels are learned, or held against those known.

        A first `partial_fit` is told them, `classes`.
        """

    @abstractmethod
    def _check_streamed(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any = None, trained_on: bool = False
    ) -> Callable[[np.dtype[Any]], Dataset]:
        """As `_check_y` of targets that are streamed: what codes them in a precision, block by block.

        The weights of classes count where rows are `trained_on`.
        """

    @abstractmethod
    def _encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The targets as class numbers or rows."""

    @abstractmethod
    def _decode(self, target: NDArray[Any]) -> NDArray[Any]:
        """Targets back from class numbers or rows."""

    @abstractmethod
    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        """How the reported loss is counted."""

    @abstractmethod
    def _rate(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        """The score of predictions that early stopping watches."""

    def _strata(self, target: NDArray[Any]) -> NDArray[Any] | None:
        """What a part for validation is stratified by."""
        return None

    def _offset(self) -> Callable[[NDArray[Any]], NDArray[np.float64]] | None:
        """What a sample's loss is reported with beside the engine's, by its target; None for nothing."""
        return None

    def _balance(
        self, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
    ) -> NDArray[Any] | None:
        """The samples' weights with those of their classes."""
        return weights

    _numeric = False  # whether y holds numbers

    def _validate_params(self) -> None:
        check_arguments(self)

    # ---- Fitting -----------------------------------------------------------------------------------

    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        incremental: bool,
        classes: Any = None,
    ) -> Any:
        before = dict(self.__dict__)
        try:
            return self._train(X, y, sample_weight, validation_data, incremental, classes)
        except BaseException:
            # A fit that fails leaves the estimator as it was.
            now = self.__dict__
            kept = {name: now[name] for name in _OF_CALLBACKS if name in now}
            now.clear()
            now.update(before)
            now.update(kept)
            raise

    def _train(
        self, X: Any, y: Any, sample_weight: Any, validation_data: Any, incremental: bool, classes: Any
    ) -> Any:
        widths = hidden_sizes(self.hidden_layer_sizes)
        first = not hasattr(self, "coefs_") or (not self.warm_start and not incremental)
        if incremental and self.early_stopping:
            if validation_data is None:
                raise ValueError(
                    "partial_fit does not support early_stopping=True without validation_data=(X, y), "
                    "which stays the same from call to call."
                )
            if getattr(self, "stopped_", False):
                return self
        given = X, y, sample_weight
        rows = as_stream(X, y, sample_weight)
        ready = (
            self._in_memory(X, y, sample_weight, first, incremental, classes)
            if rows is None
            else self._streamed(rows, first, incremental, classes, validation_data is not None)
        )
        random = check_random_state(self.random_state)
        n_outputs = self._design()[2]
        if first:
            network = self._network_of((ready.width, *widths, n_outputs))
            theta = draw_parameters(network, self.activation, random, ready.dtype)
        else:
            theta = pack(self.coefs_, self.intercepts_)
            network = self._network_of(theta.sizes)
            if theta.sizes[-1] != n_outputs:
                raise ValueError(
                    f"y has {n_outputs} outputs, but the estimator was fitted with {theta.sizes[-1]}."
                )
        if not self._is_stochastic:  # these work in float64, whatever X is
            theta = theta.astype(np.float64)
        samples = ready.samples(theta.dtype)
        at = self._snapshots(network)
        tasks = FitTasks(self, int(self.max_iter), given, at) if has_callbacks(self) else None
        talk = Verbosity(self.verbose, measures=validation_data is not None or self.scoring is not None)
        job = Job(
            self, network, theta, samples, random, first, incremental, validation_data, talk, tasks, at
        )
        with talk.shown(int(self.max_iter)):
            flat, found = fit_epochs(job) if self._is_stochastic else fit_whole(job)
        if not np.isfinite(flat).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and "
                "need to be preprocessed."
            )
        for name in OF_TRAINING if first else ("stopped_",):
            self.__dict__.pop(name, None)
        self.__dict__.update({**found, **at(flat)})
        if tasks is not None:
            tasks.end_fit(flat)
        return self

    def _snapshots(self, network: Network) -> Snapshots:
        known = {name: self.__dict__[name] for name in _OF_DATA if name in self.__dict__}

        def at(flat: Array) -> dict[str, Any]:
            theta = Parameters(network.sizes, flat)
            return {
                **known,
                "coefs_": list(theta.weights),
                "intercepts_": list(theta.biases),
                "n_layers_": len(network.sizes),
                "n_outputs_": network.sizes[-1],
                "out_activation_": self._out_activation(network),
                "_network": network,
                "_theta": theta,
            }

        return at

    def _out_activation(self, network: Network) -> str:
        return network.output.name

    def _in_memory(
        self, X: Any, y: Any, sample_weight: Any, first: bool, incremental: bool, classes: Any
    ) -> _Ready:
        X, y = check_samples(self, X, y, first, self._numeric)
        if first:  # which a fit on standardized rows has left
            self.__dict__.pop("mean_", None)
            self.__dict__.pop("scale_", None)
        else:
            warn_of_raw_samples(self, X)
        y = self._check_y(y, first, incremental, classes)
        X = self._complete(X, first, MIN_ENTRIES)
        weights = None if sample_weight is None else check_weights(sample_weight, X)
        weights = self._balance(y, weights, incremental)
        if weights is not None and not weights.sum() > 0:
            raise InputError(
                f"The samples' weights sum to {weights.sum():.6g}; expected more than 0: at least one must "
                "count."
            )

        def samples(dtype: np.dtype[Any]) -> Samples:
            w = None if weights is None else np.asarray(weights, dtype)
            return Samples(as_rows(X, dtype), self._encode(y, dtype), w)

        return _Ready(X.shape[1], X.dtype, samples)

    def _streamed(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any, validated: bool
    ) -> _Ready:
        if self.early_stopping and not validated and self._is_stochastic:
            raise InputError(
                f"early_stopping=True holds out a part of samples in memory; {rows.source} is streamed. "
                f"Give validation_data=(X, y) to fit."
            )
        check_columns(self, rows, first)
        if not first:
            check_scales(self, rows)
        coded = self._check_streamed(rows, first, incremental, classes, trained_on=True)
        dtype = rows.dtype if self.dtype is None else np.dtype(self.dtype)
        return _Ready(rows.n_inputs, dtype, coded)

    @property
    def _is_stochastic(self) -> bool:
        """Whether training takes batches."""
        return self.solver in STOCHASTIC or self.optimizer is not None

    def _check_solver(self) -> bool:
        if not self._is_stochastic:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True
