"""The run that comes of training: what it holds, what it predicts, and how it goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from numpy.typing import NDArray

from glassnet._types import Array
from glassnet.data.checks import same_data
from glassnet.data.dataset import as_dataset
from glassnet.data.encoding import PLAIN
from glassnet.data.source import Dataset
from glassnet.data.tables.rows import rows_of
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.predict import predict, score
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.errors import InputError
from glassnet.training.divergence import gentler, warn_of_ending
from glassnet.training.early_stopping import check_schedule, require_functions
from glassnet.training.files.checkpoint import SECONDS, checkpoint_of
from glassnet.training.hooks import Callbacks, Hooks
from glassnet.training.other_names import with_other_names
from glassnet.training.run_html import run_html
from glassnet.training.run_policy import continue_run
from glassnet.training.state import RunData, RunState, at_end, masks_of, with_data, with_rule
from glassnet.training.steppers import Rule, Solver, check_fits, check_rule
from glassnet.training.validation import HeldOut, as_validation, parts_again, validation_dataset
from glassnet.utils.settings_checks import as_count, shared_fields

# A loss computed anew from the same data differs by rounding only, where another engine or
# processor computes it; other data are further off by orders of magnitude.
_SAME_LOSS = {"float32": 1e-4, "float64": 1e-9}


@dataclass(frozen=True, eq=False, repr=False)
class TrainingRun(RunState):
    """What training gives: the parameters, the loss after every iteration, and what resuming needs.

    Attributes
    ----------
    network : the `Network`.
    optimizer : the rule with its settings, an `Optimizer` or a `Solver`.
    parameters : `Parameters` after the last iteration; for a run that diverged, before the update
        that blew up.
    state : (rows, n_parameters), the optimizer's state, a row for each of its `state_names`; of a solver
        what it keeps of past steps.
    updates : how many updates the state has seen; a schedule goes on from there.
    losses : float64, read-only. On the full batch (iterations + 1,), ``losses[k]`` the loss after k
        updates; with a batch_size (iterations,), each epoch's mean over its batches.
    reduction : "mean" or "sum" of the samples' losses.
    status : "completed"; "stopped" by a callback, a stopping rule or a solver's `reason`;
        "interrupted" by Ctrl-C; "diverged"; "running" in a callback.
    diverged_at : the update whose loss blew up (iterations + 1), or None.
    seconds : wall time of the updates, without preparing the data.
    engine, engine_reason, threads : which engine computed, why that one, and on how many threads.
    extra : the mapping that `save` keeps beside the run.
    penalties : `Penalties`, l1, l2 and max_norm; `BayesianRegularization` chooses l2.
    heard : numbers that an `Adaptive` schedule keeps of the losses, or a solver beside its state.
    batch_size : None for the full batch.
    cursor : with a batch_size, where in its epoch training stands, and the stream of the shuffles.
    dropout : each hidden layer's probability of dropping a unit.
    dropout_seed : the seed of the masks; None without dropout.
    average, averaged : the decay of the running mean of the parameters, and the mean, `Parameters`; None
        without one. `theta`, with which the run predicts, scores and draws, is the mean then;
        ``run.network.predict(run.parameters, X)`` predicts with the last parameters.
    class_weight : the weight of each class, or None.
    freeze : the numbers of the layers that training leaves as they are.
    solver_history : `SolverHistory`, the gradient and the damping after each step of a solver, or None.
    solver_steps : the same as one array (up to iterations + 1, 2), as files hold it.
    encoding : `Encoding`, what stands between X and y and the network: its `scaling`, where the run
        standardizes by itself, the labels of its `classes`, and whether y was `flat`.
    validation : `Validation`, the evaluations, the numbers of the rows held out (`validation_rows`,
        `test_rows`) and the state of a stopping rule, or None.
    finding : where training ended by itself and the result is useless, what it is, why and what to do: the
        words of the StalledTrainingWarning; else "".
    data : the data as the engine has them; None where the run was loaded, copied or unpickled.

    Where a stopping rule has brought the best parameters back, `parameters` and `averaged` are those of
    `best_iteration`; `state`, `updates` and `losses` are of the last iteration, where `resume` goes on.

    Pickles, copies by `copy.deepcopy` and saved files do not hold the data.

    >>> import glassnet as gn
    >>> run = gn.train(gn.Network((1, 2)), [[0.0], [1.0]], [0, 1], random_state=0, iterations=200)
    >>> run.status, run.iterations, run.predict([[0.0], [1.0]]).tolist()
    ('completed', 200, [0, 1])
    """

    def forward(self, X: object) -> list[Array]:
        """`Network.forward` at this run's `theta`: every layer's output, the last one in the unit of y."""
        scaling = self.encoding.scaling
        if scaling is None:
            return self.network.forward(self.theta, X)
        *hidden, Y_hat = self.network.forward(self.theta, scaling.inputs(X))
        return [*hidden, scaling.values(Y_hat)]

    def predict_proba(self, X: object) -> Array:
        """`Network.predict_proba` at this run's `theta`, (n, outputs); X as in `predict`."""
        rows = rows_of(X, self.extra)
        if rows is not None:
            return predict(self.network, self.theta, rows.X, "predict_proba", {}, PLAIN)
        return predict(self.network, self.theta, X, "predict_proba", self.extra, self.encoding)

    def predict(self, X: object, *, ndim: int | None = None) -> NDArray[Any]:
        """The predictions at this run's `theta`, in the shape, the unit and the labels of y.

        They are classes (n,) for a softmax, labels 0 or 1 for logistic outputs, and values for others. One
        output gives (n,) where training had a y (n,), so that ``(run.predict(X) - y)**2`` is n numbers, and
        (n, 1) where y was (n, 1), or where the run is from a file of an earlier version: a y (n,) less
        (n, 1) broadcasts to (n, n). ``ndim=2`` always gives (n, outputs), of classes (n, 1).
        ``run.network.predict(run.theta, X)`` knows no y, and gives (n, 1).

        X may be what `stream` takes or returns: it is read and answered block by block, with the bits of
        the same rows in memory. Its targets are not needed and not read.

        A run that learned from a table (`prepare_table`, ``glassnet train``) takes raw tables, as
        `read_table` does, and answers with labels and in the target's unit; an array is taken for inputs
        that are encoded already. A folder of Parquet files, and a file of more than 1 GiB, is read and
        answered block by block too.

        X has the columns that training had. A run of ``gn.train(..., standardize=True)`` scales them by
        itself. A run of ``gn.stream(..., standardize=True)`` learned from columns that were standardized
        before, and so did one of a table: the means, scales and labels are in
        ``run.extra["preprocessing"]``. Rows that ``gn.stream(X, standardize=(mean, scale))`` did not
        standardize then give a PreprocessingWarning. ``run.network.predict(run.theta, X)`` predicts for
        arrays that you standardized yourself, without it, and ``glassnet predict`` for tables.

        >>> import numpy as np, glassnet as gn
        >>> X, y = np.array([[0.0], [1.0], [2.0]]), np.array([10.0, 30.0, 50.0])
        >>> net = gn.Network((1, 1), output="identity")
        >>> run = gn.train(net, X, y, standardize=True, random_state=0)
        >>> run.predict(X).round(3).tolist(), run.predict(X, ndim=2).shape
        ([10.0, 30.0, 50.0], (3, 1))
        """
        if ndim not in (None, 2):
            raise InputError(
                f"ndim is {ndim!r}; expected 2, for (n, outputs), or None, for the shape of y."
            )
        rows = rows_of(X, self.extra)
        if rows is not None:
            answers = rows.answers(predict(self.network, self.theta, rows.X, "predict", {}, PLAIN))
            return answers[:, None] if ndim == 2 and answers.ndim == 1 else answers
        predicted = predict(self.network, self.theta, X, "predict", self.extra, self.encoding)
        return self.encoding.predictions(predicted, ndim)

    def score(self, X: object, y: object = None, sample_weight: object = None) -> float:
        """How well the run predicts, as scikit-learn's `accuracy_score` or `r2_score` says; 1 is perfect.

        For classes and labels it is the fraction of samples whose labels are all right, for other targets
        R^2, the mean over the outputs. X and y are what `train` takes; where y holds probabilities, the
        most probable class counts as true. Streamed data are read once, their predictions are not kept,
        and the score has the bits of the same rows in memory.

        >>> import glassnet as gn
        >>> X, y = [[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]
        >>> run = gn.train(gn.Network((1, 1), output="identity"), X, y, iterations=500, random_state=0)
        >>> round(run.score(X, y), 6)
        1.0
        """
        rows = rows_of(X, self.extra)
        if rows is not None:
            X, y = rows.scored(y)
            return score(self.network, self.theta, X, y, sample_weight, {}, PLAIN)
        return score(self.network, self.theta, X, y, sample_weight, self.extra, self.encoding)

    @with_other_names
    def resume(
        self,
        iterations: int,
        *,
        X: object = None,
        y: object = None,
        sample_weight: object = None,
        validation: object = None,
        optimizer: Rule | None = None,
        callbacks: Callbacks[TrainingRun] = (),
        progress: bool | float = False,
        engine: str | None = None,
        threads: int | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        checkpoint_every: float = SECONDS,
    ) -> TrainingRun:
        """Train on, bit for bit as if training had never stopped; this run stays as it is.

        X, y and sample_weight (with engine and threads, which default to this run's engine and to
        all cores) are needed where the run has no data any more: after `load`, pickle or deepcopy.
        They must be the data that the run was trained on, and so must `validation`, which is needed with
        them where the run had validation data of their own; a fraction is held out again by itself.
        After a stop patience begins anew. `optimizer` changes the rule from here on:
        one of the same kind keeps the state and goes on counting updates, another kind starts from
        rest, as at update 1. A solver that has ended by itself stays where it is until it gets other
        settings. After a divergence another optimizer is required, and starts from rest. `checkpoint` and
        `checkpoint_every` are those of `train`; the file may be the one that this run was loaded from.

        Raises InputError for data that are missing or give another loss than ``losses[-1]``, and
        what `train` raises.

        >>> import numpy as np, glassnet as gn
        >>> X, y = [[0.0], [1.0]], [0, 1]
        >>> net, start = gn.Network((1, 2)), gn.Network((1, 2)).initialize(0)
        >>> run = gn.train(net, X, y, parameters=start, iterations=5).resume(5)
        >>> np.array_equal(run.losses, gn.train(net, X, y, parameters=start, iterations=10).losses)
        True
        """
        iterations = as_count(iterations, "iterations")
        hooks, follower = Hooks(callbacks), checkpoint_of(checkpoint, checkpoint_every)
        rule = self.optimizer if optimizer is None else check_rule(optimizer)
        if self.status == "diverged" and rule == self.optimizer and not isinstance(rule, Solver):
            raise InputError(
                f"This run blew up at iteration {self.diverged_at} and would again. Resume it with "
                f"another optimizer, for instance optimizer={gentler(rule)}."
            )
        if kept := self.validation:
            require_functions([*kept.metrics, *([kept.stopping.metric] if kept.stopping else [])])
        check_schedule(rule, self.validation is not None and self.validation.fingerprint is not None)
        fit = self.batch_size, self.penalties, self.dropout, self.average, self.freeze
        if X is None:
            data = self._own_data(y, sample_weight, validation, engine, threads)
            check_fits(rule, self.network, *fit, data.problem.memory_limit)
        else:
            numbers = self.encoding.numbers(y)
            dataset = as_dataset(X, numbers, sample_weight, self.network.sizes[0])
            check_fits(rule, self.network, *fit, dataset.memory_limit)  # before anything is read
            data = data_again(self, dataset, validation, engine, threads)
        start = at_end(self)
        gradient = check_same_data(start, data.problem)
        start = with_data(with_rule(start, rule), *data)
        run = continue_run(start, iterations, hooks, progress, gradient=gradient, follower=follower)
        warn_of_ending(run)
        return run

    def _repr_html_(self) -> str:
        return run_html(self)

    def _own_data(self, *arguments: object) -> RunData:
        """The data that the run holds; `arguments` must then be missing."""
        names = ("y", "sample_weight", "validation", "engine", "threads")
        named = [name for name, value in zip(names, arguments, strict=True) if value is not None]
        if named:
            raise InputError(
                f"resume was given {' and '.join(named)}, but no X: y, sample_weight, validation, engine "
                f"and threads go together with X."
            )
        if self.data is None:
            raise InputError(
                "This run was loaded or copied and holds no data: give those it was trained on, "
                "run.resume(iterations, X=X, y=y), with sample_weight where there was one."
            )
        return with_own_penalties(self, self.data)


