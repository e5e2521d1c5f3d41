"""Runs: optimizers, learning rates, solvers, the settings of `gn.train`, callbacks, going on."""

import copy
import dataclasses
import pickle

import numpy as np

import glassnet as gn
from same_cases.common import (
    KINDS,
    WEIGHTS,
    case,
    cases,
    folder,
    held_out,
    in_batches,
    inputs,
    of_run,
    regression,
    runs,
    saved_and_loaded,
    stop_at,
    task,
    tell,
    trained,
    with_data,
)

RATES = {"lion": 0.01, "adadelta": 1.0, "sgd": 0.1}


def rule_of(name):
    """An optimizer of the registry at a rate that moves."""
    return gn.OPTIMIZERS[name](RATES.get(name, 0.03))


@case("optimizer", gn.OPTIMIZERS, ("full", "batches"), ("float64", "float32"))
def _(name, way, dtype):
    job, settings = task(), {"iterations": 15, **in_batches(way, 40, 4)}
    return tell(job, job[1], optimizer=rule_of(name), dtype=dtype, **settings)


@case("optimizer-update", gn.OPTIMIZERS, ("float64", "float32"))
def _(name, dtype):
    rule, random = rule_of(name), np.random.RandomState(3)
    theta, gradient = (np.round(random.randn(7), 2).astype(dtype) for _ in range(2))
    state, is_weight = np.zeros((len(rule.state_names), 7), dtype), np.arange(7) < 5
    steps = []
    for t in range(1, 4):
        theta, state = rule.update(theta, state, gradient, t, 0.1, is_weight)
        steps.append([theta, state])
    return [steps, rule.to_dict(), rule.state_names]


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
case("optimizer-settings", VARIANTS, ("full", "batches"))(
    lambda name, way: tell(task(), optimizer=VARIANTS[name], **{"iterations": 12, **in_batches(way, 32, 3)})
)
case("numpy-settings", VARIANTS, ("full", "batches"), by_numpy=True)(
    lambda name, way: tell(
        task(hidden=(4,)), optimizer=VARIANTS[name], engine="numpy", **in_batches(way, 32, 3)
    )
)

SCHEDULES = {
    "constant": gn.Constant(0.1),
    "inverse_scaling": gn.InverseScaling(0.2, power=0.7, decay=0.3),
    "adaptive": gn.Adaptive(2.0, tolerance=0.05, patience=2, divisor=3.0, smallest=0.1),
    "reduce_on_plateau": gn.ReduceOnPlateau(2.0, tolerance=0.05, patience=2, divisor=3.0, smallest=0.1),
    "step": gn.Step(0.2, every=4, factor=0.5),
    "exponential": gn.Exponential(0.2, factor=0.9),
    "cosine": gn.Cosine(0.2, steps=13, final=0.01),
    "one_cycle": gn.OneCycle(0.3, steps=14),
    "warm_up": gn.WarmUp(gn.Cosine(0.2, steps=9), updates=5),
}


@case("schedule", gn.SCHEDULES, ("rates", "full", "batches", "resumed"))
def _(name, use):
    schedule, job = SCHEDULES[name], task()
    more = {"validation": 0.3} if name == "reduce_on_plateau" else {}
    rule = gn.SGD(schedule, momentum=0.5)
    if use == "rates":
        return [schedule.rates(1, 20), schedule.rates(8, 5, 3), schedule.to_dict(), repr(schedule)]
    if use == "resumed":
        return of_run(saved_and_loaded(trained(job, optimizer=rule, **more)).resume(8, **with_data(job)))
    return tell(job, optimizer=rule, **{"iterations": 20, **in_batches(use, 50, 6), **more})


@case("schedule-per-iteration", ("inverse_scaling", "step", "exponential", "cosine", "one_cycle"))
def _(name):
    schedule = dataclasses.replace(SCHEDULES[name], per="iteration")
    return [schedule.rates(1, 20, 4), tell(task(), optimizer=gn.SGD(schedule), batch_size=40)]


