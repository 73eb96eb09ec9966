"""False alarms: the line of configuration that would leave a redacted place as it is."""

from __future__ import annotations

import re
from typing import Any

_BY_KEY = "@password"
_REPR = re.compile(r"b?['\"](.{1,80})['\"]")


def allowing(path: tuple[str | int, ...], rule: str, name: str | None = None) -> str:
    """The line of configuration that would leave a place as it is.

    Args:
        path: of what was redacted.
        rule: that did it.
        name: of a pair's first half, where the place is its second.
    """
    steps = tuple("*" if isinstance(step, int) else step for step in path)
    named = name or (steps[-1] if steps and steps[-1] != "*" else None)
    by_key = rule == _BY_KEY and named and any(map(str.isalnum, named))
    allowed = (named,) if by_key else (steps[-3:],)
    return f"asgi_sentry.init(event_scrubber=asgi_sentry.Scrubber(allow={allowed!r}))"


def name_of(payload: Any, path: tuple[str | int, ...]) -> str | None:
    """The name in `[name, value]`, if a path leads to the value of such a pair."""
    if not path or path[-1] != 1:
        return None
    for step in path[:-1]:
        try:
            payload = payload[step]
        except (LookupError, TypeError):
            return None
    if not isinstance(payload, list) or len(payload) != 2 or not isinstance(payload[0], str):
        return None
    shown = _REPR.fullmatch(payload[0])
    return shown[1] if shown else payload[0][:80]
