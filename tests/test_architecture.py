"""The shape of the house: no module imports itself by a detour, and none opens another's private names."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = {"gyakusan": ROOT / "src" / "gyakusan", "benchmarks": ROOT / "benchmarks", "tools": ROOT / "tools"}
Graph = Mapping[str, frozenset[str]]


@cache
def files() -> Mapping[str, Path]:
    """Name of each module -> its file."""
    found = {}
    for top, folder in PLACES.items():
        for path in folder.rglob("*.py"):
            parts = (top, *path.relative_to(folder).with_suffix("").parts)
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of every import at any depth, name "" for a whole module; what only types need is left out."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from imports(ast.Module([other], []))
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from ((node.module or "", alias.name) for alias in node.names)
        else:
            yield from imports(node)


def graph(sources: Mapping[str, str]) -> Graph:
    """Module -> modules of ours that it imports. `from package import module` is an import of that module alone."""
    found = {}
    for name, source in sources.items():
        targets = (f"{m}.{n}" if f"{m}.{n}" in sources else m for m, n in imports(ast.parse(source)))
        found[name] = frozenset(t for t in targets if t in sources and t != name)
    return found


def circles(arrows: Graph) -> list[tuple[str, ...]]:
    """Groups of modules that reach each other (Tarjan's strongly connected components of more than one module)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(name: str) -> None:
        order[name] = low[name] = len(order)
        stack.append(name)
        for target in arrows[name]:
            if target not in order:
                visit(target)
            if target in stack:
                low[name] = min(low[name], low[target])
        if low[name] == order[name]:
            at = stack.index(name)
            groups.append(tuple(sorted(stack[at:])))
            del stack[at:]

    for name in arrows:
        if name not in order:
            visit(name)
    return sorted(g for g in groups if len(g) > 1)


def private(name: str, source: str) -> list[str]:
    """Private names of other modules of ours that `source` imports, or reaches through an imported module."""
    tree = ast.parse(source)
    modules = {f"{m}.{n}": n for m, n in imports(tree) if f"{m}.{n}" in files()}
    found = [f"{m}.{n}" for m, n in imports(tree) if m in files() and m != name and is_private(n)]
    found = [f for f in found if f not in modules or not same_room(name, f)]
    names = set(modules.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            found += [f"{node.value.id}.{node.attr}"] * is_private(node.attr)
    return found


def is_private(name: str) -> bool:
    """`_` alone marks what is translated."""
    return name.startswith("_") and not name.startswith("__") and name != "_"


def same_room(name: str, module: str) -> bool:
    """A private module belongs to its folder: the modules beside it may import it."""
    return name.rpartition(".")[0] == module.rpartition(".")[0] or name == module.rpartition(".")[0]


def sources() -> dict[str, str]:
    return {name: path.read_text("utf-8") for name, path in files().items()}


def test_no_circles() -> None:
    assert circles(graph(sources())) == []


def test_a_circle_would_be_seen() -> None:
    planted = {"a": "def f():\n    from b import c", "b": "import d", "d": "if 1:\n    import a", "e": "import a"}
    assert circles(graph(planted)) == [("a", "b", "d")]
    only_types = {"a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b", "b": "import a"}
    assert circles(graph(only_types)) == []


@pytest.mark.parametrize("name", sorted(files()))
def test_no_private_name_of_another_module(name: str) -> None:
    assert private(name, files()[name].read_text("utf-8")) == []


def test_a_private_name_would_be_seen() -> None:
    assert private("x", "from gyakusan.core import queue\nqueue._hidden") == ["queue._hidden"]
    assert private("x", "from gyakusan.core.queue import _hidden") == ["gyakusan.core.queue._hidden"]


@pytest.mark.parametrize("name", files())
def test_rooms_are_small(name: str) -> None:
    """Files of at most 400 lines, functions of at most 40."""
    text = files()[name].read_text("utf-8")
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert len(text.splitlines()) <= 400
    assert [n.name for n in functions if (n.end_lineno or 0) - n.lineno >= 40] == []
