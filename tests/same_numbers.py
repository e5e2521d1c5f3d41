"""Numbers that have to stay the same to the bit while the insides of glassnet change.

Each case makes numbers through the public face alone: the names of ``glassnet.__all__``, what is documented
of their objects, and the command line. `digest` makes a short text of them. ``data/same_numbers.json`` has
the digests in two sections: "portable" ones, which every x86-64 processor and every BLAS gives, and those
that hold for one "machine", because NumPy's exp and BLAS's sums have a say in them. The tests compare the
portable ones; on one machine, before and after a change, compare them all:

    python tests/same_numbers.py --write before.json
    python tests/same_numbers.py --compare before.json

A case that differs is looked into with --show, before and after, which prints its numbers one by one. New
cases go into the data with ``--add tests/data/same_numbers.json``, which leaves the other digests alone and
finds out by itself which are portable. Where numbers are meant to change, delete their digests and --add.
"""

import argparse
import contextlib
import copy
import dataclasses
import functools
import hashlib
import io
import itertools
import json
import math
import os
import pickle
import runpy
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
import warnings
from pathlib import Path

import numpy as np

import glassnet as gn

DATA = Path(__file__).resolve().parent / "data"
EXPECTED = DATA / "same_numbers.json"
MODELS = DATA / "models"

CASES = {}
"""Every case by name: a function without arguments that gives arrays, numbers and texts, nested."""

BY_NUMPY_ALONE = set()
"""The cases whose numbers NumPy's functions or BLAS make: none is portable, whatever a probe finds."""


def case(name, *axes, by_numpy=False):
    """Register a function under `name`, or under a name for each combination of the axes' values.

    It is given the values; each is text, a number or a key of a registry, and goes into the name. With
    `by_numpy` they are among `BY_NUMPY_ALONE`: all of them, or those whose last value it is.
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


def compute(name):
    """The numbers of a case; what it warns of is no part of them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CASES[name]()


# ---- Digests --------------------------------------------------------------------------------------


def digest(value):
    """The SHA-256 of a nested structure: of arrays dtype, shape and bytes, of floats their 8 bytes.

    Lists and tuples are alike, as are NumPy's numbers and Python's of the same kind. All NaNs are one.
    """
    sha = hashlib.sha256()
    _feed(sha.update, value)
    return sha.hexdigest()


def _feed(update, value):
    if isinstance(value, np.generic) and value.dtype.kind in "biuUS" + "f" * (value.dtype == np.float64):
        value = value.item()
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.ascontiguousarray(value)
        if array.dtype.hasobject:
            array = np.asarray([str(one) for one in array.ravel()]).reshape(array.shape)
        if array.dtype.kind == "f":
            array = np.where(np.isnan(array), np.array(np.nan, array.dtype), array)
        update(f"array {array.dtype.str} {np.shape(value)};".encode())
        update(array.tobytes())
    elif isinstance(value, float):
        update(b"float " + struct.pack("<d", math.nan if math.isnan(value) else value))
    elif value is None or isinstance(value, (bool, int)):
        update(f"{type(value).__name__} {value};".encode())
    elif isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        update(f"{type(value).__name__} {len(data)};".encode() + data)
    elif isinstance(value, (list, tuple)):
        update(f"list {len(value)};".encode())
        for one in value:
            _feed(update, one)
    elif isinstance(value, dict):
        update(f"dict {len(value)};".encode())
        for key, one in value.items():
            _feed(update, key)
            _feed(update, one)
    else:
        raise TypeError(f"A case gave {type(value).__name__}: make arrays, numbers or text of it.")


def leaves(value, at=""):
    """Each array, number and text of a nested structure with its place, for people to compare."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from leaves(one, f"{at}.{key}")
    elif isinstance(value, (list, tuple)):
        for number, one in enumerate(value):
            yield from leaves(one, f"{at}[{number}]")
    elif isinstance(value, np.ndarray):
        few = ", ".join(repr(one.item()) for one in value.ravel()[:4])
        yield f"{at} {value.dtype} {value.shape} {digest(value)[:16]} [{few}{', ...' * (value.size > 4)}]"
    else:
        yield f"{at} {value!r}"


# ---- What cases are made of -----------------------------------------------------------------------


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
    if network.loss.target == "nonnegative":
        return np.floor(np.abs(values_of(X, width)))
    values = values_of(X, width)
    return (values > 0).astype(float) if network.loss.target == "label" else values


def task(hidden=(6,), activation="tanh", n=150, outputs=3, output="softmax", loss=None, width=4, seed=0):
    """A network with data for it: what `gn.train` takes first."""
    network = gn.Network((width, *hidden, outputs), hidden=activation, output=output, loss=loss)
    X = inputs(n, width, seed)
    return network, X, targets_of(X, network)


def regression(**how):
    """The same with values to predict."""
    return task(**{"outputs": 1, "output": "identity", **how})


def trained(job, **how):
    """The run of a task: 10 iterations by Adam from seed 1 unless told otherwise."""
    return gn.train(*job, **{"optimizer": gn.Adam(0.03), "iterations": 10, "random_state": 1, **how})


def of_run(run, X=None):
    """All that is documented of a run but times, cores and the data; with X what it predicts."""
    found = {
        "network": repr(run.network),
        "optimizer": run.optimizer.to_dict(),
        "parameters": run.parameters.flat,
        "theta": run.theta.flat,
        "state": run.state,
        "updates": run.updates,
        "losses": run.losses,
        "iterations": run.iterations,
        "reduction": run.reduction,
        "status": run.status,
        "reason": run.reason,
        "diverged_at": run.diverged_at,
        "dtype": run.dtype.name,
        "engine": run.engine,
        "penalties": [run.penalties.l1, run.penalties.l2, run.penalties.max_norm],
        "heard": run.heard,
        "batch_size": run.batch_size,
        "dropout": run.dropout,
        "dropout_seed": run.dropout_seed,
        "average": run.average,
        "averaged": None if run.averaged is None else run.averaged.flat,
        "class_weight": run.class_weight,
        "validation": [run.validation_iterations, run.validation_losses, run.validation_scores],
        "best_iteration": run.best_iteration,
        "evaluations": run.evaluations,
        "evidence": run.evidence,
        "extra": dict(run.extra),
    }
    if X is not None:
        found["predictions"] = run.predict(X)
        if run.network.loss.target in ("class", "label"):
            found["probabilities"] = run.predict_proba(X)
    return found


def of_table(rows, without=()):
    """A table's rows without the times; what is no number is told in words."""
    plain = (int, float, str, np.generic)
    return [
        {
            name: value if value is None or isinstance(value, plain) else repr(value)
            for name, value in row.items()
            if name != "seconds" and name not in without
        }
        for row in rows
    ]


def of_scale(result):
    """A sweep's losses of the best constant answer and of the perfect one."""
    shares = [[cell.share, cell.status] for cell in result.cells]
    return [result.baseline, result.floor, shares, [[cell.baseline, cell.floor] for cell in result.cells]]


def of_sweep(result):
    """All else that is documented of a sweep's result, without times and cores."""
    return {
        "table": of_table(result.table, ("share",)),
        "summary": of_table(result.summary),
        "compared_by": [result.compared_by, result.metric, result.sign, result.compared],
        "best": None if result.best is None else [result.best.label, result.best.verdict],
        "sizes": [result.iterations, result.n_samples, result.held_out],
        "cells": [[cell.label, cell.status, *cell.curve()] for cell in result.cells],
        "runs": [of_run(run) for run in result.runs],
    }


LEARNED = (
    "loss_", "best_loss_", "loss_curve_", "validation_scores_", "best_validation_score_", "history_",
    "n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "stopped_", "reason_",
    "evidence_", "mean_", "scale_",
)  # fmt: skip


def of_model(model, X=None, y=None, weights=None):
    """What an estimator has learned, and with X and y what it predicts and how well."""
    found = {"coefs": list(model.coefs_), "intercepts": list(model.intercepts_)}
    found |= {name: getattr(model, name) for name in LEARNED if hasattr(model, name)}
    if hasattr(model, "classes_"):
        found["classes"] = model.classes_
    if X is not None:
        found["predictions"] = model.predict(X)
        if hasattr(model, "predict_proba"):
            found["probabilities"] = model.predict_proba(X)
    if y is not None:
        found["score"] = model.score(X, y, weights)
    return found


@contextlib.contextmanager
def folder():
    """A new folder that is gone afterward."""
    with tempfile.TemporaryDirectory(prefix="same_numbers_") as path:
        yield Path(path)


def saved_and_loaded(run):
    """The run as a file keeps it."""
    with folder() as here:
        gn.save(run, here / "model.safetensors")
        return gn.load(here / "model.safetensors")


def stop_at(iteration):
    """A callback that ends training there."""
    return lambda run: run.iterations == iteration


# ---- Optimizers -----------------------------------------------------------------------------------

RATES = {"lion": 0.01, "adadelta": 1.0, "sgd": 0.1}


def rule_of(name, **settings):
    """An optimizer of a registry at a rate that moves."""
    return gn.OPTIMIZERS[name](RATES.get(name, 0.03), **settings)


@case("optimizer", gn.OPTIMIZERS, ("full", "batches"), ("float64", "float32"))
def _(name, way, dtype):
    batches = {"batch_size": 40, "iterations": 4} if way == "batches" else {"iterations": 15}
    job = task()
    return of_run(trained(job, optimizer=rule_of(name), dtype=dtype, **batches), job[1])


@case("optimizer-update", gn.OPTIMIZERS, ("float64", "float32"))
def _(name, dtype):
    rule = rule_of(name)
    random = np.random.RandomState(3)
    theta, gradient = (np.round(random.randn(7), 2).astype(dtype) for _ in range(2))
    state, is_weight = np.zeros((len(rule.state_names), 7), dtype), np.arange(7) < 5
    found = []
    for t in range(1, 4):
        theta, state = rule.update(theta, state, gradient, t, 0.1, is_weight)
        found.append([theta, state])
    return [found, rule.to_dict(), rule.state_names]


VARIANTS = {
    "nesterov": gn.SGD(0.1, momentum=0.8, nesterov=True),
    "plain": gn.SGD(0.1, momentum=0.0),
    "clip_norm": gn.SGD(0.3, clip_norm=0.05),
    "clip_value": gn.Adam(0.03, clip_value=0.01, clip_norm=0.02),
    "centered": gn.RMSprop(0.01, momentum=0.5, centered=True),
    "epsilon_hat": gn.Adam(0.03, epsilon=1e-3, epsilon_hat=True),
    "decay": gn.AdamW(0.03, weight_decay=0.2),
    "lion-decay": gn.Lion(0.01, weight_decay=0.2),
}


@case("optimizer-settings", VARIANTS, ("full", "batches"))
def _(name, way):
    batches = {"batch_size": 32, "iterations": 3} if way == "batches" else {"iterations": 12}
    return of_run(trained(task(), optimizer=VARIANTS[name], **batches))


# ---- Learning rates -------------------------------------------------------------------------------

SCHEDULES = {
    "constant": gn.Constant(0.1),
    "inverse_scaling": gn.InverseScaling(0.2, power=0.7, decay=0.3),
    "adaptive": gn.Adaptive(2.0, tolerance=0.05, patience=2, divisor=3.0, smallest=0.1),
    "step": gn.Step(0.2, every=4, factor=0.5),
    "exponential": gn.Exponential(0.2, factor=0.9),
    "cosine": gn.Cosine(0.2, steps=13, final=0.01),
    "one_cycle": gn.OneCycle(0.3, steps=14),
    "warm_up": gn.WarmUp(gn.Cosine(0.2, steps=9), updates=5),
}


@case("schedule", gn.SCHEDULES, ("rates", "full", "batches", "resumed"))
def _(name, what):
    schedule = SCHEDULES[name]
    if what == "rates":
        return [schedule.rates(1, 20), schedule.rates(8, 5, 3), schedule.to_dict(), repr(schedule)]
    rule = gn.SGD(schedule, momentum=0.5)
    if what == "batches":
        return of_run(trained(task(), optimizer=rule, batch_size=50, iterations=6))
    if what == "resumed":
        return of_run(saved_and_loaded(trained(task(), optimizer=rule)).resume(8, **with_data(task())))
    return of_run(trained(task(), optimizer=rule, iterations=20))


