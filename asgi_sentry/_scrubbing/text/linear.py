r"""Whether a pattern takes linear time in `re`, told from its shape alone.

`re` tries a pattern at every place of the text and, on failure, every other way through it. Both
are harmless when

- at each repeat the next character says whether to go on or to leave it (what repeats, and what may
  follow, begin with different characters), so that there is one way only, and
- an attempt that runs far can't begin again inside what it ran over: it has to begin at a place
  that a lookbehind or `\b` marks as the head of a run, or with a character that what repeats does
  not contain; or one of those that follow before the first long repeat is such a character, so that
  each attempt inside soon fails (`acme_[a-z]+_end`).

Repeats of up to a few dozen are a constant factor and not held to this, as long as the factors
don't multiply. The test is on the safe side: a pattern may be refused that would do well; then
bounds on its repeats help.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")

# Every kind of character that a class can tell apart: Latin-1, and letters, digits, signs and
# spaces beyond.
_ALPHABET = (
    "".join(map(chr, range(0x180)))
    + "\u03b1\u0416\u05d0\u0660\u0966\u2028\u3000\u4e2d\u20ac\U0001f600\U0001d7ce"
)
_ALL = frozenset(_ALPHABET)
_SHORT = 64  # repeats of up to so many are a constant factor
_WORK = 2000  # steps of one attempt, at most, by bounded repeats alone
_CHARACTERS = {"LITERAL", "NOT_LITERAL", "IN", "ANY"}
_REPEATS = {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}


def check_linear(pattern: re.Pattern[str]) -> str | None:
    """Why a compiled pattern may take more than linear time; None if it can't."""
    if len(pattern.pattern) > 100_000:
        return "it is too long to tell"
    try:
        tree = _parser.parse(pattern.pattern, pattern.flags)
        return _Analysis(pattern.flags).check(list(tree))
    except _RefusedError as exc:
        return str(exc)
    except RecursionError:
        return "it is nested too deeply to tell"


class _RefusedError(Exception):
    """With the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What is known of a piece of a pattern.

    Attributes:
        first: the characters it can begin with.
        nullable: whether it can be empty.
        work: steps of one attempt at most, a long repeat counted as one.
        long: what a long repeat at its end could take more of.
        short: the same for a short repeat of no fixed number.
        ambiguous: whether short repeats in it can divide the same text in several ways.
    """

    first: frozenset[str] = frozenset()
    nullable: bool = True
    work: int = 1
    long: frozenset[str] = frozenset()
    short: frozenset[str] = frozenset()
    ambiguous: bool = False


_NOTHING: frozenset[str] = frozenset()


