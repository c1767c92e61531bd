"""Bytes that are wrong on purpose: one error that names the mend, in little time and memory."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.models import building
from tests.models.building import ARRAY, F32, STRING, U32, Memory, Raw, array, header, padded, pair, tensor, text

from gyakusan.doors import files
from gyakusan.errors import BadModel, GyakusanError, Malformed, Truncated, Unsupported
from gyakusan.models.formats import gguf
from gyakusan.text import tell

HUGE = 2**63
SAFETENSORS = struct.pack("<Q", 80) + b'{"a":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}' + bytes(90)


def one(*pairs: bytes) -> bytes:
    return header(list(pairs), [])


def tensors(*entries: bytes, data: int = 4096, pairs: tuple[bytes, ...] = ()) -> bytes:
    return padded(header(list(pairs), list(entries)), data)


def aligned(value: object, kind: int = U32) -> bytes:
    return one(pair("general.alignment", kind, value))


A = pair("a", U32, 1)
GOOD = tensor("t", (32,), 0, 0)

BAD: dict[str, tuple[bytes, type[BadModel], str]] = {
    "empty file": (b"", Truncated, r"is empty\. Download it again"),
    "cut magic": (b"GG", Truncated, r"ends after 2 bytes\. Download"),
    "zeros": (bytes(4096), Malformed, r"zeros only\. The download is incomplete"),
    "noise": (b"\x93abc" * 50, Malformed, r"looks like an unknown kind of file\. Give a GGUF file"),
    "safetensors": (SAFETENSORS, Unsupported, r"a safetensors file\. Give the folder"),
    "zip": (b"PK\x03\x04" + bytes(80), Unsupported, r"a zip archive or PyTorch checkpoint\. Convert"),
    "pickle": (b"\x80\x02}q" + bytes(80), Unsupported, r"a Python pickle\. Convert"),
    "web page": (b"\n<!DOCTYPE html><html>", Unsupported, r"a web page\. Give the address of the file itself"),
    "error page": (b"<?xml version='1.0'?><Error>AccessDenied", Unsupported, r"a web page"),
    "lfs pointer": (
        b"version https://git-lfs.github.com/spec/v1\noid",
        Unsupported,
        r"Git LFS pointer\. .*git lfs pull",
    ),
    "json": (b'{"model_type": "llama"}', Unsupported, r"JSON text\. Give the model file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(50), Unsupported, r"a gzip archive\. Unpack it"),
    "ggml": (b"lmgg" + bytes(50), Unsupported, r"before GGUF\. Download the model again as GGUF"),
    "ggjt": (b"tjgg" + bytes(50), Unsupported, r"before GGUF"),
    "version 1": (header([], [], version=1) + bytes(64), Unsupported, r"version 1; .*Convert the model again"),
    "version 0": (header([], [], version=0) + bytes(64), Unsupported, r"version 0; "),
    "version 4": (header([], [], version=4) + bytes(64), Unsupported, r"version 4; .*Update gyakusan"),
    "cut version": (b"GGUF\x03", Truncated, r"ends inside its header: 4 bytes .* 1 are there"),
    "cut counts": (header([], [])[:-1], Truncated, r"ends inside its header.*download it again"),
    "2^63 tensors": (header([], [], count=HUGE), Malformed, r"claims 9223372036854775808 tensors; the limit"),
    "2^63 keys": (header([], [], keys=HUGE), Malformed, r"claims 9223372036854775808 keys; the limit"),
    "2^64-1 keys": (header([], [], keys=2**64 - 1), Malformed, r"claims 18446744073709551615 keys"),
    "more keys than bytes": (header([A], [], keys=900), Truncated, r"claims 900 keys, but only 17 bytes follow"),
    "more tensors than bytes": (header([], [GOOD], count=900), Truncated, r"claims 900 tensors, but only"),
    "key longer than file": (one(struct.pack("<Q", HUGE) + bytes(30)), Truncated, r"claims 9223372036854775808 bytes"),
    "key too long": (one(pair("k" * 2000, U32, 1)), Malformed, r"a key with a name of 2000 bytes"),
    "key without name": (one(pair("", U32, 1)), Malformed, r"a key with a name of 0 bytes"),
    "key twice": (one(A, A), Malformed, r"has the key 'a' twice"),
    "key not UTF-8": (one(pair(b"\xff\xfe", U32, 1)), Malformed, r"a name at byte 32 is not UTF-8"),
    "value not UTF-8": (one(pair("a", STRING, b"ab\xff")), Malformed, r"the value of 'a' .* is not UTF-8"),
    "text longer than file": (
        one(pair("a", STRING, Raw(struct.pack("<Q", HUGE + 5)))),
        Truncated,
        r"claims 9223372036854775813 bytes",
    ),
    "unknown value type": (
        one(pair("a", U32, 1)[:-8] + struct.pack("<II", 13, 0)),
        Malformed,
        r"type 13 .* is unknown",
    ),
    "nested array": (
        one(pair("a", ARRAY, struct.pack("<IQ", ARRAY, 1) + array(U32, [1]))),
        Malformed,
        r"'a' is an array of arrays",
    ),
    "array of unknown type": (one(pair("a", ARRAY, struct.pack("<IQ", 77, 1))), Malformed, r"array of unknown type 77"),
    "2^63 strings": (
        one(pair("a", ARRAY, struct.pack("<IQ", STRING, HUGE))),
        Truncated,
        r"'a' claims 9223372036854775808",
    ),
    "2^63 numbers": (
        one(pair("a", ARRAY, struct.pack("<IQ", F32, HUGE))),
        Truncated,
        r"'a' claims 9223372036854775808",
    ),
    "skipped string longer than file": (
        one(
            pair(
                "tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, 2) + text("a") + struct.pack("<Q", 2**64 - 1)
            )
        ),
        Truncated,
        r"18446744073709551615 bytes are expected",
    ),
    "skipped string not there": (
        one(pair("tokenizer.ggml.tokens", ARRAY, array(STRING, ["abcdefgh"] * 3)))[:-20],
        Truncated,
        r"ends inside its header",
    ),
    "kept string longer than file": (
        one(pair("a", ARRAY, struct.pack("<IQQ", STRING, 1, HUGE))),
        Truncated,
        r"claims 9223372036854775808 bytes",
    ),
    "too many strings": (
        one(
            pair(
                "tokenizer.ggml.tokens",
                ARRAY,
                array(STRING, [])[:4] + struct.pack("<Q", 2**22 + 1) + bytes(8 * 2**22 + 8),
            )
        ),
        Malformed,
        r"more than 4194304 strings",
    ),
    "too much text": (
        one(*(pair(f"k{i}", STRING, b"x" * 2**20) for i in range(17))),
        Malformed,
        r"more than 16 MiB of metadata",
    ),
    "too many numbers": (
        one(*(pair(f"k{i}", ARRAY, array(building.U8, [0] * 4096)) for i in range(200))),
        Malformed,
        r"more than 16 MiB of metadata",
    ),
    "alignment 0": (aligned(0), Malformed, r"general\.alignment is 0, not a power of two"),
    "alignment 48": (aligned(48), Malformed, r"general\.alignment is 48, not a power of two"),
    "alignment -32": (aligned(-32, building.I32), Malformed, r"general\.alignment is -32"),
    "alignment 2^40": (aligned(2**40, building.U64), Malformed, r"general\.alignment is 1099511627776"),
    "alignment text": (aligned("32", STRING), Malformed, r"general\.alignment is '32'"),
    "alignment true": (aligned(True, building.BOOL), Malformed, r"general\.alignment is True"),
    "no dimensions": (tensors(tensor("t", (), 0, 0)), Malformed, r"tensor 't' has 0 dimensions"),
    "5 dimensions": (
        tensors(tensor("t", (32, 1, 1, 1, 1), 0, 0)),
        Malformed,
        r"tensor 't' has 5 dimensions, outside 1 to 4",
    ),
    "2^32-1 dimensions": (
        tensors(text("t") + struct.pack("<I", 2**32 - 1) + bytes(64)),
        Malformed,
        r"has 4294967295 dimensions",
    ),
    "dimension 0": (tensors(tensor("t", (32, 0), 0, 0)), Malformed, r"shape \(32, 0\) .* is out of range"),
    "product 2^64": (tensors(tensor("t", (2**32, 2**32), 0, 0)), Malformed, r"shape .* is out of range"),
    "product 2^252": (tensors(tensor("t", (HUGE,) * 4, 0, 0)), Malformed, r"shape .* is out of range"),
    "element type .* is unknown": (
        tensors(tensor("t", (32,), 99, 0)),
        Unsupported,
        r"element type 99 .* is unknown.*update gyakusan",
    ),
    "removed element type": (tensors(tensor("t", (32,), 4, 0)), Unsupported, r"element type 4 .* is unknown"),
    "half a block": (
        tensors(tensor("t", (33,), 8, 0)),
        Malformed,
        r"rows of tensor 't' have 33 values, which is not a multiple of 32",
    ),
    "tensor twice": (tensors(GOOD, tensor("t", (32,), 0, 128)), Malformed, r"has the tensor 't' twice"),
    "tensor not UTF-8": (tensors(tensor(b"\xc3", (32,), 0, 0)), Malformed, r"a name at byte .* is not UTF-8"),
    "tensor name too long": (
        tensors(tensor("t" * 1025, (32,), 0, 0)),
        Malformed,
        r"a tensor with a name of 1025 bytes",
    ),
    "offset not aligned": (
        tensors(tensor("t", (32,), 0, 8)),
        Malformed,
        r"begins at byte 8, which is not a multiple of 32",
    ),
    "overlap": (tensors(GOOD, tensor("u", (32,), 0, 96)), Malformed, r"tensors 't' and 'u' overlap"),
    "same offset": (tensors(GOOD, tensor("u", (32,), 0, 0)), Malformed, r"tensors .* overlap"),
    "offset past the end": (
        tensors(tensor("t", (32,), 0, 2**20)),
        Truncated,
        r"bytes are missing.*finish the download",
    ),
    "offset 2^64": (tensors(tensor("t", (32,), 0, 2**64 - 32)), Truncated, r"bytes are missing"),
    "data cut by 1": (
        tensors(tensor("t", (1024,), 0, 0))[:-1],
        Truncated,
        r": 1 bytes are missing\. The file is incomplete",
    ),
    "data cut": (building.small()[:-700], Truncated, r"700 bytes are missing"),
    "control characters": (
        one(pair("a\n\x1b[31m", U32, 1), pair("a\n\x1b[31m", U32, 1)),
        Malformed,
        r"'a\\n\\x1b\[31m' twice",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bytes(case: str) -> None:
    data, kind, said = BAD[case]
    tracemalloc.start()
    with pytest.raises(kind, match=said) as caught:
        gguf.read(Memory(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    line = str(caught.value)
    assert "\n" not in line
    assert "made.gguf" in line
    assert len(line) < 400
    assert caught.value.mend is not None
    assert caught.value.exit_code == 2
    assert peak < 48 * 2**20 if case.startswith("too m") else peak < 4 * 2**20


@pytest.mark.parametrize("case", BAD)
def test_bad_bytes_on_disk_say_the_same(case: str, tmp_path: Path) -> None:
    data, kind, said = BAD[case]
    path = tmp_path / "made.gguf"
    path.write_bytes(data)
    with files.open(path) as source, pytest.raises(kind, match=said):
        gguf.read(source)


def test_names_stand_in_the_marks_of_the_reader() -> None:
    with pytest.raises(Malformed) as refused:
        gguf.read(Memory(BAD["tensor twice"][0]))
    assert "テンソル「t」" in tell(refused.value.message, "ja")
    assert "tensor 't'" in tell(refused.value.message, "en")


def test_every_prefix_of_a_file_is_refused() -> None:
    data = building.small()
    for n in range(len(data)):
        with pytest.raises((Truncated, Malformed)):
            gguf.read(Memory(data[:n]))


def test_strings_scattered_over_a_huge_file_cost_little() -> None:
    """Each string ends far behind the window: nothing between is read."""

    class Sparse(Memory):
        def read(self, at: int, n: int) -> bytes:
            self.reads.append((at, n))
            return self.data.ljust(n, b"\0") if at == 0 else struct.pack("<Q", 2**40).ljust(n, b"\0")

    head = one(pair("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQQ", STRING, 2**20, 2**40)))
    source = Sparse(head)
    source.size = 2**62
    with pytest.raises(Malformed, match=r"does not end within 256 MiB"):
        gguf.read(source)
    assert sum(n for _, n in source.reads) <= 2 * 256 * 2**20
    assert len(source.reads) < 10_000


def survives(data: bytes) -> None:
    """A Header, or one line that says what to do; anything else is raised and fails the test."""
    source = Memory(data)
    refused = None
    try:
        found = gguf.read(source)
        assert all(t.bytes > 0 for t in found.tensors)
    except GyakusanError as error:
        refused = error
    assert refused is None or ("\n" not in str(refused) and refused.mend is not None)
    assert len(source.reads) < 100


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    survives(data)


@given(st.binary(max_size=300), st.sampled_from(["<", ">"]), st.integers(0, 4), st.integers(0, 4))
@settings(deadline=None)
def test_any_bytes_after_a_good_start(data: bytes, order: str, keys: int, count: int) -> None:
    survives(header([], [], order=order, keys=keys, count=count) + data)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid file with some bytes, counts or lengths replaced, a piece cut out, or a piece doubled."""
    data = bytearray(building.small(draw(st.sampled_from(["<", ">"])), draw(st.sampled_from([2, 3]))))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        piece = draw(
            st.one_of(
                st.binary(min_size=1, max_size=8),
                st.sampled_from([0, 1, 255, 2**31, 2**32 - 1, 2**63, 2**64 - 1]).map(lambda n: struct.pack("<Q", n)),
            )
        )
        how = draw(st.sampled_from(["over", "insert", "cut", "double"]))
        n = draw(st.integers(0, 64))
        if how == "over":
            data[at : at + len(piece)] = piece
        elif how == "insert":
            data[at:at] = piece
        elif how == "cut":
            del data[at : at + n]
        else:
            data[at:at] = data[at : at + n]
    return bytes(data)


@given(mutated())
@settings(max_examples=400, deadline=None)
def test_mutated_files(data: bytes) -> None:
    survives(data)
