"""Floor 9: an experiment's grids from their settings to a folder of results."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glassnet import plots
from glassnet.errors import InputError, InterruptedTrainingWarning, unknown_name
from glassnet.experiments.draws import Draws
from glassnet.experiments.library import SETTINGS
from glassnet.experiments.outcome import Stopwatch, Tell
from glassnet.experiments.pictures import load_libraries
from glassnet.experiments.record import FORMAT, environment
from glassnet.experiments.results import RECORD, ResultsFolder
from glassnet.experiments.schema import COMPUTING, PENALTIES, SWEEP, TRAIN_ONLY
from glassnet.experiments.settings import Experiment
from glassnet.experiments.toml import to_toml
from glassnet.schedules import schedule_from_dict
from glassnet.storage import atomic_write, write_csv, write_json
from glassnet.sweeps import SweepResult, sweep

PICTURES = ("heatmap", "losses")


def choose_grids(experiment: Experiment, names: Sequence[str] = ()) -> list[str]:
    """The grids of those names, or all; an InputError for a name that is none, and where there are none."""
    if not experiment.sweeps:
        raise InputError(
            f"{experiment.source} has no grid to sweep over; expected a section [{SWEEP}.rates], say, with "
            f"learning_rate = [0.03, 0.1, 0.3] and iterations = 1000, or "
            f'--set "{SWEEP}.rates.learning_rate=[0.03, 0.1, 0.3]".'
        )
    for key in TRAIN_ONLY:
        if experiment[f"train.{key}"] is not None:
            raise InputError(
                f"{experiment.where(f'train.{key}')}: a sweep trains on the full batch and knows nothing "
                f"of {key}. Leave it out."
            )
    for name in names:
        if name not in experiment.sweeps:
            raise unknown_name(f"grid of {experiment.source}:", name, experiment.sweeps)
    return list(names or experiment.sweeps)


def run_sweeps(
    experiment: Experiment,
    folder: Path,
    grids: Sequence[str],
    *,
    iterations: int | None = None,
    pictures: bool = True,
    tell: Tell = lambda label, words: None,
    progress: bool = False,
) -> dict[str, SweepResult]:
    """Train over each grid from the parameters that `run_experiment` starts from, and write the results.

    `iterations` takes the place of the grids' own. Ctrl-C ends the sweep and leaves later grids
    out; what was done is written.

    Raises FileError where the results cannot be written, and what `sweep` raises.
    """
    watch = Stopwatch()
    names = [SETTINGS, *(f"{grid}.{kind}" for grid in grids for kind in ("csv", "json"))]
    names += [f"{grid}-{picture}.png" for grid in grids for picture in PICTURES if pictures]
    results: dict[str, SweepResult] = {}
    needed = int(1e6 + len(grids) * (2e6 + 1e6 * pictures))
    with ResultsFolder(folder, names, needed, keep=[f"{grid}.csv" for grid in grids]) as place:
        with watch("data"):
            draws = Draws(experiment)
            draws.check_point()  # the stream goes on as in the experiment itself
            start = draws.start()
        tell("data", f"{experiment.name}: {draws.samples}")
        missing = load_libraries(watch, "matplotlib") if pictures else ""
        for grid in grids:
            with watch(f"sweep {grid}"):
                result = _sweep(experiment, draws, start, grid, iterations, progress)
            results[grid] = result
            tell(grid, str(result))
            table = result.table
            write_csv(place.new(f"{grid}.csv"), {key: [row[key] for row in table] for key in table[0]})
            write_json(place.new(f"{grid}.json"), result.to_dict())
            if pictures and not missing:
                with watch(f"pictures of {grid}"):
                    _draw(result, grid, place)
            if any(cell.status == "interrupted" for cell in result.cells):
                break
        place.new(SETTINGS).write_text(to_toml(experiment.to_dict()), "utf-8")
        watch.seconds["total"] = watch.total
        document = {
            "format": FORMAT,
            "name": experiment.name,
            "grids": {grid: _summary(result) for grid, result in results.items()},
            "settings": experiment.to_dict(),
            "timings": watch.seconds,
            **environment(),
            "files": [*place.written, RECORD],
        }
        write_json(place.new(RECORD), document)
        files = place.commit()
    for part, seconds in watch.seconds.items():
        tell("timings" if part == next(iter(watch.seconds)) else "", f"{seconds:7.2f} s  {part}")
    if missing:
        tell("not drawn", missing)
    tell("files", f"{place.path}: {', '.join(files)}")
    return results


def _sweep(
    experiment: Experiment, draws: Draws, start: Any, grid: str, iterations: int | None, progress: bool
) -> SweepResult:
    keys = dict(experiment.sweeps[grid])
    count = keys.pop("iterations", experiment["train.iterations"])
    for name, values in keys.items():
        keys[name] = [schedule_from_dict(one) if isinstance(one, Mapping) else one for one in values]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InterruptedTrainingWarning)
        return sweep(
            draws.network,
            draws.samples.X,
            draws.samples.y,
            grid=keys,
            optimizer=experiment.optimizer(),
            iterations=count if iterations is None else iterations,
            parameters=start,
            progress=progress,
            random_state=draws.random,
            **experiment.of_train(*COMPUTING, *PENALTIES, "dropout"),
        )


def _draw(result: SweepResult, grid: str, place: ResultsFolder) -> None:
    for picture in PICTURES:
        if picture == "heatmap" and len(result.grid) < 2:
            continue  # it lies over two settings
        figure = getattr(plots, f"sweep_{picture}")(result)
        with atomic_write(place.new(f"{grid}-{picture}.png")) as temporary:
            figure.savefig(temporary, dpi=figure.dpi)


def _summary(result: SweepResult) -> dict[str, Any]:
    best = result.best
    return {
        "networks": len(result.cells),
        "statuses": {cell.label: cell.verdict for cell in result.cells},
        "best": None if best is None else {**best.settings, "final_loss": best.final_loss},
        "seconds": result.seconds,
    }
