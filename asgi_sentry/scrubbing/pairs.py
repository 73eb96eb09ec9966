"""Keys and values inside a text: `password=...`, `"token": "..."`, headers, command lines, reprs, XML, multipart.

One search finds the names that stand in front of a separator, `Keys` says which of them hold a secret, and the value's
end is found by its own shape: its closing quote, its closing bracket, the end of the line or the next delimiter. Each
step goes on where the one before ended, so that the whole is linear in the text.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from asgi_sentry.scrubbing.keys import ADDRESS, COOKIES, DENIED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry.scrubbing.keys import Keys

    Span = tuple[int, int, str]  # start, end, rule id

FILTERED = "[Filtered]"
PASSWORD = "@password"  # noqa: S105 - the id for what is redacted because of its key

# A name with what may stand between it and its value. The lookbehind lets a match start at the head of a run only.
_NAME = re.compile(
    r"(?<![\w.\-])(-{1,3})?([\w$][\w.\-]*)"
    r"(\]?(?:\\{0,7}[\"'`])?\]?)(\s{0,8})(=>|:=|==?|:|,|>|%3[DdAa]|(?<=\s))"
)
_LITERAL_PREFIX = re.compile(r"(?:[bBrRuUfF]{1,2}(?=\\{0,7}[\"']))?(\\{0,7})([\"'`])")
# Delimiters end a bare value only where something follows that a value would not go on with.
_BARE = re.compile(r"(?:[^\s&\"'`<>,;)\]}\\]|[,;)\]}](?![\s,;)\]}.:\"'\\]|$|[\w.\-]{0,40}[=:])|\\(?![rn\"']))+")
_BARE_ENCODED = re.compile(r"(?:(?!%26|%3B|%0A)[^\s&\"'<>])+", re.IGNORECASE)
_LINE = re.compile(r"[^\r\n\"'\\]+|\\(?![rn\"'])|[\"']")
_HEX_OR_COLON = frozenset("0123456789abcdefABCDEF:")
_LISTED = re.compile(r"\s{0,4}[^\s,&;]{1,60}(?:,\s?[^\s,&;]{1,60}){0,20}")
_BRACKET = re.compile(r"[{}\[\]()\"']")
_PAIR_OPENS = re.compile(r"[(\[{]\s?b?\\{0,7}[\"']\Z")
_HEADERS = frozenset({"authorization", "proxyauthorization", "cookie", "setcookie"})
_SCHEME = re.compile(
    r"(?i)(?:bearer|basic|digest|token|negotiate|apikey|aws4-hmac-sha256|hmac|signature|ntlm|hawk|key)\b"
)
_FAMILY = re.compile(r"(?i)(?:pass|pwd|secret|pin\b|otp|cvv|cvc|ssn|credential|iban|card)")
_XML_CLOSE = "</"
_LONGEST_ELEMENT = 2000  # characters of an element that are looked through for its end
_PLACEHOLDER = re.compile(
    r"(?:[*\u2022.#xX_?-]+|[{\[(]+|%[sdr]|%\(\w+\)[sdr]|\{\w*\}+|\$\{\w*\}?|\$[A-Z_]+|\$\(\w*\)|<[\w .-]*>|:[a-z_]+"
    r"|\[Filtered\]|\[Redacted\]"
    r"|n/a|none|null|nil|true|false|undefined|nan|unset|empty|required|optional|missing|invalid"
    r"|expired|unknown|ok|yes|no|not|is|was|has|failed|denied|granted|revoked|str|int|bool|bytes|float|any|dict|list|tuple|object"
    r"|string|number|boolean|secretstr|type|self|cls)\Z",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(
    r"(?:[A-Za-z_]+\.)*[A-Za-z_]+[(\[{]|(?:self|cls|os|settings|config|conf|request|req|args|options|opts|kwargs|app|env|"
    r"environ|this|ctx|context|data|user|params|form|values|state|obj|match|m|tok|event)(?:\.[A-Za-z_]+)+\Z|lambda\b"
)
_CONSTRUCTED = re.compile(r"[A-Z]\w{0,60}\((?=b?[\"'])")
_ALPHABETIC = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*[.!?]?\Z")
# In an annotation; any other capitalised word may be a password.
_TYPE = re.compile(
    r"[A-Z]\w*\[|[a-z_]+\.[A-Z][A-Za-z]+\Z"
    r"|(?:Any|String|Str|SecretStr|SecretBytes|Token|Credentials?|Password|Session|Cookie|Auth|None)\Z"
)
_MULTIPART = re.compile(
    r"name=\\{0,3}\"([^\"\\\r\n]{1,200})\\{0,3}\"(?:[^\r\n\\]|\\(?![rn])){0,400}"
    r"(?:(?:\r?\n|\\r\\n|\\n)[\w-]{1,60}:(?:[^\r\n\\]|\\(?![rn])){0,400}){0,8}"
    r"(?:\r\n\r\n|\n\n|\\r\\n\\r\\n|\\n\\n)"
)
_PART_END = re.compile(r"(?:\r?\n|\\r\\n|\\n)--")
_NAMED = re.compile(
    r"[\"'](?:name|key|field|header|param|parameter|variable|label|k)\\{0,7}[\"']\s{0,3}:\s{0,3}b?\\{0,7}[\"']([^\"'\\]{1,200})"
    r"\\{0,7}[\"']\s{0,3},\s{0,20}b?\\{0,7}[\"'](?:value|val|v)\\{0,7}[\"']\s{0,3}:\s{0,8}",
    re.IGNORECASE,
)
_IDENTIFIED = re.compile(r"(?i)\bidentified\s{1,4}by\s{1,4}(?:password\s{1,4})?(?=['\"])")
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:(?:\d{1,3}\.){3}\d{1,3}(?![\w])(?!\.\d)|[0-9A-Fa-f:]{2,39}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?:%\w{1,15})?(?![\w:]))"
)


def address_spans(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Where IPv4 and IPv6 addresses stand in a text."""
    for match in _ADDRESS.finditer(text, start, len(text) if end is None else end):
        found = match[0]
        if "." not in found and found.count(":") < 2:
            continue
        if _is_address(found):
            yield match.span()


