"""What the page's forms send."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from asgi_sentry.tools.sink.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Mapping


LARGEST_FORM = 8_192


def read_number(text: str | None) -> int | None:
    """A whole number; None where there is none."""
    if text and text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    return None


def read_form(body: bytes) -> dict[str, str]:
    """The fields of a form."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), max_num_fields=20))


def read_outage(asked: Mapping[str, str]) -> Outage:
    """What goes wrong on demand, as it was asked for; what can't be read raises `ValueError`."""

    def number(name: str) -> str:
        return asked.get(name, "").strip()

    try:
        return Outage(
            status=int(number("status") or 429),
            seconds=int(number("seconds")) if number("seconds") else None,
            categories=tuple(
                part for part in asked.get("categories", "").replace(",", " ").split() if part
            ),
            delay=float(number("delay") or 0),
            times=int(number("times")) if number("times") else None,
        )
    except ValueError as error:
        said = str(error)
        raise ValueError(
            "a number can't be read" if "invalid literal" in said or "convert" in said else said
        ) from None
