"""A real Chromium for the tests of the lab: one for all of them, and a fresh page for each."""

import os
import re

import pytest
from chromium import MISSING, find
from playwright.sync_api import sync_playwright

# A group of xdist runs in one process, so that the browser starts once.
GROUP = pytest.mark.xdist_group("lab")
BROWSING = {"launch_chromium", "new_page"}


def pytest_collection_modifyitems(items):
    for item in items:
        if BROWSING & set(getattr(item, "fixturenames", ())):
            item.add_marker(GROUP)


class Chromium:
    """The browser, started by the first test that asks for one."""

    def __init__(self):
        self.playwright = self.browser = None

    def launch(self, *arguments):
        """A browser of its own, with these arguments."""
        path = find()
        assert path is not None, MISSING
        if self.playwright is None:
            self.playwright = sync_playwright().start()
        # Chromium's own sandbox needs another user than root.
        root = hasattr(os, "geteuid") and os.geteuid() == 0
        flags = [*arguments, *(["--no-sandbox"] if root else [])]
        return self.playwright.chromium.launch(executable_path=path, args=flags)

    def shared(self):
        if self.browser is None or not self.browser.is_connected():
            self.browser = self.launch()
        return self.browser

    def stop(self):
        if self.browser is not None:
            self.browser.close()
        if self.playwright is not None:
            self.playwright.stop()
        self.playwright = self.browser = None


_chromium = Chromium()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    result = yield
    # Playwright holds an event loop in this thread, which tests elsewhere may want for themselves.
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _chromium.stop()
    return result


@pytest.fixture
def launch_chromium():
    """`launch_chromium(*arguments)`: a Chromium of its own, which is closed after the test."""
    browsers = []

    def launch(*arguments):
        browsers.append(_chromium.launch(*arguments))
        return browsers[-1]

    yield launch
    for browser in browsers:
        browser.close()


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
        context = _chromium.shared().new_context(viewport=viewport, **settings)
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
