import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
import scipy.special
import scipy.stats
from exact_losses import LINKS, VALUES
from hypothesis import given, settings
from hypothesis import strategies as st

import glassnet as gn
from glassnet.nn import losses
from glassnet.nn.losses import MAKERS, NUMPY_LOSSES, get_output, loss_from_plain, softmax
from glassnet.nn.names import get_loss
from glassnet.training.baselines import best_constant

LOSSES = list(gn.LOSSES.values())
OUTPUTS = list(gn.OUTPUTS.values())
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=[record.name for record in LOSSES])
each_output = pytest.mark.parametrize("output", OUTPUTS, ids=[record.name for record in OUTPUTS])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def targets_for(loss, n, width, random, hard=False):
    """Targets of the loss's own kind; `hard`: only 0 and 1."""
    if loss.target == "class":
        rows = np.eye(width)[random.randint(0, width, n)] if hard else random.dirichlet(np.ones(width), n)
    elif loss.target == "nonnegative":
        rows = random.poisson(2, (n, width)).astype(float) if hard else random.gamma(2, size=(n, width))
    elif loss.target == "label":
        rows = random.randint(0, 2, (n, width)).astype(float) if hard else random.uniform(size=(n, width))
    else:
        rows = random.randn(n, width)
    return rows


def largest_logit(output, dtype):
    """The largest Z that the test asks for; e^Z is above every number soon after it."""
    return dtype(np.log(np.finfo(dtype).max) - 1 if output == "exp" else 1e4)


@each_loss
@pytest.mark.parametrize("width", [2, 5])
@pytest.mark.parametrize("hard", [False, True])
def test_delta_equals_central_difference_of_value(loss, width, hard):
    random = np.random.RandomState(width)
    Z, Y = 2 * random.randn(20, width), targets_for(loss, 20, width, random, hard)
    delta, h = loss.delta(Z, Y), 1e-5
    for k in range(width):
        step = h * np.eye(width)[k]
        numerical = (loss.value(Z + step, Y) - loss.value(Z - step, Y)) / (2 * h)
        np.testing.assert_allclose(delta[:, k], numerical, rtol=1e-8, atol=1e-9)


@each_loss
@pytest.mark.parametrize("hard", [False, True])
def test_value_equals_the_printed_formula_where_that_is_exact(loss, hard):
    random = np.random.RandomState(1)
    Z, Y = 2 * random.randn(30, 3), targets_for(loss, 30, 3, random, hard)
    printed = [
        VALUES[loss.name](y, LINKS[loss.output](z)) for z, y in zip(Z.tolist(), Y.tolist(), strict=True)
    ]
    np.testing.assert_allclose(loss.value(Z, Y), printed, rtol=1e-12)


@each_loss
@each_dtype
def test_value_and_delta_keep_precision_and_have_their_shapes(loss, dtype):
    random = np.random.RandomState(2)
    Z, Y = random.randn(4, 3).astype(dtype), targets_for(loss, 4, 3, random).astype(dtype)
    assert loss.value(Z, Y).dtype == loss.delta(Z, Y).dtype == dtype
    assert loss.value(Z, Y).shape == (4,)
    assert loss.delta(Z, Y).shape == (4, 3)


