"""The transport of every variant that sends to Sentry: the SDK's own up to its worker, and nothing behind it."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sentry_sdk.transport import HttpTransport
from sentry_sdk.worker import BackgroundWorker, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sentry_sdk.envelope import Envelope


class _AtOnce(Worker):
    """Does at once what the SDK's worker does in its thread, so that nothing is cheap by being done later."""

    is_alive = True

    def kill(self) -> None:
        """Nothing runs."""

    def full(self) -> bool:
        return False

    def submit(self, callback: Callable[[], Any]) -> bool:
        callback()
        return True


class Bench(HttpTransport):
    """Counts what comes, keeps it while a guard looks, and drops it before it is serialised.

    Losses are counted by the SDK's own code. Serialising and compressing come next for everyone alike, in the
    worker's thread, and would only blur what differs.
    """

    last: Bench | None = None

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__(options)
        self.sent: Counter[str | None] = Counter()  # items by type
        self._kept: list[Envelope] | None = None  # while a guard looks
        Bench.last = self

    def _create_worker(self, options: dict[str, Any]) -> Worker:
        return _AtOnce()

    def threaded(self) -> Any:
        """The worker of production."""
        return BackgroundWorker(queue_size=self.options["transport_queue_size"])

    @contextmanager
    def in_thread(self) -> Iterator[Callable[[], None]]:
        """Within, the worker is the one of production, a thread that also serialises; given is what waits for it."""
        at_once, worker = self._worker, self.threaded()
        self._worker = worker
        try:
            yield lambda: worker.flush(timeout=5)
        finally:
            worker.kill()
            self._worker = at_once

    def _send_envelope(self, envelope: Envelope) -> None:
        if not isinstance(self._worker, _AtOnce):
            gzip.compress(envelope.serialize())
        for item in envelope.items:
            self.sent[item.type] += 1
        if self._kept is not None:
            self._kept.append(envelope)

    def _flush_client_reports(self, force: bool = False) -> None:
        """Left where they are, for the guards to read."""

    @contextmanager
    def keeping(self) -> Iterator[dict[str, list[dict[str, Any]]]]:
        """What was sent within, by kind, as it would be on the wire; there at the end."""
        found: dict[str, list[dict[str, Any]]] = {"event": [], "transaction": []}
        self._kept = []
        try:
            yield found
            for envelope in self._kept:
                for item in envelope.items:
                    if item.type in found:
                        found[item.type].append(json.loads(item.get_bytes()))
        finally:
            self._kept = None

    def losses(self) -> dict[tuple[str, str], int]:
        """By category and reason, so far."""
        return dict(self._discarded_events)

    @classmethod
    def counts(cls) -> dict[str, int]:
        """What was sent and what was not sampled, so far; nothing where there is no transport."""
        if cls.last is None:
            return {}
        unsampled = cls.last.losses().get(("transaction", "sample_rate"), 0)
        return {**{str(kind): number for kind, number in cls.last.sent.items()}, "unsampled": unsampled}
