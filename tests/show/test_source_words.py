"""What a record's source says, in both languages."""

from __future__ import annotations

import pytest
from tests.japanese import english

from gyakusan.catalog.models import model_records
from gyakusan.catalog.prices import price_records
from gyakusan.show.source_words import product_words, source_words
from gyakusan.text import tell


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("GGUF metadata of the published model", "公開モデルのGGUFメタデータ"),
        ("https://a.example/b (lowest price)", "https://a.example/b (最安値)"),
        ("a.ts @1 (MIT): launch price, rounded", "a.ts @1 (MIT): 発売時の価格(丸めた値)"),
        (
            "https://a.example (new and used mixed; no longer made, so taken as used)",
            "https://a.example (新品と中古が混在。生産終了のため中古として扱う)",
        ),
    ],
)
def test_notes_of_ours_are_told_in_japanese(text: str, told: str) -> None:
    assert tell(source_words(text), "ja") == told
    assert tell(source_words(text), "en") == text


def test_english_stays_as_it_is() -> None:
    for text in {r.source for r in model_records()} | {p.source for p in price_records()}:
        assert tell(source_words(text), "en") == text


def test_products_that_are_no_proper_names_are_told_in_japanese() -> None:
    for text in {p.product for p in price_records() if p.product} - {"Dospara GALLERIA TGS2026 model (RTX 5080)"}:
        assert english(tell(product_words(text), "ja")) == []
