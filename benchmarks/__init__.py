"""The benchmark: everybody does the same work, timed once all agree on the answers.

`run_benchmark` is the notebook's iteration, `run_suite` everything else.
"""

from __future__ import annotations

from benchmarks.contest import BenchmarkError
from benchmarks.jobs import JOBS
from benchmarks.jobs.iteration import run_benchmark
from benchmarks.peers import PEERS
from benchmarks.suite import run_suite

__all__ = ["JOBS", "PEERS", "BenchmarkError", "run_benchmark", "run_suite"]
