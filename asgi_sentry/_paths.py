r"""Path rules: one small language for the filter and the sampling layer, compiled once.

A rule is matched on the path that the wrapped app's router sees (see `route_path`), case-sensitive:

| rule | matches |
|---|---|
| `/health` | `/health` and `/health/`, never `/healthcare`: one trailing slash never matters |
| `/assets/*.css` | `*` is one or more characters within a segment |
| `/items/{id}` | `{id}` is one whole segment; `{id:int}`, `float`, `uuid`, `str` as in Starlette |
| `/files/{rest:path}` | `{rest:path}` is one or more characters, slashes too; one in a rule |
| `/static/**` | `/static` itself and all below it; `/**` is everything |
| `GET /items/{id}` | one method in front; a scope without a method (a websocket) does not match |
| `re.compile(r"/v\d+/ping")` | the whole path, with or without its trailing slash |
| `callable` | whatever it says of the scope; if it raises, it does not match |

How it stays fast and bounded: the rules are cut into one table per method they name, so that no
method is compared when a request comes. Exact paths are one dictionary lookup. The other text rules
are one expression where they are few: it costs a tenth of a microsecond. Where they are many, each
hangs at its literal prefix (the segments before its first wildcard) in a dictionary of prefixes, so
that a request pays for the rules at its own prefixes and not for the others. There is no cache of
paths, which an outsider could fill. Every expression we build is linear in the path: see
`_segment_regex`.
"""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from asgi_sentry import _faults as faults

T = TypeVar("T")

PathRule = str | re.Pattern[str] | Callable[[Mapping[str, Any]], bool]

DEFAULT_EXCLUDE: tuple[str, ...] = (
    "/health",
    "/health/live",
    "/health/ready",
    "/healthz",
    "/livez",
    "/readyz",
    "/ping",
    "/metrics",
    "/docs",
    "/docs/oauth2-redirect",
    "/redoc",
    "/openapi.json",
    "/favicon.ico",
    "/robots.txt",
    "/static/**",
    "/_next/**",
)
"""What no one wants to pay for.

Probes, metrics, the frameworks' API documentation, and static files.
"""

logger = logging.getLogger(__name__)

_RULE = re.compile(r"(?:([A-Za-z]+)\s+)?(/.*)", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{[A-Za-z_]\w*(?::(\w+))?\}", re.ASCII)
_CONVERTERS = {
    "str": r"[^/]+",
    "int": r"[0-9]+",
    "float": r"[0-9]+(?:\.[0-9]+)?",
    "uuid": r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}",
    "path": r"(?s:.+)",
}
"""Starlette's own, except that its `path` may also be empty."""


def route_path(scope: Mapping[str, Any]) -> str:
    """The path below the app's mount point: `path` less `root_path`, as Starlette's router cuts it.

    A `root_path` that is no prefix of the path (some servers strip it themselves), or that ends
    within a segment, is not cut off.
    """
    path: str = scope.get("path") or "/"
    root: str = scope.get("root_path") or ""
    if not root or not path.startswith(root):
        return path
    rest = path[len(root) :]
    if not rest:
        return "/"
    if rest[0] == "/":
        return rest
    return path


class _Template(NamedTuple):
    """A text rule, taken apart; `regex` is None if the rule is all literal."""

    method: str | None
    prefix: str  # without a trailing slash; "" is the root
    below: bool  # all that is below the prefix as well
    regex: str | None


@dataclass(frozen=True, slots=True)
class _Joined:
    """Several expressions in one, of which the first that matches is found."""

    regex: re.Pattern[str]
    numbers: tuple[int, ...]  # of the rules, by group


class _Node(NamedTuple):
    """What hangs at one literal prefix: numbers are positions in the order of the rules."""

    first: int  # of the first rule that takes the prefix and all below it
    first_regex: int
    joined: _Joined | None


@dataclass(frozen=True, slots=True)
class _Table:
    """The rules that can apply to one method."""

    exact: dict[str, int]  # with a slash at the end and without
    few: _Joined | None  # all other text rules, where they are few
    nodes: dict[str, _Node]  # where they are many: by prefix
    depths: tuple[int, ...]  # of these prefixes: how many segments they have, the fewest first
    others: tuple[tuple[int, re.Pattern[str] | Callable[[Mapping[str, Any]], bool]], ...]
    inexact: int  # the first rule that is no exact path


_FEW = 12
"""Text rules that are one expression at most: with 16 it takes longer than the dictionary."""


