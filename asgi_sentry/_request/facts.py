"""What is known of one request.

A record whose fields say in which phase they are set. The record of a request
(`record`) fills them in, and what is sent of it (`report`) reads them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry import _sdk as sdk
    from asgi_sentry._request.afterwards import Afterwards
    from asgi_sentry._request.body_copy import BodyCopy
    from asgi_sentry._request.decided import Decision
    from asgi_sentry._request.plan import ErrorRules, Plan
    from asgi_sentry._sdk.error_events import ExcInfo
    from asgi_sentry.types import Scope


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
    """One request. Has no repr of what it holds.

    What has a value here has it until something comes of it, which at most requests nothing does:
    to set all of it anew for each was a tenth of what an excluded one costs. What each request
    looks at is set as it is opened: where a class has a value, too, the interpreter looks for both
    each time.
    """

    thin: bool
    """Whether all of this is as it was at the opening, but for `answered`: most requests close so.

    Then nothing is reported, sent or let go of, and the losses are all that is counted. Whoever
    notes more takes it off.
    """

    # Opening. They stay as they are.
    app: Any
    """That the layers stand around, as far as they can see; None: unknown."""
    began: float
    """By the monotonic clock."""
    headers: tuple[tuple[bytes, bytes], ...]
    """As they came in: the app may change its own."""
    entered_with: BaseException | None = None
    """What is being handled around us (by a retrying middleware): none of this request's."""
    opened_in: Scope
    """The scope that the outermost layer got."""
    root_path: str = ""
    """Of that scope: a mount writes its own into it."""
    view: sdk.ClientView
    """Of the SDK's client."""
    websocket: bool

    # The head decision, and whatever else the layers want: joined anew when a layer further in is
    # met.
    plan: Plan
    error_paths: dict[int, str] | None = None
    """Root paths of error rules that joined further in, by their ids; None: no such rules."""
    ruled_below: str = ""
    """The root path below which the rate was found."""
    scopes: sdk.Scopes
    """The SDK's."""
    context: sdk.TraceContext
    """The trace."""
    rand: float | None
    """The dice, within [0, 1), where they decided alone; None: they are the trace's."""
    decision: Decision | None
    """None: the SDK's tracing is off."""
    root: sdk.Root | None
    """The root span; None: there is none."""
    recorded: bool
    """Whether the root span may be sent, so that it matters when the response has ended."""

    # Serving: what passed so far.
    scope: Scope
    """Of the innermost of our layers that the request has met: the router writes into it."""
    body: BodyCopy | None = None
    """The copy of what the app read; None: nothing yet."""
    bound_user: Mapping[str, Any] = MappingProxyType({})
    """By `set_user_context`."""
    answered: int | None
    """The status of the response."""
    ended: float | None = None
    """When its last message passed, by the monotonic clock; None: it did not, or nobody asks."""
    afterwards: Afterwards | None = None
    """What is done after that; None: nobody asks."""
    trouble: Trouble | None = None
    """What went wrong so far; None: nothing did."""
    finished: bool = False
    """Whether the root span has ended."""

    def shaken(self) -> None:
        """A websocket has been accepted, refused or closed."""

    # Closing.
    returned: float
    """When the app was done, by the monotonic clock."""
    closed: bool


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
        facts.thin = False
        facts.trouble = Trouble()
    return facts.trouble
