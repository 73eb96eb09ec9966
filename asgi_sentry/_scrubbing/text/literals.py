"""What every match of a rule has in it.

The literals by which most texts are told to be harmless.
"""

from __future__ import annotations

import re

from asgi_sentry._scrubbing.text.single_gate import Gate


def _split(text: str) -> list[str]:
    return text.split()


# Behind a stem: the rest of the name, what closes it, and a separator or the next word. What has
# none is no key.
BEHIND = (
    rb"[a-z0-9_.\-?\x80-\xff]{0,80}(?![a-z0-9_])[\])]?\\{0,7}(?:[\"'`]|&[a-z0-9#]{2,5};|%2[27]"
    rb"|(?<=\\)u002[27])?"
    rb"(?:[\])]|%5d)?(?:(?:\[|%5b)[0-9]{0,4}(?:\]|%5d))?"
    rb"(?:(?:\x1b|\\x1b|\\u001b)\[[0-9;]{0,8}m)?(?:[\s\xa0]{0,40}(?:[:=,><{}?\xbb]|%3[ad])|[\s\xa0]"
    rb"|\\[rnt]|\([bru]{0,2}[\"'])"
)
_KV_STEMS = _split(
    """pass pw pswd secr jwt jwe jws cred auth sso saml assertion srf sess sid cfid symf cook sig
    hmac otp pin card cvv cvc
    cvn psk ssn social iban"""
)
# A code is a secret by what it is for: the last letters of the words that stand in front of it.
_CODE_KINDS = "|".join(
    f"(?<={kind})|(?<={kind}[_. -])"
    for kind in _split(
        """mfa 2fa oob sms rity rify tion time eset ckup very vice cess lock ogin ctor ss vite agic
    otp atch"""
    )
)
# These stand in so many texts that a separator has to follow.
_STRICTLY_BEHIND = (
    rb"[a-z0-9_.\-?\x80-\xff]{0,40}(?![a-z0-9_])[\])]?\\{0,7}(?:[\"'`]|&[a-z0-9#]{2,5};|%2[27]"
    rb"|(?<=\\)u002[27])?"
    rb"(?:[\])]|%5d)?(?:(?:\[|%5b)[0-9]{0,4}(?:\]|%5d))?"
    rb"(?:[\s\xa0]{0,40}(?:[:=,>{}|]|%3[ad]|[+.?]=)|\t)"
)
_RARER = {
    b"pat": rb"pats?(?![a-z])",
    b"tan": rb"(?:(?<![a-z])|(?<=m)(?<![a-z]m)|(?<=i)(?<![a-z]i))tan(?![a-z])",
    **{
        stem.encode(): stem.encode()
        for stem in _split(
            """pepper mnemonic crumb phrase remember magic nonce national medicare nhs licen tax aad
            account
            birth dob oidc access refresh kennw contrase senha wachtw parola salasana haslo senord
            adgangsk
            jelsz heslo psw tkn identity birthdate client"""
        )
    },
    b"has?o": rb"has\?o",
    b"link": rb"(?:(?<=reset)|(?<=reset[_. -])|(?<=login)|(?<=login[_. -]))link",
    b"seed": rb"seed(?=[_. -]?word)|(?:(?<=wallet)|(?<=wallet[_. -])|(?<=very[_. -]))seed",
    b"pan": rb"(?<![a-z])pan[_. -]?num",
    b"acct": rb"acct[_. -]?n",
    b"csc": rb"(?<![a-z])csc(?![a-z])",
    b"maiden": rb"maiden",
    b"salt": rb"(?<![a-z])salt(?![a-z])",
    b"access": rb"access(?![a-z])",
    b"refresh": rb"refresh(?![a-z])",
    b"client": rb"client[_. -]?(?:cert|principal)",
    b"identity": rb"(?<![a-z])identity(?![a-z])",
    b"account": rb"account(?:[_. -]?(?:number|no|num))?",
}
_KV_GATES = (
    *((stem.encode(), stem.encode()) for stem in _KV_STEMS),
    (b"key", rb"(?<!public[_-])key"),  # the public key of a DSN is in the baggage of every trace
    (b"cc", rb"cc[_. -]?n"),
    (b"code", rf"code(?=[_.-]?verif)|(?:{_CODE_KINDS})code".encode()),
    (b"answer", rb"(?:(?<=[yne])|(?<=[yne][_. -]))answer"),
)
# On the text itself, once for each run. Digits alone are no token, lower case and words in
# camelCase are names of the program's, and hexadecimal digits an id, unless they stand where tokens
# have them.
_RUN_VERIFY = re.compile(
    rb"(?!(?:[a-z_-]+|_*[a-z]*(?:[A-Z]{1,5}[a-z]{3,})+)(?![\w-])"
    rb"|(?<![.:+~])(?<![0-9A-Z]/)(?:[0-9a-f]{16,64}|[0-9a-f]{8}"
    rb"(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    rb"|[0-9a-f]{32}-[0-9a-f]{16}(?:-[0-9])?)(?![\w.:+~-]))[0-9_-]*[A-Za-z]"
)
_OPTION_VERIFY = re.compile(
    rb"[ '\"]-(?:[A-Za-z]|-(?:proxy-)?(?:user|cert)|-auth|-creds|-pass|-body|-raw|-value|-bearer"
    rb"|-encrypt|-plaintext|-basic-auth|-[a-z-]{0,40}(?:key|pat)[ =,'\"])"
)
# What has no separator that tells.
_SAID = (
    b"[parameters: ", b"BindParameter(", b"Failing row", b"query argument", b" field ",
    b" column ", b"HSET", b"HMSET", b"hset", b"AUTH ", b"SETUSER", b"setuser", b" on >",
    b"add_user", b"sqlplus ", b"-stdin", b"http-basic.", b"crypt(", b"CRYPT(",
    b"PRAGMA ", b"pragma ", b"ATTACH ", b"attach ", b":oracle:",
    b"/p:", b'send "', b"kty", b"code is", b"code: ", b" code",
    b"change_password", b"net use", b"/user:", b"vault ",
    b"<<<", b"login(", b"bind_s(", b"_bind(", b"authenticate(", b"jwt.",
     b":5432:", b":*:", b"community ", b"LOGIN ", b"PASS ", b"IDENTIFY ",
    b"334 UGFzc3", b"params=", b" /rp ",
    b"params: ", b"OTP is", b"PIN is", b"passcode", b"time pass", b"time code", b"time pin",
    b"digo de ", b"codice di ", b"gscode", b"meldecode", b"itscode", b"nscode",
    b"malcode", b"alias set ", b"mc admin user", b"wandb login", b"cargo login", b"bw unlock",
    b"bw login", b"nuget push", b"etcdctl user add", b"'wandb', 'login", b"'cargo', 'login",
    b"'sqlplus', ", b"'ansible-vault', ", b"'bw', '", b"'net', 'u", b"'alias', 'set",
    b"ebSocket-Protocol", b"ebsocket-protocol",
    b"nemonic is ", b"phrase is ", b"words are ", b"following password", b"duplicate key value is",
    b"sp_executesql", b"arameters=[@", b"Private-Lines", b" on #", b"WHERE name", b"where name",
    b"WHERE key", b"where key",
)  # fmt: skip
# Not the version of `Chrome/131.0.0.0`, `Edg/131.0.0.0` or `OPR/116.0.0.0`: in most heads there is.
# It begins with what is looked for, so that one search finds both (see `single_gate.look`).
_ADDRESS_VERIFY = re.compile(
    rb"0\.0(?<!Aaaaaa/000\.0)(?<!Aaa/000\.0)(?<!AAA/000\.0)0{0,2}\.0{1,3}\.0{1,3}"
)
_IBAN_VERIFY = re.compile(rb"AA00[ -]?[A0]{4}[ -]?[A0]{4}")
_SMALL_IBAN_VERIFY = re.compile(rb"aa00(?<![Aa0]aa00)[a0]{11,27}(?![Aa0])")
_SCHEME_VERIFY = re.compile(rb"[a-z]+(?:\s|%20|\\n|\+)")
# Both are the name of a key and a scheme of authorization: one search for the two rules.
_BEARER_GATE, _TOKEN_GATE = (
    Gate("lower", word, re.compile(word + rb"(?:" + BEHIND + rb"|%20|\+)"))
    for word in (b"bearer", b"token")
)
PASSWORD_GATES = (
    *(
        Gate("pair", literal, re.compile(rb"(?:" + stem + rb")" + BEHIND))
        for literal, stem in _KV_GATES
    ),
    *(
        Gate("pair", literal, re.compile(stem + _STRICTLY_BEHIND))
        for literal, stem in _RARER.items()
    ),
    # Other alphabets.
    Gate("text", b"??", re.compile(rb"(?<![\w?.\x80-\xff-])\?" + _STRICTLY_BEHIND)),
    # Other alphabets have other colons, or none: `\u9a8c\u8bc1\u7801\uff1a453550`.
    Gate("text", b"???", re.compile(rb"(?<!\?)\?{3,200}[ :(\[\"]{0,3}[A-Za-z0-9]")),
    Gate("text", b" lautet", re.compile(rb" lautet:? [0-9]{4}")),
    *(Gate("text", literal) for literal in _SAID),
    *(
        Gate("text", literal, re.compile(rb"(?<=[0-9]{4})" + literal))
        for literal in (b" to verify", b" to confirm", b" to sign in", b" to log in", b" as your ")
    ),
    Gate("text", b"echo ", re.compile(rb"echo [^|\n\0]{1,200}\|")),
    Gate("text", b"login ", re.compile(rb"login [^\s\0]{1,100}\s{1,20}password\s")),  # .netrc
    Gate("shape", b"0.0", _ADDRESS_VERIFY),
    Gate("text", b"::"),
    _BEARER_GATE,
    _TOKEN_GATE,
    Gate("lower", b"identified"),
    Gate("text", b"Duplicate entry"),
    *(Gate("text", literal, _OPTION_VERIFY) for literal in (b" -", b"'-", b'"-')),
)
BEARER_GATES = (
    _BEARER_GATE,
    _TOKEN_GATE,
    *(
        Gate("lower", s, _SCHEME_VERIFY)
        for s in (b"basic", b"digest", b"negotiate", b"apikey", b"hawk", b"ntlm")
    ),
)
# Cards and social security numbers are in groups of digits: one search finds both.
_GROUPS = re.compile(
    rb"00[ \xa0-](?:0000[ \xa0-]0{4}|0{6}[ \xa0-]0{4})|(?<=0[ \xa0-])00[ \xa0-]0000"
)
DIGIT_GATES = (
    Gate(
        "shape",
        b"0" * 12,
        re.compile(rb"(?:(?<![0Aa_.+-])|(?<=\\a)|(?<=%00)|(?<=%0[Aa]))0{12,19}(?![0Aa_])"),
    ),
    *(Gate("shape", b"00" + mark + b"0000", _GROUPS) for mark in (b" ", b"-", b"\xa0")),
)

