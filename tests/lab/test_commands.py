"""What a page can ask for: time, branches, settings, layers, weights, samples and tables."""

from dataclasses import MISSING, fields, replace

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.generators import generate
from glassnet.lab.branch import MOST_TIMES, Branch
from glassnet.lab.commands import COMMANDS
from glassnet.lab.session import Session
from glassnet.lab.sources import study_of_set
from glassnet.optim.schedules import SCHEDULES, schedule_from_dict
from glassnet.training.steppers import RULES

X, Y = generate("moons", 0, n_samples=80)
NETWORK = gn.Network((2, 3, 2), hidden="tanh")
SETTINGS = {"optimizer": gn.SGD(0.5), "random_state": 0}


@pytest.fixture
def session():
    with Session(X, Y, NETWORK, iterations=300, **SETTINGS) as session:
        yield session


@pytest.fixture
def do(session):
    def do(name, /, **arguments):
        answer = session.command({"do": name, **arguments})
        assert "error" not in answer, answer
        return answer

    return do


def trained(iterations, **settings):
    return gn.train(NETWORK, X, Y, iterations=iterations, **{**SETTINGS, **settings})


# ---- Time and branches ----------------------------------------------------------------------------


def test_seek_shows_the_bits_that_training_had(session, do):
    do("step", n=60)
    losses = session.shown_run().losses
    for k in (0, 17, 59, 60):
        assert do("seek", iteration=k)["loss"] == losses[k]
        np.testing.assert_array_equal(session.frame().arrays["parameters"], trained(k).parameters.flat)
    assert do("seek", iteration=17)["last"] == 60
    assert session.frame().arrays["losses"].shape[1] == 61  # the curve shows all of the past
    assert do("step_back")["iteration"] == 16
    assert do("step_back", n=100)["iteration"] == 0
    assert do("step", n=5)["iteration"] == 5
    assert do("step", n=500)["iteration"] == 60  # of what is there


def test_seek_beyond_the_end_is_refused(session, do):
    do("step", n=3)
    assert "has come to 3" in session.command({"do": "seek", "iteration": 4})["error"]


def test_play_from_the_past_shows_it_again_and_trains_on(session, do):
    do("step", n=40)
    do("seek", iteration=10)
    do("end_at", iteration=50)
    do("play")
    seen = 0
    while session.brief()["state"] == "playing":
        seen = session.wait(seen, 10)
    assert session.brief()["iteration"] == 50
    np.testing.assert_array_equal(session.shown_run().losses, trained(50).losses)


def test_branch_goes_its_own_way_and_leaves_the_first_one(session, do):
    do("step", n=30)
    do("seek", iteration=20)
    do("branch", name="slower")
    do("train_with", optimizer={"name": "sgd", "learning_rate": 0.1})
    do("step", n=10)
    tape = gn.Tape(NETWORK, X, Y, **SETTINGS)
    tape.advance(20)
    tape.change(optimizer=gn.SGD(0.1))
    np.testing.assert_array_equal(session.shown_run().losses, tape.advance(10).losses)
    assert do("compare", name="Run")["iteration"] == 21
    assert "other_losses" in session.frame().arrays
    names = [(one["name"], one["parent"], one["at"], one["shown"]) for one in do("setup")["branches"]]
    assert names == [("Run", "", 0, False), ("slower", "Run", 20, True)]
    do("turn_to", name="Run")
    np.testing.assert_array_equal(session.shown_run().losses, trained(30).losses)
    do("drop_branch", name="slower")
    assert "is shown" in session.command({"do": "drop_branch", "name": "Run"})["error"]
    assert "Unknown branch" in session.command({"do": "turn_to", "name": "slower"})["error"]


