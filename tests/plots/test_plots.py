import io
import pickle
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import glassnet as gn
from glassnet import plots
from glassnet.plots import geometry, style
from glassnet.plots import loss_curve as loss_curves
from glassnet.plots.curvature_trace import log_ticks
from glassnet.plots.loss_curve import loss_words
from glassnet.plots.picture_data import (
    Targets,
    boundary_lines,
    guess_targets,
    input_projection,
    make_cloud,
    make_field,
    make_grid,
    make_hidden_scene,
)
from glassnet.plots.projection import make_projection, spans

INPUTS = [1, 2, 5]
WIDTHS = {"softmax": [2, 3]}  # a softmax over one output does not exist
OUTPUTS = [(output, width) for output in gn.OUTPUTS for width in WIDTHS.get(output, [1, 2])]
HOSTILE = r"$\frac{$ <script>alert('x')</script> & \bad _{ %{x} " + "very " * 40


def make_run(
    sizes, output="softmax", seed=0, losses=(3.0, 2.0, 1.0), flat=None, hidden="logistic", **extra
):
    """A run as `train` gives it, without the training."""
    network = gn.Network(sizes, hidden=hidden, output=output)
    parameters = network.initialize(seed, scheme="normal")
    if flat is not None:
        parameters = gn.Parameters(network.sizes, np.array(flat, dtype=float))
    given = {
        "network": network,
        "parameters": parameters,
        "theta": parameters,
        "averaged": None,
        "losses": np.array(losses, dtype=float),
        "iterations": len(losses) - 1,
        "seconds": 0.1,
        "status": "completed",
        "diverged_at": None,
        "optimizer": gn.SGD(0.1),
        "engine": "numpy",
        "engine_reason": "asked for",
        "threads": 1,
        "reduction": "mean",
        "dtype": parameters.dtype,
        "batch_size": None,
        "validation_losses": np.empty(0),
        "validation_iterations": np.empty(0, np.int64),
        "best_iteration": None,
        "extra": {},
    }
    return SimpleNamespace(**{**given, **extra})


def rendered(figure, dpi=50):
    """The figure's pixels, (height, width, 4); drawing it is half of the test."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dpi)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def texts(figure):
    """All that the figure says."""
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def legend(figure):
    """The legend's entries."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


def separable(n=60):
    """Two classes on either side of x1 + x2 = 0, and a network (2, 2) that divides them just there."""
    X = np.random.RandomState(3).randn(n, 2)
    return X, (X.sum(axis=1) > 0).astype(int), make_run((2, 2), flat=[-2, 2, -2, 2, 0, 0])


@pytest.fixture(scope="module")
def circles_run(circles, circles_data):
    names = ("hidden_weights", "hidden_bias", "output_weights", "output_bias")
    flat = np.concatenate([circles[f"final_{name}"].ravel() for name in names])
    return make_run((2, 3, 2), flat=flat, losses=circles["loss"], reduction="sum"), *circles_data[:2]


# ---- Every picture of every kind of network -----------------------------------------------------


@pytest.mark.parametrize(("inputs", "hidden"), [(1, (3,)), (2, ()), (2, (3,)), (5, (3,))], ids=str)
@pytest.mark.parametrize(("output", "width"), OUTPUTS)
def test_boundary_of_every_network_is_drawn_and_named(output, width, inputs, hidden, make_data):
    run = make_run((inputs, *hidden, width), output)
    X, y = make_data(run.network, 40)
    figure = plots.decision_boundary(run, X, y, resolution=20)
    assert rendered(figure).std() > 0
    axes, field = figure.axes[0], make_field(run)
    if inputs == 5:
        assert axes.get_xlabel().startswith("principal axis 1")
        assert "through the samples' mean" in " ".join(" ".join(texts(figure)).split())
    else:
        assert axes.get_xlabel() == "x₁"
    if field.is_class:
        entries = [entry.rpartition(" (")[0] for entry in legend(figure)]
        assert entries[: len(field.names)] == list(field.names)
    else:
        scales = [scale.get_ylabel() for scale in figure.axes[1:]]
        assert scales == ([] if inputs == 1 else [field.names[0]])


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize(("output", "width"), OUTPUTS)
def test_surface_of_every_network_is_drawn_and_named(output, width, inputs, make_data):
    run = make_run((inputs, 3, width), output)
    X, _ = make_data(run.network, 40)
    figure = plots.output_surface(run, X=X, resolution=20)
    assert rendered(figure).std() > 0
    axes, field = figure.axes[0], make_field(run)
    label = axes.get_ylabel() if inputs == 1 else axes.get_zlabel()
    assert label == ("probability" if inputs == 1 and field.is_class else field.quantity)