@each_loss
@each_dtype
@pytest.mark.parametrize("hard", [False, True])
def test_value_and_delta_of_extreme_logits_are_finite(loss, dtype, hard):
    rows = [[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [1e4, 0], [0, -1e4], [0, 0]]
    Z = np.array(rows * 2, dtype) / 1e4 * largest_logit(loss.output, dtype)
    Y = targets_for(loss, len(Z), 2, np.random.RandomState(3), hard).astype(dtype)
    value = loss.value(Z, Y)
    assert np.isfinite(value).all()
    assert loss.target == "nonnegative" or (value >= 0).all()
    assert np.isfinite(loss.delta(Z, Y)).all()


def test_cross_entropy_of_a_certain_mistake_is_the_logits_distance():
    Z, Y = np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    loss = gn.LOSSES["cross_entropy"]
    assert loss.value(Z, Y).tolist() == [2e4, 0]
    assert loss.delta(Z, Y).tolist() == [[1, -1], [0, 0]]


def test_binary_cross_entropy_of_a_certain_mistake_is_the_logit():
    Z, Y = np.array([[1e4, -1e4], [-1e4, 1e4]]), np.array([[0.0, 1.0], [0.0, 1.0]])
    loss = gn.LOSSES["binary_cross_entropy"]
    assert loss.value(Z, Y).tolist() == [2e4, 0]
    assert loss.delta(Z, Y).tolist() == [[1, -1], [0, 0]]


@each_loss
def test_loss_is_least_where_its_delta_vanishes(loss):
    random = np.random.RandomState(4)
    Z = random.randn(50, 3)
    Y = gn.OUTPUTS[loss.output].link(Z)
    assert np.abs(loss.delta(Z, Y)).max() < 1e-15
    assert (loss.value(Z + 0.1 * random.randn(50, 3), Y) >= loss.value(Z, Y)).all()


@each_output
def test_loss_that_belongs_to_a_link_has_delta_y_hat_minus_y(output):
    loss = gn.LOSSES[output.loss]
    random = np.random.RandomState(5)
    Z, Y = random.randn(9, 4), targets_for(loss, 9, 4, random)
    np.testing.assert_allclose(loss.delta(Z, Y), output.link(Z) - Y, rtol=1e-14, atol=1e-15)


@each_output
@each_dtype
def test_link_keeps_precision_and_shape(output, dtype):
    largest = largest_logit(output.name, dtype)
    Z = np.array([[-1e4, 3, largest], [0, 0, 0]], dtype)
    Y_hat = output.link(Z)
    assert Y_hat.dtype == dtype
    assert Y_hat.shape == Z.shape
    assert np.isfinite(Y_hat).all()


@each_output
def test_link_gives_targets_of_its_losss_kind(output):
    Y_hat = output.link(np.random.RandomState(6).randn(20, 3))
    target = gn.LOSSES[output.loss].target
    if target == "nonnegative":
        assert (Y_hat > 0).all()
    elif target != "real":
        assert ((Y_hat > 0) & (Y_hat < 1)).all()
    if target == "class":
        np.testing.assert_allclose(Y_hat.sum(axis=1), 1, rtol=1e-15)


@settings(max_examples=40)
@given(
    row=st.lists(st.floats(-50, 50), min_size=2, max_size=6),
    shift=st.floats(-1e3, 1e3),
)
def test_softmax_and_cross_entropy_do_not_see_a_shift(row, shift):
    Z = np.array([row])
    np.testing.assert_allclose(softmax(Z + shift), softmax(Z), rtol=1e-10)
    Y = np.eye(len(row))[:1]
    loss = gn.LOSSES["cross_entropy"]
    np.testing.assert_allclose(loss.value(Z + shift, Y), loss.value(Z, Y), rtol=1e-10, atol=1e-10)


def test_softmax_over_two_classes_is_the_logistic_of_their_difference():
    z = np.linspace(-30, 30, 61)[:, None]
    Z, y = np.hstack([np.zeros_like(z), z]), np.arange(61) % 2
    two, one = gn.LOSSES["cross_entropy"], gn.LOSSES["binary_cross_entropy"]
    np.testing.assert_allclose(softmax(Z)[:, 1:], gn.OUTPUTS["logistic"].link(z), rtol=1e-14)
    rows = np.eye(2)[y]
    np.testing.assert_allclose(two.value(Z, rows), one.value(z, rows[:, 1:]), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(two.delta(Z, rows)[:, 1:], one.delta(z, rows[:, 1:]), rtol=1e-10, atol=1e-15)


@each_dtype
def test_poisson_is_finite_wherever_its_value_is_and_infinite_beyond(dtype):
    loss, last = gn.LOSSES["poisson"], np.log(np.finfo(dtype).max)
    Z = np.array([[last - 0.01], [last + 1], [-1e30], [-1e30]], dtype)
    Y = np.array([[3], [3], [0], [2]], dtype)
    assert np.isfinite(loss.value(Z, Y)).tolist() == [True, False, True, True]
    np.testing.assert_allclose(loss.value(Z, Y)[2:], [0, 2e30], rtol=1e-6)
    assert loss.delta(Z, Y)[1:, 0].tolist() == [np.inf, 0, -2]


def test_poisson_differs_from_the_log_likelihood_by_log_y_factorial_alone():
    Z, Y = np.linspace(-3, 3, 13)[:, None], np.arange(13.0)[:, None]
    expected = -scipy.stats.poisson.logpmf(Y, np.exp(Z))[:, 0] - scipy.special.gammaln(Y + 1)[:, 0]
    np.testing.assert_allclose(gn.LOSSES["poisson"].value(Z, Y), expected, rtol=1e-12, atol=1e-12)


# ---- Losses with a setting ----------------------------------------------------------------------

OTHERS = [make(0.3) for make in MAKERS.values()]
each_other = pytest.mark.parametrize("other", OTHERS, ids=str)


def test_every_loss_with_settings_is_among_these_tests():
    assert {other.name for other in OTHERS} == set(MAKERS) == {r.name for r in LOSSES if r.settings}
    for other in OTHERS:
        assert other != gn.LOSSES[other.name]


@each_other
@pytest.mark.parametrize("hard", [False, True])
def test_delta_with_settings_equals_central_difference_of_value(other, hard):
    test_delta_equals_central_difference_of_value(other, 3, hard)


def test_label_smoothing_is_cross_entropy_to_smoothed_targets():
    random, smooth = np.random.RandomState(8), gn.losses.cross_entropy(label_smoothing=0.2)
    Z, y = random.randn(40, 4), random.randint(0, 4, 40)
    targets = np.full((40, 4), 0.05)
    targets[np.arange(40), y] = 0.85
    plain = gn.LOSSES["cross_entropy"]
    np.testing.assert_allclose(smooth.value(Z, np.eye(4)[y]), plain.value(Z, targets), rtol=1e-13)
    np.testing.assert_allclose(smooth.delta(Z, np.eye(4)[y]), plain.delta(Z, targets), atol=1e-15)


def test_huber_is_the_squared_error_near_and_a_line_far_away():
    Z, Y = np.array([[0.2, -0.3, 4.0, -4.0]]).T, np.zeros((4, 1))
    loss = gn.losses.huber(delta=0.5)
    np.testing.assert_allclose(loss.value(Z, Y), [0.02, 0.045, 1.875, 1.875], rtol=1e-14)
    assert loss.delta(Z, Y)[:, 0].tolist() == [0.2, -0.3, 0.5, -0.5]


@settings(max_examples=25)
@given(st.floats(0.01, 0.99), st.lists(st.floats(-10, 10), min_size=1, max_size=20, unique=True))
def test_quantile_is_least_at_a_quantile_and_equals_sklearns_pinball_loss(level, y):
    from sklearn.metrics import mean_pinball_loss

    loss, Y = gn.losses.quantile(level=level), np.array(y)[:, None]
    at = [loss.value(np.full_like(Y, z), Y).mean() for z in y]
    best = min(at)
    for z, value in zip(y, at, strict=True):
        expected = mean_pinball_loss(Y, np.full_like(Y, z), alpha=level)
        assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    quantile = np.quantile(Y, level, method="inverted_cdf")
    assert loss.value(np.full_like(Y, quantile), Y).mean() == pytest.approx(best, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss.output != "softmax"], ids=str)
def test_delta_jumps_at_the_declared_kinks_of_the_residual_and_nowhere_else(loss):
    y, h = 0.5, 1e-7
    error = np.linspace(-3, 3, 601)[:, None]
    delta = [loss.delta(y + error + step, np.full_like(error, y))[:, 0] for step in (h, -h)]
    np.testing.assert_allclose(error[np.abs(delta[0] - delta[1]) > 1e-4, 0], loss.kinks, atol=1e-9)


def test_only_losses_over_the_identity_have_kinks():
    assert {loss.output for loss in LOSSES if loss.kinks} == {"identity"}


@pytest.mark.parametrize("loss", [loss for loss in LOSSES if loss.kinks], ids=str)
def test_delta_at_the_kink_lies_between_its_sides(loss):
    here, left, right = (loss.delta(np.array([[z]]), np.array([[1.0]]))[0, 0] for z in (1.0, 0.9, 1.1))
    assert left < here < right


@each_other
def test_equal_settings_make_equal_records_that_travel(other):
    again = MAKERS[other.name](**other.settings)
    assert again == other
    assert hash(again) == hash(other)
    for twin in (pickle.loads(pickle.dumps(other)), copy.deepcopy(other), copy.copy(other)):
        assert twin == other
        assert dict(twin.settings) == dict(other.settings)
    assert loss_from_plain(other.to_plain()) == other
    assert get_loss(other.to_plain(), gn.OUTPUTS[other.output]) == other
    assert other.is_built_in


@each_loss
def test_defaults_are_the_registrys_records_and_go_by_name_alone(loss):
    assert loss.to_plain() == str(loss) == loss.name
    assert loss_from_plain(loss.name) is loss
    assert loss.is_built_in
    if loss.name in MAKERS:
        assert MAKERS[loss.name]() == loss


@each_other
def test_settings_cannot_be_changed(other):
    name = next(iter(other.settings))
    with pytest.raises(TypeError):
        other.settings[name] = 2.0


@each_loss
def test_record_of_ones_own_under_a_built_in_name_is_not_built_in(loss):
    own = replace(loss, delta=np.subtract, settings=dict.fromkeys(loss.settings, -5.0))
    assert not own.is_built_in
    assert not replace(loss, delta=np.subtract).is_built_in


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gn.losses.huber(delta=0), r"delta is 0.0; expected a finite number above 0"),
        (lambda: gn.losses.huber(delta=np.nan), r"delta is nan; expected"),
        (lambda: gn.losses.huber(delta=np.inf), r"delta is inf; expected"),
        (lambda: gn.losses.quantile(level=1), r"level is 1.0; expected a number above 0 and below 1"),
        (lambda: gn.losses.quantile(level=0), r"level is 0.0; expected"),
        (lambda: gn.losses.cross_entropy(1.0), r"label_smoothing is 1.0; expected .* from 0 to below 1"),
        (lambda: gn.losses.cross_entropy(-0.1), r"label_smoothing is -0.1; expected"),
        (lambda: loss_from_plain({"delta": 1}), r"The loss has no name. Choose one of"),
        (lambda: loss_from_plain({"name": "hubber"}), r"Unknown loss 'hubber'. Did you mean 'huber'"),
        (lambda: loss_from_plain({"name": "huber", "dleta": 1}), r"Did you mean 'delta'"),
        (lambda: loss_from_plain({"name": "poisson", "delta": 1}), r"'poisson' has no settings"),
    ],
)
def test_setting_that_cannot_be_used_is_refused_with_what_could(make, message):
    with pytest.raises(gn.InputError, match=message):
        make()


