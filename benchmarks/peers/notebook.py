"""The notebook's NumPy, formula by formula: the measure of all ratios, the judge of all losses."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.contest import PRECISIONS, Contestant, Runner
from benchmarks.tasks import NotebookTask, copies
from glassnet._types import Array
from glassnet.utils.threads import thread_count

# The names are the notebook's. Its softmax takes no maximum off, and exponentiates twice; its loss has
# a forward pass of its own. Both belong to what is timed.


def logistic(z: Array) -> Array:
    """sigma(z) = 1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def softmax(z: Array) -> Array:
    """e^z_c / sum_k e^z_k."""
    return np.exp(z) / np.sum(np.exp(z), axis=1, keepdims=True)


def hidden_layer(input_data: Array, weights: Array, bias: Array) -> Array:
    """H = sigma(X W + b)."""
    return logistic(input_data @ weights + bias)


def output_layer(hidden_activations: Array, weights: Array, bias: Array) -> Array:
    """Y_hat = softmax(H W + b)."""
    return softmax(hidden_activations @ weights + bias)


def forward_prop(data: Array, w_h: Array, b_h: Array, w_o: Array, b_o: Array) -> Array:
    """Y_hat from X."""
    return output_layer(hidden_layer(data, w_h, b_h), w_o, b_o)


def loss(y_hat: Array, y_true: Array) -> Any:
    """The sum over samples and classes of -y log y_hat."""
    return -(y_true * np.log(y_hat)).sum()


def compute_gradients(
    X: Array, y_true: Array, w_h: Array, b_h: Array, w_o: Array, b_o: Array
) -> list[NDArray[Any]]:
    """The gradients of W and b of both layers."""
    hidden_activations = hidden_layer(X, w_h, b_h)
    y_hat = output_layer(hidden_activations, w_o, b_o)
    loss_grad = y_hat - y_true
    out_weight_grad = hidden_activations.T @ loss_grad
    out_bias_grad = np.sum(loss_grad, axis=0, keepdims=True)
    hidden_layer_grad = hidden_activations * (1 - hidden_activations) * (loss_grad @ w_o.T)
    hidden_weight_grad = X.T @ hidden_layer_grad
    hidden_bias_grad = np.sum(hidden_layer_grad, axis=0, keepdims=True)
    return [hidden_weight_grad, hidden_bias_grad, out_weight_grad, out_bias_grad]


def update_momentum(
    X: Array, y_true: Array, param_list: list[Array], Ms: list[Array], momentum: float, learning_rate: float
) -> list[NDArray[Any]]:
    """M <- momentum M - learning_rate g."""
    gradients = compute_gradients(X, y_true, *param_list)
    return [momentum * M - learning_rate * g for M, g in zip(Ms, gradients, strict=True)]


def update_params(param_list: list[Array], Ms: list[Array]) -> list[NDArray[Any]]:
    """P <- P + M."""
    return [P + M for P, M in zip(param_list, Ms, strict=True)]


class Notebook(Runner):
    """The notebook's training loop, without the line that it prints."""

    def __init__(self, task: NotebookTask, dtype: str = "float64") -> None:
        self._task, self._dtype = task, dtype
        self._X, self._Y = task.X.astype(dtype), task.Y.astype(dtype)
        self.reset()

    def reset(self) -> None:
        w_h, b_h, w_o, b_o = copies(self._task.start, self._dtype)
        self._param_list = [w_h, b_h[np.newaxis], w_o, b_o[np.newaxis]]  # its biases are rows
        self._Ms: list[Array] = [np.zeros_like(M) for M in self._param_list]

    @property
    def loss(self) -> float:
        """The loss where it stands."""
        return float(loss(forward_prop(self._X, *self._param_list), self._Y))

    def work(self, count: int) -> Array:
        task, X, Y, train_loss = self._task, self._X, self._Y, []
        for _ in range(count):
            self._Ms = update_momentum(X, Y, self._param_list, self._Ms, task.momentum, task.learning_rate)
            self._param_list = update_params(self._param_list, self._Ms)
            train_loss.append(loss(forward_prop(X, *self._param_list), Y))
        return np.array(train_loss)


def iteration() -> list[Contestant[NotebookTask]]:
    """The notebook's own float64, and the same formulas in float32."""
    return [
        Contestant(
            "the notebook's NumPy",
            "numpy",
            np.__version__,
            thread_count(None),
            partial(Notebook, dtype=precision),
            precision,
            first=1,
            note="its matrix products are threaded, nothing else is",
        )
        for precision in PRECISIONS
    ]
