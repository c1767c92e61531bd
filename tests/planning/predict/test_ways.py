"""Ways to make a model fit: each is added to the command as it was typed, and then the model surely fits."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from gyakusan import api
from gyakusan.cli import main
from gyakusan.core.load import Load
from gyakusan.planning.predict.capacity import STEP
from gyakusan.planning.predict.ways import MOST_WAYS, Asked, Way, ways_to_fit

QUESTIONS = {
    "two people": "qwen3.6-27b --quant Q4_K_M --device 'RTX 3090' --context 128k --users 2",
    "straddles": "qwen3.6-27b --quant Q4_K_M --device 'RTX 3090' --context 64k --users 2",
    "weights alone": "qwen2.5-72b --quant Q4_K_M --device 'RTX 4090'",
    "experts": "qwen3-30b-a3b --quant Q8_0 --device 'RTX 3060 12GB' --ram 64GiB",
    "cache already small": "qwen3-14b --device 'RTX 4060' --context 64k --kv-type q8_0",
    "keys of their own": "qwen3-14b --device 'RTX 4060' --context 64k --key-type f16 --value-type f16",
    "two cards": "llama3.3-70b --quant Q4_K_M --device '2x RTX 3090' --context 64k",
    "unified": "gpt-oss-120b --device 'M4 Max 64GB' --context 32k",
    "beyond training": "phi4-14b --device 'RTX 4090' --context 64k",
    "cpu": "qwen3-14b --quant Q4_K_M --device 'Ryzen 9 7950X 16GB' --cpu",
    "bare memory": "qwen3-14b --memory 12GiB --context 64k",
    "vllm": "qwen3-8b --device 'RTX 5090' --engine vllm --context 32k --users 64",
    "ollama": "qwen3-14b --device 'RTX 4060' --engine ollama --context 40k --set split=false",
    "mlx": "qwen3-32b --device 'M4 Pro 24GB' --engine mlx --context 32k",
}


def answered(capsys: pytest.CaptureFixture[str], words: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of inspect."""
    code = main(["inspect", *shlex.split(words), "--offline", "--json"])
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, found


@pytest.mark.parametrize("words", QUESTIONS.values(), ids=QUESTIONS)
def test_what_is_added_makes_it_fit(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = answered(capsys, words)
    assert code == 1
    assert found["fits"] in (False, "unsure")
    assert 1 <= len(found["ways"]) <= MOST_WAYS
    for way in found["ways"]:
        code, changed = answered(capsys, f"{words} {way['options']}")
        assert (code, changed["fits"], "ways" in changed) == (0, True, False), way
        assert (changed["load"]["users"], changed["load"]["context"]) == (way["users"], way["context"])
        left = min((d["surely_left"] for d in changed["devices"] if d["surely_left"] is not None), default=None)
        assert left == way["surely_left"]
        assert (changed["pace"] or {}).get("decode_each", {}).get("value") == way["speed"]


def found(
    name: str, device: str, context: int, users: int, quant: str = "Q4_K_M", **settings: object
) -> tuple[Way, ...]:
    asked = api.deployment(
        name, quantization=quant, load=Load(users, context), device=device, settings=settings, offline=True
    )
    return ways_to_fit(Asked(asked, device))


def test_the_order() -> None:
    kinds = [w.kind for w in found("qwen3.6-27b", "RTX 3090", 131072, 2)]
    assert kinds == ["context", "users", "context", "ram", "quantization", "device"]
    ways = found("qwen3.6-27b", "RTX 3090", 131072, 2)
    assert str(ways[0].changes[0]) == "q8_0 cache"
    assert ways[2].options.startswith("--context")


def test_a_context_is_the_longest_that_surely_fits() -> None:
    for way in found("qwen3.6-27b", "RTX 3090", 131072, 2)[:3]:
        load = way.deployment.load
        longer = Load(load.users, load.context + STEP) if way.kind == "context" else Load(load.users + 1, load.context)
        assert way.deployment.spare >= 0 > way.deployment.at(longer).spare


def test_what_a_quantisation_costs_is_known() -> None:
    by_kind = {w.kind: w for w in found("qwen3.6-27b", "RTX 3090", 131072, 2)}
    assert by_kind["quantization"].points_lost > 0.5
    assert by_kind["device"].points_lost == 0


def test_a_quantisation_below_4_bits_only_where_no_other_fits() -> None:
    fine = next(w for w in found("qwen3-14b", "RTX 4060 Ti 16GB", 8192, 1, "BF16") if w.kind == "quantization")
    assert fine.deployment.model.bytes * 8 / fine.deployment.model.parameters > 4
    coarse = [w for w in found("qwen3-14b", "RTX 4060", 8192, 1) if w.kind == "quantization"]
    assert all(w.deployment.model.bytes * 8 / w.deployment.model.parameters < 4 for w in coarse)


def test_ram_that_is_not_known_is_named_with_its_size() -> None:
    way = next(w for w in found("qwen3-30b-a3b", "RTX 3060 12GB", 8192, 1) if w.kind == "ram")
    assert way.options.startswith("--ram 16GiB --set n_cpu_moe=")
    assert "of experts in RAM" in str(way.changes[-1])


def test_more_cards_are_equal_and_as_few_as_do() -> None:
    way = next(w for w in found("qwen2.5-72b", "RTX 4090", 8192, 1) if w.kind == "device")
    assert way.options == '--device "3x RTX 4090"'
    way = next(w for w in found("qwen3.6-27b", "RTX 3090", 131072, 2) if w.kind == "device")
    assert str(way.changes[0]) == "a second RTX 3090"
