"""scikit-learn's own estimators from ours, and ours from scikit-learn's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.preprocessing import LabelBinarizer

from glassnet.data.holdout import listed
from glassnet.errors import InputError, InputTypeError
from glassnet.nn.activations import ACTIVATIONS, Activation, get_activation
from glassnet.sklearn.checks import defaults_of
from glassnet.sklearn.labels import BINARY, MULTICLASS, MULTILABEL, Labels
from glassnet.sklearn.network import hidden_functions, hidden_sizes
from glassnet.utils.warn import warn

THEIR_ACTIVATIONS = ("identity", "logistic", "tanh", "relu")

_TAKES: dict[str, Callable[[Any], bool]] = {
    "loss": lambda loss: isinstance(loss, str) and loss in ("squared_error", "poisson"),
    "solver": lambda solver: isinstance(solver, str) and solver in ("adam", "sgd", "lbfgs"),
    "learning_rate": lambda rate: isinstance(rate, str),
}
"""What scikit-learn takes of its arguments that take more here; activations are checked by layer."""

_WITHOUT_EFFECT = ("average_outputs", "dtype", "n_threads")
"""Arguments that do not change what is trained, or are as scikit-learn's only way where they are set."""

_LEARNED = (
    "n_layers_",
    "n_outputs_",
    "out_activation_",
    "n_features_in_",
    "feature_names_in_",
    "loss_",
    "loss_curve_",
    "best_loss_",
    "validation_scores_",
    "best_validation_score_",
    "n_iter_",
    "t_",
    "_no_improvement_count",
)
"""Attributes of one name and meaning in both, beside coefficients and classes."""

_KINDS = {BINARY: "binary", MULTICLASS: "multiclass", MULTILABEL: "multilabel-indicator"}
"""What scikit-learn's `LabelBinarizer` calls each kind of labels."""


def as_theirs(estimator: Any, warns: bool = True) -> Any:
    """See `BaseMLP.to_sklearn`; `warns` of settings of training that scikit-learn lacks."""
    kind, known = estimator._theirs, vars(estimator)
    arguments, lacking = _arguments(estimator)
    if "coefs_" not in known:
        sizes = hidden_sizes(estimator.hidden_layer_sizes)
        hidden = [get_activation(one) for one in hidden_functions(estimator.activation, len(sizes))]
        _refuse(kind, [*_unlike(hidden), *lacking])
        return kind(activation=hidden[0].name if hidden else "relu", **arguments)
    if known.get("_preprocessing") is not None:
        raise InputError(
            f"scikit-learn's {kind.__name__} has no categorical_features, and would take the encoded "
            f"inputs, {listed(estimator.input_names_.tolist())}. Encode in a pipeline before the "
            f"estimator, with OneHotEncoder, SimpleImputer and StandardScaler, to take it there."
        )
    network, theta = estimator._fitted()
    labels = estimator._labels if kind is TheirClassifier else None
    several = ["y of several columns of classes"] if labels and labels.kind not in _KINDS else []
    _refuse(kind, [*several, *_unlike(network.hidden)])
    if warns and lacking:
        warn(
            f"scikit-learn's {kind.__name__} predicts the same, and would train otherwise if it were "
            f"fitted again: it has no {', no '.join(lacking)}.",
            UserWarning,
        )
    arguments["hidden_layer_sizes"] = tuple(network.sizes[1:-1])
    theirs = kind(activation=network.hidden[0].name if network.hidden else "relu", **arguments)
    theta, output = theta.copy(), network.output.name
    coefs, intercepts = list(theta.weights), list(theta.biases)
    if labels is not None and output == "softmax" and len(labels.classes) == 2:
        # scikit-learn's two classes have one output: softmax(z)_2 = logistic(z_2 - z_1).
        coefs[-1], intercepts[-1] = np.diff(coefs[-1]), np.diff(intercepts[-1])
        labels, output = Labels(BINARY, labels.classes), "logistic"
    shape = {"n_layers_": len(network.sizes), "n_outputs_": len(intercepts[-1])}
    shape |= {"n_features_in_": network.sizes[0], "out_activation_": output}
    theirs.__dict__.update({name: known[name] for name in _LEARNED if name in known} | shape)
    theirs.coefs_, theirs.intercepts_ = theirs._best_coefs, theirs._best_intercepts = coefs, intercepts
    if labels is not None:
        theirs.classes_, theirs._label_binarizer = labels.classes, as_label_binarizer(labels)
    return theirs


