"""Write catalog/data/artifacts.jsonl: which files are really published for each model, best first.

    python tools/artifact_table.py ../shared/data/artifacts.csv tools/artifacts_more.csv [--out FILE]
    python tools/artifact_table.py ../shared/data/artifacts.csv --order FILE.toml ...   base models last in its lists

One row of a table is one file, one tag or one repository. Left out: rows that nobody but us vouches for ("inferred"),
base models where a tuned one is published, uploads that were replaced, tags of derived models, and models that the
catalogue lacks. The order of a model's repositories is that of `_order`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from gyakusan.catalog import artifacts
from gyakusan.catalog.models import find, model_names
from gyakusan.catalog.names import model_key, squeezed
from gyakusan.engines.llamacpp.hub_reference import find_model

Row = dict[str, str]
FORMATS = {
    "gguf": "gguf",
    "gguf-mmproj": "projector",
    "gguf-draft": "draft",
    "fp8": "fp8",
    "awq": "awq",
    "gptq": "gptq",
    "int4-compressed": "int4",
    "int8-compressed": "int8",
    "nvfp4": "nvfp4",
    "mxfp4": "mxfp4",
    "bf16": "bf16",
    "mlx": "mlx",
    "ollama": "ollama",
    "draft": "draft",
}
TUNED = {"instruct": 0, "coder": 0, "thinking": 1, "unclear": 2, "": 2, "base": 3}
GGUF_TAG = re.compile(r"(UD-)?(I?Q\d_[A-Z0-9_]+|Q\d_[01]|TQ\d_0|MXFP4(_MOE)?|NVFP4|BF16|F16|F32)")
MLX_TAG = re.compile(r"\d+bit|bf16|mxfp4|nvfp4")
TUNING = re.compile(r"-(it|instruct|chat)(?=-|$)", re.IGNORECASE)
PARTS = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
SUMMED = re.compile(r"(all|both|three) parts")
REPLACED = "FIRST upload"
SPECIAL = re.compile(
    r"optiq|mtp|dwq|mixed|awq-fp8|awq-8bit|bf16-int|128k|1m-|-1m|2507|think|fp16|ud-mlx|nvfp4-fp8|nvfp4a16|block|g32|gs32|qat|imat|kv\b|w4a4"
    r"|-o\d|-oq|-ct\b|unsloth-mlx|-mx-|-fp4|w8a16|qx\d|reap|fast|lite\d|stream",
    re.IGNORECASE,
)
"""Words of a repository that say that it is more than the plain model in a format: it stands behind plain ones."""


@dataclass
class Repository:
    """What one repository, or one tag of Ollama, has in one format, as listings or as texts say."""

    name: str
    format: str
    tuned: str
    rank: int
    rows: list[Row] = field(default_factory=list)


def main() -> None:
    """Read, choose, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=artifacts.FILE)
    parser.add_argument("--order", type=Path, nargs="+", default=())
    options = parser.parse_args()
    rows = [row for table in options.table for row in _read(table)]
    for record_file in options.order:
        record_file.write_text(ordered(record_file.read_text("utf-8"), rows), "utf-8")
    if options.order:
        return
    text = encoded(rows, model_names())
    options.out.write_text(text, "utf-8")
    print(f"{text.count(chr(10)) - 1} models, {len(text)} bytes")


def _read(table: Path) -> list[Row]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def ordered(text: str, rows: list[Row]) -> str:
    """Return a TOML file of model records in whose lists of repositories base models stand last."""
    said = {r["repo"].casefold(): r["tuned"] for r in rows if r["tuned"]}

    def repair(line: re.Match[str]) -> str:
        return f"{line[1]}{json.dumps(base_last(json.loads(line[2]), said), ensure_ascii=False)}"

    return re.sub(r'(\b(?:aliases|names|gguf|mlx) = )(\["[^\]\n]*\])', repair, text)


def base_last(names: list[str], said: dict[str, str]) -> list[str]:
    """Return repositories with base models behind the tuned ones; other names keep their places.

    A base model is one that the table calls so, or, unknown to it, the twin of a name with a word like "-Instruct".
    """
    plain = {TUNING.sub("", n) for n in names if TUNING.search(n)}

    def base(name: str) -> bool:
        known = said.get(name.casefold())
        return known == "base" if known else not TUNING.search(name) and name in plain

    repositories = sorted((n for n in names if "/" in n), key=base)
    return [repositories.pop(0) if "/" in n else n for n in names]


