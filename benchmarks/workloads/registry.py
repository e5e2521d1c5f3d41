"""The workloads by name."""

from __future__ import annotations

from benchmarks.workloads.samples import circles, digits, exponentials, made_up, responses
from benchmarks.workloads.task import Target, Workload

BOTH, SINGLE = ("float32", "float64"), ("float32",)


def _against(**times: float) -> tuple[Target, ...]:
    return tuple(
        Target({"sklearn": "scikit-learn"}.get(peer, peer), at_least) for peer, at_least in times.items()
    )


WORKLOADS: dict[str, Workload] = {
    workload.name: workload
    for workload in (
        Workload(
            "circles-batch", "training", (2, 3, 2), "logistic", "softmax", 50_000, 200, BOTH, circles,
            _against(sklearn=50, torch=60),
        ),
        Workload(
            "narrow-batch", "training", (2, 16, 16, 2), "relu", "softmax", 10_000, 32, BOTH, circles,
            _against(sklearn=40, torch=45),
        ),
        Workload(
            "tabular", "training", (20, 64, 64, 2), "relu", "softmax", 50_000, 256, SINGLE, made_up(20, 2),
            _against(sklearn=6, torch=4),
        ),
        Workload(
            "digits", "training", (64, 100, 10), "relu", "softmax", 1_797, 200, SINGLE, digits,
            _against(sklearn=4.5, torch=4),
        ),
        Workload(
            "wide", "training", (784, 100, 10), "relu", "softmax", 20_000, 200, SINGLE, made_up(784, 10),
            _against(sklearn=2.5, torch=2),
        ),
        Workload(
            "tanh-full", "training", (4, 32, 16, 4), "tanh", "identity", 10_000, None, SINGLE, exponentials,
            _against(jax=3.5, torch=15),
            note="SimpleChains.jl publishes 1.64 s for 10,000 epochs on a laptop's 4 cores",
        ),
        Workload(
            "small-gradient", "gradient", (24, 8, 2), "tanh", "identity", 200, None, BOTH[1:], responses,
            _against(torch=15),
            note="SimpleChains.jl publishes 5.66 microseconds, with dropout and no bias in the last layer",
        ),
        Workload(
            "predict-row", "prediction", (64, 100, 10), "relu", "softmax", 1, None, SINGLE, digits,
            _against(sklearn=20, torch=5),
        ),
    )
}  # fmt: skip
"""Everything that is timed besides the notebook's iteration; the order is that of the table."""
