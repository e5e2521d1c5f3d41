from dataclasses import replace

import numpy as np
import pytest

import glassnet as gn
from glassnet.model_selection import STATUSES, SweepCell, SweepResult
from glassnet.model_selection.metrics import Measure
from glassnet.plots.sweeps.words import SYMBOLS
from glassnet.training.run import TrainingRun

NET = gn.Network((2, 3, 2))
START = NET.initialize(0)
RATES, MOMENTA = (0.1, 0.2, 0.4), (0.0, 0.9)


def cell(settings, losses, status="converged", diverged_at=None, reduction="sum"):
    losses = np.array(losses, float)
    ended = status if status in ("diverged", "interrupted") else "completed"
    run = TrainingRun(
        NET, gn.SGD(), START, START.flat[None], losses, reduction, ended, diverged_at, 1.0, "numpy", "", 1
    )
    return SweepCell(settings, status, run)


def result_of(grid, cells, iterations=1000):
    cells = [replace(one, setting=i) for i, one in enumerate(cells)]
    return SweepResult(grid, tuple(cells), iterations, 1.0, 0.1, 60, 2, 1.0)


def falling(last, n=1000):
    return np.geomspace(50, last, n + 1)


@pytest.fixture
def result():
    """Three learning rates by two momenta: four fall, one bounces, one blew up at iteration 7."""
    cells = [
        cell({"learning_rate": rate, "momentum": momentum}, falling(10 ** (-i)))
        for i, (rate, momentum) in enumerate((r, m) for r in RATES for m in MOMENTA)
    ]
    cells[4] = cell(cells[4].settings, 20 + 10 * (np.arange(1001) % 2), "unstable")
    cells[5] = cell(cells[5].settings, falling(1e-9)[:7], "diverged", 7)
    return result_of({"learning_rate": RATES, "momentum": MOMENTA}, cells)


def texts(axes):
    return [text.get_text() for text in axes.texts if text.get_text()]


def written(figure):
    """All words on the paper, as one line."""
    return " ".join(" ".join([*(text.get_text() for text in figure.texts), *texts(figure.axes[0])]).split())


def curves(axes):
    return [line for line in axes.lines if line.get_marker() == "None"]


def crosses(axes):
    return [line for line in axes.lines if line.get_marker() == "X"]


def legend_of(figure):
    (legend,) = figure.legends
    return legend.get_title().get_text(), [text.get_text() for text in legend.get_texts()], legend


def rendered(figure):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(60)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def assert_inside(figure):
    """Nothing that is written is cut off at the paper's edge."""
    rendered(figure)  # lays it out
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 > -0.02
    assert box.y0 > -0.02
    assert box.x1 < width + 0.02
    assert box.y1 < height + 0.02


# ---- Loss curves --------------------------------------------------------------------------------


def test_losses_have_a_panel_for_each_value_of_the_shorter_setting(result):
    figure = gn.plots.sweep_losses(result)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["momentum 0", "momentum 0.9"]
    assert [len(curves(axes)) for axes in figure.axes] == [3, 3]
    heading, labels, _ = legend_of(figure)
    assert (heading, labels) == (
        "learning rate",
        ["0.1", "0.2", "0.4", "diverged", "range of a jumping loss"],
    )


def test_losses_take_another_setting_for_the_panels(result):
    figure = gn.plots.sweep_losses(result, panels="learning_rate", title="All of them")
    names = [axes.get_title(loc="left") for axes in figure.axes]
    assert names == ["learning rate 0.1", "learning rate 0.2", "learning rate 0.4"]
    assert legend_of(figure)[:2] == ("momentum", ["0", "0.9", "diverged", "range of a jumping loss"])
    counts = "6 networks, 1,000 iterations each: 4 converged, 1 unstable, 1 diverged"
    assert f"All of them {counts}" in written(figure)


def test_every_curve_is_its_networks(result):
    figure = gn.plots.sweep_losses(result, panels="learning_rate")
    for axes, cells in zip(figure.axes, (result.cells[:2], result.cells[2:4]), strict=False):
        for line, one in zip(curves(axes), cells, strict=True):
            at, losses = line.get_data()
            assert (at[0], at[-1]) == (0, 1000)
            assert (losses[0], losses[-1]) == (one.run.losses[0], one.run.losses[-1])
            np.testing.assert_allclose(losses, np.interp(at, range(1001), one.run.losses), rtol=0.01)
            assert at[:9].tolist() == list(range(9))


