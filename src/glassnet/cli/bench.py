"""Floor 9: glassnet bench."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Time one iteration against other libraries.")
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("benchmarks", "results"),
    show_default=True,
    metavar="FOLDER",
)
def bench(results: Path) -> None:
    """Time one full-batch iteration of the circles job, here and in the libraries that are installed.

    All must give the same loss before anything is timed. Prints a table with ratios and writes it
    as JSON and as a chart.
    """
    from glassnet.bench import run_benchmark

    run_benchmark(results)
