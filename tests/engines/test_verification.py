"""The catalogue beside a fake hub on loopback: what died, what grew, and servers that lie, stall or flood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.fake_hub import show_tree
from tests.models.sources.serving import Handler, Site, serving

from gyakusan import catalog_verify
from gyakusan.catalog.artifacts import artifacts
from gyakusan.cli import main
from gyakusan.engines import verification
from gyakusan.errors import SourceError
from gyakusan.models.sources import http

MODEL = "qwen3.6-27b"
QWEN = "unsloth/Qwen3.6-27B-GGUF"
TOKEN = "hf_secretsecret"


def published(repository: str) -> dict[str, object]:
    """The list that the catalogue expects, with one projector more."""
    found: dict[str, object] = {"mmproj-BF16.gguf": 5}
    for artifact in artifacts(MODEL):
        if artifact.repository == repository:
            for file in artifact.files:
                found[file] = (artifact.bytes or 7) // len(artifact.files)
    return found


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Site]:
    """A fake hub that has nothing; one repository of the model is asked for."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setattr(verification, "known_repositories", lambda: (QWEN,))
    with serving() as site:
        monkeypatch.setenv("HF_ENDPOINT", site.base)
        yield site


def kinds(**options: Any) -> list[tuple[str, str]]:
    return [(f.kind, f.quantization) for f in catalog_verify(MODEL, **options).verification.findings]


def test_nothing_differs(web: Site) -> None:
    show_tree(web, QWEN, published(QWEN))
    found = catalog_verify(MODEL).verification
    assert (found.findings, found.repositories, found.endpoint) == ((), 1, web.base)
    assert found.references > 10
    assert [path for path, _, _ in web.log] == [f"/api/models/{QWEN}/tree/main?recursive=true"]


def test_a_file_that_grew_and_one_that_is_gone(web: Site) -> None:
    sizes = published(QWEN)
    sizes["Qwen3.6-27B-Q4_K_M.gguf"] = 16817244385
    sizes["Qwen3.6-27B-Q8_0.gguf"] = 28562001000  # known as rounded
    del sizes["Qwen3.6-27B-IQ4_NL.gguf"]
    show_tree(web, QWEN, sizes)
    assert sorted(kinds()) == [("size", "Q4_K_M"), ("tag", "IQ4_NL")]
    finding = next(f for f in catalog_verify(MODEL).verification.findings if f.kind == "size")
    assert (finding.known, finding.found) == (16817244384, 16817244385)


def test_a_repository_that_is_gone(web: Site) -> None:
    assert kinds() == [("gone", "")]


def test_one_that_is_closed_and_a_token_that_opens_it(
    web: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show_tree(web, QWEN, published(QWEN), token=TOKEN)
    assert kinds() == [("closed", "")]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["catalog", "verify", MODEL]) == 0
    out, err = capsys.readouterr()
    assert TOKEN not in out + err
    assert web.log[-1][2] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b'[{"type":"file","path":"../../etc/passwd","size":1}]',
        b'[{"type":"file","path":"a.gguf","size":-1}]',
        b'[{"type":"file","path":7,"size":1}]',
        b'[{"type":"file","path":"a.gguf","size":1e400}]',
        b"[" * 100_000,
    ],
)
def test_answers_that_make_no_sense(web: Site, body: bytes) -> None:
    def answer(handler: Handler) -> None:
        handler.head(200, len(body), Content_Type="application/json")
        handler.body(body)

    web.answers[f"/api/models/{QWEN}/tree/main"] = answer
    with pytest.raises(SourceError, match="does not answer"):
        catalog_verify(MODEL)


def test_an_answer_without_end(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gyakusan.models.sources.hub.LONGEST", 100_000)

    def answer(handler: Handler) -> None:
        handler.head(200, Content_Type="application/json", Connection="close")
        for _ in range(1000):
            handler.wfile.write(b" " * 4096)

    web.answers[f"/api/models/{QWEN}/tree/main"] = answer
    with pytest.raises(SourceError, match="does not answer"):
        catalog_verify(MODEL)


def test_a_hub_that_stalls(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.3)
    web.answers[f"/api/models/{QWEN}/tree/main"] = lambda handler: web.closing.wait(20) and None
    with pytest.raises(SourceError, match="does not answer"):
        catalog_verify(MODEL)


def test_one_bad_answer_among_good_ones(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names = tuple(dict.fromkeys(a.repository for a in artifacts(MODEL) if a.format == "gguf"))[:3]
    assert len(names) == 3
    monkeypatch.setattr(verification, "known_repositories", lambda: names)
    for name in names[:2]:
        show_tree(web, name, published(name))
    web.answers[f"/api/models/{names[2]}/tree/main"] = lambda handler: handler.head(503)
    seen = []
    found = catalog_verify(MODEL, on_progress=lambda done, count: seen.append((done, count))).verification
    assert [f.repository for f in found.findings if f.kind == "unread"] == [names[2]]
    assert seen[-1] == (3, 3)
    assert len(catalog_verify(MODEL, limit=2).verification.findings) == len(found.findings) - 1


def test_the_network_is_off(web: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(SourceError, match="switched off"):
        catalog_verify(MODEL)
    assert web.log == []


def test_the_command(web: Site, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = published(QWEN)
    sizes["Qwen3.6-27B-Q4_K_M.gguf"] = 5
    show_tree(web, QWEN, sizes)
    assert main(["catalog", "verify", MODEL, "--limit", "1"]) == 1
    out, err = capsys.readouterr()
    assert "another size" in out
    assert "16,817,244,384" in out
    assert "1 of 1 repositories" in err
    assert main(["catalog", "verify", MODEL, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["findings"][0]["kind"] == "size"
    assert main(["catalog", "verify", "no-such-model"]) == 2


def test_no_request_without_the_command(web: Site) -> None:
    main(["inspect", QWEN, "--device", "RTX 4090"])
    assert web.log == []
