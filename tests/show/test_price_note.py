"""Wherever a purchase has a price, the screen says from when it is and by which rate it was converted."""

from __future__ import annotations

import re

import pytest

from gyakusan.cli import main

MONTH = r"(20\d\d年\d+月|[A-Z][a-z]+ 20\d\d|20\d\d-\d\d)"
QUESTIONS = (
    "plan --budget 3000USD --context 16k",
    "plan --budget 300000JPY",
    "upgrade --device 'RTX 3060 12GB' --currency USD",
    "upgrade --device 'RTX 3060 12GB'",
    "fleet --users 50",
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_prices_have_a_month(question: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    assert main([*shlex.split(question), "--lang", language]) == 0
    out = " ".join(capsys.readouterr().out.split())
    start = {"en": "(Prices of|All rows: price of)", "ja": "(価格は|全構成: )"}[language]
    found = re.search(f"{start} ?{MONTH}", out)
    assert found, out
    rate = out[found.start() :].split("。" if language == "ja" else ". ")[0]
    if "USD" in question:
        assert ("1ドル = " if language == "ja" else "1 USD = ") in rate
    assert "JPY" not in out


def test_what_one_owns_has_no_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--lang", "en"]) == 0
    assert "Prices of" not in capsys.readouterr().out
