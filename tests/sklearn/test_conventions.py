"""The estimators among scikit-learn's other tools."""

import ast
import html
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.ensemble import BaggingClassifier, StackingRegressor, VotingClassifier
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

import glassnet as gn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y3 = load_iris(return_X_y=True)
X = scale(X)
TARGET = X[:, 0] - 2 * X[:, 1]
NAMES = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def small(kind=gn.MLPClassifier, **arguments):
    told = {"hidden_layer_sizes": (8,), "max_iter": 40, "random_state": 0, "learning_rate_init": 0.02}
    return kind(**{**told, **arguments})


def theirs(**arguments):
    return small(TheirClassifier, **arguments)


# ---- An estimator's manners -----------------------------------------------------------------------


def test_arguments_are_kept_as_given_and_set_by_name():
    model = small(alpha=0.1)
    assert model.set_params(alpha=0.2, dropout=0.5).get_params()["alpha"] == 0.2
    assert repr(gn.MLPClassifier(alpha=0.5)) == "MLPClassifier(alpha=0.5)"
    with pytest.raises(ValueError, match="Invalid parameter 'depth'"):
        model.set_params(depth=3)


def test_clone_of_a_subclass_knows_its_own_arguments():
    class Deep(gn.MLPClassifier):
        def __init__(self, depth=2, alpha=0.1):
            super().__init__(hidden_layer_sizes=(5,) * depth, alpha=alpha, max_iter=5)
            self.depth = depth

    model = clone(Deep(depth=3)).fit(X, Y3)
    assert model.get_params() == {"depth": 3, "alpha": 0.1}
    assert model.n_layers_ == 5
    assert "depth" not in gn.MLPClassifier().get_params()


def test_tags_are_scikit_learns():
    for ours, other in ((gn.MLPClassifier(), TheirClassifier()),):
        assert get_tags(ours).input_tags == get_tags(other).input_tags
        assert get_tags(ours).classifier_tags == get_tags(other).classifier_tags
    assert get_tags(gn.MLPClassifier(missing="mean")).input_tags.allow_nan
    assert get_tags(gn.MLPRegressor()).estimator_type == "regressor"


@pytest.mark.parametrize("copy", [lambda m: pickle.loads(pickle.dumps(m)), clone, lambda m: m])
def test_copies_fit_the_same(copy):
    model = small()
    assert np.array_equal(copy(model).fit(X, Y3).coefs_[0], small().fit(X, Y3).coefs_[0])


def test_fitted_estimator_survives_pickling_and_joblib(tmp_path):
    model = small(activation=["gelu"], optimizer="adamw", learning_rate=gn.Cosine(0.1, steps=99)).fit(X, Y3)
    joblib.dump(model, tmp_path / "model.joblib")
    for again in (
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ):
        assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
        again.coefs_[0][:] = 0
        assert not np.array_equal(again.predict_proba(X), model.predict_proba(X))
        check_is_fitted(again)


def test_pickle_has_each_parameter_once():
    model = small(gn.MLPRegressor, hidden_layer_sizes=(300, 300), max_iter=1, solver="lbfgs").fit(X, TARGET)
    assert len(pickle.dumps(model)) < 8 * 300 * 310 * 1.2


def test_prediction_in_another_process_is_the_same():
    model = small().fit(X, Y3)
    with joblib.parallel_config("loky", n_jobs=2):
        (P,) = joblib.Parallel()([joblib.delayed(model.predict_proba)(X)])
    assert np.array_equal(P, model.predict_proba(X))


# ---- Tables ---------------------------------------------------------------------------------------


def tables():
    import polars
    import pyarrow

    columns = dict(zip(NAMES, X.T, strict=True))
    return {
        "pandas": pd.DataFrame(columns),
        "polars": polars.DataFrame(columns),
        "pyarrow": pyarrow.table(columns),
    }


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_tables_are_taken_with_their_names(kind):
    table = tables()[kind]
    model, same = small().fit(table, Y3), small().fit(X, Y3)
    assert np.array_equal(model.predict_proba(table), same.predict_proba(X))
    if kind != "pyarrow":  # scikit-learn reads no names from it
        assert model.feature_names_in_.tolist() == NAMES
        with pytest.warns(UserWarning, match="X does not have valid feature names"):
            model.predict(X)
    assert not hasattr(same, "feature_names_in_")


