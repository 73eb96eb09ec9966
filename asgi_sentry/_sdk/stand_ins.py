"""Stand-ins for exceptions whose own attributes raise, which tell the same without being asked.

The SDK asks an exception for a `message`, a `detail`, its notes, its number. One that hands such
questions on, to what an upstream answered say, may raise where it knows nothing of them, and would
be reported nowhere.
"""

from __future__ import annotations

import builtins
from typing import Any

_MOST = 50  # exceptions of a chain, or of a group

# As they stand in the object, whatever the class makes of their names.
_cause: Any = BaseException.__cause__
_context: Any = BaseException.__context__
_hides: Any = BaseException.__suppress_context__
_traceback: Any = BaseException.__traceback__
_Group: Any = getattr(builtins, "BaseExceptionGroup", None)  # Python 3.10 has none


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
            todo += [*_members(each), *filter(None, (_context.__get__(each), _cause.__get__(each)))]
    for each in met:
        standing = made[id(each)]
        standing.__cause__ = made.get(id(_cause.__get__(each)))
        standing.__context__ = made.get(id(_context.__get__(each)))
        standing.__suppress_context__ = _hides.__get__(each)
        if _is_group(each):
            # On its class, which is its own, since a group can't be given others.
            members = tuple(made[id(one)] for one in _members(each) if id(one) in made)
            type(standing).exceptions = members  # type: ignore[attr-defined]
    return made[id(exc)]


def _alone(exc: BaseException) -> BaseException:
    kind = type(exc)
    try:
        text = str(exc)
    except Exception:
        text = ""
    own = {"__module__": kind.__module__, "__str__": lambda _: text}
    if _is_group(exc):
        standing = type(kind.__name__, (_Group,), own)("", [Exception()])
    else:
        standing = type(kind.__name__, (Exception,), own)()
    return standing.with_traceback(_traceback.__get__(exc))  # type: ignore[no-any-return]


def _is_group(exc: BaseException) -> bool:
    return _Group is not None and isinstance(exc, _Group)


def _members(exc: BaseException) -> tuple[BaseException, ...]:
    """Those of a group."""
    return _Group.exceptions.__get__(exc) if _is_group(exc) else ()
