import copy
import os
import pickle
import signal
import tracemalloc

import numpy as np
import pytest
from same_runs import assert_same_run

import glassnet as gn
from glassnet import native
from glassnet.data.dataset import as_dataset
from glassnet.plots.report import score
from glassnet.plots.report.tables import parameter_tables

NET = gn.Network((2, 6, 3), hidden="tanh")


def blobs(n, seed):
    random = np.random.RandomState(seed)
    y = random.randint(0, 3, n)
    return random.randn(n, 2) + np.array([[0, 0], [2, 0], [0, 2]])[y], y


TRAINING, HELD = blobs(70, 0), blobs(40, 1)
ways = pytest.mark.parametrize("batch_size", [None, 16])


def train(iterations=30, data=TRAINING, net=NET, **settings):
    how = {"random_state": 4, "validation": HELD, "optimizer": gn.SGD(0.5, 0.8), **settings}
    return gn.train(net, *data, iterations=iterations, **how)


# ---- The loss alone ------------------------------------------------------------------------------

LOSSES = {
    "pair": gn.Network((3, 5, 2), hidden="gelu"),
    "classes": gn.Network((3, 9, 4, 3), hidden=["relu", "tanh"]),
    "wide": gn.Network((3, 40, 12), hidden="silu"),
    "label": gn.Network((3, 4, 2), output="logistic"),
    "values": gn.Network((3, 4, 2), output="identity", loss="huber"),
    "counts": gn.Network((3, 4, 1), output="exp"),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_is_that_of_the_gradients_pass_to_the_last_bit(name, dtype, engine, make_data):
    net = LOSSES[name]
    X, y = make_data(net, 203)
    w = np.random.RandomState(1).uniform(size=203)
    flat = net.initialize(0, dtype=dtype).flat
    for weights in (None, w):
        problem = gn.prepare(net, X, y, sample_weight=weights, dtype=dtype, engine=engine, l1=0.1, l2=0.2)
        assert problem.loss(flat) == problem.loss_and_gradient(flat)[0]


def test_loss_has_the_same_bits_for_any_threads():
    X, y = blobs(40_000, 0)
    problem = gn.prepare(gn.Network((2, 20, 3)), X, y, engine="native", threads=1)
    flat = problem.network.initialize(0).flat
    assert {problem.with_threads(n).loss(flat) for n in (1, 2, 3, 7)} == {problem.loss(flat)}


def test_native_loss_refuses_parameters_that_do_not_fit():
    problem = gn.prepare(NET, *HELD, engine="native")
    with pytest.raises(gn.InputError, match=r"flat has shape \(3,\)"):
        problem.loss(np.zeros(3))


# ---- Evaluations ---------------------------------------------------------------------------------


@ways
def test_validation_losses_are_the_losses_at_each_iteration(engine, batch_size):
    seen = {}
    run = train(
        6,
        engine=engine,
        batch_size=batch_size,
        l2=0.1,
        callbacks=[lambda run: seen.update({run.iterations: run.parameters})],
    )
    expected = [gn.loss_and_gradient(NET, theta, *HELD, engine=engine)[0] for theta in seen.values()]
    first = 1 if batch_size is None else 0
    assert run.validation_losses[first:].tolist() == expected
    assert run.validation_iterations[first:].tolist() == list(seen)
    assert len(run.validation_losses) == len(run.losses)
    assert not run.validation_losses.flags.writeable
    assert run.validation_scores.size == 0


@ways
def test_validation_changes_nothing_of_training(engine, batch_size):
    plain = train(10, engine=engine, batch_size=batch_size, validation=None)
    run = train(
        10, engine=engine, batch_size=batch_size, stopping=gn.EarlyStopping(None, restore_best=False)
    )
    assert run.parameters == plain.parameters
    assert np.array_equal(run.losses, plain.losses)
    assert plain.validation_losses.size == plain.validation_iterations.size == 0
    assert plain.best_iteration is None


@ways
def test_validate_every_leaves_iterations_out(batch_size):
    every = train(10, batch_size=batch_size)
    third = train(10, batch_size=batch_size, validate_every=3)
    expected = [k for k in every.validation_iterations if k % 3 == 0]
    assert third.validation_iterations.tolist() == expected
    chosen = np.isin(every.validation_iterations, expected)
    assert np.array_equal(third.validation_losses, every.validation_losses[chosen])
    assert_same_run(third, train(4, batch_size=batch_size, validate_every=3).resume(6))


def test_validation_takes_weights_and_the_classes_weights(engine):
    w = np.random.RandomState(0).uniform(size=40)
    each = np.array([1.0, 3.0, 0.5])
    run = train(2, engine=engine, validation=(*HELD, w), class_weight=each, dtype="float64")
    start = NET.initialize(4)
    expected, _ = gn.loss_and_gradient(NET, start, *HELD, sample_weight=w * each[HELD[1]], engine=engine)
    assert run.validation_losses[0] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_accuracy_is_the_share_predicted_right(engine, dtype):
    w = np.random.RandomState(0).uniform(size=40)
    seen = []
    run = train(
        5,
        engine=engine,
        dtype=dtype,
        validation=(*HELD, w),
        stopping=gn.EarlyStopping(None, metric="accuracy"),
        callbacks=[lambda run: seen.append(w @ (run.predict(HELD[0]) == HELD[1]) / w.sum())],
    )
    np.testing.assert_allclose(run.validation_scores[1:], seen, rtol=1e-13)


def test_accuracy_of_labels_asks_for_all_of_them():
    net = gn.Network((2, 2), output="logistic")
    theta = np.array([1.0, 0, 0, 1, 0, 0])  # label k is on where x_k is positive
    X = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    Y = np.array([[1.0, 1], [1, 1], [0, 1], [0, 0]])
    rule = gn.EarlyStopping(metric="accuracy")
    run = gn.train(net, X, Y, parameters=theta, iterations=0, validation=(X, Y), stopping=rule)
    assert run.validation_scores.tolist() == [0.75]


def test_a_metric_of_ones_own_gets_targets_and_what_it_asks_for():
    got = []

    def watch(y, predicted):
        got.append((y, predicted))
        return 1.0

    for response in ("predict", "predict_proba"):
        rule = gn.EarlyStopping(None, metric=watch, mode="max", response=response)
        run = train(0, stopping=rule)
    assert np.array_equal(got[0][0], HELD[1])
    assert np.array_equal(got[0][1], run.predict(HELD[0]))
    assert np.array_equal(got[1][1], run.predict_proba(HELD[0]))


def test_an_error_of_a_metric_brings_the_work_so_far():
    def broken(y, predicted):
        broken.calls += 1
        if broken.calls == 4:
            raise ZeroDivisionError
        return 0.0

    broken.calls = 0
    with pytest.raises(ZeroDivisionError) as caught:
        train(10, stopping=gn.EarlyStopping(None, metric=broken, mode="min"))
    assert caught.value.run.iterations == 3
    assert "after iteration 3" in caught.value.__notes__[0]


# ---- Stopping ------------------------------------------------------------------------------------


class Script:
    """A metric that says what it is told to."""

    def __init__(self, *values):
        self.values = list(values)

    def __call__(self, y, predicted):
        return self.values.pop(0)


@pytest.mark.parametrize(
    ("mode", "tolerance", "values", "iterations", "best"),
    [
        ("min", 0.0, [5, 4, 4, 4, 9], 3, 1),  # equal is no improvement
        ("max", 0.0, [1, 2, 2, 1, 9], 3, 1),
        ("min", 0.5, [5, 4.6, 4.2, 4.0, 4.0], 2, 2),  # 4.6 and 4.2 improve by less
        ("min", 0.5, [5, 4.6, 4.0, 3.9, 3.8], 4, 4),  # 4.0 by more than that
        ("min", 0.0, [5, np.nan, np.nan, 1, 1], 2, 0),
        ("max", 0.0, [0, np.nan, 3, 2, 1], 4, 2),
    ],
)
def test_stopping_counts_evaluations_without_an_improvement(mode, tolerance, values, iterations, best):
    rule = gn.EarlyStopping(2, tolerance, metric=Script(*values, *[0] * 90), mode=mode)
    run = train(50, stopping=rule)
    assert (run.status, run.iterations, run.best_iteration) == ("stopped", iterations, best)
    assert np.array_equal(run.validation_scores, values[: iterations + 1], equal_nan=True)


@ways
@pytest.mark.parametrize("average", [None, 0.8])
def test_the_best_parameters_come_back(engine, batch_size, average):
    how = {"engine": engine, "batch_size": batch_size, "average": average}
    values = [3, 2, 1, 5, 5, 5, 5, 5]
    stopped = train(30, stopping=gn.EarlyStopping(3, metric=Script(*values), mode="min"), **how)
    best = stopped.best_iteration
    expected = train(best, **how)
    assert stopped.iterations == best + 3
    assert stopped.parameters == expected.parameters
    assert stopped.averaged == expected.averaged
    left = train(
        30, stopping=gn.EarlyStopping(3, metric=Script(*values), mode="min", restore_best=False), **how
    )
    assert left.parameters == train(best + 3, **how).parameters
    completed = train(best + 2, stopping=gn.EarlyStopping(3, metric=Script(*values), mode="min"), **how)
    assert completed.status == "completed"
    assert completed.parameters == expected.parameters
    assert f"best at {best}" in repr(completed)


@ways
@pytest.mark.parametrize("average", [None, 0.8])
def test_resuming_is_as_if_it_had_never_stopped(engine, batch_size, average, tmp_path):
    how = {
        "engine": engine,
        "batch_size": batch_size,
        "average": average,
        "validation": 0.3,
        "class_weight": "balanced",
    }
    never = gn.EarlyStopping(None, metric="accuracy")
    whole = train(16, stopping=never, **how)
    first = train(7, stopping=never, **how)
    before = copy.deepcopy(first)
    assert_same_run(first.resume(9), whole)
    assert_same_run(first, before)
    assert_same_run(first.resume(4).resume(5), whole)
    gn.save(first, tmp_path / "run")
    for again in (gn.load(tmp_path / "run"), pickle.loads(pickle.dumps(first)), copy.deepcopy(first)):
        assert_same_run(again, first)
        assert_same_run(again.resume(9, X=TRAINING[0], y=TRAINING[1]), whole)


def test_resuming_after_a_stop_goes_on_from_where_it_had_come_to():
    def rule(patience):
        return gn.EarlyStopping(patience, metric=Script(1, 2, 2, 2, 0, 2, 2, 2), mode="min")

    stopped = train(50, stopping=rule(2))
    assert (stopped.iterations, stopped.best_iteration) == (2, 0)
    again = stopped.resume(2)  # patience begins anew
    assert (again.iterations, again.best_iteration) == (4, 4)
    assert again.parameters == train(4).parameters
    assert np.array_equal(again.losses, train(4).losses)


@ways
def test_patience_goes_on_over_a_break(batch_size):
    def rule():
        return gn.EarlyStopping(4, metric=Script(1, 0, *[2] * 90), mode="min")

    whole = train(40, stopping=rule(), batch_size=batch_size)
    again = train(3, stopping=rule(), batch_size=batch_size).resume(40)
    assert whole.status == again.status == "stopped"
    assert_same_run(again, whole)


@ways
def test_without_validation_the_training_loss_is_watched(engine, batch_size):
    run = train(
        400,
        engine=engine,
        batch_size=batch_size,
        validation=None,
        optimizer=gn.SGD(1.5, 0.9),
        stopping=gn.EarlyStopping(3, tolerance=0.02),
    )
    assert run.status == "stopped"
    assert run.validation_losses.size == 0
    at = run.best_iteration - (batch_size is not None)
    assert run.losses[at] == run.losses.min()


@ways
def test_early_stopping_and_callbacks_go_together(batch_size):
    seen = []

    class Watch(gn.Callback):
        def on_iteration(self, run):
            seen.append((run.iterations, run.validation_losses[-1], run.best_iteration))

        def on_train_end(self, run):
            seen.append(run.status)

    rule = gn.EarlyStopping(2, metric=Script(3, 2, 1, *[5] * 90), mode="min")
    run = train(
        40, stopping=rule, callbacks=[Watch(), gn.Every(7, lambda run: True)], batch_size=batch_size
    )
    *iterations, end = seen
    assert end == run.status == "stopped"
    assert [k for k, _, _ in iterations] == list(range(1, run.iterations + 1))
    values = run.validation_losses[-len(iterations) :]
    assert [loss for _, loss, _ in iterations] == values.tolist()
    assert iterations[-1][2] == run.best_iteration == run.iterations - 2


def test_a_snapshot_within_training_resumes_bit_for_bit():
    kept = []
    rule = gn.EarlyStopping(None, metric="accuracy")
    whole = train(12, stopping=rule, average=0.9, callbacks=[gn.Every(5, kept.append)])
    assert_same_run(kept[0].resume(7), whole)


@ways
def test_an_interrupted_run_resumes_bit_for_bit(engine, batch_size):
    def press(run):
        if run.iterations == 4:
            os.kill(os.getpid(), signal.SIGINT)

    how = {"engine": engine, "batch_size": batch_size, "average": 0.9, "stopping": gn.EarlyStopping(None)}
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = train(30, callbacks=[press], **how)
    assert run.status == "interrupted"
    assert run.iterations < 30
    assert_same_run(run.resume(30 - run.iterations), train(30, **how))


@ways
def test_a_run_that_diverges_has_its_best_parameters(engine, batch_size):
    net = gn.Network((2, 3, 1), hidden="relu", output="identity")
    data = TRAINING[0], TRAINING[0].sum(axis=1) * 10
    begun = train(
        20,
        data,
        net,
        engine=engine,
        batch_size=batch_size,
        average=0.5,
        validation=data,
        optimizer=gn.SGD(0.001, 0.0),
        stopping=gn.EarlyStopping(None),
    )
    assert begun.best_iteration == 20
    with pytest.warns(gn.DivergenceWarning):
        run = begun.resume(200, optimizer=gn.SGD(1e4))
    assert run.status == "diverged"
    assert run.parameters == begun.parameters
    assert run.averaged == begun.averaged
    assert np.isfinite(run.validation.last_point if run.iterations > 20 else run.averaged.flat).all()


# ---- The fraction --------------------------------------------------------------------------------


@ways
def test_a_fraction_is_drawn_after_the_parameters_and_before_the_orders(engine, batch_size):
    from sklearn.model_selection import train_test_split

    X, y = TRAINING
    w = np.random.RandomState(9).uniform(1, 2, len(X))
    random = np.random.RandomState(4)
    start = NET.initialize(random)
    X1, X2, y1, y2, w1, w2 = train_test_split(X, y, w, test_size=0.2, random_state=random, stratify=y)
    how = {"engine": engine, "batch_size": batch_size}
    expected = train(
        5,
        (X1, y1),
        sample_weight=w1,
        parameters=start,
        random_state=random,
        validation=(X2, y2, w2),
        **how,
    )
    run = train(5, (X, y), sample_weight=w, validation=0.2, **how)
    assert_same_run(run, expected)
    assert run.validation.n_held_out == len(X2)


def test_a_fraction_keeps_a_labels_proportion():
    net = gn.Network((2, 1), output="logistic")
    y = np.repeat([0.0, 1.0], [80, 20])
    data = as_dataset(np.random.RandomState(0).randn(100, 2), y)
    split = data.hold_out(net, 0.25, np.random.RandomState(0))
    assert split.held_out.targets(net).sum() == 5


def test_balanced_class_weights_count_the_samples_trained_on():
    run = train(0, validation=0.5, class_weight="balanced")
    counts = np.bincount(TRAINING[1][run.validation.rows[:35]])
    assert run.class_weight == pytest.approx(35 / (3 * counts))


# ---- What cannot be used -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "kind", "words"),
    [
        ({"validation": 0.0}, gn.InputError, "validation is 0.0; expected a number above 0 and below 1"),
        ({"validation": 1.0}, gn.InputError, "validation is 1.0"),
        ({"validation": 0.999}, gn.InputError, "leaves none to train on"),
        ({"validation": True}, gn.InputTypeError, "not bool"),
        ({"validation": HELD[0]}, gn.InputTypeError, "not ndarray"),
        ({"validation": (HELD[0],)}, gn.InputTypeError, r"validation is \(X, y\)"),
        ({"validation": (HELD[0][:, :1], HELD[1])}, gn.InputError, "validation: X has 1 columns"),
        ({"validation": (HELD[0], HELD[1] + 1)}, gn.InputError, "validation: y has 3"),
        ({"validation": (HELD[0], HELD[1][1:])}, gn.InputError, "validation: y has 39 entries"),
        ({"validation": (*HELD, -np.ones(40))}, gn.InputError, "validation: sample_weight has -1.0"),
        ({"validation": (HELD[0] * np.nan, HELD[1])}, gn.InputError, "validation: X has nan"),
        ({"validate_every": 0}, gn.InputError, "validate_every is 0"),
        ({"stopping": 5}, gn.InputTypeError, "stopping is a glassnet.EarlyStopping"),
        (
            {"validation": None, "stopping": gn.EarlyStopping(metric="accuracy")},
            gn.InputError,
            "watches accuracy, which is measured on validation data",
        ),
        ({"average": 0.0}, gn.InputError, "average is 0.0"),
        ({"average": 1.0}, gn.InputError, "average is 1.0"),
        (
            {"stopping": gn.EarlyStopping(metric=lambda y, p: "good", mode="min")},
            gn.InputTypeError,
            "returned 'good'; expected a number",
        ),
    ],
)
def test_train_refuses_validation_that_cannot_be_used(settings, kind, words):
    with pytest.raises(kind, match=words):
        train(3, **settings)