@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize(("output", "outputs"), OUTPUTS)
def test_hidden_projection_has_an_axis_per_unit(output, outputs, width, make_data):
    run = make_run((2, width, outputs), output)
    figure = plots.hidden_projection(run, *make_data(run.network, 30))
    assert rendered(figure).std() > 0
    axes = figure.axes[0]
    labels = [axes.get_xlabel(), axes.get_ylabel()] + ([axes.get_zlabel()] if width >= 3 else [])
    if width == 8:
        assert [label.startswith(f"principal axis {i}") for i, label in enumerate(labels, 1)] == [True] * 3
    else:
        assert labels == {1: ["h₁", "samples"], 2: ["h₁", "h₂"], 3: ["h₁", "h₂", "h₃"]}[width]


# ---- The data -----------------------------------------------------------------------------------


def test_data_shows_each_class_with_its_count():
    figure = plots.data([[0.0, 1.0], [1.0, 0.0], [2.0, 2.0]], ["b", "a", "b"], feature_names=["p", "q"])
    assert legend(figure) == ["a (1)", "b (2)"]
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("p", "q")


def test_data_gives_values_a_color_scale():
    X = np.random.RandomState(0).randn(30, 2)
    figure = plots.data(X, X[:, 0], class_names=["height"])
    assert not figure.legends
    assert [axes.get_ylabel() for axes in figure.axes[1:]] == ["height"]


@pytest.mark.parametrize(
    ("y", "names", "is_class"),
    [
        (["no", "yes", "no"], ("no", "yes"), True),
        ([True, False, True], ("class 0", "class 1"), True),
        ([2.0, 5.0, 2.0], ("class 2", "class 5"), True),
        ([[0, 1], [1, 0], [0, 1]], ("class 0", "class 1"), True),
        ([0.5, 1.0, 2.0], ("y",), False),
        ([[0.5, 3.0], [1.0, 2.0], [2.0, 1.0]], ("y",), False),
    ],
)
def test_guess_targets_tells_classes_from_values(y, names, is_class):
    targets = guess_targets(y, 3)
    assert (targets.names, targets.is_class) == (names, is_class)


def test_guess_targets_numbers_index_the_names_they_are_given():
    targets = guess_targets([1, 1, 1], 3, ["out", "in"])
    assert [targets.names[i] for i in targets.values] == ["in"] * 3


def test_data_of_a_single_class_or_sample_is_drawn():
    assert rendered(plots.data([[1.0, 2.0]], [0])).std() > 0
    assert rendered(plots.data(np.zeros((5, 2)), np.zeros(5, dtype=int))).std() > 0


@pytest.mark.parametrize(
    ("X", "y", "words"),
    [
        (np.empty((0, 2)), [], "empty"),
        (np.empty((3, 0)), [0, 1, 0], "empty"),
        ([[0.0, np.nan]], [0], "nan at row 0"),
        ([[0.0, 1.0]], [0, 1], "y has shape"),
        ([0.0, 1.0], [0, 1], "dimension"),
        ([[0.0, 1.0]], [np.inf], "inf"),
    ],
)
def test_data_refuses_arrays_it_cannot_draw(X, y, words):
    with pytest.raises(gn.InputError, match=words):
        plots.data(X, y)


def test_data_draws_all_of_50_000_samples_without_a_blot(circles_data):
    X, y, _ = circles_data
    figure = plots.data(X, y)
    drawn = sum(len(line.get_xdata()) for line in figure.axes[0].lines)
    assert drawn == len(X)
    pixels = rendered(figure, style.DPI)[..., :3]
    (left, bottom), (right, top) = figure.axes[0].transData.transform([(-0.15, -0.15), (0.15, 0.15)])
    middle = pixels[len(pixels) - int(top) : len(pixels) - int(bottom), int(left) : int(right)]
    # The densest part is shaded: the dots' full color is rare, and some paper shows through.
    assert np.median(np.abs(middle - 255 * style.rgb(style.OKABE_ITO[1])).max(axis=-1)) > 10
    assert len(np.unique(middle.reshape(-1, 3), axis=0)) > 50


def test_opacities_fall_with_density():
    random = np.random.RandomState(0)
    dense, sparse = random.uniform(-0.1, 0.1, (20_000, 2)), random.uniform(-1, 1, (200, 2))
    U = np.vstack([dense, sparse])
    fade = style.opacities(U, np.array([[-1.0, 1.0], [-1.0, 1.0]]), 1.1)
    assert fade[:20_000].mean() < 0.3 * fade[20_000:].mean()


