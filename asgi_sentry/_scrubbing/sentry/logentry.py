"""Log messages: parameters that fill in the value of a sensitive key are secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.look import is_chosen
from asgi_sentry._scrubbing.sentry.schema import DATA, TEXT, WORDS, add
from asgi_sentry._scrubbing.taint.strength import WEAK, strength
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.tree.walk import Walk

_PLACEHOLDER = re.compile(
    r"%(?:\((\w+)\))?[-#0 +]{0,5}\d{0,5}(?:\.\d{0,5})?([diouxXeEfFgGcrsa%])|\{(\w*)(?:![rsa])?"
    r"(?::[^{}]{0,40})?\}"
)
# `password=%s`, `Authorization: Bearer %s`
_KEY_BEFORE = re.compile(
    r"([\w.\-]{1,80})\\{0,3}[\"']?\]?\s{0,4}(?:=>|[:=])\s{0,4}b?\\{0,3}[\"']?"
    r"(?:(?i:bearer|basic|token|digest|apikey|negotiate)\s{1,4})?\Z"
)
_WORD_BEFORE = re.compile(r"([\w.\-]{1,80})\s{1,2}[\"'(]?\Z")  # `with password %s`
_PASSWORD = re.compile(r"(?i)pass|pwd")
_LOOKED_AT = 120  # characters in front of a parameter


class Parameter(NamedTuple):
    """A parameter of a log message that is secret, by number or by name.

    Attributes:
        which: its number or its name.
        surely: whether it is one whatever its value; else it has to look like one.
        is_password: whether it may be one that somebody chose.
    """

    which: int | str
    surely: bool
    is_password: bool = False


def secret_parameters(template: str, ruleset: Ruleset) -> list[Parameter]:
    """Which parameters of a log message are secret.

    What stands in front of one tells, or its own name.
    """
    found: list[Parameter] = []
    count = 0
    denied = ruleset.keys.meaning
    for match in _PLACEHOLDER.finditer(template):
        if match[2] == "%":
            continue
        name = match[1] or match[3]
        which: int | str = count if not name else int(name) if name.isdecimal() else name
        count += 1
        before = template[max(0, match.start() - _LOOKED_AT) : match.start()]
        key, word = _KEY_BEFORE.search(before), _WORD_BEFORE.search(before)
        if (key is not None and denied(key[1]) == DENIED) or (name and denied(name) == DENIED):
            found.append(Parameter(which, surely=True))
        elif word is not None and denied(word[1]) == DENIED:
            is_password = _PASSWORD.search(word[1]) is not None
            found.append(Parameter(which, surely=False, is_password=is_password))
    return found


def named_parameters(template: str) -> list[tuple[int, int]]:
    """Which parameters are what others are called: of `%s=%s` the second, by the first."""
    found: list[tuple[int, int]] = []
    count = stop = 0
    for match in _PLACEHOLDER.finditer(template):
        if match[2] == "%":
            continue
        if match[1] or match[3]:
            return []  # these are not counted
        if count and _BETWEEN.fullmatch(template, stop, match.start()):
            found.append((count - 1, count))
        count, stop = count + 1, match.end()
    return found


_BETWEEN = re.compile(r"[\"']?\s?[=:]\s?[\"']?")


def is_secret(value: Any, parameter: Parameter) -> bool:
    """Whether what a parameter is given is to be redacted."""
    if value is None or isinstance(value, bool) or value == FILTERED:
        return False
    if parameter.surely:
        return True
    if not isinstance(value, str) or " " in value:
        return False
    return strength(value) != WEAK or (parameter.is_password and is_chosen(value))


def logentry(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """A message, with the parameters that it was made with."""
    if not isinstance(value, dict):
        walk.add(value, holder, key, place)
        return
    value = walk.own(value, holder, key)
    here = (place, key)
    message, params = value.get("message"), value.get("params")
    if isinstance(params, (list, dict)):
        params = walk.own(params, value, "params")
    if isinstance(message, str) and isinstance(params, (list, dict)) and params:
        for parameter in secret_parameters(message, walk.ruleset):
            which: Any = parameter.which
            try:
                given = params[which]
                if is_secret(given, parameter):
                    params[which] = FILTERED
                    walk.secrets.append(given)
                    walk.notes.add((here, "params"), which, PASSWORD)
            except (LookupError, TypeError):
                continue
        if isinstance(params, list):
            _of_named(walk, message, params, (here, "params"))
    for field, inner in list(value.items()):
        way = DATA
        if field == "message":
            way = WORDS if params else TEXT
        elif field == "formatted":
            way = TEXT
        add(walk, way, inner, value, field, here)


def _of_named(walk: Walk, template: str, params: list[Any], place: Any) -> None:
    """Parameters whose names are parameters, too."""
    for name, which in named_parameters(template):
        if which >= len(params) or not isinstance(params[name], str):
            continue
        is_denied = walk.ruleset.keys.meaning(params[name][:_LOOKED_AT]) == DENIED
        if is_denied and is_secret(params[which], Parameter(which, surely=True)):
            walk.secrets.append(params[which])
            params[which] = FILTERED
            walk.notes.add(place, which, PASSWORD)
