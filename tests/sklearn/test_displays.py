"""Displays in scikit-learn's form: what they compute, what they draw, whom they take and refuse."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.inspection import DecisionBoundaryDisplay
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler, scale

import glassnet as gn
from glassnet.errors import MissingLibraryError
from glassnet.sklearn.displays.network_diagram import strongest_units, strongest_weights, unit_heights
from glassnet.sklearn.displays.subject import find_subject

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y3 = load_iris(return_X_y=True)
X = scale(X)
NAMES = np.array(["setosa", "versicolor", "virginica"])
TARGET = X[:, 0] - 2 * X[:, 1] * X[:, 2]
HELD = np.arange(150) % 3 == 0
DISPLAYS = [gn.LossCurveDisplay, gn.HiddenProjectionDisplay, gn.NetworkDiagramDisplay]


@pytest.fixture(autouse=True)
def pyplot():
    """pyplot without windows; its figures do not outlive a test."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def small(kind=gn.MLPClassifier, **arguments):
    return kind(**{"hidden_layer_sizes": (5,), "max_iter": 12, "random_state": 0, **arguments})


def several(kind):
    """A fitted estimator of that kind, and its y."""
    y = {
        "one class": np.full(150, "setosa"),
        "binary": Y3 == 1,
        "multiclass": NAMES[Y3],
        "multilabel": np.stack([Y3 == 0, Y3 > 0], axis=1).astype(int),
        "multioutput": np.stack([Y3, Y3 % 2], axis=1),
        "regression": TARGET,
        "two values": np.stack([TARGET, -TARGET], axis=1),
        "lbfgs": Y3,
    }[kind]
    model = small(gn.MLPRegressor) if kind in ("regression", "two values") else small()
    return model.set_params(solver="lbfgs" if kind == "lbfgs" else "adam").fit(X, y), y


KINDS = (
    "one class",
    "binary",
    "multiclass",
    "multilabel",
    "multioutput",
    "regression",
    "two values",
    "lbfgs",
)


def make(display, model, y, **more):
    given = (X, y) if display is gn.HiddenProjectionDisplay else ()
    return display.from_estimator(model, *given, **more)


def drawn(display):
    """Draw it for good, which is half of the test; the pixels."""
    display.figure_.canvas.draw()
    return np.asarray(display.figure_.canvas.buffer_rgba())


def legend_of(display):
    return [text.get_text() for text in display.legend_.get_texts()]


def words(ax):
    return [text.get_text() for text in ax.texts]


# ---- All three ------------------------------------------------------------------------------------


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_display_draws_every_kind_of_estimator(display, kind):
    model, y = several(kind)
    made = make(display, model, y)
    assert drawn(made).std() > 0
    assert made.ax_.figure is made.figure_


@pytest.mark.parametrize("display", DISPLAYS)
def test_display_draws_on_axes_it_is_given_and_again_on_others(display, pyplot):
    model, y = several("multiclass")
    _, (first, second) = pyplot.subplots(1, 2)
    made = make(display, model, y, ax=first)
    assert made.ax_ is first
    assert made.plot(ax=second) is made
    assert made.ax_ is second
    assert first.has_data()
    assert second.has_data()


@pytest.mark.parametrize("display", DISPLAYS)
def test_display_takes_a_pipeline_that_ends_with_ours(display):
    inner = make_pipeline(StandardScaler(), small())
    pipeline = Pipeline([("nothing", "passthrough"), ("inner", inner)]).fit(3 * X + 1, NAMES[Y3])
    given = (3 * X + 1, NAMES[Y3]) if display is gn.HiddenProjectionDisplay else ()
    made = display.from_estimator(pipeline, *given)
    model, _ = several("multiclass")
    alone = make(display, model, NAMES[Y3])
    for name in ("losses", "points", "coefs"):
        if hasattr(made, name):
            np.testing.assert_allclose(
                np.ravel(getattr(made, name)[0]), np.ravel(getattr(alone, name)[0]), atol=1e-9
            )


