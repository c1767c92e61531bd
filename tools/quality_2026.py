"""Scores of 2025-26 (quality_2026.csv) -> data/quality/scores.csv.gz and sizes.csv, beside the older ones.

    python -m tools.quality_2026 --rows ../shared/data/quality_2026.csv

Kept: what the maker says of its own model, and what others measured under an open licence. Left out: what a maker says of a
rival's model, boards without a licence, and what does not measure strength. The rule and its reasons: docs/decisions/0023.
A new row takes the place of an older one of the same model, mode, effort and item.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tools.quality_scores import DATA, FIELDS, Row, read, write

from gyakusan.catalog.quality_names import default_mode

MAKER = "maker's own figure"
"""Licence of a figure that a maker publishes of its own model: a fact, given with its address."""
SOURCES = {
    "vendor": ("card", MAKER),
    "openhands": ("openhands", "MIT"),
    "shaberi-gpt-4.1": ("shaberi", "Apache-2.0"),
    "shaberi-gpt-5.1": ("shaberi", "Apache-2.0"),
    "ja": ("jmedqa", "MIT"),
    "tau2-official": ("tau2", "MIT"),
    "indep/bfcl-v4": ("bfcl", "Apache-2.0"),
}
"""First part of a benchmark's name, or all of it -> source, licence. What is not named here is not shipped."""
BOARDS = {"indep/bfcl-v4": "https://gorilla.cs.berkeley.edu/leaderboard.html"}
"""Address of a board whose rows give none."""
SCALES = {
    "percent": (0.0, 100.0),
    "fraction": (0.0, 1.0),
    "judge points": (0.0, 10.0),
    "judge points 0-10": (0.0, 10.0),
}
FIVE = (1.0, 5.0)
"""Scale of ELYZA-100."""
JUDGED = 0.4
"""Weight of an item that a language model judges, as of Swallow's MT-bench."""
AGENT = re.compile(r"^openhands/|/(swe|tb\d|tb-hard|nl2repo|deepswe|commit0|programbench)")
CODE = re.compile(
    r"/(lcb|livecodebench|humaneval|mbpp|evalplus|aider|multipl|ojbench|scicode|polyglot|edit)|coding|LCB|JHumanEval"
)
REASON = re.compile(
    r"/(aime|hmmt|imo|gpqa|math|hle|supergpqa|zebralogic|polymath|bbeh|bbh|gsm8k|mgsm|MATH|AIME|GPQA|PolyMath|reasoning)"
)
JAPANESE = re.compile(r"^(shaberi|ja/)|/ja-")
RENAMED = (("tokyotech-llm/Qwen-3-Swallow", "tokyotech-llm/Qwen3-Swallow"),)
"""A repository as its maker's board writes it -> as the Hub has it."""
FULL_EFFORT = re.compile(r"^openai/gpt-oss")
"""Their maker's figures and Aider's are of high effort where nothing else is said. Source: gpt-oss model card
(arxiv 2508.10925, table 3) and polyglot_leaderboard.yml of Aider ("gpt-oss-120b (high)")."""
OF_BASE = {
    ("Qwen/Qwen3-235B-A22B", f"vendor/{item}")
    for item in (
        "gpqa",
        "gsm8k",
        "math",
        "mbpp",
        "mgsm",
        "mmlu",
        "mmlu-pro",
        "mmlu-redux",
        "mmmlu",
        "multipl-e",
        "supergpqa",
    )
}
"""Figures that LLM Stats gives to a chat model and its maker to the base model. Source: arxiv 2505.09388, table 3."""
CARD = {"https://github.com/anomalyco/models.dev": "https://huggingface.co/{model}"}
"""An address that shows nothing -> the card that it quotes."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    fresh = read(options.rows)
    scores = merged(read(options.out / "scores.csv.gz"), fresh)
    write(options.out / "scores.csv.gz", FIELDS, scores)
    known = sizes(read(options.out / "sizes.csv"), fresh, {r["hf_id"] for r in scores})
    write(options.out / "sizes.csv", ("hf_id", "parameters", "active", "released", "source"), known)
    print(f"{len(scores)} scores, {len({r['hf_id'] for r in scores})} models, {len({r['item'] for r in scores})} items")


def merged(old: Iterable[Row], fresh: Iterable[Row]) -> list[Row]:
    """Return older rows and those that may be shipped, one for each model, mode, effort and item, in order of names."""
    table: dict[tuple[str, ...], Row] = {}
    for row in (*map(completed, old), *sorted(shipped(fresh), key=lambda r: r["date"])):
        of_base = row["source"] == "llmstats" and (row["hf_id"], row["item"]) in OF_BASE
        if row["vendor"] != "rival" and not of_base:
            table[tuple(row[k] for k in ("hf_id", "mode", "effort", "item"))] = row
    same = {(r["hf_id"], r["mode"], r["item"], r["value"]) for r in table.values() if r["effort"]}
    kept = [r for r in table.values() if r["effort"] or (r["hf_id"], r["mode"], r["item"], r["value"]) not in same]
    return sorted(kept, key=lambda r: tuple(r[k] for k in ("hf_id", "mode", "item", "effort")))


def shipped(rows: Iterable[Row]) -> Iterator[Row]:
    """Rows of quality_2026.csv that may be shipped, in the form of scores.csv.gz."""
    for r in rows:
        found = SOURCES.get(r["benchmark"]) or SOURCES.get(r["benchmark"].split("/")[0])
        if found is None or r["vendor"] == "competitor":
            continue
        source, licence = found
        open_card = re.match(r"(Apache-2\.0|MIT) \(model", r["licence"])
        low, high = FIVE if r["benchmark"].endswith("elyza100") else SCALES[r["unit"]]
        model = renamed(r["model"])
        yield {
            "hf_id": model,
            "mode": default_mode(model) if r["mode"] == "unknown" else r["mode"],
            "effort": effort(
                {**r, "source": source, "effort": "" if r["effort"] in ("none", "default") else r["effort"]}
            ),
            "item": r["benchmark"],
            "value": f"{(float(r['score']) - low) / (high - low):.5g}",
            "weight": str(JUDGED) if "judge" in r["unit"] else "1.0",
            "vendor": r["vendor"],
            "domain": domain(r["benchmark"]),
            "source": "models.dev" if "models.dev" in r["licence"] else source,
            "url": address(r, model),
            "date": r["date"],
            "licence": open_card[1] if open_card else licence,
            "reporter": model.split("/")[0] if r["vendor"] == "1" else r["reporter"],
            "harness": re.sub(r" v\d[\d.]*$", "", r["harness"]),
        }


def address(row: Row, model: str) -> str:
    """Return where a figure stands: the address that the row gives, else the maker's card or the board."""
    first = row["source"].split(" ")[0]
    if first.startswith("https://"):
        return first
    return f"https://huggingface.co/{model}" if row["vendor"] == "1" else BOARDS[row["benchmark"]]