class _Analysis:
    """One pattern."""

    def __init__(self, flags: int) -> None:
        self.flags = flags
        self.long_loops: list[frozenset[str]] = []

    def check(self, tree: list[Any]) -> str | None:
        part = self.sequence(tree)
        if part.work > _WORK:
            return (
                f"its bounded repeats multiply to more than {_WORK} steps at one place; "
                "lower the bounds"
            )
        boundary = _head_boundary(tree, self)
        # A repeat at the very end can't fail any more: what it ran over is matched, and not tried
        # again.
        loops = self.long_loops[:-1] if _ends_in_loop(tree) else self.long_loops
        required = self.required(tree)
        for loop in loops:
            begins_inside = bool(part.first & loop) and all(chars & loop for chars in required)
            if begins_inside and (boundary is None or loop - boundary):
                return (
                    "an attempt can begin again inside what a long repeat runs over; put a "
                    "lookbehind such as (?<!\\w) "
                    f"in front, or bound the repeat to at most {_SHORT} characters"
                )
        return None

    def required(self, items: list[Any]) -> list[frozenset[str]]:
        """The characters that every match begins with, up to what is optional or repeats."""
        found: list[frozenset[str]] = []
        for code, argument in items:
            name = str(code)
            if name in _CHARACTERS:
                found.append(self.characters(name, argument))
            elif (
                name in _REPEATS
                and 1 <= int(argument[0]) == int(argument[1]) <= _SHORT
                and len(argument[2]) == 1
            ):
                found += self.required(list(argument[2]))
            elif name != "AT":
                break
        return found

    def sequence(self, items: list[Any]) -> _Part:
        whole = _Part()
        for code, argument in items:
            part = self.one(str(code), argument)
            if whole.long & part.first:
                raise _RefusedError(
                    "a long repeat is followed by what it could take itself; there are many ways "
                    "to divide a text"
                )
            many_ways = bool(whole.short & part.first)
            whole = _Part(
                first=whole.first | part.first if whole.nullable else whole.first,
                nullable=whole.nullable and part.nullable,
                work=whole.work * part.work if many_ways else whole.work + part.work,
                long=part.long | (whole.long if part.nullable else _NOTHING),
                short=part.short | (whole.short if part.nullable else _NOTHING),
                ambiguous=whole.ambiguous or part.ambiguous or many_ways,
            )
        return whole

    def one(self, code: str, argument: Any) -> _Part:
        if code in _CHARACTERS:
            return _Part(first=self.characters(code, argument), nullable=False)
        if code == "AT":
            return _Part()
        if code in {"SUBPATTERN", "ATOMIC_GROUP"}:
            return self.sequence(list(argument[3] if code == "SUBPATTERN" else argument))
        if code in {"ASSERT", "ASSERT_NOT"}:
            inner = _Analysis(self.flags)
            part = inner.sequence(list(argument[1]))
            if inner.long_loops:
                raise _RefusedError(
                    f"a lookaround has a long repeat in it; bound it to at most {_SHORT}"
                )
            return _Part(work=part.work)
        if code == "BRANCH":
            return self.branch(argument[1])
        if code in _REPEATS:
            return self.repeat(argument, possessive=code.startswith("POSSESSIVE"))
        raise _RefusedError(f"it has a {code.lower().replace('_', ' ')}, whose cost can't be told")

    def branch(self, branches: list[Any]) -> _Part:
        parts = [self.sequence(list(branch)) for branch in branches]
        return _Part(
            first=frozenset().union(*(part.first for part in parts)),
            nullable=any(part.nullable for part in parts),
            work=sum(part.work for part in parts),
            long=frozenset().union(*(part.long for part in parts)),
            short=frozenset().union(*(part.short for part in parts)),
            ambiguous=any(part.ambiguous for part in parts),
        )

    def repeat(self, argument: Any, *, possessive: bool) -> _Part:
        low, high, items = int(argument[0]), int(argument[1]), list(argument[2])
        before = len(self.long_loops)
        body = self.sequence(items)
        if high <= 1:
            open_end = body.first | body.short if low == 0 else body.short
            return replace(body, nullable=low == 0 or body.nullable, short=open_end)
        if body.nullable:
            raise _RefusedError("what repeats can be empty")
        if (body.long | body.short) & body.first:
            raise _RefusedError("a repeat within a repeat can divide the same text in many ways")
        if not _one_way(self, items):
            raise _RefusedError("the branches of what repeats can begin alike")
        is_long = high > _SHORT
        if is_long or len(self.long_loops) > before:
            self.long_loops[before:] = [self.everything(items)]
        more = body.first | body.long
        if body.ambiguous and is_long:
            raise _RefusedError("what repeats can divide the same text in many ways")
        once = min(body.work, _WORK)
        # Each way through it meets all of the next.
        work = once ** min(high, _SHORT) if body.ambiguous else once * high
        return _Part(
            first=body.first,
            nullable=low == 0,
            work=body.work + 1 if is_long else work,
            long=more if is_long and not possessive and low != high else body.long,
            short=body.short if is_long or possessive or low == high else more | body.short,
            ambiguous=body.ambiguous,
        )

    def everything(self, items: list[Any]) -> frozenset[str]:
        """All characters that a piece can run over."""
        found: frozenset[str] = _NOTHING
        for code, argument in items:
            name = str(code)
            if name in _CHARACTERS:
                found |= self.characters(name, argument)
            elif name == "SUBPATTERN":
                found |= self.everything(list(argument[3]))
            elif name == "ATOMIC_GROUP":
                found |= self.everything(list(argument))
            elif name == "BRANCH":
                found |= frozenset().union(
                    *(self.everything(list(branch)) for branch in argument[1])
                )
            elif name in _REPEATS:
                found |= self.everything(list(argument[2]))
        return found

    def characters(self, code: str, argument: Any) -> frozenset[str]:
        if code == "ANY":
            return _ALL if self.flags & re.DOTALL else _ALL - {"\n"}
        if code == "IN":
            found = frozenset().union(
                *(
                    self.member(str(kind), value)
                    for kind, value in argument
                    if str(kind) != "NEGATE"
                )
            )
            if any(str(kind) == "NEGATE" for kind, _ in argument):
                return _ALL - found
            return found
        found = self.member("LITERAL", argument)
        return _ALL - found if code == "NOT_LITERAL" else found

    def member(self, kind: str, value: Any) -> frozenset[str]:
        if kind == "LITERAL":
            return self.cased({chr(value)})
        if kind == "RANGE":
            low, high = value
            found = {char for char in _ALPHABET if low <= ord(char) <= high}
            return self.cased(found or {chr(low)})
        return _category(str(value), bool(self.flags & re.ASCII))

    def cased(self, found: set[str]) -> frozenset[str]:
        if not self.flags & re.IGNORECASE:
            return frozenset(found)
        return frozenset(
            found | {char.lower() for char in found} | {char.upper() for char in found}
        )