def test_more_samples_than_can_be_seen_are_thinned_and_said_so():
    X = np.random.RandomState(0).randn(300, 2)
    targets = Targets(np.zeros(300, dtype=int), ("a",), True)
    cloud = make_cloud(X, targets, make_projection(X, 2, 2, None, ("x", "y")), most=100)
    assert len(cloud.points) == 100
    assert cloud.note == "100 of 300 samples drawn at random"


# ---- The loss -----------------------------------------------------------------------------------


def test_loss_shows_the_notebooks_plateau_and_cliff(circles_run):
    run, _, _ = circles_run
    figure = plots.loss(run)
    words = " ".join(texts(figure))
    assert "a plateau near 12,900 until 6,046, then 246 at 6,246" in words
    assert "start: 39,183" in words
    assert "end: 7.65" in words
    assert figure.axes[0].get_ylabel() == "summed cross-entropy (log scale)"


def test_thinned_keeps_every_extreme():
    values = np.sin(np.arange(100_000.0))
    values[54_321], values[77_777] = 9, -9
    keep = loss_curves.thinned(values, 1000)
    assert len(keep) <= 1000
    assert {0, 54_321, 77_777, 99_999} <= set(keep.tolist())


def test_loss_marks_where_a_run_diverged():
    run = make_run((1, 2), losses=[1.0, 5.0, 1e300], status="diverged", diverged_at=3)
    figure = plots.loss(run)
    assert any("diverged at iteration 3" in text for text in texts(figure))
    assert rendered(figure).std() > 0


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([1.0], "log"),
        ([2.0, np.nan, 1.0, np.inf], "log"),
        ([np.nan, np.nan], "linear"),
        ([1.0, 0.0], "linear"),
        ([1.0, -1.0], "linear"),
        ([2.0, 2.0, 2.0], "log"),
        ([1e-320, 1e308], "log"),
    ],
)
def test_loss_of_any_history_is_drawn(losses, scale):
    figure = plots.loss(make_run((1, 2), losses=losses))
    assert figure.axes[0].get_yscale() == scale
    assert rendered(figure).std() > 0


def test_loss_refuses_a_run_without_losses():
    with pytest.raises(gn.InputError, match="at least one"):
        plots.loss(make_run((1, 2), losses=[]))


def test_loss_per_epoch_starts_at_epoch_1():
    run = make_run((1, 2), losses=[3.0, 2.0], iterations=2, batch_size=10)
    assert_array_equal(loss_curves.make_loss_curve(run).iterations, [1, 2])
    figure = plots.loss(run)
    assert figure.axes[0].get_xlabel() == "epoch"
    assert any("2 epochs of batches of 10" in text for text in texts(figure))


def test_loss_draws_the_validation_curve_and_its_best():
    run = make_run(
        (1, 2),
        losses=[3.0, 2.0, 1.5],
        validation_losses=np.array([40.0, np.nan]),
        validation_iterations=np.array([0, 2]),
        best_iteration=0,
    )
    axes = plots.loss(run).axes[0]
    lines = {line.get_label(): line.get_xydata() for line in axes.lines}
    assert_array_equal(lines["training"], [[0, 3], [1, 2], [2, 1.5]])
    assert_array_equal(lines["validation"], [[0, 40], [2, np.nan]])
    assert_array_equal(lines["best, at 0"], [[0, 40]])
    assert axes.get_ylim()[1] > 40
    assert plots.loss(make_run((1, 2))).legends == []


def test_find_cliff_leaves_a_smooth_curve_alone():
    k = np.arange(10_001)
    assert loss_curves.find_cliff(k, 1 / (1.0 + k)) is None
    assert loss_curves.find_cliff(k, np.exp(-k / 500)) is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(12876.9, "12,900"), (0.00153, "0.00153"), (1e-9, "1e-09"), (0.0, "0"), (1e12, "1e+12")],
)
def test_readable_spells_numbers_plainly(value, text):
    assert style.readable(value) == text


# ---- The boundary -------------------------------------------------------------------------------


def test_boundary_lies_where_the_classes_are_equally_probable():
    X, y, run = separable()
    field = make_field(run)
    grid = make_grid(field, input_projection(run.network, X, None, None), spans(X, 2), 80)
    (line,) = boundary_lines(grid)
    assert_allclose(line.sum(axis=1), 0, atol=1e-9)
    assert "P = 1/2" in legend(plots.decision_boundary(run, X, y))


def test_boundary_is_not_claimed_where_there_is_none():
    X = np.random.RandomState(0).randn(20, 2)
    run = make_run((2, 2), flat=[0, 0, 0, 0, 5, -5])
    figure = plots.decision_boundary(run, X, np.zeros(20, dtype=int))
    assert legend(figure) == ["class 0 (20)", "class 1 (0)"]


