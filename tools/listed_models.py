"""Write catalog/data/listing.json: which models are not proposed, and why, by the rule of catalog/listing_rule.py.

python tools/listed_models.py          write
python tools/listed_models.py --check  exit code 1 if the rule says something else than the file

Run it after every change of records, of data/quality, of data/artifacts.jsonl or of data/hub.csv.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

from gyakusan.catalog.listing import FILE
from gyakusan.catalog.listing_facts import candidates
from gyakusan.catalog.listing_rule import Candidate, Verdict, compared_scores, decide


def main() -> int:
    """Decide; write, or compare."""
    models = candidates()
    verdicts = decide(models)
    text = encoded(models, verdicts)
    if "--check" in sys.argv:
        return 0 if FILE.read_text("utf-8") == text else 1
    FILE.write_text(text, "utf-8")
    print(f"{sum(v is None for v in verdicts.values())} of {len(models)} models are proposed")
    return 0


def encoded(models: Sequence[Candidate], verdicts: Mapping[str, Verdict | None]) -> str:
    """Return the file: one line for each model that is not proposed."""
    by_name = {m.name: m for m in models}
    lines = [f"{json.dumps(n)}: {json.dumps(_row(by_name, n, v))}" for n, v in verdicts.items() if v is not None]
    return '{"unlisted": {\n' + ",\n".join(lines) + "\n}}\n"


def _row(models: Mapping[str, Candidate], name: str, verdict: Verdict) -> list[object]:
    """Return the fields of catalog.listing.Unlisted."""
    model = models[name]
    if not verdict.other:
        return [verdict.why, "", 0, 0, model.scores, ""]
    other = models[verdict.other]
    mine, its = compared_scores(other, model)
    thinks = "on" in other.modes and model.judged == "off"
    return [verdict.why, other.name, round(mine.value), round(its.value), model.scores, "off" if thinks else ""]


if __name__ == "__main__":
    sys.exit(main())
