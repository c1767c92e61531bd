"""One rule says in which currency a command answers."""

from __future__ import annotations

import json

import pytest

from gyakusan.cli import main
from gyakusan.cli.reader_currency import with_currency


@pytest.fixture(autouse=True)
def no_country(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LC_ALL", "LC_MONETARY", "LANG"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "values", [{"budget": "9JPY"}, {"price": "9JPY"}, {"resale": "9JPY"}, {"currency": "CHF"}, {"currency": "", "a": 1}]
)
def test_a_currency_that_was_named_stays(values: dict[str, object]) -> None:
    assert with_currency(values, "en") == values


@pytest.mark.parametrize(("language", "currency"), [("en", "USD"), ("ja", "JPY")])
def test_else_it_is_that_of_the_reader(language: str, currency: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for values in ({}, {"budget": None}, {"tariff": "31JPY/kWh"}):
        assert with_currency(values, language)["currency"] == currency  # type: ignore[arg-type]
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert with_currency({}, language)["currency"] == "EUR"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "question",
    [
        ["fleet", "--device", "RTX 5090", "--model", "gpt-oss-20b", "--users", "2"],
        ["plan", "--device", "RTX 5090", "--model", "gpt-oss-20b"],
        ["upgrade", "--device", "RTX 3060 12GB", "--model", "gpt-oss-20b"],
    ],
)
def test_every_command_that_names_none_answers_in_the_readers(
    question: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*question, "--json"])
    told = json.loads(capsys.readouterr().out)["question"]
    assert told.get("paid_in", told.get("currency")) == "USD"


def test_what_the_old_machine_brings_names_the_currency(capsys: pytest.CaptureFixture[str]) -> None:
    """An upgrade whose resale was in yen had its prices in dollars."""
    main(["upgrade", "--device", "RTX 3060 12GB", "--model", "gpt-oss-20b", "--resale", "40000JPY"])
    told = capsys.readouterr().out
    assert "yen" in told
    assert "USD" not in told
