"""Predictions stand beside the input's own columns, whatever these hold."""

import csv
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import glassnet as gn
from glassnet.cli import main
from glassnet.cli.jobs import kept_columns
from glassnet.cli.jobs.kept_columns import KeptOfFiles, KeptOfTable, beside, cells_of
from glassnet.errors import FileError, InputError

COUNTS = (1, 4, 2)


def answers():
    return iter([{"prediction": np.arange(count)} for count in COUNTS])


def cells(blocks):
    """All blocks as columns of cells."""
    blocks = [{name: cells_of(column).tolist() for name, column in block.items()} for block in blocks]
    assert [len(block["prediction"]) for block in blocks] == [*COUNTS]
    return {name: [cell for block in blocks for cell in block[name]] for name in blocks[0]}


COLUMNS = {
    "id": ["a", "b", None, "d", 'e"', "f,", "g"],
    "count": [1, 2, None, 4, 5, 6, 7],
    "x": [0.5, None, 1.5, 2.0, 1e300, -0.0, 3.0],
    "sure": [True, None, False, True, False, True, True],
    "n": [1, 2, 3, 4, 5, 6, 7],
}


def test_columns_of_a_table_come_as_they_were():
    table = gn.read_table({name: column for name, column in COLUMNS.items() if name != "sure"})
    sure = np.array(COLUMNS["sure"], float)  # as a text file's true and false with a gap are
    columns = {name: sure if name == "sure" else table[name] for name in COLUMNS}
    kept = KeptOfTable(gn.Table(columns, "a file", truths=frozenset({"sure"})))
    found = cells(beside(kept, ["ALL"], answers()))
    assert list(found) == [*COLUMNS, "prediction"]
    for name, column in COLUMNS.items():
        assert found[name] == column
        assert [type(value) for value in found[name]] == [type(value) for value in column]
    assert list(cells(beside(kept, ["n", "id", "n"], answers()))) == ["n", "id", "prediction"]


def test_dates_have_no_time_of_the_day_at_midnight():
    moments = np.array(["2024-01-02", "2024-01-02T03:04:05", "NaT"], "datetime64[us]")
    (block,) = KeptOfTable(gn.read_table({"day": moments})).blocks(["day"], iter([3]))
    assert cells_of(block["day"]).tolist() == ["2024-01-02", "2024-01-02 03:04:05", None]
    assert cells_of(moments[:1]).tolist() == ["2024-01-02"]


def test_columns_of_parquet_files_are_read_as_far_as_is_asked(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_columns, "_ROWS", 2)
    table = pa.table({**COLUMNS, "tags": [["u"], [], None, ["v", "w"], [], [], []]})
    pq.write_table(table.slice(0, 3), tmp_path / "part-1.parquet")
    pq.write_table(table.slice(3), tmp_path / "part-2.parquet", row_group_size=3)
    found = cells(beside(KeptOfFiles(tmp_path), ["ALL"], answers()))
    assert {name: column for name, column in found.items() if name != "prediction"} == table.to_pydict()
    blocks = list(beside(KeptOfFiles(tmp_path), ["count"], answers()))
    assert {block["count"].type for block in blocks} == {pa.int64()}

    pq.write_table(pa.table({"count": ["text"] * 4}), tmp_path / "part-2.parquet")
    with pytest.raises(FileError, match="The columns to keep differ between the files of"):
        list(beside(KeptOfFiles(tmp_path), ["count"], answers()))


def test_columns_that_cannot_be_kept_are_named():
    kept = KeptOfTable(gn.read_table({**COLUMNS, "prediction": [0] * 7}))
    with pytest.raises(InputError, match=r"in --keep: 'idd'\. Did you mean 'id'\?"):
        beside(kept, ["idd"], answers())
    with pytest.raises(InputError, match=r"has a column 'prediction' already.*--keep 'id,count,x,sure,n'"):
        list(beside(kept, ["ALL"], answers()))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_writes_the_columns_that_keep_names(tmp_path, monkeypatch, ending):
    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    a, b = random.randn(2, 60).round(3)
    columns = {"id": [f"0{i:02}x" for i in range(60)], "a": a, "b": b, "kind": np.where(a > b, "u", "v")}
    pq.write_table(pa.table(columns), "t.parquet")
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    Path("t.csv").write_text("\n".join(lines))

    def glassnet(*args):
        result = CliRunner().invoke(main, list(args))
        assert result.exit_code == 0, result.output
        return result.stdout

    quick = ["--iterations", "5", "--no-pictures", "--no-report", "--results", "r", "-q"]
    glassnet("train", f"t.{ending}", "--target", "kind", "--ignore", "id", *quick)
    rows = list(
        csv.reader(glassnet("predict", "r", f"t.{ending}", "--keep", "id,a", "--proba").splitlines())
    )
    assert rows[0] == ["id", "a", "prediction", "P(u)", "P(v)"]
    assert [row[0] for row in rows[1:]] == columns["id"]
    assert [float(row[1]) for row in rows[1:]] == a.tolist()
    glassnet("predict", "r", f"t.{ending}", "--keep", "ALL", "-o", "out.parquet")
    table = pq.read_table("out.parquet")
    assert table.column_names == [*columns, "prediction"]
    assert table["id"].to_pylist() == columns["id"]
