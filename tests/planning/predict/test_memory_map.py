"""The map of the sliders holds the figures that the ledger of each stop has."""

from __future__ import annotations

import numpy as np
import pytest

from gyakusan import api
from gyakusan.core.ledger import KINDS
from gyakusan.core.load import Load
from gyakusan.planning.predict.memory_map import CONTEXTS, FIT_WORDS, MOST_STOPS, memory_map, stops

CASES = (
    ("gpt-oss-20b", "RTX 4090", "llama.cpp"),
    ("qwen3.6-27b", "M4 Max 128GB", "llama.cpp"),
    ("llama3.1-8b", "2x RTX 3060 12GB", "ollama"),
    ("gpt-oss-20b", "RTX 4090", "vllm"),
    ("llama3.1-8b", "M4 Max 128GB", "mlx"),
)


@pytest.mark.parametrize(("model", "device", "engine"), CASES)
def test_every_stop_is_what_the_ledger_says(model: str, device: str, engine: str) -> None:
    asked = api.deployment(model, load=Load(3, 20000), device=device, server=engine)
    found = memory_map(asked)
    layer = found.layers[0]
    assert layer.cache == asked.cache_type
    assert 20000 in found.contexts
    assert 3 in found.users
    for u in (0, found.users.index(3), len(found.users) - 1):
        for c in (0, found.contexts.index(20000), len(found.contexts) - 1):
            ledger = asked.at(Load(found.users[u], found.contexts[c])).ledger
            assert FIT_WORDS[layer.fit[u, c]] == ledger.fit
            taken = [m for m in layer.devices if m.high[u, c]]
            for memory, account in zip(taken, ledger.accounts, strict=True):
                assert memory.device == account.device
                assert [memory.parts[k][u, c] for k in KINDS] == [float(account.of(k)) for k in KINDS]
                assert memory.high[u, c] == float(account.at_most)
                assert memory.low[u, c] == float(account.at_least)
            spare = ledger.tightest.spare
            assert layer.spare[u, c] == (np.inf if spare is None else float(spare))


def test_other_caches_are_those_of_the_engine() -> None:
    asked = api.deployment(
        "gpt-oss-20b", load=Load(2, 8192), device="RTX 4090", settings={"key_type": "Q8_0", "value_type": "Q8_0"}
    )
    found = memory_map(asked)
    assert [layer.cache for layer in found.layers] == ["q8_0", "f16", "q4_0"]
    sizes = [layer.devices[0].parts["kv_cache"][0, 0] for layer in found.layers]
    assert sizes[2] < sizes[0] < sizes[1]
    plain = api.deployment("gpt-oss-20b", load=Load(1, found.contexts[0]), device="RTX 4090").ledger
    assert sizes[1] == float(plain.accounts[0].of("kv_cache"))


@pytest.mark.parametrize(
    ("trained", "asked"), [(131072, 8192), (1048576, 20000), (4096, 2048), (0, 8192), (40960, 131072)]
)
def test_stops(trained: int, asked: int) -> None:
    found = stops(trained, asked)
    assert list(found) == sorted(set(found))
    assert asked in found
    assert len(found) <= MOST_STOPS
    assert max(found) == (max(trained, asked) if trained else max(asked, 131072))
    assert set(found) <= {*CONTEXTS, trained, asked}
