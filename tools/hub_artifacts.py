"""Write tools/artifacts_more.csv: published files of the models that are proposed and that ../shared/data/artifacts.csv lacks.

    python tools/hub_artifacts.py ../shared/data/artifacts.csv llmfit-1.1.17-*.whl JAN_CATALOG.json@COMMIT

llmfit (MIT) lists repositories, janhq/model-catalog's model_catalog_v2.json the GGUF files of some. A repository is a model's
if its name is the model's, exactly, but for the words of its format. The rows have the columns of artifacts.csv.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.artifact_table import GGUF_TAG, model_of
from tools.hub_facts import hub_list

from gyakusan.catalog.models import ModelRecord, model_records

OUT = Path(__file__).with_name("artifacts_more.csv")
FIELDS = (
    *("model", "repo", "kind", "tuned", "quant", "file", "bytes", "sha256", "mmproj_file", "mmproj_bytes", "mtp"),
    *("draft_repo", "publisher_rank", "source", "date", "licence_of_source", "confidence"),
)
FORMATS = (
    (r"-fp8(-dynamic|-block)?", "fp8", "FP8"),
    (r"-awq(-int4|-4bit)?", "awq", "AWQ"),
    (r"-gptq(-int4|-4bit)?", "gptq", "GPTQ-Int4"),
    (r"-(w4a16|int4-autoround|quantized\.w4a16)", "int4-compressed", "INT4"),
    (r"-nvfp4", "nvfp4", "NVFP4"),
    (r"-mxfp4", "mxfp4", "MXFP4"),
    (r"(-mlx)?-([3-8])bit", "mlx", r"\2bit"),
    (r"-mlx-bf16", "mlx", "bf16"),
    (r"-gguf", "gguf", ""),
)
"""What follows a model's name in that of a repository, its kind, and the tag that people use."""
RANKS = {
    1: ("ggml-org", "unsloth", "mlx-community", "nvidia", "redhatai"),
    2: ("bartowski", "lmstudio-community", "cyankiwi", "quanttrio", "intel", "amd"),
    3: ("mradermacher", "thebloke"),
}
_PART = re.compile(r"-0000[1-9]-of-\d{5}$")


def main() -> int:
    """Read what is known already, then both lists; write the rest."""
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    with Path(sys.argv[1]).open(encoding="utf-8", newline="") as file:
        known = {model_of(row) for row in csv.DictReader(file)}
    wheel, (jan, _, commit) = Path(sys.argv[2]), sys.argv[3].partition("@")
    models = {stem: r for r in model_records() if r.listed and r.name not in known for stem in stems(r)}
    hub = f"pypi {' '.join(wheel.name.split('-')[:2])} (embedded hf_models list; HF API scrape)"
    rows = [*listed(hub_list(wheel), models, hub), *files(json.loads(Path(jan).read_text("utf-8")), models, commit)]
    rows.sort(key=lambda r: (r["model"], r["repo"].casefold(), r["file"]))
    with OUT.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, FIELDS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} rows of {len({r['model'] for r in rows})} models")
    return 0


def stems(record: ModelRecord) -> tuple[str, ...]:
    """Return the names, without owners, that a record's repositories have, as they stand before the words of a format."""
    return tuple(re.sub(r"-bf16$", "", a.partition("/")[2].casefold()) for a in record.aliases if "/" in a)


def split(repository: str) -> tuple[str, str, str]:
    """Return what a repository is called without the words of its format, its kind and its tag. 16 bits without any."""
    name = repository.partition("/")[2].casefold()
    for pattern, kind, tag in FORMATS:
        found = re.search(pattern + "$", name)
        if found:
            stem = name[: found.start()]
            return re.sub(r"-bf16$", "", stem.rpartition("_")[2] if kind == "gguf" else stem), kind, found.expand(tag)
    return re.sub(r"-bf16$", "", name), "bf16", "BF16"


def listed(
    hub: Sequence[Mapping[str, Any]], models: Mapping[str, ModelRecord], source: str
) -> Iterator[dict[str, str]]:
    """Yield a row for each repository of a list that is a model's."""
    for found in hub:
        gguf = [s["repo"] for s in found.get("gguf_sources") or ()]
        for repository in (found["name"], *gguf):
            stem, kind, tag = split(repository)
            record = models.get(stem)
            owner = repository.partition("/")[0]
            if record is None or (kind == "bf16" and repository not in record.aliases):
                continue
            if "mlx" in owner.casefold() and kind not in ("mlx", "gguf"):
                continue  # a conversion for MLX in a format that MLX-LM has no plain tag for
            yield _row(record, repository, kind, tag, source, owner)


def files(
    catalogue: Sequence[Mapping[str, Any]], models: Mapping[str, ModelRecord], commit: str
) -> Iterator[dict[str, str]]:
    """Yield a row for each GGUF file of Jan's catalogue that is a model's."""
    source = f"janhq/model-catalog model_catalog_v2.json@{commit[:12]}"
    for found in catalogue:
        for quant in found.get("quants", ()):
            repository, _, path = quant["path"].partition("huggingface.co/")[2].partition("/resolve/main/")
            stem, kind, _ = split(repository)
            name = Path(path).stem
            tag = re.search(rf"(?:^|[-.])({GGUF_TAG.pattern})$", _PART.sub("", name))
            if stem in models and kind == "gguf" and tag:
                row = _row(models[stem], repository, kind, tag[1].upper(), source, repository.partition("/")[0])
                size = "" if _PART.search(name) else _bytes(quant["file_size"])
                yield {**row, "file": path, "bytes": size, "date": "2026-05", "licence_of_source": "see repo"}


def _bytes(size: str) -> str:
    """Return a size of Jan's catalogue, whose "GB" is GiB, as rounded bytes."""
    number, _, unit = size.partition(" ")
    return f"~{round(float(number) * {'GB': 2**30, 'MB': 2**20}[unit])}"


def _row(record: ModelRecord, repository: str, kind: str, tag: str, source: str, owner: str) -> dict[str, str]:
    maker = record.aliases and owner.casefold() == record.aliases[0].partition("/")[0].casefold()
    rank = 1 if maker else next((n for n, owners in RANKS.items() if owner.casefold() in owners), 4)
    return {
        "model": record.name,
        "repo": repository,
        "kind": kind,
        "tuned": "base" if record.role == "base" else "instruct",
        "quant": tag,
        "file": "",
        "bytes": "",
        "publisher_rank": str(rank),
        "source": source,
        "date": "2026-10",
        "licence_of_source": "MIT",
        "confidence": "listing",
    }


if __name__ == "__main__":
    sys.exit(main())
