"""What training says of a result that is no better than a constant answer, and where it says nothing."""

import re
import warnings
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import csr_array

import glassnet as gn
from glassnet.nn.losses import ALL_LOSSES, NUMPY_LOSSES
from glassnet.training.steppers import SOLVERS

RANDOM = np.random.RandomState(0)
X = RANDOM.randn(60, 3)
y = X @ [1.0, -2.0, 0.5] + 0.1 * RANDOM.randn(60)
DEAD = gn.Network((3, 4, 1), hidden="relu", output="identity")
NET = gn.Network((3, 8, 1), hidden="tanh", output="identity")

WIDE = np.random.default_rng(0).standard_normal((400, 5))
PRICES = 2e5 + 5e4 * WIDE[:, 0]
YEARS = np.column_stack([RANDOM.randint(1990, 2003, 500), RANDOM.randint(15, 60, 500)]).astype(float)
OLDER = (YEARS[:, 1] > 40).astype(int)


def spiral():
    """Two arms of 200 points each."""
    t, c = np.linspace(0, 1, 400) * 3 * np.pi, np.arange(400) % 2
    return np.column_stack([t * np.cos(t + np.pi * c), t * np.sin(t + np.pi * c)]) / 2, c


def dead_start(network=DEAD):
    """All units of the hidden layer off at every sample."""
    theta = network.initialize(0)
    theta.biases[0][:] = -100
    return theta


def caught(call):
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        result = call()
    return result, [w for w in found if w.category is gn.StalledTrainingWarning]


def useless(call):
    """The run, whose one warning its reason repeats."""
    run, found = caught(call)
    (warning,) = found
    assert warning.filename == __file__
    assert run.finding in str(warning.message)
    assert run.finding in run.reason
    return run


# ---- Endings that are said to be useless -----------------------------------------------------------


@pytest.mark.parametrize("solver", SOLVERS.values())
def test_a_solver_that_ends_with_dead_units_says_so(solver):
    run = useless(lambda: gn.train(DEAD, X, y, optimizer=solver(), parameters=dead_start(), iterations=50))
    assert run.status == "stopped"
    assert "4 of 4 units of hidden layer 1 are dead" in run.reason
    assert "tart from another random_state" in run.reason


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_every_loss_says_so_where_its_units_are_dead(make_network, make_data, loss):
    network = make_network((3, 4, 2), "relu", loss)
    inputs, targets = make_data(network, 60)
    settings = {"optimizer": gn.LBFGS(), "parameters": dead_start(network), "iterations": 50}
    run = useless(lambda: gn.train(network, inputs, targets, **settings))
    assert "4 of 4 units of hidden layer 1 are dead" in run.finding


@pytest.mark.parametrize("loss", NUMPY_LOSSES)
def test_a_loss_of_ones_own_is_not_judged(make_data, loss):
    own = replace(NUMPY_LOSSES[loss], formula="another")
    network = gn.Network((3, 4, 2), hidden="relu", output=own.output, loss=own)
    run, found = caught(lambda: gn.train(network, *make_data(network, 60), parameters=dead_start(network)))
    assert (found, run.finding) == ([], "")


@pytest.mark.parametrize(
    ("bias", "said"),
    [
        (-100, "4 of 4 units of hidden layer 1, which is frozen, are dead"),
        (-2.6, "100% of hidden layer 1, which is frozen, is saturated"),
    ],
)
def test_a_frozen_layer_without_a_slope_asks_to_be_trained(bias, said):
    network = gn.Network((3, 4, 1), hidden="tanh", output="identity")
    start = network.initialize(0)
    start.weights[0][:] *= 0.1
    start.biases[0][:] = bias
    run = useless(lambda: gn.train(network, X, y, parameters=start, freeze=[1], iterations=300))
    assert said in run.finding
    assert "Leave layer 1 out of freeze." in run.finding
    assert "learning rate" not in run.finding
    assert "random_state" not in run.finding


