"""Every number of small networks equals the engine's, and is named without doubt."""

import json
from itertools import pairwise

import numpy as np
import pytest

import glassnet as gn
from glassnet.engine.records import Updates
from glassnet.nn.dropout import Masks

N = 23
WEIGHTS = np.random.RandomState(9).uniform(0.2, 2, N)

CASES = {
    "notebook": (gn.Network((2, 3, 2)), {"reduction": "sum", "optimizer": gn.SGD(0.01, momentum=0.5)}),
    "deep": (gn.Network((3, 4, 3, 2), hidden=["relu", "tanh"]), {"l2": 0.1, "l1": 0.02}),
    "weights": (
        gn.Network((2, 4, 3), hidden="silu", loss=gn.losses.cross_entropy(label_smoothing=0.1)),
        {"sample_weight": WEIGHTS, "class_weight": [1.0, 2.0, 0.5], "optimizer": gn.Adam(0.05)},
    ),
    "labels": (gn.Network((2, 3, 2), "elu", "logistic"), {"optimizer": gn.RMSprop(centered=True)}),
    "quantities": (
        gn.Network((3, 4, 1), "gelu", "identity"),
        {"standardize": True, "optimizer": gn.SGD(0.05, nesterov=True)},
    ),
    "huber": (
        gn.Network((2, 3, 2), "softplus", "identity", gn.losses.huber(delta=0.3)),
        {"sample_weight": WEIGHTS, "reduction": "sum", "optimizer": gn.AdamW(weight_decay=0.1)},
    ),
    "counts": (
        gn.Network((2, 3, 1), "selu", "exp"),
        {"optimizer": gn.SGD(0.01, clip_norm=0.5, clip_value=200.0), "l2": 0.5, "reduction": "sum"},
    ),
    "dropout": (gn.Network((3, 6, 4, 2), "leaky_relu"), {"dropout": [0.3, 0.5], "l2": 0.01}),
    "batches": (
        gn.Network((2, 4, 2), "softsign"),
        {"batch_size": 5, "dropout": 0.4, "optimizer": gn.Nadam(gn.Step(0.1, every=3)), "max_norm": 0.7},
    ),
    "float32": (
        gn.Network((2, 3, 1), "tanh", "tanh"),
        {"dtype": "float32", "validation": 0.2, "average": 0.9},
    ),
}


def data_of(network):
    random = np.random.RandomState(4)
    X = random.randn(N, network.sizes[0]) * 2 + 1
    target, outputs = network.loss.target, network.sizes[-1]
    if target == "class":
        return X, random.randint(0, outputs, N)
    if target == "real":
        return X, random.randn(N, outputs) * 3
    if target == "nonnegative":
        return X, random.poisson(2, (N, outputs)).astype(float)
    return X, random.uniform(size=(N, outputs))


def case(name):
    network, settings = CASES[name]
    X, y = data_of(network)
    run = gn.train(network, X, y, **{"iterations": 3, "random_state": 0, **settings})
    return run, X, y, {"sample_weight": settings.get("sample_weight")}


def as_learned(run, X, y, sample_weight):
    """A problem over the rows that the run learns from, in its units."""
    rows = slice(None) if run.validation is None else run.validation.training_rows
    scaling = run.encoding.scaling
    if scaling is not None:
        X, y = scaling.inputs(X), scaling.targets(y)
    return gn.prepare(
        run.network,
        X[rows],
        y[rows],
        sample_weight=None if sample_weight is None else sample_weight[rows],
        class_weight=run.class_weight,
        dtype=run.dtype,
        reduction=run.reduction,
        l1=run.penalties.l1,
        l2=run.penalties.l2,
        dropout=run.dropout,
    )


def places(network):
    """layer, unit and input (None: the bias) of each parameter, in the order of the flat vector."""
    for layer, (n_in, n_out) in enumerate(pairwise(network.sizes), 1):
        yield from ({"layer": layer, "unit": k, "input": i} for i in range(n_in) for k in range(n_out))
        yield from ({"layer": layer, "unit": k, "input": None} for k in range(n_out))


