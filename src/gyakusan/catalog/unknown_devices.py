"""What is said where a name means no device of the catalogue, or several."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from gyakusan.errors import UnknownName, did_you_mean
from gyakusan.message import quoted, say

if TYPE_CHECKING:
    from gyakusan.catalog.devices import DeviceMatch

LISTED = 12
"""Names that an error lists; more are listed by a command."""
COMPUTERS_LISTED = 0.25
"""Computers are listed where they are at least this share of what a name matches: chips of computers match it, too. [fraction]"""
KINDS = {
    "machines": frozenset((
        "ミニpc", "ミニパソコン", "小型pc", "minipc", "pc", "パソコン", "ノートパソコン",
        "コンピュータ", "computer", "ノートpc", "laptop",
    )),
    "devices": frozenset((
        "グラボ", "グラフィックボード", "グラフィックスボード", "グラフィックカード",
        "ビデオカード", "graphicscard", "videocard", "gpu",
    )),
}  # fmt: skip
"""What `catalog list` lists -> words that people type for it: small letters, no blanks, hyphens, or long mark at the end."""


def unknown(text: str, titles: dict[str, str], key: str) -> UnknownName:
    """Return the error for a name that no device begins with: the nearest names, or how to list them.

    titles: every folded name -> the name that is shown; key: the folded text
    """
    name = quoted(text if len(text) <= 80 else text[:77] + "...")
    for kind, words in KINDS.items():
        if re.sub(r"[\s-]", "", text).casefold().removesuffix("ー") in words:
            return UnknownName(
                "{name} is a kind of computer or device, not the name of one.",
                name=name,
                command=f"gyakusan catalog list {kind}",
                mend="Choose one: {command} lists them.",
            )
    close = did_you_mean(key, titles, begun=True) if text.isprintable() else []
    if not close:
        return UnknownName(
            "No {kind} is called {name}.",
            kind=say("device"),
            name=name,
            mend='Write a name such as "RTX 5090", or give --memory 24GiB alone. gyakusan catalog list devices lists all.',
        )
    near = ", ".join(dict.fromkeys(titles[k] for k in close))
    return UnknownName(
        "No {kind} is called {name}.", kind=say("device"), name=name, near=near, mend="Did you mean {near}?"
    )


def no_such_size(text: str, matches: Sequence[DeviceMatch]) -> UnknownName:
    """Return the error for a size that is not sold."""
    sizes = sorted({m.size for m in matches})
    return UnknownName(
        "{name} is not sold with this memory, but with {sizes} GB.",
        name=quoted(text, 80),
        sizes=", ".join(map(str, sizes)),
        mend="Name one of these sizes, or give the capacity with --memory.",
    )


def ambiguous(text: str, matches: Sequence[DeviceMatch]) -> UnknownName:
    """Return the error for a name that means several devices, the newest first, or one with several sizes."""
    newest = sorted(matches, key=lambda m: m.released, reverse=True)
    titles = list(dict.fromkeys(m.title for m in newest))
    name = quoted(text if len(text) <= 80 else text[:77] + "...")
    if len({m.size for m in matches}) > 1 and len({m.entry.name for m in matches}) == 1:
        return UnknownName(
            "{name} is sold with several memory sizes: {candidates}.",
            name=name,
            candidates=", ".join(titles),
            mend="Name one of them, or give the capacity with --memory.",
        )
    if len(titles) == 1:
        return UnknownName(
            "No {kind} is called {name}.", kind=say("device"), name=name, near=titles[0], mend="Did you mean {near}?"
        )
    return UnknownName(
        "{name} matches several devices: {candidates}.",
        name=name,
        candidates=", ".join(titles[:LISTED]) + (", ..." if len(titles) > LISTED else ""),
        command=_listing(newest),
        mend="Name one of them." if len(titles) <= LISTED else "Name one of them; all: {command}",
    )


def _listing(matches: Sequence[DeviceMatch]) -> str:
    """Return the command that lists the computers whose names begin alike, or the devices where few are computers."""
    computers = [m for m in matches if m.is_machine]
    most = len(computers) >= COMPUTERS_LISTED * len(matches)
    kind, named = ("machines", computers) if most else ("devices", [m for m in matches if not m.is_machine])
    words = zip(*(m.entry.name.split() for m in named), strict=False)
    begin = " ".join(same[0] for same in takewhile(lambda w: len(set(w)) == 1, words))
    return f'gyakusan catalog list {kind} --search "{begin}"' if begin else f"gyakusan catalog list {kind}"