def test_curves_are_told_apart_by_color_and_dash_which_the_legend_has(result):
    figure = gn.plots.sweep_losses(result, panels="learning_rate")
    handles = legend_of(figure)[2].legend_handles
    for axes in figure.axes:
        looks = [(line.get_color(), line.get_linestyle()) for line in curves(axes)]
        assert looks == [(one.get_color(), one.get_linestyle()) for one in handles[:2]]
        assert looks[0][0] != looks[1][0]
        assert looks[0][1] != looks[1][1]


def test_jumping_losses_are_a_median_within_a_band(result):
    axes = gn.plots.sweep_losses(result, panels="learning_rate").axes[2]
    band = axes.collections[0].get_paths()[0].vertices
    late = band[band[:, 0] > 500]
    assert (late[:, 1].min(), late[:, 1].max()) == (20, 30)
    at, losses = curves(axes)[0].get_data()
    assert set(losses[at > 500]) <= {20, 25, 30}


def test_diverged_curve_leaves_through_the_top_with_a_cross(result):
    axes = gn.plots.sweep_losses(result, panels="learning_rate").axes
    assert [len(crosses(one)) for one in axes] == [0, 0, 1]
    line, (cross,) = curves(axes[2])[1], crosses(axes[2])
    assert line.get_xdata()[-2:].tolist() == [6, 7]
    assert line.get_ydata()[-1] == axes[2].get_ylim()[1]
    assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (7, axes[2].get_ylim()[1])
    assert cross.get_color() == line.get_color()
    assert texts(axes[2]) == ["1 of 2 diverged at iteration 7"]
    assert texts(axes[0]) == []


def test_scales_are_logarithmic_and_shared(result):
    figure = gn.plots.sweep_losses(result)
    limits = {
        (axes.get_xscale(), axes.get_yscale(), axes.get_xlim(), axes.get_ylim()) for axes in figure.axes
    }
    ((x, y, across, up),) = limits
    assert (x, y) == ("symlog", "log")
    assert across[0] < 0
    assert across[1] > 1000
    assert up[0] < min(one.lowest_loss for one in result.cells)
    assert up[1] > 50


def test_losses_that_are_not_positive_get_a_linear_scale(result):
    cells = [
        cell(one.settings, one.run.losses - 1, one.status, one.run.diverged_at) for one in result.cells
    ]
    figure = gn.plots.sweep_losses(result_of(result.grid, cells))
    assert figure.axes[0].get_yscale() == "linear"
    rendered(figure)


def test_a_sweep_over_one_setting_is_one_panel(result):
    cells = [cell({"momentum": one.settings["momentum"]}, one.run.losses) for one in result.cells[:2]]
    one = result_of({"momentum": MOMENTA}, cells)
    figure = gn.plots.sweep_losses(one)
    (axes,) = figure.axes
    assert len(curves(axes)) == 2
    assert axes.get_title(loc="left") == ""
    assert legend_of(figure)[:2] == ("momentum", ["0", "0.9"])
    figure = gn.plots.sweep_losses(one, panels="momentum")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["momentum 0", "momentum 0.9"]
    assert [len(curves(axes)) for axes in figure.axes] == [1, 1]


def test_a_sweep_on_batches_counts_epochs(result):
    one = next(one for one in result.cells if one.status == "diverged")
    on_batches = SweepCell(one.settings, one.status, replace(one.trained, batch_size=9))
    figure = gn.plots.sweep_losses(result_of(result.grid, [on_batches]))
    assert "1 of 1 diverged at epoch 7" in [text for axes in figure.axes for text in texts(axes)]


