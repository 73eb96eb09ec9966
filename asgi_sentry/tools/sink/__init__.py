"""An ingestion endpoint on loopback that speaks Sentry's envelope protocol, to see what an app really sends.

```python
with Sink() as sink:
    sentry_sdk.init(dsn=sink.dsn)
    ...
    sink.wait_for("transaction", 3)
    assert b"hunter2" not in sink.raw
```
"""

from asgi_sentry.tools.sink.envelope import BadEnvelopeError, Envelope, Item, decode_body, parse_envelope
from asgi_sentry.tools.sink.server import Received, Sink

__all__ = ["BadEnvelopeError", "Envelope", "Item", "Received", "Sink", "decode_body", "parse_envelope"]
