"""An answer in files: `--svg`, `--png` and `--html` of inspect, plan, compare and fleet."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gyakusan.cli.options import Output, _
from gyakusan.doors.files import head
from gyakusan.errors import BadSetting
from gyakusan.text import tell as translated

if TYPE_CHECKING:
    from gyakusan.show.report import Report
    from gyakusan.show.tree import Tell, Tree


OURS = (b"<?xml", b"<svg", b"<!DOCTYPE", b"\x89PNG")
"""How the files begin that may be replaced: an option that names the model's file by mistake destroys nothing."""


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Files:
    """Files that the answer is written to, besides the screen."""

    svg: Annotated[Path | None, Parameter(help=_("Write the chart as an SVG picture."))] = None
    png: Annotated[
        Path | None, Parameter(help=_("Write the chart as a PNG picture; it needs the extra gyakusan[png]."))
    ] = None
    html: Annotated[Path | None, Parameter(help=_("Write a page with tables and charts."))] = None

    @property
    def named(self) -> tuple[Path, ...]:
        """The files that were asked for."""
        return tuple(f for f in (self.svg, self.png, self.html) if f is not None)

    def check_alone(self, other: str | None) -> None:
        """Raise BadSetting where another form of the answer is asked for. other: its option, None for none."""
        if self.named and other is not None:
            raise BadSetting(
                "{options} were given together.",
                options=", ".join((self._first, other)),
                mend="Give one.",
            )

    @property
    def _first(self) -> str:
        return next(f"--{name}" for name in ("svg", "png", "html") if getattr(self, name) is not None)


def write(files: Files, make: Callable[[], Report], output: Output) -> Tree:
    """Write an answer to the files that were asked for; what the screen says of them. Raises BadSetting, SourceError.

    make: makes the report, which is left out where no file is asked for
    """
    if not files.named:
        return ()
    _check(files.named)
    from gyakusan.catalog.places import write_named
    from gyakusan.show import report as reports
    from gyakusan.show.bench import written

    report, tell = make(), teller(output)
    drawn = reports.picture(report, tell) if files.svg or files.png else None
    if drawn is None and (files.svg or files.png):
        raise BadSetting("This answer has no chart.", mend="Write it as a page with --html.")
    image = _png(drawn) if files.png is not None and drawn is not None else b""
    if files.svg is not None and drawn is not None:
        write_named(files.svg, drawn)
    if files.png is not None:
        write_named(files.png, image)
    if files.html is not None:
        write_named(files.html, reports.page(report, output.language, tell))
    return written(files.named)


def _check(named: tuple[Path, ...]) -> None:
    """Raise BadSetting for one file named twice, and for one that holds something else than such an answer."""
    if len({os.path.realpath(path) for path in named}) < len(named):
        raise BadSetting("{file} was named twice.", file=str(named[0]), mend="Give each form a file of its own.")
    for path in named:
        if os.path.isfile(path) and not head(path, 16).lstrip().startswith(OURS):
            raise BadSetting(
                "{file} exists, and it is not a picture or a page.", file=str(path),
                mend="Name another file, or remove this one first.",
            )  # fmt: skip


def teller(output: Output) -> Tell:
    """Return what says words in the language that was asked for; data is said as it stands."""
    return lambda words: words if isinstance(words, str) else translated(words, output.language)


def _png(svg: str) -> bytes:
    """Return a picture as PNG, at twice its size. Raises BadSetting without resvg-py."""
    try:
        import resvg_py
    except ImportError:
        raise BadSetting(
            "--png needs resvg-py, and it is not installed.", mend="Run: pip install 'gyakusan[png]', or use --svg."
        ) from None
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2))
