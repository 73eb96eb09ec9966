"""A figure counts only if the variant did its job in the same run. This is how we know that it did."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import sentry_sdk

from benchmarks.frameworks import Hooks
from benchmarks.traffic import SECRETS, TRACE_ID, Case, User, scope_of, several
from benchmarks.transport import Bench

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ROUNDING = 1e-4  # the dice of "never" say yes once in a million
_EVEN_AMONG_THE_SAMPLED = 2


class GuardError(Exception):
    """A variant did not do what its figure would claim."""


class Guard:
    """Looks at one app of a variant that sends to Sentry."""

    def __init__(
        self, app: Any, case: Case, *, trace: bool, scrubs: bool, layers: str = "fsuhb", hooks: bool = True
    ) -> None:
        self.app = app
        self.case = case
        self.trace = trace
        self.scrubs = scrubs  # whether secrets are its job
        self.layers = layers  # of ours: what is not in the stack is not attached
        self.hooks = hooks  # whether the team's are set
        self.user = "alice" if "u" in layers else None

    async def check(self) -> None:
        """Make a few requests and look at all that comes of them.

        Raises:
            GuardError: all that is wrong, in one message.
        """
        wrong = [*await self._check_request(), *await self._check_error_here(), *await self._check_user_stays()]
        if wrong:
            raise GuardError(f"{self.case.name}, {'with' if self.trace else 'without'} trace: " + "; ".join(wrong))

    async def _request(self, user: User | None, probe: Any = None) -> dict[str, list[dict[str, Any]]]:
        transport = Bench.last
        if transport is None:
            raise GuardError("no transport")
        Hooks.probe = staticmethod(probe) if probe is not None else None
        template = {**scope_of(self.case, trace=self.trace, user=user), "query_string": b"q=blue+socks"}
        messages: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        with transport.keeping() as found:
            try:
                await self.app(template, receive, send)
            except ValueError:
                pass
            finally:
                Hooks.probe = None
        return found

    async def _check_request(self) -> list[str]:
        """The request itself: what is sent, what is counted, what goes on."""
        outgoing: list[dict[str, str]] = []

        def probe() -> None:
            outgoing.append(dict(sentry_sdk.get_current_scope().iter_trace_propagation_headers()))

        before = Bench.last.losses()
        found = await self._request(User("alice"), probe)
        lost = _difference(Bench.last.losses(), before)
        case, wrong = self.case, []
        if len(found["transaction"]) != case.transactions:
            wrong.append(f"{len(found['transaction'])} transactions, expected {case.transactions}")
        if len(found["event"]) != case.errors:
            wrong.append(f"{len(found['event'])} errors, expected {case.errors}")
        expected = {} if case.transactions else {("transaction", "sample_rate"): 1, ("span", "sample_rate"): 1}
        if lost != expected:
            wrong.append(f"counted as lost: {lost}, expected {expected}")
        wrong += self._check_outgoing(outgoing)
        for payload in found["transaction"] + found["event"]:
            wrong += self.check_payload(payload, outgoing, user=self.user)
        return wrong

    def _check_outgoing(self, outgoing: list[dict[str, str]]) -> Iterator[str]:
        if not outgoing or "sentry-trace" not in outgoing[0]:
            yield "no outgoing trace header"
            return
        trace_id, _, flag = outgoing[0]["sentry-trace"].split("-")
        if flag != self.case.goes_on:
            yield f"goes on as -{flag}, expected -{self.case.goes_on}"
        if self.trace and trace_id != TRACE_ID:
            yield f"goes on in the trace {trace_id}, expected {TRACE_ID}"
        if f"sentry-trace_id={trace_id}" not in outgoing[0].get("baggage", ""):
            yield f"the outgoing baggage is not of the trace {trace_id}"

    def check_payload(
        self, payload: dict[str, Any], outgoing: list[dict[str, str]], *, user: str | None
    ) -> Iterator[str]:
        """What is wrong in one payload, by what went on of its request and whose it was."""
        kind = payload.get("type") or "error"
        request = payload.get("request") or {}
        if request.get("method") != "GET" or not str(request.get("url", "")).endswith(self.case.path(1)):
            yield f"{kind} without the request's method and URL: {request.get('url')}"
        if "h" in self.layers and "user-agent" not in {str(name).lower() for name in request.get("headers") or ()}:
            yield f"{kind} without the request's headers"
        trace_id = payload.get("contexts", {}).get("trace", {}).get("trace_id")
        if self.trace and trace_id != TRACE_ID:
            yield f"{kind} in the trace {trace_id}, expected {TRACE_ID}"
        if outgoing and trace_id != outgoing[0]["sentry-trace"].split("-")[0]:
            yield f"{kind} in another trace than what goes on"
        if (payload.get("user") or {}).get("id") != user:
            yield f"{kind} of the user {payload.get('user')}, expected {user}"
        tags = payload.get("tags") or {}
        if self.hooks and (tags.get("team") != "shop" or tags.get("hook") != "ran"):
            yield f"{kind} past the processor or the hook: {tags}"
        if kind == "error" and not _has_frame(payload):
            yield "error without the app's frame"
        if self.scrubs:
            text = json.dumps(payload)
            yield from (f"{kind} with the secret {secret!r}" for secret in SECRETS if secret in text)

    async def _check_error_here(self) -> list[str]:
        """An error on this path is captured, whatever was decided about the transaction."""

        def fail() -> None:
            raise ValueError("no such order")

        found = await self._request(User("alice"), fail)
        if len(found["event"]) != 1:
            return [f"{len(found['event'])} errors for a failure on the path, expected 1"]
        return list(self.check_payload(found["event"][0], [], user=self.user))

    async def _check_user_stays(self) -> list[str]:
        """The request after that of a user has none of its own."""

        def fail() -> None:
            raise ValueError("no such order")

        await self._request(User("alice"))
        found = await self._request(None, fail)
        users = [event.get("user") for event in found["event"]]
        return [] if users == [None] else [f"the next request's error is of the user {users}"]


def check_shape(
    found: dict[str, list[dict[str, Any]]], scope: dict[str, Any], body: bytes, *, scrubs: bool, attaches: bool
) -> Iterator[str]:
    """What is wrong in what one request sent, by what was special about it: spans, a tag, a body, a password.

    Args:
        found: what was sent, by kind.
        scope: the request's.
        body: the request's; empty where it has none.
        scrubs: whether secrets are the contender's job.
        attaches: whether the body of such a request is to be there.
    """
    sent = found["transaction"] + found["event"]
    if len(sent) != 1:
        yield f"{len(sent)} items, expected 1"
        return
    [payload] = sent
    spans = [span for span in payload.get("spans") or () if span.get("op") == "db"]
    if len(spans) != scope.get("spans", 0):
        yield f"{len(spans)} of the app's spans, expected {scope.get('spans', 0)}"
    tag = (payload.get("tags") or {}).get("shelf")
    if tag != scope.get("tag"):
        yield f"the tag {tag}, expected {scope.get('tag')}"
    data = (payload.get("request") or {}).get("data")
    if bool(data) != bool(body and attaches):
        yield f"the body {str(data)[:40]!r}"
    if data and (data.get("orders") or [{}])[0].get("id") != json.loads(body)["orders"][0]["id"]:
        yield f"the body of another request: {str(data)[:40]!r}"
    if scrubs:
        authorization = dict(scope["headers"])[b"authorization"].decode().partition(" ")[2]
        secrets = [authorization]
        if dict(scope["headers"])[b"authorization"].startswith(b"Basic "):
            secrets.append(base64.b64decode(authorization).decode().partition(":")[2])
        text = json.dumps(payload)
        yield from (f"the secret {secret!r}" for secret in secrets if secret in text)


async def check_by_probe(app: Any, case: Case, look: Callable[[str], str | None]) -> None:
    """Ask, from within the app, whether the contender does its job. Raises GuardError."""
    said: list[str | None] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    Hooks.probe = staticmethod(lambda: said.append(look(case.name)))
    try:
        await app(several(case, 1, trace=False)[0], receive, send)
    finally:
        Hooks.probe = None
    if said != [None]:
        raise GuardError(f"{case.name}: {said}")


def _has_frame(payload: dict[str, Any]) -> bool:
    frames = [
        frame
        for value in payload.get("exception", {}).get("values", ())
        for frame in value.get("stacktrace", {}).get("frames", ())
    ]
    return any(frame.get("module") == "benchmarks.frameworks" for frame in frames)


def _difference(after: dict[Any, int], before: dict[Any, int]) -> dict[Any, int]:
    return {key: count - before.get(key, 0) for key, count in after.items() if count != before.get(key, 0)}


class Tally:
    """Counts what the timed requests sent, and lost, against what they should have."""

    def __init__(self) -> None:
        transport = Bench.last
        self._sent = dict(transport.sent) if transport is not None else {}
        self._lost = transport.losses() if transport is not None else {}

    def check(self, case: Case, requests: int) -> None:
        """Raises GuardError where the counts of so many requests are not what they should be."""
        transport = Bench.last
        if transport is None:
            return
        sent = _difference(dict(transport.sent), self._sent)
        lost = _difference(transport.losses(), self._lost)
        unsampled = requests * (1 - case.transactions)
        expected = {
            "transaction": (sent.get("transaction", 0), requests * case.transactions),
            "event": (sent.get("event", 0), requests * case.errors),
            "unsampled": (lost.get(("transaction", "sample_rate"), 0), unsampled),
            "other losses": (sum(lost.values()) - 2 * lost.get(("transaction", "sample_rate"), 0), 0),
        }
        for what, (got, wanted) in expected.items():
            if abs(got - wanted) > max(_ROUNDING * requests, 1 if case.name in {"unsampled", "error"} else 0):
                raise GuardError(
                    f"{case.name}: {got} of {what} in {requests} requests, expected {wanted}; {sent}, {lost}"
                )
