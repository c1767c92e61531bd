"""The door for text from outside: names, metadata, paths, records, lines of a server's log, answers of the web.

One rule holds wherever it is shown (screen, JSON, log): no character steers a terminal, hides, breaks a line or turns the
direction of writing, and nothing is longer than its place.
"""

from __future__ import annotations

import re

LONGEST = 4_000
"""Of a fact in a sentence, or a line of a log. [characters]"""
BLOCK = 1_000_000
"""Of a text of several lines. [characters]"""
NAME = 200
"""Of a name. [characters]"""
PATH = 300
"""Of a path or an address in a message. [characters]"""
_BREAKS = "\t-\r\x1c-\x1e\x85\u2028\u2029"
"""What ends a line somewhere, and the tab."""
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: they move the cursor and set colours, titles, the clipboard
    "\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # unseen, or of another direction
    "\ud800-\udfff\ufffe\uffff"  # half characters, which no encoding has, and noncharacters
    "\U000e0000-\U000e0fff"  # tags, which are never seen
)
_BREAK, _STEERING = f"[{_BREAKS}]+", f"[{_HIDDEN}]"
"""Compiled by `re` where a text is not ASCII: few are."""


def is_clean(text: str) -> bool:
    """Return True for a text that may be shown as it is, on one line."""
    return (text.isascii() and text.isprintable()) or re.search(_STEERING, text) is None


def line(text: str, longest: int | None = LONGEST) -> str:
    """Return text on one line, each character that steers or hides as "?", shortened in the middle.

    longest: most characters, None for a command, which must stay whole
    """
    if longest is not None and len(text) > longest:
        text = shortened(text, longest)
    if is_clean(text):
        return text
    return re.sub(_STEERING, "?", re.sub(_BREAK, " ", text))


def block(text: str, longest: int = BLOCK) -> str:
    """Return text of several lines by the same rule, its line ends and tabs as they are."""
    text = shortened(text, longest)
    return (
        text if is_clean(text) else "\n".join("\t".join(line(w, None) for w in x.split("\t")) for x in text.split("\n"))
    )


def shortened(text: str, longest: int) -> str:
    """Return both ends of a long text. longest: most characters."""
    if len(text) <= longest:
        return text
    half = max(longest - 3, 2) // 2
    return f"{text[:half]}...{text[-half:]}"
