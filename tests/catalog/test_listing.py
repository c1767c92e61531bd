"""Which models are proposed: the rule on models that are made up, what it says of ours, and what a listed record must have."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from gyakusan.catalog import listing, places
from gyakusan.catalog.check import check_facts
from gyakusan.catalog.listing_facts import candidates
from gyakusan.catalog.listing_rule import SAME_CLASS, Candidate, ModeScores, Verdict, decide, months, strictness
from gyakusan.catalog.models import find, model_records
from gyakusan.catalog.toml_files import read
from gyakusan.core.quality import Score
from gyakusan.errors import BadRecord
from tools import listed_models


def scored(
    overall: float = 60, japanese: float = 60, coding: float = 60, scores: int = 9, error: float = 3
) -> ModeScores:
    """Scores of a mode that somebody tested."""
    return ModeScores(scores > 0, scores, Score(overall, error), Score(japanese, error), Score(coding, error))


ORDINARY = Candidate(
    name="ordinary-8b",
    maker="maker",
    origin="",
    special=False,
    coder=False,
    released="2026-06",
    parameters=8e9,
    active=8e9,
    context=131_072,
    license="apache-2.0",
    modalities=frozenset({"text"}),
    counted=True,
    publishers=frozenset({"maker"}),
    downloads=0,
    languages=frozenset({"en", "ja"}),
    thinks_always=False,
    narrow=frozenset(),
    mode="off",
    modes={"off": scored()},
)
OLD = replace(ORDINARY, name="old-8b", released="2025-03")


def verdict(model: Candidate, *others: Candidate) -> Verdict | None:
    """What the rule says of a model among others, the newest of which is of June 2026."""
    return decide((model, *others, replace(ORDINARY, name="newest", maker="nobody", modes={"off": scored(1)})))[
        model.name
    ]


def better_by(points: float, **changes: object) -> Candidate:
    """A later model that is better in everything."""
    modes = {"off": scored(60 + points, 60 + points, 60 + points)}
    return replace(ORDINARY, **{"name": "later-8b", "modes": modes, **changes})  # type: ignore[arg-type]


def test_an_ordinary_model_is_listed() -> None:
    assert verdict(ORDINARY) is None
    assert verdict(OLD) is None


ALONE = {
    "base": {"special": True},
    "toy": {"parameters": 1.2e9},
    "files": {"publishers": frozenset()},
    "shape": {"counted": False},
    "unknown": {"modes": {"off": scored(scores=0)}},
}


@pytest.mark.parametrize("why", ALONE)
def test_a_model_by_itself(why: str) -> None:
    found = verdict(replace(ORDINARY, **ALONE[why]))  # type: ignore[arg-type]
    assert found == Verdict(why)  # type: ignore[arg-type]


USE = [
    (OLD, 2, 0, 1, "unknown"),  # old, few scores, no use
    (OLD, 2, 20_000, 1, None),
    (OLD, 2, 0, 3, None),  # used: three people publish it
    (ORDINARY, 1, 0, 1, None),  # young: one score is enough
    (ORDINARY, 0, 20_000, 1, None),
    (OLD, 0, 9_000_000, 9, "unknown"),  # nobody scored it, and it is no longer young
    (replace(OLD, released=""), 2, 0, 1, "unknown"),
]


@pytest.mark.parametrize(("model", "scores", "downloads", "publishers", "why"), USE)
def test_few_scores_need_youth_or_use(
    model: Candidate, scores: int, downloads: int, publishers: int, why: str | None
) -> None:
    owners = frozenset(f"owner{i}" for i in range(publishers))
    found = verdict(replace(model, modes={"off": scored(scores=scores)}, downloads=downloads, publishers=owners))
    assert (found and found.why) == why


def test_the_successor_of_a_line_replaces_it_when_its_own_scores_say_so() -> None:
    assert verdict(OLD, better_by(5)) == Verdict("replaced", "later-8b")
    assert verdict(OLD, better_by(2)) is None, "within the error"
    assert verdict(OLD, better_by(9, modes={"off": scored(90, 90, 90, scores=0)})) is None, (
        "assumed, not its own scores"
    )
    assert verdict(OLD, better_by(9, modes={"off": scored(90, 90, 90, scores=2)})) is None, "too few"
    assert verdict(OLD, better_by(9, released="2025-03")) is None, "not later"


def test_models_are_compared_in_the_same_mode_of_thinking() -> None:
    thinking = scored(90, 90, 90)
    assert verdict(OLD, better_by(0, mode="on", modes={"off": scored(55), "on": thinking})) is None
    assert verdict(OLD, better_by(0, mode="on", modes={"off": scored(70), "on": thinking})) is not None
    hybrid = replace(OLD, mode="on", modes={"off": scored(), "on": scored(70)})
    assert verdict(hybrid, better_by(0, mode="on", modes={"off": scored(55), "on": thinking})) is None
    assert verdict(hybrid, better_by(0, mode="on", modes={"off": scored(65), "on": thinking})) is not None
    assert verdict(hybrid, better_by(20)) is not None, "without thinking it is better than the other with it"


def test_who_stands_for_a_model_is_proposed_itself() -> None:
    middle = better_by(10, name="middle-8b", released="2025-10")
    assert verdict(OLD, middle, better_by(20)) == Verdict("replaced", "later-8b")
    slow = better_by(30, active=11e9, parameters=9e9)  # stands for the middle one, not for the old one
    quick = replace(middle, active=9e9)
    assert verdict(OLD, quick, slow) == Verdict("replaced", "later-8b")


NO_STAND_IN = [
    {"active": 11e9},
    {"context": 32_768},
    {"license": "cc-by-nc-4.0"},
    {"modalities": frozenset()},
    {"thinks_always": True},
    {"narrow": frozenset({"ja"})},
    {"modes": {"off": scored(90, japanese=40)}},
    {"modes": {"off": scored(90, coding=40)}},
    {"coder": True},
    {"origin": "old-8b"},
]


@pytest.mark.parametrize("changes", NO_STAND_IN, ids=str)
def test_a_later_model_stands_for_another_only_if_it_can_do_as_much(changes: dict[str, object]) -> None:
    assert verdict(OLD, better_by(30)) is not None
    assert verdict(OLD, better_by(30, **changes)) is None


@pytest.mark.parametrize("parameters", [3.9e9, 9.3e9])
def test_a_successor_is_of_the_same_size_class(parameters: float) -> None:
    assert verdict(OLD, better_by(5, parameters=parameters, active=3e9)) is None


def test_another_maker_makes_it_stale_only_beyond_the_error_and_a_generation_later() -> None:
    other = {"maker": "other"}
    assert verdict(OLD, better_by(9, **other)) == Verdict("stale", "later-8b")
    assert verdict(OLD, better_by(3, **other)) is None
    assert verdict(replace(OLD, released="2025-12"), better_by(9, **other)) is None
    assert verdict(OLD, better_by(9, parameters=3e9, active=3e9)) == Verdict("stale", "later-8b"), (
        "smaller: no successor"
    )


def test_a_coder_is_judged_by_its_code() -> None:
    coder = replace(OLD, coder=True, modes={"off": scored(coding=75)})
    assert verdict(OLD, better_by(9)) is not None
    assert verdict(coder, better_by(9)) is None
    assert verdict(coder, better_by(20)) == Verdict("replaced", "later-8b")


def test_licences_and_dates() -> None:
    assert [strictness(x) for x in ("MIT", "llama3.1", "cc-by-nc-4.0", "")] == [0, 1, 2, 2]
    assert months("2026-03-05") - months("2025") == 14


def test_the_file_says_what_the_rule_says() -> None:
    models = candidates()
    assert listing.FILE.read_text("utf-8") == listed_models.encoded(models, decide(models)), "tools/listed_models.py"


def test_who_stands_for_a_model_of_ours_is_listed_and_is_what_the_sentence_says() -> None:
    models = {c.name: c for c in candidates()}
    named = {n: v for n in models if (v := listing.unlisted(n)) is not None and v.other}
    assert len(named) > 50
    for name, found in named.items():
        mine, other = models[name], models[found.other]
        assert listing.unlisted(found.other) is None, name
        assert found.its >= found.mine, name
        assert not other.thinks_always or mine.thinks_always, name
        size = other.parameters / mine.parameters
        assert size <= listing.LARGER, name
        if found.why == "replaced":
            assert other.maker == mine.maker, name
            assert size >= SAME_CLASS[0], name
        else:
            assert months(other.released) - months(mine.released) >= 12, name


@pytest.mark.parametrize("name", ["qwen3-4b-instruct-2507", "qwen3-235b-a22b-instruct-2507", "qwen2.5-coder-14b"])
def test_a_model_that_is_better_without_thinking_than_its_successor_is_listed(name: str) -> None:
    assert listing.unlisted(name) is None


def test_no_model_for_every_language_is_replaced_by_one_for_japanese() -> None:
    found = listing.unlisted("llama-3.1-nemotron-nano-8b-v1")
    assert found is not None
    assert found.other != "nemotron-nano-9b-v2-japanese"


@pytest.mark.parametrize("name", ["qwen2.5-math-7b-base", "gemma3-270m", "mistral-7b-v0.1", "rinna-gpt-neox-3.6b"])
def test_bases_toys_and_stale_models_are_not_listed(name: str) -> None:
    found = listing.unlisted(name)
    assert found is not None
    assert not find(name).listed
    assert str(listing.explain(found)).endswith("--model plans it")


@pytest.mark.parametrize(
    "name", ["gpt-oss-20b", "gpt-oss-120b", "kimi-k2.6", "minimax-m2.7", "gpt-oss-swallow-20b-rl-v0.1"]
)
def test_models_with_scores_and_files_are_listed(name: str) -> None:
    assert listing.unlisted(name) is None
    assert find(name).listed


@pytest.mark.parametrize("why", ["base", "toy", "files", "shape", "unknown", "replaced", "stale", "own"])
def test_every_reason_is_a_sentence_of_its_own(why: str) -> None:
    told = str(listing.explain(listing.Unlisted(why, "other-9b", 61, 73)))  # type: ignore[arg-type]
    assert told.endswith("; --model plans it")
    assert (("73 against 61" in told) and ("other-9b" in told)) == (why in ("replaced", "stale"))
    quiet = str(listing.explain(listing.Unlisted(why, "other-9b", 61, 73, mode="off")))  # type: ignore[arg-type]
    assert ("without thinking" in quiet) == (why in ("replaced", "stale"))
    assert "4 published scores" in str(listing.explain(listing.Unlisted("unknown", scores=4)))


def test_every_model_has_licence_date_languages_and_a_source() -> None:
    assert all(r.license and r.released and r.languages and r.source for r in model_records())


@pytest.mark.parametrize("field", ["license", "released", "languages"])
def test_the_check_refuses_a_model_without_one(field: str, tmp_path: Path) -> None:
    text = (places.DATA / "models" / "gpt_oss.toml").read_text("utf-8")
    (tmp_path / "some.toml").write_text(re.sub(rf"(?m)^{field} = .*\n", "", text), "utf-8")
    entries = read(tmp_path / "some.toml")
    with pytest.raises(BadRecord, match=f"gpt-oss-20b.*{field}"):
        check_facts(entries)
