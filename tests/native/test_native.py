"""The compiled engine. These tests fail where it is missing: an installation here must have it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from exact_activations import units_off

import glassnet as gn
from glassnet import native
from glassnet.engine.native_calls import native_rule
from glassnet.engine.prepare import prepare
from glassnet.optim.penalties import Penalties

THREADS = (1, 2, 3, 7)
SIZES = (1, 2, 7, 255, 256, 257)
LARGE = 10_007  # has work enough for seven threads

both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@dataclass(frozen=True)
class Job:
    """A network, what its targets are, and how to train it."""

    network: gn.Network
    labels: bool = False
    weighted: bool = False
    scale: float = 1.0  # of the first parameters
    rate: float = 0.05


JOBS = {
    "two classes": Job(gn.Network((2, 3, 2)), labels=True),
    "two classes, soft": Job(gn.Network((3, 4, 2), hidden="relu"), weighted=True),
    "deep": Job(gn.Network((5, 7, 3, 4), hidden="tanh"), labels=True, weighted=True),
    "deep, soft": Job(gn.Network((5, 7, 3, 4), hidden=["relu", "logistic"])),
    "wide": Job(gn.Network((20, 33, 5), hidden="relu"), labels=True),
    "labels": Job(gn.Network((4, 6, 3), hidden="logistic", output="logistic"), weighted=True),
    "regression": Job(gn.Network((4, 5, 1), hidden="identity", output="identity"), rate=0.01),
    "slopes of their own": Job(gn.Network((5, 7, 3, 4), hidden=["gelu", "softplus"]), weighted=True),
    "two classes, smoothed": Job(
        gn.Network((3, 4, 2), hidden="silu", loss=gn.losses.cross_entropy(0.1)), labels=True
    ),
    "smoothed": Job(gn.Network((3, 9, 3), hidden="elu", loss=gn.losses.cross_entropy(0.1)), labels=True),
    "counts": Job(gn.Network((4, 5, 2), hidden="gelu_tanh", output="exp"), rate=0.003),
    "robust": Job(gn.Network((4, 6, 1), hidden="selu", output="identity", loss="huber"), rate=0.01),
    "no hidden layer": Job(gn.Network((8, 4)), labels=True),
    "saturated": Job(gn.Network((4, 6, 3), hidden="tanh"), labels=True, scale=3000, rate=1e-3),
    "tiny": Job(gn.Network((4, 6, 3), hidden="tanh", output="identity"), scale=1e-307),
    "tiny in float32": Job(gn.Network((4, 6, 3), hidden="identity"), scale=1e-37),
}

every_job = pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)


class Run:
    """A descent of one problem, with its arrays at hand."""

    def __init__(self, problem, theta, iterations):
        self.problem = problem
        self.flat = theta.flat.copy()
        self.state = np.zeros((1, self.flat.size), self.flat.dtype)
        _, self.gradient = problem.loss_and_gradient(self.flat)
        self.losses = np.full(iterations, -1.0)
        self.stop = np.zeros(1, np.uint8)

    def __call__(self, learning_rate=0.05, limit=np.inf, seconds=1e9):
        self.done = self.problem.descend(
            self.flat,
            self.state,
            self.gradient,
            self.losses,
            optimizer=gn.SGD(momentum=0.9),
            rates=np.array([learning_rate]),
            first_update=1,
            limit=limit,
            stop=self.stop,
            seconds=seconds,
        )
        return self

    def bits(self):
        return [a.tobytes() for a in (self.flat, self.state, self.gradient, self.losses)]


def prepare_job(job, n, dtype, make_data, engine="native", threads=1):
    X, y = make_data(job.network, n, seed=n, labels=job.labels)
    w = np.random.RandomState(n).uniform(0, 2, n) if job.weighted else None
    return prepare(job.network, X, y, dtype=dtype, sample_weight=w, engine=engine, threads=threads)


def descend(job, problem, iterations):
    theta = job.network.initialize(7, scheme="normal")
    theta.flat[:] *= job.scale
    run = Run(problem, theta.astype(problem.dtype), iterations)(job.rate)
    assert (run.done.updates, run.done.diverged) == (iterations, False)
    return run


def sizes_for(job):
    """Three sizes for each job, so that all jobs together have each of them several times."""
    turn = list(JOBS.values()).index(job) % 2
    return *SIZES[turn::2][:2], SIZES[4 + turn], LARGE


def iterations_for(n):
    """Fewer where each is long: the rounding of one iteration is enough to change the next."""
    return 60 if n < LARGE else 15


def script(code, *arguments, **settings):
    """Run a program of ours; a hang fails."""
    command = [sys.executable, "-W", "error", "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **settings)


def answer(result):
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


# ---- The module -----------------------------------------------------------------------------------


def test_module_is_there():
    assert native.module is not None, native.reason
    assert native.reason == ""


def test_native_functions_are_those_of_the_registries():
    assert list(native.module.ACTIVATIONS) == list(gn.ACTIVATIONS)
    assert sorted(native.module.LOSSES) == sorted(gn.LOSSES)


def test_best_instruction_set_is_the_default(monkeypatch):
    isas = native.module.isas()
    assert isas[-1] == "portable"
    monkeypatch.delenv("GLASSNET_ISA", raising=False)
    assert prepare(gn.Network((2, 2)), [[0, 1]], [0], engine="native").isa == isas[0]


@pytest.mark.parametrize("name", ["avx1024", "AVX2", "portable "])
def test_unknown_instruction_set_is_refused_with_the_choice(monkeypatch, name):
    monkeypatch.setenv("GLASSNET_ISA", name)
    with pytest.raises(gn.EngineError, match=f"GLASSNET_ISA is '{name}'.* portable.* unset it"):
        prepare(gn.Network((2, 2)), [[0, 1]], [0], engine="native")


def test_instruction_set_that_the_processor_lacks_is_refused(monkeypatch):
    for name in {"avx512", "avx2"} - set(native.module.isas()):
        monkeypatch.setenv("GLASSNET_ISA", name)
        with pytest.raises(gn.EngineError, match=f"GLASSNET_ISA is '{name}', which this processor"):
            prepare(gn.Network((2, 2)), [[0, 1]], [0], engine="native")


# ---- The same bits --------------------------------------------------------------------------------


@every_job
@both_dtypes
def test_threads_do_not_change_a_bit_of_a_descent(make_data, job, dtype):
    for n in sizes_for(job):
        problem, iterations = prepare_job(job, n, dtype, make_data), iterations_for(n)
        expected = descend(job, problem, iterations).bits()
        for threads in THREADS[1:]:
            assert descend(job, problem.with_threads(threads), iterations).bits() == expected, (n, threads)


@every_job
@both_dtypes
def test_instruction_sets_do_not_change_a_bit_of_a_descent(make_data, monkeypatch, job, dtype):
    for n in sizes_for(job):
        expected = None
        for isa in native.module.isas():
            monkeypatch.setenv("GLASSNET_ISA", isa)
            problem = prepare_job(job, n, dtype, make_data)
            assert problem.isa == isa
            bits = descend(job, problem, iterations_for(n)).bits()
            assert bits == (expected or bits), (n, isa)
            expected = bits


@pytest.mark.parametrize(
    ("classes", "n"), [(4, 40_000), (10, 33_000), (70, 20_000), (1024, 300), (5000, 400)]
)
@both_dtypes
def test_many_classes_and_samples_give_the_same_bits(make_data, monkeypatch, classes, n, dtype):
    """A block then takes several logarithms of its running product, after the same samples everywhere."""
    network = gn.Network((2, classes))
    X, y = make_data(network, n, labels=True)
    theta = network.initialize(1, dtype=dtype)
    results = set()
    for isa in native.module.isas():
        monkeypatch.setenv("GLASSNET_ISA", isa)
        loss, gradient = prepare(network, X, y, dtype=dtype, engine="native").loss_and_gradient(theta.flat)
        results.add((loss, gradient.tobytes()))
    assert len(results) == 1


def test_network_with_work_enough_runs_on_as_many_threads_as_asked_for(make_data):
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("this system does not list a process's threads")
    job = JOBS["two classes"]
    theta = job.network.initialize(0)
    for threads in THREADS:
        problem = prepare_job(job, LARGE, np.float64, make_data, threads=threads)
        run, most = Run(problem, theta, 1_000_000), 0
        # New ones are counted by their numbers: those of the last round may take a moment to go. And in one
        # call: the threads of one that has just ended would be counted with the next one's.
        before = set(tasks.iterdir())
        worker = threading.Thread(target=run, kwargs={"seconds": 30.0})
        worker.start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            most = max(most, len(set(tasks.iterdir()) - before))
            if most >= threads:
                break
        run.stop[0] = 1
        worker.join()
        assert most == threads  # the worker is the first of the team


# ---- The right numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("job", [job for name, job in JOBS.items() if job.scale == 1])
@both_dtypes
def test_descent_equals_the_references(make_data, job, dtype):
    for n in (*SIZES, 1025):
        theta = job.network.initialize(0, dtype=dtype)
        runs = {}
        for engine in ("numpy", "native"):
            problem = prepare_job(job, n, dtype, make_data, engine, threads=2)
            runs[engine] = Run(problem, theta, 20 if n < 1000 else 10)(job.rate)
        ours, reference = runs["native"], runs["numpy"]
        tolerance = 1e-12 if dtype == np.float64 else 1e-4
        np.testing.assert_allclose(ours.losses, reference.losses, rtol=tolerance, atol=tolerance)
        for name in ("flat", "state", "gradient"):
            np.testing.assert_allclose(
                getattr(ours, name), getattr(reference, name), rtol=10 * tolerance, atol=tolerance
            )


def test_circles_follow_the_published_run_to_its_end(circles, circles_data):
    """The 50,000 iterations through the cliff near 6,100, where rounding is amplified, to the end."""
    X, y, _ = circles_data
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    start = np.concatenate([circles[f"initial_{name}"].ravel() for name in names])
    run = gn.train(
        gn.Network((2, 3, 2)),
        X,
        y,
        parameters=start,
        optimizer=gn.SGD(1e-4, 0.5),
        iterations=50_000,
        reduction="sum",
        engine="native",
    )
    error = np.abs(run.losses / circles["loss"] - 1)
    near = slice(5_990, 6_401)
    assert error[near].max() < 1e-7
    error[near] = 0
    assert error.max() < 1e-9
    assert run.losses[-1] == pytest.approx(7.650197917402334, rel=1e-9)
    end = np.concatenate([circles[f"final_{name}"].ravel() for name in names])
    np.testing.assert_allclose(run.parameters.flat, end, rtol=1e-9)


@pytest.mark.parametrize("name", gn.ACTIVATIONS)
@both_dtypes
def test_activations_are_accurate_to_a_few_units_in_the_last_place(name, dtype):
    for isa in native.module.isas():
        value_off, slope_off = units_off(
            name, dtype, lambda z, isa=isa: native.module.activation(name, z, isa)
        )
        assert value_off <= 5, isa
        assert slope_off <= 6, isa


@pytest.mark.parametrize("name", gn.ACTIVATIONS)
@both_dtypes
def test_activations_give_limits_at_infinity_nan_for_nan_and_the_same_bits_everywhere(name, dtype):
    largest = np.finfo(dtype).max
    z = np.concatenate([[-np.inf, np.inf, np.nan, -largest, largest], np.linspace(-800, 800, 4001)])
    z = z.astype(dtype)
    record, results = gn.ACTIVATIONS[name], set()
    for isa in native.module.isas():
        h, slope = native.module.activation(name, z, isa)
        with np.errstate(over="ignore"):
            expected = record.value(z)
            expected_slope = record.derivative(z, expected)
        np.testing.assert_allclose(h, expected, rtol=1e-4, atol=1e-37)
        np.testing.assert_allclose(slope[:2], expected_slope[:2], rtol=1e-4, atol=1e-37)
        assert np.isfinite(slope[:2]).all()
        assert np.isnan(h[2])
        results.add((h[3:].tobytes(), slope[3:].tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize("hidden", ["logistic", "tanh"])
@pytest.mark.parametrize("scale", [1, 300])
@both_dtypes
def test_one_hidden_layer_for_two_classes_equals_the_reference(make_data, hidden, scale, dtype):
    """Tiles of units, pipelines filled or not, saturation; the loss alone has the same bits."""
    tolerance = 1e-12 if dtype == np.float64 else 1e-4
    for inputs, units in ((1, 1), (2, 3), (2, 8), (4, 5), (5, 3), (3, 64), (3, 65)):
        network = gn.Network((inputs, units, 2), hidden)
        theta = network.initialize(units, dtype=dtype)
        theta.flat[:] *= dtype(scale)
        for n in (1, 8, 47, 48, 49, 500):
            X, y = make_data(network, n, seed=n)
            ours, theirs = (prepare(network, X, y, dtype=dtype, engine=e) for e in ("native", "numpy"))
            (loss, gradient), (expected, slope) = (p.loss_and_gradient(theta.flat) for p in (ours, theirs))
            assert loss == pytest.approx(expected, rel=tolerance, abs=tolerance)
            size = np.abs(slope.flat).max()
            np.testing.assert_allclose(
                gradient.flat, slope.flat, rtol=tolerance, atol=scale * tolerance * size
            )
            assert ours.loss(theta.flat) == loss


def test_padding_counts_for_nothing_where_its_outputs_loss_is_infinite():
    network = gn.Network((1, 1), output="exp")
    theta = gn.Parameters(network.sizes, np.array([-800.0, 800.0]))
    loss, gradient = gn.loss_and_gradient(
        network, theta, [[1.0], [1.0], [1.0]], [1.0, 2.0, 0.0], engine="native"
    )
    assert loss == 1.0
    np.testing.assert_allclose(gradient.flat, 0, atol=1e-15)


@both_dtypes
@pytest.mark.parametrize("threads", [1, 2])
def test_outputs_of_ten_thousand_give_exact_finite_losses(dtype, threads):
    z = 1e4
    cases = [
        (gn.Network((1, 2)), [z, -z], [[0], [1]], [0, 2 * z], [0, 1]),
        (gn.Network((1, 3)), [z, -z, 0], [[0], [1], [2]], [0, 2 * z, z], [0, 1, 1]),
        (gn.Network((1, 1), output="logistic"), [z], [[1.0], [0.0]], [0, z], [0, 1]),
        (gn.Network((1, 1), output="logistic"), [-z], [[0.0], [1.0]], [0, z], [0, -1]),
        (gn.Network((1, 1), output="identity"), [z], [[z], [0.0]], [0, z * z / 2], [0, z]),
    ]
    for network, biases, targets, losses, errors in cases:
        theta = gn.Parameters(network.sizes, np.zeros(network.n_parameters, dtype))
        theta.biases[0][:] = biases
        for target, loss, error in zip(targets, losses, errors, strict=True):
            y = np.repeat(np.array([target]), 300, axis=0)
            y = y[:, 0] if network.loss.target == "class" else y
            value, gradient = gn.loss_and_gradient(
                network, theta, np.ones((300, 1)), y, engine="native", threads=threads
            )
            assert value == pytest.approx(loss, rel=1e-6, abs=1e-30)
            assert gradient.biases[0][0] == pytest.approx(error, rel=1e-6, abs=1e-30)
            assert np.isfinite(gradient.flat).all()


@every_job
@both_dtypes
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_parameter_that_is_no_number_is_reported_as_divergence(make_data, job, dtype, bad):
    for threads in (1, 3):
        problem = prepare_job(job, 1000, dtype, make_data, threads=threads)
        for place in (0, -1):
            theta = job.network.initialize(0, dtype=dtype)
            run = Run(problem, theta, 5)
            run.flat[place] = bad
            before = run.flat.copy()
            run()
            # A saturated unit swallows an infinity, as it should.
            if np.isnan(bad):
                assert (run.done.updates, run.done.diverged) == (0, True)
            if run.done.updates == 0:
                assert run.done.diverged
                assert np.array_equal(run.flat, before, equal_nan=True)
                assert not run.state.any()


# ---- The caller's thread is left as it was --------------------------------------------------------


def test_subnormal_numbers_still_count_after_a_call(make_data):
    tiny = np.array([np.finfo(np.float64).smallest_subnormal])
    for threads in (1, 2):
        problem = prepare_job(JOBS["deep"], 3000, np.float64, make_data, threads=threads)
        descend(JOBS["deep"], problem, 3)
        assert (tiny * 1.0 != 0).all()
        gn.loss_and_gradient(gn.Network((2, 2)), np.zeros(6), [[0, 1]], [0], engine="native")
        assert (tiny * 1.0 != 0).all()


def test_subnormal_numbers_count_in_a_signal_handler_that_a_call_runs():
    results = []

    def handle(number, frame):
        results.append(np.array([5e-324]) * 1.0)
        run.stop[0] = 1

    run = slow_run(60)
    previous = signal.signal(signal.SIGINT, handle)
    presser = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
    try:
        presser.start()
        run()
    finally:
        presser.join()
        signal.signal(signal.SIGINT, previous)
    assert assert_whole(run) < 60
    assert results == [5e-324]


def test_arguments_that_do_not_fit_are_refused_and_nothing_is_written():
    problem = native.module.Problem64(
        sizes=[2, 3], hidden=[], loss="cross_entropy", n_samples=4, labels=True, weighted=False, isa=""
    )
    X, y = np.ones((4, 2)), np.array([0, 1, 2, 0])
    problem.put(0, X, y, None)
    frozen = np.zeros(9)
    frozen.flags.writeable = False
    rule = native_rule(gn.SGD(momentum=0.9), Penalties())
    vectors = [np.zeros(8), np.zeros(9, np.float32), frozen, np.zeros(18)[::2], np.zeros((3, 3)), None, 1.0]
    call = [np.zeros(9), np.zeros(9), rule, 4.0, 1]
    assert_refused(problem.loss_and_gradient, call, {0: [np.zeros(8), np.zeros(9, np.float32)], 1: vectors})
    rates, stop = np.array([0.1]), np.zeros(1, np.uint8)
    call = [np.zeros(9), np.zeros((1, 9)), np.zeros(9), np.zeros(2), rule, rates, 1, 4.0, 1e9, stop, 1.0, 1]
    bad = {
        0: vectors,
        1: [np.zeros(9), np.zeros((2, 9)), np.zeros((1, 8)), np.zeros((1, 9), np.float32), frozen],
        2: vectors,
        3: [np.zeros(2, np.float32), np.zeros(4)[::2], frozen, None],
        4: [None, 0.1],
        5: [np.zeros(0), np.zeros((1, 1)), np.zeros(1, np.float32)],
        6: [0, -1],
        9: [np.zeros(2, np.uint8), np.zeros(0, np.uint8), np.zeros(1, np.int64)],
    }
    assert_refused(problem.descend, call, bad)
    for start, rows, numbers, weights in [
        (0, X.astype(np.float32), y, None),
        (0, X.T.copy().T, y, None),
        (0, np.ones((4, 3)), y, None),
        (0, X[0], y, None),
        (1, X, y, None),
        (2**64 - 4, X, y, None),
        (-1, X, y, None),
        (0, X, y[:3], None),
        (0, X, y.astype(float), None),
        (0, X, np.ones((4, 3)), None),
        (0, X, "0120", None),
        (0, X, y, np.ones(4)),
    ]:
        with pytest.raises((TypeError, ValueError)):
            problem.put(start, rows, numbers, weights)
    assert not frozen.any()


def assert_refused(function, arguments, bad):
    """Each bad value in its place is refused and changes nothing; the good ones are taken."""
    for place, values in bad.items():
        for value in values:
            given = [*arguments[:place], value, *arguments[place + 1 :]]
            kept = [a.copy() if isinstance(a, np.ndarray) else a for a in given]
            with pytest.raises((TypeError, ValueError)):
                function(*given)
            for one, other in zip(given, kept, strict=True):
                assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one is other
    function(*arguments)


@pytest.mark.parametrize("threads", [0, -1, 1_000_000])
def test_senseless_numbers_of_threads_do_no_harm(make_data, threads):
    job = JOBS["two classes"]
    problem = prepare_job(job, 500, np.float64, make_data)
    expected = descend(job, problem, 5).bits()
    problem = problem._with(threads=threads)  # `with_threads` refuses such numbers
    assert descend(job, problem, 5).bits() == expected


def test_impossible_networks_are_refused():
    good = {"sizes": [2, 3, 2], "hidden": ["tanh"], "loss": "cross_entropy", "n_samples": 4}
    good |= {"labels": True, "weighted": False, "isa": ""}
    native.module.Problem64(**good)
    for bad in [
        {"sizes": [2]},
        {"sizes": [2, 0, 2]},
        {"sizes": [2, -3, 2]},
        {"sizes": [2**40, 2**40, 2]},
        {"sizes": [2**24] * 2**16, "hidden": ["tanh"] * (2**16 - 2)},
        {"hidden": []},
        {"hidden": ["tan"]},
        {"loss": "entropy"},
        {"loss": "squared_error"},  # takes no class numbers
        {"n_samples": 2**62},
        {"n_samples": -1},
        {"isa": "none"},
    ]:
        with pytest.raises((TypeError, ValueError)):
            native.module.Problem64(**(good | bad))
    for sizes, hidden in [([2], []), ([2, 0], []), ([0, 2], []), ([2, 3, 2], []), ([2**40, 2**40], [])]:
        with pytest.raises(ValueError, match=r"layer|too large"):
            native.module.Predictor(sizes, hidden, "softmax", "")


# ---- Forks, threads and Ctrl-C --------------------------------------------------------------------

TRAINING = """
import json, os, sys, threading, warnings
import numpy as np
import glassnet as gn

