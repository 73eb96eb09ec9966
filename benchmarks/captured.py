"""A real error event, as sentry-sdk serialises it: `python -m benchmarks.captured` prints one as JSON.

A FastAPI app with the SDK's integrations on, as they enable themselves, a middleware of a team's, and an endpoint whose
code fails a dozen calls further down. The SDK's scrubber is set to find nothing, so that the event is what a scrubber
is given. In a process of its own, since the SDK patches FastAPI for good.
"""

# No `from __future__ import annotations`: FastAPI reads these annotations when the app is built.
import asyncio
import contextlib
import json
import logging
import subprocess
import sys
import warnings
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

NUMBER = "731846"  # of the order; stands in the URL, the body, breadcrumbs and variables
_ROOT = Path(__file__).resolve().parent.parent


def capture() -> str:
    """The event as JSON, from a process of its own.

    Raises:
        subprocess.CalledProcessError: FastAPI is not installed, or the app did not fail as it should.
    """
    command = [sys.executable, "-m", "benchmarks.captured"]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout


def another(event: str, random: Random) -> dict[str, Any]:
    """The same event of another order."""
    found: dict[str, Any] = json.loads(event.replace(NUMBER, f"{random.randrange(10**5, 10**6)}"))
    return found


@dataclass
class Line:
    """Of an order."""

    sku: str
    quantity: int
    price: Decimal


class Payments:
    """The layers of a shop's code that a failing request goes through."""

    def __init__(self) -> None:
        self.log = logging.getLogger("shop.payments")
        self.credentials = {"api_key": "live-4242-internal-key", "endpoint": "https://pay.example.com/v2"}

    def checkout(self, order_id: int, customer: dict[str, Any], lines: list[Line]) -> str:
        started = "2026-01-01T09:30:00+00:00"
        self.log.info("checkout of order %s of %s lines, started %s", order_id, len(lines), started)
        totals = {line.sku: line.price * line.quantity for line in lines}
        return self.price(order_id, customer, totals)

    def price(self, order_id: int, customer: dict[str, Any], totals: dict[str, Decimal]) -> str:
        amount, currency = sum(totals.values()), customer.get("currency", "EUR")
        vat = {"DE": Decimal("0.19"), "FR": Decimal("0.2")}.get(customer["country"], Decimal(0))
        return self.reserve(order_id, customer, {"amount": amount, "currency": currency, "vat": amount * vat})

    def reserve(self, order_id: int, customer: dict[str, Any], quote: dict[str, Any], attempt: int = 1) -> str:
        self.log.info("reserving stock for order %s, attempt %s", order_id, attempt)
        if attempt < 11:  # as retries nest
            waited = [0.1 * 2**number for number in range(attempt)]
            return self.reserve(order_id, {**customer, "waited": waited}, quote, attempt + 1)
        return self.charge(order_id, customer, quote, key=f"order-{order_id}-charge")

    def charge(self, order_id: int, customer: dict[str, Any], quote: dict[str, Any], *, key: str) -> str:
        headers = {"Authorization": f"Bearer {self.credentials['api_key']}", "Idempotency-Key": key}
        payload = {"customer": customer["id"], "order": order_id, "card": customer["card"], **quote}
        return self.post("/charges", headers, payload)

    def post(self, path: str, headers: dict[str, str], payload: dict[str, Any]) -> str:
        url, timeout = self.credentials["endpoint"] + path, 10.0
        answer = {"status": 402, "body": {"error": "card_declined", "message": "insufficient funds"}, "url": url}
        self.log.warning("POST %s answered %s within %s s", url, answer["status"], timeout)
        return self.read(answer, payload)

    def read(self, answer: dict[str, Any], payload: dict[str, Any]) -> str:
        error, order_id = answer["body"]["error"], payload["order"]
        raise ValueError(f"order {order_id} of bob@example.com can't be paid: {error}")


def _app() -> Any:
    from fastapi import FastAPI, Request  # noqa: PLC0415 - after the SDK's init, in this process alone
    from pydantic import BaseModel  # noqa: PLC0415

    class Order(BaseModel):
        customer: dict[str, Any]
        lines: list[dict[str, Any]]
        note: str

    app, payments = FastAPI(), Payments()

    @app.middleware("http")
    async def add_server_timing(request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["server-timing"] = "app"
        return response

    @app.post("/orders/{order_id}/checkout")
    async def checkout(order_id: int, order: Order) -> dict[str, str]:
        lines = [Line(line["sku"], line["quantity"], Decimal(line["price"])) for line in order.lines]
        return {"receipt": payments.checkout(order_id, order.customer, lines)}

    return app


def _body() -> bytes:
    customer = {
        "id": f"c-{NUMBER}",
        "name": "Bob Miller",
        "email": "bob@example.com",
        "country": "DE",
        "card": "4111 1111 1111 1111",
        "password": "hunter2-of-bob",
    }
    lines = [{"sku": f"sku-{NUMBER}-{number}", "quantity": 2, "price": "12.50"} for number in range(4)]
    return json.dumps({"customer": customer, "lines": lines, "note": "please ring twice"}).encode()


def main() -> int:
    """Have the app fail once, and print the event."""
    import sentry_sdk  # noqa: PLC0415 - of the child process alone
    from sentry_sdk.scrubber import EventScrubber  # noqa: PLC0415

    from asgi_sentry.testing import RecordingTransport, request  # noqa: PLC0415

    warnings.simplefilter("ignore")
    logging.getLogger("shop").setLevel(logging.INFO)
    logging.getLogger("shop").addHandler(logging.NullHandler())
    transport = RecordingTransport()
    sentry_sdk.init(
        dsn="http://publickey@localhost/1",
        transport=transport,
        event_scrubber=EventScrubber(denylist=[], pii_denylist=[]),
        send_default_pii=True,
        release="shop@1.2.3",
        environment="production",
    )
    sentry_sdk.set_tag("region", "eu")
    headers = [
        (b"host", b"shop.example.com"),
        (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
        (b"accept", b"application/json"),
        (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
        (b"cookie", b"sessionid=3f0c8a1db5e94b0e9d6c; theme=dark"),
        (b"content-type", b"application/json"),
        (b"content-length", str(len(_body())).encode()),
    ]
    path = f"/orders/{NUMBER}/checkout"
    query = b"step=3&token=q1w2e3r4t5z6"
    with contextlib.suppress(ValueError):
        asyncio.run(request(_app(), "POST", path, headers=headers, query=query, body=_body()))
    events = transport.items("event")
    if not events:
        return 1
    print(json.dumps(events[0]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
