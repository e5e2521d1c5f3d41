"""One page's talk with a session, without a page: commands in order, and frames only as they are taken."""

import json
import math
import queue
import threading
import types

import pytest

from glassnet.errors import InputError
from glassnet.lab import viewer as viewer_module
from glassnet.lab.frame import Frame
from glassnet.lab.viewer import MOST_WAITING, Frames, Viewer, document_of


class Steps:
    """A session whose state is a number, which `move` lets grow."""

    def __init__(self):
        self.number, self.made, self.commands = 1, 0, []
        self.free = threading.Event()
        self.free.set()
        self._changed = threading.Condition()

    def move(self, n=1):
        with self._changed:
            self.number += n
            self._changed.notify_all()

    def wait(self, seen, timeout):
        with self._changed:
            self._changed.wait_for(lambda: self.number > seen, timeout)
            return self.number

    def frame(self):
        self.made += 1
        return Frame(self.number, {"iteration": self.number})

    def command(self, message):
        assert self.free.wait(10)
        self.commands.append(message)
        if message.get("do") == "fail":
            raise RuntimeError("of the session")
        if message.get("do") == "say":
            return {"said": {"nothing": math.nan, "itself": self}[message["what"]]}
        return {"did": message.get("do")}

    def close(self):
        pass


class Page:
    """What a page gets, and when."""

    def __init__(self, session, frames=None):
        self.got = queue.Queue()
        self.viewer = Viewer(session, frames or Frames(session), self.take)

    def take(self, text, payload):
        self.got.put((json.loads(text), payload))

    def say(self, **message):
        self.viewer.receive(message)

    def next(self):
        return self.got.get(timeout=10)

    def frame(self):
        header, payload = self.next()
        assert payload == b""
        return header["frame"]["number"]


@pytest.fixture
def session():
    return Steps()


@pytest.fixture
def look(session):
    """`look()`: a page at the session; all are let go after the test."""
    pages = []

    def make(frames=None):
        pages.append(Page(session, frames))
        return pages[-1]

    yield make
    for page in pages:
        page.viewer.close()


def test_frame_comes_once_the_page_listens_and_again_when_it_was_taken(session, look, monkeypatch):
    monkeypatch.setattr(viewer_module, "FRAME_SECONDS", 0.0)
    page = look()
    session.move()
    page.say(do="ask", id=1)
    assert page.next()[0] == {"id": 1, "answer": {"did": "ask"}}  # and no frame came before it
    page.say(do="taken")
    assert page.frame() == 2
    for k in range(100):
        session.move()
        page.say(do="ask", id=k)
        assert page.next()[0]["id"] == k
    page.say(do="taken")
    assert page.frame() == 102  # the newest alone


def test_page_that_takes_nothing_costs_no_frame(session, look):
    page = look()
    page.say(do="taken")
    assert page.frame() == 1
    made = session.made
    for _ in range(50):
        session.move()
    page.say(do="ask", id=1)
    page.next()
    assert session.made == made


def test_taken_said_often_gives_one_frame(session, look):
    page = look()
    for _ in range(50):
        page.say(do="taken")
    assert page.frame() == 1
    page.say(do="ask", id=1)
    assert page.next()[0]["id"] == 1


def test_pages_share_a_frame(session, look):
    frames = Frames(session)
    pages = [look(frames) for _ in range(4)]
    for page in pages:
        page.say(do="taken")
    assert [page.frame() for page in pages] == [1, 1, 1, 1]
    assert session.made == 1


def test_frames_take_a_share_of_the_time_however_many_pages_look(session, monkeypatch):
    clock, spent, rests = [0.0], [0.0], []
    clocks = types.SimpleNamespace(monotonic=lambda: clock[0], thread_time=lambda: spent[0])
    monkeypatch.setattr(viewer_module, "time", clocks)

    class Closed(threading.Event):
        def wait(self, timeout=None):
            rests.append(timeout)
            return False

    def frame():
        clock[0] += 0.05  # most of which others had the processor
        spent[0] += 0.01
        return Frame(session.number, {})

    monkeypatch.setattr(session, "frame", frame)
    frames = Frames(session)
    frames.after(-1, Closed())
    session.move()
    frames.after(1, Closed())
    # 10 ms of work are a seventh of 70 ms, of which 50 are over.
    assert rests[-1] == pytest.approx(0.02)


