"""What measurements of this computer change in a prediction: multipliers of times, and narrower intervals."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, structs

from gyakusan.catalog import cpu
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.speed_constants import Situation
from gyakusan.core.arrays import Number
from gyakusan.core.broadcast import maximum
from gyakusan.learning import known, rule
from gyakusan.planning.predict.speed_inputs import Corrections, uncertainty

KINDS = ("decode", "prefill", "ttft", "throughput")


class LearnedSpeed(Struct, frozen=True):
    """Corrections for one chip and engine, and what they rest on.

    corrections: multipliers of speeds
    factors: kind of figure -> factor of its 80 % interval
    own: kinds of figures of which something was measured on this computer
    measurements_here: of this device under this engine, 0 where nothing was measured here
    date: of the newest one, ISO 8601
    """

    corrections: Corrections
    factors: Mapping[str, Number]
    own: frozenset[str] = frozenset()
    measurements_here: int = 0
    date: str = ""


def learned_speed(
    chip: Chip, situation: Situation, users: int, threads: int, prompt: float, *, use: bool = True
) -> LearnedSpeed:
    """Return what is learned for a chip under an engine, and the intervals that remain.

    threads: of a CPU that computes; prompt: its length [tokens]; use: False for what is built in
    """
    built_in = {kind: uncertainty(kind, chip, situation, 1 if kind == "prefill" else users) for kind in KINDS}
    cores = threads if chip.family == cpu.CPU else 0
    found = known.find(chip.name, situation.engine, cores) if use else known.NOTHING
    if not (found.decode or found.prefill or found.ttft):
        return LearnedSpeed(Corrections(), built_in)
    decode, slow = rule.corrected(built_in["decode"], [rule.seen_from(c, users) for c in found.decode])
    prefill, late = rule.corrected(built_in["prefill"], found.prefill)
    parts = [
        structs.replace(
            rule.seen_from(c, users, prompt), shift=c.shift + rule.log(c.prompts / prefill + (1 - c.prompts) / decode)
        )
        for c in found.ttft
    ]
    first, first_factor = rule.corrected(built_in["ttft"], parts)
    wide = maximum(
        rule.narrowed(built_in["throughput"], built_in["decode"], slow),
        rule.narrowed(built_in["throughput"], built_in["prefill"], late),
    )
    factors = {"decode": slow, "prefill": late, "ttft": first_factor, "throughput": wide}
    own: frozenset[str] = found.own | ({"throughput"} if found.own & {"decode", "prefill"} else frozenset())
    return LearnedSpeed(Corrections(decode, prefill, first), factors, own, found.rows, found.date)
