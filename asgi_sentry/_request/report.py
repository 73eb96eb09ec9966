"""What is sent of one request: made once something is sent for it, and not before.

A report is the other half of the request facts. It names the route, reads headers, parses the body, resolves the
user, and knows the request's secrets by value, so that they can be found wherever they turn up.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._counters import count_error
from asgi_sentry._request.facts import scope_for, status_of
from asgi_sentry._request.head import attributes_of, describe_head, describe_request, header, is_local
from asgi_sentry._request.kinds import place_of
from asgi_sentry._request.logged import is_unhandled
from asgi_sentry._request.plan import DEFAULT_ROOT
from asgi_sentry._request.routes import Name, is_told, name_of, route_template, unrouted_name
from asgi_sentry._request.tag import Settled, Tag, image
from asgi_sentry._request.user import NOBODY_ASKED
from asgi_sentry._scrubbing import Scrubber, Taint, basic_users, collect_taint, parse_body
from asgi_sentry._scrubbing.headers import LONGEST

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from asgi_sentry._request.facts import Facts
    from asgi_sentry._scrubbing.bodies.parse import Body

# Exceptions that were reported for a request, each with the frames that it came through: a websocket may live for days.
_REMEMBERED = 8
_CUT = ["!limit", "x"]  # the remark of a value that was cut off
_CLIENT = "client.address"
_LEARNED = 64  # secrets of what was sent that are known in what is sent later
_SCRUBBER = Scrubber()  # where the SDK was started without us


class Report:
    """What is sent of one request. Caches what it made."""

    __slots__ = (
        "_body",
        "_body_size",
        "_checked",
        "_client",
        "_doubted",
        "_facts",
        "_learned",
        "_processor",
        "_reported",
        "_taint",
        "_taint_size",
        "_user",
    )

    def __init__(self, facts: Facts, processor: Any) -> None:
        self._facts = facts
        self._processor = processor  # by which events come here
        self._reported: deque[tuple[BaseException, Any]] = deque(maxlen=_REMEMBERED)
        self._user: dict[str, Any] = {}
        self._body: Body | None = None
        self._body_size = -1
        self._client: dict[str, Any] | None = None
        self._checked: tuple[Taint, str] | None = None  # a user's id that is none of these secrets
        self._doubted: str | None = None  # the user's id, where it may be a secret itself
        self._learned: dict[str, None] = {}  # secrets that were redacted in what was sent before
        self._taint: Taint | None = None
        self._taint_size = -1

    # --- what goes in --------------------------------------------------------------------------------------------

    def process(self, event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
        """The event processor: what is known of the request goes into an event that is about to be sent.

        Returns:
            The event; None for the second report of one exception, and for one that could not be scrubbed where no
            door stands behind us to do it.
        """
        kind = event.get("type")
        view = sdk.sender(self._facts.view)
        if kind is None and not self._is_wanted(event, hint, view):
            return None
        event = sdk.PlainEvent(event)
        try:
            self._describe(event, kind, view)
        except Exception as exc:
            faults.note("describing the request", exc, "the event goes without it")
            # Whatever stands there was put there by others, and is not yet cut down to what the layers let pass.
            event.pop("request", None)
            event.pop("user", None)
        place = place_of(hint) if kind is None and self._facts.plan.errors else None
        if view.door is not None:
            event["event_id"] = Tag(event["event_id"], self, place)
            return event
        if not self.admits(event, place):
            return None
        try:
            event = sdk.serialized(event)  # as it is sent: the app's own objects may raise when they are looked at
            self.clean_event(event, owned=True)
        except Exception as exc:
            faults.note("scrubbing", exc, "the event is not sent")
            return None
        return event

    def _is_wanted(self, event: dict[str, Any], hint: Mapping[str, Any], view: sdk.ClientView) -> bool:
        """Whether an error is to be sent; one that is may get its fingerprint by rule.

        Not if a rule ignores it, and not twice by one client, as when it was logged in a thread and then raised.
        """
        exc = (hint.get("exc_info") or (None, None))[1]
        if exc is not None or event.get("level") in {"error", "fatal"}:
            self._facts.told = True
        if exc is not None:
            if any(exc is reported and view.client is client for reported, client in self._reported):
                count_error("repeated")
                return False
            self._reported.append((exc, view.client))
            sdk.mark_sent(exc, self._facts, view.client)
        for rules in self._facts.plan.errors:
            ignored = rules.policy.ignored(exc, scope_for(self._facts, rules), status_of(self._facts))
            if ignored is not None:
                self._facts.ignored = True
                count_error(ignored)
                return False
            if exc is not None and not event.get("fingerprint"):
                fingerprint = rules.policy.fingerprint(exc)
                if fingerprint is not None:
                    event["fingerprint"] = fingerprint
        if exc is not None and is_unhandled(exc, hint.get("log_record")):
            _mark_unhandled(event)
        return True

    def forget_errors(self) -> None:
        """Let go of the exceptions that were reported, and with them of all that their frames hold."""
        self._reported.clear()

    def admits(self, event: dict[str, Any], place: str | None = None) -> bool:
        """Whether an event may be sent after all hooks have run: by the limit of its kind and by the budget.

        The one that is sent after others were held back says how many in `extra`.

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

    def _describe(self, event: dict[str, Any], kind: str | None, view: sdk.ClientView) -> None:
        """Put in what is known of the request; where a processor or a scrubber of others' comes after us, scrubbed."""
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
        section = self._request(error=kind is None)
        # With the SDK's own integrations on, what stands there is theirs: not scrubbed, and not asked for.
        event["request"] = section if view.patched else {**(event.get("request") or {}), **section}
        user = self._describe_user(event.get("user"), checked=False)  # whoever scrubs the event checks it
        if user:
            event["user"] = user
        else:
            event.pop("user", None)
        if view.door is not None and (view.scrubs or not sdk.is_last_processor(self._processor)):
            event["request"] = self._cleaned(event["request"], view.door.scrubber)

    def named(self, name: str | None, source: str | None) -> tuple[str, str]:
        """The name that the request goes by and its source: the one the user gave it, else its route's."""
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
            if name is not None and name.startswith("/") and (scope.get("path") or "").endswith(name):
                return own.name, "url"  # it takes the path where no route matched, and paths come from outside
        return str(name), "custom" if source in {None, "", "url"} else str(source)

    def _own_name(self) -> Name:
        facts = self._facts
        return name_of(facts.scope, facts.app, style=(facts.plan.root or DEFAULT_ROOT).name)

    def _request(self, *, error: bool) -> dict[str, Any]:
        """The `request` of an event: https://develop.sentry.dev/sdk/data-model/event-payloads/request/.

        Args:
            error: whether it is for an error; a body may be wanted for errors only.
        """
        facts = self._facts
        section = describe_request(facts.scope)
        if facts.plan.headers:
            section.update(describe_head(facts.scope))
        attach = facts.plan.bodies[0].attach if facts.plan.bodies else "never"
        if attach == "always" or (error and attach == "errors"):
            body = self._parsed_body()
            if body is not None and body.kind != "empty":
                section["data"] = body.value
        collection = facts.view.collection
        return section if collection.everything else collection.limit(section)

    def _cleaned(self, section: dict[str, Any], scrubber: Scrubber) -> dict[str, Any]:
        """A request section as the door with this scrubber would scrub it."""
        event = {"request": section}
        scrubber.scrub_event(event, taint=self.taint(), sections=self._sections(scrubber))
        return event["request"]

    def _describe_user(self, given: Mapping[str, Any] | None, *, checked: bool = True) -> dict[str, Any]:
        """The user to send: of what was given by the SDK's own `set_user`, bound by our helper, or resolved.

        Args:
            given: by the SDK's own `set_user`.
            checked: whether an id that is a secret itself is left out; False where it is scrubbed with an event.
        """
        facts = self._facts
        bound = {**(given or {}), **facts.bound_user}
        if facts.plan.user is None and not facts.bound_user:
            return bound
        asked = facts.plan.user or NOBODY_ASKED
        if not facts.view.collection.user:  # then it is what the app says, and nothing that is found
            asked = replace(asked, resolve=None, client_ip="drop")
        self._user = asked.describe(facts.scope, given=bound)
        self._doubted = None
        if asked.key is None and "id" in self._user:
            self._doubted = str(self._user["id"])
            if checked:
                self._check_identity(self._doubted)
        return self._user

    def _check_identity(self, identity: str) -> None:
        """Drop the user's id if it is a secret itself, such as the request's API key, or an e-mail address."""
        taint = self.taint()
        if self._checked is not None and self._checked[0] is taint and self._checked[1] == identity:
            return  # for an item that was sent before
        if self._is_basic_user(identity) or self.scrubber.scrub(identity, taint=taint) == identity:
            self._checked = taint, identity
        else:
            self._drop_identity()

    def _is_basic_user(self, identity: str) -> bool:
        """Whether it is the name in Basic credentials, by which who calls is known."""
        return identity in basic_users(self._facts.scope.get("headers") or ())

    def _drop_identity(self) -> None:
        self._user = {field: value for field, value in self._user.items() if field != "id"}
        faults.once(
            "A user's id is not sent: it is an e-mail address or a secret of the request. "
            "UserContextMiddleware(pseudonymize_with=KEY) sends a keyed hash in its place."
        )

    def root_attributes(self, *, whole: bool) -> dict[str, Any]:
        """The request as attributes of the root span.

        Args:
            whole: also what stands in the request section, where the root span has none.
        """
        facts = self._facts
        attributes: dict[str, Any] = {"http.request.method": facts.scope.get("method", "GET")}
        template = route_template(facts.scope, facts.app)
        if template is not None:
            attributes["http.route"] = template
        if whole:
            section = self._cleaned(self._request(error=False), self.scrubber)
            attributes.update(attributes_of(section))
            attributes.update(self._client_attributes())
            attributes["network.protocol.name"] = facts.scope["type"]  # as the SDK has it
            if "data" in section:
                attributes["http.request.body.size"] = self._body_length()
            address = self._describe_user(None).get("ip_address")
            if facts.plan.user is not None and address is not None:
                attributes[_CLIENT] = address
        return attributes

    def enrich(self, attributes: MutableMapping[str, Any]) -> None:
        """Add the user to the attributes of a log, a metric or a streamed span, as an event would have it."""
        facts = self._facts
        # A child, ended before its segment got its name.
        if attributes.get("sentry.segment.name") == unrouted_name(facts.opened_in):
            attributes["sentry.segment.name"] = self.named(None, None)[0]
        for field, value in self._describe_user(None).items():
            attributes.setdefault(_user_attribute(field), value)
        for name, value in self._client_attributes().items():
            attributes.setdefault(name, value)

    def _client_attributes(self) -> dict[str, Any]:
        """What Sentry's filters of local requests, old browsers and crawlers go by, on whatever has no request."""
        if self._client is None:
            facts = self._facts
            self._client = {"sentry.is_localhost": is_local(facts.scope)}
            agent = header(facts.scope, b"user-agent") if facts.plan.headers else None
            if agent is not None and len(agent) <= LONGEST:
                limited = facts.view.collection.limit({"headers": {"user-agent": agent}})
                if limited.get("headers"):
                    self._client["user_agent.original"] = limited["headers"]["user-agent"]
        return self._client

    # --- what must not come out ----------------------------------------------------------------------------------

    @property
    def scrubber(self) -> Scrubber:
        """Of whatever no layer has a scrubber of its own for."""
        door = self._facts.view.door
        scrubber: Scrubber = door.scrubber if door is not None else _SCRUBBER
        return scrubber

    def taint(self) -> Taint:
        """The secrets that came in with this request, by value; anew when more of the body has been read since."""
        facts = self._facts
        size = facts.body.size if facts.body is not None else 0
        if self._taint is None or self._taint_size != size:
            body = self._parsed_body()
            self._taint = collect_taint(
                headers=facts.scope.get("headers") or (),
                query=facts.scope.get("query_string", b""),
                body=body.value if body is not None else None,
                truncated=body is not None and body.truncated,
                path=facts.scope.get("path") or "",
                route=route_template(facts.scope, facts.app) or "",
                path_params=facts.scope.get("path_params"),
                more=self._learned,
                keys=(self._own_of_headers() or self.scrubber).ruleset,
                body_keys=(self._own_of_bodies() or self.scrubber).ruleset,
            )
            self._taint_size = size
        return self._taint

    def clean_event(
        self,
        event: dict[str, Any],
        settled: Settled | None = None,
        *,
        scrubber: Scrubber | None = None,
        owned: bool = False,
    ) -> None:
        """Scrub an event or a transaction of this request in place, by key, by value and by taint.

        Args:
            event: whose every part is scrubbed, but for what is as it was when it was
            settled: scrubbed before.
            scrubber: of the door that it leaves by; the default is that of the request's own client.
            owned: whether nobody else has it, or anything in it.
        """
        scrubber = self.scrubber if scrubber is None else scrubber
        if settled is not None and settled.taint is self.taint() and settled.scrubber is scrubber:
            changed = settled.changed(event)
            if changed:
                part = {**changed}
                self.clean_event(part, scrubber=scrubber)
                for field in changed.keys() - part.keys():
                    del event[field]
                _merge(part, event)
            return
        decided, doubted = self._decided(event)
        secrets: list[str] = []
        sections = self._sections(scrubber)
        scrubber.scrub_event(event, taint=self.taint(), sections=sections, secrets=secrets, owned=owned)
        self._learn(secrets)
        if doubted is not None and event["user"].get("id") != doubted:
            _take_out(event, "user", "id")
            _take_out(event, "_meta", "user", "id")
            self._drop_identity()
        if decided:
            event["user"] = {**decided, **event.get("user", {})}
        self._mark_cut(event)

    def _decided(self, event: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Take out of an event's user what the user layer put there, which is there by the team's decision.

        Returns:
            What was taken out; and the id if it stays, since nobody knows yet whether it is a secret itself.
        """
        user = event.get("user")
        if not isinstance(user, dict):
            return {}, None
        decided = {field: value for field, value in user.items() if self._user.get(field) == value}
        doubted = decided.get("id")
        if doubted is not None and doubted == self._doubted and not self._is_basic_user(doubted):
            del decided["id"]
        else:
            doubted = None
        event["user"] = {field: value for field, value in user.items() if field not in decided}
        return decided, doubted

    def settle(self, event: dict[str, Any], scrubber: Scrubber) -> Settled:
        """Scrub an event in place, and remember what it looks like then."""
        self.clean_event(event, scrubber=scrubber, owned=True)
        contexts = event.get("contexts") or {}
        trace = contexts.get("trace")
        if isinstance(trace, dict) and "dynamic_sampling_context" in trace:  # the SDK takes it out after the hook
            trace = {key: value for key, value in trace.items() if key != "dynamic_sampling_context"}
            return Settled(image({**event, "contexts": {**contexts, "trace": trace}}), self.taint(), scrubber)
        return Settled(image(event), self.taint(), scrubber)

    def _mark_cut(self, event: dict[str, Any]) -> None:
        """Say of a body that was cut off that it was, and how long it is.

        As Sentry says it of any value: https://develop.sentry.dev/sdk/data-model/event-payloads/#meta-information
        """
        body, request = self._body, event.get("request")
        if body is None or not body.truncated or not isinstance(request, dict) or "data" not in request:
            return
        meta = event
        for key in ("_meta", "request", "data", ""):
            meta = meta.setdefault(key, {})
        meta.setdefault("len", self._body_length())
        if _CUT not in (remarks := meta.get("rem") or ()):
            meta["rem"] = [*remarks, _CUT]

    def _body_length(self) -> int:
        """Of the body as the client sent it: what has been read, or what it announced if that is more."""
        copy = self._facts.body
        announced = header(self._facts.scope, b"content-length") or ""
        read = 0 if copy is None else copy.length
        return max(read, int(announced)) if announced.isdecimal() and len(announced) < 20 else read

    def clean_telemetry(
        self, kind: str, entries: list[dict[str, Any]], *, scrubber: Scrubber | None = None
    ) -> list[dict[str, Any]]:
        """Logs, metrics or streamed spans of this request, scrubbed, in their wire form.

        Args:
            kind: the type of the envelope item.
            entries: of the item's batch.
            scrubber: of the door that they leave by; the default is that of the request's own client.
        """
        scrubber = self.scrubber if scrubber is None else scrubber
        decided: list[dict[str, Any]] = []
        for entry in entries:
            attributes = entry.get("attributes") or {}
            names = [(_user_attribute(field), value) for field, value in self._user.items()]
            if "ip_address" in self._user:
                names.append((_CLIENT, self._user["ip_address"]))
            kept = {name: attributes.pop(name) for name, value in names if _holds(attributes.get(name), value)}
            decided.append(kept)
        secrets: list[str] = []
        payload = scrubber.scrub_item(kind, {"items": entries}, taint=self.taint(), secrets=secrets)
        self._learn(secrets)
        cleaned: list[dict[str, Any]] = payload["items"]
        for entry, kept in zip(cleaned, decided, strict=True):
            if kept:
                entry["attributes"] = {**entry.get("attributes", {}), **kept}
        return cleaned

    def _learn(self, secrets: list[str]) -> None:
        """Know what was redacted in one item by its value in those that are sent later."""
        taint = self.taint()
        new = [secret for secret in secrets if secret not in self._learned and not taint.knows(secret)]
        if new and len(self._learned) < _LEARNED:
            self._learned.update(dict.fromkeys(new))
            self._taint = None

    def _sections(self, scrubber: Scrubber) -> dict[tuple[str, ...], Any]:
        """Which parts of an event a layer's own scrubber decides about, and not this one."""
        headers, bodies = self._own_of_headers(), self._own_of_bodies()
        sections: dict[tuple[str, ...], Any] = {}
        if headers is not None and headers is not scrubber:
            for part in ("headers", "cookies", "query_string", "url"):
                sections["request", part] = headers
        if bodies is not None and bodies is not scrubber:
            sections["request", "data"] = bodies
        return sections

    def _own_of_headers(self) -> Scrubber | None:
        return next((each for each in self._facts.plan.headers if each is not None), None)

    def _own_of_bodies(self) -> Scrubber | None:
        own = (policy.scrubber for policy in self._facts.plan.bodies)
        return next((each for each in own if each is not None), None)

    def _parsed_body(self) -> Body | None:
        copy = self._facts.body
        if copy is None or not copy.size:
            return None
        if self._body is None or self._body_size != copy.length:
            self._body = parse_body(
                copy.read(),
                content_type=header(self._facts.scope, b"content-type"),
                encoding=header(self._facts.scope, b"content-encoding"),
                truncated=copy.truncated,
                length=self._body_length(),
                part_end=copy.part_end,
            )
            self._body_size = copy.length
        return self._body


def _merge(part: dict[str, Any], event: dict[str, Any]) -> None:
    """Put the fields of a part back into its event; what was said of others in `_meta` stays."""
    meta = part.pop("_meta", None)
    event.update(part)
    pending = []
    if meta:
        pending.append((meta, event.setdefault("_meta", {})))
    while pending:
        more, said = pending.pop()
        for key, value in more.items():
            if isinstance(value, dict) and isinstance(said.get(key), dict):
                pending.append((value, said[key]))
            else:
                said[key] = value


def _take_out(holder: dict[str, Any], *path: str) -> None:
    """Take out what stands at a path, and each container that it leaves empty."""
    above: list[tuple[dict[str, Any], str]] = []
    for step in path:
        above.append((holder, step))
        inner = holder.get(step)
        if inner is None:
            return
        holder = inner
    for container, step in reversed(above):
        del container[step]
        if container:
            return


def _mark_unhandled(event: dict[str, Any]) -> None:
    """Let an exception that was logged count as one that nobody handled: the session is counted by it."""
    values = (event.get("exception") or {}).get("values") or []
    if values and isinstance(values[-1], dict):
        values[-1]["mechanism"] = {"type": "asgi", "handled": False}


def _holds(attribute: Any, value: Any) -> bool:
    return isinstance(attribute, dict) and attribute.get("value") == value


def _user_attribute(field: str) -> str:
    """https://develop.sentry.dev/sdk/telemetry/attributes/ calls the username a name."""
    return f"user.{'name' if field == 'username' else field}"
