"""The article, checked: every verdict is supported by today's figures, and every way to ask again leads somewhere."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from gyakusan.catalog.devices import device_records
from gyakusan.catalog.models import model_records
from gyakusan.core.model import Attention
from gyakusan.engines import registry
from gyakusan.message import Message
from gyakusan.text import tell
from gyakusan.units import GIB
from gyakusan.web.article.claim import BIG_CARD, CARD, MACHINES, PAIR, SMALL_CARD, Claim, asked, compared
from gyakusan.web.article.claims import CLAIMS, verdict
from gyakusan.web.article.hardware_claims import MAKES, SIZED
from gyakusan.web.article.memory_claims import FULL


@pytest.mark.parametrize("claim", CLAIMS, ids=[c.name for c in CLAIMS])
def test_a_verdict_is_supported_by_the_figures(claim: Claim) -> None:
    assert claim.find().holds


@pytest.mark.parametrize("claim", CLAIMS, ids=[c.name for c in CLAIMS])
def test_a_reader_can_ask_it_again(client: TestClient, claim: Claim) -> None:
    assert client.get(claim.to).status_code == 200  # an error page says 4xx


def test_every_claim_is_counted_once() -> None:
    counts = verdict().facts
    assert counts["right"] + counts["conditions"] + counts["corrected"] == counts["n"] == len({c.name for c in CLAIMS})


def test_the_page_has_the_figures_of_the_article(client: TestClient) -> None:
    text = client.get("/article", headers={"accept-language": "ja"}).text
    assert len(re.findall(r'class="chart (?:stacked|intervals)', text)) >= 2 * (4 + 4)  # each wide and narrow
    assert "gpt-oss-20b" in text
    assert "GPU メモリから逆算する" in text
    for claim in CLAIMS:
        assert f'id="{claim.name}"' in text
    heads = re.findall(r"<h2>\d+\. (.*?)</h2>", text)
    assert len(heads) == len(CLAIMS)
    assert all(re.search("[ぁ-ん]", head) for head in heads)


FIGURES = re.compile(r"\d+(?:,\d{3})*(?![\w.])", re.ASCII)
NAMES = re.compile(r"\{\w+\}|\b[A-Za-z][\w.]*(?:-[\w.]+)+|RTX \d+|\b\d+b\b", re.ASCII)
LITERAL = {
    "A file is not parameters times bits: rows that are no multiple of 256 are stored in a wider type.": {"256"},
    "Eight query heads share one key and value, and every second layer keeps the last 128 tokens only.": {"128"},
    "Whoever counts 64 heads in all 24 layers finds 48 GiB.": {"64", "24", "48"},
    "The file has {file} GB, and {card} GiB of it are on the card; 16 GB is the memory of the card that OpenAI names.": {
        "16"
    },
    "A card of 16 GB holds all {n} tokens for one person: {total} of {usable} GiB. Two people have half of it each.": {
        "16"
    },
    "{total} GiB on the card, so that it fits 24 GB.": {"24"},
    "With 512 GB, yes. With 256 GB it was near the limit at its launch, before tax, not far above it.": {"512", "256"},
    "gemma3-27b fits 24 GB for two people with 32,768 tokens each, and answers each with {n} tokens/s.": {
        "24",
        "32,768",
    },
    "Two RTX 3090 hold llama3.3-70b for two people with 8,192 tokens each.": {"8,192"},
}
"""Our sentences with figures that are not computed where they are said; the tests below compute each."""


def test_every_figure_is_computed_or_known_here() -> None:
    """In both languages: Japanese may say "2人" where English has words."""
    for words in (m for c in CLAIMS for m in c.find().words):
        literal = set(FIGURES.findall(NAMES.sub("", words.template)))
        assert literal == LITERAL.get(words.template, set()), words.template
        japanese = tell(Message(words.template, dict.fromkeys(words.facts, "")), "ja")
        said = {n for n in FIGURES.findall(NAMES.sub("", japanese)) if len(n) > 1}
        assert literal <= {*re.findall(r"\d[\d,]*", japanese)}, japanese
        assert said <= literal | {"14", "27", "70", "100"}, japanese  # names of models, 1,000,000 yen as 100万円


def test_the_heads_of_gpt_oss_20b() -> None:
    """What the correction of 48 GiB to 3 GiB rests on."""
    record = next(r for r in model_records() if r.name == "gpt-oss-20b").metadata
    shape = {k.split(".", 1)[1]: v for k, v in record.items()}
    heads, shared, layers = shape["attention.head_count"], shape["attention.head_count_kv"], shape["block_count"]
    assert (heads, heads // shared, layers) == (64, 8, 24)
    kept = [m for m in asked("gpt-oss-20b", FULL, 1, SMALL_CARD).model.memory if isinstance(m, Attention)]
    assert [(m.window, len(m.layers)) for m in kept] == [(None, layers // 2), (128, layers // 2)]
    each = (shape["attention.key_length"] + shape["attention.value_length"]) * 2  # f16
    assert heads * layers * each * FULL == 48 * GIB


def test_cards_are_as_large_as_the_sentences_say() -> None:
    sizes = {r.name.removeprefix("NVIDIA GeForce "): max(r.sizes_gib) for r in device_records()}
    assert [sizes[name] for name in (SMALL_CARD, CARD, "RTX 3090")] == [16, 24, 24]
    assert asked("gemma3-27b", 32768, 2, CARD).fits
    assert asked("llama3.3-70b", 8192, 2, PAIR).fits


def test_all_machines_are_faster_than_people_read() -> None:
    """300 words a minute are below 7 tokens/s (Brysbaert 2019: 238 words a minute; 1.3 tokens a word)."""
    assert (
        min(r.judged.speed.decode_each.value for r in compared(MACHINES, *SIZED).rows if r.judged.speed)
        > 300 * 1.3 / 60
    )


def test_which_servers_refuse_which_makes() -> None:
    refused = {
        (e.casefold(), d) for e in registry.NAMES for d in MAKES if asked(SIZED[0], 8192, 1, d, e, "BF16").refusals
    }
    assert {d for e, d in refused if e.startswith("mlx")} == {"RTX 4090", "RX 7900 XTX"}
    assert {d for e, d in refused if e.startswith("vllm")} == {"Mac Studio M4 Max 128GB"}


def test_a_bar_says_whose_memory_it_is(client: TestClient) -> None:
    """The sentence speaks of 24 GB, and the bar was one of 32 GB without saying so."""
    claim = next(c for c in CLAIMS if c.name == "dense")
    heads = [tell(p.head, "en") for p in claim.find().pictures]
    assert heads[0] == f"qwen2.5-14b, 65,536 tokens x 1, {CARD}"
    usable = asked("qwen2.5-14b", 65536, 1, CARD).accounts[0].device.usable
    drawn = claim.find().pictures[0].draw(lambda words: tell(words, "en"), 640)
    assert f"{(usable or 0) / GIB:.2f}" in drawn
    assert "31.39" not in drawn


def test_a_table_does_not_mix_units_without_saying_both() -> None:
    claim = next(c for c in CLAIMS if c.name == "cache")
    table = claim.find().tables[0]
    heads = [tell(c.head, "en") for c in table.columns]  # type: ignore[attr-defined]
    assert heads[-2:] == ["KV cache (GB)", "KV cache (GiB)"]
    for row in table.rows:  # type: ignore[attr-defined]
        told = [tell(getattr(cell, "words", cell), "en") for cell in row]
        context, users = int(told[0].replace(",", "")), int(told[1])
        size = asked("gpt-oss-20b", context, users, BIG_CARD).of("kv_cache")
        assert told[-2:] == [f"{size / 1e9:.2f}", f"{size / GIB:.2f}"]


def test_prices_compare_like_with_like_and_speeds_name_their_model() -> None:
    """The article's 450,000 yen for a card stood beside a whole PC; "123 tokens/s" named no model, and a chart below said 213."""
    by_name = {c.name: c.find() for c in CLAIMS if c.name in ("money", "fastest", "accuracy", "only-14b")}
    (table,) = by_name["money"].tables
    rows = {str(row[0].words): [str(cell.words) for cell in row[1:]] for row in table.rows}  # type: ignore[union-attr]
    then, same, whole = rows["RTX 5090"]
    assert then == "450,000"
    assert same != whole
    assert rows["GMKtec EVO-X2 128GB"][1] == rows["GMKtec EVO-X2 128GB"][2]  # a whole computer is the same thing
    for name in ("fastest", "accuracy", "only-14b"):
        told = " ".join(tell(words, "en") for words in by_name[name].words)
        assert re.search(r"qwen2\.5-14b|llama3\.3-70b|gemma3-27b", told)
