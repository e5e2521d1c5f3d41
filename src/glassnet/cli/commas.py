"""Names between commas, as options take them."""

from __future__ import annotations

import click

from glassnet.errors import InputError
from glassnet.utils.words import split_at_commas


def names_between_commas(text: str) -> list[str]:
    """ "a, b" as ["a", "b"], and "" as []; a name with a comma goes between double quotes, as in CSV."""
    try:
        return split_at_commas(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from error