def test_boundary_of_the_circles_goes_around_the_inner_class(circles_run):
    run, X, _ = circles_run
    grid = make_grid(make_field(run), input_projection(run.network, X, None, None), spans(X, 2), 200)
    (line,) = boundary_lines(grid)
    radius = np.hypot(*line.T)
    assert 0.4 < radius.min() < radius.max() < 0.8
    assert_allclose(line[0], line[-1])  # closed
    assert_allclose(make_field(run)(line)[:, 1], 0.5, atol=0.02)


def test_boundary_rings_each_misclassified_sample():
    X, y, run = separable()
    y[:3] = 1 - y[:3]
    figure = plots.decision_boundary(run, X, y)
    assert "misclassified (3)" in legend(figure)
    rings = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "none"]
    assert_array_equal(np.sort(rings[0].get_xydata(), axis=0), np.sort(X[:3], axis=0))


def test_boundary_tints_by_the_leading_class_and_fades_where_none_leads():
    colors = style.class_colors(3)
    sure, unsure = style.shades(np.array([[0.0, 1.0, 0.0], [1 / 3, 1 / 3, 1 / 3]]), colors)
    assert_allclose(unsure, 1)
    assert_allclose(sure, style.tint(colors[1], 0.3))


def test_crossing_over_one_input_is_exact():
    run = make_run((1, 2), flat=[-3, 3, 1.5, -1.5])  # P = 1/2 at x = 1/2
    figure = plots.decision_boundary(run, [[-1.0], [2.0]], [0, 1])
    uprights = [
        line for line in figure.axes[0].lines if len(set(line.get_xdata())) == 1 < len(line.get_xdata())
    ]
    assert_allclose(uprights[0].get_xdata()[0], 0.5, atol=1e-9)


def test_output_picks_one_class_against_the_rest():
    run = make_run((2, 4, 3))
    X = np.random.RandomState(0).randn(30, 2)
    field = make_field(run, ["a", "b", "c"], output=1)
    P = run.network.predict_proba(run.parameters, X)
    assert field.names == ("not b", "b")
    assert_allclose(field(X), np.stack([1 - P[:, 1], P[:, 1]], axis=1))
    assert_array_equal(field.targets(np.arange(30) % 3, 30).values, np.arange(30) % 3 == 1)


def test_axes_choose_the_plane_through_the_mean():
    X = np.random.RandomState(0).randn(50, 5) + 3
    run = make_run((5, 3, 2))
    projection = input_projection(run.network, X, ("e", 1), list("abcde"))
    assert projection.labels == ("e", "b")
    assert_allclose(projection.project(X), X[:, [4, 1]])
    lifted = projection.lift(np.array([[7.0, 8.0]]))[0]
    assert_allclose(lifted, [X[:, 0].mean(), 8, X[:, 2].mean(), X[:, 3].mean(), 7])
    figure = plots.decision_boundary(run, X, np.arange(50) % 2, axes=("e", 1), feature_names=list("abcde"))
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("e", "b")
    assert "the other 3 at their mean" in " ".join(" ".join(texts(figure)).split())


def test_principal_axes_are_those_of_an_svd():
    X = np.random.RandomState(0).randn(80, 4) @ np.diag([5, 1, 3, 0.5]) + 2
    projection = make_projection(X, 4, 2, None, list("abcd"))
    _, _, directions = np.linalg.svd(X - X.mean(axis=0))
    for mine, theirs in zip(projection.directions, directions, strict=False):
        assert_allclose(abs(mine @ theirs), 1)
    assert_allclose(projection.lift(np.zeros((1, 2)))[0], X.mean(axis=0))
    assert_allclose(projection.project(projection.lift(np.array([[1.0, -2.0]]))), [[1, -2]], atol=1e-12)


@pytest.mark.parametrize(
    ("axes", "error", "words"),
    [
        (("a", "nope"), gn.InputError, "Unknown coordinate"),
        ((0, 0), gn.InputError, "twice"),
        ((0, 9), gn.InputError, "index from 0 to 4"),
        ((0, 1, 2), gn.InputError, "1 to 2"),
        ((), gn.InputError, "1 to 2"),
        ((0, True), gn.InputTypeError, "indices or names"),
    ],
)
def test_axes_that_do_not_exist_are_refused(axes, error, words):
    X = np.random.RandomState(0).randn(10, 5)
    with pytest.raises(error, match=words):
        plots.data(X, np.arange(10) % 2, axes=axes, feature_names=list("abcde"))


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ({"output": 2}, "output is 2"),
        ({"class_names": ["one"]}, "expected 2"),
        ({"feature_names": ["one"]}, "expected 2"),
        ({"resolution": 1}, "resolution"),
        ({"limits": (1, 0)}, "limits"),
        ({"limits": (1, 2, 3)}, "limits"),
    ],
)
def test_boundary_refuses_what_it_cannot_draw(extra, words):
    X, y, run = separable()
    with pytest.raises(gn.InputError, match=words):
        plots.decision_boundary(run, X, y, **extra)