@pytest.mark.parametrize(
    "rule",
    [
        gn.EarlyStopping(metric="accuracy"),
        gn.EarlyStopping(metric=lambda y, p: 0.0, mode="min", response="predict_proba"),
    ],
)
def test_values_have_neither_accuracy_nor_probabilities(rule):
    net, data = gn.Network((2, 1), output="identity"), (HELD[0], HELD[0][:, 0])
    with pytest.raises(gn.InputError, match="predicts values"):
        train(3, data, net, validation=data, stopping=rule)


def test_resume_refuses_validation_data_that_are_not_the_runs():
    X, y = TRAINING
    loaded = pickle.loads(pickle.dumps(train(3)))
    with pytest.raises(gn.InputError, match="pass them to resume"):
        loaded.resume(1, X=X, y=y)
    with pytest.raises(gn.InputError, match="not those that the run was evaluated on"):
        loaded.resume(1, X=X, y=y, validation=(HELD[0] + 1, HELD[1]))
    with pytest.raises(gn.InputError, match="validation"):
        train(3).resume(1, validation=HELD)
    plain = pickle.loads(pickle.dumps(train(3, validation=None)))
    with pytest.raises(gn.InputError, match="has no validation data"):
        plain.resume(1, X=X, y=y, validation=HELD)
    assert_same_run(loaded.resume(2, X=X, y=y, validation=HELD), train(5))
    part = pickle.loads(pickle.dumps(train(3, validation=0.3)))
    with pytest.raises(gn.InputError, match="X has 69 samples, but the run was made with 70"):
        part.resume(1, X=X[1:], y=y[1:])


