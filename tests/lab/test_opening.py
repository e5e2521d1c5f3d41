"""The lab is opened: a page of its own, its browser, its address kept in a file, and its end."""

import inspect
import os
import stat
import sys
import threading
import types
import webbrowser

import numpy as np
import pytest
from strangers import ask

import glassnet as gn
from glassnet.errors import FileError, InputError, InputTypeError, MissingLibraryError
from glassnet.experiments import about, built_in
from glassnet.lab import opening

X = np.random.RandomState(0).randn(60, 2)
Y = (X[:, 0] > 0).astype(int)


@pytest.fixture
def browser(monkeypatch):
    """The addresses that a browser was asked to open."""
    opened = []

    class Browser:
        def open(self, address):
            opened.append(address)
            return True

    monkeypatch.setattr(webbrowser, "get", lambda: Browser())
    return opened


def answers(address):
    """The status with which a lab answers its address."""
    port = int(address.partition("127.0.0.1:")[2].partition("/")[0])
    path = address.partition(f":{port}")[2]
    return ask(port, path, {"Host": f"127.0.0.1:{port}"}).status


def test_lab_prints_its_address_and_opens_the_browser_at_another_that_works_once(browser, capsys):
    with gn.lab(X, Y) as lab:
        assert capsys.readouterr().out == f"The lab is at {lab.address}\n"
        assert answers(lab.address) == 303
        (address,) = browser
        assert address.startswith(lab.address.partition("?")[0] + "?once=")
        assert [answers(address), answers(address)] == [303, 403]


def test_lab_opens_no_browser_where_none_is_wanted(browser):
    gn.lab(X, Y, browser=False).close()
    assert browser == []


def test_lab_goes_on_where_there_is_no_browser_but_one_of_text(monkeypatch, capsys):
    monkeypatch.delenv("BROWSER", raising=False)
    monkeypatch.setattr(webbrowser, "get", lambda: webbrowser.GenericBrowser("w3m"))
    with gn.lab(X, Y) as lab:
        assert not lab.open_browser()

        def none():
            raise webbrowser.Error("could not locate runnable browser")

        monkeypatch.setattr(webbrowser, "get", none)
        assert not lab.open_browser()


def test_lab_takes_the_settings_of_train_and_a_network(browser):
    network = gn.Network((2, 3, 2), hidden="relu")
    settings = {"optimizer": gn.Adam(0.05), "batch_size": 20, "random_state": 3, "iterations": 8}
    with gn.lab(X, Y, network, **settings, browser=False) as lab:
        answer = lab.session.command({"do": "step", "n": 8})
        assert answer["loss"] == gn.train(network, X, Y, **settings).losses[-1]


def test_lab_says_what_cannot_be_learned_from_and_leaves_no_thread():
    before = threading.active_count()
    with pytest.raises(InputError, match="a target for each of the 60 rows"):
        gn.lab(X, Y[:5], browser=False)
    with pytest.raises(InputTypeError, match="has no argument 'nonsense'"):
        gn.lab(X, Y, nonsense=1, browser=False)
    with pytest.raises(InputError, match="cannot listen on port 70000"):
        gn.lab(X, Y, port=70000, browser=False)
    with pytest.raises(InputError, match="Did you mean 'spirals'"):
        gn.lab("spiral", browser=False)
    assert threading.active_count() == before


def test_lab_is_a_function_though_its_package_has_the_name():
    assert callable(gn.lab)
    assert inspect.signature(gn.lab) == inspect.signature(opening.lab)
    assert gn.lab.__doc__ == opening.lab.__doc__
    assert gn.lab.opening is opening


def test_closed_lab_ends_training_frees_its_port_and_lets_wait_return():
    lab = gn.lab(X, Y, iterations=10_000_000, browser=False)
    lab.session.command({"do": "play"})
    waiting = threading.Thread(target=lab.wait)
    waiting.start()
    lab.close()
    lab.close()  # twice is once
    waiting.join(10)
    assert not waiting.is_alive()
    assert lab.session.closed
    assert repr(lab).startswith("<Lab, closed, on port ")
    port = int(repr(lab).removesuffix(">").rpartition(" ")[2])
    gn.lab(X, Y, port=port, browser=False).close()


def test_without_the_extra_the_command_that_installs_it_is_said(monkeypatch):
    for library in ("uvicorn", "starlette", "websockets"):
        with monkeypatch.context() as patch:
            for name in [name for name in sys.modules if name.split(".")[0] == library]:
                patch.delitem(sys.modules, name)
            patch.setitem(sys.modules, library, None)
            with pytest.raises(
                MissingLibraryError, match=rf'needs {library}, .+ pip install "glassnet\[lab\]"'
            ):
                gn.lab(X, Y, browser=False)


# ---- An address that stays ------------------------------------------------------------------------


