"""Epochs that go on: in calls, callbacks, resumptions and files, through divergence and Ctrl-C."""

import copy
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import RandomState
from same_runs import assert_same_run

import glassnet as gn
from glassnet.training import loop, run_policy
from glassnet.training.steppers import first_order, rates
from glassnet.utils.storage import read_arrays, write_arrays

NET = gn.Network((3, 6, 2), hidden="tanh")
X = RandomState(0).randn(43, 3)
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
RATES = [
    0.1,
    gn.Cosine(0.3, steps=30, final=0.01),
    gn.WarmUp(gn.Step(0.3, every=7), updates=5),
    gn.InverseScaling(0.2, per="iteration"),
    gn.Adaptive(1.0, tolerance=0.01),
]
every_rate = pytest.mark.parametrize("rate", RATES, ids=lambda one: type(one).__name__)
every_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])
# Every rate, and among them both precisions and both orders.
CASES = [
    (rate, ("float64", "float32")[i % 2], i not in (1, 2)) for i, rate in enumerate([*RATES, RATES[-1]])
]
every_case = pytest.mark.parametrize(
    ("rate", "dtype", "shuffle"),
    CASES,
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
every_shuffle = pytest.mark.parametrize("shuffle", [True, False], ids=["shuffled", "in order"])


def train(epochs=12, data=(X, Y), net=NET, **settings):
    settings = {"batch_size": 8, "random_state": 1, "optimizer": gn.SGD(0.1), **settings}
    return gn.train(net, *data, iterations=epochs, **settings)


# ---- The run --------------------------------------------------------------------------------------


def test_iteration_is_an_epoch(engine):
    run = train(engine=engine)
    assert run.losses.shape == (12,)
    assert (run.iterations, run.updates, run.batch_size) == (12, 12 * 6, 8)
    assert (run.status, run.diverged_at, run.engine) == ("completed", None, engine)
    assert run.losses[-1] < run.losses[0]
    assert "12 epochs of batches of 8" in repr(run)


def test_no_epochs_give_no_loss_and_draw_no_order(engine):
    run = train(0, engine=engine)
    assert run.losses.shape == (0,)
    assert (run.iterations, run.updates, run.status) == (0, 0, "completed")
    assert run.parameters == NET.initialize(1)
    assert "not yet known" in repr(run)
    assert_same_run(run.resume(5), train(5, engine=engine))


def test_callbacks_hear_of_every_epoch(engine):
    heard = []
    run = train(5, engine=engine, callbacks=[lambda run: heard.append(run) or None])
    assert [one.iterations for one in heard] == [1, 2, 3, 4, 5]
    assert [one.cursor.row for one in heard] == [0] * 5
    assert [one.losses[-1] for one in heard] == run.losses.tolist()


# ---- Where calls end has no influence -------------------------------------------------------------


@every_case
def test_resumed_run_equals_an_unbroken_one_wherever_it_is_cut(engine, dtype, rate, shuffle):
    settings = {"engine": engine, "dtype": dtype, "shuffle": shuffle}
    settings |= {"optimizer": gn.Adam(rate, clip_norm=1.0), "l2": 0.01, "max_norm": 2.0}
    whole = train(8, **settings)
    for cut in (0, 1, 4, 7, 8):
        assert_same_run(train(cut, **settings).resume(whole.iterations - cut), whole)


@settings(max_examples=12)
@given(
    n=st.integers(1, 43),
    batch_size=st.integers(1, 50),
    cuts=st.lists(st.integers(0, 6), max_size=4),
    rate=st.sampled_from(RATES),
    native=st.booleans(),
)
def test_any_number_of_cuts_changes_nothing(n, batch_size, cuts, rate, native):
    options = {"data": (X[:n], Y[:n]), "batch_size": batch_size, "optimizer": gn.SGD(rate)}
    options["engine"] = "native" if native else "numpy"
    run = train(0, **options)
    for cut in cuts:
        run = run.resume(cut)
    assert_same_run(run, train(sum(cuts), **options))


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # at rates that are too large
@every_rate
def test_where_calls_end_has_no_influence(engine, monkeypatch, rate):
    """A call then makes one update, or three."""
    options = {"engine": engine, "optimizer": gn.SGD(rate)}
    whole = train(**options)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    assert_same_run(train(**options), whole)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 9.0)
    for ahead in (2, 3, 5):
        monkeypatch.setattr(rates, "AHEAD", ahead)
        monkeypatch.setattr(first_order, "AHEAD", ahead)
        assert_same_run(train(**options), whole)


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # at rates that are too large
@pytest.mark.parametrize(
    ("rate", "every"),
    [*zip(RATES, (2, 1, 5, 2, 1), strict=True), (RATES[1], 5)],
    ids=lambda value: str(value) if isinstance(value, int) else type(value).__name__,
)
def test_callbacks_have_no_influence(engine, monkeypatch, rate, every):
    """Also where the rates that are computed ahead are almost used up at an epoch's end."""
    options = {"engine": engine, "optimizer": gn.SGD(rate)}
    whole = train(**options)
    for ahead in (4096, 7, 13):  # 6 updates an epoch: one rate is left
        monkeypatch.setattr(rates, "AHEAD", ahead)
        monkeypatch.setattr(first_order, "AHEAD", ahead)
        assert_same_run(train(**options, callbacks=[gn.Every(every, lambda run: None)]), whole)


