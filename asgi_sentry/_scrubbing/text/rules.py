"""Value rules: patterns of secrets, each with what tells a real one from a look-alike.

Every pattern is linear: a lookbehind lets it start at the head of a run only, or its repeats are bounded. Most texts
are told to be harmless by *gates*, literals that every match has; they are looked for in all texts at once, as they
are or through a mask that makes classes of characters one (see `gates.py`).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from bisect import bisect_left, bisect_right
from functools import partial
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.look import looks_random
from asgi_sentry._scrubbing.text.gates import Gate
from asgi_sentry._scrubbing.text.linear import check_linear
from asgi_sentry._scrubbing.text.pairs import FILTERED, address_spans, lowered, pair_spans
from asgi_sentry._scrubbing.text.tokens import HASHES, TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.pairs import Span

__all__ = ["BY_ID", "DEFAULT_RULES", "FILTERED", "IP", "Rule"]


class Rule:
    """A pattern whose matches are redacted.

    Args:
        id: names the rule in `_meta` remarks and to `on_redact`, such as `"@creditcard"`.
        pattern: what to look for, at a cost linear in the text. A group named `secret` is replaced alone; without one,
            the whole match.
        validate: gets what would be replaced and says whether it is one. What it raises counts as yes.
        literals: texts of which every match contains at least one; others are then passed over quickly.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: the id is empty, or the pattern can't be compiled or may take more than linear time.
    """

    __slots__ = ("_find", "_gates", "id", "literals", "pattern", "validate")
    id: str
    pattern: re.Pattern[str]
    validate: Callable[[str], bool] | None
    literals: tuple[str, ...]
    _gates: tuple[Gate, ...]
    _find: Callable[[str, Keys], Iterable[Span]] | None

    def __init__(
        self,
        id: str,  # noqa: A002 - the public name, as in Sentry's `_meta`
        pattern: str | re.Pattern[str],
        *,
        validate: Callable[[str], bool] | None = None,
        literals: Iterable[str] = (),
    ) -> None:
        if not isinstance(id, str):
            raise TypeError(f"the id of a rule must be a str such as '@name', got {type(id).__qualname__}")
        if not id.strip():
            raise ValueError(f"the id of a rule must not be empty, got {id!r}; name it like '@name'")
        if validate is not None and not callable(validate):
            raise TypeError(f"validate of rule {id!r} must be callable, got {type(validate).__qualname__}")
        if isinstance(literals, str):
            raise TypeError(f"literals of rule {id!r} must be several texts, got one: write ({literals!r},)")
        _set = object.__setattr__
        _set(self, "id", id)
        _set(self, "pattern", _compiled(id, pattern))
        _set(self, "validate", validate)
        _set(self, "literals", tuple(literals))
        for literal in self.literals:
            if not isinstance(literal, str) or not literal:
                raise ValueError(f"a literal of rule {id!r} must be a text of at least one character, got {literal!r}")
        ascii_only = all(literal.isascii() for literal in self.literals)
        _set(self, "_gates", tuple(Gate("text", text.encode()) for text in self.literals) if ascii_only else ())
        _set(self, "_find", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Rule is frozen; make a new one to change its {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Rule is frozen; make a new one without its {name}")

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return partial(Rule, self.id, self.pattern, validate=self.validate, literals=self.literals), ()

    def __repr__(self) -> str:
        return f"Rule({self.id!r})"

    def spans(self, text: str, keys: Keys) -> Iterable[Span]:
        """Where something is to be redacted: start, end, and the id to name."""
        if self._find is not None:
            return self._find(text, keys)
        group = "secret" if "secret" in self.pattern.groupindex else 0
        spans = [match.span(group) for match in self.pattern.finditer(text)]
        validate = self.validate
        return [
            (start, end, self.id)
            for start, end in spans
            if start < end and (validate is None or _holds(validate, text[start:end]))
        ]


def _compiled(rule_id: str, pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    if not isinstance(pattern, (str, re.Pattern)):
        raise TypeError(
            f"the pattern of rule {rule_id!r} must be a str or re.Pattern, got {type(pattern).__qualname__}"
        )
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ValueError(f"the pattern of rule {rule_id!r} can't be compiled: {exc}") from exc
    if not isinstance(compiled.pattern, str):
        raise TypeError(f"the pattern of rule {rule_id!r} must match str, not bytes")
    reason = check_linear(compiled)
    if reason is not None:
        raise ValueError(f"the pattern of rule {rule_id!r} may take more than linear time: {reason}")
    return compiled


def _holds(validate: Callable[[str], bool], found: str) -> bool:
    try:
        return bool(validate(found))
    except Exception:
        return True  # what could not be told to be harmless is not


def _split(text: str) -> list[str]:
    return text.split()


# --- validators --------------------------------------------------------------------------------------------------


def luhn(text: str) -> bool:
    """Whether the digits in a text end with the right check digit (ISO/IEC 7812)."""
    digits = [int(char) for char in text if char.isdecimal()]
    doubled = (digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2])
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


# Issuer prefixes with the lengths their networks issue: https://en.wikipedia.org/wiki/Payment_card_number
_NETWORKS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-59]|[689]\d)\d{11}(?:\d{2,5})?"  # Diners Club
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}(?:\d{3})?"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}(?:\d{3})?"  # JCB
    r"|(?:62|81)\d{14,17}"  # UnionPay
    r"|(?:50[0-9]\d|5[6-9]\d\d|6[0137]\d\d|639\d)\d{8,15}"  # Maestro
    r"|(?:60|65|81|82|508)\d{13,14}|(?:220[0-4])\d{12}(?:\d{1,3})?"  # RuPay, Mir
)


def is_card(text: str) -> bool:
    """Whether a text is a card number of some network, with a right check digit."""
    digits = "".join(char for char in text if char.isdecimal())
    return _NETWORKS.fullmatch(digits) is not None and luhn(digits)


def is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616, mod 97).

    In lower case, where ids look alike, the length must be its country's, too.
    """
    packed = "".join(filter(str.isalnum, text))
    if packed[:2].islower() and _IBAN_LENGTHS.get(packed[:2]) != len(packed):
        return False
    turned = packed[4:] + packed[:4]
    return 15 <= len(packed) <= 34 and int("".join(str(int(char, 36)) for char in turned)) % 97 == 1


