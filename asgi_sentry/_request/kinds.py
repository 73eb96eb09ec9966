"""What kind of error an event is.

Its type and the place where it arose, and nothing that a client can vary. A text may hold what a
client sent: `logger.error(f"no such item: {path}")` is one kind, however many paths there are. So a
message's kind is where it was logged. That can be seen while it is captured, in the thread that
does it, and is kept until the event has come to the door.
"""

from __future__ import annotations

import sys
import sysconfig
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

_DEEPEST = 64  # frames that are looked at
# Modules through which a message comes, whoever sent it.
_CARRIERS = ("asgi_sentry", "sentry_sdk", "logging")
_LIBRARIES = tuple(
    {
        path
        for name in ("stdlib", "platstdlib", "purelib", "platlib")
        if (path := sysconfig.get_path(name))
    }
)


def place_of(hint: Mapping[str, Any]) -> str | None:
    """Where a message was logged or captured, to be called while it is.

    None for an exception, which knows it. A library that logs for others (structlog, loguru) is one
    place for all of them, so the app's own innermost frame is told as well. Behind a queue there is
    none, and the record has to do.
    """
    if hint.get("exc_info") is not None:
        return None
    record = hint.get("log_record")
    if record is not None:
        told = f"{getattr(record, 'pathname', '')}:{getattr(record, 'lineno', '')}"
    else:
        told = ""
    # There is no public way without making all frames.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    caller = None
    for _ in range(_DEEPEST):
        if frame is None:
            break
        name = frame.f_globals.get("__name__")
        carries = isinstance(name, str) and name.partition(".")[0] in _CARRIERS
        if not carries:
            here = f"{frame.f_code.co_filename}:{frame.f_lineno}"
            if not frame.f_code.co_filename.startswith(_LIBRARIES):
                return f"{told} {here}"
            caller = caller or here
        frame = frame.f_back
    if told or caller:
        return f"{told} {caller}"
    return None


def kind_of(event: Mapping[str, Any], place: str | None = None) -> tuple[str, ...]:
    """What an event is grouped by, near enough to Sentry's grouping to count by.

    Its fingerprint; in place of the default one the type of its exception and the place where the
    app raised it, or the place where its message comes from; where that is not known, the template
    of the message.
    """
    default = _default_kind(event, place)
    fingerprint = event.get("fingerprint")
    if not isinstance(fingerprint, (list, tuple)) or not fingerprint:
        return default
    parts: list[str] = []
    for part in fingerprint:
        if part in ("{{ default }}", "{{default}}"):
            parts += default
        else:
            parts.append(str(part))
    return tuple(parts)


def _default_kind(event: Mapping[str, Any], place: str | None) -> tuple[str, ...]:
    values = _at(event.get("exception"), "values")
    if isinstance(values, list) and values and isinstance(values[-1], dict):
        last = values[-1]
        frames = _at(last.get("stacktrace"), "frames")
        if isinstance(frames, list):
            frames = [frame for frame in frames if isinstance(frame, dict)]
        else:
            frames = []
        # The innermost frame of the app's own, else the innermost at all.
        own = [frame for frame in frames if frame.get("in_app")] or frames
        where = {}
        if own:
            where = own[-1]
        names = (
            last.get("type"),
            where.get("module") or where.get("filename"),
            where.get("function"),
        )
        return tuple(str(name) for name in names)
    if place is not None:
        return ("message", str(event.get("logger")), place)
    template = _at(event.get("logentry"), "message") or event.get("message")
    return ("message", str(event.get("logger")), str(template)[:200])


def _at(value: Any, key: str) -> Any:
    if not isinstance(value, dict):
        return None
    return value.get(key)