def test_last_rate_computed_ahead_is_not_taken_for_all(engine, monkeypatch):
    """On the full batch too, where a call ends one update before the rates do."""
    options = {"engine": engine, "optimizer": gn.SGD(gn.Cosine(0.3, steps=30)), "batch_size": None}
    whole = train(30, **options)
    monkeypatch.setattr(rates, "AHEAD", 5)
    run = train(30, **options, callbacks=[gn.Every(4, lambda run: None)])
    assert np.array_equal(run.losses, whole.losses)


def test_resuming_leaves_the_run_as_it_was(engine):
    first, whole = train(4, engine=engine), train(10, engine=engine)
    before = copy.deepcopy(first)
    for _ in range(2):
        assert_same_run(first.resume(6), whole)
        assert_same_run(first, before)


def test_runs_that_callbacks_saw_go_on_from_there(engine):
    seen = []
    whole = train(6, engine=engine, callbacks=[seen.append])
    for run in seen:
        assert_same_run(run.resume(6 - run.iterations), whole)


# ---- Copies and files -----------------------------------------------------------------------------

COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda run: pickle.loads(pickle.dumps(run)),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@every_shuffle
def test_copy_resumes_bit_for_bit_from_data(engine, copied, shuffle):
    options = {"engine": engine, "shuffle": shuffle}
    run = copied(train(5, **options))
    with pytest.raises(gn.InputError, match="holds no data"):
        run.resume(7)
    assert_same_run(run.resume(7, X=X, y=Y), train(12, **options))


@every_case
def test_saved_run_resumes_bit_for_bit(tmp_path, engine, dtype, rate, shuffle):
    """In order, with a running mean of the parameters too."""
    path = tmp_path / "run.safetensors"
    w = RandomState(4).uniform(0, 2, len(X))
    options = {"engine": engine, "dtype": dtype, "shuffle": shuffle, "optimizer": gn.Nadam(rate)}
    options["average"] = None if shuffle else 0.9
    whole = train(12, sample_weight=w, **options)
    gn.save(train(5, sample_weight=w, **options), path)
    loaded = gn.load(path)
    assert (loaded.batch_size, loaded.optimizer) == (8, whole.optimizer)
    resumed = loaded.resume(whole.iterations - 5, X=X, y=Y, sample_weight=w)
    assert_same_run(resumed, whole)
    gn.save(resumed, path)
    assert_same_run(gn.load(path), whole)


def test_file_keeps_a_stream_with_half_a_normal(tmp_path):
    random = RandomState(3)
    random.standard_normal()
    run = train(2, random_state=random, parameters=NET.initialize(0))
    gn.save(run, tmp_path / "run.safetensors")
    loaded = gn.load(tmp_path / "run.safetensors")
    assert loaded.cursor.random.standard_normal() == random.standard_normal()


