"""Tables that are read a block at a time: the whole job, by the rows of a folder of Parquet files."""

import json
import re
from dataclasses import replace
from functools import wraps
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import glassnet as gn
from glassnet.cli import main
from glassnet.cli.jobs.job import run_experiment
from glassnet.cli.jobs.prediction import predict_table, write_predictions
from glassnet.cli.jobs.results.record import RECORD
from glassnet.data.tables import read_table
from glassnet.data.tables.choice import ColumnSettings
from glassnet.data.tables.prepare import prepare_table
from glassnet.data.tables.splits import SplitBy
from glassnet.data.tables.streamed import columns as streamed_columns
from glassnet.data.tables.streamed.prepare import prepare_files
from glassnet.data.tables.streamed.raw_files import RawFiles
from glassnet.experiments import Override, files, find_experiment, samples
from glassnet.experiments.defaults import choose_settings
from glassnet.experiments.files import reads_blocks
from glassnet.experiments.preparation import Draws

N = 9_000
QUICK = {"pictures": False, "report": False}
TARGETS = ["species", "code", "sick", "height"]


def table(n=N):
    random = np.random.RandomState(0)
    X = random.randn(n, 2) * [1, 100] + [0, 1e4]
    number = (X[:, 0] > 0).astype(int) + (X[:, 0] > 1)
    species = np.array(["elm", "fir", "oak"])[number]
    columns = {"a": X[:, 0], "b": X[:, 1], "flat": np.full(n, 0.1), "species": species}
    return columns | {"code": 10 * number, "sick": number > 0, "height": 100 + 3 * X[:, 0]}


def write(folder, columns, edges=(0, 1_000, 1_001, N), group=700):
    folder.mkdir(parents=True)
    for part, (start, stop) in enumerate(pairwise(edges)):
        some = {name: values[start:stop] for name, values in columns.items()}
        pq.write_table(pa.table(some), folder / f"part-{part}.parquet", row_group_size=group)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("table") / "trees", table())


def experiment(path, target="species", **values):
    given = {"data.target": target, "data.features": ["a", "b", "flat"], "train.iterations": 20}
    given |= {"train.optimizer": "adam", "train.learning_rate": 0.05}
    given |= {name.replace("__", "."): value for name, value in values.items()}
    given = {name: value for name, value in given.items() if value is not None}
    found = find_experiment(str(path), {name: Override(value, name) for name, value in given.items()})
    return replace(found, automatic=False)  # by the defaults of a file, on the full batch


def odd_table(n=N):
    """Columns of every kind, with gaps, and some from which nothing is learned."""
    random = np.random.RandomState(1)
    a, gone = random.randn(n), random.rand(n) < 0.1
    hours = np.datetime64("2024-02-01T06", "us") + random.randint(0, 9_000, n) * np.timedelta64(1, "h")
    words = np.array(["Rome", "Oslo", "Bern", "Lima"])[random.randint(0, 4, n)]
    many = [f"v{number}" for number in (60 * random.rand(n) ** 2).astype(int)]
    columns = {
        "a": a,
        "gaps": pa.array(5 * random.randn(n) + 3, mask=gone),
        "city": pa.array(words, mask=np.roll(gone, 1)),
        "many": pa.array(many).dictionary_encode(),
        "truth": pa.array(random.rand(n) > 0.5),
        "whole": pa.array(random.randint(0, 9, n), mask=np.roll(gone, 2)),
        "when": pa.array(hours, mask=np.roll(gone, 3)),
        "day": pa.array(hours.astype("M8[D]")),
        "infinite": np.where(np.roll(gone, 4), np.inf, random.randn(n)),
        "number": np.arange(1, n + 1),
        "code": [f"K{number}" for number in range(n)],
        "note": [f"some words on {number}" for number in range(n)],
        "flat": np.full(n, 3.0),
        "twice": a.copy(),
    }
    warm = a + (words == "Rome") > 0.3
    columns["kind"] = pa.array(np.where(warm, "yes", "no"), mask=np.arange(n) % 999 == 5)
    columns["twin"] = np.where(warm, 7.0, 5.0)
    columns["price"] = pa.array(3 * a + random.randn(n), mask=np.arange(n) % 999 == 7)
    return columns


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    pq.write_table(pa.table(odd_table()), folder / "whole.parquet")
    write_rows(folder / "trees", pa.table(odd_table()))
    return folder


