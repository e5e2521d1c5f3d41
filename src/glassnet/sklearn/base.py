"""The base of both estimators: their fits, the network that was fitted, and what it predicts."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state

from glassnet._types import Array
from glassnet.data.source import Dataset
from glassnet.errors import InputError, InputTypeError, unknown_arguments
from glassnet.nn import reference
from glassnet.nn.network import Network, Parameters, outputs_of
from glassnet.optim.loss_conventions import Conventions
from glassnet.sklearn.callbacks import FitTasks, Verbosity, has_callbacks
from glassnet.sklearn.checks import STOCHASTIC, answer_for, check_arguments, not_fitted, stays_sparse
from glassnet.sklearn.exchange.methods import Exchange
from glassnet.sklearn.fitting import OF_TRAINING, fit_epochs, fit_whole
from glassnet.sklearn.job import Job
from glassnet.sklearn.network import hidden_functions, hidden_sizes, pack, with_output
from glassnet.sklearn.samples import Samples, samples_of
from glassnet.training.callbacks import Callback
from glassnet.utils.settings_checks import seeded, unknown_to

# What scikit-learn keeps on an estimator while it is fitted, for callbacks.
_OF_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown", "_parent_callback_ctx")

# What is learned before training begins, and a prediction needs.
_OF_DATA = (
    "classes_",
    "_labels",
    "n_features_in_",
    "feature_names_in_",
    "imputer_",
    "is_categorical_",
    "_preprocessing",
    "mean_",
    "scale_",
)


class BaseMLP(CallbackSupportMixin, Exchange, ABC):
    """A network fitted by scikit-learn's rules, which predicts by `coefs_` and `intercepts_`.

    Those are fitted, or set by hand. `MLPClassifier` and `MLPRegressor` have the arguments.
    """

    _names: list[str]
    _needed: tuple[str, ...] = ("coefs_", "intercepts_")  # for a prediction

    def __new__(cls, *values: object, **named: object) -> Self:
        if named and (wrong := unknown_to(cls.__init__, named)):
            answers = {name: answer_for(name, named[name], wrong[1]) for name in wrong[0]}
            raise unknown_arguments(cls.__name__, *wrong, answers)
        return super().__new__(cls)

    def _keep_arguments(self, arguments: dict[str, Any]) -> None:
        """Keep the constructor's ``locals()`` as attributes, unchanged, as scikit-learn asks."""
        del arguments["self"]
        self.__dict__.update(arguments)

    @classmethod
    def _get_param_names(cls) -> list[str]:
        # scikit-learn reads the signature at every clone, which takes as long as an epoch.
        if "_names" not in cls.__dict__:
            cls._names = super()._get_param_names()
        return list(cls._names)

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

    @property
    def network_(self) -> Network:
        """The fitted network, for glassnet's own functions."""
        return self._fitted()[0]

    @property
    def parameters_(self) -> Parameters:
        """`coefs_` and `intercepts_` as `Parameters` of `network_`, one flat vector.

        A gradient check of a fitted estimator; a classifier of two classes has one output, 0 or 1:

        >>> import numpy as np, glassnet as gn
        >>> X = np.random.RandomState(0).randn(40, 3)
        >>> model = gn.MLPClassifier((4,), activation="tanh", solver="lm", random_state=0)
        >>> model = model.fit(X, X[:, 0] > X[:, 1] ** 2)
        >>> gn.check_gradients(model.network_, model.parameters_, X, X[:, :1] > X[:, 1:2] ** 2).passed
        True
        """
        return self._fitted()[1]

    @property
    def input_names_(self) -> NDArray[np.object_]:
        """The names of the network's inputs, the rows of ``coefs_[0]``: features, or their encodings.

        >>> import numpy as np, glassnet as gn
        >>> X = np.array([[31, "a"], [None, "b"], [45, "b"], [52, "a"]], object)
        >>> model = gn.MLPClassifier(3, categorical_features="from_dtype", missing="median", random_state=0)
        >>> model = model.set_params(activation="tanh", solver="lbfgs")
        >>> model.fit(X, [0, 1, 1, 0]).input_names_.tolist()
        ['x0', 'x0 is missing', 'x1 = b']
        """
        count, known = self._fitted()[1].sizes[0], vars(self)
        if (preprocessing := known.get("_preprocessing")) is not None:
            names = preprocessing.inputs
        else:
            names = known.get("feature_names_in_", [f"x{place}" for place in range(count)])
        return np.array(names, object)

    def hidden_activations(self, X: Any) -> list[Array]:
        """Each hidden layer's output for samples, a list of (n_samples, n_units).

        X is as for `predict`; raises NotFittedError before `fit`. scikit-learn does not give them.
        """
        network, theta, X = samples_of(self, X).inputs()
        return network.forward(theta, X)[:-1]

    def input_gradients(self, X: Any) -> NDArray[Any]:
        """How each output changes with each feature: dy_hat_k / dx_j, (n_samples, n_outputs, n_features).

        The outputs are a regressor's values and a classifier's probabilities; where `n_outputs_` is 1, of
        two classes that of the second. X is as for `predict`; raises NotFittedError before `fit`.
        Simonyan, Vedaldi and Zisserman (2014). scikit-learn has nothing like it.
        """
        network, theta, X = samples_of(self, X).inputs()
        jacobian = self._link_jacobian(network, self._outputs_of(network, theta, X))
        return reference.input_gradients(X, theta.weights, theta.biases, network.hidden, jacobian)

    # ---- Fitting -----------------------------------------------------------------------------------

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
        seed = self.random_state
        random = seeded(seed) if type(seed) is int else check_random_state(seed)
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
        n_outputs = self._n_outputs()
        if first:
            network = self._network_of((samples.n_inputs, *widths, n_outputs))
            theta = self._first_parameters(network, random, samples.dtype)
        else:
            theta = pack(self.coefs_, self.intercepts_)
            network = self._network_of(theta.sizes)
            if theta.sizes[-1] != n_outputs:
                raise ValueError(
                    f"y has {n_outputs} outputs, but the estimator was fitted with {theta.sizes[-1]}."
                )
            learned = self._out_activation(network)
            if vars(self).get("out_activation_", learned) != learned:
                raise InputError(
                    f"out_activation_ was set to {self.out_activation_!r}, and training goes on with the "
                    f"loss of {learned!r}: set it back, or fit from the start."
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

    # ---- The network -------------------------------------------------------------------------------

    def _network_of(self, sizes: tuple[int, ...], hidden: Sequence[Any] | None = None) -> Network:
        output, loss = self._design()
        if hidden is None or len(hidden) != len(sizes) - 2:
            hidden = hidden_functions(self.activation, len(sizes) - 2)
        return Network(sizes, hidden, output, loss)

    def _outputs_of(self, network: Network, theta: Parameters, X: Any) -> Array:
        """The outputs (n, n_outputs), NaN where the parameters are not finite."""
        if not np.isfinite(theta.flat).all():
            return np.full((X.shape[0], network.sizes[-1]), np.nan, theta.dtype)
        if issparse(X):
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
                return self._link(reference.output_activations(Zs[-1], network.output))
        return self._link(outputs_of(network, theta, X))

    def _fitted(self) -> tuple[Network, Parameters]:
        attributes = vars(self)
        coefs, intercepts = attributes.get("coefs_"), attributes.get("intercepts_")
        if coefs is None or intercepts is None:
            raise not_fitted(self)
        theta: Parameters | None = attributes.get("_theta")
        arrays = [*coefs, *intercepts]
        views = [] if theta is None else [*theta.weights, *theta.biases]
        if theta is None or len(views) != len(arrays) or any(map(operator.is_not, views, arrays)):
            theta = pack(coefs, intercepts)
        network: Network | None = attributes.get("_network")
        if network is None or network.sizes != theta.sizes:
            network = self._network_of(theta.sizes, None if network is None else network.hidden)
        layers, outputs = attributes.get("n_layers_"), attributes.get("n_outputs_")
        if layers not in (None, len(theta.sizes)) or outputs not in (None, theta.sizes[-1]):
            raise InputError(
                f"n_layers_ is {layers} and n_outputs_ {outputs}, and coefs_ make layers of {theta.sizes}. "
                f"Set those for another network; hidden_activations(X) has what hidden layers give."
            )
        output = attributes.get("out_activation_", network.output.name)
        if output != network.output.name and output != self._out_activation(network):
            network = with_output(network, output)
        return network, theta

    def _complete(self, X: Any, learn: bool, min_entries: float = np.inf) -> Any:
        """X without missing values: an array, or sparse rows of `min_entries` or more, nearly all 0."""
        if self.missing == "error" and stays_sparse(X, min_entries):
            return X
        if issparse(X):
            X = X.toarray()
        if self.missing != "error":
            from sklearn.impute import SimpleImputer

            if learn:
                self.imputer_ = SimpleImputer(strategy=self.missing, keep_empty_features=True).fit(X)
            X = self.imputer_.transform(X)
        return X

    # ---- What a classifier and a regressor define ------------------------------------------------------

    _is_numeric = False  # whether y holds numbers

    @abstractmethod
    def _check_y(self, y: Any, first: bool, incremental: bool, classes: Any = None) -> NDArray[Any]:
        """The checked targets; a classifier learns the labels, or compares them with those it knows.

        The first `partial_fit` gives the `classes`.
        """

    @abstractmethod
    def _check_rows(
        self, rows: Dataset, first: bool, incremental: bool, classes: Any = None, trained_on: bool = False
    ) -> Callable[[np.dtype[Any]], Dataset]:
        """As `_check_y` for rows that are read: a function of a precision that gives them coded.

        The weights of classes count where rows are `trained_on`.
        """

    @abstractmethod
    def _encode(self, y: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The targets as class numbers or rows."""

    @abstractmethod
    def _decode(self, target: NDArray[Any]) -> NDArray[Any]:
        """The targets from class numbers or rows."""

    @abstractmethod
    def _design(self) -> tuple[str, Any]:
        """The output and the loss; the classes must be known."""

    @abstractmethod
    def _n_outputs(self) -> int:
        """The units of the output layer; y must have been checked."""

    @abstractmethod
    def _conventions(self, dtype: np.dtype[Any]) -> Conventions:
        """How the reported loss is counted."""

    @abstractmethod
    def _score_arrays(self, X: Any, y: Any, weights: Any) -> float:
        """The score on samples in memory, as they came."""

    @abstractmethod
    def _score_rows(self, rows: Dataset) -> float:
        """The score on streamed rows with targets."""

    @abstractmethod
    def _score_of(self, target: NDArray[Any], Y_hat: Array, weights: NDArray[Any] | None) -> float:
        """The score that early stopping watches, from coded targets and outputs."""

    def _strata(self, target: NDArray[Any]) -> NDArray[Any] | None:
        """The strata in which samples are held out, None for none."""
        return None

    def _loss_offset(self) -> Callable[[NDArray[Any]], NDArray[np.float64]] | None:
        """What a sample's reported loss is more than the engine's, by its target; None for nothing."""
        return None

    def _weigh_classes(
        self, y: NDArray[Any], weights: NDArray[Any] | None, incremental: bool
    ) -> NDArray[Any] | None:
        """The samples' weights times those of their classes."""
        return weights

    def _out_activation(self, network: Network) -> str:
        return network.output.name

    def _link_jacobian(self, network: Network, Y_hat: Array) -> Array:
        """The derivative of the estimator's outputs by the output layer's Z, (n, outputs, outputs)."""
        return reference.link_jacobian(network.output.name, Y_hat)

    # ---- scikit-learn's protocols --------------------------------------------------------------------

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = self.categorical_features is not None
        tags.input_tags.sparse = not tags.input_tags.categorical
        tags.input_tags.allow_nan = self.missing != "error"
        return tags
