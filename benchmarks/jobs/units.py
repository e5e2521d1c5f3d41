"""Where solvers arrive whatever the unit: a period of a sine, in 20 units of y and of X, and shifted."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.jobs.options import Options
from benchmarks.record import FORMAT
from glassnet._types import Array
from glassnet.nn.network import Network
from glassnet.sklearn.regressor import MLPRegressor
from glassnet.training.steppers import SOLVERS
from glassnet.training.train import train

POWERS = [-12, -10, -9, -8, -7, -6, -5, -4, -3, -2, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]
"""Of ten: the units."""

SHIFTS = [10.0, 2000.0, 1e6]

STARTS, STEPS = 5, 200

Way = Callable[[Array, Array, int], float]
"""From X, y (n,) and a seed to R^2."""


def ways() -> dict[str, Way]:
    """Every solver by `train`, and the estimator's own."""
    network = Network((1, 5, 1), hidden="tanh", output="identity")

    def by(name: str) -> Way:
        def fit(X: Array, y: Array, seed: int) -> float:
            return train(
                network, X, y, optimizer=SOLVERS[name](), iterations=STEPS, random_state=seed
            ).score(X, y)

        return fit

    def estimator(X: Array, y: Array, seed: int) -> float:
        settings: dict[str, Any] = {"alpha": 0.0, "max_iter": STEPS, "random_state": seed}
        model = MLPRegressor(hidden_layer_sizes=(5,), activation="tanh", solver="lm", **settings)
        return float(model.fit(X, y).score(X, y))

    return {**{name: by(name) for name in SOLVERS}, "MLPRegressor(lm)": estimator}


def measure_units(options: Options) -> dict[str, Any]:
    """The smallest R^2 of some starts, by each way, for data in each unit; the first row is unit 1."""
    X = np.linspace(-1, 1, 60)[:, None]
    y = np.sin(np.pi * X).ravel()
    powers, starts = (POWERS[::6], 1) if options.quick else (POWERS, STARTS)
    data = {"as it is": (X, y)}
    data |= {f"y times 1e{power}": (X, y * 10.0**power) for power in powers}
    data |= {f"X times 1e{power}": (X * 10.0**power, y) for power in powers}
    data |= {f"y plus {shift:g}": (X, y + shift) for shift in SHIFTS}
    data |= {f"X plus {shift:g}": (X + shift, y) for shift in SHIFTS[:2]}
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a limit of steps was reached
        for unit, (inputs, targets) in data.items():
            found = {
                name: min(way(inputs, targets, seed) for seed in range(starts))
                for name, way in ways().items()
            }
            rows.append({"unit": unit, "scores": found})
    return {"format": FORMAT, "starts": starts, "steps": STEPS, "rows": rows}


def units_table(record: dict[str, Any]) -> str:
    """The record for a terminal."""
    names = list(record["rows"][0]["scores"])
    lines = [
        f"units: the smallest R^2 of {record['starts']} starts, after {record['steps']} steps at most",
        " " * 16 + "".join(f"{name:>25}" for name in names),
    ]
    for row in record["rows"]:
        lines.append(f"  {row['unit']:<14}" + "".join(f"{row['scores'][name]:>25.4f}" for name in names))
    return "\n".join(lines)