def test_commands_are_answered_in_their_order_and_leave_frames_alone(session, look):
    page = look()
    session.free.clear()
    for k in range(5):
        page.say(do="step", id=k)
    page.say(do="taken")
    assert page.frame() == 1  # while the first command still works
    session.free.set()
    assert [page.next()[0]["id"] for _ in range(5)] == [0, 1, 2, 3, 4]


def test_commands_beyond_those_that_may_wait_are_refused(session, look):
    page = look()
    session.free.clear()
    sent = MOST_WAITING + 10
    for k in range(sent):
        page.say(do="step", id=k)
    assert page.viewer.full
    session.free.set()
    answers = [page.next()[0]["answer"] for _ in range(sent)]
    refused = [answer for answer in answers if "error" in answer]
    assert 9 <= len(refused) <= 10  # one of them may be at work already
    assert "commands wait already" in refused[0]["error"]
    assert len(session.commands) == sent - len(refused)


def test_waiting_messages_are_bounded_in_bytes(session, look, monkeypatch):
    monkeypatch.setattr(viewer_module, "MOST_BYTES", 10_000)
    page = look()
    session.free.clear()
    page.say(do="step", id=0)
    page.viewer.receive('{"do": "long", "text": "' + "x" * 20_000 + '"}')
    assert page.viewer.full
    session.free.set()
    assert [page.next()[0]["answer"]["did"] for _ in range(2)] == ["step", "long"]
    assert not page.viewer.full


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is JSON"),
        ("", "is JSON"),
        ("[1, 2]", "A command is a JSON object, not list"),
        ("7", "not int"),
        ('{"do": "step", "n": NaN}', "the number NaN"),
        ('{"n": -Infinity}', "the number -Infinity"),
        ("[" * 900, "is JSON"),
        ("[" * 100_000, "is JSON"),
        ('{"n": ' + "1" * 5000 + "}", "is JSON"),
        ("null", "not NoneType"),
        ('{"n": 1e999}', None),
    ],
)
def test_message_that_means_nothing_is_answered_in_words(session, look, text, words):
    page = look()
    page.viewer.receive(text)
    message, _ = page.next()
    assert message["id"] is None
    if words is not None:
        assert words in message["answer"]["error"]
        assert session.commands == []
    page.say(do="step", id=1)
    assert page.next()[0] == {"id": 1, "answer": {"did": "step"}}


def test_document_refuses_numbers_that_json_lacks():
    assert document_of('{"a": [1, 2.5, "x"]}') == {"a": [1, 2.5, "x"]}
    with pytest.raises(InputError, match="the number Infinity"):
        document_of("[Infinity]")


def test_failure_of_the_session_is_said_and_the_next_command_works(session, look, caplog):
    page = look()
    page.say(do="fail", id=1)
    message, _ = page.next()
    assert message["id"] == 1
    assert "RuntimeError: of the session" in message["answer"]["error"]
    assert "of the session" in caplog.text  # with its traceback, for whoever mends it
    page.say(do="step", id=2)
    assert page.next()[0] == {"id": 2, "answer": {"did": "step"}}


@pytest.mark.parametrize(("what", "words"), [("nothing", "not JSON compliant"), ("itself", "Steps")])
def test_answer_that_json_cannot_hold_is_said_and_the_page_stays(session, look, caplog, what, words):
    page = look()
    page.say(do="say", what=what, id=1)
    message, _ = page.next()
    assert message["id"] == 1
    assert words in message["answer"]["error"]
    page.say(do="step", id=2)
    assert page.next()[0] == {"id": 2, "answer": {"did": "step"}}


def test_page_that_is_gone_leaves_no_thread(session):
    def send(text, payload):
        raise ConnectionError

    viewer = Viewer(session, Frames(session), send)
    viewer.receive({"do": "step"})
    assert viewer.closed.wait(10)
    for thread in viewer.threads:
        thread.join(10)
        assert not thread.is_alive()