# ---- The mean of the parameters ------------------------------------------------------------------


@ways
@pytest.mark.parametrize(
    ("rule", "max_norm"),
    [(gn.SGD(0.3), 0.5), (gn.Adam(0.05), None), (gn.RMSprop(0.01), 0.5)],
    ids=lambda value: getattr(value, "name", value),
)
def test_the_mean_is_that_of_a_plain_loop(engine, batch_size, rule, max_norm):
    d = 0.9
    how = {"engine": engine, "validation": None, "optimizer": rule, "max_norm": max_norm}
    epochs, updates = (12, 12) if batch_size is None else (3, 15)
    run = train(epochs, average=d, batch_size=batch_size, **how)
    if batch_size is None:
        visited = []
        train(epochs, callbacks=[lambda run: visited.append(run.parameters.flat)], **how)
    else:
        # The same batches, an update at a time: a batch is a full batch of its own.
        random = np.random.RandomState(4)
        theta = NET.initialize(random)
        step = train(0, parameters=theta, batch_size=batch_size, shuffle=False, **how)
        order, visited = np.arange(70), []
        for _ in range(epochs):
            random.shuffle(order)
            for start in range(0, 70, batch_size):
                rows = order[start : start + batch_size]
                data = TRAINING[0][rows], TRAINING[1][rows]
                fresh = train(0, data, parameters=step.parameters, **how)
                object.__setattr__(fresh, "state", step.state)
                object.__setattr__(fresh, "updates", step.updates)
                step = fresh.resume(1)
                visited.append(step.parameters.flat)
    assert len(visited) == updates
    mean = NET.initialize(4).flat.copy()
    for theta in visited:
        mean = d * mean + (1 - d) * theta
    tolerance = 1e-15 if batch_size is None else 1e-9
    np.testing.assert_allclose(run.averaged.flat, mean, rtol=0, atol=tolerance)
    assert np.array_equal(run.parameters.flat, visited[-1]) or batch_size is not None
    assert run.state.shape == (len(rule.state_names), NET.n_parameters)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@ways