def completed(row: Row) -> Row:
    """Return an older row with effort, reporter and harness, and with what was wrong in it mended."""
    model, owner = renamed(row["hf_id"]), row["hf_id"].split("/")[0]
    page = re.match(r"https://huggingface\.co/([^/]+)/", row["url"])
    rival = row["source"] == "card" and page and page[1].casefold() != owner.casefold()
    reporter = owner if row["vendor"] == "1" else row["source"]
    return {
        **row,
        "hf_id": model,
        "effort": effort({"model": model, **row}),
        "domain": domain(row["item"]),
        "vendor": "rival" if rival else row["vendor"],
        "url": CARD.get(row["url"], row["url"]).format(model=model),
        "reporter": row.get("reporter") or reporter,
        "harness": row.get("harness", ""),
    }


def effort(row: Row) -> str:
    """Return the effort of a row, "" = the model's default or not said."""
    said = row.get("effort", "")
    full = FULL_EFFORT.match(row["model"]) and (row["vendor"] == "1" or row["source"] == "aider")
    return said or ("high" if full else "")


def renamed(model: str) -> str:
    """Return a repository as the Hub has it."""
    for board, hub in RENAMED:
        model = model.replace(board, hub)
    return model


def domain(item: str) -> str:
    """Return what an item measures beside general ability: "ja", "code", "reason", "agent", two with +, or "general"."""
    japanese = bool(JAPANESE.search(item)) or "/ja_" in item
    if AGENT.search(item):
        return "agent"
    kind = "code" if CODE.search(item) else "reason" if REASON.search(item) else ""
    if item == "swallow2/ja_mtb/reasoning":
        kind = ""
    return "+".join(w for w in ("ja" if japanese else "", kind) if w) or "general"


def sizes(old: Iterable[Row], fresh: Iterable[Row], scored: Iterable[str]) -> list[Row]:
    """Return sizes of all scored models: as before, else as the new rows give them."""
    known = {renamed(r["hf_id"]): {**r, "hf_id": renamed(r["hf_id"])} for r in old}
    wanted = set(scored)
    for r in fresh:
        name = renamed(r["model"])
        if name not in known and name in wanted and r["params_b"]:
            known[name] = {
                "hf_id": name,
                "parameters": f"{float(r['params_b']) * 1e9:.0f}",
                "active": f"{float(r['active_b']) * 1e9:.0f}" if r["active_b"] else "",
                "released": "",
                "source": "quality_2026",
            }
    return [known[n] for n in sorted(known) if n in wanted]


if __name__ == "__main__":
    main()
