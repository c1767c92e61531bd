"""Tables of errors: every section is drawn, reasons are told, no error is shown smaller than it is."""

from __future__ import annotations

import re

import pytest
from tests.show.drawing import text_of

from gyakusan.catalog import accuracy
from gyakusan.catalog.accuracy import Case, Figures, Group, Section
from gyakusan.documents.accuracy import MemoryAccuracyJson
from gyakusan.documents.writer import plain
from gyakusan.show import accuracy as shown
from gyakusan.text import LANGUAGES, Language, knows, tell

GOOD, BAD = Figures(4, 4, 0.0, 0.0, 0.0), Figures(4, 1, 0.01, 0.1234, 0.5)
SECTION = Section(
    "logs",
    "llama.cpp",
    "logs.json",
    4,
    {},
    (Group("all", "", 4, {"weights": GOOD, "scratch": BAD}), Group("backend", "CUDA", 4, {"scratch": BAD})),
    (Case("qwen, gpu0", "scratch", 0.5, shown.WHY_TEXTS[1]),),
)
ONE = {
    "slice": "decode single",
    "n": 30,
    "median": 0.08,
    "p90": 0.25,
    "within20": 0.8,
    "within30": 0.93,
    "coverage80": 0.82,
}
SPEED = {
    "rows": 1200,
    "resolved_share": 0.94,
    "left_out": {
        "device": [ONE, {**ONE, "slice": "ttft"}],
        "architecture": [{**ONE, "median": 0.05, "coverage80": 0.79}],
        "source": [{**ONE, "median": 0.11}],
    },
    "fresh": {"date": "2026-11-29", "slices": [{**ONE, "median": 0.1}], "usual_rule": []},
    "usual_rule": [{**ONE, "median": 0.24, "within30": 0.63}],
}


@pytest.mark.parametrize(
    ("share", "text"),
    [(None, "?"), (0.0, "0"), (0.5, "50.0 %"), (0.01234, "1.24 %"), (0.00001, "0.0010 %"), (0.099999, "10.00 %")],
)
def test_percent_is_rounded_up(share: float | None, text: str) -> None:
    assert str(shown.percent(share)) == text


def test_a_section_is_drawn() -> None:
    lines = text_of(*shown.memory([SECTION])).splitlines()
    row = next(line for line in lines if line.startswith("llama.cpp  logs of real GPUs"))
    assert row.split()[-6:] == ["weights", "4", "4", "0", "0", "0"]
    assert any(line.split()[:2] == ["CUDA", "llama.cpp"] and line.endswith("50.0 %") for line in map(str.rstrip, lines))
    assert any(f"50.0 %  scratch: qwen, gpu0 ({shown.WHY_TEXTS[1]})" in line for line in lines)
    assert "by architecture" not in "".join(lines)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_published_can_be_drawn(language: Language) -> None:
    sections = accuracy.memory()
    text = text_of(*shown.memory(sections), language=language)
    assert all(s.engine in text for s in sections)
    assert all(g.name in text for s in sections for g in s.by("architecture"))
    for section in sections:
        assert set(section.groups[0].parts) <= set(shown.PART_TEXTS)
        assert {g.by for g in section.groups[1:]} <= set(shown.LABEL_TEXTS)
        assert all(not c.why or knows(c.why, "ja") for c in section.worst)


def test_the_part_that_speaks() -> None:
    assert shown.lead(SECTION.groups[0]) == "scratch"
    assert shown.lead(Group("all", "", 1, {"weights": GOOD, "total": GOOD})) == "total"


def test_speed() -> None:
    text = text_of(*shown.speed(SPEED))
    assert "1,200 published measurements; each is predicted by a fit that did not use it" in text
    single, first = (next(line for line in text.splitlines() if line.startswith(n)) for n in ("decode single", "ttft"))
    assert (
        " ".join(single.split())
        == "decode single 30 11.0 % (93%, 82%) 8.00 % (93%, 82%) 5.00 % (93%, 79%) 24.0 % (63%)"
    )
    assert first.split()[-2:] == ["-", "-"]


def test_every_slice_and_group_has_its_words() -> None:
    """A slice that is judged anew needs its Japanese."""
    report = accuracy.speed() or {}
    slices = {s["slice"] for kind in report["left_out"].values() for s in kind} | {
        s["slice"] for s in report["fresh"]["slices"]
    }
    told = {name: tell(shown.slice_name(name), "ja") for name in slices}
    assert {name: text for name, text in told.items() if not re.search("[ぁ-ゖァ-ヺ一-龠]|TTFT", text)} == {}
    kinds = {g.name for s in accuracy.memory() for label in ("kind", "reason") for g in s.by(label)}
    assert [k for k in kinds if " " in k and not knows(k, "ja")] == []
    assert tell(shown.row_name("qwen3-8b, cpu, 4,096 tokens, 4 users, all"), "ja") == (
        "qwen3-8b、cpu、4,096トークン、4人、全デバイス"
    )
    assert tell(shown.row_name("a, 1 users, all"), "en") == "a, 1 users, all devices"


def test_no_speed_yet() -> None:
    assert text_of(*shown.speed(None)).strip() == "No speed has been evaluated yet."
    assert text_of(*shown.speed(None), language="ja").strip() == "速度はまだ評価していません。"


def test_the_document() -> None:
    (found,) = plain(MemoryAccuracyJson(memory=(SECTION,)), "en")["memory"]
    assert found["groups"][0]["parts"]["scratch"] == {"n": 4, "exact": 1, "median": 0.01, "p95": 0.1234, "worst": 0.5}
    assert found["worst"][0]["why"] == shown.WHY_TEXTS[1]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_screen_begins_with_its_sentence(language: Language) -> None:
    """1,472 lines began with a blank one; the meaning of the columns stood in the last five."""
    sentence = tell(shown.allocator([s for s in accuracy.memory() if s.id in shown.ALLOCATOR]), language)
    drawn = text_of(*shown.memory(accuracy.memory()), language=language, width=400)
    assert "".join(drawn.split()).startswith("".join(sentence.split()))
    speed = text_of(*shown.speed(SPEED), language=language, width=400)
    assert "11.0" in speed.splitlines()[0]
    assert speed.index(tell(shown.SPEED_NOTES[0], language)) < speed.index("1,200")
