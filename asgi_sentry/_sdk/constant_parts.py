"""What is the same in each transaction of a client: made once.

Release and environment, the SDK's name and its integrations, and what the SDK's own event
processors put in: the program's arguments and the interpreter. It is so as long as no processor but
the SDK's own stands in the process.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import SDK_INFO, global_event_processors
from asgi_sentry._sdk.repr_processors import pass_over_plain
from asgi_sentry._sdk.serializer import serialized

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sdk.client_view import ClientView

OPTIONS = ("release", "environment", "server_name", "dist")
# By module, and ours. They put the same into each transaction, or leave it as it is: most are about
# exceptions.
_OWN = frozenset(
    f"sentry_sdk.integrations.{name}"
    for name in (
        *("argv", "dedupe", "django", "executing"),
        *("gnu_backtrace", "modules", "pure_eval", "stdlib"),
    )
)


class ConstantParts:
    """Fields and contexts that each transaction of a client has.

    Attributes:
        alone: whether there is no event processor of the process but the SDK's own.
        others: these others.
        own_come_first: whether the SDK's own come before all of them.
        extra: what these put into `extra`; None: nothing.
        runtime: what they put into the context of that name; None: nothing.
        arguments: of the program, in which a secret of a request may stand.
        checked_by: the scrubber that was asked about these parts last.
        harmless: whether it found nothing in them.
    """

    __slots__ = (
        *(
            "_contexts",
            "_fields",
            "_met",
            "_meta",
            "_own_extra",
            "_own_runtime",
            "alone",
            "arguments",
        ),
        *("checked_by", "own_come_first", "extra", "harmless", "others", "runtime"),
    )

    def __init__(self, client: Any) -> None:
        self._met = _met(client)
        event: dict[str, Any] = {"type": "transaction", "contexts": {}}
        own = list(filter(_is_the_sdks_own, global_event_processors))
        self.others = global_event_processors[len(own) :]
        self.own_come_first = own == global_event_processors[: len(own)]
        self.alone = not self.others
        for processor in own:
            event = processor(event, {"attachments": []})  # type: ignore[assignment,arg-type]
        self._own_extra, self._own_runtime = event.get("extra"), event["contexts"].get("runtime")
        # What these put in, to be compared with what others leave of it; a copy, since they may
        # change the SDK's own.
        self.extra, self.runtime = deepcopy((event.get("extra"), event["contexts"].get("runtime")))
        complete(client, event)
        del event["type"]
        made = serialized(event, client)
        self.arguments: list[str] = list(sys.argv)
        contexts, meta = made.pop("contexts"), made.pop("_meta", None)
        # Each event has its own, as if it had been serialized for itself.
        self._contexts, self._fields = _copier(contexts), _copier(made)
        self._meta = None if meta is None else _copier(meta)
        self.checked_by: Any = None
        self.harmless = False

    def are_of(self, client: Any) -> bool:
        """Whether they are still what a client's transactions have."""
        return self._met == _met(client) and self.arguments == sys.argv

    def process(self, event: dict[str, Any]) -> None:
        """Do with an event, as the SDK has it, what the SDK's own processors would."""
        if self._own_extra is not None:
            event["extra"] = self._own_extra.copy()
        if self._own_runtime is not None:
            event["contexts"]["runtime"] = self._own_runtime

    def expect(self, before: dict[str, Any]) -> None:
        """Put the same into what an event is compared with that they have seen."""
        if self.extra is not None:
            before["extra"] = self.extra
        if self.runtime is not None:
            before["contexts"] = {**before["contexts"], "runtime": self.runtime}

    def add_to(self, event: dict[str, Any]) -> None:
        """Put them into a transaction that lacks them all."""
        event.update(self._fields())
        event["contexts"].update(self._contexts())
        if self._meta is not None:  # of a program with many arguments
            event["_meta"] = {**event.get("_meta", {}), **self._meta()}


def constant_parts(view: ClientView) -> ConstantParts | None:
    """What is the same in each transaction of a client; None where it can't be told."""
    client = view.client
    known: ConstantParts | None = view.made.get(_NAME)
    if known is None or not known.are_of(client):
        known = None
        if pass_over_plain():
            known = view.made[_NAME] = ConstantParts(client)
    return known


def _copier(value: Any) -> Callable[[], Any]:
    """What makes copies of a plain dict or list, in a third of the time that `marshal` takes."""
    members = list(value.items() if value.__class__ is dict else enumerate(value))
    inner = [(key, _copier(each)) for key, each in members if each.__class__ in _CONTAINERS]
    copy: Callable[[], Any] = value.copy
    if not inner:
        return copy

    def copied() -> Any:
        made = copy()
        for key, copy_of_one in inner:
            made[key] = copy_of_one()
        return made

    return copied


_CONTAINERS = frozenset({dict, list})
_NAME = "constant parts"  # in the view of a client


def _is_the_sdks_own(processor: Any) -> bool:
    module = getattr(processor, "__module__", None) or ""
    return module in _OWN or module.startswith("asgi_sentry.")


def _met(client: Any) -> tuple[Any, ...]:
    """What they were made of."""
    options = client.options
    return (
        *global_event_processors,
        *(options[key] for key in OPTIONS),
        len(client.integrations),
    )


def complete(client: Any, event: dict[str, Any]) -> None:
    """Put in what is the same for all events of a client."""
    options = client.options
    for key in OPTIONS:
        if event.get(key) is None and options[key] is not None:
            event[key] = str(options[key]).strip()
    if event.get("sdk") is None:
        event["sdk"] = {**SDK_INFO, "integrations": sorted(client.integrations)}
    if event.get("platform") is None:
        event["platform"] = "python"
