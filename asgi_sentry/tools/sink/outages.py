"""Rate limits and failures on demand, so that a sender's back-off can be tried.

As Sentry does it: a rate limit names categories and seconds, items of those categories are dropped,
what is left is taken, and only if nothing is left the answer is 429. A failure answers everything
alike.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asgi_sentry.tools.sink.protocol import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry.tools.sink.protocol import Received

CATEGORIES: Mapping[str, str] = {
    "event": "error",
    "transaction": "transaction",
    "span": "span",
    "log": "log_item",
    "trace_metric": "trace_metric",
    "statsd": "metric_bucket",
    "session": "session",
    "sessions": "session",
    "check_in": "monitor",
    "attachment": "attachment",
    "profile": "profile",
    "profile_chunk": "profile_chunk",
    "replay_event": "replay",
    "replay_recording": "replay",
    "replay_video": "replay",
    "feedback": "feedback",
    "user_report": "user_report_v2",
    "raw_security": "security",
}
"""Item type to the category that Sentry counts and limits it by.

Client reports are never limited.
"""

_CATEGORY = re.compile(r"[a-z_]{1,40}")
_LONGEST_DELAY = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What is wrong with the ingestion for now.

    Attributes:
        status: 429 for a rate limit, any of 400 to 599 for a failure, 0 for a connection that is
            cut without answer.
        seconds: of a rate limit, and of `Retry-After`; None leaves that header out.
        categories: what a rate limit concerns; none is all.
        delay: seconds to wait before the answer.
        times: for so many requests; None until it is ended.

    Raises:
        ValueError: a value is out of range.
    """

    status: int = 429
    seconds: int | None = 60
    categories: tuple[str, ...] = ()
    delay: float = 0.0
    times: int | None = None

    def __post_init__(self) -> None:
        if not (self.status in (0, 200) or 400 <= self.status <= 599):
            raise ValueError(f"status must be 0, 200, or within [400, 599], got {self.status}")
        if self.seconds is not None and not 0 <= self.seconds <= 86_400:
            raise ValueError(f"seconds must be within [0, 86400], got {self.seconds}")
        if not 0 <= self.delay <= _LONGEST_DELAY:
            raise ValueError(f"delay must be within [0, {_LONGEST_DELAY:g}], got {self.delay}")
        if self.times is not None and not 1 <= self.times <= 1_000_000:
            raise ValueError(f"times must be within [1, 1000000], got {self.times}")
        for category in self.categories:
            if not _CATEGORY.fullmatch(category):
                raise ValueError(f"a category has only letters and underscores, got {category!r}")

    @property
    def limits(self) -> bool:
        """Whether it is a rate limit: items are dropped by their category."""
        return self.status == 429

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell a sender when to come back."""
        if self.seconds is None:
            return {}
        headers = {"Retry-After": str(self.seconds)}
        if self.limits:
            limit = f"{self.seconds}:{';'.join(self.categories)}:organization:on_demand"
            headers["X-Sentry-Rate-Limits"] = limit
        return headers

    def split(self, received: Received) -> tuple[Received | None, Answer | None]:
        """What of an envelope is taken, and the answer if it is not the usual one."""
        if self.status == 200:
            return received, None
        if not self.limits:
            detail = f"the sink was told to answer {self.status}"
            return None, Answer(status=self.status, body={"detail": detail}, headers=self.headers)
        wanted = set(self.categories)
        kept = tuple(
            item
            for item in received.envelope.items
            if item.kind == "client_report"
            or (wanted and CATEGORIES.get(item.kind, "default") not in wanted)
        )
        if len(kept) == len(received.envelope.items):
            return received, None
        if not kept:
            body = {"detail": "rate limited on demand"}
            return None, Answer(status=429, body=body, headers=self.headers)
        left = replace(received, envelope=replace(received.envelope, items=kept))
        event_id = received.envelope.headers.get("event_id")
        body = {}
        if event_id is not None:
            body = {"id": str(event_id)}
        return left, Answer(status=200, body=body, headers=self.headers)


class Outages:
    """The outage in force, if any; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: Outage | None = None
        self.answered: int = 0
        """Requests that an outage has answered."""

    @property
    def now(self) -> Outage | None:
        """What is in force."""
        return self._now

    def begin(self, outage: Outage) -> None:
        """Let something be wrong from now on."""
        with self._lock:
            self._now = outage

    def end(self) -> None:
        """All is well again."""
        with self._lock:
            self._now = None

    def take(self) -> Outage | None:
        """The outage for one request."""
        if self._now is None:
            return None
        with self._lock:
            outage = self._now
            if outage is None:
                return None
            self.answered += 1
            if outage.times is not None:
                self._now = replace(outage, times=outage.times - 1) if outage.times > 1 else None
            return outage
