"""The lab as a widget of a notebook: the same page, whose messages the notebook carries."""

from __future__ import annotations

import functools
import importlib.resources
import json
from typing import Any

from glassnet.lab.session import Session
from glassnet.lab.viewer import Frames, Viewer
from glassnet.utils.libraries import require


@functools.cache
def _widget_class() -> Any:
    """The class of the widget, made where the library is first needed."""
    require("anywidget")
    from anywidget import AnyWidget

    page = importlib.resources.files("glassnet.lab") / "page"

    class LabWidget(AnyWidget):
        """Shows a session in a notebook; `session` is the `Session`, and `close` ends it."""

        _esm = (page / "lab.js").read_text("utf-8")
        _css = (page / "lab.css").read_text("utf-8")

        def __init__(self, session: Session) -> None:
            super().__init__()
            self.session = session
            self._viewer = Viewer(session, Frames(session), self._deliver)
            self.on_msg(self._hear)

        def _hear(self, widget: object, message: object, buffers: object) -> None:
            self._viewer.receive(message)

        def _deliver(self, text: str, payload: bytes | None) -> None:
            self.send(json.loads(text), None if payload is None else [payload])

        def close(self) -> None:
            """End training, and take the page out of the notebook."""
            self._viewer.close()
            self.session.close()
            super().close()

    return LabWidget


def lab_widget(session: Session) -> Any:
    """The widget that shows a session."""
    return _widget_class()(session)
