"""Glassnet check."""

from __future__ import annotations

import click

from glassnet.cli.errors import Failure
from glassnet.cli.options import experiment_of, settings


@click.command(short_help="Check an experiment's gradient against differences.")
@click.argument("name", metavar="EXPERIMENT")
@settings(train=False)
def check(name: str, **_: object) -> None:
    """Compare every entry of the gradient with a central difference, and print the table.

    EXPERIMENT is a built-in one, a .toml file or a table, as for glassnet train; of a folder the check
    takes rows drawn at random. The parameters are those that glassnet train checks. Exit status 1
    where an entry is wrong.
    """
    experiment = experiment_of(name)

    from glassnet.cli.experiments.preparation import Draws

    draws = Draws(experiment)
    result = draws.check(draws.check_point())
    click.echo(str(result))
    if not result.passed:
        click.get_current_context().exit(Failure.exit_code)
