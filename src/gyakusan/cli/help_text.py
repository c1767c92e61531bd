"""Text of help screens, which rich's tables draw, broken where a reader expects it."""

from __future__ import annotations

import rich.text
from rich.console import Console, JustifyMethod, OverflowMethod
from rich.containers import Lines

from gyakusan.show.wrapping import breaks, has_wide


class WrappingText(rich.text.Text):
    """rich's Text, which breaks where a reader expects it. For help, which rich's tables draw."""

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
        """Return lines of at most `width` cells."""
        whole = no_wrap or self.no_wrap or not has_wide(self.plain)
        offsets = [] if whole else breaks(self.plain, width)
        text = rich.text.Text("\n").join(self.divide(offsets)) if offsets else self
        inherited = rich.text.Text.wrap
        return inherited(text, console, width, justify=justify, overflow=overflow, tab_size=tab_size, no_wrap=no_wrap)
