"""Bodies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A parsed body."""

    value: Any
    kind: str
    truncated: bool = False


def parse_body(raw: bytes, *, content_type: str | None, encoding: str | None = None, truncated: bool = False) -> Body:
    """Parse a body by its content type."""
    if not raw:
        return Body(value=None, kind="empty")
    text = raw.decode("utf-8", "replace")
    if "form-urlencoded" in (content_type or ""):
        return Body(value=[list(pair) for pair in parse_qsl(text)], kind="form", truncated=truncated)
    try:
        return Body(value=json.loads(text), kind="json", truncated=truncated)
    except ValueError:
        return Body(value=text, kind="text", truncated=truncated)
