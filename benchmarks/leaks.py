"""Where a secret leaks: plain sentry-sdk in four configurations, and asgi-sentry on three frameworks, row by row.

Each row is one request to a small app, which gets or makes a secret that no other row has, puts it where careless code
does, and fails. Afterwards every item that was sent is searched for it. Each column is a process of its own, since the
SDK patches frameworks for good.

    python -m benchmarks.leaks        the Markdown table; some 17 s of processor time, needs the extra `dev`
"""

# No `from __future__ import annotations`: the frameworks read these annotations when an app is built.
import argparse
import asyncio
import base64
import contextlib
import hashlib
import json
import logging
import platform
import shutil
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread
import httpx
import sentry_sdk
import sqlalchemy
from fastapi import Body, FastAPI
from fastapi import Request as FastAPIRequest
from fastapi import WebSocket as FastAPIWebSocket
from litestar import Litestar, get, post, websocket
from litestar import Request as LitestarRequest
from litestar import WebSocket as LitestarWebSocket
from sentry_sdk import metrics
from sentry_sdk._batcher import Batcher
from sentry_sdk._span_batcher import SpanBatcher
from sentry_sdk.scrubber import EventScrubber
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request

logger = logging.getLogger("leaks")
logger.addHandler(logging.NullHandler())

DSN = "http://publickey@localhost/1"
ROOT = Path(__file__).resolve().parents[1]

# -- secrets ---------------------------------------------------------------------------------------------------------

# These are told by their shape alone. All others are letters and digits, so that URL-encoding and JSON change nothing.
SHAPED = {
    "card number in exception text": "4111 1111 1111 1111",
    "IBAN in log message": "DE89 3704 0044 0532 0130 00",
    "user.ip_address": "203.0.113.77",
    "X-Forwarded-For": "198.51.100.23",
}


def secret(row: str) -> str:
    """The secret of a row: 20 letters and digits, the same in every run."""
    if row in SHAPED:
        return SHAPED[row]
    digest = base64.b64encode(hashlib.sha256(row.encode()).digest()).decode()
    return "q7" + "".join(each for each in digest if each.isalnum())[:18]


