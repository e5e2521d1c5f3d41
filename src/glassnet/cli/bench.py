"""Glassnet bench: timing, which works in a checkout of the project."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from glassnet.cli.commas import names_between_commas
from glassnet.cli.options import Setting
from glassnet.errors import InputError, unknown_name

ITERATION, ALL = "iteration", "all"


def load_benchmarks() -> ModuleType:
    """The package ``benchmarks`` of the checkout that holds this folder or the library.

    Raises InputError where there is no checkout: the benchmarks are not installed with the library.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, *Path(__file__).parents):
        if (folder / "benchmarks" / "__init__.py").is_file() and (folder / "src" / "glassnet").is_dir():
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
            return importlib.import_module("benchmarks")
    raise InputError(
        "glassnet bench works in a checkout of the project: the benchmarks are not installed with the "
        "library. Change to the checkout's folder and run it again."
    )


def _peers() -> Iterable[str]:
    try:
        return tuple(load_benchmarks().PEERS)
    except InputError:  # help must work without a checkout
        return ("the libraries that the project's checkout compares",)


@click.command(short_help="Time the same work here and in other libraries.")
@click.argument("jobs", nargs=-1, metavar="[JOB]...")
@click.option("--list", "listed", is_flag=True, help="Name the jobs and do none.")
@click.option(
    "--peers",
    cls=Setting,
    names=_peers,
    type=names_between_commas,
    metavar="A,B,...",
    help="Of {names}; all that are installed by default, numpy and glassnet always.",
)
@click.option(
    "--rounds", type=int, default=7, metavar="N", show_default=True, help="Turns that each takes."
)
@click.option(
    "--seconds", type=float, default=0.2, metavar="S", show_default=True, help="How long a turn lasts."
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("benchmarks", "results"),
    metavar="FOLDER",
    show_default=True,
    help="Where to write the results as JSON and as charts.",
)
@click.option("--quick", is_flag=True, help="Tiny data, to see that all works: the times mean nothing.")
@click.option(
    "--rows",
    type=int,
    metavar="N",
    help="Of walk-forward's table; by default 1,900,000, which take minutes.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print errors only.")
def bench(
    jobs: tuple[str, ...], listed: bool, output: Path, quick: bool, rows: int | None, **settings: Any
) -> None:
    """Time the same work here and in the libraries that are installed.

    A JOB is "iteration", one full-batch iteration of the circles job and what is done by default;
    another of --list; or "all". All libraries must give the same answers before anything is timed.
    Prints tables with ratios and writes them as JSON and as charts.
    """
    benchmarks = load_benchmarks()
    known = [ITERATION, *benchmarks.JOBS, ALL]
    if listed:
        iteration = "one full-batch iteration of the circles job"
        for name, words in {ITERATION: iteration, **benchmarks.JOBS, ALL: "all of them"}.items():
            click.echo(f"{name:<16}{words}")
        return
    for name in jobs:
        if name not in known:
            raise unknown_name("job", name, known)
    wanted = known if ALL in jobs else list(jobs) or [ITERATION]
    others = [name for name in wanted if name in benchmarks.JOBS]
    if ITERATION in wanted and quick:
        benchmarks.run_benchmark(**settings, output=output / "quick-iteration.json", n_samples=1000)
    elif ITERATION in wanted:
        benchmarks.run_benchmark(**settings, output=output)
    if others:
        benchmarks.run_suite(others, **settings, output=output, quick=quick, rows=rows)
