"""Names between commas, as options take them."""

from __future__ import annotations

import csv

import click


def names_between_commas(text: str) -> list[str]:
    """ "a, b" as ["a", "b"], and "" as []; a name with a comma goes between double quotes, as in CSV."""
    try:
        rows = list(csv.reader([text], skipinitialspace=True))
    except csv.Error as error:
        raise click.BadParameter(f"{text!r} is not names between commas: {error}.") from error
    return [part.strip() for row in rows for part in row if part.strip()]
