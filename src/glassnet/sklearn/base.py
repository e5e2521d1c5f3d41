"""What the classifier and the regressor share: one fit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.callbacks import FitTasks, Verbosity, has_callbacks
from glassnet.sklearn.checks import (
    MIN_ENTRIES,
    STOCHASTIC,
    as_rows,
    check_arguments,
    check_samples,
    check_weights,
)
from glassnet.sklearn.fitting import OF_TRAINING, fit_epochs, fit_whole
from glassnet.sklearn.job import CodedSamples, Job
from glassnet.sklearn.network import draw_parameters, hidden_sizes, pack
from glassnet.sklearn.prediction import MLPPredictor
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


class Samples(NamedTuple):
    """A call's samples, checked: their inputs, their precision, and the dataset coded in a precision."""

    n_inputs: int
    dtype: np.dtype[Any]
    coded: Callable[[np.dtype[Any]], Dataset]


class BaseMLP(MLPPredictor):
    """A network fitted by scikit-learn's rules; see `MLPClassifier` and `MLPRegressor`."""

    def set_callbacks(self, *callbacks: Any) -> Any:
        """scikit-learn's callbacks for the next fits; InputTypeError for those of `glassnet.train`."""
        for callback in callbacks:
            kind = callback if isinstance(callback, type) else type(callback)
            if issubclass(kind, Callback):
                raise InputTypeError(
                    f"{kind.__name__} is a callback of gn.train, and an estimator takes scikit-learn's. "
                    f"After fitting, train its network with gn.train(model.network_, X, y, "
                    f"callbacks=[...]), or look at the curvature with gn.curvature(model.network_, "
                    f"model.parameters_, X, y)."
                )
        return super().set_callbacks(*callbacks)

    def _validate_params(self) -> None:
        check_arguments(self)

    @property
    def _takes_batches(self) -> bool:
        return self.solver in STOCHASTIC or self.optimizer is not None

    def _check_solver(self) -> bool:
        if not self._takes_batches:
            raise AttributeError(
                f"partial_fit is only available for stochastic optimizers. {self.solver} is not stochastic."
            )
        return True

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
        """`fit`, or where `incremental` `partial_fit`; one that fails leaves the estimator as it was."""
        before = dict(self.__dict__)
        try:
            return self._train(X, y, sample_weight, validation_data, incremental, classes)
        except BaseException:
            now = self.__dict__
            callbacks = {name: now[name] for name in _OF_CALLBACKS if name in now}
            now.clear()
            now.update({**before, **callbacks})
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
        rows = as_stream(X, y, sample_weight)
        samples = (
            self._check_in_memory(X, y, sample_weight, first, incremental, classes)
            if rows is None
            else self._check_streamed(rows, first, incremental, classes, validation_data is not None)
        )
        max_iter, is_watched = int(self.max_iter), validation_data is not None or self.scoring is not None
        tasks = FitTasks(self, max_iter, (X, y, sample_weight)) if has_callbacks(self) else None
        verbosity = Verbosity(self.verbose, measures=is_watched)
        random = check_random_state(self.random_state)
        network, theta = self._start(samples, widths, first, random)
        known = {name: self.__dict__[name] for name in _OF_DATA if name in self.__dict__}
        attributes_at = partial(self._attributes, known, network)
        job = Job(
            estimator=self,
            network=network,
            theta=theta,
            dataset=samples.coded(theta.dtype),
            random=random,
            first=first,
            incremental=incremental,
            validation=validation_data,
            verbosity=verbosity,
            tasks=tasks,
            attributes_at=attributes_at,
        )
        with verbosity.shown(max_iter):
            flat, attributes = fit_epochs(job) if self._takes_batches else fit_whole(job)
        if not np.isfinite(flat).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large values and "
                "need to be preprocessed."
            )
        for name in OF_TRAINING if first else ("stopped_",):
            self.__dict__.pop(name, None)
        self.__dict__.update({**attributes, **attributes_at(flat)})
        if tasks is not None:
            tasks.end_fit(lambda: attributes_at(flat.copy()))
        return self

    def _start(
        self, samples: Samples, widths: list[int], first: bool, random: np.random.RandomState
    ) -> tuple[Network, Parameters]:
        """The network, with new parameters or those to go on from, in the precision to train in."""
        n_outputs = self._design()[2]
        if first:
            network = self._network_of((samples.n_inputs, *widths, n_outputs))
            theta = draw_parameters(network, self.activation, random, samples.dtype)
        else:
            theta = pack(self.coefs_, self.intercepts_)
            network = self._network_of(theta.sizes)
            if theta.sizes[-1] != n_outputs:
                raise ValueError(
                    f"y has {n_outputs} outputs, but the estimator was fitted with {theta.sizes[-1]}."
                )
        # Without batches training works in float64, whatever X is.
        return network, theta if self._takes_batches else theta.astype(np.float64)

    def _attributes(self, known: dict[str, Any], network: Network, flat: Array) -> dict[str, Any]:
        """The attributes of an estimator with these parameters, beside what is known from the samples."""
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

    # ---- The samples ---------------------------------------------------------------------------------

    def _check_in_memory(
        self, X: Any, y: Any, sample_weight: Any, first: bool, incremental: bool, classes: Any
    ) -> Samples:
        X, y = check_samples(self, X, y, first, self._is_numeric)
        if first:  # a fit on standardized rows may have left these
            self.__dict__.pop("mean_", None)
            self.__dict__.pop("scale_", None)
        else:
            warn_of_raw_samples(self, X)
        y = self._check_y(y, first, incremental, classes)
        X = self._complete(X, first, MIN_ENTRIES)
        weights = None if sample_weight is None else check_weights(sample_weight, X)
        weights = self._weigh_classes(y, weights, incremental)
        if weights is not None and not weights.sum() > 0:
            raise InputError(
                f"The samples' weights sum to {weights.sum():.6g}; expected more than 0: at least one must "
                "count."
            )

        def coded(dtype: np.dtype[Any]) -> Dataset:
            w = None if weights is None else np.asarray(weights, dtype)
            return CodedSamples(as_rows(X, dtype), self._encode(y, dtype), w)

        return Samples(X.shape[1], X.dtype, coded)

    def _check_streamed(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any, is_watched: bool
    ) -> Samples:
        if self.early_stopping and not is_watched and self._takes_batches:
            raise InputError(
                f"early_stopping=True holds out some of the samples in memory; {rows.source} is streamed. "
                f"Give validation_data=(X, y) to fit."
            )
        check_columns(self, rows, first)
        if not first:
            check_scales(self, rows)
        coded = self._check_rows(rows, first, incremental, classes, trained_on=True)
        dtype = rows.dtype if self.dtype is None else np.dtype(self.dtype)
        return Samples(rows.n_inputs, dtype, coded)
