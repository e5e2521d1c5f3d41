"""What a worker trains and shares: each network as train does, on data that are packed once."""

import numpy as np
import pytest
from same_runs import assert_same_run
from sweeps import FAR, LINE, NET, TWO_RATES, X, Y, sweep, train

import glassnet as gn
from glassnet.engine.prepare import problem_of
from glassnet.model_selection import worker as workers


def test_data_are_packed_once_for_those_that_can_share_them(monkeypatch):
    made = []
    noted = lambda setup, *a: made.append(setup.network.sizes) or problem_of(setup, *a)  # noqa: E731
    monkeypatch.setattr("glassnet.engine.prepare.problem_of", noted)
    sweep(grid={"learning_rate": [0.1, 0.2, 0.3], "l2": [0.0, 0.1], "hidden_layer_sizes": [3, 4]})
    assert sorted(made) == [(2, 3, 2), (2, 4, 2)]


def test_runs_let_go_of_data_that_would_fill_the_memory(monkeypatch):
    monkeypatch.setattr(workers, "CACHE_BYTES", 1)
    monkeypatch.setattr(workers.Cache.__init__, "__defaults__", (1,))
    widths = list(range(1, 40))
    result = sweep(grid={"hidden_layer_sizes": widths}, iterations=1)
    for run, width in zip(result.runs, widths, strict=True):
        assert_same_run(run, train(gn.Network((2, width, 2), hidden="tanh"), iterations=1))
    assert any(run.data is None for run in result.runs)
    run = next(run for run in result.runs if run.data is None)
    assert run.resume(1, X=X, y=Y).iterations == 2


QUANTITY = 2e5 + 5e4 * X[:, 0]
PAIRS = [(np.arange(20, 60), np.arange(20)), (np.arange(45), np.arange(45, 60))]


@pytest.mark.parametrize("told", [{}, {"batch_size": 10, "validation": 0.2}, {"dtype": np.float32}])
def test_each_fold_is_standardized_by_its_training_rows(told):
    result = sweep(X=FAR, grid=TWO_RATES, folds=PAIRS, standardize=True, metric="accuracy", **told)
    for cell in result.cells:
        trained, tested = PAIRS[cell.fold]
        known = FAR[trained]
        if told.get("validation") is None:
            assert cell.run.encoding.scaling.mean == pytest.approx(known.mean(axis=0))
            assert cell.run.encoding.scaling.scale == pytest.approx(known.std(axis=0))
        alone = train(X=FAR, rows=trained, optimizer=cell.run.optimizer, standardize=True, **told)
        assert_same_run(cell.run, alone)
        assert cell.metric == alone.score(FAR[tested], Y[tested])


@pytest.mark.parametrize("told", [{}, {"batch_size": 10}, {"halving": 2, "seeds": [4]}])
def test_all_rows_are_standardized_where_there_are_no_folds(told):
    how = {"grid": TWO_RATES, "iterations": 6, "random_state": 3, "metric": "accuracy", **told}
    result = gn.sweep(NET, FAR, Y, standardize=True, **how)
    for cell in result.cells:
        own = {"random_state": told.get("seeds", [3])[0], "batch_size": told.get("batch_size")}
        own |= {"optimizer": cell.run.optimizer, "iterations": cell.iterations}
        alone = train(X=FAR, standardize="X", **own)
        assert_same_run(cell.run, alone)
        assert cell.metric == cell.run.score(FAR, Y) == alone.score(FAR, Y)
    assert gn.sweep(NET, FAR, Y, standardize=True, validation=0.3, **how).best.run.score(FAR, Y) > 0.5


UNITS = [
    {"standardize": True},
    {"standardize": True, "optimizer": gn.LevenbergMarquardt()},  # starts by Nguyen and Widrow's scheme
    {"standardize": True, "batch_size": 10},
    {"standardize": True, "validation": 0.25},
    {"standardize": "X", "validation": 0.25, "batch_size": 10, "stopping": gn.EarlyStopping()},
    {"standardize": "X", "optimizer": gn.LBFGS()},
]


