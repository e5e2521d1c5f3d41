import re
from dataclasses import replace

import numpy as np
import pytest
from same_runs import assert_same_run

import glassnet as gn
from glassnet.optim import OPTIMIZERS
from glassnet.training import loop
from glassnet.training.steppers import rates as pace

NET = gn.Network((3, 6, 2), hidden="tanh")
X = np.random.RandomState(0).randn(40, 3)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
SCHEDULES = [
    0.1,
    gn.Cosine(0.3, steps=30, final=0.01),
    gn.WarmUp(gn.Step(0.3, every=7), updates=5),
    gn.Adaptive(3.0, tolerance=0.01),
    gn.InverseScaling(0.2, per="iteration"),
]
every_rate = pytest.mark.parametrize("rate", SCHEDULES, ids=lambda one: type(one).__name__)
# Every optimizer, and among them every schedule and both precisions.
RULES = [
    (kind, SCHEDULES[i % len(SCHEDULES)], ("float32", "float64")[i % 2])
    for i, kind in enumerate(OPTIMIZERS.values())
]


def train(iterations, **settings):
    return gn.train(NET, X, Y, random_state=1, iterations=iterations, **settings)


def test_updates_are_made_at_the_rates_of_the_schedule(engine):
    """Each step of plain descent over its gradient is its rate."""
    schedule = gn.Cosine(0.3, steps=12)
    runs = []
    train(12, optimizer=gn.SGD(schedule, 0.0), engine=engine, callbacks=[gn.Every(1, runs.append)])
    before = NET.initialize(1)
    for run, rate in zip(runs, schedule.rates(1, 12), strict=True):
        _, gradient = gn.loss_and_gradient(NET, before, X, Y, engine=engine)
        np.testing.assert_allclose(before.flat - run.parameters.flat, rate * gradient.flat, atol=1e-15)
        before = run.parameters


def test_adaptive_rate_changes_where_the_losses_say_so(engine):
    """Far within one call of the engine, whose updates after that point are made anew."""
    rule = gn.Adaptive(3.0, tolerance=0.01)
    runs = []
    whole = train(40, optimizer=gn.SGD(rule, 0.0), engine=engine)
    train(40, optimizer=gn.SGD(rule, 0.0), engine=engine, callbacks=[gn.Every(1, runs.append)])
    heard, rates = rule.begin(whole.losses[0]), []
    for loss in whole.losses[1:]:
        rates.append(heard.rate)
        _, heard = rule.listen(heard, [loss])
    assert len(set(rates)) > 2
    assert heard == tuple(whole.heard)
    before = NET.initialize(1)
    for run, rate in zip(runs, rates, strict=True):
        _, gradient = gn.loss_and_gradient(NET, before, X, Y, engine=engine)
        np.testing.assert_allclose(before.flat - run.parameters.flat, rate * gradient.flat, atol=1e-14)
        before = run.parameters
    assert np.array_equal(whole.losses, runs[-1].losses)
    assert whole.parameters == runs[-1].parameters


def test_adaptive_turns_before_it_blows_up_where_the_losses_said_so(engine):
    """Updates at the rate that should have been left may blow up; they do not count."""
    steep, line = gn.Network((1, 1), output="identity"), ([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0])
    settings = {"parameters": [0.5, 0.0], "iterations": 50, "engine": engine}
    with pytest.warns(gn.DivergenceWarning):
        gn.train(steep, *line, optimizer=gn.SGD(0.5, 0.0), **settings)
    rule = gn.Adaptive(0.5, tolerance=0.0)
    run = gn.train(steep, *line, optimizer=gn.SGD(rule, 0.0), **settings)
    assert run.status == "completed"
    assert run.losses[2] > run.losses[1] > run.losses[0] > run.losses[-1]
    assert run.heard[0] == 0.1


def test_adaptive_stops_training_below_its_smallest_rate(engine):
    rule = gn.Adaptive(1e-5, tolerance=10.0, patience=1)
    run = train(100, optimizer=gn.SGD(rule), engine=engine)
    assert (run.status, run.iterations, run.updates) == ("stopped", 3, 3)
    again = run.resume(5)
    assert (again.status, again.iterations) == ("stopped", 3)
    assert run.resume(5, optimizer=gn.SGD(0.1)).iterations == 8


@pytest.mark.parametrize(("kind", "rate", "dtype"), RULES, ids=OPTIMIZERS)
def test_resuming_goes_on_bit_for_bit(tmp_path, engine, kind, rate, dtype):
    """In memory and through a file, wherever it was cut."""
    settings = {"optimizer": kind(rate, clip_norm=1.0), "engine": engine, "dtype": dtype}
    settings |= {"l1": 1e-4, "l2": 1e-3, "max_norm": 2.0}
    whole = train(24, **settings)
    assert whole.updates == whole.iterations
    for cut in (1, 10):
        first = train(cut, **settings)
        assert_same_run(first.resume(24 - cut), whole)
        gn.save(first, tmp_path / "run.safetensors")
        loaded = gn.load(tmp_path / "run.safetensors")
        assert (loaded.optimizer, loaded.penalties) == (first.optimizer, first.penalties)
        assert_same_run(loaded.resume(24 - cut, X=X, y=Y), whole)


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # at rates that are too large
@every_rate
def test_where_calls_end_has_no_influence(monkeypatch, engine, rate):
    settings = {"optimizer": gn.Adam(rate), "engine": engine}
    whole = train(30, **settings)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "AHEAD", 3)
    assert_same_run(train(30, **settings), whole)