@pytest.mark.parametrize("name", CASES)
def test_every_gradient_and_the_loss_are_the_engines(name):
    run, X, y, weights = case(name)
    masks = Masks(run.dropout_seed, run.iterations + 1) if name == "dropout" else None
    loss, gradient = as_learned(run, X, y, **weights).loss_and_gradient(run.parameters.flat, masks)
    close = {"rel": 1e-4 if name == "float32" else 1e-11, "abs": 1e-6 if name == "float32" else 1e-13}
    explained = gn.explain(run, X, y, what="loss", **weights)
    assert explained.value == pytest.approx(loss, **close)
    for place, expected in zip(places(run.network), gradient, strict=True):
        explained = gn.explain(run, X, y, what="gradient", **place, **weights)
        assert explained.value == pytest.approx(float(expected), **close), explained
        assert explained.steps[-1].value == explained.value
        assert explained.checks[0].verdict == "right", explained
        assert explained.symbol.startswith("dJ/dW" if place["input"] is not None else "dJ/db")


@pytest.mark.parametrize("name", CASES)
def test_every_update_is_the_one_that_training_makes(name):
    run, X, y, weights = case(name)
    if run.batch_size is None:
        after = run.resume(1).parameters
    else:  # the first batch of the next epoch
        rates, masks = (
            run.optimizer.schedule.rates(run.updates + 1, 2),
            Masks(run.dropout_seed, run.updates + 1),
        )
        stop = np.ones(1, np.uint8)
        updates = Updates(run.optimizer, rates, run.updates + 1, stop, 60.0, masks=masks)
        flat, rows, cursor = run.parameters.flat.copy(), run.state.copy(), run.cursor.copy()
        assert run.data.problem.train(flat, rows, np.empty(1), cursor, updates).updates == 1
        after = gn.Parameters(run.network.sizes, flat)
    close = 1e-6 if name == "float32" else 1e-12
    for place, before, expected in zip(places(run.network), run.parameters.flat, after.flat, strict=True):
        explained = gn.explain(run, X, y, what="update", **place, **weights)
        assert explained.value == pytest.approx(float(expected) - float(before), abs=close), explained
        assert explained.passed, explained


def test_update_shows_what_becomes_of_the_running_mean():
    run, X, y, _ = case("float32")
    after = run.resume(1).averaged
    explained = gn.explain(run, X, y, what="update", layer=1, unit=2, input=1)
    (mean,) = (step for step in explained.steps if step.symbol == "mean")
    assert mean.value == pytest.approx(float(after.weights[0][1, 2]), rel=1e-6)
    weight = gn.explain(run, X, y, what="weight", layer=1, unit=2, input=1)
    assert f"in which this is {float(run.averaged.weights[0][1, 2])!r}" in weight.notes[0]


