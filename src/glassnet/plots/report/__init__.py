"""A training run as one HTML file that opens anywhere (needs the extra ``plot``)."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._version import __version__
from glassnet.data.tables.columns import ColumnTable
from glassnet.diagnostics.curvature import CurvatureTrace
from glassnet.diagnostics.diagnosis import Diagnosis
from glassnet.diagnostics.gradient_report import GradientCheck
from glassnet.diagnostics.verdict import Insight, Verdict
from glassnet.errors import InputError
from glassnet.plots.loss_curve import length, make_loss_curve, unit_of
from glassnet.plots.picture_data import (
    Field,
    as_samples,
    input_projection,
    make_cloud,
    make_field,
    make_grid,
    make_hidden_scene,
)
from glassnet.plots.predictions import HeldOut, make_predictions, row_sets
from glassnet.plots.projection import Axes, Projection, spans
from glassnet.plots.report import interactive, tables
from glassnet.plots.report.curvature import curvature_section
from glassnet.plots.report.diagnosis import diagnosis_section
from glassnet.plots.report.film import film_section
from glassnet.plots.report.page import build, figure, pairs, sentence
from glassnet.plots.report.predictions import prediction_figures, quality_figures
from glassnet.plots.report.scores import Confusion, Fit, Scores, score
from glassnet.plots.report.verdict import columns_table, insight_section, verdict_section
from glassnet.training.run import TrainingRun
from glassnet.training.tape.replay import Replay
from glassnet.training.tape.tape import Tape
from glassnet.utils.html import Html, join, tag
from glassnet.utils.storage import atomic_write
from glassnet.utils.words import counted, percent, readable, tidy

__all__ = ["Confusion", "Fit", "Scores", "percent", "score", "write_report"]

_FLAT_POINTS, _SOLID_POINTS, _LOSS_POINTS = 100_000, 15_000, 6_000
_FINE, _COARSE = 200, 110  # grid points along an axis, of the boundary and of the surface


def write_report(
    path: str | os.PathLike[str],
    *,
    run: TrainingRun,
    X: object,
    y: object,
    title: str = "Training report",
    check: GradientCheck | None = None,
    settings: Mapping[str, object] | None = None,
    timings: Mapping[str, object] | None = None,
    class_names: object = None,
    feature_names: object = None,
    held_out: HeldOut = None,
    scores: Mapping[str, Scores] | None = None,
    n_samples: int | None = None,
    axes: Axes = None,
    output: int | None = None,
    curvature: CurvatureTrace | None = None,
    verdicts: Sequence[Verdict] = (),
    insights: Sequence[Insight] = (),
    columns: ColumnTable | None = None,
    diagnosis: Diagnosis | None = None,
    film: Tape | Replay | None = None,
) -> Path:
    """Write one HTML file with a run's pictures, scores, parameters and settings; return its path.

    The pictures are those of `glassnet.plots`, drawn by plotly: those in 3-D turn with the mouse. The file
    contains all it needs, plotly.js too (5 MB), and loads nothing from a network.

    Parameters
    ----------
    path : the file, written whole or not at all; its folder must exist.
    run, X, y : the run and the samples (n, inputs) to show and score it on, as `train` takes them.
    check : a gradient check to tabulate.
    settings, timings : more facts by name; timings in seconds.
    held_out : (X, y) that the run has not seen, or a dict of such pairs by name, to draw and to score.
    scores : scores by the name of their samples, in place of those on X and held_out.
    n_samples : the number of samples that the run was trained on, where X holds only some of them.
    class_names, feature_names, axes, output : as for `glassnet.plots.decision_boundary`.
    curvature : the `CurvatureTrace` of the run, for a section on what the curve says.
    verdicts, insights : the scores beside simpler models', and what the answers rest on, as
        `glassnet.diagnostics.verdict` gives them: one for each target.
    columns : what each column of a table was taken for, as `glassnet.prepare_table` gives it.
    diagnosis : what `glassnet.diagnose` gives, for a section on why the run does not learn.
    film : the `glassnet.Tape` of the run, for a slider over what it answered on the way.

    Raises InputError for unusable arrays, FileError where it cannot write the file, and MissingLibraryError
    where plotly or matplotlib is not installed.

    >>> import tempfile
    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 3, 2)), X, y, random_state=0, iterations=20)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = gn.report.write_report(f"{folder}/report.html", run=run, X=X, y=y)
    ...     path.stat().st_size > 1_000_000
    True
    """
    samples = as_samples(X, width=run.network.sizes[0])
    landscape = None if curvature is None else curvature_section(curvature, _LOSS_POINTS)
    field = make_field(run, class_names, output)
    projection = input_projection(run.network.sizes[0], samples, axes, feature_names)
    arguments = run, samples, y, held_out, class_names, output
    drawn, sets = make_predictions(*arguments, classes=field.is_class, most=_FLAT_POINTS)
    if scores is None:
        every = row_sets(run, samples, y, held_out)
        scores = {name: score(run, X, y, class_names) for name, X, y in every}
    n = n_samples or len(samples)
    sections: dict[str, tuple[str, Html]] = {}
    if diagnosis is not None and diagnosis.findings:
        sections["diagnosis"] = "Why it does not learn", diagnosis_section(diagnosis)
    if verdicts:
        sections["verdict"] = "The verdict", verdict_section(verdicts)
    sections["pictures"] = "What it learned", _pictures(run, field, samples, y, projection)
    named = axes, class_names, feature_names, output
    if film is not None and (section := film_section(film, samples, y, *named)) is not None:
        sections["film"] = "How it learned", section
    if insights:
        sections["insight"] = "What it rests on", insight_section(insights)
    if landscape is not None:
        sections["curvature"] = "What the curve says", landscape
    quality = [] if held_out is None else quality_figures(drawn, sets)
    figures = tag("div", *prediction_figures(drawn, sets), *quality, class_="pictures")
    sections["scores"] = "Scores", join([tables.score_tables(scores), figures])
    if columns:
        sections["columns"] = "The columns", columns_table(columns)
    if check is not None:
        sections["check"] = "Gradient check", tables.check_table(check)
    parameters = tables.parameter_tables(run, feature_names, class_names)
    sections["parameters"] = "Learned parameters", parameters
    sections["settings"] = "Settings and timings", _settings(run, n, settings, timings)
    lead = f"{run.network}, trained on {counted(n, 'sample')} of {counted(samples.shape[1], 'input')}"
    foot = (
        f"Made by glassnet {__version__} with Python {platform.python_version()} and NumPy "
        f"{np.__version__} on {platform.system()} {platform.machine()}. Pictures by plotly.js, which is "
        f"inside this file."
    )
    page = build(title, lead, [*_notices(run), _cards(run, scores)], sections, foot)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return Path(path)


def _pictures(run: TrainingRun, field: Field, X: NDArray[Any], y: object, projection: Projection) -> Html:
    cloud = make_cloud(X, field.targets(y, len(X)), projection, field, _FLAT_POINTS)
    span = spans(cloud.points, projection.dimensions)
    grid = make_grid(field, projection, span, _FINE)
    drawn = cloud.note or counted(len(cloud.points), "sample")
    where = f", {projection.note}" if projection.note else ""
    over = f"{sentence(f'{field.quantity} over the same plane')} Drag to turn it."
    caption = _boundary_caption(field, drawn, where, projection.slice_note)
    if projection.dimensions == 1:
        over = sentence(f"{field.quantity} over the same line")
        caption = sentence(f"{field.quantity}, with {drawn}{where}")
    surfaces = []
    if field.is_class or projection.dimensions == 2:  # a quantity over a line is drawn with its samples
        drawing = interactive.surface_picture(make_grid(field, projection, span, _COARSE, adaptive=True))
        surfaces = [figure("surface", "The output surface", drawing, over)]
    name, curve = tidy(field.names[0], 84), make_loss_curve(run, _LOSS_POINTS)
    boundary = "The decision boundary" if field.is_class else f"The prediction of {name}"
    figures = [
        figure("data", "The data", interactive.data_picture(cloud, projection), f"{drawn}{where}."),
        figure("boundary", boundary, interactive.boundary_picture(cloud, grid), caption),
        _hidden(field, X, y),
        *surfaces,
        figure(
            "loss",
            "The loss",
            interactive.loss_picture(curve),
            f"The loss after every {curve.unit}. Drag over an interval to enlarge it; double-click to see "
            "all.",
            shape="wide",
        ),
    ]
    return tag("div", *figures, class_="pictures")


def _hidden(field: Field, X: NDArray[Any], y: object) -> Html:
    network, heading = field.network, "The samples in the last hidden layer"
    if not network.hidden:
        words = "This network has no hidden layer: its output is computed from the input directly."
        return figure("hidden", heading, None, words)
    try:
        scene = make_hidden_scene(field, X, y, None, -1, _FLAT_POINTS)
    except InputError as error:  # the layer overflowed
        return figure("hidden", heading, None, str(error))
    picture = interactive.hidden_picture(scene, _SOLID_POINTS)
    width, name = network.sizes[-2], network.hidden[-1].name
    words = f"Each sample at the output of the layer's {counted(width, f'{name} unit')}"
    if not scene.projection.whole:
        words += f", {scene.projection.note}" if scene.projection.note else ""
    words += "."
    if scene.projection.dimensions == 3:
        n = len(scene.cloud.points)
        shown = -(-n // max(1, -(-n // _SOLID_POINTS)))
        words += " Drag to turn it."
        if shown < scene.cloud.total:
            words += f" {shown:,} of {scene.cloud.total:,} samples are shown."
    if scene.plane is not None:
        kind = ("threshold", "line", "plane")[scene.projection.dimensions - 1]
        words += f" The output layer separates the two classes by a {kind}."
    return figure("hidden", heading, picture, words)


def _boundary_caption(field: Field, drawn: str, where: str, about_slice: str) -> str:
    if not field.is_class:
        return f"The prediction as colors, with {drawn} in the same colors{where}."
    return (
        f"The tint is the most probable class, paler where the network is less sure; the line is where "
        f"two classes are equally probable. {sentence(drawn + where)}"
        + (f" {sentence(about_slice)}" if about_slice else "")
    )


# ---- The frame ----------------------------------------------------------------------------------


def _notices(run: TrainingRun) -> list[Html]:
    words = {
        "diverged": f"Training blew up at {unit_of(run)} {run.diverged_at}. What follows is the network "
        f"before that update. A smaller learning rate is the usual cure.",
        "interrupted": f"Training was interrupted after {length(run)}.",
        "stopped": f"Training stopped after {length(run)}: {run.reason.removesuffix('.')}.",
        "completed": f"Training ended, but {run.finding}" if run.finding else "",
    }.get(run.status)
    good = run.status == "stopped" and not run.finding
    return [tag("p", words, class_="note good" if good else "note", role="status")] if words else []


def _cards(run: TrainingRun, scores: Mapping[str, Scores]) -> Html:
    cards = []
    for name, result in scores.items():
        score_text, words = result.headline
        cards.append((score_text, words if len(scores) == 1 else f"{name}: {words}"))
    losses = np.asarray(run.losses, dtype=np.float64)
    kind = "summed" if run.reduction == "sum" else "mean"
    start = "at the start" if run.batch_size is None else "in the first epoch"
    if len(losses):
        first, last = readable(float(losses[0]), 5), readable(float(losses[-1]), 4)
        cards.append((last, f"final {kind} loss, {first} {start}"))
    each = f", {1000 * run.seconds / run.iterations:.3g} ms each" if run.iterations else ""
    cards.append((f"{run.seconds:.3g} s", f"for {length(run)}{each}"))
    engine = f"{run.engine} engine, {run.dtype.name}, {counted(run.threads, 'thread')}"
    cards.append((f"{run.network.n_parameters:,}", f"parameters; {engine}"))
    return tag(
        "div", *(tag("div", tag("b", a), tag("span", b), class_="card") for a, b in cards), class_="cards"
    )


def _settings(
    run: TrainingRun, n: int, settings: Mapping[str, object] | None, timings: Mapping[str, object] | None
) -> Html:
    facts = {
        "network": str(run.network),
        "parameters": run.network.n_parameters,
        "samples": n,
        "optimizer": str(run.optimizer),
        "loss": f"{run.network.loss}: {run.network.loss.formula}",
        "reduction": run.reduction,
        f"{unit_of(run)}s": run.iterations,
        "status": run.status,
        "precision": run.dtype.name,
        "engine": f"{run.engine} ({run.engine_reason})",
        "threads": run.threads,
    }
    contents = [tag("h3", "The run"), pairs(facts)]
    if settings:
        contents += [tag("h3", "The experiment"), pairs(settings)]
    spent = {"training": f"{run.seconds:.3f} s"}
    for name, value in (timings or {}).items():
        real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
        spent[name] = f"{value:.3f} s" if real else str(value)
    return join([*contents, tag("h3", "Timings"), pairs(spent)])