# https://www.swift.com/standards/data-standards/iban-international-bank-account-number
_IBAN_LENGTHS = {
    country: length
    for length, countries in {
        15: "no",
        16: "be",
        18: "dk fi fo gl nl",
        19: "mk si",
        20: "at ba ee kz lt lu xk",
        21: "ch hr li lv",
        22: "bg bh cr de gb ge ie me rs va",
        23: "ae il tl",
        24: "ad cz es md pk ro sa se sk tn vg",
        25: "pt",
        26: "is tr",
        27: "fr gr it mc mr sm",
        28: "al az by cy do gt hu lb pl",
        29: "br eg ps qa ua",
        30: "jo kw mu",
        31: "mt sc",
    }.items()
    for country in countries.split()
}


def is_jwt(text: str) -> bool:
    """Whether the first part of a token decodes to the header of a JWT (RFC 7515)."""
    head = text.split(".", 1)[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(header, dict)


def _is_ssn(text: str) -> bool:
    area, group, serial = re.split(r"[- \xa0]", text)
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


_WORDS = re.compile(
    r"[A-Za-z_]+=[^=]|HTTP/\d|[A-Za-z]{1,20}(?:-[A-Za-z]{1,20}){1,3}\Z|[a-z]+(?:[-_/.:=][a-z]*)*\Z|[A-Z]?[a-z]+(?:[-_/.:][A-Za-z]?[a-z]*)*\Z|[A-Z]+(?:[-_][A-Z]*)*\Z"
)


_LONGEST_WORD = 20  # internationalization


def _is_credential(text: str) -> bool:
    """Whether what follows an authorization scheme is a credential and not the next word of a sentence."""
    if '="' in text:
        return "response=" in text  # of a digest; a challenge has none
    if len(text) > _LONGEST_WORD and text.isalpha():
        return True
    return len(text) >= 8 and _WORDS.match(text.rstrip(".:,=")) is None


def _is_url_password(text: str) -> bool:
    return text not in {"", FILTERED} and (text[0] not in "*x.%{$<[" or _NO_PASSWORD.fullmatch(text) is None)


_NO_PASSWORD = re.compile(r"\*+|x+|\[+\w+\]+|\.\.\.|%s|\{\w*\}|\$\{?\w+\}?|<\w+>")


# --- finders that need more than a pattern ------------------------------------------------------------------------


_PEM_BEGIN = re.compile(r"-{4,5} ?BEGIN[ +][A-Z0-9 +]{0,40}PRIVATE(?:[ +]|%20)KEY(?:[ +]BLOCK)? ?-{4,5}")
_PEM_END = re.compile(r"-{4,5} ?END[ +][A-Z0-9 +]{0,40}PRIVATE(?:[ +]|%20)KEY(?:[ +]BLOCK)? ?-{4,5}")
_PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,.%]|-(?!---))*")