def test_the_mean_has_the_same_bits_for_any_threads_and_instructions(dtype, batch_size, monkeypatch):
    size = None if batch_size is None else 1000
    net = gn.Network((2, 40, 30, 3), hidden="tanh")
    X, y = blobs(3000, 3)
    how = {"dtype": dtype, "engine": "native", "batch_size": size, "validation": None, "max_norm": 1.0}

    def mean(**settings):
        return train(2, (X, y), net, average=0.7, **how, **settings).averaged

    expected = mean(threads=1)
    for threads in (2, 3):
        assert mean(threads=threads) == expected
    for isa in native.module.isas():
        monkeypatch.setenv("GLASSNET_ISA", isa)
        assert mean(threads=2) == expected


@ways
def test_the_mean_is_what_validation_evaluates(engine, batch_size):
    run = train(6, engine=engine, batch_size=batch_size, average=0.9)
    assert run.validation_losses[-1] == gn.loss_and_gradient(NET, run.averaged, *HELD, engine=engine)[0]
    assert run.validation_losses[-1] != gn.loss_and_gradient(NET, run.parameters, *HELD, engine=engine)[0]


def test_the_mean_outlives_a_change_of_the_optimizer():
    run = train(5, average=0.9)
    assert run.resume(0, optimizer=gn.Adam()).averaged == run.averaged
    assert run.resume(5, optimizer=gn.Adam()).averaged != run.averaged


