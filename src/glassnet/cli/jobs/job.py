"""An experiment from its settings to its folder of results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet import plots
from glassnet.cli.jobs.judgement import judged
from glassnet.cli.jobs.results.folder import CHECKPOINT, New, ResultsFolder
from glassnet.cli.jobs.results.record import (
    Outcome,
    Stopwatch,
    Tell,
    describe_curvature,
    describe_run,
    describe_scores,
    record,
)
from glassnet.cli.jobs.results.unfinished import MODEL, Unfinished
from glassnet.cli.progress import Stages
from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.diagnostics.diagnosis import Diagnosis, diagnose
from glassnet.diagnostics.verdict import Insight, Verdict
from glassnet.errors import MissingLibraryError
from glassnet.experiments.files import reads_blocks
from glassnet.experiments.library import SETTINGS, to_toml
from glassnet.experiments.preparation import Draws, read_whole
from glassnet.experiments.samples import Samples
from glassnet.experiments.settings import Experiment
from glassnet.plots.report import write_report
from glassnet.training.files.checkpoint import SECONDS
from glassnet.training.files.writing import save
from glassnet.training.run import TrainingRun
from glassnet.training.tape.replay import Snapshots
from glassnet.utils import folders
from glassnet.utils.interrupts import heard, who_ended
from glassnet.utils.libraries import require
from glassnet.utils.storage import atomic_write, write_csv
from glassnet.utils.words import tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSSES, CURVATURES = "losses.csv", "curvature.csv"
REPORT, CURVATURE, GIF = "report.html", "curvature.png", "film.gif"

MOST_SECONDS = 5.0
"""What remedies of a useless run may take."""

_PROBES = {"matplotlib": "matplotlib.backends.backend_agg", "plotly": "plotly.offline"}


def _data(of: Outcome) -> Figure:
    shown = of.shown
    y = shown.y if of.samples.preprocessing.classes is None else shown.y.astype(int)
    return plots.data(shown.X, y, **shown.labels(), title=of.experiment.title)


def _predictions(draw: Callable[..., Figure]) -> Callable[[Outcome], Figure]:
    """A picture of the predictions for the rows trained on and those held out."""

    def picture(of: Outcome) -> Figure:
        shown = of.shown
        return draw(shown.run, shown.X, shown.y, held_out=shown.held_out, class_names=shown.class_names)

    return picture


def _dependence(of: Outcome) -> Figure:
    insight = of.insights[0]
    return plots.partial_dependence(insight.dependences, class_names=insight.classes, target=insight.target)


def _curvature(of: Outcome) -> Figure:
    assert of.trace is not None  # NEEDS says so
    return plots.curvature(of.trace)


PICTURES: dict[str, Callable[[Outcome], Figure]] = {
    "data.png": _data,
    "loss.png": lambda of: plots.loss(of.run),
    "decision_boundary.png": lambda of: plots.decision_boundary(
        of.shown.run, of.shown.X, of.shown.y, **of.shown.labels()
    ),
    "hidden_projection.png": lambda of: plots.hidden_projection(
        of.shown.run, of.shown.X, of.shown.y, class_names=of.shown.class_names
    ),
    "output_surface.png": lambda of: plots.output_surface(of.shown.run, X=of.shown.X, **of.shown.labels()),
    "confusion.png": _predictions(plots.confusion),
    "roc.png": _predictions(plots.roc),
    "regression.png": _predictions(plots.regression),
    "errors.png": _predictions(plots.error_histogram),
    "calibration.png": _predictions(plots.calibration),
    "precision_recall.png": _predictions(plots.precision_recall),
    "residuals.png": _predictions(plots.residuals),
    "models.png": lambda of: plots.models(of.verdicts[0]),
    "importance.png": lambda of: plots.importance(of.insights[0].importances, unit=of.insights[0].unit),
    "partial_dependence.png": _dependence,
    "film.png": lambda of: plots.film(**of.film),
    CURVATURE: _curvature,
}
"""The pictures of experiments, by the name of the file."""


def _has_classes(of: Outcome) -> bool:
    return of.samples.preprocessing.classes is not None


def _is_table(of: Outcome) -> bool:
    return bool(of.experiment["data.file"])


NEEDS: dict[str, Callable[[Outcome], object]] = {
    "hidden_projection.png": lambda of: of.run.network.hidden,
    "output_surface.png": lambda of: _has_classes(of) or of.run.network.sizes[0] > 1,
    "confusion.png": _has_classes,
    "roc.png": _has_classes,
    "regression.png": lambda of: not _has_classes(of),
    "errors.png": lambda of: not _has_classes(of),
    "calibration.png": lambda of: _has_classes(of) and _is_table(of),
    "precision_recall.png": lambda of: _is_table(of) and len(of.samples.preprocessing.classes or ()) == 2,
    "residuals.png": lambda of: not _has_classes(of) and _is_table(of),
    "film.png": lambda of: of.replay,
    "models.png": lambda of: of.verdicts,
    "importance.png": lambda of: of.insights and of.insights[0].importances,
    "partial_dependence.png": lambda of: of.insights and of.insights[0].dependences,
    CURVATURE: lambda of: of.trace,
}
"""What the pictures depend on that not every experiment has; those of verdicts are of the first target."""

MOST_COLUMNS = 40
"""How many columns of a table are printed at most; glassnet info FILE prints all."""

MOST_ROWS = 1_000_000
"""How many rows of losses.csv there are at most, give or take one."""

RUN_FILES = (MODEL, LOSSES, CURVATURES, SETTINGS, REPORT, *PICTURES, GIF)
"""All that an experiment may write, beside its record."""


def load_libraries(watch: Stopwatch, *names: str) -> str:
    """Import drawing libraries; "" or, where one is missing, a sentence on how to get it."""
    with watch("loading the drawing libraries"):
        try:
            for name in names:
                require(_PROBES[name])
        except MissingLibraryError as error:
            return str(error)
    return ""


def run_experiment(
    experiment: Experiment,
    folder: Path,
    *,
    pictures: bool = True,
    report: bool = True,
    gif: bool = False,
    baselines: bool = True,
    keep_earlier: bool = True,
    resume: bool = False,
    checkpoint_every: float = SECONDS,
    tell: Tell = lambda label, words: None,
    progress: bool | float = False,
    stages: Stages | None = None,
) -> Outcome:
    """Draw, check, train, score, and write the results; `tell` is called after each step.

    With `baselines`, simpler models answer the rows held out too, and the verdict compares them.
    A film shows what a network of one or two inputs answered on the way, with `gif` as an animation too,
    and of more inputs on the axes of the pictures; where rows are read block by block there is none.
    Earlier results in the folder move to ``FOLDER.1`` and so on, unless `keep_earlier` is False.
    A checkpoint follows training every `checkpoint_every` seconds. With `resume` training goes on from the
    latest run in the folder, one that was cut off or the one of its results.
    `progress` is that of `train`, and `stages` say what begins.
    Ctrl-C during training and divergence end training early, not the job: the run says so. SIGTERM and
    SIGHUP, where the command line listens to them, leave out pictures and report too. Ctrl-C
    while pictures are drawn leaves the rest of them out.

    Raises GradientError where the gradient check fails, FileError where the results cannot be
    written, or hold no run to go on from, and InputError for settings and data that do not fit each other.
    """
    watch = Stopwatch() if stages is None else Stopwatch(stages.begin, stages.clear)
    watched = experiment["train.curvature"]
    absent = {CURVATURES, CURVATURE} if watched is None else set()
    absent |= (
        (set() if pictures else {*PICTURES}) | (set() if report else {REPORT}) | (set() if gif else {GIF})
    )
    names = [name for name in RUN_FILES if name not in absent]
    rows = experiment["train.iterations"] + 1
    needed = int(1e5 + 8 * rows + 32 * min(rows, MOST_ROWS) + 3e6 * pictures + 8e6 * report)  # bytes
    with ResultsFolder(
        folder, names, needed, keep=[MODEL], known=RUN_FILES, keep_earlier=keep_earlier
    ) as results:
        left = results.unfinished()
        before = Unfinished.latest(left, results.path) if resume else None
        if left and not resume:
            words = f"the run in {left[-1]} was cut off: --resume goes on from it. This one begins anew."
            tell("unfinished", words)
        with watch("data"):
            table = read_whole(experiment)  # a fault of the file is answered before anything is loaded
        if table is not None or not experiment["data.file"]:
            with watch("loading scikit-learn"):
                import sklearn.datasets
                import sklearn.model_selection  # noqa: F401 - the data need it, and should not pay for it
        with watch("data"):
            draws = Draws(experiment, table)
        samples, network, experiment = draws.samples, draws.network, draws.experiment
        settings = to_toml(experiment.to_dict(folder), _SETTINGS_COMMENT)
        if before is not None:
            before.check(settings)
            tell("resumed", str(before))
        tell("data", f"{tidy(experiment.name)}: {samples}")
        if samples.columns is not None:
            tell("columns", samples.columns.to_text(MOST_COLUMNS, 84))
        for note in samples.notes:
            tell("", note)
        if draws.chosen:
            tell("settings", draws.chosen)
        tell("network", f"{network}, {network.n_parameters:,} parameters")
        with watch("gradient check"):
            point = draws.check_point()
            check = draws.check(point) if experiment["check.enabled"] else None
        if check is not None:
            few = f" (On {check.n_samples:,} samples.)" if check.n_samples < samples.n else ""
            tell("gradient check", f"{check.verdict}{few}")
            check.raise_if_failed()
        initial = draws.start()
        trace = None if watched is None else CurvatureTrace(samples.X, samples.y, every=watched)
        films = (pictures or report) and (gif or network.sizes[0] <= 2) and not reads_blocks(experiment)
        snapshots = Snapshots(experiment["train.iterations"]) if films else None
        extra = {"name": experiment.name, "preprocessing": samples.preprocessing.to_dict()}
        if reading := {key: value for key, value in experiment.reading.items() if key != "sheet"}:
            extra["reading"] = reading  # for new tables of the same kind

        def keep(run: TrainingRun) -> None:
            """From here on no error, signal or full disk takes the run along."""

            def rescue(new: New) -> None:
                save(run, new(MODEL), extra=extra)
                write_settings(new(SETTINGS))

            results.run, results.rescue = run, rescue

        def write_settings(path: Path) -> None:
            with atomic_write(path) as temporary:
                temporary.write_text(settings, "utf-8", errors="replace")

        followed = results.follow()
        write_settings(followed / SETTINGS)
        try:
            with watch("training"):
                run = draws.train(
                    initial,
                    [one for one in (trace, snapshots) if one is not None],
                    progress,
                    followed / CHECKPOINT,
                    checkpoint_every,
                    None if before is None else before.run,
                )
                keep(run)
        except BaseException as error:
            if isinstance(so_far := getattr(error, "run", None), TrainingRun):
                keep(so_far)
            raise
        with watch("model"):
            save(run, results.new(MODEL), extra=extra)
        run = replace(run, extra={**run.extra, **extra})  # pictures and the report take units from it
        tell("training", describe_run(run))
        if trace is not None:
            tell("curvature", describe_curvature(trace))
        diagnosis = _diagnosis(samples, run, watch, tell)
        with watch("scores"):
            # A kill may follow a signal before files are read once more.
            scores = {} if heard and reads_blocks(experiment) else samples.scores(run)
        for name, score in scores.items():
            tell(f"{name} score", describe_scores(score, samples.preprocessing.target))
        judgement = ((), ()) if heard else _judge(samples, run, watch, baselines, tell)
        with watch("losses and settings"):
            losses = _losses(run)
            write_csv(results.new(LOSSES), losses)
            if (shown := len(losses["loss"])) < len(run.losses):
                every = int(losses["iteration"][1] - losses["iteration"][0])
                tell("losses", f"{LOSSES} has one row for {every:,} iterations, {shown:,} in all.")
            if trace is not None:
                write_csv(results.new(CURVATURES), trace.columns())
            write_settings(results.new(SETTINGS))
        outcome = Outcome(
            *(experiment, samples, run, initial, check, scores, watch.seconds, results.path, [], trace),
            None if snapshots is None else snapshots.replay(run),
            *judgement,
            diagnosis,
        )
        missing = _draw(outcome, results, watch, pictures, report, gif)
        watch.seconds["total"] = watch.total
        outcome.files[:] = results.commit(record(outcome))
        if before is not None and before.folder != results.path:
            folders.remove(before.folder)
    watch.tell(tell)
    for words in missing:
        tell("not drawn", words)
    for label, words in results.earlier():
        tell(label, words)
    tell("files", f"{results.path}: {', '.join(outcome.files)}")
    return outcome


_SETTINGS_COMMENT = """The settings of this run, with every default. Run them again, changed or not, with
glassnet train experiment.toml (results then go to results/NAME, by the name below). The path of a
table starts where this file lies: after moving one alone, change data.file."""


def _diagnosis(samples: Samples, run: TrainingRun, watch: Stopwatch, tell: Tell) -> Diagnosis | None:
    """Why a run that is useless or has diverged did not learn; None of others, or where Ctrl-C came."""
    if heard or not (run.finding or run.status == "diverged"):
        return None
    try:
        with watch("diagnosis"):
            found = diagnose(run, validation=samples.held_out_rows, seconds=MOST_SECONDS)
    except KeyboardInterrupt:
        return None
    tell("diagnosis", found.summary)
    return found


def _judge(
    samples: Samples, run: TrainingRun, watch: Stopwatch, baselines: bool, tell: Tell
) -> tuple[tuple[Verdict, ...], tuple[Insight, ...]]:
    """The verdicts and insights, said line by line; none without rows held out, or where Ctrl-C came."""
    if samples.held_out is None:
        return (), ()
    try:
        with watch("held-out rows"):
            verdicts, insights = judged(samples, run, baselines)
    except KeyboardInterrupt:  # the model is what took time
        tell("verdict", f"{who_ended()[0]}: the verdict was left out.")
        return (), ()
    for verdict in verdicts:
        head = [f"of {tidy(verdict.target)}:"] if len(verdicts) > 1 else []
        tell("verdict", "\n".join([*head, *verdict.lines()]))
    for insight in insights:
        if words := insight.sentence:
            tell("strongest", words)
    return verdicts, insights


def _losses(run: TrainingRun) -> dict[str, Any]:
    """The loss after every iteration, and what the validation data measured, NaN where nothing did.

    Of more than `MOST_ROWS` iterations there is every k-th, and the last: who sends SIGTERM does not wait
    for minutes.
    """
    first = run.iterations + 1 - len(run.losses)
    every = max(1, -(-len(run.losses) // MOST_ROWS))
    iterations = np.arange(-(-first // every) * every, run.iterations + 1, every)
    if run.iterations % every:
        iterations = np.append(iterations, run.iterations)
    columns: dict[str, Any] = {"iteration": iterations, "loss": run.losses[iterations - first]}
    measured = {"loss": run.validation_losses, "score": run.validation_scores, **run.metrics}
    shown = np.isin(run.validation_iterations, iterations)
    for name, values in measured.items():
        if len(values):
            column = columns[f"validation_{name}"] = np.full(len(iterations), np.nan)
            column[np.isin(iterations, run.validation_iterations)] = values[shown]
    return columns


def _draw(
    outcome: Outcome, results: ResultsFolder, watch: Stopwatch, pictures: bool, report: bool, gif: bool
) -> list[str]:
    """Write the pictures and the report; returns sentences about those that could not be drawn."""
    missing = []
    if heard:  # a kill may follow soon
        return [f"{who_ended()[0]}: pictures and report were left out."] if pictures or report else []
    try:
        if pictures and not (why := load_libraries(watch, "matplotlib")):
            _write_pictures(outcome, results, watch)
            if gif and outcome.replay is not None:
                with watch(GIF):
                    plots.animation(path=results.new(GIF), **outcome.film)
            elif gif:
                missing.append(f"{GIF} needs rows in memory, and these are read block by block.")
        elif pictures:
            missing.append(why)
        if report and not (why := load_libraries(watch, "matplotlib", "plotly")):
            _write_report(outcome, results, watch)
        elif report and why not in missing:
            missing.append(why)
    except KeyboardInterrupt:
        # The model is what took time; pictures can be drawn again.
        missing.append(f"{who_ended()[0]}: the rest of the pictures was left out.")
    return missing


def _write_pictures(outcome: Outcome, results: ResultsFolder, watch: Stopwatch) -> None:
    """Draw every picture that the experiment has."""
    for name, draw in PICTURES.items():
        if name not in NEEDS or NEEDS[name](outcome):
            with watch(name):
                results.save_picture(name, draw(outcome))


def _write_report(outcome: Outcome, results: ResultsFolder, watch: Stopwatch) -> None:
    """Write the report, with the settings as dotted keys."""
    samples, shown, settings = outcome.samples, outcome.shown, outcome.experiment.to_dict(outcome.folder)
    rows: dict[str, object] = {key: value for key, value in settings.items() if not isinstance(value, dict)}
    for section, values in settings.items():
        if isinstance(values, dict) and section != "sweep":
            rows |= {f"{section}.{key}": value for key, value in values.items()}
    with watch(REPORT):
        write_report(
            results.new(REPORT),
            run=shown.run,
            X=shown.X,
            y=shown.y,
            title=outcome.experiment.title,
            check=outcome.check,
            settings=rows,
            timings={step: seconds for step, seconds in outcome.timings.items() if step != "training"},
            scores=outcome.scores,
            held_out=shown.held_out,
            n_samples=samples.n,
            curvature=outcome.trace,
            verdicts=outcome.verdicts,
            insights=outcome.insights,
            columns=samples.columns,
            diagnosis=outcome.diagnosis,
            film=None if outcome.replay is None else outcome.film["tape"],
            **shown.labels(),
        )
