"""The benchmark of data that do not fit: what it claims is measured, and what falls short says so."""

import numpy as np
import pytest

import benchmarks as bench
from benchmarks.contest import BenchmarkError
from benchmarks.jobs import streaming
from benchmarks.jobs.streaming import draw_streaming

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
    assert max(taken for _, taken in found["curve"]) == found["peak"]


def test_bits_of_a_small_copy_are_compared(tmp_path, monkeypatch):
    small = streaming.write(tmp_path, 5_001, 3)
    streaming.check_bits(small)
    monkeypatch.setattr(streaming.np, "array_equal", lambda a, b: False)
    with pytest.raises(BenchmarkError, match="a streamed run has other bits"):
        streaming.check_bits(small)


def test_passes_and_epochs_are_timed_against_bare_reading_and_drawn(tmp_path):
    found = streaming.measure_passes(streaming.write(tmp_path, 3_001), 3_001, 1, silent)
    assert len(found["shares"]) == 6
    assert all(0 < row["of_bare_reading"] < row["of_the_bound"] for row in found["shares"])
    assert sum("decode" in name for name in found["bytes_per_second"]) == 3
    row = {"source": "parquet", "peak": 9 << 20, "batches_from": 1.0, "curve": [(0.0, 0), (2.0, 9 << 20)]}
    machine = {"processor": "a processor", "cores_allowed": 2}
    record = {"job": "job", "memory": 4 << 20, "peaks": [row], "speed": found, "machine": machine}
    memory, speed = draw_streaming(record).axes
    assert memory.lines[0].get_label() == "Parquet, 9 MiB at most"
    assert len(speed.patches) == len(found["bytes_per_second"])


def test_reading_reads_every_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming, "BUFFER", 1 << 10)
    np.save(tmp_path / "X.npy", np.zeros(999))
    seen = []
    monkeypatch.setattr(streaming, "memoryview", lambda buffer: _Counted(buffer, seen), raising=False)
    streaming.read(tmp_path, 3)
    assert sum(seen) == (tmp_path / "X.npy").stat().st_size


class _Counted:
    def __init__(self, buffer, seen):
        self.buffer, self.seen = memoryview(buffer), seen

    def __getitem__(self, part):
        self.seen.append(part.stop)
        return self.buffer[part]


def test_training_that_fails_is_told_and_what_is_missed_says_so(tmp_path):
    with pytest.raises(BenchmarkError, match="Training on parquet failed"):
        streaming.judge_peak(tmp_path, "parquet", MEMORY, silent)
    row = {"source": "parquet", "peak": 9 << 20, "peak_of_the_full_batch": 8 << 20, "holds": False}
    share = {"source": "parquet", "work": "a pass", "of_bare_reading": 0.5, "of_the_bound": 0.9}
    rates = {"a pass": 2e9}
    speed = {"bytes_per_second": rates, "bytes_per_second_of_a_core": rates, "shares": [share]}
    record = {"job": "job", "memory": 4 << 20, "peaks": [row], "speed": speed}
    table = streaming.streaming_table(record)
    assert "[MISSED] parquet: 9 MiB at the peak" in table
    assert "parquet, a pass: 50% of bare reading for a core's time, 90% of what" in table


def test_streaming_is_a_job_of_the_benchmark():
    assert "streaming" in bench.JOBS