def test_address_file_keeps_the_address_for_its_user_alone(tmp_path):
    path = tmp_path / "address"
    with gn.lab(X, Y, browser=False, address_file=path) as lab:
        address = lab.address
        assert path.read_text() == f"{address}\n"
        if os.name == "posix":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with gn.lab(X, Y, browser=False, address_file=path) as lab:
        assert lab.address == address
        with pytest.raises(InputError, match="cannot listen on port"):
            gn.lab(X, Y, browser=False, address_file=path)
    assert path.read_text() == f"{address}\n"


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such permissions")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666])
def test_address_file_that_others_can_read_or_write_is_refused(tmp_path, mode):
    path = tmp_path / "address"
    gn.lab(X, Y, browser=False, address_file=path).close()
    path.chmod(mode)
    with pytest.raises(FileError, match=r"Others can read .+ chmod 600 "):
        gn.lab(X, Y, browser=False, address_file=path)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "http://127.0.0.1:8000/?token=short",
        "http://127.0.0.1:8000/?token=" + "a" * 43 + " more",
        "\xff",
    ],
)
def test_address_file_that_holds_something_else_is_left_alone(tmp_path, text):
    path = tmp_path / "address"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(FileError, match=r"holds no address of a lab|is not text"):
        gn.lab(X, Y, browser=False, address_file=path)
    assert path.read_bytes() == text.encode("latin-1")


def test_address_file_that_cannot_be_written_is_said_and_nothing_is_left_open(tmp_path):
    before = threading.active_count()
    with pytest.raises(FileError, match=r"there is no such file or folder|takes no new files"):
        gn.lab(X, Y, browser=False, address_file=tmp_path / "nowhere" / "address")
    assert threading.active_count() == before


# ---- In a notebook --------------------------------------------------------------------------------


def test_in_notebook_knows_kernels_and_no_other_shell(monkeypatch):
    assert not opening.in_notebook()
    for kernel, expected in [(object(), True), (None, False)]:
        shell = types.SimpleNamespace(kernel=kernel)
        monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda s=shell: s))
        assert opening.in_notebook() is expected
    monkeypatch.delitem(sys.modules, "IPython")
    monkeypatch.setitem(sys.modules, "marimo", types.SimpleNamespace(running_in_notebook=lambda: True))
    assert opening.in_notebook()


def test_widget_and_page_can_be_asked_for_anywhere(monkeypatch):
    made = gn.lab(X, Y, widget=True)
    assert made._esm
    made.close()
    monkeypatch.setattr(opening, "in_notebook", lambda: True)
    with gn.lab(X, Y, widget=False, browser=False) as lab:
        assert answers(lab.address) == 303


# ---- What it is opened on -------------------------------------------------------------------------


def opened_on(X=None, y=None):
    """The setup of the lab that opens on this."""
    with gn.lab(X, y, browser=False) as lab:
        return lab.session.command({"do": "setup"})


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "plants.csv"
    rows = "".join(f"{a},{b},{'tall' if a + b > 30 else 'low'}\n" for a in range(20) for b in range(20))
    path.write_text("light,water,growth\n" + rows)
    return path


def test_lab_opens_on_circles_where_nothing_is_given():
    assert opened_on()["network"]["sizes"] == [2, 3, 2]


@pytest.mark.parametrize("name", built_in())
def test_lab_opens_on_every_built_in_experiment_with_its_own_settings(name):
    one, setup = about(name), opened_on(name)
    assert "-".join(map(str, setup["network"]["sizes"])) == one.network.split()[0]
    assert 0 < setup["data"]["samples"] <= one.rows


@pytest.mark.parametrize("form", [str, lambda path: path, gn.read_table])
def test_lab_opens_on_a_table_and_its_column(table, form):
    setup = opened_on(form(table), "growth")
    assert setup["data"]["name"] == "plants.csv"
    assert setup["data"]["features"] == ["light", "water"]
    assert setup["data"]["classes"] == ["low", "tall"]
    assert setup["data"]["target"] == "growth"


def test_table_of_a_file_is_saved_in_a_lesson_and_another_column_predicted(table):
    with opening.session_of(str(table)) as session:
        session.command({"do": "predict_column", "column": "light"})
        text = session.lesson()
    with gn.lab("moons", browser=False) as lab:
        lab.session.open_lesson(text)
        data = lab.session.command({"do": "setup"})["data"]
    assert (data["target"], data["features"]) == ("light", ["water", "growth = tall"])


def test_table_that_is_no_text_is_saved_as_numbers(table, tmp_path):
    latin = tmp_path / "latin.csv"
    latin.write_bytes(table.read_text().replace("growth", "höhe").encode("latin-1"))
    with opening.session_of(str(latin)) as session:
        assert "columns" not in session.command({"do": "setup"})["data"]["source"]
        assert "X = [[" in session.lesson()


def test_lab_opens_on_an_experiments_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[data]\ngenerator = "moons"\nn_samples = 80\n[network]\nhidden = [5]\n')
    setup = opened_on(path)
    assert setup["network"]["sizes"] == [2, 5, 2]


def test_column_without_a_table_is_said(table):
    with pytest.raises(InputError, match="moons is no table: leave out the column to predict, 'growth'"):
        gn.lab("moons", "growth", browser=False)
    with pytest.raises(
        InputTypeError, match="names the column of a table to predict, and is text, not list"
    ):
        gn.lab(str(table), [1, 2], browser=False)
