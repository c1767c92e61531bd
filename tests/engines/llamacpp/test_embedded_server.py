"""The embedded server runs with what llama-server would run with: llama.cpp's own parser is the judge."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from gyakusan.engines.llamacpp import embedded_server as embedded
from gyakusan.engines.llamacpp import launch
from gyakusan.engines.llamacpp.settings import Settings

JUDGE = Path(__file__).with_name("parse_with_llama.py")
CPU = Settings(context=8192, slots=4, backend="cpu")
OTHER = Settings(
    context=131072, slots=2, unified=True, batch=64, ubatch=32, flash_attention="on", key_type="Q8_0", value_type="Q4_0",
    swa_full=True, backend="cuda", mmap=False, repack=False,
)  # fmt: skip
KEEPING = replace(CPU, unified=True, cache_idle_slots=False, cache_ram=64, ctx_checkpoints=3)
CASES = [
    CPU,
    KEEPING,
    replace(CPU, flash_attention="off", mmap=False),
    OTHER,
    replace(OTHER, mmap=True, value_type="BF16"),
]
NO_MEANING_HERE = {"speculative.draft.cpuparams.n_threads", "speculative.draft.cpuparams_batch.n_threads"}
"""There is no draft model."""
NO_PROJECTOR = {"mmproj_device", "mmproj_use_gpu"}
"""--device none also says where an image projector would be; there is none."""


def judged(cases: list[dict[str, object]]) -> list[dict[str, list[str]]]:
    done = subprocess.run(
        [sys.executable, "-P", str(JUDGE), str(embedded.__file__)],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip("this xllamacpp has its parser elsewhere")
    assert done.returncode == 0, done.stderr
    answer = next(line for line in done.stdout.splitlines() if line.startswith("ANSWER "))
    return json.loads(answer.removeprefix("ANSWER "))  # type: ignore[no-any-return]


def test_fields_are_what_llama_cpp_makes_of_the_arguments() -> None:
    options = {"host": "127.0.0.1", "port": 1234, "alias": "me", "threads": 2, "cors": "localhost"}
    cases: list[dict[str, object]] = [
        {
            "arguments": launch.arguments("/m.gguf", settings, **options),  # type: ignore[arg-type]
            "fields": launch.fields("/m.gguf", settings, **options),  # type: ignore[arg-type]
        }
        for settings in CASES
    ]
    for settings, found in zip(CASES, judged(cases), strict=True):
        allowed = NO_MEANING_HERE | (NO_PROJECTOR if settings.backend == "cpu" else set())
        assert set(found) - allowed == set(), found


def test_the_judge_sees_a_difference() -> None:
    arguments = launch.arguments("/m.gguf", CPU)
    (found,) = judged([{"arguments": arguments, "fields": launch.fields("/m.gguf", replace(CPU, ubatch=256))}])
    assert found["n_ubatch"] == ["512", "256"]


def test_llama_cpp_takes_the_words_of_thinking() -> None:
    plain, fields = tuple(launch.arguments("/m.gguf", OTHER)), launch.fields("/m.gguf", OTHER)
    modes: list[tuple[str, dict[str, object]]] = [("off", {}), ("high", {"reasoning_effort": "high"})]
    words = [list(launch.thinking(plain, mode, arguments)) for mode, arguments in modes]
    off, high = judged([{"arguments": w, "fields": fields} for w in words])
    assert off["enable_reasoning"] == ["0", "-1"]
    assert "'enable_thinking': 'false'" in off["default_template_kwargs"][0]
    assert "'reasoning_effort': '\"high\"'" in high["default_template_kwargs"][0].replace("\\'", "'")
    assert "enable_reasoning" not in high  # auto: a template that can think does so


def test_fields_of_thinking_are_what_llama_cpp_makes_of_the_words() -> None:
    """A plan of a model with thinking off started a server that thinks."""
    plain, fields = launch.arguments("/m.gguf", CPU, threads=2), launch.fields("/m.gguf", CPU, threads=2)
    modes: list[tuple[str, dict[str, object]]] = [("off", {}), ("on", {}), ("high", {"reasoning_effort": "high"})]
    words = [launch.thinking((), mode, arguments) for mode, arguments in modes]
    cases = [{"arguments": [*plain, *w], "fields": launch.with_thinking_fields(fields, w)} for w in words]
    for found in judged(cases):
        assert set(found) - NO_MEANING_HERE - NO_PROJECTOR == set(), found


@pytest.mark.parametrize(("version", "build"), [("2026.10.11549", "11549"), ("0+unknown", "0"), ("1.2.dev3", "0")])
def test_build_of(version: str, build: str) -> None:
    assert embedded.build_of(version) == build


def test_a_field_that_is_not_there_is_named() -> None:
    library = SimpleNamespace(__version__="1.0")
    with pytest.raises(ValueError, match=r"xllamacpp 1\.0 refuses a\.b"):
        embedded.fill(library, SimpleNamespace(a=SimpleNamespace()), {"a.b": 1})
