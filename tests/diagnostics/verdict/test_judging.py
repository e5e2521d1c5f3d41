"""The verdict: who answers, and what the sentences say of healthy and of extreme rows."""

import json

import numpy as np
import pytest

from glassnet.diagnostics.verdict import Question, judge
from glassnet.diagnostics.verdict import contenders as who

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(260, 3)
SIGN = (X[:, 0] > 0).astype(int)


def question(y, classes=None, n=200, **more):
    return Question(X[:n], y[:n], X[n:], y[n:], "y", classes, **more)


def sure(rule, classes=2):
    """Answers with the class that `rule` says, and probability 0.9."""
    return lambda X: (
        np.full((len(X), classes), 0.1 / (classes - 1))
        + (0.9 - 0.1 / (classes - 1)) * (np.arange(classes) == rule(X)[:, None])
    )


def words(verdict):
    return " ".join(verdict.sentences)


def test_a_network_that_knows_wins_and_one_that_errs_loses():
    def stripes(X):
        return np.floor(9 * X[:, 0]).astype(int) % 2

    asked = question(stripes(X), ("no", "yes"))
    wins = judge(asked, sure(stripes))
    assert "The network wins over the " in words(wins)
    loses = judge(asked, sure(lambda X: 1 - stripes(X)))
    assert "The network loses to the " in words(loses)
    assert wins.entries[0].scores["accuracy"].value == 1.0
    assert [entry.name for entry in wins.entries][1:] == [
        "constant answer",
        "linear model",
        "boosted trees",
    ]


def test_a_constant_network_is_no_better_than_the_constant_answer():
    asked = question(SIGN, ("no", "yes"))
    verdict = judge(asked, sure(lambda X: np.ones(len(X), int)))
    assert "The network loses to the " in words(verdict)
    assert "It is no better than the constant answer" in words(verdict)
    assert f"The network never answers 'no' ({(SIGN[200:] == 0).sum()} rows)" in words(verdict)


def test_equal_scores_are_a_draw():
    asked = question(SIGN, ("no", "yes"))
    verdict = judge(asked, lambda X: np.tile(asked.shares, (len(X), 1)), baselines=False)
    assert [entry.name for entry in verdict.entries] == ["network", "constant answer"]
    assert "no better and no worse than the constant answer" in words(verdict)


def test_rare_classes_count_alike():
    rare = (X[:, 0] > 1.3).astype(int)
    verdict = judge(question(rare, ("legal", "fraud")), sure(lambda X: np.zeros(len(X), int)))
    assert verdict.main == "balanced accuracy"
    assert verdict.network.scores["balanced accuracy"].value == 0.5
    assert "class_weight=balanced" in words(verdict)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_quantities_are_compared_in_their_own_unit(unit):
    y = unit * (3 * X[:, 0] + X[:, 1] + 10)
    verdict = judge(question(y), lambda X: unit * (3 * X[:, 0] + 10))
    assert verdict.main == "RMSE"
    assert verdict.network.scores["RMSE"].value == pytest.approx(unit * np.sqrt(np.mean(X[200:, 1] ** 2)))
    linear = verdict.entries[2]
    assert linear.model == "Ridge"
    assert linear.scores["R²"].value > 0.999
    assert "The network loses to the linear model" in words(verdict)


def test_counts_have_models_of_counts():
    y = RANDOM.poisson(np.exp(X[:, 0])).astype(float)
    verdict = judge(question(y, counts=True), lambda X: np.exp(X[:, 0]))
    assert verdict.entries[2].model == "PoissonRegressor"
    assert "It is no better" not in words(verdict)


