"""No part of a question is lost on the way from one page to another."""

from __future__ import annotations

import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from gyakusan.cli import main
from gyakusan.web.queries import CompareQuery, ComputerQuery, InspectQuery, PlanQuery
from gyakusan.web.rendering import address

KINDS = {"/fit": InspectQuery, "/plan": PlanQuery, "/compare": CompareQuery, "/computer": ComputerQuery}
QUESTIONS = {
    "/plan": {
        "device": "RTX 4090", "memory": None, "ram": "64GiB", "users": "3", "context": "32768", "task": "rag",
        "language": "ja", "images": "1", "prefer": "quality", "speed": "5.0", "quality": "30.0", "first": "50.0",
        "bandwidth": "80GB/s", "kv_type": "q8_0", "prompt": "900", "currency": "USD",
    },
    "/fit": {
        "model": "gemma4-12b", "quant": "Q4_K_M", "device": "RTX 4090", "ram": "64GiB", "users": "3", "context": "32768",
        "task": "coding", "language": "ja", "images": "1", "kv_type": "q8_0", "prompt": "900",
        "bandwidth": "80GB/s", "currency": "EUR",
    },
}  # fmt: skip
"""Page -> a question with a value for each of its fields that other pages have, too."""
MEANT = {("/fit", "/plan"): {"model", "quant", "engine"}, ("/fit", "/compare"): {"engine"}}
"""Fields that a link is meant to change: other models, on the same machine."""


def links(text: str, page: str) -> list[tuple[str, dict[str, list[str]]]]:
    """Return the links of the body of a page to other questions, each with what it asks."""
    found = (urlsplit(html.unescape(a)) for a in re.findall(r'href="(/[^"#]*)', text.partition("<main")[2]))
    return [(to.path, parse_qs(to.query)) for to in found if to.path in KINDS and to.query and to.path != page]


@pytest.mark.parametrize("page", QUESTIONS)
def test_a_link_takes_the_question_along(client: TestClient, page: str) -> None:
    asked = {name: value for name, value in QUESTIONS[page].items() if value is not None}
    answer = client.get(address(page, **asked))
    assert answer.status_code == 200
    found = links(answer.text, page)
    assert {path for path, _ in found} >= {"/fit": {"/plan", "/compare"}, "/plan": {"/fit"}}[page]
    for path, told in found:
        shared = set(KINDS[page].__struct_fields__) & set(KINDS[path].__struct_fields__) & set(asked)
        lost = {name for name in shared - MEANT.get((page, path), set()) if asked[name] not in told.get(name, ())}
        assert lost == set(), f"lost from {page} to {path}"


def test_fields_that_pages_share_are_asked_above() -> None:
    """A field that is added to two pages is added to the questions of this test."""
    for page, question in QUESTIONS.items():
        for path in ({"/fit", "/plan"} | {"/compare"}) - {page}:
            shared = set(KINDS[page].__struct_fields__) & set(KINDS[path].__struct_fields__)
            assert shared - set(question) - {"engine", "memory", "model", "plan"} == set()


def test_both_pages_show_the_same_quality(client: TestClient) -> None:
    """The quality of a plan for Japanese is the one that Fit shows of it."""
    text = client.get(
        "/plan?device=RTX+4090&language=ja&model=gemma4-26b-a4b-qat", headers={"accept-language": "ja"}
    ).text
    shown = re.search(r"(\d+) ±\d", text.partition("<main")[2])
    to = re.findall(r'href="(/fit\?[^"]*)"', text)[0]
    fit = client.get(html.unescape(to), headers={"accept-language": "ja"}).text
    tile = re.search(r'日本語の品質</dt><dd class="figure">(\d+)', fit)
    assert shown
    assert tile
    assert tile[1] == shown[1]


@pytest.mark.parametrize(
    ("prompt", "told"), [("500", r">\d[\d.]* <span class=\"unit\">s<"), ("100000", r">\d+ min( \d+ s)?</dd>")]
)
def test_a_long_first_token_is_told_in_minutes(client: TestClient, prompt: str, told: str) -> None:
    asked = {"model": "qwen3-8b", "device": "M4 Max 128GB", "context": "131072", "prompt": prompt}
    text = client.get(address("/fit", **asked)).text
    tile = text.partition("First token after</dt>")[2][:120]
    assert re.search(told, tile), tile


@pytest.mark.parametrize(
    ("model", "device"),
    [("qwen3.6-35b-a3b", "RTX 3060 12GB"), ("qwen2.5-72b", "2x RTX 3090"), ("gemma3-27b", "RTX 5080")],
)
def test_what_is_missing_is_one_figure_on_both(
    model: str, device: str, client: TestClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """The terminal said 8.5 GiB of 20.0, the page 8.4 of 19.54 to 19.92; the ledger under both ends in the page's."""
    text = client.get("/fit", params={"model": model, "device": device, "ram": "64GiB"}).text
    short = re.search(r"([\d.]+) GiB short", re.sub(r"<[^>]+>|\N{NO-BREAK SPACE}", " ", text))
    assert short
    assert main(["inspect", model, "--device", device, "--ram", "64GiB", "--lang", "en"]) == 1
    told = " ".join(capsys.readouterr().out.split())
    found = re.search(r"([\d.]+) GiB(?: are needed)?, ([\d.]+) GiB are usable, ([\d.]+) GiB are missing", told)
    assert found, told
    high, usable, missing = map(float, found.groups())
    assert missing == float(short[1])
    assert abs(high - usable - missing) <= 0.1, "what is missing is rounded up"