@lru_cache(maxsize=64)
def _category(name: str, ascii_only: bool) -> frozenset[str]:  # noqa: FBT001 - the key of a cache
    letter = {"DIGIT": "d", "SPACE": "s", "WORD": "w"}[name.rpartition("_")[2]]
    found = frozenset(
        char for char in _ALPHABET if re.match(f"\\{letter}", char, re.ASCII if ascii_only else 0)
    )
    return _ALL - found if "NOT_" in name else found


def _one_way(analysis: _Analysis, items: list[Any]) -> bool:
    """Whether the branches, if a repeat is over some, begin with different characters."""
    for code, argument in items:
        name = str(code)
        if name == "SUBPATTERN" and not _one_way(analysis, list(argument[3])):
            return False
        if name == "BRANCH":
            seen: frozenset[str] = _NOTHING
            for branch in argument[1]:
                first = _Analysis(analysis.flags).sequence(list(branch)).first
                if seen & first:
                    return False
                seen |= first
    return True


def _ends_in_loop(tree: list[Any]) -> bool:
    """Whether the last thing in a pattern is a repeat of single characters."""
    if not tree:
        return False
    name, argument = str(tree[-1][0]), tree[-1][1]
    if name == "SUBPATTERN":
        return _ends_in_loop(list(argument[3]))
    body = list(argument[2]) if name in _REPEATS else []
    is_plain = len(body) == 1 and str(body[0][0]) in _CHARACTERS
    return is_plain and int(argument[0]) <= 1 and int(argument[1]) > _SHORT


def _head_boundary(tree: list[Any], analysis: _Analysis) -> frozenset[str] | None:
    """The characters that the one before a match can't be; None if it can be any."""
    for code, argument in tree:
        name = str(code)
        if name == "SUBPATTERN":
            return _head_boundary(list(argument[3]), analysis)
        if name == "AT":
            where = str(argument)
            if where == "AT_BEGINNING_STRING" or (
                where == "AT_BEGINNING" and not analysis.flags & re.MULTILINE
            ):
                return _ALL
            if where == "AT_BOUNDARY":
                first = _Analysis(analysis.flags).sequence(tree).first
                word = _category("CATEGORY_WORD", bool(analysis.flags & re.ASCII))
                return word if first and not first - word else None
            return None
        if name == "ASSERT_NOT" and argument[0] < 0:
            inner = list(argument[1])
            if len(inner) == 1 and str(inner[0][0]) in _CHARACTERS:
                return analysis.characters(str(inner[0][0]), inner[0][1])
            return None
        return None
    return None
