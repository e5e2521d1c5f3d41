from pathlib import Path

import numpy as np
import pytest
from numpy.random import RandomState

from glassnet.data.generators import GENERATORS, generate
from glassnet.errors import InputError, InputTypeError

REFERENCE = Path(__file__).parents[1] / "data" / "circles_50k.npz"
every_generator = pytest.mark.parametrize("name", GENERATORS)


def test_circles_leaves_the_notebooks_stream_where_its_draws_go_on():
    random = RandomState(42)
    X, y = GENERATORS["circles"](n_samples=50_000, factor=0.1, noise=0.1, random_state=random)
    assert X[:3].round(8).tolist() == [
        [0.00998894, 0.13752024],
        [-0.80483086, 0.7588945],
        [0.87072983, 0.01985853],
    ]
    assert X.sum() == pytest.approx(5.309259744322375, rel=1e-12)
    assert y[:10].tolist() == [1, 0, 0, 0, 1, 1, 0, 1, 0, 1]
    assert np.bincount(y).tolist() == [25_000, 25_000]
    with np.load(REFERENCE) as reference:
        for when in ("check", "initial"):
            for part, shape in (
                ("hidden_weights", (2, 3)),
                ("hidden_bias", (1, 3)),
                ("output_weights", (3, 2)),
                ("output_bias", (1, 2)),
            ):
                expected = reference[f"{when}_{part}"]
                assert np.array_equal(random.randn(*shape), expected.reshape(shape)), (when, part)


def test_circles_defaults_are_the_notebooks_own():
    X, y = generate("circles", random_state=42)
    X_named, y_named = generate("circles", random_state=42, n_samples=50_000, factor=0.1, noise=0.1)
    assert np.array_equal(X, X_named)
    assert np.array_equal(y, y_named)


@every_generator
def test_generate_gives_the_same_samples_for_a_seed_and_its_stream(name):
    X, y = generate(name, 7, n_samples=60)
    X_again, y_again = generate(name, RandomState(7), n_samples=60)
    assert np.array_equal(X, X_again)
    assert np.array_equal(y, y_again)
    assert not np.array_equal(X, generate(name, 8, n_samples=60)[0])


@every_generator
def test_generator_says_how_many_inputs_and_outputs_its_samples_have(name):
    kind = GENERATORS[name]
    X, y = generate(name, 7, n_samples=100)
    inputs, outputs = kind.width({})
    assert X.shape == (100, inputs)
    assert y.shape == (100,)
    if kind.task == "classification":
        assert y.dtype.kind == "i"
        assert np.unique(y).tolist() == list(range(outputs))
    else:
        assert (y.dtype.kind, outputs) == ("f", 1)
    assert len(kind.features) in (0, inputs)
    assert len(kind.classes) in (0, outputs)
    for of, setting in ((kind.inputs, 0), (kind.outputs, 1)):
        if isinstance(of, str):
            assert kind.width({of: 5})[setting] == 5


@every_generator
def test_generator_takes_both_ends_of_what_is_worth_trying(name):
    settings = GENERATORS[name].settings
    assert {"n_samples"} < {*settings}
    for key, (default, low, high) in settings.items():
        assert low <= default <= high
        for value in (low, high):
            small = {"n_samples": 100} if key != "n_samples" else {}
            X, y = generate(name, 0, **{**small, key: value})
            assert np.isfinite(X).all()
            assert np.isfinite(y).all()


@every_generator
def test_generate_leaves_numpys_own_state_alone(name):
    np.random.seed(3)
    before = np.random.get_state()[1].copy()
    generate(name, 7, n_samples=60)
    assert np.array_equal(np.random.get_state()[1], before)


@every_generator
def test_generate_moves_a_stream_on(name):
    random = RandomState(7)
    first, second = (generate(name, random, n_samples=60)[0] for _ in range(2))
    assert not np.array_equal(first, second)