@pytest.mark.parametrize("name", CASES)
def test_every_activation_delta_and_loss_of_a_sample_is_the_engines(name):
    run, X, y, weights = case(name)
    network, scaling, sample = run.network, run.encoding.scaling, 6
    row, target = X[sample : sample + 1], y[sample : sample + 1]
    if scaling is not None:
        row, target = scaling.inputs(row), scaling.targets(target)
    close = {"rel": 1e-4, "abs": 1e-6} if name == "float32" else {"rel": 1e-11, "abs": 1e-13}
    layers = network.forward(run.parameters, row)
    problem = gn.prepare(network, row, target, dtype=run.dtype, reduction="sum")
    loss, gradient = problem.loss_and_gradient(run.parameters.flat)
    deltas = gn.Parameters(network.sizes, gradient).biases  # dJ/db of one sample is its delta
    w = 1.0 if weights["sample_weight"] is None else WEIGHTS[sample]
    w *= 1.0 if run.class_weight is None else run.class_weight[y[sample]]
    asked = {"sample": sample, "dropout": False, **weights}
    assert gn.explain(run, X, y, what="loss", **asked).value == pytest.approx(w * loss, **close)
    whole = gn.explain(run, X, y, **asked)
    assert whole.passed
    for layer, (outputs, delta) in enumerate(zip(layers, deltas, strict=True), 1):
        for unit in range(network.sizes[layer]):
            place = {"layer": layer, "unit": unit}
            explained = gn.explain(run, X, y, what="delta", **place, **asked)
            assert explained.value == pytest.approx(w * float(delta[unit]), **close), explained
            assert explained.checks[0].verdict in ("right", "kink")
            assert whole.layers[layer][f"delta{layer}"][unit] == pytest.approx(explained.value)
            expected = float(outputs[0, unit])
            if scaling is not None and layer == len(layers):
                expected = float(run.predict(X[sample : sample + 1], ndim=2)[0, unit])
            explained = gn.explain(run, X, **place, **asked)
            assert explained.value == pytest.approx(expected, **close), explained
            assert "wrong" not in [check.verdict for check in explained.checks]


def test_dropout_leaves_out_the_units_of_the_present_pass():
    run, X, y, _ = case("dropout")
    masks = Masks(run.dropout_seed, run.iterations + 1).draw(run.network.sizes, run.dropout, N, run.dtype)
    seen = set()
    for sample in range(4):
        whole = gn.explain(run, X, y, sample=sample)
        for layer, M in enumerate(masks, 1):
            assert whole.layers[layer][f"M{layer}"].tolist() == M[sample].tolist()
            for unit, factor in enumerate(M[sample]):
                explained = gn.explain(run, X, y, sample=sample, layer=layer, unit=unit)
                seen.add(bool(factor))
                assert f"M = {factor:g}" in explained.notes[0]
                assert (explained.value == 0) == (factor == 0)
                assert gn.explain(run, X, y, what="delta", sample=sample, layer=layer, unit=unit).passed
        assert [note.partition(";")[0] for note in whole.notes] == [
            "Units are left out as in the present training pass"
        ]
        assert not any("present training pass" in note for part in whole.parts for note in part.notes)
    assert gn.explain(run, X, y, sample=1, dropout=False).notes == ()
    assert seen == {True, False}
    forward = gn.explain(run, X, sample=3).layers[1]["M1"]  # without y the masks are the same
    assert forward.tolist() == masks[0][3].tolist()


def test_weight_at_a_sample_says_what_it_does_there_and_checks_its_share():
    for name in ("deep", "weights"):
        run, X, y, weights = case(name)
        for unit_input in (0, 1):
            asked = {"layer": 2, "unit": 1, "input": unit_input, "sample": 5, **weights}
            explained = gn.explain(run, X, y, what="weight", **asked)
            assert explained.value == run.parameters.weights[1][unit_input, 1]
            whole = gn.explain(run, X, y, sample=5, **weights)
            H, delta = whole.layers[1]["H1"][unit_input], whole.layers[2]["delta2"][1]
            assert explained.steps[1].value == pytest.approx(H * explained.value)
            assert explained.checks[0].derivative == pytest.approx(H * delta)
            assert explained.checks[0].verdict in ("right", "kink")


def test_sample_outside_of_the_next_batch_has_no_mask_and_says_so():
    run, X, y, _ = case("batches")
    told = [gn.explain(run, X, y, sample=s, layer=1, unit=0).notes[0] for s in range(N)]
    assert sum("is not in the present training pass" in words for words in told) == N - 5


def test_data_for_a_page_are_plain_json():
    run, X, y, _ = case("dropout")
    for asked in ({"sample": 1}, {"what": "update", "layer": 2, "unit": 1, "input": 0}, {"what": "loss"}):
        plain = gn.explain(run, X, y, **asked).to_dict()
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain


