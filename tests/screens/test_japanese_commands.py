"""What other commands say in Japanese, at 80 columns: no English is left, no line is too wide.

These have no snapshots, for what they say depends on programs of the computer. Scripts and files are for programs: of those only
what people read is looked at (tests/exports, tests/cli/test_completion.py).
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from rich.cells import cell_len
from tests.fakes import tiny
from tests.japanese import english
from tests.planning.nodes.computers import described
from tests.screens.conftest import Screen
from tests.test_japanese import names

COMMANDS = (
    "doctor",
    "deploy smollm2",
    "deploy status",
    "deploy delete nosuch",
    "deploy qwen3-8b --device 'RTX 4090' --engine vllm --replicas 2",
    "plan --nodes lab.json --model qwen2.5-72b",
    "plan --nodes lab.json --model qwen2.5-72b --details 1",
    "plan --nodes lab.json --model gpt-oss-20b --users 5 --context 32k --details 1",
    "plan --nodes lab.json --model nosuch",
    "plan --nodes lab.json --model kimi-k2",
    "plan --nodes 2",
    "plan --nodes lab.json --budget 100万円",
    "serve tiny.gguf --rpc ssh:me@box --dry-run",
    "serve tiny.gguf --cpu --rpc 127.0.0.1:1 --dry-run",
    "serve tiny.gguf --rpc box.invalid:1 --dry-run",
    "serve tiny.gguf --set rpc=192.0.2.1:50052 --device 'RTX 4090' --dry-run",
    "serve tiny.gguf --set rpc=192.0.2.1:50052 --device 'RTX 4090' --rpc-unprotected --dry-run",
    "serve tiny.gguf other.gguf --cpu --context 1k --dry-run",
    "serve tiny.gguf other.gguf --cpu --context 1k --models-max 1 --dry-run",
    "serve tiny.gguf other.gguf --cpu --context 1k --users 1000000",
    "serve tiny.gguf --models-max 2",
    "serve tiny.gguf tiny.gguf --dry-run",
    "serve tiny.gguf --name '私の サーバー' --dry-run",
    "export nosuch --to compose",
    "export tiny.gguf --to kubernetes",
    "export gpt-oss-20b --device 'RTX 4090' --to nosuch",
    "export gpt-oss-20b --device 'RTX 4090' --to ray",
    "export gpt-oss-20b --device 'RTX 4090' --to caddy --replicas 2",
    "export gpt-oss-120b --device 'RTX 4090' --to compose --file out.yaml",
    "completion nosuch",
    "completion",
    "stop '私の サーバー'",
    "logs nosuch",
    "ps",
    "keys list",
    "keys add 太郎",
    "config",
    "schema nosuch",
    "get nosuch",
    "get gemma-4-E2B --dry-run",
    "mcp --help",
)


@pytest.fixture
def lab(somewhere: Path) -> None:
    """Files of two computers and of two models in the folder."""
    nodes = [
        described("rtx4090", name="desk", address="10.0.0.2"),
        described("two_rtx3090", name="rack", address="10.0.0.1"),
    ]
    (somewhere / "lab.json").write_text(json.dumps({"nodes": nodes, "link": "10GbE"}), "utf-8")
    (somewhere / "other.gguf").write_bytes(tiny.gguf())


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize("words", COMMANDS)
def test_no_english_is_left(words: str, printed: Screen) -> None:
    told = printed(words, 80, "ja").split("\n", 1)[1]
    assert told
    assert english(told, {*names(), *shlex.split(words)}) == []
    assert re.findall(r".*\d +%.*", told) == []
    tables = [line for line in told.splitlines() if "  " in line.strip() and "://" not in line and "$ " not in line]
    assert [line for line in tables if cell_len(line) > 80 and not line.lstrip().startswith("gyakusan")] == []
