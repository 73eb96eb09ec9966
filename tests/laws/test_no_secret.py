"""Laws 7 and 8 for whole stacks: no secret is in any byte that is sent, and what is none stays.

The apps leak on purpose, by every way that is known (see `leak`): each secret that came with the request, and secrets
of the app's own that can be told by their key or their shape.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
import sys
import threading
import uuid
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

import anyio
import anyio.to_thread
import httpx
import pytest
import sentry_sdk
from sentry_sdk.crons import capture_checkin
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import DSN, mode_options

logger = logging.getLogger("tests.leaky")

# -- what is planted -------------------------------------------------------------------------------------------------

PLAIN = "qX7mPz41vRt9Kd3w"  # a token: nothing in it needs an escape, and nothing else looks like it
TRICKY = 'k9"W\\é/+&=%2 Lq'  # every encoding makes something else of it

HEADERS = {
    "authorization": f"{PLAIN}authz",
    "proxy-authorization": f"{PLAIN}proxy",
    "x-api-key": f"{PLAIN}apikey",
    "x-auth-token": f"{PLAIN}authtoken",
    "x-custom-token": f"{PLAIN}custom",
    "x-csrf-token": f"{PLAIN}csrf",
}
COOKIES = {"session": f"{PLAIN}session", "remember": f"{PLAIN}longcookie"}
BASIC = (f"{PLAIN}user", f"{TRICKY}basic")
QUERY = {"token": f"{TRICKY}query", "api_key": f"{PLAIN}querykey"}
BODY = {"top": f"{TRICKY}top", "deep": f"{TRICKY}deep", "listed": f"{PLAIN}listed"}

OF_THE_REQUEST: dict[str, str] = {
    **HEADERS,
    **{f"cookie {name}": value for name, value in COOKIES.items()},
    "basic password": BASIC[1],
    **{f"query {name}": value for name, value in QUERY.items()},
    **{f"body {name}": value for name, value in BODY.items()},
}
JWT = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (
        b'{"alg":"HS256","typ":"JWT"}',
        b'{"sub":"1234567890","name":"qX7m"}',
        b"signature-of-32-bytes-qX7mPz41vR",
    )
)
# Those of the app are known by a key or a shape, wherever they stand.
OF_THE_APP: dict[str, str] = {
    "database password": f"{PLAIN}dbpw",
    "jwt": JWT,
    "email": "qx7mpz41@private.example.com",
    "card": "4111 1111 1111 1111",
    "local password": f"{PLAIN}local",
    "bearer": f"{PLAIN}outgoing",
    "argv": f"{PLAIN}argv",
    "late hook": f"{PLAIN}hook",
}
SECRETS = {**OF_THE_REQUEST, **OF_THE_APP}

HARMLESS = ["Ulm-Weststadt", "order-8812", "kept-in-text", "1234567", "Ada Lovelace"]


def forms(secret: str) -> dict[str, bytes]:
    """The bytes to look for."""
    raw = secret.encode()
    escaped = json.dumps(secret)[1:-1]
    found = {
        "raw": secret,
        "JSON": escaped,
        "JSON without ASCII": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON twice": json.dumps(escaped)[1:-1],
        "repr": repr(secret)[1:-1],
        "repr in JSON": json.dumps(repr(secret)[1:-1])[1:-1],
        "repr of bytes": repr(raw)[2:-1],
        "repr of bytes in JSON": json.dumps(repr(raw)[2:-1])[1:-1],
        "URL": quote(secret, safe=""),
        "URL path": quote(secret),
        "form": quote_plus(secret),
        "base64": base64.b64encode(raw).decode().rstrip("=")[:-1],
        "base64 for URLs": base64.urlsafe_b64encode(raw).decode().rstrip("=")[:-1],
    }
    return {form: text.encode() for form, text in found.items()}


# -- how it leaks ----------------------------------------------------------------------------------------------------


class Credentials:
    """An object whose repr tells all."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values = values

    def __repr__(self) -> str:
        return f"Credentials({self.values!r})"


