"""Request taint: the secrets that one request came with.

They are known by value wherever they turn up again.
"""

from asgi_sentry._scrubbing.taint.plain_bodies import secrets_of_body
from asgi_sentry._scrubbing.taint.raw_taint import RawTaint
from asgi_sentry._scrubbing.taint.sources import basic_users, collect_taint
from asgi_sentry._scrubbing.taint.taint import REQUEST, Taint

__all__ = ["REQUEST", "RawTaint", "Taint", "basic_users", "collect_taint", "secrets_of_body"]
