"""An answer as a page, a part of a notebook and a picture: well-formed, without anything from elsewhere, in both languages."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

import gyakusan
from gyakusan.core.ledger import Ledger
from gyakusan.python.answer import Answer
from gyakusan.python.planning import Plans
from gyakusan.show import report as reports
from gyakusan.show.charts.frontier import Spot, frontier
from gyakusan.show.ledger_table import device_names
from gyakusan.show.report import Picture, Report, memory_pictures, other_report
from gyakusan.show.tree import Column, Command, Fact, Facts, Note, Question, Table, Tell, Text, Verdict, Words
from gyakusan.text import Language
from gyakusan.text import tell as translated


def teller(language: Language) -> Tell:
    def tell(words: Words) -> str:
        return words if isinstance(words, str) else translated(words, language)

    return tell


ENGLISH, JAPANESE = teller("en"), teller("ja")
ASKED = {
    "inspect": lambda: gyakusan.inspect("gpt-oss-20b", device="RTX 4090", context="32k", users=2),
    "short": lambda: gyakusan.inspect("gpt-oss-120b", device="RTX 4090"),
    "two cards": lambda: gyakusan.inspect("gpt-oss-20b", device="2x RTX 3090"),
    "compare": lambda: gyakusan.compare("RTX 5090", "RTX 3060 12GB", model=("gpt-oss-20b", "llama3.3-70b")),
    "plan": lambda: gyakusan.plan(device="RTX 4090", families="gemma3"),
    "buy": lambda: gyakusan.plan(budget="600000JPY", families="gemma3,gpt-oss"),
    "nothing": lambda: gyakusan.plan(budget="1000JPY", families="gemma3"),
    "fleet": lambda: gyakusan.fleet(users=60, device="RTX 4090", model="gpt-oss-20b", price="450000JPY"),
}


@pytest.fixture(scope="module")
def answers() -> dict[str, Answer]:
    return {name: ask() for name, ask in ASKED.items()}


class Page(HTMLParser):
    """Tags that are open, attributes that were seen, and the text."""

    VOID = frozenset(("meta", "br", "link"))

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[tuple[str, str]] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen |= {(tag, name) for name, _ in attrs}
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert not {a for _, a in page.seen} & {"style", "src", "href", "onclick", "onload"}
    assert not {t for t, _ in page.seen} & {"script", "iframe", "img", "link", "object"}
    return page


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_page_is_whole_and_needs_nothing_else(answers: dict[str, Answer], name: str, language: Language) -> None:
    report, tell = answers[name].report(), teller(language)
    page = reports.page(report, language, tell)
    read(page)
    assert f'<html lang="{language}">' in page
    assert "default-src 'none'" in page
    assert page == reports.page(report, language, tell)
    for drawn in re.findall(r'<div class="(?:wide|narrow)">(<svg.*?</svg>)</div>', page):
        ElementTree.fromstring(drawn)
    assert page.count("<svg xmlns") == 2 * len(report.pictures)


@pytest.mark.parametrize("name", ["inspect", "short", "two cards", "compare", "plan", "buy", "fleet"])
def test_a_picture_stands_alone(answers: dict[str, Answer], name: str) -> None:
    drawn = reports.picture(answers[name].report(), JAPANESE)
    assert drawn is not None
    root = ElementTree.fromstring(drawn.encode())
    assert root[0].tag.endswith("style")
    assert "var(" not in (root[0].text or "")
    assert [n for n in root.iter() if "style" in n.attrib or "id" in n.attrib] == []
    for child in root.findall("{http://www.w3.org/2000/svg}svg"):
        assert float(child.attrib["y"]) + float(child.attrib["height"]) <= float(root.attrib["height"])


def test_what_has_no_chart_has_no_picture(answers: dict[str, Answer]) -> None:
    assert reports.picture(answers["nothing"].report(), ENGLISH) is None
    assert reports.picture(other_report("x", ()), ENGLISH) is None


def test_every_line_of_the_ledger_is_on_the_page(answers: dict[str, Answer]) -> None:
    found = answers["two cards"]
    assert isinstance(found, Ledger)
    text = read(reports.page(found.report(), "en", ENGLISH)).text
    assert device_names(found) == ("GPU 0: RTX 3090", "GPU 1: RTX 3090", "RAM")
    for account in found.accounts:
        for line in account.lines:
            assert str(line.reason) in text
            assert line.formula in text
    assert f"{found.engine.name} {found.engine.version}" in text
    assert found.accounts[0].device.source in text


def test_equal_devices_share_a_bar() -> None:
    found = gyakusan.inspect("qwen2.5-7b", device="4x RTX 4090", engine="vllm")
    heads = [ENGLISH(p.head) for p in memory_pictures(found)]
    held = [a for a in found.accounts if a.device.kind != "host"]
    different = [a for n, a in enumerate(held) if a not in held[:n]]
    assert len(heads) == len(different) < 4
    assert "more" in heads[-1]


def test_plans_are_numbered_as_in_the_table(answers: dict[str, Answer]) -> None:
    found = answers["buy"]
    assert isinstance(found, Plans)
    page = reports.page(found.report(), "en", ENGLISH)
    numbers = re.findall(r'class="number"[^>]*>(\d)<', page)
    assert sorted(set(numbers)) == [str(n) for n, _ in enumerate(found.plans, 1)]
    assert 'aria-label="quality, points, price, yen: 1: ' in page


def test_keys_of_terminal_bars_are_replaced(answers: dict[str, Answer]) -> None:
    report = answers["compare"].report()
    lines = [ENGLISH(w) for p in report.screen if isinstance(p, Question) for w in p.lines]
    assert "dot: forecast, bar: 80 % interval, diamond: measured by others" in lines
    assert not any("█" in line for line in lines)


def test_hostile_words_are_text() -> None:
    evil = '<script>alert(1)</script>" onload="x\x1b[31m\u202e'
    command = Command(evil, evil)
    screen = (
        Verdict((evil,)),
        Question((evil,)),
        Table((Column(evil), Column(evil, "number")), ((evil, Text(evil)), (evil,)), True, 1, (Note(evil, (evil,)),)),
        Facts((Fact(evil, (evil, command)),)),
    )
    picture = Picture(
        evil, lambda tell, width: frontier([Spot(evil, 1, 50, 1, 9, evil, 1, evil)], evil, evil, tell, width)
    )
    page = reports.page(Report(evil, screen, (picture,), screen), "en", ENGLISH)
    read(page)
    assert "\x1b" not in page
    assert "\u202e" not in page
    drawn = reports.picture(Report(evil, screen, (picture,)), ENGLISH)
    assert drawn is not None
    assert [n.tag for n in ElementTree.fromstring(drawn.encode()).iter() if n.tag.endswith(("script", "}a"))] == []


def test_a_notebook_shows_the_answer(answers: dict[str, Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GYAKUSAN_LANG", "ja")
    shown = answers["inspect"]._repr_html_()
    read(shown)
    assert shown.startswith('<div class="gyakusan" lang="ja">')
    assert "RTX 4090に収まります" in shown
    sheet = re.search(r"<style>(.*?)</style>", shown, re.DOTALL)
    assert sheet is not None
    plain = re.sub(r"/\*.*?\*/|@media[^{]*\{", "", sheet[1], flags=re.DOTALL)
    selectors = [s.strip() for rule in re.findall(r"([^{}]+)\{", plain) for s in rule.split(",")]
    assert selectors
    assert [s for s in selectors if ".gyakusan" not in s] == []


def test_rows_of_wide_tables_are_cards_whose_cells_say_their_heads() -> None:
    from gyakusan.show.html import body
    from gyakusan.show.tree import Column, Table
    from gyakusan.text import tell

    def drawn(columns: int) -> str:
        heads = tuple(Column(f"head of column {n}", "number") for n in range(columns - 2))
        table = Table((Column("name"), Column("", "number"), *heads), (("a", "7", *["123,456.78"] * (columns - 2)),))
        return body((table,), (), lambda words: tell(words, "en"))

    assert "data-head" not in drawn(3)
    wide = drawn(8)
    assert '<table class="cards">' in wide
    assert wide.count("data-head") == 8
    assert '<td class="n" data-head="name">7</td>' in wide, "a figure below no head is what the table is of"