def test_a_sweep_that_diverged_everywhere_is_drawn(result):
    cells = [cell(one.settings, [39183.15], "diverged", 1) for one in result.cells]
    everywhere = result_of(result.grid, cells)
    figure = gn.plots.sweep_losses(everywhere, panels="learning_rate")
    for axes in figure.axes:
        assert texts(axes) == ["2 of 2 diverged at iteration 1"]
        low, high = axes.get_ylim()
        assert np.floor(np.log10(high)) > np.ceil(np.log10(low)) or np.log10(high / low) >= 1
    assert_inside(figure)
    axes = gn.plots.sweep_heatmap(everywhere).axes
    assert len(axes) == 1  # no scale for colors that are not there
    assert texts(axes[0])[:6] == ["diverged\nat 1"] * 6


def test_many_values_are_thinned_and_said_to_be():
    rates = tuple(np.geomspace(0.001, 1, 14))
    momenta = tuple(np.linspace(0, 0.95, 15))
    cells = [cell({"learning_rate": r, "momentum": m}, [2, 1.5, 1]) for r in rates for m in momenta]
    figure = gn.plots.sweep_losses(result_of({"learning_rate": rates, "momentum": momenta}, cells, 2))
    assert len(figure.axes) == 12
    assert "12 of 14 values of learning rate shown" in written(figure)
    assert figure.axes[0].get_title(loc="left") == "learning rate 0.001"
    assert figure.axes[-1].get_title(loc="left") == "learning rate 1"
    assert len(curves(figure.axes[3])) == 15
    assert len(legend_of(figure)[1]) == 10


def test_values_that_differ_late_have_names_that_differ():
    rates = (0.100001, 0.100002)
    cells = [cell({"learning_rate": rate}, [2, 1]) for rate in rates]
    figure = gn.plots.sweep_losses(result_of({"learning_rate": rates}, cells, 1))
    assert legend_of(figure)[1] == ["0.100001", "0.100002"]
    assert len({line.get_color() for line in curves(figure.axes[0])}) == 2


# ---- The heatmap --------------------------------------------------------------------------------


def test_heatmap_says_loss_and_status_of_every_network(result):
    figure = gn.plots.sweep_heatmap(result)
    axes, bar = figure.axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("momentum", "learning rate")
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0", "0.9"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.1", "0.2", "0.4"]
    assert axes.get_ylim() == (-0.5, 2.5)  # values grow upward
    assert bar.get_ylabel() == "summed cross-entropy"
    placed = {}
    for text in axes.texts:
        if text.get_horizontalalignment() == "center":
            x, y = text.get_position()
            placed.setdefault((round(y), round(x)), []).append(text.get_text())
    assert placed == {
        (0, 0): ["1", "converged"],
        (0, 1): ["0.1", "converged"],
        (1, 0): ["0.01", "converged"],
        (1, 1): ["0.001", "converged"],
        (2, 0): ["20", "unstable"],
        (2, 1): ["diverged\nat 7"],
    }
    assert_inside(figure)


def test_heatmap_has_a_logarithmic_scale_without_what_diverged(result):
    (image,) = gn.plots.sweep_heatmap(result).axes[0].images
    shown = image.get_array()
    assert type(image.norm).__name__ == "LogNorm"
    assert (image.norm.vmin, image.norm.vmax) == (0.001, 20)
    assert shown.mask.tolist() == [[False, False], [False, False], [False, True]]
    assert shown[0].tolist() == [1.0, pytest.approx(0.1)]


def test_heatmap_frames_the_best_and_hatches_what_diverged(result):
    patches = gn.plots.sweep_heatmap(result).axes[0].patches
    hatched = [one for one in patches if one.get_hatch()]
    framed = [one for one in patches if not one.get_hatch()]
    assert [one.get_center().round().tolist() for one in hatched] == [[1, 2]]
    assert [one.get_center().round().tolist() for one in framed] == [[1, 1]]


def test_heatmap_text_stands_out_from_its_cell(result):
    figure = gn.plots.sweep_heatmap(result)
    (image,) = figure.axes[0].images
    for text in figure.axes[0].texts:
        if text.get_text() in ("1", "0.1", "0.01", "0.001", "20"):
            light = image.cmap(image.norm(float(text.get_text())))[:3] @ np.array([0.299, 0.587, 0.114])
            assert (text.get_color() == "white") == (light < 0.55)


def test_heatmap_turns_round(result):
    axes = gn.plots.sweep_heatmap(result, rows="momentum").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "momentum")
    other = gn.plots.sweep_heatmap(result, columns="learning_rate").axes[0]
    assert (other.get_xlabel(), other.get_ylabel()) == ("learning rate", "momentum")
    assert axes.images[0].get_array().shape == (2, 3)
    assert axes.images[0].get_array()[1, 0] == pytest.approx(0.1)


def test_heatmap_of_three_settings_shows_the_best_over_the_third():
    grid = {"a": (1.0, 2.0), "b": (1.0, 2.0), "c": (1.0, 2.0)}
    cells = [
        cell(
            {"a": a, "b": b, "c": c},
            [9, a + 10 * b + 100 * c],
            "diverged" if (a, b, c) == (1, 1, 1) else "plateau",
            2,
        )
        for a in grid["a"]
        for b in grid["b"]
        for c in grid["c"]
    ]
    three = result_of(grid, cells)
    figure = gn.plots.sweep_heatmap(three)
    # Where a and b are 1, what diverged had the lower loss.
    assert figure.axes[0].images[0].get_array().tolist() == [[211, 121], [112, 122]]
    assert "each cell the best over the other settings" in written(figure)
    axes = gn.plots.sweep_heatmap(three, rows="c", columns="a").axes[0]
    assert axes.images[0].get_array().tolist() == [[121, 112], [211, 212]]
    assert legend_of(gn.plots.sweep_losses(three))[:2] == (
        "b, c",
        ["1, 1", "1, 2", "2, 1", "2, 2", "diverged"],
    )


@pytest.mark.parametrize(("mode", "best"), [("max", (1, 1)), ("min", (0, 0))])
def test_heatmap_shows_the_metric_with_its_best_framed_and_darkest(result, mode, best):
    cells = [replace(one, metric=0.9 + i / 100, status="plateau") for i, one in enumerate(result.cells[:4])]
    measure = Measure("accuracy", mode)
    two = replace(result_of({"learning_rate": RATES[:2], "momentum": MOMENTA}, cells), measure=measure)
    figure = gn.plots.sweep_heatmap(two)
    axes, bar = figure.axes
    (image,) = axes.images
    assert image.get_array().tolist() == [[0.9, 0.91], [0.92, 0.93]]
    assert type(image.norm).__name__ == "Normalize"
    (frame,) = axes.patches
    assert tuple(frame.get_center().round()) == best
    brightness = image.cmap(image.norm(image.get_array()))[..., :3].sum(axis=2)
    assert brightness.argmin() == (3 if mode == "max" else 0)
    assert bar.get_ylabel() == "held-out accuracy"
    assert figure.texts[0].get_text() == "Held-out accuracy"
    assert "white frame: the best" in written(figure)
    assert "0.93" in texts(axes)


def test_heatmap_frames_no_network_that_was_dropped(result):
    cells = [replace(one, status="dropped" if i == 3 else one.status) for i, one in enumerate(result.cells)]
    halved = result_of(result.grid, cells)
    assert halved.best.setting == 2  # the loss of the dropped one was lower, early on
    framed = [one for one in gn.plots.sweep_heatmap(halved).axes[0].patches if not one.get_hatch()]
    assert [one.get_center().round().tolist() for one in framed] == [[0, 1]]


def test_heatmap_shows_means_over_seeds_and_hatches_where_one_diverged(result):
    cells = [
        replace(cell(one.settings, [9, loss], status, 3), setting=i, seed=seed)
        for i, one in enumerate(result.cells[:4])
        for seed, loss in enumerate((1 + i, 2 + i, 6 + i))
        for status in ["diverged" if (i, seed) == (0, 1) else "plateau" if seed else "falling"]
    ]
    grid = {"learning_rate": RATES[:2], "momentum": MOMENTA}
    figure = gn.plots.sweep_heatmap(SweepResult(grid, tuple(cells), 1, 1.0, 0.1, 60, 2, 1.0))
    shown = figure.axes[0].images[0].get_array()
    assert shown.tolist() == [[None, 4], [5, 6]]
    assert texts(figure.axes[0])[:3] == ["1 of 3 diverged", "4", "2 of 3 plateau"]
    assert "each cell the mean over seeds" in written(figure)