case("solver", gn.SOLVERS, KINDS)(
    lambda name, kind: tell(KINDS[kind], KINDS[kind][1], optimizer=gn.SOLVERS[name](), iterations=12)
)

SOLVING = {
    "float32": {"dtype": "float32"},
    "weights": {"sample_weight": np.arange(120) % 4 * 0.5},
    "sum": {"reduction": "sum"},
    "validation": {"validation": 0.25, "stopping": gn.EarlyStopping(3)},
}


@case("solver-settings", gn.SOLVERS, (*SOLVING, "ended", "resumed"))
def _(name, setting):
    rule, job = gn.SOLVERS[name](), regression(hidden=(4,), n=120)
    no_penalty = name == "bayesian_regularization" or setting == "validation"
    penalty = {} if no_penalty else {"l2": 1e-3}
    if setting == "ended":
        rule = gn.SOLVERS[name](tolerance=1e-2, gradient_tolerance=1e-3)
        run = trained(regression(hidden=(2,), n=60), optimizer=rule, iterations=200)
        return [of_run(run), of_run(run.resume(3))]
    if setting == "resumed":
        run = trained(job, optimizer=rule, iterations=4, **penalty)
        return [of_run(run.resume(5)), of_run(saved_and_loaded(run).resume(5, **with_data(job)))]
    return tell(job, optimizer=rule, **penalty, **SOLVING[setting])


@case("solver-lbfgs-memory", (1, 3))
def _(memory):
    run = trained(task(), optimizer=gn.LBFGS(memory=memory), iterations=8)
    return [of_run(run), of_run(run.resume(4, optimizer=gn.LBFGS(memory=2)))]


cases(
    "solver-after",
    {
        "optimizer": lambda: of_run(trained(task()).resume(5, optimizer=gn.LBFGS())),
        "solver": lambda: of_run(
            trained(task(), optimizer=gn.LBFGS(), iterations=4).resume(5, optimizer=gn.Adam(0.01))
        ),
    },
)
case("solver-newton-products")(
    lambda: tell(task(hidden=(8, 6)), optimizer=gn.NewtonCG(products=3), iterations=6)
)


@case("resume-with", gn.OPTIMIZERS)
def _(name):
    run = trained(task(), optimizer=gn.SGD(0.1))
    same = run.resume(4, optimizer=gn.SGD(0.03, momentum=0.5))
    batches = trained(task(), batch_size=50, iterations=3).resume(2, optimizer=rule_of(name))
    return [of_run(same), of_run(run.resume(4, optimizer=rule_of(name))), of_run(batches)]


def share_of_ones(y, predicted):
    """A metric of one's own."""
    return float(np.mean(predicted == 1) + np.mean(y == predicted))


def stopping(patience, **more):
    """Early stopping on a fifth of the samples."""
    return {"validation": 0.2, "stopping": gn.EarlyStopping(patience, **more)}


SETTINGS = {
    "dropout": {"dropout": 0.3},
    "dropout-each": {"dropout": [0.5, 0.0], "hidden": (6, 5)},
    "validation-fraction": {"validation": 0.2},
    "validation-data": {"validation": held_out()},
    "validation-weights": {"validation": held_out(np.arange(60) % 3)},
    "validation-every": {"validation": 0.2, "validate_every": 3},
    "stopping": {**stopping(2), "iterations": 120},
    "stopping-kept": {**stopping(2, restore_best=False), "validation": held_out(), "iterations": 120},
    "stopping-accuracy": {**stopping(3, metric="accuracy"), "iterations": 60},
    "stopping-metric": {**stopping(3, metric=share_of_ones, mode="max"), "iterations": 60},
    "stopping-training-loss": {"stopping": gn.EarlyStopping(2, tolerance=0.01), "iterations": 60},
    "stopping-never": stopping(None),
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
    "average-validation": {"average": 0.5, **stopping(2)},
    "sum": {"reduction": "sum", "optimizer": gn.SGD(1e-3)},
    "sum-weights": {"reduction": "sum", "optimizer": gn.SGD(1e-3), "sample_weight": WEIGHTS, "l2": 0.5},
    "threads-1": {"threads": 1},
    "threads-2": {"threads": 2},
    "float32-inputs": {"cast": lambda X: (10 * X).round().astype(np.float32)},
    "integers": {"cast": lambda X: (10 * X).round().astype(np.int64)},
    "by-columns": {"cast": np.asfortranarray},
    "none-of-it": {"iterations": 0},
}


