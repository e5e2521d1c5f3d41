"""Training: the one call that fits a network, and the run that it begins with."""

from __future__ import annotations

import copy
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet._types import Array
from glassnet.data.arrays import InMemory
from glassnet.data.dataset import as_dataset
from glassnet.data.encoding import PLAIN, Encoding, check_classes, label_numbers
from glassnet.data.source import Dataset, HoldOut
from glassnet.data.standardization import Scaling
from glassnet.engine.full_batch import Problem
from glassnet.engine.minibatch import Batches
from glassnet.engine.predict import warn_of_raw_validation
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.errors import InputError
from glassnet.nn.dropout import Masks, draw_seed
from glassnet.nn.network import Network, Parameters, as_network
from glassnet.optim import SGD
from glassnet.training.divergence import divergence_limit, warn_of_ending
from glassnet.training.early_stopping import EarlyStopping, Metric
from glassnet.training.files.checkpoint import SECONDS, checkpoint_of
from glassnet.training.hooks import Callbacks, Hooks
from glassnet.training.other_names import with_other_names
from glassnet.training.run import TrainingRun
from glassnet.training.run_policy import continue_run
from glassnet.training.settings import NAMES, FitSettings
from glassnet.training.state import RunData, state_at_rest
from glassnet.training.steppers import Rule
from glassnet.training.validation import (
    HeldOut,
    Parts,
    Samples,
    Validation,
    scaled_parts,
    validation_dataset,
)
from glassnet.utils.array_checks import cast
from glassnet.utils.settings_checks import as_random_state, shared_fields