def test_solvers_update_is_said_in_words():
    X, y = data_of(gn.Network((2, 3, 2)))
    for solver in gn.SOLVERS.values():
        network = gn.Network((2, 3, 1), "tanh", "identity")
        run = gn.train(network, X, X[:, :1] + y[:, None], optimizer=solver(), iterations=2, random_state=0)
        explained = gn.explain(run, X, X[:, :1] + y[:, None], what="update", layer=1, unit=0)
        assert explained.value is None
        assert "moves all parameters together" in explained.notes[0]
        assert explained.to_dict()["value"] is None


def test_update_of_a_frozen_layer_is_none():
    network = gn.Network((2, 3, 2))
    X, y = data_of(network)
    run = gn.train(network, X, y, freeze=[1], iterations=2, random_state=0)
    explained = gn.explain(run, X, y, what="update", layer=1, unit=0, input=1)
    assert explained.value == 0
    assert "Layer 1 is frozen" in str(explained)


def test_run_that_went_back_to_its_best_parameters_explains_the_update_of_the_last():
    network = gn.Network((2, 8, 2), "tanh")
    X, y = data_of(network)
    run = gn.train(
        network,
        X,
        y,
        optimizer=gn.SGD(3.0),
        validation=(X[:5], 1 - y[:5]),
        stopping=gn.EarlyStopping(patience=2),
        iterations=40,
        random_state=0,
    )
    assert run.validation.last_point is not None
    last = gn.Parameters(network.sizes, run.validation.last_point[0])
    after = run.resume(1)
    after = (
        after.validation.last_point[0] if after.validation.last_point is not None else after.parameters.flat
    )
    explained = gn.explain(run, X, y, what="update", layer=1, unit=0, input=0)
    assert explained.value == pytest.approx(after[0] - last.flat[0], abs=1e-12)
    assert "training goes on from those of iteration" in explained.notes[0]


def test_labels_of_text_are_taken_as_training_took_them():
    network = gn.Network((2, 3, 2))
    X, y = data_of(network)
    names = np.array(["no", "yes"])[y]
    run = gn.train(network, X, names, iterations=2, random_state=0)
    assert gn.explain(run, X, names, what="loss", sample=3).passed
    assert gn.explain(run, X, names, what="loss").value == pytest.approx(run.losses[-1])
    with pytest.raises(gn.InputError, match="the run knows the classes"):
        gn.explain(run, X, np.where(names == "no", "never", names), what="loss", sample=int(np.argmin(y)))


def test_prepared_table_is_taken_as_train_takes_it():
    table = {"age": [31, 45, 28, 52] * 9, "sex": ["f", "m", "m", "f"] * 9, "paid": [1, 0, 1, 1] * 9}
    data = gn.prepare_table(table, "paid")
    run = gn.train(gn.Network((data.X.shape[1], 4, 2)), data, random_state=0, iterations=3)
    assert gn.explain(run, data, what="loss").value == pytest.approx(run.losses[-1])
    assert gn.explain(run, data, sample=2).passed
    assert gn.explain(run, table, sample=2).passed


def test_streams_are_read_where_they_are_small(monkeypatch):
    network = gn.Network((2, 3, 2))
    X, y = data_of(network)
    rows = gn.stream(X, y, standardize=True)
    run = gn.train(network, rows, iterations=3, random_state=0)
    assert gn.explain(run, rows, what="loss").value == pytest.approx(run.losses[-1])
    assert gn.explain(run, rows, sample=2).passed
    with pytest.warns(gn.PreprocessingWarning, match="learned from standardized columns"):
        gn.explain(run, X, y, sample=2)
    by_itself = gn.train(network, X, y, standardize=True, iterations=3, random_state=0)
    with pytest.raises(gn.InputError, match="leave standardize out of"):
        gn.explain(by_itself, rows, sample=2)
    monkeypatch.setattr("glassnet.diagnostics.explain.subject.MOST_BYTES", 64)
    with pytest.raises(gn.InputError, match="X is streamed from an array, 23 rows of about"):
        gn.explain(run, rows, sample=2)


