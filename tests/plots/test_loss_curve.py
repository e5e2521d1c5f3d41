"""The loss during training."""

import numpy as np
import pytest
from drawing import make_run, rendered, texts
from numpy.testing import assert_array_equal

import glassnet as gn
from glassnet import plots
from glassnet.plots import loss_curve as loss_curves
from glassnet.plots.loss_curve import loss_words


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


def test_loss_of_a_run_that_diverged_before_its_first_loss_is_drawn():
    figure = plots.loss(make_run((1, 2), losses=[], iterations=0, batch_size=9, diverged_at=1))
    assert {"diverged at epoch 1", "no finite loss"} <= set(texts(figure))


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


def test_loss_of_what_is_no_run_says_what_it_takes():
    with pytest.raises(gn.InputTypeError, match=r"run is a TrainingRun, .*not Network"):
        gn.plots.loss(gn.Network((1, 2)))


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


def test_losses_of_a_test_have_a_curve_of_their_own():
    X = np.random.RandomState(0).randn(60, 2)
    for validation in (0.2, None):
        run = gn.train(
            gn.Network((2, 2)),
            X,
            X[:, 0] > 0,
            validation=validation,
            test=0.2,
            random_state=0,
            iterations=9,
            stopping=gn.EarlyStopping(patience=None),
        )
        paper = gn.plots.loss(run).axes[0]
        lines = {line.get_label(): line for line in paper.get_lines()}
        assert np.array_equal(lines["test"].get_ydata(), run.test_losses)
        assert ("validation" in lines) == (validation is not None)
