"""Compose and podman's quadlet: one server as a container of this computer.

Source: compose-spec 2026-06; podman-systemd.unit(5) of podman 5.
"""

from __future__ import annotations

from collections.abc import Iterator

from gyakusan.engines.service_files import EVERYWHERE, HERE, container_service, unit_argument, unit_word
from gyakusan.engines.yaml_text import documents
from gyakusan.exports.reach import in_order
from gyakusan.exports.settings import NEW_KEY, Comment, Exported, Written, check_one_machine
from gyakusan.message import say

NVIDIA_CDI = "nvidia.com/gpu=all"
"""Name of NVIDIA's cards for podman, by the Container Device Interface."""


def compose(server: Exported) -> Written:
    """Return a Compose file. Raises BadSetting for several servers, and for an open one without a key."""
    check_one_machine(server.settings)
    found = server.container
    about = container_service(
        found, server.words, server.command.environment,
        env_file=f"./{server.secret}.env" if server.key else "",
        published=_published(server),
        cards=len(server.deployment.machine.gpus),
    )  # fmt: skip
    body = {"name": server.name, "services": {server.name: about}, "volumes": {"models": {}}}
    after = server.after("docker", "compose", "exec", server.name)
    return (*_key_words(server, f"./{server.secret}.env"), *after), documents(body)


def quadlet(server: Exported) -> Written:
    """Return a unit NAME.container for ~/.config/containers/systemd. Raises BadSetting as `compose` does."""
    check_one_machine(server.settings)
    return _quadlet_head(server), "\n".join(_quadlet(server)) + "\n"


def _quadlet_head(server: Exported) -> tuple[Comment, ...]:
    """Return what is to be done, in its order."""
    folder, file = "~/.config/containers/systemd", f"{server.name}.container"
    steps: list[tuple[Comment, ...]] = []
    if server.container.nvidia:
        made = "sudo nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml"
        steps.append((say("Let podman see NVIDIA's cards:"), made))
    if server.key:
        made = f"{NEW_KEY}; podman secret create {server.secret} api-key.txt"
        steps.append((say("Make the key:"), made))
    steps.append((say("Put this file, {file}, in its place:", file=file), f"mkdir -p {folder}; cp {file} {folder}/"))
    steps.append((say("Start it:"), f"systemctl --user daemon-reload; systemctl --user start {server.name}"))
    return in_order((*steps, *server.after("podman", "exec", f"systemd-{server.name}")))


def _quadlet(server: Exported) -> Iterator[str]:
    found = server.container
    devices = [NVIDIA_CDI] if found.nvidia else list(found.devices)
    yield from ("[Unit]", f"Description=gyakusan: {server.name}", "", "[Container]", f"Image={_full(found.image)}")
    yield f"Exec={' '.join(unit_argument(w) for w in server.words)}"
    yield from (f"Environment={unit_word(f'{k}={v}')}" for k, v in server.command.environment.items())
    if server.key:
        yield f"Secret={server.secret},type=env,target={server.key}"
    yield f"PublishPort={_published(server)}"
    yield f"Volume=gyakusan-models:{found.folder}"
    yield from (f"AddDevice={d}" for d in devices)
    if found.shared_memory:
        yield "PodmanArgs=--ipc=host"
    yield from ("NoNewPrivileges=true", "", "[Service]", "Restart=always", "TimeoutStartSec=3600", "")
    yield from ("[Install]", "WantedBy=default.target")


def _published(server: Exported) -> str:
    return f"{EVERYWHERE if server.settings.lan else HERE}:{server.port}:{server.port}"


def _full(image: str) -> str:
    """Return an image with its registry, which podman does not guess: Docker's, where none is named."""
    return image if "." in image.partition("/")[0] else f"docker.io/{image}"


def _key_words(server: Exported, file: str) -> tuple[Comment, ...]:
    if not server.key:
        return ()
    return (say("First: {command}", command=f"(umask 077; echo {server.key}=$(openssl rand -hex 32) > {file})"),)