def forms(text: str) -> list[str]:
    """What to look for: raw (with URL-encoding and JSON, see above), each way it can lie within base64, hex."""
    raw = text.encode()
    found = [text, quote(text, safe=""), raw.hex()]
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw).decode()
        # Characters at both ends depend on what stands around it.
        found.append(encoded[(0, 2, 3)[before] : len(encoded) // 4 * 4 - 4])
    return [*found, *(each.replace("+", "-").replace("/", "_") for each in found[-3:])]


# -- rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Row:
    """One request and what the app does with it. In texts `$` is the secret, `#` a word that shall be sent."""

    plant: Callable[[], Any] = lambda: None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    path: str = "/work"
    body: str = ""
    content_type: str = ""


ROWS: dict[str, Row] = {}
BEARER = {"authorization": "Bearer $"}

_row = ""  # the row at hand: nothing runs beside it
_after: list[Callable[[], None]] = []  # to be done when the request is over


def comes(name: str, **parts: Any) -> None:
    """A secret that came with the request, and nothing else done with it."""
    ROWS[name] = Row(**parts)


def planted(name: str, **parts: Any) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """A secret that the app puts somewhere."""

    def keep(plant: Callable[[], Any]) -> Callable[[], Any]:
        ROWS[name] = Row(plant=plant, **parts)
        return plant

    return keep


def fill(template: str) -> str:
    return filled(template, _row)


def filled(template: str, row: str) -> str:
    value = secret(row)
    basic = base64.b64encode(f"shop:{value}".encode()).decode()
    return template.replace("$basic", basic).replace("$", value).replace("#", marker(row))


def marker(row: str) -> str:
    """A harmless word of the row's own."""
    return f"order-{8000 + list(ROWS).index(row)}"


LOGIN = "login for # failed: password=$"
SEEN = "saw $ for #"

comes("`Authorization: Bearer`", headers=BEARER)
comes("`Authorization: Basic`", headers={"authorization": "Basic $basic"})
comes("`Proxy-Authorization`", headers={"proxy-authorization": "Bearer $"})
comes("session cookie", headers={"cookie": "theme=dark; session=$"})
comes("`X-Api-Key`", headers={"x-api-key": "$"})
comes("`X-Auth-Token`", headers={"x-auth-token": "$"})
comes("`X-Custom-Token`", headers={"x-custom-token": "$"})
comes("`Referer` with `?token=`", headers={"referer": "https://example.com/?token=$&page=2"})
comes("userinfo in `Host`", headers={"host": "shop:$@example.com"})
comes("X-Forwarded-For", headers={"x-forwarded-for": "$"})
comes("query `?token=`", query="token=$&page=2")
comes("`?token=` in a URL in the query", query="next=https%3A%2F%2Fexample.com%2F%3Ftoken%3D$")
comes("session cookie's value in the path", headers={"cookie": "session=$"}, path="/items/$")
comes("vendor token in the path", path="/items/ghp_0123456789abcdef$")
comes("websocket: `Authorization`", headers=BEARER, path="/ws")
comes("websocket: query `?token=`", query="token=$", path="/ws")
comes("JSON password at the top", body='{"password": "$"}', content_type="application/json")
comes("JSON password three deep", body='{"a": {"b": {"c": {"password": "$"}}}}', content_type="application/json")
comes("JSON password in a list", body='{"items": [{"password": "$"}]}', content_type="application/json")
comes("GraphQL variable", body='{"query": "{me}", "variables": {"apiKey": "$"}}', content_type="application/json")
comes("form password", body="name=x&password=$", content_type="application/x-www-form-urlencoded")
comes(
    "multipart password",
    body='--XX\r\nContent-Disposition: form-data; name="password"\r\n\r\n$\r\n--XX--\r\n',
    content_type="multipart/form-data; boundary=XX",
)
comes("text body with `password=`", body="name=x password=$", content_type="text/plain")


@planted("exception text")
def _():
    raise RuntimeError(fill(LOGIN))


@planted("exception arguments")
def _():
    raise RuntimeError({"order": fill("#"), "password": fill("$")})


@planted("exception's cause")
def _():
    try:
        raise ValueError(fill(LOGIN))  # noqa: TRY301 - it is to be the cause
    except ValueError as cause:
        raise RuntimeError("boom") from cause


@planted("exception group's member")
def _():
    if sys.version_info < (3, 11):
        raise RuntimeError(fill(LOGIN))
    raise ExceptionGroup("boom", [KeyError("x"), ValueError(fill(LOGIN))])  # noqa: F821 - newer than 3.10


@planted("exception's note")
def _():
    error = RuntimeError("boom")
    if sys.version_info >= (3, 11):
        error.add_note(fill(LOGIN))
    raise error


@planted("card number in exception text")
def _():
    raise RuntimeError(fill("paid for # with $"))


@planted("database URL in exception text")
def _():
    raise RuntimeError(fill("no answer for # from postgresql://shop:$@db.example.com/shop"))


@planted("bearer token in exception text")
def _():
    raise RuntimeError(fill("refused for #: Authorization: Bearer $"))


@planted("local variable `password`")
def _():
    password = fill("$")
    raise RuntimeError(fill("boom #")) if password else None


@planted("local dict or list with a password")
def _():
    login = [{"name": "x", "password": fill("$")}]
    raise RuntimeError(fill("boom #")) if login else None


@planted("object repr")
def _():
    class Login:
        def __repr__(self):
            return fill("Login(name='x', password='$')")

    login = Login()
    raise RuntimeError(fill("boom #")) if login else None


@planted("local text with a database URL")
def _():
    url = fill("redis://shop:$@cache.example.com/0")
    raise RuntimeError(fill("boom #")) if url else None


@planted("breadcrumb message")
def _():
    sentry_sdk.add_breadcrumb(message=fill(LOGIN))


@planted("nested breadcrumb data")
def _():
    sentry_sdk.add_breadcrumb(message=fill("#"), data={"a": {"b": [{"password": fill("$")}]}})


@planted("log message")
def _():
    logger.error(fill(LOGIN))


@planted("log arguments")
def _():
    logger.error("login for %s failed: %s", fill("#"), {"password": fill("$")})


@planted("log extra `token`")
def _():
    logger.error(fill("login for # failed"), extra={"token": fill("$")})


@planted("IBAN in log message")
def _():
    logger.error(fill("transfer for # to $"))


@planted("e-mail address in log message")
def _():
    logger.error(fill("mail for # to $@mail.example.com"))


@planted("message")
def _():
    sentry_sdk.capture_message(fill(LOGIN))


@contextlib.contextmanager
def span(name: str) -> Any:
    """A span, in either mode; gives a function that attaches data to it."""
    if sentry_sdk.get_client().options.get("trace_lifecycle") == "stream":
        with sentry_sdk.traces.start_span(name) as one:
            yield one.set_attribute
    else:
        with sentry_sdk.start_span(op="leak", name=name) as one:
            yield one.set_data


@planted("span description")
def _():
    with span(fill(LOGIN)):
        pass


@planted("span data `token`")
def _():
    with span(fill("#")) as attach:
        attach("token", fill("$"))


@planted("span data, nested or as text")
def _():
    with span(fill("#")) as attach:
        attach("login", {"password": fill("$")})
        attach("note", fill(LOGIN))


@planted("SQL text in a span")
def _():
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(fill("SELECT 1 WHERE '#' != '' AND 'postgresql://shop:$@db/shop' != ''")))
    engine.dispose()


@planted("command line of a subprocess")
def _():
    subprocess.run([shutil.which("true") or sys.executable, fill("#"), fill("--password=$")], check=False)


@planted("outgoing request's query")
def _():
    with httpx.Client(trust_env=False, transport=httpx.MockTransport(lambda _: httpx.Response(502))) as client:
        client.get("http://pay.example.com/", params={"order": fill("#"), "token": fill("$")})


@planted("transaction name")
def _():
    sentry_sdk.get_current_scope().set_transaction_name(fill("work for # with password=$"))


@planted("tag `token`")
def _():
    sentry_sdk.set_tag("token", fill("$"))


@planted("tag's text")
def _():
    sentry_sdk.set_tag("login", fill(LOGIN))


@planted("context")
def _():
    sentry_sdk.set_context("login", {"order": fill("#"), "deep": {"password": fill("$")}})


@planted("extra")
def _():
    sentry_sdk.set_extra("login", {"order": fill("#"), "deep": [{"password": fill("$")}]})


@planted("user.email")
def _():
    sentry_sdk.set_user({"id": fill("#"), "email": fill("$@mail.example.com")})


@planted("user.ip_address")
def _():
    sentry_sdk.set_user({"id": fill("#"), "ip_address": fill("$")})


@planted("scope attribute `token`")
def _():
    sentry_sdk.set_attribute("token", fill("$"))
    logger.error(fill("boom #"))
    metrics.count("logins", 1)


@planted("metric attribute `token`")
def _():
    metrics.count("logins", 1, attributes={"order": fill("#"), "token": fill("$")})


@planted("metric attribute's text")
def _():
    metrics.count("logins", 1, attributes={"login": fill(LOGIN)})


@planted("attachment")
def _():
    sentry_sdk.get_isolation_scope().add_attachment(bytes=fill(LOGIN).encode(), filename="notes.txt")


@planted("event processor")
def _():
    extra = {"order": fill("#"), "deep": {"password": fill("$")}}
    sentry_sdk.get_isolation_scope().add_event_processor(lambda event, _: {**event, "extra": extra})


@planted("`sys.argv`")
def _():
    argv = sys.argv
    sys.argv = ["shop", fill("#"), fill("--password=$")]
    _after.append(lambda: setattr(sys, "argv", argv))


LATE = "added late, by `before_send` and its like"


@planted(LATE)
def _():
    logger.error("boom")
    metrics.count("logins", 1)


def add_late_to_event(event: Any, _: Any) -> Any:
    if _row == LATE:
        event.setdefault("extra", {})["late"] = {"order": fill("#"), "deep": {"password": fill("$")}}
    return event


def add_late_attribute(entry: Any, _: Any) -> Any:
    if _row == LATE:
        entry.setdefault("attributes", {})["late"] = fill(LOGIN)
    return entry


# What came with the request, and turns up elsewhere without any key that would tell.
@planted("`Authorization` again, in exception text", headers=BEARER)
def _():
    raise RuntimeError(fill(SEEN))


@planted("`Authorization` again, in log message", headers=BEARER)
def _():
    logger.error(fill(SEEN))


@planted("`Authorization` again, in log message as base64", headers=BEARER)
def _():
    logger.error("for %s: %s", fill("#"), base64.b64encode(fill("$").encode()).decode())


@planted("`Authorization` again, in SQL text", headers=BEARER)
def _():
    engine = sqlalchemy.create_engine("sqlite://")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(fill("SELECT 1 WHERE '#' != '' AND 'x' = '$'")))
    engine.dispose()


