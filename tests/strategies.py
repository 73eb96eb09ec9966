"""The named inputs of the property tests, shared by all of them."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from hypothesis import strategies as st

from asgi_sentry import (
    BodyScrubbingMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    SentryMiddleware,
    TransactionFilterMiddleware,
    UserContextMiddleware,
)
from asgi_sentry._sampling.request_outcome import Outcome

# --- path rules and the paths they meet -------------------------------------------------------------------

# Few letters, so that rules and paths meet often; "%" and "." because they mean something elsewhere.
_segment_text = st.text("aAb.%-\n", max_size=4)
_rule_segments = st.one_of(
    _segment_text,
    st.lists(st.sampled_from(["*", "a", "b", "ab"]), min_size=1, max_size=5)
    .map("".join)
    .filter(lambda text: "**" not in text),
    st.sampled_from(["{id}", "{name:str}", "{n:int}", "{n:float}"]),
)


@st.composite
def path_rules(draw: st.DrawFn) -> str:
    """A text rule of every shape in the language."""
    segments = draw(st.lists(_rule_segments, max_size=4))
    if draw(st.integers(0, 3)) == 0:
        segments.insert(draw(st.integers(0, len(segments))), "{rest:path}")
    path = "/" + "/".join(segments)
    if draw(st.integers(0, 3)) == 0:
        path = path.removesuffix("/") + "/**"
    method = draw(st.sampled_from(["", "", "GET ", "POST ", "get  "]))
    return method + path.rstrip("\n") + draw(st.sampled_from(["", "", "/"]))


request_paths = st.lists(
    st.one_of(_segment_text, st.sampled_from(["12", "1.5", "aab", "abab", "babab"])), min_size=1, max_size=6
).map(lambda segments: "/" + "/".join(segments))
"""Raw request paths, with empty segments, trailing slashes and newlines among them."""

request_methods = st.sampled_from(["GET", "POST", "DELETE", None])


# -- settings ----------------------------------------------------------------------------------------------------------

_NAME = st.text(st.sampled_from("abcXYZ019.-_@+ é"), min_size=1, max_size=20).map(lambda text: f"v{text}v")
_FRACTION = st.floats(0, 1, allow_nan=False)
_RULE = st.sampled_from(["/", "/health", "/api/chat", "/items/{id}", "/static/**", "GET /x", "POST /a/*/b"])


def credentials() -> st.SearchStrategy[str]:
    """A key or password as services hand them out: recognisable, so that a search for it is exact."""
    return st.text(st.sampled_from("abcdef0123456789"), min_size=17, max_size=40).map(lambda text: f"5ec{text}")


@st.composite
def credential_urls(draw: st.DrawFn) -> tuple[str, str]:
    """A DSN or Redis URL, whole or broken, and the credential in it."""
    secret = draw(credentials())
    users = ["{0}", "key:{0}", ":{0}", "{0}:{0}", "ke/y:{0}", "a@{0}", "{0}@b", "{0},x", "#{0}", " {0}"]
    user = draw(st.sampled_from(users))
    schemes = ["https://", "http://", "redis://", "rediss://", "unix://", "ftp://", "//", "https:/", ""]
    scheme = draw(st.sampled_from(schemes))
    host = draw(st.sampled_from(["@host", "@o1.ingest.sentry.io", "@[::1]:80", "@", "", "@h:port", "@[::", "@h ost"]))
    path = draw(st.sampled_from(["/1", "/x/1", "", "/", "/abc", "/1?a=b", "/1#x"]))
    return scheme + user.format(secret) + host + path, secret


def settings_values() -> st.SearchStrategy[dict[str, object]]:
    """Valid keyword arguments of `Settings`, each of which an environment variable can hold too."""
    return st.fixed_dictionaries(
        {},
        optional={
            "dsn": st.builds(
                "{}://{}@{}/{}{}".format,
                st.sampled_from(["http", "https"]),
                credentials(),
                st.sampled_from(["localhost:9000", "o1.ingest.sentry.io", "[::1]:1"]),
                st.sampled_from(["", "prefix/"]),
                st.integers(0, 10**12),
            ),
            "environment": _NAME,
            "release": _NAME,
            "traces_sample_rate": _FRACTION,
            "profiles_sample_rate": _FRACTION,
            "enable_tracing": st.booleans(),
            "debug": st.booleans(),
            "exclude": st.lists(_RULE, min_size=1, unique=True).map(tuple),
            "rates": st.dictionaries(_RULE, _FRACTION, min_size=1),
            "max_body_bytes": st.integers(0, 10**9),
            "budget": st.builds("{}/{}".format, st.integers(1, 10**9), st.sampled_from(["second", "day", "month"])),
            "error_budget": st.builds("{}/{}".format, st.integers(1, 10**9), st.sampled_from(["minute", "hour"])),
            "workers": st.integers(1, 10**4),
            "attachments": st.sampled_from(["text", "none", "all"]),
            "redis_url": st.builds("redis://:{}@cache:6379/{}".format, credentials(), st.integers(0, 15)),
        },
    )


def environments() -> st.SearchStrategy[dict[str, str]]:
    """Some of our variables, held as often well as badly, beside one of somebody else."""
    return st.dictionaries(
        st.sampled_from(["SENTRY_DEBUG", "SENTRY_TRACES_SAMPLE_RATE", "ASGI_SENTRY_RATES", "HOME"]),
        st.sampled_from(["1", "0.5", "/x=0.5", "on", "x", ""]),
    )


# --- sampling: time and traffic -----------------------------------------------------------------------------


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# Quarters are exact in binary, so a window's border is hit exactly and not by rounding.
arrivals = st.lists(
    st.one_of(
        st.just(0.0), st.integers(0, 48).map(lambda quarters: quarters / 4), st.sampled_from([10.0, 59.75, 60.0])
    ),
    max_size=80,
)
"""Seconds from each request to the next."""


# -- envelopes ---------------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def envelopes(draw: st.DrawFn) -> tuple[dict[str, object], list[tuple[str, bytes]], bytes]:
    """An envelope's header, its items as kind and payload, and its bytes; with and without `length`."""
    headers = draw(st.dictionaries(st.text(max_size=5), _JSON, max_size=3))
    items = []
    data = json.dumps(headers).encode() + b"\n"
    for kind in draw(st.lists(st.sampled_from(["event", "transaction", "attachment", "client_report"]), max_size=4)):
        payload = draw(st.binary(max_size=50) | _JSON.map(lambda value: json.dumps(value).encode()))
        item: dict[str, object] = {"type": kind}
        if b"\n" in payload or draw(st.booleans()):
            item["length"] = len(payload)
        data += json.dumps(item).encode() + b"\n" + payload + b"\n"
        items.append((kind, payload))
    return headers, items, data


