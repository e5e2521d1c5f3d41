"""`glassnet export`: a run of a table, of arrays, and an ensemble's file, with proof."""

import numpy as np
import pytest
from click.testing import CliRunner

import glassnet as gn
from glassnet.cli import main
from glassnet.export.languages import MODULES, language_of

ROWS = [[i % 7, "abc"[i % 3], ["no", "yes"][i % 7 > 3]] for i in range(40)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [",".join(map(str, row)) for row in [["size", "kind", "big"], *ROWS]]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    return tmp_path


def said(*arguments, status=0):
    result = CliRunner().invoke(main, ["export", *map(str, arguments)])
    assert result.exit_code == status, result.output
    return result.output


def test_export_help_names_every_language():
    text = said("--help")
    assert all(f"{suffix} " in text and language_of(suffix).name in text for suffix in MODULES)


def test_export_of_a_table_is_proven_on_its_raw_rows(here):
    data = gn.prepare_table("rows.csv", "big")
    run = gn.train(gn.Network((data.X.shape[1], 3, 2)), data, random_state=0, iterations=20)
    gn.save(run, "model.safetensors")
    assert "40 rows of data" in said("model.safetensors", "net.py", "--verify", "rows.csv")
    assert said(here, "other.py").startswith("other.py (")  # the folder's model


def test_export_of_arrays_takes_the_columns_of_a_table_in_their_order(here):
    X = np.array([[size, size * 2.0] for size, *_ in ROWS])
    gn.save(
        gn.train(gn.Network((2, 3, 2)), X, X[:, 0] > 3, random_state=0, iterations=20), "run.safetensors"
    )
    (here / "x.csv").write_text("a,b\n1,2\n3,4\n")
    assert "2 rows of data" in said("run.safetensors", "net.py", "--verify", "x.csv")
    words = said("run.safetensors", "net.py", "--verify", "rows.csv", status=2)
    assert "rows.csv has 3 columns, and the model takes 2" in words


def test_export_of_an_ensembles_file(here):
    X = np.array([[size, size * 2.0] for size, *_ in ROWS])
    runs = [gn.train(gn.Network((2, 3, 2)), X, X[:, 0] > 3, random_state=i, iterations=9) for i in (0, 1)]
    gn.Ensemble.from_runs(runs).save("ensemble.safetensors")
    (here / "x.csv").write_text("a,b\n1,2\n3,4\n")
    assert "2 rows of data" in said("ensemble.safetensors", "net.py", "--verify", "x.csv")


def test_export_says_what_is_wrong_in_a_line(here):
    gn.save(
        gn.train(gn.Network((2, 2)), [[0.0, 1.0]], [0], random_state=0, iterations=1), "run.safetensors"
    )
    words = said("run.safetensors", "net.txt", status=2)
    assert words.startswith("Error: The path ends in '.txt'; expected the suffix")
    assert "'.py'" in words
    assert "There is no file nothing" in said("nothing", "net.py", status=1)


def test_export_sets_what_a_language_has(here):
    run = gn.train(gn.Network((2, 2)), [[0.0, 1.0]], [0], random_state=0, iterations=1)
    gn.save(run, "run.safetensors")
    said("run.safetensors", "net.c", "--set", "gradient=true")
    assert "net_gradient(" in (here / "net.c").read_text()
    words = said("run.safetensors", "net.c", "--set", "speed=3", "--mode", "fast", status=2)
    assert "'speed'" in words
    assert "'fast'" in words
