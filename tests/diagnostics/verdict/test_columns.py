"""What answers rest on: shuffled columns, and answers along a column in its own unit."""

import numpy as np
import pytest
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.linear_model import LinearRegression

from glassnet.diagnostics.verdict import Column, Question, dependences, importances, look_into, of_inputs
from glassnet.diagnostics.verdict import columns as module

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(300, 3)
Y = 3 * X[:, 0] + X[:, 1]
NAMES = ("a", "b", "c")


def answer(X):
    return 3 * X[:, 0] + X[:, 1]


def plain(X, names=NAMES):
    return of_inputs(X, names, np.zeros(len(names)), np.ones(len(names)))


def test_importances_are_scikit_learns_and_the_strongest_comes_first():
    found = importances(answer, X, Y, plain(X))
    assert [one.name for one in found] == ["a", "b", "c"]
    model = LinearRegression().fit(X, Y)
    theirs = permutation_importance(
        model, X, Y, scoring="neg_root_mean_squared_error", n_repeats=20, random_state=0
    )
    assert [one.rise for one in found] == pytest.approx(theirs.importances_mean, rel=0.1, abs=1e-9)
    assert found[2].rise == 0


def test_the_inputs_of_a_column_are_shuffled_together():
    doubled = np.column_stack([X[:, 0], -X[:, 0], X[:, 1]])
    both = Column("both", (0, 1), np.empty(0), np.empty((0, 2)))
    (found,) = importances(lambda X: X[:, 0] + X[:, 1], doubled, np.zeros(300), [both])
    assert found.rise == pytest.approx(0, abs=1e-12)  # always opposite, in each shuffle too


def test_importances_of_classes_are_rises_of_the_log_loss():
    P = lambda X: np.column_stack([1 / (1 + np.exp(X[:, 0])), 1 / (1 + np.exp(-X[:, 0]))])  # noqa: E731
    found = importances(P, X, (X[:, 0] > 0).astype(int), plain(X))
    assert found[0].name == "a"
    assert found[0].rise > 0.3
    assert {one.rise for one in found[1:]} == {0.0}


def test_many_rows_are_sampled_and_too_many_columns_have_no_importance(monkeypatch):
    seen = []
    monkeypatch.setattr(module, "_ROWS", 50)
    importances(lambda X: seen.append(len(X)) or answer(X), X, Y, plain(X))
    assert set(seen) == {50}
    monkeypatch.setattr(module, "_MOST_WORK", 8)
    assert importances(answer, X, Y, plain(X)) == []


def test_dependence_is_scikit_learns_in_the_columns_own_unit():
    column = of_inputs(X, NAMES, np.array([10.0, 0, 0]), np.array([2.0, 1, 1]))[0]
    (found,) = dependences(answer, X, [column])
    model = LinearRegression().fit(X, Y)
    theirs = partial_dependence(model, X, [0], custom_values={0: column.inputs[:, 0]})
    assert found.answers == pytest.approx(theirs["average"][0], abs=1e-9)
    assert column.levels == pytest.approx(10 + 2 * column.inputs[:, 0])


def test_few_values_are_the_levels_and_a_column_without_levels_has_no_curve():
    few = np.repeat([[0.0, 1.0, 2.0]], 4, axis=0).reshape(-1, 1)
    column = of_inputs(few, ["rooms"], np.zeros(1), np.ones(1))[0]
    assert column.levels.tolist() == [0, 1, 2]
    assert dependences(lambda X: X[:, 0], few, [Column("x", (0,), np.empty(0), np.empty((0, 1)))]) == []


@pytest.mark.parametrize("classes", [None, ("no", "yes")])
def test_an_insight_names_the_strongest_columns_and_the_worst_rows(classes):
    y = Y if classes is None else (Y > 0).astype(int)
    answers = (
        answer if classes is None else lambda X: np.column_stack([X[:, 0] <= 0, X[:, 0] > 0]) * 0.8 + 0.1
    )
    asked = Question(X[:200], y[:200], X[200:], y[200:], "y", classes)
    if classes is None:
        answers = lambda X: 3 * X[:, 0]  # noqa: E731
    insight = look_into(asked, answers, plain(X), lambda row: f"line {row + 2}")
    assert insight.sentence.startswith("a (+")
    assert insight.dependences[0].column.name == "a"
    worst = insight.mistakes[0]
    row = int(worst.where.removeprefix("line ")) - 2
    if classes is None:
        assert abs(worst.size) == pytest.approx(np.abs(X[200:, 1]).max())
        assert worst.size == pytest.approx(X[200 + row, 1])
    else:
        assert [one.size for one in insight.mistakes] == pytest.approx([0.1] * len(insight.mistakes))
        assert all(one.actual != one.predicted for one in insight.mistakes)
        assert (worst.actual == "yes") == bool(y[200 + row])


def test_a_network_without_mistakes_has_none():
    asked = Question(X[:200], Y[:200], X[200:], Y[200:], "y")
    assert look_into(asked, answer, plain(X), str).mistakes == ()


@pytest.mark.parametrize(("targets", "rows"), [(1, 30 * 5 * 100), (30, 30 * 100)])
def test_many_targets_share_the_time_of_an_insight(targets, rows):
    wide, seen = np.repeat(X, 10, axis=1), []
    columns = plain(wide[:200], [f"x{i}" for i in range(30)])
    asked = Question(wide[:200], Y[:200], wide[200:], Y[200:], "y", targets=targets)
    insight = look_into(asked, lambda X: seen.append(len(X)) or answer(X[:, ::10]), columns, str)
    curves = {1: 6, 30: 1}[targets]
    assert len(insight.dependences) == curves
    assert sum(seen) == rows + 2 * 100 + curves * 40 * 200  # shuffles, no change, and curves