@pytest.mark.parametrize("wrong", ["0.5", None, True, [0.5]])
@pytest.mark.parametrize("name", MAKERS)
def test_setting_of_another_type_is_refused(name, wrong):
    with pytest.raises(gn.InputTypeError, match="is a number, not"):
        MAKERS[name](wrong)


@each_loss
def test_arguments_are_not_changed(loss):
    random = np.random.RandomState(7)
    Z, Y = random.randn(5, 3), targets_for(loss, 5, 3, random)
    kept = Z.copy(), Y.copy()
    loss.value(Z, Y)
    loss.delta(Z, Y)
    assert np.array_equal(Z, kept[0])
    assert np.array_equal(Y, kept[1])


@each_loss
def test_registry_of_losses_fits_that_of_outputs(loss):
    assert gn.LOSSES[loss.name] is loss
    assert loss.output in gn.OUTPUTS
    assert loss.target in ("class", "label", "nonnegative", "real")
    assert get_loss(loss.name, gn.OUTPUTS[loss.output]) is loss
    assert get_loss(loss, gn.OUTPUTS[loss.output]) is loss


@each_output
def test_each_output_has_a_loss_of_its_own(output):
    assert gn.OUTPUTS[output.name] is output
    assert gn.LOSSES[output.loss].output == output.name
    assert get_loss(None, output).name == output.loss
    assert get_output(output.name) is output


