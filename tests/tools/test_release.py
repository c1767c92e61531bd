"""tools/release.py: keys and signatures in minisign's own form, and never inside a repository."""

from __future__ import annotations

import base64
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from gyakusan.catalog import minisign
from gyakusan.catalog.places import RELEASE
from gyakusan.errors import SourceError
from tools import release as tool


def test_a_key_pair_and_a_signed_release(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool.main(["keys", str(tmp_path / "keys")])
    public = capsys.readouterr().out.strip()
    secret = tmp_path / "keys" / "publisher.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert (tmp_path / "keys" / "publisher.pub").read_text().splitlines()[1] == public
    tool.main(["sign", str(tmp_path / "out"), "--key", str(secret)])
    signed = [(tmp_path / "out" / name).read_bytes() for name in ("catalog.json", "catalog.json.minisig")]
    assert minisign.verify(*signed, public) == f"gyakusan catalogue {RELEASE}"
    if minisign_itself := shutil.which("minisign"):
        command = [minisign_itself, "-V", "-P", public, "-m", str(tmp_path / "out" / "catalog.json")]
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_no_key_in_a_repository(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    with pytest.raises(SystemExit, match="outside of every repository"):
        tool.main(["keys", str(tmp_path / "keys")])
    assert not list(tmp_path.rglob("*.key"))


def test_a_key_is_not_written_over(tmp_path: Path) -> None:
    tool.make_keys(tmp_path)
    before = (tmp_path / "publisher.key").read_text()
    with pytest.raises(FileExistsError):
        tool.make_keys(tmp_path)
    assert (tmp_path / "publisher.key").read_text() == before


def test_unsigned_for_minisign(tmp_path: Path) -> None:
    tool.main(["sign", str(tmp_path)])
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"catalog-{RELEASE}.json", "catalog.json"]


def test_a_key_with_a_password_is_left_to_minisign() -> None:
    with pytest.raises(SystemExit, match="minisign -S"):
        tool.Secret.read("untrusted comment: x\n" + "RWRTY0Iy" + "A" * 204 + "\n")


@pytest.mark.parametrize("place", [10, 58, 70, 100, 140])
def test_a_damaged_key_signs_nothing(place: int, tmp_path: Path) -> None:
    comment, line = tool.Secret.new().text.splitlines()
    raw = bytearray(base64.b64decode(line))
    if place == 10:
        del raw[place:]
    else:
        raw[place] ^= 1
    file = tmp_path / "publisher.key"
    file.write_text(f"{comment}\n{base64.b64encode(raw).decode()}\n")
    with pytest.raises(SystemExit, match="damaged"):
        tool.main(["sign", str(tmp_path / "out"), "--key", str(file)])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", [None, b"", b"one line", b"\xff\xfe\nab", b"comment\nno*base64", b"comment\n\xe9"])
def test_what_is_no_key_is_a_sentence(content: bytes | None, tmp_path: Path) -> None:
    file = tmp_path / "publisher.key"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SystemExit, match=r"cannot be read|not a file of a secret key"):
        tool.main(["sign", str(tmp_path / "out"), "--key", str(file)])


def test_a_new_signature_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tool.Secret.new().sign(b"another text", "x")
    monkeypatch.setattr(tool.Secret, "sign", lambda *_: other)
    with pytest.raises(SourceError, match="not signed"):
        tool.make_release(tmp_path, tool.Secret.new())
    assert not (tmp_path / "catalog.json.minisig").exists()