def write_rows(folder, rows, edges=(0, 1_000, 1_001, N)):
    folder.mkdir()
    for part, (start, stop) in enumerate(pairwise(edges)):
        some = rows.slice(start, stop - start)
        pq.write_table(some, folder / f"part-{part}.parquet", row_group_size=700)


@pytest.mark.parametrize("share", [4, 300_000])
@pytest.mark.parametrize("target", ["kind", "price"])
def test_folder_is_made_ready_as_a_table_is(target, share, odd, monkeypatch):
    """Of all rows, so that both have the same ones to train on, though a column has no room in memory."""
    monkeypatch.setattr(
        streamed_columns, "_SHARE", share
    )  # of the memory: so few values are sorted at once
    how = {"test_fraction": 0.0, "scaling": "quantile"}
    job = experiment(
        odd / "trees", target, data__features=None, **{f"data__{key}": value for key, value in how.items()}
    )
    samples = Draws(job).samples
    expected = prepare_table(read_table(odd / "whole.parquet"), target, **how)
    assert samples.preprocessing == expected.preprocessing
    assert str(samples.columns) == str(expected.columns)
    assert {info.kind for info in samples.columns} >= {"category", "date", "id", "text", "duplicate"}
    assert [re.sub(r" of \S*parquet", "", note) for note in samples.notes] == [*expected.notes]
    block = samples.training.read_all()
    assert np.array_equal(block.X, expected.X_train)
    assert np.array_equal(block.y, expected.y_train)
    assert np.array_equal(samples.X, expected.X_train)  # few enough to be shown whole


def test_splits_by_columns_are_those_of_a_table(odd):
    ways = [{"test_after": "2024-09-01", "time": "day"}, {"group": "many"}, {"group": "gaps"}]
    whole = read_table(odd / "whole.parquet")
    for way in ways:
        how = {"random": np.random.RandomState(0), "seed": 0}
        rows = RawFiles(odd / "trees", 96 << 20)
        data = prepare_files(rows, "kind", ColumnSettings(), SplitBy(**way), **how)
        expected = prepare_table(whole, "kind", **way)
        assert data.preprocessing == expected.preprocessing
        assert np.array_equal(data.training.read_all().y, expected.y_train)
        assert np.array_equal(data.held_out.read_all().y, expected.y_test)
        assert expected.split.note in data.notes


def test_training_on_columns_of_every_kind_has_the_bits_of_memory(odd):
    job = experiment(odd / "trees", "kind", data__features=None, data__test_fraction=0.0)
    data = prepare_table(read_table(odd / "whole.parquet"), "kind", test_fraction=0)
    network = gn.Network((data.X.shape[1], 5, 2))
    how = {"iterations": 5, "random_state": 0, "optimizer": gn.Adam(0.05)}
    run = gn.train(network, Draws(job).samples.training, **how)
    assert run.parameters == gn.train(network, data.X_train, data.y_train, **how).parameters


def test_texts_without_room_are_hashes_and_still_ids(odd, monkeypatch):
    monkeypatch.setattr(streamed_columns, "_TEXT_BYTES", 10_000)  # of each different text
    given = {"data__test_fraction": 0.0, "data__memory": "96 MiB"}
    job = experiment(odd / "trees", "kind", data__features=None, **given)
    columns = Draws(job).samples.columns
    assert columns.named("code").kind == "id"
    assert columns.named("note").kind == "text"
    assert columns.named("note").distinct == N - 10
    assert columns.named("city").kind == "category"
    job = experiment(odd / "trees", "kind", data__features=["note"], data__memory="96 MiB")
    with pytest.raises(gn.InputError, match=r"'note' .* more different values than memory .*--ignore note"):
        Draws(job)


@pytest.mark.parametrize("target", ["when", "note"])
def test_target_that_is_no_quantity_is_refused_before_training_as_in_a_table(target, odd):
    words = f"The target: column '{target}' holds .* for classes, give --task classification"
    with pytest.raises(gn.InputError, match=words):
        Draws(experiment(odd / "trees", target, data__features=["a"], data__task="regression"))


