"""Built-in experiments are what they say they are, and reach the score that their files state."""

import re
from pathlib import Path

import pytest

import glassnet as gn
from glassnet.experiments import about, built_in, find_experiment, load_experiment

FEWER = {"circles": {"train.iterations": 10_000}}
"""What is enough for the score, where all iterations take long."""


@pytest.mark.parametrize("name", built_in())
def test_built_in_experiment_reaches_the_score_that_it_states(name):
    loaded = load_experiment(name, FEWER.get(name))
    run = gn.train(loaded.network, loaded.X, loaded.y, **loaded.settings)
    rows = (loaded.X_test, loaded.y_test) if len(loaded.y_test) else (loaded.X, loaded.y)
    measure, stated = about(name).expected.rsplit(" ", 1)
    assert measure == ("R^2" if loaded.class_names is None else "accuracy")
    assert run.score(*rows) == pytest.approx(float(stated), abs=6e-4)


@pytest.mark.parametrize("name", built_in())
def test_about_says_what_loading_gives(name):
    one, loaded = about(name), load_experiment(name)
    outputs = 1 if loaded.class_names is None else len(loaded.class_names)
    assert (one.rows, one.inputs, one.outputs) == (
        len(loaded.X) + len(loaded.X_test),
        loaded.X.shape[1],
        outputs,
    )
    sizes, activation = one.network.split()
    assert tuple(map(int, sizes.split("-"))) == loaded.network.sizes
    assert {layer.name for layer in loaded.network.hidden} == {activation}
    assert one.description.endswith((".", "?"))
    assert (one.name, one.title) == (name, loaded.title)


@pytest.mark.parametrize("name", built_in())
def test_built_in_experiment_has_grids_and_says_how_they_are_swept(name):
    assert find_experiment(name).sweeps
    assert "glassnet sweep" in built_in()[name]


def test_readme_lists_every_built_in_experiment():
    text = (Path(__file__).parents[2] / "README.md").read_text()
    listed = re.findall(
        r"^\| `([a-z]+)` \| (.*?) \| ([\d,]+) \| (\d+) \| (\d+) \| (.*?) \| (.*?) \|$", text, re.M
    )
    for name in built_in():
        one = about(name)
        expected = name, f"{one.rows:,}", str(one.inputs), str(one.outputs), one.network, one.expected
        assert expected in [(row[0], *row[2:]) for row in listed]
