"""The result of a sweep: every network's run and outcome, as text, as a table and as JSON."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import RandomState

from glassnet.errors import InputError
from glassnet.model_selection.comparison import Comparison
from glassnet.model_selection.outcomes import STATUSES, rules
from glassnet.model_selection.settings import as_plain, shown
from glassnet.optim import Optimizer
from glassnet.training.run import TrainingRun
from glassnet.training.settings import NAMES
from glassnet.training.steppers import Solver
from glassnet.training.train import train
from glassnet.utils.html import GOOD, Html, cell_output, cell_table, tag
from glassnet.utils.libraries import require

if TYPE_CHECKING:
    import pandas
    import polars

_MOST_ROWS = 60
_MOST_SHOWN = 20  # of a notebook's cell


@dataclass(frozen=True, eq=False, repr=False)
class SweepResult(Comparison):
    """The result of a sweep: a `SweepCell` for every network, and what they share.

    Attributes
    ----------
    grid : the values of each setting, in the order in which they came.
    cells : in the order of the settings, the last one of a grid varying fastest, then by seed and fold.
    iterations : the most iterations that a network was to be trained for.
    baseline : the loss of the best constant answer, of the first network; see `SweepCell.baseline`.
    converged_below : the share of the baseline at or below which a settled loss has converged.
    floor : the loss of the perfect answer, where shares begin: 0, but for poisson.
    n_samples, threads, seconds : the samples, the threads in all, and the wall time of all updates.
    measure : the metric's name and mode; None where there is none.
    held_out : whether the metric is of samples that the networks were not trained on.
    evaluate_every : the iterations from one value of `curves` to the next; None where there are none.
    origin : what `refit` and `predictions` need of the sweep's arguments.

    >>> import glassnet as gn
    >>> grid = {"learning_rate": [0.1, 1.0]}
    >>> result = gn.sweep(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], grid=grid, random_state=0)
    >>> result.best.settings, len(result.runs)
    ({'learning_rate': 1.0}, 2)
    """

    @property
    def runs(self) -> tuple[TrainingRun, ...]:
        """Each cell's `TrainingRun`, with every loss; ``save`` and ``resume`` work on them."""
        return tuple(cell.run for cell in self.cells)

    @property
    def table(self) -> list[dict[str, Any]]:
        """A row for each network: settings, seed, fold, status, iterations, losses, metric, seconds.

        ``share`` is the final loss over the baseline, both above the floor: for squared error, 1 - R^2.
        An optimizer is shown without its settings, which may have columns of their own. All but ``seconds``
        is the same, bit for bit, each time that the sweep is trained.
        """
        rows = []
        for cell in self.cells:
            row = {name: _entry(cell.settings.get(name)) for name in self.grid} | cell.place
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
                if self.measure is not None and self.measure.dates is not None:
                    row["dates_left_out"] = cell.left_out
            rows.append({**row, "seconds": cell.trained.seconds})
        return rows

    def refit(
        self,
        X: object,
        y: object,
        *,
        sample_weight: object = None,
        random_state: int | RandomState | None = None,
        threads: int | None = None,
        progress: bool | float = False,
    ) -> TrainingRun:
        """Train the network of `chosen` on these rows, for as many iterations, and return the run.

        X, y : all rows, as a rule: those of the folds together, or of later days too.
        random_state : None starts where the sweep's network started, of several seeds the first.

        After evaluations on the way all rows are trained on, without the setting's validation and stopping
        rule, which `chosen` stands in for. All other settings are the sweep's.

        Raises InputError where no setting is the best, and the errors of `train`.

        >>> import numpy as np, glassnet as gn
        >>> random = np.random.RandomState(0)
        >>> X, y = random.randn(60, 2), random.randint(0, 2, 60)
        >>> result = gn.sweep(gn.Network((2, 8, 2)), X, y, grid={"learning_rate": [0.1, 1.0]}, folds=3,
        ...                   evaluate_every=10, iterations=200, random_state=0)
        >>> run = result.refit(X, y)
        >>> run.iterations == result.chosen["iterations"], run.iterations < 200
        (True, True)
        """
        chosen, origin = self.chosen, self.origin
        if chosen is None or origin is None:
            raise InputError("No setting of this sweep is the best: no mean over its networks is a number.")
        candidate = origin.candidates[chosen["setting"]]
        settings = {name: getattr(candidate.fit, name) for name in NAMES}
        settings |= {"iterations": chosen["iterations"], "parameters": origin.parameters}
        if self.evaluate_every is not None:
            settings |= {"validation": None, "stopping": None}
        seeds = [cell.seed for cell in self.cells if cell.setting == chosen["setting"]]
        for seed in (random_state, seeds[0], settings["random_state"], copy.deepcopy(origin.stream)):
            if seed is not None:
                settings["random_state"] = seed
                break
        settings |= {"sample_weight": sample_weight, "threads": threads, "progress": progress}
        return train(candidate.network, X, y, **settings)

    def predictions(self, setting: int | None = None) -> Any:
        """The predictions for the test rows of all folds, of a sweep with `keep_predictions`.

        They are of the setting of that number, by default the best of `summary`. There is a row for each
        test row, by seed and then in the order of X: ``row``, its number in X, ``seed`` and ``fold``,
        ``target``, and ``prediction``, or of several outputs or classes ``prediction_0``, ... It is a
        DataFrame with the index of X where X was one of pandas, else a dictionary of arrays.

        Raises InputError where no predictions were kept.
        """
        if setting is None:
            setting = self.summary[0]["setting"]
        cells = [cell for cell in self.cells if cell.setting == setting and cell.predictions is not None]
        if not cells or self.origin is None or self.origin.y is None:
            raise InputError(
                f"There are no predictions of setting {setting}: give folds and keep_predictions=True to "
                f"sweep, and the number of one of its {len(self.summary)} settings here."
            )
        rows = np.concatenate([cell.rows for cell in cells if cell.rows is not None])
        repeats = [len(cell.predictions) for cell in cells if cell.predictions is not None]
        places = {name: np.repeat([cell.place[name] for cell in cells], repeats) for name in cells[0].place}
        order = np.lexsort((rows, places.get("seed", np.zeros(len(rows)))))
        predicted = np.concatenate([cell.predictions for cell in cells if cell.predictions is not None])
        columns = {"row": rows, **places}
        for name, values in (("target", self.origin.y[rows]), ("prediction", predicted)):
            if self.origin.classes is not None and values.dtype.kind in "iu":
                values = np.array(self.origin.classes, object)[values]
            width = 1 if values.ndim == 1 else values.shape[1]
            for column, one in enumerate(values.reshape(len(rows), width).T):
                columns[name if width == 1 else f"{name}_{column}"] = one
        columns = {name: values[order] for name, values in columns.items()}
        if self.origin.index is None:
            return columns
        import pandas

        return pandas.DataFrame(columns, index=self.origin.index[columns["row"]])

    def to_pandas(self) -> pandas.DataFrame:
        """`table` as a pandas DataFrame; MissingLibraryError where pandas is not installed.

        Whole numbers stay whole where some are missing, as ``batch_size`` of a full batch is.
        """
        pandas = require("pandas")
        rows, kinds = self.table, {"diverged_at": "Int64"}
        for name in self.grid:
            values = [row[name] for row in rows]
            known = {type(value) for value in values if value is not None}
            if None in values and known in ({int}, {bool}):
                kinds[name] = "Int64" if known == {int} else "boolean"
        return pandas.DataFrame(rows).astype(kinds)

    def to_polars(self) -> polars.DataFrame:
        """`table` as a polars DataFrame; MissingLibraryError where polars is not installed.

        Values that are neither numbers nor text, such as schedules and networks, are in words.
        """
        polars = require("polars")
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
        if self.evaluate_every is not None:
            chosen = {name: as_plain(value) for name, value in (self.chosen or {}).items()}
            document |= {"evaluate_every": self.evaluate_every, "chosen": chosen or None}
        return _without_nan(document)

    def __repr__(self) -> str:
        return _printed(self)

    def _repr_html_(self) -> str:
        return _as_html(self)


