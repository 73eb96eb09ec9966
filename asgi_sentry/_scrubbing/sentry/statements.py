"""Parameters of SQL beside their statement: `db.params` of a span or a breadcrumb.

The SDK attaches them where it is told to (`record_sql_params`): to the span whose description is
the statement, and to the breadcrumb whose message is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.text.sql import secret_parameters

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.text.sql import Parameters
    from asgi_sentry._scrubbing.tree.walk import Walk

__all__ = ["PARAMETERS", "data"]

PARAMETERS = "db.params"
_STATEMENTS = ("description", "message")
_MOST_ROWS = 1000


def data(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """What is told of a span or a breadcrumb, with the parameters of its statement."""
    if value.__class__ is dict and PARAMETERS in value:
        statement = next((holder[name] for name in _STATEMENTS if name in holder), None)
        if statement.__class__ is str:
            secret = secret_parameters(statement, walk.ruleset.keys)
            if secret.width or secret.names:
                value = walk.own(value, holder, key)
                _redact(walk, secret, value, (place, key))
    walk.add(value, holder, key, place)


def _redact(walk: Walk, secret: Parameters, source: dict[str, Any], place: Any) -> None:
    """Redact the parameters that are for columns that are secret, of one row or of several."""
    rows: list[tuple[Any, Any, Any]] = [(source, PARAMETERS, place)]
    for number, (holder, key, where) in enumerate(rows):  # which grows meanwhile
        if number > _MOST_ROWS:
            holder[key] = FILTERED
            walk.notes.add(where, key, PASSWORD)
            continue
        row = holder[key]
        if row.__class__ is not dict and row.__class__ is not list:
            continue
        row = walk.own(row, holder, key)
        here = (where, key)
        for name, value in list(row.items() if row.__class__ is dict else enumerate(row)):
            if value.__class__ is dict or value.__class__ is list:
                rows.append((row, name, here))
            elif _is_secret(secret, row, name) and value not in (None, True, False, FILTERED):
                if value.__class__ is str:
                    walk.secrets.append(value)
                row[name] = FILTERED
                walk.notes.add(here, name, PASSWORD)


def _is_secret(secret: Parameters, row: Any, name: Any) -> bool:
    if row.__class__ is dict:
        return name in secret.names
    return bool(secret.width) and name % secret.width in secret.positions