def with_data(job):
    """The data of a task, as `resume` takes them."""
    return {"X": job[1], "y": job[2]}


@case("schedule-per-iteration", ("inverse_scaling", "step", "exponential", "cosine", "one_cycle"))
def _(name):
    schedule = dataclasses.replace(SCHEDULES[name], per="iteration")
    return [schedule.rates(1, 20, 4), of_run(trained(task(), optimizer=gn.SGD(schedule), batch_size=40))]


# ---- Functions ------------------------------------------------------------------------------------


@case("activation", gn.ACTIVATIONS, ("float64", "float32"))
def _(name, dtype):
    job = task(hidden=(5, 4), activation=name)
    rule = gn.SGD(0.05, momentum=0.5)
    full = trained(job, optimizer=rule, dtype=dtype, scheme="he")
    batches = trained(job, optimizer=rule, dtype=dtype, iterations=2, batch_size=32)
    return [of_run(full, job[1].astype(dtype)), of_run(batches)]


@case("activation-record", gn.ACTIVATIONS, by_numpy=True)
def _(name):
    record, z = gn.ACTIVATIONS[name], np.linspace(-4, 4, 33)
    h = record.value(z)
    return [h, record.derivative(z, h), record.formula, record.derivative_formula, record.kinks]


def losses_with_settings():
    """A network and data for each loss, with settings other than the defaults too."""
    kinds = {name: (name, gn.LOSSES[name].output) for name in gn.LOSSES}
    kinds["label-smoothing"] = {"name": "cross_entropy", "label_smoothing": 0.1}, "softmax"
    kinds["huber-half"] = {"name": "huber", "delta": 0.5}, "identity"
    kinds["quantile-0.9"] = {"name": "quantile", "level": 0.9}, "identity"
    return kinds


LOSSES = losses_with_settings()


@case("loss", LOSSES, ("full", "batches"), ("float64", "float32"))
def _(name, way, dtype):
    loss, output = LOSSES[name]
    job = task(outputs=3, output=output, loss=loss)
    batches = {"batch_size": 40, "iterations": 3} if way == "batches" else {}
    run = trained(job, optimizer=gn.SGD(0.05), dtype=dtype, **batches)
    return of_run(run, job[1].astype(dtype))


@case("loss-record", LOSSES, by_numpy=True)
def _(name):
    loss, output = LOSSES[name]
    record = gn.Network((2, 3), output=output, loss=loss).loss
    Z = np.round(np.random.RandomState(0).randn(6, 3) * 3, 2)
    Y = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    factor = None if record.factor is None else record.factor(Z)
    return [record.value(Z, Y), record.delta(Z, Y), factor, gn.OUTPUTS[output].link(Z), str(record)]


@case("outputs", ("softmax-2", "softmax-7", "logistic-1", "identity-1", "exp-1"))
def _(name):
    output, outputs = name.split("-")
    job = task(outputs=int(outputs), output=output)
    run = trained(job, optimizer=gn.SGD(0.02))
    return [of_run(run, job[1]), run.score(*job[1:]), run.score(*job[1:], np.arange(150) % 3)]


@case("targets", ("rows", "soft", "labels", "lists"))
def _(kind):
    network, X, y = task(outputs=3)
    if kind == "rows":
        y = np.eye(3)[y]
    elif kind == "soft":
        y = np.eye(3)[y] * 0.75 + np.array([0.125, 0.125, 0.0])
    elif kind == "labels":
        network, X, y = task(outputs=3, output="logistic")
        y = y * 0.75 + 0.125
    else:
        X, y = X.tolist(), y.tolist()
    return of_run(trained((network, X, y)))


SHAPES = {
    "none": ((), "tanh"),
    "one-unit": ((1,), "tanh"),
    "wide": ((70,), "relu"),
    "two": ((33, 17), ["gelu", "tanh"]),
    "deep": ((9, 8, 7, 6, 5), ["relu", "tanh", "silu", "logistic", "elu"]),
}


@case("network", SHAPES, ("float64", "float32"))
def _(name, dtype):
    hidden, activation = SHAPES[name]
    job = task(hidden=hidden, activation=activation, n=300, width=11)
    run = trained(job, dtype=dtype, iterations=6)
    batches = trained(job, dtype=dtype, iterations=2, batch_size=64)
    X = job[1].astype(dtype)
    alone = [run.network.predict_proba(run.theta, X[k : k + 1]) for k in range(3)]
    return [of_run(run, X), of_run(batches), alone]


@case("network-forward", gn.ACTIVATIONS, by_numpy=True)
def _(name):
    network, X, _ = task(hidden=(5, 4), activation=name)
    return network.forward(network.initialize(2), X)


@case("network-initialize", ("normal", "glorot", "he", "sklearn"))
def _(scheme):
    networks = [task(hidden=(5, 4), activation=one)[0] for one in ("logistic", "tanh", "relu")]
    drawn = [network.initialize(7, scheme, dtype).flat for network in networks for dtype in "df"]
    random = np.random.RandomState(7)
    drawn.append(networks[0].initialize(random, scheme).flat)
    return [drawn, random.randint(1 << 30, size=3), of_run(trained(task(), scheme=scheme))]


@case("network-words")
def _():
    jobs = [task(), task(hidden=(3, 2), activation=["relu", "tanh"]), regression(loss="huber")]
    return [[repr(network), str(network), network.n_parameters] for network, *_ in jobs]


# ---- Solvers --------------------------------------------------------------------------------------

SOLVED = {
    "classes": task(hidden=(4,)),
    "values": regression(hidden=(5,)),
    "labels": task(hidden=(3,), outputs=2, output="logistic"),
    "counts": task(hidden=(3,), outputs=1, output="exp"),
}


@case("solver", gn.SOLVERS, SOLVED)
def _(name, kind):
    return of_run(trained(SOLVED[kind], optimizer=gn.SOLVERS[name](), iterations=12), SOLVED[kind][1])


@case("solver-settings", gn.SOLVERS, ("float32", "weights", "sum", "ended", "resumed", "validation"))
def _(name, what):
    rule, job = gn.SOLVERS[name](), regression(hidden=(4,), n=120)
    penalty = {} if name == "bayesian_regularization" else {"l2": 1e-3}
    if what == "float32":
        return of_run(trained(job, optimizer=rule, dtype="float32", **penalty))
    if what == "weights":
        weights = np.arange(120) % 4 * 0.5
        return of_run(trained(job, optimizer=rule, sample_weight=weights, **penalty))
    if what == "sum":
        return of_run(trained(job, optimizer=rule, reduction="sum", **penalty))
    if what == "ended":
        rule = gn.SOLVERS[name](tolerance=1e-2, gradient_tolerance=1e-3)
        run = trained(regression(hidden=(2,), n=60), optimizer=rule, iterations=200)
        return [of_run(run), of_run(run.resume(3))]
    if what == "resumed":
        run = trained(job, optimizer=rule, iterations=4, **penalty)
        loaded = saved_and_loaded(run)
        return [of_run(run.resume(5)), of_run(loaded.resume(5, **with_data(job)))]
    return of_run(trained(job, optimizer=rule, validation=0.25, stopping=gn.EarlyStopping(3)))


@case("solver-lbfgs-memory", (1, 3))
def _(memory):
    run = trained(task(), optimizer=gn.LBFGS(memory=memory), iterations=8)
    return [of_run(run), of_run(run.resume(4, optimizer=gn.LBFGS(memory=2)))]


@case("solver-newton-products")
def _():
    return of_run(trained(task(hidden=(8, 6)), optimizer=gn.NewtonCG(products=3), iterations=6))


@case("solver-after", ("optimizer", "solver"))
def _(kind):
    if kind == "optimizer":
        return of_run(trained(task()).resume(5, optimizer=gn.LBFGS()))
    return of_run(trained(task(), optimizer=gn.LBFGS(), iterations=4).resume(5, optimizer=gn.Adam(0.01)))


# ---- What training is told ------------------------------------------------------------------------

WEIGHTS = np.arange(150) % 5 * 0.25 + 0.25


def held_out():
    """Samples that no task is trained on."""
    X = inputs(60, 4, seed=9)
    return X, classes_of(X)


def share_of_ones(y, predicted):
    """A metric of one's own."""
    return float(np.mean(predicted == 1) + np.mean(y == predicted))


TOLD = {
    "dropout": {"dropout": 0.3},
    "dropout-each": {"dropout": [0.5, 0.0], "hidden": (6, 5)},
    "validation-fraction": {"validation": 0.2},
    "validation-data": {"validation": held_out()},
    "validation-weights": {"validation": (*held_out(), np.arange(60) % 3)},
    "validation-every": {"validation": 0.2, "validate_every": 3},
    "stopping": {"validation": 0.2, "stopping": gn.EarlyStopping(2), "iterations": 120},
    "stopping-kept": {
        "validation": held_out(),
        "stopping": gn.EarlyStopping(2, restore_best=False),
        "iterations": 120,
    },
    "stopping-accuracy": {
        "validation": 0.2,
        "stopping": gn.EarlyStopping(3, metric="accuracy"),
        "iterations": 60,
    },
    "stopping-metric": {
        "validation": 0.2,
        "stopping": gn.EarlyStopping(3, metric=share_of_ones, mode="max"),
        "iterations": 60,
    },
    "stopping-training-loss": {"stopping": gn.EarlyStopping(2, tolerance=0.01), "iterations": 60},
    "stopping-never": {"validation": 0.2, "stopping": gn.EarlyStopping(None)},
    "sample_weight": {"sample_weight": WEIGHTS},
    "class_weight-balanced": {"class_weight": "balanced"},
    "class_weight-each": {"class_weight": [0.5, 1.0, 4.0]},
    "class_weight-mapping": {"class_weight": {0: 1.0, 2: 3.0, 1: 0.5}, "sample_weight": WEIGHTS},
    "class_weight-validation": {"class_weight": "balanced", "validation": 0.2},
    "l1": {"l1": 0.01},
    "l2": {"l2": 0.02},
    "max_norm": {"max_norm": 0.7},
    "penalties": {"l1": 0.01, "l2": 0.02, "max_norm": 0.9},
    "average": {"average": 0.8},
    "average-validation": {"average": 0.5, "validation": 0.2, "stopping": gn.EarlyStopping(2)},
    "sum": {"reduction": "sum", "optimizer": gn.SGD(1e-3)},
    "sum-weights": {"reduction": "sum", "optimizer": gn.SGD(1e-3), "sample_weight": WEIGHTS, "l2": 0.5},
    "threads-1": {"threads": 1},
    "threads-2": {"threads": 2},
    "float32-inputs": {"cast": np.float32},
    "integers": {"cast": np.int64},
    "by-columns": {"cast": np.asfortranarray},
    "none-of-it": {"iterations": 0},
}


@case("train", TOLD, ("full", "batches"))
def _(name, way):
    told = dict(TOLD[name])
    network, X, y = task(hidden=told.pop("hidden", (6,)))
    change = told.pop("cast", None)
    if change is not None:
        X = change(X) if change is np.asfortranarray else (10 * X).round().astype(change)
    if way == "batches":
        told["batch_size"] = 32
    return of_run(trained((network, X, y), **told), inputs(9, 4, seed=5))


@case("train-all-of-it", ("float64", "float32"))
def _(dtype):
    run = trained(
        task(
            hidden=(9, 7),
            activation=["gelu", "tanh"],
            loss={"name": "cross_entropy", "label_smoothing": 0.1},
        ),
        optimizer=gn.AdamW(gn.OneCycle(0.05, steps=60), clip_norm=1.0),
        iterations=15,
        batch_size=32,
        dropout=0.1,
        l2=1e-4,
        max_norm=2.0,
        validation=0.2,
        stopping=gn.EarlyStopping(4, metric="accuracy"),
        class_weight="balanced",
        sample_weight=WEIGHTS,
        average=0.9,
        dtype=dtype,
    )
    return of_run(run)