def model_of(row: Row) -> str:
    """Return the model of a row; the Qwen3 of July 2025 are models of their own, with another context."""
    again = re.search(r"-(instruct|thinking)-2507(?=-|$)", row["repo"].casefold())
    return f"{row['model']}-{again[1]}-2507" if again and row["model"].startswith("qwen3-") else row["model"]


def names_of_models() -> dict[tuple[str, ...], str]:
    """Return the words of every name of the catalogue's models -> the model: gemma, 3, 4, b -> gemma3-4b."""
    found: dict[tuple[str, ...], str] = {}
    for name in model_names():
        record = find(name)
        for known in (name, *record.aliases):
            if ":" not in known and (words := name_words(known)):  # no tag of Ollama's, no name in kanji
                found.setdefault(words, name)
    return found


def name_words(text: str) -> tuple[str, ...]:
    """Return the words of a model's or a repository's name; "it" stands in either and tells nothing."""
    plain = text.rpartition("/")[2].casefold()
    words = ("multimodal" if w == "mm" else w for w in re.findall(r"[a-z]+|\d+(?:\.\d+)?", plain))
    return tuple(w for w in words if w != "it")


def named_in(repository: str, known: dict[tuple[str, ...], str]) -> str:
    """Return the model whose name is the longest within a repository's, "" if there is none."""
    words = name_words(repository)
    ends = ((at, end) for at in range(len(words)) for end in range(at + 1, len(words) + 1))
    longest = max((words[at:end] for at, end in ends if words[at:end] in known), key=len, default=())
    return known.get(longest, "")


def encoded(rows: list[Row], names: tuple[str, ...]) -> str:
    """Return the file: the sources on its first line, then one line for each model."""
    by_model: dict[str, list[Row]] = defaultdict(list)
    spelled = {squeezed(n): n for n in names}  # a table may write gemma-4-31b where the catalogue has gemma4-31b
    known = names_of_models()
    for row in rows:
        model = spelled.get(squeezed(model_of(row)))
        if model and row["kind"] != "ollama":  # the release of a later day has scores and weights of its own
            model = named_in(row["repo"], known) or model
        if model and row["confidence"] != "inferred" and not _refused(row):
            by_model[model].append(row)
    sources: dict[tuple[str, str], int] = {}
    lines = [[name, repositories(by_model[name], name, sources)] for name in names if by_model[name]]
    told = [list(source) for source in sources]
    return "\n".join(json.dumps(x, separators=(",", ":"), ensure_ascii=False) for x in (told, *lines)) + "\n"


def _refused(row: Row) -> bool:
    """Return True for what is no file of the model, or no longer."""
    if REPLACED in row["source"] and row["kind"] == "gguf":
        return True
    if row["kind"] == "ollama":  # a tag of a derived model does not begin the name of ours
        return not model_key(row["model"]).startswith(model_key(row["repo"]))
    if row["kind"] == "gguf" and row["quant"]:
        return GGUF_TAG.fullmatch(row["quant"]) is None or not _found(row)
    if row["kind"] == "awq" and re.search(r"[2356]-?bit", row["repo"], re.IGNORECASE):
        return True  # its tag says "AWQ", which is 4 bits
    return row["kind"] == "mlx" and MLX_TAG.fullmatch(row["quant"]) is None


def _found(row: Row) -> bool:
    """Return True if llama.cpp finds the row's file by its tag: the tag, then "." or "-"; parts but the first are skipped."""
    path = row["file"]
    return not path or re.search(re.escape(row["quant"]) + "[.-]", path, re.IGNORECASE) is not None


def repositories(rows: list[Row], model: str, sources: dict[tuple[str, str], int]) -> list[list[object]]:
    """Return a model's repositories, best first, as values for JSON: see catalog.artifacts."""
    found: dict[tuple[str, str, str], Repository] = {}
    for row in rows:
        key = row["repo"], FORMATS[row["kind"]], row["confidence"]
        made = found.setdefault(key, Repository(*key[:2], row["tuned"], int(row["publisher_rank"])))
        made.rows.append(row)
    tuned = any(TUNED[r.tuned] < 2 and r.format not in ("ollama", "draft", "projector") for r in found.values())
    kept = [r for r in found.values() if not (tuned and r.tuned == "base")]
    kept.sort(key=lambda r: _order(r, model))
    paths: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        paths[row["repo"]].add(row["file"])
    return [_repository(r, sorted(paths[r.name] - {""}), sources) for r in kept]


