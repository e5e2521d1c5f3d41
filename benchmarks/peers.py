"""Who takes part: the notebook, scikit-learn, PyTorch, JAX and glassnet itself."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import frameworks, notebook
from benchmarks.job import N_SAMPLES, SIZES, BenchmarkError, Contestant, Job, split
from glassnet import native
from glassnet._types import Array
from glassnet._version import __version__
from glassnet.engine.prepare import prepare
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn.network import Network
from glassnet.optim import SGD
from glassnet.training.loop import CHUNK_SECONDS
from glassnet.utils.threads import thread_count

PRECISIONS = ("float64", "float32")
INSTALL = 'pip install "glassnet[bench]"'


class Glassnet:
    """This engine as `train` drives it: chunks by the clock, every loss recorded."""

    def __init__(self, job: Job, precision: str, engine: str, threads: int) -> None:
        self._job = job
        self.problem = prepare(
            Network(SIZES), job.X, job.y, dtype=precision, reduction="sum", engine=engine, threads=threads
        )
        self._rule = SGD(job.learning_rate, job.momentum)
        self._stop = np.zeros(1, np.uint8)
        self.reset()

    def reset(self) -> None:
        self._flat = self._job.start.flat.astype(self.problem.dtype)
        self._state = np.zeros((1, self._flat.size), self._flat.dtype)
        _, self._gradient = self.problem.loss_and_gradient(self._flat)

    def iterate(self, count: int) -> Array:
        losses = np.empty(count)
        done = 0
        while done < count:
            descent = self.problem.descend(
                self._flat,
                self._state,
                self._gradient,
                losses[done:],
                optimizer=self._rule,
                rates=np.array([self._job.learning_rate]),
                first_update=1 + done,
                limit=float(np.finfo(np.float64).max),
                stop=self._stop,
                seconds=CHUNK_SECONDS,
            )
            done += descent.updates
            if descent.diverged:
                raise BenchmarkError(f"glassnet's loss was not finite after {done + 1} iterations.")
        return losses


def _glassnet() -> list[Contestant]:
    """The native engine on 1, 2 and all threads, and the NumPy engine."""
    found = []
    if native.module is not None:
        for precision in PRECISIONS:
            for threads in sorted({1, 2, thread_count(None)}):
                make = partial(Glassnet, precision=precision, engine="native", threads=threads)
                found.append(Contestant("glassnet", "glassnet", __version__, precision, threads, make, 1))
    make = partial(Glassnet, precision="float64", engine="numpy", threads=1)
    note = "the reference that the native engine is held against"
    if native.module is None:
        note += f"; there is no native engine: {native.reason}"
    return [
        *found,
        Contestant(
            "glassnet, NumPy engine",
            "glassnet",
            __version__,
            "float64",
            thread_count(None),
            make,
            1,
            note=note,
        ),
    ]


def _classifier(job: Job, **settings: Any) -> Any:
    from sklearn.neural_network import MLPClassifier

    n = len(job.X)
    # Its loss is the mean over samples, the notebook's is the sum: the rate makes up for that.
    return MLPClassifier(
        hidden_layer_sizes=SIZES[1:-1],
        activation="logistic",
        solver="sgd",
        alpha=0,
        batch_size=n,
        learning_rate_init=job.learning_rate * n,
        momentum=job.momentum,
        nesterovs_momentum=False,
        shuffle=False,
        random_state=0,
        **settings,
    )


class SklearnFit:
    """``MLPClassifier.fit``, which has one logistic output for two classes."""

    def __init__(self, job: Job, precision: str) -> None:
        self._job, self._precision = job, precision
        self._X = job.X.astype(precision)
        self._classifier = _classifier(job, warm_start=True, max_iter=1, tol=0, n_iter_no_change=np.inf)
        self._fit(1)  # makes the arrays that warm_start goes on with
        self.reset()

    def _fit(self, count: int) -> None:
        from sklearn.exceptions import ConvergenceWarning

        self._classifier.max_iter = count
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is told when to stop
            self._classifier.fit(self._X, self._job.y)

    def reset(self) -> None:
        W1, b1, W2, b2 = split(self._job.one_output, self._precision)
        self._classifier.coefs_, self._classifier.intercepts_ = [W1, W2], [b1, b2]
        self._classifier.loss_curve_ = []

    def iterate(self, count: int) -> Array:
        self._fit(count)
        return np.array(self._classifier.loss_curve_[-count:]) * len(self._X)


class SklearnBackprop:
    """scikit-learn's backpropagation and update, in a bare loop, with the notebook's two outputs.

    ``fit`` gives a softmax only to three classes and more, so the loop uses the parts that ``fit`` is
    made of. It leaves out what ``fit`` does besides: checking the data, looking whether to stop.
    """

    def __init__(self, job: Job, precision: str) -> None:
        self._job, self._precision = job, precision
        self._X, self._Y = job.X.astype(precision), job.Y.astype(precision)
        self._classifier = _classifier(job)
        self._classifier.batch_size = 3
        self._classifier.partial_fit(self._X[:3], [0, 1, 2], classes=[0, 1, 2])  # makes it a softmax
        self.reset()

    def reset(self) -> None:
        from sklearn.neural_network._stochastic_optimizers import SGDOptimizer

        W1, b1, W2, b2 = split(self._job.start, self._precision)
        self._classifier.coefs_, self._classifier.intercepts_ = [W1, W2], [b1, b2]
        rate = self._job.learning_rate * len(self._X)
        self._optimizer = SGDOptimizer(
            [W1, W2, b1, b2], rate, "constant", self._job.momentum, nesterov=False
        )

    def iterate(self, count: int) -> Array:
        classifier, losses = self._classifier, []
        parameters = classifier.coefs_ + classifier.intercepts_
        activations = [self._X, None, None]
        deltas, W_grads, b_grads = [None, None], [None, None], [None, None]
        for _ in range(count):
            loss, W_grads, b_grads = classifier._backprop(
                self._X, self._Y, None, activations, deltas, W_grads, b_grads
            )
            self._optimizer.update_params(parameters, W_grads + b_grads)
            losses.append(loss)
        return np.array(losses) * len(self._X)


def _sklearn() -> list[Contestant]:
    import sklearn

    cores, found = thread_count(None), []
    for precision in PRECISIONS:
        found += [
            Contestant(
                "scikit-learn, its parts",
                "scikit-learn",
                sklearn.__version__,
                precision,
                cores,
                partial(SklearnBackprop, precision=precision),
                note="its backpropagation and update in a bare loop, two softmax outputs",
            ),
            Contestant(
                "scikit-learn, fit",
                "scikit-learn",
                sklearn.__version__,
                precision,
                cores,
                partial(SklearnFit, precision=precision),
                outputs=1,
                note="one logistic output, as it has for two classes: less work",
            ),
        ]
    return found


@dataclass(frozen=True)
class Peer:
    """A library that takes part, the module that shows it is there, and how to make its contestants."""

    name: str
    module: str
    contestants: Callable[[], list[Contestant]]

    def why_missing(self) -> str | None:
        """Why it cannot take part, or None where it can."""
        try:
            importlib.import_module(self.module)
        except ModuleNotFoundError:
            return f"not installed: {INSTALL}"
        except ImportError as error:
            return f"cannot be imported ({error}): {INSTALL}"
        return None


PEERS: dict[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer("numpy", "numpy", notebook.contestants),
        Peer("scikit-learn", "sklearn", _sklearn),
        Peer("torch", "torch", frameworks.torch_contestants),
        Peer("jax", "jax", frameworks.jax_contestants),
        Peer("glassnet", "glassnet", _glassnet),
    )
}
"""Everybody, by name. "numpy" is the notebook, "glassnet" is this engine: both always take part."""

ALWAYS = ("numpy", "glassnet")


def choose_peers(names: Iterable[str] | None) -> list[Peer]:
    """The peers of these names besides those that always take part; None is everybody."""
    if names is None:
        return list(PEERS.values())
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise InputTypeError(f"peers is a list of names, not {names!r}. Choose from: {', '.join(PEERS)}.")
    wanted = list(names)
    for name in wanted:
        if name not in PEERS:
            raise unknown_name("peer", name, PEERS)
    return [peer for peer in PEERS.values() if peer.name in wanted or peer.name in ALWAYS]


def check_settings(rounds: object, seconds: object, n_samples: object) -> None:
    """InputError or InputTypeError where rounds, the seconds of a slice or the samples make no sense."""
    for name, value, least, usual in (("rounds", rounds, 1, 7), ("n_samples", n_samples, 100, N_SAMPLES)):
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputTypeError(f"{name} is a whole number, not {value!r}.")
        if value < least:
            raise InputError(f"{name} is {value}; expected {least} or more, such as {usual}.")
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        raise InputTypeError(f"seconds is a number, not {seconds!r}.")
    if not 0 < seconds < 3600:
        raise InputError(f"seconds is {seconds}; expected the length of a slice, such as 0.2.")
