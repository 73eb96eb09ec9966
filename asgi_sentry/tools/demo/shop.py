"""What the demo's three apps do, framework left aside.

A small shop whose code is as careless as real code is. It logs what it should not, keeps
credentials in local variables and puts them into exception texts. Everything here is meant to end
up in what the SDK collects; nothing of it may arrive.
"""

from __future__ import annotations

import base64
import json
import logging
from dataclasses import dataclass
from typing import Any

import asgi_sentry

logger: logging.Logger = logging.getLogger("shop")


@dataclass
class Credentials:
    """Who asks, with a generated repr, as such classes have it."""

    username: str
    password: str


class ShopError(Exception):
    """What goes wrong in the shop."""


@asgi_sentry.trace_function(op="ai.chat")
async def chat(question: dict[str, Any], *, fail: bool) -> dict[str, Any]:
    """Answer a question; the body carries the user's credentials for a tool, three levels deep."""
    asgi_sentry.set_user_context(user_id=str(question.get("user", "nobody")))
    tool = question["tools"][0]
    asgi_sentry.add_breadcrumb(
        f"calling {tool['url']}", category="tool", data={"auth": tool["auth"]}
    )
    prompt = json.dumps(question)
    if fail:
        # The shape in which HTTP clients like to fail: with the whole URL and the header in the
        # text.
        raise ShopError(
            f"calling {tool['url']} with Authorization: Bearer {tool['auth']['token']} failed: 502"
        )
    return {"answer": f"{len(prompt)} characters are a long question"}


async def voice(audio: bytes, token: str, *, fail: bool) -> dict[str, Any]:
    """Transcribe a recording; the token came in the query."""
    logger.info("transcribing %d bytes with token=%s", len(audio), token)
    callback = f"https://voice.example.com/done?token={token}&size={len(audio)}"
    if fail:
        raise ShopError(f"the recording can't be read; was to be reported to {callback}")
    return {"text": "hello", "bytes": len(audio)}


def login(username: str, password: str, *, fail: bool) -> dict[str, Any]:
    """Check a password; synchronous, so that two of the apps run it in a worker thread."""
    credentials = Credentials(username, password)
    header = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    logger.warning("login of %s with %s", username, credentials)
    if fail:
        raise ShopError(f"the directory refused {credentials!r} sent as {header}")
    return {"welcome": username}


def upload(name: str, size: int, share_password: str, *, fail: bool) -> dict[str, Any]:
    """Store a file that is shared by a password."""
    values = f"'{name}', {size}, '{share_password}'"
    # It reaches an exception's text only.
    statement = f"INSERT INTO files (name, size, share_password) VALUES ({values})"  # noqa: S608
    if fail:
        raise ShopError(f"could not execute: {statement}")
    return {"stored": name}


async def order(order_id: str) -> dict[str, Any]:
    """One order."""
    return {"order": order_id, "state": "on its way"}


def break_down(settings: dict[str, str], session: str) -> None:
    """Fail as a driver does, naming the database with its password.

    It does so while it handles another error.
    """
    try:
        settings[session]
    except KeyError as missing:
        raise ShopError(
            f"no connection to {settings['database_url']} for session={session}"
        ) from missing


async def echo(message: str, *, fail: bool) -> str:
    """Answer a websocket's message."""
    if fail:
        raise ShopError(f"can't parse the message {message}")
    return message.upper()