def _pem_spans(text: str) -> Iterable[Span]:
    """What stands between the marks; where one of them was cut off, as far as it looks like a key."""
    position = 0
    ends = [match.start() for match in _PEM_END.finditer(text)]
    for match in _PEM_BEGIN.finditer(text):
        if match.start() < position:
            continue
        yield from _key_between(text, position, match.start(), ends)
        following = bisect_left(ends, match.end())
        body = _PEM_BODY.match(text, match.end())
        position = ends[following] if following < len(ends) else body.end() if body else match.end()
        if text[match.end() : position].strip(" \\rn\r\n") not in {"", FILTERED}:
            yield match.end(), position, "@pemkey"
    yield from _key_between(text, position, len(text), ends)


def _key_between(text: str, start: int, stop: int, ends: list[int]) -> Iterable[Span]:
    """Keys whose beginning was cut off: up to each END that no BEGIN belongs to."""
    for end in ends[bisect_right(ends, start) : bisect_left(ends, stop)]:
        body = _PEM_BODY.match(text[start:end][::-1])
        length = body.end() if body else 0
        if length >= _SHORTEST_KEY:
            yield end - length, end, "@pemkey"
        start = end


_SHORTEST_KEY = 16  # characters of a key's last line, below which it says nothing
_USERINFO = re.compile(r"//[^\s/?#@\"'<>]{0,256}\Z")
_LOCAL_BACKWARDS = re.compile(r"(?!\.)[\w.+'%!#&*/=?^`{|}~-]{1,64}")
_DOMAIN = re.compile(
    r"(?:[\w-]{1,63}\.){1,8}([^\W\d_]{2,24})(?![\w-])|\[(?:IPv6:)?[\d.:A-Fa-f]{3,45}\]|xn--[\w-]{1,59}"
)
_NO_LOCAL = "'`{|}=?/&*%!^#"  # legal in an address, yet in front of one they are what quotes or joins it
_FILES = frozenset(_split("""png jpg jpeg gif svg webp js mjs css ts tsx jsx json html htm map md txt yml yaml"""))
_AT = re.compile(r"@|%40")
# Users of servers, and workers, whose names are addresses only in their shape: `git@host`, `celery@worker-1.x.org`.
_PROGRAMS = frozenset({"git", "hg", "svn", "celery", "celeryd", "worker"})
_REMOTE_PATH = re.compile(r":(?:~?/|[\w.-]{1,100}/|[\w.-]{1,100}\.git\b)")  # of scp, rsync and Git


