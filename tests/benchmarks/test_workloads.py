"""The workloads: everybody does the same work or is refused; targets, tables, files."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import benchmarks as bench
import glassnet as gn
from benchmarks import charts, peers, suite, timing
from benchmarks.contest import (
    BenchmarkError,
    Contestant,
    OnThreads,
    TaskRunner,
    UnavailableError,
    thread_choices,
)
from benchmarks.jobs import workloads
from benchmarks.jobs.options import Options
from benchmarks.peers import plain
from benchmarks.record import duration
from benchmarks.tasks import LEARNING_RATE, SEED, Target, make_task
from benchmarks.workloads import WORKLOADS
from glassnet.errors import FileError, InputError, InputTypeError

SMALL = 261  # samples: every batch size of the workloads leaves a shorter last one


# Float64 shows what float32 hides, whatever is timed; float32 is shown by a workload of each kind.
JOBS = [
    pytest.param(name, precision, id=f"{name}-{precision}")
    for name in WORKLOADS
    for precision in workloads.TOLERANCE
    if precision == "float64" or name in ("digits", "tanh-full", "small-gradient", "predict-row")
]
PRESENT = [peer for peer in bench.PEERS if bench.PEERS[peer].why_missing() is None]


def small(name):
    return WORKLOADS[name].shrunk(SMALL)


def task_of(name, precision="float64"):
    return make_task(small(name), precision)


# ---- The workloads --------------------------------------------------------------------------------


def test_workloads_are_the_ones_that_were_agreed():
    assert {
        name: (w.kind, w.sizes, w.hidden, w.n_samples, w.batch_size, w.precisions)
        for name, w in WORKLOADS.items()
    } == {
        "circles-batch": ("training", (2, 3, 2), "logistic", 50_000, 200, ("float32", "float64")),
        "narrow-batch": ("training", (2, 16, 16, 2), "relu", 10_000, 32, ("float32", "float64")),
        "tabular": ("training", (20, 64, 64, 2), "relu", 50_000, 256, ("float32",)),
        "digits": ("training", (64, 100, 10), "relu", 1_797, 200, ("float32",)),
        "wide": ("training", (784, 100, 10), "relu", 20_000, 200, ("float32",)),
        "tanh-full": ("training", (4, 32, 16, 4), "tanh", 10_000, None, ("float32",)),
        "small-gradient": ("gradient", (24, 8, 2), "tanh", 200, None, ("float64",)),
        "predict-row": ("prediction", (64, 100, 10), "relu", 1, None, ("float32",)),
    }


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_workload_has_its_key_and_targets_that_name_peers(name):
    assert WORKLOADS[name].name == name
    assert WORKLOADS[name].targets
    assert {target.peer for target in WORKLOADS[name].targets} <= set(bench.PEERS)


@pytest.mark.parametrize(("name", "precision"), JOBS)
def test_data_are_the_same_each_time_and_fit_the_network(name, precision):
    task, again = task_of(name, precision), task_of(name, precision)
    n = small(name).n_samples
    assert task.X.shape == (n, task.network.sizes[0])
    assert task.T.shape == (n, task.network.sizes[-1])
    assert {task.X.dtype, task.T.dtype} == {np.dtype(precision)}
    for part in ("X", "y", "T"):
        assert np.array_equal(getattr(task, part), getattr(again, part))
    assert task.start == again.start


def test_order_is_scikit_learns():
    from sklearn.utils import shuffle

    random, order = np.random.RandomState(SEED), np.arange(SMALL)
    for found, _ in zip(task_of("digits").orders(), range(3), strict=False):
        order = shuffle(order, random_state=random)
        assert np.array_equal(found, order)


def test_full_batch_is_not_shuffled():
    order = next(task_of("tanh-full").orders())
    assert np.array_equal(order, np.arange(SMALL))


def test_batches_cover_an_epoch_and_the_last_is_shorter():
    bounds = task_of("narrow-batch").bounds
    assert bounds[0] == (0, 32)
    assert bounds[-1] == (256, SMALL)
    assert [stop for _, stop in bounds[:-1]] == [start for start, _ in bounds[1:]]


def test_readme_publishes_the_workloads_and_their_targets():
    table = workloads.readme_table(WORKLOADS)
    assert table in (Path(__file__).parents[2] / "benchmarks" / "README.md").read_text()


# ---- The judge ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WORKLOADS)
def test_references_gradient_is_glassnets(name):
    task = task_of(name)
    loss, gradient = plain.gradient(
        task.parameters(), task.X, task.T, task.workload.hidden, task.network.output.name
    )
    right, found = gn.loss_and_gradient(task.network, task.start, task.X, task.y, engine="numpy")
    assert loss == pytest.approx(right, rel=1e-13)
    np.testing.assert_allclose(
        np.concatenate([part.ravel() for part in gradient]), found.flat, rtol=1e-10, atol=1e-14
    )


def test_one_logistic_output_starts_from_the_same_loss():
    task = task_of("tabular")
    one = task.with_one_output()
    losses = [
        plain.gradient(t.parameters(), t.X, t.T, "relu", t.network.output.name)[0] for t in (task, one)
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-13)


def test_adam_is_the_papers():
    g, theta = np.array([0.5, -2.0, 1e-9]), np.zeros(3)
    adam = plain.Adam([theta])
    adam.step([g])
    # The first step's corrections undo the first averages: a step of the rate against the sign.
    np.testing.assert_allclose(theta, -LEARNING_RATE * g / (np.abs(g) + 1e-8), rtol=1e-12)


# ---- The contestants ------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")  # other libraries' own
@pytest.mark.parametrize("peer", PRESENT)
@pytest.mark.parametrize(("name", "precision"), JOBS)
def test_everybody_gives_the_right_answer(name, precision, peer):
    entries, missing = workloads.enter_all(
        task_of(name, precision),
        Options([bench.PEERS[peer]], 1, 0.001, lambda line: None),
        lambda who: "compiled" not in who.name,  # it takes seconds each; the benchmark checks them too
    )
    assert not missing
    if (peer, WORKLOADS[name].kind) != ("scikit-learn", "gradient"):
        assert entries
    for entry in entries:
        assert entry.error <= workloads.TOLERANCE[precision]
        assert entry.runner.seconds(1) > 0
    titles = [entry.contestant.title for entry in entries]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(
    ("setting", "value"), [("LEARNING_RATE", 1.01e-3), ("EPSILON", 1e-6), ("BETA2", 0.9991), ("SEED", 1)]
)
def test_reference_tells_another_rule_or_order_apart(setting, value, monkeypatch):
    task = task_of("digits")
    right = plain.right_answer(task)
    module = "benchmarks.tasks" if setting == "SEED" else "benchmarks.peers.plain"
    monkeypatch.setattr(f"{module}.{setting}", value)
    other = plain.right_answer(task)
    assert np.abs(other / right - 1).max() > 10 * workloads.TOLERANCE["float64"]


def test_scikit_learns_epochs_are_timed_from_the_end_of_the_first():
    from benchmarks.peers import scikit_learn

    runner = scikit_learn.Training(task_of("digits", "float32"))
    clock = runner._fit(4)
    assert len(clock) == len(clock.times) == 4
    assert clock.times == sorted(clock.times)


def test_runner_is_held_to_its_threads_and_lets_go_of_them():
    from threadpoolctl import threadpool_info

    def blas():
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    seen, before = [], blas()

    class Looking(TaskRunner):
        def answer(self):
            seen.append(blas())

        def work(self, count):
            seen.append(blas())

    runner = OnThreads(None, lambda task: Looking(), threads=1)
    runner.answer()
    runner.work(1)
    runner.seconds(1)
    assert seen == [{1}] * 3
    assert blas() == before


# ---- The check ------------------------------------------------------------------------------------


class Fake(TaskRunner):
    """Gives the right answers, as changed by `spoil`, and losses of its own order as changed by `own`."""

    def __init__(self, task, spoil=lambda answer: answer, own=lambda losses: losses):
        self._answer, self._own = plain.right_answer(task), own
        self._spoil = spoil

    def answer(self):
        return self._spoil(self._answer.copy())

    def work(self, count):
        return self._own(np.full(count, self._answer.min()))


def one_wrong(answer):
    answer[np.argmax(np.abs(answer))] *= 1 + 1e-6
    return answer


def fake(**settings):
    return Contestant("fake", "fake", "1.0", 1, partial(Fake, **settings))


def fake_peer(monkeypatch, *contestants, name="fake", module="json"):
    monkeypatch.setitem(bench.PEERS, name, peers.Peer(name, module, list, lambda task: list(contestants)))


def check_fake(name, who):
    task = task_of(name)
    return workloads.check(who, task, who.make(task), plain.right_answer(task))


@pytest.mark.parametrize("name", ["digits", "tanh-full", "small-gradient", "predict-row"])
def test_right_answer_passes_the_check_and_a_wrong_one_does_not(name):
    assert check_fake(name, fake()) == 0
    for spoil in (one_wrong, lambda answer: answer * (1 + 2e-9)):
        with pytest.raises(BenchmarkError, match=f"does another job than {name}"):
            check_fake(name, fake(spoil=spoil))


@pytest.mark.parametrize(
    "own", [lambda losses: losses[:-1], lambda losses: losses * np.nan, lambda losses: losses + 100]
)
def test_training_that_goes_wrong_in_its_own_order_is_refused(own):
    with pytest.raises(BenchmarkError, match="in an order of its own"):
        check_fake("digits", fake(own=own))


def test_wrong_answer_is_refused_before_anything_is_timed(monkeypatch):
    fake_peer(monkeypatch, fake(spoil=one_wrong))
    monkeypatch.setattr("benchmarks.jobs.workloads.run_heat", lambda *_, **__: pytest.fail("it was timed"))
    with pytest.raises(
        BenchmarkError, match=r"fake, 1 thread \(1.0\) does another job than small-gradient"
    ):
        run_quick(["small-gradient"], peers=["fake"])


# ---- The timing -----------------------------------------------------------------------------------


def entry_of(name, peer="fake"):
    return timing.Entry(replace(fake(), name=name, peer=peer), Fake(task_of("predict-row")), 0.0)


# ---- The targets ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("times", "holds"), [(4.0, True), (3.9, False)])
def test_target_is_against_the_peers_best(times, holds):
    workload = replace(small("digits"), targets=(Target("torch", 4.0), Target("jax", 1.0)))
    ours, slow, best = (
        entry_of(*names) for names in (("glassnet", "glassnet"), ("slow", "torch"), ("best", "torch"))
    )
    ours.seconds, slow.seconds, best.seconds = [3.0, 1.0, 9.0], [99.0] * 3, [3 * times, times, 9.0]
    found = workloads.judge(workload, [ours, slow, best])
    assert found[0] == {"peer": "torch", "at_least": 4.0, "measured": times, "holds": holds}
    assert found[1] == {"peer": "jax", "at_least": 1.0, "measured": None, "holds": None}


def test_best_is_by_the_median():
    often, once = entry_of("often", peer="torch"), entry_of("once", peer="torch")
    often.seconds, once.seconds = [2.0, 2.0, 2.0], [1.0, 3.0, 3.0]
    assert workloads.best([once, often], "torch") is often


# ---- What comes out -------------------------------------------------------------------------------


def run_quick(jobs, **settings):
    return bench.run_suite(
        jobs, **{"rounds": 2, "seconds": 0.002, "peers": [], "quiet": True, "quick": True, **settings}
    )


def test_suite_gives_tables_json_and_a_chart(tmp_path, monkeypatch, capsys):
    fake_peer(monkeypatch, fake())
    fake_peer(monkeypatch, name="gone", module="no_such_module")
    found = run_quick(
        ["small-gradient", "predict-row"], peers=["fake", "gone"], output=tmp_path / "new", quiet=False
    )
    folder = tmp_path / "new"
    assert sorted(path.name for path in folder.iterdir()) == ["quick-workloads.json", "quick-workloads.png"]
    written = json.loads((folder / "quick-workloads.json").read_text())
    assert written["workloads"] == json.loads(json.dumps(found["workloads"]))
    assert (folder / "quick-workloads.png").read_bytes().startswith(b"\x89PNG")
    table = capsys.readouterr().out
    for name in ("small-gradient", "predict-row"):
        workload = WORKLOADS[name]
        assert workload.title in table
        (result,) = found["workloads"][name]["precisions"].values()
        assert [row["peer"] for row in result["contestants"]] == ["numpy"] * len(thread_choices()) + [
            "glassnet",
            "fake",
        ]
        assert {"name": "gone", "reason": f"not installed: {peers.INSTALL}"} in result["missing"]
        for row in result["contestants"]:
            assert row["ms"] == pytest.approx(np.median(row["ms_of_rounds"]))
            assert duration(row["ms"]) in table
        assert table.count("[not measured]") >= len(workload.targets)
    assert found["machine"]["processor"] in table


def test_contestant_that_cannot_run_is_listed_with_its_reason(monkeypatch):
    def broken(task):
        raise UnavailableError("torch.compile fails: no compiler")

    fake_peer(monkeypatch, replace(fake(), make=broken))
    found = run_quick(["small-gradient"], peers=["fake"])
    (result,) = found["workloads"]["small-gradient"]["precisions"].values()
    assert result["missing"] == [{"name": "fake, 1 thread", "reason": "torch.compile fails: no compiler"}]


def test_workloads_of_an_earlier_run_stay_in_the_file(tmp_path, monkeypatch):
    for name in ("small-gradient", "predict-row"):
        monkeypatch.setitem(WORKLOADS, name, WORKLOADS[name].shrunk(20))
    for job in ("predict-row", "small-gradient"):
        run_quick([job], output=tmp_path, quick=False, rounds=1)
    written = json.loads((tmp_path / "workloads.json").read_text())
    assert list(written["workloads"]) == ["small-gradient", "predict-row"]
    monkeypatch.setattr(suite, "describe_machine", lambda isa: {**written["machine"], "processor": "other"})
    run_quick(["predict-row"], output=tmp_path, quick=False, rounds=1)
    assert list(json.loads((tmp_path / "workloads.json").read_text())["workloads"]) == ["predict-row"]


def test_file_that_holds_something_else_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "workloads.json").write_text("[]")
    monkeypatch.setattr(suite, "run_workload", lambda *_: pytest.fail("it began"))
    with pytest.raises(FileError, match="no record of workloads"):
        run_quick(["predict-row"], output=tmp_path, quick=False)


def test_quiet_suite_says_nothing_and_writes_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_quick(["predict-row"])
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def a_document():
    """Two workloads as they would be recorded, glassnet twice as fast as it has to be."""
    ours, theirs = entry_of("glassnet", peer="glassnet"), entry_of("best", peer="torch")
    ours.seconds, theirs.seconds = [1e-3], [8e-3]
    records = {}
    for name in ("digits", "wide"):
        workload = WORKLOADS[name]
        records[name] = workloads.describe(workload, {})
        records[name]["precisions"]["float32"] = workloads.result_of(
            workload, [ours, theirs], [ours, theirs], []
        )
    return {"workloads": records, "machine": {"processor": "a processor", "cores_allowed": 2}}


def test_every_peer_has_a_look():
    assert set(charts.LOOKS) == set(bench.PEERS)


def test_target_table_has_wanted_and_measured_side_by_side():
    document = a_document()
    table = workloads.target_table(document["workloads"])
    for name in ("digits", "wide"):
        for target in WORKLOADS[name].targets:
            (line,) = [
                line for line in table.splitlines() if line.startswith(f"{name} ") and target.peer in line
            ]
            assert f"{target.at_least:g} x" in line
            assert (
                ("8 x" in line and "[holds]" in line)
                if target.peer == "torch"
                else "[not measured]" in line
            )


def test_chart_has_a_dot_for_each_librarys_best_and_a_mark_for_the_strictest_target():
    axes = workloads.draw_workloads(a_document()).axes[0]
    xs = [tuple(np.round(line.get_xdata(), 9)) for line in axes.lines]
    assert xs.count((1.0,)) == xs.count((8.0,)) == 2
    for name in ("digits", "wide"):
        (torch,) = [target.at_least for target in WORKLOADS[name].targets if target.peer == "torch"]
        assert (8 / torch, 8 / torch) in xs
    assert axes.get_xscale() == "log"


# ---- Mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "settings", "error", "message"),
    [
        (["digitz"], {}, InputError, "Did you mean 'digits'"),
        ("digits", {}, InputTypeError, "a list of names"),
        (3, {}, InputTypeError, "a list of names"),
        (["digits"], {"rounds": 0}, InputError, "expected 1 or more"),
        (["digits"], {"peers": ["jaxx"]}, InputError, "Did you mean 'jax'"),
        (["digits"], {"output": "a.json"}, InputError, "expected a folder"),
    ],
)
def test_settings_that_make_no_sense_are_refused(jobs, settings, error, message):
    with pytest.raises(error, match=message):
        run_quick(jobs, **settings)
