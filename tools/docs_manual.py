"""The manual page of man(7), made of the help of every command: docs/man/gyakusan.1, and in Japanese docs/man/ja/gyakusan.1.

tools/docs.py writes both; a wheel carries them into share/man. `man -l docs/man/gyakusan.1` shows one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gyakusan.catalog.places import RELEASE
from gyakusan.cli.app import ABOUT, COMMANDS, build
from gyakusan.cli.words import Help
from gyakusan.text import tell

SKIPPED = ("--help", "--version", "-h")
EXITS = (
    ("0", "yes"),
    ("1", "no: it does not fit"),
    ("2", "what was asked for is wrong"),
    ("3", "the world did not co-operate"),
    ("130", "interrupted"),
)
"""As docs/en/index.md says them."""


class _Collector(Help):
    """Keeps what a help screen would draw. lines: of the man page."""

    def __init__(self, language: Any) -> None:
        super().__init__(language)
        self.lines: list[str] = []

    def __call__(self, console: Any, options: Any, panel: Any) -> None:
        """One panel: each entry with its names and what it does."""
        for entry in panel.entries:
            names = [*entry.positive_shorts, *entry.positive_names, *entry.negative_names]
            if any(name in SKIPPED for name in names):
                continue
            shown = ", ".join(f"\\fB{plain(n)}\\fR" for n in names)
            value = f" \\fI{plain(entry.metavar)}\\fR" if entry.metavar else ""
            self.lines += [".TP", shown + value, plain(str(self._entry(entry).description))]

    def render_usage(self, console: Any, options: Any, usage: Any) -> None:
        """The line of usage."""
        if usage:
            self.lines += [f"\\fB{plain(str(usage).strip())}\\fR", ".PP"]

    def render_description(self, console: Any, options: Any, description: Any) -> None:
        """The purpose stands in the heading already."""


def plain(text: str) -> str:
    """Plain text as man(7) takes it: its own characters escaped, no line that looks like a request."""
    one = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + one if one.startswith((".", "'")) else one


def _commands(language: Any) -> Iterator[tuple[str, ...]]:
    """Every command and, after it, its own commands, as their words."""
    app = build(language)
    for name in COMMANDS:
        yield (name,)
        yield from ((name, sub) for sub in app[name] if not sub.startswith("-"))


def _sections(language: Any) -> Iterator[str]:
    for words in _commands(language):
        app = build(language)
        app.help_formatter = collector = _Collector(language)
        app.help_print(list(words))
        about = app[words[0]][words[1]].help if len(words) > 1 else COMMANDS[words[0]]
        yield f".SS {' '.join(words)}"
        yield from (plain(tell(about, language)), ".PP")
        yield from collector.lines


def page(language: Any, translated: Callable[[str, str], str]) -> str:
    """The whole manual page. translated: what tools/docs.py lends."""
    day = RELEASE.replace(".", "-")

    def heading(text: str) -> str:
        return f".SH {translated(text, language)}"

    lines = [
        f'.TH GYAKUSAN 1 "{day}" "gyakusan"',
        *(".nh", ".ad l"),  # no option is broken in two
        *(heading("NAME"), f"gyakusan \\- {plain(tell(ABOUT, language)).rstrip('.。')}"),
        *(heading("SYNOPSIS"), "\\fBgyakusan\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR]"),
        *(heading("COMMANDS"), *_sections(language)),
        heading("EXIT STATUS"),
        *(line for code, why in EXITS for line in (".TP", code, plain(translated(why, language)))),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
