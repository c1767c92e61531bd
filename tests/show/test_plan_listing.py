"""The whole list is a table: a line or two for each plan, each with the number under which its details stand."""

from __future__ import annotations

import re

import pytest
from rich.cells import cell_len
from tests.show.drawing import text_of

from gyakusan.catalog.models import find
from gyakusan.engines.registry import engine
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.listed_plans import listed_rows
from gyakusan.planning.select.recommend import recommend
from gyakusan.show.plan_listing import listing
from gyakusan.text import Language

BOUGHT = recommend(parse_request({"budget": "1000000JPY", "users": 5, "context": 32768, "language": "ja"}))
OWNED = recommend(parse_request({"device": "2x RTX 3090", "families": ("gemma3", "qwen3", "glm")}))


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("answer", [BOUGHT, OWNED], ids=["bought", "owned"])
def test_a_plan_takes_a_line_or_two(answer, width: int, language: Language) -> None:  # type: ignore[no-untyped-def]
    rows = listed_rows(answer)
    told = text_of(*listing(answer), width=width, language=language).strip("\n").split("\n\n")[0].splitlines()
    numbers = [int(m[1]) for line in told if (m := re.match(r" *(\d+)  ", line))]
    assert numbers == list(range(len(answer.plans) + 1, len(answer.plans) + len(rows) + 1))
    heads = {row["model"] for row in rows}
    lines = len(told) - sum(line in heads for line in told)
    assert lines <= 1.2 * len(rows) + 5, "some long names have a line of their own"
    assert max(map(cell_len, told)) <= width


def test_a_row_shows_files_and_price() -> None:
    row = next(r for r in listed_rows(BOUGHT) if r["price_jpy"])
    line = next(
        x for x in text_of(*listing(BOUGHT), width=80).splitlines() if x.startswith(f"  {len(BOUGHT.plans) + 1}")
    )
    assert row["quantization"] in line
    assert line.endswith(f"{row['price_jpy']:,}")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_who_is_replaced_takes_one_line(language: Language) -> None:
    text = text_of(*listing(BOUGHT), width=80, language=language)
    told = [e for e in BOUGHT.excluded if "its" in e.reason.facts]
    assert len(told) > 20
    for model in told[:20]:
        (line,) = (x for x in text.splitlines() if x.split()[:1] == [model.name])
        facts = model.reason.facts
        assert line.split()[1:] == [facts["other"], facts["mine"], "<", facts["its"]]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("answer", [BOUGHT, OWNED], ids=["bought", "owned"])
def test_the_speed_stands_in_the_row_of_a_narrow_screen(answer, language: Language) -> None:  # type: ignore[no-untyped-def]
    """No column leaves at 80 columns: one that left stood again as 203 notes of one figure each."""
    text = text_of(*listing(answer), width=80, language=language)
    numbers = [m[1] for line in text.splitlines() if (m := re.match(r" *(\d+)  ", line))]
    assert len(numbers) == len(set(numbers)), "a row is printed once"
    assert {"en": "tokens/s", "ja": "トークン/秒"}[language] in text.strip("\n").splitlines()[1]


def test_a_row_with_a_cache_in_8_bits_is_marked() -> None:
    rows, told = listed_rows(OWNED), text_of(*listing(OWNED), width=120)
    assert {row["kv_type"] for row in rows} <= {"f16", "q8_0"}
    small = recommend(parse_request({"device": "RTX 4090", "model": "qwen3-8b", "kv": "q8_0", "engines": "llama.cpp"}))
    text = text_of(*listing(small), width=120)
    assert [row["kv_type"] for row in listed_rows(small)] == ["q8_0"] * len(listed_rows(small))
    assert f"{listed_rows(small)[0]['quantization']}*" in text
    assert "* with a KV cache in 8 bits (--kv-type q8_0)" in " ".join(text.split())
    assert ("with a KV cache in 8 bits" in " ".join(told.split())) is any(r["kv_type"] == "q8_0" for r in rows)


def test_files_that_are_made_first_are_marked() -> None:
    answer = recommend(parse_request({"device": "M4 Max 64GB", "engines": "mlx,llama.cpp"}))
    rows = listed_rows(answer)
    made = [row for row in rows if engine(row["engine"]).artifact(find(row["model"]), row["quantization"]) is None]
    text = text_of(*listing(answer), width=120)
    assert made
    assert len(made) < len(rows)
    assert len(re.findall(r"^ *\d+  .*\w\*?\+ ", text, re.MULTILINE)) == len(made)
    assert "+ files that are made first: --details N has the commands" in text
