"""What is sent of one request: made once something is sent for it, and not before.

A report is the other half of the request facts. It names the route, and describes the head, the
body and the user. What it describes, and what others put beside that, it scrubs (`scrubbing`).
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._counters import count_error
from asgi_sentry._request.facts import scope_for, status_of, trouble_of
from asgi_sentry._request.head import (
    attributes_of,
    describe_head,
    describe_request,
    header,
    is_local,
)
from asgi_sentry._request.identity import CLIENT, user_attribute
from asgi_sentry._request.kinds import place_of
from asgi_sentry._request.logged import is_unhandled
from asgi_sentry._request.plan import DEFAULT_ROOT
from asgi_sentry._request.routes import (
    Name,
    is_told,
    name_by_route,
    name_of,
    route_template,
    unrouted_name,
)
from asgi_sentry._request.scrubbing import Scrubbing
from asgi_sentry._request.tag import Owed, Tag
from asgi_sentry._scrubbing.headers_and_urls import LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from asgi_sentry._request.facts import Facts
    from asgi_sentry._scrubbing import Scrubber

# Exceptions that were reported for a request, each with the frames that it came through: a
# websocket may live for days.
_REMEMBERED = 8
_UNASKED = "?"  # in the place of a route's template: none is like this


class Report(Scrubbing):
    """What is sent of one request. Caches what it made."""

    __slots__ = ("_client", "_processor", "_reported", "_template", "later")

    def __init__(self, facts: Facts, processor: Any) -> None:
        super().__init__(facts)
        self._processor = processor  # by which events come here
        # A weak reference to the envelope that was sent last for it, which may wait to be scrubbed.
        self.later: Any = None
        self._reported: deque[tuple[BaseException, Any]] = deque(maxlen=_REMEMBERED)
        self._client: dict[str, Any] | None = None
        self._template: str | None = _UNASKED

    def process(self, event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event processor: puts what is known of the request into an event.

        Returns:
            The event; None for the second report of one exception, and for one that could not be
            scrubbed where no door stands behind us to do it.
        """
        self._look()
        kind = event.get("type")
        direct = type(event) is sdk.DirectEvent  # of the request's own client
        view = self._facts.view if direct else sdk.sender(self._facts.view)
        if kind is None and not self._is_wanted(event, hint, view):
            return None
        if not direct:
            event = sdk.PlainEvent(event)
        tag = Tag(event["event_id"], self)
        try:
            if type(event) is sdk.DirectEvent and self._is_usual(event, view):
                section = partial(self._request, view.collection, error=False)
                with_body = self._facts.body is not None and self._attaches_always()
                tag.owed = Owed(section, with_body, event.same)
            self._describe(event, kind, view, owed=tag.owed is not None)
        except Exception as exc:
            faults.note("describing the request", exc, "the event goes without it")
            # Whatever stands there was put there by others, and is not yet cut down to what the
            # layers let pass.
            event.pop("request", None)
            event.pop("user", None)
            tag.owed = None
        place = place_of(hint) if kind is None and self._facts.plan.errors else None
        if view.door is not None:
            tag.place = place
            event["event_id"] = tag
            return event
        if not self.admits(event, place):
            return None
        try:
            if kind is None:
                sdk.attach_stack(event, view.client)
            # As it is sent: the app's own objects may raise when they are looked at.
            event = sdk.serialized(event, view.client)
            self.scrub_event(event, owned=True)
        except Exception as exc:
            faults.note("scrubbing", exc, "the event is not sent")
            return None
        return event

    def _is_wanted(
        self, event: dict[str, Any], hint: Mapping[str, Any], view: sdk.ClientView
    ) -> bool:
        """Whether an error is to be sent; one that is may get its fingerprint by rule.

        Not if a rule ignores it, and not twice by one client, as when it was logged in a thread and
        then raised.
        """
        exc = (hint.get("exc_info") or (None, None))[1]
        if exc is not None or event.get("level") in {"error", "fatal"}:
            trouble_of(self._facts).told = True
        if exc is not None:
            if any(
                exc is reported and view.client is client for reported, client in self._reported
            ):
                count_error("repeated")
                return False
            self._reported.append((exc, view.client))
            sdk.mark_sent(exc, self._facts, view.client)
        for rules in self._facts.plan.errors:
            ignored = rules.policy.ignored(
                exc, scope_for(self._facts, rules), status_of(self._facts)
            )
            if ignored is not None:
                trouble_of(self._facts).ignored = True
                count_error(ignored)
                return False
            if exc is not None and not event.get("fingerprint"):
                fingerprint = rules.policy.fingerprint(exc)
                if fingerprint is not None:
                    event["fingerprint"] = fingerprint
        if exc is not None and is_unhandled(exc, hint.get("log_record")):
            _mark_unhandled(event)
        return True

    def _look(self) -> None:
        """Whatever is sent tells in which thread the app was when it was made."""
        root = self._facts.root
        if root is not None and root.threads is not None:
            root.threads.look()

    def forget_errors(self) -> None:
        """Let go of the exceptions that were reported, and of all that their frames hold."""
        self._reported.clear()

    def admits(self, event: dict[str, Any], place: str | None = None) -> bool:
        """Whether an event may be sent after all hooks have run.

        By the limit of its kind and by the budget. The one that is sent after others were held back
        says how many in `extra`.

        Args:
            event: as it is sent.
            place: where its message comes from, if its tag is off already.
        """
        if event.get("type") is not None:
            return True
        tag = event.get("event_id")
        if isinstance(tag, Tag):
            place = tag.place
        for rules in self._facts.plan.errors:
            admission = rules.policy.admit(event, place)
            if not admission.admitted:
                count_error("limit")
                return False
            if rules.budget is not None and not rules.budget.take(ordinary=not admission.news):
                rules.policy.put_back(event, admission.suppressed, place)
                count_error("budget")
                return False
            if admission.suppressed:
                event.setdefault("extra", {})["suppressed"] = admission.suppressed
        count_error("sent")
        return True

    def _attaches_always(self) -> bool:
        """Whether a body is attached to transactions, too."""
        bodies = self._facts.plan.bodies
        return bool(bodies) and bodies[0].attach == "always"

    def _is_usual(self, event: sdk.DirectEvent, view: sdk.ClientView) -> bool:
        """Whether the `request` of a transaction can be left to the door to put in.

        Nobody looks at it before, and it is as the layers say.
        """
        if event.same is not None:  # nobody but ours has seen it, which is sent through a door
            return bool(self._facts.plan.headers) and view.collection.everything
        return (
            view.door is not None
            and not view.scrubs
            and not view.patched
            and bool(self._facts.plan.headers)
            and not event.get("request")
            and (self._facts.body is None or not self._attaches_always())
            and view.collection.everything
            and sdk.is_last_processor(self._processor)
        )

    def _describe(
        self, event: dict[str, Any], kind: str | None, view: sdk.ClientView, *, owed: bool
    ) -> None:
        """Put in what is known of the request.

        Where a processor or a scrubber of others' comes after us, scrubbed.

        Args:
            event: to put it in.
            kind: its type; None: an error.
            view: of the client that sends it.
            owed: whether its `request` is put in later.
        """
        if kind is None:
            info = event.get("transaction_info") or {}
            name, source = self.named(event.get("transaction"), info.get("source"))
            event["transaction"], event["transaction_info"] = name, {"source": source}
            status = status_of(self._facts)
            if status is not None:
                contexts = event["contexts"] = {**(event.get("contexts") or {})}
                contexts["response"] = {**(contexts.get("response") or {}), "status_code": status}
        elif kind == "transaction":
            event["tags"] = {"asgi.type": self._facts.scope["type"], **(event.get("tags") or {})}
        else:
            return  # a check-in has no request
        section = {} if owed else self._request(view.collection, error=kind is None)
        # With the SDK's own integrations on, what stands there is theirs: not scrubbed, and not
        # asked for.
        if not owed:
            given = {} if view.patched else event.get("request") or {}
            event["request"] = {**given, **section}
        # Whoever scrubs the event checks the id.
        user = self._identity.describe(event.get("user"), found=view.collection.user, checked=False)
        if user:
            event["user"] = user
        else:
            event.pop("user", None)
        if (
            view.door is not None
            and not owed
            and (view.scrubs or not sdk.is_last_processor(self._processor))
        ):
            event["request"] = self._scrubbed(event["request"], view.door.scrubber)

    def named(self, name: str | None, source: str | None) -> tuple[str, str]:
        """The name that the request goes by and its source.

        The one the user gave it, else its route's.
        """
        facts = self._facts
        scope = facts.scope
        ours = name is None or name in {"", unrouted_name(facts.opened_in)}
        # The SDK's integrations rename with the source given; a user who names rarely gives one.
        renamed = source in {"route", "component", "url"}
        if ours or (renamed and facts.view.patched):
            return self._own_name()
        if renamed and not is_told(scope):  # by an integration that stays on, such as Django's
            own = self._own_name()
            if own.name != unrouted_name(scope):
                return own
            if (
                name is not None
                and name.startswith("/")
                and (scope.get("path") or "").endswith(name)
            ):
                # It takes the path where no route matched, and paths come from outside.
                return own.name, "url"
        return str(name), "custom" if source in {None, "", "url"} else str(source)

    def _own_name(self) -> Name:
        facts = self._facts
        style = (facts.plan.root or DEFAULT_ROOT).name
        if style == "route":
            return name_by_route(facts.scope, self.template())
        return name_of(facts.scope, facts.app, style=style)

    def template(self) -> str | None:
        """The template of the route. Once the request is over, no other one is to be found."""
        if self._template is not _UNASKED:
            return self._template
        facts = self._facts
        template = route_template(facts.scope, facts.app)
        if facts.finished:
            self._template = template
        return template

    def _request(
        self, collection: sdk.Collection, *, error: bool, streamed: bool = False
    ) -> dict[str, Any]:
        """The `request` of an event.

        https://develop.sentry.dev/sdk/data-model/event-payloads/request/.

        Args:
            collection: what the client that sends it may collect.
            error: whether it is for an error; a body may be wanted for errors only.
            streamed: whether it is for the attributes of a streamed span.
        """
        facts = self._facts
        section = describe_request(facts.scope)
        if facts.plan.headers:
            section.update(describe_head(facts.scope))
        attach = facts.plan.bodies[0].attach if facts.plan.bodies else "never"
        if attach == "always" or (error and attach == "errors"):
            body = self.secrets.body()
            if body is not None and body.kind != "empty":
                section["data"] = body.value
        if collection.everything:
            return section
        return collection.limit(section, streamed=streamed)

    def _scrubbed(self, section: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
        """A request section as the door with this scrubber would scrub it."""
        event = {"request": section}
        scrubber.scrub_event(
            event, taint=self.secrets.taint(), sections=self.secrets.sections(scrubber)
        )
        return event["request"]

    def root_attributes(self, *, whole: bool) -> dict[str, Any]:
        """The request as attributes of the root span.

        Args:
            whole: also what stands in the request section, where the root span has none.
        """
        facts = self._facts
        attributes: dict[str, Any] = {"http.request.method": facts.scope.get("method", "GET")}
        template = self.template()
        if template is not None:
            attributes["http.route"] = template
        if whole:
            asked = self._request(facts.view.collection, error=False, streamed=True)
            section = self._scrubbed(asked, self.secrets.scrubber)
            attributes.update(attributes_of(section))
            attributes.update(self._client_attributes())
            attributes["network.protocol.name"] = facts.scope["type"]  # as the SDK has it
            if "data" in section:
                attributes["http.request.body.size"] = self.secrets.body_length()
            address = self._identity.describe(None).get("ip_address")
            if facts.plan.user is not None and address is not None:
                attributes[CLIENT] = address
        return attributes

    def enrich(self, attributes: MutableMapping[str, Any]) -> None:
        """Add the user to a log, a metric or a streamed span, as an event would have it."""
        facts = self._facts
        self._look()
        # A child, ended before its segment got its name.
        if attributes.get("sentry.segment.name") == unrouted_name(facts.opened_in):
            attributes["sentry.segment.name"] = self.named(None, None)[0]
        # Where the SDK may not say who it is, it says so of errors alone, if the app does.
        for field, value in (
            self._identity.describe(None).items() if facts.view.collection.user else ()
        ):
            attributes.setdefault(user_attribute(field), value)
        for name, value in self._client_attributes().items():
            attributes.setdefault(name, value)

    def _client_attributes(self) -> dict[str, Any]:
        """What Sentry's inbound filters go by, on whatever has no request section.

        These are local requests, old browsers and crawlers.
        """
        if self._client is None:
            facts = self._facts
            self._client = {"sentry.is_localhost": is_local(facts.scope)}
            agent = header(facts.scope, b"user-agent") if facts.plan.headers else None
            if agent is not None and len(agent) <= LONGEST:
                limited = facts.view.collection.limit({"headers": {"user-agent": agent}})
                if limited.get("headers"):
                    self._client["user_agent.original"] = limited["headers"]["user-agent"]
        return self._client


def _mark_unhandled(event: dict[str, Any]) -> None:
    """Let an exception that was logged count as one that nobody handled.

    The session is counted by it.
    """
    values = (event.get("exception") or {}).get("values") or []
    if values and isinstance(values[-1], dict):
        values[-1]["mechanism"] = {"type": "asgi", "handled": False}
