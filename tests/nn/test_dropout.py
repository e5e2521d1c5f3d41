"""Dropout: the masks themselves, both engines' passes with them, and whole runs."""

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from same_runs import assert_same_run

import glassnet as gn
from glassnet import native
from glassnet.data.dataset import as_dataset
from glassnet.engine.prepare import ProblemSettings, prepare, prepare_problem
from glassnet.engine.records import Updates
from glassnet.nn import reference
from glassnet.nn.dropout import Masks, as_dropout, draw_seed, mask
from glassnet.utils.storage import read_arrays, write_arrays

both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
ROUNDING = {"float32": 2e-5, "float64": 1e-12}
NET = gn.Network((3, 9, 6, 2), hidden=["tanh", "gelu"])
P = (0.3, 0.6)
PAIRS = list(zip(gn.ACTIVATIONS, cycle(gn.LOSSES)))  # all of both, taking turns


def data(n, network=NET, seed=0):
    random = np.random.RandomState(seed)
    return random.randn(n, network.sizes[0]), random.randint(0, network.sizes[-1], n)


def train(n=57, iterations=12, **settings):
    settings = {"dropout": P, "random_state": 1} | settings
    network = settings.pop("network", NET)
    return gn.train(network, *data(n, network), iterations=iterations, **settings)


# ---- What is asked for ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), [0.5, 0.5], (0.5, 0.5), np.array([0.5, 0.5])])
def test_dropout_is_one_number_or_one_for_each_layer(value):
    assert as_dropout(value, 2) == (0.5, 0.5)


def test_no_hidden_layer_takes_no_dropout():
    assert as_dropout(0, 0) == as_dropout([], 0) == ()
    with pytest.raises(gn.InputError, match=r"dropout is 0\.5, but the network has no hidden layer"):
        as_dropout(0.5, 0)


@pytest.mark.parametrize("p", [1, -0.1, 1.5, float("nan"), float("inf")])
def test_bad_probability_is_refused_with_its_place(p):
    with pytest.raises(gn.InputError, match=f"^dropout is {float(p)}; expected .* from 0 to below 1"):
        as_dropout(p, 2)
    with pytest.raises(gn.InputError, match=rf"^dropout\[1\] is {float(p)}; expected"):
        as_dropout([0, p], 2)


@pytest.mark.parametrize("value", ["0.5", None, True, ["a", "b"], {"p": 0.5}, [[0.1], [0.2]]])
def test_dropout_that_is_no_number_is_refused(value):
    with pytest.raises(gn.InputTypeError, match=r"^dropout(\[0\])? is a number, not"):
        as_dropout(value, 2)


@pytest.mark.parametrize("batch_size", [None, 10])
def test_dropout_of_another_length_is_refused(batch_size):
    with pytest.raises(gn.InputError, match="dropout has 3 probabilities, the network 2 hidden layer"):
        train(dropout=[0.1, 0.2, 0.3], batch_size=batch_size)


@pytest.mark.parametrize(("seed", "number"), [(-1, 1), (2**64, 1), (0, 0), (0, 2**64)])
def test_masks_outside_of_the_counter_are_refused(seed, number):
    with pytest.raises(gn.InputError, match="expected a whole number from"):
        Masks(seed, number)


@pytest.mark.parametrize("bad", [0.5, True, None])
def test_masks_are_whole_numbers(bad):
    with pytest.raises(gn.InputTypeError, match="seed is a whole number"):
        Masks(bad, 1)


@pytest.mark.parametrize("bad", [[0.5], [0.5, 0.5, 0.5], [0.5, 1.0], [-0.1, 0.5], [float("nan"), 0]])
def test_native_module_refuses_bad_dropout(bad):
    for kind in (native.module.Problem32, native.module.Batches64):
        with pytest.raises(ValueError, match="probability"):
            kind(
                sizes=NET.sizes,
                hidden=[record.name for record in NET.hidden],
                loss="cross_entropy",
                n_samples=4,
                labels=True,
                weighted=False,
                isa="",
                dropout=bad,
            )


# ---- The masks ------------------------------------------------------------------------------------


def philox(key, counter):
    """Philox4x64-10 word for word as the paper has it, in Python's own whole numbers."""
    most, key = 2**64 - 1, list(key)
    c = list(counter)
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c[0], 0xCA5A826395121157 * c[2]
        c = [second >> 64 ^ c[1] ^ key[0], second & most, first >> 64 ^ c[3] ^ key[1], first & most]
        key = [(key[0] + 0x9E3779B97F4A7C15) & most, (key[1] + 0xBB67AE8584CAA73B) & most]
    return c


