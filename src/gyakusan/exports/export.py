"""The kinds of files, by name; adding one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import check_words
from gyakusan.errors import BadSetting, unknown
from gyakusan.exports.caddy import caddyfile
from gyakusan.exports.compose import compose, quadlet
from gyakusan.exports.kubernetes import kubernetes
from gyakusan.exports.ray_serve import ray_serve
from gyakusan.exports.reach import reach_notes
from gyakusan.exports.settings import Comment, Exported, ExportSettings, Written, exported, service_name
from gyakusan.exports.system_unit import system_unit
from gyakusan.exports.vllm_stack import values
from gyakusan.message import say

Write = Callable[[Sequence[Deployment], ExportSettings], Written]


def _contained(write: Callable[[Exported], Written]) -> Write:
    """Return a writer of one server in containers as one of deployments."""
    return lambda deployments, settings: write(exported(deployments[0], settings))


KINDS: Mapping[str, Write] = {
    "kubernetes": _contained(kubernetes),
    "compose": _contained(compose),
    "quadlet": _contained(quadlet),
    "systemd": lambda deployments, settings: system_unit(deployments[0], settings),
    "caddy": caddyfile,
    "vllm-stack": _contained(values),
    "ray": lambda deployments, settings: ray_serve(deployments[0], settings),
}
"""Name of a kind -> what writes it."""
SYNONYMS = {"podman": "quadlet"}
"""What else a kind is called: podman reads quadlets."""
_OF_ONE = frozenset({"host", "lan", "keyed", "port", "all_flags", "page"})
TAKEN: Mapping[str, frozenset[str]] = {
    "kubernetes": frozenset({"replicas", "most_replicas", "nodes", "namespace", "host", "port", "image"}),
    "compose": _OF_ONE,
    "quadlet": _OF_ONE,
    "systemd": _OF_ONE,
    "caddy": frozenset({"host", "keyed", "port"}),
    "vllm-stack": frozenset({"replicas"}),
    "ray": frozenset({"replicas", "most_replicas", "nodes", "port"}),
}
"""Name of a kind -> the settings that it takes; another one is refused, not left out."""
FIRST = "# gyakusan export"
"""How the first line of every file begins: by it a file of ours is known, which another one may replace.

It is no command: a plan's question is more than a model's name, and the name alone makes another file.
"""
SEVERAL = frozenset({"caddy"})
"""Kinds that hold several servers."""


def export(
    deployments: Sequence[Deployment],
    kind: str,
    settings: ExportSettings = ExportSettings(),
    tell: Callable[[Comment], str] = str,
) -> str:
    """Return the text of a file. Raises UnknownName for a kind, BadSetting for what it cannot hold.

    tell: puts what its head says into a language, a line for each of its lines; nothing that a program reads has one
    """
    if kind not in KINDS:
        raise unknown(say("kind of file"), kind, KINDS, choices=True)
    _check_taken(kind, settings)
    if len(deployments) > 1 and kind not in SEVERAL:
        raise BadSetting("A file of {kind} is for one model.", kind=kind, mend="Export each model by itself.")
    for d in deployments:
        words = [*d.command.argv, *d.command.environment, *d.command.environment.values()]
        words += [w for line in d.command.then for w in line]
        check_words(words)
    head, body = KINDS[kind](deployments, settings)
    head = (*reach_notes(deployments, kind, settings), *head)
    title = say("{kind} of {names}", kind=kind, names=" ".join(service_name(d.name) for d in deployments))
    return "".join(
        (f"{FIRST}: {tell(title)}\n", *(f"# {line}\n" for told in head for line in tell(told).split("\n")), body)
    )


def _check_taken(kind: str, settings: ExportSettings) -> None:
    """Raise BadSetting for a setting that a kind of file has no place for."""
    usual = ExportSettings()
    for name in ExportSettings.__struct_fields__:
        if name not in TAKEN[kind] and getattr(settings, name) != getattr(usual, name):
            option = {"keyed": "no-key", "page": "no-ui"}.get(name, name.replace("_", "-"))
            raise BadSetting("A file of {kind} has no --{option}.", kind=kind, option=option, mend="Leave it out.")
