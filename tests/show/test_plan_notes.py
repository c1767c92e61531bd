"""What is said of a plan below the table."""

from __future__ import annotations

import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from msgspec import structs
from tests.planning.small import small

from gyakusan.catalog import chips
from gyakusan.cli import main
from gyakusan.core.ledger import Account, Line
from gyakusan.core.machine import Device
from gyakusan.learning import known, store
from gyakusan.learning.rows import Row
from gyakusan.message import say
from gyakusan.planning.predict.capacity import find_capacity
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.select.recommend import recommend
from gyakusan.planning.select.shown_plans import shown_figures
from gyakusan.show.plan_details import details
from gyakusan.show.plan_notes import notes, shared_notes
from gyakusan.show.request_line import question
from gyakusan.show.tree import Facts
from gyakusan.show.wording import may_not_fit, typed
from gyakusan.units import GIB


def test_what_is_not_known_to_change_anything_is_not_said() -> None:
    """ "drafts ahead (MTP), gain not known" stood unexplained in the answer."""
    found = recommend(parse_request({"device": "RTX 5090", "engines": "llama.cpp", "model": "qwen3.8-27b"}))
    assert not [i for note in notes(found) for i in note.items if "MTP" in str(i)]


ASKED = [("gpt-oss-120b", "agents", True), ("gpt-oss-120b", "chat", False), ("qwen3-coder-next", "agents", False)]


@pytest.mark.parametrize(("model", "task", "told"), ASKED)
def test_agentic_quality_that_nobody_measured_is_said_to_be_inferred(model: str, task: str, told: bool) -> None:
    asked = {"device": "4x H100 SXM5", "engines": "vLLM,llama.cpp", "model": model, "task": task}
    found = recommend(parse_request(asked), columns=small((model,)))
    assert ("agentic quality from other scores" in [str(i) for i in notes(found)[0].items]) is told


# Wherever a purchase has a price, the screen says from when it is and by which rate it was converted.

MONTH = r"(20\d\d年\d+月|[A-Z][a-z]+ 20\d\d|20\d\d-\d\d)"
QUESTIONS = (
    "plan --budget 3000USD --context 16k",
    "plan --budget 300000JPY",
    "upgrade --device 'RTX 3060 12GB' --currency USD",
    "upgrade --device 'RTX 3060 12GB'",
    "fleet --users 50",
)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_prices_have_a_month(question: str, language: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*shlex.split(question), "--lang", language]) == 0
    out = " ".join(capsys.readouterr().out.split())
    start = {"en": "(Prices of|All rows: price of)", "ja": "(価格は|全構成: )"}[language]
    found = re.search(f"{start} ?{MONTH}", out)
    assert found, out
    rate = out[found.start() :].split("。" if language == "ja" else ". ")[0]
    if "USD" in question:
        assert ("1ドル = " if language == "ja" else "1 USD = ") in rate
    asked_in = r"(price in JPY only|JPY建ての価格しか\S+つあります): --currency JPY"  # an option, no amount of money
    assert "JPY" not in re.sub(asked_in, "", out)


def test_cheaper_machines_of_another_market_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    found = recommend(parse_request({"budget": "6000USD", "users": 8, "task": "coding"}))
    told = [str(part.words) for part in shared_notes(found)]
    assert "2 cheaper machines, not tried here, have a price in JPY only: --currency JPY" in told
    assert main(["plan", "--budget", "3000USD", "--currency", "JPY", "--lang", "en"]) == 0
    assert "in JPY only" not in capsys.readouterr().out


def test_what_one_owns_has_no_price(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--device", "RTX 4090", "--lang", "en"]) == 0
    assert "Prices of" not in capsys.readouterr().out


def test_where_quality_is_preferred_a_better_row_says_why_it_is_not_the_first() -> None:
    found = recommend(parse_request({"device": "M4 Max 128GB", "prefer": "quality"}))
    qualities = [round(p.score.value) for p in found.plans]
    better = qualities.index(max(qualities)) + 1
    assert better > 1
    told = [str(i) for i in notes(found)[0].items]
    assert re.search(rf"^{better} is better, at \d\.\d tokens/s of answer where 10 are wanted$", told[0])
    usual = recommend(parse_request({"device": "M4 Max 128GB"}))
    assert not any("is better" in str(i) for n in notes(usual) for i in n.items)


def test_a_plan_says_that_its_speeds_were_corrected_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(known.SWITCH, raising=False)
    asked = ["plan", "--device", "RTX 4090", "--model", "gpt-oss-20b", "--engine", "llama.cpp"]
    assert main(asked) == 0
    assert "corrected by" not in capsys.readouterr().out
    chip = chips.find("NVIDIA GeForce RTX 4090", None)
    assert chip is not None
    today = known.today().isoformat()
    plain = Row("decode", known.device_name(chip.name), "llama.cpp", 0, known.rules(), 100.0, 90.0, today, "m", "Q4")
    store.add([plain])
    assert main(asked) == 0
    assert f"corrected by measurements of this computer (1, the newest of {today})" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("of", "told"), [({"memory": "24GiB"}, "--device"), ({"memory": None}, "gyakusan calibrate measures it")]
)
def test_an_unknown_speed_is_said_with_what_tells_it(of: dict[str, str | None], told: str) -> None:
    """`?` stood in the table, and "no bandwidth is known of this machine": nobody knew what to do."""
    found = recommend(parse_request({"memory": "24GiB"}), columns=small(("gpt-oss-20b",)))
    assert found.plans[0].pace is None
    asked = structs.replace(found, request=structs.replace(found.request, **of))
    first = shared_notes(asked)[0].words
    assert told in str(first)
    drawn = details(asked, asked.plans[0], 1, find_capacity(found.plans[0].deployment), None, date.today())
    facts = next(p for p in drawn if isinstance(p, Facts)).rows
    assert [f.lines for f in facts if str(f.label) == "Speed"] == [(first,)]


