"""config.json: what is read, and what is refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gyakusan import errors
from gyakusan.models.formats import config, json_text

GOOD = {"model_type": "llama", "text_config": {"hidden_size": 64}, "time_step_limit": [0.0, float("inf")]}


def test_a_folder_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(GOOD))
    assert config.read(tmp_path) == config.read(str(tmp_path / "config.json")) == GOOD


def test_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b"\xef\xbb\xbf{}")
    assert config.read(tmp_path) == {}


BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", r"line 1, column 1: Expecting value"),
    "list": (b"[]", r"it is not an object"),
    "number": (b"3", r"it is not an object"),
    "cut": (b'{"a": 1', r"line 1, column 8"),
    "not UTF-8": (b'{"a": "\xff"}', r"byte 7 is not UTF-8"),
    "nested arrays": (b"[" * 100_000, r"nested too deeply"),
    "nested objects": (b'{"a":' * 100_000, r"nested too deeply"),
    "nested and closed": (b'{"a":' * 65 + b"1" + b"}" * 65, r"nested too deeply"),
    "broad": (b'{"a":[' + b"{}," * 200_000 + b"{}]}", r"too many values"),
    "long": (b'{"a":[' + b"1," * 2_000_001 + b"1]}", r"too many values"),
    "huge number": (b'{"a": ' + b"1" * 10_000 + b"}", r"a number has 10000 digits"),
    "key twice": (b'{"a": 1, "b": {"c": 1, "c": 2}}', r"the key 'c' occurs twice"),
    "key with control characters twice": (b'{"\\n": 1, "\\n": 2}', r"the key '\\n' occurs twice"),
    "web page": (b"<html>", r"Expecting value.*download it again"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_bytes(tmp_path: Path, case: str) -> None:
    data, said = BAD[case]
    (tmp_path / "config.json").write_bytes(data)
    with pytest.raises(errors.Malformed, match=said) as caught:
        config.read(tmp_path)
    assert "\n" not in str(caught.value)
    assert "config.json cannot be read as JSON" in str(caught.value)
    assert "download it again" in str(caught.value)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.touch()
    os.truncate(path, 2**40)
    with pytest.raises(errors.Malformed, match=r"larger than 16 MiB\. This is no model description"):
        config.read(path)


def test_a_folder_without_one(tmp_path: Path) -> None:
    with pytest.raises(errors.BadReference, match=r"no config\.json in .*\. Give a folder"):
        config.read(tmp_path)
    (tmp_path / "m.gguf").touch()
    with pytest.raises(errors.BadReference, match=r"Give the path of the file m\.gguf in it"):
        config.read(tmp_path)
    with pytest.raises(errors.BadReference, match=r"The file"):
        config.read(tmp_path / "nothing")


@given(st.binary(max_size=100) | st.text('{}[]",:0123456789.eE-\\u nulltruefalse', max_size=100).map(str.encode))
@settings(deadline=None)
def test_any_bytes(data: bytes) -> None:
    try:
        json_text.loads(data, "made.json")
    except errors.Malformed as error:
        refused = error
    else:
        refused = None
    assert refused is None or "\n" not in str(refused)


@given(st.recursive(st.integers(-(10**30), 10**30) | st.text(), lambda i: st.lists(i) | st.dictionaries(st.text(), i)))
@settings(deadline=None)
def test_any_json_is_read_as_it_is(value: object) -> None:
    assert json_text.loads(json.dumps(value).encode(), "made.json") == value
