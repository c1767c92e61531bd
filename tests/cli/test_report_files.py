"""--svg, --png and --html: files are written whole, said on the screen, and nothing is written through a link."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from gyakusan.cli import main

ASKED = {
    "inspect": ("inspect", "gpt-oss-20b", "--device", "RTX 4090"),
    "plan": ("plan", "--device", "RTX 4090", "--families", "gemma3"),
    "compare": ("compare", "RTX 5090", "RTX 4090", "--model", "gpt-oss-20b"),
    "fleet": ("fleet", "--users", "60", "--device", "RTX 4090", "--model", "gpt-oss-20b", "--price", "450000JPY"),
}


@pytest.fixture(autouse=True)
def homes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))


@pytest.mark.parametrize("command", ASKED)
def test_files_are_written_and_said(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, page = tmp_path / "a.svg", tmp_path / "a.html"
    assert main([*ASKED[command], "--lang", "en"]) == 0
    plain = capsys.readouterr().out
    assert main([*ASKED[command], "--lang", "en", "--svg", str(picture), "--html", str(page)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(plain.rstrip("\n"))
    assert told[len(plain.rstrip("\n")) :].split() == ["Wrote", f"{picture}.", "Wrote", f"{page}."]
    assert ElementTree.fromstring(picture.read_bytes()).tag.endswith("svg")
    assert page.read_text("utf-8").endswith("</html>\n")


def test_json_stays_alone_on_the_screen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED["inspect"], "--json"]) == 0
    plain = capsys.readouterr().out
    assert main([*ASKED["inspect"], "--json", "--html", str(tmp_path / "a.html")]) == 0
    assert capsys.readouterr().out == plain
    assert "MXFP4" in (tmp_path / "a.html").read_text("utf-8")


def test_the_page_is_the_same_with_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "1.html", tmp_path / "2.html"
    assert main([*ASKED["inspect"], "--lang", "ja", "--html", str(one)]) == 0
    assert main([*ASKED["inspect"], "--lang", "ja", "--json", "--html", str(two)]) == 0
    assert one.read_bytes() == two.read_bytes()


def test_plans_beside_devices_and_several_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question, page = tmp_path / "q.toml", tmp_path / "a.html"
    question.write_text('device = "RTX 4090"\nfamilies = "gemma3"\n')
    asked = ["compare", "--plan", str(question), "--html", str(page), "--svg", str(tmp_path / "a.svg")]
    assert main(asked) == 0
    assert page.read_text("utf-8").count("<svg xmlns") == 4
    several = ["plan", "--device", "RTX 4090", "--model", "gemma3-4b", "--also", "embedding"]
    assert main([*several, "--html", str(page)]) in (0, 1)
    assert "<svg" not in page.read_text("utf-8")
    capsys.readouterr()
    assert main([*several, "--svg", str(tmp_path / "b.svg"), "--lang", "en"]) == 2
    assert "This answer has no chart. Write it as a page with --html." in capsys.readouterr().err


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, link = tmp_path / "precious", tmp_path / "a.svg"
    target.write_text("mine")
    link.symlink_to(target)
    assert main([*ASKED["inspect"], "--svg", str(link)]) == 2
    assert (target.read_text(), link.is_symlink()) == ("mine", True)
    target.write_text("<svg/>")
    assert main([*ASKED["inspect"], "--svg", str(link)]) == 0
    assert (target.read_text(), link.is_symlink()) == ("<svg/>", False)
    capsys.readouterr()


def test_only_pictures_and_pages_are_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, drawn, pipe = tmp_path / "model.gguf", tmp_path / "a.svg", tmp_path / "pipe"
    model.write_bytes(b"GGUF...")
    os.mkfifo(pipe)
    assert main([*ASKED["inspect"], "--svg", str(model), "--lang", "en"]) == 2
    assert "exists, and it is not a picture or a page" in capsys.readouterr().err
    assert model.read_bytes() == b"GGUF..."
    assert main([*ASKED["inspect"], "--svg", str(drawn), "--html", str(drawn), "--lang", "en"]) == 2
    assert "was named twice" in capsys.readouterr().err
    assert main([*ASKED["inspect"], "--svg", str(pipe), "--lang", "en"]) == 3
    assert "it is not a regular file" in capsys.readouterr().err
    assert pipe.is_fifo()
    for _ in range(2):
        assert main([*ASKED["inspect"], "--svg", str(drawn)]) == 0
    capsys.readouterr()


def test_what_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED["inspect"], "--html", str(tmp_path), "--lang", "en"]) == 3
    assert "it is a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        (*ASKED["plan"], "--csv"),
        (*ASKED["plan"], "--command", "1"),
        (*ASKED["fleet"], "--details", "1"),
        (*ASKED["fleet"], "--command", "1"),
        (*ASKED["inspect"], "--engine", "all"),
    ],
)
def test_one_form_of_an_answer(words: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--html", str(tmp_path / "a.html"), "--lang", "en"]) == 2
    assert "were given together. Give one." in capsys.readouterr().err
    assert not (tmp_path / "a.html").exists()


def test_png_needs_its_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    file = tmp_path / "a.png"
    assert main([*ASKED["inspect"], "--png", str(file), "--svg", str(tmp_path / "a.svg"), "--lang", "en"]) == 2
    assert "Run: pip install 'gyakusan[png]', or use --svg." in capsys.readouterr().err
    assert list(tmp_path.glob("a.*")) == []


def test_png_is_drawn_from_the_svg(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def svg_to_bytes(svg_string: str, zoom: int) -> bytes:
        seen.update(svg=svg_string, zoom=zoom)
        return b"\x89PNG\r\n\x1a\n\xff"

    monkeypatch.setitem(sys.modules, "resvg_py", SimpleNamespace(svg_to_bytes=svg_to_bytes))
    picture, image = tmp_path / "a.svg", tmp_path / "a.png"
    assert main([*ASKED["inspect"], "--png", str(image), "--svg", str(picture)]) == 0
    assert image.read_bytes() == b"\x89PNG\r\n\x1a\n\xff"
    assert seen == {"svg": picture.read_text("utf-8"), "zoom": 2}
    capsys.readouterr()


def test_a_real_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("resvg_py")
    assert main([*ASKED["inspect"], "--png", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
