"""An answer is read as the standard library reads it, the usual one and any other, however it arrives."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_sentry._exit import answers

USUAL = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
LOOKED_AT = ("X-Sentry-Rate-Limits", "retry-after")


class Fed:
    """A socket from which one piece after the other comes, and then the end."""

    def __init__(self, *pieces: bytes, timeout: float = 5.0) -> None:
        self.pieces = [piece for piece in pieces if piece]
        self.timeout: float | None = timeout
        self.limits: list[float] = []

    def gettimeout(self) -> float | None:
        return self.timeout

    def settimeout(self, timeout: float) -> None:
        self.timeout = timeout
        self.limits.append(timeout)

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if piece[size:]:
            self.pieces.insert(0, piece[size:])
        return piece[:size]

    def recv_into(self, buffer: Any) -> int:
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def read(*pieces: bytes, heads: answers.Heads | None = None) -> Any:
    """What is looked at of an answer, and whether its connection is kept; or what is raised."""
    try:
        answer, keeps = answers.read_answer(Fed(*pieces), "POST", time.monotonic() + 5, heads)  # type: ignore[arg-type]
    except Exception as exc:
        return type(exc)
    return answer.status, [answer.headers.get(name) for name in LOOKED_AT], answer.data, keeps


lines = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 200",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 429 Too Many Requests",
        b"HTTP/1.1 204 No Content",
        b"Content-Length: 2",
        b"content-length:4",
        b"Content-Length: 02",
        b"Content-Length: -2",
        b"Content-Length: 2, 2",
        b"CONTENT-LENGTH :\t0",
        b"Connection: keep-alive",
        b"Connection: close",
        b"Connection: Keep-Alive, Upgrade",
        b"Transfer-Encoding: chunked",
        b"X-Sentry-Rate-Limits: 60:error:key",
        b"x-sentry-rate-limits:",
        b"Access-Control-Expose-Headers: x-sentry-rate-limits, retry-after",
        b"Retry-After: 7",
        b" folded: content-length: 9",
        b"no colon",
        b": no name",
        b"Date: Fri, 27 Nov 2026 06:00:00 GMT",
        b"Via: 1.1 \xe4\x85",
        b"",
    ]
)
bodies = st.sampled_from([b"", b"{}", b'{"a"', b"2\r\n{}\r\n0\r\n\r\n", b"\r\n\r\n"]) | st.binary(max_size=6)


@st.composite
def sent(draw: st.DrawFn) -> tuple[bytes, ...]:
    first = draw(st.just(b"HTTP/1.1 200 OK") | lines)
    head = [first, *draw(st.lists(lines, max_size=5)), b"", b""]
    data = draw(st.sampled_from([b"\r\n", b"\r\n", b"\n"])).join(head) + draw(bodies)
    at = sorted(draw(st.lists(st.integers(0, len(data)), max_size=3)))
    return tuple(data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True))


@given(sent())
@example((b"",))
@example((USUAL,))
@example((USUAL[:-2], USUAL[-2:]))
@example((USUAL[:-2], USUAL[-2:-1]))
@example((USUAL + b"more",))
@example((USUAL[:40], USUAL[40:]))
def test_an_answer_is_what_the_standard_library_makes_of_it(pieces: tuple[bytes, ...]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "usual_end", lambda data: 0)
        expected = read(*pieces)
    assert read(*pieces) == expected
    heads = answers.Heads()
    assert heads.usual_end(USUAL) == len(USUAL)
    for _ in range(2):  # another one before it, and itself
        assert read(*pieces, heads=heads) == expected


@pytest.mark.parametrize(
    "data",
    [
        USUAL,
        USUAL.replace(b"Content-L", b"Connection: keep-alive\r\nVia: 1.1 google\r\ncontent-l"),
        USUAL.replace(b"Server", b"Access-Control-Expose-Headers: x-sentry-error, x-sentry-rate-limits\r\nServer"),
    ],
    ids=["short", "kept", "exposed"],
)
@pytest.mark.parametrize("cut", [0, 2])
@pytest.mark.parametrize("heads", [None, answers.Heads()])
def test_the_usual_answer_needs_no_parser(
    data: bytes, cut: int, heads: answers.Heads | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "HTTPResponse", None)
    for _ in range(2):
        found = read(data[: len(data) - cut], data[len(data) - cut :], heads=heads)
        assert found == (200, [None, None], b"{}", True)


def test_a_head_that_was_read_is_known_again(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = answers.Heads()
    assert heads.usual_end(USUAL) == len(USUAL)
    monkeypatch.setattr(answers, "usual_end", lambda data: 0)
    assert heads.usual_end(USUAL[:-1]) == len(USUAL)
    assert heads.usual_end(USUAL.replace(b"Content-Length: 2", b"Content-Length: 3")) == 0


def test_a_socket_waits_no_longer_than_there_is_time() -> None:
    sock: Any = Fed(timeout=30.0)
    now = time.monotonic()
    for left in (29.99, 29.96, 20.0, 19.96, 0.2):
        answers.limit(sock, now + left)
        assert sock.timeout <= left + 0.05
    assert [round(limit) for limit in sock.limits] == [20, 0]  # what is known is not said again
    sock.timeout = None
    answers.limit(sock, now + 10)
    assert sock.timeout <= 10
    with pytest.raises(TimeoutError):
        answers.limit(sock, now - 1)