def test_change_in_the_past_begins_a_branch_and_a_refused_one_none(session, do):
    do("step", n=20)
    do("seek", iteration=5)
    wrong = {"do": "train_with", "optimizer": {"name": "sgd", "learning_rate": 0.1, "rate": 1}}
    assert "rate" in session.command(wrong)["error"]
    freeze = {"do": "train_with", "freeze": [7]}
    assert "error" in session.command(freeze)
    assert [branch.name for branch in session.branches] == ["Run"]
    assert session.brief()["last"] == 20
    do("train_with", l2=0.01)
    assert [branch.name for branch in session.branches] == ["Run", "Branch 2"]
    assert session.brief()["last"] == 5


@pytest.mark.parametrize(
    "message",
    [
        {"do": "seek", "iteration": 9_000_000},
        {"do": "turn_to", "name": "nowhere"},
        {"do": "start_with", "name": "nothing"},
        {"do": "open_lesson", "text": "lesson = 1\n[data]\nset = 'xor'\n[[beside]]\ntraining = {l2 = -1}"},
        {"do": "try_remedy", "finding": 0},
        {"do": "try_remedy", "finding": 1},
    ],
)
def test_refused_command_lets_training_play_on_as_it_was(session, do, message):
    wrong = {"optimizer": {"name": "sgd", "learning_rate": -1}}
    session.diagnosis = {
        "findings": [
            {"name": "rate", "remedy": {"changes": wrong, "anew": anew, "words": ""}}
            for anew in (False, True)
        ]
    }
    session.looked_at = session.current
    do("end_at", iteration=10_000_000)
    do("pace", iterations=1)
    do("play")
    tape = session.current.tape
    assert "error" in session.command(message)
    assert session.brief()["state"] == "playing"
    assert [branch.tape for branch in session.branches] == [tape]
    assert session.current.tape is tape


def test_clock_has_the_seconds_of_each_branch_and_never_goes_back(session, do):
    do("step", n=40)
    do("seek", iteration=20)
    do("branch")
    do("step", n=20)
    arrays, branches = session.frame().arrays, do("setup")["branches"]
    for name, branch in (("other_clock", branches[0]), ("clock", branches[1])):
        iterations, seconds = arrays[name]
        assert iterations[0] == seconds[0] == 0
        assert iterations[-1] == branch["iterations"]
        assert seconds[-1] == branch["seconds"] > 0
        assert (np.diff(iterations) > 0).all()
        assert (np.diff(seconds) >= 0).all()


def test_clock_of_a_branch_counts_no_replay(session, do):
    do("step", n=40)
    branch = session.current
    branch.past = branch.past._replace(clock=np.array([[0, 40.0], [0, 4_000]]))
    do("seek", iteration=20)
    do("branch")
    assert do("setup")["branches"][1]["seconds"] == 2_000
    do("step")
    assert 2_000 < do("setup")["branches"][1]["seconds"] < 4_000


def test_clock_of_long_training_stays_short():
    branch = Branch.of("Run", study_of_set("xor", {"n_samples": 20}))
    for k in range(1, 3_000):
        branch.note(replace(branch.tape.run, losses=np.zeros(k + 1), seconds=float(k)))
    iterations, seconds = branch.past.clock
    assert len(iterations) <= MOST_TIMES
    assert iterations[0] == 0
    assert iterations[-1] == 2_999
    np.testing.assert_array_equal(iterations, seconds)


# ---- How it learns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_train_with_takes_every_optimizer_and_solver(name):
    output = "identity" if name == "bayesian_regularization" else "softmax"
    network = gn.Network((2, 2, 1 if output == "identity" else 2), hidden="tanh", output=output)
    y = Y.astype(float) if output == "identity" else Y
    with Session(X, y, network) as session:
        session.command({"do": "step", "n": 2})
        answer = session.command({"do": "train_with", "optimizer": {"name": name}})
        assert "error" not in answer
        assert session.command({"do": "step", "n": 2})["iteration"] == 4
        assert session.command({"do": "setup"})["training"]["optimizer"]["name"] == name


