"""The scatter of plans: inside its frame, picks over the rest, labels apart, links that run nothing."""

from __future__ import annotations

from itertools import combinations
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.show.charts.chart_checks import HOSTILE, SVG, check_inside, english

from gyakusan.show.charts.drawing import extent
from gyakusan.show.charts.frontier import LEAST, LINE, Spot, frontier

names = st.text(max_size=40) | st.sampled_from(HOSTILE)


@st.composite
def spots(draw: st.DrawFn) -> list[Spot]:
    drawn = draw(
        st.lists(
            st.builds(
                Spot,
                names,
                st.floats(0, 5e8),
                st.floats(0, 100),
                st.floats(0, 60),
                st.none() | st.floats(0, 1e5),
                names,
                href=names | st.sampled_from(("javascript:alert(1)", "/fit?a=1&b=2", "//elsewhere", "#p1")),
            ),
            max_size=12,
        )
    )
    picks = draw(st.integers(0, len(drawn)))
    return [
        Spot(**{f: getattr(s, f) for f in s.__struct_fields__} | {"number": (n + 1) * (n < picks)})
        for n, s in enumerate(drawn)
    ]


@given(spots(), names, st.sampled_from((300, 480, 1110)))
def test_nothing_is_outside(drawn: list[Spot], axis: str, width: int) -> None:
    svg = frontier(drawn, axis, "quality", english, width)
    root = check_inside(svg, width)
    assert svg == frontier(drawn, axis, "quality", english, width)
    assert len(list(root.iter(f"{SVG}circle"))) == len(drawn)
    for link in root.iter(f"{SVG}a"):
        assert link.attrib["href"].startswith(("/", "#", "?", "http://", "https://"))
        assert not link.attrib["href"].startswith("//")
    assert root.attrib["role"] == ("group" if list(root.iter(f"{SVG}a")) else "img")


@given(spots())
def test_labels_do_not_meet(drawn: list[Spot]) -> None:
    root = ElementTree.fromstring(frontier(drawn, "price", "quality", english, 1110))
    boxes = []
    for label in root.iter(f"{SVG}text"):
        if label.attrib.get("class") == "strong halo":
            x, y = float(label.attrib["x"]), float(label.attrib["y"])
            boxes.append((x, x + extent("".join(label.itertext())), y + 4 - LINE, y + 4))
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert b <= e + 0.05 or f <= a + 0.05 or d <= g + 0.05 or h <= c + 0.05


def spot(
    name: str, across: float, quality: float, number: int = 0, speed: float | None = 100.0, href: str = ""
) -> Spot:
    return Spot(name, across, quality, 2.0, speed, f"{name}, told", number, href)


def test_places_and_sizes() -> None:
    drawn = [spot("a", 100, 60, 1), spot("b", 50, 70, speed=25.0), spot("c", 0, 60, 2, speed=None)]
    root = check_inside(frontier(drawn, "price", "quality", english, 880), 880)
    circles = {c.find(f"{SVG}title").text: c.attrib for c in root.iter(f"{SVG}circle")}  # type: ignore[union-attr]
    a, b, c = (circles[f"{n}, told"] for n in "abc")
    assert (a["class"], b["class"], c["class"]) == ("pick", "rest", "pick")
    assert float(a["cx"]) - float(b["cx"]) == pytest.approx(float(b["cx"]) - float(c["cx"]), abs=0.02)
    assert float(a["cy"]) == float(c["cy"]) > float(b["cy"])
    assert float(a["r"]) == 18  # 3 + 1.5 * sqrt(100)
    assert float(b["r"]) == 10.5
    assert float(c["r"]) == LEAST
    errors = [p for p in root.iter(f"{SVG}path") if p.attrib["class"] == "error"]
    assert len(errors) == 2
    assert root.attrib["aria-label"] == "quality, price: 1: a, told, 2: c, told"


def test_names_on_wide_charts_and_numbers_everywhere() -> None:
    drawn = [spot("alpha", 100, 60, 1), spot("beta", 100, 60, 2), spot("gamma", 50, 80, 3)]

    def texts(width: int) -> list[str]:
        root = ElementTree.fromstring(frontier(drawn, "price", "quality", english, width))
        return ["".join(t.itertext()) for t in root.iter(f"{SVG}text") if "halo" in t.attrib.get("class", "")]

    assert texts(880) == ["1 alpha", "2 beta", "gamma"]
    assert texts(300) == ["1", "2"]


def test_a_circle_may_be_a_link() -> None:
    linked = frontier([spot("a", 1, 50, 1, href="?p=1&q=2")], "price", "quality", english)
    assert '<a href="?p=1&amp;q=2" aria-label="1 a, told">' in linked
    assert 'role="group"' in linked
    for bad in ("javascript:alert(1)", "//host/x", "data:text/html,x", "java\nscript:x"):
        assert "<a" not in frontier([spot("a", 1, 50, 1, href=bad)], "price", "quality", english)
