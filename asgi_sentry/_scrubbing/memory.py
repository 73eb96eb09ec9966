"""What the scrubber remembers from one value to the next.

One kind of memory, bounded, that begins anew when full. A memory is asked by a key and holds what
was told of it. What it is asked by is never a text of a user's: it is the program's own, such as
its names and its lines of source.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakSet

from asgi_sentry import _state as state

if TYPE_CHECKING:
    from collections.abc import Iterable

Key = TypeVar("Key")
Value = TypeVar("Value")

_MEMORIES: WeakSet[Memory] = WeakSet()  # type: ignore[type-arg]


def bytes_of(value: Any) -> bytes:
    """A plain value as bytes, by which it is known again: of what is equal they are the same.

    `marshal.loads` makes a copy of them, in which nothing is shared.

    Raises:
        ValueError: the value holds something that `marshal` does not know.
    """
    return marshal.dumps(value, _WITHOUT_REFERENCES)


_WITHOUT_REFERENCES = 2  # the version of `marshal`


class Memory(dict[Key, Value], Generic[Key, Value]):
    """A dict with room for so many keys. The one that is too many makes it forget all others.

    Args:
        room: how many keys it holds at most.
        longest: how many characters a key may have that is a text; a longer one is not kept.
    """

    __slots__ = ("__weakref__", "_longest", "_room")

    def __init__(self, room: int, *, longest: int = 200) -> None:
        super().__init__()
        self._room = room
        self._longest = longest
        _MEMORIES.add(self)

    # Two memories that hold the same are still two, as the list of all of them has it.
    __hash__ = object.__hash__  # type: ignore[assignment]

    def keep(self, key: Key, value: Value) -> None:
        """Remember what was told of a key."""
        if isinstance(key, (str, bytes)) and len(key) > self._longest:
            return
        if len(self) >= self._room:
            self.clear()
        self[key] = value

    def keep_all(self, keys: Iterable[Key], *, value: Value) -> None:
        """Remember the same of several keys."""
        for key in keys:
            self.keep(key, value)


def forget() -> None:
    """Make every memory of this process begin anew."""
    for memory in list(_MEMORIES):
        memory.clear()


state.register("_scrubbing.memory: what the scrubbers remember", forget)
