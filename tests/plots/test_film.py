"""The film of a run: its frames, and the animation."""

import numpy as np
import PIL.Image
import pytest

import glassnet as gn
from glassnet import plots

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(80, 2))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def tape_of(network, rows, y, n, **settings):
    tape = gn.Tape(network, rows, y, random_state=0, **settings)
    tape.advance(n)
    return tape


def headings(figure):
    return [
        paper.get_title(loc="left").split("\n")[0] for paper in figure.axes if paper.get_title(loc="left")
    ]


def test_film_shows_start_plateau_edge_foot_and_end(circles_run):
    run, rows, y = circles_run
    figure = plots.film([run], rows, y)
    names, places = zip(*(heading.split(" · ") for heading in headings(figure)[:5]), strict=True)
    assert names == ("start", "plateau", "edge", "foot", "end")
    _, _, edge, foot, end = figure.axes[5].lines[1].get_xdata()
    assert run.losses[edge] > 10 * run.losses[foot]
    assert places[4] == f"{end:,}" == f"{run.iterations:,}"


@pytest.mark.parametrize("size", [None, 16])
def test_film_has_frames_between_like_parts_of_the_fall(size):
    tape = tape_of(gn.Network((2, 6, 2), hidden="tanh"), X, Y, 60, optimizer="adam", batch_size=size)
    figure = plots.film(tape)
    shown = headings(figure)[:5]
    unit = "iteration" if size is None else "epoch"
    assert shown[0] == ("start · 0" if size is None else "epoch 1")
    assert all(heading.startswith(f"{unit} ") for heading in shown[1:4])
    assert shown[4] == "end · 60"
    dots = figure.axes[5].lines[1]
    assert dots.get_ydata()[-1] == tape.losses[-1]


def test_film_draws_the_state_of_each_frame():
    line = gn.Network((1, 4, 1), hidden="tanh", output="identity")
    x = np.linspace(-2, 2, 40)[:, None]
    tape = tape_of(line, x, np.sin(2 * x[:, 0]), 50, optimizer="adam")
    figure = plots.film(tape, iterations=[0, 20, 50])
    for paper, k in zip(figure.axes, (0, 20, 50), strict=False):
        curve = paper.lines[0]
        predicted = tape.at(k).predict(np.asarray(curve.get_xdata())[:, None])
        np.testing.assert_allclose(curve.get_ydata(), predicted)
        assert paper.get_ylim() == figure.axes[0].get_ylim()
    runs = [tape.at(k) for k in (0, 20, 50)]
    assert headings(plots.film(runs, x, np.sin(2 * x[:, 0]), iterations=[0, 20, 50])) == headings(figure)


def test_film_says_what_it_needs():
    tape = tape_of(gn.Network((2, 2)), X, Y, 5)
    for given, more, words in (
        ((tape,), {"iterations": [6]}, "up to 5"),
        ((tape,), {"iterations": []}, "1 to 8"),
        ((tape.run, X, Y), {}, r"gn\.plots\.film\(tape\)"),
        ((tape, X, Y[:3]), {}, "80"),
    ):
        with pytest.raises(gn.GlassnetError, match=words):
            plots.film(*given, **more)


def test_animation_ends_at_the_last_state_and_is_whole_or_absent(tmp_path, monkeypatch):
    tape = tape_of(gn.Network((2, 2)), X, Y, 20)
    path = tmp_path / "run.gif"
    plots.animation(tape, path, frames=3)
    with PIL.Image.open(path) as picture:
        assert picture.n_frames >= 3
    before = path.read_bytes()
    monkeypatch.setattr(gn.Tape, "at", lambda tape, k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        plots.animation(tape, path, frames=3)
    assert path.read_bytes() == before