def test_resume_by_the_same_kind_keeps_the_state_and_another_starts_fresh():
    first = train(6, optimizer=gn.Adam(0.01))
    kept = first.resume(1, optimizer=gn.Adam(0.02))
    assert kept.updates == 7
    other = first.resume(1, optimizer=gn.AdamW(0.02))
    assert other.updates == 1
    fresh = gn.train(NET, X, Y, parameters=first.parameters, iterations=1, optimizer=gn.AdamW(0.02))
    assert np.array_equal(other.state, fresh.state)
    assert other.parameters == fresh.parameters
    assert not np.array_equal(kept.state, gn.train(
        NET, X, Y, parameters=first.parameters, iterations=1, optimizer=gn.Adam(0.02)
    ).state)  # fmt: skip


def test_schedule_goes_on_where_the_updates_are():
    first = train(6, optimizer=gn.SGD(0.1, 0.0))
    schedule = gn.Step(0.5, every=7)
    runs = []
    first.resume(2, optimizer=gn.SGD(schedule, 0.0), callbacks=[gn.Every(1, runs.append)])
    before = first.parameters
    for run, rate in zip(runs, schedule.rates(7, 2), strict=True):
        _, gradient = gn.loss_and_gradient(NET, before, X, Y)
        np.testing.assert_allclose(before.flat - run.parameters.flat, rate * gradient.flat, atol=1e-15)
        before = run.parameters


def test_gentler_rate_is_a_tenth_of_every_rate():
    with pytest.warns(gn.DivergenceWarning, match=r"gn\.SGD\(learning_rate=gn\.Cosine\(rate=1e\+29"):
        run = gn.train(
            gn.Network((3, 1), output="identity"), X, Y, optimizer=gn.SGD(gn.Cosine(1e30, steps=50))
        )
    assert run.status == "diverged"


# ---- Rates that follow the validation loss -----------------------------------------------------------


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # at rates that are too large
@pytest.mark.parametrize("way", [{}, {"batch_size": 10}, {"validate_every": 3}])
def test_rate_falls_where_the_validation_loss_stalls(tmp_path, way):
    random = np.random.RandomState(0)
    X = random.randn(60, 3)
    y = random.randint(0, 2, 60)  # noise: the validation loss rises soon
    schedule = gn.ReduceOnPlateau(0.5, patience=3, divisor=10.0)
    how = {"validation": 0.3, "optimizer": gn.SGD(schedule), "random_state": 0, **way}
    runs = []
    whole = gn.train(NET, X, y, iterations=60, callbacks=[runs.append], **how)
    expected = schedule.begin()
    for loss in whole.validation_losses:
        _, expected = schedule.listen(expected, [loss])
    assert whole.heard == pytest.approx(expected)
    assert whole.heard[0] < 0.5
    part = gn.train(NET, X, y, iterations=17, **how)
    gn.save(part, tmp_path / "run")
    for again in (part.resume(43), gn.load(tmp_path / "run").resume(43, X=X, y=y)):
        assert np.array_equal(again.losses, whole.losses)
        assert np.array_equal(again.heard, whole.heard)


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (gn.ReduceOnPlateau(0.1, patience=2, smallest=0.02), "the validation loss .* 2 evaluations"),
        (gn.Adaptive(0.1, 10.0, patience=1, smallest=0.02), "the training loss .* 1 iteration"),
    ],
)
def test_rate_that_ends_training_is_its_reason(tmp_path, schedule, words):
    random = np.random.RandomState(0)
    X, y = random.randn(60, 3), random.randint(0, 2, 60)
    rule = gn.SGD(replace(schedule, tolerance=10.0))
    run = gn.train(NET, X, y, validation=0.3, optimizer=rule, random_state=0)
    assert run.status == "stopped"
    gn.save(run, tmp_path / "run")
    for again in (run, gn.load(tmp_path / "run")):
        lowest = f"not improved on {run.heard[1]:.4g} for"
        assert lowest in again.reason
        end = ", and the learning rate had fallen to smallest=0.02 or below"
        assert re.fullmatch(f"{words}{end}", again.reason)


def test_rate_that_watches_validation_needs_some():
    rule = gn.SGD(gn.ReduceOnPlateau(0.1))
    with pytest.raises(gn.InputError, match="watches the validation loss, and there are no"):
        gn.train(NET, X, Y, optimizer=rule)
    with pytest.raises(gn.InputError, match="watches the validation loss"):
        gn.train(NET, X, Y, iterations=1, random_state=0).resume(1, optimizer=rule)
    for given in ({"learning_rate": gn.ReduceOnPlateau(0.1)}, {"optimizer": rule}):
        with pytest.raises(gn.InputError, match=r"validation losses of gn\.train"):
            gn.MLPClassifier(max_iter=2, **given).fit(X, Y)
