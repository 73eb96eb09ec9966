"""Log messages: parameters that fill in the value of a sensitive key are secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.sentry.schema import DATA, TEXT, WORDS, add
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.tree.walk import Walk

_PLACEHOLDER = re.compile(
    r"%(?:\((\w+)\))?[-#0 +]{0,5}\d{0,5}(?:\.\d{0,5})?([diouxXeEfFgGcrsa%])|\{(\w*)(?:![rsa])?(?::[^{}]{0,40})?\}"
)
_KEY_BEFORE = re.compile(r"([\w.\-]{1,80})\\{0,3}[\"']?\]?\s{0,4}(?:=>|[:=])\s{0,4}b?\\{0,3}[\"']?\Z")


def secret_parameters(template: str, ruleset: Ruleset) -> set[int | str]:
    """Which parameters of a log message fill in the value of a sensitive key, by number or by name."""
    found: set[int | str] = set()
    count = 0
    for match in _PLACEHOLDER.finditer(template):
        if match[2] == "%":
            continue
        name = match[1] or match[3]
        place: int | str = count if not name else int(name) if name.isdecimal() else name
        count += 1
        before = _KEY_BEFORE.search(template[max(0, match.start() - 100) : match.start()])
        if before is not None and ruleset.keys[before[1]] == DENIED:
            found.add(place)
    return found


def logentry(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """A message, with the parameters that it was made with."""
    if not isinstance(value, dict):
        walk.add(value, holder, key, place)
        return
    here = (place, key)
    message, params = value.get("message"), value.get("params")
    secret = secret_parameters(message, walk.ruleset) if isinstance(message, str) and params else set()
    if isinstance(params, (list, dict)):
        for which in secret:
            try:
                given: Any = params[which]  # type: ignore[index]
                if given is not None and not isinstance(given, bool) and given != FILTERED:
                    params[which] = FILTERED  # type: ignore[index]
                    walk.notes.add((here, "params"), which, PASSWORD)
            except (LookupError, TypeError):
                continue
    for field, inner in list(value.items()):
        way = DATA
        if field == "message":
            way = WORDS if params else TEXT
        elif field == "formatted":
            way = TEXT
        add(walk, way, inner, value, field, here)
