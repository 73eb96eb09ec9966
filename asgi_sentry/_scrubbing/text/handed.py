"""What is handed to a program or a server: piped, typed, called, sent by a protocol of mail.

Each pattern is anchored at words of its own and its repeats are bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.look import is_chosen, is_mixed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = [
    "called_spans",
    "converted_spans",
    "given_spans",
    "mail_spans",
    "piped_spans",
    "typed_spans",
]

_EXPECT = re.compile(
    r"\bsend(?:_user)?\s{1,4}(?:--\s)?\"([^\"\r\n\\]{1,200})(?:\\[rn]|\r|\n){1,2}\""
)
_PIPED = re.compile(
    r"\b(?:echo|printf)\s{1,4}(?:-[ne]{1,2}\s{1,4})?(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'"
    r"|([^\s|\"']{1,200}))\s{0,4}\|\s{0,4}(?:sudo\s{1,4}(?:-k\s{1,4})?-S\b"
    r"|(?:sudo\s{1,4})?(?:chpasswd|passwd|kinit|su|cryptsetup)\b"
    r"|[^|\n]{1,200}?--?(?:(?:password|passphrase|token)?-?stdin\b|passphrase-fd\b|with-token\b))"
)
_HERE = re.compile(r"(?<!<)<<<\s?(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})'|([^\s<\"']{1,200}))")
_CONVERTED = re.compile(
    r"-SecureString\s{1,4}(?:-String\s{1,4})?(?:\"([^\"\n]{1,200})\"|'([^'\n]{1,200})')"
)
_CALLED = re.compile(
    r"\b(?:login|(?:simple_)?bind(?:_s)?|authenticate)\(\s?[bru]?[\"'][^\"'\n]{1,100}[\"'],\s{0,4}"
    r"[bru]?[\"']([^\"'\n]{1,200})[\"']"
    r"|\bjwt\.(?:encode|decode|sign|verify)\([^()\n,]{1,200},\s{0,4}b?[\"']([^\"'\n]{6,400})[\"']"
)
# As the libraries for SMTP, POP and IMAP show what they send.
_MAIL = re.compile(
    r"\bAUTH (?:PLAIN|LOGIN|XOAUTH2|CRAM-MD5) ([^\s\"'\\\\]{4,2000})"
    r"|(?<=[\"'])PASS ([^\s\"'\\]{1,200})(?=\\r|\\n|[\r\n\"'])"
    r"|\bLOGIN \S{1,200} \\{0,3}\"([^\"\\\n]{1,200})\\{0,3}\""
    r"|\b334 (?:UGFzc3dvcmQ6|cGFzc3dvcmQ6)(?:\\r\\n|\r?\n)(?:C: |> )?([A-Za-z0-9+/=]{4,200})"
)
# The same in a log of the lines that were sent: of FTP, POP, IMAP, and of IRC to those who keep
# nicknames. There are other lines that begin like these.
_SENT_LINE = re.compile(
    r"(?:^|[\"'])(?:> |C: )?(?:PASS|[A-Za-z]{0,4}\d{1,5} LOGIN \S{1,200}"
    r"|(?:PRIVMSG )?(?:NickServ|nickserv) :?(?:IDENTIFY|identify)(?: [^\s]{1,40})?)"
    r" ([^\s\"'\\]{4,200})(?=\s{0,2}$|\\r|[\"'])",
    re.MULTILINE,
)


def typed_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What a script of Expect sends, where it waits for a password."""
    if "assword" in text:
        yield from (match.span(1) for match in _EXPECT.finditer(text))


def piped_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """`echo hunter2 | docker login --password-stdin`."""
    for match in _PIPED.finditer(text):
        group = next(number for number in (1, 2, 3) if match[number] is not None)
        if match[group][0] not in "$`":
            yield match.span(group)


def given_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """`kinit ann <<< hunter2X`."""
    for match in _HERE.finditer(text):
        group = next(number for number in (1, 2, 3) if match[number] is not None)
        if is_chosen(match[group]) and match[group][0] not in "$`":
            yield match.span(group)


def converted_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """`ConvertTo-SecureString "hunter2" -AsPlainText`."""
    for match in _CONVERTED.finditer(text):
        span = match.span(1 if match[1] is not None else 2)
        if text[span[0]] != "$":
            yield span


def called_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """`smtp.login("ann", "...")`."""
    for match in _CALLED.finditer(text):
        group = match.lastindex or 1
        if is_chosen(match[group]):
            yield match.span(group)


def mail_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Passwords in what is sent to servers of mail."""
    if not any(verb in text for verb in ("AUTH ", "PASS ", "LOGIN ", "IDENTIFY ", "334 ")):
        return
    for match in _MAIL.finditer(text):
        if match[1] is None or is_mixed(match[1]):
            yield match.span(match.lastindex or 1)
    is_dialogue = "USER " in text or "\r\n" in text or "PASS " not in text
    for sent in _SENT_LINE.finditer(text) if is_dialogue else ():
        if is_chosen(sent[1]):
            yield sent.span(1)
