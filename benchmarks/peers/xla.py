"""JAX in the fastest of the forms that were tried.

In the notebook's iteration features are rows and products written out, as in ``pytorch``. In the workloads
an epoch is one jitted scan over its batches, with Adam by hand.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from functools import partial, reduce
from typing import Any

import numpy as np

from benchmarks.contest import PRECISIONS, Contestant, Runner, TaskRunner
from benchmarks.peers.written_out import State, dense, descend
from benchmarks.tasks import (
    BETA1,
    BETA2,
    CHECKED_EPOCHS,
    EPSILON,
    LEARNING_RATE,
    LOG_BETA1,
    LOG_BETA2,
    NotebookTask,
    Task,
    copies,
)
from glassnet._types import Array
from glassnet.utils.threads import thread_count


def double(jax: Any) -> Any:
    """64 bits inside a `with` block: switched on for good, it would change the caller's program."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return importlib.import_module("jax.experimental").enable_x64()


# ---- The notebook's iteration ---------------------------------------------------------------------


class Jax(Runner):
    """JAX: value_and_grad and the update in one jitted lax.scan over all iterations of a call."""

    def __init__(self, task: NotebookTask, precision: str) -> None:
        self._jax = jax = importlib.import_module("jax")
        self._task, self._precision = task, precision
        with double(self._jax):
            X = jax.numpy.asarray(np.ascontiguousarray(task.X.T, precision))
            Y = jax.numpy.asarray(np.ascontiguousarray(task.Y.T, precision))

        def loss(parameters: list[Any]) -> Any:
            W1, b1, W2, b2 = parameters
            H = [jax.nn.sigmoid(z) for z in dense(X, W1, b1)]
            Z = dense(H, W2, b2)
            m = reduce(jax.numpy.maximum, Z)
            log_sum = m + jax.numpy.log(sum(jax.numpy.exp(z - m) for z in Z))
            return (log_sum - sum(y * z for y, z in zip(Y, Z, strict=True))).sum()

        def step(state: State, _: None) -> tuple[State, Any]:
            value, gradients = jax.value_and_grad(loss)(state[0])
            return descend(state, gradients, task), value

        def scan(state: State, count: int) -> Any:
            return jax.lax.scan(step, state, None, length=count)

        self._scan = jax.jit(scan, static_argnums=1)
        self.reset()

    def reset(self) -> None:
        with double(self._jax):
            arrays = [self._jax.numpy.asarray(array) for array in copies(self._task.start, self._precision)]
            self._state = arrays, [self._jax.numpy.zeros_like(array) for array in arrays]

    def work(self, count: int) -> Array:
        with double(self._jax):
            self._state, losses = self._scan(self._state, count)
            self._jax.block_until_ready(self._state)
            return np.asarray(losses, np.float64)


def iteration() -> list[Contestant[NotebookTask]]:
    """JAX on the threads that XLA takes for itself."""
    jax = importlib.import_module("jax")
    return [
        Contestant(
            "JAX, jitted scan",
            "jax",
            str(jax.__version__),
            thread_count(None),
            partial(Jax, precision=precision),
            precision,
            note="XLA decides on its threads; compiling is not timed",
        )
        for precision in PRECISIONS
    ]


# ---- Workloads ------------------------------------------------------------------------------------


class Model:
    """The network as functions of its parameters, with the data in place."""

    def __init__(self, task: Task, columns: bool = False) -> None:
        self.jax = jax = importlib.import_module("jax")
        self._task, self._columns = task, columns
        self._act = {"logistic": jax.nn.sigmoid, "tanh": jax.numpy.tanh, "relu": jax.nn.relu}[
            task.workload.hidden
        ]
        with self.double():
            T = task.T if task.network.output.name != "softmax" else task.y.astype(np.int32)
            self.X, self.targets = (
                jax.numpy.asarray(array.T if columns else array) for array in (task.X, T)
            )

    def double(self) -> Any:
        """64 bits inside a `with` block."""
        return double(self.jax)

    def parameters(self) -> list[Any]:
        """W1, b1, ... at the start."""
        return [self.jax.numpy.asarray(array) for array in self._task.parameters()]

    def logits(self, parameters: list[Any], X: Any) -> Any:
        """Z of the last layer."""
        H, pairs = X, list(zip(parameters[::2], parameters[1::2], strict=True))
        for i, (W, b) in enumerate(pairs):
            H = W.T @ H + b[:, None] if self._columns else H @ W + b
            H = self._act(H) if i < len(pairs) - 1 else H
        return H

    def loss(self, parameters: list[Any], X: Any, targets: Any) -> Any:
        """The mean over samples."""
        jax, Z = self.jax, self.logits(parameters, X)
        if self._task.network.output.name == "softmax":
            chosen = jax.numpy.take_along_axis(jax.nn.log_softmax(Z), targets[:, None], axis=1)
            return -chosen.mean()
        return 0.5 * ((Z - targets) ** 2).sum() / X.shape[1 if self._columns else 0]


