"""What stands behind an exception: its cause, what was handled meanwhile, the members of a group.

As it stands in the object itself, whatever the exception's class makes of these names.
"""

from __future__ import annotations

import builtins
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType

_DEEPEST = 50
_cause: Any = BaseException.__cause__
_context: Any = BaseException.__context__
_traceback: Any = BaseException.__traceback__
_hides: Any = BaseException.__suppress_context__


def group_class() -> Any:
    """The class of groups; None where there can be none.

    Python 3.10 has them by a package that anyio brings with it.
    """
    own = getattr(builtins, "BaseExceptionGroup", None)
    if own is None:
        own = getattr(sys.modules.get("exceptiongroup"), "BaseExceptionGroup", None)
    return own


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
    group = group_class()
    return group is not None and issubclass(type(exc), group)


def members_of(exc: BaseException) -> tuple[BaseException, ...]:
    """Those of a group."""
    if not is_group(exc):
        return ()
    members: tuple[BaseException, ...] = group_class().exceptions.__get__(exc)
    return members


def hides_members(exc: BaseException) -> bool:
    """Whether version 2 of the SDK would leave out the members of a group.

    It tells those of a group that stands before all others, and is one of Python's own.
    """
    own = getattr(builtins, "BaseExceptionGroup", None)
    if own is not None and issubclass(type(exc), own):
        return False
    for _ in range(_DEEPEST):
        if is_group(exc):
            return True
        behind = cause_of(exc) if hides_context(exc) else context_of(exc)
        if behind is None:
            return False
        exc = behind
    return False