@pytest.mark.parametrize("record", [*OUTPUTS, *LOSSES], ids=lambda record: record.name)
def test_built_in_record_stays_itself_through_pickle_and_copy(record):
    for twin in (pickle.loads(pickle.dumps(record)), copy.deepcopy(record), copy.copy(record)):
        assert twin is record


def test_unknown_output_is_refused_with_the_nearest_name():
    with pytest.raises(gn.InputError, match=r"Unknown output 'sofmax'. Did you mean 'softmax'"):
        get_output("sofmax")


def test_unknown_loss_is_refused_with_the_nearest_name():
    with pytest.raises(gn.InputError, match=r"Unknown loss 'cross_entrpy'. Did you mean 'cross_entropy'"):
        get_loss("cross_entrpy", gn.OUTPUTS["softmax"])


@pytest.mark.parametrize("wrong", [None, 1, ["softmax"]])
def test_output_of_another_type_is_refused(wrong):
    with pytest.raises(gn.InputTypeError, match="An output is a name"):
        get_output(wrong)


@pytest.mark.parametrize("wrong", [1, np.mean, ["squared_error"]])
def test_loss_of_another_type_is_refused(wrong):
    with pytest.raises(gn.InputTypeError, match=r"A loss is a name or a glassnet.Loss"):
        get_loss(wrong, gn.OUTPUTS["softmax"])