@with_other_names
def train(
    network: Network,
    X: object,
    y: object = None,
    *,
    optimizer: Rule | str = SGD(learning_rate=0.1, momentum=0.9),  # noqa: B008 - it is frozen
    iterations: int = 1000,
    batch_size: int | None = None,
    reduction: str = "mean",
    parameters: Parameters | NDArray[Any] | None = None,
    scheme: str = "auto",
    random_state: int | RandomState | None = None,
    dtype: DTypeLike | None = None,
    engine: str = "auto",
    threads: int | None = None,
    sample_weight: object = None,
    callbacks: Callbacks[TrainingRun] = (),
    progress: bool | float = False,
    l1: float = 0.0,
    l2: float = 0.0,
    max_norm: float | None = None,
    shuffle: bool = True,
    dropout: float | Sequence[float] = 0.0,
    validation: object = None,
    validate_every: int = 1,
    stopping: EarlyStopping | None = None,
    average: float | None = None,
    class_weight: object = None,
    test: float | None = None,
    metrics: str | Metric | Sequence[str | Metric] = (),
    standardize: bool | str = False,
    freeze: Sequence[int] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = SECONDS,
) -> TrainingRun:
    """Train a network and return the run; `train` changes no argument, but draws from a RandomState.

    Standardize X first, and a y of quantities as well: ``standardize=True`` does it, and keeps the scaling.
    On columns of large numbers the defaults end with one prediction for all rows.

    Parameters
    ----------
    X, y : (n, inputs) and class numbers or labels of text (n,), or target rows (n, outputs); the run
        predicts what y has, in its shape. Data that do not fit into memory:
        what `stream` takes, such as a Parquet folder and the target column's name, or what it returns. A
        mapped array of more than 1 GiB is streamed too.
    optimizer : ``gn.SGD(learning_rate, momentum)``, ``gn.Adam()`` or another of ``gn.OPTIMIZERS``, whose
        learning rate may be a schedule of ``gn.SCHEDULES``; or a solver of ``gn.SOLVERS``, such as
        ``gn.LBFGS()``, for the full batch. A name, "adam" or "lbfgs", takes the defaults.
    iterations : updates on the full batch, epochs with a batch_size, accepted steps of a solver at
        most; 0 trains nothing.
    batch_size : None, the full batch; else the samples of an update. The last batch of an epoch takes
        the rest.
    reduction : "mean" divides the loss by the sum of the sample weights, "sum" does not.
    shuffle : with a batch_size, whether each epoch takes the samples in a new order. The orders are drawn
        from `random_state` after the parameters, as scikit-learn's estimators draw theirs.
    parameters, scheme, random_state : where to start. `parameters` are cast into a copy; None draws them
        by the scheme "glorot", "normal", "he", "sklearn" or "nguyen_widrow", the last one for the ranges
        of X, from a seed or a RandomState; see `Network.initialize`. "auto" is "nguyen_widrow" where
        a solver (but `BayesianRegularization`, which tries both) fits squared errors with standardize=True
        and tanh, softsign or logistic units; else "glorot".
    dtype : float32 or float64; None takes X's own if it is float32, else float64.
    engine, threads : "auto", "native" or "numpy"; None uses all cores the process is allowed.
    sample_weight : (n,), 0 or more; a weight of 2 counts as the sample twice.
    callbacks : `Callback` instances, or functions of the run called after each iteration.
    progress : show a line with iteration, loss, speed and time left on stderr; a number, such as 10.0,
        writes a line each time so many seconds have passed, for a log.
    l1, l2 : ``l2/2 sum W^2 + l1 sum |W|`` is added to the reduced loss and is part of the losses
        reported; biases are never penalized.
    max_norm : the length that an update scales each unit's incoming weights back to, where they are
        longer; None leaves them.
    dropout : the probability with which training leaves out a hidden unit, one number or one for each
        hidden layer; see `glassnet.nn.dropout.mask`. The losses are those with units left out. The masks'
        seed is drawn from `random_state`, after the parameters and before any order of the samples.
    validation : (X, y), (X, y, sample_weight), or a fraction of the samples to hold out. The fraction
        is drawn from `random_state` after the parameters and before the orders, as scikit-learn's
        estimators do, by its `train_test_split`, with each class in proportion.
        ``run.validation_losses`` are the losses on these samples, without penalties but with the class
        weights, which Keras leaves out; of the running mean of the parameters where there is one. Where
        X is a standardized `stream`, standardize them alike; a PreprocessingWarning says so.
    validate_every : iterations from one evaluation to the next; the full batch has one before the first.
    stopping : ``gn.EarlyStopping(patience=10)`` ends training where the validation loss, or another
        metric, has stopped improving, and gives the run its best parameters.
    average : d, above 0 and below 1, keeps a running mean of the parameters, ``run.averaged``, which
        validation evaluates and the run predicts with: it starts at the first parameters, and each
        update, max_norm included, makes it d mean + (1 - d) theta.
        Polyak and Juditsky (1992). PyTorch's AveragedModel and Keras's ``use_ema`` start it at the
        parameters after the first update.
    class_weight : "balanced", ``n / (C count)`` for each of the C classes in y, or a mapping or sequence
        of a weight for each class number; it multiplies the sample weights. For class numbers and
        one-hot rows; of a fraction held out, the samples trained on are counted.
    test : a fraction of the samples to hold out for a test, drawn before that for validation, each class in
        proportion; ``validation=0.15, test=0.15`` divides them 70/15/15. ``run.test_losses`` has their loss
        at each evaluation, and nothing is decided by it; ``run.validation.test_rows`` are their numbers,
        ``training_rows`` and ``validation_rows`` those of the others. MATLAB's `train` does so by default.
    metrics : "accuracy", a function of targets and predictions such as ``sklearn.metrics.r2_score``, or a
        list of them: ``run.metrics["accuracy"]`` has the values on the validation data at each evaluation,
        and no rule stops by them. A function gets what that of `EarlyStopping` does.
    standardize : True centers and scales each column of X, and of y where its values are quantities (with
        an "identity" output), by mean and standard deviation of the rows trained on. The run keeps both,
        in ``run.encoding.scaling``: `predict`, `score`, `resume`, `validation` and pictures take X and y as
        they come, and files hold it. ``run.losses`` and ``run.validation_losses`` are those of the scaled
        y: squared errors are in units of ``target_scale**2``, and an absolute or Huber loss's setting
        counts deviations. A column that never varies gets weights of 0, and moves no prediction, whatever
        it holds later. Sample weights do not count. X is copied; streamed data are read once or twice more.
        "X" scales X alone. Without it the run of ``gn.stream(..., standardize=True)`` expects rows
        standardized alike.
        MATLAB's `train` scales to -1 to 1 by default and leaves out constant rows, as this does.
    freeze : layers by their numbers from 1, whose weights and biases stay as they are, bit for bit:
        ``parameters=run.parameters, freeze=[1]`` trains all others further. A frozen layer has no gradient,
        for ``clip_norm`` either, as after PyTorch's ``requires_grad_(False)``; weight decay and max_norm
        pass it by, and what l1 and l2 add for it to the losses is a constant. Optimizers can do it, by the
        NumPy engine.
    checkpoint : the path of a file that holds the run as it stands, written anew every `checkpoint_every`
        seconds, and at the end; each time it changes whole or not at all. After a kill or a power cut
        ``run = gn.load(path)`` has the work so far, and ``run.resume(n - run.iterations, X=X, y=y,
        checkpoint=path)`` goes on to iteration n with the bits of training that was never cut off, within
        an epoch too. A file there of a run that has ended is replaced; one that was cut off is an
        InputError. Where writing takes more than 2 % of that time, there are fewer files. A file that
        cannot be written gives a CheckpointWarning, and training goes on.
        Keras's ModelCheckpoint counts batches, and holds neither the place in the epoch nor the stream of
        random numbers.

    A loss above `DIVERGENCE_FACTOR` times the larger of the first one and the loss of a network that
    knows nothing, or one that is not finite, ends training with status "diverged", the parameters
    before that update and a DivergenceWarning. The first Ctrl-C ends it with "interrupted" and an
    InterruptedTrainingWarning, the second raises KeyboardInterrupt, whose attribute `run` is the work
    so far. Training that ends by itself no better than a constant answer, or far above its lowest loss,
    gives a StalledTrainingWarning with the evidence and what to do; so says ``run.reason``.

    Raises InputError and InputTypeError for input that cannot be used, also where the first loss is not
    finite; InputTypeError for arguments of other libraries, with what they are here; and EngineError for an
    engine that cannot do it.

    Example
    -------
    >>> import numpy as np, glassnet as gn
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> run = gn.train(gn.Network((2, 8, 2), hidden="tanh"), X, y, iterations=500, random_state=0)
    >>> run.predict(X).tolist(), len(run.losses)
    ([0, 1, 1, 0], 501)

    scikit-learn's "sgd" solver takes mini-batches of 200 and stops by itself; `train` takes the
    full batch by default and makes exactly `iterations` updates. ``losses[k]`` is the loss after k updates;
    a PyTorch loop that records before the step lacks the last one.
    """
    settings, follower = FitSettings.of(locals()), checkpoint_of(checkpoint, checkpoint_every, begins=True)
    hooks = Hooks(callbacks)
    start, gradient = begin_with(network, X, y, sample_weight, settings)
    run = continue_run(start, settings.iterations, hooks, progress, gradient=gradient, follower=follower)
    warn_of_ending(run)
    return run


