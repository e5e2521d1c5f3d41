import json

import numpy as np
import pytest

import glassnet as gn
from benchmarks import run_suite
from benchmarks.contest import BenchmarkError
from benchmarks.jobs import drop_in

ROW = {
    "setting": "3: binary",
    "solver": "adam",
    "dtype": "float64",
    "agrees": True,
    "losses_apart": 1e-15,
    "coefficients_apart": 1e-14,
    "why": "",
    "seconds": 1.0,
    "sklearn_seconds": 5.0,
    "times_faster": 5.0,
}


def test_settings_cover_what_a_user_may_choose():
    settings = [drop_in.draw_setting(k) for k in range(200)]
    for name in ("kind", "dtype", "sparse", "weighted"):
        assert len({getattr(one, name) for one in settings}) == len(
            {"kind": drop_in.KINDS}.get(name, (False, True))
        )
    assert {one.call for one in settings} == set(drop_in.CALLS)
    for name, count in (("solver", 3), ("activation", 4), ("learning_rate", 3), ("early_stopping", 2)):
        assert len({one.arguments[name] for one in settings if name in one.arguments}) == count


def found(number, **changed):
    """Ours with changed arguments against scikit-learn's as drawn."""
    setting = drop_in.draw_setting(number)
    data = drop_in.draw_data(setting)
    other = setting._replace(arguments={**setting.arguments, **changed})
    return setting, drop_in.fit(other, data, ours=True), drop_in.fit(setting, data, ours=False)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_numbers_are_noticed_and_not_explained_away():
    number = next(
        k
        for k in range(100)
        if (one := drop_in.draw_setting(k)).arguments["solver"] == "adam"
        and (one.call, one.dtype, one.arguments["activation"]) == ("fit", "float64", "tanh")
    )
    setting, ours, theirs = found(number)
    assert drop_in.agrees(setting, drop_in.apart(ours, theirs))
    setting, ours, theirs = found(number, epsilon=1e-5)
    assert not drop_in.agrees(setting, drop_in.apart(ours, theirs))
    assert drop_in.explain(setting, ours, theirs) == ""


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")
def test_best_parameters_that_scikit_learn_overwrites_are_an_explanation():
    setting, ours, theirs = found(102)
    assert not drop_in.agrees(setting, drop_in.apart(ours, theirs))
    assert "trains on over the parameters that it keeps" in drop_in.explain(setting, ours, theirs)


def test_other_number_of_epochs_is_infinitely_far():
    ours, theirs = gn.MLPRegressor(), gn.MLPRegressor()
    for one, curve in ((ours, [1.0]), (theirs, [1.0, 0.5])):
        one.loss_curve_, one.loss_, one.n_iter_ = curve, curve[-1], len(curve)
    assert drop_in.apart(ours, theirs) == (np.inf, np.inf)


def test_table_tells_of_what_is_slower_or_unexplained():
    table = drop_in.drop_in_table({"rows": [ROW], "epochs": 20, "speed": {}})
    assert "float64: 1 of 1 agree (100.0%)" in table
    assert "adam: 5.0 times as fast (from 5.00 to 5.0)" in table
    assert table.count("[holds]") == 2
    bad = {**ROW, "agrees": False, "times_faster": 0.5, "losses_apart": 1.0}
    table = drop_in.drop_in_table({"rows": [ROW, bad], "epochs": 20, "speed": {}})
    assert "UNEXPLAINED" in table
    assert "slower, 0.50: 3: binary" in table
    assert table.count("[MISSED]") == 2
    table = drop_in.drop_in_table({"rows": [{**bad, "why": "rounding"}], "epochs": 20, "speed": {}})
    assert table.count("[MISSED]") == 1


def test_job_compares_times_and_writes_what_it_finds(tmp_path, capsys):
    run_suite(["drop-in"], rounds=1, seconds=0.001, peers=[], output=tmp_path, quick=True)
    written = json.loads((tmp_path / "quick-drop-in.json").read_text())
    assert len(written["rows"]) == written["settings"] == 10
    assert set(written["speed"]) == set(drop_in.CLAIMS)
    assert all(row["apart"] <= 1e-9 for row in written["speed"].values())
    out = capsys.readouterr().out
    assert "drop-in: 10 settings, 20 epochs, against scikit-learn" in out
    assert "times scikit-learn, at least 30" in out


def test_speed_is_not_told_where_the_numbers_differ(monkeypatch):
    def run(kind, X, y, quick):
        return [1.0 + (kind is gn.MLPClassifier)]

    other = drop_in.Claim("nothing", 2.0, lambda quick: (0, 0), run)
    monkeypatch.setattr(drop_in, "CLAIMS", {"nothing": other})
    with pytest.raises(BenchmarkError, match=r"nothing: what scikit-learn finds is 1.0e\+00 away"):
        drop_in.measure_speed(quick=True, say=print)


def test_speed_that_is_missed_is_told():
    row = {"job": "x", "seconds": 1.0, "sklearn_seconds": 3.0, "times_faster": 3.0, "apart": 0.0}
    (missed,), (held,) = (drop_in.speed_lines({"x": {**row, "claim": claim}}) for claim in (4.0, 3.0))
    assert missed.startswith("[MISSED] 3.0 times scikit-learn, at least 4: x")
    assert held.startswith("[holds]")
