"""What Hyperscan looks for in place of each gate.

That is at least whatever the gate finds, and little more: each match costs a call, and a check of
what is there. Patterns go into one of two databases, for those that follow a run of characters slow
down all others, but not each other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.text.single_gate import Gate

__all__ = ["ANY", "RUNNING", "Expression", "expressions"]

ANY, RUNNING = 0, 1  # the databases
_CLASSES = {ord("0"): b"[0-9]", ord("A"): b"[A-Z]", ord("a"): b"[a-z]"}
_DIGITS = rb"(?:^|[^0-9A-Za-z_.+\-]|\\[A-Za-z]|%[0-9][0-9A-Fa-f])[0-9]{12,19}(?:[^0-9A-Za-z_]|$)"
_SMALL_IBAN = rb"(?:^|[^0-9A-Za-z])[a-z]{2}[0-9]{2}[a-z0-9]{11,27}(?:[^0-9A-Za-z]|$)"
# What a gate's check says, for literals that stand in many texts; the check itself is still made.
_NARROWER = {
    (b"/", "text"): (rb"/[\w\-]{1,20}/[\w.~\-]{20}", ANY),
    (b"gl", "text"): (rb"gl[a-z]{2,5}-[\w.\-]{16}", ANY),
    (b"fm", "text"): (rb"fm[0-9][ar]?_", ANY),
    (b" -", "text"): (rb"[ ]-[A-Za-z\-]", ANY),
    # Without a bound, which would have to be counted.
    (b"$", "text"): (rb"\$[\w./+=\-]+[$,]|\$[PHS]\$", ANY),
    (b"0" * 12, "shape"): (_DIGITS, RUNNING),
    (b"aa00", "shape"): (_SMALL_IBAN, RUNNING),
    (b"AA00", "shape"): (rb"[A-Z]{2}[0-9]{2}[ \-]?[A-Z0-9]{4}[ \-]?[A-Z0-9]{4}", ANY),
    (b"cc", "pair"): (rb"[cC][cC][_. \-]?[nN]", ANY),
    (b"0.0", "shape"): (rb"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", ANY),
}
_BEFORE_RUN = rb"(?:^|[^\w\-])"


class Expression(NamedTuple):
    """A pattern for Hyperscan.

    Attributes:
        pattern: in its syntax.
        database: which it goes into.
        length: of what it matches, where this is the literal itself; else 0.
        caseless: whether it is looked for in both cases.
    """

    pattern: bytes
    database: int
    length: int = 0
    caseless: bool = False


def expressions(gate: Gate) -> tuple[Expression, ...]:
    """What is looked for in place of a gate."""
    mask, literal, verify = gate
    size = len(literal)
    narrower = _NARROWER.get((literal, mask)) if verify is not None else None
    if narrower is not None:
        pattern, database = narrower
        return (Expression(pattern, database),)
    if mask in {"lower", "pair"}:
        return (Expression(re.escape(literal), ANY, size, caseless=True),)
    if mask == "text":
        return (Expression(re.escape(literal), ANY, size),)
    if mask == "shape":
        shape = (_CLASSES.get(byte) or re.escape(bytes([byte])) for byte in literal)
        return (Expression(b"".join(shape), ANY, size),)
    if verify is None:
        return (Expression(_BEFORE_RUN + _of(rb"\w-", size), RUNNING),)
    return (Expression(_run_pattern(size), RUNNING), Expression(_id_pattern(size), RUNNING))


def _id_pattern(size: int) -> bytes:
    """Hexadecimal digits, one of them a letter: an id, but behind these signs."""
    branches = [_of(b"0-9", at) + b"[a-f]" + _of(b"0-9a-f", size - 1 - at) for at in range(size)]
    branches.append(_of(b"0-9", size, more=True) + b"[a-f]")
    return rb"(?:[.:+~]|[0-9A-Z]/)(?:" + b"|".join(branches) + b")"


def _run_pattern(size: int) -> bytes:
    """Runs of so many characters or more that may be a token, told by their first characters.

    A run with a capital; or with a digit and a letter, one of which is no hexadecimal digit; or
    more than 64 hexadecimal digits, or some with a sign behind them. Runs of small letters alone
    are names of the program's, and so are not matched. There is a branch for each place that what
    tells may be first at, so that one pass without a way back is all it takes.
    """
    last = size - 1
    branches = [
        *(_of(b"a-z0-9_-", at) + b"[A-Z]" + _of(rb"\w-", last - at) for at in range(size)),
        _of(b"a-z0-9_-", size, more=True) + b"[A-Z]",
    ]
    for others, first, between, second in (
        (b"a-f", b"[0-9]", b"0-9a-f", b"[g-z_-]"),
        (b"a-f", b"[g-z_-]", b"a-z_-", b"[0-9]"),
    ):
        for at in range(last):
            behind = b"|".join(
                _of(between, more) + second + _of(rb"\w-", last - 1 - at - more)
                for more in range(last - at)
            )
            late = _of(between, last - at, more=True) + second
            branches.append(_of(others, at) + first + b"(?:" + behind + b"|" + late + b")")
        branches.append(_of(others, last, more=True) + first + b"[" + between + b"]*" + second)
    branches += (_of(b"0-9a-f", size, more=True) + b"[.:+~]", _of(b"0-9a-f", _LONGEST_ID + 1))
    return _BEFORE_RUN + b"(?:" + b"|".join(branches) + b")"


_LONGEST_ID = 64  # hexadecimal digits, as the gate's check has it


def _of(characters: bytes, number: int, *, more: bool = False) -> bytes:
    """So many characters of a class, or at least so many."""
    if not number and not more:
        return b""
    return b"[" + characters + b"]{%d%s}" % (number, b"," if more else b"")
