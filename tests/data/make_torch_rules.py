"""Records what PyTorch's optimizers and schedulers do, into torch_rules.json beside this file.

    python tests/data/make_torch_rules.py        (with torch installed: the extra "bench")

The optimizers minimize sum of (curvature * theta^2 / 2 - push * theta) over six parameters, in
float64. Each case names our optimizer, by its `to_dict`, and PyTorch's with its arguments.
"""

import json
from pathlib import Path

FILE = Path(__file__).with_name("torch_rules.json")
CURVATURE = [1.0, 0.1, 3.0, 10.0, 0.01, 1.0]
PUSH = [0.5, -1.0, 2.0, 0.0, 0.3, -4.0]
START = [1.0, -2.0, 0.5, 1.5, 3.0, 0.0]
STEPS = 40
KEPT = [1, 2, 3, 10, 40]  # the steps whose parameters are recorded

OPTIMIZERS = [
    ({"name": "sgd", "learning_rate": 0.05, "momentum": 0.9}, "SGD", {"lr": 0.05, "momentum": 0.9}),
    (
        {"name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True},
        "SGD",
        {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    ),
    ({"name": "rmsprop"}, "RMSprop", {}),
    (
        {"name": "rmsprop", "rho": 0.9, "momentum": 0.5, "centered": True, "epsilon": 1e-3},
        "RMSprop",
        {"alpha": 0.9, "momentum": 0.5, "centered": True, "eps": 1e-3},
    ),
    ({"name": "adagrad"}, "Adagrad", {}),
    (
        {
            "name": "adagrad",
            "learning_rate": {"schedule": "inverse_scaling", "rate": 0.5, "power": 1, "decay": 0.1},
        },
        "Adagrad",
        {"lr": 0.5, "lr_decay": 0.1},
    ),
    ({"name": "adadelta"}, "Adadelta", {}),
    ({"name": "adam"}, "Adam", {}),
    (
        {"name": "adam", "learning_rate": 0.1, "beta1": 0.5, "beta2": 0.7, "epsilon": 0.01},
        "Adam",
        {"lr": 0.1, "betas": (0.5, 0.7), "eps": 0.01},
    ),
    ({"name": "amsgrad", "learning_rate": 0.1}, "Adam", {"lr": 0.1, "amsgrad": True}),
    ({"name": "adamw", "weight_decay": 0.1}, "AdamW", {"weight_decay": 0.1}),
    ({"name": "nadam"}, "NAdam", {}),
    (
        {"name": "nadam", "learning_rate": 0.05, "momentum_decay": 0.1},
        "NAdam",
        {"lr": 0.05, "momentum_decay": 0.1},
    ),
]

SCHEDULES = [
    ({"schedule": "constant", "rate": 0.2}, "ConstantLR", {"factor": 1.0}),
    (
        {"schedule": "step", "rate": 0.2, "every": 7, "factor": 0.3},
        "StepLR",
        {"step_size": 7, "gamma": 0.3},
    ),
    ({"schedule": "exponential", "rate": 0.2, "factor": 0.9}, "ExponentialLR", {"gamma": 0.9}),
    (
        {"schedule": "cosine", "rate": 0.2, "steps": STEPS, "final": 0.01},
        "CosineAnnealingLR",
        {"T_max": STEPS, "eta_min": 0.01},
    ),
    (
        {"schedule": "one_cycle", "rate": 0.2, "steps": STEPS},
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": STEPS},
    ),
    (
        {"schedule": "one_cycle", "rate": 0.2, "steps": STEPS, "pct_start": 0.6, "div_factor": 4.0},
        "OneCycleLR",
        {"max_lr": 0.2, "total_steps": STEPS, "pct_start": 0.6, "div_factor": 4.0},
    ),
    ({"schedule": "warm_up", "then": 0.2, "updates": 5}, "LinearLR", {"total_iters": 5}),
    (
        {
            "schedule": "warm_up",
            "then": {"schedule": "exponential", "rate": 0.2, "factor": 0.9},
            "updates": 5,
            "start": 0.1,
        },
        "SequentialLR",
        {"warm_up": {"start_factor": 0.1, "total_iters": 5}, "gamma": 0.9},
    ),
]


def _scheduler(torch, optimizer, name, arguments):
    kinds = torch.optim.lr_scheduler
    if name != "SequentialLR":
        return getattr(kinds, name)(optimizer, **arguments)
    first = kinds.LinearLR(optimizer, **arguments["warm_up"])
    second = kinds.ExponentialLR(optimizer, gamma=arguments["gamma"])
    return kinds.SequentialLR(optimizer, [first, second], [arguments["warm_up"]["total_iters"]])


def trajectories():
    """The parameters after each of the steps KEPT, a list for each case of OPTIMIZERS."""
    import torch

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # NAdam keeps a product in it
    found = []
    for _, name, arguments in OPTIMIZERS:
        theta = torch.tensor(START, requires_grad=True)
        optimizer = getattr(torch.optim, name)([theta], **arguments)
        path = []
        for _ in range(STEPS):
            theta.grad = (torch.tensor(CURVATURE) * theta - torch.tensor(PUSH)).detach()
            optimizer.step()
            path.append(theta.tolist())
        found.append([path[step - 1] for step in KEPT])
    torch.set_default_dtype(before)
    return found


def rates():
    """The rate of each of the steps, a list for each case of SCHEDULES."""
    import warnings

    import torch

    found = []
    for ours, name, arguments in SCHEDULES:
        rate = ours.get("rate", 0.2)
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=rate, momentum=0.9)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # SequentialLR warns of a call of its own
            scheduler = _scheduler(torch, optimizer, name, arguments)
            seen = []
            for step in range(STEPS):
                seen.append(optimizer.param_groups[0]["lr"])
                optimizer.step()
                if step < STEPS - 1:
                    scheduler.step()
        found.append(seen)
    return found


if __name__ == "__main__":
    import torch

    record = {"torch": torch.__version__, "trajectories": trajectories(), "rates": rates()}
    FILE.write_text(json.dumps(record) + "\n", "utf-8")
