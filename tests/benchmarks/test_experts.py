"""The benchmark of experts: boxes that are read as they are written, and a report that says what is missed."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest
from benchmarks.plan_judges.expert import Box, boxes

from benchmarks import experts
from gyakusan import machines
from gyakusan.planning.request.parse_request import parse_request


def test_every_box_is_a_question_with_an_answer_and_a_reason() -> None:
    every = boxes()
    assert sum(b.source == "field" for b in every) >= 12
    assert sum(b.source == "own" for b in every) >= 40
    assert len({b.command for b in every}) == len(every)
    for box in every:
        assert box.models, box.command
        assert box.why.endswith("."), box.command
        parse_request(box.values)
        if "device" in box.values:
            machines.parse(box.values["device"])


def test_a_box_that_holds_and_one_that_does_not() -> None:
    box = next(b for b in boxes() if b.values == {"device": "RTX 4090", "context": "32k"})
    found = experts.judge(box)
    assert found.holds
    assert len(found.first) == 3
    missed = experts.judge(replace(box, models=("llama3.1-8b",)), why=True)
    assert not missed.holds
    assert missed.reasons
    assert experts.judge(replace(box, models=("llama3.1-8b",), disagree="Evidence.")).holds
    said = experts.report([found, missed])
    assert said.startswith('holds  gyakusan plan --device "RTX 4090" --context 32k')
    assert "why not: llama3.1-8b" in said
    assert "1 of 2 boxes hold" in said
    assert not experts.judge(Box({"device": "warp drive 9"}, ("x",))).holds


def test_the_exit_code_says_whether_every_box_holds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for models, code in ((("no model",), 1), (("",), 0)):
        monkeypatch.setattr(experts, "boxes", lambda models=models: (Box({"device": "RTX 4090"}, models, why="."),))
        monkeypatch.setattr(sys, "argv", ["experts.py", "--json"])
        with pytest.raises(SystemExit) as stopped:
            experts.main()
        assert stopped.value.code == code
        assert json.loads(capsys.readouterr().out)[0]["holds"] is (code == 0)