def test_train_with_says_all_that_does_not_fit_and_changes_nothing(session, do):
    do("train_with", optimizer={"name": "levenberg_marquardt"})
    for wrong, words in [
        ({"dropout": 0.5}, "leave dropout out"),
        ({"optimizer": {"name": "sgd", "learning_rate": -1}}, "learning_rate is -1"),
        ({"l2": float("nan")}, "l2 is nan"),
        ({}, "at least one of"),
    ]:
        assert words in session.command({"do": "train_with", **wrong})["error"]
    assert do("setup")["training"]["optimizer"]["name"] == "levenberg_marquardt"


@pytest.mark.parametrize("name", SCHEDULES)
def test_train_with_takes_every_schedule_and_lessons_hold_it(name):
    settings = {"rate": 0.1, "every": 2, "factor": 0.9, "steps": 6, "updates": 3, "then": 0.1}
    needed = {one.name for one in fields(SCHEDULES[name]) if one.default is MISSING}
    plain = {"schedule": name, **{key: settings[key] for key in needed}}
    rule = gn.Adam(schedule_from_dict(plain))
    with Session(study_of_set("xor", {"n_samples": 40})) as session:
        session.command({"do": "train_with", "optimizer": rule.to_dict()})
        assert session.command({"do": "step", "n": 6})["iteration"] == 6
        assert session.setup()["training"]["optimizer"] == rule.to_dict()
        losses = session.shown_run().losses
        session.open_lesson(session.lesson())
        session.command({"do": "step", "n": 6})
        np.testing.assert_array_equal(session.shown_run().losses, losses)


def test_schedule_that_listens_to_held_out_rows_is_refused_without_them(session, do):
    do("step", n=2)
    rule = gn.SGD(gn.ReduceOnPlateau(0.1)).to_dict()
    assert "no validation data" in session.command({"do": "train_with", "optimizer": rule})["error"]
    nested = {"name": "sgd", "learning_rate": {"a": {"b": {"c": 1}}}}
    assert "expected a number" in session.command({"do": "train_with", "optimizer": nested})["error"]
    assert do("setup")["training"]["optimizer"]["learning_rate"] == 0.5


@pytest.mark.parametrize(
    ("y", "losses"),
    [
        (Y, ["cross_entropy", "binary_cross_entropy", "brier"]),
        (Y + (X[:, 0] > 1), ["cross_entropy"]),
        (X[:, 1] - 3, ["squared_error", "absolute_error", "huber", "quantile"]),
        (3 * Y + 0.5, ["squared_error", "absolute_error", "huber", "quantile", "poisson"]),
        (Y - 0.5, ["squared_error", "absolute_error", "huber", "quantile", "tanh_error"]),
    ],
)
def test_measure_by_takes_every_loss_that_suits_the_targets(y, losses):
    with Session(X, y) as session:
        assert session.setup()["network"]["losses"] == losses
        for name in losses:
            answer = session.command({"do": "measure_by", "loss": {"name": name}})
            assert "starts over" in answer["note"]
            assert session.command({"do": "step", "n": 3})["iteration"] == 3
            assert session.setup()["network"]["loss"]["name"] == name
            network = session.study.network
            same = gn.train(network, X, y, iterations=3, **session.study.settings)
            np.testing.assert_array_equal(session.shown_run().losses, same.losses)
        other = "huber" if losses[0] == "cross_entropy" else "cross_entropy"
        refused = session.command({"do": "measure_by", "loss": {"name": other}})
        assert "does not suit" in refused["error"]


def test_loss_keeps_its_settings_and_the_data_their_network(session, do):
    do("data", name="xor", settings={"n_samples": 40})
    do("network", units=[5], hidden=["relu"])
    do("measure_by", loss={"name": "cross_entropy", "label_smoothing": 0.1})
    do("data", name="xor", settings={"n_samples": 40, "noise": 0.3})
    assert str(session.study.network) == "2-5-2 (relu, softmax; cross_entropy(label_smoothing=0.1))"
    do("measure_by", loss={"name": "brier"})
    do("data", name="xor", settings={"n_samples": 40, "noise": 0.2})
    assert session.study.network.sizes == (2, 5, 1)
    assert do("step")["iteration"] == 1