small, wide = gn.Network((2, 3, 2)), gn.Network((17, 40, 2))
X = np.random.RandomState(0).randn(20_000, 17)
y = (X[:, 0] > 0).astype(int)

def bits(iterations=20, seed=0):
    text = ""
    for network, rows, size in ((small, 20_000, None), (wide, 5_000, 300), (small, 5_000, 50)):
        epochs = iterations if size is None else iterations // 10
        data = X[:rows, : network.sizes[0]], y[:rows]
        settings = {"batch_size": size, "random_state": seed, "engine": "native", "threads": 3}
        run = gn.train(network, *data, iterations=epochs, **settings)
        text += run.parameters.flat.tobytes().hex() + run.losses.tobytes().hex()
    return text
"""


def test_forked_children_compute_the_same_bits():
    """On the full batch and in batches, also while another of the parent's threads is in the engine."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    code = (
        TRAINING
        + """
warnings.simplefilter("ignore", DeprecationWarning)  # of forking while threads run, which is the point
expected = bits()
busy = threading.Event()

def work():
    while not busy.is_set():
        bits(100, seed=1)

worker = threading.Thread(target=work)
answers = []
for round in range(6):
    if round == 3:
        worker.start()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            pipe.write(str(bits() == expected))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answers.append(pipe.read())
    os.waitpid(child, 0)
busy.set()
worker.join()
print(json.dumps(answers))
"""
    )
    assert answer(script(code)) == ["True"] * 6


