"""Published measurements of speed whose licence lets us pass them on. Facts: data/measurements.json.gz.

Written by tools/measurements.py. Each row: kind, device, model, quantisation, engine, api, users, context, prompt,
answer, devices that share each layer, figure, repetitions, source. Names are ours; NOTICE names the sources.
"""

from __future__ import annotations

import gzip
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gyakusan.catalog.places import DATA
from gyakusan.doors.files import packaged

Kind = Literal["decode", "prefill", "ttft", "throughput"]
COLUMNS = (
    *("kind", "device", "model", "quant", "engine", "api", "users", "context", "prompt", "answer"),
    *("parallel", "figure", "repetitions", "source"),
)


class Measurement(Struct, frozen=True):
    """One published figure, the median of its repetitions.

    kind: decode (tokens/s of each user), prefill (prompt tokens/s), ttft [s] or throughput (tokens/s of all users)
    device: our name of the chip
    model: our name of the model
    quant: label of the quantisation
    engine: the engine, as the constants call it
    api: cuda, rocm, metal, vulkan or cpu
    users: conversations that were answered at once
    context: mean length of a conversation [tokens]
    prompt: length of a prompt [tokens]
    answer: output tokens [tokens]
    parallel: devices that share each layer
    figure: what was measured, in the unit of its kind
    repetitions: rows that the median comes from
    source: key of `sources()`
    """

    kind: Kind
    device: str
    model: str
    quant: str
    engine: str
    api: str
    users: float
    context: float
    prompt: float
    answer: float
    parallel: float
    figure: float
    repetitions: int
    source: str


def measurements(device: str, model: str, quant: str) -> tuple[Measurement, ...]:
    """Return every measurement of one device, model and quantisation, under our names."""
    rows = _file()["rows"].get("|".join((device, model, quant)), ())
    return tuple(Measurement(row[0], device, model, quant, *row[1:]) for row in rows)


def all_measurements() -> tuple[Measurement, ...]:
    """Return every measurement."""
    return tuple(p for key in _file()["rows"] for p in measurements(*key.split("|")))


def sources() -> dict[str, dict[str, str]]:
    """Return address and licence of each source."""
    found: dict[str, dict[str, str]] = _file()["sources"]
    return found


@cache
def _file() -> Any:
    return msgspec.json.decode(gzip.decompress(packaged(DATA / "measurements.json.gz")))
