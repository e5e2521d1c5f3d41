"""What a network computes: activations, losses, shapes, gradients and curvature, by either engine."""

import math

import numpy as np

import glassnet as gn
from same_cases.common import (
    KINDS,
    LOSSES,
    WEIGHTS,
    case,
    cases,
    folder,
    of_run,
    regression,
    task,
    task_of,
    tell,
    trained,
    with_data,
)
from same_cases.training import rule_of

# ---- Activations and losses -------------------------------------------------------------------------


@case("activation", gn.ACTIVATIONS, ("float64", "float32"))
def _(name, dtype):
    job = task(hidden=(5, 4), activation=name)
    settings = {"optimizer": gn.SGD(0.05, momentum=0.5), "dtype": dtype}
    full = tell(job, job[1].astype(dtype), scheme="he", **settings)
    return [full, tell(job, iterations=2, batch_size=32, **settings)]


@case("activation-record", gn.ACTIVATIONS, by_numpy=True)
def _(name):
    record, z = gn.ACTIVATIONS[name], np.linspace(-4, 4, 33)
    h = record.value(z)
    return [h, record.derivative(z, h), record.formula, record.derivative_formula, record.kinks]


@case("loss", LOSSES, ("full", "batches"), ("float64", "float32"))
def _(name, way, dtype):
    job = task_of(name)
    batches = {"batch_size": 40, "iterations": 3} if way == "batches" else {}
    return tell(job, job[1].astype(dtype), optimizer=gn.SGD(0.05), dtype=dtype, **batches)


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
    output, width = name.split("-")
    job = task(outputs=int(width), output=output)
    run, X, y = trained(job, optimizer=gn.SGD(0.02)), *job[1:]
    return [of_run(run, X), run.score(X, y), run.score(X, y, np.arange(150) % 3)]


@case("targets", ("rows", "soft", "labels", "lists"))
def _(kind):
    network, X, y = task(output="logistic" if kind == "labels" else "softmax")
    y = {
        "rows": lambda: np.eye(3)[y],
        "soft": lambda: np.eye(3)[y] * 0.75 + np.array([0.125, 0.125, 0.0]),
        "labels": lambda: y * 0.75 + 0.125,
        "lists": y.tolist,
    }[kind]()
    return tell((network, X.tolist() if kind == "lists" else X, y))


# ---- Networks ---------------------------------------------------------------------------------------

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
    run, X = trained(job, dtype=dtype, iterations=6), job[1].astype(dtype)
    alone = [run.network.predict_proba(run.theta, X[k : k + 1]) for k in range(3)]
    return [of_run(run, X), tell(job, dtype=dtype, iterations=2, batch_size=64), alone]


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
    return [drawn, random.randint(1 << 30, size=3), tell(task(), scheme=scheme)]


@case("network-words")
def _():
    jobs = [task(), task(hidden=(3, 2), activation=["relu", "tanh"]), regression(loss="huber")]
    return [[repr(network), str(network), network.n_parameters] for network, *_ in jobs]


# ---- Problems and gradients -------------------------------------------------------------------------


def vector(size, *rows, dtype="float64"):
    """Rounded numbers to multiply a matrix of curvature with."""
    return np.round(np.random.RandomState(1).randn(*rows, size), 2).astype(dtype)


@case("problem", KINDS, ("float64", "float32"))
def _(kind, dtype):
    network, X, y = KINDS[kind]
    problem = gn.prepare(network, X, y, dtype=dtype, l2=0.01, sample_weight=WEIGHTS)
    flat = network.initialize(2, dtype=dtype).flat
    return [
        *problem.loss_and_gradient(flat),
        problem.loss(flat),
        problem.baseline,
        problem.gauss_newton(flat),
        problem.gauss_newton_product(flat, vector(flat.size, dtype=dtype)),
        problem.with_threads(1).loss_and_gradient(flat),
        problem.with_penalties(gn.Penalties(l1=0.1)).loss_and_gradient(flat),
        [problem.n_samples, problem.reduction, problem.engine, problem.class_weight, problem.dropout],
    ]


@case("numpy-problem", LOSSES, by_numpy=True)
def _(name):
    network, X, y = task_of(name, hidden=(4,), n=60)
    problem = gn.prepare(network, X, y, l2=0.01, sample_weight=WEIGHTS[:60], engine="numpy")
    flat = network.initialize(2).flat
    vectors = vector(flat.size, 2)
    numbers = [*problem.loss_and_gradient(flat), problem.loss(flat), problem.hessian_product(flat, vectors)]
    if network.loss.factor is not None:
        numbers += [problem.gauss_newton(flat), problem.gauss_newton_product(flat, vectors[0])]
    return numbers


@case("problem-hessian", KINDS)
def _(kind):
    network, X, y = KINDS[kind]
    flat = network.initialize(2).flat
    return gn.prepare(network, X, y, l2=0.01).hessian_product(flat, vector(flat.size, 3))


