import numpy as np
import pytest

import glassnet as gn

NET = gn.Network((2, 3, 2))


def train(iterations=10, **settings):
    random = np.random.RandomState(0)
    X, y = random.randn(40, 2), random.randint(0, 2, 40)
    return gn.train(NET, X, y, iterations=iterations, random_state=1, **settings)


class Diary(gn.Callback):
    """Writes down every call."""

    def __init__(self, every=1, name=""):
        self.every, self.name, self.entries, self.runs = every, name, [], []

    def note(self, hook, run):
        self.entries.append((hook, run.iterations, run.status))
        self.runs.append(run)

    def on_train_begin(self, run):
        self.note("begin", run)

    def on_iteration(self, run):
        self.note("iteration", run)

    def on_train_end(self, run):
        self.note("end", run)


def test_hooks_are_called_in_order(engine):
    diary = Diary(every=4)
    train(10, callbacks=[diary], engine=engine)
    assert diary.entries == [
        ("begin", 0, "running"),
        ("iteration", 4, "running"),
        ("iteration", 8, "running"),
        ("end", 10, "completed"),
    ]


def test_callbacks_with_unequal_steps_are_each_served_exactly(engine):
    diaries = [Diary(every) for every in (2, 3, 7)]
    train(12, callbacks=diaries, engine=engine)
    for diary, expected in zip(diaries, ([2, 4, 6, 8, 10, 12], [3, 6, 9, 12], [7]), strict=True):
        assert [k for hook, k, _ in diary.entries if hook == "iteration"] == expected


def test_callbacks_have_no_influence_on_the_numbers(engine):
    silent, watched = train(30, engine=engine), train(30, engine=engine, callbacks=[Diary(1), Diary(7)])
    assert np.array_equal(silent.losses, watched.losses)
    assert silent.parameters == watched.parameters


def test_snapshot_holds_the_state_of_its_moment(engine):
    diary = Diary()
    whole = train(6, callbacks=[diary], engine=engine)
    for k, snapshot in enumerate(diary.runs[:-1]):
        expected = train(k, engine=engine)
        assert snapshot.parameters == expected.parameters
        assert np.array_equal(snapshot.state, expected.state)
        assert np.array_equal(snapshot.losses, expected.losses)
        resumed = snapshot.resume(6 - k)
        assert np.array_equal(resumed.losses, whole.losses)
        assert resumed.parameters == whole.parameters


def test_writing_to_a_snapshot_does_not_disturb_training():
    def spoil(run):
        run.parameters.flat[:] = 0
        run.state[:] = 0

    assert train(6, callbacks=[spoil]).parameters == train(6).parameters


def test_on_train_end_gets_the_run_that_train_returns():
    diary = Diary()
    assert train(3, callbacks=[diary]) is diary.runs[-1]


@pytest.mark.parametrize("yes", [True, np.True_])
def test_true_from_on_iteration_stops(engine, yes):
    later = Diary()
    run = train(
        10, callbacks=[gn.Every(2, lambda run: yes if run.iterations == 6 else None), later], engine=engine
    )
    assert (run.status, run.iterations, len(run.losses)) == ("stopped", 6, 7)
    assert later.entries[-2:] == [("iteration", 6, "running"), ("end", 6, "stopped")]
    resumed = run.resume(4)
    assert resumed.status == "completed"
    assert np.array_equal(resumed.losses, train(10, engine=engine).losses)


@pytest.mark.parametrize("answer", [None, False, np.False_, 1, "yes", [0]])
def test_anything_but_true_goes_on(answer):
    assert train(5, callbacks=[lambda run: answer]).status == "completed"


def test_plain_function_is_called_after_each_iteration():
    seen = []
    train(3, callbacks=[lambda run: seen.append((run.iterations, len(run.losses)))])
    assert seen == [(1, 2), (2, 3), (3, 4)]


def test_resumed_run_counts_from_the_very_start():
    diary = Diary(every=4)
    train(6).resume(6, callbacks=[diary])
    assert [(hook, k) for hook, k, _ in diary.entries] == [
        ("begin", 6),
        ("iteration", 8),
        ("iteration", 12),
        ("end", 12),
    ]


def test_no_iterations_call_begin_and_end():
    diary = Diary()
    train(0, callbacks=[diary])
    assert [hook for hook, *_ in diary.entries] == ["begin", "end"]


def test_diverged_run_is_told_to_callbacks():
    diary = Diary()
    with pytest.warns(gn.DivergenceWarning):
        gn.train(
            gn.Network((1, 1), output="identity"),
            [[10.0]],
            [1.0],
            optimizer=gn.SGD(10.0, 0),
            callbacks=[diary],
        )
    assert diary.entries == [("begin", 0, "running"), ("end", 0, "diverged")]


@pytest.mark.parametrize("hook", ["on_train_begin", "on_iteration", "on_train_end"])
def test_exception_goes_through_with_the_work_so_far(hook):
    class Broken(gn.Callback):
        every = 4

    def fail(run):
        raise OSError("disk full")

    broken = Broken()
    setattr(broken, hook, fail)
    with pytest.raises(OSError, match="disk full") as caught:
        train(10, callbacks=[broken])
    k = {"on_train_begin": 0, "on_iteration": 4, "on_train_end": 10}[hook]
    run = caught.value.run
    assert run.iterations == k
    assert f"after iteration {k}" in caught.value.__notes__[0]
    assert np.array_equal(run.resume(10 - k).losses, train(10).losses)


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (gn.Callback(), "Put a single one"),
        (print, "Put a single one"),
        (None, "callbacks is a list"),
        ([gn.Callback], r"not the class itself: write Callback\(...\)"),
        ([3], "not 3"),
    ],
)
def test_what_is_no_callback_is_refused_before_training(callbacks, message):
    with pytest.raises(gn.InputTypeError, match=message):
        train(callbacks=callbacks)


@pytest.mark.parametrize("every", [0, -1, 2.0, True, None, "3"])
def test_every_that_is_no_count_is_refused(every):
    with pytest.raises((gn.InputError, gn.InputTypeError), match="every is"):
        train(callbacks=[Diary(every)])
    with pytest.raises((gn.InputError, gn.InputTypeError), match="every is"):
        gn.Every(every, print)


def test_every_wants_a_function():
    with pytest.raises(gn.InputTypeError, match="function of a run"):
        gn.Every(3, "print")
