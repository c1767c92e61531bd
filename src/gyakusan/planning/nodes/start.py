"""How each node of a layout is started."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from gyakusan.doors.shell import shell_words
from gyakusan.engines.base import Command
from gyakusan.engines.service_files import EVERYWHERE, Service, service
from gyakusan.errors import BadSetting
from gyakusan.planning.nodes.across import FIRST_PORT
from gyakusan.planning.nodes.layout import Layout
from gyakusan.planning.nodes.node import Node
from gyakusan.planning.select.plan import Plan


class Start(Struct, frozen=True):
    """A command on a node.

    node: where it is run
    server: what is run
    """

    node: Node
    server: Service


def starts(layout: Layout, *, all_flags: bool = False) -> tuple[Start, ...]:
    """Return every command in the order in which they are run: workers first, then the server.

    A server that the network reaches asks for a key, where it has one. Raises BadSetting where an address lacks.
    """
    if layout.form == "workers":
        return tuple(_workers(layout, all_flags=all_flags))
    if layout.form == "pipeline":
        return tuple(_stages(layout, all_flags=all_flags))
    opened = layout.form == "copies"
    return tuple(
        Start(node, _service(plan, plan.command, opened=opened, all_flags=all_flags))
        for node, plan in zip(layout.nodes, layout.plans, strict=True)
    )


def _service(plan: Plan, command: Command, *, opened: bool, all_flags: bool) -> Service:
    """Return a server. opened: to the network, with a key where it takes one, else without, as `fleet` does."""
    rules = plan.deployment.rules
    if opened and not rules.KEY:
        return service(plan.deployment, rules.with_host(command, EVERYWHERE), all_flags=all_flags)
    return service(plan.deployment, command, all_flags=all_flags, lan=opened)


def one_line(layout: Layout) -> str:
    """Return the one command of gyakusan that starts workers, tunnels and server from the first node, "" where there is none.

    None takes an IPv6 address: `gyakusan serve` reads what follows a colon as a port. Raises BadSetting where an address lacks.
    """
    plan, load = layout.first, layout.first.ledger.load
    usual = plan.artifact is not None and plan.command == plan.deployment.command  # serve chooses no mode of thinking
    if layout.form != "workers" or not layout.nodes[0].machine.gpus or plan.artifact is None or not usual:
        return ""
    others = [address(node) for node in layout.nodes[1:]]
    if any(":" in other for other in others):
        return ""
    places = ",".join(f"ssh:{other}" for other in others)
    cache = plan.deployment.cache_type
    words = ("gyakusan", "serve", plan.artifact.reference, "--context", str(load.context), "--users", str(load.users))
    return shell_words((*words, *(() if cache == "f16" else ("--kv-type", cache)), "--rpc", places))


def _workers(layout: Layout, *, all_flags: bool) -> Iterator[Start]:
    """Yield a worker on each further node, a tunnel to each, and the server. Workers listen on loopback only."""
    plan, server = layout.first, layout.nodes[0]
    rules = plan.deployment.rules
    for place, node in enumerate(layout.nodes[1:]):
        worker = rules.worker_command(node.machine, FIRST_PORT + place)
        if worker is not None:
            yield Start(node, _plain(plan, worker))
    for place, node in enumerate(layout.nodes[1:]):
        port = FIRST_PORT + place
        strict = ("-o", "ExitOnForwardFailure=yes")  # a port that is taken ends it, instead of a tunnel that is none
        tunnel = ("ssh", *strict, "-N", "-L", f"{port}:127.0.0.1:{port}", address(node))
        yield Start(server, _plain(plan, Command(tunnel)))
    own = rules.worker_command(server.machine, FIRST_PORT + len(layout.nodes) - 1)
    if not server.machine.gpus and own is not None:
        yield Start(server, _plain(plan, own))
    yield Start(server, _service(plan, plan.command, opened=False, all_flags=all_flags))


def _plain(plan: Plan, command: Command) -> Service:
    return Service(plan.name, plan.engine, command, plan.offer.machine, 0, "", keyed=False)


def _stages(layout: Layout, *, all_flags: bool) -> Iterator[Start]:
    plan, rules = layout.first, layout.first.deployment.rules
    commands = rules.spanning_commands(
        rules.with_host(plan.command, EVERYWHERE), len(layout.nodes), address(layout.nodes[0])
    )
    for node, command in zip(layout.nodes, commands, strict=True):
        yield Start(node, _service(plan, command, opened=True, all_flags=all_flags))


def address(node: Node) -> str:
    """Return the address by which other nodes reach this one. Raises BadSetting."""
    if node.address is None:
        raise BadSetting(
            "Nobody said how {name} is reached.", name=node.name,
            mend='Write it into its part of the file: "address": "192.168.0.10", or a host name.',
        )  # fmt: skip
    return node.address
