import json
import math
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glassnet as gn
from glassnet import native
from glassnet.engine.native_calls import native_rule
from glassnet.engine.prepare import prepare
from glassnet.nn import reference
from glassnet.optim import OPTIMIZERS
from glassnet.optim.penalties import weight_mask
from glassnet.training.steppers import check_rule, rule_from_dict

every_kind = pytest.mark.parametrize("kind", OPTIMIZERS.values(), ids=OPTIMIZERS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def variants():
    """Every optimizer as it is, with its flag turned, and with every other setting changed."""
    for name, kind in OPTIMIZERS.items():
        yield pytest.param(kind(), id=name)
        if kind.flag:
            yield pytest.param(kind(**{kind.flag: True}), id=f"{name}-{kind.flag}")
        changed = {one: 0.7 * getattr(kind(), one) or 0.3 for one in kind.coefficients}
        if "weight_decay" in kind().settings():
            changed["weight_decay"] = 0.2
        yield pytest.param(kind(0.03, **changed), id=f"{name}-changed")


every_variant = pytest.mark.parametrize("optimizer", list(variants()))

NET = gn.Network((5, 33, 7, 3), hidden="tanh")  # 430 parameters, an odd number of vectors


def data(n=37, net=NET):
    random = np.random.RandomState(n)
    return random.randn(n, net.sizes[0]), random.randint(0, net.sizes[-1], n)


def descend(problem, optimizer, gradient, flat, state, t, rate):
    """One native update by a gradient of the caller's own."""
    problem.descend(
        flat,
        state,
        gradient.copy(),
        np.zeros(1),
        optimizer=optimizer,
        rates=np.array([rate]),
        first_update=t,
        limit=np.inf,
        stop=np.zeros(1, np.uint8),
        seconds=9.0,
    )


# ---- The settings ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 0.0, -0.1, math.nan, math.inf, -math.inf])
def test_learning_rate_outside_its_range_is_refused_in_words(rate):
    kind = gn.SGD
    with pytest.raises(gn.InputError, match=r"learning_rate is .* above 0"):
        kind(learning_rate=rate)


@pytest.mark.parametrize("momentum", [-1e-9, -1, 1, 1.0, 1.5, math.nan, math.inf])
def test_momentum_outside_its_range_is_refused_in_words(momentum):
    with pytest.raises(gn.InputError, match=r"momentum is .* from 0 to below 1"):
        gn.SGD(momentum=momentum)


@every_kind
def test_every_setting_has_a_range_and_refuses_what_is_outside(kind):
    for setting, value in kind().settings().items():
        if isinstance(value, bool):
            with pytest.raises(gn.InputTypeError, match=f"{setting} is True or False, not 1"):
                kind(**{setting: 1})
            continue
        for bad in (-1, math.nan, math.inf):
            with pytest.raises(gn.InputError, match=f"{setting} is {float(bad)}; expected a "):
                kind(**{setting: bad})
        for bad in ("0.1", True, np.True_, [0.1], np.array(0.1), 1 + 0j):
            with pytest.raises(gn.InputTypeError, match=f"{setting} is a number"):
                kind(**{setting: bad})


@every_kind
def test_numpy_settings_become_python_floats(kind):
    numbers = {name: v for name, v in kind().settings().items() if isinstance(v, float)}
    optimizer = kind(**{name: np.float64(value) for name, value in numbers.items()})
    assert optimizer == kind()
    assert all(type(getattr(optimizer, name)) is float for name in numbers)


def test_learning_rate_too_large_for_a_float_is_refused():
    with pytest.raises(gn.InputError, match="too large for a float"):
        gn.SGD(learning_rate=10**400)


@every_kind
def test_optimizer_is_frozen(kind):
    for one in fields(kind):
        with pytest.raises(FrozenInstanceError):
            setattr(kind(), one.name, 0.5)


@every_variant
@pytest.mark.parametrize(
    ("rate", "more"),
    [(0.25, {"clip_norm": 0.5, "clip_value": 2.0}), (gn.WarmUp(gn.Cosine(0.1, 50), 5), {})],
    ids=["number", "schedule"],
)
def test_optimizer_goes_through_json_by_name(optimizer, more, rate):
    optimizer = type(optimizer)(**{**optimizer.settings(), **more, "learning_rate": rate})
    settings = json.loads(json.dumps(optimizer.to_dict()))
    assert settings["name"] == optimizer.name
    assert rule_from_dict(settings) == optimizer


@every_variant
def test_repr_is_how_one_would_write_it(optimizer):
    assert eval(f"gn.{optimizer!r}", {"gn": gn}) == optimizer


def test_repr_leaves_out_what_is_seldom_set():
    assert repr(gn.SGD(0.5)) == "SGD(learning_rate=0.5, momentum=0.9)"
    shown = "SGD(learning_rate=0.5, momentum=0.9, clip_norm=1.0, nesterov=True)"
    assert repr(gn.SGD(0.5, clip_norm=1, nesterov=True)) == shown


@settings(max_examples=40)
@given(rate=st.floats(5e-324, 1e300), momentum=st.floats(0, 1, exclude_max=True))
def test_settings_go_through_json_exactly(rate, momentum):
    optimizer = gn.SGD(rate, momentum)
    assert rule_from_dict(json.loads(json.dumps(optimizer.to_dict()))) == optimizer


def test_from_dict_takes_defaults_for_what_is_left_out():
    assert rule_from_dict({"name": "sgd", "momentum": 0.5}) == gn.SGD(momentum=0.5)


def test_from_dict_leaves_its_argument_alone():
    settings = {"name": "sgd", "learning_rate": {"schedule": "step", "rate": 1, "every": 2}}
    before = json.dumps(settings)
    rule_from_dict(settings)
    assert json.dumps(settings) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no name"),
        ({"name": "sdg"}, "Did you mean 'sgd'"),
        ({"name": "sgd", "learning_rte": 0.1}, "Did you mean 'learning_rate'"),
        ({"name": "sgd", "learning_rate": -1}, "above 0"),
        ({"name": "sgd", "learning_rate": {"schedule": "cosin"}}, "Did you mean 'cosine'"),
        ("sgd", "mapping"),
    ],
)
def test_from_dict_refuses_what_describes_no_optimizer(settings, message):
    with pytest.raises((gn.InputError, gn.InputTypeError), match=message):
        rule_from_dict(settings)