class Training(TaskRunner):
    """An epoch is a call: batches are gathered all at once ("slices") or one by one ("gather").

    A last batch that is shorter is a step of its own. Of the full batch, all epochs are one call. The
    order comes from NumPy, whose permutation is faster than JAX's.
    """

    def __init__(self, task: Task, slices: bool = False, columns: bool = False) -> None:
        self._task, self._slices = task, slices
        self._model = model = Model(task, columns)
        self._full = task.full
        jax, n, size = model.jax, len(task.X), task.batch
        whole = n - n % size

        def step(state: Any, batch: Any) -> Any:
            parameters, m, v, t = state
            loss, gradients = jax.value_and_grad(model.loss)(parameters, *batch)
            t = t + 1
            first = -jax.numpy.expm1(t * LOG_BETA1)
            second = jax.numpy.sqrt(-jax.numpy.expm1(t * LOG_BETA2))
            m = [a + (1 - BETA1) * (g - a) for a, g in zip(m, gradients, strict=True)]
            v = [b + (1 - BETA2) * (g * g - b) for b, g in zip(v, gradients, strict=True)]
            parameters = [
                p - LEARNING_RATE / first * a / (jax.numpy.sqrt(b) / second + EPSILON)
                for p, a, b in zip(parameters, m, v, strict=True)
            ]
            return (parameters, m, v, t), loss

        def gathered(X: Any, targets: Any, state: Any, rows: Any) -> Any:
            return step(state, (X[rows], targets[rows]))

        def epoch(state: Any, X: Any, targets: Any, order: Any) -> Any:
            if self._slices:
                X, targets = X[order], targets[order]
                batches = tuple(
                    array[:whole].reshape(whole // size, size, *array.shape[1:]) for array in (X, targets)
                )
                state, losses = jax.lax.scan(step, state, batches)
            else:
                rows = order[:whole].reshape(whole // size, size)
                state, losses = jax.lax.scan(partial(gathered, X, targets), state, rows)
            total = losses.sum() * size
            if whole < n:
                rest = (
                    (X[whole:], targets[whole:])
                    if self._slices
                    else (X[order[whole:]], targets[order[whole:]])
                )
                state, loss = step(state, rest)
                total = total + loss * (n - whole)
            return state, total / n

        def epochs(state: Any, X: Any, targets: Any, count: int) -> Any:
            return jax.lax.scan(lambda state, _: step(state, (X, targets)), state, None, length=count)

        self._epoch = jax.jit(epoch, donate_argnums=0)
        self._epochs = jax.jit(epochs, static_argnums=3)
        self.reset()

    def reset(self) -> None:
        with self._model.double():
            parameters, numpy = self._model.parameters(), self._model.jax.numpy
            zeros = [[numpy.zeros_like(array) for array in parameters] for _ in range(2)]
            self._state = (parameters, *zeros, numpy.zeros((), self._task.precision))

    def _run(self, orders: Iterable[Any]) -> Array:
        losses = []
        for order in orders:
            self._state, loss = self._epoch(self._state, self._model.X, self._model.targets, order)
            losses.append(loss)
        return np.array([float(loss) for loss in losses])

    def _run_full(self, count: int) -> Array:
        self._state, losses = self._epochs(self._state, self._model.X, self._model.targets, count)
        return np.asarray(losses, np.float64)

    def answer(self) -> Array:
        self.reset()
        with self._model.double():
            if self._full:
                return self._run_full(CHECKED_EPOCHS)
            orders = self._task.checked_orders()
            return self._run(order.astype(np.int32) for order in orders)

    def work(self, count: int) -> Array:
        random, rows = np.random.default_rng(), np.arange(len(self._task.X), dtype=np.int32)
        with self._model.double():
            if self._full:
                return self._run_full(count)
            return self._run(random.permutation(rows) for _ in range(count))


class Jitted(TaskRunner):
    """A jitted function of the parameters and the data, called again and again."""

    def __init__(self, task: Task, columns: bool = False) -> None:
        self._model = model = Model(task, columns)
        jax = model.jax
        if task.workload.kind == "gradient":
            self._function = jax.jit(jax.value_and_grad(model.loss))
            self._arguments: tuple[Any, ...] = model.X, model.targets
        else:
            self._function = jax.jit(lambda parameters, X: jax.nn.softmax(model.logits(parameters, X)))
            self._arguments = (model.X,)
        with model.double():
            self._parameters = model.parameters()

    def answer(self) -> Array:
        with self._model.double():
            found = self._model.jax.tree.leaves(self._function(self._parameters, *self._arguments))
        return np.concatenate([np.asarray(array, np.float64).ravel() for array in found])

    def work(self, count: int) -> None:
        function, parameters, arguments = self._function, self._parameters, self._arguments
        with self._model.double():
            for _ in range(count):
                found = function(parameters, *arguments)
            self._model.jax.block_until_ready(found)


def workload(task: Task) -> list[Contestant[Task]]:
    """Each layout, on the threads that XLA takes for itself."""
    jax = importlib.import_module("jax")
    kind: Callable[..., TaskRunner] = Training if task.workload.kind == "training" else Jitted
    ways: dict[str, dict[str, bool]] = {"JAX, jitted": {}}
    if not task.full:
        ways["JAX, jitted, slices"] = {"slices": True}
    elif task.network.output.name == "identity":
        ways["JAX, jitted, columns"] = {"columns": True}
    version, threads = str(jax.__version__), thread_count(None)
    return [
        Contestant(
            name, "jax", version, threads, partial(kind, **layout), note="XLA decides on its threads"
        )
        for name, layout in ways.items()
    ]
