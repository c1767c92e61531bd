"""A row of a measurement file -> our chip, model and quantisation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from msgspec import structs

from gyakusan.catalog import chips, speed_names
from gyakusan.catalog.chips import Chip
from gyakusan.catalog.speed_constants import SERVERS
from gyakusan.catalog.speed_names import Quant
from gyakusan.core import recipe, traffic
from gyakusan.core.model import Model
from gyakusan.core.traffic import Traffic
from gyakusan.errors import GyakusanError
from gyakusan.models import families
from gyakusan.models.families.metadata import Metadata
from gyakusan.units import GIB

Row = Mapping[str, str]
_ENGINES = (
    ("vllm", "vllm"),
    ("sglang", "sglang"),
    ("trt", "trtllm"),
    ("tensorrt", "trtllm"),
    ("exl", "exllama"),
    ("mlx", "mlx"),
    ("hipfire", "hipfire"),
    ("localscore", "llamafile"),
    ("llamafile", "llamafile"),
    ("ollama", "ollama"),
    ("may 2024", "llama.cpp-2024"),
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a row is about. engine, api: what ran it; model: our name; quant: how it was stored; traffic: its bytes."""

    chip: Chip
    engine: str
    api: str
    model: str
    quant: Quant
    traffic: Traffic
    bytes: float


def number(row: Row, key: str) -> float | None:
    """A figure of the row, None if the field is empty or no number."""
    try:
        return float(row.get(key) or "")
    except ValueError:
        return None


def flags(row: Row) -> Mapping[str, Any]:
    """The flags field, {} where it is no JSON object."""
    try:
        found = json.loads(row.get("flags") or "{}")
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def chip(row: Row) -> Chip | None:
    """The device. A card named in brackets counts before the computer around it."""
    text = row["hardware"]
    memory = (number(row, "vram_gb") or 0) * GIB or None
    inner = re.search(r"\(([^)]*(?:nvidia|rx |pro w|arc|radeon|rtx|m\d ultra)[^)]*)\)", text, re.IGNORECASE)
    bare = text.partition(" (")[0]
    for name in (inner[1], text, bare) if inner else (text, bare):
        found = chips.find(name, memory)
        if found is not None:
            return found
    return None


def engine(row: Row) -> str:
    """The engine, one spelling for each."""
    said = row["engine"].casefold()
    return next((name for word, name in _ENGINES if word in said), "llama.cpp")


def api(row: Row, found: Chip) -> str:
    """What drives the device: cuda, rocm, vulkan, metal, cann or cpu."""
    said = row["backend"].casefold()
    if "cpu" in said.split("/")[0]:
        return "cpu"
    if found.family.startswith("apple"):
        return "metal"
    if "vulkan" in said or found.family.startswith("xe") or "igpu" in found.family:
        return "vulkan"
    if found.vendor == "amd":
        return "rocm"
    return "cann" if found.vendor == "other" else "cuda"


def model(row: Row) -> str | None:
    """Our name of the model: by the model field, else by the repository, else by what llama.cpp printed."""
    tries = (row["model"], row["hf_id"], row["quant"] if re.search(r"\d+B", row["quant"]) else "")
    for text in tries:
        name = speed_names.model_name(text) if text else None
        if name:
            return name
    return None


def quant(row: Row, name: str, where: str) -> Quant | None:
    """The quantisation: as said, as the names tell, or as this engine takes when nobody says."""
    server = where in SERVERS
    command = str(flags(row).get("cmd", ""))
    if server and re.fullmatch(r"ministral-3-\d+b-instruct-2512", row["hf_id"].casefold().rsplit("/", 1)[-1]):
        return speed_names.parse_quant("fp8", server=True)  # published so; a name without -BF16 is no 16-bit file
    for text in (row["quant"].rstrip("?"), row["model"], row["hf_id"], command if server else ""):
        found = speed_names.parse_quant(text, model=name, server=server) if text else None
        if found:
            return found
    if name.startswith("gpt-oss"):
        return speed_names.parse_quant("", model=name, server=server)
    if server:
        fp8 = name.startswith(("deepseek-r1", "deepseek-v3"))
        return speed_names.parse_quant("fp8", server=True) if fp8 else speed_names.sixteen_bit(True)
    if where == "ollama" or ":" in row["model"] or where == "llama.cpp":
        return speed_names.parse_quant("Q4_K_M")
    return speed_names.parse_quant("mlx-4bit") if where == "mlx" else None


def subject(row: Row) -> Subject | str:
    """What the row is about, or the field that nobody knows: hardware, model, quant."""
    found = chip(row)
    if found is None:
        return "hardware"
    name = model(row)
    if name is None or plain(name) is None:
        return "model"
    where = engine(row)
    how = quant(row, name, where)
    if how is None:
        return "quant"
    size = number(row, "weights_gib")
    read, whole = moved(name, how, round(size, 3) if size else None)
    return Subject(found, where, api(row, found), name, how, read, whole)


@cache
def plain(name: str) -> Model | None:
    """The unquantised model of the catalogue, or of the measurements' own list."""
    from gyakusan.catalog.models import find
    from gyakusan.models import assemble

    extra = speed_names.extra_models().get(name)
    try:
        if extra is not None:
            return families.unquantized(Metadata(extra), name=name)
        return assemble.plain(find(name))
    except GyakusanError:
        return None


@cache
def moved(name: str, how: Quant, size: float | None) -> tuple[Traffic, float]:
    """Bytes by role, and all weights [B]. size: of the file, where somebody wrote it down [GiB]."""
    model = plain(name)
    assert model is not None, name
    if how.stored is not None:
        read = traffic.from_model(model, how.stored)
        return read, read.dense_bytes + read.expert_bytes
    stored = recipe.apply(how.recipe, model)
    read = traffic.from_model(stored)
    usual = how.routed if read.expert_bytes else how.size
    factor = size * GIB / stored.bytes if size else usual
    if not 0.5 < factor < 2:  # a figure that cannot be this file's
        factor = usual
    if how.label == "mxfp4" and read.expert_bytes:  # experts are always MXFP4: the rest explains the size
        more = structs.replace(
            read, dense_bytes=max(0.5 * read.dense_bytes, read.dense_bytes + stored.bytes * (factor - 1))
        )
        return more, stored.bytes * factor
    return traffic.scaled(read, factor), stored.bytes * factor
