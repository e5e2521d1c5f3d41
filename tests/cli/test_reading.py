"""Options that say how a table is read, and what else than a file a table may be."""

import io

import numpy as np
import pytest
from click.testing import CliRunner

import glassnet as gn
from glassnet.cli import main

ROWS = "".join(
    f"{x};{str(x * x).replace('.', ',')};{'yes' if x > 3 else 'no'}\n" for x in np.arange(0, 8, 0.25)
)
QUIET = ["--no-pictures", "--no-report", "--no-check", "--no-baselines", "--iterations", "3"]


def glassnet(*arguments, **settings):
    result = CliRunner().invoke(
        main, [*arguments], prog_name="glassnet", catch_exceptions=False, **settings
    )
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(ROWS)
    return tmp_path


def test_a_model_remembers_how_its_table_was_read_and_prediction_says_what_was_left_out(here):
    glassnet("train", "a.csv", "--no-header", "--delimiter", ";", "--target", "3", "--results", "r", *QUIET)
    assert gn.load("r/model.safetensors").extra["reading"] == {"header": False, "delimiter": ";"}
    with (here / "a.csv").open("a") as file:
        file.write("source: drawn by hand;;\n")
    predicted = glassnet("predict", "r", "a.csv", "-o", "p.csv")
    assert "Left out 1 remark" in predicted
    assert "32 prediction(s)" in predicted
    assert gn.read_table("p.csv").n_rows == 32


@pytest.mark.parametrize("source", ["-", "[ab].csv"])
def test_standard_input_and_patterns_are_tables(source):
    settings = {"input": io.BytesIO(ROWS.encode())} if source == "-" else {}
    said = glassnet("train", source, "--target", "3", "--results", "r", *QUIET, **settings)
    assert "No header" in said
    assert "Read '2' with decimal commas" in " ".join(said.split())
