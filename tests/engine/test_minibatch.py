"""Training on batches: the right numbers, the same bits, NumPy's stream, data of any make."""

import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import PCG64, RandomState

import glassnet as gn
from glassnet import native
from glassnet.data.dataset import as_dataset
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.engine.records import Updates

EVERY_LOSS = [
    *gn.LOSSES.values(),
    gn.losses.cross_entropy(label_smoothing=0.1),
    gn.losses.huber(delta=0.3),
    gn.losses.quantile(level=0.9),
]
RATES = {"sgd": 0.02, "adagrad": 0.05, "adadelta": 1.0, "lion": 0.003}  # the others': 0.01

NETWORKS = {
    "two classes": gn.Network((2, 3, 2)),
    "no hidden layer": gn.Network((5, 4), output="softmax"),
    "two classes, no hidden layer": gn.Network((17, 2)),
    "three layers": gn.Network((4, 5, 17, 40), hidden=["relu", "tanh"]),
    "wide": gn.Network((40, 17, 5, 2), hidden=["gelu", "logistic"]),
    "one of each": gn.Network((1, 1, 1), hidden="softplus", output="identity"),
    "labels": gn.Network((4, 17, 5), hidden="silu", output="logistic"),
    "smoothed": gn.Network((2, 40, 4), hidden="elu", loss=gn.losses.cross_entropy(0.1)),
    "two classes, smoothed": gn.Network((5, 4, 2), hidden="selu", loss=gn.losses.cross_entropy(0.2)),
    "counts": gn.Network((4, 5, 2), hidden="gelu_tanh", output="exp"),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
both_engines = pytest.mark.parametrize("engine", ["numpy", "native"])


def rule(kind, **settings):
    return kind(learning_rate=RATES.get(kind.name, 0.01), **settings)


def train(network, data, epochs=3, **settings):
    """A run of batches of 8, from parameters and orders that are the same each time."""
    settings = {"batch_size": 8, "random_state": 3, "optimizer": gn.SGD(0.02), **settings}
    return gn.train(network, *data, iterations=epochs, **settings)


def assert_close(ours, theirs, tolerance, whole=True):
    """Two runs took the same way, but for rounding."""
    assert ours.status == theirs.status
    np.testing.assert_allclose(ours.losses, theirs.losses, rtol=tolerance, atol=tolerance)
    if whole:
        for one, other in ((ours.parameters.flat, theirs.parameters.flat), (ours.state, theirs.state)):
            scale = max(1.0, np.abs(other).max(initial=0))
            np.testing.assert_allclose(one, other, rtol=10 * tolerance, atol=tolerance * scale)


def assert_engines_agree(network, data, dtype, epochs=3, **settings):
    runs = [train(network, data, epochs, dtype=dtype, engine=e, **settings) for e in ("native", "numpy")]
    assert [run.engine for run in runs] == ["native", "numpy"]
    assert_close(*runs, 1e-11 if dtype == np.float64 else 2e-4)
    assert np.isfinite(runs[0].losses).all()
    return runs[0]


def bits(run):
    cursor = run.cursor
    arrays = [run.parameters.flat, run.state, run.losses, run.heard, np.array([cursor.row, cursor.loss])]
    if cursor.order is not None:
        arrays += [cursor.order, cursor.random.get_state()[1], np.array(cursor.random.get_state()[2:])]
    return [array.tobytes() for array in arrays]


# ---- The right numbers ----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", EVERY_LOSS, ids=str)
@pytest.mark.parametrize("kind", gn.OPTIMIZERS.values(), ids=gn.OPTIMIZERS)
def test_every_optimizer_with_every_loss_equals_the_reference(make_data, kind, loss):
    turn = list(gn.OPTIMIZERS).index(kind.name)
    hidden = list(gn.ACTIVATIONS)[turn % len(gn.ACTIVATIONS)]
    dtype = (np.float64, np.float32)[(turn + EVERY_LOSS.index(loss)) % 2]
    network = gn.Network((4, 6, 3), hidden=hidden, output=loss.output, loss=loss)
    data = make_data(network, 37, seed=1)
    assert_engines_agree(network, data, dtype, optimizer=rule(kind))


@pytest.mark.parametrize("hidden", gn.ACTIVATIONS)
@both_dtypes
def test_every_activation_equals_the_reference(make_data, hidden, dtype):
    """Through a narrow and a wide layer."""
    network = gn.Network((3, 17, 4, 3), hidden=hidden)
    assert_engines_agree(network, make_data(network, 61, labels=True), dtype)


@every_network
@both_dtypes
def test_every_shape_equals_the_reference(make_data, network, dtype):
    rate = gn.SGD(0.001 if network.output.name == "exp" else 0.02)
    shapes = {1: (1, 6), 2: (1, 2, 3), 7: (1, 3, 7, 32), 60: (3, 32, 60, 65), 257: (32, 256), 1000: (333,)}
    for n, batch_sizes in shapes.items():
        data = make_data(network, n, seed=n)
        for batch_size in batch_sizes:
            run = assert_engines_agree(network, data, dtype, 2, batch_size=batch_size, optimizer=rate)
            assert run.batch_size == min(batch_size, n)
            assert run.updates == 2 * -(-n // run.batch_size)


@pytest.mark.parametrize("classes", [2, 3, 10])
@both_dtypes
def test_labels_as_numbers_and_as_rows_are_the_same(make_data, classes, dtype):
    network = gn.Network((4, 5, classes))
    X, y = make_data(network, 61, labels=True)
    rows = np.eye(classes)[y]
    runs = [assert_engines_agree(network, (X, target), dtype) for target in (y, rows)]
    assert_close(*runs, 1e-13 if dtype == np.float64 else 1e-5)


OPTIONS = {
    "sum": {"reduction": "sum", "optimizer": gn.SGD(0.002)},
    "in order": {"shuffle": False},
    "l1": {"l1": 0.01},
    "l2": {"l2": 0.1},
    "l2 of a sum": {"l2": 0.1, "reduction": "sum", "optimizer": gn.SGD(0.002)},
    "max_norm": {"max_norm": 0.7},
    "clip_norm": {"optimizer": gn.SGD(0.1, clip_norm=0.05)},
    "clip_value": {"optimizer": gn.SGD(0.1, clip_value=0.01)},
    "everything": {
        "l1": 0.01,
        "l2": 0.1,
        "max_norm": 0.7,
        "optimizer": gn.AdamW(gn.Cosine(0.02, steps=20, final=0.001), clip_norm=0.5, clip_value=0.2),
    },
    "nesterov": {"optimizer": gn.SGD(0.02, nesterov=True)},
    "centered": {"optimizer": gn.RMSprop(0.01, centered=True, momentum=0.5)},
    "epsilon_hat": {"optimizer": gn.Adam(0.01, epsilon_hat=True)},
    "by update": {"optimizer": gn.SGD(gn.InverseScaling(0.1))},
    "used up within an epoch": {"optimizer": gn.SGD(gn.WarmUp(gn.Cosine(0.1, steps=11), 3))},
    "by epoch": {"optimizer": gn.SGD(gn.Step(0.1, every=1, factor=0.5, per="iteration"))},
    "adaptive": {"optimizer": gn.SGD(gn.Adaptive(0.5, tolerance=0.05, patience=1)), "epochs": 12},
}


@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # a rate of 0.5 is too large
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize(
    ("sizes", "weighted"), [((5, 7, 2), False), ((40, 9, 17, 3), True)], ids=["plain", "weighted"]
)
@both_dtypes
def test_every_option_equals_the_reference(make_data, options, weighted, sizes, dtype):
    network = gn.Network(sizes, hidden="tanh")
    w = RandomState(0).randint(0, 3, 61) * 0.5 if weighted else None
    data = make_data(network, 61, labels=True)
    assert_engines_agree(network, data, dtype, sample_weight=w, **options)


@every_network
@both_dtypes
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_batch_of_weight_zero_has_no_loss_and_moves_nothing(make_data, network, dtype, reduction):
    """Plain descent then stands still; in order, so that whole batches have no weight."""
    X, y = make_data(network, 24, labels=True)
    w = np.repeat([1.0, 0.0, 2.0], 8)
    settings = {"shuffle": False, "optimizer": gn.SGD(0.01, 0.0), "reduction": reduction}
    run = assert_engines_agree(network, (X, y), dtype, sample_weight=w, **settings)
    kept = w > 0
    without = train(network, (X[kept], y[kept]), dtype=dtype, sample_weight=w[kept], **settings)
    assert run.parameters == without.parameters
    np.testing.assert_allclose(
        run.losses, without.losses * 2 / 3, rtol=1e-6 if dtype == np.float32 else 1e-13
    )


@both_engines
def test_all_weights_zero_is_refused_or_stands_still(make_data, engine):
    network = gn.Network((2, 3, 2))
    with pytest.raises(gn.InputError, match="sample_weight"):
        train(network, make_data(network, 9, labels=True), sample_weight=np.zeros(9), engine=engine)


@pytest.mark.parametrize(("dtype", "labels"), [(np.float64, True), (np.float32, False)])
def test_batches_of_several_blocks_equal_the_reference(make_data, dtype, labels):
    """A batch whose panels leave the cache is taken in blocks, whose gradients are added up."""
    for sizes in ((3, 4, 2), (40, 70, 40, 5)):
        network = gn.Network(sizes, hidden="tanh")
        data = make_data(network, 5003, labels=labels)
        w = RandomState(1).uniform(0, 2, 5003)
        for batch_size in (513, 2049, 5003):
            settings = {"batch_size": batch_size, "sample_weight": w, "l2": 0.01, "threads": 3}
            assert_engines_agree(network, data, dtype, 2, optimizer=gn.SGD(0.1, clip_norm=1.0), **settings)


@both_engines
@both_dtypes
def test_losses_are_the_means_over_an_epochs_batches_before_their_updates(make_data, engine, dtype):
    """Written out: orders from the stream, a mean over each batch's weights, the mean over samples."""
    network, n, size = gn.Network((4, 6, 3), hidden="tanh"), 50, 16
    X, y = make_data(network, n, labels=True)
    w = RandomState(5).uniform(0, 2, n)
    random = RandomState(11)
    theta = network.initialize(random, dtype=dtype)
    V, order, losses = np.zeros_like(theta.flat), np.arange(n), []
    for _ in range(3):
        random.shuffle(order)
        total = 0.0
        for start in range(0, n, size):
            rows = order[start : start + size]
            loss, g = gn.loss_and_gradient(network, theta, X[rows], y[rows], sample_weight=w[rows])
            total += loss * len(rows)
            V = dtype(0.9) * V - dtype(0.1) * g.flat
            theta = gn.Parameters(network.sizes, theta.flat + V)
        losses.append(total / n)
    run = gn.train(
        network,
        X,
        y,
        sample_weight=w,
        batch_size=size,
        iterations=3,
        optimizer=gn.SGD(0.1, 0.9),
        random_state=11,
        dtype=dtype,
        engine=engine,
    )
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(run.losses, losses, rtol=tolerance)
    np.testing.assert_allclose(run.parameters.flat, theta.flat, rtol=tolerance, atol=tolerance)
    assert run.cursor.random.randint(2**31) == random.randint(2**31)


@both_engines
def test_one_whole_batch_in_order_is_the_full_batch(make_data, engine):
    network = gn.Network((4, 6, 3))
    data = make_data(network, 50)
    whole = gn.train(network, *data, iterations=5, random_state=3, optimizer=gn.Adam(), engine=engine)
    run = train(network, data, 5, batch_size=50, shuffle=False, optimizer=gn.Adam(), engine=engine)
    np.testing.assert_allclose(run.losses, whole.losses[:-1], rtol=1e-13)
    np.testing.assert_allclose(run.parameters.flat, whole.parameters.flat, rtol=1e-11, atol=1e-13)


# ---- scikit-learn and PyTorch ---------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "sgd", "sgd, nesterov"])
@pytest.mark.parametrize(("n", "alpha"), [(317, 0.0), (320, 0.5)])
@both_engines
def test_epochs_are_scikit_learns(make_data, engine, solver, n, alpha):
    """The same start, orders, updates and losses.

    Its penalty is alpha/2 sum W^2 over the samples of the batch, ours does not ask how many those
    are: the same for l2 = alpha / batch_size where no batch is short, and for alpha = 0.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    sizes, batch_size, epochs = (12, 20, 9, 10), 40, 6
    network = gn.Network(sizes, hidden="relu")
    X, _ = make_data(network, n)
    y = np.arange(n) % 10
    settings, ours = {"solver": solver.split(",")[0]}, gn.Adam(0.005, epsilon_hat=True)
    if solver != "adam":
        settings["nesterovs_momentum"] = "nesterov" in solver
        ours = gn.SGD(0.005, 0.9, nesterov="nesterov" in solver)
    theirs = MLPClassifier(
        sizes[1:-1],
        **settings,
        alpha=alpha,
        batch_size=batch_size,
        learning_rate_init=0.005,
        max_iter=epochs,
        random_state=4,
        tol=0.0,
        n_iter_no_change=epochs + 1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        theirs.fit(X, y)
    run = gn.train(
        network,
        X,
        y,
        optimizer=ours,
        iterations=epochs,
        batch_size=batch_size,
        scheme="sklearn",
        random_state=4,
        l2=alpha / batch_size,
        engine=engine,
    )
    np.testing.assert_allclose(run.losses, theirs.loss_curve_, rtol=1e-9)
    for layer, (W, b) in enumerate(zip(theirs.coefs_, theirs.intercepts_, strict=True)):
        np.testing.assert_allclose(run.parameters.weights[layer], W, atol=1e-7)
        np.testing.assert_allclose(run.parameters.biases[layer], b, atol=1e-7)


@both_engines
@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_updates_are_pytorchs(make_data, engine, name):
    torch = pytest.importorskip("torch")
    network, n, size = gn.Network((5, 8, 4), hidden="tanh"), 70, 16
    X, y = make_data(network, n, labels=True)
    random = RandomState(2)
    theta = network.initialize(random)
    flat = torch.tensor(theta.flat, requires_grad=True)
    theirs = {
        "SGD": lambda: torch.optim.SGD([flat], lr=0.05, momentum=0.9),
        "Adam": lambda: torch.optim.Adam([flat], lr=0.05),
    }[name]()
    order, losses = np.arange(n), []
    for _ in range(4):
        random.shuffle(order)
        total = 0.0
        for start in range(0, n, size):
            rows = order[start : start + size].astype(np.int64)
            theirs.zero_grad()
            (W1, b1), (W2, b2) = [
                (flat[:40].view(5, 8), flat[40:48]),
                (flat[48:80].view(8, 4), flat[80:84]),
            ]
            Z = torch.tanh(torch.tensor(X[rows]) @ W1 + b1) @ W2 + b2
            loss = torch.nn.functional.cross_entropy(Z, torch.tensor(y[rows]))
            loss.backward()
            theirs.step()
            total += float(loss.detach()) * len(rows)
        losses.append(total / n)
    ours = getattr(gn, name)(0.05)
    run = gn.train(
        network, X, y, optimizer=ours, iterations=4, batch_size=size, random_state=2, engine=engine
    )
    np.testing.assert_allclose(run.losses, losses, rtol=1e-11)
    np.testing.assert_allclose(run.parameters.flat, flat.detach().numpy(), rtol=1e-9, atol=1e-11)


# ---- NumPy's stream -------------------------------------------------------------------------------


def epochs(batches, flat, cursor, count, seconds=np.inf):
    """A call of so many epochs of plain descent that hardly moves anything."""
    updates = Updates(gn.SGD(), np.array([1e-9]), 1, np.zeros(1, np.uint8), seconds)
    return batches.train(flat, np.zeros((1, flat.size)), np.zeros(count), cursor, updates)


def epoch_orders(engine, n, random, count, threads):
    """The orders of the first epochs, None for one that a call did not end with."""
    data = as_dataset(np.zeros((n, 1)), np.zeros(n, int))
    settings = ProblemSettings(1000, engine=engine, threads=threads)
    batches = prepare_problem(gn.Network((1, 2)), data, settings)
    cursor, orders = batches.begin(random, np.inf), []
    while len(orders) < count:
        made = epochs(batches, np.zeros(4), cursor, 2).epochs
        orders += [None] * (made - 1) + [cursor.order.copy()]
    cursor.settle()
    return orders


STREAMS = {
    "seed": lambda: RandomState(42),
    "used": lambda: mid_stream(7),
    "at the end of its words": lambda: mid_stream(624),
    "one word left": lambda: mid_stream(623),
    "half a normal": lambda: mid_stream(0, normals=1),
}


def mid_stream(words, normals=0):
    random = RandomState(1)
    random.random_sample(312)  # two words each
    if words < 624:
        random.random_sample(312)
        random.set_state(("MT19937", random.get_state()[1], words))
    random.standard_normal(normals)
    return random


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
@pytest.mark.parametrize(("engine", "threads"), [("numpy", 1), ("native", 1), ("native", 2)])
def test_orders_are_numpys_and_leave_the_stream_where_numpy_would(engine, threads, stream):
    for n in (1, 2, 3, 255, 256, 257, 1000, 4096, 5001):
        expected, order = stream(), np.arange(n)
        random = stream()
        orders = epoch_orders(engine, n, random, 4, threads)
        for epoch in range(4):
            expected.shuffle(order)
            if orders[epoch] is not None:
                assert np.array_equal(orders[epoch], order)
        ours, theirs = random.get_state(), expected.get_state()
        assert np.array_equal(ours[1], theirs[1])
        assert ours[2:] == theirs[2:]
        assert np.array_equal(random.standard_normal(3), expected.standard_normal(3))


@both_engines
def test_stream_given_moves_on_and_the_runs_own_goes_its_way(make_data, engine):
    network = gn.Network((2, 3, 2))
    data = make_data(network, 30, labels=True)
    random, expected = RandomState(8), RandomState(8)
    run = train(network, data, 2, random_state=random, engine=engine)
    network.initialize(expected)
    order = np.arange(30)
    for _ in range(2):
        expected.shuffle(order)
    assert np.array_equal(run.cursor.order, order)
    again = expected.randint(2**31)
    assert random.randint(2**31) == again
    assert run.cursor.random.randint(2**31) == again  # a copy: the draw above did not move it


@both_engines
def test_no_shuffling_draws_nothing_more(make_data, engine):
    network = gn.Network((2, 3, 2))
    random, expected = RandomState(8), RandomState(8)
    run = train(network, make_data(network, 30), random_state=random, shuffle=False, engine=engine)
    network.initialize(expected)
    assert random.randint(2**31) == expected.randint(2**31)
    assert (run.cursor.order, run.cursor.random) == (None, None)


def test_stream_of_another_generator_is_drawn_by_numpy(make_data, tmp_path):
    network = gn.Network((2, 3, 2))
    data = make_data(network, 300, labels=True)
    runs = {}
    for engine in ("numpy", "native"):
        random = RandomState(PCG64(5))
        runs[engine] = train(network, data, 6, random_state=random, engine=engine)
        expected = RandomState(PCG64(5))
        network.initialize(expected)
        order = np.arange(300)
        for _ in range(6):
            expected.shuffle(order)
        assert np.array_equal(runs[engine].cursor.order, order)
        assert random.randint(2**31) == expected.randint(2**31)
        first = train(network, data, 2, random_state=RandomState(PCG64(5)), engine=engine)
        for _ in range(2):  # the first resumption leaves the run as it is
            resumed = first.resume(4)
            assert np.array_equal(resumed.losses, runs[engine].losses)
            assert resumed.parameters == runs[engine].parameters
    assert_close(runs["native"], runs["numpy"], 1e-11)
    with pytest.raises(gn.InputError, match="draws from PCG64; files hold the state of"):
        gn.save(runs["native"], tmp_path / "run.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_numpys_global_stream_is_left_alone(make_data):
    network = gn.Network((2, 3, 2))
    np.random.seed(0)
    before = np.random.get_state()
    train(network, make_data(network, 30), random_state=None)
    after = np.random.get_state()
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


# ---- The same bits --------------------------------------------------------------------------------

# batch * (6 * parameters + 60 * units) is above 1.5e6, from where on several threads are used.
SHARED = {
    "two classes": (gn.Network((17, 40, 2)), 257, {}),
    "classes": (gn.Network((20, 33, 5), hidden="relu"), 300, {"l1": 1e-3, "l2": 1e-2}),
    "blocks": (gn.Network((20, 33, 5), hidden="gelu"), 1301, {"optimizer": gn.Adam(clip_norm=0.5)}),
    "deep": (
        gn.Network((30, 40, 17, 40), hidden=["tanh", "silu"], output="identity"),
        200,
        {"max_norm": 0.9, "optimizer": gn.SGD(gn.Cosine(0.01, steps=20), clip_value=0.1)},
    ),
    "no hidden layer": (gn.Network((300, 40), output="logistic"), 64, {"optimizer": gn.AdamW()}),
    "in order": (gn.Network((17, 40, 3)), 700, {"shuffle": False, "l2": 0.1, "max_norm": 1.0}),
    "alone": (gn.Network((2, 3, 2)), 32, {}),  # the next order is drawn beside the training
}
every_shared = pytest.mark.parametrize(("network", "batch_size", "options"), SHARED.values(), ids=SHARED)


def shared_data(network, batch_size, make_data):
    n = 4500 if batch_size == 32 else 2 * batch_size + 37
    return make_data(network, n, labels=True), {"sample_weight": RandomState(0).uniform(0, 2, n)}


@every_shared
@both_dtypes
def test_threads_do_not_change_a_bit(make_data, network, batch_size, options, dtype):
    data, weights = shared_data(network, batch_size, make_data)
    for more in ({}, weights):
        settings = {"batch_size": batch_size, "dtype": dtype, "engine": "native", **options, **more}
        runs = {n: train(network, data, threads=n, **settings) for n in (1, 2, 3, 7)}
        assert len({b"".join(bits(run)) for run in runs.values()}) == 1
        assert runs[7].threads == 7


@every_shared
@both_dtypes
def test_instruction_sets_do_not_change_a_bit(monkeypatch, make_data, network, batch_size, options, dtype):
    data, weights = shared_data(network, batch_size, make_data)
    found = {}
    for isa in native.module.isas():
        monkeypatch.setenv("GLASSNET_ISA", isa)
        settings = {"batch_size": batch_size, "dtype": dtype, "engine": "native", "threads": 2, **options}
        run = train(network, data, 2, **settings, **weights)
        assert run.data.problem.isa == isa
        found[isa] = b"".join(bits(run))
    assert len(set(found.values())) == 1


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        *((kind, EVERY_LOSS[place % len(EVERY_LOSS)]) for place, kind in enumerate(gn.OPTIMIZERS.values())),
        *((gn.SGD, loss) for loss in EVERY_LOSS),
    ],
)
def test_instruction_sets_and_threads_agree_for_every_rule_and_loss(monkeypatch, make_data, kind, loss):
    network = gn.Network((9, 17, 7, 3), hidden=["tanh", "gelu"], output=loss.output, loss=loss)
    data = make_data(network, 411, seed=2)
    for dtype in (np.float32, np.float64):
        found = set()
        for isa in native.module.isas():
            monkeypatch.setenv("GLASSNET_ISA", isa)
            threads = 1 + len(found)
            run = train(
                network, data, 1, batch_size=400, optimizer=rule(kind), dtype=dtype, threads=threads
            )
            assert run.engine == "native"
            found.add(b"".join(bits(run)))
        assert len(found) == 1


def test_work_enough_for_several_threads_is_given_to_them(make_data):
    """Or the tests of threads would show nothing."""
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("this system does not list a process's threads")
    before = len(list(tasks.iterdir()))
    for network, batch_size, _ in SHARED.values():
        (X, y), _ = shared_data(network, batch_size, make_data)
        expected = 2 if batch_size == 32 else 3  # the worker is the first of its team
        most, done = 0, threading.Event()

        def work(network=network, batch_size=batch_size, X=X, y=y, done=done):
            while not done.is_set():  # made anew: one that met others in its way stays alone for a while
                batches = prepare_problem(
                    network, as_dataset(X, y), ProblemSettings(batch_size, engine="native", threads=3)
                )
                cursor, flat = batches.begin(RandomState(0), np.inf), network.initialize(0).flat
                epochs(batches, flat, cursor, 10**5, seconds=0.1)

        worker = threading.Thread(target=work)
        worker.start()
        deadline = time.monotonic() + 30
        while most < expected and time.monotonic() < deadline:
            most = max(most, len(list(tasks.iterdir())) - before)
        done.set()
        worker.join()
        assert most == expected, network
        while len(list(tasks.iterdir())) > before and time.monotonic() < deadline:
            time.sleep(0.001)  # a thread takes a moment to go


# ---- Data of any make -----------------------------------------------------------------------------

LAYOUTS = {
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 3, axis=0)[::3],
    "reversed": lambda a: a[::-1].copy()[::-1],
    "columns of more": lambda a: np.hstack([a, a])[:, : a.shape[1]] if a.ndim == 2 else a,
    "float32": lambda a: a.astype(np.float32),
    "int8": lambda a: a.astype(np.int8),
    "big-endian": lambda a: a.astype(">f8") if a.ndim == 2 else a.astype(">i4"),
    "list": lambda a: a.tolist(),
    "read-only": lambda a: np.frombuffer(a.tobytes(), a.dtype).reshape(a.shape),
}


@pytest.mark.parametrize("make", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("labels", [True, False], ids=["numbers", "rows"])
@both_engines
def test_layout_of_the_data_does_not_matter(engine, make, labels):
    """Whole numbers, which every type holds."""
    random = RandomState(0)
    X = random.randint(-9, 9, (70, 4)).astype(np.float64)
    y = random.randint(0, 3, 70)
    network = gn.Network((4, 6, 3))
    if not labels:
        network, y = gn.Network((4, 6, 3), output="identity"), random.randint(-9, 9, (70, 3)).astype(float)
    w = random.randint(1, 4, 70).astype(float)
    settings = {"engine": engine, "dtype": np.float64}
    expected = train(network, (X, y), sample_weight=w, **settings)
    given_w = make(w) if make is not LAYOUTS["big-endian"] else w.astype(">f8")
    target = make(y) if y.ndim == 2 or make is not LAYOUTS["float32"] else y.astype(np.int16)
    given_ones = make(X), target, given_w
    before = [np.array(one) for one in given_ones]
    run = train(network, given_ones[:2], sample_weight=given_ones[2], **settings)
    assert bits(run) == bits(expected)
    assert all(np.array_equal(one, kept) for one, kept in zip(given_ones, before, strict=True))


def test_run_does_not_hang_on_arrays_that_change_later(make_data):
    """Only the native engine promises it, as for the full batch."""
    network = gn.Network((4, 6, 3))
    X, y = make_data(network, 50, labels=True)
    expected = train(network, (X, y), 4, engine="native")
    run = train(network, (X, y), 2, engine="native")
    X[:], y[:] = 0, 0
    assert bits(run.resume(2)) == bits(expected)


# ---- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch_size", "error", "message"),
    [
        (0, gn.InputError, "batch_size is 0; expected 1 or more"),
        (-1, gn.InputError, "batch_size is -1"),
        (32.0, gn.InputTypeError, r"batch_size is a whole number, not 32\.0"),
        (True, gn.InputTypeError, "batch_size is a whole number, not True"),
        ("32", gn.InputTypeError, "batch_size is a whole number, not '32'"),
        (np.nan, gn.InputTypeError, "batch_size is a whole number, not nan"),
        ([32], gn.InputTypeError, r"batch_size is a whole number, not \[32\]"),
    ],
)
@both_engines
def test_batch_size_that_is_none_is_refused(make_data, engine, batch_size, error, message):
    network = gn.Network((2, 3, 2))
    with pytest.raises(error, match=message):
        train(network, make_data(network, 9), batch_size=batch_size, engine=engine)


@both_engines
@pytest.mark.parametrize("batch_size", [np.int64(7), np.uint8(7), 10**30])
def test_batch_size_may_be_numpys_and_of_any_size(make_data, engine, batch_size):
    network = gn.Network((2, 3, 2))
    data = make_data(network, 9)
    run = train(network, data, batch_size=batch_size, engine=engine)
    assert bits(run) == bits(train(network, data, batch_size=min(int(batch_size), 9), engine=engine))
    assert type(run.batch_size) is int


@both_engines
def test_no_samples_are_refused(engine):
    with pytest.raises(gn.InputError):
        train(gn.Network((2, 3, 2)), (np.empty((0, 2)), np.empty(0, int)), engine=engine)


@both_engines
def test_bad_value_is_named_and_draws_no_random_numbers(make_data, engine):
    network, random = gn.Network((2, 3, 2)), RandomState(7)
    X, y = make_data(network, 30)
    X[17, 1] = np.nan
    with pytest.raises(gn.InputError, match="row 17, column 1"):
        train(network, (X, y), random_state=random, engine=engine)
    assert random.randint(1000) == RandomState(7).randint(1000)


@both_engines
def test_first_loss_that_is_not_finite_is_refused(engine):
    network = gn.Network((1, 1), output="identity")
    with pytest.raises(gn.InputError, match=r"loss is inf before the first update.*standardize"):
        train(network, ([[1e200]], [0.0]), parameters=[1.0, 0.0], engine=engine)


def test_arguments_that_do_not_fit_are_refused_and_nothing_is_written():
    X, y = np.ones((4, 2)), np.array([0, 1, 2, 0])
    batches = native.module.Batches64(
        sizes=[2, 3], hidden=[], loss="cross_entropy", n_samples=4, labels=True, weighted=False, isa=""
    )
    batches.put(0, X, y, None)
    prepared = prepare_problem(gn.Network((2, 3)), as_dataset(X, y), ProblemSettings(2, engine="native"))
    prepared._batches = Recorder(batches)
    flat = np.zeros(9)
    cursor = prepared.begin(RandomState(0), 1e9)
    updates = Updates(gn.SGD(), np.array([0.1]), 1, np.zeros(1, np.uint8), 1.0)
    prepared.train(flat, np.zeros((1, 9)), np.zeros(1), cursor, updates)
    good = prepared._batches.arguments
    frozen = np.zeros(9)
    frozen.flags.writeable = False
    bad_ones = {
        0: [np.zeros(8), np.zeros(9, np.float32), frozen, np.zeros(18)[::2], None],
        1: [np.zeros((2, 9)), np.zeros((1, 8)), np.zeros(9)],
        2: [np.zeros(10), frozen],
        3: [np.zeros(1, np.float32), np.zeros((1, 1))],
        5: [np.zeros(0), np.zeros(1, np.float32)],
        6: [np.arange(3, dtype=np.uint32), np.arange(4), None, np.array([0, 1, 2, 4], np.uint32)],
        7: [np.zeros(623, np.uint32), np.zeros(624)],
        8: [np.zeros(2, np.int64), np.zeros(1), np.array([-1]), np.array([625])],
        9: [np.array([4, 0]), np.array([-1, 0]), np.array([0]), np.array([0.0, 0.0])],
        10: [np.zeros(0), np.zeros(2)],
        11: [0, -1, None],
        14: [np.zeros(2, np.uint8), np.zeros(1)],
    }
    for place, values in bad_ones.items():
        for value in values:
            arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in good]
            arguments[place] = value
            kept = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
            with pytest.raises((TypeError, ValueError)):
                batches.train(*arguments)
            for one, other in zip(arguments, kept, strict=True):
                assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one is other
    # No epoch at all draws no order either.
    none = [*good[:3], np.zeros(0), *good[4:]]
    kept = [a.copy() if isinstance(a, np.ndarray) else a for a in none]
    assert batches.train(*none) == (0, False)
    for one, other in zip(none, kept, strict=True):
        assert np.array_equal(one, other) if isinstance(one, np.ndarray) else one is other
    batches.train(*good)


class Recorder:
    """Keeps what the native `train` is called with."""

    def __init__(self, batches):
        self._batches = batches

    def train(self, *arguments):
        self.arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
        return self._batches.train(*arguments)


# ---- Threads --------------------------------------------------------------------------------------


def test_many_python_threads_at_once_compute_the_same_bits(make_data):
    """Half of them on data that they share, from a run of their own each."""
    jobs = [SHARED["two classes"], SHARED["alone"]]
    data = [make_data(network, 4200, labels=True) for network, _, _ in jobs]
    starts = [
        train(network, some, 0, batch_size=size, engine="native", threads=2)
        for (network, size, _), some in zip(jobs, data, strict=True)
    ]
    expected = [
        bits(train(network, some, 4, batch_size=size, engine="native", threads=1))
        for (network, size, _), some in zip(jobs, data, strict=True)
    ]
    together = threading.Barrier(8)
    results = [None] * 8

    def work(i):
        network, size, _ = jobs[i % 2]
        together.wait()
        if i < 4:
            run = starts[i % 2].resume(4)
        else:
            run = train(network, data[i % 2], 4, batch_size=size, engine="native", threads=1 + i % 3)
        results[i] = bits(run) == expected[i % 2]

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert results == [True] * 8


# ---- Properties -----------------------------------------------------------------------------------


@both_engines
@settings(max_examples=15)
@given(
    n=st.integers(1, 60), seed=st.integers(0, 99), sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3)
)
def test_weight_two_equals_a_duplicate_in_a_whole_batch(engine, n, seed, sizes):
    network = gn.Network((*sizes, 2), hidden="tanh")
    random = RandomState(seed)
    X, y, w = random.randn(n, sizes[0]), random.randint(0, 2, n), random.randint(0, 3, n)
    w[0] = 1
    rows = np.repeat(np.arange(n), w)
    options = {"reduction": "sum", "optimizer": gn.SGD(0.1 / n, 0.5), "batch_size": 10**6, "engine": engine}
    weighted = train(network, (X, y), 4, sample_weight=w, **options)
    repeated = train(network, (X[rows], y[rows]), 4, **options)
    np.testing.assert_allclose(weighted.losses, repeated.losses, rtol=1e-10)
    np.testing.assert_allclose(weighted.parameters.flat, repeated.parameters.flat, rtol=1e-8, atol=1e-10)


@both_dtypes
@settings(max_examples=40)
@given(
    n=st.integers(1, 300),
    batch_size=st.integers(1, 320),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    outputs=st.integers(2, 9),
    seed=st.integers(0, 99),
    weighted=st.booleans(),
    shuffle=st.booleans(),
)
def test_engines_agree_on_any_shape(dtype, n, batch_size, sizes, outputs, seed, weighted, shuffle):
    network = gn.Network((*sizes, outputs), hidden="tanh")
    random = RandomState(seed)
    data = random.randn(n, sizes[0]), random.randint(0, outputs, n)
    w = random.randint(0, 3, n) + (np.arange(n) == 0) if weighted else None
    options = {"batch_size": batch_size, "sample_weight": w, "shuffle": shuffle, "random_state": seed}
    assert_engines_agree(network, data, dtype, epochs=2, **options)
