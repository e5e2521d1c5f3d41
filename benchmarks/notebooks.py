"""Whether the widget of the live lab works in JupyterLab and in marimo, in a real Chromium.

``python -m benchmarks.notebooks FOLDER`` starts each of them with a notebook of two cells, the lab and one
that is busy for 15 seconds, presses Play while the second cell runs, and prints what the lab says each
second, beside a picture in FOLDER. In JupyterLab training goes on and is seen at once; marimo hands
messages on between cells alone, so that the lab shows itself when the cell has ended. Needs
``pip install jupyterlab marimo``; Chromium is the system's, or that of GLASSNET_CHROMIUM.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.live_lab import chromium_path

LAB = """import numpy as np
import glassnet as gn
X = np.random.RandomState(0).randn(2000, 2)
shown = gn.lab(X, X[:, 0] * X[:, 1] > 0, optimizer=gn.Adam(0.001), iterations=100_000)
shown"""
BUSY = "import time\ntime.sleep(15)"
SECONDS = 25


def watch(page: Page, name: str, folder: Path) -> bool:
    """Press Play, print what the lab says each second, and whether it went on."""
    page.get_by_role("button", name="Play", exact=True).click()
    status = page.locator(".glassnet-lab [role=status]").first
    for second in range(1, SECONDS + 1):
        page.wait_for_timeout(1000)
        words = " ".join(status.inner_text().split())
        print(f"{name}, {second:2} s: {words}", flush=True)
        if "100000" in words:
            break
    page.screenshot(path=str(folder / f"{name}.png"))
    return "100000" in words


def jupyterlab(page: Page, folder: Path) -> bool:
    """The lab in JupyterLab, while the second cell runs."""
    empty: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{**empty, "source": code} for code in (LAB, BUSY)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 4}
    Path("lab.ipynb").write_text(json.dumps(notebook))
    page.goto("http://127.0.0.1:2801/lab/tree/lab.ipynb")
    cell = page.locator(".jp-Cell .cm-content")
    for place in (0, 1):
        cell.nth(place).click(timeout=60_000)
        page.keyboard.press("Shift+Enter")
        page.get_by_role("button", name="Play", exact=True).wait_for(timeout=60_000)
        page.wait_for_timeout(1000)
    return watch(page, "jupyterlab", folder)


def marimo(page: Page, folder: Path) -> bool:
    """The lab in marimo, which runs both cells at the start."""
    cells = [f"@app.cell\ndef _():\n{textwrap.indent(code, '    ')}\n" for code in (LAB, BUSY)]
    Path("lab.py").write_text("\n".join(["import marimo\n", "app = marimo.App()\n", *cells]))
    page.goto("http://127.0.0.1:2802")
    page.get_by_role("button", name="Play", exact=True).wait_for(timeout=60_000)
    return watch(page, "marimo", folder)


SERVERS = {
    jupyterlab: "jupyter lab --no-browser --allow-root --port 2801 --IdentityProvider.token=",
    marimo: "marimo run lab.py --headless --port 2802 --no-token",
}


def main() -> int:
    """Print what each shows; 1 where a lab did not go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for the pictures")
    folder = parser.parse_args().folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    went_on = []
    with tempfile.TemporaryDirectory() as room, sync_playwright() as playwright:
        os.chdir(room)
        Path("lab.py").touch()
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        for show, command in SERVERS.items():
            words = [sys.executable, "-m", *command.split()]
            server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
            try:
                time.sleep(8)
                went_on.append(show(browser.new_page(viewport={"width": 1280, "height": 1000}), folder))
            finally:
                server.terminate()
                server.wait()
        browser.close()
    return 0 if all(went_on) else 1


if __name__ == "__main__":
    sys.exit(main())
