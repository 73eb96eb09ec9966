"""What a hook of the user's is shown: what frames share is each one's own, and a fault of ours is not its own."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

import asgi_sentry
from asgi_sentry._exit.door import Door
from asgi_sentry._exit.users_hooks import event_hook
from asgi_sentry._request.tag import Tag
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


class Emptied:
    """Who scrubs an event that can't be scrubbed: all that is left of its contexts is that it has some."""

    def settle(self, event: dict[str, Any], scrubber: Any, section: Any = None) -> None:
        event["contexts"] = {}


def test_an_event_that_could_not_be_scrubbed_has_no_sampling_context_and_the_hook_is_called_all_the_same():
    door = Door(asgi_sentry.Scrubber())
    trace = {"trace_id": "771a43a4192642f0b136d5159a501700", "dynamic_sampling_context": {"sampled": "true"}}
    event = {"event_id": Tag("15f45bd4b9e14a9b8a120b27e001f92f", Emptied()), "contexts": {"trace": trace}}
    event_hook(lambda given, hint: given, door)(event, {})
    assert event["contexts"] == {}
