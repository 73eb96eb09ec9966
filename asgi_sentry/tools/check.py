"""`asgi-sentry check`: what is in force, known mistakes, and whether Sentry answers."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import sys
from dataclasses import dataclass, field
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import sentry_sdk

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry import _setup
from asgi_sentry._sampling.redis.connection import probe
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.spending import budget
from asgi_sentry._settings import Settings, SettingsError
from asgi_sentry.tools import mistakes, target
from asgi_sentry.tools.printing import complain, print_table
from asgi_sentry.tools.trial import send_test_events

if TYPE_CHECKING:
    import argparse

_LISTED = (
    *("fastapi", "starlette", "litestar", "django", "quart", "uvicorn", "granian", "hypercorn"),
    *("daphne", "redis", "orjson", "hyperscan", "isal"),
)
_ANSWER_SECONDS = 5.0
_Rows = list[tuple[str, str]]


@dataclass(kw_only=True)
class _Report:
    """What was found, in the order in which it is printed."""

    settings: list[tuple[str, str, str, str]] = field(default_factory=list)
    """For each: field, variable, value as it may be shown, source."""
    meaning: _Rows = field(default_factory=list)
    budgets: _Rows = field(default_factory=list)
    layers: _Rows | None = None
    """Around the app, outermost first; None: no app was given."""
    client: _Rows = field(default_factory=list)
    installed: _Rows = field(default_factory=list)
    reached: _Rows = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sent: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": not self.problems,
            "settings": {
                name: {"variable": variable, "value": shown, "source": source}
                for name, variable, shown, source in self.settings
            },
            "meaning": dict(self.meaning),
            "budgets": dict(self.budgets),
            "layers": None if self.layers is None else [name for name, _ in self.layers],
            "sdk": dict(self.client),
            "installed": dict(self.installed),
            "reached": dict(self.reached),
            "warnings": self.warnings,
            "problems": self.problems,
            "sent": self.sent,
        }


def check(options: argparse.Namespace) -> int:
    """Print what is in force.

    1 where anything is wrong, with `--strict` also where there are warnings.
    """
    report = _Report()
    # What an app prints while it is imported is no part of our output, which may be read by a
    # program.
    with contextlib.redirect_stdout(sys.stderr):
        settings = _gather(report, options)
    if settings is not None:
        report.reached += _reached(settings, report, offline=options.offline)
        if options.send:
            _send(settings, report)
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        _print(report)
    if report.problems or (options.strict and report.warnings):
        return 1
    return 0


def _gather(report: _Report, options: argparse.Namespace) -> Settings | None:
    """Fill the report with what can be known without a connection.

    None where a setting is wrong.
    """
    from_file: frozenset[str] = frozenset()
    try:
        if options.env_file is not None:
            from_file = _read_env_file(options.env_file)
        given = Settings.from_env()
        app = None
        if options.app is not None:
            app = target.load(options.app)
    except (SettingsError, target.TargetError, _EnvFileError) as error:
        report.problems.append(str(error))
        return None
    settings = _setup.started() or given
    sources = _sources(settings, given, from_file, options.env_file)
    described = settings.described()
    report.settings = [(row.name, row.variable, row.shown, sources[row.name]) for row in described]
    report.meaning = _meaning(settings)
    if settings.budget or settings.error_budget:
        report.budgets = _left(settings, offline=options.offline)
    client = sentry_sdk.get_client()
    layers = None
    if app is not None:
        layers = target.around(app)
    if layers is not None:
        report.layers = [(layer.name, "ours" if layer.ours else "") for layer in layers]
    report.client = _client(client)
    report.installed = _installed()
    found = mistakes.Found(
        settings=settings,
        in_code=frozenset(name for name, source in sources.items() if source == "code"),
        layers=layers,
        options=client.options if client.is_active() else {},
        # Without a DSN there is no transport, and nothing that a door could guard.
        guarded=client.transport is None
        or getattr(client.transport, "asgi_sentry_door", None) is not None,
    )
    report.warnings = mistakes.warnings(found)
    return settings


class _EnvFileError(Exception):
    """The file of variables can't be read."""


