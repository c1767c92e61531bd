"""--engine, --set and --reserve on the command line."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

import gyakusan
from gyakusan.cli import main
from gyakusan.cli.app import run
from gyakusan.cli.options import Server
from gyakusan.engines.registry import DEFAULT, NAMES, engine

ASK = ("inspect", "gpt-oss-20b", "--lang", "en", "--context", "8k", "--device")


def test_all_engines_in_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASK, "M4 Max 128GB", "--engine", "all"], "en") == 0
    text = capsys.readouterr().out
    assert [name in text for name in ("llama.cpp", "Ollama", "MLX-LM")] == [True] * 3


def test_one_engine_that_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASK, "RTX 5090", "--engine", "mlx", "--json"], "en") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["fits"], found["engine"]["name"], len(found["refusals"])) == (False, "MLX-LM", 1)


def test_set_reaches_the_engine(capsys: pytest.CaptureFixture[str]) -> None:
    pairs = ("--set", "OLLAMA_KV_CACHE_TYPE=q8_0", "--set", "num_batch=256")
    assert run([*ASK, "RTX 5090", "--engine", "ollama", *pairs, "--json"], "en") == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert (settings["kv_cache_type"], settings["num_batch"]) == ("q8_0", 256)


def test_of_a_repeated_option_the_last_value_counts(capsys: pytest.CaptureFixture[str]) -> None:
    for first, last in (("8k", "4k"), ("4k", "8k")):
        words = ("inspect", "gpt-oss-20b", "--device", "RTX 5090", "--context", first, "--context", last, "--json")
        assert run(words, "en") == 0
        assert json.loads(capsys.readouterr().out)["load"]["context"] == {"4k": 4096, "8k": 8192}[last]


def test_reserve_decides(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASK, "M4 Max 128GB", "--reserve", "8GiB"], "en") == 0
    assert "8.00 GiB is reserved (--reserve)" in " ".join(capsys.readouterr().out.split())
    assert run([*ASK, "M4 Max 128GB", "--reserve", "120GiB"], "en") == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--engine", "olama"), "Ollama"),
        (("--engine", "ollama", "--set", "parallel=2"), "num_parallel"),
        (("--engine", "ollama", "--set", "num_parallel=two"), "num_parallel"),
        (("--engine", "ollama", "--set", "num_parallel"), "name=value"),
        (("--engine", "ollama", "--ubatch", "256"), "num_batch"),
        (("--engine", "ollama", "--kv-type", "q8_0", "--set", "kv_cache_type=q4_0"), "were given together"),
        (("--engine", "vllm", "--kv-type", "q4_0"), "vLLM has no cache of type q4_0"),
        (("--engine", "mlx", "--kv-type", "q8_0"), "MLX-LM has no cache of type q8_0"),
        (("--reserve", "8"), "GiB"),
    ],
)
def test_mistakes_say_what_to_write(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], word: str) -> None:
    assert run([*ASK, "RTX 5090", *arguments], "en") == 2
    assert word in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("inspect", "qwen3-8b", "--users", "five"),
            '--users takes a whole number, not "five". Write for example --users 5',
        ),
        (("inspect", "qwen3-8b", "--context", "long"), '--context takes a whole number, not "long"'),
        (("plan", "--device", "4090", "--also", "foo"), "In --also: task cannot be 'foo'. Choose one of: chat, coding"),
        (("plan", "--device", "4090", "--also", "chat:users=x"), 'In --also: users takes a whole number, not "x"'),
        (("plan", "--device", "4090", "--users=five"), 'gyakusan: --users takes a whole number, not "five"'),
        (("plan", "--device", "4090", "--users", "five"), '--users takes a whole number, not "five"'),
        (("inspect", "qwen3-8b", "--engine", "lmstudio"), "Choose one of: llama.cpp, MLX-LM, Ollama, vLLM"),
        (("plan", "--device", "4090", "--engine", "sglang"), "Choose one of: llama.cpp, MLX-LM, Ollama, vLLM"),
        (("inspect", "qwen3-8b", "--set", "foo=1"), "Choose one of: backend, batch, build"),
        (("plan", "RTX 4090"), 'Type: gyakusan plan --device "RTX 4090"'),
        (("upgrade", "RTX 4090"), 'Type: gyakusan upgrade --device "RTX 4090"'),
        (("plan", "nothing.toml"), "The file nothing.toml does not exist. Check the spelling of the path."),
    ],
)
def test_mistakes_name_what_was_typed_and_the_mend(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GYAKUSAN_LANG", "en")
    assert main(list(words)) in (2, 3)
    assert said in " ".join(capsys.readouterr().err.split())


def test_serve_refuses_a_context_beyond_training(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve", "smollm2", "--context", "32k"], "en") == 2
    assert "was trained for 8,192 tokens, and 32,768 were requested. Add --context 8192" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.mark.parametrize(
    "line",
    [
        "plan --details 1.9", "plan --compose 1.5", "inspect phi4-14b --batch 12.5", "web --port 80.9",
        "export phi4-14b --to compose --replicas 2.9",
    ],
)  # fmt: skip
def test_a_part_of_a_whole_number_is_not_rounded(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    assert line.split()[-1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--set", "unified=true", "--no-unified"), "--no-unified, --set unified=true"),
        (("--kv-type", "q8_0", "--set", "llama.cpp.key_type=F16"), "--kv-type, --set llama.cpp.key_type=F16"),
        (("--ubatch=256", "--set", "ubatch=512"), "--ubatch, --set ubatch=512"),
    ],
)
def test_an_option_and_a_setting_that_say_different_things_are_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 4090", *words]) == 2
    assert f"{said} were given together. Give one." in capsys.readouterr().err


def test_an_option_and_a_setting_that_agree_are_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--unified", "--set", "unified=true", "--set", "batch=1024"]
    assert main(["inspect", "gpt-oss-20b", "--device", "RTX 4090", *words]) == 0
    assert capsys.readouterr().err == ""


def test_memory_of_a_cpu_is_its_ram(capsys: pytest.CaptureFixture[str]) -> None:
    """Alone with --cpu, --memory is what --device cpu --memory is; beside a GPU it is the GPU's, and refused."""
    words = ("inspect", "gpt-oss-20b", "--memory", "8GiB")
    for name in ("llama.cpp", "ollama"):
        assert run([*words, "--cpu", "--engine", name], "en") == 1
        assert "8.00 GiB are usable" in capsys.readouterr().out
    assert run([*words, "--set", "backend=cpu"], "en") == 1
    assert "8.00 GiB are usable" in capsys.readouterr().out
    assert run([*words, "--cpu", "--device", "RTX 4090"], "en") == 2
    assert "--ram 8GiB" in capsys.readouterr().err
    assert run([*words, "--cpu", "--device", "RTX 4090", "--ram", "64GiB"], "en") == 0


