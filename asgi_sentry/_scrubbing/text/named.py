"""Keys and values that do not stand side by side.

Form fields, `name=... value=...`, SQL, validation errors, commands. Each pattern is anchored at
words of its own and its repeats are bounded, so that all of it is linear in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.keys import DENIED, LOOKED
from asgi_sentry._scrubbing.look import is_mixed, looks_random
from asgi_sentry._scrubbing.text.by_sign import BySign
from asgi_sentry._scrubbing.text.codes import (
    code_abroad_spans,
    code_first_spans,
    code_given_spans,
    code_spans,
)
from asgi_sentry._scrubbing.text.columns import column_spans
from asgi_sentry._scrubbing.text.commands import command_spans, login_spans
from asgi_sentry._scrubbing.text.configs import community_spans, pgpass_spans, router_spans
from asgi_sentry._scrubbing.text.dense import until_dense
from asgi_sentry._scrubbing.text.handed import (
    called_spans,
    converted_spans,
    given_spans,
    mail_spans,
    piped_spans,
    typed_spans,
)
from asgi_sentry._scrubbing.text.sql import (
    cipher_spans,
    executed_spans,
    named_parameter_spans,
    redis_spans,
    sql_spans,
)
from asgi_sentry._scrubbing.text.told import (
    key_file_spans,
    made_up_spans,
    phrase_spans,
    subprotocol_spans,
    twin_spans,
)
from asgi_sentry._scrubbing.text.values import BARE, FILTERED, QUOTE, is_harmless, literal, quoted
from asgi_sentry._scrubbing.words import heads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asgi_sentry._scrubbing.text.meanings import Meanings

    _Finder = Callable[[str, Meanings], Iterator[tuple[int, int]]]

__all__ = ["named_spans"]

_BREAK = r"(?:\r\n|\n|\\r\\n|\\n)"
_FIELD = re.compile(r"name=(?:\\{0,3}\"([^\"\\\r\n]{1,200})\\{0,3}\"|([^\s\"\\;]{1,200}))")
_LINE_END = re.compile(_BREAK)
_OTHER_HEADERS = re.compile(
    rf"(?:{_BREAK}[\w-]{{1,60}}:(?:[^\r\n\\]|\\(?![rn])){{0,400}}){{0,8}}(?:\r\n\r\n|\n\n"
    r"|\\r\\n\\r\\n|\\n\\n)"
)
_PART_END = re.compile(rf"{_BREAK}--")

# JSON, YAML, attributes and elements of XML: {"name": "password", "value": "x"}, <add
# key="password" value="x"/>, <property name="password">x</property>,
# <name>password</name><value>x</value>, <key>password</key><string>x</string>.
# In any case: the words of `terms.NAMES` and `terms.VALUES`, most of which are two in one.
_NAME_WORDS = (
    "name|key|field|header|param|parameter|variable|label|attribute|property|setting|option|k|var"
    "|parameterkey|parametername|optionname|outputkey|variable_?name|config_?key|setting_?name"
)
_VALUE_WORDS = (
    "value|val|content|v|plaintext|parametervalue|outputvalue|variable_?value|config_?value"
    "|setting_?value|string_?value|default_?value"
)
_NAME = re.compile(
    rf"{heads(_NAME_WORDS)}(?:\\{{0,7}}{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}"
    rf"(?:[bB]?\\{{0,7}}{QUOTE}([^\"'`\\&]{{1,200}})\\{{0,7}}{QUOTE}|([\w.\-]{{1,200}}))"
)
_ITS_VALUE = re.compile(
    rf"[^<>{{}}]{{0,150}}?(?<![\w-])(?:{_VALUE_WORDS})(?:\\{{0,7}}{QUOTE})?\s{{0,3}}[:=]\s{{0,8}}"
    r"(?=\S)|\s?>(?=[^<\s])",
    re.IGNORECASE,
)
_NAMED_ELEMENT = re.compile(
    r"<(?:\w{1,20}:)?(?:name|key)>([^<>]{1,200})</(?:\w{1,20}:)?(?:name|key)>\s{0,40}"
    r"<(?:\w{1,20}:)?(?:value|string|data|val)>\s{0,20}(?:<\w{1,20}>)?([^<]{1,4000})",
    re.IGNORECASE,
)
_VALUE_FIRST = re.compile(
    rf"{heads(_VALUE_WORDS)}(?i:(?:\\{{0,7}}{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}(b?\\{{0,7}}{QUOTE}"
    rf"([^\"'`\\&]{{1,4000}})\\{{0,7}}{QUOTE})"
    rf"(?:\s{{0,3}},\s{{0,20}}|\s{{1,20}}(?:where\s)?)(?:\\{{0,7}}{QUOTE})?(?:{_NAME_WORDS})"
    rf"(?:\\{{0,7}}{QUOTE})?\s{{0,3}}[:=]\s{{0,3}}"
    rf"b?\\{{0,7}}{QUOTE}([^\"'`\\&]{{1,200}}))"
)

_IDENTIFIED = re.compile(
    r"(?i)\bidentified\s{1,4}(?:with\s{1,4}\S{1,60}\s{1,4})?by\s{1,4}(?:password\s{1,4})?(?="
    r"(['\"])|[^\s'\"])"
)
_SET = re.compile(
    r"(?i)\bset\s{1,4}password\s{1,4}for\s{1,4}\S{1,100}\s{0,4}=\s{0,4}"
    r"(?:password\s{0,4}\(\s{0,4})?(?=')"
)
_DUPLICATE = re.compile(r"Duplicate entry '([^'\n]{1,1000})' for key '([^'\n]{1,200})'")
_DUPLICATE_LAST = re.compile(
    r"index '([^'\n]{1,200})'\.? The duplicate key value is \(([^()\n]{1,1000})\)"
)
_INSERT = re.compile(
    r"(?i)\binto\s{1,20}[\w.\"`\[\]]{1,200}\s{0,20}\(([^()]{1,4000})\)\s{0,20}values\s{0,20}(?=\()"
)
_SQL_VALUE = re.compile(
    r"\s{0,20}(?:'((?:[^']|'')*)'|\"[^\"]*\"|([^,()'\"]{0,4000})(?:\([^()]{0,4000}\))?)\s{0,20}"
    r"([,)])"
)
_SQL_ROW = re.compile(r"\s{0,20},?\s{0,20}\(")

# What pydantic tells of a value that it refuses, as its text and as its list of errors.
_REFUSED = re.compile(rf"(?:^|{_BREAK})([\w.\-]{{1,200}}){_BREAK}  (?=[^\s])")
_REFUSED_VALUE = re.compile(r"\[type=\w{1,80}, input_value=")
_REFUSED_END = re.compile(r", input_type=|\r?\n|\\n")
_LOCATED = re.compile(r"[\"']loc[\"']:\s?[(\[]([^()\[\]]{1,300})[)\]],")
_LAST_STEP = re.compile(r"[\"']([^\"']{1,200})[\"'],?\s?\Z")
_INPUT = re.compile(r"[\"']input[\"']:\s?")
_FAR = 800  # characters between a name and the value that was refused

# `'hunter2' in field password`, as converters and validators say it.
_IN_FIELD = re.compile(
    r"'([^'\n]{1,500})'\s{1,4}(?:in|for|of|at)\s{1,4}(?:the\s)?(?:field|column|key|parameter"
    r"|argument|setting)"
    r"\s{1,4}['\"]?([\w.\-]{1,100})"
)
_IN = re.compile(r"'\s{1,4}(?:in|for|of|at)\s")
# `Invalid type for parameter SecretString, value: hunter2, type: <class 'str'>`, of botocore's.
_PARAMETER = re.compile(
    r"\bfor parameter ([\w.\[\]]{1,100}), value: ([^\n]{1,2000}?), type: <class '"
)
_NETRC = re.compile(
    r"\b(?:login|user)\s{1,20}\S{1,200}\s{1,20}password\s{1,20}(?![\"'|])(\S{1,500})"
)
_ORACLE = re.compile(r":oracle:\w{2,8}:[\w.-]{1,60}/([^@\s\"'/]{1,100})@")
_JWK = re.compile(
    r"\\{0,7}[\"'](?:d|p|q|dp|dq|qi|k)\\{0,7}[\"']\s{0,4}:\s{0,4}\\{0,7}[\"']([\w-]{10,2000})"
)


def named_spans(text: str, lower: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    """Where the values of sensitive names stand.

    Args:
        text: the text.
        lower: the same in lower case, of the same length.
        keys: what the names mean.
    """
    for find in _BY_SIGN.of(lower):
        yield from until_dense(find(text, keys), text)


def _multipart(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    if "\n\n" not in text and "\r\n\r\n" not in text and "\\n" not in text:
        return
    line_end, content, stop = 0, -1, 0
    for match in _FIELD.finditer(text):
        if match.start() < stop or keys.meaning(match[1] or match[2]) != DENIED:
            continue
        if match.end() > line_end:  # what follows the line is the same for all names in it
            broken = _LINE_END.search(text, match.end())
            line_end = broken.start() if broken else len(text)
            headers = _OTHER_HEADERS.match(text, line_end)
            content = headers.end() if headers else -1
        if content >= 0:
            end = _PART_END.search(text, content)
            stop = end.start() if end else len(text)
            if stop > content and not text.startswith(FILTERED, content):
                yield content, stop


def _named(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    stop = 0
    for match in _NAME.finditer(text):
        name = match[1] or match[2]
        verdict = keys.meaning(name)
        if match.start() < stop or verdict not in _SECRET:
            continue
        following = _ITS_VALUE.match(text, match.end())
        if following is None:
            continue
        start = following.end()
        if text[start - 1] == ">":
            closed = text.find("<", start, start + 4000)
            span: tuple[int, int] | None = (start, closed if closed >= 0 else len(text))
        elif verdict == LOOKED and not _begins_randomly(text, start):
            continue  # its end may be far
        else:
            span = literal(text, start)
        if span is not None and _is_secret(verdict, text[span[0] : span[1]]):
            stop = span[1]
            yield span


_SECRET = frozenset({DENIED, LOOKED})
_BEGINNING = re.compile(r"b?\\{0,7}[\"']?([^\s\"'<>{}()\[\],;&\\]{12,120})")


def _begins_randomly(text: str, place: int) -> bool:
    beginning = _BEGINNING.match(text, place, place + 140)
    return beginning is not None and looks_random(beginning[1])


def _is_secret(verdict: int, value: str) -> bool:
    """Whether a value is one, by what its name means and by its look."""
    if verdict == LOOKED:
        return looks_random(value)
    return verdict == DENIED and not is_harmless(value)


def _elements(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    for match in _NAMED_ELEMENT.finditer(text):
        if _is_secret(keys.meaning(match[1].strip()), match[2]):
            yield match.span(2)


def _values_first(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    for match in _VALUE_FIRST.finditer(text):
        if _is_secret(keys.meaning(match[3]), match[2]):
            yield match.span(2)


def _identified(text: str, _: Meanings) -> Iterator[tuple[int, int]]:
    for match in _IDENTIFIED.finditer(text):
        if match[1]:
            span = quoted(text, match.end())
        elif bare := BARE.match(text, match.end()):
            span = bare.span()
        else:
            span = None
        # Without quotes it is Oracle's, or prose: "identified by name".
        if span is not None and (match[1] or any(map(str.isdigit, text[span[0] : span[1]]))):
            yield span


def _inserted(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    """The values of sensitive columns in each row of an INSERT."""
    for match in _INSERT.finditer(text):
        columns = [column.strip(' \t\r\n"`[]') for column in match[1].split(",")]
        verdicts = [keys.meaning(column) for column in columns]
        if _SECRET.isdisjoint(verdicts):
            continue
        row = _SQL_ROW.match(text, match.end())
        while row is not None:
            position = row.end()
            for verdict in verdicts:
                value = _SQL_VALUE.match(text, position)
                if value is None:
                    break
                if value[1] is not None and _is_secret(verdict, value[1]):
                    yield value.span(1)
                elif value[2] is not None and verdict in _SECRET and is_mixed(value[2].strip()):
                    yield value.span(2)  # Laravel shows the values without quotes
                position = value.end()
                if value[3] == ")":
                    break
            row = _SQL_ROW.match(text, position) if text[position - 1] == ")" else None


def _refused(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    for match in _REFUSED.finditer(text):
        if any(keys.meaning(step) == DENIED for step in match[1].split(".")):
            value = _REFUSED_VALUE.search(text, match.end(), match.end() + _FAR)
            if value is not None:
                end = _REFUSED_END.search(text, value.end(), value.end() + _FAR)
                shown = end.start() if end else len(text)
                if not is_harmless(text[value.end() : shown].strip("'\"")):
                    yield value.end(), shown


def _located(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    stop = 0
    for match in _LOCATED.finditer(text):
        if match.start() < stop:
            continue
        step = _LAST_STEP.search(match[1])
        if step and keys.meaning(step[1]) == DENIED:
            given = _INPUT.search(text, match.end(), match.end() + _FAR)
        else:
            given = None
        span = literal(text, given.end()) if given else None
        if span is not None and not is_harmless(text[span[0] : span[1]]):
            stop = span[1]
            yield span


def _said(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    """What sentences say of secrets."""
    if _IN.search(text) is None:  # what is in front of it may be far
        return
    for match in _IN_FIELD.finditer(text):
        if _is_secret(keys.meaning(match[2].rstrip(".").rpartition(".")[2]), match[1]):
            yield match.span(1)


def _invalid(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    """Parameters that botocore refuses."""
    for match in _PARAMETER.finditer(text):
        if _is_secret(keys.meaning(match[1].rpartition(".")[2]), match[2]):
            yield match.span(2)


def _logins(text: str, _: Meanings) -> Iterator[tuple[int, int]]:
    if "password" in text:
        yield from (match.span(1) for match in _NETRC.finditer(text))


def _oracle(text: str, _: Meanings) -> Iterator[tuple[int, int]]:
    yield from (match.span(1) for match in _ORACLE.finditer(text) if not is_harmless(match[1]))


def _set_for(text: str, _: Meanings) -> Iterator[tuple[int, int]]:
    yield from filter(None, (quoted(text, match.end()) for match in _SET.finditer(text)))


def _duplicates(text: str, keys: Meanings) -> Iterator[tuple[int, int]]:
    yield from (
        match.span(1) for match in _DUPLICATE.finditer(text) if keys.meaning(match[2]) == DENIED
    )
    yield from (
        match.span(2)
        for match in _DUPLICATE_LAST.finditer(text)
        if keys.meaning(match[1]) == DENIED
    )


def _members(text: str, _: Meanings) -> Iterator[tuple[int, int]]:
    yield from (match.span(1) for match in _JWK.finditer(text))


_ABROAD = (
    "code de ", "digo de ", "codice di ", "code lautet", "tan lautet", "code f\xfcr", "ungscode",
    "meldecode", "heitscode", "ionscode", "malcode", "\u9a8c\u8bc1\u7801",
    "\u9a57\u8b49\u78bc", "\u6821\u9a8c\u7801", "\u52a8\u6001\u7801",
    "\u78ba\u8a8d\u30b3\u30fc\u30c9", "\u8a8d\u8a3c\u30b3\u30fc\u30c9",
    "\u8a8d\u8a3c\u756a\u53f7", "\uc778\uc99d", "\u043a\u043e\u0434",
)  # fmt: skip
# Who looks for what, and texts in lower case of which one must be there; none where nothing tells.
_FINDERS: tuple[tuple[tuple[str, ...], _Finder], ...] = (
    (("name=",), _multipart),
    (("val", "plaintext", '"v', "content", ">"), _named),
    (("name>", "key>"), _elements),
    (("val", '"v', "content", "v="), _values_first),
    (("identified",), _identified),
    (("password for",), _set_for),
    (("duplicate entry", "duplicate key value"), _duplicates),
    (("values",), _inserted),
    (("input_value=",), _refused),
    (("input",), _located),
    ((), command_spans),
    (("-u", "-l", "-xu", "-au"), login_spans),
    (("parameter", "params", "args=", "failing row", "query arg"), sql_spans),
    (("execut", "fetch", "query("), executed_spans),
    (("sp_executesql", "parameters=[@"), named_parameter_spans),
    (("crypt(", "pragma", "attach"), cipher_spans),
    (("|",), piped_spans),
    (("<<<",), given_spans),
    (("auth ", "pass ", "login ", "identify ", "334 "), mail_spans),
    ((":5432:", ":*:"), pgpass_spans),
    (("community",), community_spans),
    (("enable ", "username ", "chap ", "pap ", "isakmp", "ascii-text"), router_spans),
    (("tacacs", "radius", "message-digest-key", "stats auth"), router_spans),
    ((":oracle:",), _oracle),
    (("-securestring",), converted_spans),
    (("set", "auth", ">", "~"), redis_spans),
    (("field", "column", "key", "parameter", "argument", "setting"), _said),
    (("for parameter ",), _invalid),
    (("login", "user"), _logins),
    (("send",), typed_spans),
    (("login(", "bind(", "bind_s(", "authenticate(", "jwt."), called_spans),
    (("code is", "code: ", "otp is ", "otp: ", "pin is ", "pin: "), code_spans),
    ((" is your ", " is the "), code_first_spans),
    (
        ("time pass", "time code", "time pin", "passcode ", " code", "use ", "enter "),
        code_given_spans,
    ),
    (_ABROAD, code_abroad_spans),
    (("secondarykey", "secondary_key"), twin_spans),
    (("kty",), _members),
    (("\n",), column_spans),
    (
        ("password for", "is generated for", "password generated", "ing password", "nitial"),
        made_up_spans,
    ),
    (("mnemonic", "phrase", "seed", "words"), phrase_spans),
    (("websocket-protocol",), subprotocol_spans),
    (("private-lines", "private-mac"), key_file_spans),
)

_BY_SIGN = BySign(_FINDERS)