def test_stop_after_ends_training_where_it_no_longer_improves_and_lessons_hold_it(session, do):
    do("data", name="xor", settings={"n_samples": 60})
    do("stop_after", patience=3, metric="accuracy", tolerance=0.01)
    answer = do("step", n=400)
    assert answer["iteration"] < 400
    assert answer["trouble"] == "Training has ended: accuracy has not improved for 3 evaluations."
    assert answer["state"] == "ended"
    assert do("seek", iteration=1)["state"] == "paused"
    rule = {"patience": 3, "tolerance": 0.01, "metric": "accuracy", "restore_best": True}
    assert do("setup")["training"]["stopping"] == rule
    session.open_lesson(session.lesson())
    assert do("step", n=400)["iteration"] == answer["iteration"]
    do("stop_after", patience=None)
    assert do("setup")["training"]["stopping"] is None
    assert do("step", n=400)["iteration"] == 400


def test_batches_start_over_and_say_so(session, do):
    do("step", n=5)
    assert "starts over" in do("train_with", batch_size=16)["note"]
    do("step", n=3)
    np.testing.assert_array_equal(session.shown_run().losses, trained(3, batch_size=16).losses)
    do("train_with", batch_size=8)
    assert do("step")["iteration"] == 4


def test_network_goes_on_with_other_activations_and_starts_over_with_other_units(session, do):
    do("step", n=5)
    assert "go on" in do("network", units=[3], hidden=["relu"])["note"]
    assert session.brief()["iteration"] == 5
    assert "starts over" in do("network", units=[4, 2], hidden=["tanh", "relu"])["note"]
    assert do("setup")["network"]["sizes"] == [2, 4, 2, 2]
    assert do("step")["iteration"] == 1
    do("network", units=[], hidden=[])
    assert do("setup")["network"]["sizes"] == [2, 2]


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ({"units": [10_000], "hidden": ["tanh"]}, "2-10000-2 is too large to draw: expected up to 8"),
        ({"units": [1000] * 3, "hidden": ["tanh"] * 3}, "2,007,002 parameters"),
        ({"units": [3], "hidden": ["sigmoidal"]}, "Unknown hidden[0] 'sigmoidal'"),
        ({"units": [3, 3], "hidden": ["tanh"]}, "hidden names 1 activation"),
    ],
)
def test_network_that_cannot_be_is_refused_in_words(session, do, layers, words):
    do("step", n=2)
    assert words in session.command({"do": "network", **layers})["error"]
    assert session.brief()["iteration"] == 2


def test_edit_sets_one_weight_and_training_goes_on_from_it(session, do):
    do("step", n=10)
    do("edit", index=4, value=2.5)
    assert session.frame().arrays["parameters"][4] == 2.5
    do("step", n=10)
    tape = gn.Tape(NETWORK, X, Y, **SETTINGS)
    theta = tape.advance(10).parameters.copy()
    theta.flat[4] = 2.5
    tape.change(parameters=theta)
    np.testing.assert_array_equal(session.shown_run().losses, tape.advance(10).losses)
    assert [event["edit"] for event in do("setup")["events"]] == [[4, 2.5]]
    assert "17 parameters" in session.command({"do": "edit", "index": 17, "value": 0})["error"]


def test_frozen_layer_stays_as_it_is(session, do):
    do("train_with", freeze=[1])
    before = session.frame().arrays["parameters"][:9]
    do("step", n=5)
    np.testing.assert_array_equal(session.frame().arrays["parameters"][:9], before)


