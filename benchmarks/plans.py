"""Are plans ones that a person can act on? 300 questions through the Python functions, and what each answer promises, judged.

    python benchmarks/plans.py [--questions N] [--seed N] [--json]
        [--llama-server PATH] [--mlx-python PATH] [--vllm-python PATH]

Judged are the printed command (it names published files of a chat model by llama.cpp's own rule, and the server's parser takes
its arguments), inspect (the same bytes), prices (size, kind, age), machines (slots, supply, outlet), chains of budgets (never
worse with more money) and labels. Exit code 1 if a target is missed. Servers' own parsers are asked where a path is given
(recipes: plan_judges/record_options.py); without, their recorded options.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

import gyakusan
from benchmarks.plan_judges import consistency, expert, machines, parsers, references
from benchmarks.plan_judges.questions import Question, budget_chains, questions
from benchmarks.plan_judges.verdict import Tally, Verdict, report
from gyakusan.python.planning import Plans

SEED = 20261128
COUNT = 300


def judged(question: Question, answer: Plans, by: Mapping[str, parsers.Parser]) -> list[Verdict]:
    """Return every verdict on one answer."""
    said = question.command
    none = not answer.plans and not answer.relaxations
    found = [Verdict("answered", said, "neither a plan nor a way to one" if none else "")]
    for plan in answer.plans:
        found += references.judge(said, plan)
        found += parsers.judge(said, plan, by)
        found.append(consistency.agrees(said, plan, question.values))
        found += machines.judge(said, plan, question.values, question.currency)
    return [*found, *consistency.labels(said, answer.plans, answer.request)]


def run(count: int, seed: int, by: Mapping[str, parsers.Parser]) -> Tally:
    """Ask and judge."""
    tally = Tally()
    plans = 0
    for question in questions(count, seed):
        try:
            answer = gyakusan.plan(**question.values)
        except gyakusan.GyakusanError as error:
            tally.add([Verdict("answered", question.command, f"{type(error).__name__}: {error}")])
            continue
        plans += len(answer.plans)
        tally.add(judged(question, answer, by))
    for chain in budget_chains(max(1, count // 25), seed):
        answers = [gyakusan.plan(**q.values) for q in chain]
        tally.add(consistency.money(chain[0].command, answers, [q.values["budget"] for q in chain]))
    tally.notes["plans"] = f"{plans}"
    return tally


def gate(tally: Tally) -> None:
    """Add how many of an expert's boxes hold, for information: `benchmarks/experts.py` judges them."""
    field = [box for box in expert.boxes() if box.source == "field"]
    missed = []
    for box in field:
        try:
            found = gyakusan.plan(**box.values).plans
        except gyakusan.GyakusanError as error:
            missed.append(f"{box.command} -> {error}")
            continue
        if expert.fault(box, found):
            missed.append(f"{box.command} -> {', '.join(p.name for p in found[:3]) or 'nothing'}")
    held = len(field) - len(missed)
    tally.notes["an expert's model in the first three"] = f"{held} of {len(field)} boxes (for information)"
    tally.notes |= {f"  expert {i}": text for i, text in enumerate(missed, 1)}


def as_json(tally: Tally) -> dict[str, Any]:
    """Return the report for programs."""
    return {
        "seen": tally.seen,
        "failed": {k: len(tally.bad(k)) for k in tally.seen},
        "missed": tally.missed,
        "notes": tally.notes,
        "failures": [asdict(v) for v in tally.failed],
    }


def main() -> None:
    """Read the arguments, judge, print; exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=COUNT)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--llama-server", help="llama-server, for its own parser")
    parser.add_argument("--mlx-python", help="the Python in which mlx-lm is installed")
    parser.add_argument("--vllm-python", help="the Python in which vLLM is installed")
    said = parser.parse_args()
    tally = run(said.questions, said.seed, parsers.parsers(said.llama_server, said.mlx_python, said.vllm_python))
    tally.notes["options of llama-server"] = parsers.builds(said.llama_server)
    gate(tally)
    print(json.dumps(as_json(tally), indent=1, ensure_ascii=False) if said.json else report(tally))
    sys.exit(1 if tally.missed else 0)


if __name__ == "__main__":
    main()
