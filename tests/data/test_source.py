"""Streaming: data read from where they lie give the bits of data in memory, and every fault has a place."""

import os
import pickle
import shutil
import signal
import threading
import time
from copy import copy

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from platforms import linux
from streams import EDGES, INPUTS, NAMES, N, draw, same, write

import glassnet as gn
from glassnet.data import arrays
from glassnet.data.arrays import ArrayDataset, array_blocks, place_of
from glassnet.data.dataset import is_stream
from glassnet.data.fixed_order import chunk_ranges
from glassnet.data.reduce import Block, State
from glassnet.data.scan import ScanReduction
from glassnet.engine.prepare import ProblemSettings, prepare_problem
from glassnet.utils.memory import as_memory


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("rows") / "data", *draw())


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    path = tmp_path_factory.mktemp("mapped") / "X.npy"
    np.save(path, draw()[0])
    return np.load(path, mmap_mode="r")


SOURCES = ["parquet", "mapped", "columns", "array"]


def rows_of(source, folder, mapped, weighted=False):
    X, y, w = draw()
    weights = w if weighted else None
    if source == "parquet":
        name = "weight" if weighted else None
        return gn.stream(folder, "class", features=NAMES, sample_weight=name, memory="128 MiB")
    kept = {"mapped": mapped, "columns": np.asfortranarray(X), "array": X}[source]
    return gn.stream(kept, y, sample_weight=weights)


OPTIONS = {
    "sgd": {"optimizer": gn.SGD(0.1, momentum=0.9)},
    "float32": {"optimizer": gn.Adam(0.01), "dtype": "float32"},
    "everything": {
        "optimizer": gn.AdamW(gn.Cosine(0.01, 8), clip_norm=0.01, clip_value=0.1),
        "l1": 1e-3,
        "l2": 1e-2,
        "max_norm": 0.7,
        "average": 0.9,
        "class_weight": "balanced",
    },
    "adaptive": {"optimizer": gn.SGD(gn.Adaptive(0.1))},
    "summed": {"optimizer": gn.SGD(1e-5), "reduction": "sum"},
    **{name: {"optimizer": solver()} for name, solver in gn.SOLVERS.items()},
}


@pytest.mark.parametrize(
    ("source", "option"),
    [("parquet", option) for option in OPTIONS]
    + [(source, option) for source in SOURCES[1:] for option in ("everything", "levenberg_marquardt")],
)
def test_streamed_run_has_the_bits_of_one_in_memory(source, option, folder, mapped):
    X, y, w = draw()
    net = gn.Network((INPUTS, 5, 3), hidden="tanh")
    how = {"iterations": 6, "random_state": 0, "engine": "native", **OPTIONS[option]}
    expected = gn.train(net, X, y, sample_weight=w, **how)
    run = gn.train(net, rows_of(source, folder, mapped, weighted=True), threads=3, **how)
    assert same(run, expected)
    assert run.class_weight == expected.class_weight
    assert same(run.resume(3), expected.resume(3))


@pytest.mark.parametrize("output", ["softmax", "logistic", "identity", "exp"])
@pytest.mark.parametrize("outputs", [2, 3])
def test_every_output_has_the_bits_of_data_in_memory(make_data, output, outputs):
    net = gn.Network((INPUTS, 6, outputs), output=output)
    X, y = make_data(net, 3_001)
    expected = gn.train(net, X, y, iterations=3, random_state=0, engine="native")
    assert same(gn.train(net, gn.stream(X, y), iterations=3, random_state=0, engine="native"), expected)


def test_rows_beyond_a_surveys_block_have_the_bits_of_data_in_memory():
    """Sums of weights and baselines run by blocks of 65,536 rows in both."""
    X, y, w = draw(200_001)
    net = gn.Network((INPUTS, 3, 3))
    how = {"iterations": 2, "random_state": 0, "engine": "native", "class_weight": "balanced"}
    expected = gn.train(net, X, y, sample_weight=w, **how)
    assert same(gn.train(net, gn.stream(X, y, sample_weight=w), **how), expected)


