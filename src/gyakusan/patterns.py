"""Regular expressions that are compiled when they are first used: most commands import many and use few."""

from __future__ import annotations

import re
from typing import Any, cast


class _Late:
    """Stands for a pattern; what is asked of it is kept, so that it is asked of the pattern itself once."""

    def __init__(self, text: str, flags: int) -> None:
        self._text, self._flags = text, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # of copies and pickles, which have no text yet
            raise AttributeError(name)
        found = getattr(re.compile(self._text, self._flags), name)
        setattr(self, name, found)
        return found


def late(text: str, flags: int = 0) -> re.Pattern[str]:
    """Return what has the methods of the compiled pattern. It is no argument for the functions of `re`.

    To compile the 60 patterns that a plan imports and does not use takes 2 % of it.
    """
    return cast("re.Pattern[str]", _Late(text, flags))