@pytest.mark.parametrize("display", DISPLAYS)
def test_estimator_that_is_not_fitted_is_refused(display):
    for estimator in (small(), make_pipeline(StandardScaler(), small())):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            make(display, estimator, Y3)


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize(
    ("estimator", "told"),
    [
        (gn.MLPClassifier, "got the class MLPClassifier: make an instance and fit it"),
        (LogisticRegression(), r"got LogisticRegression \(LogisticRegression\(\)\)"),
        (TheirClassifier(), "got scikit-learn's MLPClassifier: import it from glassnet"),
        (make_pipeline(StandardScaler()), "got a Pipeline that ends with StandardScaler"),
        (
            GridSearchCV(small(), {"alpha": [0.1]}, cv=2),
            "pass one of the estimators that it has fitted",
        ),
        ("model", r"got str \('model'\)"),
    ],
)
def test_another_estimator_is_refused_by_what_came_and_how_to_mend_it(display, estimator, told):
    with pytest.raises(gn.InputTypeError, match=f"{display.__name__} draws a fitted .*{told}"):
        make(display, estimator, Y3)


def test_search_is_told_of_its_best_estimator():
    search = GridSearchCV(small(max_iter=2), {"alpha": [0.1]}, cv=2).fit(X, Y3)
    with pytest.raises(TypeError, match="pass its best_estimator_"):
        gn.LossCurveDisplay.from_estimator(search)
    gn.LossCurveDisplay.from_estimator(search.best_estimator_)


def test_missing_matplotlib_is_named(monkeypatch):
    import sys

    model, _ = several("binary")
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingLibraryError, match="matplotlib"):
        gn.LossCurveDisplay.from_estimator(model)


# ---- Loss curve -----------------------------------------------------------------------------------


def test_loss_curve_is_that_of_the_fit():
    model, _ = several("binary")
    display = gn.LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.losses, model.loss_curve_)
    np.testing.assert_array_equal(display.line_.get_ydata(), model.loss_curve_)
    np.testing.assert_array_equal(display.line_.get_xdata(), np.arange(1, 13))
    assert display.ax_.get_yscale() == "log"
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    for missing in ("validation_line_", "score_line_", "score_ax_", "best_line_", "legend_"):
        assert getattr(display, missing) is None


def test_loss_curve_has_iterations_where_there_are_no_batches():
    model, _ = several("lbfgs")
    display = gn.LossCurveDisplay.from_estimator(model)
    assert display.ax_.get_xlabel() == "iteration"
    assert display.losses[-1] == model.loss_


def test_loss_curve_shows_losses_and_scores_of_samples_held_out():
    model = small(restore_best=True, scoring=["accuracy", "f1_macro"])
    model.fit(X[~HELD], Y3[~HELD], validation_data=(X[HELD], Y3[HELD]))
    display = gn.LossCurveDisplay.from_estimator(model)
    np.testing.assert_array_equal(display.validation_line_.get_ydata(), model.history_["validation_loss"])
    np.testing.assert_array_equal(display.score_line_.get_ydata(), model.history_["validation_accuracy"])
    assert display.best_epoch == 1 + np.argmin(model.history_["validation_loss"])
    assert legend_of(display) == [
        "training loss",
        "validation loss",
        f"best epoch ({display.best_epoch})",
        "validation accuracy",
    ]
    other = gn.LossCurveDisplay.from_estimator(model, scoring="f1_macro")
    assert other.score_ax_.get_ylabel() == "validation f1_macro"
    np.testing.assert_array_equal(other.validation_scores, model.history_["validation_f1_macro"])


def test_loss_curve_marks_the_epoch_that_early_stopping_goes_back_to():
    model = small(early_stopping=True, max_iter=60, learning_rate_init=0.03).fit(X, Y3)
    display = gn.LossCurveDisplay.from_estimator(model)
    assert display.best_epoch == 1 + np.argmax(model.validation_scores_)
    assert list(display.best_line_.get_xdata()) == [display.best_epoch] * 2
    np.testing.assert_array_equal(display.validation_scores, model.validation_scores_)


def test_loss_curve_marks_no_epoch_before_partial_fits_have_stopped():
    model = small(early_stopping=True)
    for _ in range(2):
        model.partial_fit(X, Y3, classes=[0, 1, 2], validation_data=(X, Y3))
    assert gn.LossCurveDisplay.from_estimator(model).best_epoch is None


