"""Exported files of many plans, each judged by a real tool; and what makes these tools fail."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tests.exports import judges
from tests.fakes import fake_hub, tiny
from tests.japanese import english

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.errors import BadSetting, UnknownName
from gyakusan.exports.export import KINDS, export
from gyakusan.exports.settings import ExportSettings, service_name
from gyakusan.message import Message
from gyakusan.text import tell

PLANS = [
    ("gpt-oss-20b", "llama.cpp", "RTX 4090", 4, 32768),
    ("gpt-oss-20b", "ollama", "RTX 4090", 2, 16384),
    ("gpt-oss-20b", "vllm", "RTX 5090", 4, 16384),
    ("gpt-oss-120b", "llama.cpp", "DGX Spark", 2, 65536),
    ("gpt-oss-120b", "vllm", "H100", 16, 32768),
    ("qwen3-8b", "llama.cpp", "RTX 3060 12GB", 1, 8192),
    ("qwen3-8b", "vllm", "RTX 4090", 8, 8192),
    ("qwen3-32b", "vllm", "2x RTX 4090", 4, 16384),
    ("qwen3-32b", "llama.cpp", "RTX 5090", 1, 16384),
    ("qwen3.6-35b-a3b", "llama.cpp", "RTX 5090", 4, 65536),
    ("gemma3-27b", "llama.cpp", "RTX 4090", 2, 16384),
    ("gemma4-26b-a4b", "llama.cpp", "RX 7900 XTX", 2, 16384),
    ("llama3.1-8b", "llama.cpp", "RX 7900 XTX", 4, 8192),
    ("llama3.1-8b", "ollama", "RX 7900 XTX", 1, 8192),
    ("llama3.1-8b", "vllm", "A100-SXM4-80GB", 32, 8192),
    ("llama3.3-70b", "llama.cpp", "2x RTX 3090", 1, 8192),
    ("llama3.3-70b", "vllm", "4x RTX 3090", 4, 8192),
    ("qwen2.5-14b", "llama.cpp", "RTX 4090", 1, 65536),
    ("qwen3-next-80b", "llama.cpp", "DGX Spark", 2, 32768),
    ("gemma3-12b", "llama.cpp", "RTX 4090", 4, 8192),
]
HOST = ExportSettings(host="llm.example.org")
OPEN_KINDS = ("compose", "quadlet", "systemd", "caddy")
"""Kinds in which a name for others can be given."""


def planned(model: str, engine: str, device: str, users: int, context: int) -> Deployment:
    return api.deployment(model, load=Load(users, context), device=device, server=engine)


def asked(index: int = 0) -> Deployment:
    return planned(*PLANS[index])


def judged(kind: str, text: str, folder: Path) -> str:
    if kind == "systemd":
        return judges.systemd(text, "model", folder)
    if kind == "caddy":
        return judges.caddy(text, folder)
    judge: Callable[[str], str] = getattr(judges, kind.replace("-", "_"))
    return judge(text)


@pytest.mark.parametrize("plan", PLANS, ids=[f"{p[0]}-{p[1]}-{p[2]}" for p in PLANS])
def test_files_of_a_plan_are_right(plan: tuple[str, str, str, int, int], tmp_path: Path) -> None:
    deployment = planned(*plan)
    keyed = bool(deployment.rules.KEY)
    for kind in KINDS:
        if kind in ("vllm-stack", "ray") and deployment.engine != "vLLM":
            continue
        if kind == "systemd" and judges.SYSTEMD is None:
            continue
        text = export([deployment], kind, HOST if keyed and kind in OPEN_KINDS else ExportSettings())
        assert judged(kind, text, tmp_path) == "", kind
        assert not re.search(r"<[a-z ]+>|TODO|FIXME|CHANGE", text), kind


@pytest.mark.parametrize("kind", ["kubernetes", "compose", "quadlet", "vllm-stack"])
def test_the_key_comes_from_a_secret(kind: str) -> None:
    deployment = asked(6)
    text = export([deployment], kind)
    assert judges.unkeyed(text, "VLLM_API_KEY", "qwen3-8b-key") == ""
    assert judges.unkeyed(text.replace("qwen3-8b-key", "other"), "VLLM_API_KEY", "qwen3-8b-key")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert not re.search(r"VLLM_API_KEY[:=] *['\"]?\w", body)


WRONG = {
    "kubernetes": [("replicas: 1", "replcas: 1"), ("replicas: 1", "replicas: two"), ("containerPort", "containerport")],
    "compose": [("ports:", "portz:"), ("count: 1", "count: x"), ("image:", "imag:")],
    "quadlet": [("Image=", "Imaeg="), ("[Container]", "[Contaner]"), ("PublishPort", "PublshPort")],
    "systemd": [("NoNewPrivileges=", "NoNewPrivilegess="), ("Restart=always", "Restart=sometimes")],
    "caddy": [("reverse_proxy", "revers_proxy"), ("max_size", "max_sze"), ("bind", "bnid")],
    "vllm-stack": [("replicaCount: 1", "replcaCount: 1"), ("requestCPU: 4", "requestCPU: []")],
    "ray": [("max_model_len", "max_modl_len")],
}


@pytest.mark.parametrize(("kind", "change"), [(k, c) for k, changes in WRONG.items() for c in changes])
def test_a_typo_or_a_wrong_field_is_found(kind: str, change: tuple[str, str], tmp_path: Path) -> None:
    if kind == "systemd" and judges.SYSTEMD is None:
        pytest.skip("no systemd-analyze")
    text = export([asked(6)], kind)
    assert change[0] in text
    assert judged(kind, text.replace(*change), tmp_path)


@pytest.mark.parametrize("change", [("size: 2", "size: two"), ("replicas: 1", "replcas: 1")])
def test_one_server_over_two_nodes(change: tuple[str, str]) -> None:
    text = export([asked(7)], "kubernetes", ExportSettings(nodes=2))
    assert judges.kubernetes(text) == ""
    found = {part["kind"]: part["metadata"]["name"] for part in yaml.safe_load_all(text)}
    assert found["Service"] != found["LeaderWorkerSet"]  # else the pods of a group have no names
    assert "$(LWS_LEADER_ADDRESS)" in text
    assert "$(LWS_WORKER_INDEX)" in text
    assert judges.kubernetes(text.replace(*change))


def test_replicas_follow_the_queue() -> None:
    text = export([asked()], "kubernetes", ExportSettings(replicas=2, most_replicas=4, namespace="llm"))
    assert judges.kubernetes(text) == ""
    assert '- "--metrics"' in text
    assert "minReplicas: 2" in text
    assert "namespace: llm" in text
    assert "\n  replicas:" not in text  # two owners of one number would fight


@pytest.mark.parametrize(
    "change", [("pathType: Prefix", "pathTyp: Prefix"), ("secretName", "secretname"), ("hosts:", "host:")]
)
def test_others_reach_it_by_a_name_with_a_certificate(change: tuple[str, str]) -> None:
    text = export([asked(6)], "kubernetes", ExportSettings(host="llm.example.org"))
    assert judges.kubernetes(text) == ""
    found = {part["kind"]: part for part in yaml.safe_load_all(text)}
    (rule,), (tls,) = found["Ingress"]["spec"]["rules"], found["Ingress"]["spec"]["tls"]
    assert rule["host"] == "llm.example.org"
    assert tls == {"hosts": ["llm.example.org"], "secretName": "qwen3-8b-tls"}
    assert "kubectl create secret tls qwen3-8b-tls" in text
    named = rule["http"]["paths"][0]["backend"]["service"]
    service = found["Service"]
    assert named["name"] == service["metadata"]["name"]
    assert named["port"]["name"] == service["spec"]["ports"][0]["name"]
    assert {"from": [{"namespaceSelector": {}}], "ports": [{"port": 8000, "protocol": "TCP"}]} in (
        found["NetworkPolicy"]["spec"]["ingress"]
    )
    assert judges.kubernetes(text.replace(*change))


def test_without_a_name_nothing_of_another_namespace_reaches_it() -> None:
    text = export([asked(6)], "kubernetes")
    assert "kind: Ingress\n" not in text
    assert "namespaceSelector" not in text


def test_memory_is_of_the_ledger() -> None:
    deployment = asked()
    text = export([deployment], "kubernetes")
    found = int(re.search(r'requests:\n +cpu: "1"\n +memory: "(\d+)Mi"', text)[1])  # type: ignore[index]
    host = sum(float(a.total) for a in deployment.ledger.accounts if a.device.kind == "host") / 2**20
    assert host <= found < host + 64
    needed = int(re.search(r'values: \["(\d+)"\]', text)[1])  # type: ignore[index]
    card = deployment.ledger.accounts[0]
    assert float(card.at_most) / 2**20 <= needed <= (card.device.memory or 0) / 2**20


@pytest.mark.skipif(judges.SYSTEMD is None, reason="no systemd-analyze")
def test_a_unit_is_little_exposed(tmp_path: Path) -> None:
    assert judges.exposure(export([asked()], "systemd", HOST), "model", tmp_path) <= 3.5


def test_several_models_below_one_address(tmp_path: Path) -> None:
    text = export([asked(), asked(5)], "caddy", HOST)
    assert judges.caddy(text, tmp_path) == ""
    assert "handle_path /gpt-oss-20b/*" in text
    assert "127.0.0.1:8081" in text
    assert "bind 0.0.0.0" in text
    alone = export([asked()], "caddy")
    assert judges.caddy(alone, tmp_path) == ""
    assert "bind 127.0.0.1" in alone


REFUSED = [
    ("helm", 0, ExportSettings(), UnknownName, "No kind of file"),
    ("compose", 0, ExportSettings(replicas=2), BadSetting, "has no --replicas"),
    ("kubernetes", 0, ExportSettings(nodes=2), BadSetting, "built without RPC"),
    ("kubernetes", 1, ExportSettings(nodes=2), BadSetting, "cannot span machines"),
    ("compose", 0, ExportSettings(image="a"), BadSetting, "has no --image"),
    ("kubernetes", 1, ExportSettings(most_replicas=2), BadSetting, "how many requests wait"),
    ("kubernetes", 0, ExportSettings(namespace="A B"), BadSetting, "namespace"),
    ("kubernetes", 0, ExportSettings(replicas=0), BadSetting, "--replicas takes 1 to 1,000"),
    ("kubernetes", 0, ExportSettings(replicas=5, most_replicas=2), BadSetting, "more than --most-replicas"),
    ("vllm-stack", 6, HOST, BadSetting, "has no --host"),
    ("vllm-stack", 6, ExportSettings(namespace="llm"), BadSetting, "has no --namespace"),
    ("caddy", 0, ExportSettings(nodes=2), BadSetting, "has no --nodes"),
    ("systemd", 0, ExportSettings(host="a.b", keyed=False), BadSetting, "needs a key"),
    ("caddy", 0, ExportSettings(host="a b\n}"), BadSetting, "no name of a host"),
    ("compose", 0, ExportSettings(host="a\nb: x"), BadSetting, "no name of a host"),
    ("systemd", 0, ExportSettings(host="127.0.0.1"), BadSetting, "this computer alone"),
    *(
        ("systemd", 0, ExportSettings(host=host), BadSetting, "this computer alone")
        for host in (
            "127.0.0.2",
            "127.1",
            "localhost",
            "localhost.localdomain",
            "llm.localhost",
            "0.0.0.0",
            "1",
            "0x7f.1",
        )
    ),
    ("compose", 0, ExportSettings(port=70_000), BadSetting, "--port cannot be 70000"),
    ("compose", 1, HOST, BadSetting, "has no API key"),
    ("caddy", 1, HOST, BadSetting, "has no API key"),
    ("systemd", 1, HOST, BadSetting, "has no API key"),
    ("vllm-stack", 0, ExportSettings(), BadSetting, "vLLM only"),
    ("ray", 0, ExportSettings(), BadSetting, "vLLM only"),
]


@pytest.mark.parametrize(("kind", "plan", "settings", "error", "said"), REFUSED)
def test_what_no_file_can_hold(
    kind: str, plan: int, settings: ExportSettings, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        export([asked(plan)], kind, settings)


def test_what_a_container_cannot_reach(tmp_path: Path) -> None:
    mac = planned("llama3.1-8b", "llama.cpp", "M4 Max 128GB", 1, 8192)
    with pytest.raises(BadSetting, match="no container that reaches"):
        export([mac], "compose")
    with pytest.raises(BadSetting, match="has no systemd"):
        export([mac], "systemd")
    packaged = planned("smollm2", "llama.cpp", "RTX 4090", 1, 2048)
    with pytest.raises(BadSetting, match="file of this computer"):
        export([packaged], "compose")
    unmade = planned("command-r7b", "vllm", "RTX 4090", 1, 2048)
    assert unmade.artifact is None
    with pytest.raises(BadSetting, match="Nobody publishes"):
        export([unmade], "compose")
    with pytest.raises(BadSetting, match="is for one model"):
        export([asked(), asked(5)], "compose")
    with pytest.raises(BadSetting, match="named twice"):
        export([asked(), asked()], "caddy")


def test_what_a_client_has_to_do_afterwards_is_said() -> None:
    ollama = asked(1)
    for kind, inside in (
        ("compose", "docker compose exec"),
        ("kubernetes", "kubectl exec"),
        ("quadlet", "podman exec"),
    ):
        assert f" Once it listens: {inside}" in export([ollama], kind)


def test_a_unit_sees_a_person_s_own_model(tmp_path: Path) -> None:
    file = tmp_path / "own.gguf"
    file.write_bytes(tiny.gguf())
    own = api.deployment(str(file), load=Load(1, 256), device="RTX 4090")
    assert f"BindReadOnlyPaths={tmp_path}" in export([own], "systemd")


@pytest.mark.parametrize("folder", ["my models", "50%h", "a /etc/shadow", 'quo"te'])
def test_a_folder_of_any_name_is_one_path_of_a_unit(folder: str, tmp_path: Path) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True)
    (place / "own.gguf").write_bytes(tiny.gguf())
    own = api.deployment(str(place / "own.gguf"), load=Load(1, 256), device="RTX 4090")
    text = export([own], "systemd")
    (bound,) = [line for line in text.splitlines() if line.startswith("BindReadOnlyPaths=")]
    (word,) = shlex.split(bound.removeprefix("BindReadOnlyPaths="))
    assert word.replace("%%", "%") == str(place)
    if judges.SYSTEMD is not None:
        assert judges.systemd(text, "own", tmp_path) == ""


def test_a_unit_sees_a_model_in_a_home_folder_and_where_a_link_leads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd.exec(5): ProtectHome=tmpfs, so that folders in it can be bound; `yes` would hide them."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "b").write_bytes(tiny.gguf())
    (tmp_path / "own.gguf").symlink_to("blobs/b")
    own = api.deployment(str(tmp_path / "own.gguf"), load=Load(1, 256), device="RTX 4090")
    monkeypatch.setattr("gyakusan.exports.system_unit.HIDDEN", (f"{tmp_path}/",))
    lines = export([own], "systemd").splitlines()
    assert [line for line in lines if line.startswith("ProtectHome=")][-1] == "ProtectHome=tmpfs"
    assert [line for line in lines if line.startswith("BindRead")] == [
        f"BindReadOnlyPaths={tmp_path}", f"BindReadOnlyPaths={tmp_path}/blobs"
    ]  # fmt: skip


def test_a_folder_with_a_colon_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    (tmp_path / "a:b" / "own.gguf").write_bytes(tiny.gguf())
    own = api.deployment(str(tmp_path / "a:b" / "own.gguf"), load=Load(1, 256), device="RTX 4090")
    with pytest.raises(BadSetting, match="colon"):
        export([own], "systemd")


def test_keys_are_asked_for_unless_somebody_says_no() -> None:
    assert "EnvironmentFile=/etc/gyakusan/" in export([asked()], "systemd")
    assert "EnvironmentFile" not in export([asked()], "systemd", ExportSettings(keyed=False))
    assert "Caddy checks no key" in export([asked()], "caddy", HOST)


def test_nothing_is_expanded_by_what_reads_the_file() -> None:
    """Words of the command with `$`: Compose, Kubernetes, systemd and podman each have a way to leave them alone."""
    word = "blk.1.ffn$(LLAMA_API_KEY)${LLAMA_API_KEY}$$=CPU"
    own = api.deployment("qwen3-8b", load=Load(1, 4096), device="RTX 4090", pairs=(f"overrides={word}",))
    doubled = word.replace("$", "$$")
    for kind in ("compose", "kubernetes", "quadlet", "systemd"):
        text = export([own], kind)
        assert doubled in text, kind
        assert word not in text.replace(doubled, ""), kind


def test_a_server_listens_where_it_is_told_to() -> None:
    for kind in ("compose", "kubernetes", "quadlet", "systemd"):
        text = export([asked()], kind, ExportSettings(port=9123))
        assert "9123" in text
        assert "8080" not in text


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (("pipeline_parallel=0",), "pipeline_parallel cannot be 0"),
        (("pipeline_parallel=50",), "has 40 layers, and 50 stages were asked for"),
    ],
)
def test_stages_that_no_model_has(pairs: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadSetting, match=said):
        export(
            [api.deployment("phi4-14b", load=Load(1, 4096), device="RTX 4090", server="vllm", pairs=pairs)], "systemd"
        )


@pytest.mark.parametrize(
    ("one", "other"),
    [("日本語モデル", "別のモデル"), ("model-日本", "model-中国"), ("a" * 60, "a" * 61), ("日本語", "model")],
)
def test_two_names_stay_two(one: str, other: str) -> None:
    """Two models whose names lose their letters are two services."""
    found = [service_name(one), service_name(other)]
    assert found[0] != found[1]
    assert all(re.fullmatch(r"[a-z]([a-z0-9-]{0,48}[a-z0-9])?", name) for name in found)


@pytest.mark.parametrize("engine", ["llama.cpp", "ollama"])
@pytest.mark.parametrize("kind", ["compose", "quadlet", "kubernetes"])
def test_a_cached_repository_is_fetched_by_the_container(
    kind: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model in Hugging Face's cache was "a file of this computer", so that no container could have it."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    parts = {"tiny-Q4_K_M.gguf": tiny.gguf(), "mmproj-F16.gguf": tiny.gguf()}
    fake_hub.download(tmp_path / "hub", "org/tiny-GGUF", parts)
    found = planned("org/tiny-GGUF:Q4_K_M", engine, "RTX 4090", 1, 64)
    assert str(tmp_path) in found.model.source
    text = export([found], kind)
    assert judged(kind, text, tmp_path) == ""
    assert "org/tiny-GGUF:Q4_K_M" in text
    assert str(tmp_path) not in text
    assert "--offline" not in text
    assert "mmproj" not in text, "-hf fetches what reads images, too, as the plan counts it"
    changed = api.deployment("org/tiny-GGUF:Q4_K_M", quantization="Q8_0", load=Load(1, 64), device="RTX 4090")
    with pytest.raises(BadSetting, match="a file of this computer"):
        export([changed], kind)


def _body(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("most", [1, 3])
def test_what_a_file_says_to_people_is_japanese_and_nothing_else_is(kind: str, most: int, tmp_path: Path) -> None:
    """Names, commands and fields are the same in every language, and the judges take the file."""
    if kind == "systemd" and judges.SYSTEMD is None:
        pytest.skip("no systemd")
    scaled = kind in ("kubernetes", "ray") and most > 1
    host = "llm.example.org" if kind in OPEN_KINDS or kind == "kubernetes" else ""
    settings = ExportSettings(host=host, most_replicas=most if scaled else 1)
    deployment = asked(2)
    said: list[Message] = []

    def told(line: Message | str) -> str:
        said.extend([line] if isinstance(line, Message) else [])
        return tell(line, "ja")

    text = export([deployment], kind, settings, told)
    assert _body(text) == _body(export([deployment], kind, settings))
    blank = [tell(blanked(m), "ja") for m in said]
    assert [line for line in blank if english(line) or not re.search("[ぁ-ん]", line)] == []
    assert judged(kind, text, tmp_path) == ""


def blanked(message: Message) -> Message:
    """Return a sentence with a dot for each fact that is none itself."""
    return Message(
        message.template, {k: blanked(v) if isinstance(v, Message) else "・" for k, v in message.facts.items()}
    )


def steps(text: str) -> list[str]:
    """Return the commands at the head of a file, in their order."""
    return [line[5:] for line in text.splitlines() if line.startswith("#    ")]


@pytest.mark.parametrize("device", ["2x AI PRO R9700", "RTX 4090"])
@pytest.mark.parametrize("engine", ["llama.cpp", "vllm"])
def test_the_head_of_a_unit_is_what_to_do_in_the_order_of_doing(
    engine: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key came after "systemctl enable", and nothing said sudo: the unit was enabled without its EnvironmentFile."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    text = export([api.deployment("gpt-oss-20b", load=Load(2, 8192), device=device, server=engine)], "systemd")
    head, made = text.partition("[Unit]")[0], steps(text)
    numbers = [int(n) for n in re.findall(r"^# (\d)\. ", head, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert all(line.startswith("sudo ") for line in made), "each stands for itself"
    assert all(subprocess.run(["sh", "-nc", line], check=False, timeout=20).returncode == 0 for line in made)
    assert "systemctl enable --now" in made[-1]
    assert made[-2].endswith(" /etc/systemd/system/gpt-oss-20b.service")
    (keys,) = re.findall("EnvironmentFile=(.*)", text)
    (program,) = re.findall(r"ExecStart=(\S+)", text)
    assert any(f"> {keys}'" in line for line in made[:-2])
    assert f"{program.rpartition('/')[2]} has to be in {program.rpartition('/')[0]}" in head
    if engine == "vllm":
        assert any(line.endswith(f" {program}") for line in made[:-2]), "it is put where the unit looks for it"
        assert any("https://wheels.vllm.ai/rocm/" in line for line in made) is ("R9700" in device)


def test_the_head_of_a_quadlet_has_the_same_order() -> None:
    made = steps(export([asked()], "quadlet"))
    assert [next(w for w in ("nvidia-ctk", "secret create", "cp ", "systemctl") if w in line) for line in made] == [
        "nvidia-ctk", "secret create", "cp ", "systemctl",
    ]  # fmt: skip
