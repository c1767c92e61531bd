"""What a bench of a planned endpoint says of this computer's device: rows to learn from, and why some are refused."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import structs

from gyakusan import machines
from gyakusan.catalog import cpu
from gyakusan.core.machine import Device, Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.learning import judge, known, store
from gyakusan.learning.rows import Origin, Quantity, Row
from gyakusan.load_testing.conditions import Conditions
from gyakusan.load_testing.result import BenchResult, Figure, StepResult
from gyakusan.load_testing.said_and_seen import FEW_REQUESTS, speed_of
from gyakusan.message import Message, say
from gyakusan.planning.predict.assessment import host_weights
from gyakusan.planning.predict.lineage import lineage_name
from gyakusan.planning.predict.speed import SpeedEstimate
from gyakusan.planning.predict.speed_inputs import chip_of, host_bandwidth, situation_of

SHORTEST = 0.8
"""Share of the wanted answer below which a step says nothing of the speed that was predicted for it."""
BANDWIDTH_FACTOR = 4.0
"""Half of the range of RAM: one channel of DDR4 to twelve of DDR5."""
GPU_FACTOR = 1.6
"""Of a row of a GPU, whose own interval needs its model: that of new devices."""
LOGS_HALF = 1.96
"""Half of a 95 % interval in standard deviations."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A measurement that is not learned from.

    row: as it was measured
    why: the reason
    """

    row: Row
    why: Message


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was taken from some measurements.

    kept: rows that count from now on
    refused: the others
    """

    kept: tuple[Row, ...] = ()
    refused: tuple[Refused, ...] = ()

    @property
    def reasons(self) -> tuple[Message, ...]:
        """Return why measurements were refused, each reason once."""
        return tuple({str(r.why): r.why for r in self.refused}.values())


NOTHING = Learnt()


def on_this_computer(deployment: Deployment) -> bool:
    """Return True if the chip that was planned for is one of this computer."""
    planned, here = _computing(deployment), machines.this_computer()
    if not planned.gpus:
        same = planned.processor == here.processor and planned.cores == here.cores
        own = None if here.host is None else here.host.bandwidth
        return same and (own is None or host_bandwidth(planned) == own)  # its speed is not measured with another RAM's
    chip = chip_of(planned)
    return chip is not None and chip.name in {c.name for g in here.gpus if (c := chip_of(_alone(here, g))) is not None}


def rows_of(deployment: Deployment, result: BenchResult, seen: Conditions, origin: Origin) -> tuple[Row, ...]:
    """Return what the closed loops of a bench say of the device, each figure beside what is built in."""
    return tuple(row for step in result.steps for row in _of_step(deployment, step, seen, origin, result.started[:10]))


def learn(rows: Sequence[Row], *, again: bool = True) -> Learnt:
    """Keep rows that are no outliers, all in one transaction or none. Raises SourceError, and keeps nothing then.

    again: False leaves out those that are kept already
    """
    found = NOTHING

    def choose(before: tuple[Row, ...]) -> tuple[Row, ...]:
        nonlocal found
        have = () if again else {structs.replace(r, origin="import") for r in before}
        new = _judged([r for r in rows if r not in have], known.counting(before, known.today(), known.rules()))
        found = Learnt(new.kept, (*(Refused(r, say("it is kept already")) for r in rows if r in have), *new.refused))
        return found.kept

    store.change(choose)
    return found


def _judged(rows: Sequence[Row], current: Sequence[Row]) -> Learnt:
    """Return which rows are no outliers. current: those that count until now."""
    kept: list[Row] = []
    refused: list[Refused] = []
    same: dict[tuple[str, str, str, int], list[Row]] = defaultdict(list)
    for row in current:
        same[_figure(row)].append(row)
    for row in rows:
        why = judge.refusal(row, factor_of(row), same[_figure(row)])
        if why is None:
            kept.append(row)
            same[_figure(row)].append(row)
        else:
            refused.append(Refused(row, why))
    return Learnt(tuple(kept), tuple(refused))


def narrower(deployment: Deployment, result: BenchResult) -> float | None:
    """Return by which share the interval of the answers' speed is narrower than the built-in one, None where not known."""
    step = next((s for s in result.steps if s.step.users), None)
    now, built_in = (None if step is None else speed_of(deployment, step, learned=learned) for learned in (True, False))
    if now is None or built_in is None:
        return None
    widths = [math.log(s.decode_each.high / s.decode_each.low) for s in (now, built_in)]
    return 1 - widths[0] / widths[1]


