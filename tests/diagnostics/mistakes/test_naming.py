"""Broken copies of backpropagation: the check tells them apart, and says in which layer."""

import re

import numpy as np
import pytest

import glassnet as gn
from glassnet.nn import reference
from glassnet.nn.losses import ALL_LOSSES

NOTEBOOK = gn.Network((2, 3, 2))
DEEP = gn.Network((4, 6, 6, 5, 3), hidden=["tanh", "logistic", "softplus"])
RELU = gn.Network((3, 5, 5, 2), hidden="relu", output="logistic")
VALUES = gn.Network((3, 4, 4, 2), hidden="tanh", output="identity")
N = 40


def problem_of(network, seed=3, dtype=np.float64):
    random = np.random.RandomState(seed)
    theta = network.initialize(random, scheme="normal", dtype=dtype)
    theta.flat[:] *= 0.7
    X, outputs = random.randn(N, network.sizes[0]), network.sizes[-1]
    if network.loss.target == "class":
        return theta, X, random.randint(0, outputs, N)
    return theta, X, random.uniform(size=(N, outputs))


def homework(network, theta, X, y, slip="", at=0, scale=1.0):
    """The gradient of the mean loss by somebody's own lines, with a slip in layer `at`."""
    depth = len(network.sizes) - 1
    Y = np.eye(network.sizes[-1])[y] if network.loss.target == "class" else y
    Zs, Hs = [], [X]
    for layer in range(1, depth + 1):
        forgets = slip == "no bias" and layer == at
        Zs.append(Hs[-1] @ theta.weights[layer - 1] + (0 if forgets else theta.biases[layer - 1]))
        if layer < depth:
            Hs.append(network.hidden[layer - 1].value(Zs[-1]))
    delta = network.loss.delta(Zs[-1], Y) / len(X)
    if slip == "squared error":
        Y_hat = network.output.link(Zs[-1])
        delta = (Y_hat - Y) * Y_hat * (1 - Y_hat) / len(X)
    if slip == "no link":
        delta = (Zs[-1] - Y) / len(X)
    if slip == "last sample":
        delta[:-1] = 0
    gradient = []
    for layer in range(depth, 0, -1):
        if slip == "delta times" and layer == at:
            delta = delta * scale
        before = Zs[layer - 2] if slip == "Z for H" and layer == at else Hs[layer - 1]
        dW, db = before.T @ delta, delta.sum(axis=0)
        if layer == at:
            dW = dW.T.reshape(dW.shape) if slip == "dW transposed" else dW
            dW = dW * scale if slip == "dW times" else dW
            db = {"db forgotten": 0 * db, "db mean": db / len(X)}.get(slip, db)
        gradient = [dW, db, *gradient]
        if layer > 1:
            W, Z, H, sigma = (
                theta.weights[layer - 1],
                Zs[layer - 2],
                Hs[layer - 1],
                network.hidden[layer - 2],
            )
            here = layer - 1 == at
            back = W if slip == "W not transposed" and layer == at else W.T
            slope = sigma.derivative(Z, H)
            if here and slip == "no derivative":
                slope = np.ones_like(Z)
            if here and slip == "derivative at H":
                slope = sigma.derivative(H, sigma.value(H))
            if here and slip == "value":
                slope = H
            if here and slip == "of tanh":
                slope = 1 - H * H
            delta = (delta @ back) * slope
    return [scale * part for part in gradient] if slip == "times" else gradient


def mistakes(check):
    """What a check has found, without what it says of the entries that match."""
    return [f for f in check.findings if f.kind not in ("match", "kink", "rounding", "unsettled")]


def named(network, gradient, *problem, **settings):
    """The mistakes in a gradient, and the check."""
    check = gn.check_gradients(network, *problem, gradient=gradient, **settings)
    assert not check.passed
    return mistakes(check), check


