"""The page's connection to Python in a real Chromium: frames, answers, tabs, loss and return."""

import json
import os
import signal
import subprocess
import sys

import pytest
from playwright.sync_api import expect
from strangers import settled

from glassnet.lab.viewer import MOST_BYTES


@pytest.fixture(autouse=True)
def _plain(plain_page):
    """No test here depends on what the lab's own page shows."""


def status(page):
    return page.get_by_role("status")


def say(page, **message):
    page.wait_for_function("window.model")
    page.evaluate("message => model.send(message)", message)


def answer(page, number):
    """The answer to the message with this id, once it is there."""
    item = page.get_by_role("listitem").filter(has_text=f'"id":{number},')
    return json.loads(item.inner_text())["answer"]


def test_page_opens_by_the_printed_address_and_hides_the_token(serve, page):
    server = serve()
    page.goto(server.address)
    expect(status(page)).to_contain_text("iteration 0,")
    assert page.url == f"http://127.0.0.1:{server.port}/{server.guard.folder}/"
    page.reload()  # by the cookie
    expect(status(page)).to_contain_text("iteration 0,")
    assert page.evaluate("document.cookie") == ""  # no script can read it


def test_page_without_the_token_says_what_to_do(serve, page):
    server = serve()
    page.goto(f"http://127.0.0.1:{server.port}/")
    assert "Open the whole address" in page.inner_text("body")


def test_page_plays_to_the_end(serve, page):
    server = serve()
    page.goto(server.address)
    say(page, id=1, do="play")
    expect(status(page)).to_contain_text("iteration 500,")
    assert answer(page, 1)["end"] == 500
    loss = server.session.command({"do": "pause"})["loss"]
    assert f"loss {loss!r}," in status(page).inner_text()


def test_three_tabs_show_one_session(serve, page):
    server = serve()
    tabs = [page, page.context.new_page(), page.context.new_page()]
    for tab in tabs:
        tab.goto(server.address)
        expect(status(tab)).to_contain_text("iteration 0,")
    say(tabs[1], id=1, do="step", n=7)
    for tab in tabs:
        expect(status(tab)).to_contain_text("iteration 7,")


def test_tab_that_draws_nothing_is_sent_nothing(serve, page):
    server = serve()
    page.goto(server.address)
    expect(status(page)).to_have_attribute("data-frames", "1")
    page.evaluate("document.body.dataset.asleep = 1")
    say(page, id=1, do="step")
    expect(status(page)).to_have_attribute("data-frames", "2")  # the one that was asked for
    for k in range(2, 12):
        say(page, id=k, do="step")
    expect(page.get_by_role("listitem")).to_have_count(11)
    assert status(page).get_attribute("data-frames") == "2"
    say(page, do="taken")
    expect(status(page)).to_contain_text("iteration 11,")
    expect(status(page)).to_have_attribute("data-frames", "3")


def test_tab_that_is_closed_leaves_nothing_behind(serve, page):
    server = serve()
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(server.address)
        expect(status(tab)).to_contain_text("iteration 0,")
    other.close()
    say(page, id=1, do="step")
    expect(status(page)).to_contain_text("iteration 1,")
    assert settled(lambda: len(server.viewers) == 1)


def test_message_that_is_too_long_is_refused_on_the_page(serve, page):
    page.goto(serve().address)
    expect(status(page)).to_contain_text("iteration 0,")
    text = "model.send({ id: 1, do: 'open_table', text: 'x'.repeat(%d) })"
    page.evaluate(text % (MOST_BYTES + 1))
    assert answer(page, 1)["error"] == "This is 9.0 MB, and a page sends at most 9 MB at once."
    say(page, id=2, do="step")
    expect(status(page)).to_contain_text("iteration 1,")


def test_ninth_tab_says_why_it_is_empty_and_opens_once_there_is_room(serve, page, monkeypatch):
    monkeypatch.setattr("glassnet.lab.server.MOST_PAGES", 1)
    server = serve()
    page.goto(server.address)
    expect(status(page)).to_contain_text("iteration 0,")
    other = page.context.new_page()
    other.goto(server.address)
    expect(other.get_by_role("alert")).to_contain_text("close one of them")
    page.close()
    expect(status(other)).to_contain_text("iteration 0,")
    expect(other.get_by_role("alert")).to_be_hidden()


PROGRAM = """
import sys
import numpy as np
import glassnet.lab.server
from glassnet.lab.opening import Lab
from glassnet.lab.session import Session
from pathlib import Path

glassnet.lab.server.PAGE = Path(sys.argv[1])
X = np.random.RandomState(0).randn(200, 2)
lab = Lab(Session(X, (X[:, 0] > 0).astype(int), iterations=10_000_000), address_file=sys.argv[2])
print(lab.address, flush=True)
lab.wait()
print("ended", flush=True)
"""


@pytest.fixture
def start(tmp_path):
    """`start(address_file)`: a lab in a process of its own, and its address; killed after the test."""
    processes = []

    def begin(file):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / "page"), str(tmp_path / file)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        address = process.stdout.readline().strip()
        assert address, process.stderr.read()
        return process, address

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


def test_page_says_that_its_lab_was_killed_and_goes_on_with_the_next(start, page):
    process, address = start("address")
    page.goto(address)
    say(page, id=1, do="step", n=4)
    expect(status(page)).to_contain_text("iteration 4,")
    process.kill()
    process.wait()
    expect(page.get_by_role("alert")).to_contain_text("The connection to Python is lost")
    say(page, id=2, do="step")
    assert answer(page, 2)["error"] == "There is no connection to Python at the moment."
    _, again = start("address")
    assert again == address
    # A new lab begins anew, and so does the page.
    expect(status(page)).to_contain_text("iteration 0,")
    expect(page.get_by_role("alert")).to_be_hidden()
    say(page, id=1, do="step", n=2)
    expect(status(page)).to_contain_text("iteration 2,")


def test_page_says_that_a_new_lab_does_not_know_it(serve, page):
    first = serve()
    page.goto(first.address)
    expect(status(page)).to_contain_text("iteration 0,")
    first.close()
    serve(port=first.port)
    expect(page.get_by_role("alert")).to_contain_text("Open the address that it printed last")


def test_connection_that_breaks_off_comes_back_where_it_was(serve, page):
    server = serve()
    page.goto(server.address)
    expect(status(page)).to_contain_text("iteration 0,")
    page.evaluate("window.same = true")
    server.session.command({"do": "step", "n": 3})
    for connection in list(server._server.server_state.connections):
        connection.loop.call_soon_threadsafe(connection.transport.abort)
    server.session.command({"do": "step", "n": 3})
    expect(status(page)).to_contain_text("iteration 6,")
    assert page.evaluate("window.same")  # the server lives on: nothing on the page is lost


@pytest.mark.skipif(os.name != "posix", reason="Windows sends Ctrl-C to all of a console")
@pytest.mark.parametrize("playing", [False, True])
def test_ctrl_c_ends_a_lab_that_trains_or_rests(start, page, playing):
    process, address = start("address")
    page.goto(address)
    expect(status(page)).to_contain_text("iteration 0,")
    if playing:
        say(page, id=1, do="play")
        expect(status(page)).not_to_contain_text("iteration 0,")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("ended\n", "", 0)
    expect(page.get_by_role("alert")).to_contain_text("The connection to Python is lost")
