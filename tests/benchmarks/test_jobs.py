"""The other jobs: memory, checkpoint, scaling, solvers, classics."""

from dataclasses import replace

import numpy as np
import pytest

import benchmarks as bench
import glassnet as gn
from benchmarks import jobs, peers
from benchmarks.contest import BenchmarkError
from benchmarks.jobs import checkpoint, classics, memory, reading, scaling, solvers
from benchmarks.jobs.options import Options
from benchmarks.peers import solvers as peer_solvers
from benchmarks.tasks import make_notebook_task


def options(peers=(), **settings):
    return Options(peers, 1, 0.001, lambda line: None, **settings)


def run_quick(job, **settings):
    quick = {"rounds": 2, "seconds": 0.002, "peers": [], "quiet": True, "quick": True}
    return bench.run_suite([job], **{**quick, **settings})[job]


# ---- Memory ---------------------------------------------------------------------------------------


def test_process_that_fails_says_why(monkeypatch):
    found = memory.measure_memory("nobody", 10)
    assert found["reason"].startswith("KeyError")
    monkeypatch.setattr(memory, "measure_memory", lambda who, n: {"name": who, "reason": "why"})
    record = memory.judge_memory(options())
    assert record["holds"] is None
    assert "[not measured]" in memory.memory_table(record)


@pytest.mark.parametrize(("extra", "verdict"), [(0, "[holds]"), (1, "[MISSED]")])
def test_memory_may_be_one_copy_and_some_room(extra, verdict, monkeypatch):
    allowed = 4 * memory.N_SAMPLES * memory.INPUTS + memory.ROOM

    def measured(who, n):
        return {"name": who, "over_the_data": allowed + extra}

    monkeypatch.setattr(memory, "measure_memory", measured)
    record = memory.judge_memory(options())
    assert record["allowed_bytes"] == allowed
    assert memory.memory_table(record).splitlines()[-1].startswith(verdict)


def test_memory_of_a_training_is_measured_in_a_process_of_its_own_and_is_as_little_as_it_may(monkeypatch):
    monkeypatch.setattr(memory, "QUICK_SAMPLES", 200_000)
    record = memory.judge_memory(options(quick=True))
    data = 4 * 200_000 * memory.INPUTS
    assert all(0.3 * data < row["over_the_data"] < 10 * data for row in record["contestants"][1:])
    assert record["holds"], memory.memory_table(record)


# ---- Checkpoints ----------------------------------------------------------------------------------


def test_checkpoint_job_times_each_way_and_a_file(tmp_path, capsys):
    found = run_quick("checkpoint", output=tmp_path, quiet=False)
    assert [path.name for path in tmp_path.iterdir()] == ["quick-checkpoint.json"]
    for row in found["trainings"]:
        assert [who["name"] for who in row["contestants"]] == list(checkpoint.WAYS)
        assert all(len(who["ms_of_rounds"]) == 2 for who in row["contestants"])
        assert row["file_bytes"] > 1_000
        assert row["share_of_files"] == pytest.approx(row["ms_of_a_file"] / 1e3 / checkpoint.SECONDS)
    said = capsys.readouterr().out
    assert all(f"{row['name']}: less than 2%" in said for row in found["trainings"])


def test_checkpoint_job_compares_the_losses_before_it_times(monkeypatch):
    def disturbed(self, count, every):
        return 1.0 + np.arange(count) + (0 if every is None else 1.0)

    monkeypatch.setattr(checkpoint.Training, "losses", disturbed)
    with pytest.raises(BenchmarkError, match="each 60 s, the default does another job than 2-3-2"):
        run_quick("checkpoint")


# ---- Scaling --------------------------------------------------------------------------------------


def test_scaling_over_samples_times_everybody_that_is_there():
    chosen = peers.choose_peers(["scikit-learn"])
    rows = scaling.over_samples((10, 50), options(chosen))
    assert [row["samples"] for row in rows] == [10, 50]
    for row in rows:
        assert set(row["ms"]) == {"numpy", "scikit-learn", "glassnet"}
        assert min(row["ms"].values()) > 0
        assert row["bound_ms"] > 0


def test_scaling_over_widths_gives_microseconds_of_a_sample(monkeypatch):
    monkeypatch.delitem(bench.PEERS, "glassnet")
    chosen = [bench.PEERS[name] for name in ("numpy", "scikit-learn")]
    rows = scaling.over_widths((4, 8), options(chosen), samples=300)
    for row in rows:
        fastest = min(c["ms"] for c in row["contestants"] if c["peer"] == "scikit-learn")
        assert row["us"]["scikit-learn"] == pytest.approx(1e3 * fastest / 300)
        assert 0 < row["bound_us"] < row["us"]["numpy"]
    assert [row["width"] for row in rows] == [4, 8]


