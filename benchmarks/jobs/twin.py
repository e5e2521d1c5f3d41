"""A made-up table of days and stocks whose returns are all but noise, and how predictions rank."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEATURES = 31
DAYS, STOCKS = 2_500, 760
"""Ten years, and as many stocks a day as make 1.9 million rows."""

SIGNAL = 0.05
"""The correlation of the target with the best that could be predicted, within a day."""

HALF_LIFE = 500
"""Days in which what a feature means has half changed."""

SEED = 42


@dataclass(frozen=True, eq=False)
class Twin:
    """X (n, 31) and y (n,) in float32, day by day, each with the same number of stocks."""

    X: NDArray[np.float32]
    y: NDArray[np.float32]
    stocks: int

    @property
    def days(self) -> NDArray[np.intp]:
        """Each row's day, (n,)."""
        return np.arange(len(self.y)) // self.stocks

    def score(
        self, y: NDArray[np.floating], predicted: NDArray[np.floating], rows: NDArray[np.int64]
    ) -> float:
        """The daily rank correlation, as a metric of `sweep`: the rows are whole days."""
        return rank_correlation(y, predicted, self.stocks)


def make_twin(days: int = DAYS, stocks: int = STOCKS) -> Twin:
    """The same table on every call.

    A stock's features are standard normal. Its return is a linear function of them that drifts, a product
    of two others that does not, a hundred times as much noise, louder on some days than on others, and the
    market's, which is common to the day. The target is the return less the day's mean, over the day's
    standard deviation.
    """
    random = np.random.default_rng(SEED)
    X = random.standard_normal((days * stocks, FEATURES), np.float32)
    keep = 0.5 ** (1 / HALF_LIFE)
    weights = np.empty((days, FEATURES))
    weights[0] = random.standard_normal(FEATURES)
    for day in range(1, days):
        drawn = random.standard_normal(FEATURES)
        weights[day] = keep * weights[day - 1] + np.sqrt(1 - keep**2) * drawn
    weights /= np.sqrt(FEATURES)
    one, other = (random.standard_normal(FEATURES) / np.sqrt(FEATURES) for _ in range(2))
    y = np.empty(days * stocks, np.float32)
    for day in range(days):
        rows = slice(day * stocks, (day + 1) * stocks)
        linear = X[rows] @ weights[day]
        product = np.tanh(X[rows] @ one) * (X[rows] @ other)
        signal = linear / linear.std() + product / product.std()
        noise = random.standard_normal(stocks)
        volatility, market = np.exp(0.4 * random.standard_normal(2))
        returns = market + volatility * (SIGNAL * signal / np.sqrt(2) + noise)
        y[rows] = (returns - returns.mean()) / returns.std()
    return Twin(X, y, stocks)


def rank_correlation(y: NDArray[np.floating], predicted: NDArray[np.floating], stocks: int) -> float:
    """Spearman's correlation of target and prediction within each day, and of these the mean.

    A day on which all predictions are equal counts 0.

    >>> import numpy as np
    >>> from benchmarks.jobs.twin import rank_correlation
    >>> rank_correlation(np.array([1, 2, 3, 1, 2, 3.0]), np.array([0.1, 0.5, 0.9, 3, 2, 1]), 3)
    0.0
    """
    from scipy.stats import rankdata

    a, b = (rankdata(values.reshape(-1, stocks), axis=1) - (stocks + 1) / 2 for values in (y, predicted))
    both = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    return float(np.mean((a * b).sum(axis=1) / np.where(both > 0, both, 1)))
