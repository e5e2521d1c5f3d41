import numpy as np
import pytest
from drawing import STRAIGHT, X, Y, line, make_run, texts

import glassnet as gn
from glassnet.plots.predictions import make_predictions

PICTURES = {
    False: [gn.plots.regression, gn.plots.error_histogram, gn.plots.fit],
    True: [gn.plots.confusion, gn.plots.roc],
}


def sets_of(run, *arguments, held_out=None, classes=False):
    return make_predictions(run, *arguments, held_out, None, None, classes)[1]


def test_predictions_of_a_run_that_held_rows_out_have_a_set_for_each_part():
    run = gn.train(STRAIGHT, X, Y, validation=0.25, test=0.125, iterations=5, random_state=0)
    sets = sets_of(run, X, Y, held_out={"new": (X[:3], Y[:3])})
    counts = {rows.name: rows.total for rows in sets}
    assert counts == {"training": 25, "validation": 10, "test": 5, "new": 3}
    seen = np.sort(np.concatenate([rows.X[:, 0] for rows in sets[:3]]))
    assert np.array_equal(seen, X[:, 0])
    np.testing.assert_allclose(sets[1].predicted, run.predict(sets[1].X).ravel())
    assert [rows.name for rows in sets_of(run, X[:9], Y[:9])] == ["training"]


def test_predictions_are_in_the_unit_of_the_tables_target():
    unit = {"preprocessing": {"target_mean": 100.0, "target_scale": 10.0}}
    (rows,) = sets_of(line(extra=unit), X, Y)
    np.testing.assert_allclose(rows.actual, 100 + 10 * Y)
    np.testing.assert_allclose(rows.errors, 0, atol=1e-9)
    figure = gn.plots.regression(line(extra=unit), X, Y, class_names=["cost (standardized)"])
    assert figure.axes[0].get_xlabel() == "cost"


def test_predictions_of_a_run_that_scales_by_itself_are_in_the_users_unit():
    run = gn.train(STRAIGHT, X, 1000 + 50 * Y, standardize=True, iterations=5, random_state=0)
    (rows,) = sets_of(run, X, 1000 + 50 * Y)
    np.testing.assert_allclose(rows.predicted, run.predict(X))
    curve = gn.plots.fit(run, X, 1000 + 50 * Y).axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(curve.max(), run.predict([[1.1]])[0], rtol=1e-3)


def test_predictions_of_many_rows_are_those_of_some_drawn_at_random(monkeypatch):
    monkeypatch.setattr("glassnet.plots.predictions.chosen_samples", lambda n, most: np.arange(0, n, 4))
    figure = gn.plots.error_histogram(line(), X, Y)
    assert any("10 of 40 training samples shown" in text for text in texts(figure))


@pytest.mark.parametrize("classes", [True, False])
def test_pictures_of_predictions_refuse_the_other_kind_of_target(classes):
    run = line() if classes else make_run((1, 2))
    for draw in PICTURES[classes]:
        with pytest.raises(gn.InputError, match=PICTURES[not classes][0].__name__):
            draw(run, X, Y > 1)


@pytest.mark.parametrize(
    ("held_out", "error", "words"),
    [
        (3, gn.InputTypeError, "pair"),
        ({"test": X}, gn.InputTypeError, "pair"),
        ((X, Y[:3]), gn.InputError, "3"),
    ],
)
def test_held_out_that_is_no_pair_is_refused(held_out, error, words):
    with pytest.raises(error, match=words):
        gn.plots.regression(line(), X, Y, held_out=held_out)


def test_errors_whose_squares_overflow_have_a_root_mean_square():
    (rows,) = sets_of(line(slope=2e200, offset=1e200), X, 1e200 * Y + 3e199)
    assert rows.rmse == pytest.approx(3e199)


def test_predictions_that_are_not_finite_are_left_out():
    (rows,) = sets_of(line(slope=1e308), 4 * X, Y)
    assert np.isfinite(rows.predicted).all()
    assert 0 < len(rows.predicted) < rows.total == 40
    with pytest.raises(gn.InputError, match="training samples"):
        gn.plots.regression(line(slope=1e308), 1e9 * X[:3], Y[:3])
