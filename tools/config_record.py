"""Print the record of a published model from its config.json and the hub's list, and refuse one that does not add up.

    python -m tools.config_record config.json NAME OWNER/NAME llmfit-1.1.17-*.whl "where the config was read" [vision]

The last word says what the hub counts besides (the field `beside`): then up to 5 % of its count may be missing, else 1 %.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import date
from pathlib import Path
from typing import Any

from tools.hub_facts import hub_list

from gyakusan.core.model import Model
from gyakusan.models import families

LANGUAGE = re.compile(r"[a-z]{2}")
MISSING = {"": 0.01, "vision": 0.05}


def main() -> int:
    """Print one record."""
    if len(sys.argv) not in (6, 7):
        raise SystemExit(__doc__)
    config, name, repository, wheel, where = sys.argv[1:6]
    row = next((r for r in hub_list(Path(wheel)) if r["name"] == repository), None)
    if row is None:
        raise SystemExit(f"{repository} is not in the list")
    listed = " ".join(Path(wheel).name.split("-")[:2])
    print(record(json.loads(Path(config).read_text("utf-8")), name, row, f"{where}; {listed}", *sys.argv[6:7]))
    return 0


def record(config: dict[str, Any], name: str, row: dict[str, Any], source: str, beside: str = "") -> str:
    """Return one record as TOML. row: of the hub's list. Raises SystemExit if the counts differ too much."""
    metadata = families.convert(config)
    model = families.unquantized(metadata, name=name)
    published, languages = int(row["parameters_raw"]), [x for x in row.get("languages") or () if LANGUAGE.fullmatch(x)]
    missing = 1 - model.parameters / published
    if not -0.001 <= missing <= MISSING[beside]:
        raise SystemExit(f"{name}: {model.parameters:,} weights by its shape, {published:,} on the hub")
    counted = "the count is the hub's" if not missing else f"{missing:.2%} of the hub's count is beside"
    facts = {
        "name": name,
        "aliases": [row["name"]],
        "license": row.get("license") or "",
        **_counts(model, published, beside),
        "active": _active(row),
        "quantization": "Q4_K_M",
        "modalities": ["text", "image"] if beside == "vision" else [],
        "languages": languages or ["en"],
        "released": (row.get("release_date") or "")[:7],
        "gguf": [s["repo"] for s in row.get("gguf_sources") or ()],
        "recalled": [] if languages else ["languages"],
        "basis": "derived",
        "source": f"{source}; {counted}",
        "checked": date.today().isoformat(),
    }
    top = [f"{k} = {text(v)}" for k, v in facts.items() if v not in ("", 0) and (v != [] or k == "recalled")]
    keys = [f"{text(k)} = {text(v)}" for k, v in metadata.values.items() if k != "gyakusan.tied"]
    return "\n".join(["[[model]]", *top, "", "[model.metadata]", *keys, ""])


def _active(row: dict[str, Any]) -> int:
    """Return the active weights that a maker publishes, which are round; the list's own estimates are not, and ours is better."""
    active = int(row.get("active_parameters") or 0)
    return 0 if active % 10**8 else active


def _counts(model: Model, published: int, beside: str) -> dict[str, Any]:
    return {
        "parameters": model.parameters,
        "tensors": len(model.tensors),
        "tied": "true" if model.tied else "false",
        "published": published,
        "beside": beside,
    }


def text(value: Any) -> str:
    """Return a TOML value on one line."""
    if isinstance(value, bool) or value in ("true", "false"):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
