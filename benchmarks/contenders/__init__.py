"""The app as each contender would have it, set up for the same job, as its documentation says.

`make(build)` in each module. One a process: an SDK, its client and its patches are one a process.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from benchmarks.frameworks import build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Build = Callable[..., Any]  # of the app, with what is to set the user where no layer does


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One set-up that is measured."""

    title: str
    module: str  # of this package
    options: Mapping[str, Any] = field(default_factory=dict)  # of the module's `make`

    @property
    def sends(self) -> bool:
        """Whether it sends to Sentry, so that what it sends is looked at and counted."""
        return self.module in {"ours", "sdk", "default"} and self.options.get("dsn") != ""

    @property
    def patches(self) -> bool:
        """Whether it patches the classes of a framework, so that no app of it is bare in this process any more."""
        return self.module in {"sdk", "default"}

    def duties(self, detail: str = "") -> dict[str, Any]:
        """What a `Guard` is to hold it to; `detail` are the layers where it has not all of them."""
        return {
            "scrubs": self.module == "ours",
            "layers": {"ours": detail.rstrip("0123456789") or "fsuhb", "default": "h"}.get(self.module, "fsuhb"),
            "hooks": self.options.get("hooks", self.module != "default"),
        }

    def attaches(self, framework: str) -> bool:
        """Whether the body of a request that does not fail is attached."""
        return self.options.get("attach") == "always" or (self.patches and framework != "raw")


_LEAN = {"transport": "lean"}
CONTENDERS = {
    "ours": Contender(title="asgi-sentry", module="ours"),
    "ours_plain": Contender(title="asgi-sentry, no hooks", module="ours", options={"hooks": False}),
    "ours_body": Contender(
        title="asgi-sentry, no hooks, bodies attached", module="ours", options={"hooks": False, "attach": "always"}
    ),
    "ours_lean": Contender(title='asgi-sentry, transport="lean"', module="ours", options=_LEAN),
    "ours_plain_lean": Contender(
        title='asgi-sentry, no hooks, transport="lean"', module="ours", options={"hooks": False, **_LEAN}
    ),
    "sdk": Contender(title="sentry-sdk", module="sdk"),
    "sdk_same": Contender(title="sentry-sdk, same job, no hooks", module="sdk", options={"hooks": False}),
    "sdk_plain": Contender(title="sentry-sdk, default", module="default"),
    # The errors that are compared happen in requests that are not sampled.
    "sdk_plain_0": Contender(title="sentry-sdk, default, rate 0", module="default", options={"rate": 0.0}),
    "noop": Contender(title="five no-op layers", module="noop"),
    "ours_off": Contender(title="asgi-sentry, no DSN", module="ours", options={"dsn": ""}),
    "sdk_off": Contender(title="sentry-sdk, no DSN", module="sdk", options={"dsn": ""}),
    "otel": Contender(title="OpenTelemetry", module="otel"),
    "elastic": Contender(title="elastic-apm", module="elastic"),
    "datadog": Contender(title="ddtrace", module="datadog"),
    "bare": Contender(title="the app alone", module="bare"),
}
TITLES = {name: contender.title for name, contender in CONTENDERS.items()}
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


def entry_of(name: str) -> tuple[Contender, str]:
    """A contender by its name, and what stands behind a colon there."""
    kind, _, detail = name.partition(":")
    return CONTENDERS[kind], detail


def make(name: str, framework: str, **given: Any) -> Any:
    """The app of a contender; `ours:fs` is asgi-sentry with some layers only.

    Args:
        name: of `CONTENDERS`.
        framework: of `benchmarks.frameworks`.
        given: further options of the module's `make`; those of the contender win.

    Raises:
        Skipped: it needs what is not installed.
    """
    for variable in [key for key in os.environ if key.startswith(("SENTRY_", "ASGI_SENTRY_", "OTEL_", "DD_"))]:
        del os.environ[variable]
    entry, detail = entry_of(name)
    try:
        module = import_module(f"benchmarks.contenders.{entry.module}")
    except ImportError as exc:
        raise Skipped(f"not installed ({exc})") from None
    options: dict[str, Any] = {**given, **entry.options}
    if detail:
        options["names"] = detail
    return module.make(partial(build, framework), **options)
