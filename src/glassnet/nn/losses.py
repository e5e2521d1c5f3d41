"""The links of the output layer and the losses, each loss a record of value and delta.

A loss is a function of the output layer's *pre-activation* Z, not of Y_hat: link and loss are one formula,
which keeps value and delta finite and exact for logits of any size.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, SupportsIndex

import numpy as np

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.nn import loss_hessians, loss_values
from glassnet.nn.activations import logistic
from glassnet.nn.loss_values import exp, softmax
from glassnet.utils.settings_checks import as_fraction, as_positive, as_real


@dataclass(frozen=True)
class Output:
    """The output layer's link, Y_hat = link(Z) with Z and Y_hat of shape (n, outputs).

    >>> import numpy as np, glassnet as gn
    >>> softmax = gn.OUTPUTS["softmax"]
    >>> softmax.link(np.zeros((1, 2))).tolist(), softmax.loss
    ([[0.5, 0.5]], 'cross_entropy')
    """

    name: str
    link: Callable[[Array], Array]
    formula: str
    loss: str
    """The link's own loss, which a network takes where no other is named."""

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # As for an activation: a built-in record is pickled by its name.
        if OUTPUTS.get(self.name) is self:
            return get_output, (self.name,)
        return super().__reduce_ex__(protocol)


class Settings(Mapping[str, float]):
    """Numbers by name that never change, so that a record that holds them can be hashed."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, float] | None = None) -> None:
        self._values = dict(values or {})

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return repr(self._values)


@dataclass(frozen=True)
class Loss:
    """A sample's loss and its derivative with respect to the output layer's Z.

    ``value(Z, Y)`` is (n,): each sample's loss, summed over the outputs. ``delta(Z, Y)`` is
    (n, outputs): its derivative with respect to Z. ``target`` says what a target may be: ``"class"``
    (probabilities of classes, rows that sum to 1), ``"label"`` (each entry from 0 to 1),
    ``"nonnegative"`` (0 and above), ``"signed"`` (from -1 to 1) or ``"real"``. ``settings`` are the numbers
    in the loss's formula, and ``kinks`` the residuals z - y where its derivative jumps: the gradient
    checker does not step across them. ``factor(Z)``, or None, is (K, n, outputs): for each sample the rows
    f_1 ... f_K whose products add up to the second derivative of its loss with respect to Z,
    ``sum_k f_k f_k^T``. ``term`` is one output's part of the value in y, y_hat, r = y_hat - y and the
    settings, which `explain` writes with numbers; the sum of parts in "-[...]" is -(their sum).

    Example
    -------
    >>> import glassnet as gn
    >>> loss = gn.losses.huber(delta=0.5)
    >>> loss == gn.losses.huber(delta=0.5), loss == gn.LOSSES["huber"], dict(loss.settings)
    (True, False, {'delta': 0.5})
    >>> str(gn.Network((3, 1), output="identity", loss=loss))
    '3-1 (identity; huber(delta=0.5))'

    Only the NumPy engine runs a record that glassnet's own functions have not made.
    """

    name: str
    output: str
    target: str
    value: Callable[[Array, Array], Array]
    delta: Callable[[Array, Array], Array]
    formula: str
    delta_formula: str
    settings: Mapping[str, float] = field(default_factory=Settings)
    kinks: tuple[float, ...] = ()
    factor: Callable[[Array], Array] | None = None
    term: str = field(default="", compare=False)  # pickles of earlier commits have none

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", Settings(self.settings))

    @property
    def is_built_in(self) -> bool:
        """Whether this is a loss of `LOSSES`, with its default settings or with others."""
        if self.name not in MAKERS or not self.settings:
            return LOSSES.get(self.name) is self
        return self._is_made_here

    @property
    def is_ours(self) -> bool:
        """Whether it is built in or one of `NUMPY_LOSSES`, and not a user's own."""
        return self.is_built_in or NUMPY_LOSSES.get(self.name) == self

    @cached_property
    def _is_made_here(self) -> bool:
        try:
            return self == MAKERS[self.name](**self.settings)
        except (InputError, TypeError):  # a user's record under our name, with settings that ours refuses
            return False

    def to_plain(self) -> str | dict[str, Any]:
        """The name; with settings other than the defaults, name and settings, which JSON and TOML hold.

        >>> import glassnet as gn
        >>> gn.LOSSES["huber"].to_plain(), gn.losses.huber(delta=0.5).to_plain()
        ('huber', {'name': 'huber', 'delta': 0.5})
        """
        if not self.settings or LOSSES.get(self.name) == self:
            return self.name
        return {"name": self.name, **self.settings}

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        plain = self.to_plain()
        if isinstance(plain, str):
            return plain
        return f"{self.name}({', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        # Pickled by name and settings: an equal record comes back, the default one itself.
        if self.is_built_in:
            return loss_from_plain, (self.to_plain(),)
        return super().__reduce_ex__(protocol)


