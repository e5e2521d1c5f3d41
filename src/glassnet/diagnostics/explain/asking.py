"""`explain`: which number is meant, and its explanation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glassnet.diagnostics.explain.explanation import Explanation
from glassnet.diagnostics.explain.parameters import ParameterNumbers
from glassnet.diagnostics.explain.sample_pass import SamplePass
from glassnet.diagnostics.explain.subject import Place, Subject
from glassnet.errors import InputError, InputTypeError, unknown_name
from glassnet.training.run import TrainingRun
from glassnet.utils.settings_checks import as_count, as_flag

NEEDED = {
    "pass": ("sample",),
    "activation": ("sample", "layer", "unit"),
    "delta": ("sample", "layer", "unit"),
    "weight": ("layer", "unit", "input"),
    "bias": ("layer", "unit"),
    "gradient": ("layer", "unit"),
    "update": ("layer", "unit"),
    "loss": (),
}
"""The kinds of numbers, and what names one."""

_ALLOWED = {
    "weight": ("sample",),
    "bias": ("sample",),
    "gradient": ("sample", "input"),
    "update": ("input",),
    "loss": ("sample",),
}


def explain(
    run: TrainingRun,
    X: object,
    y: object = None,
    *,
    what: str | None = None,
    sample: int | None = None,
    layer: int | None = None,
    unit: int | None = None,
    input: int | None = None,  # noqa: A002 - what it is
    sample_weight: object = None,
    dropout: bool = True,
) -> Explanation:
    """A number of a network: its formula, the same with its numbers, the result, and a check beside it.

    Parameters
    ----------
    run : a `TrainingRun`; the parameters are those that training goes on from, ``run.parameters``.
    X, y, sample_weight : the data that it was trained on, as `train` takes them; rows held out included,
        where a fraction was. y may be left out for activations.
    what : the kind of number:

        - "activation": H of a hidden unit, Y_hat of the output layer's, for one `sample`,
        - "delta": dJ/dZ of a unit, for one `sample`,
        - "weight": W of a layer, from `input` to `unit`; with a `sample` what it does there,
        - "bias": b of a unit,
        - "gradient": dJ/dW of a weight, or without `input` dJ/db of a bias, over all rows; with a `sample`
          also what that one adds,
        - "update": the change that the next update makes to a weight, or to a bias,
        - "loss": of one `sample`, or without one J over all rows, penalties included,
        - "pass": the whole way of a `sample`, forward and back.

        None takes what is named: a sample alone is its pass, with layer and unit an activation; layer, unit
        and input are a weight.
    sample, unit, input : rows of X, units of the layer and its inputs, from 0, as the arrays' indices.
    layer : from 1, the first hidden layer, to the output layer.
    dropout : whether units are left out as in the present training pass; False explains the pass that
        predicts.

    The symbols are those of `glassnet.nn.reference`: W1[0, 2] is the weight from input 0 to unit 2 of layer
    1, Z = H_before W + b, and delta = dJ/dZ with J the sum over the samples, before a mean is taken. The
    numbers are the reference's in the run's precision; the engine's differ by rounding. A check compares a
    derivative with a central difference, in float64, and judges it as `check_gradients` does: of an
    activation sigma'(Z), of a delta, a loss and the output dJ/dZ of this sample, of a weight, a gradient
    and an update dJ/dW over all rows. On batches, an update's gradient is that of the next batch. A solver
    moves all parameters together: its update has no formula of one number, and the notes say what it does.

    Raises InputError and InputTypeError for a number that is not there, for arguments that name none, and
    for data that do not fit the run.

    >>> import numpy as np, glassnet as gn
    >>> X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), [0, 1, 1, 0]
    >>> net = gn.Network((2, 3, 2), hidden="tanh")
    >>> run = gn.train(net, X, y, iterations=20, random_state=0)
    >>> print(gn.explain(run, X, y, sample=1, layer=1, unit=2))  # doctest: +ELLIPSIS
    The activation of unit 2 of hidden layer 1 for sample 1
      Z1[1, 2] = sum_i X[1, i] W1[i, 2] + b1[2]
               = 0 * ... + 1 * ... + ...
               = ...
      H1[1, 2] = sigma(Z1[1, 2]), tanh: sigma(z) = tanh(z)
               = tanh(...)
               = ...
      check dH1/dZ1 = sigma'(Z1[1, 2]) = ...
            central difference ..., step 0.0001
            right: the two differ by ..., and ... is allowed
    >>> gradient = gn.explain(run, X, y, what="gradient", layer=1, unit=2, input=0)
    >>> gradient.symbol, gradient.checks[0].verdict
    ('dJ/dW1[0, 2]', 'right')

    No framework shows its numbers: TensorFlow Playground has two digits of a weight, micrograd values
    without their check.
    """
    if not isinstance(run, TrainingRun):
        mend = (
            "Of parameters of your own make one: gn.train(network, X, y, parameters=theta, iterations=0)."
        )
        if hasattr(run, "to_run"):
            mend = "Give estimator.to_run()."
        if hasattr(run, "advance") and hasattr(run, "run"):
            mend = "Give tape.run, or tape.at(k)."
        raise InputTypeError(
            f"run is a TrainingRun, which gn.train returns, not {type(run).__name__}. {mend}"
        )
    names: dict[str, Any] = {"sample": sample, "layer": layer, "unit": unit, "input": input}
    names = {name: as_count(value, name) for name, value in names.items() if value is not None}
    kind = _kind(what, names)
    _check_names(kind, names)
    _check_places(run, kind, names)
    subject = Subject(run, X, y, sample_weight, as_flag(dropout, "dropout"))
    at = None
    if sample is not None:
        subject.check_sample(names["sample"])
        at = SamplePass(subject, names["sample"])
    explained = _explained(kind, subject, at, names)
    if any(check.verdict == "wrong" for check in explained.all_checks()):
        note = "A derivative is wrong: the findings of gn.check_gradients name the mistake and its layer."
        explained = replace(explained, notes=(*explained.notes, note))
    return explained


def _explained(kind: str, subject: Subject, at: SamplePass | None, names: dict[str, int]) -> Explanation:
    parameters = ParameterNumbers(subject)
    if kind in ("weight", "bias", "gradient", "update"):
        place = Place(names["layer"], names["unit"], names.get("input"))
        if kind == "gradient":
            return parameters.gradient(place, at)
        return parameters.update(place) if kind == "update" else parameters.value(place, at)
    if at is None:
        return parameters.loss()
    if kind in ("activation", "delta"):
        explained = at.activation if kind == "activation" else at.delta
        return explained(names["layer"], names["unit"])
    return at.loss() if kind == "loss" else at.whole()


def _kind(what: str | None, names: dict[str, int]) -> str:
    """The kind of number that is meant."""
    if what is not None:
        if not isinstance(what, str):
            raise InputTypeError(f"what is the kind of number, one of {', '.join(NEEDED)}, not {what!r}.")
        if what not in NEEDED:
            raise unknown_name("kind of number:", what, NEEDED)
        return what
    named = {*names}
    if named == {"sample"}:
        return "pass"
    if named == {"sample", "layer", "unit"}:
        return "activation"
    if {"layer", "unit", "input"} <= named:
        return "weight"
    given = ", ".join(f"{name}={value}" for name, value in names.items()) or "nothing"
    raise InputError(
        f"{given} names no one number; expected sample=7 for its whole pass, sample=7, layer=1, unit=2 for "
        f"an activation, layer=1, unit=2, input=0 for a weight, or say what it is: what= one of "
        f"{', '.join(NEEDED)}."
    )


def _check_names(kind: str, names: dict[str, int]) -> None:
    """Raise InputError for names that are missing, and for those that a kind has no use for."""
    needed, allowed = NEEDED[kind], _ALLOWED.get(kind, ())
    missing = [name for name in needed if name not in names]
    extra = [name for name in names if name not in (*needed, *allowed)]
    words = []
    if missing:
        words.append(f"needs {' and '.join(missing)}")
    if extra:
        hint = ' (what="weight" takes an input)' if kind == "bias" and "input" in extra else ""
        words.append(f"has no {' and no '.join(extra)}{hint}")
    if words:
        raise InputError(f'what="{kind}" {"; it ".join(words)}.')


def _check_places(run: TrainingRun, kind: str, names: dict[str, int]) -> None:
    """Raise InputError for a layer, a unit and an input that the network lacks."""
    sizes, wrong = run.network.sizes, []
    layer = names.get("layer")
    if layer is None:
        return
    depth = len(sizes) - 1
    if not 1 <= layer <= depth:
        raise InputError(
            f"layer is {layer}; {run.network} has the layers 1 to {depth}, of which {depth} is the output "
            f"layer. The inputs are no layer."
        )
    for name, size in (("unit", sizes[layer]), ("input", sizes[layer - 1])):
        if names.get(name, 0) >= size:
            wrong.append(f"{name} is {names[name]}; layer {layer} has {name}s 0 to {size - 1}")
    if wrong:
        raise InputError(f"{'. '.join(wrong)}. They count from 0, as the indices of arrays do.")
