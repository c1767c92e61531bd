"""What this computer has for serving, as a list with marks."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.message import Message, say
from gyakusan.serving.checkup import Check, can_serve
from gyakusan.show.tree import Column, Note, Pause, Table, Text, Tone, Tree, Verdict, whole

MARKS: dict[str, tuple[str, Tone]] = {"here": ("+", "good"), "note": ("!", "caution"), "missing": ("-", "note")}
"""State -> mark and tone: told apart without colours, too."""


def screen(checks: Sequence[Check]) -> Tree:
    """Return the verdict, and a line for each thing that was looked at, with what mends it."""
    rows = tuple((Text(*MARKS[c.state]), _name(c), _told(c)) for c in checks)
    notes = tuple(Note(c.about, (c.mend,)) if c.mend else Note("") for c in checks)
    if can_serve(tuple(checks)):
        verdict = Verdict((say("This computer *can serve* models."),), tone="fits")
    else:
        verdict = Verdict((say("This computer *cannot serve* models yet: no server program is here."),), tone="fails")
    columns = (Column(), Column(), Column(kind="reason"))
    return verdict, Pause(), Table(columns, rows), Pause(), *_mends(notes)


def _told(check: Check) -> Message | str:
    """Return what was found; of a server that is missing no sentence of its own: its mend says the rest."""
    return say("not found") if check.serves and check.state == "missing" else check.told


def _name(check: Check) -> Text:
    return Text(whole(check.about) if isinstance(check.about, str) else check.about)


def _mends(notes: Sequence[Note]) -> Tree:
    """Return what would mend the others, a line each."""
    said = [n for n in notes if n.items]
    return tuple(Text(say("{about}: {mend}", about=n.label, mend=n.items[0])) for n in said)
