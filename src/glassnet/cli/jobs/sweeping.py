"""An experiment's grids from their settings to a folder of results."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from glassnet import plots
from glassnet.cli.jobs.job import RUN_FILES, load_libraries
from glassnet.cli.jobs.results.folder import GRID_ENDINGS, New, ResultsFolder
from glassnet.cli.jobs.results.record import Stopwatch, Tell
from glassnet.cli.progress import Stages
from glassnet.data.parquet import parquet_files
from glassnet.data.standardization import Scaling
from glassnet.data.tables import read_table
from glassnet.data.tables.preprocessing import Preprocessing
from glassnet.diagnostics.curvature import Curvature, curvature
from glassnet.errors import InputError, InterruptedTrainingWarning, unknown_name
from glassnet.experiments.grids import COMMAND, IN_TIME, arguments_of
from glassnet.experiments.library import SETTINGS, to_toml
from glassnet.experiments.preparation import Draws
from glassnet.experiments.schema import SWEEP, TRAIN_ONLY
from glassnet.experiments.settings import Experiment
from glassnet.model_selection import OtherSweepError, SweepResult, shown, sweep
from glassnet.optim import SGD
from glassnet.plots.sweeps.heatmap import has_stability_limit
from glassnet.training.files.writing import save
from glassnet.training.train import first_parameters
from glassnet.utils.interrupts import heard
from glassnet.utils.storage import write_csv, write_json

PICTURES = ("heatmap", "losses", "parallel")

BEST, REFIT = "best.safetensors", "refit.safetensors"


def choose_grids(experiment: Experiment, names: Sequence[str] = ()) -> list[str]:
    """The grids of those names, or the command line's, or all; InputError where there are none."""
    if not experiment.sweeps:
        if (file := experiment["data.file"]) and not (experiment.folder / file).exists():
            read_table(experiment.folder / file)  # which says that there is none
        raise InputError(
            f"{experiment.source} has no grid to sweep over; expected, for instance, --set "
            f"'learning_rate=[0.03, 0.1, 0.3]', or a section [{SWEEP}.rates] with learning_rate = "
            f"[0.03, 0.1, 0.3] and iterations = 1000."
        )
    for key in TRAIN_ONLY:
        if experiment[f"train.{key}"]:
            raise InputError(
                f"{experiment.where(f'train.{key}')}: a sweep knows nothing of {key}. Leave it out."
            )
    for name in names:
        if name not in experiment.sweeps:
            raise unknown_name(f"grid of {experiment.source}:", name, experiment.sweeps)
    given = [COMMAND] if any(key.startswith(f"{SWEEP}.{COMMAND}.") for key in experiment.origins) else []
    return list(names or given or experiment.sweeps)


