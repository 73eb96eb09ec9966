"""SQL and Redis: values that take the names of the columns they are for.

`INSERT INTO users (name, password) VALUES (?, ?)` with `[parameters: ('ann', 'hunter2')]` behind
it, as SQLAlchemy writes both; the same as an UPDATE, with `$1`, `%s` and names; rows that
PostgreSQL shows; `HSET u:1 password hunter2`. Every pattern is anchored at a word of its own, its
repeats are bounded, and each text is gone through once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.look import is_mixed, looks_random
from asgi_sentry._scrubbing.text.values import FILTERED, bracketed, is_harmless, quoted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = [
    "Parameters",
    "cipher_spans",
    "executed_spans",
    "named_parameter_spans",
    "redis_spans",
    "secret_parameters",
    "sql_spans",
]

_LONGEST = 20_000  # characters of a statement that are looked at
_MOST = 500  # placeholders of one, and words of a command of Redis
_INSERT = re.compile(
    r"\b(?:into|replace)\s{1,20}(?:[\w.\"`\[\]]{1,200})\s{0,20}\("
    r"([^()]{1,4000})\)[^()]{0,200}?\bvalues\s{0,20}(?=\()",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\?|\$(\d{1,5})|%s|%\((\w{1,100})\)s|(?<![:\w]):([A-Za-z_]\w{0,100})|@([A-Za-z_]\w{0,100})"
)
# `column = `, `lower(column) LIKE upper(`, `"users"."password" = `, in front of a placeholder: read
# from there, backwards, since a search would begin at each character before it.
_COLUMN = re.compile(
    r"\s{0,4}\(?(?:\s?\w{1,40})?\s{0,4}(?:=|><|=!|\bekili?\b|\bsi\b|\bni\b)\s{0,4}\)?\s{0,4}"
    r"([\w$.\"`\[\]]{1,200})(?![\w$.\"`\[\]])",
    re.IGNORECASE,
)
_BEFORE = 260
_SHOWN = re.compile(r"\[SQL: |\bSQL: |^sql = ", re.MULTILINE)
# Each begins with a letter of its own, which a search goes to at once.
_GIVEN = re.compile(
    r"\[parameters: |p(?<!\wp)ara(?:meters: |ms: |ms=)|P(?<!\wP)ARAMS: |a(?<!\wa)rgs="
)
_LITERAL = re.compile(r"b?'((?:[^'\\]|\\.)*)'?|b?\"((?:[^\"\\]|\\.)*)\"?|([^\s,()\[\]{}:'\"]+)")
_NAMED = re.compile(r"[\"'](\w{1,100})[\"']:\s{0,4}(?=b?[\"'])")
_ROW = re.compile(r"Failing row contains \(")
_ARGUMENT = re.compile(r"query argument \$(\d{1,5}): (?:'([^'\n]{1,2000})'|\"([^\"\n]{1,2000})\")")
_BOUND = re.compile(
    r"BindParameter\(\\{0,3}'([^'\n]{1,200}?)\\{0,3}', b?\\{0,3}'([^'\n\\]{1,2000})"
)
_HASH = re.compile(
    r"\b(?:HSET|HMSET|HSETNX)\s{1,4}[\"']?[^\s\"']{1,300}[\"']?((?:\s{1,4}(?:\"[^\"\n]*\""
    r"|'[^'\n]*'|\S+))+)"
)
# Keys of functions of PostgreSQL and MySQL, and of SQLCipher's databases.
_CRYPT = re.compile(
    r"\bcrypt\(\s?'([^'\n]{1,200})',|"
    r"\b\w{0,20}crypt\(\s?(?:'[^'\n]{0,500}'|[^,()'\n]{1,200}),\s{0,4}'([^'\n]{1,200})'",
    re.IGNORECASE,
)
_CIPHER = re.compile(
    r"\b(?:pragma\s{1,4}(?:hex)?(?:re)?key\s{0,4}=\s{0,4}|attach\s[^;\n]{1,300}?\skey\s{1,4})"
    r"(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})')",
    re.IGNORECASE,
)
_WORD = re.compile(r"\"([^\"\n]*)\"|'([^'\n]*)'|(\S+)")
_REDIS_USER = re.compile(
    r"(?:^|\b(?:ACL SETUSER|user)\s\S{1,100}(?=\s)[^\n>]{0,200}?\s)[>#]([^\s>~&+#]{1,200})",
    re.IGNORECASE,
)
_STORED = re.compile(
    r"SET(?:NX|EX)?\s{1,4}[\"']?([^\s\"']{1,200})[\"']?\s{1,4}(?:\d{1,12}\s{1,4})?"
    r"[\"']?([^\s\"']{1,500})"
)
_REDIS_AUTH = re.compile(
    r"\A(?:HELLO [23] )?"
    r"[\"']?AUTH[\"']?\s{1,4}(?:[\"']?\S{1,100}[\"']?\s{1,4})?[\"']?([^\s\"']{1,500})[\"']?\s*\Z"
)


class Parameters(NamedTuple):
    """Which parameters of a statement are secret.

    Attributes:
        positions: of those without a name, from 0; a statement for several rows has them for the
            first.
        names: of the others.
        width: how many one row has.
    """

    positions: frozenset[int]
    names: frozenset[str]
    width: int


_NONE = Parameters(frozenset(), frozenset(), 0)


def secret_parameters(sql: str, keys: Keys | Meanings) -> Parameters:
    """Which parameters of a statement stand for columns that are secret.

    Args:
        sql: a statement with placeholders of any kind: `?`, `$1`, `%s`, `%(name)s`, `:name`.
        keys: what the columns' names mean.
    """
    sql = sql[:_LONGEST]
    columns = _columns(sql)
    positions: set[int] = set()
    names: set[str] = set()
    count = highest = 0
    for number, match in enumerate(_PLACEHOLDER.finditer(sql)):
        if number >= _MOST:
            break
        name = match[2] or match[3] or match[4]
        position = int(match[1]) - 1 if match[1] else count
        count += not (name or match[1])
        highest = max(highest, position + 1) if match[1] else highest
        column = columns.get(match.start())
        if column is None:
            start = match.start()
            before = _COLUMN.match(sql[max(0, start - _BEFORE) : start][::-1])
            column = before[1][::-1] if before else name
        if column and keys.meaning(column.strip('"`[]').rpartition(".")[2].strip('"`[]')) == DENIED:
            if name:
                names.add(name)
            else:
                positions.add(position)
    if not positions and not names:
        return _NONE
    width = max(count, highest, max(positions, default=0) + 1)
    return Parameters(frozenset(positions), frozenset(names), width)


def _columns(sql: str) -> dict[int, str]:
    """The column of each placeholder in the rows of an INSERT, by its place."""
    found: dict[int, str] = {}
    for insert in _INSERT.finditer(sql):
        names = [name.strip(' \t\r\n"`[]') for name in insert[1].split(",")]
        depth = at = 0
        for match in _STEP.finditer(sql, insert.end()):
            mark = match[0]
            if mark == "(":
                depth += 1
                at = 0 if depth == 1 else at
            elif mark == ")":
                depth -= 1
            elif mark == ",":
                at += depth == 1
            elif depth and at < len(names):
                found[match.start()] = names[at]
            elif not depth:
                break
            if len(found) >= _MOST:
                break
    return found


_STEP = re.compile(
    r"[(),]|" + _PLACEHOLDER.pattern + r"|\b(?:returning|on|select)\b", re.IGNORECASE
)


def sql_spans(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where values stand in a text that are for columns that are secret."""
    yield from _shown_alone(text, keys)
    given = _GIVEN.search(text)
    if given is None:
        return
    shown = _SHOWN.search(text)
    sql = text[shown.end() if shown else 0 : given.start()]
    secret = secret_parameters(sql, keys)
    if text.startswith("$1 = ", given.end()):  # as PostgreSQL logs them, the statement maybe behind
        if secret is _NONE:
            secret = secret_parameters(text[given.end() :], keys)
        for numbered in _NUMBERED.finditer(text, given.end()):
            if int(numbered[1]) - 1 in secret.positions:
                yield numbered.span(2)
    elif secret is not _NONE:
        yield from _given_spans(text, given.end(), secret, _end_of_given(text, given))


