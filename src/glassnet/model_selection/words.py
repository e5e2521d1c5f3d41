"""Settings as text and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassnet.nn.activations import Activation
from glassnet.nn.losses import Loss
from glassnet.nn.network import Network
from glassnet.optim.schedules import SCHEDULES, Schedule
from glassnet.training.steppers import RULES
from glassnet.utils.settings_checks import Settings


def shown(value: Any, digits: int = 12) -> str:
    """A setting's value in words: a number in up to so many digits, anything else as it is written."""
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    if isinstance(value, (tuple, list)):
        return f"({', '.join(shown(one, digits) for one in value)}{',' if len(value) == 1 else ''})"
    if isinstance(value, Activation):
        return value.name
    return value.brief() if isinstance(value, Settings) and not isinstance(value, Schedule) else str(value)


def as_plain(value: Any) -> Any:
    """A setting's value as JSON can hold it; what is of the caller's own in words."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Schedule):
        return value.to_dict() if SCHEDULES.get(value.name) is type(value) else str(value)
    if type(value) in RULES.values():
        return {name: as_plain(one) for name, one in value.to_dict().items()}
    if isinstance(value, Mapping):
        return {str(name): as_plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [as_plain(one) for one in value]
    if isinstance(value, Settings):
        return {"kind": type(value).__name__, **as_plain(value.settings())}
    if isinstance(value, (Network, Loss, Activation)):
        return shown(value)
    if callable(value):
        return f"{value.__module__}.{getattr(value, '__qualname__', type(value).__qualname__)}"
    return as_plain(value.tolist()) if hasattr(value, "tolist") else str(value)