@case(
    "train-batches",
    ("unshuffled", "one-sample", "all-in-one", "larger", "values", "labels", "threads-1", "threads-2"),
)
def _(what):
    told = {"batch_size": 40, "iterations": 4}
    if what == "unshuffled":
        return of_run(trained(task(), shuffle=False, **told))
    if what in ("one-sample", "all-in-one", "larger"):
        size = {"one-sample": 1, "all-in-one": 150, "larger": 1000}[what]
        return of_run(trained(task(), **{**told, "batch_size": size}))
    if what in ("values", "labels"):
        job = regression() if what == "values" else task(outputs=2, output="logistic")
        return of_run(trained(job, **told))
    how = {"threads": int(what[-1]), "dropout": 0.2, "dtype": "float32"}
    return of_run(trained(task(hidden=(64, 64), n=1500, width=20), **{**told, "batch_size": 256, **how}))


@case("train-chunks", ("shallow", "deep", "batches"), (1, 2))
def _(kind, threads):
    X = np.round(np.random.RandomState(4).uniform(-2, 2, (70_003, 2)), 3)
    y = (X[:, 0] * X[:, 0] + X[:, 1] * X[:, 1] > 1.5).astype(int)
    network = gn.Network((2, 3, 2)) if kind != "deep" else gn.Network((2, 5, 4, 2), hidden="tanh")
    how = {"batch_size": 1000, "iterations": 1} if kind == "batches" else {"iterations": 4}
    run = trained((network, X, y), threads=threads, **how)
    return [of_run(run), run.predict_proba(X), run.score(X, y)]


@case("train-start", ("parameters", "flat", "float32", "stream", "default"))
def _(what):
    job = task()
    start = job[0].initialize(3, "normal")
    if what == "parameters":
        return [of_run(trained(job, parameters=start)), start.flat]
    if what == "flat":
        return of_run(trained(job, parameters=start.flat, batch_size=30))
    if what == "float32":
        return of_run(trained(job, parameters=start, dtype="float32"))
    if what == "stream":
        random = np.random.RandomState(5)
        how = {"batch_size": 40, "dropout": 0.2, "validation": 0.2, "random_state": random}
        return [of_run(trained(job, **how)), random.randint(1 << 30, size=3)]
    return of_run(gn.train(*job, iterations=25, random_state=0))


@case("train-diverged", ("full", "batches", "sum", "resumed"))
def _(what):
    rule = gn.SGD(3.0, momentum=0.5)
    job = regression(hidden=())
    if what == "batches":
        return of_run(trained(job, optimizer=rule, batch_size=50))
    if what == "sum":
        return of_run(trained(job, optimizer=gn.SGD(0.02), reduction="sum"))
    run = trained(job, optimizer=rule)
    return of_run(run) if what == "full" else of_run(run.resume(5, optimizer=gn.SGD(0.01)))


class Noted(gn.Callback):
    """Keeps what it is shown, and ends training."""

    every = 3

    def __init__(self, last):
        self.last, self.seen = last, []

    def _note(self, hook, run):
        self.seen.append([hook, run.iterations, run.status, run.losses, run.parameters.flat.copy()])

    def on_train_begin(self, run):
        self._note("begin", run)

    def on_iteration(self, run):
        self._note("iteration", run)
        return run.iterations >= self.last

    def on_train_end(self, run):
        self._note("end", run)


@case("callback", ("full", "batches", "solver"))
def _(way):
    how = {"full": {}, "batches": {"batch_size": 40}, "solver": {"optimizer": gn.LBFGS()}}[way]
    noted = Noted(6)
    run = trained(task(), iterations=20, callbacks=[noted, gn.Every(4, lambda run: None)], **how)
    return [of_run(run), noted.seen, of_run(run.resume(4))]


@case("callback-error")
def _():
    def fail(run):
        if run.iterations == 4:
            raise RuntimeError("on purpose")

    try:
        trained(task(), callbacks=[fail])
    except RuntimeError as error:
        return [of_run(error.run), of_run(error.run.resume(3))]
    raise AssertionError("The callback's error did not come through.")


# ---- Going on -------------------------------------------------------------------------------------

GOING = {
    "full": {},
    "batches": {"batch_size": 40},
    "dropout": {"batch_size": 40, "dropout": 0.3, "average": 0.7},
    "dropout-full": {"dropout": 0.3},
    "float32": {"dtype": "float32", "l1": 0.01},
    "weights": {"sample_weight": WEIGHTS, "class_weight": "balanced"},
    "validation": {"validation": 0.2, "stopping": gn.EarlyStopping(3, tolerance=0.01), "iterations": 60},
    "validation-batches": {
        "validation": 0.2,
        "stopping": gn.EarlyStopping(2, metric="accuracy"),
        "iterations": 30,
        "batch_size": 40,
    },
    "adaptive": {"optimizer": gn.SGD(gn.Adaptive(0.5, tolerance=0.05))},
    "unshuffled": {"batch_size": 40, "shuffle": False},
}


@case("resume", GOING, ("at-once", "loaded", "pickled"))
def _(name, way):
    job, told = task(), GOING[name]
    run = trained(job, **told)
    if way == "at-once":
        return [of_run(run.resume(6)), of_run(run)]
    data = with_data(job)
    if "sample_weight" in told:
        data["sample_weight"] = told["sample_weight"]
    if way == "loaded":
        loaded = saved_and_loaded(run)
        return [of_run(loaded), of_run(loaded.resume(6, **data))]
    again = pickle.loads(pickle.dumps(run))
    return of_run(copy.deepcopy(again).resume(6, threads=1, **data))


@case("resume-with", gn.OPTIMIZERS)
def _(name):
    run = trained(task(), optimizer=gn.SGD(0.1))
    same = run.resume(4, optimizer=gn.SGD(0.03, momentum=0.5))
    other = trained(task(), batch_size=50, iterations=3).resume(2, optimizer=rule_of(name))
    return [of_run(same), of_run(run.resume(4, optimizer=rule_of(name))), of_run(other)]


@case("resume-validation-data", ("full", "batches"))
def _(way):
    job, kept = task(), (*held_out(), np.arange(60) % 2 + 1)
    how = {"batch_size": 40} if way == "batches" else {}
    run = trained(job, validation=kept, stopping=gn.EarlyStopping(None), **how)
    loaded = saved_and_loaded(run)
    return [of_run(run.resume(4)), of_run(loaded.resume(4, validation=kept, **with_data(job)))]


@case("resume-callback")
def _():
    run = trained(task(), callbacks=[stop_at(4)])
    return [of_run(run), of_run(run.resume(5, callbacks=[stop_at(7)]))]


@case("save-bytes", ("full", "batches", "extra"))
def _(what):
    """A run's file, written twice, byte for byte but for the time that it took."""
    run = trained(task(), **({"batch_size": 40, "dropout": 0.1} if what == "batches" else {}))
    extra = {"labels": ["no", "yes"], "scale": [0.5, 2.0]} if what == "extra" else None
    with folder() as here:
        gn.save(run, here / "one", extra)
        loaded = gn.load(here / "one")
        gn.save(loaded, here / "two")
        same = (here / "one").read_bytes() == (here / "two").read_bytes()
    return [same, of_run(loaded)]


# ---- Problems, gradients, curvature ---------------------------------------------------------------


@case("problem", ("classes", "values", "labels", "counts"), ("float64", "float32"))
def _(kind, dtype):
    network, X, y = SOLVED[kind]
    problem = gn.prepare(network, X, y, dtype=dtype, l2=0.01, sample_weight=WEIGHTS)
    flat = network.initialize(2, dtype=dtype).flat
    v = np.round(np.random.RandomState(1).randn(flat.size), 2).astype(dtype)
    return [
        *problem.loss_and_gradient(flat),
        problem.loss(flat),
        problem.baseline,
        problem.gauss_newton(flat),
        problem.gauss_newton_product(flat, v),
        problem.with_threads(1).loss_and_gradient(flat),
        problem.with_penalties(gn.Penalties(l1=0.1)).loss_and_gradient(flat),
        [problem.n_samples, problem.reduction, problem.engine, problem.class_weight, problem.dropout],
    ]


@case("problem-hessian", ("classes", "values", "labels", "counts"))
def _(kind):
    network, X, y = SOLVED[kind]
    problem = gn.prepare(network, X, y, l2=0.01)
    flat = network.initialize(2).flat
    vectors = np.round(np.random.RandomState(1).randn(3, flat.size), 2)
    return problem.hessian_product(flat, vectors)


@case("problem-descend", gn.OPTIMIZERS, ("native", "numpy"), by_numpy="numpy")
def _(name, engine):
    network, X, y = task(hidden=(4,))
    problem = gn.prepare(network, X, y, engine=engine, max_norm=2.0)
    rule, flat = rule_of(name), network.initialize(2).flat
    loss, gradient = problem.loss_and_gradient(flat)
    state, losses = np.zeros((len(rule.state_names) + 1, flat.size)), np.full(8, np.nan)
    state[-1] = flat
    made = problem.descend(
        flat,
        state,
        gradient,
        losses,
        optimizer=rule,
        rates=rule.schedule.rates(1, 8),
        first_update=1,
        limit=math.inf,
        stop=np.zeros(1, np.uint8),
        seconds=math.inf,
        average=0.5,
    )
    return [loss, flat, state, gradient, losses, made.updates, made.diverged]


@case("gradient", LOSSES)
def _(name):
    loss, output = LOSSES[name]
    network, X, y = task(outputs=3, output=output, loss=loss)
    theta = network.initialize(2, "normal")
    found = gn.loss_and_gradient(network, theta, X, y, "sum", WEIGHTS, l1=0.1, l2=0.2)
    single = gn.loss_and_gradient(network, theta.astype("float32"), X, y)
    return [[value, gradient.flat] for value, gradient in (found, single)]


@case("gradient-small", (1, 2, 5, 17, 64, 257))
def _(n):
    network, X, y = task(n=n, hidden=(5,))
    value, gradient = gn.loss_and_gradient(network, network.initialize(2), X, y)
    return [value, gradient.flat]


@case("check", ("classes", "values", "labels", "counts"), ("backpropagated", "all"), by_numpy="all")
def _(kind, what):
    network, X, y = SOLVED[kind]
    check = gn.check_gradients(network, network.initialize(2), X[:40], y[:40], l2=0.01)
    if what == "all":
        return [check.to_dict(), str(check)]
    rows = [[row.layer, row.name, row.index, row.backpropagated, row.verdict] for row in check.table]
    return [rows, check.passed, check.n_checked, check.n_kinks, check.n_wrong, check.n_unsettled]


@case("check-float32")
def _():
    network, X, y = task(hidden=(4,), activation="relu")
    check = gn.check_gradients(network, network.initialize(2), X[:20], y[:20], dtype="float32")
    return [[[row.name, row.index, row.backpropagated] for row in check.table], check.passed]


@case("check-wrong", ("sign", "factor", "transposed", "zero", "entry"), by_numpy=True)
def _(what):
    """What the checker says of a gradient that is not one."""
    network, X, y = task(hidden=(4,), n=30)
    theta = network.initialize(2)
    gradient = gn.loss_and_gradient(network, theta, X, y)[1].copy()
    if what == "transposed":
        gradient.weights[0][:] = gradient.weights[0].T.copy()
    elif what == "entry":
        gradient.weights[1][2, 1] += 0.1
    else:
        gradient.weights[0][:] *= {"sign": -1, "factor": 2, "zero": 0}[what]
    return gn.check_gradients(network, theta, X, y, gradient=gradient).to_dict()


def of_curvature(here):
    """A point's curvature, and what follows from it."""
    return [
        [here.loss, here.gradient_norm, here.lambda_max, here.lambda_min],
        [here.saturation, here.dead, here.iteration],
        [here.stability_limit(), here.stability_limit(0.9, nesterov=True), here.escape_iterations(0.1)],
    ]