def texts() -> list[str]:
    """Each secret as careless code puts it into a text."""
    of_the_request = list(OF_THE_REQUEST.values())
    return [
        *(f"saw {value} here" for value in of_the_request),
        *(f"saw {quote(value, safe='')} here" for value in of_the_request),
        *(f"saw {json.dumps(value)} here" for value in of_the_request),
        *(f"saw {base64.b64encode(value.encode()).decode()} here" for value in of_the_request),
        f"postgresql://shop:{OF_THE_APP['database password']}@db.example.com/shop",
        f"Authorization: Bearer {OF_THE_APP['bearer']}",
        f"the token is {OF_THE_APP['jwt']} now",
        f"mail to {OF_THE_APP['email']} failed",
        f"paid with {OF_THE_APP['card']} today",
        f"login with password={OF_THE_APP['local password']} failed",
    ]


def structure() -> dict[str, Any]:
    """Secrets under keys that tell, deep down, beside what is none."""
    return {
        "user": {"password": OF_THE_APP["local password"], "city": "Ulm-Weststadt"},
        "headers": [["X-Api-Key", OF_THE_REQUEST["x-api-key"]], ["Accept", "text/html"]],
        "seen": list(OF_THE_REQUEST.values()),
        "order": "order-8812",
    }


def spans_leak() -> None:
    for text in (*texts(), " ".join(texts())):
        with sdk.span("leak", text):
            pass


def leak() -> None:
    """Everything but raising."""
    password = OF_THE_APP["local password"]
    harmless = "kept-in-text"
    everything = texts()
    holder = Credentials(OF_THE_REQUEST)
    nested = structure()
    sentry_sdk.set_tag("token", OF_THE_APP["local password"])
    sentry_sdk.set_tag("seen", OF_THE_REQUEST["x-api-key"])
    sentry_sdk.set_tag("order", "order-8812")
    asgi_sentry.set_context("shop", nested)
    sentry_sdk.set_extra("nested", nested)
    sentry_sdk.set_user({"id": "1234567", "email": OF_THE_APP["email"], "token": PLAIN + "local"})
    for text in everything:
        asgi_sentry.add_breadcrumb(
            text, category="leak", data={"text": text, "deep": {"list": [text], "password": password}}
        )
    for text in everything:
        logger.warning("saw %s and %r", text, holder, extra={"token": password, "text": text, "order": "order-8812"})
    asgi_sentry.capture_message("kept-in-text " + " ".join(everything))
    spans_leak()
    _metrics(everything)
    del harmless


def _metrics(everything: list[str]) -> None:
    metrics = getattr(sentry_sdk, "metrics", None)
    if metrics is not None and hasattr(metrics, "count"):
        secret = OF_THE_APP["local password"]
        for text in everything:
            metrics.count("leaks", 1, attributes={"text": text, "token": secret, "order": "order-8812"})


def raise_badly() -> None:
    """An exception that tells all, caused by one that does so too."""
    secrets = structure()
    try:
        raise ValueError(" ".join(texts()), secrets)
    except ValueError as cause:
        error = RuntimeError("boom " + " ".join(texts()), Credentials(OF_THE_REQUEST))
        if sys.version_info >= (3, 11):
            error.add_note(" ".join(texts()))
            group = ExceptionGroup(OF_THE_REQUEST["x-api-key"], [error, KeyError(OF_THE_REQUEST["authorization"])])  # noqa: F821
            raise group from cause
        raise error from cause


async def work(request: Any) -> None:
    """The handler: leaks here, in a child task, a worker thread and a plain thread, and raises."""
    body = await request.body()
    parsed = body.decode("utf-8", "replace")
    leak()
    async with anyio.create_task_group() as group:
        group.start_soon(_leak_in_task)
    await anyio.to_thread.run_sync(leak_elsewhere)
    thread = threading.Thread(target=leak_elsewhere)
    thread.start()
    thread.join()
    _outgoing()
    asgi_sentry.capture_message("parsed " + parsed)
    raise_badly()


def leak_elsewhere() -> None:
    """In a thread or a task: the least that shows whether the request's secrets are known there."""
    text = " ".join(texts())
    logger.error("elsewhere %s", text, extra={"text": text})
    asgi_sentry.add_breadcrumb(text)
    with sdk.span("leak", text):
        pass


