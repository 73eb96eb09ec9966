"""What the SDK's options switch off.

`send_default_pii=False` given by hand, and each part of `data_collection`.
https://develop.sentry.dev/sdk/foundations/client/data-collection/. What is switched off stays off,
whichever layers are there: layers add to what is sent, and an option says what must not be. What
the SDK would leave out or filter by such an option, we do not send either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALL: Mapping[str, Any] = {"mode": "denylist"}
_OFF: Mapping[str, Any] = {"mode": "off"}
# With `data_collection` the SDK filters what has any of these in its name, in each mode.
SENSITIVE = (
    *(
        "auth",
        "token",
        "secret",
        "password",
        "passwd",
        "pwd",
        "key",
        "jwt",
        "bearer",
        "sso",
        "saml",
    ),
    *("csrf", "xsrf", "credentials", "session", "sid", "identity"),
)
# And without it, where personal data is off, these headers.
_PERSONAL = (
    "remote-addr",
    "x-forwarded-for",
    "set-cookie",
    "authorization",
    "x-api-key",
    "x-real-ip",
)
_FILTERED = "[Filtered]"
_DOCUMENT = re.compile(
    r"\s{0,100}(?:(?:query|mutation|subscription|fragment)\b[^{]{0,1000})?\{\s{0,100}[A-Za-z_]"
)
_IN_TEXT = re.compile(r'"(?:query|variables)"')


class Collection(NamedTuple):
    """What may be collected of a request."""

    # How, as the SDK has it: `mode` and `terms`; None: as the layers say.
    headers: Mapping[str, Any] | None = None
    cookies: Mapping[str, Any] | None = None
    query: Mapping[str, Any] | None = None
    body: bool = True
    user: bool = True  # who it is, where the app does not say so itself; and the client's address
    document: bool = True  # of GraphQL
    variables: bool = True
    query_of_spans: bool = True  # as an attribute, where spans are streamed
    sensitive: tuple[str, ...] = ()  # what is filtered in each mode

    @property
    def everything(self) -> bool:
        """Whether nothing is switched off."""
        return self == _EVERYTHING

    def limit(self, section: dict[str, Any], *, streamed: bool = False) -> dict[str, Any]:
        """The request section of an event without what is switched off.

        Args:
            section: with `headers` and `cookies` by name, `query_string` and `data`, as far as they
                are there.
            streamed: whether it is for the attributes of a streamed span.
        """
        left = dict(section)
        if not self.body:
            left.pop("data", None)
        elif "data" in left and not (self.document and self.variables):
            data = left.pop("data")
            kept = self._without_graphql(data)
            if kept is not None or data is None:
                left["data"] = kept
        for part, how in (("headers", self.headers), ("cookies", self.cookies)):
            if how is not None and isinstance(left.get(part), dict):
                left[part] = self._filtered(left[part], how)
                if not left[part] and how.get("mode") == "off":
                    del left[part]
        if self.cookies is not None and isinstance(
            left.get("headers"), dict
        ):  # they are the same, once more
            left["headers"] = {
                name: value for name, value in left["headers"].items() if name.lower() != "cookie"
            }
        if "query_string" in left:
            if streamed and not self.query_of_spans:
                query = None
            else:
                query = self._limited_query(str(left["query_string"]))
            left["query_string"] = query
            if not query:
                del left["query_string"]
        return left

    def _limited_query(self, query: str) -> str:
        graphql = not (self.document and self.variables)
        if self.query is None and not graphql:
            return query
        pairs = parse_qsl(query, keep_blank_values=True)
        if graphql and any(name == "query" and _DOCUMENT.match(value) for name, value in pairs):
            gone = {
                name
                for name, kept in (("query", self.document), ("variables", self.variables))
                if not kept
            }
            pairs = [pair for pair in pairs if pair[0] not in gone]
        elif self.query is None:
            return query
        if self.query is not None:
            pairs = [
                pair
                for name, value in pairs
                for pair in self._filtered({name: value}, self.query).items()
            ]
        return urlencode(pairs, safe="[]")

    def _filtered(self, items: Mapping[str, Any], how: Mapping[str, Any]) -> dict[str, Any]:
        if how.get("mode") == "off":
            return {}
        terms = [str(term).lower() for term in how.get("terms") or () if term]
        named = _names_with(terms, items)
        hidden = _names_with(self.sensitive, items)
        if how.get("mode") == "allowlist":
            shown = named - hidden
        else:
            shown = items.keys() - named - hidden
        return {name: value if name in shown else _FILTERED for name, value in items.items()}

    def _without_graphql(self, data: Any) -> Any:
        """A body without what is switched off of GraphQL; None if nothing is left."""
        if isinstance(data, list):  # a batch
            return [
                self._without_graphql(each) if isinstance(each, dict) else each for each in data
            ]
        if isinstance(data, str):  # a document by itself, or JSON that was cut off
            is_json = "{" in data and _IN_TEXT.search(data)
            if is_json or (not self.document and _DOCUMENT.match(data)):
                return None
            return data
        if not isinstance(data, dict):
            return data
        if isinstance(data.get("operations"), str):  # as files are sent with it
            return {name: value for name, value in data.items() if name != "operations"}
        if not _is_graphql(data):
            return data
        gone = {
            name
            for name, kept in (("query", self.document), ("variables", self.variables))
            if not kept
        }
        return {name: value for name, value in data.items() if name not in gone}


def _is_graphql(data: Mapping[str, Any]) -> bool:
    document = data.get("query")
    if isinstance(document, str):
        return "{" in document
    return (
        document is None
        and "variables" in data
        and not data.keys().isdisjoint({"operationName", "extensions"})
    )


def _names_with(terms: Any, items: Mapping[str, Any]) -> set[str]:
    return {name for name in items if any(term in str(name).lower() for term in terms)}


_EVERYTHING = Collection()
_NOTHING_PERSONAL = Collection(
    headers={"mode": "denylist", "terms": _PERSONAL},
    cookies=_OFF,
    user=False,
    document=False,
    variables=False,
    query_of_spans=False,
)


def collection_of(options: Mapping[str, Any]) -> Collection:
    """What a client with these options may collect."""
    given = options.get("data_collection") or {}
    if not given.get("provided_by_user", _differs(given)):
        if options.get("send_default_pii") is False:
            return _NOTHING_PERSONAL
        return _EVERYTHING
    graphql = given.get("graphql") or {}
    return Collection(
        headers={**_ALL, **((given.get("http_headers") or {}).get("request") or {})},
        cookies={**_ALL, **(given.get("cookies") or {})},
        query={**_ALL, **(given.get("url_query_params") or {})},
        body="incoming_request" in given.get("http_bodies", ("incoming_request",)),
        user=bool(given.get("user_info", True)),
        document=bool(graphql.get("document", True)),
        variables=bool(graphql.get("variables", True)),
        sensitive=SENSITIVE,
    )


def _differs(given: Mapping[str, Any]) -> bool:
    """Whether an option says anything else than version 3 takes it for where nobody gave it."""
    parts = (
        given.get("cookies"),
        given.get("url_query_params"),
        (given.get("http_headers") or {}).get("request"),
    )
    if any(part not in (None, {}, _ALL) for part in parts):
        return True
    inner = [
        part for name in ("graphql", "gen_ai", "mcp") for part in (given.get(name) or {}).values()
    ]
    rest = [
        given.get(name, True)
        for name in ("user_info", "database_query_data", "queues", "stack_frame_variables")
    ]
    bodies = given.get("http_bodies", ("incoming_request",))
    return "incoming_request" not in bodies or not all(value is True for value in (*inner, *rest))
