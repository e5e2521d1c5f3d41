"""The documentation: its code runs as it stands, prints what it says, and makes its pictures."""

import os
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import sklearn.neural_network

import glassnet as gn

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = [page for page in PAGES if "```python" in page.read_text()]

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#]+)[^)]*\)")
NUMBER = re.compile(r"[-+]?\b\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def blocks_of(page):
    """The page's code, each block with what it is said to print ("" where nothing is)."""
    blocks = [*BLOCK.findall(page.read_text()), ("", "")]
    return [
        (code, said if kind == "text" else "")
        for (language, code), (kind, said) in pairwise(blocks)
        if language == "python"
    ]


def agree(printed, said):
    """Whether two texts have the same words, and numbers that differ by rounding on another machine."""
    if NUMBER.sub("#", printed.strip()) != NUMBER.sub("#", said.strip()):
        return False
    found, expected = (
        [float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (printed, said)
    )
    return np.allclose(found, expected, rtol=0.1, atol=0.02)


@pytest.fixture(scope="module", params=EXAMPLES, ids=lambda page: page.stem)
def executed(request, tmp_path_factory):
    """A page, what its blocks printed, and the folder that they ran in, one after the other."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    folder = tmp_path_factory.mktemp(request.param.stem)
    (folder / "pictures").mkdir()
    before = Path.cwd()
    names, printed = {}, []
    try:
        os.chdir(folder)
        for number, (code, _) in enumerate(blocks_of(request.param), 1):
            lines = []
            names["print"] = lambda *what, lines=lines, sep=" ": lines.append(sep.join(map(str, what)))
            exec(compile(code, f"{request.param.name}, block {number}", "exec"), names)
            printed.append("\n".join(lines))
    finally:
        os.chdir(before)
        plt.close("all")
    return request.param, printed, folder


def test_code_of_the_documentation_prints_what_the_page_says(executed):
    page, printed, _ = executed
    for number, (found, (_, said)) in enumerate(zip(printed, blocks_of(page), strict=True), 1):
        assert agree(found, said), f"block {number} printed:\n{found}\nthe page says:\n{said}"


def test_pictures_of_a_page_are_those_that_its_code_makes(executed):
    page, _, folder = executed
    shown = set(PICTURE.findall(page.read_text()))
    made = {str(path.relative_to(folder)) for path in folder.rglob("*.png")}
    assert made == shown


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=lambda page: page.name)
def test_links_and_pictures_of_the_documentation_are_there(page):
    text = page.read_text()
    for target in PICTURE.findall(text) + LINK.findall(text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_pictures_of_the_documentation_are_small():
    for picture in (DOCS / "pictures").glob("*.png"):
        assert picture.stat().st_size < 150_000, picture.name
        assert picture.read_bytes().startswith(b"\x89PNG")


# ---- Coming from scikit-learn ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["MLPClassifier", "MLPRegressor"])
def test_page_for_users_of_scikit_learn_names_all_that_is_added(kind):
    page = (DOCS / "coming-from-scikit-learn.md").read_text()
    ours, theirs = getattr(gn, kind), getattr(sklearn.neural_network, kind)
    added = set(ours().get_params()) - set(theirs().get_params())
    added |= {name for name in dir(ours) if not name.startswith(("_", "set_"))} - set(dir(theirs))
    assert added  # or this compares a class with itself
    assert [name for name in sorted(added) if not re.search(rf"`{name}(\(X\))?`", page)] == []


def test_page_for_users_of_scikit_learn_names_every_display():
    page = (DOCS / "coming-from-scikit-learn.md").read_text()
    assert [name for name in gn.__all__ if name.endswith("Display") and f"`gn.{name}`" not in page] == []
