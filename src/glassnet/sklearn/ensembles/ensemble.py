"""The ensemble: many members, one prediction, and their spread."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone, is_classifier
from sklearn.metrics import r2_score
from sklearn.utils import ClassifierTags, RegressorTags, check_random_state, get_tags
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from glassnet.errors import InputError, InterruptedTrainingWarning
from glassnet.model_selection import SweepResult
from glassnet.sklearn.classifier import MLPClassifier
from glassnet.sklearn.ensembles.members import (
    Member,
    best_runs,
    draw_seeds,
    fit_members,
    members_of_runs,
    read_members,
    write_members,
)
from glassnet.sklearn.labels import MULTILABEL
from glassnet.sklearn.samples import samples_of
from glassnet.sklearn.scoring import label_score
from glassnet.training.run import TrainingRun
from glassnet.utils.warn import collected, warn, warn_once

Arrays = list[NDArray[Any]]
"""An array for each column of classes, or one array."""


class Ensemble(MetaEstimatorMixin, BaseEstimator):
    """The mean of several networks' predictions, with their spread as an uncertainty.

    ``y_hat = 1/M sum_m y_hat_m`` over M members that differ in their seeds, or that are the best runs of a
    search (`from_sweep`, `from_runs`); of classes the mean is that of their probabilities. The spread is
    ``sqrt(1/M sum_m (y_hat_m - y_hat)^2)``: how far training alone moves a prediction. What it does not
    hold is the noise in y.

    Parameters
    ----------
    estimator : what a member is: `MLPClassifier`, `MLPRegressor`, a pipeline that ends in one, or any other
        of scikit-learn's estimators. None is for an ensemble whose members are made already.
    n_estimators : how many members `fit` makes.
    random_state : what the members' seeds are drawn from, one for each of their ``random_state``.
    n_threads : members that are fitted at a time, each on a thread of its own; None takes the cores that
        this process may use. Where there are more threads than members they share each other's work.
        Results do not depend on it.

    Attributes
    ----------
    estimators_ : the fitted members.
    classes_ : of a classifier, (n_classes,); where y has several columns of classes, a list of arrays.
    n_features_in_, feature_names_in_ : of X; names where it has them.

    Raises what the members raise, InputError for a classifier without probabilities, and NotFittedError
    for a prediction before `fit`. After Ctrl-C the members that were finished are kept, with an
    InterruptedTrainingWarning.

    Examples
    --------
    >>> import numpy as np, glassnet as gn
    >>> X = np.linspace(-1, 1, 60)[:, None]
    >>> net = gn.MLPRegressor(hidden_layer_sizes=8, activation="tanh", solver="lbfgs", max_iter=2000)
    >>> model = gn.Ensemble(net, n_estimators=5, random_state=0).fit(X, np.sin(3 * X).ravel())
    >>> mean, spread = model.predict([[0.5], [4.0]], return_std=True)
    >>> bool(spread[0] < 0.01 < spread[1])  # far from the data the members disagree
    True

    Hansen and Salamon (1990), "Neural network ensembles"; Lakshminarayanan, Pritzel and Blundell (2017) for
    the spread. scikit-learn's Bagging draws other samples for each member, which a network does not need
    to differ; its Voting takes a list of unlike estimators; neither tells the spread.
    """

    _parameter_constraints: dict[str, list[Any]] = {  # noqa: RUF012 - scikit-learn's way of telling
        "estimator": [HasMethods(["fit", "predict"]), None],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        estimator: Any,
        n_estimators: int = 10,
        *,
        random_state: Any = None,
        n_threads: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.random_state = random_state
        self.n_threads = n_threads

    @classmethod
    def from_runs(cls, runs: Iterable[TrainingRun], classes: Sequence[Any] | None = None) -> Ensemble:
        """An ensemble of runs of `train`, such as the best of a sweep, fitted as it is.

        Parameters
        ----------
        runs : of networks with the same inputs and kind of output; what lies between may differ.
        classes : what the class numbers stand for, in their order; None takes the numbers.

        Raises InputError for no runs, for one that diverged and for runs that do not go together.

        >>> import glassnet as gn
        >>> X, y = [[0.0], [1.0]], [0, 1]
        >>> runs = [gn.train(gn.Network((1, 2)), X, y, random_state=seed) for seed in range(3)]
        >>> gn.Ensemble.from_runs(runs, classes=["no", "yes"]).predict(X).tolist()
        ['no', 'yes']
        """
        return cls(None)._with(members_of_runs(runs, classes))

    @classmethod
    def from_sweep(
        cls, result: SweepResult, n_best: int = 3, *, fold: int | None = None, classes: Any = None
    ) -> Ensemble:
        """An ensemble of the runs of a sweep's best settings, of every seed, fitted as it is.

        Parameters
        ----------
        result : of `sweep`; its ``summary`` tells which settings are best, over all seeds and folds.
        n_best : how many settings.
        fold : of a sweep over folds the one whose runs are meant, as trained on its rows; -1 is the last.
        classes : as for `from_runs`.

        Raises InputError for more settings than there are, or than halving trained to the end, for a fold
        that is none, and as `from_runs` does.

        >>> import glassnet as gn
        >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [0.0, 1.0, 2.0, 3.0]
        >>> net, grid = gn.Network((1, 1), output="identity"), {"learning_rate": [0.01, 0.05, 0.1]}
        >>> result = gn.sweep(net, X, y, grid=grid, seeds=2, random_state=0)
        >>> len(gn.Ensemble.from_sweep(result, 2).estimators_)
        4
        """
        return cls.from_runs(best_runs(result, n_best, fold), classes)

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        members = getattr(self, "estimators_", [])
        if self.estimator is None and members:
            return f"<Ensemble of {len(members)} trained networks, the first {members[0].network}>"
        return str(super().__repr__(N_CHAR_MAX))

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, **fit_params: Any) -> Ensemble:
        """Fit the members to the same samples, each from its own seed, at the same time.

        Parameters
        ----------
        X, y : as the members take them; of `MLPClassifier` and `MLPRegressor` also what `glassnet.stream`
            takes or returns, which they read one after the other.
        sample_weight : (n_samples,), for members that take it, or a column's name.
        fit_params : passed on to each member's `fit`, such as ``validation_data=(X, y)``.
        """
        if self.estimator is None:
            raise InputError(
                "This ensemble was made of networks that were trained already, and has no estimator to "
                "fit: give it one, gn.Ensemble(gn.MLPRegressor())."
            )
        classes = is_classifier(self.estimator)
        if classes and not hasattr(self.estimator, "predict_proba"):
            raise InputError(
                f"{type(self.estimator).__name__} predicts no probabilities, which are what is averaged. "
                f"Use a classifier that does, such as gn.MLPClassifier."
            )
        if sample_weight is not None:
            fit_params = {**fit_params, "sample_weight": sample_weight}
        if _routing_enabled():
            routed: Any = process_routing(self, "fit", **fit_params)
            fit_params = routed["estimator"]["fit"]
        members = [clone(self.estimator) for _ in range(self.n_estimators)]
        draw_seeds(members, check_random_state(self.random_state))
        fitted, warnings = fit_members(members, self.n_threads, X, y, fit_params)
        warn_once(warnings, "members")
        if not fitted:
            raise KeyboardInterrupt
        if isinstance(fitted[0], MLPClassifier):  # y may be streamed
            self._multilabel = fitted[0]._labels.kind == MULTILABEL
        else:
            self._multilabel = classes and type_of_target(y) == "multilabel-indicator"
        self._with(fitted)
        if len(fitted) < self.n_estimators:
            warn(
                f"Ctrl-C ended the fit: {len(fitted)} of {self.n_estimators} members are finished, and the "
                f"ensemble is made of these.",
                InterruptedTrainingWarning,
            )
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """The mean of the members' values, or the classes of the highest mean probability.

        With `return_std` also the spread, of the same shape: for values only (see `predict_proba`).
        """
        check_is_fitted(self, "estimators_")
        if not self._is_classifier():
            (mean,), (spread,) = self._mean_and_spread(X)
            return (mean, spread) if return_std else mean
        if return_std:
            raise InputError(
                "Classes have no spread; their probabilities do: predict_proba(X, return_std=True)."
            )
        means, _ = self._mean_and_spread(X)
        if isinstance(self.classes_, list):
            columns = zip(self.classes_, means, strict=True)
            return np.stack([classes[P.argmax(axis=1)] for classes, P in columns], axis=1)
        if self._multilabel:
            return (means[0] > 0.5).astype(np.intp)
        # Where y had one class alone, its second probability stands for no other.
        return self.classes_[np.minimum(means[0].argmax(axis=1), len(self.classes_) - 1)]

    @available_if(lambda ensemble: ensemble._is_classifier())
    def predict_proba(self, X: Any, return_std: bool = False) -> Any:
        """The mean probability of each class (n_samples, n_classes) or label; a list for several columns.

        With `return_std` also the spread of each, in the same form.
        """
        check_is_fitted(self, "estimators_")
        means, spreads = self._mean_and_spread(X)
        if not isinstance(self.classes_, list):
            (means,), (spreads,) = means, spreads  # type: ignore[assignment]
        return (means, spreads) if return_std else means

    def predict_members(self, X: Any) -> NDArray[Any] | Arrays:
        """Each member's values or probabilities, (n_members, n_samples, ...); a list for several
        columns of classes."""
        check_is_fitted(self, "estimators_")
        stacked = [np.stack(arrays) for arrays in zip(*self._outputs(X), strict=True)]
        return stacked if isinstance(getattr(self, "classes_", None), list) else stacked[0]

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """The share of the samples predicted right, or R^2 of values, as scikit-learn defines them.

        X, y and sample_weight are as for `fit`.
        """
        y_hat = self.predict(X)
        y, sample_weight = samples_of(self, X, y, sample_weight).targets()
        if not self._is_classifier():
            return float(r2_score(y, y_hat, sample_weight=sample_weight))
        return label_score(y, y_hat, sample_weight, isinstance(self.classes_, list))

    # ---- Files -------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the members' networks and parameters to a safetensors file; `load` predicts with them.

        Raises InputError for members that are no networks alone, such as pipelines, or whose functions are
        not built in, which a pickle holds; FileError where the file cannot be written.

        >>> import glassnet as gn
        >>> X, y = [[0.0], [1.0]], [0, 1]
        >>> runs = [gn.train(gn.Network((1, 2)), X, y, random_state=seed) for seed in range(3)]
        >>> gn.Ensemble.from_runs(runs).save("ensemble.safetensors")
        >>> gn.Ensemble.load("ensemble.safetensors").predict(X).tolist()
        [0, 1]

        Unlike a pickle the file holds numbers and names only: loading it runs no code.
        """
        check_is_fitted(self, "estimators_")
        write_members(path, self.estimators_)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Ensemble:
        """The ensemble that `save` wrote; it predicts the same bits, and has no estimator to fit anew.

        Raises FileError for a file that is missing, damaged or of another kind. See `save`.
        """
        return cls(None)._with(read_members(path))

    # ---- Inside ------------------------------------------------------------------------------------

    def _with(self, members: list[Any]) -> Ensemble:
        """The ensemble of these fitted members."""
        self.estimators_ = members
        first = members[0]
        if isinstance(first, Member):
            self._multilabel = first.is_multilabel
        if self._is_classifier():
            self.classes_ = first.classes_
        else:
            self.__dict__.pop("classes_", None)
        return self

    def _is_classifier(self) -> bool:
        if self.estimator is not None:
            return is_classifier(self.estimator)
        members = self.__dict__.get("estimators_", [])
        return any(member.is_classifier for member in members[:1])

    def _outputs(self, X: Any) -> Iterator[Arrays]:
        """What each member predicts: an array for each column of classes, else one."""
        classes, found = self._is_classifier(), []
        for member in self.estimators_:
            with collected() as warnings:
                output = member.predict_proba(X) if classes else member.predict(X)
            found.append(warnings)
            yield output if isinstance(output, list) else [output]
        warn_once(found, "members")

    def _mean_and_spread(self, X: Any) -> tuple[Arrays, Arrays]:
        """The means and spreads of `_outputs`, which holds one member's at a time (Welford, 1962)."""
        dtypes: list[Any] = []
        means: Arrays = []
        squares: Arrays = []
        for number, arrays in enumerate(self._outputs(X), 1):
            if number == 1:
                dtypes = [array.dtype if array.dtype.kind == "f" else np.dtype(float) for array in arrays]
                means = [np.zeros(array.shape) for array in arrays]
                squares = [np.zeros(array.shape) for array in arrays]
            for array, mean, square in zip(arrays, means, squares, strict=True):
                away = array - mean
                mean += away / number
                square += away * (array - mean)
        spreads = [np.sqrt(square / len(self.estimators_)) for square in squares]
        means, spreads = (list(map(np.ndarray.astype, a, dtypes)) for a in (means, spreads))
        return means, spreads

    @property
    def n_features_in_(self) -> Any:
        """Columns of X that the members were fitted to."""
        return self._of_members("n_features_in_")

    @property
    def feature_names_in_(self) -> Any:
        """Their names, where X had them."""
        return self._of_members("feature_names_in_")

    def _of_members(self, name: str) -> Any:
        if "estimators_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} has no {name} before it is fitted.")
        return getattr(self.estimators_[0], name)

    def get_metadata_routing(self) -> MetadataRouter:
        """Route the metadata of `fit` to the estimator's `fit`, where metadata routing is switched on."""
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return MetadataRouter(owner=self).add(estimator=self.estimator, method_mapping=mapping)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if not hasattr(self.estimator, "fit"):
            if "estimators_" in self.__dict__:  # scorers need its type
                classes = self._is_classifier()
                tags.estimator_type = "classifier" if classes else "regressor"
                tags.classifier_tags = ClassifierTags() if classes else None
                tags.regressor_tags = None if classes else RegressorTags()
            return tags
        inner = get_tags(self.estimator)
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.target_tags, tags.input_tags = inner.target_tags, inner.input_tags
        tags.non_deterministic = inner.non_deterministic
        return tags
