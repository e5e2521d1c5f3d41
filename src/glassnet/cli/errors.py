"""Users' mistakes as one readable line and an exit status, never a traceback."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import click

from glassnet.cli.progress import stages
from glassnet.errors import (
    FileError,
    GlassnetError,
    GradientError,
    InputError,
    InputTypeError,
    nearest_name,
    unknown_name,
)
from glassnet.utils.interrupts import ending_signals, who_ended
from glassnet.utils.paths import explain


class Failure(click.ClickException):
    """The job failed: a message for stderr, and exit status 1."""

    exit_code = 1

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to stderr, where there still is one."""
        with contextlib.suppress(OSError):
            super().show(file)


class Unusable(Failure):
    """The command, or a value in it, cannot be used: exit status 2."""

    exit_code = 2


class Interrupted(Failure):
    """A signal ended the job: `words` go on after its name; the exit status is 128 and its number."""

    def __init__(self, words: str) -> None:
        name, number = who_ended()
        super().__init__(f"{name}{words}")
        self.exit_code = 128 + number  # type: ignore[misc]  # click calls it the class's


_unsaid: list[OSError] = []
"""Why output of `say` could not be written, in this job."""


def say(text: str, err: bool = False) -> None:
    """Print a line; an output that is full or closed costs the line and the exit status, not the job.

    Question marks take the place of what the output cannot show, such as bytes of file names.
    """
    stages.clear()
    stream = sys.stderr if err else sys.stdout
    try:
        if stream is None:  # it was closed before the start
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        encoding = stream.encoding or "utf-8"
        click.echo(text.encode(encoding, "replace").decode(encoding), err=err)
    except OSError as error:
        if err:
            return
        _unsaid.append(error)
        with contextlib.suppress(OSError, ValueError, AttributeError):
            # What waits in the stream's buffer would fail again when Python ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


class Group(click.Group):
    """Commands in the order in which they were added, whose errors are messages and exit statuses."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        with plain_errors():  # --help and --version print here
            return super().make_context(*arguments, **settings)

    def invoke(self, context: click.Context) -> Any:
        _unsaid.clear()
        with ending_signals(), plain_errors(), plain_warnings():
            result = super().invoke(context)
        if _unsaid:
            raise Failure(
                f"Not all output could be written: {explain(_unsaid[0])}. The job itself is done."
            )
        return result

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
        raise Interrupted(f". {error}".rstrip()) from error
    except click.NoSuchOption as error:
        words = f"No such option {error.option_name!r}.{_meant(error)}"
        raise click.UsageError(words, error.ctx) from error
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
    finally:
        stages.clear()


def _meant(error: click.NoSuchOption) -> str:
    """A sentence on what another library's option is called here, or else on the nearest one."""
    from glassnet.experiments.schema import place_of
    from glassnet.training.other_names import setting_meant

    parameters = error.ctx.command.params if error.ctx is not None else []
    keys = {option: getattr(parameter, "key", "") for parameter in parameters for option in parameter.opts}
    near = nearest_name(error.option_name, keys)
    setting = error.option_name.lstrip("-").replace("-", "_")
    if key := place_of(setting_meant(setting) or setting):
        named = f"--{key.rpartition('.')[2].replace('_', '-')}"
        other = f"--set {key}=..." if "--set" in keys else near
        if error.ctx is not None and error.ctx.info_name == "sweep":
            other = f"--set '{key.rpartition('.')[2]}=[A, B, ...]'"
        near = next((option for option in keys if keys[option] == key or option == named), other)
    return "" if near is None else f" Did you mean {near!r}?"


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Show warnings as lines, without their place in the code."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        say(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield
