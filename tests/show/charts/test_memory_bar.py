"""The memory bar: its segments add up to the bytes, inside its frame, whatever a device is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.show.charts.chart_checks import HOSTILE, SVG, check_inside, english

from gyakusan.core.ledger import KINDS, Account, Line, Part
from gyakusan.core.machine import Device
from gyakusan.message import say
from gyakusan.show.charts.drawing import NARROW, WIDE
from gyakusan.show.charts.memory_bar import CLASSES, HEIGHT, legend, memory_bar
from gyakusan.units import GIB

PARTS: tuple[Part, ...] = ("weights", "kv.full", "state", "compute", "overhead.driver")
"""One of each kind, in the order of KINDS."""
sizes = st.integers(0, 600 * GIB)
widths = st.sampled_from((NARROW, 560, WIDE))
ranges = st.tuples(st.floats(0.5, 1), st.floats(1, 2))


def account(
    bytes_of: list[int], memory: int | None, reserved: int = 0, name: str = "RTX 4090", low: float = 1, high: float = 1
) -> Account:
    lines = tuple(
        Line(part, size, "derived", say("x"), low=int(size * low), high=int(size * high))
        for part, size in zip(PARTS, bytes_of, strict=True)
    )
    return Account(Device(name, "gpu", memory, "cuda", reserved=reserved), lines)


@st.composite
def accounts(draw: st.DrawFn) -> Account:
    low, high = draw(ranges)
    memory = draw(st.none() | sizes)
    name = draw(st.text(max_size=30) | st.sampled_from(HOSTILE))
    return account(
        draw(st.lists(sizes, min_size=5, max_size=5)), memory, draw(st.integers(0, 4 * GIB)), name, low, high
    )


def rects(svg: str) -> Iterator[tuple[str, float, float]]:
    """Part, x and width of each rectangle that names a part."""
    for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect"):
        if "data-part" in rect.attrib:
            yield rect.attrib["data-part"], float(rect.attrib["x"]), float(rect.attrib["width"])


@given(accounts(), widths)
def test_segments_are_as_wide_as_their_bytes(found: Account, width: int) -> None:
    scale = width / max(found.device.memory or 0, int(found.total), 1)
    drawn = {part: (x, w) for part, x, w in rects(memory_bar(found, english, width))}
    at = 0.0
    for kind in KINDS:
        assert drawn[kind] == (pytest.approx(at, abs=0.02), pytest.approx(float(found.of(kind)) * scale, abs=0.02))
        at += float(found.of(kind)) * scale
    assert sum(drawn[k][1] for k in KINDS) == pytest.approx(float(found.total) * scale, abs=0.5)


@given(accounts(), widths)
def test_nothing_is_outside(found: Account, width: int) -> None:
    for svg in (memory_bar(found, english, width), legend(found, english, width)):
        check_inside(svg, width)


@given(accounts())
def test_equal_input_draws_equally(found: Account) -> None:
    assert memory_bar(found, english) == memory_bar(found, english)


def test_every_kind_has_its_class() -> None:
    svg = memory_bar(account([3 * GIB, GIB, GIB, GIB, GIB], 24 * GIB), english)
    root = ElementTree.fromstring(svg)
    assert {r.attrib["data-part"]: r.attrib["class"] for r in root.iter(f"{SVG}rect")} == {**CLASSES, "free": "f-free"}
    assert root.attrib["aria-label"] == (
        "RTX 4090: weights 3.00 GiB, KV cache 1.00 GiB, recurrent state 1.00 GiB, compute buffer 1.00 GiB, "
        "overhead 1.00 GiB; total 7.00 GiB of 24.00 usable"
    )


def test_what_is_past_usable_is_hatched() -> None:
    fits, short = account([20 * GIB, 0, 0, 0, 0], 24 * GIB, GIB), account([30 * GIB, 0, 0, 0, 0], 24 * GIB, GIB)
    assert "hatch-over" not in memory_bar(fits, english)
    assert "usable-short" not in memory_bar(fits, english)
    drawn = memory_bar(short, english, 300)
    assert 'class="usable-short"' in drawn
    over = re.search(r'd="([^"]+)" class="hatch-over"', drawn)
    assert over is not None
    xs = [float(x) for x in re.findall(r"[ML]([\d.]+)", over[1])]
    assert min(xs) == pytest.approx(230, abs=0.01)  # 23 of 30 GiB
    assert max(xs) == pytest.approx(300, abs=0.01)


def test_growth_is_no_doubt_and_doubt_beyond_the_chart_is_open() -> None:
    line = Line("overhead.checkpoints", GIB, "derived", say("x"), high=8 * GIB, grows=True)
    growing = Account(Device("A", "gpu", 16 * GIB, "cuda"), (line,))
    assert "doubt" not in memory_bar(growing, english)
    closed, open_end = (
        account([8 * GIB] + [0] * 4, 16 * GIB, high=1.5),
        account([15 * GIB] + [0] * 4, 16 * GIB, high=1.5),
    )
    assert 'd="M150 54v4H225v-4" class="doubt"' in memory_bar(closed, english, 300)
    assert 'v4H300" class="doubt"' in memory_bar(open_end, english, 300)


def test_an_unknown_capacity_is_said() -> None:
    drawn = memory_bar(account([GIB, 0, 0, 0, 0], None), english, 300)
    assert ">capacity unknown</text>" in drawn
    assert "usable" not in drawn
    assert {p: w for p, _, w in rects(drawn)}["weights"] == 300


def test_legend_names_what_is_drawn_only() -> None:
    found = legend(account([GIB, GIB, 0, 0, 0], 24 * GIB), english, 300)
    assert re.findall(r"<text[^>]*>([^<]*)<", found) == ["weights 1.00 GiB", "KV cache 1.00 GiB", "free 22.00 GiB"]
    assert HEIGHT == 74
