"""A ledger on a screen: devices with their parts as bars, several devices side by side, and --why in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from gyakusan.core.ledger import Account, Ledger, Line, Part
from gyakusan.message import Listed, Message, say
from gyakusan.show import tree
from gyakusan.show.formula import formula
from gyakusan.show.tree import Bar, Cell, Column, Pause, Section, Table, Text, Title, Tree, Words
from gyakusan.show.wording import brief, format_name, gib, needed_gib, spare_gib

PART_TEXTS: Mapping[Part, str] = {
    "weights": "weights",
    "weights.embedding": "embeddings in RAM",
    "weights.per_layer": "per-layer embeddings",
    "weights.blocks": "blocks in RAM",
    "weights.repacked": "repacked copy",
    "weights.projector": "image part",
    "weights.adapter": "adapter",
    "kv": "KV cache",
    "kv.full": "KV cache",
    "kv.window": "KV cache, window",
    "kv.latent": "KV cache, latent",
    "kv.index": "KV cache, index",
    "kv.compressed": "KV cache, compressed",
    "kv.finished": "finished chats",
    "kv.copy": "KV cache, old copy",
    "state": "recurrent state",
    "state.rollback": "states to return to",
    "compute": "compute buffer",
    "compute.host": "inputs",
    "compute.projector": "image buffer",
    "compute.scores": "attention scores",
    "compute.rollback": "rollback buffer",
    "compute.graphs": "CUDA graphs",
    "output": "logits",
    "output.draft": "logits of drafts",
    "draft.weights": "draft weights",
    "draft.kv": "draft KV cache",
    "draft.state": "draft state",
    "draft.compute": "draft buffer",
    "draft.output": "draft logits",
    "overhead.driver": "driver",
    "overhead.process": "server process",
    "overhead.prompt_cache": "prompt cache",
    "overhead.checkpoints": "context checkpoints",
    "overhead.margin": "left free",
}
"""Parts as people read them, at most 18 cells."""
DRIVER_TEXTS = {
    "cuda": "CUDA overhead",
    "rocm": "ROCm overhead",
    "metal": "Metal overhead",
    "vulkan": "Vulkan overhead",
    "sycl": "SYCL overhead",
    "cpu": "overhead",
}
DEVICE_HEAD_TEXTS = ("weights", "KV", "buffers", "overhead", "total", "high end", "usable", "to spare")
SERVER_PARTS: tuple[Part, ...] = (
    "weights.embedding",
    "weights.per_layer",
    "compute.host",
    "output",
    "output.draft",
    "overhead.process",
    "overhead.prompt_cache",
    "overhead.checkpoints",
)
"""Parts that the server keeps in RAM, wherever the model is: they stand in one row."""
MOST_SIDE_BY_SIDE = 4
"""Devices that stand side by side; more are rows."""


def label(line: Line, account: Account) -> Message:
    """Return the name of a part, on its device."""
    if line.part == "overhead.driver":
        return Message(DRIVER_TEXTS.get(account.device.backend, "overhead"))
    return Message(PART_TEXTS[line.part])


def shown(account: Account) -> list[Line]:
    """Return the lines of a device that take anything before it is used, in the order of `PART_TEXTS`."""
    order = list(PART_TEXTS)
    lines = sorted(account.lines, key=lambda x: order.index(x.part))
    return [x for x in lines if x.bytes or (x.greatest and not x.grows)]


def tables(value: Ledger) -> Tree:
    """Return the parts of every device: one below the other, or side by side."""
    main = [a for a in value.accounts if a.device.kind != "host"] or list(value.accounts)
    host = [a for a in value.accounts if a not in main]
    if len(main) == 1:
        return (device(main[0], host),)
    if len(main) <= MOST_SIDE_BY_SIDE:
        return (side_by_side(main, host),)
    return (device_rows(main), Table(RAM_COLUMNS, tuple(row for a in host for row in _ram(a))))


RAM_COLUMNS = (Column(), Column(kind="number"), Column(kind="bar"), Column(kind="reason"))


def device(account: Account, host: Sequence[Account] = ()) -> Table:
    """Return one device: its parts, with bars whose full width is its usable memory; then the RAM beside it."""
    scale = float(account.device.usable or account.at_most or 1)
    columns = (
        Column(brief(account.device.name)),
        Column("GiB", "number"),
        Column(kind="bar"),
        Column(kind="reason"),
        Column(wide=True),
        Column(kind="reason", wide=True),
    )
    served = [x for x in account.lines if x.part in SERVER_PARTS]
    rows: list[tuple[Cell, ...]] = [_row(x, account, scale) for x in shown(account) if x.part not in SERVER_PARTS]
    if served:
        rows.append(_server_row(account, served))
    of = (
        say("capacity unknown")
        if account.device.usable is None
        else say("of {usable} usable", usable=gib(account.device.usable))
    )
    rows.append((say("  total"), gib(float(account.total)), between(account), of))
    return Table(columns, (*rows, *(row for a in host for row in _ram(a))))


def _row(line: Line, account: Account, scale: float) -> tuple[Cell, ...]:
    name = say("  {part}", part=label(line, account))
    return (
        name,
        gib(float(line.bytes)),
        Bar(float(line.bytes) / scale),
        _named(line.reason),
        Message(line.basis),
        formula(line.formula),
    )


def between(account: Account) -> str:
    """Return the range of a total, "" where there is no doubt."""
    low, high = gib(float(account.at_least)), gib(float(account.at_most))
    return "" if low == high else f"{low}-{high}"


def _ram(account: Account) -> Iterator[tuple[Cell, ...]]:
    """Yield the RAM beside a GPU in two lines: its size, what is there and what grows."""
    usable = account.device.usable
    size = say("size unknown: say --ram 64GiB") if usable is None else say("of {usable} usable", usable=gib(usable))
    yield "RAM", "", "", size
    yield _server_row(account, account.lines)


def _server_row(account: Account, lines: Sequence[Line]) -> tuple[Cell, ...]:
    """Return what the server itself keeps in RAM, as one row, and how far it grows."""
    more = growth(lines)
    note: Words = say("up to {more} more for cached chats", more=needed_gib(more)) if more else ""
    return say("  {part}", part=_ram_parts(account, lines)), gib(sum(float(x.bytes) for x in lines)), "", note


def growth(lines: Sequence[Line]) -> float:
    """Return what use may add to some lines up to their limits, as every screen says it: summed, then rounded once [B]."""
    return sum(float(line.greatest - line.bytes) for line in lines if line.grows)


def _ram_parts(account: Account, lines: Sequence[Line]) -> Listed:
    """Return what is in the RAM, in words."""
    parts = {
        x.part.partition(".")[0] if not x.part.startswith("weights") else x.part for x in shown(account) if x in lines
    }
    told = [
        (say("blocks"), "weights.blocks"),
        (say("embeddings"), "weights.embedding"),
        (say("KV cache"), "kv"),
        (say("server"), "overhead"),
    ]
    return Listed(tuple(words for words, part in told if part in parts))


def side_by_side(main: Sequence[Account], host: Sequence[Account]) -> Table:
    """Return two to four devices: a row for each part, a column for each device and the RAM."""
    accounts = [*main, *host]
    heads = [*(f"GPU {n}" for n in range(len(main))), *("RAM" for _ in host)]
    columns = (Column("GiB"), *(Column(h, "number") for h in heads), Column(kind="reason"))
    rows: list[tuple[Cell, ...]] = []
    for part in PART_TEXTS:
        found = [[x for x in shown(a) if x.part == part] for a in accounts]
        lines = [x for here in found for x in here]
        if lines and any(sum(float(x.bytes) for x in here) > 0 for here in found[: len(main)]):
            first = next(i for i, here in enumerate(found) if here)
            cells = [gib(sum(float(x.bytes) for x in here)) if here else "" for here in found]
            part_name = label(lines[0], accounts[first])
            rows.append((say("  {part}", part=part_name), *cells, _named(lines[0].reason)))
    rest = [sum(float(x.bytes) for x in shown(a)) - _told(a, main) for a in host]
    if any(r > 0 for r in rest):
        words = _ram_parts(host[0], host[0].lines)
        rows.append((say("  {part}", part=words), *("" for _ in main), *(gib(r) for r in rest)))
    return Table(columns, (*rows, *_totals(accounts)))


def _told(host: Account, main: Sequence[Account]) -> float:
    """Return the bytes of the RAM that rows of parts on GPUs name [B]."""
    parts = {x.part for a in main for x in shown(a) if x.bytes}
    return sum(float(x.bytes) for x in shown(host) if x.part in parts)


def _totals(accounts: Sequence[Account]) -> Iterator[tuple[Cell, ...]]:
    """Yield the last rows: totals, their high ends, what is usable, what is to spare."""
    rows: tuple[tuple[Message, Callable[[Account], str]], ...] = (
        (say("  total"), lambda a: gib(float(a.total))),
        (say("  high end"), lambda a: gib(float(a.at_most))),
        (say("  usable"), lambda a: "?" if a.device.usable is None else gib(a.device.usable)),
        (say("  to spare"), lambda a: "?" if a.spare is None else spare_or_short(float(a.spare))),
    )
    for name, figure in rows:
        yield name, *(figure(a) for a in accounts)


def spare_or_short(size: float) -> str:
    """Return GiB to spare rounded down, or missing, rounded up, with a minus. size in bytes."""
    return spare_gib(size) if size >= 0 else f"-{needed_gib(-size)}"


def device_rows(main: Sequence[Account]) -> Table:
    """Return five devices or more: a row for each, equal ones together."""
    columns = (Column("GiB"), *(Column(Message(h), "number") for h in DEVICE_HEAD_TEXTS))
    rows: list[tuple[Cell, ...]] = []
    first = 0
    for n, account in enumerate(main):
        figures = _figures(account)
        if n + 1 < len(main) and _figures(main[n + 1]) == figures:
            continue
        name = f"  GPU {first}" if first == n else f"  GPU {first}-{n}"
        rows.append((name, *figures))
        first = n + 1
    return Table(columns, tuple(rows))


def _figures(account: Account) -> tuple[str, ...]:
    usable = account.device.usable
    return (
        gib(float(account.of("weights"))),
        gib(float(account.of("kv_cache") + account.of("recurrent_state"))),
        gib(float(account.of("scratch"))),
        gib(float(account.of("overhead"))),
        gib(float(account.total)),
        gib(float(account.at_most)),
        "?" if usable is None else gib(usable),
        "?" if account.spare is None else spare_or_short(float(account.spare)),
    )


def takes(value: Ledger) -> Message:
    """Return the parts of the tightest device in one sentence."""
    account = value.tightest
    parts = (
        say("{part} {size} GiB", part=label(x, account), size=gib(float(x.bytes))) for x in shown(account) if x.bytes
    )
    return say("What takes the memory: {parts}.", parts=Listed(tuple(parts)))


def _named(reason: Message) -> Message:
    """Return a reason with the quantisation as people say it."""
    name = reason.facts.get("quantization")
    return (
        reason
        if not isinstance(name, str)
        else Message(reason.template, {**reason.facts, "quantization": format_name(name)})
    )


def why(value: Ledger) -> Tree:
    """Return a block for each part of each device: its size, its reason, its formula."""
    several = len(value.accounts) > 1
    return tuple(part for a in value.accounts for part in _explained(a, several))


def _explained(account: Account, several: bool) -> Iterator[tree.Part]:
    where = brief(account.device.name)
    for line in sorted(account.lines, key=lambda x: list(PART_TEXTS).index(x.part)):
        facts = {
            "part": label(line, account),
            "size": gib(float(line.bytes)),
            "device": where,
            "basis": Message(line.basis),
            "low": gib(float(line.least)),
            "high": gib(float(line.greatest)),
        }
        template = "{part}, {size} GiB, {basis}"
        if line.grows:
            template = "{part}, {size} GiB, grows up to {high} GiB, {basis}"
        elif facts["low"] != facts["high"]:
            template = "{part}, {size} GiB ({low}-{high}), {basis}"
        head = Message(template, facts)
        yield Title(say("{device}: {part}", device=where, part=head) if several else head)
        worked = (Text(formula(line.formula)),) if line.formula else ()
        yield Section(None, (*worked, Text(line.reason, "note")))
        yield Pause()
    usable = account.device.usable
    facts = {
        "device": where, "total": gib(float(account.total)), "low": gib(float(account.at_least)),
        "high": gib(float(account.at_most)), "usable": gib(usable or 0),
    }  # fmt: skip
    if usable is None:
        yield Text(say("{device}: total {total} GiB ({low}-{high}), capacity unknown", **facts))
    else:
        yield Text(say("{device}: total {total} GiB ({low}-{high}) of {usable} usable", **facts))
    yield Pause()
