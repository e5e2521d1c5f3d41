"""Opens the lab: a widget in a notebook, elsewhere a page of its own in the browser."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
import threading
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

from glassnet.data.tables import Table, read_table
from glassnet.errors import FileError, InputError, InputTypeError, unknown_name
from glassnet.experiments import built_in, load_experiment
from glassnet.lab.commands.schema import MOST_TEXT
from glassnet.lab.lessons.lesson import is_lesson, read_lesson, shipped
from glassnet.lab.server import Server
from glassnet.lab.session import Session
from glassnet.lab.sources import TEXT_ENDINGS, study_of_experiment, study_of_set, study_of_table
from glassnet.nn.network import Network
from glassnet.utils.paths import as_path, explain, read_bytes

if TYPE_CHECKING:
    from anywidget import AnyWidget


LINK = "#lesson="
"""Where the lesson of a link begins; lab.js has the same."""


class Lab:
    """An open lab: a session, and the page that shows it. ``gn.lab(...)`` returns one outside of notebooks.

    Attributes
    ----------
    session : the `Session` that the page commands and shows.
    address : what to open in a browser. Its token is the key: whoever has it commands the session.

    It is a context manager, which closes the lab at the end.
    """

    def __init__(
        self,
        session: Session,
        port: int | None = None,
        expose: str | None = None,
        address_file: str | os.PathLike[str] | None = None,
    ) -> None:
        path = None if address_file is None else as_path(address_file, "address_file")
        kept_port, token = (0, None) if path is None else _read(path)
        self.session = session
        self._server = Server(session, kept_port if port is None else port, expose, token)
        self.address = self._server.address
        self._closed = threading.Event()
        if path is not None:
            try:
                _write(path, self.address)
            except BaseException:
                self._server.close()
                raise

    def open_browser(self) -> bool:
        """Open the page in the user's browser; whether there is one."""
        try:
            controller = webbrowser.get()
            # A browser of text would take over this terminal.
            if type(controller) is webbrowser.GenericBrowser and "BROWSER" not in os.environ:
                return False
            return controller.open(self._server.address_for_once())
        except (webbrowser.Error, OSError):
            return False

    def wait(self) -> None:
        """Return once the lab is closed, by another thread or by Ctrl-C: for the end of a script."""
        try:
            while not self._closed.wait(0.5):
                pass
        except KeyboardInterrupt:
            self.close()

    def close(self) -> None:
        """End training, let the pages go and free the port."""
        self._closed.set()
        self._server.close()
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed.is_set() else "open"
        return f"<Lab, {state}, on port {self._server.port}>"


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook that shows widgets."""
    if "marimo" in sys.modules and sys.modules["marimo"].running_in_notebook():
        return True
    ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(ipython, "kernel", None) is not None


_ADDRESS = re.compile(r"http://\S+:(\d{1,5})/\?token=([\w-]{32,})\s*")


def _read(path: Path) -> tuple[int, str | None]:
    """The port and the token of the address in a file; 0 and None where there is no file yet."""
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(1000)
    except FileNotFoundError:
        return 0, None
    except (OSError, UnicodeDecodeError) as error:
        reason = explain(error) if isinstance(error, OSError) else "it is not text"
        raise FileError(f"{path} cannot be read: {reason}.") from error
    if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise FileError(
            f"Others can read {path}, and with its address command the lab. Make it yours alone: "
            f"chmod 600 {path}"
        )
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise FileError(f"{path} holds no address of a lab. Give a file that is not there yet.")
    return int(found[1]), found[2]


def _write(path: Path, address: str) -> None:
    """Keep the address where only this user can read it."""
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{address}\n")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {explain(error, writing=True)}.") from error


def lab(
    X: object = None,
    y: object = None,
    network: Network | None = None,
    *,
    iterations: int = 1000,
    name: str = "Your data",
    features: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    browser: bool = True,
    widget: bool | None = None,
    port: int | None = None,
    expose: str | None = None,
    address_file: str | os.PathLike[str] | None = None,
    **settings: Any,
) -> Lab | AnyWidget:
    """Open the live lab: watch a network learn your data, every number in sight, and command it.

    In a notebook the lab is a widget, the cell's result. Elsewhere it is a page of its own, which opens
    in the browser: a server on this machine alone, at an address with a secret token in it, which is
    printed. A script goes on meanwhile, and its end is the lab's: end it with ``.wait()``.

    Parameters
    ----------
    X, y : (samples, features) and targets as `train` takes them. Or X a table of `read_table` and y the
        name of its column to predict, by default the last; or X what ``glassnet lab`` takes: the name of a
        built-in experiment such as "spirals", the path of a table or of an experiment's file, or a link
        of the page. Or X a `Session`. Without both it is "circles".
    network : by default one hidden layer of 8 tanh units, and the output that y asks for.
    iterations : where playing ends, for the first time.
    name, features, classes : what the page calls the data, the columns of X and the classes.
    browser : whether the page is opened; the address works either way.
    widget : True is a widget, False a page; by default a widget in notebooks.
    port : of the page; by default a free one.
    expose : an address of this machine, such as "192.168.1.20", at which other machines may open the lab
        too. Whoever has the address with its token then commands the lab, and nothing is encrypted.
    address_file : a file that keeps port and token, for you alone to read: the address stays the same the
        next time, and pages that are open go on.
    settings : others of `train`, such as ``optimizer=gn.Adam(0.05)`` or ``batch_size=32``.

    Returns
    -------
    Outside of notebooks a `Lab` with ``.address``, ``.session``, ``.wait()`` and ``.close()``; in a
    notebook the widget, with ``.session`` and ``.close()``.

    Raises InputError and InputTypeError as `train` does, InputError for a port that cannot be had,
    FileError for an `address_file` that others can read, and GlassnetError where the extra "lab" is not
    installed.

    >>> import glassnet as gn
    >>> lab = gn.lab([[0.0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0], browser=False)  # doctest: +ELLIPSIS
    The lab is at http://127.0.0.1:...
    >>> lab.session.command({"do": "step", "n": 5})["iteration"]
    5
    >>> lab.close()
    """
    if isinstance(X, Session):
        session = X
    elif X is None or isinstance(X, (str, os.PathLike)):
        session = session_of("circles" if X is None else os.fspath(X), _column(y))
    elif isinstance(X, Table):
        session = Session(study_of_table(X, Path(X.source).name, _column(y)))
    else:
        session = Session(
            X, y, network, iterations=iterations, name=name, features=features, classes=classes, **settings
        )
    if in_notebook() if widget is None else widget:
        from glassnet.lab.widget import lab_widget

        return lab_widget(session)
    try:
        opened = Lab(session, port, expose, address_file)
    except BaseException:
        session.close()
        raise
    print(f"The lab is at {opened.address}", flush=True)
    if browser:
        opened.open_browser()
    return opened


def _column(y: object) -> str | None:
    if y is None or isinstance(y, str):
        return y
    raise InputTypeError(f"y names the column of a table to predict, and is text, not {type(y).__name__}.")


def _text_of(path: Path) -> str:
    """The text of a table's file, so that lessons can hold it; "" where the page could not open it."""
    if path.suffix.lower()[1:] not in TEXT_ENDINGS or path.stat().st_size > MOST_TEXT:
        return ""
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError:
        return ""


def session_of(name: str, target: str | None = None) -> Session:
    """A session on a built-in experiment or lesson, a file of either, or a table and its column to predict.

    It may be the lesson of a link, which stands in full behind the link's #.

    Raises InputError and FileError for a name or a file that cannot be used.
    """
    if LINK in name:
        return Session(read_lesson(parse_qs(name.partition("#")[2]).get("lesson", [""])[0]))
    path = as_path(name, "the experiment")
    is_table = path.suffix.lower() not in ("", ".toml") or path.is_dir()
    if is_table:
        table = read_table(path)
        return Session(study_of_table(table, path.name, target, text=_text_of(path)))
    if target is not None:
        raise InputError(f"{name} is no table: leave out the column to predict, {target!r}.")
    if name in built_in():
        return Session(study_of_set(name))
    if name in shipped():
        return Session(read_lesson(shipped()[name]))
    if not path.suffix and not path.exists():
        raise unknown_name("experiment or lesson", name, [*built_in(), *shipped()])
    if path.suffix.lower() == ".toml" and path.is_file():
        text = read_bytes(path).decode("utf-8-sig", "replace")
        if is_lesson(text):
            return Session(read_lesson(text))
    return Session(study_of_experiment(load_experiment(name)))