def _order(repository: Repository, model: str) -> tuple[object, ...]:
    """Return what decides the order: tuned, plain, listed by a machine, publisher, exact sizes, short name."""
    listed = repository.rows[0]["confidence"] == "listing"
    exact = any(r["bytes"] and r["bytes"][0] != "~" for r in repository.rows)
    special = len(set(SPECIAL.findall(repository.name.rpartition("/")[2].lower())) - set(SPECIAL.findall(model)))
    tuned = TUNED[repository.tuned]
    return (tuned, special, not listed, repository.rank, not exact, len(repository.name), repository.name)


def _repository(repository: Repository, paths: list[str], sources: dict[tuple[str, str], int]) -> list[object]:
    """Return a repository as values for JSON. paths: of all its files that were seen."""
    by_tag: dict[str, list[Row]] = defaultdict(list)
    for row in repository.rows:
        by_tag[_tag(row)].append(row)
    if repository.format == "gguf" and len(by_tag) > 1:
        by_tag.pop("", None)  # the repository itself, seen without its files
    projector = next((r for r in repository.rows if r["mmproj_file"]), None)
    beside = [projector["mmproj_file"], *_bytes(projector["mmproj_bytes"])] if projector is not None else []
    files = [made for tag, same in sorted(by_tag.items()) for made in _files(repository.format, tag, same, sources)]
    if repository.format == "gguf":
        files = [f for f in files if _finds(paths, f)]
    mtp = any(r["mtp"] == "yes" for r in repository.rows)
    return [repository.name, repository.format, repository.tuned, repository.rank, int(mtp), beside, files]


def _finds(paths: list[str], record: list[object]) -> bool:
    """Return True if llama.cpp takes the very file of a record for its tag."""
    tag, files = str(record[0]), record[1]
    return not files or find_model(paths, tag) in files  # type: ignore[operator]


def _tag(row: Row) -> str:
    """Return the tag that people use: of MLX's MXFP4, which keeps what is no expert in another format, with that."""
    kept = re.search(r"mxfp4-(q\d)$", row["repo"], re.IGNORECASE) if row["quant"] == "mxfp4" else None
    return f"mxfp4-{kept[1].lower()}" if kept else row["quant"].removeprefix("native ")


def _files(kind: str, tag: str, rows: list[Row], sources: dict[tuple[str, str], int]) -> list[list[object]]:
    """Return one record for each file of a tag: the best one of a model, every projector and every draft."""
    sets: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        sets[PARTS.sub(r"-of-\2", row["file"])].append(row)
    if len(sets) > 1:
        sets.pop("", None)
    records = [_record(tag, same, sources) for same in sets.values()]
    records.sort(key=lambda pair: pair[0])
    return [r for _, r in (records if kind in ("projector", "draft") else records[:1])]


def _record(tag: str, rows: list[Row], sources: dict[tuple[str, str], int]) -> tuple[tuple[object, ...], list[object]]:
    """Return a record and what decides which of several uploads counts: listed, exact, newest."""
    best = min(rows, key=lambda r: (r["confidence"] != "listing", not r["bytes"], r["bytes"][:1] == "~", _late(r)))
    files = sorted({r["file"] for r in rows if r["file"]})
    size, rounded = _sum(rows, best)
    source = sources.setdefault((best["source"], best["licence_of_source"]), len(sources))
    listed = best["confidence"] == "listing"
    order = (not listed, not size, rounded, _late(best))
    return order, [tag, files, size, int(rounded), source, best["date"], int(listed)]


def _late(row: Row) -> tuple[int, ...]:
    return tuple(-int(n) for n in re.findall(r"\d+", row["date"]))


def _sum(rows: list[Row], best: Row) -> tuple[int, bool]:
    """Return the bytes of all parts, 0 if they are not all known, and whether they are rounded."""
    parts = {r["file"]: _bytes(r["bytes"]) for r in rows if PARTS.search(r["file"])}
    if not parts:
        return _bytes(best["bytes"])
    whole = next((r for r in rows if r["bytes"] and SUMMED.search(r["source"])), None)
    if whole is not None:
        return _bytes(whole["bytes"])
    count = int(PARTS.search(next(iter(parts)))[2])  # type: ignore[index]
    known = [size for size, _ in parts.values() if size]
    return (sum(known), any(r for _, r in parts.values())) if len(known) == count else (0, False)


def _bytes(text: str) -> tuple[int, bool]:
    return (int(text.lstrip("~")), text.startswith("~")) if text else (0, False)


if __name__ == "__main__":
    main()