def test_text_that_the_settings_call_numbers_is_read_as_in_a_table(odd, tmp_path):
    columns = odd_table()
    columns["written"] = pa.array([None if i % 5 == 2 else f" {i % 997}.25" for i in range(N)])
    columns["sum"] = columns["a"] + np.arange(N) % 7 - 3
    columns["part"] = np.arange(N) % 7
    pq.write_table(pa.table(columns), tmp_path / "whole.parquet")
    write_rows(tmp_path / "trees", pa.table(columns))
    how = {"numeric": ["written"], "features": ["written", "a", "part"], "test_fraction": 0.0}
    given = {f"data__{key}": value for key, value in how.items()}
    samples = Draws(experiment(tmp_path / "trees", "sum", **given)).samples
    expected = prepare_table(read_table(tmp_path / "whole.parquet"), "sum", **how)
    assert samples.preprocessing == expected.preprocessing
    assert samples.notes[-1] == expected.notes[-1]
    assert samples.notes[-1].startswith("'sum' is 'a' + 'part' - 3 in each row, to the last digits")


def test_columns_and_a_quantity_are_standardized_by_the_rows_to_train_on(folder):
    block = Draws(experiment(folder, "height")).samples.training.read_all()
    for values in (block.X[:, :2], block.y):
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-12)
        np.testing.assert_allclose(values.std(axis=0), 1, rtol=1e-12)


def test_rows_without_a_target_are_left_out(tmp_path):
    columns = table()
    columns["species"] = np.where(np.arange(N) == 1_002, " ", columns["species"])
    samples = Draws(experiment(write(tmp_path / "blank", columns))).samples
    assert samples.n + samples.n_held_out == N - 1
    assert re.search(
        r"1 of 9,000 rows have no 'species' \(the first at row 2 of .*part-2", samples.notes[0]
    )


def test_class_that_a_part_of_the_split_lacks_is_named(tmp_path):
    columns = table()
    columns["species"] = np.where(np.arange(N) == 1_002, "yew", columns["species"])
    samples = Draws(experiment(write(tmp_path / "lone", columns))).samples
    trained = 3 in samples.training.read_all().y
    part = "test" if trained else "training"
    assert f"The split has no {part} row of the class(es) 'yew'." in samples.notes


def test_run_of_a_folder_is_that_of_its_rows_in_memory(folder, tmp_path):
    job = experiment(folder, data__memory="128 MiB")
    outcome = run_experiment(job, tmp_path / "r", **QUICK)
    draws = Draws(job)
    samples = draws.samples.in_memory()
    assert (len(samples.X), samples.n_held_out) == (6_750, 2_250)
    held_out = samples.held_out.read_all()
    draws.check_point()
    how = {"parameters": draws.start(), "iterations": 20, "optimizer": gn.Adam(0.05)}
    expected = gn.train(draws.network, samples.X, samples.y, **how)
    assert np.array_equal(outcome.run.losses, expected.losses)
    found = {part: one.confusions[0].accuracy for part, one in outcome.scores.items()}
    assert found == {
        "training": expected.score(samples.X, samples.y),
        "held-out": expected.score(held_out.X, held_out.y),
    }
    record = json.loads((tmp_path / "r" / RECORD).read_text())
    assert (record["data"]["n_samples"], record["data"]["n_held_out"]) == (6_750, 2_250)
    assert record["settings"]["data"]["memory"] == "128 MiB"


