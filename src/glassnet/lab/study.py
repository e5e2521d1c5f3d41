"""What a session learns: data, whatever they come from, with a network and the settings of its training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.encoding import label_numbers
from glassnet.errors import InputError
from glassnet.nn.losses import ALL_LOSSES, Loss
from glassnet.nn.network import Network, count_parameters
from glassnet.plots.projection import as_names, numbered
from glassnet.utils.array_checks import as_matrix, as_numbers, check_finite

MOST_LAYERS, MOST_UNITS, MOST_PARAMETERS = 8, 1_000, 200_000
"""The largest network that a page or a lesson builds; `gn.train` takes larger ones."""
_MOST_CLASSES = 12
"""Whole numbers with more values than this count as quantities."""


def check_sizes(sizes: Sequence[int]) -> None:
    """Raise InputError for a network that a page cannot draw."""
    hidden = sizes[1:-1]
    if len(hidden) > MOST_LAYERS or any(size > MOST_UNITS for size in hidden):
        raise InputError(
            f"{'-'.join(map(str, sizes)):.80} is too large to draw: expected up to {MOST_LAYERS} hidden "
            f"layers of up to {MOST_UNITS:,} units."
        )
    if (size := count_parameters(tuple(sizes))) > MOST_PARAMETERS:
        raise InputError(
            f"This network has {size:,} parameters; the lab draws up to {MOST_PARAMETERS:,}. Take fewer "
            f"units, or train it in Python: gn.train."
        )


@dataclass(frozen=True, eq=False)
class Data:
    """Samples and their targets, with the names that a page shows.

    Attributes
    ----------
    X, y : (n, inputs), and class numbers (n,) or values (n,) or (n, outputs).
    name : what the page calls them.
    features, classes : the inputs' names, and the classes'; no classes where y holds values.
    target : the name of y.
    source : how to get the same data again, as a lesson writes it down; empty for a caller's own arrays.
    held_out : X and y of rows that nothing is learned from, where the source holds them out itself.
    notes : sentences about what was made of a table.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    name: str
    features: tuple[str, ...]
    classes: tuple[str, ...] = ()
    target: str = "y"
    source: Mapping[str, Any] = field(default_factory=dict)
    held_out: tuple[NDArray[Any], NDArray[Any]] | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """X and y of all rows, those held out last."""
        if self.held_out is None:
            return self.X, self.y
        X_test, y_test = self.held_out
        return np.concatenate([self.X, X_test]), np.concatenate([self.y, y_test])

    @property
    def n_inputs(self) -> int:
        """Columns of X."""
        return int(self.X.shape[1])

    @property
    def n_outputs(self) -> int:
        """The outputs of a network for these data: one for each class, or for each value."""
        return len(self.classes) or (1 if self.y.ndim == 1 else int(self.y.shape[1]))

    @property
    def losses(self) -> list[str]:
        """The losses that the targets suit."""
        if self.classes:
            fit = {"class", "label"} if len(self.classes) == 2 else {"class"}
        else:
            low, high = float(self.y.min()), float(self.y.max())
            ranges = {"nonnegative": (0, np.inf), "signed": (-1, 1), "label": (0, 1)}
            fit = {
                "real",
                *(name for name, (least, most) in ranges.items() if least <= low and high <= most),
            }
        return [name for name, loss in ALL_LOSSES.items() if loss.target in fit]


@dataclass(frozen=True, eq=False)
class Study:
    """What a session learns, with which network and how: all that its first parameters follow from.

    `settings` are those of `train` but iterations. `own` says that network and settings are an experiment's
    as they are; a change of either makes it False. `iterations` is where playing ends at first.
    """

    data: Data
    network: Network
    settings: Mapping[str, Any]
    iterations: int = 1000
    own: bool = False

    def with_settings(self, **changes: Any) -> Study:
        """The same, trained with other settings."""
        return replace(self, settings={**self.settings, **changes}, own=False)

    def with_network(self, network: Network) -> Study:
        """The same with another network, from first parameters that fit it."""
        study = self if network.sizes == self.network.sizes else self.restarted()
        return replace(study, network=network, own=False)

    def with_seed(self, seed: int) -> Study:
        """The same from other first parameters."""
        settings = {name: value for name, value in self.settings.items() if name != "parameters"}
        return replace(self, settings={**settings, "random_state": seed}, own=False)

    def restarted(self) -> Study:
        """The same from first parameters that are drawn anew, for another network."""
        if not isinstance(self.settings.get("random_state"), np.random.RandomState):
            return self if "parameters" not in self.settings else self.with_seed(0)
        return self.with_seed(int(self.data.source.get("seed", 0)))

    def with_layers(self, units: Sequence[int], hidden: Sequence[str], loss: Loss) -> Study:
        """The same with other hidden layers and another loss, whose link the output layer takes.

        Of two classes a loss of labels, such as "brier", has one output alone: that of the second one.
        """
        outputs = 1 if self.data.classes and loss.target == "label" else self.data.n_outputs
        return self.with_network(Network((self.data.n_inputs, *units, outputs), hidden, loss.output, loss))

    def with_choices_of(self, other: Study) -> Study:
        """These data with the network and the settings of another study of the same kind of data."""
        start = ("parameters", "random_state", "validation")
        chosen = {name: value for name, value in other.settings.items() if name not in start}
        network = other.network
        hidden = [record.name for record in network.hidden]
        return self.with_settings(**chosen).with_layers(network.sizes[1:-1], hidden, network.loss)


def as_data(
    X: object,
    y: object,
    name: str = "Your data",
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    target: str = "y",
    source: Mapping[str, Any] | None = None,
) -> Data:
    """A caller's arrays as the data of a session.

    y holds classes (text, or whole numbers from 0 of at most 12 values) or values. Raises InputError and
    InputTypeError for arrays that cannot be learned from.
    """
    rows = as_matrix(X)
    check_finite(rows, "X")
    numbers, labels = label_numbers(y)
    targets = as_numbers(numbers, "y")
    if len(targets) != len(rows) or targets.ndim not in (1, 2):
        raise InputError(
            f"y has the shape {targets.shape}; expected a target for each of the {len(rows):,} rows of X."
        )
    check_finite(targets, "y")
    if labels is None and targets.ndim == 1 and _are_classes(targets):
        targets = targets.astype(np.int64)
        labels = tuple(str(k) for k in range(max(int(targets.max()) + 1, 2)))
    if labels is not None and classes is not None:
        labels = as_names(classes, len(labels), "classes", ())
    names = as_names(features, rows.shape[1], "features", numbered("x", rows.shape[1]))
    known = tuple(str(label) for label in labels or ())
    return Data(rows, targets, name, names, known, target, source or {})


def _are_classes(y: NDArray[Any]) -> bool:
    values = np.unique(y)
    whole = bool((values == np.rint(values)).all())
    return whole and values[0] >= 0 and values[-1] < _MOST_CLASSES and len(values) > 1


def first_network(data: Data) -> Network:
    """A network of one hidden layer that suits the data: 8 tanh units, and the output that y asks for."""
    output = "softmax" if data.classes else "identity"
    return Network((data.n_inputs, 8, data.n_outputs), hidden="tanh", output=output)
