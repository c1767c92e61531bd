"""The colours of charts: one sheet for pages, and the same with plain colours for pictures that leave the page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from gyakusan.doors.files import packaged

_TOKEN = re.compile(r"(--[a-z0-9-]+): ([^;]+);")
_USE = re.compile(r"var\((--[a-z0-9-]+)\)")
_BLOCK = re.compile(r"\.(?:light|dark) \{([^}]*)\}")
_RULE = re.compile(r"^(?!@|/\*)([^{}\n]+)\{([^{}]*var\([^{}]*)\}", re.MULTILINE)


@cache
def palette() -> tuple[str, str]:
    """Return the colours as declarations, for light and for dark."""
    light, dark = _BLOCK.findall(_read("palette.css"))
    return light.strip(), dark.strip()


@cache
def page_palette() -> str:
    """Return the colours for a page of our own: light and dark by the system, or by data-theme of its root; paper is light."""
    light, dark = palette()
    return (
        f":root {{ color-scheme: light dark;\n  {light}\n}}\n"
        f'@media screen and (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{\n  {dark}\n}} }}\n'
        f'@media screen {{ :root[data-theme="dark"] {{ color-scheme: dark;\n  {dark}\n}} }}\n'
        ':root[data-theme="light"] { color-scheme: light; }\n'
    )


@cache
def rules() -> str:
    """Return the rules of charts for a page that has the colours."""
    return _read("charts.css")


@cache
def stylesheet() -> str:
    """Return colours and rules for a place in a page of others: light and dark by the system; paper is light."""
    light, dark = palette()
    night = f"@media screen and (prefers-color-scheme: dark) {{ .chart, .gyakusan {{\n  {dark}\n}} }}\n"
    return f".chart, .gyakusan {{\n  {light}\n}}\n{night}{rules()}"


@cache
def standalone() -> str:
    """Return the same for an SVG that stands alone: plain colours, as not every program that draws SVG knows variables."""
    light, dark = (dict(_TOKEN.findall(block)) for block in palette())
    plain = _USE.sub(lambda m: light[m[1]], rules())
    night = "\n".join(f"{selector.strip()} {{ {_colours(body, dark)} }}" for selector, body in _RULE.findall(rules()))
    return f"{plain}@media screen and (prefers-color-scheme: dark) {{\n{night}\n}}\n"


def alone(svg: str) -> str:
    """Return a chart as a file of its own: with its colours, on a ground that both themes have."""
    start = svg.index(">") + 1
    ground = '<rect width="100%" height="100%" class="f-card"/>'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{svg[:start]}<style>{standalone()}</style>{ground}{svg[start:]}\n'


def _colours(body: str, tokens: dict[str, str]) -> str:
    """Return the declarations that hold a colour, with that of the other theme."""
    parts = (d.strip() for d in body.split(";") if "var(" in d)
    return " ".join(_USE.sub(lambda m: tokens[m[1]], d) + ";" for d in parts)


@cache
def _read(name: str) -> str:
    return packaged(Path(__file__).with_name(name)).decode()
