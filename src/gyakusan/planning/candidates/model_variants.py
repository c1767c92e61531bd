"""What planning knows of a model, worked out once: the bytes of its weights in every format that an engine reads.

tools/plan_columns.py writes the answers into catalog/data/columns.json; a record that changed since is worked out anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs

from gyakusan.catalog import speed_names
from gyakusan.catalog.quality import active_parameters, native_width
from gyakusan.catalog.speed_constants import SERVERS
from gyakusan.core.model import Model
from gyakusan.engines.base import Variant
from gyakusan.engines.registry import engine, model_storages
from gyakusan.models.assemble import plain
from gyakusan.planning.candidates import compact_model
from gyakusan.planning.candidates.compact_model import VariantRow
from gyakusan.planning.predict.speed import traffic_of

if TYPE_CHECKING:
    from gyakusan.catalog.models import ModelRecord


def measure(record: ModelRecord) -> dict[str, Any]:
    """Return everything that planning knows of one record, as values for JSON."""
    whole = plain(record)
    return {
        "name": record.name,
        "license": record.license,
        "parameters": whole.parameters,
        "active": record.active or active_parameters(record) or whole.parameters,
        "native": native_width(record.name) or 16.0,
        "quantization": record.quantization,
        "role": record.role,
        "released": record.released,
        "tied": whole.tied,
        "speed_name": speed_names.model_name(record.name) or "",
        "model": compact_model.encode(whole),
        "traffic": _shape(whole),
        **{storage: variant_rows(storage, record) for storage in model_storages()},
    }


def variant_rows(storage: str, record: ModelRecord) -> list[VariantRow]:
    """Return the rows of a model in files of one kind, as the first engine that reads them stores the weights."""
    rules, whole = engine(model_storages()[storage]), plain(record)
    rows = []
    for variant in rules.variants(whole, record):
        shares = list(rules.weight_bytes(variant.model))
        stored = variant.model.bytes if variant.model.checkpoint is None else shares[0]
        rows.append(_row(variant, stored, shares, rules.SPEED_NAME in SERVERS))
    return rows


def _shape(whole: Model) -> list[float]:
    """Return the fields of core.traffic.ModelShape."""
    return list(structs.astuple(traffic_of(whole).shape))


def _row(v: Variant, stored: int, shares: list[int], server: bool) -> VariantRow:
    traffic = traffic_of(v.model)
    check = v.model.checkpoint
    if check is not None and not check.method:
        quant = speed_names.sixteen_bit(server)
    else:
        told = check is not None and check.method.endswith(("fp4", "fp8"))
        width = "" if check is None or told else f"{check.bits:g}bit"
        text = v.model.quantization if check is None else f"{check.method} {width} {v.model.name}"
        known = speed_names.model_name(v.model.name) or ""
        quant = speed_names.parse_quant(text, model=known, server=server) or speed_names.sixteen_bit(server)
    dense, experts = round(traffic.dense_bytes), round(traffic.expert_bytes)
    return VariantRow(v.name, v.published, quant.group, dense, experts, stored, shares)
