"""One device's memory as a stacked bar: what takes it, what is usable, how sure the total is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gyakusan.core.ledger import KINDS, Account, LineKind
from gyakusan.message import Listed, Message, say
from gyakusan.show.charts.drawing import FULL, WIDE, at, cut, extent, frame, hatch, path, rect, text, told, within
from gyakusan.show.tree import Tell
from gyakusan.show.wording import brief, gib

CLASSES: Mapping[LineKind, str] = {
    "weights": "f-weights",
    "kv_cache": "f-kv",
    "recurrent_state": "f-state",
    "scratch": "f-scratch",
    "overhead": "f-overhead",
}
"""Kind of line -> class of its segment."""
KIND_TEXTS: Mapping[LineKind, str] = {
    "weights": "weights",
    "kv_cache": "KV cache",
    "recurrent_state": "recurrent state",
    "scratch": "compute buffer",
    "overhead": "overhead",
}
"""Kinds as people read them."""
TOP, BAR, HEIGHT = 20, 30, 74
"""Where the bar begins, how high it is, height of the chart. [user units]"""
ROW = 20
"""Height of a row of the legend. [user units]"""


def memory_bar(account: Account, tell: Tell, width: float = WIDE) -> str:
    """Return the bar of one device. Its scale is 0 to the larger of capacity and total; `data-part` names each kind."""
    total, scale = float(account.total), _scale(account, width)
    usable = account.device.usable
    parts = [*_ground(account, width, scale), *_segments(account, tell, scale)]
    if usable is not None and total > usable:
        parts.append(path(hatch(usable * scale, TOP, (total - usable) * scale, BAR), "hatch-over"))
    parts += [*_doubt(account, width, scale), *_words(account, tell, width, scale)]
    return frame(told(label(account), tell, 2_000), width, HEIGHT, parts, kind="memory-bar")


def label(account: Account) -> Message:
    """Return what the bar shows as one sentence with its figures."""
    sizes = (
        say("{part} {size} GiB", part=Message(KIND_TEXTS[kind]), size=gib(float(account.of(kind))))
        for kind in KINDS
        if account.of(kind)
    )
    facts = {"device": device_name(account), "parts": Listed(tuple(sizes)), "total": _total(account)}
    if account.device.usable is None:
        return say("{device}: {parts}; {total}, capacity unknown", **facts)
    return say("{device}: {parts}; {total} of {usable} usable", **facts, usable=gib(account.device.usable))


def device_name(account: Account) -> str:
    """Return what people call the device: the name of a GPU without its maker, "RAM" for the computer's memory."""
    return "RAM" if account.device.kind == "host" else brief(account.device.name)


def legend(account: Account, tell: Tell, width: float = WIDE) -> str:
    """Return what the colours mean, with the size of each kind: for a picture that has no table below it."""
    drawn = [(CLASSES[k], Message(KIND_TEXTS[k]), float(account.of(k))) for k in KINDS if account.of(k)]
    free = float(account.device.usable or 0) - float(account.total)
    if free > 0:
        drawn.append(("f-free", say("free"), free))
    parts, x, y = [], 0.0, 0.0
    for kind, name, size in drawn:
        words = cut(told(say("{part} {size} GiB", part=name, size=gib(size)), tell), width - ROW)
        room = 18 + extent(words) + FULL
        if x and x + room - FULL > width:
            x, y = 0.0, y + ROW
        parts += [rect(x, y + 4, 12, 12, f"{kind} swatch"), text(x + 18, y + 14, words)]
        x += room
    return frame(told(label(account), tell, 2_000), width, y + ROW, parts, kind="legend")


def _scale(account: Account, width: float) -> float:
    """Return user units for one byte."""
    return width / max(float(account.device.memory or 0), float(account.total), 1.0)


def _ground(account: Account, width: float, scale: float) -> Iterator[str]:
    """Yield the usable memory as an empty field, and what is reserved beside it."""
    usable, memory = account.device.usable, account.device.memory
    if usable is None or memory is None:
        yield rect(0, TOP, width, BAR, "f-free")
        return
    yield rect(0, TOP, usable * scale, BAR, "f-free", more='data-part="free"')
    if memory > usable:
        yield rect(usable * scale, TOP, (memory - usable) * scale, BAR, "f-reserved", more='data-part="reserved"')
        yield path(hatch(usable * scale, TOP, (memory - usable) * scale, BAR), "hatch")


def _segments(account: Account, tell: Tell, scale: float) -> Iterator[str]:
    """Yield a rectangle for each of the five kinds, from left to right, and the lines between them."""
    x, edges = 0.0, []
    for kind in KINDS:
        size = float(account.of(kind))
        title = told(say("{part} {size} GiB", part=Message(KIND_TEXTS[kind]), size=gib(size)), tell)
        yield rect(x, TOP, size * scale, BAR, CLASSES[kind], more=f'data-part="{kind}"', title=title)
        x += size * scale
        edges += [x] if size * scale > 3 else []
    if edges:
        yield path("".join(f"M{at(e)} {TOP}v{BAR}" for e in edges), "gap")


def _doubt(account: Account, width: float, scale: float) -> Iterator[str]:
    """Yield the bracket from the low to the high end; it is open where the high end is beyond the chart."""
    low, high = float(account.at_least) * scale, float(account.at_most) * scale
    usable = account.device.usable
    if high - low >= 0.5:
        y = TOP + BAR + 4
        end = f"H{at(high)}v-4" if high <= width else f"H{at(width)}"
        yield path(f"M{at(low)} {y}v4{end}", "doubt")
    if usable is not None:
        kind = "usable-short" if account.at_most > usable else "usable"
        yield path(f"M{at(min(max(usable * scale, 1), width - 1))} {TOP - 6}v{BAR + 12}", kind)


def _words(account: Account, tell: Tell, width: float, scale: float) -> Iterator[str]:
    """Yield what is usable above its mark, and the total below its end."""
    usable, total = account.device.usable, float(account.total)
    above = say("capacity unknown") if usable is None else say("usable {size} GiB", size=gib(usable))
    words = cut(told(above, tell), width)
    x, anchor = within(0.0 if usable is None else usable * scale, words, width, "end")
    yield text(x, TOP - 8, words, anchor=anchor)
    words = cut(told(_total(account), tell), width)
    x, anchor = within(total * scale, words, width, "end")
    yield text(x, HEIGHT - 3, words, "strong", anchor)


def _total(account: Account) -> Message:
    """Return the total, with its range where there is doubt."""
    low, high = gib(float(account.at_least)), gib(float(account.at_most))
    facts = {"total": gib(float(account.total)), "low": low, "high": high}
    return say("total {total} GiB", **facts) if low == high else say("total {total} GiB ({low}-{high})", **facts)
