"""The line that begins "For:" says which score is called quality, and which pace is wanted, in plain words."""

from __future__ import annotations

import pytest

from gyakusan.message import Message
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.show.request_line import load_question
from gyakusan.text import tell


def line(**asked: object) -> Message:
    return load_question(parse_request({"device": "RTX 4090", **asked}))


@pytest.mark.parametrize(
    ("asked", "english", "japanese"),
    [
        ({}, "quality: overall score", "品質は総合評価"),
        ({"language": "ja"}, "quality: Japanese score", "品質は日本語の評価"),
        ({"task": "coding"}, "quality: coding score", "品質はコーディングの評価"),
        ({"task": "coding", "language": "ja"}, "quality: coding score", "品質はコーディングの評価"),
        ({"task": "agents"}, "quality: agents' score", "品質はエージェント作業の評価"),
    ],
)
def test_it_says_which_score_is_called_quality(asked: dict[str, object], english: str, japanese: str) -> None:
    assert english in str(line(**asked))
    assert japanese in tell(line(**asked), "ja")


def test_the_limits_of_speed_are_whole_phrases_with_their_units() -> None:
    assert "10 tokens/s of answer wanted, at least 2.5, first token within 1 min 40 s where possible" in str(line())
    told = tell(line(), "ja")
    assert "回答は目標10トークン/秒(最低2.5、最初のトークン1分40秒以内を満たす構成を優先、既定)" in told
    assert "TTFT" not in told


def test_ram_has_a_space_before_its_unit() -> None:
    assert "64 GiB of RAM" in tell(load_question(parse_request({"device": "RTX 4090", "ram": "64GiB"})), "en")