def test_other_engine_goes_on_with_the_run(engine):
    other = {"numpy": "native", "native": "numpy"}[engine]
    run = train(5, engine=engine).resume(7, X=X, y=Y, engine=other)
    assert run.engine == other
    whole = train(12)
    np.testing.assert_allclose(run.losses, whole.losses, rtol=1e-11)
    assert np.array_equal(run.cursor.order, whole.cursor.order)


@pytest.mark.parametrize(
    ("changed", "target"),
    [
        (X[:-1], Y[:-1]),
        (np.vstack([X, X]), np.tile(Y, 2)),
        (X + 0.1, Y),
        (X, 1 - Y),
        (X[::-1], Y[::-1]),
    ],
    ids=["fewer", "more", "other X", "other y", "other order"],
)
def test_resume_refuses_other_data(engine, changed, target):
    run = copy.deepcopy(train(5, engine=engine))
    with pytest.raises(gn.InputError, match=r"not those that the run was trained on.*gn\.train"):
        run.resume(7, X=changed, y=target)


def test_resume_refuses_other_weights(engine):
    weights = np.linspace(1, 2, len(X))
    run = copy.deepcopy(train(5, engine=engine, sample_weight=weights))
    for other in (None, weights[::-1], 2 * weights):
        with pytest.raises(gn.InputError, match="not those that the run was trained on"):
            run.resume(7, X=X, y=Y, sample_weight=other)
    assert_same_run(
        run.resume(7, X=X, y=Y, sample_weight=weights), train(12, engine=engine, sample_weight=weights)
    )


@pytest.mark.parametrize("layout", [np.asfortranarray, list, lambda X: X[::-1].copy()[::-1]])
def test_resume_takes_the_same_data_in_another_layout(engine, layout):
    run = copy.deepcopy(train(5, engine=engine))
    assert_same_run(run.resume(7, X=layout(X), y=Y.tolist()), train(12, engine=engine))


