"""Where workers are, as people write it: an address that listens already, or a computer that ssh reaches."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gyakusan.errors import BadSetting
from gyakusan.message import quoted
from gyakusan.serving.access import is_loopback

SSH = "ssh:"
"""How a computer begins on which gyakusan starts the worker itself."""
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?"
_LISTENING = re.compile(rf"({_NAME})(?::(\d{{1,5}}))?", re.ASCII)
_REACHED = re.compile(rf"((?:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,63}}@)?{_NAME})(?::(\d{{1,5}}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class WorkerPlace:
    """One worker.

    host: name or address; with ssh what ssh is told, e.g. "me@box"
    port: on which it listens, of its computer's loopback with ssh; 0 takes a free one there
    ssh: gyakusan starts it through ssh
    """

    host: str
    port: int
    ssh: bool = False

    def __str__(self) -> str:
        if not self.ssh:
            return f"{self.host}:{self.port}"
        return f"{SSH}{self.host}" + (f":{self.port}" if self.port else "")


def parse(text: str, usual_port: int, most: int) -> tuple[WorkerPlace, ...]:
    """Return the workers of a list with commas. Raises BadSetting.

    usual_port: of one that names none; most: workers that a server takes
    """
    found = tuple(_parse_one(one.strip(), usual_port) for one in text.split(","))
    listening = [("" if is_loopback(p.host) else p.host, p.port) for p in found if not p.ssh]  # loopback has many names
    if len(set(listening)) < len(listening):
        raise BadSetting("An RPC worker is named twice.", mend="Name each worker once.")
    if len(found) > most:
        raise BadSetting("{n} RPC workers are too many.", n=len(found), most=most, mend="Name up to {most}.")
    return found


def _parse_one(text: str, usual_port: int) -> WorkerPlace:
    """Return one worker. What begins with a dash, or holds what a shell reads, is no name: ssh would take it as an option."""
    ssh = text.startswith(SSH)
    match = (_REACHED if ssh else _LISTENING).fullmatch(text.removeprefix(SSH) if ssh else text)
    if match is None:
        raise BadSetting(
            "{text} is no RPC worker.", text=quoted(text, 80),
            mend="Write host:port, e.g. 127.0.0.1:50052, or ssh:user@host.",
        )  # fmt: skip
    port = int(match[2]) if match[2] else 0 if ssh else usual_port
    if match[2] and not 1 <= port <= 65535:
        raise BadSetting("{key} cannot be {value}.", key="port", value=match[2], mend="Give 1 to 65535.")
    return WorkerPlace(match[1], port, ssh)


def check_reach(addresses: Iterable[str], *, unprotected: bool) -> None:
    """Raise BadSetting for a worker beyond loopback, unless that is meant.

    addresses: as host:port; unprotected: the user says that the network is safe
    """
    for address in addresses:
        host = address.rpartition(":")[0]
        if not unprotected and not is_loopback(host):
            raise BadSetting(
                "The worker {address} is on another computer, and llama.cpp's RPC has no password and no encryption: "
                "whoever reaches it can read the model and the conversations, and take that computer over.",
                address=address, host=host,
                mend="Let gyakusan reach it by ssh: --rpc ssh:{host}. On a network that is yours alone: --rpc-unprotected",
            )  # fmt: skip
