"""Every reason over a sample of models and questions: its kind, its figure with both numbers, and that they are true."""

from __future__ import annotations

import random
import re
from functools import cache

import pytest

from gyakusan.catalog.quality import find as scores_of
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import is_beaten, shown_figures
from gyakusan.planning.select.why_not import WhyNot, why_not
from gyakusan.text import tell

QUESTIONS: tuple[dict[str, object], ...] = (
    {"device": "RTX 4090", "users": 4, "context": "32k"},
    {"device": "M4 Max 128GB", "task": "agents"},
    {"device": "RTX 5090", "speed": 60},
    {"device": "RTX 5090", "quality": 75, "first": 1},
    {"device": "RTX 3060 12GB", "ram": "64GiB", "language": "ja"},
    {"budget": "1000000JPY", "users": 5, "context": "32k"},
)
SAMPLE = 16
SMALLER_IS_BETTER = ("ttft", "price")
SHAPES = (
    r"is plan \d+(\.|, not plan \d+: )",
    r"does not fit on .*lacks [\d,.]+ GiB",
    r"may not fit on .*lacks [\d,.]+ GiB",
    r"is left out: .*\d",
    r"is left out: (?!.*\d)",
    r"^Plan \d+ is as good as .* or better in quality, speed of the answer and (price|memory to spare): ",
    r"is behind plan \d+: .*\d+",
    r"is tied with plan \d+: .*±",
)
"""The sentences that a reason may have."""


@cache
def answer(number: int) -> Recommendation:
    return recommend(parse_request(dict(QUESTIONS[number])))


def sample(found: Recommendation, number: int) -> list[str]:
    """Models by chance, those of the answer, and those that fit best."""
    names = [m.name for m in found.grid.columns.models if m.unlisted is None or "replaced" in m.unlisted.why]
    fitting = {found.grid.columns.models[i].name for i in set(found.grid.models.tolist())}
    rng = random.Random(number)
    chosen = [*rng.sample(names, SAMPLE // 2), *rng.sample(sorted(fitting), min(len(fitting), SAMPLE // 2))]
    return list(dict.fromkeys([*(p.name for p in found.plans), *chosen]))


def ahead(figure: str, its: float, mine: float) -> bool:
    """True if the other has more of a figure, or less where less is better."""
    return its < mine if figure in SMALLER_IS_BETTER else its > mine


def in_seconds(text: str) -> str:
    """Return a sentence with times in seconds: 412 for "6 min 52 s"."""

    def seconds(found: re.Match[str]) -> str:
        hours, minutes, more, rest = (int(n or 0) for n in found.groups())
        return str(3600 * hours + 60 * (minutes + more) + rest)

    return re.sub(r"(\d+) h(?: (\d+) min)?|(\d+) min(?: (\d+) s)?", seconds, text)


@pytest.mark.parametrize("number", range(len(QUESTIONS)))
def test_every_reason_is_true(number: int) -> None:
    found = answer(number)
    assert found.plans
    for name in sample(found, number):
        why = why_not(found, name, tries=False)
        text = str(why.reasons[0])
        assert any(re.search(shape, text) for shape in SHAPES), text
        assert re.search("[ぁ-ん]", tell(why.reasons[0], "ja"))
        _kind_is_true(found, why)
        _figures_are_true(found, why)


def _kind_is_true(found: Recommendation, why: WhyNot) -> None:
    reason, shown = why.reason, [p.name for p in found.plans]
    assert (reason.because == "shown") is (why.name in shown)
    if reason.because in ("beaten", "tied", "behind"):
        assert why.plan is not None
        rival = found.plans[reason.rival - 1]
        assert is_beaten(why.plan, rival, found.request) or reason.because != "beaten"
        assert not any(is_beaten(p, why.plan, found.request) for p in found.plans[:1])
    if reason.because in ("memory", "rule", "wish", "engine"):
        assert why.plan is None or reason.because == "memory"
    if "no benchmark score" in str(reason.sentence):
        assert all(q.scores == 0 for q in scores_of(why.name)), why.name


def _figures_are_true(found: Recommendation, why: WhyNot) -> None:
    """The figure that decides has both numbers, the limit or the other plan is ahead in it, and the sentence says both."""
    reason, text = why.reason, str(why.reason.sentence)
    if reason.because in ("speed", "wait", "quality"):
        assert reason.has is not None
        assert reason.wants is not None
        assert ahead(reason.figure, reason.wants, reason.has), text
        told = [
            float(n.replace(",", ""))
            for n in re.findall(r"(?<![\w.])\d[\d,.]*\d|(?<![\w.])\d", in_seconds(text.split(":", 1)[1].split(";")[0]))
        ]
        assert told[-1] == pytest.approx(reason.wants)
        assert ahead(reason.figure, told[-1], told[-2]), text
    if reason.because in ("beaten", "behind", "tied") and reason.figure:
        assert reason.has is not None
        assert reason.wants is not None
        assert ahead(reason.figure, reason.wants, reason.has), text
        assert why.plan is not None
        for value, plan in ((reason.has, why.plan), (reason.wants, found.plans[reason.rival - 1])):
            assert getattr(shown_figures(plan), reason.figure) == value
    if reason.because == "behind":
        assert reason.figure, text
    if reason.because == "memory":
        assert reason.has is not None
        assert reason.has > 0


def test_a_floor_that_only_coarse_files_reach_is_the_reason() -> None:
    """At 60 tokens/s two bits of a 27B fit on a 5090 and four do not keep up: the floor decides, not the bits."""
    found = answer(2)
    slow = [n for n in sample(found, 2) if "4 bits or more" in str(why_not(found, n, tries=False).reasons[0])]
    why = why_not(found, "gemma4-31b", tries=False)
    assert why.reason.because == "speed"
    assert why.reason.wants == 60
    for name in slow:
        assert why_not(found, name, tries=False).reason.because == "speed"


def test_what_fits_and_no_server_confirms_lacks_no_memory() -> None:
    """gemma4-e2b-qat fits on an M3, and Ollama's library has no file of it that a plan could name."""
    found = recommend(
        parse_request({"device": "Apple M3 16GB", "engines": "ollama", "users": 16, "task": "agents", "language": "ja"})
    )
    reason = why_not(found, "gemma4-e2b-qat", tries=False).reason
    assert reason.because != "memory" or (reason.has or 0) > 0
    assert "0.0 GiB" not in str(reason.sentence)
