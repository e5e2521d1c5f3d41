"""How data become problems: what `train`, `resume` and sweeps do before the first iteration."""

from __future__ import annotations

from numpy.random import RandomState

from glassnet.data.source import Dataset, HoldOut
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.nn.network import Network
from glassnet.training.validation import HeldOut


class Preparation:
    """Makes datasets ready for training; a subclass that keeps its results shares them between networks."""

    def hold_out(self, network: Network, dataset: Dataset, fraction: float, random: RandomState) -> HoldOut:
        """Hold out a fraction of the rows, drawn from `random`."""
        return dataset.hold_out(network, fraction, random)

    def prepare(self, network: Network, dataset: Dataset, settings: ProblemSettings) -> Problem | Batches:
        """The dataset for the full batch or for batches; see `prepare_problem`."""
        return prepare_problem(network, dataset, settings)

    def prepare_validation(self, trained: Problem | Batches, dataset: Dataset, keep: bool) -> HeldOut:
        """Validation data for the engine and in the precision of `trained`; see `HeldOut`."""
        return HeldOut(trained, dataset, keep)
