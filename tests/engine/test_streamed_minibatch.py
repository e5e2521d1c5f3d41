"""Batches of streamed data: the order is the documented one, and goes on from anywhere."""

import os
import shutil
import signal
import threading
import time

import numpy as np
import pytest
from streams import INPUTS, NAMES, N, draw, same, write

import glassnet as gn
from glassnet.engine.minibatch import Batches
from glassnet.training.run_policy import stepper_of
from glassnet.utils.memory import RESERVED

SIZE = 32
NET = gn.Network((INPUTS, 6, 3), hidden="tanh")
PLAIN = gn.SGD(0.1, momentum=0.0)


def streamed(memory=400_000, weighted=True):
    """Rows in windows of about a thousand; less memory than `gn.stream` allows."""
    X, y, w = draw()
    rows = gn.stream(X, y, sample_weight=w if weighted else None)
    rows.memory = RESERVED + memory
    rows.row_groups = lambda: [*range(0, N, 300), N]
    return rows


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path, *draw(), group=400)


def from_files(folder, memory=400_000):
    rows = gn.stream(folder, "class", features=NAMES, sample_weight="weight")
    rows.memory = RESERVED + memory
    return rows


def train(rows, **settings):
    return gn.train(NET, rows, batch_size=SIZE, random_state=0, **{"iterations": 3, **settings})


def documented_orders(rows, random, epochs, window):
    """Each epoch's order of the rows, as `StreamedBatches` describes it."""
    for _ in range(epochs):
        seed = int(random.randint(0, 2**32, dtype=np.uint64))
        edges = rows.row_groups()
        groups = np.random.RandomState([seed, 0, 0]).permutation(len(edges) - 1)
        order = np.concatenate([np.arange(edges[group], edges[group + 1]) for group in groups])
        for number, start in enumerate(range(0, N, window)):
            part = order[start : start + window]
            part[:] = part[np.random.RandomState([seed, number, 1]).permutation(len(part))]
        yield order


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"dtype": "float32", "optimizer": gn.Adam(gn.Cosine(0.01, 400)), "average": 0.9},
        {
            "dropout": 0.2,
            "l2": 1e-3,
            "class_weight": "balanced",
            "reduction": "sum",
            "optimizer": gn.SGD(1e-4),
        },
        {"optimizer": gn.SGD(gn.Adaptive(0.1), momentum=0.5), "iterations": 5},
    ],
)
def test_without_shuffling_batches_are_those_of_data_in_memory(engine, settings):
    X, y, w = draw()
    settings = {"engine": engine, "shuffle": False, **settings}
    run = train(streamed(), **settings)
    assert run.cursor.layout[0] < N / 2
    how = {"iterations": 3, **settings}
    expected = gn.train(NET, X, y, sample_weight=w, batch_size=SIZE, random_state=0, **how)
    assert run.parameters == expected.parameters
    assert run.averaged == expected.averaged
    np.testing.assert_allclose(run.losses, expected.losses, rtol=1e-13)


@pytest.mark.parametrize("source", ["array", "parquet"])
def test_orders_are_the_documented_ones(source, folder, engine):
    X, y, w = draw()
    rows = streamed() if source == "array" else from_files(folder)
    run = train(rows, engine=engine, optimizer=PLAIN)
    random = np.random.RandomState(0)
    theta = NET.initialize(random)
    orders = list(documented_orders(rows, random, 3, run.cursor.layout[0]))
    assert all(np.array_equal(np.sort(order), np.arange(N)) for order in orders)
    for order in orders:
        theta = gn.train(
            NET, X[order], y[order], sample_weight=w[order], batch_size=SIZE, shuffle=False, iterations=1,
            optimizer=PLAIN, engine=engine, parameters=theta,
        ).parameters  # fmt: skip
    assert run.parameters == theta


