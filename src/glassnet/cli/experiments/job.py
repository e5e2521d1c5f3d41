"""An experiment from its settings to its folder of results."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.cli.experiments.data import Samples
from glassnet.cli.experiments.draws import Draws
from glassnet.cli.experiments.library import SETTINGS
from glassnet.cli.experiments.pictures import (
    CURVATURE,
    PICTURES,
    REPORT,
    load_libraries,
    write_pictures,
    write_report_page,
)
from glassnet.cli.experiments.record import (
    Outcome,
    Stopwatch,
    Tell,
    describe_curvature,
    describe_run,
    describe_scores,
    record,
)
from glassnet.cli.experiments.results import RECORD, ResultsFolder
from glassnet.cli.experiments.schema import COMPUTING, PENALTIES
from glassnet.cli.experiments.settings import Experiment, stopping_from
from glassnet.cli.experiments.streaming import is_streamed
from glassnet.cli.experiments.toml import to_toml
from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.errors import (
    DivergenceWarning,
    GlassnetError,
    InterruptedTrainingWarning,
    PreprocessingWarning,
    unknown_name,
)
from glassnet.nn.network import Parameters
from glassnet.training.checkpoints import save
from glassnet.training.run import TrainingRun
from glassnet.training.train import train
from glassnet.utils.storage import write_csv, write_json

MODEL, LOSSES, CURVATURES = "model.safetensors", "losses.csv", "curvature.csv"


def run_experiment(
    experiment: Experiment,
    folder: Path,
    *,
    pictures: bool = True,
    report: bool = True,
    tell: Tell = lambda label, words: None,
    progress: bool = False,
) -> Outcome:
    """Draw, check, train, score, and write the results; `tell` hears of each part as (label, words).

    Ctrl-C during training and divergence end training early, not the job: the run says so. Ctrl-C
    while pictures are drawn leaves the rest of them out.

    Raises GradientError where the gradient check fails, FileError where the results cannot be
    written, and what the parts raise.
    """
    watch = Stopwatch()
    names = [MODEL, LOSSES, SETTINGS, *(PICTURES if pictures else ()), *([REPORT] if report else ())]
    watched = experiment["train.curvature"] is not None
    names += [CURVATURES, *([CURVATURE] if pictures else [])] if watched else []
    with ResultsFolder(folder, names, _needed(experiment, pictures, report), keep=[MODEL]) as results:
        if not is_streamed(experiment):
            with watch("loading scikit-learn"):
                import sklearn.datasets
                import sklearn.model_selection  # noqa: F401 - the data need it, and should not pay for it
        with watch("data"):
            draws = Draws(experiment)
        samples, network = draws.samples, draws.network
        tell("data", f"{experiment.name}: {samples}")
        for note in samples.notes:
            tell("", note)
        tell("network", f"{network}, {network.n_parameters:,} parameters")
        with watch("gradient check"):
            point = draws.check_point()
            check = draws.check(point) if experiment["check.enabled"] else None
        if check is not None:
            few = f" (On {check.n_samples:,} samples.)" if check.n_samples < samples.n else ""
            tell("gradient check", f"{check.verdict}{few}")
            check.raise_if_failed()
        initial = draws.start()
        trace = _trace(experiment, samples)
        extra = {"name": experiment.name, "preprocessing": samples.preprocessing.to_dict()}
        try:
            with watch("training"):
                run = _train(experiment, draws, initial, progress, trace)
        except GlassnetError as error:
            if isinstance(done := getattr(error, "run", None), TrainingRun):
                save(done, results.new(MODEL), extra=extra)  # which the error will say
            raise
        with watch("model"):
            save(run, results.new(MODEL), extra=extra)
        tell("training", describe_run(run))
        if trace is not None:
            tell("curvature", describe_curvature(trace))
        with watch("scores"):
            scores = samples.scores(run)
        for part, found in scores.items():
            tell(f"{part} score", describe_scores(found, samples.preprocessing))
        with watch("losses and settings"):
            write_csv(results.new(LOSSES), _losses(run))
            if trace is not None:
                write_csv(results.new(CURVATURES), trace.columns())
            settings = to_toml(experiment.to_dict(), _SETTINGS_COMMENT.format(name=experiment.name))
            results.new(SETTINGS).write_text(settings, "utf-8")
        outcome = Outcome(
            experiment,
            samples,
            run,
            initial,
            check,
            scores,
            watch.seconds,
            results.path,
            results.written,
            trace,
        )
        missing = _draw(outcome, results, watch, pictures, report)
        watch.seconds["total"] = watch.total
        write_json(results.new(RECORD), record(outcome, [*results.written, RECORD]))
        files = results.commit()
    for part, seconds in watch.seconds.items():
        tell("timings" if part == next(iter(watch.seconds)) else "", f"{seconds:7.2f} s  {part}")
    for words in missing:
        tell("not drawn", words)
    tell("files", f"{results.path}: {', '.join(files)}")
    outcome.files[:] = files
    return outcome


_SETTINGS_COMMENT = """The settings of this run, with every default. Run them again, changed or not, with
glassnet train experiment.toml (results then go to results/{name})."""


def _needed(experiment: Experiment, pictures: bool, report: bool) -> int:
    """About how many bytes the results take."""
    history = 40 * (experiment["train.iterations"] + 1)
    return int(1e5 + history + 3e6 * pictures + 8e6 * report)


_AS_THEY_ARE = (
    "iterations",
    "batch_size",
    "shuffle",
    "validate_every",
    "average",
    "dropout",
)


def _trace(experiment: Experiment, samples: Samples) -> CurvatureTrace | None:
    """What watches the curvature, on rows that are held out for validation too."""
    every = experiment["train.curvature"]
    return None if every is None else CurvatureTrace(samples.X, samples.y, every=every)


def _train(
    experiment: Experiment,
    draws: Draws,
    initial: Parameters,
    progress: bool,
    trace: CurvatureTrace | None = None,
) -> TrainingRun:
    stopping = experiment["train.stopping"]
    X, y, validation = draws.samples.to_train_on(experiment["train.validation"], draws.random)
    with warnings.catch_warnings():
        # How the run ended is told by whoever started the job.
        warnings.simplefilter("ignore", DivergenceWarning)
        warnings.simplefilter("ignore", InterruptedTrainingWarning)
        warnings.simplefilter("ignore", PreprocessingWarning)  # the rows held out are standardized alike
        return train(
            draws.network,
            X,
            y,
            validation=validation,
            optimizer=experiment.optimizer(),
            parameters=initial,
            progress=progress,
            callbacks=[] if trace is None else [trace],
            random_state=draws.random,
            stopping=None if stopping is None else stopping_from(stopping),
            class_weight=class_weight_of(experiment["train.class_weight"], draws.samples),
            **experiment.of_train(*COMPUTING, *PENALTIES, *_AS_THEY_ARE),
        )


def class_weight_of(given: Any, samples: Samples) -> Any:
    """A table of labels as one of class numbers."""
    if not isinstance(given, dict):
        return given
    labels = [str(label) for label in samples.target_names]
    for label in given:
        if label not in labels:
            raise unknown_name("label in train.class_weight", label, labels)
    return {labels.index(label): weight for label, weight in given.items()}


def _losses(run: TrainingRun) -> dict[str, Any]:
    """The loss after every iteration, and those of the validation data, NaN where there was none."""
    iterations = np.arange(run.iterations + 1 - len(run.losses), run.iterations + 1)
    columns: dict[str, Any] = {"iteration": iterations, "loss": run.losses}
    if len(run.validation_losses):
        for name in ("loss", "score"):
            values = getattr(run, "validation_losses" if name == "loss" else "validation_scores")
            if len(values):
                column = columns[f"validation_{name}"] = np.full(len(iterations), np.nan)
                column[np.isin(iterations, run.validation_iterations)] = values
    return columns


def _draw(
    outcome: Outcome, results: ResultsFolder, watch: Stopwatch, pictures: bool, report: bool
) -> list[str]:
    """Write the pictures and the report; sentences about what could not be."""
    missing = []
    try:
        if pictures and not (why := load_libraries(watch, "matplotlib")):
            write_pictures(outcome, results, watch)
        elif pictures:
            missing.append(why)
        if report and not (why := load_libraries(watch, "matplotlib", "plotly")):
            write_report_page(outcome, results, watch)
        elif report and why not in missing:
            missing.append(why)
    except KeyboardInterrupt:
        # The model is what took time; pictures can be had again.
        missing.append("Ctrl-C: the rest of the pictures was left out.")
    return missing
