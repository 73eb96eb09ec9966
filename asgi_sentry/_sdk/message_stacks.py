"""The stack of a message, with `attach_stacktrace`: its frames share what they show.

As those of an exception do (`stack_frames`). The SDK makes it by a function of its own, which two
of its modules have by name.
"""

from __future__ import annotations

import sys
from typing import Any

from asgi_sentry._sdk.names import has, sdk_utils
from asgi_sentry._sdk.stack_frames import showing_once

_NAME = "current_stacktrace"
_HOLDERS = ("sentry_sdk.utils", "sentry_sdk.client", "sentry_sdk.integrations.logging")


def install() -> None:
    """Let what several frames of such a stack show be shown once.

    Not if the function is not the SDK's own.
    """
    own = getattr(sdk_utils, _NAME, None)
    if not has("frames", "serializer") or getattr(own, "__module__", None) != sdk_utils.__name__:
        return

    def current_stacktrace(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # by which the SDK leaves this frame out
        with showing_once(None):
            return own(*args, **kwargs)  # type: ignore[misc]

    current_stacktrace.__wrapped__ = own  # type: ignore[attr-defined]
    for name in _HOLDERS:
        module = sys.modules.get(name)
        if module is not None and vars(module).get(_NAME) is own:
            setattr(module, _NAME, current_stacktrace)
