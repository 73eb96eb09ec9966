"""Request taint."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote_plus

from asgi_sentry.scrubbing.rules import FILTERED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry.scrubbing.engine import Scrubber


class Taint:
    """The secrets one request came with, by value."""

    __slots__ = ("_values",)

    def __init__(self, values: Iterable[str]) -> None:
        self._values = tuple(values)

    @classmethod
    def collect(
        cls,
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        query: bytes = b"",
        body: object = None,
        keys: Scrubber,
        body_keys: Scrubber | None = None,
    ) -> Taint:
        """From a request's parts."""
        values: dict[str, None] = {}
        for name, value in headers:
            text = value.decode("latin-1")
            if name.lower() in {b"authorization", b"proxy-authorization"}:
                scheme, _, rest = text.partition(" ")
                values[rest] = None
                if scheme.lower() == "basic":
                    try:
                        user, _, password = base64.b64decode(rest).decode("latin-1").partition(":")
                        values[user] = values[password] = None
                    except (binascii.Error, ValueError):
                        pass
            elif name.lower() == b"cookie":
                for part in text.split(";"):
                    cookie, _, held = part.strip().partition("=")
                    if len(held) >= 16 or keys.decides(cookie):
                        values[held] = None
            elif keys.decides(name):
                values[text] = None
        for part in query.decode("latin-1").split("&"):
            name_, _, held = part.partition("=")
            if keys.decides(unquote_plus(name_)):
                values[unquote_plus(held)] = None
        stack: list[tuple[Any, bool]] = [(body, False)]
        decider = body_keys or keys
        while stack:
            value_, denied = stack.pop()
            if isinstance(value_, dict):
                stack += [(inner, denied or bool(decider.decides(key))) for key, inner in value_.items()]
            elif isinstance(value_, (list, tuple)):
                stack += [(inner, denied) for inner in value_]
            elif denied and isinstance(value_, (str, int)):
                values[str(value_)] = None
        return cls(value for value in values if len(value) >= 6)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __repr__(self) -> str:
        return f"<Taint of {len(self._values)} values>"

    def replace(self, text: str) -> tuple[str, bool]:
        """The text without them."""
        new = text
        for value in self._values:
            for form in (value, quote(value, safe=""), quote_plus(value), base64.b64encode(value.encode()).decode()):
                new = new.replace(form, FILTERED)
        return new, new != text
