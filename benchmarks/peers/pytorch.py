"""PyTorch in the fastest of the forms that were tried.

In the notebook's iteration a feature's values lie side by side, (2, n): with a sample's, (n, 2) as
everywhere else in glassnet, both PyTorch and JAX are up to three times as slow. Compiled, products written
out feature by feature beat matrix products, which are made for wider layers; eagerly it is the reverse.
"""

from __future__ import annotations

import importlib
import math
import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np

from benchmarks.contest import (
    PRECISIONS,
    Contestant,
    Runner,
    TaskRunner,
    UnavailableError,
    thread_choices,
)
from benchmarks.peers.written_out import State, dense, descend
from benchmarks.tasks import (
    BETA1,
    BETA2,
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

# torch is imported by name: it is large, seldom there, and typed differently from release to release.


def unavailable(error: Exception) -> UnavailableError:
    """Why compiling fails, in a line: whatever its compiler and the system's have to say."""
    compiler = "" if shutil.which("g++") or shutil.which("clang++") else " (no C++ compiler was found)"
    why = str(error).strip().splitlines() or [type(error).__name__]
    return UnavailableError(f"torch.compile fails{compiler}: {why[0]}")


# ---- The notebook's iteration ---------------------------------------------------------------------


class Torch(Runner):
    """Eager PyTorch: autograd, cross_entropy and its SGD, fused."""

    def __init__(self, task: NotebookTask, precision: str, threads: int) -> None:
        self._torch = torch = importlib.import_module("torch")
        torch.set_num_threads(threads)
        self._task, self._precision = task, precision
        self._X = torch.tensor(np.ascontiguousarray(task.X.T, precision))
        self._Y = torch.tensor(np.ascontiguousarray(task.Y.T, precision))  # faster than class numbers
        self.reset()

    def _logits(self, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        torch = self._torch
        H = torch.sigmoid(torch.addmm(b1[:, None], W1.T, self._X))
        return torch.addmm(b2[:, None], W2.T, H)

    def loss(self, parameters: list[Any]) -> Any:
        """The summed cross-entropy, as a tensor."""
        Z = self._logits(*parameters)
        return self._torch.nn.functional.cross_entropy(Z[None], self._Y[None], reduction="sum")

    def reset(self) -> None:
        arrays = copies(self._task.start, self._precision)
        self.parameters = [self._torch.tensor(array, requires_grad=True) for array in arrays]
        task = self._task
        self._optimizer = self._torch.optim.SGD(
            self.parameters, lr=task.learning_rate, momentum=task.momentum, fused=True
        )

    def work(self, count: int) -> Array:
        losses = []
        for _ in range(count):
            self._optimizer.zero_grad()
            loss = self.loss(self.parameters)
            loss.backward()
            self._optimizer.step()
            losses.append(loss.detach())
        return self._numpy(losses)

    def _numpy(self, losses: list[Any]) -> Array:
        values: Array = self._torch.stack(losses).numpy().astype(np.float64)
        return values


class TorchCompiled(Torch):
    """The whole step, gradient and update, as one function for torch.compile."""

    def __init__(self, task: NotebookTask, precision: str, threads: int) -> None:
        super().__init__(task, precision, threads)
        torch = self._torch
        gradient = torch.func.grad_and_value(self.loss)

        def step(state: State) -> tuple[State, Any]:
            gradients, loss = gradient(state[0])
            return descend(state, gradients, task), loss

        self._step = torch.compile(step)
        try:
            self.work(1)
        except Exception as error:
            raise unavailable(error) from error

    def _logits(self, W1: Any, b1: Any, W2: Any, b2: Any) -> Any:
        H = [self._torch.sigmoid(z) for z in dense(self._X.unbind(), W1, b1)]
        return self._torch.stack(dense(H, W2, b2))

    def reset(self) -> None:
        parameters = [self._torch.tensor(array) for array in copies(self._task.start, self._precision)]
        self._state: State = parameters, [self._torch.zeros_like(array) for array in parameters]

    def work(self, count: int) -> Array:
        losses = []
        for _ in range(count):
            self._state, loss = self._step(self._state)
            losses.append(loss)
        return self._numpy(losses)


def iteration() -> list[Contestant[NotebookTask]]:
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
            threads,
            partial(kind, precision=precision, threads=threads),
            precision,
        )
        for precision in PRECISIONS
        for name, kind in kinds.items()
    ]


