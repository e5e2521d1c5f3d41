"""A network's loss by name, as users and files write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from glassnet.errors import InputError
from glassnet.nn.losses import ALL_LOSSES, Loss, Output, loss_from_plain


def get_loss(loss: str | Mapping[str, Any] | Loss | None, output: Output) -> Loss:
    """The loss record for a name, or for None the output's own loss; it must be a loss over that output.

    A mapping such as ``{"name": "huber", "delta": 0.5}`` gives settings too. Raises InputError for an
    unknown name or setting, and for a loss over another output.
    """
    if isinstance(loss, Loss):
        record = loss
    elif loss is None:
        record = loss_from_plain(output.loss)
    else:
        record = loss_from_plain(loss)
    if record.output != output.name:
        fitting = [r for r in ALL_LOSSES.values() if r.output == output.name]
        raise InputError(
            f"The loss {record.name!r} is written for the output {record.output!r}, not "
            f"{output.name!r}. Use output={record.output!r}, or one of these losses: "
            f"{', '.join(f'{r.name} ({r.formula})' for r in fitting)}."
        )
    return record
