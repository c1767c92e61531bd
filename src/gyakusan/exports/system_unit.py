"""systemd: a hardened unit of the whole system, which serves without anybody being logged in.

Source: systemd.exec(5) of systemd 252. A user of its own is made at each start (DynamicUser), the model's files stay in its
cache folder, and the key comes from a file that only root reads.
"""

from __future__ import annotations

import shutil

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import EVERYWHERE, has_systemd, unit_argument, unit_word
from gyakusan.errors import BadSetting
from gyakusan.exports.settings import ExportSettings, check, service_name

HARDENED = (
    "DynamicUser=yes", "CacheDirectory={name}", "Environment=HF_HOME=%C/{name}", "Environment=LLAMA_CACHE=%C/{name}",
    "Environment=HOME=%C/{name}", "NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectSystem=strict", "ProtectHome=yes",
    "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
    "ProtectClock=yes", "ProtectHostname=yes", "ProtectProc=invisible", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes", "LockPersonality=yes", "CapabilityBoundingSet=", "SystemCallArchitectures=native",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "UMask=0077",
)  # fmt: skip
"""What the unit forbids; GPUs stay reachable, and memory may be both written and run, as their drivers need."""
GROUPS = "SupplementaryGroups=video render"
"""Whose members may use a GPU."""
PROGRAMS = "/usr/local/bin"
"""Where a program is expected that is not on this computer."""
KEYS = "/etc/gyakusan"
"""Folder of the files with keys."""


def system_unit(deployment: Deployment, settings: ExportSettings) -> str:
    """Return a unit for /etc/systemd/system. Raises BadSetting for what is not one machine with systemd."""
    check(settings)
    rules, machine = deployment.rules, deployment.machine
    if settings.nodes > 1 or max(settings.replicas, settings.most_replicas) > 1:
        raise BadSetting(
            "This kind of file is for one server on one machine.", mend="Leave out --nodes and --replicas."
        )
    if not has_systemd(machine):
        raise BadSetting("{machine} has no systemd.", machine=machine.name, mend="Use gyakusan serve --detach.")
    if settings.host and not rules.KEY:
        raise BadSetting(
            "{engine} has no API key, so everyone in the network could use it.", engine=rules.NAME,
            mend="Leave out --host, or plan with another engine (--engine).",
        )  # fmt: skip
    command = rules.short_command(deployment.command, machine)
    command = rules.with_host(command, EVERYWHERE) if settings.host else command
    name = service_name(deployment.name)
    program = shutil.which(command.argv[0])
    keyed = rules.KEY if settings.host else ""
    lines = [
        f"# /etc/systemd/system/{name}.service",
        *([] if program else [f"# {command.argv[0]} has to be in {PROGRAMS}: it was not found here."]),
        *([f"# {KEYS}/{name}.env has one line: {keyed}= and the key; mode 600, owner root."] if keyed else []),
        "[Unit]", f"Description=gyakusan: {name}", "Wants=network-online.target", "After=network-online.target", "",
        "[Service]", f"ExecStart={' '.join(map(unit_argument, (program or f'{PROGRAMS}/{command.argv[0]}', *command.argv[1:])))}",
        *(f"Environment={unit_word(f'{k}={v}')}" for k, v in command.environment.items()),
        *([f"EnvironmentFile={KEYS}/{name}.env"] if keyed else []),
        "Restart=always", "RestartSec=5", *(line.format(name=name) for line in HARDENED),
        *([GROUPS] if machine.gpus else ["PrivateDevices=yes"]), "", "[Install]", "WantedBy=multi-user.target",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