@case("problem-descend", gn.OPTIMIZERS, ("native", "numpy"), by_numpy="numpy")
def _(name, engine):
    network, X, y = task(hidden=(4,))
    problem = gn.prepare(network, X, y, engine=engine, max_norm=2.0)
    rule, flat = rule_of(name), network.initialize(2).flat
    loss, gradient = problem.loss_and_gradient(flat)
    state, losses = np.zeros((len(rule.state_names) + 1, flat.size)), np.full(8, np.nan)
    state[-1] = flat
    updates = problem.descend(
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
    return [loss, flat, state, gradient, losses, updates.updates, updates.diverged]


@case("gradient", LOSSES)
def _(name):
    network, X, y = task_of(name)
    theta = network.initialize(2, "normal")
    double = gn.loss_and_gradient(network, theta, X, y, "sum", WEIGHTS, l1=0.1, l2=0.2)
    single = gn.loss_and_gradient(network, theta.astype("float32"), X, y)
    return [[value, gradient.flat] for value, gradient in (double, single)]


@case("gradient-small", (1, 2, 5, 17, 64, 257))
def _(n):
    network, X, y = task(n=n, hidden=(5,))
    value, gradient = gn.loss_and_gradient(network, network.initialize(2), X, y)
    return [value, gradient.flat]


@case("check", KINDS, ("backpropagated", "all"), by_numpy="all")
def _(kind, extent):
    network, X, y = KINDS[kind]
    check = gn.check_gradients(network, network.initialize(2), X[:40], y[:40], l2=0.01)
    if extent == "all":
        return [check.to_dict(), str(check)]
    rows = [[row.layer, row.name, row.index, row.backpropagated, row.verdict] for row in check.table]
    return [rows, check.passed, check.n_checked, check.n_kinks, check.n_wrong, check.n_unsettled]


@case("check-float32")
def _():
    network, X, y = task(hidden=(4,), activation="relu")
    check = gn.check_gradients(network, network.initialize(2), X[:20], y[:20], dtype="float32")
    return [[[row.name, row.index, row.backpropagated] for row in check.table], check.passed]


@case("check-wrong", ("sign", "factor", "transposed", "zero", "entry"), by_numpy=True)
def _(fault):
    """What the checker says of a gradient that is not one."""
    network, X, y = task(hidden=(4,), n=30)
    theta = network.initialize(2)
    gradient = gn.loss_and_gradient(network, theta, X, y)[1].copy()
    if fault == "transposed":
        gradient.weights[0][:] = gradient.weights[0].T.copy()
    elif fault == "entry":
        gradient.weights[1][2, 1] += 0.1
    else:
        gradient.weights[0][:] *= {"sign": -1, "factor": 2, "zero": 0}[fault]
    return gn.check_gradients(network, theta, X, y, gradient=gradient).to_dict()


# ---- Curvature --------------------------------------------------------------------------------------


def of_curvature(point):
    """A point's curvature, and what follows from it."""
    return [
        [point.loss, point.gradient_norm, point.lambda_max, point.lambda_min],
        [point.saturation, point.dead, point.iteration],
        [point.stability_limit(), point.stability_limit(0.9, nesterov=True), point.escape_iterations(0.1)],
    ]


@case("curvature", ("tanh", "relu", "large"), by_numpy=True)
def _(kind):
    network, X, y = task(hidden=(12, 8)) if kind == "large" else task(hidden=(4,), activation=kind)
    return of_curvature(gn.curvature(network, network.initialize(2), X, y, l2=0.01, sample_weight=WEIGHTS))


@case("curvature-trace", ("full", "bayesian"), by_numpy=True)
def _(kind):
    job = regression(hidden=(3,))
    trace = gn.CurvatureTrace(*job[1:], every=4, most=4)
    rule = gn.SGD(0.05) if kind == "full" else gn.BayesianRegularization()
    run = trained(job, optimizer=rule, iterations=18, callbacks=[trace])
    return [trace.columns(), list(map(of_curvature, trace.points)), of_run(run)]


@case("curvature-parts")
def _():
    """What does not depend on an eigenvalue's last bit."""
    return of_curvature(
        gn.Curvature(1.0, 0.5, lambda_max=20.0, lambda_min=-2.0, saturation=(0.25,), dead=(1,))
    )


# ---- The NumPy engine -------------------------------------------------------------------------------

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


def with_own(**changes):
    """A run with an activation or a loss of one's own, and one that goes on from its file."""
    job = regression(**changes)
    run = trained(job, optimizer=gn.SGD(0.01))
    with folder() as here:
        gn.save(run, here / "own")
        loaded = gn.load(here / "own", activations=[SQUARE], losses=[FOURTH])
    return [of_run(run, job[1]), of_run(loaded.resume(3, **with_data(job)))]


SQUARE = gn.Activation("square", lambda z: z * z, lambda z, h: 2 * z, "z^2", "2z")
FOURTH = gn.Loss(
    "fourth",
    output="identity",
    target="real",
    value=lambda z, y: 0.25 * ((z - y) ** 4).sum(axis=1),
    delta=lambda z, y: (z - y) ** 3,
    formula="r^4 / 4",
    delta_formula="r^3",
)
cases(
    "numpy-own",
    {
        "activation": lambda: with_own(hidden=(3,), activation=SQUARE),
        "loss": lambda: with_own(loss=FOURTH),
    },
    by_numpy=True,
)


@case("numpy-exact")
def _():
    """Whole numbers and halves, of which no sum is rounded: the one run by NumPy that is portable."""
    X, y = np.array([[1.0], [2.0], [-1.0], [4.0]]), np.array([[2.0], [3.0], [0.5], [1.0]])
    start, rule = np.array([0.5, 0.25]), gn.SGD(0.125, momentum=0.5)
    job = gn.Network((1, 1), output="identity"), X, y
    return of_run(gn.train(*job, optimizer=rule, parameters=start, iterations=3, engine="numpy"))
