"""The budgets of this process: made here, so that what is left of them can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry import _state as state
from asgi_sentry._sampling.budgets import Budget, BudgetStatus, parse_budget
from asgi_sentry._sampling.rate import Limit

if TYPE_CHECKING:
    from asgi_sentry._sampling.redis.leased_budget import LeasedBudget
    from asgi_sentry._sampling.redis.shared import SharedLimits

_made: dict[str, Budget | LeasedBudget] = {}
state.register("_sampling.spending: the budgets that were made", _made.clear)


def budget(
    text: str | None, *, what: str, workers: int = 1, sharing: SharedLimits | None = None
) -> Budget | LeasedBudget | None:
    """The budget that a layer's argument asks for.

    The last one made under a name is the one that is shown.

    Args:
        text: such as `"10000/month"`; None: no budget.
        what: the name of the argument, for messages and for `budgets`.
        workers: the number of processes that divide it between them, where they don't share it.
        sharing: between processes, by Redis.

    Raises:
        TypeError, ValueError: the text can't be read, or is too little for so many workers.
    """
    if text is None:
        return None
    if sharing is not None:
        made: Budget | LeasedBudget = sharing.budget(what, Limit.parse(text, what=what))
    else:
        made = Budget(parse_budget(text, what=what, workers=workers), name=what)
    _made[what] = made
    return made


def forget_budget(what: str) -> None:
    """Show a budget no more: whatever spent of it is gone."""
    _made.pop(what, None)


def budgets() -> dict[str, BudgetStatus]:
    """What is left of each budget, as far as this process knows.

    `budget` is of transactions, `error_budget` of errors.

    Returns:
        For each: `count`, `spent`, `remaining`, `available` now, and `resets_at`.
    """
    return {what: made.status() for what, made in _made.items()}