@pytest.mark.parametrize("seed", [0, 42, 2**64 - 1])
def test_mask_is_philox_by_the_paper(seed):
    n, units, number, layer, p = 5, 7, 2**40 + 3, 2, 0.3
    words = []
    for block in range(1, 6):
        for word in philox((seed, 0), (block, layer, number, 0)):
            words += [word & 0xFFFFFFFF, word >> 32]
    expected = [[1 / (1 - p) * (words[o * n + s] >= p * 2**32) for o in range(units)] for s in range(n)]
    assert mask(seed, number, layer, units, n, p, "float64").tolist() == expected


@both_dtypes
@pytest.mark.parametrize("p", [0.01, 0.5, 0.9])
def test_share_of_kept_units_is_one_minus_p(p, dtype):
    M = mask(3, 1, 1, 200, 5000, p, dtype)
    assert M.shape == (5000, 200)
    assert M.dtype == dtype
    assert set(np.unique(M)) == {0, np.dtype(dtype).type(1 / (1 - p))}
    deviation = np.sqrt(p * (1 - p))
    assert abs((M > 0).mean() - (1 - p)) < 4 * deviation / np.sqrt(M.size)
    # No unit and no sample is favored.
    assert np.abs((M > 0).mean(axis=0) - (1 - p)).max() < 5 * deviation / np.sqrt(5000)
    assert np.abs((M > 0).mean(axis=1) - (1 - p)).max() < 6 * deviation / np.sqrt(200)


def test_masks_of_other_seeds_numbers_and_layers_have_nothing_in_common():
    masks = [
        mask(*where, 100, 400, 0.5, "float64") > 0 for where in [(0, 1, 1), (1, 1, 1), (0, 2, 1), (0, 1, 2)]
    ]
    for i, one in enumerate(masks):
        for other in masks[:i]:
            assert abs((one == other).mean() - 0.5) < 4 * 0.5 / np.sqrt(one.size)


def test_draw_skips_whole_layers():
    whole, dropped = Masks(4, 2).draw((3, 5, 6, 2), (0.0, 0.5), 7, "float32")
    assert whole is None
    assert np.array_equal(dropped, mask(4, 2, 2, 6, 7, 0.5, "float32"))


def test_later_passes_have_later_numbers():
    assert Masks(4, 2).after(3) == Masks(4, 5)


# ---- One pass -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("hidden", "loss"), PAIRS)
def test_masked_gradient_is_the_masked_losss_slope(make_network, make_data, hidden, loss):
    network = make_network((3, 5, 4, 2), hidden, loss)
    X, Y = make_data(network, 6, seed=3)
    masks = Masks(1, 1).draw(network.sizes, (0.4, 0.3), 6, "float64")
    assert all((M == 0).any() and (M > 0).any() for M in masks)

    def loss_of(flat):
        theta = gn.Parameters(network.sizes, flat)
        Zs, _ = reference.forward_propagation(X, theta.weights, theta.biases, network.hidden, masks)
        return reference.loss(Zs[-1], Y, network.loss)

    theta = network.initialize(2)
    theta.flat[:] *= 0.7
    value, gW, gb = reference.compute_gradients(
        X, Y, theta.weights, theta.biases, network.hidden, network.loss, None, masks
    )
    gradient = np.concatenate([part.ravel() for pair in zip(gW, gb, strict=True) for part in pair])
    steps = 1e-5 * np.eye(network.n_parameters)
    numerical = [(loss_of(theta.flat + step) - loss_of(theta.flat - step)) / 2e-5 for step in steps]
    assert value == loss_of(theta.flat)
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("hidden", gn.ACTIVATIONS)
@both_dtypes
def test_engines_agree_on_a_training_pass(hidden, dtype):
    for sizes, counts in [((3, 5, 4, 3), (1, 257)), ((2, 17, 9, 2), (7, 1001))]:  # 1,001: several blocks
        network = gn.Network(sizes, hidden=hidden)
        theta = network.initialize(1, dtype=dtype).flat
        for n in counts:
            X, y = data(n, network, seed=n)
            passes = {}
            for engine in ("numpy", "native"):
                problem = prepare(network, X, y, dtype=dtype, engine=engine, dropout=P)
                passes[engine] = problem.loss_and_gradient(theta, Masks(2**63 + 5, 3))
            (J, g), (J_native, g_native) = passes["numpy"], passes["native"]
            assert abs(J_native - J) <= ROUNDING[dtype] * abs(J)
            np.testing.assert_allclose(g_native, g, rtol=0, atol=ROUNDING[dtype] * np.abs(g).max())


@both_dtypes
def test_pass_without_masks_drops_nothing(engine, dtype):
    X, y = data(300)
    theta = NET.initialize(1, dtype=dtype).flat
    dropping = prepare(NET, X, y, dtype=dtype, engine=engine, dropout=P)
    whole = prepare(NET, X, y, dtype=dtype, engine=engine)
    loss, gradient = dropping.loss_and_gradient(theta)
    expected, slope = whole.loss_and_gradient(theta)
    assert abs(loss - expected) <= ROUNDING[dtype] * expected
    np.testing.assert_allclose(gradient, slope, rtol=0, atol=ROUNDING[dtype] * np.abs(slope).max())
    assert abs(dropping.loss_and_gradient(theta, Masks(0, 1))[0] - expected) > 1e-3


