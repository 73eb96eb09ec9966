"""Sentry's ingestion on loopback, by its envelope protocol, to see what an app really sends.

```python
with Sink() as sink:
    sentry_sdk.init(dsn=sink.dsn)
    ...
    sink.wait_for("transaction", 3)
    assert b"hunter2" not in sink.raw
```
"""

from asgi_sentry.tools.sink.encodings import decode_body
from asgi_sentry.tools.sink.envelope import BadEnvelopeError, Envelope, Item, parse_envelope
from asgi_sentry.tools.sink.outages import Outage
from asgi_sentry.tools.sink.protocol import Received
from asgi_sentry.tools.sink.server import Sink

__all__ = [
    "BadEnvelopeError",
    "Envelope",
    "Item",
    "Outage",
    "Received",
    "Sink",
    "decode_body",
    "parse_envelope",
]
