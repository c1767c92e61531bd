"""vLLM's server under our supervisor, with a fake of vLLM: key, environment, command line, failures. Loopback only."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes import tiny

from gyakusan import api
from gyakusan.engines.server import Endpoint
from gyakusan.engines.vllm import log, log_errors
from gyakusan.engines.vllm import server as vllm
from gyakusan.engines.vllm.settings import Settings
from gyakusan.errors import BadSetting, ServerError
from gyakusan.serving.chat import chat
from gyakusan.serving.server import Server, ServerOptions

KEY = "a-key-that-nobody-else-has-0123"
FAKE = Path(__file__).parents[2] / "fakes" / "fake_vllm.py"
pytestmark = pytest.mark.skipif(not sys.platform.startswith(("linux", "darwin")), reason="POSIX processes")

FAILURES = [
    (
        "ValueError: Free memory on device cuda:0 (3.1/23.55 GiB) on startup is less than desired GPU memory utilization "
        "(0.92, 21.67 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "memory",
        r"takes 21\.67 GiB of the GPU's 23\.55, and only 3\.1 are free.*nvidia-smi",
    ),
    (
        "ValueError: To serve at least one request with the model's max seq len (131072), (12.0 GiB KV cache is needed, which is "
        "larger than the available KV cache memory (4.5 GiB). Based on the available memory, the estimated maximum model "
        "length is 49152. Try increasing `gpu_memory_utilization`",
        "memory",
        r"131072 tokens needs 12\.0 GiB, and 4\.5 GiB are left.*--context 49152",
    ),
    (
        "ValueError: To serve at least one request with the models's max seq len (8192), (2.0 GiB KV cache is needed, which is "
        "larger than the available KV cache memory (0.1 GiB). Try increasing",
        "memory",
        r"8192 tokens needs 2\.0 GiB.*shorter context",
    ),
    ("ValueError: No available memory for the cache blocks. Try", "memory", r"leave no memory for the KV cache"),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried", "memory", r"ran out of memory"),
    ("RuntimeError: Failed to infer device type, please set", "device", r"finds no GPU.*--engine llama\.cpp"),
    (
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has "
        "compute capability 7.5. You can use float16 instead",
        "dtype",
        r"bfloat16.*capability 8\.0; Tesla T4 has 7\.5.*--engine llama\.cpp",
    ),
    ("Bfloat16 is only supported on GPUs with compute capability of at least 8.0.", "dtype", r"capability 8\.0\."),
    (
        "ValueError: The quantization method awq is not supported for the current GPU. Minimum capability: 75. Current "
        "capability: 61.",
        "quantization",
        r"quantisation awq: it needs compute capability 75 and has 61",
    ),
    ("Model architectures ['RwkvNine'] are not supported for now.", "architecture", r"RwkvNine.*--upgrade vllm"),
    ("but Transformers does not recognize this architecture.", "architecture", r"Transformers.*upgrade transformers"),
    (
        "Total number of attention heads (9) must be divisible by tensor parallel size (2).",
        "parallel",
        r"9 attention heads cannot be shared by 2 GPUs",
    ),
    ("OSError: [Errno 98] Address already in use", "port", r"port is in use.*--port"),
    (
        "User-specified max_model_len (9000) is greater than the derived max_model_len (max_position_embeddings=8192 or",
        "context",
        r"takes 8192 tokens, and 9000.*--context 8192",
    ),
    ("vllm: error: unrecognized arguments: --new-flag", "argument", r"does not support --new-flag"),
    ("ModuleNotFoundError: No module named 'torch'", "library", r"not installed completely"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "Small-1.5B"
    made.mkdir()
    (made / "config.json").write_bytes(tiny.config())
    (made / "tokenizer_config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(tiny.safetensors({"a": ("BF16", [2], 4)}))
    return made


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "bin"
    place.mkdir()
    (place / "vllm").write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n')
    (place / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(vllm, "find_spec", lambda name: None)
    return place / "vllm"


def prepared(folder: Path, **options: Any) -> Server[Settings, log.Reported]:
    made = ServerOptions(**{"key": KEY, "deadline": 60.0, **options})
    return Server(folder, Settings(512, 4), vllm, made)  # type: ignore[arg-type]


@pytest.fixture
def running(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server[Settings, log.Reported]]:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "VLLM_USE_V1", "VLLM_CPU_KVCACHE_SPACE"):
        monkeypatch.setenv(name, "1")
    with prepared(folder) as server:
        yield server


def test_the_key_and_the_environment(running: Server[Settings, log.Reported], folder: Path) -> None:
    with urllib.request.urlopen(running.url.replace("/v1", "/health"), timeout=20) as answer:
        told = json.load(answer)
    assert not {"HF_TOKEN", "OPENAI_API_KEY", "VLLM_USE_V1"} & told["environment"].keys()
    wanted = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_API_KEY": KEY}
    assert wanted.items() <= told["environment"].items()
    words = told["argv"]
    assert words[:4] == ["serve", str(folder), "--host", "127.0.0.1"]
    assert words[words.index("--served-model-name") + 1] == "Small-1.5B"
    assert words[words.index("--max-model-len") + 1] == "512"
    assert KEY not in words
    assert chat(running.url, "Hi", 1, KEY).completion_tokens == 1
    with pytest.raises(ServerError, match="API key"):
        chat(running.url, "Hi", 1)
    report = running.report
    assert (report.version, report.build, report.tokens, report.max_model_len) == ("0.32.0", None, 46592, 1024)
    assert [(b.kind, b.device) for b in report.buffers] == [("weights", "gpu0")]


@pytest.mark.parametrize(("said", "kind", "says"), FAILURES)
def test_known_failures_are_explained(said: str, kind: str, says: str) -> None:
    failure = log_errors.start_failure([f"(EngineCore pid=9) ERROR 11-29 [core.py:1] {said}"])
    assert failure is not None
    assert failure.kind == kind
    with pytest.raises(ServerError, match=says):
        raise ServerError("{reason}", reason=failure.message, mend=failure.mend)
    assert log_errors.start_failure(["INFO all is well"]) is None


def test_a_start_that_fails_says_why(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_VLLM", FAILURES[0][0])
    with pytest.raises(ServerError, match=r"did not start.*only 3\.1 are free"):
        prepared(folder).start()
    with pytest.raises(BadSetting, match="--threads"):
        prepared(folder, threads=2).start()


def test_where_it_is(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vllm.find_program("auto") == str(program)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ServerError, match="pip install vllm") as error:
        vllm.find_program("auto")
    assert "For AMD, with Python 3.12: uv pip install vllm --extra-index-url https://wheels.vllm.ai/rocm/" in str(
        error.value
    )
    monkeypatch.setattr(vllm, "find_spec", lambda name: object())
    assert vllm.find_program("auto") == "vllm"

    def broken(name: str) -> None:
        raise ValueError(name)

    monkeypatch.setattr(vllm, "find_spec", broken)
    with pytest.raises(ServerError):
        vllm.find_program("auto")


def test_the_words_follow_the_checkpoint(folder: Path) -> None:
    (folder / "config.json").write_bytes(tiny.config(vision_config={}, max_position_embeddings=256))
    line = vllm.shell_line(folder, Settings(512, quantization="fp8"), Endpoint(key=KEY, alias="office"))
    assert line.startswith('VLLM_API_KEY="$GYAKUSAN_API_KEY" VLLM_HOST_IP=127.0.0.1')
    assert "VLLM_ALLOW_LONG_MAX_MODEL_LEN=1" in line
    assert line.endswith("--quantization fp8 --served-model-name office --language-model-only")
    (folder / "config.json").write_text("[]")
    assert "--quantization" not in vllm.shell_line(folder, Settings(512), Endpoint())
    (folder / "config.json").unlink()
    assert vllm.launch("vllm", folder, Settings(512), Endpoint()).argv[1:3] == ["-P", "-m"]


def test_lines_of_the_log() -> None:
    line = "(APIServer pid=11564) INFO 11-29 11:33:50 [entry.py:140] Starting vLLM server on http://127.0.0.1:18392"
    assert vllm.listens(line, 18392)
    assert not vllm.listens(line, 1839)
    assert str(vllm.stage("x Model loading took 1.00 GiB")) == "Measuring what the largest batch takes."
    assert vllm.stage("nothing") is None
    assert vllm.works("Avg generation throughput: 5.0 tokens/s, Running: 1 reqs")
    assert vllm.works("Avg prompt throughput: 90.4 tokens/s, Avg generation throughput: 0.0 tokens/s, Running: 1 reqs")
    for reqs in (0, 3):  # a server that hangs goes on to log
        idle = "Avg prompt throughput: 0.0 tokens/s, Avg generation throughput: 0.0 tokens/s, Running: {} reqs"
        assert not vllm.works(idle.format(reqs))
    assert not vllm.gave_up(line)
    assert vllm.title("vllm") == "vLLM"
    assert log.Reported().buffers == ()


def test_it_is_installed_from_the_index_of_the_gpus_maker() -> None:
    """`pip install vllm` gives an AMD card the wheels for NVIDIA's; no page said the way."""

    def lines(device: str) -> str:
        return "\n".join(vllm.installing(api.machine_for(device, None), "/opt/vllm"))

    assert "https://wheels.vllm.ai/rocm/" in lines("2x AI PRO R9700")
    assert "--python 3.12" in lines("2x AI PRO R9700"), "AMD's wheels are of that Python"
    assert "wheels.vllm.ai" not in lines("RTX 4090")
    assert "/opt/uv/bin/uv pip install" in lines("RTX 4090"), "uv is brought along"
    assert lines("M4 Max 128GB") == ""
