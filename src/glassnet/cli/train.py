"""Glassnet train, check and predict: one network."""

from __future__ import annotations

from pathlib import Path

import click

from glassnet.cli.commas import names_between_commas
from glassnet.cli.errors import Failure, Interrupted
from glassnet.cli.options import Setting, existing, experiment_of, reading_options, settings, tell
from glassnet.cli.progress import stages


@click.command(short_help="Run an experiment, or learn a table's column.")
@click.argument("name", metavar="EXPERIMENT", callback=existing)
@settings()
@click.option(
    "--results", type=click.Path(path_type=Path), metavar="FOLDER", help="Default: results/NAME, from here."
)
@click.option("--replace", is_flag=True, help="Remove the earlier results there; they move to NAME.1 else.")
@click.option("--resume", is_flag=True, help="Go on from the latest run there; --iterations counts all.")
@click.option(
    "--checkpoint-every",
    type=float,
    metavar="SECONDS",
    help="Seconds from one checkpoint of the work so far to the next.  Default: 60.",
)
@click.option("--gif", is_flag=True, help="Draw the film of the run as an animation too, film.gif.")
@click.option("--no-pictures", is_flag=True, help="Draw no pictures.")
@click.option("--no-report", is_flag=True, help="Write no report.html.")
@click.option("--no-baselines", is_flag=True, help="Do not compare with simpler models.")
@click.option(
    "--no-check",
    cls=Setting,
    key="check.enabled",
    is_flag=True,
    flag_value=False,
    default=None,
    help="Train without the gradient check.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def train(
    name: str,
    results: Path | None,
    replace: bool,
    resume: bool,
    checkpoint_every: float | None,
    gif: bool,
    no_pictures: bool,
    no_report: bool,
    no_baselines: bool,
    quiet: bool,
    **_: object,
) -> None:
    """Train a network: check its gradient, train, score, draw, and write all of it into a folder.

    EXPERIMENT is a built-in one (glassnet info lists them), a .toml file of your own, or a table
    (.csv or .parquet, or a folder of Parquet files, with --target), or a folder of results, whose
    settings then begin anew and write into that folder (those of results/NAME.1 into results/NAME). Of a
    table features are standardized, rows are held back for the score, and classes may be any labels. Of a
    folder up to 128 MiB of numbers to train on are kept in memory; a larger one, a Parquet file of more
    than 1 GiB, and one with --memory or --dask are read a block at a time in each pass. Pictures and the
    gradient check of all of these take up to 50,000 rows drawn at random. Settings that nobody gives follow
    the number of a table's rows, and the line "settings" says which they are. Options change any of them;
    [table: ...] is what a table starts with.

    \b
    The folder then holds   model.safetensors   for glassnet predict and gn.load
                            report.html         interactive pictures, scores, parameters
                            *.png               pictures; of one input or two a film of the run
                            losses.csv          the loss after every iteration, or a million of them
                            run.json            scores, parameters, timings, versions
                            experiment.toml     every setting, to run again

    All of it appears at once, when it is complete. Earlier results move to results/NAME.1, NAME.2 and so
    on, the highest number the latest, which glassnet predict and glassnet train take too; remove those
    that you need no more. Files of your own in the folder stay. Ctrl-C, SIGTERM and SIGHUP end training
    and keep the work (exit status 130, 143 or 129). After a kill or a power cut the folder holds the work
    up to the last checkpoint. The same command with --resume goes on from either, to the bits of training
    that was never cut off, and with a larger --iterations after a regular end. A result no better than one
    answer for all rows is said to be so in the last lines, and the line "diagnosis" says why, and what
    helps. Of a table the verdict compares the score on rows held back with that of one answer for all rows,
    a linear model and boosted trees, which learn from the same rows.
    """
    if gif and no_pictures:
        raise click.UsageError("--gif draws a picture, and --no-pictures none: leave out one of them.")
    stages.open(quiet)
    experiment = experiment_of(name)

    from glassnet.cli.jobs.job import run_experiment
    from glassnet.cli.jobs.results.folder import newest
    from glassnet.cli.jobs.results.unfinished import MODEL
    from glassnet.experiments.library import SETTINGS
    from glassnet.training.files.checkpoint import SECONDS

    earlier = Path(experiment.source).parent
    again = experiment.source == str(Path(name) / SETTINGS) and (earlier / MODEL).exists()
    if results is None:
        results = newest(earlier) if again else Path("results", experiment.name)
    if again and not quiet:
        begins = "goes on" if resume else "begins anew"
        tell("settings", f"{experiment.source}; training {begins}, and writes into {results}")
    outcome = run_experiment(
        experiment,
        results,
        pictures=not no_pictures,
        report=not no_report,
        gif=gif,
        baselines=not no_baselines,
        keep_earlier=not replace,
        resume=resume,
        checkpoint_every=SECONDS if checkpoint_every is None else checkpoint_every,
        tell=(lambda label, words: None) if quiet else tell,
        progress=stages.progress,
        stages=stages,
    )
    run, experiment = outcome.run, outcome.experiment
    if run.finding:
        click.echo(f"Warning: Training ended, but {run.finding}", err=True)
    if run.status == "diverged":
        rate = experiment.optimizer().settings().get("learning_rate")
        summed = ", and a summed loss asks for smaller ones" if run.reduction == "sum" else ""
        advice = "a tenth of the schedule's"
        if isinstance(rate, float):
            advice = f"--learning-rate {float(f'{rate / 10:.2g}'):g} (it was {rate:g}{summed})"
        last = f"from {run.losses[-1]:.6g} " if len(run.losses) else ""
        raise Failure(
            f"Training blew up at iteration {run.diverged_at:,}: the loss went {last}"
            f"to one that is not finite, or 100 times what training started from. The files hold the "
            f"network before that update. Use a smaller learning rate, for instance {advice}."
        )
    if run.status == "interrupted":
        raise Interrupted(
            f" ended training after {run.iterations:,} of {experiment['train.iterations']:,} "
            f"iterations. The files in {outcome.folder} hold the work so far. The same command with "
            f"--resume goes on from there."
        )