def test_a_trained_layer_behind_a_frozen_one_has_its_own_remedies():
    network = gn.Network((3, 4, 4, 1), hidden="relu", output="identity")
    start = dead_start(network)
    start.biases[1][:] = -100
    run = useless(lambda: gn.train(network, X, y, parameters=start, freeze=[1], iterations=300))
    assert "Leave layer 1 out of freeze, use a smaller learning rate, or start from another" in run.finding


def test_a_frozen_layer_of_small_weights_is_not_held_down_by_a_penalty():
    start = NET.initialize(0)
    start.weights[0][:] = 0
    settings = {"parameters": start, "freeze": [1], "l2": 1e-4, "random_state": 0}
    run = useless(lambda: gn.train(NET, X, y, iterations=300, **settings))
    assert "penalty" not in run.finding


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("batch_size", [None, 50])
@pytest.mark.parametrize("optimizer", [gn.SGD(), gn.Adam()])
def test_an_optimizer_on_a_y_far_from_0_says_so(optimizer, batch_size, stream):
    rows = (gn.stream(WIDE, PRICES),) if stream else (WIDE, PRICES)
    network = gn.Network((5, 8, 1), hidden="tanh", output="identity")
    settings = {"optimizer": optimizer, "batch_size": batch_size, "random_state": 0}
    run = useless(lambda: gn.train(network, *rows, iterations=100, **settings))
    assert run.status == "completed"
    assert "y has mean 1.955e+05" in run.reason
    assert "Standardize y" in run.reason


@pytest.mark.parametrize("hidden", ["logistic", "tanh"])
@pytest.mark.parametrize("optimizer", [gn.SGD(), gn.SGD(0.5)])
def test_raw_years_are_named_as_the_reason(hidden, optimizer):
    network = gn.Network((2, 4, 2), hidden=hidden)
    run = useless(
        lambda: gn.train(network, YEARS, OLDER, optimizer=optimizer, iterations=500, random_state=0)
    )
    assert "column 0 of X has mean 199" in run.reason
    assert "Standardize X." in run.reason


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("layers", "act", "rate", "times"), [((8,), "tanh", 3.0, 15), ((8,) * 6, "logistic", 10.0, 6.3)]
)
def test_a_loss_many_times_a_constants_asks_for_a_smaller_rate(layers, act, rate, times, stream):
    S, c = spiral()
    rows = (gn.stream(S, c),) if stream else (S, c)
    settings = {"optimizer": gn.SGD(rate), "batch_size": 10, "random_state": 0}
    network = gn.Network((2, *layers, 2), hidden=act)
    run = useless(lambda: gn.train(network, *rows, iterations=100, **settings))
    assert f"is {times} times the best constant answer's, 0.6931" in run.reason
    assert "and rose again" in run.reason
    assert "a smaller learning rate" in run.reason


@pytest.mark.parametrize("batch_size", [None, 20])
def test_summed_losses_are_compared_with_a_summed_constant(batch_size):
    theta = dead_start(gn.Network((3, 4, 2), hidden="relu"))
    settings = {
        "reduction": "sum",
        "batch_size": batch_size,
        "optimizer": gn.SGD(0.01),
        "parameters": theta,
    }
    classes, weights = np.arange(60) % 2, np.full(60, 2.0)
    run = useless(
        lambda: gn.train(
            gn.Network((3, 4, 2), hidden="relu"), X, classes, sample_weight=weights, **settings
        )
    )
    constant = 2 * np.log(2) * (batch_size or 60)
    assert f"the best constant answer's, {constant:.4g}: 4 of 4 units" in run.reason


def test_a_loss_that_fell_and_rose_again_says_where_it_was():
    network = gn.Network((3, 1), output="identity")
    start = gn.train(network, X, y, iterations=100, random_state=0)
    # Each update now multiplies the distance to the best parameters.
    run = useless(lambda: start.resume(140, optimizer=gn.SGD(1.5, momentum=0.0)))
    assert re.search(r"the loss fell to \S+ at iteration \d+ and rose again", run.reason)


def test_a_penalty_that_holds_the_weights_down_is_named():
    run = useless(lambda: gn.train(NET, X, y, l2=10.0, random_state=0))
    assert "l2=10 holds all weights of a layer at" in run.reason
    assert "Use a smaller penalty." in run.reason


