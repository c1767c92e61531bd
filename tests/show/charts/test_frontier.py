"""The scatter of plans: inside its frame, picks over the rest, labels apart, links that run nothing."""

from __future__ import annotations

import re
from itertools import combinations
from math import hypot
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.show.charts.chart_checks import HOSTILE, SVG, check_inside, english

from gyakusan.show.charts.drawing import extent
from gyakusan.show.charts.frontier import LEAST, LINE, TOUCHING, Spot, frontier

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
    boxes = [(left, right, top, bottom) for _, left, top, right, bottom in _halos(root)]
    for (a, b, c, d), (e, f, g, h) in combinations(boxes, 2):
        assert b <= e + 0.05 or f <= a + 0.05 or d <= g + 0.05 or h <= c + 0.05


def _numbers(root: ElementTree.Element) -> list[tuple[int, float, float]]:
    """Return the numbers in circles with their places."""
    texts = (t for t in root.iter(f"{SVG}text") if t.attrib.get("class") == "number")
    return [(int("".join(t.itertext())), float(t.attrib["x"]), float(t.attrib["y"]) - 4) for t in texts]


def _halos(root: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """Return the labels with their boxes: left, top, right, bottom."""
    found = []
    for label in root.iter(f"{SVG}text"):
        if label.attrib.get("class") == "strong halo":
            words, x, y = "".join(label.itertext()), float(label.attrib["x"]), float(label.attrib["y"])
            room = extent(words)
            left = x - {"start": 0.0, "middle": room / 2, "end": room}[label.attrib.get("text-anchor", "start")]
            found.append((words, left, y + 4 - LINE, left + room, y + 4))
    return found


PLACES = st.tuples(st.floats(0, 1e6), st.floats(30, 95), st.floats(0, 400))


@given(st.lists(PLACES, min_size=1, max_size=4), st.sampled_from((300, 480, 1110)))
def test_no_circle_hides_a_number(drawn: list[tuple[float, float, float]], width: int) -> None:
    """Dot 3 was behind dot 1: circles that meet have their numbers beside them, in one label."""
    picks = [spot("a", across, q, n, speed) for n, (across, q, speed) in enumerate(drawn, 1)]
    root = ElementTree.fromstring(frontier(picks, "price", "quality", english, width))
    order = [c.attrib for c in root.iter(f"{SVG}circle")]
    circles = [(float(c["cx"]), float(c["cy"]), float(c["r"])) for c in order]
    shown, seen = _numbers(root), []
    for number, x, y in shown:
        own = next(i for i in range(len(circles) - 1, -1, -1) if hypot(circles[i][0] - x, circles[i][1] - y) < 0.1)
        assert [c for c in circles[own + 1 :] if hypot(c[0] - x, c[1] - y) < c[2]] == []
        seen.append(number)
    for words, *_ in _halos(root):
        joint = re.match(r"\d(?:, \d)+", words)
        seen += [int(n) for n in joint[0].split(", ")] if joint else []
    assert sorted(seen) == list(range(1, len(drawn) + 1))


def _apart(box: tuple[float, float, float, float], x: float, y: float) -> float:
    left, top, right, bottom = box
    return hypot(min(max(x, left), right) - x, min(max(y, top), bottom) - y)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(30, 95), st.floats(1, 400)), min_size=1, max_size=8))