DAMAGES = {
    "no cursor": {"cursor": None},
    "cursor of another kind": {"cursor": 3},
    "batch_size of no samples": {"batch_size": 0},
    "batch_size that is no number": {"batch_size": "8"},
    "more than there are": {"batch_size": 44},
    "row beyond the data": {"row": 43},
    "negative row": {"row": -1},
    "row that is no count": {"row": 8.0},
    "row within a batch": {"row": 7},
    "loss that is no number": {"loss": "high"},
    "limit that is no number": {"limit": None},
    "no fingerprint": {"fingerprint": []},
    "fingerprint of words": {"fingerprint": list("abcdefg")},
    "fingerprint of fewer": {"fingerprint": [43.0, 1.0]},
    "fingerprint of very many": {"fingerprint": [1e18] + [0.0] * 6},
    "fingerprint of no samples": {"fingerprint": [0.0] * 7},
    "stream without its place": {"random": {}},
    "stream of none": {"random": None},
    "negative place": {"random": {"pos": -5, "has_gauss": 0, "gauss": 0.0}},
    "place beyond the words": {"random": {"pos": 625, "has_gauss": 0, "gauss": 0.0}},
    "place that is no count": {"random": {"pos": "7", "has_gauss": 0, "gauss": 0.0}},
    "half a normal of words": {"random": {"pos": 5, "has_gauss": 1, "gauss": "0"}},
    "order of fewer": {"order": np.arange(42, dtype=np.uint32)},
    "order with a sample twice": {"order": np.r_[np.arange(42), 0].astype(np.uint32)},
    "order beyond the data": {"order": np.arange(1, 44, dtype=np.uint32)},
    "order of another type": {"order": np.arange(43)},
    "order of two dimensions": {"order": np.arange(43, dtype=np.uint32)[None]},
    "no order": {"order": None},
    "words of another type": {"random_key": np.zeros(624)},
    "fewer words": {"random_key": np.zeros(623, np.uint32)},
    "no words": {"random_key": None},
    "other parameters": {"good": np.zeros(33)},
    "parameters in another precision": {"good": np.zeros(32, np.float32)},
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The arrays and the document of a run's file."""
    path = tmp_path_factory.mktemp("saved") / "run.safetensors"
    gn.save(train(3), path)
    return read_arrays(path)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_file_whose_place_does_not_fit_is_refused(tmp_path, saved, damage):
    path = tmp_path / "run.safetensors"
    arrays, document = saved
    arrays, document = dict(arrays), copy.deepcopy(dict(document))
    for name, value in damage.items():
        if name in arrays:
            arrays[name] = value
        elif name in document:
            document[name] = value
        else:
            document["cursor"][name] = value
    write_arrays(path, {name: array for name, array in arrays.items() if array is not None}, document)
    with pytest.raises(gn.FileError, match="does not describe a run"):
        gn.load(path)


# ---- Divergence -----------------------------------------------------------------------------------

# A line through three points of which each goes its way, at a rate that grows from 0 to far too much.
GROWING = {
    "net": gn.Network((3, 3), output="identity"),
    "data": (X, X),
    "optimizer": gn.SGD(gn.OneCycle(9.0, steps=300, pct_start=0.5, div_factor=1e9), 0.0),
}


def assert_diverged(run, epochs):
    assert (run.status, run.iterations, run.diverged_at) == ("diverged", epochs, epochs + 1)
    assert len(run.losses) == epochs
    assert np.isfinite(run.losses).all()
    assert np.isfinite(run.parameters.flat).all()
    assert (run.cursor.row, run.cursor.loss) == (0, 0.0)


@pytest.mark.parametrize(
    ("output", "size", "dtype"),
    [
        ("softmax", 1, "float32"),
        ("softmax", 43, "float64"),
        ("identity", 8, "float32"),
        ("identity", 1, "float64"),
        ("exp", 43, "float32"),
        ("exp", 8, "float64"),
    ],
)
def test_divergence_in_the_first_epochs_ends_with_the_last_whole_one(
    engine, dtype, size, output, make_data
):
    """Warnings are errors in these tests: NumPy's own do not come out."""
    net = gn.Network((3, 6, 2), hidden="relu", output=output)
    data = make_data(net, 43)
    options = {"net": net, "data": data, "engine": engine, "dtype": dtype, "batch_size": size}
    with pytest.warns(
        gn.DivergenceWarning, match=r"blew up at iteration \d.*smaller learning rate"
    ) as caught:
        run = train(20, optimizer=gn.SGD(1e6), **options)
    assert len(caught) == 1
    assert_diverged(run, run.iterations)
    assert run.parameters == train(run.iterations, optimizer=gn.SGD(1e6), **options).parameters
    with pytest.raises(gn.InputError, match=f"blew up at iteration {run.diverged_at} and would again"):
        run.resume(3)
    again = run.resume(3, optimizer=gn.SGD(1e-3))
    assert again.status == "completed"
    assert again.iterations == run.iterations + 3
    assert again.updates == 3 * -(-43 // size)  # from rest


def test_divergence_in_a_later_epoch_goes_back_to_its_start(engine):
    with pytest.warns(gn.DivergenceWarning):
        run = train(30, **GROWING, engine=engine)
    assert run.iterations > 1
    assert_diverged(run, run.iterations)
    whole = train(run.iterations, **GROWING, engine=engine)
    assert np.array_equal(run.losses, whole.losses)
    assert run.parameters == whole.parameters


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # at rates that are too large
@pytest.mark.parametrize("size", [8, 43], ids=["batches", "one batch"])
def test_divergence_takes_back_what_goes_with_the_parameters(engine, size):
    """Their mean, and the evaluations of an epoch that is taken back."""
    heard = []
    options = {"engine": engine, "average": 0.9, "validation": (X, X), "batch_size": size}
    with pytest.warns(gn.DivergenceWarning):
        run = train(300, **{**GROWING, **options}, callbacks=[lambda run: heard.append(run.iterations)])
    assert run.iterations > 1
    assert_diverged(run, run.iterations)
    assert heard == list(range(1, run.iterations + (2 if size == 43 else 1)))
    assert run.validation.iterations.tolist() == list(range(1, run.iterations + 1))
    whole = train(run.iterations, **{**GROWING, **options})
    assert run.parameters == whole.parameters
    assert run.averaged == whole.averaged
    again = run.resume(2, optimizer=gn.SGD(0.01))
    assert (again.status, again.iterations) == ("completed", run.iterations + 2)
    assert again.validation.iterations.tolist() == list(range(1, run.iterations + 3))


@every_dtype
@pytest.mark.parametrize("average", [None, 0.9])
def test_threads_diverge_alike(dtype, average):
    """Each keeps its share of what is gone back to."""
    random = RandomState(0)
    inputs, net = random.randn(700, 17), gn.Network((17, 40, 2), output="identity")
    options = {"net": net, "data": (inputs, inputs[:, :2]), "batch_size": 300, "dtype": dtype}
    options |= {"average": average, "optimizer": gn.SGD(gn.OneCycle(9.0, 300, 0.5, 1e9), clip_norm=100.0)}
    runs = []
    for threads in (1, 2, 3, 7):
        with pytest.warns(gn.DivergenceWarning):
            runs.append(train(100, engine="native", threads=threads, **options))
        assert runs[-1].iterations > 1
        assert_same_run(runs[-1], runs[0])
    whole = train(runs[0].iterations, engine="native", **options)
    assert runs[0].parameters == whole.parameters
    assert runs[0].averaged == whole.averaged


def test_engines_diverge_alike(make_data):
    for seed in range(3):
        for rate in (3.0, 30.0, 1e6):
            runs = []
            for engine in ("numpy", "native"):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", gn.DivergenceWarning)
                    runs.append(train(6, optimizer=gn.SGD(rate), engine=engine, random_state=seed))
            ours, theirs = runs
            assert (ours.status, ours.iterations) == (theirs.status, theirs.iterations)
            assert ours.cursor.row == theirs.cursor.row
            assert np.array_equal(ours.cursor.order, theirs.cursor.order)


@every_dtype
@pytest.mark.parametrize("threads", [1, 2])
def test_parameter_that_overflows_in_the_last_batch_is_found_at_the_epochs_end(engine, dtype, threads):
    """Its loss was still good: the next epoch would begin from no number."""
    net = gn.Network((1, 1), output="identity", loss="absolute_error")
    options = {"net": net, "engine": engine, "dtype": dtype, "threads": threads, "batch_size": 2}
    options |= {"data": ([[1.0], [1.0]], [3.0, 3.0]), "parameters": [1.0, 1.0], "shuffle": False}
    largest = float(np.finfo(dtype).max)
    with pytest.warns(gn.DivergenceWarning):
        run = train(2, optimizer=gn.SGD(largest, 0.0, clip_value=None), reduction="sum", **options)
    assert_diverged(run, 0)
    assert run.parameters.flat.tolist() == [1.0, 1.0]


def test_gentler_optimizer_goes_on_after_divergence_from_a_file(tmp_path, engine):
    path = tmp_path / "run.safetensors"
    net = gn.Network((3, 6, 1), output="identity")
    data = X, X[:, :1]
    with pytest.warns(gn.DivergenceWarning):
        run = train(5, net=net, data=data, optimizer=gn.SGD(1e6), engine=engine)
    gn.save(run, path)
    expected = run.resume(5, optimizer=gn.Adam(0.01))
    assert expected.status == "completed"
    assert_same_run(gn.load(path).resume(5, X=X, y=data[1], optimizer=gn.Adam(0.01)), expected)


# ---- Ctrl-C ---------------------------------------------------------------------------------------


class Press(gn.Callback):
    """Ctrl-C a while after training has begun."""

    every = 10**9

    def __init__(self, seconds):
        self._timer = threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT))

    def on_train_begin(self, run):
        self._timer.start()

    def on_train_end(self, run):
        self._timer.join()


