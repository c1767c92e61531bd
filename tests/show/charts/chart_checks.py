"""What holds of every chart: it is XML, inside its frame, without styles, ids and scripts."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from gyakusan.show.charts.drawing import extent
from gyakusan.show.tree import Words
from gyakusan.text import tell as translated

SVG = "{http://www.w3.org/2000/svg}"
SLACK = 0.02
"""Coordinates are written to a hundredth."""
HOSTILE = (
    '"><script>alert(1)</script>',
    "a\x00\x1b[31mb",
    "\u202egnp.exe",
    "&lt; ' \" ]]>",
    "\ud800",
    "名前" * 200,
    "",
)


def english(words: Words) -> str:
    return words if isinstance(words, str) else translated(words, "en")


def check_inside(svg: str, width: float) -> ElementTree.Element:
    """Assert all of it, and return the root."""
    root = ElementTree.fromstring(svg)
    height = float(root.attrib["height"])
    assert root.attrib["viewBox"] == f"0 0 {root.attrib['width']} {root.attrib['height']}"
    assert root.attrib["aria-label"]
    for node in root.iter():
        assert not {"style", "id", "onclick", "onload"} & node.attrib.keys()
        assert node.tag.removeprefix(SVG) in ("svg", "rect", "path", "text", "tspan", "title", "circle", "a")
        for left, right, top, bottom in _boxes(node):
            assert min(left, right) >= -SLACK
            assert max(left, right) <= width + SLACK
            assert min(top, bottom) >= -SLACK
            assert max(top, bottom) <= height + SLACK
    return root


def _boxes(node: ElementTree.Element) -> list[tuple[float, float, float, float]]:
    a = node.attrib
    if node.tag == f"{SVG}rect":
        x, y = float(a["x"]), float(a["y"])
        assert float(a["width"]) >= 0
        return [(x, x + float(a["width"]), y, y + float(a["height"]))]
    if node.tag == f"{SVG}circle":
        x, y, r = float(a["cx"]), float(a["cy"]), float(a["r"])
        return [(x - r, x + r, y - r, y + r)]
    if node.tag == f"{SVG}text":
        x, y, room = float(a["x"]), float(a["y"]), extent("".join(node.itertext()))
        left = x - {"start": 0.0, "middle": room / 2, "end": room}[a.get("text-anchor", "start")]
        return [(left, left + room, y, y)]
    places = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", a.get("d", ""))
    ends = [float(x) for x in re.findall(r"H(-?[\d.]+)", a.get("d", ""))]
    return [(float(x), float(x), float(y), float(y)) for x, y in places] + [(x, x, 0.0, 0.0) for x in ends]