outcomes = st.builds(
    Outcome,
    status=st.one_of(st.none(), st.integers(100, 599), st.sampled_from([200, 418, 429, 500])),
    seconds=st.floats(0, 10) | st.just(1.5),
    failed=st.booleans(),
)
"""How requests end."""


# --- routing ----------------------------------------------------------------------------------------------------------

_ROUTED = [
    "a",
    "b",
    "x",
    "list",
    "files",
    "items",
    "tenants",
    "v1",
    "v2",
    "7",
    "007",
    "1-2",
    "ids",
    "of",
    "deep",
    "end",
]
_ROUTED += [
    "sub",
    "api",
    "in",
    "orgs",
    "direct",
    "pair",
    "opaque",
    "f",
    "uuid",
    "plain",
    "",
    "",
    "1.5",
    "{x}",
    "%2F",
    "é",
]
route_paths = st.lists(st.one_of(st.sampled_from(_ROUTED), st.text(max_size=3)), max_size=8).map(
    lambda segments: "/" + "/".join(segments)
)
"""Paths that often meet a declared route, with values that equal its words, empty segments and text of the client's."""


# --- ASGI: messages and stacks ----------------------------------------------------------------------------------------

_kinds = st.sampled_from(
    [
        "http.request",
        "http.disconnect",
        "http.response.start",
        "http.response.body",
        "http.response.trailers",
        "websocket.connect",
        "websocket.accept",
        "websocket.receive",
        "websocket.send",
        "websocket.close",
        "websocket.http.response.start",
        "no.such.type",
    ]
)
_odd = st.sampled_from([None, 7, -1, "text", b"bytes", b"", [], {}, 200, 404, 500, 1011, "500", True, bytearray(b"x")])
asgi_messages = st.one_of(
    st.fixed_dictionaries(
        {"type": _kinds, "status": st.sampled_from([200, 404, 500, 503]), "body": st.binary(max_size=9)}
    ),
    st.fixed_dictionaries(
        {}, optional={"type": st.one_of(_kinds, _odd), "status": _odd, "body": _odd, "code": _odd, "more_body": _odd}
    ),
    _odd,
)
"""What passes between a server and an app: as the protocol has it, with keys missing or odd, or no message at all."""


