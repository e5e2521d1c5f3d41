"""Glassnet info."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

import click
import numpy as np

from glassnet import native
from glassnet._version import __version__
from glassnet.cli.options import reading_options
from glassnet.errors import unknown_name
from glassnet.utils.threads import thread_count
from glassnet.utils.words import aligned


@click.command(short_help="Tell what is installed here, or what a table's columns are.")
@click.argument("name", metavar="[EXPERIMENT|TABLE]", required=False)
@click.option("--target", metavar="COLUMN", help="Of a table: tell too which columns would give it away.")
@reading_options
def info(name: str | None, target: str | None, **reading: object) -> None:
    """Tell which engine, instruction sets, threads and libraries glassnet has here, and why.

    With a TABLE, tell what glassnet train takes each column for, and why, without training.

    With the name of a built-in EXPERIMENT, print its settings as TOML, to copy and change:

    \b
    glassnet info people.csv --target income
    glassnet info circles > my.toml
    glassnet train my.toml
    """
    from glassnet.experiments import about, built_in

    texts = built_in()
    if name in texts:
        click.echo(texts[name], nl=False)
        return
    if name is not None:
        if not Path(name).suffix and not Path(name).exists():
            raise unknown_name("experiment or table", name, texts)
        _tell_columns(name, target, reading)
        return
    for label, words in _facts():
        click.echo(f"{label:<18}{words}")
    rows = [("experiment", "what it is", "  rows", "inputs", "outputs", "network", "score")]
    for one in map(about, texts):
        counts = f"{one.rows:>6,}", f"{one.inputs:>6}", f"{one.outputs:>7}"
        rows.append((one.name, one.title, *counts, one.network, one.expected))
    click.echo("\nBuilt in, for glassnet train and glassnet lab, with the score that each reaches:\n")
    for line in aligned(rows):
        click.echo(line)


def _tell_columns(path: str, target: str | None, reading: Mapping[str, object]) -> None:
    from glassnet.data.tables import read_table
    from glassnet.data.tables.prepare import describe_columns

    table = read_table(path, **reading)  # type: ignore[arg-type]
    click.echo(f"{table.source}: {table.n_rows:,} rows, {len(table.names):,} columns")
    for note in table.notes:
        click.echo(note)
    click.echo(f"\n{describe_columns(table, target)}")


def _facts() -> list[tuple[str, str]]:
    return [
        ("glassnet", __version__),
        ("Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        ("NumPy", np.__version__),
        *_engine(),
        ("threads", _threads()),
        *_libraries(),
    ]


def _engine() -> list[tuple[str, str]]:
    if native.module is None:
        return [("engine", f"numpy, because there is no native one: {native.reason}")]
    sets = native.module.isas()
    forced = os.environ.get("GLASSNET_ISA")
    if forced is not None and forced not in sets:
        used = f"GLASSNET_ISA asks for {forced!r}, which is none of them: training will say so"
    else:
        why = "GLASSNET_ISA" if forced else "the best of them"
        used = f"uses {forced or sets[0]}, {why}"
    return [
        ("engine", "native: compiled for this machine (numpy, the reference, is always there)"),
        ("instruction sets", f"{', '.join(sets)}; {used}"),
    ]


def _threads() -> str:
    count, present = thread_count(None), os.cpu_count() or 1
    if os.environ.get("GLASSNET_THREADS"):
        return f"{count}, from GLASSNET_THREADS"
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else present
    if count < allowed:
        return f"{count}: of {allowed} processors, the share that this container (cgroup) may use"
    if allowed < present:
        return f"{count}: of {present} processors, those that this process may run on"
    return f"{count}: every processor here"


def _libraries() -> list[tuple[str, str]]:
    """The libraries of each extra for users, with the versions installed, by the package's own metadata."""
    from importlib import metadata  # which takes time to import

    def installed(name: str) -> str | None:
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            return None

    try:
        requirements = metadata.requires("glassnet") or []
    except metadata.PackageNotFoundError:
        return [("libraries", "unknown: glassnet runs from its source, it is not installed")]
    extras: dict[str, list[str]] = {}
    for line in requirements:
        requirement, _, condition = line.partition(";")
        name = re.match(r"[\w.-]+", requirement.strip())
        extra = re.search(r"extra\s*==\s*[\"']([\w-]+)", condition)
        if name and name[0] != "glassnet" and (extra is None or extra[1] != "dev"):
            extras.setdefault(extra[1] if extra else "", []).append(name[0])
    rows = []
    for extra_name, names in extras.items():
        versions = {name: installed(name) for name in names}
        words = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
        mend = f': pip install "glassnet[{extra_name}]"' if None in versions.values() and extra_name else ""
        rows.append((f"extra {extra_name}" if extra_name else "libraries", words + mend))
    return rows