def _entry(value: Any) -> Any:
    """A setting as an entry of a table."""
    return shown(value) if isinstance(value, (Optimizer, Solver)) else value


def _without_nan(value: Any) -> Any:
    """JSON has no NaN: None in its place."""
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _without_nan(one) for name, one in value.items()}
    return [_without_nan(one) for one in value] if isinstance(value, list) else value


def _printed(result: SweepResult) -> str:
    """The networks, how they ended, and a table of all networks or, with seeds or folds, all settings."""
    run = result.cells[0].trained
    counts = {status: sum(cell.status == status for cell in result.cells) for status in STATUSES}
    unit = "iterations" if run.batch_size is None else "epochs"
    first = f" {run.losses[0]:.6g} at the start," if len(run.losses) and run.batch_size is None else ""
    lines = [
        f"SweepResult: {len(result.cells)} networks {_networks(result)}, {result.iterations:,} {unit} "
        f"each, in {result.seconds:.3g} s on {result.threads} thread(s)",
        f"  {run.reduction} loss{first} {result.baseline:.6g} for the best constant answer",
        f"  {', '.join(f'{count} {status}' for status, count in counts.items() if count)}",
    ]
    if len(equal := _equal(result)) < len(result.grid) and equal:
        lines.append(f"  all with {', '.join(f'{name} {_short(result.grid[name][0])}' for name in equal)}")
    summary = result.summary
    rows = _rows(result) if len(summary) == len(result.cells) else _summary_rows(result, summary)
    widths = [max(map(len, column)) for column in zip(*rows[: _MOST_ROWS + 1], strict=True)]
    winner = _winner(result, summary)
    shown_rows = [*range(min(len(rows), _MOST_ROWS + 1))]
    if winner is not None and winner not in shown_rows:
        shown_rows.append(winner)
    for number in shown_rows:
        *cells, ended = rows[number]
        cells = [text.rjust(width) for text, width in zip(cells, widths[:-1], strict=True)]
        lines.append("  ".join(["*" if number == winner else "", *cells, ended]).rstrip())
    if len(rows) > len(shown_rows):
        lines.append(f"  and {len(rows) - len(shown_rows)} more")
    if winner is not None:
        lines.append(f"* the best by {result.compared_by}")
    if (words := _chosen(result)) is not None:
        lines.append(f"  {words}")
    known = rules(result.converged_below)
    lines += [f"  {status}: {known[status]}" for status in known if counts[status]]
    return "\n".join(lines)


