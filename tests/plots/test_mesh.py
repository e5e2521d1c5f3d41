"""A surface of several classes: cut along the borders, and which of its lines can be seen."""

import numpy as np
import pytest

import glassnet as gn
from glassnet.plots import geometry
from glassnet.plots.picture_data import input_projection, make_field, make_grid
from glassnet.plots.projection import spans
from glassnet.plots.surface import make_mesh

pytest.importorskip("matplotlib")


@pytest.fixture
def grid():
    rng = np.random.RandomState(4)
    X = rng.uniform(-1.5, 1.5, (60, 2))
    run = gn.train(
        gn.Network((2, 6, 4)), X, np.arange(60) % 4, random_state=4, scheme="normal", iterations=20
    )
    field = make_field(run)
    return make_grid(field, input_projection(run.network, X, None, None), spans(None, 2), 40)


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


def test_hidden_by_surface_leaves_what_is_seen_from_beneath():
    ticks = np.linspace(0, 1, 50)
    heights = np.tile(4 * np.clip(0.5 - ticks, 0, None)[:, None], (1, 50))  # high at the viewer's edge
    towards = geometry.view_direction(20, -90)
    assert not geometry.hidden_by_surface(
        np.array([[0.5, 0.55, 0.0]]), (ticks, ticks), heights, towards
    ).any()
