"""What judges say, and how it is counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

KINDS: Mapping[str, str] = {
    "answered": "questions with an answer or a way to one",
    "artifact": "commands that resolve to a tuned artifact",
    "arguments": "arguments that the server's parser takes",
    "inspect": "plans whose inspect agrees to the byte",
    "price": "prices with size, kind and age",
    "machine": "machines within slots, supply and outlet",
    "money": "answers not worse with more money",
    "label": "labels that the table bears out",
}
"""Judge -> what it counts. The target of each is all."""
SHOWN = 5
"""Failing examples of each judge that a report names."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was judged.

    kind: the judge
    subject: what was judged
    why: what is wrong, "" = nothing
    """

    kind: str
    subject: str
    why: str = ""


@dataclass(slots=True)
class Tally:
    """Verdicts, counted.

    seen: number of verdicts by judge
    failed: the verdicts that found something
    notes: further figures, for information
    """

    seen: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    failed: list[Verdict] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, verdicts: Iterable[Verdict]) -> None:
        """Count verdicts."""
        for verdict in verdicts:
            self.seen[verdict.kind] += 1
            if verdict.why:
                self.failed.append(verdict)

    def bad(self, kind: str) -> list[Verdict]:
        """Return what one judge found."""
        return [v for v in self.failed if v.kind == kind]

    @property
    def missed(self) -> tuple[str, ...]:
        """Return the judges whose target is missed: something failed, or nothing was judged."""
        return tuple(k for k in KINDS if self.bad(k) or not self.seen[k])


def report(tally: Tally) -> str:
    """Return a table, and the first failing examples of each judge."""
    lines = [f"{'':46} {'judged':>7} {'failed':>7} {'held':>8}"]
    for kind, text in KINDS.items():
        seen, bad = tally.seen[kind], tally.bad(kind)
        share = f"{100 * (1 - len(bad) / seen):.1f} %" if seen else "none"
        lines.append(f"{text:46} {seen:7} {len(bad):7} {share:>8}")
    lines += [f"{name}: {text}" for name, text in tally.notes.items()]
    for kind in KINDS:
        bad = tally.bad(kind)
        if bad:
            lines += ["", f"{kind}: {len(bad)} failed"]
            lines += [f"  {v.subject}\n    {v.why}" for v in _spread(bad)]
    return "\n".join(lines)


def _spread(bad: list[Verdict]) -> list[Verdict]:
    """Return examples that differ in what is wrong, as far as there are."""
    first: dict[str, Verdict] = {}
    for verdict in bad:
        first.setdefault("".join(c for c in verdict.why if not c.isdigit())[:60], verdict)
    return [*first.values(), *(v for v in bad if v not in first.values())][:SHOWN]
