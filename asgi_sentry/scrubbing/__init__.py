"""The scrubber: takes secrets out of whatever is about to be sent."""

from asgi_sentry.scrubbing.bodies import parse_body
from asgi_sentry.scrubbing.engine import Redaction, Scrubber
from asgi_sentry.scrubbing.event import KEEP
from asgi_sentry.scrubbing.rules import DEFAULT_RULES, FILTERED, Rule
from asgi_sentry.scrubbing.taint import Taint

__all__ = ["DEFAULT_RULES", "FILTERED", "KEEP", "Redaction", "Rule", "Scrubber", "Taint", "parse_body"]
