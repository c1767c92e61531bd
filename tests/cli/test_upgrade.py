"""gyakusan upgrade on the command line and from Python."""

from __future__ import annotations

import json
import re

import pytest

import gyakusan
from gyakusan.cli import main
from gyakusan.planning.upgrade.recommend import parse_upgrade_request, upgrade
from gyakusan.show.tree import FIXED, Next
from gyakusan.show.upgrade import screen

ASKED = ("upgrade", "--device", "RTX 3060 12GB", "--families", "llama3.1,qwen3,gemma3")


def test_it_names_today_and_what_next(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--budget", "200000JPY", "--resale", "30000JPY", "--lang", "en"]) == 0
    out = capsys.readouterr().out
    for text in ("nothing", "then run", "cheapest", "30,000 yen", "Not checked", "at most 200,000 yen"):
        assert text in " ".join(out.split())


def test_without_money_the_answer_is_to_keep_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED[:3], "--budget", "1JPY", "--lang", "ja"]) == 1
    out = capsys.readouterr().out
    assert "円" in out
    assert "Keep" not in out


def test_the_document_has_its_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*ASKED, "--budget", "200000JPY", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["keep"] is False
    assert found["now"]["memory"]["fits"]
    for option in found["options"]:
        assert option["net_jpy"] <= 200000
        assert option["plan"]["memory"]["fits"]
        assert 0 <= option["quality"]["better"] <= 1
        assert option["reach"]["users"] >= 1


def test_python_says_the_same() -> None:
    found = gyakusan.upgrade(device="RTX 3060 12GB", budget="1JPY")
    assert found.keep


def test_nothing_for_quality_but_for_speed_is_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "--device", "DGX Spark", "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "Nothing is worth its money in quality: no gain is beyond its error. For speed only. Buy " in out
    assert "points better" not in out
    assert "per 10,000" not in out
    assert "--json" not in out


def test_prices_of_a_purchase_stand_item_by_item(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upgrade", "--device", "RTX 4090", "--budget", "1000000JPY", "--users", "4", "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "card: 900,000 yen, power supply: 28,000 yen" in out


def test_what_to_type_next_keeps_the_question() -> None:
    """It named the machine without people, context and task: another question's plans."""
    asked = {"device": "RTX 3060 12GB", "users": 3, "context": "16k", "task": "coding", "model": "gemma3-12b"}
    drawn = screen(upgrade(parse_upgrade_request(asked)))
    (command,) = (str(each) for part in drawn if isinstance(part, Next) for each in part.choices)
    assert command.replace(FIXED, " ").endswith(" --users 3 --context 16384 --task coding")


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", r"a complete PC with it: ([\d,]+) yen.*card: ([\d,]+) yen"),
        ("ja", r"搭載済みの完成品PC: ([\d,]+)円.*GPU単体: ([\d,]+)円"),
    ],
)
def test_a_complete_pc_that_is_cheaper_than_its_card_is_named(
    language: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["upgrade", "--device", "RTX 4090", "--budget", "1000000JPY", "--users", "4", "--lang", language]) == 0
    found = re.search(said, " ".join(capsys.readouterr().out.split()))
    assert found is not None
    complete, card = (int(n.replace(",", "")) for n in found.groups())
    assert complete < card
