import json
import math
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glassnet as gn
from glassnet.optim.schedules import SCHEDULES, schedule_from_dict

EXAMPLES = {
    "constant": gn.Constant(0.1),
    "inverse_scaling": gn.InverseScaling(0.1, power=0.7, decay=3),
    "adaptive": gn.Adaptive(0.1, patience=3),
    "reduce_on_plateau": gn.ReduceOnPlateau(0.1, patience=3),
    "step": gn.Step(0.1, every=4, factor=0.5),
    "exponential": gn.Exponential(0.1, factor=0.9),
    "cosine": gn.Cosine(0.1, steps=20, final=0.01),
    "one_cycle": gn.OneCycle(0.1, steps=20),
    "warm_up": gn.WarmUp(gn.Cosine(0.1, steps=20), updates=5),
}
every_schedule = pytest.mark.parametrize("schedule", EXAMPLES.values(), ids=EXAMPLES)


def counts_iterations(schedule):
    return "per" in [one.name for one in fields(schedule)]


def test_there_is_an_example_of_every_schedule():
    assert list(EXAMPLES) == [schedule.name for schedule in EXAMPLES.values()]
    assert set(EXAMPLES) == set(SCHEDULES)


# ---- The settings ---------------------------------------------------------------------------------


@every_schedule
def test_schedule_is_frozen_and_written_as_one_would_write_it(schedule):
    with pytest.raises(FrozenInstanceError):
        setattr(schedule, fields(schedule)[0].name, 1)
    assert eval(repr(schedule), vars(gn)) == schedule


@every_schedule
def test_schedule_goes_through_json_by_name(schedule):
    settings = json.loads(json.dumps(schedule.to_dict()))
    assert settings["schedule"] == schedule.name
    assert schedule_from_dict(settings) == schedule


@every_schedule
def test_every_setting_refuses_what_is_outside_its_range(schedule):
    for setting, value in schedule.settings().items():
        make = {**schedule.settings()}
        bad = {"per": ["epoch", 1, None], "then": [-1, "x", None]}.get(setting)
        for one in bad or ([0, -1, 1.5, "2", True] if type(value) is int else [-1, math.nan, "x", True]):
            with pytest.raises((gn.InputError, gn.InputTypeError), match=setting):
                type(schedule)(**{**make, setting: one})


@pytest.mark.parametrize("inner", [gn.Adaptive(0.1), gn.ReduceOnPlateau(0.1), gn.WarmUp(0.1, 3)])
def test_warm_up_refuses_what_is_not_known_beforehand(inner):
    with pytest.raises(gn.InputError, match="known beforehand"):
        gn.WarmUp(inner, 5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "no name"),
        ({"schedule": "cosin"}, "Did you mean 'cosine'"),
        ({"schedule": 3}, "Unknown schedule 3"),
        ({"schedule": "cosine", "rate": 0.1}, "'cosine' lacks steps"),
        ({"schedule": "cosine", "rate": 0.1, "step": 3}, "Did you mean 'steps'"),
        ({"schedule": "warm_up", "then": {"schedule": "x"}, "updates": 3}, "Unknown schedule 'x'"),
        (0.1, "mapping"),
    ],
)
def test_from_dict_refuses_what_describes_no_schedule(settings, message):
    with pytest.raises((gn.InputError, gn.InputTypeError), match=message):
        schedule_from_dict(settings)


# ---- The rates ------------------------------------------------------------------------------------


@every_schedule
def test_slower_multiplies_every_rate(schedule):
    slower = schedule.slower(0.1)
    np.testing.assert_allclose(slower.rates(1, 30), 0.1 * schedule.rates(1, 30), rtol=1e-11)


def test_slower_gives_numbers_that_one_would_write():
    assert repr(gn.Cosine(0.7, 10, final=0.3).slower(0.1)) == "Cosine(rate=0.07, steps=10, final=0.03)"


