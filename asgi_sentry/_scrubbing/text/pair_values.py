"""The value of a sensitive name in a text: where it begins and ends, and what is none."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.keys import DENIED, LOOKED, PLAIN
from asgi_sentry._scrubbing.look import is_mixed, is_path, looks_random
from asgi_sentry._scrubbing.text.beside import ALPHABETIC, FAMILY, ID, beside
from asgi_sentry._scrubbing.text.contained import is_left
from asgi_sentry._scrubbing.text.values import (
    BARE,
    FILTERED,
    bracketed,
    checked,
    header_end,
    is_code,
    is_harmless,
    quoted,
    skip_gap,
)

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.text.meanings import Meanings, Name

    Span = tuple[int, int, str]  # start, end, rule id

_BARE_ENCODED = re.compile(r"(?:(?!%26|%3B|%0A)[^\s&\"'<>])+", re.IGNORECASE)
# A block of YAML: its lines are indented like the first.
_BLOCK = re.compile(r"[|>][-+\d]{0,2}[ \t]{0,8}\n([ \t]{1,80})[^\n]*(?:\n\1[^\n]*|\n[ \t]*(?=\n))*")

_YAML_ITEMS = re.compile(
    r"[ \t]{0,8}\n([ \t]{0,40})- ([\"']?([^\s:\"'#]{8,200})[\"']?[ \t]{0,8}"
    r"(?:\n\1- [^\s:#]{1,200}[ \t]{0,8}){0,100})(?=\n|\Z)"
)
_PAIR_OPENS = re.compile(r"[(\[{]\s?b?\\{0,7}[\"']\Z")
_DOTTED = re.compile(r"[a-z]+(?:_[a-z]+)*(?:[.:][a-z]+(?:_[a-z]+)*){2,12}")
# A pair has two items; what has more is a list, such as one of permissions.
_IN_LIST = re.compile(r"\[\s?b?\\{0,7}[\"']\Z")
_KEYWORD = re.compile(r"default\s?=\s?(?=[bru]?[\"'])")  # config("SECRET_KEY", default="...")
_NEXT_ITEM = re.compile(r"\\{0,7}[\"']\s{0,20},\s{0,20}b?\\{0,7}[\"']")
# Where a validator says that a value stood.
_LOCATION = re.compile(r"\bloc['\"]?\s?[:=]\s?[(\[]['\"]\Z")
_BRACKETS = frozenset("{[(<")
_HEADERS = frozenset({"authorization", "proxyauthorization", "cookie", "setcookie"})
_SCHEME = re.compile(
    r"(?i)(?:bearer|basic|digest|token|negotiate|apikey|aws4-hmac-sha256|hmac|signature|ntlm|hawk"
    r"|key|dpop|ssws|mac|oauth|bot|splunk|sapisidhash|eg1-hmac-sha256|vapid|escher[\w-]{0,20}"
    r"|client-id)\b"
    r"|[a-z][\w-]{1,30} (?=[^\s\"']{0,40}\d)[^\s\"']{8}"
)
_COOKIE = re.compile(r"[^\s=;,|]{1,200}=")
_XML_CLOSE = "</"
_LONGEST_ELEMENT = 2000  # characters of an element that are looked through for its end
_CONSTRUCTED = re.compile(
    r"(?:(?:new\s)?[A-Z]\w{0,60}(?:::from|\.from)?|bytearray|bytes|str|std::string)"
    r"\((?:default\s?=\s?)?(?=b?[\"'])"
)
# `os.environ.get("DB_PASSWORD", "...")`: what stands there if nothing is set.
_DEFAULT = re.compile(
    r"[\w.:>-]{0,40}\b(?:get|getenv|env|config|setting|option)\(\s?[\"'][\w.-]{1,80}[\"'],\s{0,4}"
    r"(?:\w{1,20}\s?=\s?)?(?=b?[\"'])"
)
_YAML_TAG = re.compile(r"!!\w{2,20}[ \t]{1,4}")
_ARGUMENT = r"(?:\w{1,60}=)?(?:b?'[^']*'|b?\"[^\"]*\"|[\w.]{1,60})"
_ARGUMENTS = re.compile(rf"({_ARGUMENT}((?:,\s?{_ARGUMENT})*),?)\)")  # literals alone
_LONGEST_ARGUMENTS = 300
# In an annotation; any other capitalised word may be a password.
_TYPE = re.compile(
    r"[A-Z]\w*\[|[a-z_]+\.(?:[A-Z][a-z]+){1,8}\Z"
    r"|(?:Any|String|Str|SecretStr|SecretBytes|Token|Credentials?|Password|Session|Cookie|Auth"
    r"|None)\Z"
)
# A value of ODBC, unless the braces are a template's.
_BRACED = re.compile(r"\{([^{}\s]{1,200})\};")
_VARIABLE = re.compile(r"[A-Za-z_]+(?:\.[A-Za-z_]+)*\Z")
_LOGGER = re.compile(r"[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\Z")
_CLASS = re.compile(r"[a-z]\w*(?:\.[a-z]\w*){1,12}\.[A-Z]\w*\Z")  # of Java's, which logs
_PAM = re.compile(r"\bpam_\w{1,20}\(\Z")
_FULL_TERMS = (
    "Password",
    "Secret",
    "Token",
    "Key",
    "Credentials",
    "Cookie",
    "Session",
    "Pin",
    "Code",
    "Id",
    "Auth",
)
_ARN = re.compile(r"\barn:[\w:-]{1,90}:\Z")
BEGINNING = 120  # characters of a value that show whether it is code
_SHORTEST_PADDED = 16  # characters of a value that may end with the padding of base64


DIRECTORIES = frozenset({"PWD", "OLDPWD"})


def value_of(text: str, named: Name, keys: Meanings) -> tuple[int, int] | None:
    """Where the value of a sensitive name stands; None where none follows."""
    start, closing, separator, end = named.start, named.closing, named.separator, named.end
    before = text[max(0, start - 12) : start]
    if before.endswith(("</", "<!")):
        return None
    if before.endswith("<") or (":" in before and re.search(r"<[\w.-]{0,10}:\Z", before)):
        return _element(text, named)
    if separator in {">", "=="}:  # a comparison
        return None
    if separator == ",":
        return _paired(text, named, before)
    if separator in {"", "("}:
        return beside(text, named, keys)
    if separator.startswith("%"):
        bare = _BARE_ENCODED.match(text, end)
        return checked(text, bare.span() if bare else None)
    gap = skip_gap(text, end)
    if text.startswith(FILTERED, gap):
        return None
    literal = quoted(text, gap)
    if literal is not None:
        # 'password' : 'x' and password='x' alike. In prose a quote after a word is none: "token:
        # 'a' or 'b'" is.
        return checked(text, literal)
    # SQL, whose other values are columns and parameters.
    if separator[0] in "<ILil" and not separator.endswith("="):
        return checked(text, bracketed(text, gap)) if separator == "IN" else None
    if "\n" in text[end:gap]:
        return _below(text, end, gap, closing)
    return _unquoted(text, gap, named, before[-1:], keys)


def _below(text: str, end: int, gap: int, closing: str) -> tuple[int, int] | None:
    """What stands in the lines below a name: a container of JSON, or a list of YAML.

    Its items have to look like secrets: the names of some are written just so.
    """
    if text[gap : gap + 1] in {"{", "["} and closing:
        return checked(text, bracketed(text, gap))
    items = _YAML_ITEMS.match(text, end)
    return items.span(2) if items is not None and is_mixed(items[3]) else None


def _paired(text: str, named: Name, before: str) -> tuple[int, int] | None:
    """The second of a pair whose first is a name.

    `("password", "...")`, `define('AUTH_KEY',  '...')`.
    """
    start, end = named.start, named.end
    if not named.closing or not (named.dashes or _PAIR_OPENS.search(before)):
        return None
    if "]" in named.closing:
        return None  # the end of a list, with another name behind it
    if _LOCATION.search(text, max(0, start - 24), start):
        return None
    end += len(text[end : end + 40]) - len(text[end : end + 40].lstrip())
    keyword = _KEYWORD.match(text, end)
    end = keyword.end() if keyword else end
    literal = quoted(text, end)
    if literal is not None and not named.dashes and _IN_LIST.search(before):
        closed = _NEXT_ITEM.match(text, literal[1])
        if closed is not None:
            return None  # a list of names
    if literal is not None and _DOTTED.fullmatch(text, *literal) is not None:
        return None  # two of them
    return checked(text, literal or bracketed(text, end))


def _unquoted(
    text: str, gap: int, named: Name, quote: str, keys: Meanings
) -> tuple[int, int] | None:
    """A header, a block of YAML, a container or a bare value."""
    name, closing, separator = named.name, named.closing, named.separator
    first = text[gap : gap + 1]
    if first == "!" and (tag := _YAML_TAG.match(text, gap)) is not None:
        gap = tag.end()
        if (literal := quoted(text, gap)) is not None:
            return checked(text, literal)
    if first in {"|", ">"} and (block := _BLOCK.match(text, gap)) is not None:
        return checked(text, (block.start(1), block.end()))
    folded = name.replace("-", "").replace("_", "").lower()
    is_signature = "-" in name and folded.endswith("signature")  # `Stripe-Signature: t=...,v1=...`
    is_header = separator == ":" and (folded in _HEADERS or is_signature)
    is_pairs = folded.endswith("cookie") or is_signature
    if is_header and not closing.strip("]") and (_COOKIE if is_pairs else _SCHEME).match(text, gap):
        return checked(text, (gap, header_end(text, gap, quote)))
    braced = _BRACED.match(text, gap) if first == "{" else None
    if (
        braced is not None
        and separator == "="
        and not braced[1].isdigit()
        and keys.meaning(braced[1]) == PLAIN
    ):
        return braced.span(1)
    if first in _BRACKETS and separator == ":" and named.spaces and not closing:
        return None  # what follows a colon in prose is in brackets for other reasons
    if first in _BRACKETS and named.verdict == LOOKED:
        return None  # no container looks random, and its end may be far
    shaped = bracketed(text, gap)
    if shaped is not None:
        return None if is_left(text, *shaped, name, keys.keys) else checked(text, shaped)
    return _bare(text, gap, named, keys)


def _bare(text: str, gap: int, named: Name, keys: Meanings) -> tuple[int, int] | None:
    """A value without quotes, unless it is code, a type, a placeholder or prose."""
    built = _CONSTRUCTED.match(text, gap)
    if built is not None:
        return _constructed(text, built.end())
    given = _DEFAULT.match(text, gap)
    if given is not None:
        literal = quoted(text, given.end())
        if literal is None or text.startswith(").", literal[1] + 1):
            return None  # what becomes of it is another thing
        return checked(text, literal)
    # A long value is not gone through for each name within it.
    beginning = BARE.match(text, gap, gap + BEGINNING)
    if beginning is None or is_code(beginning[0]):
        return None
    if named.verdict == LOOKED and not looks_random(beginning[0]):
        return None
    if named.name in DIRECTORIES and is_path(beginning[0]):
        return None
    bare = BARE.match(text, gap) or beginning
    value, end = bare[0], bare.end()
    if is_harmless(value):
        return None
    if ID.fullmatch(value) is not None and not FAMILY.search(named.name):
        return None
    if (
        text[end : end + 1] in {"'", '"', "`"}
        and value[-1] in "=:+("
        and len(value) < _SHORTEST_PADDED
    ):
        return None  # a text that is put together: "token=a&page=" + page
    if _is_variable(value.rstrip(".,;:"), named, keys):
        return None
    if named.separator == ":" and named.closing in {"", "`"} and _is_prose(text, gap, end, named):
        return None
    return gap, end


def _constructed(text: str, position: int) -> tuple[int, int] | None:
    """What is in `SecretStr('...')` or `BasicAuth('...', '...')`, in the repr of an object."""
    arguments = _ARGUMENTS.match(text, position, position + _LONGEST_ARGUMENTS)
    several = arguments is not None and arguments[2] != ""
    return checked(text, arguments.span(1) if arguments and several else quoted(text, position))


_OWN = ("self.", "cls.", "this.", "req.", "request.", "ctx.", "res.", "response.")


def _is_variable(value: str, named: Name, keys: Meanings) -> bool:
    """Whether a value is named like a secret itself: an argument that is passed on, a column."""
    name = named.name.lower()
    if value.isidentifier() and value.isalpha() and value.islower() and name.startswith(_OWN):
        return True  # self._token = value
    value = value.lower()
    if name.endswith("." + value):
        return True  # req.session.user = user
    if value.isidentifier() and (value == name or value.endswith("_" + name)):
        return True  # password=password, token=new_token
    # {"X-Api-Key": api_key}, session.id = x.session_id
    is_expression = bool(named.closing or named.spaces) and _VARIABLE.match(value) is not None
    return is_expression and keys.meaning(value) == DENIED


def _is_prose(text: str, start: int, end: int, named: Name) -> bool:
    """Whether what follows a name and a colon is no value, but a word of a sentence, or a type."""
    value, before = text[start:end], named.start
    if _LOGGER.match(named.name) is not None and not named.name.endswith(_FULL_TERMS):
        return True  # SessionTracker: ..., AuthFail: ...
    if text[before - 1 : before] == "." or (
        named.name == "secret" and _ARN.search(text, max(0, before - 100), before) is not None
    ):
        return True  # a style sheet, the name of a secret at AWS
    if named.name == "PASS" and value[:4].lower() == "test":
        return True
    if "-" not in named.name and _TYPE.match(value) and not any(map(str.isdigit, value)):
        return True
    if _CLASS.match(named.name) or _PAM.search(text, max(0, before - 26), before):
        return True
    # These have words and numbers for values: "Password: swordfish", but "must be ...".
    if FAMILY.search(named.name):
        following = text[end : end + 2]
        goes_on = following[:1] == " " and following[1:].isalpha() and text[start - 1].isspace()
        return goes_on and ALPHABETIC.match(value) is not None
    # "Session: 12", and words; letters that are none may well be a token.
    return value.isdigit() or (ALPHABETIC.match(value) is not None and not is_mixed(value))


def _element(text: str, named: Name) -> tuple[int, int] | None:
    """The content of an XML element."""
    start, name = named.start, named.name
    opened = text.find(">", start + len(name), start + len(name) + 2000)
    if opened < 0 or text[opened - 1] == "/":
        return None
    qualified = text[text.rfind("<", 0, start) + 1 : start] + name
    closed = text.find(_XML_CLOSE, opened, opened + _LONGEST_ELEMENT)
    if closed >= 0 and not text.startswith(qualified, closed + 2):  # there are elements inside
        own = text.find(f"</{qualified}", closed, closed + _LONGEST_ELEMENT)
        closed = own if own >= 0 else closed
    if closed < 0:  # cut off, or no XML at all
        bare = BARE.match(text, opened + 1)
        if bare and text[bare.end() : bare.end() + 1] in {"", "<"}:
            return checked(text, bare.span())
        return None
    inner = text[opened + 1 : closed].strip()
    if inner and inner != FILTERED:
        return (opened + 1, closed)
    return None
