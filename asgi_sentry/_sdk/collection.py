"""What the SDK's options switch off.

`send_default_pii=False` given by hand, and each part of `data_collection`.
https://develop.sentry.dev/sdk/foundations/client/data-collection/. What is switched off stays off,
whichever layers are there: layers add to what is sent, and an option says what must not be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL: Mapping[str, Any] = {"mode": "denylist"}


class Collection(NamedTuple):
    """What may be collected of a request."""

    # How, as the SDK has it: `mode` and `terms`; None: as the layers say.
    headers: Mapping[str, Any] | None = None
    cookies: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    body: bool = True
    user: bool = True  # who it is, where the app does not say so itself; and the client's address

    @property
    def everything(self) -> bool:
        """Whether nothing is switched off."""
        return self == _EVERYTHING

    def limit(self, section: dict[str, Any]) -> dict[str, Any]:
        """The request section of an event without what is switched off.

        Args:
            section: with `headers` and `cookies` by name, `query_string` and `data`, as far as they
                are there.
        """
        left = dict(section)
        if not self.body:
            left.pop("data", None)
        for part, how in (("headers", self.headers), ("cookies", self.cookies)):
            if how is not None and isinstance(left.get(part), dict):
                left[part] = _filtered(left[part], how)
                if not left[part] and how.get("mode") == "off":
                    del left[part]
        # They are the same, once more.
        if self.cookies is not None and isinstance(left.get("headers"), dict):
            left["headers"] = {
                name: value for name, value in left["headers"].items() if name.lower() != "cookie"
            }
        if self.query is not None and "query_string" in left:
            pairs = parse_qsl(str(left["query_string"]), keep_blank_values=True)
            kept = [
                pair
                for name, value in pairs
                for pair in _filtered({name: value}, self.query).items()
            ]
            left["query_string"] = urlencode(kept, safe="[]")
            if not kept:
                del left["query_string"]
        return left


_EVERYTHING = Collection()


def _filtered(items: Mapping[str, Any], how: Mapping[str, Any]) -> dict[str, Any]:
    if how.get("mode") == "off":
        return {}
    terms = [str(term).lower() for term in how.get("terms") or ()]
    named = {name for name in items if any(term in str(name).lower() for term in terms)}
    shown = named if how.get("mode") == "allowlist" else items.keys() - named
    return {name: value if name in shown else "[Filtered]" for name, value in items.items()}


def collection_of(options: Mapping[str, Any]) -> Collection:
    """What a client with these options may collect."""
    given = options.get("data_collection") or {}
    if not given.get("provided_by_user", bool(given)):
        by_hand = options.get("send_default_pii")
        return Collection(cookies={"mode": "off"}, user=False) if by_hand is False else _EVERYTHING
    return Collection(
        headers=_how((given.get("http_headers") or {}).get("request")),
        cookies=_how(given.get("cookies")),
        query=_how(given.get("url_query_params")),
        body="incoming_request" in given.get("http_bodies", ("incoming_request",)),
        user=bool(given.get("user_info", True)),
    )


def _how(given: Any) -> Mapping[str, Any] | None:
    """How a part is collected.

    None where that is no more than what the layers and the scrubber do anyway.
    """
    if not isinstance(given, dict) or (
        given.get("mode", "denylist") == "denylist" and not given.get("terms")
    ):
        return None
    return {**_ALL, **given}