async def _leak_in_task() -> None:
    leak_elsewhere()


def _outgoing() -> None:
    """An outgoing request, of which the SDK makes a span and a breadcrumb; nobody answers."""
    url = f"http://shop:{OF_THE_APP['database password']}@127.0.0.1:9/pay"
    parameters = {
        "token": OF_THE_REQUEST["query token"],
        "seen": OF_THE_REQUEST["authorization"],
        "order": "order-8812",
    }
    with httpx.Client(trust_env=False, transport=httpx.MockTransport(lambda _: httpx.Response(502))) as client:
        client.get(url, params=parameters, headers={"Authorization": f"Bearer {OF_THE_APP['bearer']}"})


# -- what comes in ---------------------------------------------------------------------------------------------------


def bodies() -> dict[str, tuple[str, bytes]]:
    """Content type and bytes of one body of each kind."""
    as_json = {
        "password": BODY["top"],
        "city": "Ulm-Weststadt",
        "a": {"b": {"c": {"api_key": BODY["deep"]}}},
        "items": [{"secret": BODY["listed"]}],
    }
    pairs = [
        ("password", BODY["top"]),
        ("city", "Ulm-Weststadt"),
        ("user[api_key]", BODY["deep"]),
        ("secret", BODY["listed"]),
    ]
    form = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    multipart = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in pairs
    )
    return {
        "json": ("application/json", json.dumps(as_json).encode()),
        "unescaped json": ("application/json; charset=utf-8", json.dumps(as_json, ensure_ascii=False).encode()),
        "form": ("application/x-www-form-urlencoded", form.encode()),
        "multipart": ("multipart/form-data; boundary=XX", (multipart + "--XX--\r\n").encode()),
    }


def headers(content_type: str, *, basic: bool) -> list[tuple[str, str]]:
    credentials = base64.b64encode(":".join(BASIC).encode()).decode()
    authorization = f"Basic {credentials}" if basic else f"Bearer {HEADERS['authorization']}"
    rest = [(name, value) for name, value in HEADERS.items() if name != "authorization"]
    cookies = "; ".join(f"{name}={value}" for name, value in COOKIES.items())
    return [
        ("authorization", authorization),
        *rest,
        ("cookie", f"{cookies}; theme=dark"),
        ("content-type", content_type),
        ("referer", f"https://example.com/?token={quote_plus(QUERY['token'])}&order=order-8812"),
        ("host", f"shop:{OF_THE_APP['database password']}@example.com"),
        ("user-agent", "Ada Lovelace"),
    ]


def add_late(event: dict[str, Any], _: Any) -> dict[str, Any]:
    """A user's hook that adds secrets after everything else."""
    event.setdefault("extra", {})["late"] = {
        "password": OF_THE_APP["late hook"],
        "text": f"token={OF_THE_APP['late hook']}",
    }
    event.setdefault("tags", {})["late"] = OF_THE_REQUEST["x-auth-token"]
    return event


def add_late_attribute(entry: dict[str, Any], _: Any) -> dict[str, Any]:
    entry.setdefault("attributes", {})["late.token"] = OF_THE_APP["late hook"]
    entry["attributes"]["late"] = f"password={OF_THE_APP['late hook']} {OF_THE_REQUEST['x-auth-token']}"
    return entry


async def traffic(app: Any) -> None:
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in QUERY.items()) + "&page=1234567"
    for at, (content_type, body) in enumerate(bodies().values()):
        basic = at % 2 == 0
        # A secret is known of the request that it came with, so each comes with all: what is not sent in one header
        # is in another.
        other = ("x-token", HEADERS["authorization"]) if basic else ("x-password", BASIC[1])
        try:
            every = [*headers(content_type, basic=basic), other]
            await request(app, "POST", "/work", headers=every, body=body, query=query.encode())
        except Exception as exc:
            if not any(isinstance(each, ValueError) for each in apps.unrolled(exc)):
                raise


