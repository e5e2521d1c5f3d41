"""What hides what in 3-D, and planes in boxes."""

import numpy as np
import numpy.testing
from numpy.testing import assert_allclose

from glassnet.plots import geometry


def test_plane_in_box_cuts_every_edge_it_crosses():
    low, high = np.zeros(3), np.ones(3)
    hexagon = geometry.plane_in_box(np.ones(3), -1.5, low, high)
    assert len(hexagon) == 6
    steps = np.linalg.norm(hexagon - np.roll(hexagon, 1, axis=0), axis=1)
    assert_allclose(steps, np.sqrt(0.5))  # in order around it
    assert geometry.plane_in_box(np.ones(3), 5.0, low, high).shape == (0, 3)


def test_hidden_by_surface_finds_what_a_wall_hides():
    ticks = np.linspace(0, 1, 101)
    heights = np.where(np.abs(ticks - 0.5) < 0.02, 1.0, 0.0)[None, :].repeat(
        101, axis=0
    )  # a wall at x = 1/2
    points = np.array([[0.2, 0.5, 0.0], [0.8, 0.5, 0.0], [0.5, 0.5, 1.0]])
    towards = geometry.view_direction(30.0, 0.0)  # the viewer stands at large x
    hidden = geometry.hidden_by_surface(points, (ticks, ticks), heights, towards)
    assert hidden.tolist() == [True, False, False]


def test_hidden_by_surface_leaves_what_is_seen_from_beneath():
    ticks = np.linspace(0, 1, 50)
    heights = np.tile(4 * np.clip(0.5 - ticks, 0, None)[:, None], (1, 50))  # high at the viewer's edge
    towards = geometry.view_direction(20, -90)
    assert not geometry.hidden_by_surface(
        np.array([[0.5, 0.55, 0.0]]), (ticks, ticks), heights, towards
    ).any()