@planted("`Authorization` again, in metric and span attributes", headers=BEARER)
def _():
    metrics.count("logins", 1, attributes={"note": fill(SEEN)})
    with span(fill("#")) as attach:
        attach("note", fill(SEEN))


@planted("`Authorization` again, in attachment", headers=BEARER)
def _():
    sentry_sdk.get_isolation_scope().add_attachment(bytes=fill(SEEN).encode(), filename="notes.txt")


@planted("query `?token=` again, in breadcrumb", query="token=$")
def _():
    sentry_sdk.add_breadcrumb(message=fill(SEEN))


@planted("JSON password again, in log message", body='{"password": "$"}', content_type="application/json")
def _():
    logger.error(fill(SEEN))


@planted("`Authorization` again, in a child task's log", headers=BEARER)
async def _():
    async def task():
        logger.error(fill(SEEN))

    await asyncio.create_task(task())


@planted("`Authorization` again, in a worker thread's log", headers=BEARER)
async def _():
    await anyio.to_thread.run_sync(lambda: logger.error(fill(SEEN)))


@planted("`Authorization` again, in a child thread's log", headers=BEARER)
def _():
    thread = threading.Thread(target=lambda: logger.error(fill(SEEN)))
    thread.start()
    thread.join()


@planted("`Authorization` again, in a thread's log after the response", headers=BEARER)
def _():
    over = threading.Event()

    def late():
        over.wait()
        logger.error(fill(SEEN))

    thread = threading.Thread(target=late)
    thread.start()
    _after.extend((over.set, thread.join))