def _winner(result: SweepResult, summary: list[dict[str, Any]]) -> int | None:
    """The row of the printed table, from 1, that is the best; None where there is none, or one row."""
    if (best := result.best) is None or len(summary) < 2:
        return None
    if len(summary) == len(result.cells):
        return 1 + result.cells.index(best)
    return 1  # a summary begins with the best setting


def _chosen(result: SweepResult) -> str | None:
    """The best setting and its iterations in words, of a sweep with evaluations on the way."""
    if result.evaluate_every is None or (chosen := result.chosen) is None:
        return None
    unit = "iterations" if result.cells[0].trained.batch_size is None else "epochs"
    words = [f"{name} {_short(chosen[name])}" for name in _varied(result)]
    return (
        f"best after {chosen['iterations']:,} {unit} of {', '.join(words)}: {result.compared_by} "
        f"{chosen['mean']:.6g}"
    )


def _as_html(result: SweepResult) -> Html:
    """What a notebook shows: the heading of the printed words, and their table with the best row marked."""
    title, *lines = [line.strip() for line in _printed(result).splitlines()[:3]]
    summary, best = result.summary, result.best
    if len(summary) == len(result.cells):
        head, *rows = _rows(result)
        head = [*head[:-2], head[-2] or result.compared_by, ""]
        costs = [result.sign * value if np.isfinite(value) else np.inf for value in result.compared]
        order = sorted(range(len(rows)), key=costs.__getitem__)
        winner = None if best is None else result.cells.index(best)
    else:
        head, *rows = _summary_rows(result, summary)
        order = list(range(len(rows)))
        settings = [row["setting"] for row in summary]
        winner = None if best is None else settings.index(best.setting)
    shown, count = sorted(order), ""
    if len(rows) > _MOST_SHOWN:
        shown, count = order[:_MOST_SHOWN], f"the best {_MOST_SHOWN} of {len(rows):,}:"
    marked: list[list[object]] = [["", *rows[row]] for row in shown]
    if winner in shown:
        words = ["best", *rows[winner]]
        marked[shown.index(winner)] = [tag("b", word, style=f"color:{GOOD}") for word in words]
    chosen = _chosen(result)
    words_at = [0, *range(1, 1 + len(_varied(result))), len(head)]
    return cell_output(title, [*lines, count], cell_table(["", *head], marked, left=words_at), chosen or "")


def _rows(result: SweepResult) -> list[list[str]]:
    """A heading, and a row for each network: settings, loss, the number it is compared by, and outcome."""
    names = _varied(result)
    by = [] if result.compared_by == "final_loss" else [result.compared_by]
    rows = [[*names, "final_loss" if by else "", *by, ""]]
    for cell, value in zip(result.cells, result.compared, strict=True):
        settings = [_short(cell.settings.get(name)) for name in names]
        lacks = result.measure is not None and cell.metric is None
        compared = ["" if lacks else _short(value)] if by else []
        rows.append([*settings, f"{cell.final_loss:.6g}", *compared, cell.verdict])
    return rows


def _summary_rows(result: SweepResult, summary: list[dict[str, Any]]) -> list[list[str]]:
    """A heading, and each setting over its seeds and folds, the best first."""
    names = _varied(result)
    rows = [[*names, f"{result.compared_by}, mean of {summary[0]['networks']}", "+-", ""]]
    for row in summary:
        settings = [_short(row[name]) for name in names]
        spread = "" if np.isnan(row["spread"]) else f"{row['spread']:.2g}"
        ended = [f"{row[status]} {status}" for status in ("diverged", "dropped") if row[status]]
        rows.append([*settings, f"{row['mean']:.6g}", spread, ", ".join(ended)])
    return rows


def _varied(result: SweepResult) -> list[str]:
    """The settings with more than one value; all settings where there are none."""
    equal = _equal(result)
    return [name for name in result.grid if name not in equal] or list(result.grid)


def _equal(result: SweepResult) -> list[str]:
    every = [name for name in result.grid if all(name in cell.settings for cell in result.cells)]
    return [name for name in every if len(result.grid[name]) == 1]


def _networks(result: SweepResult) -> str:
    names = {str(cell.trained.network) for cell in result.cells}
    return names.pop() if len(names) == 1 else f"of {len(names)} kinds"


def _short(value: Any) -> str:
    return "" if value is None else shown(value, 6)
