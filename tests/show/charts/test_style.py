"""One sheet: for pages with both themes, for files with plain colours; each class that a chart writes is in it."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from gyakusan.show.charts import style

FOLDER = Path(style.__file__).parent


def test_both_themes_name_the_same_colours() -> None:
    light, dark = re.findall(r"\.chart, \.gyakusan \{([^}]*)\}", (FOLDER / "charts.css").read_text("utf-8"))
    assert re.findall(r"--[\w-]+", light) == re.findall(r"--[\w-]+", dark)
    used = set(re.findall(r"var\((--[\w-]+)\)", (FOLDER / "charts.css").read_text("utf-8")))
    assert used <= set(re.findall(r"--[\w-]+", light))


def test_a_page_chooses_a_theme_by_its_root() -> None:
    sheet = style.stylesheet()
    assert ':root[data-theme="dark"] .chart, :root[data-theme="dark"] .gyakusan {' in sheet
    assert re.findall(r"^.*data-theme", sheet, re.MULTILINE) == re.findall(
        r"^@media screen \{.*data-theme", sheet, re.MULTILINE
    )
    assert sheet.count("--weights: #3a6592") == 2
    assert sheet.count("--weights: #6b9bcc") == 2


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