@case("train", SETTINGS, ("full", "batches"))
def _(name, way):
    settings = {**SETTINGS[name], **({"batch_size": 32} if way == "batches" else {})}
    network, X, y = task(hidden=settings.pop("hidden", (6,)))
    X = settings.pop("cast", np.asarray)(X)
    return tell((network, X, y), inputs(9, 4, seed=5), **settings)


@case("train-all-of-it", ("float64", "float32"))
def _(dtype):
    smoothed = {"name": "cross_entropy", "label_smoothing": 0.1}
    return tell(
        task(hidden=(9, 7), activation=["gelu", "tanh"], loss=smoothed),
        optimizer=gn.AdamW(gn.OneCycle(0.05, steps=60), clip_norm=1.0),
        iterations=15,
        batch_size=32,
        dropout=0.1,
        l2=1e-4,
        max_norm=2.0,
        class_weight="balanced",
        sample_weight=WEIGHTS,
        average=0.9,
        dtype=dtype,
        **stopping(4, metric="accuracy"),
    )


LARGE = {
    "job": task(hidden=(64, 64), n=1500, width=20),
    "batch_size": 256,
    "dropout": 0.2,
    "dtype": "float32",
}
runs(
    "train-batches",
    {
        "unshuffled": {"shuffle": False},
        "one-sample": {"batch_size": 1},
        "all-in-one": {"batch_size": 150},
        "larger": {"batch_size": 1000},
        "values": {"job": regression()},
        "labels": {"job": task(outputs=2, output="logistic")},
        "threads-1": {**LARGE, "threads": 1},
        "threads-2": {**LARGE, "threads": 2},
    },
    batch_size=40,
    iterations=4,
)


@case("train-chunks", ("shallow", "deep", "batches"), (1, 2))
def _(kind, threads):
    X = np.round(np.random.RandomState(4).uniform(-2, 2, (70_003, 2)), 3)
    y = (X[:, 0] * X[:, 0] + X[:, 1] * X[:, 1] > 1.5).astype(int)
    network = gn.Network((2, 5, 4, 2), hidden="tanh") if kind == "deep" else gn.Network((2, 3, 2))
    settings = {"batch_size": 1000, "iterations": 1} if kind == "batches" else {"iterations": 4}
    run = trained((network, X, y), threads=threads, **settings)
    return [of_run(run), run.predict_proba(X), run.score(X, y)]


@case("train-start", ("parameters", "flat", "float32", "stream", "default"))
def _(kind):
    job, random = task(), np.random.RandomState(5)
    start = job[0].initialize(3, "normal")
    if kind == "stream":
        settings = {"batch_size": 40, "dropout": 0.2, "validation": 0.2, "random_state": random}
        return [tell(job, **settings), random.randint(1 << 30, size=3)]
    return {
        "parameters": lambda: [tell(job, parameters=start), start.flat],
        "flat": lambda: tell(job, parameters=start.flat, batch_size=30),
        "float32": lambda: tell(job, parameters=start, dtype="float32"),
        "default": lambda: of_run(gn.train(*job, iterations=25, random_state=0)),
    }[kind]()


