"""How the root span of a request ends.

Sent, kept by its end, dropped, or as it was decided at the head.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asgi_sentry import _faults as faults
from asgi_sentry._counters import count_transaction
from asgi_sentry._request.facts import status_of
from asgi_sentry._request.routes import found_route, template_below
from asgi_sentry._sampling.request_outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry import _sdk as sdk
    from asgi_sentry._request.decided import Decision
    from asgi_sentry._request.facts import Facts, Handled
    from asgi_sentry._request.report import Report
    from asgi_sentry._sampling.late import Late


def end_root(facts: Facts, failure: BaseException | None, report: Callable[[], Report]) -> None:
    """End the root span, if there is one, and count what became of it.

    Args:
        facts: of the request.
        failure: what the app raised, by now.
        report: gives what is sent of the request; asked only for a span that is sent.
    """
    root, decided = facts.root, facts.decision
    if root is None or decided is None:
        return
    try:
        if decided.rule is not None and decided.rule.adaptive is not None:
            template = template_below(facts.scope, facts.ruled_below, facts.app)
            if template is not None:
                decided.rule.learn(template)
        if root.recording:
            became = _end_recorded(facts, root, decided, failure, report)
        else:
            became = decided.by
            root.finish(failure)
        if root.hides_its_trace:
            facts.scopes.go_on(facts.view, facts.context, root)
    except Exception as exc:
        became = decided.by
        if root.may_be_decided_late:
            faults.note("ending a transaction", exc, "it is lost")
            became = "lost"
            root.drop("internal_sdk_error")
        else:
            faults.note("ending a transaction", exc, "it goes without its description")
            root.finish(failure)
    count_transaction(became)


def _end_recorded(
    facts: Facts,
    root: sdk.Root,
    decided: Decision,
    failure: BaseException | None,
    report: Callable[[], Report],
) -> str:
    """End a root span that may yet be sent: what became of it."""
    sampled = root.sampled
    became = "sampled" if sampled else decided.by
    if not root.may_be_decided_late:
        _send(facts, root, failure, report)
    elif not facts.plan.drops(status_of(facts)):
        if _is_kept(facts, root, decided, failure) and not sampled:
            became = "kept"
        _send(facts, root, failure, report)
    elif sampled:
        root.drop("event_processor")  # as the SDK counts its `trace_ignore_status_codes`
        became = "status"
    else:
        root.finish(failure)  # for the dice had said no before
    return became


def _is_kept(
    facts: Facts, root: sdk.Root, decided: Decision, failure: BaseException | None
) -> bool:
    """Whether a rule about the end of requests decides to send this one.

    It then stands for as many as that says.
    """
    late = _late(facts, failure, sampled=root.sampled)
    if late is None:
        return False
    if root.sampled or decided.by == "budget":
        facts.plan.disown(decided.weight if root.sampled else None)
    weight = None if late.rate is None else facts.plan.afford_late(spent=root.sampled)
    if late.rate is None or weight is None:
        return False
    if not root.sampled:
        # Why it is there, for whoever looks at it.
        root.set_attributes({"asgi_sentry.kept": late.rule})
    root.keep(late.rate / weight)
    return True


def _late(facts: Facts, failure: BaseException | None, *, sampled: bool) -> Late | None:
    if facts.plan.late is None:
        return None
    outcome = Outcome(
        status=status_of(facts),
        seconds=(time.monotonic() if facts.ended is None else facts.ended) - facts.began,
        failed=failure is not None or _handled(facts) is not None,
    )
    return facts.plan.late.settle(outcome, sampled=sampled)


def _send(
    facts: Facts, root: sdk.Root, failure: BaseException | None, report: Callable[[], Report]
) -> None:
    """End a root span that was recorded, described if it is sampled by now."""
    if root.sampled:
        status = status_of(facts)
        if status is not None:
            root.set_status(status)
        try:
            described = report()
            root.name, root.source = described.named(root.name, root.source)
            root.set_attributes(described.root_attributes(whole=not root.has_request_section))
            if facts.view.profiled or (root.threads is not None and root.threads.any):
                found = found_route(facts.scope, facts.app)
                if found is not None:
                    root.ran(found.endpoint)
        except Exception as exc:
            faults.note("describing the request", exc, "its transaction goes without it")
        if facts.ended is not None:
            try:
                # One that was answered and is raised on, as Starlette does it, is the request's
                # own; any other is that of the work behind the response.
                handled = _handled(facts)
                answered = handled is not None and handled.info[1] is failure
                worked = facts.afterwards is None or facts.afterwards.worked
                root.ended(
                    facts.ended, facts.returned, None if answered else failure, worked=worked
                )
                if not answered:
                    failure = None
            except Exception as exc:
                faults.note(
                    "describing what came after a response", exc, "its transaction goes without it"
                )
    root.finish(failure)


def _handled(facts: Facts) -> Handled | None:
    """The exception behind a failed response."""
    if facts.trouble is None:
        return None
    return facts.trouble.handled
