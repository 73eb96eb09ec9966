"""What stands behind an exception: its cause, what was handled meanwhile, the members of a group.

As it stands in the object itself, whatever the exception's class makes of these names.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

Group: Any = getattr(builtins, "BaseExceptionGroup", None)  # Python 3.10 has none

_DEEPEST = 50
_cause: Any = BaseException.__cause__
_context: Any = BaseException.__context__
_traceback: Any = BaseException.__traceback__
_hides: Any = BaseException.__suppress_context__


def traceback_of(exc: BaseException) -> TracebackType | None:
    """Where it was raised."""
    traceback: TracebackType | None = _traceback.__get__(exc)
    return traceback


def cause_of(exc: BaseException) -> BaseException | None:
    """What it was raised from."""
    cause: BaseException | None = _cause.__get__(exc)
    return cause


def context_of(exc: BaseException) -> BaseException | None:
    """What was being handled when it was raised."""
    context: BaseException | None = _context.__get__(exc)
    return context


def hides_context(exc: BaseException) -> bool:
    """Whether that is not to be shown."""
    hides: bool = _hides.__get__(exc)
    return hides


def is_group(exc: BaseException) -> bool:
    """Whether it is a group of others."""
    return Group is not None and issubclass(type(exc), Group)


def members_of(exc: BaseException) -> tuple[BaseException, ...]:
    """Those of a group."""
    if not is_group(exc):
        return ()
    members: tuple[BaseException, ...] = Group.exceptions.__get__(exc)
    return members


def has_group_behind(exc: BaseException) -> bool:
    """Whether a group stands behind an exception that is none itself."""
    if Group is None or is_group(exc):
        return False
    for _ in range(_DEEPEST):
        behind = cause_of(exc) if hides_context(exc) else context_of(exc)
        if behind is None:
            return False
        if is_group(behind):
            return True
        exc = behind
    return False
