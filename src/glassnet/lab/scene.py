"""What a network answers over the plane of a page: maps of its outputs and units, and the samples."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.lab.frame import as_bytes
from glassnet.lab.study import Data
from glassnet.nn.network import Network
from glassnet.plots.picture_data import chosen_samples, predict
from glassnet.plots.projection import Axes, make_projection, spans
from glassnet.plots.style import certainty
from glassnet.training.run import TrainingRun

FINE, ROUGH, SMALL = 96, 64, 32
"""Points along an axis of the decision map, of that of a network in motion, and of a unit's map."""
LINE = 240
"""Points along the axis of data with one input."""
MOST_POINTS, MOST_SOLID, MOST_MAPS = 1_500, 600, 24
"""Samples that a page draws, and in three dimensions, and units of a layer that have a map of their own."""

_RANGES = {"logistic": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "softsign": (-1.0, 1.0)}


class Scene:
    """The plane, or the line, on which a page draws the data and what a network makes of them.

    `axes` is two inputs by name, or None: all of up to two inputs, else the principal axes.
    """

    def __init__(self, data: Data, axes: Axes = None) -> None:
        self.data, self.axes = data, axes
        self._X, self._y = data.rows
        self.projection = make_projection(data.X, data.n_inputs, 2, axes, data.features)
        self.dimensions = self.projection.dimensions
        points = self.projection.project(self._X)
        self.span = spans(points, self.dimensions)
        if self.dimensions == 2:
            self.span = _evened(self.span)
        self.rows = chosen_samples(len(points), MOST_POINTS)
        self.points = points[self.rows]
        self._grids = {size: self.projection.lift(self._grid(size)) for size in (ROUGH, FINE)}

    def _grid(self, size: int) -> Array:
        if self.dimensions == 1:
            return _ticks(self.span[0], LINE)[:, None]
        across, up = (_ticks(side, size) for side in self.span)
        return np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)

    def samples(self, run: TrainingRun) -> dict[str, Any]:
        """The samples that a page draws: place, target, row, and whether they are held out."""
        data, rows = self.data, self.rows
        values = self._y if self._y.ndim == 1 else self._y[:, 0]
        return {
            "points": np.round(self.points, 9).tolist(),
            "targets": values[rows].tolist(),
            "rows": rows.tolist(),
            "held_out": self._held_out(run).astype(int).tolist(),
            "n": len(self._X),
            "span": self.span.tolist(),
            "labels": list(self.projection.labels),
            "whole": self.projection.whole,
            "note": self.projection.note,
            "inputs": list(data.features),
            "directions": np.round(self.projection.directions, 6).tolist(),
        }

    def _held_out(self, run: TrainingRun) -> NDArray[np.bool_]:
        """Which of the samples drawn nothing is learned from."""
        held_out = self.rows >= len(self.data.X)
        if run.validation is not None and run.validation.validation_rows is not None:
            held_out |= np.isin(self.rows, run.validation.validation_rows)
        return held_out

    def judged(self, run: TrainingRun, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """How many of the samples drawn are right, of those held out, too; `arrays` get the wrong ones."""
        if not self.data.classes:
            return {}
        answers = _predict(run, self._X[self.rows])
        if answers.shape[1] > 1:
            numbers = np.nan_to_num(answers).argmax(axis=1)
        else:
            numbers = (np.nan_to_num(answers[:, 0]) > 0.5).astype(np.intp)
        wrong = numbers != self._y[self.rows]
        arrays["wrong"] = wrong.astype(np.uint8)
        held_out = self._held_out(run)
        counts = np.zeros((len(self.data.classes),) * 2, np.int32)
        np.add.at(counts, (self._y[self.rows].astype(np.intp), numbers), 1)
        arrays["confusion"] = counts
        parts = {"accuracy": wrong[~held_out], "held_out_accuracy": wrong[held_out]}
        return {name: float(1 - part.mean()) for name, part in parts.items() if len(part)}

    def hidden(self, run: TrainingRun, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """Where the last hidden layer has the samples drawn, in three dimensions at most."""
        if not run.network.hidden:
            return {}
        rows = self._X[self.rows[:MOST_SOLID]]
        H = _predict(run, rows, lambda Hs, Y_hat: Hs[-1])
        H = np.nan_to_num(H.astype(np.float64))
        labels = [f"unit {i}" for i in range(H.shape[1])]
        if H.shape[1] > 3:
            projection = make_projection(H, H.shape[1], 3, None, labels)
            H, labels = projection.project(H), ["first axis", "second axis", "third axis"]
            ranges = np.tile([-1.0, 1.0], (3, 1)) * max(float(np.abs(H).max()), 1e-9)
        else:
            low, high = _RANGES.get(run.network.hidden[-1].name, (None, None))
            ranges = np.array([[low, high]] * H.shape[1], np.float64)
            if low is None:
                ranges = np.stack([H.min(axis=0), H.max(axis=0) + 1e-9], axis=1)
        arrays["hidden"] = H.astype(np.float32)
        arrays["hidden_ranges"] = ranges
        return {"hidden_labels": labels}

    def lifted(self, place: list[float]) -> Array:
        """A place of the picture as a row of inputs, (1, inputs)."""
        if len(place) != self.dimensions:
            raise InputError(f"place has {len(place)} number(s); this picture has {self.dimensions}.")
        return self.projection.lift(np.array([place], np.float64))

    def maps(self, run: TrainingRun, size: int = FINE) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What the run answers over the plane, as bytes, and how to read them."""
        network, (units, Y_hat) = run.network, _answers(run, self._grids[size])
        kind: dict[str, Any] = {"units": [min(width, MOST_MAPS) for width in network.sizes[1:]]}
        if self.dimensions == 1:
            curves = np.concatenate([_ticks(self.span[0], LINE)[:, None], Y_hat], axis=1).T
            maps, ranges = _unit_bytes(network, units.T[:, None, ::4])
            return {"kind": "line", **kind}, {"line": curves, "units": maps, "unit_ranges": ranges}
        if network.loss.target in ("class", "label") and (network.sizes[-1] == 1 or _is_softmax(network)):
            # A row for each class: numpy is slow at the greatest of each of many short rows.
            rows = Y_hat.T if Y_hat.shape[1] > 1 else [1 - Y_hat[:, 0], Y_hat[:, 0]]
            P = np.nan_to_num(np.ascontiguousarray(rows))
            first = P.max(axis=0)
            second = np.partition(P, -2, axis=0)[-2] if len(P) > 2 else 1 - first
            arrays: dict[str, NDArray[Any]] = {
                "leader": P.argmax(axis=0).astype(np.uint8).reshape(size, size),
                "sure": as_bytes(certainty(first, len(P)), 0, 1).reshape(size, size),
                "lead": as_bytes(first - second, 0, 1).reshape(size, size),
            }
            kind["kind"] = "classes"
        else:
            targets = self.data.y if self.data.y.ndim == 1 else self.data.y[:, 0]
            low, high = float(targets.min()), float(targets.max())
            arrays = {"field": as_bytes(Y_hat[:, 0], low, high).reshape(size, size)}
            kind |= {"kind": "values", "low": low, "high": high}
        step = size // SMALL
        small = units.reshape(size, size, -1)[step // 2 :: step, step // 2 :: step].transpose(2, 0, 1)
        arrays["units"], arrays["unit_ranges"] = _unit_bytes(network, small)
        return kind, arrays


def _ticks(side: Array, count: int) -> Array:
    return np.linspace(float(side[0]), float(side[1]), count)


def _is_softmax(network: Network) -> bool:
    return network.output.name == "softmax"


_ONE_THREAD = 200_000  # multiplications up to which a BLAS takes no second thread


def _predict(
    run: TrainingRun, X: Array, pick: Callable[[list[Array], Array], Array] | None = None
) -> Array:
    """`predict` in blocks so small that matrix products take one thread: training has the others."""
    most = max(n_in * n_out for n_in, n_out in pairwise(run.network.sizes))
    rows = max(16, _ONE_THREAD // most)
    return predict(run.network, run.theta, X, pick, run.encoding.scaling, rows)


def _answers(run: TrainingRun, X: Array) -> tuple[Array, Array]:
    """The outputs of the units that have a map, and Y_hat, which is in the user's units, over a grid."""
    outputs = run.network.sizes[-1]
    both = _predict(
        run, X, lambda Hs, Y_hat: np.concatenate([*(H[:, :MOST_MAPS] for H in Hs[1:]), Y_hat], axis=1)
    )
    return both[:, : both.shape[1] - outputs + min(outputs, MOST_MAPS)], both[:, -outputs:]


def _unit_bytes(network: Network, units: Array) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The maps (units, rows, columns) as bytes, and what 0 and 255 stand for, (units, 2)."""
    names = [record.name for record in network.hidden]
    functions = [
        name
        for name, width in zip([*names, network.output.name], network.sizes[1:], strict=True)
        for _ in range(min(width, MOST_MAPS))
    ]
    known = np.empty(units.shape, np.uint8)
    ranges = np.empty((len(units), 2))
    for i, unit in enumerate(units):
        if functions[i] in _RANGES:
            low, high = _RANGES[functions[i]]
        else:
            most = float(np.nanmax(np.abs(unit), initial=0.0))
            low, high = (-most, most) if np.isfinite(most) and most > 0 else (-1.0, 1.0)
        ranges[i] = low, high
        known[i] = as_bytes(unit, low, high)
    return known, ranges


def _evened(span: Array) -> Array:
    """The span with equal units on both axes where its sides are alike: a square page wastes nothing."""
    sides = np.ptp(span, axis=1)
    if not 0.5 <= sides[0] / sides[1] <= 2:
        return span
    half, middle = sides.max() / 2, span.mean(axis=1)
    return np.stack([middle - half, middle + half], axis=1)