def test_cpu_is_an_option_of_every_engine_that_runs_there(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("inspect", "gpt-oss-20b", "--memory", "64GiB", "--cpu", "--engine")
    assert run([*words, "ollama", "--json"], "en") == 0
    assert json.loads(capsys.readouterr().out)["settings"]["backend"] == "cpu"
    assert run([*words, "vllm"], "en") == 2
    assert "vLLM does not have llama.cpp's --cpu." in capsys.readouterr().err
    assert run([*words, "all", "--json"], "en") == 0
    found = {e["engine"]["name"]: e for e in json.loads(capsys.readouterr().out)["engines"]}
    assert {name: bool(e.get("refusals")) for name, e in found.items()} == {
        "llama.cpp": False, "Ollama": False, "vLLM": True, "MLX-LM": True,
    }  # fmt: skip


def test_a_refusal_names_the_options_that_were_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ASK, "RTX 5090", "--engine", "ollama", "--key-type", "q8_0", "--no-mmap"], "en") == 2
    assert "Ollama does not have llama.cpp's --key-type, --no-mmap." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "field", "value"), [("vllm", "kv_cache_dtype", "fp8"), ("ollama", "kv_cache_type", "q8_0")]
)
def test_a_cache_of_8_bits_is_one_option_for_all_engines(
    capsys: pytest.CaptureFixture[str], name: str, field: str, value: str
) -> None:
    """inspect answered "Write --set kv_cache_type=q8_0", which vLLM does not have; plan took the option."""
    words = ["inspect", "qwen3-8b", "--device", "RTX 5090", "--engine", name, "--context", "8k", "--json"]
    for option in (
        ["--kv-type", "q8_0"],
        ["--set", f"{field}={value}"],
        ["--kv-type", "q8_0", "--set", f"{field}={value}"],
    ):
        assert run([*words, *option], "en") == 0
        assert json.loads(capsys.readouterr().out)["settings"][field] == value
    assert run([*words[:-1], "--kv-type", "f16", "--json"], "en") == 0
    assert json.loads(capsys.readouterr().out)["settings"][field] in ("f16", "auto")
    assert (
        run(["inspect", "qwen3-8b", "--device", "RTX 5090", "--engine", "all", "--kv-type", "q8_0", "--json"], "en")
        == 0
    )
    found = {e["engine"]["name"]: e for e in json.loads(capsys.readouterr().out)["engines"]}
    assert len(found) == len(NAMES)


@pytest.mark.parametrize("name", [n for n in NAMES if n != DEFAULT])
def test_every_setting_that_an_error_names_exists(capsys: pytest.CaptureFixture[str], name: str) -> None:
    known = {f.name for f in fields(engine(name).Settings)}
    values = {"Literal": "off", "int": "64", "str | None": "q8_0"}
    for option in (f for f in fields(Server) if f.name not in ("cpu", "kv_type")):
        flag = "--" + option.name.replace("_", "-")
        kind = next((v for k, v in values.items() if k in str(option.type)), None)
        if option.name == "outputs":
            kind = "bench"
        words = [flag, kind] if kind else [flag.replace("--", "--no-", 1) if option.default is True else flag]
        assert run([*ASK, "RTX 5090", "--engine", name, *words], "en") == 2, words
        said = capsys.readouterr().err
        assert {w.strip(" .\n") for w in said.partition("NAME=VALUE:")[2].split(",")} == known


def test_every_setting_of_a_sentence_is_one_of_an_engine() -> None:
    known = {f.name for name in NAMES for f in fields(engine(name).Settings)}
    texts = json.loads((Path(gyakusan.__file__).parent / "locale" / "ja.json").read_text("utf-8"))
    named = {n for text in texts for n in re.findall(r"--set (\w+)=", text)}
    assert {"tensor_parallel", "data_parallel"} <= named <= known | {"name", "NAME"}