def run_sweeps(
    experiment: Experiment,
    folder: Path,
    grids: Sequence[str],
    *,
    options: Mapping[str, Any] | None = None,
    fresh: bool = False,
    keep_earlier: bool = True,
    pictures: bool = True,
    tell: Tell = lambda label, words: None,
    progress: bool | float = False,
    stages: Stages | None = None,
) -> dict[str, SweepResult]:
    """Train over each grid from where `run_experiment` starts, and write the results.

    `options` replace those of the grids, such as iterations, folds and metric. A journal keeps
    each network as it ends: a job that was killed continues when it is started again, unless `fresh`
    says to begin anew. Earlier results in the folder move to ``FOLDER.1`` and so on, unless `keep_earlier`
    is False. Ctrl-C ends the sweep and leaves later grids out; the networks done so far are written.

    Raises FileError where the results cannot be written, and InputError as `sweep` does.
    """
    watch = Stopwatch() if stages is None else Stopwatch(stages.begin, stages.clear)
    endings = [ending for ending in GRID_ENDINGS if pictures or not ending.endswith(".png")]
    names = [SETTINGS, *(f"{grid}{ending}" for grid in grids for ending in endings)]
    results: dict[str, SweepResult] = {}
    needed = int(1e6 + len(grids) * (2e6 + 1e6 * pictures))

    writers: list[Callable[[New], None]] = []

    def write_all(new: New) -> None:
        for write in writers:
            write(new)

    tables = [f"{grid}.csv" for grid in grids]
    with ResultsFolder(folder, names, needed, tables, RUN_FILES, keep_earlier) as place:
        with watch("data"):
            # A grid may have settings that exclude those that are chosen for a table.
            draws = Draws(replace(experiment, automatic=False))
            draws.samples = draws.samples.in_memory()
            draws.check_point()  # the stream goes on as in the experiment itself
        tell("data", f"{experiment.name}: {draws.samples}")
        missing = load_libraries(watch, "matplotlib") if pictures else ""
        for grid in grids:
            keys = {**experiment.sweeps[grid], **(options or {})}
            journal = place.path / f"{grid}.cells.jsonl"
            if fresh:
                journal.unlink(missing_ok=True)
            with watch(f"sweep {grid}"):
                result = _sweep(draws, grid, keys, journal, progress)
            results[grid] = result
            tell(grid, str(result))
            writers.append(partial(_write, draws, result, grid, keys.get("folds")))
            place.rescue = write_all
            writers[-1](place.new)
            if result.evaluate_every is not None and not _unfinished(result):
                with watch(f"refit of {grid}"):
                    _refit(draws, result, grid, place, progress)
            if pictures and not missing and not heard:  # a kill may follow a signal soon
                with watch(f"pictures of {grid}"):
                    _draw(draws, result, grid, place, not {"n_draws", "settings"} & set(keys))
            if _unfinished(result):
                tell("", "Started again with the same settings it goes on where it was.")
                break
        place.new(SETTINGS).write_text(to_toml(experiment.to_dict(folder)), "utf-8", errors="replace")
        watch.seconds["total"] = watch.total
        document = {
            "name": experiment.name,
            "grids": {grid: _summary(result) for grid, result in results.items()},
            "settings": experiment.to_dict(folder),
            "timings": watch.seconds,
        }
        files = place.commit(document)
    watch.tell(tell)
    if missing:
        tell("not drawn", missing)
    for label, words in place.earlier():
        tell(label, words)
    tell("files", f"{place.path}: {', '.join(files)}; {', '.join(f'{g}.cells.jsonl' for g in results)}")
    return results


def _sweep(
    draws: Draws, grid: str, keys: Mapping[str, Any], journal: Path, progress: bool | float
) -> SweepResult:
    experiment, samples = draws.experiment, draws.samples
    where = f"[{SWEEP}.{grid}] in {experiment.source}"
    folds = keys.get("folds")
    if isinstance(folds, Mapping) and folds["splitter"] in IN_TIME and experiment.test_fraction > 0:
        raise InputError(
            f"folds of {where} go by the order of the rows, which is lost where a share of them is held "
            f"back at random: set data.test_fraction = 0."
        )
    times = None
    if isinstance(folds, Mapping) and "times" in folds:
        times = _times(experiment, samples.preprocessing.features, folds["times"], where)
    if keys.get("keep_predictions") and (folds is None or experiment.test_fraction > 0):
        raise InputError(
            f"keep_predictions of {where} numbers the test rows of folds as the table does: give folds, "
            f"and set data.test_fraction = 0."
        )
    class_weight = samples.class_weight(experiment["train.class_weight"])
    of_grid = arguments_of(keys, where, samples.class_weight, times)
    keywords = experiment.keywords(sweep, class_weight=class_weight, **of_grid)
    if folds is not None and experiment["data.file"]:
        keywords["standardize"] = "X"  # all rows' means and scales would tell of the test rows
    if "optimizer" in of_grid.get("grid", ()):
        keywords["optimizer"] = SGD()  # each setting has its own
    varied = [of_grid.get("grid", {}), *of_grid.get("settings", ())]
    validates = keywords["validation"] is not None or any("validation" in names for names in varied)
    X, y, n = samples.X, samples.y, samples.n
    compared = None if folds is not None or validates else samples.held_out
    if compared is not None:
        # The held-out rows say how good a network is, and take no part in its training.
        held_out = compared.read_all()
        X, y = np.concatenate([X, held_out.X]), np.concatenate([y, held_out.y])
        keywords["folds"] = [(np.arange(n), np.arange(n, len(X)))]
        if any("loss" in names for names in varied):  # different losses are no common scale
            keywords.setdefault("metric", "r2" if samples.preprocessing.classes is None else "accuracy")

    def once() -> SweepResult:
        # Each grid starts where training itself would: at the experiment's own draw.
        random = copy.deepcopy(draws.random)
        result = sweep(
            draws.network, X, y, **keywords, random_state=random, results=journal, progress=progress
        )
        if compared is None:
            return result
        cells = tuple(replace(cell, fold=None) for cell in result.cells)  # the only fold has no number
        return replace(result, cells=cells, n_samples=n)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterruptedTrainingWarning)
        try:
            return once()
        except OtherSweepError as error:
            if not error.done:
                raise InputError(
                    f"{error} Or begin anew, which throws away what was done there: --fresh."
                ) from error
            journal.unlink()  # an earlier job completed it, and all its results are replaced
            return once()