def test_boundary_of_a_network_that_blew_up_is_drawn_without_warnings():
    X, y, _ = separable()
    run = make_run((2, 3, 2), hidden="relu", flat=np.full(17, 1e200))
    assert rendered(plots.decision_boundary(run, X, y)).std() > 0
    assert rendered(plots.output_surface(run)).std() > 0


# ---- The hidden layer ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "sizes"), [("softmax", (2, 3, 2)), ("logistic", (2, 3, 1)), ("logistic", (2, 3, 2))]
)
def test_separating_plane_is_where_the_output_layer_decides(output, sizes, make_data):
    run = make_run(sizes, output, seed=1)
    X, y = make_data(run.network, 200)
    field = make_field(run)
    w, b = make_hidden_scene(field, X, y, None, -1).plane
    H = run.network.forward(run.parameters, X)[0]
    assert_array_equal(H @ w + b > 0, field(X)[:, 1] > 0.5)


def test_hidden_projection_of_the_circles_shows_the_plane(circles_run):
    run, X, y = circles_run
    figure = plots.hidden_projection(run, X, y)
    assert legend(figure)[-1] == "output layer's boundary"
    scene = make_hidden_scene(make_field(run), X, y, None, -1)
    w, b = scene.plane
    assert len(scene.corners) >= 3
    assert_allclose(scene.corners @ w + b, 0, atol=1e-9)
    sides = scene.cloud.points @ w + b > 0
    assert (sides == (y == 1)).mean() > 0.9999


@pytest.mark.parametrize("sizes", [(2, 3, 3), (2, 3, 3, 2)])
def test_no_plane_where_the_layer_does_not_divide_two_classes(sizes, make_data):
    run = make_run(sizes)
    X, y = make_data(run.network, 20)
    assert make_hidden_scene(make_field(run), X, y, None, 0).plane is None


def test_plane_in_box_cuts_every_edge_it_crosses():
    low, high = np.zeros(3), np.ones(3)
    hexagon = geometry.plane_in_box(np.ones(3), -1.5, low, high)
    assert len(hexagon) == 6
    steps = np.linalg.norm(hexagon - np.roll(hexagon, 1, axis=0), axis=1)
    assert_allclose(steps, np.sqrt(0.5))  # in order around it
    assert geometry.plane_in_box(np.ones(3), 5.0, low, high).shape == (0, 3)


def test_hidden_units_can_be_chosen():
    run = make_run((2, 8, 4, 2))
    X = np.random.RandomState(0).randn(30, 2)
    figure = plots.hidden_projection(run, X, np.arange(30) % 2, layer=0, units=(7, 0))
    assert (figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()) == ("h₈", "h₁")
    assert "The samples in hidden layer 1" in texts(figure)


@pytest.mark.parametrize(
    ("sizes", "layer", "words"), [((2, 2), -1, "no hidden layer"), ((2, 3, 2), 1, "layer is 1")]
)
def test_hidden_projection_refuses_a_layer_that_is_not_there(sizes, layer, words):
    X, y, _ = separable()
    with pytest.raises(gn.InputError, match=words):
        plots.hidden_projection(make_run(sizes), X, y, layer=layer)


# ---- The surface --------------------------------------------------------------------------------


def test_surface_covers_the_notebooks_range_by_default():
    axes = plots.output_surface(make_run((2, 3, 2))).axes[0]
    assert (axes.get_xlim(), axes.get_ylim(), axes.get_zlim()) == ((-1.5, 1.5), (-1.5, 1.5), (0, 1))


def test_surface_draws_the_half_contour_at_one_half(circles_run):
    figure = plots.output_surface(circles_run[0])
    assert legend(figure) == ["P = 1/2"]
    heights = np.concatenate([np.asarray(line.get_data_3d()[2]) for line in figure.axes[0].lines])
    assert set(heights[np.isfinite(heights)]) == {0.5}


def test_surface_of_several_classes_names_them():
    entries = legend(plots.output_surface(make_run((2, 5, 3), seed=4), resolution=40))
    assert entries[:3] == ["class 0", "class 1", "class 2"]