def test_curve_of_lbfgs_marks_the_iteration_that_is_brought_back():
    noisy = Y3.copy()
    noisy[::7] = (noisy[::7] + 1) % 3
    for told in ({"restore_best": True}, {"early_stopping": True}):
        model = small(solver="lbfgs", hidden_layer_sizes=(40,), max_iter=80, **told)
        model.fit(X[~HELD], noisy[~HELD], validation_data=(X[HELD], Y3[HELD]))
        display = gn.LossCurveDisplay.from_estimator(model)
        watched = model.history_["score" if "early_stopping" in told else "validation_loss"]
        best = np.argmax(watched) if "early_stopping" in told else np.argmin(watched)
        assert display.best_epoch == 1 + best
        assert display.unit == "iteration"


def test_curves_that_were_measured_only_at_times_have_gaps():
    kept = (X[HELD], Y3[HELD])
    model = small(warm_start=True, restore_best=True, max_iter=4).fit(X, Y3)
    model.fit(X, Y3, validation_data=kept).fit(X, Y3)
    display = gn.LossCurveDisplay.from_estimator(model)
    assert np.isnan(display.validation_losses).tolist() == [True] * 4 + [False] * 4 + [True] * 4
    assert display.best_epoch == 1 + np.nanargmin(display.validation_losses)
    drawn(display)
    model = small(restore_best=True, max_iter=3).fit(X, Y3, validation_data=kept)
    model.history_["validation_loss"] = [np.nan] * 3
    assert gn.LossCurveDisplay.from_estimator(model).best_epoch is None


def test_losses_that_were_measured_later_belong_to_the_last_epochs():
    display = gn.LossCurveDisplay(losses=[3, 2, 1], validation_losses=[2.5, 1.5]).plot()
    np.testing.assert_array_equal(display.validation_line_.get_xdata(), [2, 3])


def test_loss_curves_share_axes_to_be_compared(pyplot):
    models = [small(early_stopping=True, alpha=alpha).fit(X, Y3) for alpha in (0.0, 1.0)]
    figure, ax = pyplot.subplots()
    for model, color in zip(models, ("C0", "C1"), strict=True):
        look = {"c": color, "lw": 3}
        display = gn.LossCurveDisplay.from_estimator(model, ax=ax, name=f"$alpha {color}", line_kw=look)
    assert len(figure.axes) == 2  # one for the scores of both
    assert len(ax.lines) == 6
    assert len(legend_of(display)) == 8
    assert r"\$alpha C1: training loss" in legend_of(display)
    assert (display.score_line_.get_color(), display.score_line_.get_linewidth()) == ("C1", 3)
    assert drawn(display).std() > 0


def test_loss_curves_of_several_estimators_have_a_color_each_and_a_dash_for_each_kind(pyplot):
    kept = {"validation_data": (X[HELD], Y3[HELD])}
    _, ax = pyplot.subplots()
    shown = [
        gn.LossCurveDisplay.from_estimator(small(alpha=alpha).fit(X, Y3, **kept), ax=ax, name=str(alpha))
        for alpha in (0.0, 1.0)
    ]
    colors = [[line.get_color() for line in (one.line_, one.validation_line_)] for one in shown]
    assert colors[0][0] == colors[0][1] != colors[1][0] == colors[1][1]
    assert shown[0].line_.get_linestyle() != shown[0].validation_line_.get_linestyle()


@pytest.mark.parametrize(
    ("losses", "log", "scale"),
    [([2, 1], None, "log"), ([2, 1], False, "linear"), ([1, -1], None, "linear"), ([1, -1], True, "log")],
)
def test_loss_curve_is_on_a_log_scale_where_losses_allow_it(losses, log, scale):
    assert gn.LossCurveDisplay(losses=losses).plot(log=log).ax_.get_yscale() == scale


