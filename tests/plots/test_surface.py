"""The output as a surface, and its triangles cut along the borders of classes."""

import numpy as np
import numpy.testing
import pytest
from drawing import legend, make_run, rendered, with_each_output

import glassnet as gn
from glassnet import plots
from glassnet.plots.picture_data import (
    input_projection,
    make_field,
    make_grid,
)
from glassnet.plots.projection import spans
from glassnet.plots.surface import make_mesh


@pytest.mark.parametrize(("output", "width", "inputs"), with_each_output([2, 1, 5]))
def test_surface_of_every_network_is_drawn_and_named(output, width, inputs, make_data):
    run = make_run((inputs, 3, width), output)
    X, _ = make_data(run.network, 40)
    figure = plots.output_surface(run, X=X, resolution=20)
    assert rendered(figure).std() > 0
    axes, field = figure.axes[0], make_field(run)
    label = axes.get_ylabel() if inputs == 1 else axes.get_zlabel()
    assert label == ("probability" if inputs == 1 and field.is_class else field.quantity)


def test_surface_covers_the_notebooks_range_by_default():
    axes = plots.output_surface(make_run((2, 3, 2))).axes[0]
    assert (axes.get_xlim(), axes.get_ylim(), axes.get_zlim()) == ((-1.5, 1.5), (-1.5, 1.5), (0, 1))


def test_surface_of_a_run_that_scales_covers_its_own_units():
    X = np.array([[2e4, 5e-3], [3e4, 1e-3], [1e4, 3e-3]])
    run = gn.train(gn.Network((2, 1), output="identity"), X, X[:, 0], standardize=True, random_state=0)
    mean, scale = X.mean(axis=0), X.std(axis=0)
    paper = plots.output_surface(run, axes=(1, 0)).axes[0]
    for span, k in ((paper.get_xlim(), 1), (paper.get_ylim(), 0)):
        numpy.testing.assert_allclose(span, [mean[k] - 1.5 * scale[k], mean[k] + 1.5 * scale[k]])


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


@pytest.fixture
def grid():
    rng = np.random.RandomState(4)
    X = rng.uniform(-1.5, 1.5, (60, 2))
    run = gn.train(
        gn.Network((2, 6, 4)), X, np.arange(60) % 4, random_state=4, scheme="normal", iterations=20
    )
    field = make_field(run)
    return make_grid(field, input_projection(run.network.sizes[0], X, None, None), spans(None, 2), 40)


def test_mesh_covers_the_plane_once(grid):
    mesh = make_mesh(grid)
    a, b, c = mesh.points[mesh.triangles, :2].transpose(1, 0, 2)
    areas = np.cross(np.column_stack([b - a, 0 * b[:, 0]]), np.column_stack([c - a, 0 * c[:, 0]]))[:, 2] / 2
    assert areas.min() > -1e-12
    assert areas.sum() == pytest.approx(9)
    assert len(np.unique(mesh.classes)) > 1


def test_mesh_triangles_have_one_class_each(grid):
    mesh = make_mesh(grid)
    assert np.all(np.ptp(mesh.classes[mesh.triangles], axis=1) == 0)


def test_mesh_is_cut_where_two_classes_are_equally_probable(grid):
    mesh = make_mesh(grid)
    added = mesh.points[grid.values[..., 0].size :]
    P = np.sort(grid.field(grid.projection.lift(added[:, :2])), axis=1)
    inner = P[:, -1] - P[:, -2]
    # The corners of cut cells belong to one class; all other new points lie on a border.
    corners = {tuple(place) for place in mesh.points[: grid.values[..., 0].size, :2]}
    border = np.array([tuple(place) not in corners for place in added[:, :2]])
    assert border.any()
    assert inner[border].max() < 0.02
    np.testing.assert_array_equal(added[:, 2], P[:, -1])
