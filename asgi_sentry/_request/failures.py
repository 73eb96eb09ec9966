"""How a request that failed is reported.

Its exceptions, a failed response without one, and its secrets for later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._request.error_policy import is_cancellation
from asgi_sentry._request.facts import scope_for, trouble_of
from asgi_sentry._request.lately import lately
from asgi_sentry._request.plan import DEFAULT_ROOT
from asgi_sentry._request.reported import reported

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._request.facts import Facts
    from asgi_sentry._request.report import Report


def report_failures(facts: Facts) -> None:
    """Send what the app raised, and what was handled behind a failed response."""
    try:
        trouble = trouble_of(facts)
        failure, handled = trouble.failure, trouble.handled
        if failure is not None:
            # Before a rule may ignore it: the server's log of it is ignored as well.
            reported.note(failure)
            sdk.capture_error(facts.view, failure, handled=False)
        # One that was handled and raised again is the same failure.
        if handled is not None and handled.info[1] is not failure:
            sdk.capture_error(facts.view, handled.info, handled=handled.by_intent)
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("reporting an error", exc, "it is lost")
        facts.view.lose("internal_sdk_error", "error")


def count_failed_response(facts: Facts, report: Callable[[], Report]) -> None:
    """A failed response, and no exception in sight.

    The framework answered after its `except` block, or meant it. A bare 500 is what a framework
    answers when nobody handles an exception. Other statuses are meant.
    """
    try:
        status = facts.answered
        if status is None or any(
            rules.policy.ignored(None, scope_for(facts, rules), status)
            for rules in facts.plan.errors
        ):
            return
        if (facts.plan.root or DEFAULT_ROOT).report_failed_responses and not trouble_of(facts).told:
            sdk.capture_response(facts.view, report().named(None, None)[0], status)
        if status == 500 and not trouble_of(facts).ignored:
            facts.scopes.crash_session()
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("reporting a failed response", exc, "it is in no session")


def note_failed(facts: Facts, report: Report) -> None:
    """What is logged of a failure later, by a server say, is scrubbed by this request's secrets."""
    trouble = facts.trouble
    if trouble is not None and (trouble.told or trouble.failed):
        try:
            lately.note_failed(report.secrets.taint())
        except Exception as exc:
            faults.note(
                "keeping a failed request's secrets",
                exc,
                "late logs of it are not scrubbed by them",
            )


def note_cancelled(facts: Facts, exc: BaseException) -> None:
    """A cancelled request has failed if that is wanted.

    A signal, or a generator that is closed, is no failure.
    """
    try:
        if facts.plan.errors and is_cancellation(exc):
            wanted = all(not rules.policy.ignores(exc) for rules in facts.plan.errors)
            trouble_of(facts).failure = exc if wanted else None
    except Exception as fault:
        faults.note("looking at a cancellation", fault, "it is not reported")