@pytest.mark.parametrize("other", [gn.SGD, None, 0.1])
def test_check_rule_says_what_an_optimizer_is(other):
    with pytest.raises(gn.InputTypeError, match=r"such as gn\.SGD"):
        check_rule(other)


# ---- The update, in Python ------------------------------------------------------------------------


def test_sgd_update_is_the_references():
    random = np.random.RandomState(0)
    theta, V, g = random.randn(3, 6)
    expected = reference.momentum_update(theta, V, g, 0.1, 0.9)
    theta, state = gn.SGD().update(theta, V[None], g, 1, 0.1, np.ones(6, bool))
    assert np.array_equal(theta, expected[0])
    assert np.array_equal(state[0], expected[1])


@every_variant
@both_dtypes
def test_update_makes_new_arrays_of_the_same_precision(optimizer, dtype):
    random = np.random.RandomState(0)
    theta, g = random.randn(2, 6).astype(dtype)
    state = np.abs(random.randn(len(optimizer.state_names), 6)).astype(dtype)
    before = theta.copy(), state.copy(), g.copy()
    new, kept = optimizer.update(theta, state, g, 3, 0.1, np.ones(6, bool))
    assert (new.dtype, kept.dtype, kept.shape) == (dtype, dtype, state.shape)
    for given_one, copied in zip((theta, state, g), before, strict=True):
        assert np.array_equal(given_one, copied)
    assert not np.array_equal(new, theta)


