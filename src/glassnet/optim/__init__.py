"""The rules that move parameters, by name."""

from __future__ import annotations

from glassnet.optim import adam, adaptive, descent
from glassnet.optim.adam import *  # noqa: F403
from glassnet.optim.adaptive import *  # noqa: F403
from glassnet.optim.base import Optimizer
from glassnet.optim.descent import *  # noqa: F403

__all__ = ["OPTIMIZERS", "Optimizer"]
__all__ += descent.__all__
__all__ += adaptive.__all__
__all__ += adam.__all__

OPTIMIZERS: dict[str, type[Optimizer]] = {
    vars(module)[kind].name: vars(module)[kind]
    for module in (descent, adaptive, adam)
    for kind in module.__all__
}
"""Every optimizer's class by name: all that the modules of rules list as public."""