def _is_address(text: str) -> bool:
    """As `ipaddress` would say, a tenth as slow."""
    try:
        if ":" in text:
            socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
        else:
            socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        return False
    return True


def pair_spans(text: str, keys: Keys) -> list[Span]:
    """Where the values of sensitive keys stand in a text; in order, without overlaps."""
    spans: list[Span] = []
    position = 0
    verdicts: dict[str, int] = {}  # the same few names come again and again
    for match in _NAME.finditer(text):
        start = match.start(2)
        if start < position:
            continue
        name = match[2]
        verdict = verdicts.get(name, -1)
        if verdict < 0:
            verdict = verdicts[name] = keys[name]
        if not verdict:
            continue
        if verdict == DENIED or (verdict == COOKIES and match[5] == ":"):
            span = _value_of(text, match, keys)
            if span is not None:
                spans.append((*span, PASSWORD))
                position = span[1]
        elif verdict == ADDRESS and match[5] in {"=", ":", ",", "=>"}:
            plain = text[match.end() : match.end() + 1] in _HEX_OR_COLON
            stop = None if plain else _shaped_end(text, match.end())
            if stop is None:
                listed = _LISTED.match(text, match.end())
                stop = listed.end() if listed else match.end()
            spans += [(*span, "@ip") for span in address_spans(text, match.end(), stop)]
    lower = text.lower() if len(text.lower()) == len(text) else text
    if "form-data" in lower:
        spans += [(*span, PASSWORD) for span in _multipart(text, keys)]
    if "value" in lower:
        spans += [(*span, PASSWORD) for span in _named(text, keys)]
    if "identified" in lower:
        spans += [(*span, PASSWORD) for m in _IDENTIFIED.finditer(text) if (span := _quoted(text, m.end())) is not None]
    return spans


def _multipart(text: str, keys: Keys) -> Iterator[tuple[int, int]]:
    stop = 0
    for match in _MULTIPART.finditer(text):
        if match.start() >= stop and keys[match[1]] == DENIED:
            end = _PART_END.search(text, match.end())
            stop = end.start() if end else len(text)
            if stop > match.end() and not text.startswith(FILTERED, match.end()):
                yield match.end(), stop