# Of addresses of people, and of URLs with a user: one search finds both. Behind an encoded @ stands
# a domain, or any host; in the baggage of every trace it is the version of a release.
_AT_GATE = Gate("text", b"@")
EMAIL_GATES = (
    _AT_GATE,
    Gate(
        "text",
        b"%40",
        re.compile(rb"%40(?:(?:[\w?\x80-\xff-]{1,63}\.){1,8}[A-Za-z\x80-\xff?]{2}|\[|xn--)"),
    ),
)
URL_GATES = (
    _AT_GATE,
    Gate("text", b"%40", re.compile(rb"%40(?![0-9]{1,9}(?:\.[0-9]{1,9}){0,2}(?![\w.]))")),
)

_LINK_NAMES = (b"code", b"state", b"hash", b"sig", b"ticket", b"key")
_STEP_VERIFY = re.compile(rb"/[\w-]{1,20}/[\w.~-]{20}")
_HASH_VERIFY = re.compile(rb"\$[\w./+=-]{1,100}[$,]|\$[PHS]\$")
LINK_GATES = (
    Gate("lower", b"appid="),
    Gate("text", b"/", _STEP_VERIFY),
    *(Gate("text", name + b"=", re.compile(name + rb"=[^&\s\0]{16}")) for name in _LINK_NAMES),
)
# Tokens in which dots, slashes or dollars may cut each run short are known by what they begin with;
# `finders` looks for the same.
TOKEN_GATES = (
    Gate("run", b"a" * 16, _RUN_VERIFY),
    *(
        Gate("text", literal)
        for literal in (
            b"Q~", b"whsec_", b"hooks.zapier.com", b".make.com/", b"pscale_", b"access_token$",
            b"snyk_", b"bedrock-api-key-", b"LS0tLS1CRUdJTi", b"ABSK", b"AzFu", b"ACDb", b"AIoT",
            b"xoxd-", b"BBDC-",
        )
    ),
    Gate("text", b"ASt", re.compile(rb"ASt[A-Za-z0-9+/]{4}")),
    Gate("text", b"fm", re.compile(rb"fm[0-9][ar]?_")),
    Gate("text", b"gl", re.compile(rb"gl[a-z]{2,5}-[\w.-]{16}")),
)  # fmt: skip
IBAN_GATES = (Gate("shape", b"AA00", _IBAN_VERIFY), Gate("shape", b"aa00", _SMALL_IBAN_VERIFY))
HASH_GATES = (Gate("text", b"$", _HASH_VERIFY), Gate("text", b"{S"), Gate("text", b"SCRAM-SHA"))
