"""Sentences whose parts a style sheet would lay out as boxes of their own."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

STYLE = Path(__file__).parents[2] / "src/gyakusan/web/static/page.css"
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "path", "circle", "rect", "line"})


def flexing() -> set[str]:
    """Return the classes whose children are boxes beside one another."""
    rules = re.findall(r"(?:^|\s)\.([\w-]+) \{([^}]*)\}", STYLE.read_text("utf-8"))
    return {name for name, body in rules if re.search(r"display: (inline-)?(flex|grid)", body)}


class Torn(HTMLParser):
    """The words that stand directly in an element whose children are boxes: a number in them is torn out of its sentence."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.classes, self.open, self.found = flexing(), [("", False)], list[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _VOID:
            of = set((dict(attrs).get("class") or "").split())
            self.open.append((tag, bool(of & self.classes)))

    def handle_endtag(self, tag: str) -> None:
        while len(self.open) > 1 and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.open[-1][1] and re.search(r"\w", data):  # a dot between two links is no sentence
            self.found.append(data.strip())
