"""How a request is decided on and started, at its head and anew for each layer that it meets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._request.decided import EXCLUDED
from asgi_sentry._request.decision import OPS, decide, own_dice, revise
from asgi_sentry._request.facts import Facts
from asgi_sentry._request.plan import DEFAULT_ROOT, Plan
from asgi_sentry._request.routes import unrouted_name

if TYPE_CHECKING:
    from asgi_sentry._request.decided import Decision
    from asgi_sentry.types import Scope


class _Trace:
    """The trace of a request, made once something asks for it: most that send nothing never do."""

    __slots__ = ()

    def __get__(self, started: Any, kind: type) -> Any:
        if started is None:
            return self
        # Not set twice: threads of the app's may ask for it at the same time.
        return vars(started).setdefault("context", started.trace())


class Started(Facts):
    """A request with what was decided about it."""

    context: Any = _Trace()

    @property
    def unsampled(self) -> bool:
        """Whether it was decided that it is no transaction, and that it has no span."""
        return self.root is not None and not self.root.has_span

    def trace(self) -> sdk.TraceContext:
        """The trace that came in with the head, or one that begins here, as it was decided on."""
        context = sdk.TraceContext(self.view, self.headers, self.rand)
        if self.unsampled and self.decision is not None:
            context.sampled, context.rate = False, self.decision.rate
        return context

    def _starts_alone(self) -> bool:
        """Decide by the head alone, and start, if that says that it is no transaction.

        Then nothing has to be made: the request's scopes ask for its trace and its span once
        something asks them. Says whether it was started.
        """
        plan, view = self.plan, self.view
        if self.websocket or not view.unsampled_has_no_span:
            return False
        found: Any = (plan.head or plan.head_rules()).find(self.scope)
        decided = found
        if found is not EXCLUDED:
            dice = own_dice(view) if found is None else found.dice
            if dice is None or not plan.by_head or view.downsample():
                return False
            self.rand = rand = sdk.dice_of(self.headers)
            if rand is None:
                return False
            # No trace comes in, nothing is limited: then the dice decide.
            if rand < dice.fraction:
                self.decision = dice.yes
                return False
            decided = dice.no
            if view.sessions:
                self.scopes.isolation.tracks = True
        self.decision = decided
        self.root = view.unsampled.get(decided.reason) or sdk.unsampled_root(view, decided.reason)
        return True

    def _decide(self) -> Decision | None:
        if self.websocket and self._websockets() == "off":
            return EXCLUDED
        if self.view.tracing:
            return decide(self.plan, self.view, self.context, self.scope)
        if self.plan.samplers:
            faults.once(
                "PathSamplingMiddleware has no effect: the SDK's tracing is off. "
                "Set traces_sample_rate (SENTRY_TRACES_SAMPLE_RATE), if only to 0."
            )
        if self.plan.excludes(self.scope):
            return EXCLUDED
        return None

    def _websockets(self) -> str | None:
        """When a websocket's transaction is sent; None for another request."""
        if self.websocket:
            return (self.plan.root or DEFAULT_ROOT).websockets
        return None

    def _start(self) -> None:
        decided, view, scopes = self.decision, self.view, self.scopes
        if decided is EXCLUDED:
            scopes.drop_session()
        elif view.sessions:
            scopes.start_session(view, self.began)
        if decided is None or not view.tracing:
            if not self.thin:  # else they ask for it
                scopes.propagate(self.context)
            return
        undecided = self.plan.late is not None and decided is not EXCLUDED
        if view.unsampled_has_no_span and not decided.sampled and not undecided:
            root = sdk.start_unsampled(view, scopes, self.context, decided.rate, decided.reason)
            if decided.rule is not None and decided.rule.adaptive is not None:
                self.thin = False  # its rule learns
            self.root, self.recorded = root, False
            return
        self.root = sdk.start_root(
            view,
            scopes,
            self.context,
            sampled=decided.sampled,
            rate=decided.rate,
            reason=decided.reason,
            op=OPS[self.websocket],
            name=unrouted_name(self.opened_in),
            asgi_scope=self.scope,
            undecided=undecided,
        )
        self.thin = False
        self.recorded = self.root.recording

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
            anew: Decision | None = EXCLUDED
        elif decided is None:
            anew = self._decide()
        elif layer.samplers or layer.budgets:
            anew = revise(decided, layer, self.plan, self.view, self.context, self.scope)
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
            self.scopes.forget_span()
            self.root = None
        self.decision = anew
        self._start()
