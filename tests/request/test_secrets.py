"""The secrets of a request: those of its head and body alone where that is all there is, and few."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from asgi_sentry._request.body_copy import BodyCopy
from asgi_sentry._request.plan import Plan
from asgi_sentry._request.secrets import Secrets
from asgi_sentry._scrubbing import RawTaint

SECRET = "Tr0ub4dor-3xyz-9917"


def facts(body: bytes = b"", *, max_bytes: int = 16_384, **scope: Any) -> Any:
    copy = BodyCopy(max_bytes, lambda: None)
    if body:
        copy.feed({"type": "http.request", "body": body, "more_body": False})
    headers = [(b"content-type", b"application/json")]
    made = {"type": "http", "path": "/a", "headers": headers, "query_string": b"", **scope}
    view = SimpleNamespace(door=None)
    return SimpleNamespace(scope=made, body=copy if body else None, plan=Plan(), view=view, app=None)


def test_what_was_read_of_a_head_is_all_that_is_secret_where_nothing_else_is() -> None:
    secrets = Secrets(facts())
    raw = secrets.raw_taint([SECRET])
    assert isinstance(raw, RawTaint)
    assert raw.found_in([f"a {SECRET}"])
    assert secrets.raw is secrets.known is raw


def test_secrets_of_a_body_belong_to_it() -> None:
    body = {"orders": [{"id": 7, "note": "please ring twice"}], "password": SECRET, "pair": ["token", "q7w8e9r0t1y2"]}
    raw = Secrets(facts(json.dumps(body).encode())).raw_taint([])
    assert raw is not None
    assert raw.found_in([SECRET])
    assert raw.found_in(["q7w8e9r0t1y2"])
    assert not raw.found_in(["please ring twice"])


def test_a_denied_parameter_of_the_path_is_another_matter() -> None:
    assert Secrets(facts(path_params={"token": SECRET})).raw_taint([]) is None
    assert Secrets(facts(path_params={"item": "7"})).raw_taint([]) is not None


def test_a_body_that_was_cut_off_holds_more_than_is_known() -> None:
    assert Secrets(facts(b'{"a": "' + b"x" * 99, max_bytes=50)).raw_taint([]) is None


def test_many_are_not_looked_for_one_by_one() -> None:
    """A client would decide on a product of two sizes."""
    many = json.dumps([{"password": f"{SECRET}-{number}"} for number in range(65)]).encode()
    assert Secrets(facts(many)).raw_taint([]) is None
    assert Secrets(facts()).raw_taint([f"{SECRET}-{number}" for number in range(65)]) is None
    assert Secrets(facts()).raw_taint([f"{SECRET}-{number}" for number in range(64)]) is not None


def test_more_of_a_body_is_more_to_know() -> None:
    about = facts(b'{"a": 1}')
    secrets = Secrets(about)
    raw = secrets.raw_taint([])
    assert secrets.raw is raw
    about.body.feed({"type": "http.request", "body": b" ", "more_body": True})
    assert secrets.raw is None
    assert secrets.known is not raw


def test_a_taint_that_was_made_is_the_one_that_counts() -> None:
    secrets = Secrets(facts(headers=[(b"x-api-key", SECRET.encode())]))
    taint = secrets.taint()
    assert secrets.raw_taint([]) is None
    assert secrets.known is taint
