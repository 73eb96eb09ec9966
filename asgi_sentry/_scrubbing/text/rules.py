"""Value rules: patterns of secrets, each with what tells a real one from a look-alike.

Every pattern is linear: a lookbehind lets it start at the head of a run only, or its repeats are
bounded. Most texts are told to be harmless by *gates*, literals that every match has; they are
looked for in all texts at once, as they are or through a mask that makes classes of characters one
(see `gates.py`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.text.dense import until_dense
from asgi_sentry._scrubbing.text.finders import (
    BEARER,
    IBAN,
    LINK,
    PEM_BEGIN,
    TOKEN,
    URL_USER,
    after,
    bearer_spans,
    email_spans,
    iban_spans,
    ip_spans,
    link_spans,
    pem_spans,
    token_spans,
    url_spans,
)
from asgi_sentry._scrubbing.text.literals import (
    BEARER_GATES,
    BEHIND,
    DIGIT_GATES,
    EMAIL_GATES,
    HASH_GATES,
    IBAN_GATES,
    LINK_GATES,
    PASSWORD_GATES,
    TOKEN_GATES,
    URL_GATES,
)
from asgi_sentry._scrubbing.text.pairs import FILTERED, pair_spans
from asgi_sentry._scrubbing.text.rule import Rule, built_in
from asgi_sentry._scrubbing.text.single_gate import Gate
from asgi_sentry._scrubbing.text.tokens import HASHES
from asgi_sentry._scrubbing.text.validators import is_card, is_iban, is_jwt, is_ssn

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.keys import Keys

__all__ = ["BY_ID", "DEFAULT_RULES", "FILTERED", "IP", "Rule"]


IP = built_in(
    "@ip", r"[0-9A-Fa-f:.]{2,45}", (Gate("shape", b"0.0"), Gate("text", b":")), find=ip_spans
)
"""IP addresses anywhere in a text.

Not among the defaults: versions and times look much like them.
"""

DEFAULT_RULES: tuple[Rule, ...] = (
    built_in(
        "@password",
        r"(?<![\w.\-])[\w$][\w.\-]*(?:\\{0,7}[\"'])?\s{0,8}[:=]",
        PASSWORD_GATES,
        find=pair_spans,
    ),
    built_in("@bearer", BEARER.pattern, BEARER_GATES, find=bearer_spans),
    built_in(
        "@jwt",
        "(?a)eyJ" + after("A-Za-z0-9_-", "eyJ") + r"[\w-]{8,4096}(?:\.[\w-]{0,8192}){1,4}",
        (Gate("text", b"eyJ"),),
        is_jwt,
    ),
    built_in(
        "@pemkey",
        PEM_BEGIN.pattern,
        (Gate("text", b"PRIVATE", re.compile(rb"PRIVATE(?:[ +]|%20)KEY")),),
        find=lambda text, _: until_dense(pem_spans(text), text),
    ),
    built_in("@urlauth", URL_USER.pattern, URL_GATES, find=url_spans),
    built_in(
        "@creditcard",
        r"\d" + after("A-Za-z0-9_.+-", r"\d") + r"(?:\d{11,18}|\d{3}(?:[ \xa0-]\d{4}){2,3}"
        r"(?:[ \xa0-]\d{1,3})?|\d{3}[ \xa0-]\d{6}[ \xa0-]\d{4,5})"
        r"(?![A-Za-z0-9_-]|\.\d)",
        DIGIT_GATES,
        is_card,
    ),
    built_in("@iban", IBAN.pattern, IBAN_GATES, is_iban, iban_spans),
    built_in(
        "@usssn",
        r"\d" + after("A-Za-z0-9_.-", r"\d") + r"\d{2}[- \xa0]\d{2}[- \xa0]\d{4}"
        r"(?![A-Za-z0-9_-]|\.\d)",
        DIGIT_GATES,
        is_ssn,
    ),
    built_in(
        "@email",
        r"@(?:[\w-]{1,63}\.){1,8}[^\W\d_]{2,24}",
        EMAIL_GATES,
        find=lambda text, _: email_spans(text),
    ),
    built_in("@link", LINK.pattern, LINK_GATES, find=link_spans),
    built_in("@passwordhash", rf"(?a)(?<![\w$])(?:{HASHES})", HASH_GATES),
    built_in("@token", TOKEN.pattern, TOKEN_GATES, find=token_spans),
)


def gates_of(rule: Rule, keys: Keys) -> tuple[Gate, ...]:
    """The gates of a rule in a scrubber.

    Where keys count, the terms that were given have gates of their own. None at all means that
    every text has to be looked at.
    """
    gates: tuple[Gate, ...] = rule._gates  # noqa: SLF001 - a function of this package
    if rule._find is not pair_spans or not keys.own_stems:  # noqa: SLF001
        return gates
    if not all(stem.isascii() for stem in keys.own_stems):
        return ()
    own = (stem.encode() for stem in keys.own_stems)
    return (
        *gates,
        *(Gate("pair", stem, re.compile(re.escape(stem) + BEHIND)) for stem in own),
    )


BY_ID = {rule.id: rule for rule in (*DEFAULT_RULES, IP)}
