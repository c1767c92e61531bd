"""The benchmark of labels: a small sample holds, and each judge finds what is wrong."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import pytest
from benchmarks.plan_judges import rows
from msgspec import structs

import gyakusan
from benchmarks import labels
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.why_not import why_not
from gyakusan.python.planning import Plans


@pytest.fixture(scope="module")
def answer() -> Plans:
    return gyakusan.plan(device="RTX 4090", users=4, context="32k")


def test_a_small_sample_holds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["labels.py", "--questions", "5"])
    with pytest.raises(SystemExit):
        labels.main()
    said = capsys.readouterr().out
    assert all(line.endswith(" 0") for line in said.splitlines()[1:]), said
    assert all(text in said for text in labels.KINDS.values())


def test_the_rows_of_upgrades_are_judged() -> None:
    steps = gyakusan.upgrade(device="RTX 3060 12GB", budget="400000JPY").steps
    assert steps
    found = list(labels.compared("upgrade", "q", steps, labels.upgrade_labels.shown_figures, labels.UPGRADE))
    assert len(found) > len(steps)
    assert not any(v.why for v in found)


def test_a_report_is_also_for_programs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["labels.py", "--json"])
    monkeypatch.setattr(labels, "questions", lambda *_: ())
    with pytest.raises(SystemExit) as stopped:
        labels.main()
    assert stopped.value.code == 1  # nothing was judged
    assert json.loads(capsys.readouterr().out) == {"seen": {}, "failures": []}
    wrong = labels.Verdict("row", "a question", "beaten")
    assert "row: a question\n    beaten" in labels.report({"row": 1}, [wrong])


def worse(plan: Plan) -> Plan:
    return structs.replace(plan, score=structs.replace(plan.score, value=plan.score.value - 5))


def test_a_row_that_another_beats_and_a_model_twice_are_found(answer: Plans) -> None:
    first = answer.plans[0]
    both = (first, worse(first))
    assert [bool(v.why) for v in rows.dominated("q", both, "price")] == [False, True]
    assert [v.why for v in rows.once("q", both, owned=True, named=False)] == ["2 rows"]
    assert list(rows.once("q", both, owned=True, named=True)) == []
    sold = tuple(structs.replace(p, offer=structs.replace(p.offer, price=100_000.0)) for p in both)
    assert "neither" in next(iter(rows.once("q", sold, owned=False, named=False))).why
    assert not rows.beaten({"quality": 1.0}, {"quality": None})


def test_a_preference_that_goes_the_other_way_is_found(answer: Plans) -> None:
    def ask(values: Any) -> Plans:
        return answer if values["prefer"] == "balanced" else structs.replace(answer, plans=(worse(answer.plans[0]),))

    found = {v.subject.rsplit(" ", 1)[1]: v.why for v in rows.prefer("q", {}, ask)}
    assert "falls" in found["quality"]
    assert found["speed"] == ""
    assert "price" not in found
    assert list(rows.prefer("q", {}, lambda _: structs.replace(answer, plans=()))) == []


def test_a_reason_that_refutes_itself_is_found(answer: Plans) -> None:
    names = sorted({answer.grid.columns.models[i].name for i in set(answer.grid.models.tolist())})
    whys = [why_not(answer, n, tries=False) for n in names]
    why = next(w for w in whys if w.reason.because in ("behind", "beaten"))
    assert rows.reason("q", answer, why).why == ""
    turned = replace(why, reason=replace(why.reason, has=why.reason.wants, wants=why.reason.has))
    assert "refutes itself" in rows.reason("q", answer, turned).why
    assert "no figures" in rows.reason("q", answer, replace(why, reason=replace(why.reason, has=None))).why
    shown = replace(why, name=answer.plans[0].name)
    assert "it is a plan" in rows.reason("q", answer, shown).why
    assert "no plan" in rows.reason("q", answer, replace(why, reason=replace(why.reason, because="shown"))).why
    assert rows.reason("q", answer, replace(why, reason=replace(why.reason, because="memory", has=0.0))).why


def test_a_label_that_another_row_contradicts_is_found() -> None:
    fleets = gyakusan.fleet(device="RTX 4090", users=40, context="8k").plans
    assert fleets
    shown = labels.fleet_labels.shown_figures
    assert not any(v.why for v in labels.compared("fleet", "q", fleets, shown, labels.FLEET))
    low = replace(fleets[0], plan=worse(fleets[0].plan), roles=("best",))
    found = [v.why for v in labels.compared("fleet", "q", (*fleets, low), shown, labels.FLEET)]
    assert any("shown elsewhere" in why for why in found)
    assert "another row beats it in all" in found
