"""The Gauss-Newton matrix: against its definition, between engines, threads and instruction sets."""

import numpy as np
import pytest
from numpy.random import RandomState

import glassnet as gn
from glassnet import native
from glassnet.nn import reference_curvature

SMOOTH = [loss for loss in gn.LOSSES.values() if loss.factor is not None]
every_loss = pytest.mark.parametrize("loss", SMOOTH, ids=lambda one: one.name)

CLOSE = {"float64": 1e-12, "float32": 1e-5}


def problem_for(loss, sizes, n=77, make=None, **settings):
    make_network, make_data = make
    if loss.output == "softmax":
        sizes = (*sizes[:-1], max(sizes[-1], 2))  # of one output it is always 1
    network = make_network(sizes, settings.pop("hidden", "tanh"), loss.name)
    X, y = make_data(network, n)
    flat = network.initialize(3, dtype=settings.get("dtype", "float64")).flat
    return network, X, y, flat, gn.prepare(network, X, y, **settings)


@pytest.fixture
def make(make_network, make_data):
    return make_network, make_data


@every_loss
def test_factor_squares_to_the_derivative_of_delta(loss):
    random = RandomState(0)
    z, y = 3 * random.randn(20, 4), random.uniform(size=(20, 4))
    y /= y.sum(axis=1, keepdims=True)
    H = np.einsum("kni,knj->nij", loss.factor(z), loss.factor(z))
    for j in range(4):
        step = np.zeros(4)
        step[j] = 1e-6
        slope = (loss.delta(z + step, y) - loss.delta(z - step, y)) / 2e-6
        assert np.allclose(H[:, :, j], slope, atol=1e-8)


@every_loss
@pytest.mark.parametrize("size", [1e3, 1e300])
def test_factor_stays_finite_at_any_logit(loss, size):
    z = np.array([[size, -size, 0.0], [-size, -size, -size], [size, size, -size]])
    if loss.name != "poisson":
        assert np.isfinite(loss.factor(z)).all()


@every_loss
@pytest.mark.parametrize("sizes", [(2, 2), (2, 7, 6, 2), (1, 20, 9, 3), (4, 30, 1)], ids=str)
def test_matrix_is_the_jacobians_square(loss, sizes, engine, make):
    weights = RandomState(2).uniform(0, 2, 77)
    network, X, _, flat, problem = problem_for(
        loss, sizes, make=make, sample_weight=weights, engine=engine, reduction="sum", l2=0.3
    )

    def outputs(at):
        theta = gn.Parameters(network.sizes, at)
        H = X
        for W, b, record in zip(theta.weights, theta.biases, (*network.hidden, None), strict=True):
            H = H @ W + b
            H = H if record is None else record.value(H)
        return H

    J = np.empty((77, network.sizes[-1], flat.size))
    for p in range(flat.size):
        step = np.zeros(flat.size)
        step[p] = 1e-6
        J[:, :, p] = (outputs(flat + step) - outputs(flat - step)) / 2e-6
    f = loss.factor(outputs(flat))
    b = np.einsum("kni,nip->knp", f, J) * np.sqrt(weights)[:, None]
    expected = np.einsum("knp,knq->pq", b, b)
    is_weight = np.concatenate(
        [np.repeat([0.3, 0], [W.size, W.shape[1]]) for W in weights_of(network, flat)]
    )
    G = problem.gauss_newton(flat)
    assert np.allclose(G, expected + np.diag(is_weight), rtol=1e-6, atol=1e-6 * np.abs(expected).max())
    assert np.array_equal(G, G.T)


def weights_of(network, flat):
    return gn.Parameters(network.sizes, flat).weights


@every_loss
@pytest.mark.parametrize(
    ("sizes", "n", "dtype"),
    [
        ((2, 2), 1, "float64"),
        ((3, 5, 4), 64, "float32"),
        ((2, 7, 6, 2), 333, "float64"),
        ((1, 30, 9, 3), 333, "float32"),
        ((4, 60, 1), 64, "float64"),
        ((4, 60, 2), 1, "float32"),
    ],
    ids=str,
)
def test_engines_agree_on_matrix_and_product(loss, dtype, sizes, n, make):
    how = {"dtype": dtype, "sample_weight": np.linspace(0, 2, n + 1)[1:]}
    *_, flat, one = problem_for(loss, sizes, n, make, engine="numpy", **how)
    *_, other = problem_for(loss, sizes, n, make, engine="native", **how)
    vector = RandomState(9).randn(flat.size).astype(dtype)
    G, product = one.gauss_newton(flat), one.gauss_newton_product(flat, vector)
    close, size = CLOSE[dtype], np.abs(product).max()
    assert np.allclose(other.gauss_newton(flat), G, rtol=0, atol=close * np.abs(G).max())
    assert np.allclose(other.gauss_newton_product(flat, vector), product, rtol=0, atol=close * size)
    assert np.allclose(product, G @ vector, rtol=0, atol=10 * close * size)