# ---- Files ---------------------------------------------------------------------------------------


def misses(y, predicted):
    return float(np.sum(y != predicted))


def test_a_run_asks_for_a_metric_of_ones_own_before_it_goes_on(tmp_path):
    rule = gn.EarlyStopping(3, metric=misses, mode="min")
    run = train(4, stopping=rule)
    gn.save(run, tmp_path / "run")
    without = gn.load(tmp_path / "run")
    assert np.array_equal(without.predict(HELD[0]), run.predict(HELD[0]))
    gn.save(pickle.loads(pickle.dumps(without)), tmp_path / "again")
    for name in ("run", "again"):
        with pytest.raises(gn.InputError, match=r"'misses'\. .*metrics=\[function\]\)"):
            gn.load(tmp_path / name).resume(1, X=TRAINING[0], y=TRAINING[1], validation=HELD)
    loaded = gn.load(tmp_path / "run", metrics=[misses])
    assert loaded.validation.stopping == rule
    assert_same_run(loaded, run)
    for wrong in (misses, [3]):
        with pytest.raises(gn.InputTypeError, match="metrics"):
            gn.load(tmp_path / "run", metrics=wrong)


@ways
def test_the_mean_is_what_the_run_predicts_with(engine, batch_size):
    X, _ = HELD
    run = train(6, engine=engine, batch_size=batch_size, average=0.9)
    assert run.theta == run.averaged != run.parameters
    for ask in ("predict", "predict_proba", "forward"):
        found, mean = getattr(run, ask)(X), getattr(NET, ask)(run.averaged, X)
        assert all(np.array_equal(*pair) for pair in zip(found, mean, strict=True))
    plain = train(6, engine=engine, batch_size=batch_size)
    assert plain.theta is plain.parameters


