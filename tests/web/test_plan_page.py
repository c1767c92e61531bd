"""The page Plan: each row opens what `plan --details` says, and no sentence names an option of the commands."""

from __future__ import annotations

import html
import re

import pytest
from starlette.testclient import TestClient

from gyakusan.cli import main
from gyakusan.web.plan_page import MORE
from gyakusan.web.queries import PlanQuery

BOUGHT = "budget=1000000JPY&users=2"
ASKED = (
    "device=RTX+4090", "device=cpu&ram=64GiB", BOUGHT, "budget=3000USD", "device=RTX+4090&quality=99",
    "device=RTX+4090&first=0.001", "device=RTX+5090&model=gpt-oss-120b&ram=64GiB&context=64k", "budget=1000000JPY&why_not=bf16",
    "device=RTX+4090&users=400&why_not=llama3.3-70b",
)  # fmt: skip
PRINTED = re.compile(r"(?<![\w-])--[a-z][a-z-]+")


def _told(text: str) -> str:
    """Return the words of a page without its commands."""
    bare = re.sub(
        r"<(pre|code|script)\b.*?</\1>", "", text.partition("<main")[2].partition("</main")[0], flags=re.DOTALL
    )
    told = html.unescape(re.sub(r"<[^>]+>", "\n", bare))
    return re.sub(r"llama-server.--list-devices", "", told)  # a command to type, whole


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("asked", ASKED)
def test_no_sentence_names_an_option(client: TestClient, asked: str, language: str) -> None:
    """The page said --currency USD and add --why-not, which nobody can type there."""
    answer = client.get(f"/plan?{asked}", headers={"accept-language": language})
    if answer.status_code == 200:
        assert PRINTED.findall(_told(answer.text)) == []


def _details(text: str, number: int) -> str:
    found = re.search(rf'<div class="tree" id="details-{number}">(.*?)</details>', text, re.DOTALL)
    assert found, f"plan {number} has no details"
    return found[1]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("query", "options"),
    [(BOUGHT, ("--budget", "1000000JPY", "--users", "2")), ("device=RTX+4090", ("--device", "RTX 4090"))],
)
def test_each_row_opens_its_details(
    client: TestClient, capsys: pytest.CaptureFixture[str], query: str, options: tuple[str, ...], language: str
) -> None:
    """The price item by item, power, files, memory, settings: the words of `plan --details N`, and its commands to copy."""
    text = client.get(f"/plan?{query}", headers={"accept-language": language}).text
    rows = re.findall(r'<td class="n"><a href="#details-(\d+)">(\d+)</a>', text)
    assert rows
    assert all(to == number for to, number in rows)
    for number in range(1, len(rows) + 1):
        page = _details(text, number)
        assert main(["plan", *options, "--details", str(number), "--lang", language]) == 0
        printed = re.sub(r"\s|\\\n", "", capsys.readouterr().out).replace("\\", "")
        labels = re.findall(r"<dt>(.*?)</dt>", page)
        assert len(labels) >= 7
        lines = [html.unescape(re.sub(r"<[^>]+>", "", dd)) for dd in re.findall(r"<dd>(.*?)</dd>", page)]
        said = [line for line in lines if re.sub(r"\s", "", line) in printed]
        assert len(lines) - len(said) <= 2, set(lines) - set(said)  # a command and an option that a page does not name
        assert ("円" if language == "ja" else "yen") in page or "device" in query


def test_the_commands_of_a_plan_are_to_copy(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    text = client.get(f"/plan?{BOUGHT}").text
    assert main(["plan", "--budget", "1000000JPY", "--users", "2", "--command", "1"]) == 0
    command = capsys.readouterr().out.strip()
    found = re.search(r'<pre tabindex="0" id="command-1">(.*?)</pre>', text)
    assert found
    assert html.unescape(found[1]) == command
    assert f"<code>{found[1]}</code>" in _details(text, 1)


def test_settings_stand_below_the_fields_and_are_open_where_one_acts(client: TestClient) -> None:
    assert set(PlanQuery.__struct_fields__) >= set(MORE)
    closed, opened = client.get("/plan?device=RTX+4090").text, client.get("/plan?device=RTX+4090&currency=EUR").text
    assert '<details class="more"><summary>' in closed
    assert '<details class="more" open><summary>' in opened
    assert "<option selected>EUR</option>" in opened
    small = client.get("/plan?device=RTX+4090&kv_type=q8_0").text
    assert "<option selected>q8_0</option>" in small