def test_surface_of_many_inputs_asks_for_samples():
    with pytest.raises(gn.InputError, match="give X="):
        plots.output_surface(make_run((5, 3, 2)))


def test_adaptive_grid_puts_points_where_the_field_is_steep():
    run = make_run((2, 2), flat=[-40, 40, 0, 0, 0, 0])  # a cliff at x = 0
    field, plane = make_field(run), input_projection(gn.Network((2, 2)), None, None, None)
    span = np.array([[-1.5, 1.5], [-1.5, 1.5]])
    even, steep = (make_grid(field, plane, span, 60, adaptive=adaptive) for adaptive in (False, True))
    near = [np.count_nonzero(np.abs(grid.ticks[0]) < 0.1) for grid in (even, steep)]
    assert near[1] > 4 * near[0]
    assert_allclose(steep.ticks[0][[0, -1]], [-1.5, 1.5])


def test_hidden_by_surface_finds_what_a_wall_hides():
    ticks = np.linspace(0, 1, 101)
    heights = np.where(np.abs(ticks - 0.5) < 0.02, 1.0, 0.0)[None, :].repeat(
        101, axis=0
    )  # a wall at x = 1/2
    points = np.array([[0.2, 0.5, 0.0], [0.8, 0.5, 0.0], [0.5, 0.5, 1.0]])
    towards = geometry.view_direction(30.0, 0.0)  # the viewer stands at large x
    hidden = geometry.hidden_by_surface(points, (ticks, ticks), heights, towards)
    assert hidden.tolist() == [True, False, False]


# ---- Names, figures, libraries ------------------------------------------------------------------


def test_long_and_hostile_names_neither_break_nor_widen_the_picture():
    X, y, run = separable()
    names = [HOSTILE, "_hidden from the legend"]
    extra = {"class_names": names, "title": HOSTILE}
    figures = [
        plots.data(X, y, feature_names=names, **extra),
        plots.decision_boundary(run, X, y, feature_names=names, **extra),
        plots.output_surface(run, feature_names=names, **extra),
        plots.hidden_projection(make_run((2, 3, 2)), X, y, **extra),
    ]
    for figure in figures:
        rendered(figure)
        box = figure.axes[0].get_window_extent()
        assert box.width > 0.3 * figure.bbox.width
        assert max(len(text) for text in texts(figure)) < 160
    assert any("_hidden" in entry for entry in legend(figures[0]))


def test_a_legend_of_many_classes_is_cut():
    y = np.arange(60) % 30
    figure = plots.data(np.random.RandomState(0).randn(60, 2), [f"class {i:02}" for i in y])
    entries = legend(figure)
    assert len(entries) == 13
    assert entries[-1] == "+18 classes"


def test_a_legend_of_many_classes_keeps_the_boundary_and_the_rings():
    rng = np.random.RandomState(0)
    X, y = rng.randn(60, 2), np.arange(60) % 14
    run = gn.train(gn.Network((2, 5, 14)), X, y, random_state=0, iterations=5)
    names = [f"a rather long name of the class {i:02}" for i in range(14)]
    entries = legend(plots.decision_boundary(run, X, y, class_names=names, resolution=60))
    assert entries[12:] == ["+2 classes", "equally probable", entries[-1]]
    assert entries[-1].startswith("misclassified")
    assert len(set(entries)) == 15


def test_a_slice_says_what_is_not_shown_and_what_rings_mean():
    X, y = np.random.RandomState(0).randn(40, 3), np.arange(40) % 2
    run = gn.train(gn.Network((3, 2)), X, y, random_state=0, iterations=5)
    figure = plots.decision_boundary(
        run, X, y, axes=["a", "b"], feature_names=["a", "b", "c"], resolution=30
    )
    words = " ".join(" ".join(texts(figure)).split())
    assert "c at its mean" in words
    assert "the sample itself is misclassified" in words


def test_colors_stay_apart_for_the_color_blind():
    # Vienot, Brettel and Mollon's (1999) matrices for deuteranopia and protanopia, on linear RGB.
    matrices = {
        "deuteranopia": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
        "protanopia": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    }
    linear = np.array([style.rgb(color) for color in style.OKABE_ITO[:2]]) ** 2.2
    for matrix in matrices.values():
        seen = np.clip(linear @ np.array(matrix).T, 0, 1) ** (1 / 2.2)
        assert np.linalg.norm(seen[0] - seen[1]) > 0.5