@click.command(short_help="Check an experiment's gradient against differences.")
@click.argument("name", metavar="EXPERIMENT", callback=existing)
@settings(train=False)
def check(name: str, **_: object) -> None:
    """Compare every entry of the gradient with a central difference, and print the table.

    EXPERIMENT is a built-in one, a .toml file or a table, as for glassnet train; of a folder the check
    takes rows drawn at random. The parameters are those that glassnet train checks. Exit status 1
    where an entry is wrong.
    """
    experiment = experiment_of(name)

    from glassnet.experiments.preparation import Draws

    draws = Draws(experiment)
    result = draws.check(draws.check_point())
    click.echo(str(result))
    if not result.passed:
        click.get_current_context().exit(Failure.exit_code)


@click.command(short_help="Predict with a trained model.")
@click.argument("model", type=click.Path(path_type=Path), callback=existing)
@click.argument("file", type=click.Path(path_type=Path), callback=existing)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="OUT",
    help="A .csv or .parquet file. Default: CSV on stdout.",
)
@click.option("--proba", is_flag=True, help="Add a column with the probability of each class.")
@click.option(
    "--keep",
    type=names_between_commas,
    default="",
    metavar="A,B,...",
    help="Columns of FILE to write before the predictions, such as an id; ALL keeps all of them.",
)
@click.option(
    "--memory",
    metavar="AMOUNT",
    help='Read Parquet a block at a time within this much memory, such as "256 MiB"; folders and files of '
    "more than 1 GiB are read so in any case.",
)
@reading_options
def predict(
    model: Path,
    file: Path,
    output: Path | None,
    proba: bool,
    keep: list[str],
    memory: str | None,
    **reading: object,
) -> None:
    """Predict a value for each row of a table, as CSV or Parquet.

    MODEL is a model.safetensors that glassnet train wrote, or its folder. FILE (.csv or .parquet, or
    a folder of Parquet files) needs the columns that the model learned from; others are ignored, or
    written beside the predictions where --keep names them. Predictions are the table's own labels, or
    values in its own unit. Where the target's column is there too, the score goes to stderr.
    """
    from glassnet.cli.jobs.prediction import (
        csv_lines,
        predict_table,
        refuse_to_replace,
        write_predictions,
    )

    if output is not None:
        refuse_to_replace(output, model, file)
    predictions = predict_table(model, file, proba, memory, keep, reading)
    for note in predictions.notes:
        click.echo(note, err=True)
    if output is None:
        for text in csv_lines(predictions.blocks):
            click.echo(text, nl=False)
    else:
        write_predictions(output, predictions.blocks)
        click.echo(f"{predictions.n_rows:,} prediction(s) in {output}", err=True)
    remark = predictions.remark()
    click.echo(remark, err=True, nl=bool(remark))
