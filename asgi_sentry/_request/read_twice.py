"""Headers that can be read once only, read by us and yet by the app."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class ReadTwice(list[Any]):
    """Headers that came as an iterator: for us a list, and still an iterator for the app."""

    __slots__ = ("_left",)

    def __init__(self, headers: Iterator[Any]) -> None:
        super().__init__(headers)
        self._left: Iterator[Any] | None = None

    def __next__(self) -> Any:
        if self._left is None:
            self._left = iter(self)
        return next(self._left)