def test_figures_belong_to_no_pyplot_window_and_show_in_jupyter():
    code = (
        "import sys, glassnet as gn\n"
        "figure = gn.plots.data([[0.0, 1.0], [1.0, 0.0]], [0, 1])\n"
        "png, size = figure._repr_png_()\n"
        "assert png[:4] == b'\\x89PNG' and size['width'] == 580, size\n"
        "assert 'matplotlib.pyplot' not in sys.modules and 'plotly' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_ipython_shows_the_png():
    formatter = pytest.importorskip("IPython.core.formatters").PNGFormatter()
    shown = formatter(plots.data([[0.0, 1.0], [1.0, 0.0]], [0, 1]))
    assert shown[0].startswith(b"\x89PNG")


def test_figures_survive_pickling():
    figure = pickle.loads(pickle.dumps(plots.data([[0.0, 1.0], [1.0, 0.0]], [0, 1])))
    assert figure._repr_png_()[0].startswith(b"\x89PNG")


def test_figures_are_alike_whatever_the_users_defaults():
    import matplotlib

    def picture():
        return rendered(plots.data([[0.0, 1.0], [1.0, 0.0]], [0, 1]))

    plain = picture()
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "text.color": "red", "figure.facecolor": "black"}
    ):
        assert_array_equal(picture(), plain)


def test_pictures_can_be_drawn_in_threads():
    X, y, run = separable()
    pictures, errors = {}, []

    def draw(index):
        try:
            file = io.BytesIO()
            plots.decision_boundary(run, X, y, resolution=40).savefig(file, dpi=40)
            pictures[index] = file.getvalue()
        except Exception as error:  # a thread's exception would only be printed
            errors.append(error)

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(pictures.values())) == 1


@pytest.mark.parametrize("library", ["matplotlib", "plotly"])
def test_a_missing_library_says_how_to_install_it(library, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, library, None)
    for name in [name for name in sys.modules if name.startswith(f"{library}.")]:
        monkeypatch.setitem(sys.modules, name, None)
    X, y, run = separable()

    def picture():
        if library == "matplotlib":
            plots.data(X, y)
        else:
            gn.report.write_report(tmp_path / "report.html", run=run, X=X, y=y)

    with pytest.raises(plots.MissingLibraryError, match=r'pip install "glassnet\[plot\]"') as caught:
        picture()
    assert isinstance(caught.value, gn.GlassnetError)
    assert isinstance(caught.value, ImportError)
    assert not list(tmp_path.iterdir())


def test_arguments_are_not_changed():
    X, y, run = separable()
    before = X.copy(), y.copy(), run.parameters.copy(), run.losses.copy()
    plots.decision_boundary(run, X, y, resolution=10)
    plots.loss(run)
    assert_array_equal(X, before[0])
    assert_array_equal(y, before[1])
    assert run.parameters == before[2]
    assert_array_equal(run.losses, before[3])


# ---- The words of a loss curve --------------------------------------------------------------------


def boxes(figure):
    """The words beside points, in pixels as they are drawn."""
    from matplotlib.text import Text

    figure.canvas.draw()
    return [Text.get_window_extent(text) for text in figure.axes[0].texts if ": " in text.get_text()]


@pytest.mark.parametrize(
    "losses",
    [
        np.linspace(1.0, 0.5, 4),
        np.exp(-np.arange(7.0)),
        np.geomspace(5.0, 1e-3, 40),
        [1, 0.9, 0.8, 3, 0.7, 0.6],
        [1.0, 2.0],
    ],
)
def test_loss_words_lie_beside_a_short_curve_not_on_it(losses):
    figure = plots.loss(make_run((2, 2), losses=losses))
    line = figure.axes[0].lines[0]
    x, y = line.get_transform().transform(line.get_xydata()).T
    for box in boxes(figure):
        across = np.linspace(box.x0, box.x1, 200)
        heights = np.interp(across, x, y, np.nan, np.nan)
        assert not ((box.y0 < heights) & (heights < box.y1)).any()


def test_loss_words_call_an_epochs_mean_no_start():
    run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], random_state=0, iterations=1, batch_size=1)
    figure = plots.loss(run)
    (words,) = [text.get_text() for text in figure.axes[0].texts]
    assert words.startswith("epoch 1: ")
    ticks = figure.axes[0].get_xticks()
    assert [tick for tick in ticks if 0.5 < tick < 1.5] == [1]
    assert "1 epoch of batches of 1 by SGD" in figure.texts[1].get_text()


LONGEST = gn.AdamW(gn.WarmUp(gn.OneCycle(3e-3, steps=5000), updates=10), clip_norm=1.0, weight_decay=0.1)


