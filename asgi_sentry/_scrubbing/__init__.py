"""The scrubber: takes secrets out of whatever is about to be sent."""

from asgi_sentry._scrubbing.bodies.parse import parse_body
from asgi_sentry._scrubbing.scrubber import Redaction, Scrubber
from asgi_sentry._scrubbing.sentry.raw_head import RawHead
from asgi_sentry._scrubbing.taint import (
    RawTaint,
    Taint,
    basic_users,
    collect_taint,
    secrets_of_body,
)
from asgi_sentry._scrubbing.text.rules import DEFAULT_RULES, FILTERED, Rule

__all__ = [
    "DEFAULT_RULES",
    "FILTERED",
    "RawHead",
    "RawTaint",
    "Redaction",
    "Rule",
    "Scrubber",
    "Taint",
    "basic_users",
    "collect_taint",
    "parse_body",
    "secrets_of_body",
]
