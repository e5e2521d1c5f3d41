"""Glassnet sweep."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from glassnet.cli.errors import Interrupted
from glassnet.cli.options import existing, experiment_of, settings, tell
from glassnet.cli.progress import stages


@click.command(short_help="Train over grids of settings.")
@click.argument("name", metavar="EXPERIMENT", callback=existing)
@click.option("--grid", "grids", multiple=True, metavar="NAME", help="[sweep.NAME] only; may be repeated.")
@click.option("--iterations", type=int, metavar="N", help="In place of the grids' own.")
@click.option(
    "--draws", "n_draws", type=int, metavar="N", help="Draw N settings from each grid, not all of it."
)
@click.option("--seeds", type=int, metavar="N", help="Train each setting with N seeds.")
@click.option(
    "--folds",
    type=int,
    metavar="N",
    help="Train each setting on N folds, measured on the rest. Tables are standardized by training rows.",
)
@click.option(
    "--metric",
    metavar="NAME",
    help="loss, accuracy, r2 or rank_ic, the rank correlation within dates, to compare settings by.",
)
@click.option(
    "--evaluate-every",
    type=int,
    metavar="N",
    help="Evaluate the metric every N iterations, choose the best number of them, and train for as many.",
)
@click.option(
    "--keep-predictions", is_flag=True, default=None, help="Write predictions of the folds' test rows."
)
@click.option(
    "--halving",
    type=float,
    metavar="FACTOR",
    help="Leave all but one in FACTOR behind, again and again: 3.",
)
@settings(train=False)
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="Train on a Dask cluster, by its scheduler's address; local starts one here.",
)
@click.option(
    "--results", type=click.Path(path_type=Path), metavar="FOLDER", help="Default: results/NAME-sweep."
)
@click.option("--fresh", is_flag=True, help="Begin anew, where an earlier sweep was not done.")
@click.option(
    "--replace", is_flag=True, help="Remove the earlier results there; they move to FOLDER.1 else."
)
@click.option("--no-pictures", is_flag=True, help="Draw no pictures.")
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def sweep(
    name: str,
    grids: tuple[str, ...],
    dask: str | None,
    results: Path | None,
    fresh: bool,
    replace: bool,
    no_pictures: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a network for every combination of settings in a grid, several at a time.

    \b
    glassnet sweep circles --grid sensible
    glassnet sweep moons --set 'learning_rate=[0.003, 0.03, 0.3]' --set 'hidden=[[2], [8]]'
    glassnet sweep iris.csv --target species --set 'learning_rate=[0.01, 0.1, 1.0]' --folds 5

    --set KEY=[A, B, ...] varies a setting, and all of these are the grid named grid.

    EXPERIMENT is a built-in one, a .toml file or a table, as for glassnet train; a folder of Parquet
    files has to fit into its --memory, 1 GiB by default. Its grids are its
    sections [sweep.NAME], with a list for each setting to vary: the optimizer's, batch_size, l2,
    dropout and every other key of [train], optimizer itself, and hidden, activation and loss of
    [network]. Networks of one shape start from equal parameters, and those of [network]'s own from
    the ones of glassnet train. Beside its lists a section may hold

    \b
      iterations, metric, evaluate_every, keep_predictions, seeds (how many, or a list);
      folds = 5, or folds.splitter = "walk_forward" (k_fold, stratified, purged) with
        its settings: folds.n_splits = 5, folds.gap = 2, folds.times = "a column of
        dates", for walk_forward and purged (by the rows' order without one);
      n_draws = 50, which draws so many settings from the lists, and from distributions:
        learning_rate.distribution = "loguniform" (uniform, integers) with
        learning_rate.low = 1e-4, learning_rate.high = 1;
      halving = 3: who does worse early on is trained no further; halving.first = 500
        is the first number of iterations after which settings are compared;
      settings, a list of tables, each a setting, in place of the lists.

    Where rows are held out (data.test_fraction) and there are no folds, networks are compared on
    these. Networks are written down as they end, in NAME.cells.jsonl. Killed at any moment and started
    again, the sweep goes on where it was and ends with the same table, bit for bit.

    The tables say of each network whether it converged, is still falling, lies on a plateau, is
    unstable or diverged, and at which iteration. By the last tenth of the iterations, in shares of
    the best constant answer's loss: converged ended at or below 10 % and fell by at most 1 %, so
    that it may still be falling slowly; falling fell by more, or, above 10 %, by more than 1 % of
    all that it fell; plateau ended above 10 % and fell by less; unstable rose by more than 5 %, or
    ended above both that loss and the start.

    \b
    The folder then holds, of each grid   NAME.csv, NAME.json     the table; with the loss curves
                                          NAME-summary.csv        settings over seeds and folds
                                          NAME-curves.csv         the metric over iterations
                                          NAME-predictions.csv    those of the test rows
                                          NAME-best.safetensors   the best network
                                          NAME-refit.safetensors  the choice, on all rows
                                          NAME-heatmap.png        how each network ended
                                          NAME-losses.png         how it came there
                                          NAME-parallel.png       settings and what came of them
    """
    stages.open(quiet)
    experiment = experiment_of(name, sweeps=True)

    from glassnet.cli.jobs.sweeping import choose_grids, run_sweeps
    from glassnet.experiments.grids import OPTIONS
    from glassnet.model_selection.joblib_backend import on_dask

    with on_dask(dask) if dask else nullcontext():
        results_by_grid = run_sweeps(
            experiment,
            results if results is not None else Path("results", f"{experiment.name}-sweep"),
            choose_grids(experiment, grids),
            options={key: value for key, value in options.items() if key in OPTIONS and value is not None},
            fresh=fresh,
            keep_earlier=not replace,
            pictures=not no_pictures,
            tell=(lambda label, words: None) if quiet else tell,
            progress=stages.progress,
            stages=stages,
        )
    unfinished = sum(
        cell.status == "interrupted" for result in results_by_grid.values() for cell in result.cells
    )
    if unfinished:
        raise Interrupted(f" ended the sweep before {unfinished} network(s) were done.")
