"""All that knows sentry-sdk from the inside.

Everything that is not public in the SDK, and everything that differs between its classic mode, its
streaming mode and version 3 (which only streams), is used in this package and nowhere else. This
module is its face: what the rest of the package needs. `names` holds each name that is not public.
"""

from asgi_sentry._sdk.after_fork import renew_in_child
from asgi_sentry._sdk.by_hand import on_capture
from asgi_sentry._sdk.client_view import ClientView, view
from asgi_sentry._sdk.collection import Collection
from asgi_sentry._sdk.constant_parts import ConstantParts
from asgi_sentry._sdk.databag import trimmed_body
from asgi_sentry._sdk.direct_event import DirectEvent
from asgi_sentry._sdk.direct_transaction import OwnSampling
from asgi_sentry._sdk.error_events import attach_stack, capture_error, capture_response
from asgi_sentry._sdk.inner import trace_being_served
from asgi_sentry._sdk.options import framework_integrations, streams, supports
from asgi_sentry._sdk.repeated import mark_sent
from asgi_sentry._sdk.root_span import Root
from asgi_sentry._sdk.roots import start_root, start_unsampled, unsampled_root
from asgi_sentry._sdk.scopes import (
    NOBODY,
    OWNER,
    Scopes,
    django_request,
    is_last_processor,
    processors,
)
from asgi_sentry._sdk.senders import guard, guard_by, sender, sending_client, warn_of, watch_events
from asgi_sentry._sdk.serializer import SEPARATES, STACKS, PlainEvent, serialized
from asgi_sentry._sdk.spans import span
from asgi_sentry._sdk.spotlight import guard_spotlight
from asgi_sentry._sdk.templates import offer_trace_meta
from asgi_sentry._sdk.times import now
from asgi_sentry._sdk.trace_context import TraceContext, dice_of
from asgi_sentry._sdk.transports import (
    SOME,
    default_transport,
    is_behind,
    quickened,
    transport_by,
)

__all__ = [
    "NOBODY",
    "OWNER",
    "SEPARATES",
    "SOME",
    "STACKS",
    "ClientView",
    "Collection",
    "ConstantParts",
    "DirectEvent",
    "OwnSampling",
    "PlainEvent",
    "Root",
    "Scopes",
    "TraceContext",
    "attach_stack",
    "capture_error",
    "capture_response",
    "default_transport",
    "dice_of",
    "django_request",
    "framework_integrations",
    "guard",
    "guard_by",
    "guard_spotlight",
    "is_behind",
    "is_last_processor",
    "mark_sent",
    "now",
    "offer_trace_meta",
    "on_capture",
    "processors",
    "quickened",
    "renew_in_child",
    "sender",
    "sending_client",
    "serialized",
    "span",
    "start_root",
    "start_unsampled",
    "streams",
    "supports",
    "trace_being_served",
    "transport_by",
    "trimmed_body",
    "unsampled_root",
    "view",
    "warn_of",
    "watch_events",
]