@dataclass(frozen=True)
class _With:
    """function(Z, Y) of a function(Z, Y, settings); two are equal where function and settings are."""

    function: Callable[..., Array]
    settings: Settings

    def __call__(self, Z: Array, Y: Array) -> Array:
        return self.function(Z, Y, **self.settings)


OUTPUTS: dict[str, Output] = {
    record.name: record
    for record in (
        Output("softmax", softmax, "exp(z_c) / sum_k exp(z_k)", loss="cross_entropy"),
        Output("logistic", logistic, "1 / (1 + exp(-z))", loss="binary_cross_entropy"),
        Output("identity", lambda z: z, "z", loss="squared_error"),
        Output("exp", exp, "exp(z)", loss="poisson"),
    )
}
"""Every output link by name."""

# ---- Losses with a setting ----------------------------------------------------------------------


def cross_entropy(label_smoothing: float = 0.0) -> Loss:
    """Cross-entropy over a softmax: -sum_c y'_c log y_hat_c with y' = (1 - e) y + e / C.

    e is `label_smoothing`, from 0 to below 1: the target of a class is then a probability a little below 1,
    which finite outputs can reach (Szegedy et al., Rethinking the Inception architecture, 2016). Y is
    class numbers (n,) or rows (n, C) that sum to 1. As in PyTorch.

    Raises InputError for a setting out of range.

    >>> import glassnet as gn
    >>> net = gn.Network((2, 3), loss=gn.losses.cross_entropy(label_smoothing=0.1))
    >>> net.loss.settings["label_smoothing"]
    0.1
    """
    e = as_real(label_smoothing, "label_smoothing")
    if not 0 <= e < 1:
        raise InputError(f"label_smoothing is {e}; expected a number from 0 to below 1, such as 0.1.")
    settings = Settings({"label_smoothing": e})
    smooth = "-sum_c y'_c log y_hat_c, y' = (1 - label_smoothing) y + label_smoothing / C"
    return Loss(
        "cross_entropy",
        output="softmax",
        target="class",
        value=_With(loss_values.cross_entropy, settings),
        delta=_With(loss_values.cross_entropy_delta, settings),
        formula=f"{smooth}, label_smoothing = {e!r}" if e else "-sum_c y_c log y_hat_c",
        delta_formula="y_hat - y'" if e else "y_hat - y",
        settings=settings,
        factor=loss_hessians.multinomial,
        term="-[y log(y_hat)]",
    )


def brier() -> Loss:
    """Half the squared error of a logistic output, sum_k (y_hat_k - y_k)^2 / 2 (Brier, 1950).

    A sure and wrong answer has next to no slope: "binary_cross_entropy" learns faster. The NumPy engine
    runs it.

    >>> import glassnet as gn
    >>> gn.Network((2, 4, 1), output="logistic", loss=gn.losses.brier()).loss.name
    'brier'
    """
    return NUMPY_LOSSES["brier"]


def tanh_error() -> Loss:
    """Half the squared error of a tanh output, sum_k (y_hat_k - y_k)^2 / 2: the own loss of "tanh".

    For targets from -1 to 1, as of MATLAB's "tansig" output layer. A sure and wrong answer has next to no
    slope: quantities learn faster by "identity". The NumPy engine runs it.

    >>> import glassnet as gn
    >>> gn.Network((2, 4, 1), output="tanh").loss is gn.losses.tanh_error()
    True
    """
    return NUMPY_LOSSES["tanh_error"]


