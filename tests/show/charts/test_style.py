"""One sheet: for pages with both themes, for files with plain colours; each class that a chart writes is in it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from gyakusan.show.charts import style

FOLDER = Path(style.__file__).parent


def test_both_themes_name_the_same_colours() -> None:
    light, dark = (re.findall(r"(--[\w-]+):", block) for block in style.palette())
    assert light == dark
    assert len(set(light)) == len(light)


def test_colours_are_defined_once() -> None:
    """No sheet but the palette has a colour of its own, and each that is used is defined."""
    sheets = [FOLDER / "charts.css", FOLDER.parent / "report.css", FOLDER.parents[1] / "web/static/page.css"]
    defined = set(re.findall(r"(--[\w-]+):", style.palette()[0]))
    for sheet in sheets:
        text = sheet.read_text("utf-8")
        own = set(re.findall(r"(--[\w-]+):", text))
        assert not own & defined, sheet
        assert set(re.findall(r"var\((--[\w-]+)", text)) <= own | defined, sheet


def test_a_page_chooses_a_theme_by_its_root() -> None:
    sheet = style.page_palette()
    assert ':root[data-theme="dark"] {' in sheet
    assert ':root:not([data-theme="light"]) {' in sheet
    assert sheet.count("--weights: #3a6592") == 1
    assert sheet.count("--weights: #6b9bcc") == 2
    assert sheet.count("{") == sheet.count("}")


def test_a_place_in_another_page_has_colours_of_its_own() -> None:
    sheet = style.stylesheet()
    assert ":root" not in sheet
    assert sheet.count("--weights: #3a6592") == sheet.count("--weights: #6b9bcc") == 1


def test_files_have_plain_colours() -> None:
    sheet = style.standalone()
    assert "var(" not in sheet
    assert "--" not in sheet
    day, night = sheet.split("@media screen and (prefers-color-scheme: dark)")
    assert ".chart .f-weights { fill: #3a6592; }" in day
    assert ".chart .f-weights { fill: #6b9bcc; }" in night
    assert sheet.count("{") == sheet.count("}")


def test_every_class_is_in_the_sheet_and_every_rule_is_used() -> None:
    source = "".join(p.read_text("utf-8") for p in FOLDER.glob("*.py"))
    sheet = (FOLDER / "charts.css").read_text("utf-8")
    ruled = set(re.findall(r"\.chart (?:text)?\.([\w-]+)", sheet))
    assert ruled
    lines = {f"{name}{n}" for name in ("line", "f-line") for n in range(4)}
    assert [name for name in ruled - lines if not re.search(rf'["\s]{name}["\s]', source)] == []


def test_a_file_stands_alone() -> None:
    drawn = style.alone('<svg xmlns="http://www.w3.org/2000/svg" class="chart"><text>x</text></svg>')
    root = ElementTree.fromstring(drawn.encode())
    assert [n.tag.rpartition("}")[2] for n in root] == ["style", "rect", "text"]
    assert drawn.startswith("<?xml")