@every_kind
def test_biases_are_never_decayed(kind):
    zero, theta = np.zeros(4), np.full(4, 2.0)
    is_weight = np.array([True, True, False, False])
    optimizer = kind(weight_decay=0.5) if "weight_decay" in kind().settings() else kind()
    moved, _ = optimizer.update(theta, np.zeros((len(kind.state_names), 4)), zero, 1, 0.1, is_weight)
    decayed = 1.9 if "weight_decay" in kind().settings() else 2.0
    np.testing.assert_allclose(moved, [decayed, decayed, 2, 2], rtol=1e-15)


@every_variant
def test_descent_goes_down_a_bowl(optimizer):
    start, state = np.array([1.0, -2.0, 0.5]), np.zeros((len(optimizer.state_names), 3))
    theta = start
    for t in range(1, 200):
        theta, state = optimizer.update(theta, state, 2 * theta, t, 0.01, np.ones(3, bool))
    assert (np.abs(theta) < np.abs(start)).all()


# ---- Strangers' opinions --------------------------------------------------------------------------

NOT_IN_PYTORCH = {"lion"}  # all other optimizers have recorded steps


def test_optimizers_follow_pytorchs_recorded_steps(torch_rules):
    rules, record = torch_rules
    assert {ours["name"] for ours, *_ in rules.OPTIMIZERS} == set(OPTIMIZERS) - NOT_IN_PYTORCH
    for (ours, *_), path in zip(rules.OPTIMIZERS, record["trajectories"], strict=True):
        optimizer = rule_from_dict(ours)
        rates = optimizer.schedule.rates(1, rules.STEPS)
        theta, state = np.array(rules.START), np.zeros((len(optimizer.state_names), len(rules.START)))
        for t in range(1, rules.STEPS + 1):
            gradient = np.array(rules.CURVATURE) * theta - rules.PUSH
            everything = np.ones(theta.size, bool)  # PyTorch decays biases too
            theta, state = optimizer.update(theta, state, gradient, t, float(rates[t - 1]), everything)
            if t in rules.KEPT:
                expected = path[rules.KEPT.index(t)]
                np.testing.assert_allclose(theta, expected, rtol=1e-12, atol=1e-13, err_msg=str(ours))


def test_recorded_steps_are_pytorchs(torch_rules):
    pytest.importorskip("torch")
    rules, record = torch_rules
    np.testing.assert_allclose(rules.trajectories(), record["trajectories"], rtol=1e-12, atol=1e-13)


@both_dtypes
def test_sgd_and_adam_are_scikit_learns_to_the_last_bit(dtype):
    from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

    shapes = [(3, 4), (4,)]
    for theirs, ours in (
        (lambda p: SGDOptimizer(p, 0.1, momentum=0.8, nesterov=False), gn.SGD(0.1, 0.8)),
        (lambda p: SGDOptimizer(p, 0.1, momentum=0.8), gn.SGD(0.1, 0.8, nesterov=True)),
        (lambda p: AdamOptimizer(p, 0.01, epsilon=1e-3), gn.Adam(0.01, epsilon=1e-3, epsilon_hat=True)),
    ):
        random = np.random.RandomState(0)
        parameters = [random.randn(*shape).astype(dtype) for shape in shapes]
        flat = np.concatenate([part.ravel() for part in parameters])
        state = np.zeros((len(ours.state_names), flat.size), dtype)
        optimizer = theirs(parameters)
        for t in range(1, 31):
            gradients = [random.randn(*shape).astype(dtype) for shape in shapes]
            g = np.concatenate([part.ravel() for part in gradients])
            optimizer.update_params(parameters, gradients)
            flat, state = ours.update(flat, state, g, t, ours.learning_rate, np.ones(flat.size, bool))
            assert np.array_equal(flat, np.concatenate([part.ravel() for part in parameters]))


# ---- The update, compiled -------------------------------------------------------------------------


def test_native_optimizers_are_those_of_the_registry():
    assert sorted(native.module.OPTIMIZERS) == sorted(OPTIMIZERS)
    for kind in OPTIMIZERS.values():
        assert native_rule(kind(), gn.Penalties()).state_rows == len(kind.state_names)