def data_again(
    run: RunState,
    dataset: Dataset,
    validation: object = None,
    engine: str | None = None,
    threads: int | None = None,
    *,
    same: bool = True,
) -> RunData:
    """The data made ready for a run that has none any more; `same` held-out rows are required."""
    kept, scaling = run.validation, run.encoding.scaling
    dataset.require_targets()
    dataset, held_out, test = parts_again(run.network, dataset, kept).scaled(scaling)
    if held_out is None and kept is not None and kept.fingerprint is not None:
        samples = None if validation is None else as_validation(validation)
        if not isinstance(samples, tuple):
            raise InputError(
                "This run was evaluated on validation data that it no longer holds: pass them to "
                "resume, validation=(X, y)."
            )
        held_out = validation_dataset(run.network, samples, run.encoding)
    elif held_out is None and validation is not None:
        raise InputError("This run has no validation data; resume takes those that train was given.")
    settings = ProblemSettings(**shared_fields(ProblemSettings, run))
    settings = replace(settings, engine=run.engine if engine is None else engine, threads=threads)
    problem = prepare_problem(run.network, dataset, settings)
    tested = None if test is None else HeldOut(problem, test, False, scaling)
    if kept is None or held_out is None:
        return RunData(problem, None, tested)
    evaluator = HeldOut(problem, held_out, kept.keeps_samples, scaling)
    if same and (kept.fingerprint is None or not same_data(evaluator.fingerprint, kept.fingerprint)):
        raise InputError("The validation data are not those that the run was evaluated on.")
    return RunData(problem, evaluator, tested)


