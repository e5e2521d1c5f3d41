"""Judging a network beside those it is compared with."""

from __future__ import annotations

import numpy as np

from glassnet.diagnostics.verdict.contenders import Answer, Question, contenders
from glassnet.diagnostics.verdict.measures import estimates, measured
from glassnet.diagnostics.verdict.record import BALANCED, NETWORK, RARE, Entry, Verdict

_FEW = 5
"""Of several classes, one of fewer held-out rows may be missed by chance."""


def judge(
    question: Question, answer: Answer, *, baselines: bool = True, validated: bool = False
) -> Verdict:
    """Score a network on the rows held out, beside models that learn from the rows it was trained on.

    The others are one answer for all rows (the training rows' mean, or shares of the classes), a linear
    model (scikit-learn's `LogisticRegression`, `Ridge`, or `PoissonRegressor` for counts) and
    gradient-boosted trees (`HistGradientBoostingClassifier` or `...Regressor`), all at scikit-learn's
    settings. Of many rows they learn from a sample, and of many inputs and classes the trees have fewer
    bins and rounds: the record says so. Intervals hold 95 % of draws of the held-out rows with replacement,
    the same draws for all.

    Parameters
    ----------
    question : the rows to learn from and those held out.
    answer : the network's: X (n, inputs) to probabilities (n, C), or values (n,) in the unit of y.
    baselines : False scores the network and the constant answer alone.
    validated : whether a validation share watched over training, for the advice.

    >>> import numpy as np, glassnet as gn
    >>> from glassnet.diagnostics.verdict import Question, judge
    >>> random = np.random.RandomState(0)
    >>> X = random.randn(300, 2)
    >>> y = (X[:, 0] * X[:, 1] > 0).astype(int)
    >>> run = gn.train(gn.Network((2, 8, 2)), X[:200], y[:200], optimizer="lbfgs", random_state=0)
    >>> question = Question(X[:200], y[:200], X[200:], y[200:], "same sign", ("no", "yes"))
    >>> verdict = judge(question, run.predict_proba)
    >>> verdict.main, [entry.name for entry in verdict.entries]
    ('accuracy', ['network', 'constant answer', 'linear model', 'boosted trees'])
    >>> verdict.network.scores["accuracy"].low > verdict.entries[2].scores["accuracy"].high
    True

    scikit-learn's `DummyClassifier` and `DummyRegressor` give the constant answers.
    """
    y = question.y_test
    those = contenders(question, baselines)
    answers = {NETWORK: answer(question.X_test)}
    answers |= {who.name: who.answer(question.X_test) for who in those if who.answer is not None}
    scores, leads = estimates(y, answers)
    entries = [
        Entry(NETWORK, "", question.n_rows, "", scores[NETWORK]),
        *(
            Entry(who.name, who.model, who.n, who.note, scores.get(who.name, {}), leads.get(who.name, {}))
            for who in those
        ),
    ]
    main, never, only = "RMSE", {}, None
    if question.classes is not None:
        main = BALANCED if question.shares.max() >= RARE else "accuracy"
        actual, given = (
            np.bincount(of, minlength=len(question.classes)) for of in (y, answers[NETWORK].argmax(axis=1))
        )
        never = {
            name: int(count)
            for name, count, times in zip(question.classes, actual, given, strict=True)
            if not times and (count >= _FEW or (count and len(actual) == 2))
        }
        only = question.classes[int(y[0])] if len(y) and (y == y[0]).all() else None
    seen = measured(question.y, answer(question.X), np.ones((1, len(question.y))))
    return Verdict(
        question.target,
        question.classes,
        question.n_rows,
        question.n_test or len(y),
        len(y),
        main,
        tuple(entries),
        {name: float(value[0]) if np.isfinite(value[0]) else None for name, value in seen.items()},
        never,
        only,
        validated,
    )
