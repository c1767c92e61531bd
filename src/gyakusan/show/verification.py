"""What the hub says of published files."""

from __future__ import annotations

from gyakusan.engines.verification import Finding, Verification
from gyakusan.message import Message, say
from gyakusan.show.tree import Column, Table, Text, Tree

FINDING_TEXTS = {
    "gone": "the repository is gone",
    "closed": "private or gated",
    "tag": "no such file",
    "size": "another size",
    "unread": "not read",
}


def screen(value: Verification) -> Tree:
    """Return one sentence, and a row for each difference."""
    facts = {"n": f"{value.repositories:,}", "files": f"{value.references:,}", "endpoint": value.endpoint}
    if not value.findings:
        return (Text(say("{files} published files in {n} repositories are as {endpoint} has them.", **facts)),)
    differ = f"{len(value.findings):,}"
    verdict = say("{differ} of {files} published files differ from {endpoint}.", differ=differ, **facts)
    columns = (
        Column(say("repository")), Column(say("tag")), Column(say("finding")),
        Column(say("known (bytes)"), "number", leaves=2), Column(say("found (bytes)"), "number", leaves=1),
    )  # fmt: skip
    reasons = dict.fromkeys(f.reason for f in value.findings if f.kind == "unread" and f.reason is not None)
    notes = tuple(Text(reason, "note") for reason in list(reasons)[:5])
    return Text(verdict), Table(columns, tuple(_row(f) for f in value.findings)), *notes


def _row(finding: Finding) -> tuple[str | Message, ...]:
    return (
        finding.repository, finding.quantization, Message(FINDING_TEXTS[finding.kind]), _bytes(finding.known),
        _bytes(finding.found),
    )  # fmt: skip


def _bytes(size: int | None) -> str:
    return "" if size is None else f"{size:,}"
