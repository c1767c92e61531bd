"""Lines over a load: classes instead of colours, inside the frame."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st
from tests.show.charts.chart_checks import HOSTILE, SVG, check_inside

from gyakusan.show.charts.lines import KINDS, WIDTH, Line, chart

points = st.dictionaries(st.integers(1, 500), st.floats(0, 1e6), min_size=2, max_size=8)
texts = st.text(max_size=30) | st.sampled_from(HOSTILE)


@given(st.lists(st.tuples(texts, points), min_size=1, max_size=4), st.text(min_size=1, max_size=9))
def test_nothing_is_outside(drawn: list[tuple[str, dict[int, float]]], title: str) -> None:
    lines = [Line(name, tuple(sorted((float(x), y) for x, y in found.items()))) for name, found in drawn]
    assume(any(y for line in lines for _, y in line.points))  # zeros are no chart
    root = check_inside(chart(title, "people", "tokens/s", lines), WIDTH)
    classes = [p.attrib["class"] for p in root.iter(f"{SVG}path") if p.attrib["class"] != "rule"]
    assert classes == [f"line{i % KINDS}" for i in range(len(lines))]


def test_one_point_is_no_line() -> None:
    assert chart("x", "people", "s", [Line("a", ((1.0, 2.0),))]) == ""


def test_zeros_are_no_chart() -> None:
    assert chart("t", "x", "y", [Line("a", ((1.0, 0.0), (2.0, 0.0)))]) == ""
    assert chart("t", "x", "y", [Line("a", ((1.0, 0.0), (2.0, 0.1)))]) != ""
