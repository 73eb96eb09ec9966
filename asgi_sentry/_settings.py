"""The settings of one process, from code or the environment, checked before anything starts.

Every field goes through one table (`_fields.FIELDS`): the variable it is read from, how its text is
read, how its value is checked, and what it may hold. Both ways in use the same checks, so that a
wrong value gets the same answer from `Settings(...)` and from `Settings.from_env()`, and all wrong
values are told at once.

A DSN and a Redis URL hold credentials: `asgi_sentry._credentials` says what may be shown of them.
"""

from __future__ import annotations

import os

# Hints of a public class that can be resolved.
from collections.abc import Iterable, Mapping  # noqa: TC003
from dataclasses import MISSING, dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple

from asgi_sentry._credentials import project_of
from asgi_sentry._fields import FIELDS
from asgi_sentry._paths import PathRule  # noqa: TC001 - the same
from asgi_sentry._sampling.rate import Rate  # noqa: TC001 - the same


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
        release: version of the app; `None` lets the SDK find one (`SENTRY_RELEASE`, the git
            commit).
        traces_sample_rate: fraction of requests that become transactions, within [0, 1]; `None`
            switches the SDK's tracing off.
        profiles_sample_rate: fraction of the sampled transactions that are profiled, within [0, 1].
        enable_tracing: `False` sends errors only, whatever the rates say.
        debug: the SDK's own debug log.
        exclude: path rules that never become transactions, beside `DEFAULT_EXCLUDE`.
        rates: path rule to fraction or `Rate`; the first match wins.
        max_body_bytes: how much of a request's body is kept for reports.
        redis_url: where processes share limits and budgets; `None` gives each process an equal part
            of them.
        redis_namespace: what the processes that share them have in common; `None` makes one of the
            DSN's project and the environment.
        budget: how many transactions are sent in all, such as `"10000/month"`.
        error_budget: how many errors of requests are sent in all, such as `"5000/month"`.
        workers: how many processes there are, for the equal parts.
        attachments: `"text"`: text is scrubbed, and what can't be read is dropped and counted;
            `"none"`: none is sent; `"all"`: what can't be read is sent as it is.

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
        for known in FIELDS:
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
        parts = (f"{known.name}={known.shown(getattr(self, known.name))}" for known in FIELDS)
        return f"Settings({', '.join(parts)})"

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """For workers that are spawned: all fields, the DSN too."""
        given = {known.name: getattr(self, known.name) for known in FIELDS}
        return partial(Settings, **{**given, "rates": dict(self.rates)}), ()

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `SENTRY_*` and `ASGI_SENTRY_*`; unset and empty variables mean the default.

        Raises:
            SettingsError: naming every bad variable, what it held and what it may hold.
        """
        values: dict[str, object] = {}
        problems = []
        for known in FIELDS:
            text = environ.get(known.variable, "").strip()
            if not text:
                continue
            try:
                values[known.name] = known.check(known.read(text))
            except (TypeError, ValueError) as error:
                problems.append(known.problem(known.variable, text, error))
        if problems:
            raise SettingsError(problems)
        # Each value has passed the check of its own field.
        return cls(**values)  # type: ignore[arg-type]

    def shared_under(self) -> str:
        """The namespace in force: processes share limits and budgets if they have the same.

        The project is that of the DSN with its host, since servers of one's own all count their
        projects from 1.
        """
        if self.redis_namespace is not None:
            return self.redis_namespace
        if self.dsn:
            return f"{project_of(self.dsn)}:{self.environment}"
        return self.environment

    def described(self) -> list[Described]:
        """What each field holds, for people: `asgi-sentry check` prints it."""
        rows = []
        defaults = {
            f.name: f.default if f.default_factory is MISSING else f.default_factory()
            for f in fields(self)
        }
        for known in FIELDS:
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