def test_many_python_threads_at_once_compute_the_same_bits(make_data):
    jobs = [JOBS["two classes"], JOBS["deep"]]
    problems = [prepare_job(job, 4000, np.float64, make_data, threads=2) for job in jobs]
    expected = [descend(job, problem, 50).bits() for job, problem in zip(jobs, problems, strict=True)]
    start = threading.Barrier(8)
    results = [None] * 8

    def work(i):
        which = i % 2
        problem = problems[which]  # half of them share one, the others have their own
        if i >= 4:
            problem = prepare_job(jobs[which], 4000, np.float64, make_data, threads=1 + i % 3)
        start.wait()
        results[i] = [descend(jobs[which], problem, 50).bits() == expected[which] for _ in range(3)]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [[True] * 3] * 8


def slow_run(iterations, threads=1):
    """A descent whose iterations are long: within them the engine looks at the byte and for signals."""
    network = gn.Network((64, 256, 256, 10), hidden="relu")
    random = np.random.RandomState(0)
    X, y = random.randn(20_000, 64).astype(np.float32), random.randint(0, 10, 20_000)
    problem = prepare(network, X, y, engine="native", threads=threads)
    return Run(problem, network.initialize(0, dtype=np.float32), iterations)


def assert_whole(run):
    """What came back belongs together, and nothing of an update that was cut short is left."""
    updates = int((run.losses != -1).sum())
    assert updates < len(run.losses)
    assert (run.losses[updates:] == -1).all()
    loss, gradient = run.problem.loss_and_gradient(run.flat)
    assert np.array_equal(gradient, run.gradient)
    if updates:
        assert run.losses[updates - 1] == loss
    return updates