def _named(text: str, keys: Keys) -> Iterator[tuple[int, int]]:
    for match in _NAMED.finditer(text):
        if keys[match[1]] == DENIED:
            span = _quoted(text, match.end()) or _bracketed(text, match.end())
            if span is None:
                bare = _BARE.match(text, match.end())
                span = bare.span() if bare else None
            if span is not None and not _is_harmless(text[span[0] : span[1]]):
                yield span


def _value_of(text: str, match: re.Match[str], keys: Keys) -> tuple[int, int] | None:
    """Where the value of a sensitive name stands; None where none follows."""
    dashes, name, closing, spaces, separator = match.groups()
    start, end = match.start(2), match.end()
    before = text[max(0, start - 12) : start]
    if before.endswith(("</", "<!")):
        return None
    if before.endswith("<") or (":" in before and re.search(r"<[\w.-]{0,10}:\Z", before)):
        return _element(text, match)
    if separator in {">", "=="}:  # a comparison
        return None
    if separator == ",":
        if not closing or not (dashes or _PAIR_OPENS.search(before)):
            return None
        end += len(text[end : end + 8]) - len(text[end : end + 8].lstrip())
        return _checked(text, _quoted(text, end) or _bracketed(text, end))
    if separator == "":
        return _spaced(text, match, dashes)
    if separator.startswith("%"):
        bare = _BARE_ENCODED.match(text, end)
        return _checked(text, bare.span() if bare else None)
    gap = _skip_space(text, end)
    quoted = _quoted(text, gap)
    if quoted is not None:
        # 'password' : 'x' and password='x' alike. In prose a quote after a word is none: "token: 'a' or 'b'" is.
        return _checked(text, quoted)
    if "\n" in text[end:gap]:
        return _checked(text, _bracketed(text, gap)) if text[gap : gap + 1] in {"{", "["} and closing else None
    folded = name.replace("-", "").replace("_", "").lower()
    is_header = separator == ":" and folded in _HEADERS and not closing.strip("]")
    if is_header and (folded.endswith("cookie") or _SCHEME.match(text, gap)):
        return _checked(text, (gap, _header_end(text, gap, before[-1:])))
    bracketed = _bracketed(text, gap)
    if bracketed is not None:
        return _checked(text, bracketed) if closing or separator != ":" or spaces == "" else None
    return _bare(text, gap, name, separator, closing, keys)


def _bare(text: str, gap: int, name: str, separator: str, closing: str, keys: Keys) -> tuple[int, int] | None:
    """A value without quotes, unless it is code, a type, a placeholder or prose."""
    bare = _BARE.match(text, gap)
    if bare is None:
        return None
    value, end = bare[0], bare.end()
    built = _CONSTRUCTED.match(text, gap)
    if built is not None:  # SecretStr('...'), in the repr of an object
        inner = _bracketed(text, built.end() - 1)
        return _checked(text, _quoted(text, built.end())) if inner else None
    if _is_harmless(value) or _CODE.match(value):
        return None
    if text[end : end + 1] in {"'", '"', "`"} and value[-1] in "=:+(":
        return None
    identifier = value.rstrip(".,;:")
    if identifier.isidentifier() and (
        identifier.lower() == name.lower() or identifier.lower().endswith("_" + name.lower())
    ):
        return None  # password=password, token=new_token: an argument passed on
    if separator == ":" and not closing:
        if _TYPE.match(value) and not any(char.isdigit() for char in value):
            return None
        following = text[end : end + 2]
        goes_on = following[:1] == " " and following[1:].isalpha() and text[gap - 1].isspace()
        if _ALPHABETIC.match(value) and (goes_on or not _FAMILY.search(name)):
            return None  # prose: "Password: must be ..."
        if value.isdigit() and not _FAMILY.search(name):
            return None  # "Session: 12"
    return gap, end


