"""Where our own faults end: in one line of the log, however often they come, and never in the app.

The line has the type of the exception and not its text, which may quote the data it stumbled over;
the traceback is there at level DEBUG. The logger is one that the SDK ignores, so a fault makes no
event, breadcrumb or log of its own.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from contextlib import suppress
from typing import Any

from asgi_sentry import _state as state
from asgi_sentry._counters import count_fault

logger = logging.getLogger("asgi_sentry")

SIGNALS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a program or a generator.

Whatever else a value or a callback raises is a fault of its own.
"""


def note(what: str, exc: BaseException, consequence: str) -> None:
    """Log that something of ours, or a callback of the user's, failed.

    Once a minute, and then how often since. How often in all is told by `counters()`.

    Args:
        what: the part that failed, such as `resolve`.
        exc: what it raised.
        consequence: what this means for what is sent.
    """
    kind = type(exc).__name__
    count_fault(what)
    # A logging filter of the app's may raise, and here is the last place to stop that.
    with suppress(Exception):
        times = _due(f"{what} {kind}")
        if times:
            again = ""
            if times > 1:
                again = f", {times} times in the last minute"
            logger.warning("%s failed with %s%s; %s", what, kind, again, consequence)
            logger.debug("%s failed", what, exc_info=exc)


def asked(thing: object, name: str) -> Any:
    """An attribute of one of the app's objects; None where it has none, or raises when asked."""
    try:
        return getattr(thing, name, None)
    except SIGNALS:
        raise
    except BaseException:
        return None


def seldom(text: str) -> None:
    """Log a warning once a minute, and then how often it would have been.

    The texts are few and fixed.
    """
    with suppress(Exception):
        times = _due(text)
        if times:
            logger.warning(
                "%s%s", text, f" ({times} times in the last minute)" if times > 1 else ""
            )


def _due(text: str) -> int:
    """How often something was to be said since it was said last; 0 while it need not be said again.

    Threads that fail at the very same time may lose a count, or say it twice.
    """
    now = time.monotonic()
    said = _lately.get(text)
    if said is None:
        while len(_lately) >= _MOST:
            _lately.popitem(last=False)
        _lately[text] = (now, 0)
        return 1
    at, since = said
    if now - at < _AGAIN:
        _lately[text] = (at, since + 1)
        return 0
    _lately[text] = (now, 0)
    return since + 1


_AGAIN = 60.0
"""Seconds before the same fault is said again."""
_MOST = 256
# When it was said, and how often it was not since.
_lately: OrderedDict[str, tuple[float, int]] = OrderedDict()
state.register("_faults: what was said lately", _lately.clear)

_said: set[str] = set()
state.register("_faults: what was said once", _said.clear)


def once(text: str) -> None:
    """Log a warning the first time it is given in this process; the texts are few and fixed."""
    if text not in _said:
        _said.add(text)
        with suppress(Exception):
            logger.warning(text)