def _end_of_given(text: str, given: re.Match[str]) -> int:
    """Where parameters end that are shown: where their bracket does, or else their line."""
    opened = given.start() if given[0][0] == "[" else given.end()
    whole = bracketed(text[opened : given.end() + _LONGEST], 0)
    if whole is not None:
        return opened + whole[1]
    return min(_end_of_line(text, given.end()), given.end() + _LONGEST)


def _shown_alone(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Rows and arguments that are shown without their statement."""
    stop = 0
    for row in _ROW.finditer(text) if "Failing row" in text else ():
        if row.start() < stop:
            continue
        closed = text.find(").", row.end(), row.end() + 10_000)
        stop = end = closed if closed >= 0 else _end_of_line(text, row.end())
        if end > row.end() and text[row.end() : end] != FILTERED:
            yield row.end(), end
    secret, judged = _NONE, False
    for match in _ARGUMENT.finditer(text) if "query argument" in text else ():
        group = 2 if match[2] is not None else 3
        if not judged:  # the statement stands behind it
            shown, judged = _SHOWN.search(text, match.end()), True
            if shown is not None:
                secret = secret_parameters(text[shown.end() :], keys)
        if looks_random(match[group]) or int(match[1]) - 1 in secret.positions:
            yield match.span(group)
    for match in _BOUND.finditer(text) if "BindParameter" in text else ():
        if keys.meaning(match[1]) == DENIED or looks_random(match[2]):
            yield match.span(2)


# Of SQL Server: `exec sp_executesql N'UPDATE u SET pwd=@p0', N'@p0 nvarchar(9)', @p0=N'...'`, and
# `[Parameters=[@p0='...' (Size = 9)], ...]` of Entity Framework in front of the statement.
_GIVEN_BY_NAME = re.compile(r"@(\w{1,100})\s?=\s?N?'((?:[^'\n]|''){1,2000})'")


def named_parameter_spans(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where parameters stand that have their names beside them, as SQL Server is given them."""
    names = secret_parameters(text, keys).names
    for match in _GIVEN_BY_NAME.finditer(text) if names else ():
        if match[1] in names:
            yield match.span(2)


_NUMBERED = re.compile(r"\$(\d{1,4}) = '((?:[^'\n]|''){1,2000})'")
# A call that gives a statement with its parameters: `execute("UPDATE ... SET token = ?", ["..."])`.
_CALL = re.compile(
    r"\b(?:execute(?:many|script)?|fetch\w{0,8}|query)(\()\s{0,20}(?:\w{1,10}\()?(?=[bru]?[\"'])"
)
_LONGEST_CALL = 4_000


def executed_spans(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where values stand in calls that execute a statement."""
    stop = 0
    for call in _CALL.finditer(text):
        if call.start() < stop:
            continue
        statement = quoted(text, call.end())
        if statement is None or statement[1] - statement[0] > _LONGEST_CALL:
            continue
        secret = secret_parameters(text[statement[0] : statement[1]], keys)
        if secret is not _NONE:
            given = text[call.start(1) : statement[1] + _LONGEST_CALL]
            whole = bracketed(given, 0)
            stop = call.start(1) + (whole[1] if whole else len(given))
            yield from _given_spans(text, statement[1] + 1, secret, stop)


def _given_spans(
    text: str, position: int, secret: Parameters, stop: int
) -> Iterator[tuple[int, int]]:
    """The parameters in a list, a tuple, several of them, or a dict, as their repr shows them."""
    stop = min(len(text), stop)
    if secret.names:
        for named in _NAMED.finditer(text, position, stop):
            if named[1] in secret.names:
                value = _LITERAL.match(text, named.end(), stop)
                if value is not None:
                    yield _inside(value)
    if not secret.positions:
        return
    index = 0
    for match in _VALUES.finditer(text, position, stop):
        if match[0] in "([":
            index = 0
        elif match[0] in ")]":
            continue
        else:
            if index % max(1, secret.width) in secret.positions:
                start, end = _inside(match)
                if not is_harmless(text[start:end]) or text[start:end].isdigit():
                    yield start, end
            index += 1


_VALUES = re.compile(_LITERAL.pattern + r"|[()\[\]]")


def _inside(match: re.Match[str]) -> tuple[int, int]:
    group = next(number for number in (1, 2, 3) if match[number] is not None)
    return match.span(group)


def _end_of_line(text: str, position: int) -> int:
    end = text.find("\n", position)
    return end if end >= 0 else len(text)


def cipher_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where keys stand that a database is to encrypt by."""
    for match in _CRYPT.finditer(text):
        group = match.lastindex or 1
        if not is_harmless(match[group]):
            yield match.span(group)
    yield from (match.span(1 if match[1] else 2) for match in _CIPHER.finditer(text))


def redis_spans(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where values of secret fields stand in commands of Redis."""
    has_hash = "HSET" in text or "HMSET" in text
    for command in _HASH.finditer(text) if has_hash else ():
        name = ""
        for number, word in enumerate(_WORD.finditer(text, command.start(1), command.end(1))):
            if number >= _MOST:  # the rest goes as a whole
                yield word.start(), command.end(1)
                break
            if number % 2 == 0:
                name = text[slice(*_inside(word))]
            elif keys.meaning(name) == DENIED and not is_harmless(text[slice(*_inside(word))]):
                yield _inside(word)
    for stored in _STORED.finditer(text):
        is_secret = any(keys.meaning(part) == DENIED for part in stored[1].split(":"))
        if is_secret and is_mixed(stored[2]):
            yield stored.span(2)
    if "~" in text or "+@" in text or "setuser" in text.lower():
        yield from (user.span(1) for user in _REDIS_USER.finditer(text))
    auth = _REDIS_AUTH.match(text)
    if auth is not None and not is_harmless(auth[1]):
        yield auth.span(1)
