"""What was planned for a running server is made again from its entry, exactly or not at all, and a bench compares by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.fakes.fake_load_server import FakeChat, serving

import gyakusan
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadReference
from gyakusan.python.options import deployed
from gyakusan.python.served import entry_at, planned_again, uncompared
from gyakusan.serving import running_servers
from gyakusan.serving.registration import entry_of
from gyakusan.serving.running_servers import RunningServer

FEW: dict[str, Any] = {"requests": 4, "prompt": 64, "answer": 8, "save": False}


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def _started(asked: Deployment, url: str = "http://127.0.0.1:9/v1") -> RunningServer:
    """Return the entry of a server, as another process reads it."""
    running_servers.claim(running_servers.here(structs.replace(entry_of("office", asked, None, None), url=url)))
    return running_servers.find_running("office")


def _small() -> Deployment:
    return deployed("smollm2", {"device": "cpu", "bandwidth": "20GB/s"}, context=4096, users=2)


@pytest.mark.parametrize(
    ("model", "settings", "more"),
    [
        ("smollm2", {"device": "cpu", "bandwidth": "20GB/s"}, {}),
        ("smollm2", {"cpu": True, "kv_type": "q8_0"}, {}),
        ("gpt-oss-20b", {"device": "2x RTX 3090", "ram": "64GiB", "reserve": "1GiB", "set": "ubatch=256"}, {}),
        ("qwen3.6-27b", {"device": "RTX 4090"}, {"quant": "Q3_K_M"}),
        ("llama3.1-8b", {"device": "RTX 4090"}, {"engine": "vllm"}),
    ],
)
def test_the_same_comes_of_it(model: str, settings: dict[str, Any], more: dict[str, Any]) -> None:
    asked = deployed(model, settings, context=4096, users=2, **more)
    found = planned_again(_started(asked))
    assert found is not None
    for name in ("name", "quantization", "engine", "machine", "load", "settings", "mode", "ledger"):
        assert getattr(found, name) == getattr(asked, name), name


def test_what_an_entry_does_not_tell_is_not_guessed() -> None:
    entry = _started(_small())
    told = entry.planned or {}
    assert planned_again(entry) is not None
    for other in (
        structs.replace(entry, planned=None),
        structs.replace(entry, planned={}),
        structs.replace(entry, planned={**told, "machine": {"name": 5}}),
        structs.replace(entry, planned={**told, "settings": {**told["settings"], "ubatch": 7}}),
        structs.replace(entry, source="/nowhere/x.gguf"),
        structs.replace(entry, workers=("a:1",)),
    ):
        assert planned_again(other) is None
        (said,) = uncompared(other, None)
        assert f"--model {other.source}" in str(said)
    assert [*uncompared(None, None), *uncompared(entry, planned_again(entry))] == []


def test_a_server_is_found_by_name_and_address() -> None:
    with pytest.raises(BadReference):
        entry_at(None)
    entry = _started(_small())
    assert entry_at(None) == entry_at("office") == entry_at(entry.url) == entry
    assert entry_at("http://127.0.0.1:10/v1") is None


def test_a_bench_compares_by_itself_and_says_who_waited() -> None:
    with serving(FakeChat(gap=0.002, slots=2)) as fake:
        _started(_small(), f"{fake.url}/v1")
        alone = gyakusan.bench(users="1,2", **FEW)
        assert {c.users for c in alone.result.comparisons if c.quantity == "decode"} == {1, 2}
        assert not any("wait" in str(note) for note in alone.notes)
        crowded = gyakusan.bench("office", users="4", model="smollm2", **FEW)
        assert any("Slots of the server: 2. Of 4 people" in str(note) for note in crowded.notes)