def test_files_and_row_groups_have_no_say_in_the_bits(tmp_path, engine):
    X, y, w = draw()
    net = gn.Network((INPUTS, 5, 3))
    runs = [
        gn.train(net, rows, iterations=3, random_state=0, engine=engine, threads=threads)
        for rows, threads in (
            (gn.stream(write(tmp_path / "one", X, y, w, [0, N], N), "class", features=NAMES), 1),
            (gn.stream(write(tmp_path / "many", X, y, w, [*range(0, N, 311), N], 97), "class",
                       features=NAMES), 3),
            (gn.stream(X, y), 2),
        )
    ]  # fmt: skip
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


def test_reference_engine_streams_what_it_computes_in_memory(make_data):
    net = gn.Network((INPUTS, 5, 2), output="identity")
    X, y = make_data(net, 3_001)
    expected = gn.train(net, X, y, iterations=4, random_state=0, engine="numpy", l1=1e-3, l2=0.1)
    run = gn.train(net, gn.stream(X, y), iterations=4, random_state=0, engine="numpy", l1=1e-3, l2=0.1)
    np.testing.assert_allclose(run.losses, expected.losses, rtol=1e-12)


def test_path_and_column_are_all_that_train_needs(folder):
    X, y, w = draw()
    net = gn.Network((INPUTS + 1, 5, 3))
    run = gn.train(net, str(folder), "class", iterations=3, random_state=0)
    assert same(run, gn.train(net, np.column_stack([X, w]), y, iterations=3, random_state=0))


def test_single_precision_columns_are_trained_in_single_precision(tmp_path):
    X, y, w = draw(500)
    rows = gn.stream(write(tmp_path / "f", X.astype(np.float32), y, w, [0, 500]), "class", features=NAMES)
    assert gn.train(gn.Network((INPUTS, 3)), rows, iterations=1).dtype == np.float32
    double = write(tmp_path / "g", X, y, w, [0, 500])
    both = gn.stream([tmp_path / "f", double], "class", features=NAMES)
    assert gn.train(gn.Network((INPUTS, 3)), both, iterations=1).dtype == np.float64


def test_several_targets_are_rows(tmp_path):
    X, y, w = draw(500)
    folder = write(tmp_path / "f", X, y, w, [0, 200, 500])
    net = gn.Network((2, 3, 2), output="identity")
    run = gn.train(
        net, gn.stream(folder, ["x2", "x3"], features=["x1", "x0"]), iterations=3, random_state=0
    )
    assert same(run, gn.train(net, X[:, [1, 0]], X[:, 2:], iterations=3, random_state=0))


def test_saved_run_goes_on_from_memory_or_from_files(folder, tmp_path):
    X, y, _ = draw()
    net = gn.Network((INPUTS, 5, 3))
    rows = gn.stream(folder, "class", features=NAMES)
    run = gn.train(net, rows, iterations=4, random_state=0, optimizer=gn.LBFGS())
    gn.save(run, tmp_path / "run.safetensors")
    loaded = gn.load(tmp_path / "run.safetensors")
    expected = run.resume(3)
    assert same(loaded.resume(3, X=rows), expected)
    assert same(loaded.resume(3, X=X, y=y), expected)


def test_validation_and_early_stopping_go_with_streamed_data(folder, mapped):
    X, y, _ = draw()
    net = gn.Network((INPUTS, 5, 3))
    how = {"iterations": 30, "random_state": 0, "validation": (X[:200], y[:200])}
    how |= {"stopping": gn.EarlyStopping(patience=3)}
    run = gn.train(net, rows_of("parquet", folder, mapped), **how)
    expected = gn.train(net, X, y, **how)
    assert same(run, expected)
    assert np.array_equal(run.validation_losses, expected.validation_losses)


def test_a_small_mapped_array_is_read_into_memory_and_a_large_one_streamed(mapped, monkeypatch):
    assert not is_stream(mapped)
    monkeypatch.setattr("glassnet.data.dataset.DEFAULT_MEMORY", mapped.nbytes - 1)
    assert is_stream(mapped)


def columns_of(X):
    return X[:, :3]