def test_limit_is_where_gradient_descent_gets_unstable(session, do):
    do("step", n=10)
    run = session.shown_run()
    here = gn.curvature(NETWORK, run.parameters, X, Y)
    assert do("limit")["limit"] == pytest.approx(here.stability_limit(momentum=0.9), rel=1e-6)
    do("train_with", optimizer={"name": "adam"})
    assert do("limit")["limit"] is None
    weighted = {"class_weight": {0: 1.0, 1: 9.0}}
    with Session(X, Y, NETWORK, **SETTINGS, **weighted) as session:
        here = gn.curvature(NETWORK, session.shown_run().parameters, X, Y, **weighted)
        assert session.command({"do": "limit"})["lambda_max"] == pytest.approx(here.lambda_max, rel=1e-6)


# ---- What it learns ---------------------------------------------------------------------------------


def test_set_has_the_bits_of_the_experiment_until_something_changes():
    with Session(study_of_set("xor", {"n_samples": 100})) as session:
        session.command({"do": "step", "n": 5})
        loaded = gn.experiments.load_experiment("xor", {"data.n_samples": 100})
        settings = {**loaded.settings, "iterations": 5}
        same = gn.train(loaded.network, loaded.X, loaded.y, **settings)
        np.testing.assert_array_equal(session.shown_run().losses, same.losses)
        assert 0 <= session.frame().document["held_out_accuracy"] <= 1
        session.command({"do": "network", "units": [7], "hidden": ["relu"]})
        session.command({"do": "data", "name": "xor", "settings": {"noise": 0.4}})
        assert session.setup()["network"]["sizes"] == [2, 7, 2]
        assert session.setup()["data"]["source"]["noise"] == 0.4
        session.command({"do": "data", "name": "moons"})
        assert session.setup()["network"]["sizes"] == [2, 8, 2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "mooons"}, "Did you mean 'moons'"),
        ({"name": "moons", "settings": {"noise": -1}}, "noise"),
        ({"name": "moons", "settings": {"loudness": 1}}, "loudness"),
        ({"name": "moons", "settings": {"n_samples": 1e9}}, "takes up to 100,000"),
        ({"name": "moons", "held_out": 0.99}, "held_out is 0.99"),
    ],
)
def test_set_that_cannot_be_drawn_is_refused_in_words(session, do, arguments, words):
    do("step", n=2)
    assert words in session.command({"do": "data", **arguments})["error"]
    assert session.brief()["iteration"] == 2


def test_drawn_points_are_learned_and_change_while_training_goes_on(session, do):
    do("points", points=[[0, 0, 0], [1, 1, 1], [0, 1, 0]])
    do("step", n=3)
    do("add_point", place=[1, 0], target=1)
    do("label", row=2, target=1)
    do("erase_point", row=0)
    assert do("step")["iteration"] == 4
    samples = do("samples")
    assert samples["points"] == [[1, 1], [0, 1], [1, 0]]
    assert samples["targets"] == [1, 1, 1]
    for wrong, words in [
        ({"do": "points", "points": [[0, 0, 0]]}, "at least two points"),
        ({"do": "points", "points": [[0, 0, 0.5], [1, 1, 1]]}, "number of its class"),
        ({"do": "label", "row": 9, "target": 1}, "Row 9 is not among"),
        ({"do": "label", "row": 0, "target": 5}, "Class 5 is not there"),
    ]:
        assert words in session.command(wrong)["error"]


def test_table_is_opened_and_another_column_predicted(session, do):
    text = "width,height,kind\n" + "".join(f"{i % 7},{i * i % 11},{'ab'[i % 3 == 0]}\n" for i in range(60))
    answer = do("open_table", name="boxes.csv", text=text)
    assert answer["columns"] == ["width", "height", "kind"]
    assert do("setup")["data"]["classes"] == ["a", "b"]
    do("step", n=2)
    do("predict_column", column="width")
    assert do("setup")["data"]["target"] == "width"
    assert "height" in session.command({"do": "predict_column", "column": "hight"})["error"]


