"""Mutants: one thing is changed in a module that decides, and the tests that mirror the module should notice.

    python -m tests.mutation                     a fixed sample over all modules
    python -m tests.mutation --module paths      all mutants of one
    python -m tests.mutation --show 17           what a mutant is, by its number

A mutant that no test notices is printed with its line. Each runs in a fork of a process that has the third-party
packages imported already, with the mutated module put in its place as it is imported; nothing is written to disk.
"""

from __future__ import annotations

import argparse
import ast
import gc
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE = 240
SEED = 9
WANTED = 0.9

MODULES: dict[str, tuple[str, ...]] = {
    "_request/decision.py": ("tests/request/test_decision.py",),
    "_request/plan.py": ("tests/request/test_plan.py",),
    "_request/user_policy.py": ("tests/request/test_user_policy.py",),
    "_paths.py": ("tests/test_paths.py",),
    "_sampling/limits.py": ("tests/sampling/test_limits.py",),
    "_sampling/budgets.py": ("tests/sampling/test_budgets.py", "tests/sampling/test_spending.py"),
    "_scrubbing/keys.py": ("tests/scrubbing/test_keys.py",),
    "_scrubbing/known_terms.py": ("tests/scrubbing/test_keys.py",),
    "_scrubbing/words.py": ("tests/scrubbing/test_keys.py",),
    "_scrubbing/taint/taint.py": ("tests/scrubbing/taint",),
    "_scrubbing/taint/finder.py": ("tests/scrubbing/taint",),
    "_scrubbing/taint/gate.py": ("tests/scrubbing/taint",),
    "_scrubbing/taint/normal.py": ("tests/scrubbing/taint",),
    "_scrubbing/taint/in_data.py": ("tests/scrubbing/taint",),
    "_scrubbing/taint/sources.py": ("tests/scrubbing/taint",),
    "_scrubbing/taint/strength.py": ("tests/scrubbing/taint",),
    "_scrubbing/tree/outcome.py": (
        "tests/scrubbing/tree",
        "tests/scrubbing/sentry",
        "tests/scrubbing/test_properties.py",
    ),
    "_scrubbing/tree/walk.py": ("tests/scrubbing/tree", "tests/scrubbing/sentry", "tests/scrubbing/test_properties.py"),
    "_exit/door.py": (
        "tests/exit/test_door.py",
        "tests/exit/test_transport.py",
        "tests/exit/test_attachments.py",
        "tests/exit/test_clients.py",
    ),
}
"""What is mutated, and the tests that mirror it."""

