"""The user that is sent with a request, whose id may be a secret itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry._request.user_policy import NOBODY_ASKED
from asgi_sentry._scrubbing import basic_users

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._request.facts import Facts
    from asgi_sentry._request.secrets import Secrets
    from asgi_sentry._scrubbing import Taint

CLIENT = "client.address"


class Identity:
    """Who a request is sent as. Caches what was described last."""

    __slots__ = ("_checked", "_doubted", "_facts", "_secrets", "_user")

    def __init__(self, facts: Facts, secrets: Secrets) -> None:
        self._facts = facts
        self._secrets = secrets
        self._user: dict[str, Any] = {}
        self._checked: tuple[Taint, str] | None = None  # a user's id that is none of these secrets
        self._doubted: str | None = None  # the user's id, where it may be a secret itself

    def describe(
        self, given: Mapping[str, Any] | None, *, found: bool | None = None, checked: bool = True
    ) -> dict[str, Any]:
        """The user to send: given by the SDK's own `set_user`, bound by our helper, or resolved.

        Args:
            given: by the SDK's own `set_user`.
            found: whether it may be more than the app says itself; the default is what the
                request's own client may.
            checked: whether an id that is a secret itself is left out; False where it is scrubbed
                with an event.
        """
        facts = self._facts
        bound = {**(given or {}), **facts.bound_user}
        if facts.plan.user is None and not facts.bound_user:
            return bound
        asked = facts.plan.user or NOBODY_ASKED
        if found is None:
            found = facts.view.collection.user
        if not found:  # then it is what the app says, and nothing else
            asked = replace(asked, resolve=None, client_ip="drop")
        self._user = asked.describe(facts.scope, given=bound)
        self._doubted = None
        if asked.key is None and "id" in self._user:
            self._doubted = str(self._user["id"])
            if checked:
                self._check_id(self._doubted)
        return self._user

    def _check_id(self, identity: str) -> None:
        """Drop the user's id if it is an e-mail address, or a secret such as an API key."""
        taint = self._secrets.taint()
        if self._checked is not None and self._checked[0] is taint and self._checked[1] == identity:
            return  # for an item that was sent before
        if (
            self._is_basic_user(identity)
            or self._secrets.scrubber.scrub(identity, taint=taint) == identity
        ):
            self._checked = taint, identity
        else:
            self.drop_id()

    def _is_basic_user(self, identity: str) -> bool:
        """Whether it is the name in Basic credentials, by which who calls is known."""
        return identity in basic_users(self._facts.scope.get("headers") or ())

    def drop_id(self) -> None:
        self._user = {field: value for field, value in self._user.items() if field != "id"}
        faults.once(
            "A user's id is not sent: it is an e-mail address or a secret of the request. "
            "UserContextMiddleware(pseudonymize_with=KEY) sends a keyed hash in its place."
        )

    def take_out_decided(self, event: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
        """Take out of an event's user what the user layer put there.

        It is there by the team's decision.

        Returns:
            What was taken out; and the id if it stays, since nobody knows yet whether it is a
            secret itself.
        """
        user = event.get("user")
        if not isinstance(user, dict):
            return {}, None
        decided = {field: value for field, value in user.items() if self._user.get(field) == value}
        doubted = decided.get("id")
        if doubted is not None and doubted == self._doubted and not self._is_basic_user(doubted):
            del decided["id"]
        else:
            doubted = None
        event["user"] = {field: value for field, value in user.items() if field not in decided}
        return decided, doubted

    def attributes(self) -> list[tuple[str, Any]]:
        """What was described last, as the attributes that hold it."""
        names = [(user_attribute(field), value) for field, value in self._user.items()]
        if "ip_address" in self._user:
            names.append((CLIENT, self._user["ip_address"]))
        return names


def user_attribute(field: str) -> str:
    """https://develop.sentry.dev/sdk/telemetry/attributes/ calls the username a name."""
    return f"user.{'name' if field == 'username' else field}"
