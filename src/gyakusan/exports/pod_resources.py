"""The memory and the GPUs that a pod asks for, by the ledger of what runs in it."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

from msgspec import Struct

from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting
from gyakusan.exports.settings import Exported
from gyakusan.units import MIB

STEP = 64 * MIB
"""Requests of memory are rounded up to it. [B]"""
MARGIN = 2.0
"""The limit of a pod's memory over the high end of our range: a pod above it is killed, and the range is of few computers."""
GPU_RESOURCES: Mapping[str, str] = {"cuda": "nvidia.com/gpu", "rocm": "amd.com/gpu"}
"""Backend of a GPU -> the resource that its vendor's device plugin offers."""


class PodMemory(Struct, frozen=True):
    """The RAM of one container.

    request: what it takes at the start [B]
    limit: what it may take: twice what everything that grows with use may reach [B]
    """

    request: int
    limit: int


def group_memory(server: Exported) -> tuple[PodMemory, PodMemory]:
    """Return the RAM of the pods of a leader and of a worker: their own devices', a worker's GPUs being the first.

    A worker keeps a tensor in RAM until it is on its GPU. Source: llama.cpp b11434, ggml-rpc.cpp (rpc_serve_client).
    """
    deployment, nodes = server.deployment, server.settings.nodes
    each = len(deployment.machine.gpus) // nodes
    accounts = deployment.ledger.accounts
    process = sum(float(line.bytes) for a in accounts for line in a.lines if line.part == "overhead.process")
    largest = max((float(t.bytes) for t in deployment.model.tensors), default=0.0)
    lending = [[a for a in accounts[i * each : (i + 1) * each] if a.device.kind != "gpu"] for i in range(nodes - 1)]
    leading = [a for a in accounts[(nodes - 1) * each :] if a.device.kind != "gpu"]
    best, most = (max(sum(float(getattr(a, end)) for a in one) for one in lending) for end in ("total", "high"))
    own = [sum(float(getattr(a, end)) for a in leading) for end in ("total", "high")]
    return _limits(*own), _limits(best + process + largest, most + process + largest)


def _limits(best: float, most: float) -> PodMemory:
    """Return request and limit for what a pod takes at the start and at most [B]."""
    request = max(_rounded(best), STEP)
    return PodMemory(request, max(_rounded(MARGIN * most), request))


def pod_memory(server: Exported) -> PodMemory:
    """Return the RAM of one pod by the ledger."""
    return pod_bytes(server.deployment, server.settings.nodes)


def pod_bytes(deployment: Deployment, nodes: int) -> PodMemory:
    """Return the RAM of one of `nodes` parts of a server: of the host, and of a GPU that shares the computer's memory."""
    charged = [a for a in deployment.ledger.accounts if a.device.kind != "gpu"]
    best, most = (sum(float(getattr(a, end)) for a in charged) / nodes for end in ("total", "high"))
    return _limits(best, most)


def _rounded(size: float) -> int:
    return int(ceil(size / STEP) * STEP)


def gpu_resource(server: Exported) -> tuple[str, int]:
    """Return the resource of the GPUs and how many of a pod, ("", 0) for a CPU. Raises BadSetting without device plugin."""
    gpus = server.deployment.machine.gpus
    if not gpus:
        return "", 0
    resource = GPU_RESOURCES.get(gpus[0].backend)
    if resource is None:
        raise BadSetting(
            "No device plugin of Kubernetes is known for {device}.", device=gpus[0].name,
            mend="Export it to compose, quadlet or systemd.",
        )  # fmt: skip
    return resource, len(gpus) // server.settings.nodes


def gpu_memory_needed(deployment: Deployment) -> int:
    """Return the memory that the fullest GPU must have, with what the plan leaves to others [MiB]."""
    needed = [
        float(a.at_most) + float((a.device.memory or 0) - (a.device.usable or a.device.memory or 0))
        for a in deployment.ledger.accounts
        if a.device.kind == "gpu"
    ]
    return int(max(needed, default=0) / MIB)
