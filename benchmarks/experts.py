"""Would an expert sign the answer? Boxes with their people, each with the expert's models and his reason (experts.toml).

    python benchmarks/experts.py [--json] [--only TEXT] [--why]

A box holds if one of the expert's models stands in the first three plans, and the first is none that would be wrong. Printed is
each box, the first three plans, and for a box that does not hold what why-not says of the expert's models (--why). Exit code 1
if a box neither holds nor says in the data why we disagree.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # as a script: its folder alone is on the path

import gyakusan
from benchmarks.plan_judges.expert import FIRST, Box, accepted, boxes, called, fault
from gyakusan.planning.select.plan import Plan
from gyakusan.planning.select.why_not import why_not
from gyakusan.python.planning import Plans

REASONS = 3
"""Models of an expert that why-not is asked about."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A box and its answer.

    box: what was asked
    first: the first plans in words
    fault: what an expert objects to, "" = nothing
    reasons: what why-not says of the expert's models, where asked
    leads: the very first plan is one of the expert's
    """

    box: Box
    first: tuple[str, ...]
    fault: str
    reasons: tuple[str, ...] = ()
    leads: bool = False

    @property
    def holds(self) -> bool:
        """True if an expert would sign, or the data say why we disagree."""
        return not self.fault or bool(self.box.disagree)


def judge(box: Box, *, why: bool = False) -> Judged:
    """Ask one box."""
    try:
        answer = gyakusan.plan(**box.values)
    except gyakusan.GyakusanError as error:
        return Judged(box, (), f"{type(error).__name__}: {error}")
    found = fault(box, answer.plans)
    first = tuple(_words(p) for p in answer.plans[:FIRST])
    reasons = tuple(_reasons(answer, box)) if why and found else ()
    return Judged(box, first, found, reasons, leads=bool(answer.plans) and accepted(box, answer.plans[0]))


def _words(plan: Plan) -> str:
    speed = "?" if plan.pace is None else f"{plan.pace.decode_each.value:.0f}"
    copies = f" x {plan.replicas} replicas" if plan.replicas > 1 else ""
    where = "" if plan.offer.owned else f" on {plan.offer.machine.name}"
    return f"{plan.name} {plan.quantization} {plan.engine}{copies}{where} ({plan.score.value:.0f}, {speed} tokens/s)"


def _reasons(answer: Plans, box: Box) -> Iterator[str]:
    """Yield what why-not says of the expert's first models that the catalogue has."""
    named = [m.name for b in box.models for m in answer.grid.columns.models if called(m.name, [b])]
    for name in list(dict.fromkeys(named))[:REASONS]:
        yield str(why_not(answer, name).reasons[0])


def report(judged: Sequence[Judged]) -> str:
    """Return a line for each box with its first plans, then the counts."""
    lines = []
    for each in judged:
        verdict = "holds" if not each.fault else "differs" if each.box.disagree else "MISS "
        lines.append(f"{verdict}  {each.box.command}")
        lines += [f"         {n}. {text}" for n, text in enumerate(each.first, 1)]
        if each.fault:
            lines.append(f"         {each.fault}. The expert: {', '.join(each.box.models)}. {each.box.why}")
        if each.fault and each.box.disagree:
            lines.append(f"         We disagree: {each.box.disagree}")
        lines += [f"         why not: {text}" for text in each.reasons]
    for source, text in (("field", "the consultants' table"), ("own", "our own")):
        part = [j for j in judged if j.box.source == source]
        signed, differ = sum(not j.fault for j in part), sum(bool(j.fault and j.box.disagree) for j in part)
        leads = sum(j.leads for j in part)
        lines.append(
            f"{text}: {signed} of {len(part)} boxes hold, {differ} differ with a reason; "
            f"the expert's own comes first in {leads}"
        )
    return "\n".join(lines)


def as_json(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Return the judged boxes for programs."""
    return [
        {
            "command": j.box.command,
            "source": j.box.source,
            "holds": not j.fault,
            "fault": j.fault,
            "disagree": j.box.disagree,
            "leads": j.leads,
            "first": list(j.first),
            "accept": list(j.box.models),
            "why": j.box.why,
            "reasons": list(j.reasons),
        }
        for j in judged
    ]


def main() -> None:
    """Read the arguments, ask, print; exit with 1 if a box is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--why", action="store_true", help="what why-not says of the expert's models")
    parser.add_argument("--only", default="", help="boxes whose command contains this")
    said = parser.parse_args()
    judged = [judge(b, why=said.why) for b in boxes() if said.only in b.command]
    print(json.dumps(as_json(judged), indent=1, ensure_ascii=False) if said.json else report(judged))
    sys.exit(0 if all(j.holds for j in judged) else 1)


if __name__ == "__main__":
    main()
