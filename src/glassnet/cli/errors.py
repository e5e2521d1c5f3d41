"""Users' mistakes as one readable line and an exit status, never a traceback."""

from __future__ import annotations

import errno
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from glassnet.errors import (
    FileError,
    GlassnetError,
    GradientError,
    InputError,
    InputTypeError,
    unknown_name,
)
from glassnet.utils.paths import explain


class Failure(click.ClickException):
    """The job failed: a message for stderr, and exit status 1."""

    exit_code = 1


class Unusable(Failure):
    """The command, or a value in it, cannot be used: exit status 2."""

    exit_code = 2


class Interrupted(Failure):
    """Ctrl-C ended the job: exit status 130."""

    exit_code = 130


class Group(click.Group):
    """Commands in the order in which they were added, whose errors are messages and exit statuses."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, context: click.Context) -> Any:
        with plain_errors(), plain_warnings():
            return super().invoke(context)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(context, args[0]) is None:
            raise click.UsageError(str(unknown_name("command", args[0], self.commands)), context)
        return super().resolve_command(context, args)


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn the errors that a user can mend into a message and an exit status."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise Interrupted(f"Ctrl-C. {error}".strip()) from error
    except GlassnetError as error:
        job_failed = isinstance(error, (FileError, GradientError))
        unusable = isinstance(error, (InputError, InputTypeError)) and not job_failed
        raise (Unusable if unusable else Failure)(str(error)) from error
    except MemoryError as error:
        raise Failure(
            "There is not enough memory for this. Use fewer samples or smaller layers."
        ) from error
    except OSError as error:
        if error.errno == errno.EPIPE:
            raise  # the reader of the output closed it; click ends quietly
        where = f"{error.filename}: " if error.filename else ""
        raise Failure(f"{where}{explain(error)}.") from error


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as lines, without their place in the code."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        click.echo(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