def _email_spans(text: str) -> Iterable[Span]:
    """Addresses, found from the @ outwards, so that what is glued to one does not hide it."""
    for match in _AT.finditer(text):
        domain = _DOMAIN.match(text, match.end())
        if domain is None or (domain[1] or "").lower() in _FILES:
            continue
        start = match.start()
        if text[start - 1 : start] == '"':  # a quoted local part, which may have spaces in it
            opened = text.rfind('"', max(0, start - 66), start - 1)
            if opened >= 0 and "\n" not in text[opened:start]:
                yield opened, domain.end(), "@email"
            continue
        before = text[max(0, start - 64) : start]
        local = _LOCAL_BACKWARDS.match(before[::-1])
        if local is None:
            continue
        name = before[len(before) - local.end() :]
        if not name.isalnum():
            for joint in _NO_LOCAL:
                name = name.rpartition(joint)[2]
        name = name.lstrip(".-+")
        first = start - len(name)
        host = text[match.end() : domain.end()]
        if name.lower() in _PROGRAMS or name == host or _REMOTE_PATH.match(text, domain.end()):
            continue
        if not name or _USERINFO.search(text, max(0, first - 300), first):
            continue  # a URL's user stays, and its password has a rule of its own
        yield first, domain.end(), "@email"


# Random steps behind such words let in whoever has the link; OAuth's code and state do the same in a query.
_LINK = re.compile(
    r"(?i:/(?:magic|magic-link|invite|invites|invitation|join|reset|reset-password|password-reset|verify|verification|"
    r"confirm|confirmation|activate|activation|unsubscribe|share|shared|token|login|signin|sso|auth|callback|webhook|"
    r"webhooks|hook|hooks)/)([\w.~-]{20,400})|(?<=[?&;#])(?:code|state|hash|sig|ticket|key)=([\w.~%+/-]{16,2048})"
)
_HEX = re.compile(r"[0-9a-f]{1,63}")


def _link_spans(text: str, _: Keys) -> Iterable[Span]:
    for match in _LINK.finditer(text):
        step = match[1]
        if step is not None:
            if looks_random(step) and _UUID.fullmatch(step) is None and _FILE.search(step) is None:
                yield *match.span(1), "@link"
        elif looks_random(match[2]):
            is_sum = text.startswith("hash", match.start()) and _HEX.fullmatch(match[2])
            if not is_sum and _UUID.fullmatch(match[2]) is None:
                yield *match.span(2), "@link"


_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9a-f]{24}")
_FILE = re.compile(r"\.[a-z][a-z0-9]{1,4}\Z")

_URL_USER = re.compile(
    r"(?:(?<=://)|(?<=:\\/\\/)|(?<=%3[Aa]%2[Ff]%2[Ff]))([^\s/?#:@\"'<>\\]{0,256})(?::|%3[Aa])(?=[^\s])"
)
_URL_REST = re.compile(r"[^\s/?#\"'<>]{0,512}")
_PORT = re.compile(r"\d{1,5}(?:[/?#]|\Z)")
_RAW_PASSWORD = re.compile(r"[^\s\"'<>]{1,128}")
_NO_PASSWORDS = frozenset({"x-oauth-basic", "x-access-token", "X", ""})  # which only fill its place
_SHORTEST_TOKEN = 16


def _url_spans(text: str, _: Keys) -> Iterable[Span]:
    """The password in front of an @. Where it only fills its place, the user is a token."""
    for match in _URL_USER.finditer(text):
        start = match.end()
        rest = _URL_REST.match(text, start)
        front = rest[0] if rest else ""
        length = max(front.rfind("@"), front.rfind("%40")) if "%" in front else front.rfind("@")
        if (
            length < 0
            and text[start + len(front) : start + len(front) + 1] in {"/", "?", "#"}
            and not _PORT.match(text, start)
        ):
            # It is no port, so it is a password with a slash, a # or a ? as it is.
            at = text.find("@", start, start + 129)
            length = at - start if at >= 0 and _RAW_PASSWORD.fullmatch(text, start, at) else -1
        if length < 0:
            continue
        password = text[start : start + length]
        if password in _NO_PASSWORDS:
            if len(match[1]) >= _SHORTEST_TOKEN and match[1] != FILTERED:
                yield *match.span(1), "@urlauth"
        elif _is_url_password(password):
            yield start, start + length, "@urlauth"


