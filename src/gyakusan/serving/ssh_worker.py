"""A worker on another computer: one ssh session starts it there, forwards a port of this computer to it, and ends it.

Nothing listens outside the loopback of either computer. Source: ssh(1), ssh_config(5) of OpenSSH 9 and 10.
"""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence

from gyakusan.core.machine import Device
from gyakusan.engines.server import WorkerModule
from gyakusan.errors import ServerError
from gyakusan.message import Message, say
from gyakusan.serving.access import free_port
from gyakusan.serving.process import GuardedProcess, ProcessSpec
from gyakusan.serving.worker_places import WorkerPlace

Told = Callable[[Message], None]

PATIENCE = 60.0
"""How long a worker may take to answer: the connection, and the drivers of its GPUs. [s]"""
ANSWER = 10.0
"""How long a worker may take for one answer. [s]"""
SETTLING = 3.0
"""How long a worker on a port that a user named may take to find it taken: until then a stranger there may answer. [s]"""
ATTEMPTS = 3
"""Starts with other ports, where somebody took one meanwhile."""
_OPTIONS = (
    "BatchMode=yes", "ExitOnForwardFailure=yes", "ConnectTimeout=20", "ServerAliveInterval=15", "ServerAliveCountMax=3",
    "ControlMaster=no", "ControlPath=none", "ForkAfterAuthentication=no", "StdinNull=no", "RemoteCommand=none",
    "PermitLocalCommand=no", "ForwardAgent=no", "ForwardX11=no", "GatewayPorts=no", "ClearAllForwardings=no",
)  # fmt: skip
"""No question is asked, no forwarding is left out in silence, and a connection that breaks is noticed after 45 s; what a
user's own ssh_config may say otherwise is undone. A shared connection (ControlMaster) would outlive this one."""
_LOCAL_TAKEN = "Could not request local forwarding"
"""What ssh says where the port of this computer is taken."""
_FIRST, _LAST = 49152, 65535
"""Ports that nobody registers. Source: RFC 6335, 6."""
_REASONS: tuple[tuple[str, Message, Message], ...] = (
    (
        "Host key verification failed", say("ssh does not know {where} yet."),
        say("Connect once by hand and compare its fingerprint: ssh {where}"),
    ),
    (
        "Permission denied (", say("{where} refuses the login."),
        say("It has to work without a password: ssh-copy-id {where}, or a key in ssh-agent."),
    ),
    ("Could not resolve hostname", say("No computer is called {where}."), say("Check the name, or ~/.ssh/config.")),
    (
        "open failed: administratively prohibited", say("{where} forwards no ports."),
        say("Set AllowTcpForwarding in its sshd_config."),
    ),
    (
        "ssh: connect to host", say("{where} cannot be reached by ssh."),
        say("Is it on, and does it run sshd? Try: ssh {where}"),
    ),
)  # fmt: skip
"""What ssh says, why there is no worker, and what would mend it. ssh's own messages are English everywhere."""


