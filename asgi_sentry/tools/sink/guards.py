"""What keeps strangers out.

An event is hostile input, and so is every web page that the browser has open besides.

- **Host**: a page of a stranger's whose name is bound to 127.0.0.1 (DNS rebinding) comes with its
  own name in `Host`. A literal address, `localhost` and what was allowed by name are let in,
  nothing else.
- **Content-Security-Policy**: nothing runs or is loaded that does not carry the nonce of this
  answer.
- **Forms**: a token of this process, and no `Origin` but our own.
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request

    from asgi_sentry.types import ASGIApp, Message, Receive, Scope, Send

_REFUSAL = (
    b"This sink does not answer to that name. Start it with --allow-host NAME if it should.\n"
)
_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    # Not `no-referrer`, under which a browser says `Origin: null` for our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]


def host_is_known(host: str, allowed: Collection[str]) -> bool:
    """Whether a `Host` header names this sink.

    A literal address, `localhost`, or an allowed name.
    """
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    name = name.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost") or name in allowed:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class HostGuard:
    """Answers 421 to whoever asks for a name that is not ours."""

    def __init__(self, app: ASGIApp, *, allowed: Collection[str] = ()) -> None:
        self.app: ASGIApp = app
        self._allowed = frozenset(name.lower() for name in allowed)
        self._last: bytes | None = None
        """The name that was let in last: a sender asks for the same one thousands of times."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or not."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        known = len(hosts) == 1 and hosts[0] == self._last
        if (
            not known
            and len(hosts) == 1
            and host_is_known(hosts[0].decode("latin-1"), self._allowed)
        ):
            known, self._last = True, hosts[0]
        if known:
            await self.app(scope, receive, send)
            return
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(_REFUSAL)).encode()),
        ]
        await send({"type": "http.response.start", "status": 421, "headers": headers})
        await send({"type": "http.response.body", "body": _REFUSAL})


class PageHeaders:
    """Puts the policy on each page; a page reads its nonce from `request.state.nonce`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add headers to the answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}';"
            " img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
            " frame-ancestors 'none'"
        )

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(b"content-security-policy", policy.encode())]
                names = {name.lower() for name, _ in message["headers"]}
                added = [header for header in own + _HEADERS if header[0] not in names]
                if b"cache-control" not in names:
                    added.append((b"cache-control", b"no-store"))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, with_headers)


class Forms:
    """The token that a form of ours carries."""

    def __init__(self) -> None:
        self.token: str = secrets.token_urlsafe(24)

    def ours(self, request: Request, token: object) -> bool:
        """Whether a form was sent by a page of ours."""
        site = request.headers.get("sec-fetch-site")
        if site not in {None, "same-origin", "none"}:
            return False
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            return False
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.token.encode())