def _read_env_file(path: str) -> frozenset[str]:
    """Put a file's variables into the environment, where they are not set yet, as servers do.

    Their names.
    """
    if util.find_spec("dotenv") is None:
        raise _EnvFileError(
            "--env-file needs python-dotenv, as it does for uvicorn: pip install python-dotenv"
        )
    from dotenv import dotenv_values  # noqa: PLC0415 - needed for this option alone

    if not Path(path).is_file():
        raise _EnvFileError(f"{path} can't be read: there is no such file")
    values = dotenv_values(path)
    names = frozenset(
        name for name, value in values.items() if value is not None and name not in os.environ
    )
    os.environ.update({name: str(values[name]) for name in names})
    return names


def _sources(
    settings: Settings, given: Settings, from_file: frozenset[str], file: str | None
) -> dict[str, str]:
    """Where the value of each field comes from."""
    sources = {}
    for row in settings.described():
        if getattr(settings, row.name) != getattr(given, row.name):
            sources[row.name] = "code"
        elif not os.environ.get(row.variable, "").strip():
            sources[row.name] = "default" if row.is_default else "code"
        else:
            sources[row.name] = str(file) if row.variable in from_file else "environment"
    return sources


def _meaning(settings: Settings) -> _Rows:
    def share(rate: float | None, of: str) -> str:
        if not rate:
            return "off"
        return f"{rate:.1%} of {of}"

    host = None
    if settings.dsn:
        host = urlsplit(settings.dsn).hostname
    errors, transactions, profiles = (
        "off: SENTRY_DSN is not set, every layer only passes through",
        "off",
        "off",
    )
    tracing = None
    if settings.enable_tracing:
        tracing = settings.traces_sample_rate
    if host:
        errors = f"sent to {host}"
        transactions = share(tracing, "the requests without a rate of their own")
        profiles = share(
            settings.profiles_sample_rate if tracing else None, "the sampled transactions"
        )
    rates = "none"
    if settings.rates and settings.enable_tracing:
        rates = f"{len(settings.rates)} rules"
    allowed = settings.budget or "unlimited"
    limits = "all in one process"
    if settings.redis_url:
        limits = "shared by Redis"
    elif settings.workers > 1:
        limits = f"an equal part for each of {settings.workers} processes"
    own = len(settings.exclude)
    return [
        ("errors", errors),
        ("transactions", transactions),
        ("rates by path", rates),
        (
            "excluded paths",
            f"{len(asgi_sentry.DEFAULT_EXCLUDE)} default rules and {own} of your own",
        ),
        ("profiles", profiles),
        (
            "request bodies",
            f"the first {settings.max_body_bytes:,} bytes" if settings.max_body_bytes else "off",
        ),
        (
            "budgets",
            f"{allowed} transactions, {settings.error_budget or 'unlimited'} errors",
        ),
        ("limits", limits),
    ]


def _left(settings: Settings, *, offline: bool) -> _Rows:
    """What is left of each budget, where the processes share it.

    Else only each of them knows its part.
    """
    asked = {"budget": settings.budget, "error_budget": settings.error_budget}
    if settings.redis_url is None or offline:
        return [
            (what, "each process knows its own: asgi_sentry.budgets()")
            for what, text in asked.items()
            if text
        ]
    try:
        sharing = SharedLimits(
            settings.redis_url, namespace=settings.shared_under(), workers=settings.workers
        )
    except RuntimeError as error:
        return [("budgets", str(error))]
    shared = {what: budget(text, what=what, sharing=sharing) for what, text in asked.items()}
    try:
        if not sharing.refresh():
            return [("budgets", "Redis does not answer")]
        rows = []
        for what, made in shared.items():
            if made is None:
                continue
            status = made.status()
            left = f"{status.remaining} of {status.count} left, {status.available} of them now"
            rows.append((what, f"{left}; starts anew at {status.resets_at:%Y-%m-%d %H:%M} UTC"))
        return rows
    finally:
        sharing.close()


