"""Real tools that judge exported files offline: what each finds wrong, "" for nothing."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import yaml
from compose_spec import PyCompose

SCHEMAS = Path(__file__).parent / "schemas"
CADDY = Path(sys.executable).with_name("caddy")
SYSTEMD = shutil.which("systemd-analyze")
RELEASE = "1.35"
"""Release of Kubernetes whose schemas judge."""
QUADLET = {
    "Unit": {"Description", "Wants", "After"},
    "Container": {
        "Image", "Exec", "Environment", "Secret", "PublishPort", "Volume", "AddDevice", "PodmanArgs", "NoNewPrivileges",
    },
    "Service": {"Restart", "TimeoutStartSec"},
    "Install": {"WantedBy"},
}  # fmt: skip
"""Sections and keys of podman-systemd.unit(5) that we write; podman 4.3, which is here, has no quadlet that could judge."""


@cache
def schema(name: str) -> Any:
    """A recorded schema, see schemas/."""
    return json.loads(gzip.decompress((SCHEMAS / f"{name}.json.gz").read_bytes()))


def strict(node: Any) -> Any:
    """A schema in which a field that it does not name is an error; Kubernetes and Helm drop such fields in silence."""
    if isinstance(node, list):
        return [strict(v) for v in node]
    if not isinstance(node, dict):
        return node
    found = {k: v if k in ("default", "enum") else strict(v) for k, v in node.items()}
    if node.get("type") == "object" and "properties" in node and not node.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def told(errors: Any) -> str:
    """The first error of a JSON Schema with its place."""
    first = next(iter(errors), None)
    return "" if first is None else f"{'/'.join(map(str, first.absolute_path))}: {first.message[:200]}"


def ray(text: str) -> str:
    """What is wrong with a file for `serve deploy`: by the names of vLLM's arguments, and by Ray's models if it is here."""
    file = yaml.safe_load(text)
    configs = [c for a in file["applications"] for c in a["args"]["llm_configs"]]
    names = {name for c in configs for name in c["engine_kwargs"]}
    unknown = names - {*schema("vllm-arguments")["engine"], *schema("vllm-arguments")["frontend"]}
    if unknown:
        return f"Unknown engine argument: {sorted(unknown)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ray itself
        try:
            import pyarrow  # noqa: F401
            from ray.llm._internal.serve.core.configs.llm_config import LLMConfig
            from ray.serve.schema import ServeDeploySchema
        except ImportError:
            return ""
        try:
            ServeDeploySchema.model_validate(file)
            for c in configs:
                LLMConfig.model_validate(c)
        except ValueError as error:
            return str(error)
    return ""


def kubernetes(text: str) -> str:
    """What is wrong with manifests: by Kubernetes' own schemas, and by the LeaderWorkerSet's definition made strict."""
    for found in yaml.safe_load_all(text):
        if found["apiVersion"].startswith("leaderworkerset"):
            judge = jsonschema.Draft202012Validator(strict(schema("leaderworkerset")))
            wrong = told(judge.iter_errors(found))
        else:
            try:
                kubernetes_validate.validate(found, RELEASE, strict=True)
                wrong = ""
            except Exception as error:  # noqa: BLE001, whatever a judge says
                wrong = str(error)[:300] or type(error).__name__
        if wrong:
            return f"{found['kind']}: {wrong}"
    return ""


def compose(text: str) -> str:
    """What is wrong with a Compose file: by the specification's schema, and by compose-spec."""
    wrong = told(jsonschema.Draft7Validator(schema("compose")).iter_errors(yaml.safe_load(text)))
    if wrong:
        return wrong
    try:
        PyCompose.from_yaml(text)
    except Exception as error:  # noqa: BLE001, whatever a judge says
        return str(error)[:300] or type(error).__name__
    return ""


def vllm_stack(text: str) -> str:
    """What is wrong with values, by the chart's schema made strict."""
    return told(jsonschema.Draft7Validator(strict(schema("vllm-stack"))).iter_errors(yaml.safe_load(text)))


def quadlet(text: str) -> str:
    """What is wrong with a unit of podman: a section or a key that we do not know."""
    section = ""
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            section = line.strip("[]")
        elif line.partition("=")[0] not in QUADLET.get(section, set()):
            return f"[{section}] {line}"
    return ""


def caddy(text: str, folder: Path) -> str:
    """What Caddy itself finds wrong with a Caddyfile."""
    file = folder / "Caddyfile"
    file.write_text(text)
    command = [str(CADDY), "validate", "--config", str(file), "--adapter", "caddyfile"]
    state = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=state, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]


def systemd(text: str, name: str, folder: Path) -> str:
    """What systemd finds wrong with a unit. Its exit code tells too little: an unknown key is only a line."""
    file = folder / f"{name}.service"
    file.write_text(text)
    command = [str(SYSTEMD), "verify", "--man=no", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    missing = "is not executable: No such file"  # the server's program is not on this computer
    lines = [line for line in done.stderr.splitlines() if file.name in line and missing not in line]
    return lines[0] if lines else ""


def exposure(text: str, name: str, folder: Path) -> float:
    """systemd's own score of how exposed a unit is: 0 is best, 10 is everything."""
    file = folder / f"{name}.service"
    file.write_text(text)
    command = [str(SYSTEMD), "security", "--offline=yes", "--no-pager", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    line = next(x for x in done.stdout.splitlines() if "Overall exposure level" in x)
    return float(line.split(":")[1].split()[0])


def unkeyed(text: str, variable: str, secret: str) -> str:
    """What is missing so that a server has its key: the variable, and the secret or the file that it comes from."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    body, head = "\n".join(lines), "\n".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
    wanted = {"variable": variable in body or "vllmApiKey" in body or variable in head, "secret": secret in body}
    wanted["how it is made"] = secret in head
    return next((name for name, found in wanted.items() if not found), "")
