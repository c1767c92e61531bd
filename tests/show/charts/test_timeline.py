"""Figures over time: classes instead of colours, inside the frame at every width."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.show.charts.chart_checks import HOSTILE, SVG, check_inside, english

from gyakusan.show.charts.style import rules
from gyakusan.show.charts.timeline import KINDS, LIMIT, SAID, Series, Tick, timeline

texts = st.text(max_size=30) | st.sampled_from(HOSTILE)
points = st.dictionaries(st.floats(0, 2e9), st.floats(0, 1e6), min_size=1, max_size=60)
MARKS = (Tick(0.0, "2026-11-28"), Tick(1.0, "2026-11-29"), Tick(1.01, "2026-11-29"))


@given(st.lists(st.tuples(texts, points), min_size=1, max_size=6), texts, st.sampled_from([300, 480, 1110]))
def test_nothing_is_outside(drawn: list[tuple[str, dict[float, float]]], unit: str, width: int) -> None:
    series = [Series(name, tuple(sorted(found.items()))) for name, found in drawn]
    root = check_inside(timeline(unit, series, MARKS, english, width, ("said", 7.0)), width)
    classes = [p.attrib["class"] for p in root.iter(f"{SVG}path") if p.attrib["class"] not in ("rule", SAID)]
    assert set(classes) == {f"line{i}" for i in range(min(len(drawn), KINDS))}


def test_nothing_was_measured() -> None:
    assert timeline("x", [Series("a", ())], MARKS, english) == ""


def test_the_last_figures_are_read_aloud() -> None:
    drawn = timeline("MiB", [Series("held", ((0.0, 1.0), (1.0, 553.0)))], MARKS, english, said=("said", 511.0))
    assert "MiB over time; the last figures: held: 553, said: 511" in drawn


def test_marks_of_the_time_do_not_meet() -> None:
    drawn = timeline("MiB", [Series("held", ((0.0, 1.0), (1.01, 2.0)))], MARKS, english, 300)
    assert drawn.count("2026-11-29") == 1, "the second of two at one place"
    assert drawn.count("2026-11-28") == 1


def test_a_mark_is_not_told_twice() -> None:
    """A load of two seconds had "2 s" twice below its axis."""
    marks = [Tick(0.0, "0 s"), Tick(1.6, "2 s"), Tick(2.4, "2 s")]
    drawn = timeline("MiB", [Series("held", ((0.0, 1.0), (2.4, 2.0)))], marks, english, 1000)
    assert drawn.count(">2 s<") == 1
    assert drawn.count(">0 s<") == 1


def test_a_limit_stands_beside_what_was_said() -> None:
    drawn = timeline(
        "MiB",
        [Series("held", ((0.0, 1.0), (1.0, 1536.0)))],
        MARKS,
        english,
        said=("start", 511.0),
        limit=("most", 2000.0),
    )
    assert "held: 1,536, start: 511, most: 2,000" in drawn
    assert ">2,000<" in drawn, "the axis reaches it"


def test_a_limit_is_told_apart_from_every_series() -> None:
    """Its line was of the class of a fourth series."""
    series = [Series(str(n), ((0.0, 1.0), (1.0, float(n)))) for n in range(KINDS)]
    root = check_inside(timeline("MiB", series, MARKS, english, said=("start", 511.0), limit=("most", 2000.0)), 1110)
    classes = [p.attrib["class"] for p in root.iter(f"{SVG}path") if p.attrib["class"] != "rule"]
    assert {kind: classes.count(kind) for kind in classes} == dict.fromkeys(
        [*(f"line{n}" for n in range(KINDS)), SAID, LIMIT], 2  # in the field and beside its name
    )  # fmt: skip
    assert f".chart .{LIMIT} " in rules()