@pytest.mark.parametrize("losses", [[np.nan, np.inf], [1.0], [2.0, np.nan]])
def test_loss_curve_of_hardly_anything_is_drawn(losses):
    display = gn.LossCurveDisplay(losses=losses).plot()
    drawn(display)
    assert words(display.ax_) == ([] if np.isfinite(losses).any() else ["no finite loss"])
    low, high = display.ax_.get_xlim()
    assert low < 1 <= len(losses) < high


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"losses": []}, "losses has shape"),
        ({"losses": [[1.0]]}, "losses has shape"),
        ({"losses": [1.0], "validation_losses": [1.0, 2.0]}, "expected 1 to 1 values"),
        ({"losses": [1.0], "validation_scores": []}, "validation_scores has shape"),
    ],
)
def test_losses_of_another_form_are_refused(given, told):
    with pytest.raises(gn.InputError, match=told):
        gn.LossCurveDisplay(**given)


def test_score_that_was_not_measured_is_refused():
    model, _ = several("binary")
    with pytest.raises(gn.InputError, match="'f1' was not measured: fit with scoring="):
        gn.LossCurveDisplay.from_estimator(model, scoring="f1")
    model = small(scoring="f1_macro", early_stopping=True).fit(X, Y3)
    with pytest.raises(gn.InputError, match="Did you mean 'f1_macro'"):
        gn.LossCurveDisplay.from_estimator(model, scoring="f1_micro")


def test_parameters_that_are_set_by_hand_have_no_losses():
    model = small(gn.MLPRegressor)
    model.coefs_, model.intercepts_, model.n_features_in_ = [np.ones((2, 1))], [np.zeros(1)], 2
    with pytest.raises(gn.InputError, match="MLPRegressor has parameters but no losses"):
        gn.LossCurveDisplay.from_estimator(model)


# ---- Hidden projection ----------------------------------------------------------------------------


def test_projection_of_few_units_is_their_outputs():
    model = small(hidden_layer_sizes=(3, 2)).fit(X, Y3)
    first, second = model.hidden_activations(X)
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, Y3)
    np.testing.assert_allclose(display.points, second)
    assert display.axis_labels == ("h₁", "h₂")
    solid = gn.HiddenProjectionDisplay.from_estimator(model, X, Y3, layer=0)
    np.testing.assert_allclose(solid.points, first)
    assert solid.ax_.name == "3d"
    assert solid.ax_.get_zlabel() == "h₃"


def test_projection_of_many_units_is_on_their_principal_axes():
    model, y = several("multiclass")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y)
    H = model.hidden_activations(X)[0]
    centered = H - H.mean(axis=0)
    variances = np.linalg.svd(centered, compute_uv=False) ** 2
    np.testing.assert_allclose((display.points**2).sum(axis=0), variances[:2])
    assert display.ax_.get_xlabel() == f"principal axis 1 ({variances[0] / variances.sum():.0%})"
    assert display.points.shape == (150, 2)
    solid = gn.HiddenProjectionDisplay.from_estimator(model, X, y, n_components=3)
    np.testing.assert_allclose((solid.points**2).sum(axis=0), variances[:3])


def test_projection_goes_by_the_axes_it_is_given(pyplot):
    model = small(hidden_layer_sizes=(3,)).fit(X, Y3)
    _, ax = pyplot.subplots()
    assert gn.HiddenProjectionDisplay.from_estimator(model, X, Y3, ax=ax).points.shape == (150, 2)
    solid = pyplot.figure().add_subplot(projection="3d")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, Y3, ax=solid, view=(10.0, 20.0))
    assert (solid.elev, solid.azim) == (10.0, 20.0)
    with pytest.raises(gn.InputError, match=r'give axes with projection="3d", or another n_components'):
        display.plot(ax)


def test_projection_shows_the_units_that_are_chosen():
    model, y = several("multiclass")
    H = model.hidden_activations(X)[0]
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y, units=("h₄", 0))
    np.testing.assert_allclose(display.points, H[:, [3, 0]])
    with pytest.raises(gn.InputError, match="Unknown coordinate in units"):
        gn.HiddenProjectionDisplay.from_estimator(model, X, y, units="h₉")


