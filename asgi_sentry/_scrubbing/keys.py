"""Which keys hold secrets, told by the words they are made of.

A key is folded (`X-Api-Key`, `x_api_key` and `xApiKey` are the words *x api key*) and its words are
looked up, so that `author`, `monkey` and `tokenizer` are not taken for *auth*, *key* and *token*.
The words themselves are in `terms.py`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing import terms
from asgi_sentry._scrubbing.known_terms import (
    DEFAULT,
    LONGEST_REMEMBERED,
    is_about,
    is_compound,
    is_of_words,
    is_term,
)
from asgi_sentry._scrubbing.look import is_number, is_path, is_sentence, is_unset
from asgi_sentry._scrubbing.schemas import is_schema
from asgi_sentry._scrubbing.stems import Stems
from asgi_sentry._scrubbing.words import (
    compact,
    runs,
    term_ends,
    trie,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

# What a key says about its value.
PLAIN = 0
DENIED = 1
ADDRESS = 2  # an IP address, or a list of them, is redacted there; anything else stays
COOKIES = 3  # a string is one Cookie header; a container holds cookies by name
MAYBE = 4  # "key": a secret, unless it stands beside a value, or for something that is no text
LOOKED = 6  # `twilio_key`: a secret if the value looks like one


VALUE_KEYS = (*terms.VALUES, "v", "input")  # under these stands what another key tells the name of
# By the second of two keys at Azure the first is known, which alone is called as a row's id is.
TWINS = {"secondaryKey": "primaryKey", "secondary_key": "primary_key"}
BESIDE = (
    "kty",
    "logprob",
    "parameters",
    "params",
    *TWINS,
)  # which say something about their neighbours: members of a JWK, a token of a model's
JWK_MEMBERS = ("d", "p", "q", "dp", "dq", "qi", "k", "oth")

# Beyond these many keys a cache is of no use: a team's own keys are fewer, and the rest are an
# outsider's.
_CACHED = 4096
_STRINGS = frozenset({str})
_LONGEST_NAME = 200
REPR = re.compile(r"b?([\"'])(.*)\1\Z", re.DOTALL)
_NAMES = 1024  # of those that stand in texts


_WHOLE = frozenset(terms.WHOLE.split())
_LOOKED_AT = frozenset(terms.LOOKED_AT.split())
_LOOKED_AT_WHOLE = frozenset(terms.LOOKED_AT_WHOLE.replace("_", "").split())
# Terms under which a number tells about something: `time_to_first_token`, Ethereum's `nonce`.
_NUMBERED = frozenset({"token", "nonce", "session", "cookie"})


# An app has a few sets of terms, and the default ones most of all.
@lru_cache(maxsize=64)
def _find_term(own: frozenset[str]) -> Callable[[str], re.Match[str] | None]:
    return re.compile(trie(sorted({*DEFAULT, *own}))).search


_NOTHING: Mapping[Any, int] = MappingProxyType({})


class Keys:
    """What keys mean, by the key as it stands.

    The first few thousand are remembered for good, so that nobody can push them out; what comes
    later is decided anew each time, all keys of a value together. What is remembered are keys of
    dicts of at most 80 characters in which no rule finds a secret, 4,096 that say nothing and as
    many that say something; and of names that stand in texts or as values, 1,024 each that are made
    of the words in `terms.py` alone. A value is never remembered, nor is a word that is not ours.

    Attributes:
        plain: keys that are known to say nothing, and to hold no secret themselves.
        special: keys that are known to say something, and what; also those under which a named
            value may stand.
        find_stem: searches a text in lower case for what every key that says something has in it.
        following_stem: tells for a text, which may be long, where the next stem begins.
        own_stems: the same for the terms that were given, beside the default ones.
    """

    __slots__ = (
        "_allowed",
        "_denied",
        "_find_term",
        "_met",
        "_shown",
        "_stems",
        "find_stem",
        "following_stem",
        "own_stems",
        "plain",
        "special",
    )

    def __init__(self, *, deny: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        own = {compact(term): words(term) for term in deny}
        self._denied = dict.fromkeys(DEFAULT, _NO_TERM)
        self._denied.update(dict.fromkeys(own, _OWN_TERM))
        self._allowed = frozenset(compact(term) for term in allow)
        self.own_stems: tuple[str, ...] = tuple(
            sorted({max(parts, key=len) for parts in own.values()})
        )
        self._find_term = _find_term(frozenset(own))
        self._stems = Stems.of(self.own_stems)
        self.find_stem: Callable[..., re.Match[str] | None] = self._stems.find
        self.following_stem: Callable[[str], Callable[[int], int]] = self._stems.following
        self._met: dict[str, int] = {}
        self._shown: dict[str | bytes, int] = {}
        self.plain: set[object] = set()
        self.special: dict[object, int] = dict.fromkeys((*VALUE_KEYS, *BESIDE), PLAIN)
        for key in (*VALUE_KEYS, *BESIDE):
            self.special[key] = self._fresh(key)

    def __getitem__(self, key: object) -> int:
        """What a key means, whatever it is."""
        if key in self.plain:
            return PLAIN
        known = self.special.get(key)
        if known is None:
            return self._fresh(key)
        return known

    def of_shown(self, name: str | bytes) -> int:
        """What a name means that stands in a value of its own.

        It may be a repr, as in the variables of a frame.
        """
        known = self._shown.get(name)
        if known is None:
            text = _text(name)
            if (shown := REPR.match(text)) is not None:
                text = shown[2]
            if text in self.plain:
                return PLAIN
            known = self[text] if len(text) <= _LONGEST_NAME else PLAIN
            if known == MAYBE:
                known = PLAIN
            if len(self._shown) < _NAMES and is_of_words(text):
                self._shown[name] = known
        return known

    def meaning(self, name: str) -> int:
        """What a name in a text means.

        Those met first are remembered, if they are made of words of ours alone: the same few come
        again and again, and what else looks like a name may be somebody's text, or a token.
        """
        known = self._met.get(name)
        if known is None:
            if name in self.plain:
                return PLAIN
            known = self[name]
            if len(self._met) < _NAMES and is_of_words(name):
                self._met[name] = known
        return known

    def ready(self) -> bool:
        """Wait until Hyperscan is ready, where it is installed; whether it is."""
        return self._stems.ready()

    def told(self, keys: set[object], *, are_texts: bool = False) -> dict[object, int]:
        """Which of these keys mean something, and what.

        Args:
            keys: which.
            are_texts: whether it is known that all of them are.
        """
        each = list(keys)
        texts: list[Any] = each
        if not are_texts and not _STRINGS.issuperset(map(type, each)):
            texts = list(map(_text, each))
        found: dict[object, int] = {}
        for index in self._stems.suspects(texts):
            verdict = self._fresh(each[index])
            if verdict:
                found[each[index]] = verdict
        return found

    def remember(
        self, keys: set[Any], *, told: Mapping[Any, int] = _NOTHING, but: Container[Any] = ()
    ) -> None:
        """Remember keys that nobody had met, while there is room.

        Args:
            keys: which.
            told: what some of them mean, beside others that were known.
            but: those that hold a secret themselves.
        """
        plain, special = self.plain, self.special
        room = _CACHED - len(plain)
        if room > 0:
            for key in keys:
                if (
                    key.__class__ is str
                    and key not in special
                    and key not in told
                    and key not in but
                    and len(key) <= LONGEST_REMEMBERED
                ):
                    plain.add(key)
                    room -= 1
                    if not room:
                        break
        for key, verdict in told.items():
            if len(special) >= _CACHED:
                return
            if (
                isinstance(key, (str, bytes))
                and key in keys
                and key not in but
                and len(key) <= LONGEST_REMEMBERED
            ):
                special[key] = verdict

    def _fresh(self, key: object) -> int:
        if isinstance(key, (bytes, bytearray)):
            key = key.decode("latin-1")
        elif not isinstance(key, str):
            return PLAIN
        if self.find_stem(key.lower()) is None:
            return PLAIN
        return self._decide(key)

    def spares(self, key: object, value: Any) -> bool:
        """Whether a value stays though its key is denied, because of what it is.

        Numbers stay under what counts something (`token_budget`, `time_to_first_token`,
        `pin_attempts`), a path stays as the working directory of a shell, and the messages of a
        validator stay under the name of a field. So do containers that hold nothing but None and
        booleans, which stay by themselves, and schemas, which describe a value.
        """
        if value.__class__ is str:
            return is_no_secret(key, value)
        if value.__class__ is bytes or value is None:
            return False
        if is_unset(value) or is_schema(value):
            return True
        if isinstance(value, (dict, list)) and isinstance(key, str) and compact(key) in _CONTAINERS:
            return True  # its members have names of their own
        if (
            isinstance(value, (list, tuple))
            and value
            and all(isinstance(one, str) for one in value)
        ):
            return all(map(is_sentence, value))
        if value.__class__ is int and isinstance(key, str) and compact(key) in _CONTAINERS:
            return value < _SMALLEST_CARD
        return is_number(value) and self.counts(key)

    def describes(self, key: object, value: dict[Any, Any]) -> bool:
        """Whether a container under a denied key describes a session, a token or a card.

        Its own members tell.
        """
        if not isinstance(key, str) or terms.MARKERS.isdisjoint(value):
            return False
        if isinstance(value.get("object"), str):
            return True  # a resource, as Stripe and OpenAI write them
        named = [part for part in words(key[-200:]) if not part.isdigit()]
        return bool(named) and named[-1] in terms.DESCRIBED

    def counts(self, key: object) -> bool:
        """Whether a number under a denied key is a count, a measure or an id in a vocabulary."""
        if isinstance(key, (bytes, bytearray)):
            key = key.decode("latin-1")
        if not isinstance(key, str):
            return False
        parts = words(key[-200:])
        if any(self._denied.get(run) for run in runs(parts)):
            return False
        named = [part for part in parts if not part.isdigit()]
        if not named or not terms.TOKEN_QUALIFIERS.isdisjoint(named[:-1]):
            return False
        ends = [
            end
            for start in range(len(named))
            for end in term_ends(named, start)
            if is_term(named[start:end])
        ]
        # Something stands behind the term, as in `session_fee`; or the term is one that is counted.
        return bool(ends) and (
            max(ends) < len(named) or (len(named) > 1 and named[-1] in _NUMBERED)
        )

    def _decide(self, key: str) -> int:
        parts = words(key[-200:])  # what a longer key ends with is what it is about
        whole = "".join(parts)
        if whole in self._allowed or not parts or _NUMERAL.match(key):
            return PLAIN
        hits = runs(parts) & self._denied.keys() if self._find_term(whole) else set()
        if hits and any(self._denied[hit] for hit in hits):
            return DENIED
        named = [part for part in parts if not part.isdigit()]
        if whole in terms.INNOCENT or is_about(named, whole):
            return ADDRESS if named[-2:] == ["ip", "address"] else PLAIN
        bare = "".join(named).removeprefix("x")
        if bare in _LOOKED_AT_WHOLE:
            return LOOKED
        if hits or bare in _WHOLE or any(map(is_compound, named)):
            return DENIED
        if named and named[-1] == "cookies":
            return COOKIES
        if bare == "key":
            return MAYBE
        if (
            len(named) > 1
            and named[-1] in _LOOKED_AT
            and terms.HARMLESS_KEYS.isdisjoint(named[:-1])
        ):
            return LOOKED
        if named and named[-1] in {"version", "build"}:
            return PLAIN
        if whole in terms.ADDRESSES or (named and named[-1] in {"ip", "ips"}):
            return ADDRESS
        if "ipaddress" in whole or "ipaddr" in whole or "forwardedfor" in whole:
            return ADDRESS
        return ADDRESS if whole.endswith(("realip", "clientip")) else PLAIN


def _text(key: object) -> str:
    """A key as a text, empty for one that is none."""
    if isinstance(key, bytes):
        return key.decode("latin-1")
    if isinstance(key, str):
        return key
    return ""


_NUMERAL = re.compile(r"(?:0x)?(?=.{6})(?=[a-fA-F]*[0-9])[0-9A-Fa-f]+\Z")  # an address, an id
_NO_TERM, _OWN_TERM = False, True
_DIRECTORIES = frozenset({"PWD", "OLDPWD"})
_SMALLEST_CARD = 10**8  # any smaller number is a count or an amount
_CONTAINERS = frozenset({"card", "cards", "principal", "identity", "cc"})
_IDS = frozenset({"sid", "Sid"})
_TWILIO_ID = re.compile(r"(?!SK)[A-Z]{2}[0-9a-f]{32}\Z")  # of a resource; SK is an API key
_CARDS = frozenset({"card", "cards"})
# What language models mark places with, and parsers find: `<|endoftext|>`, `[SEP]`, `}`.
_MARK = re.compile(r"<[|/]?[A-Za-z_ ]+[|]?>|\[[A-Z_]+\]|[^\w\s]{1,3}")
_LONGEST_MARK = 40
_QUOTES, _SHORTEST_SHOWN = frozenset({"'", '"'}), 4
_RESOURCE = re.compile(r"(?:card|ic|pm|src|ba)_[A-Za-z0-9]{8,40}\Z")  # an id at Stripe
# Of these, what is secret.
MEMBERS = frozenset({"value", "val", "raw", "data", "hash", "key", "content", "text"})
_PERMISSIONS = frozenset({"read", "write", "admin", "none"})
_JUDGED = _DIRECTORIES | _CARDS  # keys whose values tell more


def is_no_secret(key: object, value: str) -> bool:
    """Whether a text under a denied key says nothing.

    A mask, a directory, a permission, a public signature.
    """
    first = value[:1]
    # What is shown as a repr begins with its quote, and is no mark if there is anything in it.
    if (
        not first.isalnum()
        and not (first in _QUOTES and len(value) >= _SHORTEST_SHOWN)
        and _is_mark(value)
    ):
        return True
    if isinstance(key, str) and key[-3:] in _IDS and _TWILIO_ID.match(value) is not None:
        return True  # session_sid
    if key in _JUDGED:
        if key in _DIRECTORIES:
            return is_path(value)
        return _RESOURCE.match(value) is not None
    return value in _PERMISSIONS and isinstance(key, str) and key.endswith("secrets")


def _is_mark(value: str) -> bool:
    """Whether a text is a mask, a mark of a language model's or a parser's, or a signature."""
    if value and not value.strip("*\u2022\u25cf"):
        return True
    if len(value) < _LONGEST_MARK and _MARK.fullmatch(value) is not None:
        return True
    return value.startswith("-----BEGIN PGP SIGNATURE")