# -- apps ------------------------------------------------------------------------------------------------------------


async def act() -> None:
    result = ROWS[_row].plant()
    if result is not None:
        await result
    raise RuntimeError("boom")


async def serve(request: Any) -> Any:
    """The handler, as Starlette's and Litestar's requests have it; what it reads stays in its frame."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("application/json"):
        payload = await request.json()
    elif "form" in kind:
        payload = await request.form()
    else:
        payload = await request.body()
    await act()
    return payload


async def talk(socket: Any) -> None:
    await socket.accept()
    await socket.receive_text()
    await act()


def fastapi_app() -> Any:
    app = FastAPI(openapi_url=None)

    @app.post("/json")
    async def as_json(payload: Any = Body()) -> Any:  # noqa: B008 - FastAPI's way
        await act()
        return payload

    @app.api_route("/work", methods=["GET", "POST"])
    async def work(request: FastAPIRequest) -> Any:
        return await serve(request)

    @app.get("/items/{item_id}")
    async def item(item_id: str) -> Any:
        await act()
        return item_id

    @app.websocket("/ws")
    async def ws(websocket: FastAPIWebSocket) -> None:
        await talk(websocket)

    return app


def starlette_app() -> Any:
    async def work(request: Request) -> JSONResponse:
        return JSONResponse(await serve(request))

    async def ws(websocket: WebSocket) -> None:
        await talk(websocket)

    paths = ("/json", "/work", "/items/{item_id}")
    routes = [Route(path, work, methods=["GET", "POST"]) for path in paths]
    return Starlette(routes=[*routes, WebSocketRoute("/ws", ws)])


def litestar_app() -> Any:
    @post(["/json", "/work"])
    async def posted(request: LitestarRequest[Any, Any, Any]) -> Any:
        return await serve(request)

    @get(["/work", "/items/{item_id:str}"])
    async def got(request: LitestarRequest[Any, Any, Any]) -> Any:
        return await serve(request)

    @websocket("/ws")
    async def ws(socket: LitestarWebSocket[Any, Any, Any]) -> None:
        await talk(socket)

    return Litestar([posted, got, ws], openapi_config=None)


APPS = {"FastAPI": fastapi_app, "Starlette": starlette_app, "Litestar": litestar_app}

# -- columns ---------------------------------------------------------------------------------------------------------

SDK: dict[str, dict[str, Any]] = {
    "default": {},
    "PII on": {"send_default_pii": True},
    "recursive scrubber": {"event_scrubber": EventScrubber(recursive=True)},
    "streaming": {},
}
OURS = {f"{framework}, {mode}": (framework, mode) for framework in APPS for mode in ("classic", "streaming")}


def start(column: str) -> tuple[RecordingTransport, Any]:
    """The SDK for a column, and its app."""
    transport = RecordingTransport()
    streams = "streaming" in column
    options: dict[str, Any] = {
        "transport": transport,
        "enable_logs": True,
        "before_send": add_late_to_event,
        "before_send_log": add_late_attribute,
        "before_send_metric": add_late_attribute,
    }
    if streams:
        options |= {"trace_lifecycle": "stream", "before_send_span": add_late_attribute}
    else:
        options["before_send_transaction"] = add_late_to_event
    if column in OURS:
        asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0), **options)
        return transport, asgi_sentry.wrap(APPS[OURS[column][0]]())
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        sentry_sdk.init(dsn=DSN, release="app@1", traces_sample_rate=1.0, **options, **SDK[column])
    return transport, fastapi_app()


async def send_row(app: Any, name: str) -> None:
    row = ROWS[name]
    body = filled(row.body, name).encode()
    headers = {key: filled(value, name) for key, value in {"host": "example.com", **row.headers}.items()}
    path = filled(row.path, name)
    if body:
        headers |= {"content-type": row.content_type, "content-length": str(len(body))}
    if row.content_type == "application/json":
        path = "/json"
    given = {"headers": headers.items(), "query": filled(row.query, name).encode()}
    with contextlib.suppress(Exception):  # the app's own, and that it was sent is looked at afterwards
        if path == "/ws":
            await converse(app, **given)
        else:
            await request(app, "POST" if body else "GET", path, body=body, **given)


async def converse(app: Any, headers: Iterable[tuple[str, str]], query: bytes) -> None:
    """A websocket that connects, says a word, and hangs up."""
    messages = iter([{"type": "websocket.connect"}, {"type": "websocket.receive", "text": "hello"}])

    async def receive() -> Any:
        return next(messages, {"type": "websocket.disconnect", "code": 1005})

    async def send(_: Any) -> None:
        pass

    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/ws",
        "raw_path": b"/ws",
        "query_string": query,
        "root_path": "",
        "headers": [(key.encode(), value.encode()) for key, value in headers],
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "subprotocols": [],
    }
    await app(scope, receive, send)


async def drive(app: Any) -> None:
    global _row  # noqa: PLW0603 - hooks and threads read it, wherever they run
    for name in ROWS:
        _row = name
        await send_row(app, name)
        for job in _after:
            job()
        _after.clear()


def measure(column: str) -> dict[str, Any]:
    """One column, in a process that has done nothing else."""
    # Batches are flushed below: one that the SDK's thread has taken out, and not sent yet, would be missed.
    for batcher in (Batcher, SpanBatcher):
        batcher._flush_loop = lambda _: None
    transport, app = start(column)
    asyncio.run(drive(app))
    flusher = threading.Thread(target=sentry_sdk.flush)  # in another thread, when all requests are long over
    flusher.start()
    flusher.join()
    texts = list(texts_sent(transport))
    kinds: dict[str, int] = {}
    for envelope in transport.envelopes:
        for item in envelope.items:
            kinds[item.type] = kinds.get(item.type, 0) + int(item.headers.get("item_count") or 1)
    return {
        "leaked": {row: cell(texts, forms(secret(row))) for row in ROWS},
        "kept": {row: cell(texts, [marker(row)]) for row in ROWS},
        "items": kinds,
    }


# -- the search ------------------------------------------------------------------------------------------------------

LETTERS = {
    "event": "E",
    "transaction": "T",
    "span": "S",
    "log": "L",
    "trace_metric": "M",
    "attachment": "A",
}
ORDER = [*LETTERS.values(), "V", "O"]


def texts_sent(transport: RecordingTransport) -> Iterable[tuple[str, str]]:
    """Every item that was sent with its letter (O for any other), an event's frame variables by themselves."""
    for envelope in transport.envelopes:
        for item in envelope.items:
            letter = LETTERS.get(item.type or "", "O")
            data = item.get_bytes()
            if letter == "E":
                event = json.loads(data)
                yield "V", json.dumps(take_variables(event), ensure_ascii=False)
                data = json.dumps(event, ensure_ascii=False).encode()
            yield letter, data.decode("utf-8", "replace")
            yield letter, json.dumps([envelope.headers, item.headers], default=str, ensure_ascii=False)


