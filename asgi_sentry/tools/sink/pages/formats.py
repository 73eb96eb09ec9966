"""Numbers, sizes and times as people read them."""

from __future__ import annotations

import time
from datetime import datetime, timezone


def number(value: float | None) -> str:
    """With thousands apart; large ones in short."""
    if value is None:
        return "-"
    if abs(value) >= 10_000_000:
        return f"{value / 1_000_000:,.0f} M"
    if value and abs(value) < 10 and value != int(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"


def size(value: float) -> str:
    """Bytes."""
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            if unit == "B" or value >= 10:
                return f"{value:.0f} {unit}"
            return f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def clock(moment: float | None) -> str:
    """The time of day, in UTC."""
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%H:%M:%S")


def stamp(moment: float | None) -> str:
    """Date and time, in UTC."""
    if moment is None:
        return ""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(moment: float, now: float | None = None) -> str:
    """How long ago."""
    seconds = max(0, int((time.time() if now is None else now) - moment))
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def span_of(seconds: float | None) -> str:
    """A duration."""
    if seconds is None:
        return ""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        milliseconds = seconds * 1e3
        if milliseconds < 10:
            return f"{milliseconds:.1f} ms"
        return f"{milliseconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.2f} s"
    return f"{seconds / 60:.1f} min"