def _days(times: NDArray[Any]) -> NDArray[Any]:
    """Dates without a time of day as days."""
    days = times.astype("M8[D]") if times.dtype.kind == "M" else times
    return days if times.dtype.kind == "M" and np.array_equal(days, times) else times


def _times(experiment: Experiment, features: Sequence[str], name: object, where: str) -> NDArray[Any]:
    """The column of a table that has each row's date."""
    file, dates = experiment["data.file"], []
    if not file:
        raise InputError(f"folds.times of {where} is a column of a table, and these data are generated.")
    path = experiment.folder / file
    for part in parquet_files(path) if path.is_dir() else [path]:
        table = read_table(part, **experiment.reading)
        if name not in table.names:
            raise unknown_name(f"column of {table.source}:", str(name), table.names)
        assert isinstance(name, str)
        dates.append(_days(np.asarray(table[name])))
    if name in features:
        raise InputError(
            f"folds.times of {where}: {name!r} is a feature too; leave it out with data.ignore."
        )
    return np.concatenate(dates)


def _write(draws: Draws, result: SweepResult, grid: str, folds: object, new: New) -> None:
    """Write the tables and the best network."""
    for name, table in ((f"{grid}.csv", result.table), (f"{grid}-summary.csv", result.summary)):
        if name.endswith("summary.csv") and len(table) == len(result.cells):
            continue
        columns = {key: [_as_cell(row[key]) for row in table] for key in table[0]}
        write_csv(new(name), columns)
    write_json(new(f"{grid}.json"), result.to_dict())
    if result.evaluate_every is not None:
        write_csv(new(f"{grid}-curves.csv"), _curves(result))
    if any(cell.predictions is not None for cell in result.cells):
        write_csv(new(f"{grid}-predictions.csv"), _predictions(draws, result, folds))
    if result.best is not None:
        run = result.best.run
        # The scaling of a fold takes rows that were standardized by all rows; the file says both at once.
        preprocessing = _of_fold(draws.samples.preprocessing, run.encoding.scaling)
        extra = {"name": draws.experiment.name, "preprocessing": preprocessing.to_dict()}
        run = replace(run, encoding=replace(run.encoding, scaling=None))
        save(run, new(f"{grid}-{BEST}"), extra=extra)


def _curves(result: SweepResult) -> dict[str, Any]:
    """The metric over the iterations, a row for each setting and evaluation."""
    values, columns = ("iterations", "mean", "spread"), [*result.grid, "setting"]
    rows: list[tuple[Any, ...]] = []
    for curve in result.curves:
        setting = [_as_cell(curve[name]) for name in columns]
        rows += [(*setting, *one) for one in zip(*(curve[name].tolist() for name in values), strict=True)]
    return dict(zip([*columns, *values], map(list, zip(*rows, strict=True)), strict=True))


def _predictions(draws: Draws, result: SweepResult, folds: object) -> dict[str, Any]:
    """The best setting's predictions of the test rows, in the table's own units, labels and dates."""
    columns, preprocessing = dict(result.predictions()), draws.samples.preprocessing
    for name in ("target", "prediction"):
        read = preprocessing.values if preprocessing.classes is None else preprocessing.labels
        columns[name] = read(columns[name])
    if isinstance(folds, Mapping) and "times" in folds:
        dates = _times(draws.experiment, (), folds["times"], "")
        columns = {"row": columns["row"], str(folds["times"]): dates[columns["row"]], **columns}
    return columns