# ---- Which number is meant ------------------------------------------------------------------------


def test_names_alone_tell_a_pass_an_activation_and_a_weight():
    run, X, y, _ = case("notebook")
    asked = {"sample": 1}, {"sample": 1, "layer": 2, "unit": 0}, {"layer": 1, "unit": 2, "input": 0}
    assert [gn.explain(run, X, y, **names).what for names in asked] == ["pass", "activation", "weight"]
    assert gn.explain(run, X, y, layer=1, unit=2, input=0).value == run.parameters.weights[0][0, 2]
    assert gn.explain(run, X, y, what="bias", layer=1, unit=2).value == run.parameters.biases[0][2]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, "nothing names no one number; expected sample=7 for its whole pass"),
        ({"layer": 1, "unit": 2}, "layer=1, unit=2 names no one number"),
        ({"what": "wieght"}, "Unknown kind of number: 'wieght'. Did you mean 'weight'"),
        ({"what": "weight", "layer": 1}, 'what="weight" needs unit and input'),
        ({"what": "delta", "layer": 1, "unit": 0, "input": 1}, "needs sample; it has no input"),
        (
            {"what": "bias", "layer": 1, "unit": 0, "input": 1},
            r'has no input \(what="weight" takes an input',
        ),
        (
            {"layer": 0, "unit": 0, "sample": 1},
            "layer is 0; .* has the layers 1 to 2, of which 2 is the out",
        ),
        (
            {"layer": 2, "unit": 2, "input": 3},
            "unit is 2; layer 2 has units 0 to 1. input is 3; layer 2 has inputs 0 to 2. They count from 0",
        ),
        ({"sample": 23}, "sample is 23, and X has 23 row"),
        ({"sample": -1}, "sample is -1; expected 0 or more"),
    ],
)
def test_name_of_no_number_is_refused_in_words(asked, message):
    run, X, y, _ = case("notebook")
    with pytest.raises(gn.InputError, match=message):
        gn.explain(run, X, y, **asked)


def test_data_that_do_not_fit_are_refused_in_words():
    run, X, y, _ = case("notebook")
    with pytest.raises(gn.InputError, match="y is missing: the targets"):
        gn.explain(run, X, what="gradient", layer=1, unit=0)
    with pytest.raises(gn.InputError, match="y is missing: the targets"):
        gn.explain(run, X, what="delta", sample=0, layer=1, unit=0)
    with pytest.raises(gn.InputError, match="y has 22 entries, X has 23 rows"):
        gn.explain(run, X, y[:-1], sample=0)
    with pytest.raises(gn.InputError, match="X has 1 columns"):
        gn.explain(run, X[:, :1], y, sample=0)
    with pytest.raises(gn.InputTypeError, match=r"run is a TrainingRun, .* not Network"):
        gn.explain(run.network, X, y, sample=0)
    with pytest.raises(gn.InputTypeError, match=r"not Shell\. Give estimator\.to_run\(\)"):
        gn.explain(type("Shell", (), {"to_run": None})(), X, y, sample=0)
    with pytest.raises(gn.InputError, match="X has nan at row 4, column 1"):
        gn.explain(run, np.where(np.arange(46).reshape(23, 2) == 9, np.nan, X), y, sample=4)
    with pytest.raises(gn.InputError, match="X has nan at row 4, column 1"):
        gn.explain(run, np.where(np.arange(46).reshape(23, 2) == 9, np.nan, X), y, what="loss")
    assert gn.explain(run, X, sample=0).value is None  # a pass forward alone
    held_out, X, y, _ = case("float32")
    with pytest.raises(gn.InputError, match="a sum over the rows that the run learns from"):
        gn.explain(held_out, X[:20], y[:20], what="gradient", layer=1, unit=0)
