"""systemd: a hardened unit of the whole system, which serves without anybody being logged in.

Source: systemd.exec(5) of systemd 252. A user of its own is made at each start (DynamicUser), the model's files stay in its
cache folder, and the key comes from a file that only root reads.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import EVERYWHERE, has_systemd, unit_argument, unit_word
from gyakusan.errors import BadReference, BadSetting
from gyakusan.exports.reach import in_order
from gyakusan.exports.settings import (
    REMOTE,
    Comment,
    ExportSettings,
    Written,
    after,
    check,
    check_fetchable,
    check_one_machine,
    key_variable,
    listening,
    service_name,
)
from gyakusan.message import say

HARDENED = (
    "DynamicUser=yes", "CacheDirectory={name}", "Environment=HF_HOME=%C/{name}", "Environment=LLAMA_CACHE=%C/{name}",
    "Environment=HOME=%C/{name}", "NoNewPrivileges=yes", "PrivateTmp=yes", "ProtectSystem=strict", "ProtectHome=yes",
    "ProtectKernelTunables=yes", "ProtectKernelModules=yes", "ProtectKernelLogs=yes", "ProtectControlGroups=yes",
    "ProtectHostname=yes", "ProtectProc=invisible", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes", "LockPersonality=yes", "CapabilityBoundingSet=", "SystemCallArchitectures=native",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK", "UMask=0077",
)  # fmt: skip
"""What the unit forbids. GPUs stay reachable: no ProtectClock, which denies other devices (systemd issue 18142); AF_NETLINK, by
which several GPUs find each other; memory may be both written and run, as drivers need."""
GROUPS = "SupplementaryGroups=video render"
"""Whose members may use a GPU."""
PROGRAMS = "/usr/local/bin"
"""Where a program is expected that is not on this computer."""
HIDDEN = ("/home/", "/root/", "/run/user/")
"""Folders that ProtectHome hides from a unit; ProtectHome=tmpfs lets folders in them be bound (systemd.exec(5))."""
PYTHONS = "/opt/python"
"""Where uv puts a Python that a unit can see: its usual place is a home folder."""
KEYS = "/etc/gyakusan"
"""Folder of the files with keys."""


def system_unit(deployment: Deployment, settings: ExportSettings) -> Written:
    """Return a unit for /etc/systemd/system. Raises BadSetting for what is not one machine with systemd."""
    check(settings)
    rules, machine = deployment.rules, deployment.machine
    check_one_machine(settings)
    key = key_variable(deployment, settings)
    if not has_systemd(machine):
        raise BadSetting("{machine} has no systemd.", machine=machine.name, mend="Use gyakusan serve --detach.")
    folders = _own_folders(deployment)
    command = listening(deployment, settings)
    command = rules.with_host(command, EVERYWHERE) if settings.lan else command
    name = service_name(deployment.name)
    found = shutil.which(command.argv[0])
    program = found if found is not None and not found.startswith(HIDDEN) else None
    lines = [
        "[Unit]", f"Description=gyakusan: {name}", "Wants=network-online.target", "After=network-online.target", "",
        "[Service]", f"ExecStart={' '.join(map(unit_argument, (program or f'{PROGRAMS}/{command.argv[0]}', *command.argv[1:])))}",
        *(f"Environment={unit_word(f'{k}={v}')}" for k, v in command.environment.items()),
        *([f"EnvironmentFile={KEYS}/{name}.env"] if key else []),
        "Restart=always", "RestartSec=5", *(line.format(name=name) for line in HARDENED),
        *(["ProtectHome=tmpfs"] if any(f"{f}/".startswith(HIDDEN) for f in folders) else []),
        *(f"BindReadOnlyPaths={unit_word(f)}" for f in folders),
        *([GROUPS] if machine.gpus else ["PrivateDevices=yes", "ProtectClock=yes"]), "", "[Install]",
        "WantedBy=multi-user.target",
    ]  # fmt: skip
    return _head(deployment, command.argv[0], name, key, here=program is not None), "\n".join(lines) + "\n"


def _head(deployment: Deployment, program: str, name: str, key: str, *, here: bool) -> Sequence[Comment]:
    """Return what is to be done, in its order. program: the server's; here: a unit can see it."""
    file = f"{name}.service"
    steps: list[tuple[Comment, ...]] = []
    if not here:
        told = say(
            "{program} has to be in {folder}: it is not here, or in a home folder.", program=program, folder=PROGRAMS
        )
        steps.append((told, *_installing(deployment, program)))
    if key:
        made = f"umask 077; mkdir -p {KEYS}; echo {key}=$(openssl rand -hex 32) > {KEYS}/{name}.env"
        steps.append((say("Make the key, which only root reads:"), f"sudo sh -c '{made}'"))
    steps.append((say("Put this file, {file}, in its place:", file=file), f"sudo cp {file} /etc/systemd/system/{file}"))
    enable = f"sudo systemctl daemon-reload; sudo systemctl enable --now {file}"
    steps.append((say("Start it, now and whenever the computer starts:"), enable))
    return in_order((*steps, *after(deployment)))


def _installing(deployment: Deployment, program: str) -> tuple[str, ...]:
    """Return the commands that put a server's program where every user of the computer runs it, () where we know none."""
    module, folder = deployment.rules.server(), f"/opt/{program}"
    found = () if module is None else module.installing(deployment.machine, folder)
    if not found:
        return ()
    user = f'sudo env "PATH=$PATH" UV_PYTHON_INSTALL_DIR={PYTHONS} '
    return (*(user + line for line in found), f"sudo ln -sf {folder}/bin/{program} {PROGRAMS}/{program}")


def _own_folders(deployment: Deployment) -> tuple[str, ...]:
    """Return the folders of a person's own model that the unit has to see, none for a published one, which it fetches.

    A link counts where it is and where it leads: caches keep files so. Raises BadSetting for a model that nobody publishes
    and for a path that no unit can name, BadReference for a file that is not here.
    """
    if deployment.model.catalogue_name or deployment.model.source.startswith(REMOTE):
        check_fetchable(deployment)
        return ()
    file = Path(deployment.model.source)
    if not file.exists():
        raise BadReference("The file {path} does not exist.", path=str(file)[:200], mend="Check the path.")
    if not file.is_absolute():
        raise BadSetting("A unit needs the whole path of {file}.", file=str(file)[:200], mend="Give an absolute path.")
    found = tuple(dict.fromkeys(str(f if f.is_dir() else f.parent) for f in (file, file.resolve())))
    if any(":" in f for f in found):
        raise BadSetting(
            "A unit cannot name the folder {folder}: systemd reads what follows its colon as another one.",
            folder=found[0][:200], mend="Rename the folder, or move the model.",
        )  # fmt: skip
    return found
