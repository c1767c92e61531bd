"""Python's plan, several, upgrade and fleet: the same documents as the commands', and a short repr."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import gyakusan
from gyakusan.cli.app import run
from gyakusan.planning.select.recommendation import Recommendation
from gyakusan.python.answer import Answer


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> object:
    run([*arguments, "--json"], "en")
    return json.loads(capsys.readouterr().out)


def test_plan_gives_plans_and_reasons() -> None:
    found = gyakusan.plan(device="RTX 4090", users=2)
    assert isinstance(found, Recommendation)
    assert all(p.ledger.fits for p in found.plans)
    assert {p.name for p in found.plans}.isdisjoint(e.name for e in found.excluded)
    assert "short by" in str(next(e.reason for e in found.excluded if e.name == "gpt-oss-120b"))


def test_the_document_is_that_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = gyakusan.plan(
        device="RTX 4090", users=2, why_not="qwen3.8-27b", max=True, what_if=True, all=True, currency="JPY"
    )  # which the command fills in
    said = printed(
        capsys, *("plan", "--device", "RTX 4090", "--users", "2"),
        *("--why-not", "qwen3.8-27b", "--max", "--what-if", "--all"),
    )  # fmt: skip
    assert json.loads(json.dumps(found.to_dict("en"))) == said
    assert {"why_not", "most", "sensitivity", "frontier"} <= found.to_dict().keys()


@pytest.mark.parametrize(
    ("ask", "arguments"),
    [
        (
            lambda: gyakusan.upgrade(device="RTX 3060 12GB", budget="150000JPY"),
            ("upgrade", "--device", "RTX 3060 12GB", "--budget", "150000JPY"),
        ),
        (
            lambda: gyakusan.fleet(device="RTX 4090", model="gpt-oss-20b", users=60, price="450000JPY"),
            *[("fleet", "--device", "RTX 4090", "--model", "gpt-oss-20b", "--users", "60", "--price", "450000JPY")],
        ),
        (
            lambda: gyakusan.several(device="RTX 5090", also=["embedding"], currency="JPY"),
            ("plan", "--device", "RTX 5090", "--also", "embedding"),
        ),
    ],
)
def test_other_answers_have_their_documents(
    ask: Callable[[], Answer], arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask()
    assert json.loads(found.to_json("en")) == printed(capsys, *arguments)
    lines = repr(found).splitlines()
    assert 2 <= len(lines) <= 20
    assert max(map(len, lines)) < 200


def test_repr_numbers_the_plans() -> None:
    found = gyakusan.plan(device="RTX 4090", why_not="qwen3.8-27b")
    lines = repr(found).splitlines()
    assert lines[0].startswith("RTX 4090, 1 user, 8,192 tokens, chat: ")
    assert lines[1].startswith(f"  1. {found.plans[0].name} ")
    assert len(lines) <= 20
    none = gyakusan.plan(device="RTX 3060 12GB", quality=99)
    assert repr(none).splitlines()[1:] == [f"  {r.sentence}" for r in none.relaxations] != []


def test_the_former_name_of_file() -> None:
    values = {"device": "RTX 4090", "users": 2}
    assert gyakusan.plan(question=values).request == gyakusan.plan(values).request == gyakusan.plan(file=values).request  # type: ignore[call-arg]


def test_prices_are_in_the_askers_currency() -> None:
    found = gyakusan.plan(budget="3000USD")
    lines = repr(found).splitlines()[1 : 1 + len(found.plans)]
    assert lines
    assert all(" USD" in line and "JPY" not in line for line in lines)


def test_parts_of_an_answer_fit_a_screen_too() -> None:
    found = gyakusan.plan(device="RTX 4090")
    assert len(repr(found.plans)) < 600
    assert repr(found.plans[0]).startswith(f"Plan({found.plans[0].name} ")
    assert len(repr(found.plans[0].ledger)) < 300


def test_quality_says_what_the_score_of_this_task_rests_on() -> None:
    """For agents the document said "measured" of a score that comes from chat and code."""
    found = gyakusan.plan(device="RTX 4090", task="agents", all=True)
    model = next(p.name for p in found.plans if p.mode.agentic_basis == "inferred" and p.mode.basis != "inferred")
    document = found.to_dict()
    plan = next(p for p in document["plans"] if p["model"] == model)
    assert plan["quality"]["basis"] == plan["confidence"]["quality"] == "inferred"
    assert any(row["quality_basis"] == "inferred" for row in document["frontier"])
    chat = gyakusan.plan(device="RTX 4090", model=model).to_dict()["plans"][0]
    assert chat["quality"]["basis"] != "inferred"
