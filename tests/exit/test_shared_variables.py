"""What several frames share is scrubbed once, and each frame's own for a hook of the user's."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN


async def app(scope: Any, receive: Any, send: Any) -> None:
    shared = {"cart": ["a", "b"], "note": "blue socks", "password": "hunter2-and-more"}

    def within(same: dict[str, Any]) -> None:
        raise ValueError(str(len(same)))

    within(shared)


def variables(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Of all frames, the outermost first."""
    return [frame.get("vars", {}) for frame in event["exception"]["values"][-1]["stacktrace"]["frames"]]


def sent_with(hook: Any) -> dict[str, Any]:
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport, before_send=hook)
    with pytest.raises(ValueError, match="3"):
        anyio.run(lambda: request(asgi_sentry.wrap(app)))
    (event,) = transport.items("event")
    return event


def test_a_hook_that_changes_a_variable_of_one_frame_means_that_one():
    seen: list[list[dict[str, Any]]] = []

    def hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        frames = variables(event)
        seen.append(frames)
        frames[-1]["same"]["cart"].append("changed")
        return event

    frames = variables(sent_with(hook))
    assert seen[0][-1]["same"]["password"] == "[Filtered]"
    assert frames[-1]["same"]["cart"] == ["'a'", "'b'", "changed"]
    assert frames[-2]["shared"]["cart"] == ["'a'", "'b'"]
    assert frames[-2]["shared"]["password"] == "[Filtered]"


def test_what_is_sent_is_the_same_with_a_hook_and_without():
    stacks = [variables(sent_with(hook))[-2:] for hook in (None, lambda event, hint: event)]
    assert stacks[0][0]["shared"] == stacks[1][0]["shared"]
    assert stacks[0][1]["same"] == stacks[1][1]["same"]