def test_overfitting_is_said_with_remedies_and_a_good_fit_is_not():
    noise = np.random.RandomState(3).randint(0, 2, 260)
    asked = question(noise, ("a", "b"))
    seen = {tuple(row): label for row, label in zip(X[:200], noise, strict=False)}
    verdict = judge(asked, sure(lambda X: np.array([seen.get(tuple(row), 0) for row in X])))
    assert "it overfits. To mend that, let a validation share stop training (--validation 0.2)" in words(
        verdict
    )
    validated = judge(
        asked, sure(lambda X: np.array([seen.get(tuple(row), 0) for row in X])), validated=True
    )
    assert "--validation" not in words(validated)
    assert "--set train.l2=" in words(validated)
    good = judge(question(SIGN, ("a", "b")), sure(lambda X: (X[:, 0] > 0).astype(int)))
    assert "overfits" not in words(good)


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.where(np.arange(260) < 200, SIGN, 0), ("a", "b")),  # one class held out
        (np.where(np.arange(260) < 200, 0, SIGN), ("a", "b")),  # one class to train on
        (np.arange(260) % 100, tuple(map(str, range(100)))),
        (np.full(260, 7.0), None),
        (np.full(260, -0.0), None),
    ],
)
def test_extreme_rows_have_a_verdict_that_json_holds(y, classes):
    answer = sure(lambda X: np.zeros(len(X), int), len(classes)) if classes else lambda X: np.zeros(len(X))
    verdict = judge(question(y, classes), answer)
    document = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert [entry["name"] for entry in document["entries"]] == [entry.name for entry in verdict.entries]
    assert document["sentences"] == list(verdict.sentences)
    assert len(verdict.table) == 5
    assert all(verdict.lines())


def test_two_held_out_rows_cannot_tell():
    asked = Question(X[:200], SIGN[:200], X[200:202], SIGN[200:202], "y", ("a", "b"))
    assert "2 held-out rows cannot tell them apart" in words(
        judge(asked, sure(lambda X: (X[:, 0] > 0) * 1))
    )


def test_held_out_rows_of_one_class_are_said_to_be_so():
    y = np.where(np.arange(260) < 200, SIGN, 0)
    assert "All held-out rows are 'a'" in words(
        judge(question(y, ("a", "b")), sure(lambda X: SIGN[: len(X)]))
    )


def test_answers_that_are_not_finite_are_undefined():
    verdict = judge(question(X[:, 0]), lambda X: np.full(len(X), np.nan))
    assert verdict.sentences == ("The network's RMSE on these rows is undefined: nothing can be compared.",)


def test_many_rows_are_a_sample_and_the_record_says_so(monkeypatch):
    monkeypatch.setattr(who, "_LEAST_ROWS", 50)
    monkeypatch.setattr(who, "_LINEAR_WORK", 60 * 3)
    monkeypatch.setattr(who, "_TREE_WORK", (70 + 13 * 255) * 3 * 100)
    verdict = judge(question(SIGN, ("a", "b"), n_test=5000), sure(lambda X: (X[:, 0] > 0) * 1))
    assert [entry.n for entry in verdict.entries] == [200, 200, 60, 70]
    assert "linear model: learned from 60 of 200 rows" in " ".join(verdict.notes)
    assert "Scored on 60 of 5,000 held-out rows" in " ".join(verdict.notes)


@pytest.mark.parametrize(
    ("inputs", "classes"), [(784, 10), (20, 2), (5000, 2), (784, 100), (3, 100), (99, 2)]
)
def test_trees_of_many_inputs_and_classes_have_fewer_bins_and_rounds(inputs, classes):
    y = np.arange(1000) % classes
    wide = Question(np.zeros((1000, inputs)), y, X[:0], y[:0], "y", tuple(map(str, range(classes))))
    model, most, note = who._trees(wide)
    trees = inputs * model.max_iter * (1 if classes == 2 else classes)
    assert trees * (most + 13 * model.max_bins) <= 1.2 * who._TREE_WORK
    assert (model.max_bins < 255) == ("32 bins" in note) == (inputs > 100)
    assert (model.max_iter < 100) == ("rounds" in note) == (inputs * classes > 2000 or classes == 100)


def test_many_targets_share_the_time_of_the_trees():
    asked = Question(X, X[:, 0], X[:0], X[:0, 0], "y", targets=40)
    model, _, note = who._trees(asked)
    assert model.max_iter == 25
    assert note == "25 of 100 rounds"


def test_a_model_that_cannot_learn_is_left_out_with_the_reason():
    y = np.where(np.arange(260) < 200, 0, SIGN)
    linear = judge(question(y, ("a", "b")), sure(lambda X: np.zeros(len(X), int))).entries[2]
    assert linear.scores == {}
    assert linear.note.startswith("could not learn: ")


def test_class_weights_are_the_baselines_too():
    rare = (X[:, 0] + 0.8 * RANDOM.randn(260) > 1.3).astype(int)
    plain, weighed = (
        judge(question(rare, ("a", "b"), weights=weights), sure(lambda X: np.zeros(len(X), int))).entries[2]
        for weights in (None, np.array([1.0, 20.0]))
    )
    assert weighed.scores["balanced accuracy"].value > plain.scores["balanced accuracy"].value
