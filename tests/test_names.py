"""One name for each quantity: numbers in the code's values and in the JSON documents have a row in docs/names.toml."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "gyakusan"
QUANTITIES = tomllib.loads((ROOT / "docs" / "names.toml").read_text("utf-8"))["quantity"]
NUMBER = re.compile(r"\b(int|float|Number|IntArray|FloatArray|Ints|Floats|Money)\b")
ROOMS = (
    "planning/**/*.py",
    "serving/*.py",
    "documents/*.py",
    "engines/base.py",
    "engines/server.py",
    "core/load.py",
    "core/ledger.py",
    "core/machine.py",
    "core/queue.py",
)
"""Where quantities meet users and other rooms. Shapes of models and flags of engines are named by their source."""


def numbers(path: Path) -> Iterator[tuple[str, str]]:
    """Class and name of each public field that holds numbers."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        marks = [ast.unparse(m) for m in (*node.decorator_list, *node.bases)]
        if any(re.match(r"(dataclass|Struct|NamedTuple)\b", m) for m in marks):
            for s in node.body:
                if not (isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)):
                    continue
                if NUMBER.search(ast.unparse(s.annotation)) and not s.target.id.startswith("_"):
                    yield node.name, s.target.id


@pytest.mark.parametrize("room", ROOMS)
def test_every_number_has_a_row(room: str) -> None:
    kind = "json" if room.startswith("documents") else "code"
    known = {name for q in QUANTITIES for name in q[kind]}
    found = [(p.stem, *pair) for p in sorted(SOURCE.glob(room)) for pair in numbers(p)]
    assert found, room
    assert [f for f in found if f[2] not in known] == []


def test_no_row_without_a_number() -> None:
    fields = {name for p in SOURCE.rglob("*.py") for _, name in numbers(p)}
    used = fields | {"decode_all", "throughput"}  # estimates, whose value, low and high are the numbers
    assert [q["code"] for q in QUANTITIES if not used & {*q["code"], *q["json"]}] == []


def test_rows_are_whole_in_both_languages() -> None:
    assert [q for q in QUANTITIES if not (q["term"] and q["en"] and q["ja"])] == []
    definitions = [q["en"] for q in QUANTITIES]
    assert len(definitions) == len(set(definitions))