def test_an_evidence_that_takes_y_for_noise_leaves_the_question_open():
    random = np.random.RandomState(5)
    noise, settings = random.randn(300, 3), {"optimizer": gn.BayesianRegularization(), "random_state": 5}
    network = gn.Network((3, 4, 1), hidden="tanh", output="identity")
    run = useless(lambda: gn.train(network, noise, random.randn(300), **settings))
    assert re.search(r"the evidence takes y for noise: l2=\S+ holds all weights of a layer", run.reason)
    assert "Unless y is noise, start from another random_state, or choose l2 yourself" in run.reason


@pytest.mark.parametrize("rate", [1e-9, 1e-4])
def test_a_rate_far_too_small_says_that_the_loss_still_falls(rate):
    run = useless(lambda: gn.train(NET, X, 0.1 * y, optimizer=gn.SGD(rate), iterations=200, random_state=0))
    assert "use another learning rate" in run.reason


def test_an_answer_that_is_the_same_for_all_rows_says_so():
    noise = RANDOM.randn(60)
    run = useless(lambda: gn.train(NET, np.ones((60, 3)), noise, random_state=0))
    assert "much the same for all rows, as X is" in run.reason


def test_weights_count_as_training_counted_them():
    # 1 in 10 is of class 1; the weights make both equal.
    rare = (np.arange(60) % 10 == 0).astype(int)
    network = gn.Network((3, 4, 2), hidden="relu")
    settings = {"parameters": dead_start(network), "class_weight": "balanced"}
    run = useless(lambda: gn.train(network, X, rare, **settings))
    assert "the best constant answer's, 0.6931" in run.reason


def test_rows_held_out_have_no_say():
    settings = {"validation": 0.2, "sample_weight": np.ones(60), "parameters": dead_start()}
    useless(lambda: gn.train(DEAD, X, y, optimizer=gn.LevenbergMarquardt(), **settings))


def test_a_resumed_run_is_judged_anew():
    run = useless(lambda: gn.train(NET, X, 1e5 + y, iterations=30, optimizer=gn.Adam(), random_state=0))
    assert "Standardize y" in run.reason
    again = useless(lambda: run.resume(100))
    assert again.finding != run.finding
    good, found = caught(lambda: again.resume(40, optimizer=gn.LevenbergMarquardt()))
    assert found == []
    assert good.finding == ""


def test_files_and_copies_keep_what_was_found(tmp_path):
    run = useless(lambda: gn.train(DEAD, X, y, parameters=dead_start()))
    gn.save(run, tmp_path / "run")
    assert gn.load(tmp_path / "run").reason == run.reason


def test_a_callback_sees_at_the_end_what_was_found():
    seen = []

    class Note(gn.Callback):
        def on_train_end(self, run):
            seen.append(run.finding)

    run = useless(lambda: gn.train(DEAD, X, y, parameters=dead_start(), callbacks=[Note()]))
    assert seen == [run.finding]


# ---- Endings that are not ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": gn.LevenbergMarquardt()},
        {"optimizer": gn.LBFGS()},
        {"iterations": 1000},
        {"iterations": 100, "batch_size": 20},
        {"iterations": 5},
        {"iterations": 5, "optimizer": gn.SGD(1e-9)},
        {"iterations": 50, "optimizer": gn.SGD(1e-3)},
        {"iterations": 0, "optimizer": gn.LevenbergMarquardt()},
        {"iterations": 300, "dropout": 0.3},
        {"iterations": 300, "l2": 0.01, "l1": 0.001},
        {"iterations": 300, "validation": 0.2, "stopping": gn.EarlyStopping(5)},
        {"iterations": 300, "average": 0.9},
    ],
)
def test_what_learns_or_was_cut_short_is_not_warned_of(settings):
    network = NET
    run, found = caught(lambda: gn.train(network, X, y, **{"random_state": 0, **settings}))
    assert (found, run.finding) == ([], "")


