"""The line behind which gyakusan starts a server without a key: `gyakusan serve` takes it as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyakusan import api
from gyakusan.cli import main
from gyakusan.core.load import Load
from gyakusan.engines.front_line import front_command, front_service, served_source
from gyakusan.engines.service_files import KEY_FILE, shell_line

CASES = [
    ("qwen3-8b", "M5 Max 48GB", "mlx", {"weights": "4bit"}),
    ("gemma4-26b-a4b-qat", "M4 Max 64GB", "mlx", {}),
    ("qwen3-8b", "RTX 4090", "ollama", {}),
]


@pytest.mark.parametrize(("model", "device", "name", "changes"), CASES)
def test_gyakusan_serve_takes_the_line(
    model: str, device: str, name: str, changes: dict[str, object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = api.deployment(model, load=Load(10, 8192), device=device, server=name, settings=changes)
    argv = front_command(one).argv
    assert argv[:3] == ("gyakusan", "serve", served_source(one))
    key = tmp_path / "key"
    key.write_text("0123456789abcdef" * 4 + "\n")
    key.chmod(0o600)
    words = [str(key) if w == KEY_FILE else w for w in argv[1:]]
    fetches = name == "ollama"  # the others would refuse files that are not here
    assert main([*words, "--device", device, "--dry-run"]) == int(not fetches)
    assert "gyakusan listens on 0.0.0.0 before it" in " ".join(capsys.readouterr().out.split())


def test_the_shell_makes_the_key_and_finds_the_home() -> None:
    one = api.deployment("qwen3-8b", load=Load(3, 4096), device="M5 Max 48GB", server="mlx")
    served = front_service(one, front_command(one))
    assert served.keyed
    assert served.port == 8080
    line = shell_line(served)
    assert line.startswith("(umask 077; ")
    assert line.endswith(f" && gyakusan {' '.join(front_command(one).argv[1:])}")
    assert f"--key-file {KEY_FILE}" in line


def test_files_are_named_by_their_repository() -> None:
    named = api.deployment("qwen3-8b", load=Load(1, 4096), device="RTX 4090", server="ollama")
    found = named.artifact
    assert found is not None
    assert served_source(named) in (found.repository, f"{found.repository}:{named.quantization}")
