"""What leaves a request without a plan: the figure that is named is reached, and each way works as it is typed."""

from __future__ import annotations

import pytest
from tests.planning.small import small

from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.ways_out import no_plan
from gyakusan.show.why_not import none
from gyakusan.text import tell
from gyakusan.units import GIB


def _lacks(**question: object) -> float:
    why = no_plan(recommend(parse_request(question)))
    assert why.decides == "memory"
    assert why.has is not None
    return why.has


def test_what_is_lacking_counts_every_conversation() -> None:
    """Of models whose weights alone are too large their conversations count, too: more memory lacks less of it."""
    little, some, more = (_lacks(memory=f"{n}GiB", users=65536, context="128k") for n in (20, 24, 28))
    assert little > some > more > 10_000 * GIB
    half = _lacks(memory="24GiB", users=32768, context="128k")
    assert 1.9 < some / half < 2.1


KEYS = {"--quality": "quality", "--speed": "speed", "--first": "first"}


@pytest.mark.parametrize("where", [{"device": "RTX 4090"}, {"budget": "500000JPY"}])
@pytest.mark.parametrize(
    ("asked", "option"), [({"quality": 80}, "--quality"), ({"speed": 5000}, "--speed"), ({"first": 0.001}, "--first")]
)
def test_the_figure_that_is_named_works_when_it_is_typed(
    where: dict[str, object], asked: dict[str, object], option: str
) -> None:
    empty = recommend(parse_request({**where, **asked}), columns=small())
    assert not empty.plans
    why = no_plan(empty)
    assert why.has is not None
    ways = [w for w in why.ways if w.options.startswith(option)]
    assert [w.wants for w in ways][:1] == [why.has]
    for way in ways:
        flag, value = way.options.split()
        found = recommend(parse_request({**where, KEYS[flag]: float(value)}), columns=small())
        assert found.plans
        assert found.plans[0].name == way.plan.name
    beyond = (
        why.has * (0.97 if option == "--first" else 1.03) + {"--quality": 1, "--speed": 1, "--first": -0.02}[option]
    )
    if beyond > 0:
        assert not recommend(parse_request({**where, KEYS[option]: beyond}), columns=small()).plans
    assert [w.effort for w in why.ways] == sorted(w.effort for w in why.ways)


@pytest.mark.parametrize("limit", [{"speed": 5.0}, {"first": 100.0}])
def test_a_speed_that_is_not_known_keeps_no_limit_and_is_said(limit: dict[str, float]) -> None:
    """A CPU whose bandwidth nobody knows: its speeds are infinitely late, and no figure is made of that."""
    found = recommend(parse_request({"memory": "16GiB", "device": "cpu", **limit}), columns=small())
    assert not found.plans
    why = no_plan(found)
    assert (why.decides, why.has) == ("unknown", None)
    assert any("not known here" in tell(e.reason, "en") for e in found.excluded)


def test_a_card_alone_comes_with_the_price_of_a_whole_computer() -> None:
    """100 USD were answered with 189 USD, which buys a used card without a computer."""
    answer = recommend(parse_request({"budget": "100USD"}))
    why = no_plan(answer)
    assert why.ways[0].plan.offer.own_computer
    assert str(why.computer).startswith("The cheapest whole computer that does costs 899 USD: ")
    assert [w.options for w in why.ways if "--budget" in w.options] == ["--budget 189USD"]
    told = " ".join(str(words) for words in none(answer, why)[0].sentences)  # type: ignore[union-attr]
    assert "a card alone, used, for a PC you own. The cheapest whole computer" in told


