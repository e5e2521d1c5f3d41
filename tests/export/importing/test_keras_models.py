"""Networks from Keras, where it is installed."""

import os

import numpy as np
import pytest

import glassnet as gn

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")
layers = keras.layers

FUNCTIONS = {
    "relu": "relu",
    "leaky_relu": layers.LeakyReLU(negative_slope=0.01),
    "elu": layers.ELU(),
    "selu": "selu",
    "gelu": lambda z: keras.activations.gelu(z, approximate=False),
    "gelu_tanh": lambda z: keras.activations.gelu(z, approximate=True),
    "silu": "silu",
    "logistic": "sigmoid",
    "tanh": "tanh",
    "softplus": "softplus",
    "softsign": "softsign",
}
ROWS = np.random.default_rng(0).normal(50, 7, size=(50, 3)).astype(np.float32)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("last", "output"), [("softmax", "softmax"), ("exponential", "exp")])
def test_from_keras_predicts_as_the_model(last, output):
    keras.utils.set_random_seed(0)
    scaling = layers.Normalization()
    scaling.adapt(ROWS)
    stack = [keras.Input((3,)), scaling, layers.Rescaling(0.5, 1)]
    for function in FUNCTIONS.values():
        named = isinstance(function, layers.Layer)
        stack.append(layers.Dense(4, activation=None if named else function))
        stack += [function] * named + [layers.BatchNormalization(), layers.Dropout(0.1)]
    model = keras.Sequential([*stack, layers.Dense(2, activation=last)])
    read = gn.from_keras(model)
    assert [record.name for record in read.network.hidden] == [*FUNCTIONS]
    assert read.network.output.name == output
    expected = model.predict(ROWS, verbose=0)
    found = read.predict_proba(ROWS) if output == "softmax" else read.predict(ROWS)
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_from_keras_refuses_by_the_name_of_the_layer():
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2), layers.LayerNormalization()])
    with pytest.raises(gn.InputError, match=r"Layer 2 \(LayerNormalization\): no network here"):
        gn.from_keras(model)
    with pytest.raises(gn.InputError, match="no known width"):
        gn.from_keras(keras.Sequential([layers.Dense(2)]))
    with pytest.raises(gn.InputTypeError, match="expected a keras"):
        gn.from_keras(layers.Dense(2))
