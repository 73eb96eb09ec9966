"""The package's import graph, drawn from its source text, and what it does with sentry-sdk's names.

Nothing is imported: a module that can't be imported is drawn as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Modules of sentry-sdk that it does not document: what they hold moves without notice, also under a name without an
# underscore. `envelope`, `transport`, `types` and `integrations` are made for those who extend it.
INNER_SDK = frozenset(
    {
        "api", "attachments", "client", "consts", "debug", "hub", "scope", "scrubber", "serializer", "session",
        "sessions", "spotlight", "traces", "tracing", "tracing_utils", "utils", "worker",
    }
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Module:
    """One file of the package: what it imports, and where it does what only `_sdk` may do."""

    name: str
    path: Path
    imports: frozenset[str]
    """Modules of the package, those included that are imported for types only or within a function."""
    private_sdk: frozenset[str]
    """Names of sentry-sdk that are not public."""
    streaming: int
    """How often an attribute `streaming` is read."""
    lines: int


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The modules of a package by name, and what follows from their imports."""

    modules: dict[str, Module]

    @property
    def arrows(self) -> Iterator[tuple[str, str]]:
        """Each import of one module by another."""
        for name, module in self.modules.items():
            for target in sorted(module.imports):
                yield name, target

    @cached_property
    def circles(self) -> list[list[str]]:
        """Groups of modules each of which reaches the others of its group (Tarjan's algorithm)."""
        order: dict[str, int] = {}
        lowest: dict[str, int] = {}
        stack: list[str] = []
        found: list[list[str]] = []

        def visit(name: str) -> None:
            order[name] = lowest[name] = len(order)
            stack.append(name)
            for target in sorted(self.modules[name].imports):
                if target not in order:
                    visit(target)
                if target in stack:
                    lowest[name] = min(lowest[name], lowest[target])
            if lowest[name] == order[name]:
                at = stack.index(name)
                group = stack[at:]
                del stack[at:]
                if len(group) > 1:
                    found.append(sorted(group))

        for name in self.modules:
            if name not in order:
                visit(name)
        return sorted(found)


def draw(root: Path) -> Graph:
    """The graph of the package in the folder `root`, which bears the package's name."""
    paths = {_name(root, path): path for path in sorted(root.rglob("*.py"))}
    return Graph(modules={name: _read(name, path, paths) for name, path in paths.items()})


def _name(root: Path, path: Path) -> str:
    parts = (root.name, *path.relative_to(root).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, known: dict[str, Path]) -> Module:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source)
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imports: set[str] = set()
    private: set[str] = set()
    streaming = 0
    aliases = {"sentry_sdk": "sentry_sdk"}
    for node in ast.walk(tree):
        for full, bound in _imported(node, package):
            target = full if full in known else full.rpartition(".")[0]
            if target in known and target != name:
                imports.add(target)
            if full.partition(".")[0] == "sentry_sdk":
                aliases[bound] = full
                if not _is_public(full):
                    private.add(full)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            full = _dotted(node, aliases)
            if full and not _is_public(full):
                private.add(full)
            streaming += node.attr == "streaming"
        elif isinstance(node, ast.Call) and _asks_for(node, "streaming"):
            streaming += 1
    return Module(
        name=name,
        path=path,
        imports=frozenset(imports),
        private_sdk=frozenset(private),
        streaming=streaming,
        lines=source.count("\n"),
    )


def _imported(node: ast.AST, package: str) -> Iterator[tuple[str, str]]:
    """What an import names, in full, and the name that it binds."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name, alias.asname or alias.name.partition(".")[0]
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        above = parts[: len(parts) - node.level + 1] if node.level else []
        source = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            yield f"{source}.{alias.name}", alias.asname or alias.name


def _dotted(node: ast.AST, aliases: dict[str, str]) -> str | None:
    """`sentry_sdk.a.b` for an attribute that is reached from a name that was imported from there."""
    steps: list[str] = []
    while isinstance(node, ast.Attribute):
        steps.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in aliases:
        return None
    return ".".join([aliases[node.id], *reversed(steps)])


def _is_public(full: str) -> bool:
    """Whether a name is sentry-sdk's public surface, or none of sentry-sdk's at all."""
    package, *steps = full.split(".")
    if package != "sentry_sdk" or not steps:
        return True
    private = any(step.startswith("_") and not step.startswith("__") for step in steps)
    return not private and steps[0] not in INNER_SDK


def _asks_for(node: ast.Call, attribute: str) -> bool:
    """Whether it is `getattr(x, attribute)`."""
    return (
        isinstance(node.func, ast.Name)
        and node.func.id == "getattr"
        and len(node.args) > 1
        and isinstance(node.args[1], ast.Constant)
        and node.args[1].value == attribute
    )
