"""From an experiment's settings to its samples and its network."""

from __future__ import annotations

import sys
import warnings
from dataclasses import InitVar, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState

from glassnet.data.dataset import as_dataset
from glassnet.data.generators import GENERATORS, generate
from glassnet.data.holdout import split
from glassnet.data.tables.prepare import prepare_table
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.data.tables.reading.read import read_table
from glassnet.data.tables.targets import TargetedTable
from glassnet.diagnostics.gradient_check import check_gradients
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.errors import (
    CheckpointWarning,
    DivergenceWarning,
    InputError,
    InterruptedTrainingWarning,
    PreprocessingWarning,
    StalledTrainingWarning,
)
from glassnet.experiments.defaults import choose_settings
from glassnet.experiments.files import from_files, reads_blocks
from glassnet.experiments.samples import Samples, axes_of, build_network, keeps_its_unit, names_of
from glassnet.experiments.settings import Experiment
from glassnet.nn.network import Network, Parameters
from glassnet.training.files.checkpoint import SECONDS
from glassnet.training.hooks import Callbacks
from glassnet.training.run import TrainingRun
from glassnet.training.train import first_parameters, train

_CHECK_WORK = 2e8  # samples times squared parameters: a few seconds


@dataclass
class Draws:
    """An experiment's samples and network, and its stream of random numbers, drawn from in this order.

    `experiment` has the settings that were chosen for a table, and `chosen` says so in a sentence. `table`
    is what `read_whole` has read, if it was called before.

    Raises InputError and FileError for what the settings ask for and the data cannot give.
    """

    experiment: Experiment
    table: InitVar[TargetedTable | None] = None
    random: RandomState = field(init=False)
    samples: Samples = field(init=False)
    network: Network = field(init=False)
    chosen: str = field(init=False)

    def __post_init__(self, table: TargetedTable | None) -> None:
        self.random = RandomState(self.experiment["random_state"])
        table = read_whole(self.experiment) if table is None else table
        if table is not None:
            self.samples = _from_table(self.experiment, table, self.random)
        else:
            prepare = from_files if self.experiment["data.file"] else _generated
            self.samples = prepare(self.experiment, self.random)
        self.experiment, self.chosen = choose_settings(self.experiment, self.samples)
        self.network = build_network(self.experiment, self.samples)

    def check_point(self) -> Parameters:
        """Draw the parameters for the gradient check."""
        return self.network.initialize(self.random, self.experiment.check_scheme)

    def check(self, theta: Parameters) -> GradientCheck:
        """The gradient check at `theta`, on as many samples as are worth their time."""
        experiment, X, y = self.experiment, self.samples.X, self.samples.y
        affordable = max(10, int(_CHECK_WORK / self.network.n_parameters**2))
        count = min(len(X), experiment["check.samples"] or affordable)
        rows = np.linspace(0, len(X) - 1, count).astype(int)
        keywords = experiment.keywords(check_gradients, epsilon=experiment["check.epsilon"])
        return check_gradients(self.network, theta, X[rows], y[rows], **keywords)

    def start(self) -> Parameters:
        """Draw the parameters that training starts from."""
        scheme = self.experiment["train.scheme"]
        return first_parameters(self.network, self.samples.training, scheme, self.random)

    def train(
        self,
        initial: Parameters,
        callbacks: Callbacks[TrainingRun] = (),
        progress: bool | float = False,
        checkpoint: Path | None = None,
        checkpoint_every: float = SECONDS,
        unfinished: TrainingRun | None = None,
    ) -> TrainingRun:
        """Train from `initial`, or go on from an unfinished run.

        The run says how it ended, and no warning does. Of a checkpoint that cannot be written a line on
        stderr says so.
        """
        experiment, samples = self.experiment, self.samples
        training, validation = samples.with_validation(experiment["train.validation"], self.random)
        keywords: dict[str, Any] = {
            "callbacks": callbacks,
            "progress": progress,
            "checkpoint": checkpoint,
            "checkpoint_every": checkpoint_every,
        }
        with warnings.catch_warnings():
            warnings.simplefilter("always", CheckpointWarning)
            warnings.showwarning = lambda message, *_: print(f"Warning: {message}", file=sys.stderr)
            warnings.simplefilter("ignore", DivergenceWarning)
            warnings.simplefilter("ignore", InterruptedTrainingWarning)
            warnings.simplefilter("ignore", StalledTrainingWarning)
            warnings.simplefilter("ignore", PreprocessingWarning)  # of validation rows, standardized alike
            if unfinished is not None:
                left = max(0, experiment["train.iterations"] - unfinished.iterations)
                rows = None if isinstance(validation, float) else validation
                threads = experiment["train.threads"]
                return unfinished.resume(left, X=training, validation=rows, threads=threads, **keywords)
            keywords = experiment.keywords(
                train,
                validation=validation,
                class_weight=samples.class_weight(experiment["train.class_weight"]),
                parameters=initial,
                random_state=self.random,
                **keywords,
            )
            return train(self.network, training, **keywords)