def _spaced(text: str, match: re.Match[str], dashes: str | None) -> tuple[int, int] | None:
    """`--password value`, and SQL's `PASSWORD 'value'`."""
    end = match.end()
    quoted = _quoted(text, end)
    if quoted is not None:
        sure = bool(dashes) or (match[2].lower() == "password" and text[end] == "'" and match[2].isupper())
        return _checked(text, quoted) if sure else None
    if not dashes or len(dashes) < 2 or text[end : end + 1] in {"-", "|", "<", "[", "\\", ""}:
        return None
    bare = _BARE.match(text, end)
    if bare is None or (
        _ALPHABETIC.match(bare[0]) and text[bare.end() : bare.end() + 2][1:].isalpha() and text[bare.end()] == " "
    ):
        return None  # a help text
    return _checked(text, bare.span())


def _element(text: str, match: re.Match[str]) -> tuple[int, int] | None:
    """The content of an XML element."""
    name, start = match[2], match.start(2)
    opened = text.find(">", match.end(2), match.end(2) + 2000)
    if opened < 0 or text[opened - 1] == "/":
        return None
    qualified = text[text.rfind("<", 0, start) + 1 : start] + name
    closed = text.find(_XML_CLOSE, opened, opened + _LONGEST_ELEMENT)
    if closed >= 0 and not text.startswith(qualified, closed + 2):  # there are elements inside
        own = text.find(f"</{qualified}", closed, closed + _LONGEST_ELEMENT)
        closed = own if own >= 0 else closed
    if closed < 0:  # cut off, or no XML at all
        bare = _BARE.match(text, opened + 1)
        return _checked(text, bare.span()) if bare and text[bare.end() : bare.end() + 1] in {"", "<"} else None
    inner = text[opened + 1 : closed].strip()
    return (opened + 1, closed) if inner and inner != FILTERED else None


def _checked(text: str, span: tuple[int, int] | None) -> tuple[int, int] | None:
    return None if span is None or _is_harmless(text[span[0] : span[1]]) else span


def _is_harmless(value: str) -> bool:
    return not value.strip() or _PLACEHOLDER.match(value[:200]) is not None


def _skip_space(text: str, position: int) -> int:
    stop = min(len(text), position + 40)
    while position < stop and text[position].isspace():
        position += 1
    return position


def _quoted(text: str, position: int) -> tuple[int, int] | None:
    """The inside of a string literal, whose quotes may be escaped any number of times; cut off counts as closed."""
    opened = _LITERAL_PREFIX.match(text, position)
    if opened is None:
        return None
    escape, quote, start = len(opened[1]), opened[2], opened.end()
    if not escape and text.startswith(quote * 2, start):
        closed = text.find(quote * 3, start + 2)
        return start + 2, closed if closed >= 0 else len(text)
    at = start
    while True:
        at = text.find(quote, at)
        if at < 0:
            return start, len(text)
        back = at
        while back > start and text[back - 1] == "\\":
            back -= 1
        slashes = at - back
        # A quote of ours has as many backslashes as the one that opened it; more make it part of the value.
        if slashes <= escape or (escape == 0 and slashes % 2 == 0):
            return start, back if slashes <= escape else at
        at += 1


def _bracketed(text: str, position: int) -> tuple[int, int] | None:
    """A bracketed value with its brackets; what is cut off goes to the end."""
    opening = text[position : position + 1]
    if opening == "<":
        closed = text.find(">", position, position + 500)
        inner = text[position : closed + 1] if closed >= 0 else ""
        return None if " at 0x" in inner or "=" not in inner else (position, closed + 1)
    if opening not in {"{", "[", "("} or text.startswith(FILTERED, position):
        return None
    depth = 0
    quote = ""
    for match in _BRACKET.finditer(text, position):
        char = match[0]
        if quote:
            if char == quote and text[match.start() - 1] != "\\":
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "{[(":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                return (position, match.end()) if match.end() - position > 2 else None
    return position, len(text)


def _shaped_end(text: str, position: int) -> int | None:
    gap = _skip_space(text, position)
    span = _quoted(text, gap) or _bracketed(text, gap)
    return span[1] if span else None


def _header_end(text: str, position: int, quote: str) -> int:
    """The end of a header's line; if the line stands in quotes, of the quotes."""
    for match in _LINE.finditer(text, position):
        if match[0] in {'"', "'"} and match[0] == quote:
            return match.start()
        if match.start() != position:
            break
        position = match.end()
    return position
