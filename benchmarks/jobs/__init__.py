"""The jobs by name: what each measures, the lines it prints, the charts it draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.jobs.checkpoint import checkpoint_table, measure_checkpoint
from benchmarks.jobs.classics import classics_table, draw_classics, measure_classics
from benchmarks.jobs.drop_in import drop_in_table, measure_drop_in
from benchmarks.jobs.memory import judge_memory, memory_table
from benchmarks.jobs.options import Options
from benchmarks.jobs.reading import measure_reading, reading_table
from benchmarks.jobs.scaling import draw_samples, draw_widths, measure_scaling, scaling_table
from benchmarks.jobs.solvers import draw_solvers, measure_solvers, solvers_table
from benchmarks.jobs.streaming import draw_streaming, measure_streaming, streaming_table
from benchmarks.jobs.sweeps import draw_sweeps, measure_sweeps, sweeps_table
from benchmarks.jobs.tables import draw_tables, measure_tables, tables_table
from benchmarks.jobs.units import measure_units, units_table
from benchmarks.jobs.walk_forward import draw_walk_forward, measure_walk_forward, walk_forward_table
from benchmarks.workloads import WORKLOADS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEMORY = "memory"


@dataclass(frozen=True)
class Job:
    """A job in words; `charts` by the end of the file's name, "" for the job's own."""

    words: str
    measure: Callable[[Options], dict[str, Any]]
    table: Callable[[dict[str, Any]], str]
    charts: Mapping[str, Callable[[Mapping[str, Any]], Figure]] = field(default_factory=dict)


MEASURED: Mapping[str, Job] = {
    MEMORY: Job(
        "the peak of memory over the data, in mini-batch training on 2,000,000 x 20 float32",
        judge_memory,
        memory_table,
    ),
    "solvers": Job(
        "how soon each solver is where the notebook's 50,000 iterations end",
        measure_solvers,
        solvers_table,
        {"": draw_solvers},
    ),
    "classics": Job(
        "a sine by 1-5-1 and parity by 3-10-10-1, 30 starts each, by each solver and its peers",
        measure_classics,
        classics_table,
        {"": draw_classics},
    ),
    "units": Job(
        "a sine in 20 units of y and of X each, and shifted: how well each solver fits it",
        measure_units,
        units_table,
    ),
    "reading": Job(
        "tables of 300,000 x 20 numbers and of 2,000,000 mixed rows: time and memory, beside pandas'",
        measure_reading,
        reading_table,
    ),
    "checkpoint": Job(
        "what a checkpoint each minute costs, of 2-3-2 on the full batch and of 784-100-10 in batches",
        measure_checkpoint,
        checkpoint_table,
    ),
    "scaling": Job(
        "what a sample costs over the width of the layers, and an iteration over the samples",
        measure_scaling,
        scaling_table,
        {"-widths": draw_widths, "-samples": draw_samples},
    ),
    "streaming": Job(
        "data of four times the memory: the most that training takes, and how near it is to reading",
        measure_streaming,
        streaming_table,
        {"": draw_streaming},
    ),
    "sweeps": Job(
        "the notebook's grid of 25 networks, and 2,000 networks of 2-8-2",
        measure_sweeps,
        sweeps_table,
        {"": draw_sweeps},
    ),
    "drop-in": Job(
        "the estimators against scikit-learn's: 400 settings, the same numbers, how fast",
        measure_drop_in,
        drop_in_table,
    ),
    "tables": Job(
        "default settings on 25 tables against scikit-learn's MLPs behind a scaler and an encoder",
        measure_tables,
        tables_table,
        {"": draw_tables},
    ),
    "walk-forward": Job(
        "24 settings x 12 walk-forward folds x 20 epochs of 1.9 million rows x 31 features",
        measure_walk_forward,
        walk_forward_table,
        {"": draw_walk_forward},
    ),
}
"""The jobs besides the iteration and the workloads."""

JOBS: Mapping[str, str] = {
    **{name: workload.title for name, workload in WORKLOADS.items()},
    **{name: job.words for name, job in MEASURED.items()},
}
"""Every job besides the notebook's iteration, by name, and what it is."""
