"""Commands, Compose files and units of every engine: whole, pasteable, without a key inside."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import (
    KeyFiles,
    Service,
    compose_file,
    port_of,
    service,
    shell_line,
    systemd_unit,
)
from gyakusan.errors import BadSetting

CASES = {
    "llama.cpp": ("gpt-oss-20b", "RTX 4090", "llama.cpp"),
    "llama.cpp on AMD": ("gpt-oss-20b", "RX 7900 XTX", "llama.cpp"),
    "llama.cpp on two": ("gemma3-27b", "2x RTX 3090", "llama.cpp"),
    "llama.cpp on a CPU": ("qwen3-4b", "Ryzen 9 9950X", "llama.cpp"),
    "vLLM": ("qwen3-8b", "RTX 4090", "vllm"),
    "Ollama": ("qwen3-8b", "RTX 4090", "ollama"),
    "MLX": ("qwen3-8b", "M4 Max 128GB", "mlx"),
}


def deployed(name: str) -> Deployment:
    model, device, server = CASES[name]
    memory = "128GiB" if device.startswith("Ryzen") else None
    return api.deployment(model, device=device, memory=memory, load=Load(4, 8192), server=server)


def served(name: str, *, lan: bool = False, **options: bool) -> Service:
    found = deployed(name)
    keys = (lambda: KeyFiles(Path("/home/a b/api-key"), Path("/home/a b/api-key.env"))) if lan else None
    return service(found, found.command, keys=keys, **options)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("all_flags", [False, True])
def test_a_command_is_one_line_that_a_shell_reads_as_it_was_meant(name: str, all_flags: bool) -> None:
    server = served(name, all_flags=all_flags)
    line = shell_line(server)
    assert "\n" not in line
    subprocess.run(["bash", "-n"], input=line, text=True, check=True)
    words = shlex.split(line)
    assert words[len(server.command.environment) :] == list(server.command.argv)
    assert "<" not in line
    assert "GYAKUSAN_API_KEY" not in line
    assert "--log-verbosity" not in line


@pytest.mark.parametrize("name", CASES)
def test_a_short_command_keeps_what_the_ledger_rests_on(name: str) -> None:
    short, whole = served(name), served(name, all_flags=True)
    assert set(short.command.argv) <= set(whole.command.argv)
    assert len(shell_line(short)) <= len(shell_line(whole))
    text = shell_line(short)
    if name.startswith("llama.cpp"):
        assert "--fit off" in text
        assert "--ctx-size 32768 --parallel 4" in text
        assert "--batch-size" not in text
        assert ("--tensor-split" in text) is (name == "llama.cpp on two")
        assert ("--device none" in text) is (name == "llama.cpp on a CPU")
        assert "--no-ui" in shell_line(served(name, page=False))


@pytest.mark.parametrize("name", ["llama.cpp", "vLLM"])
def test_the_key_is_read_from_its_file_and_stands_in_no_text(name: str) -> None:
    server = served(name, lan=True)
    line = shell_line(server)
    subprocess.run(["bash", "-n"], input=line, text=True, check=True)
    read = 'key="$(cat \'/home/a b/api-key\')" && [ -n "$key" ]'
    assert line.startswith(f'{read} && {server.variable}="$key" ')
    assert "0.0.0.0" in line
    assert "/home/a b/api-key.env" in compose_file(server)
    assert "EnvironmentFile=/home/a b/api-key.env" in systemd_unit(server)


def test_compose_expands_nothing_in_a_path() -> None:
    """`$` is doubled: compose-spec, interpolation."""
    server = structs.replace(
        served("llama.cpp", lan=True), key=KeyFiles(Path("/home/a$b/key"), Path("/home/a$b/key.env"))
    )
    assert '"/home/a$$b/key.env"' in compose_file(server)


@pytest.mark.parametrize("text", [None, "", "\n", "a-key"])
def test_nothing_starts_without_a_key(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "the key"
    if text is not None:
        file.write_text(text)
    server = served("llama.cpp", lan=True)
    command = structs.replace(server.command, argv=("sh", "-c", 'echo "started $LLAMA_API_KEY"'))
    line = shell_line(structs.replace(server, command=command, key=KeyFiles(file, file)))
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode == 0) == (("started a-key\n", True) if text == "a-key" else ("", False))


@pytest.mark.parametrize("write", [shell_line, compose_file, systemd_unit])
@pytest.mark.parametrize("char", ["\n", "\r", "\x1b", "\0", "\x7f", "\x9b", "\u2028"])
def test_no_word_ends_its_line(write: Callable[[Service], str], char: str) -> None:
    server = served("llama.cpp", lan=True)
    word, command = f"a{char}ExecStart=b", server.command
    for odd in (
        structs.replace(server, command=structs.replace(command, argv=(*command.argv, "--alias", word))),
        structs.replace(server, command=structs.replace(command, environment={"A": word})),
        structs.replace(server, key=KeyFiles(Path("/key"), Path(f"/{word}"))),
    ):
        with pytest.raises(BadSetting, match="control character"):
            write(odd)


def test_a_service_of_a_name_without_letters_has_one() -> None:
    found = deployed("llama.cpp")
    assert (
        service(
            structs.replace(found, model=replace(found.model, name="日本語", source="/日本語.gguf")), found.command
        ).name
        == "model"
    )


@pytest.mark.parametrize("name", ["Ollama", "MLX"])
def test_a_server_without_a_key_is_not_opened(name: str) -> None:
    with pytest.raises(BadSetting, match="no API key"):
        served(name, lan=True)


@pytest.mark.parametrize("name", [n for n in CASES if n != "MLX"])
@pytest.mark.parametrize("lan", [False, True])
def test_a_compose_file_is_valid(name: str, lan: bool) -> None:
    compose = pytest.importorskip("compose_spec")
    if lan and name == "Ollama":
        return
    server = served(name, lan=lan)
    text = compose_file(server)
    found = compose.PyCompose.from_yaml(
        text
    )  # the Compose Specification, in Rust: it refuses unknown keys and bad values
    found.validate()
    assert list(found.service_names()) == [server.name]
    with pytest.raises(Exception, match=r"image|unknown|invalid"):
        compose.PyCompose.from_yaml(text.replace("    image:", "    imaget:"))
    address = "" if lan else "127.0.0.1:"
    assert f'"{address}{server.port}:{server.port}"' in text
    assert ("driver" in text) is (server.machine.gpus != () and server.machine.gpus[0].backend == "cuda")


def test_no_container_reaches_the_gpu_of_a_mac() -> None:
    with pytest.raises(BadSetting, match="no container") as refused:
        compose_file(served("MLX"))
    assert "--systemd" not in str(refused.value.mend)
    with pytest.raises(BadSetting, match="no systemd"):
        systemd_unit(served("MLX"))


@pytest.mark.parametrize("name", [n for n in CASES if n != "MLX"])
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this computer has no systemd-analyze")
def test_a_unit_is_valid(name: str, tmp_path: Path) -> None:
    file = tmp_path / "gyakusan-test.service"
    file.write_text(systemd_unit(served(name)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", file], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "gyakusan-test" in line]
    assert ours == []


def test_nothing_in_a_unit_or_a_compose_file_is_expanded() -> None:
    server = served("llama.cpp")
    argv = (*server.command.argv, "--alias", 'a "$HOME" 50%')
    odd = structs.replace(server, command=structs.replace(server.command, argv=argv))
    assert '"a \\"$$HOME\\" 50%%"' in systemd_unit(odd)
    assert "$$HOME" in compose_file(odd)
    set_ = structs.replace(server, command=structs.replace(server.command, environment={"A": 'x$HOME "50%"'}))
    assert 'Environment="A=x$HOME \\"50%%\\""\n' in systemd_unit(set_)
    assert "x$$HOME" in compose_file(set_)


def test_the_port_is_the_one_of_the_command() -> None:
    assert [served(n).port for n in ("llama.cpp", "vLLM", "Ollama", "MLX")] == [8080, 8000, 11434, 8080]
    found = deployed("Ollama")
    assert port_of(found.rules.with_port(found.command, 12345), 11434) == 12345
