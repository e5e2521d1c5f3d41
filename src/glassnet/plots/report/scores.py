"""How well a run predicts: accuracy and confusions of classes, R2 and RMSE of values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.engine.metrics import Tally, tally
from glassnet.errors import InputError
from glassnet.plots.picture_data import output_names, predict
from glassnet.plots.predictions import own_names, target_unit
from glassnet.training.run import TrainingRun
from glassnet.utils.array_checks import as_matrix
from glassnet.utils.words import counted, percent, readable


@dataclass(frozen=True)
class Confusion:
    """Counts (C, C): ``counts[i, j]`` samples of class i were predicted as class j."""

    counts: NDArray[np.intp]
    names: tuple[str, ...]

    @property
    def total(self) -> int:
        """All samples."""
        return int(self.counts.sum())

    @property
    def right(self) -> int:
        """The samples on the diagonal."""
        return int(np.trace(self.counts))

    @property
    def accuracy(self) -> float:
        """right / total."""
        return self.right / self.total

    @property
    def recall(self) -> NDArray[np.float64]:
        """(C,): the correct share of the samples of each class; NaN for a class without samples."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def precision(self) -> NDArray[np.float64]:
        """(C,): the correct share of the predictions of each class; NaN for a class never predicted."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=0))


@dataclass(frozen=True)
class Fit:
    """One target value: R2 = 1 - sum (y - y_hat)^2 / sum (y - mean y)^2, and the root mean square error.

    R2 is NaN where y never varies.
    """

    name: str
    r2: float
    rmse: float


@dataclass(frozen=True)
class Scores:
    """A run's scores on n samples: a confusion for softmax or one for each label, or fits.

    `exact` is the share of samples whose labels are all right, for several labels.
    """

    n: int
    confusions: tuple[Confusion, ...] = ()
    fits: tuple[Fit, ...] = ()
    exact: float | None = None

    @property
    def headline(self) -> tuple[str, str]:
        """The main score, as a number and in words."""
        if self.exact is not None:
            return percent(self.exact), "of samples with every label right"
        if self.confusions:
            wrong = self.n - self.confusions[0].right
            return percent(
                self.confusions[0].accuracy
            ), f"accuracy: {wrong:,} of {counted(self.n, 'sample')} wrong"
        if len(self.fits) == 1:
            return (
                f"{self.fits[0].r2:.4f}",
                f"R², with a root mean square error of {readable(self.fits[0].rmse, 4)}",
            )
        return f"{np.mean([fit.r2 for fit in self.fits]):.4f}", f"mean R² of {len(self.fits)} target values"


def score(run: TrainingRun, X: object, y: object, class_names: object = None) -> Scores:
    """Score a run's predictions for X (n, inputs) against y, as `train` takes them.

    Raises InputError for arrays that cannot be used or are empty.

    >>> import glassnet as gn
    >>> from glassnet.plots.report import score
    >>> X, y = [[0.0], [1.0]], [0, 1]
    >>> run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=100)
    >>> score(run, X, y).confusions[0].counts.tolist()
    [[1, 0], [0, 1]]

    Labels count as predicted from P = 1/2 up, and as present from y = 1/2 up (scikit-learn's
    accuracy for several labels is `exact` here).
    """
    network = run.network
    samples = as_matrix(X, width=network.sizes[0])
    if len(samples) == 0:
        raise InputError(f"X is empty, shape {samples.shape}; expected at least one sample to score.")
    encoding = run.encoding
    Y_hat = predict(network, network.check_parameters(run.theta), samples, scaling=encoding.scaling)
    names = encoding.classes if class_names is None else class_names
    return scores_of(run, tally(network, encoding.numbers(y), Y_hat), names)


def scores_of(run: TrainingRun, total: Tally, class_names: object = None) -> Scores:
    """The scores from a tally of a run's predictions, with errors in the target's own unit."""
    network, n, (_, scale) = run.network, total.n, target_unit(run)
    kind, names = network.loss.target, output_names(network, class_names)
    if kind == "class":
        return Scores(n, confusions=(Confusion(total.counts, names),))
    if kind == "label" and network.sizes[-1] == 1:
        return Scores(n, confusions=(Confusion(total.counts[0], names),))
    if kind == "label":
        pairs = zip(total.counts, names, strict=True)
        tables = tuple(Confusion(counts, (f"not {name}", name)) for counts, name in pairs)
        return Scores(n, confusions=tables, exact=total.exact / n)
    with np.errstate(all="ignore"):
        r2 = np.where(total.spread > 0, 1 - total.errors / total.spread, np.nan)
        rmse = scale * np.sqrt(total.errors / n)
    if (scale != 1).any():
        names = own_names(names)
    return Scores(n, fits=tuple(map(Fit, names, r2.tolist(), rmse.tolist())))


def _ratio(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole, dtype=np.float64)