def test_rows_of_several_row_groups_meet_in_a_window_and_epochs_differ():
    rows = streamed()
    window = train(rows, iterations=1).cursor.layout[0]
    first, second = documented_orders(rows, np.random.RandomState(1), 2, window)
    assert len(np.unique(first[:window] // 300)) >= 4
    assert not np.array_equal(first, second)


def test_stream_given_moves_on_as_with_data_in_memory():
    random = np.random.RandomState(0)
    gn.train(NET, streamed(), batch_size=SIZE, random_state=random, iterations=2)
    expected = np.random.RandomState(0)
    NET.initialize(expected)
    expected.randint(0, 2**32, size=2, dtype=np.uint64)
    assert random.randint(1_000_000) == expected.randint(1_000_000)


def test_data_that_fit_are_kept_in_memory_with_the_orders_of_data_in_memory():
    X, y, w = draw()
    run = train(gn.stream(X, y, sample_weight=w))
    assert run.cursor.layout == (0, 0)
    expected = gn.train(NET, X, y, sample_weight=w, batch_size=SIZE, random_state=0, iterations=3)
    assert same(run, expected)
    assert same(run.resume(1), expected.resume(1))


def test_run_is_resumed_saved_and_loaded_bit_for_bit(folder, tmp_path):
    rows = from_files(folder)
    unbroken = train(rows, iterations=4)
    run = train(rows, iterations=1)
    assert same(run.resume(3), unbroken)
    gn.save(run, tmp_path / "run.safetensors")
    assert same(gn.load(tmp_path / "run.safetensors").resume(3, X=from_files(folder)), unbroken)


def test_run_is_broken_off_anywhere_and_goes_on_bit_for_bit(tmp_path):
    """Each call makes about one update; the run is saved and loaded between some of them."""
    unbroken = train(streamed(), iterations=2, dropout=0.1, average=0.9)
    run = train(streamed(), iterations=0, dropout=0.1, average=0.9)
    losses, done, calls = np.full(2, np.nan), 0, 0
    while done < 2:
        stepper = stepper_of(run)
        stop = np.zeros(1, np.uint8)
        for _ in range(23):
            made, _ = stepper.advance(losses[done:], stop, 0.0)
            done, calls = done + made, calls + 1
            if done == 2:
                break
        run = replaced(run, stepper)
        gn.save(run, tmp_path / "run.safetensors")
        run = replaced(gn.load(tmp_path / "run.safetensors"), stepper, run.data)
    assert calls > 20
    assert np.array_equal(losses, unbroken.losses)
    assert run.parameters == unbroken.parameters
    assert run.averaged == unbroken.averaged


def replaced(run, stepper, data=None):
    from dataclasses import replace

    mean = None if stepper.averaged is None else gn.Parameters(NET.sizes, stepper.averaged.copy())
    cursor = stepper.cursor.copy() if data is None else run.cursor
    return replace(
        run,
        parameters=gn.Parameters(NET.sizes, stepper.flat.copy()),
        state=stepper.state.copy(),
        updates=stepper.updates,
        cursor=cursor,
        averaged=mean,
        data=run.data if data is None else data,
    )


def test_windows_of_another_memory_or_source_are_refused(folder):
    run = train(streamed(), iterations=1)
    message = (
        r"were drawn from windows of [\d,]+ rows over 17 row groups, but these data come in windows of"
    )
    for other in (streamed(memory=200_000), from_files(folder)):
        with pytest.raises(gn.InputError, match=message):
            run.resume(1, X=other)
    with pytest.raises(gn.InputError, match="these data come in memory: their order would differ"):
        run.resume(1, X=draw()[0], y=draw()[1], sample_weight=draw()[2])


def test_run_that_blows_up_goes_back_to_its_epochs_start():
    start = train(streamed(), iterations=2)
    with pytest.warns(gn.DivergenceWarning):
        run = start.resume(2, optimizer=gn.SGD(1e6, momentum=0.9))
    assert run.status == "diverged"
    assert run.parameters == start.parameters
    assert run.iterations == 2


def test_file_that_changes_meanwhile_ends_training_with_the_run_kept(folder):
    expected = train(from_files(folder), iterations=4)
    path, kept = folder / "part-3.parquet", folder / "kept"

    def change(run):
        if run.iterations == 2:
            shutil.copy(path, kept)
            shutil.copy(folder / "part-4.parquet", path)

    with pytest.raises(gn.FileError, match=r"part-3.parquet has changed") as raised:
        train(from_files(folder), iterations=9, callbacks=[change])
    assert raised.value.run.iterations == 2
    shutil.copy(kept, path)
    assert same(raised.value.run.resume(2, X=from_files(folder)), expected)


def test_source_that_fails_once_is_read_again():
    """At a window's first row, where the reader that failed seems to stand right."""
    rows, read = streamed(), {}
    read["well"] = rows.read

    def fails(*how):
        raise gn.FileError("gone for a while")
        yield

    def lose(run):
        if run.iterations == 1:
            rows.read = fails

    with pytest.raises(gn.FileError, match="gone for a while") as raised:
        train(rows, iterations=3, callbacks=[lose])
    rows.read = read["well"]
    run = raised.value.run
    assert same(run.resume(3 - run.iterations), train(streamed(), iterations=3))


def test_next_window_is_read_in_another_thread_and_each_piece_once_an_epoch():
    rows, seen = streamed(), []
    read = rows.read

    def watched(start, stop, most, dtype):
        seen.append((start, stop, threading.current_thread() is threading.main_thread()))
        return read(start, stop, most, dtype)

    rows.read = watched
    run = train(rows, iterations=0)
    seen.clear()
    run.resume(1)
    assert sorted(start for start, _, _ in seen) == [*range(0, N, 300)]
    assert not any(main for _, _, main in seen)


def test_reading_ahead_ends_with_an_interrupt():
    rows, seen = streamed(), []
    read = rows.read

    def slow(*rows, **settings):
        seen.append(rows)
        if len(seen) == 60:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.02)
        return read(*rows, **settings)

    whole = train(streamed(), iterations=6)
    rows.read = slow
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = train(rows, iterations=6)
    left = len(seen)
    time.sleep(0.2)
    assert len(seen) <= left + 1
    rows.read = read
    assert same(run.resume(6 - run.iterations), whole)


def test_validation_data_and_callbacks_go_with_windows():
    X, y, _ = draw()
    heard = []
    run = train(
        streamed(), validation=(X[:100], y[:100]), callbacks=[lambda run: heard.append(run.iterations)]
    )
    assert heard == [1, 2, 3]
    assert len(run.validation_losses) == 3
    assert isinstance(run.data.problem, Batches)
