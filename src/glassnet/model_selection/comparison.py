"""What compares the networks of a sweep: their metrics, means over seeds and folds, and the choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.model_selection.metrics import Measure
from glassnet.model_selection.outcomes import SweepCell
from glassnet.model_selection.settings import Candidate
from glassnet.nn.network import Parameters


class Origin(NamedTuple):
    """What a sweep began with: its candidates, where they start, the targets, and the index of a frame."""

    candidates: tuple[Candidate, ...]
    parameters: Parameters | NDArray[Any] | None
    stream: RandomState
    y: NDArray[Any] | None
    index: Any
    classes: tuple[str, ...] | None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The networks of a sweep and the numbers that compare them; `SweepResult` documents the fields."""

    grid: Mapping[str, tuple[Any, ...]]
    cells: tuple[SweepCell, ...]
    iterations: int
    baseline: float
    converged_below: float
    n_samples: int
    threads: int
    seconds: float
    floor: float = 0.0
    measure: Measure | None = None
    held_out: bool = True
    evaluate_every: int | None = None
    origin: Origin | None = None

    @property
    def metric(self) -> str | None:
        """The table's column with the metric, such as "held_out_accuracy"; None where there is none."""
        if self.measure is None:
            return None
        return f"{'held_out' if self.held_out else 'training'}_{self.measure.name}"

    @property
    def compared_by(self) -> str:
        """The column by which networks are compared: the metric's or, without one, "final_loss".

        Losses of unlike scales, because the settings vary the loss, the reduction or the class weights, are
        compared by "share", the final loss over the loss of the best constant answer.
        """
        if self.metric is not None:
            return self.metric
        scales = {
            (cell.baseline, cell.floor, cell.trained.network.loss, cell.trained.reduction)
            for cell in self.cells
        }
        return "final_loss" if len(scales) == 1 else "share"

    @property
    def sign(self) -> float:
        """1 where the smallest value of `compared` is the best, and -1 where the largest is."""
        return 1.0 if self.measure is None else self.measure.sign

    @property
    def compared(self) -> list[float]:
        """The number that each network is compared by; NaN without a metric where others have one."""
        if self.measure is not None:
            return [float("nan") if cell.metric is None else cell.metric for cell in self.cells]
        by_share = self.compared_by == "share"
        return [cell.share if by_share else cell.final_loss for cell in self.cells]

    @property
    def best(self) -> SweepCell | None:
        """The best network of the best setting; None where there is none.

        The setting is the first in `summary`, whose mean over seeds and folds hangs less on luck than a
        single network does; the network is its best by `compared`. Networks that diverged, and those whose
        metric or loss is not a number, are passed over.
        """
        costs: dict[int, list[tuple[float, int]]] = {}
        for number, (cell, value) in enumerate(zip(self.cells, self.compared, strict=True)):
            if cell.status != "diverged" and np.isfinite(value):
                costs.setdefault(cell.setting, []).append((self.sign * value, number))
        settings = (row["setting"] for row in self.summary)
        chosen = next((setting for setting in settings if setting in costs), None)
        return None if chosen is None else self.cells[min(costs[chosen])[1]]

    @property
    def summary(self) -> list[dict[str, Any]]:
        """A row for each setting over its seeds and folds, the best first.

        ``mean`` and ``spread`` (the sample standard deviation; NaN of one network) are of `compared`;
        ``networks``, ``diverged`` and ``dropped`` count. A setting with a network that diverged comes after
        all others, and before those a setting that halving left behind.
        """
        compared, rows = self.compared, []
        for number, places in self._by_setting().items():
            cells, values = [self.cells[i] for i in places], np.array([compared[i] for i in places])
            mean, spread = _mean_and_spread(values)
            rows.append(
                {
                    **self._settings_of(cells[0]),
                    "mean": float(mean),
                    "spread": float(spread),
                    "networks": len(cells),
                    "diverged": sum(cell.status == "diverged" for cell in cells),
                    "dropped": sum(cell.status == "dropped" for cell in cells),
                    "setting": number,
                }
            )

        def place(row: dict[str, Any]) -> tuple[Any, ...]:
            cost = self.sign * row["mean"]
            return row["diverged"] > 0, row["dropped"] > 0, not np.isfinite(cost), cost

        return sorted(rows, key=place)

    @property
    def curves(self) -> list[dict[str, Any]]:
        """A row for each setting of a sweep with `evaluate_every`: the metric over the iterations.

        Beside the settings, ``iterations`` are those after which the metric was evaluated, ``mean`` and
        ``spread`` are over seeds and folds. A network that ended by itself keeps the value that it ended
        with; where one diverged or was dropped, the mean is NaN from there on.

        Raises InputError for a sweep without evaluations.
        """
        every = self.evaluate_every
        if every is None or self.origin is None:
            raise InputError("This sweep has evaluated the metric at the end alone: give evaluate_every=1.")
        rows = []
        for number, places in self._by_setting().items():
            cells = [self.cells[i] for i in places]
            count = self.origin.candidates[number].fit.iterations // every
            values = np.full((len(cells), count), np.nan)
            for row, cell in zip(values, cells, strict=True):
                row[: len(cell.evaluations)] = cell.evaluations
                if cell.trained.status == "stopped" and cell.metric is not None:
                    row[len(cell.evaluations) :] = cell.metric
            mean, spread = _mean_and_spread(values)
            iterations = every * np.arange(1, count + 1)
            settings = self._settings_of(cells[0])
            rows.append(
                {**settings, "iterations": iterations, "mean": mean, "spread": spread, "setting": number}
            )
        return rows

    @property
    def chosen(self) -> dict[str, Any] | None:
        """The best setting, and after how many iterations it is best: of ``curves``, else of ``summary``.

        It has the settings and ``iterations``, ``mean``, ``spread`` and ``setting``; of equal means the
        first. None where no mean is a number. The mean of what was chosen is better than it will be on new
        rows: rows that had no part in the choice tell how good it is.
        """
        if self.evaluate_every is None:
            first = self.summary[0]
            if self.origin is None or not np.isfinite(first["mean"]):
                return None
            row = {name: first[name] for name in (*self.grid, "mean", "spread", "setting")}
            return {**row, "iterations": self.origin.candidates[row["setting"]].fit.iterations}
        best, chosen = np.inf, None
        for curve in self.curves:
            costs = self.sign * np.where(np.isfinite(curve["mean"]), curve["mean"], self.sign * np.inf)
            if len(costs) and costs.min() < best:
                at = int(costs.argmin())
                best, chosen = costs[at], {name: curve[name] for name in (*self.grid, "setting")}
                chosen |= {name: curve[name][at].item() for name in ("iterations", "mean", "spread")}
        return chosen

    def _by_setting(self) -> dict[int, list[int]]:
        """The places of each setting's cells."""
        places: dict[int, list[int]] = {}
        for place, cell in enumerate(self.cells):
            places.setdefault(cell.setting, []).append(place)
        return places

    def _settings_of(self, cell: SweepCell) -> dict[str, Any]:
        return {name: cell.settings.get(name) for name in self.grid}


def _mean_and_spread(values: NDArray[np.float64]) -> tuple[Any, Any]:
    """The mean over the networks, the first axis, and their sample standard deviation; NaN of one."""
    with np.errstate(invalid="ignore"):  # of a metric that is infinite
        spread = values.std(axis=0, ddof=1) if len(values) > 1 else np.full_like(values[0], np.nan)
        return values.mean(axis=0), spread
