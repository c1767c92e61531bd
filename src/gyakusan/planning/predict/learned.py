"""What measurements of this computer change in a prediction: multipliers of times, and narrower intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from gyakusan.catalog import cpu
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.speed_constants import Labels, Situation
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


def learned_speed(chip: Chip, situation: Situation, users: int, threads: int, *, use: bool = True) -> LearnedSpeed:
    """Return what is learned for a chip under an engine, and the intervals that remain.

    threads: of a CPU that computes; use: False for what is built in
    """
    built_in = {kind: uncertainty(kind, chip, situation, 1 if kind == "prefill" else users) for kind in KINDS}
    cores = threads if chip.family == cpu.CPU else 0
    found = known.find(chip.name, situation.engine, cores) if use else known.NOTHING
    if not (found.decode or found.prefill or found.ttft):
        return LearnedSpeed(Corrections(), built_in)
    same = _is_model(situation.model)
    decode, slow = rule.corrected(built_in["decode"], [rule.seen_from(c, users) for c in found.decode], same)
    prefill, late = rule.corrected(built_in["prefill"], found.prefill, same)
    first = [rule.seen_from(c, users) for c in found.ttft] if found.prefill else []
    first_factor = rule.corrected(built_in["ttft"], first, same)[1]
    wide = maximum(
        rule.narrowed(built_in["throughput"], built_in["decode"], slow),
        rule.narrowed(built_in["throughput"], built_in["prefill"], late),
    )
    factors = {"decode": slow, "prefill": late, "ttft": first_factor, "throughput": wide}
    own: frozenset[str] = found.own | ({"throughput"} if found.own & {"decode", "prefill"} else frozenset())
    return LearnedSpeed(Corrections(decode, prefill, found.delay), factors, own, found.rows, found.date)


def _is_model(asked: str | Labels) -> Callable[[str], Number]:
    """Return what tells whether a measured model is the one that is asked about: 1 or 0, for each row of many."""
    if isinstance(asked, str):
        return lambda name: float(bool(name) and name == asked)

    def of_rows(name: str) -> Number:
        import numpy as np

        return np.asarray([float(bool(name) and n == name) for n in asked.names])[asked.index]

    return of_rows