class SshWorker:
    """One worker behind ssh. Its address on this computer stays the same when it is started again."""

    def __init__(self, place: WorkerPlace, module: WorkerModule) -> None:
        """Prepare; nothing is started yet."""
        self.place = place
        self._module = module
        self._local, self._remote = 0, 0
        self._choose_ports()
        self._child: GuardedProcess | None = None
        self._port_taken = False

    @property
    def address(self) -> str:
        """Where this computer reaches it, as host:port."""
        return f"127.0.0.1:{self._local}"

    @property
    def argv(self) -> tuple[str, ...]:
        """The command that starts it. Only numbers and a checked name are put in, behind "--" no word is an option."""
        options = [word for option in _OPTIONS for word in ("-o", option)]
        forward = f"{self.address}:127.0.0.1:{self._remote}"
        return ("ssh", "-T", *options, "-L", forward, "--", self.place.host, self._module.script(self._remote))

    def start(self, told: Told) -> tuple[Device, ...]:
        """Start it, wait until it answers, and return its devices. Raises ServerError; then nothing is left running.

        told: is called while it starts
        """
        for _ in range(ATTEMPTS - 1):
            try:
                return self.start_again(told)
            except ServerError:
                if not self._port_taken:
                    raise
                self._choose_ports()
        return self.start_again(told)

    def start_again(self, told: Told) -> tuple[Device, ...]:
        """Start it in the place of one that ended, at the same address. Raises ServerError.

        Its port there is another one, unless the user named it: after a lost connection the old worker may hold it for long.
        """
        self.stop()
        self._remote = self._port_there()
        try:
            return self._attempt(told)
        except BaseException:
            self.stop()
            raise

    @property
    def alive(self) -> bool:
        """True while its ssh session lasts."""
        return self._child is not None and self._child.alive

    def check(self) -> None:
        """Raise ServerError with the reason where its session has ended."""
        if self._child is not None and not self._child.alive:
            raise self._death(self._child)

    def stop(self) -> None:
        """End it: ssh closes the connection, and with it the worker's input ends there. Safe at any time."""
        if self._child is not None:
            self._child.end()

    def _choose_ports(self) -> None:
        self._local = free_port("127.0.0.1")
        self._remote = self._port_there()

    def _port_there(self) -> int:
        return self.place.port or _FIRST + secrets.randbelow(_LAST - _FIRST + 1)

    def _attempt(self, told: Told) -> tuple[Device, ...]:
        self._port_taken = False
        ssh = shutil.which("ssh")
        if ssh is None:
            raise ServerError("This computer has no ssh.", mend="Install OpenSSH's client.")
        spec = ProcessSpec((ssh, *self.argv[1:]), dict(os.environ), hold=True)
        self._child = child = GuardedProcess(spec)
        end = time.monotonic() + PATIENCE
        while True:
            told(say("Starting a worker on {where}.", where=self.place.host))
            try:
                found = self._devices()
            except ServerError as error:
                last = error
            else:
                self._settle(child)
                return found
            if self._failed(child):
                raise self._death(child)
            if time.monotonic() > end:
                raise last
            child.log.wait(0.2)

    def _settle(self, child: GuardedProcess) -> None:
        """Raise ServerError where another worker answered on the port, and ours ends for it.

        Nobody else is expected on a port that was drawn; on one that a user named our worker gets time to find it taken.
        """
        end = time.monotonic() + (SETTLING if self.place.port else 0.0)
        while not (failed := self._failed(child)) and time.monotonic() < end:
            time.sleep(0.05)
        if failed:
            raise self._death(child)

    def _failed(self, child: GuardedProcess) -> bool:
        """True where its session has ended, or says what will never mend: ssh itself may stay where a port is not forwarded."""
        return not child.alive or any(
            any(text in line for text, *_ in _REASONS)
            or self._module.failure(line, self._remote, self.place.host) is not None
            for line in child.log.lines
        )

    def _devices(self) -> tuple[Device, ...]:
        return self._module.devices("127.0.0.1", self._local, ANSWER)

    def _death(self, child: GuardedProcess) -> ServerError:
        """Return why the session ended: by what the worker said, else by what ssh said."""
        child.end()
        where = self.place.host
        lines = [line for line in child.log.lines if line.strip() and not line.startswith("guard: ")]
        for line in lines:
            if (found := self._module.failure(line, self._remote, where)) is not None:
                self._port_taken = "port" in found.message.facts and not self.place.port
                return found
            if _LOCAL_TAKEN in line:
                self._port_taken = True
        return _reason(lines, where)


def _reason(lines: Sequence[str], where: str) -> ServerError:
    for text, why, mend in _REASONS:
        if any(text in line for line in lines):
            return ServerError(why.template, where=where, mend=mend.template)
    if not lines:
        return ServerError("The worker on {where} has ended.", where=where, mend="Try there: ssh {where}")
    return ServerError(
        "The worker on {where} has ended. Its last line: {line}", where=where, line=lines[-1][:300],
        mend="Try there: ssh {where}",
    )  # fmt: skip
