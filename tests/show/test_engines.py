"""One question to several engines: verdicts and reasons."""

from __future__ import annotations

from functools import partial

import pytest
from tests.show.drawing import text_of

from gyakusan import api
from gyakusan.cli import main
from gyakusan.documents import ledger
from gyakusan.documents.writer import plain
from gyakusan.engines.deployment import Deployment
from gyakusan.show import engines


def asked(device: str, names: str = "llama.cpp,ollama,mlx") -> tuple[Deployment, tuple[api.Answer, ...]]:
    load = partial(api.usual_load, users=2, context=131072)
    first = api.deployment("openai/gpt-oss-20b", load=load, device=device)
    return first, api.answers(api.engine_names(names), lambda name: first.under(name, {}))


def drawn(device: str) -> str:
    first, found = asked(device)
    return text_of(*engines.screen(found, first.model, first.machine, first.load), width=150)


@pytest.mark.parametrize(
    ("device", "fits"),
    [
        ("RTX 5090", (True, True, False)),
        ("M4 Max 128GB", (True, True, True)),
        ("DGX Spark", (True, True, False)),
        ("Ryzen AI Max+ 395 128GB", (True, True, False)),
        ("RTX 3060 12GB", (False, True, False)),  # Ollama leaves a part in RAM by itself
    ],
)
def test_verdicts(device: str, fits: tuple[bool, ...]) -> None:
    found = asked(device)[1]
    assert tuple(a.fits for a in found) == fits
    assert all(bool(a.refusals) == (a.ledger is None) for a in found)


def test_a_refusal_has_its_reason_and_no_figure() -> None:
    text = drawn("RTX 5090")
    (row,) = [line for line in text.splitlines() if line.startswith(" MLX-LM  ")]
    assert row.split()[1:] == ["refused", "-", "-", "-", "-"]
    assert "MLX-LM  MLX-LM runs on Apple silicon only; NVIDIA GeForce RTX 5090 was given." in text


def test_the_verdict_names_the_servers_that_fit() -> None:
    first = " ".join(drawn("M4 Max 128GB").split("\n\n")[0].split())
    assert first == (
        "gpt-oss-20b fits on an M4 Max 128GB under llama.cpp, Ollama, MLX-LM; llama.cpp leaves most memory."
    )
    first = " ".join(drawn("RTX 3060 12GB").split("\n\n")[0].split())
    assert first == "gpt-oss-20b fits on an RTX 3060 12GB under Ollama (a part in RAM)."


def test_what_is_missing_is_rounded_up() -> None:
    _, found = asked("RTX 3060 12GB", "llama.cpp")
    (row,) = [line for line in drawn("RTX 3060 12GB").splitlines() if line.startswith(" llama.cpp ")]
    assert found[0].ledger is not None
    missing = -float(found[0].ledger.tightest.spare or 0) / 2**30
    shown = float(row.split()[-2])
    assert shown < 0
    assert 0 <= -shown - missing < 0.1


def test_json() -> None:
    found = plain(ledger.engines(asked("RTX 5090")[1]), "en")["engines"]
    assert [e["engine"]["name"] for e in found] == ["llama.cpp", "Ollama", "MLX-LM"]
    assert [(e["fits"], len(e["refusals"]), "devices" in e) for e in found] == [
        (True, 0, True),
        (True, 0, True),
        (False, 1, False),
    ]


def test_names() -> None:
    assert set(api.engine_names("all")) >= {"llama.cpp", "Ollama", "MLX-LM"}
    assert api.engine_names("OLLAMA, mlx, ollama") == ("Ollama", "MLX-LM")


def test_a_model_that_is_partly_in_ram_does_not_just_fit(capsys: pytest.CaptureFixture[str]) -> None:
    """Ollama spilled to RAM and was said to fit as llama.cpp does, wholly on the GPU."""
    asked = ["inspect", "qwen3-14b", "--device", "RTX 3060 12GB", "--engine", "all", "--users", "2", "--context", "8k"]
    assert main([*asked, "--lang", "en"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "under llama.cpp, Ollama (a part in RAM); llama.cpp leaves most memory" in out
    assert "Ollama part in RAM 11.29" in out
    assert "llama.cpp fits" in out
