"""A real Chromium for the tests of the lab: one for all of them, and a fresh page for each."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from chromium import MISSING, find
from playwright.sync_api import expect, sync_playwright

import glassnet.lab.server
from glassnet.lab.server import Server
from glassnet.lab.session import Session

expect.set_options(timeout=15_000)  # a loaded machine is not a fault

# A group of xdist runs in one process, so that the browser starts once.
GROUP = pytest.mark.xdist_group("lab")
BROWSING = {"chromium", "new_page"}


def pytest_collection_modifyitems(items):
    for item in items:
        if BROWSING & set(getattr(item, "fixturenames", ())):
            item.add_marker(GROUP)


class Chromium:
    """The browsers: each is started by the first test that asks for it, and stays for the next ones."""

    def __init__(self):
        self.playwright, self.browsers = None, {}

    def browser(self, *arguments):
        """The browser that was started with these arguments."""
        browser = self.browsers.get(arguments)
        if browser is None or not browser.is_connected():
            browser = self.browsers[arguments] = self._launch(arguments)
        return browser

    def _launch(self, arguments):
        path = find()
        assert path is not None, MISSING
        if self.playwright is None:
            self.playwright = sync_playwright().start()
        # Chromium's own sandbox needs another user than root.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        flags = [*arguments, *(["--no-sandbox"] if root else [])]
        return self.playwright.chromium.launch(executable_path=path, args=flags)

    def stop(self):
        for browser in self.browsers.values():
            browser.close()
        if self.playwright is not None:
            self.playwright.stop()
        self.playwright, self.browsers = None, {}


_chromium = Chromium()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    result = yield
    # Playwright holds an event loop in this thread, which tests elsewhere may want for themselves.
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _chromium.stop()
    return result


@pytest.fixture
def chromium():
    """`chromium(*arguments)`: the browser that was started with these, which tests share."""
    return _chromium.browser


@pytest.fixture
def new_page():
    """`new_page(width=1280, height=800, **settings)`: a page in a context of its own (its own cookies).

    `settings` are Playwright's of a context, such as color_scheme="dark". A script's uncaught error, or
    something that the page's Content-Security-Policy had to refuse, fails the test.
    """
    contexts, faults = [], []

    def listen(page):
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: _note(message.text))

    def _note(text):
        if re.search("Content.Security.Policy|TrustedHTML", text):
            faults.append(text)

    def make(width=1280, height=800, **settings):
        viewport = {"width": width, "height": height}
        context = _chromium.browser().new_context(viewport=viewport, **settings)
        context.set_default_timeout(15_000)
        context.on("page", listen)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(new_page):
    """A page of 1280 x 800 in a context of its own."""
    return new_page()


# ---- Labs to look at ------------------------------------------------------------------------------


@pytest.fixture
def new_session():
    """`new_session(**settings)`: a session on data that a small network learns; closed after the test."""
    sessions = []

    def make(**settings):
        X = np.random.RandomState(0).randn(200, 2)
        y = (X[:, 0] * X[:, 1] > 0).astype(int)
        sessions.append(Session(X, y, **{"iterations": 500, **settings}))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


@pytest.fixture
def serve(new_session):
    """`serve(session=None, **settings)`: a `Server`, which is closed after the test, with its session."""
    servers = []

    def make(session=None, **settings):
        servers.append(Server(new_session() if session is None else session, **settings))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def plain_page(tmp_path, monkeypatch):
    """The server serves a page that shows what it hears as text, in place of the lab's own."""
    folder = tmp_path / "page"
    shutil.copytree(glassnet.lab.server.PAGE, folder)
    for file in (Path(__file__).parent / "plain_page").iterdir():
        shutil.copy(file, folder)
    monkeypatch.setattr("glassnet.lab.server.PAGE", folder)
