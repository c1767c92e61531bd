"""Lines of Japanese text. rich breaks lines at spaces only, and would cut a number or a name in the middle of Japanese."""

from __future__ import annotations

import re

import rich.text
from rich.cells import cell_len
from rich.console import Console, JustifyMethod, OverflowMethod
from rich.containers import Lines

_WIDE = "\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef"
_OPEN = "「(\\["
_CLOSE = "、。」)\\]:%"
_LATIN = rf"[^\s{_WIDE}{_OPEN}]+(?:(?<=\d)(?:[ァ-ヺー]+|[一-龠]))?"
_UNIT = re.compile(rf"\n|[^\S\n]+|[{_OPEN}]*(?:[ァ-ヺー]+|{_LATIN}|[{_WIDE}]|$)[{_CLOSE}]*[^\S\n]*")
"""What stays together: a katakana word, a number with its counter, a word in Latin letters, any other character; each
with the brackets and stops that belong to it, and the spaces behind."""


class Text(rich.text.Text):
    """rich's Text, which also breaks between Japanese characters, where a reader expects it.

    In a Group or a Table: what is printed alone, Console.print copies into a Text of rich's own.
    """

    def wrap(
        self,
        console: Console,
        width: int,
        *,
        justify: JustifyMethod | None = None,
        overflow: OverflowMethod | None = None,
        tab_size: int = 8,
        no_wrap: bool | None = None,
    ) -> Lines:
        """Lines of at most `width` cells."""
        whole = no_wrap or self.no_wrap or not re.search(f"[{_WIDE}]", self.plain)
        offsets = [] if whole else breaks(self.plain, width)
        text = rich.text.Text("\n").join(self.divide(offsets)) if offsets else self
        wrapped = rich.text.Text.wrap
        return wrapped(text, console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap)


def breaks(text: str, width: int) -> list[int]:
    """Where lines begin so that none is wider than `width` cells, unless one unit alone is."""
    found: list[int] = []
    used = 0
    for match in _UNIT.finditer(text):
        unit = match[0]
        if used and unit != "\n" and used + cell_len(unit.rstrip()) > width:
            found.append(match.start())
            used = 0
        used = 0 if unit == "\n" else used + cell_len(unit)
    return found
