"""A plan over nodes: what to run on which of them, a numbered table, and one layout in full."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gyakusan.core.ledger import Account
from gyakusan.engines.service_files import KEY_FILE, shell_line
from gyakusan.exports.reach import in_the_clear
from gyakusan.message import Listed, Message, people, say
from gyakusan.planning.nodes.across import weight_shares
from gyakusan.planning.nodes.layout import Form, Layout
from gyakusan.planning.nodes.link import Link
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.nodes.recommend import NodesAnswer
from gyakusan.planning.nodes.start import Start, one_line
from gyakusan.planning.select.plan import Plan
from gyakusan.show.answer import answer_screen, no_answer
from gyakusan.show.plan_notes import afterwards, beforehand, is_tight
from gyakusan.show.request_line import load_question
from gyakusan.show.tree import (
    Cell,
    Column,
    Command,
    Fact,
    Facts,
    Note,
    Pause,
    Question,
    Table,
    Text,
    Tree,
    Verdict,
    Words,
    whole,
)
from gyakusan.show.wording import caveat, first_token, gib, interval, quality, short, spare_gib
from gyakusan.units import GIB

FORM_TEXTS: dict[Form, str] = {
    "alone": "alone",
    "copies": "copies",
    "workers": "joined by workers",
    "pipeline": "joined, layer by layer",
}
MOST_NAMES = 3
"""Nodes that a row of the table names."""
SHOWN_BYTES = GIB // 20
"""Devices that hold less are not named. [B]"""


def screen(answer: NodesAnswer) -> Tree:
    """Return the answer on one screen."""
    if not answer.layouts:
        none = Verdict((say("*Nothing fits* on these {n} nodes.", n=len(answer.nodes)),), say("Nothing fits"), "fails")
        return no_answer(none, answer.nearest, question(answer))
    notes = (Text(m, "note") for m in remarks(answer.layouts, answer.link))
    return answer_screen(_verdict(answer), question(answer), _table(answer), notes)


def _verdict(answer: NodesAnswer) -> Verdict:
    layout, enough = answer.layouts[0], answer.layouts[0].is_enough(answer.request)
    return Verdict((_sentence(layout), *_second(answer, layout)), say("Run"), "fits" if enough else "doubt")


def _sentence(layout: Layout) -> Message:
    plan = layout.first
    facts = {
        "model": whole(plan.name),
        "files": whole(plan.quantization),
        "engine": whole(plan.engine),
        "speed": _speed_words(layout),
        "nodes": Listed(tuple(Message(whole(n.name)) for n in layout.nodes)),
    }
    if layout.form == "alone":
        return say("Run {model} ({files}) with {engine} on {nodes} alone: {speed}.", **facts)
    if layout.form == "copies":
        return say("Run {model} with {engine} on {nodes}, a copy on each: {speed}.", **facts)
    return say("Run {model} ({files}) with {engine} over {nodes}, joined to one server: {speed}.", **facts)


def _speed_words(layout: Layout) -> Message:
    users, speed = sum(int(p.ledger.load.users) for p in layout.plans), layout.speed
    if speed is None:
        return say("speed not known")
    if users == 1:
        return say("{n} tokens/s for 1 person", n=short(speed))
    return say("{n} tokens/s for each of {people}", n=short(speed), people=people(users))


def _second(answer: NodesAnswer, layout: Layout) -> Iterator[Message]:
    """Yield what a set of nodes is not good enough for, or which nodes are not needed."""
    wanted = answer.request.speed or answer.request.workload.target_tps
    if layout.spare is not None and layout.spare < 0:
        yield say("It *may not fit*: short by up to {size} GiB.", size=gib(-layout.spare))
    elif layout.answer is not None and layout.answer < wanted:
        facts = {"n": short(layout.answer), "wanted": f"{wanted:g}"}
        yield say(
            "*Slower than wanted*: {n} tokens/s of answer, {wanted} wanted; no set of these nodes does it.", **facts
        )
    elif len(layout.nodes) < len(answer.nodes) and layout.answer is not None:
        used = {n.name for n in layout.nodes}
        yield unused([n.name for n in answer.nodes if n.name not in used])


def unused(names: Sequence[str]) -> Message:
    """Return which nodes a layout does not need, at most MOST_NAMES of them by name."""
    shown = names if len(names) <= MOST_NAMES else names[: MOST_NAMES - 1]
    facts = {"nodes": Listed(tuple(Message(whole(n)) for n in shown)), "n": len(names) - len(shown)}
    if len(shown) < len(names):
        return say("Not needed: {nodes} and {n} more nodes.", **facts)
    return say("Not needed: {nodes}.", **facts)


def question(answer: NodesAnswer) -> Question:
    """Return the question as it was understood: people, nodes, link."""
    nodes = (say("{name} {size} GiB", name=whole(n.name), size=f"{n.memory / GIB:.1f}") for n in answer.nodes)
    parts = Listed((*nodes, link_words(answer.link)))
    return Question((load_question(answer.request), say("{parts}", parts=parts)))


def link_words(link: Link) -> Message:
    """Return a link in words: what it carries, how long a message takes, whether somebody said so."""
    facts = {"rate": f"{link.bandwidth * 8 / 1e9:g}", "time": f"{link.latency * 1e6:g}"}
    if link.assumed:
        return say("link {rate} Gbit/s, {time} us (assumed: --link)", **facts)
    return say("link {rate} Gbit/s, {time} us", **facts)


def _table(answer: NodesAnswer) -> Table:
    columns = (
        Column(say("nodes")),
        Column(say("model")),
        Column(say("files"), leaves=2),
        Column(say("server"), leaves=1),
        Column(say("tokens/s"), "number"),
        Column(say("first"), "number", leaves=3),
        Column(say("quality"), "number"),
        Column(say("spare"), "number"),
    )
    notes = tuple(Note(Message(FORM_TEXTS[x.form]), tuple(_items(answer, x))) for x in answer.layouts)
    return Table(columns, tuple(_row(x) for x in answer.layouts), numbered=True, notes=notes)


def _row(layout: Layout) -> tuple[Cell, ...]:
    slowest = _slowest(layout)
    worst = min(layout.plans, key=lambda p: float(p.score.value))
    return (
        node_names(layout),
        slowest.name,
        slowest.quantization,
        slowest.engine,
        interval(slowest.pace, "decode_each"),
        first_token(slowest.pace),
        quality(worst.score),
        _spare(layout),
    )


def _spare(layout: Layout) -> str:
    """Return GiB to spare, rounded down as in the details; what lacks has a minus."""
    if layout.spare is None:
        return "?"
    return spare_gib(layout.spare) if layout.spare >= 0 else f"-{gib(-layout.spare)}"


def node_names(layout: Layout) -> str:
    """Return the nodes of a layout: "a + b" where they are one server, "a, b" for copies; many are counted."""
    names = [n.name for n in layout.nodes]
    more = "" if len(names) <= MOST_NAMES else f" +{len(names) - MOST_NAMES + 1}"
    shown = names if not more else names[: MOST_NAMES - 1]
    return (", " if layout.form == "copies" else " + ").join(shown) + more


def _slowest(layout: Layout) -> Plan:
    return min(layout.plans, key=lambda p: float("inf") if p.pace is None else p.pace.decode_each.value)


def _items(answer: NodesAnswer, layout: Layout) -> Iterator[Words]:
    """Yield what is said of one row."""
    wanted, answered = answer.request.speed or answer.request.workload.target_tps, layout.answer
    if layout.form == "copies":
        shares = (say("{n} on {node}", n=int(p.ledger.load.users), node=whole(n.name)) for n, p in _copies(layout))
        yield say("people: {parts}", parts=Listed(tuple(shares)))
    yield from _doubts(layout)
    if layout.link_share:
        yield say("{n} % of the time is the link", n=f"{100 * layout.link_share:.2g}")
    if answered is not None and answered < wanted:
        yield say("{n} of answer, {wanted} wanted", n=short(answered), wanted=f"{wanted:g}")
    elif answered is not None and layout.first.thinking.factor > 1:
        yield say("{n} of answer", n=short(answered))


def _doubts(layout: Layout) -> Iterator[Words]:
    """Yield what could make the row false, and why its speed is not known."""
    if layout.spare is not None and layout.spare < 0:
        yield say("may not fit: short by up to {n} GiB", n=gib(-layout.spare))
    elif layout.spare is not None and any(is_tight(p) and not p.in_ram for p in layout.plans):
        yield say("tight: {n} GiB", n=spare_gib(layout.spare))
    if layout.speed is None:
        unknown = _without_bandwidth(layout)
        told = say("speed not known: no bandwidth is known of {nodes}", nodes=Listed(unknown))
        yield told if unknown else say("speed not known")


def _without_bandwidth(layout: Layout) -> tuple[Message, ...]:
    """Return the nodes with a device whose bandwidth is not known."""
    nodes = [n for n in layout.nodes if any(d.bandwidth is None for d in n.machine.gpus or n.machine.devices)]
    return tuple(Message(whole(n.name)) for n in nodes)


def _copies(layout: Layout) -> Iterator[tuple[Node, Plan]]:
    yield from zip(layout.nodes, layout.plans, strict=True)


def remarks(layouts: Sequence[Layout], link: Link) -> Iterator[Message]:
    """Yield what holds for layouts of these forms."""
    forms = {x.form for x in layouts}
    if "copies" in forms:
        yield say("In front: a balancer by fewest open requests, with sticky conversations.")
    if forms & {"workers", "pipeline"}:
        yield say(
            "Joined: the speed of each node for its layers plus the network's time, never measured over a real link."
        )
        if link.assumed:
            yield say("Nobody named the link; --link 10GbE or --link 100Gb/s,50us says what it carries.")
    if any(x.speed is None and _without_bandwidth(x) for x in layouts):
        yield say('For a speed, write what is measured into the file in bytes/s: "bandwidth": 80000000000.')
    if "workers" in forms:
        yield say("Workers are not secure: they listen on loopback, and a tunnel of ssh joins them.")


def details(answer: NodesAnswer, number: int, started: Sequence[Start]) -> Tree:
    """Return one layout in full. number: as in the table; started: its commands, none where an address lacks."""
    layout = answer.layouts[number - 1]
    return (
        Verdict((_sentence(layout), *_second(answer, layout))),
        Pause(),
        question(answer),
        Pause(),
        Facts(tuple(_facts(answer, layout))),
        *(line for name in dict.fromkeys(p.engine for p in layout.plans) for line in caveat(name)),
        Pause(),
        *(Command(shell_line(s.server), say("on {node}: ", node=whole(s.node.name))) for s in started),
        *_at_once(layout, started),
        *(Text(m, "note") for m in start_notes(layout, started)),
        *(Text(m, "note") for m in remarks((layout,), answer.link)),
    )


def _at_once(layout: Layout, started: Sequence[Start]) -> Tree:
    """Return the one command that does the same, where there is one."""
    line = one_line(layout) if started else ""
    label = say("or all of it, on {node}: ", node=whole(layout.nodes[0].name))
    return (Command(line, label),) if line else ()


def start_notes(layout: Layout, started: Sequence[Start]) -> Iterator[Message]:
    """Yield what is to be done before the commands are run, and once the servers listen."""
    if layout.form == "workers" and started:
        yield say("Each command runs until it is ended; start them in this order.")
    if not started:
        yield say('For the commands, write how each node is reached into the file: "address": "192.168.0.10".')
    for name in dict.fromkeys(
        s.server.engine for s in started if layout.form in ("copies", "pipeline") and not s.server.variable
    ):
        yield say(
            "{engine} has no API key, so everyone in the network could use it. For a key plan with another engine (--engine).",
            engine=name,
        )
    keyed = [s.server for s in started if s.server.keyed]
    if keyed:
        yield in_the_clear(layout.first.deployment, keyed[0].port)
    if len(layout.nodes) > 1 and keyed:
        yield say(
            "The first machine makes {file}: copy it to the others before they start, for all need the same key.",
            file=whole(KEY_FILE),
        )
    said = [note for plan in layout.plans for note in beforehand(plan)]
    said += [note for start in started for note in afterwards(start.server)]
    yield from {str(note): note for note in said}.values()  # copies of one model say it once


def _facts(answer: NodesAnswer, layout: Layout) -> Iterator[Fact]:
    if layout.owners:
        plan = layout.first
        shares = weight_shares(plan.ledger, layout.owners, len(layout.nodes))
        for place, node in enumerate(layout.nodes):
            accounts = [a for a, o in zip(plan.ledger.accounts, layout.owners, strict=False) if o == place]
            accounts += plan.ledger.accounts[len(layout.owners) :] if place == 0 else ()
            share = say("{n} % of the layers", n=f"{100 * shares[place]:.0f}")
            yield Fact(whole(node.name), (share, *(_memory(a) for a in accounts if int(a.total) >= SHOWN_BYTES)))
        yield Fact(say("speed"), tuple(_speed(plan)))
    else:
        for node, plan in zip(layout.nodes, layout.plans, strict=True):
            who = people(int(plan.ledger.load.users))
            accounts = [a for a in plan.ledger.accounts if int(a.total) >= SHOWN_BYTES]
            yield Fact(whole(node.name), (who, *map(_memory, accounts), *_speed(plan)))
    if len(layout.nodes) > 1:
        yield Fact(say("network"), (link_words(answer.link),))


def _memory(account: Account) -> Message:
    facts = {
        "device": whole(account.device.name),
        "total": gib(float(account.total)),
        "weights": gib(float(account.of("weights"))),
        "cache": gib(float(account.of("kv_cache") + account.of("recurrent_state"))),
        "spare": "?" if account.spare is None else spare_gib(float(account.spare)),
    }
    return say("{device}: {total} GiB, weights {weights}, conversations {cache}; {spare} to spare", **facts)


def _speed(plan: Plan) -> Iterator[Words]:
    if plan.pace is None:
        yield say("speed not known")
        return
    each = plan.pace.decode_each
    facts = {"n": short(each.value), "low": short(each.low), "high": short(each.high)}
    yield say(
        "{n} ({low}-{high}) tokens/s each (80 %), first token after {first}", **facts, first=first_token(plan.pace)
    )
