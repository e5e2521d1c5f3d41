"""Whole experiments: settings, the notebook's random stream, results that are complete or not there."""

import inspect
import json
import re
import signal
import sys
import tomllib
from dataclasses import replace
from functools import wraps
from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.cli.jobs import job
from glassnet.cli.jobs.job import run_experiment
from glassnet.cli.jobs.prediction import csv_lines, predict_table
from glassnet.cli.jobs.results import folder as results_folder
from glassnet.cli.jobs.results.folder import ResultsFolder
from glassnet.cli.jobs.results.record import RECORD, describe_run
from glassnet.cli.jobs.sweeping import PICTURES as SWEEP_PICTURES
from glassnet.cli.jobs.sweeping import choose_grids, run_sweeps
from glassnet.data.generators import GENERATORS, generate
from glassnet.data.tables import read_table
from glassnet.errors import FileError, GradientError, InputError, InputTypeError
from glassnet.experiments import (
    Override,
    built_in,
    find_experiment,
    parse_assignment,
    preparation,
)
from glassnet.experiments.library import to_toml
from glassnet.experiments.preparation import Draws
from glassnet.experiments.schema import IN_NO_FILE, SECTIONS, TOP, TRAIN_ONLY
from glassnet.experiments.settings import experiment_from
from glassnet.nn.activations import ACTIVATIONS
from glassnet.nn.losses import LOSSES, OUTPUTS
from glassnet.nn.network import SCHEMES
from glassnet.optim import OPTIMIZERS
from glassnet.plots.style import new_figure

PARTS = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
QUICK = {"pictures": False, "report": False, "baselines": False}
OF_CLASSES = {*job.PICTURES} - {*job.NEEDS} | {
    "hidden_projection.png",
    "film.png",
    "output_surface.png",
    "confusion.png",
    "roc.png",
}


def flat(arrays, when):
    return np.concatenate([arrays[f"{when}_{part}"].ravel() for part in PARTS])


def overrides(**values):
    return {key.replace("__", "."): Override(value, f"--{key}") for key, value in values.items()}


def small(**values):
    """The circles with fewer samples and iterations."""
    return find_experiment(
        "circles", overrides(**{"data__n_samples": 200, "train__iterations": 20, **values})
    )


@pytest.fixture
def cheap_pictures(monkeypatch):
    """Every picture is blank."""
    for name in job.PICTURES:
        monkeypatch.setitem(job.PICTURES, name, lambda outcome: new_figure(0.1, 0.1, None))


@pytest.fixture
def flowers(tmp_path):
    """A table of two features, an identifier and a target of text."""
    random = np.random.RandomState(0)
    rows = ["width,length,name,species"]
    for i in range(40):
        kind = i % 2
        width, length = random.randn(2) + 3 * kind
        rows.append(f"{width},{length},plant {i},{('setosa', 'virginica')[kind]}")
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def table(path, target="species", **values):
    values = {"data__ignore": ["name"], "train__iterations": 200, **values}
    found = find_experiment(str(path), overrides(data__target=target, **values))
    return replace(found, automatic=False)  # by the defaults of a file, on the full batch


# ---- The notebook ---------------------------------------------------------------------------------


def test_circles_draws_from_the_notebooks_stream_and_follows_its_losses(circles, tmp_path):
    experiment = find_experiment("circles", overrides(train__iterations=100))
    outcome = run_experiment(experiment, tmp_path, **QUICK)
    assert np.array_equal(outcome.initial.flat, flat(circles, "initial"))
    assert np.allclose(outcome.run.losses, circles["loss"][:101], rtol=1e-10, atol=0)
    assert outcome.check.passed
    assert len(outcome.check.table) == 17
    assert outcome.check.n_samples == 50_000


def test_circles_checks_the_gradient_at_the_notebooks_parameters(circles):
    assert np.array_equal(Draws(find_experiment("circles")).check_point().flat, flat(circles, "check"))


def test_leaving_out_the_gradient_check_does_not_move_the_start(tmp_path):
    outcomes = [run_experiment(small(check__enabled=on), tmp_path, **QUICK) for on in (True, False)]
    assert outcomes[1].check is None
    assert np.array_equal(outcomes[0].initial.flat, outcomes[1].initial.flat)


def test_circles_is_the_notebooks_job():
    circles = find_experiment("circles")
    assert circles["random_state"] == 42
    assert circles.of_named("data") == {"n_samples": 50_000, "factor": 0.1, "noise": 0.1}
    assert (circles["network.hidden"], circles["network.activation"]) == ([3], "logistic")
    assert circles.optimizer() == gn.SGD(learning_rate=1e-4, momentum=0.5)
    assert (circles["train.iterations"], circles["train.reduction"]) == (50_000, "sum")
    assert (circles["train.scheme"], circles["check.scheme"]) == ("normal", "normal")
    assert circles.sweeps["notebook"] == {
        "learning_rate": [0.01, 0.02, 0.05, 0.1, 0.25],
        "momentum": [0.0, 0.01, 0.05, 0.1, 0.5],
        "iterations": 20_000,
    }


# ---- Settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", built_in())
def test_built_in_experiment_survives_being_written_and_read(name, tmp_path):
    experiment = find_experiment(name)
    path = tmp_path / "copy.toml"
    path.write_text(to_toml(experiment.to_dict(), "A comment."))
    again = find_experiment(str(path))
    assert again.to_dict() == experiment.to_dict()
    assert again.name == experiment.name


@pytest.mark.parametrize("name", built_in())
def test_built_in_experiment_is_explained(name):
    assert built_in()[name].startswith("# ")


def test_settings_name_every_key_with_a_default(flowers):
    settings = table(flowers).to_dict()
    for section, keys in SECTIONS.items():
        for key, (_, default) in keys.items():
            if default not in (None, ()):
                assert key in settings[section]
    assert settings["train"]["learning_rate"] == gn.SGD().learning_rate


def test_toml_survives_any_text_and_number():
    document = {
        "a key": 'quotes " and \\ and \n and \x7f and 🌷',
        "numbers": [1, -2.5, 1e-7, 1e22, 50_000],
        "truth": True,
        "section": {"empty": [], "inner.dot": {"x": 0.1}},
    }
    assert tomllib.loads(to_toml(document, "two\nlines")) == document


def test_a_table_is_found_again_from_a_copy_elsewhere(flowers, tmp_path, monkeypatch):
    monkeypatch.chdir(flowers.parent)
    experiment = table(flowers.name)
    (tmp_path / "deep").mkdir()
    copy = tmp_path / "deep" / "copy.toml"
    copy.write_text(to_toml(experiment.to_dict()))
    monkeypatch.chdir("/")
    assert len(Draws(find_experiment(str(copy))).samples.X) == 30


def test_a_table_is_looked_for_beside_the_experiments_file(flowers, monkeypatch):
    path = flowers.parent / "own.toml"
    path.write_text('[data]\nfile = "flowers.csv"\ntarget = "species"\nignore = ["name"]\n')
    monkeypatch.chdir("/")
    assert len(Draws(find_experiment(str(path))).samples.X) == 30


