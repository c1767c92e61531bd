"""Python's get: the same answer as the command's --json."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.documents.valid import valid
from tests.fakes.fake_download_hub import FakeHub, fake_hub

import gyakusan


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "LLAMA_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "HF_HOME", "OLLAMA_MODELS", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr("gyakusan.fetching.stock.packaged", lambda: None)
    with fake_hub() as found:
        monkeypatch.setenv("HF_ENDPOINT", found.base)
        found.repositories["org/tiny-GGUF"] = {"tiny-Q4_K_M.gguf": b"g" * 4000, "mmproj-tiny-F16.gguf": b"m" * 10}
        yield found


def test_fetched_then_found_then_listed(hub: FakeHub, tmp_path: Path) -> None:
    planned = gyakusan.get("org/tiny-GGUF:Q4_K_M", dry_run=True)
    assert (planned.state, planned.missing) == ("planned", 4000)
    found = gyakusan.get("org/tiny-GGUF:Q4_K_M")
    document = found.to_dict()
    valid(document)
    assert (document["state"], document["bytes"], document["checked"]) == ("fetched", 4000, True)
    assert document["skipped"][0]["file"] == "mmproj-tiny-F16.gguf"
    assert gyakusan.get("org/tiny-GGUF:Q4_K_M", offline=True).state == "here"
    assert "org/tiny-GGUF:Q4_K_M: fetched, 1 MB, Hugging Face" in repr(found)
    here = gyakusan.get_list()
    valid(here.to_dict())
    assert [(m.name, m.program, m.bytes) for m in here.models] == [("org/tiny-GGUF:Q4_K_M", "Hugging Face", 4000)]
    assert repr(here).startswith("1 models")


def test_a_plan_is_what_it_says(hub: FakeHub) -> None:
    plan = gyakusan.plan(device="RTX 4090", model="gpt-oss-20b").plans[0]
    artifact = plan.artifact
    assert artifact is not None
    hub.repositories[artifact.repository] = dict.fromkeys(artifact.files, b"w" * 100)
    found = gyakusan.get(plan)
    assert sorted(p.name for p in found.files) == sorted(f.rpartition("/")[2] for f in artifact.files)
    assert found.wanted.reference.startswith(artifact.repository)
