"""What is written sparse is read back the same, by us and by the reference reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gyakusan.core.model import Tensor
from gyakusan.doors import files
from gyakusan.errors import Malformed, SourceError, Unsupported
from gyakusan.models.formats import gguf, gguf_writer

METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "a.whole": 7,
    "a.large": 2**40,
    "a.below": -3,
    "a.far_below": -(2**40),
    "a.half": 0.5,
    "a.yes": True,
    "a.text": "逆算",
    "a.flags": [True, False],
    "a.texts": ("x", "y"),
    "a.numbers": (1, -2),
    "a.halves": [1, 0.5],
}
TENSORS = (
    Tensor("token_embd.weight", (256, 10), "Q4_K"),
    Tensor("a.bias", (3,), "F32"),
    Tensor("blk.0.w.weight", (256, 2, 2**20), "Q6_K"),
)


def test_it_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    size = gguf_writer.write(path, {**METADATA, "general.alignment": 64}, TENSORS)
    with files.open(str(path)) as source:
        header = gguf.read(source)
    as_read = {k: tuple(v) if isinstance(v, list | tuple) else v for k, v in METADATA.items()}
    assert dict(header.metadata) == as_read
    assert header.tensors == TENSORS
    assert header.offsets == (0, 1440, 1472)
    assert size == path.stat().st_size == header.data_at + 1472 + TENSORS[2].bytes


def test_it_takes_no_room(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    assert gguf_writer.write(path, METADATA, TENSORS) > 400 * 2**20
    assert path.stat().st_blocks * 512 < 2**20


def test_the_reference_reader_agrees(tmp_path: Path) -> None:
    reader = pytest.importorskip("gguf")
    path = tmp_path / "model.gguf"
    gguf_writer.write(path, METADATA, TENSORS)
    found = reader.GGUFReader(str(path))
    assert found.get_field("a.text").contents() == "逆算"
    assert found.get_field("a.numbers").contents() == [1, -2]
    assert [(t.name, tuple(map(int, t.shape)), t.tensor_type.name) for t in found.tensors] == [
        (t.name, t.shape, t.type) for t in TENSORS
    ]


@pytest.mark.parametrize("value", [None, {"a": 1}, [1, "x"], [True, 1], 2**64, -(2**63) - 1, [[1]]])
def test_what_gguf_cannot_hold(value: object) -> None:
    with pytest.raises(Malformed, match=r"a\.key"):
        gguf_writer.header({"a.key": value}, ())


def test_types_that_gguf_does_not_have() -> None:
    with pytest.raises(Unsupported, match="F8_E4M3"):
        gguf_writer.header({}, (Tensor("w", (4,), "F8_E4M3"),))


def test_a_place_that_takes_no_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="TMPDIR"):
        gguf_writer.write(tmp_path / "nowhere" / "x.gguf", METADATA, TENSORS)