def test_settings_with_one_value_have_neither_a_panel_nor_a_place_in_the_legend():
    cells = [cell({"l2": 0.1, "learning_rate": rate}, [2, 1]) for rate in RATES]
    figure = gn.plots.sweep_losses(result_of({"l2": (0.1,), "learning_rate": RATES}, cells, 1))
    assert legend_of(figure)[:2] == ("learning rate", ["0.1", "0.2", "0.4"])
    assert figure.axes[0].get_title(loc="left") == ""


def test_of_many_combinations_the_legend_names_the_best():
    settings = [{"a": float(i % 4), "b": float(i % 5), "c": 0.0 if i < 2 else 1.0} for i in range(20)]
    cells = [cell(one, [9, 100 - i]) for i, one in enumerate(settings)]
    grid = {name: tuple(dict.fromkeys(one[name] for one in settings)) for name in "abc"}
    figure = gn.plots.sweep_losses(result_of(grid, cells, 1))
    assert legend_of(figure)[0] == "a, b"
    assert legend_of(figure)[1] == [f"{i % 4}, {i % 5}" for i in range(19, 9, -1)]
    assert "named: the 10 best of 20" in written(figure)


def test_networks_on_batches_are_trained_for_epochs():
    runs = gn.sweep(
        NET, np.eye(2), [0, 1], grid={"learning_rate": RATES}, batch_size=1, iterations=2, random_state=0
    )
    figure = gn.plots.sweep_losses(runs)
    assert figure.get_supxlabel() == "epoch"
    assert "3 networks, 2 epochs each" in written(figure)
    grid = {"batch_size": [None, 1]}
    mixed = gn.plots.sweep_losses(gn.sweep(NET, np.eye(2), [0, 1], grid=grid, iterations=2, random_state=0))
    assert "2 networks, 2 iterations or epochs each" in written(mixed)


def test_large_heatmap_has_signs_and_says_what_they_mean():
    rates, momenta = tuple(np.geomspace(0.001, 1, 20)), tuple(np.linspace(0, 0.95, 10))
    names = list(STATUSES)
    cells = [
        cell({"learning_rate": r, "momentum": m}, [2, 1 + i], names[i % len(names)], 1)
        for i, (r, m) in enumerate((r, m) for r in rates for m in momenta)
    ]
    figure = gn.plots.sweep_heatmap(result_of({"learning_rate": rates, "momentum": momenta}, cells))
    for name, sign in SYMBOLS.items():
        assert name == "converged" or f"{sign} {name}" in written(figure)
    assert sum(text == "↓" for text in texts(figure.axes[0])) == 29
    assert_inside(figure)


def test_every_status_has_a_sign():
    assert list(SYMBOLS) == list(STATUSES)
    assert len(set(SYMBOLS.values())) == len(STATUSES)


@pytest.mark.parametrize(
    ("losses", "first"),
    [([3.0] * 6, 0.0), ([1e-300] * 6, 9.0), ([0] * 6, 0.0), ([-1, 2, 3, 4, 5, 6], 9.0), (range(6), 0.0)],
)
def test_any_losses_can_be_drawn(result, losses, first):
    cells = [cell(one.settings, [first, loss]) for one, loss in zip(result.cells, losses, strict=True)]
    odd = result_of(result.grid, cells, 1)
    kinds = ("linear", "Normalize") if losses[0] < 0 else ("log", "LogNorm")
    heat, curve = gn.plots.sweep_heatmap(odd), gn.plots.sweep_losses(odd)
    (image,) = heat.axes[0].images
    assert (curve.axes[0].get_yscale(), type(image.norm).__name__) == kinds
    assert not np.ma.getmaskarray(image.get_array()).any()
    assert not np.ma.getmaskarray(image.norm(image.get_array())).any()
    for figure in (heat, curve):
        assert rendered(figure)[..., :3].std() > 5


# ---- What cannot be drawn -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("draw", "settings", "message"),
    [
        (gn.plots.sweep_losses, {"panels": "momentu"}, "Did you mean 'momentum'"),
        (gn.plots.sweep_heatmap, {"rows": "learning rate"}, "Did you mean 'learning_rate'"),
        (gn.plots.sweep_heatmap, {"columns": "rate"}, "setting of this sweep: 'rate'"),
        (gn.plots.sweep_heatmap, {"rows": "momentum", "columns": "momentum"}, "both 'momentum'"),
    ],
)
def test_unknown_settings_are_errors(result, draw, settings, message):
    with pytest.raises(gn.InputError, match=message):
        draw(result, **settings)


