"""What this process remembers beyond a request: each such memory says here how it is forgotten.

Tests forget everything before each test by `reset`; nothing else calls it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_resets: dict[str, Callable[[], object]] = {}


def register(name: str, reset: Callable[[], object]) -> None:
    """List a memory of the process.

    Args:
        name: of the module and what it holds, such as `_sdk.client_view: the last view`.
        reset: forgets it.
    """
    _resets[name] = reset


def reset() -> None:
    """Forget everything."""
    for forget in _resets.values():
        forget()


def names() -> list[str]:
    """The list, for whoever looks for what is kept."""
    return sorted(_resets)
