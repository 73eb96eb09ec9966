"""Where our own faults end: in one line of the log, never in the app.

The line has the type of the exception and not its text, which may quote the data it stumbled over; the traceback is
there at level DEBUG. The logger is one that the SDK ignores, so a fault makes no event, breadcrumb or log of its own.
"""

from __future__ import annotations

import logging
from contextlib import suppress

from asgi_sentry import _state as state

logger = logging.getLogger("asgi_sentry")

SIGNALS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What ends a program or a generator. Whatever else a value or a callback raises is a fault of its own."""


def note(what: str, exc: BaseException, consequence: str) -> None:
    """Log that something of ours, or a callback of the user's, failed.

    Args:
        what: the part that failed, such as `resolve`.
        exc: what it raised.
        consequence: what this means for what is sent.
    """
    with suppress(Exception):  # a logging filter of the app's may raise, and here is the last place to stop that
        logger.warning("%s failed with %s; %s", what, type(exc).__name__, consequence)
        logger.debug("%s failed", what, exc_info=exc)


_said: set[str] = set()
state.register("_faults: what was said once", _said.clear)


def once(text: str) -> None:
    """Log a warning the first time it is given in this process; the texts are few and fixed."""
    if text not in _said:
        _said.add(text)
        with suppress(Exception):
            logger.warning(text)
