"""A payload as the page shows it.

A tree of plain nodes, each redaction with its rule and its place. `_meta` mirrors the payload;
under the key "" stands what concerns the value itself, its remarks among it. Logs, metrics and
streamed spans have no `_meta`: there the rule is told by the key, where the key would have been
enough.

Nothing here grows beyond what a page can hold: so many nodes, so many levels, so much of a text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asgi_sentry._scrubbing import FILTERED
from asgi_sentry.tools.sink.foreign import dict_of
from asgi_sentry.tools.sink.redactions import UNTOLD, Mark, decided_by_key, rules_at, written

MOST_NODES = 4_000
_DEEPEST = 24
_LONGEST = 4_000
_WIDEST = 400  # members of one container


@dataclass(slots=True)
class Node:
    """A value, or a container of them."""

    key: str
    path: str
    kind: str
    """`text`, `number`, `word` (true, false, null), `object` or `list`."""
    pieces: list[tuple[str, bool]] = field(default_factory=list)
    """Of a text: what is shown, and whether it stands for something redacted."""
    rules: list[str] = field(default_factory=list)
    children: list[Node] = field(default_factory=list)
    size: int = 0
    left_out: int = 0
    """Children that are not shown."""

    @property
    def shown(self) -> str:
        """The value as one text."""
        return "".join(piece for piece, _ in self.pieces)

    @property
    def redacted(self) -> bool:
        """Whether anything of the value itself was redacted."""
        return bool(self.rules)


class Reader:
    """Makes nodes of a payload's parts, and remembers the redactions that it met.

    Args:
        meta: the payload's `_meta`.
        most: nodes that are made in all.
    """

    def __init__(self, meta: Any = None, most: int = MOST_NODES) -> None:
        self._meta, self._left = meta, most
        self.marks: list[Mark] = []

    def read(self, value: Any, *path: str | int) -> Node:
        """The node of what stands at a path of the payload."""
        meta = self._meta
        for step in path:
            meta = dict_of(meta).get(str(step))
        return self._node(value, meta, path, 0)

    def _node(self, value: Any, meta: Any, path: tuple[str | int, ...], depth: int) -> Node:
        self._left -= 1
        key, place = str(path[-1])[:200] if path else "", written(path)
        rules = rules_at(meta)
        if isinstance(value, (dict, list)):
            kind = "object" if isinstance(value, dict) else "list"
            node = Node(key, place, kind, size=len(value))
            node.rules = rules
            self._note(path, rules, told=True)
            self._fill(node, value, meta, path, depth)
            return node
        if isinstance(value, str):
            node = Node(key, place, "text", size=len(value), rules=rules)
            node.pieces = _pieces(value, whole=bool(rules))
            if not rules and FILTERED in value:
                by_key = value == FILTERED and decided_by_key(key)
                node.rules = ["@password"] if by_key else [UNTOLD]
                self._note(path, node.rules, told=False)
            else:
                self._note(path, rules, told=True)
            return node
        self._note(path, rules, told=True)
        if value is None or isinstance(value, bool):
            word = {None: "null", True: "true", False: "false"}[value]
            return Node(key, place, "word", [(word, False)], rules)
        return Node(key, place, "number", [(_number(value), False)], rules)

    def _fill(
        self, node: Node, value: Any, meta: Any, path: tuple[str | int, ...], depth: int
    ) -> None:
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for step, inner in members:
            if self._left <= 0 or depth >= _DEEPEST or len(node.children) >= _WIDEST:
                node.left_out = len(value) - len(node.children)
                return
            of_inner = dict_of(meta).get(str(step))
            node.children.append(self._node(inner, of_inner, (*path, step), depth + 1))

    def _note(self, path: tuple[str | int, ...], rules: list[str], *, told: bool) -> None:
        self.marks += [Mark(path, rule, told) for rule in rules]


def _pieces(text: str, *, whole: bool) -> list[tuple[str, bool]]:
    """A text around what was redacted in it.

    `whole` where remarks say so without any mark in the text.
    """
    shown = text
    if len(text) > _LONGEST:
        shown = text[:_LONGEST] + " …"
    pieces: list[tuple[str, bool]] = []
    for number, part in enumerate(shown.split(FILTERED)):
        if number:
            pieces.append((FILTERED, True))
        if part:
            pieces.append((part, False))
    if whole and len(pieces) == 1 and not pieces[0][1]:
        return [(pieces[0][0], True)]  # such as a hash in place of the value
    return pieces


def _number(value: Any) -> str:
    try:
        return str(value)[:60]
    except ValueError:  # an integer of thousands of digits
        return "(a very long number)"
