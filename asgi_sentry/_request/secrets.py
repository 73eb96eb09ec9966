"""What must not come out of a request.

Its secrets, by value, and whose scrubber decides about which part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._request.head import header
from asgi_sentry._request.routes import route_template
from asgi_sentry._scrubbing import (
    RawTaint,
    Scrubber,
    Taint,
    collect_taint,
    parse_body,
    secrets_of_body,
)

if TYPE_CHECKING:
    from asgi_sentry._request.facts import Facts
    from asgi_sentry._scrubbing.bodies.parse import Body

_LEARNED = 64  # secrets of what was sent that are known in what is sent later
_FEW = 64  # secrets that a usual request has at most
_SCRUBBER = Scrubber()  # where the SDK was started without us


class Secrets:
    """The secrets of one request.

    Read from its head and its body when they are asked for, and kept.
    """

    __slots__ = (
        "_body_size",
        "_facts",
        "_learned",
        "_raw",
        "_raw_size",
        "_taint",
        "_taint_size",
        "parsed",
    )

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        # The body, as far as it had been read when it was asked for last.
        self.parsed: Body | None = None
        self._body_size = -1
        self._learned: dict[str, None] = {}  # secrets that were redacted in what was sent before
        self._raw: RawTaint | None = None  # as long as there is no other
        self._raw_size = 0
        self._taint: Taint | None = None
        self._taint_size = -1

    @property
    def scrubber(self) -> Scrubber:
        """Of whatever no layer has a scrubber of its own for."""
        door = self._facts.view.door
        scrubber: Scrubber = door.scrubber if door is not None else _SCRUBBER
        return scrubber

    def taint(self, read: list[str] | None = None) -> Taint:
        """The secrets that came in with this request, by value.

        Anew when more of the body has been read since.

        Args:
            read: those of headers and query, by whoever has just read them.
        """
        facts = self._facts
        size = facts.body.size if facts.body is not None else 0
        if self._taint is None or self._taint_size != size:
            body = self.body()
            self._taint = collect_taint(
                headers=facts.scope.get("headers") or (),
                query=facts.scope.get("query_string", b""),
                body=body.value if body is not None else None,
                truncated=body is not None and body.truncated,
                path=facts.scope.get("path") or "",
                route=route_template(facts.scope, facts.app) or "",
                path_params=facts.scope.get("path_params"),
                more=self._learned,
                read=read,
                keys=(self._own_of_headers() or self.scrubber).ruleset,
                body_keys=(self._own_of_bodies() or self.scrubber).ruleset,
            )
            self._taint_size = size
            self._raw = None
        return self._taint

    def raw_taint(self, read: list[str]) -> RawTaint | None:
        """The secrets of a request, where they are those of headers, query and body alone.

        None: there are others, or many, or they are not known by value.

        Args:
            read: those of headers and query, by whoever has just read them.
        """
        facts = self._facts
        if self._taint is not None:
            return None
        params = facts.scope.get("path_params")
        if params and any(map((self._own_of_headers() or self.scrubber).ruleset.decides, params)):
            return None
        size = facts.body.size if facts.body is not None else 0
        body = self.body()
        if body is not None:
            if body.truncated:
                return None
            try:
                rules = (self._own_of_bodies() or self.scrubber).ruleset
                read = [*read, *secrets_of_body(body.value, rules)]
            except Exception:  # too many members, or a fault of ours: the taint says so
                return None
        if len(read) > _FEW:  # each is looked for by itself
            return None
        self._raw, self._raw_size = RawTaint(read), size
        return self._raw

    @property
    def raw(self) -> RawTaint | None:
        """The same once it was read, as long as nothing else is known to be secret."""
        body = self._facts.body
        if body is not None and body.size != self._raw_size:
            return None
        return self._raw

    @property
    def known(self) -> object:
        """What is known to be secret by now: the same object, as long as it is."""
        raw = self.raw
        return self.taint() if raw is None else raw

    def learn(self, secrets: list[str]) -> None:
        """Know what was redacted in one item by its value in those that are sent later."""
        taint = self.taint()
        new = [
            secret for secret in secrets if secret not in self._learned and not taint.knows(secret)
        ]
        if new and len(self._learned) < _LEARNED:
            self._learned.update(dict.fromkeys(new))
            self._taint = taint.and_more(new)

    def sections(self, scrubber: Scrubber) -> dict[tuple[str, ...], Any]:
        """Which parts of an event a layer's own scrubber decides about, and not this one."""
        sections: dict[tuple[str, ...], Any] = {}
        if not self._facts.plan.scrubs_itself:
            return sections
        headers, bodies = self._own_of_headers(), self._own_of_bodies()
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

    def body(self) -> Body | None:
        """What has been read of the body so far, parsed; None: nothing."""
        copy = self._facts.body
        if copy is None or not copy.size:
            return None
        if self.parsed is None or self._body_size != copy.length:
            self.parsed = parse_body(
                copy.read(),
                content_type=header(self._facts.scope, b"content-type"),
                encoding=header(self._facts.scope, b"content-encoding"),
                truncated=copy.truncated,
                length=self.body_length(),
                part_end=copy.part_end,
            )
            self._body_size = copy.length
        return self.parsed

    def body_length(self) -> int:
        """Of the body as the client sent it.

        What has been read, or what it announced if that is more.
        """
        copy = self._facts.body
        announced = header(self._facts.scope, b"content-length") or ""
        read = 0 if copy is None else copy.length
        if announced.isdecimal() and len(announced) < 20:
            return max(read, int(announced))
        return read