def _generated(experiment: Experiment, random: RandomState) -> Samples:
    kind = GENERATORS[experiment["data.generator"]]
    classed = kind.task == "classification"
    with experiment.blame("data.generator"):
        X, y = generate(experiment["data.generator"], random, **experiment.of_named("data"))
        if len(np.unique(y)) < 2:
            one, many = ("class(es)", "classes") if classed else ("value(s)", "values")
            raise InputError(
                f"{len(y)} sample(s) of {len(np.unique(y))} {one} came; expected 2 {many} or more."
            )
    train, test, note = split(y, experiment.test_fraction, random, stratify=classed)
    width = X.shape[1]
    mean, scale = np.zeros(width), np.ones(width)
    if kind.measured:
        mean, scale = X[train].mean(axis=0), X[train].std(axis=0)
        scale[scale == 0] = 1
        X = (X - mean) / scale
    preprocessing = Preprocessing(
        "class" if classed else "y",
        kind.task,
        kind.features or tuple(f"x{i + 1}" for i in range(width)),
        tuple(mean.tolist()),
        tuple(scale.tolist()),
        (kind.classes or tuple(range(int(y.max()) + 1))) if classed else None,
    )
    classes = kind.classes or tuple(f"class {label}" for label in preprocessing.classes or ())
    return Samples(
        X=X[train],
        y=y[train],
        training=as_dataset(X[train], y[train]),
        held_out=as_dataset(X[test], y[test]) if len(test) else None,
        preprocessing=preprocessing,
        feature_names=(
            names_of(experiment, preprocessing)["feature_names"] if kind.measured else kind.features or None
        ),
        target_names=classes if classed else preprocessing.target_names,
        axes=axes_of(experiment, preprocessing),
        notes=(note,) if note else (),
    )


def read_whole(experiment: Experiment) -> TargetedTable | None:
    """The table of an experiment and its target; None where it has none, or reads it block by block.

    Raises what `read_table` raises, and InputError for a target that cannot be learned.
    """
    if not experiment["data.file"] or reads_blocks(experiment):
        return None
    # Relative to where the experiment's file lies, so that both can be moved together.
    table = read_table(experiment.folder / experiment["data.file"], **experiment.reading)
    return TargetedTable.of(table, experiment.target(table.names), experiment["data.task"])


def _from_table(experiment: Experiment, table: TargetedTable, random: RandomState) -> Samples:
    data = prepare_table(
        table,
        table.target.names,
        **experiment.columns,
        test_fraction=experiment.test_fraction,
        random_state=random,
        standardize_target=not keeps_its_unit(experiment),
    )
    X, y = data.X_train, data.y_train
    return Samples(
        X=X,
        y=y,
        training=as_dataset(X, y),
        held_out=as_dataset(data.X_test, data.y_test) if len(data.y_test) else None,
        notes=data.notes,
        prepared=data,
        columns=data.columns,
        **names_of(experiment, data.preprocessing),
    )
