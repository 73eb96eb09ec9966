"""The settings of one process, from code or from the environment, checked as a whole before anything starts.

Every field goes through one table (`_FIELDS`): the variable it is read from, how its text is read, how its value is
checked, and what it may hold. Both ways in use the same checks, so that a wrong value gets the same answer from
`Settings(...)` and from `Settings.from_env()`, and all wrong values are told at once.

A DSN and a Redis URL hold credentials: `asgi_sentry._credentials` says what may be shown of them.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

from asgi_sentry._credentials import check_dsn, check_redis_url, masked, project_of, shown, shown_url
from asgi_sentry._paths import PathRule, PathRules
from asgi_sentry._sampling.rate import Limit, Rate

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})

# Sentry refuses an event whose environment or release breaks these rules; both were checked against Relay.
_UNNAMABLE = re.compile(r"[\\/\x00-\x1f\x7f]")
_MAX_ENVIRONMENT_BYTES = 64
_MAX_RELEASE_BYTES = 200
_MAX_NAMESPACE = 100


class SettingsError(ValueError):
    """One or more settings are wrong; `problems` has one line for each."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems: tuple[str, ...] = tuple(problems)
        count = len(self.problems)
        head = "1 setting is wrong" if count == 1 else f"{count} settings are wrong"
        super().__init__(head + "".join(f"\n  {problem}" for problem in self.problems))


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Settings:
    """What `asgi_sentry.init` and `asgi_sentry.wrap` need to know.

    Attributes:
        dsn: where to send; `None` switches everything off.
        environment: as Sentry shows it.
        release: version of the app; `None` lets the SDK find one (`SENTRY_RELEASE`, the git commit).
        traces_sample_rate: fraction of requests that become transactions, within [0, 1]; `None` switches the SDK's
            tracing off.
        profiles_sample_rate: fraction of the sampled transactions that are profiled, within [0, 1].
        enable_tracing: `False` sends errors only, whatever the rates say.
        debug: the SDK's own debug log.
        exclude: path rules that never become transactions, beside `DEFAULT_EXCLUDE`.
        rates: path rule to fraction or `Rate`; the first match wins.
        max_body_bytes: how much of a request's body is kept for reports.
        redis_url: where processes share limits and budgets; `None` gives each process an equal part of them.
        redis_namespace: what the processes that share them have in common; `None` makes one of the DSN's project and
            the environment.
        budget: how many transactions are sent in all, such as `"10000/month"`.
        error_budget: how many errors of requests are sent in all, such as `"5000/month"`.
        workers: how many processes there are, for the equal parts.
        attachments: `"text"`: text is scrubbed, and what can't be read is dropped and counted; `"none"`: none is sent;
            `"all"`: what can't be read is sent as it is.

    Raises:
        SettingsError: a value has the wrong type or range. All of them are named.
    """

    dsn: str | None = None
    environment: str = "production"
    release: str | None = None
    traces_sample_rate: float | None = 0.1
    profiles_sample_rate: float = 0.0
    enable_tracing: bool = True
    debug: bool = False
    exclude: tuple[PathRule, ...] = ()
    # A mapping can't be hashed; two settings that differ in nothing else may share a bucket.
    rates: Mapping[PathRule, float | Rate] = field(default_factory=dict, hash=False)
    max_body_bytes: int = 16_384
    redis_url: str | None = None
    redis_namespace: str | None = None
    budget: str | None = None
    error_budget: str | None = None
    workers: int = 1
    attachments: str = "text"

    def __post_init__(self) -> None:
        problems = []
        for known in _FIELDS:
            value = getattr(self, known.name)
            try:
                checked = known.check(value)
            except (TypeError, ValueError) as error:
                problems.append(known.problem(known.name, value, error))
            else:
                object.__setattr__(self, known.name, checked)
        if problems:
            raise SettingsError(problems)

    def __repr__(self) -> str:
        parts = (f"{known.name}={known.shown(getattr(self, known.name))}" for known in _FIELDS)
        return f"Settings({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """For workers that are spawned: all fields, the DSN too."""
        given = {known.name: getattr(self, known.name) for known in _FIELDS}
        return partial(Settings, **{**given, "rates": dict(self.rates)}), ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `SENTRY_*` and `ASGI_SENTRY_*`; unset and empty variables mean the default.

        Raises:
            SettingsError: naming every bad variable, what it held and what it may hold.
        """
        values: dict[str, object] = {}
        problems = []
        for known in _FIELDS:
            text = environ.get(known.variable, "").strip()
            if not text:
                continue
            try:
                values[known.name] = known.check(known.read(text))
            except (TypeError, ValueError) as error:
                problems.append(known.problem(known.variable, text, error))
        if problems:
            raise SettingsError(problems)
        return cls(**values)  # type: ignore[arg-type]  # each value has passed the check of its own field

    def shared_under(self) -> str:
        """The namespace in force: processes share limits and budgets if they have the same.

        The project is that of the DSN with its host, since servers of one's own all count their projects from 1.
        """
        if self.redis_namespace is not None:
            return self.redis_namespace
        return f"{project_of(self.dsn)}:{self.environment}" if self.dsn else self.environment

    def described(self) -> list[Described]:
        """What each field holds, for people: `asgi-sentry check` prints it."""
        rows = []
        defaults = {f.name: f.default if f.default_factory is MISSING else f.default_factory() for f in fields(self)}
        for known in _FIELDS:
            value = getattr(self, known.name)
            is_default = value == defaults[known.name]
            rows.append(Described(known.name, known.variable, known.shown(value), is_default))
        return rows


