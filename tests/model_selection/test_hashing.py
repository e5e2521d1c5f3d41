"""The texts that tell values of a setting apart, functions and large arrays too."""

import functools
import itertools
import subprocess
import sys
from dataclasses import field, make_dataclass, replace
from datetime import date

import numpy as np
import pandas
import pytest

import glassnet as gn
from glassnet.model_selection import hashing
from glassnet.model_selection.hashing import digest, identity, identity_here
from glassnet.nn.losses import NUMPY_LOSSES, get_output
from glassnet.utils.settings_checks import as_real, checked

LONG = np.arange(5000.0)
OTHER = LONG.copy()
OTHER[2500] += 1e-9  # which neither array's repr shows
RELU = gn.ACTIVATIONS["relu"]


def scaled(factor, by=1):
    return lambda y, found: factor * by * np.mean(y == found)


class Scorer:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, y, found):
        return self.factor


class Owner:
    def __init__(self, factor):
        self.factor = factor

    def metric(self, y, found):
        return self.factor


APART = {
    "numbers": [1, 1.0, True, "1", None, 0.1, np.nextafter(0.1, 1)],
    "arrays": [LONG, OTHER, LONG[:-1], LONG.astype("f4"), LONG.reshape(2, -1)],
    "containers": [(1, 2), (2, 1), (1, (2,)), {"a": 1}, {"a": 2}, {1, 2}, (LONG,), (OTHER,)],
    "functions": [scaled(1), scaled(2), scaled(1, 2), lambda y, found: 0.0, np.tanh, np.exp, len],
    "arrays in closures": [scaled(LONG), scaled(OTHER)],
    "dates in closures": [scaled(date(2020, 1, day)) for day in (1, 2)],
    "dates": [np.array([day, "2020-01-03"], "M8[D]") for day in ("2020-01-01", "2020-01-02")],
    "what compares by value": [range(3), range(4), slice(3), slice(4), date(2020, 1, 1), date(2020, 1, 2)],
    "partial": [functools.partial(scaled, 1), functools.partial(scaled, 2)],
    "objects": [Scorer(1), Scorer(2), Scorer, Scorer(1).__call__, Owner(1).metric, Owner(2).metric],
    "activations": [RELU, replace(RELU, value=np.abs), replace(RELU, value=np.tanh)],
    "losses": [gn.losses.huber(delta=1.0), gn.losses.huber(delta=2.0), gn.LOSSES["quantile"]],
    "networks": [gn.Network((2, 2)), gn.Network((2, 3, 2)), gn.Network((2, 3, 2), "relu")],
    "rules": [gn.SGD(), gn.SGD(0.2), gn.SGD(gn.Step(0.1, every=2)), gn.Adam(0.1), gn.EarlyStopping()],
}


@pytest.mark.parametrize("kind", APART)
def test_identity_tells_apart_values_that_differ_in_one_bit(kind):
    told = [identity(value) for value in APART[kind]]
    assert len(set(told)) == len(told), told


