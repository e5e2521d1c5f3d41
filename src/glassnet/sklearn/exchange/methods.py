"""What the estimators have for other programs: scikit-learn's own classes, its hooks, plain attributes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self

from sklearn.base import BaseEstimator

from glassnet._types import Array
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.exchange.scikit_learn import as_theirs, from_theirs
from glassnet.sklearn.exchange.state import as_plain, from_plain
from glassnet.sklearn.network import pack


class Exchange(BaseEstimator):
    """The part of an estimator that other programs call."""

    coefs_: list[Array]
    intercepts_: list[Array]

    _theirs: type[Any]
    """scikit-learn's class of that name."""

    _network: Network

    @abstractmethod
    def _network_of(self, sizes: tuple[int, ...], hidden: Sequence[Any] | None = None) -> Network:
        """A network of these layers by the estimator's arguments, or with these hidden functions."""

    @abstractmethod
    def _fitted(self) -> tuple[Network, Parameters]:
        """The network and its parameters, as fitted or as the attributes set by hand have it.

        Raises NotFittedError before `fit` where `coefs_`, `intercepts_` or `classes_` are missing.
        """

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
