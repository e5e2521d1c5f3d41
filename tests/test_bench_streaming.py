"""The benchmark of data that do not fit: what it claims is measured, and what falls short says so."""

import pytest

from glassnet import bench
from glassnet.bench import streaming
from glassnet.bench.job import BenchmarkError

INPUTS, MEMORY = 7, 96 << 20


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rows = streaming.TIMES * MEMORY // (8 * (INPUTS + 1)) + 1
    return streaming.write(tmp_path_factory.mktemp("data"), rows, INPUTS)


def silent(line):
    pass


@pytest.mark.parametrize("source", ["parquet", "mapped"])
def test_training_on_four_times_the_memory_stays_below_it(folder, source):
    on_disk = sum(file.stat().st_size for file in (folder / "parquet").iterdir())
    assert on_disk >= streaming.TIMES * MEMORY
    found = streaming.judge_peak(folder, source, MEMORY, silent)
    assert found["holds"], found
    assert 0 < found["peak_of_the_full_batch"] <= found["peak"]
    assert found["updates"] > 10_000


def test_bits_of_a_small_copy_are_compared(tmp_path, monkeypatch):
    small = streaming.write(tmp_path, 5_001, 3)
    streaming.check_bits(small)
    monkeypatch.setattr(streaming.np, "array_equal", lambda a, b: False)
    with pytest.raises(BenchmarkError, match="a streamed run has other bits"):
        streaming.check_bits(small)


def test_passes_are_timed_against_bare_reading(tmp_path):
    found = streaming.measure_passes(streaming.write(tmp_path, 3_001), 3_001, 1, silent)
    assert found["share_of_the_decoder"] > 0
    assert sum("decode" in name for name in found["bytes_per_second"]) == 3


def test_training_that_fails_is_told_and_what_is_missed_says_so(tmp_path):
    with pytest.raises(BenchmarkError, match="Training on parquet failed"):
        streaming.judge_peak(tmp_path, "parquet", MEMORY, silent)
    row = {"source": "parquet", "peak": 9 << 20, "peak_of_the_full_batch": 8 << 20, "holds": False}
    speed = {"bytes_per_second": {"a pass": 2e9}, "share_of_the_decoder": 0.5, "share_of_reading": 0.1}
    record = {"job": "job", "memory": 4 << 20, "peaks": [row], "speed": speed}
    table = streaming.streaming_table(record)
    assert "[MISSED] parquet: 9 MiB at the peak" in table
    assert "50% of the fastest decode" in table


def test_streaming_is_a_job_of_the_benchmark():
    assert "streaming" in bench.JOBS
