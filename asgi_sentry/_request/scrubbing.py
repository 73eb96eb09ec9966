"""How an item of a request is scrubbed.

By key, by value, and by the secrets that the request came with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry import _sdk as sdk
from asgi_sentry._request.head import raw_head
from asgi_sentry._request.identity import Identity
from asgi_sentry._request.secrets import Secrets
from asgi_sentry._request.tag import Settled, look_at

if TYPE_CHECKING:
    from asgi_sentry._request.facts import Facts
    from asgi_sentry._request.tag import Owed
    from asgi_sentry._scrubbing import RawTaint, Scrubber, Taint

_CUT = ["!limit", "x"]  # the remark of a value that was cut off


class Scrubbing:
    """Scrubs what is sent of one request."""

    __slots__ = ("_facts", "_identity", "secrets")

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.secrets = Secrets(facts)
        self._identity = Identity(facts, self.secrets)

    def scrub_event(
        self,
        event: dict[str, Any],
        settled: Settled | None = None,
        *,
        scrubber: Scrubber | None = None,
        owned: bool = False,
        owed: Owed | None = None,
    ) -> None:
        """Scrub an event or a transaction of this request in place, by key, by value and by taint.

        Args:
            event: whose every part is scrubbed, but for what is as it was when it was
            settled: scrubbed before.
            scrubber: of the door that it leaves by; the default is that of the request's own
                client.
            owned: whether nobody else has it, or anything in it.
            owed: what it lacks, and is put in.
        """
        scrubber = self.secrets.scrubber if scrubber is None else scrubber
        if (
            settled is not None
            and settled.known is self.secrets.known
            and settled.scrubber is scrubber
        ):
            changed = settled.changed(event)
            if changed:
                part = {**changed}
                self.scrub_event(part, scrubber=scrubber)
                for field in changed.keys() - part.keys():
                    del event[field]
                _merge(part, event)
            return
        decided, doubted = self._identity.take_out_decided(event)
        secrets: list[str] = []
        if owed is None:
            is_done = self._scrub_by_raw_taint(event, scrubber, secrets, owned=owned)
        else:
            is_done = self._scrub_with_head(event, scrubber, secrets, owed)
        if not is_done:
            if owed is not None:
                if owed.same is None:
                    event["request"] = owed.section()
                else:
                    whole = {"request": owed.section()}
                    event.update(sdk.serialized(whole, self._facts.view.client))
                    owed.same.add_to(event)
            sections = self.secrets.sections(scrubber)
            scrubber.scrub_event(
                event, taint=self.secrets.taint(), sections=sections, secrets=secrets, owned=owned
            )
        if secrets:
            self.secrets.learn(secrets)
        if doubted is not None and event["user"].get("id") != doubted:
            _take_out(event, "user", "id")
            _take_out(event, "_meta", "user", "id")
            self._identity.drop_id()
        if decided:
            event["user"] = {**decided, **event.get("user", {})}
        self._mark_cut(event)

    def _scrub_with_head(
        self,
        event: dict[str, Any],
        scrubber: Scrubber,
        secrets: list[str],
        owed: Owed,
    ) -> bool:
        """Scrub a usual event in place and put in what it lacks, all in one pass.

        False: it is not usual, and was not changed.
        """
        if self.secrets.sections(scrubber):
            return False
        same, data, meta = owed.same, None, None
        if same is not None and not _is_harmless(same, scrubber):
            return False
        if owed.with_body:
            try:
                data, meta = self._trimmed_body()
            except ValueError:  # cut off, or not plain
                return False
        look = scrubber.look_at(raw_head(self._facts.scope), data)
        if look is None:
            return False
        taint: RawTaint | Taint | None = self.secrets.raw_taint(look.came_with)
        if taint is None:
            taint = self.secrets.taint(look.came_with)
        if same is None:
            return scrubber.scrub_with_head(event, look, taint, secrets)
        look.ids += same.arguments
        if not scrubber.scrub_with_head(event, look, taint, secrets, is_composed=True):
            return False
        same.add_to(event)
        if meta:
            part = {"_meta": {"request": {"data": meta}}}
            _merge(part, event)
        return True

    def _trimmed_body(self) -> tuple[Any, dict[str, Any] | None]:
        """What was read of the body, as it is shown, and what `_meta` says of it.

        Raises:
            ValueError: it was cut off, or is not plain.
        """
        body = self.secrets.body()
        if body is None or body.kind == "empty":
            return None, None
        if body.truncated:
            raise ValueError("it is to be said how long it is")
        return sdk.trimmed_body(body.value, self._facts.view.client.options)

    def _scrub_by_raw_taint(
        self, event: dict[str, Any], scrubber: Scrubber, secrets: list[str], *, owned: bool
    ) -> bool:
        """Scrub an event or a part of one that holds nothing of the request's, once that was read.

        False: it may hold something, and was not changed.
        """
        raw = self.secrets.raw
        if raw is None or self.secrets.sections(scrubber):
            return False
        return scrubber.scrub_if_usual(event, raw, secrets, owned=owned)

    def settle(
        self, event: dict[str, Any], scrubber: Scrubber, owed: Owed | None = None
    ) -> Settled:
        """Scrub an event in place, and remember what it looks like then."""
        self.scrub_event(event, scrubber=scrubber, owned=True, owed=owed)
        return Settled(look_at(event), self.secrets.known, scrubber)

    def scrub_telemetry(
        self, kind: str, entries: list[dict[str, Any]], *, scrubber: Scrubber | None = None
    ) -> list[dict[str, Any]]:
        """Logs, metrics or streamed spans of this request, scrubbed, in their wire form.

        Args:
            kind: the type of the envelope item.
            entries: of the item's batch.
            scrubber: of the door that they leave by; the default is that of the request's own
                client.
        """
        scrubber = self.secrets.scrubber if scrubber is None else scrubber
        decided: list[dict[str, Any]] = []
        for entry in entries:
            attributes = entry.get("attributes") or {}
            names = self._identity.attributes()
            kept = {
                name: attributes.pop(name)
                for name, value in names
                if _holds(attributes.get(name), value)
            }
            decided.append(kept)
        secrets: list[str] = []
        payload = scrubber.scrub_item(
            kind, {"items": entries}, taint=self.secrets.taint(), secrets=secrets
        )
        self.secrets.learn(secrets)
        scrubbed: list[dict[str, Any]] = payload["items"]
        for entry, kept in zip(scrubbed, decided, strict=True):
            if kept:
                entry["attributes"] = {**entry.get("attributes", {}), **kept}
        return scrubbed

    def _mark_cut(self, event: dict[str, Any]) -> None:
        """Say of a body that was cut off that it was, and how long it is.

        As Sentry says it of any value:
        https://develop.sentry.dev/sdk/data-model/event-payloads/#meta-information
        """
        body, request = self.secrets.parsed, event.get("request")
        if (
            body is None
            or not body.truncated
            or not isinstance(request, dict)
            or "data" not in request
        ):
            return
        meta = event
        for key in ("_meta", "request", "data", ""):
            meta = meta.setdefault(key, {})
        meta.setdefault("len", self.secrets.body_length())
        if _CUT not in (remarks := meta.get("rem") or ()):
            meta["rem"] = [*remarks, _CUT]


def _is_harmless(same: sdk.ConstantParts, scrubber: Scrubber) -> bool:
    """Whether nothing is to be redacted in what is the same in each transaction of a client."""
    if same.checked_by is not scrubber:
        before: dict[str, Any] = {"contexts": {}}
        same.add_to(before)
        after: dict[str, Any] = {"contexts": {}}
        same.add_to(after)
        scrubber.scrub_event(after)
        same.harmless = before == after
        same.checked_by = scrubber
    return same.harmless


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


def _holds(attribute: Any, value: Any) -> bool:
    return isinstance(attribute, dict) and attribute.get("value") == value
