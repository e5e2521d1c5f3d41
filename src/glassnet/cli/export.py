"""Glassnet export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from glassnet.cli.errors import say
from glassnet.cli.options import existing, reading_options


@click.command(short_help="Write a trained model as C, ONNX, Python, SQL, ...")
@click.argument("model", type=click.Path(path_type=Path), callback=existing)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="N", help="What the file calls the model.  Default: as the file itself.")
@click.option(
    "--precision", metavar="P", help="float64, float32, for C also int16 or int8.  Default: the model's."
)
@click.option(
    "--mode", metavar="M", help="bits or small for C, numpy or plain for Python.  Default: the first."
)
@click.option("--gradient", is_flag=True, default=None, help="With a function of dy/dx (C).")
@click.option("--train", is_flag=True, default=None, help="With a function of a training step (C).")
@click.option(
    "--verify",
    "rows",
    type=click.Path(path_type=Path),
    metavar="ROWS",
    help="Run the file on the rows of this table, and on rows that are hard to get right; write it only "
    "where it computes the same.",
)
@reading_options
def export(model: Path, path: Path, rows: Path | None, **options: Any) -> None:
    """Write a trained model in another language, with its scaling, its categories and its labels.

    MODEL is a model.safetensors that glassnet train or gn.save wrote, or its folder, or an ensemble's
    file. The suffix of PATH says what is written:

    \b
    .c      one C99 file without a library, by default with the bits of glassnet predict
    .onnx   for ONNX Runtime
    .py     for NumPy, or with --mode plain for Python alone
    .js     one ES module
    .sql    one query, for SQLite, DuckDB and PostgreSQL
    .m      for Octave and MATLAB
    .pt2    PyTorch
    """
    from glassnet.data.tables.reading.read import read_table
    from glassnet.export.exporting import export as write

    reading = {key: options.pop(key) for key in ("header", "sheet", "encoding", "delimiter", "decimal")}
    table = None if rows is None else read_table(rows, **_given(reading))
    found = write(_subject(model), path, verify=table, **_given(options))
    say(f"{path} ({path.stat().st_size:,} bytes)" if found is None else str(found))


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in options.items() if value is not None}


def _subject(model: Path) -> Any:
    """The run, or the ensemble, of a file."""
    from glassnet.training.files.loading import load
    from glassnet.training.files.writing import FORMAT
    from glassnet.utils.storage import read_arrays

    file = model / "model.safetensors" if model.is_dir() else model
    if read_arrays(file)[1].get("format") == FORMAT:
        return load(file)
    from glassnet.sklearn.ensembles import Ensemble  # loads scikit-learn

    return Ensemble.load(file)