def test_dropping_problem_does_not_descend_without_masks(engine):
    problem = prepare(NET, *data(20), engine=engine, dropout=P)
    flat, stop = NET.initialize(0).flat, np.zeros(1, np.uint8)
    _, gradient = problem.loss_and_gradient(flat)
    how = {"optimizer": gn.SGD(), "rates": np.ones(1), "stop": stop, "seconds": 1.0, "limit": 1e9}
    with pytest.raises(gn.InputError, match=r"give the masks of the pass.*masks=Masks\(seed=0, number=1\)"):
        problem.descend(flat, np.zeros((1, flat.size)), gradient, np.empty(1), first_update=1, **how)
    settings = ProblemSettings(5, engine=engine, dropout=P)
    batches = prepare_problem(NET, as_dataset(*data(20)), settings)
    arrays = flat, np.zeros((1, flat.size)), np.empty(1)
    with pytest.raises(gn.InputError, match=r"give the masks of the pass.*masks=Masks\(seed=0, number=1\)"):
        batches.train(*arrays, batches.begin(None, 1e9), Updates(first=1, **how))


# ---- Training -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "batch_size"),
    # The last has batches of several blocks.
    [(1, None), (1, 16), (57, None), (57, 1), (57, 16), (213, 33), (613, 300), (3001, 1300)],
)
@both_dtypes
def test_engines_agree_on_training(dtype, n, batch_size):
    settings = {"n": n, "dtype": dtype, "batch_size": batch_size, "iterations": 3 if batch_size else 12}
    settings["optimizer"] = gn.SGD(0.01, 0.5)
    runs = [train(**settings, engine=engine) for engine in ("numpy", "native")]
    assert runs[0].dropout_seed == runs[1].dropout_seed
    # Some hundred updates amplify rounding.
    tolerance = (20 if batch_size else 1) * ROUNDING[dtype]
    np.testing.assert_allclose(runs[1].losses, runs[0].losses, rtol=tolerance, atol=tolerance)
    flat = runs[0].parameters.flat
    np.testing.assert_allclose(runs[1].parameters.flat, flat, rtol=0, atol=tolerance * np.abs(flat).max())


@pytest.mark.parametrize(("batch_size", "dtype"), [(None, "float32"), (700, "float64")])
def test_threads_and_instruction_sets_do_not_change_a_bit(monkeypatch, dtype, batch_size):
    network = gn.Network((5, 40, 33, 3), hidden=["relu", "softplus"])
    settings = {"network": network, "n": 2001, "batch_size": batch_size, "dtype": dtype, "iterations": 2}
    runs = []
    for threads, isa in enumerate(native.module.isas(), 1):
        monkeypatch.setenv("GLASSNET_ISA", isa)
        runs.append(train(**settings, engine="native", threads=threads))
        assert_same_run(runs[-1], runs[0])
    assert len(runs) > 1


@pytest.mark.parametrize(("batch_size", "dtype"), [(None, "float64"), (16, "float32")])
def test_probability_of_zero_gives_the_bits_of_no_dropout(engine, dtype, batch_size):
    settings = {"engine": engine, "dtype": dtype, "batch_size": batch_size}
    for none in (0.0, (0, 0)):
        run = train(**settings, dropout=none)
        assert_same_run(run, gn.train(NET, *data(57), iterations=12, random_state=1, **settings))
        assert run.dropout_seed is None


def test_losses_and_gradient_are_those_of_the_numbered_masks(engine):
    """losses[k] has the masks k + 1, and update k + 1 follows the gradient of that pass."""
    run = train(iterations=4, engine=engine, optimizer=gn.SGD(0.1, 0))
    X, y = data(57)
    flat = NET.initialize(1).flat
    for k, loss in enumerate(run.losses):
        masks = Masks(run.dropout_seed, k + 1).draw(NET.sizes, P, 57, "float64")
        theta = gn.Parameters(NET.sizes, flat)
        J, gW, gb = reference.compute_gradients(
            X, np.eye(2)[y], theta.weights, theta.biases, NET.hidden, NET.loss, None, masks
        )
        assert loss == pytest.approx(J / 57, rel=1e-12)
        parts = [part.ravel() for pair in zip(gW, gb, strict=True) for part in pair]
        flat = flat - 0.1 * np.concatenate(parts) / 57
    assert len(set(run.losses)) == 5


