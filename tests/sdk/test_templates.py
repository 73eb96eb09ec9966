"""`{{ sentry_trace_meta }}` renders in templates, without a patch of whoever renders them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

import asgi_sentry
from asgi_sentry.testing import request

jinja2 = pytest.importorskip("jinja2")
PAGE = "<head>{{ sentry_trace_meta }}</head>"
TRACE = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("autoescape", [False, True])
def test_it_is_the_trace_of_the_request(start, mode, autoescape, rate):
    start(asgi_sentry.Settings(dsn="http://k@localhost/1", traces_sample_rate=rate))
    template = jinja2.Environment(autoescape=autoescape).from_string(PAGE)
    app = asgi_sentry.wrap(Starlette(routes=[Route("/", lambda _: HTMLResponse(template.render()))]))
    found: list[Any] = []

    async def serve() -> None:
        headers = [("sentry-trace", f"{TRACE}-0123456789abcdef")]
        found.append((await request(app, headers=headers)).body.decode())

    anyio.run(serve)
    assert f'<meta name="sentry-trace" content="{TRACE}-' in found[0]
    assert '<meta name="baggage" content="' in found[0]


def test_starlettes_templates(start, tmp_path):
    from starlette.templating import Jinja2Templates

    start()
    (tmp_path / "page.html").write_text(PAGE)
    templates = Jinja2Templates(tmp_path)
    app = asgi_sentry.wrap(Starlette(routes=[Route("/", lambda r: templates.TemplateResponse(r, "page.html"))]))
    found: list[Any] = []

    async def serve() -> None:
        found.append((await request(app)).body.decode())

    anyio.run(serve)
    assert '<meta name="sentry-trace"' in found[0]


def test_a_global_of_the_apps_own_wins(start):
    start()
    environment = jinja2.Environment()
    environment.globals["sentry_trace_meta"] = "mine"
    assert environment.from_string(PAGE).render() == "<head>mine</head>"