@pytest.mark.parametrize(
    ("asked", "fields"),
    [
        ({"budget": "1USD", "speed": 10000}, {"budget", "speed"}),
        ({"budget": "1USD", "quality": 99}, {"budget", "quality"}),
        ({"budget": "1USD", "first": 0.001}, {"budget", "first"}),
        ({"device": "RTX 4090", "speed": 10000, "first": 0.001}, {"speed", "first"}),
        (
            {"budget": "100000JPY", "users": 5, "context": "32k", "speed": 10000, "first": 0.001},
            {"speed", "first"},
        ),
    ],
)
def test_several_changes_are_only_of_what_was_asked_and_work_when_they_are_typed(
    asked: dict[str, object], fields: set[str]
) -> None:
    """People and context stay; what is typed in place of the limits has the plan that is shown."""
    empty = recommend(parse_request(asked), columns=small())
    assert not empty.plans
    (way,) = no_plan(empty).ways
    words = way.options.split()
    typed = {flag.removeprefix("--"): value for flag, value in zip(words[::2], words[1::2], strict=True)}
    assert set(typed) == fields
    found = recommend(parse_request({**asked, **typed}), columns=small())
    assert found.plans
    assert found.plans[0].name == way.plan.name
    assert f"and {len(fields) - 1} more" in tell(way.change, "en")


def test_a_limit_of_power_has_a_way_out_that_works_as_typed() -> None:
    """With money enough the power decides; with neither, both are raised together."""
    asked = {"budget": "300000JPY", "power": 10}
    why = no_plan(recommend(parse_request(asked), columns=small()))
    assert (why.decides, why.wants) == ("power", 10)
    (way,) = why.ways
    flag, watts = way.options.split()
    assert (flag, float(watts)) == ("--power", why.has)
    found = recommend(parse_request(asked | {"power": float(watts)}), columns=small())
    assert found.plans[0].name == way.plan.name
    both = no_plan(recommend(parse_request({"budget": "1USD", "power": 10}), columns=small()))
    (way,) = both.ways
    words = dict(zip(way.options.split()[::2], way.options.split()[1::2], strict=True))
    assert words.keys() == {"--budget", "--power"}
    question = {"budget": words["--budget"], "power": float(words["--power"])}
    assert recommend(parse_request(question), columns=small()).plans[0].name == way.plan.name


@pytest.mark.parametrize("asked", [{"device": "DGX Spark"}, {"device": "RTX 3060 12GB"}, {"device": "RTX 4090"}])
def test_every_change_that_is_named_surely_fits(asked: dict[str, object]) -> None:
    """500 people with 128k tokens were told 69,632 tokens and 203 people, with plans that may not fit."""
    answer = recommend(parse_request({**asked, "users": 500, "context": "128k"}))
    why = no_plan(answer)
    assert why.ways
    assert all(way.plan.surely_fits for way in why.ways)


def test_the_price_does_not_decide_where_no_budget_has_a_plan() -> None:
    """It said "the cheapest that does costs 600,000 yen" of a budget of a million: that plan was of fewer tokens."""
    why = no_plan(recommend(parse_request({"users": 1000, "context": "1M", "budget": "1000000JPY"})))
    assert why.decides == "memory"
    assert why.has is not None
    assert why.has > 0


def test_a_change_that_was_tried_in_vain_is_not_proposed() -> None:
    """Each shorter context that was proposed had no plan either: the RAM held none."""
    answer = recommend(parse_request({"device": "RTX 4090", "ram": "1GiB"}))
    why = no_plan(answer)
    assert [w.options for w in why.ways] == ["--ram 4GiB"]
    assert all(w.plan.surely_fits for w in why.ways)
    assert any(r.changes for r in answer.relaxations)
    assert "It works with" not in str(none(answer, why))


@pytest.mark.parametrize("ram", ["500MiB", "1GiB", "2.3GiB"])
@pytest.mark.parametrize("model", ["gpt-oss-20b", "qwen3-14b"])
def test_the_ram_is_named_where_it_is_short(ram: str, model: str) -> None:
    """The limits together left nothing, it was said: it was the RAM alone."""
    answer = recommend(parse_request({"device": "RTX 4090", "ram": ram, "model": model}))
    if answer.plans:
        return
    why = no_plan(answer)
    assert why.decides == "ram"
    assert "The RAM decides: the nearest model lacks " in str(none(answer, why))
    assert [w.options for w in why.ways if w.options.startswith("--ram")] == ["--ram 4GiB"]