# ---- Workloads ------------------------------------------------------------------------------------


class Model:
    """The network as functions of its parameters, with the data in place.

    With `columns` a feature's values lie side by side, (inputs, n), where only the whole batch is used.
    """

    def __init__(self, task: Task, threads: int, columns: bool = False) -> None:
        self.torch = torch = importlib.import_module("torch")
        torch.set_num_threads(threads)
        self._threads, self._columns = threads, columns
        self._output = task.network.output.name
        self._act = {"logistic": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}[
            task.workload.hidden
        ]
        # Class numbers, with which its cross-entropy is faster than with rows.
        targets = torch.tensor(task.y) if self._output == "softmax" else torch.tensor(task.T)
        X = torch.tensor(task.X)
        self.X = X.T.contiguous() if columns else X
        self.targets = targets.T.contiguous() if columns else targets
        self._task = task

    def use_threads(self) -> None:
        """Take the threads of this contestant: the setting is the process's."""
        if self.torch.get_num_threads() != self._threads:
            self.torch.set_num_threads(self._threads)

    def parameters(self, grad: bool = False) -> list[Any]:
        """W1, b1, ... at the start."""
        return [self.torch.tensor(array, requires_grad=grad) for array in self._task.parameters()]

    def logits(self, parameters: list[Any], X: Any) -> Any:
        """Z of the last layer."""
        torch, H = self.torch, X
        pairs = list(zip(parameters[::2], parameters[1::2], strict=True))
        for i, (W, b) in enumerate(pairs):
            H = torch.addmm(b[:, None], W.T, H) if self._columns else torch.addmm(b, H, W)
            H = self._act(H) if i < len(pairs) - 1 else H
        return H

    def loss(self, parameters: list[Any], X: Any, targets: Any) -> Any:
        """The mean over samples."""
        Z = self.logits(parameters, X)
        if self._output == "softmax":
            return self.torch.nn.functional.cross_entropy(Z, targets)
        error = Z - targets
        return 0.5 * (error * error).sum() / X.shape[1 if self._columns else 0]


class Training(TaskRunner):
    """Epochs: an order, batches taken from it, a step for each; the losses stay tensors until the end.

    With `slices` the data are permuted once an epoch and batches are slices of them; else each batch
    is gathered by its rows.
    """

    def __init__(self, task: Task, threads: int, slices: bool = False, columns: bool = False) -> None:
        self._task, self._slices = task, slices
        self._model = Model(task, threads, columns)
        self._full = task.full
        self.reset()

    @abstractmethod
    def _step(self, X: Any, targets: Any) -> Any:
        """An update on a batch; its loss."""

    def _gathered_step(self, rows: Any) -> Any:
        X, targets = self._model.X, self._model.targets
        return self._step(X.index_select(0, rows), targets.index_select(0, rows))

    def _epoch(self, order: Any) -> Any:
        X, targets, bounds = self._model.X, self._model.targets, self._task.bounds
        if self._full:
            return self._step(X, targets)
        n, total = len(order), 0.0
        if self._slices:
            X, targets = X.index_select(0, order), targets.index_select(0, order)
            for start, stop in bounds:
                total = total + self._step(X[start:stop], targets[start:stop]) * ((stop - start) / n)
            return total
        for start, stop in bounds:
            total = total + self._gathered_step(order[start:stop]) * ((stop - start) / n)
        return total

    def _epochs(self, orders: Iterable[Any]) -> Array:
        losses = [self._epoch(order) for order in orders]
        values: Array = self._model.torch.stack(losses).numpy().astype(np.float64)
        return values

    def answer(self) -> Array:
        self._model.use_threads()
        self.reset()
        orders = self._task.checked_orders()
        return self._epochs(self._model.torch.from_numpy(order.copy()) for order in orders)

    def work(self, count: int) -> Array:
        self._model.use_threads()
        torch, n = self._model.torch, len(self._task.X)
        return self._epochs(None if self._full else torch.randperm(n) for _ in range(count))


