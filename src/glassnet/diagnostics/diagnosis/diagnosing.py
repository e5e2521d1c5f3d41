"""The diagnosis of a run: every check looks at it, and remedies are tried."""

from __future__ import annotations

import time

import numpy as np

from glassnet.diagnostics.diagnosis.case import POOR, Case, NotLookedForError
from glassnet.diagnostics.diagnosis.checks import CHECKS
from glassnet.diagnostics.diagnosis.record import Diagnosis, Finding
from glassnet.diagnostics.diagnosis.remedies import Bench, Suspect
from glassnet.errors import EngineError, InputTypeError
from glassnet.training.run import TrainingRun
from glassnet.training.tape.tape import Tape
from glassnet.utils.settings_checks import as_flag, as_positive
from glassnet.utils.words import counted, percent, readable

NEAR, LITTLE = 0.999, 1e-4
"""Shares of a constant answer's loss: from the first on a loss is no better, and below the second next to
nothing."""


def diagnose(
    run: TrainingRun | Tape,
    X: object = None,
    y: object = None,
    *,
    sample_weight: object = None,
    validation: object = None,
    remedies: bool = True,
    seconds: float = 10.0,
) -> Diagnosis:
    """Why a run does not learn: what is wrong with its data, its settings or its units, and what helps.

    Parameters
    ----------
    run : what `train`, `resume` or `load` gave, one that diverged or was interrupted too; or a `Tape`, of
        which the last iteration is taken.
    X, y, sample_weight : what it was trained on, as `train` took it, rows held out included. X may be
        streamed: a few parts of the rows are read then. Without X, 1,000 of the rows that a run knows
        until it is saved or copied.
    validation : (X, y), rows that the run was not trained on, where they are not a fraction that it knows.
    remedies : whether to try remedies. Each is tried on a short branch, a training of at most 1,000 updates
        with one change, beside the same branch without it: both start anew from the same parameters, or go
        on from the run's.
    seconds : the time that all branches may take together. Branches that the time cuts short are equally
        long.

    Looks for each of `CHECKS`: inputs or a target of raw scale; columns that never vary or say the same;
    equal rows with different targets; one class nearly always; a learning rate above the stability limit
    2 (1 + m) / lambda_max of gradient descent with momentum m, or far below it; a plateau that is a saddle;
    saturated and dead units, and units that never part; a hidden layer too narrow; a penalty too strong;
    batches in a sorted order; overfitting, and rows held out that differ from the training rows. A finding
    has numbers that show it. Those whose remedy helped come first, and a mere suspicion that its remedy
    refutes is none.

    At most 20,000 rows are looked at, evenly from all, 2,000 for the curvature, and the branches train on
    these rows. The run stays as it is.

    Raises InputTypeError for anything but a run, and what `train` raises for data that do not fit.

    Example
    -------
    >>> import glassnet as gn
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> net = gn.Network((2, 4, 2), hidden="tanh")
    >>> zeros = gn.Parameters(net.sizes, [0.0] * net.n_parameters)
    >>> run = gn.train(net, X, y, parameters=zeros, iterations=30)
    >>> found = gn.diagnose(run, X, y)
    >>> first = found.findings[0]
    >>> first.name, first.trial.helps
    ('equal_units', True)
    >>> print(first.sentence)
    4 of 4 units of hidden layer 1 have weights that are all 0: they get equal gradients, never part, and \
count as 1 unit.

    PyTorch and Keras leave all of this to the user; Karpathy, "A recipe for training neural networks"
    (2019), has it as a list to go through by hand.
    """
    if isinstance(run, Tape):
        run = run.run
    if not isinstance(run, TrainingRun):
        raise InputTypeError(f"run is a TrainingRun, which gn.train gives, not {type(run).__name__}.")
    try_them, limit = as_flag(remedies, "remedies"), as_positive(seconds, "seconds")
    began = time.monotonic()
    case = Case.of(run, X, y, sample_weight, validation)
    suspects, not_looked_for = _suspects(case)
    bench = Bench(case, limit) if try_them else None
    findings = _findings(suspects, bench)
    findings.sort(key=lambda finding: -finding.weight)
    return Diagnosis(
        tuple(findings),
        _headline(case),
        tuple(name for name in CHECKS if name not in not_looked_for),
        not_looked_for,
        case.training.n_all,
        len(case.training.X),
        case.loss,
        case.scale[0],
        bench is not None and bench.ran_out,
        bool(case.left <= POOR),
        case.is_under_way,
        time.monotonic() - began,
    )


def _suspects(case: Case) -> tuple[list[tuple[str, Suspect]], dict[str, str]]:
    """What the checks found, the weightiest first, and why some could not look."""
    suspects, failed = [], {}
    for name, check in CHECKS.items():
        if check.held_out and case.held_out is None:
            failed[name] = "no rows were held out; give some as validation=(X, y)"
            continue
        try:
            with np.errstate(all="ignore"):
                suspect = check.look(case)
        except (EngineError, NotLookedForError, np.linalg.LinAlgError) as error:
            failed[name] = str(error)
            continue
        if suspect is not None:
            suspects.append((name, suspect))
    suspects.sort(key=lambda pair: -pair[1].weight)
    return suspects, failed


def _findings(suspects: list[tuple[str, Suspect]], bench: Bench | None) -> list[Finding]:
    """The findings, with what came of trying their remedies where there is a bench."""
    findings = []
    for place, (name, suspect) in enumerate(suspects):
        remedy, trial = suspect.remedies[0], None
        if bench is not None:
            with np.errstate(all="ignore"):
                remedy, trial = bench.tried(suspect, 1 / (len(suspects) - place))
        finding = suspect.finding(name, CHECKS[name].words, remedy, trial)
        if finding is not None:
            findings.append(finding)
    return findings


def _headline(case: Case) -> str:
    """Where the run stands."""
    run, constant = case.run, readable(case.scale[0], 4)
    unit = "epoch" if case.on_batches else "iteration"
    after = f"{run.network} after {counted(run.iterations, unit)}"
    looked = ""
    if len(case.training.X) < case.training.n_all:
        looked = f" ({len(case.training.X):,} of {case.training.n_all:,} rows were looked at)"
    if run.status == "diverged":
        return f"{after}: training blew up at iteration {run.diverged_at:,}{looked}."
    if not np.isfinite(case.left):
        return f"{after}: the loss is not finite{looked}."
    loss = readable(case.loss, 4)
    if case.left > NEAR:
        height = "above" if case.left > 2 - NEAR else "no better than"
        return f"{after}: the loss, {loss}, is {height} the best constant answer's, {constant}{looked}."
    share = percent(case.left) if case.left > LITTLE else f"below {percent(LITTLE)}"
    return f"{after}: the loss is {loss}, {share} of the best constant answer's, {constant}{looked}."
