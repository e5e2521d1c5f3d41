"""The options that several commands share; each lays a value over an experiment's settings."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from glassnet.cli.commas import names_between_commas
from glassnet.cli.errors import say
from glassnet.utils.paths import is_pattern, refuse_url, require_there

if TYPE_CHECKING:
    from glassnet.experiments import Experiment

Command = TypeVar("Command", bound=Callable[..., Any])


class Setting(click.Option):
    """An option whose help has {names}, filled in from a registry when help is asked for.

    With a `key` it sets that key of an experiment, and help adds what a table starts with.
    """

    def __init__(
        self, *args: Any, names: Callable[[], Iterable[str]] | None = None, key: str = "", **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.names, self.key = names, key

    def get_help_record(self, context: click.Context) -> tuple[str, str] | None:
        from glassnet.experiments.defaults import CHOSEN
        from glassnet.experiments.schema import key_at

        record = super().get_help_record(context)
        if record is None:
            return None
        option, words = record
        if self.names is not None:
            words = words.format(names=", ".join(self.names()))
        if self.key in CHOSEN and context.info_name == "train":
            return option, f"{words} [table: by its rows]"
        default = key_at(self.key).default if self.key else None
        if default is None or isinstance(default, bool):
            return option, words
        shown = ",".join(map(str, default)) if isinstance(default, list) else default
        return option, f"{words} [table: {shown}]"


def widths_between_commas(text: str) -> list[int]:
    """ "16,8" as [16, 8], and "" as []."""
    try:
        return [int(part) for part in names_between_commas(text)]
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is not whole numbers between commas, such as 16,8.") from error


def registry(module: str, name: str) -> Callable[[], list[str]]:
    """The names in a registry of the library, which is imported when help is asked for."""

    def names() -> list[str]:
        entries = getattr(importlib.import_module(f"glassnet.{module}"), name)
        return [getattr(entry, "name", entry) for entry in entries]

    return names


class _Row(NamedTuple):
    """The option of a key: its type, how help calls its value, and what help says."""

    of_type: Any
    metavar: str
    words: str
    names: Callable[[], list[str]] | None = None


_TABLE = {
    "data.target": _Row(str, "COLUMN", "The column of a table to predict; several are quantities."),
    "data.features": _Row(
        names_between_commas, "A,B,...", "Columns to predict from; all others by default."
    ),
    "data.ignore": _Row(names_between_commas, "A,B,...", "Columns to leave out."),
    "data.numeric": _Row(names_between_commas, "A,B,...", "Columns to take for numbers."),
    "data.categorical": _Row(names_between_commas, "A,B,...", "Columns to take for categories."),
    "data.dates": _Row(names_between_commas, "A,B,...", "Columns to take for dates."),
    "data.scaling": _Row(
        str,
        "NAME",
        "Of numbers: {names}; quantile is for heavy tails.",
        registry("data.tables.encodings", "SCALINGS"),
    ),
    "data.task": _Row(
        str,
        "TASK",
        "{names}; by default as the target looks.",
        registry("data.tables.preprocessing", "TASKS"),
    ),
    "data.test_fraction": _Row(
        float, "SHARE", "Share of the rows held back for the score; of a table, 0.25."
    ),
    "data.test_after": _Row(
        str, "DATE", "Hold back the rows from this date on, by the column of dates or --time."
    ),
    "data.time": _Row(str, "COLUMN", "The column that --test-after is about."),
    "data.group": _Row(str, "COLUMN", "Hold back whole groups: rows of one value stay on one side."),
    "data.split": _Row(str, "COLUMN", "Hold back the rows whose value here is test, not train."),
    "data.memory": _Row(
        str,
        "AMOUNT",
        'Read Parquet a block at a time within this much memory, such as "256 MiB". By default a folder\'s '
        "numbers are kept in memory up to 128 MiB; beyond, and files of more than 1 GiB, are read so.",
    ),
    "random_state": _Row(int, "SEED", "Seed of every random draw."),
}
_NETWORK = {
    "network.hidden": _Row(widths_between_commas, "16,16", 'Widths of the hidden layers, "" for none.'),
    "network.activation": _Row(
        str, "NAME", "Of the hidden layers: {names}.", registry("nn.activations", "ACTIVATIONS")
    ),
    "network.output": _Row(
        str,
        "NAME",
        "{names}; by default as the target looks. Counts: exp, with the Poisson loss.",
        registry("nn.losses", "ALL_OUTPUTS"),
    ),
}
_TRAIN = {
    "train.iterations": _Row(int, "N", "Epochs, or updates by all training samples."),
    "train.batch_size": _Row(int, "N", "Samples of an update; an iteration is then an epoch."),
    "train.optimizer": _Row(str, "NAME", "{names}.", registry("training.steppers", "RULES")),
    "train.learning_rate": _Row(float, "RATE", "The size of a step."),
    "train.momentum": _Row(float, "SHARE", "For sgd: share of the last step that the next one keeps."),
    "train.dropout": _Row(float, "SHARE", "Probability with which training leaves out a hidden unit."),
    "train.validation": _Row(
        float,
        "SHARE",
        "Share of the training samples to follow the loss on, and to stop by; 0 holds out none.",
    ),
    "train.class_weight": _Row(
        click.Choice(["balanced"]), "NAME", "balanced: classes count alike, however rare."
    ),
    "train.curvature": _Row(
        int, "N", "Watch the loss's curvature every N iterations, into curvature.csv and curvature.png."
    ),
    "data.dask": _Row(
        str,
        "ADDRESS",
        "Workers of a Dask cluster read Parquet and compute, by its scheduler's address; local starts one.",
    ),
    "pictures.axes": _Row(
        names_between_commas, "A,B", "Features that the pictures show, of more than two."
    ),
}
_COMPUTE = {
    "train.engine": _Row(str, "NAME", "{names}.", registry("data.checks", "ENGINES")),
    "train.dtype": _Row(str, "NAME", "{names}.", registry("utils.array_checks", "FLOATS")),
    "train.threads": _Row(int, "N", "All cores by default; results do not depend on it."),
}


_READING = {
    "data.sheet": _Row(
        str, "NAME", "A workbook's sheet, by name or number; by default the first with a table."
    ),
    "data.encoding": _Row(str, "NAME", "Of a text file, such as cp1252; found by default."),
    "data.delimiter": _Row(
        str, "MARK", "Between a text file's values, such as ';' or tab; found by default."
    ),
    "data.decimal": _Row(str, "MARK", "Of a text file's numbers, '.' or ','; found by default."),
}


def _with_options(command: Command, rows: dict[str, _Row]) -> Command:
    for key, row in reversed(rows.items()):
        name = f"--{key.rpartition('.')[2].replace('_', '-')}"
        shown = {"type": row.of_type, "metavar": row.metavar, "help": row.words}
        command = click.option(name, cls=Setting, key=key, names=row.names, **shown)(command)
    return command


def reading_options(command: Command) -> Command:
    """Add the options that say how a table's file is read, with the names of `read_table`'s settings."""
    return click.option(
        "--no-header",
        "header",
        cls=Setting,
        key="data.header",
        is_flag=True,
        flag_value=False,
        default=None,
        help="The first row of a table is a row like the others; columns are called 1, 2, ...",
    )(_with_options(command, _READING))


def settings(train: bool = True) -> Callable[[Command], Command]:
    """Add the options that set keys of an experiment; those about training only for `train`."""
    rows = {**_TABLE, **_NETWORK, **(_TRAIN if train else {}), **_COMPUTE}

    def add(command: Command) -> Command:
        command = click.option(
            "--set",
            "assignments",
            multiple=True,
            metavar="KEY=VALUE",
            help="Any key of a file: train.l2=0.01, train.stopping.patience=5.",
        )(command)
        return reading_options(_with_options(command, rows))

    return add


def experiment_of(name: str, sweeps: bool = False) -> Experiment:
    """The experiment of a name, file or table, with the command's options laid over its settings.

    Where the command `sweeps`, --set may name settings to vary.
    """
    from glassnet.experiments import Override, find_experiment, parse_assignment
    from glassnet.experiments.grids import into_grid
    from glassnet.experiments.settings import CHOICES

    context, overrides = click.get_current_context(), {}
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if isinstance(option, Setting) and value is not None:
            shown = ",".join(map(str, value)) if isinstance(value, list) else value
            if option.key == "pictures.axes" and value == ["principal"]:
                value = "principal"
            shown = "" if option.is_flag else f" {shown}"
            overrides[option.key] = Override(value, f"{option.opts[0]}{shown}")
    assignments = dict(parse_assignment(text) for text in context.params.get("assignments", ()))
    overrides |= into_grid(assignments) if sweeps else assignments
    experiment = find_experiment(name, overrides)
    if experiment.left_out and not context.params.get("quiet"):
        keys = ", ".join(experiment.left_out)
        chosen = " and ".join(overrides[key].origin for key in CHOICES if key in overrides)
        say(f"Note: with {chosen}, these settings of another are left out: {keys}.", err=True)
    return experiment


def existing(context: click.Context, parameter: click.Parameter, value: str | Path) -> str | Path:
    """An argument's path; an error, before the library is imported, for an address or a missing file."""
    path = Path(value)
    refuse_url(str(path))
    if path.suffix and not is_pattern(path):
        require_there(path)
    return value


def tell(label: str, words: str) -> None:
    """Print the result of a step of a job, wrapped beside its label; rows of tables stay whole."""

    def wrapped(line: str) -> list[str]:
        if "  " in line.strip():  # columns
            return [line]
        return textwrap.wrap(line, 92, break_long_words=False, break_on_hyphens=False) or [""]

    lines = [line for paragraph in words.splitlines() or [""] for line in wrapped(paragraph)]
    for i, line in enumerate(lines):
        say(f"{'' if i else label:<16}{line}")
