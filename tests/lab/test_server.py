"""The lab's server over its own WebSocket, without a browser: pages come, talk, are slow, and vanish."""

import json
import logging
import socket
import threading
from contextlib import ExitStack, suppress

import pytest
from strangers import Visitor, settled
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from glassnet.errors import InputError
from glassnet.lab import server as server_module
from glassnet.lab.server import MOST_PAGES, TOO_MANY, packed
from glassnet.lab.viewer import MOST_BYTES


class Page:
    """A page without a browser."""

    def __init__(self, server, stack):
        visitor = Visitor(server)
        opened = connect(
            f"ws://{visitor.host}{visitor.folder}socket",
            origin=f"http://{visitor.host}",
            additional_headers={"Cookie": visitor.cookie},
            max_size=None,
            compression=None,
            proxy=None,
        )
        self.socket = stack.enter_context(opened)
        self.life = json.loads(self.socket.recv(10))["life"]

    def say(self, **message):
        self.socket.send(json.dumps(message))

    def next(self):
        message = self.socket.recv(10)
        return json.loads(message) if isinstance(message, str) else frame_of(message)

    def ask(self, **message):
        self.say(id=1, **message)
        while "answer" not in (message := self.next()):
            pass
        return message["answer"]


def frame_of(message):
    length = int.from_bytes(message[:4], "little")
    header = json.loads(message[4 : 4 + length])
    assert (4 + length) % 8 == 0
    return {**header["frame"], "bytes": len(message) - 4 - length}


@pytest.fixture
def visit(serve):
    """`visit(server)`: a page at a server; closed after the test."""
    with ExitStack() as stack:
        yield lambda server: Page(server, stack)


def test_page_commands_and_sees_the_session(serve, visit):
    server = serve()
    page = visit(server)
    page.say(do="taken")
    assert page.next()["iteration"] == 0
    assert page.ask(do="step", n=20)["iteration"] == 20
    page.say(do="taken")
    frame = page.next()
    assert frame["iteration"] == 20
    assert frame["loss"] == server.session.command({"do": "pause"})["loss"]
    assert frame["bytes"] > 0


def test_all_pages_show_the_one_session(serve, visit):
    server = serve()
    pages = [visit(server) for _ in range(3)]
    pages[0].ask(do="step", n=5)
    for page in pages:
        page.say(do="taken")
    assert [page.next()["iteration"] for page in pages] == [5, 5, 5]


def test_page_more_than_may_look_on_is_refused_in_words(serve, visit):
    server = serve()
    pages = [visit(server) for _ in range(MOST_PAGES)]
    with pytest.raises(ConnectionClosed) as raised:
        visit(server)
    assert raised.value.rcvd.code == TOO_MANY
    assert "close one of them" in raised.value.rcvd.reason
    pages.pop().socket.close()
    assert settled(lambda: len(server.viewers) < MOST_PAGES)
    assert visit(server).ask(do="pause")["state"] == "paused"


def test_page_that_vanishes_leaves_nothing_behind(serve, visit):
    server = serve()
    before = threading.active_count()
    pages = [visit(server) for _ in range(3)]
    for page in pages:
        page.say(do="taken")
        page.next()
        page.say(id=1, do="step", n=3)
    for page in pages:
        page.socket.socket.shutdown(
            socket.SHUT_RDWR
        )  # a cable that is pulled, not a page that says goodbye
    assert settled(lambda: not server.viewers)
    assert settled(lambda: threading.active_count() <= before)


def test_slow_page_holds_up_neither_training_nor_other_pages(serve, visit):
    server = serve()
    slow, quick = visit(server), visit(server)
    slow.say(do="taken")  # and reads nothing any more
    quick.ask(do="end_at", iteration=10_000_000)
    quick.ask(do="play")
    seen = 0
    for _ in range(5):
        quick.say(do="taken")
        number = quick.next()["number"]
        assert number > seen
        seen = number
    assert quick.ask(do="pause")["iteration"] > 0


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 3 * MOST_BYTES])
def test_message_that_is_too_long_ends_its_own_connection_alone(serve, visit, size):
    server = serve()
    page, other = visit(server), visit(server)
    with suppress(ConnectionClosed):  # it may come while the message is still on its way
        page.socket.send("x" * size)
    with pytest.raises(ConnectionClosed) as raised:
        page.next()
    assert raised.value.rcvd is None or raised.value.rcvd.code == 1009
    assert other.ask(do="step")["iteration"] == 1


def test_longest_message_passes(serve, visit):
    start = '{"id": 1, "do": "step", "text": "'
    page = visit(serve())
    page.socket.send(start + "x" * (MOST_BYTES - len(start) - 2) + '"}')
    assert "'text'" in page.next()["answer"]["error"]


