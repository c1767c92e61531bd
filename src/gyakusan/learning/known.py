"""What is learned of one device under one engine, for predictions: nothing where it is switched off."""

from __future__ import annotations

import math
import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from functools import lru_cache

from msgspec import Struct

from gyakusan.catalog import cpu, speed_constants
from gyakusan.doors.notices import notice
from gyakusan.doors.scope import sees_computer
from gyakusan.errors import SourceError
from gyakusan.learning import rule, store
from gyakusan.learning.rows import Quantity, Row
from gyakusan.learning.rule import Cell, Delay
from gyakusan.message import Message, say

SWITCH = "GYAKUSAN_LEARNED"
"""Variable whose value "off" leaves out whatever was learned."""
FORMULAS = 2
"""Raised whenever the formulas of a step's or a prompt's time change, as the constants alone do not tell."""
KEPT_DAYS = 90
"""A measurement counts so long: drivers, servers and computers change. Assumed."""
TRUST_IN_OTHERS = 0.25
"""Weight of what was imported, against what was measured here: of each setting, and of all settings together. Assumed:
another computer has other RAM and cooling."""


class Known(Struct, frozen=True):
    """What is learned of a device under an engine.

    decode: cells of the speed of answers
    prefill: cells of the speed of prompts
    ttft: cells of the time to the first token
    delay: of a first token, besides prompts and steps [s]
    own: figures of which something was measured on this computer
    rows: measurements of this computer that are in them
    date: of the newest one, ISO 8601, "" without any
    """

    decode: tuple[Cell, ...] = ()
    prefill: tuple[Cell, ...] = ()
    ttft: tuple[Cell, ...] = ()
    delay: float = 0.0
    own: frozenset[Quantity] = frozenset()
    rows: int = 0
    date: str = ""


NOTHING = Known()


def today() -> date:
    """Return the day, by which measurements age."""
    return date.today()


def is_on() -> bool:
    """Return False where the user switched learning off, or this computer is not to be looked at."""
    return sees_computer() and os.environ.get(SWITCH, "").strip().casefold() not in ("off", "0", "no", "false")


def device_name(name: str) -> str:
    """Return a chip's name as rows have it: "w/" is no path."""
    return " ".join(name.replace("/", " ").replace("\\", " ").split())[:120]


def find(device: str, engine: str, cores: int) -> Known:
    """Return what is learned of a device under an engine. cores: of a CPU that computes, 0 for a GPU."""
    name = device_name(device)
    return _known(tuple(r for r in current() if (r.device, r.engine, r.cores) == (name, engine, cores)))


def bandwidth(device: str) -> float | None:
    """Return the bandwidth of a computer's RAM, None where it was not measured [B/s].

    The highest that was measured counts: other programs only lower it.
    """
    name = device_name(device)
    own = (r for r in current() if r.quantity == "bandwidth" and r.device == name and r.origin != "import")
    return max((r.measured for r in own), default=None)


def current() -> tuple[Row, ...]:
    """Return the rows that count today. A file that cannot be read is said once, and nothing is learned."""
    stamp = store.stamp() if is_on() else None
    return () if stamp is None else _rows(stamp, today(), rules())


def stale(row: Row) -> Message | None:
    """Return why a row would not count today, None if it would."""
    if row.date > (today() + timedelta(days=1)).isoformat():  # rows have the day of UTC
        return say("its day is still to come")
    if row.date < _oldest(today()):
        return say("it is older than {days} days", days=KEPT_DAYS)
    if row.rules != rules():
        return say("another version of gyakusan predicted it")
    return None


def _oldest(day: date) -> str:
    return (day - timedelta(days=KEPT_DAYS)).isoformat()


@lru_cache(maxsize=4)
def _rows(stamp: tuple[str, int, int], day: date, built_in: str) -> tuple[Row, ...]:
    try:
        every = store.read()
    except SourceError as error:
        notice(error.message)
        return ()
    return counting(every, day, built_in)