@case("curvature", ("tanh", "relu", "large"), by_numpy=True)
def _(kind):
    network, X, y = task(
        hidden=(12, 8) if kind == "large" else (4,), activation=kind.replace("large", "tanh")
    )
    return of_curvature(gn.curvature(network, network.initialize(2), X, y, l2=0.01, sample_weight=WEIGHTS))


@case("curvature-trace", ("full", "bayesian"), by_numpy=True)
def _(kind):
    network, X, y = regression(hidden=(3,))
    trace = gn.CurvatureTrace(X, y, every=4, most=4)
    rule = gn.SGD(0.05) if kind == "full" else gn.BayesianRegularization()
    run = trained((network, X, y), optimizer=rule, iterations=18, callbacks=[trace])
    return [trace.columns(), [of_curvature(one) for one in trace.points], of_run(run)]


@case("curvature-parts")
def _():
    """What of it no eigenvalue has a say in."""
    here = gn.Curvature(1.0, 0.5, lambda_max=20.0, lambda_min=-2.0, saturation=(0.25,), dead=(1,))
    return of_curvature(here)


# ---- The NumPy engine -----------------------------------------------------------------------------

BY_NUMPY = {
    "sgd": {"optimizer": gn.SGD(0.1, nesterov=True)},
    "adam": {"optimizer": gn.Adam(0.03)},
    "float32": {"dtype": "float32", "optimizer": gn.AMSGrad(0.03)},
    "batches": {"batch_size": 40, "iterations": 3},
    "dropout": {"batch_size": 40, "iterations": 3, "dropout": 0.3},
    "dropout-full": {"dropout": 0.3},
    "validation": {"validation": 0.2, "stopping": gn.EarlyStopping(2)},
    "weights": {"sample_weight": WEIGHTS, "class_weight": "balanced", "reduction": "sum", "l1": 0.1},
    "penalties": {"l1": 0.01, "l2": 0.01, "max_norm": 0.5, "average": 0.5},
    "lbfgs": {"optimizer": gn.LBFGS()},
    "levenberg_marquardt": {"optimizer": gn.LevenbergMarquardt()},
    "newton_cg": {"optimizer": gn.NewtonCG()},
    "bayesian": {"optimizer": gn.BayesianRegularization()},
}


@case("numpy", BY_NUMPY, by_numpy=True)
def _(name):
    job = task(hidden=(4,))
    run = trained(job, engine="numpy", **BY_NUMPY[name])
    return [of_run(run, job[1]), of_run(run.resume(3))]


@case("numpy-settings", VARIANTS, ("full", "batches"), by_numpy=True)
def _(name, way):
    batches = {"batch_size": 32, "iterations": 3} if way == "batches" else {}
    return of_run(trained(task(hidden=(4,)), optimizer=VARIANTS[name], engine="numpy", **batches))


@case("numpy-problem", LOSSES, by_numpy=True)
def _(name):
    loss, output = LOSSES[name]
    network, X, y = task(hidden=(4,), n=60, output=output, loss=loss)
    problem = gn.prepare(network, X, y, l2=0.01, sample_weight=WEIGHTS[:60], engine="numpy")
    flat = network.initialize(2).flat
    vectors = np.round(np.random.RandomState(1).randn(2, flat.size), 2)
    found = [*problem.loss_and_gradient(flat), problem.loss(flat), problem.hessian_product(flat, vectors)]
    if network.loss.factor is not None:
        found += [problem.gauss_newton(flat), problem.gauss_newton_product(flat, vectors[0])]
    return found


@case("numpy-own", ("activation", "loss"), by_numpy=True)
def _(what):
    square = gn.Activation("square", lambda z: z * z, lambda z, h: 2 * z, "z^2", "2z")
    fourth = gn.Loss(
        "fourth",
        output="identity",
        target="real",
        value=lambda z, y: 0.25 * ((z - y) ** 4).sum(axis=1),
        delta=lambda z, y: (z - y) ** 3,
        formula="r^4 / 4",
        delta_formula="r^3",
    )
    job = regression(hidden=(3,), activation=square) if what == "activation" else regression(loss=fourth)
    run = trained(job, optimizer=gn.SGD(0.01))
    with folder() as here:
        gn.save(run, here / "own")
        loaded = gn.load(here / "own", activations=[square], losses=[fourth])
    return [of_run(run, job[1]), of_run(loaded.resume(3, **with_data(job)))]


@case("numpy-exact")
def _():
    """Whole numbers and halves, of which no sum is rounded: the one run by NumPy that is portable."""
    X, y = np.array([[1.0], [2.0], [-1.0], [4.0]]), np.array([[2.0], [3.0], [0.5], [1.0]])
    network = gn.Network((1, 1), output="identity")
    start = np.array([0.5, 0.25])
    rule = gn.SGD(0.125, momentum=0.5)
    return of_run(gn.train(network, X, y, optimizer=rule, parameters=start, iterations=3, engine="numpy"))


# ---- Sweeps ---------------------------------------------------------------------------------------

GRID = {"learning_rate": [0.01, 0.1, 1.0], "momentum": [0.0, 0.9]}


def swept(job=None, **how):
    """A sweep of a small network, by default over six settings of gradient descent."""
    told = {"grid": GRID, "iterations": 8, "random_state": 2, **how}
    if told["grid"] is None:
        del told["grid"]
    return gn.sweep(*(job or task(hidden=(3,), n=90)), **told)


def mean_distance(y, predicted, rows):
    """A metric of one's own that is told the rows."""
    return float(np.abs(y - predicted).max() + rows.min())


def folds_of(kind):
    """Folds in time over 90 rows, three a day."""
    days = np.repeat(np.arange(30), 3)
    if kind == "walk":
        return gn.WalkForward(3, test_size=5, gap=1, times=days)
    if kind == "walk-window":
        return gn.WalkForward(2, max_train_size=9, gap=2, times=days, ends=days + 2)
    if kind == "walk-rows":
        return gn.WalkForward(4)
    if kind == "walk-dates":
        return gn.WalkForward(3, gap=1, times=np.datetime64("2024-01-30") + days)
    if kind == "purged-text":
        return gn.PurgedKFold(3, gap=2, times=[f"2024-01-{day + 1:02}" for day in days])
    if kind == "purged":
        return gn.PurgedKFold(4, gap=1, embargo=2, times=days)
    return gn.PurgedKFold(3, times=days, ends=days + np.arange(90) % 4)


FOLDS = ("walk", "walk-window", "walk-rows", "walk-dates", "purged", "purged-ends", "purged-text")


@case("folds", FOLDS)
def _(kind):
    return [*folds_of(kind).split(np.zeros((90, 1))), repr(folds_of(kind))]


SWEPT = {
    "grid": {},
    "grids": {
        "grid": [{"learning_rate": [0.1, 0.5]}, {"optimizer": ["adam", "rmsprop"], "l2": [0.0, 0.1]}]
    },
    "settings": {
        "grid": None,
        "metric": "accuracy",
        "settings": [
            {"optimizer": gn.Adam(0.05)},
            {"hidden_layer_sizes": (4, 3), "activation": "relu"},
            {"batch_size": 30, "dropout": 0.2, "iterations": 3},
            {"optimizer": gn.LBFGS(), "iterations": 5},
            {"loss": {"name": "cross_entropy", "label_smoothing": 0.1}, "class_weight": "balanced"},
            {"stopping": gn.EarlyStopping(2), "validation": 0.3, "average": 0.5},
        ],
    },
    "draws": {
        "n_draws": 4,
        "grid": {"learning_rate": [0.01, 0.03, 0.1, 0.3], "l2": [0.0, 0.1], "l1": [0, 0.1]},
    },
    "seeds": {"seeds": [0, 5], "grid": {"learning_rate": [0.1, 0.5]}},
    "seeds-drawn": {"seeds": 3, "grid": {"learning_rate": [0.1]}, "batch_size": 30},
    "folds": {"folds": 3, "grid": {"learning_rate": [0.1, 0.5]}},
    "folds-metric": {"folds": 3, "grid": {"learning_rate": [0.1, 0.5]}, "metric": "accuracy", "seeds": 2},
    "folds-pairs": {"folds": [(np.arange(60), np.arange(60, 90))], "validation": 0.2, "metric": "loss"},
    "walk": {"folds": folds_of("walk"), "standardize": True, "metric": "accuracy"},
    "purged": {"folds": folds_of("purged-ends"), "standardize": True, "batch_size": 20, "iterations": 2},
    "weights": {"sample_weight": np.arange(90) % 3 + 0.5, "folds": 2, "standardize": True},
    "halving": {"halving": 2, "iterations": 16},
    "halving-folds": {
        "halving": {"factor": 3, "first": 2},
        "folds": 2,
        "metric": "accuracy",
        "iterations": 12,
    },
    "halving-batches": {"halving": True, "batch_size": 30, "iterations": 9, "seeds": 2},
    "batches": {"batch_size": 30, "dropout": 0.2, "validation": 0.2, "iterations": 4},
    "validation": {"validation": held_out(), "stopping": gn.EarlyStopping(2), "metric": "accuracy"},
    "thinned": {"keep_losses": 20, "iterations": 300, "grid": {"learning_rate": [0.1, 100.0]}},
    "threads-1": {"threads": 1, "dtype": "float32"},
    "threads-2": {"threads": 2, "dtype": "float32"},
    "parameters": {"parameters": np.linspace(-1, 1, 27), "l2": 0.01},
    "sum": {"reduction": "sum", "max_norm": 1.0, "converged_below": 0.5},
}


@case("sweep", SWEPT, ("runs", "scale"), by_numpy="scale")
def _(name, what):
    result = swept(**SWEPT[name])
    return of_scale(result) if what == "scale" else of_sweep(result)


@case("sweep-losses", LOSSES, ("runs", "scale"), by_numpy="scale")
def _(name, what):
    loss, output = LOSSES[name]
    result = swept(task(n=90, output=output, loss=loss), grid={"learning_rate": [0.01, 0.1]})
    return of_scale(result) if what == "scale" else of_sweep(result)


@case("sweep-values", ("r2", "metric", "solvers", "networks"), ("runs", "scale"), by_numpy="scale")
def _(kind, what):
    job = regression(hidden=(3,), n=90)
    found = of_sweep if what == "runs" else of_scale
    if kind == "r2":
        return found(swept(job, folds=folds_of("walk"), metric="r2", standardize=True))
    if kind == "metric":
        return found(swept(job, folds=3, metric=mean_distance, mode="min"))
    if kind == "solvers":
        rules = [gn.LBFGS(memory=2), gn.NewtonCG(), gn.Adam(0.1)]
        return found(swept(job, grid={"optimizer": rules}, folds=2))
    networks = [job[0], regression(hidden=(2, 2), activation="relu")[0]]
    return found(swept(job, grid={"network": networks, "loss": ["squared_error", "huber"]}, metric="r2"))


@case("sweep-distributions")
def _():
    from scipy import stats

    grid = {"learning_rate": stats.uniform(0.25, 0.5), "momentum": [0.0, 0.5]}
    return of_sweep(swept(grid=grid, n_draws=4))


@case("sweep-joblib", ("threading",))
def _(backend):
    import joblib

    with joblib.parallel_config(backend, n_jobs=2):
        return of_sweep(swept(folds=2, seeds=2))


@case("sweep-results", ("new", "again", "torn"))
def _(what):
    how = {"folds": 2, "metric": "accuracy", "batch_size": 20, "iterations": 3}
    with folder() as here:
        file = here / "sweep.jsonl"
        result = swept(results=file, **how)
        if what == "torn":
            lines = file.read_bytes().splitlines(keepends=True)
            file.write_bytes(b"".join(lines[:5]) + lines[5][:100])
        if what != "new":
            result = swept(results=file, **how)
    return of_sweep(result)


@case("sweep-resume")
def _():
    return [of_run(run.resume(4)) for run in swept(batch_size=30, iterations=2).runs]


@case("sweep-dictionary", by_numpy=True)
def _():
    def without_times(value):
        if isinstance(value, dict):
            left_out = ("seconds", "threads", "engine_reason")
            return {key: without_times(one) for key, one in value.items() if key not in left_out}
        return [without_times(one) for one in value] if isinstance(value, list) else value

    return without_times(swept(seeds=2).to_dict())


