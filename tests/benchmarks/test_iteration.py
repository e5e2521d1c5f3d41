"""The notebook's iteration: everybody does it or is refused; the document, the table, the chart."""

import contextlib
import io
import json
import re
import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

import benchmarks as bench
import glassnet as gn
from benchmarks import peers, record
from benchmarks.contest import BenchmarkError, Contestant, Runner, UnavailableError
from benchmarks.jobs import iteration
from benchmarks.peers.notebook import Notebook
from benchmarks.tasks import make_notebook_task, one_output
from glassnet import native
from glassnet.errors import FileError, InputError, InputTypeError

SMALL = 501  # samples: odd, so that the last vector is not full


@pytest.fixture(scope="module")
def task():
    return make_notebook_task(SMALL)


def present():
    """Whoever is installed here; the benchmark lists the others by name, which has a test of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        installed = [peer for peer in bench.PEERS.values() if peer.why_missing() is None]
        return [who for peer in installed for who in peer.iteration()]


class Fake(Runner):
    """A contestant whose losses are the notebook's, as changed by `spoil`."""

    def __init__(self, task, spoil=lambda losses: losses):
        self._notebook, self._spoil = Notebook(task), spoil

    def reset(self):
        self._notebook.reset()

    def work(self, count):
        return self._spoil(self._notebook.work(count))


def fake(spoil=lambda losses: losses, precision="float64", make=Fake):
    return Contestant("fake", "fake", "1.0", 1, partial(make, spoil=spoil), precision, first=1)


def fake_peer(patch, *contestants, name="fake", module="json"):
    patch.setitem(bench.PEERS, name, peers.Peer(name, module, lambda: list(contestants), lambda task: []))


def run_small(**options):
    return bench.run_benchmark(
        **{"rounds": 2, "seconds": 0.001, "n_samples": SMALL, "quiet": True, "peers": ["fake"], **options}
    )


# ---- The job --------------------------------------------------------------------------------------


def test_job_is_the_notebooks(circles):
    task = make_notebook_task()
    assert len(task.X) == 50_000
    notebook = Notebook(task)
    assert notebook.loss == pytest.approx(circles["loss"][0], rel=1e-13)
    np.testing.assert_allclose(notebook.work(3), circles["loss"][1:4], rtol=1e-13)


def test_one_logistic_output_starts_from_the_same_loss(task):
    network = gn.Network((2, 3, 1), output="logistic")
    loss, _ = gn.loss_and_gradient(network, one_output(task.start), task.X, task.y, reduction="sum")
    assert loss == pytest.approx(Notebook(task).loss, rel=1e-13)


def test_true_losses_of_one_output_are_compared_with_the_notebooks_first(task, monkeypatch):
    monkeypatch.setattr(iteration.Notebook, "loss", 1.0)
    with pytest.raises(BenchmarkError, match="One logistic output starts at"):
        iteration.true_losses(task, one_logistic=True)


# ---- The contestants ------------------------------------------------------------------------------


def test_everybody_takes_part_that_the_tests_environment_has():
    names = {who.peer for who in present()}
    assert names >= {"numpy", "scikit-learn", "glassnet"}
    assert {(w.precision, w.threads) for w in present() if w.name == "glassnet"} >= {
        ("float64", 1),
        ("float64", 2),
        ("float32", 1),
        ("float32", 2),
    }


@pytest.mark.filterwarnings("ignore")  # other libraries' own
@pytest.mark.parametrize("who", present(), ids=lambda who: who.title)
def test_contestant_records_the_right_losses_and_starts_afresh_after_a_reset(who, task):
    runner = who.make(task)
    error = iteration.check(who, runner, iteration.true_losses(task, who.one_output))
    assert error <= iteration.TOLERANCE[who.precision]
    runner.reset()
    first = runner.work(7)
    runner.reset()
    assert np.array_equal(runner.work(7), first)


