"""A call of `fit`: what is trained on which samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from numpy.random import RandomState

from glassnet._types import Array
from glassnet.nn.network import Network, Parameters
from glassnet.sklearn.callbacks import FitTasks, Verbosity
from glassnet.sklearn.samples import Samples


class Job(NamedTuple):
    """A call of `fit`, whose arguments are checked and whose samples are coded.

    `first` says that this fit continues no earlier one, `incremental` that this is `partial_fit`.
    `attributes_at` gives the attributes of an estimator with flat parameters.
    """

    estimator: Any
    network: Network
    theta: Parameters
    samples: Samples
    random: RandomState
    first: bool
    incremental: bool
    validation: Any
    verbosity: Verbosity
    tasks: FitTasks | None
    attributes_at: Callable[[Array], dict[str, Any]]

    def estimator_at(self, flat: Array, attributes: dict[str, Any] | None = None) -> Any:
        """A fitted estimator with these parameters, and with what else is known of it."""
        model = object.__new__(type(self.estimator))
        model.__dict__.update({**vars(self.estimator), **(attributes or {}), **self.attributes_at(flat)})
        return model
