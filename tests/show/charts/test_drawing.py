"""What charts are made of: words that fit, hatching that fills exactly, charts one below the other."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyakusan.show.charts.drawing import (
    cut,
    extent,
    frame,
    hatch,
    plain,
    rect,
    round_step,
    stacked,
    told,
    within,
    wrapped,
)

words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Zl", "Zp", "M")), max_size=60)


@given(words, st.floats(0, 400))
def test_what_is_cut_fits(found: str, room: float) -> None:
    short = cut(found, room)
    assert extent(short) <= room or short == ""
    assert short == found or short.endswith("...") or short == ""


@given(words, st.floats(60, 400))
def test_lines_keep_every_word(found: str, room: float) -> None:
    lines = wrapped(found, room)
    assert "".join("".join(lines).split()) == "".join(found.split())
    for line in lines:
        assert extent(line) <= room or " " not in line


def test_japanese_breaks_between_letters() -> None:
    assert wrapped("収まります。余裕は6.1 GiB以上です。", 120) == ["収まります。余裕は", "6.1 GiB以上です。"]


@given(words, st.floats(0, 300), st.sampled_from(("start", "middle", "end")))
def test_words_stay_within(found: str, x: float, anchor: str) -> None:
    room = extent(found)
    if room <= 300:
        at, side = within(x, found, 300, anchor)
        left = at - {"start": 0.0, "middle": room / 2, "end": room}[side]
        assert -1e-6 <= left <= 300 - room + 1e-6


@given(st.floats(1, 500), st.floats(1, 60))
def test_a_hatch_stays_in_its_rectangle(width: float, height: float) -> None:
    drawn = hatch(10, 20, width, height)
    for x, y in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", drawn):
        assert 10 - 0.01 <= float(x) <= 10 + width + 0.01
        assert 20 - 0.01 <= float(y) <= 20 + height + 0.01
    assert (drawn == "") == (width < 0.5) or width < 7


@pytest.mark.parametrize(("highest", "step"), [(1, 0.2), (9, 2), (10, 2), (101, 50), (1_000_000, 200_000), (0, 2e-10)])
def test_steps_are_round(highest: float, step: float) -> None:
    assert round_step(highest, 5) == pytest.approx(step)


def test_stacked_charts_stand_below_each_other() -> None:
    one = frame("one", 100, 30, [rect(0, 0, 5, 5, "f-kv")])
    root = ElementTree.fromstring(stacked("both", [("A head", ""), ("", one), ("B", one)], 100, 10))
    inner = [n for n in root if n.tag.endswith("svg")]
    assert [(n.attrib["x"], n.attrib["y"]) for n in inner] == [("10", "38"), ("10", "108")]
    assert float(root.attrib["height"]) == 108 + 30 + 10
    assert float(root.attrib["width"]) == 120


def test_words_of_data_lose_what_steers() -> None:
    assert told("a\x1b[31m\u202eb\u00a0c", str) == "a?[31m?b c"
    assert 'aria-label="a &quot;b&quot; &lt;c&gt;"' in frame('a "b" <c>', 1, 1, [])


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (2e-10, "0.0000000002"),
        (0.1 + 0.2, "0.3"),
        (1.5, "1.5"),
        (90.0, "90"),
        (12_345.6, "12,346"),
        (1e12, "1,000,000,000,000"),
    ],
)
def test_a_figure_of_an_axis_has_no_exponent(value: float, shown: str) -> None:
    assert plain(value) == shown
    assert "e" not in plain(value)