def test_message_of_bytes_ends_its_own_connection_alone(serve, visit):
    server = serve()
    page, other = visit(server), visit(server)
    page.socket.send(b"\x80\x04K\x07.")  # a pickle, which nobody unpacks
    with pytest.raises(ConnectionClosed):
        page.next()
    assert other.ask(do="step")["iteration"] == 1


def test_flood_of_commands_is_answered_to_the_last(serve, visit):
    page = visit(serve())
    for k in range(500):
        page.say(id=k, do="pause")
    assert [page.next()["id"] for _ in range(500)] == list(range(500))


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"do": "open", "path": "/etc/passwd"}, "Unknown command"),
        ({"do": "__class__"}, "Unknown command"),
        ({"do": "step", "n": 1e300}, "expected a whole number"),
        ({"do": "step", "n": -1}, "expected a whole number"),
        ({"do": "play", "path": "/etc/passwd"}, "'path'"),
        ({"do": {"$type": "Session"}}, "Unknown command"),
        ({"do": "close"}, "Unknown command"),
        ({}, "Unknown command"),
    ],
)
def test_nothing_but_the_commands_of_the_schema_is_done(serve, visit, message, words):
    assert words in visit(serve()).ask(**message)["error"]


def test_close_lets_pages_go_ends_threads_and_frees_the_port(serve, visit):
    before = threading.active_count()
    server = serve()
    page = visit(server)
    page.ask(do="end_at", iteration=1_000_000)
    page.ask(do="play")
    server.close()
    server.session.close()
    with suppress(ConnectionClosed):
        while page.next():
            pass
    assert page.socket.close_code in (1001, 1012)
    assert settled(lambda: threading.active_count() <= before)
    assert serve(port=server.port).port == server.port


def test_server_started_again_knows_the_address_and_says_that_it_began_anew(serve, visit):
    first = serve()
    life = visit(first).life
    assert visit(first).life == life
    first.close()
    second = serve(port=first.port, token=first.guard.token)
    assert second.address == first.address
    assert visit(second).life != life


def test_port_that_is_taken_is_said(serve):
    port = serve().port
    with pytest.raises(InputError, match=rf"cannot listen on port {port} of 127\.0\.0\.1: .+ Port 0 takes"):
        serve(port=port)


@pytest.mark.parametrize("port", [-1, 65536, 10**9])
def test_port_that_is_none_is_said(serve, port):
    with pytest.raises(InputError, match=f"cannot listen on port {port} .* up to 65535"):
        serve(port=port)


def test_address_that_is_not_this_machines_is_said(serve):
    with pytest.raises(InputError, match=r"cannot listen on port 0 of 203\.0\.113\.7"):
        serve(expose="203.0.113.7")


def test_exposed_server_answers_at_every_address_of_the_machine(serve):
    server = serve(expose="0.0.0.0")
    assert server.address.startswith(f"http://127.0.0.1:{server.port}/?token=")
    visitor = Visitor(server)
    host = f"127.0.0.2:{server.port}"
    assert visitor.get(Host=host).status == 200
    assert visitor.upgrade(Host=host, Origin=f"http://{host}").status == 101
    assert visitor.upgrade(Host=f"evil.example:{server.port}", Origin="http://evil.example").status == 403


def test_no_log_holds_the_token_or_the_cookie(serve, visit, caplog, capfd):
    # Jupyter, CVE-2022-24758: secrets stood in the log of requests that failed.
    caplog.set_level(logging.DEBUG)
    server = serve()
    visitor = Visitor(server)
    visitor.get(f"/?token={server.guard.token}", Cookie=None)
    visitor.get(f"/{'x' * 40_000}?token={server.guard.token}")
    visitor.upgrade(Origin="http://evil.example")
    page = visit(server)
    page.socket.send(b"bytes")
    with pytest.raises(ConnectionClosed):
        page.next()
    out, err = capfd.readouterr()
    logged = "".join(text for text in (caplog.text, out, err))
    written = "".join(record.getMessage() for record in caplog.records if record.name.startswith("uvicorn"))
    for secret in (server.guard.token, server.guard.ticket):
        assert secret not in written
        assert secret not in out + err
    assert "Traceback" not in logged


def test_packed_frame_begins_with_the_length_of_its_header():
    message = packed('{"a":"é"}', b"\x01" * 16)
    length = int.from_bytes(message[:4], "little")
    assert json.loads(message[4 : 4 + length]) == {"a": "é"}
    assert message[4 + length :] == b"\x01" * 16
    assert (4 + length) % 8 == 0


def test_page_and_server_agree_on_bounds():
    script = (server_module.PAGE / "socket.js").read_text("utf-8")
    assert f"const MOST_BYTES = {MOST_BYTES:_};" in script
    assert f"const TOO_MANY = {TOO_MANY};" in script