def test_a_label_stands_at_its_circle_or_a_line_leads_to_it(drawn: list[tuple[float, float, float]]) -> None:
    """A label floated 250,000 yen beside its dot, with nothing between them."""
    picks = [spot(f"plan{n:02d}", across, q, n, speed) for n, (across, q, speed) in enumerate(drawn, 1)]
    root = check_inside(frontier(picks, "price", "quality", english, 1110), 1110)
    circles = {}
    for c in root.iter(f"{SVG}circle"):
        title = "".join(c.find(f"{SVG}title").itertext())  # type: ignore[union-attr]
        circles[title.partition(",")[0]] = tuple(float(c.attrib[k]) for k in ("cx", "cy", "r"))
    lines = [re.findall(r"[\d.]+", p.attrib["d"]) for p in root.iter(f"{SVG}path") if p.attrib["class"] == "leader"]
    ends = [tuple(map(float, line)) for line in lines]
    for words, *box in _halos(root):
        where = (box[0], box[1], box[2], box[3])
        numbers = re.match(r"\d(?:, \d)+", words)  # a label too long for its names has its numbers alone
        named = [f"plan{int(n):02d}" for n in numbers[0].split(", ")] if numbers else re.findall(r"plan\d\d", words)
        mine = [circles[name] for name in named]
        close = any(_apart(where, x, y) <= r + TOUCHING + 0.1 for x, y, r in mine)
        led = any(
            abs(hypot(a - x, b - y) - r) < 0.1 and _apart(where, c, d) < 0.1 for x, y, r in mine for a, b, c, d in ends
        )
        assert close or led, words


def test_two_plans_at_one_place_share_a_label() -> None:
    drawn = [spot("alpha", 100, 60, 1, 4.0), spot("beta", 102, 60, 3, 90.0), spot("gamma", 50, 80, 2)]
    root = ElementTree.fromstring(frontier(drawn, "price", "quality", english, 880))
    assert [number for number, *_ in _numbers(root)] == [2]
    assert [words for words, *_ in _halos(root)] == ["1, 3 alpha, beta", "gamma"]
    small, large = drawn[0], drawn[1]
    titles = ["".join(c.itertext()) for c in root.iter(f"{SVG}circle") if c.attrib["class"] == "pick"]
    assert titles.index(f"{large.name}, told") < titles.index(f"{small.name}, told"), "the smaller one is on top"


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

    assert texts(880) == ["1, 2 alpha, beta", "gamma"]
    assert texts(300) == ["1, 2"]


def test_a_circle_may_be_a_link() -> None:
    linked = frontier([spot("a", 1, 50, 1, href="?p=1&q=2")], "price", "quality", english)
    assert '<a href="?p=1&amp;q=2" aria-label="1 a, told">' in linked
    assert 'role="group"' in linked
    for bad in ("javascript:alert(1)", "//host/x", "data:text/html,x", "java\nscript:x"):
        assert "<a" not in frontier([spot("a", 1, 50, 1, href=bad)], "price", "quality", english)


def test_a_label_to_the_left_ends_at_its_circle() -> None:
    """It began where the broadest font would, so that it ended far from its circle in others."""
    drawn = [spot("a-long-name-of-a-model", 100, 60, 1), spot("other", 40, 40, 2)]
    root = ElementTree.fromstring(frontier(drawn, "price", "quality", english, 880))
    label = next(t for t in root.iter(f"{SVG}text") if "".join(t.itertext()).startswith("a-long"))
    circle = next(c.attrib for c in root.iter(f"{SVG}circle") if "a-long" in "".join(c.itertext()))
    assert label.attrib["text-anchor"] == "end"
    assert float(circle["cx"]) - float(circle["r"]) - float(label.attrib["x"]) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("name", ["gemma4-26b-a4b-qat", "a-model-with-a-name-that-no-quarter-of-a-chart-holds"])
@pytest.mark.parametrize("width", [360, 560, 880])
def test_a_name_is_whole_or_only_its_number_is_there(name: str, width: int) -> None:
    """The chart of three models had one label, cut off, and its caption ended in dots on a telephone."""
    spots = [Spot(f"{name}-{n}", 1000.0, 60.0, 2.0, 20.0, "words", number=n) for n in (1, 2, 3)]
    words = [
        e.text or ""
        for e in ElementTree.fromstring(frontier(spots, "price", "quality", english, width)).iter(f"{SVG}text")
    ]
    assert not [w for w in words if w.endswith("...")]
