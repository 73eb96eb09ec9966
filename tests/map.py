"""The list of modules in `asgi_sentry/README.md`, from their own first sentences: `python -m tests.map` writes it."""

from __future__ import annotations

import ast
import re
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "asgi_sentry"
PAGE = PACKAGE / "README.md"
BEGIN, END = "<!-- modules -->\n", "<!-- /modules -->\n"


_SHORT, _LONG = 60, 190  # characters


def sentence(path: Path) -> str:
    """What the module says it is, on one line: its first sentence, and the second where the first is short."""
    told = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    first, *rest = [each for part in told.split("\n\n")[:2] for each in _sentences(part)]
    if rest and len(first) < _SHORT and len(f"{first} {rest[0]}") <= _LONG and "|" not in rest[0]:
        return f"{first} {rest[0]}"
    return first


def _sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(text.split()))


def listing() -> str:
    """A list for each folder: the folder itself, and the modules in it."""
    lines = []
    paths = sorted(PACKAGE.rglob("*.py"), key=lambda path: (path.parent.parts, path.name))
    for folder, within in groupby(paths, key=lambda path: path.parent):
        name = folder.relative_to(PACKAGE).as_posix()
        modules = {path.stem: sentence(path) for path in within}
        about = modules.pop("__init__", "")
        lines.append(f"**{'asgi_sentry' if name == '.' else name}**: {about}\n")
        lines += [f"- `{module}`: {says}" for module, says in modules.items()]
        lines.append("" if modules else None)
    return "\n".join(line for line in lines if line is not None)


def written(page: str) -> str:
    """The page with the list as it should be."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}{listing()}{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
