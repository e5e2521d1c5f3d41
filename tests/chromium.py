"""Finds the Chromium that the tests of the lab drive."""

import functools
import os
import shutil
from pathlib import Path

VARIABLE = "GLASSNET_CHROMIUM"

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")

PLACES = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)

MISSING = (
    "The tests of the lab drive a real Chromium, and none was found. Install one (on Debian and Ubuntu: "
    "apt-get install chromium; anywhere: .venv/bin/playwright install chromium), or name the program "
    f"in {VARIABLE}."
)


@functools.cache
def find():
    """The path of a Chromium or Chrome on this machine, or None."""
    if named := os.environ.get(VARIABLE):
        if program := shutil.which(named):
            return program
        raise SystemExit(f"{VARIABLE} names {named!r}, which is no program on this machine.")
    found = next(filter(None, map(shutil.which, [*PROGRAMS, *PLACES])), None)
    return found or _of_playwright()


def _of_playwright():
    """The one that `playwright install chromium` fetched, or None."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None