SLIPS = [
    (NOTEBOOK, {"slip": "no derivative", "at": 1}, "derivative", 1, r"h \(1 - h\), is missing from delta1"),
    (DEEP, {"slip": "no derivative", "at": 2}, "derivative", 2, "is missing from delta2"),
    (
        RELU,
        {"slip": "no derivative", "at": 2},
        "derivative",
        2,
        "relu, .* is missing from delta2",
    ),
    (NOTEBOOK, {"slip": "derivative at H", "at": 1}, "derivative", 1, "in delta1 .* at H in place of Z"),
    (DEEP, {"slip": "value", "at": 3}, "derivative", 3, "in delta3 softplus itself stands in place"),
    (
        NOTEBOOK,
        {"slip": "of tanh", "at": 1},
        "derivative",
        1,
        "that of tanh, 1 - h.2, and the function",
    ),
    (
        DEEP,
        {"slip": "W not transposed", "at": 2},
        "transposed",
        2,
        "W2 is not transposed on the way",
    ),
    (DEEP, {"slip": "dW transposed", "at": 2}, "transposed", 2, "looks transposed"),
    (
        NOTEBOOK,
        {"slip": "times", "scale": N},
        "factor",
        None,
        "40 times .* a sum where the mean is ask",
    ),
    (NOTEBOOK, {"slip": "times", "scale": -1}, "sign", None, "the wrong sign"),
    (VALUES, {"slip": "times", "scale": 2}, "factor", None, "every entry is 2 times what it should be"),
    (
        DEEP,
        {"slip": "delta times", "at": 2, "scale": -1},
        "sign",
        2,
        "wrong sign: so is delta2, and all",
    ),
    (DEEP, {"slip": "dW times", "at": 3, "scale": 3}, "factor", 3, "every entry is 3 times"),
    (NOTEBOOK, {"slip": "db forgotten", "at": 2}, "bias", 2, "zero everywhere"),
    (
        DEEP,
        {"slip": "db mean", "at": 2},
        "factor",
        2,
        "0.025 times .*, 1 / the number of samples",
    ),
    (NOTEBOOK, {"slip": "no bias", "at": 1}, "bias", 1, "the pass forward leaves b1 out"),
    (DEEP, {"slip": "no bias", "at": 3}, "bias", 3, "the pass forward leaves b3 out"),
    (
        NOTEBOOK,
        {"slip": "squared error"},
        "loss",
        2,
        "cross_entropy, and its delta, y_hat - y, was",
    ),
    (RELU, {"slip": "no link"}, "loss", 3, "z - y, without the link"),
    (DEEP, {"slip": "Z for H", "at": 3}, "input", 3, "dJ/dW3 is made of Z2 in place of H2"),
    (NOTEBOOK, {"slip": "last sample"}, "samples", None, "only the last sample counts"),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("network", "slip", "kind", "layer", "words"), SLIPS)
def test_mistake_of_a_broken_copy_is_named_with_its_layer(network, slip, kind, layer, words, dtype):
    problem = problem_of(network, dtype=dtype)
    gradient = [part.astype(dtype) for part in homework(network, *problem, **slip)]
    findings, check = named(network, gradient, *problem)
    assert [(f.kind, f.layer) for f in findings] == [(kind, layer)], check
    assert re.search(words, findings[0].words), findings
    assert f"{', '.join(findings[0].names)}: {findings[0].words}." in check.verdict
    wrong = {entry.name for entry in check.table if entry.verdict == "wrong"}
    assert wrong == {*findings[0].names}


KINDS = {slip["slip"]: kind for _, slip, kind, *_ in SLIPS if kind != "sign"} | {"delta times": "factor"}
"""The kind of each slip, where its scale is above 0."""


def random_case(random):
    """A network of up to three hidden layers with any functions, and a slip somewhere in it."""
    depth = random.randint(2, 5)
    sizes = [random.randint(2, 5), *random.randint(2, 6, depth - 1), random.randint(2, 4)]
    slip = random.choice(list(KINDS))
    at = random.randint(1, depth + 1)
    if KINDS[slip] == "derivative":
        at = random.randint(1, depth)
    if slip in ("Z for H", "W not transposed"):
        at = max(at, 2)
    if slip == "W not transposed":
        sizes[at - 1] = sizes[at]
    loss = random.choice(list(ALL_LOSSES))
    hidden = random.choice(list(gn.ACTIVATIONS), depth - 1).tolist()
    network = gn.Network(list(map(int, sizes)), hidden, ALL_LOSSES[loss].output, str(loss))
    return network, {"slip": slip, "at": at, "scale": random.choice([2.0, 0.5, 3.3])}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_random_mistake_in_a_random_network_is_named(dtype):
    random, named_ones = np.random.RandomState(11), 0
    for _ in range(60):
        network, slip = random_case(random)
        theta, X, y = problem_of(network, random.randint(1000), dtype)
        theta.flat[:] *= 0.6
        gradient = [part.astype(dtype) for part in homework(network, theta, X, y, **slip)]
        check = gn.check_gradients(network, theta, X, y, gradient=gradient)
        if check.n_wrong:  # some slips change nothing, such as the derivative of the identity left out
            kinds = [f.kind for f in mistakes(check)]
            assert kinds == [KINDS[slip["slip"]]], (network, slip, check.verdict)
            named_ones += 1
    assert named_ones > 45


