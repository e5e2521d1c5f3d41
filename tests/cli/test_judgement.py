"""A table's columns along their own values, and the rows that were answered worst."""

import json
from dataclasses import replace

import numpy as np
import pytest

from glassnet.cli.jobs.job import run_experiment
from glassnet.cli.jobs.judgement import columns_of, shown_of
from glassnet.experiments import Override, find_experiment


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    random = np.random.RandomState(0)
    lines = ["city,joined,age,member,income"]
    for i in range(120):
        age = "" if i % 11 == 5 else f"{20 + i % 50}"
        city = ("Bonn", "Ulm", "Rome")[random.randint(3)]
        joined = f"{2020 + i % 4}-{1 + i % 12:02}-{1 + i % 28:02} 12:00:00"
        income = 1000 * (i % 50) + 20000 * (city == "Rome") + random.randn()
        lines.append(f"{city},{joined},{age},{'true' if i % 3 else 'false'},{income:.2f}")
    folder = tmp_path_factory.mktemp("people")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")
    settings = {
        "data.target": "income",
        "data.dates": ["joined"],
        "train.iterations": 200,
        "train.optimizer": "lbfgs",
        "check.enabled": False,
    }
    overrides = {key: Override(value, key) for key, value in settings.items()}
    experiment = find_experiment(str(folder / "people.csv"), overrides)
    return run_experiment(experiment, folder / "r", pictures=False, report=False, baselines=False)


def test_columns_have_the_inputs_of_their_values(outcome):
    samples = outcome.samples
    columns = {column.name: column for column in columns_of(samples)}
    assert list(columns) == ["city", "joined", "age", "member"]
    assert columns["city"].labels == ("Bonn", "Rome", "Ulm")
    assert columns["city"].inputs.tolist() == np.eye(3).tolist()
    for name in ("age", "member"):
        column, known = columns[name], samples.preprocessing
        at = column.places[0]
        assert column.levels == pytest.approx(column.inputs[:, 0] * known.scale[at] + known.mean[at])
        assert column.inputs[:, 1:].any() == False  # noqa: E712 - no level is missing
    assert columns["member"].levels.tolist() == [0, 1]
    assert columns["member"].labels == ("false", "true")
    assert columns["joined"].label.startswith("joined (days since 2020-")
    assert np.ptp(columns["joined"].levels) > 1000
    assert sum(len(column.places) for column in columns.values()) == samples.X.shape[1]


def test_mistakes_say_the_line_and_the_values_of_the_table(outcome):
    document = json.loads((outcome.folder / "run.json").read_text())
    worst = document["insight"]["mistakes"][0]
    number = int(worst["where"].removeprefix("line "))
    line = (outcome.folder.parent / "people.csv").read_text().splitlines()[number - 1]
    assert float(line.split(",")[-1]) == pytest.approx(float(worst["actual"].replace(",", "")), rel=1e-4)


def test_the_strongest_columns_are_found_by_their_names(outcome):
    names = [one.name for one in outcome.insights[0].importances]
    assert set(names[:2]) == {"city", "age"}


def test_pictures_choose_numbers_for_their_axes(outcome):
    shown = outcome.shown  # age is the only column of numbers with more than two values
    assert [shown.feature_names[place] for place in shown.axes] == ["age"]
    assert np.ptp(shown.X[:, shown.axes[0]]) == 49


def test_principal_axes_are_of_standardized_columns_and_the_target_keeps_its_unit(outcome):
    samples = replace(outcome.samples, axes="principal")
    shown = shown_of(samples, outcome.run, None)
    assert np.array_equal(shown.X, samples.X)
    assert shown.class_names == ("income",)
    assert shown.y == pytest.approx(samples.preprocessing.values(samples.y))
    assert shown.run.predict(shown.X).ravel() == pytest.approx(
        outcome.shown.run.predict(outcome.shown.X).ravel()
    )


def test_several_quantities_have_a_verdict_each_in_their_own_unit(tmp_path):
    random = np.random.RandomState(0)
    rows = [f"{a},{b},{100 * a:.3f},{1e6 * b:.1f}" for a, b in random.rand(60, 2)]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,y,z", *rows]) + "\n")
    settings = {
        "data.target": ["y", "z"],
        "train.iterations": 200,
        "train.optimizer": "lbfgs",
        "check.enabled": False,
    }
    overrides = {key: Override(value, key) for key, value in settings.items()}
    experiment = find_experiment(str(tmp_path / "t.csv"), overrides)
    lines = []
    outcome = run_experiment(
        experiment, tmp_path / "r", pictures=False, tell=lambda label, words: lines.append((label, words))
    )
    document = json.loads((outcome.folder / "run.json").read_text())
    page = (outcome.folder / "report.html").read_text("utf-8")
    assert lines[0][1].endswith("2 quantities")
    for target, unit, column in (("y", 100, "a"), ("z", 1e6, "b")):
        verdict, insight = (document[part]["targets"][target] for part in ("verdict", "insight"))
        constant = verdict["entries"][1]["scores"]["RMSE"]["value"]
        assert constant == pytest.approx(unit / np.sqrt(12), rel=0.3)
        assert verdict["entries"][0]["scores"]["RMSE"]["value"] < constant / 5
        assert insight["importances"]["columns"][0]["name"] == column
        assert any(words.startswith(f"of {target}:") for label, words in lines if label == "verdict")
        assert page.count(f"<h3>Of {target}</h3>") == 2
    assert outcome.shown.class_names == ("y", "z")
    assert outcome.shown.y.mean(axis=0) == pytest.approx([50, 5e5], rel=0.3)
    assert outcome.shown.X.min() >= 0