def test_the_mean_is_what_scores_and_the_report_show():
    run = train(6, average=0.99)
    assert score(run, *HELD).confusions[0].counts.trace() == (run.predict(HELD[0]) == HELD[1]).sum()
    assert "the running mean" in str(parameter_tables(run, None, None))
    assert f"{run.averaged.flat[0]:.6g}"[:6] in str(parameter_tables(run, None, None))


@ways
def test_a_fraction_is_held_out_without_a_copy_of_x(batch_size):
    X = np.random.RandomState(0).randn(36_000, 100)
    y = (X[:, 0] > 0).astype(int)
    how = {"iterations": 1, "validation": 0.2, "batch_size": batch_size and 12_000, "engine": "native"}
    net = gn.Network((100, 2))
    gn.train(net, X[:100], y[:100], **how)  # loads what it needs
    tracemalloc.start()
    try:
        gn.train(net, X, y, **how)
        _, peak = tracemalloc.get_traced_memory()  # NumPy's memory, without the native engine's own
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2  # blocks of rows, and the rows' numbers


# ---- Shares for validation and test, and metrics ---------------------------------------------------


def shared(X, y, **settings):
    how = {"validation": 0.15, "test": 0.15, "random_state": 3, "iterations": 12, **settings}
    return gn.train(NET, X, y, **how)


