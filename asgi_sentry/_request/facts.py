"""What is known of one request.

A record without methods, whose fields say in which phase they are set. The record of a request
(`record`) fills them in, and what is sent of it (`report`) reads them.
"""

from __future__ import annotations

import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry import _sdk as sdk
    from asgi_sentry._request.afterwards import Afterwards
    from asgi_sentry._request.body_copy import BodyCopy
    from asgi_sentry._request.decision import Decision
    from asgi_sentry._request.plan import ErrorRules, Plan
    from asgi_sentry._sdk.error_events import ExcInfo
    from asgi_sentry.types import Scope

_NOBODY: Mapping[str, Any] = MappingProxyType({})


class Handled(NamedTuple):
    """An exception behind a failed response."""

    # With its traceback, which Starlette takes off the exception once its answer is out.
    info: ExcInfo
    by_intent: bool  # somebody meant to answer with it; False: it is what nobody handled


class Trouble:
    """What went wrong with one request. Most have none."""

    __slots__ = ("failed", "failure", "handled", "ignored", "told")

    def __init__(self) -> None:
        self.failure: BaseException | None = None  # what the app raised
        self.handled: Handled | None = None  # the exception behind a failed response
        self.failed = False  # whether the response has one of the failed statuses
        self.ignored = False  # whether a rule ignores an error of it
        self.told = False  # whether an error of it was reported, or refused by a rule


class Facts:
    """One request. Has no repr of what it holds."""

    __slots__ = (  # noqa: RUF023 - by phase
        # Opening. They stay as they are.
        "app",  # that the layers stand around, as far as they can see; None: unknown
        "began",  # by the monotonic clock
        # What is being handled around us (by a retrying middleware): none of this request's.
        "entered_with",
        "opened_in",  # the scope that the outermost layer got
        "root_path",  # of that scope: a mount writes its own into it
        "view",  # of the SDK's client
        "websocket",  # whether it is one
        # The head decision, and whatever else the layers want: joined anew when a layer further in
        # is met.
        "plan",
        # Root paths of error rules that joined further in, by their ids; None: no such rules.
        "error_paths",
        "ruled_below",  # the root path below which the rate was found
        "scopes",  # the SDK's
        "context",  # the trace
        "decision",  # None: the SDK's tracing is off
        "root",  # the root span; None: there is none
        # Serving: what passed so far.
        # Of the innermost of our layers that the request has met: the router writes into it.
        "scope",
        "body",  # the copy of what the app read; None: nothing yet
        "bound_user",  # by `set_user_context`
        "answered",  # the status of the response
        # When its last message passed, by the monotonic clock; None: it did not, or not yet.
        "ended",
        "afterwards",  # what is done after that; None: nobody asks
        "trouble",  # what went wrong so far; None: nothing did
        "finished",  # whether the root span has ended
        # Closing.
        "returned",  # when the app was done, by the monotonic clock; only set where `ended` is
        "closed",
    )

    def __init__(self, plan: Plan, view: sdk.ClientView, scope: Scope, app: Any = None) -> None:
        self.app = app
        self.began = time.monotonic()
        self.entered_with: BaseException | None = None
        self.opened_in = self.scope = scope
        self.root_path: str = scope.get("root_path") or ""
        self.ruled_below = self.root_path
        self.view = view
        self.websocket = scope.get("type") == "websocket"
        self.plan = plan
        self.error_paths: dict[int, str] | None = None
        self.scopes: sdk.Scopes
        self.context: sdk.TraceContext
        self.decision: Decision | None = None
        self.root: sdk.Root | None = None
        self.body: BodyCopy | None = None
        self.bound_user = _NOBODY
        self.answered: int | None = None
        self.ended: float | None = None
        self.afterwards: Afterwards | None = None
        self.returned: float
        self.trouble: Trouble | None = None
        self.finished = self.closed = False


def status_of(facts: Facts) -> int | None:
    """The status of the response, as far as it has come.

    500 for a request that failed before it.
    """
    if facts.answered is None and facts.trouble is not None and facts.trouble.failure is not None:
        return 500
    return facts.answered


def scope_for(facts: Facts, rules: ErrorRules) -> Mapping[str, Any]:
    """The scope that rules by path are matched with.

    Below the mount where their layer stands, as at the head.
    """
    root_path = (facts.error_paths or {}).get(id(rules), facts.root_path)
    if (facts.scope.get("root_path") or "") == root_path:
        return facts.scope
    return {**facts.scope, "root_path": root_path}


def trouble_of(facts: Facts) -> Trouble:
    """What went wrong with a request, to note more of it."""
    if facts.trouble is None:
        facts.trouble = Trouble()
    return facts.trouble
