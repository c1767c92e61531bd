"""The labels that Japanese pages explain are those of the screens."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ("plan", "fleet", "upgrade", "bench", "compare", "calibrate", "two-sparks", "serve")
PROSE = {
    "Parallelism and Scaling",  # a page of vLLM's
    "より少ないメモリで同等以上",
    "買わないほうがよい",
    "今のまま",
}
"""What stands in quotation marks and is no label."""
FIELD = re.compile(r"\{\w+\}")


def _patterns() -> list[re.Pattern[str]]:
    """Every Japanese text, with a figure or a short name for each of its fields; not what consists of fields only."""
    texts = json.loads((ROOT / "src/gyakusan/locale/ja.json").read_text("utf-8")).values()
    told = [t for t in texts if isinstance(t, str) and len(FIELD.sub("", t)) > 1]
    return [re.compile("[^、。ぁ-んァ-ヶ一-龠]{1,10}".join(map(re.escape, FIELD.split(t)))) for t in told]


@pytest.mark.parametrize("page", PAGES)
def test_labels_in_quotation_marks_stand_on_a_screen(page: str) -> None:
    """A page explained a label that the screen had called otherwise for a month."""
    text = (ROOT / "docs" / "ja" / f"{page}.md").read_text("utf-8")
    prose = re.sub(r"<!-- generated: .*?<!-- end -->|```.*?```", "", text, flags=re.DOTALL)
    quoted = set(re.findall(r"「([^「」\n]{2,40})」", prose)) - PROSE
    patterns = _patterns()
    unknown = [q for q in sorted(quoted) if not any(p.fullmatch(q) or q in p.pattern for p in patterns)]
    assert unknown == []
