"""A model of the user's as a record of the catalogue: from a folder, a config.json, a GGUF file, a cached repository."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from tests.fakes import tiny

from gyakusan.catalog.models import ModelRecord
from gyakusan.errors import BadReference, Unsupported
from gyakusan.models import assemble, described, families
from gyakusan.models.described import Facts, describe

CARD = "---\nlicense: apache-2.0\nlanguage: [en, ja-JP, multilingual]\n---\n"
NOTHING = Facts()


def folder(path: Path, readme: str = CARD, **more: Any) -> Path:
    path.mkdir()
    (path / "config.json").write_bytes(tiny.config(**more))
    (path / "README.md").write_text(readme)
    return path


def read_back(record: ModelRecord) -> dict[str, Any]:
    import tomllib

    (row,) = tomllib.loads(described.toml(record))["model"]
    assert isinstance(row, dict)
    return row


def test_a_folder_with_its_card(tmp_path: Path) -> None:
    place = folder(tmp_path / "Mine-7B", vision_config={"hidden_size": 64})
    record = describe(str(place), NOTHING, "2026-11-29")
    assert (record.name, record.license, record.languages) == ("Mine-7B", "apache-2.0", ("en", "ja"))
    assert (record.weights, record.modalities, record.quantization) == (str(place), ("text", "image"), "Q4_K_M")
    assert described.missing(record) == ("released",)
    made, model = assemble.plain(record), assemble.from_directory(str(place))
    assert (made.parameters, len(made.tensors), made.trained_context) == (
        model.parameters,
        len(model.tensors),
        model.trained_context,
    )
    assert made.memory == model.memory
    assert read_back(record)["tied"] is False


def test_a_config_alone_means_its_folder(tmp_path: Path) -> None:
    place = folder(tmp_path / "Mine-7B", readme="no head")
    record = describe(
        str(place / "config.json"), Facts(name="Other", languages=("JA",), released="2026-05"), "2026-11-29"
    )
    assert (record.name, record.weights, record.languages, record.released) == ("Other", str(place), ("ja",), "2026-05")
    assert described.missing(record) == ("license",)


@pytest.mark.parametrize("asked", ["file", "folder"])
def test_a_gguf_file(tmp_path: Path, asked: str) -> None:
    file = tmp_path / "Mine-Coder-7B-Q5_K_M.gguf"
    file.write_bytes(tiny.gguf("Q5_K_M"))
    (tmp_path / "mmproj-F16.gguf").write_bytes(b"")
    record = describe(str(file if asked == "file" else tmp_path), NOTHING, "2026-11-29")
    assert (record.name, record.role, record.quantization) == ("Mine-Coder-7B", "code", "Q5_K_M")
    assert (record.own_file, record.own_folder, record.modalities) == (str(file), "", ("text", "image"))
    assert assemble.plain(record).memory == families.unquantized(families.convert(tiny.CONFIG)).memory
    assert {k for k in read_back(record)["metadata"] if k.startswith("tokenizer.")} == set()


def test_two_gguf_files_are_not_guessed_between(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.gguf").write_bytes(tiny.gguf())
    with pytest.raises(BadReference, match="2 GGUF models"):
        describe(str(tmp_path), NOTHING, "2026-11-29")


def test_a_shape_that_is_not_the_file_is_refused(tmp_path: Path) -> None:
    from gyakusan.core.model import Tensor

    file = tmp_path / "odd.gguf"
    file.write_bytes(tiny.gguf(more=(Tensor("blk.0.odd.weight", (256, 4096), "F32"),)))
    with pytest.raises(Unsupported, match="its metadata describes"):
        describe(str(file), NOTHING, "2026-11-29")


def test_a_repository_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    base = tmp_path / "models--me--Mine-7B-GGUF"
    place = base / "snapshots" / ("a" * 40)
    place.mkdir(parents=True)
    (base / "refs").mkdir()
    (base / "refs" / "main").write_text("a" * 40)
    (place / "Mine-7B-Q4_K_M.gguf").write_bytes(tiny.gguf())
    (place / "README.md").write_text(CARD)
    assert described.is_model("me/Mine-7B-GGUF")
    record = describe("hf:me/Mine-7B-GGUF", NOTHING, "2026-11-29")
    assert (record.name, record.weights, record.gguf) == ("Mine-7B", "hf:me/Mine-7B-GGUF", ("me/Mine-7B-GGUF",))
    assert record.license == "apache-2.0"


def test_what_may_be_a_model(tmp_path: Path) -> None:
    assert described.is_model(str(folder(tmp_path / "a")))
    assert described.is_model("hf:me/x")
    assert described.is_model("https://example.org/a.gguf?download=1")
    assert not described.is_model("https://example.org/mine.toml?x=1")
    assert not described.is_model("mine.toml")
    assert not described.is_model("no/such-repository")


def test_floats_and_lists_stay(tmp_path: Path) -> None:
    record = describe(str(folder(tmp_path / "a")), NOTHING, "2026-11-29")
    more = structs.replace(
        record, metadata={**record.metadata, "llama.x": 1e-06, "llama.y": [True, 2, "z"], "llama.z": 'a"b\\'}
    )
    found = read_back(more)["metadata"]
    assert (found["llama.x"], found["llama.y"], found["llama.z"]) == (1e-06, [True, 2, "z"], 'a"b\\')
    assert json.dumps(found)
