"""What is kept of a machine that is bought: exactly what nothing of the same tier, or of a better one, dominates."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import structs
from tests.planning.small import small

from gyakusan.core.machine import Machine
from gyakusan.machines import parse
from gyakusan.planning.candidates import reasoning_modes
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.evaluate.results import CandidateColumns
from gyakusan.planning.evaluate.sweep import sweep
from gyakusan.planning.request.parse_request import parse_request
from gyakusan.planning.request.request import PlanRequest

CONTEXTS = (4096, 32768)


def offers(device: str) -> tuple[HardwareOption, ...]:
    """One, two and four of a device, with a price."""
    one = parse(device)
    made = (structs.replace(one, name=f"{n}x {one.name}", gpus=one.gpus * n) for n in (1, 2, 4))
    return tuple(HardwareOption(m, len(m.gpus), 100_000.0 * len(m.gpus), (), None) for m in made)


def cells(question: PlanRequest, found: tuple[HardwareOption, ...], *, reduce: bool) -> CandidateColumns:
    every = np.arange(len(small().models))
    return sweep(question, small(), found, every, reduce=reduce, contexts=CONTEXTS).cells


def points(found: CandidateColumns) -> list[tuple[int, int, int, float, float, float]]:
    speed = np.nan_to_num(found.expected_visible_tokens_per_s)
    columns = (found.offer, found.context, found.tier, found.quality_lower, speed, found.quality)
    return sorted(zip(*(c.tolist() for c in columns), strict=True))


@pytest.mark.parametrize("device", ["RTX 3060 12GB", "RTX 4090", "RX 7900 XTX", "M4 Max 128GB"])
@pytest.mark.parametrize("floors", [{}, {"speed": "15", "first": "4", "quality": "35"}])
def test_brute_force_agrees(device: str, floors: dict[str, str]) -> None:
    asked, found = parse_request({"budget": "9000000JPY", "users": "3", **floors}), offers(device)
    whole = points(cells(asked, found, reduce=False))
    kept = points(cells(asked, found, reduce=True))
    assert whole
    assert set(kept) <= set(whole)
    rivals = [p for p in whole if not any(_beats(q, p) for q in whole)]
    assert {p[:5] for p in rivals} <= {p[:5] for p in kept}
    # The highest quality that is shown stays, however wide its error.
    best = {c: max(p[5] for p in whole if p[:3] == c) for c in {p[:3] for p in whole}}
    assert {c: max(p[5] for p in kept if p[:3] == c) for c in best} == best
    # Across engines a coarser tier is compared with itself only, so a little more than needed may be kept.
    others = [p for p in kept if p[5] < best[p[:3]]]
    assert not any(_beats(q, p) for p in others for q in kept if q[2] == p[2])


def _beats(a: tuple[int, int, int, float, float, float], b: tuple[int, int, int, float, float, float]) -> bool:
    same = a[:2] == b[:2] and a[2] <= b[2]
    return same and a[3] >= b[3] and a[4] >= b[4] and a[3:5] != b[3:5]


def test_floors_hold_for_everything_that_is_kept() -> None:
    asked = parse_request({"budget": "9000000JPY", "users": "3", "speed": "20", "first": "3", "quality": "40"})
    found = cells(asked, offers("RTX 3060 12GB"), reduce=True)
    assert len(found)
    assert (found.tokens_per_s_low >= 20).all()
    assert (found.ttft_high <= 3).all()
    assert (found.quality >= 40).all()
    assert (found.total <= found.usable).all()


def test_a_machine_of_unknown_size_holds_everything_but_what_is_refused() -> None:
    machine = parse("RTX 4090")
    unknown = Machine("?", (structs.replace(machine.gpus[0], memory=None),), machine.host)
    found = cells(PlanRequest(budget=None, model="x"), (HardwareOption(unknown, 1, None, (), None),), reduce=False)
    assert len(found)
    assert np.isfinite(found.total).all()


def test_a_tier_says_what_a_row_rests_on() -> None:
    known = small()
    table, found = known.of_engine("llama.cpp"), reasoning_modes.mode_table(known, 0, "chat")
    ordered = found.ordered(table)
    assert (np.diff(ordered.tier) >= 0).all()
    for tier in range(reasoning_modes.EVIDENCE_TIERS):
        sure = (ordered.quality - ordered.error)[ordered.tier == tier]
        assert (np.diff(sure) <= 0).all()
    coarse = [table.name[r].startswith(("Q2", "Q3")) for r in ordered.row[ordered.tier == 0]]
    assert coarse
    assert not any(coarse)