def every_other_row(X):
    return X[::2]


def whole(X):
    return X


@pytest.mark.parametrize("view", [whole, columns_of, every_other_row, np.flipud])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_a_mapped_array_are_those_of_the_array(tmp_path, view, order):
    X = np.asarray(np.random.default_rng(0).standard_normal((999, 4)), order=order)
    np.save(tmp_path / "X.npy", X)
    array = view(np.load(tmp_path / "X.npy", mmap_mode="r"))
    place = place_of(array)
    in_pieces = view is np.flipud or (order == "F" and view is every_other_row)
    assert (place is None) == in_pieces
    blocks = list(array_blocks(array, place, 7, 403, 100))
    assert [len(block) for block in blocks] == [100, 100, 100, 96]
    np.testing.assert_array_equal(np.concatenate(blocks), view(X)[7:403])


def test_mapped_file_that_is_cut_short_is_an_error_and_one_replaced_keeps_its_map(tmp_path):
    X, y = np.arange(4_000.0).reshape(1_000, 4) / 4_000, np.arange(1_000) % 2
    np.save(tmp_path / "X.npy", X)
    rows = gn.stream(np.load(tmp_path / "X.npy", mmap_mode="r"), y)
    np.save(tmp_path / "other.npy", X + 1)
    (tmp_path / "X.npy").rename(tmp_path / "kept.npy")
    (tmp_path / "other.npy").rename(tmp_path / "X.npy")
    net, how = gn.Network((4, 2)), {"random_state": 0, "iterations": 2}
    assert gn.train(net, rows, **how).parameters == gn.train(net, X, y, **how).parameters
    rows = gn.stream(np.load(tmp_path / "kept.npy", mmap_mode="r"), y)
    os.truncate(tmp_path / "kept.npy", 4_096)
    with pytest.raises(gn.FileError, match=r"kept\.npy has changed since training began"):
        gn.train(net, rows, **how)


def test_mapped_rows_wider_than_the_memory_are_refused_with_what_they_take(tmp_path):
    wide = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float64, (2, 30_000))
    with pytest.raises(gn.InputError, match=r"rows of 30,000 columns .* takes about 117 MiB: give more"):
        gn.stream(wide, [0, 1], memory="96 MiB")
    assert gn.stream(wide, [0, 1], memory="128 MiB").workers(8) == 1


def test_damage_to_a_page_with_a_checksum_is_found(tmp_path):
    X, y, _ = draw(500)
    path = tmp_path / "data.parquet"
    columns = {"class": y, **{name: X[:, place] for place, name in enumerate(NAMES)}}
    pq.write_table(
        pa.table(columns), path, write_page_checksum=True, compression="none", use_dictionary=False
    )
    content = bytearray(path.read_bytes())
    place = content.find(X[100:110, 2].tobytes())
    content[place] ^= 1  # another number, in its last digit
    path.write_bytes(content)
    with pytest.raises(gn.FileError, match=r"data.parquet cannot be read as Parquet: .*CRC"):
        gn.train(gn.Network((INPUTS, 3)), path, "class")


@pytest.mark.parametrize("order", ["C", "F"])
def test_file_cut_short_while_it_is_read_is_an_error(tmp_path, order):
    np.save(tmp_path / "X.npy", np.zeros((1_000, 4), order=order))
    array = np.load(tmp_path / "X.npy", mmap_mode="r")
    blocks = array_blocks(array, place_of(array), 0, 1_000, 100)
    next(blocks)
    os.truncate(tmp_path / "X.npy", 4_096)
    with pytest.raises(gn.FileError, match=r"ends before row 200"):
        next(blocks)


@linux("/proc/self/maps, which tells whose file a map is")
def test_file_cut_short_while_it_is_looked_at_takes_no_process_along(tmp_path, monkeypatch):
    np.save(tmp_path / "X.npy", np.zeros((1_000, 4)))
    array, read = np.load(tmp_path / "X.npy", mmap_mode="r"), arrays._read

    def late(array, place, start, stop, most):
        last = [*read(array, place, start, stop, most)]
        if start:
            os.truncate(place.path, 4_096)
        yield from last

    with monkeypatch.context() as patch:
        patch.setattr(arrays, "_read", late)
        place = place_of(array)
    with pytest.raises(gn.FileError, match="has changed since training began"):
        next(array_blocks(array, place, 0, 1_000, 100))


