"""Every line of every engine names its part from one closed, documented list."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gyakusan import machines, models
from gyakusan.core import ledger as core
from gyakusan.core.ledger import KINDS, PARTS, Ledger, Line, draft_part, memory_part
from gyakusan.core.load import Load
from gyakusan.core.model import Attention
from gyakusan.engines.registry import NAMES, engine

MODELS = ("gpt-oss-20b", "llama3.1-8b", "qwen3.6-35b-a3b", "deepseek-v3.2", "gemma-3-27b")
MACHINES = {"llama.cpp": "2x RTX 4090", "Ollama": "RTX 4090", "vLLM": "H200", "MLX-LM": "M4 Max 128GB"}
REPEATED = {"kv.full", "kv.window", "kv.latent", "kv.index", "kv.compressed", "state"}
"""Parts with one line for each group of layers: their sum is the part's."""


def price(name: str, model: str, device: str = "", **changes: Any) -> Ledger:
    rules, machine, load = engine(name), machines.parse(device or MACHINES[name]), Load(4, 16384)
    what = models.load(model)
    return rules.ledger(what, load, machine, rules.settings(what, load, machine, **changes))


def lines(ledger: Ledger) -> list[Line]:
    return [line for account in ledger.accounts for line in account.lines]


def check(ledger: Ledger) -> None:
    for account in ledger.accounts:
        parts = Counter(line.part for line in account.lines)
        assert set(parts) <= set(PARTS)
        assert {part for part, n in parts.items() if n > 1} <= REPEATED
        assert sum(account.of(kind) for kind in KINDS) == account.total
        for line in account.lines:
            assert line.cap is None or line.least <= line.bytes <= line.cap


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", MACHINES)
def test_every_line_of_every_engine(name: str, model: str) -> None:
    check(price(name, model))


def test_every_engine_is_tried() -> None:
    assert len(MACHINES) == len(NAMES)


@pytest.mark.parametrize(
    ("device", "changes"),
    [
        ("RTX 4090", {"backend": "cpu"}),
        ("RTX 4090", {"gpu_layers": 10}),
        ("M4 Max 128GB", {}),
        ("RTX 4090", {"n_cpu_moe": 12}),
        ("2x RTX 4090", {"draft": "smollm2"}),
    ],
)
def test_every_place_of_llama_cpp(device: str, changes: dict[str, Any]) -> None:
    check(price("llama.cpp", "gpt-oss-20b" if "draft" not in changes else "smollm2", device, **changes))


def test_what_grows_is_told_from_what_is_in_doubt() -> None:
    grown = {line.part for name in MACHINES for line in lines(price(name, "gpt-oss-20b")) if line.grows}
    assert grown == {"overhead.prompt_cache", "overhead.checkpoints", "kv.finished"}


def test_layers_with_a_window_are_apart() -> None:
    parts = [line.part for line in lines(price("llama.cpp", "gpt-oss-20b", "RTX 4090"))]
    assert parts.count("kv.full") == parts.count("kv.window") == 1
    group = Attention((0,), 1, 64, 64, 64, 64)
    assert [memory_part(g) for g in (group, structs.replace(group, window=128))] == ["kv.full", "kv.window"]


def test_parts_of_a_draft_model() -> None:
    assert {draft_part(p) for p in PARTS if not p.startswith(("draft", "overhead"))} == {
        p for p in PARTS if p.startswith("draft.")
    }


def test_every_part_is_described() -> None:
    body = ast.parse(Path(core.__file__).read_text()).body
    at = next(i for i, node in enumerate(body) if "Part = " in ast.unparse(node))
    text = ast.literal_eval(ast.unparse(body[at + 1]))
    described = [row.partition(": ")[0] for row in text.splitlines()[2:]]
    assert tuple(described) == PARTS