@pytest.mark.parametrize(("threads", "shuffle"), [(1, False), (2, True)])
def test_ctrl_c_within_an_epoch_keeps_the_place(handler, tmp_path, monkeypatch, shuffle, threads):
    """The update during which it came is the last; all ways on lead where an unbroken run would be."""
    n = 60_000
    random = RandomState(0)
    data = random.randn(n, 30), random.randint(0, 2, n)
    options = {"data": data, "net": gn.Network((30, 90, 2)), "batch_size": 300, "engine": "native"}
    options |= {"shuffle": shuffle, "threads": threads, "optimizer": gn.SGD(gn.Cosine(0.1, steps=400))}
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = train(1000, callbacks=[Press(0.15)], **options)
    assert run.status == "interrupted"
    assert signal.getsignal(signal.SIGINT) is handler
    assert run.updates == run.iterations * 200 + run.cursor.row // 300
    whole = train(run.iterations + 2, **options)
    assert np.array_equal(run.losses, whole.losses[: run.iterations])
    assert_same_run(run.resume(2), whole)
    gn.save(run, tmp_path / "run.safetensors")
    loaded = gn.load(tmp_path / "run.safetensors")
    assert_same_run(loaded, run)
    assert_same_run(loaded.resume(1, X=data[0], y=data[1]).resume(1), whole)