def _after(inner: str) -> str:
    """Where a match may begin: not inside a run, but behind an escape, whose last letter looks like one of it."""
    return rf"(?:(?<![%{inner}])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{{2}}))"


def _ip_spans(text: str, _: Keys) -> Iterable[Span]:
    return [(start, end, "@ip") for start, end in address_spans(text)]


def _built_in(
    rule_id: str,
    pattern: str,
    gates: Iterable[tuple[str, bytes] | tuple[str, bytes, re.Pattern[bytes] | None]],
    validate: Callable[[str], bool] | None = None,
    find: Callable[[str, Keys], Iterable[Span]] | None = None,
) -> Rule:
    """A rule of this package: its pattern is linear by the tests, which know more of it than its shape."""
    rule = object.__new__(Rule)
    fields = {
        "id": rule_id,
        "pattern": re.compile(pattern),
        "validate": validate,
        "literals": (),
        "_gates": tuple(Gate(*gate) for gate in gates),
        "_find": find,
    }
    for name, value in fields.items():
        object.__setattr__(rule, name, value)
    return rule


# --- gates ----------------------------------------------------------------------------------------------------------

# Behind a stem: the rest of the name, what closes it, and a separator or the next word. What has none is no key.
_BEHIND = (
    rb"[a-z0-9_.\-?\x80-\xff]{0,80}(?![a-z0-9_])[\])]?\\{0,7}(?:[\"'`]|&[a-z0-9#]{2,5};|%2[27])?(?:[\])]|%5d)?(?:(?:\[|%5b)[0-9]{0,4}(?:\]|%5d))?"
    rb"(?:(?:\x1b|\\x1b|\\u001b)\[[0-9;]{0,8}m)?(?:[\s\xa0]{0,40}(?:[:=,><}]|%3[ad])|[\s\xa0]|\\[rnt])"
)
_KV_STEMS = _split(
    """pass pw pswd secr jwt cred auth sso saml assertion srf sess sid cfid symf cook sig hmac otp pin card cvv cvc
    cvn psk ssn social iban"""
)
# A code is a secret by what it is for: the last letters of the words that stand in front of it.
_CODE_KINDS = "|".join(
    f"(?<={kind})|(?<={kind}[_. -])"
    for kind in _split("mfa 2fa sms rity tion time eset ckup very vice cess lock ogin ctor ss vite agic otp")
)
# These stand in so many texts that a separator has to follow.
_STRICTLY_BEHIND = (
    rb"[a-z0-9_.\-?\x80-\xff]{0,40}(?![a-z0-9_])[\])]?\\{0,7}(?:[\"'`]|&[a-z0-9#]{2,5};|%2[27])?(?:[\])]|%5d)?(?:(?:\[|%5b)[0-9]{0,4}(?:\]|%5d))?"
    rb"(?:[\s\xa0]{0,40}(?:[:=,>}|]|%3[ad]|[+.?]=)|\t)"
)
_RARER = {
    b"pat": rb"pats?(?![a-z])",
    b"tan": rb"(?<![a-z])tan(?![a-z])",
    **{
        stem.encode(): stem.encode()
        for stem in _split(
            """pepper mnemonic crumb phrase remember magic nonce national medicare nhs licen tax aad account
            birth dob oidc access refresh kennw contrase senha wachtw parola salasana haslo losenord adgangsk
            jelsz heslo psw tkn identity birthdate client"""
        )
    },
    b"access": rb"access(?![a-z])",
    b"refresh": rb"refresh(?![a-z])",
    b"client": rb"client[_. -]?cert",
    b"identity": rb"(?<![a-z])identity(?![a-z])",
    b"account": rb"account(?:[_. -]?(?:number|no|num))?",
}
_KV_GATES = (
    *((stem.encode(), stem.encode()) for stem in _KV_STEMS),
    (b"key", rb"(?<!public[_-])key"),  # the public key of a DSN is in the baggage of every trace
    (b"cc", rb"cc[_. -]?n"),
    (b"code", rf"code(?=[_.-]?verif)|(?:{_CODE_KINDS})code".encode()),
    (b"answer", rb"(?:(?<=y)|(?<=y[_. -]))answer"),
)
# On the text itself, once for each run. Digits alone are no token, lower case alone is a name of the program's, and
# hexadecimal digits an id, unless they stand where tokens have them.
_RUN_VERIFY = re.compile(
    rb"(?![a-z_-]+(?![\w-])|(?<![.:+~])(?<![0-9A-Z]/)(?:[0-9a-f]{16,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    rb"|[0-9a-f]{32}-[0-9a-f]{16}(?:-[0-9])?)(?![\w.:+~-]))[0-9_-]*[A-Za-z]"
)
_OPTION_VERIFY = re.compile(rb"[ '\"]-(?:[uUapPwkAXNb]|-(?:proxy-)?user|-auth|-creds|-pass)")
# What has no separator that tells.
_SAID = (
    b"[parameters: ", b"BindParameter(", b"Failing row", b"query argument", b" field ",
    b" column ", b"HSET", b"HMSET", b"hset", b"AUTH ", b"SETUSER", b"setuser", b" on >",
    b"add_user", b"sqlplus ", b"/p:", b'send "', b"kty", b"code is", b"code: ", b" code",
    b"change_password", b"params=", b"params: ", b"OTP is", b"PIN is", b"passcode",
)  # fmt: skip
_ADDRESS_VERIFY = re.compile(rb"0\.0{1,3}\.0{1,3}\.0{1,3}")
_IBAN_VERIFY = re.compile(rb"AA00[ -]?[A0]{4}[ -]?[A0]{4}")
_SMALL_IBAN_VERIFY = re.compile(rb"(?<![Aa0])aa00[a0]{11,27}(?![Aa0])")
_SCHEME_VERIFY = re.compile(rb"[a-z]+(?:\s|%20|\\n|\+)")
# Both are the name of a key and a scheme of authorization: one search for the two rules.
_BEARER_GATE, _TOKEN_GATE = (
    Gate("lower", word, re.compile(word + rb"(?:" + _BEHIND + rb"|%20|\+)")) for word in (b"bearer", b"token")
)
# Cards and social security numbers are in groups of digits: one search finds both.
_GROUPS = re.compile(rb"00[ \xa0-](?:0000[ \xa0-]0{4}|0{6}[ \xa0-]0{4})|(?<=0[ \xa0-])00[ \xa0-]0000")
_DIGIT_GATES = (
    Gate("shape", b"0" * 12, re.compile(rb"(?:(?<![0Aa_.+-])|(?<=\\a)|(?<=%00)|(?<=%0[Aa]))0{12,19}(?![0Aa_])")),
    *(Gate("shape", b"00" + mark + b"0000", _GROUPS) for mark in (b" ", b"-", b"\xa0")),
)