@pytest.mark.parametrize("activation", gn.ACTIVATIONS)
def test_engines_agree_for_every_activation(activation, make):
    loss = gn.LOSSES["cross_entropy"]
    one, other = (
        problem_for(loss, (2, 5, 4, 3), make=make, hidden=activation, engine=name)
        for name in ("numpy", "native")
    )
    G = one[4].gauss_newton(one[3])
    assert np.allclose(other[4].gauss_newton(one[3]), G, rtol=0, atol=1e-12 * np.abs(G).max())
    vector = RandomState(1).randn(one[3].size)
    assert np.allclose(other[4].gauss_newton_product(one[3], vector), G @ vector, atol=1e-11)


@pytest.mark.parametrize(("sizes", "dtype"), [((2, 3, 2), "float32"), ((3, 30, 10, 3), "float64")], ids=str)
def test_matrix_has_the_same_bits_on_any_number_of_threads(dtype, sizes, make):
    _, _, _, flat, problem = problem_for(
        gn.LOSSES["cross_entropy"], sizes, 5000, make, dtype=dtype, engine="native"
    )
    vector = RandomState(1).randn(flat.size).astype(dtype)
    found = [problem.with_threads(n).gauss_newton(flat) for n in (1, 2, 5)]
    products = [problem.with_threads(n).gauss_newton_product(flat, vector) for n in (1, 2, 5)]
    for G, product in zip(found, products, strict=True):
        assert np.array_equal(G, found[0])
        assert np.array_equal(product, products[0])


@pytest.mark.parametrize(
    ("output", "sizes"),
    [
        ("softmax", (3, 20, 5)),
        ("softmax", (2, 3, 2)),
        ("logistic", (2, 4, 3)),
        ("identity", (2, 30, 9, 2)),
        ("exp", (2, 5, 1)),
        ("identity", (3, 140, 1)),
        ("logistic", (70, 2, 3)),
    ],
    ids=str,
)
def test_matrix_has_the_same_bits_on_every_instruction_set(output, sizes, make_data, monkeypatch):
    net = gn.Network(sizes, hidden="tanh", output=output)
    X, y = make_data(net, 901)
    w = RandomState(1).uniform(size=901)
    for dtype in ("float32", "float64"):
        flat, results = net.initialize(0, dtype=dtype).flat, set()
        for isa in native.module.isas():
            monkeypatch.setenv("GLASSNET_ISA", isa)
            problem = gn.prepare(net, X, y, dtype=dtype, engine="native", sample_weight=w)
            product = problem.gauss_newton_product(flat, flat)
            results.add(problem.gauss_newton(flat).tobytes() + product.tobytes())
        assert len(results) == 1


def test_matrix_needs_a_loss_with_a_factor(engine):
    network = gn.Network((2, 1), output="identity", loss="huber")
    problem = gn.prepare(network, [[0.0, 1.0]], [[1.0]], engine=engine)
    for ask in (problem.gauss_newton, lambda flat: problem.gauss_newton_product(flat, flat)):
        with pytest.raises(gn.InputError, match=r"huber.*LBFGS"):
            ask(np.zeros(3))


def test_matrix_does_not_depend_on_how_rows_are_cut_in_numpy(monkeypatch):
    network = gn.Network((3, 4, 3))
    X, y = RandomState(0).randn(50, 3), RandomState(1).randint(0, 3, 50)
    problem = gn.prepare(network, X, y, engine="numpy")
    flat = network.initialize(0).flat
    whole = problem.gauss_newton(flat)
    monkeypatch.setattr(reference_curvature, "BLOCK", 100)
    assert np.allclose(problem.gauss_newton(flat), whole, rtol=1e-13)


@pytest.mark.parametrize("size", [1, 31, 32, 33, 100])
def test_mirrored_matrix_is_the_lower_triangle_twice(size):
    lower = np.tril(RandomState(size).randn(size, size))
    filled = lower + np.triu(np.full((size, size), np.nan), 1)
    native.module.mirror(filled)
    assert np.array_equal(filled, lower + np.tril(lower, -1).T)