RELAXED = ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what is preloaded
PRELOADED = ["pytest", "hypothesis", "anyio", "trio", "sentry_sdk", "starlette.applications", "fastapi", "litestar"]


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one module."""

    module: str
    line: int
    change: str
    node: int
    """The number of the node that is changed, in the order of `ast.walk`."""
    which: int
    """The number of the change among those of the node."""

    @property
    def name(self) -> str:
        return f"asgi_sentry/{self.module}:{self.line}: {self.change}"

    def tree(self) -> ast.Module:
        """The module with the change in it; made when it is asked for, since a sample of trees fills a gigabyte."""
        tree = _numbered(self.module)
        node = next(node for node in ast.walk(tree) if node._number == self.node)  # type: ignore[attr-defined]
        _, change = list(changes(node))[self.which]
        return _with(tree, self.node, change)


COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip
CALLED = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list", "reversed": "iter"}


def changes(node: ast.AST) -> Iterator[tuple[str, Callable[[ast.AST], ast.AST]]]:
    """What can be changed at a node: in words, and as a function that gives what stands there instead."""
    if isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            if (other := COMPARISONS.get(type(op))) is not None:
                yield f"{_said(op)} becomes {_said(other())}", _replacing("ops", at, other())
    elif isinstance(node, ast.BoolOp):
        other_bool = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield f"{_said(node.op)} becomes {_said(other_bool)}", _setting("op", other_bool)
    elif isinstance(node, (ast.BinOp, ast.AugAssign)):
        if (arithmetic := ARITHMETIC.get(type(node.op))) is not None and not _is_text(node):
            yield f"{_said(node.op)} becomes {_said(arithmetic())}", _setting("op", arithmetic())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield "not is gone", lambda node: node.operand  # type: ignore[attr-defined]
    elif isinstance(node, ast.Constant):
        if isinstance(node.value, bool):
            yield f"{node.value} becomes {not node.value}", _setting("value", not node.value)
        elif isinstance(node.value, (int, float)):
            yield f"{node.value} becomes {node.value + 1}", _setting("value", node.value + 1)
    elif isinstance(node, ast.Return):
        # Who asks whether takes None for False, and that False is not True is another change.
        if node.value is not None and not (isinstance(node.value, ast.Constant) and not node.value.value):
            yield "returns None", _setting("value", ast.Constant(None))
    elif isinstance(node, ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id in CALLED:
            other_name = CALLED[node.func.id]
            yield f"{node.func.id} becomes {other_name}", _setting("func", ast.Name(other_name, ast.Load()))
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield "the condition is negated", _negated
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "the call is gone", lambda _: ast.Pass()
    elif isinstance(node, ast.Continue):
        yield "continue becomes break", lambda _: ast.Break()
    elif isinstance(node, ast.Break):
        yield "break becomes continue", lambda _: ast.Continue()


def _said(op: ast.AST) -> str:
    return type(op).__name__


def _replacing(field: str, at: int, value: ast.AST) -> Callable[[ast.AST], ast.AST]:
    def change(node: ast.AST) -> ast.AST:
        getattr(node, field)[at] = value
        return node

    return change


def _setting(field: str, value: object) -> Callable[[ast.AST], ast.AST]:
    def change(node: ast.AST) -> ast.AST:
        setattr(node, field, value)
        return node

    return change


def _negated(node: ast.AST) -> ast.AST:
    node.test = ast.UnaryOp(ast.Not(), node.test)  # type: ignore[attr-defined]
    return node


def _is_text(node: ast.BinOp | ast.AugAssign) -> bool:
    """Whether it formats or joins text, where the other operator is a fault that anything notices."""
    sides = [node.left, node.right] if isinstance(node, ast.BinOp) else [node.value]
    return any(isinstance(side, ast.JoinedStr | ast.Constant) and not _is_number(side) for side in sides)


def _is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, (int, float))


def _decides(tree: ast.Module) -> Iterator[ast.AST]:
    """The nodes that are run: no annotations, no imports for types only, no messages of errors."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name, value in ast.iter_fields(node):
            if name in {"annotation", "returns", "decorator_list", "type_params", "bases", "keywords_of_class"}:
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or isinstance(child, (ast.Raise, ast.Import, ast.ImportFrom)):
                    continue
                if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                    continue
                if isinstance(child, ast.Assign) and "__slots__" in ast.unparse(child.targets[0]):
                    continue
                if isinstance(child, ast.Expr) and "faults." in ast.unparse(child):
                    continue  # what is said of a fault is no decision
                waiting.append(child)


def _numbered(module: str) -> ast.Module:
    tree = ast.parse((ROOT / "asgi_sentry" / module).read_text(encoding="utf-8"))
    for number, node in enumerate(ast.walk(tree)):
        node._number = number  # type: ignore[attr-defined]
    return tree


def mutants(module: str) -> list[Mutant]:
    """All of a module, in the order of its lines."""
    made = []
    for node in _decides(_numbered(module)):
        for which, (words, _) in enumerate(changes(node)):
            number: int = node._number  # type: ignore[attr-defined]
            made.append(Mutant(module=module, line=node.lineno, change=words, node=number, which=which))  # type: ignore[attr-defined]
    return sorted(made, key=lambda mutant: (mutant.line, mutant.change))