def start_leaking(mode: str) -> RecordingTransport:
    transport = RecordingTransport()
    hooks: dict[str, Any] = {"before_send": add_late}
    if sentry_sdk.VERSION.startswith("2"):
        hooks |= {"enable_logs": True, "before_send_log": add_late_attribute, "before_send_metric": add_late_attribute}
        hooks["before_send_span" if mode == "stream" else "before_send_transaction"] = (
            add_late_attribute if mode == "stream" else add_late
        )
    settings = asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=transport, max_breadcrumbs=1000, **mode_options(mode), **hooks)
    return transport


@functools.cache
def sent(framework: str, mode: str) -> tuple[bytes, dict[str, int]]:
    """All bytes that were sent for the traffic, and how many items of each kind."""
    transport = start_leaking(mode)
    argv, sys.argv = sys.argv, ["shop", f"--password={OF_THE_APP['argv']}", "--token", OF_THE_APP["argv"], "kept"]
    try:
        app = asgi_sentry.compose(
            apps.FRAMEWORKS[framework](work=work),
            asgi_sentry.UserContextMiddleware,
            asgi_sentry.HeaderScrubbingMiddleware,
            partial(asgi_sentry.BodyScrubbingMiddleware, attach="always"),
        )
        anyio.run(traffic, app)
        # Batches are flushed by another thread, outside of any request.
        flusher = threading.Thread(target=sentry_sdk.flush)
        flusher.start()
        flusher.join()
    finally:
        sys.argv = argv
    kinds: dict[str, int] = {}
    for envelope in transport.envelopes:
        for item in envelope.items:
            kinds[item.type] = kinds.get(item.type, 0) + 1
    return b"".join(envelope.serialize() for envelope in transport.envelopes), kinds


def found_in(data: bytes, secret: str) -> dict[str, str]:
    """The forms in which a secret is in the bytes, with what stands around it."""
    found = {}
    for form, needle in forms(secret).items():
        at = data.find(needle)
        if at >= 0:
            found[form] = data[max(0, at - 120) : at + 60].decode("utf-8", "replace")
    return found


@pytest.fixture(scope="module", autouse=True)
def _forget():
    yield
    sent.cache_clear()


@pytest.mark.untraced
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_no_secret_is_in_any_byte_that_is_sent(mode, framework, secret):
    data, _ = sent(framework, mode)
    assert found_in(data, SECRETS[secret]) == {}


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_the_traffic_makes_items_of_each_kind(mode, framework):
    _, kinds = sent(framework, mode)
    wanted = (
        {"event", "sessions"}
        | ({"log"} if sentry_sdk.VERSION.startswith("2") else set())
        | ({"transaction"} if mode == "classic" else {"span"})
    )
    if hasattr(getattr(sentry_sdk, "metrics", None), "count"):
        wanted.add("trace_metric")
    assert wanted <= set(kinds)
    assert kinds["event"] >= (20 if "log" in wanted else 8)


@pytest.mark.parametrize("harmless", HARMLESS)
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_what_is_no_secret_stays(mode, framework, harmless):
    data, _ = sent(framework, mode)
    assert harmless.encode() in data


def test_the_search_would_find_what_the_sdk_alone_sends(mode):
    """Without us the same traffic leaks nearly all of it: the tests above can fail."""
    transport = RecordingTransport()
    options = {"traces_sample_rate": 1.0, "auto_enabling_integrations": False, "max_breadcrumbs": 1000}
    sentry_sdk.init(dsn=DSN, transport=transport, **options, **mode_options(mode))
    anyio.run(traffic, SentryAsgiMiddleware(apps.starlette_app(work=work)))
    unseen = {name for name, secret in SECRETS.items() if not found_in(bytes_sent(transport), secret)}
    assert unseen <= {"argv", "late hook"}


# -- single places ---------------------------------------------------------------------------------------------------


def bytes_sent(transport: RecordingTransport) -> bytes:
    sentry_sdk.flush()
    return b"".join(envelope.serialize() for envelope in transport.envelopes)


BEARER = [("authorization", f"Bearer {HEADERS['authorization']}")]


def serve_one(app: Any, **arguments: Any) -> None:
    async def serve() -> None:
        try:
            await request(app, path="/work", headers=BEARER, **arguments)
        except RuntimeError as exc:
            if "boom" not in str(exc):
                raise

    anyio.run(serve)


