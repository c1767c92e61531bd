"""Speculative decoding: how many tokens a step yields where drafts are checked, and how much longer the step takes.

A step of `drafts` drafted tokens checks drafts + 1 rows for each conversation at once. The laws follow speed_many.csv.gz
(182 runs of Qwen3.8-27B with its own prediction block on 50 cards, sudoingX, Apache-2.0; four Radeon Pro Vega II, exabit,
MIT; GB10, autohomelab): Leviathan et al. 2023, "Fast inference from transformers via speculative decoding", gives the form.
Every number may be an array; shapes broadcast.
"""

from __future__ import annotations

from msgspec import Struct

from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum, where

CHANCE = 0.79
"""Chance that the next drafted token is accepted where the ones before were, mixed prompts (prose 0.71, code 0.93)."""
FIRST = 0.88
"""Share of the first drafted tokens that are accepted."""
CROWDED = 0.004
"""What each drafted token of each further conversation takes off the gain under vLLM (25 points, median error 7 %)."""


class CheckCost(Struct, frozen=True):
    """What a step with drafts takes for one conversation, in steps without.

    fixed: of the step, the drafting block's own included
    each: of each drafted token
    """

    fixed: Number = 1.05
    each: Number = 0.165


COSTS = {
    "apple": CheckCost(1.5, 0.59),
    "gcn": CheckCost(1.05, 0.34),
    "volta": CheckCost(1.05, 0.34),
    "pascal": CheckCost(1.05, 0.34),
    "maxwell": CheckCost(1.05, 0.34),
    "rdna3.5": CheckCost(1.0, 0.12),
}
"""Start of a chip's family -> its cost; others as Ampere and later (49 runs: median error 5 %). Chips without matrix units
compute every row that they check; on Apple's the kernels for few rows gain nothing."""


def check_cost(family: str) -> CheckCost:
    """Return what checking takes on a family of chips."""
    return next((cost for start, cost in COSTS.items() if family.startswith(start)), CheckCost())


def tokens_of_a_step(drafts: Number, accepted: Number | None = None) -> Number:
    """Return the tokens that a step yields for each conversation [tokens].

    drafts: tokens drafted for a step [tokens]; accepted: share of them that is accepted, None = as with mixed prompts
    """
    if accepted is not None:
        return 1 + drafts * accepted
    return 1 + FIRST * (1 - CHANCE**drafts) / (1 - CHANCE)


def checked_step(drafts: Number, cost: CheckCost, alone: Number, experts: Number) -> Number:
    """Return the time of a step with drafts over one without, of one conversation.

    alone: the same as the rows alone would have it; experts: of one layer. Rows of models with routed experts read more
    of them, which the costs, measured on a dense model, don't hold.
    """
    usual = cost.fixed + cost.each * drafts
    return where(experts > 1, maximum(usual, alone), usual)


def gain(drafts: Number, one: Number, alone: Number, more: Number, accepted: Number | None = None) -> Number:
    """Return how many times as fast answers come with drafts as without; below 1 where drafting does not pay.

    one: `checked_step`; alone: time of a step of drafts + 1 rows over one of one row, of one conversation; more: time of a
    step of users x (drafts + 1) rows over one of `users` rows. What others' rows take beyond one's own is added.
    """
    return tokens_of_a_step(drafts, accepted) / (one + maximum(more - alone, 0.0))


def crowded_gain(drafts: Number, one: Number, users: Number, accepted: Number | None = None) -> Number:
    """Return the same for vLLM, whose kernels know no step from few rows to many: the gain of one user, less with others."""
    return tokens_of_a_step(drafts, accepted) / one / (1 + CROWDED * drafts * (users - 1))
