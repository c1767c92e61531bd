"""Our figures beside llama.cpp's own dry run."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.engines.server import DryRunBuild, DryRunLine
from gyakusan.message import Message, say
from gyakusan.show.tree import Pause, Table, Text, Title, Tree, columns
from gyakusan.units import MIB

HEAD_TEXTS = ("buffer", "predicted", "reported", "error")
COLUMNS = columns(HEAD_TEXTS, 1)


def screen(rows: Sequence[DryRunLine], dry: DryRunBuild, gpu: str | None) -> Tree:
    """Return predicted, reported and error of each kind. gpu: the device that was asked about, None for the CPU."""
    head = say("Against a dry run of llama.cpp b{build} on the CPU:", build=dry.build)
    table = Table(COLUMNS, tuple((_kinds(r), _mib(r.ours), _mib(r.theirs), _error(r)) for r in rows))
    if gpu is None:
        return Pause(), Title(head), table
    note = say("The dry run covers the CPU only: both columns are for the CPU, not for {device}.", device=gpu)
    return Pause(), Title(head), table, Text(note, "note")


def _kinds(row: DryRunLine) -> Message:
    kinds = {f"kind{i}": Message(k) for i, k in enumerate(row.kind.split("+"))}
    return say(" + ".join(f"{{{name}}}" for name in kinds), **kinds)


def _mib(size: float) -> str:
    return f"{size / MIB:,.2f} MiB"


def _error(row: DryRunLine) -> Text:
    if not row.difference:
        return Text("0 B", "good")
    return Text(f"{row.difference / MIB:+,.2f} MiB ({row.difference_share:+.2%})", "caution")
