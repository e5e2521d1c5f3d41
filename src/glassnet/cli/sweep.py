"""Floor 9: glassnet sweep."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from glassnet.cli.errors import Interrupted
from glassnet.cli.options import experiment_of, settings, tell


@click.command(short_help="Train over grids of settings.")
@click.argument("what", metavar="EXPERIMENT")
@click.option("--grid", "grids", multiple=True, metavar="NAME", help="[sweep.NAME] only; may be repeated.")
@click.option("--iterations", type=int, metavar="N", help="In place of the grids' own.")
@settings(train=False)
@click.option(
    "--results", type=click.Path(path_type=Path), metavar="FOLDER", help="Default: results/NAME-sweep."
)
@click.option("--no-pictures", is_flag=True, help="Draw no pictures.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def sweep(
    what: str,
    grids: tuple[str, ...],
    iterations: int | None,
    results: Path | None,
    no_pictures: bool,
    quiet: bool,
    **_: object,
) -> None:
    """Train a network for every combination of settings in a grid, several at a time.

    EXPERIMENT is a built-in one, a .toml file or a table, as for glassnet train. Its grids are its
    sections [sweep.NAME]; all start from the parameters that glassnet train starts from. Each
    network is told to have converged, to be falling still, to be on a plateau, to be unstable, or
    to have diverged, and at which iteration.

    By the last tenth of the iterations, in shares of the best constant answer's loss: converged
    ended at or below 10 % and fell by at most 1 %, so that it may still be falling slowly; falling
    fell by more, or, above 10 %, by more than 1 % of all that it fell; plateau ended above 10 % and
    fell by less; unstable rose by more than 5 %, or ended above both that loss and the start.

    \b
    The folder then holds, of each grid   NAME.csv, NAME.json   the table; with the loss curves
                                          NAME-heatmap.png      how each network ended
                                          NAME-losses.png       how it came there
    """
    experiment = experiment_of(what)

    from glassnet.experiments.sweeping import choose_grids, run_sweeps

    found = run_sweeps(
        experiment,
        results if results is not None else Path("results", f"{experiment.name}-sweep"),
        choose_grids(experiment, grids),
        iterations=iterations,
        pictures=not no_pictures,
        tell=(lambda label, words: None) if quiet else tell,
        progress=not quiet and sys.stderr.isatty(),
    )
    unfinished = sum(cell.status == "interrupted" for result in found.values() for cell in result.cells)
    if unfinished:
        raise Interrupted(f"Ctrl-C ended the sweep before {unfinished} network(s) were done.")