def with_own_penalties(run: RunState, data: RunData) -> RunData:
    """The data with the run's penalties, of which a solver may have chosen others."""
    if isinstance(data.problem, Problem):
        return data._replace(problem=data.problem.with_penalties(run.penalties))
    return data


def check_same_data(run: RunState, problem: Problem | Batches) -> Array | None:
    """The gradient at the run's parameters, on the full batch; InputError for a problem of other data."""
    if isinstance(problem, Problem):
        return _same_loss_at(run, problem)
    _check_batches(run, problem)
    return None


def _same_loss_at(run: RunState, problem: Problem) -> Array:
    """The gradient at the run's parameters; InputError where the loss there is not its last one."""
    loss, gradient = problem.loss_and_gradient(run.parameters.flat, masks_of(run))
    tolerance = _SAME_LOSS[run.dtype.name] * max(abs(run.losses[-1]), abs(problem.baseline))
    if not abs(loss - run.losses[-1]) <= tolerance:
        raise InputError(
            f"On these data the run's parameters have the loss {loss:.10g}, but training ended at "
            f"{run.losses[-1]:.10g}: the data, their weights or the parameters are not those that "
            f"the run ended with. To go on with other data, use "
            f"gn.train(..., parameters=run.parameters)."
        )
    return gradient


def _check_batches(run: RunState, batches: Batches) -> None:
    if run.cursor is None:
        raise InputError(
            "This run cannot be resumed: its sweep was too large to keep each network's order of samples. "
            "Start anew from its parameters, gn.train(..., parameters=run.parameters)."
        )
    if not run.cursor.fits(batches.fingerprint):
        raise InputError(
            f"These data ({batches.n_samples} samples) are not those that the run was trained on. "
            f"To go on with other data, use gn.train(..., parameters=run.parameters)."
        )
    run.cursor.check_layout(batches.layout)