@pytest.mark.parametrize("threads", [1, 2])
def test_byte_that_is_set_cuts_a_slow_update_and_takes_it_back(threads):
    run = slow_run(2, threads)()
    before = run.bits()
    run.stop[0] = 1
    assert (run().done.updates, run.done.diverged) == (0, False)
    assert run.bits() == before


@pytest.mark.parametrize("threads", [1, 2])
def test_other_python_threads_go_on_during_a_call_and_can_end_it(threads):
    """Were the interpreter held, this thread would wait until all updates are made."""
    run = slow_run(60, threads)
    worker = threading.Thread(target=run)
    worker.start()
    while run.losses[1] == -1:
        worker.join(0.001)
    run.stop[0] = 1
    worker.join()
    assert not run.done.diverged
    assert assert_whole(run) == run.done.updates >= 2


def test_signal_handler_that_raises_ends_the_call_after_a_whole_update():
    def handle(number, frame):
        raise InterruptedError("from the handler")

    run = slow_run(60)
    previous = signal.signal(signal.SIGINT, handle)

    def press():
        while run.losses[1] == -1:
            finished.wait(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    finished = threading.Event()
    presser = threading.Thread(target=press)
    try:
        presser.start()
        with pytest.raises(InterruptedError, match="from the handler"):
            run()
    finally:
        presser.join()
        signal.signal(signal.SIGINT, previous)
    assert assert_whole(run) >= 2


def test_ctrl_c_in_the_midst_of_a_slow_iteration_returns_the_run_so_far():
    code = """
import json, signal, sys, warnings
import numpy as np
import glassnet as gn

warnings.simplefilter("ignore", gn.InterruptedTrainingWarning)
network = gn.Network((64, 256, 256, 10), hidden="relu")
random = np.random.RandomState(0)
X, y = random.randn(60_000, 64).astype(np.float32), random.randint(0, 10, 60_000)

class Ready(gn.Callback):
    every = 10**9

    def on_train_begin(self, run):
        print("ready", flush=True)

run = gn.train(network, X, y, iterations=2000, random_state=0, callbacks=[Ready()], engine="native")
loss, _ = gn.loss_and_gradient(network, run.parameters, X, y, engine="native")
print(json.dumps([run.status, run.iterations, len(run.losses), loss == float(run.losses[-1])]))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            # Within the first iterations, however long they take here.
            threading.Event().wait(0.5)
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    status, iterations, length, consistent = json.loads(said)
    assert status == "interrupted"
    assert iterations < 2000
    assert length == iterations + 1
    assert consistent


def test_program_may_end_while_daemon_threads_are_in_the_engine():
    code = """
import threading
import numpy as np
import glassnet as gn

network = gn.Network((64, 256, 256, 10), hidden="relu")
random = np.random.RandomState(0)
X, y = random.randn(20_000, 64).astype(np.float32), random.randint(0, 10, 20_000)
busy = [threading.Event(), threading.Event()]

class Busy(gn.Callback):
    every = 1

    def on_iteration(self, run):
        busy[run.threads - 1].set()

def work(threads):
    gn.train(network, X, y, iterations=10_000, callbacks=[Busy()], engine="native", threads=threads)

for threads in (1, 2):
    threading.Thread(target=work, args=(threads,), daemon=True).start()
for event in busy:
    event.wait(30)
print(1)
"""
    assert answer(script(code)) == 1


def test_program_may_end_while_daemon_threads_ask_a_problem():
    code = """
import threading, time
import numpy as np
import glassnet as gn

class Last:
    def __del__(self, sleep=time.sleep):
        sleep(0.3)  # the interpreter is ending, and the thread wants it back

random, network = np.random.RandomState(0), gn.Network((20, 20, 3))
y = random.randint(0, 3, 3000)
problem = gn.prepare(network, random.randn(3000, 20), y, engine="native", threads=1)
flat, last = network.initialize(0).flat, Last()
calls = {
    problem.loss: (flat,),
    problem.loss_and_gradient: (flat,),
    problem.gauss_newton: (flat,),
    problem.gauss_newton_product: (flat, flat),
}

def work(call, arguments, busy):
    while True:
        call(*arguments)
        busy.set()

for call, arguments in calls.items():
    busy = threading.Event()
    threading.Thread(target=work, args=(call, arguments, busy), daemon=True).start()
    busy.wait(30)
print(1)
"""
    assert answer(script(code)) == 1


def test_unknown_instruction_set_is_refused_by_prediction_too(monkeypatch):
    monkeypatch.setenv("GLASSNET_ISA", "sse")
    net = gn.Network((2, 2))
    with pytest.raises(gn.EngineError, match="GLASSNET_ISA is 'sse'"):
        net.predict(net.initialize(0), [[0.0, 1.0]])
