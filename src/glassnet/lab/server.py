"""The lab on a page of its own: a server that only this machine's user can talk to."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glassnet.errors import InputError
from glassnet.lab.guard import LOOPBACK, Guard, Guarded
from glassnet.lab.viewer import MOST_BYTES, Frames, Viewer
from glassnet.utils.libraries import require
from glassnet.utils.paths import explain

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

    from glassnet.lab.session import Session

PAGE = Path(__file__).parent / "page"
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
MOST_PAGES = 8
"""Pages that look on at once."""
_logger = logging.getLogger(__name__)
TOO_MANY = 4008
"""The code by which the socket is closed for one page more; the page shows the words that come with it."""


class Server:
    """Serves one session to this machine's user, from the moment that it is constructed until `close`.

    `port` 0 takes a free one. `expose` is an address of this machine by which other machines reach it;
    without it the server is bound to 127.0.0.1. `token` is the secret of the address: by default a new one.

    Raises InputError where the port or the address cannot be had.
    """

    def __init__(
        self, session: Session, port: int = 0, expose: str | None = None, token: str | None = None
    ) -> None:
        uvicorn, *_ = (require(library) for library in ("uvicorn", "starlette", "websockets"))
        self.session = session
        self._socket = _listen(expose or LOOPBACK[0], port)
        self.host, self.port = self._socket.getsockname()[:2]
        self.guard = Guard(token or secrets.token_urlsafe(32), self.port, exposed=expose is not None)
        self._frames = Frames(session)
        self.viewers: set[Viewer] = set()
        self._life = secrets.token_hex(8)
        settings = {
            # One implementation each, whatever else is installed; no compression, which costs more than
            # it saves within a machine and lets a short message become a long one.
            "http": "h11",
            "ws": _silent_protocol(),
            "loop": "asyncio",
            "lifespan": "off",
            "interface": "asgi3",
            "ws_max_size": MOST_BYTES,
            "ws_per_message_deflate": False,
            "h11_max_incomplete_event_size": 32_768,
            "limit_concurrency": 64,
            "timeout_graceful_shutdown": 2,
            # No word of a header is believed about who asks, and no address with the token is logged.
            "proxy_headers": False,
            "server_header": False,
            "access_log": False,
            "log_config": None,
        }
        config = uvicorn.Config(Guarded(self._app(), self.guard), **settings)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="glassnet lab server", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """What to open in a browser: it has the token in it."""
        return f"{self._root}?token={self.guard.token}"

    @property
    def _root(self) -> str:
        name = LOOPBACK[0] if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{name}]' if ':' in name else name}:{self.port}/"

    def address_for_once(self) -> str:
        """An address that opens the page once: for a command line, which others can read."""
        return f"{self._root}?once={self.guard.secret_for_once()}"

    def close(self) -> None:
        """Stop serving: pages are let go, and the port is free again. The session is left alone."""
        self._server.should_exit = True
        for viewer in list(self.viewers):
            viewer.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def _app(self) -> Any:
        from starlette.applications import Starlette
        from starlette.routing import Route, WebSocketRoute

        folder = f"/{self.guard.folder}"
        return Starlette(
            routes=[
                Route("/", self._enter),
                Route(f"{folder}/", self._file),
                WebSocketRoute(f"{folder}/socket", self._talk),
                Route(f"{folder}/{{name}}", self._file),
            ]
        )

    async def _enter(self, request: Request) -> Response:
        """Hand out the cookie, and lead to an address without the token."""
        from starlette.responses import RedirectResponse

        headers = {"Set-Cookie": self.guard.set_cookie}
        return RedirectResponse(f"/{self.guard.folder}/", 303, headers)

    async def _file(self, request: Request) -> Response:
        from starlette.responses import PlainTextResponse
        from starlette.responses import Response as Answer

        name = request.path_params.get("name", "index.html")
        # The name is looked for in a list: no path is made of what a page asks for.
        files = {path.name: path for path in PAGE.iterdir() if path.suffix in KINDS}
        if name not in files:
            return PlainTextResponse("The lab has no such file.", 404)
        return Answer(files[name].read_bytes(), media_type=KINDS[files[name].suffix])

    async def _talk(self, page: WebSocket) -> None:
        from starlette.websockets import WebSocketDisconnect

        await page.accept()
        if len(self.viewers) >= MOST_PAGES:
            await page.close(TOO_MANY, f"{MOST_PAGES} pages show this lab already: close one of them.")
            return
        loop = asyncio.get_running_loop()

        def send(text: str, payload: bytes | None) -> None:
            sending = page.send_text(text) if payload is None else page.send_bytes(packed(text, payload))
            asyncio.run_coroutine_threadsafe(sending, loop).result()

        viewer = Viewer(self.session, self._frames, send)
        self.viewers.add(viewer)
        try:
            # By this a page knows whether it talks to the server that it knew, or to one that began anew.
            await page.send_text(json.dumps({"life": self._life}))
            while not viewer.closed.is_set():
                viewer.receive(await page.receive_text())
                while viewer.full and not viewer.closed.is_set():
                    await asyncio.sleep(0.02)
        except (WebSocketDisconnect, KeyError):  # the page went, or sent bytes, which mean nothing here
            pass
        except Exception:
            _logger.exception("The lab lost a page by a fault of its own")
        finally:
            self.viewers.discard(viewer)
            viewer.close()


def _silent_protocol() -> type[asyncio.Protocol]:
    """Uvicorn's WebSocket without its log, which has each header in it, the cookie too."""
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    class Silent(WebSocketsSansIOProtocol):
        """Says nothing: `_talk` logs what goes wrong."""

        def __init__(self, *arguments: Any, **settings: Any) -> None:
            super().__init__(*arguments, **settings)
            self.logger = self.conn.logger = logging.Logger(__name__, logging.CRITICAL + 1)
            self.conn.debug = False

    return Silent


def packed(text: str, payload: bytes) -> bytes:
    """A frame as one message: the length of its header, the header, the arrays at a multiple of 8 bytes.

    >>> from glassnet.lab.server import packed
    >>> packed('{"frame":1}', b"12345678")[:4], len(packed('{"frame":1}', b"12345678"))
    (b'\\x0c\\x00\\x00\\x00', 24)
    """
    header = text.encode()
    header += b" " * (-(4 + len(header)) % 8)
    return len(header).to_bytes(4, "little") + header + payload


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows, where another program could take it over
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # the same port is free at once after the end
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(64)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = explain(error) if isinstance(error, OSError) else "a port is a number up to 65535"
        raise InputError(
            f"The lab cannot listen on port {port} of {host}: {reason}. Port 0 takes a free one."
        ) from error
    return listener
