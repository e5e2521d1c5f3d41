"""The browser that the other tests drive: it is found, named or asked for in words."""

import sys
from pathlib import Path

import chromium
import programs
import pytest


@pytest.fixture
def anew(monkeypatch):
    """`chromium.find` as a new process has it, without a Chromium of Playwright's."""
    monkeypatch.setattr(chromium, "_of_playwright", lambda: None)
    chromium.find.cache_clear()
    yield
    chromium.find.cache_clear()


def test_chromium_named_by_the_environment_comes_first(anew, monkeypatch):
    monkeypatch.setenv(chromium.VARIABLE, sys.executable)
    assert Path(chromium.find()) == Path(sys.executable)


def test_chromium_named_wrongly_is_an_error(anew, monkeypatch):
    monkeypatch.setenv(chromium.VARIABLE, "/nowhere/chromium")
    with pytest.raises(SystemExit, match=r"GLASSNET_CHROMIUM names '/nowhere/chromium'"):
        chromium.find()


def test_make_test_ends_with_words_where_no_browser_can_be_had(anew, monkeypatch, tmp_path):
    monkeypatch.delenv(chromium.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(chromium, "PLACES", ())
    with pytest.raises(SystemExit, match="Install one") as raised:
        programs.main()
    assert raised.value.code == chromium.MISSING


def test_page_is_a_real_chromiums(page):
    page.set_content("<p role=status>here</p>")
    assert page.get_by_role("status").inner_text() == "here"
    assert "Chrome/" in page.evaluate("navigator.userAgent")