def _unfinished(result: SweepResult) -> bool:
    return any(cell.status == "interrupted" for cell in result.cells)


def _refit(
    draws: Draws, result: SweepResult, grid: str, place: ResultsFolder, progress: bool | float
) -> None:
    """Train the chosen setting on all rows, for as many iterations as were best, and write the network."""
    if result.chosen is None or result.origin is None:
        return
    # These rows are standardized already, by all of them.
    raw = tuple(replace(one, fit=replace(one.fit, standardize=False)) for one in result.origin.candidates)
    result = replace(result, origin=result.origin._replace(candidates=raw))
    run = result.refit(draws.samples.X, draws.samples.y, progress=progress)
    extra = {"name": draws.experiment.name, "preprocessing": draws.samples.preprocessing.to_dict()}
    save(run, place.new(f"{grid}-{REFIT}"), extra=extra)


def _of_fold(table: Preprocessing, fold: Scaling | None) -> Preprocessing:
    """The preprocessing of a fold, whose rows were standardized by all rows and then by its own."""
    if fold is None:
        return table
    mean, scale = np.array(table.mean), np.array(table.scale)
    means, scales = mean + scale * fold.mean, scale * fold.scale
    return replace(table, mean=tuple(means.tolist()), scale=tuple(scales.tolist()))


def _as_cell(value: Any) -> Any:
    return value if value is None or isinstance(value, (bool, int, float, str)) else shown(value)


def _draw(draws: Draws, result: SweepResult, grid: str, place: ResultsFolder, full: bool) -> None:
    for picture in PICTURES:
        keywords: dict[str, Any] = {}
        if picture == "heatmap":
            if not full or len(result.grid) < 2:
                continue  # it lies over a grid of two settings
            keywords["curvature"] = _sharpest(draws, result)
        if picture == "parallel" and len(result.summary) < 2:
            continue
        figure = getattr(plots, f"sweep_{picture}")(result, **keywords)
        place.save_picture(f"{grid}-{picture}.png", figure)


_MOST_PARAMETERS = 2000  # of a network whose curvature is worth the time that a picture may take


def _sharpest(draws: Draws, result: SweepResult) -> Curvature | None:
    """The curvature at the start or at the best network's end, wherever the loss is bent more.

    None where a heatmap has no place for the stability limit, which is that of the full batch.
    """
    runs = [cell.trained for cell in result.cells]
    rows, columns, *_ = result.grid
    if (
        result.best is None
        or not has_stability_limit(result, rows, columns)
        or any(run.batch_size is not None for run in runs)
        or len({run.network for run in runs}) > 1
        or runs[0].network.n_parameters > _MOST_PARAMETERS
    ):
        return None
    run = result.best.trained
    keywords: dict[str, Any] = {
        "reduction": run.reduction,
        "l1": run.penalties.l1,
        "l2": run.penalties.l2,
        "class_weight": run.class_weight,
    }
    random: RandomState = copy.deepcopy(draws.random)
    scheme = draws.experiment["train.scheme"]
    start = first_parameters(run.network, draws.samples.training, scheme, random)
    X, y = draws.samples.X, draws.samples.y
    curvatures = [curvature(run.network, theta, X, y, **keywords) for theta in (start, run.theta)]
    finite = [point for point in curvatures if math.isfinite(point.lambda_max)]
    return max(finite, key=lambda point: point.lambda_max, default=None)


def _summary(result: SweepResult) -> dict[str, Any]:
    best = None
    if result.best is not None:
        settings = {name: _as_cell(value) for name, value in result.best.settings.items()}
        best = {**settings, "final_loss": result.best.final_loss}
    return {
        "networks": len(result.cells),
        "statuses": {cell.label: cell.verdict for cell in result.cells},
        "best": best,
        "seconds": result.seconds,
    }
