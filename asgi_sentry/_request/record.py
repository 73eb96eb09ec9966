"""The request record: all that one request's layers share, from the first layer in to the last thing sent for it.

It is opened by whichever of our layers is outermost, lives under one key of the ASGI scope and in a context variable,
and hangs on the request's Sentry scopes by one event processor. So whatever is sent on behalf of the request finds
it, from a child task, a worker thread or a background task; and it goes when the last of these is done with it.
"""

from __future__ import annotations

import sys
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._counters import count_transaction
from asgi_sentry._request import decision
from asgi_sentry._request.body_copy import BodyCopy
from asgi_sentry._request.error_policy import is_cancellation
from asgi_sentry._request.plan import DEFAULT_ROOT, Plan
from asgi_sentry._request.report import Report
from asgi_sentry._request.routes import template_below, unrouted_name
from asgi_sentry._sampling.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from asgi_sentry._request.plan import ErrorRules
    from asgi_sentry._sampling.late import Late
    from asgi_sentry._sdk.errors import ExcInfo
    from asgi_sentry.types import Message, Receive, Scope, Send

KEY = "asgi_sentry"  # in the ASGI scope
_NOBODY: Mapping[str, Any] = MappingProxyType({})
_WEBSOCKET = "websocket.server"  # the op of its root span
_RESPONSE_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
# What the closing codes of a server's fault say in HTTP's terms: https://www.iana.org/assignments/websocket/
_FAULTS = {1011: 500, 1012: 503, 1013: 503, 1014: 502}


def current() -> RequestRecord | None:
    """The record of the request on whose behalf the caller runs, if there is one."""
    owner = sdk.OWNER.get(False)
    if type(owner) is RequestRecord:
        return owner
    # A plain thread has no copy of our context variable, but the SDK hands the Sentry scopes on to it.
    for processor in reversed(sdk.processors(sentry_sdk.get_current_scope())):
        owner = getattr(processor, "__self__", None)
        if isinstance(owner, RequestRecord):
            return owner
    return None


