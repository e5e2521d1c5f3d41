"""How a user's X and y become what a network learns from, and its answers the user's own again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data.dask_cluster import is_collection
from glassnet.data.holdout import listed
from glassnet.data.standardization import Scaling, standardizing_preprocessing
from glassnet.errors import InputError
from glassnet.nn.network import Network


@dataclass(frozen=True, eq=False)
class Encoding:
    """What stands between a user's X and y and the numbers that a run's network works with.

    Attributes
    ----------
    scaling : the `Scaling` of a run that standardizes by itself, or None: then X and y go in as they are.
    classes : the labels that class numbers stand for, in sorted order; None where y has class numbers.
    flat : whether y was (n,) for a network of one output; predictions then are too.
    constant : of columns of X that never varied, without a scaling, the value by their number. Nothing was
        learned of their weights.
    target, features : the names of the columns of y and X, where there is a scaling and they have names.
    """

    scaling: Scaling | None = None
    classes: tuple[Any, ...] | None = None
    flat: bool = False
    constant: Mapping[int, float] = field(default_factory=dict)
    target: str | None = None
    features: tuple[str, ...] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing stands between them."""
        return self.scaling is None and self.classes is None and not self.flat and not self.constant

    def to_plain(self) -> dict[str, Any]:
        """All but the scaling, which has arrays of its own, as JSON can hold it."""
        constant = [[place, value] for place, value in self.constant.items()]
        known = {"flat": self.flat, "classes": self.classes, "constant": constant}
        return known | {"target": self.target, "features": self.features}

    def preprocessing(self, network: Network) -> dict[str, Any] | None:
        """The scaling and the labels as `glassnet predict` reads them; None where nothing scales."""
        scaling = self.scaling
        if scaling is None:
            return None
        described = standardizing_preprocessing(
            network, scaling.mean, scaling.scale, self.target, self.features
        )
        if scaling.moves_targets:
            moved = {"target_mean": scaling.target_mean, "target_scale": scaling.target_scale}
            described |= {
                key: values.tolist() if len(values) > 1 else values.item() for key, values in moved.items()
            }
        if self.classes is not None:
            described["classes"] = list(self.classes)
        return described

    def numbers(self, y: object) -> object:
        """A user's y with class numbers for labels; InputError for a label that training never saw."""
        if self.classes is None or y is None:
            return y
        if isinstance(self.classes[0], str):
            return label_numbers(y, self.classes)[0]
        labels, known = np.asarray(y), np.array(self.classes)
        numbers = np.minimum(np.searchsorted(known, labels), len(known) - 1)
        other = known[numbers] != labels
        if other.any():
            raise InputError(
                f"y has {labels[other][0]!r}; the run knows the classes {listed(self.classes)}."
            )
        return numbers

    def targets(self, y: object) -> object:
        """A user's y as the network learned it; InputError for a label that training never saw."""
        y = self.numbers(y)
        if self.scaling is not None and self.scaling.moves_targets and y is not None:
            y = self.scaling.targets(np.asarray(y))
        return y

    def predictions(self, predicted: NDArray[Any], ndim: int | None = None) -> NDArray[Any]:
        """What `Network.predict` gives, in the unit, the labels and the shape of y; 2-D where asked for."""
        if self.scaling is not None:
            predicted = self.scaling.values(predicted)
        if self.classes is not None:
            kind = object if isinstance(self.classes[0], str) else None
            predicted = np.array(self.classes, kind)[predicted]
        if ndim == 2:
            return predicted if predicted.ndim == 2 else predicted[:, None]
        return predicted[:, 0] if self.flat and predicted.ndim == 2 else predicted


PLAIN = Encoding()
"""That of X and y which go in as they are, and of files of earlier commits."""


def encoding_from_plain(
    network: Network, described: Mapping[str, Any] | None, arrays: Mapping[str, NDArray[Any]]
) -> Encoding:
    """What `to_plain` and `Scaling.as_arrays` gave, PLAIN for None; InputError for what does not fit."""
    if described is None:
        return PLAIN
    scaling, classes, constant = None, described["classes"], dict(described["constant"])
    if "scaling_inputs" in arrays:
        scaling = Scaling.from_arrays(network, arrays["scaling_inputs"], arrays["scaling_y"])
    if classes is not None:
        plain = all(isinstance(label, (str, int, float)) for label in classes)
        if not plain or len({isinstance(label, str) for label in classes}) != 1:
            raise InputError("the classes do not fit")
        classes = tuple(classes)
        check_classes(network, classes)
    places = range(network.sizes[0])
    fits = all(place in places and type(value) is float for place, value in constant.items())
    if not fits or type(described["flat"]) is not bool:
        raise InputError("the columns do not fit")
    target, features = described.get("target"), described.get("features")  # later than the others
    fits = features is None or (len(features) == network.sizes[0] and _are_texts(*features))
    if not fits or not (target is None or _are_texts(target)):
        raise InputError("the names of the columns do not fit")
    features = None if features is None else tuple(features)
    return Encoding(scaling, classes, described["flat"], constant, target, features)


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def label_numbers(
    y: object, classes: tuple[str, ...] | None = None
) -> tuple[object, tuple[str, ...] | None]:
    """Class numbers for labels of text, (n,), and the sorted labels; any other y as it is, and None.

    With `classes` these are the labels; InputError for another one.
    """
    if y is None or isinstance(y, str) or hasattr(y, "columns") or is_collection(y):
        return y, None
    try:
        labels = np.asarray(y)
    except (ValueError, TypeError, RuntimeError):
        return y, None
    if labels.ndim == 2 and labels.shape[1] == 1 and labels.dtype.kind in "OUT":
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "OUT" or not len(labels):
        return y, None
    texts = labels.tolist()
    if isinstance(y, (list, tuple)) and all(isinstance(text, str) for text in y):
        texts = [*y]  # NumPy takes zero bytes at the end of its own text for padding
    if not all(isinstance(text, str) for text in texts):
        return y, None
    known = tuple(sorted(set(texts))) if classes is None else classes
    numbers = {label: number for number, label in enumerate(known)}
    for row, text in enumerate(texts):
        if text not in numbers:
            raise InputError(f"y is {text!r} at row {row}; the run knows the classes {listed(known)}.")
    return np.array([numbers[text] for text in texts], np.intp), known


def check_classes(network: Network, classes: tuple[Any, ...]) -> None:
    """Raise InputError where the network's outputs are not one for each class."""
    outputs, kind = network.sizes[-1], network.loss.target
    if len(classes) != (2 if kind == "label" and outputs == 1 else outputs):
        raise InputError(
            f"y has {len(classes)} labels, {listed(classes)}, and the network {network} has {outputs} "
            f"output{'s' if outputs > 1 else ''}; expected one output for each label, as in "
            f"gn.Network(({network.sizes[0]}, 8, {max(2, len(classes))}))."
        )