MISTAKES = {
    'titel = "x"': (InputError, "'titel'. Did you mean 'title'?"),
    "[trian]": (InputError, r"'\[trian\]'. Did you mean '\[train\]'?"),
    "iterations = 3": (InputError, r"It belongs to \[train\]: train.iterations"),
    "train = 3": (
        InputTypeError,
        r"train in own.toml is 3 \(a whole number\); expected a section \[train\]",
    ),
    "[train]\niteration = 3": (InputError, "Did you mean 'iterations'?"),
    "[train]\niterations = 5e4": (InputTypeError, r"50000.0 .* expected a whole number: write 50000\."),
    '[train]\niterations = "3"': (InputTypeError, r'"3" \(text\); expected a whole number\.'),
    "[train]\niterations = -1": (
        InputError,
        "train.iterations in own.toml: iterations is -1; expected 0 or more",
    ),
    "[train]\nlearning_rate = 0": (InputError, "train.learning_rate in own.toml: learning_rate is 0"),
    "[train]\nmomentum = 1": (InputError, "train.momentum in own.toml: momentum is 1"),
    '[train]\noptimizer = "sdg"': (InputError, "Unknown optimizer in own.toml: 'sdg'. Did you mean 'sgd'?"),
    '[train]\nreduction = "summ"': (InputError, "Did you mean 'sum'?"),
    '[train]\nscheme = "norml"': (InputError, "Did you mean 'normal'?"),
    '[train]\nengine = "nativ"': (InputError, "Did you mean 'native'?"),
    '[train]\ndtype = "float16"': (InputError, "float32 or float64"),
    "[train]\nthreads = 0": (InputError, "threads is 0"),
    "[network]\nhidden = [3, 0]": (InputError, r"hidden layer 2 of \[3, 0\] has a width of 0"),
    "[network]\nhidden = 3": (InputTypeError, "expected a list of whole numbers"),
    '[network]\nactivation = "relo"': (InputError, "Did you mean 'relu'?"),
    '[network]\nhidden = [3]\nactivation = ["relu", "tanh"]': (
        InputError,
        r"2 activation\(s\) for 1 hidden",
    ),
    '[network]\noutput = "softmx"': (InputError, "Did you mean 'softmax'?"),
    '[network]\noutput = "softmax"\nloss = "squared_error"': (
        InputError,
        "written for the output 'identity'",
    ),
    '[train]\noptimizer = "lbfgs"\nlearning_rate = 0.1': (
        InputError,
        "lbfgs has no learning_rate: leave it out, or choose an optimizer that has: sgd, .* lion",
    ),
    "[check]\nepsilon = 0": (InputError, "epsilon is 0"),
    "[check]\nsamples = 0": (InputError, "expected 1 or more"),
    '[check]\nenabled = "no"': (InputTypeError, "expected true or false"),
    "random_state = -1": (InputError, "random_state is -1"),
    'name = "a/b"': (InputError, "expected the name of a folder"),
    "[sweep.x]": (InputError, "has no lists to try"),
    "[sweep.x]\nrate = [1.0]": (InputError, "Unknown key of"),
    "[sweep.x]\nlearning_rate = 1.0": (InputTypeError, "expected a list of numbers"),
    '[sweep."a/b"]\nlearning_rate = [1.0]': (InputError, "cannot hold a slash"),
    "[pictures]\naxes = 3": (InputTypeError, "expected text, or a list of texts"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_settings_refuse_a_mistake_and_say_where_it_stands(text, tmp_path, monkeypatch):
    kind, words = MISTAKES[text]
    monkeypatch.chdir(tmp_path)
    Path("own.toml").write_text(f'{text}\n[data]\ngenerator = "moons"\n')
    with pytest.raises(kind, match=words) as caught:
        find_experiment("own.toml")
    assert "own.toml" in str(caught.value)


DATA_MISTAKES = {
    "": "neither a generator nor a file",
    'generator = "moons"\nfile = "a.csv"': "both a generator and a file",
    'generator = "moon"': "Did you mean 'moons'?",
    'generator = "moons"\nn_sample = 3': "Did you mean 'n_samples'?",
    'generator = "moons"\nfactor = 0.1': "Unknown key of .data.",
    'generator = "moons"\ntarget = "y"': "goes with a table",
    'generator = "moons"\ntest_fraction = 1.0': "expected from 0 to below 1",
    'file = "a.csv"': "no target",
    'file = "a.csv"\ntarget = "y"\ntask = "regresion"': "Did you mean 'regression'?",
}


@pytest.mark.parametrize("text", DATA_MISTAKES)
def test_data_section_refuses_a_mistake(text, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(f"[data]\n{text}\n")
    with pytest.raises(InputError, match=DATA_MISTAKES[text]):
        find_experiment(str(path))


def test_an_override_is_named_in_its_error():
    with pytest.raises(InputError, match=r"^--momentum 2: momentum is 2"):
        find_experiment("circles", {"train.momentum": Override(2, "--momentum 2")})
    with pytest.raises(InputError, match=r"in --set train.x: 'x'"):
        find_experiment("circles", dict([parse_assignment("train.x=1")]))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a = 1.5", 1.5),
        ("a=[1, 2]", [1, 2]),
        ("a=text", "text"),
        ('a="1"', "1"),
        ("a=true", True),
    ],
)
def test_assignment_reads_a_value_as_toml_does(text, value):
    key, override = parse_assignment(text)
    assert (key, override.value) == ("a", value)
    assert type(override.value) is type(value)


@pytest.mark.parametrize("text", ["a", "=1", ""])
def test_assignment_without_a_key_or_a_value_is_refused(text):
    with pytest.raises(InputError, match="KEY=VALUE"):
        parse_assignment(text)


def test_an_override_adds_a_grid():
    experiment = find_experiment("circles", dict([parse_assignment("sweep.mine.momentum=[0, 0.5]")]))
    assert experiment.sweeps["mine"] == {"momentum": [0, 0.5]}
    assert experiment.name == "circles"


def test_find_experiment_tells_what_there_is(tmp_path, flowers):
    with pytest.raises(InputError, match=r"Did you mean 'circles'?"):
        find_experiment("circels")
    with pytest.raises(FileError, match=r"Did you mean 'flowers\.csv'?"):
        find_experiment(str(tmp_path / "flowrs.csv"))
    with pytest.raises(InputError, match=r"--target COLUMN. It has: width, length, name, species\."):
        find_experiment(str(flowers))
    (tmp_path / "bad.toml").write_text("[data\n")
    with pytest.raises(FileError, match=r"not valid TOML: .*line 1"):
        find_experiment(str(tmp_path / "bad.toml"))
    (tmp_path / "latin.toml").write_bytes(b'title = "\xe9"')
    with pytest.raises(FileError, match="UTF-8"):
        find_experiment(str(tmp_path / "latin.toml"))


# ---- Data and networks ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_can_be_learned(name, tmp_path):
    document = {
        "data": {"generator": name, "n_samples": 60, "test_fraction": 0.5},
        "train": {"iterations": 3},
    }
    outcome = run_experiment(experiment_from(document, name, name, tmp_path), tmp_path / "r", **QUICK)
    assert outcome.run.status == "completed"
    assert (outcome.samples.n, outcome.samples.n_held_out) == (30, 30)
    assert list(outcome.scores) == ["training", "held-out"]


def test_table_with_the_name_of_a_built_in_experiment_is_a_table_where_a_target_is_named(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("digits").write_text("a,b\n1,2\n2,3\n")
    assert find_experiment("digits", overrides(data__target="b"))["data.file"] == "digits"
    assert find_experiment("digits")["data.generator"] == "digits"


def test_quantity_over_one_input_is_drawn_once_with_its_samples(tmp_path):
    sine = find_experiment("sine", overrides(train__iterations=3, check__enabled=False))
    outcome = run_experiment(sine, tmp_path / "r", report=False, baselines=False)
    assert {"decision_boundary.png", "regression.png"} < set(outcome.files)
    assert not {"output_surface.png", "importance.png", "partial_dependence.png"} & set(outcome.files)
    assert outcome.insights[0].mistakes
    assert "film.png" in outcome.files


@pytest.fixture
def only_the_film(monkeypatch):
    """Other pictures take longer, and are drawn by other tests."""
    monkeypatch.setattr(job, "PICTURES", {"film.png": job.PICTURES["film.png"]})


def test_film_has_the_states_of_training_in_the_units_of_a_table(tmp_path, only_the_film):
    rows = "".join(f"{x},{1000 + 50 * x * x}\n" for x in range(-30, 31))
    (tmp_path / "curve.csv").write_text(f"x,y\n{rows}")
    settings = overrides(data__target="y", train__iterations=12, train__batch_size=16, check__enabled=False)
    experiment = find_experiment(str(tmp_path / "curve.csv"), settings)
    outcome = run_experiment(experiment, tmp_path / "r", report=False, baselines=False)
    assert "film.png" in outcome.files
    states = outcome.film["tape"]
    shorter = find_experiment(experiment.source, settings | overrides(train__iterations=7))
    expected = run_experiment(shorter, tmp_path / "s", pictures=False, report=False, baselines=False)
    assert np.array_equal(states.at(7).theta.flat, expected.run.theta.flat)
    assert 1_000 < states.at(7).predict([[0.0]])[0] < 46_000


def test_film_of_many_inputs_is_drawn_where_it_is_asked_for(tmp_path, only_the_film):
    iris = find_experiment("iris", overrides(train__iterations=3, check__enabled=False))
    quick = {"report": False, "baselines": False}
    assert "film.png" not in run_experiment(iris, tmp_path / "r", **quick).files
    assert {"film.png", "film.gif"} <= set(run_experiment(iris, tmp_path / "s", gif=True, **quick).files)


def test_film_of_a_run_that_went_on_begins_where_it_went_on(tmp_path, only_the_film):
    settings = overrides(train__iterations=20, data__n_samples=40, check__enabled=False)
    quick = {"pictures": False, "baselines": False, "report": False}
    run_experiment(find_experiment("moons", settings), tmp_path / "r", **quick)
    longer = find_experiment("moons", settings | overrides(train__iterations=50))
    outcome = run_experiment(longer, tmp_path / "r", resume=True, report=False, baselines=False)
    assert "film.png" in outcome.files
    assert outcome.replay.first == 20
    assert outcome.replay.at(20).iterations == 20


def test_iris_is_standardized_and_predicts_for_flowers_in_cm(tmp_path):
    outcome = run_experiment(find_experiment("iris"), tmp_path / "r", **QUICK)
    np.testing.assert_allclose(outcome.samples.X.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(outcome.samples.X.std(axis=0), 1)
    assert outcome.shown.feature_names[0] == "sepal length (cm)"
    assert outcome.shown.X[:, 0].min() > 4
    flowers = tmp_path / "flowers.csv"
    flowers.write_text(f"{','.join(outcome.shown.feature_names)}\n5.1,3.5,1.4,0.2\n6.3,3.3,6.0,2.5\n")
    lines = "".join(csv_lines(predict_table(outcome.folder, flowers, False, None).blocks)).split()
    assert lines[-2:] == ["setosa", "virginica"]


@pytest.mark.parametrize("name", ["moons", "parity", "spirals", "xor"])
def test_built_in_experiment_learns_what_can_be_learned(name, tmp_path):
    outcome = run_experiment(find_experiment(name), tmp_path / "r", **QUICK)
    settings = outcome.experiment.of_named("data") | {"n_samples": 20_000}
    assert outcome.run.score(*generate(outcome.experiment["data.generator"], 99, **settings)) > 0.99
    assert outcome.scores["held-out"].confusions[0].accuracy > 0.99


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({"data__generator": "moons"}, ["data.factor"]),
        ({"data__generator": "blobs"}, ["data.factor", "data.noise"]),
        ({"data__generator": "circles"}, []),
        (
            {"train__optimizer": "adam"},
            ["train.momentum", *(f"sweep.{g}.momentum" for g in ("notebook", "sensible"))],
        ),
    ],
)
def test_another_generator_or_optimizer_leaves_out_what_belonged_to_the_first(given, left_out):
    experiment = find_experiment("circles", overrides(**given))
    assert sorted(experiment.left_out) == sorted(left_out)
    assert not set(left_out) & set(experiment.values)
    assert experiment["data.n_samples"] == 50_000


def test_a_key_that_the_other_generator_lacks_is_refused_where_it_is_given():
    with pytest.raises(InputError, match=r"Unknown key of \[data\] in --set data\.factor"):
        find_experiment("circles", dict(map(parse_assignment, ("data.generator=moons", "data.factor=0.5"))))


@pytest.mark.parametrize(
    ("activation", "scheme"),
    [*((name, "glorot") for name in ACTIVATIONS), *(("tanh", name) for name in SCHEMES)],
)
def test_every_activation_and_scheme_can_be_asked_for(activation, scheme):
    draws = Draws(small(network__activation=activation, train__scheme=scheme))
    assert draws.network.hidden[0].name == activation
    assert draws.check(draws.check_point()).passed


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_output_is_taken_where_it_fits_the_task(output, flowers):
    tasks = {
        "class": table(flowers, "species", network__output=output),
        "real": table(flowers, "width", network__output=output, data__ignore=["name", "species"]),
    }
    fits = "class" if LOSSES[OUTPUTS[output].loss].target in ("class", "label") else "real"
    assert Draws(tasks.pop(fits)).network.output.name == output
    (other,) = tasks.values()
    with pytest.raises(InputError, match=rf"network__output: The output '{output}' does not fit a"):
        Draws(other)


def test_a_logistic_output_is_refused_for_three_classes(tmp_path):
    document = {"data": {"generator": "blobs", "n_samples": 30}, "network": {"output": "logistic"}}
    with pytest.raises(InputError, match="tells two classes apart, and there are 3"):
        Draws(experiment_from(document, "blobs", "blobs", tmp_path))


@pytest.mark.parametrize("n", [0, 1])
def test_generated_data_of_fewer_than_two_classes_are_refused(n):
    with pytest.raises(InputError, match="2 classes or more"):
        Draws(find_experiment("circles", overrides(data__n_samples=n)))


def test_the_gradient_check_takes_fewer_samples_for_a_large_network(monkeypatch):
    monkeypatch.setattr(preparation, "_CHECK_WORK", 2e6)
    draws = Draws(find_experiment("circles", overrides(data__n_samples=2000, network__hidden=[12])))
    found = draws.check(draws.check_point())
    assert found.passed
    assert 10 <= found.n_samples < 2000
    assert Draws(small(check__samples=7)).check(Draws(small()).check_point()).n_samples == 7


@pytest.mark.parametrize(
    ("axes", "expected"),
    [(["length", "width"], [1, 0]), (["length"], [1]), ("length", [1]), ("principal", "principal")],
)
def test_axes_are_named_by_feature(axes, expected, flowers):
    assert Draws(table(flowers, pictures__axes=axes)).samples.axes == expected


@pytest.mark.parametrize("axes", [["lengt"], ["length", "length"], [], ["species"]])
def test_axes_that_name_no_features_are_refused(axes, flowers):
    with pytest.raises(InputError, match="pictures__axes: "):
        Draws(table(flowers, pictures__axes=axes))


# ---- The folder of results ------------------------------------------------------------------------


def test_a_job_writes_every_file_and_lists_it(tmp_path):
    heard = []
    outcome = run_experiment(small(), tmp_path / "deep" / "r", tell=lambda *line: heard.append(line))
    files = {path.name for path in outcome.folder.iterdir()}
    assert files == {
        "model.safetensors",
        "losses.csv",
        "experiment.toml",
        "run.json",
        "report.html",
        *OF_CLASSES,
    }
    document = json.loads((outcome.folder / RECORD).read_text())
    assert set(document["files"]) == set(outcome.files) == files
    assert document["final_loss"] == outcome.run.losses[-1]
    assert np.sum(document["scores"]["training"]["confusion"]) == 200
    assert document["gradient_check"]["passed"] is True
    assert np.array_equal(document["parameters"]["W1"], outcome.run.parameters.weights[0])
    assert np.array_equal(document["initial_parameters"]["b2"], outcome.initial.biases[1])
    assert document["settings"] == small().to_dict()
    assert {"data", "gradient check", "training", *OF_CLASSES, "report.html"} <= set(document["timings"])
    losses = np.loadtxt(outcome.folder / "losses.csv", delimiter=",", skiprows=1)
    assert np.array_equal(losses[:, 1], outcome.run.losses)
    assert gn.load(outcome.folder / "model.safetensors").parameters == outcome.run.parameters
    labels = [label for label, _ in heard if label]
    assert labels[:4] == ["data", "network", "gradient check", "training"]
    for name in OF_CLASSES:
        assert (outcome.folder / name).read_bytes().startswith(b"\x89PNG")


def test_a_quantity_is_drawn_against_its_predictions_in_the_tables_unit(tmp_path, monkeypatch, flowers):
    figures = {}
    monkeypatch.setattr(job.ResultsFolder, "save_picture", lambda _, *named: figures.update([named]))
    settings = {"network__output": "identity", "data__ignore": ["name", "species"]}
    outcome = run_experiment(table(flowers, "width", **settings), tmp_path / "r", report=False)
    assert {"regression.png", "errors.png"} <= set(figures)
    assert {"confusion.png", "roc.png"}.isdisjoint(figures)
    panels = figures["regression.png"].axes
    assert [paper.get_title(loc="left").split(":")[0] for paper in panels] == ["training", "held-out"]
    assert panels[0].get_xlabel() == "width"
    low, high = panels[0].get_xlim()
    width = read_table(flowers)["width"]
    assert low < width.min() < width.max() < high
    assert high - low < 2 * np.ptp(width)
    assert len(outcome.samples.held_out_rows[0]) == outcome.samples.n_held_out


def test_pictures_of_a_table_are_in_its_units_and_show_its_two_strongest_columns(tmp_path, monkeypatch):
    random = np.random.RandomState(0)
    X = random.rand(80, 4) * [1, 1000, 1, 50] + [0, 2000, 0, 100]
    path = tmp_path / "houses.csv"
    rows = [f"{a},{b},{c},{d},{90 * b + 800 * d:.0f}" for a, b, c, d in X]
    path.write_text("\n".join(["a,area,c,age,price", *rows]) + "\n")
    figures = {}
    monkeypatch.setattr(job.ResultsFolder, "save_picture", lambda _, *named: figures.update([named]))
    settings = {"data__ignore": [], "train__optimizer": "lbfgs"}
    outcome = run_experiment(
        table(path, "price", **settings), tmp_path / "r", report=False, baselines=False
    )
    assert {"residuals.png", "importance.png", "partial_dependence.png"} <= set(figures)
    assert {"models.png", "calibration.png"}.isdisjoint(figures)
    paper = figures["data.png"].axes[0]
    assert (paper.get_xlabel(), paper.get_ylabel()) == ("area", "age")
    low, high = paper.get_xlim()
    assert 1900 < low < high < 3100
    residuals = figures["residuals.png"].axes[0]
    assert residuals.get_xlabel() == "predicted price"
    document = json.loads((tmp_path / "r" / RECORD).read_text())
    assert document["verdict"] is None
    assert [one["name"] for one in document["insight"]["importances"]["columns"][:2]] == ["area", "age"]
    shown, run, samples = outcome.shown, outcome.run, outcome.samples
    standardized = run.network.predict(run.theta, samples.X)
    assert shown.run.predict(shown.X).ravel() == pytest.approx(samples.preprocessing.values(standardized))


def test_a_table_of_more_classes_than_a_legend_shows_is_drawn(tmp_path, cheap_pictures):
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x,y", *(f"{i % 17 + i / 100},kind {i % 17}" for i in range(120))]) + "\n")
    outcome = run_experiment(table(path, "y", data__ignore=[]), tmp_path / "r", **QUICK)
    assert job.plots.data(outcome.shown.X, outcome.shown.y, **outcome.shown.labels()).axes


def test_a_job_watches_the_curvature_where_it_is_asked_to(tmp_path, cheap_pictures):
    heard = []
    outcome = run_experiment(
        small(train__curvature=5), tmp_path, report=False, tell=lambda *line: heard.append(line)
    )
    assert {"curvature.csv", "curvature.png"} <= set(outcome.files)
    seen = np.genfromtxt(tmp_path / "curvature.csv", delimiter=",", names=True)
    assert seen["iteration"].tolist() == [0, 5, 10, 15, 20]
    assert json.loads((tmp_path / RECORD).read_text())["curvature"]["lambda_max"] == seen["lambda_max"][-1]
    assert "5 looks" in dict(heard)["curvature"]
    assert np.array_equal(run_experiment(small(), tmp_path, **QUICK).run.losses, outcome.run.losses)


def test_the_written_settings_give_the_same_run_again(tmp_path):
    first = run_experiment(small(network__hidden=[4, 2]), tmp_path / "a", **QUICK)
    again = run_experiment(find_experiment(str(tmp_path / "a")), tmp_path / "b", **QUICK)
    assert again.run.parameters == first.run.parameters
    assert np.array_equal(again.run.losses, first.run.losses)


def test_a_network_without_hidden_layers_has_no_hidden_projection(tmp_path, cheap_pictures):
    outcome = run_experiment(small(network__hidden=[]), tmp_path, report=False)
    assert OF_CLASSES - set(outcome.files) == {"hidden_projection.png"}


def test_a_new_run_replaces_an_earlier_ones_files_and_leaves_others(tmp_path, cheap_pictures):
    run_experiment(small(), tmp_path, report=False)
    (tmp_path / "notes.txt").write_text("mine")
    outcome = run_experiment(small(), tmp_path, **QUICK)
    assert {path.name for path in tmp_path.iterdir()} == {*outcome.files, "notes.txt"}
    assert not set(job.PICTURES) & set(outcome.files)


def test_a_file_that_no_run_wrote_is_not_replaced(tmp_path):
    (tmp_path / "losses.csv").write_text("mine")
    with pytest.raises(FileError, match=r"losses\.csv would be replaced, but no earlier run wrote it"):
        run_experiment(small(), tmp_path, **QUICK)
    assert [path.name for path in tmp_path.iterdir()] == ["losses.csv"]


def test_a_record_cannot_name_files_elsewhere(tmp_path):
    folder = tmp_path / "r"
    folder.mkdir()
    (tmp_path / "precious.txt").write_text("mine")
    (folder / RECORD).write_text('{"files": ["../precious.txt", "run.json"]}')
    run_experiment(small(), folder, **QUICK)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def everything(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_earlier_results_stay_when_a_picture_cannot_be_written(tmp_path, monkeypatch, cheap_pictures):
    run_experiment(small(), tmp_path, report=False)
    before = everything(tmp_path)

    def fill_the_disk(outcome):
        raise FileError("the disk is full")

    monkeypatch.setitem(job.PICTURES, "loss.png", fill_the_disk)
    with pytest.raises(
        FileError, match=r"the disk is full .*model.safetensors.*earlier results are untouched"
    ):
        run_experiment(small(train__iterations=5), tmp_path)
    assert everything(tmp_path) == before
    (kept,) = tmp_path.glob("unfinished-*")
    assert gn.load(kept / "model.safetensors").iterations == 5


def test_earlier_results_stay_and_nothing_is_left_when_the_data_are_bad(tmp_path, flowers):
    folder = tmp_path / "r"
    run_experiment(table(flowers), folder, **QUICK)
    before = everything(folder)
    with pytest.raises(InputError, match=r"'name' holds cells"):
        run_experiment(table(flowers, data__ignore=[], data__numeric=["name"]), folder, **QUICK)
    assert everything(folder) == before
    assert {path.name for path in folder.iterdir()} == set(before)


def test_the_folder_is_proven_writable_before_any_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(job, "Draws", None)  # any work would fail
    with pytest.raises(FileError, match="is a file"):
        run_experiment(small(), tmp_path / "file" / "r")


def test_too_little_room_is_found_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "Draws", None)
    free = type("usage", (), {"free": 50_000})
    monkeypatch.setattr(results_folder.shutil, "disk_usage", lambda path: free)
    with pytest.raises(FileError, match=r"0.1 MB free, and the results take about"):
        run_experiment(small(), tmp_path)


def fail_after_writing(folder, keep, error):
    with ResultsFolder(folder, ["a.txt"], 0, [keep]) as place:
        place.new("a.txt").write_text("a")
        raise error


def test_results_folder_keeps_what_is_worth_keeping_when_interrupted(tmp_path):
    with pytest.raises(KeyboardInterrupt, match=r"a\.txt"):
        fail_after_writing(tmp_path, "a.txt", KeyboardInterrupt())
    (kept,) = tmp_path.iterdir()
    assert (kept / "a.txt").read_text() == "a"
    with pytest.raises(ZeroDivisionError):
        fail_after_writing(tmp_path, "b.txt", ZeroDivisionError())
    assert list(tmp_path.iterdir()) == [kept]


# ---- How a job can end ----------------------------------------------------------------------------


def test_a_failed_gradient_check_ends_the_job_before_training(tmp_path, monkeypatch):
    real = Draws.check

    def wrong(self, theta):
        found = real(self, theta)
        rows = (found.table[0]._replace(verdict="wrong"), *found.table[1:])
        return type(found)(**{**found.__dict__, "table": rows})

    monkeypatch.setattr(Draws, "check", wrong)
    monkeypatch.setattr(preparation, "train", None)
    with pytest.raises(GradientError, match="FAILED"):
        run_experiment(small(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_diverged_run_is_written_with_the_last_finite_parameters(tmp_path):
    outcome = run_experiment(small(train__learning_rate=50.0), tmp_path, report=False)
    assert outcome.run.status == "diverged"
    assert set(job.PICTURES) - set(job.NEEDS) < set(outcome.files)
    document = json.loads((tmp_path / RECORD).read_text())
    assert document["status"] == "diverged"
    assert document["diverged_at"] == outcome.run.diverged_at
    assert np.isfinite(document["parameters"]["W1"]).all()


def interrupting(train):
    @wraps(train)
    def interrupted(*args, **kwargs):
        at_seven = gn.Every(7, lambda run: signal.raise_signal(signal.SIGINT))
        return train(*args, **{**kwargs, "callbacks": [at_seven]})

    return interrupted


def test_ctrl_c_during_training_keeps_the_work(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "train", interrupting(preparation.train))
    outcome = run_experiment(small(), tmp_path, **QUICK)
    assert (outcome.run.status, outcome.run.iterations) == ("interrupted", 7)
    assert gn.load(tmp_path / "model.safetensors").status == "interrupted"


def test_ctrl_c_while_drawing_leaves_out_the_rest_of_the_pictures(tmp_path, monkeypatch, cheap_pictures):
    def press(outcome):
        raise KeyboardInterrupt

    monkeypatch.setitem(job.PICTURES, "loss.png", press)
    heard = []
    outcome = run_experiment(small(), tmp_path, report=False, tell=lambda *line: heard.append(line))
    assert "data.png" in outcome.files
    assert "loss.png" not in outcome.files
    assert "model.safetensors" in outcome.files
    assert ("not drawn", "Ctrl-C: the rest of the pictures was left out.") in heard


@pytest.mark.parametrize("library", job._PROBES)
def test_without_a_drawing_library_all_else_is_done(library, tmp_path, monkeypatch, cheap_pictures):
    monkeypatch.setitem(sys.modules, job._PROBES[library], None)
    lines = []
    outcome = run_experiment(small(), tmp_path, tell=lambda *line: lines.append(line))
    heard = dict(lines)
    assert "report.html" not in outcome.files
    assert ("loss.png" in outcome.files) == (library != "matplotlib")
    assert {"model.safetensors", RECORD} <= set(outcome.files)
    assert f'need {library}, which is not installed: pip install "glassnet[plot]"' in heard["not drawn"]


# ---- Predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "output", [name for name in OUTPUTS if LOSSES[OUTPUTS[name].loss].target in ("class", "label")]
)
def test_predictions_are_the_tables_own_labels(output, flowers, tmp_path):
    outcome = run_experiment(table(flowers, network__output=output), tmp_path / "r", **QUICK)
    found = predict_table(tmp_path / "r", flowers, proba=True)
    columns = found.columns
    assert list(columns) == ["prediction", "P(setosa)", "P(virginica)"]
    assert set(columns["prediction"]) == {"setosa", "virginica"}
    both = columns["P(setosa)"] + columns["P(virginica)"]
    assert np.allclose(both, 1)
    leaders = np.where(columns["P(virginica)"] > columns["P(setosa)"], "virginica", "setosa")
    assert np.array_equal(columns["prediction"], leaders)
    right = np.mean(columns["prediction"] == read_table(flowers)["species"].texts())
    assert right > 0.9
    assert found.remark().startswith("Score against 'species': ")
    assert outcome.run.iterations == 200


def test_a_run_that_scales_by_itself_is_scored_in_its_own_units(tmp_path):
    x = np.linspace(-1, 1, 40)[:, None]
    net = gn.Network((1, 1), output="identity")
    run = gn.train(net, x, 500 + 30 * x[:, 0], standardize=True, iterations=300, random_state=0)
    gn.save(run, tmp_path / "m.safetensors")
    rows = "".join(f"{a},{500 + 30 * a}\n" for a in x[:, 0].tolist())
    (tmp_path / "t.csv").write_text(f"x1,y\n{rows}")
    found = predict_table(tmp_path / "m.safetensors", tmp_path / "t.csv")
    np.testing.assert_allclose(found.columns["prediction"], run.predict(x))
    assert "R² 1.0000" in found.remark()


def test_several_quantities_of_a_run_that_scales_by_itself_have_a_column_each(tmp_path):
    x = np.linspace(-1, 1, 40)[:, None]
    Y = np.column_stack([500 + 30 * x[:, 0], -x[:, 0]])
    run = gn.train(
        gn.Network((1, 2), output="identity"), x, Y, standardize=True, iterations=20, random_state=0
    )
    gn.save(run, tmp_path / "m.safetensors")
    (tmp_path / "t.csv").write_text("x1,y\n" + "".join(f"{a},0\n" for a in x[:, 0].tolist()))
    found = predict_table(tmp_path / "m.safetensors", tmp_path / "t.csv")
    columns = found.columns
    assert [*columns] == ["prediction 1", "prediction 2"]
    np.testing.assert_allclose(np.column_stack([*columns.values()]), run.predict(x))
    assert found.remark() == ""


def test_counts_are_predicted_with_a_poisson_loss_in_their_own_unit(tmp_path):
    x = np.linspace(-1, 1, 90)
    path = tmp_path / "visits.csv"
    counts = np.round(np.exp(2 + x)).astype(int).tolist()
    path.write_text("x,visits\n" + "".join(f"{a},{n}\n" for a, n in zip(x.tolist(), counts, strict=True)))
    experiment = table(
        path,
        "visits",
        network__output="exp",
        data__task="regression",
        data__ignore=[],
        train__learning_rate=0.01,
        train__iterations=2000,
    )
    run_experiment(experiment, tmp_path / "r", **QUICK)
    found = predict_table(tmp_path / "r", path)
    assert np.abs(found.columns["prediction"] - counts).max() < 2


def test_a_tanh_output_learns_values_from_minus_1_to_1_as_they_are(tmp_path):
    x = np.linspace(-1.2, 1.2, 60)
    path = tmp_path / "waves.csv"
    path.write_text(
        "x,y\n" + "".join(f"{a},{b}\n" for a, b in zip(x.tolist(), np.sin(x).tolist(), strict=True))
    )
    settings = {"train__optimizer": "lbfgs", "train__iterations": 300, "data__ignore": []}
    run_experiment(table(path, "y", network__output="tanh", **settings), tmp_path / "r", **QUICK)
    found = predict_table(tmp_path / "r", path)
    assert np.abs(found.columns["prediction"] - np.sin(x)).max() < 0.05


def test_a_loss_with_a_setting_is_a_table_in_toml(tmp_path, flowers):
    loss = {"name": "huber", "delta": 0.5}
    settings = {"network__output": "identity", "data__ignore": ["name", "species"]}
    draws = Draws(table(flowers, "width", network__loss=loss, **settings))
    assert draws.network.loss == gn.losses.huber(delta=0.5)
    outcome = run_experiment(
        table(flowers, "width", network__loss=loss, **settings), tmp_path / "r", **QUICK
    )
    assert gn.load(tmp_path / "r" / "model.safetensors").network == outcome.run.network
    with pytest.raises(InputError, match=r"network__loss: Unknown setting of the loss 'huber'.*'delta'"):
        table(flowers, "width", network__loss={"name": "huber", "dleta": 0.5}, **settings)


def test_predicted_quantities_are_in_the_targets_own_unit(tmp_path):
    x = np.linspace(-1, 1, 60)
    path = tmp_path / "line.csv"
    path.write_text("x,price\n" + "".join(f"{a},{1000 + 500 * a}\n" for a in x.tolist()))
    experiment = table(path, "price", data__ignore=[], network__hidden=[], train__iterations=500)
    run_experiment(experiment, tmp_path / "r", **QUICK)
    found = predict_table(tmp_path / "r" / "model.safetensors", path)
    assert np.allclose(found.columns["prediction"], 1000 + 500 * x, atol=1)
    assert "R² 1.0000" in found.remark()
    with pytest.raises(InputError, match="a quantity without probabilities"):
        predict_table(tmp_path / "r", path, proba=True)


def test_the_error_of_a_quantity_is_in_its_own_unit(tmp_path):
    x = np.linspace(-1, 1, 60)
    path = tmp_path / "line.csv"
    path.write_text("x,price\n" + "".join(f"{a},{1000 + 500 * a}\n" for a in x.tolist()))
    values = {"data__ignore": [], "data__test_fraction": 0.0, "train__iterations": 2}
    run_experiment(table(path, "price", **values), tmp_path / "r", **QUICK)
    errors = predict_table(tmp_path / "r", path).columns["prediction"] - (1000 + 500 * x)
    score = json.loads((tmp_path / "r" / RECORD).read_text())["scores"]["training"]
    assert score["rmse"] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-9)
    assert score["rmse"] > 10


def test_predictions_need_no_target_and_bear_an_odd_one(flowers, tmp_path):
    run_experiment(table(flowers), tmp_path / "r", **QUICK)
    new = tmp_path / "new.csv"
    new.write_text("length,width\n3.5,3.0\n-0.5,0.1\n")
    found = predict_table(tmp_path / "r", new)
    columns = found.columns
    assert columns["prediction"].tolist() == ["virginica", "setosa"]
    assert found.remark() == ""
    new.write_text("length,width,species\n3.5,3.0,rose\n")
    assert "Not scored: " in predict_table(tmp_path / "r", new).remark()
    assert "".join(csv_lines(iter([columns]))) == "prediction\nvirginica\nsetosa\n"


def test_a_model_of_generated_data_predicts_a_table(tmp_path):
    run_experiment(small(), tmp_path / "r", **QUICK)
    (tmp_path / "p.csv").write_text("x1,x2\n0,0\n")
    assert predict_table(tmp_path / "r", tmp_path / "p.csv").columns["prediction"].tolist() in ([0], [1])


def test_a_model_that_cannot_read_tables_is_refused(tmp_path, flowers):
    run = gn.train(gn.Network((2, 2)), [[0.0, 1.0], [1.0, 0.0]], [0, 1], iterations=1, random_state=0)
    gn.save(run, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="not written by glassnet train"):
        predict_table(tmp_path / "m.safetensors", flowers)


# ---- Sweeps ---------------------------------------------------------------------------------------


def test_a_sweep_starts_where_the_experiment_does_and_writes_each_grid(tmp_path):
    experiment = small()
    assert choose_grids(experiment) == ["notebook", "sensible"]
    found = run_sweeps(experiment, tmp_path, ["sensible"], options={"iterations": 20})
    assert list(found) == ["sensible"]
    ends = (".csv", ".json", ".cells.jsonl", "-best.safetensors")
    ends += tuple(f"-{picture}.png" for picture in SWEEP_PICTURES)
    expected = {f"{grid}{end}" for grid in found for end in ends}
    assert {path.name for path in tmp_path.iterdir()} == {*expected, "experiment.toml", RECORD}
    run = run_experiment(experiment, tmp_path / "r", **QUICK).run
    cell = next(
        cell
        for cell in found["sensible"].cells
        if cell.settings
        == {"learning_rate": run.optimizer.learning_rate, "momentum": run.optimizer.momentum}
    )
    assert np.array_equal(cell.run.losses, run.losses)


def test_one_grid_can_be_chosen_and_one_setting_has_no_heatmap(tmp_path):
    experiment = find_experiment(
        "circles",
        overrides(data__n_samples=100, sweep__one__momentum=[0.0, 0.5], sweep__one__iterations=5),
    )
    run_sweeps(experiment, tmp_path, choose_grids(experiment, ["one"]))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        *("one.csv", "one.json", "one.cells.jsonl", "one-best.safetensors"),
        *("one-losses.png", "one-parallel.png", "experiment.toml", RECORD),
    }
    with pytest.raises(InputError, match=r"Did you mean 'one'?"):
        choose_grids(experiment, ["on"])


