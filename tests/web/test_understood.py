"""What a form is filled with: the value that was understood, in signs that its fields and sliders read."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient

from gyakusan.web.queries import BenchForm, PlanQuery, read
from gyakusan.web.understood import understood


@pytest.mark.parametrize(
    ("name", "given", "shown"),
    [
        ("users", "５人", "5"), ("users", "五人", "5"), ("users", "5", "5"), ("users", "1,000", "1000"), ("users", "2k", "2000"),
        ("users", "many", "many"), ("context", "32k", "32k"), ("context", "3万2千", "32000"), ("context", "３２ｋ", "32768"),
        ("context", "131,072", "131,072"), ("context", "nonsense", "nonsense"), ("budget", "100万円", "1000000JPY"),
        ("budget", "$3k", "3000USD"), ("budget", "3000USD", "3000USD"), ("budget", "100", "100"),
        ("currency", "ドル", "USD"), ("currency", "eur", "EUR"), ("device", "５人", "５人"),
        ("task", "コーディング", "coding"), ("task", "ｃｏｄｉｎｇ", "coding"),
        ("language", "英語", "en"), ("prefer", "速度", "speed"),
        ("lang", "日本語", "ja"), ("task", "くっきんぐ", "くっきんぐ"),
    ],
)  # fmt: skip
def test_a_value(name: str, given: str, shown: str) -> None:
    assert understood(name, given) == shown
    assert understood(name, shown) == shown


def test_a_number_of_full_width() -> None:
    assert read(PlanQuery, [("speed", "１０"), ("gpus", "二")]) == PlanQuery(speed=10.0, gpus=2)


def test_choices_are_understood_as_the_commands_do() -> None:
    asked = [("task", "コーディング"), ("language", "英語"), ("prefer", "価格")]
    assert read(PlanQuery, asked) == PlanQuery(task="coding", language="en", prefer="price")
    assert read(BenchForm, [("name", "a"), ("task", "翻訳")]).task == "translation"


def test_a_list_is_no_count() -> None:
    assert read(BenchForm, [("name", "a"), ("users", "1,200")]).users == "1,200"


class Fields(HTMLParser):
    """Name, type and value of each field of a page's forms, and whether a slider follows it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self.sliders: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "input" and "name" in told:
            self.found.append((told["name"], told.get("type", "text"), told.get("value", "")))
        if tag == "input" and told.get("type") == "range":
            self.sliders.add(told.get("data-for") or told["id"].removeprefix("s-"))


ODD = "users=５人&context=３万２千トークン"
ADDRESSES = (
    "/", f"/fit?device=RTX+4090&{ODD}&prompt=５１２", f"/plan?device=RTX+4090&{ODD}&speed=５",
    f"/plan?budget=１００万円&{ODD}&prompt=５１２&gpus=２",
    f"/compare?{ODD}", f"/computer?{ODD}", "/catalogue/devices?memory=２４GiB",
)  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_fields_hold_what_was_understood(own: TestClient, address: str) -> None:
    """A field of numbers with "５人" was blank, its slider at the left end, and its button asked about nobody."""
    answer = own.get(address)
    assert answer.status_code == 200
    page = Fields(answer.text)
    assert page.found
    for name, kind, value in page.found:
        if kind == "number":
            assert re.fullmatch(r"\d+", value, re.ASCII), (name, value)
        if name in page.sliders and value:
            assert re.fullmatch(r"[\d,.]+(?:k|JPY|USD|EUR|CHF)?", value, re.ASCII), (name, value)
    if "５人" in address:
        assert {value for name, _, value in page.found if name == "users"} >= {"5"}
        assert "32000" in {value for name, _, value in page.found if name == "context"}
