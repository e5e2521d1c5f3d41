"""Who may talk to the lab's server: each rule against other pages, other users and other machines."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qsl

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""The names of this machine that a browser never asks another machine about."""

WRONG_HOST = (
    "The lab answers only to {expected}. This request came for another name, as a page does that had "
    "its own name lead to this machine (DNS rebinding). Open the address that the lab printed, as it is."
)
WRONG_SITE = (
    "A page of another site led here, and the lab answers to none. Copy the address that the lab "
    "printed into the browser's address bar."
)
WRONG_ORIGIN = "The lab takes commands from its own page only."
WRONG_METHOD = "The lab is only read here. Its page sends commands over its own connection."
NO_TOKEN = (
    "This address lacks the token that the lab printed, or the lab was started anew since then. Open "
    "the whole address that it printed last, with all that follows the question mark."
)


@dataclass(frozen=True)
class Guard:
    """What a request must bring with it.

    `token` is the secret of the printed address. `exposed` servers answer to any address of this machine
    that is written in numbers, which no page can have for its name; others to `LOOPBACK` alone.
    """

    token: str
    port: int
    exposed: bool = False
    _once: set[str] = field(default_factory=set)

    @property
    def cookie(self) -> str:
        """The cookie's name. Cookies are shared by all ports of a machine, so it has the port in it."""
        return f"glassnet_lab_{self.port}"

    @property
    def ticket(self) -> str:
        """The cookie's value: it proves that a browser had the token, and does not give it away."""
        return self._derived("cookie")

    @property
    def folder(self) -> str:
        """The first part of each path of the page, which nobody can guess.

        The cookie holds for this path alone: a browser would give it to every other server on this
        machine else, whoever runs it, as cookies do not know ports.
        """
        return self._derived("folder")[:32]

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    @property
    def set_cookie(self) -> str:
        """The header that hands out the cookie, until the browser is closed."""
        return f"{self.cookie}={self.ticket}; Path=/{self.folder}/; HttpOnly; SameSite=Strict"

    def refusal(self, scope: Scope) -> str | None:
        """Why a request or an upgrade of HTTP is refused, in words for a person; None where it may pass."""
        headers = Headers(scope)
        host, origin = headers.only("host"), headers.only("origin")
        if host is None or not self._is_ours(host):
            expected = f"{LOOPBACK[0]}:{self.port}"
            return WRONG_HOST.format(expected=f"{expected} or an IP address" if self.exposed else expected)
        # Pages of other servers on this machine are "same-site", and no more trusted than others.
        if headers.has("sec-fetch-site") and headers.only("sec-fetch-site") not in ("same-origin", "none"):
            return WRONG_SITE
        upgrade = scope["type"] == "websocket"
        if (upgrade or headers.has("origin")) and origin != f"http://{host}":
            return WRONG_ORIGIN
        if not upgrade and scope["method"] not in ("GET", "HEAD"):
            return WRONG_METHOD
        if not (self._has_cookie(scope) or (not upgrade and self._has_token(scope))):
            return NO_TOKEN
        return None

    def _is_ours(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if self.port == 80 and not (colon and port.isdigit()):
            name, port = host, "80"  # browsers leave out the port that http has
        if port != str(self.port):
            return False
        return name in LOOPBACK or (self.exposed and _is_address(name))

    def secret_for_once(self) -> str:
        """A secret that opens the page once, as ``?once=``.

        A browser is started with the address in its command line, which every user of the machine can
        read; by then this one is spent.
        """
        secret = secrets.token_urlsafe(32)
        self._once.add(secret)
        return secret

    def _has_token(self, scope: Scope) -> bool:
        given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if len(given) != 1:
            return False
        ((key, value),) = given
        if key == "once" and scope["method"] == "GET":
            spent = [secret for secret in self._once if _same(value, secret)]
            self._once.difference_update(spent)
            return bool(spent)
        return key == "token" and _same(value, self.token)

    def _has_cookie(self, scope: Scope) -> bool:
        values = []
        for text in Headers(scope).all("cookie"):
            for pair in text.split(";"):
                try:
                    cookies = SimpleCookie(pair)
                except CookieError:  # another server's, in words that Python does not take
                    continue
                values += [morsel.value for name, morsel in cookies.items() if name == self.cookie]
        # Every one is compared, so that the time tells nothing about which.
        return sum(_same(value, self.ticket) for value in values) > 0


def _is_address(name: str) -> bool:
    bare = name[1:-1] if name.startswith("[") and name.endswith("]") else name
    try:
        return str(ipaddress.ip_address(bare)) == bare and (":" in bare) == (bare != name)
    except ValueError:
        return False


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


class Headers:
    """The headers of a request, each with all values that it came with."""

    def __init__(self, scope: Scope) -> None:
        self._pairs = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self._pairs if key == name]

    def has(self, name: str) -> bool:
        """Whether the header came at all."""
        return bool(self.all(name))

    def only(self, name: str) -> str | None:
        """The value of a header that came once; None where it is missing or came twice."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None


def page_headers(host: str) -> Mapping[str, str]:
    """What each response tells the browser: run and show nothing but the lab's own files, and keep nothing.

    `host` is where the page may open its connection.
    """
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data: blob:",
        "connect-src": f"'self' ws://{host}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class Guarded:
    """An ASGI application behind a `Guard`: it sees no request that the guard refuses."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], guard: Guard) -> None:
        self.app, self.guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self.guard.refusal(scope)
        # Before the name is known to be one of the lab's own, it is not repeated in any header.
        allowed = Headers(scope).only("host") if refusal is None else None
        names = page_headers(allowed or f"{LOOPBACK[0]}:{self.guard.port}")
        extra = [(name.lower().encode(), value.encode()) for name, value in names.items()]

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                message = {**message, "headers": [*message.get("headers", ()), *extra]}
            await send(message)

        if refusal is None:
            await self.app(scope, receive, send_with_headers)
        else:
            await _refuse(scope, send_with_headers, refusal)


async def _refuse(scope: Scope, send: Send, words: str) -> None:
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": f"{kind}.start", "status": 403, "headers": headers})
    await send({"type": f"{kind}.body", "body": words.encode()})
