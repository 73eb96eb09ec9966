"""A stranger's JSON, read: whatever stands there, a text, a number, a time or a name comes out."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


_LEAST_RATE = 1e-6  # a smaller one, which only a broken sender sends, would drown all others

_LARGEST = 1e12  # of a number that is counted
LONG, SHORT = 300, 120


def attributes_of(one: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a log, metric or span, without their types."""
    attributes = one.get("attributes")
    if not isinstance(attributes, dict):
        return {}
    return {
        name: value.get("value") if isinstance(value, dict) else value
        for name, value in attributes.items()
    }


def of(value: Any, *names: str) -> Any:
    """What stands under these names, None where nothing does."""
    for name in names:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def dict_of(value: Any) -> dict[str, Any]:
    """An object; an empty one for all else."""
    if not isinstance(value, dict):
        return {}
    return value


def list_of(value: Any) -> list[Any]:
    """A list; an empty one for all else."""
    if not isinstance(value, list):
        return []
    return value


def text(value: Any, most: int = LONG) -> str:
    """A value as one line of a length that fits."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return "(an object)" if isinstance(value, dict) else "(a list)"
    shown: str = value
    if not isinstance(value, str):
        shown = str(value)
    shown = shown[: most * 4]
    if not shown.isprintable():
        shown = " ".join(shown.split())
    shown = shown[:most]
    if shown.isascii():
        return shown
    return shown.encode("utf-8", "replace").decode()


def number_of(value: Any) -> float | None:
    """A number that can be counted with, None for all else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if -_LARGEST < value < _LARGEST:
        return float(value)
    return None


def moment(value: Any) -> float | None:
    """A timestamp of the protocol, which is seconds or RFC 3339, in seconds."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if 0 <= value < 1e11:
            return float(value)
        return None
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        read = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    if read.tzinfo is None:
        read = read.replace(tzinfo=timezone.utc)
    return read.timestamp()


def user_of(user: Any) -> str:
    """What a user is best found by."""
    if not isinstance(user, dict):
        return ""
    for name in ("id", "username", "name", "email", "ip_address"):
        if user.get(name):
            return text(user[name], SHORT)
    return ""


def rate_of(value: Any) -> float:
    """A sample rate within (0, 1]; 1 where none can be read."""
    try:
        rate = float(value)
    except (TypeError, ValueError, OverflowError):
        return 1.0
    if rate > 0:
        return min(1.0, max(_LEAST_RATE, rate))
    return 1.0


def path_of(url: Any) -> str:
    """The path of a URL."""
    try:
        if isinstance(url, str):
            return text(urlsplit(url).path, LONG)
        return ""
    except ValueError:
        return ""