SEEN = f"saw {HEADERS['authorization']} here, and order-8812"
SPOKEN = f"password={OF_THE_APP['local password']}; order-8812"
BOTH = pytest.mark.parametrize("text", [SEEN, SPOKEN], ids=["of the request", "by its key"])


@BOTH
def test_an_attachment(start, mode, text):
    def attach(_: Any) -> None:
        scope = sentry_sdk.get_isolation_scope()
        scope.add_attachment(bytes=text.encode(), filename="notes.txt", content_type="text/plain")
        asgi_sentry.capture_message("look")

    transport = start()
    serve_one(asgi_sentry.wrap(apps.starlette_app(work=attach)))
    data = bytes_sent(transport)
    assert PLAIN.encode() not in data
    assert b"order-8812" in data


@BOTH
def test_a_background_task_after_the_response(start, mode, text):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})
        logger.error(text)
        raise RuntimeError(f"boom {text}")

    transport = start(enable_logs=True)
    serve_one(asgi_sentry.wrap(app))
    data = bytes_sent(transport)
    assert PLAIN.encode() not in data
    assert b"order-8812" in data


@pytest.mark.skipif(sentry_sdk.VERSION.startswith("3"), reason="its logging integration sends no logs")
def test_a_task_that_outlives_its_request(start, mode):
    """Its log is sent when the request is long over, and on its behalf."""
    transport = start(enable_logs=True)

    async def main() -> None:
        over = anyio.Event()

        async def later() -> None:
            await over.wait()
            logger.error(SEEN)

        async with anyio.create_task_group() as group:

            async def app(scope: Any, receive: Any, send: Any) -> None:
                group.start_soon(later)

            await request(asgi_sentry.wrap(app), headers=BEARER)
            over.set()

    anyio.run(main)
    data = bytes_sent(transport)
    assert b"order-8812" in data
    assert PLAIN.encode() not in data


@pytest.mark.parametrize("websockets", ["handshake", "lifetime", "off"])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_a_websocket(start, mode, framework, websockets):
    def talk(_: Any) -> None:
        logger.error(SEEN)
        asgi_sentry.add_breadcrumb(SPOKEN)
        raise RuntimeError(f"boom {SEEN} {SPOKEN} {TRICKY}")

    transport = start(enable_logs=True)
    app = asgi_sentry.compose(
        apps.FRAMEWORKS[framework](work=talk),
        partial(asgi_sentry.SentryMiddleware, websockets=websockets),
        asgi_sentry.HeaderScrubbingMiddleware,
    )
    query = b"order=order-8812&token=" + quote_plus(TRICKY).encode()
    anyio.run(partial(apps.converse, app, "/ws/talk", "hello", headers=BEARER, query=query))
    data = bytes_sent(transport)
    assert b"boom" in data
    assert b"order-8812" in data
    assert PLAIN.encode() not in data
    assert found_in(data, TRICKY) == {}


def test_a_check_in(start, mode):
    """Its monitor's settings are protocol; whatever else a hook adds to it is not."""
    transport = start()

    def check_in(_: Any) -> None:
        sentry_sdk.get_current_scope().add_event_processor(lambda event, _: {**event, "note": f"{SEEN} {SPOKEN}"})
        capture_checkin(monitor_slug="nightly-order-8812", status="ok")

    serve_one(asgi_sentry.wrap(apps.starlette_app(work=check_in)))
    data = bytes_sent(transport)
    assert b"nightly-order-8812" in data
    assert PLAIN.encode() not in data


@pytest.mark.parametrize("kind", ["feedback", "profile", "of_tomorrow"])
def test_an_item_of_another_kind(start, mode, kind):
    transport = start()

    def send(_: Any) -> None:
        envelope = Envelope()
        envelope.add_item(Item(payload=PayloadRef(json={"note": SEEN, "deep": [{"password": PLAIN}]}), type=kind))
        sentry_sdk.get_client().transport.capture_envelope(envelope)

    serve_one(asgi_sentry.wrap(apps.starlette_app(work=send)))
    data = bytes_sent(transport)
    assert b"order-8812" in data
    assert PLAIN.encode() not in data


