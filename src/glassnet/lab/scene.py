"""What a network answers over the plane of a page: maps of its outputs and units, and the samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.errors import InputError
from glassnet.lab.frame import as_bytes
from glassnet.lab.study import Data
from glassnet.nn.network import Network, Parameters
from glassnet.plots.picture_data import chosen_samples, predict
from glassnet.plots.projection import Axes, make_projection, spans
from glassnet.plots.style import certainty
from glassnet.training.run import TrainingRun

FINE, COARSE = 96, 3
"""Points along an axis of the decision map, and how many of them a unit's map takes as one."""
LINE = 240
"""Points along the axis of data with one input."""
MOST_POINTS, MOST_SOLID, MOST_MAPS = 1_500, 600, 64
"""Samples that a page draws, and in three dimensions, and units that have a map of their own."""

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
        if self.dimensions == 2:
            across, up = (_ticks(side, FINE) for side in self.span)
            grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
        else:
            grid = _ticks(self.span[0], LINE)[:, None]
        self._grid = self.projection.lift(grid)

    def samples(self, run: TrainingRun) -> dict[str, Any]:
        """The samples that a page draws: place, target, row, and whether they are held out."""
        data, rows = self.data, self.rows
        values = self._y if self._y.ndim == 1 else self._y[:, 0]
        held_out = rows >= len(data.X)
        if run.validation is not None and run.validation.validation_rows is not None:
            held_out |= np.isin(rows, run.validation.validation_rows)
        return {
            "points": np.round(self.points, 9).tolist(),
            "targets": values[rows].tolist(),
            "rows": rows.tolist(),
            "held_out": held_out.astype(int).tolist(),
            "n": len(self._X),
            "span": self.span.tolist(),
            "labels": list(self.projection.labels),
            "whole": self.projection.whole,
            "note": self.projection.note,
            "inputs": list(data.features),
        }

    def judged(self, run: TrainingRun, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
        """How many of the samples drawn are right, of those held out, too; `arrays` get the wrong ones."""
        if not self.data.classes:
            return {}
        answers = predict(run.network, run.theta, self._X[self.rows], scaling=run.encoding.scaling)
        if answers.shape[1] > 1:
            numbers = np.nan_to_num(answers).argmax(axis=1)
        else:
            numbers = (np.nan_to_num(answers[:, 0]) > 0.5).astype(np.intp)
        wrong = numbers != self._y[self.rows]
        arrays["wrong"] = wrong.astype(np.uint8)
        held_out = self.rows >= len(self.data.X)
        if run.validation is not None and run.validation.validation_rows is not None:
            held_out |= np.isin(self.rows, run.validation.validation_rows)
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
        H = predict(run.network, run.theta, rows, lambda Hs, Y_hat: Hs[-1], run.encoding.scaling)
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

    def maps(self, run: TrainingRun) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What the run answers over the plane, as bytes, and how to read them."""
        network, layers = run.network, _layers(run, self._grid)
        Y_hat = layers[-1]
        if self.dimensions == 1:
            curves = np.concatenate([_ticks(self.span[0], LINE)[:, None], Y_hat], axis=1).T
            return self._lines(network, layers, curves)
        shape = (FINE, FINE)
        if network.loss.target in ("class", "label") and (network.sizes[-1] == 1 or _is_softmax(network)):
            P = np.nan_to_num(Y_hat if Y_hat.shape[1] > 1 else np.concatenate([1 - Y_hat, Y_hat], axis=1))
            sure = certainty(P.max(axis=1), P.shape[1])
            arrays: dict[str, NDArray[Any]] = {
                "leader": P.argmax(axis=1).astype(np.uint8).reshape(shape),
                "sure": as_bytes(sure, 0, 1).reshape(shape),
            }
            kind: dict[str, Any] = {"kind": "classes"}
        else:
            targets = self.data.y if self.data.y.ndim == 1 else self.data.y[:, 0]
            low, high = float(targets.min()), float(targets.max())
            arrays = {"field": as_bytes(Y_hat[:, 0], low, high).reshape(shape)}
            kind = {"kind": "values", "low": low, "high": high}
        units = np.concatenate(layers, axis=1)[:, :MOST_MAPS].reshape(FINE, FINE, -1)
        units = units[COARSE // 2 :: COARSE, COARSE // 2 :: COARSE].transpose(2, 0, 1)
        arrays["units"], arrays["unit_ranges"] = _unit_bytes(network, units)
        return kind, arrays

    def _lines(
        self, network: Network, layers: list[Array], curves: Array
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        units = np.concatenate(layers, axis=1)[:, :MOST_MAPS].T[:, None, ::4]
        known, ranges = _unit_bytes(network, units)
        return {"kind": "line"}, {"line": curves, "units": known, "unit_ranges": ranges}


def _ticks(side: Array, count: int) -> Array:
    return np.linspace(float(side[0]), float(side[1]), count)


def _is_softmax(network: Network) -> bool:
    return network.output.name == "softmax"


def _layers(run: TrainingRun, X: Array) -> list[Array]:
    """The outputs of every layer over a grid, the last one in the user's units."""
    theta: Parameters = run.theta
    widths = np.cumsum([*run.network.sizes[1:]])[:-1]
    all_units = predict(
        run.network,
        theta,
        X,
        lambda Hs, Y_hat: np.concatenate([*Hs[1:], Y_hat], axis=1),
        run.encoding.scaling,
    )
    return np.split(all_units, widths, axis=1)


def _unit_bytes(network: Network, units: Array) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The maps (units, rows, columns) as bytes, and what 0 and 255 stand for, (units, 2)."""
    names = [record.name for record in network.hidden]
    functions = [
        name
        for name, width in zip([*names, network.output.name], network.sizes[1:], strict=True)
        for _ in range(width)
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
