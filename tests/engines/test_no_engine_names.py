"""Outside engines/ no engine is known: neither by its name in the code, nor by an import of its package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gyakusan.engines import registry

SOURCE = Path(registry.__file__).parents[1]
LEFT_OUT = ("engines", "catalog", "models", "locale", "fetching")
"""Engines themselves, facts about files and measurements, which name who made them, and the stores that programs keep."""
OPEN = (
    "base",
    "container",
    "registry",
    "router",
    "defaults",
    "deployment",
    "installed",
    "downloads",
    "formats",
    "front_line",
    "images",
    "server",
    "service_files",
    "settings_parser",
    "verification",
    "yaml_text",
)
"""Modules of engines/ that everybody may import."""


def trees() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if not set(LEFT_OUT) & set(path.relative_to(SOURCE).parts):
            yield path, ast.parse(path.read_text("utf-8"))


def test_no_engine_is_named() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.value}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in registry.NAMES
    ]
    assert found == []


def test_no_engine_is_imported() -> None:
    found = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gyakusan.engines"):
                rest = (node.module or "").removeprefix("gyakusan.engines").strip(".")
                names = [rest] if rest else [a.name for a in node.names]
                found += [f"{path.relative_to(SOURCE)}:{node.lineno} {n}" for n in names if n.split(".")[0] not in OPEN]
    assert found == []


def test_the_walk_sees_something() -> None:
    assert len(list(trees())) > 80