@pytest.mark.parametrize("order", ["C", "F"])
def test_small_mapped_array_that_is_cut_short_after_the_door_takes_no_process_along(tmp_path, order):
    X, y = np.random.default_rng(0).standard_normal((5_000, 4)), np.arange(5_000) % 2
    np.save(tmp_path / "X.npy", np.asarray(X, order=order))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    net, cut = gn.Network((4, 3, 2)), lambda run: os.truncate(tmp_path / "X.npy", 4_096)
    settings = {"iterations": 3, "random_state": 0, "engine": "numpy"}
    run = gn.train(net, mapped, y, **settings, callbacks=[cut])
    assert run.parameters == gn.train(net, np.asarray(X, order=order), y, **settings).parameters
    with pytest.raises(gn.FileError, match=r"X\.npy has been cut short since it was mapped"):
        gn.train(net, mapped, y, **settings)


def test_pages_of_a_private_map_keep_their_changes(mapped):
    """Reading lets pages go, which would lose what is in no file."""
    changed = np.load(mapped.filename, mmap_mode="c")
    changed[7] = 5.0
    X = np.array(changed)
    y = draw()[1]
    net = gn.Network((INPUTS, 3))
    run = gn.train(net, gn.stream(changed, y), iterations=2, random_state=0)
    assert same(run, gn.train(net, X, y, iterations=2, random_state=0))
    assert np.array_equal(changed[7], [5.0] * INPUTS)


# ---- What cannot be used --------------------------------------------------------------------------


def test_missing_value_is_named_by_file_row_and_column(tmp_path):
    X, y, w = draw()
    folder = write(tmp_path / "f", X, y, w)
    columns = {name: X[4_000:, place] for place, name in enumerate(NAMES)}
    holes = [None if i == 17 else value for i, value in enumerate(columns["x2"])]
    pq.write_table(pa.table({**columns, "x2": holes, "class": y[4_000:]}), folder / "part-4.parquet")
    rows = gn.stream(folder, "class", features=NAMES)
    with pytest.raises(gn.InputError, match=r"'x2' has a missing value at row 18 of .*part-4.parquet"):
        gn.train(gn.Network((INPUTS, 3)), rows, iterations=1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("row", [0, 1_300, 3_999, N - 1])
def test_value_that_is_not_finite_is_named_by_file_row_and_column(tmp_path, bad, row):
    X, y, w = draw()
    X[row, 1] = bad
    folder = write(tmp_path / "f", X, y, w)
    part = max(p for p in range(5) if EDGES[p] <= row and EDGES[p] < EDGES[p + 1])
    with pytest.raises(gn.InputError) as raised:
        gn.train(gn.Network((INPUTS, 3)), gn.stream(folder, "class", features=NAMES), iterations=1)
    assert f"Column 'x1' has {bad}" in str(raised.value)
    assert f"at row {row - EDGES[part] + 1} of {folder / f'part-{part}.parquet'}" in str(raised.value)


def test_class_that_there_is_not_is_named_by_file_and_row(tmp_path):
    X, y, w = draw()
    y[2_000] = 7
    folder = write(tmp_path / "f", X, y, w)
    rows = gn.stream(folder, "class", features=NAMES)
    with pytest.raises(
        gn.InputError, match=r"y has 7 at row 700 of .*part-3.parquet; expected class numbers"
    ):
        gn.train(gn.Network((INPUTS, 3)), rows, iterations=1)


def test_weight_below_zero_is_named_by_row(mapped):
    _, y, w = draw()
    w[4_321] = -1
    with pytest.raises(gn.InputError, match=r"sample_weight has -1.0 at row 4321"):
        gn.train(gn.Network((INPUTS, 3)), gn.stream(mapped, y, sample_weight=w), iterations=1)


def test_bad_value_of_an_array_is_named_by_row_and_column():
    X, y, _ = draw()
    X[3_210, 2] = np.nan
    with pytest.raises(gn.InputError, match="X, column 2 has nan; expected a finite number at row 3210"):
        gn.train(gn.Network((INPUTS, 3)), gn.stream(X, y), iterations=1)


def test_value_too_large_for_single_precision_is_found():
    X, y, _ = draw()
    X[10, 0] = 1e300
    with pytest.raises(gn.InputError, match=r"X, column 0 has inf in float32; .* at row 10"):
        gn.train(gn.Network((INPUTS, 3)), gn.stream(X, y), iterations=1, dtype="float32")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            lambda t: t.drop_columns(["x1"]),
            gn.InputError,
            "part-3.parquet has no column 'x1', which .*part-0",
        ),
        (lambda t: t.drop_columns(["class"]), gn.InputError, "part-3.parquet has no column 'class'"),
        (
            lambda t: t.set_column(1, "x1", t["x1"].cast(pa.string())),
            gn.InputTypeError,
            "'x1' of .*part-3.parquet holds string values; expected numbers",
        ),
    ],
)
def test_file_with_other_columns_is_named(tmp_path, change, error, message):
    folder = write(tmp_path / "f", *draw())
    path = folder / "part-3.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    with pytest.raises(error, match=message):
        gn.stream(folder, "class", features=NAMES)


