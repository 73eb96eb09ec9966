"""What tells a real number, token or password from what only has its shape."""

from __future__ import annotations

import base64
import binascii
import json
import re

from asgi_sentry._scrubbing.text.pairs import FILTERED


def luhn(text: str) -> bool:
    """Whether the digits in a text end with the right check digit (ISO/IEC 7812)."""
    digits = _digits(text).encode()
    odd, even = digits[-1::-2], digits[-2::-2].translate(_DOUBLED)
    return len(set(digits)) > 1 and (sum(odd) + sum(even) - len(digits) * ord("0")) % 10 == 0


# A digit as what it counts when doubled: 5 is 10, whose digits make 1.
_DOUBLED = bytes.maketrans(b"0123456789", b"0246813579")
_NO_DIGITS = re.compile(r"\D+")


def _digits(text: str) -> str:
    """The digits in a text, of whatever script, as those of ASCII."""
    found = _NO_DIGITS.sub("", text)
    return found if found.isascii() else "".join(str(int(digit)) for digit in found)


# Issuer prefixes with the lengths their networks issue:
# https://en.wikipedia.org/wiki/Payment_card_number
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
    digits = _digits(text)
    return _NETWORKS.fullmatch(digits) is not None and luhn(digits)


def is_iban(text: str) -> bool:
    """Whether the check digits of an IBAN are right (ISO 13616, mod 97).

    In lower case, where ids look alike, the length must be its country's, too.
    """
    packed = _NO_ALNUM.sub("", text)
    if packed[:2].islower() and _IBAN_LENGTHS.get(packed[:2]) != len(packed):
        return False
    turned = packed[4:] + packed[:4]
    return 15 <= len(packed) <= 34 and int(turned.upper().translate(_NUMBERS)) % 97 == 1


_NO_ALNUM = re.compile(r"[^A-Za-z0-9]+")
# A letter as its number: A is 10, Z is 35.
_NUMBERS = {ord(letter): str(10 + at) for at, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}


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


def is_ssn(text: str) -> bool:
    area, group, serial = re.split(r"[- \xa0]", text)
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


_WORDS = re.compile(
    r"[A-Za-z_]+=[^=]|HTTP/\d|[A-Za-z]{1,20}(?:-[A-Za-z]{1,20}){1,3}\Z|[a-z]+(?:[-_/.:=][a-z]*)*\Z"
    r"|[A-Z]?[a-z]+(?:[-_/.:][A-Za-z]?[a-z]*)*\Z|[A-Z]+(?:[-_][A-Z]*)*\Z"
)

_LONGEST_WORD = 20  # internationalization


def is_credential(text: str) -> bool:
    """Whether a credential follows an authorization scheme, and not the next word of a sentence."""
    if '="' in text:
        return "response=" in text  # of a digest; a challenge has none
    if len(text) > _LONGEST_WORD and text.isalpha():
        return True
    return len(text) >= 8 and _WORDS.match(text.rstrip(".:,=")) is None


def is_url_password(text: str) -> bool:
    return text not in {"", FILTERED} and (
        text[0] not in "*x.%{$<[" or _NO_PASSWORD.fullmatch(text) is None
    )


_NO_PASSWORD = re.compile(r"\*+|x+|\[+\w+\]+|\.\.\.|%s|\{\w*\}|\$\{?\w+\}?|<\w+>")
