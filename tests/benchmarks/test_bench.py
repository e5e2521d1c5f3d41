"""The benchmark: everybody does the same job or is refused; the count is the source's; what it writes."""

import json
import re
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import benchmarks as bench
import glassnet as gn
from benchmarks import bound, chart, peers, record, timing
from benchmarks.job import BenchmarkError, Contestant, Runner, UnavailableError, make_job
from benchmarks.notebook import Notebook
from glassnet import native
from glassnet.errors import FileError, InputError, InputTypeError

ROOT = Path(__file__).parents[2]
SMALL = 501  # samples: odd, so that the last vector is not full


@pytest.fixture(scope="module")
def job():
    return make_job(SMALL)


def present():
    """Whoever is installed here; the benchmark lists the others by name, which has a test of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bench.gather(list(bench.PEERS.values()))[0]


class Fake:
    """A contestant whose losses are the notebook's, as changed by `spoil`."""

    def __init__(self, job, spoil=lambda losses: losses):
        self._notebook, self._spoil = Notebook(job), spoil

    def reset(self):
        self._notebook.reset()

    def iterate(self, count):
        return self._spoil(self._notebook.iterate(count))


def fake(spoil=lambda losses: losses, precision="float64", make=Fake):
    return Contestant("fake", "fake", "1.0", precision, 1, partial(make, spoil=spoil), first=1)


def fake_peer(monkeypatch, *contestants, module="json"):
    monkeypatch.setitem(bench.PEERS, "fake", peers.Peer("fake", module, lambda: list(contestants)))


def run_small(**options):
    return bench.run_benchmark(
        **{"rounds": 2, "seconds": 0.001, "n_samples": SMALL, "quiet": True, "peers": ["fake"], **options}
    )


# ---- The job --------------------------------------------------------------------------------------


def test_job_is_the_notebooks(circles):
    job = make_job()
    assert len(job.X) == 50_000
    notebook = Notebook(job)
    assert notebook.loss == pytest.approx(circles["loss"][0], rel=1e-13)
    np.testing.assert_allclose(notebook.iterate(3), circles["loss"][1:4], rtol=1e-13)


def test_one_logistic_output_starts_from_the_same_loss(job):
    network = gn.Network((2, 3, 1), output="logistic")
    loss, _ = gn.loss_and_gradient(network, job.one_output, job.X, job.y, reduction="sum")
    assert loss == pytest.approx(Notebook(job).loss, rel=1e-13)


def test_true_losses_of_one_output_are_compared_with_the_notebooks_first(job, monkeypatch):
    monkeypatch.setattr(timing.Notebook, "loss", 1.0)
    with pytest.raises(BenchmarkError, match="One logistic output starts at"):
        timing.true_losses(job, outputs=1)


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
def test_contestant_records_the_right_losses_and_starts_afresh_after_a_reset(who, job):
    runner = who.make(job)
    error = timing.check(who, runner, timing.true_losses(job, who.outputs))
    assert error <= timing.TOLERANCE[who.precision]
    runner.reset()
    first = runner.iterate(7)
    runner.reset()
    assert np.array_equal(runner.iterate(7), first)