class Described(NamedTuple):
    """One field of the settings, as it may be shown."""

    name: str
    variable: str
    """Of the environment."""
    shown: str
    """The value, without credentials."""
    is_default: bool


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
        held, reason = shown(value), str(error) if self.secret else masked(str(error))
        if isinstance(value, str) and (self.secret or "://" in value):
            # A reason quotes what it is about; of a DSN in the wrong variable even a piece would be too much.
            held, reason = shown_url(value), reason if self.secret else "it is a URL"
        elif self.secret:
            held = f"a {type(value).__name__}"
        return f"{label} held {held}, and may hold {self.allowed} ({reason})"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"it is a {type(value).__name__}")
    return value


def _nameable(longest: int, reserved: frozenset[str]) -> Callable[[object], str]:
    def check(value: object) -> str:
        text = _text(value)
        if not text or text.lower() in reserved:
            raise ValueError("the name is reserved" if text else "it is empty")
        if len(text.encode("utf-8", "replace")) > longest:
            raise ValueError(f"it has more than {longest} bytes")
        if found := _UNNAMABLE.search(text):
            raise ValueError(f"it contains {found.group()!r}")
        return text

    return check


def _optional(check: Callable[[object], object]) -> Callable[[object], object]:
    return lambda value: None if value is None else check(value)


def _read_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("it is a fraction, not a percentage" if "%" in text else "it is no number") from None


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

_FIELDS: tuple[_Field, ...] = (
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
        f"a name of 1 to {_MAX_ENVIRONMENT_BYTES} bytes without slashes and control characters, and not 'none'",
        str,
        _nameable(_MAX_ENVIRONMENT_BYTES, frozenset({".", "..", "none"})),
    ),
    _Field(
        "release",
        "SENTRY_RELEASE",
        f"a name of 1 to {_MAX_RELEASE_BYTES} bytes without slashes and control characters, and not 'latest'",
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
    _Field("exclude", "ASGI_SENTRY_EXCLUDE", f"{_RULE_EXAMPLE}, separated by commas", _read_rules, _rules),
    _Field(
        "rates",
        "ASGI_SENTRY_RATES",
        "rule=fraction pairs separated by commas, such as /api/chat=0.1,GET /api/voice=0.5, each within [0, 1]",
        _read_rates,
        _rates,
    ),
    _Field("max_body_bytes", "ASGI_SENTRY_MAX_BODY_BYTES", "a whole number of bytes, 0 or more", _read_size, _size),
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
        f"a name of 1 to {_MAX_NAMESPACE} printable characters without spaces and braces, such as shop:production",
        str,
        _optional(_namespace),
    ),
    _Field("budget", "ASGI_SENTRY_BUDGET", _LIMIT_EXAMPLE, str, _optional(_limit)),
    _Field("error_budget", "ASGI_SENTRY_ERROR_BUDGET", _LIMIT_EXAMPLE, str, _optional(_limit)),
    _Field("workers", "ASGI_SENTRY_WORKERS", "a whole number of processes, 1 or more", _read_size, _workers),
    _Field("attachments", "ASGI_SENTRY_ATTACHMENTS", "text, none or all", str.lower, _attachments),
)