def test_right_homework_passes_and_says_that_it_matches():
    for network in (NOTEBOOK, DEEP, RELU, VALUES):
        problem = problem_of(network)
        check = gn.check_gradients(network, *problem, gradient=homework(network, *problem))
        assert check.passed
        assert check.findings[0].kind == "match"
        assert {f.kind for f in check.findings} <= {"match", "rounding"}


def test_two_mistakes_are_named_one_by_one_from_the_output_down():
    problem = problem_of(DEEP)
    gradient = homework(DEEP, *problem, slip="no derivative", at=2)
    gradient[6] = gradient[6] * 3  # dJ/dW4
    gradient[3] = 0 * gradient[3]  # dJ/db2, whose array is wrong already
    findings, _ = named(DEEP, gradient, *problem)
    assert [(f.kind, f.layer) for f in findings] == [("factor", 4), ("derivative", 2), ("bias", 2)]
    assert [f.names for f in findings] == [("W4",), ("W1", "b1", "W2"), ("b2",)]


# ---- The engine itself, broken ---------------------------------------------------------------------


def test_broken_reference_is_told_apart(monkeypatch):
    """What the NumPy engine runs is broken line by line; no copy of it helps the check."""
    right = reference.hidden_error

    def without_slope(delta_next, W_next, Z, H, sigma, M=None):
        return delta_next @ W_next.T

    def not_transposed(delta_next, W_next, Z, H, sigma, M=None):
        back = W_next if W_next.shape[0] == W_next.shape[1] else W_next.T
        return (delta_next @ back) * sigma.derivative(Z, H)

    def negative(delta_next, W_next, Z, H, sigma, M=None):
        return -right(delta_next, W_next, Z, H, sigma, M)

    network = gn.Network((3, 4, 4, 2), hidden="tanh")
    problem = problem_of(network)
    broken = {
        "hidden_error": [
            (without_slope, [("derivative", 2), ("derivative", 1)]),
            (not_transposed, [("transposed", 2)]),
            (negative, [("sign", 2), ("sign", 1)]),
        ],
        "weight_gradient": [
            (lambda H, delta: 2 * (H.T @ delta), [("factor", 3), ("factor", 2), ("factor", 1)])
        ],
        "bias_gradient": [(lambda delta: 0 * delta[0], [("bias", 3), ("bias", 2), ("bias", 1)])],
        "loss_gradient": [(lambda Z, Y, loss, w=None: Y - loss.delta(Z, 0 * Y), [("sign", None)])],
    }
    for name, cases in broken.items():
        for function, expected in cases:
            with monkeypatch.context() as patch:
                patch.setattr(f"glassnet.nn.reference.{name}", function)
                check = gn.check_gradients(network, *problem, engine="numpy")
            findings = [(f.kind, f.layer) for f in mistakes(check)]
            assert findings == expected, check.verdict


# ---- Penalties and weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize(
    ("given", "asked", "words"),
    [
        ({"l2": 0.3}, {"l2": 0.3, "l1": 0.2}, r"gradient of the l1 penalty, l1 sign\(W\), is missing"),
        ({"l1": 0.2}, {"l2": 0.3, "l1": 0.2}, "gradient of the l2 penalty, l2 W, is missing"),
        ({}, {"l2": 0.3}, "gradient of the l2 penalty, l2 W, is missing"),
        ({"l2": 0.6}, {"l2": 0.3}, "without its 1/2"),
        ({"l2": 0.3 / N}, {"l2": 0.3}, "divided by the number of samples, 40"),
    ],
)
def test_penalty_that_is_missing_or_counted_otherwise_is_named(given, asked, words, reduction):
    theta, X, y = problem_of(NOTEBOOK)
    _, gradient = gn.loss_and_gradient(NOTEBOOK, theta, X, y, reduction, **given)
    findings, _ = named(NOTEBOOK, gradient, theta, X, y, reduction=reduction, **asked)
    assert [f.kind for f in findings] == ["penalty"]
    assert re.search(words, findings[0].words)
    assert findings[0].names == ("W1", "W2")


def test_penalty_on_biases_is_named():
    theta, X, y = problem_of(NOTEBOOK)
    _, gradient = gn.loss_and_gradient(NOTEBOOK, theta, X, y, l2=0.3)
    for b, part in zip(theta.biases, gradient.biases, strict=True):
        part += 0.3 * b
    findings, _ = named(NOTEBOOK, gradient, theta, X, y, l2=0.3)
    assert [(f.kind, f.words, f.names) for f in findings] == [
        ("penalty", "the penalty acts on biases too", ("b1", "b2"))
    ]


