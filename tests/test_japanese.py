"""Japanese screens, pages and browser pages: no English is left, and one word stands for one thing.

Screens are read from the snapshots, which tests/screens hold to what the commands print.
"""

from __future__ import annotations

import html
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from rich.cells import cell_len
from starlette.testclient import TestClient
from tests.japanese import english
from tests.web.test_pages import ADDRESSES
from tools.docs import pages

from gyakusan.catalog.devices import device_records, machine_records
from gyakusan.catalog.origins import source_records
from gyakusan.web.app import application

ROOT = Path(__file__).parents[1]
SNAPSHOTS = sorted((ROOT / "tests" / "screens" / "__snapshots__").glob("*.ambr"))
PAGES = [str(p.relative_to(ROOT)) for p in pages(ROOT) if p.name.endswith(".ja.md") or "ja" in p.parts[-3:-1]]
RECORDS = ("/catalogue/record?name=qwen2.5:14b", "/catalogue/record?name=bge-m3")
QUOTED = (
    "error loading model hyperparameters",
    "key not found in model",
    "Mac mini",
)
"""What another program says, as it says it; a product."""
WORDS = tomllib.loads((ROOT / "docs" / "glossary.toml").read_text("utf-8"))["word"]
BLOCKS = re.MULTILINE | re.DOTALL
AVOIDED = {pattern: word["ja"] for word in WORDS for pattern in word.get("avoid", ())}


@cache
def names() -> frozenset[str]:
    """Names of computers and of sources: they are quoted in every language."""
    quoted = {record.name for record in (*device_records(), *machine_records(), *source_records())}
    return frozenset({*quoted, *QUOTED})


def screens(path: Path) -> Iterator[tuple[str, str]]:
    """Each Japanese screen of a file of snapshots, without what was typed and what the test adds; no file of an export."""
    for name, body in re.findall(r"^# name: ([^\n]*)\n(.*?)^# ---$", path.read_text("utf-8"), BLOCKS):
        if re.search(r"[\[-]ja[\]-]", name) and not re.search(r"[\[-](compose|systemd)-", name):
            lines = (line for line in body.replace("'''", "").splitlines() if not re.match(r"\s*(\$ |# \d)", line))
            yield name, "\n".join(lines)


def page(text: str) -> str:
    """A page without code, what was typed, link targets and markers."""
    text = re.sub(
        r"<!--.*?-->|^```(?:sh|python|toml|json|yaml|ini|bash)\n.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE
    )
    text = re.sub(r"^\.(?:SS|TH) .*$|\\f[BI].*?\\fR", "", text, flags=re.MULTILINE).replace("\\-", "-")  # of man
    return re.sub(r"^\$ .*$|\]\([^)]*\)", "", text, flags=re.MULTILINE)


def browser_text(address: str) -> str:
    """What a page of the browser shows or reads out, without code."""
    client = TestClient(application("127.0.0.1"), base_url="http://127.0.0.1", follow_redirects=False)
    text = client.get(address, headers={"accept-language": "ja"}).text
    text = re.sub(r'<span class="q">(.*?)</span>', r"\1", text)
    text = re.sub(r"<(script|style|code|pre|kbd|option)\b.*?</\1>", "・", text, flags=re.DOTALL)
    told = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text)
    return html.unescape("\n".join([re.sub(r"<[^>]+>", "\n", text), *told]))


def test_english_would_be_found() -> None:
    assert english("この設定 does not fit です。") == ["does not fit"]
    assert english("GiB不足。Nothing of this model fits here. 終わり") == ["Nothing of this model fits here"]
    assert english("選択肢: auto, on, off。`it does not run` と --top p、gyakusan plan office") == []
    assert english("計算バッファ(compute buffer)は「no such thing」") == []
    assert english("型は the long\n  name です", ["the long name"]) == []
    assert english("型は the long\n  name です") == ["the long"]


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_no_english_on_a_screen(path: Path) -> None:
    found = list(screens(path))
    assert found, "no Japanese screen"
    assert {name: left for name, text in found if (left := english(text, names()))} == {}


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_a_percentage_has_no_blank_on_a_screen(path: Path) -> None:
    """80%: neither a figure that is put together from data nor a template without words writes 80 %."""
    assert {name: found for name, text in screens(path) if (found := re.findall(r".*\d +%.*", text))} == {}


