"""Answers to compare a network's with: one for all rows, a linear model's, and boosted trees'."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.utils.words import readable, tidy

Answer = Callable[[NDArray[Any]], Array]
"""X to the probability of each class (n, C), or to values (n,) in the target's own unit."""

_LINEAR_WORK = 5e7
"""Rows times inputs times classes that a linear model learns from, at most: some seconds."""

_TREE_WORK = 5e8
"""Rows and bins, times inputs times trees, at most: some five seconds."""

_ROUNDS, _TREES = 100, 1000
_BINS = 255, 32  # scikit-learn's, and where inputs times classes are many
_BIN = 13  # a tree takes as long for a bin of an input as for so many rows
_LEAST_ROWS = 1000
_ENOUGH = 10_000  # rows from which on the trees stop early, as scikit-learn's do


@dataclass(frozen=True, eq=False)
class Question:
    """What is to be learned: rows to train on and rows held out, the same for all who answer.

    X and X_test are (n, inputs); y holds class numbers into `classes`, or values in the target's own unit,
    where `classes` is None. `counts` says that these are never negative, and learned as counts. `weights`
    has a number for each class, or is None. `n` and `n_test` count the rows that there are, of which those
    in the arrays may be a sample. `targets` counts the questions that are asked of the same rows, and share
    the time.
    """

    X: NDArray[Any]
    y: NDArray[Any]
    X_test: NDArray[Any]
    y_test: NDArray[Any]
    target: str
    classes: tuple[str, ...] | None = None
    counts: bool = False
    weights: NDArray[Any] | None = None
    n: int = 0
    n_test: int = 0
    targets: int = 1

    @property
    def n_rows(self) -> int:
        """The rows there are to train on."""
        return self.n or len(self.y)

    @property
    def shares(self) -> Array:
        """(C,): each class's share of the rows to train on."""
        assert self.classes is not None
        return np.bincount(self.y, minlength=len(self.classes)) / len(self.y)


@dataclass(frozen=True)
class Contender:
    """Who answers: the name, the class of scikit-learn or "", the rows it learned from, and a note.

    Where it could not learn there is no answer, and the note says why.
    """

    name: str
    model: str
    n: int
    note: str
    answer: Answer | None


def contenders(question: Question, baselines: bool = True) -> list[Contender]:
    """All who answer; without `baselines` that is the constant answer alone."""
    found = [_constant(question)]
    for name, make in (("linear model", _linear), ("boosted trees", _trees)) if baselines else ():
        model, most, note = make(question)
        rows = some_rows(len(question.y), most)
        few = len(rows) < question.n_rows
        words = [f"learned from {len(rows):,} of {question.n_rows:,} rows"] if few else []
        answer = None
        try:
            answer = _fitted(model, question, rows)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError, MemoryError) as error:
            why = str(error).strip().splitlines() or [type(error).__name__]
            words, note = [], f"could not learn: {why[0]}"
        words += [note] if note else []
        found.append(Contender(name, type(model).__name__, len(rows), "; ".join(words), answer))
    return found


def some_rows(n: int, most: int) -> NDArray[np.intp]:
    """The numbers of all rows, or of `most` drawn at random."""
    return np.arange(n) if n <= most else np.sort(RandomState(0).permutation(n)[:most])


def _constant(question: Question) -> Contender:
    if question.classes is None:
        mean = float(question.y.mean())
        note, value = f"the mean, {readable(mean, 4)}", np.array(mean)
    else:
        value = question.shares
        note = f"always {tidy(question.classes[int(value.argmax())])!r}"
    answer = lambda X: np.full((len(X), *value.shape), value)  # noqa: E731
    return Contender("constant answer", "", len(question.y), note, answer)


def _linear(question: Question) -> tuple[Any, int, str]:
    """The model, of how many rows it learns at most, and a note."""
    from sklearn.linear_model import LogisticRegression, PoissonRegressor, Ridge

    most = max(_LEAST_ROWS, int(_LINEAR_WORK / (question.X.shape[1] * _groups(question))))
    if question.classes is not None:
        return LogisticRegression(), most, ""
    return PoissonRegressor(max_iter=200) if _is_counted(question) else Ridge(), most, ""


def _trees(question: Question) -> tuple[Any, int, str]:
    """As `_linear`; of many inputs and classes fewer bins, then fewer rounds, and then fewer rows."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    n, groups = len(question.y), _groups(question)
    each = _TREE_WORK / (question.X.shape[1] * groups)  # rows and bins of all rounds
    rounds = min(_ROUNDS, _TREES // groups)
    wide = rounds * (_LEAST_ROWS + _BIN * _BINS[0]) > each
    bins = _BINS[wide]
    rounds = max(5, min(rounds, int(each / (_LEAST_ROWS + _BIN * bins))))
    most = max(_LEAST_ROWS, int(each / rounds - _BIN * bins))
    notes = [f"{rounds} of {_ROUNDS} rounds"] if rounds < _ROUNDS else []
    note = ", ".join([*notes, *([f"{bins} bins"] if wide else [])])
    settings: dict[str, Any] = {"random_state": 0, "max_iter": rounds, "max_bins": bins}
    settings["early_stopping"] = n > _ENOUGH
    if question.classes is None:
        loss = "poisson" if _is_counted(question) else "squared_error"
        return HistGradientBoostingRegressor(loss=loss, **settings), most, note
    fewest = np.bincount(question.y)
    settings["early_stopping"] &= bool(fewest[fewest > 0].min() >= 20)
    return HistGradientBoostingClassifier(**settings), most, note


def _is_counted(question: Question) -> bool:
    return question.counts and bool(question.y.min() >= 0 and question.y.sum() > 0)


def _groups(question: Question) -> int:
    """The trees of a round, or the rows of coefficients, for all that is asked."""
    several = question.classes is not None and len(question.classes) > 2
    return question.targets * (len(question.classes or ()) if several else 1)


def _fitted(model: Any, question: Question, rows: NDArray[np.intp]) -> Answer:
    """The answers of a model of scikit-learn after it has learned from some rows."""
    from threadpoolctl import threadpool_limits

    X, y = question.X[rows], question.y[rows]
    if not np.isfinite(X).all():
        raise ValueError("the inputs are not finite")
    if question.classes is not None and (y == y[0]).all():
        raise ValueError("its rows are of one class")
    weights = None if question.weights is None else np.asarray(question.weights, np.float64)[y]
    mean, scale = 0.0, 1.0
    if question.classes is None and not _is_counted(question):
        # Some of scikit-learn's tolerances are absolute.
        mean, scale = float(y.mean()), float(y.std()) or 1.0
    # One thread: where others use the processors, scikit-learn's threads wait for each other a hundred
    # times longer than one of them would take.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of convergence, within rounding of the score
        model.fit(X, y if question.classes is not None else (y - mean) / scale, sample_weight=weights)

    def answer(X: NDArray[Any]) -> Array:
        with threadpool_limits(1):
            if question.classes is None:
                return np.asarray(model.predict(X) * scale + mean, np.float64)
            P = np.zeros((len(X), len(question.classes)))
            P[:, model.classes_] = model.predict_proba(X)
            return P

    return answer