def test_columns_in_another_order_are_refused():
    table = tables()["pandas"]
    model = small().fit(table, pd.Series(Y3, name="species"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[NAMES[::-1]])
    assert not hasattr(small().fit(table, Y3).fit(X, Y3), "feature_names_in_")


def test_validation_data_may_be_a_table():
    table = tables()["pandas"]
    told = {"validation_data": (table, Y3)}
    model = small(early_stopping=True, scoring="accuracy").fit(table, Y3, **told)
    assert model.history_["validation_accuracy"][-1] > 0.5
    with pytest.raises(ValueError, match="feature names should match"):
        small().fit(table, Y3, validation_data=(table[NAMES[::-1]], Y3))
    small(early_stopping=True, scoring="accuracy").fit(
        table, Y3
    )  # its own part has no names, and no warning


# ---- Other tools ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_grid_search_finds_what_it_finds_with_scikit_learns(n_jobs):
    grid = {"alpha": [1e-4, 1.0], "hidden_layer_sizes": [(4,), (8,)]}
    with joblib.parallel_config("threading"):
        found = [GridSearchCV(one, grid, cv=3, n_jobs=n_jobs).fit(X, Y3) for one in (small(), theirs())]
    scores = [one.cv_results_["mean_test_score"] for one in found]
    assert np.array_equal(*scores)
    assert found[0].best_params_ == found[1].best_params_


def test_pipeline_and_cross_validation_give_scikit_learns_scores():
    inputs, y = load_breast_cancer(return_X_y=True)
    ours, other = (make_pipeline(StandardScaler(), one) for one in (small(), theirs()))
    assert np.array_equal(cross_val_score(ours, inputs, y, cv=3), cross_val_score(other, inputs, y, cv=3))
    P = cross_val_predict(ours, inputs, y, cv=3, method="predict_proba")
    np.testing.assert_allclose(
        P, cross_val_predict(other, inputs, y, cv=3, method="predict_proba"), rtol=1e-6, atol=1e-9
    )


def test_calibration_bagging_voting_and_stacking_work():
    calibrated = CalibratedClassifierCV(small(), cv=3).fit(X, Y3)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1.0)
    with joblib.parallel_config("threading"):
        bagged = BaggingClassifier(small(), n_estimators=4, random_state=0, n_jobs=2).fit(X, Y3)
    same = BaggingClassifier(theirs(), n_estimators=4, random_state=0).fit(X, Y3)
    np.testing.assert_allclose(bagged.predict_proba(X), same.predict_proba(X), rtol=1e-6, atol=1e-9)
    voting = VotingClassifier([("net", small()), ("line", LogisticRegression())], voting="soft").fit(X, Y3)
    assert voting.score(X, Y3) > 0.9
    stack = StackingRegressor([("net", small(gn.MLPRegressor)), ("line", LinearRegression())]).fit(
        X, TARGET
    )
    assert stack.score(X, TARGET) > 0.9


def test_regressors_work_inside_others():
    rows = np.column_stack([TARGET, -TARGET])
    assert MultiOutputRegressor(small(gn.MLPRegressor)).fit(X, rows).predict(X).shape == (150, 2)
    logs = TransformedTargetRegressor(
        small(gn.MLPRegressor, solver="lbfgs", max_iter=300), func=np.log1p, inverse_func=np.expm1
    )
    assert logs.fit(X, TARGET - TARGET.min()).score(X, TARGET - TARGET.min()) > 0.5


def test_permutation_importance_and_learning_curve_work():
    model = small().fit(X, Y3)
    found = permutation_importance(model, X, Y3, random_state=0, n_repeats=3)
    assert found.importances_mean.argmax() in (2, 3)
    sizes, _, scores = learning_curve(small(), X, Y3, cv=3, shuffle=True, random_state=0)
    assert scores.shape == (len(sizes), 3)


def test_decision_boundary_display_draws_it():
    import matplotlib

    matplotlib.use("Agg")
    model = small().fit(X[:, :2], Y3)
    for response in ("predict", "predict_proba"):
        display = DecisionBoundaryDisplay.from_estimator(
            model, X[:, :2], response_method=response, grid_resolution=10
        )
        assert np.isfinite(display.response).all()
        matplotlib.pyplot.close(display.figure_)


# ---- Metadata routing -----------------------------------------------------------------------------


def test_weights_and_validation_data_are_routed():
    w = np.linspace(0.5, 2, 150)
    kept = (X[::3], Y3[::3])
    with sklearn.config_context(enable_metadata_routing=True):
        model = small(early_stopping=True).set_fit_request(sample_weight=True, validation_data=True)
        model.set_score_request(sample_weight=False)
        routed = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
        routed.fit(X, Y3, sample_weight=w, validation_data=kept)
        assert len(routed[-1].history_["validation_loss"]) == routed[-1].n_iter_
        scores = cross_validate(model, X, Y3, params={"sample_weight": w, "validation_data": kept}, cv=3)
        assert np.isfinite(scores["test_score"]).all()
    direct = small(early_stopping=True).fit(scale(X), Y3, sample_weight=w, validation_data=kept)
    np.testing.assert_allclose(routed[-1].coefs_[0], direct.coefs_[0], rtol=1e-9)


@pytest.mark.parametrize("kind", [gn.MLPClassifier, gn.MLPRegressor])
def test_every_argument_and_attribute_is_documented_where_notebooks_look(kind):
    from sklearn.utils._repr_html.common import get_docstring

    model = small(kind, early_stopping=True).fit(X, Y3)
    assert "MLP" in model._repr_html_()
    for name in model.get_params():
        assert get_docstring(kind, "Parameters", name), name
    public = [name for name in vars(model) if name.endswith("_") and not name.startswith("_")]
    for name in [*public, "network_", "parameters_", "feature_names_in_", "stopped_"]:
        assert get_docstring(kind, "Attributes", name), name
    for name, value in kind().get_params().items():
        told = html.unescape(get_docstring(kind, "Parameters", name)).split("default=")[1].split("<br>")[0]
        assert ast.literal_eval(told) == value, name