def test_projection_names_classes_and_counts_them():
    model, y = several("multiclass")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X[:70], y[:70])
    assert legend_of(display) == ["setosa (50)", "versicolor (20)", "virginica (0)"]
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y, class_names=["a", "b", "c"])
    assert legend_of(display) == ["a (50)", "b (50)", "c (50)"]
    model, y = several("multilabel")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y, output=1)
    assert legend_of(display) == ["not label 1 (50)", "label 1 (100)"]
    model, y = several("multioutput")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y, output=1)
    assert legend_of(display) == ["0 (100)", "1 (50)"]


def test_projection_of_values_has_a_color_scale():
    model, y = several("two values")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y, output=1)
    np.testing.assert_array_equal(display.target, y[:, 1])
    assert display.colorbar_.ax.get_ylabel() == "y1"
    assert (display.colorbar_.vmin, display.colorbar_.vmax) == (y[:, 1].min(), y[:, 1].max())
    assert display.legend_ is None


def test_projection_of_one_unit_has_a_strip_for_each_class():
    model = small(hidden_layer_sizes=(1,)).fit(X, NAMES[Y3])
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, NAMES[Y3])
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == list(NAMES)
    assert len(display.scatter_.get_offsets()) == 150
    values = small(gn.MLPRegressor, hidden_layer_sizes=(1,)).fit(X, TARGET)
    assert gn.HiddenProjectionDisplay.from_estimator(values, X, TARGET).ax_.get_ylabel() == "y"


def test_projection_of_many_classes_names_them_where_they_are():
    D, digits = load_digits(return_X_y=True)
    model = small(max_iter=3).fit(D, digits)
    display = gn.HiddenProjectionDisplay.from_estimator(model, D[:500], digits[:500])
    assert [text.get_text() for text in display.labels_] == list("0123456789")


def test_projection_passes_settings_on_to_matplotlib():
    model, y = several("multiclass")
    display = gn.HiddenProjectionDisplay.from_estimator(model, X, y, c="black", s=7)
    assert set(display.scatter_.get_sizes()) == {7}
    np.testing.assert_array_equal(display.scatter_.get_facecolors(), [[0, 0, 0, 1]])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"y": Y3[:9]}, r"y has shape \(9,\), X has 150 rows"),
        ({"y": Y3 + 5}, r"not fitted with: \[5, 6, 7\]"),
        ({"output": 1}, "output is 1; y's columns go from 0 to 0"),
        ({"layer": 1}, "layer is 1"),
        ({"n_components": 4}, "n_components is 4"),
        ({"class_names": ["a"]}, "class_names has 1 name"),
    ],
)
def test_projection_of_what_does_not_fit_is_refused(more, told):
    model = small().fit(X, Y3)
    with pytest.raises(gn.InputError, match=told):
        gn.HiddenProjectionDisplay.from_estimator(model, **{"X": X, "y": Y3, **more})


def test_projection_without_a_hidden_layer_is_refused():
    model = small(hidden_layer_sizes=()).fit(X, Y3)
    with pytest.raises(gn.InputError, match="no hidden layer"):
        gn.HiddenProjectionDisplay.from_estimator(model, X, Y3)


@pytest.mark.parametrize(("points", "target"), [([1.0], [0]), (np.ones((2, 4)), [0, 1]), ([[1.0]], [0, 1])])
def test_points_of_another_form_are_refused(points, target):
    with pytest.raises(gn.InputError, match="has shape"):
        gn.HiddenProjectionDisplay(
            points=points, target=target, target_names=["a", "b"], is_class=True, axis_labels=["h"]
        )


# ---- Network diagram ------------------------------------------------------------------------------


