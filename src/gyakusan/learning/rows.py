"""One measurement of this computer, as it is kept, exported and imported: of which device and load, said and seen.

It names no person, computer, path, address or prompt: the device by its product name, the model by its name in the
catalogue. Version 1 of the file: {"schema": "gyakusan/measurements/1", "rows": [...]}, each row with the fields of `Row`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from gyakusan.doors.text import is_clean
from gyakusan.errors import BadRecord
from gyakusan.learning import rule
from gyakusan.message import Message, say

Quantity = Literal["decode", "prefill", "ttft", "bandwidth"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)
Origin = Literal["calibrate", "bench", "import"]
SCHEMA = "gyakusan/measurements/1"
LARGEST_FILE = 8 * 2**20
"""Of a file that is imported. [B]"""
MOST_ROWS = 20_000
LONGEST_NAME = 120
LARGEST_FIGURE = 1e18
LARGEST_RATIO = 1e6
MOST_BUSY = 0.25
"""Share of the cores that other programs may take before a figure tells of them and not of the computer. Assumed: all threads
of a CPU's product wait for the slowest; half of two cores made 2.2 s of 0.77 s (`_SPIN` in engines/llamacpp/launch.py)."""
_PATH = re.compile(r"[/\\]")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])")


def is_crowded(busy: float, cores: int = 1) -> bool:
    """Return True where other programs take more than MOST_BUSY of a computer.

    busy: cores that they keep busy, or their share of all cores where cores is 1
    """
    return busy > MOST_BUSY * cores


class Row(Struct, frozen=True, forbid_unknown_fields=True):
    """One measured figure.

    quantity: decode and prefill in tokens/s, ttft in s, bandwidth of the RAM in B/s
    device: product name of the chip
    engine: what computes, as the constants call it, "" for a bandwidth
    cores: of a CPU that computes, 0 for a GPU
    rules: build of the built-in constants that predicted
    predicted: without anything learned, in the figure's own unit
    measured: in the same unit
    date: of the measurement, ISO 8601
    model: its name in the catalogue, "" where it has none
    quantization: of the weights
    users: people at a time
    prompt: its length without what was cached [tokens]
    depth: tokens before the prompt [tokens]
    prompts: share of prompts in the predicted time to the first token
    scatter: standard error of the figure over the figure
    busy: cores that other programs kept busy, over all cores
    requests: answers that were measured
    origin: calibrate, bench or import
    """

    quantity: Quantity
    device: str
    engine: str
    cores: int
    rules: str
    predicted: float
    measured: float
    date: str
    model: str = ""
    quantization: str = ""
    users: int = 1
    prompt: float = 0.0
    depth: float = 0.0
    prompts: float = 1.0
    scatter: float = 0.0
    busy: float = 0.0
    requests: int = 1
    origin: Origin = "bench"

    @property
    def shift(self) -> float:
        """Return ln (measured / predicted) of a speed, the other way round of a time."""
        sign = -1.0 if self.quantity == "ttft" else 1.0
        return sign * math.log(self.measured / self.predicted)

    @property
    def noise(self) -> float:
        """Return the variance of `shift` from run to run."""
        return rule.noise(self.scatter, self.busy)

    @property
    def crowded(self) -> bool:
        """True where others took so much of a CPU, or of its RAM, that the figure tells of them."""
        return self.cores > 0 and is_crowded(self.busy)

    @property
    def setting(self) -> tuple[str, str, int, int, int, bool]:
        """Return what two measurements have in common that are told apart by their noise only."""
        lengths = (round(math.log2(1 + n)) for n in (self.prompt, self.depth))
        return (self.model, self.quantization, self.users, *lengths, self.origin == "import")  # type: ignore[return-value]


class _File(Struct, forbid_unknown_fields=True):
    """A file of measurements."""

    schema: str
    rows: list[Row]


def written(rows: Sequence[Row]) -> str:
    """Return a file of measurements."""
    return msgspec.json.format(msgspec.json.encode(_File(SCHEMA, list(rows))), indent=1).decode() + "\n"


def parsed(data: bytes, name: str) -> tuple[Row, ...]:
    """Return the rows of a file of measurements. Raises BadRecord for one that is none.

    name: of the file, for errors
    """
    from gyakusan.doors.parse import json_value, misfit  # a dozen patterns, which a forecast has no use for

    def refuse(problem: Message) -> BadRecord:
        return BadRecord(
            "{file} is not a file of measurements: {problem}.",
            file=name,
            problem=problem,
            mend="Give a file that gyakusan calibrate export wrote.",
        )

    value = json_value(data, refuse)
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise refuse(say("its schema is not {schema}", schema=SCHEMA))
    try:
        found = msgspec.convert(value, _File)
    except msgspec.ValidationError as error:
        raise refuse(misfit(str(error))) from None
    if len(found.rows) > MOST_ROWS:
        raise refuse(say("more than {n} rows", n=f"{MOST_ROWS:,}"))
    for place, row in enumerate(found.rows):
        if (problem := fault(row)) is not None:
            raise refuse(say("row {n}: {problem}", n=place + 1, problem=problem))
    return tuple(found.rows)


def fault(row: Row) -> Message | None:
    """Return what is wrong with a row that came from outside, None for one that can be."""
    names = (row.device, row.engine, row.rules, row.model, row.quantization)
    if not row.device or any(len(t) > LONGEST_NAME or not is_clean(t) or _PATH.search(t) for t in names):
        return say("a name is empty, too long, or holds a character that names do not have")
    if not _is_day(row.date):
        return say("its date is not written like 2026-11-29")
    figures = (row.predicted, row.measured, row.prompt, row.depth, row.prompts, row.scatter, row.busy)
    if not all(map(math.isfinite, figures)):
        return say("a figure is no finite number")
    if not all(0 <= f < LARGEST_FIGURE for f in figures) or not row.predicted or not row.measured:
        return say("a figure is not above 0")
    if not 1 / LARGEST_RATIO < row.measured / row.predicted < LARGEST_RATIO:
        return say("measured and predicted are too far apart")
    counts = 0 < row.users < 2**17 and 0 < row.requests < 2**31 and 0 <= row.cores < 2**16
    return None if counts and row.prompts <= 1 else say("a count is out of its range")


def _is_day(text: str) -> bool:
    try:
        return _DATE.fullmatch(text) is not None and bool(date.fromisoformat(text))
    except ValueError:
        return False
