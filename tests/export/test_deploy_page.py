"""The page "Deploy a model": what it shows in other languages compiles, runs and agrees."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "deploy-a-model.md").read_text(encoding="utf-8")
PRICE = 578.15


def blocks(language):
    return re.findall(rf"^```{re.escape(language)}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files that the page's first two blocks export."""
    path = tmp_path_factory.mktemp("deploy")
    before = Path.cwd()
    try:
        os.chdir(path)
        names = {"print": lambda *words: None}
        for block in blocks("python")[:2]:
            exec(block, names)
    finally:
        os.chdir(before)
    return path


def output_of(*command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_program_of_the_page_prints_the_price(folder):
    (folder / "home.cpp").write_text(blocks("c++")[0])
    output_of("g++", "-Wall", "-Wextra", "-Werror", "home.cpp", "-o", "home", folder=folder)
    assert round(float(output_of("./home", folder=folder)), 2) == PRICE


ARDUINO = """
#include <cstdio>
static struct {
  void begin(long) {}
  void println(double x) { std::printf("%.2f\\n", x); }
} Serial;
static void delay(int) {}
"""
MAIN = "\nint main() { setup(); loop(); }\n"


def test_sketch_of_the_page_prints_the_price(folder):
    (folder / "sketch.cpp").write_text(ARDUINO + blocks("c++")[1] + MAIN)
    output_of("g++", "-Wall", "-Wextra", "-Werror", "sketch.cpp", "-o", "sketch", folder=folder)
    assert float(output_of("./sketch", folder=folder)) == PRICE


def test_device_of_the_page_learns_a_price(folder):
    (folder / "device.c").write_text(blocks("c")[0])
    output_of("gcc", "-std=c99", "-Wall", "-Werror", "device.c", "-o", "device", "-lm", folder=folder)
    price, slope = re.findall(r"[\d.]+", output_of("./device", folder=folder))
    assert abs(float(price) - 590) < 1
    assert 1 < float(slope) < 6


def test_module_of_the_web_page_gives_the_price(folder):
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not installed")
    (html,) = blocks("html")
    script = re.search(r"<script type=\"module\">(.*)</script>", html, re.DOTALL).group(1)
    stand_in = "const shown = {}; const document = { getElementById: () => shown };\n"
    script = script.replace("./homes.js", "./homes.mjs")
    (folder / "page.mjs").write_text(f"{stand_in}{script}\nconsole.log(shown.value);")
    shutil.copy(folder / "homes.js", folder / "homes.mjs")
    assert float(output_of(node, "page.mjs", folder=folder)) == PRICE
