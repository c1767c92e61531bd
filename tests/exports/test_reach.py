"""Who reaches the server of an exported file: a name means https for every kind, and what is in the clear is said first."""

from __future__ import annotations

import re
import shlex

import pytest
from tests.exports.test_export import HOST, asked

from gyakusan.cli import main
from gyakusan.exports.export import KINDS, export
from gyakusan.exports.reach import ONE_MACHINE
from gyakusan.exports.settings import ExportSettings

CLEAR = "unencrypted: people's prompts and keys pass in the clear"
CARD = ("--device", "RTX 4090", "--context", "8k", "--lang", "en")


def _body(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.parametrize("kind", sorted(ONE_MACHINE))
def test_a_server_under_a_name_listens_on_this_computer_as_caddy_expects(kind: str) -> None:
    named, alone = export([asked()], kind, HOST), export([asked()], kind)
    assert _body(named) == _body(alone)
    second = named.splitlines()[1]
    assert "127.0.0.1 only" in second
    assert "gyakusan export gpt-oss-20b --to caddy --host llm.example.org" in second
    assert "reverse_proxy 127.0.0.1:8080" in export([asked()], "caddy", HOST)
    assert CLEAR not in named


@pytest.mark.parametrize("settings", [ExportSettings(lan=True), ExportSettings(lan=True, host="a.example", port=9000)])
@pytest.mark.parametrize("kind", sorted(ONE_MACHINE))
def test_what_is_open_says_first_that_nothing_is_encrypted(kind: str, settings: ExportSettings) -> None:
    text = export([asked()], kind, settings)
    assert "0.0.0.0" in _body(text)
    second = text.splitlines()[1]
    assert second.startswith(f"# {CLEAR}; put Caddy in front (gyakusan export gpt-oss-20b --to caddy --host ")
    assert ("--host a.example --port 9000)" in second) is bool(settings.host)
    assert ("--host llm.example.org --port 8080)" in second) is not bool(settings.host)


def test_a_proxy_passes_on_to_the_port_that_the_server_was_given() -> None:
    settings = ExportSettings(host="a.example", port=9000)
    assert "reverse_proxy 127.0.0.1:9000" in export([asked()], "caddy", settings)
    several = export([asked(), asked(5)], "caddy", settings)
    assert "reverse_proxy 127.0.0.1:9000" in several
    assert "reverse_proxy 127.0.0.1:9001" in several


def test_a_proxy_without_a_name_says_that_it_is_not_encrypted() -> None:
    assert (
        "unencrypted, and for this computer alone: http://127.0.0.1:8443" in export([asked()], "caddy").splitlines()[1]
    )


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_file_for_this_computer_says_nothing_of_it(kind: str) -> None:
    if kind != "caddy":
        assert "unencrypted" not in export([asked(6)], kind)


@pytest.mark.parametrize(
    "words",
    [
        ["export", "gpt-oss-20b", "--to", "systemd", "--lan", *CARD],
        ["export", "gpt-oss-20b", "--to", "quadlet", "--lan", "--host", "llm.example.org", *CARD],
        *(
            ["plan", "--model", "gpt-oss-20b", "--users", "2", *CARD, "--lan", form, "1"]
            for form in ("--command", "--compose", "--systemd", "--details")
        ),
    ],
)
def test_the_screen_says_it_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert f"{CLEAR}; put Caddy in front (gyakusan export gpt-oss-20b --to caddy" in capsys.readouterr().err


BOX = ("--device", "H100 80GB", "--lang", "en")


@pytest.mark.parametrize(
    ("words", "port"),
    [
        (["plan", "--model", "gpt-oss-20b", "--engine", "vllm", "--lan", "--command", "1", *BOX], 8000),
        (["plan", "--model", "gpt-oss-20b", "--engine", "vllm", "--lan", "--details", "1", *BOX], 8000),
        (["export", "gpt-oss-20b", "--engine", "vllm", "--to", "systemd", "--lan", *BOX], 8000),
        (["export", "gpt-oss-20b", "--engine", "vllm", "--to", "systemd", "--host", "llm.example.org", *BOX], 8000),
        (["export", "gpt-oss-20b", "--engine", "vllm", "--to", "compose", "--lan", "--port", "9000", *BOX], 9000),
        (["fleet", "--model", "gpt-oss-20b", "--engine", "vllm", "--command", "1", *BOX], 8000),
        (["fleet", "--model", "gpt-oss-20b", "--engine", "ollama", "--command", "1", *BOX], 8080),  # behind gyakusan
    ],
)
def test_the_proxy_that_is_printed_passes_on_to_the_port_of_the_engine(
    words: list[str], port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 0
    told = capsys.readouterr()
    commands = {m[1] for m in re.finditer(r"[(](gyakusan export [^()]+ --to caddy [^()]+)[)]", told.err + told.out)}
    assert len(commands) == 1, told
    assert main(shlex.split(commands.pop())[1:]) == 0
    assert f"reverse_proxy 127.0.0.1:{port} " in capsys.readouterr().out
