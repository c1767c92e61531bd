"""The kinds of files, by name; adding one is a function and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gyakusan.doors.text import is_clean
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting, unknown
from gyakusan.exports.caddy import caddyfile
from gyakusan.exports.compose import compose, quadlet
from gyakusan.exports.kubernetes import kubernetes
from gyakusan.exports.settings import Exported, ExportSettings, exported
from gyakusan.exports.system_unit import system_unit
from gyakusan.exports.vllm_stack import values
from gyakusan.message import say

Write = Callable[[Sequence[Deployment], ExportSettings], str]


def _contained(write: Callable[[Exported], str]) -> Write:
    """Return a writer of one server in containers as one of deployments."""
    return lambda deployments, settings: write(exported(deployments[0], settings))


KINDS: Mapping[str, Write] = {
    "kubernetes": _contained(kubernetes),
    "compose": _contained(compose),
    "quadlet": _contained(quadlet),
    "systemd": lambda deployments, settings: system_unit(deployments[0], settings),
    "caddy": caddyfile,
    "vllm-stack": _contained(values),
}
"""Name of a kind -> what writes it."""
SEVERAL = frozenset({"caddy"})
"""Kinds that hold several servers."""


def export(deployments: Sequence[Deployment], kind: str, settings: ExportSettings = ExportSettings()) -> str:
    """Return the text of a file. Raises UnknownName for a kind, BadSetting for what it cannot hold."""
    if kind not in KINDS:
        raise unknown(say("kind of file"), kind, KINDS, choices=True)
    if len(deployments) > 1 and kind not in SEVERAL:
        raise BadSetting("A file of {kind} is for one model.", kind=kind, mend="Export each model by itself.")
    for d in deployments:
        words = [*d.command.argv, *d.command.environment.values()]
        if word := next((w for w in words if not is_clean(w)), None):
            raise BadSetting(
                "{word} has a control character, and no command can be written with it.", word=ascii(word[:80]),
                mend="Rename it.",
            )  # fmt: skip
    return KINDS[kind](deployments, settings)