# Of addresses of people, and of URLs with a user: one search finds both. Behind an encoded @ stands a domain, or any
# host; in the baggage of every trace it is the version of a release.
_AT_GATE = Gate("text", b"@")
_EMAIL_GATES = (
    _AT_GATE,
    Gate("text", b"%40", re.compile(rb"%40(?:(?:[\w?\x80-\xff-]{1,63}\.){1,8}[A-Za-z\x80-\xff?]{2}|\[|xn--)")),
)
_URL_GATES = (
    _AT_GATE,
    Gate("text", b"%40", re.compile(rb"%40(?![0-9]{1,9}(?:\.[0-9]{1,9}){0,2}(?![\w.]))")),
)

_LINK_NAMES = (b"code", b"state", b"hash", b"sig", b"ticket", b"key")
_STEP_VERIFY = re.compile(rb"/[\w-]{1,20}/[\w.~-]{20}")
_HASH_VERIFY = re.compile(rb"\$[\w./+=-]{1,100}[$,]|\$[PHS]\$")

_BEARER = re.compile(
    rf"(?ia){_after('A-Za-z0-9_/-')}(?:bearer|basic|token|digest|negotiate|apikey|hawk|ntlm)(?:\s{{1,4}}|%20|\+|(?<=bearer),\s{{0,2}})"
    r"(?P<secret>(?:[a-z]{2,12}=(?:\"[^\"\r\n]{0,400}\"|[\w./+-]{1,200})(?:,\s{0,3})?){3,20}|[\w.~+/:=\-]{8,8192})"
)
_SCHEMES = re.compile("bearer|basic|token|digest|negotiate|apikey|hawk|ntlm")


