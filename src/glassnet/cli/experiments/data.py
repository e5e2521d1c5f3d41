"""An experiment's samples and its network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.cli.experiments.settings import Experiment
from glassnet.data.generators import generate
from glassnet.data.holdout import split
from glassnet.data.preprocessing import Preprocessing, prepare_table
from glassnet.data.tables import read_table
from glassnet.errors import InputError, unknown_name
from glassnet.nn.losses import LOSSES, OUTPUTS, get_loss, get_output
from glassnet.nn.network import Network
from glassnet.plots.report import Scores, score
from glassnet.training.run import TrainingRun


@dataclass(frozen=True, eq=False)
class Samples:
    """What to train on and to test on, how tables become such samples, and names for pictures.

    X and X_test are (n, features); y holds class numbers or, for a regression, standardized values.
    ``axes`` are the features that pictures show, by index, or as plots take them.
    """

    X: NDArray[np.float64]
    y: NDArray[Any]
    X_test: NDArray[np.float64]
    y_test: NDArray[Any]
    preprocessing: Preprocessing
    feature_names: tuple[str, ...] | None
    target_names: tuple[str, ...]
    axes: Any
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many rows there are to train on."""
        return len(self.X)

    @property
    def n_held_out(self) -> int:
        """How many rows are held out."""
        return len(self.X_test)

    def scores(self, run: TrainingRun) -> dict[str, Scores]:
        """How well the run predicts the rows it was trained on, and those held out."""
        found = {"training": score(run, self.X, self.y, self.target_names)}
        if self.held_out is not None:
            found["held-out"] = score(run, *self.held_out, self.target_names)
        return found

    def to_train_on(self, validation: float | None, random: RandomState) -> tuple[object, object, object]:
        """X, y and validation, as `train` takes them; a stream draws its validation rows from `random`."""
        return self.X, self.y, validation

    @property
    def held_out(self) -> tuple[NDArray[np.float64], NDArray[Any]] | None:
        """(X, y) of the test rows, or None where there are none."""
        return (self.X_test, self.y_test) if len(self.X_test) else None

    def __str__(self) -> str:
        n, features = self.n, self.X.shape[1]
        held = f" and {self.n_held_out:,} held out" if self.n_held_out else ""
        classes = self.preprocessing.classes
        kind = "a quantity" if classes is None else f"{len(classes)} classes"
        named = "" if self.feature_names is None else f" ({_listed(self.preprocessing.features)})"
        return f"{n:,} samples{held}, {features} feature{'s' if features != 1 else ''}{named}, {kind}"


_MOST_NAMES = 8


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def load_samples(experiment: Experiment, random: RandomState) -> Samples:
    """Generate or read an experiment's samples, drawing from `random` and leaving it where it then is.

    Raises InputError and FileError for what the settings ask for and the data cannot give.
    """
    return _from_table(experiment, random) if experiment["data.file"] else _generated(experiment, random)


def _generated(experiment: Experiment, random: RandomState) -> Samples:
    with experiment.blame("data.generator"):
        X, y = generate(experiment["data.generator"], random, **experiment.generator_settings())
        if len(np.unique(y)) < 2:
            raise InputError(
                f"{len(y)} sample(s) of {len(np.unique(y))} class(es) came; expected 2 classes or more."
            )
    width = X.shape[1]
    made = Preprocessing(
        target="class",
        task="classification",
        features=tuple(f"x{i + 1}" for i in range(width)),
        mean=(0.0,) * width,
        scale=(1.0,) * width,
        classes=tuple(range(int(y.max()) + 1)),
    )
    train, test, note = split(y, experiment.test_fraction, random)
    names = tuple(f"class {label}" for label in made.classes or ())
    return Samples(
        X[train],
        y[train],
        X[test],
        y[test],
        made,
        None,
        names,
        _axes(experiment, made),
        (note,) if note else (),
    )


def counts(experiment: Experiment) -> bool:
    """Whether the target stays in its own unit: a standardized count may be negative."""
    output = experiment["network.output"]
    return output is not None and LOSSES[get_output(output).loss].target == "nonnegative"


def described(experiment: Experiment, made: Preprocessing) -> dict[str, Any]:
    """What pictures call a table's columns and classes, and which features they show."""
    label = made.target if counts(experiment) else f"{made.target} (standardized)"
    return {
        "preprocessing": made,
        "feature_names": tuple(f"{name} (standardized)" for name in made.features),
        "target_names": (label,) if made.classes is None else tuple(map(str, made.classes)),
        "axes": _axes(experiment, made),
    }


def _from_table(experiment: Experiment, random: RandomState) -> Samples:
    # Relative to where the experiment's file lies, so that both can be moved together.
    table = read_table(experiment.folder / experiment["data.file"])
    data = prepare_table(
        table,
        experiment["data.target"],
        task=experiment["data.task"],
        features=experiment["data.features"],
        ignore=experiment["data.ignore"] or (),
        test_fraction=experiment.test_fraction,
        random_state=random,
        standardize_target=not counts(experiment),
    )
    return Samples(
        data.X_train,
        data.y_train,
        data.X_test,
        data.y_test,
        notes=data.notes,
        **described(experiment, data.preprocessing),
    )


def _axes(experiment: Experiment, made: Preprocessing) -> Any:
    """The features that pictures show, as indices; the plots call them by longer names."""
    axes = experiment["pictures.axes"]
    if axes is None or axes == "principal":
        return axes
    names = [axes] if isinstance(axes, str) else axes
    with experiment.blame("pictures.axes"):
        if not 1 <= len(set(names)) == len(names) <= 2:
            raise InputError(f"{names} does not name one or two different features, nor is it principal.")
        for name in names:
            if name not in made.features:
                raise unknown_name("feature", name, [*made.features, "principal"])
    return [made.features.index(name) for name in names]


def build_network(experiment: Experiment, samples: Samples) -> Network:
    """The network that [network] describes, as wide at both ends as the samples ask for.

    Raises InputError for an output that does not fit the task.
    """
    classes = samples.preprocessing.classes
    task = samples.preprocessing.task
    wanted = ("real", "nonnegative") if classes is None else ("class", "label")
    fitting = [name for name, output in OUTPUTS.items() if LOSSES[output.loss].target in wanted]
    output = experiment["network.output"] or fitting[0]
    with experiment.blame("network.output"):
        target = LOSSES[get_output(output).loss].target
        if target not in wanted:
            raise InputError(
                f"The output {output!r} does not fit a {task}; choose one of: {', '.join(fitting)}."
            )
        if target == "label" and classes is not None and len(classes) != 2:
            raise InputError(
                f"The output {output!r} tells two classes apart, and there are {len(classes)}; choose "
                f"{fitting[0]!r}."
            )
    outputs = len(classes) if classes is not None and target == "class" else 1
    loss = experiment["network.loss"]
    with experiment.blame("network.loss"):
        get_loss(loss, get_output(output))
    with experiment.blame("network.activation"):
        sizes = (samples.X.shape[1], *experiment["network.hidden"], outputs)
        return Network(sizes, experiment["network.activation"], output, loss)
