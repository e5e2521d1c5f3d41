"""The clock: a wrong answer is refused, all take turns, ratios are those of rounds."""

import numpy as np
import pytest

from benchmarks import timing
from benchmarks.contest import BenchmarkError, Contestant, Runner

RIGHT = np.geomspace(100.0, 1.0, 20)


class Recorder(Runner):
    """Notes each call and takes a second for each of what it does."""

    def __init__(self, name="", calls=None):
        self.name, self.calls = name, [] if calls is None else calls

    def work(self, count):
        raise AssertionError("seconds() is overridden")

    def seconds(self, count):
        self.calls.append((self.name, count))
        return 1.0


def entry_of(name, peer="fake", runner=None, **settings):
    who = Contestant(name, peer, "1.0", 1, Recorder)
    return timing.Entry(who, runner or Recorder(), 0.0, **settings)


def compare(found, tolerance=1e-9, **settings):
    return timing.compare(found, RIGHT, tolerance, who="fake", job="digits", **settings)


# ---- The comparison -------------------------------------------------------------------------------

SPOILED = {
    "all a little": RIGHT * (1 + 2e-9),
    "one": np.where(np.arange(20) == 13, RIGHT * (1 + 1e-6), RIGHT),
    "not a number": np.where(np.arange(20) == 5, np.nan, RIGHT),
    "infinite": np.where(np.arange(20) == 5, np.inf, RIGHT),
    "a step late": np.roll(RIGHT, 1),
    "the mean": RIGHT / 501,
}


@pytest.mark.parametrize("of_largest", [False, True])
@pytest.mark.parametrize("found", SPOILED.values(), ids=SPOILED)
def test_compare_refuses_a_wrong_answer(found, of_largest):
    assert compare(RIGHT.copy(), of_largest=of_largest) == 0
    with pytest.raises(BenchmarkError, match="fake does another job than digits"):
        compare(found, of_largest=of_largest)


def test_compare_names_the_first_wrong_value_and_the_right_one():
    with pytest.raises(BenchmarkError) as error:
        compare(SPOILED["one"], first=1)
    assert "its value [14] is" in str(error.value)
    assert f"where {RIGHT[13]:.12g} is right" in str(error.value)


@pytest.mark.parametrize("found", [RIGHT[:-1], RIGHT.sum()])
def test_compare_refuses_another_shape(found):
    with pytest.raises(BenchmarkError, match="an answer of shape"):
        compare(found)


def test_compare_is_relative_to_each_or_to_the_largest_value():
    found = RIGHT.copy()
    found[-1] += 1e-4  # of 1, where the largest is 100
    assert compare(found, 1e-3) == pytest.approx(1e-4)
    assert compare(found, 1e-3, of_largest=True) == pytest.approx(1e-6)


# ---- The rounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("warm", "first"), [(None, 2), (7, 7)])
def test_rounds_take_turns_forwards_and_backwards(warm, first):
    calls = []
    entries = [entry_of(n, runner=Recorder(n, calls), count=20, heat=1.0, warm=warm) for n in "ab"]
    # A slice of 40 seconds; the rest before it is as short as the slice, and patched away.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing.time, "sleep", lambda seconds: None)
        timing.time_rounds(entries, 2, 40.0, lambda line: None, lambda: calls.append("round"))
    turn = {n: [(n, first), (n, 20), (n, 20)] for n in "ab"}
    assert calls == ["round", *turn["a"], *turn["b"], "round", *turn["b"], *turn["a"]]
    assert [entry.seconds for entry in entries] == [[1.0, 1.0]] * 2


def test_fastest_of_each_peer_go_into_the_rounds():
    times = {"a": 3.0, "b": 1.0, "c": 2.0, "d": 9.0}
    entries = [entry_of(name, heat=heat) for name, heat in times.items()]
    other = entry_of("other", "other", heat=99.0)
    chosen = timing.qualified([*entries, other])
    assert [entry.contestant.name for entry in chosen] == ["b", "c", "other"]


def test_slice_is_filled_up_to_the_longest_row():
    entry = entry_of("a")
    for seconds, count in ((1e-9, 1), (20.0, 20), (1e6, 100)):
        timing.run_heat(entry, seconds, longest=100)
        assert entry.count == count


def test_contestant_that_is_hopeless_beside_its_peers_best_is_timed_no_longer():
    entry = entry_of("a")
    timing.run_heat(entry, 10.0, best=0.99 / timing.HOPELESS)
    assert entry.runner.calls == [("", 1), ("", 1)]
    assert entry.heat == 1.0


def test_seconds_are_of_each_and_from_the_start():
    calls = []

    class Counting(Runner):
        def reset(self):
            calls.append("reset")

        def work(self, count):
            calls.append(count)

    assert Counting().seconds(1000) < 1e-3
    assert calls == ["reset", 1000]


def test_losses_that_go_missing_while_timed_are_refused():
    class Forgetful(Runner):
        def work(self, count):
            return np.ones(count - 1)

    with pytest.raises(BenchmarkError, match="Forgetful recorded 4 losses of 5"):
        Forgetful().seconds(5)


def test_ratio_is_the_median_of_each_rounds():
    assert timing.ratio([10.0, 1.0, 300.0], [1.0, 5.0, 100.0]) == 3.0
