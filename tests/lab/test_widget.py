"""The lab as a notebook's widget: the server's page and messages, carried by the notebook."""

import queue
import sys
import threading

import pytest

from glassnet.errors import MissingLibraryError
from glassnet.lab import opening
from glassnet.lab.server import PAGE


@pytest.fixture
def widget(new_session, monkeypatch):
    """A widget, and the queue of what it sends to its page."""
    from glassnet.lab.widget import lab_widget

    made = lab_widget(new_session())
    sent = queue.Queue()
    monkeypatch.setattr(made, "send", lambda message, buffers=None: sent.put((message, buffers)))
    yield made, sent
    made.close()


def say(widget, **message):
    """What the page's `model.send` comes to."""
    widget._handle_custom_msg(message, [])


def test_widget_has_the_page_of_the_server(widget):
    made, _ = widget
    assert made._esm == (PAGE / "lab.js").read_text("utf-8")
    assert made._css == (PAGE / "lab.css").read_text("utf-8")


def test_widget_answers_commands_and_sends_frames_as_they_are_taken(widget):
    made, sent = widget
    say(made, id=1, do="step", n=4)
    message, buffers = sent.get(timeout=10)
    assert (message["id"], message["answer"]["iteration"], buffers) == (1, 4, None)
    say(made, do="taken")
    message, buffers = sent.get(timeout=10)
    assert message["frame"]["iteration"] == 4
    last = message["arrays"][-1]
    assert last["offset"] < len(buffers[0])
    say(made, id=2, do="step")
    assert sent.get(timeout=10)[0]["id"] == 2
    assert sent.empty()


def test_widget_refuses_what_the_server_refuses(widget):
    made, sent = widget
    for message in ({"id": 1, "do": "close"}, {"id": 1, "do": "step", "n": -1}, {"id": 1}):
        say(made, **message)
        assert "error" in sent.get(timeout=10)[0]["answer"]


def test_closed_widget_ends_its_session_and_its_threads(widget):
    made, _ = widget
    before = threading.active_count()
    made.close()
    assert made.session.closed
    for thread in made._viewer.threads:
        thread.join(10)
    assert threading.active_count() <= before - 2


def test_lab_is_a_widget_in_a_notebook(monkeypatch):
    monkeypatch.setattr(opening, "in_notebook", lambda: True)
    made = opening.lab([[0.0], [1.0]], [0, 1])
    assert made.session.command({"do": "step"})["iteration"] == 1
    made.close()


def test_without_anywidget_the_command_that_installs_it_is_said(monkeypatch):
    from glassnet.lab import widget

    monkeypatch.setitem(sys.modules, "anywidget", None)
    widget._widget_class.cache_clear()
    with pytest.raises(MissingLibraryError, match=r'needs anywidget, .+ pip install "glassnet\[lab\]"'):
        widget.lab_widget(None)
    widget._widget_class.cache_clear()
