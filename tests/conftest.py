import importlib.util
import json
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import glassnet as gn
from glassnet.nn.losses import loss_from_plain

# The same examples each time, and no deadline: a slow machine is not a fault.
settings.register_profile("glassnet", deadline=None, derandomize=True, database=None)
settings.load_profile("glassnet")

# A shell that starts a job in the background has it ignore Ctrl-C, which its children would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def circles():
    """The notebook's own run as published: its draws, its 50,001 losses, what it learned."""
    with np.load(DATA / "circles_50k.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def circles_start(circles):
    """The notebook's first parameters, flat."""
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    return np.concatenate([circles[f"initial_{name}"].ravel() for name in names])


@pytest.fixture(scope="session")
def circles_data():
    """The notebook's 50,000 points, and the random stream where the data left it."""
    from sklearn.datasets import make_circles

    random = np.random.RandomState(42)
    X, y = make_circles(n_samples=50_000, shuffle=True, factor=0.1, noise=0.1, random_state=random)
    return X, y, random.get_state()


@pytest.fixture(scope="session")
def torch_rules():
    """The module of rules that PyTorch's steps were recorded by, and the record."""
    path = DATA / "make_torch_rules.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, json.loads(module.FILE.read_text("utf-8"))


@pytest.fixture
def handler():
    """Python's own handler of Ctrl-C during the test; whatever pytest had comes back."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield signal.default_int_handler
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(params=["numpy", "native"])
def engine(request):
    """Either engine. Where the native one is missing its tests fail: an untested engine is no engine."""
    return request.param


def draw_data(network, n, seed=0, labels=False):
    """Samples and targets of the kind that a network's loss takes; `labels`: as class numbers."""
    random = np.random.RandomState(seed)
    X = random.randn(n, network.sizes[0])
    shape = n, network.sizes[-1]
    if network.loss.target == "class":
        if labels:
            return X, random.randint(0, shape[1], n)
        rows = random.uniform(0.1, 1, shape)
        return X, rows / rows.sum(axis=1, keepdims=True)
    if network.loss.target == "nonnegative":
        return X, random.poisson(2, shape).astype(float)
    if network.loss.target in ("label", "signed"):
        return X, random.uniform(0 if network.loss.target == "label" else -1, 1, shape)
    return X, random.randn(*shape)


@pytest.fixture(scope="session")
def make_data():
    """`make_data(network, n, seed=0, labels=False)` draws X and y that fit a network."""
    return draw_data


def network_for_loss(sizes, hidden, loss):
    """A network whose output is the one that the loss belongs to."""
    return gn.Network(sizes, hidden=hidden, output=loss_from_plain(loss).output, loss=loss)


@pytest.fixture(scope="session")
def make_network():
    """`make_network(sizes, hidden, loss)`, the output following from the loss."""
    return network_for_loss


@pytest.fixture(scope="session")
def two_workers():
    """A client of two worker processes of one thread each; one that is killed starts anew."""
    import dask
    import distributed

    settings = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    # Dask tries for half a minute to reach who does not answer; both processes read this.
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
        distributed.LocalCluster(**settings) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def wait_for_end():
    """`wait_for_end(pid)` waits for the end of a process that was killed."""

    def wait(pid):
        deadline = time.monotonic() + 5
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    return wait
