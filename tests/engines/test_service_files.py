"""Commands of every engine: whole, pasteable, without a key inside; and what files share."""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from gyakusan import api
from gyakusan.core.load import Load
from gyakusan.engines.container import Container
from gyakusan.engines.deployment import Deployment
from gyakusan.engines.service_files import (
    KEY_FILE,
    Service,
    container_service,
    port_of,
    service,
    shell_line,
    unit_argument,
    unit_word,
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
    return service(found, found.command, lan=lan, **options)


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
    assert f'key="$(cat {KEY_FILE})"' in line
    assert f' && {server.variable}="$key" ' in line
    assert "0.0.0.0" in line


def started(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the line of an open server in a home of somebody's, with a program that prints the key in the server's place."""
    server = served("llama.cpp", lan=True)
    command = structs.replace(server.command, argv=("sh", "-c", 'echo "$LLAMA_API_KEY"'))
    line = shell_line(structs.replace(server, command=command))
    around = {**os.environ, "HOME": str(home)}
    return subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False, env=around)


def test_the_first_start_makes_the_key_on_the_machine_itself(tmp_path: Path) -> None:
    """A plan is often for a machine that is still to buy: the line named a file of the computer that planned."""
    home = tmp_path / "a home"
    home.mkdir()
    first, second = started(home), started(home)
    (file,) = home.iterdir()
    assert (first.returncode, first.stdout) == (0, file.read_text())
    assert len(first.stdout.strip()) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert second.stdout == first.stdout
    assert str(Path.home()) not in shell_line(served("llama.cpp", lan=True))


@pytest.mark.parametrize("text", ["\n", "short", "a" * 15])
def test_nothing_starts_without_a_key(text: str, tmp_path: Path) -> None:
    (tmp_path / KEY_FILE.removeprefix("~/")).write_text(text)
    done = started(tmp_path)
    assert done.returncode
    assert done.stdout == ""


@pytest.mark.parametrize("char", ["\n", "\r", "\x1b", "\0", "\x7f", "\x9b", "\u2028"])
def test_no_word_ends_its_line(char: str) -> None:
    server = served("llama.cpp", lan=True)
    word, command = f"a{char}ExecStart=b", server.command
    for odd in (
        structs.replace(server, command=structs.replace(command, argv=(*command.argv, "--alias", word))),
        structs.replace(server, command=structs.replace(command, environment={"A": word})),
    ):
        with pytest.raises(BadSetting, match="control character"):
            shell_line(odd)


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


def test_nothing_in_a_unit_or_a_compose_file_is_expanded() -> None:
    """`$` is doubled in both: compose-spec, interpolation; systemd.service(5), "COMMAND LINES"."""
    about = container_service(
        Container("image", (), "/models"), ['a "$HOME"'], {"A": "x$HOME"}, env_file="/a$b/key.env", published="80:80", cards=0
    )  # fmt: skip
    assert (about["command"], about["environment"]) == (['a "$$HOME"'], {"A": "x$$HOME"})
    assert about["env_file"] == ["/a$$b/key.env"]
    assert unit_argument('a "$HOME" 50%') == '"a \\"$$HOME\\" 50%%"'
    assert unit_word('A=x$HOME "50%"') == '"A=x$HOME \\"50%%\\""'


def test_the_port_is_the_one_of_the_command() -> None:
    assert [served(n).port for n in ("llama.cpp", "vLLM", "Ollama", "MLX")] == [8080, 8000, 11434, 8080]
    found = deployed("Ollama")
    assert port_of(found.rules.with_port(found.command, 12345), 11434) == 12345