@each_loss
@each_output
def test_loss_written_for_another_output_is_refused_with_what_would_fit(loss, output):
    if loss.output == output.name:
        assert get_loss(loss.name, output) is loss
        return
    with pytest.raises(gn.InputError, match=f"written for the output '{loss.output}'") as caught:
        get_loss(loss.name, output)
    assert output.loss in str(caught.value)


@pytest.mark.parametrize("loss", NUMPY_LOSSES.values(), ids=list(NUMPY_LOSSES))
def test_losses_of_the_numpy_engine_train_and_have_their_gradient(loss, tmp_path):
    random = np.random.RandomState(0)
    X = random.randn(60, 3)
    Y = np.c_[X[:, 0] > 0, X[:, 1] > 0].astype(float)
    Y = Y if loss.target == "label" else 2 * Y - 1
    net = gn.Network((3, 5, 2), hidden="tanh", output=loss.output, loss=loss.name)
    assert (net.loss, pickle.loads(pickle.dumps(net)) == net) == (loss, True)
    theta = net.initialize(1)
    assert gn.check_gradients(net, theta, X[:20], Y[:20]).passed
    Z, link = random.randn(20, 2), get_output(loss.output).link
    np.testing.assert_allclose(loss.value(Z, Y[:20]), ((link(Z) - Y[:20]) ** 2).sum(axis=1) / 2)
    problem, v = gn.prepare(net, X, Y), random.randn(net.n_parameters)
    ahead, behind = (problem.loss_and_gradient(theta.flat + s * 1e-5 * v)[1] for s in (1, -1))
    product = problem.hessian_product(theta.flat, v[None])[0]
    np.testing.assert_allclose(product, (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-9)
    run = gn.train(net, X, Y, optimizer=gn.LBFGS(), iterations=200, random_state=0, standardize=True)
    assert (run.engine, run.engine_reason) == ("numpy", f"the loss {loss.name!r} runs on the NumPy engine")
    np.testing.assert_allclose(run.losses[-1], ((run.forward(X)[-1] - Y) ** 2).sum() / 2 / 60)
    assert run.score(X, Y) > 0.9
    gn.save(run, tmp_path / "run")
    loaded = gn.load(tmp_path / "run")
    assert loaded.network == net
    assert np.array_equal(loaded.resume(5, X=X, y=Y).predict(X), run.resume(5).predict(X))


def test_squared_error_of_other_outputs_is_named_where_that_of_identity_is_asked_for():
    for loss in NUMPY_LOSSES.values():
        with pytest.raises(gn.InputError, match=rf"{loss.name} \(sum_k \(y_hat_k - y_k\)\^2 / 2\)"):
            gn.Network((3, 2), output=loss.output, loss="squared_error")
    with pytest.raises(gn.EngineError, match=r"cannot be used: the loss 'tanh_error' runs on"):
        gn.train(gn.Network((1, 1), output="tanh"), [[0.0]], [0.5], engine="native")


def test_the_best_constant_of_a_tanh_output_answers_with_the_mean():
    Y = np.array([[1.0], [1.0], [1.0], [-0.2]])
    Z = best_constant(NUMPY_LOSSES["tanh_error"], Y, np.ones(4))
    np.testing.assert_allclose(np.tanh(Z), Y.mean(axis=0))


def test_brier_is_found_by_its_functions_names_in_pickles_of_earlier_commits():
    brier = gn.losses.brier()
    assert (losses._brier, losses._brier_delta) == (brier.value, brier.delta)
