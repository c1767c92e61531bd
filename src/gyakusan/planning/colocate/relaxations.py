"""Relaxations of models that do not fit together: which of them lacks memory, by how much, and the least change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import structs

from gyakusan.message import Message, people, say
from gyakusan.planning.candidates.hardware import HardwareOption
from gyakusan.planning.candidates.model_table import ModelTable
from gyakusan.planning.colocate.model_options import (
    MEMORY_STEP,
    ModelSlot,
    combinations,
    inherited,
    shared_memory,
    slot_groups,
)
from gyakusan.planning.request.request import PlanRequest
from gyakusan.planning.select.relaxations import Relaxation, Works, largest_working, with_context
from gyakusan.units import format_bytes

MIN_CONTEXT = 2048
"""Shorter contexts are not proposed. [tokens]"""


def find_relaxations(
    request: PlanRequest, columns: ModelTable, hardware: Sequence[HardwareOption], slots: Sequence[ModelSlot]
) -> tuple[Relaxation, ...]:
    """Return why the models do not fit on the machine with the most memory, then each single change with which they do."""
    if not hardware:
        return (Relaxation(say("No machine is within the limits.")),)
    at = max(range(len(hardware)), key=lambda i: shared_memory(hardware[i].machine))
    option = hardware[at]

    def works(relaxed: PlanRequest) -> bool:
        room = shared_memory(option.machine) // MEMORY_STEP
        return any(
            combinations([slot.options[0] for slot in slots], room)
            for slots in slot_groups(relaxed, columns, (option,))
        )

    alone = [_alone(slot, option) for slot in slots if not slot.options[at]]
    reasons = alone or [_short(slots, at, option)]
    changes = (*_one_model_less(request, works), *_smaller_models(request, works), *_smaller_cache(request, works))
    nothing = Relaxation(say("Not even the smallest models of the catalogue fit together there."))
    return (*(Relaxation(reason) for reason in reasons), *(changes or (nothing,)))


def called(part: PlanRequest) -> Message:
    """Return the name of a model as people call it."""
    return Message(part.model) if part.model else Message(part.task)


def _alone(slot: ModelSlot, option: HardwareOption) -> Message:
    """Return why a model does not fit the machine even alone."""
    missing = _missing(slot)
    facts = {"part": called(slot.request), "machine": option.machine.name}
    if missing is None:
        return say("{part}: no requested model runs on {machine}, even alone.", **facts)
    return say("{part}: short by {short} on {machine}, even alone.", **facts, short=format_bytes(missing))


def _missing(slot: ModelSlot) -> float | None:
    """Return what the model that comes nearest lacks, None if nothing would run at all [B]."""
    if slot.sweep_result is None:
        return None
    missing = [float(x) for x in slot.sweep_result.missed.short_by if 0 < x < float("inf")]
    return min(missing, default=None)


def _short(slots: Sequence[ModelSlot], at: int, option: HardwareOption) -> Message:
    """Return by how much the smallest options of all models are too large together, though each fits alone."""
    smallest = [min(o.memory for o in slot.options[at]) * MEMORY_STEP for slot in slots]
    largest = max(range(len(slots)), key=lambda i: smallest[i])
    return say(
        (
            "The smallest models together take {total}, and {room} is usable on {machine}: short by "
            "{short}. The largest is {part}."
        ),
        total=format_bytes(sum(smallest)),
        room=format_bytes(shared_memory(option.machine)),
        machine=option.machine.name,
        short=format_bytes(max(0.0, sum(smallest) - shared_memory(option.machine))),
        part=called(slots[largest].request),
    )


def _one_model_less(request: PlanRequest, works: Works) -> Iterator[Relaxation]:
    for number, part in enumerate(request.colocated):
        changes: dict[str, Any] = {"colocated": tuple(p for i, p in enumerate(request.colocated) if i != number)}
        if works(structs.replace(request, **changes)):
            yield Relaxation(say("It fits without {part}.", part=called(part)), changes)


def _smaller_models(request: PlanRequest, works: Works) -> Iterator[Relaxation]:
    """Yield a shorter context and fewer users of each model."""
    every = (request, *(inherited(request, p) for p in request.colocated))
    for number, part in enumerate(every):
        if part.task != "embedding":
            yield from _smaller_model(request, number, part, works)


def _smaller_model(request: PlanRequest, number: int, part: PlanRequest, works: Works) -> Iterator[Relaxation]:
    def with_part(changed: PlanRequest) -> PlanRequest:
        if not number:
            return structs.replace(changed, colocated=request.colocated)
        parts = (changed if i == number - 1 else p for i, p in enumerate(request.colocated))
        return structs.replace(request, colocated=tuple(parts))

    context = largest_working(
        lambda n: works(with_part(with_context(part, n))),
        part.workload.context // 2,
        least=MIN_CONTEXT,
        divisor=4,
    )
    if context:
        sentence = say("It fits with {n} tokens of context for {part}.", n=f"{context:,}", part=called(part))
        yield _part_relaxation(sentence, number, with_part(with_context(part, context)))
    one = with_part(structs.replace(part, users=1))
    if part.users > 1 and works(one):
        yield _part_relaxation(say("It fits with {users} for {part}.", users=people(1), part=called(part)), number, one)


def _part_relaxation(sentence: Message, number: int, relaxed: PlanRequest) -> Relaxation:
    names = ("users", "context", "prompt_tokens", "output_tokens") if not number else ("colocated",)
    return Relaxation(sentence, {name: getattr(relaxed, name) for name in names})


def _smaller_cache(request: PlanRequest, works: Works) -> Iterator[Relaxation]:
    changes: dict[str, Any] = {"kv_types": ("Q8_0",)}
    if "Q8_0" not in request.cache_types and works(structs.replace(request, **changes)):
        yield Relaxation(say("It fits with a q8_0 cache."), changes)
