import re
import sys
from types import SimpleNamespace

import pytest
from tqdm import tqdm

import glassnet as gn
from glassnet.utils.progress import tqdm_bar

NET = gn.Network((1, 2))


def train(**settings):
    return gn.train(NET, [[0.0], [1.0]], [0, 1], random_state=0, **settings)


def test_progress_shows_iteration_loss_speed_and_time_left(capsys):
    run = train(iterations=30, progress=True)
    out, err = capsys.readouterr()
    last = err.split("\r")[-1]
    assert out == ""
    assert "30/30" in last
    assert f"loss {run.losses[-1]:.6g}" in last
    assert "iterations/s" in last
    assert re.search(r"\d\d:\d\d<\d\d:\d\d", last)


def test_progress_of_a_resumed_run_goes_on_counting(capsys):
    run = train(iterations=30)
    run.resume(20, progress=True)
    lines = capsys.readouterr().err.split("\r")
    assert "30/50" in lines[1]
    assert "50/50" in lines[-1]


def test_progress_that_stops_early_ends_as_done(capsys):
    train(iterations=30, progress=True, callbacks=[lambda run: run.iterations == 7])
    last = capsys.readouterr().err.split("\r")[-1]
    assert "100%" in last
    assert "7/7" in last


def test_progress_that_diverges_ends_where_it_stands(capsys):
    with pytest.warns(gn.DivergenceWarning):
        gn.train(gn.Network((1, 1), output="identity"), [[9.0]], [1.0], progress=True, random_state=0)
    assert "/1000" in capsys.readouterr().err.split("\r")[-1]


def test_no_progress_prints_nothing(capsys):
    train(iterations=30)
    assert capsys.readouterr() == ("", "")


def test_progress_does_not_change_the_numbers():
    assert train(iterations=30, progress=True).losses.tolist() == train(iterations=30).losses.tolist()


def test_line_is_closed_after_an_error(capsys):
    def fail(run):
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        train(iterations=3, progress=True, callbacks=[fail])
    assert capsys.readouterr().err.endswith("\n")


@pytest.mark.parametrize(
    ("kernel", "widgets", "chosen"),
    [(True, True, "auto"), (True, False, "plain"), (False, True, "plain")],
    ids=["notebook with widgets", "notebook without widgets", "terminal"],
)
def test_bar_is_a_widget_where_a_notebook_has_widgets(monkeypatch, capsys, kernel, widgets, chosen):
    class Widget(tqdm):
        pass

    modules = {"tqdm.auto": SimpleNamespace(tqdm=Widget)}
    if kernel:
        modules["ipykernel.zmqshell"] = SimpleNamespace()
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr("glassnet.utils.progress.find_spec", lambda name: "spec" if widgets else None)
    with tqdm_bar(total=3) as line:
        assert type(line) is {"auto": Widget, "plain": tqdm}[chosen]


def test_widget_that_stops_early_is_full(monkeypatch, capsys):
    part = SimpleNamespace(max=30)

    class Widget(tqdm):
        container = SimpleNamespace(children=[None, part, None])

    monkeypatch.setattr("glassnet.utils.progress.tqdm_bar", lambda **settings: Widget(**settings))
    train(iterations=30, progress=True, callbacks=[lambda run: run.iterations == 7])
    assert part.max == 7


def test_progress_of_a_log_is_lines_below_each_other(capsys):
    run = train(iterations=30, progress=1e-9)
    err = capsys.readouterr().err
    assert "\r" not in err
    last = err.splitlines()[-1]
    assert last == f"training: 30 of 30 iterations, loss {run.losses[-1]:.6g}, 00:00 left"


def test_progress_of_a_log_says_nothing_of_what_is_quick(capsys):
    train(iterations=30, progress=1e9)
    assert capsys.readouterr().err == ""
