"""Finds the Chromium that the tests of the lab drive, or installs it; prints where it is.

`python tests/chromium.py --install` is what `make test` runs.
"""

import functools
import os
import shutil
import subprocess
import sys
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


def install():
    """Install Debian's package where this process may."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root and shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-y", "-qq", "chromium"]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)


def main():
    """Print where the browser is, after installing it where that is wanted and possible."""
    if find() is None and "--install" in sys.argv:
        print("Installing Chromium for the tests of the lab")
        install()
        find.cache_clear()
    print(find() or sys.exit(MISSING))


if __name__ == "__main__":
    main()
