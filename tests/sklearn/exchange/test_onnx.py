"""Converters for skl2onnx: registered when it is imported, and equal to the estimators' predictions."""

import subprocess
import sys

import numpy as np
import pytest
from iris import TARGET, Y2, Y3, X, small
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import glassnet as gn

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NARROW = X.astype(np.float32)


def test_library_is_not_imported_until_the_user_does():
    code = (
        "import sys, glassnet.sklearn as s\n"
        "before = len(sys.meta_path)\n"
        "assert 'skl2onnx' not in sys.modules\n"
        "assert any(type(finder).__name__ == '_Watch' for finder in sys.meta_path)\n"
        "import skl2onnx\n"
        "assert not any(type(finder).__name__ == '_Watch' for finder in sys.meta_path)\n"
        "assert skl2onnx.supported_converters and skl2onnx.__spec__.loader\n"
        "from skl2onnx._supported_operators import sklearn_operator_name_map as names\n"
        "assert names[s.MLPClassifier] == 'GlassnetMLPClassifier'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def predict():
    """`predict(model, options)` gives what the converted model gives."""
    import onnxruntime
    import skl2onnx

    def run(model, options=None):
        file = skl2onnx.to_onnx(model, NARROW[:1], options=options)
        session = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {session.get_inputs()[0].name: NARROW})

    return run


@pytest.mark.parametrize("y", [Y2, Y3, np.eye(3, dtype=int)[Y3]], ids=["two", "three", "labels"])
@pytest.mark.parametrize("told", [{"activation": "tanh", "dropout": 0.1}, {"hidden_layer_sizes": (4, 3)}])
def test_converted_classifier_predicts_the_same(predict, y, told):
    model = small(**told).fit(X, y)
    labels, P = predict(model, {"zipmap": False})
    np.testing.assert_allclose(P, model.predict_proba(X), atol=1e-5)
    assert np.array_equal(labels, model.predict(X))


def test_converted_two_class_softmax_predicts_the_same(predict):
    model = small(loss=gn.losses.cross_entropy(label_smoothing=0.1)).fit(X, Y2)
    _, P = predict(model, {"zipmap": False})
    np.testing.assert_allclose(P, model.predict_proba(X), atol=1e-5)


def test_options_are_those_of_scikit_learns(predict):
    _, rows = predict(small().fit(X, Y2))
    assert set(rows[0]) == {"other", "setosa"}


def test_converted_regressor_predicts_the_same_alone_and_in_pipelines_and_ensembles(predict):
    model = make_pipeline(StandardScaler(), small(gn.MLPRegressor, loss="huber")).fit(X, TARGET)
    np.testing.assert_allclose(predict(model)[0].ravel(), model.predict(X), atol=1e-5)
    several = [("a", small()), ("b", small(random_state=1))]
    votes = VotingClassifier(several, voting="soft", flatten_transform=False).fit(X, Y3)
    _, P = predict(votes, {"zipmap": False})
    np.testing.assert_allclose(P, votes.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "y", "told", "words"),
    [
        (gn.MLPClassifier, Y3, {"activation": "gelu"}, "no activation 'gelu'"),
        (gn.MLPRegressor, Y3, {"loss": "poisson"}, "ends in an exponential"),
        (gn.MLPRegressor, X[:, :2], {}, "2 outputs"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_words(predict, kind, y, told, words):
    with pytest.raises(gn.InputError, match=words):
        predict(small(kind, **told).fit(X, y))