def test_shares_divide_the_rows_and_the_run_has_their_numbers():
    X, y = blobs(200, 5)
    run = shared(X, y)
    parts = run.validation.training_rows, run.validation.validation_rows, run.validation.test_rows
    assert [*map(len, parts)] == [140, 30, 30]
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(200))
    train_rows, held, test = parts
    by_hand = gn.train(
        NET,
        X[train_rows],
        y[train_rows],
        validation=(X[held], y[held]),
        parameters=shared(X, y, iterations=0).parameters,
        iterations=12,
    )
    assert np.array_equal(run.losses, by_hand.losses)
    assert np.array_equal(run.validation_losses, by_hand.validation_losses)
    tested = [
        gn.loss_and_gradient(NET, shared(X, y, iterations=k).parameters, X[test], y[test])[0]
        for k in (0, 12)
    ]
    np.testing.assert_allclose(run.test_losses[[0, -1]], tested)
    assert len(run.test_losses) == len(run.validation_iterations) == 13


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"batch_size": 16},
        {"standardize": True},
        {"validation": None},
        {"validate_every": 3, "metrics": "accuracy"},
        {"validation": None, "stopping": gn.EarlyStopping(3)},
    ],
    ids=str,
)
def test_shares_go_on_bit_for_bit(tmp_path, settings):
    X, y = blobs(100, 6)
    whole, run = shared(X, y, **settings), shared(X, y, **{**settings, "iterations": 7})
    gn.save(run, tmp_path / "run")
    for again in (run.resume(5), gn.load(tmp_path / "run").resume(5, X=X, y=y)):
        for name in ("losses", "validation_losses", "test_losses", "validation_iterations"):
            assert np.array_equal(getattr(again, name), getattr(whole, name)), name
        assert again.metrics.keys() == whole.metrics.keys()
        assert all(np.array_equal(again.metrics[name], whole.metrics[name]) for name in whole.metrics)


def test_metrics_are_measured_at_each_evaluation_and_stop_nothing(tmp_path):
    X, y = blobs(100, 7)

    def errors(actual, predicted):
        return (actual != predicted).sum()

    plain = shared(X, y, test=None)
    nameless = lambda actual, predicted: 0.0  # noqa: E731
    run = shared(X, y, test=None, metrics=["accuracy", errors, nameless])
    assert np.array_equal(run.losses, plain.losses)
    assert run.status == "completed"
    held = run.validation.validation_rows
    assert run.metrics["accuracy"][-1] == run.score(X[held], y[held])
    np.testing.assert_allclose(run.metrics["errors"], len(held) * (1 - run.metrics["accuracy"]))
    assert len(run.metrics["accuracy"]) == len(run.validation_losses)
    gn.save(run, tmp_path / "run")
    without = gn.load(tmp_path / "run")
    assert without.metrics.keys() == run.metrics.keys()
    with pytest.raises(gn.InputError, match=r"'errors' and '<lambda>'.*metrics=\[function, function\]\)"):
        without.resume(2, X=X, y=y)
    again = gn.load(tmp_path / "run", metrics=[errors, nameless]).resume(2, X=X, y=y)
    assert len(again.metrics["errors"]) == len(run.metrics["errors"]) + 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"test": 0.6, "validation": 0.5}, "leave no rows to train on"),
        ({"test": 1.5}, "test is 1.5"),
        ({"metrics": "accuracy", "validation": None}, "metrics are measured on validation data"),
        ({"metrics": "loss"}, "run.validation_losses"),
        ({"metrics": ["accuracy", "accuracy"]}, "two metrics of one name"),
        ({"metrics": "acuracy"}, "Did you mean 'accuracy'"),
        ({"metrics": 3}, "a metric or a list"),
    ],
)
def test_shares_and_metrics_that_cannot_be_used_are_refused(settings, message):
    with pytest.raises((gn.InputError, gn.InputTypeError), match=message):
        shared(*blobs(50, 0), **settings)
