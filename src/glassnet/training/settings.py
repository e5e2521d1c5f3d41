"""The settings of a fit: one frozen record, which `train` makes of its keywords and everybody below reads.

A setting of `train` is written down in two places that a test compares: `train`'s signature has its name,
type, default and documentation, the record here has its check. Whoever needs the names, the checks or the
defaults (sweeps, experiment files, the command line) derives them: from `NAMES`, `CHECKS` and, of
`glassnet.training.train`, `DEFAULTS`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.random import RandomState
from numpy.typing import DTypeLike, NDArray

from glassnet.data.checks import ENGINES, REDUCTIONS, choose_engine
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.dropout import as_dropout
from glassnet.nn.network import Network, Parameters
from glassnet.nn.schemes import BOUNDED, SCHEMES
from glassnet.optim.penalties import Penalties, as_layers, frozen_mask
from glassnet.training.early_stopping import (
    EarlyStopping,
    Metric,
    as_metrics,
    check_metrics,
    check_schedule,
    check_stopping,
)
from glassnet.training.steppers import BayesianRegularization, Rule, Solver, check_fits, check_rule
from glassnet.training.validation import as_validation
from glassnet.utils.array_checks import as_dtype
from glassnet.utils.settings_checks import (
    Check,
    Settings,
    as_bound,
    as_count,
    as_flag,
    as_fraction,
    as_not_negative,
    as_steps,
    check_random_state,
    checked,
    one_of,
    or_none,
)
from glassnet.utils.threads import thread_count

AUTO = "auto"


def _as_standardize(value: object, name: str) -> bool | str:
    if isinstance(value, str) and value == "X":
        return value
    if not isinstance(value, (bool, np.bool_)):
        raise InputTypeError(f'{name} is True, False or "X", which scales X alone, not {value!r}.')
    return bool(value)


@dataclass(frozen=True, eq=False, kw_only=True)
class FitSettings(Settings):
    """Every keyword of `train` that says how to fit, each checked on its own.

    `train` documents the fields and holds their defaults; those without a check are looked at together with
    network and data. `dtype` is None or the name of a precision, `validation` None, a fraction, or X, y and
    weights. `check` looks at what depends on the network.
    """

    optimizer: Rule = field(metadata=checked(lambda value, name: check_rule(value)))
    iterations: int = field(metadata=checked(as_count))
    batch_size: int | None = field(metadata=checked(or_none(as_steps)))
    reduction: str = field(metadata=checked(one_of(REDUCTIONS)))
    parameters: Parameters | NDArray[Any] | None
    scheme: str = field(metadata=checked(one_of((AUTO, *SCHEMES))))
    random_state: int | RandomState | None = field(metadata=checked(check_random_state))
    dtype: DTypeLike | None = field(metadata=checked(or_none(lambda value, name: as_dtype(value).name)))
    engine: str = field(metadata=checked(one_of(ENGINES)))
    threads: int | None = field(metadata=checked(or_none(thread_count)))
    l1: float = field(metadata=checked(as_not_negative))
    l2: float = field(metadata=checked(as_not_negative))
    max_norm: float | None = field(metadata=checked(as_bound))
    shuffle: bool = field(metadata=checked(as_flag))
    dropout: float | Sequence[float]
    validation: object = field(metadata=checked(or_none(lambda value, name: as_validation(value))))
    validate_every: int = field(metadata=checked(as_steps))
    stopping: EarlyStopping | None = field(metadata=checked(lambda value, name: check_stopping(value)))
    average: float | None = field(metadata=checked(or_none(as_fraction)))
    class_weight: object
    test: float | None = field(metadata=checked(or_none(as_fraction), added=True))
    metrics: str | Metric | Sequence[str | Metric] = field(metadata=checked(as_metrics, added=True))
    standardize: bool | str = field(metadata=checked(_as_standardize, added=True))
    freeze: Sequence[int] = field(metadata=checked(as_layers, added=True))

    @classmethod
    def of(cls, keywords: Mapping[str, Any]) -> FitSettings:
        """The record of a call's keywords by name, of which those that are no settings are ignored."""
        return cls(**{name: keywords[name] for name in NAMES})

    @cached_property
    def penalties(self) -> Penalties:
        """l1, l2 and max_norm as one."""
        return Penalties(self.l1, self.l2, self.max_norm)

    def first_scheme(self, network: Network) -> str:
        """The scheme of the first draw; "auto" is "nguyen_widrow" where a solver fits scaled quantities."""
        if self.scheme != AUTO:
            return self.scheme
        solves = isinstance(self.optimizer, Solver) and not isinstance(
            self.optimizer, BayesianRegularization
        )
        bounded = any(record.name in BOUNDED for record in network.hidden)
        fits = solves and bounded and network.loss.name == "squared_error"
        return "nguyen_widrow" if fits and self.standardize is True else "glorot"

    def check(self, network: Network, memory: int | None = None) -> None:
        """Raise InputError or EngineError where settings do not fit each other or the network.

        `memory` is the bytes that reading streamed data may take; None in memory.
        """
        dropout = as_dropout(self.dropout, len(network.hidden))
        of_fit = self.batch_size, self.penalties, dropout, self.average, self.freeze
        check_fits(self.optimizer, network, *of_fit, memory)
        if self.freeze:
            frozen_mask(network.sizes, tuple(self.freeze))
        choose_engine(network, self.engine, self.freeze)
        shares = self.test or 0.0, self.validation if isinstance(self.validation, float) else 0.0
        if sum(shares) >= 1:
            raise InputError(
                f"test={shares[0]} and validation={shares[1]} leave no rows to train on: expected shares "
                f"that sum to less than 1."
            )
        check_schedule(self.optimizer, self.validation is not None)
        check_metrics(self.metrics, self.validation is not None, network)
        check_stopping(self.stopping, self.validation is not None, network)


NAMES = tuple(setting.name for setting in fields(FitSettings))
"""The name of every setting, in `train`'s order."""

CHECKS: Mapping[str, Check] = {
    setting.name: setting.metadata["check"]
    for setting in fields(FitSettings)
    if "check" in setting.metadata
}
"""The check of every setting that can be looked at on its own."""

ADDED_NAMES = frozenset(setting.name for setting in fields(FitSettings) if setting.metadata.get("added"))
"""The settings that journals of earlier commits do not know; see `checked`."""