def test_names_of_contestants_tell_them_apart():
    titles = [who.title for who in present()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("change", [{"momentum": 0.51}, {"learning_rate": 1.01e-4}])
@pytest.mark.parametrize(
    "name",
    ["the notebook's NumPy", "glassnet", "scikit-learn, its parts", "scikit-learn, fit"],
)
def test_contestant_with_another_rule_is_refused(name, change, task):
    who = next(who for who in present() if (who.name, who.precision) == (name, "float64"))
    with pytest.raises(BenchmarkError, match="does another job"):
        iteration.check(who, who.make(replace(task, **change)), iteration.true_losses(task, who.one_output))


# ---- The check ------------------------------------------------------------------------------------


def one_wrong(losses):
    losses[13] *= 1 + 1e-6
    return losses


@pytest.mark.parametrize("spoil", [one_wrong, lambda losses: losses[:-1]], ids=["one", "missing"])
def test_wrong_loss_is_refused_before_anything_is_timed(spoil, monkeypatch):
    fake_peer(monkeypatch, fake(spoil))
    monkeypatch.setattr(iteration, "run_heat", lambda *_, **__: pytest.fail("it was timed"))
    with pytest.raises(BenchmarkError, match=r"fake, float64, 1 thread \(1.0\) (does|gives an)"):
        run_small()


def test_refusal_names_iteration_and_both_losses(task):
    truth = iteration.true_losses(task)
    with pytest.raises(BenchmarkError, match="does another job than the notebook's iteration") as error:
        iteration.check(fake(one_wrong), Fake(task, one_wrong), truth)
    assert "its value [14] is" in str(error.value)
    assert f"where {truth[14]:.12g} is right" in str(error.value)


@pytest.mark.parametrize(("precision", "tolerance"), iteration.TOLERANCE.items())
def test_tolerance_is_the_precisions(precision, tolerance, task):
    truth = iteration.true_losses(task)
    for factor, right in ((0.5, True), (2.0, False)):

        def spoil(losses, factor=factor):
            return losses * (1 + factor * tolerance)

        who, runner = fake(spoil, precision), Fake(task, spoil)
        if right:
            assert iteration.check(who, runner, truth) == pytest.approx(factor * tolerance, rel=1e-3)
        else:
            with pytest.raises(BenchmarkError):
                iteration.check(who, runner, truth)


# ---- What comes out -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """One run with another library and two fakes: the document, its folder, what it printed."""
    folder = tmp_path_factory.mktemp("iteration") / "new" / "folder"
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        fake_peer(patch, fake())
        fake_peer(patch, name="gone", module="no_such_module")
        chosen = ["fake", "gone", "scikit-learn"]
        document = run_small(peers=chosen, output=str(folder / "mine.json"), quiet=False)
    return document, folder, out.getvalue()


def test_benchmark_gives_a_table_json_and_a_chart_beside_it(written):
    document, folder, table = written
    assert sorted(path.name for path in folder.iterdir()) == ["mine.json", "mine.png"]
    assert json.loads((folder / "mine.json").read_text()) == json.loads(json.dumps(document))
    assert (folder / "mine.png").read_bytes().startswith(b"\x89PNG")
    assert {row["peer"] for row in document["contestants"]} == {"numpy", "scikit-learn", "fake", "glassnet"}
    for row in document["contestants"]:
        line = f"{row['name']} +{re.escape(row['version'])} +{row['precision']} +{row['threads']} "
        time = re.escape(f"{row['ms']:.4g}")
        assert re.search(f"{line}.*{time}", table)
        assert len(row["ms_of_rounds"]) == 2
        assert row["ms"] == pytest.approx(np.median(row["ms_of_rounds"]))
    assert re.search(r"^bound +\S.* float64 +2", table, re.MULTILINE)
    assert 'gone: not installed: pip install "glassnet[bench]"' in table
    assert document["machine"]["processor"] in table
    assert native.module.BUILD in table
    assert table.count("[not measured]") == len(document["targets"]) == 3


def test_ratios_are_to_the_notebook_and_to_the_bound_on_as_many_threads(monkeypatch):
    fake_peer(monkeypatch)
    monkeypatch.setattr(iteration, "thread_count", lambda _: 2)
    found = run_small(rounds=1)
    notebook = found["contestants"][0]
    assert notebook["times_faster_than_notebook"] == 1
    for row in found["contestants"]:
        assert row["times_faster_than_notebook"] == pytest.approx(notebook["ms"] / row["ms"])
        least = found["bound"][row["precision"]]["ms_on_one_thread"] / min(row["threads"], 2)
        assert row["times_the_bound"] == pytest.approx(row["ms"] / least)


def test_quiet_benchmark_says_nothing_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fake_peer(monkeypatch)
    run_small(rounds=1)
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_contestant_that_cannot_run_is_listed_with_its_reason(monkeypatch):
    def broken(task, spoil):
        raise UnavailableError("torch.compile fails: no compiler")

    fake_peer(monkeypatch, fake(make=broken))
    found = run_small(rounds=1)
    assert {"name": "fake, float64, 1 thread", "reason": "torch.compile fails: no compiler"} in found[
        "missing"
    ]
    assert "fake" not in {row["name"] for row in found["contestants"]}


def test_library_that_is_there_but_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise ImportError('its own library is gone')")
    monkeypatch.syspath_prepend(tmp_path)
    fake_peer(monkeypatch, module="broken_library")
    why = bench.PEERS["fake"].why_missing()
    assert why == f"cannot be imported (its own library is gone): {peers.INSTALL}"


def test_without_the_native_engine_there_is_no_bound(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(native, "module", None)
    monkeypatch.setattr(native, "reason", "there was no compiler")
    fake_peer(monkeypatch)
    found = run_small(rounds=1, quiet=False, output=tmp_path)
    assert found["bound"] == {}
    assert [row["name"] for row in found["contestants"] if row["peer"] == "glassnet"] == [
        "glassnet, NumPy engine"
    ]
    assert "there was no compiler" in capsys.readouterr().out
    assert (tmp_path / "iteration.png").stat().st_size > 10_000


def row(precision, faster, near, threads=2):
    return {
        "name": "glassnet",
        "precision": precision,
        "threads": threads,
        "times_faster_than_notebook": faster,
        "times_the_bound": near,
    }


@pytest.mark.parametrize(
    ("double", "single", "holds"),
    [
        ((80.0, 2.0), 200.0, [True, True, True]),
        ((79.9, 2.1), 199.0, [False, False, False]),
    ],
)
def test_targets_are_judged_on_two_threads(double, single, holds):
    rows = [row("float64", 500.0, 1.0, threads=1), row("float64", *double), row("float32", single, 1.0)]
    assert [target["holds"] for target in iteration.judge(rows, 50_000, cores=2)] == holds


@pytest.mark.parametrize(("n_samples", "cores"), [(49_999, 2), (50_000, 1)])
def test_targets_are_not_judged_for_another_job_or_a_single_core(n_samples, cores):
    rows = [row("float64", 500.0, 1.0), row("float32", 500.0, 1.0)]
    assert [target["holds"] for target in iteration.judge(rows, n_samples, cores)] == [None] * 3


def test_chart_has_a_bar_for_everybody_and_a_mark_for_each_bound(written):
    found = written[0]
    axes = iteration.draw_chart(found).axes[0]
    ours = [row for row in found["contestants"] if row["name"] == "glassnet"]
    assert len(axes.patches) == len(found["contestants"])
    assert sorted(bar.get_width() for bar in axes.patches) == sorted(
        row["ms"] for row in found["contestants"]
    )
    assert len(axes.lines) == len(ours)
    assert axes.get_xscale() == "log"
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert "glassnet, 1 thread" in labels
    assert "the notebook's NumPy" in " ".join(labels)


# ---- Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rounds": 0}, InputError, "expected 1 or more"),
        ({"rounds": 1.5}, InputTypeError, "whole number"),
        ({"seconds": 0}, InputError, "such as 0.2"),
        ({"seconds": float("nan")}, InputError, "such as 0.2"),
        ({"seconds": "1"}, InputTypeError, "seconds is a number"),
        ({"peers": ["jaxx"]}, InputError, "Did you mean 'jax'"),
        ({"peers": "jax"}, InputTypeError, "a list of names"),
        ({"peers": 3}, InputTypeError, "a list of names"),
        ({"n_samples": 0}, InputError, "expected 100 or more"),
        ({"n_samples": 5e4}, InputTypeError, "whole number"),
        ({"output": 3}, InputTypeError, "output is text"),
    ],
)
def test_settings_that_make_no_sense_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        run_small(**{"peers": [], **options})


def test_results_that_cannot_be_written_are_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(iteration, "make_notebook_task", lambda _: pytest.fail("it began"))
    with pytest.raises(FileError, match="is a file"):
        run_small(peers=[], output=tmp_path / "file" / "results")


def test_processor_is_named_without_proc(monkeypatch):
    def missing(self):
        raise OSError

    monkeypatch.setattr(record.Path, "read_text", missing)
    assert record.processor()