# ---- Streams --------------------------------------------------------------------------------------

NAMES = [f"x{k}" for k in range(4)]


def streamed_rows(n=1003):
    """Inputs, classes and weights."""
    X = inputs(n, 4, seed=6) * [1.0, 2.0, 5.0, 0.5] + [0.0, 3.0, -1.0, 0.0]
    return X, classes_of(inputs(n, 4, seed=6)), np.arange(n) % 7 * 0.5 + 0.5


def write_parquet(here, columns, edges, group):
    """A folder of Parquet files, cut at the edges."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    here.mkdir(exist_ok=True)
    for part, (start, stop) in enumerate(itertools.pairwise(edges)):
        table = pa.table({name: values[start:stop] for name, values in columns.items()})
        pq.write_table(table, here / f"part-{part}.parquet", row_group_size=group)
    return here


def columns_of_rows(n=1003):
    """The same as columns, with targets of each kind."""
    X, y, w = streamed_rows(n)
    labels = np.array(["ash", "fir", "oak"])[y]
    columns = {name: X[:, k] for k, name in enumerate(NAMES)}
    return {**columns, "class": y, "tree": labels, "weight": w, "value": values_of(X)[:, 0]}


@contextlib.contextmanager
def parquet(n=1003):
    """A folder of three Parquet files of several row groups."""
    with folder() as here:
        yield write_parquet(here / "rows", columns_of_rows(n), [0, 400, 401, n], 150)


STREAM_NET = gn.Network((4, 5, 3), hidden="tanh")

STREAMED = {
    "full": {},
    "float32": {"dtype": "float32", "l2": 0.01, "average": 0.5},
    "batches": {"batch_size": 64, "iterations": 3},
    "dropout": {"batch_size": 64, "iterations": 3, "dropout": 0.2, "max_norm": 1.0},
    "balanced": {"class_weight": "balanced", "reduction": "sum", "optimizer": gn.SGD(1e-4)},
    "stopping": {"validation": held_out(), "stopping": gn.EarlyStopping(2), "iterations": 30},
    "lbfgs": {"optimizer": gn.LBFGS()},
    "newton_cg": {"optimizer": gn.NewtonCG(), "iterations": 4},
    "levenberg_marquardt": {"optimizer": gn.LevenbergMarquardt(), "iterations": 4},
    "bayesian": {"optimizer": gn.BayesianRegularization(), "iterations": 4},
}


@case("stream", ("parquet", "array"), STREAMED)
def _(source, name):
    X, y, w = streamed_rows()
    with parquet() as here:
        if source == "parquet":
            rows = gn.stream(here, "class", features=NAMES, sample_weight="weight", memory="128 MiB")
        else:
            rows = gn.stream(X, y, sample_weight=w, memory="128 MiB")
        run = trained((STREAM_NET, rows), **{"iterations": 6, **STREAMED[name]})
        found = [of_run(run), run.score(rows), run.predict(rows), run.predict_proba(rows)]
        if "stopping" not in STREAMED[name]:
            found.append(of_run(run.resume(2)))
        return found


@case("stream-standardize", ("parquet", "array", "batches"))
def _(kind):
    X, y, _ = streamed_rows()
    with parquet() as here:
        made = gn.stream(X, y, standardize=True)
        if kind == "parquet":
            made = gn.stream(here, "class", features=NAMES, standardize=True)
        how = {"batch_size": 50, "iterations": 2} if kind == "batches" else {"iterations": 5}
        run = trained((STREAM_NET, made), **how)
        new = gn.stream(X[:200], standardize=(made.mean, made.scale))
        found = [of_run(run), made.mean, made.scale, run.predict_proba(new), run.score(made)]
        extra = json.loads(json.dumps(run.extra, default=lambda value: np.asarray(value).tolist()))
        return [*found, extra, of_run(saved_and_loaded(run))]


@case("stream-mapped", ("full", "batches"))
def _(way):
    X, y, w = streamed_rows(5003)
    with folder() as here:
        np.save(here / "X.npy", X)
        rows = gn.stream(np.load(here / "X.npy", mmap_mode="r"), y, sample_weight=w)
        how = {"batch_size": 500, "iterations": 2} if way == "batches" else {"iterations": 4}
        run = trained((STREAM_NET, rows), **how)
        return [of_run(run), run.predict_proba(rows)]


@case("stream-windows", ("parquet", "array"), ("shuffled", "unshuffled"))
def _(source, order):
    """More rows than fit into a window, which is what batches are drawn from."""
    n, width = 60_000, 16
    X = np.round(np.random.RandomState(8).uniform(-1, 1, (n, width)), 3)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
    network = gn.Network((width, 4, 2), hidden="relu")
    how = {"batch_size": 1500, "iterations": 1, "shuffle": order == "shuffled"}
    with folder() as here:
        rows = gn.stream(X, y, memory="96 MiB")
        if source == "parquet":
            columns = {f"x{k:02}": X[:, k] for k in range(width)}
            write_parquet(here / "rows", {**columns, "class": y}, [0, 25_000, n], 8_000)
            rows = gn.stream(here / "rows", "class", memory="96 MiB")
        run = trained((network, rows), **how)
        return [of_run(run), of_run(run.resume(1))]


@case("stream-values", ("one", "two", "lists"))
def _(kind):
    X, _, w = streamed_rows()
    Y = values_of(X, 2 if kind == "two" else 1)
    network = gn.Network((4, 5, Y.shape[1]), output="identity")
    with folder() as here:
        if kind == "lists":
            columns = {name: X[:, k] for k, name in enumerate(NAMES)} | {"value": Y[:, 0]}
            write_parquet(here / "a", columns, [0, 600], 100)
            write_parquet(here / "b", {name: one[600:] for name, one in columns.items()}, [0, 403], 200)
            rows = gn.stream([here / "b", here / "a" / "part-0.parquet"], "value")
        else:
            rows = gn.stream(X, Y, sample_weight=w)
        run = trained((network, rows), iterations=4)
        return [of_run(run), run.predict(rows), run.score(rows)]


@case("stream-curvature", by_numpy=True)
def _():
    X, y, w = streamed_rows(400)
    return of_curvature(
        gn.curvature(STREAM_NET, STREAM_NET.initialize(2), gn.stream(X, y, sample_weight=w))
    )


@case("stream-path")
def _():
    """A path as `train` itself takes it, and predictions for files without targets."""
    with folder() as here:
        columns = {name: one for name, one in columns_of_rows().items() if name in (*NAMES, "class")}
        write_parquet(here / "rows", columns, [0, 500, 1003], 200)
        run = trained((STREAM_NET, str(here / "rows"), "class"), iterations=4)
        return [of_run(run), run.predict(gn.stream(here / "rows", features=NAMES))]


@case("stream-numpy", by_numpy=True)
def _():
    X, y, w = streamed_rows(300)
    rows = gn.stream(X, y, sample_weight=w)
    return of_run(trained((STREAM_NET, rows), engine="numpy", iterations=4))


@case("dask", ("arrays", "dataframe"))
def _(kind):
    """On a cluster of threads in this process."""
    import dask

    X, y, w = streamed_rows()
    with dask.config.set(scheduler="threads"):
        if kind == "arrays":
            import dask.array as da

            rows = gn.stream(
                da.from_array(X, chunks=(300, 2)), da.from_array(y, chunks=250), sample_weight=w
            )
        else:
            import dask.dataframe as dd
            import pandas as pd

            frame = pd.DataFrame(X, columns=NAMES).assign(**{"class": y, "weight": w})
            rows = gn.stream(dd.from_pandas(frame, npartitions=3), "class", sample_weight="weight")
        run = trained((STREAM_NET, rows), iterations=3)
        batches = trained((STREAM_NET, rows), iterations=2, batch_size=100)
        return [of_run(run), run.predict_proba(rows), run.score(rows), of_run(batches)]


@contextlib.contextmanager
def cores(count):
    """As if there were so many cores, for worker processes too."""
    before = os.environ.get("GLASSNET_THREADS")
    os.environ["GLASSNET_THREADS"] = str(count)
    try:
        yield
    finally:
        del os.environ["GLASSNET_THREADS"]
        if before is not None:
            os.environ["GLASSNET_THREADS"] = before


@case("dask-local")
def _():
    """Files that worker processes read."""
    with parquet() as here, cores(2):
        rows = gn.stream(here, "class", features=NAMES, sample_weight="weight", dask="local")
        run = trained((STREAM_NET, rows), iterations=3)
        return [of_run(run), run.predict(rows), run.score(rows)]


# ---- Estimators -----------------------------------------------------------------------------------


def labeled(n=160, count=3):
    """Samples and labels that are texts."""
    X = inputs(n, 5, seed=11)
    return X, np.array(["ash", "fir", "oak", "yew"])[classes_of(X, count)]


def quantities(n=160, width=1):
    """Samples and values."""
    X = inputs(n, 5, seed=12)
    Y = values_of(X, width)
    return X, Y[:, 0] if width == 1 else Y


SAMPLES = np.arange(160) % 4 * 0.5 + 0.5

FITTED = {
    "adam": {},
    "sgd": {"solver": "sgd", "learning_rate_init": 0.1},
    "sgd-plain": {"solver": "sgd", "learning_rate_init": 0.1, "nesterovs_momentum": False, "momentum": 0.5},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "learning_rate_init": 0.5,
        "tol": 0.02,
        "n_iter_no_change": 1,
        "max_iter": 40,
    },
    "lbfgs": {"solver": "lbfgs"},
    "lm": {"solver": "lm", "hidden_layer_sizes": (3,)},
    "newton_cg": {"solver": gn.NewtonCG(), "hidden_layer_sizes": (3,)},
    "gn-lbfgs": {"solver": gn.LBFGS(memory=3), "hidden_layer_sizes": (3,)},
    "bayesian": {"solver": gn.BayesianRegularization(), "hidden_layer_sizes": (3,)},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 40, "tol": 1e-2},
    "tolerance": {"tol": 0.05, "n_iter_no_change": 2, "max_iter": 60},
    "batches": {"batch_size": 32, "shuffle": False},
    "logistic": {"activation": "logistic", "hidden_layer_sizes": (4, 3), "alpha": 0.1},
    "tanh": {"activation": "tanh", "l1": 0.01},
    "layers": {"activation": ["silu", "gelu"], "hidden_layer_sizes": (6, 5)},
    "dropout": {"dropout": 0.3, "batch_size": 40},
    "optimizer": {"optimizer": gn.AdamW(0.01), "restore_best": True},
    "optimizer-name": {"optimizer": "rmsprop", "learning_rate": gn.Cosine(0.05, steps=8)},
    "float32": {"dtype": "float32"},
    "threads": {"n_threads": 2, "hidden_layer_sizes": (40,)},
    "missing": {"missing": "median"},
}


def fitted(kind, name):
    """An estimator of that kind told of that name, and data for it."""
    told = {"hidden_layer_sizes": (7,), "max_iter": 8, "learning_rate_init": 0.02, "random_state": 3}
    told |= FITTED[name]
    X, y = labeled() if kind == "classifier" else quantities()
    if name == "missing":
        X = X.copy()
        X[::9, 1] = np.nan
    make = gn.MLPClassifier if kind == "classifier" else gn.MLPRegressor
    return make(**told).fit(X, y), X, y


@case("estimator", ("classifier", "regressor"), FITTED)
def _(kind, name):
    model, X, y = fitted(kind, name)
    return of_model(model, X, y)


@case("estimator-answers", ("classifier", "regressor"), by_numpy=True)
def _(kind):
    model, X, _ = fitted(kind, "tanh")
    return [model.hidden_activations(X), model.input_gradients(X[:20]), model.parameters_.flat]


@case("estimator-log-proba", by_numpy=True)
def _():
    model, X, _ = fitted("classifier", "adam")
    return model.predict_log_proba(X)


def classifier(**how):
    """A small classifier of eight epochs."""
    told = {"hidden_layer_sizes": (6,), "max_iter": 8, "learning_rate_init": 0.02, "random_state": 3}
    return gn.MLPClassifier(**{**told, **how})


def regressor(**how):
    """A small regressor of eight epochs."""
    told = {"hidden_layer_sizes": (6,), "max_iter": 8, "learning_rate_init": 0.02, "random_state": 3}
    return gn.MLPRegressor(**{**told, **how})


@case(
    "classifier",
    ("two", "multilabel", "columns", "weights", "balanced", "class_weight", "smoothing", "one-class"),
)
def _(what):
    X, y = labeled(count=2 if what == "two" else 3)
    if what == "two":
        return of_model(classifier().fit(X, y), X, y)
    if what == "multilabel":
        Y = (values_of(X, 3) > 0).astype(int)
        return of_model(classifier().fit(X, Y), X, Y)
    if what == "columns":
        Y = np.stack([y, np.where(X[:, 1] > 0, "up", "down")], axis=1)
        return of_model(classifier().fit(X, Y), X, Y)
    if what == "weights":
        model = classifier(class_weight="balanced").fit(X, y, SAMPLES)
        return of_model(model, X, y, SAMPLES)
    if what == "balanced":
        return of_model(classifier(class_weight="balanced", solver="lbfgs").fit(X, y), X, y)
    if what == "class_weight":
        return of_model(classifier(class_weight={"oak": 5.0}, early_stopping=True).fit(X, y), X, y)
    if what == "smoothing":
        loss = gn.Network((1, 2), loss={"name": "cross_entropy", "label_smoothing": 0.1}).loss
        return of_model(classifier(loss=loss).fit(X, y), X, y)
    return of_model(classifier().fit(X, np.zeros(160, int)), X)


REGRESSED = (
    "outputs",
    "average_outputs",
    "weights",
    "poisson",
    "absolute_error",
    "huber",
    "quantile",
    "lbfgs-outputs",
)


@case("regressor", REGRESSED)
def _(what):
    X, y = quantities()
    if what in ("outputs", "average_outputs", "lbfgs-outputs"):
        X, Y = quantities(width=2)
        how = {"average_outputs": what != "outputs"}
        if what == "lbfgs-outputs":
            how = {"solver": "lbfgs"}
        return of_model(regressor(**how).fit(X, Y), X, Y)
    if what == "weights":
        return of_model(regressor().fit(X, y, SAMPLES), X, y, SAMPLES)
    if what == "poisson":
        return of_model(regressor(loss="poisson").fit(X, np.floor(np.abs(y))), X, np.floor(np.abs(y)))
    if what == "quantile":
        loss = gn.Network((1, 1), output="identity", loss={"name": "quantile", "level": 0.9}).loss
        return of_model(regressor(loss=loss).fit(X, y), X, y)
    return of_model(regressor(loss=what).fit(X, y), X, y)


@case("estimator-again", ("warm_start", "warm_start-lbfgs", "fit", "partial_fit", "partial_fit-stopping"))
def _(what):
    X, y = labeled()
    if what.startswith("warm_start"):
        solver = "lbfgs" if what.endswith("lbfgs") else "adam"
        model = classifier(warm_start=True, solver=solver, max_iter=4).fit(X, y)
        return [of_model(model), of_model(model.fit(X, y), X, y)]
    if what == "fit":
        model = classifier().fit(X, y)
        return [of_model(model.fit(X[:100], y[:100]), X, y)]
    kept = {}
    if what == "partial_fit-stopping":
        kept = {"validation_data": labeled(60)}
    model = classifier(early_stopping=bool(kept), n_iter_no_change=2)
    found = []
    for part in range(6):
        rows = slice(part % 3 * 50, part % 3 * 50 + 50)
        model.partial_fit(X[rows], y[rows], classes=["ash", "fir", "oak"] if part == 0 else None, **kept)
        found.append([model.coefs_[0].copy(), model.loss_, model.t_])
    return [found, of_model(model, X, y)]


WATCHED = ("data", "scoring", "restore_best", "lbfgs", "lm", "newton_cg", "stream", "regressor")


@case("estimator-validation", WATCHED)
def _(what):
    X, y = labeled()
    kept = labeled(70)
    if what == "regressor":
        (X, y), kept = quantities(), (*quantities(70), np.arange(70) % 3)
        how = {"scoring": {"r2": "r2", "error": "neg_mean_absolute_error"}, "loss": "poisson"}
        y, kept = np.floor(np.abs(y)), (kept[0], np.floor(np.abs(kept[1])), kept[2])
        return of_model(regressor(**how).fit(X, y, SAMPLES, validation_data=kept), X, y)
    how = {
        "lm": {"solver": "lm", "early_stopping": True, "hidden_layer_sizes": (3,)},
        "newton_cg": {"solver": gn.NewtonCG(), "early_stopping": True, "n_iter_no_change": 2},
        "stream": {"early_stopping": True},
        "data": {"early_stopping": True, "max_iter": 30, "n_iter_no_change": 3},
        "scoring": {"scoring": ["f1_macro", "accuracy"], "early_stopping": True},
        "restore_best": {"restore_best": True, "learning_rate_init": 0.5},
        "lbfgs": {"solver": "lbfgs", "early_stopping": True},
    }[what]
    if what == "stream":
        kept = gn.stream(*kept)
    return of_model(classifier(**how).fit(X, y, validation_data=kept), X, y)


@case("estimator-inputs", ("sparse", "pandas", "float32", "integers", "lists", "random-state"))
def _(what):
    X, y = labeled()
    model = classifier()
    if what == "sparse":
        from scipy.sparse import csr_array

        kept = csr_array(np.where(np.abs(X) > 1, X, 0.0))
        return of_model(model.fit(kept, y), kept, y)
    if what == "pandas":
        import pandas as pd

        frame = pd.DataFrame(X, columns=list("abcde"))
        return [of_model(model.fit(frame, pd.Series(y)), frame, y), model.feature_names_in_]
    if what == "random-state":
        random = np.random.RandomState(8)
        return [of_model(model.set_params(random_state=random).fit(X, y)), random.randint(1 << 30, size=3)]
    X = {"float32": X.astype(np.float32), "integers": (4 * X).astype(int), "lists": X.tolist()}[what]
    return of_model(model.fit(X, y), X, y)


@case("estimator-targets", ("sparse", "partial-labels", "partial-columns", "partial-values", "column"))
def _(what):
    """Targets of other makes, and some at a time."""
    X, y = labeled()
    Y = (values_of(X, 3) > 0).astype(int)
    if what == "sparse":
        from scipy.sparse import csr_array

        model = classifier().fit(X, csr_array(Y))
        return [of_model(model.fit(X, Y)), model.predict_proba(X), model.predict(X)]
    if what == "column":
        return of_model(classifier().fit(X, y[:, None]), X, y)
    if what == "partial-values":
        X, y = quantities()
        return of_model(regressor().partial_fit(X[:90], y[:90]).partial_fit(X[90:], y[90:]), X, y)
    if what == "partial-columns":
        Y = np.stack([y, np.where(X[:, 1] > 0, "up", "down")], axis=1)
        return of_model(classifier().fit(X[:90], Y[:90]).partial_fit(X, Y), X, Y)
    return of_model(classifier().partial_fit(X[:90], Y[:90], classes=[0, 1, 2]).partial_fit(X, Y), X, Y)


@case("estimator-verbose", ("classifier", "early_stopping", "lm"))
def _(what):
    """What is printed of each epoch."""
    how = {"early_stopping": {"early_stopping": True}, "lm": {"solver": "lm", "hidden_layer_sizes": (2,)}}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        classifier(verbose=True, **how.get(what, {})).fit(*labeled())
    return printed.getvalue()


@case("estimator-sparse-large")
def _():
    """So large and so empty that it is kept sparse."""
    from scipy.sparse import csr_array

    random = np.random.RandomState(2)
    places = random.randint(4200, size=20_000), random.randint(2000, size=20_000)
    X = csr_array((np.ones(20_000), places), shape=(4200, 2000))
    y = np.arange(4200) % 2
    return of_model(classifier(max_iter=2, hidden_layer_sizes=(2,)).fit(X, y), X, y)


@case("estimator-pickled")
def _():
    X, y = labeled()
    model = pickle.loads(pickle.dumps(classifier(warm_start=True, max_iter=3).fit(X, y)))
    return [of_model(model, X, y), of_model(copy.deepcopy(model).fit(X, y), X, y)]


@case("estimator-set")
def _():
    """Parameters that are set by hand."""
    X, y = labeled()
    model = classifier().fit(X, y)
    model.coefs_ = [np.round(one, 1) for one in model.coefs_]
    return of_model(model, X, y)


@case(
    "estimator-stream", ("parquet", "array", "standardize", "lbfgs", "values", "partial_fit", "newton_cg")
)
def _(what):
    X, y, w = streamed_rows()
    how = {"class_weight": "balanced"}
    if what in ("lbfgs", "newton_cg"):
        how = {"solver": "lbfgs" if what == "lbfgs" else gn.NewtonCG(), "max_iter": 5}
    with parquet() as here:
        rows = gn.stream(here, "tree", features=NAMES, sample_weight="weight")
        if what == "array":
            rows = gn.stream(X, y, sample_weight=w)
        elif what == "standardize":
            rows = gn.stream(here, "tree", features=NAMES, standardize=True)
        elif what == "values":
            rows = gn.stream(here, "value", features=NAMES)
            return of_model(regressor().fit(rows), rows) | {"score": regressor().fit(rows).score(rows)}
        model = classifier(**how)
        if what == "partial_fit":
            model = classifier().partial_fit(rows, classes=["ash", "fir", "oak"]).partial_fit(rows)
        else:
            model.fit(rows)
        return of_model(model, rows) | {"score": model.score(rows)}


@case("estimator-stream-columns", ("classes", "values"))
def _(what):
    """Several columns of Parquet as targets."""
    columns = columns_of_rows()
    columns["up"] = np.where(columns["x1"] > 3, "yes", "no")
    columns["half"] = columns["value"] / 2
    with folder() as here:
        write_parquet(here, columns, [0, 500, 1003], 200)
        model = classifier() if what == "classes" else regressor()
        names = ["tree", "up"] if what == "classes" else ["value", "half"]
        rows = gn.stream(here, names, features=NAMES, sample_weight="weight")
        return of_model(model.fit(rows), rows) | {"score": model.score(rows)}


@case("dask-estimator")
def _():
    """Labels that are texts, on a cluster of threads in this process."""
    import dask.dataframe as dd
    import pandas as pd

    columns = columns_of_rows()
    frame = pd.DataFrame({name: columns[name] for name in (*NAMES, "tree", "weight")})
    rows = gn.stream(dd.from_pandas(frame, npartitions=3), "tree", sample_weight="weight")
    return of_model(classifier(class_weight="balanced", max_iter=3).fit(rows), rows)


@case("estimator-folds")
def _():
    """scikit-learn over our folds and estimators."""
    from sklearn.model_selection import cross_val_predict

    X = inputs(90, 5, seed=12)
    return cross_val_predict(regressor(), X, values_of(X)[:, 0], cv=folds_of("purged"))


# ---- Ensembles ------------------------------------------------------------------------------------


def of_ensemble(ensemble, X, y):
    """What the members say, their mean, its spread and the score."""
    found = [ensemble.predict_members(X), ensemble.predict(X), ensemble.score(X, y)]
    if hasattr(ensemble, "classes_"):
        found += [ensemble.classes_, *ensemble.predict_proba(X, return_std=True)]
    else:
        found += [*ensemble.predict(X, return_std=True)]
    return found


ENSEMBLES = ("classifier", "regressor", "multilabel", "runs", "sweep", "loaded", "loaded-values", "weights")


@case("ensemble", ENSEMBLES)
def _(kind):
    values = kind in ("regressor", "loaded-values")
    X, y = quantities() if values else labeled()
    if kind in ("runs", "sweep"):
        network, X, y = task()
        if kind == "runs":
            runs = [trained((network, X, y), random_state=seed) for seed in range(3)]
            return of_ensemble(
                gn.Ensemble.from_runs(runs, classes=["a", "b", "c"]), X, np.array(list("abc"))[y]
            )
        result = swept((network, X, y), folds=3, seeds=2)
        return of_ensemble(gn.Ensemble.from_sweep(result, 2, fold=-1), X, y)
    base = regressor(random_state=None) if values else classifier(random_state=None)
    if kind == "multilabel":
        y = (values_of(X, 3) > 0).astype(int)
    ensemble = gn.Ensemble(base, n_estimators=3, random_state=4)
    ensemble.fit(X, y, SAMPLES) if kind == "weights" else ensemble.fit(X, y)
    if kind.startswith("loaded"):
        with folder() as here:
            ensemble.save(here / "ensemble.safetensors")
            data = (here / "ensemble.safetensors").read_bytes()
            return [of_ensemble(gn.Ensemble.load(here / "ensemble.safetensors"), X, y), data]
    return of_ensemble(ensemble, X, y)


@case("ensemble-columns", by_numpy=True)
def _():
    """Of members with a softmax for each of two columns."""
    X, y = labeled()
    Y = np.stack([y, np.where(X[:, 1] > 0, "up", "down")], axis=1)
    ensemble = gn.Ensemble(classifier(random_state=None), n_estimators=2, random_state=4).fit(X, Y)
    means, spreads = ensemble.predict_proba(X, return_std=True)
    return [ensemble.predict(X), means, spreads, ensemble.predict_members(X), ensemble.score(X, Y)]


# ---- Displays -------------------------------------------------------------------------------------


@case("display", ("loss", "projection", "principal", "diagram"))
def _(kind):
    """What is drawn, not the picture."""
    import matplotlib

    with matplotlib.rc_context({"backend": "agg"}):
        model, X, y = fitted("classifier", "early_stopping")
        if kind == "loss":
            shown = gn.LossCurveDisplay.from_estimator(model)
            lines = [shown.line_.get_xydata(), shown.score_line_.get_xydata()]
            return [shown.losses, shown.validation_scores, shown.best_epoch, shown.score_name, *lines]
        if kind == "diagram":
            shown = gn.NetworkDiagramDisplay.from_estimator(model, max_units=4, max_weights=9)
            texts = [text.get_text() for text in shown.values_]
            names = [shown.input_names, shown.output_names, shown.layer_names]
            return [list(shown.shown_units_), list(shown.shown_weights_), texts, *names, shown.coefs]
        units = "principal" if kind == "principal" else [1, 3]
        shown = gn.HiddenProjectionDisplay.from_estimator(model, X, y, units=units, n_components=2)
        return [shown.points, shown.target, list(shown.target_names), list(shown.axis_labels), shown.title]


# ---- The command line -----------------------------------------------------------------------------


def glassnet(*arguments, cwd):
    """What `python -m glassnet` prints, run in this process: a new one would import everything anew."""
    printed, before = io.StringIO(), sys.argv
    sys.argv = ["glassnet", *map(str, arguments)]
    try:
        told = contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO())
        with contextlib.chdir(cwd), told[0], told[1]:
            runpy.run_module("glassnet", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            raise AssertionError(f"glassnet {' '.join(sys.argv[1:])} ended with {end.code}.") from end
    finally:
        sys.argv = before
    return printed.getvalue()


def glassnet_alone(*arguments, cwd):
    """The same in a process of its own."""
    command = [sys.executable, "-m", "glassnet", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True).stdout


QUICK = ("--no-pictures", "--no-report", "-q", "--results", "results")


def of_folder(place):
    """The numbers in a folder of results but the scores: the model, its losses and settings."""
    record = json.loads((place / "run.json").read_text())
    names = ["status", "iterations", "first_loss", "final_loss", "best_iteration", "parameters"]
    text = (place / "experiment.toml").read_text()
    text = text.replace(str(place.parent.resolve()), "").replace(str(place.parent), "")
    # The order of the keys is free.
    settings = json.dumps(tomllib.loads(text), sort_keys=True)
    texts = [(place / "losses.csv").read_text(), settings]
    return [of_run(gn.load(place / "model.safetensors")), [record.get(name) for name in names], texts]


def scores_in(place):
    """The scores in a folder of results, of which NumPy makes those of values."""
    return json.loads((place / "run.json").read_text())["scores"]


def write_csv(path, columns):
    """A table as text, numbers as Python writes them."""
    rows = zip(*(np.asarray(one).tolist() for one in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in rows)]) + "\n")


def trees(here, n=120):
    """A table of three columns of numbers, a label and a quantity."""
    X = inputs(n, 3, seed=15)
    columns = {"width": 3 + X[:, 0], "height": 10 * X[:, 1], "age": X[:, 2]}
    columns = {name: np.round(one, 2) for name, one in columns.items()}
    labels = np.array(["ash", "fir", "oak"])[classes_of(X)]
    write_csv(here / "trees.csv", {**columns, "species": labels})
    write_csv(here / "prices.csv", {**columns, "price": np.round(100 + 20 * values_of(X)[:, 0], 1)})
    write_csv(here / "new.csv", {name: one[:25] for name, one in columns.items()})
    return here / "trees.csv"


@case("command-train-circles", by_numpy=True)
def _():
    with folder() as here:
        how = ["--set", "data.n_samples=400", "--iterations", "20"]
        glassnet("train", "circles", *how, *QUICK, cwd=here)
        return [of_folder(here / "results"), scores_in(here / "results")]


@case("command-train-table")
def _():
    """Labels, batches and all that goes with them; what it predicts; the same from its settings."""
    with folder() as here:
        trees(here)
        how = ["--optimizer", "adamw", "--batch-size", "16", "--iterations", "8", "--hidden", "6,4"]
        how += ["--dropout", "0.1", "--validation", "0.2", "--random-state", "7", "--activation", "relu"]
        for one in ("stopping.patience=3", "l2=1e-3", "class_weight='balanced'", "average=0.9"):
            how += ["--set", f"train.{one}"]
        glassnet("train", "trees.csv", "--target", "species", *how, *QUICK, cwd=here)
        found = [of_folder(here / "results"), scores_in(here / "results")]
        texts = [glassnet("predict", "results", "new.csv", "--proba", cwd=here)]
        texts.append(glassnet("predict", "results/model.safetensors", "trees.csv", cwd=here))
        shutil.move(here / "results", here / "first")
        glassnet("train", "first/experiment.toml", *QUICK, cwd=here)
        again = gn.load(here / "results" / "model.safetensors")
        return [found, texts, of_run(again)]


@case("command-train-values", ("lbfgs", "sgd", "float32"), ("run", "scores"), by_numpy="scores")
def _(kind, what):
    """A quantity, and its predictions as Parquet."""
    import pyarrow.parquet as pq

    how = {
        "lbfgs": ["--optimizer", "lbfgs", "--iterations", "15"],
        "sgd": [
            "--learning-rate",
            "0.05",
            "--momentum",
            "0.5",
            "--iterations",
            "30",
            "--features",
            "age,width",
        ],
        "float32": [
            "--dtype",
            "float32",
            "--ignore",
            "age",
            "--iterations",
            "20",
            "--test-fraction",
            "0.5",
        ],
    }[kind]
    with folder() as here:
        trees(here)
        glassnet("train", "prices.csv", "--target", "price", "--no-check", *how, *QUICK, cwd=here)
        if what == "scores":
            return scores_in(here / "results")
        glassnet("predict", "results", "new.csv", "-o", "out.parquet", cwd=here)
        table = pq.read_table(here / "out.parquet")
        columns = {name: table[name].to_numpy() for name in table.column_names}
        return [of_folder(here / "results"), columns]


@case("command-train-file", ("moons", "blobs"), by_numpy=True)
def _(generator):
    """An experiment of one's own, of generated data."""
    text = """
        random_state = 3
        [data]
        generator = "{}"
        n_samples = 150
        test_fraction = 0.2
        [network]
        hidden = [5, 4]
        activation = ["relu", "tanh"]
        [check]
        samples = 20
        [train]
        optimizer = "nadam"
        learning_rate = {{schedule = "cosine", rate = 0.05, steps = 40}}
        iterations = 5
        batch_size = 16
        dropout = [0.1, 0.0]
        validation = 0.2
        l1 = 1e-4
        max_norm = 2.0
        """
    with folder() as here:
        (here / "own.toml").write_text(text.format(generator))
        glassnet("train", "own.toml", *QUICK, cwd=here)
        return [of_folder(here / "results"), scores_in(here / "results")]


