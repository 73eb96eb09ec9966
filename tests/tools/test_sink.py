"""The sink: what is sent in Sentry's envelope protocol is there as it was sent; garbage and excess are refused."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import http.server
import json
import sys
import threading
import zlib

import brotli
import pytest
import sentry_sdk
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry.tools.sink import BadEnvelopeError, Sink, decode_body, parse_envelope
from asgi_sentry.tools.sink.encodings import BodyTooLargeError, UnknownEncodingError
from tests.strategies import envelopes

COMPRESSORS = {
    None: bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: brotli.compress(body, quality=4),
    "zstd": zstandard.compress,
    " GZIP ": gzip.compress,
}
EVENT = b'{"event_id":"00000000000000000000000000000001"}\n{"type":"event"}\n{"message":"hi"}\n'


def post(sink: Sink, path: str, body: bytes, **headers: str) -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", sink.port, timeout=20)
    try:
        given_headers = {"X-Sentry-Auth": "Sentry sentry_key=abc, sentry_version=7"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        connection.request("POST", path, body, {name: value for name, value in given_headers.items() if value})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def sink():
    with Sink() as running:
        yield running


# -- the format --------------------------------------------------------------------------------------------------------


@given(envelopes())
def test_an_envelope_is_read_as_it_was_written(written):
    headers, items, data = written
    read = parse_envelope(data)
    assert read.headers == headers
    assert [(item.kind, item.payload) for item in read.items] == items


@given(envelopes(), st.data())
def test_a_cut_or_garbled_envelope_is_refused_or_read_but_nothing_else(written, data):
    raw = written[2]
    cut = raw[: data.draw(st.integers(0, len(raw)))] + data.draw(st.binary(max_size=5))
    with contextlib.suppress(BadEnvelopeError):
        parse_envelope(cut)


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"[]\n", b"{}\nnot json\n", b"{}\n[]\n", b'{}\n{"length":2}\n{}', b'{}\n{"type":1}\n{}',
     b'{}\n{"type":"event","length":3}\n{}', b'{}\n{"type":"event","length":1}\n{}', b'{}\n{"type":"e","length":-1}\n',
     b'{}\n{"type":"e","length":true}\n{}', b'{}\n{"type":"e","length":"2"}\n{}', b"[" * 100_000],
)  # fmt: skip
def test_garbage_is_refused(data):
    with pytest.raises(BadEnvelopeError):
        parse_envelope(data)


@given(st.binary(max_size=2000), st.sampled_from(list(COMPRESSORS)))
def test_a_body_is_decoded_up_to_the_limit_and_not_beyond(body, encoding):
    sent = COMPRESSORS[encoding](body)
    assert decode_body(sent, encoding, limit=len(body)) == body
    if body:
        with pytest.raises(BodyTooLargeError):
            decode_body(sent, encoding, limit=len(body) - 1)


@given(st.binary(min_size=1, max_size=500), st.sampled_from(["gzip", "deflate", "br", "zstd"]), st.data())
def test_a_cut_body_is_refused(body, encoding, data):
    sent = COMPRESSORS[encoding](body)
    # The adler or crc at the end counts too: what can't be verified was not received.
    with pytest.raises(BadEnvelopeError):
        decode_body(sent[: data.draw(st.integers(0, len(sent) - 1))], encoding, limit=1000)


def test_deflate_without_its_wrapper_is_understood():
    raw = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert decode_body(raw.compress(EVENT) + raw.flush(), "deflate", limit=1000) == EVENT


@pytest.mark.parametrize("encoding", ["compress", "gzip, br", "x"])
def test_an_unknown_encoding_is_refused(encoding):
    with pytest.raises(UnknownEncodingError):
        decode_body(b"", encoding, limit=10)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_a_damaged_body_is_refused(encoding):
    sent = bytearray(COMPRESSORS[encoding](bytes(range(256)) * 20))
    for position in range(len(sent) // 2, len(sent)):
        sent[position] ^= 0xFF
    with pytest.raises(BadEnvelopeError):
        decode_body(bytes(sent), encoding, limit=100_000)


def test_where_brotli_is_missing_its_encoding_is_unknown(monkeypatch):
    monkeypatch.setitem(sys.modules, "brotli", None)
    with pytest.raises(UnknownEncodingError, match="needs the package brotli"):
        decode_body(b"", "br", limit=10)


def test_empty_lines_at_the_end_are_no_items():
    assert len(parse_envelope(EVENT + b"\n\n").items) == 1


def test_a_bomb_is_stopped():
    bomb = gzip.compress(bytes(50_000_000), 1, mtime=0)
    with pytest.raises(BodyTooLargeError):
        decode_body(bomb, "gzip", limit=100_000)
    with pytest.raises(BodyTooLargeError):
        decode_body(brotli.compress(bytes(50_000_000), quality=1), "br", limit=100_000)
    with pytest.raises(BodyTooLargeError):
        decode_body(zstandard.compress(bytes(50_000_000)), "zstd", limit=100_000)


# -- the server --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", list(COMPRESSORS))
def test_an_envelope_arrives_with_each_encoding(sink, encoding):
    answer = post(sink, "/api/1/envelope/", COMPRESSORS[encoding](EVENT), Content_Encoding=encoding or "")
    assert answer == (200, {"id": "00000000000000000000000000000001"})
    assert sink.raw == EVENT
    assert [item.json() for item in sink.items("event")] == [{"message": "hi"}]


@pytest.mark.parametrize(
    ("status", "path", "body", "headers"),
    [
        (400, "/api/1/envelope/", b"garbage", {}),
        (400, "/api/1/envelope/", b"not gzip", {"Content_Encoding": "gzip"}),
        (401, "/api/1/envelope/", EVENT, {"X_Sentry_Auth": ""}),
        (404, "/api/1/nothing/", EVENT, {}),
        (404, "/api/x/envelope/", EVENT, {}),
        (413, "/api/1/envelope/", bytes(2000), {}),
        (413, "/api/1/envelope/", gzip.compress(bytes(2000), mtime=0), {"Content_Encoding": "gzip"}),
        (415, "/api/1/envelope/", EVENT, {"Content_Encoding": "compress"}),
        (411, "/api/1/envelope/", b"", {"Content_Length": "many"}),
    ],
)
def test_what_is_wrong_is_refused_and_not_kept(status, path, body, headers):
    with Sink(max_body_bytes=1000) as small:
        got, answer = post(small, path, body, **headers)
        assert (got, list(answer)) == (status, ["detail"])
        assert small.received == []
        assert [line.split()[0] for line in small.refused] == [str(status)]
        assert post(small, "/api/1/envelope/", EVENT)[0] == 200  # and the next one is taken


@pytest.mark.parametrize(
    ("path", "auth", "body"),
    [
        ("/api/1/envelope/?sentry_key=k1", "", EVENT),
        ("/api/1/envelope/", "Sentry sentry_version=7,sentry_key=k1", EVENT),
        ("/api/1/envelope/", "", b'{"dsn":"https://k1@h/1"}\n{"type":"event"}\n{}'),
    ],
)
def test_the_key_is_found_where_the_protocol_allows_it(sink, path, auth, body):
    assert post(sink, path, body, X_Sentry_Auth=auth)[0] == 200
    assert [received.key for received in sink.received] == ["k1"]


def test_memory_is_bounded_and_the_oldest_go_first():
    with Sink(max_envelopes=2) as small:
        for number in range(5):
            post(small, "/api/1/envelope/", b'{"n":%d}\n' % number)
        assert [envelope.headers["n"] for envelope in small.envelopes] == [3, 4]
        assert small.dropped == 3
    with Sink(max_bytes=len(EVENT)) as small:
        post(small, "/api/1/envelope/", EVENT)
        post(small, "/api/1/envelope/", EVENT)
        assert (len(small.received), small.dropped) == (1, 1)


def test_senders_in_parallel_lose_nothing(sink):
    def send(sender: int) -> None:
        for number in range(20):
            post(sink, f"/s{sender}/api/1/envelope/", b'{"n":%d}\n' % number)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sender in range(6):
        mine = [r.envelope.headers["n"] for r in sink.received if r.prefix == f"/s{sender}"]
        assert mine == list(range(20))


def test_the_sdk_itself_sends_here(sink):
    with sentry_sdk.isolation_scope(), sentry_sdk.new_scope() as scope:
        client = sentry_sdk.Client(dsn=sink.dsn_for("/orders"), default_integrations=False, traces_sample_rate=1.0)
        scope.set_client(client)
        sentry_sdk.capture_message("hello")
        with sentry_sdk.start_transaction(name="work"):
            pass
        client.transport.record_lost_event("sample_rate", data_category="transaction")
        client.close(timeout=10)
    assert [item.json()["message"] for item in sink.wait_for("event")] == ["hello"]
    assert [item.json()["transaction"] for item in sink.wait_for("transaction")] == ["work"]
    (report,) = sink.wait_for("client_report")
    assert report.json()["discarded_events"] == [{"reason": "sample_rate", "category": "transaction", "quantity": 1}]
    assert {received.prefix for received in sink.received} == {"/orders"}
    assert sink.refused == []


def test_waiting_in_vain_ends():
    with Sink() as sink, pytest.raises(TimeoutError, match="0 of 1 items of type 'event'"):
        sink.wait_for("event", timeout=0)


def test_on_item_sees_each_item_with_its_sender():
    seen = []
    with Sink(on_item=lambda received, item: seen.append((received.prefix, item.kind))) as sink:
        post(sink, "/a/b/api/1/envelope/", b'{}\n{"type":"event"}\n{}\n{"type":"session"}\n{}')
        sink.wait_for("session")
    assert seen == [("/a/b", "event"), ("/a/b", "session")]


def test_a_sink_passes_on_what_arrives_and_answers_as_its_target_does():
    with Sink(max_body_bytes=200) as target:
        with Sink(forward_to=target.dsn_for("/up")) as near:
            assert post(near, "/x/api/1/envelope/", gzip.compress(EVENT, mtime=0), Content_Encoding="gzip")[0] == 200
            assert post(near, "/x/api/1/envelope/", b'{}\n{"type":"a"}\n' + bytes(300)) == (
                413,
                {"detail": "the body has more than 200 bytes"},
            )
        assert [(r.prefix, r.raw, r.key) for r in target.received] == [("/up", EVENT, "abc")]
        assert near.dsn.split("@")[0] == target.dsn.split("@")[0]  # the target's own key


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"[]"])
def test_what_a_target_says_and_when_to_come_back_is_passed_on(body):
    """As an overloaded Sentry answers: the SDK must learn that it is to be silent."""

    class Busy(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(429)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Busy) as target:
        threading.Thread(target=target.serve_forever, args=(0.02,)).start()
        try:
            with Sink(forward_to=f"http://k@127.0.0.1:{target.server_port}/1") as near:
                answer = near.accept("/api/1/envelope/", {"X-Sentry-Auth": "Sentry sentry_key=k"}, EVENT)
                assert (answer.status, answer.headers["Retry-After"], near.answers) == (429, "7", [(429, "")])
        finally:
            target.shutdown()


def test_a_target_that_is_away_is_answered_with_502():
    gone = Sink()
    dsn = gone.dsn
    gone.stop()
    with Sink(forward_to=dsn) as near:
        status, answer = post(near, "/api/1/envelope/", EVENT)
        assert (status, "can't be reached" in answer["detail"]) == (502, True)
        assert near.raw == EVENT
