"""Glassnet export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from glassnet.cli.errors import say
from glassnet.cli.options import existing, reading_options


class _Command(click.Command):
    def format_epilog(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """The languages by suffix, with what each can be asked for."""
        from glassnet.export.languages import MODULES, language_of

        rows = []
        for suffix in MODULES:
            language = language_of(suffix)
            choices = {"mode": language.modes, "precision": language.precisions}
            words = [f"--{name} {' or '.join(has)}" for name, has in choices.items() if len(has) > 1]
            words += [f"--set {key}={json.dumps(value)}" for key, value in language.settings.items()]
            rows.append((suffix, ". ".join([language.name, *words])))
        with formatter.section("Suffixes of PATH, where the first of several choices is the default"):
            formatter.write_dl(rows)


@click.command(cls=_Command, short_help="Write a trained model as C, ONNX, Python, SQL, ...")
@click.argument("model", type=click.Path(path_type=Path), callback=existing)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--name", metavar="N", help="What the file calls the model.  Default: as the file itself.")
@click.option("--precision", metavar="P", help="Of the numbers in the file.  Default: the model's.")
@click.option("--mode", metavar="M", help="How the file computes.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="A setting of the language.")
@click.option(
    "--verify",
    "rows",
    type=click.Path(path_type=Path),
    metavar="ROWS",
    help="Run the file on the rows of this table, and on rows that are hard to get right; write it only "
    "where it computes the same.",
)
@reading_options
def export(
    model: Path, path: Path, rows: Path | None, assignments: tuple[str, ...], **options: Any
) -> None:
    """Write a trained model in another language, with its scaling, its categories and its labels.

    MODEL is a model.safetensors that glassnet train or gn.save wrote, or its folder, or an ensemble's
    file. The suffix of PATH says what is written.
    """
    from glassnet.data.tables.reading.read import read_table
    from glassnet.experiments import parse_assignment
    from glassnet.export.exporting import export as write

    reading = {key: options.pop(key) for key in ("header", "sheet", "encoding", "delimiter", "decimal")}
    table = None if rows is None else read_table(rows, **_given(reading))
    settings = {key: value.value for key, value in map(parse_assignment, assignments)}
    found = write(_subject(model), path, verify=table, **_given(options), **settings)
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
