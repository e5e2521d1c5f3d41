"""The settings that are chosen for a table on the command line."""

from __future__ import annotations

import itertools
import tomllib

import numpy as np
import pytest

import glassnet as gn
from glassnet.cli.jobs.job import run_experiment
from glassnet.experiments import Override, find_experiment
from glassnet.experiments.defaults import CHOSEN, choose_settings, settings_for
from glassnet.experiments.preparation import Draws
from glassnet.experiments.schema import key_at

QUICK = {"pictures": False, "report": False, "baselines": False}


def overrides(values):
    return {key: Override(value, f"--{key}") for key, value in values.items()}


@pytest.fixture
def points(tmp_path):
    """Whether two of three numbers have one sign; no single column tells."""
    random = np.random.RandomState(0)
    X = random.uniform(-1, 1, (400, 3))
    lines = [f"{a},{b},{c},{'same' if a * b > 0 else 'other'}" for a, b, c in X]
    path = tmp_path / "points.csv"
    path.write_text("\n".join(["a,b,c,sign", *lines]) + "\n")
    return path


def chosen(path, **values):
    values = {"data.target": "sign", **{key.replace("__", "."): value for key, value in values.items()}}
    return Draws(find_experiment(str(path), overrides(values)))


def test_a_table_learns_without_a_word_and_stops_by_itself(points, tmp_path):
    lines = []
    experiment = find_experiment(str(points), overrides({"data.target": "sign", "check.enabled": False}))
    outcome = run_experiment(experiment, tmp_path / "r", tell=lambda *line: lines.append(line), **QUICK)
    assert outcome.scores["held-out"].confusions[0].accuracy > 0.9
    assert outcome.run.status == "stopped"
    assert outcome.run.validation.n_held_out == 60  # a fifth of three quarters of 400
    (words,) = [words for label, words in lines if label == "settings"]
    for part in ("300 rows", "64,64", "adam, learning rate 0.004", "batches of 16", "400 epochs", "20 %"):
        assert part in words
    written = tmp_path / "r" / "experiment.toml"
    document = tomllib.loads(written.read_text())
    for key, value in settings_for(300).items():
        section, name = key.split(".")
        assert document[section][name] == value
    again = run_experiment(find_experiment(str(written)), tmp_path / "again", **QUICK)
    assert np.array_equal(again.run.parameters.flat, outcome.run.parameters.flat)


def test_every_choice_is_overruled_by_the_command_line(points):
    values = {
        "network.hidden": [3],
        "network.activation": "relu",
        "train.optimizer": "adamw",
        "train.learning_rate": 0.5,
        "train.batch_size": 7,
        "train.iterations": 3,
        "train.l2": 0.25,
        "train.average": 0.5,
        "train.validation": 0.1,
        "train.stopping": {"patience": 2},
    }
    assert values.keys() == CHOSEN
    for key, value in values.items():
        draws = chosen(points, **{key: value})
        assert draws.experiment[key] == value
        others = CHOSEN - {key, "train.learning_rate"}
        assert {name: draws.experiment[name] for name in others} == {
            name: settings_for(300)[name] for name in others
        }
    everything = chosen(points, **values)
    assert everything.chosen == ""
    assert everything.network == gn.Network((3, 3, 2), hidden="relu")


def test_a_file_of_settings_keeps_the_defaults_of_a_file(points, tmp_path):
    file = tmp_path / "own.toml"
    file.write_text("[data]\nfile = 'points.csv'\ntarget = 'sign'\n")
    draws = Draws(find_experiment(str(file)))
    assert draws.chosen == ""
    for key in CHOSEN - {"train.learning_rate"}:
        assert draws.experiment[key] == key_at(key).default


@pytest.mark.parametrize("name", ["lbfgs", "lm"])
def test_a_solver_by_any_of_its_names_takes_the_full_batch(points, name):
    solver = chosen(points, train__optimizer=name).experiment
    assert (solver["network.hidden"], solver["network.activation"]) == ([64, 64], "silu")
    for key in CHOSEN - {"network.hidden", "network.activation", "train.optimizer", "train.learning_rate"}:
        assert solver[key] == key_at(key).default


def test_another_optimizer_keeps_what_goes_with_it(points):
    momentum = chosen(points, train__momentum=0.5).experiment
    assert momentum.optimizer() == gn.SGD(momentum=0.5)
    assert momentum["train.batch_size"] == 16


def test_no_rows_are_held_out_where_none_are_wanted_or_too_few_are_there(points, tmp_path):
    few = tmp_path / "few.csv"
    few.write_text("\n".join(points.read_text().splitlines()[:31]) + "\n")
    for draws, rows in ((chosen(points, train__validation=0.0), 300), (chosen(few), 22)):
        experiment = draws.experiment
        assert draws.samples.n == rows
        assert (experiment["train.validation"], experiment["train.stopping"]) == (None, None)
        assert experiment["train.iterations"] == 100
        assert experiment["train.l2"] == (0.03 if rows < 40 else 0.003)


def test_settings_fit_any_number_of_rows():
    for rows in itertools.chain(range(1, 70), (1_000, 10_000, 10**6, 10**9)):
        settings = settings_for(rows)
        assert 1 <= settings["train.batch_size"] <= rows
        assert 10 <= settings["train.iterations"] <= 400
        assert 0 < settings["train.validation"] * rows <= max(1e4, 0.2 * rows)


def test_choosing_again_changes_nothing(points):
    draws = chosen(points)
    assert choose_settings(draws.experiment, draws.samples) == (draws.experiment, "")