def test_sample_weights_that_are_forgotten_are_named():
    theta, X, y = problem_of(NOTEBOOK)
    w = np.linspace(0.5, 2, N)
    for reduction in ("mean", "sum"):
        _, gradient = gn.loss_and_gradient(NOTEBOOK, theta, X, y, reduction)
        findings, _ = named(NOTEBOOK, gradient, theta, X, y, sample_weight=w, reduction=reduction)
        assert [(f.kind, f.words) for f in findings] == [("weights", "the sample weights are left out")]
    _, gradient = gn.loss_and_gradient(NOTEBOOK, theta, X, y, "sum", w)
    gradient.flat[:] /= N
    findings, _ = named(NOTEBOOK, gradient, theta, X, y, sample_weight=w)
    assert findings[0].kind == "factor"


def test_sum_beside_a_penalty_is_named_though_no_factor_is_common():
    theta, X, y = problem_of(NOTEBOOK)
    _, gradient = gn.loss_and_gradient(NOTEBOOK, theta, X, y, "sum", l2=0.3)
    findings, _ = named(NOTEBOOK, gradient, theta, X, y, l2=0.3)
    assert [f.words for f in findings] == ["the samples' losses are summed, not divided by 40"]


def test_copy_with_another_activation_other_inputs_or_other_targets_is_named():
    network = gn.Network((3, 4, 4, 2), hidden="logistic")
    theta, X, y = problem_of(network)
    one = homework(gn.Network(network.sizes, ["tanh", "logistic"]), theta, X, y)
    both = homework(gn.Network(network.sizes, "tanh"), theta, X, y)
    scaled = homework(network, theta, (X - X.mean(axis=0)) / X.std(axis=0), y)
    swapped = homework(network, theta, X, 1 - y)
    for gradient, kind, layer, words in (
        (one, "activation", 1, "layer 1 computes tanh in place of logistic"),
        (both, "activation", None, "every hidden layer computes tanh in place of logistic"),
        (scaled, "input", None, "the inputs are standardized, .* those of the check are not"),
        (swapped, "targets", None, "the targets' columns are in the reverse order"),
    ):
        findings, _ = named(network, gradient, theta, X, y)
        assert [(f.kind, f.layer) for f in findings] == [(kind, layer)]
        assert re.search(words, findings[0].words)


def test_weights_of_another_layer_on_the_way_back_are_named():
    network = gn.Network((3, 4, 4, 4, 2), hidden="tanh")
    theta, X, y = problem_of(network)
    wrong = theta.copy()
    wrong.weights[1][:] = theta.weights[2]
    Y = np.eye(2)[y]
    Hs = [X, *network.forward(theta, X)]
    delta = (Hs[-1] - Y) / N
    gradient = []
    for layer in (4, 3, 2, 1):
        gradient = [Hs[layer - 1].T @ delta, delta.sum(axis=0), *gradient]
        delta = (delta @ wrong.weights[layer - 1].T) * (1 - Hs[layer - 1] ** 2)
    findings, _ = named(network, gradient, theta, X, y)
    assert [(f.kind, f.layer, f.names) for f in findings] == [("order", 2, ("W1", "b1"))]
    assert findings[0].words == "W3 stands in place of W2 on the way from delta2 to delta1"


# ---- A user's own functions --------------------------------------------------------------------------


def own_network(slope=None, delta=None):
    swish = gn.Activation(
        "swish",
        lambda z: z / (1 + np.exp(-z)),
        slope or (lambda z, h: (1 + np.exp(-z) + z * np.exp(-z)) / (1 + np.exp(-z)) ** 2),
        "z / (1 + exp(-z))",
        "what I believe",
    )
    log_cosh = gn.Loss(
        "log_cosh",
        output="identity",
        target="real",
        value=lambda z, y: np.log(np.cosh(z - y)).sum(axis=1),
        delta=delta or (lambda z, y: np.tanh(z - y)),
        formula="sum_k log cosh(y_hat_k - y_k)",
        delta_formula="tanh(y_hat - y)",
    )
    return gn.Network((2, 4, 4, 2), ["tanh", swish], "identity", log_cosh)


