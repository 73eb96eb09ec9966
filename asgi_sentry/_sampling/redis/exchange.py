"""What a process asks a script on Redis, and what it is answered."""

from __future__ import annotations

from typing import Any, NamedTuple


class Question(NamedTuple):
    """A call of a script on behalf of one limit, less what is the same for all of a process."""

    kind: str
    name: str
    generation: str
    seq: int
    most: int
    period: float  # in seconds; 0 is the calendar month
    more: tuple[Any, ...]

    def arguments(self, worker: str, workers: int) -> list[Any]:
        """In the order of the scripts."""
        return [
            worker,
            workers,
            self.generation,
            self.seq,
            self.name,
            self.most,
            self.period,
            *self.more,
        ]


class Answer(NamedTuple):
    """What every script returns; times in seconds of the server's clock, or of the window's."""

    granted: int
    pending: bool
    workers: int
    hungry: int
    conflict: bool
    lost: bool
    generation: str
    now: float
    more: tuple[str, ...]

    @classmethod
    def read(cls, raw: list[int | bytes | str]) -> Answer:
        """From redis-py."""
        granted, pending, workers, hungry, conflict, lost = (int(value) for value in raw[:6])
        generation, now, *more = map(_text, raw[6:])
        return cls(
            granted,
            bool(pending),
            workers,
            hungry,
            bool(conflict),
            bool(lost),
            generation,
            float(now),
            tuple(more),
        )


def _text(value: int | bytes | str) -> str:
    if isinstance(value, bytes):
        return value.decode()
    return str(value)
