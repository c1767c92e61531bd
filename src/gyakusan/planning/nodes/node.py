"""Nodes: computers that are there, as `gyakusan detect --json` described each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from gyakusan.core.machine import Backend, Basis, Device, Kind, Machine, Simd
from gyakusan.doors.parse import json_value, misfit
from gyakusan.doors.text import line
from gyakusan.errors import BadSetting
from gyakusan.message import Message, quoted
from gyakusan.planning.fleet.request import host_address
from gyakusan.planning.nodes.link import USUAL, Link, parse_link

SCHEMA = "gyakusan/detect/1"
"""What `gyakusan detect --json` of this version writes."""
MOST = 16
"""Most nodes that are planned together."""
LONGEST_NAME = 40
MOST_MEMORY = 2**50
"""Of a device; more is a mistake. [B]"""
MOST_CORES = 65536
MOST_DEVICES = 64
"""Of a node: no computer has more, and each is planned for itself."""
SLOWEST, FASTEST = 1e6, 1e15
"""Bandwidth of the slowest memory, and more than any has; others are a mistake. [B/s]"""
BROKEN = "Write there what gyakusan detect --json prints on each node, as a list: [..., ...]."


class Node(Struct, frozen=True):
    """One computer.

    name: as it is called here, no two alike
    machine: its devices
    address: host name or IP address by which others reach it, None = not known
    """

    name: str
    machine: Machine
    address: str | None = None

    @property
    def memory(self) -> int:
        """Bytes that engines may have on it: of its GPUs, or without one of its RAM [B]."""
        devices = self.machine.gpus or self.machine.devices
        return sum(d.usable or 0 for d in devices)


class _Device(Struct, forbid_unknown_fields=True):
    name: str
    kind: Kind
    backend: Backend
    memory: int | None
    reserved: int = 0
    reserved_basis: Basis = "assumed"
    usable: int | None = None
    bandwidth: float | None = None
    source: str = ""


class _Described(Struct, forbid_unknown_fields=True, rename={"form": "schema"}):
    form: Literal["gyakusan/detect/1"]
    name: str
    devices: tuple[_Device, ...]
    processor: str = ""
    cores: int = 0
    simd: Simd = "avx2"
    notes: Any = ()
    catalogue: str = ""
    address: str | None = None


def json_nodes(text: str, name: str) -> object:
    """Return the value in a file of nodes called `name`. Raises BadSetting if it is no JSON."""

    def refuse(why: Message) -> BadSetting:
        return BadSetting("{file} cannot be read: {problem}.", file=name, problem=why, mend=BROKEN)

    return json_value(text, refuse)


def parse_nodes(sources: Iterable[tuple[str, object]], link: object = None) -> tuple[tuple[Node, ...], Link]:
    """Return the nodes and the link between them.

    sources: name for messages, and a value: one node, a list of them, or {"nodes": [...], "link": ...}
    link: that was given besides; it wins. Raises BadSetting, BadQuantity.
    """
    nodes: list[Node] = []
    for source, value in sources:
        if isinstance(value, Mapping) and "nodes" in value:
            _check_keys(source, value)
            link = value.get("link") if link is None else link
            value = value["nodes"]
        found = value if isinstance(value, list | tuple) else [value]
        nodes += [_node(f"{source}, node {n}" if len(found) > 1 else source, v) for n, v in enumerate(found, 1)]
    _check_count(nodes)
    named = _named(nodes)
    _check_addresses(named)
    return named, USUAL if link is None else parse_link(link)


def _check_keys(source: str, value: Mapping[str, object]) -> None:
    other = [k for k in value if k not in ("nodes", "link")]
    if other:
        raise BadSetting(
            "{file} has a key {key} beside nodes and link.", file=source, key=quoted(str(other[0]), 40), mend=BROKEN
        )


def _check_count(nodes: list[Node]) -> None:
    if len(nodes) == 1:
        raise BadSetting(
            "There is only one node: {name}.", name=nodes[0].name,
            mend="Give at least two, or plan on that computer: gyakusan plan, without --nodes.",
        )  # fmt: skip
    if not 2 <= len(nodes) <= MOST:
        raise BadSetting("There are {n} nodes.", n=len(nodes), most=MOST, mend="Give 2 to {most}.")


def _check_addresses(nodes: Iterable[Node]) -> None:
    """Raise BadSetting for two nodes at one address. Those of one name are two computers of one kind."""
    seen: dict[str, str] = {}
    for node in nodes:
        if node.address is None:
            continue
        first = seen.setdefault(_address_key(node.address), node.name)
        if first != node.name:
            raise BadSetting(
                "{first} and {second} have one address: {address}.",
                first=first, second=node.name, address=node.address,
                mend="Give each node its own address, or leave one out if they are the same computer.",
            )  # fmt: skip


def _address_key(address: str) -> str:
    """Return what is alike for two spellings of one address."""
    try:
        return str(ip_address(address))
    except ValueError:
        return address.casefold()


def _check_schema(source: str, value: object) -> None:
    """Raise BadSetting for what is not in the schema of `detect`."""
    form = value.get("schema") if isinstance(value, Mapping) else None
    if form is None:
        raise BadSetting(
            "{file} is not what gyakusan detect --json writes: its schema is missing.", file=source,
            mend="Run gyakusan detect --json on that computer, with the version of gyakusan that plans.",
        )  # fmt: skip
    if form != SCHEMA:
        raise BadSetting(
            "{file} is not what gyakusan detect --json of this version writes: its schema is {form}, not {wanted}.",
            file=source, form=quoted(form, 60), wanted=SCHEMA,
            mend="Run gyakusan detect --json on that computer, with the version of gyakusan that plans.",
        )  # fmt: skip


def _node(source: str, value: object) -> Node:
    """Return a node of what `detect` wrote. Raises BadSetting."""
    _check_schema(source, value)
    try:
        said = msgspec.convert(value, _Described)
    except msgspec.ValidationError as error:
        raise BadSetting(
            "{file} cannot be read: {problem}.", file=source, problem=misfit(str(error)), mend=BROKEN
        ) from None
    name = line(said.name, LONGEST_NAME).strip() or "node"
    if len(said.devices) > MOST_DEVICES:
        raise BadSetting(
            "Node {name} has {n} devices.",
            name=name,
            n=len(said.devices),
            most=MOST_DEVICES,
            mend="Give at most {most}.",
        )
    devices = tuple(_device(source, d) for d in said.devices)
    host = [d for d in devices if d.kind == "host"]
    gpus = tuple(d for d in devices if d.kind != "host")
    if not 0 <= said.cores <= MOST_CORES:
        raise BadSetting(
            "Node {name} has {n} cores.", name=name, n=said.cores, most=MOST_CORES,
            mend="Give at most {most}, 0 where the number is not known.",
        )  # fmt: skip
    processor = line(said.processor, LONGEST_NAME)
    machine = Machine(name, gpus, host[0] if host else None, processor, said.cores, simd=said.simd)
    if not all(d.usable for d in (gpus or devices)) or not devices:
        raise BadSetting(
            "The memory of node {name} is not known.", name=name,
            mend='Write it in bytes as "memory" of its device, e.g. "memory": 25769803776 for 24 GiB.',
        )  # fmt: skip
    return Node(name, machine, None if said.address is None else host_address(said.address, name))


def _device(source: str, said: _Device) -> Device:
    memory, bandwidth = said.memory, said.bandwidth
    if memory is not None and not 0 <= said.reserved <= memory <= MOST_MEMORY:
        raise BadSetting(
            "{file}: {device} has {memory} B of memory, of which {reserved} B are reserved.",
            file=source, device=line(said.name, LONGEST_NAME), memory=f"{memory:,}", reserved=f"{said.reserved:,}",
            mend="Correct memory and reserved.",
        )  # fmt: skip
    if bandwidth is not None and not SLOWEST <= bandwidth < FASTEST:
        raise BadSetting(
            "{file}: {device} has a memory bandwidth of {bandwidth} B/s.",
            file=source, device=line(said.name, LONGEST_NAME), bandwidth=f"{bandwidth:g}",
            least=f"{SLOWEST:g}", most=f"{FASTEST:g}",
            mend="Correct bandwidth, between {least} and {most}, or write null where it is not known.",
        )  # fmt: skip
    return Device(
        line(said.name, LONGEST_NAME), said.kind, memory, said.backend, reserved=said.reserved,
        reserved_basis=said.reserved_basis, bandwidth=bandwidth, source=line(said.source, 80), memory_basis="read",
    )  # fmt: skip


def _named(nodes: list[Node]) -> tuple[Node, ...]:
    """Return the nodes with names of their own: the second "NVIDIA DGX Spark" gets a 2."""
    return tuple(_numbered(nodes))


def _numbered(nodes: list[Node]) -> Iterator[Node]:
    taken: set[str] = set()
    for node in nodes:
        name, number = node.name, 1
        while name in taken:
            number += 1
            name = f"{node.name} {number}"
        taken.add(name)
        yield structs.replace(node, name=name, machine=structs.replace(node.machine, name=name))
