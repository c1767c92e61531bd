"""The JSON of `gyakusan calibrate`."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from gyakusan.documents.common import FigureJson, catalogue_date, figure
from gyakusan.load_testing.calibration import CalibratedFigure, Calibration
from gyakusan.load_testing.learned_rows import Learnt
from gyakusan.message import Message


class CalibratedFigureJson(Struct, frozen=True):
    """One figure, before and after.

    quantity: decode, prefill, ttft or bandwidth
    users: people of the load, 0 for a bandwidth
    prompt: length of the prompts, 0 for a bandwidth [tokens]
    unit: tokens/s, s or B/s
    predicted: before
    measured: what was seen
    factor: measured over predicted
    now: what is predicted from now on
    """

    quantity: str
    users: int
    prompt: int
    unit: str
    predicted: FigureJson
    measured: float
    factor: float
    now: FigureJson


class RefusedJson(Struct, frozen=True):
    """A measurement that is not learned from.

    quantity: decode, prefill, ttft or bandwidth
    users: people of the load
    measured: what was seen
    why: the reason
    """

    quantity: str
    users: int
    measured: float
    why: Message


class CalibrateJson(Struct, frozen=True, kw_only=True):
    """A calibration: `gyakusan calibrate`.

    schema: name and version of this form
    catalogue: date of the catalogue
    machine: that was measured
    model: with which
    seconds: how long it took [s]
    busy: cores that other programs kept busy, before or meanwhile, the more of both; null where the system does not tell
    interrupted: true if it was ended early: nothing is kept
    measurements: that are kept
    figures: before and after
    refused: measurements that are not learned from
    """

    machine: str
    model: str
    seconds: float
    busy: float | None
    interrupted: bool
    measurements: int
    figures: tuple[CalibratedFigureJson, ...]
    refused: tuple[RefusedJson, ...]
    schema: Literal["gyakusan/calibrate/1"] = "gyakusan/calibrate/1"
    catalogue: str = field(default_factory=catalogue_date)


class MeasurementsJson(Struct, frozen=True, kw_only=True):
    """Measurements: `gyakusan calibrate --forget`, `gyakusan calibrate export`, `gyakusan calibrate import`.

    schema: name and version of this form
    catalogue: date of the catalogue
    action: exported, imported or forgotten
    measurements: how many
    refused: measurements that are not learned from
    """

    action: str
    measurements: int
    refused: tuple[RefusedJson, ...]
    schema: Literal["gyakusan/calibrate-measurements/1"] = "gyakusan/calibrate-measurements/1"
    catalogue: str = field(default_factory=catalogue_date)


def calibration(found: Calibration) -> CalibrateJson:
    """Return a calibration."""
    return CalibrateJson(
        machine=found.machine.name,
        model=found.model,
        seconds=found.seconds,
        busy=found.busy,
        interrupted=found.interrupted,
        measurements=len(found.learnt.kept),
        figures=tuple(_figure(f) for f in found.figures),
        refused=_refused(found.learnt),
    )


def measurements(action: str, count: int, learnt: Learnt | None) -> MeasurementsJson:
    """Return what was exported, imported or forgotten."""
    return MeasurementsJson(action=action, measurements=count, refused=() if learnt is None else _refused(learnt))


def _figure(value: CalibratedFigure) -> CalibratedFigureJson:
    return CalibratedFigureJson(
        quantity=value.quantity,
        users=value.users,
        prompt=value.prompt,
        unit=value.unit,
        predicted=figure(value.predicted),
        measured=value.measured,
        factor=value.ratio,
        now=figure(value.now),
    )


def _refused(learnt: Learnt) -> tuple[RefusedJson, ...]:
    return tuple(RefusedJson(r.row.quantity, r.row.users, r.row.measured, r.why) for r in learnt.refused)