def test_rows_of_a_table_without_a_target_are_left_out_with_the_line_of_the_first(do):
    text = "width,kind\n" + "".join(f"{i},{'' if i == 3 else 'ab'[i % 2]}\n" for i in range(40))
    do("open_table", name="boxes.csv", text=text)
    assert "(the first at line 5)" in " ".join(do("setup")["data"]["notes"])


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "a,b\n1,2\n1\n3,4,5", "Line 3 of a.csv"),
        ("a.csv", "", "a.csv"),
        ("../../etc/a.csv", "a,b\n1\n", "of a.csv"),
        ("a.xlsx", "PK", "reads tables of text"),
        ("a.csv", "a,b\n1,x\n2,x\n", "a.csv"),
    ],
)
def test_broken_table_is_refused_in_words_and_nothing_is_disturbed(session, do, name, text, words):
    do("step", n=2)
    error = session.command({"do": "open_table", "name": name, "text": text})["error"]
    assert words in error
    assert "/tmp" not in error
    assert session.brief()["iteration"] == 2


def test_axes_are_two_inputs_or_the_principal_ones(do, session):
    wide = np.random.RandomState(0).normal(size=(40, 4))
    with Session(wide, (wide[:, 0] > 0).astype(int)) as session:
        session.command({"do": "axes", "inputs": ["x₂", "x₄"]})
        assert session.command({"do": "samples"})["labels"] == ["x₂", "x₄"]
        session.command({"do": "axes", "inputs": None})
        assert session.command({"do": "samples"})["labels"][0].startswith("principal")
        assert "Unknown" in session.command({"do": "axes", "inputs": ["x9"]})["error"]


def test_catalog_has_all_of_the_registries(do):
    catalog = do("catalog")
    assert set(catalog["optimizers"]) == set(RULES)
    assert set(catalog["activations"]) == set(gn.ACTIVATIONS)
    assert "moons" in catalog["sets"]


def test_every_command_is_explained():
    assert [name for name, command in COMMANDS.items() if not command.function.__doc__] == []


# ---- What it explains -------------------------------------------------------------------------------


def test_explain_is_that_of_python_at_the_iteration_shown(session, do):
    do("step", n=10)
    do("seek", iteration=4)
    answer = do("explain", what="gradient", layer=1, unit=2, input=1)
    same = gn.explain(trained(4), X, Y, what="gradient", layer=1, unit=2, input=1)
    assert answer["value"] == same.value
    assert answer["iteration"] == 4
    assert answer["passed"]
    assert len(do("explain", what="pass", sample=7)["parts"]) > 3
    for wrong, words in [
        ({"what": "everything"}, "Unknown what"),
        ({"what": "bias", "layer": 1}, "unit"),
        ({"what": "pass", "sample": 80}, "from 0 to 79"),
        ({"what": "bias", "layer": 9, "unit": 0}, "layer"),
    ]:
        assert words in session.command({"do": "explain", **wrong})["error"]


def test_sample_has_the_activations_and_deltas_that_explain_gives(session, do):
    do("step", n=10)
    found = do("sample", row=7)
    assert found["activations"][0] == X[7].tolist()
    for layer, width in ((1, 3), (2, 2)):
        for unit in range(width):
            place = {"sample": 7, "layer": layer, "unit": unit}
            for what, numbers in (("activation", "activations"), ("delta", "deltas")):
                assert found[numbers][layer][unit] == do("explain", what=what, **place)["value"]
    assert "from 0 to 79" in session.command({"do": "sample", "row": 80})["error"]


def test_report_is_of_the_state_that_is_shown_with_the_branch_under_a_slider(session, do):
    do("step", n=20)
    loss = do("seek", iteration=12)["loss"]
    text = do("report")["text"]
    assert f"{loss:.4g}"[:5] in text
    assert "How it learned" in text
    assert do("step_back")["iteration"] == 11