DEFAULTS: Mapping[str, Any] = {
    name: parameter.default
    for name, parameter in inspect.signature(train).parameters.items()
    if name in NAMES
}
"""The default of every setting."""


def begin_with(
    network: Network, X: object, y: object, sample_weight: object, settings: FitSettings
) -> tuple[TrainingRun, Array | None]:
    """As `begin`, with what a user gives; text among y becomes class numbers."""
    encoding = PLAIN
    if as_network(network).loss.target in ("class", "label"):
        y, classes = label_numbers(y)
        if classes is not None:
            check_classes(network, classes)
            encoding = Encoding(classes=classes)
    dataset = as_dataset(X, y, sample_weight, network.sizes[0])
    return begin(network, dataset, settings, encoding=encoding)


class Preparation(NamedTuple):
    """The functions that make data ready for training; those of a sweep share results between networks.

    `reuse` takes rows that were just held out, and may return an earlier equal split.
    """

    prepare: Callable[[Network, Dataset, ProblemSettings], Problem | Batches] = prepare_problem
    prepare_validation: Callable[[Problem | Batches, Dataset, bool, Scaling | None], HeldOut] = HeldOut
    validation_dataset: Callable[[Network, Samples, Encoding], Dataset] = validation_dataset
    scaled_parts: Callable[[Network, Parts, bool], tuple[Scaling, Parts]] = scaled_parts
    reuse: Callable[[Network, Dataset, HoldOut], HoldOut] = lambda network, dataset, split: split


UNSHARED = Preparation()


def first_parameters(network: Network, dataset: Dataset, scheme: str, random: RandomState) -> Parameters:
    """What `Network.initialize` draws; of "nguyen_widrow" for the ranges of these inputs."""
    ranges = dataset.input_ranges() if scheme == "nguyen_widrow" else None
    return network.initialize(random, scheme, ranges=ranges)


