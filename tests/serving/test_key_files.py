"""The key of an open server: never empty, never readable by others, whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gyakusan.errors import BadSetting, SourceError
from gyakusan.serving.key_files import check_private, kept_key


@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"short", b"a" * 15, b"a" * 20 + b"\n" + b"b" * 20, b"two words and more", b"\xff" * 20, b"a\x1b" * 9]
    + [b"a" * 20 + c for c in (b"$HOME", b"'", b'"', b"\\", b"#", b"%", b"`", b"!", b"&", b";")],
)
def test_what_is_no_key_is_never_used(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "api-key").write_bytes(text)
    with pytest.raises(SourceError, match=r"api-key holds no key.*Delete the file"):
        kept_key(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["api-key"]


def test_a_key_of_ones_own_is_kept(tmp_path: Path) -> None:
    (tmp_path / "api-key").write_text("Az09._~+/=-Az09._~\n")
    assert "=Az09._~+/=-Az09._~\n" in kept_key(tmp_path).variables.read_text()


def test_an_open_file_is_closed_to_others(tmp_path: Path) -> None:
    files = kept_key(tmp_path)
    for file in (files.key, files.variables):
        file.chmod(0o644)
    kept_key(tmp_path)
    assert {f.stat().st_mode & 0o777 for f in (files.key, files.variables)} == {0o600}


def test_unreadable_variables_are_written_anew(tmp_path: Path) -> None:
    files = kept_key(tmp_path)
    files.variables.write_bytes(b"\xff\xfe")
    kept_key(tmp_path)
    assert files.key.read_text().strip() in files.variables.read_text()


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(SourceError, match="No space left"):
        kept_key(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "private"), [(0o600, True), (0o400, True), (0o640, False), (0o604, False), (0o620, False)]
)
def test_a_key_file_is_ones_own(tmp_path: Path, mode: int, private: bool) -> None:
    """F10: a key file that others could read was taken."""
    file = tmp_path / "key"
    file.write_text("x")
    file.chmod(mode)
    if private:
        check_private(file)
    else:
        with pytest.raises(BadSetting, match=r"Other users .* can read the key.*chmod 600"):
            check_private(file)
    check_private(tmp_path / "gone")  # its reader says so
