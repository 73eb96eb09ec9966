"""Law 1 for conversations that nobody thought of: odd scopes, odd messages, faults and cancellation anywhere."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given

from tests.conversations import Conversation, conversations, hold
from tests.fuzz import STACKS, differing

pytestmark = pytest.mark.untraced

SECONDS = float(os.environ.get("ASGI_SENTRY_CONVERSATIONS", "1"))
"""Of processor time; how many conversations fit in is the machine's matter. `python -m tests.fuzz` takes longer."""
FEWEST = 25  # in a second, on a slow machine


@pytest.mark.parametrize("stack", STACKS)
@given(conversations())
def test_a_conversation_is_as_without_us(start, mode, stack, what: Conversation):
    start()
    assert hold([what], STACKS[stack]) == hold([what], None)


def test_many_conversations_at_once_are_as_without_us(start):
    """By dice that are thrown anew at each run; a failure says which seed it was."""
    transport = start(traces_sample_rate=0.2, include_source_context=False, include_local_variables=False)
    held, wrong = differing(50_000, SECONDS, time.time_ns() % 10**9, transport)
    assert wrong == []
    assert held > FEWEST * SECONDS
