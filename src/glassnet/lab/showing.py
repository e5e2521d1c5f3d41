"""What a page is shown of one moment of a session: a frame, and the data, network and settings in words."""

from __future__ import annotations

import operator
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.engine.full_batch import Problem
from glassnet.engine.prepare import prepare
from glassnet.lab.branch import Past
from glassnet.lab.frame import Frame, finite
from glassnet.lab.scene import FINE, ROUGH, Scene
from glassnet.lab.study import Study
from glassnet.training.early_stopping import EarlyStopping
from glassnet.training.run import TrainingRun
from glassnet.training.settings import AUTO

MOST_GRADIENT = 20_000
"""Parameters up to which a frame holds them all, with their gradient."""
RAW = 10.0
"""The size of a column, its root mean square, above which a page warns of it."""
WHOLE_SECONDS = 0.2
"""Time from one whole frame to the next while training goes on; those between are rough."""


@dataclass(frozen=True, eq=False)
class Moment:
    """All that a frame is made of: the run that is shown, the newest one with its past, and another past.

    A `rough` one has coarser maps and the parameters, and nothing that takes long or is read.
    """

    number: int
    setup: int
    run: TrainingRun
    newest: TrainingRun
    scene: Scene
    study: Study
    past: Past
    other: Past | None
    rough: bool
    document: dict[str, Any]


class Judge:
    """The gradient of the training loss at any state, of all rows and without dropout.

    Training computes meanwhile: this has the rows on its own, and one thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[object, ...] = ()
        self._problem: Problem | None = None

    def gradient(self, run: TrainingRun, study: Study) -> Array:
        """dJ/dtheta at the run's parameters, penalties included, (n_parameters,)."""
        rows = None if run.validation is None else run.validation.rows
        needed = study.data, rows, run.encoding, run.network, run.penalties, run.class_weight
        with self._lock:
            same = len(self._known) == len(needed) and all(map(operator.is_, self._known, needed))
            if self._problem is None or not same:
                self._problem, self._known = _problem(run, study), needed
            _, gradient = self._problem.loss_and_gradient(run.theta.flat)
            return gradient


def _problem(run: TrainingRun, study: Study) -> Problem:
    X, y = training_rows(run, study)
    kept = run.penalties
    return prepare(
        run.network,
        X,
        y,
        dtype=run.dtype,
        reduction=run.reduction,
        threads=1,
        l1=kept.l1,
        l2=kept.l2,
        class_weight=run.class_weight,
        engine=run.engine,
    )


def training_rows(run: TrainingRun, study: Study) -> tuple[NDArray[Any], NDArray[Any]]:
    """X and y as the network has them, of the rows trained on."""
    X, y = study.data.X, study.data.y
    rows = None if run.validation is None else run.validation.training_rows
    if rows is not None:
        X, y = X[rows], y[rows]
    scaling = run.encoding.scaling
    if scaling is not None:
        X, y = scaling.inputs(X), np.asarray(run.encoding.targets(y))
    return X, y


def frame_of(moment: Moment, judge: Judge) -> Frame:
    """The frame of a moment: maps, curves, and every number of a small network.

    A page keeps what a rough frame lacks from the one before.
    """
    run = moment.run
    document = dict(moment.document)
    kind, arrays = moment.scene.maps(run, ROUGH if moment.rough else FINE)
    few = run.network.n_parameters <= MOST_GRADIENT
    if few:
        arrays["parameters"] = np.asarray(run.theta.flat, np.float64)
    document |= {"setup": moment.setup, "rough": moment.rough, "map": kind}
    if moment.rough:
        return Frame(moment.number, document, arrays)
    curves = {"losses": moment.past.losses, "held_out": moment.past.held_out}
    arrays["clock"] = moment.past.clock
    if moment.other is not None:
        curves["other_losses"], arrays["other_clock"] = moment.other.losses, moment.other.clock
    for name, curve in curves.items():
        if len(curve.y):
            arrays[name], arrays[f"{name}_log"] = curve.thinned(), curve.thinned(log=True)
    if len(run.validation_losses):
        document["held_out_loss"] = finite(run.validation_losses[-1])
    document |= moment.scene.judged(run, arrays) | moment.scene.hidden(run, arrays)
    if few:
        arrays["gradient"] = np.asarray(judge.gradient(run, moment.study), np.float64)
    return Frame(moment.number, document, arrays)


def _raw(moment: Moment) -> list[str]:
    """A warning of columns so large or so far from 0 that a network hardly learns from them."""
    data, run = moment.study.data, moment.newest
    if run.encoding.scaling is not None:
        return []
    rows = data.X[:: max(1, len(data.X) // 2_000)].astype(np.float64)
    size = np.sqrt((rows**2).mean(axis=0))
    raw = np.flatnonzero(size > RAW)
    if not len(raw):
        return []
    names = ", ".join(data.features[i] for i in raw[:3]) + (" ..." if len(raw) > 3 else "")
    return [f"Of raw scale, up to {np.abs(rows[:, raw]).max():.3g}: {names}. Standardize them."]


def _plain(stopping: EarlyStopping) -> dict[str, Any]:
    names = ("patience", "tolerance", "restore_best")
    return {**{name: getattr(stopping, name) for name in names}, "metric": stopping.metric_name}


def setup_of(moment: Moment) -> dict[str, Any]:
    """The data, the network and the settings, as a page shows them."""
    data, network, run = moment.study.data, moment.study.network, moment.newest
    source = {key: value for key, value in data.source.items() if key not in ("points", "text")}
    settings = moment.study.settings
    stopping = settings.get("stopping")
    return {
        "setup": moment.setup,
        "data": {
            "name": data.name,
            "samples": len(data.X),
            "held_out": 0 if data.held_out is None else len(data.held_out[0]),
            "features": list(data.features),
            "classes": list(data.classes),
            "target": data.target,
            "source": source,
            "notes": [*data.notes, *_raw(moment)],
        },
        "network": {
            "sizes": list(network.sizes),
            "hidden": [record.name for record in run.network.hidden],
            "output": network.output.name,
            "loss": {"name": network.loss.name, **network.loss.settings},
            "losses": data.losses,
            "parameters": network.n_parameters,
        },
        "training": {
            "optimizer": run.optimizer.to_dict(),
            "stopping": None if stopping is None else _plain(stopping),
            "batch_size": run.batch_size,
            "reduction": run.reduction,
            "l1": run.penalties.l1,
            "l2": run.penalties.l2,
            "dropout": list(run.dropout),
            "freeze": list(run.freeze),
            "standardize": run.encoding.scaling is not None,
            "scheme": "" if "parameters" in settings else settings.get("scheme", AUTO),
            "engine": run.engine,
            "dtype": run.dtype.name,
        },
    }
