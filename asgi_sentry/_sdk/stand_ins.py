"""Stand-ins for exceptions whose own attributes raise, which tell the same without being asked.

The SDK asks an exception for a `message`, a `detail`, its notes, its number. One that hands such
questions on, to what an upstream answered say, may raise where it knows nothing of them, and would
be reported nowhere.
"""

from __future__ import annotations

from asgi_sentry._sdk.chains import (
    cause_of,
    context_of,
    group_class,
    hides_context,
    is_group,
    members_of,
    traceback_of,
)

_MOST = 50  # exceptions of a chain, or of a group


def stand_in(exc: BaseException) -> BaseException:
    """An exception of the same name, module, text and traceback, with the same ones behind it."""
    made: dict[int, BaseException] = {}
    met: list[BaseException] = []
    todo = [exc]
    while todo and len(made) < _MOST:
        each = todo.pop()
        if id(each) not in made:
            made[id(each)] = _alone(each)
            met.append(each)
            todo += [*members_of(each), *filter(None, (context_of(each), cause_of(each)))]
    for each in met:
        standing = made[id(each)]
        standing.__cause__ = made.get(id(cause_of(each)))
        standing.__context__ = made.get(id(context_of(each)))
        standing.__suppress_context__ = hides_context(each)
        if is_group(each):
            # On its class, which is its own, since a group can't be given others.
            members = tuple(made[id(one)] for one in members_of(each) if id(one) in made)
            type(standing).exceptions = members  # type: ignore[attr-defined]
    return made[id(exc)]


def _alone(exc: BaseException) -> BaseException:
    kind = type(exc)
    try:
        text = str(exc)
    except Exception:
        text = ""
    own = {"__module__": kind.__module__, "__str__": lambda _: text}
    if is_group(exc):
        standing = type(kind.__name__, (group_class(),), own)("", [Exception()])
    else:
        standing = type(kind.__name__, (Exception,), own)()
    return standing.with_traceback(traceback_of(exc))  # type: ignore[no-any-return]