class Eager(Training):
    """Autograd and ``torch.optim.Adam``, "fused" or "foreach"."""

    def __init__(self, task: Task, threads: int, adam: str, **layout: bool) -> None:
        self._adam = adam
        super().__init__(task, threads, **layout)

    def reset(self) -> None:
        self._parameters = self._model.parameters(grad=True)
        self._optimizer = self._model.torch.optim.Adam(
            self._parameters, lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=EPSILON, **{self._adam: True}
        )

    def _step(self, X: Any, targets: Any) -> Any:
        self._optimizer.zero_grad()
        loss = self._model.loss(self._parameters, X, targets)
        loss.backward()
        self._optimizer.step()
        return loss.detach()


class Compiled(Training):
    """Taking the batch, gradient and update as one function under torch.compile, Adam by hand.

    With `flat` the parameters are views of one vector, which Adam then moves in one loop.
    """

    def __init__(self, task: Task, threads: int, flat: bool = False, **layout: bool) -> None:
        self._flat = flat
        super().__init__(task, threads, **layout)
        model = self._model
        torch, shapes = model.torch, [array.shape for array in task.parameters()]
        lengths = [math.prod(shape) for shape in shapes]

        def flat_loss(vector: Any, X: Any, targets: Any) -> Any:
            arrays = zip(vector.split(lengths), shapes, strict=True)
            return model.loss([array.view(shape) for array, shape in arrays], X, targets)

        gradient = torch.func.grad_and_value(flat_loss if flat else model.loss)

        def step(parameters: Any, m: Any, v: Any, t: Any, X: Any, targets: Any) -> Any:
            gradients, loss = gradient(parameters, X, targets)
            t += 1
            first, second = -(t * LOG_BETA1).expm1(), (-(t * LOG_BETA2).expm1()).sqrt()
            state = (parameters, gradients, m, v)
            for p, g, a, b in [state] if flat else zip(*state, strict=True):
                a.lerp_(g, 1 - BETA1)
                b.lerp_(g * g, 1 - BETA2)
                p.sub_(LEARNING_RATE / first * a / (b.sqrt() / second + EPSILON))
            return loss

        def gathered(parameters: Any, m: Any, v: Any, t: Any, X: Any, targets: Any, rows: Any) -> Any:
            return step(parameters, m, v, t, X[rows], targets[rows])

        # A C++ wrapper calls the kernels faster than a Python one: a tenth of a small network's step.
        compile_it = partial(torch.compile, dynamic=False, options={"cpp_wrapper": True})
        self._compiled, self._compiled_gathered = compile_it(step), compile_it(gathered)
        try:
            self._epoch(torch.arange(len(task.X)))
        except Exception as error:
            raise unavailable(error) from error

    def reset(self) -> None:
        parameters, torch = self._model.parameters(), self._model.torch
        m, v = ([torch.zeros_like(array) for array in parameters] for _ in range(2))
        arrays = [parameters, m, v]
        if self._flat:
            arrays = [torch.cat([array.ravel() for array in some]) for some in arrays]
        self._state = (*arrays, torch.zeros((), dtype=parameters[0].dtype))

    def _step(self, X: Any, targets: Any) -> Any:
        return self._compiled(*self._state, X, targets)

    def _gathered_step(self, rows: Any) -> Any:
        return self._compiled_gathered(*self._state, self._model.X, self._model.targets, rows)