def test_suite_draws_scaling(tmp_path, monkeypatch):
    rows = [
        {"width": 4, "us": {"numpy": 2.0}, "bound_us": 0.1},
        {"width": 8, "us": {"numpy": 3.0}, "bound_us": None},
    ]
    counts = [{"samples": 10, "ms": {"numpy": 2.0, "torch": 1.0}, "bound_ms": 0.1}]
    record = {"widths": {"job": "w", "rows": rows}, "samples": {"job": "s", "rows": counts}}
    job = replace(jobs.MEASURED["scaling"], measure=lambda options: record)
    monkeypatch.setitem(jobs.MEASURED, "scaling", job)
    run_quick("scaling", output=tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "quick-scaling-samples.png",
        "quick-scaling-widths.png",
        "quick-scaling.json",
    ]


def test_solvers_job_finds_how_soon_each_arrives(tmp_path, capsys):
    found = run_quick("solvers", output=tmp_path, quiet=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quick-solvers.json", "quick-solvers.png"]
    rows = {row["name"]: row for row in found["ways"]}
    assert set(rows) == set(solvers.LOOKS)
    for name in ("Levenberg-Marquardt", "L-BFGS", "Newton-CG"):
        row = rows[name]
        assert row["last_loss"] <= found["end"] < row["curve"]["loss"][-2]
        assert len(row["curve"]["seconds"]) == len(row["curve"]["loss"]) == row["iterations"] + 1
        assert row["times_sooner"] == pytest.approx(found["notebook"]["seconds"] / row["seconds"])
    assert "Levenberg-Marquardt" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["scikit-learn's lbfgs"])
def test_other_libraries_begin_where_the_notebook_does(name):
    job = make_notebook_task(300)
    _, way, _ = peer_solvers.CURVES[name]
    curve = way(job, 150.0)
    seconds, losses = np.array(curve).T
    start = gn.prepare(gn.Network((2, 3, 2)), job.X, job.y, reduction="sum").loss(job.start.flat)
    assert losses[0] == pytest.approx(start, rel=1e-12)
    assert losses[-1] < 150 <= losses[:-1].min()
    assert (np.diff(seconds) > 0).all()


def test_solver_whose_loss_the_notebook_does_not_confirm_is_refused():
    job = make_notebook_task(50)
    with pytest.raises(bench.BenchmarkError, match="Mine says"):
        solvers.check_end(job, job.start, 1.0, "Mine")


@pytest.mark.filterwarnings("ignore::glassnet.StalledTrainingWarning")  # see the last line
def test_classics_are_reached_by_every_solver_and_confirmed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(classics, "MOST", {"adam": 100})
    monkeypatch.setattr(classics, "MOST_STEPS", 500)
    found = run_quick("classics", output=tmp_path, quiet=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quick-classics.json", "quick-classics.png"]
    for problem in found["problems"].values():
        shares = {row["name"]: row["share"] for row in problem["ways"]}
        for name in ("Levenberg-Marquardt", "L-BFGS", "Newton-CG", "SciPy's L-BFGS-B"):
            assert shares[name] == 1
    assert "none arrives" in capsys.readouterr().out  # eight samples are no evidence for 161 parameters


def test_every_solver_arrives_in_every_unit(capsys):
    found = run_quick("units", quiet=False)
    for row in found["rows"]:
        assert min(row["scores"].values()) > 0.98, row
    assert "X times 1e-12" in capsys.readouterr().out


def test_reading_is_compared_with_pandas_before_it_is_timed(capsys, monkeypatch, tmp_path):
    found = run_quick("reading", quiet=False)
    assert [table["kind"] for table in found["tables"]] == ["numbers", "mixed"]
    assert all(table["times_pandas"] > 0 for table in found["tables"])
    assert "times the file, at most 3.0" in capsys.readouterr().out
    path = reading.write(tmp_path, "mixed", 50)
    table = gn.read_table(path)
    reading.check(table, path)
    table["score"][7] = np.nextafter(table["score"][7], 9)
    with pytest.raises(BenchmarkError, match="'score' of mixed"):
        reading.check(table, path)


@pytest.mark.parametrize(
    "way", [peer_solvers.by_sklearn, peer_solvers.by_scipy], ids=["scikit-learn", "scipy"]
)
def test_peers_of_the_classics_begin_where_the_others_do(way):
    # The loss of the first evaluation is that of the start, whatever order the peer keeps parameters in.
    for classic in classics.classics():
        start = classic.network.initialize(3).flat
        easy = replace(classic, goal=classic.error(start) * (1 + 1e-12))
        flat, evaluations = way(easy, start)
        assert evaluations == 1
        assert np.array_equal(flat, start)
