"""What every writer writes: features, the networks' inputs from them, the networks, and the answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.export.slopes import slope_of
from glassnet.export.steps import Step
from glassnet.nn import reference
from glassnet.nn.loss_values import softmax
from glassnet.nn.network import Network, Parameters


class Feature(NamedTuple):
    """One number that the exported function takes, NaN where it is missing.

    name : as the user's columns have it.
    categories : for a category, the texts whose places 0, 1, ... the number is; any number from
        ``len(categories)`` on stands for another one. None for a number.
    date : whether the number is a date, in microseconds since 1970-01-01.
    """

    name: str
    categories: tuple[str, ...] | None = None
    date: bool = False


class Column(NamedTuple):
    """One input of the networks: the steps that make it of a feature's number, in float64."""

    name: str
    feature: int
    steps: tuple[Step, ...]


class Answer(NamedTuple):
    """One thing predicted, from the outputs `start` to `stop`.

    With `labels` it is a class: the label of the largest output, the first of equal ones; of one output,
    which is the probability of the second label, the second label above 0.5. Without, it is the output.
    """

    name: str
    start: int
    stop: int
    labels: tuple[Any, ...] | None = None


class Member(NamedTuple):
    """One network: its inputs, its parameters, and the unit of its outputs.

    columns : its inputs.
    network, theta : the network and its parameters.
    mean, scale : outputs become ``outputs * scale + mean``, in float64; (outputs,), or None.
    """

    columns: tuple[Column, ...]
    network: Network
    theta: Parameters
    mean: tuple[float, ...] | None = None
    scale: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network as a function of plain numbers, with all that stands before and behind it.

    features : what goes in.
    members : the networks, with equally many outputs, and one link and precision. A model of several has
        the mean of their outputs.
    answers : what is predicted.
    softmaxes : the widths of the softmaxes that stand side by side over the outputs, where there are
        several; the networks' own link is the identity then.
    pair : whether a network's one output p becomes the two outputs 1 - p and p.
    wide : whether the outputs of a float32 network that are moved to another unit are float64.
    """

    features: tuple[Feature, ...]
    members: tuple[Member, ...]
    answers: tuple[Answer, ...]
    softmaxes: tuple[int, ...] = ()
    pair: bool = False
    wide: bool = False

    @property
    def link(self) -> str:
        """The name of the networks' output link; "softmaxes" for several side by side."""
        return "softmaxes" if self.softmaxes else self.members[0].network.output.name

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the networks."""
        return self.members[0].theta.flat.dtype

    @property
    def has_steps(self) -> bool:
        """Whether steps stand before a network; they compute in float64."""
        return any(column.steps for member in self.members for column in member.columns)

    def in_precision(self, name: str) -> Model:
        """The model with networks in float64 or float32; in whole numbers, as it is."""
        if name not in ("float64", "float32"):
            return self
        dtype = np.dtype(name)
        members = (member._replace(theta=member.theta.astype(dtype)) for member in self.members)
        return replace(self, members=tuple(members))

    @property
    def n_outputs(self) -> int:
        """Numbers that come out: probabilities, or values."""
        return self.members[0].network.sizes[-1] + self.pair

    @property
    def is_of_the_engine(self) -> bool:
        """Whether the native engine computes the outputs; NumPy does several softmaxes, and all that there
        is where the engine is not installed."""
        return not self.softmaxes and all(member.network._predictor for member in self.members)

    @property
    def is_classifier(self) -> bool:
        """Whether classes or labels are predicted, and the outputs are their probabilities."""
        return self.answers[0].labels is not None

    @property
    def output_names(self) -> tuple[str, ...]:
        """A name for each output: of a class its label."""
        names: list[str] = []
        for answer in self.answers:
            width = answer.stop - answer.start
            if answer.labels is None or width == 1:
                names.append(answer.name)
            else:
                names += [f"{answer.name} = {label}" for label in answer.labels]
        return tuple(names)

    def outputs(self, values: Floats) -> Array:
        """The outputs (n, n_outputs), from the features' numbers (n, features).

        Rows whose inputs are all finite have the bits of the engine; others go through the NumPy one.
        """
        with np.errstate(all="ignore"):
            return mean_of(self._of_member(member, values) for member in self.members)

    def _of_member(self, member: Member, values: Floats) -> Array:
        X = self.inputs(member, values)
        finite = np.isfinite(X).all(axis=1)
        Y_hat = np.empty((len(X), self.n_outputs), self.dtype)
        for rows, predictor in ((finite, member.network._predictor), (~finite, None)):
            Y_hat[rows] = self._linked(member, X[rows], predictor)
        if member.mean is None or member.scale is None:
            return Y_hat
        moved = Y_hat * np.array(member.scale) + np.array(member.mean)
        return moved if self.wide else moved.astype(self.dtype)

    def inputs(self, member: Member, values: Floats) -> Array:
        """A network's inputs (n, inputs), from the features' numbers (n, features), in `dtype`."""
        X = np.empty((len(values), len(member.columns)), self.dtype)
        for place, column in enumerate(member.columns):
            made = values[:, column.feature]
            for step in column.steps:
                made = step(made)
            X[:, place] = made
        return X

    def _linked(self, member: Member, X: Array, predictor: Any) -> Array:
        network, theta = member.network, member.theta
        if predictor is not None:
            Y_hat: Array = predictor(theta.flat, X, 1)
        else:
            Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden)
            Y_hat = reference.output_activations(Zs[-1], network.output)
        if self.softmaxes:
            parts = np.split(Y_hat, np.cumsum(self.softmaxes)[:-1], axis=1)
            return np.hstack([softmax(part) for part in parts])
        return np.hstack([1 - Y_hat, Y_hat]) if self.pair else Y_hat

    def finite(self, values: Floats) -> NDArray[np.bool_]:
        """Which rows give every network finite inputs: the engine computes these alone."""
        with np.errstate(all="ignore"):
            whole = [np.isfinite(self.inputs(member, values)).all(axis=1) for member in self.members]
        finite: NDArray[np.bool_] = np.all(whole, axis=0)
        return finite

    def overflows(self, values: Floats) -> NDArray[np.bool_]:
        """Which rows of finite inputs have sums whose terms can be too large for a number: their order then
        decides, and a fused multiply-add."""
        found = np.zeros(len(values), bool)
        with np.errstate(all="ignore"):
            for member in self.members:
                X, theta = self.inputs(member, values), member.theta
                _, Hs = reference.forward_propagation(X, theta.weights, theta.biases, member.network.hidden)
                for H, W, b in zip(Hs, theta.weights, theta.biases, strict=True):
                    found |= ~np.isfinite(np.abs(H) @ np.abs(W) + np.abs(b)).all(axis=1)
        return found & self.finite(values)

    def gradients(self, values: Floats) -> Floats:
        """The derivative of each output by each feature's number, (n, n_outputs, features), in float64."""
        with np.errstate(all="ignore"):
            total = sum(self._gradients_of(member, values) for member in self.members)
        return np.asarray(total) / len(self.members)

    def _gradients_of(self, member: Member, values: Floats) -> Floats:
        total = np.zeros((len(values), self.n_outputs, len(self.features)))
        theta = member.theta.astype(np.float64)
        X = self.inputs(member, values).astype(np.float64)
        Y_hat = self._linked(member._replace(theta=theta), X, None)
        layers = theta.weights, theta.biases, member.network.hidden
        G = reference.input_gradients(X, *layers, self._link_jacobian(Y_hat))
        if member.scale is not None:
            G = G * np.array(member.scale)[:, None]
        for place, column in enumerate(member.columns):
            slope = np.asarray(slope_of(column.steps, values[:, column.feature], np))
            total[:, :, column.feature] += G[:, :, place] * slope[..., None]
        return total

    def _link_jacobian(self, Y_hat: Array) -> Array:
        """The derivative of the linked outputs by the output layer's Z, (n, n_outputs, outputs)."""
        if self.pair:
            jacobian = reference.link_jacobian(self.link, Y_hat[:, 1:])
            return np.concatenate([-jacobian, jacobian], axis=1)
        if not self.softmaxes:
            return reference.link_jacobian(self.link, Y_hat)
        whole = reference.link_jacobian("softmax", Y_hat)
        answer = np.repeat(np.arange(len(self.softmaxes)), self.softmaxes)
        return np.where(answer[:, None] == answer, whole, 0.0)

    def numbers(self, outputs: Array) -> NDArray[np.intp]:
        """The number of each answer's label, (n, answers), from the outputs; -1 for an answer without."""
        numbers = np.full((len(outputs), len(self.answers)), -1, np.intp)
        for place, answer in enumerate(self.answers):
            if answer.labels is None:
                continue
            own = outputs[:, answer.start : answer.stop]
            numbers[:, place] = own[:, 0] > 0.5 if own.shape[1] == 1 else own.argmax(axis=1)
        return numbers