def huber(delta: float = 1.0) -> Loss:
    """Huber's loss: r^2 / 2 up to |r| = delta, delta (|r| - delta / 2) beyond, with r = y_hat - y.

    Summed over the outputs. `delta`, above 0, is in the unit of the target: beyond it the derivative stays
    +-delta (Huber, Robust estimation of a location parameter, 1964). PyTorch's HuberLoss, of which
    SmoothL1Loss is a multiple.

    Raises InputError for a setting out of range.

    >>> import numpy as np, glassnet as gn
    >>> gn.losses.huber(delta=2.0).value(np.array([[1.0], [5.0]]), np.zeros((2, 1))).tolist()
    [0.5, 8.0]
    """
    settings = Settings({"delta": as_positive(delta, "delta")})
    return Loss(
        "huber",
        output="identity",
        target="real",
        value=_With(loss_values.huber, settings),
        delta=_With(loss_values.huber_delta, settings),
        formula="sum_k r_k^2 / 2 where |r_k| <= delta, else delta (|r_k| - delta / 2); "
        f"r = y_hat - y, delta = {settings['delta']!r}",
        delta_formula="min(max(y_hat - y, -delta), delta)",
        settings=settings,
        term="r^2 / 2 where abs(r) <= delta, else delta (abs(r) - delta / 2)",
    )


def quantile(level: float = 0.5) -> Loss:
    """The pinball loss, least where y_hat is y's quantile: max((1 - level) r, -level r), r = y_hat - y.

    Summed over the outputs. `level` lies between 0 and 1: with 0.9 the network learns the value that nine
    of ten targets stay below (Koenker and Bassett, Regression quantiles, 1978). scikit-learn's
    mean_pinball_loss; at 0.5 it is half the absolute error. Where r is 0 the derivative is 0.

    Raises InputError for a setting out of range.

    >>> import numpy as np, glassnet as gn
    >>> gn.losses.quantile(level=0.75).value(np.array([[1.0], [-1.0]]), np.zeros((2, 1))).tolist()
    [0.25, 0.75]
    """
    settings = Settings({"level": as_fraction(level, "level")})
    return Loss(
        "quantile",
        output="identity",
        target="real",
        value=_With(loss_values.quantile, settings),
        delta=_With(loss_values.quantile_delta, settings),
        formula=f"sum_k max((1 - level) r_k, -level r_k); r = y_hat - y, level = {settings['level']!r}",
        delta_formula="1 - level where y_hat > y, -level where y_hat < y",
        settings=settings,
        kinks=(0.0,),
        term="(1 - level) r where r >= 0, else (-level) r",
    )


# ---- The registry -------------------------------------------------------------------------------

LOSSES: dict[str, Loss] = {
    record.name: record
    for record in (
        cross_entropy(),
        Loss(
            "binary_cross_entropy",
            output="logistic",
            target="label",
            value=loss_values.binary_cross_entropy,
            delta=lambda z, y: logistic(z) - y,
            formula="-sum_k [y_k log y_hat_k + (1 - y_k) log(1 - y_hat_k)]",
            delta_formula="y_hat - y",
            factor=loss_hessians.bernoulli,
            term="-[y log(y_hat) + (1 - y) log(1 - y_hat)]",
        ),
        Loss(
            "squared_error",
            output="identity",
            target="real",
            value=lambda z, y: 0.5 * ((z - y) ** 2).sum(axis=1),
            delta=lambda z, y: z - y,
            formula="1/2 sum_k (y_hat_k - y_k)^2",
            delta_formula="y_hat - y",
            factor=loss_hessians.ones,
            term="(y_hat - y)^2 / 2",
        ),
        Loss(
            "absolute_error",
            output="identity",
            target="real",
            value=lambda z, y: np.abs(z - y).sum(axis=1),
            # At the kink 0, which lies between its two sides.
            delta=lambda z, y: np.sign(z - y),
            formula="sum_k |y_hat_k - y_k|",
            delta_formula="sign(y_hat - y)",
            kinks=(0.0,),
            term="abs(y_hat - y)",
        ),
        huber(),
        quantile(),
        Loss(
            "poisson",
            output="exp",
            target="nonnegative",
            # Without log y!, which no network changes: the value is below 0 where y is large.
            value=lambda z, y: (exp(z) - y * z).sum(axis=1),
            delta=lambda z, y: exp(z) - y,
            formula="sum_k [y_hat_k - y_k log y_hat_k], log y_k! left out",
            delta_formula="y_hat - y",
            factor=loss_hessians.rates,
            term="y_hat - y log(y_hat)",
        ),
    )
}
"""Every loss by name, with its default settings."""

