"""The headline of a plan says where nothing, or not everything listed, is fast enough to be of use."""

from __future__ import annotations

import pytest
from msgspec import structs
from tests.planning.small import small
from tests.show.drawing import text_of

from gyakusan.message import say
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.show.plan import screen, verdict
from gyakusan.show.plan_notes import notes
from gyakusan.show.terminal import lines
from gyakusan.show.tree import Table
from gyakusan.show.wording import short
from gyakusan.show.wrapping import cells
from gyakusan.text import Language, tell


@pytest.fixture(scope="module")
def answer() -> Recommendation:
    asked = {"device": "RTX 5090", "engines": "llama.cpp", "model": "gemma3-12b"}
    return recommend(parse_request(asked), columns=small(("gemma3-12b",)))


def with_pace(plan: Plan, answers: float, wait: float) -> Plan:
    assert plan.pace is not None
    decode = structs.replace(plan.pace.decode_each, value=answers * plan.thinking.factor)
    first = structs.replace(plan.pace.ttft, value=wait)
    return structs.replace(plan, pace=structs.replace(plan.pace, decode_each=decode, ttft=first))


def told(answer: Recommendation, *paces: tuple[float, float]) -> list[str]:
    plans = tuple(with_pace(answer.plans[0], *pace) for pace in paces)
    sentences = [str(s) for s in verdict(structs.replace(answer, plans=plans)).sentences]
    return [s for s in sentences if not s.startswith(("Run ", "Plan 1 is "))]


def test_what_is_fast_enough_needs_no_word(answer: Recommendation) -> None:
    assert told(answer, (2.5, 100.0), (80.0, 0.1)) == []
    assert verdict(answer).tone == "fits"


@pytest.mark.parametrize(
    ("users", "factor", "words"),
    [
        (1, 1.0, "33 tokens/s for 1 person, "),
        (1, 1.9, "33 tokens/s (17 of answer) for 1 person, "),
        (5, 1.0, "33 tokens/s for each of 5 people, "),
        (5, 1.9, "33 tokens/s (17 of answer) for each of 5 people, "),
    ],
)
def test_the_headline_says_what_a_reader_gets_where_the_model_thinks_first(
    users: int, factor: float, words: str
) -> None:
    asked = {"device": "RTX 5090", "engines": "llama.cpp", "model": "gemma3-12b", "users": users}
    answer = recommend(parse_request(asked), columns=small(("gemma3-12b",)))
    plan = answer.plans[0]
    thinks = structs.replace(plan, thinking=structs.replace(plan.thinking, factor=factor))
    (sentence,) = verdict(structs.replace(answer, plans=(with_pace(thinks, 33.0 / factor, 1.0),))).sentences
    assert words in str(sentence)


@pytest.mark.parametrize(
    ("pace", "words"),
    [
        ((0.57, 1.0), ["plan 1 has 0.6 tokens/s of answer, and 2.5 are the least (default)."]),
        ((2.496, 1.0), ["plan 1 has 2.49 tokens/s of answer, and 2.5 are the least (default)."]),  # not as if it did
        ((9.0, 2225.3), ["the first token of plan 1 takes 37 min 5 s, and 1 min 40 s is the most (default)."]),
        ((9.0, 100.2), ["the first token of plan 1 takes 1 min 41 s, and 1 min 40 s is the most (default)."]),
        (
            (0.57, 2225.3),
            [
                "plan 1 has 0.6 tokens/s of answer, and 2.5 are the least (default).",
                "Its first token takes 37 min 5 s, and 1 min 40 s is the most (default).",
            ],
        ),
    ],
)
def test_nothing_is_fast_enough(answer: Recommendation, pace: tuple[float, float], words: list[str]) -> None:
    """Another row may keep the limit that plan 1 misses, and miss the other one: only plan 1's figures are told."""
    first, *more = words
    assert told(answer, pace, (80.0, 400.0)) == [f"*No plan keeps all limits of speed*: {first}", *more]
    slow = structs.replace(answer, plans=(with_pace(answer.plans[0], *pace),))
    assert verdict(slow).tone == "doubt"
    sentences = verdict(slow).sentences
    assert "速さの条件をすべて満たす構成はありません" in tell(sentences[0], "ja")
    assert str(sentences[-1]).startswith(f"Plan 1 is {slow.plans[0].name} (")
    assert not any(str(s).startswith("Run") for s in sentences), "what is of no use is not proposed"