def test_diagram_draws_each_weight_by_size_and_sign():
    coefs = [np.array([[2.0, -1.0], [0.0, 4.0]]), np.array([[1.0], [-3.0]])]
    display = gn.NetworkDiagramDisplay(
        coefs=coefs,
        intercepts=[np.array([0.0, 1.0]), np.array([-1.0])],
        input_names=["left", "right"],
        output_names=["up"],
        layer_names=["inputs", "hidden", "output"],
    ).plot()
    first, second = display.lines_
    np.testing.assert_array_equal(display.shown_weights_[0], [[True, True], [False, True]])
    widths = first.get_linewidths()  # from the smallest to the largest: -1, 2, 4
    np.testing.assert_allclose(np.diff(widths), [(4.5 - 0.4) / 4, (4.5 - 0.4) / 2])
    blue, vermilion = first.get_colors()[1, :3], first.get_colors()[0, :3]
    np.testing.assert_array_equal(first.get_colors()[2, :3], blue)
    np.testing.assert_array_equal(second.get_colors()[1, :3], vermilion)
    assert {text.get_text() for text in display.values_} == {"2", "−1", "4", "1", "−3"}  # noqa: RUF001
    assert [len(nodes.get_offsets()) for nodes in display.nodes_] == [2, 2, 1]
    assert {"left", "right", "up", "hidden"} <= set(words(display.ax_))
    assert display.note_.startswith("4 of 5") or "width: size, up to 4" in display.note_


def test_diagram_of_a_wide_network_is_thinned_and_says_so():
    B, y = load_breast_cancer(return_X_y=True)
    model = small(hidden_layer_sizes=(16, 8), max_iter=3).fit(scale(B), y)
    display = gn.NetworkDiagramDisplay.from_estimator(model)
    assert [len(units) for units in display.shown_units_] == [30, 16, 8, 1]
    assert [mask.sum() for mask in display.shown_weights_] == [64, 64, 8]
    assert display.note_.startswith("136 of 616 weights: each layer's strongest ·")
    for W, mask in zip(model.coefs_, display.shown_weights_, strict=True):
        assert np.abs(W[mask]).min() >= np.abs(W[~mask]).max(initial=0)
    assert display.values_ == []
    fewer = gn.NetworkDiagramDisplay.from_estimator(model, max_units=10, max_weights=5)
    assert [len(units) for units in fewer.shown_units_] == [10, 10, 8, 1]
    assert [mask.sum() for mask in fewer.shown_weights_] == [5, 5, 5]
    assert "between the units shown" in fewer.note_
    assert "⋮ 20 more" in words(fewer.ax_)
    assert drawn(fewer).std() > 0


def test_diagram_shows_values_where_they_have_room_or_are_asked_for():
    model, _ = several("multiclass")  # 4-5-3
    assert gn.NetworkDiagramDisplay.from_estimator(model).values_ == []
    display = gn.NetworkDiagramDisplay.from_estimator(model, show_values=True)
    assert len(display.values_) == 35
    model = small(hidden_layer_sizes=(2,)).fit(X, Y3)
    assert len(gn.NetworkDiagramDisplay.from_estimator(model).values_) == 14
    assert gn.NetworkDiagramDisplay.from_estimator(model, show_values=False).values_ == []


@pytest.mark.parametrize("sizes", [(5, 4, 1), (3, 3), (5, 2, 3)])
def test_values_of_weights_do_not_lie_on_one_another(sizes):
    rows = np.random.RandomState(0).randn(60, sizes[0])
    y = np.argmax(rows[:, : sizes[-1]], axis=1) if sizes[-1] > 1 else rows[:, 0] > 0
    display = gn.NetworkDiagramDisplay.from_estimator(small(hidden_layer_sizes=sizes[1:-1]).fit(rows, y))
    drawn(display)
    boxes = [text.get_window_extent() for text in display.values_]
    assert len(boxes) == sum(a * b for a, b in pairwise(sizes))
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_network_without_a_hidden_layer_has_none_to_project():
    with pytest.raises(gn.InputError, match=r"hidden_layer_sizes=\(3,\)"):
        gn.HiddenProjectionDisplay.from_estimator(small(hidden_layer_sizes=()).fit(X, Y3), X, Y3)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("one class", ("P(not setosa)",)),
        ("binary", ("P(True)",)),
        ("multiclass", tuple(NAMES)),
        ("multilabel", ("label 0", "label 1")),
        ("multioutput", ("0: 0", "0: 1", "0: 2", "1: 0", "1: 1")),
        ("regression", ("y",)),
        ("two values", ("y0", "y1")),
    ],
)
def test_diagram_names_its_outputs_by_what_they_stand_for(kind, expected):
    model, _ = several(kind)
    assert gn.NetworkDiagramDisplay.from_estimator(model).output_names == expected


