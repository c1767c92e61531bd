"""What a running server does now, in words."""

from __future__ import annotations

import pytest
from tests.show.drawing import text_of

from gyakusan.serving.observed import Observed, Rates
from gyakusan.show.watch import screen
from gyakusan.text import Language
from gyakusan.units import GIB

NOTHING = Rates(seconds=2.0, requests=0.0, prompt_tokens=0.0, answer_tokens=0.0, ttft=None)


@pytest.mark.parametrize(
    ("language", "unknown", "later", "zero"),
    [
        ("en", "? tokens/s of answers", "at the end of answers that are not streamed: 2", "0.0 tokens/s of answers"),
        ("ja", "回答は?トークン/秒", "ストリーミングでない2件は、回答が終わってから", "回答は0.0トークン/秒"),
    ],
)
def test_what_is_not_streamed_is_not_zero(language: Language, unknown: str, later: str, zero: str) -> None:
    drawn = text_of(*screen("office", Observed(at=2.0, running=2, unstreamed=2), NOTHING), language=language, width=100)
    assert unknown in drawn
    assert later in drawn
    assert zero not in drawn
    idle = text_of(*screen("office", Observed(at=2.0), NOTHING), language=language, width=100)
    assert zero in idle
    assert later not in idle


def test_what_grows_has_its_limit_in_a_column_of_its_own() -> None:
    """ "0.00, grows up to 8.00" pushed the column of numbers aside."""
    planned = {("RAM", "kv.full"): 1.0 * GIB, ("RAM", "overhead.prompt_cache"): 0.0}
    grows = Observed(at=0.0, planned=planned, growing={("RAM", "overhead.prompt_cache"): 8.0 * GIB})
    drawn = text_of(*screen("office", grows, None), language="ja", width=80)
    assert "計画(GiB)  上限(GiB)" in drawn
    assert all(len(line.split()) <= 4 for line in drawn.splitlines() if line.startswith(" RAM"))
    fixed = text_of(*screen("office", Observed(at=0.0, planned=planned), None), language="ja", width=80)
    assert "上限" not in fixed
