"""Each row of an answer says why it is there, and its figures bear it out."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.planning.small import small

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.show.plan_words import labels

WORDS = {"faster answers": "answer", "more tokens/s": "speed", "more room": "spare"}


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
        assert told[0] == "as good as {n}"
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
