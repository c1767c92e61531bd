"""The JSON of `gyakusan doctor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import catalogue_date
from gyakusan.message import Message
from gyakusan.serving.checkup import Check, State, can_serve


class CheckJson(Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    about: what it is
    state: here, note (worth knowing) or missing
    told: what was found
    mend: command or sentence that mends it, null where nothing has to be
    """

    about: Message
    state: State
    told: Message
    mend: Message | None


class DoctorJson(Struct, frozen=True, kw_only=True):
    """What this computer has for serving: `gyakusan doctor --json`.

    schema: name and version of this form
    catalogue: date of the catalogue
    can_serve: True if any server program is here
    checks: in the order in which a server needs them
    """

    can_serve: bool
    checks: tuple[CheckJson, ...]
    schema: Literal["gyakusan/doctor/1"] = "gyakusan/doctor/1"
    catalogue: str = field(default_factory=catalogue_date)


def doctor(checks: Sequence[Check]) -> DoctorJson:
    """Return the document of a checkup."""
    rows = tuple(
        CheckJson(about=_words(c.about), state=c.state, told=_words(c.told), mend=_words(c.mend) if c.mend else None)
        for c in checks
    )
    return DoctorJson(can_serve=can_serve(tuple(checks)), checks=rows)


def _words(told: Message | str) -> Message:
    return told if isinstance(told, Message) else Message("{name}", {"name": told})
