"""The request record: opens, follows and closes what is known of one request.

It is opened by whichever of our layers is outermost, lives under one key of the ASGI scope and in a
context variable, and hangs on the request's Sentry scopes by one event processor. So whatever is
sent on behalf of the request finds it, from a child task, a worker thread or a background task; and
it goes when the last of these is done with it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._request import decision
from asgi_sentry._request.ending import end_root
from asgi_sentry._request.facts import Facts
from asgi_sentry._request.failures import count_failed_response, note_failed, report_failures
from asgi_sentry._request.lately import OF_A_REQUEST, SECONDS, alive, of_worker, owner_of_orphan
from asgi_sentry._request.messages import overheard, tapped, watched
from asgi_sentry._request.plan import DEFAULT_ROOT, Plan
from asgi_sentry._request.read_twice import ReadTwice
from asgi_sentry._request.report import Report
from asgi_sentry._request.routes import unrouted_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._scrubbing import Taint
    from asgi_sentry.types import Receive, Scope, Send

KEY = "asgi_sentry"  # in the ASGI scope
_OPS = ("http.server", "websocket.server")  # of the root span, by whether it is a websocket's


def current() -> RequestRecord | None:
    """The record of the request on whose behalf the caller runs, if there is one."""
    return current_or_former()[0]


def current_or_former() -> tuple[RequestRecord | None, RequestRecord | None]:
    """The same, and the one that is over, if the caller was started by one that is."""
    owner = sdk.OWNER.get(False)
    if type(owner) is RequestRecord:
        # What goes on for a minute after its request is a worker's, who may serve others.
        if owner.closed and monotonic() - owner.returned > SECONDS:
            return (None, owner)
        return (owner, None)
    # A plain thread lacks our context variable, but the SDK hands the Sentry scopes on to it.
    for processor in reversed(sdk.processors(sentry_sdk.get_current_scope())):
        owner = getattr(processor, "__self__", None)
        if isinstance(owner, RequestRecord):
            # It outlives its request: a worker at once.
            return (None, owner) if owner.closed else (owner, None)
    return None, None


class RequestRecord(Facts):
    """One request. Opened by the constructor, closed by `close`; has no repr of what it holds."""

    __slots__ = ("__weakref__", "_outer", "_report", "_watched", "hidden")

    def __init__(self, plan: Plan, view: sdk.ClientView, scope: Scope, app: Any = None) -> None:
        Facts.__init__(self, plan, view, scope, app)  # by its name, which costs less than `super()`
        self.entered_with = sys.exc_info()[1]
        self._watched: Send | None = None
        self._report: Report | None = None
        owner = sdk.OWNER.get(False)
        self._outer: RequestRecord | None = owner if type(owner) is RequestRecord else None
        outer = None if self._outer is None else self._outer.scopes
        self.scopes = sdk.Scopes(self, self.process, outer)
        self.hidden = False
        try:
            if scope.__class__ is dict and KEY not in scope and type(scope.get("headers")) is list:
                scope[KEY] = self  # as servers make them
            else:
                self._enter(scope)
            self._open(scope)
        except BaseException:
            self._restore()
            raise
        alive[self] = None

    # --- the surroundings -------------------------------------------------------------------------

    def _enter(self, scope: Scope) -> None:
        """Stand in the scope, for the layers further in.

        What others put under our key stays theirs.
        """
        if scope.get(KEY) is not None and type(scope[KEY]) is not RequestRecord:
            self.hidden = True
        else:
            try:
                scope[KEY] = self
            except Exception:  # a scope that can't be written to
                self.hidden = True
        headers = scope.get("headers")
        if type(headers) is not list and isinstance(headers, Iterator):
            # They can be read once, and that once is the app's.
            scope["headers"] = ReadTwice(headers)

    def stands_in(self, scope: Mapping[str, Any]) -> bool:
        """Whether a scope that does not hold this record is of its request all the same."""
        return self.hidden and not self.closed and scope.get(KEY) is self.opened_in.get(KEY)

    def __copy__(self) -> RequestRecord:
        return self

    def __deepcopy__(self, memo: object) -> RequestRecord:
        """An app may copy its scope, as it could without us."""
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """An app may pickle its scope, too.

        Whoever unpickles it has nothing of a request that is over.
        """
        return type(None), ()

    def _open(self, scope: Scope) -> None:
        """Find the trace, decide, and start.

        What is faulty is left out: the request's errors are reported anyway.
        """
        try:
            self.context = context = sdk.TraceContext(self.view, scope.get("headers") or ())
            displaced = self.scopes.displaced
            if displaced is not None and not context.came_in:
                self.context = displaced
            self.decision = self._decide()
            self._start()
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("continuing a trace", exc, "the request begins one of its own")
            self._open_anew()

    def _open_anew(self) -> None:
        self.context = context = sdk.TraceContext(self.view)
        try:
            self.decision = self._decide()
            self._start()
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("deciding about a request", exc, "it is no transaction")
            self.decision = self.root = None
            self.scopes.propagate(context)

    # --- the head decision ------------------------------------------------------------------------

    def _decide(self) -> decision.Decision | None:
        if self.websocket and self._websockets() == "off":
            return decision.EXCLUDED
        if not self.view.tracing:
            if self.plan.samplers:
                faults.once(
                    "PathSamplingMiddleware has no effect: the SDK's tracing is off. "
                    "Set traces_sample_rate (SENTRY_TRACES_SAMPLE_RATE), if only to 0."
                )
            if self.plan.excludes(self.scope):
                return decision.EXCLUDED
            return None
        return decision.decide(
            self.plan, self.view, self.context, self.scope, op=_OPS[self.websocket]
        )

    def _websockets(self) -> str | None:
        """When a websocket's transaction is sent; None for another request."""
        if self.websocket:
            return (self.plan.root or DEFAULT_ROOT).websockets
        return None

    def _start(self) -> None:
        decided = self.decision
        if decided is not None and decided.by == "excluded":
            self.scopes.drop_session()
        elif self.view.sessions:
            self.scopes.start_session(self.view)
        if decided is None or not self.view.tracing:
            self.scopes.propagate(self.context)
            return
        undecided = self.plan.late is not None and not decided.excluded
        if not (decided.sampled or undecided) and self.view.unsampled_has_no_span:
            self.root = sdk.start_unsampled(
                self.view, self.scopes, self.context, decided.rate, decided.reason
            )
            return
        self.root = sdk.start_root(
            self.view,
            self.scopes,
            self.context,
            sampled=decided.sampled,
            rate=decided.rate,
            reason=decided.reason,
            op=_OPS[self.websocket],
            name=unrouted_name(self.opened_in),
            asgi_scope=self.scope,
            undecided=undecided,
        )

    def meet(self, layer: Plan, scope: Scope) -> bool:
        """Note that the request has come to a layer further in.

        The outermost layer knows the layers below it as far as it can see (`layer.survey`). One
        that stands behind something it could not see through, such as a router, joins here, and the
        decision is taken anew if it has a say in it.

        Returns:
            Whether the `receive` of this layer is to be tapped, since no layer further out wanted
            bodies.
        """
        self.scope = scope
        if self.plan.covers(layer):
            return False
        if layer.errors:
            self.error_paths = self.error_paths or {}
            root_path = scope.get("root_path") or ""
            self.error_paths.update((id(rules), root_path) for rules in layer.errors)
        untapped = bool(layer.bodies) and not self.plan.bodies
        self.plan = self.plan.joined(layer)
        if not self.finished:
            self._revise(layer)
        return untapped

    def _revise(self, layer: Plan) -> None:
        decided, root = self.decision, self.root
        if decided is not None and decided.excluded:
            return
        if layer.excludes(self.scope) or self._websockets() == "off":
            anew: decision.Decision | None = decision.EXCLUDED
        elif decided is None:
            anew = self._decide()
        elif layer.samplers or layer.budgets:
            anew = decision.revise(decided, layer, self.plan, self.view, self.context, self.scope)
            if anew.rule is not decided.rule:
                self.ruled_below = self.scope.get("root_path") or ""
        else:
            anew = decided
        unrecorded = (
            layer.late is not None
            and root is not None
            and root.may_be_decided_late
            and not root.recording
        )
        if anew == decided and not unrecorded:
            return
        if root is not None:
            root.discard()
            self.root = None
        self.decision = anew
        self._start()

    # --- what passes ------------------------------------------------------------------------------

    def tap(self, receive: Receive) -> Receive:
        """The app's `receive`, for the layer that is the first to want bodies."""
        return tapped(self, receive) if self.plan.bodies else receive

    def watch(self, send: Send) -> Send:
        """The app's `send`, for the outermost layer."""
        shaken = self._shaken if self.websocket else None
        self._watched = watch = watched(self, send, shaken)
        return watch

    def overhear(self, send: Send) -> Send:
        """The app's `send`, for a layer further in."""
        if send is self._watched:  # nothing in between
            return send
        self._watched = overhear = overheard(self, send)
        return overhear

    def _shaken(self) -> None:
        # Asked by now: a root further in, out of sight as the request began, has had its say.
        if not self.finished and self._websockets() == "handshake":
            self._finish(None)

    # --- the end ----------------------------------------------------------------------------------

    def close(self) -> None:
        """Report what failed, end what was started, and leave the surroundings as they were found.

        Never raises, except for a signal (`KeyboardInterrupt`, `SystemExit`) that arrives in the
        midst of it.
        """
        if self.closed:
            return
        self.closed = True
        self.returned = monotonic()
        if self.afterwards is not None:
            self.afterwards.stop()
        try:
            trouble = self.trouble
            if trouble is not None:
                if trouble.failure is not None or trouble.handled is not None:
                    report_failures(self)
                elif trouble.failed:
                    count_failed_response(self, self.report)
            try:
                if not self.finished:
                    self.finished = True  # as in `_finish`, one call less
                    end_root(self, None if trouble is None else trouble.failure, self.report)
                self.scopes.end_session(self.view)
            except faults.SIGNALS:
                raise
            except BaseException as exc:
                faults.note("ending a transaction", exc, "it is lost")
        finally:
            self._restore()
            alive.pop(self, None)
            if self._report is not None:  # an item that waits in a batch keeps it
                try:
                    note_failed(self, self._report)
                    self._report.forget_errors()
                except Exception as exc:
                    faults.note(
                        "forgetting a request's errors",
                        exc,
                        "they stay as long as what waits to be sent",
                    )
            # What is sent later for this request has no need of these. With them a record would be
            # part of a circle, and its body would stay until the garbage collector comes to it,
            # which is rarely after a long request.
            self.trouble = self.entered_with = self.root = None
            self._outer = self._report = self._watched = None
            self.scopes.release()

    def taint(self) -> Taint:
        """The secrets that came in with it, by value."""
        return self.report().secrets.taint()

    def _finish(self, failure: BaseException | None) -> None:
        """End the root span, once.

        What comes later on behalf of the request still belongs to its trace.
        """
        self.finished = True
        end_root(self, failure, self.report)

    def _restore(self) -> None:
        try:
            if not self.hidden:
                self.opened_in.pop(KEY, None)
        except Exception:  # noqa: S110 - a scope that can't be written to has no key of ours either
            pass
        # A request that was abandoned is closed whenever and wherever it is collected: perhaps
        # within another one.
        record = sdk.OWNER.get(False)
        while record is not self and type(record) is RequestRecord:
            record = record._outer  # noqa: SLF001 - its own class
        if record is self:
            self.scopes.leave()

    # --- what is sent -----------------------------------------------------------------------------

    def report(self) -> Report:
        """The other half of the record, for when something is sent."""
        if self._report is None:
            self._report = Report(self, self.process)
        return self._report

    def claim(self, event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        """An event about this request, whoever's context it was made in.

        What it has of that one is left out.
        """
        for part in OF_A_REQUEST:
            event.pop(part, None)
        contexts = event["contexts"] = {**(event.get("contexts") or {})}
        contexts["trace"] = {"trace_id": self.context.trace_id, "span_id": self.context.span_id}
        return self.report().process(event, hint)

    def process(self, event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event processor.

        The record's bound method, by which `current` finds the record from a plain thread.
        """
        if event.get("logger") == "asyncio" and event.get("type") is None:
            # A task is collected in whatever context, perhaps another request's.
            owner = owner_of_orphan(event, hint)
            if type(owner) is RequestRecord and owner is not self:
                return owner.claim(event, hint)
        if self.closed and current() is not self:
            return of_worker(self, event, self.view)
        return self.report().process(event, hint)


def hidden_record(scope: Mapping[str, Any]) -> RequestRecord | None:
    """The record of a request whose scope could not hold it."""
    owner = sdk.OWNER.get(False)
    if type(owner) is RequestRecord and owner.stands_in(scope):
        return owner
    return None
