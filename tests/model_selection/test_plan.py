"""The plan of a sweep: seeds, halving, and what tells it from another."""

from functools import partial

import numpy as np
import pytest
from same_runs import assert_same_run
from sweeps import NET, RATES, TWO_RATES, sweep, train

import glassnet as gn
from glassnet.model_selection import plan
from glassnet.model_selection.plan import Halving, as_halving, best_settings
from glassnet.model_selection.settings import Candidate
from glassnet.training.settings import FitSettings
from glassnet.training.train import DEFAULTS

halved = partial(sweep, grid={"learning_rate": RATES}, iterations=90, halving=True)
two_rates = partial(sweep, grid=TWO_RATES)


def test_rungs_leave_one_setting_at_the_end():
    assert Halving().rungs(9, 90) == (10, 30)
    assert Halving(2).rungs(8, 80) == (10, 20, 40)
    assert Halving().rungs(1, 90) == ()
    assert Halving().rungs(2, 90) == (30,)
    assert Halving().rungs(10, 270) == (10, 30, 90)  # 10, 4, 2, 1
    assert Halving().rungs(10**6, 50) == (1, 2, 6, 17)
    assert Halving(first=20).rungs(9, 90) == (20, 60)
    assert Halving(first=90).rungs(9, 90) == ()
    assert Halving(1.5, first=1).rungs(9, 9) == (1, 2, 3, 4, 7)  # none of them twice
    assert [Halving(1.001).survivors(n) for n in (1, 2, 3, 4)] == [1, 1, 2, 3]
    assert [Halving().survivors(n) for n in (1, 2, 3, 4, 9, 10)] == [1, 1, 1, 2, 3, 4]


def test_the_best_stay_and_the_first_of_equals():
    costs = {0: [3.0], 1: [1.0, 2.0], 2: [np.nan, 0.0], 3: [1.5], 4: [np.inf]}
    assert best_settings(costs, 1) == {1}
    assert best_settings(costs, 2) == {1, 3}
    assert best_settings(costs, 4) == {0, 1, 2, 3}


@pytest.mark.parametrize("value", [None, False])
def test_no_halving(value):
    assert as_halving(value) is None


@pytest.mark.parametrize(
    ("told", "error", "message"),
    [
        ({"halving": 1}, gn.InputError, "factor is 1; expected a number above 1"),
        ({"halving": np.inf}, gn.InputError, "factor is inf"),
        ({"halving": {"first": 0}}, gn.InputError, "halving's first is 0"),
        ({"halving": {"frist": 3}}, gn.InputError, "Did you mean 'first'"),
        ({"halving": "yes"}, gn.InputTypeError, "halving is True, a factor"),
        ({"grid": {"iterations": [10, 20]}}, gn.InputError, "cannot vary iterations"),
    ],
)
def test_bad_halving_is_refused(told, error, message):
    with pytest.raises(error, match=message):
        halved(**told)


def test_settings_that_hold_nothing_out_are_not_compared_with_those_that_do():
    settings = [{"validation": None}, {"validation": 0.2}]
    with pytest.raises(gn.InputError, match="some of these settings hold out none"):
        sweep(settings=settings, iterations=3, halving=2)


def test_each_setting_is_trained_with_each_seed():
    result = two_rates(seeds=[5, 0])
    assert [(c.settings["learning_rate"], c.seed) for c in result.cells] == [
        (0.05, 5),
        (0.05, 0),
        (0.5, 5),
        (0.5, 0),
    ]
    for cell in result.cells:
        optimizer = gn.SGD(cell.settings["learning_rate"])
        assert_same_run(cell.run, train(optimizer=optimizer, random_state=cell.seed))
    assert [row["seed"] for row in result.table] == [5, 0, 5, 0]
    assert "seed 5" in result.cells[0].label


def test_a_number_of_seeds_is_drawn_from_the_random_state():
    one, same = two_rates(seeds=3), two_rates(seeds=3)
    seeds = [cell.seed for cell in one.cells]
    assert seeds[:3] == seeds[3:] == [cell.seed for cell in same.cells][:3]
    assert len(set(seeds)) == 3
    assert seeds != [cell.seed for cell in two_rates(seeds=3, random_state=4).cells]


@pytest.mark.parametrize(
    ("seeds", "error", "message"),
    [
        ([], gn.InputError, "seeds is empty"),
        (0, gn.InputError, "seeds is 0"),
        ([1, 1], gn.InputError, "contains a duplicate"),
        ("12", gn.InputTypeError, "seeds is how many"),
        ([None], gn.InputTypeError, "whole numbers"),
        ([0.5], gn.InputTypeError, "whole number"),
        ([-1], gn.InputError, "a seed lies"),
    ],
)
def test_bad_seeds_are_refused(seeds, error, message):
    with pytest.raises(error, match=message):
        two_rates(seeds=seeds)


def test_an_added_setting_at_its_default_is_no_part_of_a_sweeps_identity(monkeypatch):
    def text(**changes):
        return plan._text_of(Candidate(NET, FitSettings.of({**DEFAULTS, **changes})))

    known = text(average=0.9)
    monkeypatch.setattr(plan, "ADDED_NAMES", {*plan.ADDED_NAMES, "average"})
    assert "average" not in text()
    assert text(average=0.9) == known != text()


def test_what_cannot_be_standardized_is_refused():
    with pytest.raises(gn.InputTypeError, match="standardize"):
        two_rates(standardize="yes", folds=2)
    with pytest.raises(gn.InputError, match=r"^X, column 1 has values too large to be averaged") as caught:
        two_rates(X=[[0, 1e200], [1, -1e200]] * 4, y=[0, 1] * 4, folds=2, standardize=True)
    assert caught.value.__notes__[0].endswith((", fold 0.", ", fold 1."))
