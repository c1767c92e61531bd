"""Our figures beside llama.cpp's own dry run."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from gyakusan.engines.llamacpp.dry_run.run import Compared, Dry
from gyakusan.message import say
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import MIB

HEAD_TEXTS = {"buffer": "buffer", "predicted": "predicted", "reported": "reported", "error": "error"}


def comparison(rows: Sequence[Compared], dry: Dry, gpu: str | None, language: Language) -> RenderableType:
    """Predicted, reported and error of each kind. gpu: the device that the question was about, None for the CPU."""
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, text in HEAD_TEXTS.items():
        out.add_column(tell(text, language), justify="left" if name == "buffer" else "right")
    for row in rows:
        kinds = " + ".join(tell(k, language) for k in row.kind.split("+"))
        out.add_row(kinds, _mib(row.ours), _mib(row.theirs), _error(row))
    head = say("A dry run of llama.cpp b{build} on the CPU says:", build=dry.build)
    parts: list[RenderableType] = [Text(), Text(tell(head, language), style="bold"), out]
    if gpu is not None:
        note = say("The dry run knows only the CPU: both columns are for it, not for {device}.", device=gpu)
        parts.append(Text(tell(note, language), style="dim"))
    return Group(*parts)


def document(rows: Sequence[Compared], dry: Dry) -> dict[str, object]:
    """The comparison as plain values. [B]"""
    lines = [
        {
            "kind": row.kind,
            "predicted": row.ours,
            "reported": round(row.theirs),
            "error_bytes": round(row.difference),
            "error_share": _share(row),
        }
        for row in rows
    ]
    return {"engine": "llama.cpp", "build": f"b{dry.build}", "backend": "cpu", "lines": lines}


def _share(row: Compared) -> float:
    return row.difference / row.theirs if row.theirs else float(bool(row.difference))


def _mib(size: float) -> str:
    return f"{size / MIB:,.2f} MiB"


def _error(row: Compared) -> Text:
    if not row.difference:
        return Text("0 B", style="green")
    return Text(f"{row.difference / MIB:+,.2f} MiB ({_share(row):+.2%})", style="yellow")
