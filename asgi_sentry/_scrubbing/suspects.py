"""What may have slipped through the scrubber, and what it may have taken for a secret that is none.

Both are guesses for a person to look at: by entropy and shape, and by the names of keys. Each comes
with the line of configuration that would change it. Nothing of a value is shown but its first
characters and its length.

The cost is linear: a payload is gone through once, with bounds on nodes, on the length of a text
and on the result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import log2
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing.keys import ADDRESS, Keys
from asgi_sentry._scrubbing.look import looks_random
from asgi_sentry._scrubbing.text.addresses import address_spans
from asgi_sentry._scrubbing.text.values import FILTERED
from asgi_sentry._scrubbing.words import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

__all__ = ["Suspect", "false_alarm", "find_false_alarms", "find_suspects"]

_MOST, _NODES, _LONGEST = 200, 100_000, 20_000  # findings, values, characters of one text
_CANDIDATE = re.compile(r"[A-Za-z0-9][\w+/=~.!@#%^*-]{14,2000}", re.ASCII)
_QUOTED = re.compile(r"b?['\"]([^'\"]{1,80})['\"]")  # a header's name as a frame shows it
# A name.
_BEFORE = re.compile(r"([\w.-]{1,60})[\"'\]\\]{0,4}\s{0,4}[=:]\s{0,4}[b\"'\\]{0,4}\[Filtered\]")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_OF_HTTP = re.compile(r"boundary=|[0-9a-f]{32}-[0-9a-f]{16}(?:-[01])?\Z")  # a body's mark, a trace
_HEX = re.compile(r"(?:0x)?[0-9a-fA-F]+")
_DOTTED = re.compile(r"[A-Za-z_]\w*(?:[./\\-][A-Za-z_]\w*)+")
_PREFIX = re.compile(r"[A-Za-z]{2,12}[_-](?:(?:live|test|prod|dev|pat|key|v\d)[_-])?")
_PHONE = re.compile(r"(?<![\w.+-])\+\d{1,3}[ ()/-]{0,2}\d(?:[ ()/-]{0,2}\d){6,12}(?!\w)")
_PRIVATE = re.compile(
    r"(?:10|127|0|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.|::1\Z|f[cde]", re.IGNORECASE
)
_LOWEST_ENTROPY = 3.3  # bits a character
_SHORTEST_KEY = 32  # hexadecimal digits that may be one


def _split(text: str) -> list[str]:
    return text.split()


# Fields that the protocol makes, and what programs call their own ids.
_PROTOCOL = frozenset(
    _split(
        """event_id trace_id span_id parent_span_id replay_id profile_id profiler_id release dist
    sdk
    modules debug_meta _meta fingerprint checksum instruction_addr image_addr type platform
    transaction logger server_name environment module abs_path filename function lineno version
    packages origin op level timestamp start_timestamp segment_id sentry_trace baggage
    sample_rand public_key content_type sec_websocket_key sec_websocket_accept traceparent"""
    )
)
_OF_IDS = frozenset(
    _split(
        """id ids uid uuid guid hash sha sha1 sha256 md5 digest etag checksum commit rev revision
    trace
    span fingerprint version build release ref oid nonce integrity cursor"""
    )
)
_KEYS = Keys()
# What is redacted because something else is.
_CONSEQUENCES = {
    "@request": "the request came with this value under a name that is a secret's",
    "@unknown": "it looks like a credential, and not all secrets of the request are known",
    "@discovered": "it was redacted in another place of the item by its key or by a rule",
    "@length": "it is too long to be looked at",
    "@error": "it could not be looked at",
}
# Texts of the protocol's: no key decides about them, so that only a rule redacts what stands there.
_OF_TEXTS = frozenset({"message", "formatted", "value", "description", "body", "culprit"})
_PERSONAL = {
    "phone": "a telephone number by its name",
    "mobile": "a telephone number by its name",
    "surname": "a person's name by its key",
    "firstname": "a person's name by its key",
    "lastname": "a person's name by its key",
    "fullname": "a person's name by its key",
    "birthday": "a date of birth by its key",
    "gender": "personal by its key",
    "street": "a postal address by its key",
    "streetaddress": "a postal address by its key",
    "postaladdress": "a postal address by its key",
    "homeaddress": "a postal address by its key",
    "billingaddress": "a postal address by its key",
    "shippingaddress": "a postal address by its key",
    "postcode": "a postal address by its key",
    "salary": "personal by its key",
    "diagnosis": "medical by its key",
    "religion": "personal by its key",
    "ethnicity": "personal by its key",
}


class Suspect(NamedTuple):
    """A value to look at.

    Attributes:
        path: where it stands, as keys and indices.
        preview: its first characters, masked, with its length.
        reason: what makes it one.
        suggestion: the line of configuration that would redact it, or that would leave it.
    """

    path: Path
    preview: str
    reason: str
    suggestion: str


def find_suspects(payload: Any) -> list[Suspect]:
    """Values that look like secrets or personal data and were not redacted.

    Args:
        payload: what is sent: an event, a log, or any JSON-like value, scrubbed.

    Returns:
        At most 200, in the order in which they stand.
    """
    found: list[Suspect] = []
    for path, value in _texts(payload):
        name = _paired(payload, path) or _name(path)
        reason = _told(name, value)
        if reason is not None:
            found.append(Suspect(path, _masked(value), reason, _deny(name)))
        elif not _is_protocol(path, name):
            found.extend(_within(path, name, value))
        if len(found) >= _MOST:
            break
    return found[:_MOST]


def find_false_alarms(payload: Any) -> list[Suspect]:
    """What was redacted, each kind once, with the line of configuration that would leave it.

    Args:
        payload: an event or item with `_meta`, as the scrubber leaves it.
    """
    meta = None
    if isinstance(payload, Mapping):
        meta = payload.get("_meta")
    found: dict[tuple[str, str], Suspect] = {}
    for path, rule in _remarks(meta):
        alarm = false_alarm(payload, path, rule)
        kind = rule, alarm.suggestion
        if alarm.suggestion and kind not in found and len(found) < _MOST:
            found[kind] = alarm
    return list(found.values())


def false_alarm(payload: Any, path: Path, rule: str) -> Suspect:
    """One redaction, with the line of configuration that would leave the value.

    Args:
        payload: in which it stands.
        path: where it stands.
        rule: that redacted it.

    Returns:
        The suggestion is empty where no line would do it: what is redacted for another redaction's
        sake goes with that.
    """
    if rule in _CONSEQUENCES:
        return Suspect(path, FILTERED, _CONSEQUENCES[rule], "")
    name = _named_by(payload, path)
    if rule == "@password":
        reason = f"the key {name[:60]!r} is taken for a secret's"
        suggestion = f"Scrubber(allow=({name[:60]!r},))"
    elif rule == "@ip" and _KEYS.meaning(name) == ADDRESS:
        reason = f"the key {name[:60]!r} is taken for an address's"
        suggestion = f"Scrubber(allow=({name[:60]!r},))"
    else:
        reason = f"the rule {rule} takes it for what it looks for"
        suggestion = f"Scrubber(rules=[rule for rule in DEFAULT_RULES if rule.id != {rule!r}])"
    return Suspect(path, FILTERED, reason, suggestion)


def _named_by(payload: Any, path: Path) -> str:
    """The name for which a value was redacted.

    In the text itself, beside it, or the key that it stands under.
    """
    if not path:
        return ""
    value, holder = _at(payload, path), _at(payload, path[:-1])
    if isinstance(value, str) and value.strip("b'\"") != FILTERED:
        inner = _BEFORE.search(value[:_LONGEST])
        if inner is not None:
            return inner[1]
    if isinstance(holder, Mapping):
        beside = next(
            (holder[key] for key in ("name", "key", "field") if isinstance(holder.get(key), str)),
            None,
        )
        if beside is not None and path[-1] == "value":
            return str(beside)
    elif isinstance(holder, (list, tuple)) and _is_index(path[-1]) and int(path[-1]) > 0:
        option = holder[int(path[-1]) - 1]
        if isinstance(option, str) and option.startswith("-") and "=" not in option:
            return option.lstrip("-")
    return _paired(payload, path) or next((str(s) for s in reversed(path) if not _is_index(s)), "")


def _at(payload: Any, path: Path) -> Any:
    """What stands there; None where nothing does."""
    for step in path:
        if isinstance(payload, Mapping):
            payload = payload.get(step)
        elif isinstance(payload, (list, tuple)) and _is_index(step) and int(step) < len(payload):
            payload = payload[int(step)]
        else:
            return None
    return payload


def _paired(payload: Any, path: Path) -> str | None:
    """The name in `["name", value]`, where a path leads to the value of such a pair."""
    pair = None
    if path and str(path[-1]) == "1":
        pair = _at(payload, path[:-1])
    if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
        return None
    shown = _QUOTED.fullmatch(pair[0])
    if shown:
        return shown[1]
    return pair[0]


def _is_index(step: str | int) -> bool:
    return isinstance(step, int) or (step.isascii() and step.isdigit())


# --- going through --------------------------------------------------------------------------------


def _texts(payload: Any) -> Iterator[tuple[Path, str]]:
    """Every text with its place, without recursion."""
    todo: list[tuple[Path, Any]] = [((), payload)]
    seen = 0
    while todo and seen < _NODES:
        seen += 1
        path, value = todo.pop()
        if isinstance(value, str):
            yield path, value[:_LONGEST]
        elif isinstance(value, Mapping):
            if len(path) < _DEEPEST:
                members = [(step, inner) for step, inner in value.items() if step != "_meta"]
                todo.extend(((*path, str(step)), inner) for step, inner in reversed(members))
        elif isinstance(value, (list, tuple)) and len(path) < _DEEPEST:
            todo.extend(
                ((*path, index), inner) for index, inner in reversed(list(enumerate(value)))
            )


_DEEPEST = 50


def _remarks(meta: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    todo: list[tuple[tuple[str, ...], Any]] = [((), meta)]
    seen = 0
    while todo and seen < _NODES:
        seen += 1
        path, node = todo.pop()
        if not isinstance(node, Mapping) or len(path) > _DEEPEST:
            continue
        for step, inner in reversed(list(node.items())):
            if step == "" and isinstance(inner, Mapping):
                remarks = inner.get("rem")
                if not isinstance(remarks, (list, tuple)):
                    continue
                for remark in remarks:
                    if isinstance(remark, (list, tuple)) and remark and isinstance(remark[0], str):
                        yield path, remark[0]
            else:
                todo.append(((*path, str(step)), inner))


def _is_protocol(path: Path, name: str) -> bool:
    folded = name.lower().replace("-", "_")
    return folded in _PROTOCOL or any(step in _PROTOCOL for step in path)


def _name(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


# --- what tells -----------------------------------------------------------------------------------


def _told(name: str, value: str) -> str | None:
    """Why the name of a value makes it personal; None if it does not."""
    if not value or FILTERED in value or value.isspace():
        return None
    parts = words(name[-80:])
    return (
        _PERSONAL.get("".join(parts))
        or _PERSONAL.get("".join(parts[-2:]))
        or _PERSONAL.get("".join(parts[-1:]))
    )


def _within(path: Path, name: str, text: str) -> Iterator[Suspect]:
    is_id = not _OF_IDS.isdisjoint(words(name[-80:]))
    # Of what a key may have redacted as a whole.
    size = len(text) if name not in _OF_TEXTS else _LONGEST * 2
    for match in _CANDIDATE.finditer(text):
        token = match[0].rstrip(".!=-")
        reason = _suspicion(token, is_id=is_id)
        if reason is not None:
            whole = len(token) * 2 > size
            yield Suspect(path, _masked(token), reason, _deny(name) if whole else _rule(token))
    for match in _PHONE.finditer(text):
        whole = len(match[0]) * 2 > size
        rule = (
            r'Scrubber(rules=(*DEFAULT_RULES, Rule("@phone", r"\+\d[\d ()/-]{7,20}'
            r'\d", literals=("+",))))'
        )
        yield Suspect(
            path,
            _masked(match[0]),
            "a telephone number by its shape",
            _deny(name) if whole else rule,
        )
    for start, end in address_spans(text):
        address = text[start:end]
        if _PRIVATE.match(address) is None and address.count(".") != 2:
            yield Suspect(
                path, _masked(address), "an IP address", 'Scrubber(rules=(*DEFAULT_RULES, "@ip"))'
            )


def _suspicion(token: str, *, is_id: bool) -> str | None:
    if _UUID.search(token) or _DOTTED.fullmatch(token) or _OF_HTTP.match(token):
        return None
    if _HEX.fullmatch(token):
        is_key = len(token) >= _SHORTEST_KEY and not is_id and not token.isdigit()
        if is_key:
            return f"{len(token)} hexadecimal digits, as keys have"
        return None
    if is_id or not looks_random(token):
        return None
    bits = _entropy(token)
    if bits >= _LOWEST_ENTROPY:
        return f"random: {bits:.1f} bits a character"
    return None


def _entropy(text: str) -> float:
    counts: dict[str, int] = {}
    for char in text:
        counts[char] = counts.get(char, 0) + 1
    return -sum(count / len(text) * log2(count / len(text)) for count in counts.values())


# --- what to do -----------------------------------------------------------------------------------


def _deny(name: str) -> str:
    return f"Scrubber(deny=({name[:60] or 'name'!r},))"


def _rule(token: str) -> str:
    """A rule for texts that look like this one.

    By its prefix, or by its characters and its length.
    """
    prefix = _PREFIX.match(token)
    if prefix is not None and len(token) - prefix.end() >= 8:
        rest = rf"[\w+/=~.-]{{8,{_bound(len(token))}}}"
        name = prefix[0].rstrip("_-").lower()
        pattern, literals = re.escape(prefix[0]) + rest, f", literals=({prefix[0]!r},)"
        return f'Scrubber(rules=(*DEFAULT_RULES, Rule("@{name}", r"{pattern}"{literals})))'
    kinds = "".join(
        kind
        for kind, pattern in (("A-Z", "[A-Z]"), ("a-z", "[a-z]"), ("0-9", "[0-9]"))
        if re.search(pattern, token) is not None
    )
    others = "".join(sorted({char for char in token if not char.isalnum()}))
    inner = kinds + re.escape(others)
    length = len(token)
    pattern = rf"(?<![{inner}])[{inner}]{{{length},{_bound(length)}}}(?![{inner}])"
    return f"Scrubber(rules=(*DEFAULT_RULES, Rule('@own', r'''{pattern}''')))"


def _bound(length: int) -> int:
    return length + 8


def _masked(value: str) -> str:
    shown = value[: min(4, len(value) // 4)]
    return f"{shown}\u2026 ({len(value)} characters)"