def mean_of(outputs: Iterable[Array]) -> Array:
    """The mean of several networks' outputs, added up as `Ensemble` does; those of one as they are."""
    mean, number = None, 0
    for number, Y_hat in enumerate(outputs, 1):
        mean = Y_hat.astype(np.float64) if mean is None else mean + (Y_hat - mean) / number
    assert mean is not None
    return mean.astype(Y_hat.dtype)


def side_by_side(columns: Sequence[Column]) -> Iterator[tuple[list[int], list[tuple[str, list[Any]]]]]:
    """Neighbors with the same steps, to be computed at once: their features, and each step's name with its
    numbers, of which each is an array (columns,), or one number of a table to pick from."""
    for _, neighbors in groupby(columns, _kind):
        group = list(neighbors)
        steps: list[tuple[str, list[Any]]] = []
        for of_each in zip(*(column.steps for column in group), strict=True):
            name, table = of_each[0]
            numbers = zip(*(step.numbers for step in of_each), strict=True)
            steps.append((name, list(table) if name == "pick" else [np.array(each) for each in numbers]))
        yield [column.feature for column in group], steps


def _kind(column: Column) -> tuple[Any, ...]:
    """What columns have in common that are computed at once: their steps, and tables to pick from."""
    return tuple((step.name, step.numbers if step.name == "pick" else ()) for step in column.steps)


def hard_rows(model: Model) -> Floats:
    """Rows (n, features) that are hard to get right: NaN, infinities, huge, tiny and subnormal numbers, 0
    of either sign, and categories that are unknown or missing."""
    hard = [np.nan, np.inf, -np.inf, 1e308, -1e308, 1e154, 1e-154, 5e-324, -5e-324, 2.2e-308, -0.0, 0.0]
    usual = np.zeros(len(model.features))
    numbers = np.array([feature.categories is None for feature in model.features])
    rows = [usual, *(np.where(numbers | np.isnan(value), value, 0.0) for value in hard)]
    for place, feature in enumerate(model.features[:50]):
        values = hard
        if feature.categories is not None:
            values = [np.nan, -1.0, *map(float, range(len(feature.categories) + 2))]
        elif feature.date:
            values = [np.nan, 0.0, -1.0, 1e15, -1e15]
        for value in values:
            row = usual.copy()
            row[place] = value
            rows.append(row)
    return np.array(rows, np.float64)
