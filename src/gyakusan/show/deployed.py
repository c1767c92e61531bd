"""What runs on a cluster: each application with its replicas."""

from __future__ import annotations

from collections.abc import Sequence

from gyakusan.deploying.cluster import Replicas
from gyakusan.message import say
from gyakusan.show.tree import Address, Column, Pause, Table, Text, Tree, whole


def screen(found: Sequence[Replicas], url: str | None = None) -> Tree:
    """Return a row for each application, and where the new one is reached."""
    if not found:
        return (Text(say("Nothing is deployed.")),)
    rows = tuple((whole(a.name), a.state, _replicas(a), a.message) for a in found)
    columns = (Column(say("application")), Column(say("state")), Column(say("replicas")), Column(kind="reason"))
    told = (Pause(), Address(say("OpenAI base URL: {url}", url=url))) if url is not None else ()
    return (Table(columns, rows), *told)


def _replicas(application: Replicas) -> str:
    return ", ".join(f"{n} {state}" for state, n in application.replicas.items())
