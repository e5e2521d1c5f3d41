"""Experiments for Python: their data, network and settings train to the bits of the command."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError
from glassnet.experiments import Override, built_in, find_experiment, load_experiment
from glassnet.experiments.preparation import Draws

FEW = {"train.iterations": 3}


@pytest.mark.parametrize("name", built_in())
def test_load_experiment_trains_to_the_bits_of_the_command(name):
    settings = {**FEW, **({"data.n_samples": 500} if name == "circles" else {})}
    loaded = load_experiment(name, settings)
    runs = [gn.train(loaded.network, loaded.X, loaded.y, **loaded.settings) for _ in range(2)]
    overrides = {key: Override(value, key) for key, value in settings.items()}
    draws = Draws(find_experiment(name, overrides))
    draws.check_point()
    expected = draws.train(draws.start())
    for run in runs:
        assert np.array_equal(run.losses, expected.losses)
        assert np.array_equal(run.theta.flat, expected.theta.flat)


@pytest.mark.parametrize("name", built_in())
def test_loaded_experiment_says_what_it_is(name):
    loaded = load_experiment(name, FEW)
    assert loaded.name == name
    assert loaded.title
    assert loaded.description.endswith(".")
    assert loaded.data.keys() == loaded.ranges.keys()
    assert loaded.X.shape[1] == loaded.network.sizes[0]
    assert loaded.X_test.shape[1:] == loaded.X.shape[1:]
    assert len(loaded.X_test) == len(loaded.y_test)
    if loaded.class_names is None:
        assert loaded.y.dtype.kind == "f"
    else:
        assert len(loaded.class_names) == loaded.network.sizes[-1]
        assert 0 <= loaded.y.min() <= loaded.y.max() < len(loaded.class_names)


def test_load_experiment_lays_settings_over_the_files():
    loaded = load_experiment("moons", {"data.n_samples": 80, "data.noise": 0.0, "network.hidden": [3, 2]})
    assert (len(loaded.X), len(loaded.X_test), loaded.network.sizes) == (60, 20, (2, 3, 2, 2))
    assert loaded.data == {"n_samples": 80, "noise": 0.0}


def test_load_experiment_takes_a_table(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("age,job\n" + "31,cook\n45,nurse\n52,nurse\n28,cook\n" * 10)
    loaded = load_experiment(str(path), {"data.target": "job", **FEW})
    assert loaded.class_names == ("cook", "nurse")
    assert loaded.feature_names == ("age (standardized)",)
    assert (loaded.description, loaded.data, loaded.ranges) == ("", {}, {})
    gn.train(loaded.network, loaded.X, loaded.y, **loaded.settings)


def test_file_with_the_name_of_a_built_in_experiment_is_not_described_as_that(tmp_path):
    path = tmp_path / "moons.toml"
    path.write_text('[data]\ngenerator = "blobs"\n')
    loaded = load_experiment(str(path), FEW)
    assert (loaded.name, loaded.description) == ("moons", "")


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("mons", {}, "Unknown experiment 'mons'. Did you mean 'moons'"),
        ("moons", {"data.nois": 1}, "Did you mean 'noise'"),
        ("moons", {"data.n_samples": -3}, "cannot use its settings"),
    ],
)
def test_load_experiment_says_what_is_wrong(name, settings, words):
    with pytest.raises(InputError, match=words):
        load_experiment(name, settings)