def test_integers_in_one_file_and_floats_in_another_are_the_same_numbers(tmp_path):
    X, y, w = draw()
    X = np.round(X)
    folder = write(tmp_path / "f", X, y, w)
    path = folder / "part-3.parquet"
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "x1", table["x1"].cast(pa.int16())), path)
    net = gn.Network((INPUTS, 3))
    run = gn.train(net, gn.stream(folder, "class", features=NAMES), iterations=2, random_state=0)
    assert same(run, gn.train(net, X, y, iterations=2, random_state=0))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"y": "clas"}, gn.InputError, "Did you mean 'class'"),
        ({"y": "class", "features": ["x0", "x9"]}, gn.InputError, "'x9'. Choose one of: x0"),
        ({"y": "class", "features": ["class"]}, gn.InputError, "'class' is a target or weight"),
        ({"y": "class", "features": "x0"}, gn.InputTypeError, r"not one text: \['x0'\]"),
        ({"y": "class", "features": {"x0"}}, gn.InputTypeError, "a set, which has no order"),
        ({"y": [0, 1]}, gn.InputTypeError, "y is the target column's name"),
        ({"y": "class", "sample_weight": [1.0]}, gn.InputTypeError, "must be the name of a column"),
        ({"y": "class", "sample_weight": "class"}, gn.InputError, "sample_weight is 'class', a target"),
        ({"y": "class", "memory": "1 MiB"}, gn.InputError, "expected 96 MiB or more"),
        ({"y": "class", "memory": "lots"}, gn.InputError, "memory is 'lots'"),
        ({"y": "class", "memory": 1.5}, gn.InputTypeError, "memory is bytes"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(folder, settings, error, message):
    with pytest.raises(error, match=message):
        gn.stream(folder, **settings)


def test_folder_without_parquet_is_refused(tmp_path):
    with pytest.raises(gn.FileError, match="holds no Parquet file"):
        gn.stream(tmp_path, "class")
    with pytest.raises(gn.FileError, match="There is no file or folder"):
        gn.stream(tmp_path / "nothing", "class")
    (tmp_path / "text.parquet").write_text("no table")
    with pytest.raises(gn.FileError, match=r"text.parquet cannot be read as Parquet"):
        gn.stream(tmp_path, "class")


def test_network_of_another_width_is_refused(folder):
    with pytest.raises(gn.InputError, match="has 4 features; the network takes 7 inputs"):
        gn.train(gn.Network((7, 3)), gn.stream(folder, "class", features=NAMES))


@pytest.mark.parametrize("what", ["y", "sample_weight"])
def test_target_or_weight_too_large_for_single_precision_is_found(what):
    X, _, w = draw()
    samples = {"y": X[:, 0].copy(), "sample_weight": w}
    samples[what][77] = 1e39
    net = gn.Network((INPUTS, 1), output="identity")
    with pytest.raises(gn.InputError, match=rf"{what} in float32 has inf at row 77"):
        gn.train(net, gn.stream(X, **samples), iterations=1, dtype="float32")


@pytest.mark.parametrize("weight", [1e-45, 1e35])
def test_weights_that_single_precision_cannot_hold_are_refused_as_in_memory(weight):
    X, y, _ = draw()
    with pytest.raises(gn.InputError) as expected:
        gn.train(gn.Network((INPUTS, 3)), X, y, sample_weight=np.full(N, weight), dtype="float32")
    rows = gn.stream(X, y, sample_weight=np.full(N, weight))
    with pytest.raises(gn.InputError) as raised:
        gn.train(gn.Network((INPUTS, 3)), rows, dtype="float32")
    assert str(raised.value) == str(expected.value)


def test_array_without_rows_and_targets_that_are_left_out_are_refused():
    with pytest.raises(gn.InputError, match=r"X is empty, shape \(0, 4\)"):
        gn.stream(np.empty((0, INPUTS)), [])
    with pytest.raises(gn.InputError, match="y is missing"):
        gn.train(gn.Network((INPUTS, 3)), draw()[0])


def test_what_takes_arrays_says_that_rows_are_streamed():
    X, y, _ = draw()
    net, rows = gn.Network((INPUTS, 3)), gn.stream(X, y)
    for takes_arrays in (
        lambda: gn.prepare(net, rows, y),
        lambda: gn.check_gradients(net, net.initialize(0), rows, y),
        lambda: gn.train(net, X, y, validation=(rows, y)),
    ):
        with pytest.raises(gn.InputTypeError, match=r"an array is streamed\. .* needs an array in memory"):
            takes_arrays()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation": 0.1}, "A fraction for validation is drawn from data in memory"),
        ({"dropout": 0.5}, "dropout of streamed data needs batches"),
    ],
)
def test_what_streamed_data_cannot_do_is_refused_in_words(folder, settings, message):
    rows = gn.stream(folder, "class", features=NAMES)
    with pytest.raises(gn.InputError, match=message):
        gn.train(gn.Network((INPUTS, 3, 3)), rows, iterations=1, **settings)


