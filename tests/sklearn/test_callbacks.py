"""Who hears of each epoch: scikit-learn's callbacks, and what ``verbose`` prints."""

import numpy as np
import pytest
from iris import KEPT, PART, Y3, X, small
from sklearn.callback import ScoringMonitor
from sklearn.neural_network import MLPClassifier as TheirClassifier

import glassnet as gn

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size`",
)


class Notes:
    """A callback of scikit-learn's protocol that writes down what it is told."""

    def __init__(self, stop_at=None):
        self.calls, self.scores, self.stop_at = [], [], stop_at

    def setup(self, estimator, context):
        self.calls.append("setup")

    def teardown(self, estimator, context):
        self.calls.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X=None):
        self.calls.append(f"begin {context.task_name}")

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.calls.append(f"end {context.task_name}")
        if fitted_estimator is not None:
            self.scores.append(fitted_estimator.score(X, y))
        return self.stop_at is not None and self.calls.count("end iteration") >= self.stop_at


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callbacks_are_told_of_the_fit_and_of_each_iteration(solver):
    notes = Notes()
    model = small(solver=solver, max_iter=5).set_callbacks(notes).fit(X, Y3)
    assert notes.calls[:3] == ["setup", "begin fit", "begin iteration"]
    assert notes.calls[-2:] == ["end fit", "teardown"]
    assert notes.calls.count("begin iteration") == notes.calls.count("end iteration") == 5
    assert notes.scores[-1] == model.score(X, Y3)
    same = small(solver=solver, max_iter=5).fit(X, Y3)
    assert np.array_equal(model.coefs_[0], same.coefs_[0])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_callback_may_stop_training(solver):
    model = small(solver=solver).set_callbacks(Notes(stop_at=3)).fit(X, Y3)
    assert model.n_iter_ == 3


def test_callbacks_are_torn_down_after_a_fit_that_fails():
    class Broken(Notes):
        def on_fit_task_end(self, estimator, context):
            raise RuntimeError("broken")

    broken = Broken()
    model = small().set_callbacks(broken)
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(X, Y3)
    assert broken.calls[-1] == "teardown"
    assert not hasattr(model, "coefs_")


def test_scikit_learns_scoring_monitor_works():
    monitor = ScoringMonitor(scoring="accuracy")
    model = small(max_iter=4).set_callbacks(monitor).fit(X, Y3)
    log = monitor.get_logs().data
    scores = [row["accuracy"] for row in log if row["task_name"] == "iteration"]
    assert len(scores) == 4
    assert scores[-1] == model.score(X, Y3)


def test_scikit_learns_progress_bar_works(capsys):
    from sklearn.callback import ProgressBar

    small(max_iter=4).set_callbacks(ProgressBar()).fit(X, Y3)
    assert "fit" in capsys.readouterr().out


@pytest.mark.parametrize("early", [False, True])
def test_verbose_prints_what_scikit_learn_prints(capsys, early):
    told = {"verbose": True, "solver": "sgd", "tol": 0.5, "max_iter": 100, "early_stopping": early}
    small(**told).fit(X, Y3)
    ours = capsys.readouterr().out
    small(TheirClassifier, **told).fit(X, Y3)
    assert ours == capsys.readouterr().out


def test_verbose_prints_what_is_measured_on_validation_data(capsys):
    told = {"verbose": True, "max_iter": 2, "scoring": "accuracy"}
    model = small(**told).fit(*PART, validation_data=KEPT)
    loss, score = (model.history_[f"validation_{name}"][0] for name in ("loss", "accuracy"))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == f"validation_loss = {loss:.8f}, validation_accuracy = {score:.8f}"


def test_bar_that_stops_early_ends_as_done(capsys):
    model = small(verbose="bar", max_iter=500, n_iter_no_change=2, tol=1.0).fit(X, Y3)
    last = capsys.readouterr().err.split("\r")[-1]
    assert f"{model.n_iter_}/{model.n_iter_}" in last
    assert "100%" in last


def test_bar_shows_progress_on_stderr(capsys):
    small(verbose="bar", max_iter=3).fit(X, Y3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err
    with pytest.raises(ValueError, match="verbose"):
        small(verbose="loud").fit(X, Y3)


@pytest.mark.parametrize("callback", [gn.CurvatureTrace([[0.0]], [0]), gn.Callback], ids=["one", "class"])
def test_callback_of_train_is_told_where_it_belongs(callback):
    with pytest.raises(gn.InputTypeError, match=r"callback of gn\.train.*model\.network_.*gn\.curvature"):
        gn.MLPRegressor().set_callbacks(callback)