@settings(max_examples=50)
@given(
    name=st.sampled_from(list(EXAMPLES)),
    first=st.integers(1, 40),
    count=st.integers(0, 30),
    per_iteration=st.integers(1, 7),
)
def test_rates_of_some_updates_are_those_of_the_whole(name, first, count, per_iteration):
    schedule = EXAMPLES[name]
    whole = schedule.rates(1, first + count, per_iteration)
    part = schedule.rates(first, count, per_iteration)
    assert part.dtype == np.float64
    assert np.array_equal(part, whole[first - 1 : first - 1 + count])


@pytest.mark.parametrize(
    "schedule", [one for one in EXAMPLES.values() if counts_iterations(one)], ids=lambda one: one.name
)
def test_per_iteration_stays_for_as_many_updates(schedule):
    by_iteration = schedule_from_dict({**schedule.to_dict(), "per": "iteration"})
    expected = np.repeat(schedule.rates(1, 10), 3)
    assert np.array_equal(by_iteration.rates(1, 30, 3), expected)
    assert np.array_equal(by_iteration.rates(1, 30), schedule.rates(1, 30, 3))


def test_rates_are_their_closed_forms():
    s = np.arange(30)
    for schedule, expected in (
        (gn.Constant(0.3), 0.3 + 0 * s),
        (gn.InverseScaling(0.3, 0.7, 2.0), 0.3 / (1 + 2 * s) ** 0.7),
        (gn.Step(0.3, 4, 0.5), 0.3 * 0.5 ** (s // 4)),
        (gn.Exponential(0.3, 0.9), 0.3 * 0.9**s),
        (
            gn.Cosine(0.3, 20, 0.1),
            np.where(s < 20, 0.1 + 0.2 * (1 + np.cos(np.pi * s / 20)) / 2, 0.1),
        ),
        (gn.WarmUp(0.3, 10, 0.2), np.where(s < 10, 0.3 * (0.2 + 0.8 * s / 10), 0.3)),
        (gn.WarmUp(gn.Step(0.3, 4), 10, 0.2).then, 0.3 * 0.1 ** (s // 4)),
    ):
        np.testing.assert_allclose(schedule.rates(1, 30), expected, rtol=1e-13, err_msg=repr(schedule))


def test_warm_up_hands_over_to_a_schedule_from_its_start():
    inner = gn.Step(0.4, every=2, factor=0.5)
    warm = gn.WarmUp(inner, updates=3, start=0.25)
    np.testing.assert_allclose(warm.rates(1, 3), [0.1, 0.2, 0.3])
    assert np.array_equal(warm.rates(4, 9), inner.rates(1, 9))


def test_one_cycle_of_any_length_ends_at_its_least():
    for steps in (1, 2, 3, 4, 10, 100):
        for pct_start in (0.0, 0.3, 0.9):
            rates = gn.OneCycle(1.0, steps, pct_start).rates(1, steps + 5)
            assert np.isfinite(rates).all()
            assert rates.min() > 0
            assert rates.max() <= 1
            if steps > 1:
                np.testing.assert_allclose(rates[steps - 1 :], 1 / 25e4)


def test_schedules_follow_pytorchs_recorded_rates(torch_rules):
    rules, record = torch_rules
    for (ours, *_), expected in zip(rules.SCHEDULES, record["rates"], strict=True):
        rates = schedule_from_dict(ours).rates(1, rules.STEPS)
        np.testing.assert_allclose(rates, expected, rtol=1e-12, err_msg=str(ours))


def test_recorded_rates_are_pytorchs(torch_rules):
    pytest.importorskip("torch")
    rules, record = torch_rules
    np.testing.assert_allclose(rules.rates(), record["rates"], rtol=1e-12)


@pytest.mark.parametrize("power", [0.5, 0.3])
def test_inverse_scaling_is_scikit_learns_to_the_last_bit(power):
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    n, batches = 77, 3
    ours = gn.InverseScaling(0.1, power, decay=n, per="iteration")
    theirs = SGDOptimizer([np.zeros(1)], 0.1, lr_schedule="invscaling", power_t=power)
    for epoch in range(200):
        assert ours.rates(1 + epoch * batches, batches, batches).tolist() == [theirs.learning_rate] * 3
        theirs.iteration_ends((epoch + 1) * n)


# ---- Adaptive -------------------------------------------------------------------------------------


def listen_to_all(schedule, losses):
    """The rate after every loss, until it stops."""
    heard, rates = schedule.begin(), []
    for loss in losses:
        _, heard = schedule.listen(heard, [loss])
        rates.append(heard.rate)
    return rates


def test_adaptive_divides_after_as_many_failures_in_a_row():
    losses = [5, 4, 4, 3.99995, 3, 3, 3, 3, 3, 2, 2]
    expected = [0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.02, 0.02, 0.004, 0.004, 0.004]
    assert listen_to_all(gn.Adaptive(0.5), losses) == expected


def test_adaptive_stops_where_the_rate_is_smallest():
    rates = listen_to_all(gn.Adaptive(1e-5, patience=1), [1.0] * 6)
    assert rates[0] == 1e-5
    assert rates[1:3] == pytest.approx([2e-6, 4e-7])  # below 1e-6, and still used once more
    assert rates[3] == 0


@settings(max_examples=50)
@given(
    losses=st.lists(st.sampled_from([1.0, 0.9, 0.8, 0.5, 0.1]), max_size=40),
    cut=st.integers(0, 40),
)
def test_adaptive_hears_the_same_however_losses_are_cut(losses, cut):
    schedule = gn.Adaptive(0.5, patience=2)
    heard, at, changes = schedule.begin(), 0, []
    while at < len(losses) and heard.rate:  # 0 stops training
        end = cut if at < cut < len(losses) else len(losses)
        turn, heard = schedule.listen(heard, losses[at:end])
        at = end if turn is None else at + turn + 1
        changes += [] if turn is None else [(at - 1, heard.rate)]
    rates = [0.5, *listen_to_all(schedule, losses)]
    expected = [(i, b) for i, (a, b) in enumerate(pairwise(rates)) if a != b]
    assert changes == expected


def test_adaptive_follows_scikit_learn():
    """Its rule, as it stands in MLPClassifier._update_no_improvement_count and its callers."""
    from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

    random, patience = np.random.RandomState(0), 3
    losses = np.maximum.accumulate(random.rand(400)[::-1])[::-1] + 0.1 * random.rand(400)
    theirs = SGDOptimizer([np.zeros(1)], 0.1, lr_schedule="adaptive")
    best, count, expected = np.inf, 0, []
    for loss in losses:
        count = count + 1 if loss > best - 1e-4 else 0
        best = min(best, loss)
        if count > patience:
            if theirs.trigger_stopping("", False):
                expected.append(0.0)
                break
            count = 0
        expected.append(theirs.learning_rate)
    assert expected[-1] == 0
    assert listen_to_all(gn.Adaptive(0.1, patience=patience + 1), losses)[: len(expected)] == expected


@pytest.mark.parametrize("kind", [gn.Schedule, gn.Step], ids=["new", "derived"])
def test_a_schedule_of_ones_own_trains_and_is_not_saved_as_another(kind, tmp_path):
    class Mine(kind):
        """Ever the same rate, whatever the kind."""

        def __init__(self):
            pass

        def settings(self):
            return {}

        def rates(self, first_update, count, updates_per_iteration=1):
            return np.full(count, 0.125)

        def slower(self, factor):
            return self

    if kind is gn.Schedule:
        Mine.name = "mine"
    data = gn.Network((1, 2)), [[0.0], [1.0]], [0, 1]
    run = gn.train(*data, optimizer=gn.SGD(Mine()), iterations=3, random_state=0)
    plain = gn.train(*data, optimizer=gn.SGD(0.125), iterations=3, random_state=0)
    assert np.array_equal(run.losses, plain.losses)
    result = gn.sweep(*data, grid={"learning_rate": [0.1, Mine()]}, iterations=3)
    assert result.to_dict()["grid"]["learning_rate"] == [0.1, "Mine()"]
    with pytest.raises(gn.InputTypeError, match="Mine is a schedule of your own, which a file cannot hold"):
        gn.save(run, tmp_path / "run.safetensors")
