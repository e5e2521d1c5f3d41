"""Estimators, pipelines that end in one, and ensembles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from glassnet._types import Array
from glassnet.errors import InputError, InputTypeError
from glassnet.export.model import Answer, Feature, Member, Model, mean_of
from glassnet.export.sources.runs import answers_of, source_of_network
from glassnet.export.sources.source import Source
from glassnet.export.sources.tables import columns_of, features_of, values_of
from glassnet.export.sources.transformers import Inputs, center_and_scale, does_nothing, moved
from glassnet.nn.network import Network
from glassnet.sklearn.base import BaseMLP
from glassnet.sklearn.checks import as_rows
from glassnet.sklearn.classifier import MLPClassifier
from glassnet.sklearn.ensembles.ensemble import Ensemble
from glassnet.sklearn.ensembles.members import Member as NetworkMember
from glassnet.sklearn.labels import MULTILABEL, MULTIOUTPUT, Labels, both_classes
from glassnet.sklearn.regressor import MLPRegressor
from glassnet.sklearn.samples import samples_of
from glassnet.sklearn.tables import raw_columns


def source_of_estimator(subject: object) -> Source | None:
    """An estimator of glassnet's or scikit-learn's, a pipeline that ends in one, or an ensemble of these.

    scikit-learn's own networks are taken as `from_sklearn` takes them. None for anything else.
    """
    if not isinstance(subject, Ensemble):
        return _of_member(subject)
    check_is_fitted(subject, "estimators_")
    sources = []
    for member in subject.estimators_:
        source = _of_network(member) if isinstance(member, NetworkMember) else _of_member(member)
        if source is None:
            raise InputTypeError(f"The ensemble has a {type(member).__name__}; expected networks.")
        sources.append(source)
    return _mean_of_sources(sources)


def _mean_of_sources(sources: Sequence[Source]) -> Source:
    models = [source.model for source in sources]
    kinds = [(one.features, one.answers, one.softmaxes, one.pair, one.link, one.dtype) for one in models]
    if any(kind != kinds[0] for kind in kinds):
        raise InputError(
            "The members of the ensemble differ in their features, categories, labels, outputs or "
            "precision; expected networks of the same columns and the same kind of answer."
        )
    shared = replace(models[0], members=tuple(member for model in models for member in model.members))
    return Source(shared, sources[0].values, lambda X: mean_of(source.outputs(X) for source in sources))


def _of_network(member: NetworkMember) -> Source:
    """A run in an ensemble, which has a probability for both of two labels."""
    known = member.classes_
    classes = None if known is None or member.is_multilabel else tuple(known.tolist())
    source = source_of_network(member.network, member.theta, replace(member.encoding, classes=classes))
    if member.network.loss.target != "label" or member.is_multilabel:
        return source
    answers = (source.model.answers[0]._replace(stop=2),)
    return source._replace(
        model=replace(source.model, answers=answers, pair=True),
        outputs=lambda X: both_classes(source.outputs(X)),
    )


def _of_member(subject: object) -> Source | None:
    """An estimator with what stands before and behind it; None for anything else."""
    transformers, estimator, of_target = _taken_apart(subject)
    if estimator is None:
        return None
    check_is_fitted(subject)
    network, theta = estimator._fitted()
    known = vars(estimator)
    preprocessing, rows = known.get("_preprocessing"), None
    if preprocessing is not None:
        if transformers:
            raise InputError(
                "The estimator has categorical_features and other transformers before it, and one of them "
                "alone makes inputs here: encode in a ColumnTransformer, or in the estimator."
            )
        features, columns = features_of(preprocessing), columns_of(preprocessing)

        def values(X: Any) -> Any:
            return values_of(preprocessing, raw_columns(estimator, X))
    else:
        count = getattr(subject, "n_features_in_", network.sizes[0])
        names = getattr(subject, "feature_names_in_", [f"x{place}" for place in range(count)])
        inputs = Inputs([*map(str, names)], hasattr(subject, "feature_names_in_"))
        drafts = inputs.through([*transformers, known.get("imputer_")])
        features, columns = inputs.finish(moved(drafts, known.get("mean_"), known.get("scale_")))
        values, rows = inputs.values, inputs.rows
    if transformers or preprocessing is not None:  # which compute in float64
        theta = theta.astype(np.float64)
    mean, scale = _of_target(of_target, network)
    model = _model(estimator, features, Member(columns, network, theta, mean, scale))

    def outputs(X: Any) -> Array:
        if transformers and getattr(X, "dtype", None) == np.float32:
            X = X.astype(np.float64)
        for transformer in transformers:
            X = transformer.transform(X)
        X = samples_of(estimator, X).inputs()[2]
        if "mean_" in known:
            X = (X - known["mean_"]) / known["scale_"]
        Y_hat = estimator._outputs_of(network, theta, as_rows(X, theta.dtype))
        Y_hat = both_classes(Y_hat) if model.pair else Y_hat
        return Y_hat if of_target is None else of_target.inverse_transform(Y_hat)

    return Source(model, values, outputs, rows)


def _taken_apart(subject: Any) -> tuple[list[Any], Any, Any]:
    """The transformers before an estimator, the estimator, and the transformer of its target.

    The estimator is None where it is no network.
    """
    if isinstance(subject, Pipeline):
        check_is_fitted(subject)
        *before, last = [step for _, step in subject.steps]
        transformers, estimator, of_target = _taken_apart(last)
        working = [step for step in before if not does_nothing(step)]
        return [*working, *transformers], estimator, of_target
    if isinstance(subject, TransformedTargetRegressor):
        check_is_fitted(subject)
        transformers, estimator, of_target = _taken_apart(subject.regressor_)
        if of_target is not None:
            raise InputError("The target is transformed twice: use one TransformedTargetRegressor.")
        return transformers, estimator, subject.transformer_
    for kind in (MLPClassifier, MLPRegressor):
        if isinstance(subject, kind._theirs) and not isinstance(subject, BaseMLP):
            check_is_fitted(subject)
            return [], kind.from_sklearn(subject), None
    return [], subject if isinstance(subject, BaseMLP) else None, None


def _of_target(transformer: Any, network: Network) -> tuple[Any, Any]:
    """The mean and the scale of outputs, None for both where they stay as they are."""
    if transformer is None:
        return None, None
    if type(transformer) not in (StandardScaler, RobustScaler):
        raise InputError(
            f"The target is transformed by {type(transformer).__name__}, and a network's outputs are moved "
            f"back by StandardScaler and RobustScaler alone: transform it by one of these."
        )
    mean, scale = center_and_scale(transformer)
    outputs = network.sizes[-1]
    return (
        tuple((np.zeros(outputs) if mean is None else mean).tolist()),
        tuple((np.ones(outputs) if scale is None else scale).tolist()),
    )


def _model(estimator: Any, features: tuple[Feature, ...], member: Member) -> Model:
    labels: Labels | None = estimator._labels if isinstance(estimator, MLPClassifier) else None
    if labels is None or labels.kind == MULTILABEL:
        return Model(features, (member,), answers_of(member.network, None))
    if labels.kind == MULTIOUTPUT:
        widths = labels.softmaxes.widths
        ends = np.cumsum(widths).tolist()
        answers = tuple(
            Answer(f"y{place + 1}", end - width, end, tuple(classes.tolist()))
            for place, (width, end, classes) in enumerate(zip(widths, ends, labels.classes, strict=True))
        )
        return Model(features, (member,), answers, softmaxes=widths)
    classes = tuple(labels.classes.tolist())
    pair = member.network.sizes[-1] == 1
    if len(classes) == 1:
        raise InputError(f"y had one class alone, {classes[0]!r}: there is no network.")
    return Model(features, (member,), (Answer("y", 0, len(classes), classes),), pair=pair)
