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

    def whole(name: str) -> int | None:
        if not number(name):
            return None
        return int(number(name))

    try:
        return Outage(
            status=int(number("status") or 429),
            seconds=whole("seconds"),
            categories=tuple(
                part for part in asked.get("categories", "").replace(",", " ").split() if part
            ),
            delay=float(number("delay") or 0),
            times=whole("times"),
        )
    except ValueError as error:
        said = str(error)
        if "invalid literal" in said or "convert" in said:
            said = "a number can't be read"
        raise ValueError(said) from None
