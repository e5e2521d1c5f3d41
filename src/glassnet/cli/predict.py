"""Glassnet predict."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Predict with a trained model.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="A .csv or .parquet file. Default: CSV on stdout.",
)
@click.option("--proba", is_flag=True, help="Add a column with the probability of each class.")
@click.option(
    "--memory",
    metavar="AMOUNT",
    help='Read Parquet a block at a time within this much memory, such as "256 MiB"; folders and files of '
    "more than 1 GiB are read so in any case.",
)
def predict(model: Path, file: Path, output: Path | None, proba: bool, memory: str | None) -> None:
    """Predict a value for each row of a table, as CSV or Parquet.

    MODEL is a model.safetensors that glassnet train wrote, or its folder. FILE (.csv or .parquet, or
    a folder of Parquet files) needs the columns that the model learned from; others are ignored.
    Predictions are the table's own labels, or values in its own unit. Where the target's column is
    there too, the score goes to stderr.
    """
    from glassnet.cli.experiments.prediction import csv_lines, predict_table, write_predictions

    predictions = predict_table(model, file, proba, memory)
    if output is None:
        for text in csv_lines(predictions.blocks):
            click.echo(text, nl=False)
    else:
        write_predictions(output, predictions.blocks)
        click.echo(f"{predictions.n_rows:,} prediction(s) in {output}", err=True)
    remark = predictions.remark()
    click.echo(remark, err=True, nl=bool(remark))