class PathRules(Generic[T]):
    """An ordered list of rules with a value each, compiled once; the first rule that matches wins.

    Raises:
        ValueError: A rule can't be compiled; the message names it and says what to write.
        TypeError: A rule is neither text, a text pattern, nor callable.
    """

    __slots__ = ("_any", "_by_method", "_failed", "_none", "_values", "rules")

    def __init__(self, rules: Iterable[tuple[PathRule, T]]) -> None:
        self.rules = given = tuple(rules)
        self._values: tuple[T, ...] = tuple(value for _, value in given)
        self._none = len(given)
        self._failed: set[int] = set()
        templates: dict[int, _Template] = {}
        others: list[tuple[int, re.Pattern[str] | Callable[[Mapping[str, Any]], bool]]] = []
        for number, (rule, _) in enumerate(given):
            if isinstance(rule, str):
                templates[number] = _parse(rule, number)
            else:
                others.append((number, _checked(rule)))
        methods = {template.method for template in templates.values()} - {None}
        self._any: _Table = _table(templates, others, None, self._none)
        self._by_method: dict[str | None, _Table] = {
            method: _table(templates, others, method, self._none) for method in methods
        }

    def match(self, scope: Mapping[str, Any]) -> T | None:
        """The value of the first rule that matches, or None."""
        table = self._any
        if self._by_method:
            table = self._by_method.get(scope.get("method"), table)
        path = scope.get("path") or "/"
        if scope.get("root_path"):  # most apps are not mounted: this saves them a call
            path = route_path(scope)
        best = table.exact.get(path, self._none)
        if best < table.inexact:
            return self._values[best]
        if path[-1] == "/":
            path = path[:-1]
        few = table.few
        if few is not None:
            found = few.regex.fullmatch(path)
            if found is not None:
                best = min(best, few.numbers[found.lastindex or 0])
        elif table.depths:
            best = _nearest(table, path, best)
        if table.others:
            best = self._first_other(scope, path, best, table.others)
        if best < self._none:
            return self._values[best]
        return None

    def _first_other(
        self,
        scope: Mapping[str, Any],
        path: str,
        best: int,
        others: tuple[tuple[int, re.Pattern[str] | Callable[[Mapping[str, Any]], bool]], ...],
    ) -> int:
        for number, rule in others:
            if number > best:
                break
            if isinstance(rule, re.Pattern):
                if rule.fullmatch(path + "/") or (path and rule.fullmatch(path)):
                    return number
                continue
            try:
                if rule(scope):
                    return number
            except faults.SIGNALS:
                raise
            except BaseException as error:  # a fault in the user's rule must not reach the app
                if number not in self._failed:
                    self._failed.add(number)
                    logger.warning(
                        "the path rule %s, a callable, raised %s and does not match; this is said "
                        "once",
                        getattr(rule, "__qualname__", type(rule).__qualname__),
                        type(error).__name__,  # not its text, which may hold what the request held
                    )
        return best

    def __bool__(self) -> bool:
        return self._none > 0

    def __len__(self) -> int:
        return self._none


def _nearest(table: _Table, path: str, best: int) -> int:
    """The first rule that matches: of those at the path's prefixes, or the best one so far."""
    segments = path.split("/", table.depths[-1] + 1)
    for depth in table.depths:
        if depth >= len(segments):
            break
        node = table.nodes.get("/".join(segments[: depth + 1]) if depth else "")
        if node is None:
            continue
        best = min(best, node.first)
        if node.joined is not None and node.first_regex < best:
            found = node.joined.regex.fullmatch(path)
            if found is not None:
                best = min(best, node.joined.numbers[found.lastindex or 0])
    return best


def _checked(rule: Any) -> re.Pattern[str] | Callable[[Mapping[str, Any]], bool]:
    if isinstance(rule, re.Pattern):
        if not isinstance(rule.pattern, str):
            raise TypeError(
                f"path rule {rule!r} is a bytes pattern; paths are text, so drop the b prefix"
            )
        return rule
    if inspect.iscoroutinefunction(rule):
        raise TypeError(
            f"path rule {rule!r} is a coroutine function; a rule is asked without awaiting, write "
            "a plain one"
        )
    if not callable(rule):
        raise TypeError(
            f"path rule {rule!r} is a {type(rule).__name__}; give text such as '/health', "
            "a compiled re.Pattern, or a callable that takes the scope"
        )
    return rule  # type: ignore[no-any-return]


