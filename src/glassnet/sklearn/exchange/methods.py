"""What the estimators have for other programs: scikit-learn's own classes, its hooks, plain attributes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.random import RandomState
from sklearn.base import BaseEstimator

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.exchange.run import as_run
from glassnet.sklearn.exchange.scikit_learn import as_theirs, from_theirs
from glassnet.sklearn.exchange.state import as_plain, from_plain
from glassnet.sklearn.network import draw_parameters, pack
from glassnet.sklearn.samples import samples_of
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import as_matrix, as_vector

_NOT_CALLED = (
    "_backprop",
    "_compute_loss_grad",
    "_fit_lbfgs",
    "_fit_stochastic",
    "_forward_pass",
    "_forward_pass_fast",
    "_initialize",
    "_loss_grad_lbfgs",
    "_update_no_improvement_count",
    "_validate_input",
)
"""Methods that scikit-learn's fit and predict call, and a subclass may override there."""


class Exchange(BaseEstimator):
    """The part of an estimator that other programs call."""

    coefs_: list[Array]
    intercepts_: list[Array]
    activation: Any

    _theirs: type[Any]
    """scikit-learn's class of that name."""

    _network: Network

    @abstractmethod
    def _validate_params(self) -> None:
        """Raise for arguments that no fit takes."""

    @abstractmethod
    def _out_activation(self, network: Network) -> str:
        """scikit-learn's name of the output."""

    @abstractmethod
    def _network_of(self, sizes: tuple[int, ...], hidden: Sequence[Any] | None = None) -> Network:
        """A network of these layers by the estimator's arguments, or with these hidden functions."""

    @abstractmethod
    def _fitted(self) -> tuple[Network, Parameters]:
        """The network and its parameters, as fitted or as the attributes set by hand have it.

        Raises NotFittedError before `fit` where `coefs_`, `intercepts_` or `classes_` are missing.
        """

    def _link(self, Y_hat: Array) -> Array:
        """The estimator's outputs from those of its network."""
        return Y_hat

    def to_sklearn(self) -> Any:
        """scikit-learn's own estimator with the same arguments, and predictions where this one is fitted.

        For whatever asks for scikit-learn's class: hummingbird, ``isinstance``, a file that loads without
        glassnet. Raises InputError where it cannot predict alike (other activations, or several for the
        layers; several columns of classes), and of an estimator that is not fitted for each argument that
        scikit-learn lacks. Of a fitted one these only changed its training: a warning names them.

        >>> import numpy as np, glassnet as gn
        >>> X = np.random.RandomState(0).randn(40, 3)
        >>> model = gn.MLPRegressor(hidden_layer_sizes=4, solver="lbfgs", random_state=0).fit(X, X[:, 0])
        >>> theirs = model.to_sklearn()
        >>> type(theirs).__module__.split(".")[0], np.allclose(theirs.predict(X), model.predict(X))
        ('sklearn', True)

        `partial_fit` of it goes on from the parameters, with the optimizer's moments at 0.
        """
        return as_theirs(self)

    @classmethod
    def from_sklearn(cls, estimator: Any) -> Self:
        """This class with the arguments of scikit-learn's own estimator, and what it has learned.

        It predicts alike, up to rounding; `partial_fit` and `warm_start` go on from its parameters, with
        the optimizer's moments at 0. Raises InputTypeError for any other estimator.

        >>> import glassnet as gn
        >>> from sklearn.neural_network import MLPClassifier
        >>> theirs = MLPClassifier(3, solver="lbfgs", random_state=0).fit([[0.0], [1.0]], ["a", "b"])
        >>> gn.MLPClassifier.from_sklearn(theirs).predict([[1.0]]).tolist()
        ['b']
        """
        model: Self = from_theirs(cls, estimator)
        return model

    @classmethod
    def _of_weights(
        cls, coefs: Sequence[Any], intercepts: Sequence[Any], arguments: dict[str, Any], **learned: Any
    ) -> Self:
        """A fitted estimator of weights and biases, and what else `fit` learns; see `from_weights`."""
        theta = pack(
            [as_matrix(W, f"coefs[{layer}]") for layer, W in enumerate(coefs)],
            [as_vector(b, f"intercepts[{layer}]", np.size(b)) for layer, b in enumerate(intercepts)],
        )
        model = cls(hidden_layer_sizes=theta.sizes[1:-1], **arguments)
        model._validate_params()
        model.__dict__.update(learned, coefs_=theta.weights, intercepts_=theta.biases)
        model._settle()
        sizes = {"n_features_in_": theta.sizes[0], "n_outputs_": theta.sizes[-1]}
        output = model._out_activation(model._network)
        model.__dict__.update(sizes, n_layers_=len(theta.sizes), out_activation_=output)
        return model

    def to_run(self) -> TrainingRun:
        """A `TrainingRun` that predicts as this fitted estimator: for `gn.save`, pictures and ensembles.

        It has the network, the parameters, the labels of the classes, the losses and the penalties as a run
        counts them, alpha over the weight of a batch (its samples, where they have none); it does not go on
        where `fit` ended: ``gn.train(..., parameters=run.parameters)`` does. `predict_proba` of two classes
        gives the probability of the second, (n, 1). With `categorical_features` it takes what `read_table`
        takes, such as a frame or a file with those columns. Raises InputError for several columns of
        classes, and where missing values of an array are filled in.

        >>> import glassnet as gn
        >>> model = gn.MLPClassifier(3, solver="lbfgs", random_state=0).fit([[0.0], [1.0]], ["a", "b"])
        >>> gn.save(model, "model.safetensors")  # saves model.to_run()
        >>> gn.load("model.safetensors").predict([[1.0]]).tolist()
        ['b']
        """
        return as_run(self)

    # ---- scikit-learn's private methods, which programs call and override ----------------------------

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a subclass that overrides what would not be called: other numbers, and no word of it."""
        super().__init_subclass__(**options)
        users = [kind for kind in cls.__mro__ if not kind.__module__.startswith(("glassnet.", "sklearn."))]
        if ignored := [name for name in _NOT_CALLED if any(name in vars(kind) for kind in users)]:
            raise InputTypeError(
                f"{cls.__name__} overrides {', '.join(ignored)}, which scikit-learn's fit and predict call "
                f"and glassnet's do not. Give a gn.Loss, a gn.Activation or an optimizer of your own, or "
                f"derive from sklearn.neural_network; _init_coef is called here too."
            )

    def _init_coef(self, fan_in: int, fan_out: int, dtype: Any) -> tuple[Array, Array]:
        """A layer's first weights (fan_in, fan_out) and biases, from `_random_state`; may be overridden."""
        layer = Network((fan_in, fan_out), output="identity")
        theta = draw_parameters(layer, self.activation, self._random_state, dtype)
        return theta.weights[0], theta.biases[0]

    def _first_parameters(self, network: Network, random: RandomState, dtype: Any) -> Parameters:
        """The parameters to start from, by `_init_coef` of a subclass where there is one."""
        if getattr(self._init_coef, "__func__", None) is Exchange._init_coef:
            return draw_parameters(network, self.activation, random, dtype)
        self._random_state = random
        layers = [self._init_coef(*shape, dtype) for shape in pairwise(network.sizes)]
        del self._random_state
        theta = pack([W for W, _ in layers], [b for _, b in layers])
        if theta.sizes != network.sizes:
            raise InputError(f"_init_coef gave layers of {theta.sizes} units; expected {network.sizes}.")
        return theta.astype(dtype)

    def _forward_pass(self, activations: list[Any]) -> list[Any]:
        """The list with each layer's output after the samples that it begins with."""
        network, theta = self._fitted()
        activations[1:] = network.forward(theta, activations[0])
        activations[-1] = self._link(activations[-1])
        return activations

    def _forward_pass_fast(self, X: Any, check_input: bool = True) -> Array:
        """The output layer for samples, (n, n_outputs)."""
        outputs: Array = samples_of(self, X).answers(lambda Y_hat: Y_hat)
        return outputs

    # ---- Plain attributes ----------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return as_plain(super().__getstate__())

    def __setstate__(self, state: dict[str, Any]) -> None:
        attributes = from_plain(state)
        hidden = attributes.pop("_hidden", None)
        super().__setstate__(attributes)
        if hidden is not None and "coefs_" in attributes:
            self._settle(hidden)

    def _settle(self, hidden: Sequence[Any] | None = None) -> None:
        """Make network and parameters of attributes that came from elsewhere."""
        theta = pack(self.coefs_, self.intercepts_)
        self.__dict__.update(coefs_=list(theta.weights), intercepts_=list(theta.biases), _theta=theta)
        self._network = self._network_of(theta.sizes, hidden)
