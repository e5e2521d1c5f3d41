"""The look of the pictures: names, legends, samples, figures."""

import io
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
from drawing import HOSTILE, legend, make_run, rendered, separable, texts
from numpy.testing import assert_array_equal

import glassnet as gn
from glassnet import plots
from glassnet.plots import style
from glassnet.utils.words import counted, readable


def test_data_draws_all_of_50_000_samples_without_a_blot(circles_data):
    X, y, _ = circles_data
    figure = plots.data(X, y)
    drawn = sum(len(line.get_xdata()) for line in figure.axes[0].lines)
    assert drawn == len(X)
    pixels = rendered(figure, 100)[..., :3]
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


@pytest.mark.parametrize(
    ("value", "text"),
    [(12876.9, "12,900"), (0.00153, "0.00153"), (1e-9, "1e-09"), (0.0, "0"), (1e12, "1e+12")],
)
def test_readable_spells_numbers_plainly(value, text):
    assert readable(value) == text


@pytest.mark.parametrize("start", [0.0, 1e9, -3e5])
def test_ticks_that_differ_have_labels_that_differ(start):
    figure = style.new_figure(4, 3)
    axis = style.flat_axes(figure).xaxis
    axis.set_view_interval(start, start + 2.5, ignore=True)
    style.label_ticks(axis)
    ticks = start + np.arange(0, 2.5, 0.5)
    labels = axis.get_major_formatter().format_ticks(ticks)
    assert [float(label.replace(",", "")) for label in labels] == ticks.tolist()


@pytest.mark.parametrize(("count", "words"), [(0, "0 samples"), (1, "1 sample"), (3000, "3,000 samples")])
def test_counted_things_are_one_or_many(count, words):
    assert counted(count, "sample") == words


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
    from IPython.core.formatters import PNGFormatter

    shown = PNGFormatter()(plots.data([[0.0, 1.0], [1.0, 0.0]], [0, 1]))
    assert shown[0].startswith(b"\x89PNG")


def test_figures_survive_pickling():
    figure = pickle.loads(pickle.dumps(plots.data([[0.0, 1e6], [1.0, 0.0]], [0, 1])))
    assert "1,000,000" in [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert figure._repr_png_()[0].startswith(b"\x89PNG")


@pytest.mark.parametrize("largest", [2e9, 1.1e9, 2e-5, 2e-4])
def test_ticks_of_an_axis_all_have_exponents_or_none(largest):
    axis = style.flat_axes(style.new_figure(4, 4)).yaxis
    style.label_ticks(axis)
    axis.axes.set_ylim(0, largest)
    words = [tick.get_text() for tick in axis.get_ticklabels()]
    exponents = {"e" in text for text in words if text != "0"}
    assert exponents == {largest in (2e9, 1.1e9, 2e-5)}
    assert len(set(words)) == len(words)


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


def test_a_heading_that_is_cut_says_so():
    figure = style.new_figure(6, 4)
    style.set_title(figure, "Heading", ["word " * 200])
    assert figure.texts[1].get_text().endswith("…")
    assert figure.texts[1].get_text().count("\n") == 3
