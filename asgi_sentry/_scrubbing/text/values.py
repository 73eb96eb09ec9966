"""Where a value in a text ends.

At its closing quote or bracket, at the end of its line, or at the next delimiter. And what stands
where a secret would and is none: placeholders, types, code.
"""

from __future__ import annotations

import re

__all__ = [
    "BARE",
    "COLOURS",
    "FILTERED",
    "QUOTE",
    "bracketed",
    "checked",
    "header_end",
    "is_code",
    "is_harmless",
    "literal",
    "quoted",
    "skip_gap",
]

FILTERED = "[Filtered]"


def _split(text: str) -> list[str]:
    return text.split()


COLOURS = r"(?:(?:\x1b|\\x1b|\\u001b)\[[\d;]{0,8}m)"  # of a terminal, as they are or escaped
# The last are those of .NET and Go, behind their backslashes.
QUOTE = r"(?:[\"'`]|&(?:quot|apos|#0?3[49]|#[xX]2[27]);|(?<=\\)u002[27])"
_GAP = re.compile(rf"(?:\s|{COLOURS}){{0,40}}")
_LITERAL_PREFIX = re.compile(
    rf"(?:[bBrRuUfFnNeE]{{1,2}}(?=\\{{0,7}}[\"'])|[$@](?=[\"']))?(\\{{0,7}})({QUOTE})"
)
# Delimiters end a bare value only where something follows that a value would not go on with.
BARE = re.compile(
    r"(?:[^\s&\"'`<>,;)\]}\\\x1b]|[,;)\]}](?![\s,;)\]}.:\"'\\]|$|[\w.\-]{0,40}[=:])|\\(?![rn\"']"
    r"|x1b|u001b))+"
)
_LINE = re.compile(r"[^\r\n\"'\\]+|\\(?![rn\"'])|[\"']")
_BRACKET = re.compile(r"[{}\[\]()\"']")
# Words that stand for a value, or say what became of it.
_WORDS = frozenset(
    _split(
        """n/a none null nil true false undefined nan unset empty required optional missing invalid
    expired unknown
    ok yes no not is was has failed denied granted revoked str int bool bytes float any dict list
    tuple object string
    number boolean secretstr type self cls include inherit same-origin omit bearer basic token
    digest"""
    )
)
_PLACEHOLDER = re.compile(
    r"(?:[*\u2022.#xX_?-]+|[{\[(]+|%[sdr]|%\(\w+\)[sdr]|\{\w*\}+|\{\{[\w\s.|'\"()]*\}\}|\$\{\w*"
    r"(?::?[-?])?\}?|\$[A-Z_]+|\$\d+"
    r"|\$\(\w*\)|<[\w .-]*>|:[a-z_]+|@p\d+|!(?:vault|secret|env_var|Ref|Sub|GetAtt)|\[Filtered\]"
    r"|\[Redacted\]|\d{1,2}"
    r"|(?:bearer|basic|token|digest)\s+(?:\{[\w.()]*\}|%s|\$\{?\w+\}?|<[\w .-]*>|\[Filtered\]"
    r"|[*\u2022.xX]{2,})?"
    r"|[(\[][A-Za-z_.*]*(?:,\s?[A-Za-z_.*]+)*,?[)\]]"
    r"|(?:Optional|Union|Dict|List|Tuple|Type|Callable|Mapping|Sequence"
    r"|Iterable)\[[\w\s.,\[\]]*)\Z",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(
    r"(?:[A-Za-z_]+\.)*[A-Za-z_]+[(\[{]|(?:self|cls|os|settings|config|conf|request|req|args"
    r"|options|opts|kwargs|app|env|"
    r"environ|this|ctx|context|data|user|params|form|values|state|obj|match|m|tok|event|c|s|r|x)"
    r"(?:\.[A-Za-z_]+)+\Z|(?:lambda|await|yield|new)\b"
)


def checked(text: str, span: tuple[int, int] | None) -> tuple[int, int] | None:
    """A span, unless what it holds is no secret."""
    if span is None or is_harmless(text[span[0] : span[1]]):
        return None
    return span


def is_harmless(value: str) -> bool:
    """Whether a value is empty or only stands for one."""
    if len(value) > _LONGEST_PLACEHOLDER:
        return not any(map(str.isalnum, value))
    if value.isalpha():
        return value.lower() in _WORDS or not value.strip("xX")
    if not any(map(str.isalnum, value)):
        return True
    return value.lower() in _WORDS or _PLACEHOLDER.match(value) is not None


_LONGEST_PLACEHOLDER = 200  # characters


def is_code(value: str) -> bool:
    """Whether a bare value is an expression rather than a literal."""
    return _CODE.match(value) is not None


def skip_gap(text: str, position: int) -> int:
    """Behind white space and the colours of a terminal."""
    if text[position : position + 1].isalnum():
        return position
    gap = _GAP.match(text, position)
    return gap.end() if gap else position


def quoted(text: str, position: int) -> tuple[int, int] | None:
    """The inside of a string literal, whose quotes may be escaped any number of times.

    Cut off counts as closed.
    """
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
        slashes = _slashes(text, at, start)
        if _closes(slashes, escape):
            return start, at - slashes if slashes <= escape else at
        at += 1


def _slashes(text: str, place: int, start: int = 0) -> int:
    """How many backslashes stand in front of a place, not before the start."""
    back = place
    while back > start and text[back - 1] == "\\":
        back -= 1
    return place - back


def _closes(slashes: int, escape: int) -> bool:
    """Whether a quote closes what another one opened, by the backslashes in front of both.

    It has as many as the one that opened it; more make it part of the value.
    """
    return slashes <= escape or (escape == 0 and slashes % 2 == 0)


def bracketed(text: str, position: int) -> tuple[int, int] | None:
    """A bracketed value with its brackets; what is cut off goes to the end."""
    opening = text[position : position + 1]
    if opening == "<":
        closed = text.find(">", position, position + 500)
        inner = text[position : closed + 1] if closed >= 0 else ""
        if " at 0x" in inner or "=" not in inner:
            return None
        return (position, closed + 1)
    if opening not in {"{", "[", "("} or text.startswith(FILTERED, position):
        return None
    depth = escape = 0
    quote = ""
    for match in _BRACKET.finditer(text, position):
        char = match[0]
        if quote:
            # As many backslashes as in front of the one that opened it; more are part of the text.
            if char == quote and _closes(_slashes(text, match.start()), escape):
                quote = ""
        elif char in "\"'":
            quote, escape = char, _slashes(text, match.start())
        elif char in "{[(":
            depth += 1
        else:
            depth -= 1
            if depth == 0:
                if match.end() - position > 2:
                    return (position, match.end())
                return None
    return position, len(text)


def literal(text: str, position: int) -> tuple[int, int] | None:
    """A value of any shape: in quotes, with its brackets, or up to the next delimiter."""
    shaped = quoted(text, position) or bracketed(text, position)
    if shaped is None:
        bare = BARE.match(text, position)
        shaped = bare.span() if bare else None
    return shaped


def header_end(text: str, position: int, quote: str) -> int:
    """The end of a header's line; if the line stands in quotes, of the quotes."""
    for match in _LINE.finditer(text, position):
        if match[0] in {'"', "'"} and match[0] == quote:
            return match.start()
        if match.start() != position:
            break
        position = match.end()
    return position
