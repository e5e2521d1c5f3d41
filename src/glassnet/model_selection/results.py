"""What a sweep gives: each network's run with a verdict, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from glassnet.errors import InputError
from glassnet.model_selection.metrics import Measure
from glassnet.model_selection.printing import printed
from glassnet.model_selection.words import as_plain, shown
from glassnet.optim import Optimizer
from glassnet.training.run import TrainingRun
from glassnet.training.steppers import Solver

if TYPE_CHECKING:
    import pandas
    import polars


@dataclass(frozen=True, eq=False, repr=False)
class SweepCell:
    """One network of a sweep.

    Attributes
    ----------
    settings : what was varied, by name.
    status : see `glassnet.model_selection.STATUSES`.
    trained : the `TrainingRun`, whose losses may be thinned; `run` has one for each iteration.
    kept : the places of the losses that are kept, or None where all are.
    metric : what the sweep's metric says of it; None where there is none.
    setting, seed, fold : the number of the setting, the seed and the number of the fold; None where a
        sweep has none.
    baseline, floor : the loss of the best constant answer, and of the perfect one.
    """

    settings: Mapping[str, Any]
    status: str
    trained: TrainingRun
    kept: NDArray[np.int64] | None = None
    metric: float | None = None
    setting: int = 0
    seed: int | None = None
    fold: int | None = None
    baseline: float = 1.0
    floor: float = 0.0

    @property
    def run(self) -> TrainingRun:
        """The `TrainingRun`, which predicts, is saved and resumes; a loss that was not kept is NaN."""
        if self.kept is None:
            return self.trained
        losses = np.full(self.kept[-1] + 1 if len(self.kept) else 0, np.nan)
        losses[self.kept] = self.trained.losses
        return replace(self.trained, losses=losses)

    @property
    def iterations(self) -> int:
        """How many it was trained for."""
        return self.trained.iterations if self.kept is None else int(self.kept[-1]) + 1 - self._lead

    @property
    def _lead(self) -> int:
        return int(self.trained.batch_size is None)

    @property
    def label(self) -> str:
        """The settings, as ``learning_rate 0.1, momentum 0.9``, and the seed and the fold."""
        parts = [f"{name} {shown(value)}" for name, value in self.settings.items()]
        parts += [f"{name} {value}" for name, value in self._place.items()]
        return ", ".join(parts)

    @property
    def _place(self) -> dict[str, int]:
        return {k: v for k, v in (("seed", self.seed), ("fold", self.fold)) if v is not None}

    @property
    def verdict(self) -> str:
        """The status in words, with the iteration where training ended early."""
        if self.status == "diverged":
            return f"diverged at {self.trained.diverged_at:,}"
        ended = self.status in ("interrupted", "dropped")
        return f"{self.status} at {self.iterations:,}" if ended else self.status

    @property
    def final_loss(self) -> float:
        """The loss after the last update; for a run that diverged, before it blew up.

        With a batch_size the last epoch's; NaN where there was none.
        """
        return float(self.trained.losses[-1]) if len(self.trained.losses) else float("nan")

    @property
    def lowest_loss(self) -> float:
        """The smallest loss on the way."""
        return float(self.trained.losses.min()) if len(self.trained.losses) else float("nan")

    @property
    def share(self) -> float:
        """The final loss over the baseline, both above the floor: for squared error, 1 - R^2."""
        return (self.final_loss - self.floor) / (self.baseline - self.floor)

    def curve(self, most: int | None = 2000) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Iterations and losses, at most about `most` of them; None gives all that are kept.

        A long history is cut into stretches, short ones at the start and equal ones later, of which
        the first, smallest, largest and last loss are kept: the curve looks the same on linear and
        on logarithmic axes.
        """
        losses = self.trained.losses
        keep = np.arange(len(losses)) if most is None else thinned(losses, most)
        at = keep if self.kept is None else self.kept[keep]
        return at + 1 - self._lead, losses[keep]

    def __repr__(self) -> str:
        return f"SweepCell({self.label}: {self.verdict}, loss {self.final_loss:.6g})"


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult:
    """What a sweep gives: a `SweepCell` for every network, and what they share.

    Attributes
    ----------
    grid : the values of each setting, in the order in which they came.
    cells : in the order of the settings, the last one of a grid varying fastest, then by seed and fold.
    iterations : what each network was to be trained for, at most.
    baseline : the loss of the best constant answer, of the first network; see `SweepCell.baseline`.
    converged_below : the share of the baseline at or below which a settled loss has converged.
    floor : the loss of the perfect answer, where shares begin: 0, but for poisson.
    n_samples, threads, seconds : the samples, the threads in all, and the wall time of all updates.
    measure : the metric's name and mode; None where there is none.
    held_out : whether the metric is of samples that the networks were not trained on.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> result.best.settings, len(result.runs)
    ({'learning_rate': 1.0}, 2)
    """

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

    @property
    def runs(self) -> tuple[TrainingRun, ...]:
        """Each cell's `TrainingRun`, with every loss; ``save`` and ``resume`` work on them."""
        return tuple(cell.run for cell in self.cells)

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
        compared by "share": what is left of the best constant answer's loss.
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
        """1 where the least of what is compared is the best, and -1 where the largest is."""
        return 1.0 if self.measure is None else self.measure.sign

    @property
    def compared(self) -> list[float]:
        """What each network is compared by; NaN for one without a metric while others have one."""
        if self.measure is not None:
            return [float("nan") if cell.metric is None else cell.metric for cell in self.cells]
        by_share = self.compared_by == "share"
        return [cell.share if by_share else cell.final_loss for cell in self.cells]

    @property
    def best(self) -> SweepCell | None:
        """The best network of the best setting; None where there is none.

        The setting is the first in `summary`, whose mean over seeds and folds hangs less on luck than a
        single network does; the network is its best by what `compared_by` names. Networks that diverged,
        and those whose metric or loss is not a number, are passed over.
        """
        costs: dict[int, list[tuple[float, int]]] = {}
        for number, (cell, value) in enumerate(zip(self.cells, self.compared, strict=True)):
            if cell.status != "diverged" and np.isfinite(value):
                costs.setdefault(cell.setting, []).append((self.sign * value, number))
        settings = (row["setting"] for row in self.summary)
        chosen = next((setting for setting in settings if setting in costs), None)
        return None if chosen is None else self.cells[min(costs[chosen])[1]]

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each network: settings, seed, fold, status, iterations, losses, metric, seconds.

        ``share`` is the final loss over the baseline, both above the floor: for squared error, 1 - R^2.
        An optimizer is there by its name: its settings may stand in columns of their own. All but
        ``seconds`` is the same, bit for bit, each time that the sweep is made.
        """
        rows = []
        for cell in self.cells:
            row = {name: _entry(cell.settings.get(name)) for name in self.grid} | cell._place
            row |= {
                "status": cell.status,
                "diverged_at": cell.trained.diverged_at,
                "iterations": cell.iterations,
                "final_loss": cell.final_loss,
                "lowest_loss": cell.lowest_loss,
                "share": cell.share,
            }
            if self.metric is not None:
                row[self.metric] = cell.metric
            rows.append({**row, "seconds": cell.trained.seconds})
        return rows

    @property
    def summary(self) -> list[dict[str, Any]]:
        """A row for each setting over its seeds and folds, the best first.

        ``mean`` and ``spread`` (the sample standard deviation; NaN of one network) are of what
        `compared_by` names; ``networks``, ``diverged`` and ``dropped`` count. A setting with a network
        that diverged comes after all others, and before those one that halving left behind.
        """
        settings: dict[int, list[tuple[SweepCell, float]]] = {}
        for cell, value in zip(self.cells, self.compared, strict=True):
            settings.setdefault(cell.setting, []).append((cell, value))
        rows = []
        for number, found in settings.items():
            cells, values = [cell for cell, _ in found], np.array([value for _, value in found])
            with np.errstate(invalid="ignore"):  # of a metric that is infinite
                spread = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
            rows.append(
                {
                    **{name: cells[0].settings.get(name) for name in self.grid},
                    "mean": float(values.mean()),
                    "spread": spread,
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

    def to_pandas(self) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; an InputError where pandas is not installed.

        Whole numbers stay whole where some are missing, as ``batch_size`` of a full batch is.
        """
        try:
            import pandas
        except ImportError as error:
            raise _missing("pandas") from error
        rows, kinds = self.table, {"diverged_at": "Int64"}
        for name in self.grid:
            values = [row[name] for row in rows]
            known = {type(value) for value in values if value is not None}
            if None in values and known in ({int}, {bool}):
                kinds[name] = "Int64" if known == {int} else "boolean"
        return pandas.DataFrame(rows).astype(kinds)

    def to_polars(self) -> polars.DataFrame:
        """`table` as a polars DataFrame; an InputError where polars is not installed.

        Values that are neither numbers nor text, such as schedules and networks, are in words.
        """
        try:
            import polars
        except ImportError as error:
            raise _missing("polars") from error
        rows = self.table
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        kinds: dict[str, Any] = {"diverged_at": polars.Int64}
        for name in self.grid:
            known = {type(value) for value in columns[name] if value is not None}
            if not (len(known) == 1 and known <= {bool, int, float, str}) and not known <= {int, float}:
                columns[name] = [None if value is None else shown(value) for value in columns[name]]
        return polars.DataFrame(columns, schema_overrides=kinds, strict=False)

    def to_frame(self) -> Any:
        """The table as a DataFrame of pandas or, where that is missing, of polars; else as it is."""
        for make in (self.to_pandas, self.to_polars):
            try:
                return make()
            except InputError:
                continue
        return self.table

    def to_dict(self, most: int | None = 2000) -> dict[str, Any]:
        """Everything but the parameters, as JSON can hold it; curves have about `most` points."""
        run, rows = self.cells[0].trained, self.table
        for row, cell in zip(rows, self.cells, strict=True):
            at, losses = cell.curve(most)
            row |= {name: as_plain(value) for name, value in cell.settings.items()}
            row["curve"] = {"iterations": at.tolist(), "losses": losses.tolist()}
        summary = [{k: as_plain(v) for k, v in row.items()} for row in self.summary]
        document = {
            "network": str(run.network),
            "optimizer": run.optimizer.name,
            "grid": {name: list(map(as_plain, values)) for name, values in self.grid.items()},
            "iterations": self.iterations,
            "reduction": run.reduction,
            "n_samples": self.n_samples,
            "first_loss": float(run.losses[0]) if len(run.losses) else None,
            "baseline": self.baseline,
            "floor": self.floor,
            "converged_below": self.converged_below,
            "metric": self.metric,
            "dtype": run.dtype.name,
            "engine": run.engine,
            "engine_reason": run.engine_reason,
            "threads": self.threads,
            "seconds": self.seconds,
            "summary": summary,
            "cells": rows,
        }
        return _without_nan(document)

    def __repr__(self) -> str:
        return printed(self)


def _entry(value: Any) -> Any:
    """A setting as an entry of a table."""
    return shown(value) if isinstance(value, (Optimizer, Solver)) else value


def _missing(name: str) -> InputError:
    return InputError(
        f"to_{name} needs {name}, which is not installed: pip install {name}. The attribute table "
        f"is the same as plain dictionaries."
    )


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: None in its place."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list) else value


def thinned(losses: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """The places of about `most` losses that make the same curve; see `SweepCell.curve`."""
    n = len(losses)
    if n <= most:
        return np.arange(n)
    stretches = max(most // 8, 2)
    edges = np.concatenate([np.geomspace(1, n, stretches), np.linspace(0, n, stretches)])
    edges = np.unique(edges.astype(np.intp))
    kept = [np.array([0, n - 1])]
    for low, high in pairwise(edges):
        part = losses[low:high]
        kept.append(low + np.array([0, part.argmin(), part.argmax(), high - low - 1]))
    return np.unique(np.concatenate(kept))
