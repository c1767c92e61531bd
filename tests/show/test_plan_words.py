"""Each row of an answer says why it is there, and its figures bear it out."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.planning.small import small

from gyakusan.catalog.prices import price_records
from gyakusan.core.quality import SHARE80, Score
from gyakusan.planning.candidates.prices import Buyer, price_item
from gyakusan.planning.request.money import exchange_rates
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.shown_plans import is_beaten, may_be_cheapest, shown_figures
from gyakusan.show.plan_words import COUNTED_TEXTS, counted_item, labels
from gyakusan.text import tell

WORDS = {"faster answers": "answer", "more room": "spare"}


@settings(max_examples=12, deadline=None)
@given(
    st.sampled_from(
        ({"device": "RTX 4090"}, {"device": "M4 Max 128GB"}, {"budget": "1000000JPY"}, {"budget": "2500USD"})
    ),
    st.sampled_from((1, 8, 300)),
    st.sampled_from(("4k", "32k")),
)
def test_a_row_beside_one_of_its_quality_says_truly_why_it_is_there(
    asked: dict[str, object], users: int, context: str
) -> None:
    found = recommend(parse_request({**asked, "users": users, "context": context}), columns=small())
    figures = [shown_figures(p) for p in found.plans]
    for number, plan in enumerate(found.plans):
        told = [m.template for m in labels(found.request, found.plans, number)]
        if not plan.tied_with:
            continue
        mine, other = figures[number], figures[plan.tied_with - 1]
        assert told[0] == "quality near {n}"
        gap = abs(float(plan.score.value - found.plans[plan.tied_with - 1].score.value))
        error = math.hypot(float(plan.score.error), float(found.plans[plan.tied_with - 1].score.error))
        assert gap <= SHARE80 * error
        reason = told[1]
        if reason == "cheaper":
            assert (mine.price or 0) < (other.price or 0)
        elif reason == "shorter wait":
            assert (mine.ttft or 0) < (other.ttft or 0)
        elif reason in WORDS:
            assert getattr(mine, WORDS[reason]) > getattr(other, WORDS[reason])
        else:
            tied = found.plans[plan.tied_with - 1]
            differ = {"another machine": plan.offer.machine.name != tied.offer.machine.name}
            assert differ.get(reason, (plan.name, plan.quantization) != (tied.name, tied.quantization))


# Every reason that can stand behind a tie, each of two rows that differ in nothing that comes before it.


def priced(plan: Plan, price: float) -> Plan:
    return structs.replace(plan, offer=structs.replace(plan.offer, price=price))


def paced(plan: Plan, decode: float, wait: float, thinks: float) -> Plan:
    assert plan.pace is not None
    pace = structs.replace(
        plan.pace,
        decode_each=structs.replace(plan.pace.decode_each, value=decode),
        ttft=structs.replace(plan.pace.ttft, value=wait),
    )
    return structs.replace(plan, pace=pace, thinking=structs.replace(plan.thinking, factor=thinks))


def roomy(plan: Plan) -> Plan:
    account = plan.ledger.tightest
    device = structs.replace(account.device, memory=(account.device.memory or 0) + 2**32)
    return structs.replace(
        plan, ledger=structs.replace(plan.ledger, accounts=(structs.replace(account, device=device),))
    )


def elsewhere(plan: Plan) -> Plan:
    machine = structs.replace(plan.offer.machine, name="another computer")
    return structs.replace(plan, offer=structs.replace(plan.offer, machine=machine))


def renamed(plan: Plan) -> Plan:
    model = replace(plan.deployment.model, name="another", source="")
    return structs.replace(plan, deployment=structs.replace(plan.deployment, model=model))


REASONS: dict[str, Callable[[Plan], Plan]] = {
    "cheaper": lambda p: priced(p, 1000.0),
    "faster answers": lambda p: paced(p, 40.0, 20.0, 1.0),
    "shorter wait": lambda p: paced(p, 40.0, 10.0, 2.0),
    "more room": roomy,
    "another machine": elsewhere,
    "another model": renamed,
    "other files": lambda p: p,
}


@pytest.mark.parametrize("reason", list(REASONS))
def test_each_reason_beside_a_tie_is_what_differs(reason: str) -> None:
    found = recommend(parse_request({"device": "RTX 4090", "families": ("gemma3",)}), columns=small())
    first = structs.replace(paced(priced(found.plans[0], 2000.0), 40.0, 20.0, 2.0), roles=("balanced",))
    second = structs.replace(REASONS[reason](first), roles=(), tied_with=1)
    told = [str(m) for m in labels(found.request, (first, second), 1)]
    assert told == ["quality near 1", reason]


def test_more_tokens_of_thinking_and_a_wait_within_what_is_wanted_are_no_merits() -> None:
    found = recommend(parse_request({"device": "RTX 4090", "families": ("gemma3",)}), columns=small())
    first = paced(found.plans[0], 40.0, 1.0, 2.0)
    for second in (paced(first, 80.0, 1.0, 4.5), paced(first, 40.0, 0.5, 2.5)):
        assert is_beaten(second, first, found.request)
        told = str(labels(found.request, (first, second), 1)[0])
        assert "tokens/s" not in told
        assert "wait" not in told


def test_japanese_counts_cards_and_computers_with_their_own_words() -> None:
    """ "BTO PC with RTX 5090を1個" was what a Japanese reader saw of the computer that he is to buy."""
    buyer, words = Buyer("JPY", exchange_rates(), used=True), {"card": "枚"}
    items = [item for price in price_records() if (item := price_item(price, buyer, 2))]
    assert {item.what for item in items} == {*COUNTED_TEXTS}
    for item in items:
        told = tell(counted_item(item), "ja")
        assert told.endswith(f" 2{words.get(item.what, '台')}")
        assert not re.search(r"(?<![\w/])(?:with|without|for|power|gaming|model)(?!\w)", told)
        assert str(counted_item(item)).replace("\xa0", " ") == f"2 x {item.name}"


def test_the_cheapest_row_is_called_by_what_cheaper_rows_lack() -> None:
    """It was "at the wanted speed" also where the cheaper row had too few points, or was a card for one's own PC."""
    found = recommend(parse_request({"budget": "400000JPY"}), columns=small())
    request, plan = found.request, next(p for p in found.plans if may_be_cheapest(found.request, p))
    price = plan.offer.price or 0.0
    row = structs.replace(plan, roles=("cheapest",))
    offer = structs.replace(plan.offer, price=price - 1000)
    slow = structs.replace(plan, offer=offer, pace=None)
    few = structs.replace(plan, offer=offer, score=Score(20.0, 1.0))
    card = structs.replace(plan, offer=structs.replace(offer, own_computer=True))

    def called(*others: Plan) -> str:
        return labels(request, (row, *others), 0)[0].template

    assert called() == "cheapest"
    assert called(structs.replace(slow, offer=plan.offer)) == "cheapest"
    assert called(slow) == "cheapest at the wanted speed"
    assert called(few) == "cheapest of enough quality"
    assert called(card) == "cheapest complete computer"
    assert called(card, slow) == "cheapest suitable computer"
    assert called(slow, few) == "cheapest suitable"
