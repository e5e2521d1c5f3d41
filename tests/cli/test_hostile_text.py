"""Labels, names and titles of any characters go the whole way and come back as they were."""

import csv
import json
import shlex
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from platforms import linux

import glassnet as gn
from glassnet.cli import main
from glassnet.cli.commas import names_between_commas
from glassnet.data.tables import read_table
from glassnet.data.tables.words import as_option
from glassnet.experiments.library import to_toml
from glassnet.utils.storage import write_csv

LABELS = (
    *("a\0b", "ends\0", "ends", "<script>alert(1)</script>", "</script><blink>", "=1+1", "@SUM(A1)"),
    *(
        "line\nbreak",
        "carriage\rreturn",
        "both\r\nends",
        'say "so"',
        "a,b;c\td",
        "two  blanks",
        "%{x} $_{y}$",
    ),
    *("a\u2028b", "\x1b[31m", "&amp;", "\ufeff", "None.", "\U0001f600", "e\u0301"),
    *("1", "1.0", "nan.", "True"),  # of mixed kinds, which makes all of them text
)
NAMES = ("f\n1", "=f(2)", "</script>3", "4\0", "a,5", '6"', "\x1b[7m")
TARGET = "the\n<blink>target\0"
TITLE = "</title><script>alert(1)</script>\nof\0"
ROWS = 4 * len(LABELS)


class Page(HTMLParser):
    """The elements of a page, and the scripts in it."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.scripts = [], []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag == "script":
            self.scripts.append([dict(attrs).get("type"), ""])

    def handle_data(self, data):
        if self.elements[-1:] == ["script"]:
            self.scripts[-1][1] += data


def glassnet(*arguments):
    result = CliRunner().invoke(main, [*arguments], prog_name="glassnet", catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(params=["csv", "parquet"])
def job(request, tmp_path, monkeypatch):
    """A table of such labels and names, an experiment that names them all, and what `train` said."""
    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    columns = {name: random.randn(ROWS).tolist() for name in NAMES} | {TARGET: [*LABELS] * 4}
    if request.param == "csv":
        write_csv("table.csv", columns)
    else:
        pq.write_table(pa.table(columns), "table.parquet")
    document = {
        "title": TITLE,
        "data": {"file": f"table.{request.param}", "target": TARGET, "ignore": [NAMES[0]]},
        "network": {"hidden": [3]},
        "train": {"iterations": 3, "class_weight": dict.fromkeys(LABELS, 1.0)},
        "sweep": {"rates": {"learning_rate": [0.1], "iterations": 2, "folds": 2, "keep_predictions": True}},
    }
    (tmp_path / "job.toml").write_text(to_toml(document), "utf-8")
    said = glassnet("train", "job.toml", "--no-pictures", "--results", "r")
    return f"table.{request.param}", document, said


def test_text_of_any_characters_goes_the_whole_way(job):
    file, document, said = job
    table, run = read_table(file), gn.load("r/model.safetensors")
    assert table.names == (*NAMES, TARGET)
    assert table[TARGET].texts().tolist() == [*LABELS] * 4
    # The console: one line for each thing said, and nothing that a terminal obeys.
    assert all(line.isprintable() for line in said.split("\n"))
    assert [line.split()[0] for line in said.splitlines() if line[:1].strip()][:3] == [
        *("data", "columns", "network")
    ]
    # The model and the record.
    record = json.loads(Path("r/run.json").read_text("utf-8"))
    for known in (run.extra["preprocessing"], record["data"]["preprocessing"]):
        assert known["classes"] == sorted(LABELS)
        assert known["features"] == [*NAMES[1:]]
        assert known["target"] == TARGET
    assert record["title"] == TITLE
    # The settings, which train the same run again.
    settings = tomllib.loads(Path("r/experiment.toml").read_text("utf-8"))
    assert settings["title"] == TITLE
    assert settings["train"]["class_weight"] == document["train"]["class_weight"]
    assert settings["data"]["ignore"] == [NAMES[0]]
    glassnet("train", "r", "--no-pictures", "--no-report", "--results", "again")
    assert gn.load("again/model.safetensors").parameters == run.parameters
    # The report: no element, and no script, of the user's.
    source = Path("r/report.html").read_text("utf-8")
    assert not {"\0", "\x1b"} & {*source}
    page = Page(source)
    assert "blink" not in page.elements
    assert [kind for kind, _ in page.scripts].count(None) == 2
    assert all(json.loads(text) for kind, text in page.scripts if kind == "application/json")
    # Predictions: both kinds of file, the header included.
    for output in ("p.csv", "p.parquet"):
        glassnet("predict", "r", file, "--proba", "-o", output)
    predicted = {name: read_table(name) for name in ("p.csv", "p.parquet")}
    for found in predicted.values():
        assert found.names == ("prediction", *(f"P({label})" for label in sorted(LABELS)))
    labels = predicted["p.csv"]["prediction"].texts().tolist()
    assert labels == predicted["p.parquet"]["prediction"].texts().tolist()
    assert {*labels} <= {*LABELS}
    with Path("p.csv").open(encoding="utf-8", newline="") as stream:  # as any reader has it
        rows = [*csv.reader(stream)]
    assert [row[0] for row in rows[1:]] == labels


def test_folds_of_hostile_labels_are_written_as_they_were(job):
    file, _, _ = job
    glassnet("sweep", "job.toml", "--set", "data.test_fraction=0", "--no-pictures", "--results", "s")
    written = read_table("s/rates-predictions.csv")
    truth = read_table(file)[TARGET].texts()
    assert written["target"].texts().tolist() == truth[written["row"]].tolist()


@pytest.mark.parametrize("name", NAMES)
def test_advised_option_names_the_column(name):
    assert names_between_commas(shlex.split(as_option(name))[0]) == [name]


@linux("file names of any bytes")
def test_a_file_whose_name_is_no_unicode_is_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = b"caf\xe9.csv".decode("utf-8", "surrogateescape")
    write_csv(name, {"x": [0.0, 1.0] * 8, "y": ["a", "b"] * 8})
    glassnet("train", name, "--target", "y", "--iterations", "2", "--no-pictures")
    assert gn.load(tmp_path / "results" / name.removesuffix(".csv") / "model.safetensors").iterations == 2


def test_training_and_its_file_keep_a_zero_byte_at_the_end(tmp_path):
    X, y = [[0.0], [1.0]] * 8, ["a\0", "a"] * 8
    run = gn.train(gn.Network((1, 2)), X, y, random_state=0, iterations=200)
    gn.save(run, tmp_path / "model")
    assert gn.load(tmp_path / "model").predict(X).tolist() == y
