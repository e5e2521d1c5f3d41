"""Requests by hand, with any header or none: what a program or a page of somebody else's can send."""

import http.client
import threading
from dataclasses import dataclass

UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self):
        return self.body.decode()


def ask(port, path="/", headers=(), method="GET", body=None, address="127.0.0.1"):
    """The answer to a request with these headers alone: pairs, or a dict with None for one to leave out."""
    connection = http.client.HTTPConnection(address, port, timeout=10)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items() if isinstance(headers, dict) else headers:
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        return Answer(response.status, response.msg, b"" if response.status == 101 else response.read())
    finally:
        connection.close()


class Visitor:
    """Asks a server as its own page does: whatever a request here changes is all that is wrong with it."""

    def __init__(self, server):
        self.server, self.guard, self.port = server, server.guard, server.port
        self.folder = f"/{self.guard.folder}/"
        self.host = f"127.0.0.1:{self.port}"
        self.cookie = f"{self.guard.cookie}={self.guard.ticket}"

    def get(self, path=None, method="GET", body=None, **changes):
        """A request for a file of the page; `changes` are headers, with _ for -, None for one less."""
        headers = {"Host": self.host, "Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
        return self._ask(self.folder if path is None else path, headers, changes, method, body)

    def upgrade(self, path=None, **changes):
        """A request for the WebSocket: status 101 is a connection."""
        headers = {"Host": self.host, "Origin": f"http://{self.host}", "Cookie": self.cookie, **UPGRADE}
        return self._ask(f"{self.folder}socket" if path is None else path, headers, changes)

    def _ask(self, path, headers, changes, method="GET", body=None):
        named = {name.replace("_", "-"): value for name, value in changes.items()}
        return ask(self.port, path, {**headers, **named}, method, body)


def settled(condition, seconds=10):
    """Whether a condition comes true before long."""
    waited = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return True
        waited.wait(0.01)
    return False
