"""How cases are registered, and the tasks and records that they share."""

import contextlib
import functools
import itertools
import tempfile
from pathlib import Path

import numpy as np

import glassnet as gn

CASES = {}
"""Every case by name: a function without arguments that returns arrays, numbers and texts, nested."""

BY_NUMPY_ALONE = set()
"""The cases whose numbers come from NumPy's functions or BLAS: none is portable, whatever a probe says."""


def case(name, *axes, by_numpy=False):
    """Register a function under `name`, or under a name for each combination of the axes' values.

    The function gets the values; each is text, a number or a key of a registry, and goes into the name.
    With `by_numpy` the cases join `BY_NUMPY_ALONE`: all of them (True), or those with this last value.
    """

    def register(function):
        for values in itertools.product(*axes):
            full = "/".join([name, *map(str, values)])
            if full in CASES:
                raise ValueError(f"There are two cases {full}.")
            CASES[full] = functools.partial(function, *values)
            if by_numpy is True or (values and values[-1] == by_numpy):
                BY_NUMPY_ALONE.add(full)
        return function

    return register


def cases(name, functions, by_numpy=False):
    """Register a table of functions without arguments."""
    case(name, functions, by_numpy=by_numpy)(lambda key: functions[key]())


def runs(name, settings, job=None, **shared):
    """Register a run for each entry of a table of settings, of which "job" may be one."""

    def run(key):
        return tell(**{"job": job or task(), **shared, **settings[key]})

    case(name, settings)(run)


# ---- Tasks ------------------------------------------------------------------------------------------


def inputs(n, width, seed=0):
    """Rounded normal numbers, the same on every machine."""
    return np.round(np.random.RandomState(seed).randn(n, width), 2)


def classes_of(X, count=3):
    """Class numbers that depend on X, by sums and comparisons alone."""
    score = X[:, 0] + X[:, -1] * X[:, -1] - 0.5 * X[:, X.shape[1] // 2]
    return sum((score > edge).astype(int) for edge in np.linspace(-0.2, 1.6, count)[1:] - 0.3)


def values_of(X, width=1):
    """Targets that depend on X, rounded."""
    columns = [X[:, k % X.shape[1]] - 0.5 * X[:, (k + 1) % X.shape[1]] ** 2 for k in range(width)]
    return np.round(np.stack(columns, axis=1), 3)


def targets_of(X, network):
    """Targets of the kind that a network's loss takes."""
    width = network.sizes[-1]
    if network.loss.target == "class":
        return classes_of(X, width)
    values = values_of(X, width)
    if network.loss.target == "nonnegative":
        return np.floor(np.abs(values))
    return (values > 0).astype(float) if network.loss.target == "label" else values


def task(hidden=(6,), activation="tanh", n=150, outputs=3, output="softmax", loss=None, width=4):
    """A network and data for it: the first arguments of `gn.train`."""
    network = gn.Network((width, *hidden, outputs), hidden=activation, output=output, loss=loss)
    X = inputs(n, width)
    return network, X, targets_of(X, network)


def regression(**changes):
    """A task with values to predict."""
    return task(**{"outputs": 1, "output": "identity", **changes})


def with_data(job):
    """The data of a task, as `resume` takes them."""
    return {"X": job[1], "y": job[2]}


def held_out(*more):
    """Samples that no task trains on."""
    X = inputs(60, 4, seed=9)
    return X, classes_of(X), *more


WEIGHTS = np.arange(150) % 5 * 0.25 + 0.25

KINDS = {
    "classes": task(hidden=(4,)),
    "values": regression(hidden=(5,)),
    "labels": task(hidden=(3,), outputs=2, output="logistic"),
    "counts": task(hidden=(3,), outputs=1, output="exp"),
}
"""A task for each kind of target."""

LOSSES = {
    **{name: (name, gn.LOSSES[name].output) for name in gn.LOSSES},
    "label-smoothing": ({"name": "cross_entropy", "label_smoothing": 0.1}, "softmax"),
    "huber-half": ({"name": "huber", "delta": 0.5}, "identity"),
    "quantile-0.9": ({"name": "quantile", "level": 0.9}, "identity"),
}
"""A loss and its output, with settings other than the defaults too."""


def task_of(name, **changes):
    """A task with a loss of `LOSSES`."""
    loss, output = LOSSES[name]
    return task(loss=loss, output=output, **changes)


# ---- Runs -------------------------------------------------------------------------------------------


def trained(job, **settings):
    """The run of a task: by default 10 iterations by Adam from seed 1."""
    return gn.train(*job, **{"optimizer": gn.Adam(0.03), "iterations": 10, "random_state": 1, **settings})


def in_batches(way, size, epochs):
    """The settings of the ways "full" and "batches"."""
    return {"batch_size": size, "iterations": epochs} if way == "batches" else {}


def stop_at(iteration):
    """A callback that ends training there."""
    return lambda run: run.iterations == iteration


RUN = (
    "network", "optimizer", "parameters", "theta", "state", "updates", "losses", "iterations", "reduction",
    "status", "reason", "diverged_at", "dtype", "engine", "penalties", "heard", "batch_size", "dropout",
    "dropout_seed", "average", "averaged", "class_weight", "validation", "best_iteration", "evaluations",
    "evidence", "extra",
)  # fmt: skip
"""All that is documented of a run but times, threads and the data."""


def of_run(run, X=None):
    """What is documented of a run, and with X what it predicts."""
    numbers = {name: getattr(run, name) for name in RUN}
    for name in ("parameters", "theta", "averaged"):
        numbers[name] = None if numbers[name] is None else numbers[name].flat
    numbers |= {
        "network": repr(run.network),
        "optimizer": run.optimizer.to_dict(),
        "dtype": run.dtype.name,
        "penalties": [run.penalties.l1, run.penalties.l2, run.penalties.max_norm],
        "validation": [run.validation_iterations, run.validation_losses, run.validation_scores],
        "extra": dict(run.extra),
    }
    if X is not None:
        numbers["predictions"] = run.predict(X)
        if run.network.loss.target in ("class", "label"):
            numbers["probabilities"] = run.predict_proba(X)
    return numbers


def tell(job, X=None, **settings):
    """Train and return what is documented of the run."""
    return of_run(trained(job, **settings), X)


@contextlib.contextmanager
def folder():
    """A new folder that is removed afterward."""
    with tempfile.TemporaryDirectory(prefix="same_numbers_") as path:
        yield Path(path)


def saved_and_loaded(run):
    """The run from its file."""
    with folder() as here:
        gn.save(run, here / "model.safetensors")
        return gn.load(here / "model.safetensors")
