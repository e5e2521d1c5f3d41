"""Glassnet lab."""

from __future__ import annotations

from pathlib import Path

import click

from glassnet.cli.errors import say


@click.command(short_help="Watch a network learn, live in the browser.")
@click.argument("name", metavar="[EXPERIMENT|TABLE|LESSON]", default="circles")
@click.option("--target", metavar="COLUMN", help="Of a table: the column to predict.  Default: the last.")
@click.option("--port", type=int, metavar="N", help="Of the page. Default: a free one.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@click.option(
    "--address-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep port and token in FILE, which you alone can read: the address stays the same the next time, "
    "and pages that are open go on.",
)
@click.option(
    "--expose",
    metavar="ADDRESS",
    help="Let other machines in, at this address of this one, such as 192.168.1.20. Whoever has the "
    "printed address then commands the lab, and nothing is encrypted.",
)
def lab(
    name: str,
    target: str | None,
    port: int | None,
    no_browser: bool,
    address_file: Path | None,
    expose: str | None,
) -> None:
    """Watch a network learn, in the browser: every number in sight, each under your hands.

    EXPERIMENT is a built-in one (glassnet info lists them) or a .toml file of your own, TABLE any file
    that glassnet train reads, LESSON one that ships (plateau, stuck, backpropagation), a file that the
    page saved, or a link of it in quotes. The page is served to this machine alone, at an address with a
    secret token in it. Ctrl-C ends the lab.
    """
    from glassnet.lab.opening import Lab, session_of

    with session_of(name, target) as session, Lab(session, port, expose, address_file) as opened:
        say(f"The lab is at {opened.address}")
        if expose is not None:
            words = "Other machines can reach it, by an address of this one in numbers: give the token only"
            say(f"{words} to those who may command the lab.", err=True)
        if not no_browser and not opened.open_browser():
            say("No browser could be opened here: open the address in one.", err=True)
        opened.wait()
    say("The lab is closed.")