@pytest.mark.parametrize(
    ("functions", "kind", "layer", "words"),
    [
        (
            {"slope": lambda z, h: 1 / (1 + np.exp(-z))},
            "derivative",
            2,
            r"in layer 2 the derivative of swish, what I believe, does not belong to its value, z / .* "
            r"at z = \S+ it gives \S+, the central difference \S+",
        ),
        (
            {"delta": lambda z, y: z - y},
            "loss",
            3,
            r"the delta of the loss log_cosh, tanh\(y_hat - y\), does not belong to its value, .* at z_0 =",
        ),
        (
            {"delta": lambda z, y: -np.tanh(z - y)},
            "loss",
            3,
            "the wrong sign: the delta of the loss",
        ),
        (
            {"delta": lambda z, y: np.tanh(z - y) / 2},
            "loss",
            3,
            "every entry is 0.5 times what it should be",
        ),
    ],
)
def test_own_function_whose_derivative_is_another_is_named(functions, kind, layer, words):
    assert gn.check_gradients(own_network(), *problem_of(own_network())).passed
    network = own_network(**functions)
    check = gn.check_gradients(network, *problem_of(network))
    findings = mistakes(check)
    assert [(f.kind, f.layer) for f in findings] == [(kind, layer)]
    assert re.search(words, findings[0].words)


def test_own_kink_is_not_taken_for_a_wrong_derivative():
    hinge = gn.Activation(
        "hinge", lambda z: np.maximum(z, 0), lambda z, h: (z > 0) * 1.0, "max(z, 0)", "1 or 0", kinks=(0.0,)
    )
    network = gn.Network((1, 2, 1), hinge, "identity")
    theta = gn.Parameters(network.sizes, np.array([1.0, -1.0, 0.0, 0.5, 2.0, 1.0, 0.3]))
    X, y = np.array([[0.0], [1.0], [-2.0]]), np.array([1.0, 0.0, 2.0])
    gradient = gn.loss_and_gradient(network, theta, X, y, engine="numpy")[1]
    gradient.weights[1][1, 0] += 1
    findings, check = named(network, gradient, theta, X, y)
    assert [(f.kind, f.words) for f in findings] == [("entry", "only W2[1, 0] is wrong in this array")]
    assert "kink" in {f.kind for f in check.findings}


# ---- What no hypothesis fits -------------------------------------------------------------------------


def test_place_is_said_where_no_mistake_is_recognized():
    problem = problem_of(DEEP)
    random = np.random.RandomState(0)
    right = homework(DEEP, *problem)

    def spoiled(*places):
        gradient = [part.copy() for part in right]
        for place in places:
            gradient[place] += 0.1 * random.randn(*gradient[place].shape)
        return named(DEEP, gradient, *problem)[0]

    (finding,) = spoiled(2)
    assert (finding.kind, finding.layer, finding.names) == ("unknown", 2, ("W2",))
    assert finding.words.startswith("delta2 is right, as b2 shows")
    (finding,) = spoiled(3)
    assert finding.words == "delta2 is right, as W2 shows: its sum over the samples is wrong"
    (finding,) = spoiled(0, 1, 2, 3)
    assert (finding.layer, finding.names) == (2, ("W1", "b1", "W2", "b2"))
    assert finding.words.startswith("layer 3 is right: the mistake lies on the way from delta3 to delta2")
    (finding,) = spoiled(*range(8))
    assert (finding.kind, finding.words) == ("unknown", "")


def test_gradient_of_another_array_is_recognized():
    problem = problem_of(VALUES)
    right = homework(VALUES, *problem)
    shapes = [part.shape for part in right]
    assert shapes[1] == shapes[3]
    right[1], right[3] = right[3], right[1]
    findings, _ = named(VALUES, right, *problem)
    assert [(f.kind, f.layer, f.words) for f in findings] == [
        ("order", 2, "it is the gradient of b1"),
        ("order", 1, "it is the gradient of b2"),
    ]


def test_findings_are_plain_in_a_dict():
    problem = problem_of(NOTEBOOK)
    gradient = homework(NOTEBOOK, *problem, slip="no derivative", at=1)
    plain = gn.check_gradients(NOTEBOOK, *problem, gradient=gradient).to_dict()["findings"]
    assert plain[0]["kind"] == "derivative"
    assert plain[0]["names"] == ["W1", "b1"]
    assert [f["kind"] for f in plain] == ["derivative", "match"]


def test_verdict_in_a_notebook_and_in_the_report_names_the_mistake():
    from glassnet.plots.report.tables import check_table

    problem = problem_of(NOTEBOOK)
    gradient = homework(NOTEBOOK, *problem, slip="no derivative", at=1)
    check = gn.check_gradients(NOTEBOOK, *problem, gradient=gradient)
    for text in (str(check), check._repr_html_(), check_table(check)):
        assert "is missing from delta1" in text