def factor_of(row: Row) -> float:
    """Return the factor of the built-in 80 % interval of a row's figure, as far as the row tells."""
    if row.quantity == "bandwidth":
        return BANDWIDTH_FACTOR
    return cpu.SPREAD[row.quantity] if row.cores else GPU_FACTOR


def _figure(row: Row) -> tuple[str, str, str, int]:
    """Return what rows of the same figure of the same device and engine have in common."""
    return row.quantity, row.device, row.engine, row.cores


def _of_step(deployment: Deployment, step: StepResult, seen: Conditions, origin: Origin, day: str) -> Iterator[Row]:
    users, wanted = step.step.users, step.step.shape.answer
    if not users or users > int(deployment.load.users) or step.requests < FEW_REQUESTS or step.failed:
        return
    if step.counted_share < 1 or (step.completion_tokens or 0) < SHORTEST * wanted:
        return
    if not _of_one_chip(deployment):
        return
    speed = speed_of(deployment, step, learned=False)
    if speed is None:
        return
    yield from _rows(deployment, step, speed, seen, origin, day)


def _of_one_chip(deployment: Deployment) -> bool:
    """Return True if one chip alone does the work: of several, or of a GPU and the RAM, a speed says nothing of each."""
    machine = _computing(deployment)
    compute = deployment.rules.compute_settings(deployment.machine, deployment.settings)
    return len(machine.gpus) <= 1 and not host_weights(deployment.ledger, compute, machine).read


def _rows(
    deployment: Deployment, step: StepResult, speed: SpeedEstimate, seen: Conditions, origin: Origin, day: str
) -> Iterator[Row]:
    plain = _plain(deployment, seen, origin, day)
    cached = (step.prompt_tokens or 0.0) * (step.cached_share or 0.0)
    prompt = max(1.0, (step.prompt_tokens or float(step.step.shape.prompt)) - cached)
    alone = prompt / speed.prefill.value

    def row(quantity: Quantity, said: float, told: Figure, prompts: float = 1.0) -> Row:
        return structs.replace(
            plain,
            quantity=quantity,
            predicted=said,
            measured=told.value,
            users=step.step.users,
            prompt=round(prompt, 1),
            depth=round(cached, 1),
            prompts=round(min(1.0, max(0.0, prompts)), 4),
            scatter=round(_error(told), 4),
            requests=step.requests,
        )

    each = step.typical_each
    if each is not None and each.value > 0:
        yield row("decode", speed.decode_each.value, each)
    if step.prefill is not None and step.step.users == 1 and step.prefill.value > 0:
        yield row("prefill", speed.prefill.value, step.prefill)
    first = None if step.ttft is None else step.ttft.mean or step.ttft.p50
    if first is not None and first.value > 0:
        one_step = 0.0 if step.step.users == 1 else speed.tpot.value
        share = 1.0 if step.step.users == 1 else max(0.0, 1 - one_step / max(speed.ttft.value, alone))
        yield row("ttft", speed.ttft.value, first, share)


def _plain(deployment: Deployment, seen: Conditions, origin: Origin, day: str) -> Row:
    """Return what all rows of a bench have in common."""
    machine = _computing(deployment)
    chip = chip_of(machine)
    assert chip is not None  # else it has no speed
    return Row(
        quantity="decode",
        device=known.device_name(chip.name),
        engine=situation_of(machine, chip, deployment.engine).engine,
        cores=machine.cores if chip.family == cpu.CPU else 0,
        rules=known.rules(),
        predicted=1.0,
        measured=1.0,
        date=day,
        model=lineage_name(deployment.model) or deployment.model.catalogue_name or "",
        quantization=deployment.quantization,
        busy=round(min(1.0, (seen.other_load or 0.0) / max(1, seen.cores)), 3),
        origin=origin,
    )


def _error(told: Figure) -> float:
    """Return the standard error of a figure over the figure, 0 where it is not known."""
    if told.low is None or told.high is None or not told.value:
        return 0.0
    return (told.high - told.low) / (2 * LOGS_HALF * told.value)


def _computing(deployment: Deployment) -> Machine:
    """Return the machine as its speeds are predicted: without GPUs where the CPU computes."""
    machine = deployment.machine
    compute = deployment.rules.compute_settings(machine, deployment.settings)
    return _without_gpus(machine) if compute.on_cpu else machine


def _alone(machine: Machine, gpu: Device) -> Machine:
    return structs.replace(machine, gpus=(gpu,))


def _without_gpus(machine: Machine) -> Machine:
    return structs.replace(machine, gpus=())
