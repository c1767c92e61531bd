"""Every figure has a source that is written down with its terms; exchange rates have dates."""

from __future__ import annotations

import pytest

from gyakusan.catalog import origins, rates
from gyakusan.catalog.rules import DATE
from gyakusan.errors import UnknownName


def test_every_source_is_written_down() -> None:
    assert [text for text in origins.source_texts() if origins.of(text) is None] == []


def test_every_written_source_is_used_and_has_terms() -> None:
    for source in origins.counted():
        assert source.records > 0, source.name
        assert source.license in ("MIT", "Apache-2.0", "facts")
        assert source.gives
        assert DATE.fullmatch(source.checked)


def test_rates_have_dates_and_say_what_is_recalled() -> None:
    records = rates.rate_records()
    assert [r.date for r in records] == sorted(r.date for r in records)
    assert all(r.source and r.checked and r.rate > 0 for r in records)
    assert all(r.assumed == ("recalled" in r.source) for r in records)


def test_the_rate_of_a_day() -> None:
    assert rates.rate("USD", "JPY", "2024-06-01").date == "2024"
    assert rates.rate("USD", "JPY", "1999").date == "2022"
    turned = rates.rate("JPY", "USD")
    assert turned.rate == pytest.approx(1 / rates.rate("USD", "JPY").rate)
    with pytest.raises(UnknownName, match="The exchange rate"):
        rates.rate("USD", "XAU")
