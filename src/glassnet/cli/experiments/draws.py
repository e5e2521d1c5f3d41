"""What an experiment draws from its one stream of random numbers, in order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import RandomState

from glassnet.cli.experiments.data import Samples, build_network, load_samples
from glassnet.cli.experiments.schema import COMPUTING
from glassnet.cli.experiments.settings import Experiment
from glassnet.cli.experiments.streaming import StreamedSamples, is_streamed, streamed_samples
from glassnet.diagnostics.gradient_check import check_gradients
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.nn.network import Network, Parameters

_CHECK_WORK = 2e8  # samples times squared parameters: a few seconds


@dataclass
class Draws:
    """An experiment's samples, its network, and its stream of random numbers behind them."""

    experiment: Experiment
    random: RandomState = field(init=False)
    samples: Samples = field(init=False)
    network: Network = field(init=False)

    def __post_init__(self) -> None:
        self.random = RandomState(self.experiment["random_state"])
        if is_streamed(self.experiment):
            self.samples = streamed_samples(self.experiment, self.random)
        else:
            self.samples = load_samples(self.experiment, self.random)
        self.network = build_network(self.experiment, self.samples)

    def in_memory(self) -> Draws:
        """With all samples in memory; InputError where they do not fit."""
        if isinstance(self.samples, StreamedSamples):
            self.samples = self.samples.in_memory()
        return self

    def check_point(self) -> Parameters:
        """Draw the parameters for the gradient check; the stream goes on behind them."""
        return self.network.initialize(self.random, self.experiment.check_scheme)

    def check(self, theta: Parameters) -> GradientCheck:
        """The gradient check at `theta`, on as many samples as are worth their time."""
        experiment, X, y = self.experiment, self.samples.X, self.samples.y
        affordable = max(10, int(_CHECK_WORK / self.network.n_parameters**2))
        count = min(len(X), experiment["check.samples"] or affordable)
        rows = np.linspace(0, len(X) - 1, count).astype(int)
        return check_gradients(
            self.network,
            theta,
            X[rows],
            y[rows],
            epsilon=experiment["check.epsilon"],
            **experiment.of_train(*COMPUTING, "l1", "l2"),
        )

    def start(self) -> Parameters:
        """Draw the parameters that training starts from."""
        return self.network.initialize(self.random, self.experiment["train.scheme"])