@pytest.mark.parametrize("told", UNITS)
@pytest.mark.parametrize("folds", [None, PAIRS])
def test_quantities_are_scaled_as_train_scales_them(told, folds):
    def worst(y, found, rows):
        assert np.array_equal(y, QUANTITY if rows is None else QUANTITY[rows])
        return float(np.abs(y - found).max())

    result = sweep(LINE, QUANTITY, settings=[{}], folds=folds, metric=worst, mode="min", **told)
    for cell in result.cells:
        trained, tested = (slice(None),) * 2 if folds is None else folds[cell.fold]
        alone = train(LINE, QUANTITY, rows=trained, **told)
        assert_same_run(cell.run, alone)
        if folds is None and "validation" in told:
            tested = alone.validation.validation_rows
        assert cell.metric == np.abs(QUANTITY[tested] - alone.predict(X[tested])).max()
    assert_same_run(result.refit(X, QUANTITY), train(LINE, QUANTITY, **told))


def test_a_quantity_of_large_numbers_is_learned_and_predicted_in_its_unit():
    told = {"settings": [{}], "folds": PAIRS, "metric": "r2", "keep_predictions": True, "iterations": 100}
    result = sweep(LINE, QUANTITY, standardize=True, optimizer=gn.SGD(0.3, 0.9), **told)
    found = result.predictions()
    assert np.array_equal(found["target"], QUANTITY[found["row"]])
    for cell in result.cells:
        tested = PAIRS[cell.fold][1]
        assert cell.metric > 0.95
        assert cell.metric == pytest.approx(cell.run.score(X[tested], QUANTITY[tested]))
        assert np.array_equal(found["prediction"][found["fold"] == cell.fold], cell.run.predict(X[tested]))


@pytest.mark.parametrize("standardize", [False, True, "X"])
@pytest.mark.parametrize("network", [NET, LINE])
def test_validation_arrays_take_labels_and_units_as_those_of_train_do(network, standardize):
    y = np.array(["no", "yes"])[Y] if network is NET else QUANTITY
    told = {"validation": (FAR[:9], y[:9]), "standardize": standardize, "iterations": 6}
    told["stopping"] = gn.EarlyStopping(metric=lambda y, found: float((y == found).mean()), mode="max")
    result = sweep(network, y, FAR, settings=[{}, {"l2": 0.1}], optimizer=gn.SGD(1e-12), **told)
    for cell in result.cells:
        alone = train(network, y, FAR, optimizer=gn.SGD(1e-12), l2=cell.settings.get("l2", 0.0), **told)
        assert_same_run(cell.run, alone)
        best = alone.validation_losses[alone.validation_iterations == alone.best_iteration]
        assert cell.metric == pytest.approx(best.item(), rel=1e-12)
    by = sweep(network, y, FAR, settings=[{}], metric="accuracy" if network is NET else "r2", **told)
    assert by.cells[0].metric == pytest.approx(by.cells[0].run.score(FAR[:9], y[:9]))


@pytest.mark.parametrize("kind", ["i8", "u1", "?", "f2"])
def test_whole_numbers_are_standardized_as_fractions(kind):
    counts = np.random.RandomState(7).randint(0, 5, FAR.shape).astype(kind)
    how = {"grid": TWO_RATES, "folds": 3, "standardize": True, "iterations": 3, "random_state": 3}
    whole, wide = (gn.sweep(NET, rows, Y, **how) for rows in (counts, counts.astype(np.float64)))
    for one, other in zip(whole.runs, wide.runs, strict=True):
        assert_same_run(one, other)


def test_what_a_network_raises_tells_of_its_settings():
    def broken(y, found):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        sweep(grid={"learning_rate": [0.25]}, metric=broken, mode="min", seeds=[5])
    assert "Raised by the network with learning_rate=0.25, seed 5." in caught.value.__notes__