def test_what_was_typed_stands_in_japanese_quotation_marks() -> None:
    """In every mistake; commands that are to be pasted, with their options, and examples keep what a shell reads."""
    mistakes = next(path for path in SNAPSHOTS if path.stem == "test_mistakes")
    pasted = re.compile(
        r"(?:gyakusan|pip install|ollama|hf|python|--[a-z-]+)\b[^。、]*|例: [^)]*|: [^。、]*$", re.MULTILINE
    )
    left = {
        name: found
        for name, text in screens(mistakes)
        if (found := re.findall(r"['\"][^'\"]*['\"]", pasted.sub("", text)))
    }
    assert left == {}


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_no_screen_is_wider_than_its_terminal(path: Path) -> None:
    """But for messages of one line, addresses and tables for programs."""
    wide = []
    for _, body in re.findall(r"^# name: (test_(?:screen|help)[^\n]*)\n(.*?)^# ---$", path.read_text("utf-8"), BLOCKS):
        width = 80
        for line in (raw[2:] for raw in body.splitlines()):
            if told := re.match(r"# (\d+) columns", line):
                width = int(told[1])
            elif "  " in line.strip() and "://" not in line and cell_len(line) > width:
                wide.append(line)
    assert wide == []


@pytest.mark.parametrize("name", PAGES)
def test_no_english_on_a_page(name: str) -> None:
    known = names() | {w["en"] for w in WORDS if name.endswith("glossary.md")}
    assert english(page((ROOT / name).read_text("utf-8")), known) == []


@pytest.mark.parametrize("address", [*ADDRESSES, *RECORDS])
def test_no_english_in_the_browser(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert english(browser_text(address), names()) == []


def japanese() -> Iterator[tuple[str, str]]:
    """Every Japanese text of ours: sentences, pages, titles of generated tables, names of quantities."""
    locale = json.loads((ROOT / "src/gyakusan/locale/ja.json").read_text("utf-8"))
    yield "ja.json", "\n".join(locale.values())
    yield "texts.json", "\n".join(json.loads((ROOT / "docs/ja/texts.json").read_text("utf-8")).values())
    yield (
        "names.toml",
        "\n".join(re.findall(r'^(?:ja|term) = "(.*)"$', (ROOT / "docs/names.toml").read_text("utf-8"), re.MULTILINE)),
    )
    yield from ((name, (ROOT / name).read_text("utf-8")) for name in PAGES)


@pytest.mark.parametrize("pattern", AVOIDED)
def test_one_word_for_one_thing(pattern: str) -> None:
    """The words of docs/glossary.toml, and none of those that it avoids."""
    found = {where: re.findall(rf".{{0,12}}(?:{pattern}).{{0,8}}", text) for where, text in japanese()}
    assert {where: hits for where, hits in found.items() if hits} == {}, f"write {AVOIDED[pattern]}"


def test_a_word_that_is_avoided_would_be_found() -> None:
    told = "帯域の狭いエンジン。カードの窓で、密なモデルのKV キャッシュの利得は推論モードの申告値。このプランは試算"
    assert sum(bool(re.search(pattern, told)) for pattern in AVOIDED) == 11


def test_an_option_and_a_command_stand_between_blanks() -> None:
    """What is typed can be told from the sentence: "--users には", in every sentence of a screen."""
    locale = json.loads((ROOT / "src/gyakusan/locale/ja.json").read_text("utf-8"))
    letter, typed = "[ぁ-んァ-ヺ一-龠]", r"--[a-z][a-z-]*[a-z]|--\{\w+\}|\{flag\}|\{options?\}|gyakusan(?: [a-z]+)+"
    tight = re.compile(rf"(?:{typed})(?={letter})|(?<={letter})(?:{typed})")
    assert {told: found for told in locale.values() if (found := tight.findall(told))} == {}
