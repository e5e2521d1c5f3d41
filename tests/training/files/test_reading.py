import itertools
from dataclasses import replace

import numpy as np
import pytest

import glassnet as gn
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network
from glassnet.training.files.reading import run_from_arrays
from glassnet.training.files.writing import VERSION, run_as_arrays
from glassnet.utils.storage import read_arrays, write_arrays

every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
NET = gn.Network((2, 4, 3, 2), hidden=["tanh", "relu"])
SQUARE = gn.Activation("square", lambda z: z * z, lambda z, h: 2 * z, "z^2", "2z")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def data(n=40):
    random = np.random.RandomState(0)
    return random.randn(n, 2), random.randint(0, 2, n)


def train(iterations=8, net=NET, **settings):
    return gn.train(net, *data(), iterations=iterations, random_state=1, **settings)


def assert_equal_runs(one, other):
    for name in ("parameters", "iterations", "seconds", "network", "optimizer", "status", "diverged_at"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("engine", "engine_reason", "threads", "reduction", "dtype", "extra"):
        assert getattr(one, name) == getattr(other, name), name
    for name in ("losses", "state"):
        array, expected = getattr(one, name), getattr(other, name)
        assert array.dtype == expected.dtype
        assert np.array_equal(array, expected)


@every_dtype
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_loaded_run_is_the_run_that_was_saved(path, engine, dtype, reduction):
    run = train(engine=engine, dtype=dtype, reduction=reduction, optimizer=gn.SGD(0.01, 0.3))
    gn.save(run, path)
    loaded = gn.load(path)
    assert_equal_runs(loaded, run)
    assert np.array_equal(loaded.predict_proba(data()[0]), run.predict_proba(data()[0]))


@pytest.mark.parametrize(
    ("activation", "output"), [*zip(gn.ACTIVATIONS, itertools.cycle(gn.OUTPUTS), strict=False)]
)
def test_every_network_goes_through_a_file(path, activation, output):
    net = Network((2, 3, 2), hidden=activation, output=output)
    y = np.eye(2)[data()[1]]
    run = gn.train(net, data()[0], y, iterations=1)
    gn.save(run, str(path))
    assert gn.load(str(path)).network == net


@every_dtype
def test_loaded_run_resumes_bit_for_bit(path, engine, dtype):
    w = np.random.RandomState(2).rand(40)
    settings = {"engine": engine, "dtype": dtype, "sample_weight": w}
    gn.save(train(8, **settings), path)
    X, y = data()
    run = gn.load(path).resume(8, X=X, y=y, sample_weight=w)
    whole = train(16, **settings)
    assert np.array_equal(run.losses, whole.losses)
    assert run.parameters == whole.parameters
    assert np.array_equal(run.state, whole.state)


def test_loaded_run_asks_for_its_data(path):
    gn.save(train(), path)
    with pytest.raises(gn.InputError, match=r"holds no data.*X=X, y=y"):
        gn.load(path).resume(1)


def test_snapshot_saved_in_a_callback_resumes_bit_for_bit(path):
    train(10, callbacks=[gn.Every(7, lambda run: gn.save(run, path))])
    loaded = gn.load(path)
    assert (loaded.status, loaded.iterations) == ("running", 7)
    assert np.array_equal(loaded.resume(3, X=data()[0], y=data()[1]).losses, train(10).losses)


def test_run_with_metrics_before_its_first_evaluation_goes_through_a_file(path):
    settings = {"batch_size": 10, "validation": 0.2, "metrics": "accuracy"}
    gn.save(train(0, **settings), path)
    X, y = data()
    run = gn.load(path).resume(3, X=X, y=y)
    assert np.array_equal(run.metrics["accuracy"], train(3, **settings).metrics["accuracy"])


def test_diverged_run_goes_through_a_file(path):
    with pytest.warns(gn.DivergenceWarning):
        run = gn.train(
            gn.Network((1, 1), output="identity"),
            [[10.0]],
            [1.0],
            optimizer=gn.SGD(10.0, 0),
        )
    gn.save(run, path)
    assert_equal_runs(gn.load(path), run)


def test_extra_travels_with_the_run(path):
    run = train()
    gn.save(run, path, extra={"classes": ["a", "b"], "mean": [0.1, 1e-300], "nested": {"n": None}})
    assert run.extra == {}
    loaded = gn.load(path)
    assert loaded.extra == {"classes": ["a", "b"], "mean": [0.1, 1e-300], "nested": {"n": None}}
    resumed = loaded.resume(1, X=data()[0], y=data()[1])
    gn.save(resumed, path)
    assert gn.load(path).extra == loaded.extra
    gn.save(resumed, path, extra={})
    assert gn.load(path).extra == {}


def test_activation_of_ones_own_comes_back_by_its_record(path):
    net = gn.Network((2, 3, 3, 2), hidden=[SQUARE, "tanh"])
    run = train(net=net)
    gn.save(run, path)
    assert gn.load(path, activations=[SQUARE]).network == net
    with pytest.raises(gn.InputError, match=r"activation 'square'.*activations=\[square\]"):
        gn.load(path)


def test_activation_of_ones_own_under_a_built_in_name_is_not_confused_with_it(path):
    mine = gn.Activation("tanh", SQUARE.value, SQUARE.derivative, "z^2", "2z")
    net = gn.Network((2, 3, 2), hidden=mine)
    gn.save(train(net=net), path)
    assert gn.load(path, activations=[mine]).network == net
    with pytest.raises(gn.InputError, match="activation 'tanh'"):
        gn.load(path)


def test_loss_of_ones_own_comes_back_by_its_record(path):
    built_in = gn.LOSSES["squared_error"]
    mine = Loss("double", "identity", "real", built_in.value, built_in.delta, "", "")
    net = gn.Network((2, 2), output="identity", loss=mine)
    gn.save(gn.train(net, data()[0], data()[0], iterations=1), path)
    assert gn.load(path, losses=[mine]).network == net
    with pytest.raises(gn.InputError, match=r"loss 'double'.*losses=\[double\]"):
        gn.load(path)


@pytest.mark.parametrize("records", [SQUARE, 3, ["square"], [gn.LOSSES["squared_error"]]])
def test_load_says_what_its_records_are(path, records):
    gn.save(train(), path)
    with pytest.raises(gn.InputTypeError, match="activations"):
        gn.load(path, activations=records)


@pytest.mark.parametrize("what", [NET, None, np.zeros(3)])
def test_save_refuses_what_is_no_run(path, what):
    with pytest.raises(gn.InputTypeError, match="save takes a TrainingRun"):
        gn.save(what, path)
    assert not path.exists()


def test_load_of_a_missing_file_says_so(path):
    with pytest.raises(gn.FileError, match=r"model\.safetensors"):
        gn.load(path)


def test_load_refuses_arrays_that_are_no_run(path):
    write_arrays(path, {"x": np.zeros(3)}, {"made": "elsewhere"})
    with pytest.raises(gn.FileError, match="not a training run"):
        gn.load(path)


def changed(path, change):
    """The file at `path` written anew with valid checksums and other contents."""
    arrays, document = read_arrays(path)
    arrays, document = dict(arrays), dict(document)
    change(arrays, document)
    write_arrays(path, arrays, document)


def test_load_refuses_a_later_version(path):
    gn.save(train(), path)
    changed(path, lambda arrays, document: document.update(version=VERSION + 1))
    with pytest.raises(gn.FileError, match=f"format version {VERSION + 1}"):
        gn.load(path)


CHANGES = {
    "short parameters": lambda a, d: a.update(parameters=a["parameters"][1:], state=a["state"][:, 1:]),
    "short state": lambda a, d: a.update(state=a["state"][:, 1:]),
    "unequal precisions": lambda a, d: a.update(state=a["state"].astype(np.float32)),
    "whole parameters": lambda a, d: a.update(
        parameters=a["parameters"].astype(np.int64), state=a["state"].astype(np.int64)
    ),
    "missing row": lambda a, d: a.update(state=a["state"][:0]),
    "fractional updates": lambda a, d: d.update(updates=1.5),
    "whole losses heard": lambda a, d: a.update(heard=np.zeros(3, np.int64)),
    "penalty": lambda a, d: d["penalties"].update(l2=-1),
    "short history": lambda a, d: a.update(losses=a["losses"][1:]),
    "rough history": lambda a, d: a.update(losses=a["losses"].astype(np.float32)),
    "no parameters": lambda a, d: a.pop("parameters"),
    "status": lambda a, d: d.update(status="dreaming"),
    "sizes": lambda a, d: d["network"].update(sizes=[2, 0, 2]),
    "hidden": lambda a, d: d["network"].update(hidden=["tahn", "relu"]),
    "output": lambda a, d: d["network"].update(output=3),
    "optimizer": lambda a, d: d["optimizer"].update(learning_rate=-1),
    "network": lambda a, d: d.update(network=None),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_load_refuses_contents_that_do_not_fit(path, change):
    gn.save(train(), path)
    changed(path, change)
    with pytest.raises(gn.FileError, match="does not describe a run"):
        gn.load(path)


def test_load_refuses_a_document_that_lacks_an_entry(path):
    gn.save(train(), path)
    for name in read_arrays(path)[1]:
        if name in ("format", "version"):  # these have messages of their own
            continue
        gn.save(train(), path)
        changed(path, lambda arrays, document, name=name: document.pop(name))
        with pytest.raises(gn.FileError, match=f"an entry is missing: '{name}'"):
            gn.load(path)


@pytest.mark.parametrize("loss", [gn.losses.huber(delta=0.3), gn.losses.quantile(level=0.9)], ids=str)
def test_loss_keeps_its_settings_through_a_file_and_trains_on(tmp_path, loss):
    X = np.linspace(-1, 1, 40)[:, None]
    run = gn.train(
        gn.Network((1, 3, 1), output="identity", loss=loss), X, X**2, iterations=20, random_state=0
    )
    gn.save(run, tmp_path / "model.safetensors")
    loaded = gn.load(tmp_path / "model.safetensors")
    assert loaded.network == run.network
    assert loaded.network.loss.settings == loss.settings
    again, whole = loaded.resume(10, X=X, y=X**2), run.resume(10)
    assert np.array_equal(again.losses, whole.losses)


def test_loss_of_ones_own_under_a_built_in_name_with_settings_is_asked_for(tmp_path):
    own = replace(gn.losses.huber(delta=0.3), delta=np.subtract)
    network = gn.Network((1, 1), output="identity", loss=own)
    run = gn.train(network, [[0.0], [1.0]], [0.0, 1.0], iterations=2, random_state=0)
    assert run.engine == "numpy"
    gn.save(run, tmp_path / "model.safetensors")
    with pytest.raises(gn.InputError, match="the loss 'huber' of its author's own"):
        gn.load(tmp_path / "model.safetensors")
    assert gn.load(tmp_path / "model.safetensors", losses=[own]).network == network


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("seconds",), "x"),
        (("extra",), None),
        (("updates",), 2**70),
        (("threads",), True),
        (("network", "sizes", 0), 2**45),
        (("validation", "every"), 0),
        (("validation", "best"), []),
        (("validation", "waited"), 2**70),
    ],
)
def test_values_of_another_kind_are_refused(path, place, value):
    run = train(validation=0.2, stopping=gn.EarlyStopping(5))
    arrays, document = run_as_arrays(run)
    at = document
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    with pytest.raises(gn.FileError, match="does not describe a run"):
        run_from_arrays(arrays, document, path)


def test_best_parameters_of_another_shape_are_refused(path):
    arrays, document = run_as_arrays(train(validation=0.2, stopping=gn.EarlyStopping(5)))
    arrays["validation_best_point"] = np.tile(arrays["validation_best_point"], (2, 1))
    with pytest.raises(gn.FileError, match="best point does not fit"):
        run_from_arrays(arrays, document, path)