def test_an_experiment_without_grids_cannot_be_swept(flowers):
    with pytest.raises(InputError, match="has no grid"):
        choose_grids(table(flowers))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_can_be_asked_for(name):
    assert small(train__optimizer=name).optimizer().name == name


def test_the_top_has_no_key_of_a_section():
    assert not set(TOP) & set(SECTIONS)


# ---- Optimizers, schedules and penalties ----------------------------------------------------------

RULES = """
random_state = 1

[data]
generator = "circles"
n_samples = 60

[train]
optimizer = "adam"
learning_rate = {schedule = "warm_up", updates = 3, then = {schedule = "cosine", rate = 0.1, steps = 20}}
epsilon_hat = true
clip_norm = 1.0
iterations = 12
l1 = 1e-4
l2 = 0.01
max_norm = 2

[sweep.rules]
learning_rate = [0.1, {schedule = "step", rate = 0.1, every = 4}]
epsilon_hat = [false, true]
l2 = [0, 0.1]
iterations = 4
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def test_a_file_names_any_optimizer_with_schedule_and_penalties(rules, tmp_path):
    experiment = find_experiment(str(rules))
    run = run_experiment(experiment, tmp_path / "r", **QUICK).run
    schedule = gn.WarmUp(gn.Cosine(0.1, 20), updates=3)
    assert run.optimizer == gn.Adam(schedule, epsilon_hat=True, clip_norm=1.0)
    assert run.penalties == gn.Penalties(l1=1e-4, l2=0.01, max_norm=2)
    again = find_experiment(str(tmp_path / "r" / "experiment.toml"))
    assert again.optimizer() == run.optimizer
    assert dict(again.sweeps) == dict(experiment.sweeps)
    assert np.array_equal(run_experiment(again, tmp_path / "s", **QUICK).run.losses, run.losses)


def test_grids_hold_schedules_flags_and_penalties(rules, tmp_path):
    experiment = find_experiment(str(rules))
    (result,) = run_sweeps(experiment, tmp_path / "r", ["rules"], pictures=False).values()
    assert len(result.cells) == 8
    assert result.grid["learning_rate"] == (0.1, gn.Step(0.1, every=4))
    run = result.cells[-1].run
    assert run.optimizer == gn.Adam(gn.Step(0.1, every=4), epsilon_hat=True, clip_norm=1.0)
    assert run.penalties == gn.Penalties(l1=1e-4, l2=0.1, max_norm=2)
    again = find_experiment(str(tmp_path / "r" / "experiment.toml"))
    assert dict(again.sweeps) == dict(experiment.sweeps)


def test_a_schedules_setting_can_be_laid_over_the_file(rules):
    experiment = find_experiment(str(rules), overrides(train__learning_rate__updates=5))
    assert experiment.optimizer().learning_rate.updates == 5


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        (
            "learning_rate = true",
            InputTypeError,
            'expected a number, or a schedule such as {schedule = "co',
        ),
        ('learning_rate = {schedule = "cosin"}', InputError, "Did you mean 'cosine'"),
        ('learning_rate = {schedule = "cosine", rate = 0.1}', InputError, "lacks steps"),
        ("nesterov = 1", InputTypeError, "expected true or false"),
        ("l2 = -1", InputError, r"train\.l2 in .*own\.toml: l2 is -1"),
        ("max_norm = 0", InputError, r"train\.max_norm in .*own\.toml: max_norm is 0"),
        ("clip_norm = 0", InputError, "clip_norm is 0"),
    ],
)
def test_a_rule_that_cannot_be_used_is_refused_with_its_place(tmp_path, settings, error, message):
    path = tmp_path / "own.toml"
    path.write_text(f'[data]\ngenerator = "circles"\n[train]\n{settings}\n')
    with pytest.raises(error, match=message):
        find_experiment(str(path))


def test_another_optimizer_from_outside_leaves_behind_what_it_lacks():
    experiment = small(train__optimizer="adam")
    assert experiment.optimizer() == gn.Adam(1e-4)
    assert dict(experiment.sweeps["sensible"]).keys() == {"learning_rate", "iterations"}
    kept = small(train__optimizer="rmsprop")
    assert kept.optimizer() == gn.RMSprop(1e-4, momentum=0.5)
    with pytest.raises(InputError, match=r"--train__momentum.*'momentum'"):
        small(train__optimizer="adam", train__momentum=0.3)


# ---- Batches, validation, weights ----------------------------------------------------------------

FULLER = {
    "train__batch_size": 16,
    "train__validation": 0.2,
    "train__stopping": {"patience": 3, "metric": "accuracy"},
    "train__average": 0.9,
    "train__iterations": 60,
}


def test_a_job_trains_on_batches_and_validates(flowers, tmp_path):
    outcome = run_experiment(table(flowers, **FULLER), tmp_path / "out", **QUICK)
    run = outcome.run
    assert run.batch_size == 16
    assert run.status == "stopped"
    assert run.average == 0.9
    lines = (tmp_path / "out" / "losses.csv").read_text().splitlines()
    assert lines[0] == "iteration,loss,validation_loss,validation_score"
    assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(1, run.iterations + 1))
    assert float(lines[-1].split(",")[2]) == run.validation_losses[-1]
    written = json.loads((tmp_path / "out" / RECORD).read_text())
    assert written["best_iteration"] == run.best_iteration
    again = run_experiment(
        find_experiment(str(tmp_path / "out" / "experiment.toml")), tmp_path / "two", **QUICK
    )
    assert again.run.parameters == run.parameters
    assert gn.load(tmp_path / "out" / "model.safetensors").best_iteration == run.best_iteration


def test_losses_leave_a_gap_where_there_was_no_evaluation(tmp_path):
    run_experiment(small(train__validation=0.2, train__validate_every=7), tmp_path / "out", **QUICK)
    lines = (tmp_path / "out" / "losses.csv").read_text().splitlines()[1:]
    seen = [line.split(",") for line in lines]
    assert [int(row[0]) for row in seen if row[2] not in ("", "nan")] == [0, 7, 14]


@pytest.mark.parametrize(
    ("batch_size", "seen"), [(None, [0, 3, 6, 9, 12, 15, 18, 20]), (50, [3, 6, 9, 12, 15, 18, 20])]
)
def test_losses_of_very_many_iterations_are_some_of_them(tmp_path, monkeypatch, batch_size, seen):
    monkeypatch.setattr(job, "MOST_ROWS", 8)
    heard = []
    batches = {} if batch_size is None else {"train__batch_size": batch_size}
    settings = small(train__validation=0.2, train__validate_every=2, **batches)
    run = run_experiment(settings, tmp_path / "out", **QUICK, tell=lambda *line: heard.append(line)).run
    rows = np.genfromtxt(tmp_path / "out" / "losses.csv", delimiter=",", names=True)
    assert rows["iteration"].tolist() == seen
    assert rows["loss"].tolist() == run.losses[np.array(seen) - (batch_size is not None)].tolist()
    measured = dict(zip(run.validation_iterations.tolist(), run.validation_losses.tolist(), strict=True))
    expected = [measured.get(iteration, np.nan) for iteration in seen]
    np.testing.assert_array_equal(rows["validation_loss"], expected)
    assert f"one row for 3 iterations, {len(seen)} in all" in dict(heard)["losses"]


def test_a_job_says_where_the_earlier_results_are(flowers, tmp_path):
    other = flowers.with_name("other.csv")
    other.write_bytes(flowers.read_bytes())
    heard = []
    for path, keep in ((other, True), (flowers, True), (flowers, False)):
        said = []
        run_experiment(
            table(path),
            tmp_path / "out",
            **QUICK,
            keep_earlier=keep,
            tell=lambda *line, said=said: said.append(line),
        )
        heard.append([dict(said).get(label) for label in ("earlier", "replaced")])
    assert heard[0] == [None, None]
    when = r"finished \d{4}-\d\d-\d\dT.*"
    assert re.fullmatch(rf"the results of other.csv, {when}, are in {tmp_path}/out\.1", heard[1][0])
    assert heard[2][0] is None
    assert re.fullmatch(rf"the results of flowers.csv, {when}", heard[2][1])


def test_class_weights_go_by_label(flowers, tmp_path):
    labels = table(flowers)
    names = Draws(labels).samples.target_names
    by_label = {str(name): 1.0 + i for i, name in enumerate(names)}
    one = run_experiment(table(flowers, train__class_weight=by_label), tmp_path / "a", **QUICK).run
    two = run_experiment(
        table(flowers, train__class_weight=[*by_label.values()]), tmp_path / "b", **QUICK
    ).run
    assert one.parameters == two.parameters
    assert one.class_weight == tuple(by_label.values())
    with pytest.raises(InputError, match=r"Unknown label in train\.class_weight 'elm'"):
        run_experiment(table(flowers, train__class_weight={"elm": 1.0}), tmp_path / "c", **QUICK)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"train__batch_size": 0}, "batch_size is 0"),
        ({"train__validation": 1.5}, "validation is 1.5"),
        ({"train__average": 1.0}, "average is 1.0"),
        ({"train__stopping": {"patience": 0}}, "patience is 0"),
        ({"train__stopping": {"patince": 3}}, "Did you mean 'patience'"),
        ({"train__stopping": {"metric": "accuracy"}}, "measured on validation data"),
        ({"train__class_weight": "even"}, 'expected "balanced"'),
        ({"train__metrics": "accuracy"}, "measured on validation data"),
        ({"train__standardize": True}, "always standardized as it is read"),
        ({"train__test": 0.1}, r"data\.test_fraction is the share"),
        ({"train__epochs": 5}, r"It is called train\.iterations here"),
        ({"train__loss_fn": "huber"}, r"It is called network\.loss here"),
    ],
)
def test_settings_of_batches_and_validation_are_refused_where_they_stand(values, words):
    with pytest.raises((InputError, InputTypeError), match=words) as caught:
        small(**values)
    assert "--train__" in str(caught.value)


@pytest.mark.parametrize("key", TRAIN_ONLY)
def test_a_sweep_refuses_what_it_does_not_do(key):
    value = {"curvature": 5, "metrics": "accuracy"}[key]
    with pytest.raises(InputError, match=f"knows nothing of {key}"):
        choose_grids(small(**{f"train__{key}": value}, train__validation=0.2))


def test_a_job_writes_the_metrics_that_a_file_names(tmp_path):
    experiment = small(train__metrics=["accuracy"], train__validation=0.2, train__validate_every=10)
    run = run_experiment(experiment, tmp_path / "out", **QUICK).run
    losses = read_table(tmp_path / "out" / "losses.csv")["validation_accuracy"]
    np.testing.assert_array_equal(losses[[0, 10, 20]], run.metrics["accuracy"])
    assert np.isnan(losses).sum() == 18


# ---- Dropout, and the whole run --------------------------------------------------------------------

NOT_IN_A_FILE = {
    "network": "[network]",
    "X": "[data]",
    "y": "[data]",
    "parameters": "drawn by train.scheme",
    "random_state": "random_state, above the sections",
    "sample_weight": "tables have no column of weights",
    "callbacks": "functions",
    "progress": "the command line's --quiet",
    "checkpoint": "in the results folder",
    "checkpoint_every": "the command line's --checkpoint-every",
    **IN_NO_FILE,
}


def test_a_file_holds_every_argument_of_train():
    keys = {*SECTIONS["train"], *NOT_IN_A_FILE}
    assert set(inspect.signature(gn.train).parameters) == keys - {"curvature"}


def test_settings_that_are_not_in_a_file_have_the_defaults_of_train():
    experiment, parameters = small(), inspect.signature(gn.train).parameters
    own = {"optimizer", "iterations", "dtype", *TRAIN_ONLY}
    given = {key.partition(".")[2] for key in experiment.values}
    for name in SECTIONS["train"].keys() - own - given:
        assert experiment[f"train.{name}"] == parameters[name].default, name


@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("dropout", [0.3, [0.0, 0.5]])
def test_a_job_drops_units_as_train_does(flowers, tmp_path, batch_size, dropout):
    settings = {"network__hidden": [6, 4], "train__dropout": dropout, "train__iterations": 20}
    if batch_size is not None:
        settings["train__batch_size"] = batch_size
    experiment = table(flowers, **settings)
    run = run_experiment(experiment, tmp_path / "out", **QUICK).run
    assert run.dropout == ((0.3, 0.3) if dropout == 0.3 else (0.0, 0.5))
    draws = Draws(experiment)
    draws.check_point()
    alone = gn.train(
        draws.network,
        draws.samples.X,
        draws.samples.y,
        parameters=draws.start(),
        optimizer=experiment.optimizer(),
        iterations=20,
        batch_size=batch_size,
        dropout=dropout,
        random_state=draws.random,
    )
    assert alone.parameters == run.parameters
    again = find_experiment(str(tmp_path / "out" / "experiment.toml"))
    assert run_experiment(again, tmp_path / "two", **QUICK).run.parameters == run.parameters


def test_a_sweep_of_a_file_drops_units(tmp_path):
    experiment = small(train__dropout=0.4)
    (result,) = run_sweeps(
        experiment, tmp_path, ["sensible"], options={"iterations": 3}, pictures=False
    ).values()
    assert {run.dropout for run in result.runs} == {(0.4,)}


@pytest.mark.parametrize(
    ("dropout", "words"),
    [
        (1.0, "dropout is 1.0; expected the probability"),
        ([0.1, 0.2], r"dropout has 2 probabilities, the network 1 hidden layer\(s\)"),
        ("half", "expected a number, or a list with one for each hidden layer"),
    ],
)
def test_a_dropout_that_cannot_be_used_is_refused_where_it_stands(dropout, words):
    with pytest.raises((InputError, InputTypeError), match=words) as caught:
        small(train__dropout=dropout)
    assert "--train__dropout" in str(caught.value)


def test_the_readmes_file_is_one(flowers):
    (block,) = re.findall(r"```toml\n(.*?)```", (Path(__file__).parents[2] / "README.md").read_text(), re.S)
    document = {"data": {"file": str(flowers), "target": "kind"}, **tomllib.loads(block)}
    experiment = experiment_from(document, "readme", "README.md", Path())
    assert experiment["train.dropout"] == 0.1
    assert experiment.optimizer() == gn.AdamW(gn.OneCycle(3e-3, 5_000), clip_norm=1.0)


def test_description_of_a_run_tells_its_evidence_and_why_it_ended():
    x = np.linspace(-1, 1, 40)[:, None]
    net = gn.Network((1, 3, 1), hidden="tanh", output="identity")
    how = {"optimizer": gn.BayesianRegularization(), "iterations": 500, "random_state": 0}
    y = np.sin(3 * x) + 0.1 * np.random.RandomState(0).randn(40, 1)
    run = gn.train(net, x, y, **how)
    words = describe_run(run)
    assert f"{run.evidence.effective_parameters:.4g} of 10 parameters effective" in words
    assert run.reason
    assert run.reason in words