def begin(
    network: Network,
    dataset: Dataset,
    settings: FitSettings,
    preparation: Preparation = UNSHARED,
    encoding: Encoding = PLAIN,
) -> tuple[TrainingRun, Array | None]:
    """The run of `train` before its first iteration, and the gradient there.

    There is a gradient on the full batch. `train` goes on from here by `continue_run`; so does a sweep,
    whose `preparation` shares data between networks. `encoding` says how the dataset was made of X and y;
    with a scaling of its own the settings need none.
    """
    dataset.require_targets()
    if settings.standardize and isinstance(dataset, InMemory) and dataset.described is not None:
        raise InputError("A prepared table is standardized already: leave standardize out.")
    settings.check(network, dataset.memory_limit)
    random, parameters = as_random_state(settings.random_state), settings.parameters
    if parameters is not None:
        parameters = network.check_parameters(parameters)
    validation = Validation(settings.validate_every, settings.stopping, metrics=settings.metrics)  # type: ignore[arg-type]  # a tuple by then
    parts, drawn, at_first = Parts(dataset), parameters is None, None
    if isinstance(settings.validation, float) or settings.test is not None:
        dataset.check_targets(network)  # bad ones use up no random numbers
        if parameters is None:
            at_first = copy.deepcopy(random) if settings.standardize else None
            parameters = first_parameters(network, dataset, settings.first_scheme(network), random)
        validation, parts = _divided(network, dataset, settings, validation, random, preparation)
    scaling = encoding.scaling
    if settings.standardize:
        scaling, parts = preparation.scaled_parts(network, parts, settings.standardize is True)
        if at_first is not None:  # the same draw, for the ranges of scaled inputs
            parameters = first_parameters(network, parts.training, settings.first_scheme(network), at_first)
    training, held_out, test = parts
    encoding = replace(encoding, scaling=scaling, flat=dataset.flat and network.sizes[-1] == 1)
    if scaling is None:
        preprocessing = dataset.preprocessing(network)
    else:
        encoding = replace(encoding, target=dataset.target, features=dataset.names)
        preprocessing = encoding.preprocessing(network)
    extra = {} if preprocessing is None else {"preprocessing": preprocessing}
    if isinstance(settings.validation, tuple):
        held_out = preparation.validation_dataset(network, settings.validation, encoding)
        if scaling is None:
            warn_of_raw_validation(extra)
    problem = preparation.prepare(
        network, training, ProblemSettings(**shared_fields(ProblemSettings, settings))
    )
    if parameters is None:
        theta = first_parameters(network, training, settings.first_scheme(network), random).astype(
            problem.dtype
        )
    else:
        theta = Parameters(network.sizes, cast(parameters.flat, problem.dtype, "parameters").copy())
    still = training.constant if scaling is None else scaling.constant
    if scaling is None and training.standardization is None:
        encoding = replace(encoding, constant=dict(problem.summary.constant))
    if still is not None and drawn:
        theta.weights[0][still] = 0  # no gradient moves them: the columns are 0 in every row
    # Masks are drawn from `random` after the parameters and before any order of the samples.
    seed = draw_seed(random) if any(problem.dropout) else None
    gradient, cursor, losses = None, None, np.empty(0)
    if isinstance(problem, Problem):
        masks = None if seed is None else Masks(seed, 1)
        loss, gradient = problem.loss_and_gradient(theta.flat, masks)
        losses = np.array([loss])
    else:
        loss = problem.first_loss(theta.flat)
        limit = divergence_limit(loss, problem.baseline)
        cursor = problem.begin(random if settings.shuffle else None, limit)
    if not np.isfinite(loss):
        raise InputError(
            f"The loss is {loss} before the first update, in {problem.dtype.name}: the parameters (up to "
            f"{np.abs(theta.flat).max():.3g}) or the data are too large. Start from smaller parameters, "
            f'standardize X and y, or use dtype="float64".'
        )
    evaluator = None
    if held_out is not None:
        evaluator = preparation.prepare_validation(problem, held_out, validation.keeps_samples, scaling)
        validation = replace(validation, fingerprint=evaluator.fingerprint)
    evaluated = held_out is not None or test is not None
    start = TrainingRun(
        **shared_fields(TrainingRun, problem.setup),
        optimizer=settings.optimizer,
        parameters=theta,
        state=state_at_rest(settings.optimizer, theta.flat),
        losses=losses,
        status="running",
        diverged_at=None,
        seconds=0.0,
        extra=extra,
        batch_size=problem.batch_size if isinstance(problem, Batches) else None,
        cursor=cursor,
        dropout_seed=seed,
        average=settings.average,
        averaged=None if settings.average is None else theta.copy(),
        validation=validation if evaluated or settings.stopping is not None else None,
        encoding=encoding,
        data=RunData(problem, evaluator, None if test is None else HeldOut(problem, test, False, scaling)),
    )
    return start, gradient


def _divided(
    network: Network,
    dataset: Dataset,
    settings: FitSettings,
    validation: Validation,
    random: RandomState,
    preparation: Preparation,
) -> tuple[Validation, Parts]:
    """The rows to train on and those held out, first for a test and then, of the rest, for validation."""
    rest, rows, test, share = dataset, None, None, settings.validation
    if settings.test is not None:
        split = dataset.hold_out(network, settings.test, random)
        rest, test, rows = split.training, split.held_out, split.rows[: -split.n_held_out]
        validation = replace(validation, rows=rows, test_rows=split.rows[-split.n_held_out :])
    if not isinstance(share, float):
        return validation, Parts(rest, None, test)
    if test is not None:  # of all rows, rounded up as `hold_out` does
        share = (np.ceil(share * dataset.n_rows) - 0.5) / rest.n_rows
    split = rest.hold_out(network, share, random)
    split = preparation.reuse(network, rest, split)
    rows = split.rows if rows is None else rows[split.rows]
    validation = replace(validation, rows=rows, n_held_out=split.n_held_out)
    return validation, Parts(split.training, split.held_out, test)
