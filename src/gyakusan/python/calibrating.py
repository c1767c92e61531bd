"""Python's `calibrate`: measure this computer, learn from it, forget it, and share what was measured."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gyakusan.errors import BadSetting, SourceError
from gyakusan.message import say
from gyakusan.python.answer import Answer

if TYPE_CHECKING:
    from gyakusan.documents.calibrate import CalibrateJson, MeasurementsJson
    from gyakusan.engines.deployment import Deployment
    from gyakusan.load_testing.calibration import Calibration, Onlooker
    from gyakusan.load_testing.learned_rows import Learnt


@dataclass(frozen=True, slots=True, repr=False)
class Calibrated(Answer):
    """What `gyakusan calibrate` answers.

    found: figures before and after, and what is kept
    """

    found: Calibration

    def document(self) -> CalibrateJson:
        """Return the document of `gyakusan calibrate --json`."""
        from gyakusan.documents.calibrate import calibration

        return calibration(self.found)

    def summary(self) -> Iterator[str]:
        """Yield one line for each figure."""
        yield f"{self.found.machine.name}: {len(self.found.learnt.kept)} measurements"
        for f in self.found.figures:
            yield f"  {f.quantity}, {f.users} users: {f.predicted.value:.3g} -> {f.measured:.3g} {f.unit}"


@dataclass(frozen=True, slots=True, repr=False)
class Measurements(Answer):
    """What was exported, imported or forgotten.

    action: exported, imported or forgotten
    count: rows
    learnt: what an import kept and refused, None for the others
    ram: rows of the RAM among those that were forgotten
    """

    action: str
    count: int
    learnt: Learnt | None = None
    ram: int = 0

    def document(self) -> MeasurementsJson:
        """Return the document of `gyakusan calibrate import --json` and its likes."""
        from gyakusan.documents.calibrate import measurements

        return measurements(self.action, self.count, self.learnt)

    def summary(self) -> Iterator[str]:
        """Yield how many rows."""
        yield f"{self.count} measurements {self.action}"


def calibrate(*, quick: bool = False, forget: bool = False) -> Calibrated | Measurements:
    """Measure this computer with SmolLM2 for three minutes, and learn from it. Raises GyakusanError.

    quick: True for 40 seconds; forget: True forgets all measurements instead
    """
    return forgotten() if forget else calibrated(quick=quick)


def calibrate_export(file: str | Path) -> Measurements:
    """Write the measurements of this computer to a file without names of people, computers or paths. Raises SourceError."""
    from gyakusan.catalog.places import write_named
    from gyakusan.learning import rows, store

    own = [r for r in store.read() if r.origin != "import"]
    if not own:
        raise BadSetting("Nothing was measured on this computer yet.", mend="Measure first: gyakusan calibrate")
    write_named(Path(file), rows.written(own))
    return Measurements("exported", len(own))


def calibrate_import(file: str | Path) -> Measurements:
    """Learn from a file of measurements of another computer, which together count a quarter of the own ones.

    Raises BadRecord, BadReference, SourceError.
    """
    from msgspec import structs

    from gyakusan.doors.files import whole
    from gyakusan.learning import known, rows
    from gyakusan.load_testing.learned_rows import Learnt, Refused, learn

    _check_on()
    data = whole(file, rows.LARGEST_FILE)
    told = [structs.replace(r, origin="import") for r in rows.parsed(data, str(file))]
    ram = [Refused(r, say("it is of the RAM of another computer")) for r in told if r.quantity == "bandwidth"]
    others = [r for r in dict.fromkeys(told) if r.quantity != "bandwidth"]
    learnt = learn([r for r in others if known.stale(r) is None], again=False)
    stale = [Refused(r, why) for r in others if (why := known.stale(r)) is not None]
    return Measurements("imported", len(learnt.kept), Learnt(learnt.kept, (*ram, *stale, *learnt.refused)))


def calibrated(*, quick: bool, onlooker: Onlooker | None = None) -> Calibrated:
    """Measure and learn. Raises GyakusanError."""
    from gyakusan.load_testing.calibration import Onlooker, calibrate

    _check_on()
    return Calibrated(calibrate(_small_model, quick=quick, onlooker=onlooker or Onlooker()))


def _check_on() -> None:
    """Raise BadSetting where learning is switched off."""
    from gyakusan.learning import known

    if not known.is_on():
        raise BadSetting(
            "Learning is switched off: {name}=off.", name=known.SWITCH, mend="Unset the variable {name} to calibrate."
        )


def forgotten() -> Measurements:
    """Forget all measurements. Raises SourceError."""
    from gyakusan.learning import store

    ram = 0
    with contextlib.suppress(SourceError):  # what cannot be read is forgotten all the same
        ram = sum(r.quantity == "bandwidth" for r in store.read())
    return Measurements("forgotten", store.forget(), ram=ram)


def _small_model(bandwidth: str | None) -> Deployment:
    """Return SmolLM2 on this computer: on its GPU where a llama-server is installed, else on its CPU."""
    from gyakusan import api
    from gyakusan.core.load import Load
    from gyakusan.load_testing.calibration import CONTEXT, MODEL, USERS

    load = Load(USERS, CONTEXT)
    asked = api.deployment(MODEL, load=load, bandwidth=bandwidth)
    if asked.machine.gpus and asked.server.find_program("auto") == "embedded":
        return api.deployment(MODEL, load=load, device="cpu", bandwidth=bandwidth)
    return asked
