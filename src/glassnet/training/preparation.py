"""How data become problems: what `train`, `resume` and sweeps do before the first iteration."""

from __future__ import annotations

from typing import Any

from numpy.random import RandomState

from glassnet.data.checks import CheckedData, check_data
from glassnet.data.dataset import as_dataset
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.nn.network import Network
from glassnet.training.validation import HeldOut, Parts, hold_out

Samples = tuple[Any, Any, Any]
"""X, y and sample weights."""


class Preparation:
    """Makes data ready for training; a subclass that keeps its results serves many networks with them."""

    def check(
        self, network: Network, samples: Samples, dtype: Any, reduction: str, engine: str
    ) -> CheckedData:
        """`check_data` of all samples, before some are held out."""
        X, y, weights = samples
        return check_data(network, X, y, dtype, reduction, weights, engine)

    def hold_out(self, network: Network, data: CheckedData, fraction: float, random: RandomState) -> Parts:
        """Hold out a fraction of the samples, drawn from `random`."""
        return hold_out(network, data, fraction, random)

    def prepare(self, network: Network, samples: Samples, settings: ProblemSettings) -> Problem | Batches:
        """The samples for the full batch or for batches; see `prepare_problem`."""
        X, y, weights = samples
        return prepare_problem(network, as_dataset(X, y, weights, network.sizes[0]), settings)

    def prepare_validation(self, trained: Problem | Batches, samples: Samples, keep: bool) -> HeldOut:
        """Validation data for the engine and in the precision of `trained`; see `HeldOut`."""
        return HeldOut(trained, samples, keep)