def counting(rows: Iterable[Row], day: date, built_in: str) -> tuple[Row, ...]:
    """Return those of some rows that count on a day, none of a crowded CPU. built_in: build of the constants."""
    oldest, newest = _oldest(day), (day + timedelta(days=1)).isoformat()  # rows have the day of UTC
    fresh = (r for r in rows if oldest <= r.date <= newest)
    return tuple(r for r in fresh if (r.rules == built_in or r.quantity == "bandwidth") and not r.crowded)


@lru_cache(maxsize=64)
def _known(rows: tuple[Row, ...]) -> Known:
    if not rows:
        return NOTHING
    cells: dict[Quantity, tuple[Cell, ...]] = {q: tuple(_cells(r for r in rows if r.quantity == q)) for q in CELLS}
    mine = [r for r in rows if r.origin != "import"]
    newest = max((r.date for r in mine), default="")
    own = frozenset(r.quantity for r in mine)
    delay = rule.delay(_delays(rows))
    return Known(cells["decode"], cells["prefill"], cells["ttft"], delay, own, len(mine), newest)


CELLS: tuple[Quantity, ...] = ("decode", "prefill", "ttft")


def _cells(rows: Iterable[Row]) -> Iterable[Cell]:
    """Yield one cell for each setting: its measurements by the inverse of their variance."""
    settings = _settings(rows)
    for same, trust in zip(settings, _trust(settings), strict=True):
        yield _cell(same, trust)


def _settings(rows: Iterable[Row]) -> list[list[Row]]:
    settings: dict[object, list[Row]] = defaultdict(list)
    for row in rows:
        settings[row.setting].append(row)
    return list(settings.values())


def _trust(settings: Sequence[Sequence[Row]]) -> list[float]:
    """Return the trust in each setting: all imports together weigh a part of what was measured here."""
    imported = sum(same[0].origin == "import" for same in settings)
    most = TRUST_IN_OTHERS * max(1, len(settings) - imported)
    return [min(TRUST_IN_OTHERS, most / imported) if s[0].origin == "import" else 1.0 for s in settings]


def _delays(rows: Sequence[Row]) -> Iterable[Delay]:
    """Yield by how much first tokens of one person came later than the prompts of the same model took.

    The longest prompts tell how fast prompts are computed: in short ones a delay counts more.
    """
    settings = _settings(r for r in rows if r.quantity == "ttft" and r.users == 1)
    for same, trust in zip(settings, _trust(settings), strict=True):
        prompts = [r for r in rows if r.quantity == "prefill" and _of_one_model(r, same[0])]
        if not prompts:
            continue
        speed = _cell([r for r in prompts if 1.5 * r.prompt >= max(p.prompt for p in prompts)], 1.0)
        one = _cell(same, trust)
        said = math.fsum(r.predicted for r in same) / len(same)
        alone, seen = said * math.exp(-speed.shift), said * math.exp(-one.shift)
        yield Delay(seen - alone, seen**2 * one.noise + alone**2 * speed.noise, trust)


def _of_one_model(a: Row, b: Row) -> bool:
    return (a.model, a.quantization, a.origin == "import") == (b.model, b.quantization, b.origin == "import")


def _cell(same: Sequence[Row], trust: float) -> Cell:
    weights = [1 / r.noise for r in same]
    whole = sum(weights)
    return Cell(
        shift=sum(w * r.shift for w, r in zip(weights, same, strict=True)) / whole,
        noise=1 / whole,
        trust=trust,
        users=same[0].users,
        model=same[0].model,
    )


@lru_cache(maxsize=1)
def rules() -> str:
    """Return the build of the built-in constants: rows that another one predicted do not count."""
    fitted = speed_constants.load().provenance.get("sha256", "")
    own = repr((FORMULAS, cpu.RATES, cpu.FORMATS, cpu.ONE_ROW, cpu.SPREAD, cpu.constants(1)))
    return f"{zlib.crc32(f'{fitted} {own}'.encode()):08x}"
