"""An experiment's samples: rows to train on, rows held out, and some of them for pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.data.source import Dataset
from glassnet.data.tables.columns import ColumnTable
from glassnet.data.tables.prepare import PreparedTable
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.errors import InputError, unknown_name
from glassnet.experiments.settings import Experiment
from glassnet.nn.losses import ALL_OUTPUTS, get_output
from glassnet.nn.names import get_loss
from glassnet.nn.network import Network
from glassnet.plots.projection import Axes
from glassnet.plots.report.scores import Scores, score
from glassnet.training.run import TrainingRun
from glassnet.utils.words import tidy

_MOST_NAMES = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class Samples:
    """Rows to train on and rows held out, with the preprocessing that made them, and names for pictures.

    X (rows, features) and y are the rows that pictures, the gradient check and the curvature show: all to
    train on, or some of them drawn at random. y holds class numbers or, for a regression, standardized
    values. `axes` are the features of the pictures, by index, or as plots take them. `prepared` is the
    table in memory, where there is one, and `columns` say what each column is taken for. These rows are in
    memory; `FileSamples` are not.
    """

    X: NDArray[np.float64]
    y: NDArray[Any]
    training: Dataset
    held_out: Dataset | None
    preprocessing: Preprocessing
    feature_names: tuple[str, ...] | None
    target_names: tuple[str, ...]
    axes: Axes
    notes: tuple[str, ...] = ()
    prepared: PreparedTable | None = None
    columns: ColumnTable | None = None

    @property
    def n(self) -> int:
        """The number of rows to train on."""
        return self.training.n_rows

    @property
    def n_held_out(self) -> int:
        """The number of rows held out."""
        return 0 if self.held_out is None else self.held_out.n_rows

    @cached_property
    def held_out_rows(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """X and y of the rows held out that pictures show: all, or of many some drawn at random."""
        return None if self.held_out is None else self.held_out.read_all()[:2]

    def where_held_out(self, row: int) -> str:
        """Where a row of `held_out_rows` lies."""
        if self.prepared is None:
            return f"held-out row {row}"
        return self.prepared.table.where(int(self.prepared.rows[self.prepared.split.test[row]]))

    def with_validation(self, fraction: float | None, random: RandomState) -> tuple[Dataset, object]:
        """The rows to train on and `validation`, as `train` takes them."""
        return self.training, fraction

    def scores(self, run: TrainingRun) -> dict[str, Scores]:
        """How well the run predicts the rows that it was trained on, and those held out."""
        scores = {"training": score(run, self.X, self.y, self.target_names)}
        if self.held_out is not None:
            scores["held-out"] = score(run, *self.held_out.read_all()[:2], self.target_names)
        return scores

    def in_memory(self) -> Samples:
        """The same samples with all rows in X and y, as a sweep takes them."""
        return self

    def class_weight(self, weights: Any) -> Any:
        """`class_weight` as `train` takes it: a table of labels becomes one of class numbers."""
        if not isinstance(weights, dict):
            return weights
        labels = [str(label) for label in self.target_names]
        for label in weights:
            if label not in labels:
                raise unknown_name("label in train.class_weight", label, labels)
        return {labels.index(label): weight for label, weight in weights.items()}

    def __str__(self) -> str:
        features, classes = self.X.shape[1], self.preprocessing.classes
        held = f" and {self.n_held_out:,} held out" if self.n_held_out else ""
        targets = len(self.preprocessing.target_names)
        quantities = "a quantity" if targets == 1 else f"{targets} quantities"
        kind = quantities if classes is None else f"{len(classes)} classes"
        names = self.preprocessing.features
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        named = (
            "" if self.feature_names is None else f" ({', '.join(map(tidy, names[:_MOST_NAMES]))}{more})"
        )
        return f"{self.n:,} samples{held}, {features} feature{'s' if features != 1 else ''}{named}, {kind}"


def keeps_its_unit(experiment: Experiment) -> bool:
    """Whether a quantity is learned in its own unit: a standardized count could be negative."""
    output = experiment["network.output"]
    return output is not None and get_loss(None, get_output(output)).target in ("nonnegative", "signed")


def names_of(experiment: Experiment, preprocessing: Preprocessing) -> dict[str, Any]:
    """The names of a table's columns and classes in pictures, and the features on their axes."""
    raw = keeps_its_unit(experiment) or preprocessing.task == "counts"
    unit = "" if raw else " (standardized)"
    classes = preprocessing.classes
    return {
        "preprocessing": preprocessing,
        "feature_names": tuple(
            f"{name} (standardized)" if scaled else name
            for encoding in preprocessing.encodings
            for name, scaled in zip(encoding.inputs, encoding.standardizes, strict=True)
        ),
        "target_names": (
            tuple(name + unit for name in preprocessing.target_names)
            if classes is None
            else tuple(map(str, classes))
        ),
        "axes": axes_of(experiment, preprocessing),
    }


def axes_of(experiment: Experiment, preprocessing: Preprocessing) -> Axes:
    """The features that pictures show, as indices: plots call them by longer names."""
    axes, features = experiment["pictures.axes"], preprocessing.inputs
    if axes is None or axes == "principal":
        return axes
    names = [axes] if isinstance(axes, str) else axes
    with experiment.blame("pictures.axes"):
        if not 1 <= len(set(names)) == len(names) <= 2:
            raise InputError(f"{names} does not name one or two different features, nor is it principal.")
        for name in names:
            if name not in features:
                raise unknown_name("feature", name, [*features, "principal"])
    return [features.index(name) for name in names]


def build_network(experiment: Experiment, samples: Samples) -> Network:
    """The network that [network] describes, as wide at both ends as the samples ask for.

    Raises InputError for an output that does not fit the task.
    """
    classes, task = samples.preprocessing.classes, samples.preprocessing.task
    quantities = ("nonnegative",) if task == "counts" else ("real", "nonnegative", "signed")
    targets = quantities if classes is None else ("class", "label")
    fitting = [output.name for output in ALL_OUTPUTS.values() if get_loss(None, output).target in targets]
    output = experiment["network.output"] or fitting[0]
    with experiment.blame("network.output"):
        target = get_loss(None, get_output(output)).target
        if target not in targets:
            raise InputError(
                f"The output {output!r} does not fit a {task}; choose one of: {', '.join(fitting)}."
            )
        if target == "label" and classes is not None and len(classes) != 2:
            raise InputError(
                f"The output {output!r} tells two classes apart, and there are {len(classes)}; choose "
                f"{fitting[0]!r}."
            )
    outputs = len(samples.preprocessing.target_names)
    if classes is not None and target == "class":
        outputs = len(classes)
    loss = experiment["network.loss"]
    with experiment.blame("network.loss"):
        get_loss(loss, get_output(output))
    with experiment.blame("network.activation"):
        sizes = (samples.X.shape[1], *experiment["network.hidden"], outputs)
        return Network(sizes, experiment["network.activation"], output, loss)