@every_variant
@both_dtypes
def test_native_update_is_the_references_bit_for_bit(optimizer, dtype):
    """By gradients drawn anew, so that nothing but the update is compared."""
    problem = prepare(NET, *data(), dtype=dtype, engine="native")
    random, n = np.random.RandomState(1), NET.n_parameters
    flat, state = random.randn(n).astype(dtype), np.zeros((len(optimizer.state_names), n), dtype)
    expected, is_weight = (flat.copy(), state.copy()), weight_mask(NET.sizes)
    for t in (*range(1, 40), 1_000, 100_000):
        g = (random.uniform(0, 2) * random.randn(n)).astype(dtype)
        expected = optimizer.update(*expected, g, t, 0.01, is_weight)
        descend(problem, optimizer, g, flat, state, t, 0.01)
        assert np.array_equal(flat, expected[0])
        assert np.array_equal(state, expected[1])


@every_variant
@pytest.mark.parametrize(("n", "dtype"), [(1, np.float64), (37, np.float32)])
def test_engines_agree_over_a_descent(optimizer, dtype, n):
    bounds = {"clip_value": 0.05, "clip_norm": 0.1}
    optimizer = type(optimizer)(**{**optimizer.settings(), **bounds, "learning_rate": 0.01})
    settings = {"optimizer": optimizer, "iterations": 15, "dtype": dtype, "random_state": 0}
    settings |= {"l1": 1e-3, "l2": 1e-2, "max_norm": 1.5}
    # Lion steps by the sign of what may be a rounding error.
    steps = np.full(16, 1e-10 if dtype == np.float64 else 1e-4)
    ours, reference = (gn.train(NET, *data(n), engine=name, **settings) for name in ("native", "numpy"))
    np.testing.assert_allclose(ours.losses, reference.losses, rtol=steps[0])
    if optimizer.name != "lion":
        tolerance = 1e-8 if dtype == np.float64 else 2e-3
        np.testing.assert_allclose(ours.parameters.flat, reference.parameters.flat, atol=tolerance)


@both_dtypes
def test_same_bits_for_every_thread_count_and_instruction_set(monkeypatch, dtype):
    """Over more parameters than a range holds, with everything turned on."""
    random, net = np.random.RandomState(0), gn.Network((30, 150, 3), hidden="tanh")
    X, y = random.randn(200, 30), random.randint(0, 3, 200)
    settings = {"iterations": 3, "random_state": 0, "dtype": dtype, "engine": "native"}
    settings |= {"l1": 1e-4, "l2": 1e-3, "max_norm": 1.5}
    rules = [kind(0.01, clip_value=0.1, clip_norm=0.2) for kind in OPTIMIZERS.values()]
    rules += [type(rule)(**{**rule.settings(), rule.flag: True}) for rule in rules if rule.flag]
    for rule in rules:
        results = set()
        for threads, isa in enumerate(native.module.isas(), 1):
            monkeypatch.setenv("GLASSNET_ISA", isa)
            run = gn.train(net, X, y, optimizer=rule, threads=threads, **settings)
            results.add(run.parameters.flat.tobytes() + run.state.tobytes() + run.losses.tobytes())
        assert len(results) == 1, rule


@every_kind
def test_a_rule_that_is_derived_from_ours_is_not_taken_for_it(kind):
    class Mine(kind):
        """Another rule, under the same name."""

    data = gn.Network((1, 2)), [[0.0], [1.0]], [0, 1]
    for call in (
        lambda: gn.train(*data, optimizer=Mine()),
        lambda: gn.train(*data, iterations=1).resume(1, optimizer=Mine()),
        lambda: gn.sweep(*data, grid={"clip_norm": [1.0]}, optimizer=Mine()),
    ):
        with pytest.raises(gn.InputTypeError, match=r"one of SGD, .* not Mine, a rule of your own"):
            call()


def test_check_rule_says_how_to_make_the_one_that_was_meant():
    with pytest.raises(gn.InputTypeError, match=r"Use gn\.Adam\(\)\.$"):
        check_rule(gn.Adam)
    with pytest.raises(gn.InputError, match=r"Did you mean 'adam'"):
        check_rule("Adam")
    assert check_rule("adam") == gn.Adam()
