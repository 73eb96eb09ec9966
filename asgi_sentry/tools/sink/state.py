"""What the parts of the sink share.

What is kept, what was refused, what is wrong on demand, and where it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asgi_sentry.tools.sink.outages import Outages

if TYPE_CHECKING:
    from asgi_sentry.tools.sink.examiner import Examiner
    from asgi_sentry.tools.sink.store import Store

_MOST_REASONS = 1_000


@dataclass(slots=True, kw_only=True)
class State:
    """One sink; `address` is the host and port by which it is reached, `key` the one in its DSN."""

    store: Store
    examiner: Examiner
    address: str
    key: str
    budgets: dict[str, int] = field(default_factory=dict)
    """Items a month to hold the use against, by category."""
    outages: Outages = field(default_factory=Outages)
    refused: list[str] = field(default_factory=list)
    """Why requests were refused, the last 1,000."""
    refusals: int = 0
    """How many there were."""

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.address}/"

    def dsn_for(self, sender: str = "") -> str:
        """A DSN whose envelopes are listed under a name of their own, such as `plain/shop`."""
        prefix = ""
        if sender.strip("/"):
            prefix = f"{sender.strip('/')}/"
        return f"http://{self.key}@{self.address}/{prefix}1"

    def refuse(self, reason: str) -> None:
        """Remember a refusal."""
        self.refusals += 1
        self.refused.append(reason)
        del self.refused[:-_MOST_REASONS]
