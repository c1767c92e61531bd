"""Measure this computer with a small model, learn from it, and say what changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gyakusan.core.machine import Machine
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import ServerError
from gyakusan.learning import known
from gyakusan.learning.rows import Quantity, Row
from gyakusan.load_testing.conditions import Conditions, OtherPrograms, busy_cores, observed_with
from gyakusan.load_testing.connection import Target
from gyakusan.load_testing.drive import StepRun
from gyakusan.load_testing.endpoint import target_of
from gyakusan.load_testing.learned_rows import NOTHING, Learnt, learn, rows_of
from gyakusan.load_testing.ram_bandwidth import ram_bandwidth
from gyakusan.load_testing.result import BenchResult, StepResult
from gyakusan.load_testing.rounds import run_in_turn
from gyakusan.load_testing.said_and_seen import speed_of
from gyakusan.load_testing.session import BenchRequest
from gyakusan.load_testing.workload import Limits, Shape, Step
from gyakusan.planning.predict.speed import Estimate, SpeedEstimate
from gyakusan.serving.server import Server, ServerOptions

MODEL = "smollm2"
USERS, CONTEXT = 8, 2048
"""Of the server that is measured."""
FULL = (
    Step(Shape(128, 64), users=1),
    Step(Shape(768, 32), users=1),
    Step(Shape(128, 48), users=USERS),
    Step(Shape(256, 32), users=USERS),
)
QUICK = (Step(Shape(128, 48), users=1), Step(Shape(128, 32), users=USERS))
"""One person, and as many as there are slots: of fewer than all slots nobody knows how many are computed together
(core.roofline.expected_batches)."""
FULL_SECONDS, QUICK_SECONDS = 28.0, 9.0
"""How long each load is measured, in all rounds together. [s]"""
ROUNDS = 3
"""Times that the loads are measured in turn."""
RAM_SECONDS = 3.0
ENDING = 1.0
"""How long a server whose port is closed may take to be seen as ended. [s]"""
ASSUMED_RAM = 40e9
"""Bandwidth of RAM that nobody named, where it is compared: two channels of DDR4-2666, of which much is reached. [B/s]"""


@dataclass(frozen=True, slots=True)
class CalibratedFigure:
    """One figure, before and after.

    quantity: decode, prefill, ttft or bandwidth
    users: people of the load, 0 for a bandwidth
    prompt: length of the prompts, 0 for a bandwidth [tokens]
    unit: tokens/s, s or B/s
    predicted: before, with its 80 % interval
    measured: what was seen
    now: what is predicted from now on, with its 80 % interval
    """

    quantity: Quantity
    users: int
    prompt: int
    unit: str
    predicted: Estimate
    measured: float
    now: Estimate

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured / self.predicted.value


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a calibration found.

    machine: that was measured
    model: with which
    seconds: how long it took [s]
    busy: cores that other programs kept busy, before or meanwhile, the more of both; None where the system does not tell
    figures: before and after
    learnt: what is kept and what is refused
    beside: what was measured in turn with it, and not learned from; None where nothing was
    interrupted: True if somebody ended it: nothing is kept
    """

    machine: Machine
    model: str
    seconds: float
    busy: float | None
    figures: tuple[CalibratedFigure, ...] = ()
    learnt: Learnt = NOTHING
    beside: BenchResult | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Onlooker:
    """Who is told how it gets on.

    on_stage: called with what begins: "ram", "server", "load"
    on_progress: called after each request, with the client's clock [s]
    on_server: called with what the server does while it starts
    """

    on_stage: Callable[[str], None] = lambda stage: None
    on_progress: Callable[[StepRun, float], None] = lambda run, now: None
    on_server: Callable[..., None] | None = None


def calibrate(
    plan: Callable[[str | None], Deployment],
    *,
    quick: bool = False,
    onlooker: Onlooker = Onlooker(),
    target: Target | None = None,
    beside: Sequence[Step] = (),
) -> Calibration:
    """Measure this computer and learn from it. Raises GyakusanError; whatever is raised, nothing runs on and nothing is kept.

    plan: returns the small model on this computer, for a bandwidth of its RAM such as "23.4GB/s" if that is not known
    target: a server of what is planned that runs already, None to start one
    beside: other loads, measured in turn with those that are learned from
    """
    begun = time.monotonic()
    onlooker.on_stage("ram")
    busy = busy_cores()
    first = plan(None)
    machine = first.machine
    others = OtherPrograms()
    speed = ram_bandwidth(machine.cores or os.cpu_count() or 1, RAM_SECONDS)
    busy = max((b for b in (busy, others.cores) if b is not None), default=None)
    copying = Conditions(busy, os.cpu_count() or 1)
    known_before = machine.host.bandwidth if machine.host is not None else None
    asked = first if machine.gpus or known_before else plan(f"{speed / 1e9:.2f}GB/s")
    loads = (*(QUICK if quick else FULL), *beside)
    limits = Limits(QUICK_SECONDS if quick else FULL_SECONDS)
    measured = partial(_measured, asked) if target is None else partial(_loaded, target)
    whole, meanwhile = measured(loads, limits, onlooker)
    result, other = _split(whole, beside)
    busy = max((b for b in (busy, meanwhile) if b is not None), default=None)
    took = time.monotonic() - begun
    found = Calibration(machine, asked.model.name, took, busy, beside=other, interrupted=whole.interrupted)
    if whole.interrupted:
        return found
    ram = _ram_row(machine, known_before or ASSUMED_RAM, speed, copying)
    return _learned(found, asked, result, ram)


