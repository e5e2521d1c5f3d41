"""What comes of a network from elsewhere, and the check that it predicts the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.errors import InputError
from glassnet.export.model import Column, Model
from glassnet.export.verification import Distance, distance
from glassnet.nn.network import Network, Parameters
from glassnet.utils.array_checks import as_matrix

ROWS = 200
"""How many rows the original and the imported network are compared on."""

_NEAR = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, eq=False, repr=False)
class Imported:
    """A network from elsewhere: it predicts what the original does, trains on, and is exported.

    ``gn.train(imported.network, imported.inputs(X), y, parameters=imported.parameters)`` trains it on. A
    network that ends in a linear layer has the output "identity", whatever loss it was trained with: for
    logits train ``gn.Network(sizes, hidden, output="softmax")`` from the same parameters.

    Attributes
    ----------
    model : all of it, from which `gn.export` writes files.
    distance : the `Distance` of its outputs from the original's, on 200 drawn rows: ``distance.error`` is
        relative to the largest output of the row, or to 1.
    values : the features' numbers (n, features) of an X as the original takes it.
    flat : whether predictions of one value are (n,) instead of (n, 1).

    Example
    -------
    >>> import glassnet as gn
    >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
    >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, standardize=True, random_state=0)
    >>> gn.export(run, "line.onnx")
    >>> line = gn.from_onnx("line.onnx")
    >>> more = gn.train(line.network, line.inputs(X), y, parameters=line.parameters, iterations=1)
    >>> bool(more.losses[0] < 1e-6), line.predict([[3.0]]).round(3).tolist()
    (True, [[7.0]])
    """

    model: Model
    distance: Distance
    values: Callable[[Any], Floats]
    flat: bool = False

    @property
    def network(self) -> Network:
        """The `Network`."""
        return self.model.members[0].network

    @property
    def parameters(self) -> Parameters:
        """Its `Parameters`, in the original's precision."""
        return self.model.members[0].theta

    @property
    def preprocessing(self) -> tuple[Column, ...]:
        """What stands before the network: for each input the feature it is made of, and the steps."""
        return self.model.members[0].columns

    def inputs(self, X: object) -> Array:
        """The network's inputs (n, inputs), of rows as the original takes them."""
        return self.model.inputs(self.model.members[0], self.values(X))

    def predict_proba(self, X: object) -> Array:
        """The probabilities (n, outputs); InputError where values are predicted."""
        if not self.model.is_classifier:
            raise InputError("The network predicts values, not probabilities: use predict.")
        return self.model.outputs(self.values(X))

    def predict(self, X: object) -> NDArray[Any]:
        """The labels (n,), of several answers (n, answers), or the values (n, outputs)."""
        outputs = self.model.outputs(self.values(X))
        if not self.model.is_classifier:
            return outputs[:, 0] if self.flat and outputs.shape[1] == 1 else outputs
        numbers = self.model.numbers(outputs).T
        columns = [
            np.array(answer.labels)[own] for answer, own in zip(self.model.answers, numbers, strict=True)
        ]
        return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)

    def __repr__(self) -> str:
        steps = sum(bool(column.steps) for column in self.preprocessing)
        before = f", {steps} inputs with preprocessing" if steps else ""
        return (
            f"Imported({self.network}, {self.parameters.dtype.name}{before}; "
            f"{self.distance.error:.2g} from the original)"
        )


def imported(
    model: Model,
    original: Callable[[Any], Any],
    *,
    flat: bool = False,
    rows: Callable[[Floats], Any] | None = None,
    values: Callable[[Any], Floats] | None = None,
) -> Imported:
    """The network, after a comparison of its outputs with the original's on drawn rows.

    `rows` makes what the original takes of the features' numbers, `values` these numbers of it; None for
    both where they are the same.

    Raises InputError where they differ by more than rounding.
    """
    drawn = _drawn(model)
    values = values or (lambda X: as_matrix(X, width=len(model.features)).astype(np.float64))
    X = drawn if rows is None else rows(drawn)
    expected = np.asarray(original(X))
    found = model.outputs(values(X))
    near = _NEAR[model.dtype.name]
    apart = distance(expected.reshape(ROWS, -1), found, model.numbers(found), None, near)
    if apart.error > near:
        raise InputError(
            f"The imported network does not predict the same: on row {drawn[apart.row].tolist()} it gives "
            f"{found[apart.row].tolist()}, the original {expected[apart.row].tolist()}. The original "
            f"computes something that glassnet does not see."
        )
    return Imported(model, apart, values, flat)


def _drawn(model: Model) -> Floats:
    """Rows (ROWS, features) whose inputs lie around 0, and whose categories are known ones."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(ROWS, len(model.features)))
    for column in model.members[0].columns:
        scaling = {step.name: step.numbers[0] for step in column.steps if step.name in _SCALING}
        rows[:, column.feature] *= scaling.get("divide", 1.0) / (scaling.get("multiply") or 1.0)
        rows[:, column.feature] += scaling.get("subtract", 0.0) - scaling.get("add", 0.0)
    for place, feature in enumerate(model.features):
        if feature.categories is not None:
            rows[:, place] = random.integers(max(1, len(feature.categories)), size=ROWS)
    with np.errstate(over="ignore"):  # networks of either precision take these as they are
        return rows.astype(np.float32).astype(np.float64)


_SCALING = ("add", "subtract", "multiply", "divide")