def _bearer_spans(text: str, _: Keys) -> Iterable[Span]:
    """What stands behind the name of a scheme; the names are found first, which is many times as fast."""
    lower = lowered(text)
    stop = 0
    for scheme in _SCHEMES.finditer(lower):
        match = _BEARER.match(text, scheme.start()) if scheme.start() >= stop else None
        if match is not None:
            start, stop = match.span("secret")
            if start < stop and _holds(_is_credential, text[start:stop]):
                yield start, stop, "@bearer"


_TOKEN = re.compile(rf"(?a){_after('A-Za-z0-9')}(?:{TOKENS})")
_CHUNK = re.compile(r"[\w.~%+/=:$|@\\-]{16,}", re.ASCII)  # what tokens are made of
_PROBABLE = re.compile(r"[\w-]{16}|Q~|whsec_|hooks\.zapier", re.ASCII)
_TELLING = re.compile(r"[A-Z0-9]")


def _token_spans(text: str, _: Keys) -> Iterable[Span]:
    """Tokens, looked for only in what is long enough for one and has more than small letters in it."""
    for chunk in _CHUNK.finditer(text):
        start, end = chunk.span()
        if _PROBABLE.search(text, start, end) and _TELLING.search(text, start, end):
            for match in _TOKEN.finditer(text, start, end):
                yield *match.span(), "@token"


IP = _built_in("@ip", r"[0-9A-Fa-f:.]{2,45}", [("shape", b"0.0"), ("text", b":")], find=_ip_spans)
"""IP addresses anywhere in a text. Not among the defaults: versions and times look much like them."""

