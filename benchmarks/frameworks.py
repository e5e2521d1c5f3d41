"""PyTorch and JAX, each in the fastest of the forms that were tried.

With a sample's values side by side, (n, 2) as everywhere else in glassnet, both are up to three times
as slow as with a feature's, (2, n): so they get that. Compiled, products written out feature by
feature beat matrix products, which are made for wider layers; eagerly it is the other way round.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from benchmarks.job import Contestant, Job, UnavailableError, split
from glassnet._types import Array
from glassnet.utils.threads import thread_count

# Imported by name: both are large, seldom there, and typed differently from release to release.

State = tuple[list[Any], list[Any]]
PRECISIONS = ("float64", "float32")


def dense(A: Sequence[Any], W: Any, b: Any) -> list[Any]:
    """Z = W^T A + b, a list of rows (n,), written out."""
    return [sum(a * W[i, j] for i, a in enumerate(A)) + b[j] for j in range(W.shape[1])]


def descend(state: State, gradients: list[Any], job: Job) -> State:
    """The update with momentum of (parameters, velocities), as new lists."""
    parameters, velocities = state
    pairs = zip(velocities, gradients, strict=True)
    velocities = [job.momentum * v - job.learning_rate * g for v, g in pairs]
    return [p + v for p, v in zip(parameters, velocities, strict=True)], velocities


class Torch:
    """Eager PyTorch: autograd, cross_entropy and its SGD, fused."""

    def __init__(self, job: Job, precision: str, threads: int) -> None:
        self._torch = torch = importlib.import_module("torch")
        torch.set_num_threads(threads)
        self._job, self._precision = job, precision
        self._X = torch.tensor(np.ascontiguousarray(job.X.T, precision))
        self._Y = torch.tensor(np.ascontiguousarray(job.Y.T, precision))  # faster than class numbers
        self.reset()

    def _logits(self, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        torch = self._torch
        H = torch.sigmoid(torch.addmm(b1[:, None], W1.T, self._X))
        return torch.addmm(b2[:, None], W2.T, H)

    def _loss(self, parameters: list[Any]) -> Any:
        Z = self._logits(*parameters)
        return self._torch.nn.functional.cross_entropy(Z[None], self._Y[None], reduction="sum")

    def reset(self) -> None:
        parts = split(self._job.start, self._precision)
        self._parameters = [self._torch.tensor(part, requires_grad=True) for part in parts]
        job = self._job
        self._optimizer = self._torch.optim.SGD(
            self._parameters, lr=job.learning_rate, momentum=job.momentum, fused=True
        )

    def iterate(self, count: int) -> Array:
        losses = []
        for _ in range(count):
            self._optimizer.zero_grad()
            loss = self._loss(self._parameters)
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return self._numpy(losses)

    def _numpy(self, losses: list[Any]) -> Array:
        values: Array = self._torch.stack(losses).numpy().astype(np.float64)
        return values


class TorchCompiled(Torch):
    """The whole step, gradient and update, as one function for torch.compile."""

    def __init__(self, job: Job, precision: str, threads: int) -> None:
        super().__init__(job, precision, threads)
        torch = self._torch
        gradient = torch.func.grad_and_value(self._loss)

        def step(state: State) -> tuple[State, Any]:
            gradients, loss = gradient(state[0])
            return descend(state, gradients, job), loss

        self._step = torch.compile(step)
        try:
            self.iterate(1)
        except Exception as error:  # whatever its compiler and the system's have to say
            compiler = (
                "" if shutil.which("g++") or shutil.which("clang++") else " (no C++ compiler was found)"
            )
            why = str(error).strip().splitlines() or [type(error).__name__]
            raise UnavailableError(f"torch.compile fails{compiler}: {why[0]}") from error

    def _logits(self, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        H = [self._torch.sigmoid(z) for z in dense(self._X.unbind(), W1, b1)]
        return self._torch.stack(dense(H, W2, b2))

    def reset(self) -> None:
        parameters = [self._torch.tensor(part) for part in split(self._job.start, self._precision)]
        self._state: State = parameters, [self._torch.zeros_like(part) for part in parameters]

    def iterate(self, count: int) -> Array:
        losses = []
        for _ in range(count):
            self._state, loss = self._step(self._state)
            losses.append(loss)
        return self._numpy(losses)


def torch_contestants() -> list[Contestant]:
    """Eager and compiled PyTorch on all cores."""
    torch = importlib.import_module("torch")
    torch.compiler.reset()  # or it stops compiling after some runs in one process
    threads = thread_count(None)
    kinds = {"PyTorch, eager": Torch, "PyTorch, compiled": TorchCompiled}
    return [
        Contestant(
            name,
            "torch",
            str(torch.__version__),
            precision,
            threads,
            partial(kind, precision=precision, threads=threads),
        )
        for precision in PRECISIONS
        for name, kind in kinds.items()
    ]


class Jax:
    """JAX: value_and_grad and the update in one jitted lax.scan over all iterations of a call."""

    def __init__(self, job: Job, precision: str) -> None:
        self._jax = jax = importlib.import_module("jax")
        self._job, self._precision = job, precision
        with self._double():
            X = jax.numpy.asarray(np.ascontiguousarray(job.X.T, precision))
            Y = jax.numpy.asarray(np.ascontiguousarray(job.Y.T, precision))

        def loss(parameters: list[Any]) -> Any:
            W1, b1, W2, b2 = parameters
            H = [jax.nn.sigmoid(z) for z in dense(X, W1, b1)]
            Z = dense(H, W2, b2)
            m = reduce(jax.numpy.maximum, Z)
            log_sum = m + jax.numpy.log(sum(jax.numpy.exp(z - m) for z in Z))
            return (log_sum - sum(y * z for y, z in zip(Y, Z, strict=True))).sum()

        def step(state: State, _: None) -> tuple[State, Any]:
            value, gradients = jax.value_and_grad(loss)(state[0])
            return descend(state, gradients, job), value

        def scan(state: State, count: int) -> Any:
            return jax.lax.scan(step, state, None, length=count)

        self._scan = jax.jit(scan, static_argnums=1)
        self.reset()

    def _double(self) -> Any:
        """64 bits inside a `with` block: switched on for good, it would change the caller's program."""
        if hasattr(self._jax, "enable_x64"):
            return self._jax.enable_x64(True)
        return importlib.import_module("jax.experimental").enable_x64()

    def reset(self) -> None:
        with self._double():
            parts = [self._jax.numpy.asarray(part) for part in split(self._job.start, self._precision)]
            self._state = parts, [self._jax.numpy.zeros_like(part) for part in parts]

    def iterate(self, count: int) -> Array:
        with self._double():
            self._state, losses = self._scan(self._state, count)
            self._jax.block_until_ready(self._state)
            return np.asarray(losses, np.float64)


def jax_contestants() -> list[Contestant]:
    """JAX on the threads that XLA takes for itself."""
    jax = importlib.import_module("jax")
    return [
        Contestant(
            "JAX, jitted scan",
            "jax",
            str(jax.__version__),
            precision,
            thread_count(None),
            partial(Jax, precision=precision),
            note="XLA decides on its threads; compiling is not timed",
        )
        for precision in PRECISIONS
    ]
