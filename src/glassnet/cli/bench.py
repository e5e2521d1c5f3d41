"""Floor 9: glassnet bench."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from glassnet.cli.options import Named, names_between_commas


def _peers() -> Iterable[str]:
    from glassnet.bench import PEERS

    return PEERS


@click.command(short_help="Time one iteration against other libraries.")
@click.option(
    "--peers",
    cls=Named,
    names=_peers,
    type=names_between_commas,
    metavar="A,B,...",
    help="Of {names}; all that are installed by default, numpy and glassnet always.",
)
@click.option(
    "--rounds", type=int, default=7, metavar="N", show_default=True, help="Turns that each takes."
)
@click.option(
    "--seconds", type=float, default=0.2, metavar="S", show_default=True, help="How long a turn lasts."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("benchmarks", "results"),
    metavar="FOLDER",
    show_default=True,
    help="Where to write iteration.json and iteration.png.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def bench(peers: list[str] | None, rounds: int, seconds: float, output: Path, quiet: bool) -> None:
    """Time one full-batch iteration of the circles job, here and in the libraries that are installed.

    All must give the same losses before anything is timed. Prints a table with ratios and writes it
    as JSON and as a chart.
    """
    from glassnet.bench import run_benchmark

    run_benchmark(rounds=rounds, seconds=seconds, peers=peers, output=output, quiet=quiet)
