"""Benchmark scores of many sources -> data/quality/scores.csv.gz and sizes.csv: only what a licence lets us ship.

    python -m tools.quality_scores --observations obs.csv.gz --raw quality.csv --cards extra_scores.csv --models models.json

observations: one row per model, reasoning mode and item, normalised by hand (hf_id, mode, item, y, weight, source, vendor,
domain, src_name); raw, cards: where each came from, with licence, date and address; models: sizes.
A row is kept when its licence is in LICENCES; LMArena, LiveBench, Nejumi and figures of Artificial Analysis have none.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gyakusan.catalog.quality_names import short_name, sizes_in

DATA = Path(__file__).resolve().parent.parent / "src" / "gyakusan" / "catalog" / "data" / "quality"
FIELDS = (
    *("hf_id", "mode", "effort", "item", "value", "weight", "vendor", "domain"),
    *("source", "url", "date", "licence", "reporter", "harness"),
)
LICENCES = {
    "swallow": "CC BY 4.0",
    "llmstats": "CC BY 4.0",
    "evalplus": "Apache-2.0",
    "aider": "Apache-2.0",
}
CARDS = re.compile(r"^(Apache-2\.0 \(model repo\)|MIT \(model repo\)|MIT \(models\.dev\))$")
"""Licences of model cards and of models.dev: the whole text, since "MIT (models.dev), origin ...: facts only" is not one."""
ADDRESS = {
    "swallow": "swallow-llm/leaderboard",
    "llmstats": "JonathanChavezTamales/",
    "evalplus": "evalplus/",
    "aider": "Aider-AI/",
}
RECALLED = {
    "deepseek-ai/DeepSeek-V4-Flash": (284e9, 13e9),
    "deepseek-ai/DeepSeek-V4-Pro": (1650e9, 49e9),
    "deepseek-ai/DeepSeek-V3": (671e9, 37e9),
    "deepseek-ai/DeepSeek-V3-0324": (671e9, 37e9),
    "deepseek-ai/DeepSeek-V3.1": (671e9, 37e9),
    "deepseek-ai/DeepSeek-V3.1-Terminus": (671e9, 37e9),
    "deepseek-ai/DeepSeek-V3.2": (685e9, 37e9),
    "deepseek-ai/DeepSeek-V3.2-Exp": (685e9, 37e9),
    "deepseek-ai/DeepSeek-R1": (671e9, 37e9),
    "deepseek-ai/DeepSeek-R1-0528": (671e9, 37e9),
    "deepseek-ai/DeepSeek-R1-Zero": (671e9, 37e9),
    "deepseek-ai/DeepSeek-V2.5": (236e9, 21e9),
    "deepseek-ai/DeepSeek-Coder-V2-Instruct": (236e9, 21e9),
    "deepseek-ai/DeepSeek-Coder-V2-Instruct-0724": (236e9, 21e9),
    "moonshotai/Kimi-K2-Base": (1040e9, 32e9),
    "moonshotai/Kimi-K2-Instruct": (1040e9, 32e9),
    "moonshotai/Kimi-K2-Instruct-0905": (1040e9, 32e9),
    "moonshotai/Kimi-K2-Thinking": (1040e9, 32e9),
    "moonshotai/Kimi-K2.5": (1040e9, 32e9),
    "moonshotai/Kimi-K2.6": (1040e9, 32e9),
    "MiniMaxAI/MiniMax-M2": (230e9, 10e9),
    "MiniMaxAI/MiniMax-M2.1": (230e9, 10e9),
    "MiniMaxAI/MiniMax-M2.5": (230e9, 10e9),
    "MiniMaxAI/MiniMax-M2.7": (230e9, 10e9),
    "zai-org/GLM-4.5": (357e9, 32e9),
    "zai-org/GLM-4.6": (357e9, 32e9),
    "zai-org/GLM-4.7": (357e9, 32e9),
    "zai-org/GLM-5": (744e9, 40e9),
    "zai-org/GLM-5.1": (753e9, 40e9),
    "openai/gpt-oss-20b": (20.9e9, 3.6e9),
    "openai/gpt-oss-120b": (116.8e9, 5.1e9),
    "mistralai/Mistral-Small-3.2-24B-Instruct-2506": (24e9, 24e9),
}
"""Weights, all and active, where the Hub's count is wrong or missing. Recalled from model cards, November 2026."""
Row = dict[str, str]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("observations", "raw", "cards", "models"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    scores = list(clear(read(options.observations), read(options.raw), read(options.cards)))
    write(options.out / "scores.csv.gz", FIELDS, scores)
    models = {str(m["hf_id"]): m for m in json.loads(options.models.read_text("utf-8"))}
    known = sizes(scores, read(options.raw), models)
    write(options.out / "sizes.csv", ("hf_id", "parameters", "active", "released", "source"), known)
    print(f"{len(scores)} scores, {len({r['hf_id'] for r in scores})} models, {len({r['item'] for r in scores})} items")


def clear(observations: Iterable[Row], raw: Iterable[Row], cards: Iterable[Row]) -> Iterator[Row]:
    """Rows under a licence, each with address and date."""
    boards = {(s, r["model"]): r for r in raw for s, a in ADDRESS.items() if a in r["source"]}
    shown: dict[tuple[str, str], list[Row]] = {}
    for card in cards:
        shown.setdefault((card["model"], card["benchmark"]), []).append(card)
    for o in observations:
        origin = _card(o, shown) if o["source"] == "cards" else _board(o, boards)
        if origin is not None:
            same = {k: o[k] for k in ("hf_id", "mode", "item", "weight", "vendor", "domain")}
            yield {**same, "value": o["y"], "effort": "", "reporter": "", "harness": "", **origin}


def _board(o: Row, boards: Mapping[tuple[str, str], Row]) -> Row | None:
    """Origin of a leaderboard's row, None if no licence covers it. date: of the run (Aider) or of the published table."""
    if o["source"] not in LICENCES:
        return None
    origin = boards[o["source"], o["src_name"]]
    address = origin["source"]
    date = re.search(r"commit date (\d{4}-\d\d-\d\d)", address)
    assert date, address
    when = origin["date"] if o["source"] == "aider" else date[1]
    return {"source": o["source"], "url": address.split(" ")[0], "date": when, "licence": LICENCES[o["source"]]}


def _card(o: Row, shown: Mapping[tuple[str, str], list[Row]]) -> Row | None:
    """Origin of a maker's row: the card whose value it is."""
    rows = shown.get((o["hf_id"], o["item"].split("/")[-1]), [])
    rows = [r for r in rows if abs(float(r["score"]) / 100 - float(o["y"])) < 1e-4 and CARDS.match(r["licence"])]
    if not rows:
        return None
    row = rows[0]
    models_dev = "models.dev" in row["licence"]
    licence = "MIT" if models_dev or row["licence"].startswith("MIT") else "Apache-2.0"
    url = row["seen_at"].split(" ")[0] if models_dev else row["source"]
    return {"source": "models.dev" if models_dev else "card", "url": url, "date": row["date"], "licence": licence}


def sizes(scores: Iterable[Row], raw: Iterable[Row], models: Mapping[str, Mapping[str, object]]) -> Iterator[Row]:
    """Size and release date of the open models among the scores, where a source gives them: Swallow, ours, recalled, the Hub."""
    board = {r["model"]: r for r in raw if ADDRESS["swallow"] in r["source"]}
    for name in sorted({r["hf_id"] for r in scores if not r["hf_id"].startswith("ext/")}):
        row = board.get(name)
        released = row["date"] if row else ""
        if name in RECALLED:
            whole, used = RECALLED[name]
            yield _size(name, whole, used, released, "recalled")
        elif row is not None and row["params_b"]:
            yield _size(name, float(row["params_b"]) * 1e9, float(row["active_b"]) * 1e9, released, "swallow")
        elif known := _hub(name, models):
            yield _size(name, *known, released, "hub")


def _size(name: str, whole: float, used: float | None, released: str, source: str) -> Row:
    active = "" if used is None else f"{used:.0f}"
    return {"hf_id": name, "parameters": f"{whole:.0f}", "active": active, "released": released, "source": source}


def _hub(name: str, models: Mapping[str, Mapping[str, object]]) -> tuple[float, float | None] | None:
    """Weights as the Hub counts them, None where the count contradicts the name (packed 4-bit weights, adapters)."""
    model = models.get(name, {})
    count, active = model.get("params"), model.get("active_params")
    if not isinstance(count, (int, float)) or not count:
        return None
    named, used = sizes_in(short_name(name))
    if named and not 0.6 * named <= count <= 2.2 * named:
        return None
    return float(count), used or (float(active) if isinstance(active, (int, float)) else None)


def read(path: Path) -> list[Row]:
    """Rows of a CSV file, packed or not."""
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def write(path: Path, fields: Iterable[str], rows: Iterable[Row]) -> None:
    """A CSV file; packed without a time stamp, so that the same rows give the same bytes."""
    out = io.StringIO()
    writer = csv.DictWriter(out, tuple(fields), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    data = out.getvalue().encode("utf-8")
    path.write_bytes(gzip.compress(data, 9, mtime=0) if path.suffix == ".gz" else data)


if __name__ == "__main__":
    main()