def test_loss_heading_tells_what_a_long_rule_does_not_leave_at_its_default():
    figure = plots.loss(make_run((2, 2), losses=[1.0, 0.5], optimizer=LONGEST))
    words = " ".join(figure.texts[1].get_text().split())
    assert (
        "WarmUp(then=OneCycle(rate=0.003, steps=5000), updates=10), weight_decay=0.1, clip_norm=1.0"
        in words
    )
    assert "…" not in words


def test_a_heading_that_is_cut_says_so():
    figure = style.new_figure(6, 4)
    style.set_title(figure, "Heading", ["word " * 200])
    assert figure.texts[1].get_text().endswith("…")
    assert figure.texts[1].get_text().count("\n") == 3


def test_loss_of_what_is_no_run_says_what_it_takes():
    with pytest.raises(gn.InputTypeError, match=r"run is a TrainingRun, .*not Network"):
        gn.plots.loss(gn.Network((1, 2)))


# ---- What the curve says --------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [(), (4,), (4, 3)], ids=str)
@pytest.mark.parametrize("rule", [gn.SGD(0.5, 0.5), gn.Adam(), gn.LBFGS()], ids=lambda rule: rule.name)
def test_curvature_draws_every_kind_of_run(hidden, rule):
    X = np.random.RandomState(0).randn(30, 2)
    y = (X[:, 0] > 0).astype(int)
    trace = gn.CurvatureTrace(X, y, every=2)
    gn.train(
        gn.Network((2, *hidden, 2), hidden="relu"),
        X,
        y,
        optimizer=rule,
        iterations=6,
        random_state=0,
        callbacks=[trace],
    )
    figure = gn.plots.curvature(trace)
    figure.canvas.draw()
    assert len(figure.axes) == 3 + bool(hidden)
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert ("stability limit of rate 0.5: 6" in said) == (rule.name == "sgd")


def test_curvature_asks_for_a_trace_that_has_seen_a_run():
    with pytest.raises(gn.InputTypeError, match="CurvatureTrace"):
        gn.plots.curvature(3)
    with pytest.raises(gn.InputError, match="no run yet"):
        gn.plots.curvature(gn.CurvatureTrace([[0.0]], [0]))


def test_plots_of_a_run_refuse_what_is_none():
    X, y = [[0.0, 1.0], [1.0, 0.0]], [0, 1]
    for draw in (
        gn.plots.loss,
        gn.plots.output_surface,
        lambda what: gn.plots.decision_boundary(what, X, y),
        lambda what: gn.plots.hidden_projection(what, X, y),
    ):
        with pytest.raises(gn.InputTypeError, match=r"a TrainingRun, .*not MLPClassifier"):
            draw(gn.MLPClassifier())


@pytest.mark.parametrize("low", [1e-12, 0.3, 0.69])
@pytest.mark.parametrize("ratio", [1.001, 1.3, 4.0, 90.0, 1e9])
def test_log_ticks_label_every_span_with_a_few_round_numbers(low, ratio):
    ticks = log_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 9
    assert all(low <= tick <= low * ratio for tick in ticks)
    assert sorted(set(ticks)) == ticks


def test_curvature_labels_each_axis_and_keeps_the_layers_names_off_the_lines():
    X = np.random.RandomState(0).randn(30, 2)
    trace = gn.CurvatureTrace(X, X[:, 0], every=1)
    net = gn.Network((2, 4, 3, 1), hidden="relu", output="identity")
    gn.train(net, X, X[:, 0], iterations=5, random_state=0, callbacks=[trace])
    figure = gn.plots.curvature(trace)
    figure.canvas.draw()
    for paper in figure.axes[:3]:
        low, high = paper.get_ylim()
        assert sum(low <= tick <= high for tick in paper.get_yticks()) >= 2
    last = figure.axes[3]
    assert last.get_legend().get_window_extent().y0 >= last.get_window_extent().y1 - 8


@pytest.mark.parametrize(
    ("outputs", "loss", "reduction", "words"),
    [
        (1, "squared_error", "mean", "half the mean squared error"),
        (1, "squared_error", "sum", "half the summed squared error"),
        (2, "squared_error", "mean", "half the squared error per sample"),
        (1, "absolute_error", "mean", "mean absolute error"),
    ],
)
def test_axis_names_the_loss_as_it_is_reduced_and_halved(outputs, loss, reduction, words):
    X = np.random.RandomState(0).randn(8, 2)
    net = gn.Network((2, outputs), output="identity", loss=loss)
    run = gn.train(net, X, X[:, :outputs], iterations=2, random_state=0, reduction=reduction)
    assert loss_words(run) == words
    assert gn.plots.loss(run).axes[0].get_ylabel().startswith(words)
