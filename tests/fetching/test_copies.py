"""What other programs keep is found, where they keep it and as they name it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.fakes import fake_hub, fake_ollama

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.fetching.copies import hub_caches, lmstudio_folders
from gyakusan.fetching.find import find, find_files, packaged
from gyakusan.fetching.stock import stock
from gyakusan.fetching.wanted import of_text

ONE, TWO, EYES = b"a" * 5000, b"b" * 3000, b"c" * 10


def file(folder: Path, name: str, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return folder / name


def test_lm_studios_folder(home: Path) -> None:
    path = file(home / ".lmstudio" / "models" / "org" / "tiny-GGUF", "tiny-Q4_K_M.gguf", ONE)
    found = find(of_text("org/tiny-GGUF:Q4_K_M"))
    assert found is not None
    assert (found.program, found.path, found.bytes) == ("LM Studio", path, 5000)
    assert find(of_text("org/tiny-GGUF:Q8_0")) is None
    assert find(of_text("org/other:Q4_K_M")) is None


def test_lm_studios_folder_may_be_elsewhere(home: Path, tmp_path: Path) -> None:
    (home / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'moved'}\n")
    (tmp_path / "moved").mkdir()
    (tmp_path / "moved" / "settings.json").write_text(json.dumps({"downloadsFolder": str(tmp_path / "disk2")}))
    file(tmp_path / "disk2" / "org" / "tiny-GGUF", "tiny-Q4_K_M.gguf", ONE)
    found = find(of_text("org/tiny-GGUF:Q4_K_M"))
    assert found is not None
    assert found.path.is_relative_to(tmp_path / "disk2")
    (tmp_path / "moved" / "settings.json").write_text("[" * 100_000)
    assert tmp_path / "moved" / "models" in lmstudio_folders()


def test_llama_cpps_cache_in_the_hubs_layout(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "llama"))
    fake_hub.download(tmp_path / "llama", "org/tiny-GGUF", {"tiny-Q4_K_M.gguf": ONE})
    found = find(of_text("org/tiny-GGUF:Q4_K_M"))
    assert found is not None
    assert found.program == "llama.cpp"
    assert [name for name, _ in hub_caches()] == ["Hugging Face", "llama.cpp"]


def test_llama_cpps_old_names(home: Path) -> None:
    path = file(home / ".cache" / "llama.cpp", "org_tiny-GGUF_tiny-Q4_K_M.gguf", ONE)
    found = find(of_text("org/tiny-GGUF:Q4_K_M"))
    assert found is not None
    assert (found.program, found.path) == ("llama.cpp", path)


def test_all_parts_have_to_be_there(home: Path) -> None:
    folder = home / ".lmstudio" / "models" / "org" / "tiny-GGUF"
    file(folder, "tiny-Q8_0-00001-of-00002.gguf", ONE)
    assert find(of_text("org/tiny-GGUF:Q8_0")) is None
    file(folder, "tiny-Q8_0-00002-of-00002.gguf", TWO)
    found = find(of_text("org/tiny-GGUF:Q8_0"))
    assert found is not None
    assert (found.bytes, [p.name for p in found.files]) == (
        8000,
        ["tiny-Q8_0-00001-of-00002.gguf", "tiny-Q8_0-00002-of-00002.gguf"],
    )


def test_a_projector_has_to_be_there_where_images_are_sent(home: Path) -> None:
    folder = home / ".lmstudio" / "models" / "org" / "tiny-GGUF"
    file(folder, "tiny-Q4_K_M.gguf", ONE)
    assert find(of_text("org/tiny-GGUF:Q4_K_M", images=True)) is None
    eyes = file(folder, "mmproj-tiny-F16.gguf", EYES)
    found = find(of_text("org/tiny-GGUF:Q4_K_M", images=True))
    assert found is not None
    assert found.projector == eyes


def test_a_file_that_is_not_whole_in_ollamas_store_is_none(home: Path) -> None:
    fake_ollama.pull(home / "ollama", "hf.co/org/tiny-GGUF", "Q4_K_M", [("model", ONE, {})])
    assert find(of_text("org/tiny-GGUF:Q4_K_M")) is not None
    blob = next((home / "ollama" / "blobs").iterdir())
    blob.write_bytes(ONE[:-1])
    assert find(of_text("org/tiny-GGUF:Q4_K_M")) is None


def test_what_pip_installed_is_listed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyakusan.fetching.stock.packaged", packaged)
    (small,) = stock().models
    assert (small.name, small.program) == ("smollm2-135m", "pip")
    assert small.path.is_file()
    assert small.bytes == small.path.stat().st_size > 90e6


def test_everything_is_listed_once(home: Path, cache: Path) -> None:
    assert stock().models == ()
    fake_hub.download(cache, "org/tiny-GGUF", {"tiny-Q4_K_M.gguf": ONE, "mmproj-F16.gguf": EYES, "README.md": b"#"})
    fake_hub.download(cache, "org/plain", {"config.json": b"{}", "model.safetensors": TWO})
    file(cache / "models--org--tiny-GGUF" / "blobs", f"{'d' * 64}.incomplete", b"x" * 77)
    file(home / ".lmstudio" / "models" / "org" / "other-GGUF", "other-Q8_0.gguf", TWO)
    file(home / ".cache" / "llama.cpp", "org_old_old-Q4_0.gguf", TWO)
    file(home / ".cache" / "llama.cpp", "manifest=org=old=latest.json", b"{}")
    fake_ollama.pull(
        home / "ollama", "registry.ollama.ai/library/qwen3", "8b", [("model", ONE, {}), ("template", EYES, {})]
    )
    found = stock()
    assert {(m.program, m.name, m.bytes) for m in found.models} == {
        ("Hugging Face", "org/plain", 3000),
        ("Hugging Face", "org/tiny-GGUF:Q4_K_M", 5000),
        ("LM Studio", "org/other-GGUF:Q8_0", 3000),
        ("Ollama", "ollama:qwen3:8b", 5010),
        ("llama.cpp", "org_old_old-Q4_0.gguf", 3000),
    }
    assert [m.program for m in found.models] == sorted(m.program for m in found.models)
    assert (found.bytes, len(found.unfinished), found.unfinished_bytes) == (19_010, 1, 77)


def test_serve_is_told_where_the_planned_files_are(home: Path) -> None:
    asked = api.deployment("gpt-oss-20b", load=Load(1, 8192), device="RTX 4090")
    artifact = asked.artifact
    assert artifact is not None
    assert find_files(asked) is None
    path = file(home / ".lmstudio" / "models" / artifact.repository, artifact.files[0].rpartition("/")[2], ONE)
    found = find_files(asked)
    assert found is not None
    assert found.path == path
