"""Exceptions that version 3 of the SDK has marked as sent, and that are raised by another request.

It drops an exception that it has sent, and puts its mark on the exception itself: one that stands
on a module, and is raised by request after request, would be reported once in the life of a
process, and by one client alone. (Version 2 remembers the last exception of a context.) So what a
request of ours reported bears a mark that says by which request and which client, and is taken off
where another one sends it. A mark of the SDK's own is left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from asgi_sentry import _faults as faults
from asgi_sentry._sdk.names import VERSION_3, global_event_processors
from asgi_sentry._sdk.scopes import OWNER
from asgi_sentry._sdk.senders import sending_client

if TYPE_CHECKING:
    from collections.abc import Mapping

_MARK = "_handled_by_sentry"


class _Sent:
    """A mark, which is true to the SDK. Holds neither the request nor the client."""

    __slots__ = ("_client", "_owner")

    def __init__(self, owner: Any, client: Any) -> None:
        self._owner = ref(owner)
        self._client = ref(client)

    def is_of(self, owner: Any, client: Any) -> bool:
        """Whether it is of this request, and of this client."""
        return self._owner() is owner and self._client() is client


def mark_sent(exc: BaseException, owner: Any, client: Any) -> None:
    """Say of an exception that the SDK has marked which request sends it, and by which client.

    Args:
        exc: the exception.
        owner: the record of the request, as `OWNER` has it.
        client: the SDK's.
    """
    if VERSION_3 and faults.asked(exc, _MARK) is True:
        setattr(exc, _MARK, _Sent(owner, client))


def _unmark(event: dict[str, Any], hint: Mapping[str, Any] | None) -> dict[str, Any]:
    """An event processor before the SDK's own.

    Takes off the mark of another request, or of another client.
    """
    exc = ((hint or {}).get("exc_info") or (None, None))[1]
    mark = faults.asked(exc, _MARK)
    if type(mark) is _Sent:
        owner = OWNER.get(False)
        # Outside of a request of ours it is the server, say, that logs what was reported: that is
        # to be dropped.
        if type(owner) is not bool and not mark.is_of(owner, sending_client()):
            setattr(exc, _MARK, False)
    return event


if VERSION_3:
    # Its events are TypedDicts.
    global_event_processors.insert(0, _unmark)  # type: ignore[arg-type]
