"""safetensors headers and folders of shards, good and bad."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models.building import Memory

from gyakusan import errors
from gyakusan.doors import files
from gyakusan.models.formats import safetensors


def packed(head: Any, data: int = 0, length: int | None = None) -> bytes:
    """A file. head: an object or its JSON text."""
    raw = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(raw) if length is None else length) + raw + bytes(data)


def entry(kind: str, shape: list[int], start: int, stop: int) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [start, stop]}


def file(names: dict[str, list[int]], kind: str = "F32") -> bytes:
    """A valid file of tensors with these shapes."""
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, shape in names.items():
        size = 4
        for n in shape:
            size *= n
        head[name] = entry(kind, shape, at, at + size)
        at += size
    return packed(head, at)


def read(data: bytes) -> safetensors.Header:
    return safetensors.read(Memory(data, "made.safetensors"))


def test_a_header() -> None:
    head = {
        "b": entry("BF16", [3, 64], 8, 392),
        "__metadata__": {"format": "pt"},
        "a": entry("I64", [], 0, 8),
        "none": entry("F32", [0, 4], 392, 392),
        "q": entry("U32", [2, 5], 392, 432),
    }
    found = read(packed(head, 432))
    assert [(t.name, t.shape, t.type, t.bytes) for t in found.tensors] == [
        ("a", (), "I64", 8),
        ("b", (64, 3), "BF16", 384),
        ("none", (4, 0), "F32", 0),
        ("q", (5, 2), "U32", 40),
    ]
    assert found.metadata == {"format": "pt"}
    assert found.size == len(packed(head, 432))
    assert found.data_at == found.size - 432
    assert found.files == ("made.safetensors",)


def test_padding_after_the_header() -> None:
    assert read(packed(json.dumps({"a": entry("U8", [3], 0, 3)}).encode() + b"     ", 3)).tensors[0].bytes == 3


def test_no_tensors() -> None:
    assert read(packed({})).tensors == ()


A = entry("F32", [2], 0, 8)
ONE = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
BAD: dict[str, tuple[bytes, type[errors.BadModel], str]] = {
    "empty": (b"", errors.Truncated, r"ends after 0 bytes\. Download it again"),
    "cut length": (b"\1\2\3", errors.Truncated, r"ends after 3 bytes"),
    "gguf": (b"GGUF" + bytes(60), errors.Unsupported, r"is not a safetensors file"),
    "web page": (b"<!DOCTYPE html><html>", errors.Unsupported, r"a web page\. Give the address"),
    "lfs pointer": (b"version https://git-lfs.github.com/spec/v1\n", errors.Unsupported, r"git lfs pull"),
    "length 2^63": (
        packed({"a": A}, 8, 2**63),
        errors.Malformed,
        r"claims 9223372036854775808 bytes; the limit is 100000000",
    ),
    "length past the end": (packed({"a": A}, 8, 9999), errors.Truncated, r"claims 9999 bytes, but only \d+ follow"),
    "length 1": (packed({"a": A}, 8, 1), errors.Malformed, r"line 1, column 2"),
    "no JSON": (packed(b"{nonsense"), errors.Malformed, r"cannot be read as JSON: line 1"),
    "not UTF-8": (packed(b'{"\xff": 1}'), errors.Malformed, r"byte 2 is not UTF-8"),
    "nested": (packed(b'{"a":' + b"[" * 50_000), errors.Malformed, r"nested too deeply"),
    "nested and closed": (packed(b'{"a":' + b"[" * 90 + b"]" * 90 + b"}"), errors.Malformed, r"nested too deeply"),
    "broad": (packed(b'{"a":[' + b"[]," * 1_000_001 + b"[]]}"), errors.Malformed, r"too many values"),
    "huge number": (packed(b'{"a":' + b"9" * 5000 + b"}"), errors.Malformed, r"a number has 5000 digits"),
    "tensor twice": (packed(b'{"a":' + ONE + b',"a":' + ONE + b"}", 8), errors.Malformed, r"the key 'a' occurs twice"),
    "field twice": (packed(b'{"a":' + ONE[:-1] + b',"dtype":"F16"}}', 8), errors.Malformed, r"'dtype' occurs twice"),
    "escaped twice": (packed(b'{"a":' + ONE + b',"\\u0061":' + ONE + b"}", 8), errors.Malformed, r"'a' occurs twice"),
    "entry no object": (packed({"a": 3}), errors.Malformed, r"is of the kind int, not object"),
    "field absent": (
        packed({"a": {"dtype": "F32", "shape": [2]}}),
        errors.Malformed,
        r"lacks the field data_offsets",
    ),
    "shape of text": (packed({"a": A | {"shape": ["2"]}}, 8), errors.Malformed, r"is of the kind str, not int"),
    "three offsets": (packed({"a": A | {"data_offsets": [0, 8, 9]}}, 8), errors.Malformed, r"length 2"),
    "offset 0.5": (
        packed({"a": A | {"data_offsets": [0.5, 8]}}, 8),
        errors.Malformed,
        r"is of the kind float, not int",
    ),
    "metadata of numbers": (packed({"__metadata__": {"a": 1}}), errors.Malformed, r"is of the kind int, not str"),
    "unknown type": (
        packed({"a": A | {"dtype": "F1"}}, 8),
        errors.Unsupported,
        r"element type 'F1' .* is unknown.*update gyakusan",
    ),
    "a ggml type": (packed({"a": A | {"dtype": "Q4_K"}}, 8), errors.Unsupported, r"element type 'Q4_K' .* is unknown"),
    "negative shape": (packed({"a": A | {"shape": [-2]}}, 8), errors.Malformed, r"shape \[-2\] .* is out of range"),
    "huge shape": (packed({"a": A | {"shape": [2**32, 2**32]}}, 8), errors.Malformed, r"shape .* is out of range"),
    "many dimensions": (packed({"a": A | {"shape": [1] * 17}}, 8), errors.Malformed, r"shape .* is out of range"),
    "other size": (
        packed({"a": A | {"shape": [3]}}, 8),
        errors.Malformed,
        r"lies at bytes 0 to 8, but 12 bytes from 0",
    ),
    "backwards": (packed({"a": A | {"data_offsets": [8, 0]}}, 8), errors.Malformed, r"lies at bytes 8 to 0"),
    "negative offset": (packed({"a": A | {"data_offsets": [-8, 0]}}, 8), errors.Malformed, r"lies at bytes -8 to 0"),
    "hole": (
        packed({"a": A, "b": entry("U8", [1], 9, 10)}, 10),
        errors.Malformed,
        r"'b' lies at bytes 9 to 10, but 1 bytes from 8",
    ),
    "overlap": (packed({"a": A, "b": entry("U8", [1], 7, 8)}, 8), errors.Malformed, r"'b' lies at bytes 7 to 8"),
    "data cut": (packed({"a": A}, 5), errors.Truncated, r"3 bytes too short for its tensors\. .*finish the download"),
    "data left over": (packed({"a": A}, 9), errors.Malformed, r"has 1 bytes that belong to no tensor"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bytes(case: str) -> None:
    data, kind, said = BAD[case]
    tracemalloc.start()
    with pytest.raises(kind, match=said) as caught:
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(caught.value)
    assert caught.value.mend is not None
    assert peak < 8 * 2**20


def test_every_prefix_is_refused() -> None:
    data = file({"a": [2, 2], "b": [3]})
    for n in range(len(data)):
        with pytest.raises(errors.BadModel):
            read(data[:n])


def survives(data: bytes) -> None:
    refused = None
    try:
        read(data)
    except errors.GyakusanError as error:
        refused = error
    assert refused is None or ("\n" not in str(refused) and refused.mend is not None)


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    survives(data)
    survives(packed(b"{" + data, 10))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "Q4_K"]) | JSON,
        "shape": st.lists(st.integers(-1, 2**64), max_size=5) | JSON,
        "data_offsets": st.lists(st.integers(-1, 50), min_size=2, max_size=2) | JSON,
    }
)


@given(st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]), ENTRY | JSON))
@settings(deadline=None)
def test_any_json(head: dict[str, Any]) -> None:
    survives(packed(head, 50))


# Folders


def fill(folder: Path, files: dict[str, bytes], index: dict[str, str] | None = None) -> Path:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    if index is not None:
        (folder / safetensors.INDEX).write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": index}))
    return folder


ONE_FILE, TWO_FILE = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
SHARDS = {ONE_FILE: file({"a": [2, 3]}), TWO_FILE: file({"b": [4], "c": [5]})}
MAP = {"a": ONE_FILE, "b": TWO_FILE, "c": TWO_FILE}


@pytest.mark.parametrize("index", [MAP, None])
def test_shards(tmp_path: Path, index: dict[str, str] | None) -> None:
    found = safetensors.read_folder(fill(tmp_path, SHARDS, index))
    assert [t.name for t in found.tensors] == ["a", "b", "c"]
    assert found.files == (ONE_FILE, TWO_FILE)
    assert found.size == sum(map(len, SHARDS.values()))
    assert found.name == str(tmp_path)


def test_the_same_model_stored_twice(tmp_path: Path) -> None:
    one = file({"a": [2]})
    found = safetensors.read_folder(fill(tmp_path, {"model.safetensors": one, "consolidated.safetensors": one}))
    assert found.files == ("model.safetensors",)


def test_a_file_under_its_own_name(tmp_path: Path) -> None:
    assert safetensors.read_folder(fill(tmp_path, {"weights.safetensors": file({"a": [2]})})).files == (
        "weights.safetensors",
    )


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {ONE_FILE: SHARDS[ONE_FILE]}, MAP)
    with pytest.raises(errors.BadReference, match=rf"{TWO_FILE} is missing\. Download the whole model"):
        safetensors.read_folder(tmp_path)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(errors.BadReference, match=r"has no safetensors file\. Download"):
        safetensors.read_folder(tmp_path)


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/x.safetensors", "a\\b.safetensors", "x.bin", "a\n.safetensors", ""]
)
def test_an_index_that_points_elsewhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(errors.Malformed, match=r"which is not a shard in its folder"):
        safetensors.read_folder(fill(tmp_path, SHARDS, {"a": name}))


@pytest.mark.parametrize(
    ("files", "index", "said"),
    [
        (SHARDS, MAP | {"d": ONE_FILE}, r"lacks the tensor 'd' of its index"),
        (SHARDS, {}, r"names 0 shards"),
        ({ONE_FILE: SHARDS[ONE_FILE], TWO_FILE: SHARDS[ONE_FILE]}, None, r"Two files of .* have the tensor 'a'"),
    ],
)
def test_shards_that_do_not_fit(
    tmp_path: Path, files: dict[str, bytes], index: dict[str, str] | None, said: str
) -> None:
    with pytest.raises(errors.Malformed, match=said):
        safetensors.read_folder(fill(tmp_path, files, index))


@pytest.mark.parametrize("text", ["[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}', "nonsense"])
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    fill(tmp_path, SHARDS)
    (tmp_path / safetensors.INDEX).write_text(text)
    with pytest.raises(errors.Malformed, match=r"index\.json cannot be read as JSON: .*download it again"):
        safetensors.read_folder(tmp_path)


def test_from_disk(tmp_path: Path) -> None:
    fill(tmp_path, SHARDS)
    with files.open(tmp_path / ONE_FILE) as source:
        assert safetensors.read(source).tensors == read(SHARDS[ONE_FILE]).tensors
