"""Which keys hold secrets, told by the words they are made of.

A key is folded (`X-Api-Key`, `x_api_key` and `xApiKey` are the words *x api key*) and its words are looked up, so that
`author`, `monkey` and `tokenizer` are not taken for *auth*, *key* and *token*. The terms are the union of what
sentry-sdk (`scrubber.py`, `data_collection.py`), Relay, Logfire, Elastic APM and Django hold for sensitive, less what
is no secret once words are told apart (Elastic's and Django's `*key*` in `cache_key`, `*credit*` in `credit_limit`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# What a key says about its value.
PLAIN = 0
DENIED = 1
ADDRESS = 2  # an IP address, or a list of them, is redacted there; anything else stays
COOKIES = 3  # a string is one Cookie header; a container holds cookies by name
MAYBE = 4  # "key": a secret, unless it stands beside a value, or for something that is no text


def _split(text: str) -> list[str]:
    return text.split()


# A word: a run of capitals (an acronym) up to a capitalised word, a word with or without its capital, digits, or a run
# of letters of a script without case.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")

# Compared with the words of a key put together, so that `api_key` here is `apikey`, `api.key` and `apiKey` too.
_TERMS = """
password passwords passwd pwd pswd passphrase passcode passkey pass passwort mot_de_passe
dbpass userpass smtppass ftppass requirepass user_pw root_pw bind_pw admin_pw db_pw
secret secrets token bearer jwt jwe
credential credentials cred creds
auth oauth authn authz authorization authentication x_auth
api_key api_keys api_token private_key secret_key access_key signing_key encryption_key decryption_key master_key
account_key ssh_key auth_key shared_key shared_access_key service_key crypto_key client_key consumer_key storage_key
deploy_key license_key subscription_key functions_key webhook_key session_key signature_key hmac_key aes_key rsa_key
app_key application_key instrumentation_key storage_account_key key_material priv_key fernet_key service_role_key
psk preshared_key
sso saml saml_assertion client_assertion csrf xsrf csrfmiddlewaretoken
session session_id sess_id sessid sid php_sess_id phpsessid jsessionid aspsessionid asp_net_session_id cfid cftoken
connect_sid symfony
cookie set_cookie http_cookie
mysql_pwd my_sql_pwd pgpassword
signature hmac otp totp mfa_code pin pin_code
credit_card debit_card card_number card_num card_no cc_number cc_num cvv cvc cvn cvv2 cvc2 card_verification
security_code verification_code auth_code authorization_code one_time_code reset_code backup_codes recovery_code
recovery_codes device_code code_verifier access_code activation_code unlock_code login_code sms_code 2fa_code
two_factor_code security_answer
ssn social_security social_security_number iban
client_principal
"""
# Sensitive as a whole key, with or without an x- in front; as one word of many they say little.
_WHOLE = "pw sig card cards cc principal identity csc tan"
# A word that ends like this is one, as in `accesstoken` or `dbpassword`; or one that begins with `password`.
_ENDINGS = ("password", "passwd", "passphrase", "secret", "token", "apikey", "privatekey", "secretkey", "accesskey")
_BEGINNINGS = ("password", "passwd", "aspsessionid", "sessionid")
_INNOCENT_WORDS = frozenset({"passwordless", "nontoken", "notoken"})
# What stands behind a term says that the value tells about the secret.
_ABOUT = frozenset(
    _split(
        """type types count counts length len size limit limits expires expire expiry expired expiration ttl lifetime
    duration age url uri endpoint method methods scheme schemes provider providers policy policies strategy format
    enabled disabled required version backend backends middleware hasher hashers validator validators field fields
    name names label path timeout algorithm alg issuer audience scope scopes domain samesite httponly secure engine
    class classes cls module at on time file files filename dir timestamp date seconds ms minutes hours days
    index position usage model mode maker factory origins arn consent start started end ended"""
    )
)
_INNOCENT = frozenset(
    [
        "accesscontrolallowcredentials",
        "withcredentials",
        "functionsignature",
        "methodsignature",
        "allowcredentials",
        "secwebsocketkey",
        "passthrough",
        "passrate",
    ]
)
_ADDRESSES = frozenset(
    _split(
        """remoteaddr remoteaddress clientaddr clientaddress clienthost client peer peername peeraddr peeraddress
    sourceaddress forwarded xforwarded xforwardedfor forwardedfor ipaddress ipaddresses ips clientips networkpeeraddress
    netsockpeeraddr netpeername remotehost xrealip httpclientip sourceip"""
    )
)
_MAX_RUN = 5  # words in the longest term, and one to spare

VALUE_KEYS = (
    "value",
    "val",
    "Value",
    "input",
)  # under these stands what another key, such as "name", tells the name of

# Beyond these many keys a cache is of no use: a team's own keys are fewer, and the rest are an outsider's.
_CACHED, _CACHED_LENGTH = 4096, 80
_STRINGS = frozenset({str})
_LOWER = bytes(range(256)).lower()
_has_digit = re.compile(r"\d").search
_LONGEST_NAME = 200
REPR = re.compile(r"b?([\"'])(.*)\1\Z", re.DOTALL)
_NAMES = 1024  # of those that stand in texts


def words(key: str) -> list[str]:
    """The words of a key, folded: `userPassword2` gives `user`, `password`, `2`."""
    return [word.lower() for word in _WORD.findall(key)]


def compact(term: str) -> str:
    """The words of a term put together, which is how terms are compared."""
    return "".join(words(term))


def trie(stems: Iterable[str]) -> str:
    """An alternation of literals that looks at each character once."""
    branches: dict[str, set[str]] = {}
    for stem in stems:
        if not stem:
            return ""  # whatever follows, this branch has matched
        branches.setdefault(stem[0], set()).add(stem[1:])
    parts = [re.escape(first) + trie(sorted(rest)) for first, rest in sorted(branches.items())]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


# Every key that is not PLAIN has one of these in it.
_STEMS = _split(
    """pass pw pswd secr tok bear jw cred auth key sso saml srf sess sid cfid symf cook sig hmac otp pin card
    cc cvv cvc cvn csc code answer assert iban psk ssn soci princ ident tan ip addr client peer forward remotehost
    priv"""
)


class Keys:
    """What keys mean, by the key as it stands.

    The first few thousand are remembered for good, so that nobody can push them out; what comes later is decided anew
    each time, all keys of a value together.

    Attributes:
        plain: keys that are known to say nothing, and to hold no secret themselves.
        special: keys that are known to say something, and what; also those under which a named value may stand.
        find_stem: searches a text in lower case for what every key that says something has in it.
        own_stems: the same for the terms that were given, beside the default ones.
    """

    __slots__ = (
        "_allowed",
        "_denied",
        "_digits",
        "_find",
        "_find_stem",
        "_find_term",
        "_met",
        "_shown",
        "_whole",
        "find_stem",
        "own_stems",
        "plain",
        "special",
    )

    def __init__(self, *, deny: Iterable[str] = (), allow: Iterable[str] = ()) -> None:
        own = {compact(term): words(term) for term in deny}
        self._denied = {compact(term): _NO_TERM for term in _TERMS.split()}
        self._denied.update(dict.fromkeys(own, _OWN_TERM))
        self._whole = frozenset(_WHOLE.split())
        self._allowed = frozenset(compact(term) for term in allow)
        self.own_stems = tuple(sorted({max(parts, key=len) for parts in own.values()}))
        stems = {*_STEMS, *self.own_stems}
        # Letters beyond ASCII have cases that fold in surprising ways: a term with such letters looks at every key.
        everything = not all(stem.isascii() for stem in stems)
        self._find_term = re.compile(trie(sorted(self._denied))).search
        self._find = self.find_stem = re.compile(r"[^\W_]" if everything else trie(sorted(stems))).search
        # The same in bytes and without digits, for many keys at once; "cc" is a word there, or begins "ccnum".
        self._digits = b"" if everything or any(map(_has_digit, self.own_stems)) else b"0123456789"
        without_digits = "" if everything else f"{trie(sorted({*stems, 'ccn'} - {'cc'}))}|cc(?![a-z])"
        self._find_stem = re.compile(without_digits.encode()).search
        self._met: dict[str, int] = {}
        self._shown: dict[str | bytes, int] = {}
        self.plain: set[object] = set()
        self.special: dict[object, int] = dict.fromkeys(VALUE_KEYS, PLAIN)
        for key in VALUE_KEYS:
            self.special[key] = self[key]

    def __getitem__(self, key: object) -> int:
        """What a key means, whatever it is."""
        if key in self.plain:
            return PLAIN
        known = self.special.get(key)
        return self._fresh(key) if known is None else known

    def of_shown(self, name: str | bytes) -> int:
        """What a name means that stands in a value of its own, maybe as a repr, as in the variables of a frame."""
        known = self._shown.get(name)
        if known is None:
            text = name.decode("latin-1") if isinstance(name, bytes) else name
            shown = REPR.match(text)
            known = self[shown[2] if shown else text] if len(text) <= _LONGEST_NAME else PLAIN
            known = PLAIN if known == MAYBE else known
            if len(self._shown) < _NAMES and len(text) <= _CACHED_LENGTH:
                self._shown[name] = known
        return known

    def meaning(self, name: str) -> int:
        """What a name in a text means. Those met first are remembered: the same few come again and again."""
        known = self._met.get(name)
        if known is None:
            known = self[name]
            if len(self._met) < _NAMES and len(name) <= _CACHED_LENGTH:
                self._met[name] = known
        return known

    def told(self, keys: set[object]) -> dict[object, int]:
        """Which of these keys mean something, and what."""
        each = list(keys)
        texts: list[Any] = each
        if not _STRINGS.issuperset(map(type, each)):
            texts = [
                key if isinstance(key, str) else key.decode("latin-1") if isinstance(key, bytes) else "" for key in each
            ]
        found: dict[object, int] = {}
        for index in self._suspects(texts):
            verdict = self._fresh(each[index])
            if verdict:
                found[each[index]] = verdict
        for key, verdict in found.items():
            if len(self.special) < _CACHED and isinstance(key, (str, bytes)) and len(key) <= _CACHED_LENGTH:
                self.special[key] = verdict
        return found

    def remember(self, keys: set[object]) -> None:
        """Keep keys that were found to mean nothing, and to hold nothing, while there is room."""
        room = _CACHED - len(self.plain)
        if room > 0:
            special = self.special
            for key in keys:
                if key.__class__ is str and key not in special and len(key) <= _CACHED_LENGTH:
                    self.plain.add(key)
                    room -= 1
                    if not room:
                        return

    def _suspects(self, texts: list[str]) -> Iterable[int]:
        """The indices of keys that have a stem in them, by one search over all of them."""
        joined = "\0".join(texts)
        if joined.count("\0") >= len(texts):  # a key has this character itself
            yield from range(len(texts))
            return
        if not joined.isascii():  # letters beyond have cases that fold in surprising ways
            yield from (index for index, text in enumerate(texts) if not text.isascii())
        data = joined.encode("latin-1", "replace").translate(_LOWER, self._digits)
        index = position = 0
        while (match := self._find_stem(data, position)) is not None:
            index += data.count(b"\0", position, match.start())
            yield index
            end = data.find(b"\0", match.start())
            if end < 0:
                return
            index, position = index + 1, end + 1

    def _fresh(self, key: object) -> int:
        if isinstance(key, (bytes, bytearray)):
            key = key.decode("latin-1")
        elif not isinstance(key, str):
            return PLAIN
        return PLAIN if self._find(key.lower()) is None else self._decide(key)

    def _decide(self, key: str) -> int:
        parts = words(key[-200:])  # what a longer key ends with is what it is about
        whole = "".join(parts)
        if whole in self._allowed or not parts:
            return PLAIN
        hits = _runs(parts) & self._denied.keys() if self._find_term(whole) else set()
        if hits and any(self._denied[hit] for hit in hits):
            return DENIED
        named = [part for part in parts if not part.isdigit()]
        if whole in _INNOCENT or (len(named) > 1 and (named[-1] in _ABOUT or whole.endswith("expiresin"))):
            return ADDRESS if named[-2:] == ["ip", "address"] else PLAIN
        bare = "".join(named).removeprefix("x")
        if hits or bare in self._whole or any(map(_is_compound, named)):
            return DENIED
        if named and named[-1] == "cookies":
            return COOKIES
        if bare == "key":
            return MAYBE
        if whole in _ADDRESSES or (named and named[-1] in {"ip", "ips"}) or "ipaddress" in whole or "ipaddr" in whole:
            return ADDRESS
        return ADDRESS if "forwardedfor" in whole or whole.endswith(("realip", "clientip")) else PLAIN


_NO_TERM, _OWN_TERM = False, True


def _runs(parts: list[str]) -> set[str]:
    """Some words that follow each other, put together, in each way there is."""
    return {
        "".join(parts[start:end])
        for start in range(len(parts))
        for end in range(start + 1, min(len(parts), start + _MAX_RUN) + 1)
    }


def _is_compound(word: str) -> bool:
    return (word.endswith(_ENDINGS) or word.startswith(_BEGINNINGS)) and word not in _INNOCENT_WORDS