@pytest.mark.parametrize("n", [60, 3000])
@pytest.mark.parametrize("optimizer", [gn.LBFGS(), gn.SGD()])
def test_what_noise_teaches_is_no_stall(optimizer, n):
    noise = np.random.RandomState(1).randn(n, 4)
    run, found = caught(
        lambda: gn.train(
            gn.Network((3, 1), output="identity"),
            noise[:, 1:],
            noise[:, 0],
            optimizer=optimizer,
            iterations=200,
        )
    )
    assert (found, run.finding) == ([], "")


@pytest.mark.parametrize("constant", [0.0, 3.0])
def test_a_target_that_never_varies_is_learned(constant):
    run, found = caught(lambda: gn.train(NET, X, np.full(60, constant), iterations=300, random_state=0))
    assert (found, run.finding) == ([], "")


def test_what_diverged_or_was_interrupted_has_its_own_warning():
    run, found = caught(lambda: gn.train(NET, 1e3 * X, 1e5 * y, optimizer=gn.SGD(10.0), random_state=0))
    assert (run.status, found, run.finding) == ("diverged", [], "")


@pytest.mark.parametrize("loss", ALL_LOSSES)
def test_every_loss_can_be_learned_without_a_word(make_network, make_data, loss):
    network = make_network((3, 8), "tanh", loss)
    inputs, targets = make_data(network, 30)
    run, found = caught(
        lambda: gn.train(network, inputs, targets, optimizer=gn.LBFGS(), iterations=300, random_state=0)
    )
    assert (found, run.finding) == ([], "")


# ---- Estimators and sweeps ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, csr_array])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_an_estimator_that_ends_so_says_so(form, solver):
    far = 1e4 + np.abs(X)  # unscaled, as no first weights suit
    model = gn.MLPRegressor("squared_error", (2,), activation="tanh", solver=solver, random_state=0)
    _, found = caught(lambda: model.fit(form(far), y - 3))
    (warning,) = found
    assert "Standardize X" in str(warning.message)
    assert warning.filename == __file__


def test_an_estimator_by_a_solver_of_ours_says_so():
    model = gn.MLPRegressor(
        hidden_layer_sizes=(2,), solver="lm", random_state=0, warm_start=True, max_iter=50
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    model.intercepts_[0][:] = -100  # all units off at every sample
    (warning,) = caught(lambda: model.fit(X, y))[1]
    assert "2 of 2 units of hidden layer 1 are dead" in str(warning.message)
    assert warning.filename == __file__


def test_partial_fit_says_nothing_since_it_has_no_end():
    model = gn.MLPRegressor(random_state=0)
    _, found = caught(lambda: [model.partial_fit(WIDE, PRICES) for _ in range(30)])
    assert found == []


def test_an_ensemble_says_it_once():
    model = gn.Ensemble(gn.MLPRegressor(hidden_layer_sizes=(4,)), 3, random_state=0)
    (warning,) = caught(lambda: model.fit(WIDE, PRICES))[1]
    assert str(warning.message).startswith("3 of 3 members: Training ended, but its loss")
    assert warning.filename == __file__


def test_a_sweep_says_it_once_where_its_best_network_is_useless():
    grid = {"learning_rate": [1e-3, 1e-2]}
    result, found = caught(
        lambda: gn.sweep(NET, X, 1e5 + y, optimizer=gn.Adam(), grid=grid, iterations=100, random_state=0)
    )
    (warning,) = found
    assert "2 of 2 networks of the sweep ended useless, the best (learning_rate 0.01) among" in str(
        warning.message
    )
    assert warning.filename == __file__
    assert "Standardize y" in result.best.run.reason
    _, found = caught(
        lambda: gn.sweep(NET, X, y, grid={"learning_rate": [1e-9, 0.1]}, iterations=100, random_state=0)
    )
    assert found == []


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), KeyboardInterrupt()])
def test_an_error_of_the_look_at_the_end_has_the_run(error, monkeypatch):
    def remark_on(run):
        raise error

    monkeypatch.setattr("glassnet.training.run_policy.remark_on", remark_on)
    with pytest.raises(type(error)) as caught:
        gn.train(NET, X, y, iterations=30, random_state=0)
    assert caught.value.run.iterations == 30
    assert caught.value.run.status == "completed"
    assert "attribute `run`" in caught.value.__notes__[0]
