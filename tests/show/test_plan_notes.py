"""What is said of a plan below the table."""

from __future__ import annotations

from dataclasses import replace

from tests.planning.small import small

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.show.plan_notes import notes


def test_prediction_layers_are_said_with_what_is_not_known_of_them() -> None:
    asked = {"device": "RTX 5090", "engines": "llama.cpp", "model": "gpt-oss-20b"}
    found = recommend(parse_request(asked), columns=small())
    plan = found.plans[0]
    assert plan.artifact is not None
    for mtp in (False, True):
        told = replace(found, plans=(replace(plan, artifact=replace(plan.artifact, mtp=mtp)),))
        items = [str(i) for i in notes(told)[0].items]
        assert ("has MTP, gain not known" in items) is mtp
