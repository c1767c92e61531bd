"""The cost of a grammar in llama.cpp's notation (GBNF), before the server is asked to follow it.

A server that follows a grammar holds every way to read what was written so far. Their number grows with the places that a
reading can be at, so the grammar is measured with each rule written out where it is used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gyakusan.serving.front.limits import Limits
from gyakusan.serving.front.refusal import Refusal

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<rule>[A-Za-z0-9_-]+)\s*::=
    |(?P<literal>"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\.)
    |(?P<name>[A-Za-z0-9_-]+)
    |(?P<repeat>[*+?]|\{\s*\d*\s*(?:,\s*\d*\s*)?\})
    |(?P<other>[()|])
    |(?P<wrong>.)""",
    re.VERBOSE | re.DOTALL,
)
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Cost:
    """What following a rule costs.

    nodes: literals and references, each rule written out where it is used
    repeats: repetitions among them
    """

    nodes: int = 0
    repeats: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.nodes + other.nodes, self.repeats + other.repeats)


def too_costly(what: str, limits: Limits) -> Refusal:
    """Return the refusal of a schema, a pattern or a grammar that would keep the server from its other clients."""
    text = (
        f"This {what} would take the server from its other clients: at most {limits.nodes} parts, {limits.repeats} "
        f"repetitions, counts up to {limits.repeat} and {limits.depth} levels, with every reference written out."
    )
    return Refusal(400, "schema_too_costly", text)


def check_grammar(text: str, limits: Limits, *, recursion: bool) -> None:
    """Raise Refusal for a grammar that is too large or too costly. recursion: rules may use themselves."""
    if len(text) > limits.schema:
        raise Refusal(400, "schema_too_large", f"A grammar has at most {limits.schema} characters.")
    rules = dict(_rules(text, limits))
    done: dict[str, Cost] = {}
    for name in rules:
        _cost(name, rules, done, (), limits, recursion=recursion)


def check_count(text: str, limits: Limits, what: str) -> None:
    """Raise Refusal for a repetition {n} or {n,m} of a large count."""
    if any(len(n) > 9 or int(n) > limits.repeat for n in _NUMBER.findall(text)):
        raise too_costly(what, limits)


def _rules(text: str, limits: Limits) -> Iterator[tuple[str, tuple[Cost, list[str]]]]:
    """Yield each rule: its own cost, and the names that it uses."""
    name, own = "", Cost()
    used: list[str] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "rule":
            if name:
                yield name, (own, used)
            name, own, used = match["rule"], Cost(), []
        elif kind in ("literal", "name"):
            own += Cost(1)
            used += [match["name"]] if kind == "name" else []
        elif kind == "repeat":
            check_count(match["repeat"], limits, "grammar")
            own += Cost(0, 1)
    yield name, (own, used)


def _cost(
    name: str,
    rules: Mapping[str, tuple[Cost, list[str]]],
    done: dict[str, Cost],
    path: tuple[str, ...],
    limits: Limits,
    *,
    recursion: bool,
) -> Cost:
    """Return the cost of a rule. Raises Refusal."""
    if name in done or name not in rules:
        return done.get(name, Cost())
    if name in path:
        if not recursion:
            text = f'The rule "{name[:80]}" uses itself: this server follows grammars without recursion only.'
            raise Refusal(400, "schema_recursive", text)
        return Cost()
    if len(path) >= limits.depth:
        raise too_costly("grammar", limits)
    total, used = rules[name]
    for other in used:
        total += _cost(other, rules, done, (*path, name), limits, recursion=recursion)
        if total.nodes > limits.nodes or total.repeats > limits.repeats:
            raise too_costly("grammar", limits)
    if total.nodes > limits.nodes or total.repeats > limits.repeats:
        raise too_costly("grammar", limits)
    done[name] = total
    return total