def test_diagram_names_its_inputs_as_they_were_fitted():
    import pandas as pd

    table = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    model = small().fit(table, Y3)
    assert gn.NetworkDiagramDisplay.from_estimator(model).input_names == ("a", "b", "c", "d")
    pipeline = make_pipeline(StandardScaler(), StandardScaler(), small()).fit(table, Y3)
    assert gn.NetworkDiagramDisplay.from_estimator(pipeline).input_names == ("a", "b", "c", "d")
    nameless = make_pipeline(FunctionTransformer(), small()).fit(X, Y3)
    assert gn.NetworkDiagramDisplay.from_estimator(nameless).input_names == ("x0", "x1", "x2", "x3")
    named = gn.NetworkDiagramDisplay.from_estimator(
        nameless, feature_names=list("efgh"), class_names=list("uvw")
    )
    assert (named.input_names, named.output_names) == (tuple("efgh"), tuple("uvw"))


def test_diagram_passes_settings_on_to_matplotlib():
    model, _ = several("multiclass")
    display = gn.NetworkDiagramDisplay.from_estimator(model, alpha=0.25)
    assert display.lines_[0].get_alpha() == 0.25


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"feature_names": ["a"]}, "feature_names has 1 name"),
        ({"class_names": ["a"]}, "class_names has 1 name"),
        ({"max_units": 0}, "max_units is 0"),
        ({"max_weights": 0}, "max_weights is 0"),
    ],
)
def test_diagram_of_what_does_not_fit_is_refused(more, told):
    model = small().fit(X, Y3)
    with pytest.raises(gn.InputError, match=told):
        gn.NetworkDiagramDisplay.from_estimator(model, **more)


def test_weights_that_are_not_finite_are_refused():
    model = small().fit(X, Y3)
    model.coefs_[0][0, 0] = np.nan
    with pytest.raises(gn.InputError, match="parameters"):
        gn.NetworkDiagramDisplay.from_estimator(model)


def test_strongest_units_are_those_with_the_largest_weights_onward():
    coefs = [np.array([[0.0, 1.0], [5.0, -5.0], [3.0, 0.0]]), np.array([[1.0, 9.0, 0.0], [2.0, 0.0, 0.0]])]
    found = strongest_units(coefs, 2)
    assert [list(one) for one in found] == [[1, 2], [0, 1], [0, 1]]
    masks = strongest_weights(coefs, found, 3)
    np.testing.assert_array_equal(masks[0], [[False, False], [True, True], [True, False]])
    np.testing.assert_array_equal(masks[1], [[True, True, False], [True, False, False]])


def test_units_of_smaller_layers_stand_further_apart():
    large, little, one = unit_heights([30, 3, 1])
    assert (large[0], large[-1]) == (0.5, -0.5)
    assert -np.diff(large).max() < -np.diff(little).max() < 0.5
    assert list(one) == [0.0]
    assert [list(one) for one in unit_heights([1, 1])] == [[0.0], [0.0]]


# ---- scikit-learn's own ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [gn.MLPClassifier, gn.MLPRegressor])
def test_scikit_learns_decision_boundary_takes_a_pipeline_with_ours(kind):
    pipeline = make_pipeline(StandardScaler(), small(kind)).fit(X[:, :2], Y3)
    display = DecisionBoundaryDisplay.from_estimator(pipeline, X[:, :2], grid_resolution=12)
    grid = np.stack([display.xx0.ravel(), display.xx1.ravel()], axis=1)
    expected = pipeline.predict(grid) if kind is gn.MLPRegressor else pipeline.predict_proba(grid)
    np.testing.assert_allclose(display.response.reshape(expected.shape), expected)


def test_subject_goes_through_the_steps_that_stand_before():
    pipeline = make_pipeline(StandardScaler(), small()).fit(5 * X, Y3)
    subject = find_subject(pipeline, "a display")
    assert subject.model is pipeline[-1]
    np.testing.assert_allclose(subject.transform(5 * X), X, atol=1e-12)