DEFAULT_RULES: tuple[Rule, ...] = (
    _built_in(
        "@password",
        r"(?<![\w.\-])[\w$][\w.\-]*(?:\\{0,7}[\"'])?\s{0,8}[:=]",
        [
            *(Gate("pair", literal, re.compile(rb"(?:" + stem + rb")" + _BEHIND)) for literal, stem in _KV_GATES),
            *(Gate("pair", literal, re.compile(stem + _STRICTLY_BEHIND)) for literal, stem in _RARER.items()),
            Gate("text", b"??", re.compile(rb"(?<![\w?.\x80-\xff-])\?" + _STRICTLY_BEHIND)),  # other alphabets
            *(Gate("text", literal) for literal in _SAID),
            Gate("text", b"login ", re.compile(rb"login [^\s\0]{1,100}\s{1,20}password\s")),  # .netrc
            Gate("shape", b"0.0", _ADDRESS_VERIFY),
            Gate("text", b"::"),
            _BEARER_GATE,
            _TOKEN_GATE,
            Gate("lower", b"identified"),
            Gate("text", b"Duplicate entry"),
            *(Gate("text", literal, _OPTION_VERIFY) for literal in (b" -", b"'-", b'"-')),
        ],
        find=pair_spans,
    ),
    _built_in(
        "@bearer",
        _BEARER.pattern,
        [
            _BEARER_GATE,
            _TOKEN_GATE,
            *(
                Gate("lower", s, _SCHEME_VERIFY)
                for s in (b"basic", b"digest", b"negotiate", b"apikey", b"hawk", b"ntlm")
            ),
        ],
        find=_bearer_spans,
    ),
    _built_in(
        "@jwt", "(?a)" + _after("A-Za-z0-9_-") + r"eyJ[\w-]{8,4096}(?:\.[\w-]{0,8192}){1,4}", [("text", b"eyJ")], is_jwt
    ),
    _built_in(
        "@pemkey",
        _PEM_BEGIN.pattern,
        [("text", b"PRIVATE", re.compile(rb"PRIVATE(?:[ +]|%20)KEY"))],
        find=lambda text, _: _pem_spans(text),
    ),
    _built_in(
        "@urlauth",
        _URL_USER.pattern,
        _URL_GATES,
        find=_url_spans,
    ),
    _built_in(
        "@creditcard",
        _after("A-Za-z0-9_.+-")
        + r"(?:\d{12,19}|\d{4}(?:[ \xa0-]\d{4}){2,3}(?:[ \xa0-]\d{1,3})?|\d{4}[ \xa0-]\d{6}[ \xa0-]\d{4,5})"
        r"(?![A-Za-z0-9_-]|\.\d)",
        _DIGIT_GATES,
        is_card,
    ),
    _built_in(
        "@iban",
        _after("A-Za-z0-9") + r"(?:[A-Z]{2}\d{2}(?:[ \xa0-]?[A-Z0-9]{4}){2,7}(?:[ \xa0-]?[A-Z0-9]{1,3})?"
        r"|[a-z]{2}\d{2}[a-z0-9]{11,27})(?![A-Za-z0-9])",
        [("shape", b"AA00", _IBAN_VERIFY), ("shape", b"aa00", _SMALL_IBAN_VERIFY)],
        is_iban,
    ),
    _built_in(
        "@usssn",
        _after("A-Za-z0-9_.-") + r"\d{3}[- \xa0]\d{2}[- \xa0]\d{4}(?![A-Za-z0-9_-]|\.\d)",
        _DIGIT_GATES,
        _is_ssn,
    ),
    _built_in(
        "@email",
        r"@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}",
        _EMAIL_GATES,
        find=lambda text, _: _email_spans(text),
    ),
    _built_in(
        "@link",
        _LINK.pattern,
        [
            ("text", b"/", _STEP_VERIFY),
            *(("text", name + b"=", re.compile(name + rb"=[^&\s\0]{16}")) for name in _LINK_NAMES),
        ],
        find=_link_spans,
    ),
    _built_in(
        "@passwordhash",
        rf"(?a)(?<![\w$])(?:{HASHES})",
        [("text", b"$", _HASH_VERIFY), ("text", b"{S"), ("text", b"SCRAM-SHA")],
    ),
    _built_in(
        "@token",
        _TOKEN.pattern,
        [
            ("run", b"a" * 16, _RUN_VERIFY),
            ("text", b"Q~"),
            ("text", b"whsec_"),
            ("text", b"hooks.zapier.com"),
        ],
        find=_token_spans,
    ),
)


def gates_of(rule: Rule, keys: Keys) -> tuple[Gate, ...]:
    """The gates of a rule in a scrubber: where keys count, the terms that were given have gates of their own.

    None at all means that every text has to be looked at.
    """
    if rule._find is not pair_spans or not keys.own_stems:  # noqa: SLF001 - a function of this module
        return rule._gates  # noqa: SLF001
    if not all(stem.isascii() for stem in keys.own_stems):
        return ()
    own = (stem.encode() for stem in keys.own_stems)
    return (*rule._gates, *(Gate("pair", stem, re.compile(re.escape(stem) + _BEHIND)) for stem in own))  # noqa: SLF001


BY_ID = {rule.id: rule for rule in (*DEFAULT_RULES, IP)}