@pytest.mark.parametrize(("anew", "loss_of"), [(True, 0), (False, 5)])
def test_remedies_are_tried_on_the_branch_that_was_looked_at(session, do, anew, loss_of):
    session.diagnosis = {
        "findings": [
            {"name": name, "remedy": {"changes": changes, "anew": anew, "words": ""}}
            for name, changes in (("one", {"l2": 0.5}), ("two", {"optimizer": {"name": "adam"}}))
        ],
    }
    session.looked_at = session.current
    do("step", n=5)
    for finding in (0, 1):
        do("try_remedy", finding=finding)
        do("pause")
    assert session.study.settings.get("l2", 0) == 0
    assert session.current.name == "Mend two"
    assert session.current.tape.losses[loss_of] == session.branches[0].tape.losses[loss_of]
    do("data", name="xor")  # which has a branch of the same name
    assert "is gone" in session.command({"do": "try_remedy", "finding": 0})["error"]


def test_diagnose_finds_why_and_its_remedy_goes_on_a_branch():
    zeros = np.zeros(NETWORK.n_parameters)
    with Session(X, Y, NETWORK, optimizer=gn.SGD(0.5), parameters=zeros, iterations=50) as session:
        assert "ask diagnose first" in session.command({"do": "findings"})["error"]
        session.command({"do": "step", "n": 20})
        session.command({"do": "diagnose"})
        seen, found = 0, {"looking": True}
        while found.get("looking"):
            seen = session.wait(seen, 20)
            found = session.command({"do": "findings"})
        assert found["findings"][0]["name"] == "equal_units"
        assert "There is no finding 99" in session.command({"do": "try_remedy", "finding": 99})["error"]
        assert "error" not in session.command({"do": "try_remedy", "finding": 0})
        assert [branch.name for branch in session.branches] == ["Run", "Mend equal units"]
        session.command({"do": "pause"})
        session.command({"do": "step", "n": 30})
        assert session.brief()["loss"] < 0.6  # which the first branch, at 0.69, never leaves


def test_frame_has_the_hidden_layer_in_three_dimensions(session):
    frame = session.frame()
    H = NETWORK.forward(session.shown_run().parameters, X)[0]
    np.testing.assert_allclose(frame.arrays["hidden"], H, rtol=1e-6)
    assert frame.document["hidden_labels"] == ["unit 0", "unit 1", "unit 2"]


def test_raw_columns_are_warned_of_and_standardized(session):
    raw = np.column_stack([1000 + 50 * X[:, 0], X[:, 1]])
    with Session(raw, Y, NETWORK) as session:
        (note,) = session.setup()["data"]["notes"]
        assert note.startswith("Of raw scale, up to 1.")
        assert "x₁. Standardize them." in note
        assert "starts over" in session.command({"do": "train_with", "standardize": True})["note"]
        assert session.setup()["data"]["notes"] == []
        session.command({"do": "step", "n": 5})
        same = gn.train(NETWORK, raw, Y, iterations=5, standardize=True, random_state=0)
        np.testing.assert_array_equal(session.shown_run().losses, same.losses)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            "[data]\nset = 'moons'\nn_samples = 1_000_000_000",
            "n_samples is 1000000000; the lab takes up to",
        ),
        (
            "[data]\nset = 'blobs'\nn_samples = 90_000\nn_features = 90_000",
            "too many numbers; the lab takes up to",
        ),
        (
            "[data]\nset = 'xor'\n[network]\nsizes = [2, 900, 900, 2]\nhidden = ['tanh', 'tanh']\n"
            "output = 'softmax'",
            "parameters; the lab draws up to 200,000",
        ),
        ("[data]\nset = 'xor'\n[[beside]]\niterations = 1_000_000", "at most 5,000 iterations at once"),
    ],
)
def test_lesson_cannot_ask_for_more_than_a_machine_has(do, session, lines, words):
    assert words in session.command({"do": "open_lesson", "text": f"lesson = 1\n{lines}"})["error"]
