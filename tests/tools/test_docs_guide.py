"""The tables of the guide: complete, in two languages, and the same as what `inspect` and `plan` say."""

from __future__ import annotations

import re

import pytest

import gyakusan
from gyakusan.core.machine import Price
from tools import docs, docs_guide


def cells(rest: str, language: str = "en") -> list[list[str]]:
    lines = docs.guide(rest, language, "").splitlines()
    return [[c.strip() for c in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_the_hardware_has_the_guides_prices() -> None:
    rows = {row[0]: row for row in cells("hardware")}
    assert len(rows) == 1 + sum(map(len, docs_guide.HARDWARE))
    assert rows["NVIDIA GeForce RTX 5090"][4:] == ["450,000 yen (2025-12)", "900,000 yen (2026-08)", "750,000 yen"]
    assert rows["NVIDIA DGX Spark"][4] == "550,000 yen (2025-12)"
    assert rows["RTX 5090 gaming laptop PC"][4] == "550,000 yen (2025-12)"
    for row in list(rows.values())[1:]:
        assert 0 < float(row[2]) < float(row[1]), row


@pytest.mark.parametrize(
    ("prices", "shown"),
    [
        ((), "-"),
        ((Price(5, "USD", "2026-01", ""),), "5 USD (2026-01)"),
        ((Price(5, "USD", "2026-01", ""), Price(900, "JPY", "2025", "")), "900 yen (2025)"),
        ((Price(2000, "JPY", "2026", ""), Price(1000, "JPY", "2026-03", "")), "1,000 - 2,000 yen (2026-03)"),
    ],
)
def test_a_price_is_a_range_in_yen_where_there_is_one(prices: tuple[Price, ...], shown: str) -> None:
    assert docs_guide._price(prices, "en") == shown


def test_the_contexts_are_those_that_fit() -> None:
    for model, _, *found in cells('fits "RTX 4090"')[1:]:
        for users, cell in zip((1, 2, 4), found, strict=True):
            if cell == "no":
                assert gyakusan.inspect(model, context=1024, users=users, device="RTX 4090").fit != "fits"
                continue
            most = int(cell.rstrip("*k")) * 1024
            assert gyakusan.inspect(model, context=most, users=users, device="RTX 4090").fit == "fits"
            if not cell.endswith("*"):
                assert gyakusan.inspect(model, context=most + 1024, users=users, device="RTX 4090").fit != "fits"


def test_the_best_of_a_device_is_the_planners() -> None:
    rows = {row[0]: row for row in cells("models")}
    found = gyakusan.plan(device="RTX 5090", users=docs_guide.USERS, context=docs_guide.CONTEXT)
    best = next(p for p in found.plans if "best" in p.roles)
    assert rows["NVIDIA GeForce RTX 5090"][3].startswith(f"{best.name} {best.quantization}, ")
    assert rows["NVIDIA DGX Spark"][1] == "llama3.3-70b Q4_K_M"


@pytest.mark.parametrize("table", ["hardware", 'fits "RTX 4090"'])
def test_japanese_heads(table: str) -> None:
    head = cells(table, "ja")[0]
    assert [h for h in head if not re.search("[ぁ-んァ-ン一-龥]", h) and "RTX" not in h] == []


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(ValueError, match="no table 'sums'"):
        docs.guide("sums", "en", "")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_claims_are_those_of_the_page(language: str) -> None:
    """The page counted 18 claims and the guide listed 14, some with another verdict."""
    from gyakusan.text import tell
    from gyakusan.web.article.claims import CLAIMS, JUDGED_TEXTS

    head, *rows = cells("claims", language)
    assert len(head) == 4
    assert [(row[0], row[1].strip("*")) for row in rows] == [
        (tell(c.said, language), tell(JUDGED_TEXTS[c.judged], language)) for c in CLAIMS
    ]
    assert set(docs_guide.PLACES) == {c.name for c in CLAIMS}
    index = (docs.ROOT / "docs" / language / "guide" / "index.md").read_text("utf-8")
    for row in rows:
        assert f"| {row[0]} | {row[1]} |" in index
        page, _, anchor = row[3].partition("(")[2].rstrip(")").partition("#")
        text = (docs.ROOT / "docs" / language / "guide" / page).read_text("utf-8")
        heads = {re.sub(r"[^\w-]", "", h.casefold().replace(" ", "-")) for h in re.findall(r"(?m)^#+ (.*)$", text)}
        assert not anchor or anchor in heads