def test_identity_of_equal_values_is_equal():
    pairs = [
        (LONG, LONG.copy()),
        (np.float64(0.1), 0.1),
        ([1, 2], (1, 2)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (scaled(LONG), scaled(LONG.copy())),
        (Scorer(1), Scorer(1)),
        (gn.SGD(0.5), gn.SGD(0.5)),
        (np.array([LONG[:3], "a"], object), np.array([LONG[:3].copy(), "a"], object)),
    ]
    for one, other in pairs:
        assert identity(one) == identity(other) == identity(one)


def test_identity_of_the_packages_own_classes_is_as_earlier_commits_wrote_it():
    """Journals hold it: a class that moves to another module keeps its name; a new one has no module's."""
    kinds = [*gn.OPTIMIZERS.values(), *gn.SOLVERS.values(), *gn.SCHEDULES.values()]
    kinds += [gn.EarlyStopping, gn.Network, gn.Loss, gn.Activation, gn.Output]
    names = {kind.__name__: hashing._kind(object.__new__(kind)) for kind in kinds}
    assert len(hashing._RECORDED) == 26
    assert hashing._RECORDED.items() <= names.items()
    assert all(names[new] == f"glassnet.{new}" for new in names.keys() - hashing._RECORDED.keys())
    assert "glassnet.optimizers.descent.SGD{" in identity(gn.SGD())


def test_identity_of_a_value_that_holds_itself_ends():
    held = [1]
    held.append(held)

    def again():
        return again()

    assert identity(held) != identity([1, [1]])
    assert identity(again) == identity(again)


def test_identity_here_tells_apart_objects_of_unknown_kinds():
    one, other = object(), object()
    assert identity(one) == identity(other)
    assert identity_here(one) != identity_here(other)
    assert identity_here(one) == identity_here(one)
    counter = itertools.count()
    fresh = identity(counter)
    next(counter)
    assert identity(counter) == fresh != identity(one)


def test_identity_tells_apart_tables_of_pandas():
    tables = [
        pandas.DataFrame({"day": pandas.date_range(day, periods=3)}) for day in ("2020", "2021", "2020")
    ]
    one, other, again = (identity(scaled(table)) for table in tables)
    assert one == again != other
    tables[0]["day"].describe()  # which may leave something behind
    assert identity(scaled(tables[0])) == one


def test_identity_is_the_same_in_another_process(capsys):
    script = """
from datetime import date
import numpy as np, glassnet as gn
from glassnet.model_selection import hashing
from glassnet.model_selection.hashing import identity
def scaled(factor):
    return lambda y, found: factor if y in {"a", "b", "c"} else np.mean(y == found)
stopping = gn.EarlyStopping(metric=scaled(1), mode="max")
print(identity([scaled(2.0), date(2020, 1, 1), gn.Network((2, 3, 2)), stopping]))
"""
    exec(script, {"__name__": "__main__"})
    elsewhere = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert elsewhere.stdout == capsys.readouterr().out


def test_sweep_trains_settings_that_differ_where_their_repr_does_not():
    y = np.arange(4) % 2
    X = np.arange(8.0).reshape(4, 2)
    weights = [np.array([1.0, 2.0]), np.array([1.0, 2.0 + 1e-12])]
    validations = [(np.tile(rows[:4000], 2).reshape(-1, 2), np.zeros(4000, int)) for rows in (LONG, OTHER)]
    for grid in (
        {"class_weight": weights},
        {"validation": validations},
        {"activation": [replace(RELU, name="own"), replace(RELU, name="own", value=np.abs)]},
    ):
        network = gn.Network((2, 2, 2), "relu")
        result = gn.sweep(network, X, y, grid=grid, iterations=2, random_state=0)
        assert len(result.cells) == 2, grid
        one, other = result.runs
        assert not np.array_equal(one.losses, other.losses) or one.validation is not None


def test_an_added_field_at_its_default_is_no_part_of_an_identity():
    """So journals of earlier commits go on."""
    earlier = make_dataclass("Rule", ["rate"])
    later = make_dataclass(
        "Rule", ["rate", ("target", float, field(default=None, metadata=checked(as_real, added=True)))]
    )
    assert identity(later(0.1)) == identity(earlier(0.1)) != identity(later(0.1, target=0.5))


@pytest.mark.parametrize("loss", NUMPY_LOSSES.values(), ids=list(NUMPY_LOSSES))
def test_losses_of_the_numpy_engine_are_known_by_their_names(loss):
    assert identity(loss) == f"Loss {loss.name}"
    assert identity(get_output(loss.output)) == loss.output
    assert identity(replace(loss, formula="another")) != identity(loss)


def test_labels_have_a_digest_that_zero_bytes_change():
    labels = np.array(["a", "b"], object)
    assert digest([labels]) == digest([labels.copy()]) != digest([np.array(["a", "b\0"], object)])
