"""The thread that sends, in the place of the SDK's worker.

It does what that does, in turn and with the same bound, and is woken less often. The app does not
wake it for each envelope: while many come it looks itself, a few milliseconds after it has sent all
that there was, and what has come meanwhile goes in one go. It holds no lock while it works, and
does not pause after each envelope.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from asgi_sentry import _sdk as sdk

if TYPE_CHECKING:
    from collections.abc import Callable

    Job = Callable[[], object]

logger = logging.getLogger("sentry_sdk.errors")  # which says it only where `debug` is on

_PAUSE = 0.01  # seconds in which the next ones are waited for, while many come
_PATIENCE = 0.1  # seconds after which a flush says that it waits


class Courier:
    """Runs what is submitted, one after the other, in a thread of its own.

    Args:
        size: how much may wait.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.renew()
        sdk.renew_in_child(self)

    def renew(self) -> None:
        """Begin anew, in a forked child: what waits is the parent's, and so is the thread."""
        # Nothing here but what may be entered again by the same thread: what the garbage collector
        # ends may send something at any moment.
        self._lock = threading.RLock()
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._bell = threading.Lock()  # released by whoever can't wait
        self._bell.acquire()
        self._thread: threading.Thread | None = None

    @property
    def is_alive(self) -> bool:
        """Whether there is a thread."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def full(self) -> bool:
        """Whether no more may wait."""
        return self._queue.qsize() >= self._size

    def submit(self, job: Job) -> bool:
        """Have something run; False if too much waits already."""
        waiting = self._queue.qsize()
        if waiting >= self._size:
            return False
        self._queue.put(job)
        if self._thread is None:
            self.start()
        elif sdk.SOME * waiting >= self._size:
            self._ring()
        return True

    def start(self) -> None:
        """Start the thread, if there is none."""
        with self._lock:
            if self.is_alive:
                return
            thread = threading.Thread(
                target=self._run, name="sentry-sdk.BackgroundWorker", daemon=True
            )
            self._thread = thread
            try:
                # Without what the caller's context holds, which may be a request.
                contextvars.Context().run(thread.start)
            except RuntimeError:  # the interpreter ends: nothing can be sent any more
                self._thread = None

    def kill(self) -> None:
        """End the thread, when it has done what was submitted so far."""
        with self._lock:
            if self._thread is not None:
                self._thread = None
                self._queue.put(None)
                self._ring()

    def flush(self, timeout: float, callback: Callable[[int, float], Any] | None = None) -> None:
        """Wait until all has run that was submitted, and what that has submitted in its turn.

        Args:
            timeout: seconds to wait at most.
            callback: is told how much is pending, and that time, where it takes longer.
        """
        if timeout <= 0 or not self.is_alive:
            return
        done = threading.Event()
        self._queue.put(lambda: self._queue.put(done.set))
        self._ring()
        patience = min(_PATIENCE, timeout)
        if done.wait(patience):
            return
        if callback is not None:
            callback(self._queue.qsize() + 1, timeout)
        if not done.wait(timeout - patience):
            logger.error("flush timed out, dropped %s events", self._queue.qsize() + 1)

    def _ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._bell.release()

    def _run(self) -> None:
        try:
            while self._round():
                continue
        finally:
            if self._thread is threading.current_thread():
                self._thread = None

    def _round(self) -> bool:
        """Wait, and run all that there is; False: the end was asked for."""
        before = time.monotonic()
        job = self._queue.get()
        many = time.monotonic() - before < _PAUSE
        while job is not None:
            try:
                job()
            except Exception:
                logger.exception("Failed processing job")
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            many = True
        else:
            return False
        del job  # and the envelope with it
        self._bell.acquire(blocking=False)
        if many and self._queue.empty():
            self._bell.acquire(timeout=_PAUSE)
        return True
