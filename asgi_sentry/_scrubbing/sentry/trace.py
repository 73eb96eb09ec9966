"""The dynamic sampling context in an envelope's header.

What came in by `baggage`, and so may be anything. Source:
https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/. Each field is checked by
its type and range; one that is not what it has to be is left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

_ID = re.compile(r"[0-9a-f]{32}\Z")
_NAME = re.compile(r"[\w.@+/ -]{1,200}\Z")
_KEY = re.compile(r"[\w-]{1,64}\Z")
_PATTERNS = {
    "trace_id": _ID,
    "replay_id": _ID,
    "public_key": _KEY,
    "org_id": _KEY,
    "sampled": re.compile(r"(?:true|false)\Z"),
    "release": _NAME,
    "environment": _NAME,
}
# A package and its version, as releases are best named, which is no address though it has an `@`:
# https://docs.sentry.io/product/releases/naming-releases/.
VERSIONED = re.compile(r"[a-z][a-z._-]{0,40}(?:@|%40)[0-9]{1,6}(?:\.[0-9]{1,6}){0,3}\s*\Z")
_RATES = frozenset({"sample_rate", "sample_rand"})
_LONGEST = 32  # characters of a number within [0, 1], and some to spare
TEXTS = frozenset({"transaction", "release", "environment"})


def scrub_trace(trace: Mapping[str, Any], scrub_text: Callable[[str], str]) -> dict[str, Any]:
    """The trace header without what does not belong in it.

    Args:
        trace: as the SDK has it.
        scrub_text: takes secrets out of a text.
    """
    left: dict[str, Any] = {}
    for field, value in trace.items():
        if value is None:
            continue
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if field in _RATES:
            if _is_rate(text):
                left[field] = value
        elif field in _PATTERNS:
            if _PATTERNS[field].match(text):
                left[field] = scrub_text(text) if field in TEXTS else value
        elif field == "transaction" and isinstance(value, str):
            left[field] = scrub_text(value)
    return left


def scrubbed_own(
    trace: Mapping[str, Any], known: Mapping[str, str], harmless: Container[str]
) -> dict[str, Any] | None:
    """The same for a trace header of which nothing came in; None where more is to be looked at.

    Args:
        trace: as it was made here, of the client's options.
        known: what became of the transaction's name.
        harmless: texts of the program's own in which nothing is to be redacted.
    """
    for field in ("release", "environment"):
        text = trace.get(field)
        if text is not None and not (
            (text in harmless or VERSIONED.match(text)) and _NAME.match(text)
        ):
            return None
    name = trace.get("transaction")
    if name is None:
        return dict(trace)
    if name not in known:
        return None
    return {**trace, "transaction": known[name]}


def _is_rate(text: str) -> bool:
    try:
        return len(text) <= _LONGEST and 0 <= float(text) <= 1
    except ValueError:
        return False
