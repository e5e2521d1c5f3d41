"""The benchmark of sweeps: everybody's losses, what is told, and its picture."""

import json

import pytest

import benchmarks as bench
from benchmarks.jobs import sweeps
from benchmarks.jobs.sweeps import draw_sweeps


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench")
    told = {"rounds": 1, "seconds": 0.01, "peers": ["numpy"], "quiet": True, "quick": True}
    return bench.run_suite(["sweeps"], **told, output=folder)["sweeps"], folder


def test_sweeps_are_timed_by_a_networks_iteration(found):
    document, folder = found
    assert json.loads((folder / "quick-sweeps.json").read_text()) == document
    assert (folder / "quick-sweeps.png").stat().st_size > 10_000
    names = [[row["name"].split()[0] for row in document[part]["contestants"]] for part in ("grid", "many")]
    assert names == [["glassnet", "the"], ["glassnet", "scikit-learn"]]
    for part in ("grid", "many"):
        mine, other = document[part]["contestants"]
        assert mine["times_glassnet"] == 1
        assert other["times_glassnet"] == other["seconds"] / mine["seconds"]
    count = document["grid"]["contestants"][0]["iterations"] * 25
    assert document["grid"]["seconds"] == pytest.approx(
        count * document["grid"]["contestants"][0]["seconds"]
    )
    assert "x glassnet" in sweeps.sweeps_table(document)
    assert draw_sweeps(document).axes


def test_the_job_is_what_was_asked_for():
    assert len(sweeps.RATES) * len(sweeps.MOMENTA) == 25
    assert sweeps.MANY_RATES * sweeps.MANY_MOMENTA * sweeps.MANY_SEEDS == 2000
    assert (sweeps.ITERATIONS, sweeps.MANY_ITERATIONS, sweeps.MANY_SAMPLES) == (20_000, 500, 1_000)


def test_other_losses_stop_the_benchmark(monkeypatch):
    monkeypatch.setattr(sweeps, "TOLERANCE", -1.0)
    with pytest.raises(bench.BenchmarkError, match="the notebook does another job than the sweep"):
        bench.run_suite(["sweeps"], rounds=1, seconds=0.01, peers=[], quiet=True, quick=True)


def test_jax_has_the_same_losses():
    pytest.importorskip("jax")
    told = {"rounds": 1, "seconds": 0.01, "peers": ["jax"], "quiet": True, "quick": True}
    document = bench.run_suite(["sweeps"], **told)["sweeps"]
    assert document["grid"]["contestants"][-1]["name"].startswith("JAX")
