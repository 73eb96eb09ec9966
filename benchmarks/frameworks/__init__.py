"""One small app, in four frameworks: `build(set_user)` in each module. It answers, fails, or shows what goes out."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import sentry_sdk

from benchmarks.traffic import ORDER, RATES

if TYPE_CHECKING:
    from collections.abc import Callable

    SetUser = Callable[[Any], None] | None

FRAMEWORKS = ("raw", "starlette", "fastapi", "litestar")
ROUTES = ("/health", *(f"{folder}/{ORDER}" for folder in RATES))


class Hooks:
    """What a guard has the app do beside answering."""

    probe: Callable[[], None] | None = None


def work(scope: dict[str, Any], path: str, set_user: SetUser) -> None:
    """What every route does."""
    if set_user is not None:
        user = scope.get("user")
        if user is not None:
            set_user(user)
    if Hooks.probe is not None:
        Hooks.probe()
    if "spans" in scope:  # queries and calls that the SDK's integrations would time
        for number in range(scope["spans"]):
            with sentry_sdk.start_span(op="db", name=f"SELECT * FROM items WHERE shelf = {number}"):
                pass
    if "tag" in scope:
        sentry_sdk.set_tag("shelf", scope["tag"])
    if path.startswith("/api/broken/"):
        if "frames" in scope:
            fail_below(scope["frames"])
        password = "hunter2-in-a-frame"  # noqa: F841 - a secret in a frame's variables
        raise ValueError("no such order")


def fail_below(frames: int) -> None:
    """Fail so many frames further down, each with variables such as code has."""
    order = {"id": frames, "currency": "EUR", "paid": False, "items": [f"item-{frames}", "blue", 3]}
    note = f"please ring twice at number {frames}"
    if frames > 1:
        fail_below(frames - 1)
    raise ValueError(f"no such order: {order['id']}, {note}")


def build(framework: str, set_user: SetUser = None) -> Any:
    """The app: `/health`, and one route for each path that has a rate.

    Args:
        framework: one of `FRAMEWORKS`.
        set_user: called with the scope's user, where the contender has no layer that knows it.
    """
    return import_module(f"benchmarks.frameworks.on_{framework}").build(set_user)