def test_rows_that_are_too_slow_are_named(answer: Recommendation) -> None:
    assert told(answer, (9.0, 1.0), (1.0, 1.0), (9.0, 400.0)) == [
        "*Too slow* to be of use: 2 has 1.00 tokens/s of answer, 3 has its first token after 6 min 40 s."
    ]


def test_a_speed_that_was_typed_is_the_persons_own_limit(answer: Recommendation) -> None:
    own = structs.replace(answer, request=structs.replace(answer.request, speed=1.0))
    assert told(own, (1.2, 1.0)) == []


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_machine_to_buy_shows_the_speed_by_which_it_is_judged(language: Language) -> None:
    """The answer's speed was a column of wide screens only, and the notes that told it were left out on a full one."""
    asked = {"budget": "20000USD", "users": 20, "context": "64k"}
    found = recommend(parse_request(asked), columns=small(("gpt-oss-20b", "qwen3.8-27b", "gpt-oss-120b")))
    (table,) = [p for p in screen(found) if isinstance(p, Table)]
    drawn = [line.plain for line in lines((structs.replace(table, notes=()),), language, 80)]
    shown = [short(shown_figures(p).answer or 0.0) for p in found.plans]
    assert len(shown) > 1
    assert tell(say("answer"), language) in drawn[0]
    for number, (plan, speed) in enumerate(zip(found.plans, shown, strict=True), 1):
        begin = next(i for i, line in enumerate(drawn) if line.startswith(f"{number:>2} "))
        row = " ".join(drawn[begin : begin + 2])
        assert plan.name in row
        assert f" {speed} " in row
    assert max(map(cells, drawn)) <= 80


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_small_budget_says_that_it_buys_a_card_alone(language: Language) -> None:
    small = recommend(parse_request({"budget": "100000JPY", "families": ("gemma3", "qwen3")}))
    assert small.plans[0].offer.own_computer
    told = text_of(verdict(small), language=language, width=200)
    assert {
        "en": "for a PC you own: with a PC around it it costs",
        "ja": "GPUだけで、手持ちのPCに付ける前提です。本体込みなら",
    }[language] in told
    asked = {"budget": "100000JPY", "families": ("gemma3", "qwen3"), "computer": "own"}
    assert "a PC around it" not in text_of(verdict(recommend(parse_request(asked))))
    large = recommend(parse_request({"budget": "1000000JPY", "families": ("gemma3", "qwen3")}))
    assert "a PC around it" not in text_of(verdict(large))


@pytest.mark.parametrize("language", ["en", "ja"])
def test_whoever_has_no_pc_is_told_of_the_best_complete_computer_within_the_budget(language: Language) -> None:
    found = recommend(parse_request({"budget": "150000JPY"}))
    first, second = found.plans[:2]
    assert first.offer.own_computer
    assert not second.offer.own_computer
    told = text_of(verdict(found), language=language, width=300).replace("\n", " ")
    assert {"en": "without one, plan 2: ", "ja": "PCがなければ構成2の"}[language] in told
    assert second.offer.machine.name in told
    assert "The budget pays" not in told


def test_a_row_below_the_wanted_speed_says_so_in_the_least_room() -> None:
    found = recommend(parse_request({"budget": "1000000JPY", "users": 5, "prefer": "quality"}))
    wanted = found.request.workload.target_tps
    slow = [n for n, p in enumerate(found.plans) if (shown_figures(p).answer or 0.0) < wanted]
    assert slow
    for most in (0, 1, 2):
        told = notes(found, most)
        assert all(any("wanted" in str(i) for i in told[n].items) for n in slow)


def test_the_headline_says_that_a_price_is_second_hand_and_in_what_it_was_seen() -> None:
    asked = {"budget": "500000JPY", "users": 2, "model": "gemma3-12b", "engines": "llama.cpp"}
    found = recommend(parse_request(asked), columns=small(("gemma3-12b",)))
    plan = found.plans[0]
    item = structs.replace(plan.offer.items[0], used=True, amount=200.0, currency="USD", rate=157.93)
    offer = structs.replace(plan.offer, items=(item,), price=31586.0)
    headline = verdict(structs.replace(found, plans=(structs.replace(plan, offer=offer),))).sentences[0]
    assert str(headline).endswith(", 31,586 yen used (converted from 200 USD).")
    assert "(中古31,586円、200ドルから換算)を買い" in tell(headline, "ja").replace("\u2060", "")
    around = structs.replace(item, what="kit", used=False, rate=None)
    both = structs.replace(plan, offer=structs.replace(offer, items=(item, around)))
    assert str(verdict(structs.replace(found, plans=(both,))).sentences[0]).endswith(" 31,586 yen, its card used.")
