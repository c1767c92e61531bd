"""A plan on vLLM as an application of Ray Serve LLM: the arguments of its builder, and the file that `serve deploy` takes.

Source: Ray 2.60, ray.serve.llm (LLMConfig, build_openai_app), ray.serve.schema (ServeDeploySchema).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from typing import Any

from gyakusan.engines.deployment import Deployment
from gyakusan.engines.yaml_text import documents
from gyakusan.errors import BadSetting
from gyakusan.exports.pod_resources import pod_bytes
from gyakusan.exports.settings import ExportSettings, Written, check, check_fetchable, fetched, service_name, spanned
from gyakusan.message import say

PROGRAM = ("vllm", "serve")
"""The one server that Ray Serve LLM runs."""
BUILDER = "ray.serve.llm:build_openai_app"
LLM_EXTRA = "pip install 'ray[llm]'"
"""What brings Ray Serve LLM and vLLM."""
OWN = frozenset({"host", "port", "data_parallel_size", "served_model_name"})
"""Options that Ray has in another place: its proxy listens, each copy of a model is a replica, and the model has a name."""
OTHERS_ADDRESS = "VLLM_HOST_IP"
"""The variable that names the loopback; workers that Ray places find each other by Ray's addresses."""
ACCELERATORS = re.compile(r"\b(V100|P100|T4|P4|A10G|L4|L40S|A100|H100|H200|H20|B200|B300|GB200|GB300)\b")
"""In the name of a GPU what Ray calls its type, as it finds it by itself. Source: Ray 2.60, util/accelerators/accelerators.py."""
HEALTH_PERIOD, HEALTH_PATIENCE = 10.0, 30.0
"""How often a replica is asked for its health, and how long it may take. [s]"""
GRACE = 20.0
"""How long the last requests of a replica may take that is to end. [s]"""


def is_llm(deployment: Deployment) -> bool:
    """Return True if Ray Serve LLM runs the server of this plan."""
    return deployment.command.argv[: len(PROGRAM)] == PROGRAM


def ray_serve(deployment: Deployment, settings: ExportSettings) -> Written:
    """Return the file for `serve deploy` as YAML. Raises BadSetting for another server than vLLM, and as `check_copies`."""
    check(settings)
    if not is_llm(deployment):
        raise BadSetting(
            "Ray Serve LLM runs vLLM only.",
            mend="Plan with --engine vllm, or start it on the cluster: gyakusan deploy.",
        )
    asked = fetched(deployment)
    check_fetchable(asked)
    asked = spanned(asked, settings) if settings.nodes > 1 else asked
    application = {
        "name": service_name(asked.name), "route_prefix": "/", "import_path": BUILDER, "args": arguments(asked, settings),
    }  # fmt: skip
    text = {
        "proxy_location": "EveryNode",
        "http_options": {"host": "127.0.0.1", "port": settings.port or 8000},
        "applications": [application],
    }
    steps = (
        say("On every computer: {command}", command=LLM_EXTRA),
        "serve deploy FILE",
        say("Ray's proxy knows no keys: it listens on the loopback of each computer only."),
    )
    return steps, documents(text)


def arguments(deployment: Deployment, settings: ExportSettings) -> dict[str, Any]:
    """Return what `build_openai_app` is given for a plan on vLLM.

    Copies in one server (data parallel) become replicas, each with its own GPUs and its share of the people. Raises BadSetting
    where they share experts.
    """
    source, *words = deployment.command.argv[len(PROGRAM) :]
    options = dict(_options(words))
    check_copies(deployment)
    copies = int(options.get("data_parallel_size", 1))
    config: dict[str, Any] = {
        "model_loading_config": {"model_id": deployment.name, "model_source": source},
        "engine_kwargs": {k: v for k, v in options.items() if k not in OWN},
        "placement_group_config": _placement(deployment, settings, options),
        "deployment_config": _scaling(deployment, settings, copies),
    }
    kind = accelerator(deployment)
    if kind:
        config["accelerator_type"] = kind
    variables = {k: v for k, v in deployment.command.environment.items() if k != OTHERS_ADDRESS}
    if variables:
        config["runtime_env"] = {"env_vars": variables}
    return {"llm_configs": [config]}


def check_copies(deployment: Deployment) -> None:
    """Raise BadSetting for copies that share experts: they are one server, and a replica alone would hold all experts."""
    options = dict(_options(deployment.command.argv[len(PROGRAM) + 1 :]))
    if options.get("enable_expert_parallel") and (copies := int(options.get("data_parallel_size", 1))) > 1:
        raise BadSetting(
            "The {n} copies of {model} share their experts, and each replica of Ray would hold all of them.",
            n=copies, model=deployment.name,
            mend="Give --set data_parallel=1 and a larger tensor_parallel, or export to kubernetes, where they stay one server.",
        )  # fmt: skip


def accelerator(deployment: Deployment) -> str:
    """Return Ray's name of the GPUs, "" where Ray has none or they differ."""
    found = {m[0] if (m := ACCELERATORS.search(g.name)) else "" for g in deployment.machine.gpus}
    return found.pop() if len(found) == 1 else ""


def _placement(deployment: Deployment, settings: ExportSettings, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the resources of each worker of one copy of the model; all of one computer stay on one.

    A worker has one GPU: Ray takes as many as tensor and pipeline parallelism ask for, and others may use the rest.
    Source: Ray 2.60, llm/_internal/serve/engines/vllm/vllm_models.py, VLLMEngineConfig.num_devices.
    """
    if not deployment.machine.gpus:
        return {"bundles": [{"CPU": 1}], "strategy": "STRICT_PACK"}
    workers = int(options.get("tensor_parallel_size", 1)) * int(options.get("pipeline_parallel_size", 1))
    packed = "PACK" if settings.nodes > 1 else "STRICT_PACK"
    return {"bundles": [{"CPU": 1, "GPU": 1}] * workers, "strategy": packed}


def _scaling(deployment: Deployment, settings: ExportSettings, copies: int) -> dict[str, Any]:
    """Return how many replicas there are, how many requests one has at once, its RAM by the ledger, its health."""
    users = ceil(int(deployment.load.users) / copies)
    least, most = settings.replicas * copies, settings.most_replicas * copies
    found: dict[str, Any] = {
        "max_ongoing_requests": users,
        "ray_actor_options": {"num_cpus": 1, "memory": pod_bytes(deployment, settings.nodes * copies).request},
        "health_check_period_s": HEALTH_PERIOD,
        "health_check_timeout_s": HEALTH_PATIENCE,
        "graceful_shutdown_timeout_s": GRACE,
    }
    if settings.most_replicas > 1:
        bounds = {"min_replicas": least, "max_replicas": most, "target_ongoing_requests": users}
        return {**found, "autoscaling_config": bounds}
    return {**found, "num_replicas": least}


def _options(words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield each option as vLLM's engine names it, with its value: a number, a table, a word, or True and False."""
    for place, word in enumerate(words):
        if not word.startswith("--"):
            continue
        values = []
        for value in words[place + 1 :]:
            if value.startswith("--"):
                break
            values.append(_value(value))
        name = word.removeprefix("--").replace("-", "_")
        if values:
            yield name, values[0] if len(values) == 1 else values
        else:
            yield name.removeprefix("no_"), not name.startswith("no_")


def _value(word: str) -> Any:
    """Return a number or a table that a word writes in JSON, else the word."""
    try:
        found = json.loads(word)
    except ValueError:
        return word
    return found if isinstance(found, int | float | dict) else word
