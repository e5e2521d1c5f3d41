"""The notebook runs from a clean kernel, shows its pictures, and is stored as it runs."""

import base64
import io
import math
import re
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("notebook")  # the notebook runs once, in one of the processes

NOTEBOOK = Path(__file__).parent.parent / "notebooks" / "backpropagation.ipynb"

CELL_SECONDS = 900  # the whole job of 50,000 iterations on a loaded machine
NUMBER = re.compile(r"[-+]?\b\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
STORED_BYTES = 1_000_000

# Where numbers depend on the clock, the cell says so by this tag.
TIMING = "timing"


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(cell):
    """Everything that a cell printed or showed as text; a picture's text is only its type."""
    parts = [
        output.text if output.output_type == "stream" else output.data.get("text/plain", "")
        for output in cell.outputs
        if "image/png" not in output.get("data", {})
    ]
    return "".join(parts)


def images_of(cell):
    return [
        base64.b64decode(output.data["image/png"])
        for output in cell.outputs
        if "image/png" in output.get("data", {})
    ]


def is_picture(cell):
    return re.search(r"^show\(", cell.source, re.MULTILINE) is not None


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook, run from top to bottom in a new kernel, in an empty folder, with no user's settings."""
    from nbclient import NotebookClient

    notebook = read()
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "MPLCONFIGDIR"):
            patch.setenv(name, str(home / name.lower()))
        NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(tmp_path_factory.mktemp("empty"))}},
        ).execute()
    return notebook


# ---- As it runs -----------------------------------------------------------------------------------


def test_notebook_runs_every_cell_in_order(executed):
    counts = [cell.execution_count for cell in code_cells(executed)]
    assert counts == list(range(1, len(counts) + 1))


def test_notebook_warns_of_nothing(executed):
    said = {
        cell.id: output.text
        for cell in code_cells(executed)
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stderr"
    }
    assert said == {}


def test_notebook_ends_where_the_published_run_ends(executed, circles):
    (cell,) = [cell for cell in code_cells(executed) if cell.id == "train-run"]
    first, last = circles["loss"][[0, -1]]
    assert f"{first:.3f} at the start, {last:.9f} after 50,000 iterations" in text_of(cell)


def test_every_picture_cell_shows_one_picture_that_is_not_blank(executed):
    from PIL import Image

    cells = [cell for cell in code_cells(executed) if is_picture(cell)]
    assert len(cells) >= 7
    for cell in cells:
        (png,) = images_of(cell)
        pixels = np.asarray(Image.open(io.BytesIO(png)).convert("L"), dtype=float)
        assert min(pixels.shape) > 400, cell.id
        assert 0.02 < np.mean(pixels < 230) < 0.98, cell.id


# ---- As it is stored ------------------------------------------------------------------------------


def test_stored_notebook_was_run_from_the_top():
    counts = [cell.execution_count for cell in code_cells(read())]
    assert counts == list(range(1, len(counts) + 1))


def difference(stored, fresh):
    """What tells two texts apart: words exactly, numbers to 5 digits or to 1e-6; None where nothing does.

    What another processor rounds otherwise is no difference.
    """
    words = [" ".join(NUMBER.sub("#", text).split()) for text in (stored, fresh)]
    if words[0] != words[1]:
        return words
    numbers = [
        [float(number.replace(",", "")) for number in NUMBER.findall(text)] for text in (stored, fresh)
    ]
    pairs = zip(*numbers, strict=True)
    return next((pair for pair in pairs if not math.isclose(*pair, rel_tol=1e-5, abs_tol=1e-6)), None)


def test_stored_outputs_are_what_it_prints_now(executed):
    differences = {}
    for stored, fresh in zip(code_cells(read()), code_cells(executed), strict=True):
        if TIMING not in stored.metadata.get("tags", []):
            found = difference(text_of(stored), text_of(fresh))
            if found is not None:
                differences[stored.id] = found
    assert differences == {}


@pytest.mark.parametrize(
    ("stored", "fresh", "same"),
    [
        ("loss 7.650197917 after 50,000", "loss 7.650197919 after 50,000", True),
        ("loss 7.650197917", "loss 7.651", False),
        ("after 50,000", "after 50,001", False),
        ("relative error 1.3e-09", "relative error 2.1e-09", True),
        ("curvature -143.78", "curvature 143.78", False),
        ("PASSED", "FAILED", False),
        ("1 and 2", "1", False),
    ],
)
def test_difference_tells_rounding_from_change(stored, fresh, same):
    assert (difference(stored, fresh) is None) is same


def test_stored_pictures_are_there():
    for cell in code_cells(read()):
        assert len(images_of(cell)) == is_picture(cell), cell.id


def test_stored_notebook_is_light():
    assert NOTEBOOK.stat().st_size < STORED_BYTES


def test_stored_notebook_names_no_machine_and_no_one():
    notebook = read()
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}, cell.id
        text = cell.source + (text_of(cell) if cell.cell_type == "code" else "")
        assert re.search(r"(?<!\w)/\w+/\w+|[A-Z]:\\|ipykernel_", text) is None, cell.id


def test_every_cell_is_named_for_what_it_does():
    # What git compares, and what these tests go by: words, not the random letters of an editor.
    for cell in read().cells:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", cell.id), cell.id


def test_every_step_has_its_formula_before_its_code():
    """A cell "x-by-hand" or a gradient follows words with the formula that it computes."""
    cells = read().cells
    steps = 0
    for before, cell in pairwise(cells):
        if cell.cell_type == "code" and "agree(" in cell.source and "def agree" not in cell.source:
            if cell.id in ("forward-by-library", "all-gradients-by-library", "speed-by-hand"):
                continue  # they put earlier steps together
            steps += 1
            assert before.cell_type == "markdown", cell.id
            assert "$$" in before.source, cell.id
    # Hidden and output activations, loss, loss gradient, output gradients, hidden error and gradients,
    # and the update.
    assert steps == 8