class Gradient(TaskRunner):
    """The loss and its gradient by autograd, or by a compiled function."""

    def __init__(self, task: Task, threads: int, compiled: bool, columns: bool = False) -> None:
        self._model = model = Model(task, threads, columns)
        torch = model.torch
        self._parameters = model.parameters(grad=not compiled)

        def eager(parameters: Any, X: Any, targets: Any) -> Any:
            loss = model.loss(parameters, X, targets)
            return torch.autograd.grad(loss, parameters), loss

        self._evaluate: Callable[..., Any] = eager
        if compiled:
            gradient = torch.func.grad_and_value(model.loss)
            self._evaluate = torch.compile(gradient, dynamic=False, options={"cpp_wrapper": True})
            try:
                self.work(1)
            except Exception as error:
                raise unavailable(error) from error

    def answer(self) -> Array:
        self._model.use_threads()
        gradients, loss = self._evaluate(self._parameters, self._model.X, self._model.targets)
        arrays = [loss.detach(), *gradients]
        return np.concatenate([array.numpy().ravel() for array in arrays]).astype(np.float64)

    def work(self, count: int) -> None:
        self._model.use_threads()
        for _ in range(count):
            self._evaluate(self._parameters, self._model.X, self._model.targets)


class Prediction(TaskRunner):
    """A module in inference mode: as it is ("eager"), traced and frozen ("jit"), or "compiled"."""

    def __init__(self, task: Task, threads: int, way: str) -> None:
        self._model = model = Model(task, threads)
        torch, layers = model.torch, []
        arrays = model.parameters()
        kinds = {"logistic": torch.nn.Sigmoid, "tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}
        for W, b in zip(arrays[::2], arrays[1::2], strict=True):
            linear = torch.nn.Linear(*W.shape, dtype=W.dtype)
            linear.weight.data, linear.bias.data = W.T.contiguous(), b
            layers += [linear, kinds[task.workload.hidden]()]
        module = torch.nn.Sequential(*layers[:-1], torch.nn.Softmax(dim=1)).eval()
        self._predict: Callable[[Any], Any] = module
        with torch.inference_mode():
            if way == "jit":
                self._predict = torch.jit.freeze(torch.jit.trace(module, model.X))
            elif way == "compiled":
                self._predict = torch.compile(module, dynamic=False, options={"cpp_wrapper": True})
            try:
                self._predict(model.X)
            except Exception as error:
                raise unavailable(error) from error

    def answer(self) -> Array:
        with self._model.torch.inference_mode():
            values: Array = self._predict(self._model.X).numpy().ravel().astype(np.float64)
        return values

    def work(self, count: int) -> None:
        self._model.use_threads()
        predict, X = self._predict, self._model.X
        with self._model.torch.inference_mode():
            for _ in range(count):
                predict(X)


def ways(task: Task) -> dict[str, Callable[..., TaskRunner]]:
    """Every way of doing the task, by what it is called."""
    if task.workload.kind == "prediction":
        return {f"PyTorch, {way}": partial(Prediction, way=way) for way in ("eager", "jit", "compiled")}
    if task.workload.kind == "gradient":
        return {
            f"PyTorch, {'compiled' if compiled else 'eager'}{', columns' if columns else ''}": partial(
                Gradient, compiled=compiled, columns=columns
            )
            for compiled in (False, True)
            for columns in (False, True)
        }
    kinds: dict[str, Callable[..., TaskRunner]] = {
        "PyTorch, eager, fused": partial(Eager, adam="fused"),
        "PyTorch, eager, foreach": partial(Eager, adam="foreach"),
        "PyTorch, compiled": Compiled,
    }
    full = task.full
    layouts = {"": {}, ", columns": {"columns": True}} if full else {"": {}, ", slices": {"slices": True}}
    if task.network.output.name == "softmax" and full:
        layouts = {"": {}}  # its cross-entropy wants a sample's classes side by side
    makers: dict[str, Callable[..., TaskRunner]] = {
        f"{name}{words}": partial(kind, **layout)
        for name, kind in kinds.items()
        for words, layout in layouts.items()
    }
    makers["PyTorch, compiled, flat"] = partial(Compiled, flat=True, slices=not full)
    return makers


def workload(task: Task) -> list[Contestant[Task]]:
    """Every way on one thread and on all."""
    torch = importlib.import_module("torch")
    torch.compiler.reset()  # or it stops compiling after some runs in one process
    return [
        Contestant(name, "torch", str(torch.__version__), threads, partial(make, threads=threads))
        for threads in thread_choices()
        for name, make in ways(task).items()
    ]
