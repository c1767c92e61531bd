"""Names of families and licences: those that no model has are refused."""

from __future__ import annotations

import pytest

from gyakusan.errors import UnknownName
from gyakusan.planning.candidates.model_table import load
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.exclusions import select_models
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.ways_out import no_plan


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"families": "ﾗﾏ"}, r"No model family is called 'ﾗﾏ'\. A family is how names of models begin"),
        ({"families": "lama"}, r"No model family is called 'lama'\. Did you mean llama"),
        ({"without": "qwen3,xyzzy"}, r"No model family is called 'xyzzy'"),
        ({"licenses": "ﾗﾏ"}, r"No licence is called 'ﾗﾏ'\. Choose one of: apache-2\.0, "),
        ({"licenses": "apache2.0"}, r"Did you mean apache-2\.0"),
    ],
)
def test_names_that_no_model_has_are_refused(asked: dict[str, str], said: str) -> None:
    with pytest.raises(UnknownName, match=said):
        select_models(parse_request({"device": "RTX 4090", **asked}), load())


def test_names_that_models_have_are_not() -> None:
    asked = {"families": "qwen3,LLAMA2", "without": "gemma3", "licenses": "permissive,apache,bsd"}
    select_models(parse_request({"device": "RTX 4090", **asked}), load())
    assert parse_request({"families": "qwen3,all", "licenses": "all"}).families == ("qwen3",)


def test_a_family_that_leaves_nothing_has_an_option_as_way_out() -> None:
    """llama2 is known, and too old to be proposed."""
    answer = recommend(parse_request({"device": "RTX 4090", "families": "llama2"}))
    assert "--families all" in [w.options for w in no_plan(answer).ways]


def test_a_family_is_how_names_begin_whatever_the_architecture() -> None:
    """sarashina2.2 is of llama's architecture, and no Llama."""
    table = load()
    every = set(range(len(table.models)))
    llamas = {i for i in every if table.models[i].name.startswith("llama")}
    assert any(i not in llamas and table.models[i].facts["model"]["architecture"] == "llama" for i in every)
    for asked, kept in (("families", llamas), ("without", every - llamas)):
        _, excluded = select_models(parse_request({"device": "RTX 4090", asked: "llama"}), table)
        said = ("another model family was requested", "its family is left out (--without)")
        assert {e.name for e in excluded if e.reason.template in said} == {table.models[i].name for i in every - kept}
