"""What is said of a plan below the table."""

from __future__ import annotations

import pytest
from tests.planning.small import small

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.show.plan_notes import notes


@pytest.mark.parametrize(("model", "mtp"), [("qwen3.8-27b", True), ("gpt-oss-20b", False)])
def test_prediction_layers_are_said_with_what_is_not_known_of_them(model: str, mtp: bool) -> None:
    asked = {"device": "RTX 5090", "engines": "llama.cpp", "model": model}
    found = recommend(parse_request(asked), columns=small((model,)))
    assert ("has MTP, gain not known" in [str(i) for i in notes(found)[0].items]) is mtp
