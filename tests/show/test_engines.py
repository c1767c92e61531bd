"""One question to several engines: verdicts and reasons."""

from __future__ import annotations

from functools import partial

import pytest
from tests.show.drawing import text_of

from gyakusan import api
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
        ("RTX 3060 12GB", (False, False, False)),
    ],
)
def test_verdicts(device: str, fits: tuple[bool, ...]) -> None:
    found = asked(device)[1]
    assert tuple(a.fits for a in found) == fits
    assert all(bool(a.refusals) == (a.ledger is None) for a in found)


def test_a_refusal_has_its_reason_and_no_figure() -> None:
    text = drawn("RTX 5090")
    (row,) = [line for line in text.splitlines() if line.startswith("MLX-LM  ")]
    assert row.split()[1:] == ["refused", "-", "-", "-", "-", "-"]
    assert "MLX-LM: MLX-LM runs on Apple silicon only; NVIDIA GeForce RTX 5090 was given." in text


def test_what_the_os_keeps_is_said_once() -> None:
    text = drawn("M4 Max 128GB")
    assert text.count("20.48 GiB of 128.00 GiB is reserved (--reserve)") == 1
    assert "macOS lets the GPU use 107.52 GiB" in " ".join(text.split())


def test_short_by_is_said() -> None:
    assert "NVIDIA GeForce RTX 3060 12GB is short by" in drawn("RTX 3060 12GB")


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