def test_what_no_request_caused(start, mode):
    transport = start(enable_logs=True)
    logger.error("at start: %s", SPOKEN, extra={"token": PLAIN})
    password = PLAIN
    try:
        raise RuntimeError(SPOKEN)
    except RuntimeError:
        asgi_sentry.capture_exception()
    del password
    data = bytes_sent(transport)
    assert b"order-8812" in data
    assert b'"password": "[Filtered]"' in data.replace(b'":"', b'": "')  # the frame's variable
    assert PLAIN.encode() not in data


def test_a_secret_of_the_query_in_the_path(start, mode):
    """Of a link for resetting a password, say."""
    secret = f"{PLAIN}path"
    transport = start()
    app = asgi_sentry.wrap(apps.starlette_app())
    path = f"/items/{secret}"
    anyio.run(partial(request, app, path=path, query=f"reset_token={secret}&order=order-8812".encode()))
    data = bytes_sent(transport)
    assert b"order-8812" in data
    assert secret.encode() not in data


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_one_requests_secret_is_no_matter_of_anothers(start, mode, framework):
    """Taint is the request's own: a value that came with one is an ordinary word in the next."""
    transport = start()
    app = asgi_sentry.wrap(apps.FRAMEWORKS[framework](work=lambda _: asgi_sentry.capture_message("of Weststadt")))
    for value in ("Bearer Weststadt", "Bearer something-else"):
        anyio.run(partial(request, app, path="/work", headers=[("authorization", value)]))
    assert [event["message"] for event in transport.items("event")] == ["of [Filtered]", "of Weststadt"]


def test_a_client_cannot_blank_out_an_event(start, mode):
    """The protocol's own fields stay, whatever a clever cookie says."""
    names = ["RuntimeError", "exception", "asgi_sentry", "starlette", "app@1-release", "staging", "transaction"]
    cookie = "; ".join(f"session_{at}={name}" for at, name in enumerate(names))
    sly = [("cookie", cookie), ("authorization", "Bearer starlette")]
    transport = start(release="app@1-release", environment="staging")
    app = asgi_sentry.wrap(apps.starlette_app())
    with pytest.raises(RuntimeError):
        anyio.run(partial(request, app, path="/boom", headers=sly))
    (event,) = transport.items("event")
    assert (event["release"], event["environment"], event["level"]) == ("app@1-release", "staging", "error")
    (value,) = event["exception"]["values"]
    assert value["type"] == "RuntimeError"
    frames = value["stacktrace"]["frames"]
    assert any(frame["module"] == "starlette.routing" for frame in frames)
    assert frames[-1]["function"] == "fail"
    assert "raise RuntimeError(text)" in frames[-1]["context_line"]


def test_the_ids_in_a_spans_attributes_stay_too():
    ids = {"sentry.segment.id": {"value": "4111111111111111", "type": "string"}}
    payload = asgi_sentry.Scrubber().scrub_item("span", {"items": [{"attributes": ids}]})
    assert payload["items"][0]["attributes"]["sentry.segment.id"]["value"] == "4111111111111111"


def test_ids_stay_even_where_they_look_like_a_card(start, mode, monkeypatch):
    """A span's id is 16 digits of hexadecimal, and now and then they are all decimal."""
    transport = start(enable_logs=True)
    card, trace = "4111111111111111", "4111111111111111" * 2
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(trace))
    monkeypatch.setattr("os.urandom", lambda size: bytes.fromhex(trace)[:size])

    def work(_: Any) -> None:
        logger.error("here")
        with sdk.span("work", "child"):
            asgi_sentry.capture_message("there")

    serve_one(asgi_sentry.wrap(apps.starlette_app(work=work)))
    sentry_sdk.flush()
    for event in [*transport.items("event"), *transport.items("transaction")]:
        assert (event["contexts"]["trace"]["span_id"], event["contexts"]["trace"]["trace_id"]) == (card, trace)
        assert event["event_id"].isdecimal()
        assert {span["span_id"] for span in event.get("spans", ())} <= {card}
    for kind in ("span", "log"):
        for entry in transport.items(kind):
            assert (entry["trace_id"], entry.get("span_id", card)) == (trace, card)
