"""Floor 9: glassnet predict."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Predict with a trained model.")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="OUT.csv", help="Default: stdout.")
@click.option("--proba", is_flag=True, help="Add a column with the probability of each class.")
def predict(model: Path, file: Path, output: Path | None, proba: bool) -> None:
    """Predict a value for each row of a table, as CSV.

    MODEL is a model.safetensors that glassnet train wrote, or its folder. FILE (.csv or .parquet)
    needs the columns that the model learned from; others are ignored. Predictions are the table's
    own labels, or values in its own unit. Where the target's column is there too, the score goes to
    stderr.
    """
    from glassnet.experiments.prediction import predict_table, to_csv
    from glassnet.storage import write_csv

    found = predict_table(model, file, proba)
    if output is None:
        click.echo(to_csv(found.columns), nl=False)
    else:
        write_csv(output, found.columns)
        click.echo(f"{found.n_rows:,} prediction(s) in {output}", err=True)
    click.echo(found.remark, err=True, nl=bool(found.remark))
