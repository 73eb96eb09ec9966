"""Scopes around requests that hold nothing, and are watched so that they need no looking into.

A request forks the scopes around it, and would have to look into some twenty containers of theirs
to know that there is nothing to take over. Whoever puts something into one has to ask the scope for
it first. So scopes that hold nothing get a class of ours, by which that asking is seen; and once
nothing has been asked for a second, a request takes them for bare at a look at their class. What
was asked for before is filled within that time, or was only read.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from asgi_sentry import _state as state
from asgi_sentry._sdk.fork import COLLECTED, Still
from asgi_sentry._sdk.names import Scope, sdk_scope

if TYPE_CHECKING:
    from collections.abc import Callable

_AT_REST = 1.0  # seconds
_asked_at = 0.0  # when something was asked for last, or they were watched; by the monotonic clock
_ISOLATION = getattr(getattr(sdk_scope, "ScopeType", None), "ISOLATION", object())
_set = object.__setattr__


def _forget_asked() -> None:
    global _asked_at  # noqa: PLW0603 - of the process
    _asked_at = 0.0


state.register("_sdk.bare: when a container of a watched scope was asked for", _forget_asked)


class _Container:
    """A container of a scope that is watched: whoever asks for it may put something into it."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, scope: Any, kind: type) -> Any:
        global _asked_at  # noqa: PLW0603 - of the process
        if scope is None:
            return self
        if self._name != "_breadcrumbs" or scope._type is not _ISOLATION:
            _set(scope, "__class__", Still)
            _asked_at = monotonic()
        return _SLOTS[self._name].__get__(scope, Scope)


class Resting(Still):
    """A scope around requests that held nothing when it was looked into last."""

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        _set(self, "__class__", Still)
        setattr(self, name, value)


class Bare(Resting):
    """One that nothing has been asked of for a second."""

    __slots__ = ()


_SLOTS: dict[str, Any] = {name: vars(Scope).get(name) for name in COLLECTED}
for _name in COLLECTED:
    setattr(Resting, _name, _Container(_name))
# What looks into a container unseen. A request begins with breadcrumbs of its own: those that a
# server's logs leave around it make no difference.
_HERE: tuple[Callable[[Any], Any], ...] = tuple(slot.__get__ for slot in _SLOTS.values() if slot)
_AROUND = tuple(slot.__get__ for name, slot in _SLOTS.items() if slot and name != "_breadcrumbs")


def watch(here: Any, around: Any) -> None:
    """Watch two scopes that were found to hold nothing, unless something was asked for just now.

    Args:
        here: the current scope, still.
        around: the isolation scope, still.
    """
    global _asked_at  # noqa: PLW0603 - of the process
    now = monotonic()
    if around._type is _ISOLATION and now - _asked_at >= _AT_REST:
        _asked_at = now
        _set(here, "__class__", Resting)
        _set(around, "__class__", Resting)


def hold_nothing(here: Any, around: Any) -> bool:
    """Whether two scopes are watched, and hold nothing.

    They are bare then, if nothing was asked for a second. Otherwise neither is watched any more.
    """
    if isinstance(here, Resting) and isinstance(around, Resting):
        held = any(look(here) for look in _HERE) or any(look(around) for look in _AROUND)
        if not held and around._last_event_id is None:
            if monotonic() - _asked_at >= _AT_REST:
                _set(here, "__class__", Bare)
                _set(around, "__class__", Bare)
            return True
    for scope in (here, around):
        if isinstance(scope, Resting):
            _set(scope, "__class__", Still)
    return False