@case("command-train-parquet", ("file", "quantity", "kept"))
def _(kind):
    """Columns of other kinds, in one file or in a folder that is kept in memory."""
    n = 400
    columns = columns_of_rows(n)
    columns |= {"even": np.arange(n) % 2 == 0, "whole": np.arange(n) % 5}
    columns = {name: one for name, one in columns.items() if name not in ("class", "weight")}
    with folder() as here:
        edges = [0, n] if kind == "file" else [0, 150, n]
        place = write_parquet(here / "rows", columns, edges, 100)
        what = place / "part-0.parquet" if kind == "file" else place
        how = ["--target", "value" if kind == "quantity" else "tree", "--iterations", "5", "--no-check"]
        how += ["--ignore", "tree" if kind == "quantity" else "value"]
        if kind == "quantity":
            how += ["--memory", "96 MiB", "--validation", "0.2", "--batch-size", "64", "--dtype", "float32"]
        glassnet("train", what, *how, *QUICK, cwd=here)
        return [of_folder(here / "results"), glassnet("predict", "results", what, cwd=here)]


@case("command-train-curvature", ("run", "curvature"), by_numpy="curvature")
def _(what):
    with folder() as here:
        trees(here)
        how = ["--iterations", "12", "--curvature", "5", "--hidden", "3", "--no-check"]
        glassnet("train", "trees.csv", "--target", "species", *how, *QUICK, cwd=here)
        return (
            (here / "results" / "curvature.csv").read_text()
            if what != "run"
            else of_folder(here / "results")
        )


