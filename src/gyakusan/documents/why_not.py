"""The JSON of `gyakusan plan --why-not`."""

from __future__ import annotations

from msgspec import Struct

from gyakusan.message import Message
from gyakusan.planning.select.why_not import WhyNot
from gyakusan.planning.select.why_not_reason import Because, Figure


class WhyNotJson(Struct, frozen=True):
    """Why something is not in the answer.

    name: what was asked about
    kind: model, engine or device
    reasons: sentences, the decisive one first
    because: kind of the decisive reason
    figure: the figure that decides, "" = none
    has: what it has of the figure, null = not known
    wants: the limit, or what the plan has that it is compared with; null = there is none
    rival: number of that plan, 0 = none
    changes: options with which it becomes plan 1, each tried
    """

    name: str
    kind: str
    reasons: tuple[Message, ...]
    because: Because
    figure: Figure
    has: float | None
    wants: float | None
    rival: int
    changes: tuple[str, ...]


def why_not_document(why: WhyNot) -> WhyNotJson:
    """Return why something is not in the answer, as its document says it."""
    reason = why.reason
    return WhyNotJson(
        name=why.name,
        kind=why.kind,
        reasons=why.reasons,
        because=reason.because,
        figure=reason.figure,
        has=reason.has,
        wants=reason.wants,
        rival=reason.rival,
        changes=tuple(options for _, options in why.changes),
    )
