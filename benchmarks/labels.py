"""Do labels, rows and reasons follow from the figures beside them? 300 questions for plan, some of them for fleet and upgrade.

    python benchmarks/labels.py [--questions N] [--seed N] [--json]

Judged: labels (the largest or smallest figure shown), no row that another beats in all, a model once, `--prefer` in its
direction, why-not of three models of each question (the winner is ahead by the figure that is named). Exit code 1 if one fails.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

import gyakusan
from benchmarks.plan_judges import consistency, rows
from benchmarks.plan_judges.questions import Question, questions
from benchmarks.plan_judges.verdict import Verdict
from gyakusan.planning.fleet import labels as fleet_labels
from gyakusan.planning.fleet.ranking import lacks_for_cheapest
from gyakusan.planning.select.why_not import why_not
from gyakusan.planning.upgrade import labels as upgrade_labels
from gyakusan.python.planning import Plans

SEED = 20261128
COUNT = 300
PREFER_EVERY, OTHERS_EVERY = 3, 10
"""Each third question is asked with every preference, each tenth of fleet and upgrade too."""
REASONS = 3
"""Models of each question that why-not is asked about."""
SHOWN = 6
KINDS: Mapping[str, str] = {
    "label": "labels that the table bears out",
    "row": "rows that no other beats in all",
    "once": "models with one row",
    "prefer": "preferences in their direction",
    "reason": "reasons that do not refute themselves",
    "fleet": "fleets: labels and rows",
    "upgrade": "upgrades: labels and rows",
}


@cache
def ask(values: tuple[tuple[str, Any], ...]) -> Plans:
    """Return the answer of a question."""
    return gyakusan.plan(**dict(values))


def judged(question: Question) -> Iterator[Verdict]:
    """Yield every verdict on one question."""
    values, said = question.values, question.command
    answer = ask(tuple(values.items()))
    owned = answer.request.owned
    yield from consistency.labels(said, answer.plans, answer.request)
    yield from rows.dominated(said, answer.plans, "price" if owned else "spare")
    yield from rows.once(said, answer.plans, owned=owned, named="model" in values)
    if answer.plans:
        names = sorted({answer.grid.columns.models[i].name for i in set(answer.grid.models.tolist())})
        rng = random.Random(question.number)
        for name in rng.sample(names, min(REASONS, len(names))):
            yield rows.reason(said, answer, why_not(answer, name, tries=False))
    if question.number % PREFER_EVERY == 0:
        yield from rows.prefer(said, values, lambda v: ask(tuple(v.items())))
    if question.number % OTHERS_EVERY == 0:
        yield from _others(question)


def _others(question: Question) -> Iterator[Verdict]:
    """Yield verdicts on a fleet and an upgrade for the same people."""
    shared = {k: v for k, v in question.values.items() if k in ("task", "language", "context", "users")}
    if "device" in question.values:
        device = {"device": question.values["device"], **shared}
        found = gyakusan.fleet(**{**device, "users": 40 * shared["users"]})
        asked = found.request.plan_request
        yield from compared(
            "fleet", question.command, found.plans, fleet_labels.shown_figures, FLEET,
            lambda role, fleet: role != "cheapest" or not lacks_for_cheapest(asked, fleet),
        )  # fmt: skip
        steps = gyakusan.upgrade(**device, budget="400000JPY").steps
        yield from compared("upgrade", question.command, steps, upgrade_labels.shown_figures, UPGRADE)


FLEET = {
    "best": ("quality", 1),
    "fastest": ("answer", 1),
    "cheapest": ("price", -1),
    "fewest": ("machines", -1),
}
UPGRADE = {"best": ("quality", 1), "fastest": ("speed", 1), "cheapest": ("price", -1)}
"""Label -> the figure, and 1 if more of it is better."""


def compared(
    kind: str, subject: str, plans: Any, shown: Any, labels: Mapping[str, tuple[str, int]],
    may_have: Callable[[str, Any], bool] = lambda _role, _plan: True,
) -> Iterator[Verdict]:  # fmt: skip
    """Yield verdicts on rows of one command: labels at the extreme of their figure, no row that another beats in all.

    may_have: whether a row keeps what a label promises; it is at the extreme of those rows, and itself one of them
    """
    table = [shown(p) for p in plans]
    for mine, plan in zip(table, plans, strict=True):
        for role in plan.roles:
            if role in labels:
                name, sign = labels[role]
                best = max(
                    sign * getattr(f, name) for f, p in zip(table, plans, strict=True) if may_have(role, p) or p is plan
                )
                wrong = sign * getattr(mine, name) < best or not may_have(role, plan)
                yield Verdict(kind, f"{subject}: {role}", f"{name} {abs(best):g} is shown elsewhere" if wrong else "")
        beaten = any(f.beats(mine) for f in table)
        yield Verdict(kind, f"{subject}: row", "another row beats it in all" if beaten else "")


def run(count: int, seed: int) -> tuple[Counter[str], list[Verdict]]:
    """Return how many verdicts of each kind there are, and those that found something."""
    seen: Counter[str] = Counter()
    failed = []
    for question in questions(count, seed):
        ask.cache_clear()
        for verdict in judged(question):
            seen[verdict.kind] += 1
            if verdict.why:
                failed.append(verdict)
    return seen, failed


def report(seen: Mapping[str, int], failed: list[Verdict]) -> str:
    """Return a table, and the first failing examples of each kind."""
    lines = [f"{'':40} {'judged':>7} {'failed':>7}"]
    for kind, text in KINDS.items():
        lines.append(f"{text:40} {seen.get(kind, 0):7} {sum(v.kind == kind for v in failed):7}")
    for kind in KINDS:
        lines += [f"  {kind}: {v.subject}\n    {v.why}" for v in [v for v in failed if v.kind == kind][:SHOWN]]
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, judge, print; exit with 1 if something fails or was never judged."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true")
    said = parser.parse_args()
    seen, failed = run(said.questions, said.seed)
    found = {"seen": dict(seen), "failures": [asdict(v) for v in failed]}
    print(json.dumps(found, indent=1, ensure_ascii=False) if said.json else report(seen, failed))
    sys.exit(1 if failed or set(KINDS) - set(seen) else 0)


if __name__ == "__main__":
    main()
