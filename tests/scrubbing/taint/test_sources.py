# ruff: noqa: E501 - tables read best one case a line
"""What of a request is a secret, and what is none."""

from __future__ import annotations

import base64
import json

import pytest

import asgi_sentry
from asgi_sentry._scrubbing import FILTERED, Scrubber, basic_users, collect_taint
from asgi_sentry._scrubbing.headers_and_urls import MOST_LOOKED_AT

RULES = Scrubber().ruleset


def held(**parts) -> set[str]:
    return set(collect_taint(keys=RULES, **parts)._raw)


@pytest.mark.parametrize(
    ("parts", "secret"),
    [
        ({"path": "/reset/ab12cd34", "route": "/reset/{token}", "path_params": {"token": "ab12cd34"}}, "ab12cd34"),
        ({"body": {"query": "query($p: String!) { login(name: $n, password: $p) { id } }", "variables": {"p": "gr4ph-value"}}}, "gr4ph-value"),
        ({"body": {"query": 'mutation { login(password: "gr4ph-value") { id } }'}}, "gr4ph-value"),
        ({"query": b"query=query($x:String)%7Blogin(token:$x)%7D&variables=%7B%22x%22:%22gr4ph-value%22%7D"}, "gr4ph-value"),
        ({"headers": [(b"sec-websocket-protocol", b"bearer, s0cket-token1")]}, "s0cket-token1"),
        ({"headers": [(b"sec-websocket-protocol", b"graphql-ws, 9f86d081884c7d659a2feaa0")]}, "9f86d081884c7d659a2feaa0"),
        ({"query": b"code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkjqwe12"}, "SplxlOBeZQQYbYS6WxSbIA"),
        ({"query": b"code=SplxlOBeZQQYbYS6WxSbIA&state=af0ifjsldkjqwe12"}, "af0ifjsldkjqwe12"),
        ({"body": {"payload": json.dumps({"user": {"password": "hunter22"}})}}, "hunter22"),
        ({"body": {"payload": json.dumps({"inner": json.dumps({"api_key": "deep-9value"})})}}, "deep-9value"),
        ({"headers": [(b"authorization", b"Basic " + base64.b64encode(b"alice77:s3cret:x"))]}, "s3cret:x"),
        ({"headers": [(b"authorization", b"Basic " + base64.b64encode(b"alice77:s3cret:x"))]}, "alice77"),
        ({"headers": [(b"cookie", b"tracking=9f86d081884c7d65")]}, "9f86d081884c7d65"),
        ({"headers": [(b"cookie", b"prefs=%7B%22token%22%3A%22j5on-cookie%22%7D")]}, "j5on-cookie"),
        ({"headers": [(b"cookie", b"st=" + base64.b64encode(b'{"user": {"token": "j5on-cookie"}}'))]}, "j5on-cookie"),
        ({"headers": [(b"cookie", b"st=" + base64.urlsafe_b64encode(b'[{"token": "j5on-cookie?>"}]').rstrip(b"=") + b".aBc.dEf")]}, "j5on-cookie?>"),
        ({"headers": [(b"x-hub-signature-256", b"sha256=" + b"9f86d081884c7d65" * 4)]}, "9f86d081884c7d65" * 4),
        ({"headers": [(b"stripe-signature", b"t=1700000000,v1=" + b"9f86d081884c7d65" * 4)]}, "9f86d081884c7d65" * 4),
        ({"body": {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": "p4ir-value"}]}}, "p4ir-value"),
        ({"body": [{"Key": "api_token", "Value": "p4ir-value"}]}, "p4ir-value"),
        ({"body": {"name": "x", "field": "password", "new_value": "p4ir-value"}}, "p4ir-value"),
        ({"body": [["password", "p4ir-value"], ["user", "x"]]}, "p4ir-value"),
        ({"body": {"session": {"type": "realtime", "client_secret": "ek_9f86d081"}}}, "ek_9f86d081"),
    ],
)  # fmt: skip
def test_secrets_are_known_wherever_they_come_in(parts, secret):
    assert secret in held(**parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"body": {"session": {"type": "realtime", "model": "gpt-realtime"}}},
        {"body": {"query": "query($p: String!) { item(name: $p) { id } }", "variables": {"p": "gr4ph-value"}}},
        {"query": b"code=SAVE10&state=CA"},
        {"query": b"code=summer-sale-2024-newsletter&page=2"},
        {"headers": [(b"sec-websocket-protocol", b"graphql-transport-ws, v12.stomp")]},
        {"headers": [(b"x-request-id", b"4bf92f3577b34da6a3ce929d0e0e4736")]},
        {"headers": [(b"cookie", b"session=checkout")], "path": "/shop/checkout"},
        {"headers": [(b"cookie", b"st=eyJ; theme=ewo; tz=W3si!!")]},
        {"headers": [(b"x-signature", b"")]},
        {"body": [{"name": "color", "new_value": "red-value"}, {"k": "x", "v": "some-value"}]},
        {"headers": [(b"x-api-key", b"orders")], "route": "/api/orders/{id}"},
        {"path": "/items/ab12cd34", "route": "/items/{id}", "path_params": {"id": "ab12cd34"}},
        {"path": "/token/tokens", "route": "/token/tokens", "path_params": {"token": "tokens"}},
    ],
)  # fmt: skip
def test_what_is_no_secret_is_none(parts):
    assert held(**parts) == set()


ORDINARY_COOKIES = [
    "",
    "theme=dark",
    "lang=en-US",
    "locale=de_DE.UTF-8",
    "timezone=America/Argentina/Buenos_Aires",
    "return_to=/checkout/payment-method",
    "next=%2Faccount%2Forders%3Fpage%3D2",
    "variant=checkout-redesign-treatment",
    "ab_test=pricing_experiment_variant_b",
    "experiment=new-onboarding-2024-q4:control",
    "campaign=summer-sale-2024-newsletter",
    "utm_source=google-shopping-ads",
    "utm_campaign=black_friday_2024_retargeting",
    "referrer=https://www.example.com/products/blue-widget",
    "_ga=GA1.2.1234567890.1700000000",
    "_gid=GA1.2.987654321.1700000001",
    "ua=Mozilla%2F5.0%20(X11%3B%20Linux%20x86_64)%20AppleWebKit%2F537.36",
    "consent=analytics:true,marketing:false",
    "last_visit=2024-11-26T15:12:43Z",
    "last_product=blue-suede-shoes-size-42",
    "cart_total=12345678901.50",
    "screen=1920x1080x24@2x",
    "feature_flags=newCheckout,darkMode,betaSearch",
    "currency=EUR",
    "host=api.internal.example.com",
    "module=shop.payments.gateway",
    "file=/srv/app/shop/payments.py",
    "model=gpt-realtime-preview-2024",
    "coupon=WELCOME-TO-THE-SHOP",
    "region=eu-central-1",
    "warehouse=Hamburg%20Altona%20West",
    "",
]


@pytest.mark.parametrize("cookie", ORDINARY_COOKIES)
def test_ordinary_cookies_are_no_secrets(cookie):
    assert held(headers=[(b"cookie", cookie.encode())]) == set()
    name, _, value = cookie.partition("=")
    assert held(query=f"{name}={value}".encode()) == set()
    assert held(body={name: value}) == set()


def event() -> dict:
    return {
        "transaction": "GET /shop/checkout",
        "transaction_info": {"source": "route"},
        "release": "shop@1.2.3",
        "environment": "europe-berlin",
        "logger": "shop.payments",
        "fingerprint": ["checkout", "payment_method", "orders.service"],
        "tags": {"flow": "checkout", "checkout": "payment_method", "model": "gpt-realtime"},
        "request": {"url": "http://x/shop/checkout"},
        "logentry": {"message": "checkout of %s failed", "params": [7], "formatted": "x"},
        "breadcrumbs": {"values": [{"category": "checkout"}]},
        "spans": [{"op": "checkout", "description": "x", "data": {"http.route": "/shop/checkout"}}],
        "exception": {
            "values": [
                {
                    "type": "checkout",
                    "value": "no gpt-realtime at /srv/checkout/shop",
                    "stacktrace": {
                        "frames": [{"filename": "checkout.py", "function": "checkout", "context_line": "checkout()"}]
                    },
                }
            ]
        },
    }


@pytest.mark.parametrize("word", ["checkout", "payment_method", "orders.service", "realtime", "europe-berlin", "gpt"])
def test_a_word_that_a_client_sends_as_its_session_touches_nothing_of_the_apps(word):
    scrubber = Scrubber()
    taint = collect_taint(headers=[(b"cookie", f"session={word}; sid={word}".encode())], keys=RULES)
    sent, alone = event(), event()
    scrubber.scrub_event(sent, taint=taint)
    scrubber.scrub_event(alone)
    assert sent == alone


def test_a_plain_word_under_a_denied_name_is_a_whole_word_of_free_text():
    taint = collect_taint(body={"password": "swordfish"}, keys=RULES)
    for text in ("swordfishes", "my-swordfish", "a/swordfish/b", "swordfish.example", "x_swordfish"):
        assert taint.replace(text) == (text, False)
    assert taint.replace("it was swordfish.") == (f"it was {FILTERED}.", True)
    assert taint.replace("('swordfish', 1)") == (f"('{FILTERED}', 1)", True)
    phrase = collect_taint(body={"password": "correct horse battery"}, keys=RULES)
    assert phrase.replace("got 'correct horse battery'") == (f"got '{FILTERED}'", True)


def test_a_denied_parameter_of_the_path_goes_from_the_url_and_the_route_stays():
    scrubber = Scrubber()
    params = {"path": "/reset/ab12cd34/x", "route": "/reset/{token}/x", "path_params": {"token": "ab12cd34"}}
    sent = {
        "transaction": "GET /reset/{token}/x",
        "transaction_info": {"source": "route"},
        "request": {"url": "http://x/reset/ab12cd34/x"},
    }
    scrubber.scrub_event(sent, taint=collect_taint(keys=RULES, **params))
    assert sent["transaction"] == "GET /reset/{token}/x"
    assert sent["request"]["url"] == f"http://x/reset/{FILTERED}/x"


def test_what_is_not_known_by_value_is_described():
    scrubber = Scrubber()
    taint = collect_taint(body={"a": 1}, truncated=True, keys=RULES)
    sent = {
        "message": "no such user Tr0ub4dor&3 in orders of /srv/app at 0x7f00aa",
        "request": {"data": {"order": "A-77x41"}},
        "tags": {"order": "checkout"},
        "extra": {"word": "checkout", "other": "Tr0ub4dor&3"},
    }
    scrubber.scrub_event(sent, taint=taint)
    assert sent["message"] == f"no such user {FILTERED} in orders of /srv/app at 0x7f00aa"
    assert sent["request"]["data"] == {"order": "A-77x41"}
    assert sent["extra"] == {"word": "checkout", "other": FILTERED}
    assert sent["tags"] == {"order": "checkout"}


def test_the_value_that_is_one_too_many_is_described():
    secrets = [f"s3cret-{number}" for number in range(3000)]
    taint = collect_taint(body={"password": secrets}, keys=RULES)
    assert taint.unknown
    for secret in (secrets[0], secrets[500], secrets[700], secrets[-1]):
        assert secret not in taint.replace(f"it is {secret} here")[0]


def test_a_part_that_cannot_be_read_makes_what_it_may_hold_unknown():
    class Odd(dict):
        def items(self):
            raise RuntimeError("no")

    taint = collect_taint(body=Odd(a=1), headers=[(b"x-api-key", b"k-123456")], keys=RULES)
    assert taint.unknown
    assert taint.replace("k-123456")[1]


@pytest.mark.parametrize(
    ("parts", "secret"),
    [
        ({"headers": [(b"x-api-key", b"Token s3cret-behind")]}, "s3cret-behind"),
        ({"headers": [(b"x-api-key", b"Token s3cret-behind")]}, "Token s3cret-behind"),
        ({"headers": [(b"authorization", b"alone-t0ken")]}, "alone-t0ken"),
        ({"headers": [(b"authorization", b'Digest username="bob", response="d1gest-resp", nonce="n0nce-value"')]}, "d1gest-resp"),
        ({"headers": [(b"sec-websocket-protocol", b"a.b.c.9f86d081884c7d659a2feaa0")]}, "9f86d081884c7d659a2feaa0"),
        ({"headers": [(b"sec-websocket-protocol", b"chat, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123DEF456ghi789JKL")]}, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc123DEF456ghi789JKL"),
        ({"headers": [(b"sec-websocket-protocol", b"chat, ACCESS_TOKEN, s0cket-word")]}, "s0cket-word"),
        ({"query": b"a=&&b&token=abc-12345"}, "abc-12345"),
        ({"query": b"a=1;token=abc-12345"}, "abc-12345"),
        ({"query": b"%74oken=abc-12345"}, "abc-12345"),
        ({"query": b"api+key=abc-12345"}, "abc-12345"),
        ({"query": b"filter=%7B%22password%22%3A%22j5on-query%22%7D"}, "j5on-query"),
        ({"headers": [(b"cookie", b"a=1; ;b; sessionid=%61bc-1234")]}, "abc-1234"),
        ({"headers": [(b"cookie", b"a=1; ;b; sessionid=%61bc-1234")]}, "%61bc-1234"),
        ({"headers": [(b"cookie", b'sessionid="qu0ted-value"')]}, "qu0ted-value"),
        ({"body": {"payload": '[{"name": "password", "value": "n4med-value"}]'}}, "n4med-value"),
        ({"body": {"payload": '{"password": ["l1sted-value"]}'}}, "l1sted-value"),
        ({"body": {"name": "password", "value": "n4med-value"}}, "n4med-value"),
        ({"body": {"credentials": {"note": "9f86d081884c7d659a2feaa0"}}}, "9f86d081884c7d659a2feaa0"),
        ({"body": {"password": b"by7es-value"}}, "by7es-value"),
        ({"body": {"password": 12345678}}, "12345678"),
        ({"body": [{"a": 1}, ({"password": "tup1e-value"},)]}, "tup1e-value"),
        ({"body": {"query": "query($p: String) { a(password: $p) }", "variables": '{"p": "gr4ph-text"}'}}, "gr4ph-text"),
        ({"more": ["m0re-value"]}, "m0re-value"),
        ({"body": "password=f0rm-value&a=b"}, "f0rm-value"),
    ],
)  # fmt: skip
def test_secrets_in_rarer_places_are_known(parts, secret):
    assert secret in held(**parts)


@pytest.mark.parametrize(
    "parts",
    [
        {"headers": [(b"sec-websocket-protocol", b"chat, v2.words")]},
        {"query": b"query=x"},
        {"query": b"variables=x"},
        {"query": b"token="},
        {"body": {"password": True, "token": None, "pin": 1}},
        {"body": {"credentials": {"note": "harmless words"}}},
        {"body": {"query": "query($p: String) { a(password: $p) }", "variables": "no JSON"}},
        {"body": {"query": "query($p: String) { a(password: $p) }", "variables": ["p"]}},
        {"body": {"query": 7, "variables": {"p": "gr4ph-value"}}},
        {"headers": [(b"cookie", b"sessionid=short")]},
        {"headers": [(b"authorization", b"Basic !!!")]},
    ],
)  # fmt: skip
def test_rarer_places_without_a_secret_make_nothing_unknown(parts):
    taint = collect_taint(keys=RULES, **parts)
    assert not taint.unknown
    assert not any(value in {"p", "gr4ph-value", "v2.words", "harmless words"} for value in taint._raw)


@pytest.mark.parametrize(("count", "unknown"), [(1022, False), (1023, False), (1024, True), (1025, True)])
def test_so_many_are_found_in_one_part(count, unknown):
    before = asgi_sentry.counters().get("cut", {}).get("secrets", 0)
    taint = collect_taint(body={"password": ["same-s3cret"] * count}, keys=RULES)
    assert taint.unknown is unknown
    assert asgi_sentry.counters().get("cut", {}).get("secrets", 0) == before + unknown


def test_a_body_that_was_cut_off_is_unknown_and_in_no_count():
    before = asgi_sentry.counters().get("cut", {}).get("secrets", 0)
    assert collect_taint(body={"a": 1}, truncated=True, keys=RULES).unknown
    assert asgi_sentry.counters().get("cut", {}).get("secrets", 0) == before


@pytest.mark.parametrize(
    ("parts", "more"),
    [
        (lambda extra: {"query": b"&".join([b"a=1"] * (1024 + extra))}, 1),
        (lambda extra: {"headers": [(b"x-a", b"b")] * (MOST_LOOKED_AT + extra)}, 1),
        (lambda extra: {"body": [0] * (50_000 - 1 + extra)}, 1),
    ],
)
def test_so_much_of_a_request_is_looked_at(parts, more):
    assert not collect_taint(keys=RULES, **parts(0)).unknown
    assert collect_taint(keys=RULES, **parts(more)).unknown


@pytest.mark.parametrize(("depth", "known"), [(1, True), (2, True), (3, True), (5, False)])
def test_json_in_texts_is_read_so_deep(depth, known):
    text = json.dumps({"name": "password", "value": "d33p-value"})
    for _ in range(depth - 1):
        text = json.dumps({"inner": text})
    assert ("d33p-value" in held(body={"payload": text})) is known


def test_what_a_layer_denies_counts_in_its_own_part_only():
    own = Scrubber(deny=("customer-no",)).ruleset
    parts = {"headers": [(b"customer-no", b"head-12345")], "body": {"customer_no": "body-12345"}}
    assert set(collect_taint(keys=RULES, body_keys=own, **parts)._raw) == {"body-12345"}
    assert set(collect_taint(keys=own, body_keys=RULES, **parts)._raw) == {"head-12345"}
    assert set(collect_taint(keys=own, **parts)._raw) == {"head-12345", "body-12345"}


@pytest.mark.parametrize(
    ("headers", "users"),
    [
        ([(b"authorization", b"Basic " + base64.b64encode(b"alice:pw"))], {"alice"}),
        ([(b"Authorization", b"BASIC " + base64.b64encode(b"bob:pw"))], {"bob"}),
        ([(b"authorization", b"Bearer abc")], set()),
        ([(b"x-authorization", b"Basic " + base64.b64encode(b"alice:pw"))], set()),
    ],
)  # fmt: skip
def test_who_calls_is_known_by_basic_credentials(headers, users):
    assert basic_users(headers) == users


def test_headers_that_are_read_are_read_though_their_names_are_known_to_say_nothing():
    ruleset = Scrubber().ruleset
    headers = [
        (b"sec-websocket-protocol", b"bearer, s0cket-token1"),
        (b"x-plain", b"9f86d081884c7d659a2feaa0"),
        (b"x-api-key", b"k-123456"),
    ]
    for _ in range(2):
        assert set(collect_taint(keys=ruleset, headers=headers)._raw) == {"s0cket-token1", "k-123456"}
        ruleset.keys.remember({"sec-websocket-protocol", "x-plain"})
