"""What an explanation writes of a sample's way is what it computes, for every registered function."""

from itertools import cycle

import numpy as np
import pytest
from explain_arithmetic import computed

import glassnet as gn
from glassnet.nn.losses import ALL_LOSSES, MAKERS

X = np.random.RandomState(3).randn(12, 2) * 1.5


def target_of(loss, outputs):
    random = np.random.RandomState(1)
    if loss.target == "class":
        return random.randint(0, outputs, len(X))
    if loss.target == "nonnegative":
        return random.poisson(2, (len(X), outputs))
    if loss.target == "real":
        return 2 * random.randn(len(X), outputs)
    return random.uniform(size=(len(X), outputs))


LOSSES = [*ALL_LOSSES.values(), *(make(0.3) for make in MAKERS.values())]
CASES = [*zip(gn.ACTIVATIONS, cycle(LOSSES)), *zip(cycle(gn.ACTIVATIONS), LOSSES)]


@pytest.mark.parametrize(("activation", "loss"), CASES, ids=str)
def test_numbers_in_every_formula_give_its_result(activation, loss):
    network = gn.Network((2, 3, 2), activation, loss.output, loss)
    y = target_of(loss, 2)
    run = gn.train(network, X, y, iterations=1, optimizer=gn.SGD(0.05), random_state=2)
    seen = 0
    for sample in range(0, len(X), 3):
        whole = gn.explain(run, X, y, sample=sample)
        assert whole.passed, whole
        for step in (step for part in whole.parts for step in part.steps):
            if step.numbers:
                assert computed(step.numbers) == pytest.approx(step.value, rel=3e-4, abs=3e-5), step
                seen += 1
    assert seen == 4 * (3 * 2 + 2 * 2 + 1 + 2 + 3 * 2)  # Z and H, Z and Y_hat, xi, delta, sigma' and delta


@pytest.mark.parametrize("output", ["softmax", "logistic"])
def test_numbers_of_a_saturated_output_keep_the_digits_that_the_loss_needs(output):
    network = gn.Network((2, 2), output=output)
    for size in (10.0, 25.0, 600.0):
        flat = size * np.array([1.0, -1.0, 0.0, 0.0, 0.0, 0.0])
        run = gn.train(network, [[1.0, 0.0]], [[1.0, 0.0]], parameters=flat, iterations=0)
        loss = gn.explain(run, [[1.0, 0.0]], [[1.0, 0.0]], what="loss", sample=0)
        numbers = computed(loss.steps[0].numbers)
        assert numbers == pytest.approx(loss.value, rel=1e-3, abs=1e-15), loss
        wrong = gn.explain(run, [[1.0, 0.0]], [[0.0, 1.0]], what="loss", sample=0)
        assert computed(wrong.steps[0].numbers) == pytest.approx(wrong.value, rel=1e-3), wrong


def test_pass_goes_forward_and_back_layer_by_layer():
    run = gn.train(gn.Network((2, 3, 2)), X, target_of(gn.LOSSES["cross_entropy"], 2), iterations=1)
    whole = gn.explain(run, X, target_of(gn.LOSSES["cross_entropy"], 2), sample=4)
    assert [part.symbol for part in whole.parts] == [
        "X[4]",
        *(f"H1[4, {k}]" for k in range(3)),
        *(f"Y_hat[4, {k}]" for k in range(2)),
        "xi[4]",
        *(f"delta2[4, {k}]" for k in range(2)),
        *(f"delta1[4, {k}]" for k in range(3)),
    ]
    assert [sorted(layer) for layer in whole.layers] == [
        ["X"],
        ["H1", "Z1", "delta1", "slope"],
        ["Y", "Y_hat", "Z2", "delta2"],
    ]


def test_wide_layers_are_shortened_and_their_arrays_are_whole():
    random = np.random.RandomState(0)
    wide, y = random.randn(30, 40), random.randint(0, 3, 30)
    run = gn.train(gn.Network((40, 20, 3), "relu"), wide, y, iterations=1, random_state=0)
    whole = gn.explain(run, wide, y, sample=2)
    assert whole.notes == ("Layer 1 has 20 units; the first 12 are explained.",)
    assert "... and 28 more inputs" in whole.parts[0].notes
    assert len(whole.layers[1]["H1"]) == 20
    assert len(str(whole).splitlines()) < 400
    Z = gn.explain(run, wide, y, sample=2, layer=1, unit=19).steps[0]
    assert Z.numbers.endswith("   [40 terms]")
    assert Z.numbers.count("*") == 6


def test_standardized_inputs_and_outputs_show_both_units():
    y = X @ [3.0, -1.0] * 10 + 50
    run = gn.train(gn.Network((2, 3, 1), "tanh", "identity"), X, y, standardize=True, random_state=0)
    inputs = gn.explain(run, X, y, sample=1).parts[0].steps
    assert [step.value for step in inputs] == pytest.approx(run.encoding.scaling.inputs(X)[1])
    assert computed(inputs[0].numbers) == pytest.approx(inputs[0].value, rel=1e-4)
    prediction = gn.explain(run, X, sample=1, layer=2, unit=0)
    assert prediction.symbol == "prediction[0]"
    assert prediction.value == pytest.approx(run.predict(X)[1])
    assert computed(prediction.steps[-1].numbers) == pytest.approx(prediction.value, rel=1e-4)


def test_activation_at_a_kink_is_told_apart_from_a_wrong_one():
    run = gn.train(gn.Network((2, 2, 2), "relu"), X, [0, 1] * 6, parameters=np.zeros(12), iterations=0)
    explained = gn.explain(run, X, sample=0, layer=1, unit=0)
    assert explained.checks[0].verdict == "kink"
    assert "a kink lies within the step" in str(explained)


def test_own_activation_with_another_derivative_is_found_wrong():
    own = gn.Activation("cube", lambda z: z**3, lambda z, h: 2 * z**2, "z^3", "2 z^2")
    y = [0, 1] * 6
    run = gn.train(gn.Network((2, 2, 2), own), X, y, iterations=0, random_state=0)
    explained = gn.explain(run, X, y, sample=0, layer=1, unit=0)
    assert explained.checks[0].verdict == "wrong"
    assert "WRONG: the two differ by" in str(explained)
    assert "gn.check_gradients name the mistake" in explained.notes[-1]
    assert computed(explained.steps[-1].numbers) == pytest.approx(explained.value, rel=1e-4)
    assert not gn.explain(run, X, y, what="delta", sample=0, layer=1, unit=0).passed


def test_own_loss_shows_what_goes_into_its_formula():
    own = gn.Loss(
        "log_cosh",
        output="identity",
        target="real",
        value=lambda z, y: np.log(np.cosh(z - y)).sum(axis=1),
        delta=lambda z, y: np.tanh(z - y),
        formula="sum_k log cosh(y_hat_k - y_k)",
        delta_formula="tanh(y_hat - y)",
    )
    y = X[:, :1] * 2
    run = gn.train(gn.Network((2, 2, 1), "tanh", "identity", own), X, y, iterations=1, random_state=0)
    explained = gn.explain(run, X, y, what="loss", sample=2)
    assert explained.passed
    assert explained.steps[0].formula == own.formula
    assert explained.steps[0].numbers.startswith("with y_0 = ")
    delta = gn.explain(run, X, y, what="delta", sample=2, layer=2, unit=0)
    assert computed(delta.steps[-1].numbers) == pytest.approx(delta.value, rel=1e-4)