NUMPY_LOSSES: dict[str, Loss] = {
    record.name: record
    for record in (
        Loss(
            "brier",
            output="logistic",
            target="label",
            value=loss_values.brier,
            delta=loss_values.brier_delta,
            formula="sum_k (y_hat_k - y_k)^2 / 2",
            delta_formula="(y_hat - y) y_hat (1 - y_hat)",
            term="(y_hat - y)^2 / 2",
        ),
        Loss(
            "tanh_error",
            output="tanh",
            target="signed",
            value=loss_values.tanh_error,
            delta=loss_values.tanh_error_delta,
            formula="sum_k (y_hat_k - y_k)^2 / 2",
            delta_formula="(y_hat - y) (1 - y_hat^2)",
            term="(y_hat - y)^2 / 2",
        ),
    )
}
"""Losses that the NumPy engine alone computes: files and pickles know them as losses of the user's own."""

_brier, _brier_delta = loss_values.brier, loss_values.brier_delta
"""Their names in pickles of earlier commits."""

ALL_LOSSES = LOSSES | NUMPY_LOSSES

ALL_OUTPUTS = OUTPUTS | {"tanh": Output("tanh", np.tanh, "tanh(z)", loss="tanh_error")}
"""The links of these losses."""

MAKERS: dict[str, Callable[..., Loss]] = {
    name: globals()[name] for name, record in LOSSES.items() if record.settings
}
"""The function that makes each loss with settings: it has the name of the loss."""


def loss_from_plain(plain: str | Mapping[str, Any]) -> Loss:
    """The loss from what ``to_plain`` gives, a name or a mapping; a missing setting takes its default.

    Raises InputError for a missing or unknown name, an unknown setting or a value out of range.

    >>> from glassnet.nn.losses import loss_from_plain
    >>> loss_from_plain({"name": "quantile", "level": 0.9}).settings["level"]
    0.9
    """
    if isinstance(plain, str):
        plain = {"name": plain}
    if not isinstance(plain, Mapping):
        raise InputTypeError(
            f"A loss is a name or a glassnet.Loss such as gn.losses.huber(delta=0.5), not {plain!r} "
            f"({type(plain).__name__}). Names: {', '.join(ALL_LOSSES)}."
        )
    settings = dict(plain)
    if "name" not in settings:
        raise InputError(f"The loss has no name. Choose one of: {', '.join(ALL_LOSSES)}.")
    name = settings.pop("name")
    if name not in ALL_LOSSES:
        raise unknown_name("loss", name, ALL_LOSSES)
    known = inspect.signature(MAKERS[name]).parameters if name in MAKERS else {}
    for setting in settings:
        if not known:
            raise InputError(f"The loss {name!r} has no settings; leave out {', '.join(settings)}.")
        if setting not in known:
            raise unknown_name(f"setting of the loss {name!r}:", setting, known)
    return MAKERS[name](**settings) if settings else ALL_LOSSES[name]


def get_output(output: str) -> Output:
    """The output record for a name, or an InputError that names the nearest one."""
    if not isinstance(output, str):
        raise InputTypeError(
            f"An output is a name, not {output!r} ({type(output).__name__}). Names: "
            f"{', '.join(ALL_OUTPUTS)}."
        )
    if output not in ALL_OUTPUTS:
        raise unknown_name("output", output, ALL_OUTPUTS)
    return ALL_OUTPUTS[output]