def test_heatmap_of_one_setting_points_to_the_curves(result):
    cells = [cell({"momentum": m}, [2, 1]) for m in MOMENTA]
    with pytest.raises(gn.InputError, match=r"has one, momentum: gn\.plots\.sweep_losses"):
        gn.plots.sweep_heatmap(result_of({"momentum": MOMENTA}, cells))


def test_pictures_of_a_real_sweep_use_no_pyplot():
    import matplotlib.pyplot as plt

    random = np.random.RandomState(0)
    X, y = random.randn(40, 2), random.randint(0, 2, 40)
    grid = {"learning_rate": [0.1, 1e4], "momentum": [0, 0.9]}
    result = gn.sweep(NET, X, y, grid=grid, iterations=30, random_state=0)
    before = plt.get_fignums()
    for draw in (gn.plots.sweep_losses, gn.plots.sweep_heatmap):
        figure = draw(result)
        assert rendered(figure)[..., :3].std() > 5
        assert_inside(figure)
    assert "mean cross-entropy" in figure.axes[1].get_ylabel()
    assert plt.get_fignums() == before


# ---- The stability limit ------------------------------------------------------------------------

HERE = gn.Curvature(1.0, 0.5, lambda_max=8.0, lambda_min=0.0, saturation=(), dead=())  # 0.25 to 0.475


def red_line(figure):
    (line,) = [line for line in figure.axes[0].lines if line.get_color() == "#C8102E"]
    return line.get_data()


@pytest.mark.parametrize("upward", [True, False])
def test_stability_limit_lies_among_the_learning_rates(result, upward):
    names = {"rows": "learning_rate"} if upward else {"rows": "momentum", "columns": "learning_rate"}
    cells = [
        replace(one, trained=replace(one.trained, optimizer=gn.SGD(0.1, one.settings["momentum"])))
        for one in result.cells
    ]
    figure = gn.plots.sweep_heatmap(result_of(result.grid, cells), curvature=HERE, **names)
    x, y = red_line(figure)
    along, at = (x, y) if upward else (y, x)
    assert along.tolist() == [-0.5, 0, 1, 1.5]
    expected = np.interp(np.log([0.25, 0.475]), np.log(RATES), [0, 1, 2])
    expected[1] = 2 + np.log(0.475 / 0.4) / np.log(2)
    np.testing.assert_allclose(at, [expected[0], expected[0], expected[1], expected[1]])
    words = written(figure).replace("\u00a0", " ")
    assert "red: the stability limit 2(1 + m)/λmax, 0.25 to 0.475" in words
    assert_inside(figure)


def test_numbers_ascend_along_an_axis_however_they_came(result):
    shuffled = result_of({"learning_rate": RATES[::-1], "momentum": MOMENTA}, result.cells)
    one, other = (gn.plots.sweep_heatmap(each, curvature=HERE) for each in (result, shuffled))
    assert written(one) == written(other)
    ticks = [[text.get_text() for text in each.axes[0].get_yticklabels()] for each in (one, other)]
    assert ticks == [["0.1", "0.2", "0.4"]] * 2


def test_stability_limit_beyond_the_rates_is_said(result):
    figure = gn.plots.sweep_heatmap(result, curvature=replace(HERE, lambda_max=1e-3))
    assert "off the picture: the stability limit" in written(figure)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"grid": {"momentum": [0.1], "l2": [0.0]}}, "needs numbers of learning_rate"),
        (
            {"grid": {"learning_rate": [0.1], "l2": [0.0]}, "optimizer": gn.Adam()},
            "whose optimizer is gn.SGD",
        ),
        ({"grid": {"learning_rate": [gn.Cosine(0.1, 3)], "l2": [0.0]}}, "needs numbers"),
    ],
)
def test_stability_limit_of_what_has_none_is_refused(told, message):
    X = np.random.RandomState(0).randn(20, 2)
    result = gn.sweep(NET, X, np.arange(20) % 2, iterations=2, random_state=0, **told)
    with pytest.raises(gn.InputError, match=message):
        gn.plots.sweep_heatmap(result, curvature=HERE)