@case("command-train-folder")
def _():
    """A folder of Parquet files, read block by block, and predictions for it."""
    with parquet() as here:
        how = ["--memory", "128 MiB", "--iterations", "6", "--ignore", "class,weight,value", "--no-check"]
        glassnet("train", "rows", "--target", "tree", *how, *QUICK, cwd=here.parent)
        text = glassnet("predict", "results", "rows", "--proba", cwd=here.parent)
        return [of_folder(here.parent / "results"), scores_in(here.parent / "results"), text]


def of_sweep_folder(place):
    """The tables of the grid "a" but for times and shares, and its best network."""
    lines = [line.split(",") for line in (place / "a.csv").read_text().splitlines()]
    places = [at for at, name in enumerate(lines[0]) if name not in ("seconds", "share")]
    table = [[line[at] for at in places] for line in lines]
    summary = place / "a-summary.csv"
    text = summary.read_text() if summary.exists() else None
    return [table, text, of_run(gn.load(place / "a-best.safetensors"))]


@case("command-sweep")
def _():
    with folder() as here:
        trees(here)
        how = ["--set", "sweep.a.learning_rate=[0.01, 0.1, 1.0]", "--set", "sweep.a.l2=[0.0, 0.1]"]
        how += ["--iterations", "6", "--folds", "2", "--seeds", "2", "--metric", "accuracy"]
        results = ("--no-pictures", "-q", "--results", "results")
        glassnet("sweep", "trees.csv", "--target", "species", *how, *results, cwd=here)
        return of_sweep_folder(here / "results")


