"""The request record: opens, follows and closes what is known of one request.

It is opened by whichever of our layers is outermost, lives under one key of the ASGI scope and in a
context variable, and hangs on the request's Sentry scopes by one event processor. So whatever is
sent on behalf of the request finds it, from a child task, a worker thread or a background task; and
it goes when the last of these is done with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._counters import transactions
from asgi_sentry._request.decided import EXCLUDED
from asgi_sentry._request.ending import end_root
from asgi_sentry._request.failures import count_failed_response, note_failed, report_failures
from asgi_sentry._request.lately import OF_A_REQUEST, SECONDS, alive, of_worker, owner_of_orphan
from asgi_sentry._request.messages import Through, handled_now, overhear, watches
from asgi_sentry._request.read_twice import ReadTwice
from asgi_sentry._request.report import Report
from asgi_sentry._request.started import Started

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._request.facts import Trouble
    from asgi_sentry._request.plan import Plan
    from asgi_sentry._scrubbing import Taint
    from asgi_sentry.types import Scope, Send

KEY = "asgi_sentry"  # in the ASGI scope
OWNER, NOBODY, Scopes = sdk.OWNER, sdk.NOBODY, sdk.Scopes  # looks less for each request
_gone = alive.pop


def current() -> RequestRecord | None:
    """The record of the request on whose behalf the caller runs, if there is one."""
    return current_or_former()[0]


def current_or_former() -> tuple[RequestRecord | None, RequestRecord | None]:
    """The same, and the one that is over, if the caller was started by one that is."""
    owner = OWNER.get(NOBODY)
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


class RequestRecord(Started):
    """One request. Opened by the constructor, closed by `close`; has no repr of what it holds."""

    hidden = False
    _outer: RequestRecord | None = None
    _report: Report | None = None

    def __init__(
        self,
        plan: Plan,
        view: sdk.ClientView,
        scope: Scope,
        app: Any = None,
        within: Any = NOBODY,
    ) -> None:
        """Open it, and decide.

        Args:
            plan: what the layers want.
            view: of the SDK's client.
            scope: of the request.
            app: that the layers stand around, as far as they can see.
            within: what `OWNER` holds: another request's record, where this one is made by it.
        """
        self.plan = plan
        self.view = view
        self.opened_in = self.scope = scope
        self.app = app
        self.thin = True
        self.websocket = self.recorded = self.closed = False
        self.decision = self.root = self.rand = self.answered = None
        self.headers = ()
        self.began = monotonic()
        if scope.get("root_path"):
            self.root_path = self.ruled_below = scope["root_path"]
        if scope["type"] == "websocket":
            self.websocket = True
        handled = handled_now()
        if handled is not None:
            self.thin = False
            self.entered_with = handled
        if within is NOBODY:
            self.scopes = scopes = Scopes(self)
        else:
            self.thin = False
            self.scopes = scopes = self._scopes_within(within)
        if not scopes.bare:
            self.thin = False
        try:
            headers = scope.get("headers")
            if headers.__class__ is list and scope.__class__ is dict and KEY not in scope:
                scope[KEY] = self  # as servers make them
            else:
                headers = self._enter(scope)
            self._open(headers)
        except BaseException:
            self._restore()
            raise
        alive[self] = None

    # --- the surroundings -------------------------------------------------------------------------

    def _scopes_within(self, owner: Any) -> sdk.Scopes:
        """Those of a request that is made within another one, or within the SDK's middleware."""
        if owner.__class__ is not RequestRecord:
            return sdk.Scopes(self, owner)
        self._outer = owner
        return sdk.Scopes(self, owner, owner.scopes)

    def _enter(self, scope: Scope) -> Any:
        """Stand in the scope, for the layers further in, and give its headers.

        What others put under our key stays theirs.
        """
        self.thin = False
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
            scope["headers"] = headers = ReadTwice(headers)
        return headers or ()

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

    def _open(self, headers: Any) -> None:
        """Find the trace, decide, and start.

        What is faulty is left out: the request's errors are reported anyway.
        """
        try:
            self.headers = tuple(headers)
            if self.thin and self._starts_alone():
                return
            if self.view.tracing or not self.thin:
                # Set, since nobody else can ask for it yet. What is put there for who asks later
                # makes all else of the record slower to look at.
                self.context = self.trace()
            if self.scopes.displaced is not None and not self.context.came_in:
                self.context = self.scopes.displaced
            if self.decision is None:
                self.decision = self._decide()
            self._start()
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("continuing a trace", exc, "the request begins one of its own")
            self._open_anew()

    def _open_anew(self) -> None:
        self.headers, self.rand = (), None
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

    # --- what passes ------------------------------------------------------------------------------

    def overhear(self, send: Send) -> Send:
        """The app's `send`, for a layer further in."""
        if watches(send, self):  # nothing in between
            return send
        return Through(overhear, self, send)

    def shaken(self) -> None:
        """End the transaction of a websocket that has been accepted or refused, if that ends it."""
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
        try:
            if self.thin:
                decided = self.decision
                if decided is not None and self.root is not None:
                    self.root.finish(None)
                    transactions[decided.by] += 1
                if decided is not EXCLUDED:
                    self.scopes.end_session(self.view, self.began)
            else:
                self._end()
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("ending a transaction", exc, "it is lost")
        finally:
            _gone(self, None)
            if self.thin and OWNER.get(NOBODY) is self:
                self.opened_in.pop(KEY, None)
                self.scopes.leave()
            else:
                self._restore()
                self._let_go()

    def _end(self) -> None:
        if self.afterwards is not None:
            self.afterwards.stop()
        failure = None
        if self.trouble is not None:
            failure = self.trouble.failure
            self._report_trouble(self.trouble)
        if not self.finished:
            self._finish(failure)
        if self.decision is not EXCLUDED:
            self.scopes.end_session(self.view, self.began)

    def _let_go(self) -> None:
        """Of what nothing that is sent later for this request has a need.

        With it a record would be part of a circle, and its body would stay until the garbage
        collector comes to it, which is rarely after a long request.
        """
        if self._report is not None:  # an item that waits in a batch keeps it
            self._forget_errors(self._report)
        self.trouble = self.entered_with = self._outer = self._report = None
        if self.root is not None and self.root.has_span:  # else what goes on asks for that
            self.root = None

    def _report_trouble(self, trouble: Trouble) -> None:
        if trouble.failure is not None or trouble.handled is not None:
            report_failures(self)
        elif trouble.failed:
            count_failed_response(self, self.report)

    def _forget_errors(self, report: Report) -> None:
        try:
            note_failed(self, report)
            report.forget_errors()
        except Exception as exc:
            faults.note(
                "forgetting a request's errors",
                exc,
                "they stay as long as what waits to be sent",
            )

    def taint(self) -> Taint:
        """The secrets that came in with it, by value."""
        return self.report().secrets.taint()

    def _finish(self, failure: BaseException | None) -> None:
        """End the root span, once.

        What comes later on behalf of the request still belongs to its trace.
        """
        self.finished, self.thin = True, False
        end_root(self, failure, self.report)

    def _restore(self) -> None:
        try:
            if not self.hidden:
                self.opened_in.pop(KEY, None)
        except Exception:  # noqa: S110 - a scope that can't be written to has no key of ours either
            pass
        # A request that was abandoned is closed whenever and wherever it is collected: perhaps
        # within another one.
        record = OWNER.get(NOBODY)
        while record is not self and type(record) is RequestRecord:
            record = record._outer  # noqa: SLF001 - its own class
        if record is self:
            self.scopes.leave()
        else:
            self.scopes.release()

    # --- what is sent -----------------------------------------------------------------------------

    def report(self) -> Report:
        """The other half of the record, for when something is sent."""
        if self._report is None:
            self.thin = False
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
    owner = OWNER.get(NOBODY)
    if type(owner) is RequestRecord and owner.stands_in(scope):
        return owner
    return None