def from_theirs(kind: type[Any], estimator: Any) -> Any:
    """See `BaseMLP.from_sklearn`."""
    theirs = kind._theirs
    if not isinstance(estimator, theirs):
        came = estimator if isinstance(estimator, type) else type(estimator)
        raise InputTypeError(
            f"{kind.__name__}.from_sklearn takes an estimator of sklearn.neural_network.{theirs.__name__}; "
            f"{'the class' if came is estimator else 'one of'} {came.__module__}.{came.__name__} came."
        )
    ours, known = (
        kind(**{name: getattr(estimator, name) for name in theirs().get_params()}),
        vars(estimator),
    )
    if "coefs_" in known:
        ours.__dict__.update({name: known[name] for name in _LEARNED if name in known})
        ours.coefs_, ours.intercepts_ = known["coefs_"], known["intercepts_"]
        if "_label_binarizer" in known:
            ours._label_binarizer = known["_label_binarizer"]
        ours._settle()
    return ours


def as_label_binarizer(labels: Labels) -> LabelBinarizer:
    """scikit-learn's `LabelBinarizer`, fitted to these labels; AttributeError for several columns."""
    if labels.kind not in _KINDS:
        raise AttributeError("y has several columns of classes, for which there is no LabelBinarizer.")
    binarizer = LabelBinarizer()
    binarizer.classes_, binarizer.sparse_input_ = labels.classes, labels.sparse
    binarizer.y_type_ = _KINDS[labels.kind]
    return binarizer


def from_label_binarizer(binarizer: LabelBinarizer) -> Labels:
    """The labels that a fitted `LabelBinarizer` has learned."""
    kinds = {name: kind for kind, name in _KINDS.items()}
    return Labels(kinds[binarizer.y_type_], binarizer.classes_, binarizer.sparse_input_)


def _arguments(estimator: Any) -> tuple[dict[str, Any], list[str]]:
    """The arguments that scikit-learn has, and in words the others, where they change what is trained."""
    known, theirs = vars(estimator), estimator._theirs().get_params()
    arguments = {name: known[name] for name in theirs if name != "activation"}
    own = next(kind for kind in type(estimator).__mro__ if "_theirs" in vars(kind))
    lacking = {
        name: known[name]
        for name, default in defaults_of(own).items()
        if name not in theirs and name not in _WITHOUT_EFFECT and known[name] != default
    }
    for name, takes in _TAKES.items():
        if name in arguments and not takes(known[name]):
            lacking[name], arguments[name] = known[name], theirs[name]
    if "loss" in arguments and estimator._design()[0] == "exp":
        arguments["loss"] = "poisson"
    arguments["verbose"] = bool(arguments["verbose"])
    return arguments, [f"{name}={value!r}" for name, value in lacking.items()]


def _unlike(hidden: Sequence[Activation]) -> list[str]:
    """In words what scikit-learn lacks of the hidden layers: it has one function for all, of four."""
    names = [record.name for record in dict.fromkeys(hidden)]
    lacking = [
        f"activation {record.name!r}"
        for record in dict.fromkeys(hidden)
        if record.name not in THEIR_ACTIVATIONS or ACTIVATIONS.get(record.name) is not record
    ]
    return lacking + [f"activations that differ from layer to layer ({', '.join(names)})"] * (
        len(names) > 1
    )


def _refuse(kind: type[Any], lacking: list[str]) -> None:
    if lacking:
        raise InputError(f"scikit-learn's {kind.__name__} has no {', no '.join(lacking)}.")
