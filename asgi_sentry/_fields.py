"""The fields of the settings: the variable of each, how its text is read, and what it may hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from asgi_sentry._credentials import check_dsn, check_redis_url, masked, shown, shown_url
from asgi_sentry._paths import PathRule, PathRules
from asgi_sentry._sampling.rate import Limit, Rate

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})

# Sentry refuses an event whose environment or release breaks these rules; both were checked against
# Relay.
_UNNAMABLE = re.compile(r"[\\/\x00-\x1f\x7f]")
_MAX_ENVIRONMENT_BYTES = 64
_MAX_RELEASE_BYTES = 200
_MAX_NAMESPACE = 100


class _Field(NamedTuple):
    name: str
    variable: str
    allowed: str
    """What the value may hold, as the end of the sentence "..., and may hold"."""
    read: Callable[[str], object]
    """Text of the variable to a value; raises `ValueError` with the reason."""
    check: Callable[[object], object]
    """The value, normalised; raises `ValueError` or `TypeError` with the reason."""
    secret: bool = False

    def shown(self, value: object) -> str:
        """A value that has passed the check, as it may be printed."""
        if self.secret and isinstance(value, str):
            return shown_url(value, checked=True)
        return shown(value)

    def problem(self, label: str, value: object, error: Exception) -> str:
        """The line that tells what is wrong with a value."""
        # The reasons for a credential never quote it.
        held, reason = shown(value), str(error)
        is_url = False
        if isinstance(value, str) and (self.secret or "://" in value):
            is_url = True
            held = shown_url(value)
        elif self.secret:
            held = f"a {type(value).__name__}"
        if not self.secret:
            # A reason quotes what it is about; of a DSN in the wrong variable even a piece would be
            # too much.
            reason = "it is a URL" if is_url else masked(reason)
        return f"{label} held {held}, and may hold {self.allowed} ({reason})"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it is a {type(value).__name__}")
    return value


def _nameable(longest: int, reserved: frozenset[str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _text(value)
        if not text:
            raise ValueError("it is empty")
        if text.lower() in reserved:
            raise ValueError("the name is reserved")
        if len(text.encode("utf-8", "replace")) > longest:
            raise ValueError(f"it has more than {longest} bytes")
        if found := _UNNAMABLE.search(text):
            raise ValueError(f"it contains {found.group()!r}")
        return text

    return check


def _optional(check: Callable[[object], object]) -> Callable[[object], object]:
    def check_given(value: object) -> object:
        if value is None:
            return None
        return check(value)

    return check_given


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            "it is a fraction, not a percentage" if "%" in text else "it is no number"
        ) from None


def _fraction(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"it is a {type(value).__name__}")
    if math.isnan(value) or not 0 <= value <= 1:
        raise ValueError("it is not within [0, 1]")
    return float(value)


def _read_bool(text: str) -> bool:
    folded = text.lower()
    if folded not in _TRUE | _FALSE:
        raise ValueError("it is none of these")
    return folded in _TRUE


def _bool(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"it is a {type(value).__name__}")
    return value


def _read_size(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError("it is no whole number of bytes")
    return int(text)


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"it is a {type(value).__name__}")
    if value < 0:
        raise ValueError("it is negative")
    return value


def _namespace(value: object) -> str:
    text = _text(value)
    if not 1 <= len(text) <= _MAX_NAMESPACE:
        raise ValueError(f"it has {len(text)} characters")
    if not text.isprintable() or any(part in text for part in (" ", "{", "}", "://")):
        raise ValueError("it has others, or is a URL")
    return text


def _limit(value: object) -> str:
    text = _text(value)
    Limit.parse(text, what="it")
    return text


def _workers(value: object) -> int:
    if _size(value) == 0:
        raise ValueError("it is 0")
    return _size(value)


_ATTACHMENTS = ("text", "none", "all")


def _attachments(value: object) -> str:
    text = _text(value)
    if text not in _ATTACHMENTS:
        raise ValueError("it is none of these")
    return text


def _read_rules(text: str) -> tuple[str, ...]:
    return tuple(rule for part in text.split(",") if (rule := part.strip()))


def _rules(value: object) -> tuple[PathRule, ...]:
    if isinstance(value, (str, bytes, re.Pattern, Mapping)) or not isinstance(value, Iterable):
        raise TypeError(f"it is a {type(value).__name__}, not a sequence of rules")
    rules = tuple(value)
    PathRules((rule, None) for rule in rules)
    return rules


def _read_rates(text: str) -> dict[str, float]:
    rates: dict[str, float] = {}
    for part in _read_rules(text):
        rule, equals, number = (piece.strip() for piece in part.rpartition("="))
        if not equals or not rule:
            raise ValueError(f"{part!r} is not of the form rule=fraction")
        if rule in rates:
            raise ValueError(f"{rule!r} is there twice")
        try:
            rates[rule] = _read_number(number)
        except ValueError as error:
            raise ValueError(f"the rate for {rule!r} is {number!r}: {error}") from None
    return rates


def _rates(value: object) -> Mapping[PathRule, float | Rate]:
    if not isinstance(value, Mapping):
        raise TypeError(f"it is a {type(value).__name__}, not a mapping of rules to rates")
    PathRules((rule, None) for rule in value)
    return MappingProxyType({rule: _rate(rule, rate) for rule, rate in value.items()})


def _rate(rule: PathRule, rate: object) -> float | Rate:
    if isinstance(rate, Rate):
        return rate
    try:
        return _fraction(rate)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the rate for {shown(rule)} is {shown(rate)}: {error}") from None


_BOOLEANS = "true, false, 1, 0, yes, no, on or off"
_LIMIT_EXAMPLE = "a whole number and a period, such as 10000/month or 500/hour"
_RULE_EXAMPLE = "path rules such as /health, /static/** or GET /items/{id}"

FIELDS: tuple[_Field, ...] = (
    _Field(
        "dsn",
        "SENTRY_DSN",
        "a DSN such as https://<key>@<host>/<project>",
        str,
        _optional(lambda value: check_dsn(_text(value))),
        secret=True,
    ),
    _Field(
        "environment",
        "SENTRY_ENVIRONMENT",
        f"a name of 1 to {_MAX_ENVIRONMENT_BYTES} bytes without slashes and control characters, "
        "and not 'none'",
        str,
        _nameable(_MAX_ENVIRONMENT_BYTES, frozenset({".", "..", "none"})),
    ),
    _Field(
        "release",
        "SENTRY_RELEASE",
        f"a name of 1 to {_MAX_RELEASE_BYTES} bytes without slashes and control characters, and "
        "not 'latest'",
        str,
        _optional(_nameable(_MAX_RELEASE_BYTES, frozenset({".", "..", "latest"}))),
    ),
    _Field(
        "traces_sample_rate",
        "SENTRY_TRACES_SAMPLE_RATE",
        "a fraction within [0, 1], such as 0.1 for 10 %",
        _read_number,
        _optional(_fraction),
    ),
    _Field(
        "profiles_sample_rate",
        "SENTRY_PROFILES_SAMPLE_RATE",
        "a fraction within [0, 1], such as 0.1 for 10 %",
        _read_number,
        _fraction,
    ),
    _Field("enable_tracing", "SENTRY_ENABLE_TRACING", _BOOLEANS, _read_bool, _bool),
    _Field("debug", "SENTRY_DEBUG", _BOOLEANS, _read_bool, _bool),
    _Field(
        "exclude",
        "ASGI_SENTRY_EXCLUDE",
        f"{_RULE_EXAMPLE}, separated by commas",
        _read_rules,
        _rules,
    ),
    _Field(
        "rates",
        "ASGI_SENTRY_RATES",
        "rule=fraction pairs separated by commas, such as /api/chat=0.1,GET /api/voice=0.5, each "
        "within [0, 1]",
        _read_rates,
        _rates,
    ),
    _Field(
        "max_body_bytes",
        "ASGI_SENTRY_MAX_BODY_BYTES",
        "a whole number of bytes, 0 or more",
        _read_size,
        _size,
    ),
    _Field(
        "redis_url",
        "ASGI_SENTRY_REDIS_URL",
        "a URL such as redis://<host>:6379/0, rediss://<host>/0, unix:///<path>, "
        "redis+sentinel://<host>:26379/<service> or redis+cluster://<host>:6379,<host>:6379",
        str,
        _optional(lambda value: check_redis_url(_text(value))),
        secret=True,
    ),
    _Field(
        "redis_namespace",
        "ASGI_SENTRY_REDIS_NAMESPACE",
        f"a name of 1 to {_MAX_NAMESPACE} printable characters without spaces and braces, such as "
        "shop:production",
        str,
        _optional(_namespace),
    ),
    _Field("budget", "ASGI_SENTRY_BUDGET", _LIMIT_EXAMPLE, str, _optional(_limit)),
    _Field("error_budget", "ASGI_SENTRY_ERROR_BUDGET", _LIMIT_EXAMPLE, str, _optional(_limit)),
    _Field(
        "workers",
        "ASGI_SENTRY_WORKERS",
        "a whole number of processes, 1 or more",
        _read_size,
        _workers,
    ),
    _Field("attachments", "ASGI_SENTRY_ATTACHMENTS", "text, none or all", str.lower, _attachments),
)
