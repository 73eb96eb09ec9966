"""What was decided in this process since its start, by reason. A forked child begins at zero.

Counting is one dictionary entry a decision. Threads that count at the very same time may lose one
of the two.
"""

from __future__ import annotations

import os
from collections import defaultdict

from asgi_sentry import _state as state

transactions: defaultdict[str, int] = defaultdict(int)
_errors: defaultdict[str, int] = defaultdict(int)
_cut: defaultdict[str, int] = defaultdict(int)
_faults: defaultdict[str, int] = defaultdict(int)
state.register("_counters: faults", _faults.clear)
_MOST = 256  # parts that may fail: they are few, and named by us
state.register("_counters: decisions about transactions", transactions.clear)
_lanes: defaultdict[str, int] = defaultdict(int)
state.register("_counters: what became of errors", _errors.clear)
state.register("_counters: what was too much to be looked at", _cut.clear)
state.register("_counters: which way transactions took", _lanes.clear)


def count_transaction(reason: str) -> None:
    """Count a request by what became of its transaction."""
    transactions[reason] += 1


def count_error(reason: str) -> None:
    """Count an error by what became of it."""
    _errors[reason] += 1


def count_cut(what: str) -> None:
    """Count something of a request that was too much to be looked at, and is described."""
    _cut[what] += 1


def count_fault(what: str) -> None:
    """Count a failure of ours, or of a callback of the user's, by the part that failed."""
    if what in _faults or len(_faults) < _MOST:
        _faults[what] += 1


def count_lane(lane: str) -> None:
    """Count a transaction by the way it took from its end to the transport."""
    _lanes[lane] += 1


def counters() -> dict[str, dict[str, int]]:
    """What became of each request's transaction and of each error, in this process since its start.

    Returns:
        Under `transactions`: `sampled`; `kept` by a late decision; `excluded`; not sampled by
        `parent`, `dice`, `adaptive`, `at_most` or `budget`, or by the SDK's own rate or sampler
        (`sdk`); dropped late by `status`; `lost` by a fault.
        Under `errors`: `sent`, `repeated`, or not sent because of `exception`, `status`, `path`,
        `limit` or `budget`.
        Under `cut`: what requests held beyond the bounds of what is looked at, and is described in
        place of being shown: `headers`, `cookies`, a text's `length`, `secrets` that are not all
        known by value.
        Under `faults`: what failed, of ours or of your callbacks, such as `resolve`.
        Under `lanes`: how many transactions went the `direct` way to the transport, and how many
        the SDK's (`general`).
    """
    return {
        "transactions": dict(transactions),
        "errors": dict(_errors),
        "cut": dict(_cut),
        "faults": dict(_faults),
        "lanes": dict(_lanes),
    }


def _begin_child() -> None:
    for each in (transactions, _errors, _cut, _faults, _lanes):
        each.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_begin_child)
