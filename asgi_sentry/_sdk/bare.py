"""Scopes around requests, watched so that no request has to look into them.

A request forks the scopes around it, and would have to look into some twenty containers of each to
know what there is to take over. Whoever puts something into one has to ask the scope for it first.
So a scope on which nothing else is set gets a class of ours, by which that asking is seen. Once
nothing has been asked for a second, it gets one that says which of its containers hold something:
mostly none, then it is bare. What was asked for before is filled within that second, or was only
read.
"""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from asgi_sentry import _state as state
from asgi_sentry._sdk.fork import COLLECTED, Still, settled
from asgi_sentry._sdk.names import Scope, _current_scope, _isolation_scope, sdk_scope

if TYPE_CHECKING:
    from collections.abc import Callable

    Looks = tuple[tuple[str, Callable[[Any], Any]], ...]

# The scopes around, where there are any. Methods of the SDK's variables, made once: a method of an
# imported name is made anew by each call of it.
here_now: Callable[[], Any] = getattr(_current_scope, "get", lambda: None)
around_now: Callable[[], Any] = getattr(_isolation_scope, "get", lambda: None)
set_here: Callable[[Any], object] = getattr(_current_scope, "set", lambda scope: None)
set_around: Callable[[Any], object] = getattr(_isolation_scope, "set", lambda scope: None)

_AT_REST = 1.0  # seconds
# By the monotonic clock: when something was asked for last, and when a scope was watched last.
_asked_at = _watched_at = 0.0
_ISOLATION = getattr(getattr(sdk_scope, "ScopeType", None), "ISOLATION", object())
_set = object.__setattr__
_slots: dict[str, Any] = {name: vars(Scope)[name] for name in COLLECTED if name in vars(Scope)}
_LOOKS: Looks = tuple((name, slot.__get__) for name, slot in _slots.items())


def _forget_times() -> None:
    global _asked_at, _watched_at  # noqa: PLW0603 - of the process
    _asked_at = _watched_at = 0.0


state.register("_sdk.bare: when scopes were watched and asked for something", _forget_times)


class _Container:
    """A container of a scope that is watched: whoever asks for it may put something into it."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, scope: Any, kind: type) -> Any:
        global _asked_at  # noqa: PLW0603 - of the process
        if scope is None:
            return self
        # A request begins with breadcrumbs of its own: those that a server's logs leave in the
        # isolation scope around it make no difference.
        if self._name != "_breadcrumbs" or scope._type is not _ISOLATION:
            _set(scope, "__class__", Still)
            _asked_at = monotonic()
        return _slots[self._name].__get__(scope, Scope)


class Resting(Still):
    """A scope around requests whose containers nobody has asked for since it was watched."""

    __slots__ = ()
    looks: Looks = _LOOKS
    """By the name of a container that may hold something: what looks into it unseen."""

    def __setattr__(self, name: str, value: Any) -> None:
        _set(self, "__class__", Still)
        setattr(self, name, value)


for _name in COLLECTED:
    setattr(Resting, _name, _Container(_name))


class Bare(Resting):
    """One that has been watched for a second, and holds nothing."""

    __slots__ = ()
    looks = ()


# Others that have been watched for a second, by what they hold. Apps set a few things as they
# start, so there are few.
_kinds: dict[tuple[str, ...], type[Resting]] = {}
_MOST = 32
state.register("_sdk.bare: kinds of scopes around requests", _kinds.clear)


def _kind(held: tuple[str, ...], *, reported: bool) -> type[Resting]:
    """The class of a scope that holds this.

    Args:
        held: names of containers.
        reported: whether it knows the id of an event, which its fork knows, too.
    """
    if not held and not reported:
        return Bare
    kind = _kinds.get(held)
    if kind is None:
        if len(_kinds) >= _MOST:
            return Resting
        looks = tuple((name, look) for name, look in _LOOKS if name in held)
        kind = _kinds[held] = type("Holding", (Resting,), {"__slots__": (), "looks": looks})
    return kind


def unset(scope: Any) -> bool:
    """Whether nothing but containers is filled of a scope, which is then watched."""
    global _watched_at  # noqa: PLW0603 - of the process
    if not isinstance(scope, Still) and not settled(scope):
        return False
    kind = type(scope)
    if kind is Still or kind is Resting:
        now = monotonic()
        if now - _asked_at < _AT_REST:
            return True
        if kind is Still:
            _watched_at = now
            _set(scope, "__class__", Resting)
        elif now - _watched_at >= _AT_REST:
            held = tuple(name for name, look in _LOOKS if look(scope))
            if scope._type is _ISOLATION:
                held = tuple(name for name in held if name != "_breadcrumbs")
            _set(scope, "__class__", _kind(held, reported=scope._last_event_id is not None))
    return True


def take_over(into: Any, scope: Any, *, but: str = "") -> None:
    """Copy what a scope that is unset has collected.

    Args:
        into: a request's scope.
        scope: around it.
        but: the name of a container that is left.
    """
    for name, look in getattr(scope, "looks", _LOOKS):
        collected = look(scope)
        if collected and name != but:
            setattr(into, name, collected.copy())