def take_variables(event: dict[str, Any]) -> list[Any]:
    """Take the variables of all frames out of an event."""
    traces = [value.get("stacktrace") for key in ("exception", "threads") for value in values_of(event.get(key))]
    traces.append(event.get("stacktrace"))
    return [frame.pop("vars", None) for trace in traces if trace for frame in trace["frames"]]


def values_of(section: Any) -> list[Any]:
    return (section or {}).get("values") or []


def cell(texts: list[tuple[str, str]], needles: list[str]) -> str:
    letters = {letter for letter, text in texts if any(needle in text for needle in needles)}
    return ",".join(letter for letter in ORDER if letter in letters) or "-"


# -- the table -------------------------------------------------------------------------------------------------------


def run(columns: Iterable[str] = (*SDK, *OURS)) -> dict[str, dict[str, Any]]:
    """For each column `leaked` and `kept` (row to cell), and `items` (how many of each type were sent).

    Args:
        columns: names in `SDK` and `OURS`.

    Raises:
        RuntimeError: a column could not be measured.
    """
    found = {}
    for column in columns:
        command = [sys.executable, "-m", "benchmarks.leaks", "--column", column]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{column!r} could not be measured: {done.stderr[-2000:]}")
        found[column] = json.loads(done.stdout)
    return found


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The Markdown table."""
    heads = [f"SDK, {column}" if column in SDK else f"asgi-sentry, {column}" for column in found]
    lines = ["| planted | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {row} | " + " | ".join(each["leaked"][row] for each in found.values()) + " |" for row in ROWS]
    leaking = [str(sum(cell != "-" for cell in each["leaked"].values())) for each in found.values()]
    lines.append(f"| **rows that leak, of {len(ROWS)}** | " + " | ".join(leaking) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Where a secret leaks, as a Markdown table.")
    parser.add_argument("--column", choices=(*SDK, *OURS), help="measure this one, in this process, as JSON")
    column = parser.parse_args().column
    if column:
        json.dump(measure(column), sys.stdout)
        return
    print(f"sentry-sdk {sentry_sdk.VERSION}, Python {platform.python_version()}\n")
    print(page(run()))


if __name__ == "__main__":
    main()