def test_generate_settings_reach_the_generator():
    X, y = generate("blobs", 0, n_samples=30, centers=5, n_features=4, spread=1e-9)
    assert X.shape == (30, 4)
    assert y.max() == 4
    assert X[y == 2].std(axis=0).max() < 1e-8
    X, y = generate("circles", 0, n_samples=30, factor=0.5, noise=0.0)
    np.testing.assert_allclose(np.linalg.norm(X, axis=1), np.where(y == 1, 0.5, 1.0))
    X, _ = generate("moons", 0, n_samples=30, noise=0.0)
    assert X[:, 1].min() == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("name", "settings", "words"),
    [
        ("circels", {}, "Unknown generator 'circels'. Did you mean 'circles'"),
        ("circles", {"nois": 1}, "Did you mean 'noise'"),
        ("circles", {"factor": 2.0}, "'circles' cannot use its settings: .*factor"),
        ("circles", {"n_samples": "many"}, "n_samples"),
        ("circles", {"noise": -1.0}, "noise"),
    ],
)
def test_generate_says_what_is_wrong_with_a_setting(name, settings, words):
    with pytest.raises(InputError, match=words):
        generate(name, 0, **settings)


def test_generate_passes_on_what_is_wrong_with_a_random_state():
    with pytest.raises(InputTypeError, match="random_state"):
        generate("circles", "seed")


def test_xor_is_parted_by_the_product_of_the_coordinates():
    X, y = generate("xor", 0, n_samples=400, noise=0.1)
    assert np.array_equal(y, (X[:, 0] * X[:, 1] < 0).astype(int))
    assert np.abs(np.abs(X) - 1).max() < 0.5
    with pytest.raises(InputError, match="The generator 'xor' cannot use its settings"):
        generate("xor", 0, noise=-1.0)


def test_spirals_are_one_curve_half_a_turn_apart():
    X, y = generate("spirals", 0, n_samples=500, turns=2.0, noise=0.0)
    assert np.bincount(y).tolist() == [250, 250]
    radius = np.hypot(*X.T)
    assert 0.1 <= radius.min() < radius.max() <= 1
    ahead = np.angle(np.exp(1j * (np.arctan2(X[:, 1], X[:, 0]) - 4 * np.pi * radius)))
    np.testing.assert_allclose(np.abs(ahead), np.pi * y, atol=1e-9)


def test_checkerboard_changes_color_at_each_edge():
    X, y = generate("checkerboard", 0, n_samples=400, squares=3, noise=0.0)
    column, row = (((X + 1) * 3) // 2).astype(int).T
    assert np.array_equal(y, (column + row) % 2)
    assert np.abs(X).max() < 1
    with pytest.raises(InputError, match="squares is 0; expected 1 or more"):
        generate("checkerboard", 0, squares=0)


def test_parity_has_every_pattern_equally_often():
    X, y = generate("parity", 0, n_samples=80, bits=3, noise=0.0)
    patterns, counts = np.unique(X, axis=0, return_counts=True)
    assert (len(patterns), set(counts.tolist())) == (8, {10})
    assert np.array_equal(y, (X > 0).sum(axis=1) % 2)
    with pytest.raises(InputError, match="bits is 40; expected from 1 to 16"):
        generate("parity", 0, bits=40)


def test_sine_has_its_periods_and_noise():
    X, y = generate("sine", 0, n_samples=2_000, periods=3.0, noise=0.2)
    assert (y - np.sin(3 * np.pi * X[:, 0])).std() == pytest.approx(0.2, rel=0.05)
    assert np.abs(X).max() < 1


@pytest.mark.parametrize(("name", "rows"), [("iris", 150), ("digits", 1_797)])
def test_table_is_scikit_learns_in_another_order(name, rows):
    from sklearn import datasets

    table = getattr(datasets, f"load_{name}")()
    X, y = generate(name, 3)
    scale = 16 if name == "digits" else 1
    expected = np.column_stack([table.data / scale, table.target])
    found = np.column_stack([X, y])
    order = [np.lexsort(data.T) for data in (found, expected)]
    assert np.array_equal(found[order[0]], expected[order[1]])
    assert not np.array_equal(found, expected)
    assert GENERATORS[name].classes == tuple(map(str, table.target_names))
    with pytest.raises(InputError, match=f"n_samples is 5000; the table has {rows:,} rows"):
        generate(name, 3, n_samples=5_000)
