"""The site: links lead to the staged copies or become words, and nothing is fetched from another host."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from tools import docs_site as site

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "ja"
    site.stage("ja", folder)
    return folder


def test_links_lead_to_the_staged_copies(pages: Path) -> None:
    place = ROOT / "docs" / "ja" / "guide" / "memory.md"
    page = pages / "guide" / "memory.md"

    def led(text: str) -> str:
        return site.linked(text, page, pages, place)

    assert led("[表](hardware.md#gpu)") == "[表](../guide/hardware.md#gpu)"
    assert led("![絵](../../pictures/fit.png)") == "![絵](../pictures/fit.png)"
    assert led("[参加](../../../CONTRIBUTING.md)") == "[参加](../CONTRIBUTING.md)"
    assert led("[コード](../../../src/gyakusan/errors.py)") == "コード"
    assert led("[記事](https://example.org/a) と [ここ](#gpu)") == "[記事](https://example.org/a) と [ここ](#gpu)"
    assert (
        led("```text\n[表](hardware.md)\n```\n[表](hardware.md)")
        == "```text\n[表](hardware.md)\n```\n[表](../guide/hardware.md)"
    )


def test_every_link_of_a_staged_page_is_there(pages: Path) -> None:
    for page in pages.rglob("*.md"):
        for _, _, target in site.LINK.findall(site.FENCE.sub("", page.read_text("utf-8"))):
            if "://" not in target and not target.startswith("#"):
                assert (page.parent / target.partition("#")[0]).is_file(), f"{page}: {target}"


def test_the_menu_has_every_page_of_the_language(pages: Path) -> None:
    settings = tomllib.loads((pages.parent / "ja.toml").read_text("utf-8"))["project"]
    own = {str(p.relative_to(pages)) for p in pages.glob("*.md")} - set(site.APART)
    assert own <= set(settings["nav"])
    assert settings["theme"] == {"language": "ja", "font": False}


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/x.js"></script>', "<img alt=x src=//cdn.example/x.png>",
        '<link rel="stylesheet" href="https://fonts.example/css">', "@import 'https://cdn.example/x.css';",
        "a { background: url(https://cdn.example/x.png) }",
    ],
)  # fmt: skip
def test_what_asks_another_host_is_found(text: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text(text)
    assert [page for page, _ in site.asked(tmp_path)] == ["index.html"]


def test_what_only_names_another_host_is_not(tmp_path: Path) -> None:
    named = '<a href="https://example.org">x</a><link rel="canonical" href="https://example.org/"><img src="a.png">'
    (tmp_path / "index.html").write_text(named + "<style>a { background: url(data:image/png;base64,AA) }</style>")
    assert list(site.asked(tmp_path)) == []


@pytest.mark.parametrize(
    "text",
    [
        '<!doctype html>\n<html lang="en" class="no-js">\n<head>\n<script>x</script></head><body><header>a</header></body>',
        '<!doctype html><meta charset="utf-8"><title>gyakusan</title>',
    ],
)
def test_a_page_lets_no_script_ask_another_host(text: str) -> None:
    """The policy stands before everything that it holds for, and names no host."""
    found = site.guarded(text)
    assert found.count("Content-Security-Policy") == 1
    assert found.index("Content-Security-Policy") < found.index("<script" if "<script" in text else "<title")
    assert found.replace(f'<meta http-equiv="Content-Security-Policy" content="{site.POLICY}">', "") == text
    assert "//" not in site.POLICY
    assert "default-src 'self'" in site.POLICY


def test_a_page_without_a_head_is_no_page() -> None:
    with pytest.raises(ValueError, match="head"):
        site.guarded("<p>")


def test_only_a_folder_of_its_own_is_emptied(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.tex").write_text("mine")
    assert not site.emptied(home)
    assert not site.emptied(home / "thesis.tex")
    assert (home / "thesis.tex").read_text() == "mine"
    made = home / "site"
    assert site.emptied(made)
    (made / "index.html").write_text("x")
    assert site.emptied(made)
    assert [p.name for p in made.iterdir()] == [site.MARK]


def test_another_folder_is_refused_before_anything_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "find_spec", lambda name: name)
    (tmp_path / "thesis.tex").write_text("mine")
    assert site.main([str(tmp_path)]) == 2
    assert "name a new folder" in capsys.readouterr().out
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(("variable", "code"), [("", 0), ("CI", 1), ("GYAKUSAN_CI", 1)])
def test_without_zensical_it_fails_where_it_must_be_built(
    variable: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CI", "GYAKUSAN_CI"):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(site, "find_spec", lambda name: None)
    assert site.main([str(tmp_path / "out")]) == code
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(find_spec("zensical") is None, reason="zensical is not installed: make site")
def test_the_site_is_built_and_a_broken_link_fails(tmp_path: Path) -> None:
    assert site.main([str(tmp_path / "out")]) == 0
    assert (tmp_path / "out" / "ja" / "plan" / "index.html").is_file()
    for page in (tmp_path / "out").rglob("*.html"):
        assert site.POLICY in page.read_text("utf-8"), page
    config = site.stage("en", tmp_path / "en")
    index = tmp_path / "en" / "index.md"
    index.write_text(index.read_text() + "\n[nowhere](nowhere.md)\n")
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--config-file", str(config)]
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
    shutil.rmtree(tmp_path / "out")
