"""The metric that a sweep compares networks by, on samples that they were not trained on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glassnet.engine.metrics import accuracy
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.network import Network
from glassnet.training.early_stopping import MODES, RESPONSES, Metric, metric_name, metric_value

METRICS: Mapping[str, str] = {"loss": "min", "accuracy": "max", "r2": "max", "rank_ic": "max"}
"""The metrics that have a name, with what is best of them."""


class Score(NamedTuple):
    """A metric's value, and how many dates `rank_ic` left out."""

    value: float
    left_out: int = 0


@dataclass(frozen=True)
class Measure:
    """A metric: its name, which of its values is best ("min" or "max"), and the caller's function or None.

    "loss" is the mean loss of the samples by their weights, without penalties and class weights. `dates`
    holds the number of each row's date, for "rank_ic".
    """

    name: str
    mode: str
    function: Metric | None = None
    response: str = "predict"
    dates: NDArray[np.intp] | None = field(default=None, compare=False)

    @property
    def sign(self) -> float:
        """1 where a smaller value is better, else -1."""
        return 1.0 if self.mode == "min" else -1.0

    @property
    def is_loss(self) -> bool:
        """Whether it is each network's own loss."""
        return self.function is None and self.name == "loss"

    def of(
        self,
        predicted: NDArray[Any],
        y: NDArray[Any],
        weights: NDArray[Any] | None,
        rows: NDArray[np.int64] | None,
        flat_targets: bool,
    ) -> Score:
        """The metric of a network's predictions; "loss" is not computed here.

        y is class numbers (n,) or rows; with `flat_targets` a function gets values (n,) of a single output.
        `rows` are the rows' numbers, None for all.
        """
        if self.name == "rank_ic" and self.function is None:
            assert self.dates is not None
            if self.response == "predict_proba":  # of the second of two classes
                y, predicted = (values if values.ndim == 1 else values[:, -1] for values in (y, predicted))
            return rank_ic(y, predicted, self.dates if rows is None else self.dates[rows])
        if self.function is None and self.name == "accuracy":
            actual = np.argmax(y, axis=1) if y.ndim > predicted.ndim else y
            return Score(accuracy(actual if predicted.ndim == 1 else actual > 0.5, predicted, weights))
        if self.function is None:
            from sklearn.metrics import r2_score

            return Score(float(r2_score(y, predicted, sample_weight=weights)))
        if flat_targets and self.response == "predict":
            y, predicted = y.reshape(-1), predicted.reshape(-1)
        extra: dict[str, Any] = {"rows": rows} if _takes_rows(self.function) else {}
        return Score(metric_value(self.function, self.name, y, predicted, **extra))


def rank_ic(y: NDArray[Any], predicted: NDArray[Any], dates: NDArray[Any]) -> Score:
    """The rank correlation of predictions and targets within each date, and of these the mean.

    It is Spearman's, the correlation of the ranks, and equal values have the mean of their ranks: the
    mean over the dates of ``scipy.stats.spearmanr``; of several outputs, the mean over these. Dates with
    fewer than two rows, or whose targets or predictions are all equal, are left out and counted; the value
    is NaN where no date remains, and where a prediction is.

    Parameters
    ----------
    y, predicted : (n,) or (n, outputs).
    dates : (n,), whatever tells them apart; rows may come in any order.

    >>> import numpy as np
    >>> from glassnet.model_selection import rank_ic
    >>> y, predicted = np.array([1.0, 2.0, 3.0, 1.0, 2.0]), np.array([0.1, 0.3, 0.2, 0.5, 0.4])
    >>> rank_ic(y, predicted, np.array([1, 1, 1, 2, 2]))
    Score(value=-0.25, left_out=0)

    Grinold and Kahn (1999), "Active Portfolio Management", chapter 6, call it the information coefficient.
    """
    n = len(dates)
    _, numbers, counts = np.unique(dates, return_inverse=True, return_counts=True)
    means, left_out = [], 0
    for actual, found in zip(y.reshape(n, -1).T, predicted.reshape(n, -1).T, strict=True):
        ranks = _centered_ranks(actual, numbers, counts), _centered_ranks(found, numbers, counts)
        squares = (np.bincount(numbers, rank * rank, len(counts)) for rank in ranks)
        spread = np.sqrt(np.prod(list(squares), axis=0))
        usable = spread > 0
        left_out = max(left_out, int((~usable).sum()))
        together = np.bincount(numbers, ranks[0] * ranks[1], len(counts))[usable] / spread[usable]
        known = len(together) and not np.isnan(found).any()
        means.append(float(together.mean()) if known else np.nan)
    return Score(float(np.mean(means)), left_out)


def _centered_ranks(
    values: NDArray[Any], dates: NDArray[np.intp], counts: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Each value's rank among those of its date, less the mean rank; equal values share theirs."""
    order = np.lexsort((values, dates))
    ranked, date = values[order], dates[order]
    starts = np.concatenate([[True], (ranked[1:] != ranked[:-1]) | (date[1:] != date[:-1])])
    ties = np.diff(np.flatnonzero(starts), append=len(order))
    place = np.repeat(np.flatnonzero(starts) + (ties - 1) / 2, ties)
    first = np.cumsum(counts) - counts
    ranks = np.empty(len(order))
    ranks[order] = place - (first + (counts - 1) / 2)[date]
    return ranks


def as_measure(
    metric: object,
    mode: str | None,
    response: str,
    network: Network,
    dates: NDArray[np.intp] | None = None,
) -> Measure:
    """The metric of `sweep`'s arguments for a network; raises InputError where it does not fit."""
    if response not in RESPONSES:
        raise unknown_name("response", response, RESPONSES)
    if mode is not None and mode not in MODES:
        raise unknown_name("mode", mode, MODES)
    classes = network.loss.target in ("class", "label")
    if isinstance(metric, str):
        if metric not in METRICS:
            raise unknown_name("metric", metric, METRICS)
        if mode not in (None, METRICS[metric]):
            raise InputError(f"The best {metric} is its {METRICS[metric]}imum: leave mode out.")
        several = classes and network.sizes[-1] != (2 if network.loss.target == "class" else 1)
        unfit = {"accuracy": not classes, "r2": classes, "rank_ic": several}
        if unfit.get(metric):
            raise InputError(
                f"The metric {metric} does not go with the output {network.output.name!r}: use "
                f"{'accuracy' if classes else 'r2'}, loss, or a function of targets and predictions."
            )
        if metric == "rank_ic" and dates is None:
            raise InputError(
                "The metric rank_ic correlates the rows of each date, and the rows have no dates: give "
                "times=..., a date for each row of X, or folds that have them: WalkForward(times=...), "
                "folds.times in a file."
            )
        if metric != "rank_ic":
            return Measure(metric, METRICS[metric])
        return Measure(metric, "max", None, "predict_proba" if classes else "predict", dates)
    if not callable(metric):
        raise InputTypeError(f"metric is a name or a function of targets and predictions, not {metric!r}.")
    name = metric_name(metric)
    if mode is None:
        raise InputError(f'The metric {name} needs mode="min" or mode="max": which of its values is best.')
    if response == "predict_proba" and not classes:
        raise InputError(f"A network with output {network.output.name!r} predicts no probabilities.")
    return Measure(name, mode, metric, response)


def _takes_rows(function: Metric) -> bool:
    try:
        return "rows" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # a function written in C may not tell
        return False
