"""What the classifier and the regressor share: one fit."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state

from glassnet._types import Array
from glassnet.errors import InputTypeError
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.callbacks import FitTasks, Verbosity, has_callbacks
from glassnet.sklearn.checks import STOCHASTIC, check_arguments
from glassnet.sklearn.fitting import OF_TRAINING, fit_epochs, fit_whole
from glassnet.sklearn.job import Job
from glassnet.sklearn.network import draw_parameters, hidden_sizes, pack
from glassnet.sklearn.prediction import MLPPredictor
from glassnet.sklearn.samples import Samples, samples_of
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

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, validation_data: Any = None) -> Self:
        """Fit the network to samples, from the start unless `warm_start`.

        Parameters
        ----------
        X : (n_samples, n_features), an array, a sparse matrix or a data frame; or what `glassnet.stream`
            takes or returns, such as a Parquet folder, which is read anew for each pass.
        y : a classifier's classes (n_samples,), labels 0 and 1 (n_samples, n_labels), or a column of
            classes for each output (n_samples, n_columns); a regressor's numbers (n_samples,) or
            (n_samples, n_outputs); of Parquet and Dask's dataframes a column's name, or a list.
        sample_weight : (n_samples,), how much each sample counts, or a column's name.
        validation_data : (X, y), (X, y, sample_weight) or rows of `glassnet.stream`: a set of one's own,
            whose loss and scores go into `history_`; early stopping watches it, and splits nothing off.
        """
        return self._fit(X, y, sample_weight, validation_data)

    # ---- Inside -----------------------------------------------------------------------------------

    def _fit(self, *call: Any) -> Self:
        """A call of `_train`; one that fails leaves the estimator as it was."""
        before = dict(self.__dict__)
        try:
            return self._train(*call)
        except BaseException:
            now = self.__dict__
            callbacks = {name: now[name] for name in _OF_CALLBACKS if name in now}
            now.clear()
            now.update({**before, **callbacks})
            raise

    def _train(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        validation_data: Any,
        incremental: bool = False,
        classes: Any = None,
    ) -> Self:
        """`fit`, or where `incremental` `partial_fit`, which the first time knows the `classes`."""
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
        samples = samples_of(self, X, y, sample_weight)
        samples.learn(first, incremental, classes)
        max_iter, is_watched = int(self.max_iter), validation_data is not None or self.scoring is not None
        tasks = FitTasks(self, max_iter, (X, y, sample_weight)) if has_callbacks(self) else None
        verbosity = Verbosity(self.verbose, measures=is_watched)
        random = check_random_state(self.random_state)
        network, theta = self._start(samples, widths, first, random)
        known = {name: self.__dict__[name] for name in _OF_DATA if name in self.__dict__}
        attributes_at = partial(self._attributes, known, network)
        samples.code(theta.dtype)
        job = Job(
            estimator=self,
            network=network,
            theta=theta,
            samples=samples,
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
