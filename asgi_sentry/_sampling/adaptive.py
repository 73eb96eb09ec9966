"""`Adaptive`: shares a target, so many transactions a second, between an app's route templates.

At 20 a second over all, plain dice show the busiest route 19 times and the rare one never. Here
every template gets a share in proportion to the *logarithm* of its traffic (as in Honeycomb's
dynsampler); what a rare one does not use goes to the others. The traffic of each is an exponential
moving average, set anew once a second, and at once when a burst comes. A template that was not seen
for a minute is kept whatever the dice say.

The template is known only after routing, and the decision is made before. So templates are
*learned*: the layer hands in the one that the router found (`learn`), and from the next second on
the head finds it by the raw path, with the same matcher as for path rules, the more literal
template first. What matches none, or was not learned yet, is "the rest", one template like the
others. Templates come from the app's own routing table, at most `MAX_TEMPLATES` of them, so that an
outsider can add none by asking for paths; raw paths are never kept.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING, Any

from asgi_sentry._paths import PathRules
from asgi_sentry._sampling.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asgi_sentry._sampling.rate import Limit

MAX_TEMPLATES = 512
TICK = 1.0
"""Seconds between two looks at the traffic."""
MEMORY = 5.0
"""Seconds after which a past second has 1/e of its weight: short enough to follow a burst's end.

Or as many as it takes to keep `ENOUGH` by the target, if that is longer: the traffic of a template
must not be forgotten between two requests that the target allows for.
"""
ENOUGH = 20
BURST = 2.0
"""A tick ends early once it holds this many times what was expected of it."""
FEW = 5
"""Fewer requests of a template than this in a tick are chance and not a burst."""
GAIN = 0.05
"""The part of a miss of the target that is made good in each second."""
UNSEEN = 60.0
"""Seconds without one being kept after which the next is."""

_PARAMETER = re.compile(r"\{[^{}]*\}")


def shares(traffic: Sequence[float], target: float) -> list[float]:
    """The probabilities that make `target` out of `traffic`, both per second.

    Each gets a share of the target in proportion to log(1 + requests a minute). Who has less
    traffic than that keeps all of it and leaves the rest of its share to the others, so that the
    sum of what is kept is the target, or all if the traffic is less.
    """
    weights = [math.log1p(60 * rate) for rate in traffic]
    # By traffic for each part of a share. Once a share does not suffice for its traffic, none that
    # follows does.
    order = sorted(
        (i for i, rate in enumerate(traffic) if rate > 0), key=lambda i: traffic[i] / weights[i]
    )
    found = [1.0] * len(traffic)
    left, weight = target, math.fsum(weights)
    for i in order:
        share = left
        if weight > 0:
            share = left * weights[i] / weight
        if share < traffic[i]:
            found[i] = share / traffic[i]
            share = found[i] * traffic[i]
        left -= min(share, traffic[i])
        weight -= weights[i]
    return found


class _Template:
    """One template's traffic, probability and account."""

    __slots__ = ("born", "count", "kept_at", "ledger", "probability", "traffic")

    def __init__(self, probability: float, now: float) -> None:
        self.born = now
        self.count = 0  # in this tick
        self.traffic = 0.0  # per second
        self.probability = probability
        self.kept_at = now - UNSEEN
        self.ledger = Ledger()


