"""The stack of a message is the one that the SDK makes, and what its frames share is shown once."""

from __future__ import annotations

import sys
from typing import Any

import anyio
import pytest
import sentry_sdk
import sentry_sdk.client
import sentry_sdk.integrations.logging
from sentry_sdk import utils

import asgi_sentry
from asgi_sentry._sdk import message_stacks, stack_frames
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN

pytestmark = pytest.mark.skipif(
    sentry_sdk.VERSION.startswith("3"), reason="frames of version 3 have another signature, and are left to it"
)


@pytest.fixture(autouse=True)
def _installed() -> None:
    sentry_sdk.init(DSN, transport=RecordingTransport(), default_integrations=False)
    stack_frames.install()
    message_stacks.install()


class Counted:
    """An object that counts how often it is shown."""

    shown = 0

    def __repr__(self) -> str:
        self.shown += 1
        return "<counted>"


def stacks_below(held: Any, makers: list[Any], depth: int = 3) -> list[Any]:
    """The stack by each of these, of one line, below frames that all hold a value."""
    if depth:
        return stacks_below(held, makers, depth - 1)
    return [make(include_local_variables=True) for make in makers]


def makers() -> list[Any]:
    """By us, and by the SDK alone."""
    ours: Any = utils.current_stacktrace
    return [ours, ours.__wrapped__]


def without_variables_of_the_test(stack: Any) -> list[Any]:
    frames = [frame for frame in stack["frames"] if frame["function"] in ("stacks_below", "test_it")]
    return [{**frame, "vars": {"held": frame["vars"].get("held")}} for frame in frames]


@pytest.mark.parametrize("held", [{"cart": [1, ("a", b"b")]}, [], "text", None])
def test_a_stack_is_as_by_the_sdk(held: Any) -> None:
    ours, theirs = stacks_below(held, makers())
    assert [frame["function"] for frame in ours["frames"]] == [frame["function"] for frame in theirs["frames"]]
    assert without_variables_of_the_test(ours) == without_variables_of_the_test(theirs)


def test_what_its_frames_share_is_shown_once() -> None:
    counted = Counted()
    (ours,) = stacks_below({"deep": [counted]}, makers()[:1])
    held = [frame["vars"]["held"] for frame in ours["frames"] if frame["function"] == "stacks_below"]
    assert len(held) == 4
    assert all(each is held[0] for each in held)
    assert counted.shown == 1


def test_all_that_make_one_make_it_so() -> None:
    for module in (utils, sentry_sdk.client, sentry_sdk.integrations.logging):
        assert module.current_stacktrace.__wrapped__.__module__ == utils.__name__  # type: ignore[attr-defined]
    assert set(message_stacks._HOLDERS) <= sys.modules.keys()


def test_what_is_not_the_sdks_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def other() -> None:
        """Of somebody else's."""

    for module in (utils, sentry_sdk.client):
        monkeypatch.setattr(module, "current_stacktrace", other)
    message_stacks.install()
    assert utils.current_stacktrace is sentry_sdk.client.current_stacktrace is other  # type: ignore[comparison-overlap]


async def app(scope: Any, receive: Any, send: Any) -> None:
    shared = {"cart": ["a", "b"], "password": "hunter2-and-more"}

    def within(same: dict[str, Any]) -> None:
        sentry_sdk.capture_message(f"{len(same)} things")

    within(shared)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def sent_with(hook: Any) -> list[dict[str, Any]]:
    """The variables of the two frames that share something."""
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport, before_send=hook, attach_stacktrace=True)
    anyio.run(lambda: request(asgi_sentry.wrap(app)))
    (event,) = transport.items("event")
    frames = event["threads"]["values"][0]["stacktrace"]["frames"]
    return [frame["vars"] for frame in frames if frame["function"] in ("app", "within")][-2:]


def test_a_hook_is_shown_and_changes_each_frames_own() -> None:
    def hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        frames = event["threads"]["values"][0]["stacktrace"]["frames"]
        (own,) = [frame["vars"] for frame in frames if frame["function"] == "within"]
        own["same"]["cart"].append("changed")
        return event

    plain, hooked = sent_with(None), sent_with(hook)
    assert plain[0]["shared"] == plain[1]["same"] == {"cart": ["'a'", "'b'"], "password": "[Filtered]"}
    assert hooked[0]["shared"] == plain[0]["shared"]
    assert hooked[1]["same"] == {"cart": ["'a'", "'b'", "changed"], "password": "[Filtered]"}
