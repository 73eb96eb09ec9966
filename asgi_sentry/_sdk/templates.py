"""`{{ sentry_trace_meta }}` in templates: the request's trace for the browser, as meta elements.

The SDK's Starlette integration patches `Jinja2Templates` for it. Jinja has a namespace that each
new environment begins with, whoever makes it: there it is an object that is rendered for the
request that it is rendered in.
https://docs.sentry.io/platforms/python/tracing/trace-propagation/#html-meta-tags
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

import sentry_sdk

from asgi_sentry import _faults as faults

NAME = "sentry_trace_meta"


class TraceMeta:
    """The meta elements of the trace in which it is rendered, as HTML."""

    __slots__ = ()

    def __html__(self) -> str:
        try:
            return sentry_sdk.get_current_scope().trace_propagation_meta()
        except Exception as exc:
            faults.note("the trace's meta elements", exc, "the page goes without them")
            return ""

    __str__ = __html__


def offer_trace_meta() -> None:
    """Put it into the namespace of templates that are set up from now on; nothing without Jinja."""
    try:
        if find_spec("jinja2") is not None:
            import_module("jinja2.defaults").DEFAULT_NAMESPACE.setdefault(NAME, TraceMeta())
    except Exception as exc:
        faults.note("setting up templates", exc, f"{NAME} is empty there")