@case("command-sweep-file", ("draws", "settings", "times"))
def _(kind):
    """Grids of a file: distributions, settings, folds of days and rows held out."""
    grids = {
        "draws": """
            n_draws = 3
            learning_rate.distribution = "uniform"
            learning_rate.low = 0.01
            learning_rate.high = 0.5
            batch_size = [16, 32]
            halving = 2
            iterations = 6
            """,
        "settings": """
            iterations = 4
            seeds = [1, 2]
            settings = [
                {optimizer = "adam", hidden = [3]},
                {learning_rate = {schedule = "step", rate = 0.5, every = 2}},
            ]
            """,
        "times": """
            iterations = 4
            metric = "accuracy"
            learning_rate = [0.1, 0.5]
            folds.splitter = "walk_forward"
            folds.n_splits = 3
            folds.gap = 1
            folds.times = "day"
            """,
    }
    with folder() as here:
        trees(here)
        lines = (here / "trees.csv").read_text().splitlines()
        dated = [f"{line},{1 + row // 4}" for row, line in enumerate(lines[1:])]
        (here / "trees.csv").write_text("\n".join([f"{lines[0]},day", *dated]) + "\n")
        held = "0.0" if kind == "times" else "0.2"
        told = f'[data]\nfile = "trees.csv"\ntarget = "species"\nignore = ["day"]\ntest_fraction = {held}\n'
        (here / "own.toml").write_text(f"{told}[sweep.a]\n{grids[kind]}")
        glassnet("sweep", "own.toml", "--no-pictures", "-q", "--results", "results", cwd=here)
        return of_sweep_folder(here / "results")


@case("command-check", by_numpy=True)
def _():
    with folder() as here:
        trees(here)
        return glassnet("check", "prices.csv", "--target", "price", cwd=here)


# ---- Files of today -------------------------------------------------------------------------------

# Runs of which tests/data/models keeps the file that glassnet wrote before the change.
KEPT = {
    "plain": (task(hidden=(3,), n=80), {"optimizer": gn.Adam(gn.Cosine(0.05, steps=30)), "l2": 0.01}),
    "batches": (
        task(hidden=(4, 3), n=80, activation=["relu", "tanh"]),
        {"batch_size": 30, "dropout": 0.25, "iterations": 3, "average": 0.5, "class_weight": "balanced"},
    ),
    "lbfgs": (task(hidden=(3,), n=80), {"optimizer": gn.LBFGS(memory=3), "iterations": 6}),
    "newton_cg": (task(hidden=(3,), n=80), {"optimizer": gn.NewtonCG(), "iterations": 3}),
    "bayesian": (
        regression(hidden=(3,), n=80),
        {"optimizer": gn.BayesianRegularization(), "iterations": 5},
    ),
    "stopped": (
        task(hidden=(3,), n=80),
        {
            "validation": 0.25,
            "stopping": gn.EarlyStopping(6, metric="accuracy"),
            "iterations": 60,
            "dtype": "float32",
            "optimizer": gn.RMSprop(0.01, momentum=0.5),
        },
    ),
    "adaptive": (
        regression(hidden=(3,), n=80, loss={"name": "huber", "delta": 0.5}),
        {"optimizer": gn.SGD(gn.Adaptive(0.5, tolerance=0.05)), "max_norm": 1.5, "iterations": 15},
    ),
    "diverged": (regression(hidden=(), n=80), {"optimizer": gn.SGD(3.0, momentum=0.5)}),
}

KEPT_SWEEP = {
    "plain": {"grid": {"learning_rate": [0.1, 0.5], "momentum": [0.0, 0.9]}, "iterations": 5},
    "rules": {
        "grid": None,
        "settings": [
            {"optimizer": gn.Adam(gn.Step(0.05, every=2))},
            {"optimizer": gn.LBFGS(), "hidden_layer_sizes": (2,), "activation": "relu"},
            {"stopping": gn.EarlyStopping(2), "validation": 0.3, "batch_size": 30},
        ],
        "folds": [(np.arange(60), np.arange(60, 90))],
        "metric": "accuracy",
        "standardize": True,
        "iterations": 4,
    },
}


def write_models(place):
    """Write the files that the cases below read; only ever with the glassnet that came before a change."""
    place.mkdir(parents=True, exist_ok=True)
    for name, (job, how) in KEPT.items():
        gn.save(trained(job, **how), place / f"{name}.safetensors", extra={"made": name})
    X, y = labeled()
    base = classifier(hidden_layer_sizes=(3,), random_state=None)
    ensemble = gn.Ensemble(base, n_estimators=2, random_state=4).fit(X, y)
    ensemble.save(place / "ensemble.safetensors")
    for name, how in KEPT_SWEEP.items():
        file = place / f"sweep-{name}.jsonl"
        file.unlink(missing_ok=True)
        swept(results=file, **how)
    with folder() as here:
        trees(here)
        how = ["--iterations", "12", "--hidden", "3", "--validation", "0.2", "--optimizer", "adam"]
        glassnet("train", "trees.csv", "--target", "species", *how, *QUICK, cwd=here)
        shutil.copy(here / "results" / "model.safetensors", place / "table.safetensors")


@case("file", KEPT, ("loaded", "resumed", "written"))
def _(name, what):
    job, path = KEPT[name][0], MODELS / f"{name}.safetensors"
    run = gn.load(path)
    if what == "loaded":
        return of_run(run, job[1].astype(run.dtype))
    if what == "written":  # what is loaded and saved again is the same file, byte for byte
        with folder() as here:
            gn.save(run, here / "again")
            return [(here / "again").read_bytes(), (here / "again").read_bytes() == path.read_bytes()]
    other = {"optimizer": gn.SGD(0.01)} if name == "diverged" else {}
    return of_run(run.resume(5, **with_data(job), **other))


@case("file-ensemble")
def _():
    ensemble = gn.Ensemble.load(MODELS / "ensemble.safetensors")
    with folder() as here:
        ensemble.save(here / "again")
        return [of_ensemble(ensemble, *labeled()), (here / "again").read_bytes()]


@case("file-table", ("loaded", "predict"))
def _(what):
    path = MODELS / "table.safetensors"
    if what == "loaded":
        return of_run(gn.load(path))
    with folder() as here:
        trees(here)
        return glassnet_alone("predict", path, "new.csv", "--proba", cwd=here)


@case("file-sweep", KEPT_SWEEP, ("done", "torn"))
def _(name, what):
    """A sweep goes on from the file of an earlier one, or has its results from there."""
    with folder() as here:
        file = here / "sweep.jsonl"
        data = (MODELS / f"sweep-{name}.jsonl").read_bytes()
        if what == "torn":
            lines = data.splitlines(keepends=True)
            data = b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2]
        file.write_bytes(data)
        result = swept(results=file, **KEPT_SWEEP[name])
        # That the networks were taken from the file, and not trained anew, shows in their times.
        kept = [json.loads(line) for line in data.splitlines()[1 : 2 if what == "torn" else None]]
        taken = {one["network"]: one["seconds"] for one in kept}
        same = all(result.table[number]["seconds"] == seconds for number, seconds in taken.items())
        return [of_sweep(result), same]


# ---- The program ----------------------------------------------------------------------------------

SIMD = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])

ENVIRONMENTS = {
    "this machine once more": {},
    "the portable engine": {"GLASSNET_ISA": "portable"},
    "AVX2 alone": {
        "GLASSNET_ISA": "avx2",
        "NPY_DISABLE_CPU_FEATURES": " ".join(one for one in SIMD if "512" in one or "V4" in one),
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "NumPy's baseline": {"NPY_DISABLE_CPU_FEATURES": " ".join(SIMD), "OPENBLAS_CORETYPE": "Sandybridge"},
    "Zen": {"OPENBLAS_CORETYPE": "Zen"},
    "AVX-512, one thread": {
        "GLASSNET_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OPENBLAS_CORETYPE": "SkylakeX",
    },
}
"""Other machines, as far as this one can play them."""


def digests(names, progress=False):
    """The digest of each case; of one that fails the error, which is no digest."""
    found = {}
    for name in names:
        began = time.perf_counter()
        try:
            found[name] = digest(compute(name))
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
        if progress:
            print(f"{1000 * (time.perf_counter() - began):8.1f} ms  {name}", file=sys.stderr)
    return found


def probed(names):
    """The names of those cases whose numbers are others on other machines."""
    here, differ = digests(names), set()
    with folder() as place:
        for words, environment in ENVIRONMENTS.items():
            file = place / "there.json"
            command = [sys.executable, str(Path(__file__).resolve()), "--write", str(file)]
            command += [argument for name in names for argument in ("--case", name)]
            subprocess.run(command, env={**os.environ, **environment}, check=True)
            there = known_in(file)
            others = {name for name in names if there.get(name) != here[name]}
            print(f"{words}: {len(others)} of {len(names)} differ", file=sys.stderr)
            differ |= others
    return differ


def known_in(file):
    """All digests of a file, of both sections."""
    document = json.loads(Path(file).read_text("utf-8"))
    return {**document["portable"], **document["machine"]}


def write(file, names, probe, progress):
    """Write the digests, by sections; without a probe the sections are those of the data."""
    if probe:
        portable = set(names) - BY_NUMPY_ALONE - probed(names)
    else:
        portable = set(json.loads(EXPECTED.read_text("utf-8"))["portable"]) if EXPECTED.exists() else set()
    found = digests(names, progress)
    document = {
        "portable": {name: one for name, one in found.items() if name in portable},
        "machine": {name: one for name, one in found.items() if name not in portable},
    }
    Path(file).write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    failed = [name for name, one in found.items() if len(one) != 64]
    for name in failed:
        print(f"failed: {name}: {found[name]}")
    return 1 if failed else 0


def add(file, progress):
    """Add the digests of cases that the file lacks, and drop those of no case; no other digest changes."""
    new = [name for name in CASES if name not in known_in(file)]
    portable = set(new) - BY_NUMPY_ALONE - probed(new)
    found = digests(new, progress)
    failed = [name for name, one in found.items() if len(one) != 64]
    for name in failed:
        print(f"failed: {name}: {found[name]}")
    if failed:
        return 1
    document = json.loads(Path(file).read_text("utf-8"))
    for section, known in document.items():
        known |= {name: one for name, one in found.items() if (name in portable) == (section == "portable")}
        document[section] = {name: known[name] for name in CASES if name in known}
    Path(file).write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    print(f"added {len(new)} cases")
    return 0


def compare(file, only, progress):
    """Print each case that differs from the file's; the exit status."""
    known = {name: one for name, one in known_in(file).items() if only in name}
    names = [name for name in CASES if only in name]
    found = digests(names, progress)
    wrong = [name for name in names if name in known and found[name] != known[name]]
    for name in wrong:
        print(f"differs: {name}" + (f" ({found[name]})" if len(found[name]) != 64 else ""))
    missing, new = (
        [name for name in known if name not in CASES],
        [name for name in names if name not in known],
    )
    for name in missing:
        print(f"is gone: {name}")
    for name in new:
        print(f"is new: {name}")
    print(f"{len(names) - len(wrong) - len(new)} of {len(known)} cases have the same numbers")
    return 1 if wrong or missing or new else 0


def main(arguments=None):
    """The command line of this file; returns the exit status."""
    parser = argparse.ArgumentParser(description="Numbers that have to stay the same to the bit.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--write", metavar="FILE", help="write all digests")
    what.add_argument("--add", metavar="FILE", help="add the digests that a file lacks, and probe these")
    what.add_argument("--compare", metavar="FILE", help="compare all digests with a file's")
    what.add_argument("--list", action="store_true", help="name the cases")
    what.add_argument("--show", metavar="NAME", help="print the numbers of a case one by one")
    what.add_argument("--write-models", metavar="FOLDER", help="write the model files that cases read")
    parser.add_argument("--case", metavar="NAME", action="append", help="write this case, and others named")
    parser.add_argument("--only", metavar="TEXT", default="", help="compare cases with that in their name")
    parser.add_argument("--probe", action="store_true", help="find out which cases are portable")
    parser.add_argument("--times", action="store_true", help="print how long each case takes")
    told = parser.parse_args(arguments)
    if told.list:
        print("\n".join(CASES))
    elif told.show:
        print("\n".join(leaves(compute(told.show))))
    elif told.write_models:
        write_models(Path(told.write_models))
    elif told.write:
        return write(told.write, told.case or list(CASES), told.probe, told.times)
    elif told.add:
        return add(told.add, told.times)
    else:
        return compare(told.compare, told.only, told.times)
    return 0


if __name__ == "__main__":
    sys.exit(main())