def _with(tree: ast.Module, number: int, change: Callable[[ast.AST], ast.AST]) -> ast.Module:
    class At(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            if getattr(node, "_number", None) == number:
                return ast.copy_location(change(node), node)
            return self.generic_visit(node)

    return ast.fix_missing_locations(At().visit(tree))


def sample(size: int) -> list[Mutant]:
    """As many of each module as is its share of all, by fixed dice."""
    every = {module: mutants(module) for module in MODULES}
    total = sum(map(len, every.values()))
    dice = random.Random(SEED)
    chosen = []
    for each in every.values():
        share = min(len(each), max(8, round(size * len(each) / total)))
        chosen += sorted(dice.sample(each, share), key=lambda mutant: mutant.line)
    return chosen


class Instead(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant where its module is asked for."""

    def __init__(self, mutant: Mutant) -> None:
        self._name = "asgi_sentry." + mutant.module.removesuffix(".py").replace("/", ".")
        self._path = str(ROOT / "asgi_sentry" / mutant.module)
        self._code = compile(mutant.tree(), self._path, "exec")

    def find_spec(self, name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.util.spec_from_file_location(name, self._path, loader=self) if name == self._name else None

    def exec_module(self, module: object) -> None:
        exec(self._code, vars(module))


def survives(mutant: Mutant | None, tests: Sequence[str], limit: float) -> bool:
    """Whether all tests pass with the mutant (None: with the module as it is) within so many seconds."""
    child = os.fork()
    if child == 0:
        os.setsid()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        status = 3
        try:
            if mutant is not None:
                sys.meta_path.insert(0, Instead(mutant))
            import pytest

            arguments = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--tb=no", *RELAXED, *tests]
            status = int(pytest.main(arguments))
        finally:
            os._exit(status)
    until = time.monotonic() + limit
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            if mutant is None and code in {4, 5}:
                raise SystemExit(f"{' '.join(tests)}: pytest finds no tests there")
            return code == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--module", help="all mutants of the modules whose path has this in it")
    parser.add_argument("--count", type=int, default=SAMPLE, help=f"of all modules (default {SAMPLE})")
    parser.add_argument("--first", type=int, default=0, metavar="NUMBER", help="go on with this one of them")
    parser.add_argument("--show", type=int, metavar="NUMBER", help="print the source of one of them")
    options = parser.parse_args()
    if options.module:
        chosen = [mutant for module in MODULES if options.module in module for mutant in mutants(module)]
    else:
        chosen = sample(options.count)
    if options.show is not None:
        print(ast.unparse(chosen[options.show].tree()))
        return 0
    numbered = list(enumerate(chosen))[options.first :]

    os.environ["CI"] = "1"  # hypothesis's fixed examples
    sys.dont_write_bytecode = True
    for name in PRELOADED:
        importlib.import_module(name)
    if any(name.partition(".")[0] == "asgi_sentry" for name in sys.modules):
        raise SystemExit("the package is imported already: a mutant would not be")

    gc.freeze()  # what is shared with the forks stays so

    limits: dict[str, float] = {}
    failing = []
    for module in dict.fromkeys(mutant.module for _, mutant in numbered):
        began = time.monotonic()
        if survives(None, MODULES[module], 900):
            limits[module] = 20 + 10 * (time.monotonic() - began)
        else:  # every mutant of it would count as killed
            failing.append(module)
            print(f"{module}: the tests that mirror it fail as it is, so it is left out: {' '.join(MODULES[module])}")
    numbered = [(number, mutant) for number, mutant in numbered if mutant.module in limits]

    killed: dict[str, list[bool]] = {}
    for number, mutant in numbered:
        lives = survives(mutant, MODULES[mutant.module], limits[mutant.module])
        killed.setdefault(mutant.module, []).append(not lives)
        if lives:
            print(f"survived {number}: {mutant.name}", flush=True)
    print()
    for module, each in killed.items():
        print(f"{module:28} {sum(each):4} of {len(each):4} killed, {100 * sum(each) / len(each):.0f} %")
    caught, all_of_them = sum(map(sum, killed.values())), len(numbered)
    print(f"{'all':28} {caught:4} of {all_of_them:4} killed, {100 * caught / max(all_of_them, 1):.1f} %")
    return 0 if all_of_them and caught >= WANTED * all_of_them and not failing else 1


if __name__ == "__main__":
    sys.exit(main())
