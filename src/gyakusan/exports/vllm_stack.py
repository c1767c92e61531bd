"""Values for vLLM's production stack: one model behind its router.

Source: vllm-project/production-stack a6c01db, helm/values.schema.json and templates/deployment-vllm-multi.yaml. The chart
switches prefix caching off unless it is told to use it, and writes host, port and repository itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import Any

from gyakusan.engines.yaml_text import documents
from gyakusan.errors import BadSetting
from gyakusan.exports.pod_resources import gpu_resource, pod_memory
from gyakusan.exports.settings import NEW_KEY, Exported, Written
from gyakusan.units import GIB, MIB

ENGINE = "vllm"
"""Repository of images whose server the chart starts, as its name begins."""
OWN = ("--host", "--port")
"""Options with a value that the chart gives itself."""
NUMBERS = {
    "--max-model-len": "maxModelLen",
    "--tensor-parallel-size": "tensorParallelSize",
    "--max-num-seqs": "maxNumSeqs",
}
"""Option -> field of the chart."""
SHARE = "--gpu-memory-utilization"
CACHING = "--enable-prefix-caching"
"""The option that is on where nobody says otherwise."""


def values(server: Exported) -> Written:
    """Return the values as YAML. Raises BadSetting for another server than vLLM, and for several nodes."""
    image, _, tag = server.container.image.rpartition(":")
    if not image.startswith(f"{ENGINE}/"):
        raise BadSetting("The stack serves with vLLM only.", mend="Plan with --engine vllm.")
    if server.settings.nodes > 1:
        raise BadSetting("This kind of file is for servers on one machine each.", mend="Export to kubernetes.")
    repository, *words = server.words
    memory, (resource, gpus) = pod_memory(server), gpu_resource(server)
    model: dict[str, Any] = {
        "name": server.name, "repository": image, "tag": tag, "modelURL": repository,
        "replicaCount": server.settings.replicas, "requestCPU": 4, "requestMemory": f"{memory.request // MIB}Mi",
        "limitMemory": f"{memory.limit // MIB}Mi", "requestGPU": gpus, "requestGPUType": resource,
        "pvcStorage": f"{max(ceil(1.5 * server.deployment.model.bytes / GIB), 1)}Gi",
        "vllmConfig": _config(words),
    }  # fmt: skip
    if server.settings.replicas > 1:
        model["pvcAccessMode"] = ["ReadWriteMany"]
    if server.command.environment:
        model["env"] = [{"name": k, "value": v} for k, v in server.command.environment.items()]
    spec = {"vllmApiKey": {"secretName": server.secret, "secretKey": "key"}, "modelSpec": [model]}
    steps = (
        NEW_KEY, f"kubectl create secret generic {server.secret} --from-file=key=api-key.txt",
        "helm repo add vllm https://vllm-project.github.io/production-stack",
        f"helm install {server.name} vllm/vllm-stack -f values.yaml",
    )  # fmt: skip
    return steps, documents({"servingEngineSpec": spec})


def _config(words: list[str]) -> dict[str, Any]:
    """Return the options as the chart's fields, and what it has no field for."""
    found: dict[str, Any] = {"enablePrefixCaching": "--no-enable-prefix-caching" not in words}
    more: list[str] = []
    for option, value in _pairs(words):
        if option in OWN or option.removeprefix("--no-").removeprefix("--") == CACHING.removeprefix("--"):
            continue
        if option in NUMBERS:
            found[NUMBERS[option]] = int(value[0])
        elif option == SHARE:
            found["gpuMemoryUtilization"] = float(value[0])
        else:
            more += [option, *value]
    return {**found, "extraArgs": more} if more else found


def _pairs(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each option with its values."""
    option = ""
    values: list[str] = []
    for word in words:
        if word.startswith("--"):
            if option:
                yield option, values
            option, values = word, []
        else:
            values.append(word)
    if option:
        yield option, values
