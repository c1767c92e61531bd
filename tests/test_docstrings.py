"""Docstrings read as documentation: every public field of every public record has a line of its own."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "gyakusan"
UNDONE: tuple[str, ...] = ()
"""Folders or files that are not yet written so. It only gets shorter."""


def records() -> Iterator[tuple[str, ast.ClassDef]]:
    for path in sorted(SRC.rglob("*.py")):
        name = path.relative_to(SRC).as_posix()
        if name.startswith(UNDONE):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and fields(node):
                yield f"{name}:{node.name}", node


def fields(node: ast.ClassDef) -> list[str]:
    """Public fields of a dataclass, a struct or a named tuple. A Protocol documents its members, an option its help."""
    made = [ast.unparse(d) for d in node.decorator_list] + [ast.unparse(b) for b in node.bases]
    if not any(re.search(r"dataclass|Struct|NamedTuple", m) for m in made):
        return []
    targets = [x.target for x in node.body if isinstance(x, ast.AnnAssign) and "help=" not in ast.unparse(x.annotation)]
    return [t.id for t in targets if isinstance(t, ast.Name) and not t.id.startswith("_")]


RECORDS = dict(records())


@pytest.mark.parametrize("name", RECORDS)
def test_every_field_has_its_line(name: str) -> None:
    node = RECORDS[name]
    lines = (ast.get_docstring(node) or "").splitlines()
    described = [w.strip() for line in lines[1:] if (m := re.match(r"([\w, ]+): ", line)) for w in m[1].split(",")]
    assert [f for f in fields(node) if f not in described] == []
    assert lines[0].endswith(".")