def _client(client: Any) -> _Rows:
    if not client.is_active():
        return []
    mode = "classic"
    if sdk.streams(client.options):
        mode = "streaming"
    integrations = ", ".join(sorted(client.integrations)) or "none"
    return [("mode", mode), ("integrations", integrations)]


def _installed() -> _Rows:
    classic, streaming = sdk.supports("before_send_transaction"), sdk.supports("trace_lifecycle")
    known = (("classic", classic), ("streaming", streaming or not classic))
    modes = " and ".join(mode for mode, there in known if there)
    rows = [
        ("python", sys.version.split()[0]),
        ("asgi-sentry", version("asgi-sentry") or "not installed, only importable"),
        ("sentry-sdk", f"{version('sentry-sdk')} ({modes} mode)"),
    ]
    return rows + [(name, there) for name in _LISTED if (there := version(name)) is not None]


def version(package: str) -> str | None:
    """The version of an installed distribution; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# -- what is asked over the network ----------------------------------------------------------------


def _reached(settings: Settings, report: _Report, *, offline: bool) -> _Rows:
    """Whether what the settings name answers."""
    rows = []
    if settings.redis_url is not None and version("redis") is None:
        report.problems.append(
            "ASGI_SENTRY_REDIS_URL is set, and redis-py is missing: pip install "
            "'asgi-sentry[redis]'"
        )
    elif settings.redis_url is not None and not offline:
        rows.append(("Redis", _ask_redis(settings, report)))
    if settings.dsn is not None and not offline:
        rows.append((urlsplit(settings.dsn).hostname or "", _ask_sentry(settings.dsn, report)))
    return rows


def _ask_redis(settings: Settings, report: _Report) -> str:
    reason = probe(str(settings.redis_url))
    if reason is None:
        return "answers"
    report.problems.append(f"{reason}: until it does, each process goes on with its own share")
    return "no answer"


def _ask_sentry(dsn: str, report: _Report) -> str:
    """Any answer of the host's is one: which key it takes is for `--send`."""
    url = urlsplit(dsn)
    host = url.hostname or ""
    connect = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = connect(host, url.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", f"{url.path.rpartition('/')[0]}/api/0/")
        connection.getresponse()
        return "answers"
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        report.problems.append(
            f"{host} does not answer ({reason}): check the DSN, a proxy or a firewall"
        )
        return "no answer"
    finally:
        connection.close()


def _send(settings: Settings, report: _Report) -> None:
    if settings.dsn is None:
        report.problems.append("nothing was sent: SENTRY_DSN is not set")
        return
    host = urlsplit(settings.dsn).hostname
    sent = send_test_events(settings)
    report.sent = sent.ids
    if not sent.answers:
        report.problems.append(f"{host} did not answer within 30 s")
    for status, detail in sent.answers:
        if status != 200:
            report.problems.append(f"{host} refused what was sent: {status} {detail}")
            break


# -- printing --------------------------------------------------------------------------------------


def _print(report: _Report) -> None:
    sections: list[tuple[str, list[Any]]] = [
        ("settings", [row[1:] for row in report.settings]),
        ("what they mean", report.meaning),
        ("left of the budgets", report.budgets),
        ("around the app, the outermost first", report.layers or []),
        ("the SDK's client", report.client),
        ("installed", report.installed),
        ("asked", report.reached),
        ("sent", list(report.sent.items())),
    ]
    for title, rows in sections:
        if rows:
            print(f"{title}")
            print_table(rows)
            print()
    for warning in report.warnings:
        print(f"warning: {warning}")
    for problem in report.problems:
        complain(problem)
