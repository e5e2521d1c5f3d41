"""An experiment as arrays, a network and the arguments of `glassnet.train`, to train it in Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.generators import GENERATORS, Setting
from glassnet.experiments.about import about
from glassnet.experiments.library import built_in, find_experiment
from glassnet.experiments.preparation import Draws
from glassnet.experiments.settings import Experiment, Override
from glassnet.nn.network import Network
from glassnet.training.train import train


@dataclass(frozen=True, eq=False)
class LoadedExperiment:
    """An experiment as ``gn.train(loaded.network, loaded.X, loaded.y, **loaded.settings)`` takes it.

    X (rows, features) and y are the rows to train on, X_test and y_test those held out, which may be none.
    y holds class numbers, or quantities; a table's numbers are standardized. `class_names` is None for
    quantities, whose names are `target_names`, and `feature_names` where the features have no names.
    `description` says in a sentence what a built-in experiment is; of others it is "".
    `experiment` has every setting as a file has it.
    """

    experiment: Experiment
    network: Network
    X: NDArray[np.float64]
    y: NDArray[Any]
    X_test: NDArray[np.float64]
    y_test: NDArray[Any]
    feature_names: tuple[str, ...] | None
    class_names: tuple[str, ...] | None
    target_names: tuple[str, ...]
    notes: tuple[str, ...]
    description: str
    _arguments: Mapping[str, Any]
    _random: dict[str, Any]

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.experiment.name

    @property
    def title(self) -> str:
        """Its heading in pictures."""
        return self.experiment.title

    @property
    def settings(self) -> dict[str, Any]:
        """The arguments of `glassnet.train` but the network and the rows, new ones each time.

        Its first parameters and its random stream are those of ``glassnet train NAME``, whose bits follow.
        """
        random = RandomState()
        random.set_state(self._random)
        return {**self._arguments, "random_state": random}

    @property
    def data(self) -> dict[str, Any]:
        """The settings of the generator, such as n_samples and noise; none of a table."""
        return self.experiment.of_named("data")

    @property
    def ranges(self) -> dict[str, Setting]:
        """For each setting of the generator its default, and the lowest and highest value worth trying."""
        generator = self.experiment["data.generator"]
        return {} if generator is None else dict(GENERATORS[generator].settings)


def load_experiment(name: str, settings: Mapping[str, Any] | None = None) -> LoadedExperiment:
    """The data, network and settings of an experiment: a built-in one, a .toml file's, or a table's.

    `settings` are laid over its own by the dotted keys of a file, such as ``{"data.noise": 0.3}``; a table
    needs ``"data.target"``. The same name and settings give the same bits.

    Raises InputError, InputTypeError and FileError as ``glassnet train`` does: for an unknown name or key,
    a value that cannot be used, a file that cannot be read, and rows that exceed the memory.

    >>> import glassnet as gn
    >>> from glassnet.experiments import load_experiment
    >>> moons = load_experiment("moons", {"data.n_samples": 200, "train.iterations": 300})
    >>> moons.X.shape, moons.X_test.shape, moons.class_names, moons.network.sizes
    ((150, 2), (50, 2), ('class 0', 'class 1'), (2, 8, 2))
    >>> run = gn.train(moons.network, moons.X, moons.y, **moons.settings)
    >>> run.score(moons.X_test, moons.y_test) > 0.9
    True
    """
    overrides = {key: Override(value, key) for key, value in (settings or {}).items()}
    draws = Draws(find_experiment(name, overrides))
    draws.check_point()  # the stream of `glassnet train`, which draws it too
    initial, samples, experiment = draws.start(), draws.samples.in_memory(), draws.experiment
    X_test, y_test = samples.held_out_rows or (samples.X[:0], samples.y[:0])
    classed = samples.preprocessing.classes is not None
    return LoadedExperiment(
        experiment,
        draws.network,
        samples.X,
        samples.y,
        X_test,
        y_test,
        feature_names=samples.feature_names,
        class_names=samples.target_names if classed else None,
        target_names=samples.preprocessing.target_names,
        notes=samples.notes,
        description=about(name).description if name in built_in() and not experiment["data.file"] else "",
        _arguments=experiment.keywords(
            train,
            class_weight=samples.class_weight(experiment["train.class_weight"]),
            parameters=initial,
        ),
        _random=draws.random.get_state(legacy=False),
    )