@pytest.mark.parametrize("server", ["llama.cpp", "vllm"])
@pytest.mark.parametrize("kind", ["f16", "q8_0"])
def test_a_cache_in_8_bits_is_said(server: str, kind: str) -> None:
    asked = {"device": "RTX 5090", "engines": server, "model": "qwen3-8b", "kv": kind}
    found = recommend(parse_request(asked), columns=small(("qwen3-8b",)))
    assert found.plans
    assert ("KV cache in 8 bits" in [str(i) for i in notes(found)[0].items]) is (kind == "q8_0")


def test_a_cache_in_8_bits_stands_beside_the_files_where_notes_are_cut() -> None:
    """It was cut, and `inspect` without it said that the plan does not fit."""
    found = recommend(parse_request({"budget": "1000000JPY", "kv": "q8_0", "engines": "llama.cpp"}))
    assert found.plans
    for note, plan in zip(notes(found, 3), found.plans, strict=True):
        assert f"{plan.quantization} with KV cache in 8 bits" in [str(i) for i in note.items]


def test_each_row_slower_than_wanted_says_so_and_the_question_names_its_limits() -> None:
    """A reader saw 13 tokens/s where 25 are wanted, noted as "balanced" alone, and no word of a socket of 600 W."""
    asked = {"budget": "6000USD", "users": 8, "context": "64k", "task": "agents", "outlet": 900, "count": 1}
    answer = recommend(parse_request(asked))
    slow = [n for n, p in enumerate(answer.plans) if (shown_figures(p).answer or 0.0) < 25]
    assert slow
    told = [any("of 25 wanted" in str(item) for item in note.items) for note in notes(answer)]
    assert [n for n, said in enumerate(told) if said] == slow
    line = " ".join(map(str, question(answer).lines))
    assert "at most 900 W from the socket" in line
    assert "1 card" in line


@pytest.mark.parametrize(
    ("device", "kind", "short_by", "said"),
    [
        ("RTX 4090", "gpu", 0.02, "may not fit: short by up to 0.1 GiB"),
        ("RTX 4090", "gpu", 1.25, "may not fit: short by up to 1.3 GiB"),
        ("CPU", "host", 0.02, "may not fit: RAM short by up to 0.1 GiB"),
    ],
)
def test_what_may_be_short_is_named_and_rounded_as_the_table_rounds(
    device: str, kind: str, short_by: float, said: str
) -> None:
    """A row had -0.1 to spare and a note of 0.0 GiB; which memory was short was not said."""
    memory = Device(name=device, kind=kind, memory=GIB, backend="cuda")  # type: ignore[arg-type]
    line = Line("weights", round((1 + short_by) * GIB), "derived", say("x"))
    assert str(may_not_fit(Account(memory, (line,)))) == said


@pytest.mark.parametrize(("value", "said"), [(10.0, "10"), (0.25, "0.25"), (100000.0, "100,000"), (2.5, "2.5")])
def test_a_typed_figure_keeps_its_digits(value: float, said: str) -> None:
    assert typed(value) == said


def test_a_card_alone_beside_computers_says_what_it_costs_with_one() -> None:
    """It was called cheaper than whole PCs, by somebody who may own none."""
    found = recommend(parse_request({"budget": "300000JPY", "users": 2, "families": ("gemma3", "qwen3")}))
    computer = structs.replace(found.plans[0].offer, own_computer=False, around=None)
    first = structs.replace(found.plans[0], offer=computer)
    for around, said in ((301_000.0, "card alone (301,000 yen with a PC)"), (None, "card alone")):
        card = structs.replace(first, offer=structs.replace(computer, own_computer=True, around=around))
        mixed = structs.replace(found, plans=(first, card))
        one, other = (tuple(map(str, note.items)) for note in notes(mixed, 0))  # in the least room, too
        assert said in other
        assert not [i for i in one if "card alone" in i]
        cards = structs.replace(found, plans=(card, card))  # then the headline says it
        assert not [i for note in notes(cards) for i in note.items if "card alone" in str(i)]
        owner = structs.replace(mixed, request=structs.replace(found.request, base_computer_price=0.0))
        assert not [i for note in notes(owner) for i in note.items if "card alone" in str(i)]
