import pickle
from dataclasses import dataclass, field

import numpy as np
import pytest

import glassnet as gn
from glassnet.utils.settings_checks import (
    Settings,
    as_bound,
    as_decay,
    as_factor,
    as_flag,
    as_not_negative,
    as_positive,
    as_real,
    as_steps,
    checked,
    seeded,
)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (as_real, [-1, 0, np.float32(2), 1e300], []),
        (as_positive, [5e-324, 3], [0, -1, np.inf, np.nan]),
        (as_not_negative, [0, 3], [-1e-9, np.inf, np.nan]),
        (as_decay, [0, 0.999], [-1e-9, 1, np.nan]),
        (as_factor, [1e-9, 1], [0, 1.001, np.nan]),
        (as_bound, [1e-9, 7], [0, np.inf]),
    ],
)
def test_number_in_its_range_is_a_float_and_others_are_refused(check, good, bad):
    for value in good:
        found = check(value, "x")
        assert (type(found), found) == (float, value)
    for value in bad:
        with pytest.raises(gn.InputError, match=r"x is .*expected a .*such as"):
            check(value, "x")
    for value in ("1", True, [1], 1j):
        with pytest.raises(gn.InputTypeError, match="x is a number"):
            check(value, "x")


def test_bound_may_be_left_out():
    assert as_bound(None, "x") is None


def test_flag_is_true_or_false():
    assert as_flag(np.True_, "x") is True
    with pytest.raises(gn.InputTypeError, match="x is True or False, not 0"):
        as_flag(0, "x")


def test_steps_are_whole_numbers_from_one():
    assert type(as_steps(np.int64(3), "x")) is int
    with pytest.raises(gn.InputError, match="x is 0; expected 1 or more"):
        as_steps(0, "x")
    for value in (1.0, True, "1"):
        with pytest.raises(gn.InputTypeError, match="x is a whole number"):
            as_steps(value, "x")


@dataclass(frozen=True, repr=False)
class Example(Settings):
    rare: float | None = field(default=None, kw_only=True, metadata=checked(as_bound))
    size: float = field(default=1, metadata=checked(as_positive))


def test_settings_are_checked_and_the_rare_ones_come_last():
    assert repr(Example()) == "Example(size=1.0)"
    assert repr(Example(2, rare=3)) == "Example(size=2.0, rare=3.0)"
    assert Example(2).settings() == {"size": 2.0, "rare": None}
    with pytest.raises(gn.InputError, match="rare is 0"):
        Example(rare=0)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_seeded_stream_is_numpys(seed):
    ours, numpys = seeded(seed), np.random.RandomState(seed)
    assert np.array_equal(ours.randn(1000), numpys.randn(1000))
    assert str(ours.get_state(legacy=False)) == str(numpys.get_state(legacy=False))
    again = pickle.loads(pickle.dumps(ours))
    assert np.array_equal(again.permutation(50), numpys.permutation(50))
    with pytest.raises(ValueError, match=r"between 0 and 2\*\*32 - 1"):
        seeded(2**32)


def test_a_subclass_has_a_constructor_of_its_own():
    class Mine(gn.SGD):
        def __init__(self, my_rate):
            super().__init__(my_rate)

    class Patient(gn.EarlyStopping):
        def __init__(self, waits, **others):
            super().__init__(patience=waits, **others)

    assert Mine(my_rate=0.25).learning_rate == Mine(0.25).learning_rate == 0.25
    assert Patient(waits=3, tolerance=0.5).settings() == gn.EarlyStopping(3, tolerance=0.5).settings()
    with pytest.raises(gn.InputTypeError, match=r"^Mine has no argument 'rate'\. .*It has my_rate\."):
        Mine(rate=1)