class RequestRecord:
    """One request. Opened by the constructor, closed by `close`; has no repr of what it holds."""

    __slots__ = (
        "_by_intent",
        "_context",
        "_decision",
        "_entry_exc",
        "_finished",
        "_handled",
        "_op",
        "_opened_in",
        "_outer",
        "_report",
        "_root",
        "_root_path",
        "_root_paths",
        "_ruled_below",
        "_scopes",
        "_started",
        "_status",
        "_watched",
        "body",
        "bound_user",
        "closed",
        "failure",
        "plan",
        "scope",
        "view",
    )

    def __init__(self, plan: Plan, view: sdk.ClientView, scope: Scope) -> None:
        self.plan = plan
        self.view = view
        self._opened_in = scope
        self.scope = scope  # of the innermost of our layers that the request has met: the router writes into it
        self.bound_user: Mapping[str, Any] = _NOBODY
        self.failure: BaseException | None = None
        # With its traceback, which Starlette takes off an exception once its answer is out.
        self._handled: ExcInfo | None = None
        self._by_intent = True
        self._watched: Send | None = None
        self._status: int | None = None
        self._report: Report | None = None
        self.body: BodyCopy | None = None
        self._finished = self.closed = False
        self._op = _WEBSOCKET if scope["type"] == "websocket" else "http.server"
        self._root: sdk.Root | None = None
        # An exception that is being handled around us (a retrying middleware) is none of this request's.
        self._entry_exc = sys.exc_info()[1]
        self._started = time.monotonic()  # also for a layer further in that decides by the time it took
        # What rules are matched below. It is kept, since a mount writes its own into the scope.
        self._root_path = self._ruled_below = scope.get("root_path") or ""
        self._root_paths: dict[int, str] | None = None  # of the error rules of layers that joined further in, by id
        owner = sdk.OWNER.get(False)
        self._outer: RequestRecord | None = owner if type(owner) is RequestRecord else None
        outer = None if self._outer is None else self._outer._scopes  # noqa: SLF001 - its own class
        self._scopes: sdk.Scopes = sdk.Scopes(self, self.process, outer)
        try:
            scope[KEY] = self
            self._context = context = sdk.TraceContext(view, scope.get("headers") or ())
            displaced = self._scopes.displaced
            if displaced is not None and not context.came_in:
                self._context = displaced
            self._decision = self._decide()
            self._start()
        except BaseException:
            self._restore()
            raise

    @property
    def name(self) -> str:
        """What the root span is called until the request is routed; made when asked for, since most never need it."""
        return unrouted_name(self._opened_in)

    # --- the head decision ---------------------------------------------------------------------------------------

    def _decide(self) -> decision.Decision | None:
        if self._op == _WEBSOCKET and self._websockets() == "off":
            return decision.EXCLUDED
        if not self.view.tracing:
            if self.plan.samplers:
                faults.once(
                    "PathSamplingMiddleware has no effect: the SDK's tracing is off. "
                    "Set traces_sample_rate (SENTRY_TRACES_SAMPLE_RATE), if only to 0."
                )
            return decision.EXCLUDED if self.plan.excludes(self.scope) else None
        return decision.decide(self.plan, self.view, self._context, self.scope, op=self._op)

    def _websockets(self) -> str | None:
        """When a websocket's transaction is sent; None for another request."""
        return (self.plan.root or DEFAULT_ROOT).websockets if self._op == _WEBSOCKET else None

    def _start(self) -> None:
        decided = self._decision
        if decided is not None and decided.by == "excluded":
            self._scopes.drop_session()
        elif self.view.sessions:
            self._scopes.start_session(self.view)
        if decided is None or not self.view.tracing:
            self._scopes.propagate(self._context)
            return
        undecided = self.plan.late is not None and not decided.excluded
        if not (decided.sampled or undecided or self.view.streaming):
            self._root = sdk.start_unsampled(self.view, self._scopes, self._context, decided.rate, decided.reason)
            return
        self._root = sdk.start_root(
            self.view,
            self._scopes,
            self._context,
            sampled=decided.sampled,
            rate=decided.rate,
            reason=decided.reason,
            op=self._op,
            name=self.name,
            asgi_scope=self.scope,
            undecided=undecided,
        )

    def meet(self, layer: Plan, scope: Scope) -> bool:
        """Note that the request has come to a layer further in; whether its `receive` is to be tapped from here on.

        The outermost layer knows the layers below it as far as it can see (`middleware.layer.survey`). One that
        stands behind something it could not see through, such as a router, joins here, and the decision is taken
        anew if it has a say in it.
        """
        self.scope = scope
        if self.plan.covers(layer):
            return False
        if layer.errors:
            self._root_paths = self._root_paths or {}
            self._root_paths.update((id(rules), scope.get("root_path") or "") for rules in layer.errors)
        untapped = bool(layer.bodies) and not self.plan.bodies
        self.plan = self.plan.joined(layer)
        if not self._finished:
            self._revise(layer)
        return untapped

    def _revise(self, layer: Plan) -> None:
        decided = self._decision
        if decided is not None and decided.excluded:
            return
        if layer.excludes(self.scope) or self._websockets() == "off":
            anew: decision.Decision | None = decision.EXCLUDED
        elif decided is None:
            anew = self._decide()
        elif layer.samplers or layer.budgets:
            anew = decision.revise(decided, layer, self.plan, self.view, self._context, self.scope)
            if anew.rule is not decided.rule:
                self._ruled_below = self.scope.get("root_path") or ""
        else:
            anew = decided
        unrecorded = layer.late is not None and self._root is not None and not self._root.recording
        if anew == decided and not (unrecorded and not self.view.streaming):
            return
        if self._root is not None:
            self._root.discard()
            self._root = None
        self._decision = anew
        self._start()

    # --- what passes ---------------------------------------------------------------------------------------------

    def tap(self, receive: Receive) -> Receive:
        """The same messages; what the app reads of a body is copied, up to the limit."""
        if not self.plan.bodies:
            return receive

        async def tapped() -> Message:
            message = await receive()
            try:
                if message.get("body"):  # of nothing else do we keep anything; most requests have none
                    if self.body is None:
                        self.body = BodyCopy(self.plan.bodies[0].max_bytes)
                    self.body.feed(message)
            except Exception as exc:
                faults.note("copying the request's body", exc, "events go without it")
            return message

        return tapped

    def watch(self, send: Send) -> Send:
        """The same messages; the status and the exception behind a failure are noted as they pass."""

        def watched(message: Message) -> Awaitable[None]:
            try:
                kind = message["type"]
                if kind == "http.response.start":
                    self._status = status = message["status"]
                    if status in (self.plan.root or DEFAULT_ROOT).failed_request_status_codes:
                        self._note_handled(status)
                elif kind != "http.response.body":
                    self._see(message)
            except Exception as exc:
                faults.note("looking at a response", exc, "its status may be missing")
            return send(message)  # for the app to await, without a frame of ours in between

        self._watched = watched
        return watched

    def _see(self, message: Message) -> None:
        """Look at a message of a websocket."""
        kind = message["type"]
        if kind == "websocket.http.response.start":
            self._status = status = message["status"]
            self._note_handled(status)
        elif kind == "websocket.accept":
            self._status = 101
        elif kind == "websocket.close":
            if self._status is None:
                self._status = 403  # what a server answers for a close before the handshake, as ASGI has it
            self._note_handled(_status_of_close(message.get("code", 1000)))
        else:
            return
        if self._websockets() == "handshake" and not self._finished:
            self._finish(None)

    def overhear(self, send: Send) -> Send:
        """For a layer further in: the same messages; the exception behind a failure is noted where it is in hand.

        A middleware in between may run the app in a task of its own (Starlette's `BaseHTTPMiddleware`), and in the
        outermost layer's task that exception can't be seen.
        """
        if send is self._watched:  # nothing in between
            return send

        def overheard(message: Message) -> Awaitable[None]:
            try:
                kind = message["type"]
                if kind in _RESPONSE_STARTS:
                    self._note_handled(message["status"])
                elif kind == "websocket.close":
                    self._note_handled(_status_of_close(message.get("code", 1000)))
            except Exception as exc:
                faults.note("looking at a response", exc, "the error behind it may be missing")
            return send(message)

        self._watched = overheard
        return overheard

    def _note_handled(self, status: int | None) -> None:
        # Frameworks answer from within their `except` block, so the exception in hand is the one behind the answer.
        kind, exc, traceback = sys.exc_info()
        if kind is None or exc is self._entry_exc or not isinstance(exc, Exception):
            return
        own = getattr(exc, "status_code", None)  # Litestar closes a websocket alike for each
        if self._op == _WEBSOCKET and isinstance(own, int):
            status = own
        if status in (self.plan.root or DEFAULT_ROOT).failed_request_status_codes:
            self._handled = (kind, exc, traceback)
            # A bare 500 is what a framework answers when nobody handles an exception that is not an answer itself.
            self._by_intent = status != 500 or own is not None or hasattr(exc, "code")

    def note_cancelled(self, exc: BaseException) -> None:
        """A cancelled request has failed if that is wanted; a signal, or a generator that is closed, is no failure."""
        try:
            if self.plan.errors and is_cancellation(exc):
                wanted = all(not rules.policy.ignores(exc) for rules in self.plan.errors)
                self.failure = exc if wanted else None
        except Exception as fault:
            faults.note("looking at a cancellation", fault, "it is not reported")

    # --- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Report what failed, end what was started, and leave the surroundings as they were found.

        Never raises, except for a signal (`KeyboardInterrupt`, `SystemExit`) that arrives in the midst of it.
        """
        if self.closed:
            return
        self.closed = True
        try:
            if self.failure is not None or self._handled is not None:
                self._report_failures()
            try:
                if not self._finished:
                    self._finish(self.failure)
                self._scopes.end_session(self.view)
            except Exception as exc:
                faults.note("ending a transaction", exc, "it is lost")
        finally:
            self._restore()
            if self._report is not None:  # an item that waits in a batch keeps it
                self._report.forget_errors()
            # What is sent later for this request has no need of these. With them a record would be part of a circle,
            # and its body would stay until the garbage collector comes to it, which is rarely after a long request.
            self.failure = self._handled = self._entry_exc = self._outer = self._root = self._report = None
            self._watched = None
            self._scopes.release()

    def _report_failures(self) -> None:
        try:
            failure, handled = self.failure, self._handled
            if failure is not None:
                sdk.capture_error(self.view, failure, handled=False)
            # One that was handled and raised again is the same failure.
            if handled is not None and handled[1] is not failure:
                sdk.capture_error(self.view, handled, handled=self._by_intent)
        except Exception as exc:
            faults.note("reporting an error", exc, "it is lost")

    def _finish(self, failure: BaseException | None) -> None:
        """End the root span, once; what comes later on behalf of the request still belongs to its trace."""
        self._finished = True
        root, decided = self._root, self._decision
        if root is None or decided is None:
            return
        if decided.rule is not None and decided.rule.adaptive is not None:
            template = template_below(self.scope, self._ruled_below)
            if template is not None:
                decided.rule.learn(template)
        if root.recording or self.view.streaming:
            became = self._finish_recorded(root, decided, failure)
            self._scopes.go_on(self.view, self._context, root)
        else:
            became = decided.by
            root.finish(failure)
        count_transaction(became)

    def _finish_recorded(self, root: sdk.Root, decided: decision.Decision, failure: BaseException | None) -> str:
        """End a root span that may yet be sent: what became of it."""
        status = self.status
        became = "sampled" if root.sampled else decided.by
        if not root.recording:
            root.finish(failure)
        elif not self.plan.drops(status) or self.view.streaming:
            became = self._send(root, decided, status, failure) or became
        elif root.sampled:
            root.drop("event_processor")  # as the SDK counts its `trace_ignore_status_codes`
            became = "status"
        else:
            root.finish(failure)  # for the dice had said no before
        return became

    def _send(
        self, root: sdk.Root, decided: decision.Decision, status: int | None, failure: BaseException | None
    ) -> str | None:
        """End a root span that was recorded; `kept` if only its end decided to send it."""
        late = self._late(status, failure, sampled=root.sampled)
        became = None
        if late is not None:
            if root.sampled or decided.by == "budget":
                self.plan.disown(decided.weight if root.sampled else None)
            weight = None if late.rate is None else self.plan.afford_late(spent=root.sampled)
            if late.rate is not None and weight is not None:
                became = None if root.sampled else "kept"
                root.keep(late.rate / weight)
        if root.sampled:
            if status is not None:
                root.set_status(status)
            try:
                report = self.report()
                root.name, root.source = report.named(root.name, root.source)
                root.set_attributes(report.root_attributes())
            except Exception as exc:
                faults.note("describing the request", exc, "its transaction goes without it")
        root.finish(failure)
        return became

    def _late(self, status: int | None, failure: BaseException | None, *, sampled: bool) -> Late | None:
        if self.plan.late is None or self.view.streaming:
            return None
        failed = failure is not None or self._handled is not None
        outcome = Outcome(status=status, seconds=time.monotonic() - self._started, failed=failed)
        return self.plan.late.settle(outcome, sampled=sampled)

    def _restore(self) -> None:
        try:  # noqa: SIM105 - costs a third of what `suppress` does
            self._opened_in.pop(KEY, None)
        except Exception:  # noqa: S110 - a scope that can't be written to has no key of ours either
            pass
        # A request that was abandoned is closed whenever and wherever it is collected: perhaps within another one.
        record = sdk.OWNER.get(False)
        while record is not self and type(record) is RequestRecord:
            record = record._outer  # noqa: SLF001 - its own class
        if record is self:
            self._scopes.leave()

    # --- what is sent --------------------------------------------------------------------------------------------

    def scope_of(self, rules: ErrorRules) -> Mapping[str, Any]:
        """The scope that rules by path are matched with: below the mount where their layer stands, as at the head."""
        root_path = (self._root_paths or {}).get(id(rules), self._root_path)
        if (self.scope.get("root_path") or "") == root_path:
            return self.scope
        return {**self.scope, "root_path": root_path}

    @property
    def status(self) -> int | None:
        """Of the response, as far as it has come; 500 for one that failed before it."""
        return 500 if self._status is None and self.failure is not None else self._status

    def report(self) -> Report:
        """The other half of the record, for when something is sent."""
        if self._report is None:
            self._report = Report(self)
        return self._report

    def process(self, event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event processor. The record's bound method, by which `current` finds the record from a plain thread."""
        return self.report().process(event, hint)


def _status_of_close(code: int) -> int | None:
    """The HTTP status that a websocket's closing code stands for; None for one that is no server's fault.

    Codes from 4000 on are the app's own; by custom, and in Litestar, they are 4000 plus a status.
    """
    return code - 4000 if code >= 4000 else _FAULTS.get(code)
