"""Dots with intervals: sorted, linear from 0, every name inside."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.show.charts.chart_checks import HOSTILE, SVG, check_inside, english

from gyakusan.message import say
from gyakusan.show.charts.intervals import Interval, intervals

names = st.text(max_size=40) | st.sampled_from(HOSTILE)
speeds = st.floats(0.1, 1e6)


@st.composite
def rows(draw: st.DrawFn) -> Interval:
    if draw(st.booleans()):
        return Interval(draw(names), reason=draw(names))
    low, value, high = sorted(draw(st.tuples(speeds, speeds, speeds)))
    return Interval(draw(names), value, low, high, tuple(draw(st.lists(speeds, max_size=3))))


@given(st.lists(rows(), max_size=8), names, st.sampled_from((300, 479, 480, 1110)))
def test_nothing_is_outside(drawn: list[Interval], title: str, width: int) -> None:
    svg = intervals(title, drawn, english, width)
    check_inside(svg, width)
    assert svg == intervals(title, drawn, english, width)


ROWS = (
    Interval("slow", 50.0, 40.0, 70.0),
    Interval("none", reason=say("does not fit")),
    Interval("fast", 100.0, 80.0, 200.0, (90.0, 150.0)),
)


@pytest.mark.parametrize("width", [300, 880])
def test_sorted_and_linear_from_zero(width: int) -> None:
    root = check_inside(intervals("answer tokens/s", ROWS, english, width), width)
    texts = ["".join(t.itertext()) for t in root.iter(f"{SVG}text")]
    assert [t for t in texts if t in ("slow", "none", "fast")] == ["fast", "slow", "none"]
    assert "does not fit" in texts
    dots = [float(c.attrib["cx"]) for c in root.iter(f"{SVG}circle")]
    bars = [(float(r.attrib["x"]), float(r.attrib["width"])) for r in root.iter(f"{SVG}rect")]
    zero = 2 * dots[1] - dots[0]  # 100 is twice 50
    scale = (dots[0] - dots[1]) / 50
    assert bars[0] == (pytest.approx(zero + 80 * scale, abs=0.05), pytest.approx(120 * scale, abs=0.05))
    assert bars[1] == (pytest.approx(zero + 40 * scale, abs=0.05), pytest.approx(30 * scale, abs=0.05))
    rules = [p.attrib["d"] for p in root.iter(f"{SVG}path") if p.attrib["class"] == "rule"]
    assert float(re.findall(r"M([\d.]+)", rules[0])[0]) == pytest.approx(zero, abs=0.05)
    seen = [p.attrib["d"] for p in root.iter(f"{SVG}path") if p.attrib["class"] == "seen"]
    assert [float(re.findall(r"M([\d.]+)", d)[0]) for d in seen] == [
        pytest.approx(zero + v * scale, abs=0.05) for v in (90, 150)
    ]


def test_the_label_says_the_figures() -> None:
    assert 'aria-label="answer tokens/s: fast 100 (80-200), slow 50 (40-70), none: does not fit"' in intervals(
        say("answer tokens/s"), ROWS, english, 300
    )
