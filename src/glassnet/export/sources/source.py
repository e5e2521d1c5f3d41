"""What can be exported, as a model and as the thing itself, which the exported file must agree with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from glassnet._types import Array
from glassnet.data.fixed_order import Floats
from glassnet.export.model import Model


class Source(NamedTuple):
    """A run, an estimator, a pipeline or an ensemble.

    model : what writers write of it.
    values : the features' numbers (n, features), of an X as its `predict` takes.
    outputs : the probabilities, or values, (n, outputs), that it gives for such an X by itself.
    rows : such an X for features' numbers of which none is missing; None where it is made elsewhere.
    """

    model: Model
    values: Callable[[Any], Floats]
    outputs: Callable[[Any], Array]
    rows: Callable[[Floats], Any] | None = None