def test_names_of_contestants_tell_them_apart():
    titles = [who.title for who in present()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("change", [{"momentum": 0.51}, {"learning_rate": 1.01e-4}])
@pytest.mark.parametrize(
    "name",
    ["the notebook's NumPy", "glassnet", "scikit-learn, its parts", "scikit-learn, fit"],
)
def test_contestant_with_another_rule_is_refused(name, change, job):
    who = next(who for who in present() if (who.name, who.precision) == (name, "float64"))
    with pytest.raises(BenchmarkError, match="does another job"):
        timing.check(who, who.make(replace(job, **change)), timing.true_losses(job, who.outputs))


# ---- The check ------------------------------------------------------------------------------------


def one_wrong(losses):
    losses[13] *= 1 + 1e-6
    return losses


SPOILED = {
    "all a little": lambda losses: losses * (1 + 2e-9),
    "one": one_wrong,
    "not a number": lambda losses: np.where(np.arange(len(losses)) == 5, np.nan, losses),
    "infinite": lambda losses: np.where(np.arange(len(losses)) == 5, np.inf, losses),
    "a step late": lambda losses: np.roll(losses, 1),
    "the mean": lambda losses: losses / SMALL,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_wrong_loss_is_refused_before_anything_is_timed(spoil, monkeypatch):
    fake_peer(monkeypatch, fake(spoil))
    monkeypatch.setattr(bench, "calibrate", lambda *_: pytest.fail("it was timed"))
    with pytest.raises(BenchmarkError, match=r"fake, float64, 1 thread \(1.0\) does another job"):
        run_small()


def test_refusal_names_iteration_and_both_losses(job):
    truth = timing.true_losses(job)
    with pytest.raises(BenchmarkError) as error:
        timing.check(fake(one_wrong), Fake(job, one_wrong), truth)
    assert "its loss of iteration 14 is" in str(error.value)
    assert f"where {truth[14]:.12g} is right" in str(error.value)


@pytest.mark.parametrize("spoil", [lambda losses: losses[:-1], lambda losses: losses.sum()])
def test_missing_losses_are_refused(spoil, job):
    with pytest.raises(BenchmarkError, match="expected one for each"):
        timing.check(fake(spoil), Fake(job, spoil), timing.true_losses(job))


def test_losses_that_go_missing_while_timed_are_refused(job):
    entry = timing.Entry(fake(), Fake(job, lambda losses: losses[1:]), 0.0, iterations=5)
    with pytest.raises(BenchmarkError, match="did not record a loss for each iteration"):
        timing.time_slice(entry)


@pytest.mark.parametrize(("precision", "tolerance"), timing.TOLERANCE.items())
def test_tolerance_is_the_precisions(precision, tolerance, job):
    truth = timing.true_losses(job)
    for factor, right in ((0.5, True), (2.0, False)):

        def spoil(losses, factor=factor):
            return losses * (1 + factor * tolerance)

        who, runner = fake(spoil, precision), Fake(job, spoil)
        if right:
            assert timing.check(who, runner, truth) == pytest.approx(factor * tolerance, rel=1e-3)
        else:
            with pytest.raises(BenchmarkError):
                timing.check(who, runner, truth)


# ---- The timing -----------------------------------------------------------------------------------


class Recorder(Runner):
    """Says when it is asked for anything."""

    def __init__(self, name, calls):
        self.name, self.calls = name, calls

    def reset(self):
        self.calls.append((self.name, "reset"))

    def iterate(self, count):
        self.calls.append((self.name, count))
        return np.zeros(count)


def test_rounds_take_turns_forwards_and_backwards_and_start_afresh():
    calls = []
    entries = [timing.Entry(fake(), Recorder(name, calls), 0.0, iterations=3) for name in "ab"]
    timing.time_rounds(entries, 2, 0.0, lambda: calls.append("round"), lambda line: None)
    turn = {n: [(n, "reset"), (n, timing.CHECKED), (n, "reset"), (n, 3)] for n in "ab"}
    assert calls == ["round", *turn["a"], *turn["b"], "round", *turn["b"], *turn["a"]]
    assert [len(entry.seconds) for entry in entries] == [2, 2]


def test_ratio_is_the_median_of_each_rounds():
    assert timing.ratio([10.0, 1.0, 300.0], [1.0, 5.0, 100.0]) == 3.0


def test_slice_is_filled_with_iterations(job):
    entry = timing.Entry(fake(), Fake(job), 0.0)
    timing.calibrate(entry, 1e-9)
    assert entry.iterations == 1
    timing.calibrate(entry, 0.02)
    assert entry.iterations > 1


# ---- The bound ------------------------------------------------------------------------------------


def source(name, start, end="\n}"):
    text = (ROOT / "src/glassnet/native/kernels" / name).read_text()
    begin = text.index(start)
    return text[begin : text.index(end, begin)]


@pytest.mark.parametrize(("precision", "type_name"), [("float64", "double"), ("float32", "float")])
def test_polynomial_has_as_many_coefficients_as_are_counted(precision, type_name):
    constants = source("shallow.hpp", f"struct Binary<{type_name}>")
    coefficients = re.search(r"coth\[\] = \{(.*?)\}", constants, re.DOTALL)[1]
    assert len(coefficients.split(",")) == bound.COEFFICIENTS[precision] + 1


def operations(text):
    """fma of both signs, minima and maxima, and divisions in a piece of C++."""
    code = re.sub(r"//.*", "", text)
    return (
        len(re.findall(r"\bfn?m[as]\(", code)),
        len(re.findall(r"\b(?:min|max)\(", code)),
        len(re.findall(r"[\w)] / [\w(]", code)),
    )


def test_count_is_that_of_the_formulas_in_the_source():
    reduction = operations(source("shallow.hpp", "Reduced<P> reduce_binary("))
    ratio = operations(source("shallow.hpp", "Ratio<P> binary_ratio("))
    hidden = source("shallow.hpp", "void hidden(", "\n  }")
    hidden = operations(re.sub(r"\} else \{.*?\}|\bv / G\b", "", hidden, flags=re.DOTALL))
    loss = source("shallow.hpp", "void add(const P& part", "\n  }")
    head = operations(source("shallow.hpp", "double head(", "double loss ="))
    back = source("shallow.hpp", "struct Sums", "void total(")
    back = operations(re.sub(r": fnma.*", "", back))  # of two activations one
    # Of these, one fma of the ratio, one of the hidden units and two of the head are in loops.
    assert (reduction, ratio, back) == ((0, 0, 0), (1, 0, 0), (1, 0, 0))
    assert (hidden, head) == ((2, 2, 1), (3, 2, 1))
    # Besides those: in each exponential r^2 and an fma for every coefficient; in the head the exponential's
    # scale; products of weights (2 and 3 inputs, forward and for the gradient) and of the loss; h delta.
    for precision, coefficients in bound.COEFFICIENTS.items():
        exponential = 1 + coefficients
        products = 1 + (2 * 3 + 3) + 2 * 3 + loss.count(" * ") + 3
        total = bound.total(precision)
        assert total.fma == 4 * exponential + 3 * (hidden[0] - 1 + back[0]) + head[0] - 2 + products
        assert total.min_max == 3 * hidden[1] + head[1]
        assert total.divide == 3 * hidden[2] + head[2]


RATES = {"lanes": 4, "fma": 1e-10, "add": 1e-10, "divide": 1e-10, "mixed": 1e-10}


@pytest.mark.parametrize(
    ("change", "limit", "per_vector"),
    [
        ({"mixed": 5e-11}, "fma", 52e-10),
        ({"mixed": 5e-11, "divide": 1e-8}, "divide", 4e-8),
        ({}, "all arithmetic", 94e-10),
    ],
)
def test_bound_is_the_longest_of_what_can_be_short(change, limit, per_vector):
    found = bound.bound("float64", 401, {**RATES, **change})
    assert found.limit == limit
    assert found.seconds == pytest.approx(101 * per_vector)
    assert found.on(2) == pytest.approx(found.seconds / 2)


@pytest.mark.parametrize("precision", bound.COEFFICIENTS)
@pytest.mark.parametrize("isa", native.module.isas())
def test_rates_are_measured_for_every_instruction_set(isa, precision):
    rates = bound.measure_rates(isa, precision, 0.002)
    assert set(rates) == set(RATES)
    width = {"avx512": 64, "avx2": 32, "portable": 16}[isa]
    assert rates["lanes"] == width // np.dtype(precision).itemsize
    assert all(0 < rates[kind] < 1e-6 for kind in rates if kind != "lanes")


def test_rates_of_an_unknown_set_or_width_are_refused():
    with pytest.raises(ValueError, match="does not have"):
        native.module.issue_rates("mmx", 64)
    with pytest.raises(ValueError, match="bits is 32 or 64"):
        native.module.issue_rates(native.module.isas()[0], 16)


def test_readme_publishes_the_count():
    assert bound.count_table() in (ROOT / "benchmarks" / "README.md").read_text()


# ---- What comes out -------------------------------------------------------------------------------


def test_benchmark_gives_a_table_json_and_a_chart(tmp_path, monkeypatch, capsys):
    fake_peer(monkeypatch, fake())
    monkeypatch.setitem(bench.PEERS, "gone", peers.Peer("gone", "no_such_module", list))
    found = run_small(
        peers=["fake", "gone", "scikit-learn"], output=tmp_path / "new" / "folder", quiet=False
    )
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == ["iteration.json", "iteration.png"]
    written = json.loads((folder / "iteration.json").read_text())
    assert written == json.loads(json.dumps(found))
    assert (folder / "iteration.png").read_bytes().startswith(b"\x89PNG")

    table = capsys.readouterr().out
    assert {row["peer"] for row in found["contestants"]} == {"numpy", "scikit-learn", "fake", "glassnet"}
    for row in found["contestants"]:
        line = f"{row['name']} +{re.escape(row['version'])} +{row['precision']} +{row['threads']} "
        time = re.escape(f"{row['ms']:.4g}")
        assert re.search(f"{line}.*{time}", table)
        assert len(row["ms_of_rounds"]) == 2
        assert row["ms"] == pytest.approx(np.median(row["ms_of_rounds"]))
    assert re.search(r"^bound +\S.* float64 +2", table, re.MULTILINE)
    assert 'gone: not installed: pip install "glassnet[bench]"' in table
    assert found["machine"]["processor"] in table
    assert native.module.BUILD in table
    assert table.count("[not measured]") == len(found["targets"]) == 3


def test_ratios_are_to_the_notebook_and_to_the_bound_on_as_many_threads(monkeypatch):
    fake_peer(monkeypatch)
    monkeypatch.setattr(record, "thread_count", lambda _: 2)
    found = run_small(rounds=1)
    notebook = found["contestants"][0]
    assert notebook["times_faster_than_notebook"] == 1
    for row in found["contestants"]:
        assert row["times_faster_than_notebook"] == pytest.approx(notebook["ms"] / row["ms"])
        least = found["bound"][row["precision"]]["ms_on_one_thread"] / min(row["threads"], 2)
        assert row["times_the_bound"] == pytest.approx(row["ms"] / least)


def test_json_path_has_the_chart_beside_it(tmp_path, monkeypatch):
    fake_peer(monkeypatch)
    run_small(rounds=1, output=str(tmp_path / "mine.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.json", "mine.png"]


def test_quiet_benchmark_says_nothing_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fake_peer(monkeypatch)
    run_small(rounds=1)
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_contestant_that_cannot_run_is_listed_with_its_reason(monkeypatch):
    def broken(job, spoil):
        raise UnavailableError("torch.compile fails: no compiler")

    fake_peer(monkeypatch, fake(make=broken))
    found = run_small(rounds=1)
    assert {"name": "fake, float64", "reason": "torch.compile fails: no compiler"} in found["missing"]
    assert "fake" not in {row["name"] for row in found["contestants"]}


def test_library_that_is_there_but_broken_is_not_called_missing(tmp_path, monkeypatch):
    (tmp_path / "broken_library.py").write_text("raise ImportError('its own library is gone')")
    monkeypatch.syspath_prepend(tmp_path)
    fake_peer(monkeypatch, module="broken_library")
    _, missing = bench.gather([bench.PEERS["fake"]])
    assert missing == [("fake", f"cannot be imported (its own library is gone): {peers.INSTALL}")]


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
    assert [target["holds"] for target in record.judge(rows, 50_000, cores=2)] == holds


@pytest.mark.parametrize(("n_samples", "cores"), [(49_999, 2), (50_000, 1)])
def test_targets_are_not_judged_for_another_job_or_a_single_core(n_samples, cores):
    rows = [row("float64", 500.0, 1.0), row("float32", 500.0, 1.0)]
    assert [target["holds"] for target in record.judge(rows, n_samples, cores)] == [None] * 3


def test_chart_has_a_bar_for_everybody_and_a_mark_for_each_bound(monkeypatch):
    fake_peer(monkeypatch, fake())
    found = run_small(rounds=1)
    axes = chart.draw_chart(found).axes[0]
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
    monkeypatch.setattr(bench, "make_job", lambda _: pytest.fail("it began"))
    with pytest.raises(FileError, match="is a file"):
        run_small(peers=[], output=tmp_path / "file" / "results")


def test_processor_is_named_without_proc(monkeypatch):
    def missing(self):
        raise OSError

    monkeypatch.setattr(record.Path, "read_text", missing)
    assert record.processor()