class Adaptive:
    """The state of one adaptive rate. All its times are seconds of `clock`.

    `target` may be set at any time, transactions a second for this process: it is how a target is
    shared.
    """

    __slots__ = (
        "_aim",
        "_burst",
        "_clock",
        "_kept",
        "_matcher",
        "_new",
        "_rest",
        "_rules",
        "_seen",
        "_templates",
        "_ticked",
        "target",
        "unseen",
    )

    def __init__(self, target: Limit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.target: float = target.per_second
        self.unseen: float = UNSEEN
        self._clock = clock
        now = clock()
        self._rest = _Template(1.0, now)
        self._templates: dict[str, _Template] = {}
        self._rules: dict[str, str] = {}  # by template
        self._matcher: PathRules[_Template] = PathRules(())
        self._new = False
        self._ticked = now
        self._seen = 0
        self._kept = 0
        self._aim = self.target
        self._burst = max(2.0 * FEW, self.target * TICK)

    def choose(self, scope: Mapping[str, Any] | None, sample_rand: float) -> float | None:
        """The effective rate of a request that is kept, None for one that is not."""
        now = self._clock()
        self._seen += 1
        if now - self._ticked >= TICK or self._seen > self._burst:
            self._tick(now)
        template = None
        if scope is not None:
            template = self._matcher.match(scope)
        if template is None:
            template = self._rest
        template.count += 1
        if sample_rand >= template.probability and now - template.kept_at < self.unseen:
            template.ledger.drop()
            return None
        template.kept_at = now
        self._kept += 1
        return 1 / template.ledger.keep()

    def learn(self, template: str) -> None:
        """Take note of the template that the router found. Cheap if it is known."""
        if template in self._templates or len(self._templates) >= MAX_TEMPLATES:
            return
        self._templates[template] = _Template(self._rest.probability, self._clock())
        rule = "/".join(_segment(part) for part in template.split("/"))
        try:
            PathRules([(rule, None)])
        except ValueError:  # the language can't say it, so its requests stay in the rest
            return
        self._rules[template] = rule
        self._new = True

    @property
    def traffic(self) -> float:
        """Requests a second, of all templates."""
        return self._rest.traffic + math.fsum(
            template.traffic for template in list(self._templates.values())
        )

    def _tick(self, now: float) -> None:
        if self._new:
            self._new = False
            texts = sorted(self._rules, key=_literalness)
            self._matcher = PathRules((self._rules[text], self._templates[text]) for text in texts)
        # A burst ends a tick early; below this the traffic of a moment would be noise.
        elapsed = max(now - self._ticked, TICK / 20)
        memory = max(MEMORY, ENOUGH / self.target)
        fade = math.exp(-elapsed / memory)
        every = [self._rest, *self._templates.values()]
        for template in every:
            latest = template.count / elapsed
            if latest > BURST * template.traffic and template.count > max(
                FEW, self.target * TICK / FEW
            ):
                template.traffic = latest  # up at once, down with time
            else:
                # The traffic of a young template is the plain mean: it need not climb up from
                # nothing.
                age = now - template.born
                kept = fade
                if age <= memory:
                    kept = max(0.0, 1 - elapsed / max(age, elapsed))
                template.traffic = template.traffic * kept + latest * (1 - kept)
            template.count = 0
        # More is kept than the shares say. Estimates err upwards (the mean of 1 / estimate is above
        # 1 / mean), and requests of routes that were not seen lately come on top. So the aim is the
        # target, moved by as much as was missed lately.
        traffic = math.fsum(template.traffic for template in every)
        if traffic > self.target:
            missed = self.target - self._kept / elapsed
        else:
            missed = self.target - self._aim
        self._aim = min(
            max(self._aim + min(GAIN * elapsed, 1.0) * missed, self.target / 10), self.target * 2
        )
        for template, probability in zip(
            every, shares([t.traffic for t in every], self._aim), strict=True
        ):
            template.probability = probability
        # Requests of routes that were not seen lately may be a quarter of the target at most.
        self.unseen = max(UNSEEN, 4 * len(every) / self.target)
        self._ticked = now
        self._seen = self._kept = 0
        self._burst = max(2.0 * FEW, self.target * TICK, BURST * traffic * TICK)


def _segment(text: str) -> str:
    """A segment of a framework's template in the language of path rules."""
    if ":path}" in text:
        return "{rest:path}"
    whole = _PARAMETER.sub("*", text)
    return re.sub(r"\*+", "*", whole)


def _literalness(text: str) -> tuple[bool, int, int]:
    parts = text.split("/")
    return (":path}" in text, sum("{" in part for part in parts), -len(parts))