def _learned(found: Calibration, asked: Deployment, result: BenchResult, ram: Row) -> Calibration:
    """Learn from what was measured, and return it with the figures before and after."""
    before = _said(asked, result)
    learnt = learn([ram, *rows_of(asked, result, Conditions(found.busy, os.cpu_count() or 1), "calibrate")])
    after = _said(asked, result)
    figures = (_ram_figure(ram, known.bandwidth(ram.device) or ram.predicted), *_figures(result, before, after))
    return replace(found, figures=figures, learnt=learnt)


def _measured(
    asked: Deployment, loads: Sequence[Step], limits: Limits, onlooker: Onlooker
) -> tuple[BenchResult, float | None]:
    onlooker.on_stage("server")
    with Server.of(asked, ServerOptions(on_progress=onlooker.on_server)) as server:
        try:
            found = _loaded(target_of(server.url, server.key), loads, limits, onlooker)
        except ServerError:
            _check_running(server)
            raise
        if not found[0].interrupted:
            server.check()
        return found


def _check_running(server: Server[Any, Any]) -> None:
    """Raise ServerError with how our own server ended, if it did: its port says only that nobody listens."""
    until = time.monotonic() + ENDING
    while server.alive and time.monotonic() < until:
        time.sleep(0.05)
    server.check()


def _loaded(
    target: Target, loads: Sequence[Step], limits: Limits, onlooker: Onlooker
) -> tuple[BenchResult, float | None]:
    """Return what was measured, and the cores that others kept busy meanwhile."""
    onlooker.on_stage("load")
    state = observed_with(target.port)
    bench = BenchRequest(target, tuple(loads), limits, seed=time.monotonic_ns() % 2**31)
    result = run_in_turn(bench, ROUNDS, onlooker.on_progress)
    return result, state().other_load


def _split(whole: BenchResult, beside: Sequence[Step]) -> tuple[BenchResult, BenchResult | None]:
    """Return what is learned from, and what was only measured in turn with it. No load is both."""
    learned = tuple(s for s in whole.steps if s.step not in beside)
    other = tuple(s for s in whole.steps if s.step in beside)
    return replace(whole, steps=learned), replace(whole, steps=other) if beside else None


def _said(asked: Deployment, result: BenchResult) -> list[SpeedEstimate | None]:
    return [speed_of(asked, step) if step.requests else None for step in result.steps]


def _figures(
    result: BenchResult, before: list[SpeedEstimate | None], after: list[SpeedEstimate | None]
) -> tuple[CalibratedFigure, ...]:
    found: list[CalibratedFigure] = []
    for step, said, now in zip(result.steps, before, after, strict=True):
        if said is not None and now is not None:
            found += _of_step(step, said, now)
    order: tuple[Quantity, ...] = ("decode", "prefill", "ttft")
    return tuple(sorted(found, key=lambda f: (order.index(f.quantity), f.users, f.prompt)))


def _of_step(step: StepResult, said: SpeedEstimate, now: SpeedEstimate) -> list[CalibratedFigure]:
    users, prompt = step.step.users, step.step.shape.prompt
    found = []
    if (each := step.typical_each) is not None:
        found.append(("decode", "tokens/s", said.decode_each, each.value, now.decode_each))
    if step.prefill is not None and users == 1:
        found.append(("prefill", "tokens/s", said.prefill, step.prefill.value, now.prefill))
    first = None if step.ttft is None else step.ttft.mean or step.ttft.p50
    if first is not None:
        found.append(("ttft", "s", said.ttft, first.value, now.ttft))
    return [CalibratedFigure(q, users, prompt, unit, *three) for q, unit, *three in found]  # type: ignore[arg-type]


def _ram_row(machine: Machine, assumed: float, measured: float, seen: Conditions) -> Row:
    name = machine.processor or (machine.host.name if machine.host is not None else "CPU")
    return Row(
        quantity="bandwidth",
        device=known.device_name(name),
        engine="",
        cores=machine.cores,
        rules=known.rules(),
        predicted=assumed,
        measured=measured,
        date=datetime.now(UTC).date().isoformat(),
        busy=round(min(1.0, (seen.other_load or 0.0) / max(1, seen.cores)), 3),
        origin="calibrate",
    )


def _ram_figure(row: Row, value: float) -> CalibratedFigure:
    def exactly(value: float, spread: float, basis: str) -> Estimate:
        return Estimate(value, value / spread, value * spread, basis, "ram", None)  # type: ignore[arg-type]

    before = exactly(row.predicted, 2.0, "assumed")
    now = before if value == row.predicted else exactly(value, 1.0, "measured_here")
    return CalibratedFigure("bandwidth", 0, 0, "B/s", before, row.measured, now)
