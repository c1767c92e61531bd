"""JSON Schemas of the documents, made of the structs and their docstrings.

python -m gyakusan.documents.schema FOLDER writes them all; docs/schemas holds them.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from gyakusan.documents import (
    accuracy,
    article,
    bench,
    calibrate,
    catalog,
    checkup,
    colocation,
    compare,
    connect,
    deployed,
    exported,
    fleet,
    get,
    keys,
    ledger,
    machine,
    memory_map,
    nodes,
    plan,
    served,
    servers,
    upgrade,
    watch,
)
from gyakusan.errors import unknown
from gyakusan.message import say

DOCUMENTS: Mapping[str, Any] = {
    "inspect": ledger.InspectJson,
    "engines": ledger.EnginesJson,
    "quantizations": ledger.QuantizationsJson,
    "memory-map": memory_map.MemoryMapJson,
    "plan": plan.RecommendationJson,
    "colocation": colocation.ColocationAnswerJson,
    "nodes": nodes.NodesJson,
    "compare": compare.CompareJson,
    "compare-plans": compare.ComparePlanJson,
    "fleet": fleet.FleetJson,
    "upgrade": upgrade.UpgradeJson,
    "detect": machine.DetectJson,
    "doctor": checkup.DoctorJson,
    "get": get.GetJson,
    "get-list": get.GetListJson,
    "connect": connect.ConnectJson,
    "ps": servers.ServersJson,
    "watch": watch.WatchJson,
    "keys": keys.KeysJson,
    "key-made": keys.KeyMadeJson,
    "serve": served.ServeJson,
    "serve-dry-run": served.ServeDryRunJson,
    "deploy": deployed.DeployJson,
    "export": exported.ExportJson,
    "bench": bench.BenchJson,
    "bench-list": bench.BenchListJson,
    "calibrate": calibrate.CalibrateJson,
    "calibrate-measurements": calibrate.MeasurementsJson,
    "catalog-device": catalog.DeviceRecordJson,
    "catalog-machine": catalog.MachineRecordJson,
    "catalog-model": catalog.ModelRecordJson,
    "catalog-source": catalog.SourceRecordJson,
    "catalog-notice": catalog.CatalogNoticeJson,
    "catalog-verification": catalog.VerificationJson,
    "accuracy-memory": accuracy.MemoryAccuracyJson,
    "accuracy-speed": accuracy.SpeedAccuracyJson,
    "article": article.ArticleJson,
    "error": served.ErrorJson,
}
"""Name -> the struct of a document; the name is the middle of its `schema` field."""
SENTENCE = {"type": "string", "description": "a sentence in the language of --lang"}
_FIELD = re.compile(r"^ *(\w+): (.+)$", re.MULTILINE)


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema of a document. Raises UnknownName."""
    if name not in DOCUMENTS:
        raise unknown(say("schema"), name, DOCUMENTS)
    root = DOCUMENTS[name]
    _, parts = msgspec.json.schema_components([root], ref_template="#/$defs/{name}")
    parts["Message"] = SENTENCE
    texts = {kind.__name__: _texts(kind) for kind in _classes(root)}
    for part, value in parts.items():
        for field, described in value.get("properties", {}).items():
            described.pop("default", None)
            if field in texts.get(part, {}):
                described["description"] = texts[part][field]
        value["description"] = value.get("description", "").split("\n")[0] or part
        value["required"] = sorted(
            {*value.get("required", ()), *({"schema", "catalogue"} & {*value.get("properties", ())})}
        )
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"gyakusan/{name}/1"}
    return {**head, **parts.pop(root.__name__), "$defs": {k: parts[k] for k in sorted(parts)}}


def written(name: str) -> str:
    """Return a JSON Schema as text. Raises UnknownName."""
    return json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"


def _texts(kind: type) -> dict[str, str]:
    """What the docstrings of a class and of its bases say of each field."""
    return {m[1]: m[2] for base in reversed(kind.__mro__) for m in _FIELD.finditer(base.__doc__ or "")}


def _classes(root: Any) -> Iterator[type]:
    """Every struct and dataclass that a document is made of."""
    seen: set[Any] = set()
    open_types = [msgspec.inspect.type_info(root)]
    while open_types:
        info = open_types.pop()
        kind = getattr(info, "cls", None)
        if kind in seen:
            continue
        if kind is not None:
            seen.add(kind)
            yield kind
            open_types += [f.type for f in info.fields]  # type: ignore[attr-defined]
        for name in ("types", "item_types"):
            open_types += getattr(info, name, ())
        for name in ("item_type", "key_type", "value_type"):
            open_types += [inner] if (inner := getattr(info, name, None)) is not None else []


if __name__ == "__main__":
    for known in DOCUMENTS:
        Path(sys.argv[1], f"{known}.json").write_text(written(known), "utf-8")
