from itertools import pairwise

import numpy as np
import pytest
from drawing import HOSTILE, STRAIGHT, X, Y, legend, line, rendered, texts

import glassnet as gn
from glassnet.plots.predictions import Predictions
from glassnet.plots.quantities import error_counts, fitted_line


def rows_of(actual, predicted):
    actual, predicted = np.array(actual, float), np.array(predicted, float)
    return Predictions("training", actual[:, None], actual, predicted, len(actual))


def test_fitted_line_agrees_with_polyfit_and_corrcoef_in_any_unit():
    random = np.random.RandomState(0)
    actual, noise = random.randn(50), random.randn(50)
    for scale in (1e-150, 1.0, 1e150):
        rows = rows_of(scale * actual, scale * (0.5 * actual + noise + 3))
        fitted, words = fitted_line(rows)
        np.testing.assert_allclose(fitted, np.polyfit(actual, 0.5 * actual + noise + 3, 1) * [1, scale])
        assert words == f"R = {np.corrcoef(actual, 0.5 * actual + noise)[0, 1]:.4f}"


@pytest.mark.parametrize(
    ("actual", "predicted", "words"),
    [
        ([1, 2, 3], [3, 5, 7], "R = 1"),
        ([1, 2, 3], [-1, -2, -3], "R = -1"),
        ([0, 1, 2], [0, 1, 2 + 1e-4], "R = 0.9999999996"),
        ([1, 1], [1, 2], "R undefined, actual is constant"),
        ([1, 2], [1, 1], "R undefined, predicted is constant"),
    ],
)
def test_r_is_1_only_of_a_perfect_line_and_said_to_be_undefined(actual, predicted, words):
    assert fitted_line(rows_of(actual, predicted))[1] == words


def test_regression_has_a_panel_for_each_set_of_rows_on_one_scale():
    run = gn.train(STRAIGHT, X, Y, validation=0.25, iterations=5, random_state=0)
    held_out = dict.fromkeys(("test", HOSTILE), (X + 1, Y + 2))
    figure = gn.plots.regression(run, X, Y, held_out=held_out, class_names=[HOSTILE])
    titles = [paper.get_title(loc="left") for paper in figure.axes]
    assert [title.split(":")[0] for title in titles[:3]] == ["training", "validation", "test"]
    assert len({paper.get_xlim() + paper.get_ylim() for paper in figure.axes}) == 1
    assert legend(figure) == ["least squares", "predicted = actual"]
    assert rendered(figure).size


@pytest.mark.parametrize("draw", [gn.plots.regression, gn.plots.residuals])
@pytest.mark.parametrize("unit", [1.0, 961_697.0, 9.7e7])
def test_numbers_below_narrow_panels_stand_apart(draw, unit):
    x, y = np.linspace(0, 1, 40)[:, None], np.linspace(0.03 * unit, unit, 40)
    run = gn.train(
        STRAIGHT, x, y, standardize=True, validation=0.2, optimizer=gn.LBFGS(), iterations=5, random_state=0
    )
    figure = draw(run, x, y, held_out=(x, y))
    figure.canvas.draw()
    for paper in figure.axes:
        boxes = [label.get_window_extent() for label in paper.get_xticklabels() if label.get_text()]
        low, high = paper.bbox.x0 - 1, paper.bbox.x1 + 1
        boxes = [box for box in boxes if low <= (box.x0 + box.x1) / 2 <= high]
        assert len(boxes) > 1
        assert all(box.x1 < after.x0 for box, after in pairwise(boxes))


def test_errors_are_actual_minus_predicted_and_each_is_counted():
    rows = rows_of([0, 1, 2, 10], [0, 0, 0, 0])
    edges, (counts,) = error_counts([rows], bins=5)
    assert (edges[0], edges[-1]) == (0, 10)
    assert counts.tolist() == [2, 1, 0, 0, 1]
    assert error_counts([rows_of([1, 2], [1, 2])])[1][0].sum() == 2  # all alike


def test_error_histogram_stacks_the_sets_and_marks_no_error():
    figure = gn.plots.error_histogram(line(offset=0.0), X, Y, held_out=(X[:5], Y[:5] - 3), bins=7)
    (paper,) = figure.axes
    assert len(paper.patches) == 14
    assert sum(bar.get_height() for bar in paper.patches) == 45
    assert legend(figure) == ["training (40)", "held-out (5)", "no error"]
    assert paper.get_xlim()[0] < 0 < paper.get_xlim()[1]
    assert any("training ± 1" in text for text in texts(figure))
    assert rendered(figure).size


def test_fit_draws_the_curve_the_values_and_their_errors():
    figure = gn.plots.fit(line(offset=0.5), X, Y, feature_names=["t / s"], class_names=["U / V"])
    above, below = figure.axes
    curve = above.lines[0].get_xydata()
    np.testing.assert_allclose(curve[:, 1], 2 * curve[:, 0] + 0.5)
    errors = [segment[1, 1] for segment in below.collections[0].get_segments()]
    np.testing.assert_allclose(errors, 0.5)
    assert (above.get_ylabel(), below.get_xlabel()) == ("U / V", "t / s")
    assert rendered(figure).size


def test_fit_of_many_rows_draws_no_lines_to_them():
    inputs = np.linspace(-1, 1, 400)[:, None]
    figure = gn.plots.fit(line(), inputs, 2 * inputs + 1)
    assert not any(paper.collections for paper in figure.axes)


def test_fit_refuses_more_inputs_and_says_what_to_draw():
    run = gn.train(gn.Network((2, 1), output="identity"), np.eye(2), [0.0, 1.0], iterations=1)
    with pytest.raises(gn.InputError, match="2 inputs"):
        gn.plots.fit(run, np.eye(2), [0.0, 1.0])