def test_file_that_changes_meanwhile_ends_training_with_the_run_kept(tmp_path):
    X, y, w = draw()
    folder = write(tmp_path / "f", X, y, w)
    rows = gn.stream(folder, "class", features=NAMES)

    def change(run):
        if run.iterations == 5:
            path = folder / "part-3.parquet"
            shutil.copy(folder / "part-4.parquet", path)
            os.utime(path, ns=(1, 1))

    net = gn.Network((INPUTS, 3))
    with pytest.raises(gn.FileError, match=r"part-3.parquet has changed") as raised:
        gn.train(net, rows, iterations=9, random_state=0, callbacks=[change])
    assert same(raised.value.run, gn.train(net, X, y, iterations=5, random_state=0))


# ---- Ctrl-C and threads ---------------------------------------------------------------------------


class Interrupted(ArrayDataset):
    """Ctrl-C comes once in the middle of a pass, which then reads on for long unless it is cut."""

    armed, read_since = False, 0

    def most(self, lanes):
        return 64

    def read(self, start, stop, most, dtype):
        for block in super().read(start, stop, most, dtype):
            if self.armed:
                if self.read_since == 0:
                    os.kill(os.getpid(), signal.SIGINT)
                self.read_since += 1
                time.sleep(0.05)
            yield block


