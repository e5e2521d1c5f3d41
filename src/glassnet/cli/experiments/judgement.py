"""The verdict on an experiment's network, over the rows that its samples hold out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.cli.experiments.samples import Samples
from glassnet.diagnostics.verdict import Answer, Question, Verdict, judge
from glassnet.plots.picture_data import chosen_samples, predict
from glassnet.training.run import TrainingRun

_MOST = 50_000
"""Most rows to train on, and held out, that a verdict looks at."""


def question_of(samples: Samples, run: TrainingRun) -> Question | None:
    """What the network was asked, in the target's own unit; None where no rows are held out, or several
    targets are predicted."""
    rows, network, known = samples.held_out_rows, run.network, samples.preprocessing
    if rows is None or not len(rows[1]) or (known.classes is None and network.sizes[-1] > 1):
        return None
    (X, y), (X_test, y_test) = (_some(*some) for some in ((samples.X, samples.y), rows))
    if known.classes is None:
        y, y_test = (known.values(np.asarray(some, np.float64)) for some in (y, y_test))
    return Question(
        X,
        y,
        X_test,
        y_test,
        known.target,
        None if known.classes is None else tuple(map(str, known.classes)),
        counts=network.loss.target == "nonnegative",
        weights=None if run.class_weight is None else np.asarray(run.class_weight),
        n=samples.n,
        n_test=samples.n_held_out,
    )


def _some(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    rows = chosen_samples(len(X), _MOST)
    return X[rows], y[rows]


def answer_of(samples: Samples, run: TrainingRun) -> Answer:
    """The network's answers: probabilities of the classes, or values in the target's own unit."""
    known = samples.preprocessing

    def answer(X: NDArray[Any]) -> Array:
        Y_hat = predict(run.network, run.theta, X).astype(np.float64)
        if known.classes is None:
            return np.asarray(known.values(Y_hat), np.float64)
        return np.hstack([1 - Y_hat, Y_hat]) if Y_hat.shape[1] == 1 else Y_hat

    return answer


def verdict_on(samples: Samples, run: TrainingRun, baselines: bool = True) -> Verdict | None:
    """The verdict; None where there is nothing to judge by."""
    question = question_of(samples, run)
    if question is None:
        return None
    answer = answer_of(samples, run)
    return judge(question, answer, baselines=baselines, validated=run.validation is not None)