def _foreign(app: Any) -> Any:
    """Somebody else's middleware, which nobody can look through."""

    async def middleware(scope: Any, receive: Any, send: Any) -> Any:
        return await app(scope, receive, send)

    return middleware


class _Seen:
    """Somebody else's middleware that holds what it wraps as `app`."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        return await self.app(scope, receive, send)


layer_stacks = st.lists(
    st.sampled_from(
        [
            SentryMiddleware,
            partial(SentryMiddleware, websockets="lifetime", failed_request_status_codes={404}),
            partial(SentryMiddleware, websockets="off"),
            TransactionFilterMiddleware,
            partial(TransactionFilterMiddleware, exclude=("/p/**",), user_agents=("x",)),
            PathSamplingMiddleware,
            partial(PathSamplingMiddleware, rates={"/p/{id}": 0.0}, default=1.0, parent="ignore"),
            partial(UserContextMiddleware, client_ip="keep", fields=("id", "email")),
            HeaderScrubbingMiddleware,
            BodyScrubbingMiddleware,
            partial(BodyScrubbingMiddleware, max_bytes=3, attach="always"),
            _foreign,
            _Seen,
        ]
    ),
    min_size=1,
    max_size=6,
)
"""Layers in any order and number, ours and those of others, listed from the outermost."""


# --- values with secrets in them, and values without ------------------------------------------------------------------

_SECRET_ALPHABET = "abcdefghkmnpqrstuvwxyzABCDEFGHKMNPQRSTUVWXYZ23456789"

SECRET_KEYS = (
    "password", "X-Api-Key", "xApiKey", "access_token", "accessToken", "Authorization", "client-secret", "session_id",
    "user_password2", "PHPSESSID", "connect.sid", "csrf_token", "XSRF-TOKEN", "credentials", "db.passwd", "private_key",
    "aws_secret_access_key", "Set-Cookie", "refreshToken", "jwt", "credit_card", "cvv", "ssn", "otp", "mysql_pwd",
    "HTTP_COOKIE", "x-amz-security-token", "stripe-signature", "bearer", "passphrase", "oauth_token",
)  # fmt: skip
"""Keys of every spelling under which nothing may be shown."""

PLAIN_KEYS = (
    "author", "monkey", "tokenizer", "keyboard", "secretary", "passenger", "compass", "authority", "cache_key", "id",
    "primary_key", "name", "max_tokens", "token_count", "cookies_enabled", "keys", "sessions", "description", "status",
    "order_id", "created_at", "items", "passed", "hash", "note", "public_key", "tokens", "discard", "spin", "opinion",
)  # fmt: skip
"""Keys that look like them and are none."""


def secret_values(min_size: int = 12) -> st.SearchStrategy[str]:
    """A credential as services hand them out: letters and digits, so that a search for it is exact."""
    return st.text(st.sampled_from(_SECRET_ALPHABET), min_size=min_size, max_size=40).map(lambda text: f"{text}7q")


def awkward_secrets() -> st.SearchStrategy[str]:
    """A password as people choose them, with whatever has to be escaped somewhere."""
    return (
        st.text(min_size=8, max_size=30).map(lambda text: f"p{text.strip()}w9").filter(lambda text: len(set(text)) > 3)
    )


harmless_text = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "Zs", "Po"), exclude_characters="@:=%/\\")
).map(lambda text: "".join(char for char in text if not (char.isdigit() or char in "'\"*#")))
"""Text of any alphabet with nothing in it that could join a key to a value."""

_leaf = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), harmless_text, harmless_text.map(str.encode)
)


def json_like(
    leaves: st.SearchStrategy[Any] = _leaf, keys: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[Any]:
    """Nested values of every type that a scrubber keeps."""
    names = st.sampled_from(PLAIN_KEYS) if keys is None else keys
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4),
            st.lists(inner, max_size=3).map(tuple),
            st.dictionaries(names, inner, max_size=4),
        ),
        max_leaves=12,
    )


FORMS = (
    "{key}={value}", "{key} = {value}", "{key}: {value}", "{key}:{value}", "{key}='{value}'", '{key} = "{value}"',
    "{key}: '{value}'", "'{key}': '{value}'", '"{key}":"{value}"', "'{key}' => '{value}'", "{key} := '{value}'",
    "{key}=`{value}`", "{key}=b'{value}'", "{key}          =          {value}", "{key}\xa0=\xa0{value}",
    "export {key}='{value}'", "$env:{key} = '{value}'", "-e {key}={value}", "--{key}={value}", "--{key} {value}",
    "data['{key}'] = '{value}'", "f().{key} = '{value}'", "rows[0].{key}='{value}'", "user[{key}]={value}",
    "{key}[]={value}", "{key}[0]={value}", "a=1&{key}={value}&b=2", "a%5B{key}%5D={value}&b=2",
    "%7B%22{key}%22%3A%22{value}%22%7D", "a=1\\n{key}={value}\\nb=2", "a\\r\\n{key}: {value}\\r\\nb",
    "a\\t{key}={value}", "a\\u0026{key}={value}", "\x1b[36m{key}\x1b[0m=\x1b[35m{value}\x1b[0m",
    "\\x1b[36m{key}\\x1b[0m=\\x1b[35m{value}\\x1b[0m", "&quot;{key}&quot;:&quot;{value}&quot;,",
    "{{&#34;{key}&#34;: &#34;{value}&#34;}}", '\\"{key}\\": \\"{value}\\"', "{key}=$'{value}'",
    "{key}: |\n  {value}\n  {value}\nnext: 1", "{key}: >-\n    {value}\n", "{key}=({value}",
    '{{"name": "{key}", "type": "text", "value": "{value}"}}', '{{"value": "{value}", "name": "{key}"}}',
    "- name: {key}\n  value: {value}", '- name: {key}\n  value: "{value}"', '<add key="{key}" value="{value}"/>',
    '<input type="hidden" name="{key}" value="{value}">', '<input value="{value}" name="{key}">',
    '<meta name="{key}" content="{value}" />', '<property name="{key}">{value}</property>',
    "<property><name>{key}</name><value>{value}</value></property>", "<key>{key}</key>\n  <string>{value}</string>",
    "<{key}>{value}</{key}>", "<a {key}='{value}'>",
    'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n--x',
    "form-data; name={key}\r\n\r\n{value}\r\n--x--", "X({key}=SecretStr('{value}'))",
    "X({key}=Basic('user', '{value}'))", "Key ({key})=({value}) already exists.",
    "Duplicate entry '{value}' for key 't.{key}'",
    "INSERT INTO t (a, {key}, b) VALUES (1, '{value}', NOW()), (2, '{value}', x)", 'WHERE "{key}" = \'{value}\'',
    "WHERE a = 1 AND {key} IN ('{value}')", "WHERE {key} LIKE '{value}%'", "WHERE {key} <> '{value}'",
    "1 validation error for X\n{key}\n  Input should be x [type=x_y, input_value='{value}', input_type=str]",
    "{{'type': 'x', 'loc': ('body', '{key}'), 'msg': 'no', 'input': '{value}'}}",
)  # fmt: skip
"""How keys and values are written in texts, for `str.format`."""


@st.composite
def planted(draw: st.DrawFn) -> tuple[Any, str]:
    """A value with a secret somewhere in it under a key that says so, in one of many shapes, and the secret."""
    secret = draw(secret_values())
    key = draw(st.sampled_from(SECRET_KEYS))
    value: Any = draw(
        st.sampled_from(
            [
                {key: secret},
                {key.encode(): secret.encode()},
                {key: {"deep": [secret, {"er": secret}]}},
                {key: (1, secret)},
                [[key, secret]],
                [(key.encode(), secret.encode())],
                {"name": key, "value": secret},
                f"{key}={secret}",
                f"x {key}='{secret}' y",
                f'{{"{key}": "{secret}", "a": 1}}',
                json.dumps(json.dumps({key: secret, "b": [1]})),
                json.dumps({"a": {key: {"x": secret}}}),
                repr({"headers": [(key.encode(), secret.encode())], "a": 1}),
                repr({key: secret}),
                f"User(id=1, {key.replace('-', '_').replace('.', '_')}='{secret}')",
                f"--{key.replace('_', '-')} {secret}",
                ["prog", f"--{key}", secret, "-v"],
                f"<{key}>{secret}</{key}>",
                f'<a {key}="{secret}"/>',
                f"a=1&{key}={secret}&b=2",
                f'Content-Disposition: form-data; name="{key}"\r\n\r\n{secret}\r\n--x',
                f"postgres://user:{secret}@db/x",
                f"redis://:{secret}@db",
                f"Authorization: Bearer {secret}",
                f"Authorization: Basic {secret}",
            ]
        )
    )
    for _ in range(draw(st.integers(0, 3))):
        wrap = draw(st.sampled_from(["list", "tuple", "dict", "beside"]))
        if wrap == "list":
            value = [1, value]
        elif wrap == "tuple":
            value = (value, None, 2)
        elif wrap == "dict":
            value = {draw(st.sampled_from(PLAIN_KEYS)): value}
        else:
            value = {"a": draw(json_like()), "b": value}
    return value, secret


_VALUES_OF_A_TRANSACTION = st.one_of(
    st.sampled_from(
        [
            "dark", "GET", "de-DE", "a b", "", "[Filtered]", "curl", "https", "-v", "--password", "203.0.113.7",
            "10.0.0.1, 203.0.113.8", "::1", "a@example.com", "see https://x.example/a?b=1#c", "q=blue+socks&page=2",
            "token=q7w8e9r0t1y2u3i4&x=1", "Bearer q7w8e9r0t1y2u3i4", "sid=q7w8e9r0t1y2u3i4; theme=dark",
            "q7w8e9r0t1y2u3i4", "cTd3OGU5cjB0MXkydTNpNA==", "AKIAIOSFODNN7EXAMPLE", "4111 1111 1111 1111",
            "SELECT 1 FROM t WHERE password = 'hunter2'", "/items/7", "it ends with q7w8e9r0...",
        ]
    ),
    harmless_text,
)  # fmt: skip
_scalars = st.one_of(st.none(), st.booleans(), st.integers(-9, 10**12), st.floats(allow_nan=False))
_data_of_a_transaction = st.dictionaries(
    st.sampled_from(
        [
            *("theme", "page", "Cookie", "Authorization", "x-forwarded-for", "client_ip", "twilio_key", "key", "name"),
            *("value", "loc", "input", "token_budget", "password", "cookies", "q7w8e9r0t1y2u3i4", "note", "referer"),
        ]
    ),
    st.recursive(
        st.one_of(_VALUES_OF_A_TRANSACTION, _scalars),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(PLAIN_KEYS), inner)),
        max_leaves=5,
    ),
    max_size=5,
)
_flat = st.dictionaries(
    st.sampled_from(
        [
            *("accept", "user-agent", "referer", "authorization", "cookie", "x-request-id", "x-forwarded-for", "theme"),
            *("sid", "csrftoken", "x-api-key", "host", "sessionid", "_ga", "plan", "http.status_code", "x-real-ip"),
        ]
    ),
    _VALUES_OF_A_TRANSACTION,
    max_size=6,
)


def _some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


_span = _some(
    span_id=st.just("a085dbfdd542eb93"), op=st.sampled_from(["db", "http.server", None]), status=st.just("ok"),
    description=_VALUES_OF_A_TRANSACTION, data=_data_of_a_transaction, tags=_flat, other=_VALUES_OF_A_TRANSACTION,
)  # fmt: skip
transactions = st.builds(
    lambda head, rest: {**head, **rest},
    st.fixed_dictionaries(
        {
            "type": st.just("transaction"),
            "transaction": _VALUES_OF_A_TRANSACTION,
            "transaction_info": st.fixed_dictionaries({"source": st.sampled_from(["route", "url", "custom", "task"])}),
            "event_id": st.just("15f45bd4b9e14a9b8a120b27e001f92f"),
        }
    ),
    _some(
        request=_some(
            headers=_flat, cookies=_flat, method=st.just("GET"), query_string=_VALUES_OF_A_TRANSACTION,
            url=_VALUES_OF_A_TRANSACTION, data=st.one_of(_data_of_a_transaction, _VALUES_OF_A_TRANSACTION, _scalars),
        ),
        contexts=st.one_of(
            st.none(),
            _some(
                trace=_span,
                runtime=_some(name=st.just("CPython"), type=st.just("runtime"), build=_VALUES_OF_A_TRANSACTION),
                c=_data_of_a_transaction,
            ),
        ),
        tags=_flat,
        user=_data_of_a_transaction,
        extra=_data_of_a_transaction,
        spans=st.lists(_span, max_size=2),
        release=st.just("app@1"),
        sdk=st.just({"name": "sentry.python", "packages": [{"name": "pypi:sentry-sdk", "version": "2.0"}]}),
        level=st.just("info"),
        fingerprint=st.lists(_VALUES_OF_A_TRANSACTION, max_size=2),
    ),
)  # fmt: skip
"""Transactions in their wire form: most usual in most of their parts, with `q7w8e9r0t1y2u3i4` as a secret."""

# --- traces -----------------------------------------------------------------------------------------------------------

_trace_id = st.integers(0, 2**128 - 1).map("{:032x}".format)
_span_id = st.integers(0, 2**64 - 1).map("{:016x}".format)
trace_headers = st.one_of(
    st.none(),
    st.builds("{}-{}".format, _trace_id, _span_id),
    st.builds("{}-{}-{}".format, _trace_id, _span_id, st.sampled_from(["0", "1", "", "2", "true"])),
    st.builds("00-{}-{}-00".format, _trace_id, _span_id),
    st.builds("  {}-{}-1  ".format, _trace_id, _span_id),
    st.text(st.sampled_from("0123456789abcdef-, "), max_size=60),
)
"""`sentry-trace`, mostly well formed."""

baggage_headers = st.one_of(
    st.none(),
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "sentry-sample_rate=0.5",
                    "sentry-sampled=true",
                    "sentry-release=a%20b",
                    "sentry-transaction=%2Fx",
                    "other=1",
                    "third=a;b=c",
                    "broken",
                    "=",
                ]
            ),
            st.integers(0, 999_999).map("sentry-sample_rand=0.{:06d}".format),
            st.text(st.sampled_from("abc=;% "), max_size=8),
        ),
        max_size=5,
    ).map(",".join),
)
"""`baggage`, ours, that of others, and what is neither."""


# --- the head of a request, as it comes in

_HEADER_NAMES = (
    *(
        "host",
        "user-agent",
        "accept",
        "referer",
        "origin",
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
    ),
    *("x-forwarded-for", "x-real-ip", "x-request-id", "sentry-trace", "traceparent", "baggage", "twilio-key", "Cookie"),
    *("sec-websocket-protocol", "x-never-met", "q7w8e9r0t1y2u3i4", "x-\u00fc", "content-type", "key", "name"),
)
_COOKIE_NAMES = (
    "sid",
    "theme",
    "sessionid",
    "_ga",
    "password",
    "twilio_key",
    "",
    "never met",
    "key",
    "x-forwarded-for",
)
_IDENTIFIERS = (
    "0a4f1c2e5b6d4c3a9f8e7d6c5b4a3f2e", "0a4f1c2e-5b6d-4c3a-9f8e-7d6c5b4a3f2e", "4111111111111111",
    "00-771a43a4192642f0b136d5159a501700-a085dbfdd542eb93-01", "771a43a4192642f0b136d5159a501700-a085dbfdd542eb93-1",
    "41111111111111114111111111111111", "0a4f1c2e-5b6d-4c3a-9f8e-411111111111",
)  # fmt: skip
_credentials = st.sampled_from(
    [
        "q7w8e9r0t1y2u3i4", "Bearer q7w8e9r0t1y2u3i4", "Basic dXNlcjpxN3c4ZTlyMHQxeTJ1M2k0", "abc", "****",
        'Digest username="u", response="6629fae49393a05397450978507c4ef1"', '{"token": "q7w8e9r0t1y2u3i4"}',
        '"quoted words"', "%7B%22token%22%3A1%7D", "q7w8e9r0%2Bt1y2u3i4", "4d3fMSt7-Qz1xP0aLk9", "theme-dark",
        "/checkout/payment", "blue+socks", "\u00e9t\u00e9",
    ]
)  # fmt: skip
_values = st.one_of(_VALUES_OF_A_TRANSACTION, _credentials, st.sampled_from(_IDENTIFIERS))
_cookie_headers = st.lists(
    st.builds("{}={}".format, st.sampled_from(_COOKIE_NAMES), _values) | _values, max_size=5
).map("; ".join)
_baggage = st.lists(
    st.sampled_from(
        [
            "sentry-trace_id=771a43a4192642f0b136d5159a501700", "sentry-public_key=49d0f7386ad645858ae85020e393bef3",
            "sentry-sample_rand=0.421337", "sentry-sample_rate=0.5", "sentry-sampled=true", "other-vendor=1",
            "sentry-release=web%401", "sentry-release=a%40b.example",
            "sentry-environment=production", "sentry-transaction=%2Fcheckout", " a=b;c=d",
            "sentry-trace_id=41111111111111114111111111111111", "token=q7w8e9r0t1y2u3i4",
            "sentry-sampled=q7w8e9r0t1y2u3i4",
            "sentry-release=q7w8e9r0t1y2u3i4", "userId=a%40example.com", "sentry-org_id=1", "4111111111111111", "",
        ]
    ),
    max_size=6,
).map(",".join)  # fmt: skip
_queries = st.lists(
    st.builds(
        "{}={}".format,
        st.sampled_from(
            ("q", "page", "token", "api_key", "code", "state", "key", "client_ip", "query", "variables", "a%20b")
        ),
        _values,
    )
    | _values,
    max_size=4,
).map("&".join)  # fmt: skip
headers_of_a_request = st.lists(
    st.sampled_from(_HEADER_NAMES).flatmap(
        lambda name: st.tuples(
            st.just(name.encode("latin-1")),
            {"cookie": _cookie_headers, "baggage": _baggage}.get(name.lower(), _values).map(
                lambda text: text.encode("utf-8", "surrogatepass").replace(b"\0", b"")
            ),
        )
    ),
    max_size=8,
)
queries_of_a_request = _queries.map(lambda text: text.encode("utf-8", "surrogatepass"))