def _parse(rule: str, number: int) -> _Template:
    taken_apart = _RULE.fullmatch(rule.strip())
    if taken_apart is None:
        raise ValueError(
            f"path rule {rule!r} must be a path that starts with '/', with at most one method in "
            "front, "
            "such as '/health' or 'GET /items/{id}'"
        )
    method, path = taken_apart.groups()
    segments = path.removesuffix("/").split("/")[1:]
    below = bool(segments) and segments[-1] == "**"
    if below:
        segments.pop()
    literal = 0
    while literal < len(segments) and not any(mark in segments[literal] for mark in "*{}"):
        literal += 1
    regex: str | None = None
    if literal < len(segments):
        if sum(segment.endswith(":path}") for segment in segments) > 1:
            raise ValueError(
                f"path rule {rule!r} has more than one '{{name:path}}'; write '{{name}}' for the "
                "others"
            )
        regex = ""
        for place, segment in enumerate(segments):
            regex += "/" + _segment_regex(segment, rule, name=f"g{number}_{place}")
        if below:
            regex += r"(?s:/.*)?"
    prefix = "".join("/" + segment for segment in segments[:literal])
    return _Template(method.upper() if method else None, prefix, below, regex)


def _segment_regex(segment: str, rule: str, name: str) -> str:
    """One segment as an expression that costs a time linear in the path.

    `name` begins its groups' names. Nothing here crosses a slash but the one `{name:path}`, so
    segments can't be divided up in several ways. Within a segment, `*` takes as little as it can,
    and what it took is not given back (an atomic group, written as a lookahead and a reference
    since Python 3.10 has none): for literals in a row the leftmost place of each is always good
    enough. Only the last `*` looks for its literal from the end.
    """
    if "{" in segment or "}" in segment:
        placeholder = _PLACEHOLDER.fullmatch(segment)
        if placeholder is None:
            raise ValueError(
                f"path rule {rule!r}: {segment!r} must be one whole '{{name}}' or '{{name:path}}' "
                "between "
                "slashes; write '*' for a part of a segment, and a compiled re.Pattern for a "
                "literal brace"
            )
        converter = placeholder[1] or "str"
        if converter not in _CONVERTERS:
            raise ValueError(
                f"path rule {rule!r}: the converter {converter!r} is unknown; write '{{name}}' or "
                "one of " + ", ".join(f"'{{name:{known}}}'" for known in _CONVERTERS)
            )
        return _CONVERTERS[converter]
    if "**" in segment:
        raise ValueError(
            f"path rule {rule!r} has '**' in {segment!r}; '/**' stands at the end only, so write "
            "'{rest:path}' for several segments in the middle, and '*' within one"
        )
    head, *pieces = (re.escape(piece) for piece in segment.split("*"))
    if not pieces:
        return head
    last = pieces.pop()
    atoms = (f"(?=(?P<{name}_{i}>[^/]+?{piece}))(?P={name}_{i})" for i, piece in enumerate(pieces))
    return head + "".join(atoms) + f"[^/]+{last}"


def _table(
    templates: Mapping[int, _Template],
    others: list[tuple[int, re.Pattern[str] | Callable[[Mapping[str, Any]], bool]]],
    method: str | None,
    none: int,
) -> _Table:
    exact: dict[str, int] = {}
    below: dict[str, int] = {}
    regexes: dict[str, list[tuple[int, str]]] = {}
    whole: list[tuple[int, str]] = []
    for number, template in templates.items():
        if template.method not in (None, method):
            continue
        if template.regex is not None:
            regexes.setdefault(template.prefix, []).append((number, template.regex))
            whole.append((number, template.regex))
        elif template.below:
            below.setdefault(template.prefix, number)
            whole.append((number, _below_regex(template.prefix)))
        else:
            for spelled in (template.prefix, template.prefix + "/"):
                exact.setdefault(spelled, number)
    inexact = [number for number, _ in (*whole, *others)]
    few = None
    nodes: dict[str, _Node] = {}
    if len(whole) > _FEW:
        nodes = {prefix: _node(prefix, below, regexes, none) for prefix in (*below, *regexes)}
    elif whole:
        few = _joined(whole, none)
    depths = tuple(sorted({prefix.count("/") for prefix in nodes}))
    return _Table(exact, few, nodes, depths, tuple(others), min(inexact, default=none))


def _below_regex(prefix: str) -> str:
    if not prefix:
        return "(?s:.*)"
    return re.escape(prefix) + "(?s:/.*)?"


def _node(
    prefix: str, below: Mapping[str, int], regexes: Mapping[str, list[tuple[int, str]]], none: int
) -> _Node:
    here = regexes.get(prefix)
    first = below.get(prefix, none)
    if not here:
        return _Node(first, none, None)
    return _Node(first, here[0][0], _joined(here, none))


def _joined(rules: list[tuple[int, str]], none: int) -> _Joined:
    # A rule's own group closes after those within it, so `lastindex` is always one of these.
    joined = re.compile("|".join(f"(?P<r{number}>{regex})" for number, regex in rules))
    numbers = [none] * (joined.groups + 1)
    for number, _ in rules:
        numbers[joined.groupindex[f"r{number}"]] = number
    return _Joined(joined, tuple(numbers))
