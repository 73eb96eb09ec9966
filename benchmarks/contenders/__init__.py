"""The app as each contender would have it, set up for the same job, as its documentation says.

`make(build)` in each module. One a process: an SDK, its client and its patches are one a process.
"""

from __future__ import annotations

import os
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.frameworks import build

if TYPE_CHECKING:
    from collections.abc import Callable

    Build = Callable[..., Any]  # of the app, with what is to set the user where no layer does

TITLES = {
    "ours": "asgi-sentry",
    "ours_plain": "asgi-sentry, no hooks",
    "sdk": "sentry-sdk",
    "noop": "five no-op layers",
    "ours_off": "asgi-sentry, no DSN",
    "sdk_off": "sentry-sdk, no DSN",
    "otel": "OpenTelemetry",
    "elastic": "elastic-apm",
    "datadog": "ddtrace",
}
_MODULES = {"ours_off": "ours", "ours_plain": "ours", "sdk_off": "sdk"}
DSN = "http://49d0f7386ad645858ae85020e393bef3@o1.ingest.example.com/1"
COMMON: dict[str, Any] = {"release": "shop@1.0.0", "environment": "production"}


def hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """A team's own `before_send` and `before_send_transaction`."""
    event.setdefault("tags", {})["hook"] = "ran"
    return event


def processor(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """A team's own event processor."""
    event.setdefault("tags", {})["team"] = "shop"
    return event


class Skipped(Exception):  # noqa: N818 - not an error
    """The contender can't be measured here, and why."""


OTHERS = ("otel", "elastic", "datadog")  # neither ours nor the SDK: excluded and unsampled requests are comparable


def prober(name: str) -> Callable[[str], str | None] | None:
    """What looks, from within the app, whether another contender does its job; by the case's name."""
    return import_module(f"benchmarks.contenders.{name}").probe if name in OTHERS else None


def make(name: str, framework: str) -> Any:
    """The app of a contender; `ours:fs` is asgi-sentry with some layers only, `x_off` is x without a DSN,
    `ours_plain` is ours without hooks and processors of the team's.

    Raises:
        Skipped: it needs what is not installed.
    """
    for variable in [key for key in os.environ if key.startswith(("SENTRY_", "ASGI_SENTRY_", "OTEL_", "DD_"))]:
        del os.environ[variable]
    kind, _, detail = name.partition(":")
    try:
        module = import_module(f"benchmarks.contenders.{_MODULES.get(kind, kind)}")
    except ImportError as exc:
        raise Skipped(f"not installed ({exc})") from None
    options: dict[str, Any] = {"names": detail} if detail else {}
    if kind == "ours_plain":
        options["hooks"] = False
    if kind.endswith("_off"):
        options["dsn"] = ""
    return module.make(partial(build, framework), **options)