@pytest.mark.filterwarnings("ignore::glassnet.errors.StalledTrainingWarning")  # of noise
@pytest.mark.parametrize("optimizer", [gn.SGD(0.1), *(solver() for solver in gn.SOLVERS.values())])
def test_interrupt_cuts_the_pass_that_is_under_way(optimizer):
    X, y, _ = draw()
    rows = Interrupted(X, y, None, 1 << 24)

    def arm(run):
        rows.armed = run.iterations == 1

    net, before = gn.Network((INPUTS, 3)), threading.active_count()
    how = {"optimizer": optimizer, "random_state": 0, "threads": 1}
    with pytest.warns(gn.InterruptedTrainingWarning):
        run = gn.train(net, rows, iterations=9, callbacks=[arm], **how)
    assert run.status == "interrupted"
    assert rows.read_since < N / 64 / 2
    assert threading.active_count() == before
    rows.armed = False
    expected = gn.train(net, X, y, iterations=4, engine=run.engine, **how)
    if run.engine == "native":
        assert same(run.resume(4 - run.iterations), expected)


def test_problem_takes_other_numbers_of_threads():
    X, y, _ = draw()
    settings = ProblemSettings(threads=1)
    problem = prepare_problem(gn.Network((INPUTS, 3)), gn.stream(X, y), settings)
    assert (problem.with_threads(3).threads, problem.threads) == (3, 1)


# ---- Parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 65_536, 65_537, 10_000_001])
def test_ranges_of_a_survey_are_whole_blocks_that_cover_all_rows(n):
    ranges = chunk_ranges(n)
    assert [start for start, _ in ranges] == [0, *(stop for _, stop in ranges[:-1])]
    assert ranges[-1][1] == n
    assert all(start % 65_536 == 0 and start < stop for start, stop in ranges)


def test_survey_of_a_range_that_is_gone_on_with_leaves_its_state_as_it_was():
    """Dask may give a task what it has given before."""
    X, y, _ = draw(65_536 + 10)
    reduction = ScanReduction(gn.Network((INPUTS, 3)), np.dtype(np.float64), len(X), None, np.arange(9))
    first = copy(reduction)
    first.begin(State(0))
    first.take(Block(X[:65_536], y[:65_536], None))
    state = first.end()
    for _ in range(2):
        worker = copy(reduction)
        worker.begin(state)
        worker.take(Block(X[65_536:], y[65_536:], None))
        assert sum(part.weight for part in worker.end().value) == len(X)


def test_memory_is_read_as_people_write_it():
    assert as_memory("640MB") == 640_000_000
    assert as_memory(" 0.5 GiB ") == 1 << 29
    assert as_memory(1 << 30) == 1 << 30


def test_blocks_are_no_larger_than_asked_for_and_cover_their_rows(folder, mapped):
    X, _, _ = draw()
    for source in SOURCES:
        rows = rows_of(source, folder, mapped)
        for start, stop, most in ((0, N, 64), (1_299, 1_302, 1_000), (2_500, N, 333), (0, N, N)):
            blocks = list(rows.read(start, stop, most, np.dtype(np.float64)))
            assert max(len(block.X) for block in blocks) <= most
            assert np.array_equal(np.concatenate([block.X for block in blocks]), X[start:stop])


def test_rows_say_what_they_are_and_survive_a_pickle(folder, mapped):
    rows = rows_of("parquet", folder, mapped, weighted=True)
    assert repr(rows) == f"5,003 rows of 4 inputs from {folder}, weighted"
    assert len(pickle.loads(pickle.dumps(rows))) == N
    assert isinstance(gn.stream(np.zeros((2, 1)), [0, 1]), ArrayDataset)


@pytest.mark.parametrize("how", [{"memory": "256 MiB"}, {"dask": "local"}])
def test_dataset_takes_no_other_memory_or_dask(how):
    rows = gn.stream(np.ones((5, 2)), np.ones(5))
    with pytest.raises(gn.InputError, match="memory and dask were set"):
        gn.stream(rows, standardize=True, **how)
    assert gn.stream(rows, standardize=True).memory == rows.memory


def test_labels_of_text_are_told_where_they_belong():
    X = np.zeros((4, 2))
    rows = gn.stream(X, np.array(["ash", "oak", "ash", "oak"]))
    with pytest.raises(gn.InputTypeError, match=r"y holds text, 'ash'.*gn\.MLPClassifier.*at row 0"):
        gn.train(gn.Network((2, 2)), rows)