def test_pictures_and_report_are_of_a_sample_and_scores_of_all_rows(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_SHOWN", 1_500)
    outcome = run_experiment(experiment(folder, train__iterations=3), tmp_path / "r")
    assert len(outcome.samples.X) == 1_500
    assert any("pictures and the gradient check take 1,500 rows" in note for note in outcome.samples.notes)
    assert outcome.scores["training"].n == 6_750
    page = (tmp_path / "r" / "report.html").read_text()
    assert "trained on 6,750 samples" in page
    assert "of 6,750 samples wrong" in page
    assert "of 2,250 samples wrong" in page
    assert {"data.png", "loss.png", "decision_boundary.png"} <= set(outcome.files)


def test_validation_rows_are_drawn_from_those_to_train_on(folder, tmp_path, monkeypatch):
    job = experiment(folder, train__validation=0.1, train__stopping={"patience": 3}, train__batch_size=100)
    run = run_experiment(job, tmp_path / "r", **QUICK).run
    assert len(run.validation_losses) == run.iterations
    assert run.validation.n_held_out == 0  # they are samples of their own
    monkeypatch.setattr(files, "_VALIDATION", 10**7)
    large = Draws(experiment(folder, data__memory="1 GiB")).samples
    with pytest.raises(gn.InputError, match=r"validation rows take .* choose a smaller share"):
        large.with_validation(0.5, np.random.RandomState(0))


WAYS = {
    "full batch": {},
    "a quantity": {"target": "height"},
    "batches": {"train__batch_size": 100, "train__iterations": 3},
    "validation": {"train__validation": 0.1, "train__dtype": "float32"},
    "single": {"target": "height", "data__features": ["single"]},
}


@pytest.mark.parametrize("way", WAYS)
def test_few_rows_are_kept_in_memory_with_the_same_bits(way, tmp_path, monkeypatch):
    columns = table()
    path = write(tmp_path / "trees", columns | {"single": columns["a"].astype(np.float32)})
    read = run_experiment(experiment(path, **WAYS[way], data__memory="1 GiB"), tmp_path / "r", **QUICK)
    assert str(read.samples).endswith("read from files within 1 GiB")
    job = experiment(path, **WAYS[way])
    kept = run_experiment(job, tmp_path / "k", **QUICK)
    assert str(kept.samples).endswith("kept in memory")
    assert kept.samples.with_validation(None, np.random.RandomState(0))[0].in_memory
    assert np.array_equal(kept.run.losses, read.run.losses)
    assert np.array_equal(kept.run.validation_losses, read.run.validation_losses)
    assert kept.run.parameters == read.run.parameters
    assert kept.samples.notes == read.samples.notes
    scores = [outcome.scores["held-out"].headline for outcome in (kept, read)]
    assert scores[0] == scores[1]
    monkeypatch.setattr(files, "WHOLE", 8 * kept.samples.n * (kept.samples.X.shape[1] + 1) - 1)
    assert not Draws(job).samples.with_validation(None, np.random.RandomState(0))[0].in_memory


@pytest.mark.xdist_group("dask")
def test_dask_has_the_same_bits(folder, tmp_path):
    import distributed

    how = {"train__iterations": 3, "data__memory": "128 MiB"}
    expected = run_experiment(experiment(folder, **how), tmp_path / "r", **QUICK).run
    with distributed.LocalCluster(processes=False, n_workers=2, dashboard_address=":0") as cluster:
        job = experiment(folder, data__dask=cluster.scheduler_address, **how)
        run = run_experiment(job, tmp_path / "d", **QUICK).run
        files.client_of(cluster.scheduler_address).close()
    assert np.array_equal(run.losses, expected.losses)
    assert run.parameters == expected.parameters


def test_settings_are_chosen_for_streamed_rows_as_for_rows_in_memory(folder):
    jobs = [
        replace(experiment(folder, data__memory=memory), automatic=True) for memory in (None, "128 MiB")
    ]
    kept, read = (Draws(job) for job in jobs)
    assert "6,750 rows" in kept.chosen
    assert kept.chosen == read.chosen
    assert kept.experiment["train.batch_size"] == read.experiment["train.batch_size"] == 256
    little = object.__new__(type(read.samples))
    little.__dict__.update(read.samples.__dict__, raw=SimpleNamespace(memory=8 * 8 * 3 * 100))
    assert little.most_validation == 100
    chosen, _ = choose_settings(jobs[1], little)
    assert 0 < chosen["train.validation"] * 6_750 <= 100


def test_file_that_changes_meanwhile_leaves_the_model_so_far(folder, tmp_path, monkeypatch):
    copy = write(tmp_path / "copy", table())
    train = gn.train

    @wraps(train)
    def disturbed(*args, **how):
        def change(run):
            if run.iterations == 4:
                (copy / "part-1.parquet").unlink()

        return train(*args, **{**how, "callbacks": [change]})

    monkeypatch.setattr("glassnet.experiments.preparation.train", disturbed)
    with pytest.raises(gn.FileError, match=r"has changed, or is gone.*model.safetensors"):
        run_experiment(experiment(copy, data__memory="1 GiB"), tmp_path / "r", **QUICK)
    (model,) = (tmp_path / "r").glob("unfinished-*/model.safetensors")
    assert gn.load(model).iterations == 4


# ---- Predictions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("target", TARGETS)
def test_predictions_of_a_folder_are_those_of_a_table(target, folder, tmp_path):
    run_experiment(experiment(folder, target, train__iterations=60), tmp_path / "r", **QUICK)
    whole = write(tmp_path / "whole", table(), (0, N), N) / "part-0.parquet"
    proba = target != "height"
    expected = predict_table(tmp_path / "r", whole, proba)
    again = predict_table(tmp_path / "r", folder, proba, memory="128 MiB")
    columns = expected.columns
    found = again.columns
    assert list(found) == list(columns)
    for name, values in found.items():
        assert values.dtype.kind == columns[name].dtype.kind
        assert np.array_equal(values, columns[name])
    assert again.remark() == expected.remark() != ""


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predictions_are_written_block_by_block(ending, folder, tmp_path):
    run_experiment(experiment(folder), tmp_path / "r", **QUICK)
    found = predict_table(tmp_path / "r", folder, proba=True)
    assert found.n_rows == N
    path = tmp_path / f"out.{ending}"
    write_predictions(path, found.blocks)
    back = read_table(path)
    expected = predict_table(tmp_path / "r", folder, proba=True).columns
    assert back.names == tuple(expected)
    for name in back.names:
        assert np.array_equal(back[name], expected[name])


def test_predictions_need_no_target_and_bear_an_odd_one(folder, tmp_path):
    run_experiment(experiment(folder), tmp_path / "r", **QUICK)
    columns = table(50)
    columns["species"] = np.where(np.arange(50) == 33, "yew", columns["species"])
    new = write(tmp_path / "new", columns, (0, 20, 50))
    remark = predict_table(tmp_path / "r", new).remark()
    assert "Not scored: Column 'species' is 'yew' at row 14 of" in remark
    assert "the classes 'elm', 'fir', 'oak'" in remark
    del columns["species"]
    bare = predict_table(tmp_path / "r", write(tmp_path / "bare", columns, (0, 50)))
    assert bare.remark() == ""
    assert len(bare.columns["prediction"]) == 50


# ---- The command line -----------------------------------------------------------------------------


def command(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_commands_take_a_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    how = ["--target", "species", "--ignore", "code,sick,height"]
    found = command(
        "train", folder, *how, "--memory", "128 MiB", "--iterations", 40, "--no-pictures", "--no-report"
    )
    assert found.exit_code == 0, found.output
    assert "trees: 6,750 samples and 2,250 held out, 2 features (a, b), 3 classes" in found.output
    assert "Constant in the training rows, and left out: 'flat'." in found.output
    checked = command("check", folder, *how)
    assert checked.exit_code == 0
    assert "PASSED" in checked.output
    out = tmp_path / "out.csv"
    found = command("predict", "results/trees", folder, "-o", out, "--memory", "128 MiB")
    assert found.exit_code == 0, found.output
    assert "9,000 prediction(s)" in found.output
    assert len(out.read_text().splitlines()) == N + 1
    printed = command("predict", "results/trees", folder / "part-2.parquet")
    assert printed.stdout.splitlines()[1:] == out.read_text().splitlines()[1_002:]
    grid = ["--set", "sweep.rates.learning_rate=[0.01, 0.1]", "--iterations", 5, "--no-pictures"]
    swept = command("sweep", folder, *how, *grid)
    assert swept.exit_code == 0, swept.output


def test_experiments_file_may_name_a_folder(folder, tmp_path):
    path = tmp_path / "trees.toml"
    path.write_text(
        f'[data]\nfile = "{folder}"\ntarget = "height"\nfeatures = ["a"]\nmemory = "128 MiB"\n'
        f'[train]\niterations = 5\n'
    )  # fmt: skip
    job = find_experiment(str(path))
    assert reads_blocks(job)
    outcome = run_experiment(job, tmp_path / "r", **QUICK)
    again = find_experiment(str(tmp_path / "r"))  # the settings that it wrote
    assert again.to_dict() == job.to_dict()
    assert run_experiment(again, tmp_path / "again", **QUICK).run.parameters == outcome.run.parameters


def test_small_files_are_read_whole_unless_memory_is_given(folder):
    path = folder / "part-0.parquet"
    assert not reads_blocks(experiment(path))
    assert reads_blocks(experiment(path, data__memory="1 GiB"))
    assert reads_blocks(experiment(folder))


def hive(folder):
    folder.mkdir()
    for kind in ("ash", "elm"):
        index = {"__index_level_0__": np.arange(40)}
        write(folder / f"kind={kind}", {name: table(40)[name] for name in ("a", "b")} | index, (0, 20, 40))
    return folder


@pytest.mark.parametrize("how", [{"data__ignore": ["kind"]}, {"data__features": ["b"]}])
def test_column_of_folders_names_can_be_done_without(how, tmp_path):
    samples = Draws(experiment(hive(tmp_path / "hive"), "a", **{"data__features": None, **how})).samples
    assert samples.preprocessing.features == ("b",)


def test_column_of_the_files_may_name_folders_too(tmp_path):
    write(tmp_path / "trees" / "b=1", table(40), (0, 40))
    samples = Draws(
        experiment(tmp_path / "trees", "a", data__features=None, data__ignore=["species"])
    ).samples
    assert "b" in samples.preprocessing.features


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train", "{folder}"], "say which column to predict, with --target COLUMN. It has: a, b, flat"),
        (["train", "{folder}", "--target", "specie"], "Did you mean 'species'"),
        (["train", "{folder}", "--target", "flat", "--features", "a", "--task", "classification"],
         "needs two classes or more"),
        (["train", "{folder}", "--target", "a", "--memory", "3"], "--memory 3: memory is 3 bytes"),
        (["train", "{csv}", "--target", "y", "--memory", "1 GiB"], r"--memory 1 GiB is for Parquet files"),
        (["train", "circles", "--memory", "1 GiB"], "goes with a table"),
        (["train", "{empty}"], "empty holds no Parquet file"),
        (["train", "tree"], "Did you mean 'trees'"),
        (["train", "{folder}", "--target", "species", "--features", "a", "--task", "regression"],
         r"'species' holds cells that are no number: '\w+' at row .*give --task classification"),
        (["train", "{hive}", "--target", "a"], "'kind' is in the names of folders alone.*--ignore kind"),
        (["check", "{hive}", "--target", "a"], "'kind' is in the names of folders alone"),
        (["train", "{hive}", "--target", "kind"], "'kind' is in the names of folders alone"),
        (["train", "{hive}", "--target", "a", "--ignore", "kin"], "'kind' is in the names of fold"),
        (["train", "{hive}", "--target", "what", "--ignore", "kind"],
         r"column of \S*part-0.parquet: 'what'. Choose one of: a, b\."),
        (["predict", "{folder}", "{csv}"], "model.safetensors"),
        (["sweep", "{folder}", "--target", "height", "--features", "a", "--memory", "{least}", "--set",
          "sweep.s.l2=[0.0]"], "9,000 rows of .* more than 96 MiB"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_words(args, message, folder, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    (tmp_path / "trees").mkdir()
    hive(tmp_path / "hive")
    (tmp_path / "t.csv").write_text("x,y\n1,2\n3,4\n")
    if "{least}" in args:
        monkeypatch.setattr(samples.Samples, "n", 10_000_000)
        message = message.replace("9,000", "10,002,250")
    places = {"folder": folder, "csv": tmp_path / "t.csv", "empty": tmp_path / "empty", "least": "96MiB"}
    places["hive"] = tmp_path / "hive"
    monkeypatch.chdir(tmp_path)
    found = command(*(arg.format(**places) for arg in args))
    assert found.exit_code != 0
    assert re.search(message, found.output), found.output
