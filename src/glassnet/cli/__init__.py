"""The command line. Until a command runs, it imports the library and click, and nothing heavy.

Exit statuses: 0 done; 1 the job failed (a file that cannot be read or written, output that cannot, a
diverged run, a gradient that is wrong); 2 the command or a value in it cannot be used; 128 and the number
of the signal that ended the job, with the work so far: 130 Ctrl-C, 143 SIGTERM, 129 SIGHUP.
"""

from __future__ import annotations

import click

from glassnet._version import __version__
from glassnet.cli.bench import bench
from glassnet.cli.errors import Group
from glassnet.cli.export import export
from glassnet.cli.info import info
from glassnet.cli.lab import lab
from glassnet.cli.sweep import sweep
from glassnet.cli.train import check, predict, train

__all__ = ["main"]


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="glassnet %(version)s", help="Print the version.")
def main() -> None:
    """Feedforward networks you can see through.

    \b
    glassnet train circles                     a built-in experiment, into results/circles
    glassnet info                              lists them: moons, spirals, digits, a sine, ...
    glassnet info circles > my.toml            its settings, to change
    glassnet train my.toml                     an experiment of your own
    glassnet train iris.csv --target species   learn to predict a column of a table
    glassnet predict results/iris new.csv      predict it for other rows
    glassnet export results/iris iris.c        take the model anywhere: C, ONNX, SQL, ...
    glassnet lab spirals                       watch it learn, live in the browser
    """


for command in (train, check, predict, export, lab, sweep, bench, info):
    main.add_command(command)
