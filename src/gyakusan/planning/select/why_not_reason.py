"""What a reason consists of: which kind of limit or rival decides, the figure with both numbers, and the sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gyakusan.message import Message
from gyakusan.planning.select.plan import Plan

Because = Literal[
    "shown",
    "memory",
    "speed",
    "wait",
    "quality",
    "rate",
    "beaten",
    "tied",
    "behind",
    "evidence",
    "rule",
    "wish",
    "engine",
    "money",
    "used",
    "unsold",
    "power",
    "together",
]
"""Why something is not plan 1.

shown: it is a plan of the answer; memory: it does not fit; speed, wait, quality, rate: a limit, yours or the default;
beaten: a plan is at least as good in all that is shown; tied: equal in quality within the error; behind: better in one
figure and worse in another; evidence: its quality is not known; rule: the catalogue does not propose it; wish: something
else was asked for; engine: no server runs it here; money: its price is beyond the budget; used: it is sold second-hand
only; unsold: nothing of it is sold here, or no price of today is known; power: it takes more than the outlet, the limit or
a case gives; together: each limit alone is kept, all of them are not.
"""
Figure = Literal["", "quality", "answer", "speed", "ttft", "spare", "price", "memory", "rate"]
"""Figures that decide: quality [points], answer without thinking and speed with it [tokens/s], ttft [s], spare and memory
[GiB, B], price [JPY], rate [1/s]."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason.

    because: what kind it is
    sentence: for people
    figure: the figure that decides, "" = none
    has: what this has of it, None = not known
    wants: the limit, or what the plan has that it is compared with; None = there is none
    rival: number of that plan, 0 = none
    """

    because: Because
    sentence: Message
    figure: Figure = ""
    has: float | None = None
    wants: float | None = None
    rival: int = 0


@dataclass(frozen=True, slots=True)
class Explained:
    """Why something is not plan 1.

    reason: the decisive one
    further: sentences after it
    plan: its own best plan, None where it has none
    changes: options with which it becomes plan 1, each tried, with what they mean
    """

    reason: Reason
    further: tuple[Message, ...] = ()
    plan: Plan | None = None
    changes: tuple[tuple[Message, str], ...] = ()