def cut(epochs, update, engine, match="", **options):
    """A run interrupted after so many updates, as by Ctrl-C: each call makes one."""

    class Batches(first_order.Epochs):
        def advance(self, losses, stop, seconds):
            made = super().advance(losses, stop, 0.0)
            if self.rates.updates == update:
                signal.raise_signal(signal.SIGINT)
            return made

    original, run_policy.Epochs = run_policy.Epochs, Batches
    try:
        with pytest.warns(gn.InterruptedTrainingWarning, match=match):
            return train(epochs, engine=engine, **options)
    finally:
        run_policy.Epochs = original


@every_case
def test_ctrl_c_after_any_update_resumes_bit_for_bit(handler, tmp_path, engine, rate, dtype, shuffle):
    options = {"optimizer": gn.SGD(rate), "dtype": dtype, "shuffle": shuffle, "l2": 0.01}
    whole = train(5, engine=engine, **options)
    for update in (1, 6, 29):
        run = cut(5, update, engine, **options)
        assert (run.status, run.updates) == ("interrupted", update)
        assert (run.iterations, run.cursor.row) == (update // 6, update % 6 * 8)
        missing = whole.iterations - run.iterations
        assert_same_run(run.resume(missing), whole)
        gn.save(run, tmp_path / "run.safetensors")
        assert_same_run(gn.load(tmp_path / "run.safetensors").resume(missing, X=X, y=Y), whole)


def test_divergence_after_ctrl_c_goes_back_to_the_epochs_start(handler, tmp_path, engine):
    """Not to where Ctrl-C came: as if it never had."""
    with pytest.warns(gn.DivergenceWarning):
        whole = train(30, **GROWING, engine=engine)
    run = cut(30, whole.iterations * 6 + 1, engine, **GROWING)
    assert run.cursor.row == 8
    gn.save(run, tmp_path / "run.safetensors")
    for again, data in ((run, {}), (gn.load(tmp_path / "run.safetensors"), {"X": X, "y": X})):
        with pytest.warns(gn.DivergenceWarning):
            ended = again.resume(30, **data)
        assert (ended.status, ended.iterations) == ("diverged", whole.iterations)
        assert ended.parameters == whole.parameters


def test_ctrl_c_in_the_first_epoch_has_no_loss_to_tell(handler, engine):
    run = cut(5, 2, engine, match=r"after iteration 0\. The run holds")
    assert (run.iterations, len(run.losses), run.cursor.row) == (0, 0, 16)


def test_ctrl_c_from_outside_ends_a_process_with_its_work():
    code = """
import json, signal, warnings
import numpy as np
import glassnet as gn

warnings.simplefilter("ignore", gn.InterruptedTrainingWarning)
random = np.random.RandomState(0)
X, y = random.randn(60_000, 64).astype(np.float32), random.randint(0, 10, 60_000)
network = gn.Network((64, 256, 256, 10), hidden="relu")

class Ready(gn.Callback):
    every = 10**9

    def on_train_begin(self, run):
        print("ready", flush=True)

settings = {"batch_size": 200, "random_state": 0, "engine": "native"}
run = gn.train(network, X, y, iterations=2000, callbacks=[Ready()], **settings)
print(json.dumps([run.status, run.iterations, run.updates == run.iterations * 300 + run.cursor.row // 200]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            threading.Event().wait(0.4)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    status, iterations, consistent = json.loads(said)
    assert status == "interrupted"
    assert iterations < 2000
    assert consistent