# ---- Parallel coordinates -----------------------------------------------------------------------


def ways(figure):
    """The lines across, by where they cross the axes."""
    axes = figure.axes[0]
    last = len(axes.get_xticks())
    return [line for line in axes.lines if list(line.get_xdata()) == list(range(last))]


def test_parallel_has_an_axis_for_each_setting_and_one_for_the_loss(result):
    figure = gn.plots.sweep_parallel(result)
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["learning rate", "momentum", "summed cross-entropy"]
    assert len(ways(figure)) == 6
    thick = max(ways(figure), key=lambda line: line.get_linewidth())
    best = result.best
    low = (best.settings["learning_rate"] - 0.1) / 0.3
    np.testing.assert_allclose(
        thick.get_ydata(), [low, float(best.settings["momentum"] > 0), 0], atol=1e-12
    )
    (lost,) = [line for line in ways(figure) if line.get_linestyle() == "--"]
    assert lost.get_ydata()[-1] == 1.0
    assert "dashed: diverged" in written(figure)
    assert {"0.1", "0.2", "0.4", "0.9"} <= set(texts(figure.axes[0]))
    assert_inside(figure)


def test_parallel_draws_settings_over_seeds_and_folds_by_the_metric():
    X = np.random.RandomState(0).randn(60, 2)
    settings = [
        {"optimizer": "adam", "learning_rate": 10.0**-i, "hidden_layer_sizes": (i + 1,)} for i in range(5)
    ]
    told = {"iterations": 20, "random_state": 0, "folds": 2, "seeds": 2, "metric": "accuracy", "halving": 2}
    result = gn.sweep(NET, X, (X[:, 0] > 0).astype(int), settings=[*settings, {"l2": 0.1}], **told)
    figure = gn.plots.sweep_parallel(result)
    assert len(ways(figure)) == 6
    names = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert names[-1] == "held-out accuracy"
    assert "each line the mean over 4 networks" in written(figure)
    assert "thin: dropped early" in written(figure)
    assert {"not set", "(5,)"} <= set(texts(figure.axes[0]))
    assert_inside(figure)
    chosen = gn.plots.sweep_parallel(result, names=["hidden_layer_sizes"])
    assert len(chosen.axes[0].get_xticks()) == 2
    with pytest.raises(gn.InputError, match="Did you mean 'l2'"):
        gn.plots.sweep_parallel(result, names=["l_2"])


def test_parallel_of_networks_that_all_diverged_can_be_drawn(result):
    lost = [cell(one.settings, [50.0], "diverged", 1) for one in result.cells]
    rendered(gn.plots.sweep_parallel(result_of(result.grid, lost)))


def test_parallel_scale_is_logarithmic_where_values_differ_much(result):
    rates = (1e-4, 1e-2, 1.0)
    cells = [cell({"learning_rate": rate, "momentum": 0.0}, falling(rate)) for rate in rates]
    figure = gn.plots.sweep_parallel(result_of({"learning_rate": rates, "momentum": (0.0,)}, cells))
    assert sorted(float(line.get_ydata()[0]) for line in ways(figure)) == pytest.approx([0, 0.5, 1])


def test_what_is_no_sweep_or_curvature_is_refused_in_words():
    X, y = [[0.0], [1.0]], [0, 1]
    run = gn.train(gn.Network((1, 2)), X, y, iterations=1, random_state=0)
    for draw in (gn.plots.sweep_heatmap, gn.plots.sweep_losses, gn.plots.sweep_parallel):
        with pytest.raises(gn.InputTypeError, match=r"gn\.sweep returns.*not TrainingRun"):
            draw(run)
    grid = {"learning_rate": [0.1, 1.0], "momentum": [0.0, 0.5]}
    result = gn.sweep(gn.Network((1, 2)), X, y, grid=grid, iterations=2, random_state=0)
    with pytest.raises(gn.InputTypeError, match=r"gn\.curvature.*not TrainingRun"):
        gn.plots.sweep_heatmap(result, curvature=run)