DIVERGES = {"job": regression(hidden=()), "optimizer": gn.SGD(3.0, momentum=0.5)}
runs(
    "train-diverged",
    {
        "full": {},
        "batches": {"batch_size": 50},
        "sum": {"optimizer": gn.SGD(0.02), "reduction": "sum"},
    },
    **DIVERGES,
)
case("train-diverged/resumed")(lambda: of_run(trained(**DIVERGES).resume(5, optimizer=gn.SGD(0.01))))


# ---- Callbacks --------------------------------------------------------------------------------------


class Noted(gn.Callback):
    """Notes each call, and ends training."""

    every = 3

    def __init__(self, last):
        self.last, self.calls = last, []

    def _note(self, hook, run):
        self.calls.append([hook, run.iterations, run.status, run.losses, run.parameters.flat.copy()])

    def on_train_begin(self, run):
        self._note("begin", run)

    def on_iteration(self, run):
        self._note("iteration", run)
        return run.iterations >= self.last

    def on_train_end(self, run):
        self._note("end", run)


@case("callback", ("full", "batches", "solver"))
def _(way):
    settings = {"full": {}, "batches": {"batch_size": 40}, "solver": {"optimizer": gn.LBFGS()}}[way]
    noted = Noted(6)
    run = trained(task(), iterations=20, callbacks=[noted, gn.Every(4, lambda run: None)], **settings)
    return [of_run(run), noted.calls, of_run(run.resume(4))]


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


# ---- Going on ---------------------------------------------------------------------------------------

GOING_ON = {
    "full": {},
    "batches": {"batch_size": 40},
    "dropout": {"batch_size": 40, "dropout": 0.3, "average": 0.7},
    "dropout-full": {"dropout": 0.3},
    "float32": {"dtype": "float32", "l1": 0.01},
    "weights": {"sample_weight": WEIGHTS, "class_weight": "balanced"},
    "validation": {**stopping(3, tolerance=0.01), "iterations": 60},
    "validation-batches": {**stopping(2, metric="accuracy"), "iterations": 30, "batch_size": 40},
    "adaptive": {"optimizer": gn.SGD(gn.Adaptive(0.5, tolerance=0.05))},
    "unshuffled": {"batch_size": 40, "shuffle": False},
}


@case("resume", GOING_ON, ("at-once", "loaded", "pickled"))
def _(name, way):
    job, settings = task(), GOING_ON[name]
    run, data = trained(job, **settings), with_data(job)
    if "sample_weight" in settings:
        data["sample_weight"] = settings["sample_weight"]
    if way == "at-once":
        return [of_run(run.resume(6)), of_run(run)]
    if way == "loaded":
        loaded = saved_and_loaded(run)
        return [of_run(loaded), of_run(loaded.resume(6, **data))]
    return of_run(copy.deepcopy(pickle.loads(pickle.dumps(run))).resume(6, threads=1, **data))


@case("resume-validation-data", ("full", "batches"))
def _(way):
    job, validation = task(), held_out(np.arange(60) % 2 + 1)
    settings = {"batch_size": 40} if way == "batches" else {}
    run = trained(job, validation=validation, stopping=gn.EarlyStopping(None), **settings)
    loaded = saved_and_loaded(run).resume(4, validation=validation, **with_data(job))
    return [of_run(run.resume(4)), of_run(loaded)]


@case("resume-callback")
def _():
    run = trained(task(), callbacks=[stop_at(4)])
    return [of_run(run), of_run(run.resume(5, callbacks=[stop_at(7)]))]


def written_twice(extra=None, **settings):
    """Whether a run's file is the same, byte for byte, when the loaded run is written again."""
    with folder() as here:
        gn.save(trained(task(), **settings), here / "one", extra)
        loaded = gn.load(here / "one")
        gn.save(loaded, here / "two")
        return [(here / "one").read_bytes() == (here / "two").read_bytes(), of_run(loaded)]


cases(
    "save-bytes",
    {
        "full": written_twice,
        "batches": lambda: written_twice(batch_size=40, dropout=0.1),
        "extra": lambda: written_twice({"labels": ["no", "yes"], "scale": [0.5, 2.0]}),
    },
)
