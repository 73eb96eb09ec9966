"""What of a request is sent with each option that says what may be: as JSON on standard output, by option and kind.

Run in a process of its own, since the SDK's integrations patch Starlette for the rest of it. The arguments are who
reports, `sdk` or `ours`, and the modes.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import anyio
import sentry_sdk
import sqlalchemy
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, V3, mode_options, options_of_v3

OFF = {"mode": "off"}
ALLOWED = {"mode": "allowlist", "terms": ["note", "author", "monkey"]}
DENIED = {"mode": "denylist", "terms": ["note", ""]}
EVERYTHING = "data_collection: everything"
PARTS: dict[str, tuple[Any, ...]] = {
    "user_info": (True, False),
    "cookies": ({}, OFF, ALLOWED, DENIED),
    "http_headers": ({}, {"request": OFF}, {"request": ALLOWED}, {"request": DENIED}),
    "http_bodies": ([], ["incoming_request"], ["outgoing_request"]),
    "url_query_params": ({}, OFF, ALLOWED, DENIED),
    "graphql": ({"document": False}, {"variables": False}, {"document": False, "variables": False}),
    "gen_ai": ({"inputs": False, "outputs": False},),
    "mcp": ({"inputs": False, "outputs": False},),
    "database_query_data": (True, False),
    "queues": (True, False),
    "stack_frame_variables": (False, True, OFF, ALLOWED, DENIED),
    "frame_context_lines": (0, 5),
}


def options() -> dict[str, dict[str, Any]]:
    """Each that says what may be collected, by a name."""
    every: dict[str, dict[str, Any]] = {EVERYTHING: {"data_collection": {}}}
    for part, values in PARTS.items():
        for value in values:
            every[f"data_collection: {part}={value}"] = {"data_collection": {part: value}}
    if not V3:
        every["send_default_pii=False"] = {"send_default_pii": False}
        every["send_default_pii=True"] = {"send_default_pii": True}
        every["include_local_variables=False"] = {"include_local_variables": False, "send_default_pii": True}
        every["include_source_context=False"] = {"include_source_context": False, "send_default_pii": True}
    return every


DOCUMENT = "query find($note: String) { find(note: $note) { documentmark } }"
BODIES = {
    "/plain": {"note": "bodymark", "query": "bodyquerymark", "variables": "bodyvariablesmark"},
    "/graphql": {"query": DOCUMENT, "variables": {"note": "variablesmark"}, "operationName": "find"},
}
HEADERS = [
    ("host", "h"),
    ("x-note", "headernotemark"),
    ("x-author", "headerauthormark"),
    ("x-colour", "headercolourmark"),
    ("x-forwarded-for", "headerforwardedmark"),
    ("cookie", "note=cookienotemark; sidebar=cookiesidebarmark; colour=cookiecolourmark"),
    ("content-type", "application/json"),
    ("user-agent", "agentmark"),
]
QUERY = b"note=querynotemark&monkey=querymonkeymark&colour=querycolourmark"
# Put together here: in full they would stand in source lines that are sent.
MARKS = {
    f"{place}mark"
    for place in (
        *("body", "bodyquery", "bodyvariables", "document", "variables", "user", "sql", "source", "agent"),
        *("headernote", "headerauthor", "headercolour", "headerforwarded"),
        *("cookienote", "cookiesidebar", "cookiecolour", "querynote", "querymonkey", "querycolour"),
        *("framenote", "framemonkey", "framecolour"),
    )
} | {"127.0.0.1"}


async def endpoint(asked: Any) -> PlainTextResponse:
    body = await asked.json()
    del asked
    sentry_sdk.set_user({"id": "usermark"})
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        connection.execute(sqlalchemy.text("select :note"), {"note": "sql" + "mark"})
    logging.getLogger("tests").error("it was asked")
    fail("frame" + "notemark", "frame" + "monkeymark", "frame" + "colourmark", body.clear())
    return PlainTextResponse("")


def fail(note: str, monkey: str, colour: str, _: None) -> None:
    raise RuntimeError(f"{len('sourcemark')}")


def sent_with(how: str, mode: str, option: dict[str, Any]) -> dict[str, list[str]]:
    """Which marks are sent by kind, and which kinds are sent at all."""
    transport = RecordingTransport()
    given = {"traces_sample_rate": 1.0, "transport": transport, **mode_options(mode), **option}
    given |= {} if V3 else {"enable_logs": True}
    given = options_of_v3(given) if V3 else given
    routes = [Route(path, endpoint, methods=["POST"]) for path in BODIES]
    if how == "sdk":
        sentry_sdk.init(DSN, **given)
        app: Any = Starlette(routes=routes)
    else:
        asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), **given)
        app = Starlette(routes=routes)
        app = asgi_sentry.compose(
            app,
            asgi_sentry.SentryMiddleware,
            partial(asgi_sentry.UserContextMiddleware, client_ip="keep"),
            asgi_sentry.HeaderScrubbingMiddleware,
            partial(asgi_sentry.BodyScrubbingMiddleware, attach="always"),
        )
    for path, said in BODIES.items():
        body = json.dumps(said).encode()
        headers = [*HEADERS, ("content-length", str(len(body)))]
        try:
            anyio.run(partial(request, app, "POST", path, headers=headers, query=QUERY, body=body))
        except RuntimeError:
            continue
    sentry_sdk.flush()
    kinds = {"event": ("event",), "trace": ("transaction", "span"), "log": ("log",)}
    sent = {kind: json.dumps([transport.items(each) for each in items]) for kind, items in kinds.items()}
    seen = {kind: sorted(mark for mark in MARKS if mark in text) for kind, text in sent.items()}
    return {**seen, "sent": [kind for kind, text in sent.items() if "{" in text]}


def main(how: str, *modes: str) -> None:
    """Each in a thread of its own: the frames of what is sent hold nothing of the others."""
    with ThreadPoolExecutor(1) as pool:
        found = {
            mode: {name: pool.submit(sent_with, how, mode, option).result() for name, option in options().items()}
            for mode in modes
        }
    print(json.dumps(found))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.getLogger("asgi_sentry").setLevel(logging.ERROR)
    main(*sys.argv[1:])
