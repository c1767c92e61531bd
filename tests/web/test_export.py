"""The pages as files: every link leads to a file beside it, nothing acts, and only an export is written over."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from tests.web.browser import CHROMIUM, QUIET
from tests.web.test_pages import Read

from gyakusan.cli.app import run
from gyakusan.errors import BadSetting, SourceError
from gyakusan.web import export as exports
from gyakusan.web.article_page import ARTICLE
from gyakusan.web.export import NOTE, export, files

BASE = "https://host.example/team/models/"


@pytest.fixture(scope="module")
def written() -> dict[str, bytes]:
    return dict(files())


def test_every_link_leads_to_a_file(written: dict[str, bytes]) -> None:
    """From below any path of a host; a mark in a page is in that page."""
    pages = {name: Read(body.decode()) for name, body in written.items() if name.endswith(".html")}
    assert {"index.html", "ja/index.html", "en/article.html", "ja/accuracy.html", "en/catalogue/devices.html"} < set(
        pages
    )
    linked = set()
    for name, page in pages.items():
        for address in page.addresses:
            if address in ("data:,", ARTICLE):
                continue
            assert not address.startswith("/"), (name, address)
            to = urlsplit(urljoin(BASE + name, unescape(address)))
            assert to.geturl().startswith(BASE), (name, address)
            target = unquote(to.path.removeprefix("/team/models/"))
            assert target in written, (name, address)
            assert not to.fragment or to.fragment in pages[target].ids, (name, address)
            linked |= set() if address.startswith("#") else {target}
    assert set(written) - linked == {"index.html"}, "every other file is reached from another"


def test_nothing_acts_and_nothing_of_this_computer_is_told(written: dict[str, bytes]) -> None:
    for name, body in written.items():
        text = body.decode()
        for word in ("<form", "<script", "<input", "<button", "/computer", 'name="token"'):
            assert word not in text, name


def test_each_language_has_every_page(written: dict[str, bytes]) -> None:
    assert {n[3:] for n in written if n.startswith("ja/")} == {n[3:] for n in written if n.startswith("en/")}
    assert Read(written["ja/article.html"].decode()).language == "ja"
    assert "収まる" not in written["en/article.html"].decode()
    record = written["ja/catalogue/record/nvidia-geforce-rtx-4090.html"].decode()
    assert 'href="../../../en/catalogue/record/nvidia-geforce-rtx-4090.html"' in record


def test_the_same_files_again(written: dict[str, bytes]) -> None:
    assert dict(files()) == written


def test_a_folder_is_written_anew_and_nothing_else_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "site"
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"1"), ("en/old.html", b"2")]))
    assert export(folder) == 2
    (folder / "CNAME").write_text("host.example")
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"3")]))
    assert run(["web", "--export", str(folder)], "en") == 0
    assert "1 files were written" in capsys.readouterr().err
    assert {p.name for p in folder.rglob("*") if p.is_file()} == {"index.html", NOTE, "CNAME"}
    assert (folder / "index.html").read_bytes() == b"3"


@pytest.mark.parametrize(
    "note",
    [None, b"{", b"{}", b'["../up"]', b'["/etc/passwd"]', b'["a\\\\b"]', b"[1]", b'["C:/Users/x"]', b'["a//b"]'],
)
def test_another_folder_is_refused(tmp_path: Path, note: bytes | None) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    if note is not None:
        (tmp_path / NOTE).write_bytes(note)
    with pytest.raises(BadSetting, match="not empty"):
        export(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "mine"
    assert not (tmp_path / "index.html").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    with pytest.raises(BadSetting):
        export(tmp_path / "x")


def test_an_interrupted_export_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"1"), ("old.html", b"1")]))
    export(tmp_path)
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"2"), ("en/new.html", b"2"), ("z.html", b"2")]))
    written = Path.write_bytes

    def ends(self: Path, data: bytes) -> int:
        if self.name == "z.html":
            raise KeyboardInterrupt
        return written(self, data)

    with monkeypatch.context() as here:
        here.setattr(Path, "write_bytes", ends)
        with pytest.raises(KeyboardInterrupt):
            export(tmp_path)
    assert (tmp_path / "en" / "new.html").read_bytes() == b"2"
    assert export(tmp_path) == 3
    names = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {"index.html", "en/new.html", "z.html", NOTE}


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"1")]))
    (tmp_path / "x").write_text("mine")
    with pytest.raises(SourceError, match="Name a folder"):
        export(tmp_path / "x" / "site")


def test_a_file_with_the_name_of_a_new_page_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"1")]))
    export(tmp_path)
    (tmp_path / "new.html").write_text("mine")
    monkeypatch.setattr(exports, "files", lambda: iter([("index.html", b"2"), ("new.html", b"2")]))
    with pytest.raises(BadSetting, match=r"new\.html is there already"):
        export(tmp_path)
    assert (tmp_path / "new.html").read_text() == "mine"
    assert (tmp_path / "index.html").read_bytes() == b"1", "nothing is written before all is checked"


def test_no_link_is_followed_out_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, other = tmp_path / "site", tmp_path / "other"
    other.mkdir()
    (other / "a.html").write_text("mine")
    monkeypatch.setattr(exports, "files", lambda: iter([("en/a.html", b"1"), ("b.html", b"1")]))
    export(folder)
    (folder / "b.html").unlink()
    (folder / "b.html").symlink_to(other / "a.html")
    assert export(folder) == 2
    assert (other / "a.html").read_text() == "mine", "a link in place of a page is replaced"
    (folder / "en" / "a.html").unlink()
    (folder / "en").rmdir()
    (folder / "en").symlink_to(other)
    for pages in ([("b.html", b"2")], [("b.html", b"2"), ("en/a.html", b"2")]):
        monkeypatch.setattr(exports, "files", lambda pages=pages: iter(pages))
        with pytest.raises(BadSetting, match="leads out"):
            export(folder)
    assert (other / "a.html").read_text() == "mine"


def test_records_of_ones_own_are_left_out(written: dict[str, bytes], own_record: Path) -> None:
    made = dict(files())
    assert set(made) == set(written)
    listed = made["en/catalogue/devices.html"].decode()
    assert "RTX 4090" in listed
    for name, body in made.items():
        assert "Some GPU" not in body.decode(), name
        assert str(own_record.parent) not in body.decode(), name


@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")
def test_a_browser_reads_it_from_a_folder(written: dict[str, bytes], tmp_path: Path) -> None:
    playwright: Any = pytest.importorskip("playwright.sync_api")
    for name, body in written.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(body)
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page(viewport={"width": 360, "height": 740})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))

        def follow(selector: str) -> None:
            with page.expect_navigation():
                page.click(selector)

        page.goto((tmp_path / "index.html").as_uri())
        follow("text=日本語")
        follow("nav a >> nth=0")
        follow("main ul a >> nth=0")
        follow("text=RTX 4090 >> nth=0")
        assert page.evaluate("document.documentElement.lang") == "ja"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(250, 250, 247)"
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
        page.goto((tmp_path / "en" / "article.html").as_uri())
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
        browser.close()
    assert said == []
