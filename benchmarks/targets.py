"""The project's targets for what is sent, which stand beside the figures: what is to hold, and what is aimed at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Of one figure; more is better."""

    hold: float
    aim: float

    def show(self) -> str:
        """As in a table."""
        return f"{self.hold:g} ({self.aim:g})"


SAMPLED_RAW = Target(hold=4, aim=10)
SAMPLED_FASTAPI = Target(hold=3.8, aim=10)
HOOKS = Target(hold=3, aim=5)
SPANS = Target(hold=3.3, aim=5)
BODY = Target(hold=3, aim=4)
WIRE = Target(hold=4, aim=8)
ERROR_RAW = Target(hold=1.9, aim=3)
ERROR_FASTAPI = Target(hold=6, aim=12)
ERROR_FASTAPI_HOOKS = Target(hold=4.5, aim=8)
SHARE_UNSAMPLED = Target(hold=0.85, aim=0.93)  # of the bare app's requests a processor second
SHARE_TENTH = Target(hold=0.7, aim=0.85)