def test_batches_take_the_masks_of_their_update_and_place(engine):
    run = train(n=50, iterations=2, batch_size=20, shuffle=False, engine=engine, optimizer=gn.SGD(0.1, 0))
    X, y = data(50)
    flat, t, losses = NET.initialize(1).flat, 0, []
    for _ in range(2):
        total = 0.0
        for start in (0, 20, 40):
            rows, t = slice(start, min(start + 20, 50)), t + 1
            count = len(X[rows])
            masks = Masks(run.dropout_seed, t).draw(NET.sizes, P, count, "float64")
            theta = gn.Parameters(NET.sizes, flat)
            J, gW, gb = reference.compute_gradients(
                X[rows], np.eye(2)[y[rows]], theta.weights, theta.biases, NET.hidden, NET.loss, None, masks
            )
            parts = [part.ravel() for pair in zip(gW, gb, strict=True) for part in pair]
            flat = flat - 0.1 * np.concatenate(parts) / count
            total += J
        losses.append(total / 50)
    np.testing.assert_allclose(run.losses, losses, rtol=1e-12)
    np.testing.assert_allclose(run.parameters.flat, flat, rtol=1e-11)


def test_seed_is_drawn_after_the_parameters(engine):
    random = np.random.RandomState(1)
    NET.initialize(random)
    expected = draw_seed(random)
    for batch_size in (None, 20):
        assert train(iterations=0, batch_size=batch_size, engine=engine).dropout_seed == expected
    assert 0 <= expected < 2**32


def test_stream_given_goes_on_and_gives_other_masks(engine):
    random, start = np.random.RandomState(1), NET.initialize(0)
    runs = [train(iterations=2, random_state=random, parameters=start, engine=engine) for _ in range(2)]
    assert runs[0].dropout_seed != runs[1].dropout_seed
    assert runs[0].losses[0] != runs[1].losses[0]


def test_prediction_drops_nothing(engine):
    run = train(engine=engine)
    X, _ = data(57)
    plain = replace(run, dropout=(), dropout_seed=None)
    assert np.array_equal(run.predict_proba(X), plain.predict_proba(X))
    assert np.array_equal(run.forward(X)[-1], NET.forward(run.parameters, X)[-1])


# ---- Going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("batch_size", "dtype"), [(None, "float32"), (16, "float64")])
def test_resumed_run_is_the_whole_run(engine, dtype, batch_size):
    settings = {"engine": engine, "dtype": dtype, "batch_size": batch_size}
    run = train(iterations=5, **settings)
    for more in (1, 6):
        run = run.resume(more)
    assert_same_run(run, train(iterations=12, **settings))


@pytest.mark.parametrize("batch_size", [None, 16])
def test_loaded_run_resumes_bit_for_bit(tmp_path, engine, batch_size):
    run = train(iterations=5, engine=engine, batch_size=batch_size)
    gn.save(run, tmp_path / "run.safetensors")
    loaded = gn.load(tmp_path / "run.safetensors")
    assert (loaded.dropout, loaded.dropout_seed) == (run.dropout, run.dropout_seed) == (P, run.dropout_seed)
    X, y = data(57)
    assert_same_run(loaded.resume(7, X=X, y=y), train(iterations=12, engine=engine, batch_size=batch_size))


@pytest.mark.parametrize(
    "change",
    [
        {"dropout_seed": None},
        {"dropout_seed": -1},
        {"dropout_seed": 0.5},
        {"dropout": [0.5]},
        {"dropout": [0, 0]},
    ],
    ids=str,
)
def test_file_whose_dropout_does_not_fit_is_refused(tmp_path, change):
    path = tmp_path / "run.safetensors"
    gn.save(train(iterations=1), path)
    arrays, document = read_arrays(path)
    write_arrays(path, arrays, document | change)
    with pytest.raises(gn.FileError, match="does not describe a run"):
        gn.load(path)


def test_callbacks_cut_no_mask(engine):
    assert_same_run(train(engine=engine, callbacks=[lambda run: False]), train(engine=engine))


def test_another_optimizer_takes_up_the_run_with_its_masks(engine):
    run = train(iterations=5, engine=engine).resume(2, optimizer=gn.Adam())
    other = train(iterations=5, engine="numpy").resume(2, optimizer=gn.Adam())
    np.testing.assert_allclose(run.losses, other.losses, rtol=1e-11)
    again = run.resume(1)
    masks = Masks(run.dropout_seed, 9)  # after the passes of losses 0 to 7
    assert run.data.problem.loss_and_gradient(again.parameters.flat, masks)[0] == again.losses[8]


def test_adaptive_rate_hears_the_masked_losses(engine):
    rule = gn.SGD(gn.Adaptive(0.5))
    assert_same_run(
        train(iterations=30, engine=engine, optimizer=rule),
        train(iterations=11, engine=engine, optimizer=rule).resume(19),
    )
