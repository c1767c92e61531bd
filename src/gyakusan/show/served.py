"""A running endpoint: progress, predicted beside reported, answers."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.status import Status
from rich.table import Table

from gyakusan.message import Message, say
from gyakusan.serving.chat import Answer
from gyakusan.serving.compare import Row
from gyakusan.show.wrapping import Text
from gyakusan.text import Language, tell
from gyakusan.units import MIB

HEAD_TEXTS = {
    "buffer": "buffer",
    "device": "device",
    "predicted": "predicted",
    "reported": "reported",
    "error": "error",
}


def comparison(rows: Sequence[Row], language: Language) -> RenderableType:
    """Predicted, reported and error of each buffer."""
    out = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for name, text in HEAD_TEXTS.items():
        out.add_column(tell(text, language), justify="left" if name in ("buffer", "device") else "right")
    for row in rows:
        out.add_row(tell(row.kind, language), row.device, _mib(row.predicted), _mib(row.reported), _error(row))
    return out


def document(rows: Sequence[Row]) -> list[dict[str, object]]:
    """The comparison as plain values. [B]"""
    names = ("kind", "device", "predicted", "reported", "error_bytes", "error_share")
    return [{name: getattr(row, name) for name in names} for row in rows]


def _mib(size: float | None) -> str:
    return "-" if size is None else f"{size / MIB:,.2f} MiB"


def _error(row: Row) -> Text:
    if row.error_bytes is None or row.error_share is None:
        return Text("?", style="yellow")
    if row.exact:
        return Text("0.00 MiB", style="green")
    return Text(f"{row.error_bytes / MIB:+,.2f} MiB ({row.error_share:+.2%})", style="yellow")


def answers(prompts: Sequence[str], found: Sequence[Answer], language: Language) -> RenderableType:
    """Each question with its answer."""
    parts: list[RenderableType] = []
    for prompt, answer in zip(prompts, found, strict=True):
        told = say("{tokens} tokens in {seconds} s", tokens=answer.completion_tokens, seconds=f"{answer.seconds:.1f}")
        text = " ".join(answer.text.split())
        parts.append(Text.assemble((f"> {prompt}", "bold"), f"\n  {text} ", (f"({tell(told, language)})", "dim")))
    return Group(*parts)


class Progress:
    """A line that says what the server is doing, and for how long; plain lines where the output is no terminal."""

    def __init__(self, console: Console, language: Language) -> None:
        self._language = language
        self._console = console
        self._status: Status | None = None
        self._last = ""

    def __call__(self, message: Message, seconds: float) -> None:
        text = tell(message, self._language)
        if not self._console.is_terminal:
            if text != self._last:
                self._console.print(Text(text, style="dim"))
            self._last = text
            return
        if self._status is None:
            self._status = self._console.status(text)
            self._status.start()
        self._status.update(f"{text} {seconds:.0f} s")

    def close(self) -> None:
        """Takes the line away."""
        if self._status is not None:
            self._status.stop()
            self._status = None
