"""Solvers on streamed data: curvature has the bits of data in memory, within the memory that is told."""

import numpy as np
import pytest
from streams import INPUTS, NAMES, N, draw, write

import glassnet as gn
from glassnet.data.arrays import ArrayDataset
from glassnet.engine.prepare import ProblemSettings, prepare_problem

SHAPES = {
    "samples in the lanes": ((INPUTS, 5, 3), 20),
    "pairs of parameters in the lanes": ((INPUTS, 20, 10, 3), 20),
    "matrices so large that there are a few": ((INPUTS, 30, 20, 3), 4),
    "a matrix so large that there is one": ((INPUTS, 40, 30, 3), 1),
}
"""A network's sizes, and how many matrices are summed apart for a softmax."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("rows"), *draw(), group=311)


def curvature_of(problem):
    """The matrix, and its product with a vector, at drawn parameters."""
    theta = problem.network.initialize(0, "sklearn", problem.dtype).flat
    vector = np.random.RandomState(1).randn(theta.size).astype(problem.dtype)
    return problem.gauss_newton(theta), problem.gauss_newton_product(theta, vector)


def same(ones, others):
    return all(np.array_equal(one, other) for one, other in zip(ones, others, strict=True))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_curvature_has_the_bits_of_data_in_memory(shape, dtype, folder):
    X, y, w = draw()
    sizes, matrices = SHAPES[shape]
    net = gn.Network(sizes, hidden="tanh")
    how = {"engine": "native", "dtype": dtype, "l2": 0.1}
    expected = curvature_of(gn.prepare(net, X, y, sample_weight=w, **how))
    rows = gn.stream(folder, "class", features=NAMES, sample_weight="weight", memory="128 MiB")
    for threads in (1, 3):
        settings = ProblemSettings(
            dtype=dtype, engine="native", threads=threads, penalties=gn.Penalties(l2=0.1)
        )
        problem = prepare_problem(net, rows, settings)
        assert same(curvature_of(problem), expected)
    assert len(problem._chunks.matrix_ranges) == matrices


@pytest.mark.parametrize("output", ["softmax", "logistic", "identity", "exp"])
@pytest.mark.parametrize("outputs", [2, 3])
def test_curvature_of_every_output_has_the_bits_of_data_in_memory(make_data, output, outputs):
    net = gn.Network((INPUTS, 6, outputs), output=output)
    X, y = make_data(net, 3_001)
    expected = curvature_of(gn.prepare(net, X, y, engine="native", class_weight=None))
    assert same(
        curvature_of(prepare_problem(net, gn.stream(X, y), ProblemSettings(engine="native"))), expected
    )


def test_reference_engine_sums_the_same_curvature_from_any_source(folder):
    X, y, w = draw()
    net = gn.Network((INPUTS, 6, 3))
    files = gn.stream(folder, "class", features=NAMES, sample_weight="weight")
    array = gn.stream(X, y, sample_weight=w)
    one, other = (
        curvature_of(prepare_problem(net, rows, ProblemSettings(engine="numpy", threads=threads)))
        for rows, threads in ((files, 1), (array, 2))
    )
    assert same(one, other)
    expected = curvature_of(gn.prepare(net, X, y, sample_weight=w, engine="numpy"))
    for found, wanted in zip(one, expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_bands_of_the_matrix_are_all_its_rows(shape, make_data):
    """A cluster sums a matrix in bands of rows, which have its bits."""
    net = gn.Network(SHAPES[shape][0])
    X, y = make_data(net, 400)
    rows = gn.stream(X, y)
    problem = prepare_problem(net, rows, ProblemSettings(engine="native"))
    expected = curvature_of(problem)
    rows.cluster_threads = lambda: 3 * len(problem._chunks.matrix_ranges)
    assert same(curvature_of(problem), expected)
    edges = problem._chunks.matrix_edges(3)
    assert len(set(edges)) == 4
    assert edges == sorted(edges)
    sizes = np.diff([edge.place for edge in edges])
    assert max(sizes) < 1.5 * min(sizes)


@pytest.mark.parametrize("solver", [kind() for kind in gn.SOLVERS.values()])
def test_saved_solver_goes_on_from_files(solver, folder, tmp_path):
    X, y, w = draw()
    net = gn.Network((INPUTS, 5, 3), hidden="tanh")
    rows = gn.stream(folder, "class", features=NAMES, sample_weight="weight")
    run = gn.train(net, rows, optimizer=solver, iterations=3, random_state=0)
    gn.save(run, tmp_path / "run.safetensors")
    resumed = gn.load(tmp_path / "run.safetensors").resume(2, X=rows)
    expected = gn.train(
        net, X, y, sample_weight=w, optimizer=solver, iterations=5, random_state=0, engine=run.engine
    )
    if run.engine == "native":
        assert np.array_equal(resumed.losses, expected.losses)
        assert resumed.parameters == expected.parameters
        assert resumed.penalties == expected.penalties


# ---- What the curve says ---------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", ["tanh", "relu"])
def test_curvature_of_files_is_that_of_data_in_memory(hidden, folder):
    X, y, w = draw()
    net = gn.Network((INPUTS, 5, 3), hidden=hidden)
    theta = net.initialize(0)
    rows = gn.stream(folder, "class", features=NAMES, sample_weight="weight")
    found = gn.curvature(net, theta, rows, l2=0.1)
    expected = gn.curvature(net, theta, X, y, sample_weight=w, l2=0.1)
    if hidden == "tanh" and gn.train(net, X, y, iterations=0).engine == "native":
        assert found == expected
    for name in ("loss", "gradient_norm", "lambda_max", "lambda_min", "saturation", "dead"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-9, atol=1e-12)


class Counted(ArrayDataset):
    """Rows that count how many have been read."""

    count = 0

    def read(self, start, stop, most, dtype):
        self.count += stop - start
        return super().read(start, stop, most, dtype)


def test_a_look_at_few_parameters_reads_all_rows_a_few_times():
    X, y, _ = draw()
    rows = Counted(X, y, None, 1 << 30)
    gn.curvature(gn.Network((INPUTS, 5, 3), hidden="tanh"), np.full(43, 0.1), rows, engine="native")
    assert rows.count == 4 * N  # a check, the gradient, all gradients of the Hessian, slopes


def test_trace_looks_at_rows_that_training_streams():
    X, y, _ = draw(600)
    net = gn.Network((INPUTS, 3, 3))
    rows = gn.stream(X, y)
    traces = gn.CurvatureTrace(rows, every=2), gn.CurvatureTrace(X, y, every=2)
    for trace in traces:
        gn.train(net, rows, iterations=4, random_state=0, callbacks=[trace])
    assert len(traces[0].points) == 3
    for name, column in traces[0].columns().items():
        np.testing.assert_allclose(column, traces[1].columns()[name], rtol=1e-9, atol=1e-12)


# ---- What is refused, before anything is read -----------------------------------------------------


class Unread(ArrayDataset):
    """Rows that must not be looked at."""

    def read(self, start, stop, most, dtype):
        raise AssertionError("a row was read")


def unread(memory=1 << 30, targets=1):
    X, y, _ = draw()
    return Unread(X, y if targets == 1 else np.column_stack([y] * targets), None, memory)


@pytest.mark.parametrize("solver", [gn.LevenbergMarquardt(), gn.BayesianRegularization()])
def test_matrix_beyond_the_memory_is_refused_in_words(solver):
    net = gn.Network((INPUTS, 370, 3))  # 2,963 parameters
    needed = solver.matrices * 8 * net.n_parameters**2
    words = (
        rf"{type(solver).__name__} would take {needed / 2**20:.0f} MiB for the matrix of 2,963 parameters"
    )
    with pytest.raises(gn.InputError, match=words + r".*, 96 MiB, half is .*gn\.NewtonCG\(\) or gn\.LBFGS"):
        gn.train(net, unread(96 << 20), optimizer=solver)
    assert solver.check(net, 2 * needed) is None  # as the message says


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        ({"loss": "absolute_error"}, {"optimizer": gn.LevenbergMarquardt()}, "takes the second derivative"),
        ({"loss": "huber"}, {"optimizer": gn.NewtonCG()}, "takes the second derivative"),
        ({}, {"optimizer": gn.LBFGS(), "batch_size": 10}, "leave batch_size out"),
        ({}, {"optimizer": gn.LBFGS(), "l1": 0.1}, "leave l1 out"),
        ({}, {"optimizer": gn.LBFGS(), "max_norm": 1.0}, "leave max_norm out"),
        ({}, {"optimizer": gn.NewtonCG(), "average": 0.9}, "leave average out"),
        ({}, {"optimizer": gn.LBFGS(), "dropout": 0.5}, "leave dropout out"),
        ({}, {"dropout": 0.5}, "dropout of streamed data needs batches"),
        ({}, {"dropout": [0.5, 0.5], "batch_size": 10}, "dropout has 2"),
        ({}, {"batch_size": 0}, "batch_size"),
        ({}, {"validation": 0.1}, "A fraction for validation is drawn from data in memory"),
        ({}, {"validation": ([[0.0] * INPUTS], [[0.0]]), "stopping": gn.EarlyStopping(metric="accuracy")},
         "EarlyStopping asks for accuracy"),
        ({}, {"scheme": "gloro"}, "'glorot'"),
        ({}, {"parameters": np.zeros(3)}, "parameters"),
        ({}, {"reduction": "max"}, "reduction"),
        ({}, {"class_weight": "balanced"}, "class_weight is for a softmax"),
        ({}, {"l2": -1.0}, "l2"),
        ({}, {"dtype": "int32"}, "dtype"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_is_read(network, settings, message):
    net = gn.Network((INPUTS, 3, 1), output="identity", **network)
    with pytest.raises((gn.InputError, gn.InputTypeError), match=message):
        gn.train(net, unread(), **settings)


def test_resuming_by_a_solver_that_does_not_fit_is_refused_before_anything_is_read():
    X, y, _ = draw()
    net = gn.Network((INPUTS, 370, 3))
    run = gn.train(net, gn.stream(X, y, memory="96 MiB"), iterations=1, random_state=0)
    solver = gn.LevenbergMarquardt()
    with pytest.raises(gn.InputError, match="would take 201 MiB"):
        run.resume(1, X=unread(96 << 20), optimizer=solver)
    with pytest.raises(gn.InputError, match="would take 201 MiB"):
        run.resume(1, optimizer=solver)
